/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "serve/shard/cell.h"
#include "serve/shard/verdicts.h"

enum { SERIES = 40, HEARD_MAX = 8192, QUIET = UINT32_MAX };
static const int64_t STEP_NS = INT64_C(1000000000), START_NS = INT64_C(1700000000000000000);
static const double RATE = 1e-4;

/* A cell of noisy series, and somebody who answers, or does not. */
typedef struct world {
    tcsi_cell cell;
    tcsi_rng rng;
    size_t t;
    uint64_t sequence;
    tcsi_live_event events[HEARD_MAX];
    size_t event_count;
    tcsi_deep_question questions[HEARD_MAX];
    size_t question_count;
} world;

static int64_t now_of(const world *w) { return START_NS + (int64_t)w->t * STEP_NS; }

static void on_event(void *self, const tcsi_live_event *event)
{
    world *w = self;
    assert_true(w->event_count < HEARD_MAX);
    w->events[w->event_count++] = *event;
}

static void on_question(void *self, const tcsi_deep_question *question)
{
    world *w = self;
    assert_true(w->question_count < HEARD_MAX);
    w->questions[w->question_count++] = *question;
}

static void init_cell(world *w, bool is_on)
{
    uint32_t place;
    const tcsi_cell_options options = { .rate = RATE, .arrival = tcsi_arrival_limits_default(), .series_count_max = SERIES,
                                        .tell = on_event, .ask = on_question, .self = w,
                                        .second_look = { .is_on = is_on, .sampled_per_s = 2, .deadline_ns = STEP_NS } };
    assert_ok(tcsi_cell_init(&w->cell, &options, test_err));
    for (uint32_t i = 0; i < SERIES; i++) assert_ok(tcsi_cell_add(&w->cell, i, TCSI_SERIES_GAUGE, &place, test_err));
    tcsi_second_look_set_share(&w->cell.second_look, 1, SERIES);
}

static void push(world *w, uint32_t series, double value)
{
    tcsi_live_outcome outcome;
    const tcsi_live_row row = { .place = series, .time_ns = now_of(w), .value = value };
    assert_ok(tcsi_cell_push(&w->cell, &row, w->sequence, now_of(w), &outcome, test_err));
}

/* A row of every series but one, a moment later. */
static void turn(world *w, uint32_t but)
{
    w->t++;
    w->sequence++;
    for (uint32_t i = 0; i < SERIES; i++) {
        const double noise = tcsi_rng_normal(&w->rng);
        if (i != but) push(w, i, 100 * i + noise);
    }
}

static void answer(world *w, const tcsi_deep_question *question, float p_value, bool is_untrained)
{
    const tcsi_deep_answer a = { .serial = question->serial, .number = question->number, .p_value = p_value, .is_untrained = is_untrained };
    tcsi_second_look_hear(&w->cell, &a, ++w->sequence);
}

/* Everybody is answered that nothing is strange. */
static void calm(world *w)
{
    for (size_t i = 0; i < w->question_count; i++) answer(w, &w->questions[i], 0.7f, false);
    w->question_count = 0;
}

static void tick(world *w)
{
    tcsi_cell_tick(&w->cell, ++w->sequence, now_of(w), 0, 1);
}

static world *world_of(uint64_t seed, bool is_on)
{
    static world w;
    w = (world){ .rng = tcsi_rng_make(seed, 0) };
    init_cell(&w, is_on);
    for (int i = 0; i < 800; i++) {
        turn(&w, QUIET);
        calm(&w);
        tick(&w);
    }
    w.event_count = w.question_count = 0;
    return &w;
}

/* What rises a little above what the budget leaves to chance, or far above. */
static double height_of(const world *w, uint32_t series, double times)
{
    double expected, deviation;
    const tcsi_live_series *s = tcsi_cell_series(&w->cell, series);
    tcsi_residual_chart_expect(&s->chart, &expected, &deviation);
    return expected + times * w->cell.cohort.threshold * (double)s->member.usual * (double)s->member.bar * deviation;
}

