/* serve/ingest/arrival_test.c -- each outcome, its edges, and against a set that remembers everything.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "serve/ingest/arrival.h"

static const tcsi_arrival_limits limits = { .window_ns = 100, .ahead_ns = 50 };

static void expect(tcsi_arrival *arrival, int64_t time_ns, int64_t receive_ns, tcsi_outcome outcome)
{
    assert_int_equal(tcsi_arrival_push(arrival, &limits, time_ns, receive_ns), outcome);
}

static void test_each_outcome(void **state)
{
    (void)state;
    tcsi_arrival arrival;
    assert_true(sizeof arrival == 32);
    tcsi_arrival_begin(&arrival);
    expect(&arrival, 1000, 1000, TCSI_OUTCOME_ACCEPTED);
    expect(&arrival, 1000, 1000, TCSI_OUTCOME_DUPLICATE);
    expect(&arrival, 1050, 1000, TCSI_OUTCOME_ACCEPTED);
    expect(&arrival, 1101, 1050, TCSI_OUTCOME_TOO_FAR_AHEAD);
    expect(&arrival, 1051, 1050, TCSI_OUTCOME_ACCEPTED); /* the wrong clock changed nothing */
    expect(&arrival, 951, 1050, TCSI_OUTCOME_REORDERED);
    expect(&arrival, 951, 1050, TCSI_OUTCOME_DUPLICATE);
    expect(&arrival, 950, 1050, TCSI_OUTCOME_TOO_OLD);
    expect(&arrival, 1040, 1050, TCSI_OUTCOME_REORDERED); /* 951 is remembered no more */
    expect(&arrival, 951, 1050, TCSI_OUTCOME_TOO_OLD);
    expect(&arrival, 999, 1050, TCSI_OUTCOME_TOO_OLD); /* within the window, but nobody knows whether it came before */
    expect(&arrival, 1000, 1050, TCSI_OUTCOME_DUPLICATE);
    expect(&arrival, 5000, 9000, TCSI_OUTCOME_ACCEPTED);
}

static void test_edges_of_time(void **state)
{
    (void)state;
    tcsi_arrival arrival;
    tcsi_arrival_begin(&arrival);
    expect(&arrival, INT64_MIN, 0, TCSI_OUTCOME_TIME_INVALID);
    expect(&arrival, INT64_MIN + 1, 0, TCSI_OUTCOME_ACCEPTED);
    expect(&arrival, INT64_MAX, INT64_MIN, TCSI_OUTCOME_TOO_FAR_AHEAD);
    expect(&arrival, INT64_MAX, INT64_MAX - 50, TCSI_OUTCOME_ACCEPTED);
    expect(&arrival, 0, INT64_MAX, TCSI_OUTCOME_TOO_OLD);
    tcsi_arrival_limits d = tcsi_arrival_limits_default();
    assert_true(d.window_ns == INT64_C(60000000000) && d.ahead_ns == INT64_C(300000000000));
}

/* No stamp is ever taken twice, and what is newest is always taken. */
static void test_against_a_set(void **state)
{
    (void)state;
    enum { TIMES = 4000 };
    static bool taken[TIMES];
    tcsi_rng rng = tcsi_rng_make(9, 0);
    tcsi_arrival arrival;
    tcsi_arrival_begin(&arrival);
    int64_t newest = -1;
    size_t counts[TCSI_OUTCOME_COUNT] = { 0 };
    for (int i = 0; i < 30000; i++) {
        int64_t time = i / 10 + (int64_t)tcsi_rng_below(&rng, 160) - 80;
        if (time < 0) continue;
        tcsi_outcome outcome = tcsi_arrival_push(&arrival, &limits, time, i / 10);
        counts[outcome]++;
        bool is_taken = outcome == TCSI_OUTCOME_ACCEPTED || outcome == TCSI_OUTCOME_REORDERED;
        if (time > i / 10 + 50) assert_int_equal(outcome, TCSI_OUTCOME_TOO_FAR_AHEAD);
        else if (time > newest) assert_int_equal(outcome, TCSI_OUTCOME_ACCEPTED);
        else assert_int_not_equal(outcome, TCSI_OUTCOME_ACCEPTED);
        if (outcome == TCSI_OUTCOME_REORDERED) assert_true(newest - time <= 100);
        if (outcome == TCSI_OUTCOME_DUPLICATE) assert_true(taken[time]);
        if (is_taken) assert_false(taken[time]);
        if (is_taken) taken[time] = true;
        if (is_taken && time > newest) newest = time;
    }
    assert_true(counts[TCSI_OUTCOME_ACCEPTED] > 100 && counts[TCSI_OUTCOME_REORDERED] > 100 && counts[TCSI_OUTCOME_DUPLICATE] > 100);
    assert_true(counts[TCSI_OUTCOME_TOO_OLD] > 100 && counts[TCSI_OUTCOME_TOO_FAR_AHEAD] > 100);
}

TCS_TEST_MAIN(cmocka_unit_test(test_each_outcome), cmocka_unit_test(test_edges_of_time), cmocka_unit_test(test_against_a_set))
