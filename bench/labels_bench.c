/* bench/labels_bench.c -- what a few labels are worth: detectors that learn from them, and one that does not, on the same later rows.
 *
 * usage: labels_bench [--simulate COUNT] [--seed N] [--suite SUITE FOLDER] [--detector NAME[:PARAMETER=VALUE,...]]...
 *                     [--hide SHARE] [--invent SHARE] [--shift ROWS] [--whole] [--every N] [--drift DEVIATIONS] [--thin SHARE]
 * A series with 20 labelled events or more, and some after them, is cut behind the twentieth (of fewer than 25, behind four fifths).
 * The first part with its labels is what the labelled detectors are fitted on; all of them score the whole series, and VUS-PR is
 * computed over the later rows, with the suite's window.  `auto_classic` and `deep_svdd` see no label.  auto_classic runs as a user would
 * run it, without naming training rows.  Simulated series have 28 events of one kind each, every kind in turn.
 * Labels can be spoilt before they are learned from: --hide takes that share of the events away, --invent labels stretches of nothing, as
 * long as events are, so that they are that share of all labelled ones, --shift moves each event by up to so many rows either way.
 * For detectors without labels: --whole takes series as they are, trained on the rows that the suite names and measured on all, simulated
 * ones with as many events as come; --every takes every Nth only.  Simulated series can be made worse: --drift lets the level rise by so
 * many deviations from begin to end, and deviations grow by half of that; --thin takes that share of the rows away in every other stretch
 * of random length, times kept.
 * Prints a row a series (VUS-PR), means, and for each detector the mean difference from auto_classic with a paired bootstrap interval over
 * series (2.5 % to 97.5 % of 10,000 resamples).  Further measures of the later rows: of scores that are probabilities, in [0, 1], Brier
 * score, expected calibration error and mean probability per labelled row; and of alarms above the threshold that one normal row in a
 * hundred exceeds, the share of events found and the mean rows from an event's begin until then (metrics/operation.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/calibration.h"
#include "metrics/measures.h"
#include "metrics/operation.h"
#include "pipeline/detect.h"
#include "series/period.h"
#include "series/stats.h"
#include "simulate/series.h"
#include "study/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN_EVENTS = 20, EVENTS_MIN = 15, ROWS = 12000, EVENTS = 28, DETECTORS_MAX = 8, SERIES_MAX = 512, RESAMPLES = 10000, SEED = 7,
       SPEC_SIZE = 128, PARAMETERS_MAX = 8 };

enum { VUS_PR, BRIER, ECE, EXCESS, FOUND, DELAY, MEASURE_COUNT };
static const char *const measure_names[] = { "VUS-PR", "Brier", "ECE", "prob/label", "found", "delay" };
static const double normal_share = 0.01; /* of normal rows that alarm */

typedef struct figures {
    double values[MEASURE_COUNT]; /* NaN: not known */
} figures;

typedef struct table {
    const char *detectors[DETECTORS_MAX];
    size_t detector_count, series_count;
    figures values[SERIES_MAX][DETECTORS_MAX];
    double hide, invent; /* shares */
    size_t shift;        /* rows */
    bool is_whole;
    size_t every;
    double drift, thin;
} table;

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "labels_bench: %s\n", err->text);
    exit(1);
}

/* The threshold that so many normal rows exceed. */
static double alarm_threshold(const double *scores, const uint8_t *labels, size_t count, double *scratch)
{
    size_t normal = 0;
    for (size_t t = 0; t < count; t++)
        if (!labels[t] && !isnan(scores[t])) scratch[normal++] = scores[t];
    return normal == 0 ? INFINITY : tcsi_select(scratch, normal, normal - 1 - (size_t)(normal_share * (double)normal));
}

