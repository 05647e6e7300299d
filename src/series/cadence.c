/* series/cadence.c -- data quality: what a reader should know of a series before believing anything said about it.
 *
 * The step is the median of the steps forwards: one long gap, a burst of doubled rows or a daylight-saving jump does not move it,
 * unlike the mean.  A gap is a step above 1.5 medians, because then at least one row is missing; how many is its length in
 * medians, rounded, less one.
 *
 * Staleness: a sensor that stops sends its last value forever.  How long a run must be to be remarkable depends on how often
 * the series repeats itself anyway; with independent neighbours a run of L more rows has probability f^L, and n f^L = 0.01
 * solves to L = log(0.01 / n) / log f.  Long stale runs raise f themselves, so f is taken over runs, each counted up to 3 rows.
 *
 * Cost: O(n) time, one array of n steps for the median.  SPDX-License-Identifier: Apache-2.0 */
#include "series/cadence.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>

enum { DISTINCT_LIMIT = 10, STALE_LENGTH_MIN = 10, RUN_COUNTED_MAX = 3 };

/* b - a without overflow, cut to int64. */
static int64_t step_between(int64_t a, int64_t b)
{
    uint64_t distance = b >= a ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
    int64_t cut = distance > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)distance;
    return b >= a ? cut : -cut;
}

/* Forward steps into ret_steps; counts the others. */
static size_t forward_steps(const int64_t *times_ns, size_t count, double *ret_steps, tcsi_cadence *cadence)
{
    size_t forward = 0;
    for (size_t i = 1; i < count; i++) {
        int64_t step = step_between(times_ns[i - 1], times_ns[i]);
        if (step > 0) ret_steps[forward++] = (double)step;
        cadence->duplicate_count += step == 0;
        cadence->reversed_count += step < 0;
    }
    return forward;
}

/* Median step from exact differences: the double nearest to it is searched for among the int64 steps, so no digit is lost. */
static int64_t exact_step(const int64_t *times_ns, size_t count, double median)
{
    int64_t best = 0;
    double best_distance = INFINITY;
    for (size_t i = 1; i < count && best_distance > 0; i++) {
        int64_t step = step_between(times_ns[i - 1], times_ns[i]);
        if (step > 0 && fabs((double)step - median) < best_distance) {
            best_distance = fabs((double)step - median);
            best = step;
        }
    }
    return best;
}

static void find_gaps(const int64_t *times_ns, size_t count, tcsi_cadence *cadence, tcsi_gap *ret_gaps, size_t gap_count_max)
{
    double step_ns = (double)cadence->step_ns;
    size_t regular = 0, forward = 0;
    for (size_t i = 1; i < count; i++) {
        int64_t step = step_between(times_ns[i - 1], times_ns[i]);
        if (step <= 0) continue;
        forward++;
        regular += fabs((double)step - step_ns) <= 0.1 * step_ns;
        if ((double)step <= 1.5 * step_ns) continue;
        uint64_t missing = (uint64_t)floor((double)step / step_ns + 0.5) - 1;
        if (cadence->gap_count < gap_count_max) ret_gaps[cadence->gap_count] = (tcsi_gap){ i - 1, step, missing };
        cadence->gap_count++;
        cadence->missing_count += missing;
        if (step > cadence->gap_longest_ns) cadence->gap_longest_ns = step;
    }
    cadence->regularity = (double)regular / (double)forward;
}

tcs_status tcsi_cadence_of(const int64_t *times_ns, size_t count, tcsi_cadence *ret_cadence, tcsi_gap *ret_gaps, size_t gap_count_max,
                           tcs_error *err)
{
    tcsi_cadence cadence = { .regularity = 1 };
    double *steps = TCSI_NEW_ARRAY(double, count);
    if (!steps) return tcsi_fail_memory(err, "a search for the cadence");
    size_t forward = forward_steps(times_ns, count, steps, &cadence);
    if (forward > 0) {
        double median = tcsi_select(steps, forward, forward / 2);
        cadence.step_ns = exact_step(times_ns, count, median);
        find_gaps(times_ns, count, &cadence, ret_gaps, gap_count_max);
    }
    tcsi_free(steps);
    *ret_cadence = cadence;
    return TCS_OK;
}

