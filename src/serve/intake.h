/* serve/intake.h -- the way in: a request's body, a tick of the clock -> the journal -> the live series.
 *
 *     take: decode -> admit -> append, sync -> (in the journal's order) apply -> reply
 *
 * A body is decoded before it is journaled, so that what cannot be read is never acknowledged, and journaled before it is applied, so that
 * what is acknowledged is never lost.  The same bytes are decoded again when the journal is read: the decoders see nothing but the bytes,
 * and the time of receipt that stands beside them.
 * open reads the journal from where the live series stand (after a snapshot was loaded, say) to its end: they then are what they would be
 * if nothing had ever stopped.  A backtest does just that, without a service around it.
 *
 * Records: ROWS is a format (4 bytes, ingest.h; the last says whether they are of the past), the size of a trace (1: 0 or 55), 3 zeros,
 * the time of receipt in ns (8, little-endian), the trace, if the request carried one (traceparent, as text), and the body as received;
 * TICK is empty, and its time is the record's; ACTION is what tcsi_action_write writes; VERDICTS is what tcsi_verdicts_write writes.  A
 * record of a kind that this version does not know stops the reading: E_UNSUPPORTED.
 * Threads: take, act, hear from any; tick from one; open and close from one. */
#ifndef TCS_SERVE_INTAKE_H
#define TCS_SERVE_INTAKE_H

#include "serve/ingest/ingest.h"
#include "serve/shard/live.h"
#include "serve/traces.h"
#include "store/journal.h"

/* Journals hold these numbers. */
typedef enum tcsi_record_kind {
    TCSI_RECORD_ROWS = 1, TCSI_RECORD_TICK = 2, TCSI_RECORD_ACTION = 3, TCSI_RECORD_VERDICTS = 4
} tcsi_record_kind;

enum { TCSI_SNAPSHOT_ROWS = 4000000 };

typedef struct tcsi_intake_options {
    const char *folder;                 /* of the journal */
    tcsi_live *live;                    /* which outlives the intake */
    const tcsi_ingest_limits *limits;   /* NULL: the defaults */
    const tcsi_disk *disk;              /* NULL: the system's */
    tcsi_traces *traces;                /* told which records came with a trace; NULL: nobody asks */
    uint64_t sequence;                  /* of the last record that live has seen; 0: none */
    uint64_t ticks_a_snapshot;          /* live saves itself after so many ticks, or after so many rows that reading them again would */
                                        /* take seconds (TCSI_SNAPSHOT_ROWS), at the next tick; 0: never */
    const tcsi_journal_log *log;        /* the journal is there, not in the folder; open reads nothing, follow does.  NULL: the folder */
    /* replay alone: asked before each record is read into live; false ends it as if the journal did.  NULL: all are. */
    bool (*watch)(void *watch_self, const tcsi_journal_record *record);
    void *watch_self;
} tcsi_intake_options;

typedef struct tcsi_intake tcsi_intake;

/* Reads what live has not seen, then stands ready.  *ret_count: records read.  E_FORMAT: the journal is damaged, or records are missing
 * between what live has seen and its first one; and as tcsi_journal_open, tcsi_live_apply. */
tcs_status tcsi_intake_open(const tcsi_intake_options *options, tcsi_intake **ret_intake, uint64_t *ret_count,
                            tcs_error *err) TCS_WARN_UNUSED;
void tcsi_intake_close(tcsi_intake *intake); /* accepts NULL; nobody may be in a call */

/* With a log, while the journal is held: records of a batch that another process wrote.  *sequence: the last one that live has seen, before
 * and after the call; *ret_time_ns: its time.  E_LIMIT: too many rows wait; the rest of the batch is to be given again. */
tcs_status tcsi_intake_follow(tcsi_intake *intake, const void *bytes, size_t size, uint64_t *sequence, int64_t *ret_time_ns,
                              tcs_error *err) TCS_WARN_UNUSED;

/* Only reads: the journal of a service that may be running is replayed into live up to the record `until` (0: to its end). */
tcs_status tcsi_intake_replay(const tcsi_intake_options *options, uint64_t until, uint64_t *ret_count, tcs_error *err) TCS_WARN_UNUSED;

/* What a record of ROWS holds. */
tcs_status tcsi_intake_decode(const tcsi_journal_record *record, tcsi_batch *batch, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_intake_reply {
    tcsi_ingest_reply http;
    bool is_retry;       /* 429, 503: come again */
} tcsi_intake_reply;

/* One request, whole: appends the reply's body to out.  Never fails: what went wrong is in the reply, and counted. */
void tcsi_intake_take(tcsi_intake *intake, const tcsi_ingest_facts *facts, const void *body, size_t size, int64_t receive_ns,
                      tcsi_buffer *out, tcsi_intake_reply *ret_reply);
/* Durable when it returns TCS_OK; *ret_is_kept: and its effects are in the store, so that who asks sees them.  Otherwise the store fails,
 * and they will be once it works again.  E_LIMIT: larger than TCSI_ACTION_SIZE_MAX; E_IO: the disk failed, and nothing of it is kept. */
tcs_status tcsi_intake_act(tcsi_intake *intake, const tcsi_action *action, bool *ret_is_kept, tcs_error *err) TCS_WARN_UNUSED;
/* Answers of the deep layer, as shard/verdicts.h writes them. */
tcs_status tcsi_intake_hear(tcsi_intake *intake, const void *verdicts, size_t size, int64_t time_ns, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_intake_tick(tcsi_intake *intake, int64_t time_ns, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_intake_stats {
    uint64_t request_count, refused_count; /* refused: whole requests */
    uint64_t outcomes[TCSI_OUTCOME_COUNT]; /* of samples that never became rows: those of rows are counted by live */
} tcsi_intake_stats;
tcsi_intake_stats tcsi_intake_stat(tcsi_intake *intake);
tcsi_journal *tcsi_intake_journal(tcsi_intake *intake);

#endif
