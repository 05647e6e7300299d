/* What people answer, as a labelled set; what a challenger learns of it, and whether it may decide.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "series/key.h"
#include "serve/deep/challenger.h"
#include "serve/deep/past.h"
#include "serve/deep/reason.h"
#include "serve/deep/trial.h"
#include "serve/models/models.h"

enum { SERIES = 20, WINDOWS = 1500, ESCALATED = 200 };

static tcs_error failure;

/* ---- a store with episodes ---- */

static tcsi_store *store;

static int begin(void **state)
{
    (void)state;
    const tcsi_store_options scratch = { .scratch = true };
    assert_ok(tcsi_store_open("", &scratch, &store, test_err));
    for (int i = 0; i < SERIES; i++) {
        char name[16];
        tcsi_key key;
        int64_t id;
        tcsi_key_begin(&key);
        snprintf(name, sizeof name, "m%d", i);
        assert_int_equal(tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), name, strlen(name)), TCSI_KEY_NONE);
        assert_int_equal(tcsi_key_finish(&key), TCSI_KEY_NONE);
        const tcsi_store_series series = { .tags = name, .tags_size = strlen(name), .text = name };
        assert_ok(tcsi_store_series_put(store, &series, &id, test_err));
        assert_int_equal(id, i + 1);
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    tcsi_store_close(store);
    return 0;
}

/* Waves with noise, as each series has its own, and a spike at the end: of 0 none. */
static void make_window(uint64_t seed, double spike, int16_t ret_rows[TCSI_LAST_ROWS])
{
    tcsi_last_rows rows = { 0 };
    tcsi_rng rng = tcsi_rng_make(seed, 5);
    const double pace = tcsi_rng_range(&rng, 0.3, 0.8), phase = tcsi_rng_range(&rng, 0, 6);
    for (int t = 0; t < TCSI_LAST_ROWS; t++) {
        double value = sin(pace * t + phase) + 0.3 * tcsi_rng_normal(&rng);
        if (t == TCSI_LAST_ROWS - 1) value += spike;
        tcsi_last_rows_push(&rows, value);
    }
    assert_true(tcsi_last_rows_window(&rows, ret_rows));
}

static void put_episode(const char *id, int64_t series, const int16_t *rows)
{
    tcsi_buffer document;
    tcsi_json_writer writer;
    tcsi_buffer_init(&document, 1 << 16);
    tcsi_json_writer_init(&writer, &document, false);
    const tcsi_store_record episode = { .kind = TCSI_STORE_EPISODE, .id = id, .series_id = series, .begin_ns = 1, .end_ns = 2,
                                        .document = "{}" };
    assert_ok(tcsi_store_record_put(store, &episode, test_err));
    if (rows) {
        assert_ok(tcsi_deep_window_write(rows, &writer, test_err));
        tcsi_store_record window = episode;
        window.kind = TCSI_STORE_WINDOW;
        window.document = document.data;
        assert_ok(tcsi_store_record_put(store, &window, test_err));
    }
    tcsi_buffer_deinit(&document);
}

static int64_t now_ns;

static void answer(const char *id, const char *episode, const char *verdict, const char *who, double confidence)
{
    char document[64];
    snprintf(document, sizeof document, "{\"confidence\":%g}", confidence);
    const tcsi_store_label label = { .id = id, .episode_id = episode, .verdict = verdict, .author = who, .time_ns = ++now_ns, .undoes = "",
                                     .document = document };
    assert_ok(tcsi_store_label_put(store, &label, test_err));
}

static void undo(const char *id, const char *episode, const char *undoes)
{
    const tcsi_store_label label = { .id = id, .episode_id = episode, .verdict = "", .author = "ann", .time_ns = ++now_ns, .undoes = undoes,
                                     .document = "{}" };
    assert_ok(tcsi_store_label_put(store, &label, test_err));
}

/* ---- the labelled set ---- */

static size_t count_of(tcsi_deep_labelled *set, size_t *ret_true)
{
    bool is_new;
    assert_ok(tcsi_deep_labelled_read(set, store, &is_new, test_err));
    *ret_true = set->counts[1];
    assert_int_equal(set->count, set->counts[0] + set->counts[1]);
    return set->count;
}

