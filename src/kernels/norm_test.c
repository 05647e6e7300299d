/* kernels/norm_test.c -- layer norm, batch norm and softmax against double precision, finite differences and PyTorch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include "kernels/norm.h"

enum { ROWS_MAX = 8, COLUMNS_MAX = 100, SIZE_MAX_HERE = ROWS_MAX * COLUMNS_MAX };

static const double EPSILON = 1e-5;
static const size_t row_counts[] = { 0, 1, 3, 8 }, column_counts[] = { 1, 2, 7, 15, 16, 17, 33, 64, 100 };

/* ---- the definitions in double ---- */

typedef struct example {
    size_t rows, columns;
    double x[SIZE_MAX_HERE], gain[COLUMNS_MAX], shift[COLUMNS_MAX], dy[SIZE_MAX_HERE], y[SIZE_MAX_HERE];
    void (*forward)(struct example *example);
} example;

/* One group of count values, stride apart, normalized. */
static void normalize(size_t count, size_t stride, const double *x, double *ret)
{
    double mean = 0, variance = 0;
    for (size_t i = 0; i < count; i++) mean += x[i * stride] / (double)count;
    for (size_t i = 0; i < count; i++) variance += (x[i * stride] - mean) * (x[i * stride] - mean) / (double)count;
    for (size_t i = 0; i < count; i++) ret[i * stride] = (x[i * stride] - mean) / sqrt(variance + EPSILON);
}

static void scale_and_shift(example *e)
{
    for (size_t i = 0; i < e->rows * e->columns; i++) e->y[i] = e->y[i] * e->gain[i % e->columns] + e->shift[i % e->columns];
}

static void layer_norm(example *e)
{
    for (size_t r = 0; r < e->rows; r++) normalize(e->columns, 1, e->x + r * e->columns, e->y + r * e->columns);
    scale_and_shift(e);
}

static void batch_norm(example *e)
{
    for (size_t c = 0; c < e->columns; c++) normalize(e->rows, e->columns, e->x + c, e->y + c);
    scale_and_shift(e);
}

static void softmax(example *e)
{
    for (size_t r = 0; r < e->rows; r++) {
        double *y = e->y + r * e->columns, *x = e->x + r * e->columns, most = -INFINITY, sum = 0;
        for (size_t c = 0; c < e->columns; c++) most = fmax(most, x[c]);
        for (size_t c = 0; c < e->columns; c++) sum += y[c] = exp(x[c] - most);
        for (size_t c = 0; c < e->columns; c++) y[c] /= sum;
    }
}

static double objective(const void *context)
{
    example *e = (example *)(uintptr_t)context;
    double sum = 0;
    e->forward(e);
    for (size_t i = 0; i < e->rows * e->columns; i++) sum += e->y[i] * e->dy[i];
    return sum;
}

/* Our arrays of an example. */
typedef struct arrays {
    float *x, *gain, *shift, *dy, *y, *dx, *dx_sum, *dgain, *dshift, *mean, *inverse;
} arrays;

static arrays make_arrays(tcsi_rng *rng, example *e, size_t rows, size_t columns)
{
    const size_t n = rows * columns, statistics = rows > columns ? rows : columns;
    arrays a = { .x = guarded_random(rng, n, 2), .gain = guarded_random(rng, columns, 1), .shift = guarded_random(rng, columns, 1),
                 .dy = guarded_random(rng, n, 1), .y = guarded(n), .dx = guarded_random(rng, n, 1),
                 .dgain = guarded_random(rng, columns, 1), .dshift = guarded_random(rng, columns, 1), .mean = guarded(statistics),
                 .inverse = guarded(statistics) };
    for (size_t i = 0; i < n; i++) a.x[i] += 5;
    a.dx_sum = guarded_copy(n, a.dx);
    e->rows = rows;
    e->columns = columns;
    to_doubles(n, a.x, e->x);
    to_doubles(columns, a.gain, e->gain);
    to_doubles(columns, a.shift, e->shift);
    to_doubles(n, a.dy, e->dy);
    return a;
}

