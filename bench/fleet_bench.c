/* bench/fleet_bench.c -- what a fleet is worth to a series with little history: a model of many series, adapted, beside one of its own.
 *
 * usage: fleet_bench [--detector NAME[:PARAMETER=VALUE,...]]... [--history ROWS] [--fleet COUNT] [--seed N]
 *                    [--simulate FLEETS] [--kinds K] [--programs P] [--channels C] [--facts] | [--suite SUITE FOLDER TEXT]
 * --simulate: fleets of machines (simulate/fleet.h), each of COUNT series of 2,000 rows and four new ones of 3,000.
 * With --facts the events are the behaviour of another kind, and the fleet is learned once without and once with the kind of each machine,
 * one column a kind.
 * --suite: every file of the suite whose name holds TEXT is the new series in turn, and all the others are its fleet.
 * Of a new series the first ROWS (200) rows are known.  Compared over the rows after them, without labels anywhere:
 *     alone     the detector fitted on those rows
 *     fleet     the detector that learned from the fleet, calibrated on those rows and not trained further (adaptation=0)
 *     adapted   the same with its head trained further
 *     (facts)   both again with facts
 * by VUS-PR, and for forecasters the mean absolute error of the medians 1, 4 and 16 rows ahead on unlabelled rows, in deviations of the
 * channel.  Prints a row a series, means, processor seconds of a fit, and differences with paired bootstrap intervals over series (2.5 % to
 * 97.5 % of 10,000 resamples).  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "detect/registry.h"
#include "metrics/measures.h"
#include "series/stats.h"
#include "simulate/fleet.h"
#include "study/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DETECTORS_MAX = 8, FLEET_MAX = 512, SERIES_MAX = 512, RESAMPLES = 10000, SPEC_SIZE = 128, PARAMETERS_MAX = 12, NEW_SERIES = 4,
       FLEET_ROWS = 2000, NEW_ROWS = 3000, EVENTS = 6, FLEET_EVENTS = 2, HORIZONS = 3, HORIZON_MAX = 16 };

typedef enum variant { ALONE, FLEET, ADAPTED, FACTS_FLEET, FACTS_ADAPTED, VARIANT_COUNT } variant;
static const char *const variant_names[VARIANT_COUNT] = { "alone", "fleet", "adapted", "facts, fleet", "facts, adapted" };

typedef struct outcome {
    double vus_pr, error, seconds;
} outcome;

typedef struct bench {
    const char *detectors[DETECTORS_MAX];
    size_t detector_count, series_count, history, fleet_size, kinds, programs, channels;
    uint64_t seed;
    bool has_facts;
    double fleet_seconds[DETECTORS_MAX];
    size_t fleet_count;
    outcome outcomes[SERIES_MAX][DETECTORS_MAX][VARIANT_COUNT];
} bench;

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "fleet_bench: %s\n", err->text);
    exit(1);
}

static double seconds_now(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* ---- detectors ---- */

/* NAME[:PARAMETER=VALUE,...], cut apart in text (SPEC_SIZE). */
static size_t parse(const char *spec, char *text, tcsi_parameter_value *ret_values)
{
    size_t count = 0;
    snprintf(text, SPEC_SIZE, "%s", spec);
    char *at = strchr(text, ':');
    while (at && count + 2 < PARAMETERS_MAX) {
        *at++ = '\0';
        char *equals = strchr(at, '=');
        if (!equals) break;
        *equals = '\0';
        ret_values[count++] = (tcsi_parameter_value){ at, strtod(equals + 1, &at) };
        if (*at != ',') break;
    }
    return count;
}

static tcsi_detector *create(const char *spec, size_t channel_count, uint64_t seed, bool adapts, size_t fact_count)
{
    char name[SPEC_SIZE];
    tcs_error err = { 0 };
    const tcsi_detector_info *info;
    tcsi_detector *detector;
    tcsi_parameter_value parameters[PARAMETERS_MAX];
    size_t count = parse(spec, name, parameters);
    if (!adapts) parameters[count++] = (tcsi_parameter_value){ "adaptation", 0 };
    parameters[count++] = (tcsi_parameter_value){ "facts", (double)fact_count };
    stop_on(tcsi_registry_get(name, &info, &err), &err);
    const tcsi_detector_setup setup = { .channel_count = channel_count, .seed = seed, .parameters = parameters, .parameter_count = count };
    stop_on(tcsi_detector_create(info, &setup, &detector, &err), &err);
    return detector;
}

