/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "serve/watch.h"

#include <math.h>

static const int64_t MINUTE_NS = INT64_C(60000000000), START_NS = INT64_C(1700000000000000000);

typedef struct heard {
    size_t counts[TCSI_WATCH_COUNT];
    tcsi_watch_state last[TCSI_WATCH_COUNT];
    char sentence[TCSI_WATCH_SENTENCE_SIZE];
} heard;

static void on_tell(void *self, const tcsi_watched *watched, const char *sentence, int64_t now_ns)
{
    heard *h = self;
    assert_true(now_ns == watched->since_ns);
    h->counts[watched->figure]++;
    h->last[watched->figure] = watched->state;
    snprintf(h->sentence, sizeof h->sentence, "%s", sentence);
}

/* A minute of a service in order: 64,000 rows, of which 1,000 are looked at. */
static void add_minute(tcsi_watch_sample *s, size_t minute)
{
    s->time_ns = START_NS + (int64_t)minute * MINUTE_NS;
    s->alarms_per_s = 24.0 / 86400;
    s->live.outcomes[TCSI_OUTCOME_ACCEPTED] += 64000;
    s->live.latencies[40] += 64000; /* a millisecond */
    s->live.pulse.sample_count += 1000;
    s->live.pulse.low_count += 10;
    for (size_t i = 0; i < TCSI_PULSE_BINS; i++) {
        s->live.pulse.heights[i] += 100;
        s->live.pulse.distances[i] += 100;
    }
    if (minute % 60 == 0) s->alarms++;
}

static size_t breached(tcsi_watch *watch)
{
    size_t count = 0;
    for (int i = 0; i < TCSI_WATCH_COUNT; i++) count += tcsi_watch_read(watch, (tcsi_watch_figure)i).state == TCSI_WATCH_BREACHED;
    return count;
}

typedef struct trouble {
    tcsi_watch_figure figure;
    void (*add)(tcsi_watch_sample *s);
} trouble;

static void add_alarms(tcsi_watch_sample *s) { s->alarms += 10; }
static void add_low(tcsi_watch_sample *s) { s->live.pulse.low_count += 200; }
static void add_heights(tcsi_watch_sample *s) { s->live.pulse.heights[TCSI_PULSE_BINS - 1] += 3000; }
static void add_distances(tcsi_watch_sample *s) { s->live.pulse.distances[0] += 3000; }
static void add_refused(tcsi_watch_sample *s) { s->live.outcomes[TCSI_OUTCOME_TOO_OLD] += 40000; }
static void add_slow(tcsi_watch_sample *s) { s->live.latencies[80] += 40000; }
static void add_false(tcsi_watch_sample *s) { s->answered_false += 5; }
static void add_unconfirmed(tcsi_watch_sample *s) { s->deep_asked += 200; s->deep_unconfirmed += 190; }

static const trouble troubles[] = {
    { TCSI_WATCH_ALARMS, add_alarms },           { TCSI_WATCH_CALIBRATION, add_low },     { TCSI_WATCH_SCORE_DRIFT, add_heights },
    { TCSI_WATCH_INPUT_DRIFT, add_distances },   { TCSI_WATCH_MISSING, add_refused },     { TCSI_WATCH_LATENCY, add_slow },
    { TCSI_WATCH_PRECISION, add_false },         { TCSI_WATCH_UNCONFIRMED, add_unconfirmed },
};

