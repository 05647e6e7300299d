/* decide/policy_push.c -- the online decision, one row at a time in bounded memory.
 *
 * The threshold of a row is set by rows before it.  Scores of rows that did not alarm, and of those that opened an episode, are the
 * reference; the tail is fitted to the last TCSI_POLICY_HISTORY_MAX of them when the history has grown by a tenth, so that a stream of T
 * rows is fitted about 24 log10(T / 50) times and a row costs little more than a comparison and the binary search of its p-value.
 * Nothing here depends on how many rows will come: the first fit, the budget and an episode's rating are defined by the rows so
 * far.  An episode is rated at its peak, by the tail in force there, so that what was said when it opened still stands at its end.
 * The history is an array of twice the maximum, whose newer half moves to the front when it is full: memory is bounded, order is
 * kept and a score is copied once at most.  SPDX-License-Identifier: Apache-2.0 */
#include "decide/policy.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

/* What rises again later than RUN_LENGTH_MAX rows is another episode, however slowly scores move or follow the time of day. */
enum { HISTORY_ROOM = 2 * TCSI_POLICY_HISTORY_MAX, RUN_LENGTH_MAX = 16 };

tcs_status tcsi_policy_init(tcsi_policy *policy, const tcsi_policy_options *options, tcs_error *err)
{
    *policy = (tcsi_policy){ .options = *options, .refit_at = TCSI_POLICY_HISTORY_MIN };
    policy->own_threshold_used = tcsi_policy_uses_own_threshold(options);
    policy->by_evidence = policy->own_threshold_used && options->own_by_evidence;
    policy->threshold = policy->threshold_low = policy->own_threshold_used ? options->own_threshold : INFINITY;
    if (options->use_train && options->train_row_count > policy->refit_at) policy->refit_at = options->train_row_count;
    tcsi_episode_tracker_init(&policy->tracker, policy->own_threshold_used ? 0 : options->merge_count);
    policy->expected = policy->tracker;
    policy->history = TCSI_NEW_ARRAY(double, HISTORY_ROOM);
    return policy->history ? TCS_OK : tcsi_fail_memory(err, "decisions");
}

void tcsi_policy_deinit(tcsi_policy *policy)
{
    tcsi_free(policy->history);
    tcsi_tail_deinit(&policy->tail);
    *policy = (tcsi_policy){ 0 };
}

double tcsi_policy_rate(const tcsi_policy *policy)
{
    const tcsi_budget *budget = &policy->options.budget;
    if (!(budget->count > 0)) return 1.0 / TCSI_BUDGET_ROWS;
    bool timed = budget->per_ns > 0 && policy->row_count > 1 && policy->time_last_ns > policy->time_first_ns;
    if (!timed) return budget->count / TCSI_BUDGET_ROWS;
    double span_ns = (double)((uint64_t)policy->time_last_ns - (uint64_t)policy->time_first_ns);
    return fmax(budget->count * span_ns / (double)(policy->row_count - 1) / (double)budget->per_ns, 1e-15);
}

static void remember(tcsi_policy *policy, double score)
{
    if (policy->history_count == HISTORY_ROOM) {
        memcpy(policy->history, policy->history + TCSI_POLICY_HISTORY_MAX, TCSI_POLICY_HISTORY_MAX * sizeof *policy->history);
        policy->history_count = TCSI_POLICY_HISTORY_MAX;
    }
    policy->history[policy->history_count++] = score;
}

static tcs_status refit(tcsi_policy *policy, tcs_error *err)
{
    size_t count = policy->history_count < TCSI_POLICY_HISTORY_MAX ? policy->history_count : TCSI_POLICY_HISTORY_MAX;
    const double *recent = policy->history + (policy->history_count - count);
    tcsi_tail_deinit(&policy->tail);
    const size_t unrelated = tcsi_decorrelation_length(recent, count), run_length = unrelated < RUN_LENGTH_MAX ? unrelated : RUN_LENGTH_MAX;
    tcs_status status = tcsi_tail_fit(recent, count, run_length, &policy->tail, err);
    if (status != TCS_OK) return status;
    policy->refit_at = policy->ready_count + policy->ready_count / 10 + 1;
    if (policy->own_threshold_used) return TCS_OK;
    policy->threshold = tcsi_tail_threshold(&policy->tail, tcsi_policy_rate(policy), 1);
    policy->threshold_low = tcsi_tail_threshold_low(&policy->tail, policy->threshold);
    return TCS_OK;
}

