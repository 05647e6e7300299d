/* io/answer.h -- the answer to a query, row by row: what the readers of databases and servers implement, and the table of
 * rows (io/table.h) that is made of any of them.  Columns get their roles as those of a CSV file do, from their names and a
 * sample of rows; the names the query gives are the header.
 * Threads: one user per answer. */
#ifndef TCS_IO_ANSWER_H
#define TCS_IO_ANSWER_H

#include "io/table.h"

typedef struct tcsi_answer tcsi_answer;

typedef struct tcsi_answer_ops {
    /* Steps to the next row, the first one included; blocks until it is there.  *ret_end = true: there is none. */
    tcs_status (*next)(tcsi_answer *answer, bool *ret_end, tcs_error *err);
    /* A cell of the row as text that reads back to the same value; nothing (size 0) is missing.  It lives until the next
     * call of text or next. */
    tcs_status (*text)(tcsi_answer *answer, size_t column, tcsi_cell *ret_cell, tcs_error *err);
    /* The cell as a finite number without the way through text; false: ask for the text.  NULL: there are none. */
    bool (*number)(tcsi_answer *answer, size_t column, double *ret_value);
    /* Share of the rows given out, 0..1.  NULL: not known. */
    double (*progress)(const tcsi_answer *answer);
    /* Releases what is the implementation's, accepting half-built objects; the fields below are not. */
    void (*destroy)(tcsi_answer *answer);
} tcsi_answer_ops;

struct tcsi_answer {
    const tcsi_answer_ops *ops;
    const char *format;  /* "SQLite", for the report */
    char *source;        /* the address without its password, for messages */
    char *warning;       /* for the report: what the source said, or what was left out; NULL: nothing */
    size_t column_count; /* at least 1 */
    char **names;        /* (columns) */
    bool *is_time;       /* (columns) declared as a date or time by the source */
    bool is_series;      /* column 0 is the time and every other one a value, whatever they are called or look like */
};

/* Room for names and kinds; the names are still NULL. */
tcs_status tcsi_answer_columns(tcsi_answer *answer, size_t column_count, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_answer_destroy(tcsi_answer *answer); /* accepts NULL */

/* Takes the answer, also when failing.  E_INVALID: no rows, no numbers, or an option that does not fit. */
tcs_status tcsi_answer_table(tcsi_answer *answer, const tcsi_table_open_options *options, tcsi_table **ret_table,
                             tcs_error *err) TCS_WARN_UNUSED;

/* ---- the sources; builds without their library return E_UNSUPPORTED ---- */

/* url: sqlite:PATH.  The file is opened for reading only; query: one SELECT (or another statement that only reads). */
tcs_status tcsi_sqlite_open(const char *url, const char *query, tcsi_answer **ret_answer, tcs_error *err) TCS_WARN_UNUSED;

/* url: as libpq reads it, postgresql://[user[:password]@][host][:port][/database][?name=value...].  query: one statement,
 * which runs in a read-only transaction.  Rows arrive one by one, whatever their number. */
tcs_status tcsi_postgresql_open(const char *url, const char *query, tcsi_answer **ret_answer, tcs_error *err) TCS_WARN_UNUSED;

/* See io/prometheus.h. */
tcs_status tcsi_prometheus_open(const char *url, const tcsi_read_options *options, tcsi_answer **ret_answer,
                                tcs_error *err) TCS_WARN_UNUSED;

#endif
