/* kernels/gemm_cells.h -- operands of a matrix product that are rounded on their way in (kernels/precision.h): packed into cells.
 *
 * A cell is as large as a float and holds the values of one or two neighbouring p, so that to the inner loops (gemm_lanes.h) a packed
 * operand looks like any other, with cells for values of p.  A is packed a few rows, B a strip at a time, both on the stack of gemm.c.
 * A packed A has no taps any more.  Used by kernels only. */
#ifndef TCS_KERNELS_GEMM_CELLS_H
#define TCS_KERNELS_GEMM_CELLS_H

#include "kernels/gemm_tier.h"

typedef struct tcsi_gemm_packing {
    size_t cell; /* values of p in a cell, 1 or 2 */
    /* cells (count / cell, rounded up) of count values of p side by side; what a last cell lacks is 0. */
    void (*row)(size_t count, const float *x, float *cells);
    /* cells (count / cell, rounded up; n) of count rows, one a value of p, x_stride apart; cells_stride from one row to the next. */
    void (*columns)(size_t count, size_t n, const float *x, size_t x_stride, float *cells, size_t cells_stride);
} tcsi_gemm_packing;

extern const tcsi_gemm_packing tcsi_gemm_rounding;        /* for any tier: cells are rounded floats */
extern const tcsi_gemm_packing tcsi_gemm_packing_avx512;  /* two bfloat16, the first in the upper half */

/* Values [begin, begin + count) of p, at most TCSI_GEMM_STRETCH.  A: rows [row, row + m) of C's, as cells (m, p), or (p, m) where A is
 * stored transposed; taps of a transposed A are no longer there.  B: columns [column, column + n), as cells (p, n). */
enum { TCSI_GEMM_STRETCH = 512 };
void tcsi_gemm_pack_a(const tcsi_gemm_packing *packing, const tcsi_gemm *gemm, size_t row, size_t m, size_t begin, size_t count,
                      float *cells);
void tcsi_gemm_pack_b(const tcsi_gemm_packing *packing, tcsi_isa isa, const tcsi_gemm *gemm, size_t column, size_t n, size_t begin,
                      size_t count, float *cells);
/* Cells (k,n) of the transpose of b, whose n rows of k floats stand b_stride apart. */
void tcsi_gemm_pack_transposed(const tcsi_gemm_packing *packing, tcsi_isa isa, size_t k, size_t n, const float *b, size_t b_stride,
                               float *cells);

/* For kernels that pack operands themselves, because several products share them: they run gemm with is_packed, where K, taps and strides
 * of A and B count cells.  NULL: single precision, nothing is packed. */
const tcsi_gemm_packing *tcsi_gemm_packing_for(tcsi_isa isa, tcsi_precision precision);

#endif
