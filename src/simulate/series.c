/* simulate/series.c -- scenarios: which family, how long, how many events of which kinds, and what the sensor does to all of it.
 *
 * A detector's fusion is learned on simulated series, so the mixture matters more than any single series: it should contain what
 * makes real sets hard.  Three scenarios do: many kinds of behaviour with obvious and subtle events mixed; services with few
 * long cycles and short events; long clean repetition with one event inside the usual range.  The fourth is wide on purpose: what is
 * learned must not know what series look like.  Events keep their distance from one another and from the training rows, which are always
 * clean.  Last come quantization, clipping and an exponential, as sensors,
 * limits and units have them; they act on normal and anomalous rows alike.
 *
 * Normal behaviour and events draw from two streams, so that is_calm gives the same series without its events.
 * SPDX-License-Identifier: Apache-2.0 */
#include "simulate/series.h"

#include "base/alloc.h"
#include "base/text.h"
#include "series/stats.h"
#include "series/time.h"
#include "simulate/shape.h"

#include <math.h>
#include <string.h>

enum { RARE_SHARE = 5 }; /* events cover one row in so many at most, labels included */
enum { ROWS_MIN = 200, ATTEMPTS_AN_EVENT = 6, PERIOD_MAX = 280 };

/* What the scenario decided. */
typedef struct plan {
    tcsi_scenario scenario;
    tcsi_family family;
    size_t row_count, train_row_count, period, event_count, attempt_count;
    tcsi_event_kind kind;           /* of all events, or ANY: each drawn from kinds */
    const tcsi_event_kind *kinds;   /* NULL: any of all */
    size_t kind_count;
    bool is_recurring;              /* one event, laid over the series again and again */
    size_t usual_count, usual_kind_count; /* incidents that are no events because they happen all the time; of so many kinds */
    double generosity;              /* labels reach beyond an event by up to this many of its lengths */
} plan;

typedef struct builder {
    const tcsi_series_options *options;
    plan plan;
    tcsi_rng normal, events, sensor;
    double *values;                 /* (row_count), in the frame */
    uint8_t *labels;
    double *work;
    tcsi_event *list;
    size_t list_count, labelled;
} builder;

static const char *const scenario_names[TCSI_SCENARIO_COUNT] = { "mixed", "service", "subtle", "wide" };

const char *tcsi_scenario_name(tcsi_scenario scenario)
{
    return (size_t)scenario < TCSI_SCENARIO_COUNT ? scenario_names[scenario] : "any";
}

bool tcsi_scenario_by_name(const char *name, tcsi_scenario *ret_scenario)
{
    for (size_t k = 0; k < TCSI_SCENARIO_COUNT; k++)
        if (tcsi_text_equal_nocase(name, scenario_names[k])) {
            *ret_scenario = (tcsi_scenario)k;
            return true;
        }
    return false;
}

static size_t log_uniform(tcsi_rng *rng, double low, double high)
{
    return (size_t)exp(tcsi_rng_range(rng, log(low), log(fmax(high, low))));
}

static size_t choose(tcsi_rng *rng, const size_t *items, size_t count)
{
    return items[tcsi_rng_below(rng, count)];
}

static void plan_mixed(const tcsi_series_options *o, tcsi_rng *rng, plan *p)
{
    static const size_t lengths[] = { 2000, 3000, 4000, 6000, 8000 };
    p->row_count = o->row_count ? o->row_count : choose(rng, lengths, TCS_COUNT(lengths));
    p->period = log_uniform(rng, 8, fmin(PERIOD_MAX, (double)p->row_count / 14));
    p->train_row_count = (size_t)((double)p->row_count * tcsi_rng_range(rng, 0.08, 0.4));
    p->event_count = tcsi_rng_uniform(rng) < 0.5 ? 1 : 2 + tcsi_rng_below(rng, 6);
    p->attempt_count = 3 * p->event_count;
    if (tcsi_rng_uniform(rng) < 0.5) p->kind = (tcsi_event_kind)tcsi_rng_below(rng, TCSI_EVENT_KIND_COUNT);
}

