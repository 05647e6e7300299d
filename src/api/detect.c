/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handles.h"

#include "base/alloc.h"
#include "decide/effective.h"
#include "decide/pareto_interval.h"
#include "detect/registry.h"
#include "io/words.h"
#include "pipeline/labels.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "name=value" into a parameter value; name_buffer keeps the name. */
static tcs_status parse_parameter(const char *text, char *name_buffer, size_t size, tcsi_parameter_value *ret_value, tcs_error *err)
{
    const char *equals = strchr(text, '=');
    char *end = NULL;
    double value = equals ? strtod(equals + 1, &end) : 0;
    if (!equals || equals == text || (size_t)(equals - text) >= size || end == equals + 1 || *end)
        return tcsi_fail(err, TCS_E_INVALID, "parameter '%s': expected name=number", text);
    memcpy(name_buffer, text, (size_t)(equals - text));
    name_buffer[equals - text] = 0;
    *ret_value = (tcsi_parameter_value){ .name = name_buffer, .value = value };
    return TCS_OK;
}

tcs_status tcsi_api_detect_options(const tcs_detect_options *options, bool is_tabular, tcsi_api_detect *out, tcs_error *err)
{
    tcs_status status = TCS_OK;
    out->options = (tcsi_detect_options){
        .mode = options->mode, .detector = options->detector, .is_tabular = is_tabular, .train_row_count = options->train_row_count,
        .seed = options->seed, .thread_count = options->thread_count, .anomaly_share = options->anomaly_share,
        .progress = { .report = options->progress, .context = options->progress_context },
        .parameters = out->values, .parameter_count = options->parameter_count, .checkpoint = options->checkpoint,
        .knowledge = options->knowledge ? options->knowledge->inner : NULL,
        .fleet = options->fleet ? options->fleet->inner : NULL, .facts = options->facts, .fact_count = options->fact_count,
        .keep = options->explain,
    };
    if (options->fleet && !options->fleet->inner->is_fleet)
        return tcsi_fail(err, TCS_E_INVALID, "the pipeline knows one series, not a fleet: it cannot be begun with");
    if (options->facts && !options->fleet)
        return tcsi_fail(err, TCS_E_INVALID, "facts of a series say nothing without a fleet that was told of its own");
    if (options->parameter_count > TCSI_API_PARAMETER_COUNT_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "%zu detector parameters, at most %d", options->parameter_count, TCSI_API_PARAMETER_COUNT_MAX);
    for (size_t i = 0; i < options->parameter_count && status == TCS_OK; i++)
        status = parse_parameter(options->parameters[i], out->names[i], TCSI_API_PARAMETER_NAME_SIZE, &out->values[i], err);
    if (status == TCS_OK && options->alarm_budget) status = tcsi_budget_parse(options->alarm_budget, &out->options.budget, err);
    if (status == TCS_OK && options->policy) status = tcsi_budget_choose(options->policy, &out->options.budget, err);
    out->options.budget.anomaly_share = options->anomaly_share;
    if (status == TCS_OK && options->team)
        status = tcsi_budget_share(&out->options.budget, options->team, options->team_series_count, err);
    return status;
}

typedef struct ranked {
    double severity, expected_count;
    size_t index;
} ranked;

/* By falling severity, then by rarity, then by time. */
static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->severity != y->severity) return x->severity < y->severity ? 1 : -1;
    if (x->expected_count != y->expected_count) return x->expected_count > y->expected_count ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

static tcs_status rank_episodes(tcs_result *result, tcs_error *err)
{
    const tcsi_policy_result *decision = &result->detection->decision;
    ranked *items = TCSI_NEW_ARRAY(ranked, decision->episode_count);
    result->order = TCSI_NEW_ARRAY(size_t, decision->episode_count);
    if (!items || !result->order) {
        tcsi_free(items);
        return tcsi_fail_memory(err, "episodes");
    }
    for (size_t i = 0; i < decision->episode_count; i++)
        items[i] = (ranked){ decision->episodes[i].severity, decision->episodes[i].expected_count, i };
    qsort(items, decision->episode_count, sizeof *items, compare_ranked);
    for (size_t i = 0; i < decision->episode_count; i++) result->order[i] = items[i].index;
    tcsi_free(items);
    return TCS_OK;
}

