/* simulate/pump.c -- a plant whose channels are bound by physics, so that an event is a break of a relation and not only of a range.
 *
 * State: tank level, drive speed u in 0.15..1, its integral, bearing temperature, two slow noises.  Each step of at most a minute:
 *     demand      day profile (morning and evening peak) x weekend x slow noise
 *     speed       proportional-integral control of the level
 *     flow_in     Q_max u (1 - blocked) (1 - 0.12 cavitating)
 *     level'      (flow_in - leak - flow_out) / area                     mass balance: what a leak breaks
 *     pressure    head of the pump u^2 - losses flow^2 + head of the tank; a leak lowers it, a blocked valve raises it
 *     current     idle + load u flow
 *     temperature first order (one hour) towards ambient + load + wear
 *     vibration   idle + u^2 + wear + cavitation, multiplicative noise
 * Then measurement: noise, quantization to the sensor's step, a stuck reading, missing values.
 *
 * Every source of randomness has its own stream of the counter-based generator (base/rng.h): a seed with events and the same
 * seed without them differ only where an event acts, which makes the one a counterfactual of the other.
 * Wear grows quadratically from nothing: at its onset it is invisible by construction, like the real thing.
 * Cost: about 0.3 us a row at one minute.  SPDX-License-Identifier: Apache-2.0 */
#include "simulate/pump.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/calendar.h"
#include "series/time.h"

#include <math.h>
#include <string.h>

enum { FLOW_IN, FLOW_OUT, TANK_LEVEL, PRESSURE, MOTOR_CURRENT, BEARING_TEMPERATURE, VIBRATION };
enum { STREAM_DEMAND = 1, STREAM_SENSORS, STREAM_SCHEDULE, STREAM_MISSING, STREAM_CAVITATION, STREAM_AMBIENT };
enum { ROWS_FOR_EVENTS = 600, GAP_ROWS = 25, MISSING_RUN = 12 };

typedef enum event_kind {
#define X(kind, name, seconds, a, b, c, d) EVENT_##kind,
    TCSI_PUMP_EVENT_LIST(X)
#undef X
    EVENT_COUNT
} event_kind;

static const struct {
    const char *name;
    double seconds;
    uint64_t channels;
} event_kinds[EVENT_COUNT] = {
#define X(kind, name, seconds, a, b, c, d) { name, seconds, 1u << (a) | 1u << (b) | 1u << (c) | 1u << (d) },
    TCSI_PUMP_EVENT_LIST(X)
#undef X
};

static const struct {
    const char *name, *unit;
    double noise, step; /* of the sensor */
} sensors[TCSI_PUMP_CHANNEL_COUNT] = {
    { "flow_in", "m3/h", 0.35, 0.1 },        { "flow_out", "m3/h", 0.35, 0.1 },
    { "tank_level", "m", 0.004, 0.001 },     { "pressure", "bar", 0.012, 0.01 },
    { "motor_current", "A", 0.12, 0.1 },     { "bearing_temperature", "C", 0.08, 0.1 },
    { "vibration", "mm/s", 0.03, 0.01 },
};

static const double flow_max = 120, area = 180, level_target = 3.0; /* m3/h, m2, m */

typedef struct event {
    event_kind kind;
    size_t onset, end; /* rows of the plant's clock */
} event;

typedef struct plant {
    double level, speed, integral, temperature, demand_noise, ambient_noise;
    double flow_in, flow_out, cavitation; /* of the last step */
} plant;

/* What events do to the plant during one step, 0 = nothing. */
typedef struct disturbance {
    double cavitation, leak, wear, blocked, demand;
} disturbance;

typedef struct simulation {
    tcsi_pump_options options;
    plant plant;
    event events[EVENT_COUNT];
    size_t event_count;
    tcsi_rng demand, sensors, missing, cavitation, ambient;
    double stuck_value;
    size_t gap_begin, gap_end, run_begin, run_channel; /* rows of the plant's clock */
} simulation;

tcsi_pump_options tcsi_pump_options_default(void)
{
    return (tcsi_pump_options){
        .row_count = 20160, .cadence_ns = TCSI_NS_PER_MINUTE, .begin_ns = tcsi_days_from_civil(2026, 1, 5) * TCSI_NS_PER_DAY,
        .seed = 1, .has_events = true, .has_missing = true,
    };
}

