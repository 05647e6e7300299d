/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "serve/deep/past.h"
#include "serve/deep/reason.h"

enum { WINDOWS = 3000, BROKEN = 200 };

static tcs_error failure;

/* Series that go up and down at paces of their own, with noise; where is it broken: nowhere, in the last row, in the last 16. */
typedef enum defect { NONE, LAST_ROW, LAST_STRETCH } defect;

static void make_window(uint64_t seed, defect what, int16_t ret_rows[TCSI_LAST_ROWS])
{
    tcsi_last_rows rows = { 0 };
    tcsi_rng rng = tcsi_rng_make(seed, (uint64_t)what);
    const double pace = tcsi_rng_range(&rng, 0.3, 0.8), phase = tcsi_rng_range(&rng, 0, 6), noise = tcsi_rng_range(&rng, 0.02, 0.1);
    for (int t = 0; t < TCSI_LAST_ROWS; t++) {
        double value = 1.4 * sin(pace * t + phase) + noise * tcsi_rng_normal(&rng);
        if (what == LAST_ROW && t == TCSI_LAST_ROWS - 1) value = -value + (value > 0 ? -1 : 1); /* well within the usual range */
        if (what == LAST_STRETCH && t >= TCSI_LAST_ROWS - 16) value += 4 * noise * tcsi_rng_normal(&rng);
        tcsi_last_rows_push(&rows, value);
    }
    assert_true(tcsi_last_rows_window(&rows, ret_rows));
}

static tcsi_deep_past past;
static tcsi_deep_model *model;

static void train(void)
{
    int16_t rows[TCSI_LAST_ROWS];
    assert_ok(tcsi_deep_past_init(&past, test_err));
    for (uint64_t i = 0; i < WINDOWS; i++) {
        make_window(i, NONE, rows);
        tcsi_deep_past_push(&past, TCSI_QUESTION_SAMPLED, rows);
    }
    const tcsi_deep_windows references[] = { tcsi_deep_ring_windows(&past.references[0]), tcsi_deep_ring_windows(&past.references[1]) };
    const tcsi_deep_training training = { .step_count = 400, .rate = 5e-3, .seed = 1 };
    assert_ok(tcsi_deep_model_train(NULL, tcsi_deep_ring_windows(&past.lesson), &training, references, WINDOWS, NULL, &model, test_err));
}

static double share_below(const tcsi_deep_model *m, defect what, double p_value, uint64_t begin)
{
    static int16_t rows[BROKEN * TCSI_LAST_ROWS];
    static double scores[BROKEN];
    tcsi_deep_scorer scorer;
    size_t count = 0;
    for (uint64_t i = 0; i < BROKEN; i++) make_window(begin + i, what, rows + i * TCSI_LAST_ROWS);
    assert_ok(tcsi_deep_scorer_init(&scorer, &m->network, test_err));
    tcsi_deep_scorer_run(&scorer, rows, BROKEN, scores, NULL);
    for (size_t i = 0; i < BROKEN; i++) count += (double)tcsi_deep_model_p_value(m, TCSI_QUESTION_SAMPLED, scores[i]) <= p_value;
    tcsi_deep_scorer_deinit(&scorer);
    return (double)count / BROKEN;
}

/* Chances are what they say, on series that it has not seen; what breaks the course of one is strange. */
static void test_chances_are_kept_and_breaks_are_found(void **state)
{
    (void)state;
    train();
    assert_int_equal(past.lesson.count, WINDOWS - WINDOWS / 5);
    assert_int_equal(past.references[TCSI_QUESTION_SAMPLED].count, WINDOWS / 5);
    const double by_chance = share_below(model, NONE, 0.1, 1 << 20);
    assert_true(by_chance > 0.03 && by_chance < 0.2);
    assert_true(share_below(model, NONE, 0.001, 1 << 20) <= 0.02);
    assert_true(share_below(model, LAST_ROW, 0.01, 1 << 20) > 0.9);
    assert_true(share_below(model, LAST_STRETCH, 0.01, 1 << 20) > 0.8);
    assert_true(tcsi_deep_model_p_value(model, TCSI_QUESTION_ESCALATED, 1e6) == 1); /* none was shown: nobody knows */
}

