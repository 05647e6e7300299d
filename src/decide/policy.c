/* decide/policy.c -- budgets, and decisions on a whole frame; the online rule itself is in decide/policy_push.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "decide/policy.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- budget ---- */

tcs_status tcsi_budget_parse(const char *text, tcsi_budget *ret_budget, tcs_error *err)
{
    static const struct { const char *name; int64_t ns; } units[] = {
        { "hour", 3600000000000 }, { "day", 86400000000000 }, { "week", 604800000000000 },
    };
    char *end;
    double count = strtod(text, &end);
    if (end != text && count > 0 && count < 1e9) {
        if (*end == 0) {
            *ret_budget = (tcsi_budget){ .count = count };
            return TCS_OK;
        }
        for (size_t i = 0; *end == '/' && i < TCS_COUNT(units); i++)
            if (strcmp(end + 1, units[i].name) == 0) {
                *ret_budget = (tcsi_budget){ .count = count, .per_ns = units[i].ns };
                return TCS_OK;
            }
    }
    return tcsi_fail(err, TCS_E_INVALID, "alarm budget '%s': expected a number above 0, alone or per hour, day or week, like 2/day", text);
}

const tcsi_policy_info tcsi_policy_infos[TCSI_POLICY_COUNT] = {
    [TCSI_POLICY_BUDGET] = { "budget", "alarm budget", "at most so many false alarms on average",
                             "later normal rows score like earlier ones" },
    [TCSI_POLICY_EVIDENCE] = { "evidence", "alarm budget with evidence that adds up",
                               "at most so many false alarms on average, half of them from rows none of which is rare enough alone",
                               "as for a budget, and that slow changes are no part of normal" },
    [TCSI_POLICY_COST] = { "cost", "cost of a miss against a false alarm", "alarms that save more than they cost, on average",
                           "the stated share of what the scores show are events (1 in 100 unless said otherwise)" },
};

tcs_status tcsi_budget_choose(const char *text, tcsi_budget *budget, tcs_error *err)
{
    for (int kind = 0; kind < TCSI_POLICY_COST; kind++)
        if (strcmp(text, tcsi_policy_infos[kind].name) == 0) {
            budget->kind = (tcsi_policy_kind)kind;
            return TCS_OK;
        }
    char *end = NULL;
    double miss = strncmp(text, "cost=", 5) == 0 ? strtod(text + 5, &end) : 0, alarm = 0;
    if (end && *end == ':' && end > text + 5) alarm = strtod(end + 1, &end);
    if (!end || *end != 0 || !(miss > 0 && miss < 1e12) || !(alarm > 0 && alarm < 1e12))
        return tcsi_fail(err, TCS_E_INVALID, "policy '%s': expected budget, evidence, or cost=MISS:FALSE_ALARM with two numbers above 0, "
                         "like cost=50:1", text);
    if (budget->count > 0)
        return tcsi_fail(err, TCS_E_INVALID, "policy '%s': what alarms cost decides how many there are; it cannot be given with an alarm "
                         "budget", text);
    budget->kind = TCSI_POLICY_COST;
    budget->miss_cost = miss / alarm;
    return TCS_OK;
}

tcs_status tcsi_budget_share(tcsi_budget *budget, const char *team, size_t series_count, tcs_error *err)
{
    if (!(budget->count > 0))
        return tcsi_fail(err, TCS_E_INVALID, "team '%s': its series share an alarm budget, which must be stated, 2/week say", team);
    if (series_count == 0) return tcsi_fail(err, TCS_E_INVALID, "team '%s' of 0 series: expected at least 1", team);
    if (!*team || strlen(team) >= sizeof budget->team)
        return tcsi_fail(err, TCS_E_INVALID, "team '%s': expected a name of 1 to %zu bytes", team, sizeof budget->team - 1);
    memcpy(budget->team, team, strlen(team) + 1);
    budget->team_series = series_count;
    budget->count /= (double)series_count;
    return TCS_OK;
}

