/* SPDX-License-Identifier: Apache-2.0 */
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

static double budget_count(const tcsi_policy_options *options, size_t row_count)
{
    const tcsi_budget *budget = &options->budget;
    if (!(budget->count > 0)) return options->is_tabular && row_count > 100 ? 0.01 * (double)row_count : 1;
    if (budget->per_ns == 0 || !(options->cadence_ns > 0)) return budget->count;
    return fmax(budget->count * (double)row_count * options->cadence_ns / (double)budget->per_ns, 1e-9);
}

/* ---- thresholds ---- */

typedef struct context {
    tcs_score *scores;
    size_t row_count;
    const tcsi_policy_options *options;
    double *history; /* READY scores of the reference, in order of time */
    double *thresholds_low;
    tcsi_policy_result *decision;
} context;

/* What the thresholds are compared with. */
static double level_of(const context *self, size_t t)
{
    return self->decision->by_evidence ? self->scores[t].evidence : self->scores[t].value;
}

static double threshold_of(const context *self, const tcsi_tail *tail)
{
    if (self->decision->own_threshold_used) return self->options->own_threshold;
    return tcsi_tail_threshold(tail, self->decision->budget_count, (double)self->row_count);
}

/* An episode lasts while the score is clearly out of the ordinary: halfway between the tail's beginning and the alarm, and
 * never below what one normal row in fifty exceeds. */
static double threshold_low_of(const context *self, const tcsi_tail *tail, double threshold)
{
    if (self->decision->own_threshold_used || !(tail->threshold < threshold)) return threshold;
    double ordinary = tail->sorted[(size_t)(0.98 * (double)(tail->count - 1))], low = 0.5 * (tail->threshold + threshold);
    return low > ordinary ? low : ordinary < threshold ? ordinary : threshold;
}

static size_t gather(const context *self, size_t row_begin, size_t row_end)
{
    size_t count = 0;
    for (size_t t = row_begin; t < row_end; t++)
        if (self->scores[t].state == TCS_SCORE_READY) self->history[count++] = self->scores[t].value;
    return count;
}

static tcs_status decide_offline(context *self, tcs_error *err)
{
    size_t reference_end = self->options->use_train ? self->options->train_row_count : self->row_count;
    size_t count = gather(self, 0, reference_end);
    if (count < TCSI_POLICY_HISTORY_MIN) count = gather(self, 0, self->row_count);
    double threshold = INFINITY, low = INFINITY;
    if (count >= 2) {
        size_t run_length = self->options->is_tabular ? 1 : tcsi_decorrelation_length(self->history, count);
        tcs_status status = tcsi_tail_fit(self->history, count, run_length, &self->decision->tail, err);
        if (status != TCS_OK) return status;
        threshold = threshold_of(self, &self->decision->tail);
        low = threshold_low_of(self, &self->decision->tail, threshold);
    }
    for (size_t t = 0; t < self->row_count; t++) {
        self->decision->thresholds[t] = threshold;
        self->thresholds_low[t] = low;
        if (self->scores[t].state == TCS_SCORE_READY)
            self->scores[t].p_value = count >= 2 ? tcsi_tail_p_value(&self->decision->tail, self->scores[t].value) : 1;
    }
    return TCS_OK;
}

/* Refits on the history and forgets its older part beyond the maximum. */
static tcs_status refit(context *self, size_t *count, tcs_error *err)
{
    if (*count > TCSI_POLICY_HISTORY_MAX) {
        memmove(self->history, self->history + (*count - TCSI_POLICY_HISTORY_MAX), TCSI_POLICY_HISTORY_MAX * sizeof *self->history);
        *count = TCSI_POLICY_HISTORY_MAX;
    }
    tcsi_tail_deinit(&self->decision->tail);
    return tcsi_tail_fit(self->history, *count, tcsi_decorrelation_length(self->history, *count), &self->decision->tail, err);
}

