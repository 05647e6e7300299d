/* io/read.c -- a whole input into a frame.
 *
 * Rows arrive in tiles of a few thousand cells, row by row, and are turned into the frame's columns tile by tile: writing
 * a thousand columns row by row would touch a thousand cache lines for each row.  Room is reserved once, from the share
 * of the input that the first tiles took, instead of growing and moving all columns again and again.
 * What a sample could not decide is decided at the end, on all rows: columns without values, columns that turned out to
 * be text, row counters.  Cost: one pass; memory: the frame, 3 % spare, and one tile.  SPDX-License-Identifier: Apache-2.0 */
#include "io/read.h"

#include "base/alloc.h"
#include "io/schema.h"
#include "io/url.h"

#include <stdio.h>
#include <string.h>

enum { TILE_CELL_COUNT = 1 << 15, TILE_ROW_COUNT_MAX = 4096, SAMPLE_ROW_COUNT = 2000 };

typedef struct tile {
    double *values;
    int64_t *times_ns;
    uint8_t *labels;
    size_t capacity;
} tile;

static tcs_status tile_init(tile *t, size_t channel_count, tcs_error *err)
{
    size_t cell_count;
    t->capacity = TILE_CELL_COUNT / channel_count < 1 ? 1 : TILE_CELL_COUNT / channel_count;
    if (t->capacity > TILE_ROW_COUNT_MAX) t->capacity = TILE_ROW_COUNT_MAX;
    if (!tcsi_multiply(t->capacity, channel_count, &cell_count)) return tcsi_fail_memory(err, "rows");
    t->values = TCSI_NEW_ARRAY(double, cell_count);
    t->times_ns = TCSI_NEW_ARRAY(int64_t, t->capacity);
    t->labels = TCSI_NEW_ARRAY(uint8_t, t->capacity);
    return t->values && t->times_ns && t->labels ? TCS_OK : tcsi_fail_memory(err, "rows");
}

static void tile_deinit(tile *t)
{
    tcsi_free(t->values);
    tcsi_free(t->times_ns);
    tcsi_free(t->labels);
}

/* from (R,C) to (C,stride), R rows. */
static void transpose(const double *from, size_t row_count, size_t channel_count, double *to, size_t stride)
{
    for (size_t c = 0; c < channel_count; c++)
        for (size_t r = 0; r < row_count; r++) to[c * stride + r] = from[r * channel_count + c];
}

/* Room for `extra` rows more; from the share of the input already read when that is known, else half as much again. */
static tcs_status make_room(tcsi_frame *frame, size_t extra, double progress, tcs_error *err)
{
    size_t need = frame->row_count + extra;
    if (need <= frame->stride) return TCS_OK;
    double all = progress > 0 ? (double)need / progress * 1.03 : 0;
    size_t guess = all < 1e15 ? (size_t)all : 0;
    if (guess > need && tcsi_frame_reserve(frame, guess, NULL) == TCS_OK) return TCS_OK;
    return tcsi_frame_reserve(frame, need + frame->row_count / 2, err);
}

/* Where the next tile goes: into the frame itself, where it has room and no need to turn rows into columns. */
static tcsi_rows aim(const tile *t, const tcsi_frame *frame)
{
    tcsi_rows rows = { t->values, t->times_ns, t->labels, t->capacity, 0 };
    size_t at = frame->row_count;
    if (frame->stride - at < t->capacity) return rows;
    if (frame->channel_count == 1) rows.values = frame->values + at;
    if (frame->times_ns) rows.times_ns = frame->times_ns + at;
    if (frame->labels) rows.labels = frame->labels + at;
    return rows;
}

static void land(const tcsi_rows *rows, tcsi_frame *frame)
{
    size_t at = frame->row_count;
    if (rows->values != frame->values + at) transpose(rows->values, rows->count, frame->channel_count, frame->values + at, frame->stride);
    if (frame->times_ns && rows->times_ns != frame->times_ns + at)
        memcpy(frame->times_ns + at, rows->times_ns, rows->count * sizeof *rows->times_ns);
    if (frame->labels && rows->labels != frame->labels + at) memcpy(frame->labels + at, rows->labels, rows->count);
    frame->row_count += rows->count;
}

