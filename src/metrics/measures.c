/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/measures.h"

#include "base/alloc.h"
#include "metrics/affiliation.h"
#include "metrics/calibration.h"
#include "metrics/coverage.h"
#include "metrics/curve.h"
#include "metrics/grid.h"
#include "metrics/nab.h"
#include "metrics/operation.h"
#include "metrics/overlap.h"
#include "metrics/vus.h"

#include <math.h>
#include <string.h>

/* ---- the table ---- */

const tcsi_measure_info tcsi_measure_table[] = {
#define X(field, title, unit, low, high, direction, paper, help) \
    { #field, title, unit, low, high, TCSI_MEASURE_##direction, paper, help, offsetof(tcsi_measures, field) },
    TCSI_MEASURE_LIST(X)
#undef X
};
const size_t tcsi_measure_count = TCS_COUNT(tcsi_measure_table);

const tcsi_measure_info *tcsi_measure_find(const char *key)
{
    for (size_t i = 0; i < tcsi_measure_count; i++)
        if (strcmp(tcsi_measure_table[i].key, key) == 0) return &tcsi_measure_table[i];
    return NULL;
}

double tcsi_measure_get(const tcsi_measures *measures, const tcsi_measure_info *info)
{
    double value;
    memcpy(&value, (const char *)measures + info->offset, sizeof value);
    return value;
}

static void set_all_unknown(tcsi_measures *measures)
{
    for (size_t i = 0; i < tcsi_measure_count; i++)
        memcpy((char *)measures + tcsi_measure_table[i].offset, &(double){ NAN }, sizeof(double));
}

void tcsi_measures_write(const tcsi_measures *measures, tcsi_json_writer *writer)
{
    for (size_t i = 0; i < tcsi_measure_count; i++) {
        tcsi_json_key(writer, tcsi_measure_table[i].key);
        tcsi_json_number(writer, tcsi_measure_get(measures, &tcsi_measure_table[i]));
    }
}

/* ---- the call ---- */

tcsi_measures_options tcsi_measures_options_default(void)
{
    return (tcsi_measures_options){ .window = 100, .threshold = NAN, .cost_miss = 10.0, .cost_false_alarm = 1.0, .located_tolerance = 100 };
}

/* What the steps below share. */
typedef struct task {
    const double *scores;
    const uint8_t *labels;
    size_t row_count;
    const tcsi_measures_options *options;
    tcsi_ranking ranking;
    tcsi_span_list events, alarms;
    bool has_decision;
    tcsi_measures measures;
} task;

static tcs_status check(const task *t, tcs_error *err)
{
    const tcsi_measures_options *o = t->options;
    if (t->row_count == 0) return tcsi_fail(err, TCS_E_INVALID, "no rows to measure");
    if (o->window > TCSI_VUS_WINDOW_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "a window of %zu rows, expected at most %zu", o->window, TCSI_VUS_WINDOW_MAX);
    if (o->decisions && !isnan(o->threshold))
        return tcsi_fail(err, TCS_E_INVALID, "decisions and a threshold of %g were given, expected one of them", o->threshold);
    if (!(o->cost_miss >= 0.0 && o->cost_miss < INFINITY && o->cost_false_alarm >= 0.0 && o->cost_false_alarm < INFINITY))
        return tcsi_fail(err, TCS_E_INVALID, "costs of %g and %g, expected 0 or more", o->cost_miss, o->cost_false_alarm);
    if (!(o->row_seconds >= 0.0 && o->row_seconds < INFINITY))
        return tcsi_fail(err, TCS_E_INVALID, "%g seconds per row, expected 0 (unknown) or more", o->row_seconds);
    return TCS_OK;
}

/* Ranked values, and the best threshold. */
static tcs_status measure_ranking(task *t, tcs_error *err)
{
    tcsi_measures *m = &t->measures;
    tcsi_curve curve = { 0 };
    tcsi_vus vus;
    tcs_status status = tcsi_ranking_init(t->scores, t->row_count, &t->ranking, err);
    if (status == TCS_OK) status = tcsi_curve_init(&t->ranking, t->labels, &curve, err);
    if (status == TCS_OK) status = tcsi_vus_compute(&t->ranking, t->events.spans, t->events.count, t->options->window, &vus, err);
    if (status == TCS_OK) {
        tcsi_curve_best best = tcsi_curve_best_f1(&curve);
        m->positive_count = curve.positive_count;
        m->vus_pr = vus.pr;
        m->vus_roc = vus.roc;
        m->auc_pr = tcsi_curve_auc_pr(&curve);
        m->auc_roc = tcsi_curve_auc_roc(&curve);
        m->f1 = best.f1;
        m->threshold = best.threshold;
        m->precision_at_k = tcsi_curve_precision_at(&curve, t->options->k ? t->options->k : curve.positive_count);
        m->located = tcsi_located(t->scores, t->row_count, t->events.spans, t->events.count, t->options->located_tolerance);
    }
    tcsi_curve_deinit(&curve);
    return status;
}

/* The runs of rows that score at least threshold. */
static tcs_status alarms_above(task *t, double threshold, tcs_error *err)
{
    uint8_t *flags = TCSI_NEW_ARRAY(uint8_t, t->row_count);
    if (!flags) return tcsi_fail_memory(err, "decisions");
    for (size_t i = 0; i < t->row_count; i++) flags[i] = (isnan(t->scores[i]) ? -INFINITY : t->scores[i]) >= threshold;
    tcs_status status = tcsi_span_list_from_flags(flags, t->row_count, &t->alarms, err);
    tcsi_free(flags);
    return status;
}

/* Without an event there is no best threshold, hence no decision, and the decided values stay unknown. */
static tcs_status decide(task *t, tcs_error *err)
{
    const tcsi_measures_options *o = t->options;
    tcsi_measures *m = &t->measures;
    m->is_best_case = !o->decisions && isnan(o->threshold);
    if (!m->is_best_case) m->threshold = o->threshold;
    t->has_decision = o->decisions || !isnan(m->threshold);
    if (!t->has_decision) return TCS_OK;
    if (o->decisions) return tcsi_span_list_from_flags(o->decisions, t->row_count, &t->alarms, err);
    return alarms_above(t, m->threshold, err);
}

static tcs_status measure_f1s(task *t, const tcsi_decision *decision, const tcsi_overlap *overlap, tcs_error *err)
{
    tcsi_measures *m = &t->measures;
    if (m->is_best_case) { /* f1 stands already */
        tcsi_grid_best best;
        tcs_status status = tcsi_grid_compute(t->scores, t->row_count, t->events.spans, t->events.count, &best, err);
        if (status != TCS_OK) return status;
        m->f1_event = best.f1_event;
        m->f1_range = best.f1_range;
        m->f1_affiliation = best.f1_affiliation;
        m->f1_point_adjusted = best.f1_point_adjusted;
        return TCS_OK;
    }
    tcsi_affiliation affiliation = tcsi_affiliation_compute(decision);
    m->f1 = tcsi_overlap_f1(overlap);
    m->f1_event = tcsi_overlap_f1_event(overlap);
    m->f1_range = tcsi_overlap_f1_range(overlap);
    m->f1_affiliation = tcsi_affiliation_f1(&affiliation);
    m->f1_point_adjusted = tcsi_overlap_f1_point_adjusted(overlap);
    return TCS_OK;
}

static tcs_status measure_decision(task *t, tcs_error *err)
{
    tcsi_measures *m = &t->measures;
    const tcsi_measures_options *o = t->options;
    tcsi_decision decision = { t->row_count, t->events.spans, t->events.count, t->alarms.spans, t->alarms.count };
    tcsi_time_axis axis = { o->times_ns, o->row_seconds };
    tcsi_overlap overlap = tcsi_overlap_compute(&decision);
    tcsi_delay delay;
    tcs_status status = measure_f1s(t, &decision, &overlap, err);
    if (status == TCS_OK) status = tcsi_delay_compute(&decision, &axis, &delay, err);
    if (status != TCS_OK) return status;
    m->precision = tcsi_overlap_precision(&overlap);
    m->recall = tcsi_overlap_recall(&overlap);
    m->event_recall = tcsi_overlap_event_recall(&overlap);
    m->far = tcsi_overlap_far(&overlap);
    m->mar = tcsi_overlap_mar(&overlap);
    m->alarms = (double)overlap.alarm_count;
    m->false_alarms = (double)overlap.alarms_false;
    m->false_alarms_per_day = m->false_alarms / tcsi_time_axis_days(&axis, t->row_count);
    m->detect_delay_rows = delay.rows_mean;
    m->detect_delay_rows_median = delay.rows_median;
    m->detect_delay_seconds = delay.seconds_mean;
    m->cost = o->cost_miss * (double)(overlap.event_count - overlap.events_found) + o->cost_false_alarm * m->false_alarms;
    return TCS_OK;
}

/* The series as NAB's only file, its events as windows. */
static tcs_status measure_nab(task *t, tcs_error *err)
{
    double *flags = NULL;
    if (t->events.count == 0) return TCS_OK;
    tcsi_nab_file file = { t->scores, t->row_count, t->events.spans, t->events.count };
    if (t->options->decisions) {
        flags = TCSI_NEW_ZEROS(double, t->row_count);
        if (!flags) return tcsi_fail_memory(err, "NAB's score");
        for (size_t i = 0; i < t->row_count; i++) flags[i] = t->options->decisions[i] != 0;
        file.scores = flags;
    }
    tcsi_nab_result results[TCSI_NAB_PROFILE_COUNT] = { { 0 } };
    tcs_status status = TCS_OK;
    if (t->measures.is_best_case) status = tcsi_nab_sweep_all(&file, 1, results, err);
    for (size_t i = 0; i < TCSI_NAB_PROFILE_COUNT && status == TCS_OK && !t->measures.is_best_case; i++)
        status = tcsi_nab_score(&file, 1, &tcsi_nab_profiles[i], flags ? 0.5 : t->options->threshold, &results[i], err);
    if (status == TCS_OK) {
        t->measures.nab_standard = results[TCSI_NAB_STANDARD].score;
        t->measures.nab_low_fp = results[TCSI_NAB_LOW_FP].score;
        t->measures.nab_low_fn = results[TCSI_NAB_LOW_FN].score;
    }
    tcsi_free(flags);
    return status;
}

static tcs_status measure_calibration(task *t, tcs_error *err)
{
    const tcsi_measures_options *o = t->options;
    tcs_status status = TCS_OK;
    if (o->probabilities) {
        tcsi_calibration calibration;
        status = tcsi_calibration_compute(o->probabilities, t->labels, t->row_count, &calibration, err);
        if (status != TCS_OK) return status;
        t->measures.brier = calibration.brier;
        t->measures.ece = calibration.ece;
        t->measures.ece_debiased = calibration.ece_debiased;
        t->measures.log_loss = calibration.log_loss;
        t->measures.brier_reliability = calibration.reliability;
        t->measures.brier_resolution = calibration.resolution;
        t->measures.brier_uncertainty = calibration.uncertainty;
    }
    if (o->lows) {
        tcsi_coverage coverage;
        status = tcsi_coverage_compute(&(tcsi_bands_stated){ o->values, o->lows, o->highs }, t->labels, t->row_count, &coverage, err);
        if (status != TCS_OK) return status;
        t->measures.coverage = coverage.share;
        t->measures.band_width = coverage.width_mean;
    }
    if (o->p_values) status = tcsi_p_value_error(o->p_values, t->labels, t->row_count, &t->measures.p_value_error, err);
    return status;
}

tcs_status tcsi_measures_compute(const double *scores, const uint8_t *labels, size_t row_count, const tcsi_measures_options *options,
                                 tcsi_measures *ret_measures, tcs_error *err)
{
    tcsi_measures_options defaults = tcsi_measures_options_default();
    task t = { .scores = scores, .labels = labels, .row_count = row_count, .options = options ? options : &defaults };
    set_all_unknown(&t.measures);
    tcs_status status = check(&t, err);
    if (status == TCS_OK) status = tcsi_span_list_from_flags(labels, row_count, &t.events, err);
    if (status == TCS_OK) status = measure_ranking(&t, err);
    if (status == TCS_OK) status = decide(&t, err);
    if (status == TCS_OK && t.has_decision) status = measure_decision(&t, err);
    if (status == TCS_OK) status = measure_nab(&t, err);
    if (status == TCS_OK) status = measure_calibration(&t, err);
    if (status == TCS_OK) {
        t.measures.row_count = row_count;
        t.measures.event_count = t.events.count;
        *ret_measures = t.measures;
    }
    tcsi_span_list_deinit(&t.events);
    tcsi_span_list_deinit(&t.alarms);
    tcsi_ranking_deinit(&t.ranking);
    return status;
}