/* The same by its distance from the level: what stays there. */
static double shift_of(const world *w, uint32_t series, double times)
{
    const tcsi_live_series *s = tcsi_cell_series(&w->cell, series);
    const double deviation = 1 / tcsi_residual_chart_distance(&s->chart, s->chart.level + 1);
    return s->chart.level + times * w->cell.cohort.threshold * (double)s->member.usual * (double)s->member.bar * deviation;
}

/* Rises, and everything else as usual. */
static void rise(world *w, uint32_t series, double times)
{
    turn(w, series);
    w->question_count = w->event_count = 0;
    push(w, series, height_of(w, series, times));
}

static const tcsi_deep_question *question_about(const world *w, uint32_t series)
{
    for (size_t i = 0; i < w->question_count; i++)
        if (w->questions[i].number == series && w->questions[i].sort == TCSI_QUESTION_ESCALATED) return &w->questions[i];
    return NULL;
}

/* States told of a series, and verdicts: "Sp" is suspected and pending; updates in brackets. */
static const char *story(const world *w, uint32_t series)
{
    static char text[512];
    size_t size = 0;
    text[0] = 0;
    for (size_t i = 0; i < w->event_count; i++) {
        const tcsi_live_event *e = &w->events[i];
        if (e->number != series || e->kind != TCSI_LIVE_ANOMALY) continue;
        size += (size_t)snprintf(text + size, sizeof text - size, "%s%s%c%c%s", size ? " " : "", e->is_update ? "(" : "", "SCRD"[e->state],
                                 "npcou"[e->episode.verdict], e->is_update ? ")" : "");
    }
    return text;
}

static tcs_error failure;

static void test_an_answer_confirms_early(void **state)
{
    (void)state;
    world *w = world_of(1, true);
    rise(w, 7, 1.05);
    assert_string_equal(story(w, 7), "Sp");
    const tcsi_deep_question *q = question_about(w, 7);
    assert_non_null(q);
    assert_true(q->received_ns == now_of(w) && q->height > 1);
    const uint64_t rows_sequence = w->sequence;
    assert_true(w->events[0].sequence == rows_sequence && w->events[0].rows_sequence == rows_sequence);
    turn(w, QUIET); /* the answer takes its time */
    answer(w, q, 0.001f, false);
    assert_string_equal(story(w, 7), "Sp Cc");
    assert_true(w->events[w->event_count - 1].episode.deep_p_value < 0.01f);
    assert_int_equal(w->events[w->event_count - 1].sequence, w->sequence); /* the record that made it so */
    assert_int_equal(w->events[w->event_count - 1].rows_sequence, rows_sequence);
    for (int i = 0; i < 12; i++) turn(w, QUIET);
    assert_string_equal(story(w, 7), "Sp Cc Rc");
    tcsi_cell_deinit(&w->cell);
}

/* What would have been confirmed by its length, or its height, is not; what is far rarer is. */
static void test_an_answer_holds_back(void **state)
{
    (void)state;
    world *w = world_of(2, true);
    rise(w, 9, 1.05);
    answer(w, question_about(w, 9), 0.9f, false);
    assert_string_equal(story(w, 9), "Sp (So)");
    for (int i = 0; i < 8; i++) { /* it lasts */
        turn(w, 9);
        w->question_count = 0;
        push(w, 9, shift_of(w, 9, 0.95));
        if (question_about(w, 9)) answer(w, question_about(w, 9), 0.8f, false);
    }
    assert_true(tcsi_cell_series(&w->cell, 9)->anomaly.lasted > 4);
    assert_string_equal(story(w, 9), "Sp (So)");
    rise(w, 11, 8);
    assert_string_equal(story(w, 11), "Sp Cp"); /* beyond doubt: it waits for nobody */
    tcsi_cell_deinit(&w->cell);
}