/* Learns from the fleet; what is saved is a fleet file. */
static void learn_fleet(const bench *b, const char *spec, const tcsi_fleet *fleet, bool adapts, tcsi_buffer *ret_file, double *ret_seconds)
{
    tcs_error err = { 0 };
    tcsi_detector *detector = create(spec, fleet->series[0]->channel_count, b->seed, adapts, fleet->fact_count);
    const double begin = seconds_now();
    stop_on(tcsi_detector_fit_fleet(detector, fleet, &err), &err);
    *ret_seconds = seconds_now() - begin;
    tcsi_buffer_init(ret_file, SIZE_MAX / 2);
    stop_on(tcsi_detector_save(detector, ret_file, &err), &err);
    tcsi_detector_destroy(detector);
}

/* ---- measures ---- */

static double vus_pr(const tcsi_frame *frame, const tcs_score *scores, size_t begin, size_t window)
{
    tcs_error err = { 0 };
    tcsi_measures measures;
    tcsi_measures_options options = tcsi_measures_options_default();
    const size_t count = frame->row_count - begin;
    double *values = TCSI_NEW_ARRAY(double, count);
    for (size_t t = 0; values && t < count; t++) values[t] = scores[begin + t].state == TCS_SCORE_READY ? scores[begin + t].value : NAN;
    options.window = window;
    stop_on(values ? tcsi_measures_compute(values, frame->labels + begin, count, &options, &measures, &err) : TCS_E_MEMORY, &err);
    tcsi_free(values);
    return measures.vus_pr;
}

/* What the medians that were made less than HORIZON_MAX rows ago say of this row, NaN: nothing. */
typedef struct sayings {
    double medians[HORIZON_MAX + 1][HORIZONS];
} sayings;

static void remember(const tcsi_detector *detector, size_t channel, size_t t, sayings *said)
{
    tcsi_forecast forecast;
    for (size_t h = 0; h < HORIZONS && tcsi_detector_forecast(detector, channel, h, &forecast); h++)
        said->medians[(t + forecast.ahead) % (HORIZON_MAX + 1)][h] = forecast.median;
}

/* Mean over channels, horizons and unlabelled rows from begin on; NaN: the detector says nothing. */
static double forecast_error(tcsi_detector *detector, const tcsi_frame *frame, size_t begin)
{
    const size_t channels = frame->channel_count;
    if (!(detector->info->traits & TCSI_TRAIT_FORECAST)) return NAN;
    sayings *said = TCSI_NEW_ZEROS(sayings, channels);
    double *row = TCSI_NEW_ARRAY(double, channels), *spreads = TCSI_NEW_ARRAY(double, channels), sum = 0, count = 0;
    if (!said || !row || !spreads) exit(1);
    for (size_t c = 0; c < channels; c++) {
        spreads[c] = tcsi_deviation(tcsi_frame_column(frame, c), frame->row_count);
        for (size_t i = 0; i <= HORIZON_MAX; i++)
            for (size_t h = 0; h < HORIZONS; h++) said[c].medians[i][h] = NAN;
    }
    tcsi_detector_reset(detector);
    for (size_t t = 0; t < frame->row_count; t++) {
        tcs_score score;
        tcsi_frame_row(frame, t, row);
        for (size_t c = 0; c < channels; c++)
            for (size_t h = 0; h < HORIZONS; h++) {
                double *median = &said[c].medians[t % (HORIZON_MAX + 1)][h];
                const double error = fabs(row[c] - *median) / spreads[c];
                if (t >= begin && !frame->labels[t] && spreads[c] > 0 && isfinite(error)) {
                    sum += error;
                    count++;
                }
                *median = NAN;
            }
        tcsi_detector_push(detector, &(tcsi_row){ .sequence = t, .values = row }, &score);
        for (size_t c = 0; c < channels; c++) remember(detector, c, t, &said[c]);
    }
    tcsi_free(said);
    tcsi_free(row);
    tcsi_free(spreads);
    return count > 0 ? sum / count : NAN;
}

/* ---- one new series ---- */