static void plan_service(const tcsi_series_options *o, tcsi_rng *rng, plan *p)
{
    static const size_t lengths[] = { 3000, 5000, 8000, 10000 };
    static const tcsi_event_kind kinds[] = { TCSI_EVENT_SPIKE, TCSI_EVENT_SPIKE, TCSI_EVENT_LEVEL, TCSI_EVENT_LEVEL, TCSI_EVENT_TREND,
                                             TCSI_EVENT_BURST, TCSI_EVENT_NOISE, TCSI_EVENT_STUCK, TCSI_EVENT_AMPLITUDE,
                                             TCSI_EVENT_MISSING, TCSI_EVENT_SWAP };
    p->row_count = o->row_count ? o->row_count : choose(rng, lengths, TCS_COUNT(lengths));
    p->period = 15 + tcsi_rng_below(rng, 65); /* of the events: the days are far longer */
    p->train_row_count = (size_t)((double)p->row_count * tcsi_rng_range(rng, 0.06, 0.3));
    p->event_count = 1 + tcsi_rng_below(rng, 11);
    p->attempt_count = 2 * p->event_count;
    p->family = TCSI_FAMILY_SERVICE;
    p->kinds = kinds;
    p->kind_count = TCS_COUNT(kinds);
    if (tcsi_rng_uniform(rng) < 0.5) p->kind = kinds[tcsi_rng_below(rng, TCS_COUNT(kinds))];
}

static void plan_subtle(const tcsi_series_options *o, tcsi_rng *rng, plan *p)
{
    static const tcsi_family families[] = { TCSI_FAMILY_SEASONAL, TCSI_FAMILY_BUMPS, TCSI_FAMILY_QUASI_PERIODIC, TCSI_FAMILY_CHAOS,
                                            TCSI_FAMILY_MOTIFS };
    static const tcsi_event_kind kinds[] = { TCSI_EVENT_FREQUENCY, TCSI_EVENT_SHAPE, TCSI_EVENT_REVERSE, TCSI_EVENT_AMPLITUDE,
                                             TCSI_EVENT_MISSING, TCSI_EVENT_WARP, TCSI_EVENT_SWAP, TCSI_EVENT_SMOOTH, TCSI_EVENT_CLIP,
                                             TCSI_EVENT_FLIP, TCSI_EVENT_NOISE, TCSI_EVENT_LEVEL, TCSI_EVENT_TREND, TCSI_EVENT_STUCK,
                                             TCSI_EVENT_FOREIGN };
    double longest = o->row_count ? fmin(PERIOD_MAX, (double)o->row_count / 14) : PERIOD_MAX;
    p->period = log_uniform(rng, fmin(25, longest), longest);
    double rows = fmin(14000, fmax(5000, (double)p->period * tcsi_rng_range(rng, 35, 70)));
    p->row_count = o->row_count ? o->row_count : (size_t)rows;
    p->train_row_count = (size_t)((double)p->row_count * tcsi_rng_range(rng, 0.2, 0.5));
    p->event_count = 1;
    p->attempt_count = 6;
    p->family = families[tcsi_rng_below(rng, TCS_COUNT(families))];
    p->kinds = kinds;
    p->kind_count = TCS_COUNT(kinds);
}

static void plan_wide(const tcsi_series_options *o, tcsi_rng *rng, plan *p)
{
    p->row_count = o->row_count ? o->row_count : log_uniform(rng, 1000, 20000);
    p->period = log_uniform(rng, 6, fmin(PERIOD_MAX, (double)p->row_count / 12));
    p->train_row_count = (size_t)((double)p->row_count * tcsi_rng_range(rng, 0.06, 0.5));
    p->event_count = tcsi_rng_uniform(rng) < 0.4 ? 1 : 2 + tcsi_rng_below(rng, 8);
    p->attempt_count = 4 * p->event_count;
    p->family = (tcsi_family)tcsi_rng_below(rng, TCSI_FAMILY_COUNT);
    if (tcsi_rng_uniform(rng) < 0.3) p->family = TCSI_FAMILY_MIXTURE;
    p->is_recurring = tcsi_rng_uniform(rng) < 0.2;
    if (tcsi_rng_uniform(rng) < 0.4) p->kind = (tcsi_event_kind)tcsi_rng_below(rng, TCSI_EVENT_KIND_COUNT);
    if (tcsi_rng_uniform(rng) < 0.3) p->generosity = tcsi_rng_uniform(rng);
    if (tcsi_rng_uniform(rng) < 0.7) p->usual_kind_count = 1 + tcsi_rng_below(rng, 3);
    p->usual_count = log_uniform(rng, 5, 60);
}

