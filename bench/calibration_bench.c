/* bench/calibration_bench.c -- do bands and p-values hold what they promise?  Promised and measured, by distribution and dependence.
 *
 * usage: calibration_bench FILE.json [FILE.png] [SERIES]
 *
 * Exchangeable scores: a quantile of 500 of them is asked about 500 others, again and again.  Dependent ones, and series whose errors drift,
 * jump or breathe: SERIES (default 40) series of 20,000 rows, of which the first 500 are not counted; each row is asked about before it is
 * learned from.  static: the quantile of the first 500 for good.  weighted: exponential forgetting, 0.99 a row.  ACI: adaptive with
 * step 0.02.  DtACI: adaptive, step found by itself.  A band may be infinite, and then holds anything: the last column says for how many
 * rows the one of 95 % is.  Blocks: p-values of 20 rows at once, by permuting blocks and as if rows were independent.  The picture is of
 * the bands under drift. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/rng.h"
#include "decide/adaptive.h"
#include "figure.h"
#include "io/plot.h"
#include "series/stats.h"

#include <stdio.h>
#include <time.h>

enum { HISTORY = 500, ROWS = 20000, LEVEL_COUNT = 5, BAND_COUNT = 4 };
static const double levels[LEVEL_COUNT] = { 0.5, 0.8, 0.9, 0.95, 0.99 };

typedef struct source {
    tcsi_rng rng;
    double state, scale;
} source;

static double normal(source *s) { return fabs(tcsi_rng_normal(&s->rng)); }
static double exponential(source *s) { return tcsi_rng_exponential(&s->rng); }
static double whole(source *s) { return floor(2 * tcsi_rng_exponential(&s->rng)); }

static double student(source *s)
{
    double chi = 0;
    const double z = tcsi_rng_normal(&s->rng);
    for (int i = 0; i < 3; i++) {
        const double g = tcsi_rng_normal(&s->rng);
        chi += g * g;
    }
    return fabs(z) / sqrt(chi / 3);
}

static const struct { const char *name; double (*draw)(source *); } distributions[] = {
    { "half-normal", normal }, { "exponential", exponential }, { "Student 3, absolute", student }, { "whole numbers (ties)", whole },
};

/* ---- series ---- */

static double moved(source *s, double memory)
{
    s->state = memory * s->state + sqrt(1 - memory * memory) * tcsi_rng_normal(&s->rng);
    return s->state;
}

static double moving(source *s, size_t t) { (void)t; return fabs(moved(s, 0.9)); }
static double slow(source *s, size_t t) { (void)t; return fabs(moved(s, 0.99)); }
static double growing(source *s, size_t t) { return normal(s) * (1 + (double)t / 2000); }
static double jumping(source *s, size_t t) { return normal(s) * (t / 4000 % 2 ? 4 : 1); }
static double daily(source *s, size_t t) { return normal(s) * (1 + 0.8 * sin(2 * 3.14159265358979323846 * (double)t / 1440)); }

static double wandering(source *s, size_t t)
{
    if (t == 0) s->scale = 0;
    s->scale += 0.02 * tcsi_rng_normal(&s->rng);
    return normal(s) * exp(s->scale);
}

static const struct { const char *name; double (*next)(source *, size_t); bool drifts; } series[] = {
    { "AR(0.9), absolute", moving, false }, { "AR(0.99), absolute", slow, false },    { "scale grows", growing, true },
    { "scale jumps", jumping, true },       { "scale wanders", wandering, true },     { "scale breathes daily", daily, true },
};
static const char *const bands[BAND_COUNT] = { "static", "weighted", "ACI", "DtACI" };

/* ---- measuring ---- */

static void check(tcs_status status)
{
    if (status != TCS_OK) abort();
}

/* What a band held at each level, and the share of rows whose band of 95 % has no end. */
typedef struct coverage {
    double held[LEVEL_COUNT], endless;
} coverage;

static void ask(coverage *c, size_t l, double error, double limit, double share)
{
    c->held[l] += share * (error <= limit);
    if (levels[l] == 0.95) c->endless += share * isinf(limit);
}

/* Share of fresh scores within the quantile of HISTORY others. */
static coverage measure_exchangeable(size_t distribution, size_t rounds)
{
    source s = { .rng = tcsi_rng_make(1, distribution) };
    coverage c = { .endless = 0 };
    for (size_t round = 0; round < rounds; round++) {
        tcsi_conformal conformal;
        double limits[LEVEL_COUNT];
        check(tcsi_conformal_init(&conformal, &(tcsi_conformal_options){ HISTORY, 1, 1 }, NULL));
        for (size_t t = 0; t < HISTORY; t++) tcsi_conformal_push(&conformal, distributions[distribution].draw(&s));
        for (size_t l = 0; l < LEVEL_COUNT; l++) limits[l] = tcsi_conformal_quantile(&conformal, levels[l]);
        for (size_t t = 0; t < HISTORY; t++) {
            const double score = distributions[distribution].draw(&s);
            for (size_t l = 0; l < LEVEL_COUNT; l++) ask(&c, l, score, limits[l], 1 / (double)(rounds * HISTORY));
        }
        tcsi_conformal_deinit(&conformal);
    }
    return c;
}

