/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "adapt/memory.h"
#include "base/rng.h"

static const int64_t HOUR_NS = INT64_C(3600000000000);

/* An episode of a series: usual rows, then a rise to some deviations. */
static tcsi_pattern make_pattern(uint32_t series, int64_t begin_ns, double deviations)
{
    tcsi_rng rng = tcsi_rng_make(series, (uint64_t)begin_ns);
    tcsi_pattern pattern = { .series = series, .family = series / 10, .begin_ns = begin_ns, .height = (float)deviations, .lasted = 3,
                             .reach = 5 * deviations };
    for (size_t i = 0; i + 1 < TCSI_PATTERN_SHAPE; i++) pattern.onset.shape[i] = tcsi_pattern_step(0.3 * tcsi_rng_normal(&rng));
    pattern.onset.shape[TCSI_PATTERN_SHAPE - 1] = tcsi_pattern_step(deviations);
    pattern.onset.height = (float)deviations;
    pattern.height = (float)fabs(deviations);
    pattern.reach = fabs(pattern.reach);
    return pattern;
}

static tcsi_episode_answer make_answer(uint64_t id, tcsi_answer_verdict verdict, tcsi_answer_scope scope, tcsi_pattern pattern)
{
    return (tcsi_episode_answer){ .id = { .low = id }, .verdict = (uint8_t)verdict, .scope = (uint8_t)scope, .confidence = 1,
                          .until_ns = INT64_MAX, .pattern = pattern };
}

static tcsi_advice ask(tcsi_memory *memory, tcsi_pattern pattern)
{
    return tcsi_memory_ask(memory, &(tcsi_question){ .pattern = pattern, .now_ns = 100 * HOUR_NS });
}

static tcsi_memory memory_with(const tcsi_episode_answer *answers, size_t count)
{
    tcsi_memory memory;
    assert_ok(tcsi_memory_init(&memory, test_err));
    for (size_t i = 0; i < count; i++) tcsi_memory_put(&memory, &answers[i]);
    return memory;
}

/* ---- patterns ---- */

static void test_steps_and_distances(void **state)
{
    (void)state;
    assert_int_equal(tcsi_pattern_step(0), 0);
    assert_int_equal(tcsi_pattern_step(NAN), 0);
    assert_int_equal(tcsi_pattern_step(INFINITY), 127);
    assert_int_equal(tcsi_pattern_step(-1e306), -127);
    assert_int_equal(tcsi_pattern_step(8), 64); /* 127 * 8 / 16, to even */
    assert_true(tcsi_pattern_step(1e9) > tcsi_pattern_step(100) && tcsi_pattern_step(100) > tcsi_pattern_step(10));
    const tcsi_pattern a = make_pattern(1, 0, 8), b = make_pattern(1, HOUR_NS, 8.5), c = make_pattern(1, HOUR_NS, 30);
    const tcsi_pattern down = make_pattern(1, HOUR_NS, -8);
    assert_true(tcsi_pattern_distance(&a, &a) == 0);
    assert_true(tcsi_pattern_distance(&a, &b) == tcsi_pattern_distance(&b, &a));
    assert_true(tcsi_pattern_distance(&a, &b) < tcsi_pattern_distance(&a, &c));
    assert_true(isinf(tcsi_pattern_distance(&a, &down)));
    tcsi_pattern other = a;
    other.kind = 1;
    assert_true(isinf(tcsi_pattern_distance(&a, &other)));
}

/* 23:30 and 0:30 are an hour apart, before 1970 too. */
static void test_hours_go_round(void **state)
{
    (void)state;
    tcsi_pattern a = make_pattern(1, 0, 8), b = a, noon = a;
    a.begin_ns = -HOUR_NS / 2;
    b.begin_ns = HOUR_NS / 2;
    noon.begin_ns = 12 * HOUR_NS;
    assert_near(sqrt(0.05) / 12, tcsi_pattern_distance(&a, &b), 1e-12);
    assert_near(sqrt(0.05) * 11.5 / 12, tcsi_pattern_distance(&a, &noon), 1e-12);
}

static void test_a_share_never_falls_with_the_distance(void **state)
{
    (void)state;
    double before = 0;
    for (double distance = 0; distance < 4; distance += 0.001) {
        const double share = tcsi_pattern_share(distance);
        assert_true(share >= before && share > 0 && share <= 1);
        before = share;
    }
    assert_true(tcsi_pattern_share(INFINITY) == 1 && tcsi_pattern_share(NAN) == 1);
}

