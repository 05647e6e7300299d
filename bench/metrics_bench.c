/* bench/metrics_bench.c -- milliseconds to measure a scored, labelled series on one core.
 *
 * usage: metrics_bench [OUTPUT.json]      writes the table to standard output and the same as JSON
 * Each case is a random series: scores with some signal in noise, events of 1 to 200 rows over about 2 % of the rows.  The
 * peer of VUS is the sweep of thresholds over whole arrays of tests/support/vus_reference.h, at sizes where it ends; both
 * must agree to 1e-9, or the program fails; a slow figure never fails it.  Figures are the median
 * of several runs, in processor time: everything here runs on one thread, and other programs may be busy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "metrics/measures.h"
#include "metrics/nab.h"
#include "metrics/vus.h"

#include "../tests/support/vus_reference.h"

#include <stdio.h>
#include <time.h>

enum { REPEAT_COUNT = 7, ROW_COUNT_MAX = 1000000 };

typedef enum job { JOB_RANKING, JOB_VUS, JOB_ALL, JOB_NAB } job;

typedef struct bench_case {
    const char *name;
    job job;
    size_t row_count, window;
    bool crowded;     /* an event in every 30 rows instead of 2 % of the rows */
    bool has_peer;
    double target_ms; /* 0: none */
} bench_case;

static const bench_case cases[] = {
    { "VUS, 1k rows, window 100", JOB_VUS, 1000, 100, false, true, 0 },
    { "VUS, 5k rows, window 125", JOB_VUS, 5000, 125, false, true, 0 },
    { "VUS, 5k rows, crowded, window 125", JOB_VUS, 5000, 125, true, true, 0 },
    { "VUS, 10k rows, window 125", JOB_VUS, 10000, 125, false, false, 10 },
    { "VUS, 100k rows, window 125", JOB_VUS, 100000, 125, false, false, 50 },
    { "VUS, 100k rows, window 300", JOB_VUS, 100000, 300, false, false, 50 },
    { "VUS, 100k rows, crowded, window 300", JOB_VUS, 100000, 300, true, false, 50 },
    { "VUS, 1M rows, window 125", JOB_VUS, 1000000, 125, false, false, 500 },
    { "ranking alone, 100k rows", JOB_RANKING, 100000, 0, false, false, 0 },
    { "ranking alone, 1M rows", JOB_RANKING, 1000000, 0, false, false, 0 },
    { "all measures, 10k rows, window 125", JOB_ALL, 10000, 125, false, false, 0 },
    { "all measures, 100k rows, window 125", JOB_ALL, 100000, 125, false, false, 100 },
    { "all measures, 1M rows, window 125", JOB_ALL, 1000000, 125, false, false, 0 },
    { "NAB sweep, 365k rows, three profiles", JOB_NAB, 365000, 0, false, false, 0 },
};

typedef struct series {
    double scores[ROW_COUNT_MAX];
    uint8_t labels[ROW_COUNT_MAX];
} series;

typedef struct outcome {
    double ours_ms, peer_ms; /* peer: 0 = not run */
    tcsi_vus vus;
} outcome;

static double processor_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void make(const bench_case *c, series *s)
{
    tcsi_rng rng = tcsi_rng_make(1, c->row_count);
    size_t left = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        if (left == 0 && tcsi_rng_uniform(&rng) < (c->crowded ? 1.0 / 30.0 : 2e-4)) left = 1 + tcsi_rng_below(&rng, c->crowded ? 5 : 200);
        s->labels[i] = left > 0;
        s->scores[i] = tcsi_rng_normal(&rng) + (left > 0 ? 1.5 : 0.0);
        if (left > 0) left--;
    }
    s->labels[c->row_count / 2] = 1;
}

static tcs_status run_nab(const series *s, size_t row_count, tcs_error *err)
{
    tcsi_span_list windows = { 0 };
    tcsi_nab_result results[TCSI_NAB_PROFILE_COUNT];
    tcs_status status = tcsi_span_list_from_flags(s->labels, row_count, &windows, err);
    tcsi_nab_file file = { s->scores, row_count, windows.spans, windows.count };
    if (status == TCS_OK) status = tcsi_nab_sweep_all(&file, 1, results, err);
    tcsi_span_list_deinit(&windows);
    return status;
}