void tcsi_budget_persist(tcsi_budget *budget, tcsi_codec *codec)
{
    uint64_t kind = budget->kind;
    tcsi_codec_f64(codec, &budget->count);
    tcsi_codec_i64(codec, &budget->per_ns);
    tcsi_codec_u64(codec, &kind);
    tcsi_codec_f64(codec, &budget->miss_cost);
    tcsi_codec_f64(codec, &budget->anomaly_share);
    tcsi_codec_u64(codec, &budget->team_series);
    tcsi_codec_bytes(codec, budget->team, sizeof budget->team);
    if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) return;
    budget->kind = (tcsi_policy_kind)kind;
    const bool is_cost = kind == TCSI_POLICY_COST;
    if (budget->team[sizeof budget->team - 1] || (budget->team_series > 0) != (budget->team[0] != 0) ||
        !(budget->count >= 0 && budget->count < 1e300) || budget->per_ns < 0 || kind >= TCSI_POLICY_COUNT ||
        !(budget->anomaly_share >= 0 && budget->anomaly_share < 1) || (is_cost && !(budget->miss_cost > 0 && budget->miss_cost < 1e300)))
        tcsi_codec_refuse(codec, "an alarm budget out of range");
}

/* An alarm is worth its cost when P(event) miss_cost >= P(no event), that is when Sellke, Bayarri and Berger's bound
 * -e p ln p (decide/calibrate.h) is at most share / (1 - share) miss_cost.  The largest such p below 1/e, by bisection. */
double tcsi_budget_cost_share(const tcsi_budget *budget)
{
    const double e = 2.718281828459045, share = budget->anomaly_share > 0 ? budget->anomaly_share : TCSI_EVENT_SHARE;
    const double most = share / (1 - share) * budget->miss_cost;
    double low = 1e-300, high = 1 / e;
    if (most >= 1) return high;
    for (int i = 0; i < 200 && high - low > 1e-12 * high; i++) {
        const double middle = sqrt(low * high);
        if (-e * middle * log(middle) <= most) low = middle;
        else high = middle;
    }
    return low;
}

bool tcsi_policy_uses_own_threshold(const tcsi_policy_options *options)
{
    return !isnan(options->own_threshold) && !(options->budget.count > 0) && options->budget.kind == TCSI_POLICY_BUDGET;
}

static double budget_count(const tcsi_policy_options *options, size_t row_count)
{
    const tcsi_budget *budget = &options->budget;
    if (!(budget->count > 0)) return options->is_tabular && row_count > 100 ? 0.01 * (double)row_count : 1;
    if (budget->per_ns == 0 || !(options->cadence_ns > 0)) return budget->count;
    return fmax(budget->count * (double)row_count * options->cadence_ns / (double)budget->per_ns, 1e-9);
}

/* ---- thresholds ---- */

/* More rows than this above the threshold that the training rows give, and the whole is no reference for the normal. */
static const double CONTAMINATION_MAX = 0.2;

typedef struct context {
    tcs_score *scores;
    size_t row_count;
    const tcsi_policy_options *options;
    double *history; /* READY scores of the reference, in order of time */
    double *thresholds_low;
    tcsi_policy_result *decision;
} context;

static double threshold_of(const context *self, const tcsi_tail *tail)
{
    if (self->decision->own_threshold_used) return self->options->own_threshold;
    return tcsi_tail_threshold(tail, self->decision->budget_count, (double)self->row_count);
}

static size_t gather(const context *self, size_t row_begin, size_t row_end)
{
    size_t count = 0;
    const tcsi_order *orders = self->options->orders;
    for (size_t t = row_begin; t < row_end; t++)
        if (self->scores[t].state == TCS_SCORE_READY && !(orders && orders[t].kind == TCSI_ORDER_EXCUSE))
            self->history[count++] = self->scores[t].value;
    return count;
}

