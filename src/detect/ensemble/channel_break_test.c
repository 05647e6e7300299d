/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include "detect/ensemble/channel_break.h"

enum { CHANNELS = 4, TRAIN_ROWS = 240, ROWS = 600 };

static void read_plant(golden_table *golden, const double *ret_columns[CHANNELS])
{
    static const char *const names[CHANNELS] = { "a", "b", "c", "d" };
    golden_read("tests/golden/detect/channel_break.csv", golden);
    assert_int_equal(golden->row_count, ROWS);
    for (size_t c = 0; c < CHANNELS; c++) ret_columns[c] = golden_column(golden, names[c]);
}

static tcsi_detector *fitted(const double *const *columns, size_t channel_count)
{
    tcsi_detector *detector = detect_create("channel_break", channel_count, NULL, 0);
    tcsi_frame *train = detect_frame(columns, channel_count, TRAIN_ROWS);
    assert_ok(tcsi_detector_fit(detector, train, test_err));
    tcsi_frame_destroy(train);
    return detector;
}

static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[ROWS];
    const double *columns[CHANNELS];
    read_plant(&golden, columns);
    tcsi_detector *detector = fitted(columns, CHANNELS);
    detect_push(detector, columns, 0, ROWS, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), ROWS, 1e-9);
    tcsi_detector_destroy(detector);
}

/* Quiet before the correlation breaks in row 320, alarmed within the smoothing's rows after it, by the channel that broke. */
static void test_alarms(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[ROWS];
    const double *columns[CHANNELS];
    double parts[CHANNELS];
    size_t false_count = 0;
    read_plant(&golden, columns);
    tcsi_detector *detector = fitted(columns, CHANNELS);
    detect_push(detector, columns, 0, 340, scores);
    assert_true(tcsi_detector_contribute(detector, parts));
    for (size_t t = 0; t < 320; t++) false_count += scores[t].value > tcsi_detector_threshold(detector);
    assert_in_range(false_count, 0, 16);
    assert_true(scores[339].value > tcsi_detector_threshold(detector));
    assert_true(parts[1] > parts[0] && parts[1] > parts[2] && parts[3] == 0);
    tcsi_detector_destroy(detector);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_alarms))