static tcs_status run_once(const bench_case *c, const series *s, tcsi_vus *ret_vus, tcs_error *err)
{
    tcsi_measures measures;
    tcsi_measures_options options = tcsi_measures_options_default();
    tcsi_ranking ranking = { 0 };
    options.window = c->window;
    tcs_status status = TCS_OK;
    switch (c->job) {
    case JOB_RANKING:
        status = tcsi_ranking_init(s->scores, c->row_count, &ranking, err);
        tcsi_ranking_deinit(&ranking);
        return status;
    case JOB_VUS: return tcsi_vus_of_scores(s->scores, s->labels, c->row_count, c->window, ret_vus, err);
    case JOB_ALL: return tcsi_measures_compute(s->scores, s->labels, c->row_count, &options, &measures, err);
    case JOB_NAB: return run_nab(s, c->row_count, err);
    }
    return status;
}

static int ascending(const void *a, const void *b)
{
    return -vus_reference_descending(a, b);
}

static tcs_status measure(const bench_case *c, series *s, outcome *ret_outcome, tcs_error *err)
{
    double times[REPEAT_COUNT];
    outcome now = { 0 };
    make(c, s);
    for (size_t i = 0; i < REPEAT_COUNT; i++) {
        double begin = processor_ms();
        tcs_status status = run_once(c, s, &now.vus, err);
        if (status != TCS_OK) return status;
        times[i] = processor_ms() - begin;
    }
    qsort(times, REPEAT_COUNT, sizeof *times, ascending);
    now.ours_ms = times[REPEAT_COUNT / 2];
    if (c->has_peer) {
        double begin = processor_ms();
        tcsi_vus slow = vus_reference(s->scores, s->labels, c->row_count, c->window);
        now.peer_ms = processor_ms() - begin;
        if (!(fabs(slow.pr - now.vus.pr) <= 1e-9 && fabs(slow.roc - now.vus.roc) <= 1e-9))
            return tcsi_fail(err, TCS_E_INVALID, "%s: %.17g and %.17g, the reference says %.17g and %.17g", c->name, now.vus.pr,
                             now.vus.roc, slow.pr, slow.roc);
    }
    *ret_outcome = now;
    return TCS_OK;
}

static void write_row(const bench_case *c, const outcome *o, tcsi_json_writer *writer)
{
    printf("%-38s %10.3f ms", c->name, o->ours_ms);
    if (c->has_peer) printf("   sweep of thresholds %10.1f ms   %7.0f x", o->peer_ms, o->peer_ms / o->ours_ms);
    if (c->target_ms > 0.0) printf("   target %g ms%s", c->target_ms, o->ours_ms <= c->target_ms ? "" : "  MISSED");
    printf("\n");
    const figure row = figure_of_cost(c->name, "ms", o->ours_ms, c->has_peer ? o->peer_ms : 0, "sweep of thresholds", c->target_ms);
    figure_write(writer, &row);
}

static tcs_status run_all(series *s, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, true);
    tcsi_json_begin_array(&writer);
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        outcome now = { 0 };
        tcs_status status = measure(&cases[i], s, &now, err);
        if (status != TCS_OK) return status;
        write_row(&cases[i], &now, &writer);
    }
    tcsi_json_end_array(&writer);
    return tcsi_json_finish(&writer, err);
}

int main(int argc, char **argv)
{
    tcs_error err = { 0 };
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    series *s = TCSI_NEW(series);
    tcs_status status = s ? run_all(s, &out, &err) : tcsi_fail_memory(&err, "a series");
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], out.data, out.size, &err);
    if (status != TCS_OK) fprintf(stderr, "metrics_bench: %s\n", err.text);
    tcsi_buffer_deinit(&out);
    tcsi_free(s);
    return status == TCS_OK ? 0 : 1;
}
