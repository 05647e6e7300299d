/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that are set for a series, from the first row on: in a cell that has learned nothing. */
#include "test.h"

#include "serve/shard/cell.h"

enum { EVENTS_MAX = 256, PASSED_SAVED_SIZE = 32, END_SAVED_SIZE = 4 };
static const int64_t STEP_NS = INT64_C(10000000000), START_NS = INT64_C(1700000000000000000);

typedef struct world {
    tcsi_cell cell;
    tcsi_live_event events[EVENTS_MAX];
    size_t event_count, t;
} world;

static void on_event(void *self, const tcsi_live_event *event)
{
    world *w = self;
    assert_true(w->event_count < EVENTS_MAX);
    w->events[w->event_count++] = *event;
}

static int64_t time_at(size_t t) { return START_NS + (int64_t)t * STEP_NS; }

static void init_cell(world *w, tcsi_cell *cell)
{
    const tcsi_cell_options options = { .rate = 1e-5, .arrival = tcsi_arrival_limits_default(), .series_count_max = 8, .tell = on_event,
                                        .self = w };
    assert_ok(tcsi_cell_init(cell, &options, test_err));
}

/* All series have the first of these rules. */
static void set_rules(world *w, const char *keys)
{
    char rules[256];
    tcsi_key key;
    tcsi_key_begin(&key);
    (void)tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), "m", 1);
    assert_int_equal(tcsi_key_finish(&key), TCSI_KEY_NONE);
    snprintf(rules, sizeof rules, "{\"policies\":[{\"match\":[]%s}]}", keys);
    assert_ok(tcsi_cell_set_rules(&w->cell, rules, test_err));
    for (uint32_t i = 0; i < w->cell.series_count; i++) tcsi_cell_choose_policy(&w->cell, i, &key);
}

static void world_init(world *w, tcsi_series_kind kind, const char *keys)
{
    uint32_t place;
    *w = (world){ .t = 0 };
    init_cell(w, &w->cell);
    assert_ok(tcsi_cell_add(&w->cell, 70, kind, &place, test_err));
    set_rules(w, keys);
}

static void push(world *w, double value)
{
    tcsi_live_outcome outcome;
    const tcsi_live_row row = { .time_ns = time_at(w->t), .value = value };
    assert_ok(tcsi_cell_push(&w->cell, &row, w->t + 1, time_at(w->t), &outcome, test_err));
    w->t++;
}

/* What is told of limits with these values: at which, and whether it begins (C), or ends (R). */
static const char *story(world *w, const double *values, size_t count)
{
    static char text[256];
    size_t size = 0;
    *text = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t before = w->event_count;
        push(w, values[i]);
        for (size_t e = before; e < w->event_count; e++)
            if (w->events[e].kind == TCSI_LIVE_LIMIT)
                size += (size_t)snprintf(text + size, sizeof text - size, "%s%zu%c", size ? " " : "", i, "SCRD"[w->events[e].state]);
    }
    return text;
}
#define STORY(w, ...) story(w, (const double[]){ __VA_ARGS__ }, sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double))

/* The very first row, where nothing else is judged, where nothing else is to be. */
static void test_told_with_the_first_row(void **state)
{
    (void)state;
    static world w;
    static const char *const keys[] = { ",\"high\":10", ",\"low\":-3,\"high\":10,\"anomaly\":\"off\",\"stuck\":\"off\"", ",\"low\":12" };
    for (size_t i = 0; i < TCS_COUNT(keys); i++) {
        world_init(&w, TCSI_SERIES_GAUGE, keys[i]);
        assert_string_equal(STORY(&w, 11), "0C");
        const tcsi_live_event *event = &w.events[0];
        assert_int_equal(w.event_count, 1);
        assert_true(event->sequence == 1 && event->number == 70 && event->time_ns == time_at(0) && event->episode.begin_ns == time_at(0));
        assert_true(event->episode.peak_value == 11 && event->episode.expected == (i == 2 ? 12 : 10) && event->episode.is_confirmed);
        assert_true(event->severity == 100 && event->suppressed_by.low == 0);
        tcsi_cell_deinit(&w.cell);
    }
}

static void test_a_value_about_its_limit_is_told_once(void **state)
{
    (void)state;
    static world w;
    world_init(&w, TCSI_SERIES_GAUGE, ",\"low\":2,\"high\":10");
    assert_string_equal(STORY(&w, 10, 2, 5, 11, 9, 9, 9, 14, 9, 10, 9, 10, 9), "3C 11R"); /* on a limit is within */
    assert_true(w.events[1].episode.begin_ns == time_at(3) && w.events[1].episode.peak_value == 14 && w.events[1].time_ns == time_at(11));
    assert_string_equal(STORY(&w, 10.5, 1, 1.5, 11, 5, 5, 5, 5), "0C 1R 1C 3R 3C 7R"); /* from beyond one to beyond the other */
    const tcsi_live_event *low = &w.events[4];
    assert_true(low->episode.peak_value == 1 && low->episode.expected == 2 && low->episode.begin_ns == time_at(14));
    assert_true(w.events[5].episode.peak_value == 1 && w.events[5].episode.expected == 2);
    tcsi_cell_deinit(&w.cell);
}

