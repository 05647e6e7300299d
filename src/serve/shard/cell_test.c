/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <float.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "serve/shard/cell.h"

enum { SERIES = 60, EVENTS_MAX = 4096 };
static const int64_t STEP_NS = INT64_C(10000000000), START_NS = INT64_C(1700000000000000000);

typedef struct heard {
    tcsi_live_event events[EVENTS_MAX];
    size_t count;
} heard;

static void on_event(void *self, const tcsi_live_event *event)
{
    heard *h = self;
    assert_true(h->count < EVENTS_MAX);
    h->events[h->count++] = *event;
}

/* A cell with series of noise, some rows old. */
typedef struct world {
    tcsi_cell cell;
    heard heard;
    tcsi_rng rng;
    double at[SERIES];
    size_t t;
    bool has_reel;
} world;

static void take_rows(void *self, size_t index, tcsi_reel_rows *rows)
{
    (void)self;
    (void)index;
    tcsi_free(rows->items);
    *rows = (tcsi_reel_rows){ 0 };
}

static int64_t time_at(size_t t) { return START_NS + (int64_t)t * STEP_NS; }

static tcsi_cell_options options_for(world *w)
{
    return (tcsi_cell_options){ .rate = 1e-4, .arrival = tcsi_arrival_limits_default(), .series_count_max = SERIES + 4, .tell = on_event,
                                .self = &w->heard,
                                .reel = { .rows_per_s = w->has_reel ? 1e9 : 0, .give = take_rows, .capacity = 1000 } };
}

static tcsi_live_outcome push_at(world *w, uint32_t series, int64_t time_ns, double value)
{
    tcsi_live_outcome outcome;
    const tcsi_live_row row = { .place = series, .time_ns = time_ns, .value = value };
    assert_ok(tcsi_cell_push(&w->cell, &row, w->t + 1, time_at(w->t), &outcome, test_err));
    return outcome;
}

static double noise(world *w, uint32_t series)
{
    w->at[series] = 0.7 * w->at[series] + tcsi_rng_normal(&w->rng);
    return 100 + 10 * series + w->at[series];
}

/* Rows of all series but one, at the same time; the time goes on. */
static void turn(world *w, uint32_t but)
{
    for (uint32_t i = 0; i < SERIES; i++)
        if (i != but) (void)push_at(w, i, time_at(w->t), noise(w, i));
    w->t++;
}

static void world_init(world *w, uint64_t seed, size_t turns)
{
    uint32_t series;
    *w = (world){ .rng = tcsi_rng_make(seed, 0), .has_reel = w->has_reel };
    const tcsi_cell_options options = options_for(w);
    assert_ok(tcsi_cell_init(&w->cell, &options, test_err));
    for (uint32_t i = 0; i < SERIES; i++) {
        assert_ok(tcsi_cell_add(&w->cell, i, TCSI_SERIES_GAUGE, &series, test_err));
        assert_int_equal(series, i);
    }
    for (size_t t = 0; t < turns; t++) turn(w, UINT32_MAX);
}

/* Events of a series, in order, as a text: "AS AC AR" are an anomaly suspected, confirmed, resolved. */
static const char *story(const world *w, uint32_t series)
{
    static char text[256];
    size_t size = 0;
    text[0] = 0;
    for (size_t i = 0; i < w->heard.count && size + 4 < sizeof text; i++) {
        const tcsi_live_event *event = &w->heard.events[i];
        if (event->number != series) continue;
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%c%c", size ? " " : "", "ABSTLP"[event->kind], "SCRD"[event->state]);
    }
    return text;
}

static void test_an_anomaly_is_suspected_confirmed_resolved(void **state)
{
    (void)state;
    static world w;
    world_init(&w, 1, 600);
    w.heard.count = 0;
    (void)push_at(&w, 3, time_at(w.t), 130 + 60); /* far beyond doubt: sure at once */
    for (int i = 0; i < 20; i++) turn(&w, i == 0 ? 3 : UINT32_MAX);
    assert_string_equal(story(&w, 3), "AS AC AR");
    const tcsi_live_event *first = &w.heard.events[0];
    assert_int_equal(first->episode.begin_ns, time_at(600));
    assert_true(first->episode.peak_value == 190 && fabs(first->episode.expected - 130) < 5 && first->severity > 60);
    assert_true(first->p_value < 1e-3 && first->sequence == 601 && first->episode.begin_sequence == 601);
    tcsi_cell_deinit(&w.cell);
}

