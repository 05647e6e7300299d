/* bench/calibration_bench.c -- do bands and p-values hold what they promise?  Promised and measured, by distribution and dependence.
 *
 * usage: calibration_bench FILE.json [FILE.png] [SERIES]
 *
 * Exchangeable scores: a quantile of 500 of them is asked about 500 others, again and again.  Dependent ones, and series whose errors drift,
 * jump or breathe: SERIES (default 40) series of 20,000 rows, of which the first 500 are not counted; each row is asked about before it is
 * learned from.  static: the quantile of the first 500 for good.  AgACI: eight levels that follow their misses, whose radii are added up with
 * weights by Bernstein online aggregation (M. Zaffran et al., "Adaptive conformal predictions for time series", ICML 2022), which lives in
 * this file.  adaptive: the one that is used (decide/adaptive.h).  width: the mean radius of 95 %, in those of "static".  local: how far the
 * coverage of 95 % of 250 rows is from it, in points, on average.  Dependence: new rows within a quantile of 500 or 5,000, plain and with
 * the judged row as heavy as those that stand for one independent one.  Expected bands: series/expect.h, with explain/band.h and without.
 * The picture is of the bands under drift. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/rng.h"
#include "decide/adaptive.h"
#include "decide/conformal.h"
#include "decide/effective.h"
#include "explain/band.h"
#include "figure.h"
#include "io/plot.h"
#include "series/expect.h"
#include "series/stats.h"

#include <stdio.h>
#include <time.h>

enum { HISTORY = 500, ROWS = 20000, LEVEL_COUNT = 5, BAND_COUNT = 3, EXPERTS = 8, STRETCH = 250 };
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
static const char *const bands[BAND_COUNT] = { "static", "AgACI", "adaptive" };

/* ---- measuring ---- */

static void check(tcs_status status)
{
    if (status != TCS_OK) abort();
}

/* What a band held at each level; of the one of 95 %, its mean radius, and how far stretches of rows are from it. */
typedef struct coverage {
    double held[LEVEL_COUNT], width, local;
    size_t stretch_held, stretch_count;
} coverage;

static void ask(coverage *c, size_t l, double error, double limit, double share)
{
    c->held[l] += share * (error <= limit);
    if (levels[l] != 0.95) return;
    c->width += share * limit;
    c->stretch_held += error <= limit;
    if (++c->stretch_count < STRETCH) return;
    c->local += share * STRETCH * fabs((double)c->stretch_held / STRETCH - 0.95);
    c->stretch_held = c->stretch_count = 0;
}

/* Share of fresh scores within the quantile of HISTORY others. */
static coverage measure_exchangeable(size_t distribution, size_t rounds)
{
    source s = { .rng = tcsi_rng_make(1, distribution) };
    coverage c = { .width = 0 };
    for (size_t round = 0; round < rounds; round++) {
        tcsi_rank_window window;
        double limits[LEVEL_COUNT];
        check(tcsi_rank_window_init(&window, HISTORY, NULL));
        for (size_t t = 0; t < HISTORY; t++) tcsi_rank_window_push(&window, distributions[distribution].draw(&s));
        for (size_t l = 0; l < LEVEL_COUNT; l++) limits[l] = tcsi_conformal_quantile(&window, levels[l]);
        for (size_t t = 0; t < HISTORY; t++) {
            const double score = distributions[distribution].draw(&s);
            for (size_t l = 0; l < LEVEL_COUNT; l++) ask(&c, l, score, limits[l], 1 / (double)(rounds * HISTORY));
        }
        tcsi_rank_window_deinit(&window);
    }
    return c;
}

/* ---- AgACI ---- */

typedef struct agaci {
    double coverage, levels[EXPERTS], weights[EXPERTS], gained[EXPERTS], squares[EXPERTS], largest[EXPERTS], rates[EXPERTS];
} agaci;

static const double steps[EXPERTS] = { 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128 };

static agaci agaci_of(double level)
{
    agaci a = { .coverage = level };
    for (size_t k = 0; k < EXPERTS; k++) {
        a.levels[k] = 1 - level;
        a.weights[k] = 1.0 / EXPERTS;
    }
    return a;
}