static void make_plan(const tcsi_series_options *o, tcsi_rng *rng, plan *p)
{
    double at = tcsi_rng_uniform(rng);
    *p = (plan){ .scenario = o->scenario, .family = TCSI_FAMILY_ANY, .kind = TCSI_EVENT_ANY };
    if (p->scenario == TCSI_SCENARIO_ANY)
        p->scenario = at < 0.5 ? TCSI_SCENARIO_MIXED : at < 0.8 ? TCSI_SCENARIO_SERVICE : TCSI_SCENARIO_SUBTLE;
    switch (p->scenario) {
    case TCSI_SCENARIO_SERVICE: plan_service(o, rng, p); break;
    case TCSI_SCENARIO_SUBTLE: plan_subtle(o, rng, p); break;
    case TCSI_SCENARIO_WIDE: plan_wide(o, rng, p); break;
    default: plan_mixed(o, rng, p); break;
    }
    if (o->family != TCSI_FAMILY_ANY) p->family = o->family;
    if (o->kind != TCSI_EVENT_ANY) p->kind = o->kind;
    if (o->event_count > 0) p->attempt_count = ATTEMPTS_AN_EVENT * (p->event_count = o->event_count);
}

static tcsi_event_kind draw_kind(builder *b)
{
    const plan *p = &b->plan;
    if (p->kind != TCSI_EVENT_ANY) return p->kind;
    if (!p->kinds) return (tcsi_event_kind)tcsi_rng_below(&b->events, TCSI_EVENT_KIND_COUNT);
    return p->kinds[tcsi_rng_below(&b->events, p->kind_count)];
}

static size_t draw_length(builder *b)
{
    const plan *p = &b->plan;
    tcsi_rng *rng = &b->events;
    double period = (double)p->period, length;
    if (p->scenario == TCSI_SCENARIO_WIDE) return log_uniform(rng, 3, (double)p->row_count / 7);
    if (p->scenario == TCSI_SCENARIO_SERVICE) length = (double)log_uniform(rng, 2, 60);
    else if (p->scenario == TCSI_SCENARIO_SUBTLE) length = period * exp(tcsi_rng_range(rng, log(0.4), log(3)));
    else if (tcsi_rng_uniform(rng) < 0.85) length = period * exp(tcsi_rng_range(rng, log(0.15), log(2.5)));
    else length = period * tcsi_rng_range(rng, 2, 5);
    size_t longest = p->row_count / 12;
    return length < 3 ? 3 : length > (double)longest ? longest : (size_t)length;
}

/* No label within margin of [begin, end)? */
static bool is_free(const builder *b, size_t begin, size_t end, size_t margin)
{
    size_t row = begin > margin ? begin - margin : 0, last = end + margin < b->plan.row_count ? end + margin : b->plan.row_count;
    while (row < last && !b->labels[row]) row++;
    return row >= last;
}

/* Lets the label begin earlier and end later than what is to be seen, as people label; never into the training rows. */
static void label_generously(builder *b, tcsi_event *event)
{
    const double reach = b->plan.generosity * (double)(event->end - event->onset);
    const size_t before = (size_t)(reach * tcsi_rng_uniform(&b->events)), after = (size_t)(reach * tcsi_rng_uniform(&b->events));
    for (size_t k = 0; k < before && event->onset > b->plan.train_row_count && !b->labels[event->onset - 1]; k++) event->onset--;
    for (size_t k = 0; k < after && event->end < b->plan.row_count && !b->labels[event->end]; k++) event->end++;
}

