/* bench/cohort_bench.c -- is the budget kept by series that share a tail, few or many of them, and what is found with it?
 *
 * usage: cohort_bench [SUITE FOLDER]...
 * Series by the live service's chart and cohort, row by row; a cohort of so many series, as a cell of a small or a large installation has
 * them.  Simulated: noise with a memory of up to 0.9, light tails or Student's t with 5 degrees, as it is and with an event of one to three
 * rows, 8 to 40 deviations high, about every so many rows.  A suite: its series in the order of their names, nothing fitted to labels.
 *     promised  alarms of chance that the rate allows in so many rows
 *     false     alarms that touch no event, nor begin within 16 rows after one
 *     found     events that an alarm touches, 16 rows late at most
 * Prints a line a case.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/rng.h"
#include "decide/cohort.h"
#include "detect/fast/residual_chart.h"
#include "study/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERIES_MAX = 4096, SLACK = 16, RUN_LENGTH = 4 };

typedef struct course {
    float *scores;    /* NaN: none */
    uint8_t *labels, *alarms; /* alarms: 1 open, 2 opens */
    size_t row_count;
} course;

typedef struct tally {
    double rows;
    size_t false_count, events, found;
} tally;

static course courses[SERIES_MAX];
static size_t course_count;

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "cohort_bench: %s\n", err->text);
    exit(1);
}

/* ---- data ---- */

static void clear(void)
{
    for (size_t i = 0; i < course_count; i++) {
        tcsi_free(courses[i].scores);
        tcsi_free(courses[i].labels);
        tcsi_free(courses[i].alarms);
    }
    course_count = 0;
}

static course *add(size_t row_count)
{
    if (course_count == SERIES_MAX) exit(1);
    course *c = &courses[course_count++];
    *c = (course){ .scores = TCSI_NEW_ARRAY(float, row_count), .labels = TCSI_NEW_ZEROS(uint8_t, row_count),
                   .alarms = TCSI_NEW_ZEROS(uint8_t, row_count), .row_count = row_count };
    if (!c->scores || !c->labels || !c->alarms) exit(1);
    return c;
}

static double noise(tcsi_rng *rng, int freedom)
{
    double z = tcsi_rng_normal(rng), squares = 0;
    for (int i = 0; i < freedom; i++) {
        const double x = tcsi_rng_normal(rng);
        squares += x * x;
    }
    return freedom ? z * sqrt((freedom - 2) / squares) : z;
}

/* A series that a chart judges row by row, with an event of one to three rows about every so many rows; 0: none. */
typedef struct simulation {
    course *course;
    tcsi_rng rng;
    tcsi_residual_chart chart;
    size_t every, at;
    uint64_t left; /* rows of the event, this one included */
} simulation;

static simulation begin(uint64_t seed, uint64_t stream, size_t row_count, size_t every)
{
    return (simulation){ .course = add(row_count), .rng = tcsi_rng_make(seed, stream), .every = every };
}

/* Does an event begin with this row?  Then the caller draws its size. */
static bool event_begins(simulation *s)
{
    if (!s->every || s->left > 0 || s->at <= 100 || tcsi_rng_below(&s->rng, s->every) != 0) return false;
    s->left = 1 + tcsi_rng_below(&s->rng, 3);
    return true;
}

static void put(simulation *s, double value, double event)
{
    s->course->labels[s->at] = s->left > 0;
    s->course->scores[s->at] = (float)tcsi_residual_chart_push(&s->chart, &tcsi_residual_chart_defaults, value + (s->left ? event : 0));
    s->at++;
    s->left -= s->left > 0;
}

static void simulate_noise(uint64_t stream, size_t row_count, int freedom, size_t every)
{
    simulation s = begin(7, stream, row_count, every);
    const double memory = 0.9 * tcsi_rng_uniform(&s.rng);
    double at = 0, event = 0;
    while (s.at < row_count) {
        at = memory * at + sqrt(1 - memory * memory) * noise(&s.rng, freedom);
        if (event_begins(&s)) event = (tcsi_rng_below(&s.rng, 2) ? 8 : -8) * pow(5, tcsi_rng_uniform(&s.rng));
        put(&s, 10 + at, event);
    }
}

static void simulate_light(uint64_t stream, size_t row_count, size_t every)
{
    simulate_noise(stream, row_count, 0, every);
}

static void simulate_heavy(uint64_t stream, size_t row_count, size_t every)
{
    simulate_noise(stream, row_count, 5, every);
}

/* What a counter counts in each row, most of it nothing: Poisson with a mean of 0.003 to 3.  An event is a burst. */
static void simulate_counts(uint64_t stream, size_t row_count, size_t every)
{
    simulation s = begin(8, stream, row_count, every);
    const double mean = 0.003 * pow(1000, tcsi_rng_uniform(&s.rng));
    double event = 0;
    while (s.at < row_count) {
        double count = -1;
        for (double at = 0; at < mean; count++) at -= log(1 - tcsi_rng_uniform(&s.rng));
        if (event_begins(&s)) event = round((4 + 8 * sqrt(mean)) * pow(5, tcsi_rng_uniform(&s.rng)));
        put(&s, count, event);
    }
}

/* What holds still and then is another of a few values, near each other, for a while: allocated memory, open connections, set points.  An
 * event goes far beyond them. */
static void simulate_steps(uint64_t stream, size_t row_count, size_t every)
{
    simulation s = begin(9, stream, row_count, every);
    const double often = 0.003 * pow(100, tcsi_rng_uniform(&s.rng)), back = 0.02 * pow(50, tcsi_rng_uniform(&s.rng));
    double at = 0, event = 0;
    while (s.at < row_count) {
        if (tcsi_rng_uniform(&s.rng) < (at > 0 ? back : often)) at = (double)tcsi_rng_below(&s.rng, 4);
        if (event_begins(&s)) event = 16 * pow(5, tcsi_rng_uniform(&s.rng));
        put(&s, 1000 + at, event);
    }
}