/* A detector that does not look at all channels says so. */
static void add_channels(const tcsi_api_premises *p, char ret_text[TCS_ASSUMED_SIZE])
{
    char channels[TCSI_WORDS_SIZE];
    size_t length = strlen(ret_text);
    if (p->info->channel_count_max == 0 || p->channel_count <= p->info->channel_count_max) return;
    tcsi_words_count(p->channel_count, channels, sizeof channels);
    snprintf(ret_text + length, TCS_ASSUMED_SIZE - length,
             "; at most %zu of %s channels are looked at", p->info->channel_count_max, channels);
}

void tcsi_api_assume(const tcsi_api_premises *p, char ret_text[TCS_ASSUMED_SIZE])
{
    char train[TCSI_WORDS_SIZE], rows[TCSI_WORDS_SIZE], normal[2 * TCSI_WORDS_SIZE] = "most rows are normal";
    bool is_part = p->budget > 0 && p->budget < 1; /* of an alarm: then the rows for a whole one say more */
    tcsi_words_count(p->train_row_count, train, sizeof train);
    tcsi_words_count((size_t)round(fmin((double)p->row_count / (is_part ? p->budget : 1), 1e18)), rows, sizeof rows);
    if (p->fitted_row_count > 0) {
        tcsi_words_count(p->fitted_row_count, train, sizeof train);
        snprintf(normal, sizeof normal, p->is_told ? "the labels of the %s rows learned from are right"
                                                   : "the %s rows learned from were mostly normal", train);
    } else if (p->is_told) snprintf(normal, sizeof normal, "the labels of the first %s rows are right", train);
    else if (p->train_row_count > 0) snprintf(normal, sizeof normal, "the first %s rows are mostly normal", train);
    if (p->own_threshold)
        snprintf(ret_text, TCS_ASSUMED_SIZE, "%s; the detector's own threshold, not a budget, tells what is an alarm", normal);
    else if (p->stated->kind == TCSI_POLICY_COST)
        snprintf(ret_text, TCS_ASSUMED_SIZE,
                 "%s; a miss costs %.3g false alarms and %.3g %% of peaks are events: %.3g false alarms are worth it", normal,
                 p->stated->miss_cost, 100 * (p->stated->anomaly_share > 0 ? p->stated->anomaly_share : TCSI_EVENT_SHARE), p->budget);
    else if (is_part) snprintf(ret_text, TCS_ASSUMED_SIZE, "%s; 1 false alarm in %s rows is acceptable", normal, rows);
    else snprintf(ret_text, TCS_ASSUMED_SIZE, "%s; %.3g false alarm%s in all %s rows %s acceptable", normal, p->budget,
                  p->budget == 1 ? "" : "s", rows, p->budget == 1 ? "is" : "are");
    if (p->stated->kind == TCSI_POLICY_EVIDENCE && !p->own_threshold) {
        const size_t length = strlen(ret_text);
        snprintf(ret_text + length, TCS_ASSUMED_SIZE - length, ", half of them by evidence that adds up");
    }
    if (p->stated->team_series > 0) {
        const size_t length = strlen(ret_text);
        snprintf(ret_text + length, TCS_ASSUMED_SIZE - length, ", as part of what the %" PRIu64 " series of %s share",
                 p->stated->team_series, p->stated->team);
    }
    add_channels(p, ret_text);
}

