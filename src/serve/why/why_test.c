/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "serve/shard/cell.h"
#include "serve/why/first_look.h"
#include "serve/why/grounds_json.h"
#include "serve/why/instead.h"
#include "serve/why/story.h"

enum { SERIES = 40, EVENTS_MAX = 4096, ROWS_MAX = 4096 };
static const int64_t STEP_NS = INT64_C(10000000000), START_NS = INT64_C(1700000000000000000);

/* A cell of noisy series, all rows of one of them, and what was told. */
typedef struct world {
    tcsi_cell cell;
    tcsi_rng rng;
    size_t t;
    tcsi_live_event events[EVENTS_MAX];
    size_t event_count;
    tcsi_instead_row rows[ROWS_MAX]; /* of series 0 */
    double scores[ROWS_MAX];
    size_t row_count;
} world;

static int64_t now_of(const world *w) { return START_NS + (int64_t)w->t * STEP_NS; }

static void on_event(void *self, const tcsi_live_event *event)
{
    world *w = self;
    assert_true(w->event_count < EVENTS_MAX);
    w->events[w->event_count++] = *event;
}

static tcsi_live_outcome push(world *w, uint32_t series, double value)
{
    tcsi_live_outcome outcome;
    const tcsi_live_row row = { .place = series, .time_ns = now_of(w), .value = value };
    assert_ok(tcsi_cell_push(&w->cell, &row, w->t + 1, now_of(w), &outcome, test_err));
    if (series == 0) {
        w->scores[w->row_count] = outcome.score;
        w->rows[w->row_count++] = (tcsi_instead_row){ .time_ns = now_of(w), .value = value };
    }
    return outcome;
}

/* A row of each; that of series 0 is off by so much, or has the value `instead` where that is one. */
static tcsi_live_outcome turn_as(world *w, double off, double instead)
{
    tcsi_live_outcome outcome = { 0 };
    for (uint32_t i = 0; i < SERIES; i++) {
        const double value = 100 * i + tcsi_rng_normal(&w->rng) + (i == 0 ? off : 0);
        const tcsi_live_outcome one = push(w, i, i == 0 && !isnan(instead) ? instead : value);
        if (i == 0) outcome = one;
    }
    w->t++;
    return outcome;
}

static tcsi_live_outcome turn(world *w, double off) { return turn_as(w, off, NAN); }

static world *world_of(uint64_t seed, size_t turns)
{
    static world w;
    uint32_t place;
    tcsi_cell_deinit(&w.cell);
    w = (world){ .rng = tcsi_rng_make(seed, 0) };
    const tcsi_cell_options options = { .rate = 1e-4, .arrival = tcsi_arrival_limits_default(), .series_count_max = SERIES,
                                        .tell = on_event, .self = &w };
    assert_ok(tcsi_cell_init(&w.cell, &options, test_err));
    for (uint32_t i = 0; i < SERIES; i++) assert_ok(tcsi_cell_add(&w.cell, i, TCSI_SERIES_GAUGE, &place, test_err));
    for (size_t t = 0; t < turns; t++) (void)turn(&w, 0);
    w.event_count = 0;
    return &w;
}

static const tcsi_live_event *last_event(const world *w, uint32_t series)
{
    const tcsi_live_event *found = NULL;
    for (size_t i = 0; i < w->event_count; i++)
        if (w->events[i].number == series && w->events[i].kind == TCSI_LIVE_ANOMALY) found = &w->events[i];
    assert_non_null(found);
    return found;
}

static size_t told_of(const world *w, uint32_t series)
{
    size_t count = 0;
    for (size_t i = 0; i < w->event_count; i++) count += w->events[i].number == series && w->events[i].kind == TCSI_LIVE_ANOMALY;
    return count;
}

/* Rows from the onset on. */
static size_t rows_since(world *w, const tcsi_grounds *grounds, tcsi_instead_row **ret_rows)
{
    size_t first = 0;
    while (w->rows[first].time_ns < grounds->onset.time_ns) first++;
    *ret_rows = &w->rows[first];
    return w->row_count - first;
}

