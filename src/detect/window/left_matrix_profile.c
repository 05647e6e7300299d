/* detect/window/left_matrix_profile.c -- the left matrix profile: what has never been seen before.
 *
 * The distance of every window to its nearest neighbour among earlier windows only: C.-C. M. Yeh et al., "Matrix profile I",
 * ICDM 2016, section IV, by the kernels of kernels/join.h.  The score stands at the window's last row, so that it uses rows
 * up to its own only; it is computed for a whole series at once and keeps all of it (for streams with bounded memory use
 * stream_join).  Values are scaled by the whole series before the join, which changes rounding but no distance.
 * Finds: the first time of every novelty, also when it comes back later.  Misses: what came back.  Early rows, with
 * little past, score high; rows before the first neighbour are WARMUP.  Cost: half a matrix profile.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/window/offline.h"
#include "detect/window/profile.h"

#include <math.h>

enum { WINDOW_DEFAULT_MAX = 400 };

typedef struct options {
    size_t window;
    bool normalize;
} options;

typedef struct left_matrix_profile {
    tcsi_detector base;
    options options;
} left_matrix_profile;

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void deinit(tcsi_detector *base)
{
    (void)base;
}

/* Each distance at its window's last row. */
static void place(const tcsi_offline *offline, const double *distances, tcs_score *ret_scores)
{
    const size_t w = offline->window;
    tcsi_offline_scores(offline, NULL, ret_scores);
    for (size_t i = 0; i + w <= offline->row_count; i++) {
        tcs_score *score = &ret_scores[i + w - 1];
        if (score->state == TCS_SCORE_MISSING || isinf(distances[i])) continue;
        *score = (tcs_score){ .state = TCS_SCORE_READY, .value = distances[i] };
    }
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    left_matrix_profile *self = (left_matrix_profile *)base;
    tcsi_offline offline = { 0 };
    double *distances = NULL;
    tcs_status status = tcsi_offline_begin(frame, self->options.window, NULL, &offline, err);
    bool long_enough = status == TCS_OK && offline.row_count / 2 >= offline.window; /* else no window has a neighbour to speak of */
    if (long_enough) {
        tcsi_profile_options profile = { .window = offline.window, .normalize = self->options.normalize, .pool = base->pool, .left = true };
        distances = TCSI_NEW_ARRAY(double, offline.row_count);
        status = distances ? tcsi_profile(offline.z, offline.row_count, &profile, distances, err) : tcsi_fail_memory(err,
                                                                                                                     "a matrix profile");
    }
    if (status == TCS_OK && long_enough) place(&offline, distances, ret_scores);
    else if (status == TCS_OK) tcsi_offline_scores(&offline, NULL, ret_scores);
    tcsi_free(distances);
    tcsi_offline_end(&offline);
    return status;
}

static void persist(tcsi_detector *base, tcsi_codec *codec)
{
    (void)base;
    tcsi_codec_tag(codec, "LMPR"); /* nothing is learned: the options say it all */
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    const left_matrix_profile *self = (const left_matrix_profile *)base;
    size_t window = self->options.window ? self->options.window : WINDOW_DEFAULT_MAX;
    return sizeof *self + tcsi_offline_size_max(row_count) + tcsi_profile_size_max(row_count, window,
                                                                                   base->pool) + 2 * row_count * sizeof(double);
}

static const tcsi_parameter parameters[] = {
    { "window", TCSI_PARAMETER_COUNT, offsetof(options, window), 0, 0, 1e6, "rows of a window, 3 or more; 0: the period of the series" },
    { "normalize", TCSI_PARAMETER_BOOL, offsetof(options, normalize), 1, 0, 1, "z-normalize every window, so that only its shape counts" },
};

static const tcsi_detector_ops ops = { .init = init, .deinit = deinit, .score = score, .persist = persist, .size_max = size_max };

const tcsi_detector_info tcsi_detector_left_matrix_profile = {
    .name = "left_matrix_profile",
    .title = "left matrix profile (nearest earlier neighbour)",
    .paper = "C.-C. M. Yeh et al.: Matrix profile I: all pairs similarity joins for time series. ICDM 2016, section IV (left and right "
             "profiles)",
    .summary = "Distance of every window to its nearest neighbour among earlier ones, z-normalized, placed at the window's last row: the "
               "first time of every new shape. Causal, but computed for a whole series at once; stream_join is its form for streams. "
               "Misses what came back. Quadratic: 10 ms for 10,000 rows.",
    .traits = TCSI_TRAIT_OFFLINE,
    .instance_size = sizeof(left_matrix_profile),
    .options_offset = offsetof(left_matrix_profile, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &ops,
};