/* A window's score has nothing to do with those beside it. */
static void test_scores_are_the_same_in_any_company(void **state)
{
    (void)state;
    static int16_t rows[100 * TCSI_LAST_ROWS];
    double all[100], alone;
    tcsi_deep_scorer scorer;
    for (uint64_t i = 0; i < 100; i++) make_window(i + 7777, (defect)(i % 3), rows + i * TCSI_LAST_ROWS);
    assert_ok(tcsi_deep_scorer_init(&scorer, &model->network, test_err));
    tcsi_deep_scorer_run(&scorer, rows, 100, all, NULL);
    for (size_t i = 0; i < 100; i++) {
        tcsi_deep_scorer_run(&scorer, rows + i * TCSI_LAST_ROWS, 1, &alone, NULL);
        assert_true(alone == all[i] && alone >= 0);
    }
    for (size_t i = 0; i < TCSI_LAST_ROWS; i++) rows[i] = i % 2 ? 32767 : -32767; /* as far as it goes */
    tcsi_deep_scorer_run(&scorer, rows, 1, &alone, NULL);
    assert_true(isfinite(alone) && alone > 0);
    tcsi_deep_scorer_deinit(&scorer);
}

static tcsi_deep_reason reason_of(const int16_t *rows, double limit)
{
    const tcsi_deep_verdict_options options = { .sort = TCSI_QUESTION_SAMPLED, .mean = 1, .limit = limit };
    tcsi_deep_reason reason;
    assert_ok(tcsi_deep_reason_find(model, rows, &options, &reason, test_err));
    return reason;
}

/* Shares sum to what they share out; rows that are as expected have none; what was planted has the most. */
static void test_what_carried_a_judgement(void **state)
{
    (void)state;
    enum { EACH = 30 };
    size_t named = 0, found = 0;
    double within = 0;
    for (uint64_t i = 0; i < EACH; i++) {
        int16_t rows[TCSI_LAST_ROWS];
        double sum = 0, largest = 0, score;
        size_t place = 0;
        tcsi_deep_scorer scorer;
        make_window(i + 31337, i % 2 ? LAST_ROW : LAST_STRETCH, rows);
        const tcsi_deep_reason reason = reason_of(rows, 0.2), again = reason_of(rows, 0.2);
        assert_memory_equal(&reason, &again, sizeof reason);
        assert_ok(tcsi_deep_scorer_init(&scorer, &model->network, test_err));
        tcsi_deep_scorer_run(&scorer, rows, 1, &score, NULL);
        assert_true(reason.score == score && reason.score_expected < 0.1 * reason.score);
        for (size_t t = 0; t < TCSI_LAST_ROWS; t++) {
            sum += reason.shares[t];
            if (reason.expected[t] == rows[t]) assert_true(reason.shares[t] == 0);
            if (reason.shares[t] > largest) place = t;
            largest = fmax(largest, reason.shares[t]);
        }
        assert_true(fabs(sum - (reason.score - reason.score_expected)) < 1e-9 * (1 + reason.score));
        named += i % 2 && place == TCSI_LAST_ROWS - 1;
        for (size_t t = TCSI_LAST_ROWS - 16; t < TCSI_LAST_ROWS; t++) within += i % 2 ? 0 : reason.shares[t] / sum;
        found += reason.is_found;
        if (reason.is_found) { /* and it is so */
            tcsi_deep_scorer_run(&scorer, reason.instead, 1, &score, NULL);
            assert_true(score == reason.score_after && score < reason.score);
            assert_true((double)tcsi_deep_model_p_value(model, TCSI_QUESTION_SAMPLED, score) > 0.2 * (1 - 1e-6));
            assert_true(memcmp(reason.instead, rows, sizeof rows) != 0 && reason.way > 0 && reason.way <= 1);
        }
        tcsi_deep_scorer_deinit(&scorer);
    }
    print_message("# the broken row has the largest share in %zu of %d windows, the broken stretch %.2f of the shares; %zu of %d found\n",
                  named, EACH / 2, within / (EACH / 2), found, EACH);
    assert_true(named >= EACH / 2 - 1 && within / (EACH / 2) > 0.7 && found >= EACH - 2);
}

/* What is ordinary already is left as it is; what nothing can make ordinary has no counterfactual. */
static void test_nothing_to_change_and_nothing_found(void **state)
{
    (void)state;
    int16_t rows[TCSI_LAST_ROWS];
    make_window(4242, NONE, rows);
    tcsi_deep_reason reason = reason_of(rows, 1e-6);
    assert_true(!reason.is_found && reason.changed_count == 0 && reason.p_value > 1e-6);
    make_window(4242, LAST_ROW, rows);
    reason = reason_of(rows, 1); /* no chance is larger */
    assert_true(!reason.is_found);
    assert_memory_equal(reason.instead, rows, sizeof rows);
    memset(rows, 0, sizeof rows); /* a flat line is a window, too */
    reason = reason_of(rows, 0.2);
    assert_true(isfinite(reason.score) && isfinite(reason.error));
}