/* The parts, multiplied up, are the height and the score that the row had. */
static void test_the_first_look_is_taken_apart_exactly(void **state)
{
    (void)state;
    world *w = world_of(1, 700);
    const tcsi_live_outcome outcome = turn(w, 12);
    const tcsi_grounds *grounds = &last_event(w, 0)->grounds;
    const tcsi_first_look look = tcsi_first_look_of(&grounds->onset);
    assert_true(grounds->opened_by == TCSI_GROUNDS_HEIGHT && grounds->onset.is_known && grounds->sequence == 701);
    assert_true(look.score == outcome.score && look.height == outcome.verdict.height && look.parts.forecast == outcome.expected);
    assert_true(look.score == fmax(look.parts.by_level, look.parts.by_forecast));
    assert_true(look.height == fmin(look.score / look.usual, TCSI_COHORT_HEIGHT_MAX) / look.bar && look.height > look.threshold);
    assert_true(grounds->onset.value > look.high && look.low < look.high && look.low < 0 && look.high > 0);
    /* the edges are where it would have alarmed: a thousandth of a deviation on either side */
    tcsi_grounds_row edge = grounds->onset;
    edge.value = look.high - 1e-3 * look.parts.rest_spread;
    assert_true(tcsi_first_look_of(&edge).height <= look.threshold);
    edge.value = look.high + 1e-3 * look.parts.rest_spread;
    assert_true(tcsi_first_look_of(&edge).height > look.threshold);
    edge.value = look.low - 1e-3 * look.parts.rest_spread;
    assert_true(tcsi_first_look_of(&edge).height > look.threshold);
}

/* What is said of another row: a cell in which that row came with the value that is said tells of nothing. */
static void test_the_counterfactual_of_a_spike_is_true_of_the_cell(void **state)
{
    (void)state;
    world *w = world_of(2, 700);
    tcsi_instead instead;
    tcsi_instead_row *rows;
    (void)turn(w, 15);
    for (int i = 0; i < 10; i++) (void)turn(w, 0);
    const tcsi_grounds grounds = last_event(w, 0)->grounds;
    const size_t count = rows_since(w, &grounds, &rows);
    assert_ok(tcsi_instead_find(&grounds, TCSI_INSTEAD_OPENED, false, rows, count, &instead, test_err));
    assert_true(instead.is_found && instead.is_like_then && instead.changed_count == 1 && count == 11);
    assert_true(instead.height_before > grounds.onset.threshold && instead.height_after <= grounds.onset.threshold);
    assert_true(instead.height_after > 0.999 * grounds.onset.threshold); /* the nearest */
    const double quiet = rows[0].instead;
    world *again = world_of(2, 700);
    (void)turn_as(again, 0, quiet);
    for (int i = 0; i < 10; i++) (void)turn(again, 0);
    assert_int_equal(told_of(again, 0), 0);
    world *above = world_of(2, 700);
    (void)turn_as(above, 0, quiet + 0.01);
    assert_int_equal(told_of(above, 0), 1);
}

/* Of equal rows before it: what they can vouch for is its score, and where that is no alarm, nothing would have been. */
static void test_the_first_value_that_differs(void **state)
{
    (void)state;
    tcsi_grounds_row row = { .is_known = true, .value = 5e7, .member = { .usual = 2, .bar = 1, .count = 400 }, .threshold = 4 };
    for (int t = 0; t < 400; t++) (void)tcsi_residual_chart_push(&row.chart, &tcsi_residual_chart_defaults, 1.9e6);
    tcsi_first_look look = tcsi_first_look_of(&row);
    assert_true(look.score == 20 && look.parts.most == 20 && look.height == 10);
    assert_true(look.low <= 1.9e6 && look.high >= 1.9e6 && look.high - look.low < 1);
    row.threshold = 10.5;
    look = tcsi_first_look_of(&row);
    assert_true(look.low == -INFINITY && look.high == INFINITY);
    (void)tcsi_residual_chart_push(&row.chart, &tcsi_residual_chart_defaults, 1.9e6 + 100);
    look = tcsi_first_look_of(&row);
    assert_true(look.parts.most == INFINITY && look.score > 1e6 && look.high < 1.9e6 + 400);
}

