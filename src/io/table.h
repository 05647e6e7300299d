/* io/table.h -- an open input of rows, whatever its format: what every reader of this room implements, so that reading
 * a whole frame and reading row by row are the same functions in the same order.
 * Threads: one user per table. */
#ifndef TCS_IO_TABLE_H
#define TCS_IO_TABLE_H

#include "io/cell.h"
#include "io/read.h"
#include "io/stream.h"

/* Rows on their way out: values (R,C) row-major; times and labels (R), written only when the input has them. */
typedef struct tcsi_rows {
    double *values;
    int64_t *times_ns;
    uint8_t *labels;
    size_t capacity, count;
} tcsi_rows;

typedef struct tcsi_table tcsi_table;

typedef struct tcsi_table_ops {
    /* Writes 1..capacity rows from the start of rows and sets count; returns as soon as at least one is there.
     * count = 0: the end.  Blocks only in the stream. */
    tcs_status (*read)(tcsi_table *table, tcsi_rows *rows, tcs_error *err);
    /* Share of the input consumed, 0..1, or 0 when not known. */
    double (*progress)(const tcsi_table *table);
    void (*destroy)(tcsi_table *table); /* accepts half-built objects; leaves base to tcsi_table_destroy */
} tcsi_table_ops;

struct tcsi_table {
    const tcsi_table_ops *ops;
    tcsi_read_report report;
    int64_t time_last_ns; /* of the row before */
    bool has_time_last;   /* one row had a usable time */
    uint64_t time_leading_count; /* rows before it */
    bool keeps_counters;  /* 0, 1, 2, ... is data here, never a row number */
};

typedef struct tcsi_table_open_options {
    const tcsi_read_options *read;
    size_t sample_row_count;
    bool sample_is_all; /* row by row: what the sample cannot decide is decided anyway */
} tcsi_table_open_options;

/* Recognises the format and opens it.  Takes the stream, also when failing. */
tcs_status tcsi_table_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table,
                           tcs_error *err) TCS_WARN_UNUSED;
void tcsi_table_destroy(tcsi_table *table); /* accepts NULL */
/* ops->read and the counts of times, labels and rows in the report. */
tcs_status tcsi_table_read(tcsi_table *table, tcsi_rows *rows, tcs_error *err) TCS_WARN_UNUSED;

/* Each takes the stream on success only. */
tcs_status tcsi_csv_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table,
                         tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_ndjson_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table,
                            tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_npy_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table,
                         tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_npz_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table,
                         tcs_error *err) TCS_WARN_UNUSED;

/* ---- for the formats: cells into rows, with the counts ---- */

/* A cell of a VALUE column whose number was not plain: counts and returns NaN, or the value of a boolean.  E_FORMAT for
 * thousands separators. */
tcs_status tcsi_table_value(tcsi_table *table, size_t column, tcsi_cell cell, char decimal, uint64_t line, double *ret_value,
                            tcs_error *err) TCS_WARN_UNUSED;
int64_t tcsi_table_time(tcsi_table *table, tcsi_cell cell, uint64_t line);
tcs_status tcsi_table_label(tcsi_table *table, tcsi_cell cell, char decimal, uint64_t line, uint8_t *ret_label,
                            tcs_error *err) TCS_WARN_UNUSED;

#endif
