/* store/store.h -- what the service must still know tomorrow: series, blocks of rows, episodes, alerts, labels, models, what is to be
 * sent, who did what, and snapshots of its state.  One interface over SQLite (a file, the default) and PostgreSQL (shared by several).
 *
 *     open -> begin -> put, put, put -> commit -> ... -> close
 *
 * Acknowledged means durable: when commit, or a call outside of begin and commit, returns TCS_OK, it survives `kill -9` and power loss.
 * Scopes: everything between begin and commit happens together or not at all.  After a call in a scope has failed, the scope is broken:
 * each later call fails with the same words, and so does commit; everything is undone.  A call outside is a scope of its own.
 * Nothing twice: everything that is put has an id of the caller's, and putting the same again changes nothing.  So after E_IO, when nobody
 * can know whether the far end did it (a connection cut during commit), the caller does it again.
 * Failing: E_IO the disk or the server; E_LIMIT the disk is full; E_FORMAT the store is damaged or is none; E_UNSUPPORTED it was written by
 * a newer version, or this build lacks the library; E_INVALID what was asked cannot be; E_CANCELLED another process leads (lease);
 * E_MEMORY.  A server that is gone is asked again by later calls, not before a delay that doubles from 0.1 s to 5 s; until then they
 * return E_IO at once.  Nobody sleeps in here, except SQLite up to 5 s when another process writes.
 * Texts are UTF-8, and never NULL unless it says so.  Texts and bytes given to callbacks live during the call; a callback must not use
 * the store.
 * Threads: one handle per thread at a time; open as many handles as there are threads. */
#ifndef TCS_STORE_STORE_H
#define TCS_STORE_STORE_H

#include "base/buffer.h"
#include "base/hash.h"

typedef struct tcsi_store tcsi_store;

typedef struct tcsi_store_options {
    bool alone;      /* SQLite: no other process may have the file open with this: "already in use by process N".  Else nothing */
    bool must_exist; /* otherwise an empty store is made */
    bool as_is;      /* an older schema is refused rather than upgraded */
    bool scratch;    /* SQLite in memory, empty, gone when it is closed; `where` is not looked at */
} tcsi_store_options;

/* where: "sqlite:PATH" or a plain PATH; "postgresql://..." as libpq reads it, in whose database the schema `tocsin` is used.
 * Upgrades the schema of an earlier version.  options may be NULL. */
