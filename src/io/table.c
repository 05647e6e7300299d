/* io/table.c -- opening an input by what it holds, and the accounting that all formats share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/table.h"

#include "base/alloc.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

typedef tcs_status (*opener)(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table, tcs_error *err);

static const struct {
    const char *name;
    opener open;
} formats[] = { { "csv", tcsi_csv_open }, { "ndjson", tcsi_ndjson_open }, { "npy", tcsi_npy_open }, { "npz", tcsi_npz_open } };

static tcs_status choose_by_name(const char *name, opener *ret_open, tcs_error *err)
{
    const char *names[TCS_COUNT(formats)];
    for (size_t i = 0; i < TCS_COUNT(formats); i++) {
        names[i] = formats[i].name;
        if (!tcsi_text_equal_nocase(names[i], name)) continue;
        *ret_open = formats[i].open;
        return TCS_OK;
    }
    const char *nearest = tcsi_text_nearest(name, names, TCS_COUNT(formats));
    return tcsi_fail(err, TCS_E_INVALID, "no input format '%s'; %s%s", name,
                     nearest ? "did you mean " : "expected csv, ndjson, npy or npz", nearest ? nearest : "");
}

/* NPY and ZIP have magic bytes; a text that begins with a brace, or with a bracket that no CSV row would, is JSON. */
static tcs_status choose_by_content(tcsi_stream *stream, opener *ret_open, tcs_error *err)
{
    char magic[TCSI_STREAM_PEEK_SIZE];
    size_t size = 0;
    tcs_status status = tcsi_stream_peek(stream, "\x93P", magic, sizeof magic, &size, err);
    if (status != TCS_OK) return status;
    if (size >= 6 && memcmp(magic, "\x93NUMPY", 6) == 0) *ret_open = tcsi_npy_open;
    else if (size >= 4 && (memcmp(magic, "PK\x03\x04", 4) == 0 || memcmp(magic, "PK\x05\x06", 4) == 0)) *ret_open = tcsi_npz_open;
    else if (size >= 1 && (magic[0] == '{' || magic[0] == '[')) *ret_open = tcsi_ndjson_open;
    else *ret_open = tcsi_csv_open;
    if (size >= 8 && memcmp(magic, "\x89HDF\r\n\x1A\n", 8) == 0)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: is HDF5, which is not supported; export it as CSV or NPY", tcsi_stream_name(stream));
    if (size >= 16 && memcmp(magic, "SQLite format 3", 16) == 0)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: is a SQLite database; it is read by a query: sqlite:PATH", tcsi_stream_name(stream));
    if (size >= 4 && memcmp(magic, "PAR1", 4) == 0)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: is Parquet, which is not supported; export it as CSV or NPY",
                         tcsi_stream_name(stream));
    return TCS_OK;
}

tcs_status tcsi_table_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table, tcs_error *err)
{
    opener open = NULL;
    tcs_status status = options->read->format ? choose_by_name(options->read->format, &open, err) : choose_by_content(stream, &open, err);
    if (status == TCS_OK) status = open(stream, options, ret_table, err);
    if (status != TCS_OK) tcsi_stream_close(stream);
    return status;
}

void tcsi_table_destroy(tcsi_table *table)
{
    if (!table) return;
    tcsi_read_report report = table->report;
    table->ops->destroy(table);
    tcsi_read_report_deinit(&report);
}

static void account_times(tcsi_read_report *report, const tcsi_rows *rows)
{
    const int64_t *times_ns = rows->times_ns;
    uint64_t duplicates = 0, reversals = 0;
    if (report->row_count == 0) {
        report->time_first_ns = times_ns[0];
    } else {
        duplicates += times_ns[0] == report->time_last_ns;
        reversals += times_ns[0] < report->time_last_ns;
    }
    for (size_t i = 1; i < rows->count; i++) {
        duplicates += times_ns[i] == times_ns[i - 1];
        reversals += times_ns[i] < times_ns[i - 1];
    }
    report->time_duplicate_count += duplicates;
    report->time_reversed_count += reversals;
    report->time_last_ns = times_ns[rows->count - 1];
}

