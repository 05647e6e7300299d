/* kernels/math_lanes.h -- exp, log and what is made of them, on a register of floats. */
#ifndef TCS_KERNELS_MATH_LANES_H
#define TCS_KERNELS_MATH_LANES_H

#include <math.h>

#define BY_LANE(name, expression)                                    \
    INLINE floats name(floats a)                                     \
    {                                                                \
        float lane[LANES];                                           \
        floats_store(lane, a);                                       \
        for (size_t l = 0; l < LANES; l++) {                         \
            double x = (double)lane[l];                              \
            lane[l] = (float)(expression);                           \
        }                                                            \
        return floats_load(lane);                                    \
    }

BY_LANE(floats_exp, exp(x))
BY_LANE(floats_log, log(x))
BY_LANE(floats_tanh, tanh(x))
BY_LANE(floats_sigmoid, 1 / (1 + exp(-x)))
BY_LANE(floats_softplus, isnan(x) ? x : fmax(x, 0) + log1p(exp(-fabs(x))))
BY_LANE(floats_one_less_exp_minus, -expm1(-x))
BY_LANE(floats_normal_cdf, erfc(-x * 0.7071067811865476) / 2)
BY_LANE(floats_normal_density, exp(-x * x / 2) * 0.3989422804014327)
BY_LANE(floats_gelu, isinf(x) ? (x > 0 ? x : 0) : x * erfc(-x * 0.7071067811865476) / 2)

INLINE floats floats_relu(floats a)
{
    return floats_max(floats_set(0), a); /* in this order NaN stays NaN */
}

INLINE floats floats_abs(floats a)
{
    return ints_as_floats(ints_and(floats_as_ints(a), ints_set(0x7fffffff)));
}

#endif