static void measure_alarms(const double *scores, const uint8_t *labels, size_t count, figures *ret)
{
    tcs_error err = { 0 };
    tcsi_span_list events = { 0 }, alarms = { 0 };
    tcsi_delay delay;
    uint8_t *flags = TCSI_NEW_ZEROS(uint8_t, count);
    double *scratch = TCSI_NEW_ARRAY(double, count);
    stop_on(flags && scratch ? TCS_OK : TCS_E_MEMORY, &err);
    const double threshold = alarm_threshold(scores, labels, count, scratch);
    for (size_t t = 0; t < count; t++) flags[t] = scores[t] > threshold;
    stop_on(tcsi_span_list_from_flags(labels, count, &events, &err), &err);
    stop_on(tcsi_span_list_from_flags(flags, count, &alarms, &err), &err);
    const tcsi_decision decision = { .row_count = count, .events = events.spans, .event_count = events.count, .alarms = alarms.spans,
                                     .alarm_count = alarms.count };
    const tcsi_overlap overlap = tcsi_overlap_compute(&decision);
    stop_on(tcsi_delay_compute(&decision, &(tcsi_time_axis){ 0 }, &delay, &err), &err);
    ret->values[FOUND] = tcsi_overlap_event_recall(&overlap);
    ret->values[DELAY] = delay.rows_mean;
    tcsi_span_list_deinit(&events);
    tcsi_span_list_deinit(&alarms);
    tcsi_free(flags);
    tcsi_free(scratch);
}

static void measure_probabilities(const double *scores, const uint8_t *labels, size_t count, figures *ret)
{
    tcs_error err = { 0 };
    tcsi_calibration calibration;
    double sum = 0, marked = 0;
    for (size_t t = 0; t < count; t++) {
        if (scores[t] < 0 || scores[t] > 1) return;
        sum += isnan(scores[t]) ? 0 : scores[t];
        marked += labels[t];
    }
    if (marked == 0) return;
    stop_on(tcsi_calibration_compute(scores, labels, count, &calibration, &err), &err);
    ret->values[BRIER] = calibration.brier;
    ret->values[ECE] = calibration.ece;
    ret->values[EXCESS] = sum / marked;
}

/* Of the rows from `begin` on. */
static figures measure(const tcsi_frame *frame, const tcsi_detection *detection, size_t begin, size_t window)
{
    tcs_error err = { 0 };
    tcsi_measures measures;
    tcsi_measures_options options = tcsi_measures_options_default();
    figures result = { { NAN, NAN, NAN, NAN, NAN, NAN } };
    const size_t count = frame->row_count - begin;
    double *scores = TCSI_NEW_ARRAY(double, count);
    for (size_t t = 0; scores && t < count; t++) {
        const tcs_score *score = &detection->scores[begin + t];
        scores[t] = score->state == TCS_SCORE_READY ? score->value : NAN;
    }
    options.window = window;
    stop_on(scores ? tcsi_measures_compute(scores, frame->labels + begin, count, &options, &measures, &err) : TCS_E_MEMORY, &err);
    result.values[VUS_PR] = measures.vus_pr;
    measure_alarms(scores, frame->labels + begin, count, &result);
    measure_probabilities(scores, frame->labels + begin, count, &result);
    tcsi_free(scores);
    return result;
}

/* ---- spoilt labels ---- */

static void mark(uint8_t *labels, size_t cut, size_t begin, size_t end)
{
    for (size_t t = begin; t < end && t < cut; t++) labels[t] = 1;
}

static bool is_free(const uint8_t *labels, size_t begin, size_t end)
{
    while (begin < end && !labels[begin]) begin++;
    return begin >= end;
}

