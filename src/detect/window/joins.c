/* detect/window/joins.c -- segment, prefix and self join over a coarse series.
 *
 * An anomaly is a stretch that has no good match elsewhere.  Comparing each window with all others (the matrix profile)
 * is quadratic; comparing it with J short segments spread over the series is linear, and loses little where normal
 * behaviour recurs, because 2 w' consecutive windows meet every phase of a period of w'.  Distances are not z-normalized
 * (but for the self join): amplitude and level are evidence.  The work per cell is that of kernels/join.h; this file
 * chooses references and scale.  References: C.-C. M. Yeh et al., "Matrix profile I", ICDM 2016, for the join; S. Imani
 * et al., "Matrix profile XIII: time series snippets", ICBK 2018, for representing a series by few segments.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/joins.h"

#include "base/alloc.h"
#include "detect/window/coarse.h"
#include "kernels/join.h"

#include <math.h>
#include <string.h>

enum { TARGET_DEFAULT = 32, SEGMENT_COUNT_DEFAULT = 160, PREFIX_BLOCK_COUNT = 400, PREFIX_WINDOW_COUNT_MAX = 4000 };
enum { SELF_WINDOW_COUNT_MAX = 20000, SELF_WINDOW_MIN = 12 };

static size_t or_default(size_t given, size_t value)
{
    return given ? given : value;
}

static tcs_status check_options(const tcsi_join_options *options, tcs_error *err)
{
    if (options->window < 1 || or_default(options->target_window, TARGET_DEFAULT) < 4 || options->rank > TCSI_JOIN_KEEP_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "join: need window >= 1, target window >= 4 and rank <= %d, got %zu, %zu and %zu",
                         TCSI_JOIN_KEEP_MAX, options->window, options->target_window, options->rank);
    return TCS_OK;
}

static tcsi_coarse make_scale(size_t row_count, const tcsi_join_options *options)
{
    return tcsi_coarse_make(row_count, options->window > 4 ? options->window : 4, or_default(options->target_window, TARGET_DEFAULT));
}

/* The plan of the coarse series. */
static tcs_status make_plan(const double *z, const tcsi_coarse *scale, tcsi_join_kind kind, double deviation_floor,
                            tcsi_join_plan *ret_plan, tcs_error *err)
{
    double *coarse = TCSI_NEW_ARRAY(double, scale->value_count);
    if (!coarse) return tcsi_fail_memory(err, "a coarse series");
    tcsi_coarse_shrink(scale, z, coarse);
    tcs_status status = tcsi_join_plan_init(ret_plan, kind, coarse, scale->value_count, scale->window, deviation_floor, err);
    tcsi_free(coarse);
    return status;
}

/* Mean squared distances (keep_count, window_count), ascending per window, to rows: of each window the last finite one, 0
 * when there is none.  Overwrites distances. */
static void distances_to_rows(const tcsi_coarse *scale, double unit, size_t keep_count, double *distances, double *ret_rows)
{
    for (size_t i = 0; i < scale->window_count; i++) {
        double kept = 0;
        for (size_t k = 0; k < keep_count; k++)
            if (distances[k * scale->window_count + i] < INFINITY) kept = distances[k * scale->window_count + i];
        distances[i] = sqrt(kept) * unit;
    }
    tcsi_coarse_expand(scale, distances, ret_rows);
}

static void zero_rows(double *rows, size_t row_count)
{
    if (rows && row_count) memset(rows, 0, row_count * sizeof *rows);
}

/* Runs one plan of the given kind over the segments and writes the wanted distances. */
static tcs_status run_segments(const double *z, const tcsi_coarse *scale, const tcsi_join_options *options, tcsi_join_kind kind,
                               double floor, const tcsi_join_segment *segments, size_t segment_count, double *ret_first,
                               double *ret_second, tcs_error *err)
{
    const size_t keep_count = or_default(options->rank, 1);
    tcsi_join_plan plan = { 0 };
    double *first = NULL, *second = NULL;
    size_t total;
    tcs_status status = make_plan(z, scale, kind, floor, &plan, err);
    if (status == TCS_OK) {
        if (tcsi_multiply(scale->window_count, keep_count, &total)) {
            first = TCSI_NEW_ARRAY(double, total);
            second = kind == TCSI_JOIN_BOTH ? TCSI_NEW_ARRAY(double, total) : NULL;
        }
        if (!first || (kind == TCSI_JOIN_BOTH && !second)) status = tcsi_fail_memory(err, "distances");
    }
    if (status == TCS_OK)
        status = tcsi_join_over_segments(&plan, segments, segment_count, scale->window, keep_count, options->pool, first, second, err);
    if (status == TCS_OK) {
        double unit = kind == TCSI_JOIN_ZNORM ? 1 : plan.unit;
        distances_to_rows(scale, unit, keep_count, first, ret_first);
        if (second) distances_to_rows(scale, unit, keep_count, second, ret_second);
    }
    tcsi_free(first);
    tcsi_free(second);
    tcsi_join_plan_deinit(&plan);
    return status;
}

