/* nn/ops/range.h -- a predicted spread is kept inside a range, and finds its way back into it.
 *
 * Outside the range the value is that of the border.  A hard clamp would have slope 0 there and a net that once left could never
 * return; a slope of 1 lets it drift further out for nothing.  So a gradient passes outside only when following it (downhill)
 * leads back. */
#ifndef TCS_NN_OPS_RANGE_H
#define TCS_NN_OPS_RANGE_H

typedef struct tcsi_range {
    float low, high;
} tcsi_range;

/* NaN stays NaN. */
static inline float tcsi_range_clamp(tcsi_range range, float value)
{
    return value < range.low ? range.low : value > range.high ? range.high : value;
}

/* The gradient of a clamped value, for the value as it was. */
static inline double tcsi_range_gradient(tcsi_range range, float value, double gradient)
{
    if ((value < range.low && gradient > 0) || (value > range.high && gradient < 0)) return 0;
    return gradient;
}

#endif
