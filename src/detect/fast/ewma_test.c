/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/ewma.csv", &golden);
    const double *x = golden_column(&golden, "x");
    tcsi_detector *detector = detect_create("ewma", 1, NULL, 0);
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-9);
    tcsi_detector_destroy(detector);
}

/* One outlier does not hide a second one a little later, which it does with a plain z-score; a new level is taken up. */
static void test_robust_and_patient(void **state)
{
    (void)state;
    static double x[1200];
    static tcs_score robust[1200], plain[1200];
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t t = 0; t < 1200; t++) x[t] = tcsi_rng_normal(&rng) + (t >= 600 ? 1000 : 0);
    x[300] = 1e6;
    x[310] = 12;
    const double *column = x;
    tcsi_detector *a = detect_create("ewma", 1, NULL, 0), *b = detect_create("welford", 1, NULL, 0);
    detect_push(a, &column, 0, 1200, robust);
    detect_push(b, &column, 0, 1200, plain);
    assert_true(robust[310].value > 9 && plain[310].value < 1);
    assert_true(robust[600].value > 500);
    for (size_t t = 1100; t < 1200; t++) assert_true(robust[t].value < 4);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

/* An offset of 1e9 changes the scores by no more than what rounding the rows themselves costs. */
static void test_offset(void **state)
{
    (void)state;
    static double x[500], y[500];
    static tcs_score near_zero[500], far_away[500];
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t t = 0; t < 500; t++) {
        x[t] = tcsi_rng_normal(&rng);
        y[t] = x[t] + 1e9;
    }
    const double *columns[] = { x, y };
    tcsi_detector *a = detect_create("ewma", 1, NULL, 0), *b = detect_create("ewma", 1, NULL, 0);
    detect_push(a, &columns[0], 0, 500, near_zero);
    detect_push(b, &columns[1], 0, 500, far_away);
    for (size_t t = 0; t < 500; t++) assert_near(near_zero[t].value, far_away[t].value, 1e-5);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_robust_and_patient), cmocka_unit_test(test_offset))
