/* detect/deep/forecaster_test.c -- every forecaster alarms in the row where the course of things breaks, names the channel, and says how
 * sure it was; the answer to a row that was foreseen is calm.  SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { HORIZONS = 4, ROWS = 2400, TRAIN_ROWS = 1600, CHANNELS = 2, SPIKE = 2000, TURN_BEGIN = 2200, TURN_END = 2230 };

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
        /* Noise of a tenth beside noise of a half. */
        tcsi_forecast near, far;
        assert_true(tcsi_detector_forecast(detector, 0, 0, &near) && tcsi_detector_forecast(detector, 1, 0, &far));
        if (!(near.noise > 0.04 && near.noise < 0.5 && far.noise > 0.25 && far.noise < 0.8))
            fail_msg("%s: predicted noise %.3g and %.3g", names[i], near.noise, far.noise);
        assert_true(scores[1900].noise > 0 && scores[1900].uncertainty == 0);
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

/* ---- bands ---- */

/* Forecasts 1, 4, 16 and 64 rows ahead, made over rows [begin, end): the share that came inside the 90 % bands. */
static double coverage(tcsi_detector *detector, const double *values, size_t begin, size_t end, size_t index)
{
    enum { RING = 64, LEVEL = 2 };
    tcsi_forecast said[RING];
    double inside = 0, known = 0;
    for (size_t t = begin; t < end; t++) {
        tcs_score score;
        tcsi_detector_push(detector, &(tcsi_row){ .sequence = t, .values = &values[t] }, &score);
        assert_true(tcsi_detector_forecast(detector, 0, index, &said[t % RING]));
        const size_t ahead = said[t % RING].ahead;
        if (t + 1 < begin + ahead || t + 1 == end) continue;
        const tcsi_forecast *of_next = &said[(t + 1 - ahead) % RING];
        assert_true(of_next->low[LEVEL] < of_next->median && of_next->median < of_next->high[LEVEL]);
        for (size_t i = 1; i < TCSI_FORECAST_LEVEL_COUNT; i++)
            assert_true(of_next->low[i] <= of_next->low[i - 1] && of_next->high[i] >= of_next->high[i - 1]);
        inside += values[t + 1] >= of_next->low[LEVEL] && values[t + 1] <= of_next->high[LEVEL];
        known++;
    }
    return inside / known;
}

/* Also after the noise has doubled, which the network was never told. */
static void test_bands_hold_what_they_promise(void **state)
{
    (void)state;
    static double values[ROWS + ROWS];
    const double *pointer = values;
    tcsi_rng rng = tcsi_rng_make(8, 0);
    tcsi_forecast ignored;
    for (size_t t = 0; t < 2 * ROWS; t++) values[t] = sin(0.2 * (double)t) + (t < ROWS ? 0.3 : 0.6) * tcsi_rng_normal(&rng);
    tcsi_frame *train = detect_frame(&pointer, 1, TRAIN_ROWS);
    tcsi_detector *detector = detect_create("tcn_forecaster", 1, NULL, 0);
    assert_ok(tcsi_detector_fit(detector, train, test_err));
    assert_false(tcsi_detector_forecast(detector, 0, 0, &ignored)); /* nothing was pushed */
    for (size_t index = 0; index < HORIZONS; index++) {
        tcsi_detector_reset(detector);
        const double same = coverage(detector, values, 0, ROWS, index), louder = coverage(detector, values, ROWS, 2 * ROWS, index);
        if (!(same > 0.88 && same < 0.92 && louder > 0.87 && louder < 0.92))
            fail_msg("forecast %zu: %.3f of the rows inside, %.3f once they are louder, expected 0.9", index, same, louder);
    }
    assert_false(tcsi_detector_forecast(detector, 0, HORIZONS, &ignored));
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(train);
}

static void test_long_horizons_need_long_series(void **state)
{
    (void)state;
    static double values[ROWS];
    const double *pointer = values;
    const size_t row_counts[] = { 90, 639, 640 }, counts[] = { 2, 3, 4 };
    tcsi_rng rng = tcsi_rng_make(9, 0);
    for (size_t t = 0; t < ROWS; t++) values[t] = tcsi_rng_normal(&rng);
    for (size_t i = 0; i < TCS_COUNT(counts); i++) {
        const tcsi_parameter_value brief = { "epochs", 1 };
        tcs_score scores[2];
        tcsi_forecast ignored;
        tcsi_frame *train = detect_frame(&pointer, 1, row_counts[i]);
        tcsi_detector *detector = detect_create("gru_forecaster", 1, &brief, 1);
        assert_ok(tcsi_detector_fit(detector, train, test_err));
        detect_push(detector, &pointer, 0, 2, scores);
        for (size_t k = 0; k <= 4; k++) assert_int_equal(k < counts[i], tcsi_detector_forecast(detector, 0, k, &ignored));
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(train);
    }
}

/* ---- members ---- */

