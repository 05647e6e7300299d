/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/self/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "serve/self/trace.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE_MAX = 16 << 10 };

static int line_file = -1;
static _Atomic uint64_t lost_count;

static void format_time(int64_t wall_ns, char *ret_text, size_t size)
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm when = { 0 };
    gmtime_r(&seconds, &when);
    snprintf(ret_text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", when.tm_year + 1900, when.tm_mon + 1, when.tm_mday, when.tm_hour,
             when.tm_min, when.tm_sec, (int)(wall_ns / 1000000 % 1000));
}

tcs_status tcsi_log_line(int64_t wall_ns, tcsi_log_level level, const char *id, const char *text, tcsi_buffer *out, tcs_error *err)
{
    static const char *const levels[] = { "error", "warning", "info", "debug" };
    const tcsi_trace *trace = tcsi_trace_current();
    char when[64];
    tcsi_json_writer writer;
    format_time(wall_ns, when, sizeof when);
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "time", when);
    tcsi_json_put_string(&writer, "level", levels[level]);
    tcsi_json_put_string(&writer, "id", id);
    tcsi_json_put_string(&writer, "message", text);
    if (trace) {
        tcsi_json_put_string(&writer, "trace_id", trace->trace_id);
        tcsi_json_put_string(&writer, "span_id", trace->span_id);
    }
    tcsi_json_end_object(&writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    return status == TCS_OK ? tcsi_buffer_puts(out, "\n", err) : status;
}

static void write_line(void *context, tcsi_log_level level, const char *id, const char *text)
{
    tcsi_buffer line;
    ssize_t written;
    (void)context;
    tcsi_buffer_init(&line, LINE_SIZE_MAX);
    tcs_status status = tcsi_log_line(tcsi_clock_wall_ns(), level, id, text, &line, NULL);
    do written = status == TCS_OK ? write(line_file, line.data, line.size) : -1;
    while (written < 0 && status == TCS_OK && errno == EINTR);
    if (written != (ssize_t)line.size) atomic_fetch_add(&lost_count, 1);
    tcsi_buffer_deinit(&line);
}

void tcsi_log_lines_begin(int file, tcsi_log_level level_max)
{
    line_file = file;
    tcsi_log_set(write_line, NULL, level_max);
}

void tcsi_log_lines_end(void)
{
    tcsi_log_set(NULL, NULL, TCSI_LOG_ERROR);
    line_file = -1;
}

uint64_t tcsi_log_lines_lost(void)
{
    return atomic_load(&lost_count);
}
