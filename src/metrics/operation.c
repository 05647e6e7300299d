/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/operation.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

double tcsi_time_axis_days(const tcsi_time_axis *axis, size_t row_count)
{
    double seconds = axis->row_seconds * (double)row_count;
    if (axis->times_ns) {
        int64_t first = axis->times_ns[0], last = axis->times_ns[0];
        for (size_t i = 1; i < row_count; i++) {
            if (axis->times_ns[i] < first) first = axis->times_ns[i];
            if (axis->times_ns[i] > last) last = axis->times_ns[i];
        }
        seconds = row_count > 1 ? ((double)last - (double)first) * 1e-9 * ((double)row_count / (double)(row_count - 1)) : 0.0;
    }
    return seconds > 0.0 ? seconds / 86400.0 : NAN;
}

static double seconds_between(const tcsi_time_axis *axis, size_t from, size_t to)
{
    if (axis->times_ns) return fmax(0.0, ((double)axis->times_ns[to] - (double)axis->times_ns[from]) * 1e-9);
    return axis->row_seconds > 0.0 ? axis->row_seconds * (double)(to - from) : NAN;
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_numbers);
    return (values[(count - 1) / 2] + values[count / 2]) / 2.0;
}

tcs_status tcsi_delay_compute(const tcsi_decision *decision, const tcsi_time_axis *axis, tcsi_delay *ret_delay, tcs_error *err)
{
    double *delays = TCSI_NEW_ARRAY(double, decision->event_count);
    if (!delays) return tcsi_fail_memory(err, "detection delays");
    size_t found = 0, first = 0;
    double rows = 0.0, seconds = 0.0;
    for (size_t k = 0; k < decision->event_count; k++) {
        tcsi_span event = decision->events[k];
        while (first < decision->alarm_count && decision->alarms[first].end <= event.begin) first++;
        if (first == decision->alarm_count || decision->alarms[first].begin >= event.end) continue;
        size_t row = decision->alarms[first].begin > event.begin ? decision->alarms[first].begin : event.begin;
        delays[found] = (double)(row - event.begin);
        rows += delays[found++];
        seconds += seconds_between(axis, event.begin, row);
    }
    tcsi_delay delay = { NAN, NAN, NAN };
    if (found) delay = (tcsi_delay){ rows / (double)found, median(delays, found), seconds / (double)found };
    tcsi_free(delays);
    *ret_delay = delay;
    return TCS_OK;
}

double tcsi_located(const double *scores, size_t row_count, const tcsi_span *events, size_t event_count, size_t tolerance)
{
    if (event_count == 0) return NAN;
    double highest = -INFINITY;
    size_t peak = row_count;
    for (size_t i = 0; i < row_count; i++) {
        if (!(scores[i] > highest)) continue;
        highest = scores[i];
        peak = i;
    }
    if (peak == row_count) return 0.0;
    for (size_t k = 0; k < event_count; k++) {
        size_t before = events[k].begin > peak ? events[k].begin - peak : 0;
        size_t after = peak >= events[k].end ? peak - (events[k].end - 1) : 0;
        if (before <= tolerance && after <= tolerance) return 1.0;
    }
    return 0.0;
}
