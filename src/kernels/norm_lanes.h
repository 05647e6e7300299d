/* kernels/norm_lanes.h -- the loops of kernels/norm.h; included once per tier by cells_TIER.c after vector_lanes.h. */
#include "kernels/cells_lanes.h"

/* Sums, quotients and roots of one row wait for each other, so ROWS_TOGETHER rows go through each pass together. */
enum { ROWS_TOGETHER = 16 };

INLINE size_t rows_from(size_t row, size_t row_count)
{
    return row_count - row < ROWS_TOGETHER ? row_count - row : ROWS_TOGETHER;
}

/* ---- layer norm ---- */

/* x less a mean near it is exact; so is what is left of the mean then worth taking off. */
typedef struct centre {
    float mean, rest;
} centre;

INLINE floats centred(floats x, const centre *at)
{
    return floats_sub(floats_sub(x, floats_set(at->mean)), floats_set(at->rest));
}

INLINE void layer_norm_rows(size_t row_count, size_t count, float epsilon, const float *x, const float *gain, const float *shift, float *y,
                            float *ret_mean, float *ret_inverse)
{
    centre at[ROWS_TOGETHER];
    for (size_t r = 0; r < row_count; r++) {
        const double mean = vector_sum(count, x + r * count) / (double)count;
        at[r] = (centre){ (float)mean, (float)(mean - (double)(float)mean) };
        ret_mean[r] = at[r].mean;
    }
    for (size_t r = 0; r < row_count; r++) {
        const float *from = x + r * count;
        chains sum = chains_zero();
        EACH_TERM(c, n, term, sum, count, {
            floats d = centred(load(from + c, n), &at[r]);
            term = floats_mul(d, d);
        });
        ret_inverse[r] = (float)(1 / sqrt(chains_total(sum) / (double)count + (double)epsilon));
    }
    for (size_t r = 0; r < row_count; r++) {
        const float *from = x + r * count;
        float *to = y + r * count;
        const floats inverse = floats_set(ret_inverse[r]);
        EACH(c, n, count, {
            floats normal = floats_mul(centred(load(from + c, n), &at[r]), inverse);
            store(to + c, floats_fma(normal, load(gain + c, n), load(shift + c, n)), n);
        });
    }
}

static void layer_norm_forward(size_t row_count, size_t column_count, float epsilon, const float *x, const float *gain, const float *shift,
                               float *y, float *ret_mean, float *ret_inverse)
{
    for (size_t r = 0; r < row_count; r += ROWS_TOGETHER)
        layer_norm_rows(rows_from(r, row_count), column_count, epsilon, x + r * column_count, gain, shift, y + r * column_count,
                        ret_mean + r, ret_inverse + r);
}

/* The normalized value that forward made, but for the rest of the mean. */
INLINE floats normal_of(floats x, float mean, float inverse)
{
    return floats_mul(floats_sub(x, floats_set(mean)), floats_set(inverse));
}

/* With h = dy * gain and xhat = (x - mean) * inverse:  dx = inverse * (h - mean(h) - xhat * mean(h * xhat)). */
INLINE void layer_norm_rows_backward(size_t row_count, size_t count, const float *x, const float *gain, const float *mean,
                                     const float *inverse, const float *dy, bool accumulate, float *dx)
{
    float h_mean[ROWS_TOGETHER], slope[ROWS_TOGETHER];
    for (size_t r = 0; r < row_count; r++) {
        const float *from = x + r * count, *d = dy + r * count;
        chains first = chains_zero(), second = chains_zero();
        EACH_TERM(c, n, term, first, count, { term = floats_mul(load(d + c, n), load(gain + c, n)); });
        EACH_TERM(c, n, term, second, count, {
            term = floats_mul(floats_mul(load(d + c, n), load(gain + c, n)), normal_of(load(from + c, n), mean[r], inverse[r]));
        });
        h_mean[r] = (float)(chains_total(first) / (double)count);
        slope[r] = (float)(chains_total(second) / (double)count);
    }
    for (size_t r = 0; r < row_count; r++) {
        const floats inv = floats_set(inverse[r]), m = floats_set(h_mean[r]), s = floats_set(slope[r]);
        EACH(c, n, count, {
            const size_t at = r * count + c;
            floats normal = normal_of(load(x + at, n), mean[r], inverse[r]), h = floats_mul(load(dy + at, n), load(gain + c, n));
            floats d = floats_mul(inv, floats_sub(floats_sub(h, m), floats_mul(normal, s)));
            store(dx + at, accumulate ? floats_add(load(dx + at, n), d) : d, n);
        });
    }
}

