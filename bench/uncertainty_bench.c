/* bench/uncertainty_bench.c -- do forecasters know what they do not know?
 *
 * usage: uncertainty_bench [--detector NAME] [--members N] [FOLDER...]     FOLDER: in the layout of tsb-ad
 * Each series is learned from its training rows; then every forecast of later rows, 1, 4, 16 and 64 ahead, is compared with what came,
 * where no row from its making to its coming is labelled anomalous.  Printed:
 *   coverage   share of rows inside the bands of 50, 80, 90, 95 %, means over series; beside it what the network's own Student distribution
 *              of 4 degrees would have covered, without recalibration
 *   width      of the 90 % band in standard deviations of the channel's training rows (sharpness), geometric mean over series
 *   error      root mean squared error of the 80, 60, 40, 20 % of the forecasts of which the network is most certain, of that of all:
 *              it falls when uncertainty means something; series of which at least 200 forecasts of a horizon are known
 * Simulated normal series, five kinds with three seeds each, come first.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "detect/registry.h"
#include "series/stats.h"
#include "study/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 4000, TRAIN_ROWS = 1500, SEEDS = 3, KINDS = 5, L = TCSI_FORECAST_LEVEL_COUNT, HORIZONS = 4, RING = 64, SHARES = 5,
       FORECASTS_MIN = 200 };
static const double student[L] = { 0.7407, 1.5332, 2.1318, 2.7764 };
static const char *const kind_names[KINDS] = { "season and noise", "autoregressive", "noise by season", "heavy tails", "two rhythms" };

/* ---- series ---- */

static double value_of(size_t kind, size_t t, tcsi_rng *rng, double *state)
{
    const double wave = sin(0.13 * (double)t), noise = tcsi_rng_normal(rng);
    switch (kind) {
    case 0: return wave + 0.3 * noise;
    case 1: return *state = 0.9 * *state + noise;
    case 2: return wave + (0.05 + 0.4 * (1 + sin(0.13 * (double)t + 1))) * noise;
    case 3: return wave + 0.2 * noise / sqrt(0.05 + tcsi_rng_exponential(rng));
    default: return wave + 0.7 * sin(0.031 * (double)t) + 0.2 * noise;
    }
}

static tcs_status simulate(size_t kind, uint64_t seed, tcsi_frame **ret_frame, tcs_error *err)
{
    tcsi_rng rng = tcsi_rng_make(seed, kind);
    double state = 0;
    tcs_status status = tcsi_frame_create(1, ROWS, false, false, ret_frame, err);
    for (size_t t = 0; t < ROWS && status == TCS_OK; t++) {
        const double value = value_of(kind, t, &rng, &state);
        status = tcsi_frame_append(*ret_frame, &value, 0, 0, err);
    }
    return status;
}

/* ---- one series ---- */

typedef struct forecast_error {
    double size, spread; /* in deviations of the training rows */
} forecast_error;

typedef struct tally {
    double inside[L], inside_raw[L], width, known;
    forecast_error *errors;
    size_t error_count;
} tally;

typedef struct work {
    const tcsi_frame *frame;
    tcsi_detector *detector;
    size_t train_row_count;
    tcsi_forecast *said;                 /* (RING, C, HORIZONS) */
    bool *was_said;                      /* likewise */
    double *deviations;                  /* (C) of the training rows */
    tally tallies[HORIZONS];
} work;

static size_t place(const work *w, size_t row, size_t c, size_t h)
{
    return (row % RING * w->frame->channel_count + c) * HORIZONS + h;
}

static bool is_normal(const tcsi_frame *frame, size_t begin, size_t end)
{
    for (size_t t = begin; frame->labels && t <= end; t++)
        if (frame->labels[t]) return false;
    return true;
}

