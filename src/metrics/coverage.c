/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/coverage.h"

#include <math.h>

tcs_status tcsi_coverage_compute(const tcsi_bands_stated *bands, const uint8_t *labels, size_t row_count, tcsi_coverage *ret_coverage,
                                 tcs_error *err)
{
    tcsi_coverage out = { 0 };
    size_t held = 0;
    for (size_t t = 0; t < row_count; t++) {
        const double value = bands->values[t], low = bands->lows[t], high = bands->highs[t];
        if (low > high) return tcsi_fail(err, TCS_E_INVALID, "row %zu: a band from %g to %g, expected low <= high", t, low, high);
        if (labels[t] || isnan(value) || isnan(low) || isnan(high)) continue;
        out.count++;
        held += value >= low && value <= high;
        out.width_mean += (high - low - out.width_mean) / (double)out.count; /* as a mean: sums of huge widths are not finite */
    }
    out.share = (double)held / (double)out.count; /* 0 / 0: NaN */
    if (out.count == 0) out.width_mean = NAN;
    *ret_coverage = out;
    return TCS_OK;
}
