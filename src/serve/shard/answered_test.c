/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "serve/shard/cell.h"

enum { SERIES = 40, EVENTS_MAX = 4096 };
static const int64_t STEP_NS = INT64_C(10000000000), START_NS = INT64_C(1700000000000000000);

typedef struct world {
    tcsi_cell cell;
    tcsi_live_event events[EVENTS_MAX];
    size_t event_count;
    tcsi_rng rng;
    size_t t;
    uint64_t sequence;
} world;

static void on_event(void *self, const tcsi_live_event *event)
{
    world *w = self;
    assert_true(w->event_count < EVENTS_MAX);
    w->events[w->event_count++] = *event;
}

static int64_t time_at(size_t t) { return START_NS + (int64_t)t * STEP_NS; }

/* Noise of all series; `which` is `by` deviations off. */
static void turn(world *w, uint32_t which, double by)
{
    w->sequence++;
    for (uint32_t i = 0; i < SERIES; i++) {
        tcsi_live_outcome outcome;
        const double value = 100 + tcsi_rng_normal(&w->rng) + (i == which ? by : 0);
        const tcsi_live_row row = { .place = i, .time_ns = time_at(w->t), .value = value };
        assert_ok(tcsi_cell_push(&w->cell, &row, w->sequence, time_at(w->t), &outcome, test_err));
    }
    w->t++;
}

static void turns(world *w, size_t count)
{
    while (count-- > 0) turn(w, UINT32_MAX, 0);
}

static void world_init(world *w)
{
    uint32_t place;
    *w = (world){ .rng = tcsi_rng_make(3, 0) };
    const tcsi_cell_options options = { .rate = 1e-5, .arrival = tcsi_arrival_limits_default(), .series_count_max = SERIES,
                                        .tell = on_event, .self = w };
    assert_ok(tcsi_cell_init(&w->cell, &options, test_err));
    for (uint32_t i = 0; i < SERIES; i++) {
        assert_ok(tcsi_cell_add(&w->cell, 100 + i, TCSI_SERIES_GAUGE, &place, test_err));
        tcsi_cell_touch(&w->cell, place)->answered.family = i / 10;
    }
    turns(w, 800);
    w->event_count = 0;
}

enum { REST = 6000 }; /* rows after which a series that alarmed is as quick to alarm as before */

/* Two rows off, and what is told of that series until it is over: "SCR" is suspected, confirmed, resolved; small letters are suppressed. */
static const char *bump(world *w, uint32_t series, double by)
{
    static char text[32];
    size_t size = 0;
    w->event_count = 0;
    turn(w, series, by);
    turn(w, series, by);
    turns(w, 10);
    const size_t event_count = w->event_count;
    for (size_t i = 0; i < event_count; i++) {
        const tcsi_live_event *event = &w->events[i];
        if (event->number == 100 + series) text[size++] = (event->suppressed_by.low ? "scrd" : "SCRD")[event->state];
    }
    text[size] = 0;
    return text;
}

static const tcsi_live_event *last_of(const world *w, uint32_t series)
{
    for (size_t i = w->event_count; i-- > 0;)
        if (w->events[i].number == 100 + series) return &w->events[i];
    return NULL;
}

