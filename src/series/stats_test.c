/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/moving.h"
#include "series/stats.h"

enum { N = 2000 };

static void fill(double *values, size_t count, uint64_t seed, double offset, double width, double missing_share)
{
    tcsi_rng rng = tcsi_rng_make(seed, 1);
    for (size_t i = 0; i < count; i++) {
        double value = offset + width * tcsi_rng_normal(&rng);
        values[i] = tcsi_rng_uniform(&rng) < missing_share ? NAN : value;
    }
}

static void test_moments_at_any_offset(void **state)
{
    (void)state;
    double x[N], y[N];
    fill(x, N, 1, 0, 1, 0);
    tcsi_moments m = tcsi_moments_of(x, N);
    for (double offset = 1; offset <= 1e12; offset *= 10) {
        for (size_t i = 0; i < N; i++) y[i] = offset + x[i];
        double rounding = 0; /* y[i] - offset is exact: what rounding did to the input is not the function's doing */
        for (size_t i = 0; i < N; i++) rounding = fmax(rounding, fabs(y[i] - offset - x[i]));
        tcsi_moments shifted = tcsi_moments_of(y, N);
        assert_near(m.mean, shifted.mean - offset, 2 * rounding + 2e-16 * offset + 1e-15);
        assert_near(m.variance, shifted.variance, 8 * rounding + 1e-13);
    }
    assert_near(sqrt(m.variance), tcsi_deviation(x, N), 1e-15);
}

