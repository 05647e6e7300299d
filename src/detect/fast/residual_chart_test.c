/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include "detect/fast/residual_chart.h"

static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/residual_chart.csv", &golden);
    const double *x = golden_column(&golden, "x");
    tcsi_detector *detector = detect_create("residual_chart", 1, NULL, 0);
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-6);
    tcsi_detector_destroy(detector);
}

static void test_a_million_fit_in_memory(void **state)
{
    (void)state;
    assert_int_equal(sizeof(tcsi_residual_chart), 40);
}

/* A slow wave in small noise: a jump that is small beside the wave is large beside what one row brings. */
static void test_residuals_see_what_values_hide(void **state)
{
    (void)state;
    static double x[2000];
    static tcs_score chart[2000], plain[2000];
    tcsi_rng rng = tcsi_rng_make(7, 0);
    for (size_t t = 0; t < 2000; t++) x[t] = 10 * sin(0.02 * (double)t) + 0.1 * tcsi_rng_normal(&rng);
    x[1500] += 4;
    const double *column = x;
    tcsi_detector *a = detect_create("residual_chart", 1, NULL, 0), *b = detect_create("ewma", 1, NULL, 0);
    detect_push(a, &column, 0, 2000, chart);
    detect_push(b, &column, 0, 2000, plain);
    size_t above_chart = 0, above_plain = 0;
    for (size_t t = 200; t < 2000; t++) {
        above_chart += chart[t].value >= chart[1500].value;
        above_plain += plain[t].value >= plain[1500].value;
    }
    assert_true(above_chart == 1 && above_plain > 50);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

/* One outlier does not hide a second one; a shift is seen while it lasts, for patience_count rows, and then is the new normal. */
static void test_robust_and_patient(void **state)
{
    (void)state;
    static double x[1200];
    static tcs_score scores[1200];
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t t = 0; t < 1200; t++) x[t] = tcsi_rng_normal(&rng) + (t >= 600 ? 1000 : 0);
    x[300] = 1e6;
    x[310] = 12;
    const double *column = x;
    tcsi_detector *detector = detect_create("residual_chart", 1, NULL, 0);
    detect_push(detector, &column, 0, 1200, scores);
    assert_true(scores[310].value > 7);
    for (size_t t = 600; t < 640; t++) assert_true(scores[t].value > 30);
    for (size_t t = 1100; t < 1200; t++) assert_true(scores[t].value < 5);
    tcsi_detector_destroy(detector);
}

/* Values at the ends of the range: no score is NaN or infinite, and the state can be saved. */
static void test_extremes(void **state)
{
    (void)state;
    const double extremes[] = { 0, TCS_VALUE_MAX, -TCS_VALUE_MAX, 1e-300, -0.0, 5e-324, 1e30, TCS_VALUE_MAX };
    tcsi_residual_chart chart = { 0 }, again = { 0 };
    tcsi_buffer bytes;
    tcs_error err;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    tcsi_buffer_init(&bytes, 4096);
    for (size_t t = 0; t < 5000; t++) {
        const double value = extremes[tcsi_rng_below(&rng, TCS_COUNT(extremes))];
        const double score = tcsi_residual_chart_push(&chart, &tcsi_residual_chart_defaults, value);
        assert_true(t < 16 ? isnan(score) : isfinite(score) && score >= 0);
    }
    tcsi_codec codec = tcsi_codec_save(&bytes, &err);
    tcsi_residual_chart_persist(&chart, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    codec = tcsi_codec_load(bytes.data, bytes.size, &err);
    tcsi_residual_chart_persist(&again, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    assert_memory_equal(&chart, &again, sizeof chart);
    tcsi_buffer_deinit(&bytes);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_a_million_fit_in_memory),
              cmocka_unit_test(test_residuals_see_what_values_hide), cmocka_unit_test(test_robust_and_patient),
              cmocka_unit_test(test_extremes))
