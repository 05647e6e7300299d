/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/watch.h"

#include "base/alloc.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MINUTES = 60, HOURS = 24, ROWS_MIN = 1000, ANSWERS_MIN = 10 };
static const int64_t MINUTE_NS = INT64_C(60000000000);
static const double LATENCY_S = 0.1, PRECISION = 0.3, P_LOW_MAX = 0.02, DRIFT_MAX = 0.25, MISSING_MAX = 0.05, UNCONFIRMED_MAX = 0.5;

#define RUNBOOK "docs/how-to/when-the-service-complains.md#"
const tcsi_watch_row tcsi_watch_rows[TCSI_WATCH_COUNT] = {
    [TCSI_WATCH_ALARMS] = { "alarms", "of the budget", "Anomalies told in the last day over what the budget leaves to chance.",
                            RUNBOOK "alarms", false },
    [TCSI_WATCH_PRECISION] = { "precision", "share", "Alarms of the last 30 days that people called true, of those that they answered.",
                               RUNBOOK "precision", true },
    [TCSI_WATCH_CALIBRATION] = { "calibration", "share", "Rows of the last hour with a p-value below 0.01; an honest one has 0.01.",
                                 RUNBOOK "calibration", false },
    [TCSI_WATCH_SCORE_DRIFT] = { "score_drift", "PSI", "How far the scores of the last hour are from those of all the time before.",
                                 RUNBOOK "score_drift", false },
    [TCSI_WATCH_INPUT_DRIFT] = { "input_drift", "PSI", "How far off the expected values lie, the last hour beside all the time before.",
                                 RUNBOOK "input_drift", false },
    [TCSI_WATCH_MISSING] = { "missing", "share", "Samples of the last hour that were refused.", RUNBOOK "missing", false },
    [TCSI_WATCH_LATENCY] = { "latency", "s", "The time from receipt to score that 99 of 100 rows of the last hour took at most.",
                             RUNBOOK "latency", false },
    [TCSI_WATCH_UNCONFIRMED] = { "unconfirmed", "share", "Rows of the last hour that the deep layer was asked about and did not get to.",
                                 RUNBOOK "unconfirmed", false },
};
const char *const tcsi_watch_state_names[TCSI_WATCH_STATE_COUNT] = { "unknown", "fine", "breached" };

/* Samples, the oldest first, of the same distance. */
typedef struct ring {
    tcsi_watch_sample samples[MINUTES];
    size_t count, max;
    int64_t step_ns;
} ring;

struct tcsi_watch {
    tcsi_watch_options options;
    ring minutes, hours;
    pthread_mutex_t mutex; /* of what follows */
    tcsi_watched watched[TCSI_WATCH_COUNT];
    size_t runs[TCSI_WATCH_COUNT]; /* samples on end that speak against the state */
};

tcs_status tcsi_watch_create(const tcsi_watch_options *options, tcsi_watch **ret_watch, tcs_error *err)
{
    tcsi_watch *watch = TCSI_NEW(tcsi_watch);
    if (!watch) return tcsi_fail_memory(err, "a watch");
    watch->options = *options;
    if (!(watch->options.latency_s > 0)) watch->options.latency_s = LATENCY_S;
    if (!(watch->options.precision > 0)) watch->options.precision = PRECISION;
    watch->minutes.max = MINUTES;
    watch->hours.max = HOURS;
    watch->hours.step_ns = MINUTES * MINUTE_NS;
    for (int i = 0; i < TCSI_WATCH_COUNT; i++)
        watch->watched[i] = (tcsi_watched){ .figure = (tcsi_watch_figure)i, .value = NAN, .low = NAN, .high = NAN, .bound = NAN };
    pthread_mutex_init(&watch->mutex, NULL);
    *ret_watch = watch;
    return TCS_OK;
}

void tcsi_watch_destroy(tcsi_watch *watch)
{
    if (!watch) return;
    pthread_mutex_destroy(&watch->mutex);
    tcsi_free(watch);
}

static void keep(ring *r, const tcsi_watch_sample *sample)
{
    if (r->count && sample->time_ns - r->samples[r->count - 1].time_ns < r->step_ns) return;
    if (r->count == r->max) memmove(r->samples, r->samples + 1, --r->count * sizeof *r->samples);
    r->samples[r->count++] = *sample;
}

