/* io/rows.h -- any supported input, row by row in bounded memory: files larger than memory and live standard input.
 * Guesses are made from the first options->sample_row_count rows (64 when 0), which are then given out like all others;
 * what later rows contradict is counted in the report, never fatal, except a row with a wrong number of columns.
 * Memory: the sample, the longest row (at most 64 MiB) and a few buffers.  NPZ, Fortran-ordered NPY excepted: whole.
 * The input ends at its end, or is an error; a row is given out whole or not at all.
 * Threads: one user per reader. */
#ifndef TCS_IO_ROWS_H
#define TCS_IO_ROWS_H

#include "io/read.h"
#include "series/row.h"

typedef struct tcsi_row_reader tcsi_row_reader;

/* path: a file, "-" or a URL (io/url.h).  Waits for the sample on a live input. */
tcs_status tcsi_row_reader_open(const char *path, const tcsi_read_options *options, tcsi_row_reader **ret_reader,
                                tcs_error *err) TCS_WARN_UNUSED;
/* From memory, which must outlive the reader; name appears in messages. */
tcs_status tcsi_row_reader_open_memory(const void *bytes, size_t size, const char *name, const tcsi_read_options *options,
                                       tcsi_row_reader **ret_reader, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_row_reader_close(tcsi_row_reader *reader); /* accepts NULL */

/* The next row: *ret_row's values (C), C = report->value_count, live until the next call; *ret_label is 0 when there
 * is no label column.  *ret_end = true: no row, the input is over.  After an error only close may be called. */
tcs_status tcsi_row_reader_next(tcsi_row_reader *reader, tcsi_row *ret_row, uint8_t *ret_label, bool *ret_end,
                                tcs_error *err) TCS_WARN_UNUSED;

/* Guesses and counts so far; lives as long as the reader. */
const tcsi_read_report *tcsi_row_reader_report(const tcsi_row_reader *reader);

#endif