/* A copy of the labels whose part before `cut` is spoilt, always alike. */
static uint8_t *spoil(const table *t, const uint8_t *labels, size_t count, size_t cut)
{
    tcs_error err = { 0 };
    tcsi_span_list events = { 0 };
    tcsi_rng rng = tcsi_rng_make(SEED, t->series_count);
    uint8_t *spoilt = TCSI_NEW_ARRAY(uint8_t, count);
    stop_on(spoilt ? tcsi_span_list_from_flags(labels, cut, &events, &err) : TCS_E_MEMORY, &err);
    memcpy(spoilt, labels, count);
    memset(spoilt, 0, cut);
    const size_t hidden = (size_t)(t->hide * (double)events.count + 0.5);
    for (size_t i = 0, left = hidden; i < events.count; i++) {
        if (tcsi_rng_below(&rng, events.count - i) < left) {
            left--;
            continue;
        }
        const size_t by = t->shift > 0 ? tcsi_rng_below(&rng, 2 * t->shift + 1) : 0, begin = events.spans[i].begin + by;
        const size_t end = events.spans[i].end + by;
        mark(spoilt, cut, begin < t->shift ? 0 : begin - t->shift, end < t->shift ? 0 : end - t->shift);
    }
    const size_t invented = t->invent > 0 ? (size_t)(t->invent / (1 - t->invent) * (double)(events.count - hidden) + 0.5) : 0;
    for (size_t i = 0, tries = 0; i < invented && tries < 1000; tries++) {
        const tcsi_span *model = &events.spans[tcsi_rng_below(&rng, events.count)];
        const size_t length = model->end - model->begin, begin = tcsi_rng_below(&rng, cut);
        if (begin + length > cut || !is_free(spoilt, begin, begin + length) || !is_free(labels, begin, begin + length)) continue;
        mark(spoilt, cut, begin, begin + length);
        i++;
    }
    tcsi_span_list_deinit(&events);
    return spoilt;
}

/* NAME[:PARAMETER=VALUE,...], cut apart in text (SPEC_SIZE). */
static size_t parse(const char *spec, char *text, tcsi_parameter_value *ret_values)
{
    size_t count = 0;
    snprintf(text, SPEC_SIZE, "%s", spec);
    char *at = strchr(text, ':');
    while (at && count < PARAMETERS_MAX) {
        *at++ = '\0';
        char *equals = strchr(at, '=');
        if (!equals) break;
        *equals = '\0';
        ret_values[count++] = (tcsi_parameter_value){ at, strtod(equals + 1, &at) };
        if (*at != ',') break;
    }
    return count;
}

static figures run(const tcsi_frame *frame, uint8_t *labels, const char *spec, size_t cut, size_t begin, size_t window)
{
    char detector[SPEC_SIZE];
    tcsi_parameter_value parameters[PARAMETERS_MAX];
    const size_t parameter_count = parse(spec, detector, parameters);
    tcs_error err = { 0 };
    tcsi_detection *detection = NULL;
    const bool is_auto = strncmp(detector, "auto", 4) == 0, is_blind = is_auto || strcmp(detector, "deep_svdd") == 0;
    tcsi_frame shown = *frame;
    shown.labels = is_blind ? NULL : labels;
    const tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = detector, .train_row_count = is_auto ? 0 : cut,
                                          .parameters = parameters, .parameter_count = parameter_count, .thread_count = 1 };
    stop_on(tcsi_detect(&shown, &options, &detection, &err), &err);
    const figures value = measure(frame, detection, begin, window);
    tcsi_detection_destroy(detection);
    return value;
}

/* The row in the middle between the last event that is learned from and the next one; 0: too few events. */
static size_t choose_cut(const uint8_t *labels, size_t count, size_t *ret_events)
{
    tcs_error err = { 0 };
    tcsi_span_list events = { 0 };
    stop_on(tcsi_span_list_from_flags(labels, count, &events, &err), &err);
    const size_t few = events.count * 4 / 5, learned = few < TRAIN_EVENTS ? few : TRAIN_EVENTS;
    const size_t cut = events.count < EVENTS_MIN ? 0 : (events.spans[learned - 1].end + events.spans[learned].begin + 1) / 2;
    *ret_events = events.count;
    tcsi_span_list_deinit(&events);
    return cut;
}

static void compare(table *t, const char *name, const tcsi_frame *frame, size_t train_row_count, size_t window)
{
    size_t events, cut = choose_cut(frame->labels, frame->row_count, &events);
    if (t->is_whole && events > 0) cut = train_row_count;
    if (cut == 0 || t->series_count == SERIES_MAX) return;
    printf("%-44.44s %6zu %4zu %6zu", name, frame->row_count, events, cut);
    uint8_t *labels = spoil(t, frame->labels, frame->row_count, cut);
    for (size_t d = 0; d < t->detector_count; d++) {
        const figures value = run(frame, labels, t->detectors[d], cut, t->is_whole ? 0 : cut, window);
        t->values[t->series_count][d] = value;
        printf(" %16.3f", value.values[VUS_PR]);
        fflush(stdout);
    }
    tcsi_free(labels);
    printf("\n");
    t->series_count++;
}