/* Where a level asks for more than was seen, the radius goes on as in decide/adaptive.h. */
static double agaci_radius(const agaci *a, const tcsi_rank_window *errors, double radii[EXPERTS])
{
    const double largest = tcsi_rank_window_quantile(errors, (double)errors->count);
    double given = 0;
    for (size_t k = 0; k < EXPERTS; k++) {
        const double level = a->levels[k], quantile = level > 0 && level < 1 ? tcsi_conformal_quantile(errors, 1 - level) : INFINITY;
        radii[k] = level >= 1 ? 0 : isfinite(quantile) ? quantile : largest * (1 - fmin(level, 0));
        given += a->weights[k] * radii[k];
    }
    return given;
}

/* O. Wintenberger, "Optimal learning with Bernstein online aggregation", Machine Learning 106, 2017: second-order regret with a rate for
 * each expert; the pinball loss is made linear at the radius that was given. */
static void agaci_learn(agaci *a, const double radii[EXPERTS], double given, double error)
{
    const double slope = (error <= given ? 1 : 0) - a->coverage;
    double logs[EXPERTS], best = -INFINITY, sum = 0;
    for (size_t k = 0; k < EXPERTS; k++) {
        const double regret = slope * (given - radii[k]);
        a->gained[k] += regret * (1 - a->rates[k] * regret);
        a->squares[k] += regret * regret;
        a->largest[k] = fmax(a->largest[k], fabs(regret));
        a->rates[k] = a->largest[k] > 0 ? fmin(0.5 / a->largest[k], sqrt(log(EXPERTS) / a->squares[k])) : 0;
        logs[k] = a->largest[k] > 0 ? log(a->rates[k]) + a->rates[k] * a->gained[k] : -1e300;
        best = fmax(best, logs[k]);
        a->levels[k] += steps[k] * (1 - a->coverage - (error > radii[k] ? 1 : 0));
    }
    for (size_t k = 0; k < EXPERTS; k++) sum += a->weights[k] = exp(logs[k] - best);
    for (size_t k = 0; k < EXPERTS; k++) a->weights[k] /= sum;
}

static void measure_series(size_t kind, uint64_t seed, double weight, coverage c[BAND_COUNT])
{
    source s = { .rng = tcsi_rng_make(seed, kind) };
    tcsi_adaptive used[LEVEL_COUNT];
    agaci other[LEVEL_COUNT];
    static double first[HISTORY];
    double limits[LEVEL_COUNT];
    for (size_t l = 0; l < LEVEL_COUNT; l++) {
        other[l] = agaci_of(levels[l]);
        check(tcsi_adaptive_init(&used[l], &(tcsi_adaptive_options){ levels[l], HISTORY }, NULL));
    }
    for (size_t t = 0; t < ROWS; t++) {
        const double error = series[kind].next(&s, t), share = weight / (ROWS - HISTORY);
        if (t < HISTORY) first[t] = error;
        if (t == HISTORY) {
            tcsi_sort(first, HISTORY);
            for (size_t l = 0; l < LEVEL_COUNT; l++) limits[l] = first[tcsi_rank_covering(HISTORY, levels[l]) - 1];
        }
        for (size_t l = 0; l < LEVEL_COUNT; l++) {
            double radii[EXPERTS];
            const double given = t > 0 ? agaci_radius(&other[l], &used[l].errors, radii) : INFINITY;
            if (t >= HISTORY) {
                ask(&c[0], l, error, limits[l], share);
                ask(&c[1], l, error, given, share);
                ask(&c[2], l, error, tcsi_adaptive_radius(&used[l]), share);
            }
            if (t > 0) agaci_learn(&other[l], radii, given, error);
            tcsi_adaptive_push(&used[l], error);
        }
    }
    for (size_t l = 0; l < LEVEL_COUNT; l++) tcsi_adaptive_deinit(&used[l]);
}

/* ---- dependence ---- */