static void act(world *w, tcsi_action_kind kind, const char *id, const char *object, const tcsi_episode_answer *answer)
{
    tcsi_json_writer writer;
    tcsi_buffer document;
    tcsi_buffer_init(&document, 1 << 16);
    tcsi_json_writer_init(&writer, &document, false);
    tcsi_json_begin_object(&writer);
    if (answer) tcsi_answered_write(answer, &writer);
    tcsi_json_end_object(&writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    const tcsi_action action = { .kind = kind, .id = id, .who = "ann", .role = "analyst", .object = object, .document = document.data,
                                 .sequence = ++w->sequence, .time_ns = time_at(w->t) };
    tcsi_cell_act(&w->cell, &action);
    tcsi_buffer_deinit(&document);
}

static const char first_id[] = "0123456789abcdef0123456789abcde1", second_id[] = "00000000000000000000000000000002";

static void answer(world *w, const char *id, tcsi_answer_verdict verdict, tcsi_answer_scope scope, const tcsi_live_event *event)
{
    const tcsi_episode_answer said = { .verdict = (uint8_t)verdict, .scope = (uint8_t)scope, .confidence = 1, .until_ns = INT64_MAX,
                               .place = event->number - 100, .pattern = event->pattern };
    act(w, TCSI_ACTION_ANSWER, id, "", &said);
}

static void test_the_next_like_it_is_quiet(void **state)
{
    (void)state;
    static world w;
    world_init(&w);
    assert_string_equal(bump(&w, 3, 20), "SCR");
    answer(&w, first_id, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_PATTERN, last_of(&w, 3));
    assert_string_equal(bump(&w, 3, 21), "sd");
    char id[TCSI_ANSWER_ID_SIZE];
    tcsi_answer_id_write(w.events[0].suppressed_by, id);
    assert_string_equal(id, first_id);
    assert_int_equal(w.cell.answers.suppressed_count, 1);
    turns(&w, REST);
    assert_string_equal(bump(&w, 4, 20), "SCR"); /* another series */
    assert_string_equal(bump(&w, 3, -20), "SCR"); /* the other way */
    turns(&w, REST);
    assert_string_equal(bump(&w, 3, 28), "SCR"); /* stronger */
    assert_true(w.cell.answers.guarded_count > 0);
    act(&w, TCSI_ACTION_UNDO, second_id, first_id, NULL);
    turns(&w, REST);
    assert_string_equal(bump(&w, 3, 20), "SCR");
    tcsi_cell_deinit(&w.cell);
}

/* It begins like the one that was answered, and then rises beyond it, or does not end. */
static void test_a_quiet_one_that_grows_is_heard(void **state)
{
    (void)state;
    static world w;
    world_init(&w);
    assert_string_equal(bump(&w, 3, 20), "SCR");
    const int lasted = last_of(&w, 3)->episode.lasted;
    answer(&w, first_id, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_PATTERN, last_of(&w, 3));
    turns(&w, REST);
    w.event_count = 0;
    turn(&w, 3, 20);
    assert_true(w.event_count == 1 && w.events[0].state == TCSI_LIVE_SUSPECTED && w.events[0].suppressed_by.low);
    turn(&w, 3, 50);
    assert_true(w.event_count == 2 && w.events[1].state == TCSI_LIVE_CONFIRMED && !w.events[1].suppressed_by.low);
    turns(&w, REST);
    w.event_count = 0;
    for (size_t i = 0; i < 20; i++) turn(&w, 3, 20);
    assert_true(w.event_count == 2 && w.events[1].state == TCSI_LIVE_CONFIRMED && !w.events[1].suppressed_by.low);
    assert_int_equal(w.events[1].episode.lasted, lasted + lasted / 2 + 4 + 1);
    tcsi_cell_deinit(&w.cell);
}

static void test_an_open_episode_is_answered(void **state)
{
    (void)state;
    static world w;
    world_init(&w);
    for (size_t i = 0; i < 6; i++) turn(&w, 5, 20);
    assert_int_equal(last_of(&w, 5)->state, TCSI_LIVE_CONFIRMED);
    answer(&w, first_id, TCSI_ANSWER_NOT_MINE, TCSI_SCOPE_EPISODE, last_of(&w, 5));
    assert_true(last_of(&w, 5)->state == TCSI_LIVE_DISMISSED && last_of(&w, 5)->suppressed_by.low);
    for (size_t i = 0; i < 12; i++) turn(&w, 5, 20);
    assert_int_equal(last_of(&w, 5)->state, TCSI_LIVE_DISMISSED); /* however long it goes on */
    act(&w, TCSI_ACTION_UNDO, second_id, first_id, NULL);
    turn(&w, 5, 20);
    assert_int_equal(last_of(&w, 5)->state, TCSI_LIVE_CONFIRMED);
    tcsi_cell_deinit(&w.cell);
}

static void test_a_true_one_is_heard_at_once(void **state)
{
    (void)state;
    static world w;
    world_init(&w);
    double by = 20; /* the least that opens an episode, which is then not sure at once */
    while (strcmp(bump(&w, 7, by), "SD") != 0 && by > 3) {
        by -= 0.25;
        turns(&w, REST);
    }
    assert_true(by > 3);
    answer(&w, first_id, TCSI_ANSWER_TRUE, TCSI_SCOPE_PATTERN, last_of(&w, 7));
    turns(&w, REST);
    assert_string_equal(bump(&w, 7, by), "SCR");
    tcsi_cell_deinit(&w.cell);
}

/* The same series are silent for as long as was expected, and then for longer. */
static void test_an_expected_silence(void **state)
{
    (void)state;
    static world w;
    world_init(&w);
    const tcsi_pattern pattern = { .series = 102, .kind = TCSI_LIVE_ABSENCE, .begin_ns = 1, .lasted = 300 };
    const tcsi_episode_answer said = { .verdict = TCSI_ANSWER_EXPECTED, .scope = TCSI_SCOPE_SERIES, .confidence = 1, .until_ns = INT64_MAX,
                               .place = 2, .pattern = pattern };
    act(&w, TCSI_ACTION_ANSWER, first_id, "", &said);
    size_t confirmed_after = 0;
    for (size_t i = 1; i < 100; i++) {
        tcsi_live_outcome outcome;
        for (uint32_t s = 0; s < SERIES; s++) {
            const tcsi_live_row row = { .place = s, .time_ns = time_at(w.t), .value = 100 + tcsi_rng_normal(&w.rng) };
            if (s != 2) assert_ok(tcsi_cell_push(&w.cell, &row, w.sequence, time_at(w.t), &outcome, test_err));
        }
        tcsi_cell_tick(&w.cell, ++w.sequence, time_at(w.t), 0, 1);
        w.t++;
        const tcsi_live_event *event = last_of(&w, 2);
        if (event && event->kind == TCSI_LIVE_ABSENCE && event->state == TCSI_LIVE_CONFIRMED && !confirmed_after) confirmed_after = i;
    }
    assert_true(w.cell.answers.suppressed_count == 1);
    assert_int_equal(confirmed_after, 46); /* half as long again as 300 s, and 4 s, at a row every 10 s */
    tcsi_cell_deinit(&w.cell);
}

static void set_limit(world *w)
{
    static const char rules[] = "{\"policies\":[{\"match\":[],\"high\":110}]}";
    tcsi_key key;
    tcsi_key_begin(&key);
    (void)tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), "m", 1);
    assert_int_equal(tcsi_key_finish(&key), TCSI_KEY_NONE);
    assert_ok(tcsi_cell_set_rules(&w->cell, rules, test_err));
    for (uint32_t i = 0; i < SERIES; i++) tcsi_cell_choose_policy(&w->cell, i, &key);
}

