/* kernels/norm.h -- layer norm, batch norm in its two halves, softmax; forward and backward.
 * Rows are (R,C) row-major.  Statistics are summed in double, after at most four of them were added as floats where they were
 * rounded just before (variances, exponentials, slopes).  A row's bits do not depend on the rows beside it.  Gradients of parameters are
 * accumulated (+=), over rows in ascending order.
 * dx: += with accumulate, else =.  Threads: no state. */
#ifndef TCS_KERNELS_NORM_H
#define TCS_KERNELS_NORM_H

#include "base/status.h"
#include "kernels/isa.h"

/* y = (x - mean) / sqrt(var + epsilon) * gain + shift per row; ret_mean, ret_inverse (R) are kept for backward. */
void tcsi_layer_norm_forward(tcsi_isa isa, size_t row_count, size_t column_count, float epsilon, const float *x, const float *gain,
                             const float *shift, float *y, float *ret_mean, float *ret_inverse);
void tcsi_layer_norm_backward(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *gain, const float *mean,
                              const float *inverse, const float *dy, bool accumulate, float *dx, float *dgain, float *dshift);

/* Batch norm over rows, per column.  Statistics come in parts, so that shards of a batch can be summed in a fixed order:
 * ret_sums (C,2) doubles: sum of x - origin and of its square, with origin (C) anything near the mean (first row), against
 * cancellation. */
void tcsi_batch_norm_sums(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *origin, double *ret_sums);
/* y = (x - mean) * inverse * gain + shift */
void tcsi_batch_norm_apply(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *mean, const float *inverse,
                           const float *gain, const float *shift, float *y);
/* ret_sums (C,2): sum of dy, sum of dy * xhat. */
void tcsi_batch_norm_backward_sums(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *mean,
                                   const float *inverse, const float *dy, double *ret_sums);
/* dx (+)= gain * inverse * (dy - sums0 / total - xhat * sums1 / total); total: rows of the whole batch. */
void tcsi_batch_norm_backward_apply(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *mean,
                                    const float *inverse, const float *gain, const double *sums, double total, const float *dy,
                                    bool accumulate, float *dx);

/* y = softmax(x) per row; x may be y.  -INFINITY entries give 0; a row of nothing but -INFINITY gives zeros. */
void tcsi_softmax_forward(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, float *y);
void tcsi_softmax_backward(tcsi_isa isa, size_t row_count, size_t column_count, const float *y, const float *dy, bool accumulate,
                           float *dx);

#endif
