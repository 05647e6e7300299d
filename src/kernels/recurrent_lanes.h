/* kernels/recurrent_lanes.h -- what happens between two products of kernels/recurrent.c; included once per tier by cells_TIER.c.
 * One time step of some rows of a batch, H hidden units side by side.  `before` is what the step before left in the same rows, c of an
 * LSTM or h of a GRU, NULL for zeros. */
#include "kernels/cells_lanes.h"
#include "kernels/math_lanes.h"

INLINE floats load_or_zeros(const float *p, size_t offset, size_t n)
{
    return p ? load(p + offset, n) : floats_set(0);
}

/* A line (5H): the sums before i, f, g, o on entry; on return i, f, g, o, c.  c may stand where c before did. */
static void lstm_step(const tcsi_cell_rows *rows, float *line, float *h)
{
    const size_t hidden = rows->hidden;
    const float *before = rows->before;
    for (size_t r = 0; r < rows->count; r++, line += rows->line_stride, h += rows->h_stride) {
        EACH(j, n, hidden, {
            floats i = floats_sigmoid(load(line + j, n)), f = floats_sigmoid(load(line + hidden + j, n));
            floats g = floats_tanh(load(line + 2 * hidden + j, n)), o = floats_sigmoid(load(line + 3 * hidden + j, n));
            floats c = floats_fma(f, load_or_zeros(before, j, n), floats_mul(i, g));
            store(line + j, i, n);
            store(line + hidden + j, f, n);
            store(line + 2 * hidden + j, g, n);
            store(line + 3 * hidden + j, o, n);
            store(line + 4 * hidden + j, c, n);
            store(h + j, floats_mul(o, floats_tanh(c)), n);
        });
        if (before) before += rows->before_stride;
    }
}

/* dh (R,H): gradient of h but for dy, what comes from the step after.  dc (R,H): of c from the step after, on return of c before.
 * dsums (R,4H): of the sums before the gates. */
static void lstm_step_backward(const tcsi_cell_rows *rows, const float *line, const float *dy, float *dh, float *dc, float *dsums)
{
    const size_t hidden = rows->hidden;
    const float *before = rows->before;
    for (size_t r = 0; r < rows->count; r++, line += rows->line_stride, dy += rows->h_stride) {
        EACH(j, n, hidden, {
            floats i = load(line + j, n), f = load(line + hidden + j, n), g = load(line + 2 * hidden + j, n);
            floats o = load(line + 3 * hidden + j, n), tanh_c = floats_tanh(load(line + 4 * hidden + j, n));
            floats d = floats_add(load(dh + j, n), load(dy + j, n));
            floats d_c = floats_fma(floats_mul(d, o), tanh_slope(tanh_c), load(dc + j, n));
            store(dsums + j, floats_mul(floats_mul(d_c, g), sigmoid_slope(i)), n);
            store(dsums + hidden + j, floats_mul(floats_mul(d_c, load_or_zeros(before, j, n)), sigmoid_slope(f)), n);
            store(dsums + 2 * hidden + j, floats_mul(floats_mul(d_c, i), tanh_slope(g)), n);
            store(dsums + 3 * hidden + j, floats_mul(floats_mul(d, tanh_c), sigmoid_slope(o)), n);
            store(dc + j, floats_mul(d_c, f), n);
        });
        if (before) before += rows->before_stride;
        dh += hidden;
        dc += hidden;
        dsums += 4 * hidden;
    }
}

/* A line (4H): on entry the input's part of n, the sums before r and z, and the hidden state's part of n; on return n, r, z and that part.
 * h = n + z (h before - n). */
static void gru_step(const tcsi_cell_rows *rows, float *line, float *h)
{
    const size_t hidden = rows->hidden;
    const float *before = rows->before;
    for (size_t r = 0; r < rows->count; r++, line += rows->line_stride, h += rows->h_stride) {
        EACH(j, n, hidden, {
            floats reset = floats_sigmoid(load(line + hidden + j, n)), keep = floats_sigmoid(load(line + 2 * hidden + j, n));
            floats fresh = floats_tanh(floats_fma(reset, load(line + 3 * hidden + j, n), load(line + j, n)));
            store(line + j, fresh, n);
            store(line + hidden + j, reset, n);
            store(line + 2 * hidden + j, keep, n);
            store(h + j, floats_fma(keep, floats_sub(load_or_zeros(before, j, n), fresh), fresh), n);
        });
        if (before) before += rows->before_stride;
    }
}

/* dh (R,H): as in lstm_step_backward, on return the part of the gradient of h before that comes without a product.
 * dsums (R,4H): of what gru_step was given. */
static void gru_step_backward(const tcsi_cell_rows *rows, const float *line, const float *dy, float *dh, float *dsums)
{
    const size_t hidden = rows->hidden;
    const float *before = rows->before;
    for (size_t r = 0; r < rows->count; r++, line += rows->line_stride, dy += rows->h_stride) {
        EACH(j, n, hidden, {
            floats fresh = load(line + j, n), reset = load(line + hidden + j, n), keep = load(line + 2 * hidden + j, n);
            floats d = floats_add(load(dh + j, n), load(dy + j, n)), past = load_or_zeros(before, j, n);
            floats d_fresh = floats_mul(floats_mul(d, floats_sub(floats_set(1), keep)), tanh_slope(fresh));
            store(dsums + j, d_fresh, n);
            store(dsums + hidden + j, floats_mul(floats_mul(d_fresh, load(line + 3 * hidden + j, n)), sigmoid_slope(reset)), n);
            store(dsums + 2 * hidden + j, floats_mul(floats_mul(d, floats_sub(past, fresh)), sigmoid_slope(keep)), n);
            store(dsums + 3 * hidden + j, floats_mul(d_fresh, reset), n);
            store(dh + j, floats_mul(d, keep), n);
        });
        if (before) before += rows->before_stride;
        dh += hidden;
        dsums += 4 * hidden;
    }
}