/* What just reaches the threshold and is over is dismissed; what stays is confirmed by lasting. */
static void test_a_blip_is_dismissed_and_a_shift_is_not(void **state)
{
    (void)state;
    static world w;
    world_init(&w, 2, 600);
    w.heard.count = 0;
    double expected, deviation;
    const tcsi_live_series *series = tcsi_cell_series(&w.cell, 5);
    tcsi_residual_chart_expect(&series->chart, &expected, &deviation);
    const double just = 1.03 * w.cell.cohort.threshold * (double)series->member.usual * deviation;
    (void)push_at(&w, 5, time_at(w.t), expected + just);
    for (int i = 0; i < 20; i++) turn(&w, i == 0 ? 5 : UINT32_MAX);
    assert_string_equal(story(&w, 5), "AS AD");
    for (int i = 0; i < 60; i++) {
        (void)push_at(&w, 7, time_at(w.t), noise(&w, 7) + (i < 20 ? 12 : 0));
        turn(&w, 7);
    }
    assert_memory_equal(story(&w, 7), "AS AC AR", 8); /* the way back may be told of, too */
    tcsi_cell_deinit(&w.cell);
}

static void test_absence_is_told_at_onset(void **state)
{
    (void)state;
    static world w;
    world_init(&w, 3, 100);
    w.heard.count = 0;
    for (int i = 0; i < 10; i++) { /* 9 keeps silent; 11 says that it ends */
        if (i == 0) assert_int_equal(push_at(&w, 11, time_at(w.t), nan("")).outcome, TCSI_OUTCOME_ACCEPTED); /* no stale mark: no end */
        for (uint32_t k = 0; k < SERIES; k++)
            if (k != 9 && k != 11) (void)push_at(&w, k, time_at(w.t), noise(&w, k));
        w.t++;
        for (uint32_t part = 0; part < 4; part++) tcsi_cell_tick(&w.cell, w.t, time_at(w.t), part, 4);
        if (i == 3) assert_string_equal(story(&w, 9), "");
    }
    assert_string_equal(story(&w, 9), "BC");
    assert_string_equal(story(&w, 11), "BC");
    assert_int_equal(w.heard.events[0].episode.begin_ns, time_at(99));
    turn(&w, UINT32_MAX);
    assert_string_equal(story(&w, 9), "BC BR");
    double stale;
    const uint64_t bits = TCSI_STALE_BITS;
    memcpy(&stale, &bits, sizeof stale);
    w.heard.count = 0;
    assert_int_equal(push_at(&w, 12, time_at(w.t), stale).outcome, TCSI_OUTCOME_STALE);
    assert_int_equal(tcsi_live_series_readiness(tcsi_cell_series(&w.cell, 12)), TCSI_LIVE_ENDED);
    for (int i = 0; i < 30; i++) {
        turn(&w, 12);
        tcsi_cell_tick(&w.cell, w.t, time_at(w.t), 0, 1);
    }
    assert_string_equal(story(&w, 12), ""); /* it had too few rows to be missed */
    turn(&w, UINT32_MAX);
    assert_true(tcsi_live_series_readiness(tcsi_cell_series(&w.cell, 12)) != TCSI_LIVE_ENDED);
    tcsi_cell_deinit(&w.cell);
}

