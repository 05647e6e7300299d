/* SPDX-License-Identifier: Apache-2.0 */
#include "series/frame.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static tcs_status allocate(tcsi_frame *frame, size_t row_capacity, bool has_times, bool has_labels, tcs_error *err)
{
    size_t cell_count;
    if (!tcsi_multiply(frame->channel_count, row_capacity, &cell_count))
        return tcsi_fail(err, TCS_E_LIMIT, "%zu channels x %zu rows do not fit in memory", frame->channel_count, row_capacity);
    frame->stride = row_capacity;
    frame->values = TCSI_NEW_ARRAY(double, cell_count);
    frame->channels = TCSI_NEW_ZEROS(tcsi_channel, frame->channel_count);
    if (has_times) frame->times_ns = TCSI_NEW_ARRAY(int64_t, row_capacity);
    if (has_labels) frame->labels = TCSI_NEW_ARRAY(uint8_t, row_capacity);
    if (!frame->values || !frame->channels || (has_times && !frame->times_ns) || (has_labels && !frame->labels))
        return tcsi_fail_memory(err, "a frame");
    for (size_t c = 0; c < frame->channel_count; c++) {
        char name[32];
        snprintf(name, sizeof name, "c%zu", c);
        frame->channels[c].name = tcsi_strdup(name);
        if (!frame->channels[c].name) return tcsi_fail_memory(err, "a channel name");
    }
    return TCS_OK;
}

tcs_status tcsi_frame_create(size_t channel_count, size_t row_capacity, bool has_times, bool has_labels,
                             tcsi_frame **ret_frame, tcs_error *err)
{
    if (channel_count > TCSI_FRAME_CHANNEL_COUNT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "%zu channels: at most %zu are supported", channel_count, TCSI_FRAME_CHANNEL_COUNT_MAX);
    tcsi_frame *frame = TCSI_NEW(tcsi_frame);
    if (!frame) return tcsi_fail_memory(err, "a frame");
    frame->channel_count = channel_count;
    tcs_status status = allocate(frame, row_capacity, has_times, has_labels, err);
    if (status != TCS_OK) {
        tcsi_frame_destroy(frame);
        return status;
    }
    *ret_frame = frame;
    return TCS_OK;
}

void tcsi_frame_destroy(tcsi_frame *frame)
{
    if (!frame) return;
    TCS_ASSERT(!frame->is_view);
    for (size_t c = 0; frame->channels && c < frame->channel_count; c++) {
        tcsi_free(frame->channels[c].name);
        tcsi_free(frame->channels[c].unit);
    }
    tcsi_free(frame->channels);
    tcsi_free(frame->values);
    tcsi_free(frame->times_ns);
    tcsi_free(frame->labels);
    tcsi_free(frame->time_name);
    tcsi_free(frame->label_name);
    tcsi_free(frame);
}

tcs_status tcsi_frame_reserve(tcsi_frame *frame, size_t row_capacity, tcs_error *err)
{
    TCS_ASSERT(!frame->is_view);
    if (row_capacity <= frame->stride) return TCS_OK;
    size_t cell_count;
    if (!tcsi_multiply(frame->channel_count, row_capacity, &cell_count))
        return tcsi_fail(err, TCS_E_LIMIT, "%zu channels x %zu rows do not fit in memory", frame->channel_count, row_capacity);
    if (frame->times_ns) {
        int64_t *times_ns = tcsi_realloc_array(frame->times_ns, row_capacity, sizeof *times_ns);
        if (!times_ns) return tcsi_fail_memory(err, "time stamps");
        frame->times_ns = times_ns;
    }
    if (frame->labels) {
        uint8_t *labels = tcsi_realloc_array(frame->labels, row_capacity, sizeof *labels);
        if (!labels) return tcsi_fail_memory(err, "labels");
        frame->labels = labels;
    }
    double *values = tcsi_realloc_array(frame->values, cell_count, sizeof *values);
    if (!values) return tcsi_fail_memory(err, "values");
    frame->values = values;
    for (size_t c = frame->channel_count; c-- > 1;)
        memmove(values + c * row_capacity, values + c * frame->stride, frame->row_count * sizeof *values);
    frame->stride = row_capacity;
    return TCS_OK;
}

/* A few thousand cells, or a few rows where those are wider: the columns of a wide frame lie so near each other that every page of
 * rows that may never come would be touched. */
