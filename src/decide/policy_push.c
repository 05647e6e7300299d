/* decide/policy_push.c -- the online decision, one row at a time in bounded memory.
 *
 * The threshold of a row is set by rows before it (decide/history.h).  Scores that alarmed are no reference of what is usual, but for the
 * highest of each episode so far: without it what chance does would be missing, and thresholds would sink from fit to fit.
 * With EVIDENCE a second history holds what the rows' p-values have added up to (decide/evidence.h); each of the two gets half of what is
 * allowed, and a row is above its threshold when it is above either.
 * Nothing here depends on how many rows will come: the first fit, the budget and an episode's rating are defined by the rows so
 * far.  An episode is rated at its peak, by the tail in force there, so that what was said when it opened still stands at its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "decide/policy.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

bool tcsi_policy_adds_up(const tcsi_policy *policy)
{
    return policy->options.budget.kind == TCSI_POLICY_EVIDENCE && !policy->own_threshold_used;
}

tcs_status tcsi_policy_init(tcsi_policy *policy, const tcsi_policy_options *options, tcs_error *err)
{
    *policy = (tcsi_policy){ .options = *options };
    policy->own_threshold_used = tcsi_policy_uses_own_threshold(options);
    policy->by_evidence = policy->own_threshold_used && options->own_by_evidence;
    tcsi_episode_tracker_init(&policy->tracker, policy->own_threshold_used ? 0 : options->merge_count);
    policy->expected = policy->tracker;
    tcs_status status = tcsi_history_init(&policy->history, options->use_train ? options->train_row_count : 0, options->merge_count, err);
    if (status == TCS_OK && tcsi_policy_adds_up(policy)) status = tcsi_history_init(&policy->sums, 0, options->merge_count, err);
    policy->threshold = policy->threshold_low = policy->own_threshold_used ? options->own_threshold : INFINITY;
    if (status != TCS_OK) tcsi_policy_deinit(policy);
    return status;
}

void tcsi_policy_deinit(tcsi_policy *policy)
{
    tcsi_history_deinit(&policy->history);
    tcsi_history_deinit(&policy->sums);
    *policy = (tcsi_policy){ 0 };
}

size_t tcsi_policy_size_max(const tcsi_budget *stated)
{
    return stated->kind == TCSI_POLICY_EVIDENCE ? 2 * TCSI_HISTORY_SIZE_MAX : TCSI_HISTORY_SIZE_MAX;
}

double tcsi_policy_rate(const tcsi_policy *policy)
{
    const tcsi_budget *budget = &policy->options.budget;
    const double clusters = (double)tcsi_peaks_cluster_count(&policy->history.peaks);
    if (budget->kind == TCSI_POLICY_COST && clusters > 0)
        return tcsi_budget_cost_share(budget) * clusters / (double)tcsi_peaks_score_count(&policy->history.peaks);
    if (!(budget->count > 0)) return (double)TCSI_BUDGET_DEFAULT / TCSI_BUDGET_ROWS;
    bool timed = budget->per_ns > 0 && policy->row_count > 1 && policy->time_last_ns > policy->time_first_ns;
    if (!timed) return budget->count / TCSI_BUDGET_ROWS;
    double span_ns = (double)((uint64_t)policy->time_last_ns - (uint64_t)policy->time_first_ns);
    return fmax(budget->count * span_ns / (double)(policy->row_count - 1) / (double)budget->per_ns, 1e-15);
}

static tcs_status refit(tcsi_policy *policy, tcs_error *err)
{
    const double rate = tcsi_policy_rate(policy);
    tcs_status status = tcsi_history_fit(&policy->history, tcsi_policy_adds_up(policy) ? 0.5 * rate : rate, err);
    if (status != TCS_OK || policy->own_threshold_used) return status;
    policy->threshold = policy->history.threshold;
    policy->threshold_low = policy->history.threshold_low;
    policy->tracker.merge_count = policy->history.tail.run_length; /* what is one cluster there is one episode here */
    policy->expected.merge_count = policy->history.tail.run_length;
    return TCS_OK;
}

/* Episodes expected by chance, per row, that are as rare as this score or what has added up to it. */
static double expected_of(const tcsi_policy *policy, double score)
{
    const tcsi_tail *tail = &policy->history.tail, *sums = &policy->sums.tail;
    const double expected = tail->count > 0 ? tcsi_tail_expected_clusters(tail, score, 1) : tcsi_policy_rate(policy);
    if (sums->count == 0) return expected;
    return 2 * fmin(expected, tcsi_tail_expected_clusters(sums, policy->evidence.sum, 1)); /* two looks */
}

