/* Transforms and periods.  SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/fft.h"
#include "series/moving.h"
#include "series/period.h"
#include "series/stats.h"

#define GOLDEN "tests/golden/series/series.txt"
#define PI 3.14159265358979323846

static tcsi_complex slow_transform(const tcsi_complex *data, size_t n, size_t k)
{
    tcsi_complex sum = { 0, 0 };
    for (size_t t = 0; t < n; t++) {
        double angle = -2 * PI * (double)((k * t) % n) / (double)n;
        sum.re += data[t].re * cos(angle) - data[t].im * sin(angle);
        sum.im += data[t].re * sin(angle) + data[t].im * cos(angle);
    }
    return sum;
}

static void test_fft_equals_definition(void **state)
{
    (void)state;
    enum { MAX = 130 };
    tcsi_complex data[MAX], spectrum[MAX];
    double values[MAX], back[MAX];
    tcsi_rng rng = tcsi_rng_make(1, 1);
    for (size_t n = 1; n <= MAX; n++) {
        tcsi_fft *fft;
        tcsi_rfft *rfft;
        assert_ok(tcsi_fft_create(n, &fft, test_err));
        assert_ok(tcsi_rfft_create(n, &rfft, test_err));
        for (int turn = 0; turn < 2; turn++) { /* plans are used more than once */
            for (size_t t = 0; t < n; t++) spectrum[t] = data[t] = (tcsi_complex){ tcsi_rng_normal(&rng), tcsi_rng_normal(&rng) };
            tcsi_fft_forward(fft, spectrum);
            for (size_t k = 0; k < n; k++) {
                tcsi_complex expected = slow_transform(data, n, k);
                assert_near(expected.re, spectrum[k].re, 1e-12);
                assert_near(expected.im, spectrum[k].im, 1e-12);
            }
            tcsi_fft_inverse(fft, spectrum);
            for (size_t t = 0; t < n; t++) {
                assert_near(data[t].re, spectrum[t].re, 1e-13);
                assert_near(data[t].im, spectrum[t].im, 1e-13);
                values[t] = data[t].re;
                data[t].im = 0;
            }
            tcsi_rfft_forward(rfft, values, spectrum);
            for (size_t k = 0; k <= n / 2; k++) {
                tcsi_complex expected = slow_transform(data, n, k);
                assert_near(expected.re, spectrum[k].re, 1e-12);
                assert_near(expected.im, spectrum[k].im, 1e-12);
            }
            tcsi_rfft_inverse(rfft, spectrum, back);
            for (size_t t = 0; t < n; t++) assert_near(values[t], back[t], 1e-13);
        }
        tcsi_fft_destroy(fft);
        tcsi_rfft_destroy(rfft);
    }
    size_t count;
    double *x = test_vector(GOLDEN, "spectrum.input", &count);
    tcsi_rfft *rfft;
    assert_ok(tcsi_rfft_create(count, &rfft, test_err));
    tcsi_rfft_forward(rfft, x, spectrum);
    double *re = test_vector(GOLDEN, "spectrum.re", &count), *im = test_vector(GOLDEN, "spectrum.im", &count);
    for (size_t k = 0; k < count; k++) {
        assert_near(re[k], spectrum[k].re, 1e-13);
        assert_near(im[k], spectrum[k].im, 1e-13);
    }
    tcsi_rfft_destroy(rfft);
    test_free(x);
    test_free(re);
    test_free(im);
}

