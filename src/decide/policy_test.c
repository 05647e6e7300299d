/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "decide/policy.h"

enum { ROWS = 30000, SHIFT = 20000, SHIFT_ROWS = 400 };

static tcsi_policy_options online(const char *policy, double count)
{
    tcsi_policy_options options = { .mode = TCS_MODE_ONLINE, .budget = { .count = count }, .own_threshold = NAN };
    assert_ok(tcsi_budget_choose(policy, &options.budget, NULL));
    return options;
}

static void make_scores(uint64_t stream, double shift, tcs_score *scores)
{
    tcsi_rng rng = tcsi_rng_make(5, stream);
    for (size_t t = 0; t < ROWS; t++) {
        const double more = t >= SHIFT && t < SHIFT + SHIFT_ROWS ? shift : 0;
        scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = tcsi_rng_exponential(&rng) + more };
    }
}

typedef struct tally {
    size_t false_alarms;
    bool is_found;
} tally;

static tally run(const tcsi_policy_options *options, uint64_t stream, double shift)
{
    static tcs_score scores[ROWS];
    tcsi_policy policy;
    tally t = { 0 };
    make_scores(stream, shift, scores);
    assert_ok(tcsi_policy_init(&policy, options, NULL));
    for (size_t row = 0; row < ROWS; row++) {
        tcsi_verdict verdict;
        assert_ok(tcsi_policy_push(&policy, &scores[row], 0, &verdict, NULL));
        const bool inside = shift > 0 && row >= SHIFT && row < SHIFT + SHIFT_ROWS;
        t.is_found |= inside && verdict.anomaly;
        t.false_alarms += !inside && verdict.event == TCSI_EPISODE_OPENED;
    }
    tcsi_policy_deinit(&policy);
    return t;
}

static void test_evidence_adds_up(void **state)
{
    (void)state;
    enum { STREAMS = 12 };
    const tcsi_policy_options alone = online("budget", 1), together = online("evidence", 1);
    size_t alone_found = 0, together_found = 0, raised = 0;
    for (uint64_t i = 0; i < STREAMS; i++) {
        alone_found += run(&alone, i, 0.8).is_found;
        together_found += run(&together, i, 0.8).is_found;
        raised += run(&together, i, 0).false_alarms;
    }
    print_message("# slow shift found %zu (budget), %zu (evidence) of %d; %zu false alarms, %d allowed\n", alone_found, together_found,
                  STREAMS, raised, 3 * STREAMS);
    assert_true(together_found >= 11 && alone_found <= 8);
    assert_true(raised <= 3 * STREAMS * 5 / 4);
}

/* An episode opens with a row above either threshold, what is kept of the sum is what p-values add up to, and a row above either alarms. */
static void test_which_of_two_alarmed_is_kept(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    const tcsi_policy_options together = online("evidence", 1), alone = online("budget", 1);
    tcsi_policy_result decision;
    tcsi_evidence evidence = { 0 };
    size_t by_sum_alone = 0, next = 0;
    make_scores(0, 0.8, scores);
    assert_ok(tcsi_policy_decide(scores, ROWS, &together, &decision, NULL));
    for (size_t t = 0; t < ROWS; t++) {
        const bool by_score = scores[t].value > decision.thresholds[t], by_sum = decision.sums[t] > decision.sum_thresholds[t];
        const bool has_tail = isfinite(decision.thresholds[t]);
        assert_true(decision.anomaly[t] || !(by_score || by_sum));
        assert_true(by_score || by_sum || next == decision.episode_count || decision.episodes[next].row_begin != t);
        next += next < decision.episode_count && decision.episodes[next].row_begin == t;
        assert_true(decision.sums[t] == (has_tail ? tcsi_evidence_push(&evidence, scores[t].p_value) : 0));
        by_sum_alone += by_sum && !by_score;
    }
    assert_true(by_sum_alone > 0 && next == decision.episode_count);
    tcsi_policy_result_deinit(&decision);
    assert_ok(tcsi_policy_decide(scores, ROWS, &alone, &decision, NULL));
    assert_null(decision.sums);
    tcsi_policy_result_deinit(&decision);
}