static void test_the_set_is_what_stands(void **state)
{
    int16_t rows[TCSI_LAST_ROWS];
    tcsi_deep_labelled set;
    size_t count_true;
    char hash[TCSI_HASH_TEXT_SIZE];
    bool is_new;
    (void)state;
    tcsi_deep_labelled_init(&set);
    assert_int_equal(count_of(&set, &count_true), 0);
    make_window(1, -5, rows);
    put_episode("a", 1, rows);
    put_episode("b", 2, rows);
    put_episode("c", 3, rows);
    put_episode("missed-d", 3, NULL);
    answer("1", "a", "true", "ann", 1);
    answer("2", "b", "expected", "ann", 0.5);
    answer("3", "c", "not_mine", "ann", 1);
    answer("4", "missed-d", "true", "ann", 1); /* nobody knows what it looked like */
    assert_int_equal(count_of(&set, &count_true), 2);
    assert_int_equal(count_true, 1);
    const tcsi_deep_label *sure = &set.items[set.items[0].is_true ? 0 : 1], *half = &set.items[set.items[0].is_true ? 1 : 0];
    assert_true(sure->weight > half->weight && half->weight > 0);
    assert_int_equal(sure->series, 1);
    assert_memory_equal(sure->rows, rows, sizeof rows);
    memcpy(hash, set.hash, sizeof hash);
    assert_ok(tcsi_deep_labelled_read(&set, store, &is_new, test_err));
    assert_false(is_new);
    answer("5", "a", "expected", "bob", 1); /* the two disagree, and neither is known */
    answer("6", "a", "expected", "cid", 1);
    assert_int_equal(count_of(&set, &count_true), 2);
    assert_int_equal(count_true, 0);
    undo("7", "a", "5");
    undo("8", "a", "6");
    undo("9", "b", "2");
    assert_int_equal(count_of(&set, &count_true), 1);
    assert_string_not_equal(set.hash, hash);
    tcsi_store_erased erased;
    assert_ok(tcsi_store_erase(store, 1, "m0", &erased, test_err));
    answer("10", "c", "expected", "ann", 1);
    undo("11", "c", "10");
    assert_int_equal(count_of(&set, &count_true), 0);
    assert_string_equal(set.hash, "");
    tcsi_deep_labelled_deinit(&set);
}

static void test_the_set_is_bounded(void **state)
{
    int16_t rows[TCSI_LAST_ROWS];
    tcsi_deep_labelled set;
    size_t count_true;
    (void)state;
    tcsi_deep_labelled_init(&set);
    make_window(1, 5, rows);
    assert_ok(tcsi_store_begin(store, test_err));
    for (int i = 0; i < TCSI_DEEP_LABELS_MAX + 50; i++) {
        char id[16], label[16];
        snprintf(id, sizeof id, "e%d", i);
        snprintf(label, sizeof label, "l%d", i);
        put_episode(id, 1 + i % SERIES, rows);
        answer(label, id, i < 50 ? "true" : "expected", "ann", 1); /* the oldest are those that go */
    }
    assert_ok(tcsi_store_commit(store, test_err));
    assert_int_equal(count_of(&set, &count_true), TCSI_DEEP_LABELS_MAX);
    assert_int_equal(count_true, 0);
    tcsi_deep_labelled_deinit(&set);
}

static void test_windows_are_kept_whole(void **state)
{
    int16_t rows[TCSI_LAST_ROWS], again[TCSI_LAST_ROWS];
    tcsi_buffer text;
    tcsi_json_writer writer;
    (void)state;
    for (size_t i = 0; i < TCSI_LAST_ROWS; i++) rows[i] = (int16_t)(i % 3 == 0 ? -32767 + (int)i : i % 3 == 1 ? 32767 - (int)i : 0);
    tcsi_buffer_init(&text, 1 << 12);
    tcsi_json_writer_init(&writer, &text, false);
    assert_ok(tcsi_deep_window_write(rows, &writer, test_err));
    assert_true(tcsi_deep_window_read(text.data, again));
    assert_memory_equal(rows, again, sizeof rows);
    const char *const no_windows[] = { "", "{}", "{\"rows\":1}", "{\"rows\":\"0000\"}", "[" };
    for (size_t i = 0; i < TCS_COUNT(no_windows); i++) assert_false(tcsi_deep_window_read(no_windows[i], again));
    text.data[20] = 'x';
    assert_false(tcsi_deep_window_read(text.data, again));
    tcsi_buffer_deinit(&text);
}

