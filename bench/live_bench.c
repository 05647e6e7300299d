/* bench/live_bench.c -- the fast layer of the live service: nanoseconds of processor time a row, and bytes a series.
 *
 * usage: live_bench [OUTPUT.json]     prints a table; TOCSIN_BENCH_PYTHON names a python that has River and scikit-learn, else no peers run
 * A row is pushed into a cell as a worker does it: arrival, chart, cohort, episode.  Series take turns, so that with a hundred thousand of
 * them no row finds its series in the cache.  Medians over rounds.
 * What a user would otherwise do in Python sees the same rows (100 series of 200, values of an autoregressive process, spikes in one of a
 * hundred), in turn with ours in the same run: River's half-space trees, one a series, row by row; scikit-learn's isolation forest, fitted
 * once on the first half of all series, then given the rows of a moment at once, which is its cheapest way.
 * Areas under the ROC curve of the spikes are told for each side; ours may not be more than 0.05 below a peer's, or the program fails.  A
 * slow figure never does.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "figure.h"
#include "metrics/curve.h"
#include "peer.h"
#include "serve/shard/cell.h"

#include <stdio.h>
#include <time.h>

enum { PEER_SERIES = 100, PEER_ROWS = 200, PEER_BEGIN = PEER_ROWS / 2, ROUND_COUNT = 7, PEER_ROUNDS = 3 };
static const int64_t STEP_NS = INT64_C(1000000000), START_NS = INT64_C(1700000000000000000);

static double processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count ? values[count / 2] : NAN;
}

/* ---- rows ---- */

typedef struct rows {
    size_t series_count, row_count;
    double *values;         /* (row_count, series_count) */
    unsigned char *labels;  /* likewise: a spike */
} rows;

static tcs_status rows_make(rows *r, size_t series_count, size_t row_count, tcs_error *err)
{
    *r = (rows){ series_count, row_count, TCSI_NEW_ARRAY(double, series_count * row_count),
                 TCSI_NEW_ARRAY(unsigned char, series_count * row_count) };
    if (!r->values || !r->labels) return tcsi_fail_memory(err, "rows");
    for (size_t s = 0; s < series_count; s++) {
        tcsi_rng rng = tcsi_rng_make(s + 1, 0);
        double at = 0;
        for (size_t t = 0; t < row_count; t++) {
            const bool is_spike = t >= row_count / 2 && tcsi_rng_below(&rng, 100) == 0;
            at = 0.6 * at + tcsi_rng_normal(&rng);
            r->values[t * series_count + s] = 50 + (double)(s % 7) + at + (is_spike ? 8 : 0);
            r->labels[t * series_count + s] = is_spike;
        }
    }
    return TCS_OK;
}

static void rows_free(rows *r)
{
    tcsi_free(r->values);
    tcsi_free(r->labels);
}

/* ---- ours ---- */

/* All rows through one cell; scores may be NULL.  *ret_ns: a row. */
static tcs_status run_cell(const rows *r, double *scores, double *ret_ns, tcs_error *err)
{
    tcsi_cell cell;
    const tcsi_cell_options options = { .rate = 1e-6, .arrival = tcsi_arrival_limits_default(), .series_count_max = r->series_count };
    tcs_status status = tcsi_cell_init(&cell, &options, err);
    for (uint32_t s = 0, place; status == TCS_OK && s < r->series_count; s++)
        status = tcsi_cell_add(&cell, s, TCSI_SERIES_GAUGE, &place, err);
    const double begin = processor_ns();
    for (size_t t = 0; status == TCS_OK && t < r->row_count; t++) {
        const int64_t time_ns = START_NS + (int64_t)t * STEP_NS;
        for (uint32_t s = 0; status == TCS_OK && s < r->series_count; s++) {
            tcsi_live_outcome outcome;
            if (s + 8 < r->series_count) { /* as a worker does */
                const char *later = (const char *)tcsi_cell_series(&cell, s + 8);
                for (size_t line = 0; line < sizeof(tcsi_live_series); line += 64) __builtin_prefetch(later + line, 1);
            }
            const tcsi_live_row row = { s, time_ns, r->values[t * r->series_count + s] };
            status = tcsi_cell_push(&cell, &row, t + 1, time_ns, &outcome, err);
            if (scores) scores[t * r->series_count + s] = outcome.is_scored ? outcome.score : 0;
        }
    }
    *ret_ns = (processor_ns() - begin) / (double)(r->series_count * r->row_count);
    tcsi_cell_deinit(&cell);
    return status;
}

