/* simulate/inject.c -- eighteen kinds of rare events.
 *
 * Each kind is one small function that rewrites a copy of the stretch; sizes are in units of the local deviation (the stretch and
 * four periods on both sides), so that an event is as hard to see in a loud series as in a quiet one.  tcsi_inject then compares
 * copy and original: a root mean square difference below 8 % of the local deviation is refused, and the label covers the rows
 * from the first to the last that differ by more than 3 %.
 * Cost: O(length + period), except foreign, which simulates a series.  SPDX-License-Identifier: Apache-2.0 */
#include "simulate/inject.h"

#include "base/text.h"
#include "series/stats.h"
#include "simulate/normal.h"
#include "simulate/shape.h"

#include <math.h>
#include <string.h>

enum { FOREIGN_ROWS_MIN = 64, PERIOD_MIN = 4, PERIOD_MAX = 600 };
static const double difference_min = 0.08, visible = 0.03;

typedef struct injection {
    tcsi_rng *rng;
    const double *values;         /* the series, unchanged */
    size_t count, period, onset;
    size_t length;                /* spike and missing shorten it */
    size_t local_begin, local_end; /* rows that deviation is measured over */
    double deviation;             /* > 0 */
    double sign;                  /* -1 or 1 */
    double *segment, *other;      /* (count + room) each: the stretch, rewritten; free */
    double *scratch;              /* (count + room) */
    double *foreign_work;
} injection;

static double uniform(injection *j, double low, double high)
{
    return tcsi_rng_range(j->rng, low, high);
}

static bool chance(injection *j, double probability)
{
    return tcsi_rng_uniform(j->rng) < probability;
}

static double segment_mean(const injection *j)
{
    return tcsi_mean(j->segment, j->length);
}

/* 1 in the middle, falling to the ends over an eighth of the length. */
static double fade(const injection *j, size_t i)
{
    size_t from_end = i + 1 < j->length - i ? i + 1 : j->length - i, reach = j->length / 8 > 1 ? j->length / 8 : 1;
    return from_end < reach ? (double)from_end / (double)reach : 1;
}

/* The series at a fractional row, cut at its ends. */
static double at_row(const double *values, size_t count, double row)
{
    double last = (double)(count - 1);
    row = fmin(fmax(row, 0), last);
    size_t left = (size_t)row, right = left + 1 < count ? left + 1 : left;
    return values[left] + (row - (double)left) * (values[right] - values[left]);
}

static double local_quantile(injection *j, double level)
{
    return tcsi_quantile(j->values + j->local_begin, j->local_end - j->local_begin, level, j->scratch);
}

static void event_spike(injection *j)
{
    double height = j->sign * j->deviation * uniform(j, 1, 6);
    j->length = 1 + tcsi_rng_below(j->rng, 3);
    for (size_t i = 0; i < j->length; i++) j->segment[i] += height;
}

static void event_level(injection *j)
{
    double height = j->sign * j->deviation * uniform(j, 0.5, 3);
    for (size_t i = 0; i < j->length; i++) j->segment[i] += height;
}

static void event_variance(injection *j)
{
    double factor = uniform(j, 3, 8);
    memcpy(j->other, j->segment, j->length * sizeof *j->other);
    tcsi_shape_smooth(j->other, j->length, j->period / 8 > 2 ? j->period / 8 : 2, j->scratch);
    for (size_t i = 0; i < j->length; i++)
        j->segment[i] = j->other[i] + (j->segment[i] - j->other[i]) * factor + 0.05 * j->deviation * tcsi_rng_normal(j->rng);
}

static void event_noise(injection *j)
{
    double size = j->deviation * uniform(j, 0.15, 1);
    for (size_t i = 0; i < j->length; i++) j->segment[i] += fade(j, i) * size * tcsi_rng_normal(j->rng);
}

static void event_stuck(injection *j)
{
    double value = chance(j, 0.6) ? j->segment[0] : segment_mean(j);
    for (size_t i = 0; i < j->length; i++) j->segment[i] = value;
}

