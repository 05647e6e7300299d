/* kernels/linalg_test.c -- against numpy and scikit-learn, and on matrices made to be awkward.
 * SPDX-License-Identifier: Apache-2.0 */
#include "golden_blocks.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "kernels/isa.h"
#include "kernels/linalg.h"

#define GOLDEN "tests/golden/kernels/linalg.txt"
enum { P = 7, T = 40 };

static void compare(const char *name, const double *actual, double tolerance)
{
    size_t count;
    double *expected = golden_block(GOLDEN, name, &count);
    for (size_t i = 0; i < count; i++) assert_near(expected[i], actual[i], tolerance);
    free(expected);
}

static void test_covariance_and_eigenvalues_equal_numpy(void **state)
{
    (void)state;
    size_t count;
    double *x = golden_block(GOLDEN, "x", &count), cov[P * P], means[P], shrunk[P * P], shrinkage, values[P], vectors[P * P];
    assert_int_equal(count, P * T);
    assert_ok(tcsi_covariance(x, T, P, means, cov, NULL));
    compare("covariance", cov, 1e-11);
    assert_ok(tcsi_ledoit_wolf(x, T, P, NULL, shrunk, &shrinkage, NULL));
    compare("shrunk", shrunk, 1e-11);
    compare("shrinkage", &shrinkage, 1e-11);
    assert_ok(tcsi_eigen_symmetric(cov, P, values, vectors, NULL));
    compare("eigenvalues", values, 1e-11);
    compare("eigenvectors", vectors, 1e-9);
    free(x);
}

static void test_ridge_equals_scikit_learn(void **state)
{
    (void)state;
    size_t count;
    double *x = golden_block(GOLDEN, "x", &count), *y = golden_block(GOLDEN, "y", &count), *w = golden_block(GOLDEN, "weights", &count);
    double coefficients[P];
    assert_ok(tcsi_ridge_fit(x, y, w, T, P, 2.5, coefficients, NULL));
    compare("ridge", coefficients, 1e-8);
    free(x);
    free(y);
    free(w);
}

/* |A v - lambda v| and V V' = I, for sizes, scales and spectra where a careless routine fails. */
static void check_eigen(const double *a, size_t n, double tolerance)
{
    double *values = malloc(n * sizeof *values), *vectors = malloc(n * n * sizeof *vectors), peak = 0;
    assert_ok(tcsi_eigen_symmetric(a, n, values, vectors, NULL));
    for (size_t i = 0; i < n * n; i++) peak = fmax(peak, fabs(a[i]));
    for (size_t k = 0; k < n; k++) {
        if (k) assert_true(values[k] <= values[k - 1]);
        for (size_t i = 0; i < n; i++) {
            double sum = 0, product = 0;
            for (size_t j = 0; j < n; j++) sum += a[i * n + j] * vectors[k * n + j];
            assert_true(fabs(sum - values[k] * vectors[k * n + i]) <= tolerance * peak * (double)n);
            for (size_t j = 0; j < n; j++) product += vectors[k * n + j] * vectors[i * n + j];
            assert_near(i == k ? 1 : 0, product, tolerance);
        }
    }
    free(values);
    free(vectors);
}

static void test_eigenvectors_of_awkward_matrices(void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 2, 3, 17, 64, 130 };
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t s = 0; s < TCS_COUNT(sizes); s++) {
        size_t n = sizes[s];
        double *a = malloc(n * n * sizeof *a);
        for (int kind = 0; kind < 5; kind++) {
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j <= i; j++) {
                    double value = kind == 0 ? tcsi_rng_normal(&rng) : kind == 1 ? 0 : kind == 2 ? (double)(i == j) : kind == 3 ? 1
                                   : 1e-250 * tcsi_rng_normal(&rng);
                    a[i * n + j] = a[j * n + i] = value;
                }
            check_eigen(a, n, 1e-12);
        }
        free(a);
    }
}

static void test_singular_and_broken_systems(void **state)
{
    (void)state;
    double ones[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, b[3] = { 3, 3, 3 }, zero[4] = { 0 }, c[2] = { 0, 0 };
    assert_ok(tcsi_solve_symmetric(ones, 3, b, NULL));
    assert_near(3, b[0] + b[1] + b[2], 1e-6); /* the small ridge picks the shortest solution */
    assert_ok(tcsi_solve_symmetric(zero, 2, c, NULL));
    assert_near(0, c[0], 0);
    double negative[4] = { -1, 0, 0, -1 }, nan_matrix[1] = { NAN }, one[2] = { 1, 1 };
    tcs_error err;
    assert_int_equal(tcsi_solve_symmetric(negative, 2, one, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_solve_symmetric(nan_matrix, 1, one, &err), TCS_E_INVALID);
    double value;
    nan_matrix[0] = INFINITY;
    assert_int_equal(tcsi_eigen_symmetric(nan_matrix, 1, &value, &value, &err), TCS_E_INVALID);
    double row[2] = { 1e200, -1e200 }, cov[4];
    assert_int_equal(tcsi_covariance(row, 0, 2, NULL, cov, &err), TCS_E_INVALID);
    assert_ok(tcsi_ledoit_wolf(row, 1, 2, NULL, cov, NULL, NULL));
    assert_near(0, cov[0], 0);
}

static void test_failing_allocations_leave_nothing(void **state)
{
    (void)state;
    double a[4] = { 2, 1, 1, 2 }, values[2], vectors[4], x[6] = { 1, 2, 3, 4, 5, 7 }, y[3] = { 1, 2, 3 };
    for (size_t at = 1; at < 12; at++) {
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_error err;
        tcs_status statuses[] = { tcsi_eigen_symmetric(a, 2, values, vectors, &err), tcsi_ridge_fit(x, y, NULL, 3, 2, 1, values, &err),
                                  tcsi_ledoit_wolf(x, 3, 2, NULL, vectors, NULL, &err) };
        for (size_t i = 0; i < TCS_COUNT(statuses); i++) assert_true(statuses[i] == TCS_OK || statuses[i] == TCS_E_MEMORY);
        if (at == 1) assert_int_equal(statuses[0], TCS_E_MEMORY);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
}

static void test_isa_is_supported_and_named(void **state)
{
    (void)state;
    assert_true(tcsi_isa_supported(TCSI_ISA_PORTABLE));
    assert_true(tcsi_isa_supported(tcsi_isa_current()));
    assert_string_equal(tcsi_isa_name(TCSI_ISA_PORTABLE), "portable");
}

TCS_TEST_MAIN(cmocka_unit_test(test_covariance_and_eigenvalues_equal_numpy), cmocka_unit_test(test_ridge_equals_scikit_learn),
              cmocka_unit_test(test_eigenvectors_of_awkward_matrices), cmocka_unit_test(test_singular_and_broken_systems),
              cmocka_unit_test(test_failing_allocations_leave_nothing), cmocka_unit_test(test_isa_is_supported_and_named))
