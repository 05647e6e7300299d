/* kernels/floats_avx2.h -- a register of FLOATS floats on AVX2 with FMA, under names that every tier shares.
 * Included by *_avx2.c only, which are compiled for that tier. */
#ifndef TCS_KERNELS_FLOATS_AVX2_H
#define TCS_KERNELS_FLOATS_AVX2_H

#include <immintrin.h>

#include <stddef.h>
#include <stdint.h>

enum { FLOATS = 8 };
typedef __m256 floats;

#define floats_load(p) _mm256_loadu_ps(p)
#define floats_store(p, a) _mm256_storeu_ps(p, a)
#define floats_set(x) _mm256_set1_ps(x)
#define floats_add(a, b) _mm256_add_ps(a, b)
#define floats_sub(a, b) _mm256_sub_ps(a, b)
#define floats_max(a, b) _mm256_max_ps(a, b)
#define floats_fma(a, b, c) _mm256_fmadd_ps(a, b, c)   /* c + a b */
#define floats_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c) /* c - a b */

/* Bit l: lane l of a does not exceed that of b; NaN does. */
static inline uint32_t floats_within(floats a, floats b)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ));
}

/* Appends the lanes of a whose bits are set to near, and first + their numbers to at; returns how many.  Room for FLOATS of
 * them is needed, whatever their number. */
static inline size_t floats_append(uint32_t bits, floats a, uint32_t first, float *near, uint32_t *at)
{
    float lanes[FLOATS];
    size_t count = 0;
    floats_store(lanes, a);
    for (; bits; bits &= bits - 1) {
        uint32_t lane = (uint32_t)__builtin_ctz(bits);
        near[count] = lanes[lane];
        at[count++] = first + lane;
    }
    return count;
}

/* The same with numbers of their own, read from places; near and at may be where lanes and places came from. */
static inline size_t floats_keep(uint32_t bits, floats a, const uint32_t *places, float *near, uint32_t *at)
{
    float lanes[FLOATS];
    size_t count = 0;
    floats_store(lanes, a);
    for (; bits; bits &= bits - 1) {
        uint32_t lane = (uint32_t)__builtin_ctz(bits);
        near[count] = lanes[lane];
        at[count++] = places[lane];
    }
    return count;
}

#endif
