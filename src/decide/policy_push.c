/* decide/policy_push.c -- the online decision, one row at a time in bounded memory.
 *
 * The threshold of a row is set by rows before it.  The tail is fitted when there are a fifth more rows, so that a stream of T rows is
 * fitted about 13 log10(T / 50) times, and every TCSI_POLICY_HISTORY_MAX rows at least; a row costs little more than a comparison and the
 * binary search of its p-value.  While the history still holds every row that counts, the peaks are found in it anew before each
 * fit, because rows after which scores are unrelated, and the height above which they belong together, are known better by then.
 * Rows that a detector learned from score lower than later ones; as soon as there are LATER_MIN later ones, those alone count.
 * Nothing is set aside as an anomaly, since what looks like one in the past of real series is mostly what happens now and then
 * (docs/internals/decide.md), and the tail's shape is expected to be heavy.  Only of a young series, where a wrong alarm or two are a
 * cheap price for seeing something in its first hours, it is expected to be light.
 * Nothing here depends on how many rows will come: the first fit, the budget and an episode's rating are defined by the rows so
 * far.  An episode is rated at its peak, by the tail in force there, so that what was said when it opened still stands at its end.
 * The history is an array of twice the maximum, whose newer half moves to the front when it is full: memory is bounded, order is
 * kept and a score is copied once at most.  SPDX-License-Identifier: Apache-2.0 */
#include "decide/policy.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { HISTORY_ROOM = 2 * TCSI_POLICY_HISTORY_MAX, GENERATION_ALARMS = 5, LATER_MIN = 1000, BODY_MAX = 4096 };

static const double YOUNG_ROWS = 500, OLD_ROWS = 5000; /* between them one prior turns into the other */
static const tcsi_pareto_prior young = { .mean = 0.0, .deviation = 0.1 }, old = { .mean = 0.3, .deviation = 0.3 };

