/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "series/cadence.h"
#include "series/stats.h"
#include "series/time.h"
#include "simulate/pump.h"

enum { FLOW_IN, FLOW_OUT, TANK_LEVEL, PRESSURE, MOTOR_CURRENT, BEARING_TEMPERATURE, VIBRATION };

static tcsi_frame *simulate(tcsi_pump_options options, tcsi_event **ret_events, size_t *ret_count)
{
    tcsi_frame *frame = NULL;
    *ret_count = 0;
    assert_ok(tcsi_pump_simulate(&options, &frame, ret_events, ret_count, test_err));
    return frame;
}

static void test_shape_and_labels(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        tcsi_pump_options options = tcsi_pump_options_default();
        options.seed = seed;
        tcsi_event *events;
        size_t count, labelled = 0, inside = 0;
        tcsi_frame *frame = simulate(options, &events, &count);
        assert_int_equal(count, 6);
        assert_int_equal(frame->row_count, 20160 - 25);
        assert_string_equal(frame->channels[PRESSURE].name, "pressure");
        assert_string_equal(frame->channels[VIBRATION].unit, "mm/s");
        for (size_t i = 0; i < frame->row_count; i++) labelled += frame->labels[i];
        for (size_t k = 0; k < count; k++) {
            assert_true(events[k].onset < events[k].end && events[k].end < frame->row_count && events[k].channels != 0);
            assert_true(events[k].onset > frame->row_count * 28 / 100);
            assert_true(k == 0 || events[k].onset > events[k - 1].end);
            for (size_t i = events[k].onset; i < events[k].end; i++) inside += frame->labels[i];
            assert_false(frame->labels[events[k].onset - 1] || frame->labels[events[k].end]);
        }
        assert_int_equal(labelled, inside);
        assert_true(labelled > 200 && labelled < frame->row_count / 5);
        for (size_t c = 0; c < 7; c++) {
            tcsi_moments m = tcsi_moments_of(tcsi_frame_column(frame, c), frame->row_count);
            assert_true(m.count > 20000 && m.count < frame->row_count && m.minimum >= 0 && m.variance > 0 && m.maximum < 200);
        }
        tcsi_moments level = tcsi_moments_of(tcsi_frame_column(frame, TANK_LEVEL), frame->row_count);
        assert_true(level.minimum > 0.3 && level.maximum < 5.9); /* the controller works: the tank neither runs dry nor over */
        tcsi_free(events);
        tcsi_frame_destroy(frame);
    }
}

static void test_same_seed_same_bits(void **state)
{
    (void)state;
    tcsi_pump_options options = tcsi_pump_options_default();
    options.row_count = 3000;
    tcsi_event *events, *again_events;
    size_t count, again_count;
    tcsi_frame *frame = simulate(options, &events, &count), *again = simulate(options, &again_events, &again_count);
    for (size_t c = 0; c < 7; c++)
        assert_memory_equal(tcsi_frame_column(frame, c), tcsi_frame_column(again, c), frame->row_count * sizeof(double));
    assert_memory_equal(frame->labels, again->labels, frame->row_count);
    tcsi_free(again_events);
    tcsi_frame_destroy(again);
    options.seed = 2;
    again = simulate(options, &again_events, &again_count);
    assert_memory_not_equal(tcsi_frame_column(frame, 0), tcsi_frame_column(again, 0), 100 * sizeof(double));
    tcsi_free(events);
    tcsi_free(again_events);
    tcsi_frame_destroy(frame);
    tcsi_frame_destroy(again);
}

/* Without events the rows before the first one are the same bits; inside each one its channels move away. */
static void test_events_against_their_counterfactual(void **state)
{
    (void)state;
    tcsi_pump_options options = tcsi_pump_options_default();
    tcsi_event *events, *none;
    size_t count, none_count;
    tcsi_frame *frame = simulate(options, &events, &count);
    options.has_events = false;
    tcsi_frame *calm = simulate(options, &none, &none_count);
    assert_int_equal(none_count, 0);
    for (size_t c = 0; c < 7; c++)
        assert_memory_equal(tcsi_frame_column(frame, c), tcsi_frame_column(calm, c), events[0].onset * sizeof(double));
    for (size_t i = 0; i < calm->row_count; i++) assert_false(calm->labels[i]);
    for (size_t k = 0; k < count; k++)
        for (size_t c = 0; c < 7; c++) {
            if (!(events[k].channels >> c & 1)) continue;
            const double *x = tcsi_frame_column(frame, c), *y = tcsi_frame_column(calm, c);
            double largest = 0;
            for (size_t i = events[k].onset; i < events[k].end; i++)
                if (!isnan(x[i])) largest = fmax(largest, fabs(x[i] - y[i]));
            static const double visible[] = { 3, 10, 0.02, 0.1, 0.5, 1, 0.5 };
            if (largest < visible[c]) fail_msg("%s moves channel %zu by only %g", events[k].name, c, largest);
        }
    tcsi_free(events);
    tcsi_free(none);
    tcsi_frame_destroy(frame);
    tcsi_frame_destroy(calm);
}

