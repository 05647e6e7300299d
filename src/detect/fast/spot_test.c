/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include "detect/fast/pot.h"

static double log_likelihood(const double *y, size_t count, tcsi_gpd gpd)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum -= log(gpd.scale) + (gpd.shape == 0 ? y[i] / gpd.scale : (1 + 1 / gpd.shape) * log(1 + gpd.shape * y[i] / gpd.scale));
    return sum;
}

/* At least as likely as what scipy found, and the same place. */
static void test_fit_against_scipy(void **state)
{
    (void)state;
    static golden_table golden;
    golden_read("tests/golden/detect/pot.csv", &golden);
    for (size_t k = 0; k < 5; k++) {
        char sample_name[8], fit_name[8];
        snprintf(sample_name, sizeof sample_name, "y%zu", k);
        snprintf(fit_name, sizeof fit_name, "fit%zu", k);
        const double *y = golden_column(&golden, sample_name), *expected = golden_column(&golden, fit_name);
        tcsi_gpd gpd = tcsi_gpd_fit(y, golden.row_count);
        assert_near(expected[0], gpd.shape, 2e-3);
        assert_near(1, gpd.scale / expected[1], 2e-3);
        assert_true(log_likelihood(y, golden.row_count, gpd) >= expected[2] - 1e-6 * fabs(expected[2]));
    }
}

static void test_surprise(void **state)
{
    (void)state;
    assert_near(3, tcsi_gpd_surprise(&(tcsi_gpd){ 0, 2 }, 2 * 3 * log(10)), 1e-12);
    assert_near(-log10(pow(1 + 0.5 * 4, -2)), tcsi_gpd_surprise(&(tcsi_gpd){ 0.5, 1 }, 4), 1e-12);
    assert_true(isinf(tcsi_gpd_surprise(&(tcsi_gpd){ -0.5, 1 }, 2.5)));
}

/* Equal, few and hostile excesses give a usable tail. */
static void test_fit_nasty(void **state)
{
    (void)state;
    double same[] = { 3, 3, 3, 3 }, far[] = { 1e-150, 1e150, 1, 2, 1e-10 };
    for (size_t count = 1; count <= 5; count++) {
        tcsi_gpd a = tcsi_gpd_fit(same, count < 4 ? count : 4), b = tcsi_gpd_fit(far, count);
        assert_true(a.scale > 0 && isfinite(a.scale) && isfinite(a.shape));
        assert_true(b.scale > 0 && isfinite(b.scale) && isfinite(b.shape));
    }
}

static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/spot.csv", &golden);
    const double *x = golden_column(&golden, "x");
    tcsi_parameter_value given[] = { { "warmup_count", 150 }, { "level", 0.9 }, { "risk", 1e-3 }, { "peak_count_max", 1000 } };
    tcsi_detector *detector = detect_create("spot", 1, given, TCS_COUNT(given));
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-3);
    tcsi_detector_destroy(detector);
}

/* The promise of the method: of rows without anomalies a part of about `risk` passes -log10 risk. */
static void test_false_alarm_rate(void **state)
{
    (void)state;
    enum { ROWS = 60000 };
    static double x[ROWS];
    static tcs_score scores[ROWS];
    size_t alarm_count = 0;
    tcsi_rng rng = tcsi_rng_make(77, 0);
    for (size_t t = 0; t < ROWS; t++) x[t] = tcsi_rng_exponential(&rng) - tcsi_rng_exponential(&rng);
    const double *column = x;
    tcsi_parameter_value given[] = { { "warmup_count", 1000 }, { "level", 0.98 }, { "risk", 1e-3 } };
    tcsi_detector *detector = detect_create("spot", 1, given, TCS_COUNT(given));
    detect_push(detector, &column, 0, ROWS, scores);
    for (size_t t = 0; t < ROWS; t++) alarm_count += scores[t].value > 3;
    assert_in_range(alarm_count, 60, 240); /* two sides at 1e-3 each: 118 expected */
    tcsi_detector_destroy(detector);
}

TCS_TEST_MAIN(cmocka_unit_test(test_fit_against_scipy), cmocka_unit_test(test_surprise), cmocka_unit_test(test_fit_nasty),
              cmocka_unit_test(test_golden), cmocka_unit_test(test_false_alarm_rate))