/* 50 just reaches the budget; ten times rarer is ten more.  A later row of the episode can only make it rarer. */
static void rate_episode(const tcsi_policy *policy, const tcs_score *score, bool is_first, bool is_peak, tcsi_episode *episode)
{
    const double budget = tcsi_policy_rate(policy), expected = expected_of(policy, score->value);
    if (is_peak) episode->p_value = score->p_value;
    if (!is_first && expected * TCSI_BUDGET_ROWS >= episode->expected_count) return;
    const double severity = 50 + 10 * log10(budget / expected);
    episode->expected_count = expected * TCSI_BUDGET_ROWS;
    episode->severity = severity < 50 ? 50 : severity > 100 ? 100 : severity;
}

static void note_time(tcsi_policy *policy, int64_t time_ns)
{
    if (policy->row_count++ == 0) policy->time_first_ns = time_ns;
    policy->time_last_ns = time_ns;
}

size_t tcsi_policy_excuse_reach(size_t merge_count, size_t covered_count)
{
    const size_t most = covered_count < TCSI_EXCUSE_REACH ? TCSI_EXCUSE_REACH : covered_count;
    return merge_count < most ? merge_count : most;
}

void tcsi_policy_order(tcsi_policy *policy, tcsi_order order)
{
    policy->is_ordered = true;
    if (order.kind == TCSI_ORDER_EXCUSE) {
        const bool goes_on = policy->is_excused && policy->excuse.kind == TCSI_ORDER_EXCUSE;
        if (!goes_on) policy->excuse_begin = policy->row_count;
        const size_t covered = (size_t)(policy->row_count + 1 - policy->excuse_begin);
        policy->excuse = order;
        policy->excuse_end = policy->row_count + 1 + tcsi_policy_excuse_reach(policy->options.merge_count, covered);
    }
    policy->is_excused = order.kind == TCSI_ORDER_EXCUSE;
    const bool is_after = order.kind == TCSI_ORDER_NONE && policy->row_count < policy->excuse_end;
    policy->order = is_after ? policy->excuse : order;
}

/* How high a row stands between the thresholds: above 1.5 it opens an episode, above 0.5 it continues one. */
static double height_of(const tcsi_policy *policy, double level, double sum)
{
    if (level > policy->threshold || sum > policy->sums.threshold) return 2;
    return level > policy->threshold_low || sum > policy->sums.threshold_low ? 1 : 0;
}

/* An excused row counts as low for episodes, and as it is for what is expected. */
static tcsi_episode_event follow_expected(tcsi_policy *policy, const tcs_score *score, double height)
{
    const bool excused = policy->order.kind == TCSI_ORDER_EXCUSE;
    tcsi_episode_tracker *expected = &policy->expected;
    if (!policy->is_ordered) return TCSI_EPISODE_NONE;
    const tcsi_episode_step step = tcsi_episode_tracker_push(expected, score, excused ? height : 0, 1.5, 0.5);
    if (step.event == TCSI_EPISODE_OPENED) expected->episode.order = policy->order;
    if (step.is_peak) rate_episode(policy, score, step.event == TCSI_EPISODE_OPENED, true, &expected->episode);
    return step.event;
}

/* The row as the order leaves it: one that must alarm is above any threshold, also without a score. */
static tcsi_episode_step follow(tcsi_policy *policy, const tcs_score *score, double height)
{
    static const tcs_score silent = { .state = TCS_SCORE_READY, .p_value = 1 };
    const bool forced = policy->order.kind == TCSI_ORDER_ALARM;
    tcsi_episode_tracker *tracker = &policy->tracker;
    if (forced && score->state != TCS_SCORE_READY) score = &silent;
    if (policy->order.kind == TCSI_ORDER_EXCUSE) height = 0;
    const tcsi_episode_step step = tcsi_episode_tracker_push(tracker, score, forced ? 2 : height, 1.5, 0.5);
    if (step.anomaly) rate_episode(policy, score, step.event == TCSI_EPISODE_OPENED, step.is_peak, &tracker->episode);
    if (forced && tracker->episode.order.kind == TCSI_ORDER_NONE) tracker->episode.order = policy->order;
    if (step.anomaly && tracker->episode.order.kind == TCSI_ORDER_ALARM) tracker->episode.severity = 100;
    if (step.anomaly) tcsi_episode_judge(&tracker->episode, policy->row_count - 1, policy->history.tail.run_length);
    return step;
}

