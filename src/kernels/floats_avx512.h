/* kernels/floats_avx512.h -- a register of FLOATS floats on AVX-512, under names that every tier shares.
 * Included by *_avx512.c only, which are compiled for that tier. */
#ifndef TCS_KERNELS_FLOATS_AVX512_H
#define TCS_KERNELS_FLOATS_AVX512_H

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
#define floats_fma(a, b, c) _mm512_fmadd_ps(a, b, c)   /* c + a b */
#define floats_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c) /* c - a b */

/* Bit l: lane l of a does not exceed that of b; NaN does. */
static inline uint32_t floats_within(floats a, floats b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
}

static inline size_t floats_store_some(uint32_t bits, floats a, __m512i numbers, float *near, uint32_t *at)
{
    /* Into a register and then to memory: on some processors the form that stores takes a hundred cycles. */
    _mm512_storeu_ps(near, _mm512_maskz_compress_ps((__mmask16)bits, a));
    _mm512_storeu_si512(at, _mm512_maskz_compress_epi32((__mmask16)bits, numbers));
    return (size_t)__builtin_popcount(bits);
}

/* Appends the lanes of a whose bits are set to near, and first + their numbers to at; returns how many.  Room for FLOATS of
 * them is needed, whatever their number. */
static inline size_t floats_append(uint32_t bits, floats a, uint32_t first, float *near, uint32_t *at)
{
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return floats_store_some(bits, a, _mm512_add_epi32(lane, _mm512_set1_epi32((int)first)), near, at);
}

/* The same with numbers of their own, read from places; near and at may be where lanes and places came from. */
static inline size_t floats_keep(uint32_t bits, floats a, const uint32_t *places, float *near, uint32_t *at)
{
    return floats_store_some(bits, a, _mm512_loadu_si512(places), near, at);
}

#endif
