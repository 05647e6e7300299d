/* kernels/vector_test.c -- the loops of kernels/vector.h in every tier: odd lengths, places, in place, slopes, reductions.  How accurate
 * the functions themselves are is kernels/math_test.c's.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include "kernels/vector.h"

enum { UNARY_COUNT = TCSI_UNARY_ABS + 1, LONG = 75 };

static const char *const unary_names[UNARY_COUNT] = { "exp", "log", "tanh", "sigmoid", "softplus",
                                                      "gelu", "relu", "square", "sqrt", "abs" };

static bool is_for_positive(tcsi_unary f)
{
    return f == TCSI_UNARY_LOG || f == TCSI_UNARY_SQRT;
}

/* Arguments of a function: random, and what is special. */
static float *make_arguments(tcsi_rng *rng, tcsi_unary f, size_t count)
{
    const float special[] = { NAN, INFINITY, -INFINITY, 0, -0.0f, 1e-40f, -1e-40f, 3e38f, -3e38f };
    float *x = guarded_random(rng, count, 3);
    for (size_t i = 0; i < count; i++) {
        if (is_for_positive(f)) x[i] = fabsf(x[i]) + 0.05f;
        if (i % 7 == 3) x[i] = special[i / 7 % TCS_COUNT(special)];
    }
    return x;
}

/* ---- every length, every place ---- */

static void test_unary_places(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(1, 0);
    EACH_ISA(isa)
        for (int f = 0; f < UNARY_COUNT; f++)
            for (size_t count = 0; count <= LONG; count++) {
                float *x = make_arguments(&rng, (tcsi_unary)f, count), *y = guarded(count), *single = guarded(count);
                tcsi_vector_unary(isa, (tcsi_unary)f, count, x, y);
                for (size_t i = 0; i < count; i++) {
                    float one = x[i];
                    tcsi_vector_unary(isa, (tcsi_unary)f, 1, &one, &single[i]);
                }
                assert_same_bits(unary_names[f], isa, count, single, y);
                tcsi_vector_unary(isa, (tcsi_unary)f, count, x, x);
                assert_same_bits("in place", isa, count, y, x);
                guarded_release();
            }
}

static void test_activations_are_unary(void **state)
{
    (void)state;
    const int functions[TCSI_ACTIVATION_COUNT] = { -1, TCSI_UNARY_RELU, TCSI_UNARY_SIGMOID, TCSI_UNARY_TANH, TCSI_UNARY_SOFTPLUS };
    tcsi_rng rng = tcsi_rng_make(2, 0);
    EACH_ISA(isa)
        for (int activation = 0; activation < TCSI_ACTIVATION_COUNT; activation++) {
            float *x = make_arguments(&rng, TCSI_UNARY_TANH, LONG), *y = guarded(LONG), *expected = guarded_copy(LONG, x);
            if (functions[activation] >= 0) tcsi_vector_unary(isa, (tcsi_unary)functions[activation], LONG, x, expected);
            tcsi_vector_activate(isa, (tcsi_activation)activation, LONG, x, y);
            assert_same_bits("activation", isa, LONG, expected, y);
            tcsi_vector_activate(isa, (tcsi_activation)activation, LONG, x, x);
            assert_same_bits("activation in place", isa, LONG, expected, x);
            tcsi_vector_activate(isa, (tcsi_activation)activation, 0, NULL, NULL);
            guarded_release();
        }
}

/* ---- slopes ---- */

static double exact(tcsi_unary f, double x)
{
    switch (f) {
    case TCSI_UNARY_EXP: return exp(x);
    case TCSI_UNARY_LOG: return log(x);
    case TCSI_UNARY_TANH: return tanh(x);
    case TCSI_UNARY_SIGMOID: return 1 / (1 + exp(-x));
    case TCSI_UNARY_SOFTPLUS: return log1p(exp(x));
    case TCSI_UNARY_GELU: return x * erfc(-x * 0.70710678118654752440) / 2;
    case TCSI_UNARY_RELU: return x > 0 ? x : 0;
    case TCSI_UNARY_SQUARE: return x * x;
    case TCSI_UNARY_SQRT: return sqrt(x);
    case TCSI_UNARY_ABS: return fabs(x);
    }
    return NAN;
}

/* Central difference; good to 1e-9 or so of what is compared here. */
static double slope(tcsi_unary f, double x)
{
    const double h = 1e-5;
    return (exact(f, x + h) - exact(f, x - h)) / (2 * h);
}