static void event_frequency(injection *j)
{
    static const double factors[] = { 0.5, 0.66, 1.5, 2, 3 };
    double factor = factors[tcsi_rng_below(j->rng, TCS_COUNT(factors))];
    for (size_t i = 0; i < j->length; i++) j->segment[i] = at_row(j->values, j->count, (double)j->onset + factor * (double)i);
}

static void event_shape(injection *j)
{
    tcsi_moments m = tcsi_moments_of(j->segment, j->length);
    double size = sqrt(m.variance) * uniform(j, 0.7, 1.3);
    tcsi_shape_template(j->rng, TCSI_SHAPE_ANY, j->segment, j->length, j->scratch);
    for (size_t i = 0; i < j->length; i++) j->segment[i] = m.mean + size * j->segment[i];
}

static void event_reverse(injection *j)
{
    for (size_t i = 0, k = j->length - 1; i < k; i++, k--) {
        double value = j->segment[i];
        j->segment[i] = j->segment[k];
        j->segment[k] = value;
    }
}

static void event_amplitude(injection *j)
{
    double base = chance(j, 0.6) ? segment_mean(j) : local_quantile(j, 0);
    double factor = chance(j, 0.5) ? uniform(j, 0.1, 0.6) : uniform(j, 1.4, 2.5);
    for (size_t i = 0; i < j->length; i++) j->segment[i] = base + (j->segment[i] - base) * (1 + fade(j, i) * (factor - 1));
}

static void event_missing(injection *j)
{
    double rest = local_quantile(j, 0.5);
    if (j->length > j->period) j->length = j->period;
    for (size_t i = 0; i < j->length; i++) j->segment[i] = rest + 0.02 * j->deviation * tcsi_rng_normal(j->rng);
}

static void event_trend(injection *j)
{
    double height = j->sign * j->deviation * uniform(j, 0.7, 3);
    bool ramp = chance(j, 0.5);
    for (size_t i = 0; i < j->length; i++) {
        double share = (double)i / (double)(j->length - 1);
        j->segment[i] += height * (ramp ? share : sin(3.14159265358979323846 * share));
    }
}

static void event_warp(injection *j)
{
    static const double powers[] = { 0.5, 0.65, 1.6, 2.2 };
    double power = powers[tcsi_rng_below(j->rng, TCS_COUNT(powers))], last = (double)(j->length - 1);
    memcpy(j->other, j->segment, j->length * sizeof *j->other);
    for (size_t i = 0; i < j->length; i++) j->segment[i] = at_row(j->other, j->length, last * pow((double)i / last, power));
}

static void event_swap(injection *j)
{
    double shift = j->sign * floor((double)j->period * uniform(j, 0.25, 0.75));
    for (size_t i = 0; i < j->length; i++) j->segment[i] = at_row(j->values, j->count, (double)(j->onset + i) + shift);
}

static void event_smooth(injection *j)
{
    size_t width = (size_t)((double)j->period * uniform(j, 0.1, 0.5));
    tcsi_shape_smooth(j->segment, j->length, width > 3 ? width : 3, j->scratch);
}

static void event_clip(injection *j)
{
    double high = local_quantile(j, uniform(j, 0.6, 0.9)), low = local_quantile(j, uniform(j, 0.1, 0.4));
    for (size_t i = 0; i < j->length; i++) j->segment[i] = j->sign > 0 ? fmin(j->segment[i], high) : fmax(j->segment[i], low);
}

static void event_flip(injection *j)
{
    double twice = 2 * segment_mean(j);
    for (size_t i = 0; i < j->length; i++) j->segment[i] = twice - j->segment[i];
}

static void event_foreign(injection *j)
{
    tcsi_moments m = tcsi_moments_of(j->segment, j->length);
    double wanted = (double)j->period * uniform(j, 0.3, 2), deviation = sqrt(m.variance);
    size_t period = (size_t)fmin(fmax(wanted, 8), PERIOD_MAX), rows = j->length + 10 > FOREIGN_ROWS_MIN ? j->length + 10 : FOREIGN_ROWS_MIN;
    (void)tcsi_normal_simulate(j->rng, TCSI_FAMILY_ANY, period, j->other, rows, j->foreign_work);
    for (size_t i = 0; i < j->length; i++) j->segment[i] = m.mean + deviation * j->other[i];
}

