/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "decide/policy.h"

enum { ROWS = 20000 };

/* Autocorrelated |noise|, like the score of a real detector on normal data. */
static void make_scores(uint64_t stream, size_t count, tcs_score *scores)
{
    tcsi_rng rng = tcsi_rng_make(11, stream);
    double level = 0;
    for (size_t t = 0; t < count; t++) {
        level = 0.9 * level + tcsi_rng_normal(&rng);
        scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = fabs(level) };
    }
}

static tcsi_policy_options offline(double count)
{
    return (tcsi_policy_options){ .mode = TCS_MODE_OFFLINE, .budget = { .count = count }, .own_threshold = NAN };
}

static void test_tail_recovers_a_known_pareto(void **state)
{
    (void)state;
    static double scores[ROWS];
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t t = 0; t < ROWS; t++) { /* shape 0.2, scale 2 */
        double u = 1 - tcsi_rng_uniform(&rng);
        scores[t] = 2 * (pow(u, -0.2) - 1) / 0.2;
    }
    tcsi_tail tail;
    assert_ok(tcsi_tail_fit_scores(scores, ROWS, 1, 1, &tcsi_prior_of_a_whole, &tail, NULL));
    for (double p = 0.5; p > 2e-5; p /= 3) { /* the p-value of the true quantile is near p */
        double s = 2 * (pow(p, -0.2) - 1) / 0.2, ratio = tcsi_tail_p_value(&tail, s) / p;
        assert_true(ratio > 0.4 && ratio < 2.5);
    }
    tcsi_tail_deinit(&tail);
}

static void test_p_values_are_uniform_on_new_normal_rows(void **state)
{
    (void)state;
    static double reference[ROWS];
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t t = 0; t < ROWS; t++) reference[t] = fabs(tcsi_rng_normal(&rng));
    tcsi_tail tail;
    assert_ok(tcsi_tail_fit_scores(reference, ROWS, 1, 1, &tcsi_prior_of_a_whole, &tail, NULL));
    static const double levels[] = { 0.5, 0.1, 0.01, 0.001 };
    size_t below[4] = { 0 };
    enum { NEW = 200000 };
    for (size_t t = 0; t < NEW; t++) {
        double p = tcsi_tail_p_value(&tail, fabs(tcsi_rng_normal(&rng)));
        for (size_t i = 0; i < 4; i++) below[i] += p <= levels[i];
    }
    for (size_t i = 0; i < 4; i++) {
        double ratio = (double)below[i] / (NEW * levels[i]);
        assert_true(ratio > 0.6 && ratio < 1.6);
    }
    tcsi_tail_deinit(&tail);
}

static void test_p_value_falls_with_the_score(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    static double values[ROWS];
    make_scores(1, ROWS, scores);
    for (size_t t = 0; t < ROWS; t++) values[t] = scores[t].value;
    tcsi_tail tail;
    assert_ok(tcsi_tail_fit_scores(values, ROWS, 10, 1, &tcsi_prior_of_a_whole, &tail, NULL));
    double last = 1;
    for (double s = 0; s < 100; s += 0.01) {
        double p = tcsi_tail_p_value(&tail, s);
        assert_true(p > 0 && p <= last);
        last = p;
    }
    for (double budget = 0.01; budget < 10; budget *= 2) {
        double threshold = tcsi_tail_threshold(&tail, budget, ROWS);
        assert_true(tcsi_tail_expected_clusters(&tail, threshold + 1e-9, ROWS) <= budget * 1.001);
    }
    tcsi_tail_deinit(&tail);
}

