/* serve/standby/standby.h -- two or more services on one store, of which one leads and the others are ready to.
 *
 *     leader:    rows -> journal in the store (store/batch.c) -> live series -> episodes, outbox, snapshots
 *     standby:           journal in the store  ─────────────> live series, nothing else
 *
 * State is a function of the journal, so whoever reads the same journal has the same state: a standby is warm, a few hundred milliseconds
 * behind.  Each process begins as one.  A lease says who leads; it is for people and programs to wait by, and decides nothing: the place
 * where a batch goes is written once, so a leader that slept through its lease learns with its next batch that it leads no more.
 *
 *     FOLLOWING ──the lease is free──> TAKING ──read to the end, and a record of ours behind it──> LEADING
 *         ^                              │                                                          │
 *         └──────────────────────────────┴── somebody else has written; the lease is lost; the store is away for longer than it lasts
 *
 * What follows from the journal is kept in the store by the leader alone, and it marks how far it has (tcsi_store_lease_mark).  A standby
 * holds what is behind the mark, and keeps it itself when it takes over.  Ids are made of what happened, so a part that was kept twice is
 * there once.
 * Threads: create, start, stop, destroy from one; the log from whoever commits; turn from the keeper's; the rest from any. */
#ifndef TCS_SERVE_STANDBY_STANDBY_H
#define TCS_SERVE_STANDBY_STANDBY_H

#include "serve/deliver/outbox.h"
#include "serve/intake.h"
#include "serve/self/health.h"
#include "store/store.h"

#define TCSI_STANDBY_LEASE "live"

typedef struct tcsi_standby tcsi_standby;

typedef struct tcsi_standby_options {
    const char *store;       /* of all of them */
    double lease_s;          /* how long a leader may be silent; 0: 5 */
    uint64_t sequence;       /* of the last record that live has seen */
    tcsi_live *live;
    uint64_t (*kept)(void *self); /* everything up to this record is in the store */
    void (*on_lead)(void *self);  /* it leads now; from the thread that took over */
    void (*on_lost)(void *self);  /* the journal begins after what live has seen: only a new start can go on */
    void *self;
} tcsi_standby_options;

/* A journal folder of a service that was alone may hold records that the store does not: E_INVALID. */
tcs_status tcsi_standby_check_folder(const char *folder, uint64_t sequence, tcs_error *err) TCS_WARN_UNUSED;
/* Opens the store.  E_FORMAT: the journal begins after `sequence`. */
tcs_status tcsi_standby_create(const tcsi_standby_options *options, tcsi_standby **ret_standby, tcs_error *err) TCS_WARN_UNUSED;
const tcsi_journal_log *tcsi_standby_log(tcsi_standby *standby); /* for the intake */
/* address: where rows are taken when this one leads, "http://10.0.0.5:9740". */
tcs_status tcsi_standby_start(tcsi_standby *standby, tcsi_intake *intake, const char *address, tcs_error *err) TCS_WARN_UNUSED;
/* Neither follows nor leads any more; whoever waits need not wait for the lease to pass.  Accepts NULL. */
void tcsi_standby_stop(tcsi_standby *standby);
void tcsi_standby_destroy(tcsi_standby *standby); /* accepts NULL */

/* NULL leads: it is alone. */
bool tcsi_standby_leads(const tcsi_standby *standby);
uint64_t tcsi_standby_takeover_count(const tcsi_standby *standby);
bool tcsi_standby_check(void *standby, char ret_reason[TCSI_HEALTH_REASON_SIZE]); /* a tcsi_health_check */

typedef enum tcsi_turn {
    TCSI_TURN_OURS,  /* to keep it; the store is fenced */
    TCSI_TURN_KEPT,  /* the leader has */
    TCSI_TURN_WAIT,  /* the leader has not yet: ask again */
} tcsi_turn;
/* Who keeps what follows from record `sequence`?  store: the asking thread's.  NULL: ours. */
tcs_status tcsi_standby_turn(tcsi_standby *standby, tcsi_store *store, uint64_t sequence, tcsi_turn *ret_turn,
                             tcs_error *err) TCS_WARN_UNUSED;

/* An outbox from which only a leader sends. */
typedef struct tcsi_standby_outbox {
    tcsi_standby *standby;
    tcsi_outbox inner;
} tcsi_standby_outbox;
tcsi_outbox tcsi_standby_guard(tcsi_standby_outbox *outbox); /* which outlives it */

#endif
