/* SPDX-License-Identifier: Apache-2.0 */
#include "kind_trials.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "explain/expected.h"
#include "series/stats.h"
#include "simulate/fleet.h"
#include "simulate/normal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MIN = 1200, ROWS_MAX = 3600, SEEN_MIN = 4 };
static const double visible = 0.2; /* root mean square change in the rows of the episode, in the channel's deviations */

static const struct { tcsi_kind_name kind; tcsi_event_kind event; double weight; } kind_of[] = {
    { TCSI_KIND_SPIKE, TCSI_EVENT_SPIKE, 0.75 },         { TCSI_KIND_SPIKE, TCSI_EVENT_BURST, 0.25 },
    { TCSI_KIND_LEVEL_SHIFT, TCSI_EVENT_LEVEL, 1 },      { TCSI_KIND_TREND, TCSI_EVENT_TREND, 1 },
    { TCSI_KIND_VARIANCE, TCSI_EVENT_VARIANCE, 0.35 },   { TCSI_KIND_VARIANCE, TCSI_EVENT_NOISE, 0.35 },
    { TCSI_KIND_VARIANCE, TCSI_EVENT_AMPLITUDE, 0.3 },   { TCSI_KIND_STUCK, TCSI_EVENT_STUCK, 1 },
    { TCSI_KIND_PATTERN, TCSI_EVENT_FREQUENCY, 0.1 },    { TCSI_KIND_PATTERN, TCSI_EVENT_SHAPE, 0.1 },
    { TCSI_KIND_PATTERN, TCSI_EVENT_REVERSE, 0.1 },      { TCSI_KIND_PATTERN, TCSI_EVENT_MISSING, 0.1 },
    { TCSI_KIND_PATTERN, TCSI_EVENT_WARP, 0.1 },         { TCSI_KIND_PATTERN, TCSI_EVENT_SWAP, 0.1 },
    { TCSI_KIND_PATTERN, TCSI_EVENT_SMOOTH, 0.1 },       { TCSI_KIND_PATTERN, TCSI_EVENT_CLIP, 0.1 },
    { TCSI_KIND_PATTERN, TCSI_EVENT_FLIP, 0.1 },         { TCSI_KIND_PATTERN, TCSI_EVENT_FOREIGN, 0.1 },
};
static const tcsi_kind_name kinds[] = { TCSI_KIND_SPIKE, TCSI_KIND_LEVEL_SHIFT, TCSI_KIND_TREND, TCSI_KIND_VARIANCE, TCSI_KIND_DROP_OUT,
                                        TCSI_KIND_STUCK, TCSI_KIND_PATTERN, TCSI_KIND_CORRELATION };
static const tcsi_family learned[] = { TCSI_FAMILY_SEASONAL, TCSI_FAMILY_BUMPS, TCSI_FAMILY_QUASI_PERIODIC, TCSI_FAMILY_AUTOREGRESSIVE,
                                       TCSI_FAMILY_REGIMES, TCSI_FAMILY_TRAFFIC, TCSI_FAMILY_WALK, TCSI_FAMILY_MOTIFS,
                                       TCSI_FAMILY_COUNTS, TCSI_FAMILY_WORK };
static const tcsi_family held_out[] = { TCSI_FAMILY_CHAOS, TCSI_FAMILY_SERVICE, TCSI_FAMILY_SAWTOOTH, TCSI_FAMILY_CONTROL,
                                        TCSI_FAMILY_PULSES, TCSI_FAMILY_STEPS, TCSI_FAMILY_MIXTURE };
static const tcsi_family wandering[] = { TCSI_FAMILY_AUTOREGRESSIVE, TCSI_FAMILY_WALK, TCSI_FAMILY_TRAFFIC };
static const tcsi_family wandering_too[] = { TCSI_FAMILY_CHAOS, TCSI_FAMILY_SERVICE, TCSI_FAMILY_AUTOREGRESSIVE };

typedef struct maker {
    tcsi_rng rng;
    bool is_held_out;
    kind_trial *trial;
    size_t period;           /* of the world */
    double *shared, *apart;  /* coupled: the common course, and another of the same kind; (rows) */
    double coupling;         /* the common part of each channel */
    double *work;
} maker;

static void check(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "kind_trials: %s\n", err->text);
    exit(1);
}

