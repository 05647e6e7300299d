/* bench/detect_fast_bench.c -- nanoseconds a row and bytes a series of every streaming detector in src/detect/fast.
 *
 * usage: detect_fast_bench [OUTPUT.json]    writes the table to standard output and the same as JSON
 * Rows are pushed one by one, as a live stream would.  Each repetition runs every case once, so that a busy moment of the
 * machine falls on all; figures are medians over repetitions, in processor time.  "many series" pushes row by row into
 * a thousand instances in turn, out of the first-level cache.
 * With TOCSIN_BENCH_PYTHON=/path/to/python (that has River), River's HalfSpaceTrees scores the same rows in the same run;
 * both must rank the outliers that were put in (areas under the ROC curve at most 0.05 apart), or the program fails.
 * A slow figure never fails it.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "detect/registry.h"
#include "figure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPEAT_COUNT = 5, CHANNEL_COUNT_MAX = 8, ROW_COUNT_MAX = 100000, SERIES_COUNT = 1000, PEER_ROW_COUNT = 20000, OUTLIER_ROWS = 500 };

typedef struct bench_case {
    const char *detector;
    size_t channel_count, row_count, series_count;
    double target_ns; /* 0: none */
    bool has_peer;
} bench_case;

static const bench_case cases[] = {
    { "welford", 1, 100000, 1, 300, false },
    { "ewma", 1, 100000, 1, 300, false },
    { "holt_winters", 1, 100000, 1, 300, false },
    { "cusum", 1, 100000, 1, 300, false },
    { "page_hinkley", 1, 100000, 1, 300, false },
    { "spot", 1, 100000, 1, 300, false },
    { "dspot", 1, 100000, 1, 300, false },
    { "value_gap", 1, 100000, 1, 100, false },
    { "value_gap", 1, 100000, SERIES_COUNT, 100, false },
    { "absence", 1, 100000, 1, 300, false },
    { "pca_stream", 1, 100000, 1, 300, false },
    { "pca_stream", 8, 20000, 1, 0, false },
    { "half_space_trees", 1, 100000, 1, 300, false },
    { "half_space_trees", 3, PEER_ROW_COUNT, 1, 0, true },
    { "rrcf", 1, 100000, 1, 300, false },
    { "rrcf", 3, 20000, 1, 0, false },
};

typedef struct outcome {
    double ns;      /* a row, median */
    size_t size;    /* bytes a series, as declared */
    double area;    /* under the ROC curve of the outliers put in */
    double peer_ns; /* NAN: not run */
} outcome;

static double processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Waves and noise of a linear congruential generator, the same in C and in the Python below; every 500th row an outlier. */
static void make_rows(double *rows, size_t row_count, size_t channel_count)
{
    uint32_t noise = 1;
    for (size_t t = 0; t < row_count; t++)
        for (size_t c = 0; c < channel_count; c++) {
            noise = (noise * 1103515245u + 12345u) & 0x7fffffffu;
            double outlier = t % OUTLIER_ROWS == OUTLIER_ROWS - 1 ? 2.0 : 0.0;
            rows[t * channel_count + c] = sin(0.05 * (double)t + (double)c) + noise / 2147483648.0 - 0.5 + outlier;
        }
}

static const char river_script[] =
    "import math, time\n"
    "from river.anomaly import HalfSpaceTrees\n"
    "rows, noise = [], 1\n"
    "for t in range(%d):\n"
    "    row = {}\n"
    "    for c in range(%d):\n"
    "        noise = (noise * 1103515245 + 12345) & 0x7fffffff\n"
    "        row[c] = math.sin(0.05 * t + c) + noise / 2147483648.0 - 0.5 + (2.0 if t %% %d == %d else 0.0)\n"
    "    rows.append(row)\n"
    "first = rows[:250]\n"
    "limits = {c: (min(r[c] for r in first), max(r[c] for r in first)) for c in first[0]}\n"
    "trees = HalfSpaceTrees(n_trees=10, height=8, window_size=250, limits=limits, seed=1)\n"
    "begin, scores = time.process_time(), []\n"
    "for row in rows:\n"
    "    scores.append(trees.score_one(row))\n"
    "    trees.learn_one(row)\n"
    "ns = (time.process_time() - begin) / len(rows) * 1e9\n"
    "order = sorted(range(250, len(rows)), key=lambda t: scores[t])\n"
    "out = [i + 1 for i, t in enumerate(order) if t %% %d == %d]\n"
    "n, m = len(out), len(order) - len(out)\n"
    "print(ns, (sum(out) - n * (n + 1) / 2) / (n * m))\n";