static void test_unary_backward(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    EACH_ISA(isa)
        for (int f = 0; f < UNARY_COUNT; f++)
            for (size_t count = 0; count <= LONG; count += count < 20 ? 1 : 11) {
                float *x = guarded_random(&rng, count, 2), *y = guarded(count), *dy = guarded_random(&rng, count, 1);
                float *dx = guarded_random(&rng, count, 1), *sum = guarded_copy(count, dx);
                double expected[LONG], expected_sum[LONG];
                for (size_t i = 0; i < count; i++) {
                    if (is_for_positive((tcsi_unary)f)) x[i] = fabsf(x[i]) + 0.1f;
                    if (fabsf(x[i]) < 0.01f) x[i] = 0.5f; /* no differences across a kink */
                    expected[i] = (double)dy[i] * slope((tcsi_unary)f, (double)x[i]);
                    expected_sum[i] = expected[i] + (double)sum[i];
                }
                tcsi_vector_unary(isa, (tcsi_unary)f, count, x, y);
                tcsi_vector_unary_backward(isa, (tcsi_unary)f, count, x, y, dy, false, dx);
                assert_all_near(unary_names[f], isa, count, expected, dx, 1e-6);
                tcsi_vector_unary_backward(isa, (tcsi_unary)f, count, x, y, dy, true, sum);
                assert_all_near("accumulated", isa, count, expected_sum, sum, 1e-6);
                guarded_release();
            }
}

/* GELU's slope in the tails, where it is small and must not be noise; and where it ends. */
static void test_gelu_slope_tail(void **state)
{
    (void)state;
    const float x[] = { -3, -5, -8, -12, -14, -20, -INFINITY, 20, INFINITY, 0, NAN };
    EACH_ISA(isa)
        for (size_t i = 0; i < TCS_COUNT(x); i++) {
            float dy = 1, y = 0, dx;
            double a = (double)x[i], density = exp(-a * a / 2) * 0.39894228040143267794;
            double expected = erfc(-a * 0.70710678118654752440) / 2 + (isinf(a) ? 0 : a * density);
            tcsi_vector_unary_backward(isa, TCSI_UNARY_GELU, 1, &x[i], &y, &dy, false, &dx);
            assert_near(0, isnan(a) ? (isnan(dx) ? 0 : 1) : ((double)dx - expected) / (fabs(expected) + 1e-37), 2e-6);
        }
}

static void test_activate_backward(void **state)
{
    (void)state;
    const tcsi_unary functions[TCSI_ACTIVATION_COUNT] = { TCSI_UNARY_ABS, TCSI_UNARY_RELU, TCSI_UNARY_SIGMOID, TCSI_UNARY_TANH,
                                                          TCSI_UNARY_SOFTPLUS };
    tcsi_rng rng = tcsi_rng_make(4, 0);
    EACH_ISA(isa)
        for (int activation = 0; activation < TCSI_ACTIVATION_COUNT; activation++)
            for (size_t count = 0; count <= LONG; count += count < 20 ? 1 : 11) {
                float *x = guarded_random(&rng, count, 2), *y = guarded(count), *dy = guarded_random(&rng, count, 1), *dx = guarded(count);
                double expected[LONG];
                for (size_t i = 0; i < count; i++) {
                    if (fabsf(x[i]) < 0.01f) x[i] = 0.5f;
                    expected[i] = (double)dy[i] * (activation == 0 ? 1 : slope(functions[activation], (double)x[i]));
                }
                tcsi_vector_activate(isa, (tcsi_activation)activation, count, x, y);
                tcsi_vector_activate_backward(isa, (tcsi_activation)activation, count, y, dy, dx);
                assert_all_near("slope of an activation", isa, count, expected, dx, 1e-6);
                tcsi_vector_activate_backward(isa, (tcsi_activation)activation, count, y, dy, dy);
                assert_same_bits("in place", isa, count, dx, dy);
                guarded_release();
            }
}

/* Softplus far below 0: y is tiny, and 1 - exp(-y) must be y, not 0. */
static void test_softplus_slope_tail(void **state)
{
    (void)state;
    EACH_ISA(isa)
        for (float x = -87; x < 30; x += 0.37f) {
            float y, dy = 1, dx;
            tcsi_vector_activate(isa, TCSI_ACTIVATION_SOFTPLUS, 1, &x, &y);
            tcsi_vector_activate_backward(isa, TCSI_ACTIVATION_SOFTPLUS, 1, &y, &dy, &dx);
            assert_near(1, (double)dx * (1 + exp(-(double)x)), 1e-6);
        }
}

/* ---- two operands ---- */

