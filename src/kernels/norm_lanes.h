/* kernels/norm_lanes.h -- the loops of kernels/norm.h; included once per tier by cells_TIER.c after vector_lanes.h. */
#include "kernels/cells_lanes.h"

/* ---- layer norm ---- */

/* sum over i of (x[i] - mean)^2 */
static double centred_square_sum(size_t count, const float *x, double mean)
{
    const doubles m = doubles_set(mean);
    chains s = chains_zero();
    EACH_SUM(i, n, r, count, {
        doubles d = doubles_part(doubles_sub(doubles_from(load(x + i, n)), m), n);
        s.part[r] = doubles_add(s.part[r], doubles_mul(d, d));
    });
    return chains_total(s);
}

static void layer_norm_forward(size_t row_count, size_t column_count, float epsilon, const float *x, const float *gain, const float *shift,
                               float *y, float *ret_mean, float *ret_inverse)
{
    for (size_t r = 0; r < row_count; r++, x += column_count, y += column_count) {
        const double mean = vector_sum(column_count, x) / (double)column_count;
        const double variance = centred_square_sum(column_count, x, mean) / (double)column_count;
        ret_mean[r] = (float)mean;
        ret_inverse[r] = (float)(1 / sqrt(variance + (double)epsilon));
        /* x less a mean near it is exact; so is what is left of the mean then worth taking off. */
        const floats m = floats_set(ret_mean[r]), rest = floats_set((float)(mean - (double)ret_mean[r]));
        const floats inverse = floats_set(ret_inverse[r]);
        EACH(c, n, column_count, {
            floats normal = floats_mul(floats_sub(floats_sub(load(x + c, n), m), rest), inverse);
            store(y + c, floats_fma(normal, load(gain + c, n), load(shift + c, n)), n);
        });
    }
}

/* With h = dy * gain and xhat = (x - mean) * inverse:  dx = inverse * (h - mean(h) - xhat * mean(h * xhat)). */
static void layer_norm_backward(size_t row_count, size_t column_count, const float *x, const float *gain, const float *mean,
                                const float *inverse, const float *dy, bool accumulate, float *dx, float *dgain, float *dshift)
{
    for (size_t r = 0; r < row_count; r++, x += column_count, dy += column_count, dx += column_count) {
        const floats m = floats_set(mean[r]), inv = floats_set(inverse[r]);
        chains first = chains_zero(), second = chains_zero();
        EACH_SUM(c, n, p, column_count, {
            floats d = load(dy + c, n), normal = floats_mul(floats_sub(load(x + c, n), m), inv), h = floats_mul(d, load(gain + c, n));
            store(dgain + c, floats_fma(d, normal, load(dgain + c, n)), n);
            store(dshift + c, floats_add(d, load(dshift + c, n)), n);
            first.part[p] = doubles_add(first.part[p], doubles_from(h));
            second.part[p] = doubles_add(second.part[p], doubles_mul(doubles_from(h), doubles_from(normal)));
        });
        const floats h_mean = floats_set((float)(chains_total(first) / (double)column_count));
        const floats slope = floats_set((float)(chains_total(second) / (double)column_count));
        EACH(c, n, column_count, {
            floats normal = floats_mul(floats_sub(load(x + c, n), m), inv), h = floats_mul(load(dy + c, n), load(gain + c, n));
            floats d = floats_mul(inv, floats_sub(floats_sub(h, h_mean), floats_mul(normal, slope)));
            store(dx + c, accumulate ? floats_add(load(dx + c, n), d) : d, n);
        });
    }
}

/* ---- batch norm ---- */

/* Pairs (first, second) of LANES columns into ret_sums (C,2). */
INLINE void store_pairs(double *ret_sums, doubles first, doubles second, size_t n)
{
    double a[LANES], b[LANES];
    doubles_store(a, first);
    doubles_store(b, second);
    for (size_t l = 0; l < n; l++) {
        ret_sums[2 * l] = a[l];
        ret_sums[2 * l + 1] = b[l];
    }
}

static void batch_norm_sums(size_t row_count, size_t column_count, const float *x, const float *origin, double *ret_sums)
{
    EACH(c, n, column_count, {
        doubles from = doubles_from(load(origin + c, n)), first = doubles_set(0), second = doubles_set(0);
        for (size_t r = 0; r < row_count; r++) {
            doubles d = doubles_sub(doubles_from(load(x + r * column_count + c, n)), from);
            first = doubles_add(first, d);
            second = doubles_add(second, doubles_mul(d, d));
        }
        store_pairs(ret_sums + 2 * c, first, second, n);
    });
}