/* One row a second from 1970 where there is no time column. */
static void count_times(tcsi_read_report *report, tcsi_rows *rows)
{
    const int64_t first_ns = (int64_t)report->row_count * TCSI_NS_PER_S;
    const size_t count = rows->count;
    int64_t *times_ns = rows->times_ns;
    for (size_t i = 0; i < count; i++) times_ns[i] = first_ns + (int64_t)i * TCSI_NS_PER_S;
    report->time_last_ns = times_ns[count - 1];
}

tcs_status tcsi_table_read(tcsi_table *table, tcsi_rows *rows, tcs_error *err)
{
    tcsi_read_report *report = &table->report;
    rows->count = 0;
    tcs_status status = table->ops->read(table, rows, err);
    if (status != TCS_OK || rows->count == 0) return status;
    if (!report->is_tabular) {
        if (report->time_column == SIZE_MAX) count_times(report, rows);
        else account_times(report, rows);
    }
    if (report->label_column != SIZE_MAX)
        for (size_t i = 0; i < rows->count; i++) report->label_one_count += rows->labels[i];
    report->row_count += rows->count;
    return TCS_OK;
}

/* ---- cells ---- */

static int shown(tcsi_cell cell)
{
    return cell.size < 40 ? (int)cell.size : 40;
}

tcs_status tcsi_table_value(tcsi_table *table, size_t column, tcsi_cell cell, char decimal, uint64_t line, double *ret_value,
                            tcs_error *err)
{
    tcsi_read_column *c = &table->report.columns[column];
    switch (tcsi_cell_read(cell, decimal, ret_value)) {
    case TCSI_CELL_NUMBER: c->beyond_count += fabs(*ret_value) > TCS_VALUE_MAX; return TCS_OK;
    case TCSI_CELL_BOOLEAN: return TCS_OK;
    case TCSI_CELL_MISSING: c->missing_count++; return TCS_OK;
    case TCSI_CELL_INFINITE: c->infinite_count++; return TCS_OK;
    case TCSI_CELL_GROUPED:
        return tcsi_fail(err, TCS_E_FORMAT, "%s:%llu: column '%s': '%.*s' has thousands separators, which have two readings; "
                         "write the number without them, or choose other columns", table->report.source, (unsigned long long)line,
                         c->name, shown(cell), cell.text);
    case TCSI_CELL_TEXT: break;
    }
    if (c->malformed_count++ == 0) {
        cell = tcsi_cell_trim(cell);
        size_t size = cell.size < sizeof c->malformed_text - 1 ? cell.size : sizeof c->malformed_text - 1;
        memcpy(c->malformed_text, cell.text, size);
        c->malformed_text[size] = 0;
        c->malformed_line = line;
    }
    return TCS_OK;
}

int64_t tcsi_table_time(tcsi_table *table, tcsi_cell cell, uint64_t line)
{
    int64_t time_ns;
    if (tcsi_time_parse(&table->report.time_format, cell.text, cell.size, &time_ns)) {
        table->time_last_ns = time_ns;
        table->has_time_last = true;
        return time_ns;
    }
    if (table->report.time_malformed_count++ == 0) table->report.time_malformed_line = line;
    table->time_leading_count += !table->has_time_last;
    return table->time_last_ns;
}

tcs_status tcsi_table_label(tcsi_table *table, tcsi_cell cell, char decimal, uint64_t line, uint8_t *ret_label, tcs_error *err)
{
    double value;
    tcsi_cell_kind kind = tcsi_cell_read(cell, decimal, &value);
    if (kind == TCSI_CELL_MISSING) {
        table->report.label_missing_count++;
        *ret_label = 0;
        return TCS_OK;
    }
    if ((kind == TCSI_CELL_NUMBER || kind == TCSI_CELL_BOOLEAN) && (value == 0 || value == 1)) {
        *ret_label = value == 1;
        return TCS_OK;
    }
    return tcsi_fail(err, TCS_E_FORMAT, "%s:%llu: label column '%s' holds '%.*s', expected 0, 1, true or false", table->report.source,
                     (unsigned long long)line, table->report.columns[table->report.label_column].name, shown(cell), cell.text);
}