tcs_status tcsi_policy_init(tcsi_policy *policy, const tcsi_policy_options *options, tcs_error *err)
{
    *policy = (tcsi_policy){ .options = *options, .refit_at = TCSI_POLICY_HISTORY_MIN };
    policy->own_threshold_used = tcsi_policy_uses_own_threshold(options);
    policy->by_evidence = policy->own_threshold_used && options->own_by_evidence;
    policy->threshold = policy->threshold_low = policy->own_threshold_used ? options->own_threshold : INFINITY;
    if (options->use_train && options->train_row_count > policy->refit_at) policy->refit_at = options->train_row_count;
    tcsi_episode_tracker_init(&policy->tracker, policy->own_threshold_used ? 0 : options->merge_count);
    policy->expected = policy->tracker;
    tcsi_peaks_init(&policy->peaks, 1, 0);
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
    if (!(budget->count > 0)) return (double)TCSI_BUDGET_DEFAULT / TCSI_BUDGET_ROWS;
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

/* Rows after which the peaks before them are forgotten: enough to have seen some times what is allowed once, and, where much is
 * allowed, not more than the peaks that are kept can speak of. */
static uint64_t generation_of(const tcsi_policy *policy)
{
    const double period = 1 / tcsi_policy_rate(policy);
    const double rows = fmax(GENERATION_ALARMS * period, fmin(TCSI_POLICY_HISTORY_MAX, TCSI_PEAK_COUNT_MAX / 8 * period));
    return rows < 1e12 ? (uint64_t)rows : (uint64_t)1e12;
}

static void find_peaks_again(tcsi_policy *policy)
{
    size_t run_length = tcsi_decorrelation_length(policy->history, policy->history_count);
    if (run_length < policy->options.merge_count) run_length = policy->options.merge_count;
    tcsi_peaks_init(&policy->peaks, run_length, 0);
    for (size_t i = 0; i < policy->history_count; i++) tcsi_peaks_push(&policy->peaks, policy->history[i], policy->threshold_low);
}

static tcsi_pareto_prior prior_at(uint64_t count)
{
    const double age = log((double)count / YOUNG_ROWS) / log(OLD_ROWS / YOUNG_ROWS), share = age < 0 ? 0 : age > 1 ? 1 : age;
    return (tcsi_pareto_prior){ .mean = young.mean + share * (old.mean - young.mean),
                                .deviation = young.deviation + share * (old.deviation - young.deviation) };
}

static tcs_status refit(tcsi_policy *policy, tcs_error *err)
{
    double highest[TCSI_PEAK_COUNT_MAX];
    if (policy->reference_count <= TCSI_POLICY_HISTORY_MAX) find_peaks_again(policy);
    policy->peaks.generation_max = generation_of(policy);
    const size_t peak_count = tcsi_peaks_collect(&policy->peaks, highest);
    const size_t count = policy->history_count < TCSI_POLICY_HISTORY_MAX ? policy->history_count : TCSI_POLICY_HISTORY_MAX;
    const double rate = tcsi_policy_rate(policy), peak_rows = (double)tcsi_peaks_score_count(&policy->peaks);
    const tcsi_reference reference = { .scores = policy->history + (policy->history_count - count), .count = count,
                                       .stride = 1 + count / BODY_MAX, .peaks = highest, .peak_count = peak_count,
                                       .cluster_count = (double)tcsi_peaks_cluster_count(&policy->peaks), .row_count = peak_rows,
                                       .run_length = policy->peaks.cluster.run_length,
                                       .prior = prior_at(policy->reference_count), .wanted = rate * peak_rows };
    const uint64_t more = policy->reference_count / 5 < TCSI_POLICY_HISTORY_MAX ? policy->reference_count / 5 : TCSI_POLICY_HISTORY_MAX;
    tcsi_tail_deinit(&policy->tail);
    tcs_status status = tcsi_tail_fit(&reference, &policy->tail, err);
    if (status != TCS_OK) return status;
    policy->refit_at = policy->reference_count + more + 1;
    if (policy->own_threshold_used) return TCS_OK;
    policy->tracker.merge_count = policy->expected.merge_count = policy->tail.run_length; /* what is one cluster there is one episode here */
    policy->threshold = tcsi_tail_threshold(&policy->tail, rate, 1);
    policy->threshold_low = tcsi_tail_threshold_low(&policy->tail, policy->threshold);
    return TCS_OK;
}

/* From now on only the last LATER_MIN scores count, and those that follow. */
static void forget_training(tcsi_policy *policy)
{
    memmove(policy->history, policy->history + (policy->history_count - LATER_MIN), LATER_MIN * sizeof *policy->history);
    policy->history_count = LATER_MIN;
    policy->reference_count = policy->refit_at = LATER_MIN;
}

static void take_in(tcsi_policy *policy, double score)
{
    const tcsi_policy_options *options = &policy->options;
    const bool has_training = options->use_train && options->train_row_count > 0;
    remember(policy, score);
    policy->reference_count++;
    tcsi_peaks_push(&policy->peaks, score, policy->by_evidence ? INFINITY : policy->threshold_low);
    if (has_training && policy->row_count > options->train_row_count && ++policy->later_count == LATER_MIN) forget_training(policy);
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
    if (!excused && (level <= policy->threshold || step.is_peak)) take_in(policy, score->value);
    return policy->reference_count >= policy->refit_at && policy->history_count >= 2 ? refit(policy, err) : TCS_OK;
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
    tcsi_codec_u64(codec, &policy->reference_count);
    tcsi_codec_u64(codec, &policy->later_count);
    tcsi_codec_u64(codec, &policy->refit_at);
    tcsi_codec_i64(codec, &policy->time_first_ns);
    tcsi_codec_i64(codec, &policy->time_last_ns);
    tcsi_codec_f64(codec, &policy->threshold);
    tcsi_codec_f64(codec, &policy->threshold_low);
    tcsi_peaks_persist(&policy->peaks, codec);
    tcsi_tail_persist(&policy->tail, TCSI_POLICY_HISTORY_MAX, codec);
    tcsi_episode_tracker_persist(&policy->tracker, codec);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    policy->own_threshold_used = tcsi_policy_uses_own_threshold(&policy->options);
    policy->by_evidence = policy->own_threshold_used && policy->options.own_by_evidence;
    if (!(policy->threshold_low <= policy->threshold)) tcsi_codec_refuse(codec, "thresholds in the wrong order");
}
