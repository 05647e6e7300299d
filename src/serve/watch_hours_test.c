/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "serve/watch_hours.h"

#include <math.h>
#include <string.h>

static const int64_t HOUR_NS = TCSI_WATCH_HOUR_NS, MINUTE_NS = INT64_C(60000000000);
static const int64_t START_NS = INT64_C(472222) * TCSI_WATCH_HOUR_NS; /* in November 2023 */
static tcsi_store *store;

static int open_store(void **state)
{
    (void)state;
    tcs_error err;
    return tcsi_store_open("", &(tcsi_store_options){ .scratch = true }, &store, &err) == TCS_OK ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    tcsi_store_close(store);
    return 0;
}

/* A look that knows calibration and precision; NaN: not. */
static void keep(int64_t now_ns, double calibration, double precision, double bound)
{
    tcsi_watched watched[TCSI_WATCH_COUNT];
    for (size_t i = 0; i < TCSI_WATCH_COUNT; i++) watched[i] = (tcsi_watched){ .figure = (tcsi_watch_figure)i, .value = NAN, .bound = NAN };
    watched[TCSI_WATCH_CALIBRATION].value = calibration;
    watched[TCSI_WATCH_CALIBRATION].bound = bound;
    watched[TCSI_WATCH_PRECISION].value = precision;
    watched[TCSI_WATCH_PRECISION].bound = 0.3;
    assert_ok(tcsi_watch_hours_keep(store, watched, now_ns, test_err));
}

typedef struct hours {
    tcsi_watch_hour newest, oldest;
    size_t count;
} hours;

static bool take_hour(void *context, const tcsi_store_record *record)
{
    hours *h = context;
    assert_ok(tcsi_watch_hour_read(record, &h->oldest, test_err));
    assert_true(record->begin_ns == h->oldest.begin_ns && record->end_ns == record->begin_ns + HOUR_NS - 1 && record->series_id == 0);
    if (h->count++ == 0) h->newest = h->oldest;
    return true;
}

static hours list(void)
{
    hours h = { .count = 0 };
    assert_ok(tcsi_store_record_list(store, &(tcsi_store_record_query){ .kind = TCSI_STORE_WATCH }, take_hour, &h, test_err));
    return h;
}

static void test_looks_of_an_hour_are_one_record(void **state)
{
    (void)state;
    keep(START_NS, 0.01, NAN, 0.02);
    keep(START_NS + MINUTE_NS, 0.04, 0.5, 0.02);
    keep(START_NS + HOUR_NS - 1, 0.01, NAN, 0.03);
    const hours h = list();
    const tcsi_watch_spread *calibration = &h.newest.spreads[TCSI_WATCH_CALIBRATION], *precision = &h.newest.spreads[TCSI_WATCH_PRECISION];
    assert_int_equal(h.count, 1);
    assert_true(h.newest.begin_ns == START_NS);
    assert_int_equal(calibration->count, 3);
    assert_true(calibration->least == 0.01 && calibration->greatest == 0.04 && fabs(calibration->mean - 0.02) < 1e-15);
    assert_true(calibration->bound == 0.03); /* the last one */
    assert_int_equal(precision->count, 1);
    assert_true(precision->least == 0.5 && precision->mean == 0.5 && precision->greatest == 0.5 && precision->bound == 0.3);
    assert_int_equal(h.newest.spreads[TCSI_WATCH_LATENCY].count, 0);
    assert_true(isnan(h.newest.spreads[TCSI_WATCH_LATENCY].mean));
}

static void test_the_next_hour_is_another(void **state)
{
    (void)state;
    keep(START_NS, 0.01, NAN, 0.02);
    keep(START_NS + HOUR_NS, 0.05, NAN, 0.02);
    const hours h = list();
    assert_int_equal(h.count, 2);
    assert_true(h.newest.begin_ns == START_NS + HOUR_NS && h.newest.spreads[TCSI_WATCH_CALIBRATION].mean == 0.05);
    assert_true(h.oldest.begin_ns == START_NS && h.oldest.spreads[TCSI_WATCH_CALIBRATION].mean == 0.01);
}

static void test_nothing_known_changes_nothing(void **state)
{
    (void)state;
    keep(START_NS, NAN, NAN, 0.02);
    assert_int_equal(list().count, 0);
    keep(START_NS, INFINITY, NAN, 0.02);
    assert_int_equal(list().count, 0);
}

/* Each hour for half a year: no more than 90 days are ever there, and the present hour. */
static void test_what_is_old_goes(void **state)
{
    (void)state;
    const int64_t kept = TCSI_WATCH_HOURS_DAYS * 24;
    for (int64_t i = 0; i < 2 * kept; i++) keep(START_NS + i * HOUR_NS, 0.01, NAN, 0.02);
    const hours h = list();
    assert_int_equal(h.count, kept + 1);
    assert_true(h.newest.begin_ns == START_NS + (2 * kept - 1) * HOUR_NS && h.oldest.begin_ns == h.newest.begin_ns - kept * HOUR_NS);
}

static bool count_record(void *context, const tcsi_store_record *record)
{
    (void)record;
    ++*(size_t *)context;
    return true;
}

/* After a long stop what is old goes in portions, a portion an hour, and other kinds of records stay. */
static void test_a_long_stop_is_caught_up_with(void **state)
{
    (void)state;
    const int64_t back_ns = START_NS + 400 * 24 * HOUR_NS;
    const tcsi_store_record episode = { .kind = TCSI_STORE_EPISODE, .id = "anomaly-1", .begin_ns = START_NS, .end_ns = START_NS,
                                        .document = "{}" };
    assert_ok(tcsi_store_record_put(store, &episode, test_err));
    for (int64_t i = 0; i < 100; i++) keep(START_NS + i * HOUR_NS, 0.01, NAN, 0.02);
    keep(back_ns, 0.01, NAN, 0.02);
    assert_true(list().count < 100);
    keep(back_ns + HOUR_NS, 0.01, NAN, 0.02);
    assert_int_equal(list().count, 2);
    size_t episode_count = 0;
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE };
    assert_ok(tcsi_store_record_list(store, &query, count_record, &episode_count, test_err));
    assert_int_equal(episode_count, 1);
}

static void test_one_that_is_damaged_is_begun_anew(void **state)
{
    (void)state;
    const tcsi_store_record damaged = { .kind = TCSI_STORE_WATCH, .id = "1699999200", .begin_ns = START_NS,
                                        .end_ns = START_NS + HOUR_NS - 1, .document = "{\"calibration\":" };
    assert_true(START_NS / 1000000000 == 1699999200);
    assert_ok(tcsi_store_record_put(store, &damaged, test_err));
    keep(START_NS, 0.01, NAN, 0.02);
    const hours h = list();
    assert_int_equal(h.count, 1);
    assert_int_equal(h.newest.spreads[TCSI_WATCH_CALIBRATION].count, 1);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)
TCS_TEST_MAIN(EACH(test_looks_of_an_hour_are_one_record),
              EACH(test_the_next_hour_is_another),
              EACH(test_nothing_known_changes_nothing),
              EACH(test_what_is_old_goes),
              EACH(test_a_long_stop_is_caught_up_with),
              EACH(test_one_that_is_damaged_is_begun_anew))
