/* kernels/recurrent.c -- LSTM and GRU: the products of all time steps at once where there can be one, step by step where there must.
 *
 * What is kept of a step is one line of LINE = 5H floats (LSTM: i, f, g, o, c) or 4H (GRU: n, r, z, and the hidden state's part of n),
 * lines in the order (b,t), so that one stride serves all products.  Forward:
 *     lines = bias + x W_input                  one product for all steps
 *     line(t) += h(t-1) W_hidden, then gates    a product and an element-wise step per t
 * GRU's line puts n before r and z because then the hidden state's three parts stand together, in the order of W_hidden.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"
#include "kernels/gemm.h"
#include "kernels/recurrent.h"

#include <string.h>

static size_t line_size(const tcsi_recurrent *recurrent)
{
    return (recurrent->kind == TCSI_RECURRENT_LSTM ? 5 : 4) * recurrent->hidden;
}

static size_t gates_size(const tcsi_recurrent *recurrent) /* G H, columns of the weights */
{
    return (recurrent->kind == TCSI_RECURRENT_LSTM ? 4 : 3) * recurrent->hidden;
}

size_t tcsi_recurrent_saved_count(const tcsi_recurrent *recurrent)
{
    return recurrent->length * line_size(recurrent);
}

/* Forward: lines when they are not saved, and the bias.  Backward: gradients of the lines, of h and of c. */
size_t tcsi_recurrent_scratch_count(const tcsi_recurrent *recurrent, size_t batch)
{
    return batch * recurrent->length * line_size(recurrent) + 4 * recurrent->hidden + 2 * batch * recurrent->hidden;
}

/* ---- forward ---- */

/* What the hidden state is multiplied with adds to the last G H floats of a line (GRU) or the first (LSTM). */
static size_t hidden_offset(const tcsi_recurrent *recurrent)
{
    return recurrent->kind == TCSI_RECURRENT_LSTM ? 0 : recurrent->hidden;
}

/* lines (B T) = bias + x W_input; GRU: n's column block goes to the front, and its hidden part begins at its own bias. */
static void input_part(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t batch, const float *x, const tcsi_recurrent_weights *weights,
                       float *bias, float *lines)
{
    const size_t h = recurrent->hidden, gates = gates_size(recurrent), line = line_size(recurrent), rows = batch * recurrent->length;
    tcsi_gemm product = { .m = rows, .n = gates, .k = recurrent->channels_in, .a = x, .a_stride = recurrent->channels_in,
                          .b = weights->w_input, .b_stride = gates, .c = lines, .c_stride = line, .bias = bias };
    tcsi_vector_add(isa, gates, weights->bias_input, weights->bias_hidden, bias);
    if (recurrent->kind == TCSI_RECURRENT_LSTM) {
        tcsi_gemm_run(isa, NULL, &product);
        return;
    }
    product.n = 2 * h;
    product.c = lines + h;
    tcsi_gemm_run(isa, NULL, &product);
    product.n = h;
    product.b = weights->w_input + 2 * h;
    product.c = lines;
    product.bias = weights->bias_input + 2 * h;
    tcsi_gemm_run(isa, NULL, &product);
    for (size_t r = 0; r < rows; r++) memcpy(lines + r * line + 3 * h, weights->bias_hidden + 2 * h, h * sizeof *lines);
}

void tcsi_recurrent_forward(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t batch, const float *x,
                            const tcsi_recurrent_weights *weights, float *h, float *c, float *y, float *saved, float *scratch)
{
    const tcsi_cells_ops *ops = tcsi_cells_ops_for(isa);
    const size_t hidden = recurrent->hidden, length = recurrent->length, line = line_size(recurrent), gates = gates_size(recurrent);
    float *lines = saved ? saved : scratch + 4 * hidden;
    if (batch == 0 || length == 0 || hidden == 0) return;
    input_part(isa, recurrent, batch, x, weights, scratch, lines);
    for (size_t t = 0; t < length; t++) {
        const float *h_before = t > 0 ? y + (t - 1) * hidden : h;
        const size_t h_stride = t > 0 ? length * hidden : hidden;
        tcsi_gemm product = { .m = batch, .n = gates, .k = hidden, .a = h_before, .a_stride = h_stride, .b = weights->w_hidden,
                              .b_stride = gates, .c = lines + t * line + hidden_offset(recurrent), .c_stride = length * line,
                              .accumulate = true };
        if (h_before) tcsi_gemm_run(isa, NULL, &product);
        for (size_t b = 0; b < batch; b++) {
            float *at = lines + (b * length + t) * line, *out = y + (b * length + t) * hidden;
            const float *before = h_before ? h_before + b * h_stride : NULL;
            const float *c_before = t > 0 ? at - line + 4 * hidden : c ? c + b * hidden : NULL;
            if (recurrent->kind == TCSI_RECURRENT_LSTM) ops->lstm_step(hidden, at, c_before, at + 4 * hidden, out);
            else ops->gru_step(hidden, at, before, out);
        }
    }
    for (size_t b = 0; b < batch; b++) {
        const size_t last = b * length + length - 1;
        if (h) memcpy(h + b * hidden, y + last * hidden, hidden * sizeof *h);
        if (c && recurrent->kind == TCSI_RECURRENT_LSTM) memcpy(c + b * hidden, lines + last * line + 4 * hidden, hidden * sizeof *c);
    }
}

/* ---- backward ---- */