/* Two days in order tell nothing; then one thing goes wrong for an hour, and is told once; and it is told once that it is over. */
static void test_each_trouble_is_told_once(void **state)
{
    (void)state;
    for (size_t k = 0; k < TCS_COUNT(troubles); k++) {
        heard h = { .sentence = "" };
        tcsi_watch *watch;
        tcsi_watch_sample *s = TCSI_NEW_ZEROS(tcsi_watch_sample, 1);
        const tcsi_watch_options options = { .tell = on_tell, .self = &h };
        const tcsi_watch_figure figure = troubles[k].figure;
        const tcsi_watch_row *row = &tcsi_watch_rows[figure];
        size_t minute = 0, told = 0;
        assert_non_null(s);
        assert_ok(tcsi_watch_create(&options, &watch, test_err));
        assert_int_equal(tcsi_watch_read(watch, figure).state, TCSI_WATCH_UNKNOWN);
        for (; minute < 48 * 60; minute++) {
            add_minute(s, minute);
            tcsi_watch_take(watch, s);
            assert_int_equal(breached(watch), 0);
        }
        for (const size_t end = minute + 60; minute < end; minute++) {
            add_minute(s, minute);
            troubles[k].add(s);
            tcsi_watch_take(watch, s);
        }
        assert_int_equal(tcsi_watch_read(watch, figure).state, TCSI_WATCH_BREACHED);
        assert_int_equal(h.counts[figure], 1);
        assert_non_null(strstr(h.sentence, row->runbook));
        if (figure == TCSI_WATCH_PRECISION) s->answered_true = 1000;
        for (const size_t end = minute + 27 * 60; minute < end; minute++) {
            add_minute(s, minute);
            if (figure == TCSI_WATCH_UNCONFIRMED) s->deep_asked += 200;
            tcsi_watch_take(watch, s);
        }
        assert_int_equal(breached(watch), 0);
        for (int i = 0; i < TCSI_WATCH_COUNT; i++) told += h.counts[i];
        assert_int_equal(h.counts[figure], 2);
        assert_int_equal(told, 2);
        tcsi_watch_destroy(watch);
        tcsi_free(s);
    }
}

/* A blip of two samples is nothing, and so is a service that hardly does anything. */
static void test_blips_and_quiet(void **state)
{
    (void)state;
    heard h = { .sentence = "" };
    tcsi_watch *watch;
    tcsi_watch_sample *s = TCSI_NEW_ZEROS(tcsi_watch_sample, 1);
    const tcsi_watch_options options = { .tell = on_tell, .self = &h };
    assert_non_null(s);
    assert_ok(tcsi_watch_create(&options, &watch, test_err));
    for (size_t minute = 0; minute < 200; minute++) {
        s->time_ns = START_NS + (int64_t)minute * MINUTE_NS;
        s->live.outcomes[TCSI_OUTCOME_TOO_OLD] += 1; /* all refused, but hardly any */
        tcsi_watch_take(watch, s);
    }
    for (int i = 0; i < TCSI_WATCH_COUNT; i++) assert_int_equal(tcsi_watch_read(watch, (tcsi_watch_figure)i).state, TCSI_WATCH_UNKNOWN);
    assert_string_equal(h.sentence, "");
    tcsi_watch_destroy(watch);
    tcsi_watch_destroy(NULL);
    tcsi_free(s);
}

static void test_distance_of_distributions(void **state)
{
    (void)state;
    const uint64_t even[TCSI_PULSE_BINS] = { 100, 100, 100, 100, 100, 100, 100, 100, 100, 100 };
    const uint64_t more[TCSI_PULSE_BINS] = { 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000 };
    const uint64_t moved[TCSI_PULSE_BINS] = { 0, 0, 0, 0, 0, 200, 200, 200, 200, 200 };
    assert_true(tcsi_pulse_distance(even, more) < 1e-6);
    /* 5 bins of 0.5 / 1005 against 100.5 / 1005, 5 of 200.5 / 1005: sum (p - q) ln(p / q) */
    const double expected = 5 * ((0.5 - 100.5) / 1005 * log(0.5 / 100.5)) + 5 * ((200.5 - 100.5) / 1005 * log(200.5 / 100.5));
    assert_true(fabs(tcsi_pulse_distance(moved, even) - expected) < 1e-12);
}

TCS_TEST_MAIN(cmocka_unit_test(test_each_trouble_is_told_once), cmocka_unit_test(test_blips_and_quiet),
              cmocka_unit_test(test_distance_of_distributions))