/* ---- figures: from what was counted at two moments ---- */

static void set(tcsi_watched *w, double value, double bound)
{
    w->value = w->low = w->high = value;
    w->bound = bound;
}

/* By chance alone so many alarms come with one chance in a thousand. */
static void measure_alarms(const tcsi_watch *watch, const tcsi_watch_sample *now, tcsi_watched *w)
{
    const tcsi_watch_sample *old = &watch->hours.samples[0];
    const double allowed = now->alarms_per_s * (double)(now->time_ns - old->time_ns) * 1e-9;
    if (allowed < 0.1) return;
    set(w, (double)(now->alarms - old->alarms) / allowed, (allowed + 3 * sqrt(allowed) + 1) / allowed);
}

/* Wilson's interval of a share. */
static void measure_precision(const tcsi_watch *watch, const tcsi_watch_sample *now, tcsi_watched *w)
{
    const double n = (double)(now->answered_true + now->answered_false), z = 1.96;
    if (n < ANSWERS_MIN) return;
    const double p = (double)now->answered_true / n, middle = p + z * z / (2 * n);
    const double reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)), whole = 1 + z * z / n;
    set(w, p, watch->options.precision);
    w->low = (middle - reach) / whole;
    w->high = (middle + reach) / whole;
}

static void difference(const tcsi_pulse *now, const tcsi_pulse *old, tcsi_pulse *ret_pulse)
{
    ret_pulse->sample_count = now->sample_count - old->sample_count;
    ret_pulse->low_count = now->low_count - old->low_count;
    for (size_t i = 0; i < TCSI_PULSE_BINS; i++) {
        ret_pulse->heights[i] = now->heights[i] - old->heights[i];
        ret_pulse->distances[i] = now->distances[i] - old->distances[i];
    }
}

static void measure_pulse(const tcsi_watch_sample *old, const tcsi_watch_sample *now, tcsi_watched *watched)
{
    tcsi_pulse hour;
    difference(&now->live.pulse, &old->live.pulse, &hour);
    if (hour.sample_count < ROWS_MIN) return;
    set(&watched[TCSI_WATCH_CALIBRATION], (double)hour.low_count / (double)hour.sample_count, P_LOW_MAX);
    if (old->live.pulse.sample_count < ROWS_MIN) return;
    set(&watched[TCSI_WATCH_SCORE_DRIFT], tcsi_pulse_distance(hour.heights, old->live.pulse.heights), DRIFT_MAX);
    set(&watched[TCSI_WATCH_INPUT_DRIFT], tcsi_pulse_distance(hour.distances, old->live.pulse.distances), DRIFT_MAX);
}

static bool is_good(int outcome)
{
    return outcome == TCSI_OUTCOME_ACCEPTED || outcome == TCSI_OUTCOME_STALE || outcome == TCSI_OUTCOME_DUPLICATE;
}

static void measure_missing(const tcsi_watch_sample *old, const tcsi_watch_sample *now, tcsi_watched *w)
{
    double good = 0, bad = (double)(now->not_received - old->not_received);
    for (int i = 0; i < TCSI_OUTCOME_COUNT; i++)
        *(is_good(i) ? &good : &bad) += (double)(now->live.outcomes[i] - old->live.outcomes[i]);
    if (good + bad >= ROWS_MIN) set(w, bad / (good + bad), MISSING_MAX);
}

static void measure_latency(const tcsi_watch *watch, const tcsi_watch_sample *old, const tcsi_watch_sample *now, tcsi_watched *w)
{
    tcsi_live_stats hour = { 0 };
    uint64_t count = 0;
    for (size_t i = 0; i < TCSI_LIVE_LATENCY_COUNT; i++) count += hour.latencies[i] = now->live.latencies[i] - old->live.latencies[i];
    if (count >= ROWS_MIN) set(w, tcsi_live_latency(&hour, 0.99), watch->options.latency_s);
}