/* Nanoseconds a row and area of River's trees on the same rows; false when there is no Python to ask. */
static bool run_river(size_t row_count, size_t channel_count, double *ret_ns, double *ret_area)
{
    const char *python = getenv("TOCSIN_BENCH_PYTHON");
    char script[2048], command[4096];
    if (!python) return false;
    snprintf(script, sizeof script, river_script, (int)row_count, (int)channel_count, OUTLIER_ROWS, OUTLIER_ROWS - 1, OUTLIER_ROWS,
             OUTLIER_ROWS - 1);
    snprintf(command, sizeof command, "'%s' -c '%s'", python, script);
    FILE *pipe = popen(command, "r");
    if (!pipe) return false;
    bool found = fscanf(pipe, "%lf %lf", ret_ns, ret_area) == 2;
    return pclose(pipe) == 0 && found;
}

typedef struct ranked {
    double score;
    bool is_outlier;
} ranked;

static int by_score(const void *a, const void *b)
{
    double x = ((const ranked *)a)->score, y = ((const ranked *)b)->score;
    return (x > y) - (x < y);
}

/* Area under the ROC curve over READY rows; equal scores share their ranks. */
static double area_of(const tcs_score *scores, size_t row_count, ranked *scratch)
{
    size_t count = 0, outlier_count = 0;
    double rank_sum = 0;
    for (size_t t = 0; t < row_count; t++)
        if (scores[t].state == TCS_SCORE_READY) scratch[count++] = (ranked){ scores[t].value, t % OUTLIER_ROWS == OUTLIER_ROWS - 1 };
    qsort(scratch, count, sizeof *scratch, by_score);
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin; end < count && scratch[end].score == scratch[begin].score; end++) continue;
        for (size_t i = begin; i < end; i++) {
            outlier_count += scratch[i].is_outlier;
            rank_sum += scratch[i].is_outlier ? 0.5 * (double)(begin + 1 + end) : 0;
        }
    }
    double n = (double)outlier_count, m = (double)(count - outlier_count);
    return n > 0 && m > 0 ? (rank_sum - n * (n + 1) / 2) / (n * m) : NAN;
}

typedef struct work {
    double rows[ROW_COUNT_MAX * CHANNEL_COUNT_MAX];
    tcs_score scores[ROW_COUNT_MAX];
    ranked scratch[ROW_COUNT_MAX];
    tcsi_detector *detectors[SERIES_COUNT];
} work;

/* One series: row after row.  Many: each row goes to the next series in turn, so that each gets its share of the rows. */
static double push_rows(const bench_case *c, work *w)
{
    double begin = processor_ns();
    for (size_t t = 0; t < c->row_count; t++) {
        tcsi_row row = { .sequence = t / c->series_count, .values = &w->rows[t * c->channel_count] };
        tcsi_detector_push(w->detectors[t % c->series_count], &row, &w->scores[t]);
    }
    return (processor_ns() - begin) / (double)c->row_count;
}

