/* kernels/gemm_bfloat16_avx512.c -- the matrix product of operands rounded to bfloat16 on AVX512_BF16: the tiles of gemm_avx512.c over
 * cells of two values.
 *
 * VDPBF16PS adds two products to each sum: first that of the upper halves of its cells, then, rounded in between, that of the lower ones.
 * With the first of two p in the upper half each sum is therefore the one ascending chain of gemm.h, and an operand that is left out
 * equals one that is zero.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_avx512.h"

#undef floats_fma
#define floats_fma(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))

enum { WIDEST = 4 };

#include "kernels/gemm_cells.h"
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

enum {
    PAIR = 2 * LANES,
    FAR = 32768, /* floats from the first row to the last, from which on rows are asked for ahead */
    AHEAD = 16,  /* rows */
};

INLINE mask first(size_t count)
{
    return (mask)((1u << (count < LANES ? count : LANES)) - 1);
}

/* Values of p side by side: pairs as they lie, their halves exchanged. */
static void pack_row(size_t count, const float *x, float *cells)
{
    for (; count >= PAIR; x += PAIR, cells += LANES, count -= PAIR) {
        const __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + LANES), _mm512_loadu_ps(x));
        _mm512_storeu_si512(cells, _mm512_rol_epi32(pairs, 16));
    }
    if (count == 0) return;
    const __m512 low = _mm512_maskz_loadu_ps(first(count), x);
    const __m512 high = count > LANES ? _mm512_maskz_loadu_ps(first(count - LANES), x + LANES) : _mm512_setzero_ps();
    const __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    _mm512_mask_storeu_epi32(cells, first((count + 1) / 2), _mm512_rol_epi32(pairs, 16));
}

/* Rows p and p + 1: word 2 j of the result is word j of the second, word 2 j + 1 word j of the first. */
static void pack_columns(size_t count, size_t n, const float *x, size_t x_stride, float *cells, size_t cells_stride)
{
    uint16_t order[PAIR];
    for (size_t j = 0; j < LANES; j++) {
        order[2 * j] = (uint16_t)j;
        order[2 * j + 1] = (uint16_t)(LANES + j);
    }
    const __m512i interleave = _mm512_loadu_si512(order);
    const bool is_far = count * x_stride > FAR;
    for (size_t p = 0; p < count; p += 2, x += 2 * x_stride, cells += cells_stride)
        for (size_t j = 0; j < n; j += LANES) {
            const mask columns = first(n - j);
            if (is_far) {
                __builtin_prefetch(x + AHEAD * x_stride + j);
                __builtin_prefetch(x + (AHEAD + 1) * x_stride + j);
            }
            const __m512 a = _mm512_maskz_loadu_ps(columns, x + j);
            const __m512 b = p + 1 < count ? _mm512_maskz_loadu_ps(columns, x + x_stride + j) : _mm512_setzero_ps();
            const __m512i words = (__m512i)_mm512_cvtne2ps_pbh(a, b);
            _mm512_mask_storeu_epi32(cells + j, columns, _mm512_permutexvar_epi16(interleave, words));
        }
}

const tcsi_gemm_packing tcsi_gemm_packing_avx512 = { .cell = 2, .row = pack_row, .columns = pack_columns };

const tcsi_gemm_ops tcsi_gemm_ops_bfloat16_avx512 = {
    .isa = TCSI_ISA_AVX512,
    .lane_bits = 4,
    .widest = WIDEST,
    .widest_row = 8,
    .tiles = { TABLE(8, 1), TABLE(8, 2), TABLE(8, 3), TABLE(6, 4) },
    .part = TABLE(8, part),
    .row = { row_1, row_2, row_3, row_4, row_5, row_6, row_7, row_8 },
    .transpose = tcsi_gemm_transpose_avx2,
    .packing = &tcsi_gemm_packing_avx512,
};