static void test_a_pattern_is_read_as_it_was_written(void **state)
{
    (void)state;
    tcsi_pattern pattern = make_pattern(4000000000u, INT64_C(1700000000123456789), -7.123456), back;
    const tcsi_json_value *root;
    tcsi_json_writer writer;
    tcsi_buffer text;
    tcsi_arena arena;
    tcs_error err;
    tcsi_buffer_init(&text, 1 << 16);
    tcsi_arena_init(&arena, 0);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_pattern_write(&pattern, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_ok(tcsi_json_parse(text.data, text.size, &arena, &root, test_err));
    assert_ok(tcsi_pattern_read(root, &back, test_err));
    assert_int_equal(back.begin_ns, pattern.begin_ns);
    assert_true(tcsi_pattern_distance(&pattern, &back) == 0 && back.reach == pattern.reach && back.height == pattern.height);
    static const char *const bad[] = { "{}", "[]", "{\"series\":-1}", "null" };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        assert_ok(tcsi_json_parse(bad[i], strlen(bad[i]), &arena, &root, test_err));
        assert_int_equal(tcsi_pattern_read(root, &back, &err), TCS_E_FORMAT);
    }
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&text);
}

/* ---- the memory ---- */

static void test_the_next_like_it_is_quiet_and_a_stronger_one_is_not(void **state)
{
    (void)state;
    const tcsi_episode_answer answer = make_answer(7, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_PATTERN, make_pattern(1, 0, 8));
    tcsi_memory memory = memory_with(&answer, 1);
    tcsi_advice advice = ask(&memory, make_pattern(1, 24 * HOUR_NS, 8.2));
    assert_int_equal(advice.kind, TCSI_ADVICE_SUPPRESS);
    assert_int_equal(advice.answer.low, 7);
    assert_int_equal(ask(&memory, make_pattern(1, 24 * HOUR_NS, -8)).kind, TCSI_ADVICE_NONE); /* the other way */
    assert_int_equal(ask(&memory, make_pattern(2, 24 * HOUR_NS, 8)).kind, TCSI_ADVICE_NONE);  /* of another series */
    tcsi_pattern higher = make_pattern(1, 24 * HOUR_NS, 8), longer = higher, farther = higher;
    higher.height = 10.5F;
    longer.lasted = 9;
    farther.reach = 51;
    const tcsi_pattern stronger[] = { higher, longer, farther };
    for (size_t i = 0; i < TCS_COUNT(stronger); i++) {
        advice = ask(&memory, stronger[i]);
        assert_true(advice.kind == TCSI_ADVICE_NONE && advice.is_guarded);
    }
    advice = tcsi_memory_ask(&memory, &(tcsi_question){ .pattern = make_pattern(1, 0, 8), .is_hard = true });
    assert_true(advice.kind == TCSI_ADVICE_NONE && advice.is_guarded);
    tcsi_memory_deinit(&memory);
}

/* Ten times rarer by the cohort's tail, though not a quarter as high again. */
static void test_rarity_is_a_guard(void **state)
{
    (void)state;
    const tcsi_episode_answer answer = make_answer(7, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_SERIES, make_pattern(1, 0, 1.5));
    tcsi_memory memory = memory_with(&answer, 1);
    tcsi_rng rng = tcsi_rng_make(1, 1);
    tcsi_cohort cohort;
    tcsi_cohort_member member = { 0 };
    tcsi_cohort_verdict verdict;
    assert_ok(tcsi_cohort_init(&cohort, 1e-4, 4, test_err));
    for (size_t i = 0; i < 50000; i++) assert_ok(tcsi_cohort_push(&cohort, &member, fabs(tcsi_rng_normal(&rng)), &verdict, test_err));
    tcsi_pattern rarer = make_pattern(1, HOUR_NS, 1.5);
    while (10 * tcsi_cohort_rate(&cohort, (double)rarer.height) >= tcsi_cohort_rate(&cohort, 1.5)) rarer.height += 0.01F;
    assert_true(rarer.height < 1.86F);
    tcsi_question question = { .pattern = rarer, .cohort = &cohort };
    assert_true(tcsi_memory_ask(&memory, &question).is_guarded);
    question.pattern.height -= 0.02F;
    assert_int_equal(tcsi_memory_ask(&memory, &question).kind, TCSI_ADVICE_SUPPRESS);
    tcsi_cohort_deinit(&cohort);
    tcsi_memory_deinit(&memory);
}