static void drift(tcsi_frame *frame, double deviations)
{
    double *values = tcsi_frame_column(frame, 0);
    const double deviation = tcsi_deviation(values, frame->row_count), rows = (double)frame->row_count;
    for (size_t i = 0; i < frame->row_count; i++)
        values[i] = values[i] * (1 + deviations / 2 * (double)i / rows) + deviations * deviation * (double)i / rows;
}

/* Rows that are left are moved up; returns how many were left of the first `train_row_count`. */
static size_t thin(tcsi_frame *frame, double share, size_t train_row_count, uint64_t seed)
{
    enum { STRETCH = 300 };
    tcsi_rng rng = tcsi_rng_make(seed, 2);
    double *values = tcsi_frame_column(frame, 0);
    size_t left = 0, train = 0, stretch_end = 0;
    bool is_thinned = true;
    for (size_t i = 0; i < frame->row_count; i++) {
        if (i == train_row_count) train = left;
        if (i == stretch_end) {
            is_thinned = !is_thinned;
            stretch_end += STRETCH + tcsi_rng_below(&rng, 2 * STRETCH);
        }
        if (is_thinned && tcsi_rng_uniform(&rng) < share) continue;
        values[left] = values[i];
        frame->labels[left] = frame->labels[i];
        frame->times_ns[left++] = frame->times_ns[i];
    }
    frame->row_count = left;
    return train;
}

static void compare_simulated(table *t, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        tcs_error err = { 0 };
        tcsi_series_simulation series = { 0 };
        char name[64];
        const tcsi_series_options options = { .seed = seed, .stream = i, .scenario = TCSI_SCENARIO_MIXED, .family = TCSI_FAMILY_ANY,
                                              .kind = (tcsi_event_kind)(i % TCSI_EVENT_KIND_COUNT), .row_count = ROWS,
                                              .event_count = t->is_whole ? 0 : EVENTS };
        stop_on(tcsi_series_simulate(&options, &series, &err), &err);
        size_t train = series.train_row_count;
        if (t->drift > 0) drift(series.frame, t->drift);
        if (t->thin > 0) train = thin(series.frame, t->thin, train, i);
        snprintf(name, sizeof name, "simulated %zu, %s, %s", i, tcsi_event_kind_name(options.kind), tcsi_family_name(series.family));
        compare(t, name, series.frame, train, series.period);
        tcsi_series_simulation_deinit(&series);
    }
}

static void compare_suite(table *t, const char *name, const char *folder)
{
    tcs_error err = { 0 };
    const tcsi_suite *suite = NULL;
    char **files = NULL;
    size_t count = 0;
    stop_on(tcsi_suite_find(name, &suite, &err), &err);
    stop_on(tcsi_suite_files(suite, folder, &files, &count, &err), &err);
    for (size_t i = 0; i < count; i += t->every) {
        tcsi_suite_series series = { 0 };
        stop_on(suite->load(folder, files[i], &series, &err), &err);
        if (!series.is_tabular) compare(t, files[i], series.frame, series.train_row_count, series.window);
        tcsi_suite_series_deinit(&series);
    }
    tcsi_suite_files_free(files, count);
}

/* ---- what comes out ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Differences where both are known, resampled. */
static void print_difference(const table *t, size_t d, size_t from, size_t measure)
{
    static double differences[SERIES_MAX], means[RESAMPLES];
    double sum = 0;
    size_t more = 0, count = 0;
    tcsi_rng rng = tcsi_rng_make(SEED, 1);
    for (size_t i = 0; i < t->series_count; i++) {
        const double difference = t->values[i][d].values[measure] - t->values[i][from].values[measure];
        if (isnan(difference)) continue;
        sum += difference;
        more += difference > 0;
        differences[count++] = difference;
    }
    if (count == 0) return;
    for (size_t k = 0; k < RESAMPLES; k++) {
        means[k] = 0;
        for (size_t i = 0; i < count; i++) means[k] += differences[tcsi_rng_below(&rng, count)] / (double)count;
    }
    qsort(means, RESAMPLES, sizeof *means, ascending);
    printf("%s: %s - %s: %+.4f, interval %+.4f to %+.4f, more on %zu of %zu\n", measure_names[measure], t->detectors[d],
           t->detectors[from], sum / (double)count, means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40], more, count);
}