/* ---- trials ---- */

/* By hand: of 3 true and 2 other windows the first side has 5 of 6 pairs right, the second 3 and two halves. */
static void test_areas_and_their_errors(void **state)
{
    const double a[] = { 5, 4, 2, 3, 1 }, b[] = { 1, 1, 5, 1, 0 };
    const uint8_t labels[] = { 1, 1, 1, 0, 0 };
    const double *const both[] = { a, b };
    tcsi_deep_trial trial;
    (void)state;
    assert_ok(tcsi_deep_trial_run(both, labels, 5, &trial, test_err));
    assert_near(5.0 / 6, trial.auc[0], 1e-12);
    assert_near(5.0 / 6, trial.auc[1], 1e-12);
    /* placements of a: true 1, 1, 1/2; others 2/3, 1.  S10 = 1/12, S01 = 1/18: variance 1/36 + 1/36. */
    assert_near(sqrt(1.0 / 36 + 1.0 / 36), trial.deviation[0], 1e-12);
    /* of b: true 3/4, 3/4, 1; others 2/3, 1.  S10 = 1/48; covariances: of true -1/24, of others 1/18. */
    assert_near(sqrt(1.0 / 144 + 1.0 / 36), trial.deviation[1], 1e-12);
    assert_near(sqrt(1.0 / 18 + 1.0 / 144 + 1.0 / 36 - 2 * (-1.0 / 72 + 1.0 / 36)), trial.gain_deviation, 1e-12);
    assert_int_equal(tcsi_deep_trial_run(both, labels, 4, &trial, &failure), TCS_E_INVALID);
}

/* ---- challengers ---- */

static tcsi_deep_past past;
static tcsi_deep_model *champion;

static tcsi_deep_windows references(tcsi_question_sort sort) { return tcsi_deep_ring_windows(&past.references[sort]); }

static void train(void)
{
    int16_t rows[TCSI_LAST_ROWS];
    if (champion) return;
    assert_ok(tcsi_deep_past_init(&past, test_err));
    for (uint64_t i = 0; i < WINDOWS; i++) {
        make_window(i, 0, rows);
        tcsi_deep_past_push(&past, TCSI_QUESTION_SAMPLED, rows);
    }
    for (uint64_t i = 0; i < ESCALATED; i++) {
        make_window(9000 + i, i % 2 ? 5 : -5, rows);
        tcsi_deep_past_push(&past, TCSI_QUESTION_ESCALATED, rows);
    }
    const tcsi_deep_windows both[] = { references(0), references(1) };
    const tcsi_deep_training training = { .step_count = 200, .rate = 5e-3, .seed = 1 };
    assert_ok(tcsi_deep_model_train(NULL, tcsi_deep_ring_windows(&past.lesson), &training, both, WINDOWS, NULL, &champion, test_err));
}

/* What only labels can tell: rises matter, falls do not; or, planted false, nothing tells which matter. */
static void answer_many(size_t count, bool is_planted)
{
    int16_t rows[TCSI_LAST_ROWS];
    for (size_t i = 0; i < count; i++) {
        char id[16], label[16];
        const bool is_rise = i % 2;
        snprintf(id, sizeof id, "e%zu", i);
        snprintf(label, sizeof label, "l%zu", i);
        make_window(500 + i, is_rise ? 5 : -5, rows);
        put_episode(id, 1 + (int64_t)(i * 7 % SERIES), rows);
        answer(label, id, (is_planted ? is_rise : i / 2 % 2) ? "true" : "expected", "ann", 1);
    }
}