/* The threshold is INFINITY when there are fewer than 2 scores. */
static tcs_status fit_scores(context *self, const double *scores, size_t count, double *ret_threshold, tcs_error *err)
{
    tcsi_tail_deinit(&self->decision->tail);
    *ret_threshold = INFINITY;
    if (count < 2) return TCS_OK;
    size_t run_length = self->options->is_tabular ? 1 : tcsi_decorrelation_length(scores, count);
    const double wanted = self->decision->budget_count * (double)count / (double)self->row_count;
    tcs_status status = tcsi_tail_fit_scores(scores, count, run_length, wanted, &tcsi_prior_of_a_whole, &self->decision->tail, err);
    if (status != TCS_OK) return status;
    if (self->options->budget.kind == TCSI_POLICY_COST)
        self->decision->budget_count = tcsi_budget_cost_share(&self->options->budget) * self->decision->tail.cluster_rate *
                                       (double)self->row_count;
    *ret_threshold = threshold_of(self, &self->decision->tail);
    return TCS_OK;
}

/* Fits the tail on READY scores of rows [0, reference_end). */
static tcs_status fit_reference(context *self, size_t reference_end, double *ret_threshold, tcs_error *err)
{
    return fit_scores(self, self->history, gather(self, 0, reference_end), ret_threshold, err);
}

/* Share of the READY rows above threshold. */
static double share_above(const context *self, double threshold)
{
    size_t above = 0, ready = 0;
    for (size_t t = 0; t < self->row_count; t++)
        if (self->scores[t].state == TCS_SCORE_READY) {
            ready++;
            above += self->scores[t].value > threshold;
        }
    return ready > 0 ? (double)above / (double)ready : 0;
}

/* The reference is everything, unless training rows were named and so much lies above what they allow that everything
 * cannot serve as a picture of the normal. */
static tcs_status fit_offline(context *self, double *ret_threshold, tcs_error *err)
{
    if (self->options->reference_count > 0)
        return fit_scores(self, self->options->reference, self->options->reference_count, ret_threshold, err);
    bool may_use_train = self->options->use_train && self->options->train_row_count >= TCSI_HISTORY_MIN;
    if (may_use_train) {
        tcs_status status = fit_reference(self, self->options->train_row_count, ret_threshold, err);
        if (status != TCS_OK || share_above(self, *ret_threshold) > CONTAMINATION_MAX) return status;
    }
    return fit_reference(self, self->row_count, ret_threshold, err);
}

static tcs_status decide_offline(context *self, tcs_error *err)
{
    double threshold, low;
    tcs_status status = fit_offline(self, &threshold, err);
    if (status != TCS_OK) return status;
    const tcsi_tail *tail = &self->decision->tail;
    bool calibrated = tail->count > 0;
    self->decision->threshold = threshold;
    low = !calibrated || self->decision->own_threshold_used ? threshold : tcsi_tail_threshold_low(tail, threshold);
    for (size_t t = 0; t < self->row_count; t++) {
        self->decision->thresholds[t] = threshold;
        self->thresholds_low[t] = low;
        if (self->scores[t].state == TCS_SCORE_READY)
            self->scores[t].p_value = calibrated ? tcsi_tail_p_value(tail, self->scores[t].value) : 1;
    }
    return TCS_OK;
}

/* 50 just reaches the budget; ten times rarer is ten more. */
static void rate_episodes(const context *self, tcsi_episode *episodes, size_t count)
{
    const tcsi_policy_result *decision = self->decision;
    for (size_t i = 0; i < count; i++) {
        tcsi_episode *episode = &episodes[i];
        const tcs_score *peak = &self->scores[episode->row_peak];
        episode->p_value = peak->state == TCS_SCORE_READY ? peak->p_value : 1;
        episode->expected_count = tcsi_tail_expected_clusters(&decision->tail, episode->score_peak, (double)self->row_count);
        double severity = 50 + 10 * log10(decision->budget_count / episode->expected_count);
        const bool is_ordered = episode->order.kind == TCSI_ORDER_ALARM;
        episode->severity = is_ordered || severity > 100 ? 100 : severity < 50 ? 50 : severity;
        tcsi_episode_settle(episode, decision->tail.run_length, episode->row_end < self->row_count);
    }
}