/* Of the series' limit: how often it was told in that state, by nobody's answer held. */
static size_t limits_told(const world *w, uint32_t series, tcsi_live_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < w->event_count; i++) {
        const tcsi_live_event *event = &w->events[i];
        if (event->number != 100 + series || event->kind != TCSI_LIVE_LIMIT) continue;
        assert_true(event->suppressed_by.low == 0 && event->severity == 100);
        count += event->state == state;
    }
    return count;
}

/* That it is so high now and then is expected of this series; beyond a limit it is told all the same, whatever is said of that. */
static void test_a_limit_is_never_quiet(void **state)
{
    (void)state;
    static world w;
    world_init(&w);
    assert_string_equal(bump(&w, 3, 20), "SCR");
    answer(&w, first_id, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_SERIES, last_of(&w, 3));
    turns(&w, REST);
    assert_string_equal(bump(&w, 3, 20), "sd");
    set_limit(&w);
    turns(&w, REST);
    assert_string_equal(bump(&w, 3, 20), "CsRd"); /* the anomaly beside it is as quiet as it was */
    assert_true(limits_told(&w, 3, TCSI_LIVE_CONFIRMED) == 1 && limits_told(&w, 3, TCSI_LIVE_RESOLVED) == 1);
    w.event_count = 0;
    turn(&w, 3, 20);
    const tcsi_live_event open = w.events[0];
    assert_int_equal(open.kind, TCSI_LIVE_LIMIT);
    answer(&w, first_id, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_EPISODE, &open);
    answer(&w, second_id, TCSI_ANSWER_NOT_MINE, TCSI_SCOPE_SERIES, &open);
    for (size_t i = 0; i < 20; i++) tcsi_cell_tick(&w.cell, ++w.sequence, time_at(w.t), 0, 1);
    turn(&w, 3, 20);
    turns(&w, 10);
    assert_true(limits_told(&w, 3, TCSI_LIVE_CONFIRMED) == 1 && limits_told(&w, 3, TCSI_LIVE_RESOLVED) == 1);
    assert_true(limits_told(&w, 3, TCSI_LIVE_SUSPECTED) == 0 && limits_told(&w, 3, TCSI_LIVE_DISMISSED) == 0);
    tcsi_cell_deinit(&w.cell);
}

