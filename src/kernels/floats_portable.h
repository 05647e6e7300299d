/* kernels/floats_portable.h -- a register of LANES floats in GNU C's vector types, under names that every tier shares
 * (floats_avx2.h, floats_avx512.h).  Four lanes are native on every processor we know (SSE2, NEON), and nothing here depends on a
 * compiler finding a loop to widen.
 *
 * A multiply-add rounds twice here (there is no fused one to count on), where the other tiers round once: that is the only difference
 * between the tiers.  min(a,b) is a < b ? a : b and max(a,b) is a > b ? a : b, so that the second operand wins with NaN. */
#ifndef TCS_KERNELS_FLOATS_PORTABLE_H
#define TCS_KERNELS_FLOATS_PORTABLE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 4 };
typedef float floats __attribute__((vector_size(16)));
typedef int32_t ints __attribute__((vector_size(16)));
typedef uint32_t uints __attribute__((vector_size(16)));
typedef uint64_t longs __attribute__((vector_size(16))); /* LANES / 2 */
typedef ints mask; /* all bits or none */
typedef double doubles_half __attribute__((vector_size(16)));
typedef struct doubles {
    doubles_half low, high;
} doubles; /* LANES of them */

#define INLINE static inline __attribute__((always_inline, unused))

INLINE floats floats_load(const float *p)
{
    floats a;
    memcpy(&a, p, sizeof a);
    return a;
}

INLINE void floats_store(float *p, floats a)
{
    memcpy(p, &a, sizeof a);
}

/* The first count < LANES lanes; the others are 0. */
INLINE floats floats_load_part(const float *p, size_t count)
{
    floats a = { 0 };
    memcpy(&a, p, count * sizeof *p);
    return a;
}

INLINE void floats_store_part(float *p, floats a, size_t count)
{
    memcpy(p, &a, count * sizeof *p);
}

INLINE floats floats_set(float x)
{
    return (floats){ x, x, x, x };
}

INLINE ints ints_set(int32_t x)
{
    return (ints){ x, x, x, x };
}

#define floats_add(a, b) ((a) + (b))
#define floats_sub(a, b) ((a) - (b))
#define floats_mul(a, b) ((a) * (b))
#define floats_div(a, b) ((a) / (b))
#define floats_fma(a, b, c) ((a) * (b) + (c))
#define floats_less(a, b) ((mask)((a) < (b)))
#define floats_equal(a, b) ((mask)((a) == (b)))
#define floats_is_nan(a) ((mask)((a) != (a)))
#define floats_as_ints(a) ((ints)(a))
#define ints_as_floats(a) ((floats)(a))
#define ints_add(a, b) ((ints)((uints)(a) + (uints)(b))) /* wraps */
#define ints_sub(a, b) ((ints)((uints)(a) - (uints)(b)))
#define ints_and(a, b) ((a) & (b))
#define ints_or(a, b) ((a) | (b))
#define ints_xor(a, b) ((a) ^ (b))
#define ints_shift_left(a, count) ((ints)((uints)(a) << (count)))
#define ints_shift_right(a, count) ((a) >> (count)) /* keeps the sign */
#define ints_shift_right_zeros(a, count) ((ints)((uints)(a) >> (count)))
#define ints_to_floats(a) __builtin_convertvector(a, floats)
#define floats_to_ints(a) __builtin_convertvector(a, ints) /* toward zero; in range only */

/* a 2^n, rounded once; n is a whole number of at most +-250 and a is between 1/2 and 2. */
INLINE floats floats_scale(floats a, floats n)
{
    const ints i = floats_to_ints(n), half = ints_shift_right(i, 1), bias = ints_set(127);
    const floats first = ints_as_floats(ints_shift_left(ints_add(half, bias), 23));
    return a * first * ints_as_floats(ints_shift_left(ints_add(ints_sub(i, half), bias), 23));
}

INLINE ints ints_load(const uint32_t *p)
{
    ints a;
    memcpy(&a, p, sizeof a);
    return a;
}