/* Long lengths, prime and otherwise: there and back, and energy kept (Parseval). */
static void test_fft_of_long_data(void **state)
{
    (void)state;
    static const size_t counts[] = { 65536, 65537, 10080, 99991, 100000 };
    tcsi_rng rng = tcsi_rng_make(2, 1);
    for (size_t c = 0; c < TCS_COUNT(counts); c++) {
        size_t n = counts[c];
        double *values = test_malloc(n * sizeof *values), *back = test_malloc(n * sizeof *back), energy = 0, power = 0;
        tcsi_complex *spectrum = test_malloc((n / 2 + 1) * sizeof *spectrum);
        tcsi_rfft *rfft;
        assert_ok(tcsi_rfft_create(n, &rfft, test_err));
        for (size_t t = 0; t < n; t++) {
            values[t] = tcsi_rng_normal(&rng);
            energy += values[t] * values[t];
        }
        tcsi_rfft_forward(rfft, values, spectrum);
        for (size_t k = 0; k <= n / 2; k++) {
            bool twice = k > 0 && 2 * k != n;
            power += (twice ? 2 : 1) * (spectrum[k].re * spectrum[k].re + spectrum[k].im * spectrum[k].im);
        }
        assert_near(1, power / (double)n / energy, 1e-13);
        tcsi_rfft_inverse(rfft, spectrum, back);
        for (size_t t = 0; t < n; t++) assert_near(values[t], back[t], 2e-14);
        tcsi_rfft_destroy(rfft);
        test_free(values);
        test_free(back);
        test_free(spectrum);
    }
    tcsi_fft *none;
    assert_int_equal(tcsi_fft_create((size_t)1 << 40, &none, NULL), TCS_E_LIMIT);
    tcsi_fft_destroy(NULL);
    tcsi_rfft_destroy(NULL);
}

static void test_autocovariance_equals_definition(void **state)
{
    (void)state;
    double x[97], covariances[97];
    tcsi_rng rng = tcsi_rng_make(3, 1);
    for (size_t n = 1; n <= 97; n += 8) {
        for (size_t t = 0; t < n; t++) x[t] = tcsi_rng_normal(&rng);
        assert_ok(tcsi_autocovariance(x, n, covariances, n, test_err));
        for (size_t lag = 0; lag < n; lag++) {
            double sum = 0;
            for (size_t t = 0; t + lag < n; t++) sum += x[t] * x[t + lag];
            assert_near(sum / (double)n, covariances[lag], 1e-14);
        }
    }
    assert_ok(tcsi_autocovariance(x, 0, covariances, 0, test_err));
}

static void test_period_equals_golden(void **state)
{
    (void)state;
    static const char *const names[] = { "sine", "bumps", "noise", "walk", "square", "slow", "short", "constant" };
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        char name[64];
        size_t count, one, period;
        snprintf(name, sizeof name, "series.%s", names[i]);
        double *x = test_vector(GOLDEN, name, &count);
        snprintf(name, sizeof name, "period.%s", names[i]);
        double *expected = test_vector(GOLDEN, name, &one);
        assert_ok(tcsi_period_find(x, count, &period, test_err));
        if (period != (size_t)expected[0]) fail_msg("%s: period %zu, expected %g", names[i], period, expected[0]);
        for (size_t t = 0; t < count; t++) x[t] = 1e9 + x[t]; /* an offset changes nothing */
        assert_ok(tcsi_period_find(x, count, &period, test_err));
        if (period != (size_t)expected[0]) fail_msg("%s at 1e9: period %zu, expected %g", names[i], period, expected[0]);
        test_free(x);
        test_free(expected);
    }
}

static void test_moving_quantile_ranks_equal_golden(void **state)
{
    (void)state;
    size_t count, n;
    double *x = test_vector(GOLDEN, "moving.input", &n), result[64], scratch[64];
    static const size_t widths[] = { 1, 2, 5, 8, 61, 200 };
    for (size_t w = 0; w < TCS_COUNT(widths); w++) {
        char name[64];
        snprintf(name, sizeof name, "moving.mean.%zu", widths[w]);
        double *expected = test_vector(GOLDEN, name, &count);
        tcsi_moving_mean(x, n, widths[w], result);
        for (size_t i = 0; i < n; i++) assert_near(expected[i], result[i], 1e-15);
        test_free(expected);
    }
    static const char *const levels[] = { "0.0", "0.01", "0.25", "0.5", "0.9", "1.0" };
    for (size_t i = 0; i < TCS_COUNT(levels); i++) {
        char name[64];
        snprintf(name, sizeof name, "quantile.%s", levels[i]);
        double *expected = test_vector(GOLDEN, name, &count);
        assert_near(expected[0], tcsi_quantile(x, n, strtod(levels[i], NULL), scratch), 1e-15);
        test_free(expected);
    }
    double *ties = test_vector(GOLDEN, "ranks.input", &n), *ranks = test_vector(GOLDEN, "ranks", &n);
    size_t order[64], work[64];
    tcsi_ranks(ties, n, result, order, work);
    for (size_t i = 0; i < n; i++) assert_near(ranks[i], result[i], 0);
    test_free(x);
    test_free(ties);
    test_free(ranks);
}