static void measure_unconfirmed(const tcsi_watch_sample *old, const tcsi_watch_sample *now, tcsi_watched *w)
{
    const uint64_t asked = now->deep_asked - old->deep_asked;
    if (asked >= 100) set(w, (double)(now->deep_unconfirmed - old->deep_unconfirmed) / (double)asked, UNCONFIRMED_MAX);
}

/* ---- states ---- */

static bool is_beyond(const tcsi_watched *w)
{
    return tcsi_watch_rows[w->figure].is_floor ? w->high < w->bound : w->value > w->bound;
}

/* true: to be told. */
static bool follow(tcsi_watched *kept, const tcsi_watched *measured, size_t *run, int64_t now_ns)
{
    const tcsi_watch_state before = kept->state;
    tcsi_watch_state state = before;
    kept->value = measured->value;
    kept->low = measured->low;
    kept->high = measured->high;
    kept->bound = measured->bound;
    const tcsi_watch_state said = isnan(measured->value) ? TCSI_WATCH_UNKNOWN
                                : is_beyond(measured)    ? TCSI_WATCH_BREACHED : TCSI_WATCH_FINE;
    *run = said == before ? 0 : *run + 1;
    if (before != TCSI_WATCH_BREACHED && said != TCSI_WATCH_BREACHED) state = said;
    else if (*run >= TCSI_WATCH_RUN) state = said;
    if (state == before) return false;
    *run = 0;
    kept->state = state;
    kept->since_ns = now_ns;
    return state == TCSI_WATCH_BREACHED || before == TCSI_WATCH_BREACHED;
}

static void write_sentence(const tcsi_watched *w, char ret_text[TCSI_WATCH_SENTENCE_SIZE])
{
    const tcsi_watch_row *row = &tcsi_watch_rows[w->figure];
    if (isnan(w->value)) snprintf(ret_text, TCSI_WATCH_SENTENCE_SIZE, "tocsin's %s: nothing to go by any more", row->name);
    else
        snprintf(ret_text, TCSI_WATCH_SENTENCE_SIZE, "tocsin's %s is %.3g %s, %s the bound of %.3g: %s See %s", row->name, w->value,
                 row->unit, is_beyond(w) ? "beyond" : "within", w->bound, row->help, row->runbook);
}

void tcsi_watch_take(tcsi_watch *watch, const tcsi_watch_sample *sample)
{
    tcsi_watched measured[TCSI_WATCH_COUNT], told[TCSI_WATCH_COUNT];
    size_t told_count = 0;
    for (int i = 0; i < TCSI_WATCH_COUNT; i++)
        measured[i] = (tcsi_watched){ .figure = (tcsi_watch_figure)i, .value = NAN, .low = NAN, .high = NAN, .bound = NAN };
    keep(&watch->minutes, sample);
    keep(&watch->hours, sample);
    const tcsi_watch_sample *old = &watch->minutes.samples[0];
    measure_alarms(watch, sample, &measured[TCSI_WATCH_ALARMS]);
    measure_precision(watch, sample, &measured[TCSI_WATCH_PRECISION]);
    measure_pulse(old, sample, measured);
    measure_missing(old, sample, &measured[TCSI_WATCH_MISSING]);
    measure_latency(watch, old, sample, &measured[TCSI_WATCH_LATENCY]);
    measure_unconfirmed(old, sample, &measured[TCSI_WATCH_UNCONFIRMED]);
    pthread_mutex_lock(&watch->mutex);
    for (int i = 0; i < TCSI_WATCH_COUNT; i++)
        if (follow(&watch->watched[i], &measured[i], &watch->runs[i], sample->time_ns)) told[told_count++] = watch->watched[i];
    pthread_mutex_unlock(&watch->mutex);
    for (size_t i = 0; watch->options.tell && i < told_count; i++) {
        char sentence[TCSI_WATCH_SENTENCE_SIZE];
        write_sentence(&told[i], sentence);
        watch->options.tell(watch->options.self, &told[i], sentence, sample->time_ns);
    }
}

tcsi_watched tcsi_watch_read(tcsi_watch *watch, tcsi_watch_figure figure)
{
    pthread_mutex_lock(&watch->mutex);
    const tcsi_watched watched = watch->watched[figure];
    pthread_mutex_unlock(&watch->mutex);
    return watched;
}
