/* series/scale.c -- scaling without losing digits at large offsets and without dividing by next to nothing.
 *
 * The spread has a floor: 1e-13 of the largest magnitude present, a thousand units in the last place.  What lies below it is
 * rounding, not signal: a constant 0.1 that went through a float and back would otherwise be scaled up to unit noise.
 * Both scales use the two-pass moments of stats.h.  SPDX-License-Identifier: Apache-2.0 */
#include "series/scale.h"

#include "series/stats.h"

#include <float.h>
#include <math.h>

static const double floor_share = 1e-13;
static const double mad_share_min = 1e-3, mad_substitute = 0.1;

static tcsi_scale finish(const tcsi_moments *m, double center, double spread)
{
    if (m->count == 0) return (tcsi_scale){ .center = 0, .spread = 1, .constant = true };
    if (!(m->minimum < m->maximum)) return (tcsi_scale){ .center = m->minimum, .spread = 1, .constant = true };
    double lowest = fmax(floor_share * fmax(fabs(m->minimum), fabs(m->maximum)), DBL_MIN);
    return (tcsi_scale){ .center = center, .spread = fmax(spread, lowest) };
}

tcsi_scale tcsi_scale_standard(const double *values, size_t count)
{
    tcsi_moments m = tcsi_moments_of(values, count);
    return finish(&m, m.mean, sqrt(m.variance));
}

tcsi_scale tcsi_scale_robust(const double *values, size_t count, double *scratch)
{
    tcsi_moments m = tcsi_moments_of(values, count);
    double center = tcsi_median(values, count, scratch);
    double spread = TCSI_MAD_TO_DEVIATION * tcsi_mad(values, count, center, scratch), deviation = sqrt(m.variance);
    if (!(spread >= mad_share_min * deviation)) spread = mad_substitute * deviation;
    return finish(&m, center, spread);
}

void tcsi_scale_apply(const tcsi_scale *scale, const double *values, size_t count, double *ret_scaled)
{
    for (size_t i = 0; i < count; i++) ret_scaled[i] = tcsi_present(values[i]) ? tcsi_scale_one(scale, values[i]) : NAN;
}

void tcsi_scale_invert(const tcsi_scale *scale, const double *scaled, size_t count, double *ret_values)
{
    for (size_t i = 0; i < count; i++) ret_values[i] = scale->center + scale->spread * scaled[i];
}