/* Of a shift all rows are moved that would have alarmed, until the chart has followed; and judged by another cell they are quiet. */
static void test_the_counterfactual_of_a_shift_moves_its_rows(void **state)
{
    (void)state;
    world *w = world_of(3, 700);
    tcsi_instead instead;
    tcsi_instead_row *rows;
    for (int i = 0; i < 30; i++) (void)turn(w, 9);
    const tcsi_grounds grounds = last_event(w, 0)->grounds;
    const size_t count = rows_since(w, &grounds, &rows);
    assert_ok(tcsi_instead_find(&grounds, TCSI_INSTEAD_OPENED, false, rows, count, &instead, test_err));
    assert_true(instead.is_found && instead.changed_count > 5 && instead.height_after <= grounds.onset.threshold);
    for (size_t i = 0; i < count; i++) assert_true(rows[i].instead <= rows[i].value); /* all towards what was expected */
    /* that it lasted confirmed it, or its height; with less of either it stays a suspicion */
    assert_true(grounds.confirmed_by == TCSI_GROUNDS_HEIGHT || grounds.confirmed_by == TCSI_GROUNDS_LENGTH);
    tcsi_instead less;
    assert_ok(tcsi_instead_find(&grounds, TCSI_INSTEAD_CONFIRMED, false, rows, count, &less, test_err));
    const double after = (double)(float)less.height_after; /* as an episode keeps it */
    assert_true(less.is_found && after < grounds.sure && after > grounds.onset.threshold);
    static double values[ROWS_MAX];
    for (size_t i = 0; i < count; i++) values[i] = rows[i].instead;
    world *again = world_of(3, 700);
    for (size_t i = 0; i < count; i++) (void)turn_as(again, 0, values[i]);
    assert_int_equal(again->events[0].state, TCSI_LIVE_SUSPECTED);
    for (size_t i = 0; i < again->event_count; i++)
        assert_true(again->events[i].number != 0 || again->events[i].state != TCSI_LIVE_CONFIRMED);
}

/* What is not changed is not said to be: the rows as they came, by other thresholds than theirs, do not do what they did. */
static void test_rows_that_did_not_alarm_have_none(void **state)
{
    (void)state;
    world *w = world_of(4, 700);
    tcsi_instead instead;
    (void)turn(w, 15);
    tcsi_grounds grounds = last_event(w, 0)->grounds;
    grounds.onset.threshold *= 100;
    tcsi_instead_row row = { .time_ns = grounds.onset.time_ns, .value = grounds.onset.value };
    assert_ok(tcsi_instead_find(&grounds, TCSI_INSTEAD_OPENED, false, &row, 1, &instead, test_err));
    assert_true(!instead.is_like_then && !instead.is_found);
}

static void assert_same_row(const tcsi_grounds_row *a, const tcsi_grounds_row *b)
{
    assert_true(a->is_known == b->is_known && a->time_ns == b->time_ns && a->received_ns == b->received_ns && a->value == b->value);
    assert_true(a->threshold == b->threshold && a->threshold_low == b->threshold_low);
    assert_memory_equal(&a->chart, &b->chart, sizeof a->chart);
    assert_memory_equal(&a->member, &b->member, sizeof a->member);
}

static void test_grounds_come_back_from_their_document(void **state)
{
    (void)state;
    world *w = world_of(5, 700);
    tcsi_json_writer writer;
    tcsi_buffer text;
    tcsi_arena arena;
    const tcsi_json_value *root;
    tcsi_grounds back;
    (void)turn(w, 12);
    (void)turn(w, 60);
    for (int i = 0; i < 10; i++) (void)turn(w, 0);
    tcsi_grounds grounds = last_event(w, 0)->grounds;
    grounds.answer = (tcsi_grounds_answer){ .time_ns = now_of(w), .model = { 1, 2, 255 }, .sort = 1, .p_value = 0.125f, .mean = 1.5f,
                                            .limit = 0.2f, .rows = { -32767, 5, 32767 } };
    tcsi_buffer_init(&text, 1 << 16);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "summary", "}\",\"grounds\":{");
    tcsi_json_key(&writer, "grounds");
    tcsi_grounds_write(&grounds, &writer);
    tcsi_json_put_string(&writer, "behind", "}");
    tcsi_json_end_object(&writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    tcsi_arena_init(&arena, 0);
    assert_ok(tcsi_json_parse(text.data, text.size, &arena, &root, test_err));
    assert_true(tcsi_grounds_read(tcsi_json_get(root, "grounds"), &back));
    assert_same_row(&grounds.onset, &back.onset);
    assert_same_row(&grounds.peak, &back.peak);
    assert_true(back.peak.time_ns != back.onset.time_ns && back.confirmed_by == grounds.confirmed_by && back.lasted == grounds.lasted);
    assert_true(back.sure == grounds.sure && back.hold == grounds.hold && back.allowed == grounds.allowed);
    assert_memory_equal(&grounds.answer, &back.answer, sizeof back.answer);
    const tcsi_grounds_place place = tcsi_grounds_find(text.data);
    memmove(text.data + place.begin, text.data + place.begin + place.size, text.size - place.begin - place.size + 1);
    assert_string_equal(text.data, "{\"summary\":\"}\\\",\\\"grounds\\\":{\",\"behind\":\"}\"}");
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&text);
}