static void test_policies_by_name(void **state)
{
    (void)state;
    tcsi_budget budget = { 0 };
    static const char *const bad[] = { "", "costs", "cost", "cost=", "cost=5", "cost=5:", "cost=0:1", "cost=1:0", "cost=5:1x",
                                       "cost=nan:1" };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_int_equal(tcsi_budget_choose(bad[i], &budget, NULL), TCS_E_INVALID);
    assert_ok(tcsi_budget_choose("cost=5000:80", &budget, NULL));
    assert_true(budget.kind == TCSI_POLICY_COST && budget.miss_cost == 62.5);
    budget = (tcsi_budget){ .count = 2 };
    assert_int_equal(tcsi_budget_choose("cost=5:1", &budget, NULL), TCS_E_INVALID);
    const tcsi_policy_options offline = { .mode = TCS_MODE_OFFLINE, .budget = { .kind = TCSI_POLICY_EVIDENCE }, .own_threshold = NAN };
    tcs_score scores[4] = { { .state = TCS_SCORE_READY } };
    tcsi_policy_result decision;
    assert_int_equal(tcsi_policy_decide(scores, 4, &offline, &decision, NULL), TCS_E_INVALID);
}

static void test_a_team_shares_its_budget(void **state)
{
    (void)state;
    tcsi_budget budget, loaded = { 0 };
    tcs_error err;
    char long_name[TCSI_TEAM_NAME_SIZE + 1];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    assert_ok(tcsi_budget_parse("2/week", &budget, NULL));
    assert_int_equal(tcsi_budget_share(&budget, "pumps", 0, NULL), TCS_E_INVALID);
    assert_int_equal(tcsi_budget_share(&budget, "", 4, NULL), TCS_E_INVALID);
    assert_int_equal(tcsi_budget_share(&budget, long_name, 4, NULL), TCS_E_INVALID);
    assert_int_equal(tcsi_budget_share(&loaded, "pumps", 4, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "must be stated"));
    assert_ok(tcsi_budget_share(&budget, "pumps", 4, NULL));
    assert_true(budget.count == 0.5 && budget.per_ns == 7 * INT64_C(86400000000000) && budget.team_series == 4);
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 4096);
    tcsi_codec save = tcsi_codec_save(&bytes, NULL);
    tcsi_budget_persist(&budget, &save);
    assert_ok(tcsi_codec_status(&save));
    tcsi_codec load = tcsi_codec_load(bytes.data, bytes.size, NULL);
    tcsi_budget_persist(&loaded, &load);
    assert_ok(tcsi_codec_status(&load));
    assert_true(loaded.count == 0.5 && loaded.team_series == 4);
    assert_string_equal(loaded.team, "pumps");
    budget.team[0] = 0; /* a team without a name cannot have been saved */
    bytes.size = 0;
    save = tcsi_codec_save(&bytes, NULL);
    tcsi_budget_persist(&budget, &save);
    load = tcsi_codec_load(bytes.data, bytes.size, &err);
    tcsi_budget_persist(&loaded, &load);
    assert_int_equal(tcsi_codec_status(&load), TCS_E_FORMAT);
    tcsi_buffer_deinit(&bytes);
}

/* Ten series of one team together raise what one alone is allowed; each with the whole budget, ten times as much. */
static void test_a_team_keeps_its_promise(void **state)
{
    (void)state;
    enum { SERIES = 10, TEAMS = 4 };
    const tcsi_policy_options alone = online("budget", 5);
    tcsi_policy_options shared = alone;
    size_t raised = 0, unshared = 0;
    assert_ok(tcsi_budget_share(&shared.budget, "ten", SERIES, NULL));
    for (uint64_t i = 0; i < SERIES * TEAMS; i++) {
        raised += run(&shared, 100 + i, 0).false_alarms;
        unshared += run(&alone, 100 + i, 0).false_alarms;
    }
    const size_t promised = 5 * (ROWS / 10000) * TEAMS;
    print_message("# %zu false alarms raised, %zu promised; %zu without sharing\n", raised, promised, unshared);
    assert_true(raised <= promised * 5 / 4 && raised >= promised / 2);
    assert_true(unshared > 6 * promised);
}