static void test_period_of_hostile_series(void **state)
{
    (void)state;
    size_t period;
    double x[2000];
    assert_ok(tcsi_period_find(NULL, 0, &period, test_err));
    assert_int_equal(period, TCSI_PERIOD_DEFAULT);
    for (int i = 0; i < 2000; i++) x[i] = NAN;
    assert_ok(tcsi_period_find(x, 2000, &period, test_err));
    assert_int_equal(period, TCSI_PERIOD_DEFAULT);
    for (int scale = 0; scale < 2; scale++) { /* 1e150 and denormals: the same answer as at 1 */
        for (int i = 0; i < 2000; i++) x[i] = (scale ? 1e-310 : 1e150) * sin(2 * PI * i / 50.0);
        x[77] = NAN;
        x[78] = INFINITY;
        assert_ok(tcsi_period_find(x, 2000, &period, test_err));
        assert_int_equal(period, 50);
    }
}

/* ---- several periods ---- */

static void make_minutes(double *x, size_t n, double day, double week, uint64_t seed)
{
    tcsi_rng rng = tcsi_rng_make(seed, 1);
    for (size_t i = 0; i < n; i++) {
        double t = (double)i, level = 1e6 + 1e-4 * t;
        bool weekend = fmod(t, 10080) >= 5 * 1440;
        double profile = sin(2 * PI * t / 1440) + 0.4 * sin(4 * PI * t / 1440 + 1);
        x[i] = level + day * profile - (weekend ? week : 0) + 0.5 * tcsi_rng_normal(&rng);
        if (tcsi_rng_uniform(&rng) < 0.001) x[i] += 1e5 * tcsi_rng_normal(&rng);
        if (tcsi_rng_uniform(&rng) < 0.01) x[i] = NAN;
    }
}

static void test_periods_of_days_and_weeks(void **state)
{
    (void)state;
    enum { ROWS = 6 * 10080 };
    double *x = test_malloc(ROWS * sizeof *x);
    tcsi_period periods[4];
    size_t count;
    make_minutes(x, ROWS, 2, 1.5, 1);
    assert_ok(tcsi_periods_find(x, ROWS, 10080, periods, 4, &count, test_err));
    for (size_t i = 0; i < count; i++) print_message("# period %g, strength %.3f\n", periods[i].period, periods[i].strength);
    assert_true(count == 2);
    assert_near(1440, periods[0].period, 0.002);
    assert_near(10080, periods[1].period, 0.002);
    assert_true(periods[0].strength > 0.6 && periods[1].strength > 0.2);
    make_minutes(x, ROWS, 2, 0, 2);
    assert_ok(tcsi_periods_find(x, ROWS, 10080, periods, 4, &count, test_err));
    assert_int_equal(count, 1);
    assert_near(1440, periods[0].period, 0.002);
    test_free(x);
}

static void test_periods_of_short_shapes(void **state)
{
    (void)state;
    enum { ROWS = 4000 };
    double x[ROWS];
    tcsi_period periods[3];
    size_t count;
    tcsi_rng rng = tcsi_rng_make(5, 1);
    static const double lengths[] = { 7, 24, 60.5, 333 };
    for (size_t k = 0; k < TCS_COUNT(lengths); k++)
        for (int shape = 0; shape < 3; shape++) {
            for (size_t i = 0; i < ROWS; i++) {
                double phase = fmod((double)i, lengths[k]) / lengths[k];
                double value = shape == 0 ? sin(2 * PI * phase) : shape == 1 ? (phase < 0.15 ? 3 : 0) : 2 * phase;
                x[i] = value + 0.3 * tcsi_rng_normal(&rng) + (i == 999 ? 1e12 : 0) + 0.001 * (double)i;
            }
            assert_ok(tcsi_periods_find(x, ROWS, 1000, periods, 3, &count, test_err));
            if (count < 1 || fabs(periods[0].period - lengths[k]) > fmax(0.02 * lengths[k], 0.26))
                fail_msg("length %g, shape %d: %zu periods, first %g", lengths[k], shape, count, count ? periods[0].period : 0);
        }
}