static void load(const char *name, const char *folder)
{
    tcs_error err = { 0 };
    const tcsi_suite *suite = NULL;
    char **files;
    size_t count;
    stop_on(tcsi_suite_find(name, &suite, &err), &err);
    stop_on(tcsi_suite_files(suite, folder, &files, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        tcsi_suite_series series = { 0 };
        tcsi_residual_chart chart = { .count = 0 };
        stop_on(suite->load(folder, files[i], &series, &err), &err);
        course *c = add(series.frame->row_count);
        const double *values = tcsi_frame_column(series.frame, 0);
        for (size_t t = 0; t < c->row_count; t++) {
            c->labels[t] = series.frame->labels ? series.frame->labels[t] : 0;
            c->scores[t] = isfinite(values[t]) ? (float)tcsi_residual_chart_push(&chart, &tcsi_residual_chart_defaults, values[t]) : NAN;
        }
        tcsi_suite_series_deinit(&series);
    }
    tcsi_suite_files_free(files, count);
}

/* ---- one cohort ---- */

static void run(course *first, size_t count, double rate)
{
    tcs_error err = { 0 };
    tcsi_cohort cohort;
    tcsi_cohort_member *members = TCSI_NEW_ZEROS(tcsi_cohort_member, count);
    size_t longest = 0;
    if (!members) exit(1);
    for (size_t i = 0; i < count; i++) longest = first[i].row_count > longest ? first[i].row_count : longest;
    stop_on(tcsi_cohort_init(&cohort, rate, RUN_LENGTH, &err), &err);
    for (size_t t = 0; t < longest; t++)
        for (size_t i = 0; i < count; i++) {
            tcsi_cohort_verdict verdict;
            course *c = &first[i];
            if (t >= c->row_count) continue;
            c->alarms[t] = 0;
            if (isnan(c->scores[t])) continue;
            stop_on(tcsi_cohort_push(&cohort, &members[i], (double)c->scores[t], &verdict, &err), &err);
            c->alarms[t] = verdict.is_opening ? 2 : members[i].open_for > 0 || verdict.is_closing;
        }
    tcsi_cohort_deinit(&cohort);
    tcsi_free(members);
}

static bool is_any(const uint8_t *flags, size_t begin, size_t end, size_t count)
{
    for (size_t t = begin; t <= end && t < count; t++)
        if (flags[t]) return true;
    return false;
}

static void measure(const course *c, tally *sum)
{
    sum->rows += (double)c->row_count;
    for (size_t t = 0; t < c->row_count; t++) {
        size_t end = t;
        if (c->alarms[t] == 2) {
            while (end + 1 < c->row_count && c->alarms[end + 1] == 1) end++;
            sum->false_count += !is_any(c->labels, t > SLACK ? t - SLACK : 0, end, c->row_count);
        }
        if (!c->labels[t] || (t > 0 && c->labels[t - 1])) continue;
        for (end = t; end + 1 < c->row_count && c->labels[end + 1];) end++;
        sum->events++;
        sum->found += is_any(c->alarms, t, end + SLACK, c->row_count);
    }
}

static void compare(const char *name, size_t size, const double *rates, size_t rate_count)
{
    for (size_t r = 0; r < rate_count; r++) {
        tally sum = { .rows = 0 };
        for (size_t i = 0; i < course_count; i += size)
            run(&courses[i], course_count - i < size ? course_count - i : size, rates[r]);
        for (size_t i = 0; i < course_count; i++) measure(&courses[i], &sum);
        printf("%-34s cohorts of %3zu, rate %-6g promised %6.1f  false %4zu (%.2f)  found %4zu of %zu\n", name, size, rates[r],
               rates[r] * sum.rows, sum.false_count, (double)sum.false_count / (rates[r] * sum.rows), sum.found, sum.events);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    static const struct { size_t size, series, rows; } fleets[] = { { 1, 100, 20000 }, { 10, 100, 10000 }, { 300, 300, 4000 } };
    static const double rates[] = { 3e-4, 1e-4, 3e-5, 1e-5 };
    static const struct {
        const char *name;
        void (*simulate)(uint64_t stream, size_t row_count, size_t every);
        size_t every[3], every_count;
    } kinds[] = { { "light tails", simulate_light, { 0, 600, 3000 }, 3 }, { "heavy tails", simulate_heavy, { 0, 600, 3000 }, 3 },
                  { "counts", simulate_counts, { 0, 3000 }, 2 }, { "steps", simulate_steps, { 0, 3000 }, 2 } };
    for (size_t n = 0; argc < 3 && n < sizeof kinds / sizeof *kinds; n++)
        for (size_t e = 0; e < kinds[n].every_count; e++)
            for (size_t k = 0; k < sizeof fleets / sizeof *fleets; k++) {
                char name[64];
                clear();
                for (size_t i = 0; i < fleets[k].series; i++) kinds[n].simulate(i, fleets[k].rows, kinds[n].every[e]);
                snprintf(name, sizeof name, "%s, an event in %zu", kinds[n].name, kinds[n].every[e]);
                compare(name, fleets[k].size, rates + 1 + 2 * (e > 0), 1);
            }
    for (int i = 1; i + 1 < argc; i += 2) {
        clear();
        load(argv[i], argv[i + 1]);
        compare(argv[i], 1, rates, 4);
        compare(argv[i], 9, rates, 4);
    }
    clear();
    return 0;
}
