/* kernels/norm.c -- hands norms and softmax to the tier they are asked for.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"

void tcsi_layer_norm_forward(tcsi_isa isa, size_t row_count, size_t column_count, float epsilon, const float *x, const float *gain,
                             const float *shift, float *y, float *ret_mean, float *ret_inverse)
{
    tcsi_cells_ops_for(isa)->layer_norm_forward(row_count, column_count, epsilon, x, gain, shift, y, ret_mean, ret_inverse);
}

void tcsi_layer_norm_backward(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *gain, const float *mean,
                              const float *inverse, const float *dy, bool accumulate, float *dx, float *dgain, float *dshift)
{
    tcsi_cells_ops_for(isa)->layer_norm_backward(row_count, column_count, x, gain, mean, inverse, dy, accumulate, dx, dgain, dshift);
}

void tcsi_batch_norm_sums(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *origin, double *ret_sums)
{
    tcsi_cells_ops_for(isa)->batch_norm_sums(row_count, column_count, x, origin, ret_sums);
}

void tcsi_batch_norm_apply(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *mean, const float *inverse,
                           const float *gain, const float *shift, float *y)
{
    tcsi_cells_ops_for(isa)->batch_norm_apply(row_count, column_count, x, mean, inverse, gain, shift, y);
}

void tcsi_batch_norm_backward_sums(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *mean,
                                   const float *inverse, const float *dy, double *ret_sums)
{
    tcsi_cells_ops_for(isa)->batch_norm_backward_sums(row_count, column_count, x, mean, inverse, dy, ret_sums);
}

void tcsi_batch_norm_backward_apply(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, const float *mean,
                                    const float *inverse, const float *gain, const double *sums, double total, const float *dy,
                                    bool accumulate, float *dx)
{
    tcsi_cells_ops_for(isa)->batch_norm_backward_apply(row_count, column_count, x, mean, inverse, gain, sums, total, dy, accumulate, dx);
}

void tcsi_softmax_forward(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, float *y)
{
    tcsi_cells_ops_for(isa)->softmax_forward(row_count, column_count, x, y);
}

void tcsi_softmax_backward(tcsi_isa isa, size_t row_count, size_t column_count, const float *y, const float *dy, bool accumulate, float *dx)
{
    tcsi_cells_ops_for(isa)->softmax_backward(row_count, column_count, y, dy, accumulate, dx);
}
