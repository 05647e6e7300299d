/* kernels/vector.h -- element-wise functions and reductions over arrays of floats.
 * Each has a stated accuracy against double precision, handles NaN, infinities and denormals as libm does, and gives the same bits
 * wherever an element stands (no other code path for the last few).  In place is allowed (out == in).  Threads: no state. */
#ifndef TCS_KERNELS_VECTOR_H
#define TCS_KERNELS_VECTOR_H

#include "base/status.h"
#include "kernels/activation.h"
#include "kernels/isa.h"

typedef enum tcsi_unary {
    TCSI_UNARY_EXP, TCSI_UNARY_LOG, TCSI_UNARY_TANH, TCSI_UNARY_SIGMOID, TCSI_UNARY_SOFTPLUS, TCSI_UNARY_GELU, TCSI_UNARY_RELU,
    TCSI_UNARY_SQUARE, TCSI_UNARY_SQRT, TCSI_UNARY_ABS,
} tcsi_unary;

/* y = f(x).  GELU is the exact one, x Phi(x). */
void tcsi_vector_unary(tcsi_isa isa, tcsi_unary f, size_t count, const float *x, float *y);
/* dx (+)= dy * f'(x); y = f(x) as computed. */
void tcsi_vector_unary_backward(tcsi_isa isa, tcsi_unary f, size_t count, const float *x, const float *y, const float *dy, bool accumulate,
                                float *dx);
void tcsi_vector_activate(tcsi_isa isa, tcsi_activation activation, size_t count, const float *x, float *y);
/* dx = dy * slope(y) for the fused activations; dx may be dy. */
void tcsi_vector_activate_backward(tcsi_isa isa, tcsi_activation activation, size_t count, const float *y, const float *dy, float *dx);

void tcsi_vector_add(tcsi_isa isa, size_t count, const float *a, const float *b, float *out);                /* a + b */
void tcsi_vector_multiply(tcsi_isa isa, size_t count, const float *a, const float *b, bool accumulate, float *out); /* out (+)= a b */
void tcsi_vector_axpy(tcsi_isa isa, size_t count, float factor, const float *x, float *y);                    /* y += factor x */
void tcsi_vector_scale(tcsi_isa isa, size_t count, float factor, const float *x, float *y);                   /* y = factor x */

/* Reductions: 16 partial sums in double, then in one fixed order: the same bits in every tier. */
double tcsi_vector_sum(tcsi_isa isa, size_t count, const float *x);
double tcsi_vector_dot(tcsi_isa isa, size_t count, const float *a, const float *b);
float tcsi_vector_max(tcsi_isa isa, size_t count, const float *x); /* NaN if any is; -INFINITY for none */
/* out (C) (+)= sum over rows of x (R,C), rows in ascending order: bias gradients. */
void tcsi_vector_sum_rows(tcsi_isa isa, size_t row_count, size_t column_count, const float *x, bool accumulate, float *out);

#endif
