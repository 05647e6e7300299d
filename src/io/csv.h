/* io/csv.h -- inside the CSV reader: what its three parts, csv.c (bytes to rows), csv_plain.c (their plain cells) and
 * csv_sniff.c (guessing), share.
 * Nobody else includes this; the door is tcsi_csv_open in io/table.h.
 * Threads: one user per struct. */
#ifndef TCS_IO_CSV_H
#define TCS_IO_CSV_H

#include "base/arena.h"
#include "io/number.h"
#include "io/schema.h"

enum {
    TCSI_CSV_READ_SIZE = 1 << 18,      /* bytes asked for at a time: stays in the second-level cache */
    TCSI_CSV_ROW_SIZE_MAX = 1 << 26,   /* a longer row is an error, most likely a lost quote */
    TCSI_CSV_SAMPLE_SIZE_MAX = 1 << 22,
    TCSI_CSV_MARGIN = 16,              /* readable bytes before the first row, for a number at its begin */
    TCSI_CSV_PADDING = 64 + TCSI_NUMBER_PADDING, /* a look of csv_plain.c, and a number at its end */
};

/* What one column's cells become. */
typedef struct tcsi_csv_plan {
    tcsi_column_role role;
    size_t channel;
    size_t run; /* VALUE columns from this one on whose channels follow one another; 0: to be taken cell by cell */
} tcsi_csv_plan;

/* Invariant: rows in buffer[at, safe) are complete, safe == at or buffer[safe - 1] == '\n', and TCSI_CSV_PADDING
 * bytes behind end are allocated and zero. */
typedef struct tcsi_csv {
    tcsi_table base;
    tcsi_stream *stream;
    char *buffer;
    size_t capacity;         /* without the padding */
    size_t at, safe, end;
    uint64_t received_size;  /* bytes that ever came from the stream */
    bool stream_end;
    uint64_t line;           /* number of the line at `at`, from 1 */
    char delimiter;          /* 0: not known yet */
    char decimal;
    bool skip_ragged;
    size_t column_count;
    tcsi_csv_plan *plans;    /* (columns) */
    tcsi_buffer unquoted;    /* a cell with doubled quotes, undoubled */
    tcsi_arena sample_arena; /* such cells of the sample */
} tcsi_csv;

/* Reads on until more complete rows are there or the stream ends; keeps what is unread.  safe == at afterwards: the end. */
tcs_status tcsi_csv_fill(tcsi_csv *csv, tcs_error *err) TCS_WARN_UNUSED;
/* Moves safe forward over what is complete.  After the delimiter changed set safe = at first. */
void tcsi_csv_find_safe(tcsi_csv *csv);

typedef enum tcsi_csv_line { TCSI_CSV_ROW, TCSI_CSV_BLANK, TCSI_CSV_COMMENT } tcsi_csv_line;

tcsi_csv_line tcsi_csv_line_kind(const tcsi_csv *csv, size_t at);
size_t tcsi_csv_line_end(const tcsi_csv *csv, size_t at); /* behind the newline, quotes not looked at */

/* Splits the row at `at` with the current delimiter.  cells may be NULL; at most cell_capacity are written and the
 * rest only counted.  A row whose only surplus is one empty last cell does not count that.  *ret_next: behind the row;
 * *ret_lines: lines it takes.  copies: where cells with doubled quotes go; NULL when cells is. */
tcs_status tcsi_csv_split(tcsi_csv *csv, size_t at, uint64_t line, tcsi_cell *cells, size_t cell_capacity, tcsi_arena *copies,
                          size_t *ret_count, size_t *ret_next, uint64_t *ret_lines, tcs_error *err) TCS_WARN_UNUSED;

/* Where reading stands: the first byte of a cell and that cell's column. */
typedef struct tcsi_csv_place {
    const char *at;
    size_t column;
} tcsi_csv_place;

/* csv_plain.c: takes cells that are plain numbers from place on, row after row, each ended by the delimiter or, in the last
 * column, by the newline: as many as are there before csv->safe, at most cell_count_max.  Returns their number and moves
 * place behind them.  Not for runs of blanks as delimiter. */
size_t tcsi_csv_take_plain(const tcsi_csv *csv, tcsi_csv_place *place, size_t cell_count_max, double *values);

/* csv_sniff.c: on a freshly filled reader, finds encoding, delimiter, decimal mark, header, names and roles; `at` then
 * stands at the first data row. */
tcs_status tcsi_csv_sniff(tcsi_csv *csv, const tcsi_table_open_options *options, tcs_error *err) TCS_WARN_UNUSED;

#endif
