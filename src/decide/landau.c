/* SPDX-License-Identifier: Apache-2.0 */
#include "decide/landau.h"

#include <math.h>

enum { INTERVAL_COUNT = 160, SEARCH_COUNT_MAX = 200 };
static const double PI = 3.14159265358979323846, Y_LOW = -36, Y_HIGH = 4;

/* ln V with s = 1 / d, in which it is nearly a straight line. */
static double ln_v(double s)
{
    const double d = 1 / s;
    return log(2 / PI * (PI - d) / sin(d)) + (PI - d) / tan(d);
}

static double ln_v_slope(double s)
{
    const double d = 1 / s, sine = sin(d);
    return d * d * (1 / (PI - d) + 2 / tan(d) + (PI - d) / (sine * sine));
}

/* s with ln V = level, by Newton's steps that stay within a bracket. */
static double solve(double level)
{
    double low = 1 / PI, high = fmax(level / PI, 1) + 2, s = high;
    for (int i = 0; i < SEARCH_COUNT_MAX && high - low > 1e-14 * high; i++) {
        const double gap = ln_v(s) - level, next = s - gap / ln_v_slope(s);
        if (gap > 0) high = s;
        else low = s;
        if (fabs(next - s) <= 1e-12 * s) return next;
        s = next > low && next < high ? next : low + (high - low) / 2;
    }
    return s;
}

double tcsi_landau_tail(double z)
{
    const double shift = PI / 2 * z, y_edge = log(2 / PI) - 1 - shift;
    if (y_edge > Y_HIGH) return 1;
    if (!isfinite(shift)) return 0;
    const double begin = y_edge > Y_LOW ? 1 / PI : solve(Y_LOW + shift), end = solve(Y_HIGH + shift);
    const double step = (end - begin) / INTERVAL_COUNT;
    double sum = 0;
    for (int i = 0; i <= INTERVAL_COUNT; i++) { /* Simpson's rule */
        const double s = begin + i * step, y = i == 0 && y_edge > Y_LOW ? y_edge : ln_v(s) - shift;
        sum += (i == 0 || i == INTERVAL_COUNT ? 1 : i % 2 ? 4 : 2) * -expm1(-exp(y)) / (s * s);
    }
    return fmin(1, (1 / end + sum * step / 3) / PI);
}
