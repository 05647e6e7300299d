/* SPDX-License-Identifier: Apache-2.0
 * From a result to the plain data that io's report and plot show: pointers where the shape is the same, sentences where it is not.
 * The expected band of a channel is series/expect.h's, looked at from both sides of each row whatever the detector's mode: it
 * explains a plot and decides nothing. */
#include "api/report.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "explain/band.h"
#include "io/plot.h"
#include "pipeline/known.h"
#include "series/expect.h"
#include "series/period.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { FACT_COUNT_MAX = 8, METHOD_COUNT_MAX = 14, ASSUMPTION_COUNT_MAX = 12, PROMISE_COUNT_MAX = 6, TEXT_SIZE_MAX = 4096,
       PERIOD_ROW_COUNT_MAX = 30000 };

typedef struct filled {
    tcsi_report report;
    tcsi_report_episode *episodes;
    tcsi_report_expected *expected;
    tcsi_api_reasons reasons;
    tcsi_report_loss losses[TCSI_CURVE_POINT_MAX];
    double *no_thresholds; /* (T) NaN: for detectors that alarm by evidence, whose threshold is not on the score's axis */
    tcsi_report_fact fact[FACT_COUNT_MAX], method[METHOD_COUNT_MAX], assumption[ASSUMPTION_COUNT_MAX], promise[PROMISE_COUNT_MAX];
    tcsi_buffer texts[FACT_COUNT_MAX + METHOD_COUNT_MAX + ASSUMPTION_COUNT_MAX + PROMISE_COUNT_MAX]; /* what these point to */
    size_t text_count;
} filled;

/* ---- sentences ---- */

static tcs_status add_fact(filled *f, tcsi_report_fact *facts, size_t *count, size_t count_max, const char *name, tcs_error *err,
                           const char *format, ...) TCS_PRINTF(7, 8);
static tcs_status add_fact(filled *f, tcsi_report_fact *facts, size_t *count, size_t count_max, const char *name, tcs_error *err,
                           const char *format, ...)
{
    char text[TEXT_SIZE_MAX];
    va_list arguments;
    TCS_ASSERT(*count < count_max && f->text_count < TCS_COUNT(f->texts));
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tcsi_buffer *buffer = &f->texts[f->text_count++];
    tcsi_buffer_init(buffer, TEXT_SIZE_MAX);
    tcs_status status = tcsi_buffer_puts(buffer, text, err);
    if (status == TCS_OK) facts[(*count)++] = (tcsi_report_fact){ .name = name, .text = buffer->data };
    return status;
}

