/* serve/ingest/rate_test.c -- rates, restarts, gaps and numbers at the edge; which names count.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "serve/ingest/rate.h"
#include "series/time.h"

#include <float.h>

static double stale(void)
{
    double value;
    memcpy(&value, &(uint64_t){ TCSI_STALE_BITS }, sizeof value);
    return value;
}

/* NaN: it gave nothing. */
static double push(tcsi_rate *rate, double time_s, double value)
{
    double per_s = NAN;
    bool given = tcsi_rate_push(rate, (int64_t)(time_s * 1e9), value, &per_s);
    assert_int_equal(given, !isnan(per_s));
    return per_s;
}

static void test_rates(void **state)
{
    (void)state;
    tcsi_rate rate;
    assert_true(sizeof rate <= 24);
    tcsi_rate_begin(&rate);
    assert_near(NAN, push(&rate, 10, 100), 0);
    assert_near(2.0, push(&rate, 25, 130), 0);
    assert_near(0.0, push(&rate, 40, 130), 0);
    assert_near(NAN, push(&rate, 40, 140), 0); /* the same time again */
    assert_near(NAN, push(&rate, 30, 990), 0); /* back in time: neither counts */
    assert_near(NAN, push(&rate, 41, NAN), 0);
    assert_near(NAN, push(&rate, 42, INFINITY), 0);
    assert_near(1.0, push(&rate, 50, 140), 0);
    assert_near(0.7, push(&rate, 60, 7), 1e-15); /* restarted: 7 since */
    assert_near(NAN, push(&rate, 70, stale()), 0);
    assert_near(NAN, push(&rate, 80, 500), 0);
    assert_near(1.0, push(&rate, 90, 510), 0);
}

static void test_edges(void **state)
{
    (void)state;
    tcsi_rate rate;
    double per_s = 5;
    tcsi_rate_begin(&rate);
    assert_false(tcsi_rate_push(&rate, INT64_MIN, 0, &per_s));
    assert_true(tcsi_rate_push(&rate, INT64_MAX, 18446744073.0, &per_s)); /* 2^64 ns */
    assert_near(1.0, per_s, 1e-9);
    tcsi_rate_begin(&rate);
    assert_false(tcsi_rate_push(&rate, 0, -DBL_MAX, &per_s));
    assert_false(tcsi_rate_push(&rate, 1, DBL_MAX, &per_s)); /* infinite: nothing */
    assert_true(tcsi_rate_push(&rate, 2, DBL_MAX, &per_s));  /* and goes on from there */
    assert_near(0.0, per_s, 0);
    per_s = 5;
    assert_false(tcsi_rate_of_delta(1, 10, 10, &per_s));
    assert_false(tcsi_rate_of_delta(1, 10, 9, &per_s));
    assert_false(tcsi_rate_of_delta(1, 0, 0, &per_s));
    assert_false(tcsi_rate_of_delta(NAN, 0, 5, &per_s));
    assert_near(5.0, per_s, 0);
    assert_true(tcsi_rate_of_delta(-30, 0, 60 * TCSI_NS_PER_S, &per_s));
    assert_near(-0.5, per_s, 0);
}

/* Rates times the times between them add up to what was counted, however often the process restarted. */
static void test_nothing_is_lost(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(2, 0);
    tcsi_rate rate;
    tcsi_rate_begin(&rate);
    double counter = 0, counted = 0, sum = 0, per_s, last_s = 0;
    assert_false(tcsi_rate_push(&rate, 0, 0, &per_s));
    for (int i = 1; i < 5000; i++) {
        double added = (double)tcsi_rng_below(&rng, 1000), time_s = last_s + 1 + (double)tcsi_rng_below(&rng, 30);
        counter = tcsi_rng_below(&rng, 50) == 0 && added < counter ? added : counter + added;
        counted += added;
        assert_true(tcsi_rate_push(&rate, (int64_t)time_s * TCSI_NS_PER_S, counter, &per_s));
        sum += per_s * (time_s - last_s);
        last_s = time_s;
    }
    assert_near(counted, sum, 1e-9);
}

static void test_names_that_count(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        tcsi_series_kind stated, kind;
    } cases[] = {
        { "a_total", TCSI_SERIES_UNSTATED, TCSI_SERIES_COUNTER }, { "a_count", TCSI_SERIES_UNSTATED, TCSI_SERIES_COUNTER },
        { "a_sum", TCSI_SERIES_UNSTATED, TCSI_SERIES_COUNTER },   { "a_bucket", TCSI_SERIES_UNSTATED, TCSI_SERIES_COUNTER },
        { "_total", TCSI_SERIES_UNSTATED, TCSI_SERIES_GAUGE },    { "total", TCSI_SERIES_UNSTATED, TCSI_SERIES_GAUGE },
        { "a_totals", TCSI_SERIES_UNSTATED, TCSI_SERIES_GAUGE },  { "a_total", TCSI_SERIES_GAUGE, TCSI_SERIES_GAUGE },
        { "a", TCSI_SERIES_COUNTER, TCSI_SERIES_COUNTER },        { "a_total", TCSI_SERIES_RATE, TCSI_SERIES_RATE },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_key key;
        tcsi_key_begin(&key);
        tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), cases[i].name, strlen(cases[i].name));
        assert_int_equal(tcsi_rate_kind(cases[i].stated, &key), cases[i].kind);
    }
    tcsi_key nameless;
    tcsi_key_begin(&nameless);
    tcsi_key_add(&nameless, "a_total", 7, "a_total", 7);
    assert_int_equal(tcsi_rate_kind(TCSI_SERIES_UNSTATED, &nameless), TCSI_SERIES_GAUGE);
}

TCS_TEST_MAIN(cmocka_unit_test(test_rates), cmocka_unit_test(test_edges), cmocka_unit_test(test_nothing_is_lost),
              cmocka_unit_test(test_names_that_count))
