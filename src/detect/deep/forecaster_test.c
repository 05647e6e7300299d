/* detect/deep/forecaster_test.c -- every forecaster alarms in the row where the course of things breaks, names the channel, and says how
 * sure it was; the answer to a row that was foreseen is calm.  SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { ROWS = 2400, TRAIN_ROWS = 1600, CHANNELS = 2, SPIKE = 2000, TURN_BEGIN = 2200, TURN_END = 2230 };

static const char *const names[] = { "tcn_forecaster", "lstm_forecaster", "gru_forecaster", "transformer_forecaster" };

/* A quiet rhythm beside a noisy one, a spike in the first, then the first runs upside down. */
static void make_series(double (*columns)[ROWS])
{
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t t = 0; t < ROWS; t++) {
        columns[0][t] = 20 + 3 * sin(0.3 * (double)t) + 0.1 * tcsi_rng_normal(&rng);
        columns[1][t] = sin(0.1 * (double)t) + 0.5 * tcsi_rng_normal(&rng);
    }
    columns[0][SPIKE] += 9;
    for (size_t t = TURN_BEGIN; t < TURN_END; t++) columns[0][t] = 40 - columns[0][t];
}

static double highest(const tcs_score *scores, size_t begin, size_t end)
{
    double value = 0;
    for (size_t t = begin; t < end; t++) value = fmax(value, scores[t].value);
    return value;
}

static void test_finds_breaks_when_they_happen(void **state)
{
    (void)state;
    static double columns[CHANNELS][ROWS];
    static tcs_score scores[ROWS];
    const double *pointers[CHANNELS] = { columns[0], columns[1] };
    const tcsi_parameter_value parameters[] = { { "smoothing", 4 } };
    double parts[CHANNELS];
    make_series(columns);
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(names)); i++) {
        tcsi_frame *frame = detect_frame(pointers, CHANNELS, ROWS), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
        tcsi_detector *detector = detect_create(names[i], CHANNELS, parameters, TCS_COUNT(parameters));
        assert_ok(tcsi_detector_fit(detector, &train, test_err));
        detect_push(detector, pointers, 0, SPIKE + 1, scores);
        assert_true(tcsi_detector_contribute(detector, parts));
        detect_push(detector, pointers, SPIKE + 1, ROWS, scores);
        double calm = highest(scores, TRAIN_ROWS, SPIKE), spike = scores[SPIKE].value, turn = highest(scores, TURN_BEGIN, TURN_END);
        if (!(spike > 1.5 * calm && turn > 1.5 * calm))
            fail_msg("%s: spike %.3g, upside down %.3g, calm rows up to %.3g", names[i], spike, turn, calm);
        if (!(parts[0] > 4 * parts[1])) fail_msg("%s: parts %.3g and %.3g, expected the first", names[i], parts[0], parts[1]);
        /* Noise of half a deviation and of a thirtieth, in deviations of 0.87 and 2.1: the mean scale is near 0.25. */
        double u = (double)scores[1900].uncertainty;
        if (!(u > 0.12 && u < 0.6)) fail_msg("%s: uncertainty %.3g", names[i], u);
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(frame);
    }
}

static void test_a_missing_channel_is_not_judged(void **state)
{
    (void)state;
    static double columns[CHANNELS][ROWS];
    static tcs_score scores[ROWS];
    const double *pointers[CHANNELS] = { columns[0], columns[1] };
    make_series(columns);
    columns[0][SPIKE] = NAN; /* the spike itself is missing */
    columns[0][1800] = columns[1][1800] = NAN;
    tcsi_frame *frame = detect_frame(pointers, CHANNELS, ROWS), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    tcsi_detector *detector = detect_create("tcn_forecaster", CHANNELS, &(tcsi_parameter_value){ "smoothing", 4 }, 1);
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    detect_push(detector, pointers, 0, ROWS, scores);
    assert_int_equal(TCS_SCORE_MISSING, scores[1800].state);
    assert_int_equal(TCS_SCORE_READY, scores[SPIKE].state);
    assert_true(scores[SPIKE].value < 1.5 * highest(scores, TRAIN_ROWS, SPIKE));
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_finds_breaks_when_they_happen),
              cmocka_unit_test(test_a_missing_channel_is_not_judged))
