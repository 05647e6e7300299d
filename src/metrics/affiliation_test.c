/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "metrics/affiliation.h"

enum { ROWS = 60, CELLS = 8 };

/* The defining probabilities, taken at the midpoints of cells of 1/8 row: exact, as they are linear between multiples of 1/4. */
static double farther_than(double d, double begin, double end, double e0, double e1)
{
    if (d <= 0.0) return 1.0;
    return 1.0 - (fmin(end + d, e1) - fmax(begin - d, e0)) / (e1 - e0);
}

static tcsi_affiliation slow_affiliation(const tcsi_decision *decision)
{
    const tcsi_span *events = decision->events;
    double precision = 0.0, recall = 0.0, zones = 0.0;
    for (size_t k = 0; k < decision->event_count; k++) {
        double j0 = (double)events[k].begin, j1 = (double)events[k].end, e0 = 0.0, e1 = (double)decision->row_count;
        if (k > 0) e0 = ((double)events[k - 1].end + j0) / 2.0;
        if (k + 1 < decision->event_count) e1 = (j1 + (double)events[k + 1].begin) / 2.0;
        double sum = 0.0, count = 0.0, event_sum = 0.0;
        for (size_t cell = 0; cell < decision->row_count * CELLS; cell++) {
            double x = ((double)cell + 0.5) / CELLS, nearest = INFINITY;
            if (x < e0 || x > e1) continue;
            for (size_t a = 0; a < decision->alarm_count; a++) {
                double begin = fmax(e0, (double)decision->alarms[a].begin), end = fmin(e1, (double)decision->alarms[a].end);
                if (begin < end) nearest = fmin(nearest, fmax(0.0, fmax(begin - x, x - end)));
            }
            if (nearest == 0.0) {
                sum += farther_than(fmax(j0 - x, x - j1), j0, j1, e0, e1);
                count += 1.0;
            }
            if (x > j0 && x < j1 && nearest < INFINITY) event_sum += farther_than(nearest, x, x, e0, e1);
        }
        recall += event_sum / ((j1 - j0) * CELLS) / (double)decision->event_count;
        if (count > 0.0) precision += sum / count, zones += 1.0;
    }
    return (tcsi_affiliation){ zones > 0.0 ? precision / zones : NAN, recall };
}

static void test_equal_to_the_definition(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 0);
        uint8_t labels[ROWS], flags[ROWS];
        double in_event = tcsi_rng_range(&rng, 0.02, 0.6), in_alarm = tcsi_rng_range(&rng, 0.0, 0.6);
        for (size_t i = 0; i < ROWS; i++) {
            labels[i] = tcsi_rng_uniform(&rng) < in_event;
            flags[i] = tcsi_rng_uniform(&rng) < in_alarm;
        }
        labels[ROWS / 3] = 1;
        tcsi_span_list events = { 0 }, alarms = { 0 };
        assert_ok(tcsi_span_list_from_flags(labels, ROWS, &events, test_err));
        assert_ok(tcsi_span_list_from_flags(flags, ROWS, &alarms, test_err));
        tcsi_decision decision = { ROWS, events.spans, events.count, alarms.spans, alarms.count };
        tcsi_affiliation fast = tcsi_affiliation_compute(&decision), slow = slow_affiliation(&decision);
        assert_near(slow.precision, fast.precision, 1e-12);
        assert_near(slow.recall, fast.recall, 1e-12);
        tcsi_span_list_deinit(&events);
        tcsi_span_list_deinit(&alarms);
    }
}

/* Squares of row numbers near 1e9 would lose the digits that distances from the zone's edge keep. */
static void test_far_from_row_0(void **state)
{
    (void)state;
    size_t shift = 1000000000;
    tcsi_span events[] = { { 0, shift - 40 }, { shift + 20, shift + 30 }, { shift + 80, shift + 90 } };
    tcsi_span alarms[] = { { 0, shift - 40 }, { shift + 33, shift + 37 }, { shift + 80, shift + 90 } };
    tcsi_affiliation far = tcsi_affiliation_compute(&(tcsi_decision){ shift + 100, events, 3, alarms, 3 });
    /* the middle zone is [shift - 10, shift + 55]: the same as this one, alone on 65 rows */
    tcsi_span event = { 30, 40 }, alarm = { 43, 47 };
    tcsi_affiliation one = tcsi_affiliation_compute(&(tcsi_decision){ 65, &event, 1, &alarm, 1 });
    assert_near((2.0 + one.precision) / 3.0, far.precision, 1e-12);
    assert_near((2.0 + one.recall) / 3.0, far.recall, 1e-12);
}

static void test_nothing(void **state)
{
    (void)state;
    tcsi_span span = { 3, 5 };
    tcsi_affiliation silent = tcsi_affiliation_compute(&(tcsi_decision){ 10, &span, 1, NULL, 0 });
    assert_true(isnan(silent.precision) && silent.recall == 0.0);
    assert_near(0.0, tcsi_affiliation_f1(&silent), 0.0);
    tcsi_affiliation no_event = tcsi_affiliation_compute(&(tcsi_decision){ 10, NULL, 0, &span, 1 });
    assert_true(isnan(no_event.precision) && isnan(no_event.recall) && isnan(tcsi_affiliation_f1(&no_event)));
    tcsi_span all = { 0, 10 };
    tcsi_affiliation whole = tcsi_affiliation_compute(&(tcsi_decision){ 10, &all, 1, &span, 1 });
    assert_near(1.0, whole.precision, 0.0);
    assert_true(whole.recall > 0.0 && whole.recall < 1.0);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equal_to_the_definition), cmocka_unit_test(test_far_from_row_0), cmocka_unit_test(test_nothing))