static tcs_status fill_frame(tcsi_table *table, tcsi_frame *frame, tcs_error *err)
{
    tile t = { 0 };
    tcs_status status = tile_init(&t, frame->channel_count, err);
    while (status == TCS_OK) {
        tcsi_rows rows = aim(&t, frame);
        status = tcsi_table_read(table, &rows, err);
        if (status != TCS_OK || rows.count == 0) break;
        status = make_room(frame, rows.count, table->ops->progress(table), err);
        if (status == TCS_OK) land(&rows, frame);
    }
    tile_deinit(&t);
    return status;
}

/* ---- what only all rows can tell ---- */

static const char *why_drop(const tcsi_table *table, const tcsi_frame *frame, const tcsi_read_column *column)
{
    if (column->missing_count == frame->row_count) return tcsi_reason_empty;
    if (column->malformed_count * 2 > frame->row_count - column->missing_count) return tcsi_reason_text;
    if (column->missing_count + column->infinite_count + column->malformed_count > 0 || table->keeps_counters) return NULL;
    return tcsi_schema_is_counter(tcsi_frame_column(frame, column->channel), 1, frame->row_count) ? tcsi_reason_counter : NULL;
}

/* Takes the channels out whose columns lost the role VALUE; order stays. */
static void close_up(tcsi_frame *frame, tcsi_read_report *report, const bool *dropped)
{
    size_t kept = 0;
    for (size_t c = 0; c < frame->channel_count; c++) {
        tcsi_channel channel = frame->channels[c];
        if (dropped[c]) {
            tcsi_free(channel.name);
            tcsi_free(channel.unit);
            continue;
        }
        if (kept != c) memmove(frame->values + kept * frame->stride, frame->values + c * frame->stride, frame->row_count * sizeof(double));
        frame->channels[kept++] = channel;
    }
    frame->channel_count = report->value_count = kept;
    for (size_t c = 0, next = 0; c < report->column_count; c++)
        if (report->columns[c].role == TCSI_COLUMN_VALUE) report->columns[c].channel = next++;
}

static tcs_status drop_columns(tcsi_table *table, tcsi_frame *frame, tcs_error *err)
{
    tcsi_read_report *report = &table->report;
    bool *dropped = TCSI_NEW_ZEROS(bool, frame->channel_count);
    if (!dropped) return tcsi_fail_memory(err, "columns");
    size_t drop_count = 0, last_counter = SIZE_MAX;
    const tcsi_read_column *last = NULL;
    for (size_t c = 0; c < report->column_count; c++) {
        tcsi_read_column *column = &report->columns[c];
        if (column->role != TCSI_COLUMN_VALUE || !(column->reason = why_drop(table, frame, column))) continue;
        dropped[column->channel] = true;
        drop_count++;
        last = column;
        if (column->reason == tcsi_reason_counter) last_counter = c;
    }
    if (drop_count == frame->channel_count && last_counter != SIZE_MAX) { /* a counter that is the only column left is data */
        dropped[report->columns[last_counter].channel] = false;
        report->columns[last_counter].reason = NULL;
        drop_count--;
    }
    tcs_status status = TCS_OK;
    if (drop_count == frame->channel_count) {
        status = tcsi_fail(err, TCS_E_FORMAT, "%s: no column holds numbers; '%s' %s%s", report->source, last->name,
                           last->reason == tcsi_reason_text ? "is " : "", last->reason);
    } else if (drop_count > 0) {
        for (size_t c = 0; c < report->column_count; c++)
            if (report->columns[c].role == TCSI_COLUMN_VALUE && report->columns[c].reason) report->columns[c].role = TCSI_COLUMN_SKIPPED;
        close_up(frame, report, dropped);
    }
    tcsi_free(dropped);
    return status;
}

static void fill_leading_times(tcsi_table *table, tcsi_frame *frame)
{
    size_t count = table->time_leading_count;
    if (!frame->times_ns || count == 0 || count >= frame->row_count) return;
    for (size_t i = 0; i < count; i++) frame->times_ns[i] = frame->times_ns[count];
    table->report.time_first_ns = frame->times_ns[0];
}

