/* kernels/gemm_portable.c -- the matrix product for any processor: tiles of 4 rows and 8 columns, 8 of 16 registers (SSE2; NEON has 32)
 * hold sums, because a multiply-add that is not fused needs others in between.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_portable.h"

enum { WIDEST = 2 };

/* In an inner loop: memcpy with a length that compilers do not know would be a call. */
INLINE floats load_few(const float *p, size_t count)
{
    if (count == 1) return (floats){ p[0], 0, 0, 0 };
    if (count == 2) return (floats){ p[0], p[1], 0, 0 };
    return (floats){ p[0], p[1], p[2], 0 };
}
#define floats_load_part(p, count) load_few(p, count)

#include "kernels/gemm_lanes.h"

TILES_8(1)
TILES_4(2)
TILES_8(part)
ROW(1)
ROW(2)
ROW(3)
ROW(4)

enum { BLOCK = 8 };

/* Blockwise, so that a line of b is used up while it is in the cache. */
static void transpose(size_t k, size_t n, const float *b, size_t b_stride, float *out, size_t out_stride)
{
    for (size_t first = 0; first < k; first += BLOCK)
        for (size_t j = 0; j < n; j++)
            for (size_t p = first; p < k && p < first + BLOCK; p++) out[p * out_stride + j] = b[j * b_stride + p];
}

const tcsi_gemm_ops tcsi_gemm_ops_portable = {
    .isa = TCSI_ISA_PORTABLE,
    .lane_bits = 2,
    .widest = WIDEST,
    .widest_row = 4,
    .tiles = { TABLE(8, 1), TABLE(4, 2) },
    .part = TABLE(8, part),
    .row = { row_1, row_2, row_3, row_4 },
    .transpose = transpose,
};