static void event_burst(injection *j)
{
    size_t divisor = 3 + tcsi_rng_below(j->rng, 7), spike_count = j->length / divisor > 1 ? j->length / divisor : 1;
    double height = j->sign * j->deviation * uniform(j, 1, 5);
    for (size_t k = 0; k < spike_count; k++) j->segment[tcsi_rng_below(j->rng, j->length)] += height * fabs(tcsi_rng_normal(j->rng));
}

static const struct {
    const char *name;
    void (*rewrite)(injection *j);
} kinds[TCSI_EVENT_KIND_COUNT] = {
#define X(kind, function, name) { name, event_##function },
    TCSI_EVENT_KIND_LIST(X)
#undef X
};

const char *tcsi_event_kind_name(tcsi_event_kind kind)
{
    return (size_t)kind < TCSI_EVENT_KIND_COUNT ? kinds[kind].name : "any";
}

bool tcsi_event_kind_by_name(const char *name, tcsi_event_kind *ret_kind)
{
    for (size_t k = 0; k < TCSI_EVENT_KIND_COUNT; k++)
        if (tcsi_text_equal_nocase(name, kinds[k].name)) {
            *ret_kind = (tcsi_event_kind)k;
            return true;
        }
    return false;
}

static size_t room_for(size_t count)
{
    return count + FOREIGN_ROWS_MIN;
}

size_t tcsi_inject_work_count(size_t count)
{
    return 3 * room_for(count) + tcsi_normal_work_count(room_for(count));
}

/* Keeps the copy when it differs enough; the rows that do. */
static bool keep(const injection *j, double *values, tcsi_event *ret_event)
{
    double square_sum = 0;
    size_t first = j->length, last = 0;
    for (size_t i = 0; i < j->length; i++) {
        double difference = fabs(j->segment[i] - values[j->onset + i]);
        square_sum += difference * difference;
        if (!(difference > visible * j->deviation)) continue;
        if (first == j->length) first = i;
        last = i;
    }
    if (first == j->length || !(sqrt(square_sum / (double)j->length) >= difference_min * j->deviation)) return false;
    memcpy(values + j->onset, j->segment, j->length * sizeof *values);
    ret_event->onset = j->onset + first;
    ret_event->end = j->onset + last + 1;
    return true;
}

bool tcsi_inject(tcsi_rng *rng, tcsi_event_kind kind, double *values, size_t count, size_t period, size_t onset, size_t length,
                 double *work, tcsi_event *ret_event)
{
    TCS_ASSERT(count >= FOREIGN_ROWS_MIN && period >= PERIOD_MIN && period <= PERIOD_MAX && onset < count);
    size_t room = room_for(count), before = onset < 4 * period ? onset : 4 * period;
    if (length > count - onset) length = count - onset;
    if (length < 3) return false;
    if (kind == TCSI_EVENT_ANY) kind = (tcsi_event_kind)tcsi_rng_below(rng, TCSI_EVENT_KIND_COUNT);
    size_t after = onset + length, local_end = count - after < 4 * period ? count : after + 4 * period;
    injection j = { .rng = rng, .values = values, .count = count, .period = period, .onset = onset, .length = length,
                    .local_begin = onset - before, .local_end = local_end,
                    .segment = work, .other = work + room, .scratch = work + 2 * room, .foreign_work = work + 3 * room };
    j.deviation = tcsi_deviation(values + j.local_begin, local_end - j.local_begin) + 1e-6;
    j.sign = tcsi_rng_u32(rng) & 1 ? 1 : -1;
    memcpy(j.segment, values + onset, length * sizeof *j.segment);
    kinds[kind].rewrite(&j);
    if (!keep(&j, values, ret_event)) return false;
    ret_event->name = kinds[kind].name;
    ret_event->channels = 1;
    return true;
}
