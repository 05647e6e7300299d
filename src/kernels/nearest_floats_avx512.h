/* kernels/nearest_floats_avx512.h -- a register of FLOATS floats for the search of near points,
 * under names that every tier shares.  Included by *_avx512.c only, which are compiled for that tier. */
#ifndef TCS_KERNELS_NEAREST_FLOATS_AVX512_H
#define TCS_KERNELS_NEAREST_FLOATS_AVX512_H

#include <immintrin.h>

#include <stddef.h>
#include <stdint.h>

enum { FLOATS = 16 };
typedef __m512 floats;

#define floats_load(p) _mm512_loadu_ps(p)
#define floats_store(p, a) _mm512_storeu_ps(p, a)
#define floats_set(x) _mm512_set1_ps(x)
#define floats_add(a, b) _mm512_add_ps(a, b)
#define floats_sub(a, b) _mm512_sub_ps(a, b)
#define floats_max(a, b) _mm512_max_ps(a, b)
#define floats_min(a, b) _mm512_min_ps(a, b)
#define floats_fma(a, b, c) _mm512_fmadd_ps(a, b, c)   /* c + a b */
#define floats_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c) /* c - a b */

/* The same registers as FLOATS whole numbers of 32 bits, or twice as many of 16. */
typedef __m512i ints;

#define ints_load(p) _mm512_loadu_si512(p)
#define ints_set(x) _mm512_set1_epi32(x)
#define ints_sub(a, b) _mm512_sub_epi32(a, b)
/* sum plus the dot product of each pair of 16 bits */
#if defined(__AVX512VNNI__)
#define ints_add_dot(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)
#else
#define ints_add_dot(sum, a, b) _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
#endif

static inline uint32_t ints_within(ints a, ints b)
{
    return _mm512_cmple_epi32_mask(a, b);
}

static inline float floats_sum(floats a)
{
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

/* Bit l: lane l of a does not exceed that of b; NaN does. */
static inline uint32_t floats_within(floats a, floats b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}

/* Appends the lanes of a whose bits are set to near, and the places beside them to at; returns how many.  near and at have room
 * for FLOATS of them, and may be where a and places came from. */
static inline size_t floats_keep(uint32_t bits, floats a, const uint32_t *places, float *near, uint32_t *at)
{
    /* Into a register and then to memory: on some processors the form that stores takes a hundred cycles. */
    __m512i numbers = _mm512_maskz_compress_epi32((__mmask16)bits, _mm512_loadu_si512(places));
    _mm512_storeu_ps(near, _mm512_maskz_compress_ps((__mmask16)bits, a));
    _mm512_storeu_si512(at, numbers);
    return (size_t)__builtin_popcount(bits);
}

#endif
