/* series/scale.h -- centre and spread of a channel: to scores of a common size, and back.
 * Missing values (tcsi_present) are passed over and stay missing.  Threads: reentrant. */
#ifndef TCS_SERIES_SCALE_H
#define TCS_SERIES_SCALE_H

#include "base/status.h"

typedef struct tcsi_scale {
    double center; /* finite */
    double spread; /* > 0, finite: the floor has been applied */
    bool constant; /* nothing to scale: at most one different value was present; spread is then 1 */
} tcsi_scale;

/* Mean and population standard deviation. */
tcsi_scale tcsi_scale_standard(const double *values, size_t count);

/* Median and median absolute deviation times 1.4826.  More than half of the values equal makes the MAD useless (a valve that
 * is mostly shut): when it is below a thousandth of the standard deviation, a tenth of that is taken instead.
 * scratch: room for count. */
tcsi_scale tcsi_scale_robust(const double *values, size_t count, double *scratch);

/* ret[i] = (values[i] - center) / spread; the difference is taken first, so that an offset costs no digits.
 * Missing values become NaN.  ret may be values. */
void tcsi_scale_apply(const tcsi_scale *scale, const double *values, size_t count, double *ret_scaled);
void tcsi_scale_invert(const tcsi_scale *scale, const double *scaled, size_t count, double *ret_values);

static inline double tcsi_scale_one(const tcsi_scale *scale, double value)
{
    return (value - scale->center) / scale->spread;
}

#endif