static void test_a_stuck_value_is_told_and_a_constant_is_not(void **state)
{
    (void)state;
    static world w;
    uint32_t constant;
    world_init(&w, 4, 200);
    assert_ok(tcsi_cell_add(&w.cell, SERIES, TCSI_SERIES_GAUGE, &constant, test_err));
    w.heard.count = 0;
    for (int i = 0; i < 200; i++) {
        (void)push_at(&w, constant, time_at(w.t), 42);
        (void)push_at(&w, 20, time_at(w.t), 305.5);
        turn(&w, 20);
    }
    turn(&w, UINT32_MAX);
    assert_string_equal(story(&w, constant), "");
    assert_non_null(strstr(story(&w, 20), "SC"));
    assert_non_null(strstr(story(&w, 20), "SR"));
    for (size_t i = 0; i < w.heard.count; i++)
        if (w.heard.events[i].kind == TCSI_LIVE_STUCK) assert_int_equal(w.heard.events[i].episode.begin_ns, time_at(200));
    tcsi_cell_deinit(&w.cell);
}

/* A counter is judged by its rate: growth that is steady is usual, a restart is no event, and a burst is. */
static void test_a_counter_is_judged_by_its_rate(void **state)
{
    (void)state;
    static world w;
    uint32_t counter;
    double total = 1e9;
    world_init(&w, 5, 600);
    assert_ok(tcsi_cell_add(&w.cell, SERIES, TCSI_SERIES_COUNTER, &counter, test_err));
    for (int i = 0; i < 400; i++) {
        if (i == 300) total = 0;
        if (i == 301) w.heard.count = 0;
        total += 50 + 3 * tcsi_rng_normal(&w.rng) + (i == 390 ? 500 : 0);
        const tcsi_live_outcome outcome = push_at(&w, counter, time_at(w.t), total);
        if (i > 100 && i < 390) assert_true(fabs(outcome.expected - 5) < 2);
        turn(&w, UINT32_MAX);
    }
    assert_string_equal(story(&w, counter), "AS AC AR");
    tcsi_cell_deinit(&w.cell);
}

static void test_every_outcome_is_counted(void **state)
{
    (void)state;
    static world w;
    world_init(&w, 6, 30);
    memset(w.cell.outcomes, 0, sizeof w.cell.outcomes);
    const int64_t now_ns = time_at(w.t);
    assert_int_equal(push_at(&w, 0, now_ns, 1).outcome, TCSI_OUTCOME_ACCEPTED);
    assert_int_equal(push_at(&w, 0, now_ns, 2).outcome, TCSI_OUTCOME_DUPLICATE);
    assert_int_equal(push_at(&w, 0, now_ns - STEP_NS / 2, 3).outcome, TCSI_OUTCOME_REORDERED);
    assert_int_equal(push_at(&w, 0, now_ns - 3600 * STEP_NS, 4).outcome, TCSI_OUTCOME_TOO_OLD);
    assert_int_equal(push_at(&w, 0, now_ns + 3600 * STEP_NS, 5).outcome, TCSI_OUTCOME_TOO_FAR_AHEAD);
    assert_int_equal(push_at(&w, 0, INT64_MAX, 5).outcome, TCSI_OUTCOME_TOO_FAR_AHEAD);
    assert_int_equal(push_at(&w, 0, now_ns + 1, DBL_MAX).outcome, TCSI_OUTCOME_ACCEPTED); /* too large to be judged */
    assert_int_equal(w.cell.outcomes[TCSI_OUTCOME_ACCEPTED], 2);
    assert_int_equal(w.cell.outcomes[TCSI_OUTCOME_TOO_FAR_AHEAD], 2);
    uint32_t series;
    for (int i = 0; i < 4; i++) assert_ok(tcsi_cell_add(&w.cell, SERIES, TCSI_SERIES_GAUGE, &series, test_err));
    tcs_error full;
    assert_int_equal(tcsi_cell_add(&w.cell, SERIES, TCSI_SERIES_GAUGE, &series, &full), TCS_E_LIMIT);
    tcsi_cell_deinit(&w.cell);
}

