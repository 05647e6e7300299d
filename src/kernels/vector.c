/* kernels/vector.c -- hands element-wise functions and reductions to the tier they are asked for.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"

#include <string.h>

void tcsi_vector_unary(tcsi_isa isa, tcsi_unary f, size_t count, const float *x, float *y)
{
    tcsi_cells_ops_for(isa)->unary(f, count, x, y);
}

void tcsi_vector_unary_backward(tcsi_isa isa, tcsi_unary f, size_t count, const float *x, const float *y, const float *dy, bool accumulate,
                                float *dx)
{
    tcsi_cells_ops_for(isa)->unary_backward(f, count, x, y, dy, accumulate, dx);
}

void tcsi_vector_activate(tcsi_isa isa, tcsi_activation activation, size_t count, const float *x, float *y)
{
    static const tcsi_unary functions[TCSI_ACTIVATION_COUNT] = {
        [TCSI_ACTIVATION_RELU] = TCSI_UNARY_RELU, [TCSI_ACTIVATION_SIGMOID] = TCSI_UNARY_SIGMOID,
        [TCSI_ACTIVATION_TANH] = TCSI_UNARY_TANH, [TCSI_ACTIVATION_SOFTPLUS] = TCSI_UNARY_SOFTPLUS,
    };
    if (activation != TCSI_ACTIVATION_NONE) tcsi_cells_ops_for(isa)->unary(functions[activation], count, x, y);
    else if (x != y && count > 0) memcpy(y, x, count * sizeof *x);
}

void tcsi_vector_activate_backward(tcsi_isa isa, tcsi_activation activation, size_t count, const float *y, const float *dy, float *dx)
{
    tcsi_cells_ops_for(isa)->activate_backward(activation, count, y, dy, dx);
}

void tcsi_vector_add(tcsi_isa isa, size_t count, const float *a, const float *b, float *out)
{
    tcsi_cells_ops_for(isa)->add(count, a, b, out);
}

void tcsi_vector_multiply(tcsi_isa isa, size_t count, const float *a, const float *b, bool accumulate, float *out)
{
    tcsi_cells_ops_for(isa)->multiply(count, a, b, accumulate, out);
}

void tcsi_vector_axpy(tcsi_isa isa, size_t count, float factor, const float *x, float *y)
{
    tcsi_cells_ops_for(isa)->axpy(count, factor, x, y);
}

void tcsi_vector_scale(tcsi_isa isa, size_t count, float factor, const float *x, float *y)
{
    tcsi_cells_ops_for(isa)->scale(count, factor, x, y);
}

double tcsi_vector_sum(tcsi_isa isa, size_t count, const float *x)
{
    return tcsi_cells_ops_for(isa)->sum(count, x);
}

double tcsi_vector_dot(tcsi_isa isa, size_t count, const float *a, const float *b)
{
    return tcsi_cells_ops_for(isa)->dot(count, a, b);
}

float tcsi_vector_max(tcsi_isa isa, size_t count, const float *x)
{
    return tcsi_cells_ops_for(isa)->max(count, x);
}

void tcsi_vector_sum_rows(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, bool accumulate, float *out)
{
    tcsi_cells_ops_for(isa)->sum_rows(row_count, column_count, x, accumulate, out);
}
