/* serve/keeper.h -- what happened, kept and told: from live events to episodes in the store and to whoever listens; and snapshots.
 *
 * One thread calls it (live's teller), in the order of the journal.  What was told without more to come is one transaction: the episodes
 * of some records and everything that follows from them, or nothing (keep_batch.h).  Ids are made of what happened and to whom, so that a
 * journal read again after a crash writes nothing twice; what it would write again it need not (recall).
 * A store that fails stops the way: the call waits and tries again, until the store answers or the service ends (tcsi_keeper_stop); rows
 * behind it wait, and then their senders do.  What was not kept happens again at the next start, because snapshots and all that is told
 * later are kept by the same thread, behind it or not at all.
 * Threads: tell and keep from one; stop, is_fine and the counts from any. */
#ifndef TCS_SERVE_KEEPER_H
#define TCS_SERVE_KEEPER_H

#include "serve/deliver/deliver.h"
#include "serve/deliver/settings.h"
#include "serve/history/chronicle.h"
#include "serve/http/events.h"
#include "serve/shard/live.h"
#include "serve/standby/standby.h"
#include "serve/traces.h"
#include "store/journal.h"
#include "store/store.h"

#define TCSI_KEEPER_SNAPSHOT "live"

enum { TCSI_KEEPER_REASON_SIZE = 200 };

typedef struct tcsi_keeper tcsi_keeper;

typedef struct tcsi_keeper_options {
    tcsi_store *store;        /* of this thread alone */
    tcsi_events *events;      /* NULL: nobody listens */
    const tcsi_deliver_settings *settings; /* who else is told, and of what; NULL: nobody.  Outlives the keeper */
    double alarms_per_s;      /* of chance, of all series together, until the journal says another: what is more at once is an incident */
    tcsi_traces *traces;      /* of the records that are told; NULL: there are none */
    size_t snapshot_count;    /* so many are kept; 0: 3 */
    int64_t retry_ns;         /* from one attempt to the next while the store fails, below a second; 0: 0.2 s */
    /* Told of each step of an episode, as events has it, after it was kept; NULL: nobody. */
    void (*step)(void *step_self, const tcsi_live_event *event, const char *document);
    void *step_self;
    tcsi_chronicle *history;    /* is in the store up to a snapshot before that is; NULL: none */
} tcsi_keeper_options;

tcs_status tcsi_keeper_create(const tcsi_keeper_options *options, tcsi_keeper **ret_keeper, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_keeper_destroy(tcsi_keeper *keeper); /* accepts NULL */
/* Known once live is made, which needs the keeper; before anything is told. */
void tcsi_keeper_set_directory(tcsi_keeper *keeper, const tcsi_directory *directory);
/* The journal whose records before the oldest snapshot may go; NULL: none goes. */
void tcsi_keeper_set_journal(tcsi_keeper *keeper, tcsi_journal *journal);

/* Who else may keep what happened; NULL: nobody. */
void tcsi_keeper_set_standby(tcsi_keeper *keeper, tcsi_standby *standby);

/* As tcsi_live_options has them; self is the keeper. */
void tcsi_keeper_tell(void *self, const tcsi_live_news *news);
void tcsi_keeper_keep(void *self, const tcsi_live_snapshot *snapshot);
/* Calls that wait for the store give up. */
void tcsi_keeper_stop(tcsi_keeper *keeper);

/* The newest sound snapshot into live and keeper; *ret_sequence 0: there is none. */
tcs_status tcsi_keeper_load(tcsi_keeper *keeper, tcsi_live *live, uint64_t *ret_sequence, tcs_error *err) TCS_WARN_UNUSED;
/* The same of another store, with a number below `before`. */
tcs_status tcsi_keeper_load_from(tcsi_keeper *keeper, tcsi_store *store, int64_t before, tcsi_live *live, uint64_t *ret_sequence,
                                 tcs_error *err) TCS_WARN_UNUSED;
/* The journal that is about to be read is that of `folder`, from behind the snapshot: what the store has of its records is not written
 * again, nor told to who listens.  After load.  What the store says of another journal, or said under other settings, does not count. */
tcs_status tcsi_keeper_recall(tcsi_keeper *keeper, const char *folder, tcs_error *err) TCS_WARN_UNUSED;
/* To be woken when there is something to send; NULL: nobody. */
void tcsi_keeper_set_deliver(tcsi_keeper *keeper, tcsi_deliver *deliver);

/* Does the store answer?  Otherwise why not. */
bool tcsi_keeper_is_fine(tcsi_keeper *keeper, char ret_reason[TCSI_KEEPER_REASON_SIZE]);
uint64_t tcsi_keeper_count(tcsi_keeper *keeper, tcsi_live_kind kind, tcsi_live_state state); /* events told */
/* Everything up to this record is in the store. */
uint64_t tcsi_keeper_kept(tcsi_keeper *keeper);
uint64_t tcsi_keeper_snapshot_count(tcsi_keeper *keeper);

#endif