static void save(world *w, tcsi_buffer *bytes)
{
    tcs_error err;
    tcsi_buffer_clear(bytes);
    tcsi_codec codec = tcsi_codec_save(bytes, &err);
    tcsi_cell_persist(&w->cell, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
}

static tcs_status load(world *w, const void *bytes, size_t size)
{
    tcs_error err = { 0 };
    const tcsi_cell_options options = options_for(w);
    assert_ok(tcsi_cell_init(&w->cell, &options, test_err));
    tcsi_codec codec = tcsi_codec_load(bytes, size, &err);
    tcsi_cell_persist(&w->cell, &codec);
    assert_true(tcsi_codec_status(&codec) == TCS_OK || strlen(err.text) > 5);
    return tcsi_codec_status(&codec);
}

/* Saved at any row and loaded, it tells the same story to the last bit. */
static void test_saved_and_loaded_is_never_stopped(void **state)
{
    (void)state;
    static world w, again;
    tcsi_buffer before, after;
    tcsi_buffer_init(&before, 1 << 22);
    tcsi_buffer_init(&after, 1 << 22);
    world_init(&w, 7, 300);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 7; i++) { /* with something open: a burst, and a silence */
            (void)push_at(&w, 2, time_at(w.t), 200);
            for (uint32_t k = 0; k < SERIES; k++)
                if (k != 2 && k != 4 + (uint32_t)round) (void)push_at(&w, k, time_at(w.t), noise(&w, k));
            w.t++;
            tcsi_cell_tick(&w.cell, w.t, time_at(w.t), 0, 1);
        }
        save(&w, &before);
        again = w;
        assert_int_equal(load(&again, before.data, before.size), TCS_OK);
        again.cell.options.self = &again.heard;
        w.heard.count = again.heard.count = 0;
        for (int i = 0; i < 40; i++) {
            turn(&w, UINT32_MAX);
            turn(&again, UINT32_MAX);
        }
        assert_int_equal(w.heard.count, again.heard.count);
        assert_true(w.heard.count > 0);
        assert_memory_equal(w.heard.events, again.heard.events, w.heard.count * sizeof *w.heard.events);
        save(&w, &before);
        save(&again, &after);
        assert_int_equal(before.size, after.size);
        assert_memory_equal(before.data, after.data, before.size);
        tcsi_cell_deinit(&again.cell);
    }
    tcsi_rng rng = tcsi_rng_make(9, 0);
    for (int i = 0; i < 400; i++) { /* damaged: refused in words, or something that works */
        const size_t at = tcsi_rng_below(&rng, before.size);
        const char kept = before.data[at];
        before.data[at] = (char)(kept ^ 1 << tcsi_rng_below(&rng, 8));
        again = w;
        if (load(&again, before.data, i % 4 ? before.size : at) == TCS_OK) turn(&again, UINT32_MAX);
        tcsi_cell_deinit(&again.cell);
        before.data[at] = kept;
    }
    tcsi_cell_deinit(&w.cell);
    tcsi_buffer_deinit(&before);
    tcsi_buffer_deinit(&after);
}

/* What a cell does while it is saved: rows of some series, a tick, an action, a new series. */
static void go_on(world *w, tcsi_rng *rng)
{
    const tcsi_action action = { .kind = TCSI_ACTION_SETTING, .object = "none", .document = "{}", .time_ns = time_at(w->t) };
    uint32_t place;
    for (uint32_t i = 0; i < SERIES; i++)
        if (tcsi_rng_below(rng, 8) == 0) (void)push_at(w, i, time_at(w->t), noise(w, i) + (i == 5 ? 50 : 0));
    w->t++;
    if (tcsi_rng_below(rng, 3) == 0) tcsi_cell_tick(&w->cell, w->t, time_at(w->t), (uint32_t)tcsi_rng_below(rng, 8), 8);
    if (tcsi_rng_below(rng, 5) == 0) tcsi_cell_act(&w->cell, &action);
    if (tcsi_rng_below(rng, 9) == 0 && w->cell.series_count < SERIES + 4)
        assert_ok(tcsi_cell_add(&w->cell, w->cell.series_count, TCSI_SERIES_GAUGE, &place, test_err));
}