/* dx and the accumulated dx_sum of what began as before; dgain and dshift likewise. */
static void check_gradients(tcsi_isa isa, example *e, const arrays *a, const float *dx_before, const float *dgain_before,
                            const float *dshift_before)
{
    static double expected[SIZE_MAX_HERE];
    const size_t n = e->rows * e->columns;
    numeric_gradient(n, e->x, objective, e, expected);
    assert_all_near("dx", isa, n, expected, a->dx, 2e-6);
    for (size_t i = 0; i < n; i++) expected[i] += (double)dx_before[i];
    assert_all_near("dx accumulated", isa, n, expected, a->dx_sum, 2e-6);
    if (!dgain_before) return;
    numeric_gradient(e->columns, e->gain, objective, e, expected);
    for (size_t i = 0; i < e->columns; i++) expected[i] += (double)dgain_before[i];
    assert_all_near("dgain", isa, e->columns, expected, a->dgain, 2e-6);
    numeric_gradient(e->columns, e->shift, objective, e, expected);
    for (size_t i = 0; i < e->columns; i++) expected[i] += (double)dshift_before[i];
    assert_all_near("dshift", isa, e->columns, expected, a->dshift, 2e-6);
}

/* ---- layer norm ---- */

static void test_layer_norm(void **state)
{
    (void)state;
    static example e = { .forward = layer_norm };
    tcsi_rng rng = tcsi_rng_make(1, 0);
    EACH_ISA(isa)
        for (size_t r = 0; r < TCS_COUNT(row_counts); r++)
            for (size_t c = 0; c < TCS_COUNT(column_counts); c++) {
                const size_t rows = row_counts[r], columns = column_counts[c];
                arrays a = make_arrays(&rng, &e, rows, columns);
                float *dx = guarded_copy(rows * columns, a.dx), *dgain = guarded_copy(columns, a.dgain);
                float *dshift = guarded_copy(columns, a.dshift);
                float *spare = guarded(columns), *spare2 = guarded(columns);
                tcsi_layer_norm_forward(isa, rows, columns, (float)EPSILON, a.x, a.gain, a.shift, a.y, a.mean, a.inverse);
                layer_norm(&e);
                assert_all_near("layer norm", isa, rows * columns, e.y, a.y, 2e-6);
                tcsi_layer_norm_backward(isa, rows, columns, a.x, a.gain, a.mean, a.inverse, a.dy, false, a.dx, a.dgain, a.dshift);
                tcsi_layer_norm_backward(isa, rows, columns, a.x, a.gain, a.mean, a.inverse, a.dy, true, a.dx_sum, spare, spare2);
                /* of one or two columns dx is the rounding of terms that cancel */
                if (columns > 2) check_gradients(isa, &e, &a, dx, dgain, dshift);
                guarded_release();
            }
}

/* A constant row is all shift; one with a NaN is NaN and its neighbours are not. */
static void test_layer_norm_special(void **state)
{
    (void)state;
    EACH_ISA(isa) {
        float x[3][5] = { { 7, 7, 7, 7, 7 }, { 1, NAN, 2, 3, 4 }, { 1e-40f, 0, -1e-40f, 0, 0 } }, y[3][5], mean[3], inverse[3];
        const float gain[5] = { 1, 2, 3, 4, 5 }, shift[5] = { 5, 4, 3, 2, 1 };
        tcsi_layer_norm_forward(isa, 3, 5, (float)EPSILON, x[0], gain, shift, y[0], mean, inverse);
        assert_same_bits("constant row", isa, 5, shift, y[0]);
        for (size_t c = 0; c < 5; c++) assert_true(isnan(y[1][c]) && fabsf(y[2][c] - shift[c]) < 1e-30f);
    }
}

/* ---- batch norm ---- */

static void batch_statistics(tcsi_isa isa, size_t rows, size_t columns, const float *x, float *ret_mean, float *ret_inverse)
{
    double sums[2 * COLUMNS_MAX];
    tcsi_batch_norm_sums(isa, rows, columns, x, x, sums); /* from the first row */
    for (size_t c = 0; c < columns; c++) {
        double shift = sums[2 * c] / (double)rows, variance = sums[2 * c + 1] / (double)rows - shift * shift;
        ret_mean[c] = (float)((double)x[c] + shift);
        ret_inverse[c] = (float)(1 / sqrt(variance + EPSILON));
    }
}