static void test_scopes(void **state)
{
    (void)state;
    tcsi_memory memory;
    assert_ok(tcsi_memory_init(&memory, test_err));
    const tcsi_pattern said = make_pattern(11, 0, 8);
    tcsi_pattern same = said, alike = said, unlike = make_pattern(11, 3 * HOUR_NS, 8), sister = said, stranger = said;
    alike.begin_ns = 1;
    for (size_t i = 0; i < TCSI_PATTERN_SHAPE; i++) unlike.onset.shape[i] = (int8_t)(i % 2 ? 100 : -100);
    sister.series = 12;
    stranger.series = 12;
    stranger.family = 99;
    const tcsi_pattern asked[] = { same, alike, unlike, sister, stranger };
    static const bool is_quiet[TCSI_ANSWER_SCOPE_COUNT][5] = {
        [TCSI_SCOPE_EPISODE] = { true, false, false, false, false }, [TCSI_SCOPE_PATTERN] = { true, true, false, false, false },
        [TCSI_SCOPE_SERIES] = { true, true, true, false, false },    [TCSI_SCOPE_SIMILAR] = { true, true, false, true, false },
    };
    for (int scope = 0; scope < TCSI_ANSWER_SCOPE_COUNT; scope++) {
        const tcsi_episode_answer answer = make_answer(1, TCSI_ANSWER_NOT_MINE, (tcsi_answer_scope)scope, said);
        tcsi_memory_put(&memory, &answer); /* in place of the one before */
        assert_int_equal(memory.count, 1);
        for (size_t i = 0; i < TCS_COUNT(asked); i++)
            assert_int_equal(ask(&memory, asked[i]).kind, is_quiet[scope][i] ? TCSI_ADVICE_SUPPRESS : TCSI_ADVICE_NONE);
    }
    tcsi_memory_deinit(&memory);
}

static void test_undone_and_expired_answers_do_nothing(void **state)
{
    (void)state;
    tcsi_episode_answer answer = make_answer(1, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_PATTERN, make_pattern(1, 0, 8)), undone;
    answer.until_ns = 100 * HOUR_NS;
    tcsi_memory memory = memory_with(&answer, 1);
    tcsi_question question = { .pattern = make_pattern(1, HOUR_NS, 8), .now_ns = 100 * HOUR_NS };
    assert_int_equal(tcsi_memory_ask(&memory, &question).kind, TCSI_ADVICE_SUPPRESS);
    question.now_ns++;
    assert_int_equal(tcsi_memory_ask(&memory, &question).kind, TCSI_ADVICE_NONE);
    question.now_ns--;
    assert_false(tcsi_memory_expire(&memory, question.now_ns));
    assert_true(tcsi_memory_undo(&memory, answer.id, &undone));
    assert_true(undone.until_ns == answer.until_ns && !tcsi_memory_undo(&memory, answer.id, NULL));
    assert_int_equal(tcsi_memory_ask(&memory, &question).kind, TCSI_ADVICE_NONE);
    tcsi_memory_put(&memory, &answer);
    assert_true(tcsi_memory_expire(&memory, 101 * HOUR_NS));
    assert_int_equal(memory.count, 0);
    tcsi_memory_deinit(&memory);
}

/* One wrong answer among three changes nothing; two against two are no majority. */
static void test_people_disagree(void **state)
{
    (void)state;
    const tcsi_pattern said = make_pattern(1, 0, 8);
    tcsi_episode_answer answers[4];
    for (size_t i = 0; i < 4; i++) answers[i] = make_answer(i + 1, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_PATTERN, said);
    answers[2].verdict = TCSI_ANSWER_TRUE;
    tcsi_memory memory = memory_with(answers, 3);
    assert_int_equal(ask(&memory, make_pattern(1, HOUR_NS, 8)).kind, TCSI_ADVICE_SUPPRESS);
    answers[3].verdict = TCSI_ANSWER_TRUE;
    tcsi_memory_put(&memory, &answers[3]);
    assert_int_equal(ask(&memory, make_pattern(1, HOUR_NS, 8)).kind, TCSI_ADVICE_NONE);
    assert_true(tcsi_memory_undo(&memory, answers[0].id, NULL) && tcsi_memory_undo(&memory, answers[1].id, NULL));
    const tcsi_advice advice = ask(&memory, make_pattern(1, HOUR_NS, 8));
    assert_int_equal(advice.kind, TCSI_ADVICE_RAISE);
    assert_true(advice.vote_quiet == 0 && advice.vote_heard > 0);
    tcsi_memory_deinit(&memory);
}