static void begin_challenger(tcsi_challenger *c)
{
    char hash[TCSI_HASH_TEXT_SIZE];
    tcsi_buffer bytes;
    bool is_changed;
    const tcsi_model_import import = { .name = TCSI_MODEL_LIVE, .who = "test" };
    train();
    tcsi_buffer_init(&bytes, 1 << 24);
    assert_ok(tcsi_deep_model_save(champion, &bytes, test_err));
    assert_ok(tcsi_models_import(store, bytes.data, bytes.size, &import, hash, test_err));
    assert_string_equal(hash, champion->hash);
    tcsi_buffer_deinit(&bytes);
    tcsi_challenger_init(c, store);
    assert_ok(tcsi_challenger_look(c, champion, &is_changed, test_err));
}

static void make(tcsi_challenger *c)
{
    const tcsi_deep_windows both[] = { references(0), references(1) };
    assert_true(tcsi_challenger_is_due(c, champion));
    assert_ok(tcsi_challenger_make(c, champion, both, test_err));
    assert_false(tcsi_challenger_is_due(c, champion));
}

static bool take(void *context, const tcsi_model_evidence *evidence)
{
    tcsi_model_evidence *wanted = context;
    if (strcmp(evidence->data, wanted->data) != 0) return true;
    const char *data = wanted->data;
    *wanted = *evidence;
    wanted->data = data;
    return true;
}

static tcsi_model_evidence evidence_of(const char *hash, const char *data)
{
    tcsi_model_evidence evidence = { .data = data };
    assert_ok(tcsi_models_evidence_list(store, hash, take, &evidence, test_err));
    return evidence;
}

static bool passes(tcsi_challenger *c, const tcsi_deep_shadow *shadow)
{
    bool is;
    c->shadow_written = 0;
    assert_ok(tcsi_challenger_measure(c, champion, shadow, test_err));
    assert_ok(tcsi_challenger_passes(c, champion, &is, test_err));
    return is;
}

static tcsi_deep_shadow good_shadow(const tcsi_challenger *c)
{
    tcsi_deep_shadow shadow = { .compared = 300, .both = 45, .challenger_only = 15, .champion_only = 15, .low = { 3, 3 } };
    memcpy(shadow.model, c->model->hash, sizeof shadow.model);
    return shadow;
}

static void test_labels_teach_what_only_they_can_tell(void **state)
{
    tcsi_challenger c;
    tcsi_model model;
    tcsi_arena arena;
    bool is_found;
    char alias[TCSI_HASH_TEXT_SIZE];
    (void)state;
    answer_many(60, true);
    begin_challenger(&c);
    make(&c);
    assert_true(c.model->head.is_set && c.model->head.has_chance);
    assert_int_equal(c.model->head.counts[1], 30);
    const tcsi_model_evidence mine = evidence_of(c.model->hash, TCSI_MODEL_DATA_ANSWERS);
    const tcsi_model_evidence other = evidence_of(champion->hash, TCSI_MODEL_DATA_ANSWERS);
    assert_true(mine.auc_roc > 0.85 && mine.auc_gain_low > 0 && mine.labels_true == 30 && mine.auc_roc_low <= mine.auc_roc);
    assert_true(other.auc_roc < 0.75);
    int16_t rows[TCSI_LAST_ROWS];
    double log_odds[2];
    for (int is_rise = 0; is_rise < 2; is_rise++) { /* on windows that nobody has answered */
        double strangeness, features[TCSI_DEEP_FEATURES];
        tcsi_deep_scorer scorer;
        make_window(77777, is_rise ? 5 : -5, rows);
        assert_ok(tcsi_deep_scorer_init(&scorer, &c.model->network, test_err));
        tcsi_deep_scorer_run(&scorer, rows, 1, &strangeness, features);
        log_odds[is_rise] = tcsi_deep_model_score(c.model, TCSI_QUESTION_ESCALATED, strangeness, features);
        assert_true(tcsi_deep_model_score(c.model, TCSI_QUESTION_SAMPLED, strangeness, features) == strangeness);
        tcsi_deep_scorer_deinit(&scorer);
    }
    assert_true(log_odds[1] > log_odds[0] + 1);
    assert_true(tcsi_deep_head_chance(&c.model->head, log_odds[1]) > 0.8 && tcsi_deep_head_chance(&c.model->head, log_odds[0]) < 0.2);
    const tcsi_deep_verdict_options how = { .sort = TCSI_QUESTION_ESCALATED, .mean = 1, .limit = 0.2 };
    tcsi_deep_reason reason; /* an explanation goes by the same score, and says the chance */
    assert_ok(tcsi_deep_reason_find(c.model, rows, &how, &reason, test_err));
    assert_true(reason.score == log_odds[1] && reason.chance == tcsi_deep_head_chance(&c.model->head, log_odds[1]));
    assert_ok(tcsi_deep_reason_find(champion, rows, &how, &reason, test_err));
    assert_true(isnan(reason.chance));
    /* its card says where it is from */
    tcsi_arena_init(&arena, 1 << 26);
    assert_ok(tcsi_store_alias_get(store, "challenger", alias, &is_found, test_err));
    assert_true(is_found);
    assert_string_equal(alias, c.model->hash);
    assert_ok(tcsi_models_find(store, alias, &arena, &model, test_err));
    assert_string_equal(model.parent, champion->hash);
    char wanted[200];
    snprintf(wanted, sizeof wanted, "\"labels_sha256\":\"%s\"", c.set.hash);
    assert_non_null(strstr(model.card, wanted));
    assert_non_null(strstr(model.card, "\"labels_true\":\"30\""));
    assert_non_null(strstr(model.card, "\"engine\":"));
    assert_non_null(strstr(model.card, "\"seed\":\"1\""));
    tcsi_arena_deinit(&arena);
    tcsi_challenger_deinit(&c);
}

