/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tabular_test.h"

/* PyOD's KNN on the same rows: tests/golden/detect/tabular.py. */
static void test_equals_pyod(void **state)
{
    (void)state;
    const tcsi_parameter_value raw[] = { { "standardize", 0 } }, mean[] = { { "standardize", 0 }, { "mean", 1 }, { "n_neighbors", 7 } };
    assert_golden("knn", raw, 1, "knn_largest_5", 1e-12);
    assert_golden("knn", mean, 3, "knn_mean_7", 1e-12);
    assert_golden("knn", NULL, 0, "knn_standardized_5", 1e-12);
    assert_golden_fitted("knn", raw, 1, "knn_fitted_5", 1e-12);
}

/* A channel that never changes must not change a score; a missing value counts as the channel's median. */
static void test_constant_and_missing(void **state)
{
    (void)state;
    tcsi_frame *frame = golden_frame(), *wider;
    tcs_score plain[GOLDEN_ROWS], with_constant[GOLDEN_ROWS], with_gap[GOLDEN_ROWS], with_median[GOLDEN_ROWS];
    double row[GOLDEN_COLUMNS + 1], sorted[GOLDEN_ROWS];
    assert_ok(tcsi_frame_create(GOLDEN_COLUMNS + 1, GOLDEN_ROWS, false, false, &wider, test_err));
    for (size_t t = 0; t < GOLDEN_ROWS; t++) {
        tcsi_frame_row(frame, t, row);
        row[GOLDEN_COLUMNS] = 3e7;
        assert_ok(tcsi_frame_append(wider, row, 0, 0, test_err));
    }
    scores_of("knn", NULL, 0, NULL, frame, plain);
    scores_of("knn", NULL, 0, NULL, wider, with_constant);
    for (size_t t = 0; t < GOLDEN_ROWS; t++) assert_near(plain[t].value, with_constant[t].value, 1e-12);

    const tcsi_parameter_value raw[] = { { "standardize", 0 } };
    double *column = tcsi_frame_column(frame, 1);
    column[4] = NAN;
    size_t count = 0;
    for (size_t t = 0; t < GOLDEN_ROWS; t++)
        if (t != 4) sorted[count++] = column[t];
    scores_of("knn", raw, 1, NULL, frame, with_gap);
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && sorted[j - 1] > sorted[j]; j--) {
            double kept = sorted[j];
            sorted[j] = sorted[j - 1];
            sorted[j - 1] = kept;
        }
    column[4] = sorted[count / 2]; /* 89 values */
    scores_of("knn", raw, 1, NULL, frame, with_median);
    for (size_t t = 0; t < GOLDEN_ROWS; t++) assert_near(with_median[t].value, with_gap[t].value, 0);
    tcsi_frame_destroy(frame);
    tcsi_frame_destroy(wider);
}

/* A row that is out in one channel is laid to that channel and parts add up to the score. */
static void test_parts_name_the_channel(void **state)
{
    (void)state;
    const tcsi_parameter_value mean[] = { { "mean", 1 } };
    assert_blames_the_planted("knn", NULL, 0, true, 0.75);
    assert_blames_the_planted("knn", mean, 1, true, 0.6);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_pyod), cmocka_unit_test(test_constant_and_missing),
              cmocka_unit_test(test_parts_name_the_channel))