static void test_moments_of_hostile_values(void **state)
{
    (void)state;
    tcsi_moments m = tcsi_moments_of(NULL, 0);
    assert_true(m.count == 0 && isnan(m.mean) && isnan(m.variance));
    double absent[] = { NAN, INFINITY, -INFINITY, 1e308, -1.1e150 };
    m = tcsi_moments_of(absent, TCS_COUNT(absent));
    assert_true(m.count == 0 && isnan(m.mean));
    double one[] = { NAN, 5, INFINITY };
    m = tcsi_moments_of(one, 3);
    assert_true(m.count == 1 && m.mean == 5 && m.variance == 0 && m.minimum == 5 && m.maximum == 5);
    double huge[] = { 1e150, -1e150, 1e150, -1e150 };
    m = tcsi_moments_of(huge, 4);
    assert_near(1, m.variance / 1e300, 1e-12);
    double tiny[] = { 5e-324, 5e-324, 0 };
    m = tcsi_moments_of(tiny, 3);
    assert_true(m.variance >= 0 && m.mean >= 0 && m.mean <= 5e-324);
    double constant[100];
    for (int i = 0; i < 100; i++) constant[i] = 0.1;
    m = tcsi_moments_of(constant, 100);
    assert_true(m.mean == 0.1 && m.variance == 0);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Inputs that break careless quickselects: sorted, reversed, constant, two values, organ pipe, random. */
static double shape_value(int shape, size_t i, size_t count, tcsi_rng *rng)
{
    switch (shape) {
    case 0: return (double)i;
    case 1: return -(double)i;
    case 2: return 3;
    case 3: return (double)tcsi_rng_below(rng, 2);
    case 4: return (double)(i < count / 2 ? i : count - i);
    case 5: return (double)((i * 7919) % 101);
    default: return tcsi_rng_normal(rng);
    }
}

static void test_select_and_sort_equal_qsort(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(3, 1);
    static const size_t counts[] = { 1, 2, 3, 23, 24, 25, 100, 511, 512, 513, N };
    double values[N], sorted[N], work[N];
    for (int shape = 0; shape < 7; shape++)
        for (size_t c = 0; c < TCS_COUNT(counts); c++) {
            size_t count = counts[c];
            for (size_t i = 0; i < count; i++) values[i] = sorted[i] = shape_value(shape, i, count, &rng);
            qsort(sorted, count, sizeof *sorted, compare);
            for (int trial = 0; trial < 8; trial++) {
                size_t position = trial == 0 ? 0 : trial == 1 ? count - 1 : tcsi_rng_below(&rng, count);
                memcpy(work, values, sizeof work);
                assert_true(tcsi_select(work, count, position) == sorted[position]);
                for (size_t i = 0; i < count; i++) assert_true(i < position ? work[i] <= work[position] : work[i] >= work[position]);
            }
            memcpy(work, values, sizeof work);
            tcsi_sort(work, count);
            assert_memory_equal(work, sorted, count * sizeof *work);
        }
}

/* McIlroy's adversary decides the values while they are compared and would make any plain quicksort quadratic; a fixed cousin:
 * the median-of-three killer sequence.  Finishing at all within the test's time limit is the assertion. */
static void test_select_on_killer_sequence(void **state)
{
    (void)state;
    enum { M = 200000 };
    double *values = test_malloc(M * sizeof *values);
    for (size_t i = 0; i < M / 2; i++) {
        values[i] = i % 2 == 0 ? (double)(i + 1) : (double)(M / 2 + i + (i % 2 ? 0 : 1));
        values[M / 2 + i] = 2.0 * (double)(i + 1);
    }
    tcsi_sort(values, M);
    for (size_t i = 1; i < M; i++) assert_true(values[i - 1] <= values[i]);
    test_free(values);
}

static void test_quantiles(void **state)
{
    (void)state;
    double x[] = { 4, NAN, 1, 3, 2, INFINITY }, scratch[6];
    assert_near(2.5, tcsi_median(x, 6, scratch), 0);
    assert_near(1, tcsi_quantile(x, 6, 0, scratch), 0);
    assert_near(4, tcsi_quantile(x, 6, 1, scratch), 0);
    assert_near(1.3, tcsi_quantile(x, 6, 0.1, scratch), 1e-15); /* numpy.quantile([1, 2, 3, 4], 0.1) */
    assert_near(1, tcsi_mad(x, 6, 2.5, scratch), 0);
    assert_true(isnan(tcsi_mad(x, 6, NAN, scratch)));
    assert_true(isnan(tcsi_median(x + 1, 1, scratch)));
    assert_true(isnan(tcsi_median(NULL, 0, scratch)));
}

static void test_order_ranks_distinct(void **state)
{
    (void)state;
    double x[] = { 3, NAN, 1, 3, -0.0, 0.0, INFINITY, 3 }, ranks[8];
    size_t order[8], work[8];
    static const size_t expected_order[] = { 4, 5, 2, 0, 3, 7, 1, 6 };
    static const double expected_ranks[] = { 5, NAN, 3, 5, 1.5, 1.5, NAN, 5 };
    tcsi_argsort(x, 8, order, work);
    assert_memory_equal(order, expected_order, sizeof order);
    tcsi_ranks(x, 8, ranks, order, work);
    for (int i = 0; i < 8; i++) assert_near(expected_ranks[i], ranks[i], 0);
    assert_int_equal(tcsi_distinct_count(x, 8, 64), 3);
    assert_int_equal(tcsi_distinct_count(x, 8, 3), 3);
    assert_int_equal(tcsi_distinct_count(x, 8, 2), 2);
    assert_int_equal(tcsi_distinct_count(x, 8, 0), 0);
    assert_int_equal(tcsi_distinct_count(NULL, 0, 64), 0);
    tcsi_argsort(x, 0, order, work);
    tcsi_ranks(x, 0, ranks, order, work);
}

/* ---- moving windows against their definition ---- */

static tcsi_moments definition(const double *x, size_t count, ptrdiff_t offset, size_t width, size_t i)
{
    double begin = fmax((double)i + (double)offset, 0), end = fmin((double)i + (double)offset + (double)width, (double)count);
    if (!(end > begin)) return tcsi_moments_of(NULL, 0);
    return tcsi_moments_of(x + (size_t)begin, (size_t)(end - begin));
}

static void check_window(const double *x, size_t count, ptrdiff_t offset, size_t width, double offset_value)
{
    double means[N], variances[N], only_means[N];
    tcsi_moving_moments_at(x, count, offset, width, means, variances);
    tcsi_moving_mean_at(x, count, offset, width, only_means);
    for (size_t i = 0; i < count; i++) {
        tcsi_moments m = definition(x, count, offset, width, i);
        assert_near(m.mean - offset_value, only_means[i] - offset_value, 3e-16 * fabs(offset_value) + 1e-14);
        assert_near(m.mean - offset_value, means[i] - offset_value, 3e-16 * fabs(offset_value) + 1e-14);
        assert_near(m.variance, variances[i], 1e-13);
        assert_true(isnan(variances[i]) || variances[i] >= 0);
    }
}

static void test_moving_equals_definition(void **state)
{
    (void)state;
    double x[N];
    static const double offsets[] = { 0, 1e6, 1e9 };
    static const size_t counts[] = { 1, 2, 3, 10, 97 };
    for (size_t o = 0; o < TCS_COUNT(offsets); o++)
        for (size_t c = 0; c < TCS_COUNT(counts); c++) {
            fill(x, counts[c], 5 + c, offsets[o], 1, c % 2 ? 0.2 : 0);
            for (size_t width = 1; width < 2 * counts[c] + 4; width += 1 + width / 5) {
                check_window(x, counts[c], -(ptrdiff_t)(width / 2), width, offsets[o]);
                check_window(x, counts[c], 1 - (ptrdiff_t)width, width, offsets[o]);
                check_window(x, counts[c], -(ptrdiff_t)width, width, offsets[o]);
                check_window(x, counts[c], 3, width, offsets[o]);
                check_window(x, counts[c], -150, width, offsets[o]);
                check_window(x, counts[c], 150, width, offsets[o]);
            }
            check_window(x, counts[c], -(ptrdiff_t)(1 << 20), (size_t)1 << 21, offsets[o]);
        }
}

static void test_named_windows(void **state)
{
    (void)state;
    double x[] = { 1, 2, NAN, 4, 5 }, mean[5], variance[5];
    tcsi_moving_mean(x, 5, 3, mean); /* [i - 1, i + 2) */
    assert_near(1.5, mean[0], 0);
    assert_near(1.5, mean[1], 0);
    assert_near(3, mean[2], 0);
    assert_near(4.5, mean[4], 0);
    tcsi_moving_mean(x, 5, 2, mean); /* [i - 1, i + 1) */
    assert_near(1, mean[0], 0);
    assert_near(2, mean[2], 0);
    tcsi_trailing_mean(x, 5, 2, mean);
    assert_near(1, mean[0], 0);
    assert_near(4.5, mean[4], 0);
    tcsi_moving_rms(x, 5, SIZE_MAX, mean);
    for (int i = 0; i < 5; i++) assert_near(sqrt(46.0 / 4), mean[i], 1e-15);
    tcsi_trailing_rms(x, 5, SIZE_MAX, mean);
    assert_near(sqrt(46.0 / 4), mean[4], 1e-15);
    tcsi_trailing_moments(x, 5, 2, mean, variance);
    assert_near(0.25, variance[1], 0);
    assert_near(0, variance[2], 0);
    double missing[] = { NAN, INFINITY, 1e200 };
    tcsi_moving_moments(missing, 3, 2, mean, variance);
    for (int i = 0; i < 3; i++) assert_true(isnan(mean[i]) && isnan(variance[i]));
    tcsi_moving_mean(missing, 3, 1, mean);
    assert_true(isnan(mean[2]));
    tcsi_moving_mean(x, 0, 3, mean);
    tcsi_moving_moments(x, 0, 3, mean, variance);
}

/* A reading of 1e150 is seen by exactly the windows that hold it. */
static void test_spike_leaves_no_trace(void **state)
{
    (void)state;
    double x[300], clean[300], mean[300], variance[300], mean_clean[300], variance_clean[300];
    fill(x, 300, 11, 0, 1, 0);
    memcpy(clean, x, sizeof x);
    x[150] = 1e150;
    tcsi_moving_moments(x, 300, 21, mean, variance);
    tcsi_moving_moments(clean, 300, 21, mean_clean, variance_clean);
    for (int i = 0; i < 300; i++) {
        if (i >= 140 && i <= 160) assert_true(mean[i] > 1e140);
        else assert_true(mean[i] == mean_clean[i] && variance[i] == variance_clean[i]);
    }
    tcsi_moving_mean(x, 300, 21, mean);
    tcsi_moving_mean(clean, 300, 21, mean_clean);
    for (int i = 0; i < 300; i++)
        if (i < 140 || i > 160) assert_true(mean[i] == mean_clean[i]);
}

/* No result of a trailing window depends on later rows, to the bit. */
static void test_trailing_is_causal(void **state)
{
    (void)state;
    double x[N], whole[N], part[N], variance[N], variance_part[N];
    fill(x, N, 12, 1e6, 1, 0.1);
    for (size_t width = 1; width < 400; width += 37) {
        tcsi_trailing_mean(x, N, width, whole);
        tcsi_trailing_mean(x, 700, width, part);
        assert_memory_equal(whole, part, 700 * sizeof *part);
        tcsi_trailing_moments(x, N, width, whole, variance);
        tcsi_trailing_moments(x, 700, width, part, variance_part);
        assert_memory_equal(variance, variance_part, 700 * sizeof *part);
    }
}

static void test_constant_window_has_no_variance(void **state)
{
    (void)state;
    double x[500], mean[500], variance[500];
    for (int i = 0; i < 500; i++) x[i] = 1e9 + 0.1;
    tcsi_moving_moments(x, 500, 37, mean, variance);
    for (int i = 0; i < 500; i++) assert_true(variance[i] == 0 && mean[i] == 1e9 + 0.1);
}

static void test_moving_median_equals_definition(void **state)
{
    (void)state;
    double x[200], medians[200], scratch[200];
    for (size_t width = 1; width < 420; width += 1 + width / 6) {
        fill(x, 200, width, 0, 1, width % 3 ? 0.15 : 0);
        if (width % 2)
            for (int i = 0; i < 200; i++) x[i] = round(x[i]); /* ties */
        assert_ok(tcsi_moving_median(x, 200, width, medians, test_err));
        for (size_t i = 0; i < 200; i++) {
            size_t begin = i > width / 2 ? i - width / 2 : 0, end = i + width - width / 2 < 200 ? i + width - width / 2 : 200;
            assert_near(tcsi_median(x + begin, end - begin, scratch), medians[i], 1e-15);
        }
    }
    assert_ok(tcsi_moving_median(x, 0, 5, medians, test_err));
    assert_ok(tcsi_moving_median(x, 3, SIZE_MAX, medians, test_err));
}

static void test_moving_median_without_memory(void **state)
{
    (void)state;
    double x[50] = { 0 }, medians[50];
    tcsi_alloc_trace_begin();
    for (size_t at = 1;; at++) {
        tcs_error err = { 0 };
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcsi_moving_median(x, 50, 9, medians, &err);
        tcsi_alloc_trace_fail_at(0);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_true(at < 10);
    }
    tcsi_alloc_trace_end();
}

TCS_TEST_MAIN(cmocka_unit_test(test_moments_at_any_offset), cmocka_unit_test(test_moments_of_hostile_values),
              cmocka_unit_test(test_select_and_sort_equal_qsort), cmocka_unit_test(test_select_on_killer_sequence),
              cmocka_unit_test(test_quantiles), cmocka_unit_test(test_order_ranks_distinct),
              cmocka_unit_test(test_moving_equals_definition), cmocka_unit_test(test_named_windows),
              cmocka_unit_test(test_spike_leaves_no_trace), cmocka_unit_test(test_trailing_is_causal),
              cmocka_unit_test(test_constant_window_has_no_variance), cmocka_unit_test(test_moving_median_equals_definition),
              cmocka_unit_test(test_moving_median_without_memory))
