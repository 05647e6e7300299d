/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { ROWS = 4000 };

/* Without the rule of one alarm per rise, whose window is tested below. */
static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/value_gap.csv", &golden);
    const double *x = golden_column(&golden, "x");
    tcsi_detector *detector = detect_create("value_gap", 1, &(tcsi_parameter_value){ "hold_count", 0 }, 1);
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 2e-3);
    tcsi_detector_destroy(detector);
}

static void fill_season(double *x, size_t count, double offset, double scale)
{
    tcsi_rng rng = tcsi_rng_make(8, 0);
    for (size_t t = 0; t < count; t++) x[t] = offset + scale * (sin(0.13 * (double)t) + 0.1 * tcsi_rng_normal(&rng));
}

/* The held score is the raw score where that tops 1.1 times the raw scores of the last min(400, t/40) rows, else 0.  Peak and
 * runner-up stand for the whole window, so that a few of thousands of rows are let through too early. */
static void test_one_alarm_per_rise(void **state)
{
    (void)state;
    static double x[ROWS];
    static tcs_score held[ROWS], raw[ROWS];
    const double *column = x;
    size_t risen = 0, early = 0;
    fill_season(x, ROWS, 0, 1);
    for (size_t t = 2000; t < 2020; t++) x[t] += 5;
    tcsi_detector *a = detect_create("value_gap", 1, NULL, 0);
    tcsi_detector *b = detect_create("value_gap", 1, &(tcsi_parameter_value){ "hold_count", 0 }, 1);
    detect_push(a, &column, 0, ROWS, held);
    detect_push(b, &column, 0, ROWS, raw);
    for (size_t t = 50; t < ROWS; t++) {
        size_t hold = t / 40 < 400 ? t / 40 : 400;
        double highest = 0;
        for (size_t i = t - hold; i < t; i++) highest = fmax(highest, raw[i].value);
        if (raw[t].value > highest * 1.1 + 1e-5) assert_true(held[t].value == raw[t].value);
        else if (held[t].value != 0) early++;
        risen += t >= 2000 && t < 2020 && held[t].value > 0;
    }
    assert_in_range(early, 0, ROWS / 100);
    assert_true(held[2000].value > 3 && risen >= 1 && risen <= 6);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

/* Powers of two change nothing at all, from 2^-600 to 2^90. */
static void test_units(void **state)
{
    (void)state;
    static double x[ROWS], y[ROWS];
    static tcs_score expected[ROWS], actual[ROWS];
    const double *columns[] = { x, y };
    fill_season(x, ROWS, 0, 1);
    x[3000] = 4;
    tcsi_detector *a = detect_create("value_gap", 1, NULL, 0);
    detect_push(a, &columns[0], 0, ROWS, expected);
    assert_true(expected[3000].value > 5);
    for (int exponent = -600; exponent <= 90; exponent += 230) {
        for (size_t t = 0; t < ROWS; t++) y[t] = ldexp(x[t], exponent);
        tcsi_detector_reset(a);
        detect_push(a, &columns[1], 0, ROWS, actual);
        for (size_t t = 0; t < ROWS; t++) assert_true(expected[t].value == actual[t].value);
    }
    tcsi_detector_destroy(a);
}

/* A jump of 1e9 alarms at once, and a spike at the new level still stands out. */
static void test_far_jump(void **state)
{
    (void)state;
    static double x[ROWS];
    static tcs_score scores[ROWS];
    const double *column = x;
    fill_season(x, ROWS, 0, 1);
    for (size_t t = 2000; t < ROWS; t++) x[t] += 1e9;
    x[3500] += 6;
    tcsi_detector *detector = detect_create("value_gap", 1, NULL, 0);
    detect_push(detector, &column, 0, ROWS, scores);
    assert_true(scores[2000].value > 10 && scores[3500].value > 3);
    for (size_t t = 2600; t < 3500; t++) assert_true(scores[t].value < scores[3500].value);
    tcsi_detector_destroy(detector);
}

static void test_constant(void **state)
{
    (void)state;
    static double x[ROWS];
    static tcs_score scores[ROWS];
    const double *column = x;
    for (size_t t = 0; t < ROWS; t++) x[t] = 1e9 + 0.1;
    tcsi_detector *detector = detect_create("value_gap", 1, NULL, 0);
    detect_push(detector, &column, 0, ROWS, scores);
    for (size_t t = 50; t < ROWS; t++) assert_true(scores[t].state == TCS_SCORE_READY && scores[t].value == 0);
    tcsi_detector_destroy(detector);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_one_alarm_per_rise), cmocka_unit_test(test_units),
              cmocka_unit_test(test_far_jump), cmocka_unit_test(test_constant))