static void print_means(const table *t, size_t measure)
{
    bool is_known = false;
    for (size_t i = 0; i < t->series_count * t->detector_count; i++)
        is_known |= !isnan(t->values[i / t->detector_count][i % t->detector_count].values[measure]);
    if (!is_known) return;
    printf("mean %-58s", measure_names[measure]);
    for (size_t d = 0; d < t->detector_count; d++) {
        double sum = 0, count = 0;
        for (size_t i = 0; i < t->series_count; i++) {
            const double value = t->values[i][d].values[measure];
            sum += isnan(value) ? 0 : value;
            count += !isnan(value);
        }
        printf(" %16.4f", sum / count);
    }
    printf("\n");
}

static void print_summary(const table *t)
{
    if (t->series_count == 0) return;
    for (size_t m = 0; m < MEASURE_COUNT; m++) print_means(t, m);
    for (size_t d = 1; d < t->detector_count; d++) print_difference(t, d, 0, VUS_PR);
    for (size_t d = 2; d < t->detector_count; d++)
        for (size_t m = 0; m < MEASURE_COUNT; m++) print_difference(t, d, 1, m);
}

int main(int argument_count, char **arguments)
{
    static table t = { .detectors = { "auto_classic" }, .detector_count = 1 };
    uint64_t seed = SEED;
    static const char *const usual[] = { "deep_svdd", "deep_sad", "devnet", "focal_classifier" };
    for (int i = 1; i + 1 < argument_count; i++)
        if (strcmp(arguments[i], "--detector") == 0 && t.detector_count < DETECTORS_MAX) t.detectors[t.detector_count++] = arguments[++i];
    if (t.detector_count == 1)
        for (size_t i = 0; i < TCS_COUNT(usual); i++) t.detectors[t.detector_count++] = usual[i];
    for (int i = 1; i + 1 < argument_count; i++)
        if (strcmp(arguments[i], "--seed") == 0) seed = strtoul(arguments[i + 1], NULL, 10);
    for (int i = 1; i < argument_count; i++) t.is_whole |= strcmp(arguments[i], "--whole") == 0;
    for (int i = 1; i + 1 < argument_count; i++) {
        if (strcmp(arguments[i], "--every") == 0) t.every = strtoul(arguments[i + 1], NULL, 10);
        if (strcmp(arguments[i], "--drift") == 0) t.drift = strtod(arguments[i + 1], NULL);
        if (strcmp(arguments[i], "--thin") == 0) t.thin = strtod(arguments[i + 1], NULL);
        if (strcmp(arguments[i], "--hide") == 0) t.hide = fmin(0.9, strtod(arguments[i + 1], NULL));
        if (strcmp(arguments[i], "--invent") == 0) t.invent = fmin(0.9, strtod(arguments[i + 1], NULL));
        if (strcmp(arguments[i], "--shift") == 0) t.shift = strtoul(arguments[i + 1], NULL, 10);
    }
    if (t.every == 0) t.every = 1;
    printf("VUS-PR of the rows after the cut\n%-44s %6s %4s %6s", "series", "rows", "evts", "cut");
    for (size_t d = 0; d < t.detector_count; d++) printf(" %16s", t.detectors[d]);
    printf("\n");
    for (int i = 1; i < argument_count; i++) {
        if (strcmp(arguments[i], "--simulate") == 0 && i + 1 < argument_count)
            compare_simulated(&t, strtoul(arguments[i + 1], NULL, 10), seed);
        if (strcmp(arguments[i], "--suite") == 0 && i + 2 < argument_count) compare_suite(&t, arguments[i + 1], arguments[i + 2]);
    }
    print_summary(&t);
    return 0;
}
