/* detect/window/segment_join.c -- distance to the nearest of many short stretches of the same series.
 *
 * The detector form of tcsi_join_segments (joins.h): linear in the length of the series where a matrix profile is
 * quadratic.  Finds: shapes (and with raw, levels) that occur nowhere else.  Misses: points shorter than a window of few
 * values, and what recurs more often than `rank`.  Cost: rows * segments * 2 w' / factor cells of a quarter
 * nanosecond.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/window/coarse.h"
#include "detect/window/joins.h"
#include "detect/window/offline.h"

typedef struct options {
    size_t window, target_window, segment_count, rank;
    bool raw;
} options;

typedef struct segment_join {
    tcsi_detector base;
    options options;
} segment_join;

static tcsi_join_options join_options(const segment_join *self, size_t window)
{
    return (tcsi_join_options){ .window = window, .target_window = self->options.target_window, .rank = self->options.rank,
                                .segment_count = self->options.segment_count, .pool = self->base.pool };
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    segment_join *self = (segment_join *)base;
    tcsi_offline offline = { 0 };
    double *rows = NULL;
    tcs_status status = tcsi_offline_begin(frame, self->options.window, NULL, &offline, err);
    if (status == TCS_OK) {
        rows = TCSI_NEW_ARRAY(double, offline.row_count);
        if (!rows) status = tcsi_fail_memory(err, "scores");
    }
    if (status == TCS_OK) {
        tcsi_join_options join = join_options(self, offline.window);
        status = tcsi_join_segments(offline.z, offline.row_count, &join, self->options.raw ? NULL : rows, self->options.raw ? rows : NULL,
                                    err);
    }
    if (status == TCS_OK) {
        tcsi_coarse coarse = tcsi_coarse_make(offline.row_count, offline.window > 4 ? offline.window : 4, self->options.target_window);
        tcsi_offline_scores(&offline, coarse.window_count ? rows : NULL, ret_scores);
    }
    tcsi_free(rows);
    tcsi_offline_end(&offline);
    return status;
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const segment_join *self = (const segment_join *)base;
    tcsi_join_options join = join_options(self, self->options.window ? self->options.window : 400);
    return sizeof *self + tcsi_offline_size_max(row_count) + tcsi_join_size_max(row_count, &join) + row_count * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(window, 0, 0, 1e6, "rows of a window; 0: the period of the series"),
    TCSI_COUNT(target_window, 32, 4, 4096, "values of a window after averaging; longer windows are averaged down to about this many"),
    { "segments", TCSI_PARAMETER_COUNT, offsetof(options, segment_count), 160, 1, 100000,
      "reference segments, spread evenly over the series" },
    TCSI_COUNT(rank, 1, 1, 4,
               "take the distance to the rank-th nearest segment, so that what happened rank - 1 times more still stands out"),
    TCSI_BOOL(raw, 0, "compare levels too, not only shapes"),
};

static const tcsi_detector_ops ops = { .score = score, .size_max = size_max };

const tcsi_detector_info tcsi_detector_segment_join = {
    .name = "segment_join",
    .title = "nearest neighbour among segments of the series",
    .paper = "C.-C. M. Yeh et al.: Matrix profile I: all pairs similarity joins for time series. ICDM 2016 (the join); S. Imani et al.: "
             "Matrix profile XIII: time series snippets. ICBK 2018 (representing a series by segments)",
    .summary = "Compares every window with short segments spread over the same series and scores the distance to the nearest, without "
               "z-normalization, so that amplitude is evidence. Linear in the length of the series: 10 to 30 ms per 10,000 rows. Misses "
               "what recurs.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_RELATIVE,
    .instance_size = sizeof(segment_join),
    .options_offset = offsetof(segment_join, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
