/* detect/window/matrix_profile.c -- the matrix profile: discords are anomalies.
 *
 * Y. Zhu et al., "Matrix profile II: exploiting a novel algorithm and GPUs to break the one hundred million barrier for
 * time series motifs and joins", ICDM 2016 (STOMP), computed by the recurrence of Z. Zimmerman et al., "Matrix profile
 * XIV", SoCC 2019 (SCAMP); see kernels/join.h.  A row's score is the distance of the window centred on it, the ends take the
 * nearest window's.  Finds: shapes that occur nowhere else, whatever their size (z-normalized).  Misses: changes of level
 * and amplitude, and events that happen twice.  Cost: quadratic, 18 ms for 10,000 rows and 2 s for 100,000.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/window/coarse.h"
#include "detect/window/profile.h"

#include <math.h>

typedef struct matrix_profile {
    tcsi_detector base;
    tcsi_profile_options options;
} matrix_profile;

/* Distances to rows; windows without a neighbour count as 0. */
static void place(const tcsi_profile *profile, double *ret_rows)
{
    size_t row_count = profile->offline.row_count;
    tcsi_coarse full = { .row_count = row_count, .factor = 1, .value_count = row_count, .window = profile->offline.window,
                         .window_count = profile->window_count };
    for (size_t i = 0; i < full.window_count; i++)
        if (isinf(profile->distances[i])) profile->distances[i] = 0;
    tcsi_coarse_expand(&full, profile->distances, ret_rows);
}

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    tcsi_profile profile = { 0 };
    double *rows = NULL;
    tcs_status status = tcsi_profile_begin(frame, &((matrix_profile *)base)->options, false, base->pool, &profile, err);
    if (status == TCS_OK && profile.window_count > 0) {
        rows = TCSI_NEW_ARRAY(double, profile.offline.row_count);
        if (rows) place(&profile, rows);
        else status = tcsi_fail_memory(err, "scores");
    }
    if (status == TCS_OK) tcsi_offline_scores(&profile.offline, rows, ret_scores);
    tcsi_free(rows);
    tcsi_profile_end(&profile);
    return status;
}

static size_t size_max(const tcsi_detector *base, size_t row_count)
{
    return sizeof(matrix_profile) + tcsi_profile_size_max(row_count, &((const matrix_profile *)base)->options, base->pool);
}

static const tcsi_detector_ops ops = { .score = score, .size_max = size_max };

const tcsi_detector_info tcsi_detector_matrix_profile = {
    .name = "matrix_profile",
    .title = "matrix profile (self join)",
    .paper = "Y. Zhu et al.: Matrix profile II: exploiting a novel algorithm and GPUs to break the one hundred million barrier for time "
             "series motifs and joins. ICDM 2016 (STOMP); Z. Zimmerman et al.: Matrix profile XIV. SoCC 2019 (SCAMP)",
    .summary = "Distance of every window to its nearest neighbour among all others, z-normalized: discords are shapes that occur nowhere "
               "else. Misses changes of level and what happens twice. Quadratic: 20 ms for 10,000 rows, 2 s for 100,000.",
    .traits = TCSI_TRAIT_OFFLINE,
    .instance_size = sizeof(matrix_profile),
    .options_offset = offsetof(matrix_profile, options),
    .parameters = tcsi_profile_parameters,
    .parameter_count = TCS_COUNT(tcsi_profile_parameters),
    .ops = &ops,
};