/* 50 just reaches the budget; ten times rarer is ten more. */
static void rate_episode(const tcsi_policy *policy, double p_value, tcsi_episode *episode)
{
    double budget = tcsi_policy_rate(policy);
    double expected = policy->tail.count > 0 ? tcsi_tail_expected_clusters(&policy->tail, episode->score_peak, 1) : budget;
    double severity = 50 + 10 * log10(budget / expected);
    episode->p_value = p_value;
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

/* An excused row counts as low for episodes, and as it is for what is expected. */
static tcsi_episode_event follow_expected(tcsi_policy *policy, const tcs_score *score, double level)
{
    const bool excused = policy->order.kind == TCSI_ORDER_EXCUSE;
    tcsi_episode_tracker *expected = &policy->expected;
    if (!policy->is_ordered) return TCSI_EPISODE_NONE;
    const tcsi_episode_step step = tcsi_episode_tracker_push(expected, score, excused ? level : -INFINITY, policy->threshold,
                                                             policy->threshold_low);
    if (step.event == TCSI_EPISODE_OPENED) expected->episode.order = policy->order;
    if (step.is_peak) rate_episode(policy, score->p_value, &expected->episode);
    return step.event;
}

/* The row as the order leaves it: one that must alarm is above any threshold, also without a score. */
static tcsi_episode_step follow(tcsi_policy *policy, const tcs_score *score, double level)
{
    static const tcs_score silent = { .state = TCS_SCORE_READY, .p_value = 1 };
    const bool forced = policy->order.kind == TCSI_ORDER_ALARM;
    tcsi_episode_tracker *tracker = &policy->tracker;
    if (forced && score->state != TCS_SCORE_READY) score = &silent;
    if (policy->order.kind == TCSI_ORDER_EXCUSE) level = -INFINITY;
    const tcsi_episode_step step = forced ? tcsi_episode_tracker_push(tracker, score, 1, 0, 0)
                                          : tcsi_episode_tracker_push(tracker, score, level, policy->threshold, policy->threshold_low);
    if (step.is_peak) rate_episode(policy, score->p_value, &tracker->episode);
    if (forced && tracker->episode.order.kind == TCSI_ORDER_NONE) tracker->episode.order = policy->order;
    if (step.anomaly && tracker->episode.order.kind == TCSI_ORDER_ALARM) tracker->episode.severity = 100;
    return step;
}

tcs_status tcsi_policy_push(tcsi_policy *policy, tcs_score *score, int64_t time_ns, tcsi_verdict *ret_verdict, tcs_error *err)
{
    bool ready = score->state == TCS_SCORE_READY, calibrated = policy->tail.count > 0;
    double level = policy->by_evidence ? score->evidence : score->value;
    note_time(policy, time_ns);
    if (ready) score->p_value = calibrated ? tcsi_tail_p_value(&policy->tail, score->value) : 1;
    const bool excused = policy->order.kind == TCSI_ORDER_EXCUSE;
    const tcsi_episode_event expected_event = follow_expected(policy, score, level);
    const tcsi_episode_step step = follow(policy, score, level);
    *ret_verdict = (tcsi_verdict){ .threshold = policy->threshold, .anomaly = step.anomaly, .event = step.event,
                                   .expected_event = expected_event };
    if (!ready) return TCS_OK;
    policy->ready_count++;
    const bool is_usual = !calibrated || level <= policy->threshold || step.event == TCSI_EPISODE_OPENED;
    if (is_usual && !excused) remember(policy, score->value);
    return policy->ready_count >= policy->refit_at && policy->history_count >= 2 ? refit(policy, err) : TCS_OK;
}

/* ---- saved form ---- */

static void persist_options(tcsi_policy_options *options, tcsi_codec *codec)
{
    tcsi_codec_f64(codec, &options->budget.count);
    tcsi_codec_i64(codec, &options->budget.per_ns);
    tcsi_codec_f64(codec, &options->own_threshold);
    tcsi_codec_bool(codec, &options->own_by_evidence);
    tcsi_codec_size(codec, &options->train_row_count, SIZE_MAX);
    tcsi_codec_bool(codec, &options->use_train);
    tcsi_codec_size(codec, &options->merge_count, SIZE_MAX);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    if (!(options->budget.count >= 0) || !isfinite(options->budget.count) || options->budget.per_ns < 0)
        tcsi_codec_refuse(codec, "an alarm budget out of range");
}

/* Older scores than a refit looks at are not saved. */
static void persist_history(tcsi_policy *policy, tcsi_codec *codec)
{
    size_t count = policy->history_count < TCSI_POLICY_HISTORY_MAX ? policy->history_count : TCSI_POLICY_HISTORY_MAX;
    double *recent = policy->history + (policy->history_count - count);
    tcsi_codec_size(codec, &count, TCSI_POLICY_HISTORY_MAX);
    if (tcsi_codec_loading(codec)) recent = policy->history;
    if (tcsi_codec_status(codec) == TCS_OK) tcsi_codec_f64s(codec, recent, count);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    policy->history_count = count;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(recent[i])) {
            tcsi_codec_refuse(codec, "a score that is not finite");
            return;
        }
}

void tcsi_policy_persist(tcsi_policy *policy, tcsi_codec *codec)
{
    tcsi_codec_tag(codec, "POLI");
    persist_options(&policy->options, codec);
    persist_history(policy, codec);
    tcsi_codec_u64(codec, &policy->row_count);
    tcsi_codec_u64(codec, &policy->ready_count);
    tcsi_codec_u64(codec, &policy->refit_at);
    tcsi_codec_i64(codec, &policy->time_first_ns);
    tcsi_codec_i64(codec, &policy->time_last_ns);
    tcsi_codec_f64(codec, &policy->threshold);
    tcsi_codec_f64(codec, &policy->threshold_low);
    tcsi_tail_persist(&policy->tail, TCSI_POLICY_HISTORY_MAX, codec);
    tcsi_episode_tracker_persist(&policy->tracker, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    policy->own_threshold_used = tcsi_policy_uses_own_threshold(&policy->options);
    policy->by_evidence = policy->own_threshold_used && policy->options.own_by_evidence;
    if (!(policy->threshold_low <= policy->threshold)) tcsi_codec_refuse(codec, "thresholds in the wrong order");
}