static void test_without_an_answer_the_fast_layer_decides(void **state)
{
    (void)state;
    world *w = world_of(3, true);
    rise(w, 5, 1.05);
    tick(w); /* no time has passed */
    assert_string_equal(story(w, 5), "Sp");
    const tcsi_deep_question asked = *question_about(w, 5);
    w->t++;
    tick(w);
    assert_string_equal(story(w, 5), "Sp (Su)");
    assert_true(w->events[w->event_count - 1].rows_sequence < w->events[w->event_count - 1].sequence);
    assert_true(w->cell.second_look.counts.expired >= w->question_count);
    const size_t told = w->event_count;
    answer(w, &asked, 1e-6f, false); /* too late */
    assert_int_equal(w->event_count, told);
    w->t--;
    for (int i = 0; i < 6 && !strchr(story(w, 5), 'C'); i++) {
        turn(w, 5);
        push(w, 5, height_of(w, 5, 1.05));
        w->t++;
        tick(w);
        w->t--;
    }
    assert_non_null(strstr(story(w, 5), "Cu")); /* by lasting */
    tcsi_cell_deinit(&w->cell);
}

static void test_while_nothing_is_learned_there_is_no_verdict(void **state)
{
    (void)state;
    world *w = world_of(4, true);
    rise(w, 5, 1.05);
    answer(w, question_about(w, 5), 1, true);
    assert_string_equal(story(w, 5), "Sp (Sn)");
    assert_true(w->cell.second_look.counts.untrained == 1);
    tcsi_cell_deinit(&w->cell);
    w = world_of(4, false); /* off */
    rise(w, 5, 1.05);
    assert_string_equal(story(w, 5), "Sn");
    assert_int_equal(w->question_count, 0);
    tcsi_cell_deinit(&w->cell);
}

static const tcsi_deep_question *next_of_sample(world *w)
{
    for (w->question_count = 0;; turn(w, QUIET))
        if (w->question_count && w->questions[w->question_count - 1].sort == TCSI_QUESTION_SAMPLED)
            return &w->questions[w->question_count - 1];
}

static void test_an_answer_may_open_an_episode(void **state)
{
    (void)state;
    world *w = world_of(5, true);
    const tcsi_deep_question q = *next_of_sample(w);
    answer(w, &q, 1e-3f, false); /* a twentieth of the rows is asked: five times more than is allowed */
    assert_string_equal(story(w, q.number), "");
    const tcsi_deep_question r = *next_of_sample(w);
    const size_t t = w->t;
    answer(w, &r, 1e-5f, false);
    assert_string_equal(story(w, r.number), "Sc Cc");
    const tcsi_live_event *event = &w->events[w->event_count - 1];
    assert_true(event->episode.begin_ns == START_NS + (int64_t)t * STEP_NS && event->episode.height > 0 && event->episode.lasted == 1);
    assert_true(w->cell.second_look.counts.opened == 1 && w->cell.second_look.counts.missed > 10);
    for (int i = 0; i < 12; i++) turn(w, QUIET);
    assert_string_equal(story(w, r.number), "Sc Cc Rc");
    tcsi_cell_deinit(&w->cell);
}

