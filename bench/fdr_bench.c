/* bench/fdr_bench.c -- is the false-discovery rate kept, and what does keeping it cost?  Simulated fleets of 1,000 series.
 *
 * usage: fdr_bench FILE.json [FLEETS]
 *
 * FLEETS (default 1,000) fleets; in each 1 to 10 % of the series, evenly drawn, hold an event.  Three ways to a p-value:
 *   given  that of a normal deviate, 3 to 6 deviations high where there is an event: right by construction, so that only the method counts
 *   tail   in every TAIL_PART-th fleet, a series' 3,000 scores, half-normal (light) or exponential, ten of them in an event or none, fit
 *          a tail (decide/tail.h) as offline detection does, without knowing which; the highest one's expected count makes the p-value, as
 *          detect --fdr does: what it is really worth
 * Series are independent, or share half of their variance with 19 neighbours.  Stated: 0.1.  Beside the method's true discoveries stand
 * those of one fixed threshold for all fleets, set with hindsight so that its mean share of false ones is the same. */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/rng.h"
#include "decide/fdr.h"
#include "decide/tail.h"
#include "figure.h"

#include <stdio.h>
#include <time.h>

enum { SERIES = 1000, TOGETHER = 20, ROWS = 3000, EVENT_BEGIN = 2000, EVENT_END = 2010, TAIL_PART = 40 };
static const double LEVEL = 0.1;

typedef enum p_way { GIVEN, LIGHT, EXPONENTIAL, WAY_COUNT } p_way;
static const char *const way_names[WAY_COUNT] = { "given", "tail, light", "tail, exponential" };

typedef struct fleets {
    size_t all_count, count; /* asked for, and looked at now */
    p_way way;
    bool dependent;
    double *p;        /* (count,SERIES) */
    bool *is_true;    /* (count,SERIES) */
    bool *discovered; /* (count,SERIES) */
    tcsi_fdr_method method;
} fleets;

/* ---- p-values ---- */

static double mixed(const fleets *f, double shared, tcsi_rng *rng)
{
    const double own = tcsi_rng_normal(rng);
    return f->dependent ? (shared + own) * sqrt(0.5) : own;
}

static double given_p(const fleets *f, double shared, bool is_true, tcsi_rng *rng)
{
    const double z = mixed(f, shared, rng) + (is_true ? tcsi_rng_range(rng, 3, 6) : 0);
    return 0.5 * erfc(z / sqrt(2));
}

/* shared: (ROWS) */
static double tail_p(const fleets *f, const double *shared, bool is_true, tcsi_rng *rng)
{
    double scores[ROWS], highest = 0;
    const double unit = f->way == EXPONENTIAL ? 2.5 : 1, height = is_true ? unit * tcsi_rng_range(rng, 4, 8) : 0;
    tcsi_tail tail;
    for (size_t t = 0; t < ROWS; t++) {
        const double z = fabs(mixed(f, shared[t], rng));
        scores[t] = (f->way == EXPONENTIAL ? -log(erfc(z / sqrt(2))) : z) + (t >= EVENT_BEGIN && t < EVENT_END ? height : 0);
        highest = fmax(highest, scores[t]);
    }
    if (tcsi_tail_fit_scores(scores, ROWS, 1, 1, &tcsi_prior_of_a_whole, &tail, NULL) != TCS_OK) abort();
    const double expected = tcsi_tail_expected_clusters(&tail, highest, ROWS);
    tcsi_tail_deinit(&tail);
    return -expm1(-expected);
}

static void simulate(void *context, size_t fleet, size_t worker)
{
    fleets *f = context;
    tcsi_rng rng = tcsi_rng_make(fleet, 1);
    const double share = tcsi_rng_range(&rng, 0.01, 0.1);
    double shared[ROWS] = { 0 };
    (void)worker;
    for (size_t s = 0; s < SERIES; s++) {
        const size_t at = fleet * SERIES + s, drawn = f->way == GIVEN ? 1 : ROWS;
        if (f->dependent && s % TOGETHER == 0)
            for (size_t t = 0; t < drawn; t++) shared[t] = tcsi_rng_normal(&rng);
        f->is_true[at] = tcsi_rng_uniform(&rng) < share;
        f->p[at] = f->way == GIVEN ? given_p(f, shared[0], f->is_true[at], &rng) : tail_p(f, shared, f->is_true[at], &rng);
    }
}

/* ---- methods ---- */

static void judge(void *context, size_t fleet, size_t worker)
{
    fleets *f = context;
    const double *p = f->p + fleet * SERIES;
    bool *discovered = f->discovered + fleet * SERIES;
    (void)worker;
    if (tcsi_fdr_table[f->method].is_online) {
        tcsi_fdr fdr;
        if (tcsi_fdr_init(&fdr, f->method, LEVEL, NULL) != TCS_OK) abort();
        for (size_t s = 0; s < SERIES; s++) discovered[s] = tcsi_fdr_test(&fdr, p[s]);
        return;
    }
    double values[SERIES], adjusted[SERIES];
    for (size_t s = 0; s < SERIES; s++) values[s] = f->method == TCSI_FDR_E_BH ? 0.5 / sqrt(p[s]) : p[s];
    if (tcsi_fdr_adjust(f->method, values, SERIES, adjusted, NULL) != TCS_OK) abort();
    for (size_t s = 0; s < SERIES; s++) discovered[s] = adjusted[s] <= LEVEL;
}