/* A document of before charts had a reach, 8 numbers, is one without. */
static void test_older_grounds_are_read(void **state)
{
    (void)state;
    static const char document[] =
        "{\"sequence\":7,\"opened_by\":\"height\",\"allowed\":1e-5,\"sure\":5,\"hold\":6,\"onset\":{\"time\":\"2026-11-26T15:00:00Z\","
        "\"value\":9,\"received\":\"2026-11-26T15:00:01Z\",\"threshold\":3,\"threshold_low\":2,\"chart\":[1,2,3,4,5,6,70,8%s],"
        "\"scale\":[2,1,0,50,0,0]}}";
    static const struct {
        const char *more;
        bool is_read;
    } cases[] = { { "", true }, { ",2,3", true }, { ",2", false }, { ",2,-3", false } };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        char text[sizeof document + 16];
        const tcsi_json_value *root;
        tcsi_arena arena;
        tcsi_grounds grounds;
        snprintf(text, sizeof text, document, cases[i].more);
        tcsi_arena_init(&arena, 0);
        assert_ok(tcsi_json_parse(text, strlen(text), &arena, &root, test_err));
        assert_int_equal(tcsi_grounds_read(root, &grounds), cases[i].is_read);
        if (cases[i].is_read) assert_true(grounds.onset.chart.clipped_run == 8 && grounds.onset.chart.rest_reach == (i ? 3 : 0));
        tcsi_arena_deinit(&arena);
    }
}

static void test_hostile_grounds_are_nothing(void **state)
{
    (void)state;
#define HEAD "{\"sequence\":1,\"opened_by\":\"height\",\"allowed\":1,\"sure\":1,\"hold\":1,\"onset\":{\"value\":1,"
#define THEN "\"time\":\"2024-01-01T00:00:00Z\",\"received\":\"2024-01-01T00:00:00Z\",\"threshold\":1,\"threshold_low\":1,"
    static const char *const texts[] = {
        "{}", "[]", "{\"sequence\":-1}", "{\"sequence\":1,\"opened_by\":\"height\"}",
        "{\"sequence\":1,\"opened_by\":\"magic\",\"allowed\":1,\"sure\":1,\"hold\":1,\"onset\":{" THEN "\"value\":1}}",
        HEAD "\"time\":\"yesterday\"}}",
        HEAD THEN "\"chart\":[1,2,3]}}",
        HEAD THEN "\"chart\":[1,2,-3,0,1,0,1,0],\"scale\":[1,1,0,1,0,0]}}",
        HEAD THEN "\"chart\":[1,2,3,0,1,0,1,0],\"scale\":[0,1,0,1,0,0]}}",
    };
    for (size_t i = 0; i < TCS_COUNT(texts); i++) {
        tcsi_arena arena;
        const tcsi_json_value *root;
        tcsi_grounds grounds;
        tcsi_arena_init(&arena, 0);
        assert_ok(tcsi_json_parse(texts[i], strlen(texts[i]), &arena, &root, test_err));
        assert_false(tcsi_grounds_read(root, &grounds));
        assert_int_equal(grounds.sequence, 0);
        tcsi_arena_deinit(&arena);
    }
    assert_int_equal(tcsi_grounds_find("{\"a\":1}").size, 0);
    assert_true(tcsi_grounds_find("{\"a\":1,\"grounds\":{").size <= strlen(",\"grounds\":{"));
}

/* Saved with an episode open and loaded, the rest of the story has the same grounds. */
static void test_grounds_outlive_a_snapshot(void **state)
{
    (void)state;
    world *w = world_of(6, 700);
    tcsi_buffer saved;
    static tcsi_cell loaded;
    (void)turn(w, 12);
    tcsi_buffer_init(&saved, 1 << 24);
    tcs_error err = { 0 };
    tcsi_codec out = tcsi_codec_save(&saved, &err);
    tcsi_cell_persist(&w->cell, &out);
    assert_ok(tcsi_codec_status(&out));
    const tcsi_cell_options options = w->cell.options;
    assert_ok(tcsi_cell_init(&loaded, &options, test_err));
    tcsi_codec in = tcsi_codec_load(saved.data, saved.size, &err);
    tcsi_cell_persist(&loaded, &in);
    assert_ok(tcsi_codec_status(&in));
    const tcsi_grounds *a = tcsi_grounds_of(&w->cell, tcsi_cell_series(&w->cell, 0));
    const tcsi_grounds *b = tcsi_grounds_of(&loaded, tcsi_cell_series(&loaded, 0));
    assert_true(a->sequence == 701 && b->sequence == a->sequence && a->opened_by == b->opened_by && a->sure == b->sure);
    assert_same_row(&a->onset, &b->onset);
    assert_same_row(&a->peak, &b->peak);
    tcsi_cell_deinit(&loaded);
    tcsi_buffer_deinit(&saved);
}

