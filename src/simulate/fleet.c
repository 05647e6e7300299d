/* SPDX-License-Identifier: Apache-2.0 */
#include "simulate/fleet.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "simulate/inject.h"
#include "simulate/shape.h"

#include <math.h>
#include <string.h>

enum { TEMPLATE = 256, PERIOD_MIN = 24, PERIOD_MAX = 56, CHANNELS = TCSI_MACHINE_CHANNEL_COUNT_MAX,
       PROGRAMS = TCSI_MACHINE_PROGRAM_COUNT_MAX, ROWS_MIN = 200, ROWS_MAX = 10000000 };
enum { STREAM_KINDS = 1 << 20, STREAM_EVENTS = 1 << 21 }; /* of random numbers; below the first are the machines */
static const double own_share = 0.25, pace_jitter = 0.03, again = 0.7, blend = 0.15; /* of a cycle, when the program changes */
static const int64_t begin_ns = INT64_C(1767571200000000000), minute_ns = INT64_C(60000000000); /* 2026-01-05 */

typedef struct kind {
    double programs[PROGRAMS][CHANNELS][TEMPLATE];
    double period;
} kind;

typedef struct machine {
    const tcsi_machine_options *options;
    tcsi_rng rng;
    kind *kinds;     /* its own, the foreign one, and work space */
    double *phases;  /* (T) in cycles */
    uint8_t *running, *before; /* (T): programs: of this cycle, of the last one */
    double *values;  /* (C,T) */
    uint8_t *labels; /* (T) */
    double *work;
} machine;

/* ---- kinds ---- */

static void draw_programs(tcsi_rng *rng, const tcsi_machine_options *options, kind *ret_kind)
{
    double scratch[TEMPLATE];
    for (size_t p = 0; p < options->program_count; p++)
        for (size_t c = 0; c < options->channel_count; c++)
            tcsi_shape_template(rng, TCSI_SHAPE_ANY, ret_kind->programs[p][c], TEMPLATE, scratch);
}

static void draw_kind(const tcsi_machine_options *options, size_t number, kind *ret_kind)
{
    tcsi_rng rng = tcsi_rng_make(options->seed, STREAM_KINDS + number);
    ret_kind->period = tcsi_rng_range(&rng, PERIOD_MIN, PERIOD_MAX);
    draw_programs(&rng, options, ret_kind);
}

static double template_at(const double *template, double phase)
{
    const double at = (phase - floor(phase)) * TEMPLATE, whole = floor(at), share = at - whole;
    const size_t i = (size_t)whole % TEMPLATE;
    return template[i] + share * (template[(i + 1) % TEMPLATE] - template[i]);
}

/* ---- a machine ---- */

/* What channel c of a machine of a kind does in row t. */
static double value_at(const machine *m, const kind *k, size_t c, size_t t)
{
    const double phase = m->phases[t] - floor(m->phases[t]), value = template_at(k->programs[m->running[t]][c], phase);
    if (phase >= blend) return value;
    const double before = template_at(k->programs[m->before[t]][c], phase);
    return before + phase / blend * (value - before);
}

/* The kind's programs with something of its own, and its own pace. */
static void make_its_own(machine *m)
{
    const tcsi_machine_options *o = m->options;
    kind *mine = &m->kinds[0], *other = &m->kinds[2];
    draw_programs(&m->rng, o, other);
    for (size_t p = 0; p < o->program_count; p++)
        for (size_t c = 0; c < o->channel_count; c++) {
            for (size_t i = 0; i < TEMPLATE; i++) mine->programs[p][c][i] += own_share * other->programs[p][c][i];
            tcsi_shape_standardize(mine->programs[p][c], TEMPLATE);
        }
    mine->period *= tcsi_rng_range(&m->rng, 0.9, 1.1);
}

static void run(machine *m)
{
    const size_t count = m->options->row_count, programs = m->options->program_count;
    double phase = tcsi_rng_uniform(&m->rng), pace = 0;
    size_t running = tcsi_rng_below(&m->rng, programs), before = running;
    for (size_t t = 0; t < count; t++) {
        m->phases[t] = phase;
        m->running[t] = (uint8_t)running;
        m->before[t] = (uint8_t)before;
        pace += 0.1 * (pace_jitter * tcsi_rng_normal(&m->rng) - pace);
        const double next = phase + (1 + pace) / m->kinds[0].period;
        if (floor(next) > floor(phase)) {
            before = running;
            if (tcsi_rng_uniform(&m->rng) >= again) running = tcsi_rng_below(&m->rng, programs);
        }
        phase = next;
    }
    for (size_t c = 0; c < m->options->channel_count; c++)
        for (size_t t = 0; t < count; t++) m->values[c * count + t] = value_at(m, &m->kinds[0], c, t);
}

/* Gain, offset and noise, which also lies over events. */
static void finish(machine *m)
{
    const size_t count = m->options->row_count;
    for (size_t c = 0; c < m->options->channel_count; c++) {
        const double gain = exp(tcsi_rng_range(&m->rng, -3, 3)), offset = gain * tcsi_rng_range(&m->rng, -5, 5);
        const double noise = tcsi_rng_range(&m->rng, 0.05, 0.2);
        for (size_t t = 0; t < count; t++)
            m->values[c * count + t] = offset + gain * (m->values[c * count + t] + noise * tcsi_rng_normal(&m->rng));
    }
}

/* ---- events ---- */