/* A question goes out with the height it has beneath the bar of then; the bar has risen when the answer comes. */
static void test_a_late_answer_opens_what_can_be_loaded(void **state)
{
    (void)state;
    world *w = world_of(9, true);
    static tcsi_cell other;
    const tcsi_cell_options options = { .rate = RATE, .arrival = tcsi_arrival_limits_default(), .series_count_max = SERIES,
                                        .tell = on_event, .ask = on_question, .self = w };
    tcsi_buffer out;
    const tcsi_deep_question q = *next_of_sample(w);
    tcsi_live_series *series = tcsi_cell_touch(&w->cell, 0);
    while (series->number != q.number) series++;
    tcsi_second_look *look = &w->cell.second_look;
    for (uint64_t serial = look->first; serial < look->next; serial++) {
        tcsi_waiting *waiting = &look->waiting[serial % (tcsi_second_look_size() / sizeof *waiting)];
        if (serial == q.serial) waiting->height = (float)(TCSI_COHORT_HEIGHT_MAX / (double)series->member.bar);
    }
    series->member.bar *= 3;
    answer(w, &q, 1e-9f, false);
    assert_string_equal(story(w, q.number), "Sc Cc");
    tcsi_buffer_init(&out, 1 << 24);
    tcsi_codec codec = tcsi_codec_save(&out, &failure);
    tcsi_cell_persist(&w->cell, &codec);
    assert_ok(tcsi_cell_init(&other, &options, test_err));
    codec = tcsi_codec_load(out.data, out.size, &failure);
    tcsi_cell_persist(&other, &codec);
    assert_ok(tcsi_codec_status(&codec));
    tcsi_cell_deinit(&other);
    tcsi_cell_deinit(&w->cell);
    tcsi_buffer_deinit(&out);
}

/* So many a second by the stamps, and the same ones again. */
static void test_the_sample_is_what_was_promised(void **state)
{
    (void)state;
    uint64_t sums[2] = { 0 };
    for (int round = 0; round < 2; round++) {
        world *w = world_of(6, true);
        size_t count = 0;
        for (int i = 0; i < 2000; i++) {
            turn(w, QUIET);
            for (size_t k = 0; k < w->question_count; k++) {
                count += w->questions[k].sort == TCSI_QUESTION_SAMPLED;
                sums[round] = sums[round] * 31 + w->questions[k].number;
            }
            calm(w);
        }
        assert_true(count > 3700 && count < 4300);
        tcsi_cell_deinit(&w->cell);
    }
    assert_true(sums[0] == sums[1]);
}

static void test_overload_is_unconfirmed_and_the_breaker_opens_and_closes(void **state)
{
    (void)state;
    world *w = world_of(7, true);
    tcsi_second_look_set_share(&w->cell.second_look, 1000, SERIES); /* every row is asked about, and nobody answers */
    for (int i = 0; i < 20; i++) turn(w, QUIET);
    const tcsi_second_look_counts *counts = &w->cell.second_look.counts;
    assert_true(w->question_count == 512 && counts->overflowed > 200);
    rise(w, 5, 1.05);
    assert_string_equal(story(w, 5), "Su");
    w->t += 2;
    tick(w);
    assert_int_equal(w->cell.second_look.breaker.state, TCSI_BREAKER_OPEN);
    tcsi_second_look_set_share(&w->cell.second_look, 1, SERIES);
    for (int i = 0; i < 10; i++) {
        w->question_count = 0;
        turn(w, QUIET);
        assert_int_equal(w->question_count, 0);
        tick(w);
    }
    assert_true(counts->held_back > 0);
    for (int i = 0; i < 10; i++) {
        turn(w, QUIET);
        calm(w);
        tick(w);
    }
    assert_int_equal(w->cell.second_look.breaker.state, TCSI_BREAKER_CLOSED);
    tcsi_cell_deinit(&w->cell);
}