/* More at once than there is room for: the episodes are as ever, and nothing is said of what they rest on; a place that is free again is
 * used again. */
static void test_more_than_there_is_room_for(void **state)
{
    (void)state;
    enum { MANY = TCSI_GROUNDS_MAX + 50 };
    static tcsi_cell cell;
    uint32_t place;
    const tcsi_cell_options options = { .rate = 1e-4, .arrival = tcsi_arrival_limits_default(), .series_count_max = MANY };
    assert_ok(tcsi_cell_init(&cell, &options, test_err));
    for (uint32_t i = 0; i < MANY; i++) {
        assert_ok(tcsi_cell_add(&cell, i, TCSI_SERIES_GAUGE, &place, test_err));
        tcsi_live_series *series = tcsi_cell_touch(&cell, i);
        series->anomaly = (tcsi_live_episode){ .begin_sequence = i + 1, .begin_ns = START_NS };
        tcsi_grounds_open(&cell, series, TCSI_GROUNDS_HEIGHT);
    }
    assert_int_equal(cell.grounds.unknown_count, 50);
    assert_int_equal(tcsi_grounds_of(&cell, tcsi_cell_series(&cell, TCSI_GROUNDS_MAX))->sequence, 0);
    assert_int_equal(tcsi_grounds_of(&cell, tcsi_cell_series(&cell, 7))->sequence, 8);
    tcsi_grounds_close(&cell, tcsi_cell_touch(&cell, 7));
    assert_int_equal(tcsi_grounds_of(&cell, tcsi_cell_series(&cell, 7))->sequence, 0);
    tcsi_grounds_open(&cell, tcsi_cell_touch(&cell, TCSI_GROUNDS_MAX), TCSI_GROUNDS_HEIGHT);
    assert_int_equal(tcsi_cell_series(&cell, TCSI_GROUNDS_MAX)->grounds, 8);
    tcsi_cell_deinit(&cell);
}

/* What happened is told as `tocsin explain` tells it. */
static void test_the_story_names_the_kind(void **state)
{
    (void)state;
    world *w = world_of(7, 700);
    static int64_t times[ROWS_MAX];
    static double values[ROWS_MAX];
    tcsi_json_writer writer;
    tcsi_buffer text;
    (void)turn(w, 25);
    for (int i = 0; i < 10; i++) (void)turn(w, 0);
    for (size_t i = 0; i < w->row_count; i++) {
        times[i] = w->rows[i].time_ns;
        values[i] = w->rows[i].value;
    }
    const tcsi_story_rows rows = { .series = "temperature", .times_ns = times, .values = values, .scores = w->scores,
                                   .count = w->row_count, .onset = 700, .end = 701, .limit = 4 };
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, false);
    assert_ok(tcsi_story_write(&rows, &writer, test_err));
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_non_null(strstr(text.data, "\"schema\":\"tocsin/explanation/1\""));
    assert_non_null(strstr(text.data, "\"kind\":\"spike\""));
    assert_non_null(strstr(text.data, "temperature "));
    const tcsi_story_rows few = { .series = "t", .times_ns = times, .values = values, .scores = w->scores, .count = 20, .onset = 10,
                                  .end = 11 };
    tcsi_buffer_clear(&text);
    tcsi_json_writer_init(&writer, &text, false);
    assert_ok(tcsi_story_write(&few, &writer, test_err));
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_string_equal(text.data, "null");
    tcsi_buffer_deinit(&text);
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_first_look_is_taken_apart_exactly), cmocka_unit_test(test_the_first_value_that_differs),
              cmocka_unit_test(test_the_counterfactual_of_a_spike_is_true_of_the_cell),
              cmocka_unit_test(test_the_counterfactual_of_a_shift_moves_its_rows),
              cmocka_unit_test(test_rows_that_did_not_alarm_have_none), cmocka_unit_test(test_grounds_come_back_from_their_document),
              cmocka_unit_test(test_older_grounds_are_read),
              cmocka_unit_test(test_hostile_grounds_are_nothing), cmocka_unit_test(test_grounds_outlive_a_snapshot),
              cmocka_unit_test(test_more_than_there_is_room_for), cmocka_unit_test(test_the_story_names_the_kind))