static double threshold_at(world *w, uint8_t share)
{
    return tcsi_cohort_threshold(&w->cell.cohort, (tcsi_cohort_regard){ .share = share });
}

/* The one that was answered *expected* again and again gets less of the budget, the others what it loses; taken back, all are as before. */
static void test_shares_of_the_budget(void **state)
{
    (void)state;
    static world w;
    char id[TCSI_ANSWER_ID_SIZE];
    world_init(&w);
    (void)bump(&w, 3, 20);
    const tcsi_live_event first = *last_of(&w, 3);
    (void)bump(&w, 4, 20);
    const tcsi_live_event events[] = { first, *last_of(&w, 4) };
    const double before = threshold_at(&w, TCSI_COHORT_SHARE_ONE);
    for (unsigned i = 1; i <= 16; i++) {
        tcsi_answer_id_write((tcsi_fingerprint){ .low = i }, id);
        answer(&w, id, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_EPISODE, &events[i % 2]);
    }
    const tcsi_answered *answered = &tcsi_cell_series(&w.cell, 4)->answered;
    assert_int_equal(answered->share, -TCSI_COHORT_SHARE_ONE); /* a quarter */
    assert_int_equal(tcsi_cell_series(&w.cell, 5)->answered.share, 0);
    const double rows = SERIES - 2 + 2 * 0.25;
    assert_near(SERIES / rows, w.cell.cohort.share_norm, 1e-3);
    assert_true(threshold_at(&w, 0) > before && threshold_at(&w, TCSI_COHORT_SHARE_ONE) <= before);
    for (unsigned i = 1; i <= 16; i++) {
        tcsi_answer_id_write((tcsi_fingerprint){ .low = i }, id);
        act(&w, TCSI_ACTION_UNDO, second_id, id, NULL);
    }
    assert_int_equal(answered->share, 0);
    assert_true(w.cell.cohort.share_norm == 1 && threshold_at(&w, TCSI_COHORT_SHARE_ONE) == before);
    tcsi_cell_deinit(&w.cell);
}