static void batch_backward(tcsi_isa isa, const example *e, const arrays *a, bool accumulate, float *dx)
{
    double sums[2 * COLUMNS_MAX];
    tcsi_batch_norm_backward_sums(isa, e->rows, e->columns, a->x, a->mean, a->inverse, a->dy, sums);
    tcsi_batch_norm_backward_apply(isa, e->rows, e->columns, a->x, a->mean, a->inverse, a->gain, sums, (double)e->rows, a->dy, accumulate,
                                   dx);
    for (size_t c = 0; c < e->columns && !accumulate; c++) {
        a->dshift[c] += (float)sums[2 * c];
        a->dgain[c] += (float)sums[2 * c + 1];
    }
}

static void test_batch_norm(void **state)
{
    (void)state;
    static example e = { .forward = batch_norm };
    tcsi_rng rng = tcsi_rng_make(2, 0);
    EACH_ISA(isa)
        for (size_t r = 2; r < TCS_COUNT(row_counts); r++)
            for (size_t c = 0; c < TCS_COUNT(column_counts); c++) {
                const size_t rows = row_counts[r], columns = column_counts[c];
                arrays a = make_arrays(&rng, &e, rows, columns);
                float *dx = guarded_copy(rows * columns, a.dx), *dgain = guarded_copy(columns, a.dgain);
                float *dshift = guarded_copy(columns, a.dshift);
                batch_statistics(isa, rows, columns, a.x, a.mean, a.inverse);
                tcsi_batch_norm_apply(isa, rows, columns, a.x, a.mean, a.inverse, a.gain, a.shift, a.y);
                batch_norm(&e);
                assert_all_near("batch norm", isa, rows * columns, e.y, a.y, 2e-6);
                batch_backward(isa, &e, &a, false, a.dx);
                batch_backward(isa, &e, &a, true, a.dx_sum);
                check_gradients(isa, &e, &a, dx, dgain, dshift);
                guarded_release();
            }
}

/* Sums of shards, added in order, are those of the whole but for rounding of doubles; no rows are zeros. */
static void test_batch_norm_shards(void **state)
{
    (void)state;
    enum { ROWS = 40, COLUMNS = 19 };
    tcsi_rng rng = tcsi_rng_make(3, 0);
    EACH_ISA(isa) {
        float *x = guarded_random(&rng, ROWS * COLUMNS, 1);
        double whole[2 * COLUMNS], parts[3][2 * COLUMNS];
        for (size_t i = 0; i < ROWS * COLUMNS; i++) x[i] += 1e4f;
        tcsi_batch_norm_sums(isa, ROWS, COLUMNS, x, x, whole);
        tcsi_batch_norm_sums(isa, 13, COLUMNS, x, x, parts[0]);
        tcsi_batch_norm_sums(isa, ROWS - 13, COLUMNS, x + 13 * COLUMNS, x, parts[1]);
        tcsi_batch_norm_sums(isa, 0, COLUMNS, x, x, parts[2]);
        for (size_t i = 0; i < 2 * COLUMNS; i++) assert_near(whole[i], parts[0][i] + parts[1][i] + parts[2][i], 1e-13);
        for (size_t i = 0; i < 2 * COLUMNS; i++) assert_true(parts[2][i] == 0);
        guarded_release();
    }
}

/* ---- softmax ---- */

static void test_softmax(void **state)
{
    (void)state;
    static example e = { .forward = softmax };
    tcsi_rng rng = tcsi_rng_make(4, 0);
    EACH_ISA(isa)
        for (size_t r = 0; r < TCS_COUNT(row_counts); r++)
            for (size_t c = 0; c < TCS_COUNT(column_counts); c++) {
                const size_t rows = row_counts[r], columns = column_counts[c];
                arrays a = make_arrays(&rng, &e, rows, columns);
                float *dx = guarded_copy(rows * columns, a.dx);
                tcsi_softmax_forward(isa, rows, columns, a.x, a.y);
                softmax(&e);
                assert_all_near("softmax", isa, rows * columns, e.y, a.y, 5e-7);
                tcsi_softmax_backward(isa, rows, columns, a.y, a.dy, false, a.dx);
                tcsi_softmax_backward(isa, rows, columns, a.y, a.dy, true, a.dx_sum);
                check_gradients(isa, &e, &a, dx, NULL, NULL);
                tcsi_softmax_forward(isa, rows, columns, a.x, a.x);
                assert_same_bits("softmax in place", isa, rows * columns, a.y, a.x);
                tcsi_softmax_backward(isa, rows, columns, a.y, a.dy, false, a.dy);
                assert_same_bits("softmax backward in place", isa, rows * columns, a.dx, a.dy);
                guarded_release();
            }
    tcsi_softmax_forward(tcsi_isa_current(), 3, 0, NULL, NULL);
}