static void measure_series(size_t kind, uint64_t seed, double weight, coverage c[BAND_COUNT])
{
    source s = { .rng = tcsi_rng_make(seed, kind) };
    tcsi_conformal weighted;
    tcsi_adaptive fixed_step[LEVEL_COUNT], found_step[LEVEL_COUNT];
    static double first[HISTORY];
    double limits[LEVEL_COUNT];
    check(tcsi_conformal_init(&weighted, &(tcsi_conformal_options){ 2 * HISTORY, 0.99, 1 }, NULL));
    for (size_t l = 0; l < LEVEL_COUNT; l++) {
        check(tcsi_adaptive_init(&fixed_step[l], &(tcsi_adaptive_options){ levels[l], 0.02, HISTORY }, NULL));
        check(tcsi_adaptive_init(&found_step[l], &(tcsi_adaptive_options){ levels[l], 0, HISTORY }, NULL));
    }
    for (size_t t = 0; t < ROWS; t++) {
        const double error = series[kind].next(&s, t), share = weight / (ROWS - HISTORY);
        if (t < HISTORY) first[t] = error;
        if (t == HISTORY) {
            tcsi_sort(first, HISTORY);
            for (size_t l = 0; l < LEVEL_COUNT; l++) limits[l] = first[tcsi_rank_covering(HISTORY, levels[l]) - 1];
        }
        for (size_t l = 0; l < LEVEL_COUNT; l++) {
            if (t >= HISTORY) {
                ask(&c[0], l, error, limits[l], share);
                ask(&c[1], l, error, tcsi_conformal_quantile(&weighted, levels[l]), share);
                ask(&c[2], l, error, tcsi_adaptive_radius(&fixed_step[l]), share);
                ask(&c[3], l, error, tcsi_adaptive_radius(&found_step[l]), share);
            }
            tcsi_adaptive_push(&fixed_step[l], error);
            tcsi_adaptive_push(&found_step[l], error);
        }
        tcsi_conformal_push(&weighted, error);
    }
    tcsi_conformal_deinit(&weighted);
    for (size_t l = 0; l < LEVEL_COUNT; l++) {
        tcsi_adaptive_deinit(&fixed_step[l]);
        tcsi_adaptive_deinit(&found_step[l]);
    }
}

/* Blocks of 20 rows of AR(0.9): share with p <= 0.05, of the block itself and of its rows' smallest p-value times 20 effective rows. */
static void measure_blocks(size_t rounds, double *ret_blocks, double *ret_rows)
{
    enum { N = 600, BLOCK = 20 };
    source s = { .rng = tcsi_rng_make(3, 0) };
    static double scores[N];
    size_t block_count = 0, row_count = 0;
    for (size_t round = 0; round < rounds; round++) {
        double p, worst = 0;
        s.state = tcsi_rng_normal(&s.rng);
        for (size_t t = 0; t < N; t++) scores[t] = moved(&s, 0.9);
        check(tcsi_conformal_block_p_value(scores, N, BLOCK, TCSI_BLOCK_MEAN, &p, NULL));
        block_count += p <= 0.05;
        for (size_t t = N - BLOCK; t < N; t++) worst += scores[t] / sqrt(BLOCK); /* as if they were independent: a normal deviate */
        row_count += 0.5 * erfc(worst / sqrt(2)) <= 0.05;
    }
    *ret_blocks = (double)block_count / (double)rounds;
    *ret_rows = (double)row_count / (double)rounds;
}

/* ---- telling ---- */

static void print_row(const char *name, const char *band, const coverage *c)
{
    printf("| %s | %s |", name, band);
    for (size_t l = 0; l < LEVEL_COUNT; l++) printf(" %.2f |", 100 * c->held[l]);
    printf(" %.2f |\n", 100 * c->endless);
    fflush(stdout);
}

/* The largest gap in points over the levels. */
static void tell(tcsi_json_writer *w, const char *name, const char *band, const coverage *c, double target)
{
    char text[96];
    double worst = 0;
    for (size_t l = 0; l < LEVEL_COUNT; l++) worst = fmax(worst, 100 * fabs(c->held[l] - levels[l]));
    print_row(name, band, c);
    snprintf(text, sizeof text, "%s, %s", name, band);
    const figure f = figure_of_cost(text, "points between promised and measured coverage, at worst", worst, 0, NULL, target);
    figure_write(w, &f);
}

static void tell_exchangeable(tcsi_json_writer *w, size_t rounds)
{
    printf("Measured coverage in percent.\n\n| scores | band | 50 | 80 | 90 | 95 | 99 | no end |\n|---|---|---|---|---|---|---|---|\n");
    for (size_t d = 0; d < TCS_COUNT(distributions); d++) {
        const coverage c = measure_exchangeable(d, rounds);
        if (distributions[d].draw == whole) print_row(distributions[d].name, "exchangeable, at least", &c); /* ties hold more, never less */
        else tell(w, distributions[d].name, "exchangeable", &c, 1);
    }
}