static void test_the_longest_unused_is_forgotten(void **state)
{
    (void)state;
    tcsi_memory memory;
    assert_ok(tcsi_memory_init(&memory, test_err));
    for (uint32_t i = 0; i < TCSI_MEMORY_MAX; i++) {
        const tcsi_episode_answer answer = make_answer(i + 1, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_SERIES, make_pattern(i, 0, 8));
        tcsi_memory_put(&memory, &answer);
    }
    assert_int_equal(ask(&memory, make_pattern(0, HOUR_NS, 8)).kind, TCSI_ADVICE_SUPPRESS); /* so the first was just used */
    const tcsi_episode_answer one_more = make_answer(5000, TCSI_ANSWER_TRUE, TCSI_SCOPE_SERIES, make_pattern(5000, 0, 8));
    tcsi_memory_put(&memory, &one_more);
    assert_int_equal(memory.count, TCSI_MEMORY_MAX);
    assert_non_null(tcsi_memory_find(&memory, (tcsi_fingerprint){ .low = 1 }));
    assert_null(tcsi_memory_find(&memory, (tcsi_fingerprint){ .low = 2 }));
    assert_non_null(tcsi_memory_find(&memory, (tcsi_fingerprint){ .low = 5000 }));
    tcsi_memory_deinit(&memory);
}

static void test_shares(void **state)
{
    (void)state;
    tcsi_memory memory;
    assert_ok(tcsi_memory_init(&memory, test_err));
    assert_true(tcsi_memory_share(&memory, 1, 0) == 1);
    double before = 1;
    for (uint64_t i = 1; i <= 40; i++) {
        const tcsi_episode_answer answer = make_answer(i, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_EPISODE, make_pattern(1, (int64_t)i, 8));
        tcsi_memory_put(&memory, &answer);
        assert_true(tcsi_memory_share(&memory, 1, 0) <= before);
        before = tcsi_memory_share(&memory, 1, 0);
        if (i == 1) assert_near((2.0 / 4) / (2.0 / 3), before, 1e-12);
    }
    assert_true(before == TCSI_SHARE_MIN && tcsi_memory_share(&memory, 2, 0) == 1);
    tcsi_memory_deinit(&memory);
}

static void test_saved_and_loaded(void **state)
{
    (void)state;
    const tcsi_episode_answer answers[] = { make_answer(1, TCSI_ANSWER_TRUE, TCSI_SCOPE_SIMILAR, make_pattern(1, 0, 8)),
                                    make_answer(2, TCSI_ANSWER_EXPECTED, TCSI_SCOPE_PATTERN, make_pattern(2, 0, -8)) };
    tcsi_memory memory = memory_with(answers, 2), loaded;
    tcsi_buffer first, second;
    tcs_error err;
    tcsi_buffer_init(&first, 1 << 20);
    tcsi_buffer_init(&second, 1 << 20);
    tcsi_codec codec = tcsi_codec_save(&first, &err);
    tcsi_memory_persist(&memory, &codec);
    assert_ok(tcsi_codec_status(&codec));
    assert_ok(tcsi_memory_init(&loaded, test_err));
    codec = tcsi_codec_load(first.data, first.size, &err);
    tcsi_memory_persist(&loaded, &codec);
    assert_ok(tcsi_codec_status(&codec));
    assert_true(loaded.count == 2 && loaded.true_count == 1 && codec.in_size == 0);
    codec = tcsi_codec_save(&second, &err);
    tcsi_memory_persist(&loaded, &codec);
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.data, second.data, first.size);
    for (size_t cut = 0; cut < first.size; cut++) {
        tcsi_memory_deinit(&loaded);
        assert_ok(tcsi_memory_init(&loaded, test_err));
        codec = tcsi_codec_load(first.data, cut, &err);
        tcsi_memory_persist(&loaded, &codec);
        assert_int_not_equal(tcsi_codec_status(&codec), TCS_OK);
    }
    tcsi_memory_deinit(&memory);
    tcsi_memory_deinit(&loaded);
    tcsi_buffer_deinit(&first);
    tcsi_buffer_deinit(&second);
}

TCS_TEST_MAIN(cmocka_unit_test(test_steps_and_distances), cmocka_unit_test(test_hours_go_round),
              cmocka_unit_test(test_a_share_never_falls_with_the_distance), cmocka_unit_test(test_a_pattern_is_read_as_it_was_written),
              cmocka_unit_test(test_the_next_like_it_is_quiet_and_a_stronger_one_is_not), cmocka_unit_test(test_rarity_is_a_guard),
              cmocka_unit_test(test_scopes), cmocka_unit_test(test_undone_and_expired_answers_do_nothing),
              cmocka_unit_test(test_people_disagree), cmocka_unit_test(test_the_longest_unused_is_forgotten),
              cmocka_unit_test(test_shares), cmocka_unit_test(test_saved_and_loaded))