/* Noise, walks and constants have no period: at most 1 in 20 may fool the search. */
static void test_periods_of_nothing(void **state)
{
    (void)state;
    enum { ROWS = 3000, TRIALS = 60 };
    double x[ROWS];
    tcsi_period periods[3];
    size_t count, fooled = 0;
    for (uint64_t trial = 0; trial < TRIALS; trial++) {
        tcsi_rng rng = tcsi_rng_make(100 + trial, 1);
        double level = 0;
        for (size_t i = 0; i < ROWS; i++) {
            level = trial % 3 == 0 ? 0 : trial % 3 == 1 ? level + tcsi_rng_normal(&rng) : 0.9 * level + tcsi_rng_normal(&rng);
            x[i] = level + (trial % 3 == 0 ? tcsi_rng_normal(&rng) : 0);
        }
        assert_ok(tcsi_periods_find(x, ROWS, 1000, periods, 3, &count, test_err));
        if (count > 0) print_message("# trial %d: period %g, strength %.3f\n", (int)trial, periods[0].period, periods[0].strength);
        fooled += count > 0;
    }
    assert_true(fooled <= TRIALS / 20);
    for (size_t i = 0; i < ROWS; i++) x[i] = 5;
    assert_ok(tcsi_periods_find(x, ROWS, 1000, periods, 3, &count, test_err));
    assert_int_equal(count, 0);
    for (size_t i = 0; i < ROWS; i++) x[i] = i % 2 ? NAN : INFINITY;
    assert_ok(tcsi_periods_find(x, ROWS, 1000, periods, 3, &count, test_err));
    assert_int_equal(count, 0);
    assert_ok(tcsi_periods_find(NULL, 0, 1000, periods, 3, &count, test_err));
    assert_int_equal(count, 0);
    for (size_t i = 0; i < 20; i++) x[i] = 1e150 * (double)(i % 4);
    assert_ok(tcsi_periods_find(x, 20, SIZE_MAX, periods, 3, &count, test_err));
}

static void test_periods_without_memory(void **state)
{
    (void)state;
    double x[300];
    for (int i = 0; i < 300; i++) x[i] = sin(2 * PI * i / 12.0);
    tcsi_alloc_trace_begin();
    for (int which = 0; which < 2; which++)
        for (size_t at = 1;; at++) {
            size_t period, count;
            tcsi_period periods[2];
            tcs_error err = { 0 };
            tcsi_alloc_trace_fail_at(at);
            tcs_status status = which ? tcsi_periods_find(x, 300, 100, periods, 2, &count, &err) : tcsi_period_find(x, 300, &period, &err);
            tcsi_alloc_trace_fail_at(0);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            if (status == TCS_OK) break;
            assert_int_equal(status, TCS_E_MEMORY);
            assert_true(at < 40);
        }
    tcsi_alloc_trace_end();
}

TCS_TEST_MAIN(cmocka_unit_test(test_fft_equals_definition), cmocka_unit_test(test_fft_of_long_data),
              cmocka_unit_test(test_autocovariance_equals_definition), cmocka_unit_test(test_period_equals_golden),
              cmocka_unit_test(test_moving_quantile_ranks_equal_golden), cmocka_unit_test(test_period_of_hostile_series),
              cmocka_unit_test(test_periods_of_days_and_weeks), cmocka_unit_test(test_periods_of_short_shapes),
              cmocka_unit_test(test_periods_of_nothing), cmocka_unit_test(test_periods_without_memory))
