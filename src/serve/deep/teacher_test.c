/* Networks that wait for a challenger's trial, for how long, and who does not wait.  SPDX-License-Identifier: Apache-2.0 */
#include "folder.h"
#include "test.h"

#include "base/clock.h"
#include "base/rng.h"
#include "serve/deep/challenger.h"
#include "serve/deep/teacher.h"
#include "serve/models/models.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { SERIES = 20, ANSWERS_MAX = 120, WAIT_S = 120 };
static const int64_t HOUR_NS = INT64_C(3600) * 1000000000;

/* ---- the rule ---- */

static void test_a_champion_is_held_for_a_day(void **state)
{
    tcsi_deep_hold hold = { .is_on = false };
    const int64_t begin_ns = 1000 * HOUR_NS;
    (void)state;
    tcsi_deep_hold_look(&hold, "a", false, begin_ns, begin_ns);
    assert_false(hold.is_on); /* nobody is on trial */
    tcsi_deep_hold_look(&hold, "a", true, begin_ns, begin_ns + HOUR_NS);
    assert_true(hold.is_on && hold.begin_ns == begin_ns && hold.end_ns == begin_ns + 24 * HOUR_NS);
    tcsi_deep_hold_look(&hold, "a", false, begin_ns, begin_ns + 2 * HOUR_NS);
    assert_false(hold.is_on); /* its rows have judged it */
    tcsi_deep_hold_look(&hold, "a", true, begin_ns + 20 * HOUR_NS, begin_ns + 24 * HOUR_NS - 1);
    assert_true(hold.is_on && hold.end_ns == begin_ns + 24 * HOUR_NS); /* the next challenger lengthens nothing */
    tcsi_deep_hold_look(&hold, "a", true, begin_ns + 20 * HOUR_NS, begin_ns + 24 * HOUR_NS);
    assert_false(hold.is_on);
    tcsi_deep_hold_look(&hold, "b", true, begin_ns + 25 * HOUR_NS, begin_ns + 25 * HOUR_NS);
    assert_true(hold.is_on); /* another champion has a day of its own */
    tcsi_deep_hold_look(&hold, "c", true, begin_ns + 30 * HOUR_NS, begin_ns + 26 * HOUR_NS);
    assert_true(hold.is_on && hold.end_ns == begin_ns + 50 * HOUR_NS); /* a clock that was set back */
    tcsi_deep_hold restarted = { .is_on = false };
    tcsi_deep_hold_look(&restarted, "a", true, begin_ns, begin_ns + 25 * HOUR_NS);
    assert_false(restarted.is_on);
}

static void test_a_champion_that_does_not_hold_up(void **state)
{
    (void)state;
    assert_true(tcsi_deep_hold_is_worn(1, 1.6));
    assert_false(tcsi_deep_hold_is_worn(1, 1.4));
    assert_false(tcsi_deep_hold_is_worn(1, 0.2));
    assert_false(tcsi_deep_hold_is_worn(0, 9)); /* nobody knows */
}

/* ---- a teacher, and a clock that the test sets ---- */

typedef struct stage {
    tcsi_store *store, *mine;    /* the teacher's, and ours: two handles of one file */
    tcsi_teacher *teacher;
    pthread_mutex_t mutex;       /* of what follows */
    char champion[TCSI_HASH_TEXT_SIZE], challenger[TCSI_HASH_TEXT_SIZE];
    uint64_t compared;           /* rows that both are said to have scored */
    uint64_t pushed;             /* seed of the next window */
} stage;

static _Atomic int64_t now_ns;

static int64_t read_clock(void *context)
{
    (void)context;
    return atomic_load(&now_ns);
}

static void nap(void) { nanosleep(&(struct timespec){ 0, 5000000 }, NULL); }

static void on_publish(void *self, tcsi_deep_model *model)
{
    stage *s = self;
    pthread_mutex_lock(&s->mutex);
    memcpy(s->champion, model->hash, sizeof s->champion);
    s->compared = 0;
    pthread_mutex_unlock(&s->mutex);
    tcsi_deep_model_release(model);
}

