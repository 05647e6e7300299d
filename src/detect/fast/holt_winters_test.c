/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { ROWS = 1200, PERIOD = 24 };

static void fill(double *x)
{
    tcsi_rng rng = tcsi_rng_make(21, 0);
    for (size_t t = 0; t < ROWS; t++) x[t] = 50 + 10 * sin(6.283185307179586 * (double)t / PERIOD) + 0.5 * tcsi_rng_normal(&rng);
}

static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/holt_winters.csv", &golden);
    const double *x = golden_column(&golden, "x");
    tcsi_detector *detector = detect_create("holt_winters", 1, &(tcsi_parameter_value){ "period", 12 }, 1);
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-8);
    tcsi_detector_destroy(detector);
}

/* A value well inside the range, but wrong for its time of day: found with the period that fit finds by itself. */
static void test_fit_finds_the_season(void **state)
{
    (void)state;
    static double x[ROWS];
    static tcs_score seasonal[ROWS], flat[ROWS];
    fill(x);
    size_t wrong = 40 * PERIOD + PERIOD / 4; /* at the peak, 60 */
    x[wrong] = 50;
    const double *column = x;
    tcsi_frame *train = detect_frame(&column, 1, 300);
    tcsi_detector *fitted = detect_create("holt_winters", 1, NULL, 0), *blank = detect_create("holt_winters", 1, NULL, 0);
    assert_ok(tcsi_detector_fit(fitted, train, test_err));
    detect_push(fitted, &column, 0, ROWS, seasonal);
    detect_push(blank, &column, 0, ROWS, flat);
    for (size_t t = 0; t < ROWS; t++) assert_true(t == wrong || seasonal[t].value < 0.5 * seasonal[wrong].value);
    assert_int_equal(TCS_SCORE_READY, seasonal[0].state);
    assert_true(flat[wrong].value < 5);
    tcsi_detector_destroy(fitted);
    tcsi_detector_destroy(blank);
    tcsi_frame_destroy(train);
}

/* Outliers, in the start as well, change the scores of ordinary rows little; a gap keeps the phase. */
static void test_robust(void **state)
{
    (void)state;
    static double x[ROWS], y[ROWS];
    static tcs_score clean[ROWS], dirty[ROWS];
    fill(x);
    for (size_t t = 0; t < ROWS; t++) y[t] = t % 97 == 13 ? 1e6 : t >= 500 && t < 507 ? NAN : x[t];
    const double *columns[] = { x, y };
    tcsi_parameter_value period = { "period", PERIOD };
    tcsi_detector *a = detect_create("holt_winters", 1, &period, 1), *b = detect_create("holt_winters", 1, &period, 1);
    detect_push(a, &columns[0], 0, ROWS, clean);
    detect_push(b, &columns[1], 0, ROWS, dirty);
    double worst = 0;
    for (size_t t = 300; t < ROWS; t++) {
        if (t % 97 == 13) assert_true(dirty[t].value > 1e4);
        else if (dirty[t].state == TCS_SCORE_READY) worst = fmax(worst, dirty[t].value);
    }
    assert_true(worst < 8);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_fit_finds_the_season), cmocka_unit_test(test_robust))
