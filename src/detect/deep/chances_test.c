/* detect/deep/chances_test.c -- windows are drawn as often as asked for: late ones, those of long durations, those that hold a change.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

#include "detect/deep/chances.h"

#include <math.h>

enum { ROWS = 2000, WINDOW = 20, WINDOWS = ROWS - WINDOW + 1 };

/* A slow wave with one jump at 1000 and a gap of 10 rows at 1500; a row a second, four seconds a row in [400, 500), an hour before 700. */
static tcsi_frame *make_frame(void)
{
    tcsi_frame *frame;
    int64_t time = 0;
    assert_ok(tcsi_frame_create(1, ROWS, true, false, &frame, test_err));
    for (size_t t = 0; t < ROWS; t++) {
        const double value = t >= 1500 && t < 1510 ? NAN : sin(0.05 * (double)t) + (t >= 1000 ? 3 : 0);
        time += (t == 700 ? 3600 : t >= 400 && t < 500 ? 4 : 1) * INT64_C(1000000000);
        assert_ok(tcsi_frame_append(frame, &value, time, 0, test_err));
    }
    return frame;
}

/* Chances of windows, with sum 1; false: all alike. */
static bool chances_of(const tcsi_chances_options *options, bool has_times, double *ret)
{
    tcsi_frame *frame = make_frame();
    tcsi_sequence_form form;
    tcsi_sequence sequence;
    double *sums;
    assert_ok(tcsi_sequence_form_learn(frame, &(tcsi_sequence_wish){ 0 }, &form, test_err));
    assert_ok(tcsi_sequence_init(frame, &form, &sequence, test_err));
    assert_int_equal(1, sequence.factor);
    assert_ok(tcsi_chances_create(&sequence, has_times ? frame->times_ns : NULL, WINDOW, options, &sums, test_err));
    for (size_t i = 0; i < WINDOWS && sums; i++) ret[i] = (sums[i] - (i > 0 ? sums[i - 1] : 0)) / sums[WINDOWS - 1];
    const bool differ = sums != NULL;
    tcsi_free(sums);
    tcsi_sequence_deinit(&sequence);
    tcsi_sequence_form_deinit(&form);
    tcsi_frame_destroy(frame);
    return differ;
}

static double part(const double *chances, size_t begin, size_t end)
{
    double sum = 0;
    for (size_t i = begin; i < end; i++) sum += chances[i];
    return sum;
}

static void test_nothing_asked_for_nothing_done(void **state)
{
    (void)state;
    static double chances[WINDOWS];
    assert_false(chances_of(&(tcsi_chances_options){ 0 }, true, chances));
}

static void test_the_past_counts_less(void **state)
{
    (void)state;
    static double chances[WINDOWS];
    assert_true(chances_of(&(tcsi_chances_options){ .half_life = 500 }, false, chances));
    for (size_t i = 500; i < WINDOWS; i += 100) assert_near(chances[i] / chances[i - 500], 2, 1e-6);
    assert_true(chances_of(&(tcsi_chances_options){ .half_life = 0.1 }, false, chances)); /* the oldest vanish, and do no harm */
    assert_true(chances[WINDOWS - 1] > 0.99 && chances[0] == 0);
}

/* Four seconds count four times, the hour as eight medians, half of it on each side; without times all are alike. */
static void test_rows_count_by_their_time(void **state)
{
    (void)state;
    static double chances[WINDOWS];
    const tcsi_chances_options options = { .by_duration = true };
    assert_true(chances_of(&options, true, chances));
    assert_near(chances[440] / chances[200], 4, 1e-6);
    assert_near(chances[690] / chances[200], 1 + 2 * 7.0 / WINDOW, 1e-6);
    assert_true(chances_of(&options, false, chances));
    assert_near(chances[440] / chances[200], 1, 1e-6);
}

/* Windows about the jump, the gap, late rows and the steepest twentieth share what is set aside for changes. */
static void test_changes_are_drawn_often(void **state)
{
    (void)state;
    static double plain[WINDOWS], changing[WINDOWS], all[WINDOWS];
    assert_true(chances_of(&(tcsi_chances_options){ .change = 0.5 }, true, changing));
    assert_true(chances_of(&(tcsi_chances_options){ .half_life = 1e9 }, true, plain));
    assert_true(changing[990] > 2 * plain[990] && changing[1495] > 2 * plain[1495] && changing[690] > 2 * plain[690]);
    assert_near(changing[775], 0.5 / WINDOWS, 0.1 / WINDOWS); /* nothing happens there */
    assert_true(chances_of(&(tcsi_chances_options){ .change = 1 }, true, all));
    assert_true(all[775] == 0);
    assert_near(part(all, 0, WINDOWS), 1, 1e-9);
}

/* Drawn windows come as often as their chances say, and never one of chance 0. */
static void test_draws_follow_chances(void **state)
{
    (void)state;
    static const double sums[5] = { 0, 1, 1, 1.5, 4 };
    size_t counts[5] = { 0 };
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t i = 0; i < 40000; i++) counts[tcsi_chances_at(sums, 5, tcsi_rng_uniform(&rng))]++;
    assert_int_equal(0, counts[0]);
    assert_int_equal(0, counts[2]);
    assert_true(counts[1] > 9700 && counts[1] < 10300 && counts[3] > 4800 && counts[3] < 5200);
    assert_int_equal(1, tcsi_chances_at(sums, 4, 0.5)); /* of the first four only */
    assert_int_equal(4, tcsi_chances_at(sums, 5, 1 - 1e-16));
}

/* The parameters reach the training: the same seed gives other scores. */
static void test_detectors_listen(void **state)
{
    (void)state;
    static const char *const names[] = { "autoencoder", "tcn_forecaster" };
    static const tcsi_parameter_value wanted[][2] = { { { "epochs", 2 }, { "half_life", 0 } }, { { "epochs", 2 }, { "half_life", 200 } },
                                                      { { "epochs", 2 }, { "change", 0.5 } }, { { "epochs", 2 }, { "by_duration", 1 } } };
    static tcs_score scores[TCS_COUNT(wanted)][ROWS];
    for (size_t d = 0; d < TCS_COUNT(names); d++) {
        for (size_t k = 0; k < TCS_COUNT(wanted); k++) {
            tcsi_frame *frame = make_frame();
            tcsi_detector *detector = detect_create(names[d], 1, wanted[k], 2);
            assert_ok(tcsi_detector_fit(detector, frame, test_err));
            assert_ok(tcsi_detector_score(detector, frame, scores[k], test_err));
            if (k > 0 && scores[k][1200].value == scores[0][1200].value) fail_msg("%s: %s changes nothing", names[d], wanted[k][1].name);
            tcsi_detector_destroy(detector);
            tcsi_frame_destroy(frame);
        }
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_nothing_asked_for_nothing_done), cmocka_unit_test(test_the_past_counts_less),
              cmocka_unit_test(test_rows_count_by_their_time), cmocka_unit_test(test_changes_are_drawn_often),
              cmocka_unit_test(test_draws_follow_chances), cmocka_unit_test(test_detectors_listen))
