/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { CHANNELS = 4, PLANT_TRAIN = 240, PLANT_ROWS = 600, TRAIN_ROWS = 300, ROWS = 4000 };

static tcsi_detector *fitted(const double *const *columns, size_t channel_count, size_t train_row_count, size_t segment_count)
{
    tcsi_parameter_value segments = { "segment_count", (double)segment_count };
    tcsi_detector *detector = detect_create("auto_online", channel_count, &segments, 1);
    tcsi_frame *train = detect_frame(columns, channel_count, train_row_count);
    assert_ok(tcsi_detector_fit(detector, train, test_err));
    tcsi_frame_destroy(train);
    return detector;
}

/* Four segments of memory, so that old ones expire; one channel has no threshold of its own. */
static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/auto_online.csv", &golden);
    const double *x = golden_column(&golden, "x");
    tcsi_detector *detector = fitted(&x, 1, TRAIN_ROWS, 4);
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-7);
    assert_true(isnan(tcsi_detector_threshold(detector)));
    assert_int_equal(24, tcsi_detector_horizon(detector));
    tcsi_detector_destroy(detector);
}

static void read_plant(golden_table *golden, const double *ret_columns[CHANNELS])
{
    static const char *const names[CHANNELS] = { "a", "b", "c", "d" };
    golden_read("tests/golden/detect/channel_break.csv", golden);
    assert_int_equal(golden->row_count, PLANT_ROWS);
    for (size_t c = 0; c < CHANNELS; c++) ret_columns[c] = golden_column(golden, names[c]);
}

static void test_golden_joint(void **state)
{
    (void)state;
    static golden_table plant, golden;
    static tcs_score scores[PLANT_ROWS];
    const double *columns[CHANNELS];
    read_plant(&plant, columns);
    golden_read("tests/golden/detect/auto_online_joint.csv", &golden);
    tcsi_detector *detector = fitted(columns, CHANNELS, PLANT_TRAIN, 80);
    detect_push(detector, columns, 0, PLANT_ROWS, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), PLANT_ROWS, 1e-7);
    for (size_t t = 0; t < PLANT_ROWS; t++) assert_near(golden_column(&golden, "evidence")[t], scores[t].evidence, 1e-9);
    assert_true(tcsi_detector_threshold(detector) == 0);
    tcsi_detector_destroy(detector);
}

/* The channel whose relation broke stands out, in pushing and over a span of a scored frame; the switch has no part. */
static void test_contributions(void **state)
{
    (void)state;
    static golden_table plant;
    static tcs_score scores[PLANT_ROWS];
    const double *columns[CHANNELS];
    double parts[CHANNELS];
    read_plant(&plant, columns);
    tcsi_detector *detector = fitted(columns, CHANNELS, PLANT_TRAIN, 80);
    tcsi_frame *frame = detect_frame(columns, CHANNELS, PLANT_ROWS);
    detect_push(detector, columns, 0, 340, scores);
    assert_true(tcsi_detector_contribute(detector, parts));
    assert_true(parts[1] > parts[0] && parts[1] > parts[2] && parts[3] == 0);
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    assert_true(tcsi_detector_contribute_span(detector, 325, 350, parts));
    assert_true(parts[1] > parts[0] && parts[1] > parts[2] && parts[3] == 0);
    assert_true(tcsi_detector_contribute_span(detector, 435, 460, parts));
    assert_true(parts[2] > parts[0] && parts[2] > parts[1]);
    tcsi_frame_destroy(frame);
    tcsi_detector_destroy(detector);
}

/* Powers of two as units change nothing; any offset little. */
static void test_units(void **state)
{
    (void)state;
    static double x[ROWS], y[ROWS];
    static tcs_score expected[ROWS], actual[ROWS];
    const double *a = x, *b = y;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t t = 0; t < ROWS; t++) x[t] = sin(0.2 * (double)t) + 0.1 * tcsi_rng_normal(&rng) + (t >= 3000 && t < 3010 ? 2 : 0);
    tcsi_detector *detector = fitted(&a, 1, TRAIN_ROWS, 80);
    detect_push(detector, &a, 0, ROWS, expected);
    tcsi_detector_destroy(detector);
    assert_true(expected[3005].value > 20);
    for (int law = 0; law < 3; law++) {
        for (size_t t = 0; t < ROWS; t++) y[t] = law == 0 ? ldexp(x[t], 300) : law == 1 ? ldexp(x[t], -300) : x[t] + 1024;
        detector = fitted(&b, 1, TRAIN_ROWS, 80);
        detect_push(detector, &b, 0, ROWS, actual);
        for (size_t t = 0; t < ROWS; t++) {
            if (law < 2) assert_true(expected[t].value == actual[t].value);
            else assert_near(expected[t].value, actual[t].value, 1e-6);
        }
        tcsi_detector_destroy(detector);
    }
}

/* Training rows that never move: the first move sets the unit, and is found.  What never moves at all never scores. */
static void test_constant_training(void **state)
{
    (void)state;
    static double x[ROWS];
    static tcs_score scores[ROWS];
    const double *column = x;
    size_t highest = 0;
    for (size_t t = 0; t < ROWS; t++) x[t] = 1e6;
    tcsi_detector *detector = fitted(&column, 1, TRAIN_ROWS, 80);
    detect_push(detector, &column, 0, ROWS, scores);
    for (size_t t = 0; t < ROWS; t++) assert_true(scores[t].value <= 1e-6);
    for (size_t t = 2000; t < 2010; t++) x[t] += 30;
    tcsi_detector_reset(detector);
    detect_push(detector, &column, 0, ROWS, scores);
    for (size_t t = 0; t < ROWS; t++) highest = scores[t].value > scores[highest].value ? t : highest;
    assert_in_range(highest, 2000, 2030);
    assert_true(scores[highest].value > 100);
    tcsi_detector_destroy(detector);
}

/* No training rows with a value: the stream's first value is the origin.  Fewer than three rows do as well. */
static void test_little_training(void **state)
{
    (void)state;
    static double x[ROWS];
    static tcs_score scores[ROWS];
    const double *column = x;
    tcsi_rng rng = tcsi_rng_make(4, 0);
    for (size_t train_row_count = 1; train_row_count <= 3; train_row_count++) {
        for (size_t t = 0; t < ROWS; t++) x[t] = t == 0 ? NAN : 500 + tcsi_rng_normal(&rng) + (t == 3000 ? 40 : 0);
        tcsi_detector *detector = fitted(&column, 1, train_row_count, 80);
        detect_push(detector, &column, 0, ROWS, scores);
        for (size_t t = 200; t < ROWS; t++) assert_true(scores[t].state == TCS_SCORE_READY && scores[t].value <= scores[3000].value);
        tcsi_detector_destroy(detector);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_golden_joint), cmocka_unit_test(test_contributions),
              cmocka_unit_test(test_units), cmocka_unit_test(test_constant_training), cmocka_unit_test(test_little_training))
