/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/profile.h"

#include "kernels/join.h"

#include <math.h>

enum { EXCLUSION_SHARE = 4 };

tcs_status tcsi_profile(const double *values, size_t row_count, const tcsi_profile_options *options, double *ret_distances, tcs_error *err)
{
    const size_t w = options->window, exclusion = (w + EXCLUSION_SHARE - 1) / EXCLUSION_SHARE + 1;
    tcsi_join_plan plan = { 0 };
    if (w < 3 || w > row_count)
        return tcsi_fail(err, TCS_E_INVALID, "matrix profile: a window of %zu rows does not fit a series of %zu", w, row_count);
    tcs_status status = tcsi_join_plan_init(&plan, options->normalize ? TCSI_JOIN_ZNORM : TCSI_JOIN_RAW, values, row_count, w, 0, err);
    if (status == TCS_OK && options->left) status = tcsi_join_over_past(&plan, exclusion, options->pool, ret_distances, NULL, err);
    else if (status == TCS_OK) status = tcsi_join_over_all(&plan, exclusion, options->pool, ret_distances, NULL, err);
    for (size_t i = 0; status == TCS_OK && i < plan.window_count; i++)
        ret_distances[i] = sqrt(ret_distances[i] * (double)w) * (options->normalize ? 1 : plan.unit);
    tcsi_join_plan_deinit(&plan);
    return status;
}

size_t tcsi_profile_size_max(size_t row_count, size_t window, const tcsi_pool *pool)
{
    /* Values and five arrays; per thread two rows of results and one of boundaries. */
    return (6 * (row_count + 64) + (3 * row_count + 8 * window + 4096) * tcsi_pool_thread_count(pool)) * sizeof(double);
}