static tcs_status area_of(const rows *r, const double *scores, double *ret_area, tcs_error *err)
{
    const size_t begin = PEER_BEGIN * r->series_count;
    tcsi_ranking ranking;
    tcsi_curve curve;
    tcs_status status = tcsi_ranking_init(scores + begin, r->series_count * r->row_count - begin, &ranking, err);
    if (status != TCS_OK) return status;
    status = tcsi_curve_init(&ranking, r->labels + begin, &curve, err);
    if (status == TCS_OK) *ret_area = tcsi_curve_auc_roc(&curve);
    if (status == TCS_OK) tcsi_curve_deinit(&curve);
    tcsi_ranking_deinit(&ranking);
    return status;
}

/* ---- by how many series take turns ---- */

typedef struct size_case {
    const char *name;
    size_t series_count, row_count;
} size_case;

static const size_case sizes[] = {
    { "1 series", 1, 200000 },
    { "1,000 series", 1000, 400 },
    { "100,000 series", 100000, 60 },
};

static tcs_status run_sizes(double ret_ns[TCS_COUNT(sizes)], tcs_error *err)
{
    static double times[TCS_COUNT(sizes)][ROUND_COUNT];
    rows all[TCS_COUNT(sizes)] = { { 0 } };
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < TCS_COUNT(sizes); i++)
        status = rows_make(&all[i], sizes[i].series_count, sizes[i].row_count, err);
    for (size_t round = 0; status == TCS_OK && round < ROUND_COUNT; round++)
        for (size_t i = 0; status == TCS_OK && i < TCS_COUNT(sizes); i++) status = run_cell(&all[i], NULL, &times[i][round], err);
    for (size_t i = 0; i < TCS_COUNT(sizes); i++) {
        ret_ns[i] = median(times[i], ROUND_COUNT);
        rows_free(&all[i]);
    }
    return status;
}

/* ---- peers ---- */

typedef struct side {
    const char *name, *question;
    double ns, area; /* NaN: not run */
    double times[ROUND_COUNT];
} side;

enum { OURS, TREES, FOREST, SIDE_COUNT };

static tcs_status write_rows(const rows *r, const char *path, tcs_error *err)
{
    tcsi_buffer text;
    tcs_status status = TCS_OK;
    tcsi_buffer_init(&text, 1 << 26);
    for (size_t i = 0; status == TCS_OK && i < r->series_count * r->row_count; i++)
        status = tcsi_buffer_printf(&text, err, "%.17g %d\n", r->values[i], r->labels[i]);
    if (status == TCS_OK) status = tcsi_file_write(path, text.data, text.size, err);
    tcsi_buffer_deinit(&text);
    return status;
}

static tcs_status ask_peer(peer_process *peer, side *s, double *ret_ns, tcs_error *err)
{
    char answer[120];
    double seconds;
    const tcs_status status = peer_ask(peer, s->question, answer, sizeof answer, err);
    if (status != TCS_OK) return status;
    if (sscanf(answer, "%lf %lf", &seconds, &s->area) != 2) return tcsi_fail(err, TCS_E_FORMAT, "the peer answers '%s'", answer);
    *ret_ns = seconds * 1e9 / (PEER_SERIES * (PEER_ROWS - PEER_BEGIN));
    return TCS_OK;
}