static double log_range(tcsi_rng *rng, double low, double high) { return exp(tcsi_rng_range(rng, log(low), log(high))); }

static double *new_values(size_t count)
{
    double *values = TCSI_NEW_ARRAY(double, count);
    if (!values) abort();
    return values;
}

/* ---- worlds ---- */

static void make_frame(maker *m, size_t channel_count, size_t row_count)
{
    tcs_error err;
    check(tcsi_frame_create(channel_count, row_count, false, false, &m->trial->frame, &err), &err);
    m->trial->frame->row_count = row_count;
}

static tcsi_family draw_family(maker *m)
{
    return m->is_held_out ? held_out[tcsi_rng_below(&m->rng, TCS_COUNT(held_out))] : learned[tcsi_rng_below(&m->rng, TCS_COUNT(learned))];
}

static void make_machine(maker *m, size_t number, size_t row_count)
{
    tcs_error err;
    tcsi_machine_options o = { .seed = 900 + number % 40, .kind_count = 5, .program_count = 1 + tcsi_rng_below(&m->rng, 4),
                               .channel_count = 2 + tcsi_rng_below(&m->rng, 3), .row_count = row_count, .calm_row_count = row_count };
    if (m->is_held_out) {
        o.seed = 11;
        o.kind_count = 8;
        o.program_count = 2;
        o.channel_count = 5;
    }
    check(tcsi_machine_simulate(&o, 5000 + number, &m->trial->frame, &m->period, &err), &err);
}

static void make_family(maker *m, size_t row_count)
{
    const size_t channel_count = 1 + tcsi_rng_below(&m->rng, 3);
    make_frame(m, channel_count, row_count);
    for (size_t c = 0; c < channel_count; c++)
        (void)tcsi_normal_simulate(&m->rng, draw_family(m), m->period, tcsi_frame_column(m->trial->frame, c), row_count, m->work);
}

static void make_coupled(maker *m, size_t row_count)
{
    const size_t channel_count = 2 + tcsi_rng_below(&m->rng, 4);
    const tcsi_family family = m->is_held_out ? wandering_too[tcsi_rng_below(&m->rng, TCS_COUNT(wandering_too))]
                                              : wandering[tcsi_rng_below(&m->rng, TCS_COUNT(wandering))];
    m->shared = new_values(row_count);
    m->apart = new_values(row_count);
    m->coupling = m->is_held_out ? tcsi_rng_range(&m->rng, 0.85, 0.97) : tcsi_rng_range(&m->rng, 0.75, 0.995);
    const double own = sqrt(1 - m->coupling * m->coupling), smooth = tcsi_rng_uniform(&m->rng);
    (void)tcsi_normal_simulate(&m->rng, family, m->period, m->shared, row_count, m->work);
    (void)tcsi_normal_simulate(&m->rng, family, m->period, m->apart, row_count, m->work);
    make_frame(m, channel_count, row_count);
    for (size_t c = 0; c < channel_count; c++) {
        double *x = tcsi_frame_column(m->trial->frame, c);
        const double sign = tcsi_rng_uniform(&m->rng) < 0.3 && c > 0 ? -1 : 1;
        if (smooth < 0.5) (void)tcsi_normal_simulate(&m->rng, family, m->period, x, row_count, m->work);
        else
            for (size_t t = 0; t < row_count; t++) x[t] = tcsi_rng_normal(&m->rng);
        for (size_t t = 0; t < row_count; t++) x[t] = sign * m->coupling * m->shared[t] + own * x[t];
    }
}

/* ---- what happens ---- */

static void plant_drop_out(maker *m, double *x, tcsi_extent rows)
{
    const size_t n = m->trial->frame->row_count;
    const double which = tcsi_rng_uniform(&m->rng), share = tcsi_rng_uniform(&m->rng) < 0.6 ? 1 : tcsi_rng_range(&m->rng, 0.6, 1);
    const tcsi_moments usual = tcsi_moments_of(x, n);
    const double level = 0.3 + log_range(&m->rng, 0.1, 20);
    for (size_t t = 0; t < n && which >= 0.5; t++) x[t] += level - usual.minimum; /* above zero */
    for (size_t t = rows.begin; t < rows.end; t++)
        if (tcsi_rng_uniform(&m->rng) < share) x[t] = which < 0.5 ? NAN : which < 0.8 ? 0 : -level;
}

