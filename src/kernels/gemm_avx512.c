/* kernels/gemm_avx512.c -- the matrix product on AVX-512: tiles of 8 rows and up to 48 columns, or 6 rows and 64: at most 24 of the
 * 32 registers hold sums.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_avx512.h"

enum { WIDEST = 4 };

#include "kernels/gemm_lanes.h"

TILES_8(1)
TILES_8(2)
TILES_8(3)
TILES_6(4)
TILES_8(part)
ROW(1)
ROW(2)
ROW(3)
ROW(4)
ROW(5)
ROW(6)
ROW(7)
ROW(8)

const tcsi_gemm_ops tcsi_gemm_ops_avx512 = {
    .isa = TCSI_ISA_AVX512,
    .lane_bits = 4,
    .widest = WIDEST,
    .widest_row = 8,
    .tiles = { TABLE(8, 1), TABLE(8, 2), TABLE(8, 3), TABLE(6, 4) },
    .part = TABLE(8, part),
    .row = { row_1, row_2, row_3, row_4, row_5, row_6, row_7, row_8 },
    .transpose = tcsi_gemm_transpose_avx2,
    .narrow = &tcsi_gemm_ops_half_avx512,
};