static void test_softmax_special(void **state)
{
    (void)state;
    enum { COLUMNS = 21 };
    EACH_ISA(isa) {
        float *x = guarded(4 * COLUMNS), *y = guarded(4 * COLUMNS);
        for (size_t c = 0; c < COLUMNS; c++) {
            x[c] = -INFINITY;
            x[COLUMNS + c] = c % 5 == 1 ? 1e30f : c % 2 ? -INFINITY : -1e30f;
            x[2 * COLUMNS + c] = c == 17 ? NAN : 1;
            x[3 * COLUMNS + c] = 3e38f;
        }
        tcsi_softmax_forward(isa, 4, COLUMNS, x, y);
        for (size_t c = 0; c < COLUMNS; c++) {
            assert_true(y[c] == 0);
            assert_near(c % 5 == 1 ? 0.25 : 0, (double)y[COLUMNS + c], 1e-7);
            assert_true(isnan(y[2 * COLUMNS + c]));
            assert_near(1.0 / COLUMNS, (double)y[3 * COLUMNS + c], 1e-7);
        }
        guarded_release();
    }
}

/* ---- PyTorch ---- */

static void test_golden(void **state)
{
    (void)state;
    EACH_ISA(isa) {
        float *x = golden_floats("layer_norm", "x", NULL), *gain = golden_floats("layer_norm", "gain", NULL), mean[4], inverse[4];
        float *shift = golden_floats("layer_norm", "shift", NULL), *dy = golden_floats("layer_norm", "dy", NULL);
        float *y = guarded(36), *dx = guarded(36), *dgain = guarded(9), *dshift = guarded(9);
        tcsi_layer_norm_forward(isa, 4, 9, (float)EPSILON, x, gain, shift, y, mean, inverse);
        tcsi_layer_norm_backward(isa, 4, 9, x, gain, mean, inverse, dy, false, dx, dgain, dshift);
        assert_golden("layer_norm", "y", isa, 36, y, 1e-6);
        assert_golden("layer_norm", "dx", isa, 36, dx, 1e-6);
        assert_golden("layer_norm", "dgain", isa, 9, dgain, 1e-6);
        assert_golden("layer_norm", "dshift", isa, 9, dshift, 1e-6);
        guarded_release();

        example e = { .rows = 12, .columns = 5 };
        arrays a = { .x = golden_floats("batch_norm", "x", NULL), .gain = golden_floats("batch_norm", "gain", NULL), .y = guarded(60),
                     .shift = golden_floats("batch_norm", "shift", NULL), .dy = golden_floats("batch_norm", "dy", NULL), .dx = guarded(60),
                     .dgain = guarded(5), .dshift = guarded(5), .mean = guarded(5), .inverse = guarded(5) };
        batch_statistics(isa, 12, 5, a.x, a.mean, a.inverse);
        tcsi_batch_norm_apply(isa, 12, 5, a.x, a.mean, a.inverse, a.gain, a.shift, a.y);
        batch_backward(isa, &e, &a, false, a.dx);
        assert_golden("batch_norm", "y", isa, 60, a.y, 1e-6);
        assert_golden("batch_norm", "dx", isa, 60, a.dx, 1e-6);
        assert_golden("batch_norm", "dgain", isa, 5, a.dgain, 1e-6);
        assert_golden("batch_norm", "dshift", isa, 5, a.dshift, 1e-6);
        guarded_release();

        x = golden_floats("softmax", "x", NULL);
        dy = golden_floats("softmax", "dy", NULL);
        y = guarded(21);
        dx = guarded(21);
        tcsi_softmax_forward(isa, 3, 7, x, y);
        tcsi_softmax_backward(isa, 3, 7, y, dy, false, dx);
        assert_golden("softmax", "y", isa, 21, y, 1e-6);
        assert_golden("softmax", "dx", isa, 21, dx, 1e-6);
        guarded_release();
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_layer_norm), cmocka_unit_test(test_layer_norm_special), cmocka_unit_test(test_batch_norm),
              cmocka_unit_test(test_batch_norm_shards), cmocka_unit_test(test_softmax), cmocka_unit_test(test_softmax_special),
              cmocka_unit_test(test_golden))
