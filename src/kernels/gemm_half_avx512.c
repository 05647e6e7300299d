/* kernels/gemm_half_avx512.c -- the last 8 or fewer columns of a matrix product on AVX-512: half registers, which cost half on processors
 * that split whole ones, and whose masks are free where AVX2's are not.  SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>

#include <stddef.h>

enum { LANES = 8, WIDEST = 1 };
typedef __m256 floats;

#define INLINE static inline __attribute__((always_inline, unused))

#define floats_load(p) _mm256_loadu_ps(p)
#define floats_store(p, a) _mm256_storeu_ps(p, a)
#define floats_load_part(p, count) _mm256_maskz_loadu_ps((__mmask8)((1u << (count)) - 1), p)
#define floats_store_part(p, a, count) _mm256_mask_storeu_ps(p, (__mmask8)((1u << (count)) - 1), a)
#define floats_set(x) _mm256_set1_ps(x)
#define floats_add(a, b) _mm256_add_ps(a, b)
#define floats_max(a, b) _mm256_max_ps(a, b)
#define floats_fma(a, b, c) _mm256_fmadd_ps(a, b, c)

#include "kernels/gemm_lanes.h"

TILES_8(1)
TILES_8(part)

const tcsi_gemm_ops tcsi_gemm_ops_half_avx512 = {
    .isa = TCSI_ISA_AVX512,
    .lane_bits = 3,
    .widest = WIDEST,
    .tiles = { TABLE(8, 1) },
    .part = TABLE(8, part),
};