/* The excused rows [begin, end) excuse rows without an order on both sides. */
static void widen(tcsi_order *orders, size_t row_count, size_t begin, size_t end, size_t merge_count)
{
    const size_t reach = tcsi_policy_excuse_reach(merge_count, end - begin);
    for (size_t i = 1; i <= reach && i <= begin && orders[begin - i].kind == TCSI_ORDER_NONE; i++) orders[begin - i] = orders[begin];
    for (size_t i = 0; i < reach && end + i < row_count && orders[end + i].kind == TCSI_ORDER_NONE; i++) orders[end + i] = orders[end - 1];
}

static tcs_status widen_excuses(const tcsi_policy_options *options, size_t row_count, tcsi_order **ret_orders, tcs_error *err)
{
    tcsi_order *wide = TCSI_NEW_ARRAY(tcsi_order, row_count);
    if (!wide) return tcsi_fail_memory(err, "orders");
    memcpy(wide, options->orders, row_count * sizeof *wide);
    for (size_t t = 0; t < row_count; t++) {
        const size_t begin = t;
        while (t < row_count && options->orders[t].kind == TCSI_ORDER_EXCUSE) t++;
        if (t > begin) widen(wide, row_count, begin, t, options->merge_count);
    }
    *ret_orders = wide;
    return TCS_OK;
}

static tcs_status find_offline(context *self, tcs_error *err)
{
    tcsi_policy_result *decision = self->decision;
    self->history = TCSI_NEW_ARRAY(double, self->row_count);
    self->thresholds_low = TCSI_NEW_ARRAY(double, self->row_count);
    tcs_status status = self->history && self->thresholds_low ? TCS_OK : tcsi_fail_memory(err, "decisions");
    if (status == TCS_OK) status = decide_offline(self, err);
    tcsi_episode_options options = { .thresholds = decision->thresholds, .thresholds_low = self->thresholds_low,
                                     .merge_count = decision->own_threshold_used ? 0 : self->options->merge_count,
                                     .by_evidence = decision->by_evidence, .orders = self->options->orders };
    if (status == TCS_OK)
        status = tcsi_episodes_find(self->scores, self->row_count, &options, decision->anomaly, &decision->episodes,
                                    &decision->episode_count, err);
    options.is_expected = true;
    if (status == TCS_OK && options.orders)
        status = tcsi_episodes_find(self->scores, self->row_count, &options, NULL, &decision->expected, &decision->expected_count, err);
    if (status == TCS_OK) rate_episodes(self, decision->episodes, decision->episode_count);
    if (status == TCS_OK) rate_episodes(self, decision->expected, decision->expected_count);
    tcsi_free(self->history);
    tcsi_free(self->thresholds_low);
    return status;
}

/* Row by row: nothing looks ahead. */
static tcs_status find_online(context *self, tcs_error *err)
{
    tcsi_policy_result *decision = self->decision;
    const int64_t *times_ns = self->options->times_ns;
    tcsi_policy policy;
    size_t capacity = 0, expected_capacity = 0;
    tcs_status status = tcsi_policy_init(&policy, self->options, err);
    for (size_t t = 0; status == TCS_OK && t < self->row_count; t++) {
        tcsi_verdict verdict;
        if (self->options->orders) tcsi_policy_order(&policy, self->options->orders[t]);
        status = tcsi_policy_push(&policy, &self->scores[t], times_ns ? times_ns[t] : 0, &verdict, err);
        if (status != TCS_OK) break;
        tcsi_policy_result_note(decision, t, &verdict);
        if (verdict.event == TCSI_EPISODE_CLOSED)
            status = tcsi_episodes_add(&decision->episodes, &decision->episode_count, &capacity, &policy.tracker.episode, err);
        if (status == TCS_OK && verdict.expected_event == TCSI_EPISODE_CLOSED)
            status = tcsi_episodes_add(&decision->expected, &decision->expected_count, &expected_capacity, &policy.expected.episode, err);
    }
    if (status == TCS_OK && policy.expected.is_open)
        status = tcsi_episodes_add(&decision->expected, &decision->expected_count, &expected_capacity, &policy.expected.episode, err);
    if (status == TCS_OK && policy.tracker.is_open)
        status = tcsi_episodes_add(&decision->episodes, &decision->episode_count, &capacity, &policy.tracker.episode, err);
    decision->budget_count = tcsi_policy_rate(&policy) * (double)self->row_count;
    decision->tail = policy.history.tail;
    decision->threshold = policy.threshold;
    policy.history.tail = (tcsi_tail){ 0 };
    tcsi_policy_deinit(&policy);
    return status;
}