static void add_events(builder *b)
{
    const plan *p = &b->plan;
    size_t margin = p->scenario == TCSI_SCENARIO_SERVICE ? 50 : p->period / 2 + 1;
    tcsi_event_kind kind = draw_kind(b);
    size_t length = draw_length(b);
    const tcsi_rng first = b->events; /* the same draws make the same event */
    for (size_t attempt = 0; attempt < p->attempt_count && b->list_count < p->event_count; attempt++) {
        if (attempt > 0 && !p->is_recurring) {
            kind = draw_kind(b);
            length = draw_length(b);
        }
        const size_t room = p->row_count - 3 - length - p->train_row_count, onset = p->train_row_count + tcsi_rng_below(&b->events, room);
        tcsi_rng again = first;
        tcsi_event event;
        if (b->labelled + length > p->row_count / RARE_SHARE || !is_free(b, onset, onset + length, margin)) continue;
        if (!tcsi_inject(p->is_recurring ? &again : &b->events, kind, b->values, p->row_count, p->period, onset, length, b->work, &event))
            continue;
        if (p->generosity > 0) label_generously(b, &event);
        memset(b->labels + event.onset, 1, event.end - event.onset);
        b->labelled += event.end - event.onset;
        size_t at = b->list_count++;
        for (; at > 0 && b->list[at - 1].onset > event.onset; at--) b->list[at] = b->list[at - 1];
        b->list[at] = event;
    }
}

/* Incidents that happen all the time, in the training rows too, are part of what is normal: slow traffic at noon, a tap that somebody
 * opens, a restart.  One kind, of one length or so.  An event of the same kind is one by its size. */
static void add_usual_incidents(builder *b)
{
    const plan *p = &b->plan;
    const tcsi_event_kind kind = (tcsi_event_kind)tcsi_rng_below(&b->normal, TCSI_EVENT_KIND_COUNT);
    const size_t usual = log_uniform(&b->normal, 3, (double)p->row_count / (3 * (double)p->usual_count));
    for (size_t k = 0; k < p->usual_count; k++) {
        const size_t length = 3 + (size_t)((double)usual * tcsi_rng_range(&b->normal, 0.7, 1.4));
        const size_t onset = tcsi_rng_below(&b->normal, p->row_count - length - 3);
        tcsi_event incident;
        (void)tcsi_inject(&b->normal, kind, b->values, p->row_count, p->period, onset, length, b->work, &incident);
    }
}

/* The sensor, its limits and its unit.  Parameters come from the training rows, so that events do not change them. */
static void add_sensor(builder *b)
{
    size_t n = b->plan.row_count;
    double which = tcsi_rng_uniform(&b->sensor), how = tcsi_rng_uniform(&b->sensor), how_too = tcsi_rng_uniform(&b->sensor);
    bool subtle = b->plan.scenario != TCSI_SCENARIO_MIXED;
    if (which < (subtle ? 0.4 : 0.2)) {
        double spread = tcsi_deviation(b->values, b->plan.train_row_count);
        double step = spread * pow(10, subtle ? 1.5 * how - 2.3 : 1.5 * how - 2);
        for (size_t i = 0; step > 0 && i < n; i++) b->values[i] = floor(b->values[i] / step + 0.5) * step;
    } else if (!subtle && which < 0.3) {
        double low = tcsi_quantile(b->values, n, 0.01 * how, b->work), high = tcsi_quantile(b->values, n, 0.99 + 0.01 * how_too, b->work);
        for (size_t i = 0; i < n; i++) b->values[i] = fmin(fmax(b->values[i], low), high);
    } else if (!subtle && which < 0.4) {
        for (size_t i = 0; i < n; i++) b->values[i] = exp(0.5 * fmin(b->values[i], 40));
    }
}

static void build(builder *b)
{
    plan *p = &b->plan;
    p->family = tcsi_normal_simulate(&b->normal, p->family, p->period, b->values, p->row_count, b->work);
    if (p->scenario == TCSI_SCENARIO_SUBTLE && tcsi_rng_uniform(&b->normal) < 0.6)
        tcsi_shape_smooth(b->values, p->row_count, p->period / 30 > 2 ? p->period / 30 : 2, b->work);
    for (size_t k = 0; k < p->usual_kind_count; k++) add_usual_incidents(b);
    if (!b->options->is_calm) add_events(b);
    add_sensor(b);
}

