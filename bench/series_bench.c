/* bench/series_bench.c -- what the series and simulate rooms cost, in nanoseconds of processor time a row.
 *
 * usage: series_bench [OUTPUT.json]      writes the table to standard output and the same as JSON
 * Best of five, one thread.  Peers: libc's qsort for sorting, strptime for a time stamp (without its zone and fraction, which it
 * cannot read).  Both sides' results are compared; a difference fails the program, a slow figure never does.
 * SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* strptime */
#include "base/alloc.h"
#include "base/rng.h"
#include "series/calendar.h"
#include "series/expect.h"
#include "series/fft.h"
#include "series/moving.h"
#include "series/period.h"
#include "series/stats.h"
#include "series/time.h"
#include "simulate/pump.h"
#include "simulate/series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 100000, REPEAT_COUNT = 5, STAMP_COUNT = 64 };

typedef struct setting {
    double *values, *a, *b, *c;
    char stamps[STAMP_COUNT][TCSI_TIME_TEXT_SIZE];
    size_t stamp_lengths[STAMP_COUNT];
    double check; /* what the last run found, to compare with its peer's */
} setting;

static void run_moments(setting *s) { s->check = tcsi_moments_of(s->values, ROWS).variance; }
static void run_median(setting *s) { s->check = tcsi_median(s->values, ROWS, s->a); }
static void run_moving_mean(setting *s) { tcsi_moving_mean(s->values, ROWS, 100, s->a); }
static void run_moving_moments(setting *s) { tcsi_moving_moments(s->values, ROWS, 100, s->a, s->b); }

static void run_sort(setting *s)
{
    memcpy(s->a, s->values, ROWS * sizeof *s->a);
    tcsi_sort(s->a, ROWS);
    s->check = s->a[ROWS / 3];
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void peer_sort(setting *s)
{
    memcpy(s->a, s->values, ROWS * sizeof *s->a);
    qsort(s->a, ROWS, sizeof *s->a, compare);
    s->check = s->a[ROWS / 3];
}

static void run_moving_median(setting *s)
{
    if (tcsi_moving_median(s->values, ROWS, 101, s->a, NULL) != TCS_OK) abort();
}

static void run_spectrum(setting *s)
{
    tcsi_rfft *rfft;
    if (tcsi_rfft_create(65536, &rfft, NULL) != TCS_OK) abort();
    tcsi_rfft_forward(rfft, s->values, (tcsi_complex *)(void *)s->b); /* b has room for 65,538 doubles */
    tcsi_rfft_destroy(rfft);
}

static void run_period(setting *s)
{
    size_t period;
    if (tcsi_period_find(s->values, ROWS, &period, NULL) != TCS_OK) abort();
    s->check = (double)period;
}

static void run_expect(setting *s)
{
    if (tcsi_expect(s->values, ROWS, 1440, s->a, s->b, s->c, NULL, NULL) != TCS_OK) abort();
}

static void run_stamps(setting *s)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    int64_t ns = 0, sum = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (!tcsi_time_parse(&iso, s->stamps[i % STAMP_COUNT], s->stamp_lengths[i % STAMP_COUNT], &ns)) abort();
        sum += ns / TCSI_NS_PER_S;
    }
    s->check = (double)sum;
}

static void peer_stamps(setting *s)
{
    int64_t sum = 0;
    for (size_t i = 0; i < ROWS; i++) {
        struct tm tm = { 0 };
        if (!strptime(s->stamps[i % STAMP_COUNT], "%Y-%m-%dT%H:%M:%S", &tm)) abort();
        int64_t days = tcsi_days_from_civil(tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday);
        sum += days * 86400 + tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;
    }
    s->check = (double)sum;
}

static void run_calendar(setting *s)
{
    const tcsi_calendar calendar = tcsi_calendar_europe(3600);
    double features[TCSI_CALENDAR_FEATURE_COUNT];
    for (size_t i = 0; i < ROWS; i++) tcsi_calendar_features(&calendar, (int64_t)i * TCSI_NS_PER_MINUTE, features);
    s->check = features[0];
}

static void run_pump(setting *s)
{
    tcsi_pump_options options = tcsi_pump_options_default();
    tcsi_frame *frame;
    tcsi_event *events;
    size_t event_count;
    options.row_count = ROWS;
    if (tcsi_pump_simulate(&options, &frame, &events, &event_count, NULL) != TCS_OK) abort();
    s->check = (double)event_count;
    tcsi_frame_destroy(frame);
    tcsi_free(events);
}

