/* detect/deep/sequence_test.c -- steps are means of rows in deviations; nothing is missing or out of range; rows come back in place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "detect/deep/sequence.h"

static tcsi_frame *frame_of(size_t channel_count, size_t row_count, double (*value)(size_t t, size_t c))
{
    tcsi_frame *frame;
    double row[4];
    assert_ok(tcsi_frame_create(channel_count, row_count, false, false, &frame, test_err));
    for (size_t t = 0; t < row_count; t++) {
        for (size_t c = 0; c < channel_count; c++) row[c] = value(t, c);
        assert_ok(tcsi_frame_append(frame, row, 0, 0, test_err));
    }
    return frame;
}

/* Channel 0 alternates 3, 5 (mean 4, deviation 1), with a hole; channel 1 is constant. */
static double alternating(size_t t, size_t c)
{
    if (c == 1) return 50;
    return t >= 8 && t < 12 ? NAN : t % 2 ? 5 : 3;
}

static void test_rows_become_steps(void **state)
{
    (void)state;
    tcsi_frame *frame = frame_of(2, 42, alternating);
    tcsi_sequence_form form;
    tcsi_sequence s;
    assert_ok(tcsi_sequence_form_learn(frame, &(tcsi_sequence_wish){ .window_row_count = 40, .steps = 10 }, &form, test_err));
    assert_int_equal(4, form.factor);
    assert_near(1, tcsi_sequence_value(&form, 0, 5), 1e-6);
    assert_near(-1, tcsi_sequence_value(&form, 0, 3), 1e-6);
    assert_near(0.5, tcsi_sequence_value(&form, 1, 75), 1e-6); /* in units of the constant itself */
    assert_near(TCSI_SEQUENCE_MAX, tcsi_sequence_value(&form, 1, 1e100), 0);
    assert_true(isnan(tcsi_sequence_value(&form, 1, INFINITY)));
    assert_ok(tcsi_sequence_init(frame, &form, &s, test_err));
    assert_int_equal(11, s.step_count); /* the last step holds two rows */
    for (size_t u = 0; u < s.step_count; u++) {
        assert_near(0, s.values.values[2 * u], 1e-6);
        assert_int_equal(u == 2, isnan(s.targets.values[2 * u]));
        assert_near(0, s.targets.values[2 * u + 1], 0);
    }
    tcsi_sequence_deinit(&s);
    tcsi_sequence_form_deinit(&form);
    tcsi_frame_destroy(frame);
}

/* A value every 40 rows: 100 rows are too few to tell. */
static double pulse(size_t t, size_t c)
{
    (void)c;
    return t % 40 == 0;
}

static void test_facts_stand_in_every_step_and_a_window_is_taken_on_trust(void **state)
{
    (void)state;
    enum { ROWS = 100 };
    static const float facts[] = { 0.5f, -2 };
    tcsi_frame *frame = frame_of(1, ROWS, pulse);
    tcsi_sequence_form form;
    tcsi_sequence s;
    assert_ok(tcsi_sequence_form_learn(frame, &(tcsi_sequence_wish){ .window_otherwise = 40, .fact_count = 2, .facts = facts }, &form,
                                       test_err));
    assert_int_equal(40, form.window_row_count);
    assert_ok(tcsi_sequence_init(frame, &form, &s, test_err));
    assert_int_equal(3, s.input_count);
    for (size_t u = 0; u < s.step_count; u++) {
        assert_near(s.targets.values[u], s.values.values[3 * u], 0);
        assert_memory_equal(facts, s.values.values + 3 * u + 1, sizeof facts);
    }
    tcsi_sequence_deinit(&s);
    tcsi_sequence_form_deinit(&form);
    const size_t wishes[][2] = { { 0, ROWS / 8 }, { 70, ROWS / 2 }, { 5, ROWS / 8 } }; /* otherwise, and what comes of it */
    for (size_t i = 0; i < TCS_COUNT(wishes); i++) {
        assert_ok(tcsi_sequence_form_learn(frame, &(tcsi_sequence_wish){ .window_otherwise = wishes[i][0] }, &form, test_err));
        assert_int_equal(wishes[i][1], form.window_row_count);
        tcsi_sequence_form_deinit(&form);
    }
    tcsi_frame_destroy(frame);
}

/* Nothing for three rows, then a ramp. */
static double late_ramp(size_t t, size_t c)
{
    (void)c;
    return t < 3 || t == 7 ? NAN : (double)t;
}