static void test_gates(void **state)
{
    tcsi_challenger c;
    (void)state;
    answer_many(60, true);
    begin_challenger(&c);
    make(&c);
    const tcsi_deep_shadow good = good_shadow(&c);
    assert_true(passes(&c, &good));
    tcsi_deep_shadow bad = good;
    bad.compared = 299; /* too few to go by */
    assert_false(passes(&c, &bad));
    bad = good;
    bad.challenger_only = 60; /* confirms almost twice as often as the champion does */
    assert_false(passes(&c, &bad));
    bad = good;
    bad.low[0] = 10; /* its chances are not what they say */
    assert_false(passes(&c, &bad));
    assert_true(passes(&c, &good));
    c.canary.share = 0.5; /* on trial: people decide */
    assert_false(passes(&c, &good));
    tcsi_challenger_deinit(&c);
}

static void test_a_worse_one_stays_a_challenger(void **state)
{
    tcsi_challenger c;
    (void)state;
    answer_many(60, false);
    begin_challenger(&c);
    make(&c);
    const tcsi_deep_shadow good = good_shadow(&c);
    assert_false(passes(&c, &good));
    assert_true(evidence_of(c.model->hash, TCSI_MODEL_DATA_ANSWERS).auc_gain_low <= 0);
    tcsi_challenger_deinit(&c);
}

static void test_when_one_is_made(void **state)
{
    tcsi_challenger c;
    bool is_changed;
    char before[TCSI_HASH_TEXT_SIZE];
    (void)state;
    answer_many(2 * TCSI_DEEP_LABELS_MIN - 1, true);
    begin_challenger(&c);
    assert_false(tcsi_challenger_is_due(&c, champion)); /* one label short */
    answer("x", "e0", "expected", "bob", 1);            /* says the same of one that is answered */
    assert_ok(tcsi_challenger_look(&c, champion, &is_changed, test_err));
    assert_false(tcsi_challenger_is_due(&c, champion));
    int16_t rows[TCSI_LAST_ROWS];
    make_window(3, 5, rows);
    put_episode("y", 4, rows);
    answer("y1", "y", "true", "ann", 1);
    assert_ok(tcsi_challenger_look(&c, champion, &is_changed, test_err));
    make(&c);
    memcpy(before, c.model->hash, sizeof before);
    assert_ok(tcsi_challenger_look(&c, champion, &is_changed, test_err));
    assert_false(is_changed);
    undo("y2", "y", "y1"); /* what it learned from is taken back: there is one that has not learned it */
    assert_ok(tcsi_challenger_look(&c, champion, &is_changed, test_err));
    make(&c);
    assert_false(c.model->head.is_set); /* too few are left */
    /* the next start finds it */
    tcsi_challenger again;
    tcsi_challenger_init(&again, store);
    assert_ok(tcsi_challenger_look(&again, champion, &is_changed, test_err));
    assert_true(is_changed);
    assert_string_equal(again.model->hash, c.model->hash);
    tcsi_challenger_deinit(&again);
    tcsi_challenger_deinit(&c);
}