/* Saved a few series at a time, between rows, it is what it was when that began. */
static void test_saved_beside_rows(void **state)
{
    (void)state;
    static world w, one, other;
    tcsi_buffer at_once, slowly, again;
    tcs_error failure;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    tcsi_buffer_init(&at_once, 1 << 22);
    tcsi_buffer_init(&slowly, 1 << 22);
    tcsi_buffer_init(&again, 1 << 22);
    w.has_reel = true;
    size_t given = 0;
    world_init(&w, 7, 100);
    for (int round = 0; round < 300; round++) { /* more than a byte counts */
        const uint32_t share = 1 + (uint32_t)tcsi_rng_below(&rng, 40);
        bool is_more = true;
        save(&w, &at_once);
        tcsi_buffer_clear(&slowly);
        tcsi_cell_save(&w.cell, &slowly, &failure);
        const uint32_t turn_before = w.cell.reel.turn;
        while (is_more) {
            go_on(&w, &rng);
            assert_ok(tcsi_cell_save_some(&w.cell, share, &is_more));
        }
        given += w.cell.reel.turn != turn_before;
        one = other = w;
        assert_int_equal(load(&one, at_once.data, at_once.size), TCS_OK);
        assert_int_equal(load(&other, slowly.data, slowly.size), TCS_OK);
        save(&one, &at_once);
        save(&other, &again);
        assert_int_equal(at_once.size, again.size);
        assert_memory_equal(at_once.data, again.data, again.size);
        tcsi_cell_deinit(&one.cell);
        tcsi_cell_deinit(&other.cell);
        w.heard.count = 0;
    }
    assert_true(given > 10); /* rows of history among them, in the middle of a save */
    tcsi_cell_deinit(&w.cell);
    tcsi_buffer_deinit(&at_once);
    tcsi_buffer_deinit(&slowly);
    tcsi_buffer_deinit(&again);
}

/* A new series beside others that live, of which nothing was heard. */
static uint32_t begin_beside(world *w)
{
    uint32_t place;
    world_init(w, 1, 400);
    w->heard.count = 0;
    assert_ok(tcsi_cell_add(&w->cell, SERIES, TCSI_SERIES_GAUGE, &place, test_err));
    return place;
}

/* Rows of the past: the series is ready with its first live row, on its own scale, and nobody was told of what happened then. */
static void test_a_backfill_teaches_and_tells_nothing(void **state)
{
    (void)state;
    static world w;
    tcsi_live_outcome outcome;
    const uint32_t place = begin_beside(&w);
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (int i = 0; i < 2000; i++) {
        const bool is_jump = i > 500 && i % 400 < 5, is_stuck = i > 1000 && i < 1300;
        const double value = is_stuck ? 7 : 50 + 3 * tcsi_rng_normal(&rng) + (is_jump ? 100 : 0);
        const tcsi_live_row row = { .place = place, .time_ns = time_at((size_t)i), .value = value, .is_backfill = true };
        assert_ok(tcsi_cell_push(&w.cell, &row, 1 + (uint64_t)i, time_at(2000), &outcome, test_err));
        assert_int_equal(outcome.outcome, TCSI_OUTCOME_BACKFILLED);
        if (i % 100 == 0) tcsi_cell_tick(&w.cell, 1 + (uint64_t)i, time_at(2000), 0, 1);
    }
    assert_int_equal(w.heard.count, 0);
    const tcsi_live_series *series = tcsi_cell_series(&w.cell, place);
    assert_int_equal(tcsi_live_series_readiness(series), TCSI_LIVE_READY);
    assert_near(tcsi_presence_rate(&series->presence) * (double)(time_at(1) - time_at(0)) * 1e-9, 1, 0.01);
    /* The same again, and older ones; and then it lives. */
    const tcsi_live_row old = { .place = place, .time_ns = time_at(1998), .value = 50, .is_backfill = true };
    assert_ok(tcsi_cell_push(&w.cell, &old, 3000, time_at(2000), &outcome, test_err));
    assert_int_equal(outcome.outcome, TCSI_OUTCOME_TOO_OLD);
    for (size_t i = 2000; i < 2100; i++) {
        const tcsi_live_row row = { .place = place, .time_ns = time_at(i), .value = 50 + 3 * tcsi_rng_normal(&rng) };
        assert_ok(tcsi_cell_push(&w.cell, &row, 3000 + i, time_at(i), &outcome, test_err));
        assert_true(outcome.outcome == TCSI_OUTCOME_ACCEPTED && outcome.is_scored && outcome.score < 8);
    }
    const tcsi_live_row late = { .place = place, .time_ns = time_at(2001), .value = 50, .is_backfill = true };
    assert_ok(tcsi_cell_push(&w.cell, &late, 6000, time_at(2100), &outcome, test_err));
    assert_int_equal(outcome.outcome, TCSI_OUTCOME_DUPLICATE);
    assert_int_equal(w.heard.count, 0);
    const tcsi_live_row jump = { .place = place, .time_ns = time_at(2100), .value = 500 };
    assert_ok(tcsi_cell_push(&w.cell, &jump, 6001, time_at(2100), &outcome, test_err));
    assert_true(w.heard.count >= 1 && w.heard.events[0].kind == TCSI_LIVE_ANOMALY);
    tcsi_cell_deinit(&w.cell);
}