/* A row that is not far enough out for an alarm is one, once something like it was true on its series. */
static void test_a_near_miss_is_raised(void **state)
{
    (void)state;
    static world w;
    world_init(&w);
    tcsi_cell_set_rate(&w.cell, 1e-3);
    assert_string_equal(bump(&w, 9, 20), "SCR");
    const tcsi_live_event event = *last_of(&w, 9);
    turns(&w, REST);
    const tcsi_live_series *series = tcsi_cell_series(&w.cell, 9);
    const double unit = (double)series->member.usual * (double)series->member.bar * sqrt((double)series->chart.variance);
    const double between = (0.4 * w.cell.cohort.threshold_low + 0.6 * w.cell.cohort.threshold) * unit;
    assert_string_equal(bump(&w, 9, between), "");
    turns(&w, REST);
    tcsi_live_event near = event; /* as it would have been drawn on the chart: the same, only smaller */
    near.pattern.onset.height = (float)(between / unit);
    near.pattern.onset.shape[TCSI_PATTERN_SHAPE - 1] = tcsi_pattern_step(between / sqrt((double)series->chart.variance));
    answer(&w, first_id, TCSI_ANSWER_TRUE, TCSI_SCOPE_PATTERN, &near);
    assert_true(w.cell.taught.raise_share > 0 && w.cell.cohort.share_norm < 1); /* of the same budget */
    assert_string_equal(bump(&w, 9, between), "SCR");
    act(&w, TCSI_ACTION_UNDO, second_id, first_id, NULL);
    assert_true(w.cell.taught.raise_share == 0 && w.cell.cohort.share_norm == 1);
    tcsi_cell_deinit(&w.cell);
}

/* What an incident's rows moved is taken back, while it lasts and when it is over; what comes later is not touched. */
static void test_incidents_are_no_training_data(void **state)
{
    (void)state;
    static world w;
    world_init(&w);
    const tcsi_live_series *series = tcsi_cell_series(&w.cell, 6);
    const tcsi_live_series before = *series;
    for (size_t i = 0; i < 8; i++) turn(&w, 6, 20);
    assert_true(series->chart.variance > 1.3F * before.chart.variance); /* clipped, but eight rows of it */
    answer(&w, first_id, TCSI_ANSWER_TRUE, TCSI_SCOPE_PATTERN, last_of(&w, 6));
    assert_true(series->chart.variance == before.chart.variance && series->chart.residual_square == before.chart.residual_square);
    for (size_t i = 0; i < 8; i++) turn(&w, 6, 20);
    assert_true(series->chart.variance == before.chart.variance && series->member.usual == before.member.usual);
    turns(&w, 10);
    assert_true(!series->answered.is_incident && series->chart.variance != before.chart.variance); /* it learns again */
    turns(&w, REST);
    const tcsi_live_series then = *series;
    (void)bump(&w, 8, 20);
    const tcsi_scale other = { .variance = tcsi_cell_series(&w.cell, 8)->chart.variance };
    answer(&w, second_id, TCSI_ANSWER_TRUE, TCSI_SCOPE_EPISODE, last_of(&w, 8));
    assert_true(tcsi_cell_series(&w.cell, 8)->chart.variance < other.variance); /* over, and not long ago */
    assert_true(series->chart.variance != before.chart.variance && then.member.count < series->member.count);
    tcsi_cell_deinit(&w.cell);
}

static void test_what_cannot_be_read_changes_nothing(void **state)
{
    (void)state;
    static world w;
    static const char *const documents[] = { "", "{", "{}", "[]", "null", "{\"verdict\":\"expected\"}",
                                             "{\"verdict\":\"perhaps\",\"scope\":\"series\",\"weight\":1,\"until_ns\":\"\",\"place\":0}" };
    world_init(&w);
    for (size_t i = 0; i < TCS_COUNT(documents); i++) {
        const tcsi_action action = { .kind = TCSI_ACTION_ANSWER, .id = first_id, .who = "", .role = "", .object = "",
                                     .document = documents[i] };
        tcsi_cell_act(&w.cell, &action);
    }
    act(&w, TCSI_ACTION_UNDO, first_id, "no answer", NULL);
    act(&w, TCSI_ACTION_UNDO, first_id, second_id, NULL);
    assert_int_equal(w.cell.answers.memory.count, 0);
    tcsi_cell_deinit(&w.cell);
}

