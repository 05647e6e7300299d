/* bench/labels_bench.c -- what a few labels are worth: detectors that learn from them, and one that does not, on the same later rows.
 *
 * usage: labels_bench [--simulate COUNT] [--seed N] [--suite SUITE FOLDER] [--detector NAME[:PARAMETER=VALUE,...]]...
 * A series with 20 labelled events or more, and some after them, is cut behind the twentieth (of fewer than 25, behind four fifths).
 * The first part with its labels is what the labelled detectors are fitted on; all of them score the whole series, and VUS-PR is
 * computed over the later rows, with the suite's window.  `auto_classic` and `deep_svdd` see no label.  auto_classic runs as a user would
 * run it, without naming training rows.  Simulated series have 28 events of one kind each, every kind in turn.
 * Prints a row a series, means, and for each detector the mean difference from auto_classic with a paired bootstrap interval over series
 * (2.5 % to 97.5 % of 10,000 resamples).  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/measures.h"
#include "pipeline/detect.h"
#include "series/period.h"
#include "simulate/series.h"
#include "study/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN_EVENTS = 20, EVENTS_MIN = 15, ROWS = 12000, EVENTS = 28, DETECTORS_MAX = 8, SERIES_MAX = 512, RESAMPLES = 10000, SEED = 7,
       SPEC_SIZE = 128, PARAMETERS_MAX = 8 };

typedef struct table {
    const char *detectors[DETECTORS_MAX];
    size_t detector_count, series_count;
    double values[SERIES_MAX][DETECTORS_MAX];
} table;

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "labels_bench: %s\n", err->text);
    exit(1);
}

/* VUS-PR of the rows from `begin` on. */
static double measure(const tcsi_frame *frame, const tcsi_detection *detection, size_t begin, size_t window)
{
    tcs_error err = { 0 };
    tcsi_measures measures;
    tcsi_measures_options options = tcsi_measures_options_default();
    const size_t count = frame->row_count - begin;
    double *scores = TCSI_NEW_ARRAY(double, count);
    for (size_t t = 0; scores && t < count; t++) {
        const tcs_score *score = &detection->scores[begin + t];
        scores[t] = score->state == TCS_SCORE_READY ? score->value : NAN;
    }
    options.window = window;
    stop_on(scores ? tcsi_measures_compute(scores, frame->labels + begin, count, &options, &measures, &err) : TCS_E_MEMORY, &err);
    tcsi_free(scores);
    return measures.vus_pr;
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

static double run(const tcsi_frame *frame, const char *spec, size_t begin, size_t window)
{
    char detector[SPEC_SIZE];
    tcsi_parameter_value parameters[PARAMETERS_MAX];
    const size_t parameter_count = parse(spec, detector, parameters);
    tcs_error err = { 0 };
    tcsi_detection *detection = NULL;
    const bool is_auto = strncmp(detector, "auto", 4) == 0, is_blind = is_auto || strcmp(detector, "deep_svdd") == 0;
    tcsi_frame shown = *frame;
    if (is_blind) shown.labels = NULL;
    const tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = detector, .train_row_count = is_auto ? 0 : begin,
                                          .parameters = parameters, .parameter_count = parameter_count, .thread_count = 1 };
    stop_on(tcsi_detect(&shown, &options, &detection, &err), &err);
    const double value = measure(frame, detection, begin, window);
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

static void compare(table *t, const char *name, const tcsi_frame *frame, size_t window)
{
    size_t events, cut = choose_cut(frame->labels, frame->row_count, &events);
    if (cut == 0 || t->series_count == SERIES_MAX) return;
    printf("%-44.44s %6zu %4zu %6zu", name, frame->row_count, events, cut);
    for (size_t d = 0; d < t->detector_count; d++) {
        const double value = run(frame, t->detectors[d], cut, window);
        t->values[t->series_count][d] = value;
        printf(" %16.3f", value);
        fflush(stdout);
    }
    printf("\n");
    t->series_count++;
}

static void compare_simulated(table *t, size_t count, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        tcs_error err = { 0 };
        tcsi_series_simulation series = { 0 };
        char name[64];
        const tcsi_series_options options = { .seed = seed, .stream = i, .scenario = TCSI_SCENARIO_MIXED, .family = TCSI_FAMILY_ANY,
                                              .kind = (tcsi_event_kind)(i % TCSI_EVENT_KIND_COUNT), .row_count = ROWS,
                                              .event_count = EVENTS };
        stop_on(tcsi_series_simulate(&options, &series, &err), &err);
        snprintf(name, sizeof name, "simulated %zu, %s, %s", i, tcsi_event_kind_name(options.kind), tcsi_family_name(series.family));
        compare(t, name, series.frame, series.period);
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
    for (size_t i = 0; i < count; i++) {
        tcsi_suite_series series = { 0 };
        stop_on(suite->load(folder, files[i], &series, &err), &err);
        if (!series.is_tabular) compare(t, files[i], series.frame, series.window);
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

static void print_difference(const table *t, size_t d, size_t from)
{
    static double means[RESAMPLES];
    double sum = 0;
    size_t better = 0;
    tcsi_rng rng = tcsi_rng_make(SEED, 1);
    for (size_t i = 0; i < t->series_count; i++) {
        const double difference = t->values[i][d] - t->values[i][from];
        sum += difference;
        better += difference > 0;
    }
    for (size_t k = 0; k < RESAMPLES; k++) {
        means[k] = 0;
        for (size_t i = 0; i < t->series_count; i++) {
            const size_t at = tcsi_rng_below(&rng, t->series_count);
            means[k] += (t->values[at][d] - t->values[at][from]) / (double)t->series_count;
        }
    }
    qsort(means, RESAMPLES, sizeof *means, ascending);
    printf("%s - %s: %+.3f, interval %+.3f to %+.3f, better on %zu of %zu\n", t->detectors[d], t->detectors[from],
           sum / (double)t->series_count, means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40], better, t->series_count);
}

static void print_summary(const table *t)
{
    if (t->series_count == 0) return;
    printf("%-63s", "mean");
    for (size_t d = 0; d < t->detector_count; d++) {
        double sum = 0;
        for (size_t i = 0; i < t->series_count; i++) sum += t->values[i][d];
        printf(" %16.3f", sum / (double)t->series_count);
    }
    printf("\n");
    for (size_t d = 1; d < t->detector_count; d++) print_difference(t, d, 0);
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
    printf("VUS-PR of the rows after the cut\n%-44s %6s %4s %6s", "series", "rows", "evts", "cut");
    for (size_t d = 0; d < t.detector_count; d++) printf(" %16s", t.detectors[d]);
    printf("\n");
    for (int i = 1; i < argument_count; i++) {
        if (strcmp(arguments[i], "--simulate") == 0 && i + 1 < argument_count) compare_simulated(&t, strtoul(arguments[i + 1], NULL, 10), seed);
        if (strcmp(arguments[i], "--suite") == 0 && i + 2 < argument_count) compare_suite(&t, arguments[i + 1], arguments[i + 2]);
    }
    print_summary(&t);
    return 0;
}