/* Fits on the known rows, scores all. */
static outcome judge(const bench *b, tcsi_detector *detector, const tcsi_frame *frame, size_t window)
{
    tcs_error err = { 0 };
    tcsi_frame known = tcsi_frame_view(frame, 0, b->history), shown = *frame;
    tcs_score *scores = TCSI_NEW_ARRAY(tcs_score, frame->row_count);
    if (!scores) exit(1);
    known.labels = shown.labels = NULL;
    const double begin = seconds_now();
    stop_on(tcsi_detector_fit(detector, &known, &err), &err);
    outcome o = { .seconds = seconds_now() - begin };
    stop_on(tcsi_detector_score(detector, &shown, scores, &err), &err);
    o.vus_pr = vus_pr(frame, scores, b->history, window);
    o.error = forecast_error(detector, frame, b->history);
    tcsi_free(scores);
    return o;
}

static tcsi_detector *open_file(const tcsi_buffer *file, const double *facts, size_t fact_count)
{
    tcs_error err = { 0 };
    tcsi_detector *detector;
    stop_on(tcsi_detector_load(file->data, file->size, NULL, &detector, &err), &err);
    stop_on(tcsi_detector_describe(detector, facts, fact_count, &err), &err);
    return detector;
}

/* files: by variant, empty: the variant is not asked. */
static void compare(bench *b, size_t d, size_t series, const tcsi_frame *frame, size_t window, const tcsi_buffer *files, const double *facts)
{
    for (variant v = ALONE; v < VARIANT_COUNT; v++) {
        if (v != ALONE && files[v].size == 0) continue;
        tcsi_detector *detector = v == ALONE ? create(b->detectors[d], frame->channel_count, b->seed, true, 0)
                                             : open_file(&files[v], facts, v >= FACTS_FLEET ? b->kinds : 0);
        b->outcomes[series][d][v] = judge(b, detector, frame, window);
        tcsi_detector_destroy(detector);
    }
}

static void learn_all(bench *b, size_t d, const tcsi_fleet *fleet, tcsi_buffer *ret_files)
{
    tcsi_fleet plain = *fleet;
    double seconds;
    plain.fact_count = 0;
    for (variant v = FLEET; v < VARIANT_COUNT; v++) {
        ret_files[v] = (tcsi_buffer){ 0 };
        if (v >= FACTS_FLEET && fleet->fact_count == 0) continue;
        learn_fleet(b, b->detectors[d], v >= FACTS_FLEET ? fleet : &plain, v == ADAPTED || v == FACTS_ADAPTED, &ret_files[v], &seconds);
        if (v == FLEET) b->fleet_seconds[d] += seconds;
    }
}

static void release_all(tcsi_buffer *files)
{
    for (variant v = FLEET; v < VARIANT_COUNT; v++)
        if (files[v].size > 0) tcsi_buffer_deinit(&files[v]);
}

static void print_row(const bench *b, const char *name, size_t series)
{
    printf("%-40.40s", name);
    for (size_t d = 0; d < b->detector_count; d++)
        for (variant v = ALONE; v < (b->has_facts ? VARIANT_COUNT : FACTS_FLEET); v++) printf(" %6.3f", b->outcomes[series][d][v].vus_pr);
    printf("\n");
    fflush(stdout);
}

/* ---- simulated fleets ---- */

static tcsi_frame *machine_of(const bench *b, size_t fleet, size_t number, bool is_new, size_t *ret_period)
{
    tcs_error err = { 0 };
    tcsi_frame *frame;
    const tcsi_machine_options options = { .seed = b->seed + fleet, .kind_count = b->kinds, .channel_count = b->channels,
                                           .program_count = b->programs,
                                           .row_count = is_new ? NEW_ROWS : FLEET_ROWS, .calm_row_count = is_new ? b->history : 0,
                                           .event_count = is_new ? EVENTS : FLEET_EVENTS, .has_foreign_events = b->has_facts };
    stop_on(tcsi_machine_simulate(&options, number, &frame, ret_period, &err), &err);
    return frame;
}

