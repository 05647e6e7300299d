/* kernels/nearest_floats_avx2.h -- a register of FLOATS floats for the search of near points,
 * under names that every tier shares.  Included by *_avx2.c only, which are compiled for that tier. */
#ifndef TCS_KERNELS_NEAREST_FLOATS_AVX2_H
#define TCS_KERNELS_NEAREST_FLOATS_AVX2_H

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
#define floats_min(a, b) _mm256_min_ps(a, b)
#define floats_fma(a, b, c) _mm256_fmadd_ps(a, b, c)   /* c + a b */
#define floats_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c) /* c - a b */

/* The same registers as FLOATS whole numbers of 32 bits, or twice as many of 16. */
typedef __m256i ints;

#define ints_load(p) _mm256_loadu_si256((const __m256i *)(p))
#define ints_set(x) _mm256_set1_epi32(x)
#define ints_sub(a, b) _mm256_sub_epi32(a, b)
#define ints_add_dot(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)) /* sum plus the dot product of each pair of 16 bits */

static inline uint32_t ints_within(ints a, ints b)
{
    return ~(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b))) & 0xff;
}

static inline float floats_sum(floats a)
{
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

/* Bit l: lane l of a does not exceed that of b; NaN does. */
static inline uint32_t floats_within(floats a, floats b)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ));
}

/* Appends the lanes of a whose bits are set to near, and the places beside them to at; returns how many.  near and at have room
 * for FLOATS of them, and may be where a and places came from. */
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