/* The channel goes on as it would, with another common course; where the two meet, it does not jump. */
static void plant_parting(maker *m, double *x, tcsi_extent rows)
{
    for (size_t t = rows.begin; t < rows.end; t++) x[t] += m->coupling * (m->apart[t] - m->shared[t]);
}

static tcsi_event_kind draw_event(maker *m, tcsi_kind_name kind)
{
    double at = tcsi_rng_uniform(&m->rng);
    for (size_t i = 0; i < TCS_COUNT(kind_of); i++) {
        if (kind_of[i].kind != kind) continue;
        if (at < kind_of[i].weight) return kind_of[i].event;
        at -= kind_of[i].weight;
    }
    return TCSI_EVENT_KIND_COUNT;
}

/* inject.h makes events that are hard to see; those that nobody could miss are to be known, too. */
static void enlarge(maker *m, double *x, const double *was, tcsi_extent rows)
{
    const double factor = tcsi_rng_uniform(&m->rng) < 0.6 ? 1 : log_range(&m->rng, 1, 8);
    if (m->trial->kind != TCSI_KIND_SPIKE && m->trial->kind != TCSI_KIND_LEVEL_SHIFT && m->trial->kind != TCSI_KIND_TREND) return;
    for (size_t t = rows.begin; t < rows.end; t++) x[t] = was[t] + factor * (x[t] - was[t]);
}

/* *ret_rows: what the event changed. */
static bool lay_down(maker *m, const double *was, tcsi_extent wanted, tcsi_extent *ret_rows)
{
    kind_trial *t = m->trial;
    double *x = tcsi_frame_column(t->frame, t->channel);
    tcsi_event event;
    *ret_rows = wanted;
    t->event = draw_event(m, t->kind);
    if (t->kind == TCSI_KIND_DROP_OUT) plant_drop_out(m, x, wanted);
    else if (t->kind == TCSI_KIND_CORRELATION) plant_parting(m, x, wanted);
    else {
        const size_t length = tcsi_extent_count(wanted);
        if (!tcsi_inject(&m->rng, t->event, x, t->frame->row_count, m->period, wanted.begin, length, m->work, &event)) return false;
        *ret_rows = (tcsi_extent){ event.onset, event.end };
        enlarge(m, x, was, *ret_rows);
    }
    return true;
}

static bool is_visible(const maker *m, const double *was, tcsi_extent rows)
{
    const double *x = tcsi_frame_column(m->trial->frame, m->trial->channel);
    const double deviation = tcsi_deviation(was, m->trial->frame->row_count);
    double squares = 0;
    for (size_t t = rows.begin; t < rows.end; t++) {
        if (!tcsi_present(x[t]) || m->trial->kind == TCSI_KIND_DROP_OUT) return true;
        squares += (x[t] - was[t]) * (x[t] - was[t]);
    }
    return sqrt(squares / (double)tcsi_extent_count(rows)) > visible * deviation;
}

/* ---- the rows of the episode ---- */

static bool can_stay(tcsi_kind_name kind)
{
    return kind == TCSI_KIND_LEVEL_SHIFT || kind == TCSI_KIND_VARIANCE || kind == TCSI_KIND_STUCK || kind == TCSI_KIND_DROP_OUT;
}

/* As a detector may see it: exact, wider, narrower, or not over yet. */
static void choose_rows(maker *m, tcsi_extent event, size_t length)
{
    kind_trial *t = m->trial;
    tcsi_rng *rng = &m->rng;
    const double how = tcsi_rng_uniform(rng);
    const double reach = (double)(length < 200 ? length : 200);
    if (t->stays) event.end = event.begin + length;
    t->rows = event;
    if (how < 0.6) { /* begins early or late */
        const double shift = tcsi_rng_range(rng, -0.5, 0.3) * reach;
        const size_t begin = (size_t)((double)event.begin + shift);
        if (tcsi_extent_count(event) > SEEN_MIN && begin + SEEN_MIN < event.end) t->rows.begin = begin;
        else if (shift < 0) t->rows.begin = begin;
    }
    if (how < 0.4) { /* only just begun */
        const size_t seen = SEEN_MIN + (size_t)(tcsi_rng_range(rng, 0.15, 1) * (double)tcsi_extent_count(event));
        t->rows.end = t->rows.begin > event.begin ? t->rows.begin + seen : event.begin + seen;
        if (t->rows.end > t->frame->row_count) t->rows.end = t->frame->row_count;
        t->frame->row_count = t->rows.end;
        t->is_over = t->stays = false;
    } else if (how < 0.6 && !t->stays) {
        t->rows.end += (size_t)(tcsi_rng_range(rng, 0, 0.5) * reach);
        if (t->rows.end > t->frame->row_count) t->rows.end = t->frame->row_count;
    }
}