/* An anomaly that began in the past and goes on is told when the series lives. */
static void test_what_goes_on_after_a_backfill_is_told(void **state)
{
    (void)state;
    static world w;
    tcsi_live_outcome outcome;
    const uint32_t place = begin_beside(&w);
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t i = 0; i < 1210; i++) {
        const double value = 50 + 3 * tcsi_rng_normal(&rng) + (i >= 1195 ? 200 : 0);
        const tcsi_live_row row = { .place = place, .time_ns = time_at(i), .value = value, .is_backfill = i < 1200 };
        assert_ok(tcsi_cell_push(&w.cell, &row, 1 + i, time_at(i < 1200 ? 1200 : i), &outcome, test_err));
    }
    assert_true(w.heard.count >= 1);
    assert_int_equal(w.heard.events[0].kind, TCSI_LIVE_ANOMALY);
    assert_int_equal(w.heard.events[0].episode.begin_ns, time_at(1200));
    tcsi_cell_deinit(&w.cell);
}

/* After warm-up a row allocates nothing; a fit of the cohort does, once in a thousand rows or more. */
static void test_rows_allocate_nothing(void **state)
{
    (void)state;
    static world w;
    size_t fits = 0;
    tcsi_alloc_trace_begin();
    world_init(&w, 8, 300);
    for (int i = 0; i < 200; i++) {
        const size_t allocations = tcsi_alloc_trace_stats().total_count;
        const uint64_t fit_at = w.cell.cohort.fit_at;
        turn(&w, UINT32_MAX);
        tcsi_cell_tick(&w.cell, w.t, time_at(w.t), 0, 1);
        const bool is_fit = w.cell.cohort.fit_at != fit_at;
        fits += is_fit;
        if (!is_fit) assert_int_equal(tcsi_alloc_trace_stats().total_count, allocations);
    }
    assert_true(fits <= 4);
    assert_true(sizeof(tcsi_live_series) <= 512); /* eight lines of the cache */
    tcsi_cell_deinit(&w.cell);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

TCS_TEST_MAIN(cmocka_unit_test(test_an_anomaly_is_suspected_confirmed_resolved),
              cmocka_unit_test(test_a_blip_is_dismissed_and_a_shift_is_not), cmocka_unit_test(test_absence_is_told_at_onset),
              cmocka_unit_test(test_a_stuck_value_is_told_and_a_constant_is_not), cmocka_unit_test(test_a_counter_is_judged_by_its_rate),
              cmocka_unit_test(test_every_outcome_is_counted), cmocka_unit_test(test_saved_and_loaded_is_never_stopped),
              cmocka_unit_test(test_saved_beside_rows),
              cmocka_unit_test(test_a_backfill_teaches_and_tells_nothing),
              cmocka_unit_test(test_what_goes_on_after_a_backfill_is_told), cmocka_unit_test(test_rows_allocate_nothing))