/* dgates (B,T,4H) of every step, from the last to the first. */
static void backward_steps(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t batch, const tcsi_recurrent_weights *weights,
                           const float *y, const float *saved, const float *dy, float *dh, float *dc, float *dgates)
{
    const tcsi_cells_ops *ops = tcsi_cells_ops_for(isa);
    const size_t hidden = recurrent->hidden, length = recurrent->length, line = line_size(recurrent), gates = gates_size(recurrent);
    memset(dh, 0, batch * hidden * sizeof *dh);
    memset(dc, 0, batch * hidden * sizeof *dc);
    for (size_t t = length; t-- > 0;) {
        for (size_t b = 0; b < batch; b++) {
            const size_t at = b * length + t;
            const float *kept = saved + at * line;
            float *d_h = dh + b * hidden, *d_gates = dgates + at * 4 * hidden;
            ops->add(hidden, d_h, dy + at * hidden, d_h);
            const float *c_before = t > 0 ? kept - line + 4 * hidden : NULL;
            if (recurrent->kind == TCSI_RECURRENT_LSTM)
                ops->lstm_step_backward(hidden, kept, c_before, kept + 4 * hidden, d_h, dc + b * hidden, d_gates);
            else ops->gru_step_backward(hidden, kept, t > 0 ? y + (at - 1) * hidden : NULL, d_h, d_gates);
        }
        tcsi_gemm product = { .m = batch, .n = hidden, .k = gates, .a = dgates + t * 4 * hidden + hidden_offset(recurrent),
                              .a_stride = length * 4 * hidden, .b = weights->w_hidden, .b_stride = gates, .b_transposed = true,
                              .c = dh, .c_stride = hidden, .accumulate = recurrent->kind == TCSI_RECURRENT_GRU };
        if (t > 0) tcsi_gemm_run(isa, NULL, &product);
    }
}

/* Columns [from, from + n) of dgates (rows,4H) belong to columns [to, to + n) of the input's weights. */
static void backward_input(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t rows, size_t from, size_t to, size_t n, const float *x,
                           const tcsi_recurrent_weights *weights, const float *dgates, bool accumulate, float *dx,
                           const tcsi_recurrent_gradients *gradients)
{
    const size_t in = recurrent->channels_in, gates = gates_size(recurrent);
    tcsi_gemm to_x = { .m = rows, .n = in, .k = n, .a = dgates + from, .a_stride = 4 * recurrent->hidden, .b = weights->w_input + to,
                       .b_stride = gates, .b_transposed = true, .c = dx, .c_stride = in, .accumulate = accumulate };
    tcsi_gemm to_w = { .m = in, .n = n, .k = rows, .a = x, .a_stride = in, .a_transposed = true, .b = dgates + from,
                       .b_stride = 4 * recurrent->hidden, .c = gradients->w_input + to, .c_stride = gates, .accumulate = true };
    if (dx) tcsi_gemm_run(isa, NULL, &to_x);
    tcsi_gemm_run(isa, NULL, &to_w);
}

void tcsi_recurrent_backward(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t batch, const float *x,
                             const tcsi_recurrent_weights *weights, const float *y, const float *saved, const float *dy, bool accumulate,
                             float *dx, const tcsi_recurrent_gradients *gradients, float *scratch)
{
    const size_t hidden = recurrent->hidden, length = recurrent->length, gates = gates_size(recurrent), rows = batch * length;
    const size_t offset = hidden_offset(recurrent);
    float *dh = scratch, *dc = dh + batch * hidden, *sums = dc + batch * hidden, *dgates = sums + 4 * hidden;
    if (batch == 0 || length == 0) return;
    backward_steps(isa, recurrent, batch, weights, y, saved, dy, dh, dc, dgates);
    tcsi_vector_sum_rows(isa, rows, 4 * hidden, dgates, false, sums);
    tcsi_vector_add(isa, gates, gradients->bias_hidden, sums + offset, gradients->bias_hidden);
    if (recurrent->kind == TCSI_RECURRENT_LSTM) {
        tcsi_vector_add(isa, gates, gradients->bias_input, sums, gradients->bias_input);
        backward_input(isa, recurrent, rows, 0, 0, gates, x, weights, dgates, accumulate, dx, gradients);
    } else {
        tcsi_vector_add(isa, 2 * hidden, gradients->bias_input, sums + hidden, gradients->bias_input);
        tcsi_vector_add(isa, hidden, gradients->bias_input + 2 * hidden, sums, gradients->bias_input + 2 * hidden);
        backward_input(isa, recurrent, rows, hidden, 0, 2 * hidden, x, weights, dgates, accumulate, dx, gradients);
        backward_input(isa, recurrent, rows, 0, 2 * hidden, hidden, x, weights, dgates, true, dx, gradients);
    }
    /* The state before each first step is zeros, not the row before it in y: with its gradients away one product serves all steps. */
    for (size_t b = 0; b < batch; b++) memset(dgates + b * length * 4 * hidden, 0, 4 * hidden * sizeof *dgates);
    tcsi_gemm to_w = { .m = hidden, .n = gates, .k = rows - 1, .a = y, .a_stride = hidden, .a_transposed = true,
                       .b = dgates + 4 * hidden + offset, .b_stride = 4 * hidden, .c = gradients->w_hidden, .c_stride = gates,
                       .accumulate = true };
    tcsi_gemm_run(isa, NULL, &to_w);
}