static void test_saved_loaded_and_damaged(void **state)
{
    (void)state;
    tcsi_deep_model *again;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1 << 24);
    assert_ok(tcsi_deep_model_save(model, &bytes, test_err));
    assert_true(bytes.size < 1 << 18);
    assert_ok(tcsi_deep_model_load(bytes.data, bytes.size, &again, test_err));
    assert_string_equal(again->hash, model->hash);
    assert_true(again->window_count == WINDOWS);
    for (double p = 1e-4; p < 1; p *= 3) assert_true(share_below(again, NONE, p, 5) == share_below(model, NONE, p, 5));
    tcsi_deep_model_release(again);
    for (size_t size = 0; size < bytes.size; size += 97)
        assert_int_not_equal(tcsi_deep_model_load(bytes.data, size, &again, &failure), TCS_OK);
    for (int round = 0; round < 2; round++) { /* another version; a weight that is no number */
        char *at = bytes.data + (round ? bytes.size / 4 : 4);
        char kept[8];
        memcpy(kept, at, sizeof kept);
        memset(at, 0xff, sizeof kept);
        assert_int_not_equal(tcsi_deep_model_load(bytes.data, bytes.size, &again, &failure), TCS_OK);
        memcpy(at, kept, sizeof kept);
    }
    assert_ok(tcsi_buffer_append(&bytes, "x", 1, test_err));
    assert_int_equal(tcsi_deep_model_load(bytes.data, bytes.size, &again, &failure), TCS_E_FORMAT);
    tcsi_buffer_deinit(&bytes);
}

static bool never(void *self, size_t step)
{
    return step < *(size_t *)self;
}

/* Trained on from where it was: a new model, and the old one as it was; given up: none. */
static void test_training_goes_on_and_is_given_up(void **state)
{
    (void)state;
    tcsi_deep_model *next = NULL;
    size_t steps = 3;
    char hash[TCSI_HASH_TEXT_SIZE];
    memcpy(hash, model->hash, sizeof hash);
    const tcsi_deep_windows references[] = { tcsi_deep_ring_windows(&past.references[0]), tcsi_deep_ring_windows(&past.references[1]) };
    tcsi_deep_training training = { .step_count = 5, .rate = 1e-3, .seed = 2 };
    const tcsi_deep_windows lesson = tcsi_deep_ring_windows(&past.lesson);
    assert_ok(tcsi_deep_model_train(model, lesson, &training, references, WINDOWS + 1, NULL, &next, test_err));
    assert_string_not_equal(next->hash, model->hash);
    assert_true(share_below(next, LAST_ROW, 0.01, 99) > 0.8);
    tcsi_deep_model_release(next);
    training.go_on = never;
    training.self = &steps;
    assert_int_equal(tcsi_deep_model_train(model, tcsi_deep_ring_windows(&past.lesson), &training, references, 1, NULL, &next, &failure),
                     TCS_E_CANCELLED);
    int16_t rows[TCSI_LAST_ROWS];
    for (uint64_t i = 0; i < TCSI_DEEP_TAIL_MIN; i++) { /* the same weights; rows out of the ordinary get a meaning */
        make_window(i, LAST_ROW, rows);
        tcsi_deep_past_push(&past, TCSI_QUESTION_ESCALATED, rows);
    }
    const tcsi_deep_windows more[] = { tcsi_deep_ring_windows(&past.references[0]), tcsi_deep_ring_windows(&past.references[1]) };
    assert_ok(tcsi_deep_model_compare(model, more, NULL, &next, test_err));
    assert_true(tcsi_deep_model_p_value(next, TCSI_QUESTION_ESCALATED, 1) > 0.5f);
    assert_true(tcsi_deep_model_p_value(next, TCSI_QUESTION_SAMPLED, 50) == tcsi_deep_model_p_value(model, TCSI_QUESTION_SAMPLED, 50));
    tcsi_deep_model_release(next);
    assert_string_equal(hash, model->hash);
    tcsi_deep_model_release(model);
    tcsi_deep_past_deinit(&past);
}

TCS_TEST_MAIN(cmocka_unit_test(test_chances_are_kept_and_breaks_are_found), cmocka_unit_test(test_scores_are_the_same_in_any_company),
              cmocka_unit_test(test_what_carried_a_judgement), cmocka_unit_test(test_nothing_to_change_and_nothing_found),
              cmocka_unit_test(test_saved_loaded_and_damaged), cmocka_unit_test(test_training_goes_on_and_is_given_up))