/* New rows of AR(memory) within the quantiles of `count` others, plain and corrected; and the share of corrected ones without an end. */
static void measure_dependence(double memory, size_t count, size_t rounds, double held[LEVEL_COUNT], double corrected[LEVEL_COUNT],
                               double endless[LEVEL_COUNT], double *ret_effective)
{
    enum { COUNT_MAX = 5000, NEW = 2000 };
    static double scores[COUNT_MAX];
    *ret_effective = 0;
    for (size_t round = 0; round < rounds; round++) {
        source s = { .rng = tcsi_rng_make(20 + round, count) };
        double effective, limits[2][LEVEL_COUNT];
        s.state = tcsi_rng_normal(&s.rng);
        for (size_t t = 0; t < count; t++) scores[t] = fabs(moved(&s, memory));
        check(tcsi_effective_count(scores, count, &effective, NULL));
        *ret_effective += effective / (double)rounds;
        tcsi_sort(scores, count);
        for (size_t l = 0; l < LEVEL_COUNT; l++)
            for (int k = 0; k < 2; k++) {
                const double own = k == 0 ? 1 : (double)count / effective, rank = ceil(levels[l] * ((double)count + own) * (1 - 1e-13));
                limits[k][l] = rank <= (double)count ? scores[(size_t)rank - 1] : INFINITY;
                if (k == 1) endless[l] += (double)isinf(limits[k][l]) / (double)rounds;
            }
        for (size_t t = 0; t < NEW; t++) {
            const double score = fabs(moved(&s, memory));
            for (size_t l = 0; l < LEVEL_COUNT; l++) {
                held[l] += (score <= limits[0][l]) / (double)(rounds * NEW);
                corrected[l] += (score <= limits[1][l]) / (double)(rounds * NEW);
            }
        }
    }
}

/* ---- expected bands ---- */

/* Rows of a channel whose errors are those of a series, of either sign, in the band of 99 %; plain, and as it is drawn. */
static void measure_expected(size_t kind, size_t rounds, coverage c[2])
{
    enum { COUNT = 16384, BEGIN = 1000, PIECE = 500 };
    static double values[COUNT], expected[COUNT], low[2][COUNT], high[2][COUNT];
    for (size_t round = 0; round < rounds; round++) {
        source s = { .rng = tcsi_rng_make(50 + round, kind) };
        for (size_t t = 0; t < COUNT; t++) {
            values[t] = series[kind].next(&s, t);
            if (series[kind].drifts) values[t] *= tcsi_rng_uniform(&s.rng) < 0.5 ? -1 : 1;
            else values[t] = s.state;
        }
        check(tcsi_expect(values, COUNT, 0, expected, low[0], high[0], NULL, NULL));
        for (size_t t = 0; t < COUNT; t++) {
            low[1][t] = low[0][t];
            high[1][t] = high[0][t];
        }
        check(tcsi_band_adapt(values, COUNT, 0, expected, low[1], high[1], NULL));
        for (int k = 0; k < 2; k++) {
            size_t held = 0;
            for (size_t t = BEGIN; t < COUNT; t++) {
                const double share = 1 / (double)(rounds * (COUNT - BEGIN));
                held += values[t] >= low[k][t] && values[t] <= high[k][t];
                c[k].held[0] += share * (values[t] >= low[k][t] && values[t] <= high[k][t]);
                c[k].width += share * (high[k][t] - low[k][t]);
                if ((t - BEGIN) % PIECE != PIECE - 1) continue;
                c[k].local += share * PIECE * fabs((double)held / PIECE - 0.99);
                held = 0;
            }
        }
    }
}

/* ---- telling ---- */

/* width: what that of the band is compared with; 0: nothing. */
static void print_row(const char *name, const char *band, const coverage *c, double width)
{
    printf("| %s | %s |", name, band);
    for (size_t l = 0; l < LEVEL_COUNT; l++) printf(" %.2f |", 100 * c->held[l]);
    if (width > 0) printf(" %.2f | %.2f |\n", c->width / width, 100 * c->local);
    else printf(" | |\n");
    fflush(stdout);
}

/* The largest gap in points over the levels. */
static void tell(tcsi_json_writer *w, const char *name, const char *band, const coverage *c, double target, double width)
{
    char text[96];
    double worst = 0;
    for (size_t l = 0; l < LEVEL_COUNT; l++) worst = fmax(worst, 100 * fabs(c->held[l] - levels[l]));
    print_row(name, band, c, width);
    snprintf(text, sizeof text, "%s, %s", name, band);
    const figure f = figure_of_cost(text, "points between promised and measured coverage, at worst", worst, 0, NULL, target);
    figure_write(w, &f);
}

static void tell_exchangeable(tcsi_json_writer *w, size_t rounds)
{
    printf("Measured coverage in percent.\n\n| scores | band | 50 | 80 | 90 | 95 | 99 | width | local |\n|---|---|---|---|---|---|---|---|---|\n");
    for (size_t d = 0; d < TCS_COUNT(distributions); d++) {
        const coverage c = measure_exchangeable(d, rounds);
        if (distributions[d].draw == whole) print_row(distributions[d].name, "exchangeable, at least", &c, 0); /* ties hold more, never less */
        else tell(w, distributions[d].name, "exchangeable", &c, 1, 0);
    }
}

