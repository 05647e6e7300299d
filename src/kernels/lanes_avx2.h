/* kernels/lanes_avx2.h -- a register of LANES doubles on AVX2 with FMA, under names that every tier shares.
 * Included by *_avx2.c only, which are compiled for that tier. */
#ifndef TCS_KERNELS_LANES_AVX2_H
#define TCS_KERNELS_LANES_AVX2_H

#include <immintrin.h>

#include <stddef.h>

enum { LANES = 4 };
typedef __m256d lanes;

#define lanes_load(p) _mm256_loadu_pd(p)
#define lanes_store(p, a) _mm256_storeu_pd(p, a)
#define lanes_set(x) _mm256_set1_pd(x)
#define lanes_add(a, b) _mm256_add_pd(a, b)
#define lanes_sub(a, b) _mm256_sub_pd(a, b)
#define lanes_mul(a, b) _mm256_mul_pd(a, b)
#define lanes_min(a, b) _mm256_min_pd(a, b)
#define lanes_fma(a, b, c) _mm256_fmadd_pd(a, b, c)

/* The last lane of low, then all of high but its last. */
static inline lanes lanes_shift(lanes high, lanes low)
{
    lanes middle = _mm256_permute2f128_pd(low, high, 0x21); /* low's upper half, high's lower half */
    return _mm256_shuffle_pd(middle, high, 5);
}

static inline double lanes_last(lanes a)
{
    __m128d upper = _mm256_extractf128_pd(a, 1);
    return _mm_cvtsd_f64(_mm_unpackhi_pd(upper, upper));
}

static inline lanes lanes_replace_first(lanes a, double x)
{
    return _mm256_blend_pd(a, _mm256_set1_pd(x), 1);
}

#endif
