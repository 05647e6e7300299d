/* bench/budget_files.c -- is the alarm budget kept on real series?  False alarms promised and raised on the normal parts of labelled files.
 *
 * usage: budget_files FILE.json SUITE FOLDER [SUITE FOLDER]...
 *
 * Every series is scored online by `auto`, with no training rows named.  The scores are then decided on under budgets of 1 in 1,440, 10,080
 * and 43,200 rows: a day, a week and a month at a row a minute, which is what most of these files have.  "Normal parts" are the rows more
 * than MARGIN away from a labelled one, joined; "as it is" decides on all rows, counts false alarms in the normal parts only, and events
 * of which a row alarmed.  Labels are not seen by what decides.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "decide/policy.h"
#include "figure.h"
#include "pipeline/detect.h"
#include "study/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MARGIN = 100, ROWS_MAX = 100000, BUDGETS = 3 };

static const double periods[BUDGETS] = { 1440, 10080, 43200 };

typedef struct count {
    double promised, raised, events, found;
} count;

typedef struct table {
    count calm[BUDGETS], real[BUDGETS];
    size_t series;
} table;

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "budget_files: %s\n", err->text);
    exit(1);
}

static uint8_t *find_near(const uint8_t *labels, size_t row_count)
{
    uint8_t *near = TCSI_NEW_ZEROS(uint8_t, row_count);
    if (!near) abort();
    for (size_t t = 0; t < row_count; t++)
        for (size_t k = t > MARGIN ? t - MARGIN : 0; labels[t] && k < row_count && k <= t + MARGIN; k++) near[k] = 1;
    return near;
}

/* Decides on all rows, or on those that are not near an event. */
static void decide(const tcsi_detection *detection, const uint8_t *near, double period, bool only_calm, count *to)
{
    const uint8_t *labels = detection->frame->labels;
    const tcsi_policy_options options = { .mode = TCS_MODE_ONLINE, .budget = { .count = TCSI_BUDGET_ROWS / period }, .own_threshold = NAN,
                                          .train_row_count = detection->train_row_count, .use_train = true };
    tcsi_policy policy;
    tcs_error err;
    bool is_inside = false, is_found = false;
    stop_on(tcsi_policy_init(&policy, &options, &err), &err);
    for (size_t t = 0; t < detection->frame->row_count; t++) {
        tcs_score score = detection->scores[t];
        tcsi_verdict verdict;
        if (only_calm && near[t]) continue;
        stop_on(tcsi_policy_push(&policy, &score, 0, &verdict, &err), &err);
        if (t < detection->train_row_count) continue;
        if (!near[t]) {
            to->promised += 1 / period;
            to->raised += verdict.event == TCSI_EPISODE_OPENED;
        }
        if (labels[t] && !is_inside) {
            to->events++;
            is_found = false;
        }
        is_inside = labels[t];
        if (is_inside && verdict.anomaly && !is_found) {
            is_found = true;
            to->found++;
        }
    }
    tcsi_policy_deinit(&policy);
}

static void add_series(const tcsi_suite_series *series, table *to)
{
    const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .thread_count = 1 };
    tcsi_detection *detection;
    tcs_error err;
    stop_on(tcsi_detect(series->frame, &options, &detection, &err), &err);
    uint8_t *near = find_near(series->frame->labels, series->frame->row_count);
    for (int b = 0; b < BUDGETS; b++) {
        decide(detection, near, periods[b], true, &to->calm[b]);
        decide(detection, near, periods[b], false, &to->real[b]);
    }
    to->series++;
    tcsi_free(near);
    tcsi_detection_destroy(detection);
}

static table run_suite(const char *name, const char *folder)
{
    const tcsi_suite *suite;
    tcs_error err;
    char **files;
    size_t file_count;
    table result = { 0 };
    stop_on(tcsi_suite_find(name, &suite, &err), &err);
    stop_on(tcsi_suite_files(suite, folder, &files, &file_count, &err), &err);
    for (size_t i = 0; i < file_count; i++) {
        tcsi_suite_series series = { 0 };
        stop_on(suite->load(folder, files[i], &series, &err), &err);
        if (series.frame->row_count <= ROWS_MAX) add_series(&series, &result);
        tcsi_suite_series_deinit(&series);
    }
    tcsi_suite_files_free(files, file_count);
    return result;
}

static void report(const char *suite, const table *t, tcsi_json_writer *w)
{
    char line[FIGURE_LINE + 1], name[96];
    for (int b = 0; b < BUDGETS; b++) {
        const count *calm = &t->calm[b], *real = &t->real[b];
        const double ratio = calm->raised / calm->promised;
        printf("| %s, %zu series | 1 in %.0f rows | %.1f | %.0f | %.2f | `%s` | %.1f | %.0f | %.2f | %.0f of %.0f |\n", suite, t->series,
               periods[b], calm->promised, calm->raised, ratio, figure_draw(ratio, line), real->promised, real->raised,
               real->raised / real->promised, real->found, real->events);
        snprintf(name, sizeof name, "%s, 1 in %.0f rows", suite, periods[b]);
        figure_write(w, &(figure){ .name = name, .unit = "false alarms raised / promised, normal parts", .ours = ratio, .peer = NAN,
                                   .ratio = NAN, .target = 1.2, .ok = ratio >= 0.8 && ratio <= 1.2 });
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc % 2 != 0) {
        fprintf(stderr, "usage: budget_files FILE.json SUITE FOLDER [SUITE FOLDER]...\n");
        return 2;
    }
    tcsi_buffer json;
    tcsi_json_writer w;
    tcs_error err;
    tcsi_buffer_init(&json, 1 << 20);
    tcsi_json_writer_init(&w, &json, true);
    tcsi_json_begin_array(&w);
    printf("| series | budget | promised | raised | raised / promised | 0.1 to 10 | as it is: promised | raised | raised / promised | events found |\n"
           "|---|---|---|---|---|---|---|---|---|---|\n");
    for (int i = 2; i + 1 < argc; i += 2) {
        const table result = run_suite(argv[i], argv[i + 1]);
        report(argv[i + 1], &result, &w);
    }
    tcsi_json_end_array(&w);
    stop_on(tcsi_json_finish(&w, &err), &err);
    stop_on(tcsi_file_write(argv[1], json.data, json.size, &err), &err);
    tcsi_buffer_deinit(&json);
    return 0;
}