static void compare(work *w, size_t t, size_t c, size_t h)
{
    static const size_t horizons[HORIZONS] = { 1, 4, 16, 64 };
    const double value = tcsi_frame_column(w->frame, c)[t];
    tally *to = &w->tallies[h];
    if (t < w->train_row_count + horizons[h] || !tcsi_value_ok(value)) return;
    const size_t at = place(w, t - horizons[h], c, h);
    const tcsi_forecast *f = &w->said[at];
    if (!w->was_said[at] || !(w->deviations[c] > 0) || !is_normal(w->frame, t - horizons[h], t)) return;
    const double spread = hypot(f->noise, f->doubt), error = fabs(value - f->median);
    for (size_t i = 0; i < L; i++) {
        to->inside[i] += value >= f->low[i] && value <= f->high[i];
        to->inside_raw[i] += error <= student[i] * spread;
    }
    to->width += (f->high[2] - f->low[2]) / w->deviations[c];
    to->known++;
    to->errors[to->error_count++] = (forecast_error){ error / w->deviations[c], spread / w->deviations[c] };
}

static void push_rows(work *w, double *values)
{
    for (size_t t = 0; t < w->frame->row_count; t++) {
        tcs_score score;
        for (size_t c = 0; c < w->frame->channel_count; c++)
            for (size_t h = 0; h < HORIZONS; h++) compare(w, t, c, h);
        tcsi_frame_row(w->frame, t, values);
        tcsi_detector_push(w->detector, &(tcsi_row){ .sequence = t, .values = values }, &score);
        for (size_t c = 0; c < w->frame->channel_count; c++)
            for (size_t h = 0; h < HORIZONS; h++) {
                const size_t at = place(w, t, c, h);
                w->was_said[at] = tcsi_detector_forecast(w->detector, c, h, &w->said[at]);
            }
    }
}

/* ---- means over series ---- */

typedef struct totals {
    double inside[HORIZONS][L], inside_raw[HORIZONS][L], width[HORIZONS], series[HORIZONS];
    double error[HORIZONS][SHARES], error_series[HORIZONS];
} totals;

static int by_spread(const void *a, const void *b)
{
    const double x = ((const forecast_error *)a)->spread, y = ((const forecast_error *)b)->spread;
    return (x > y) - (x < y);
}

/* Root mean squared error of the most certain 100, 80, 60, 40, 20 %, of that of all. */
static void add_errors(tally *from, double *ret_error)
{
    double whole = 0;
    qsort(from->errors, from->error_count, sizeof *from->errors, by_spread);
    for (size_t s = 0; s < SHARES; s++) {
        const size_t count = from->error_count * (SHARES - s) / SHARES;
        double sum = 0;
        for (size_t i = 0; i < count; i++) sum += from->errors[i].size * from->errors[i].size;
        const double root = sqrt(sum / (double)count);
        if (s == 0) whole = root;
        ret_error[s] += whole > 0 ? root / whole : 1;
    }
}

static void add_series(work *w, totals *to)
{
    for (size_t h = 0; h < HORIZONS; h++) {
        tally *from = &w->tallies[h];
        if (from->known < FORECASTS_MIN) continue;
        for (size_t i = 0; i < L; i++) {
            to->inside[h][i] += from->inside[i] / from->known;
            to->inside_raw[h][i] += from->inside_raw[i] / from->known;
        }
        to->width[h] += log(from->width / from->known);
        to->series[h]++;
        add_errors(from, to->error[h]);
    }
}

static tcs_status run_series(const tcsi_frame *frame, size_t train_row_count, const char *name, double members, totals *to, tcs_error *err)
{
    const tcsi_parameter_value parameter = { "members", members };
    const tcsi_detector_setup setup = { .channel_count = frame->channel_count, .seed = 1, .parameters = &parameter, .parameter_count = 1 };
    const tcsi_frame train = tcsi_frame_view(frame, 0, train_row_count);
    const size_t channels = frame->channel_count;
    work w = { .frame = frame, .train_row_count = train_row_count, .said = TCSI_NEW_ZEROS(tcsi_forecast, RING * channels * HORIZONS),
               .was_said = TCSI_NEW_ZEROS(bool, RING * channels * HORIZONS), .deviations = TCSI_NEW_ARRAY(double, channels) };
    double *values = TCSI_NEW_ARRAY(double, channels);
    const tcsi_detector_info *info;
    bool fine = w.said && w.was_said && w.deviations && values;
    for (size_t h = 0; h < HORIZONS; h++) {
        w.tallies[h].errors = TCSI_NEW_ARRAY(forecast_error, frame->row_count * channels);
        fine &= w.tallies[h].errors != NULL;
    }
    tcs_status status = fine ? tcsi_registry_get(name, &info, err) : tcsi_fail_memory(err, "forecasts");
    if (status == TCS_OK) status = tcsi_detector_create(info, &setup, &w.detector, err);
    if (status == TCS_OK) status = tcsi_detector_fit(w.detector, &train, err);
    if (status == TCS_OK) {
        for (size_t c = 0; c < channels; c++) w.deviations[c] = tcsi_deviation(tcsi_frame_column(frame, c), train_row_count);
        push_rows(&w, values);
        add_series(&w, to);
    }
    tcsi_detector_destroy(w.detector);
    for (size_t h = 0; h < HORIZONS; h++) tcsi_free(w.tallies[h].errors);
    tcsi_free(w.said);
    tcsi_free(w.was_said);
    tcsi_free(w.deviations);
    tcsi_free(values);
    return status;
}

