/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/chances.h"

#include "base/alloc.h"
#include "series/stats.h"

#include <math.h>

enum { DURATION_MAX = 8, LATE = 4 /* medians */, CHANGE_SHARE = 20, CHANGE_MAX = 10 };

/* What the three parts work on; all per step. */
typedef struct work {
    const tcsi_sequence *sequence;
    const int64_t *times_ns;
    size_t window, window_count;
    double median;      /* step of time; 0: there are no times, or they stand still */
    double *values;     /* (U): of the part that is looked at */
    double *scratch;    /* (T) */
} work;

/* ---- time ---- */

static double time_step(const work *w, size_t row)
{
    return (double)w->times_ns[row] - (double)w->times_ns[row - 1];
}

static double median_step(const work *w)
{
    const size_t count = w->sequence->row_count;
    if (!w->times_ns || count < 2) return 0;
    for (size_t t = 1; t < count; t++) w->scratch[t - 1] = time_step(w, t);
    return fmax(0, tcsi_select(w->scratch, count - 1, (count - 1) / 2));
}

/* In medians; a border row stands for its one side. */
static double duration_of_row(const work *w, size_t row)
{
    const size_t last = w->sequence->row_count - 1;
    const double before = row > 0 ? time_step(w, row) : time_step(w, 1), after = row < last ? time_step(w, row + 1) : time_step(w, last);
    return fmin(DURATION_MAX, fmax(0, (before + after) / 2 / w->median));
}

static void find_durations(const work *w)
{
    const tcsi_sequence *s = w->sequence;
    for (size_t u = 0; u < s->step_count; u++) w->values[u] = 0;
    for (size_t t = 0; t < s->row_count; t++) w->values[t / s->factor] += duration_of_row(w, t) / (double)s->factor;
}

/* ---- changes ---- */

/* Of each step, the largest difference over the channels, in their root mean squares. */
static void find_differences(const work *w)
{
    const tcsi_sequence *s = w->sequence;
    for (size_t u = 0; u < s->step_count; u++) w->values[u] = 0;
    for (size_t c = 0; c < s->channel_count; c++) {
        const float *x = s->values.values + c;
        double squares = 0;
        for (size_t u = 1; u < s->step_count; u++) {
            const double difference = (double)x[u * s->input_count] - (double)x[(u - 1) * s->input_count];
            squares += difference * difference;
        }
        const double usual = sqrt(squares / (double)s->step_count);
        for (size_t u = 1; u < s->step_count && usual > 0; u++) {
            const double difference = (double)x[u * s->input_count] - (double)x[(u - 1) * s->input_count];
            w->values[u] = fmax(w->values[u], fabs(difference) / usual);
        }
    }
}

static bool gap_borders(const tcsi_sequence *s, size_t u)
{
    const float *target = s->targets.values + u * s->channel_count;
    bool borders = false;
    for (size_t c = 0; c < s->channel_count && u > 0; c++) borders |= isnan(target[c]) != isnan(target[c - s->channel_count]);
    return borders;
}

/* Values become how much changes, 0 where it is little. */
static void find_changes(const work *w)
{
    const tcsi_sequence *s = w->sequence;
    find_differences(w);
    for (size_t u = 0; u < s->step_count; u++) w->scratch[u] = w->values[u];
    const double limit = tcsi_select(w->scratch, s->step_count, s->step_count - 1 - s->step_count / CHANGE_SHARE);
    for (size_t u = 0; u < s->step_count; u++) {
        const double change = gap_borders(s, u) ? CHANGE_MAX : fmin(CHANGE_MAX, w->values[u]);
        w->values[u] = change > limit ? change : 0;
    }
    for (size_t t = 1; t < s->row_count && w->median > 0; t++)
        if (time_step(w, t) > LATE * w->median) w->values[t / s->factor] = CHANGE_MAX;
}

/* ---- windows ---- */

/* The mean of the values over each window's steps -> ret (windows). */
static void window_means(const work *w, double *ret)
{
    double sum = 0;
    for (size_t u = 0; u < w->sequence->step_count; u++) {
        sum += w->values[u];
        if (u >= w->window) sum -= w->values[u - w->window];
        if (u + 1 >= w->window) ret[u + 1 - w->window] = fmax(0, sum) / (double)w->window;
    }
}

static void age(const work *w, double half_life, double *chances)
{
    for (size_t i = 0; i < w->window_count; i++) {
        const double halvings = (double)(w->window_count - 1 - i) * (double)w->sequence->factor / half_life;
        chances[i] *= exp2(-halvings);
    }
}

static double sum_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum;
}

/* Mixes chances with chances times changes, each as if it summed to 1; left alone where nothing changes. */
static void mix(const work *w, double share, const double *changes, double *chances)
{
    const double all = sum_of(chances, w->window_count);
    double changing = 0;
    for (size_t i = 0; i < w->window_count; i++) changing += chances[i] * changes[i];
    for (size_t i = 0; i < w->window_count && changing > 0; i++)
        chances[i] *= (1 - share) / all + share * changes[i] / changing;
}

static void fill(work *w, const tcsi_chances_options *options, double *factors, double *ret_chances)
{
    for (size_t i = 0; i < w->window_count; i++) ret_chances[i] = 1;
    if (options->half_life > 0) age(w, options->half_life, ret_chances);
    if (options->by_duration && w->median > 0) {
        find_durations(w);
        window_means(w, factors);
        for (size_t i = 0; i < w->window_count; i++) ret_chances[i] *= factors[i];
    }
    if (options->change > 0) {
        find_changes(w);
        window_means(w, factors);
        mix(w, options->change, factors, ret_chances);
    }
}

tcs_status tcsi_chances_create(const tcsi_sequence *sequence, const int64_t *times_ns, size_t window, const tcsi_chances_options *options,
                               double **ret_sums, tcs_error *err)
{
    const bool is_asked = options->half_life > 0 || options->change > 0 || options->by_duration;
    work w = { .sequence = sequence, .times_ns = times_ns, .window = window };
    *ret_sums = NULL;
    if (!is_asked || sequence->step_count < window) return TCS_OK;
    w.window_count = sequence->step_count - window + 1;
    w.values = TCSI_NEW_ARRAY(double, sequence->step_count);
    w.scratch = TCSI_NEW_ARRAY(double, sequence->row_count);
    double *factors = TCSI_NEW_ARRAY(double, w.window_count), *sums = TCSI_NEW_ARRAY(double, w.window_count);
    const bool fits = w.values && w.scratch && factors && sums;
    if (fits) {
        w.median = median_step(&w);
        fill(&w, options, factors, sums);
        for (size_t i = 1; i < w.window_count; i++) sums[i] += sums[i - 1];
        if (sums[w.window_count - 1] > 0) {
            *ret_sums = sums;
            sums = NULL;
        }
    }
    tcsi_free(w.values);
    tcsi_free(w.scratch);
    tcsi_free(factors);
    tcsi_free(sums);
    return fits ? TCS_OK : tcsi_fail_memory(err, "chances of windows");
}

size_t tcsi_chances_at(const double *sums, size_t count, double share)
{
    const double wanted = share * sums[count - 1];
    size_t low = 0, high = count - 1;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (sums[middle] > wanted) high = middle;
        else low = middle + 1;
    }
    return low;
}

size_t tcsi_chances_size_max(size_t row_count)
{
    return tcsi_size_product(row_count, 4 * sizeof(double));
}
