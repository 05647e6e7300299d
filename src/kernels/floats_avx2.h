/* kernels/floats_avx2.h -- a register of LANES floats on AVX2 with FMA, under names that every tier shares (floats_portable.h says what
 * they mean).  Included by *_avx2.c only, which are compiled for that tier. */
#ifndef TCS_KERNELS_FLOATS_AVX2_H
#define TCS_KERNELS_FLOATS_AVX2_H

#include <immintrin.h>

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 8 };
typedef __m256 floats;
typedef __m256i ints;
typedef __m256 mask; /* all bits or none */
typedef struct doubles {
    __m256d low, high;
} doubles;

#define INLINE static inline __attribute__((always_inline, unused))

/* The first count lanes. */
INLINE __m256i lanes_below(size_t count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

#define floats_load(p) _mm256_loadu_ps(p)
#define floats_store(p, a) _mm256_storeu_ps(p, a)
#define floats_load_part(p, count) _mm256_maskload_ps(p, lanes_below(count))
#define floats_store_part(p, a, count) _mm256_maskstore_ps(p, lanes_below(count), a)
#define floats_set(x) _mm256_set1_ps(x)
#define floats_add(a, b) _mm256_add_ps(a, b)
#define floats_sub(a, b) _mm256_sub_ps(a, b)
#define floats_mul(a, b) _mm256_mul_ps(a, b)
#define floats_div(a, b) _mm256_div_ps(a, b)
#define floats_sqrt(a) _mm256_sqrt_ps(a)
#define floats_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define floats_min(a, b) _mm256_min_ps(a, b)
#define floats_max(a, b) _mm256_max_ps(a, b)
#define floats_less(a, b) _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define floats_equal(a, b) _mm256_cmp_ps(a, b, _CMP_EQ_OQ)
#define floats_is_nan(a) _mm256_cmp_ps(a, a, _CMP_UNORD_Q)
#define floats_select(m, a, b) _mm256_blendv_ps(b, a, m)
#define floats_as_ints(a) _mm256_castps_si256(a)
#define floats_to_ints(a) _mm256_cvttps_epi32(a)

#define ints_load(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define ints_store(p, a) _mm256_storeu_si256((__m256i *)(void *)(p), a)
#define ints_store_part(p, a, count) _mm256_maskstore_epi32((int *)(void *)(p), lanes_below(count), a)
#define ints_set(x) _mm256_set1_epi32(x)
#define ints_add(a, b) _mm256_add_epi32(a, b)
#define ints_sub(a, b) _mm256_sub_epi32(a, b)
#define ints_and(a, b) _mm256_and_si256(a, b)
#define ints_or(a, b) _mm256_or_si256(a, b)
#define ints_xor(a, b) _mm256_xor_si256(a, b)
#define ints_shift_left(a, count) _mm256_slli_epi32(a, count)
#define ints_shift_right(a, count) _mm256_srai_epi32(a, count)
#define ints_shift_right_zeros(a, count) _mm256_srli_epi32(a, count)
#define ints_select(m, a, b) _mm256_blendv_epi8(b, a, _mm256_castps_si256(m))
#define ints_as_floats(a) _mm256_castsi256_ps(a)
#define ints_to_floats(a) _mm256_cvtepi32_ps(a)

#define mask_and(a, b) _mm256_and_ps(a, b)
#define mask_or(a, b) _mm256_or_ps(a, b)

INLINE floats floats_scale(floats a, floats n)
{
    ints i = _mm256_cvtps_epi32(n), half = ints_shift_right(i, 1), bias = ints_set(127);
    floats first = ints_as_floats(ints_shift_left(ints_add(half, bias), 23));
    return floats_mul(floats_mul(a, first), ints_as_floats(ints_shift_left(ints_add(ints_sub(i, half), bias), 23)));
}

INLINE ints ints_mul_wide(ints a, uint32_t factor, ints *ret_high)
{
    ints f = ints_set((int32_t)factor), even = _mm256_mul_epu32(a, f), odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), f);
    *ret_high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

INLINE float floats_max_across(floats a)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

INLINE floats floats_load_quads(const float *p, size_t stride)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1);
}

INLINE void floats_turn(floats row[4])
{
    __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(row[0], row[1])), b = _mm256_castps_pd(_mm256_unpacklo_ps(row[2], row[3]));
    __m256d c = _mm256_castps_pd(_mm256_unpackhi_ps(row[0], row[1])), d = _mm256_castps_pd(_mm256_unpackhi_ps(row[2], row[3]));
    row[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
    row[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
    row[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(c, d));
    row[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(c, d));
}

/* ---- LANES doubles ---- */

INLINE doubles doubles_set(double x)
{
    return (doubles){ _mm256_set1_pd(x), _mm256_set1_pd(x) };
}

INLINE doubles doubles_load(const double *p)
{
    return (doubles){ _mm256_loadu_pd(p), _mm256_loadu_pd(p + 4) };
}

INLINE void doubles_store(double *p, doubles a)
{
    _mm256_storeu_pd(p, a.low);
    _mm256_storeu_pd(p + 4, a.high);
}

INLINE doubles doubles_from(floats a)
{
    return (doubles){ _mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)) };
}

INLINE floats floats_from(doubles a)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(a.low)), _mm256_cvtpd_ps(a.high), 1);
}

INLINE doubles doubles_add(doubles a, doubles b)
{
    return (doubles){ _mm256_add_pd(a.low, b.low), _mm256_add_pd(a.high, b.high) };
}

INLINE doubles doubles_sub(doubles a, doubles b)
{
    return (doubles){ _mm256_sub_pd(a.low, b.low), _mm256_sub_pd(a.high, b.high) };
}

INLINE doubles doubles_mul(doubles a, doubles b)
{
    return (doubles){ _mm256_mul_pd(a.low, b.low), _mm256_mul_pd(a.high, b.high) };
}

INLINE doubles doubles_first(doubles a, size_t count)
{
    __m256i bits = lanes_below(count);
    __m256d low = _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(bits)));
    __m256d high = _mm256_castsi256_pd(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(bits, 1)));
    return (doubles){ _mm256_and_pd(a.low, low), _mm256_and_pd(a.high, high) };
}

INLINE double doubles_across(doubles a)
{
    __m256d four = _mm256_add_pd(a.low, a.high);
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
