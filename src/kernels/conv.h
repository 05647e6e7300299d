/* kernels/conv.h -- one-dimensional convolution, channels last, forward and both gradients.
 *
 *     y(b,t,o) = activation( bias(o) + sum over k, c of x(b, t * stride + k * dilation - pad_left, c) w(k,c,o) + residual(b,t,o) )
 *
 * Shapes: x (B,T,C), y and residual (B,U,O), w (K,C,O), bias (O).  A tap that falls outside [0,T) reads zero.  Causal: pad_left =
 * (K - 1) dilation, U = T.  Depthwise: w (K,C), O = C, each channel by itself.
 * Built on kernels/gemm.h: rows whose taps all fall inside are one product without copies, the rows at the ends leave taps out, or, of
 * few channels or in bfloat16, read zeros: the same but for weights that are not finite, which make NaN of a zero.
 * The sum is one chain in the order (k,c), so that an edge row equals one over zero padding and a streamed step equals its window,
 * bit for bit.  Gradients are accumulated (+=) into what is there; over rows b in ascending order, so cut by b to run in parallel.
 * No allocation: scratch is the caller's, (tcsi_conv_scratch_count) floats.  Threads: no state. */
#ifndef TCS_KERNELS_CONV_H
#define TCS_KERNELS_CONV_H

#include "kernels/gemm.h"

typedef struct tcsi_conv {
    size_t length_in, length_out;       /* T, U */
    size_t channels_in, channels_out;   /* C, O */
    size_t kernel, stride, dilation;    /* >= 1 */
    size_t pad_left;
    bool is_depthwise;                  /* then channels_out == channels_in */
    tcsi_precision precision;           /* of the products of a dense one; a depthwise one is always single */
} tcsi_conv;

size_t tcsi_conv_scratch_count(const tcsi_conv *conv); /* floats that any of these functions needs */

/* y = ...; residual, bias may be NULL. */
void tcsi_conv_forward(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *x, const float *w, const float *bias,
                       const float *residual, tcsi_activation activation, float *y, float *scratch);
/* dx (B,T,C): += with accumulate, else =.  dy (B,U,O) is already the gradient before the activation.  A transposed convolution's
 * forward pass is this function with x and y exchanged. */
void tcsi_conv_backward_input(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *dy, const float *w, bool accumulate,
                              float *dx, float *scratch);
/* dw (K,C,O) += ; dbias (O) += unless NULL. */
void tcsi_conv_backward_weight(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *x, const float *dy, float *dw,
                               float *dbias, float *scratch);

#endif