/* At the share found, the bound on the odds is what the costs ask for. */
static void test_cost_is_what_evidence_must_outweigh(void **state)
{
    (void)state;
    static const double costs[] = { 0.1, 1, 10, 60 };
    double last = 0;
    for (size_t i = 0; i < TCS_COUNT(costs); i++) {
        const tcsi_budget budget = { .kind = TCSI_POLICY_COST, .miss_cost = costs[i], .anomaly_share = 0.01 };
        const double p = tcsi_budget_cost_share(&budget), bound = -2.718281828459045 * p * log(p);
        assert_true(fabs(bound - 0.01 / 0.99 * costs[i]) < 1e-6 * bound);
        assert_true(p > last);
        last = p;
    }
    const tcsi_budget all = { .kind = TCSI_POLICY_COST, .miss_cost = 1000, .anomaly_share = 0.01 };
    assert_true(fabs(tcsi_budget_cost_share(&all) - 1 / 2.718281828459045) < 1e-9);
}

static void test_dear_misses_alarm_more(void **state)
{
    (void)state;
    const tcsi_policy_options cheap = online("cost=0.2:1", 0), dear = online("cost=20:1", 0);
    const size_t few = run(&cheap, 3, 0).false_alarms, many = run(&dear, 3, 0).false_alarms;
    if (!(many > 5 * few && many > 0)) fail_msg("%zu and %zu alarms", few, many);
}

static void test_suspected_then_sure(void **state)
{
    (void)state;
    tcsi_episode episode = { .severity = 52 };
    tcsi_episode_judge(&episode, 10, 1);
    tcsi_episode_judge(&episode, 11, 1);
    assert_int_equal(episode.state, TCSI_EPISODE_SUSPECTED);
    tcsi_episode_judge(&episode, 12, 1);
    assert_true(episode.state == TCSI_EPISODE_CONFIRMED && episode.row_confirmed == 12);
    episode = (tcsi_episode){ .severity = 61 };
    tcsi_episode_judge(&episode, 7, 100);
    assert_true(episode.state == TCSI_EPISODE_CONFIRMED && episode.row_confirmed == 7);

    tcsi_episode_tracker tracker;
    tcsi_episode_tracker_init(&tracker, 0);
    const tcs_score high = { .state = TCS_SCORE_READY, .value = 9 }, low = { .state = TCS_SCORE_READY };
    tcsi_episode_tracker_push(&tracker, &high, 9, 5, 3);
    assert_int_equal(tcsi_episode_tracker_push(&tracker, &low, 0, 5, 3).event, TCSI_EPISODE_CLOSED);
    assert_int_equal(tracker.episode.state, TCSI_EPISODE_DISMISSED);
    tcsi_episode_tracker_push(&tracker, &high, 9, 5, 3);
    tracker.episode.state = TCSI_EPISODE_CONFIRMED;
    tcsi_episode_tracker_push(&tracker, &low, 0, 5, 3);
    assert_int_equal(tracker.episode.state, TCSI_EPISODE_RESOLVED);

    episode = (tcsi_episode){ .row_begin = 5, .row_end = 30, .row_peak = 6, .severity = 80 };
    tcsi_episode_settle(&episode, 4, true);
    assert_true(episode.state == TCSI_EPISODE_RESOLVED && episode.row_confirmed == 6);
    episode = (tcsi_episode){ .row_begin = 5, .row_end = 6, .row_peak = 5, .severity = 51 };
    tcsi_episode_settle(&episode, 4, true);
    assert_int_equal(episode.state, TCSI_EPISODE_DISMISSED);
}

