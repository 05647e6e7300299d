/* study/bench.h -- runs detectors over a suite's files and measures what comes out.
 *
 * Each file is scored in a process of its own, so that a crash, a hang or a memory leak costs that file and nothing else, peak
 * memory is the file's own, and several run at once without sharing a thing.  Inside, one thread: the times compare
 * with other single-core figures.  Results come back over a pipe and are handed out in the order of the files,
 * so that the output does not depend on the number of jobs.
 * POSIX only.  Threads: call from a process without other threads. */
#ifndef TCS_STUDY_BENCH_H
#define TCS_STUDY_BENCH_H

#include "metrics/measures.h"
#include "study/suite.h"

enum { TCSI_BENCH_NAME_SIZE = 256 };

/* What one file gave with one detector. */
typedef struct tcsi_bench_row {
    char file[TCSI_BENCH_NAME_SIZE], detector[64], error[256]; /* error: empty = fine */
    tcs_mode mode;
    size_t row_count, channel_count, train_row_count;
    tcsi_measures measures;   /* NaN where a value does not exist */
    double seconds, peak_mb;
    size_t hits, false_alarms, misses, rejections; /* rows at the default alarm policy: TP, FP, FN, TN */
    bool is_recalled;         /* from an earlier run */
} tcsi_bench_row;

typedef struct tcsi_bench_options {
    const tcsi_suite *suite;
    const char *folder;
    const char *const *detectors; /* "auto" or registered names */
    size_t detector_count;
    tcs_mode mode;
    size_t job_count;      /* processes at once; 0: one per processor */
    double timeout_seconds; /* per file; 0: 600 */
    uint64_t seed;
    const char *filter;    /* only files whose name contains this; NULL: all */
    /* Fills in a row already known from an earlier run and returns true: it is counted, not run again.  NULL: none.
     * Not asked for nab, whose score needs the rows' scores. */
    bool (*recall)(void *context, const char *file, const char *detector, tcsi_bench_row *ret_row);
    /* Called for each row in order of files, then detectors. */
    void (*row)(void *context, const tcsi_bench_row *row);
    /* Called as work goes on; may be NULL. */
    void (*progress)(void *context, size_t done, size_t total);
    void *context;
} tcsi_bench_options;

/* Of one detector over the files that worked. */
typedef struct tcsi_bench_summary {
    char detector[64];
    size_t file_count, error_count, row_count;
    double vus_pr, vus_roc, auc_pr, auc_roc, f1, f1_event, f1_range, f1_affiliation, located; /* means over files */
    double seconds_per_10k, peak_mb; /* mean of seconds per 10,000 rows; largest peak */
    double pooled_f1, far, mar;      /* over all rows together at the default alarm policy */
    double nab[3];                   /* standard, low false positives, low false negatives; NaN outside nab */
} tcsi_bench_summary;

/* ret_summaries: (detector_count).  A file that fails is a row with an error, never a failed run. */
tcs_status tcsi_bench_run(const tcsi_bench_options *options, tcsi_bench_summary *ret_summaries, tcs_error *err) TCS_WARN_UNUSED;

#endif
