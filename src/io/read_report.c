/* io/read_report.c -- what a reader guessed and counted, in words and in JSON.  SPDX-License-Identifier: Apache-2.0 */
#include "io/read.h"

#include "base/alloc.h"

#include <string.h>

void tcsi_read_report_deinit(tcsi_read_report *report)
{
    for (size_t c = 0; c < report->column_count; c++) tcsi_free(report->columns[c].name);
    tcsi_free(report->columns);
    tcsi_free(report->source);
    tcsi_free(report->warning);
    *report = (tcsi_read_report){ 0 };
}

typedef struct printer {
    tcsi_buffer *out;
    tcs_status status;
    tcs_error *err;
} printer;

#define PRINT(p, ...)                                                                                         \
    do {                                                                                                      \
        if ((p)->status == TCS_OK) (p)->status = tcsi_buffer_printf((p)->out, (p)->err, __VA_ARGS__); \
    } while (0)

static const char *plural(uint64_t count) { return count == 1 ? "" : "s"; }
static const char *verb(uint64_t count) { return count == 1 ? "is" : "are"; }

static const char *delimiter_name(char delimiter)
{
    switch (delimiter) {
    case ',': return "comma";
    case ';': return "semicolon";
    case '\t': return "tab";
    case '|': return "bar";
    case ' ': return "blank";
    default: return "none";
    }
}

/* "name" or "#3" for a column without one. */
static void print_name(printer *p, const tcsi_read_report *report, size_t column)
{
    const char *name = report->columns[column].name;
    if (*name) PRINT(p, "%s", name);
    else PRINT(p, "#%zu (no name)", column);
}

static void print_format(printer *p, const tcsi_read_report *report)
{
    PRINT(p, "%s: %s", report->source, report->format);
    if (strcmp(report->compression, "none") != 0) PRINT(p, " in %s", report->compression);
    if (report->delimiter)
        PRINT(p, ", delimiter %s, %s", delimiter_name(report->delimiter), report->has_header ? "with header" : "no header");
    if (report->decimal == ',') PRINT(p, ", decimal comma");
    if (strcmp(report->encoding, "UTF-8") != 0 && strcmp(report->encoding, "binary") != 0) PRINT(p, ", %s", report->encoding);
    PRINT(p, "; %llu row%s, %zu value column%s\n", (unsigned long long)report->row_count, plural(report->row_count), report->value_count,
          plural(report->value_count));
}

static void print_time(printer *p, const tcsi_read_report *report)
{
    char first[TCSI_TIME_TEXT_SIZE], last[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(report->time_first_ns, first, sizeof first); /* the size suffices */
    (void)tcsi_time_format_iso(report->time_last_ns, last, sizeof last);
    if (report->is_tabular) {
        PRINT(p, "time: no time column; rows are taken as independent records (tabular)\n");
        return;
    }
    if (report->time_column == SIZE_MAX) {
        PRINT(p, "time: no time column; rows are taken as a series, one a second\n");
        return;
    }
    PRINT(p, "time: ");
    print_name(p, report, report->time_column);
    PRINT(p, " (%s%s), %s to %s\n", tcsi_time_format_name(&report->time_format),
          report->time_format.ambiguous ? "; day and month could be swapped" : "", first, last);
    if (report->time_duplicate_count + report->time_reversed_count > 0)
        PRINT(p, "time: %llu row%s repeat%s the time before, %llu go%s back\n", (unsigned long long)report->time_duplicate_count,
              plural(report->time_duplicate_count), report->time_duplicate_count == 1 ? "s" : "",
              (unsigned long long)report->time_reversed_count, report->time_reversed_count == 1 ? "es" : "");
    if (report->time_malformed_count > 0)
        PRINT(p, "time: %llu cell%s %s no time, first in line %llu; taken as the time before\n",
              (unsigned long long)report->time_malformed_count, plural(report->time_malformed_count), verb(report->time_malformed_count),
              (unsigned long long)report->time_malformed_line);
}

static void print_label(printer *p, const tcsi_read_report *report)
{
    if (report->label_column == SIZE_MAX) return;
    PRINT(p, "label: ");
    print_name(p, report, report->label_column);
    PRINT(p, ", %llu row%s marked", (unsigned long long)report->label_one_count, plural(report->label_one_count));
    if (report->label_missing_count > 0) PRINT(p, ", %llu empty taken as 0", (unsigned long long)report->label_missing_count);
    PRINT(p, "\n");
}

enum { COLUMN_SHOWN_MAX = 12 };

static void print_columns(printer *p, const tcsi_read_report *report)
{
    size_t shown = 0;
    for (size_t c = 0; c < report->column_count; c++) {
        const tcsi_read_column *column = &report->columns[c];
        if (column->role != TCSI_COLUMN_SKIPPED || shown++ >= COLUMN_SHOWN_MAX) continue;
        PRINT(p, "not used: ");
        print_name(p, report, c);
        PRINT(p, ": %s\n", column->reason);
    }
    if (shown > COLUMN_SHOWN_MAX) PRINT(p, "not used: %zu more columns\n", shown - COLUMN_SHOWN_MAX);
    shown = 0;
    for (size_t c = 0; c < report->column_count; c++) {
        const tcsi_read_column *column = &report->columns[c];
        if (column->role != TCSI_COLUMN_VALUE || column->malformed_count == 0 || shown++ >= COLUMN_SHOWN_MAX) continue;
        print_name(p, report, c);
        PRINT(p, ": %llu cell%s %s no number%s, first in line %llu: '%s'; taken as missing\n",
              (unsigned long long)column->malformed_count, plural(column->malformed_count), verb(column->malformed_count),
              plural(column->malformed_count), (unsigned long long)column->malformed_line, column->malformed_text);
    }
}

static void print_counts(printer *p, const tcsi_read_report *report)
{
    const uint64_t missing = report->missing_count, infinite = report->infinite_count, ragged = report->ragged_count;
    if (missing > 0) PRINT(p, "%llu value%s %s missing\n", (unsigned long long)missing, plural(missing), verb(missing));
    if (infinite > 0)
        PRINT(p, "%llu value%s %s infinite, taken as missing\n", (unsigned long long)infinite, plural(infinite), verb(infinite));
    if (report->beyond_count > 0)
        PRINT(p, "%llu value%s %s beyond %g, which no detector takes\n", (unsigned long long)report->beyond_count,
              plural(report->beyond_count), verb(report->beyond_count), TCS_VALUE_MAX);
    if (ragged > 0)
        PRINT(p, "%llu row%s skipped for a wrong number of columns, first in line %llu\n", (unsigned long long)ragged, plural(ragged),
              (unsigned long long)report->ragged_line);
    if (report->blank_count + report->comment_count > 0)
        PRINT(p, "%llu blank line%s and %llu comment%s passed over\n", (unsigned long long)report->blank_count,
              plural(report->blank_count), (unsigned long long)report->comment_count, plural(report->comment_count));
}

tcs_status tcsi_read_report_print(const tcsi_read_report *report, tcsi_buffer *out, tcs_error *err)
{
    printer p = { out, TCS_OK, err };
    print_format(&p, report);
    if (report->warning) PRINT(&p, "warning: %s\n", report->warning);
    print_time(&p, report);
    print_label(&p, report);
    print_columns(&p, report);
    print_counts(&p, report);
    return p.status;
}

/* ---- JSON ---- */

static void json_column(tcsi_json_writer *writer, const tcsi_read_column *column)
{
    static const char *const roles[] = { "value", "time", "label", "skipped" };
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "name", column->name);
    tcsi_json_put_string(writer, "role", roles[column->role]);
    if (column->reason) tcsi_json_put_string(writer, "reason", column->reason);
    if (column->missing_count > 0) tcsi_json_put_integer(writer, "missing", column->missing_count);
    if (column->infinite_count > 0) tcsi_json_put_integer(writer, "infinite", column->infinite_count);
    if (column->beyond_count > 0) tcsi_json_put_integer(writer, "beyond", column->beyond_count);
    if (column->malformed_count > 0) {
        tcsi_json_put_integer(writer, "malformed", column->malformed_count);
        tcsi_json_put_integer(writer, "malformed_line", column->malformed_line);
        tcsi_json_put_string(writer, "malformed_text", column->malformed_text);
    }
    tcsi_json_end_object(writer);
}