typedef struct outcome {
    double rate, found, events; /* mean share of false ones; true discoveries and events a fleet */
} outcome;

/* threshold NaN: what the method discovered; otherwise every p-value of at most threshold. */
static outcome count(const fleets *f, double threshold)
{
    outcome out = { 0 };
    for (size_t fleet = 0; fleet < f->count; fleet++) {
        size_t right = 0, wrong = 0, events = 0;
        for (size_t at = fleet * SERIES; at < (fleet + 1) * SERIES; at++) {
            const bool discovered = isnan(threshold) ? f->discovered[at] : f->p[at] <= threshold;
            right += discovered && f->is_true[at];
            wrong += discovered && !f->is_true[at];
            events += f->is_true[at];
        }
        out.rate += wrong > 0 ? (double)wrong / (double)(wrong + right) : 0;
        out.found += (double)right;
        out.events += (double)events;
    }
    out.rate /= (double)f->count;
    out.found /= (double)f->count;
    out.events /= (double)f->count;
    return out;
}

/* The fixed threshold with that rate: the share of false ones grows with it. */
static outcome fixed_threshold(const fleets *f, double rate)
{
    double low = 1e-12, high = 0.5;
    for (int i = 0; i < 40; i++) {
        const double middle = sqrt(low * high);
        if (count(f, middle).rate > rate) high = middle;
        else low = middle;
    }
    return count(f, low);
}

/* ---- telling ---- */

static void tell(tcsi_json_writer *w, fleets *f, tcsi_pool *pool, tcsi_fdr_method method)
{
    char name[96];
    f->method = method;
    tcsi_pool_run(pool, f->count, judge, f);
    const outcome ours = count(f, NAN), fixed = fixed_threshold(f, ours.rate);
    const char *way = way_names[f->way], *between = f->dependent ? "dependent" : "independent", *by = tcsi_fdr_table[method].name;
    const double ratio = fixed.found > 0 ? ours.found / fixed.found : NAN;
    printf("| %s | %s | %s | %.4f | %.2f of %.1f | %.2f | ", way, between, by, ours.rate, ours.found, ours.events, fixed.found);
    if (isnan(ratio)) printf("- |\n");
    else printf("%.2f |\n", ratio);
    fflush(stdout);
    snprintf(name, sizeof name, "%s, %s, %s: realised rate", way, between, by);
    const figure rate = figure_of_cost(name, "share of false discoveries", ours.rate, 0, NULL, LEVEL);
    figure_write(w, &rate);
    snprintf(name, sizeof name, "%s, %s, %s: true discoveries", way, between, by);
    figure_write(w, &(figure){ .name = name, .unit = "a fleet", .ours = ours.found, .peer = fixed.found, .peer_name = "fixed threshold, same rate",
                               .ratio = ratio, .target = 1, .ok = ours.found >= fixed.found });
}

static void tell_fleets(tcsi_json_writer *w, fleets *f, tcsi_pool *pool)
{
    const clock_t begin = clock();
    f->count = f->way == GIVEN ? f->all_count : (f->all_count + TAIL_PART - 1) / TAIL_PART;
    tcsi_pool_run(pool, f->count, simulate, f);
    for (int method = 0; method < TCSI_FDR_METHOD_COUNT; method++) tell(w, f, pool, (tcsi_fdr_method)method);
    fprintf(stderr, "%.0f s of processor time\n", (double)(clock() - begin) / CLOCKS_PER_SEC);
}

int main(int argc, char **argv)
{
    fleets f = { .all_count = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 1000 };
    if (argc < 2 || f.all_count == 0) {
        fprintf(stderr, "usage: fdr_bench FILE.json [FLEETS]\n");
        return 2;
    }
    const clock_t begin = clock();
    tcsi_pool *pool = NULL;
    tcsi_buffer json;
    tcsi_json_writer w;
    tcs_error err = { 0 };
    f.p = TCSI_NEW_ARRAY(double, f.all_count * SERIES);
    f.is_true = TCSI_NEW_ARRAY(bool, f.all_count * SERIES);
    f.discovered = TCSI_NEW_ARRAY(bool, f.all_count * SERIES);
    if (!f.p || !f.is_true || !f.discovered || tcsi_pool_create(0, &pool, &err) != TCS_OK) abort();
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&w, &json, true);
    tcsi_json_begin_array(&w);
    printf("%zu fleets of %d series, 1 to 10 %% with an event; stated %g; with a tail every %dth\n\n", f.all_count, SERIES, LEVEL, TAIL_PART);
    printf("| p-values | series | method | realised rate | true discoveries | fixed threshold at that rate | ratio |\n|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < 2 * WAY_COUNT; i++) {
        f.way = (p_way)(i / 2);
        f.dependent = i % 2;
        tell_fleets(&w, &f, pool);
    }
    printf("\n%.0f seconds of processor time in all\n", (double)(clock() - begin) / CLOCKS_PER_SEC);
    tcsi_json_end_array(&w);
    tcs_status status = tcsi_json_finish(&w, &err);
    if (status == TCS_OK) status = tcsi_file_write(argv[1], json.data, json.size, &err);
    if (status != TCS_OK) fprintf(stderr, "fdr_bench: %s\n", err.text);
    tcsi_buffer_deinit(&json);
    tcsi_pool_destroy(pool);
    tcsi_free(f.p);
    tcsi_free(f.is_true);
    tcsi_free(f.discovered);
    return status == TCS_OK ? 0 : 1;
}
