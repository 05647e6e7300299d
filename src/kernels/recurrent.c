/* kernels/recurrent.c -- LSTM and GRU: the products of many steps at once where there can be one, step by step where there must.
 *
 * What is kept of a step is one line of LINE = 5H floats (LSTM: i, f, g, o, c) or 4H (GRU: n, r, z, and the hidden state's part of n),
 * lines in the order (b,t).  A GRU's line puts n before r and z because then the three parts that the hidden state is multiplied into
 * stand together, in the order of W_hidden.
 *
 * Forward, line(t) = bias + x(t) W_input + h(t-1) W_hidden, then the gates.  FEW rows take the input part of all steps as one product;
 * more rows take both products step by step, a block of rows at a time, so that a line goes to memory once.  Each sum is the same
 * chain either way, so the bits are too.
 *
 * Backward, from the last step to the first, a block of rows and a chunk of steps at a time: gradients of the sums before the gates,
 * (t,b,4H), of as many steps as stay in the second cache level, then the gradients of all weights as one product each over the
 * chunk.  For these the inputs and hidden states of the chunk are copied together in the same order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"
#include "kernels/gemm.h"
#include "kernels/recurrent.h"

#include <string.h>

enum { FEW = 8, BLOCK_ROWS = 32, CHUNK_FLOATS = 1 << 16 };

static bool is_lstm(const tcsi_recurrent *recurrent)
{
    return recurrent->kind == TCSI_RECURRENT_LSTM;
}

static size_t line_size(const tcsi_recurrent *recurrent)
{
    return (is_lstm(recurrent) ? 5 : 4) * recurrent->hidden;
}

static size_t gates_size(const tcsi_recurrent *recurrent) /* G H, columns of the weights */
{
    return (is_lstm(recurrent) ? 4 : 3) * recurrent->hidden;
}