/* index-th of count numbers spread evenly over [0, last]. */
static size_t spread(size_t index, size_t count, size_t last)
{
    if (count == 1) return 0;
    return index + 1 == count ? last : (size_t)((double)index * ((double)last / (double)(count - 1)));
}

/* J starts spread evenly over [0, window_count - width], each once.  ret_segments: (J). */
static size_t spread_segments(size_t window_count, size_t width, size_t segment_count, tcsi_join_segment *ret_segments)
{
    size_t count = 0;
    for (size_t s = 0; s < segment_count; s++) {
        size_t begin = spread(s, segment_count, window_count - width);
        if (count == 0 || begin > ret_segments[count - 1].begin) ret_segments[count++] = (tcsi_join_segment){ begin, width };
    }
    return count;
}

/* The J segments of 2 w' windows; *ret_segments is owned by the caller. */
static tcs_status make_segments(const tcsi_coarse *scale, const tcsi_join_options *options, tcsi_join_segment **ret_segments,
                                size_t *ret_count, tcs_error *err)
{
    size_t width = 2 * scale->window < scale->window_count / 2 ? 2 * scale->window : scale->window_count / 2;
    size_t wanted = or_default(options->segment_count, SEGMENT_COUNT_DEFAULT), most = scale->window_count - width + 1;
    if (options->cover > 0) { /* at most that many references per place */
        size_t enough = (options->cover * scale->window_count + width - 1) / width + 1;
        if (wanted > enough) wanted = enough;
    }
    if (wanted > most) wanted = most; /* more segments than places would only repeat places */
    *ret_segments = TCSI_NEW_ARRAY(tcsi_join_segment, wanted);
    if (!*ret_segments) return tcsi_fail_memory(err, "segments");
    *ret_count = spread_segments(scale->window_count, width, wanted, *ret_segments);
    return TCS_OK;
}

tcs_status tcsi_join_segments(const double *z, size_t row_count, const tcsi_join_options *options, double *ret_centred, double *ret_raw,
                              tcs_error *err)
{
    tcs_status status = check_options(options, err);
    if (status != TCS_OK) return status;
    tcsi_coarse scale = make_scale(row_count, options);
    if (scale.window_count == 0 || (!ret_centred && !ret_raw)) {
        zero_rows(ret_centred, row_count);
        zero_rows(ret_raw, row_count);
        return TCS_OK;
    }
    const tcsi_join_kind kind = !ret_raw ? TCSI_JOIN_CENTRED : !ret_centred ? TCSI_JOIN_RAW : TCSI_JOIN_BOTH;
    tcsi_join_segment *segments = NULL;
    size_t count;
    status = make_segments(&scale, options, &segments, &count, err);
    if (status == TCS_OK)
        status = run_segments(z, &scale, options, kind, 0, segments, count, ret_centred ? ret_centred : ret_raw, ret_raw, err);
    tcsi_free(segments);
    return status;
}

/* Blocks over the prefix windows; when there are more than fit the limit, they are thinned evenly. */
static size_t prefix_segments(size_t reference_count, tcsi_join_segment *ret_segments)
{
    const size_t most = PREFIX_WINDOW_COUNT_MAX / PREFIX_BLOCK_COUNT;
    size_t block_count = (reference_count + PREFIX_BLOCK_COUNT - 1) / PREFIX_BLOCK_COUNT, kept = block_count < most ? block_count : most;
    for (size_t s = 0; s < kept; s++) {
        size_t begin = (kept < block_count ? spread(s, kept, block_count - 1) : s) * PREFIX_BLOCK_COUNT, rest = reference_count - begin;
        ret_segments[s] = (tcsi_join_segment){ begin, rest < PREFIX_BLOCK_COUNT ? rest : PREFIX_BLOCK_COUNT };
    }
    return kept;
}