static void on_challenge(void *self, tcsi_deep_model *model, const tcsi_canary *canary)
{
    stage *s = self;
    (void)canary;
    pthread_mutex_lock(&s->mutex);
    snprintf(s->challenger, sizeof s->challenger, "%s", model ? model->hash : "");
    s->compared = 0;
    pthread_mutex_unlock(&s->mutex);
    tcsi_deep_model_release(model);
}

/* As alike as the gates wish for. */
static void tell_shadow(void *self, tcsi_deep_shadow *ret_shadow)
{
    stage *s = self;
    pthread_mutex_lock(&s->mutex);
    *ret_shadow = (tcsi_deep_shadow){ .compared = s->compared, .both = s->compared / 10 };
    memcpy(ret_shadow->model, s->challenger, sizeof ret_shadow->model);
    pthread_mutex_unlock(&s->mutex);
}

/* Waves with noise, as each series has its own, and a spike at the end: of 0 none. */
static void make_window(uint64_t seed, double noise, double spike, int16_t ret_rows[TCSI_LAST_ROWS])
{
    tcsi_last_rows rows = { 0 };
    tcsi_rng rng = tcsi_rng_make(seed, 5);
    const double pace = tcsi_rng_range(&rng, 0.3, 0.8), phase = tcsi_rng_range(&rng, 0, 6);
    for (int t = 0; t < TCSI_LAST_ROWS; t++)
        tcsi_last_rows_push(&rows, sin(pace * t + phase) + noise * tcsi_rng_normal(&rng) + (t == TCSI_LAST_ROWS - 1 ? spike : 0));
    assert_true(tcsi_last_rows_window(&rows, ret_rows));
}

static void push(stage *s, tcsi_question_sort sort, size_t count, double noise)
{
    int16_t rows[TCSI_LAST_ROWS];
    for (size_t i = 0; i < count; i++) {
        const uint64_t seed = s->pushed++;
        make_window(seed, noise, sort == TCSI_QUESTION_ESCALATED ? seed % 2 ? 5 : -5 : 0, rows);
        tcsi_teacher_push(s->teacher, sort, rows);
    }
}

/* What only labels can tell: rises matter, falls do not. */
static void answer_one(tcsi_store *store, size_t i)
{
    char id[16];
    int16_t rows[TCSI_LAST_ROWS];
    tcsi_buffer document;
    tcsi_json_writer writer;
    snprintf(id, sizeof id, "e%zu", i);
    make_window(100000 + i, 0.3, i % 2 ? 5 : -5, rows);
    tcsi_buffer_init(&document, 1 << 16);
    tcsi_json_writer_init(&writer, &document, false);
    assert_ok(tcsi_deep_window_write(rows, &writer, test_err));
    const int64_t series = 1 + (int64_t)(i * 7 % SERIES);
    tcsi_store_record record = { .kind = TCSI_STORE_EPISODE, .id = id, .series_id = series, .begin_ns = 1, .end_ns = 2, .document = "{}" };
    assert_ok(tcsi_store_record_put(store, &record, test_err));
    record.kind = TCSI_STORE_WINDOW;
    record.document = document.data;
    assert_ok(tcsi_store_record_put(store, &record, test_err));
    const tcsi_store_label label = { .id = id, .episode_id = id, .verdict = i % 2 ? "true" : "expected", .author = "ann",
                                     .time_ns = 1 + (int64_t)i, .undoes = "", .document = "{\"confidence\":1}" };
    assert_ok(tcsi_store_label_put(store, &label, test_err));
    tcsi_buffer_deinit(&document);
}

static void put_series(tcsi_store *store)
{
    for (int i = 0; i < SERIES; i++) {
        char name[16];
        int64_t id;
        snprintf(name, sizeof name, "m%d", i);
        const tcsi_store_series series = { .tags = name, .tags_size = strlen(name), .text = name };
        assert_ok(tcsi_store_series_put(store, &series, &id, test_err));
    }
}

static bool is_in_time(stage *s, bool (*is)(stage *s))
{
    for (int i = 0; i < 200 * WAIT_S; i++, nap())
        if (is(s)) return true;
    return false;
}