tcs_status tcsi_policy_decide(tcs_score *scores, size_t row_count, const tcsi_policy_options *options, tcsi_policy_result *ret_decision,
                              tcs_error *err)
{
    if (options->budget.kind == TCSI_POLICY_EVIDENCE && options->mode == TCS_MODE_OFFLINE)
        return tcsi_fail(err, TCS_E_INVALID, "policy evidence adds up what comes row by row: it needs the mode online");
    tcsi_policy_result decision = { .stated = options->budget, .budget_count = budget_count(options, row_count) };
    tcsi_policy_options obeyed = *options;
    tcsi_order *orders = NULL;
    context self = { scores, row_count, &obeyed, NULL, NULL, &decision };
    decision.own_threshold_used = tcsi_policy_uses_own_threshold(options);
    decision.by_evidence = decision.own_threshold_used && options->own_by_evidence;
    const bool adds_up = options->budget.kind == TCSI_POLICY_EVIDENCE && !decision.own_threshold_used;
    tcs_status status = tcsi_policy_result_reserve(&decision, row_count, adds_up, err);
    if (status == TCS_OK && options->orders && options->mode == TCS_MODE_OFFLINE) {
        status = widen_excuses(options, row_count, &orders, err);
        obeyed.orders = orders;
    }
    if (status == TCS_OK) status = options->mode == TCS_MODE_ONLINE ? find_online(&self, err) : find_offline(&self, err);
    tcsi_free(orders);
    if (status != TCS_OK) {
        tcsi_policy_result_deinit(&decision);
        return status;
    }
    *ret_decision = decision;
    return TCS_OK;
}

tcs_status tcsi_policy_result_reserve(tcsi_policy_result *decision, size_t row_count, bool adds_up, tcs_error *err)
{
    decision->anomaly = TCSI_NEW_ZEROS(uint8_t, row_count);
    decision->thresholds = TCSI_NEW_ARRAY(double, row_count);
    if (adds_up) {
        decision->sums = TCSI_NEW_ARRAY(double, row_count);
        decision->sum_thresholds = TCSI_NEW_ARRAY(double, row_count);
    }
    const bool has_room = decision->anomaly && decision->thresholds && (!adds_up || (decision->sums && decision->sum_thresholds));
    return has_room ? TCS_OK : tcsi_fail_memory(err, "decisions");
}

void tcsi_policy_result_note(tcsi_policy_result *decision, size_t t, const tcsi_verdict *verdict)
{
    decision->thresholds[t] = verdict->threshold;
    decision->anomaly[t] = verdict->anomaly;
    if (!decision->sums) return;
    decision->sums[t] = verdict->sum;
    decision->sum_thresholds[t] = verdict->sum_threshold;
}

void tcsi_policy_result_deinit(tcsi_policy_result *decision)
{
    tcsi_free(decision->anomaly);
    tcsi_free(decision->thresholds);
    tcsi_free(decision->sums);
    tcsi_free(decision->sum_thresholds);
    tcsi_free(decision->episodes);
    tcsi_free(decision->expected);
    tcsi_tail_deinit(&decision->tail);
    *decision = (tcsi_policy_result){ 0 };
}
