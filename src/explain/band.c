/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/band.h"

#include "decide/adaptive.h"

#include <math.h>

enum { MEMORY = 2000, KNOWN_MIN = 500 };
static const double COVERAGE = 0.99;

tcs_status tcsi_band_adapt(const double *values, size_t count, size_t begin, const double *expected, double *low, double *high,
                           tcs_error *err)
{
    tcsi_adaptive adaptive;
    const tcsi_adaptive_options options = { .coverage = COVERAGE, .capacity = MEMORY };
    tcs_status status = tcsi_adaptive_init(&adaptive, &options, err);
    if (status != TCS_OK) return status;
    for (size_t t = begin > 2 * MEMORY ? begin - 2 * MEMORY : 0; t < count; t++) {
        const double above = high[t] - expected[t], below = expected[t] - low[t];
        const double side = values[t] > expected[t] ? above : below, error = side > 0 ? fabs(values[t] - expected[t]) / side : NAN;
        const double radius = adaptive.row_count >= KNOWN_MIN ? tcsi_adaptive_radius(&adaptive) : 1;
        if (t >= begin) {
            low[t] = expected[t] - radius * below;
            high[t] = expected[t] + radius * above;
        }
        tcsi_adaptive_push(&adaptive, error); /* NaN, of a missing value or a band of no width: nothing is learned */
    }
    tcsi_adaptive_deinit(&adaptive);
    return TCS_OK;
}