static tcs_status check_options(const tcsi_series_options *o, tcs_error *err)
{
    if (o->row_count != 0 && (o->row_count < ROWS_MIN || o->row_count > 100000000))
        return tcsi_fail(err, TCS_E_INVALID, "%zu rows: a simulated series has %d to 100000000, or 0 for a drawn length",
                         o->row_count, ROWS_MIN);
    if (o->event_count > TCSI_SERIES_EVENT_COUNT_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "%zu events: expected at most %d", o->event_count, TCSI_SERIES_EVENT_COUNT_MAX);
    if ((size_t)o->scenario > TCSI_SCENARIO_ANY || (size_t)o->family > TCSI_FAMILY_ANY || (size_t)o->kind > TCSI_EVENT_ANY)
        return tcsi_fail(err, TCS_E_INVALID, "no such scenario, family or event kind");
    return TCS_OK;
}

static tcs_status make_frame(size_t row_count, tcsi_frame **ret_frame, tcs_error *err)
{
    tcsi_frame *frame;
    tcs_status status = tcsi_frame_create(1, row_count, true, true, &frame, err);
    if (status != TCS_OK) return status;
    status = tcsi_frame_channel_rename(frame, 0, "value", err);
    if (status != TCS_OK) {
        tcsi_frame_destroy(frame);
        return status;
    }
    frame->row_count = row_count;
    int64_t begin_ns = tcsi_days_from_civil(2026, 1, 5) * TCSI_NS_PER_DAY;
    for (size_t i = 0; i < row_count; i++) frame->times_ns[i] = begin_ns + (int64_t)i * TCSI_NS_PER_MINUTE;
    memset(frame->labels, 0, row_count);
    *ret_frame = frame;
    return TCS_OK;
}

tcs_status tcsi_series_simulate(const tcsi_series_options *options, tcsi_series_simulation *ret_simulation, tcs_error *err)
{
    tcs_status status = check_options(options, err);
    if (status != TCS_OK) return status;
    enum { STREAMS = 4 }; /* per series: the plan, normal behaviour, events, the sensor */
    builder b = { .options = options };
    tcsi_rng plan_rng = tcsi_rng_make(options->seed, STREAMS * options->stream);
    b.normal = tcsi_rng_make(options->seed, STREAMS * options->stream + 1);
    b.events = tcsi_rng_make(options->seed, STREAMS * options->stream + 2);
    b.sensor = tcsi_rng_make(options->seed, STREAMS * options->stream + 3);
    make_plan(options, &plan_rng, &b.plan);

    tcsi_frame *frame = NULL;
    size_t rows = b.plan.row_count, normal_work = tcsi_normal_work_count(rows), inject_work = tcsi_inject_work_count(rows);
    b.work = TCSI_NEW_ARRAY(double, normal_work > inject_work ? normal_work : inject_work);
    b.list = TCSI_NEW_ARRAY(tcsi_event, b.plan.event_count);
    status = b.work && b.list ? make_frame(rows, &frame, err) : tcsi_fail_memory(err, "a simulated series");
    if (status == TCS_OK) {
        b.values = frame->values;
        b.labels = frame->labels;
        build(&b);
        *ret_simulation = (tcsi_series_simulation){
            .frame = frame, .events = b.list, .event_count = b.list_count, .train_row_count = b.plan.train_row_count,
            .period = b.plan.period, .scenario = b.plan.scenario, .family = b.plan.family,
        };
    } else {
        tcsi_free(b.list);
    }
    tcsi_free(b.work);
    return status;
}

void tcsi_series_simulation_deinit(tcsi_series_simulation *simulation)
{
    tcsi_frame_destroy(simulation->frame);
    tcsi_free(simulation->events);
    *simulation = (tcsi_series_simulation){ 0 };
}