INLINE void ints_store(uint32_t *p, ints a)
{
    memcpy(p, &a, sizeof a);
}

INLINE void ints_store_part(uint32_t *p, ints a, size_t count)
{
    memcpy(p, &a, count * sizeof *p);
}

#define mask_and(a, b) ((a) & (b))
#define mask_or(a, b) ((a) | (b))

INLINE ints ints_select(mask m, ints a, ints b) /* m ? a : b */
{
    return (m & a) | (~m & b);
}

INLINE floats floats_select(mask m, floats a, floats b) /* m ? a : b */
{
    return (floats)((m & (ints)a) | (~m & (ints)b));
}

INLINE floats floats_min(floats a, floats b)
{
    return floats_select(a < b, a, b);
}

INLINE floats floats_max(floats a, floats b)
{
    return floats_select(a > b, a, b);
}

INLINE floats floats_sqrt(floats a)
{
    for (size_t l = 0; l < LANES; l++) a[l] = sqrtf(a[l]);
    return a;
}

#define longs_from_even(a) ((longs)(a))         /* lanes 0, 2, ... in the lower halves; what is above does not matter */
#define longs_from_odd(a) ((longs)(a) >> 32)
#define longs_join(even, odd) ((ints)(((even) & UINT32_MAX) | (odd) << 32)) /* the lower halves */
#define longs_multiply(a, factor) (((a) & UINT32_MAX) * (factor)) /* the lower half of a times 32 bits, all 64 of it */
#define longs_upper(a) ((a) >> 32)
#define longs_xor3(a, b, c) ((a) ^ (b) ^ (c))

INLINE longs longs_set(uint64_t x)
{
    return (longs){ x, x };
}

/* The largest lane; with a NaN anything. */
INLINE float floats_max_across(floats a)
{
    float first = a[0] > a[2] ? a[0] : a[2], second = a[1] > a[3] ? a[1] : a[3];
    return first > second ? first : second;
}

/* Four floats from each of LANES / 4 places, stride apart. */
INLINE floats floats_load_quads(const float *p, size_t stride)
{
    (void)stride;
    return floats_load(p);
}

/* Turns each group of 4 x 4 lanes: lane j of row[i] becomes lane i of row[j], within every 4 lanes. */
INLINE void floats_turn(floats row[4])
{
    float before[4][4], after[4][4];
    memcpy(before, row, sizeof before);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) after[j][i] = before[i][j];
    memcpy(row, after, sizeof after);
}

/* ---- LANES doubles ---- */

INLINE doubles doubles_set(double x)
{
    return (doubles){ { x, x }, { x, x } };
}

INLINE doubles doubles_load(const double *p)
{
    doubles a;
    memcpy(&a, p, sizeof a);
    return a;
}

INLINE void doubles_store(double *p, doubles a)
{
    memcpy(p, &a, sizeof a);
}

INLINE doubles doubles_from(floats a)
{
    return (doubles){ { (double)a[0], (double)a[1] }, { (double)a[2], (double)a[3] } };
}

INLINE floats floats_from(doubles a)
{
    return (floats){ (float)a.low[0], (float)a.low[1], (float)a.high[0], (float)a.high[1] };
}

INLINE doubles doubles_add(doubles a, doubles b)
{
    return (doubles){ a.low + b.low, a.high + b.high };
}

INLINE doubles doubles_sub(doubles a, doubles b)
{
    return (doubles){ a.low - b.low, a.high - b.high };
}

INLINE doubles doubles_mul(doubles a, doubles b)
{
    return (doubles){ a.low * b.low, a.high * b.high };
}

/* The first count lanes; the others become 0. */
INLINE doubles doubles_first(doubles a, size_t count)
{
    double lane[LANES];
    doubles_store(lane, a);
    for (size_t l = count; l < LANES; l++) lane[l] = 0;
    return doubles_load(lane);
}

/* All lanes added, in halves: lane l and l + LANES / 2 first. */
INLINE double doubles_across(doubles a)
{
    doubles_half half = a.low + a.high;
    return half[0] + half[1];
}

#endif