/* Where in a line, and in the gradient of its sums, the G H columns stand that the hidden state is multiplied into. */
static size_t hidden_offset(const tcsi_recurrent *recurrent)
{
    return is_lstm(recurrent) ? 0 : recurrent->hidden;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Steps of a chunk of backward. */
static size_t chunk_length(const tcsi_recurrent *recurrent, size_t rows)
{
    return smaller(recurrent->length, larger(1, CHUNK_FLOATS / larger(1, rows * 4 * recurrent->hidden)));
}

size_t tcsi_recurrent_saved_count(const tcsi_recurrent *recurrent)
{
    return recurrent->length * line_size(recurrent);
}

size_t tcsi_recurrent_scratch_count(const tcsi_recurrent *recurrent, size_t batch)
{
    const size_t hidden = recurrent->hidden, channels = recurrent->channels_in, rows = smaller(batch, BLOCK_ROWS);
    const size_t steps = rows * chunk_length(recurrent, rows);
    const size_t forward = larger(smaller(batch, FEW) * recurrent->length, rows) * line_size(recurrent);
    const size_t backward = steps * (4 * hidden + hidden + 2 * channels) + 2 * rows * hidden + gates_size(recurrent) * (hidden + channels);
    return 4 * hidden + larger(forward, backward);
}

/* Where lines of a block stand, in floats from row to row and from step to step.  FEW rows keep the order of x, (b,t), which makes
 * one product of all steps; more are in the order (t,b), so that a step's lines are one stretch of memory. */
typedef struct line_order {
    size_t row_stride, step_stride;
} line_order;

static line_order order_of(const tcsi_recurrent *recurrent, size_t rows)
{
    const size_t line = line_size(recurrent);
    return rows < FEW ? (line_order){ recurrent->length * line, line } : (line_order){ line, rows * line };
}

/* ---- forward ---- */

/* Some rows of the batch. */
typedef struct forward_rows {
    tcsi_isa isa;
    const tcsi_recurrent *shape;
    const tcsi_recurrent_weights *weights;
    const float *bias;                    /* (G H): both added, n of a GRU without the hidden state's */
    size_t count;
    const float *x;
    float *h, *c, *y;                     /* h, c may be NULL */
    float *lines;
    line_order order;
} forward_rows;

/* lines = bias + x W_input of `count` lines, x_stride and line_stride apart; the hidden state's part of n begins at its own bias. */
static void input_part(const forward_rows *rows, size_t count, const float *x, size_t x_stride, float *lines, size_t line_stride)
{
    const size_t hidden = rows->shape->hidden, gates = gates_size(rows->shape);
    tcsi_gemm product = { .m = count, .n = gates, .k = rows->shape->channels_in, .a = x, .a_stride = x_stride, .b = rows->weights->w_input,
                          .b_stride = gates, .c = lines, .c_stride = line_stride, .bias = rows->bias };
    if (is_lstm(rows->shape)) {
        tcsi_gemm_run(rows->isa, NULL, &product);
        return;
    }
    product.n = 2 * hidden;
    product.c = lines + hidden;
    tcsi_gemm_run(rows->isa, NULL, &product);
    product.n = hidden;
    product.b = rows->weights->w_input + 2 * hidden;
    product.c = lines;
    product.bias = rows->bias + 2 * hidden;
    tcsi_gemm_run(rows->isa, NULL, &product);
    const float *bias = rows->weights->bias_hidden + 2 * hidden;
    for (size_t r = 0; r < count; r++) memcpy(lines + r * line_stride + 3 * hidden, bias, hidden * sizeof *lines);
}

static void forward_step(const forward_rows *rows, size_t t)
{
    const size_t hidden = rows->shape->hidden, gates = gates_size(rows->shape), length = rows->shape->length;
    const float *h_before = t > 0 ? rows->y + (t - 1) * hidden : rows->h, *c_before = rows->c;
    const size_t h_stride = t > 0 ? length * hidden : hidden;
    float *line = rows->lines + t * rows->order.step_stride, *h = rows->y + t * hidden;
    tcsi_gemm product = { .m = rows->count, .n = gates, .k = hidden, .a = h_before, .a_stride = h_stride, .b = rows->weights->w_hidden,
                          .b_stride = gates, .c = line + hidden_offset(rows->shape), .c_stride = rows->order.row_stride,
                          .accumulate = true };
    if (h_before) tcsi_gemm_run(rows->isa, NULL, &product);
    tcsi_cell_rows cells = { .count = rows->count, .hidden = hidden, .line_stride = rows->order.row_stride, .before = h_before,
                             .before_stride = h_stride, .h_stride = length * hidden };
    if (is_lstm(rows->shape)) {
        cells.before = t > 0 ? line - rows->order.step_stride + 4 * hidden : c_before;
        cells.before_stride = t > 0 ? rows->order.row_stride : hidden;
        tcsi_cells_ops_for(rows->isa)->lstm_step(&cells, line, h);
    } else {
        tcsi_cells_ops_for(rows->isa)->gru_step(&cells, line, h);
    }
}

static void forward_block(const forward_rows *rows)
{
    const size_t hidden = rows->shape->hidden, length = rows->shape->length, channels = rows->shape->channels_in;
    const line_order order = rows->order;
    const bool at_once = rows->count < FEW;
    if (at_once) input_part(rows, rows->count * length, rows->x, channels, rows->lines, order.step_stride);
    for (size_t t = 0; t < length; t++) {
        if (!at_once)
            input_part(rows, rows->count, rows->x + t * channels, length * channels, rows->lines + t * order.step_stride, order.row_stride);
        forward_step(rows, t);
    }
    const float *last = rows->lines + (length - 1) * rows->order.step_stride + 4 * hidden;
    for (size_t r = 0; r < rows->count; r++) {
        if (rows->h) memcpy(rows->h + r * hidden, rows->y + ((r + 1) * length - 1) * hidden, hidden * sizeof *last);
        if (rows->c && is_lstm(rows->shape)) memcpy(rows->c + r * hidden, last + r * rows->order.row_stride, hidden * sizeof *last);
    }
}

void tcsi_recurrent_forward(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t batch, const float *x,
                            const tcsi_recurrent_weights *weights, float *h, float *c, float *y, float *saved, float *scratch)
{
    const size_t hidden = recurrent->hidden, length = recurrent->length, line = line_size(recurrent), gates = gates_size(recurrent);
    if (length == 0 || hidden == 0) return;
    tcsi_vector_add(isa, gates, weights->bias_input, weights->bias_hidden, scratch);
    if (!is_lstm(recurrent)) memcpy(scratch + 2 * hidden, weights->bias_input + 2 * hidden, hidden * sizeof *scratch);
    forward_rows rows = { .isa = isa, .shape = recurrent, .weights = weights, .bias = scratch };
    for (size_t begin = 0; begin < batch; begin += BLOCK_ROWS) {
        rows.count = smaller(batch - begin, BLOCK_ROWS);
        rows.x = x + begin * length * recurrent->channels_in;
        rows.h = h ? h + begin * hidden : NULL;
        rows.c = c ? c + begin * hidden : NULL;
        rows.y = y + begin * length * hidden;
        rows.lines = saved ? saved + begin * length * line : scratch + 4 * hidden;
        rows.order = order_of(recurrent, rows.count);
        if (!saved && rows.count >= FEW) rows.order.step_stride = 0; /* every step writes over the one before */
        forward_block(&rows);
    }
}

/* ---- backward ---- */

/* A block of rows; the arrays of a chunk are in the order (t,b). */
typedef struct backward_rows {
    tcsi_isa isa;
    const tcsi_recurrent *shape;
    const tcsi_recurrent_gradients *gradients;
    size_t count;
    const float *x, *y, *saved, *dy;
    float *dx;                                        /* may be NULL */
    bool accumulate;                                  /* dx */
    const float *hidden_transposed, *input_transposed; /* (G H, H), (G H, C) */
    float *dh, *dc;                                   /* (R,H) */
    float *dsums, *h_before, *x_chunk, *dx_chunk;     /* (t,b,4H), (t,b,H), (t,b,C), (t,b,C) */
    float *bias;                                      /* (4H): dsums of the chunk added up */
    line_order order;                                 /* of saved */
} backward_rows;

/* Step t into the chunk, at `slot`; leaves dh and dc for the step before. */
static void backward_step(const backward_rows *rows, size_t t, size_t slot)
{
    const size_t hidden = rows->shape->hidden, length = rows->shape->length, gates = gates_size(rows->shape);
    const float *saved = rows->saved + t * rows->order.step_stride, *dy = rows->dy + t * hidden;
    const float *h_before = t > 0 ? rows->y + (t - 1) * hidden : NULL;
    float *dsums = rows->dsums + slot * rows->count * 4 * hidden;
    tcsi_cell_rows cells = { .count = rows->count, .hidden = hidden, .line_stride = rows->order.row_stride, .before = h_before,
                             .before_stride = length * hidden, .h_stride = length * hidden };
    if (is_lstm(rows->shape)) {
        cells.before = t > 0 ? saved - rows->order.step_stride + 4 * hidden : NULL;
        cells.before_stride = rows->order.row_stride;
        tcsi_cells_ops_for(rows->isa)->lstm_step_backward(&cells, saved, dy, rows->dh, rows->dc, dsums);
    } else {
        tcsi_cells_ops_for(rows->isa)->gru_step_backward(&cells, saved, dy, rows->dh, dsums);
    }
    tcsi_gemm product = { .m = rows->count, .n = hidden, .k = gates, .a = dsums + hidden_offset(rows->shape), .a_stride = 4 * hidden,
                          .b = rows->hidden_transposed, .b_stride = hidden, .c = rows->dh, .c_stride = hidden,
                          .accumulate = !is_lstm(rows->shape) };
    if (t > 0) tcsi_gemm_run(rows->isa, NULL, &product);
}

/* What the sums of step t were made of, into the chunk. */
static void gather_step(const backward_rows *rows, size_t t, size_t slot)
{
    const size_t hidden = rows->shape->hidden, length = rows->shape->length, channels = rows->shape->channels_in;
    for (size_t r = 0; r < rows->count; r++) {
        const size_t to = slot * rows->count + r, from = r * length + t;
        if (channels > 0) memcpy(rows->x_chunk + to * channels, rows->x + from * channels, channels * sizeof(float));
        if (t > 0) memcpy(rows->h_before + to * hidden, rows->y + (from - 1) * hidden, hidden * sizeof(float));
        else memset(rows->h_before + to * hidden, 0, hidden * sizeof(float));
    }
}

/* Columns [from, from + n) of dsums belong to columns [to, to + n) of the input's weights. */
static void backward_input(const backward_rows *rows, size_t lines, size_t from, size_t to, size_t n, bool accumulate)
{
    const size_t channels = rows->shape->channels_in, gates = gates_size(rows->shape), width = 4 * rows->shape->hidden;
    tcsi_gemm to_x = { .m = lines, .n = channels, .k = n, .a = rows->dsums + from, .a_stride = width,
                       .b = rows->input_transposed + to * channels, .b_stride = channels, .c = rows->dx_chunk, .c_stride = channels,
                       .accumulate = accumulate, .precision = rows->shape->precision };
    tcsi_gemm to_w = { .m = channels, .n = n, .k = lines, .a = rows->x_chunk, .a_stride = channels, .a_transposed = true,
                       .b = rows->dsums + from, .b_stride = width, .c = rows->gradients->w_input + to, .c_stride = gates,
                       .accumulate = true, .precision = rows->shape->precision };
    if (rows->dx) tcsi_gemm_run(rows->isa, NULL, &to_x);
    tcsi_gemm_run(rows->isa, NULL, &to_w);
    tcsi_vector_add(rows->isa, n, rows->gradients->bias_input + to, rows->bias + from, rows->gradients->bias_input + to);
}

/* Steps [begin, end) are in the chunk. */
static void backward_chunk(const backward_rows *rows, size_t begin, size_t end)
{
    const size_t hidden = rows->shape->hidden, channels = rows->shape->channels_in, gates = gates_size(rows->shape);
    const size_t lines = (end - begin) * rows->count, offset = hidden_offset(rows->shape);
    tcsi_vector_sum_rows(rows->isa, lines, 4 * hidden, rows->dsums, false, rows->bias);
    if (is_lstm(rows->shape)) {
        backward_input(rows, lines, 0, 0, gates, false);
    } else {
        backward_input(rows, lines, hidden, 0, 2 * hidden, false);
        backward_input(rows, lines, 0, 2 * hidden, hidden, true);
    }
    tcsi_gemm to_w = { .m = hidden, .n = gates, .k = lines, .a = rows->h_before, .a_stride = hidden, .a_transposed = true,
                       .b = rows->dsums + offset, .b_stride = 4 * hidden, .c = rows->gradients->w_hidden, .c_stride = gates,
                       .accumulate = true, .precision = rows->shape->precision };
    tcsi_gemm_run(rows->isa, NULL, &to_w);
    tcsi_vector_add(rows->isa, gates, rows->gradients->bias_hidden, rows->bias + offset, rows->gradients->bias_hidden);
    for (size_t line = 0; rows->dx && line < lines; line++) {
        const size_t row = line % rows->count, step = begin + line / rows->count;
        float *from = rows->dx_chunk + line * channels, *to = rows->dx + (row * rows->shape->length + step) * channels;
        if (rows->accumulate) tcsi_vector_add(rows->isa, channels, from, to, to);
        else if (channels > 0) memcpy(to, from, channels * sizeof *to);
    }
}

void tcsi_recurrent_backward(tcsi_isa isa, const tcsi_recurrent *recurrent, size_t batch, const float *x,
                             const tcsi_recurrent_weights *weights, const float *y, const float *saved, const float *dy, bool accumulate,
                             float *dx, const tcsi_recurrent_gradients *gradients, float *scratch)
{
    const size_t hidden = recurrent->hidden, length = recurrent->length, channels = recurrent->channels_in, gates = gates_size(recurrent);
    const size_t most = smaller(batch, BLOCK_ROWS), chunk = chunk_length(recurrent, most), lines = most * chunk;
    if (length == 0 || batch == 0 || hidden == 0) {
        if (dx && !accumulate && batch * length * channels > 0) memset(dx, 0, batch * length * channels * sizeof *dx);
        return;
    }
    backward_rows rows = { .isa = isa, .shape = recurrent, .gradients = gradients, .accumulate = accumulate, .bias = scratch };
    float *hidden_transposed = scratch + 4 * hidden, *input_transposed = hidden_transposed + gates * hidden;
    rows.dh = input_transposed + gates * channels;
    rows.dc = rows.dh + most * hidden;
    rows.dsums = rows.dc + most * hidden;
    rows.h_before = rows.dsums + lines * 4 * hidden;
    rows.x_chunk = rows.h_before + lines * hidden;
    rows.dx_chunk = rows.x_chunk + lines * channels;
    rows.hidden_transposed = hidden_transposed;
    rows.input_transposed = input_transposed;
    tcsi_cells_ops_for(isa)->transpose(hidden, gates, weights->w_hidden, gates, hidden_transposed);
    tcsi_cells_ops_for(isa)->transpose(channels, gates, weights->w_input, gates, input_transposed);
    for (size_t begin = 0; begin < batch; begin += BLOCK_ROWS) {
        rows.count = smaller(batch - begin, BLOCK_ROWS);
        rows.x = x + begin * length * channels;
        rows.dx = dx ? dx + begin * length * channels : NULL;
        rows.y = y + begin * length * hidden;
        rows.dy = dy + begin * length * hidden;
        rows.saved = saved + begin * length * line_size(recurrent);
        rows.order = order_of(recurrent, rows.count);
        memset(rows.dh, 0, 2 * most * hidden * sizeof *rows.dh); /* and dc */
        for (size_t end = length; end > 0; end -= smaller(end, chunk)) {
            const size_t first = end - smaller(end, chunk);
            for (size_t t = end; t-- > first;) {
                backward_step(&rows, t, t - first);
                gather_step(&rows, t, t - first);
            }
            backward_chunk(&rows, first, end);
        }
    }
}