static void test_missing_values_repeat_the_last(void **state)
{
    (void)state;
    tcsi_frame *frame = frame_of(1, 12, late_ramp);
    tcsi_sequence_form form;
    tcsi_sequence s;
    assert_ok(tcsi_sequence_form_learn(frame, &(tcsi_sequence_wish){ .window_row_count = 5 }, &form, test_err));
    assert_ok(tcsi_sequence_init(frame, &form, &s, test_err));
    for (size_t t = 0; t < 3; t++) assert_near(0, s.values.values[t], 0);
    assert_near(s.values.values[6], s.values.values[7], 0);
    assert_true(isnan(s.targets.values[7]) && s.targets.values[8] > s.targets.values[6]);
    tcsi_sequence_deinit(&s);
    tcsi_sequence_form_deinit(&form);
    tcsi_frame_destroy(frame);
}

static void test_missing_values_of_a_table_are_the_mean(void **state)
{
    (void)state;
    tcsi_frame *frame = frame_of(1, 12, late_ramp);
    tcsi_sequence_form form;
    tcsi_sequence s;
    assert_ok(tcsi_sequence_form_learn_table(frame, &form, test_err));
    assert_ok(tcsi_sequence_init(frame, &form, &s, test_err));
    assert_int_equal(12, s.step_count);
    assert_near(0, s.values.values[7], 0);
    assert_true(isnan(s.targets.values[7]) && s.values.values[6] != 0);
    tcsi_sequence_deinit(&s);
    tcsi_sequence_form_deinit(&form);
    tcsi_frame_destroy(frame);
}

static double ramp(size_t t, size_t c)
{
    (void)c;
    return (double)t;
}

static void test_expand_puts_steps_in_the_middle_of_their_rows(void **state)
{
    (void)state;
    enum { ROWS = 50, FACTOR = 5 };
    tcsi_frame *frame = frame_of(1, ROWS, ramp);
    tcsi_sequence_form form;
    tcsi_sequence s;
    double steps[ROWS / FACTOR], rows[ROWS];
    assert_ok(tcsi_sequence_form_learn(frame, &(tcsi_sequence_wish){ .window_row_count = ROWS, .steps = ROWS / FACTOR }, &form, test_err));
    assert_int_equal(FACTOR, form.factor);
    assert_ok(tcsi_sequence_init(frame, &form, &s, test_err));
    for (size_t u = 0; u < s.step_count; u++) steps[u] = (double)(u * FACTOR + 2); /* the middle row's number */
    tcsi_sequence_expand(&s, steps, rows);
    for (size_t t = 2; t < ROWS - 3; t++) assert_near((double)t, rows[t], 1e-9);
    assert_near(2, rows[0], 0);
    assert_near(ROWS - 3, rows[ROWS - 1], 0);
    tcsi_sequence_deinit(&s);
    tcsi_sequence_form_deinit(&form);
    tcsi_frame_destroy(frame);
}

static void test_holds_what_it_says(void **state)
{
    (void)state;
    const size_t row_counts[] = { 1, 500, 30000 };
    for (size_t i = 0; i < TCS_COUNT(row_counts); i++) {
        tcsi_frame *frame = frame_of(2, row_counts[i], alternating);
        tcsi_sequence_form form;
        tcsi_sequence s;
        tcsi_alloc_trace_begin();
        assert_ok(tcsi_sequence_form_learn(frame, &(tcsi_sequence_wish){ 0 }, &form, test_err));
        assert_ok(tcsi_sequence_init(frame, &form, &s, test_err));
        size_t peak = tcsi_alloc_trace_stats().peak_size;
        tcsi_sequence_deinit(&s);
        tcsi_sequence_form_deinit(&form);
        tcsi_alloc_trace_end();
        if (peak > tcsi_sequence_size_max(row_counts[i], 2, 0))
            fail_msg("%zu rows: %zu bytes, declared %zu", row_counts[i], peak, tcsi_sequence_size_max(row_counts[i], 2, 0));
        tcsi_frame_destroy(frame);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_rows_become_steps),
              cmocka_unit_test(test_facts_stand_in_every_step_and_a_window_is_taken_on_trust),
              cmocka_unit_test(test_missing_values_repeat_the_last),
              cmocka_unit_test(test_missing_values_of_a_table_are_the_mean),
              cmocka_unit_test(test_expand_puts_steps_in_the_middle_of_their_rows),
              cmocka_unit_test(test_holds_what_it_says))
