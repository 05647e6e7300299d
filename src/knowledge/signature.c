/* knowledge/signature.c -- does an episode look like a known failure?
 *
 * Looked at are the episode's rows with a margin of half its length before them (scores look at windows, and online at the past: onsets
 * are rarely exact), at most ROWS_MAX; what they are compared with is as many rows before that, CONTEXT_MIN to CONTEXT_MAX.  Of each
 * channel the context gives a level (median) and a spread (median absolute deviation, scaled to that of a normal distribution); values
 * are looked at in spreads from the level, rises and falls in units of what values move in as many rows at other times, if that is more.
 * What each shape needs stands at its function.  Medians and counts only: an outlier in the context
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

enum { ROWS_MAX = 4096, CONTEXT_MIN = 32, CONTEXT_MAX = 1024, HISTORY_MAX = 16384, RUN_MIN = 3, JUMP_ROWS = 5, STAY_ROWS = 18,
       STUCK_MIN = 8, SPIKE_ROWS_MAX = 5, SWINGS_MIN = 4 };

static const double FAR = 4, VERY_FAR = 8; /* spreads from the level */

typedef struct view {
    const double *values;      /* of one channel, all rows */
    size_t before, begin, end; /* context [before, begin), looked at [begin, end) */
    double level, spread, step; /* of the context; step: the median of |value - value before|; NaN: nothing is there */
    double drift;              /* the spread or, if larger, that of changes over as many rows as are looked at, in what was before */
    double usual, width;       /* median and spread of all that was before, HISTORY_MAX rows at most */
    double jump;               /* of the context: the usual size of a step, of either sign */
    size_t run;                /* of the context: the longest run of one value */
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
    v->run = 0;
    for (size_t t = v->before + 1, run = 1; t < v->begin; t++) {
        run = v->values[t] == v->values[t - 1] ? run + 1 : 1;
        if (run > v->run) v->run = run;
    }
}

/* What rises and falls with the day has moved as far in as many rows before: the median of such changes, as that of two values with a
 * spread. */
static void learn_drift(view *v)
{
    const size_t length = v->end - v->begin, first = v->begin > HISTORY_MAX ? v->begin - HISTORY_MAX : 0;
    const size_t stride = (v->begin - first) / CONTEXT_MAX + 1;
    size_t count = 0;
    for (size_t t = first + length; t < v->begin; t += stride)
        if (!isnan(v->values[t]) && !isnan(v->values[t - length])) v->scratch[count++] = fabs(v->values[t] - v->values[t - length]);
    v->drift = fmax(v->spread, count > 0 ? median(v->scratch, count) / 0.954 : 0);
    count = 0;
    for (size_t t = first; t < v->begin; t += stride)
        if (!isnan(v->values[t])) v->scratch[count++] = v->values[t];
    v->usual = median(v->scratch, count);
    for (size_t i = 0; i < count; i++) v->scratch[i] = fabs(v->scratch[i] - v->usual);
    v->width = fmax(1.4826 * median(v->scratch, count), v->spread);
}

static double distance(const view *v, size_t t) { return (v->values[t] - v->level) / v->spread; }

/* Far from right before, by what is moved in such a time, or from all that was before: what grows for days has no place of its own to
 * have risen from. */
static bool is_shifted(const view *v, double sign, size_t t)
{
    return sign * (v->values[t] - v->level) > FAR * v->drift || sign * (v->values[t] - v->usual) > FAR * v->width;
}

/* ---- shapes ---- */

/* By how much the next JUMP_ROWS rows are above the last; NaN: too few are there. */
static double jump(const view *v, size_t t, double *ret_before)
{
    double sums[2] = { 0 };
    size_t counts[2] = { 0 };
    for (size_t i = 0; i < 2 * JUMP_ROWS; i++) {
        const double value = v->values[t - JUMP_ROWS + i];
        if (isnan(value)) continue;
        sums[i / JUMP_ROWS] += value;
        counts[i / JUMP_ROWS]++;
    }
    if (counts[0] < 3 || counts[1] < 3) return NAN;
    *ret_before = sums[0] / (double)counts[0];
    return sums[1] / (double)counts[1] - *ret_before;
}

/* A step VERY_FAR larger than they are in the context, more than half of which is there in three of four of the next STAY_ROWS rows: a
 * sharp fall is one though the day's course is larger. */
static bool find_jump(const view *v, double sign, size_t from, size_t *ret_onset)
{
    double before;
    for (size_t t = from > v->before + JUMP_ROWS ? from : v->before + JUMP_ROWS; t + STAY_ROWS <= v->end; t++) {
        const double size = sign * jump(v, t, &before);
        size_t still = 0;
        if (!(size > VERY_FAR * v->jump)) continue;
        for (size_t i = 0; i < STAY_ROWS; i++) still += sign * (v->values[t + i] - before) > 0.5 * size;
        if (4 * still < 3 * STAY_ROWS) continue;
        *ret_onset = t;
        return true;
    }
    return false;
}

/* From the onset on, RUN_MIN rows in a row and a tenth of all are far on one side, more than a spike is, and at most half as many on
 * the other. */
static bool find_shift(const view *v, double sign, size_t from, size_t *ret_onset)
{
    if (find_jump(v, sign, from, ret_onset)) return true;
    size_t onset = from, far = 0, other = 0, present = 0;
    for (; onset + RUN_MIN <= v->end; onset++) {
        size_t run = 0;
        while (run < RUN_MIN && is_shifted(v, sign, onset + run)) run++;
        if (run == RUN_MIN) break;
    }
    for (size_t t = onset; t < v->end; t++) {
        present += !isnan(v->values[t]);
        far += is_shifted(v, sign, t);
        other += is_shifted(v, -sign, t);
    }
    *ret_onset = onset;
    return onset + RUN_MIN <= v->end && far > SPIKE_ROWS_MAX && 10 * far >= present && 2 * other <= far;
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

/* STUCK_MIN equal values in a row, and three times as many as ever in the context, where values moved more often than not. */
static bool find_stuck(const view *v, size_t from, size_t *ret_onset)
{
    if (!(v->step > 0)) return false;
    for (size_t t = from, run = 1; t + 1 < v->end; t++) {
        run = v->values[t] == v->values[t + 1] ? run + 1 : 1;
        if (run < STUCK_MIN || run < 3 * v->run) continue;
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

static void learn_jump(view *v)
{
    double before;
    size_t count = 0;
    for (size_t t = v->before + JUMP_ROWS; t + JUMP_ROWS <= v->begin; t++) {
        const double size = fabs(jump(v, t, &before));
        if (!isnan(size)) v->scratch[count++] = size;
    }
    v->jump = count > 0 ? fmax(1.4826 * median(v->scratch, count), 1e-6 * v->spread) : INFINITY;
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
        learn_drift(v);
        learn_jump(v);
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