/* The threshold of row t is set by rows before it: nothing looks ahead. */
static tcs_status decide_online(context *self, tcs_error *err)
{
    size_t count = 0, seen = 0, refit_at = TCSI_POLICY_HISTORY_MIN;
    if (self->options->use_train && self->options->train_row_count > refit_at) refit_at = self->options->train_row_count;
    if (refit_at > self->row_count / 2) refit_at = self->row_count / 2;
    if (refit_at < 2) refit_at = 2;
    double threshold = INFINITY, low = INFINITY;
    if (self->decision->own_threshold_used) threshold = low = self->options->own_threshold; /* needs no history */
    for (size_t t = 0; t < self->row_count; t++) {
        tcs_score *score = &self->scores[t];
        self->decision->thresholds[t] = threshold;
        self->thresholds_low[t] = low;
        if (score->state != TCS_SCORE_READY) continue;
        bool calibrated = self->decision->tail.count > 0;
        score->p_value = calibrated ? tcsi_tail_p_value(&self->decision->tail, score->value) : 1;
        seen++;
        if (!calibrated || level_of(self, t) <= threshold) self->history[count++] = score->value;
        if (seen < refit_at || count < 2) continue;
        tcs_status status = refit(self, &count, err);
        if (status != TCS_OK) return status;
        threshold = threshold_of(self, &self->decision->tail);
        low = threshold_low_of(self, &self->decision->tail, threshold);
        refit_at = seen + seen / 10 + 1;
    }
    return TCS_OK;
}

/* 50 just reaches the budget; ten times rarer is ten more. */
static void rate_episodes(const context *self)
{
    tcsi_policy_result *decision = self->decision;
    for (size_t i = 0; i < decision->episode_count; i++) {
        tcsi_episode *episode = &decision->episodes[i];
        episode->p_value = self->scores[episode->row_peak].p_value;
        episode->expected_count = tcsi_tail_expected_clusters(&decision->tail, episode->score_peak, (double)self->row_count);
        double severity = 50 + 10 * log10(decision->budget_count / episode->expected_count);
        episode->severity = severity < 50 ? 50 : severity > 100 ? 100 : severity;
    }
}

tcs_status tcsi_policy_decide(tcs_score *scores, size_t row_count, const tcsi_policy_options *options, tcsi_policy_result *ret_decision,
                              tcs_error *err)
{
    tcsi_policy_result decision = { .budget_count = budget_count(options, row_count) };
    context self = { scores, row_count, options, TCSI_NEW_ARRAY(double, row_count), TCSI_NEW_ARRAY(double, row_count), &decision };
    decision.own_threshold_used = !isnan(options->own_threshold) && !(options->budget.count > 0);
    decision.by_evidence = decision.own_threshold_used && options->own_by_evidence;
    decision.anomaly = TCSI_NEW_ZEROS(uint8_t, row_count);
    decision.thresholds = TCSI_NEW_ARRAY(double, row_count);
    tcs_status status = TCS_OK;
    if (!self.history || !self.thresholds_low || !decision.anomaly || !decision.thresholds) status = tcsi_fail_memory(err, "decisions");
    if (status == TCS_OK) status = options->mode == TCS_MODE_ONLINE ? decide_online(&self, err) : decide_offline(&self, err);
    if (status == TCS_OK) {
        tcsi_episode_options episode_options = { .thresholds = decision.thresholds, .thresholds_low = self.thresholds_low,
                                                 .merge_count = decision.own_threshold_used ? 0 : options->merge_count,
                                                 .by_evidence = decision.by_evidence, .causal = options->mode == TCS_MODE_ONLINE };
        status = tcsi_episodes_find(scores, row_count, &episode_options, decision.anomaly, &decision.episodes,
                                    &decision.episode_count, err);
    }
    if (status == TCS_OK) rate_episodes(&self);
    tcsi_free(self.history);
    tcsi_free(self.thresholds_low);
    if (status != TCS_OK) {
        tcsi_policy_result_deinit(&decision);
        return status;
    }
    *ret_decision = decision;
    return TCS_OK;
}

void tcsi_policy_result_deinit(tcsi_policy_result *decision)
{
    tcsi_free(decision->anomaly);
    tcsi_free(decision->thresholds);
    tcsi_free(decision->episodes);
    tcsi_tail_deinit(&decision->tail);
    *decision = (tcsi_policy_result){ 0 };
}