/* Nets that learned the same disagree about what none of them has seen; and all of them are saved. */
static void test_members_disagree_about_the_unknown(void **state)
{
    (void)state;
    static double columns[CHANNELS][ROWS];
    static tcs_score scores[ROWS], again[ROWS];
    const double *pointers[CHANNELS] = { columns[0], columns[1] };
    const tcsi_parameter_value parameters[] = { { "smoothing", 4 }, { "members", 3 } };
    make_series(columns);
    tcsi_frame *frame = detect_frame(pointers, CHANNELS, ROWS), train = tcsi_frame_view(frame, 0, TRAIN_ROWS);
    tcsi_detector *detector = detect_create("gru_forecaster", CHANNELS, parameters, TCS_COUNT(parameters)), *loaded;
    assert_ok(tcsi_detector_fit(detector, &train, test_err));
    detect_push(detector, pointers, 0, 1000, scores);
    tcsi_buffer saved;
    tcsi_buffer_init(&saved, 1 << 24);
    assert_ok(tcsi_detector_save(detector, &saved, test_err));
    assert_ok(tcsi_detector_load(saved.data, saved.size, NULL, &loaded, test_err));
    detect_push(detector, pointers, 1000, ROWS, scores);
    detect_push(loaded, pointers, 1000, ROWS, again);
    detect_assert_same(scores, again, 1000, ROWS);
    double calm = 0, turned = 0;
    for (size_t t = TRAIN_ROWS; t < SPIKE; t++) calm += (double)scores[t].uncertainty / (SPIKE - TRAIN_ROWS);
    for (size_t t = TURN_BEGIN; t < TURN_END; t++) turned += (double)scores[t].uncertainty / (TURN_END - TURN_BEGIN);
    if (!(calm > 0 && turned > 2 * calm)) fail_msg("uncertainty %.3g on known rows, %.3g on unknown ones", calm, turned);
    tcsi_buffer_deinit(&saved);
    tcsi_detector_destroy(loaded);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

/* ---- slow change ---- */

enum { DRIFT_BEGIN = 2200, DRIFT_ROWS = 1500, DRIFT_SEEDS = 6 };

/* Rows from where a level begins to rise by a two-hundredth of a deviation a row to the first score above all calm ones. */
static size_t onset_delay(uint64_t seed, double horizons)
{
    static double values[DRIFT_BEGIN + DRIFT_ROWS];
    static tcs_score scores[DRIFT_BEGIN + DRIFT_ROWS];
    const double *pointer = values;
    const tcsi_parameter_value parameters[] = { { "smoothing", 16 }, { "horizons", horizons } };
    tcsi_rng rng = tcsi_rng_make(seed, 0);
    double state = 0, limit = 0;
    for (size_t t = 0; t < DRIFT_BEGIN + DRIFT_ROWS; t++) {
        state = 0.9 * state + 0.02 * tcsi_rng_normal(&rng);
        values[t] = state + sin(0.05 * (double)t) + (t > DRIFT_BEGIN ? 0.001 * (double)(t - DRIFT_BEGIN) : 0);
    }
    tcsi_frame *train = detect_frame(&pointer, 1, TRAIN_ROWS);
    tcsi_detector *detector = detect_create("tcn_forecaster", 1, parameters, TCS_COUNT(parameters));
    assert_ok(tcsi_detector_fit(detector, train, test_err));
    detect_push(detector, &pointer, 0, DRIFT_BEGIN + DRIFT_ROWS, scores);
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(train);
    limit = highest(scores, 200, DRIFT_BEGIN);
    size_t t = DRIFT_BEGIN;
    while (t < DRIFT_BEGIN + DRIFT_ROWS && scores[t].value <= limit) t++;
    return t - DRIFT_BEGIN;
}

static void test_long_horizons_see_slow_change_earlier(void **state)
{
    (void)state;
    size_t earlier = 0;
    double delays[2] = { 0 };
    for (uint64_t seed = 1; seed <= (test_is_small() ? 1 : DRIFT_SEEDS); seed++) {
        const size_t one = onset_delay(seed, 1), all = onset_delay(seed, 4);
        earlier += all < one;
        delays[0] += (double)one / DRIFT_SEEDS;
        delays[1] += (double)all / DRIFT_SEEDS;
        print_message("# seed %u: %zu rows with horizon 1 alone, %zu with 1, 4, 16 and 64\n", (unsigned)seed, one, all);
    }
    if (test_is_small()) return;
    if (!(earlier >= DRIFT_SEEDS - 1 && delays[1] < 0.7 * delays[0]))
        fail_msg("found after %.0f rows with horizon 1 alone, after %.0f with all; earlier with all in %zu of %d", delays[0], delays[1],
                 earlier, DRIFT_SEEDS);
}

TCS_TEST_MAIN(cmocka_unit_test(test_finds_breaks_when_they_happen),
              cmocka_unit_test(test_a_missing_channel_is_not_judged),
              cmocka_unit_test(test_bands_hold_what_they_promise),
              cmocka_unit_test(test_long_horizons_need_long_series),
              cmocka_unit_test(test_members_disagree_about_the_unknown),
              cmocka_unit_test(test_long_horizons_see_slow_change_earlier))
