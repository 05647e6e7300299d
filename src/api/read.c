/* SPDX-License-Identifier: Apache-2.0
 * tcs_frame_read: which reader an input wants, and the notes that say what was found. */
#include "api/handles.h"

#include "base/alloc.h"
#include "io/read.h"
#include "series/cadence.h"
#include "series/order.h"
#include "series/period.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COLUMN_COUNT_MAX = 4096 };

/* ---- notes ---- */

static tcs_status note(tcs_frame *frame, tcs_error *err, const char *format, ...) TCS_PRINTF(3, 4);
static tcs_status note(tcs_frame *frame, tcs_error *err, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return tcsi_api_note(frame, text, err);
}

static tcs_status note_lines(tcs_frame *frame, const tcsi_read_report *report, tcs_error *err)
{
    tcsi_buffer lines;
    tcsi_buffer_init(&lines, 1 << 20);
    tcs_status status = tcsi_read_report_print(report, &lines, err);
    for (const char *at = lines.data; status == TCS_OK && at && *at;) {
        size_t length = strcspn(at, "\n");
        char *line = tcsi_strndup(at, length);
        status = line ? tcsi_api_note(frame, line, err) : tcsi_fail_memory(err, "notes");
        tcsi_free(line);
        at += length + (at[length] != 0);
    }
    tcsi_buffer_deinit(&lines);
    return status;
}

static void format_span(double seconds, char *ret_text, size_t size)
{
    static const struct { double seconds; const char *unit; } units[] = { { 86400, "days" }, { 3600, "hours" }, { 60, "minutes" },
                                                                          { 1, "s" }, { 1e-3, "ms" } };
    size_t i = 0;
    while (i + 1 < TCS_COUNT(units) && seconds < 2 * units[i].seconds) i++;
    snprintf(ret_text, size, "%.4g %s", seconds / units[i].seconds, units[i].unit);
}

static tcs_status note_cadence(tcs_frame *frame, const tcsi_cadence *cadence, tcs_error *err)
{
    char step[64], longest[64];
    tcs_status status = TCS_OK;
    format_span((double)cadence->step_ns * 1e-9, step, sizeof step);
    format_span((double)cadence->gap_longest_ns * 1e-9, longest, sizeof longest);
    if (cadence->step_ns > 0)
        status = note(frame, err, "every %s%s", step, cadence->regularity < 0.9 ? ", irregularly" : "");
    if (status == TCS_OK && cadence->gap_count > 0)
        status = note(frame, err, "%zu gap%s, %llu rows missing, the longest gap %s", cadence->gap_count,
                      cadence->gap_count == 1 ? "" : "s", (unsigned long long)cadence->missing_count, longest);
    return status;
}

/* What the values themselves look like: cadence, gaps, channels that never change or hang. */
static tcs_status note_quality(tcs_frame *frame, tcs_error *err)
{
    tcsi_quality quality = { 0 };
    tcs_status status = tcsi_quality_of(frame->frame, &quality, err);
    if (status != TCS_OK) return status;
    if (quality.has_times && frame->has_real_times) status = note_cadence(frame, &quality.cadence, err);
    if (status == TCS_OK && quality.constant_channel_count > 0)
        status = note(frame, err, "%zu channel%s never change%s", quality.constant_channel_count,
                      quality.constant_channel_count == 1 ? "" : "s", quality.constant_channel_count == 1 ? "s" : "");
    if (status == TCS_OK && quality.stale_channel_count > 0)
        status = note(frame, err, "%zu channel%s stuck at one value for remarkably long", quality.stale_channel_count,
                      quality.stale_channel_count == 1 ? " is" : "s are");
    tcsi_quality_deinit(&quality);
    return status;
}

/* ---- reading ---- */

/* "a,b,c" into names, in place; returns how many, or SIZE_MAX when there are too many. */
static size_t split_columns(char *text, const char **ret_names)
{
    size_t count = 0;
    for (char *at = text; at;) {
        char *comma = strchr(at, ',');
        if (comma) *comma = 0;
        if (count == COLUMN_COUNT_MAX) return SIZE_MAX;
        if (*at) ret_names[count++] = at;
        at = comma ? comma + 1 : NULL;
    }
    return count;
}

