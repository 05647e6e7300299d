/* detect/window/left_matrix_profile.c -- the left matrix profile: what has never been seen before.
 *
 * The distance of every window to its nearest neighbour among earlier windows only: C.-C. M. Yeh et al., "Matrix profile I",
 * ICDM 2016, section IV, by the kernels of kernels/join.h.  The score stands at the window's last row, so that it uses rows
 * up to its own only; it is computed for a whole series at once and keeps all of it (for streams with bounded memory use
 * stream_join).  Values are scaled by the whole series before the join, which changes rounding but no distance.
 * Finds: the first time of every novelty, also when it comes back later.  Misses: what came back.  Early rows, with
 * little past, score high; rows before the first neighbour are WARMUP.  Cost: half a matrix profile.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/profile.h"

#include <math.h>

typedef struct left_matrix_profile {
    tcsi_detector base;
    tcsi_profile_options options;
} left_matrix_profile;

/* Each distance at its window's last row. */
static void place(const tcsi_profile *profile, tcs_score *ret_scores)
{
    for (size_t i = 0; i < profile->window_count; i++) {
        tcs_score *score = &ret_scores[i + profile->offline.window - 1];
        if (score->state == TCS_SCORE_MISSING || isinf(profile->distances[i])) continue;
        *score = (tcs_score){ .state = TCS_SCORE_READY, .value = profile->distances[i] };
    }
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    tcsi_profile profile = { 0 };
    tcs_status status = tcsi_profile_begin(frame, &((left_matrix_profile *)base)->options, true, base->pool, &profile, err);
    if (status != TCS_OK) return status;
    tcsi_offline_scores(&profile.offline, NULL, ret_scores);
    place(&profile, ret_scores);
    tcsi_profile_end(&profile);
    return TCS_OK;
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    return sizeof(left_matrix_profile) + tcsi_profile_size_max(row_count, &((const left_matrix_profile *)base)->options, base->pool);
}

static const tcsi_detector_ops ops = { .score = score, .size_max = size_max };

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
    .parameters = tcsi_profile_parameters,
    .parameter_count = TCS_COUNT(tcsi_profile_parameters),
    .ops = &ops,
};