static void layer_norm_backward(size_t row_count, size_t column_count, const float *x, const float *gain, const float *mean,
                                const float *inverse, const float *dy, bool accumulate, float *dx, float *dgain, float *dshift)
{
    for (size_t begin = 0; begin < row_count; begin += ROWS_TOGETHER) {
        const size_t rows = rows_from(begin, row_count), at = begin * column_count;
        EACH(c, n, column_count, {
            floats to_gain = load(dgain + c, n), to_shift = load(dshift + c, n);
            for (size_t r = begin; r < begin + rows; r++) {
                floats d = load(dy + r * column_count + c, n);
                to_gain = floats_fma(d, normal_of(load(x + r * column_count + c, n), mean[r], inverse[r]), to_gain);
                to_shift = floats_add(to_shift, d);
            }
            store(dgain + c, to_gain, n);
            store(dshift + c, to_shift, n);
        });
        layer_norm_rows_backward(rows, column_count, x + at, gain, mean + begin, inverse + begin, dy + at, accumulate, dx + at);
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

/* The value that exp is taken relative to; INFINITY, which leaves only zeros, where all are -INFINITY. */
INLINE float softmax_origin(size_t count, const float *x)
{
    float top = count > 0 ? largest(count, x) : 0;
    if (top == -INFINITY) top = vector_max(count, x); /* NaN, if there is one */
    return top == -INFINITY ? INFINITY : top;
}

/* y = softmax(factor x) of the first seen + r step entries of at most ROWS_TOGETHER rows r, stride apart; factor > 0.  A NaN makes its
 * whole row NaN, through the sum if not through the maximum. */
INLINE void softmax_rows(size_t row_count, size_t seen, size_t step, size_t stride, float factor, const float *x, float *y)
{
    float origin[ROWS_TOGETHER], share[ROWS_TOGETHER];
    const floats f = floats_set(factor);
    for (size_t r = 0; r < row_count; r++) origin[r] = softmax_origin(seen + r * step, x + r * stride);
    for (size_t r = 0; r < row_count; r++) {
        const float *from = x + r * stride;
        float *to = y + r * stride;
        const floats o = floats_set(origin[r]);
        chains sum = chains_zero();
        EACH_TERM(c, n, term, sum, seen + r * step, {
            term = floats_exp(floats_mul(floats_sub(load(from + c, n), o), f));
            store(to + c, term, n);
        });
        const double total = chains_total(sum);
        share[r] = total == 0 ? 0 : (float)(1 / total);
    }
    for (size_t r = 0; r < row_count; r++) {
        float *to = y + r * stride;
        const floats s = floats_set(share[r]);
        EACH(c, n, seen + r * step, { store(to + c, floats_mul(load(to + c, n), s), n); });
    }
}

static void softmax_forward(size_t row_count, size_t column_count, const float *x, float *y)
{
    for (size_t r = 0; r < row_count; r += ROWS_TOGETHER)
        softmax_rows(rows_from(r, row_count), column_count, 0, column_count, 1,
                     x + r * column_count, y + r * column_count);
}

/* dx (+)= factor y (dy - sum of y dy), row by row as softmax_rows. */
INLINE void softmax_rows_backward(size_t row_count, size_t seen, size_t step, size_t stride, float factor, const float *y, const float *dy,
                                  bool accumulate, float *dx)
{
    float mean[ROWS_TOGETHER];
    const floats f = floats_set(factor);
    for (size_t r = 0; r < row_count; r++) {
        const float *a = y + r * stride, *b = dy + r * stride;
        chains sum = chains_zero();
        EACH_TERM(c, n, term, sum, seen + r * step, { term = floats_mul(load(a + c, n), load(b + c, n)); });
        mean[r] = (float)chains_total(sum);
    }
    for (size_t r = 0; r < row_count; r++) {
        const floats m = floats_set(mean[r]);
        EACH(c, n, seen + r * step, {
            const size_t at = r * stride + c;
            floats d = floats_mul(floats_mul(load(y + at, n), f), floats_sub(load(dy + at, n), m));
            store(dx + at, accumulate ? floats_add(load(dx + at, n), d) : d, n);
        });
    }
}

static void softmax_backward(size_t row_count, size_t column_count, const float *y, const float *dy, bool accumulate, float *dx)
{
    for (size_t r = 0; r < row_count; r += ROWS_TOGETHER) {
        const size_t at = r * column_count;
        softmax_rows_backward(rows_from(r, row_count), column_count, 0, column_count, 1, y + at, dy + at,
                              accumulate, dx + at);
    }
}
