/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "series/expect.h"

#define PI 3.14159265358979323846

enum { N = 6000 };

static double x[N], expected[N], low[N], high[N];

static double truth(size_t i, size_t period)
{
    double season = period ? 3 * sin(2 * PI * (double)i / (double)period) + (i % period < period / 8 ? 4 : 0) : 0;
    return 100 + 0.001 * (double)i + season;
}

static void fill(size_t period, double noise, uint64_t seed)
{
    tcsi_rng rng = tcsi_rng_make(seed, 1);
    for (size_t i = 0; i < N; i++) x[i] = truth(i, period) + noise * tcsi_rng_normal(&rng);
}

static void check_order(void)
{
    for (size_t i = 0; i < N; i++) assert_true(low[i] <= expected[i] && expected[i] <= high[i]);
}

static void test_seasonal_expectation(void **state)
{
    (void)state;
    tcsi_expect_report report;
    fill(96, 0.3, 1);
    for (size_t i = 3000; i < 3030; i++) x[i] += 6;  /* an event */
    for (size_t i = 100; i < 160; i++) x[i] = NAN;
    x[4000] = 1e12;
    assert_ok(tcsi_expect(x, N, 96, expected, low, high, &report, test_err));
    assert_true(report.seasonal && report.inside_share > 0.97 && report.inside_share < 0.995);
    check_order();
    double worst = 0;
    for (size_t i = 0; i < N; i++) worst = fmax(worst, fabs(expected[i] - truth(i, 96)));
    assert_true(worst < 0.4); /* nowhere led astray, not even inside the event and the missing run */
    for (size_t i = 3000; i < 3030; i++) assert_true(x[i] > high[i]);
    assert_true(x[4000] > high[4000]);
}

static void test_period_that_does_not_help(void **state)
{
    (void)state;
    tcsi_expect_report report;
    fill(0, 1, 2);
    assert_ok(tcsi_expect(x, N, 0, expected, low, high, &report, test_err));
    assert_false(report.seasonal);
    assert_true(report.inside_share > 0.98 && report.inside_share < 0.998);
    check_order();
    for (size_t i = 0; i < N; i++) x[i] = (i / 1000) % 2 ? 10 : 0; /* switches: no season of 77 */
    assert_ok(tcsi_expect(x, N, 77, expected, low, high, &report, test_err));
    check_order();
    size_t wrong = 0;
    for (size_t i = 0; i < N; i++) wrong += fabs(expected[i] - x[i]) > 1e-9;
    assert_true(wrong < N / 10);
}

/* Noise that is five times larger by day: the band follows. */
static void test_band_follows_local_noise(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(3, 1);
    for (size_t i = 0; i < N; i++) x[i] = (i / 3000 ? 1.0 : 0.2) * tcsi_rng_normal(&rng);
    assert_ok(tcsi_expect(x, N, 0, expected, low, high, NULL, test_err));
    double calm = high[1500] - low[1500], loud = high[4500] - low[4500];
    assert_true(loud > 2 * calm);
}

static void test_hostile_series(void **state)
{
    (void)state;
    tcsi_expect_report report;
    assert_ok(tcsi_expect(NULL, 0, 5, expected, low, high, &report, test_err));
    for (size_t i = 0; i < N; i++) x[i] = i % 2 ? NAN : INFINITY;
    assert_ok(tcsi_expect(x, N, 5, expected, low, high, &report, test_err));
    assert_true(isnan(expected[7]) && isnan(low[7]) && report.inside_share == 0);
    x[5000] = 0.1; /* a single value is expected everywhere */
    assert_ok(tcsi_expect(x, N, 5, expected, low, high, &report, test_err));
    assert_true(expected[0] == 0.1 && expected[N - 1] == 0.1 && report.inside_share == 1);
    for (size_t i = 0; i < N; i++) x[i] = 1e9 + 0.1;
    assert_ok(tcsi_expect(x, N, 10, expected, low, high, &report, test_err));
    assert_true(report.inside_share == 1 && high[9] - low[9] < 1e-5);
    for (size_t i = 0; i < N; i++) x[i] = i % 3 ? 1e150 : -1e150;
    assert_ok(tcsi_expect(x, N, 3, expected, low, high, &report, test_err));
    check_order();
    for (size_t i = 0; i < N; i++) x[i] = (double)(i % 7) * 5e-324;
    assert_ok(tcsi_expect(x, N, 7, expected, low, high, &report, test_err));
    check_order();
    for (size_t n = 1; n < 12; n++) {
        fill(3, 1, n);
        assert_ok(tcsi_expect(x, n, 3, expected, low, high, &report, test_err));
        for (size_t i = 0; i < n; i++) assert_true(isfinite(expected[i]) && low[i] <= expected[i] && expected[i] <= high[i]);
    }
}

static void test_without_memory(void **state)
{
    (void)state;
    fill(10, 1, 1);
    tcsi_alloc_trace_begin();
    for (size_t at = 1;; at++) {
        tcs_error err = { 0 };
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcsi_expect(x, 300, 10, expected, low, high, NULL, &err);
        tcsi_alloc_trace_fail_at(0);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_true(at < 60);
    }
    tcsi_alloc_trace_end();
}

static void test_million_rows(void **state)
{
    (void)state;
    enum { MILLION = 1000000 };
    double *v = test_malloc(MILLION * sizeof *v), *e = test_malloc(MILLION * sizeof *e), *l = test_malloc(MILLION * sizeof *l);
    double *h = test_malloc(MILLION * sizeof *h);
    tcsi_rng rng = tcsi_rng_make(9, 1);
    for (size_t i = 0; i < MILLION; i++) v[i] = 5 * sin(2 * PI * (double)i / 1440) + tcsi_rng_normal(&rng);
    tcsi_expect_report report = { 0 };
    int64_t begin = tcsi_clock_monotonic_ns();
    assert_ok(tcsi_expect(v, MILLION, 1440, e, l, h, &report, test_err));
    print_message("# expectation of 1,000,000 rows: %.2f s, inside %.4f\n", (double)(tcsi_clock_monotonic_ns() - begin) * 1e-9,
                  report.inside_share);
    assert_true(report.seasonal && fabs(report.inside_share - 0.99) < 0.004);
    test_free(v);
    test_free(e);
    test_free(l);
    test_free(h);
}

TCS_TEST_MAIN(cmocka_unit_test(test_seasonal_expectation), cmocka_unit_test(test_period_that_does_not_help),
              cmocka_unit_test(test_band_follows_local_noise), cmocka_unit_test(test_hostile_series), cmocka_unit_test(test_without_memory),
              cmocka_unit_test(test_million_rows))