/* Saved with questions on their way, and loaded: the same answers do the same. */
static void test_saved_and_loaded_is_never_stopped(void **state)
{
    (void)state;
    world *w = world_of(8, true);
    static world other;
    tcsi_buffer out[2];
    rise(w, 3, 1.05);
    turn(w, QUIET);
    const tcsi_deep_question q = *question_about(w, 3);
    for (int i = 0; i < 2; i++) tcsi_buffer_init(&out[i], 1 << 24);
    tcsi_codec codec = tcsi_codec_save(&out[0], &failure);
    tcsi_cell_persist(&w->cell, &codec);
    other = (world){ .rng = w->rng, .t = w->t, .sequence = w->sequence };
    const tcsi_cell_options options = { .rate = RATE, .arrival = tcsi_arrival_limits_default(), .series_count_max = SERIES,
                                        .tell = on_event, .ask = on_question, .self = &other };
    assert_ok(tcsi_cell_init(&other.cell, &options, test_err));
    codec = tcsi_codec_load(out[0].data, out[0].size, &failure);
    tcsi_cell_persist(&other.cell, &codec);
    assert_ok(tcsi_codec_status(&codec));
    w->event_count = 0;
    world *both[] = { w, &other };
    for (int k = 0; k < 2; k++) {
        answer(both[k], &q, 0.01f, false);
        for (int i = 0; i < 50; i++) {
            turn(both[k], QUIET);
            tick(both[k]);
        }
        tcsi_buffer_clear(&out[k]);
        codec = tcsi_codec_save(&out[k], &failure);
        tcsi_cell_persist(&both[k]->cell, &codec);
    }
    assert_non_null(strstr(story(&other, 3), "Cc"));
    assert_int_equal(out[0].size, out[1].size);
    assert_memory_equal(out[0].data, out[1].data, out[0].size);
    tcsi_cell_deinit(&w->cell);
    tcsi_cell_deinit(&other.cell);
    for (int i = 0; i < 2; i++) tcsi_buffer_deinit(&out[i]);
}

static void test_verdicts_are_read_as_written(void **state)
{
    (void)state;
    tcsi_buffer out;
    size_t count;
    char hash[TCSI_HASH_TEXT_SIZE];
    unsigned char digest[TCSI_HASH_SIZE];
    const tcsi_deep_answer answers[] = { { .serial = UINT64_MAX - 5, .number = 7, .p_value = 1e-30f },
                                         { .serial = 1, .number = UINT32_MAX, .is_untrained = true, .p_value = 1 } };
    tcsi_buffer_init(&out, 1 << 12);
    tcsi_hash_bytes("model", 5, digest);
    tcsi_hash_text(digest, hash);
    assert_ok(tcsi_verdicts_write(hash, answers, 2, &out, test_err));
    assert_memory_equal(out.data, digest, sizeof digest);
    assert_ok(tcsi_verdicts_check(out.data, out.size, &count, test_err));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < 2; i++) {
        const tcsi_deep_answer read = tcsi_verdicts_at(out.data, i);
        assert_true(read.serial == answers[i].serial && read.number == answers[i].number && read.p_value == answers[i].p_value &&
                    read.is_untrained == answers[i].is_untrained);
    }
    for (size_t size = 0; size < out.size; size++)
        assert_int_equal(tcsi_verdicts_check(out.data, size, &count, &failure), TCS_E_FORMAT);
    static const float wrong[] = { 0, -1, 1.5f, NAN, INFINITY };
    for (size_t i = 0; i < TCS_COUNT(wrong); i++) {
        tcsi_buffer_clear(&out);
        const tcsi_deep_answer bad = { .serial = 1, .number = 1, .p_value = wrong[i] };
        assert_ok(tcsi_verdicts_write("", &bad, 1, &out, test_err));
        assert_int_equal(tcsi_verdicts_check(out.data, out.size, &count, &failure), TCS_E_FORMAT);
    }
    tcsi_buffer_deinit(&out);
}

TCS_TEST_MAIN(cmocka_unit_test(test_an_answer_confirms_early), cmocka_unit_test(test_an_answer_holds_back),
              cmocka_unit_test(test_without_an_answer_the_fast_layer_decides),
              cmocka_unit_test(test_while_nothing_is_learned_there_is_no_verdict), cmocka_unit_test(test_an_answer_may_open_an_episode),
              cmocka_unit_test(test_a_late_answer_opens_what_can_be_loaded),
              cmocka_unit_test(test_the_sample_is_what_was_promised),
              cmocka_unit_test(test_overload_is_unconfirmed_and_the_breaker_opens_and_closes),
              cmocka_unit_test(test_saved_and_loaded_is_never_stopped), cmocka_unit_test(test_verdicts_are_read_as_written))