/* ---- together ---- */

static void make_world(maker *m, size_t number)
{
    kind_trial *t = m->trial;
    const double which = tcsi_rng_uniform(&m->rng);
    const size_t row_count = ROWS_MIN + tcsi_rng_below(&m->rng, ROWS_MAX - ROWS_MIN);
    const size_t normal_work = tcsi_normal_work_count(row_count), inject_work = tcsi_inject_work_count(row_count);
    t->kind = kinds[tcsi_rng_below(&m->rng, TCS_COUNT(kinds))];
    m->period = (size_t)log_range(&m->rng, m->is_held_out ? 10 : 6, m->is_held_out ? 150 : 220);
    m->work = new_values(normal_work > inject_work ? normal_work : inject_work);
    if (t->kind == TCSI_KIND_CORRELATION || which < 0.25) make_coupled(m, row_count);
    else if (which < 0.6) make_machine(m, number, row_count);
    else make_family(m, row_count);
    if (m->period < 4) m->period = 4;
    if (m->period > 600) m->period = 600;
    t->channel = tcsi_rng_below(&m->rng, t->frame->channel_count);
    for (size_t c = 0; c < t->frame->channel_count; c++)
        if (c != t->channel) t->others[t->other_count++] = c;
}

static bool make_episode(maker *m)
{
    kind_trial *t = m->trial;
    const size_t row_count = t->frame->row_count;
    const size_t onset = row_count / 2 + tcsi_rng_below(&m->rng, row_count / 4);
    double longest = fmin(0.2 * (double)row_count, 4.0 * (double)m->period + 60);
    const size_t length = (size_t)log_range(&m->rng, 10, longest);
    double *x = tcsi_frame_column(t->frame, t->channel), *was = new_values(row_count);
    const double deviation = tcsi_deviation(x, row_count), mean = tcsi_mean(x, row_count);
    t->is_over = true;
    t->stays = can_stay(t->kind) && tcsi_rng_uniform(&m->rng) < 0.5;
    for (size_t i = 0; i < row_count; i++) x[i] = deviation > 0 ? (x[i] - mean) / deviation : 0;
    memcpy(was, x, row_count * sizeof *was);
    tcsi_extent event, wanted = { onset, t->stays ? row_count : onset + length };
    bool is_made = lay_down(m, was, wanted, &event);
    if (is_made) choose_rows(m, event, length);
    is_made = is_made && is_visible(m, was, t->rows);
    tcsi_free(was);
    return is_made;
}

bool kind_trial_make(uint64_t seed, size_t number, bool is_held_out, kind_trial *ret_trial)
{
    tcs_error err;
    *ret_trial = (kind_trial){ .frame = NULL };
    maker m = { .rng = tcsi_rng_make(seed, number), .is_held_out = is_held_out, .trial = ret_trial };
    make_world(&m, number);
    const bool is_made = make_episode(&m);
    tcsi_free(m.shared);
    tcsi_free(m.apart);
    tcsi_free(m.work);
    if (!is_made) {
        kind_trial_destroy(ret_trial);
        return false;
    }
    uint8_t *anomaly = TCSI_NEW_ZEROS(uint8_t, ret_trial->frame->row_count);
    const tcsi_policy_result decision = { .anomaly = anomaly };
    const tcsi_subject subject = { .frame = ret_trial->frame, .decision = &decision };
    check(anomaly ? tcsi_expected_period(&subject, ret_trial->rows, ret_trial->channel, &ret_trial->period, &err) : TCS_E_MEMORY, &err);
    tcsi_free(anomaly);
    return true;
}

void kind_trial_destroy(kind_trial *trial)
{
    tcsi_frame_destroy(trial->frame);
    trial->frame = NULL;
}