static void test_two_operands(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(5, 0);
    EACH_ISA(isa)
        for (size_t count = 0; count <= LONG; count++) {
            float *a = guarded_random(&rng, count, 1), *b = guarded_random(&rng, count, 1), *out = guarded_random(&rng, count, 1);
            float *before = guarded_copy(count, out), *expected = guarded(count);
            double sum[LONG];
            for (size_t i = 0; i < count; i++) sum[i] = (double)before[i] + (double)a[i] * (double)b[i];
            tcsi_vector_multiply(isa, count, a, b, true, out);
            assert_all_near("multiply, accumulated", isa, count, sum, out, 1.2e-7);
            for (size_t i = 0; i < count; i++) sum[i] = (double)before[i] + (double)1.7f * (double)a[i];
            memcpy(out, before, count * sizeof *out);
            tcsi_vector_axpy(isa, count, 1.7f, a, out);
            assert_all_near("axpy", isa, count, sum, out, 1.2e-7);
            for (size_t i = 0; i < count; i++) expected[i] = a[i] * b[i];
            tcsi_vector_multiply(isa, count, a, b, false, out);
            assert_same_bits("multiply", isa, count, expected, out);
            for (size_t i = 0; i < count; i++) expected[i] = a[i] + b[i];
            tcsi_vector_add(isa, count, a, b, out);
            assert_same_bits("add", isa, count, expected, out);
            for (size_t i = 0; i < count; i++) expected[i] = 1.7f * a[i];
            tcsi_vector_scale(isa, count, 1.7f, a, out);
            assert_same_bits("scale", isa, count, expected, out);
            tcsi_vector_scale(isa, count, 1.7f, a, a);
            assert_same_bits("scale in place", isa, count, expected, a);
            guarded_release();
        }
}

/* ---- reductions ---- */

/* The rule of kernels/vector.h, in plain loops. */
static double sum_by_rule(size_t count, const float *a, const float *b)
{
    double part[16] = { 0 };
    for (size_t i = 0; i < count; i++) part[i % 16] += (double)a[i] * (b ? (double)b[i] : 1);
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t p = 0; p < half; p++) part[p] += part[p + half];
    return part[0];
}

static void test_sums(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(6, 0);
    EACH_ISA(isa)
        for (size_t count = 0; count <= LONG + 60; count++) {
            float *a = guarded_random(&rng, count, 1e10), *b = guarded_random(&rng, count, 1);
            double sum = tcsi_vector_sum(isa, count, a), dot = tcsi_vector_dot(isa, count, a, b);
            double expected_sum = sum_by_rule(count, a, NULL), expected_dot = sum_by_rule(count, a, b);
            assert_memory_equal(&sum, &expected_sum, sizeof sum);
            assert_memory_equal(&dot, &expected_dot, sizeof dot);
            if (count > 0) {
                a[count / 2] = INFINITY;
                assert_true(isinf(tcsi_vector_sum(isa, count, a)));
                a[count - 1] = NAN;
                assert_true(isnan(tcsi_vector_sum(isa, count, a)));
            }
            guarded_release();
        }
}

static void test_max(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(7, 0);
    EACH_ISA(isa) {
        assert_true(tcsi_vector_max(isa, 0, NULL) == -INFINITY);
        for (size_t count = 1; count <= LONG; count++) {
            float *x = guarded_random(&rng, count, 1), expected = -INFINITY;
            for (size_t i = 0; i < count; i++) expected = fmaxf(expected, x[i]);
            assert_true(tcsi_vector_max(isa, count, x) == expected);
            for (size_t i = 0; i < count; i++) {
                float kept = x[i];
                x[i] = NAN;
                assert_true(isnan(tcsi_vector_max(isa, count, x)));
                x[i] = INFINITY;
                assert_true(tcsi_vector_max(isa, count, x) == INFINITY);
                x[i] = kept;
            }
            guarded_release();
        }
    }
}

static void test_sum_rows(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(8, 0);
    const size_t rows[] = { 0, 1, 2, 17, 100 };
    EACH_ISA(isa)
        for (size_t r = 0; r < TCS_COUNT(rows); r++)
            for (size_t columns = 0; columns <= LONG; columns += columns < 20 ? 1 : 5) {
                float *x = guarded_random(&rng, rows[r] * columns, 1), *out = guarded_random(&rng, columns, 1);
                float *expected = guarded(columns), *expected_sum = guarded(columns), *accumulated = guarded_copy(columns, out);
                for (size_t c = 0; c < columns; c++) {
                    double sum = 0;
                    for (size_t i = 0; i < rows[r]; i++) sum += (double)x[i * columns + c];
                    expected[c] = (float)sum;
                    expected_sum[c] = out[c] + (float)sum;
                }
                tcsi_vector_sum_rows(isa, rows[r], columns, x, false, out);
                assert_same_bits("sum of rows", isa, columns, expected, out);
                tcsi_vector_sum_rows(isa, rows[r], columns, x, true, accumulated);
                assert_same_bits("sum of rows, accumulated", isa, columns, expected_sum, accumulated);
                guarded_release();
            }
}

TCS_TEST_MAIN(cmocka_unit_test(test_unary_places), cmocka_unit_test(test_activations_are_unary), cmocka_unit_test(test_unary_backward),
              cmocka_unit_test(test_gelu_slope_tail), cmocka_unit_test(test_activate_backward), cmocka_unit_test(test_softplus_slope_tail),
              cmocka_unit_test(test_two_operands), cmocka_unit_test(test_sums), cmocka_unit_test(test_max), cmocka_unit_test(test_sum_rows))