static tcs_status check_options(const tcsi_pump_options *o, tcs_error *err)
{
    if (o->row_count < 1 || o->row_count > 100000000)
        return tcsi_fail(err, TCS_E_INVALID, "%zu rows: a simulation has 1 to 100000000", o->row_count);
    if (o->cadence_ns < TCSI_NS_PER_S || o->cadence_ns > 60 * TCSI_NS_PER_MINUTE)
        return tcsi_fail(err, TCS_E_INVALID, "a cadence of %lld ns: the plant runs at 1 s to 1 h", (long long)o->cadence_ns);
    int64_t room = o->begin_ns > 0 ? INT64_MAX - o->begin_ns : INT64_MAX;
    if ((uint64_t)o->row_count > (uint64_t)room / (uint64_t)o->cadence_ns)
        return tcsi_fail(err, TCS_E_INVALID, "the simulation would end after 2262-04-11");
    return TCS_OK;
}

/* One event of each kind in random order, each somewhere in its own slot of the last 70 % of the rows. */
static void schedule(simulation *s)
{
    tcsi_rng rng = tcsi_rng_make(s->options.seed, STREAM_SCHEDULE);
    size_t rows = s->options.row_count, order[EVENT_COUNT];
    double cadence_s = (double)s->options.cadence_ns / (double)TCSI_NS_PER_S;
    for (size_t k = 0; k < EVENT_COUNT; k++) order[k] = k;
    tcsi_rng_shuffle(&rng, order, EVENT_COUNT);
    s->gap_begin = rows / 5;
    s->gap_end = s->gap_begin + (rows > 40 * GAP_ROWS ? GAP_ROWS : 0);
    s->run_begin = rows / 8;
    s->run_channel = tcsi_rng_below(&rng, TCSI_PUMP_CHANNEL_COUNT);
    if (!s->options.has_events || rows < ROWS_FOR_EVENTS) return;
    size_t free_rows = rows * 3 / 10, slot = (rows - free_rows) / EVENT_COUNT;
    for (size_t k = 0; k < EVENT_COUNT; k++) {
        event_kind kind = (event_kind)order[k];
        double wanted = event_kinds[kind].seconds / cadence_s * tcsi_rng_range(&rng, 0.7, 1.4);
        double longest = (kind == EVENT_BEARING_WEAR ? 0.75 : 0.5) * (double)slot;
        size_t length = (size_t)fmax(8, fmin(wanted, longest)); /* a slot has at least 70 rows */
        size_t onset = free_rows + k * slot + tcsi_rng_below(&rng, slot - length - slot / 8) + slot / 16;
        s->events[k] = (event){ kind, onset, onset + length };
    }
    s->event_count = EVENT_COUNT;
}

/* Rises over an eighth of the event at both ends: valves and leaks do not switch. */
static double ramp(const event *e, size_t row)
{
    double length = (double)(e->end - e->onset), since = (double)(row - e->onset) + 1, left = (double)(e->end - row);
    return fmin(1, fmin(since, left) / fmax(length / 8, 1));
}

static const event *event_at(const simulation *s, size_t row)
{
    for (size_t k = 0; k < s->event_count; k++)
        if (row >= s->events[k].onset && row < s->events[k].end) return &s->events[k];
    return NULL;
}

static disturbance disturbance_at(const event *e, size_t row)
{
    disturbance d = { 0 };
    if (!e) return d;
    double share = (double)(row - e->onset + 1) / (double)(e->end - e->onset);
    switch (e->kind) {
    case EVENT_CAVITATION: d.cavitation = ramp(e, row); break;
    case EVENT_LEAK: d.leak = 9 * ramp(e, row); break;           /* m3/h */
    case EVENT_BEARING_WEAR: d.wear = share * share; break;
    case EVENT_BLOCKED_VALVE: d.blocked = 0.45 * ramp(e, row); break;
    case EVENT_DEMAND_SPIKE: d.demand = 45 * ramp(e, row); break; /* a hydrant */
    default: break;
    }
    return d;
}

/* A bump of the day, width in hours, on a circle of 24. */
static double bump(double hour, double center, double width)
{
    double distance = fabs(hour - center);
    distance = fmin(distance, 24 - distance) / width;
    return exp(-0.5 * distance * distance);
}