/* Saved between two rows, it goes on to the same bits: early, and after the history was cut. */
static void check_persist(const char *name, size_t at)
{
    static tcs_score scores[ROWS];
    const tcsi_policy_options options = online(name, strncmp(name, "cost", 4) == 0 ? 0 : 5), any = { .mode = TCS_MODE_ONLINE };
    tcsi_policy first, second;
    tcsi_buffer state;
    tcsi_codec codec;
    make_scores(8, 0.8, scores);
    tcsi_buffer_init(&state, 1 << 26);
    assert_ok(tcsi_policy_init(&first, &options, NULL));
    for (size_t row = 0; row < ROWS; row++) {
        tcsi_verdict verdict, again;
        tcs_score copy = scores[row];
        if (row == at) {
            codec = tcsi_codec_save(&state, NULL);
            tcsi_policy_persist(&first, &codec);
            assert_ok(tcsi_codec_status(&codec));
            assert_ok(tcsi_policy_init(&second, &any, NULL));
            codec = tcsi_codec_load(state.data, state.size, NULL);
            tcsi_policy_persist(&second, &codec);
            assert_ok(tcsi_codec_status(&codec));
        }
        assert_ok(tcsi_policy_push(&first, &scores[row], 0, &verdict, NULL));
        if (row < at) continue;
        assert_ok(tcsi_policy_push(&second, &copy, 0, &again, NULL));
        assert_true(verdict.threshold == again.threshold && verdict.anomaly == again.anomaly);
        assert_true(verdict.event == again.event && copy.p_value == scores[row].p_value);
        assert_true(first.tracker.episode.severity == second.tracker.episode.severity);
    }
    for (size_t cut = 0; cut < state.size; cut += 1 + state.size / 97) { /* a shortened one is refused */
        tcsi_policy broken;
        assert_ok(tcsi_policy_init(&broken, &any, NULL));
        codec = tcsi_codec_load(state.data, cut, NULL);
        tcsi_policy_persist(&broken, &codec);
        assert_true(tcsi_codec_status(&codec) != TCS_OK);
        tcsi_policy_deinit(&broken);
    }
    tcsi_policy_deinit(&first);
    tcsi_policy_deinit(&second);
    tcsi_buffer_deinit(&state);
}

static void test_persist(void **state)
{
    (void)state;
    static const char *const names[] = { "budget", "evidence", "cost=5:1" };
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        check_persist(names[i], 30);
        check_persist(names[i], SHIFT + 100);
    }
}

/* The scores of training rows are forgotten once there are enough others. */
static void test_training_rows_are_no_reference(void **state)
{
    (void)state;
    tcsi_policy_options options = online("budget", 1);
    options.use_train = true;
    options.train_row_count = 3000;
    tcsi_rng rng = tcsi_rng_make(9, 9);
    tcsi_policy policy;
    size_t alarms = 0;
    assert_ok(tcsi_policy_init(&policy, &options, NULL));
    for (size_t row = 0; row < ROWS; row++) {
        tcsi_verdict verdict;
        tcs_score score = { .state = TCS_SCORE_READY, .value = tcsi_rng_exponential(&rng) * (row < 3000 ? 1 : 3) };
        assert_ok(tcsi_policy_push(&policy, &score, 0, &verdict, NULL));
        alarms += row > 6000 && verdict.event == TCSI_EPISODE_OPENED;
    }
    assert_true(policy.history.has_training && policy.history.later_count > 1000);
    if (alarms > 8) fail_msg("%zu alarms, 2.4 allowed", alarms);
    tcsi_policy_deinit(&policy);
}

TCS_TEST_MAIN(cmocka_unit_test(test_evidence_adds_up), cmocka_unit_test(test_which_of_two_alarmed_is_kept),
              cmocka_unit_test(test_policies_by_name), cmocka_unit_test(test_a_team_shares_its_budget),
              cmocka_unit_test(test_a_team_keeps_its_promise),
              cmocka_unit_test(test_cost_is_what_evidence_must_outweigh), cmocka_unit_test(test_dear_misses_alarm_more),
              cmocka_unit_test(test_suspected_then_sure), cmocka_unit_test(test_persist),
              cmocka_unit_test(test_training_rows_are_no_reference))
