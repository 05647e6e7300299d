/* knowledge/signature.c -- does an episode look like a known failure?
 *
 * Looked at are the episode's rows with a margin of half its length before them (scores look at windows, and online at the past: onsets
 * are rarely exact), at most ROWS_MAX; what they are compared with is as many rows before that, CONTEXT_MIN to CONTEXT_MAX.  Of each
 * channel the context gives a level (median) and a spread (median absolute deviation, scaled to that of a normal distribution); values
 * are looked at in spreads from the level.  What each shape needs stands at its function.  Medians and counts only: an outlier in the context
 * changes nothing.
 *
 * Steps hold in order when each has an onset at or after the one before it, and within its time: for each the first such
 * onset is taken.  A pattern is met by any of its channels.  Costs one sort of the context for each step and channel.
 * SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/bound.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 4096, CONTEXT_MIN = 32, CONTEXT_MAX = 1024, RUN_MIN = 3, STUCK_MIN = 8, SPIKE_ROWS_MAX = 5, SWINGS_MIN = 4 };

static const double FAR = 4, VERY_FAR = 8; /* spreads from the level */

typedef struct view {
    const double *values;      /* of one channel, all rows */
    size_t before, begin, end; /* context [before, begin), looked at [begin, end) */
    double level, spread, step; /* of the context; step: the median of |value - value before|; NaN: nothing is there */
    size_t present;            /* values in the context */
    double *scratch;           /* (CONTEXT_MAX) */
} view;

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    if (count == 0) return NAN;
    qsort(values, count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

/* A spread of 0 is a channel that stood still: then a millionth of the level, so that any real change is far. */
static void learn_context(view *v)
{
    size_t count = 0, steps = 0;
    for (size_t t = v->before; t < v->begin; t++)
        if (!isnan(v->values[t])) v->scratch[count++] = v->values[t];
    v->present = count;
    v->level = median(v->scratch, count);
    for (size_t i = 0; i < count; i++) v->scratch[i] = fabs(v->scratch[i] - v->level);
    v->spread = fmax(1.4826 * median(v->scratch, count), 1e-6 * fmax(fabs(v->level), 1e-6));
    for (size_t t = v->before + 1; t < v->begin; t++)
        if (!isnan(v->values[t]) && !isnan(v->values[t - 1])) v->scratch[steps++] = fabs(v->values[t] - v->values[t - 1]);
    v->step = median(v->scratch, steps);
}

static double distance(const view *v, size_t t) { return (v->values[t] - v->level) / v->spread; }

/* From the onset on, RUN_MIN rows in a row and half of all are far on one side. */
static bool find_shift(const view *v, double sign, size_t from, size_t *ret_onset)
{
    for (size_t t = from; t + RUN_MIN <= v->end; t++) {
        size_t run = 0, far = 0, present = 0;
        while (run < RUN_MIN && sign * distance(v, t + run) > FAR) run++;
        if (run < RUN_MIN) continue;
        for (size_t u = t; u < v->end; u++) {
            present += !isnan(v->values[u]);
            far += sign * distance(v, u) > FAR;
        }
        *ret_onset = t;
        return 2 * far >= present;
    }
    return false;
}

/* Very far, and at most SPIKE_ROWS_MAX rows in all are far. */
static bool find_spike(const view *v, size_t from, size_t *ret_onset)
{
    size_t far = 0;
    bool is_found = false;
    for (size_t t = from; t < v->end; t++) {
        far += fabs(distance(v, t)) > FAR;
        if (is_found || !(fabs(distance(v, t)) > VERY_FAR)) continue;
        *ret_onset = t;
        is_found = true;
    }
    return is_found && far <= SPIKE_ROWS_MAX;
}

/* STUCK_MIN equal values in a row; in the context values moved more often than not. */
static bool find_stuck(const view *v, size_t from, size_t *ret_onset)
{
    if (!(v->step > 0)) return false;
    for (size_t t = from, run = 1; t + 1 < v->end; t++) {
        run = v->values[t] == v->values[t + 1] ? run + 1 : 1;
        if (run < STUCK_MIN) continue;
        *ret_onset = t + 2 - run;
        return true;
    }
    return false;
}

/* RUN_MIN missing values in a row; in the context nine of ten were there. */
static bool find_drop_out(const view *v, size_t from, size_t *ret_onset)
{
    if (10 * v->present < 9 * (v->begin - v->before)) return false;
    for (size_t t = from, run = 0; t < v->end; t++) {
        run = isnan(v->values[t]) ? run + 1 : 0;
        if (run < RUN_MIN) continue;
        *ret_onset = t + 1 - run;
        return true;
    }
    return false;
}

/* Crosses from far on one side to far on the other SWINGS_MIN times, either side for more than a row on average. */
static bool find_oscillation(const view *v, size_t from, size_t *ret_onset)
{
    size_t swings = 0, first = 0, far = 0;
    int side = 0;
    for (size_t t = from; t < v->end; t++) {
        const double x = distance(v, t);
        if (!(fabs(x) > FAR)) continue;
        const int now = x > 0 ? 1 : -1;
        if (side == 0) first = t;
        far++;
        swings += side != 0 && now != side;
        side = now;
        if (swings < SWINGS_MIN || far < 2 * swings) continue;
        *ret_onset = first;
        return true;
    }
    return false;
}

/* Half the steps from row to row are VERY_FAR times as large as they were. */
static bool find_noise(const view *v, size_t from, size_t *ret_onset)
{
    size_t large = 0, count = 0, first = 0;
    if (isnan(v->step)) return false;
    const double usual = fmax(v->step, 1e-6 * v->spread);
    for (size_t t = from + 1; t < v->end; t++) {
        const double step = fabs(v->values[t] - v->values[t - 1]);
        if (isnan(step)) continue;
        if (step > VERY_FAR * usual && large++ == 0) first = t - 1;
        count += large > 0;
    }
    *ret_onset = first;
    return large >= STUCK_MIN && 2 * large >= count;
}

static bool find_shape(const view *v, tcsi_shape_kind shape, size_t from, size_t *ret_onset)
{
    switch (shape) {
    case TCSI_SHAPE_RISE: return find_shift(v, 1, from, ret_onset);
    case TCSI_SHAPE_FALL: return find_shift(v, -1, from, ret_onset);
    case TCSI_SHAPE_SPIKE: return find_spike(v, from, ret_onset);
    case TCSI_SHAPE_STUCK: return find_stuck(v, from, ret_onset);
    case TCSI_SHAPE_DROP_OUT: return find_drop_out(v, from, ret_onset);
    case TCSI_SHAPE_OSCILLATION: return find_oscillation(v, from, ret_onset);
    default: return find_noise(v, from, ret_onset);
    }
}

/* The first onset of a step among the channels that its pattern names, at row from or later. */
static bool find_step(const tcsi_bound *bound, const tcsi_frame *frame, view *v, const tcsi_step *step, size_t from, size_t *ret_onset)
{
    bool is_found = false;
    for (size_t c = 0; c < bound->out_count; c++) {
        size_t onset;
        if (!tcsi_pattern_matches(step->pattern, bound->names[c])) continue;
        v->values = tcsi_frame_column(frame, c);
        learn_context(v);
        if (find_shape(v, step->shape, from, &onset) && (!is_found || onset < *ret_onset)) {
            *ret_onset = onset;
            is_found = true;
        }
    }
    return is_found;
}

static bool has_signature(const tcsi_bound *bound, const tcsi_frame *frame, view *v, const tcsi_signature *signature)
{
    size_t before = v->begin;
    for (size_t i = 0; i < signature->step_count; i++) {
        const tcsi_step *step = &signature->steps[i];
        size_t onset;
        if (!find_step(bound, frame, v, step, signature->in_any_order ? v->begin : before, &onset)) return false;
        if (step->within_ns > 0 && frame->times_ns[onset] - frame->times_ns[before] > step->within_ns) return false;
        before = onset;
    }
    return true;
}

tcs_status tcsi_bound_recognize(const tcsi_bound *bound, const tcsi_frame *frame, size_t row_begin, size_t row_end, size_t *ret_signature,
                                tcs_error *err)
{
    const tcsi_knowledge *k = bound->knowledge;
    *ret_signature = k->signature_count;
    if (k->signature_count == 0) return TCS_OK;
    view v = { .end = row_end - row_begin > ROWS_MAX ? row_begin + ROWS_MAX : row_end, .scratch = TCSI_NEW_ARRAY(double, CONTEXT_MAX) };
    if (!v.scratch) return tcsi_fail_memory(err, "signatures");
    const size_t length = v.end - row_begin, margin = RUN_MIN + length / 2;
    size_t context = length < CONTEXT_MIN ? CONTEXT_MIN : length > CONTEXT_MAX ? CONTEXT_MAX : length;
    v.begin = row_begin > margin ? row_begin - margin : 0;
    if (context > v.begin) context = v.begin;
    v.before = v.begin - context;
    for (size_t i = 0; i < k->signature_count && context >= CONTEXT_MIN / 2; i++)
        if (has_signature(bound, frame, &v, &k->signatures[i])) {
            *ret_signature = i;
            break;
        }
    tcsi_free(v.scratch);
    return TCS_OK;
}
