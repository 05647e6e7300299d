/* serve/backtest.h -- what a service took in, judged once more: by the same code, from its journal, beside the service or without it.
 *
 *     snapshot or nothing ──> journal ──> live series ──> keeper ──> a store in memory      the service's own store is only read
 *                                             └─> scores, steps of episodes: files
 *
 * It begins with record 1 and no past; where the journal has been cut, with the oldest snapshot that its first record follows.  With the
 * service's own budget every score and every episode comes out as it did, bit for bit, which `verifies` checks: each episode's document in
 * the service's store against the one made here.  With another budget it tells what would have been alarmed.
 * Threads: one user. */
#ifndef TCS_SERVE_BACKTEST_H
#define TCS_SERVE_BACKTEST_H

#include "serve/shard/live.h"

typedef struct tcsi_backtest_options {
    const char *folder;             /* of the service's data */
    const char *store;              /* NULL: tocsin.db in the folder */
    double alarms_per_s;            /* 0: as the service has it */
    size_t thread_count;            /* 0: one a processor */
    size_t series_count_max;        /* 0: a million */
    uint64_t from, until;           /* records; 0: the first, the last */
    int64_t from_ns, until_ns;      /* by times of receipt; 0: no limit */
    const char *scores, *episodes;  /* files to be written; NULL: none */
    bool verifies;
    void (*progress)(void *context, double share); /* NULL: nobody */
    void *context;
} tcsi_backtest_options;

typedef struct tcsi_backtest_day {
    int64_t day;                    /* since 1970-01-01 */
    uint64_t counts[TCSI_LIVE_KIND_COUNT]; /* episodes that began */
    uint64_t confirmed;             /* of the anomalies */
} tcsi_backtest_day;

typedef struct tcsi_backtest_series {
    uint32_t number;
    uint64_t counts[TCSI_LIVE_KIND_COUNT], confirmed;
    char *name;
} tcsi_backtest_series;

typedef struct tcsi_backtest_report {
    uint64_t start, first, last, record_count; /* read behind record `start` (0: from nothing); reported on are [first, last] */
    uint64_t row_count, scored_count, unusual_count;
    size_t series_count;
    int64_t begin_ns, end_ns;       /* stamps of the rows that were taken */
    double alarms_per_s;
    uint64_t counts[TCSI_LIVE_KIND_COUNT], confirmed;
    tcsi_backtest_day *days;        /* (day_count) in order, those with episodes */
    size_t day_count, day_capacity;
    tcsi_backtest_series *series;   /* (listed_count) the most anomalies first, those with episodes */
    size_t listed_count;
    uint64_t compared_count, differing_count; /* episodes, when it verifies */
    char difference[TCS_ERROR_TEXT_SIZE];     /* the first one; "": none */
} tcsi_backtest_report;

/* E_IO, E_FORMAT: a journal or store that cannot be read; E_INVALID: what was asked cannot be.  That something differs is no failure. */
tcs_status tcsi_backtest_run(const tcsi_backtest_options *options, tcsi_backtest_report *ret_report, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_backtest_report_deinit(tcsi_backtest_report *report); /* accepts a zeroed one */

/* Compares two files byte by byte: the number of the first line that differs, 0 when none does. */
tcs_status tcsi_backtest_compare(const char *path, const char *other, uint64_t *ret_line, tcs_error *err) TCS_WARN_UNUSED;

#endif
