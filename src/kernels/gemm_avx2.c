/* kernels/gemm_avx2.c -- the matrix product on AVX2 with FMA: tiles of 6 rows and 16 columns, or 8 rows and 8: 12 of the 16 registers
 * hold sums.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_avx2.h"

enum { WIDEST = 2 };

#include "kernels/gemm_lanes.h"

TILES_8(1)
TILES_6(2)
TILES_8(part)
ROW(1)
ROW(2)
ROW(3)
ROW(4)
ROW(5)
ROW(6)
ROW(7)
ROW(8)

/* An 8 x 8 block: rows are b_stride apart in b, out_stride apart in out. */
INLINE void transpose_block(const float *b, size_t b_stride, float *out, size_t out_stride)
{
    __m256 a[8], t[8];
    UNROLL for (size_t i = 0; i < 8; i++) a[i] = _mm256_loadu_ps(b + i * b_stride);
    UNROLL for (size_t i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    UNROLL for (size_t i = 0; i < 8; i += 4) {
        a[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        a[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        a[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        a[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    UNROLL for (size_t i = 0; i < 4; i++) {
        _mm256_storeu_ps(out + i * out_stride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
        _mm256_storeu_ps(out + (i + 4) * out_stride, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    }
}

void tcsi_gemm_transpose_avx2(size_t k, size_t n, const float *b, size_t b_stride, float *out, size_t out_stride)
{
    const size_t k_whole = k & ~(size_t)7, n_whole = n & ~(size_t)7;
    for (size_t j = 0; j < n_whole; j += 8)
        for (size_t p = 0; p < k_whole; p += 8) transpose_block(b + j * b_stride + p, b_stride, out + p * out_stride + j, out_stride);
    for (size_t j = 0; j < n; j++)
        for (size_t p = j < n_whole ? k_whole : 0; p < k; p++) out[p * out_stride + j] = b[j * b_stride + p];
}

const tcsi_gemm_ops tcsi_gemm_ops_avx2 = {
    .isa = TCSI_ISA_AVX2,
    .lane_bits = 3,
    .widest = WIDEST,
    .widest_row = 8,
    .tiles = { TABLE(8, 1), TABLE(6, 2) },
    .part = TABLE(8, part),
    .row = { row_1, row_2, row_3, row_4, row_5, row_6, row_7, row_8 },
    .transpose = tcsi_gemm_transpose_avx2,
};
