/* serve/deliver/deliver.h -- alerts out: from a durable outbox to each receiver, by a thread of its own.
 *
 *     put ─> outbox (durable) ─> step: due, in order ─> attempt ─> sent: done, or again later while the alert lasts
 *                                                          ├─────> retry: after a pause that is drawn (backoff.h)
 *                                                          └─────> refused: kept with its reason, never tried again
 * Promises:
 *   - What was put is attempted until sent or refused, over any number of restarts: at least once.
 *   - The messages of one episode reach a receiver in their order: one that has to wait holds back those after it.
 *   - One message that always fails holds back no other episode's; after each failure the whole receiver pauses, and then the next one is
 *     tried, which is how an outage costs one attempt a pause, and a message that cannot be taken only itself.
 *   - No receiver waits for another: each has its thread, its outbox and its state.
 *   - A clock that jumps back delays nothing: time here never goes back, and what an earlier life put far ahead is due now.
 * step does the work of one thread once and is what the simulation drives; start runs it in threads.
 * Threads: create, start, destroy from one thread; put, wake and stats from any. */
#ifndef TCS_SERVE_DELIVER_DELIVER_H
#define TCS_SERVE_DELIVER_DELIVER_H

#include "serve/deliver/attempt.h"
#include "serve/deliver/outbox.h"

typedef struct tcsi_deliver_options {
    const tcsi_receiver *receivers; /* must outlive */
    size_t receiver_count;
    const tcsi_outbox *outboxes;    /* one for each receiver: used by its thread only */
    uint64_t seed;                  /* of the pauses */
    /* NULL: tcsi_attempt_make.  Called from the receiver's thread. */
    void (*attempt)(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *ret_attempt);
    /* After each attempt, with what became of it: for the audit and the log; NULL: nobody. */
    void (*observe)(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, const char *id, const tcsi_attempt *attempt);
    void *context;
} tcsi_deliver_options;

typedef struct tcsi_deliver_stats {
    uint64_t counts[TCSI_ATTEMPT_OUTCOME_COUNT]; /* attempts by outcome */
    uint64_t malformed_count;                    /* messages that hold no alert: given up */
    uint64_t outbox_error_count;                 /* the outbox could not be read or written */
    uint32_t failures;                           /* attempts that failed since the last one that did not */
    int64_t sent_ns;                             /* when the last one was sent; 0: never */
} tcsi_deliver_stats;

typedef struct tcsi_deliver tcsi_deliver;

tcs_status tcsi_deliver_create(const tcsi_deliver_options *options, tcsi_deliver **ret_deliver, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_deliver_start(tcsi_deliver *deliver, tcs_error *err) TCS_WARN_UNUSED;
/* Something was put. */
void tcsi_deliver_wake(tcsi_deliver *deliver);
/* Ends the threads; one that is in an attempt ends with it, at the latest after its receiver's timeout (and a second, for programs). */
void tcsi_deliver_destroy(tcsi_deliver *deliver); /* accepts NULL */

/* What receiver `index` can do now; returns when there is something to do again, INT64_MAX when nothing waits. */
int64_t tcsi_deliver_step(tcsi_deliver *deliver, size_t index, int64_t now_ns);

tcsi_deliver_stats tcsi_deliver_stat(tcsi_deliver *deliver, size_t index);

/* Puts one message for a receiver; alert->revision is its place in the order.  For a receiver that keeps state, what the message makes
 * needless is done first.  When it fails, the caller puts it again: that does nothing twice.
 * due_ns: of the first attempt, and never before that of an earlier message; a number that no clock had a hand in, such as the record's of
 * the journal, is due at once and keeps the order though the clock be set back. */
tcs_status tcsi_deliver_put(const tcsi_outbox *outbox, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t due_ns,
                            int64_t now_ns, tcs_error *err) TCS_WARN_UNUSED;

#endif
