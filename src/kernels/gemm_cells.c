/* kernels/gemm_cells.c -- packs operands that are rounded to bfloat16, and rounds them where no instruction does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm_cells.h"

#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- rounding in plain C ---- */

/* As VCVTNEPS2BF16 does it. */
static float rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t size = bits & 0x7fffffff;
    if (size > 0x7f800000) bits |= 0x400000; /* NaN, whose upper half must not become infinite */
    else if (size < 0x800000) bits &= 0x80000000;
    else bits += 0x7fff + (bits >> 16 & 1);
    bits &= 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void round_row(size_t count, const float *x, float *cells)
{
    for (size_t i = 0; i < count; i++) cells[i] = rounded(x[i]);
}

static void round_columns(size_t count, size_t n, const float *x, size_t x_stride, float *cells, size_t cells_stride)
{
    for (size_t p = 0; p < count; p++) round_row(n, x + p * x_stride, cells + p * cells_stride);
}

const tcsi_gemm_packing tcsi_gemm_rounding = { .cell = 1, .row = round_row, .columns = round_columns };

/* ---- A ---- */

/* A row with taps: each by itself where its cells begin with it, otherwise gathered first. */
static void pack_taps(const tcsi_gemm_packing *packing, const tcsi_gemm *gemm, const float *a, size_t begin, size_t count, float *cells)
{
    float gathered[TCSI_GEMM_STRETCH];
    const size_t size = gemm->k / gemm->tap_count;
    const bool gathers = size % packing->cell != 0;
    a += begin / size * gemm->tap_stride;
    for (size_t done = 0, at = begin % size, some; done < count; done += some, at = 0, a += gemm->tap_stride) {
        some = smaller(size - at, count - done);
        if (gathers) memcpy(gathered + done, a + at, some * sizeof *gathered);
        else packing->row(some, a + at, cells + done / packing->cell);
    }
    if (gathers) packing->row(count, gathered, cells);
}

void tcsi_gemm_pack_a(const tcsi_gemm_packing *packing, const tcsi_gemm *gemm, size_t row, size_t m, size_t begin, size_t count,
                      float *cells)
{
    const size_t stride = (count + packing->cell - 1) / packing->cell;
    TCS_ASSERT(count <= TCSI_GEMM_STRETCH && begin % packing->cell == 0);
    if (gemm->a_transposed) {
        packing->columns(count, m, gemm->a + begin * gemm->a_stride + row, gemm->a_stride, cells, m);
        return;
    }
    const float *a = gemm->a + row * gemm->a_stride;
    for (size_t r = 0; r < m; r++, a += gemm->a_stride, cells += stride) {
        if (gemm->tap_count > 1) pack_taps(packing, gemm, a, begin, count, cells);
        else packing->row(count, a + begin, cells);
    }
}

/* ---- B ---- */

enum { BLOCK = 8 }; /* columns of a transposed B at once */

void tcsi_gemm_pack_transposed(const tcsi_gemm_packing *packing, tcsi_isa isa, size_t k, size_t n, const float *b, size_t b_stride,
                               float *cells)
{
    float rows[BLOCK * TCSI_GEMM_STRETCH];
    for (size_t begin = 0, count; begin < k; begin += count, cells += count / packing->cell * n) {
        count = smaller(TCSI_GEMM_STRETCH, k - begin);
        const size_t height = (count + packing->cell - 1) / packing->cell;
        for (size_t j = 0; j < n; j += BLOCK) {
            const size_t some = smaller(BLOCK, n - j);
            for (size_t i = 0; i < some; i++) packing->row(count, b + (j + i) * b_stride + begin, rows + i * height);
            tcsi_gemm_transpose(isa, height, some, rows, height, cells + j, n);
        }
    }
}

void tcsi_gemm_pack_b(const tcsi_gemm_packing *packing, tcsi_isa isa, const tcsi_gemm *gemm, size_t column, size_t n, size_t begin,
                      size_t count, float *cells)
{
    const size_t stride = gemm->b_stride;
    if (gemm->b_transposed) tcsi_gemm_pack_transposed(packing, isa, count, n, gemm->b + column * stride + begin, stride, cells);
    else packing->columns(count, n, gemm->b + begin * stride + column, stride, cells, n);
}