/* Over many normal series the realised number of false alarms stays near what the budget promised. */
static void test_budget_is_kept_on_normal_data(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    enum { SERIES = 60 };
    for (int mode = 0; mode < 2; mode++) {
        size_t alarms = 0;
        for (uint64_t i = 0; i < SERIES; i++) {
            tcsi_policy_options options = offline(2);
            tcsi_policy_result decision;
            options.mode = mode == 0 ? TCS_MODE_OFFLINE : TCS_MODE_ONLINE;
            make_scores(100 + i, ROWS, scores);
            assert_ok(tcsi_policy_decide(scores, ROWS, &options, &decision, NULL));
            alarms += decision.episode_count;
            tcsi_policy_result_deinit(&decision);
        }
        /* Online the budget is for 10,000 rows; before the first fit and while it knows little it is off by more. */
        double realised = (double)alarms / SERIES, promised = mode == 0 ? 2 : 2.0 * ROWS / TCSI_BUDGET_ROWS;
        print_message("# budget %g, realised %.2f (%s)\n", promised, realised, mode == 0 ? "offline" : "online");
        assert_true(realised < 2 * promised && realised > promised / 4);
    }
}

static void test_anomalies_do_not_hide_each_other(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    make_scores(7, ROWS, scores);
    for (size_t event = 0; event < 5; event++)
        for (size_t t = 0; t < 40; t++) scores[2000 + event * 3500 + t].value = 30 + (double)event;
    tcsi_policy_options options = offline(1);
    tcsi_policy_result decision;
    assert_ok(tcsi_policy_decide(scores, ROWS, &options, &decision, NULL));
    size_t found = 0;
    for (size_t i = 0; i < decision.episode_count; i++) found += decision.episodes[i].score_peak >= 30;
    assert_int_equal(found, 5);
    assert_true(decision.episode_count <= 7);
    tcsi_policy_result_deinit(&decision);
}

/* The online threshold of a row does not depend on later rows. */
static void test_online_looks_back_only(void **state)
{
    (void)state;
    static tcs_score a[4000], b[4000];
    make_scores(9, 4000, a);
    memcpy(b, a, sizeof a);
    for (size_t t = 3000; t < 4000; t++) b[t].value = 1000;
    tcsi_policy_options options = offline(1);
    options.mode = TCS_MODE_ONLINE;
    tcsi_policy_result first, second;
    assert_ok(tcsi_policy_decide(a, 4000, &options, &first, NULL));
    assert_ok(tcsi_policy_decide(b, 4000, &options, &second, NULL));
    assert_memory_equal(first.thresholds, second.thresholds, 3000 * sizeof(double));
    for (size_t t = 0; t < 3000; t++) assert_true(a[t].p_value == b[t].p_value && first.anomaly[t] == second.anomaly[t]);
    tcsi_policy_result_deinit(&first);
    tcsi_policy_result_deinit(&second);
}

static void test_hostile_scores(void **state)
{
    (void)state;
    static tcs_score scores[100];
    for (int kind = 0; kind < 5; kind++)
        for (size_t count = 0; count <= 100; count = count < 3 ? count + 1 : count * 2)
            for (int mode = 0; mode < 2; mode++) {
                for (size_t t = 0; t < 100; t++) {
                    static const double values[] = { 0, 5, 1e300, 1e-300, -1e300 };
                    scores[t] = (tcs_score){ .state = kind == 0 ? TCS_SCORE_MISSING : TCS_SCORE_READY, .value = values[kind] };
                }
                if (count > 50) scores[50].value = 1e308;
                tcsi_policy_options options = offline(1);
                options.mode = mode ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE;
                tcsi_policy_result decision;
                assert_ok(tcsi_policy_decide(scores, count, &options, &decision, NULL));
                for (size_t t = 0; t < count; t++) assert_false(isnan(scores[t].p_value));
                tcsi_policy_result_deinit(&decision);
            }
}