tcs_status tcsi_api_result(const tcs_frame *frame, tcsi_detection *detection, tcs_result **ret_result, tcs_error *err)
{
    tcs_result *result = TCSI_NEW(tcs_result);
    if (!result) {
        tcsi_detection_destroy(detection);
        return tcsi_fail_memory(err, "a detection");
    }
    result->detection = detection;
    detection->has_times = frame->has_real_times;
    tcs_status status = tcsi_api_know(result, frame, err);
    if (status == TCS_OK) status = tcsi_detection_label(detection, err);
    if (status == TCS_OK) status = rank_episodes(result, err);
    if (status != TCS_OK) {
        tcs_result_destroy(result);
        return status;
    }
    tcsi_api_assume(&(tcsi_api_premises){ detection->info, detection->frame->channel_count, detection->train_row_count,
                                          detection->fitted_row_count, detection->frame->row_count, detection->decision.budget_count,
                                          detection->decision.own_threshold_used, detection->is_told,
                                          &detection->decision.stated }, result->assumed);
    *ret_result = result;
    return TCS_OK;
}

tcs_status tcs_detect(const tcs_frame *frame, const tcs_detect_options *options, tcs_result **ret_result, tcs_error *err)
{
    static const tcs_detect_options defaults = { .mode = TCS_MODE_OFFLINE };
    if (!frame || !ret_result) return tcsi_fail(err, TCS_E_INVALID, "tcs_detect needs a frame and a place for the result");
    tcsi_api_detect *inner = TCSI_NEW(tcsi_api_detect);
    tcsi_detection *detection = NULL;
    tcs_status status = inner ? tcsi_api_detect_options(options ? options : &defaults, frame->is_tabular, inner, err)
                              : tcsi_fail_memory(err, "a detection");
    if (inner) inner->options.has_times = frame->has_real_times;
    if (status == TCS_OK) status = tcsi_detect(frame->frame, &inner->options, &detection, err);
    tcsi_free(inner);
    return status == TCS_OK ? tcsi_api_result(frame, detection, ret_result, err) : status;
}

void tcs_result_destroy(tcs_result *result)
{
    if (!result) return;
    tcsi_detection_destroy(result->detection);
    tcsi_free(result->order);
    tcsi_free(result->limits);
    tcsi_free(result);
}

const tcs_score *tcs_result_scores(const tcs_result *result) { return result->detection->scores; }
const uint8_t *tcs_result_anomalies(const tcs_result *result) { return result->detection->decision.anomaly; }
const double *tcs_result_thresholds(const tcs_result *result) { return result->detection->decision.thresholds; }
tcs_added_up tcs_result_added_up(const tcs_result *result, size_t row)
{
    const tcsi_policy_result *decision = &result->detection->decision;
    TCS_ASSERT(row < result->detection->frame->row_count);
    return decision->sums ? (tcs_added_up){ decision->sums[row], decision->sum_thresholds[row] } : (tcs_added_up){ NAN, NAN };
}

tcs_status tcs_result_label(tcs_result *result, size_t row_begin, size_t row_end, const char *text, tcs_error *err)
{
    const size_t row_count = result->detection->frame->row_count;
    if (!text || !*text || row_begin >= row_end || row_end > row_count)
        return tcsi_fail(err, TCS_E_INVALID, "a label needs a text and rows among 0 to %zu, not %zu to %zu", row_count, row_begin, row_end);
    return tcsi_detection_name_rows(result->detection, row_begin, row_end, text, err);
}

size_t tcs_result_episode_count(const tcs_result *result) { return result->detection->decision.episode_count; }
const char *tcs_result_detector(const tcs_result *result) { return result->detection->info->name; }
tcs_mode tcs_result_mode(const tcs_result *result) { return result->detection->mode; }
size_t tcs_result_fitted_row_count(const tcs_result *result) { return result->detection->fitted_row_count; }
size_t tcs_result_told_row_count(const tcs_result *result) { return result->detection->is_told ? result->detection->train_row_count : 0; }
size_t tcs_result_train_row_count(const tcs_result *result) { return result->detection->train_row_count; }
tcs_team tcs_result_team(const tcs_result *result)
{
    const tcsi_budget *stated = &result->detection->decision.stated;
    if (stated->team_series == 0) return (tcs_team){ .name = NULL };
    return (tcs_team){ .name = stated->team, .series_count = (size_t)stated->team_series };
}

