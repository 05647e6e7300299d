/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/effective.h"

#include "base/alloc.h"
#include "series/fft.h"
#include "series/stats.h"

#include <math.h>

/* 1 + 2 (sum of autocorrelations) by pairs of lags: each pair's sum at most the last one's, and positive. */
static double correlation_time(const double *covariances, size_t lag_count)
{
    double sum = 0, last = INFINITY;
    for (size_t lag = 0; lag + 1 < lag_count; lag += 2) {
        const double pair = (covariances[lag] + covariances[lag + 1]) / covariances[0];
        if (!(pair > 0)) break;
        last = fmin(last, pair);
        sum += last;
    }
    return 2 * sum - 1;
}

tcs_status tcsi_effective_count(const double *values, size_t count, double *ret_effective_count, tcs_error *err)
{
    const tcsi_moments moments = tcsi_moments_of(values, count);
    *ret_effective_count = (double)count;
    if (count < 4 || !(moments.variance > 0)) return TCS_OK;
    const size_t lag_count = count / 2;
    double *centred = TCSI_NEW_ARRAY(double, count), *covariances = TCSI_NEW_ARRAY(double, lag_count);
    tcs_status status = centred && covariances ? TCS_OK : tcsi_fail_memory(err, "an effective count");
    for (size_t i = 0; i < count && status == TCS_OK; i++) centred[i] = (values[i] - moments.mean) / sqrt(moments.variance);
    if (status == TCS_OK) status = tcsi_autocovariance(centred, count, covariances, lag_count, err);
    if (status == TCS_OK) *ret_effective_count = (double)count / fmin(fmax(correlation_time(covariances, lag_count), 1), (double)count);
    tcsi_free(centred);
    tcsi_free(covariances);
    return status;
}