tcs_status tcsi_store_open(const char *where, const tcsi_store_options *options, tcsi_store **ret_store, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_store_close(tcsi_store *store); /* accepts NULL; an open scope is undone */
const char *tcsi_store_name(const tcsi_store *store); /* where it is, without passwords */

tcs_status tcsi_store_begin(tcsi_store *store, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_store_commit(tcsi_store *store, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_store_rollback(tcsi_store *store); /* also when nothing was begun */

/* While is_hasty, commits are in order but not synced one by one: after a power loss the last ones may be missing, and no others.  For who
 * can do them again, as a journal that is read.  Not within a scope.  The first commit afterwards makes all durable. */
tcs_status tcsi_store_hurry(tcsi_store *store, bool is_hasty, tcs_error *err) TCS_WARN_UNUSED;

/* ---- series ---- */
typedef struct tcsi_store_series {
    int64_t id;            /* from 1 on; without gaps, except where one was erased */
    const void *tags;      /* canonical bytes of series/key.h; opaque in here */
    size_t tags_size;
    const char *text;      /* name{a="b"}, for people */
    int64_t first_seen_ns;
} tcsi_store_series;

/* The id of the series with these tags; series->id is ignored.  A new one if there is none yet. */
tcs_status tcsi_store_series_put(tcsi_store *store, const tcsi_store_series *series, int64_t *ret_id, tcs_error *err) TCS_WARN_UNUSED;
/* Only looks: *ret_id 0: there is none. */
tcs_status tcsi_store_series_find(tcsi_store *store, const void *tags, size_t tags_size, int64_t *ret_id, tcs_error *err) TCS_WARN_UNUSED;
/* By id, from the first one above `after`; limit 0: all.  false of each ends it. */
typedef bool (*tcsi_store_series_each)(void *context, const tcsi_store_series *series);
tcs_status tcsi_store_series_list(tcsi_store *store, int64_t after, size_t limit, tcsi_store_series_each each, void *context,
                                  tcs_error *err) TCS_WARN_UNUSED;

/* ---- blocks: encoded rows (store/block.h) of one series ---- */
typedef struct tcsi_store_block {
    int64_t series_id;
    uint32_t kind;              /* the caller's: rows, scores, ... */
    int64_t first_ns, last_ns;  /* times of the first and the last row */
    uint32_t row_count;
    const void *bytes;          /* opaque in here; sealed on the way in, and the seal is checked on the way out */
    size_t size;
} tcsi_store_block;

/* In place of the block of the same series, kind and first_ns, if there is one. */
tcs_status tcsi_store_block_put(tcsi_store *store, const tcsi_store_block *block, tcs_error *err) TCS_WARN_UNUSED;
/* Blocks that hold any of [from_ns, to_ns], by time.  E_FORMAT: one is damaged; those before it have been given. */
typedef bool (*tcsi_store_block_each)(void *context, const tcsi_store_block *block);
tcs_status tcsi_store_block_list(tcsi_store *store, int64_t series_id, uint32_t kind, int64_t from_ns, int64_t to_ns,
                                 tcsi_store_block_each each, void *context, tcs_error *err) TCS_WARN_UNUSED;
/* Forgets up to limit blocks of a kind that end before before_ns: in portions, so that writers get their turn. */
tcs_status tcsi_store_block_forget(tcsi_store *store, uint32_t kind, int64_t before_ns, size_t limit, size_t *ret_count,
                                   tcs_error *err) TCS_WARN_UNUSED;

/* ---- records: what has an id, a state and a JSON document ---- */
typedef enum tcsi_store_record_kind {
    TCSI_STORE_EPISODE = 1,
    TCSI_STORE_ALERT = 2,       /* one or several episodes, as they are told to somebody */
    TCSI_STORE_SILENCE = 3,
    TCSI_STORE_MAINTENANCE = 4,
    TCSI_STORE_INCIDENT = 8,    /* episodes that belong together */
    TCSI_STORE_TOKEN = 5,       /* of the HTTP API; the document holds a hash, never the token */
    TCSI_STORE_EVIDENCE = 6,    /* what a model was measured to do on some rows */
    TCSI_STORE_ACKNOWLEDGEMENT = 7, /* of an episode, whose id it has */
    TCSI_STORE_WINDOW = 9,      /* of an episode, whose id it has: the last rows of its series when it opened */
    TCSI_STORE_WATCH = 10,      /* what the service watched about itself in an hour */
} tcsi_store_record_kind;

typedef struct tcsi_store_record {
    tcsi_store_record_kind kind;
    const char *id;             /* unique within its kind */
    int64_t series_id;          /* 0: of none in particular */
    int64_t state;              /* the caller's; of an episode: tcs_episode_state */
    int64_t begin_ns, end_ns;   /* end_ns: INT64_MAX while it lasts */
    int64_t updated_ns;
    const char *document;       /* JSON */
} tcsi_store_record;

/* In place of the record of the same kind and id, if there is one. */
tcs_status tcsi_store_record_put(tcsi_store *store, const tcsi_store_record *record, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_store_record_remove(tcsi_store *store, tcsi_store_record_kind kind, const char *id, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_store_record_query { /* zeroes: no restriction */
    tcsi_store_record_kind kind;  /* required */
    const char *id;               /* only this one */
    int64_t series_id;            /* only of this series */
    int64_t state_min, state_max; /* both 0: any */
    int64_t from_ns, to_ns;       /* only those that last into [from_ns, to_ns]; to_ns 0: no end */
    int64_t before_ns;            /* with before_id, the last one of the page before: goes on behind it */
    const char *before_id;
    size_t limit;
} tcsi_store_record_query;

/* By begin_ns and id, newest first. */
typedef bool (*tcsi_store_record_each)(void *context, const tcsi_store_record *record);
tcs_status tcsi_store_record_list(tcsi_store *store, const tcsi_store_record_query *query, tcsi_store_record_each each, void *context,
                                  tcs_error *err) TCS_WARN_UNUSED;

/* ---- labels: append-only ---- */
typedef struct tcsi_store_label {
    int64_t sequence;        /* given by the store: 1, 2, 3, ... */
    const char *id;          /* the caller's */
    const char *episode_id;
    const char *verdict;     /* "true", "expected", "not_mine"; "" in a record that undoes another */
    const char *author;
    int64_t time_ns;
    const char *undoes;      /* the id of the label that this one takes back; "": none */
    const char *document;    /* JSON: why, how sure */
    bool is_undone;          /* when listed */
} tcsi_store_label;

/* A second one with the same id changes nothing.  E_INVALID: there is no label that it could undo, or it was undone already. */
tcs_status tcsi_store_label_put(tcsi_store *store, const tcsi_store_label *label, tcs_error *err) TCS_WARN_UNUSED;
/* By sequence, above `after`; episode_id NULL: of all; limit 0: all. */
typedef bool (*tcsi_store_label_each)(void *context, const tcsi_store_label *label);
tcs_status tcsi_store_label_list(tcsi_store *store, const char *episode_id, int64_t after, size_t limit, tcsi_store_label_each each,
                                 void *context, tcs_error *err) TCS_WARN_UNUSED;

/* ---- models: bundles, named by what they hold ---- */
typedef struct tcsi_store_model {
    const char *hash;        /* SHA-256 of its bytes in hex */
    size_t size;
    int64_t created_ns;
    const char *document;    /* JSON: lineage */
} tcsi_store_model;

tcs_status tcsi_store_model_put(tcsi_store *store, const void *bytes, size_t size, int64_t created_ns, const char *document,
                                char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err) TCS_WARN_UNUSED;
/* Appends its bytes.  name: a hash or an alias.  E_INVALID: there is none; E_FORMAT: its bytes have another hash. */
tcs_status tcsi_store_model_get(tcsi_store *store, const char *name, tcsi_buffer *bytes, tcs_error *err) TCS_WARN_UNUSED;
typedef bool (*tcsi_store_model_each)(void *context, const tcsi_store_model *model);
tcs_status tcsi_store_model_list(tcsi_store *store, tcsi_store_model_each each, void *context, tcs_error *err) TCS_WARN_UNUSED; /* by age */
/* E_INVALID: an alias names it, or there is none. */
tcs_status tcsi_store_model_remove(tcsi_store *store, const char *hash, tcs_error *err) TCS_WARN_UNUSED;
/* alias: "champion", "challenger", ...; hash NULL: it names nothing any more.  E_INVALID: there is no such model. */
tcs_status tcsi_store_alias_set(tcsi_store *store, const char *alias, const char *hash, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_store_alias_get(tcsi_store *store, const char *alias, char ret_hash[TCSI_HASH_TEXT_SIZE], bool *ret_found,
                                tcs_error *err) TCS_WARN_UNUSED;

/* ---- outbox: what is to be sent, until it was ---- */
typedef struct tcsi_store_message {
    const char *receiver;
    const char *id;          /* unique for the receiver: sent with the message, so that it can tell repetitions */
    const void *payload;
    size_t payload_size;
    const char *trace;       /* W3C traceparent; "": none */
    int64_t due_ns;
    uint32_t attempt_count;
    const char *error;       /* of the last attempt; "" before */
} tcsi_store_message;

/* A second one for the same receiver with the same id changes nothing, also after it was sent. */
tcs_status tcsi_store_outbox_put(tcsi_store *store, const tcsi_store_message *message, tcs_error *err) TCS_WARN_UNUSED;
/* Messages to a receiver that are due at now_ns, by due_ns and id.  They stay until done: a crash in between sends them again. */
typedef bool (*tcsi_store_message_each)(void *context, const tcsi_store_message *message);
tcs_status tcsi_store_outbox_due(tcsi_store *store, const char *receiver, int64_t now_ns, size_t limit, tcsi_store_message_each each,
                                 void *context, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_store_outbox_done(tcsi_store *store, const char *receiver, const char *id, int64_t now_ns, tcs_error *err) TCS_WARN_UNUSED;
/* A newer message says more than this one: it is not needed any more, whether or not it was sent before. */
tcs_status tcsi_store_outbox_replace(tcsi_store *store, const char *receiver, const char *id, int64_t now_ns,
                                     tcs_error *err) TCS_WARN_UNUSED;
/* The attempt at now_ns failed, or it went well (error "") and is to be made again: at due_ns; INT64_MAX: never, it is given up (not
 * listed any more, but counted). */
tcs_status tcsi_store_outbox_retry(tcsi_store *store, const char *receiver, const char *id, int64_t now_ns, int64_t due_ns,
                                   const char *error, tcs_error *err) TCS_WARN_UNUSED;
typedef struct tcsi_store_outbox_stats {
    uint64_t waiting_count, given_up_count;
    int64_t due_ns_min;      /* of those waiting; INT64_MAX: none waits */
} tcsi_store_outbox_stats;
tcs_status tcsi_store_outbox_stat(tcsi_store *store, const char *receiver, tcsi_store_outbox_stats *ret_stats,
                                  tcs_error *err) TCS_WARN_UNUSED;
/* What became of messages, for whoever wants to know who was told. */
typedef enum tcsi_store_told_outcome {
    TCSI_STORE_TOLD_WAITING, TCSI_STORE_TOLD_SENT, TCSI_STORE_TOLD_GIVEN_UP, TCSI_STORE_TOLD_REPLACED /* before it was sent */
} tcsi_store_told_outcome;
typedef struct tcsi_store_told {
    const char *receiver, *id, *trace;
    tcsi_store_told_outcome outcome;
    int64_t time_ns;         /* sent: when last; given up, replaced: when; 0: not yet */
    uint32_t attempt_count;
    const char *error;       /* of the last attempt; "": it did not fail, or there was none */
} tcsi_store_told;
/* All whose ids begin with key and '#' (serve/deliver/deliver.h), by receiver and id, until they are forgotten. */
typedef bool (*tcsi_store_told_each)(void *context, const tcsi_store_told *told);
tcs_status tcsi_store_outbox_told(tcsi_store *store, const char *key, tcsi_store_told_each each, void *context,
                                  tcs_error *err) TCS_WARN_UNUSED;
/* Forgets messages done or given up before before_ns, and with them that their ids were used. */
tcs_status tcsi_store_outbox_forget(tcsi_store *store, int64_t before_ns, size_t *ret_count, tcs_error *err) TCS_WARN_UNUSED;

/* ---- audit: who did what, each entry sealed with the one before ---- */
typedef struct tcsi_store_audit_entry {
    int64_t sequence;        /* given by the store: 1, 2, 3, ... */
    const char *id;          /* the caller's */
    int64_t time_ns;
    const char *actor, *action, *object, *detail;
    unsigned char hash[TCSI_HASH_SIZE]; /* of all above and of the hash before; given by the store */
} tcsi_store_audit_entry;

tcs_status tcsi_store_audit_put(tcsi_store *store, const tcsi_store_audit_entry *entry, tcs_error *err) TCS_WARN_UNUSED;
typedef bool (*tcsi_store_audit_each)(void *context, const tcsi_store_audit_entry *entry);
tcs_status tcsi_store_audit_list(tcsi_store *store, int64_t after, size_t limit, tcsi_store_audit_each each, void *context,
                                 tcs_error *err) TCS_WARN_UNUSED;
/* Entries of one action, oldest first, found without reading the others. */
typedef struct tcsi_store_audit_query {
    const char *action;
    const char *object;      /* NULL: whatever it was done to */
} tcsi_store_audit_query;
tcs_status tcsi_store_audit_of(tcsi_store *store, const tcsi_store_audit_query *query, tcsi_store_audit_each each, void *context,
                               tcs_error *err) TCS_WARN_UNUSED;
/* Follows the whole chain.  E_FORMAT names the first entry that was changed, removed or put in.  What was cut off at the end shows only
 * against a head noted elsewhere: ret_head is the last entry's hash, ret_count its number. */
tcs_status tcsi_store_audit_verify(tcsi_store *store, int64_t *ret_count, unsigned char ret_head[TCSI_HASH_SIZE],
                                   tcs_error *err) TCS_WARN_UNUSED;

/* The chain up to some entry; zeroes: before the first.  For those who have the entries from elsewhere, as from an export. */
typedef struct tcsi_audit_chain {
    int64_t count;
    unsigned char head[TCSI_HASH_SIZE];
} tcsi_audit_chain;
/* E_FORMAT: entry is not the next one, or not as it was written; chain stays where it was. */
tcs_status tcsi_audit_chain_follow(tcsi_audit_chain *chain, const tcsi_store_audit_entry *entry, tcs_error *err) TCS_WARN_UNUSED;

/* ---- snapshots of a state, in parts ---- */
typedef struct tcsi_store_snapshot {
    int64_t number;          /* 1, 2, 3, ...; later is newer */
    uint64_t position;       /* the caller's: records of the journal that it contains */
    int64_t time_ns;
    uint64_t part_count, size;
    bool is_complete;        /* end was called */
    bool is_sound;           /* and every part's seal holds */
} tcsi_store_snapshot;

/* begin, parts in order, end; until end it does not count.  Each call is durable on its own, so that other writers get their turn. */
tcs_status tcsi_store_snapshot_begin(tcsi_store *store, const char *name, uint64_t position, int64_t time_ns, int64_t *ret_number,
                                     tcs_error *err) TCS_WARN_UNUSED;
/* part: 0, 1, 2, ...; the same one again takes its place. */
tcs_status tcsi_store_snapshot_part(tcsi_store *store, const char *name, int64_t number, uint64_t part, const void *bytes, size_t size,
                                    tcs_error *err) TCS_WARN_UNUSED;
/* E_INVALID: it does not have just part_count parts.  Keeps the keep_count newest complete ones of this name, at least this one, and
 * removes what is older, whole or not. */
tcs_status tcsi_store_snapshot_end(tcsi_store *store, const char *name, int64_t number, uint64_t part_count, size_t keep_count,
                                   tcs_error *err) TCS_WARN_UNUSED;
/* The newest sound one with a number below `before` (INT64_MAX: of all), every seal checked before the first part is handed out.  Unsound
 * ones are passed over and logged (STORE-SNAPSHOT-DAMAGED).  *ret_found false: there is none. */
typedef bool (*tcsi_store_snapshot_each)(void *context, const void *bytes, size_t size);
tcs_status tcsi_store_snapshot_load(tcsi_store *store, const char *name, int64_t before, tcsi_store_snapshot_each each, void *context,
                                    tcsi_store_snapshot *ret_snapshot, bool *ret_found, tcs_error *err) TCS_WARN_UNUSED;
typedef bool (*tcsi_store_snapshot_list_each)(void *context, const tcsi_store_snapshot *snapshot);
tcs_status tcsi_store_snapshot_list(tcsi_store *store, const char *name, tcsi_store_snapshot_list_each each, void *context,
                                    tcs_error *err) TCS_WARN_UNUSED; /* newest first, seals checked */
/* All of that name. */
tcs_status tcsi_store_snapshot_remove(tcsi_store *store, const char *name, tcs_error *err) TCS_WARN_UNUSED;
/* Back to an earlier one: newer ones are removed.  E_INVALID: it is not there or not sound. */
tcs_status tcsi_store_snapshot_rollback(tcsi_store *store, const char *name, int64_t number, tcs_error *err) TCS_WARN_UNUSED;

/* ---- settings ---- */
tcs_status tcsi_store_setting_set(tcsi_store *store, const char *name, const char *value, tcs_error *err) TCS_WARN_UNUSED; /* NULL: unset */
/* Appends the value. */
tcs_status tcsi_store_setting_get(tcsi_store *store, const char *name, tcsi_buffer *value, bool *ret_found, tcs_error *err) TCS_WARN_UNUSED;

/* ---- who leads ---- */
/* Takes the lease, or prolongs it, to duration_ns from now by the store's clock (the server's, for PostgreSQL).  holder: different for
 * every process that ever lived.  *ret_token 0: somebody else has it; otherwise a number that grows with each change of hands. */
tcs_status tcsi_store_lease_take(tcsi_store *store, const char *lease, const char *holder, int64_t duration_ns, int64_t *ret_token,
                                 tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_store_lease_release(tcsi_store *store, const char *lease, const char *holder, tcs_error *err) TCS_WARN_UNUSED;
/* From now on whatever this handle changes fails with E_CANCELLED once the lease has passed to another: the token is looked at in the same
 * transaction, so that a process that slept through its lease cannot write over its successor.  lease NULL: no longer. */
tcs_status tcsi_store_fence(tcsi_store *store, const char *lease, int64_t token, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_store_lease {
    char holder[256];        /* "": there is no such lease */
    int64_t token;
    bool is_over;            /* by the store's clock */
    uint64_t mark;
} tcsi_store_lease;
tcs_status tcsi_store_lease_read(tcsi_store *store, const char *lease, tcsi_store_lease *ret_lease, tcs_error *err) TCS_WARN_UNUSED;
/* A number of the holder's that only grows, for those who wait to take over. */
tcs_status tcsi_store_lease_mark(tcsi_store *store, const char *lease, int64_t token, uint64_t mark, tcs_error *err) TCS_WARN_UNUSED;

/* ---- a journal in batches of records (store/journal.h), for several processes of which one writes ---- */
typedef struct tcsi_store_batch {
    uint64_t first, last;    /* sequence numbers of its records */
    int64_t token;           /* of whoever wrote it */
    const void *bytes;       /* opaque in here; sealed on the way in, and the seal is checked on the way out */
    size_t size;
} tcsi_store_batch;

/* Durable when it returns TCS_OK; the same again changes nothing.  E_CANCELLED: another batch begins at this record, so somebody else has
 * written.  Each process that writes knows where the last batch ended; so of two that think they may go on from there one is told, by
 * this, and no clock and no lock decides. */
tcs_status tcsi_store_batch_put(tcsi_store *store, const tcsi_store_batch *batch, tcs_error *err) TCS_WARN_UNUSED;
/* The one that holds record `first`, if there is one, and those behind it, in order; limit 0: all.  E_FORMAT: one is
 * damaged; those before it have been given. */
typedef bool (*tcsi_store_batch_each)(void *context, const tcsi_store_batch *batch);
tcs_status tcsi_store_batch_list(tcsi_store *store, uint64_t first, size_t limit, tcsi_store_batch_each each, void *context,
                                 tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_store_batch_ends(tcsi_store *store, uint64_t *ret_first, uint64_t *ret_last, tcs_error *err) TCS_WARN_UNUSED; /* 0: none */
/* All of them, and what leases say of them: the next one begins at record 1.  Nobody may be following. */
tcs_status tcsi_store_batch_remove(tcsi_store *store, tcs_error *err) TCS_WARN_UNUSED;
/* Forgets batches all of whose records are before `sequence`. */
tcs_status tcsi_store_batch_forget(tcsi_store *store, uint64_t sequence, tcs_error *err) TCS_WARN_UNUSED;

/* ---- upkeep ---- */
/* To be called every second or so by one handle that has nothing else to do: moves SQLite's log into its file, so that writers need not. */
tcs_status tcsi_store_tend(tcsi_store *store, tcs_error *err) TCS_WARN_UNUSED;
/* Rows by table, of all tables. */
typedef void (*tcsi_store_table)(void *context, const char *name, int64_t row_count);
tcs_status tcsi_store_count(tcsi_store *store, tcsi_store_table each, void *context, tcs_error *err) TCS_WARN_UNUSED;
/* What is kept of a series goes: its name, blocks, episodes, what waits to be sent of these or has its name in it (name: as a payload would
 * say it; "": it is not looked for).  Labels of its episodes become tombstones,
 * which say nothing but that there was one, so that their numbers have no gap.  The audit log stays.  Nothing of it remains in free pages
 * after tcsi_store_compact. */
typedef struct tcsi_store_erased {
    size_t block_count, record_count, label_count, message_count;
} tcsi_store_erased;
tcs_status tcsi_store_erase(tcsi_store *store, int64_t series_id, const char *name, tcsi_store_erased *ret_erased,
                            tcs_error *err) TCS_WARN_UNUSED;
/* Writes the store anew without what was removed from it. */
tcs_status tcsi_store_compact(tcsi_store *store, tcs_error *err) TCS_WARN_UNUSED;
/* Reads everything: pages, seals, hashes, the audit chain.  each is told every problem; E_FORMAT with the first, if there is any. */
typedef void (*tcsi_store_problem)(void *context, const char *line);
tcs_status tcsi_store_check(tcsi_store *store, tcsi_store_problem each, void *context, tcs_error *err) TCS_WARN_UNUSED;
/* Everything as of one moment, while others go on writing, into a new SQLite file, which appears when it is complete. */
tcs_status tcsi_store_backup(tcsi_store *store, const char *path, tcs_error *err) TCS_WARN_UNUSED;
/* Everything of a backup into an empty store, in one scope.  E_INVALID: it is not empty. */
tcs_status tcsi_store_restore(tcsi_store *store, const char *path, tcs_error *err) TCS_WARN_UNUSED;

#endif
