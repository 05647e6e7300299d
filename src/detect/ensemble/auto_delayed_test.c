/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { TRAIN_ROWS = 300, ROWS = 1800 };

static tcsi_detector *fitted(const double *x)
{
    tcsi_detector *detector = detect_create("auto_delayed", 1, &(tcsi_parameter_value){ "segment_count", 4 }, 1);
    tcsi_frame *train = detect_frame(&x, 1, TRAIN_ROWS);
    assert_ok(tcsi_detector_fit(detector, train, test_err));
    tcsi_frame_destroy(train);
    return detector;
}

static void score_column(tcsi_detector *detector, const double *x, tcs_score *ret_scores)
{
    tcsi_frame *frame = detect_frame(&x, 1, ROWS);
    assert_ok(tcsi_detector_score(detector, frame, ret_scores, test_err));
    tcsi_frame_destroy(frame);
}

static void test_golden(void **state)
{
    (void)state;
    static golden_table series, golden;
    static tcs_score scores[ROWS];
    golden_read("tests/golden/detect/auto_online.csv", &series);
    golden_read("tests/golden/detect/auto_delayed.csv", &golden);
    assert_int_equal(series.row_count, ROWS);
    tcsi_detector *detector = fitted(golden_column(&series, "x"));
    score_column(detector, golden_column(&series, "x"), scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), ROWS, 1e-7);
    tcsi_detector_destroy(detector);
}

/* A row's verdict stands one period later: nothing after that changes it, and something before that does. */
static void test_delay(void **state)
{
    (void)state;
    static golden_table series;
    static tcs_score before[ROWS], after[ROWS];
    static double x[ROWS];
    const size_t at = 1400;
    golden_read("tests/golden/detect/auto_online.csv", &series);
    memcpy(x, golden_column(&series, "x"), sizeof x);
    tcsi_detector *detector = fitted(x);
    size_t period = tcsi_detector_horizon(detector), changed = 0;
    score_column(detector, x, before);
    for (size_t t = at; t < ROWS; t++) x[t] = 40 + (double)(t % 7);
    score_column(detector, x, after);
    for (size_t t = 0; t + period < at; t++) assert_true(before[t].value == after[t].value && before[t].state == after[t].state);
    for (size_t t = at - period; t < at; t++) changed += before[t].value != after[t].value;
    assert_true(changed > 0);
    tcsi_detector_destroy(detector);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_delay))
