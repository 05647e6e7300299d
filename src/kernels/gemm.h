/* kernels/gemm.h -- the matrix product of small networks, in single precision, with what usually follows it fused in:
 *
 *     C = activation(A B + bias + residual)        accumulate: C = C + A B, for gradients that add up
 *
 * Shapes: A (M,K), B (K,N), C and residual (M,N), bias (N); row-major, each with a stride of its own in floats, so that parts of
 * larger arrays serve as they are.  A and B may be stored transposed, which backward passes need.
 *
 * A convolution without copies: with tap_count > 1 the inner index p of A is (tap, c), c < K / tap_count, and stands at
 * a[row * a_stride + tap * tap_stride + c].  Channels last, one row a time step: tap_stride = dilation * C is a dilated
 * convolution, a_stride = stride * C a strided one, and the weights (taps, C, N) are B as they are.  With a_transposed the same index
 * runs over the rows of the result, which is the gradient of those weights: C (taps * C, N) = sum over t of A(t, (tap, c)) B(t, n);
 * then M = taps * C and K counts time steps.
 *
 * One chain: each element of C is a chain of multiply-adds over p in ascending order, begun at bias (or at C, with accumulate; or at
 * 0), then residual, then activation.  It does not depend on M, on N, on where a row stands in its batch, on how work is cut
 * or on the number of threads.  So scoring one row equals scoring a batch bit for bit, and a tap that reads zeros (padding)
 * equals a tap that is left out.  Tiers differ: avx2 and avx512 fuse the multiply-add and agree with each other; portable rounds
 * twice.  Fused activations are those of kernels/vector.h, with the same bits.
 *
 * Precision bfloat16 rounds A and B first (kernels/precision.h) and then is the same chain: what is said of bits holds, but where
 * AVX512_BF16 flushes sums below the least normal number to zero.  Both operands are packed, on 160 KiB of stack at
 * most, which pays from some 16 rows on; a single row takes longer than in single precision.
 *
 * NaN and infinities propagate as IEEE says; in single precision nothing is flushed to zero.  M, N or K may be 0 (K = 0 leaves bias,
 * residual and activation).  C must not overlap an input, but residual may be C itself.
 * Threads: no state; concurrent calls on different C. */
#ifndef TCS_KERNELS_GEMM_H
#define TCS_KERNELS_GEMM_H

#include "base/pool.h"
#include "kernels/activation.h"
#include "kernels/isa.h"
#include "kernels/precision.h"

typedef struct tcsi_gemm {
    size_t m, n, k;
    const float *a, *b;
    size_t a_stride, b_stride;     /* floats from one stored row to the next */
    bool a_transposed, b_transposed;
    size_t tap_count, tap_stride;  /* of a; tap_count 0 and 1: none */
    float *c;
    size_t c_stride;
    bool accumulate;               /* then without bias, residual and activation */
    const float *bias;             /* (N) or NULL */
    const float *residual;         /* (M,N) or NULL */
    size_t residual_stride;
    tcsi_activation activation;
    tcsi_precision precision;      /* of A and B */
    bool is_packed;                /* only for other kernels: A and B are cells already (kernels/gemm_cells.h) */
} tcsi_gemm;

/* pool: NULL = the caller's thread alone.  Cuts large products into blocks of C; the bits are the same with any pool. */
void tcsi_gemm_run(tcsi_isa isa, tcsi_pool *pool, const tcsi_gemm *gemm);

#endif