static tcs_status run_sides(const char *path, side sides[SIDE_COUNT], tcs_error *err)
{
    static double scores[PEER_SERIES * PEER_ROWS];
    const char *python = getenv("TOCSIN_BENCH_PYTHON");
    char version[120] = "none: TOCSIN_BENCH_PYTHON names no python that has River and scikit-learn";
    peer_process peer = { 0 };
    rows r;
    tcs_status status = rows_make(&r, PEER_SERIES, PEER_ROWS, err);
    if (status == TCS_OK && python) status = write_rows(&r, path, err);
    if (status == TCS_OK && python) status = peer_open(python, LIVE_PEER, path, &peer, version, err);
    printf("peers: %s\n", version);
    for (size_t round = 0; status == TCS_OK && round < PEER_ROUNDS; round++) {
        status = run_cell(&r, scores, &sides[OURS].times[round], err);
        for (size_t i = TREES; status == TCS_OK && peer.to && i < SIDE_COUNT; i++)
            status = ask_peer(&peer, &sides[i], &sides[i].times[round], err);
    }
    if (status == TCS_OK) status = area_of(&r, scores, &sides[OURS].area, err);
    for (size_t i = 0; i < SIDE_COUNT; i++) sides[i].ns = i == OURS || peer.to ? median(sides[i].times, PEER_ROUNDS) : NAN;
    peer_close(&peer);
    (void)remove(path);
    rows_free(&r);
    return status;
}

/* ---- telling ---- */

static tcs_status tell(const char *path, const double *ns, const side *sides, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_json_writer writer;
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, true);
    tcsi_json_begin_array(&writer);
    printf("%-40s %12s %12s\n", "rows in turn from", "ns a row", "target");
    for (size_t i = 0; i < TCS_COUNT(sizes); i++) {
        const figure f = figure_of_cost(sizes[i].name, "ns per row", ns[i], 0, NULL, 200);
        printf("%-40s %12.1f %12d %s\n", sizes[i].name, ns[i], 200, f.ok ? "" : "missed");
        figure_write(&writer, &f);
    }
    const figure bytes = figure_of_cost("state", "bytes per series", (double)sizeof(tcsi_live_series), 0, NULL, 1024);
    printf("%-40s %12zu %12d bytes a series\n\n%-40s %12s %12s %12s\n", "state of a series in its cell", sizeof(tcsi_live_series), 1024,
           "the same rows, 100 series", "ns a row", "AUC-ROC", "ours faster");
    figure_write(&writer, &bytes);
    for (size_t i = 0; i < SIDE_COUNT; i++) {
        const figure f = figure_of_cost(sides[i].name, "ns per row", sides[OURS].ns, isnan(sides[i].ns) ? 0 : sides[i].ns, sides[i].name, 0);
        if (isnan(sides[i].ns)) continue;
        printf("%-40s %12.0f %12.3f %11.0fx\n", sides[i].name, sides[i].ns, sides[i].area, sides[i].ns / sides[OURS].ns);
        if (i != OURS) figure_write(&writer, &f);
    }
    tcsi_json_end_array(&writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK && path) status = tcsi_file_write(path, text.data, text.size, err);
    tcsi_buffer_deinit(&text);
    return status;
}

int main(int argc, char **argv)
{
    tcs_error err = { 0 };
    char path[512];
    double ns[TCS_COUNT(sizes)];
    static side sides[SIDE_COUNT] = {
        [OURS] = { .name = "tocsin, a row through its cell", .area = NAN },
        [TREES] = { .name = "River HalfSpaceTrees", .question = "trees", .area = NAN },
        [FOREST] = { .name = "scikit-learn IsolationForest", .question = "forest", .area = NAN },
    };
    snprintf(path, sizeof path, "%s.rows", argc > 1 ? argv[1] : "live_bench");
    tcs_status status = run_sizes(ns, &err);
    if (status == TCS_OK) status = run_sides(path, sides, &err);
    if (status == TCS_OK) status = tell(argc > 1 ? argv[1] : NULL, ns, sides, &err);
    for (size_t i = TREES; status == TCS_OK && i < SIDE_COUNT; i++)
        if (sides[OURS].area < sides[i].area - 0.05)
            status = tcsi_fail(&err, TCS_E_INVALID, "%s ranks the spikes better: %.3f against %.3f", sides[i].name, sides[i].area,
                               sides[OURS].area);
    if (status == TCS_OK) return 0;
    fprintf(stderr, "live_bench: %s\n", err.text);
    return 1;
}