double tcs_result_budget(const tcs_result *result) { return result->detection->decision.budget_count; }
bool tcs_result_own_threshold(const tcs_result *result) { return result->detection->decision.own_threshold_used; }
const char *tcs_result_assumed(const tcs_result *result) { return result->assumed; }

bool tcs_score_is_sure(const tcs_score *score, double threshold)
{
    return score->state != TCS_SCORE_READY || !(fabs(score->value - threshold) < 2 * (double)score->uncertainty);
}

size_t tcs_result_unsure_count(const tcs_result *result)
{
    const tcsi_detection *detection = result->detection;
    size_t count = 0;
    for (size_t t = 0; t < detection->frame->row_count && !detection->decision.by_evidence; t++)
        count += !tcs_score_is_sure(&detection->scores[t], detection->decision.thresholds[t]);
    return count;
}

tcs_agreement tcs_result_agreement(const tcs_result *result, size_t row)
{
    TCS_ASSERT(row < result->detection->frame->row_count);
    const tcsi_agreement from = tcsi_detection_agreement(result->detection, row);
    return (tcs_agreement){ from.member_count, from.agreeing_count, from.p_value, from.disagreement };
}

double tcs_result_probability(const tcs_result *result, size_t row)
{
    TCS_ASSERT(row < result->detection->frame->row_count);
    return tcsi_probability_of(&result->detection->calibrator, &result->detection->scores[row]);
}

tcs_probability tcs_result_probability_source(const tcs_result *result)
{
    const tcsi_calibrator *calibrator = &result->detection->calibrator;
    return (tcs_probability){ .calibrator = tcsi_calibrator_name(calibrator->kind), .anomaly_share = calibrator->prior,
                              .is_assumed = calibrator->kind == TCSI_CALIBRATOR_PRIOR };
}

/* Scores of the last rows outside episodes, and as how many independent ones they count. */
static void count_effective(const tcsi_detection *detection, tcs_tail *tail)
{
    enum { MOST = 16384 };
    const size_t row_count = detection->frame->row_count, most = row_count < MOST ? row_count : MOST;
    double *values = TCSI_NEW_ARRAY(double, most);
    for (size_t t = row_count - most; t < row_count && values; t++)
        if (detection->scores[t].state == TCS_SCORE_READY && !detection->decision.anomaly[t])
            values[tail->score_count++] = detection->scores[t].value;
    if (!values || tail->score_count == 0 || tcsi_effective_count(values, tail->score_count, &tail->effective_count, NULL) != TCS_OK)
        tail->effective_count = NAN;
    tcsi_free(values);
}

tcs_tail tcs_result_tail(const tcs_result *result)
{
    const tcsi_policy_result *decision = &result->detection->decision;
    tcs_tail tail = { .probability = 0.9, .shape = NAN, .shape_low = NAN, .shape_high = NAN, .threshold = NAN, .threshold_low = NAN,
                      .threshold_high = NAN, .effective_count = NAN };
    count_effective(result->detection, &tail);
    if (decision->tail.count == 0) return tail;
    const tcsi_tail_doubt doubt = tcsi_tail_doubt_of(&decision->tail, decision->threshold, tail.probability);
    tail.peak_count = decision->tail.cluster_count;
    tail.shape = doubt.shape;
    tail.shape_low = doubt.shape_bounds.low;
    tail.shape_high = doubt.shape_bounds.high;
    if (decision->own_threshold_used) return tail;
    tail.threshold = decision->threshold;
    tail.threshold_low = doubt.threshold_bounds.low;
    tail.threshold_high = doubt.threshold_bounds.high;
    return tail;
}

size_t tcs_result_forecast_count(const tcs_result *result) { return result->detection->forecast_count; }