/* Saved while an episode is quiet, and loaded: the same goes on. */
static void test_saved_and_loaded(void **state)
{
    (void)state;
    static world w, again;
    tcsi_buffer saved;
    tcs_error err;
    world_init(&w);
    (void)bump(&w, 3, 20);
    answer(&w, first_id, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_PATTERN, last_of(&w, 3));
    turn(&w, 3, 20);
    tcsi_buffer_init(&saved, 1 << 24);
    tcsi_codec codec = tcsi_codec_save(&saved, &err);
    tcsi_cell_persist(&w.cell, &codec);
    assert_ok(tcsi_codec_status(&codec));
    again = w;
    const tcsi_cell_options options = { .rate = 1e-5, .arrival = tcsi_arrival_limits_default(), .series_count_max = SERIES,
                                        .tell = on_event, .self = &again };
    assert_ok(tcsi_cell_init(&again.cell, &options, test_err));
    codec = tcsi_codec_load(saved.data, saved.size, &err);
    tcsi_cell_persist(&again.cell, &codec);
    assert_ok(tcsi_codec_status(&codec));
    w.event_count = again.event_count = 0;
    for (size_t i = 0; i < 20; i++) {
        turn(&w, 3, 20);
        turn(&again, 3, 20);
    }
    assert_true(w.event_count > 0 && w.event_count == again.event_count);
    assert_memory_equal(w.events, again.events, w.event_count * sizeof *w.events);
    tcsi_cell_deinit(&w.cell);
    tcsi_cell_deinit(&again.cell);
    tcsi_buffer_deinit(&saved);
}

/* What was kept of series before their charts had a reach is without one. */
static void test_older_scales_are_read(void **state)
{
    (void)state;
    float scale[] = { 4, 1, 2, 2.5F };
    uint64_t now_of = 3;
    uint32_t count = 0;
    double share = 0.05;
    static tcsi_taught taught;
    tcsi_buffer bytes;
    tcs_error err;
    tcsi_buffer_init(&bytes, 4096);
    tcsi_codec codec = tcsi_codec_save(&bytes, &err);
    tcsi_codec_tag(&codec, "TAUG");
    for (size_t i = 0; i < TCS_COUNT(scale); i++) tcsi_codec_f32(&codec, &scale[i]);
    tcsi_codec_u64(&codec, &now_of);
    tcsi_codec_u32(&codec, &count);
    tcsi_codec_f64(&codec, &share);
    codec = tcsi_codec_load(bytes.data, bytes.size, &err);
    tcsi_taught_persist(&taught, &codec);
    assert_int_equal(tcsi_codec_status(&codec), TCS_OK);
    assert_true(taught.now.residual_square == 2 && taught.now.reach == 0 && taught.now.usual == 2.5F && taught.now_of == 3);
    assert_true(taught.raise_share == 0.05);
    tcsi_buffer_deinit(&bytes);
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_next_like_it_is_quiet), cmocka_unit_test(test_a_quiet_one_that_grows_is_heard),
              cmocka_unit_test(test_an_open_episode_is_answered), cmocka_unit_test(test_a_true_one_is_heard_at_once),
              cmocka_unit_test(test_an_expected_silence), cmocka_unit_test(test_a_limit_is_never_quiet),
              cmocka_unit_test(test_shares_of_the_budget),
              cmocka_unit_test(test_a_near_miss_is_raised), cmocka_unit_test(test_incidents_are_no_training_data),
              cmocka_unit_test(test_what_cannot_be_read_changes_nothing), cmocka_unit_test(test_older_scales_are_read),
              cmocka_unit_test(test_saved_and_loaded))