/* Beyond what can be judged, and beyond what nobody sees. */
static void test_values_that_are_not_judged(void **state)
{
    (void)state;
    static world w;
    const uint64_t bits = TCSI_STALE_BITS;
    double stale;
    tcsi_live_outcome outcome;
    memcpy(&stale, &bits, sizeof stale);
    world_init(&w, TCSI_SERIES_GAUGE, ",\"low\":2,\"high\":10");
    assert_string_equal(STORY(&w, 5, stale, 1e300, stale, 5, 5, 5, -1e300), "2C 7R 7C");
    const tcsi_live_row old = { .time_ns = time_at(3), .value = 50 };
    const tcsi_live_row past = { .time_ns = time_at(0) - 1, .value = 50, .is_backfill = true };
    tcsi_cell_deinit(&w.cell);
    world_init(&w, TCSI_SERIES_GAUGE, ",\"high\":10");
    assert_ok(tcsi_cell_push(&w.cell, &past, 1, time_at(0), &outcome, test_err));
    assert_int_equal(outcome.outcome, TCSI_OUTCOME_BACKFILLED);
    assert_string_equal(STORY(&w, 5, 5, 5, 5, 5), "");
    assert_ok(tcsi_cell_push(&w.cell, &old, 7, time_at(7), &outcome, test_err));
    assert_true(outcome.outcome != TCSI_OUTCOME_ACCEPTED && w.event_count == 0);
    tcsi_cell_deinit(&w.cell);
}

/* Of a counter what it adds a second. */
static void test_a_counter_by_its_rate(void **state)
{
    (void)state;
    static world w;
    world_init(&w, TCSI_SERIES_COUNTER, ",\"high\":5");
    assert_string_equal(STORY(&w, 9000, 9040, 9080, 9140, 9150, 9160, 9170, 9180, 9190), "3C 7R");
    assert_true(w.events[0].episode.peak_value == 6 && w.events[0].episode.expected == 5);
    tcsi_cell_deinit(&w.cell);
}

static void tick(world *w)
{
    tcsi_cell_tick(&w->cell, w->t + 1, time_at(w->t), 0, 1);
}

static void test_rules_that_change_meanwhile(void **state)
{
    (void)state;
    static world w;
    world_init(&w, TCSI_SERIES_GAUGE, ",\"high\":10,\"absence\":\"off\"");
    assert_string_equal(STORY(&w, 15), "0C");
    set_rules(&w, ",\"high\":12,\"absence\":\"off\"");
    assert_string_equal(STORY(&w, 9, 14, 11), "");
    tick(&w);
    assert_int_equal(w.event_count, 1);
    set_rules(&w, ",\"high\":20,\"absence\":\"off\""); /* no value of it was so high */
    assert_string_equal(STORY(&w, 15), "0R");
    assert_true(w.events[1].episode.peak_value == 15 && w.events[1].episode.expected == 12 && w.events[1].episode.begin_ns == time_at(0));
    set_rules(&w, ",\"high\":10,\"absence\":\"off\"");
    assert_string_equal(STORY(&w, 15), "0C");
    set_rules(&w, ",\"absence\":\"off\"");
    tick(&w); /* nothing comes any more */
    tick(&w);
    assert_true(w.event_count == 4 && w.events[3].kind == TCSI_LIVE_LIMIT && w.events[3].state == TCSI_LIVE_RESOLVED);
    assert_string_equal(STORY(&w, 15, 15), "");
    tcsi_cell_deinit(&w.cell);
}

static void save(world *w, tcsi_buffer *out)
{
    tcs_error err;
    tcsi_codec codec = tcsi_codec_save(out, &err);
    tcsi_buffer_clear(out);
    tcsi_cell_persist(&w->cell, &codec);
    assert_ok(tcsi_codec_status(&codec));
}

static void load(world *w, const char *data, size_t size)
{
    tcs_error err;
    tcsi_codec codec = tcsi_codec_load(data, size, &err);
    tcsi_cell_deinit(&w->cell);
    init_cell(w, &w->cell);
    tcsi_cell_persist(&w->cell, &codec);
    assert_ok(tcsi_codec_status(&codec));
}

/* Saved in the middle of it, it goes on as if it had not been; and so does what was saved before there were limits. */
static void test_saved_and_loaded(void **state)
{
    (void)state;
    static world w;
    tcsi_buffer saved;
    tcsi_buffer_init(&saved, 1 << 24);
    world_init(&w, TCSI_SERIES_GAUGE, ",\"high\":10");
    assert_string_equal(STORY(&w, 11, 17, 9, 9), "0C");
    save(&w, &saved);
    load(&w, saved.data, saved.size);
    assert_string_equal(STORY(&w, 9, 9), "1R");
    assert_true(w.events[1].episode.begin_ns == time_at(0) && w.events[1].episode.peak_value == 17);
    save(&w, &saved);
    assert_memory_equal(saved.data, "CEL5", 4);
    saved.data[3] = '4'; /* the form before ended without them */
    memmove(saved.data + saved.size - END_SAVED_SIZE - PASSED_SAVED_SIZE, saved.data + saved.size - END_SAVED_SIZE, END_SAVED_SIZE);
    load(&w, saved.data, saved.size - PASSED_SAVED_SIZE);
    assert_int_equal(tcsi_cell_series(&w.cell, 0)->chart.count, 6);
    assert_string_equal(STORY(&w, 9, 11), "1C");
    tcsi_cell_deinit(&w.cell);
    tcsi_buffer_deinit(&saved);
}

TCS_TEST_MAIN(cmocka_unit_test(test_told_with_the_first_row), cmocka_unit_test(test_a_value_about_its_limit_is_told_once),
              cmocka_unit_test(test_values_that_are_not_judged), cmocka_unit_test(test_a_counter_by_its_rate),
              cmocka_unit_test(test_rules_that_change_meanwhile), cmocka_unit_test(test_saved_and_loaded))
