/* tests/support/bfloat16.h -- rounding to bfloat16 as kernels/precision.h says, by arithmetic instead of bits. */
#ifndef TCS_TEST_BFLOAT16_H
#define TCS_TEST_BFLOAT16_H

#include <float.h>
#include <math.h>

static inline float bfloat16_of(float x)
{
    int exponent;
    if (isnan(x) || isinf(x)) return x;
    if (fabsf(x) < FLT_MIN) return copysignf(0, x);
    const double part = frexp((double)x, &exponent); /* 8 bits in front of the point, ties to even */
    return (float)ldexp(nearbyint(ldexp(part, 8)), exponent - 8);
}

#endif
