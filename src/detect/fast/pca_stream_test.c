/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/pca_stream.csv", &golden);
    const double *columns[] = { golden_column(&golden, "a"), golden_column(&golden, "b"), golden_column(&golden, "c"),
                                golden_column(&golden, "d") };
    tcsi_detector *detector = detect_create("pca_stream", 4, NULL, 0);
    detect_push(detector, columns, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-7);
    tcsi_detector_destroy(detector);
}

/* Each channel stays inside its range, only their agreement breaks; the channel that broke it contributes most. */
static void test_finds_broken_correlation(void **state)
{
    (void)state;
    enum { ROWS = 1000 };
    static double x[3][ROWS];
    static tcs_score scores[ROWS];
    double parts[3], before = 0, during = INFINITY;
    tcsi_rng rng = tcsi_rng_make(2, 0);
    for (size_t t = 0; t < ROWS; t++) {
        double common = tcsi_rng_normal(&rng);
        for (size_t c = 0; c < 3; c++) x[c][t] = common + 0.05 * tcsi_rng_normal(&rng);
        if (t >= 900 && t < 910) x[1][t] = common > 0 ? common - 1 : common + 1;
    }
    const double *columns[] = { x[0], x[1], x[2] };
    tcsi_detector *detector = detect_create("pca_stream", 3, NULL, 0);
    detect_push(detector, columns, 0, 901, scores);
    assert_true(tcsi_detector_contribute(detector, parts));
    assert_true(parts[1] > parts[0] && parts[1] > parts[2]);
    detect_push(detector, columns, 901, ROWS, scores);
    for (size_t t = 100; t < 900; t++) before = fmax(before, scores[t].value);
    for (size_t t = 900; t < 910; t++) during = fmin(during, scores[t].value);
    assert_true(during > 2 * before);
    tcsi_detector_destroy(detector);
}

/* With all components inside, the score is the Mahalanobis distance: no linear change of units matters. */
static void test_units(void **state)
{
    (void)state;
    enum { ROWS = 400 };
    static double x[2][ROWS], y[2][ROWS];
    static tcs_score a_scores[ROWS], b_scores[ROWS];
    tcsi_rng rng = tcsi_rng_make(2, 0);
    for (size_t t = 0; t < ROWS; t++)
        for (size_t c = 0; c < 2; c++) {
            x[c][t] = tcsi_rng_normal(&rng);
            y[c][t] = (c ? -1e-9 : 1e9) * x[c][t] + 3e8;
        }
    const double *x_columns[] = { x[0], x[1] }, *y_columns[] = { y[0], y[0] };
    y_columns[1] = y[1];
    for (size_t t = 0; t < ROWS; t++) y[1][t] = -64 * x[1][t];
    tcsi_parameter_value all = { "variance", 1 };
    tcsi_detector *a = detect_create("pca_stream", 2, &all, 1), *b = detect_create("pca_stream", 2, &all, 1);
    detect_push(a, x_columns, 0, ROWS, a_scores);
    detect_push(b, y_columns, 0, ROWS, b_scores);
    for (size_t t = 100; t < ROWS; t++) assert_near(a_scores[t].value, b_scores[t].value, 1e-5);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

static void test_too_many_channels(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    tcsi_detector *detector;
    tcsi_detector_setup setup = { .channel_count = 100000 };
    assert_int_equal(TCS_E_LIMIT, tcsi_detector_create(tcsi_registry_find("pca_stream"), &setup, &detector, &err));
    assert_non_null(strstr(err.text, "100000"));
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_finds_broken_correlation), cmocka_unit_test(test_units),
              cmocka_unit_test(test_too_many_channels))
