/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/grid.h"

#include "base/alloc.h"
#include "metrics/affiliation.h"
#include "metrics/overlap.h"

#include <math.h>

enum { COUNT = TCSI_GRID_THRESHOLD_COUNT };

/* The thresholds as numpy.linspace makes them, so that a score that equals one falls on the same side. */
static void fill_thresholds(double low, double high, double *ret_thresholds)
{
    double step = (high - low) / (COUNT - 1);
    for (size_t i = 0; i < COUNT; i++) {
        double share = (double)i / (COUNT - 1);
        if (isinf(high - low)) ret_thresholds[i] = low * (1.0 - share) + high * share; /* the range itself is no double */
        else ret_thresholds[i] = (step > 0.0 ? (double)i * step : share * (high - low)) + low;
    }
    ret_thresholds[COUNT - 1] = high;
}

static bool finite_range(const double *scores, size_t row_count, double *ret_low, double *ret_high)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < row_count; i++) {
        if (!isfinite(scores[i])) continue;
        if (scores[i] < low) low = scores[i];
        if (scores[i] > high) high = scores[i];
    }
    if (low > high) return false;
    *ret_low = low;
    *ret_high = high;
    return true;
}

/* How many thresholds lie below score.  The guess is off by at most a step or two of rounding; the loops settle it. */
static uint8_t level_of(double score, const double *thresholds, double low, double step)
{
    if (isnan(score) || score <= low) return 0;
    if (score > thresholds[COUNT - 1]) return COUNT;
    double guess = step > 0.0 ? (score - low) / step : 0.0;
    size_t level = guess >= 0.0 && guess < COUNT ? (size_t)guess : COUNT - 1;
    while (level > 0 && thresholds[level - 1] >= score) level--;
    while (level < COUNT && thresholds[level] < score) level++;
    return (uint8_t)level;
}

static void fill_levels(const double *scores, size_t row_count, uint8_t *ret_levels)
{
    double low, high, thresholds[COUNT];
    if (!finite_range(scores, row_count, &low, &high)) low = high = 0.0;
    fill_thresholds(low, high, thresholds);
    double step = (high - low) / (COUNT - 1);
    for (size_t i = 0; i < row_count; i++) ret_levels[i] = level_of(scores[i], thresholds, low, step);
}

/* The runs inside the given spans whose levels exceed threshold. */
static tcs_status narrow(const uint8_t *levels, size_t threshold, const tcsi_span_list *from, tcsi_span_list *to, tcs_error *err)
{
    tcs_status status = TCS_OK;
    to->count = 0;
    for (size_t k = 0; k < from->count && status == TCS_OK; k++) {
        size_t end = from->spans[k].end;
        for (size_t i = from->spans[k].begin; i < end && status == TCS_OK;) {
            while (i < end && levels[i] <= threshold) i++;
            size_t begin = i;
            while (i < end && levels[i] > threshold) i++;
            if (begin < i) status = tcsi_span_list_append(to, (tcsi_span){ begin, i }, err);
        }
    }
    return status;
}

static void keep_best(const tcsi_decision *decision, tcsi_grid_best *best)
{
    tcsi_overlap overlap = tcsi_overlap_compute(decision);
    tcsi_affiliation affiliation = tcsi_affiliation_compute(decision);
    best->f1_point_adjusted = fmax(best->f1_point_adjusted, tcsi_overlap_f1_point_adjusted(&overlap));
    best->f1_event = fmax(best->f1_event, tcsi_overlap_f1_event(&overlap));
    best->f1_range = fmax(best->f1_range, tcsi_overlap_f1_range(&overlap));
    best->f1_affiliation = fmax(best->f1_affiliation, tcsi_affiliation_f1(&affiliation));
}

tcs_status tcsi_grid_compute(const double *scores, size_t row_count, const tcsi_span *events, size_t event_count,
                             tcsi_grid_best *ret_best, tcs_error *err)
{
    if (event_count == 0) {
        *ret_best = (tcsi_grid_best){ NAN, NAN, NAN, NAN };
        return TCS_OK;
    }
    tcsi_grid_best best = { 0.0, 0.0, 0.0, 0.0 };
    tcsi_span_list alarms = { 0 }, narrowed = { 0 };
    uint8_t *levels = TCSI_NEW_ARRAY(uint8_t, row_count);
    tcs_status status = TCS_OK;
    if (!levels) {
        status = tcsi_fail_memory(err, "a grid of thresholds");
        goto end;
    }
    fill_levels(scores, row_count, levels);
    status = tcsi_span_list_append(&alarms, (tcsi_span){ 0, row_count }, err);
    for (size_t t = 0; t < COUNT && status == TCS_OK; t++) {
        status = narrow(levels, t, &alarms, &narrowed, err);
        tcsi_span_list swap = alarms;
        alarms = narrowed;
        narrowed = swap;
        if (status != TCS_OK || alarms.count == 0) break;
        keep_best(&(tcsi_decision){ row_count, events, event_count, alarms.spans, alarms.count }, &best);
    }
    if (status == TCS_OK) *ret_best = best;
end:
    tcsi_span_list_deinit(&alarms);
    tcsi_span_list_deinit(&narrowed);
    tcsi_free(levels);
    return status;
}