static void champion_of(stage *s, char ret_hash[TCSI_HASH_TEXT_SIZE])
{
    pthread_mutex_lock(&s->mutex);
    memcpy(ret_hash, s->champion, TCSI_HASH_TEXT_SIZE);
    pthread_mutex_unlock(&s->mutex);
}

static bool has_champion(stage *s)
{
    char hash[TCSI_HASH_TEXT_SIZE];
    champion_of(s, hash);
    return *hash && tcsi_teacher_stat(s->teacher).trained_count == 1;
}

static bool is_held(stage *s) { return tcsi_teacher_stat(s->teacher).hold.is_on; }
static bool is_free(stage *s) { return !is_held(s); }
static bool has_waiting(stage *s) { return *tcsi_teacher_stat(s->teacher).waiting != 0; }

static char awaited[TCSI_HASH_TEXT_SIZE]; /* as champion */

static bool has_come(stage *s)
{
    char hash[TCSI_HASH_TEXT_SIZE];
    champion_of(s, hash);
    return strcmp(hash, awaited) == 0;
}

/* A champion, held for a challenger that is on trial. */
static int begin(void **state)
{
    static stage s;
    char file[FOLDER_PATH_SIZE];
    s = (stage){ .pushed = 1 };
    assert_int_equal(folder_make(state), 0);
    *state = &s;
    path_of("store", file);
    assert_ok(tcsi_store_open(file, NULL, &s.store, test_err));
    assert_ok(tcsi_store_open(file, NULL, &s.mine, test_err));
    put_series(s.mine);
    pthread_mutex_init(&s.mutex, NULL);
    atomic_store(&now_ns, 1000 * HOUR_NS);
    static const tcsi_clock hand_set = { .wall_ns = read_clock, .monotonic_ns = read_clock };
    tcsi_clock_set(&hand_set);
    const tcsi_teacher_options options = { .share = 1, .store = s.store, .publish = on_publish, .challenge = on_challenge,
                                           .compared = tell_shadow, .self = &s };
    assert_ok(tcsi_teacher_create(&options, &s.teacher, test_err));
    push(&s, TCSI_QUESTION_ESCALATED, 250, 0.3);
    push(&s, TCSI_QUESTION_SAMPLED, TCSI_DEEP_WINDOWS_MIN, 0.3);
    assert_true(is_in_time(&s, has_champion));
    /* One gate is of processor time: who fails it is followed by another. */
    for (size_t answered = 0; answered < ANSWERS_MAX && !is_held(&s);) {
        const size_t more = answered ? ANSWERS_MAX / 10 : ANSWERS_MAX / 2;
        assert_ok(tcsi_store_begin(s.mine, test_err));
        for (size_t i = 0; i < more; i++) answer_one(s.mine, answered++);
        assert_ok(tcsi_store_commit(s.mine, test_err));
        for (int i = 0; i < 1000 && !is_held(&s); i++) nap();
    }
    assert_true(is_held(&s));
    champion_of(&s, awaited);
    return 0;
}

static int end(void **state)
{
    stage *s = *state;
    tcsi_teacher_destroy(s->teacher);
    tcsi_store_close(s->store);
    tcsi_store_close(s->mine);
    pthread_mutex_destroy(&s->mutex);
    tcsi_clock_set(NULL);
    return folder_remove(state);
}

static void let_one_wait(stage *s)
{
    push(s, TCSI_QUESTION_ESCALATED, 150, 0.3); /* half as many again: what scores mean is told anew */
    assert_true(is_in_time(s, has_waiting));
    assert_true(has_come(s) && is_held(s));     /* the champion is who it was */
}

static void expect_note(stage *s, const char *hash, const char *words)
{
    tcsi_arena arena;
    tcsi_model model;
    tcsi_arena_init(&arena, 1 << 26);
    assert_ok(tcsi_models_find(s->mine, hash, &arena, &model, test_err));
    assert_non_null(strstr(model.note, words));
    assert_false(model.is_champion || model.is_challenger);
    tcsi_arena_deinit(&arena);
}