static void tell_series(tcsi_json_writer *w, size_t series_count, double drift[BAND_COUNT][LEVEL_COUNT])
{
    size_t drift_count = 0;
    for (size_t k = 0; k < TCS_COUNT(series); k++) drift_count += series[k].drifts;
    for (size_t k = 0; k < TCS_COUNT(series); k++) {
        coverage c[BAND_COUNT] = { { .endless = 0 } };
        for (uint64_t i = 0; i < series_count; i++) measure_series(k, 10 + i, 1 / (double)series_count, c);
        for (size_t b = 0; b < BAND_COUNT; b++) {
            tell(w, series[k].name, bands[b], &c[b], b >= 2 ? 2 : 0);
            for (size_t l = 0; l < LEVEL_COUNT && series[k].drifts; l++) drift[b][l] += c[b].held[l] / (double)drift_count;
        }
    }
}

static void tell_blocks(tcsi_json_writer *w)
{
    double blocks, rows;
    measure_blocks(20000, &blocks, &rows);
    printf("\nBlocks of 20 rows of AR(0.9), promised 5 %% with p <= 0.05: by block permutation %.2f %%, rows taken for independent %.2f %%\n",
           100 * blocks, 100 * rows);
    const figure f = { .name = "blocks of AR(0.9), p <= 0.05", .unit = "share", .ours = blocks, .peer = rows, .peer_name = "rows as independent",
                       .ratio = NAN, .target = 0.06, .ok = blocks <= 0.06 };
    figure_write(w, &f);
}

/* What a row costs, forgetting included: the window holds as many as it can. */
static void tell_cost(tcsi_json_writer *w)
{
    enum { COUNT = 200000 };
    tcsi_adaptive adaptive;
    source s = { .rng = tcsi_rng_make(4, 0) };
    static double errors[COUNT];
    double sink = 0;
    for (size_t t = 0; t < COUNT; t++) errors[t] = normal(&s);
    check(tcsi_adaptive_init(&adaptive, &(tcsi_adaptive_options){ 0.9, 0, 10000 }, NULL));
    const clock_t begin = clock();
    for (size_t t = 0; t < COUNT; t++) {
        sink += fmin(tcsi_adaptive_radius(&adaptive), 9);
        tcsi_adaptive_push(&adaptive, errors[t]);
    }
    const double us = 1e6 * (double)(clock() - begin) / CLOCKS_PER_SEC / COUNT;
    tcsi_adaptive_deinit(&adaptive);
    printf("%.2f us of processor time a row for a band without a step over 10,000 errors (%.0f)\n", us, sink / COUNT);
    const figure f = figure_of_cost("adaptive band, 10,000 errors", "us of processor time a row", us, 0, NULL, 0);
    figure_write(w, &f);
}

static tcs_status draw(const char *path, double drift[BAND_COUNT][LEVEL_COUNT], tcs_error *err)
{
    tcsi_plot_promise promises[BAND_COUNT][LEVEL_COUNT];
    tcsi_plot_curve curves[BAND_COUNT];
    for (size_t b = 0; b < BAND_COUNT; b++) {
        for (size_t l = 0; l < LEVEL_COUNT; l++) promises[b][l] = (tcsi_plot_promise){ levels[l], drift[b][l], 1 };
        curves[b] = (tcsi_plot_curve){ bands[b], promises[b], LEVEL_COUNT };
    }
    return tcsi_plot_promises(curves, BAND_COUNT, "Coverage while errors drift", path, err);
}

int main(int argc, char **argv)
{
    const size_t series_count = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 40;
    if (argc < 2 || series_count == 0) {
        fprintf(stderr, "usage: calibration_bench FILE.json [FILE.png] [SERIES]\n");
        return 2;
    }
    const clock_t begin = clock();
    double drift[BAND_COUNT][LEVEL_COUNT] = { { 0 } };
    tcsi_buffer json;
    tcsi_json_writer w;
    tcs_error err;
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&w, &json, true);
    tcsi_json_begin_array(&w);
    tell_exchangeable(&w, 20 * series_count);
    tell_series(&w, series_count, drift);
    tell_blocks(&w);
    tell_cost(&w);
    printf("%.0f seconds of processor time in all\n", (double)(clock() - begin) / CLOCKS_PER_SEC);
    tcsi_json_end_array(&w);
    tcs_status status = tcsi_json_finish(&w, &err);
    if (status == TCS_OK) status = tcsi_file_write(argv[1], json.data, json.size, &err);
    if (status == TCS_OK && argc > 2) status = draw(argv[2], drift, &err);
    if (status == TCS_E_UNSUPPORTED) status = TCS_OK; /* a build without pictures */
    if (status != TCS_OK) fprintf(stderr, "calibration_bench: %s\n", err.text);
    tcsi_buffer_deinit(&json);
    return status == TCS_OK ? 0 : 1;
}
