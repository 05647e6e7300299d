/* SPDX-License-Identifier: Apache-2.0 */
#include "labels.h"

#include "base/buffer.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_MAX = 1 << 26 };

/* The first row that is not before a time, or, is_last, behind the last one that is not after it. */
static size_t row_of_time(const tcs_frame *frame, int64_t time_ns, bool is_last)
{
    const int64_t *times = tcs_frame_times_ns(frame);
    size_t low = 0, high = tcs_frame_row_count(frame);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (times[middle] < time_ns || (is_last && times[middle] == time_ns)) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* A row or a time; *ret_row: the first, or, is_last, the one behind the last. */
static bool take_place(const tcs_frame *frame, const char *text, bool is_last, size_t *ret_row)
{
    char *end;
    int64_t time_ns;
    const unsigned long long row = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == 0) {
        if (row >= tcs_frame_row_count(frame)) return false;
        *ret_row = (size_t)row + is_last;
        return true;
    }
    if (!tcs_frame_has_real_times(frame) || tcs_time_parse(text, &time_ns, NULL) != TCS_OK) return false;
    *ret_row = row_of_time(frame, time_ns, is_last);
    return true;
}

static char *trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1])) text[--length] = 0;
    while (*text == ' ' || *text == '\t') text++;
    length = strlen(text);
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text[length - 1] = 0;
        text++;
    }
    return text;
}

/* False: it is no label. */
static bool take_line(char *line, const tcs_frame *frame, tcs_result *result, tcs_status *ret_status, tcs_error *err)
{
    char *to = strchr(line, ','), *label = to ? strchr(to + 1, ',') : NULL;
    size_t begin, end;
    if (!label) return false;
    *to++ = *label++ = 0;
    label = trim(label);
    if (*label == 0 || !take_place(frame, trim(line), false, &begin) || !take_place(frame, trim(to), true, &end)) return false;
    if (begin < end) *ret_status = tcs_result_label(result, begin, end, label, err); /* else no row is between the two times */
    return true;
}

tcs_status cli_labels_apply(const char *path, tcs_result *result, tcs_error *err)
{
    const tcs_frame *frame = tcs_result_frame(result);
    tcsi_buffer text;
    if (!path) return TCS_OK;
    tcsi_buffer_init(&text, FILE_SIZE_MAX);
    tcs_status status = tcsi_file_read(path, &text, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&text, "", 1, err); /* the end */
    char *line = text.data;
    for (size_t number = 1; status == TCS_OK && line && *line; number++) {
        char *next = strchr(line, '\n');
        if (next) *next++ = 0;
        const bool is_empty = *trim(line) == 0;
        if (!is_empty && !take_line(line, frame, result, &status, err) && number > 1)
            status = tcsi_fail(err, TCS_E_FORMAT, "%.200s:%zu: expected FROM,TO,LABEL with times or rows of the input", path, number);
        line = next;
    }
    tcsi_buffer_deinit(&text);
    return status;
}
