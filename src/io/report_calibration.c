/* SPDX-License-Identifier: Apache-2.0 */
#include "io/report_calibration.h"

#include <math.h>

/* The last place whose t is not below p. */
static size_t place_of(const tcsi_report_p_curve *curve, double p)
{
    double guess = floor(-10 * log10(p));
    size_t k = guess > 0 ? guess < TCSI_REPORT_P_COUNT - 1 ? (size_t)guess : TCSI_REPORT_P_COUNT - 1 : 0;
    while (k > 0 && curve->at[k] < p) k--; /* rounding */
    while (k + 1 < TCSI_REPORT_P_COUNT && curve->at[k + 1] >= p) k++;
    return k;
}

void tcsi_report_p_curve_make(const tcsi_report *report, bool unlabelled_only, tcsi_report_p_curve *ret_curve)
{
    const tcsi_frame *frame = report->frame;
    size_t counts[TCSI_REPORT_P_COUNT] = { 0 }, sum = 0;
    *ret_curve = (tcsi_report_p_curve){ .row_count = 0 };
    for (size_t k = 0; k < TCSI_REPORT_P_COUNT; k++) ret_curve->at[k] = pow(10, -(double)k / 10);
    for (size_t t = 0; t < frame->row_count; t++) {
        const double p = report->scores[t].p_value;
        if (report->scores[t].state != TCS_SCORE_READY || !(p > 0 && p <= 1)) continue;
        if (unlabelled_only && frame->labels && frame->labels[t]) continue;
        counts[place_of(ret_curve, p)]++;
        ret_curve->row_count++;
    }
    for (size_t k = TCSI_REPORT_P_COUNT; k-- > 0;) {
        sum += counts[k];
        ret_curve->share[k] = ret_curve->row_count > 0 ? (double)sum / (double)ret_curve->row_count : NAN;
    }
}

static void put_numbers(tcsi_json_writer *w, const char *key, const double *values, size_t count)
{
    tcsi_json_key(w, key);
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < count; i++) tcsi_json_number(w, values[i]);
    tcsi_json_end_array(w);
}

static void put_curves(tcsi_json_writer *w, const tcsi_report *report)
{
    tcsi_report_p_curve curve;
    tcsi_report_p_curve_make(report, false, &curve);
    tcsi_json_key(w, "rows");
    tcsi_json_integer(w, (int64_t)curve.row_count);
    put_numbers(w, "at", curve.at, TCSI_REPORT_P_COUNT);
    put_numbers(w, "share", curve.share, TCSI_REPORT_P_COUNT);
    if (!report->frame->labels) return;
    tcsi_report_p_curve_make(report, true, &curve);
    put_numbers(w, "unlabelled", curve.share, TCSI_REPORT_P_COUNT);
}

static void put_reliability(tcsi_json_writer *w, const tcsi_report_reliability *reliability)
{
    tcsi_json_key(w, "reliability");
    if (reliability->bin_count == 0) {
        tcsi_json_null(w);
        return;
    }
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "ece");
    tcsi_json_number(w, reliability->ece);
    tcsi_json_key(w, "brier");
    tcsi_json_number(w, reliability->brier);
    tcsi_json_key(w, "bins");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < reliability->bin_count; i++) {
        if (reliability->bins[i].row_count == 0) continue;
        tcsi_json_begin_array(w);
        tcsi_json_integer(w, (int64_t)reliability->bins[i].row_count);
        tcsi_json_number(w, reliability->bins[i].probability);
        tcsi_json_number(w, reliability->bins[i].share);
        tcsi_json_end_array(w);
    }
    tcsi_json_end_array(w);
    tcsi_json_end_object(w);
}

void tcsi_report_calibration_put(tcsi_json_writer *writer, const tcsi_report *report)
{
    tcsi_json_key(writer, "calibration");
    tcsi_json_begin_object(writer);
    put_curves(writer, report);
    put_reliability(writer, &report->reliability);
    tcsi_json_end_object(writer);
}