static size_t first_rows(const tcsi_frame *frame)
{
    enum { ROWS_MIN = 4, ROWS_MAX = 128, CELLS = 1 << 16 };
    size_t rows = frame->channel_count > 0 ? CELLS / frame->channel_count : ROWS_MAX;
    return rows < ROWS_MIN ? ROWS_MIN : rows > ROWS_MAX ? ROWS_MAX : rows;
}

tcs_status tcsi_frame_append(tcsi_frame *frame, const double *row, int64_t time_ns, uint8_t label, tcs_error *err)
{
    if (frame->row_count == frame->stride) {
        size_t larger = frame->stride + frame->stride / 2, first = first_rows(frame);
        tcs_status status = tcsi_frame_reserve(frame, larger > first ? larger : first, err);
        if (status != TCS_OK) return status;
    }
    size_t at = frame->row_count++;
    for (size_t c = 0; c < frame->channel_count; c++) frame->values[c * frame->stride + at] = row[c];
    if (frame->times_ns) frame->times_ns[at] = time_ns;
    if (frame->labels) frame->labels[at] = label;
    return TCS_OK;
}

tcs_status tcsi_frame_channel_rename(tcsi_frame *frame, size_t channel, const char *name, tcs_error *err)
{
    TCS_ASSERT(channel < frame->channel_count && !frame->is_view);
    char *copy = tcsi_strdup(name);
    if (!copy) return tcsi_fail_memory(err, "a channel name");
    tcsi_free(frame->channels[channel].name);
    frame->channels[channel].name = copy;
    return TCS_OK;
}

double *tcsi_frame_column(const tcsi_frame *frame, size_t channel)
{
    TCS_ASSERT(channel < frame->channel_count);
    return frame->values + channel * frame->stride;
}

void tcsi_frame_row(const tcsi_frame *frame, size_t row, double *ret_values)
{
    TCS_ASSERT(row < frame->row_count);
    for (size_t c = 0; c < frame->channel_count; c++) ret_values[c] = frame->values[c * frame->stride + row];
}

tcsi_frame tcsi_frame_view(const tcsi_frame *frame, size_t row_begin, size_t row_count)
{
    TCS_ASSERT(row_begin <= frame->row_count && row_count <= frame->row_count - row_begin);
    tcsi_frame view = *frame;
    view.row_count = row_count;
    view.values = frame->values + row_begin;
    if (view.times_ns) view.times_ns += row_begin;
    if (view.labels) view.labels += row_begin;
    view.is_view = true;
    return view;
}

static tcs_status copy_names(const tcsi_frame *from, const size_t *channels, tcsi_frame *to, tcs_error *err)
{
    for (size_t c = 0; c < to->channel_count; c++) {
        const tcsi_channel *channel = &from->channels[channels[c]];
        tcs_status status = tcsi_frame_channel_rename(to, c, channel->name, err);
        if (status != TCS_OK) return status;
        if (channel->unit && !(to->channels[c].unit = tcsi_strdup(channel->unit))) return tcsi_fail_memory(err, "a unit");
    }
    if (from->time_name && !(to->time_name = tcsi_strdup(from->time_name))) return tcsi_fail_memory(err, "a name");
    if (from->label_name && !(to->label_name = tcsi_strdup(from->label_name))) return tcsi_fail_memory(err, "a name");
    return TCS_OK;
}

tcs_status tcsi_frame_select(const tcsi_frame *frame, const size_t *channels, size_t channel_count,
                             tcsi_frame **ret_frame, tcs_error *err)
{
    tcsi_frame *result;
    tcs_status status = tcsi_frame_create(channel_count, frame->row_count, frame->times_ns, frame->labels, &result, err);
    if (status != TCS_OK) return status;
    result->row_count = frame->row_count;
    for (size_t c = 0; c < channel_count; c++)
        memcpy(tcsi_frame_column(result, c), tcsi_frame_column(frame, channels[c]), frame->row_count * sizeof(double));
    if (frame->times_ns) memcpy(result->times_ns, frame->times_ns, frame->row_count * sizeof *frame->times_ns);
    if (frame->labels) memcpy(result->labels, frame->labels, frame->row_count);
    status = copy_names(frame, channels, result, err);
    if (status != TCS_OK) {
        tcsi_frame_destroy(result);
        return status;
    }
    *ret_frame = result;
    return TCS_OK;
}