#define ADD(list, count_max, ...) \
    do { if (status == TCS_OK) status = add_fact(f, f->list, &f->report.list##_count, count_max, __VA_ARGS__); } while (0)
#define FACT(...) ADD(fact, FACT_COUNT_MAX, __VA_ARGS__)
#define METHOD(...) ADD(method, METHOD_COUNT_MAX, __VA_ARGS__)
#define ASSUMPTION(...) ADD(assumption, ASSUMPTION_COUNT_MAX, __VA_ARGS__)
#define PROMISE(...) ADD(promise, PROMISE_COUNT_MAX, __VA_ARGS__)

static const char *plural(double count) { return count == 1 ? "" : "s"; }

static tcs_status add_facts(filled *f, const tcs_result *result, tcs_error *err)
{
    tcs_status status = TCS_OK;
    const tcsi_detection *detection = result->detection;
    double budget = detection->decision.budget_count;
    FACT("Mode", err, "%s", detection->mode == TCS_MODE_ONLINE ? "online: each score uses only rows up to its own"
                                                               : "offline: looks back over all rows");
    FACT("Detector", err, "%s (%s)", detection->info->title, detection->info->name);
    if (detection->decision.by_evidence)
        FACT("Alarm threshold", err, "the detector's own, on how channels move together; held-out training rows set it, the score ranks");
    else if (detection->decision.own_threshold_used) FACT("Alarm threshold", err, "the detector's own, held-out training rows");
    else FACT("Alarm budget", err, "%.3g false alarm%s in all rows", budget, plural(budget));
    FACT("Took", err, "%.3g s", tcs_result_seconds(result));
    return status;
}

static tcs_status add_parameters(filled *f, const tcsi_detection *detection, tcs_error *err)
{
    char text[TEXT_SIZE_MAX] = "";
    size_t used = 0;
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < detection->info->parameter_count && used + 1 < sizeof text; i++) {
        int length = snprintf(text + used, sizeof text - used, "%s%s = %.6g", i ? ", " : "", detection->info->parameters[i].name,
                              detection->parameter_values[i]);
        used += length > 0 ? (size_t)length : 0;
    }
    if (used > 0) METHOD("Parameters", err, "%s", text);
    if (detection->info->traits & TCSI_TRAIT_RANDOM) METHOD("Seed", err, "%llu", (unsigned long long)detection->seed);
    return status;
}

static tcs_status add_calibration(filled *f, const tcsi_policy_result *decision, tcs_error *err)
{
    const tcsi_tail *tail = &decision->tail;
    tcs_status status = TCS_OK;
    if (tail->count == 0) {
        METHOD("Calibration", err, "none: there were too few scores to learn from");
        return status;
    }
    METHOD("Calibration", err,
           "p-values compare a score with %zu reference rows (conformal); above %.4g they follow a generalized Pareto tail (scale %.4g, "
           "shape %.3g) fitted to the peaks of %zu cluster%s%s%s; rows closer than %zu count as one cluster",
           tail->count, tail->threshold, tcsi_pareto_scale(&tail->excess), tcsi_pareto_shape(&tail->excess),
           tail->cluster_count, plural((double)tail->cluster_count),
           tail->set_aside_count ? ", anomalous peaks set aside" : "", tail->cluster_count < 5 ? " (few: read p-values as rough)" : "",
           tail->run_length);
    return status;
}

static tcs_status add_method(filled *f, const tcs_result *result, tcs_error *err)
{
    tcs_status status = TCS_OK;
    const tcsi_detection *detection = result->detection;
    METHOD("Detector", err, "%s: %s", detection->info->name, detection->info->summary);
    METHOD("Source", err, "%s", detection->info->paper);
    if (status == TCS_OK) status = add_parameters(f, detection, err);
    if (detection->known)
        METHOD("Knowledge", err,
               "what %s states: %zu formulas, %zu alarms, %zu events, %zu rules, %zu signatures; %zu episodes are expected",
               detection->known->bound->knowledge->file, detection->known->bound->knowledge->formula_count,
               detection->known->bound->knowledge->limit_count, detection->known->bound->knowledge->event_count,
               detection->known->bound->knowledge->rule_count, detection->known->bound->knowledge->signature_count,
               detection->decision.expected_count);
    if (detection->fitted_row_count > 0)
        METHOD("Training rows", err, "%zu of another input, %s", detection->fitted_row_count,
               detection->is_told ? "and their labels" : "taken as mostly normal; no label was used");
    else if (detection->is_told) METHOD("Training rows", err, "the first %zu, and their labels", detection->train_row_count);
    else if (detection->train_row_count > 0)
        METHOD("Training rows", err, "the first %zu, taken as mostly normal; no label was used", detection->train_row_count);
    else METHOD("Training rows", err, "none set apart; no label was used");
    if (status == TCS_OK) status = add_calibration(f, &detection->decision, err);
    METHOD("Alarms", err, "%s%.3g false alarm%s in all rows looked at; severity 50 is that budget, each 10 more is ten times rarer",
           detection->decision.own_threshold_used ? "the detector's own threshold was used; episodes are ranked against "
                                                  : "the threshold is set for ",
           detection->decision.budget_count, plural(detection->decision.budget_count));
    if (f->report.band)
        METHOD("Expected band", err,
               "for the eye only: a robust level, with the season where there is one, around which about 99 %% of normal rows lie; its "
               "level looks at rows on both sides, its width follows the rows before, and it takes no part in the detection");
    METHOD("Time taken", err, "%.3g s to score, %.3g s to decide", detection->seconds_detect, detection->seconds_decide);
    METHOD("Version", err, "tocsin %s", tcs_version());
    return status;
}

/* What a tail is taken to be, and what its peaks leave open. */
static tcs_status add_tail(filled *f, const tcs_result *result, tcs_error *err)
{
    tcs_status status = TCS_OK;
    const tcs_tail tail = tcs_result_tail(result);
    if (!isnan(tail.effective_count) && !result->detection->is_tabular)
        ASSUMPTION("Dependence", err,
                   "the last %zu scores outside episodes count as %.0f independent ones; the tail counts clusters of them",
                   tail.score_count, tail.effective_count);
    if (isnan(tail.shape_low)) return status;
    ASSUMPTION("Rarest scores", err, "generalized Pareto, shape %.2f; its %zu peaks leave %.2f to %.2f open (%g %%)", tail.shape,
               tail.peak_count, tail.shape_low, tail.shape_high, 100 * tail.probability);
    if (!isnan(tail.threshold_low))
        ASSUMPTION("Threshold", err, "%.4g, on average over what the tail may be; by the peaks alone it lies from %.4g to %.4g (%g %%)",
                   tail.threshold, tail.threshold_low, tail.threshold_high, 100 * tail.probability);
    return status;
}

static tcs_status add_assumptions(filled *f, const tcs_result *result, tcs_error *err)
{
    tcs_status status = TCS_OK;
    const tcsi_detection *detection = result->detection;
    const tcsi_policy_info *policy = &tcsi_policy_infos[detection->decision.by_evidence ? TCSI_POLICY_EVIDENCE : TCSI_POLICY_BUDGET];
    const tcs_probability source = tcs_result_probability_source(result);
    ASSUMPTION("Normal rows", err, "%s", result->assumed);
    if (detection->decision.own_threshold_used)
        ASSUMPTION("Policy", err, "the detector's own threshold, set on rows that it held out: later normal rows score like those");
    else ASSUMPTION("Policy", err, "%s: %s", policy->title, policy->assumption);
    if (source.is_assumed) ASSUMPTION("Share of anomalous rows", err, "%.3g %%: no label was learned from", 100 * source.anomaly_share);
    else ASSUMPTION("Share of anomalous rows", err, "%.3g %%, as among the labelled rows learned from", 100 * source.anomaly_share);
    ASSUMPTION("Calibrator of probabilities", err, "%s", source.is_assumed
               ? "prior: the most that a p-value supports, with that share" : source.calibrator);
    if (detection->decision.tail.count > 0)
        ASSUMPTION("Scores", err, "those more than %zu row%s apart do not depend on each other", detection->decision.tail.run_length,
                   plural((double)detection->decision.tail.run_length));
    if (status == TCS_OK) status = add_tail(f, result, err);
    if (detection->known)
        ASSUMPTION("Knowledge", err, "what %s states is true", detection->known->bound->knowledge->file);
    return status;
}

/* What was promised beside what came. */
static tcs_status add_promise(filled *f, const tcs_result *result, tcs_error *err)
{
    tcs_status status = TCS_OK;
    const tcsi_policy_result *decision = &result->detection->decision;
    tcsi_api_alarms alarms;
    tcsi_api_alarms_count(result, &alarms);
    if (decision->own_threshold_used) PROMISE("Promised", err, "nothing in numbers: the detector's own threshold decides");
    else if (decision->stated.kind == TCSI_POLICY_COST)
        PROMISE("Promised", err, "%s: about %.3g false alarm%s in all rows", tcsi_policy_infos[TCSI_POLICY_COST].promise,
                decision->budget_count, plural(decision->budget_count));
    else
        PROMISE("Promised", err, "at most %.3g false alarm%s in all rows, on average", decision->budget_count,
                plural(decision->budget_count));
    PROMISE("Raised", err, "%zu alarm%s", alarms.raised, plural((double)alarms.raised));
    if (alarms.dismissed > 0) PROMISE("Of them dismissed", err, "%zu, over before they were confirmed", alarms.dismissed);
    if (result->frame->frame->labels)
        PROMISE("False ones among them", err, "%zu of %zu, which touch no labelled row", alarms.unlabelled, alarms.compared);
    else PROMISE("False ones among them", err, "nobody can say: no row is labelled");
    if (!isnan(alarms.p_value_error))
        PROMISE("p-values of rows not labelled", err, "off by at most %.3g (0: as promised)", alarms.p_value_error);
    return status;
}

/* ---- the rest ---- */

static tcsi_report_episode episode_of(const tcs_result *result, size_t rank)
{
    const tcs_episode from = tcs_result_episode(result, rank);
    const bool was_confirmed = from.state == TCS_EPISODE_CONFIRMED || from.state == TCS_EPISODE_RESOLVED;
    tcsi_report_episode to = { .row_begin = from.row_begin, .row_end = from.row_end, .row_peak = from.row_peak,
                               .row_confirmed = was_confirmed ? from.row_confirmed : SIZE_MAX,
                               .severity = from.severity, .score = from.score, .p_value = from.p_value,
                               .probability = isnan(from.probability) ? tcs_result_probability(result, from.row_peak) : from.probability,
                               .expected_count = from.expected_count, .state = tcs_episode_state_name(from.state),
                               .limit = from.limit, .signature = from.signature };
    for (size_t k = 0; k < from.share_count && k < TCSI_REPORT_SHARE_COUNT_MAX; k++, to.share_count++)
        to.shares[k] = (tcsi_report_share){ from.shares[k].channel, from.shares[k].share };
    return to;
}

static tcs_status add_episodes(filled *f, const tcs_result *result, tcs_error *err)
{
    const size_t count = tcs_result_episode_count(result);
    f->episodes = TCSI_NEW_ZEROS(tcsi_report_episode, count);
    if (!f->episodes) return tcsi_fail_memory(err, "a report");
    for (size_t i = 0; i < count; i++) f->episodes[i] = episode_of(result, i);
    f->report.episodes = f->episodes;
    f->report.episode_count = count;
    return TCS_OK;
}

static tcs_status add_expected(filled *f, const tcs_result *result, tcs_error *err)
{
    if (!tcs_result_has_knowledge(result)) return TCS_OK;
    const size_t count = tcs_result_expected_count(result);
    f->expected = TCSI_NEW_ZEROS(tcsi_report_expected, count);
    if (!f->expected) return tcsi_fail_memory(err, "a report");
    for (size_t i = 0; i < count; i++) {
        const tcs_episode from = tcs_result_expected(result, i);
        f->expected[i] = (tcsi_report_expected){ from.row_begin, from.row_end, from.event };
    }
    f->report.expected = f->expected;
    f->report.expected_count = count;
    return TCS_OK;
}

static tcs_status band_of(void *context, size_t channel, double *ret_expected, double *ret_low, double *ret_high, tcs_error *err)
{
    const tcs_result *result = context;
    const tcsi_frame *frame = result->frame->frame;
    const double *values = tcsi_frame_column(frame, channel);
    double *usual = NULL;
    tcsi_period period = { 0 };
    size_t period_count = 0, looked_at = frame->row_count < PERIOD_ROW_COUNT_MAX ? frame->row_count : PERIOD_ROW_COUNT_MAX;
    tcs_status status = tcsi_periods_find(values, looked_at, looked_at / 3, &period, 1, &period_count, err);
    size_t rows = period_count > 0 ? (size_t)(period.period + 0.5) : 0;
    if (status == TCS_OK) status = tcsi_expect(values, frame->row_count, rows, ret_expected, ret_low, ret_high, NULL, err);
    if (status == TCS_OK && !(usual = TCSI_NEW_ARRAY(double, frame->row_count))) status = tcsi_fail_memory(err, "a band");
    for (size_t t = 0; t < frame->row_count && usual; t++) usual[t] = result->detection->decision.anomaly[t] ? NAN : values[t];
    if (usual) status = tcsi_band_adapt(usual, frame->row_count, 0, ret_expected, ret_low, ret_high, err);
    tcsi_free(usual);
    return status;
}

static void add_losses(filled *f, const tcsi_training *training)
{
    for (size_t i = 0; i < training->point_count; i++) {
        const tcsi_learning_point *from = &training->points[i];
        f->losses[i] = (tcsi_report_loss){ from->member, from->step, from->train_loss, from->held_loss };
    }
    f->report.losses = f->losses;
    f->report.loss_count = training->point_count;
}

static void filled_deinit(filled *f)
{
    for (size_t i = 0; i < f->text_count; i++) tcsi_buffer_deinit(&f->texts[i]);
    tcsi_free(f->episodes);
    tcsi_free(f->expected);
    tcsi_api_reasons_deinit(&f->reasons);
    tcsi_free(f->no_thresholds);
}

static tcs_status fill(filled *f, const tcs_result *result, const char *title, tcs_error *err)
{
    const tcs_frame *frame = result->frame;
    const tcsi_policy_result *decision = &result->detection->decision;
    f->no_thresholds = TCSI_NEW_ARRAY(double, frame->frame->row_count);
    if (!f->no_thresholds) return tcsi_fail_memory(err, "a report");
    for (size_t t = 0; t < frame->frame->row_count; t++) f->no_thresholds[t] = NAN;
    f->report = (tcsi_report){
        .title = title, .version = tcs_version(), .frame = frame->frame, .has_times = frame->has_real_times,
        .scores = result->detection->scores, .thresholds = decision->by_evidence ? f->no_thresholds : decision->thresholds,
        .facts = f->fact, .method = f->method, .assumption = f->assumption, .promise = f->promise,
        .notes = (const char *const *)frame->notes, .note_count = frame->note_count,
        .band = frame->is_tabular ? NULL : band_of, .context = (void *)result,
    };
    tcs_status status = add_episodes(f, result, err);
    if (status == TCS_OK) status = add_facts(f, result, err);
    if (status == TCS_OK) status = add_method(f, result, err);
    if (status == TCS_OK) status = add_expected(f, result, err);
    if (status == TCS_OK) status = add_assumptions(f, result, err);
    add_losses(f, &result->detection->training);
    return status;
}

/* What a report tells and a picture does not. */
static tcs_status fill_reasons(filled *f, const tcs_result *result, tcs_error *err)
{
    tcs_status status = tcsi_api_reasons_make(result, &f->reasons, err);
    if (status != TCS_OK) return status;
    tcsi_api_reasons_hand(&f->reasons, f->episodes);
    status = tcsi_api_reliability(result, &f->report.reliability, err);
    if (status == TCS_OK) status = add_promise(f, result, err);
    return status;
}

typedef tcs_status (*report_writer)(const tcsi_report *report, const char *path, tcs_error *err);

static tcs_status write_with(report_writer write, bool with_reasons, const tcs_result *result, const char *title, const char *path,
                             tcs_error *err)
{
    if (!result || !title || !path) return tcsi_fail(err, TCS_E_INVALID, "a report needs a result, a title and a path");
    filled *f = TCSI_NEW(filled);
    if (!f) return tcsi_fail_memory(err, "a report");
    tcs_status status = fill(f, result, title, err);
    if (status == TCS_OK && with_reasons) status = fill_reasons(f, result, err);
    if (status == TCS_OK) status = write(&f->report, path, err);
    filled_deinit(f);
    tcsi_free(f);
    return status;
}

tcs_status tcs_result_report_write(const tcs_result *result, const char *title, const char *path, tcs_error *err)
{
    return write_with(tcsi_report_write, true, result, title, path, err);
}

tcs_status tcs_result_plot_write(const tcs_result *result, const char *title, const char *path, tcs_error *err)
{
    return write_with(tcsi_plot_write, false, result, title, path, err);
}