static void test_episode_hysteresis_and_merging(void **state)
{
    (void)state;
    static const double values[] = { 0, 3, 6, 3, 0, 0, 6, 0, 0, 0, 0, 6 };
    enum { N = sizeof values / sizeof *values };
    tcs_score scores[N];
    double high[N], low[N];
    uint8_t anomaly[N];
    for (size_t t = 0; t < N; t++) {
        scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = values[t] };
        high[t] = 5;
        low[t] = 2;
    }
    tcsi_episode *episodes;
    size_t count;
    tcsi_episode_options options = { .thresholds = high, .thresholds_low = low, .merge_count = 2 };
    assert_ok(tcsi_episodes_find(scores, N, &options, anomaly, &episodes, &count, NULL));
    assert_int_equal(count, 2);
    assert_int_equal(episodes[0].row_begin, 1);
    assert_int_equal(episodes[0].row_end, 7);
    assert_int_equal(episodes[0].row_peak, 2);
    assert_int_equal(episodes[1].row_begin, 11);
    tcsi_free(episodes);

    /* Row by row: no reaching back, the gap is bridged when the next rise shows, the last one is still open. */
    static const tcsi_episode_event events[N] = { 0, 0, 1, 2, 0, 0, 2, 0, 0, 3, 0, 1 };
    tcsi_episode_tracker tracker;
    tcsi_episode_tracker_init(&tracker, 2);
    for (size_t t = 0; t < N; t++) {
        tcsi_episode_step step = tcsi_episode_tracker_push(&tracker, &scores[t], scores[t].value, high[t], low[t]);
        assert_int_equal(step.event, events[t]);
        assert_int_equal(step.anomaly, events[t] == TCSI_EPISODE_OPENED || events[t] == TCSI_EPISODE_CONTINUED);
        if (step.event != TCSI_EPISODE_CLOSED) continue;
        assert_int_equal(tracker.episode.row_begin, 2);
        assert_int_equal(tracker.episode.row_end, 7);
    }
    assert_true(tracker.is_open);
    assert_int_equal(tracker.episode.row_begin, 11);
}

/* Whether rows [begin, end) hold no READY row at or below the lower threshold. */
static bool stays_up(const tcs_score *scores, size_t begin, size_t end, double low)
{
    for (size_t t = begin; t < end; t++)
        if (scores[t].state == TCS_SCORE_READY && scores[t].value <= low) return false;
    return true;
}

/* The rule read with hindsight: a row alarms when it is above the threshold, or above the lower one with nothing lower since a
 * row that alarmed; alarms belong together when nothing lower, or at most merge_count rows, lie between. */
static void check_tracker(const tcs_score *scores, size_t count, size_t merge_count)
{
    tcsi_episode_tracker tracker;
    tcsi_episode_tracker_init(&tracker, merge_count);
    size_t last = SIZE_MAX, open = 0, closed = 0;
    for (size_t t = 0; t < count; t++) {
        tcsi_episode_step step = tcsi_episode_tracker_push(&tracker, &scores[t], scores[t].value, 5, 2);
        bool ready = scores[t].state == TCS_SCORE_READY, held = last != SIZE_MAX && stays_up(scores, last, t, 2);
        bool alarm = ready && scores[t].value > (held ? 2 : 5);
        bool same = last != SIZE_MAX && (held || t <= last + 1 + merge_count);
        assert_int_equal(step.anomaly, alarm);
        if (alarm) assert_int_equal(step.event, same ? TCSI_EPISODE_CONTINUED : TCSI_EPISODE_OPENED);
        open += step.event == TCSI_EPISODE_OPENED;
        closed += step.event == TCSI_EPISODE_CLOSED;
        assert_true(open - closed == (tracker.is_open ? 1 : 0));
        if (alarm) last = t;
    }
}

static void test_tracker_follows_the_rule(void **state)
{
    (void)state;
    tcs_score scores[60];
    for (uint64_t seed = 0; seed < 400; seed++) {
        tcsi_rng rng = tcsi_rng_make(17, seed);
        for (size_t t = 0; t < 60; t++) {
            double u = tcsi_rng_uniform(&rng);
            double value = u < 0.2 ? 0 : u < 0.7 ? 1 : u < 0.9 ? 3 : 6;
            scores[t] = (tcs_score){ .state = u < 0.2 ? TCS_SCORE_MISSING : TCS_SCORE_READY, .value = value };
        }
        check_tracker(scores, 60, seed % 5);
    }
}

