/* kernels/recurrent_lanes.h -- what happens between two products of kernels/recurrent.h; included once per tier by cells_TIER.c.
 * One row of a batch, one time step; H hidden units side by side. */
#include "kernels/cells_lanes.h"
#include "kernels/math_lanes.h"

/* gates (4H): sums before i, f, g, o on entry, the gates on return.  c_before (H) or NULL for zeros; c, h (H); c may be c_before. */
static void lstm_step(size_t hidden, float *gates, const float *c_before, float *c, float *h)
{
    float *in = gates, *forget = gates + hidden, *fresh = gates + 2 * hidden, *out = gates + 3 * hidden;
    EACH(j, n, hidden, {
        floats i = floats_sigmoid(load(in + j, n)), f = floats_sigmoid(load(forget + j, n));
        floats g = floats_tanh(load(fresh + j, n)), o = floats_sigmoid(load(out + j, n));
        floats before = c_before ? load(c_before + j, n) : floats_set(0);
        floats cell = floats_fma(f, before, floats_mul(i, g));
        store(in + j, i, n);
        store(forget + j, f, n);
        store(fresh + j, g, n);
        store(out + j, o, n);
        store(c + j, cell, n);
        store(h + j, floats_mul(o, floats_tanh(cell)), n);
    });
}

/* dh (H): gradient of h.  dc (H): of c from the step after, on return of c_before.  dgates (4H): of the sums before the gates. */
static void lstm_step_backward(size_t hidden, const float *gates, const float *c_before, const float *c, const float *dh, float *dc,
                               float *dgates)
{
    EACH(j, n, hidden, {
        floats i = load(gates + j, n), f = load(gates + hidden + j, n), g = load(gates + 2 * hidden + j, n);
        floats o = load(gates + 3 * hidden + j, n), tanh_c = floats_tanh(load(c + j, n)), d = load(dh + j, n);
        floats before = c_before ? load(c_before + j, n) : floats_set(0);
        floats d_cell = floats_fma(floats_mul(d, o), tanh_slope(tanh_c), load(dc + j, n));
        store(dgates + j, floats_mul(floats_mul(d_cell, g), sigmoid_slope(i)), n);
        store(dgates + hidden + j, floats_mul(floats_mul(d_cell, before), sigmoid_slope(f)), n);
        store(dgates + 2 * hidden + j, floats_mul(floats_mul(d_cell, i), tanh_slope(g)), n);
        store(dgates + 3 * hidden + j, floats_mul(floats_mul(d, tanh_c), sigmoid_slope(o)), n);
        store(dc + j, floats_mul(d_cell, f), n);
    });
}

/* gates (4H): on entry the input's part of n, the sums before r and z, and the hidden state's part of n; on return n, r, z and that part.
 * h_before (H) or NULL for zeros; h (H) may be h_before.  h = n + z (h_before - n). */
static void gru_step(size_t hidden, float *gates, const float *h_before, float *h)
{
    float *fresh = gates, *reset = gates + hidden, *keep = gates + 2 * hidden;
    const float *from_hidden = gates + 3 * hidden;
    EACH(j, n, hidden, {
        floats r = floats_sigmoid(load(reset + j, n)), z = floats_sigmoid(load(keep + j, n));
        floats new = floats_tanh(floats_fma(r, load(from_hidden + j, n), load(fresh + j, n)));
        floats before = h_before ? load(h_before + j, n) : floats_set(0);
        store(fresh + j, new, n);
        store(reset + j, r, n);
        store(keep + j, z, n);
        store(h + j, floats_fma(z, floats_sub(before, new), new), n);
    });
}

/* dh (H): gradient of h, on return the part of it that reaches h_before without a product.  dgates (4H): of what gru_step was given. */
static void gru_step_backward(size_t hidden, const float *gates, const float *h_before, float *dh, float *dgates)
{
    EACH(j, n, hidden, {
        floats new = load(gates + j, n), r = load(gates + hidden + j, n), z = load(gates + 2 * hidden + j, n);
        floats from_hidden = load(gates + 3 * hidden + j, n), d = load(dh + j, n);
        floats before = h_before ? load(h_before + j, n) : floats_set(0);
        floats d_new = floats_mul(floats_mul(d, floats_sub(floats_set(1), z)), tanh_slope(new));
        store(dgates + j, d_new, n);
        store(dgates + hidden + j, floats_mul(floats_mul(d_new, from_hidden), sigmoid_slope(r)), n);
        store(dgates + 2 * hidden + j, floats_mul(floats_mul(d, floats_sub(before, new)), sigmoid_slope(z)), n);
        store(dgates + 3 * hidden + j, floats_mul(d_new, r), n);
        store(dh + j, floats_mul(d, z), n);
    });
}