/* area x change of level = inflow - outflow over each calm hour, within the sensors' noise. */
static void test_mass_balance(void **state)
{
    (void)state;
    tcsi_pump_options options = tcsi_pump_options_default();
    options.has_events = options.has_missing = false;
    tcsi_event *events;
    size_t count;
    tcsi_frame *frame = simulate(options, &events, &count);
    const double *in = tcsi_frame_column(frame, FLOW_IN), *out = tcsi_frame_column(frame, FLOW_OUT);
    const double *level = tcsi_frame_column(frame, TANK_LEVEL);
    for (size_t begin = 0; begin + 60 < frame->row_count; begin += 60) {
        double balance = 0;
        for (size_t i = begin + 1; i <= begin + 60; i++) balance += (in[i] - out[i]) / 60;
        assert_true(fabs(180 * (level[begin + 60] - level[begin]) - balance) < 5);
    }
    tcsi_free(events);
    tcsi_frame_destroy(frame);
}

static void test_gap_and_cadence(void **state)
{
    (void)state;
    static const int64_t cadences_s[] = { 1, 10, 60, 300, 3600 };
    for (size_t k = 0; k < TCS_COUNT(cadences_s); k++) {
        tcsi_pump_options options = tcsi_pump_options_default();
        options.row_count = 2000;
        options.cadence_ns = cadences_s[k] * TCSI_NS_PER_S;
        tcsi_event *events;
        size_t count;
        tcsi_cadence cadence = { 0 };
        tcsi_frame *frame = simulate(options, &events, &count);
        assert_int_equal(count, 6);
        assert_ok(tcsi_cadence_of(frame->times_ns, frame->row_count, &cadence, NULL, 0, test_err));
        assert_int_equal(cadence.step_ns, options.cadence_ns);
        assert_true(cadence.gap_count == 1 && cadence.missing_count == 25);
        tcsi_free(events);
        tcsi_frame_destroy(frame);
    }
}

static void test_odd_options(void **state)
{
    (void)state;
    tcsi_frame *frame;
    tcsi_event *events;
    size_t count;
    tcs_error err;
    tcsi_pump_options options = tcsi_pump_options_default();
    options.row_count = 0;
    assert_int_equal(tcsi_pump_simulate(&options, &frame, &events, &count, &err), TCS_E_INVALID);
    options.row_count = 1;
    frame = simulate(options, &events, &count);
    assert_true(frame->row_count == 1 && count == 0);
    tcsi_free(events);
    tcsi_frame_destroy(frame);
    options.cadence_ns = 5;
    assert_int_equal(tcsi_pump_simulate(&options, &frame, &events, &count, &err), TCS_E_INVALID);
    options = tcsi_pump_options_default();
    options.begin_ns = INT64_MAX - 1;
    assert_int_equal(tcsi_pump_simulate(&options, &frame, &events, &count, &err), TCS_E_INVALID);
    options.begin_ns = INT64_MIN;
    options.row_count = 700;
    frame = simulate(options, &events, &count);
    assert_int_equal(count, 6);
    tcsi_free(events);
    tcsi_frame_destroy(frame);
}

static void test_without_memory(void **state)
{
    (void)state;
    tcsi_pump_options options = tcsi_pump_options_default();
    options.row_count = 50;
    for (size_t at = 1;; at++) {
        tcsi_frame *frame = NULL;
        tcsi_event *events = NULL;
        size_t count;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcsi_pump_simulate(&options, &frame, &events, &count, &err);
        tcsi_alloc_trace_fail_at(0);
        if (status == TCS_OK) {
            tcsi_free(events);
            tcsi_frame_destroy(frame);
        }
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_true(at < 100);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_shape_and_labels), cmocka_unit_test(test_same_seed_same_bits),
              cmocka_unit_test(test_events_against_their_counterfactual), cmocka_unit_test(test_mass_balance),
              cmocka_unit_test(test_gap_and_cadence), cmocka_unit_test(test_odd_options), cmocka_unit_test(test_without_memory))
