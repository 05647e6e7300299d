/* io/write.h -- scores and frames -> CSV or NDJSON files.
 * Files are written whole or not at all (base/file.h): a full disk, a closed pipe or an abort leaves no file that looks
 * complete.  Numbers are written with the fewest digits that read back to the same double.
 * A closed pipe is reported as E_IO only when the process ignores SIGPIPE, which the command does.
 * Threads: one user per writer. */
#ifndef TCS_IO_WRITE_H
#define TCS_IO_WRITE_H

#include "series/frame.h"

typedef struct tcsi_scores_writer tcsi_scores_writer;

typedef struct tcsi_scores_options {
    bool ndjson;     /* else CSV; tcsi_scores_is_ndjson tells by the name of the file */
    bool has_times;  /* otherwise the column time is empty */
    bool has_uncertainty; /* adds the columns uncertainty, noise and sure */
    bool has_labels; /* adds the column label */
} tcsi_scores_options;

typedef struct tcsi_scores_row {
    uint64_t row;    /* number of the input row, from 0 */
    int64_t time_ns;
    tcs_score score; /* not READY: score and p_value are left empty; p_value 0: not calibrated, left empty */
    bool anomaly, sure;
    uint8_t label;
    double probability; /* that the row is anomalous; NaN: left empty */
} tcsi_scores_row;

bool tcsi_scores_is_ndjson(const char *path); /* ends in .ndjson, .jsonl or .json */

/* path: a file, or "-" for standard output.  Columns: row,time,score,p_value,state,anomaly,probability[,uncertainty,noise,sure][,label];
 * state is warmup, missing or ready, anomaly, sure and label are 0 or 1, time is RFC 3339 in UTC. */
tcs_status tcsi_scores_open(const char *path, const tcsi_scores_options *options, tcsi_scores_writer **ret_writer,
                            tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_scores_put(tcsi_scores_writer *writer, const tcsi_scores_row *row, tcs_error *err) TCS_WARN_UNUSED;
/* Hands what was put to whoever reads: for live output. */
tcs_status tcsi_scores_flush(tcsi_scores_writer *writer, tcs_error *err) TCS_WARN_UNUSED;
/* Completes the file and releases the writer, also when it fails. */
tcs_status tcsi_scores_commit(tcsi_scores_writer *writer, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_scores_abort(tcsi_scores_writer *writer); /* accepts NULL; releases the writer, nothing is left behind */

/* The whole frame as CSV: time (when it has times), channels by name, label (when it has labels).  Missing: empty. */
tcs_status tcsi_write_frame(const char *path, const tcsi_frame *frame, tcs_error *err) TCS_WARN_UNUSED;

#endif