/* What a row is told does not depend on how many rows follow: a prefix decided alone is the prefix of the whole. */
static void test_online_needs_no_length(void **state)
{
    (void)state;
    static tcs_score whole[3000], part[3000];
    static int64_t times_ns[3000];
    static const tcsi_budget budgets[] = { { 0 }, { .count = 5 }, { .count = 20, .per_ns = 86400000000000 } };
    for (size_t t = 0; t < 3000; t++) times_ns[t] = (int64_t)t * 60000000000 + (int64_t)(t % 7) * 1000000000;
    for (size_t b = 0; b < TCS_COUNT(budgets); b++)
        for (size_t count = 1; count < 3000; count = count * 5 / 3 + 1) {
            tcsi_policy_options options = { .mode = TCS_MODE_ONLINE, .budget = budgets[b], .own_threshold = NAN, .use_train = true,
                                            .train_row_count = 300, .merge_count = 4, .times_ns = times_ns };
            tcsi_policy_result first, second;
            make_scores(21, 3000, whole);
            for (size_t t = 700; t < 3000; t += 531) whole[t].value += 20;
            memcpy(part, whole, sizeof part);
            assert_ok(tcsi_policy_decide(whole, 3000, &options, &first, NULL));
            assert_ok(tcsi_policy_decide(part, count, &options, &second, NULL));
            assert_memory_equal(first.thresholds, second.thresholds, count * sizeof(double));
            assert_memory_equal(first.anomaly, second.anomaly, count);
            for (size_t t = 0; t < count; t++) assert_true(whole[t].p_value == part[t].p_value);
            for (size_t i = 0; i + 1 < second.episode_count; i++)
                assert_memory_equal(&first.episodes[i], &second.episodes[i], sizeof first.episodes[i]);
            assert_true(first.episode_count >= 4);
            tcsi_policy_result_deinit(&first);
            tcsi_policy_result_deinit(&second);
        }
}