static void batch_norm_apply(size_t row_count, size_t column_count, const float *x, const float *mean, const float *inverse,
                             const float *gain, const float *shift, float *y)
{
    EACH(c, n, column_count, {
        floats m = load(mean + c, n), inv = load(inverse + c, n), g = load(gain + c, n), s = load(shift + c, n);
        for (size_t r = 0; r < row_count; r++) {
            const size_t at = r * column_count + c;
            store(y + at, floats_fma(floats_mul(floats_sub(load(x + at, n), m), inv), g, s), n);
        }
    });
}

static void batch_norm_backward_sums(size_t row_count, size_t column_count, const float *x, const float *mean, const float *inverse,
                                     const float *dy, double *ret_sums)
{
    EACH(c, n, column_count, {
        floats m = load(mean + c, n), inv = load(inverse + c, n);
        doubles first = doubles_set(0), second = doubles_set(0);
        for (size_t r = 0; r < row_count; r++) {
            const size_t at = r * column_count + c;
            doubles d = doubles_from(load(dy + at, n)), normal = doubles_from(floats_mul(floats_sub(load(x + at, n), m), inv));
            first = doubles_add(first, d);
            second = doubles_add(second, doubles_mul(d, normal));
        }
        store_pairs(ret_sums + 2 * c, first, second, n);
    });
}

static void batch_norm_backward_apply(size_t row_count, size_t column_count, const float *x, const float *mean, const float *inverse,
                                      const float *gain, const double *sums, double total, const float *dy, bool accumulate, float *dx)
{
    EACH(c, n, column_count, {
        float first_mean[LANES] = { 0 }, second_mean[LANES] = { 0 };
        for (size_t l = 0; l < n; l++) {
            first_mean[l] = (float)(sums[2 * (c + l)] / total);
            second_mean[l] = (float)(sums[2 * (c + l) + 1] / total);
        }
        floats m = load(mean + c, n), inv = load(inverse + c, n), factor = floats_mul(load(gain + c, n), inv);
        floats first = floats_load(first_mean), second = floats_load(second_mean);
        for (size_t r = 0; r < row_count; r++) {
            const size_t at = r * column_count + c;
            floats normal = floats_mul(floats_sub(load(x + at, n), m), inv);
            floats d = floats_mul(factor, floats_sub(floats_sub(load(dy + at, n), first), floats_mul(normal, second)));
            store(dx + at, accumulate ? floats_add(load(dx + at, n), d) : d, n);
        }
    });
}

/* ---- softmax ---- */

/* The largest of count > 0 values, anything with a NaN among them.  The last LANES are looked at twice. */
INLINE float largest(size_t count, const float *x)
{
    float top = x[0];
    if (count < LANES) {
        for (size_t c = 1; c < count; c++) top = x[c] > top ? x[c] : top;
        return top;
    }
    floats most = floats_load(x + count - LANES);
    for (size_t c = 0; c + LANES <= count; c += LANES) most = floats_max(floats_load(x + c), most);
    return floats_max_across(most);
}

/* y = softmax(factor x), factor > 0.  A NaN anywhere makes everything NaN, through the sum if not through the maximum. */
static void softmax_row(size_t count, float factor, const float *x, float *y)
{
    if (count == 0) return;
    float top = largest(count, x);
    if (top == -INFINITY) top = vector_max(count, x); /* NaN, if there is one */
    if (top == -INFINITY) {
        EACH(c, n, count, { store(y + c, floats_set(0), n); });
        return;
    }
    const floats m = floats_set(top), f = floats_set(factor);
    chains s = chains_zero();
    EACH_SUM(c, n, r, count, {
        floats e = floats_exp(floats_mul(floats_sub(load(x + c, n), m), f));
        store(y + c, e, n);
        s.part[r] = doubles_add(s.part[r], doubles_part(doubles_from(e), n));
    });
    const floats share = floats_set((float)(1 / chains_total(s)));
    EACH(c, n, count, { store(y + c, floats_mul(load(y + c, n), share), n); });
}

static void softmax_forward(size_t row_count, size_t column_count, const float *x, float *y)
{
    for (size_t r = 0; r < row_count; r++) softmax_row(column_count, 1, x + r * column_count, y + r * column_count);
}

/* dx = y * (dy - sum of dy * y) */
static void softmax_backward(size_t row_count, size_t column_count, const float *y, const float *dy, bool accumulate, float *dx)
{
    for (size_t r = 0; r < row_count; r++, y += column_count, dy += column_count, dx += column_count) {
        const floats mean = floats_set((float)vector_dot(column_count, y, dy));
        EACH(c, n, column_count, {
            floats d = floats_mul(load(y + c, n), floats_sub(load(dy + c, n), mean));
            store(dx + c, accumulate ? floats_add(load(dx + c, n), d) : d, n);
        });
    }
}
