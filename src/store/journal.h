/* store/journal.h -- everything that decides, in the order in which it came, durable before anybody is told so.
 *
 * The service's state is a function of its journal: bodies of requests as they were received, ticks of the clock, answers of people.
 * Reading it again from a snapshot's position rebuilds that state bit for bit, after `kill -9` as in a backtest.
 *
 *     open -> append, sync (many threads) -> close            cursor: open -> next, next, ... -> close (one thread; any process)
 *
 * `append` copies a record into memory, `sync` returns when it is on the disk.  Whoever comes first writes what everybody has appended by
 * then, and delivers those records in their order; whoever comes first then syncs all that was delivered so far, and lets their callers go
 * (group commit: DeWitt et al., Implementation Techniques for Main Memory Database Systems, SIGMOD 1984, section 5.2).  The one goes on
 * while the other does: what a record means is known before it is durable, and nobody outside may hear of it before (`secure`).
 *
 * A journal is a folder of segments; each is named by the sequence number of its first record, in 20 digits and ".journal".
 *     segment: "TCSJRNL1"  u64 first sequence  u64 seal of those 16 bytes  records...
 *     record:  u32 magic  u32 kind  u64 size  u64 sequence  u64 durable  i64 time  u64 seal  size bytes, then zeros up to 8
 * All little-endian.  `seal` covers the header before it and the bytes.  Invariants:
 *   1. Sequence numbers are 1, 2, 3, ... without a gap; times never go back (a clock that does is held until it has caught up).
 *   2. A segment begins where everything before it is durable, and the one before it ends there: what stands behind that was never
 *      acknowledged.  So a write that fails needs no repair: its callers are told, and the next record begins a new segment at the same
 *      sequence number.  After a sync that fails its callers are told too, and the next segment begins with their records, which were
 *      delivered and stay what they are.
 *   3. In the last segment the first record that is not whole is the end, unless a later one says, in `durable`, that it had been synced:
 *      then the file is damaged, and that is said rather than forgotten.
 *   4. What open finds is on the disk before anything is appended behind it: the records that no later one says to be synced are written
 *      once more.  They may stand in memory only, after a sync that failed and a process that ended, and the next loss of power would tear
 *      a hole before records that were acknowledged.
 * A cursor beside a living writer may see a record whose sync then fails; who follows a journal goes by what the writer says is durable.
 * Threads: append, sync, forget and stats from any; a cursor is one user's. */
#ifndef TCS_STORE_JOURNAL_H
#define TCS_STORE_JOURNAL_H

#include "base/buffer.h"
#include "store/disk.h"

enum { TCSI_JOURNAL_RECORD_MAX = 1 << 26 }; /* bytes */

typedef struct tcsi_journal_record {
    uint64_t sequence;
    uint32_t kind;      /* the caller's */
    int64_t time_ns;    /* when it was received, since 1970-01-01 UTC; not before the record before it */
    const void *bytes;
    size_t size;
    uint64_t durable;   /* records up to this one were on the disk when it was appended; read by a cursor */
} tcsi_journal_record;

/* ---- writing ---- */
typedef struct tcsi_journal tcsi_journal;

/* Where batches of records go instead of a folder: to a place that several processes share (serve/standby/).  write: durable when it
 * returns TCS_OK; after a failure nobody knows whether it is there, so it fails until hold, and then lead behind what is. */
typedef struct tcsi_journal_log {
    tcs_status (*write)(void *self, uint64_t first, uint64_t last, const void *bytes, size_t size, tcs_error *err);
    void (*forget)(void *self, uint64_t sequence);
    void *self;
} tcsi_journal_log;

typedef struct tcsi_journal_options {
    size_t segment_size;     /* a segment is ended beyond this many bytes; 0: 64 MiB */
    size_t pending_size_max; /* bytes that may wait while others are on their way to the disk; 0: 64 MiB */
    /* Told of each record that was written, in order, from the thread that wrote; record->bytes live during the call.  With a log it is
     * durable.  Without one a loss of power may still take it, until secure is told; and should its sync fail, it stays delivered, is
     * written again, and may never become durable. */
    void (*deliver)(void *self, const tcsi_journal_record *record, void *context);
    void (*lose)(void *self, void *context); /* told of each record that was lost, instead; NULL: nobody asked */
    /* Everything up to record `sequence`, of time_ns, is durable: from the thread that synced, one at a time, while others may be
     * delivered.  Not told with a log.  NULL: nobody asks. */
    void (*secure)(void *self, uint64_t sequence, int64_t time_ns);
    void *self;
    const tcsi_disk *disk;   /* NULL: tcsi_disk_posix */
    const tcsi_journal_log *log; /* NULL: the folder.  Otherwise there is none, and append is refused until lead */
} tcsi_journal_options;