static void run_series(setting *s)
{
    for (uint64_t stream = 0; stream < 20; stream++) {
        tcsi_series_options options = { .seed = 1, .stream = stream, .scenario = TCSI_SCENARIO_ANY, .family = TCSI_FAMILY_ANY,
                                        .kind = TCSI_EVENT_ANY, .row_count = ROWS / 20 };
        tcsi_series_simulation simulation;
        if (tcsi_series_simulate(&options, &simulation, NULL) != TCS_OK) abort();
        s->check = (double)simulation.event_count;
        tcsi_series_simulation_deinit(&simulation);
    }
}

static const struct {
    const char *name;
    void (*ours)(setting *s);
    void (*peer)(setting *s);
    const char *peer_name;
    double rows, target; /* target in ns a row, 0 = none */
} cases[] = {
    { "ISO 8601 stamp", run_stamps, peer_stamps, "strptime", ROWS, 50 },
    { "moments", run_moments, NULL, NULL, ROWS, 0 },
    { "median", run_median, NULL, NULL, ROWS, 0 },
    { "sort", run_sort, peer_sort, "qsort", ROWS, 0 },
    { "moving mean, width 100", run_moving_mean, NULL, NULL, ROWS, 0 },
    { "moving mean and variance, width 100", run_moving_moments, NULL, NULL, ROWS, 0 },
    { "moving median, width 101", run_moving_median, NULL, NULL, ROWS, 0 },
    { "spectrum of 65,536, tables included", run_spectrum, NULL, NULL, 65536, 0 },
    { "one period", run_period, NULL, NULL, 20000, 0 },
    { "expectation, period 1,440", run_expect, NULL, NULL, ROWS, 1000 },
    { "calendar features", run_calendar, NULL, NULL, ROWS, 0 },
    { "pump plant", run_pump, NULL, NULL, ROWS, 0 },
    { "simulated series", run_series, NULL, NULL, ROWS, 0 },
};

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double measure(void (*run)(setting *s), setting *s, double rows)
{
    double best = INFINITY;
    for (int i = 0; i < REPEAT_COUNT; i++) {
        double begin = seconds_now();
        run(s);
        best = fmin(best, seconds_now() - begin);
    }
    return best / rows * 1e9;
}

static void prepare(setting *s)
{
    tcsi_rng rng = tcsi_rng_make(1, 1);
    s->values = tcsi_alloc_array(ROWS, sizeof(double));
    s->a = tcsi_alloc_array(ROWS, sizeof(double));
    s->b = tcsi_alloc_array(ROWS, sizeof(double));
    s->c = tcsi_alloc_array(ROWS, sizeof(double));
    if (!s->values || !s->a || !s->b || !s->c) abort();
    for (size_t i = 0; i < ROWS; i++) s->values[i] = 1e6 + 3 * sin((double)i * 6.283185307179586 / 1440) + tcsi_rng_normal(&rng);
    for (size_t i = 0; i < STAMP_COUNT; i++) {
        int64_t time_ns = (INT64_C(1392388200) + (int64_t)i * 86413) * TCSI_NS_PER_S + (int64_t)(i % 4) * 250000000;
        s->stamp_lengths[i] = tcsi_time_format_iso(time_ns, s->stamps[i], sizeof s->stamps[i]);
    }
}

int main(int argc, char **argv)
{
    setting s = { 0 };
    bool agree = true;
    FILE *json = argc > 1 ? fopen(argv[1], "w") : NULL;
    prepare(&s);
    if (json) fprintf(json, "[");
    printf("%-40s %12s %12s %s\n", "case", "ns a row", "peer", "");
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        double ours = measure(cases[i].ours, &s, cases[i].rows), check = s.check, peer = 0, target = cases[i].target;
        if (cases[i].peer) {
            peer = measure(cases[i].peer, &s, cases[i].rows);
            agree &= check == s.check;
        }
        printf("%-40s %12.2f ", cases[i].name, ours);
        if (cases[i].peer) printf("%12.2f %s%s", peer, cases[i].peer_name, check == s.check ? "" : ": DIFFERENT RESULT");
        printf("\n");
        if (!json) continue;
        fprintf(json, "%s\n{\"name\": \"%s\", \"unit\": \"ns/row\", \"ours\": %.4g, ", i ? "," : "", cases[i].name, ours);
        if (cases[i].peer) fprintf(json, "\"peer\": %.4g, \"peer_name\": \"%s\", \"ratio\": %.4g, ", peer, cases[i].peer_name, peer / ours);
        else fprintf(json, "\"peer\": null, \"peer_name\": null, \"ratio\": null, ");
        if (target > 0) fprintf(json, "\"target\": %g, \"ok\": %s}", target, ours <= target ? "true" : "false");
        else fprintf(json, "\"target\": null, \"ok\": true}");
    }
    if (json) {
        fprintf(json, "\n]\n");
        if (fclose(json) != 0) agree = false;
    }
    tcsi_free(s.values);
    tcsi_free(s.a);
    tcsi_free(s.b);
    tcsi_free(s.c);
    return agree ? 0 : 1;
}
