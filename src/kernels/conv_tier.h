/* kernels/conv_tier.h -- what each tier of the depthwise convolution implements; used by kernels/conv*.c only.
 * Dense convolutions are matrix products and have no tiers of their own. */
#ifndef TCS_KERNELS_CONV_TIER_H
#define TCS_KERNELS_CONV_TIER_H

#include "kernels/conv.h"

/* y(r,c) = start(r,c) + sum over j of x[r * x_row + j * x_step + c] w[j * w_step + c] + residual(r,c), one chain over j.
 * With time for r and taps for j it is the forward pass, and, over reversed weights, the gradient of the input; with taps for r and time for
 * j, and dy for w, the gradient of the weights.  Steps in floats. */
typedef struct tcsi_depthwise {
    size_t rows, channels, count;    /* of r, c, j */
    const float *x;
    size_t x_row, x_step;
    const float *w;
    ptrdiff_t w_step;
    const float *start;              /* NULL: 0 */
    size_t start_stride;             /* 0: the same for every row */
    const float *residual;           /* or NULL */
    size_t residual_stride;
    bool relu;
    float *y;
    size_t y_stride;
} tcsi_depthwise;

typedef void (*tcsi_depthwise_function)(const tcsi_depthwise *depthwise);

void tcsi_depthwise_portable(const tcsi_depthwise *depthwise);
void tcsi_depthwise_avx2(const tcsi_depthwise *depthwise);
void tcsi_depthwise_avx512(const tcsi_depthwise *depthwise);

#endif