tcs_status tcsi_join_prefix(const double *z, size_t row_count, size_t train_row_count, const tcsi_join_options *options, double *ret_raw,
                            tcs_error *err)
{
    tcs_status status = check_options(options, err);
    if (status != TCS_OK) return status;
    tcsi_coarse scale = make_scale(row_count, options);
    if (scale.window_count == 0) {
        zero_rows(ret_raw, row_count);
        return TCS_OK;
    }
    tcsi_join_segment segments[PREFIX_WINDOW_COUNT_MAX / PREFIX_BLOCK_COUNT];
    size_t train = train_row_count / scale.factor, least = 2 * scale.window;
    size_t reference_count = train + 1 > scale.window + least ? train + 1 - scale.window : least;
    if (reference_count > scale.window_count) reference_count = scale.window_count;
    size_t count = prefix_segments(reference_count, segments);
    tcsi_join_options minimum = *options;
    minimum.rank = 1;
    return run_segments(z, &scale, &minimum, TCSI_JOIN_RAW, 0, segments, count, ret_raw, NULL, err);
}

/* A tenth of the root mean square of the windows' deviations. */
static tcs_status deviation_floor(const double *z, const tcsi_coarse *scale, double *ret_floor, tcs_error *err)
{
    tcsi_join_plan plan = { 0 };
    double sum = 0;
    tcs_status status = make_plan(z, scale, TCSI_JOIN_CENTRED, 0, &plan, err);
    for (size_t i = 0; status == TCS_OK && i < plan.window_count; i++) sum += plan.energy[i] / (double)plan.window_count;
    if (status == TCS_OK) *ret_floor = 0.1 * sqrt(sum) * plan.unit + 1e-6;
    tcsi_join_plan_deinit(&plan);
    return status;
}

tcs_status tcsi_join_segments_znorm(const double *z, size_t row_count, const tcsi_join_options *options, double *ret_rows, tcs_error *err)
{
    tcs_status status = check_options(options, err);
    if (status != TCS_OK) return status;
    tcsi_coarse scale = make_scale(row_count, options);
    if (scale.window_count == 0) {
        zero_rows(ret_rows, row_count);
        return TCS_OK;
    }
    tcsi_join_segment *segments = NULL;
    size_t count;
    double floor = 0;
    status = make_segments(&scale, options, &segments, &count, err);
    if (status == TCS_OK) status = deviation_floor(z, &scale, &floor, err);
    if (status == TCS_OK) status = run_segments(z, &scale, options, TCSI_JOIN_ZNORM, floor, segments, count, ret_rows, NULL, err);
    tcsi_free(segments);
    return status;
}

tcs_status tcsi_join_self_znorm(const double *z, size_t row_count, const tcsi_join_options *options, double *ret_rows, tcs_error *err)
{
    tcs_status status = check_options(options, err);
    if (status != TCS_OK) return status;
    size_t window = options->window > 4 ? options->window : 4;
    tcsi_coarse scale = make_scale(row_count, options);
    size_t needed = (row_count + SELF_WINDOW_COUNT_MAX - 1) / SELF_WINDOW_COUNT_MAX;
    if (row_count / scale.factor > SELF_WINDOW_COUNT_MAX && needed > scale.factor && window / needed >= SELF_WINDOW_MIN)
        scale = tcsi_coarse_with_factor(row_count, window, needed);
    if (scale.window_count == 0 || scale.value_count > 2 * SELF_WINDOW_COUNT_MAX) {
        zero_rows(ret_rows, row_count);
        return TCS_OK;
    }
    tcsi_join_plan plan = { 0 };
    double floor = 0, *distances = NULL;
    status = deviation_floor(z, &scale, &floor, err);
    if (status == TCS_OK) status = make_plan(z, &scale, TCSI_JOIN_ZNORM, floor, &plan, err);
    if (status == TCS_OK) {
        distances = TCSI_NEW_ARRAY(double, scale.window_count);
        status = distances ? tcsi_join_over_all(&plan, scale.window, options->pool, distances, NULL, err)
                           : tcsi_fail_memory(err, "distances");
    }
    if (status == TCS_OK) distances_to_rows(&scale, 1, 1, distances, ret_rows);
    tcsi_free(distances);
    tcsi_join_plan_deinit(&plan);
    return status;
}

size_t tcsi_join_size_max(size_t row_count, const tcsi_join_options *options)
{
    /* The coarse series, the plan's arrays, both lists of distances, the segments, and scratch per thread. */
    size_t padded = row_count + 1024, threads = tcsi_pool_thread_count(options->pool);
    size_t lists = padded * (2 * or_default(options->rank, 1) + 8) + 2 * or_default(options->segment_count, SEGMENT_COUNT_DEFAULT);
    size_t scratch = 3 * padded + 16 * options->window;
    return (lists + scratch * threads) * sizeof(double);
}
