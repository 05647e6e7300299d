/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tabular_test.h"

/* PyOD on the same rows: tests/golden/detect/tabular.py. */
static void test_equals_pyod(void **state)
{
    (void)state;
    const tcsi_parameter_value raw[] = { { "standardize", 0 } };
    assert_golden("hbos", raw, 1, "hbos_10", 1e-12);
    assert_golden_fitted("hbos", raw, 1, "hbos_fitted_10", 1e-12);
}

/* The channel that makes a row strange carries the largest part. */
static void test_parts_name_the_channel(void **state)
{
    (void)state;
    tcs_score scores[GOLDEN_ROWS];
    double parts[GOLDEN_COLUMNS];
    tcsi_frame *frame = golden_frame();
    tcsi_detector *detector = detector_of("hbos", GOLDEN_COLUMNS, NULL, 0);
    for (size_t c = 0; c < GOLDEN_COLUMNS; c++) tcsi_frame_column(frame, c)[7] = tcsi_frame_column(frame, c)[8];
    tcsi_frame_column(frame, 3)[7] = 1e6;
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    assert_true(tcsi_detector_contribute_span(detector, 7, 8, parts));
    for (size_t c = 0; c < 3; c++) assert_true(parts[c] < parts[3]);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_pyod), cmocka_unit_test(test_parts_name_the_channel))