/* What the row teaches: excused ones and, but for the highest of an episode, those that alarm by themselves nothing. */
static tcs_status learn(tcsi_policy *policy, double score, double sum, bool is_above, const tcsi_episode_step *step, tcs_error *err)
{
    const tcsi_policy_options *options = &policy->options;
    const bool is_training = options->use_train && policy->row_count <= options->train_row_count;
    if (!is_above || step->is_peak) tcsi_history_push(&policy->history, score, is_training);
    if (!step->anomaly) policy->sum_highest = 0;
    if (tcsi_policy_adds_up(policy) && policy->history.tail.count > 0 && (!step->anomaly || sum > policy->sum_highest)) {
        tcsi_history_push(&policy->sums, sum, is_training);
        policy->sum_highest = step->anomaly ? sum : 0;
    }
    tcs_status status = tcsi_history_is_due(&policy->history) ? refit(policy, err) : TCS_OK;
    if (status != TCS_OK || !tcsi_policy_adds_up(policy) || !tcsi_history_is_due(&policy->sums)) return status;
    return tcsi_history_fit(&policy->sums, 0.5 * tcsi_policy_rate(policy), err);
}

tcs_status tcsi_policy_push(tcsi_policy *policy, tcs_score *score, int64_t time_ns, tcsi_verdict *ret_verdict, tcs_error *err)
{
    const bool ready = score->state == TCS_SCORE_READY, excused = policy->order.kind == TCSI_ORDER_EXCUSE;
    const double level = policy->by_evidence ? score->evidence : score->value;
    const bool adds_up = tcsi_policy_adds_up(policy);
    double sum = 0;
    note_time(policy, time_ns);
    if (ready) score->p_value = policy->history.tail.count > 0 ? tcsi_tail_p_value(&policy->history.tail, score->value) : 1;
    if (ready && !excused && adds_up && policy->history.tail.count > 0) sum = tcsi_evidence_push(&policy->evidence, score->p_value);
    const double height = height_of(policy, level, sum);
    const tcsi_episode_event expected_event = follow_expected(policy, score, height);
    const tcsi_episode_step step = follow(policy, score, height);
    const bool is_above = level > policy->threshold;
    *ret_verdict = (tcsi_verdict){ .threshold = policy->threshold, .sum = adds_up ? sum : NAN,
                                   .sum_threshold = adds_up ? policy->sums.threshold : NAN, .anomaly = step.anomaly,
                                   .event = step.event, .expected_event = expected_event };
    if (!ready || excused) return TCS_OK;
    return learn(policy, score->value, sum, is_above, &step, err);
}

/* ---- saved form ---- */

static void persist_options(tcsi_policy_options *options, tcsi_codec *codec)
{
    tcsi_budget_persist(&options->budget, codec);
    tcsi_codec_f64(codec, &options->own_threshold);
    tcsi_codec_bool(codec, &options->own_by_evidence);
    tcsi_codec_size(codec, &options->train_row_count, SIZE_MAX);
    tcsi_codec_bool(codec, &options->use_train);
    tcsi_codec_size(codec, &options->merge_count, SIZE_MAX);
}

void tcsi_policy_persist(tcsi_policy *policy, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "POLI");
    persist_options(&policy->options, codec);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    policy->own_threshold_used = tcsi_policy_uses_own_threshold(&policy->options);
    policy->by_evidence = policy->own_threshold_used && policy->options.own_by_evidence;
    tcsi_history_persist(&policy->history, codec);
    if (tcsi_policy_adds_up(policy) && tcsi_codec_loading(codec) && !policy->sums.scores && tcsi_codec_status(codec) == TCS_OK)
        codec->status = tcsi_history_init(&policy->sums, 0, 0, codec->err);
    if (tcsi_policy_adds_up(policy) && tcsi_codec_status(codec) == TCS_OK) {
        tcsi_evidence_persist(&policy->evidence, codec);
        tcsi_history_persist(&policy->sums, codec);
        tcsi_codec_f64(codec, &policy->sum_highest);
    }
    tcsi_codec_u64(codec, &policy->row_count);
    tcsi_codec_i64(codec, &policy->time_first_ns);
    tcsi_codec_i64(codec, &policy->time_last_ns);
    tcsi_codec_f64(codec, &policy->threshold);
    tcsi_codec_f64(codec, &policy->threshold_low);
    tcsi_episode_tracker_persist(&policy->tracker, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!(policy->threshold_low <= policy->threshold)) tcsi_codec_refuse(codec, "thresholds in the wrong order");
}