static double demand_profile(int64_t time_ns)
{
    tcsi_calendar utc = tcsi_calendar_fixed(0);
    tcsi_calendar_place place = tcsi_calendar_place_of(&utc, time_ns);
    double hour = (double)place.second_of_day / 3600;
    double late = place.weekend ? 1.5 : 0; /* people get up later */
    return 32 + (place.weekend ? 22 : 26) * bump(hour, 7.5 + late, 1.8) + 20 * bump(hour, 19, 2.5) + 9 * bump(hour, 13, 3);
}

/* One step of at most a minute.  dt in seconds. */
static void step(simulation *s, int64_t time_ns, double dt, const disturbance *d)
{
    plant *p = &s->plant;
    double keep = exp(-dt / 1800), kick = sqrt(1 - keep * keep);
    p->demand_noise = keep * p->demand_noise + kick * tcsi_rng_normal(&s->demand);
    p->ambient_noise = exp(-dt / 20000) * p->ambient_noise + sqrt(dt / 10000) * 0.6 * tcsi_rng_normal(&s->ambient);
    p->cavitation = d->cavitation > 0 ? d->cavitation * (0.6 + 0.4 * tcsi_rng_normal(&s->cavitation)) : 0;
    p->flow_out = demand_profile(time_ns) * (1 + 0.03 * p->demand_noise) + d->demand;

    double error = level_target - p->level;
    p->integral = fmin(fmax(p->integral + error * dt / 36000, -1), 1);
    double wanted = fmin(fmax(0.4 + 0.9 * error + 2.0 * p->integral, 0.15), 1);
    p->speed += (wanted - p->speed) * fmin(1, dt / 120);
    p->flow_in = flow_max * p->speed * (1 - d->blocked) * (1 - 0.12 * fmax(p->cavitation, 0));
    p->level += (p->flow_in - d->leak - p->flow_out) / area * dt / 3600;
    p->level = fmin(fmax(p->level, 0), 6);

    double day = (double)(time_ns % TCSI_NS_PER_DAY) / (double)TCSI_NS_PER_DAY;
    double ambient = 16 - 4 * cos(2 * 3.14159265358979323846 * (day - 0.12)) + p->ambient_noise;
    double target = ambient + 24 * p->speed * p->speed + 6 + 16 * d->wear;
    p->temperature += (target - p->temperature) * (1 - exp(-dt / 3600));
}

static void measure(simulation *s, const disturbance *d, double *ret_row)
{
    const plant *p = &s->plant;
    double flow = p->flow_in / flow_max, u = p->speed;
    double noise[TCSI_PUMP_CHANNEL_COUNT];
    for (size_t c = 0; c < TCSI_PUMP_CHANNEL_COUNT; c++) noise[c] = tcsi_rng_normal(&s->sensors);
    ret_row[FLOW_IN] = p->flow_in;
    ret_row[FLOW_OUT] = p->flow_out;
    ret_row[TANK_LEVEL] = p->level;
    ret_row[PRESSURE] = 1.2 + 3.2 * u * u - 1.1 * flow * flow + 0.098 * p->level - 0.018 * d->leak - 0.35 * p->cavitation;
    ret_row[MOTOR_CURRENT] = 9 + 34 * u * (0.35 + 0.65 * flow) - 2.2 * p->cavitation + 1.5 * d->wear * u;
    ret_row[BEARING_TEMPERATURE] = p->temperature;
    double shake = 0.9 + 1.6 * u * u + 2.6 * fabs(p->cavitation) + 1.7 * d->wear;
    ret_row[VIBRATION] = shake * (1 + 0.04 * noise[VIBRATION]);
    for (size_t c = 0; c < TCSI_PUMP_CHANNEL_COUNT; c++) {
        double value = fmax(ret_row[c] + sensors[c].noise * noise[c], 0);
        ret_row[c] = floor(value / sensors[c].step + 0.5) * sensors[c].step;
    }
}

/* The stuck reading and what never arrived. */
static void spoil(simulation *s, const event *e, size_t row, double *values)
{
    if (e && e->kind == EVENT_STUCK_SENSOR) {
        if (row == e->onset) s->stuck_value = values[PRESSURE];
        values[PRESSURE] = s->stuck_value;
    }
    if (!s->options.has_missing) return;
    for (size_t c = 0; c < TCSI_PUMP_CHANNEL_COUNT; c++)
        if (tcsi_rng_uniform(&s->missing) < 0.001) values[c] = NAN;
    if (row >= s->run_begin && row < s->run_begin + MISSING_RUN) values[s->run_channel] = NAN;
}