/* Half a million rows hold what the first fifty thousand held, and the threshold still follows the newest. */
static void test_online_memory_is_bounded(void **state)
{
    (void)state;
    tcsi_policy_options options = { .mode = TCS_MODE_ONLINE, .own_threshold = NAN };
    tcsi_policy policy;
    tcsi_rng rng = tcsi_rng_make(23, 0);
    double early = 0;
    tcsi_alloc_trace_begin();
    assert_ok(tcsi_policy_init(&policy, &options, NULL));
    for (size_t t = 0; t < 500000; t++) {
        tcs_score score = { .state = TCS_SCORE_READY, .value = fabs(tcsi_rng_normal(&rng)) * (t < 50000 ? 1 : 0.1) };
        tcsi_verdict verdict;
        assert_ok(tcsi_policy_push(&policy, &score, 0, &verdict, NULL));
        assert_true(score.p_value > 0 && score.p_value <= 1);
        if (t == 49999) early = verdict.threshold;
        assert_true(policy.history.score_count <= 2 * TCSI_HISTORY_MAX && policy.history.tail.count <= TCSI_HISTORY_MAX);
    }
    assert_true(early > 2 && policy.threshold < 0.2 * early);
    assert_true(tcsi_alloc_trace_stats().peak_size < 5 * TCSI_HISTORY_MAX * sizeof(double));
    tcsi_policy_deinit(&policy);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

/* A detector's own threshold decides at once, by the value or by the evidence; a stated budget overrules both, and p-values stay
 * those of the value. */
static void test_own_threshold(void **state)
{
    (void)state;
    static tcs_score scores[1000], by_value[1000];
    make_scores(9, 1000, scores);
    for (size_t t = 0; t < 1000; t++) {
        scores[t].evidence = t % 100 == 10 ? 0.5 : -1;
        if (t == 500) scores[t].value += 50;
    }
    scores[20] = (tcs_score){ .state = TCS_SCORE_MISSING, .evidence = 1 };
    for (int mode = 0; mode < 2; mode++) {
        tcsi_policy_options options = { .mode = mode ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE, .own_threshold = 0, .own_by_evidence = true };
        tcsi_policy_result evidence, value, budget;
        memcpy(by_value, scores, sizeof scores);
        assert_ok(tcsi_policy_decide(scores, 1000, &options, &evidence, NULL));
        options.own_by_evidence = false;
        options.own_threshold = 20;
        assert_ok(tcsi_policy_decide(by_value, 1000, &options, &value, NULL));
        options.own_by_evidence = true;
        options.own_threshold = 0;
        options.budget.count = 1;
        assert_ok(tcsi_policy_decide(by_value, 1000, &options, &budget, NULL));
        assert_true(evidence.own_threshold_used && evidence.by_evidence && value.own_threshold_used && !value.by_evidence);
        assert_true(!budget.own_threshold_used && !budget.by_evidence && budget.anomaly[500] == 1);
        for (size_t t = 0; t < 1000; t++) {
            assert_int_equal(evidence.anomaly[t], t % 100 == 10);
            assert_int_equal(value.anomaly[t], t == 500);
        }
        assert_int_equal(evidence.episode_count, 10);
        assert_true(scores[500].p_value < scores[510].p_value || scores[510].value >= scores[500].value);
        tcsi_policy_result_deinit(&evidence);
        tcsi_policy_result_deinit(&value);
        tcsi_policy_result_deinit(&budget);
    }
}

static void test_budget_text(void **state)
{
    (void)state;
    tcsi_budget budget;
    assert_ok(tcsi_budget_parse("2/day", &budget, NULL));
    assert_true(budget.count == 2 && budget.per_ns == 86400000000000);
    assert_ok(tcsi_budget_parse("0.5", &budget, NULL));
    static const char *const bad[] = { "", "-1", "0", "2/", "2/year", "x", "nan", "2 /day" };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_int_equal(tcsi_budget_parse(bad[i], &budget, NULL), TCS_E_INVALID);
}

static void check_failing_allocations(tcs_mode mode)
{
    static tcs_score scores[500];
    make_scores(2, 500, scores);
    tcsi_policy_options options = offline(1);
    options.mode = mode;
    tcs_status status = TCS_E_MEMORY;
    for (size_t at = 1; status != TCS_OK; at++) {
        tcsi_policy_result decision;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        status = tcsi_policy_decide(scores, 500, &options, &decision, NULL);
        tcsi_alloc_trace_fail_at(0);
        if (status == TCS_OK) tcsi_policy_result_deinit(&decision);
        else assert_int_equal(status, TCS_E_MEMORY);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
}

static void test_failing_allocations(void **state)
{
    (void)state;
    check_failing_allocations(TCS_MODE_OFFLINE);
    check_failing_allocations(TCS_MODE_ONLINE);
}

TCS_TEST_MAIN(cmocka_unit_test(test_tail_recovers_a_known_pareto), cmocka_unit_test(test_p_values_are_uniform_on_new_normal_rows),
              cmocka_unit_test(test_p_value_falls_with_the_score), cmocka_unit_test(test_budget_is_kept_on_normal_data),
              cmocka_unit_test(test_anomalies_do_not_hide_each_other), cmocka_unit_test(test_online_looks_back_only),
              cmocka_unit_test(test_hostile_scores), cmocka_unit_test(test_episode_hysteresis_and_merging),
              cmocka_unit_test(test_tracker_follows_the_rule), cmocka_unit_test(test_online_needs_no_length),
              cmocka_unit_test(test_online_memory_is_bounded),
              cmocka_unit_test(test_own_threshold), cmocka_unit_test(test_budget_text), cmocka_unit_test(test_failing_allocations))
