/* SPDX-License-Identifier: Apache-2.0
 * Whether a report's alarms, p-values and probabilities can be trusted: what was promised beside what came, of rows whose labels were not
 * learned from. */
#include "api/report.h"

#include "base/alloc.h"
#include "metrics/calibration.h"

#include <math.h>

static bool touches_label(const tcsi_frame *frame, const tcsi_episode *episode)
{
    for (size_t t = episode->row_begin; t < episode->row_end; t++)
        if (frame->labels[t]) return true;
    return false;
}

/* Rows whose labels may be compared with: (first, count), and a number of each, NaN where the row has none. */
static double *collect(const tcs_result *result, double (*ask)(const tcs_result *result, size_t row), size_t first)
{
    const size_t count = result->detection->frame->row_count - first;
    double *values = TCSI_NEW_ARRAY(double, count);
    for (size_t t = 0; values && t < count; t++)
        values[t] = result->detection->scores[first + t].state == TCS_SCORE_READY ? ask(result, first + t) : NAN;
    return values;
}

static double p_value_of(const tcs_result *result, size_t row) { return result->detection->scores[row].p_value; }

static double p_value_error(const tcs_result *result, size_t first)
{
    const tcsi_frame *frame = result->detection->frame;
    double error = NAN, *values = collect(result, p_value_of, first);
    if (!values || tcsi_p_value_error(values, frame->labels + first, frame->row_count - first, &error, NULL) != TCS_OK) error = NAN;
    tcsi_free(values);
    return error;
}

void tcsi_api_alarms_count(const tcs_result *result, tcsi_api_alarms *ret_alarms)
{
    const tcsi_policy_result *decision = &result->detection->decision;
    const tcsi_frame *frame = result->detection->frame;
    const size_t first = tcs_result_told_row_count(result);
    tcsi_api_alarms alarms = { .raised = decision->episode_count, .p_value_error = NAN };
    for (size_t i = 0; i < decision->episode_count; i++) {
        const tcsi_episode *episode = &decision->episodes[i];
        alarms.dismissed += episode->state == TCSI_EPISODE_DISMISSED;
        if (!frame->labels || episode->row_begin < first) continue;
        alarms.compared++;
        alarms.unlabelled += !touches_label(frame, episode);
    }
    if (frame->labels && first < frame->row_count) alarms.p_value_error = p_value_error(result, first);
    *ret_alarms = alarms;
}

tcs_status tcsi_api_reliability(const tcs_result *result, tcsi_report_reliability *ret_reliability, tcs_error *err)
{
    const tcsi_frame *frame = result->detection->frame;
    const size_t first = tcs_result_told_row_count(result);
    tcsi_report_reliability to = { .bin_count = 0, .ece = NAN, .brier = NAN };
    *ret_reliability = to;
    if (!frame->labels || first >= frame->row_count) return TCS_OK;
    double *values = collect(result, tcs_result_probability, first);
    if (!values) return tcsi_fail_memory(err, "a report");
    tcsi_calibration from;
    tcs_status status = tcsi_calibration_compute(values, frame->labels + first, frame->row_count - first, &from, err);
    tcsi_free(values);
    if (status != TCS_OK || isnan(from.brier)) return status;
    for (; to.bin_count < TCSI_RELIABILITY_BIN_COUNT; to.bin_count++) {
        to.bins[to.bin_count].row_count = from.bins[to.bin_count].count;
        to.bins[to.bin_count].probability = from.bins[to.bin_count].probability;
        to.bins[to.bin_count].share = from.bins[to.bin_count].share;
    }
    to.ece = from.ece;
    to.brier = from.brier;
    *ret_reliability = to;
    return TCS_OK;
}
