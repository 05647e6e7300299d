/* io/rows.c -- one row at a time from the same tables that whole frames are read from.  SPDX-License-Identifier: Apache-2.0 */
#include "io/rows.h"

#include "base/alloc.h"
#include "io/url.h"

enum { SAMPLE_ROW_COUNT = 64 };

struct tcsi_row_reader {
    tcsi_table *table;
    double *values; /* (C) */
    uint64_t sequence;
};

static tcsi_table_open_options open_options_of(const tcsi_read_options *options)
{
    static const tcsi_read_options none = { 0 };
    if (!options) options = &none;
    return (tcsi_table_open_options){ options, options->sample_row_count ? options->sample_row_count : SAMPLE_ROW_COUNT, true };
}

/* Takes the table. */
static tcs_status wrap(tcsi_table *table, tcsi_row_reader **ret_reader, tcs_error *err)
{
    tcsi_row_reader *reader = TCSI_NEW(tcsi_row_reader);
    if (!reader) {
        tcsi_table_destroy(table);
        return tcsi_fail_memory(err, "a reader");
    }
    reader->table = table;
    reader->values = TCSI_NEW_ARRAY(double, table->report.value_count);
    if (!reader->values) {
        tcsi_row_reader_close(reader);
        return tcsi_fail_memory(err, "a row");
    }
    *ret_reader = reader;
    return TCS_OK;
}

tcs_status tcsi_row_reader_open(const char *path, const tcsi_read_options *options, tcsi_row_reader **ret_reader, tcs_error *err)
{
    tcsi_table_open_options open_options = open_options_of(options);
    tcsi_table *table = NULL;
    tcs_status status = tcsi_input_open(path, &open_options, &table, err);
    return status == TCS_OK ? wrap(table, ret_reader, err) : status;
}

tcs_status tcsi_row_reader_open_memory(const void *bytes, size_t size, const char *name, const tcsi_read_options *options,
                                       tcsi_row_reader **ret_reader, tcs_error *err)
{
    tcsi_table_open_options open_options = open_options_of(options);
    tcsi_stream *stream = NULL;
    tcsi_table *table = NULL;
    tcs_status status = tcsi_stream_open_memory(bytes, size, name, &stream, err);
    if (status == TCS_OK) status = tcsi_table_open(stream, &open_options, &table, err);
    return status == TCS_OK ? wrap(table, ret_reader, err) : status;
}

void tcsi_row_reader_close(tcsi_row_reader *reader)
{
    if (!reader) return;
    tcsi_table_destroy(reader->table);
    tcsi_free(reader->values);
    tcsi_free(reader);
}

/* The sums over columns, which a whole read makes once at its end. */
static void sum_counts(tcsi_read_report *report)
{
    report->missing_count = report->infinite_count = report->malformed_count = report->beyond_count = 0;
    for (size_t c = 0; c < report->column_count; c++) {
        report->missing_count += report->columns[c].missing_count;
        report->infinite_count += report->columns[c].infinite_count;
        report->malformed_count += report->columns[c].malformed_count;
        report->beyond_count += report->columns[c].beyond_count;
    }
}

tcs_status tcsi_row_reader_next(tcsi_row_reader *reader, tcsi_row *ret_row, uint8_t *ret_label, bool *ret_end, tcs_error *err)
{
    int64_t time_ns = 0;
    uint8_t label = 0;
    tcsi_rows rows = { reader->values, &time_ns, &label, 1, 0 };
    tcs_status status = tcsi_table_read(reader->table, &rows, err);
    if (status != TCS_OK) return status;
    *ret_end = rows.count == 0;
    if (*ret_end) {
        sum_counts(&reader->table->report);
        return TCS_OK;
    }
    *ret_row = (tcsi_row){ .sequence = reader->sequence++, .time_ns = time_ns, .values = reader->values };
    *ret_label = label;
    return TCS_OK;
}

const tcsi_read_report *tcsi_row_reader_report(const tcsi_row_reader *reader)
{
    sum_counts(&reader->table->report);
    return &reader->table->report;
}
