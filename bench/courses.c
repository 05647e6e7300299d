/* SPDX-License-Identifier: Apache-2.0 */
#include "courses.h"

#include "base/alloc.h"
#include "simulate/series.h"
#include "study/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stop_on(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "a fleet: %s\n", err->text);
    exit(1);
}

static void take_frame(courses *c, const tcsi_frame *frame)
{
    if (c->count == COURSES_MAX) return;
    course *one = &c->items[c->count++];
    *one = (course){ .values = TCSI_NEW_ARRAY(double, frame->row_count), .labels = TCSI_NEW_ZEROS(uint8_t, frame->row_count),
                     .row_count = frame->row_count };
    if (!one->values || !one->labels) exit(1);
    memcpy(one->values, tcsi_frame_column(frame, 0), frame->row_count * sizeof *one->values);
    if (frame->labels) memcpy(one->labels, frame->labels, frame->row_count);
    if (frame->row_count > c->row_count) c->row_count = frame->row_count;
}

void courses_simulate(courses *c, size_t count, const char *scenario, size_t rows, uint64_t seed)
{
    tcs_error err = { 0 };
    tcsi_series_options options = { .seed = seed, .family = TCSI_FAMILY_ANY, .kind = TCSI_EVENT_ANY, .row_count = rows };
    if (!tcsi_scenario_by_name(scenario, &options.scenario)) exit(2);
    for (size_t i = 0; i < count; i++) {
        tcsi_series_simulation simulation;
        options.stream = i;
        options.is_calm = i % 4 == 3;
        stop_on(tcsi_series_simulate(&options, &simulation, &err), &err);
        take_frame(c, simulation.frame);
        tcsi_series_simulation_deinit(&simulation);
    }
}

void courses_load(courses *c, const char *name, const char *folder)
{
    tcs_error err = { 0 };
    const tcsi_suite *suite = NULL;
    char **files;
    size_t count;
    stop_on(tcsi_suite_find(name, &suite, &err), &err);
    stop_on(tcsi_suite_files(suite, folder, &files, &count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        tcsi_suite_series series = { 0 };
        stop_on(suite->load(folder, files[i], &series, &err), &err);
        take_frame(c, series.frame);
        tcsi_suite_series_deinit(&series);
    }
    tcsi_suite_files_free(files, count);
}

void courses_free(courses *c)
{
    for (size_t i = 0; i < c->count; i++) {
        tcsi_free(c->items[i].values);
        tcsi_free(c->items[i].labels);
    }
    c->count = 0;
}

void courses_add(const courses *c, tcsi_cell *cell)
{
    tcs_error err = { 0 };
    for (uint32_t i = 0, place; i < c->count; i++) stop_on(tcsi_cell_add(cell, i, TCSI_SERIES_GAUGE, &place, &err), &err);
}

void courses_push(const courses *c, tcsi_cell *cell, size_t t, int64_t now_ns, uint64_t sequence)
{
    tcs_error err = { 0 };
    for (uint32_t i = 0; i < c->count; i++) {
        tcsi_live_outcome outcome;
        if (t >= c->items[i].row_count) continue;
        const tcsi_live_row row = { .place = i, .time_ns = now_ns, .value = c->items[i].values[t] };
        stop_on(tcsi_cell_push(cell, &row, sequence, now_ns, &outcome, &err), &err);
    }
}

bool course_is_labelled(const course *c, size_t begin, size_t end, size_t slack)
{
    if (end >= c->row_count) end = c->row_count - 1;
    for (size_t t = begin > slack ? begin - slack : 0; t <= end; t++)
        if (c->labels[t]) return true;
    return false;
}
