/* io/read.h -- any supported input -> frame, with a report of every guess.
 * Formats: CSV and relatives, NDJSON, NPY, NPZ; each also inside gzip or zstd, from a file or standard input; the answers
 * of SQLite, PostgreSQL and Prometheus to a query, by URL (io/url.h).
 * What the reader must find out by itself (delimiter, header, which column is time, label or value) it finds, says in
 * the report, and lets the caller override.  A wrong override is an error that names the nearest right one.
 * Threads: reentrant; one user per report. */
#ifndef TCS_IO_READ_H
#define TCS_IO_READ_H

#include "base/buffer.h"
#include "base/json.h"
#include "series/frame.h"
#include "series/time.h"

typedef enum tcsi_choice { TCSI_CHOICE_GUESS, TCSI_CHOICE_YES, TCSI_CHOICE_NO } tcsi_choice;

/* All zero: guess everything. */
typedef struct tcsi_read_options {
    const char *format;         /* "csv", "ndjson", "npy", "npz"; NULL: by magic bytes, then by the first character */
    const char *time_name;      /* column; "": there is none; NULL: guess */
    const char *label_name;     /* likewise */
    const char *const *columns; /* value columns, in this order; NULL: all numeric ones */
    size_t column_count;
    char delimiter;             /* , ; | space or tab; 0: guess */
    char decimal;               /* . or , and 0: guess */
    tcsi_choice header;
    bool skip_ragged;           /* rows with a wrong number of columns: count and skip instead of failing */
    bool as_series;             /* no time column, but rows are in order of time: one row a second from 1970 */
    const char *npz_key;        /* array with the values; NULL: X, data, values, or the first */
    const char *query;          /* sqlite: and postgresql: inputs: SQL; http: inputs: PromQL */
    const char *start, *end;    /* http: inputs: times, or now, now-6h; NULL: of the URL, else the last 24 hours */
    const char *step;           /* http: inputs: 30s, 5m; NULL: of the URL, else chosen */
    bool keep_counters;         /* a column that counts the rows holds values like any other */
    bool whole_names;           /* of Prometheus: columns are called by all their labels, also those that they have in common */
    size_t sample_row_count;    /* rows the guesses are made from; 0: 2000 (frames) or 64 (row readers) */
} tcsi_read_options;

typedef enum tcsi_column_role { TCSI_COLUMN_VALUE, TCSI_COLUMN_TIME, TCSI_COLUMN_LABEL, TCSI_COLUMN_SKIPPED } tcsi_column_role;

enum { TCSI_MALFORMED_TEXT_SIZE = 32 };

typedef struct tcsi_read_column {
    char *name;              /* of the header; "c0", "c1", ... without one */
    tcsi_column_role role;
    size_t channel;          /* VALUE: its place in the frame */
    const char *reason;      /* SKIPPED: why, in a few words that need not be released; otherwise NULL */
    /* VALUE: what became NaN.  missing: empty, NA, N/A, NaN, null, None, ?, - and their like. */
    uint64_t missing_count, infinite_count, malformed_count;
    uint64_t beyond_count;   /* stay as they are, but no detector takes them: beyond TCS_VALUE_MAX */
    uint64_t malformed_line; /* of the first malformed cell */
    char malformed_text[TCSI_MALFORMED_TEXT_SIZE]; /* its beginning */
} tcsi_read_column;

typedef struct tcsi_read_report {
    char *source;            /* the path, "standard input", or the URL without its password */
    const char *format;      /* "CSV", "NDJSON", "NPY", "NPZ", "SQLite", "PostgreSQL", "Prometheus" */
    const char *compression; /* "none", "gzip", "zstd" */
    const char *encoding;    /* "UTF-8", "UTF-8 with byte order mark", "not UTF-8" (names are kept byte for byte), "binary" */
    char delimiter, decimal; /* CSV; otherwise 0 */
    bool has_header;         /* CSV */
    tcsi_read_column *columns; /* all of the input, in its order */
    size_t column_count;
    size_t value_count;      /* columns with role VALUE = channels of the frame */
    size_t time_column, label_column; /* indices into columns; SIZE_MAX: none */
    tcsi_time_format time_format;     /* when there is a time column */
    bool is_tabular;         /* neither time column nor as_series: the frame has no times */
    uint64_t row_count;      /* rows given out */
    uint64_t ragged_count;   /* rows skipped for a wrong number of columns, see skip_ragged; */
    uint64_t ragged_line;    /* the first of them */
    uint64_t blank_count, comment_count; /* lines passed over */
    uint64_t missing_count, infinite_count, malformed_count, beyond_count; /* sums over VALUE columns */
    uint64_t time_malformed_count;  /* cells that are no time: the row keeps the time of the row before it */
    uint64_t time_malformed_line;   /* the first of them */
    uint64_t time_duplicate_count, time_reversed_count; /* against the row before */
    int64_t time_first_ns, time_last_ns; /* of the first and last row */
    uint64_t label_missing_count;   /* taken as 0 */
    uint64_t label_one_count;
    char *warning;           /* what the source said about its answer, or what of it was left out; NULL: nothing */
} tcsi_read_report;

void tcsi_read_report_deinit(tcsi_read_report *report); /* accepts a zeroed one */

/* Reads everything.  *ret_frame is complete or not given out at all; release it with tcsi_frame_destroy.  *ret_report
 * (may be NULL) is written on success only and released by the caller.
 * E_IO: cannot be read; E_FORMAT: not what it should be, with line, or it holds no rows or no numbers; E_INVALID: an
 * option does not fit the input; E_LIMIT; E_MEMORY; E_UNSUPPORTED. */
tcs_status tcsi_read_frame(const char *path, const tcsi_read_options *options, tcsi_frame **ret_frame,
                           tcsi_read_report *ret_report, tcs_error *err) TCS_WARN_UNUSED;
/* The same from memory; name appears in messages. */
tcs_status tcsi_read_frame_memory(const void *bytes, size_t size, const char *name, const tcsi_read_options *options,
                                  tcsi_frame **ret_frame, tcsi_read_report *ret_report, tcs_error *err) TCS_WARN_UNUSED;

/* The report as lines of text for people, most important first, each ended by a newline; nothing that is zero or as
 * expected is mentioned. */
tcs_status tcsi_read_report_print(const tcsi_read_report *report, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* The report as one JSON object (a value at the writer's place). */
void tcsi_read_report_json(const tcsi_read_report *report, tcsi_json_writer *writer);

#endif