/* Runs the plant for two days before the first row, so that it begins in its daily cycle. */
static void settle(simulation *s)
{
    const disturbance none = { 0 };
    s->plant = (plant){ .level = level_target, .speed = 0.4, .temperature = 28 };
    for (int minute = 2880; minute > 0; minute--) {
        int64_t back = minute * TCSI_NS_PER_MINUTE;
        step(s, s->options.begin_ns < INT64_MIN + back ? s->options.begin_ns : s->options.begin_ns - back, 60, &none);
    }
}

static tcs_status name_channels(tcsi_frame *frame, tcs_error *err)
{
    for (size_t c = 0; c < TCSI_PUMP_CHANNEL_COUNT; c++) {
        tcs_status status = tcsi_frame_channel_rename(frame, c, sensors[c].name, err);
        if (status != TCS_OK) return status;
        frame->channels[c].unit = tcsi_strdup(sensors[c].unit);
        if (!frame->channels[c].unit) return tcsi_fail_memory(err, "a unit");
    }
    frame->time_name = tcsi_strdup("time");
    frame->label_name = tcsi_strdup("label");
    return frame->time_name && frame->label_name ? TCS_OK : tcsi_fail_memory(err, "a name");
}

static tcs_status run(simulation *s, tcsi_frame *frame, tcsi_event *events, tcs_error *err)
{
    double cadence_s = (double)s->options.cadence_ns / (double)TCSI_NS_PER_S, row_values[TCSI_PUMP_CHANNEL_COUNT];
    int substeps = (int)ceil(cadence_s / 60);
    for (size_t row = 0; row < s->options.row_count; row++) {
        int64_t time_ns = s->options.begin_ns + (int64_t)row * s->options.cadence_ns;
        const event *e = event_at(s, row);
        disturbance d = disturbance_at(e, row);
        for (int i = 0; i < substeps; i++) step(s, time_ns, cadence_s / substeps, &d);
        measure(s, &d, row_values);
        spoil(s, e, row, row_values);
        if (s->options.has_missing && row >= s->gap_begin && row < s->gap_end) continue;
        if (e && row == e->onset) events[e - s->events].onset = frame->row_count;
        if (e && row + 1 == e->end) events[e - s->events].end = frame->row_count + 1;
        tcs_status status = tcsi_frame_append(frame, row_values, time_ns, e != NULL, err);
        if (status != TCS_OK) return status;
    }
    return TCS_OK;
}

tcs_status tcsi_pump_simulate(const tcsi_pump_options *options, tcsi_frame **ret_frame, tcsi_event **ret_events, size_t *ret_event_count,
                              tcs_error *err)
{
    tcs_status status = check_options(options, err);
    if (status != TCS_OK) return status;
    simulation s = { .options = *options };
    s.demand = tcsi_rng_make(options->seed, STREAM_DEMAND);
    s.sensors = tcsi_rng_make(options->seed, STREAM_SENSORS);
    s.missing = tcsi_rng_make(options->seed, STREAM_MISSING);
    s.cavitation = tcsi_rng_make(options->seed, STREAM_CAVITATION);
    s.ambient = tcsi_rng_make(options->seed, STREAM_AMBIENT);
    schedule(&s);
    settle(&s);

    tcsi_frame *frame = NULL;
    tcsi_event *events = TCSI_NEW_ZEROS(tcsi_event, EVENT_COUNT);
    status = events ? tcsi_frame_create(TCSI_PUMP_CHANNEL_COUNT, options->row_count, true, true, &frame, err)
                    : tcsi_fail_memory(err, "a simulation");
    if (status == TCS_OK) status = name_channels(frame, err);
    for (size_t k = 0; status == TCS_OK && k < s.event_count; k++)
        events[k] = (tcsi_event){ .name = event_kinds[s.events[k].kind].name, .channels = event_kinds[s.events[k].kind].channels };
    if (status == TCS_OK) status = run(&s, frame, events, err);
    if (status != TCS_OK) {
        tcsi_frame_destroy(frame);
        tcsi_free(events);
        return status;
    }
    *ret_frame = frame;
    *ret_events = events;
    *ret_event_count = s.event_count;
    return TCS_OK;
}
