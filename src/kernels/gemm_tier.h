/* kernels/gemm_tier.h -- what each tier of the matrix product implements; used by kernels/gemm*.c and their test only.
 * gemm.c cuts C into strips: some rows against the few columns that fit in registers, over a stretch of the inner index p.  A tier
 * walks one strip. */
#ifndef TCS_KERNELS_GEMM_TIER_H
#define TCS_KERNELS_GEMM_TIER_H

#include "kernels/gemm.h"

typedef struct tcsi_gemm_strip {
    size_t k;
    size_t columns;                       /* a tile counts on it only when the strip is narrower than one register */
    const float *a;                       /* row 0 at the beginning of a tap */
    size_t a_stride;
    size_t tap_begin, tap_size, tap_stride; /* p begins there in the first tap, goes to tap_size, and on in the next tap from 0 */
    const float *b;
    size_t b_stride;
    size_t b_ahead;                       /* how far beyond the row of B in use the one to ask memory for begins */
    const float *start;                   /* what the sums begin with; NULL: 0 */
    size_t start_stride;                  /* 0: the same for every row */
    const float *residual;                /* or NULL */
    size_t residual_stride;
    bool relu;
    float *c;
    size_t c_stride;
} tcsi_gemm_strip;

/* Rows [row, row + as many as the function is made for) of a strip. */
typedef void (*tcsi_gemm_tile)(const tcsi_gemm_strip *strip, size_t row);

enum { TCSI_GEMM_WIDEST = 4, TCSI_GEMM_WIDEST_ROW = 8, TCSI_GEMM_ROWS = 8 };

/* The tiles of strips of one width; [r]: r + 1 rows. */
typedef struct tcsi_gemm_tiles {
    size_t rows; /* the most that a tile has */
    tcsi_gemm_tile straight[TCSI_GEMM_ROWS], transposed[TCSI_GEMM_ROWS]; /* as A is stored; transposed without taps */
} tcsi_gemm_tiles;

typedef struct tcsi_gemm_ops {
    tcsi_isa isa;
    size_t lane_bits;                          /* a register holds 1 << lane_bits columns */
    size_t widest, widest_row;                 /* registers of the widest strip; of the widest strip of one row */
    tcsi_gemm_tiles tiles[TCSI_GEMM_WIDEST];   /* [v]: strips v + 1 registers wide */
    tcsi_gemm_tiles part;                      /* strips narrower than a register */
    tcsi_gemm_tile row[TCSI_GEMM_WIDEST_ROW];  /* as straight, m = 1 */
    /* out (k,n) = the transpose of b, whose n rows of k floats stand b_stride apart. */
    void (*transpose)(size_t k, size_t n, const float *b, size_t b_stride, float *out, size_t out_stride);
    const struct tcsi_gemm_ops *narrow;   /* takes the last columns when half a register is enough; NULL: none */
    const struct tcsi_gemm_packing *packing; /* what the tiles multiply instead of values (gemm_cells.h); NULL: values */
} tcsi_gemm_ops;

extern const tcsi_gemm_ops tcsi_gemm_ops_portable, tcsi_gemm_ops_avx2, tcsi_gemm_ops_avx512, tcsi_gemm_ops_half_avx512;
extern const tcsi_gemm_ops tcsi_gemm_ops_bfloat16_avx512; /* runs only where tcsi_isa_has_bfloat16 */

void tcsi_gemm_transpose_avx2(size_t k, size_t n, const float *b, size_t b_stride, float *out, size_t out_stride);

/* C (M,N) through an activation that is not part of the inner loops; none and relu are. */
void tcsi_gemm_activate(tcsi_isa isa, tcsi_activation activation, size_t m, size_t n, float *c, size_t c_stride);
/* out (k,n) = the transpose of b (n,k). */
void tcsi_gemm_transpose(tcsi_isa isa, size_t k, size_t n, const float *b, size_t b_stride, float *out, size_t out_stride);

/* The specification: is_fused rounds once a multiply-add (avx2, avx512), else twice (portable). */
void tcsi_gemm_ref(const tcsi_gemm *gemm, bool is_fused);
float tcsi_activation_ref(tcsi_activation activation, float x); /* through double: right to half a unit in the last place or so */

#endif
