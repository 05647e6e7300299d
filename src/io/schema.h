/* io/schema.h -- which column is what: from names, a sample of cells and the caller's overrides to roles.
 * Threads: reentrant. */
#ifndef TCS_IO_SCHEMA_H
#define TCS_IO_SCHEMA_H

#include "io/table.h"

typedef struct tcsi_sample {
    size_t row_count, column_count;
    const tcsi_cell *cells; /* (R,C) */
    const uint64_t *lines;  /* (R): where each row stands, for messages */
    char decimal;
} tcsi_sample;

/* Fills report->columns with names; empty and repeated ones are made unique.  names: (C), NULL = there are none. */
tcs_status tcsi_schema_name(tcsi_read_report *report, const tcsi_cell *names, size_t column_count, tcs_error *err) TCS_WARN_UNUSED;

/* Gives every column its role, and the report its time, label and value columns.  E_INVALID: an option names a column
 * that is not there or not usable; E_FORMAT: no column holds numbers. */
tcs_status tcsi_schema_guess(const tcsi_sample *sample, const tcsi_table_open_options *options, tcsi_read_report *report,
                             tcs_error *err) TCS_WARN_UNUSED;

/* The most of the non-missing cells of a column, and at least one, read as times. */
bool tcsi_schema_is_time(const tcsi_sample *sample, size_t column, tcsi_time_format *ret_format);

/* An exact counter 0, 1, 2, ... or 1, 2, 3, ... of three or more: a row number, not a measurement. */
bool tcsi_schema_is_counter(const double *values, size_t stride, size_t count);
extern const char tcsi_reason_counter[], tcsi_reason_empty[], tcsi_reason_text[];

#endif