static tcs_status run_once(const bench_case *c, work *w, double *ret_ns, outcome *o, tcs_error *err)
{
    const tcsi_detector_info *info;
    tcsi_detector_setup setup = { .channel_count = c->channel_count, .seed = 1 };
    size_t made = 0;
    tcs_status status = tcsi_registry_get(c->detector, &info, err);
    make_rows(w->rows, c->row_count, c->channel_count);
    for (; status == TCS_OK && made < c->series_count; made += status == TCS_OK)
        status = tcsi_detector_create(info, &setup, &w->detectors[made], err);
    if (status == TCS_OK) {
        (void)push_rows(c, w); /* past the warm-up */
        *ret_ns = push_rows(c, w);
        o->size = tcsi_detector_size_max(w->detectors[0], 0);
        if (c->has_peer) {
            tcsi_detector_reset(w->detectors[0]);
            (void)push_rows(c, w);
            o->area = area_of(w->scores, c->row_count, w->scratch);
        }
    }
    for (size_t i = 0; i < made; i++) tcsi_detector_destroy(w->detectors[i]);
    return status;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void write_json(const bench_case *c, const char *name, const outcome *o, tcsi_json_writer *writer)
{
    const figure row = figure_of_cost(name, "ns per row", o->ns, isnan(o->peer_ns) ? 0 : o->peer_ns, "River HalfSpaceTrees", c->target_ns);
    figure_begin(writer, &row);
    tcsi_json_key(writer, "bytes_per_series");
    tcsi_json_integer(writer, (int64_t)o->size);
    tcsi_json_end_object(writer);
}

static void write_row(const bench_case *c, const outcome *o, tcsi_json_writer *writer)
{
    char name[96];
    snprintf(name, sizeof name, "%s, %zu channel%s%s", c->detector, c->channel_count, c->channel_count > 1 ? "s" : "",
             c->series_count > 1 ? ", many series" : "");
    printf("%-38s %10.1f ns/row %10zu bytes", name, o->ns, o->size);
    if (c->target_ns > 0) printf("   target %g%s", c->target_ns, o->ns <= c->target_ns ? "" : "  MISSED");
    if (c->has_peer && isnan(o->peer_ns)) printf("   River: not run (set TOCSIN_BENCH_PYTHON to a Python that has it)");
    if (!isnan(o->peer_ns))
        printf("   %.0f rows/s, River %.0f rows/s: %.0f x", 1e9 / o->ns, 1e9 / o->peer_ns, o->peer_ns / o->ns);
    printf("\n");
    write_json(c, name, o, writer);
}

static tcs_status ask_peer(const bench_case *c, outcome *o, tcs_error *err)
{
    double area = 0;
    o->peer_ns = NAN;
    if (!c->has_peer || !run_river(c->row_count, c->channel_count, &o->peer_ns, &area)) return TCS_OK;
    if (fabs(area - o->area) <= 0.05) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%s: area under ROC %.3f, River's %.3f: the two do not find the same", c->detector, o->area, area);
}

static tcs_status run_all(work *w, tcsi_buffer *out, tcs_error *err)
{
    double ns[TCS_COUNT(cases)][REPEAT_COUNT];
    outcome outcomes[TCS_COUNT(cases)] = { 0 };
    tcsi_json_writer writer;
    tcs_status status = TCS_OK;
    for (size_t repeat = 0; repeat < REPEAT_COUNT; repeat++)
        for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++)
            status = run_once(&cases[i], w, &ns[i][repeat], &outcomes[i], err);
    tcsi_json_writer_init(&writer, out, true);
    tcsi_json_begin_array(&writer);
    for (size_t i = 0; i < TCS_COUNT(cases) && status == TCS_OK; i++) {
        qsort(ns[i], REPEAT_COUNT, sizeof ns[i][0], ascending);
        outcomes[i].ns = ns[i][REPEAT_COUNT / 2];
        status = ask_peer(&cases[i], &outcomes[i], err);
        if (status == TCS_OK) write_row(&cases[i], &outcomes[i], &writer);
    }
    if (status != TCS_OK) return status;
    tcsi_json_end_array(&writer);
    return tcsi_json_finish(&writer, err);
}

int main(int argc, char **argv)
{
    tcs_error err = { 0 };
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    work *w = TCSI_NEW(work);
    tcs_status status = w ? run_all(w, &out, &err) : tcsi_fail_memory(&err, "rows");
    if (status == TCS_OK && argc > 1) status = tcsi_file_write(argv[1], out.data, out.size, &err);
    if (status != TCS_OK) fprintf(stderr, "detect_fast_bench: %s\n", err.text);
    tcsi_buffer_deinit(&out);
    tcsi_free(w);
    return status == TCS_OK ? 0 : 1;
}
