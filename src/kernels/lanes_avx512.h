/* kernels/lanes_avx512.h -- a register of LANES doubles on AVX-512, under names that every tier shares.
 * Included by *_avx512.c only, which are compiled for that tier. */
#ifndef TCS_KERNELS_LANES_AVX512_H
#define TCS_KERNELS_LANES_AVX512_H

#include <immintrin.h>

#include <stddef.h>

enum { LANES = 8 };
typedef __m512d lanes;

#define lanes_load(p) _mm512_loadu_pd(p)
#define lanes_store(p, a) _mm512_storeu_pd(p, a)
#define lanes_set(x) _mm512_set1_pd(x)
#define lanes_add(a, b) _mm512_add_pd(a, b)
#define lanes_sub(a, b) _mm512_sub_pd(a, b)
#define lanes_mul(a, b) _mm512_mul_pd(a, b)
#define lanes_min(a, b) _mm512_min_pd(a, b)
#define lanes_fma(a, b, c) _mm512_fmadd_pd(a, b, c)

/* The last lane of low, then all of high but its last. */
static inline lanes lanes_shift(lanes high, lanes low)
{
    return _mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(high), _mm512_castpd_si512(low), 7));
}

static inline double lanes_last(lanes a)
{
    return _mm512_cvtsd_f64(_mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(a), _mm512_castpd_si512(a), 7)));
}

static inline lanes lanes_replace_first(lanes a, double x)
{
    return _mm512_mask_mov_pd(a, 1, _mm512_set1_pd(x));
}

#endif