static tcs_status finish(tcsi_table *table, const tcsi_read_options *options, tcsi_frame *frame, tcs_error *err)
{
    tcsi_read_report *report = &table->report;
    if (frame->row_count == 0) return tcsi_fail(err, TCS_E_FORMAT, "%s: holds no rows", report->source);
    if (report->time_column != SIZE_MAX && !table->has_time_last)
        return tcsi_fail(err, TCS_E_FORMAT, "%s: column '%s' holds no time that can be read", report->source,
                         report->columns[report->time_column].name);
    fill_leading_times(table, frame);
    tcs_status status = options->column_count > 0 ? TCS_OK : drop_columns(table, frame, err);
    for (size_t c = 0; c < report->column_count; c++) {
        const tcsi_read_column *column = &report->columns[c];
        if (column->role != TCSI_COLUMN_VALUE) continue;
        report->missing_count += column->missing_count;
        report->infinite_count += column->infinite_count;
        report->malformed_count += column->malformed_count;
        report->beyond_count += column->beyond_count;
    }
    return status;
}

static tcs_status name_channels(const tcsi_read_report *report, tcsi_frame *frame, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t c = 0; c < report->column_count && status == TCS_OK; c++)
        if (report->columns[c].role == TCSI_COLUMN_VALUE)
            status = tcsi_frame_channel_rename(frame, report->columns[c].channel, report->columns[c].name, err);
    if (status != TCS_OK) return status;
    if (report->time_column != SIZE_MAX && !(frame->time_name = tcsi_strdup(report->columns[report->time_column].name)))
        return tcsi_fail_memory(err, "a column name");
    if (report->label_column != SIZE_MAX && !(frame->label_name = tcsi_strdup(report->columns[report->label_column].name)))
        return tcsi_fail_memory(err, "a column name");
    return TCS_OK;
}

static const tcsi_read_options none = { 0 };

static tcsi_table_open_options open_options_of(const tcsi_read_options *options)
{
    return (tcsi_table_open_options){ options, options->sample_row_count ? options->sample_row_count : SAMPLE_ROW_COUNT, false };
}

/* Takes the table. */
static tcs_status read_table(tcsi_table *table, const tcsi_read_options *options, tcsi_frame **ret_frame, tcsi_read_report *ret_report,
                             tcs_error *err)
{
    table->keeps_counters |= options->keep_counters;
    tcsi_frame *frame = NULL;
    const tcsi_read_report *report = &table->report;
    tcs_status status = tcsi_frame_create(report->value_count, 0, !report->is_tabular, report->label_column != SIZE_MAX, &frame, err);
    if (status == TCS_OK) status = name_channels(report, frame, err);
    if (status == TCS_OK) status = fill_frame(table, frame, err);
    if (status == TCS_OK) status = finish(table, options, frame, err);
    if (status == TCS_OK) {
        *ret_frame = frame;
        frame = NULL;
        if (ret_report) {
            *ret_report = table->report;
            table->report = (tcsi_read_report){ 0 };
        }
    }
    tcsi_frame_destroy(frame);
    tcsi_table_destroy(table);
    return status;
}

tcs_status tcsi_read_frame(const char *path, const tcsi_read_options *options, tcsi_frame **ret_frame, tcsi_read_report *ret_report,
                           tcs_error *err)
{
    if (!options) options = &none;
    tcsi_table_open_options open_options = open_options_of(options);
    tcsi_table *table = NULL;
    tcs_status status = tcsi_input_open(path, &open_options, &table, err);
    return status == TCS_OK ? read_table(table, options, ret_frame, ret_report, err) : status;
}

tcs_status tcsi_read_frame_memory(const void *bytes, size_t size, const char *name, const tcsi_read_options *options,
                                  tcsi_frame **ret_frame, tcsi_read_report *ret_report, tcs_error *err)
{
    if (!options) options = &none;
    tcsi_table_open_options open_options = open_options_of(options);
    tcsi_stream *stream = NULL;
    tcsi_table *table = NULL;
    tcs_status status = tcsi_stream_open_memory(bytes, size, name, &stream, err);
    if (status == TCS_OK) status = tcsi_table_open(stream, &open_options, &table, err);
    return status == TCS_OK ? read_table(table, options, ret_frame, ret_report, err) : status;
}
