/* kernels/attention_lanes.h -- what happens around the products of kernels/attention.c; included once per tier by cells_TIER.c after
 * norm_lanes.h. */
#include "kernels/cells_lanes.h"

/* y (C,R) = the transpose of x (R,C), whose rows are x_stride apart. */
static void transpose(size_t row_count, size_t column_count, const float *x, size_t x_stride, float *y)
{
    const size_t whole_rows = row_count / LANES * LANES, whole_columns = column_count / 4 * 4;
    for (size_t r = 0; r < whole_rows; r += LANES)
        for (size_t c = 0; c < whole_columns; c += 4) {
            floats part[4];
            UNROLL for (size_t j = 0; j < 4; j++) part[j] = floats_load_quads(x + (r + j) * x_stride + c, 4 * x_stride);
            floats_turn(part);
            UNROLL for (size_t i = 0; i < 4; i++) floats_store(y + (c + i) * row_count + r, part[i]);
        }
    for (size_t c = 0; c < column_count; c++)
        for (size_t r = c < whole_columns ? whole_rows : 0; r < row_count; r++) y[c * row_count + r] = x[r * x_stride + c];
}

/* weights (R,T): scores on entry; row r sees its first `seen + r step` entries, whose softmax it becomes, with zeros behind. */
static void attention_softmax(const tcsi_attention_rows *rows, float factor, float *weights)
{
    for (size_t r = 0; r < rows->count; r++, weights += rows->length) {
        const size_t seen = rows->seen + r * rows->step;
        softmax_row(seen, factor, weights, weights);
        memset(weights + seen, 0, (rows->length - seen) * sizeof *weights);
    }
}

/* slopes (R,T): on entry of the weights, on return of the scores: factor w (dw - sum of w dw), with zeros behind what a row sees. */
static void attention_softmax_backward(const tcsi_attention_rows *rows, float factor, const float *weights, float *slopes)
{
    const floats f = floats_set(factor);
    for (size_t r = 0; r < rows->count; r++, weights += rows->length, slopes += rows->length) {
        const size_t seen = rows->seen + r * rows->step;
        const floats mean = floats_set((float)vector_dot(seen, weights, slopes));
        EACH(c, n, seen, {
            store(slopes + c, floats_mul(floats_mul(load(weights + c, n), f), floats_sub(load(slopes + c, n), mean)), n);
        });
        memset(slopes + seen, 0, (rows->length - seen) * sizeof *slopes);
    }
}

/* y (R,part) += weights (R,R) below and on the diagonal times v (R,part): of a block of causal rows the part they see of each other.
 * Nothing above the diagonal is touched, so that NaN cannot come out of the future. */
static void attention_triangle(size_t row_count, size_t part, const float *weights, size_t weights_stride, const float *v, size_t v_stride,
                               float *y, size_t y_stride)
{
    for (size_t r = 0; r < row_count; r++)
        EACH(c, n, part, {
            floats sum = load(y + r * y_stride + c, n);
            for (size_t s = 0; s <= r; s++)
                sum = floats_fma(floats_set(weights[r * weights_stride + s]), load(v + s * v_stride + c, n), sum);
            store(y + r * y_stride + c, sum, n);
        });
}