tcs_forecast tcs_result_forecast(const tcs_result *result, size_t index)
{
    TCS_ASSERT(index < result->detection->forecast_count);
    const tcsi_channel_forecast *from = &result->detection->forecasts[index];
    tcs_forecast to = { .channel = from->channel, .rows_ahead = from->forecast.ahead, .median = from->forecast.median,
                        .noise = from->forecast.noise, .doubt = from->forecast.doubt };
    for (size_t i = 0; i < TCS_FORECAST_BAND_COUNT; i++) {
        to.bands[i].probability = tcsi_forecast_levels[i];
        to.bands[i].low = from->forecast.low[i];
        to.bands[i].high = from->forecast.high[i];
    }
    return to;
}

double tcs_result_seconds(const tcs_result *result)
{
    return result->detection->seconds_detect + result->detection->seconds_decide;
}

const char *tcs_episode_state_name(tcs_episode_state state)
{
    static const char *const names[] = { "suspected", "confirmed", "resolved", "dismissed" };
    return (size_t)state < TCS_COUNT(names) ? names[state] : "unknown";
}

tcs_episode tcsi_api_episode(const tcs_result *result, const tcsi_episode *from)
{
    const int64_t *times_ns = result->detection->frame->times_ns;
    return (tcs_episode){
        .row_begin = from->row_begin, .row_end = from->row_end, .row_peak = from->row_peak,
        .time_begin_ns = times_ns ? times_ns[from->row_begin] : 0, .time_end_ns = times_ns ? times_ns[from->row_end - 1] : 0,
        .time_peak_ns = times_ns ? times_ns[from->row_peak] : 0,
        .severity = from->severity, .score = from->score_peak, .p_value = from->p_value, .expected_count = from->expected_count,
        .state = (tcs_episode_state)from->state, .row_confirmed = from->row_confirmed,
    };
}

tcs_episode tcs_result_episode(const tcs_result *result, size_t rank)
{
    TCS_ASSERT(rank < result->detection->decision.episode_count);
    size_t index = result->order[rank];
    const tcsi_episode_shares *shares = &result->detection->shares[index];
    tcs_episode episode = tcsi_api_episode(result, &result->detection->decision.episodes[index]);
    const tcsi_agreement agreement = tcsi_detection_agreement(result->detection, episode.row_peak);
    episode.member_count = agreement.member_count;
    episode.agreeing_count = agreement.agreeing_count;
    episode.share_count = shares->count;
    tcsi_api_add_knowledge(result, index, &episode);
    for (size_t i = 0; i < shares->count; i++) {
        episode.shares[i].channel = shares->shares[i].channel;
        episode.shares[i].share = shares->shares[i].share;
    }
    return episode;
}

/* ---- detectors ---- */

size_t tcs_detector_count(void) { return tcsi_registry_count(); }

tcs_detector_description tcs_detector_describe(size_t index)
{
    const tcsi_detector_info *info = tcsi_registry_at(index);
    return (tcs_detector_description){
        .name = info->name, .title = info->title, .paper = info->paper, .summary = info->summary,
        .online = info->traits & TCSI_TRAIT_STREAMING, .offline = true, .multivariate = info->traits & TCSI_TRAIT_MULTIVARIATE,
        .tabular = info->traits & TCSI_TRAIT_TABULAR, .trained = info->traits & TCSI_TRAIT_TRAINED,
        .random = info->traits & TCSI_TRAIT_RANDOM, .parameter_count = info->parameter_count,
    };
}

tcs_detector_parameter tcs_detector_parameter_describe(size_t detector_index, size_t parameter_index)
{
    static const char *const types[] = { "real", "count", "bool" };
    const tcsi_detector_info *info = tcsi_registry_at(detector_index);
    TCS_ASSERT(parameter_index < info->parameter_count);
    const tcsi_parameter *parameter = &info->parameters[parameter_index];
    return (tcs_detector_parameter){ .name = parameter->name, .help = parameter->help, .type = types[parameter->type],
                                     .value_default = parameter->value_default, .value_min = parameter->value_min,
                                     .value_max = parameter->value_max };
}
