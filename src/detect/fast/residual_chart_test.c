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
    assert_int_equal(sizeof(tcsi_residual_chart), 48);
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
    for (size_t t = 600; t < 640; t++) assert_true(scores[t].value > 25);
    for (size_t t = 1100; t < 1200; t++) assert_true(scores[t].value < 5);
    tcsi_detector_destroy(detector);
}

/* The share of rows above 15 of a series that is `often` another value than `still`, one of a few near each other. */
static double share_above(double still, double step, double often, uint64_t stream)
{
    enum { ROWS = 20000, FIRST = 1000 };
    tcsi_rng rng = tcsi_rng_make(11, stream);
    tcsi_residual_chart chart = { 0 };
    size_t above = 0;
    for (size_t t = 0; t < ROWS; t++) {
        const double value = tcsi_rng_uniform(&rng) < often && t > 50 ? still + step * (double)(1 + tcsi_rng_below(&rng, 3)) : still;
        const double score = tcsi_residual_chart_push(&chart, &tcsi_residual_chart_defaults, value);
        above += t >= FIRST && score > 15;
    }
    return (double)above / (ROWS - FIRST);
}

/* Nothing most of the time, and something now and then; or a value that holds still, and moves a little: what they do again and again is in
 * proportion to what they have done. */
static void test_what_mostly_holds_still(void **state)
{
    (void)state;
    static const double often[] = { 0.002, 0.01, 0.03, 0.1, 0.3 };
    for (size_t i = 0; i < TCS_COUNT(often); i++) {
        assert_true(share_above(0, 1, often[i], i) < 0.0005);
        assert_true(share_above(1.9e6, 4096, often[i], i) < 0.0005);
        assert_true(share_above(-1e-9, 1e-12, often[i], i) < 0.0005);
    }
}

/* n equal values and one that differs: sqrt(n) deviations, however far it is; what goes a hundred times as far as ever before still stands
 * out, and what returns from there is near at once. */
static void test_a_constant_that_moves(void **state)
{
    (void)state;
    tcsi_residual_chart chart = { 0 };
    const tcsi_residual_chart_options *options = &tcsi_residual_chart_defaults;
    for (int t = 0; t < 400; t++) (void)tcsi_residual_chart_push(&chart, options, 1.9e6);
    assert_true(tcsi_residual_chart_push(&chart, options, 1.9e6 + 4096) == 20);
    for (int t = 0; t < 99; t++) assert_true(tcsi_residual_chart_push(&chart, options, 1.9e6) < 1);
    assert_true(tcsi_residual_chart_push(&chart, options, 1.9e6 + 4096) < 11);
    for (int t = 0; t < 99; t++) assert_true(tcsi_residual_chart_push(&chart, options, 1.9e6) < 1);
    for (int t = 0; t < 10; t++) assert_true(tcsi_residual_chart_push(&chart, options, 5e7) > 20);
    (void)tcsi_residual_chart_push(&chart, options, 1.9e6);
    for (int t = 0; t < 20; t++) assert_true(tcsi_residual_chart_push(&chart, options, 1.9e6) < 1);
    double deviation, expected;
    tcsi_residual_chart_expect(&chart, &expected, &deviation);
    assert_true(fabs(expected - 1.9e6) < 4096 && deviation > 400);
}

/* In the end nothing is left of a move, and the next one is the first one again. */
static void test_what_is_forgotten(void **state)
{
    (void)state;
    enum { ROWS = 400000 };
    tcsi_residual_chart chart = { 0 };
    for (int t = 0; t < ROWS; t++) (void)tcsi_residual_chart_push(&chart, &tcsi_residual_chart_defaults, t == 100 ? 1 : 0);
    assert_true(chart.reach == 0 && chart.rest_reach == 0 && chart.variance == 0);
    assert_true(tcsi_residual_chart_push(&chart, &tcsi_residual_chart_defaults, 1) == sqrt(ROWS));
}

/* A state of before charts had a reach is one without. */
static void test_older_states(void **state)
{
    (void)state;
    tcsi_residual_chart chart = { 0 }, again = { 0 };
    tcsi_buffer bytes;
    tcs_error err;
    tcsi_buffer_init(&bytes, 4096);
    for (int t = 0; t < 100; t++) (void)tcsi_residual_chart_push(&chart, &tcsi_residual_chart_defaults, t % 40 ? 3 : 7);
    tcsi_codec codec = tcsi_codec_save(&bytes, &err);
    tcsi_residual_chart_persist(&chart, &codec);
    assert_true(chart.reach > 0 && bytes.size == 48);
    bytes.data[39] &= 0x7f; /* of clipped_run, the highest bit */
    codec = tcsi_codec_load(bytes.data, 40, &err);
    tcsi_residual_chart_persist(&again, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    assert_true(again.reach == 0 && again.rest_reach == 0);
    chart.reach = chart.rest_reach = 0;
    assert_memory_equal(&chart, &again, sizeof chart);
    tcsi_buffer_deinit(&bytes);
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
              cmocka_unit_test(test_what_mostly_holds_still), cmocka_unit_test(test_a_constant_that_moves),
              cmocka_unit_test(test_what_is_forgotten), cmocka_unit_test(test_older_states), cmocka_unit_test(test_extremes))