static void compare_fleet(bench *b, size_t number)
{
    static double facts[FLEET_MAX + NEW_SERIES][TCSI_MACHINE_KIND_COUNT_MAX];
    double *matrix = TCSI_NEW_ZEROS(double, FLEET_MAX * TCSI_MACHINE_KIND_COUNT_MAX);
    tcsi_frame *frames[FLEET_MAX + NEW_SERIES];
    size_t periods[FLEET_MAX + NEW_SERIES];
    const size_t all = b->fleet_size + NEW_SERIES;
    if (!matrix) exit(1);
    for (size_t s = 0; s < all; s++) {
        frames[s] = machine_of(b, number, s, s >= b->fleet_size, &periods[s]);
        for (size_t k = 0; k < b->kinds; k++) facts[s][k] = s % b->kinds == k;
        for (size_t k = 0; k < b->kinds && s < b->fleet_size; k++) matrix[s * b->kinds + k] = facts[s][k];
    }
    const tcsi_fleet fleet = { .series = (const tcsi_frame *const *)frames, .series_count = b->fleet_size, .facts = matrix,
                               .fact_count = b->has_facts ? b->kinds : 0 };
    for (size_t d = 0; d < b->detector_count; d++) {
        tcsi_buffer files[VARIANT_COUNT];
        learn_all(b, d, &fleet, files);
        for (size_t i = 0; i < NEW_SERIES; i++)
            compare(b, d, b->series_count + i, frames[b->fleet_size + i], periods[b->fleet_size + i], files, facts[b->fleet_size + i]);
        release_all(files);
    }
    for (size_t i = 0; i < NEW_SERIES; i++) {
        char name[64];
        snprintf(name, sizeof name, "fleet %zu, machine %zu", number, b->fleet_size + i);
        print_row(b, name, b->series_count + i);
    }
    b->series_count += NEW_SERIES;
    b->fleet_count++;
    for (size_t s = 0; s < all; s++) tcsi_frame_destroy(frames[s]);
    tcsi_free(matrix);
}

/* ---- files ---- */

static void compare_suite(bench *b, const char *name, const char *folder, const char *text)
{
    static tcsi_suite_series series[FLEET_MAX];
    tcs_error err = { 0 };
    const tcsi_suite *suite = NULL;
    const tcsi_frame *frames[FLEET_MAX];
    char **files = NULL;
    size_t file_count = 0, count = 0, names[FLEET_MAX];
    stop_on(tcsi_suite_find(name, &suite, &err), &err);
    stop_on(tcsi_suite_files(suite, folder, &files, &file_count, &err), &err);
    for (size_t i = 0; i < file_count && count < FLEET_MAX; i++) {
        if (!strstr(files[i], text)) continue;
        stop_on(suite->load(folder, files[i], &series[count], &err), &err);
        names[count++] = i;
    }
    for (size_t i = 0; i < count; i++) {
        size_t others = 0;
        for (size_t k = 0; k < count; k++)
            if (k != i && series[k].frame->channel_count == series[i].frame->channel_count) frames[others++] = series[k].frame;
        if (others == 0 || series[i].frame->row_count < 2 * b->history) continue;
        const tcsi_fleet fleet = { .series = frames, .series_count = others };
        for (size_t d = 0; d < b->detector_count; d++) {
            tcsi_buffer saved[VARIANT_COUNT];
            learn_all(b, d, &fleet, saved);
            compare(b, d, b->series_count, series[i].frame, series[i].window, saved, NULL);
            release_all(saved);
        }
        b->fleet_count++;
        print_row(b, files[names[i]], b->series_count++);
    }
    for (size_t i = 0; i < count; i++) tcsi_suite_series_deinit(&series[i]);
    tcsi_suite_files_free(files, file_count);
}