tcs_status tcsi_api_read_options(const tcs_read_options *options, tcsi_api_read *ret_read, tcs_error *err)
{
    tcsi_read_options inner = { .time_name = options->time, .label_name = options->label, .as_series = options->as_series,
                                .skip_ragged = options->skip_ragged, .keep_counters = options->keep_counters,
                                .whole_names = options->whole_names,
                                .query = options->query, .start = options->start, .end = options->end, .step = options->step };
    char *text = options->columns ? tcsi_strdup(options->columns) : NULL;
    const char **names = options->columns ? TCSI_NEW_ARRAY(const char *, COLUMN_COUNT_MAX) : NULL;
    tcs_status status = options->columns && (!text || !names) ? tcsi_fail_memory(err, "column names") : TCS_OK;
    if (status == TCS_OK && options->columns) {
        inner.columns = names;
        inner.column_count = split_columns(text, names);
        if (inner.column_count == 0 || inner.column_count == SIZE_MAX)
            status = tcsi_fail(err, TCS_E_INVALID, "columns '%.60s': expected 1 to %d names separated by commas", options->columns,
                               COLUMN_COUNT_MAX);
    }
    if (status == TCS_OK) {
        *ret_read = (tcsi_api_read){ inner, text, names };
        return TCS_OK;
    }
    tcsi_free(text);
    tcsi_free(names);
    return status;
}

void tcsi_api_read_deinit(tcsi_api_read *read)
{
    tcsi_free(read->text);
    tcsi_free(read->names);
    *read = (tcsi_api_read){ 0 };
}

static tcs_status read_file(const char *input, const tcsi_read_options *options, tcs_frame *frame, tcs_error *err)
{
    tcsi_read_report report = { 0 };
    tcs_status status = tcsi_read_frame(input, options, &frame->frame, &report, err);
    if (status != TCS_OK) return status;
    frame->has_real_times = report.time_column != SIZE_MAX;
    frame->is_tabular = report.is_tabular;
    status = note_lines(frame, &report, err);
    tcsi_read_report_deinit(&report);
    return status;
}

/* A detector reads rows as they happened.  Nothing is dropped: equal stamps keep the order of the input. */
static tcs_status put_in_order(tcs_frame *frame, tcs_error *err)
{
    size_t moved_count;
    tcs_status status = tcsi_frame_sort(frame->frame, &frame->places, &moved_count, err);
    if (status == TCS_OK && frame->places)
        status = note(frame, err, "times went backward: %zu row%s stood after a later one; rows are sorted by time and counted "
                      "in that order, only the scores file keeps the input's", moved_count, moved_count == 1 ? "" : "s");
    return status;
}

tcs_status tcsi_api_frame_read(const char *input, const tcsi_read_options *options, bool keep_order, tcs_frame **ret_frame, tcs_error *err)
{
    tcs_frame *frame = TCSI_NEW(tcs_frame);
    if (!frame) return tcsi_fail_memory(err, "a frame");
    tcs_status status = read_file(input, options, frame, err);
    if (status == TCS_OK && frame->has_real_times && !keep_order) status = put_in_order(frame, err);
    if (status == TCS_OK) status = note_quality(frame, err);
    if (status == TCS_OK) *ret_frame = frame;
    else tcs_frame_destroy(frame);
    return status;
}

tcs_status tcs_frame_read(const char *input, const tcs_read_options *options, tcs_frame **ret_frame, tcs_error *err)
{
    static const tcs_read_options defaults = { 0 };
    if (!input || !ret_frame) return tcsi_fail(err, TCS_E_INVALID, "tcs_frame_read needs an input and a place for the frame");
    tcsi_api_read read = { 0 };
    tcs_status status = tcsi_api_read_options(options ? options : &defaults, &read, err);
    if (status == TCS_OK) status = tcsi_api_frame_read(input, &read.options, options && options->keep_order, ret_frame, err);
    tcsi_api_read_deinit(&read);
    return status;
}