typedef struct tcsi_journal_ticket {
    uint64_t sequence, generation;
} tcsi_journal_ticket;

typedef struct tcsi_journal_stats {
    uint64_t sequence_first, sequence_next; /* kept records are [first, next) */
    uint64_t sync_count, failure_count;     /* since open */
    size_t segment_count, pending_size;
} tcsi_journal_stats;

/* Makes the folder where there is none.  E_IO: it cannot be written, or another process has it open; E_FORMAT: it is damaged. */
tcs_status tcsi_journal_open(const char *folder, const tcsi_journal_options *options, tcsi_journal **ret_journal,
                             tcs_error *err) TCS_WARN_UNUSED;
/* Nobody may be in a call.  What was appended and not synced is lost.  Accepts NULL. */
void tcsi_journal_close(tcsi_journal *journal);

/* context is handed to deliver or to lose, once, before sync of the record returns.  E_LIMIT: size is over
 * TCSI_JOURNAL_RECORD_MAX, or too much waits for the disk already; E_MEMORY. */
tcs_status tcsi_journal_append(tcsi_journal *journal, uint32_t kind, int64_t time_ns, const void *bytes, size_t size, void *context,
                               tcsi_journal_ticket *ret_ticket, tcs_error *err) TCS_WARN_UNUSED;
/* Returns when the record is durable and delivered, or not to be counted on.  E_IO: the disk failed.  If it could not be written, it is
 * lost with everything that was appended and not delivered; if the sync failed, it was delivered, and may become durable yet.  The journal
 * stays usable.  (Who slept through two failures is told so of a durable record too.) */
tcs_status tcsi_journal_sync(tcsi_journal *journal, tcsi_journal_ticket ticket, tcs_error *err) TCS_WARN_UNUSED;

/* With a log.  From now on append and sync fail as `why` does; returns when nobody writes and nothing more is delivered. */
void tcsi_journal_hold(tcsi_journal *journal, const tcs_error *why);
/* Goes on behind record `sequence` of time_ns. */
void tcsi_journal_lead(tcsi_journal *journal, uint64_t sequence, int64_t time_ns);
/* The records of a batch as write had it: *offset is where the next one begins, size after the last one.  E_FORMAT: they are none. */
tcs_status tcsi_journal_batch_next(const void *bytes, size_t size, size_t *offset, tcsi_journal_record *ret_record,
                                   tcs_error *err) TCS_WARN_UNUSED;

/* Removes segments that hold only records before sequence.  E_IO. */
tcs_status tcsi_journal_forget(tcsi_journal *journal, uint64_t sequence, tcs_error *err) TCS_WARN_UNUSED;
tcsi_journal_stats tcsi_journal_stat(tcsi_journal *journal);

/* ---- reading ---- */
typedef struct tcsi_journal_cursor tcsi_journal_cursor;

/* From the first kept record whose sequence number is at least `sequence`.  E_IO: no such folder; E_FORMAT: no journal. */
tcs_status tcsi_journal_cursor_open(const char *folder, uint64_t sequence, tcsi_journal_cursor **ret_cursor,
                                    tcs_error *err) TCS_WARN_UNUSED;
/* *ret_end: there are no more so far; a later call may find some.  ret_record->bytes live until the next call.  E_FORMAT: damage, with
 * file and place; E_IO; E_MEMORY. */
tcs_status tcsi_journal_cursor_next(tcsi_journal_cursor *cursor, tcsi_journal_record *ret_record, bool *ret_end,
                                    tcs_error *err) TCS_WARN_UNUSED;
void tcsi_journal_cursor_close(tcsi_journal_cursor *cursor); /* accepts NULL */

/* Copies the records from `sequence` on, up to where the journal ends now, into a folder without one, beside a living writer.  from NULL:
 * there are none, and the new journal begins at `sequence`.  *ret_next: behind the last.  E_INVALID: `to` holds a journal; E_FORMAT:
 * damage, or records are missing; E_IO; E_LIMIT: the disk is full. */
tcs_status tcsi_journal_copy(const char *from, uint64_t sequence, const char *to, uint64_t *ret_next, tcs_error *err) TCS_WARN_UNUSED;
/* Every segment goes, for good; nobody may have it open.  E_IO. */
tcs_status tcsi_journal_remove(const char *folder, tcs_error *err) TCS_WARN_UNUSED;

#endif
