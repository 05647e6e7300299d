/* kernels/cells_tier.h -- what each tier of the element-wise functions, norms, cells and updates implements; used by kernels only.
 * One table per tier, filled by cells_TIER.c from the *_lanes.h files, which hold the loops. */
#ifndef TCS_KERNELS_CELLS_TIER_H
#define TCS_KERNELS_CELLS_TIER_H

#include "kernels/attention.h"
#include "kernels/norm.h"
#include "kernels/optimize.h"
#include "kernels/pooling.h"
#include "kernels/random.h"
#include "kernels/vector.h"

/* Some rows of an attention matrix: row r sees the first seen + r step of length columns. */
typedef struct tcsi_attention_rows {
    size_t count, length, seen, step;
} tcsi_attention_rows;

/* As the functions of the same names in kernels/vector.h and so on. */
typedef struct tcsi_cells_ops {
    void (*unary)(tcsi_unary f, size_t count, const float *x, float *y);
    void (*unary_backward)(tcsi_unary f, size_t count, const float *x, const float *y, const float *dy, bool accumulate, float *dx);
    void (*activate_backward)(tcsi_activation activation, size_t count, const float *y, const float *dy, float *dx);
    void (*add)(size_t count, const float *a, const float *b, float *out);
    void (*multiply)(size_t count, const float *a, const float *b, bool accumulate, float *out);
    void (*axpy)(size_t count, float factor, const float *x, float *y);
    void (*scale)(size_t count, float factor, const float *x, float *y);
    double (*sum)(size_t count, const float *x);
    double (*dot)(size_t count, const float *a, const float *b);
    float (*max)(size_t count, const float *x);
    void (*sum_rows)(size_t row_count, size_t column_count, const float *x, bool accumulate, float *out);
    void (*random_uniform)(const tcsi_random_span *span, float *ret_values);
    void (*random_normal)(const tcsi_random_span *span, float *ret_values);
    void (*random_dropout)(const tcsi_random_span *span, float rate, float *ret_mask);
    void (*adamw_step)(const tcsi_adamw *rule, size_t count, const float *gradient, float *weights, float *moment1, float *moment2);
    void (*sgd_step)(const tcsi_sgd *rule, size_t count, const float *gradient, float *weights, float *velocity);
    /* One output row: x (window,channels), y (channels), where (channels) = first + the row of each maximum. */
    void (*pool_mean)(size_t window, size_t channels, const float *x, float *y);
    void (*pool_max)(size_t window, size_t channels, size_t first, const float *x, float *y, uint32_t *where);
    void (*layer_norm_forward)(size_t row_count, size_t column_count, float epsilon, const float *x, const float *gain, const float *shift,
                               float *y, float *ret_mean, float *ret_inverse);
    void (*layer_norm_backward)(size_t row_count, size_t column_count, const float *x, const float *gain, const float *mean,
                                const float *inverse, const float *dy, bool accumulate, float *dx, float *dgain, float *dshift);
    void (*batch_norm_sums)(size_t row_count, size_t column_count, const float *x, const float *origin, double *ret_sums);
    void (*batch_norm_apply)(size_t row_count, size_t column_count, const float *x, const float *mean, const float *inverse,
                             const float *gain, const float *shift, float *y);
    void (*batch_norm_backward_sums)(size_t row_count, size_t column_count, const float *x, const float *mean, const float *inverse,
                                     const float *dy, double *ret_sums);
    void (*batch_norm_backward_apply)(size_t row_count, size_t column_count, const float *x, const float *mean, const float *inverse,
                                      const float *gain, const double *sums, double total, const float *dy, bool accumulate, float *dx);
    void (*softmax_forward)(size_t row_count, size_t column_count, const float *x, float *y);
    void (*softmax_backward)(size_t row_count, size_t column_count, const float *y, const float *dy, bool accumulate, float *dx);
    /* Shapes in attention_lanes.h. */
    void (*transpose)(size_t row_count, size_t column_count, const float *x, size_t x_stride, float *y);
    void (*attention_softmax)(const tcsi_attention_rows *rows, float factor, float *weights);
    void (*attention_softmax_backward)(const tcsi_attention_rows *rows, float factor, const float *weights, float *slopes);
    void (*attention_triangle)(size_t row_count, size_t part, const float *weights, size_t weights_stride, const float *v, size_t v_stride,
                               float *y, size_t y_stride);
    /* One time step of one row of a batch; shapes in recurrent_lanes.h. */
    void (*lstm_step)(size_t hidden, float *gates, const float *c_before, float *c, float *h);
    void (*lstm_step_backward)(size_t hidden, const float *gates, const float *c_before, const float *c, const float *dh, float *dc,
                               float *dgates);
    void (*gru_step)(size_t hidden, float *gates, const float *h_before, float *h);
    void (*gru_step_backward)(size_t hidden, const float *gates, const float *h_before, float *dh, float *dgates);
} tcsi_cells_ops;

const tcsi_cells_ops *tcsi_cells_ops_for(tcsi_isa isa);
extern const tcsi_cells_ops tcsi_cells_ops_portable, tcsi_cells_ops_avx2, tcsi_cells_ops_avx512;

#endif