/* ---- what comes out ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef double (*reading)(const outcome *o);

static double read_vus_pr(const outcome *o)
{
    return o->vus_pr;
}

static double read_error(const outcome *o)
{
    return o->error;
}

static double mean_of(const bench *b, size_t d, variant v, reading read)
{
    double sum = 0;
    for (size_t i = 0; i < b->series_count; i++) sum += read(&b->outcomes[i][d][v]);
    return sum / (double)b->series_count;
}

static void print_difference(const bench *b, size_t d, variant v, variant from, reading read)
{
    static double means[RESAMPLES];
    size_t above = 0;
    tcsi_rng rng = tcsi_rng_make(7, 1);
    for (size_t i = 0; i < b->series_count; i++) above += read(&b->outcomes[i][d][v]) > read(&b->outcomes[i][d][from]);
    for (size_t k = 0; k < RESAMPLES; k++) {
        means[k] = 0;
        for (size_t i = 0; i < b->series_count; i++) {
            const size_t at = tcsi_rng_below(&rng, b->series_count);
            means[k] += (read(&b->outcomes[at][d][v]) - read(&b->outcomes[at][d][from])) / (double)b->series_count;
        }
    }
    qsort(means, RESAMPLES, sizeof *means, ascending);
    printf("    %s - %s: %+.3f, interval %+.3f to %+.3f, higher on %zu of %zu\n", variant_names[v], variant_names[from],
           mean_of(b, d, v, read) - mean_of(b, d, from, read), means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40], above,
           b->series_count);
}

static void print_measure(const bench *b, size_t d, const char *name, reading read)
{
    const variant count = b->has_facts ? VARIANT_COUNT : FACTS_FLEET;
    printf("%s, %s:", b->detectors[d], name);
    for (variant v = ALONE; v < count; v++) printf(" %s %.3f%s", variant_names[v], mean_of(b, d, v, read), v + 1 < count ? "," : "\n");
    print_difference(b, d, ADAPTED, ALONE, read);
    print_difference(b, d, ADAPTED, FLEET, read);
    print_difference(b, d, FLEET, ALONE, read);
    if (!b->has_facts) return;
    print_difference(b, d, FACTS_FLEET, FLEET, read);
    print_difference(b, d, FACTS_ADAPTED, ADAPTED, read);
}

static void print_summary(const bench *b)
{
    for (size_t d = 0; d < b->detector_count && b->series_count > 0; d++) {
        double seconds[VARIANT_COUNT] = { 0 };
        for (size_t i = 0; i < b->series_count; i++)
            for (variant v = ALONE; v < FACTS_FLEET; v++) seconds[v] += b->outcomes[i][d][v].seconds / (double)b->series_count;
        print_measure(b, d, "VUS-PR", read_vus_pr);
        if (!isnan(b->outcomes[0][d][ALONE].error)) print_measure(b, d, "forecast error", read_error);
        printf("    processor seconds: alone %.2f, calibrated only %.3f, adapted %.2f; a fleet %.1f\n", seconds[ALONE], seconds[FLEET],
               seconds[ADAPTED], b->fleet_seconds[d] / (double)b->fleet_count);
    }
}

static size_t count_of(const char *text, size_t least, size_t most)
{
    const unsigned long value = strtoul(text, NULL, 10);
    return value < least ? least : value > most ? most : value;
}

static void take_options(bench *b, int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        const char *name = arguments[i], *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(name, "--detector") == 0 && b->detector_count < DETECTORS_MAX) b->detectors[b->detector_count++] = value;
        if (strcmp(name, "--history") == 0) b->history = count_of(value, 64, NEW_ROWS / 2);
        if (strcmp(name, "--fleet") == 0) b->fleet_size = count_of(value, 1, FLEET_MAX);
        if (strcmp(name, "--kinds") == 0) b->kinds = count_of(value, 1, TCSI_MACHINE_KIND_COUNT_MAX);
        if (strcmp(name, "--programs") == 0) b->programs = count_of(value, 1, TCSI_MACHINE_PROGRAM_COUNT_MAX);
        if (strcmp(name, "--channels") == 0) b->channels = count_of(value, 1, TCSI_MACHINE_CHANNEL_COUNT_MAX);
        if (strcmp(name, "--seed") == 0) b->seed = strtoul(value, NULL, 10);
        if (strcmp(name, "--facts") == 0) b->has_facts = true;
    }
    if (b->has_facts && b->kinds < 2) b->kinds = 2;
    if (b->detector_count > 0) return;
    b->detectors[b->detector_count++] = "autoencoder";
    b->detectors[b->detector_count++] = "tcn_forecaster";
}

int main(int argument_count, char **arguments)
{
    static bench b = { .history = 200, .fleet_size = 12, .kinds = 1, .programs = 1, .channels = 1, .seed = 1 };
    take_options(&b, argument_count, arguments);
    printf("VUS-PR after %zu rows%18s", b.history, "");
    for (size_t d = 0; d < b.detector_count; d++)
        printf(" %s: alone, fleet, adapted%s;", b.detectors[d], b.has_facts ? ", the last two with facts" : "");
    printf("\n");
    for (int i = 1; i < argument_count; i++) {
        if (strcmp(arguments[i], "--simulate") == 0 && i + 1 < argument_count)
            for (size_t f = 0; f < count_of(arguments[i + 1], 1, SERIES_MAX / NEW_SERIES); f++) compare_fleet(&b, f);
        if (strcmp(arguments[i], "--suite") == 0 && i + 3 < argument_count)
            compare_suite(&b, arguments[i + 1], arguments[i + 2], arguments[i + 3]);
    }
    print_summary(&b);
    return 0;
}
