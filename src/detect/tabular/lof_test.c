/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tabular_test.h"

/* PyOD's LOF on the same rows: tests/golden/detect/tabular.py. */
static void test_equals_pyod(void **state)
{
    (void)state;
    const tcsi_parameter_value raw[] = { { "standardize", 0 } }, ten[] = { { "standardize", 0 }, { "n_neighbors", 10 } };
    assert_golden("lof", raw, 1, "lof_20", 1e-11);
    assert_golden_fitted("lof", ten, 2, "lof_fitted_10", 1e-11);
}

/* Four points on a line, k = 2, by hand: 0, 1, 2 and 10.
 * k-distances 2, 1, 2, 9;  mean reach: of 0: (max(1,1) + max(2,2)) / 2 = 1.5;  of 1: (2 + 2) / 2 = 2;  of 2: (1 + 2) / 2 = 1.5;
 * of 10 (neighbours 2 and 1): (8 + 9) / 2 = 8.5. */
static void test_by_hand(void **state)
{
    (void)state;
    const double rows[] = { 0, 1, 2, 10 }, reach[] = { 1.5, 2, 1.5, 8.5 };
    const size_t neighbours[4][2] = { { 1, 2 }, { 0, 2 }, { 1, 0 }, { 2, 1 } };
    const tcsi_parameter_value given[] = { { "standardize", 0 }, { "n_neighbors", 2 } };
    tcs_score scores[4];
    tcsi_frame *frame = frame_of(rows, 4, 1);
    scores_of("lof", given, 2, NULL, frame, scores);
    for (size_t i = 0; i < 4; i++) {
        double expected = (1 / reach[neighbours[i][0]] + 1 / reach[neighbours[i][1]]) / 2 * reach[i];
        assert_near(expected, scores[i].value, 1e-9);
    }
    tcsi_frame_destroy(frame);
}

/* A row that is out in one channel is laid to that channel and parts add up to the score. */
static void test_parts_name_the_channel(void **state)
{
    (void)state;
    assert_blames_the_planted("lof", NULL, 0, true, 0.7);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_pyod), cmocka_unit_test(test_by_hand),
              cmocka_unit_test(test_parts_name_the_channel))