static void json_time(tcsi_json_writer *writer, const tcsi_read_report *report)
{
    char stamp[TCSI_TIME_TEXT_SIZE];
    tcsi_json_put_string(writer, "time", report->time_column != SIZE_MAX ? report->columns[report->time_column].name : NULL);
    if (report->time_column == SIZE_MAX) return;
    tcsi_json_put_string(writer, "time_format", tcsi_time_format_name(&report->time_format));
    tcsi_json_key(writer, "time_ambiguous");
    tcsi_json_bool(writer, report->time_format.ambiguous);
    (void)tcsi_time_format_iso(report->time_first_ns, stamp, sizeof stamp);
    tcsi_json_put_string(writer, "time_first", stamp);
    (void)tcsi_time_format_iso(report->time_last_ns, stamp, sizeof stamp);
    tcsi_json_put_string(writer, "time_last", stamp);
    tcsi_json_put_integer(writer, "time_duplicates", report->time_duplicate_count);
    tcsi_json_put_integer(writer, "time_reversed", report->time_reversed_count);
    tcsi_json_put_integer(writer, "time_malformed", report->time_malformed_count);
}

void tcsi_read_report_json(const tcsi_read_report *report, tcsi_json_writer *writer)
{
    char mark[2] = { 0 };
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "source", report->source);
    tcsi_json_put_string(writer, "format", report->format);
    tcsi_json_put_string(writer, "compression", report->compression);
    tcsi_json_put_string(writer, "encoding", report->encoding);
    if (report->delimiter) {
        mark[0] = report->delimiter;
        tcsi_json_put_string(writer, "delimiter", mark);
        mark[0] = report->decimal;
        tcsi_json_put_string(writer, "decimal", mark);
        tcsi_json_key(writer, "header");
        tcsi_json_bool(writer, report->has_header);
    }
    if (report->warning) tcsi_json_put_string(writer, "warning", report->warning);
    tcsi_json_put_integer(writer, "rows", report->row_count);
    tcsi_json_key(writer, "tabular");
    tcsi_json_bool(writer, report->is_tabular);
    json_time(writer, report);
    tcsi_json_put_string(writer, "label", report->label_column != SIZE_MAX ? report->columns[report->label_column].name : NULL);
    if (report->label_column != SIZE_MAX) {
        tcsi_json_put_integer(writer, "label_ones", report->label_one_count);
        tcsi_json_put_integer(writer, "label_missing", report->label_missing_count);
    }
    tcsi_json_put_integer(writer, "missing", report->missing_count);
    tcsi_json_put_integer(writer, "infinite", report->infinite_count);
    tcsi_json_put_integer(writer, "beyond", report->beyond_count);
    tcsi_json_put_integer(writer, "malformed", report->malformed_count);
    tcsi_json_put_integer(writer, "ragged_skipped", report->ragged_count);
    tcsi_json_key(writer, "columns");
    tcsi_json_begin_array(writer);
    for (size_t c = 0; c < report->column_count; c++) json_column(writer, &report->columns[c]);
    tcsi_json_end_array(writer);
    tcsi_json_end_object(writer);
}