tcsi_staleness tcsi_staleness_of(const double *values, size_t count, size_t run_length_min)
{
    tcsi_staleness s = { 0 };
    for (size_t begin = 0, end; begin < count; begin = end) {
        end = begin + 1;
        if (!tcsi_present(values[begin])) continue;
        while (end < count && values[end] == values[begin]) end++;
        size_t length = end - begin;
        if (length > s.longest_count) {
            s.longest_begin = begin;
            s.longest_count = length;
        }
        if (length < run_length_min) continue;
        s.run_count++;
        s.row_count += length;
    }
    return s;
}

size_t tcsi_stale_length(const double *values, size_t count)
{
    size_t pairs = 0, repeats = 0, run = 1, present = 0;
    for (size_t i = 0; i < count; i++) {
        if (!tcsi_present(values[i])) continue;
        present++;
        if (i == 0 || !tcsi_present(values[i - 1])) {
            run = 1;
            continue;
        }
        bool repeat = values[i] == values[i - 1];
        run = repeat ? run + 1 : 1;
        if (run > RUN_COUNTED_MAX) continue; /* a long run is what is looked for, not what is usual */
        pairs++;
        repeats += repeat;
    }
    if (pairs == 0) return SIZE_MAX;
    double frequency = ((double)repeats + 0.5) / ((double)pairs + 1);
    /* Runs cut to three hold two repeats for each change between runs: at most 2/3.  0.6 stands for nearly always. */
    if (frequency > 0.6) return SIZE_MAX;
    double length = log(0.01 / (double)present) / log(frequency);
    return length < STALE_LENGTH_MIN ? STALE_LENGTH_MIN : (size_t)ceil(length);
}

static tcsi_channel_quality channel_quality(const double *values, size_t count)
{
    tcsi_moments m = tcsi_moments_of(values, count);
    tcsi_channel_quality q = { .present_count = m.count, .minimum = m.minimum, .maximum = m.maximum };
    size_t run = 0;
    for (size_t i = 0; i < count; i++) {
        bool present = tcsi_present(values[i]);
        q.missing_count += isnan(values[i]) != 0;
        q.infinite_count += !present && !isnan(values[i]);
        run = present ? 0 : run + 1;
        if (run > q.missing_run_longest) q.missing_run_longest = run;
    }
    q.distinct_count_or_limit = tcsi_distinct_count(values, count, DISTINCT_LIMIT + 1);
    q.constant = q.distinct_count_or_limit <= 1;
    q.staleness = tcsi_staleness_of(values, count, q.constant ? SIZE_MAX : tcsi_stale_length(values, count));
    return q;
}

static size_t count_missing_rows(const tcsi_frame *frame)
{
    size_t missing = 0;
    for (size_t row = 0; row < frame->row_count; row++) {
        size_t c = 0;
        while (c < frame->channel_count && !tcsi_present(frame->values[c * frame->stride + row])) c++;
        missing += c == frame->channel_count;
    }
    return missing;
}

tcs_status tcsi_quality_of(const tcsi_frame *frame, tcsi_quality *ret_quality, tcs_error *err)
{
    tcsi_quality q = { .row_count = frame->row_count, .channel_count = frame->channel_count, .has_times = frame->times_ns != NULL };
    q.channels = TCSI_NEW_ARRAY(tcsi_channel_quality, frame->channel_count);
    if (!q.channels) return tcsi_fail_memory(err, "a data-quality summary");
    if (q.has_times) {
        tcs_status status = tcsi_cadence_of(frame->times_ns, frame->row_count, &q.cadence, NULL, 0, err);
        if (status != TCS_OK) {
            tcsi_quality_deinit(&q);
            return status;
        }
    }
    for (size_t c = 0; c < frame->channel_count; c++) {
        tcsi_channel_quality one = channel_quality(tcsi_frame_column(frame, c), frame->row_count);
        q.missing_count += one.missing_count;
        q.infinite_count += one.infinite_count;
        q.constant_channel_count += one.constant;
        q.stale_channel_count += one.staleness.run_count > 0;
        q.channels[c] = one;
    }
    q.row_missing_count = count_missing_rows(frame);
    *ret_quality = q;
    return TCS_OK;
}

void tcsi_quality_deinit(tcsi_quality *quality)
{
    tcsi_free(quality->channels);
    *quality = (tcsi_quality){ 0 };
}