static void print_totals(const char *title, const totals *t)
{
    static const size_t horizons[HORIZONS] = { 1, 4, 16, 64 };
    printf("\n%s\n  ahead series   covered by the bands of 50 80 90 95 %%      (as the network says)        width   error of the most certain"
           " 80 60 40 20 %%\n", title);
    for (size_t h = 0; h < HORIZONS; h++) {
        const double n = t->series[h];
        if (n == 0) continue;
        printf("  %5zu %6.0f  ", horizons[h], n);
        for (size_t i = 0; i < L; i++) printf(" %5.1f", 100 * t->inside[h][i] / n);
        printf("              ");
        for (size_t i = 0; i < L; i++) printf(" %5.1f", 100 * t->inside_raw[h][i] / n);
        printf("      %6.2f            ", exp(t->width[h] / n));
        for (size_t s = 1; s < SHARES; s++) printf("  %.3f", t->error[h][s] / n);
        printf("\n");
    }
}

static tcs_status run_simulated(const char *name, double members, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t kind = 0; kind < KINDS && status == TCS_OK; kind++) {
        totals t = { 0 };
        for (uint64_t seed = 1; seed <= SEEDS && status == TCS_OK; seed++) {
            tcsi_frame *frame = NULL;
            status = simulate(kind, seed, &frame, err);
            if (status == TCS_OK) status = run_series(frame, TRAIN_ROWS, name, members, &t, err);
            tcsi_frame_destroy(frame);
        }
        print_totals(kind_names[kind], &t);
    }
    return status;
}

/* A file that cannot be learned from is said and passed over. */
static tcs_status run_folder(const char *folder, const char *name, double members, tcs_error *err)
{
    const tcsi_suite *suite;
    char **files;
    size_t count;
    totals t = { 0 };
    tcs_status status = tcsi_suite_find("tsb-ad", &suite, err);
    if (status == TCS_OK) status = tcsi_suite_files(suite, folder, &files, &count, err);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < count; i++) {
        tcsi_suite_series series = { 0 };
        status = suite->load(folder, files[i], &series, err);
        if (status == TCS_OK) status = run_series(series.frame, series.train_row_count, name, members, &t, err);
        if (status != TCS_OK) fprintf(stderr, "%s: %s\n", files[i], err->text);
        tcsi_suite_series_deinit(&series);
    }
    tcsi_suite_files_free(files, count);
    print_totals(folder, &t);
    return TCS_OK;
}

int main(int argc, char **argv)
{
    const char *name = "tcn_forecaster";
    double members = 1;
    int first = 1;
    tcs_error err = { 0 };
    for (; first + 1 < argc && strncmp(argv[first], "--", 2) == 0; first += 2) {
        if (strcmp(argv[first], "--detector") == 0) name = argv[first + 1];
        else members = atof(argv[first + 1]);
    }
    printf("%s, %.0f member%s\n", name, members, members == 1 ? "" : "s");
    tcs_status status = run_simulated(name, members, &err);
    for (int i = first; i < argc && status == TCS_OK; i++) status = run_folder(argv[i], name, members, &err);
    if (status != TCS_OK) fprintf(stderr, "uncertainty_bench: %s\n", err.text);
    return status == TCS_OK ? 0 : 1;
}
