/* serve/keep_batch.h -- what some records left to be kept, until it is: written in one transaction, and then told to who listens.
 *
 *     action, episode, incident, message (record by record) -> settle -> put (again, until the store has it) -> publish -> clear
 *
 * A transaction is one wait for the disk, however many records are in it.  What is put is what would have been put record by record: in
 * their order, with each document as it was then; but what changed several times is put once, as it is in the end.  Who listens hears of
 * each step of an episode.  An action speaks of what is in the store, so it is to be in no batch with what was before it.
 * Everything has an id of its own, so that a batch whose fate is unknown is put again.
 *
 * In the same transaction goes the mark: the last record of which something is in the batch, its time, and whose words these are.  A
 * service that reads its journal again need not write what the store has, as long as the record is the one that the mark speaks of.
 * Memory: some 2 KB an event, until clear.  Threads: one user. */
#ifndef TCS_SERVE_KEEP_BATCH_H
#define TCS_SERVE_KEEP_BATCH_H

#include "serve/deliver/deliver.h"
#include "serve/http/events.h"
#include "serve/incident.h"
#include "serve/keep_episode.h"
#include "store/store.h"

/* A record of the journal, and its time, which tells it from one of the same number in another journal. */
typedef struct tcsi_kept_mark {
    uint64_t sequence; /* 0: none */
    int64_t time_ns;
} tcsi_kept_mark;

typedef struct tcsi_keep_batch {
    struct tcsi_kept *items; /* (count) in their order */
    size_t count, capacity;
    uint32_t *latest;        /* (latest_size) places of items plus one by episode, open addressing: the last of each */
    size_t latest_size;
    tcsi_buffer drafts;      /* names and documents, each with its 0 */
    tcsi_buffer finished;    /* documents of episodes as the store has them */
    tcsi_buffer window;      /* that is being put */
    tcsi_arena arena;        /* texts of messages */
    size_t message_count;
    bool has_action;
    tcsi_kept_mark mark;     /* the last record of which something is in it */
} tcsi_keep_batch;

void tcsi_keep_batch_init(tcsi_keep_batch *batch);
void tcsi_keep_batch_deinit(tcsi_keep_batch *batch);
void tcsi_keep_batch_clear(tcsi_keep_batch *batch); /* keeps the memory */

/* One more; action, event and receiver live until clear.  E_MEMORY: as if it had not been called. */
tcs_status tcsi_keep_batch_action(tcsi_keep_batch *batch, const tcsi_action *action, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_keep_batch_episode(tcsi_keep_batch *batch, const tcsi_live_event *event, const tcsi_keep_episode_words *words,
                                   tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_keep_batch_message(tcsi_keep_batch *batch, const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_kept_mark record,
                                   tcs_error *err) TCS_WARN_UNUSED;
/* Those that changed since settle of incidents (incident.h): before that. */
tcs_status tcsi_keep_batch_incidents(tcsi_keep_batch *batch, tcsi_incidents *incidents, const tcsi_directory *directory,
                                     tcs_error *err) TCS_WARN_UNUSED;
/* The documents of those that still last, as they are now: before the first put. */
tcs_status tcsi_keep_batch_settle(tcsi_keep_batch *batch, tcsi_incidents *incidents, const tcsi_directory *directory,
                                  tcs_error *err) TCS_WARN_UNUSED;

/* whose: what else decides what is kept, beside the journal.  Everything is there or nothing, as the store has it. */
tcs_status tcsi_keep_batch_put(tcsi_keep_batch *batch, tcsi_store *store, const tcsi_directory *directory, tcsi_fingerprint whose,
                               tcs_error *err) TCS_WARN_UNUSED;
/* To who listens (events, step: as tcsi_keeper_options has them; both may be NULL), put here or by another process. */
void tcsi_keep_batch_publish(tcsi_keep_batch *batch, tcsi_store *store, tcsi_events *events,
                             void (*step)(void *step_self, const tcsi_live_event *event, const char *document), void *step_self);

/* The mark that was put last; 0: there is none, or it is somebody else's. */
tcs_status tcsi_kept_mark_read(tcsi_store *store, tcsi_fingerprint whose, tcsi_kept_mark *ret_mark, tcs_error *err) TCS_WARN_UNUSED;

#endif
