/* kernels/floats_avx512.h -- a register of LANES floats on AVX-512, under names that every tier shares (floats_portable.h says what
 * they mean).  Included by *_avx512.c only, which are compiled for that tier. */
#ifndef TCS_KERNELS_FLOATS_AVX512_H
#define TCS_KERNELS_FLOATS_AVX512_H

#include <immintrin.h>

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };
typedef __m512 floats;
typedef __m512i ints;
typedef __mmask16 mask;
typedef struct doubles {
    __m512d low, high;
} doubles;

#define INLINE static inline __attribute__((always_inline, unused))

#define floats_load(p) _mm512_loadu_ps(p)
#define floats_store(p, a) _mm512_storeu_ps(p, a)
#define floats_load_part(p, count) _mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), p)
#define floats_store_part(p, a, count) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (count)) - 1), a)
#define floats_set(x) _mm512_set1_ps(x)
#define floats_add(a, b) _mm512_add_ps(a, b)
#define floats_sub(a, b) _mm512_sub_ps(a, b)
#define floats_mul(a, b) _mm512_mul_ps(a, b)
#define floats_div(a, b) _mm512_div_ps(a, b)
#define floats_sqrt(a) _mm512_sqrt_ps(a)
#define floats_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define floats_min(a, b) _mm512_min_ps(a, b)
#define floats_max(a, b) _mm512_max_ps(a, b)
#define floats_less(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)
#define floats_equal(a, b) _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ)
#define floats_is_nan(a) _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q)
#define floats_select(m, a, b) _mm512_mask_blend_ps(m, b, a)
#define floats_as_ints(a) _mm512_castps_si512(a)
#define floats_to_ints(a) _mm512_cvttps_epi32(a)
#define floats_scale(a, n) _mm512_scalef_ps(a, n)

#define ints_load(p) _mm512_loadu_si512(p)
#define ints_store(p, a) _mm512_storeu_si512(p, a)
#define ints_store_part(p, a, count) _mm512_mask_storeu_epi32(p, (__mmask16)((1u << (count)) - 1), a)
#define ints_set(x) _mm512_set1_epi32(x)
#define ints_add(a, b) _mm512_add_epi32(a, b)
#define ints_sub(a, b) _mm512_sub_epi32(a, b)
#define ints_and(a, b) _mm512_and_si512(a, b)
#define ints_or(a, b) _mm512_or_si512(a, b)
#define ints_xor(a, b) _mm512_xor_si512(a, b)
#define ints_shift_left(a, count) _mm512_slli_epi32(a, count)
#define ints_shift_right(a, count) _mm512_srai_epi32(a, count)
#define ints_shift_right_zeros(a, count) _mm512_srli_epi32(a, count)
#define ints_select(m, a, b) _mm512_mask_blend_epi32(m, b, a)
#define ints_as_floats(a) _mm512_castsi512_ps(a)
#define ints_to_floats(a) _mm512_cvtepi32_ps(a)

#define mask_and(a, b) ((mask)((a) & (b)))
#define mask_or(a, b) ((mask)((a) | (b)))

INLINE ints ints_mul_wide(ints a, uint32_t factor, ints *ret_high)
{
    ints f = ints_set((int32_t)factor), even = _mm512_mul_epu32(a, f), odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), f);
    *ret_high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
    return _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}

INLINE float floats_max_across(floats a)
{
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

INLINE floats floats_load_quads(const float *p, size_t stride)
{
    __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1);
    __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 2 * stride)), _mm_loadu_ps(p + 3 * stride), 1);
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

INLINE void floats_turn(floats row[4])
{
    __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(row[0], row[1])), b = _mm512_castps_pd(_mm512_unpacklo_ps(row[2], row[3]));
    __m512d c = _mm512_castps_pd(_mm512_unpackhi_ps(row[0], row[1])), d = _mm512_castps_pd(_mm512_unpackhi_ps(row[2], row[3]));
    row[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
    row[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
    row[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(c, d));
    row[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(c, d));
}

/* ---- LANES doubles ---- */

INLINE doubles doubles_set(double x)
{
    return (doubles){ _mm512_set1_pd(x), _mm512_set1_pd(x) };
}

INLINE doubles doubles_load(const double *p)
{
    return (doubles){ _mm512_loadu_pd(p), _mm512_loadu_pd(p + 8) };
}

INLINE void doubles_store(double *p, doubles a)
{
    _mm512_storeu_pd(p, a.low);
    _mm512_storeu_pd(p + 8, a.high);
}

INLINE doubles doubles_from(floats a)
{
    return (doubles){ _mm512_cvtps_pd(_mm512_castps512_ps256(a)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)) };
}

INLINE floats floats_from(doubles a)
{
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(a.low)), _mm512_cvtpd_ps(a.high), 1);
}

INLINE doubles doubles_add(doubles a, doubles b)
{
    return (doubles){ _mm512_add_pd(a.low, b.low), _mm512_add_pd(a.high, b.high) };
}

INLINE doubles doubles_sub(doubles a, doubles b)
{
    return (doubles){ _mm512_sub_pd(a.low, b.low), _mm512_sub_pd(a.high, b.high) };
}

INLINE doubles doubles_mul(doubles a, doubles b)
{
    return (doubles){ _mm512_mul_pd(a.low, b.low), _mm512_mul_pd(a.high, b.high) };
}

INLINE doubles doubles_first(doubles a, size_t count)
{
    const unsigned bits = (1u << count) - 1;
    return (doubles){ _mm512_maskz_mov_pd((__mmask8)bits, a.low), _mm512_maskz_mov_pd((__mmask8)(bits >> 8), a.high) };
}

INLINE double doubles_across(doubles a)
{
    __m512d eight = _mm512_add_pd(a.low, a.high);
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