/* Rows [onset, onset + length) as a machine of the other kind would run them, at this machine's phase. */
static void behave_foreign(machine *m, size_t onset, size_t length)
{
    const size_t count = m->options->row_count;
    for (size_t t = onset; t < onset + length; t++) {
        for (size_t c = 0; c < m->options->channel_count; c++) m->values[c * count + t] = value_at(m, &m->kinds[1], c, t);
        m->labels[t] = 1;
    }
}

static void inject(machine *m, tcsi_rng *rng, size_t onset, size_t length)
{
    const size_t count = m->options->row_count, channel = tcsi_rng_below(rng, m->options->channel_count);
    tcsi_event event;
    const tcsi_event_kind what = (tcsi_event_kind)tcsi_rng_below(rng, TCSI_EVENT_KIND_COUNT);
    if (!tcsi_inject(rng, what, m->values + channel * count, count, (size_t)m->kinds[0].period, onset, length, m->work, &event)) return;
    for (size_t t = event.onset; t < event.end; t++) m->labels[t] = 1;
}

/* One in each of as many equal stretches of the rows that are not calm; none where a stretch is too short. */
static void add_events(machine *m, size_t number)
{
    const tcsi_machine_options *o = m->options;
    const size_t stretch = o->event_count > 0 ? (o->row_count - o->calm_row_count) / o->event_count : 0;
    const size_t period = (size_t)m->kinds[0].period;
    tcsi_rng rng = tcsi_rng_make(o->seed, STREAM_EVENTS + number);
    for (size_t e = 0; e < o->event_count && stretch > 4 * period; e++) {
        const size_t length = period / 2 + tcsi_rng_below(&rng, 3 * period / 2);
        const size_t onset = o->calm_row_count + e * stretch + period + tcsi_rng_below(&rng, stretch - 3 * period);
        if (o->has_foreign_events) behave_foreign(m, onset, length);
        else inject(m, &rng, onset, length);
    }
}

/* ---- the frame ---- */

static tcs_status make_frame(const machine *m, tcsi_frame **ret_frame, tcs_error *err)
{
    const size_t count = m->options->row_count, channels = m->options->channel_count;
    double row[CHANNELS];
    tcsi_frame *frame = NULL;
    tcs_status status = tcsi_frame_create(channels, count, true, true, &frame, err);
    for (size_t t = 0; t < count && status == TCS_OK; t++) {
        for (size_t c = 0; c < channels; c++) row[c] = m->values[c * count + t];
        status = tcsi_frame_append(frame, row, begin_ns + (int64_t)t * minute_ns, m->labels[t], err);
    }
    if (status == TCS_OK) *ret_frame = frame;
    else tcsi_frame_destroy(frame);
    return status;
}

static tcs_status check(const tcsi_machine_options *o, tcs_error *err)
{
    const bool fine = o->kind_count >= 1 && o->kind_count <= TCSI_MACHINE_KIND_COUNT_MAX && o->program_count >= 1 &&
                      o->program_count <= PROGRAMS && o->channel_count >= 1 && o->channel_count <= CHANNELS && o->row_count >= ROWS_MIN &&
                      o->row_count <= ROWS_MAX && o->calm_row_count <= o->row_count && (!o->has_foreign_events || o->kind_count > 1);
    if (fine) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "a simulated fleet needs 1 to %d kinds (2 for foreign events), 1 to %d programs, 1 to %d "
                                         "channels, %d to %d rows; got %zu, %zu, %zu, %zu", TCSI_MACHINE_KIND_COUNT_MAX, PROGRAMS, CHANNELS,
                     ROWS_MIN, ROWS_MAX, o->kind_count, o->program_count, o->channel_count, o->row_count);
}

tcs_status tcsi_machine_simulate(const tcsi_machine_options *options, size_t number, tcsi_frame **ret_frame, size_t *ret_period,
                                 tcs_error *err)
{
    tcs_status status = check(options, err);
    if (status != TCS_OK) return status;
    const size_t count = options->row_count, mine = number % options->kind_count;
    machine m = { .options = options, .rng = tcsi_rng_make(options->seed, number), .kinds = TCSI_NEW_ZEROS(kind, 3),
                  .phases = TCSI_NEW_ARRAY(double, count), .values = TCSI_NEW_ARRAY(double, options->channel_count * count),
                  .labels = TCSI_NEW_ZEROS(uint8_t, count), .running = TCSI_NEW_ZEROS(uint8_t, count),
                  .before = TCSI_NEW_ZEROS(uint8_t, count), .work = TCSI_NEW_ARRAY(double, tcsi_inject_work_count(count)) };
    if (!m.kinds || !m.phases || !m.values || !m.labels || !m.running || !m.before || !m.work) status = tcsi_fail_memory(err, "a machine");
    if (status == TCS_OK) {
        draw_kind(options, mine, &m.kinds[0]);
        draw_kind(options, (mine + 1) % options->kind_count, &m.kinds[1]);
        make_its_own(&m);
        run(&m);
        add_events(&m, number);
        finish(&m);
        status = make_frame(&m, ret_frame, err);
        *ret_period = (size_t)m.kinds[0].period;
    }
    tcsi_free(m.kinds);
    tcsi_free(m.phases);
    tcsi_free(m.values);
    tcsi_free(m.labels);
    tcsi_free(m.running);
    tcsi_free(m.before);
    tcsi_free(m.work);
    return status;
}
