/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/profile.h"

#include "base/alloc.h"
#include "kernels/join.h"

#include <math.h>

enum { EXCLUSION_SHARE = 4, WINDOW_DEFAULT_MAX = 400 };

typedef tcsi_profile_options options;

const tcsi_parameter tcsi_profile_parameters[2] = {
    TCSI_COUNT(window, 0, 0, 1e6, "rows of a window, 3 or more; 0: the period of the series"),
    TCSI_BOOL(normalize, 1, "z-normalize every window, so that only its shape counts"),
};

tcs_status tcsi_profile_distances(const double *values, size_t row_count, const tcsi_profile_options *given, bool left, tcsi_pool *pool,
                                  double *ret_distances, tcs_error *err)
{
    const size_t w = given->window, exclusion = (w + EXCLUSION_SHARE - 1) / EXCLUSION_SHARE + 1;
    tcsi_join_plan plan = { 0 };
    if (w < 3 || w > row_count)
        return tcsi_fail(err, TCS_E_INVALID, "matrix profile: a window of %zu rows does not fit a series of %zu", w, row_count);
    tcs_status status = tcsi_join_plan_init(&plan, given->normalize ? TCSI_JOIN_ZNORM : TCSI_JOIN_RAW, values, row_count, w, 0, err);
    if (status == TCS_OK && left) status = tcsi_join_over_past(&plan, exclusion, pool, ret_distances, NULL, err);
    else if (status == TCS_OK) status = tcsi_join_over_all(&plan, exclusion, pool, ret_distances, NULL, err);
    for (size_t i = 0; status == TCS_OK && i < plan.window_count; i++)
        ret_distances[i] = sqrt(ret_distances[i] * (double)w) * (given->normalize ? 1 : plan.unit);
    tcsi_join_plan_deinit(&plan);
    return status;
}

tcs_status tcsi_profile_begin(const tcsi_frame *frame, const tcsi_profile_options *given, bool left, tcsi_pool *pool,
                              tcsi_profile *ret_profile, tcs_error *err)
{
    tcsi_profile made = { 0 };
    tcs_status status = tcsi_offline_begin(frame, given->window, NULL, &made.offline, err);
    if (status == TCS_OK && made.offline.row_count / 2 >= made.offline.window) {
        tcsi_profile_options used = { made.offline.window, given->normalize };
        made.window_count = made.offline.row_count - made.offline.window + 1;
        made.distances = TCSI_NEW_ARRAY(double, made.window_count);
        status = made.distances
                   ? tcsi_profile_distances(made.offline.z, made.offline.row_count, &used, left, pool, made.distances, err)
                   : tcsi_fail_memory(err, "a matrix profile");
    }
    if (status == TCS_OK) *ret_profile = made;
    else tcsi_profile_end(&made);
    return status;
}

void tcsi_profile_end(tcsi_profile *profile)
{
    tcsi_free(profile->distances);
    tcsi_offline_end(&profile->offline);
    *profile = (tcsi_profile){ 0 };
}

size_t tcsi_profile_size_max(size_t row_count, const tcsi_profile_options *given, const tcsi_pool *pool)
{
    /* The join: values and five arrays; per thread two rows of results and one of boundaries.  Then distances, and rows of them. */
    size_t window = given->window ? given->window : WINDOW_DEFAULT_MAX;
    size_t join_count = 6 * (row_count + 64) + (3 * row_count + 8 * window + 4096) * tcsi_pool_thread_count(pool);
    return tcsi_offline_size_max(row_count) + (join_count + 2 * row_count) * sizeof(double);
}