/* ---- canaries ---- */

static void test_canary(void **state)
{
    tcsi_challenger c;
    tcsi_canary canary = { .share = 0 }, more = { .share = 0.75 };
    tcsi_canary_group groups[2];
    bool is_changed;
    size_t held = 0;
    (void)state;
    answer_many(40, true);
    begin_challenger(&c);
    make(&c);
    assert_int_equal(tcsi_canary_say(store, c.model->hash, 1.5, "r", "ann", 1, &failure), TCS_E_INVALID);
    assert_ok(tcsi_canary_say(store, c.model->hash, 0.5, "let us see", "ann", 1, test_err));
    assert_ok(tcsi_canary_read(store, &canary, test_err));
    assert_string_equal(canary.model, c.model->hash);
    assert_true(canary.share == 0.5 && canary.begin_ns == 1);
    for (uint32_t i = 0; i < 10000; i++) {
        held += tcsi_canary_holds(&canary, i);
        assert_true(!tcsi_canary_holds(&canary, i) || tcsi_canary_holds(&more, i)); /* a larger share has those and more */
    }
    assert_true(held > 4800 && held < 5200);
    assert_ok(tcsi_challenger_look(&c, champion, &is_changed, test_err));
    assert_true(is_changed && c.canary.share == 0.5);
    int numbers[2] = { -1, -1 }; /* one series of each group */
    for (int i = 0; numbers[0] < 0 || numbers[1] < 0; i++) numbers[!tcsi_canary_holds(&canary, (uint32_t)i)] = i;
    for (int i = 0; i < 3; i++) {
        char id[16], document[100];
        snprintf(id, sizeof id, "n%d", i);
        snprintf(document, sizeof document, "{\"kind\":\"anomaly\",\"number\":%d}", numbers[i == 2]);
        const tcsi_store_record record = { .kind = TCSI_STORE_EPISODE, .id = id, .series_id = 1, .state = i == 0 ? 0 : 1, .begin_ns = 5,
                                           .end_ns = INT64_MAX, .document = document };
        assert_ok(tcsi_store_record_put(store, &record, test_err));
    }
    answer("n", "n1", "expected", "ann", 1);
    assert_ok(tcsi_canary_measure(store, &canary, 1000, groups, test_err));
    assert_int_equal(groups[0].series_count + groups[1].series_count, 1000);
    assert_true(groups[0].opened == 2 && groups[0].confirmed == 1 && groups[0].said_false == 1 && groups[0].said_true == 0);
    assert_true(groups[1].opened == 1 && groups[1].confirmed == 1 && groups[1].said_false == 0);
    assert_ok(tcsi_canary_say(store, "", 0, "enough", "ann", 2, test_err));
    assert_ok(tcsi_challenger_look(&c, champion, &is_changed, test_err));
    assert_true(is_changed && c.canary.share == 0 && !*c.canary.model);
    assert_non_null(c.model); /* it is scored beside the champion, and answers for nobody */
    tcsi_challenger_deinit(&c);
    tcsi_deep_model_release(champion);
    tcsi_deep_past_deinit(&past);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
TCS_TEST_MAIN(CASE(test_the_set_is_what_stands), CASE(test_the_set_is_bounded), CASE(test_windows_are_kept_whole),
              CASE(test_areas_and_their_errors), CASE(test_labels_teach_what_only_they_can_tell), CASE(test_gates),
              CASE(test_a_worse_one_stays_a_challenger), CASE(test_when_one_is_made), CASE(test_canary))
