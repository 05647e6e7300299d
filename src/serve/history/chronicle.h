/* serve/history/chronicle.h -- what every row was and what was made of it: from full reels into blocks of the store, and out again.
 *
 *     cell -> reel (in its worker) -> queue -> sorted by series, packed, put into the store (one thread, a handle of its own)
 *
 * Nothing acknowledged is lost: what is on a reel is in the snapshot, with everything else in a cell; reels given away before a snapshot
 * are in the store before the snapshot is (settle), or there is no such snapshot; what came after it is in the journal, and comes again.
 * Nothing is in the store that is not in the journal: a reel waits until its rows are durable there.
 * A block put twice is the same block, as it is of the same rows.
 * A store that is slow: reels wait, up to TCSI_CHRONICLE_QUEUE of them; then whoever gives the next one waits, for WAIT_NS at the most.
 * A store that fails: nobody waits for it.  Then the rows of that reel are dropped, counted and told of; rows go on being judged.
 * Retention: blocks whose last row is older are forgotten, some at a time, by the same thread; of days that are over there are hours as
 * well (roll.h), which are kept longer.
 *
 * Memory: TCSI_CHRONICLE_QUEUE reels, and 8 bytes a row of the largest reel.
 * Threads: give from any; settle, figures and read from any. */
#ifndef TCS_SERVE_HISTORY_CHRONICLE_H
#define TCS_SERVE_HISTORY_CHRONICLE_H

#include "serve/history/pack.h"
#include "serve/self/metric.h"
#include "serve/shard/live.h"

enum { TCSI_CHRONICLE_QUEUE = 4, TCSI_CHRONICLE_BLOCKS = 1 /* their kind in the store */ };

/* Rows a second that are kept singly, of all series, and for how long, where nothing else is asked for. */
#define TCSI_CHRONICLE_RATE 10000.0
#define TCSI_CHRONICLE_RETENTION_NS INT64_C(2592000000000000)

typedef struct tcsi_chronicle tcsi_chronicle;

typedef struct tcsi_chronicle_options {
    const char *store;     /* where, as tcsi_store_open takes it; it must exist */
    double rows_per_s;     /* 0: TCSI_CHRONICLE_RATE */
    int64_t retention_ns;  /* 0: TCSI_CHRONICLE_RETENTION_NS */
    size_t reel_rows;      /* 0: TCSI_REEL_ROWS */
} tcsi_chronicle_options;

tcs_status tcsi_chronicle_create(const tcsi_chronicle_options *options, tcsi_chronicle **ret_history, tcs_error *err) TCS_WARN_UNUSED;
/* Before live ends: nothing is put any more, and what waits for the store is given up: it comes again.  Accepts NULL. */
void tcsi_chronicle_stop(tcsi_chronicle *history);
/* Nobody may be in a call.  Accepts NULL. */
void tcsi_chronicle_destroy(tcsi_chronicle *history);

/* What the live series are to be made with. */
tcsi_reel_options tcsi_chronicle_reel_options(tcsi_chronicle *history);
/* Known once live is made; before anything is given. */
tcs_status tcsi_chronicle_start(tcsi_chronicle *history, tcsi_live *live, tcs_error *err) TCS_WARN_UNUSED;
/* As tcsi_reel_give; self is the history. */
void tcsi_chronicle_give(void *self, size_t index, tcsi_reel_rows *rows);
/* Returns when everything that was given is in the store or was dropped.  E_IO: it still is not, after some seconds. */
tcs_status tcsi_chronicle_settle(tcsi_chronicle *history, tcs_error *err) TCS_WARN_UNUSED;

/* The rows of a series stamped within [from_ns, to_ns], oldest first, each once: of the store, of what waits for it, and of the reel.
 * step_ns: of what is to be made of them.  From an hour on, and for times of which only hours are kept, a row is an hour where there are
 * hours; the first may begin before from_ns.  false of each ends it.  E_INVALID: there is no such series; else as the store. */
typedef bool (*tcsi_chronicle_each)(void *context, const tcsi_chronicle_row *row);
tcs_status tcsi_chronicle_read(tcsi_chronicle *history, uint32_t number, int64_t from_ns, int64_t to_ns, int64_t step_ns,
                               tcsi_chronicle_each each, void *context, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_chronicle_stats {
    uint64_t kept_count, dropped_count; /* rows of reels that were put into the store, and that were not */
    uint64_t block_count, byte_count;   /* put */
    uint64_t forgotten_count;           /* blocks */
    uint64_t failure_count;             /* of the store */
    size_t waiting_count;               /* reels */
    int64_t rolled_ns;                  /* days before it are there as hours, too */
} tcsi_chronicle_stats;
tcsi_chronicle_stats tcsi_chronicle_stat(tcsi_chronicle *history);

/* Bytes at most beside the reels in their cells, for so many series. */
size_t tcsi_chronicle_size_max(size_t series_count);

#endif