static void tell_series(tcsi_json_writer *w, size_t series_count, double drift[BAND_COUNT][LEVEL_COUNT])
{
    size_t drift_count = 0;
    for (size_t k = 0; k < TCS_COUNT(series); k++) drift_count += series[k].drifts;
    for (size_t k = 0; k < TCS_COUNT(series); k++) {
        coverage c[BAND_COUNT] = { { .width = 0 } };
        for (uint64_t i = 0; i < series_count; i++) measure_series(k, 10 + i, 1 / (double)series_count, c);
        for (size_t b = 0; b < BAND_COUNT; b++) {
            tell(w, series[k].name, bands[b], &c[b], b == 2 ? 1 : 0, c[0].width);
            for (size_t l = 0; l < LEVEL_COUNT && series[k].drifts; l++) drift[b][l] += c[b].held[l] / (double)drift_count;
        }
    }
}

static void tell_dependence(tcsi_json_writer *w, size_t rounds)
{
    static const double memories[] = { 0.9, 0.99 };
    static const size_t counts[] = { 500, 5000 };
    printf("\n| rows | of | count as | 95: plain | corrected | without an end | 99: plain | corrected | without an end |\n"
           "|---|---|---|---|---|---|---|---|---|\n");
    for (size_t m = 0; m < TCS_COUNT(memories); m++)
        for (size_t k = 0; k < TCS_COUNT(counts); k++) {
            double held[LEVEL_COUNT] = { 0 }, corrected[LEVEL_COUNT] = { 0 }, endless[LEVEL_COUNT] = { 0 }, effective;
            char name[64];
            measure_dependence(memories[m], counts[k], rounds, held, corrected, endless, &effective);
            printf("| %zu | AR(%g) | %.0f | %.2f | %.2f | %.0f %% | %.2f | %.2f | %.0f %% |\n", counts[k], memories[m], effective,
                   100 * held[3], 100 * corrected[3], 100 * endless[3], 100 * held[4], 100 * corrected[4], 100 * endless[4]);
            snprintf(name, sizeof name, "%zu rows of AR(%g), 99 %% of a rank", counts[k], memories[m]);
            const figure f = figure_of_cost(name, "points between promised and measured coverage", 100 * fabs(held[4] - 0.99), 0, NULL, 0);
            figure_write(w, &f);
        }
}

static void tell_expected(tcsi_json_writer *w, size_t rounds)
{
    printf("\n| channel | band | 99 | width | local |\n|---|---|---|---|---|\n");
    for (size_t k = 0; k < TCS_COUNT(series); k++) {
        coverage c[2] = { { .width = 0 } };
        measure_expected(k, rounds, c);
        for (int b = 0; b < 2; b++)
            printf("| %s | %s | %.2f | %.2f | %.2f |\n", series[k].name, b ? "followed" : "plain", 100 * c[b].held[0], c[b].width / c[0].width,
                   100 * c[b].local);
        const figure f = figure_of_cost(series[k].name, "points between 99 and the coverage of 500 rows of an expected band", 100 * c[1].local,
                                        100 * c[0].local, "plain", 0);
        figure_write(w, &f);
    }
}

/* What a row costs with a window as large as bands have. */
static void tell_cost(tcsi_json_writer *w)
{
    enum { COUNT = 200000 };
    tcsi_adaptive adaptive;
    source s = { .rng = tcsi_rng_make(4, 0) };
    static double errors[COUNT];
    double sink = 0;
    for (size_t t = 0; t < COUNT; t++) errors[t] = normal(&s);
    check(tcsi_adaptive_init(&adaptive, &(tcsi_adaptive_options){ 0.9, 10000 }, NULL));
    const clock_t begin = clock();
    for (size_t t = 0; t < COUNT; t++) {
        sink += fmin(tcsi_adaptive_radius(&adaptive), 9);
        tcsi_adaptive_push(&adaptive, errors[t]);
    }
    const double us = 1e6 * (double)(clock() - begin) / CLOCKS_PER_SEC / COUNT;
    tcsi_adaptive_deinit(&adaptive);
    printf("%.2f us of processor time a row for a band over 10,000 errors (%.0f)\n", us, sink / COUNT);
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
    tell_dependence(&w, 5 * series_count);
    tell_expected(&w, (series_count + 1) / 2);
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