static void test_whoever_waits_takes_over_after_a_day(void **state)
{
    stage *s = *state;
    let_one_wait(s);
    const tcsi_teacher_stats stats = tcsi_teacher_stat(s->teacher);
    expect_note(s, stats.waiting, "waits for the trial of challenger");
    assert_int_equal(stats.hold.end_ns, 1024 * HOUR_NS);
    memcpy(awaited, stats.waiting, sizeof awaited);
    atomic_store(&now_ns, 1024 * HOUR_NS - 1);
    for (int i = 0; i < 200; i++) nap();
    assert_false(has_come(s));
    atomic_store(&now_ns, 1024 * HOUR_NS);
    assert_true(is_in_time(s, has_come));
}

static void test_a_challenger_decides_by_itself(void **state)
{
    stage *s = *state;
    let_one_wait(s);
    pthread_mutex_lock(&s->mutex);
    memcpy(awaited, s->challenger, sizeof awaited);
    s->compared = 300;
    pthread_mutex_unlock(&s->mutex);
    assert_true(is_in_time(s, has_come));
    assert_true(is_in_time(s, is_free));
    for (int i = 0; i < 200; i++) nap(); /* who waited was better than another champion: it does not come */
    assert_true(has_come(s) && !has_waiting(s));
}

static void test_a_person_waits_for_nobody(void **state)
{
    stage *s = *state;
    char decides[TCSI_HASH_TEXT_SIZE];
    let_one_wait(s);
    const tcsi_teacher_stats stats = tcsi_teacher_stat(s->teacher);
    memcpy(awaited, stats.waiting, sizeof awaited);
    assert_ok(tcsi_models_promote(s->mine, TCSI_DEEP_ALIAS, awaited, "because", "ann", 1000 * HOUR_NS, decides, test_err));
    assert_true(is_in_time(s, has_come));
}

static bool count_one(void *context, const tcsi_model *model)
{
    *(size_t *)context += strstr(model->note, "kept beside challenger") != NULL;
    return true;
}

static bool has_kept_one(stage *s)
{
    size_t count = 0;
    assert_ok(tcsi_models_list(s->mine, count_one, &count, test_err));
    return count == 1;
}

/* A champion of people's choice: what the service trains does not decide, and takes nobody's place either. */
static void test_who_learned_from_answers_keeps_its_place(void **state)
{
    stage *s = *state;
    char decides[TCSI_HASH_TEXT_SIZE], challenger[TCSI_HASH_TEXT_SIZE], now[TCSI_HASH_TEXT_SIZE];
    bool is_found;
    assert_ok(tcsi_store_alias_get(s->mine, "challenger", challenger, &is_found, test_err));
    assert_true(is_found);
    let_one_wait(s);
    const tcsi_teacher_stats stats = tcsi_teacher_stat(s->teacher);
    assert_ok(tcsi_models_promote(s->mine, TCSI_DEEP_ALIAS, stats.waiting, "because", "ann", 1000 * HOUR_NS, decides, test_err));
    assert_ok(tcsi_models_promote(s->mine, TCSI_DEEP_ALIAS, "", "after all", "ann", 1000 * HOUR_NS, decides, test_err));
    assert_true(is_in_time(s, has_come) && is_in_time(s, is_free));
    push(s, TCSI_QUESTION_ESCALATED, 300, 0.3);
    assert_true(is_in_time(s, has_kept_one));
    assert_ok(tcsi_store_alias_get(s->mine, "challenger", now, &is_found, test_err));
    assert_true(is_found);
    assert_string_equal(now, challenger);
}

static void test_a_worn_champion_is_not_waited_for(void **state)
{
    stage *s = *state;
    push(s, TCSI_QUESTION_SAMPLED, 8000, 3); /* what is ordinary is another thing now */
    for (int i = 0; i < 200 * WAIT_S && has_come(s); i++) nap();
    assert_false(has_come(s));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
TCS_TEST_MAIN(cmocka_unit_test(test_a_champion_is_held_for_a_day), cmocka_unit_test(test_a_champion_that_does_not_hold_up),
              CASE(test_whoever_waits_takes_over_after_a_day), CASE(test_a_challenger_decides_by_itself),
              CASE(test_a_person_waits_for_nobody), CASE(test_a_worn_champion_is_not_waited_for),
              CASE(test_who_learned_from_answers_keeps_its_place))
