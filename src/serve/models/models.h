/* serve/models/models.h -- the registry of models: which bundles there are, where they come from, what they were measured to do, and which
 * one decides.
 *
 *     import -> measure -> promote (through gates, or by a person with a reason) -> rollback
 *
 * A model is kept in the store under the SHA-256 of its bytes, so that it cannot change and keep its name.  Beside it stands its card, a
 * JSON object: its lineage, taken from its own header when it came; its name and parent; and who signed all that (Ed25519).
 * A name is what a group of models is called that can stand in for each other.  Of each name one may be `champion`, which decides, and one
 * `challenger`.  Who is, is what the audit log says: every promotion and rollback is an entry there, and the alias in the store is set to
 * what they come to, in the same transaction.  So a rollback needs nothing but the log, and doing an entry twice changes nothing.
 * Threads: as the store's handle. */
#ifndef TCS_SERVE_MODELS_MODELS_H
#define TCS_SERVE_MODELS_MODELS_H

#include "base/arena.h"
#include "base/json.h"
#include "base/secret.h"
#include "store/store.h"

enum { TCSI_MODEL_NAME_SIZE_MAX = 100, TCSI_MODEL_PREFIX_MIN = 6, TCSI_MODEL_ALIAS_SIZE = 128 };

/* The network behind the first look of the live service; its aliases go without its name. */
#define TCSI_MODEL_LIVE "live"

/* Appends what the bundle says of itself as a JSON object: the texts of a safetensors header's __metadata__, those that are JSON as such.
 * E_FORMAT: it has none. */
tcs_status tcsi_model_lineage(const void *bytes, size_t size, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_model_import {
    const char *name;              /* [a-z0-9_.-]+; NULL: "default" */
    const char *parent;            /* hash of the one it was made from; NULL: none */
    const char *note;              /* NULL: none */
    const char *card;              /* as exported with it, whose name, parent, note and signature hold instead; NULL: none */
    const unsigned char *key;      /* (TCSI_SECRET_KEY_SIZE) of who signs; NULL: nobody */
    const char *who;
    int64_t now_ns;
} tcsi_model_import;

/* Into the store, with an entry of the audit log; one that is there already stays as it is.  E_FORMAT: no bundle, or its card speaks of
 * another one or its signature is wrong; E_INVALID: a name that cannot be one. */
tcs_status tcsi_models_import(tcsi_store *store, const void *bytes, size_t size, const tcsi_model_import *import,
                              char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_model {
    char hash[TCSI_HASH_TEXT_SIZE];
    size_t size;
    int64_t created_ns;
    const char *card;              /* JSON, in the arena that was given */
    const char *name, *parent, *note; /* of the card */
    bool is_champion, is_challenger;  /* of its name */
} tcsi_model;

/* By a hash, the beginning of just one (TCSI_MODEL_PREFIX_MIN digits), or an alias: "champion", "pump/champion".  E_INVALID: there is
 * none. */
tcs_status tcsi_models_find(tcsi_store *store, const char *name, tcsi_arena *arena, tcsi_model *ret_model, tcs_error *err) TCS_WARN_UNUSED;
/* By age.  false of each ends it.  each may not use the store. */
typedef bool (*tcsi_model_each)(void *context, const tcsi_model *model);
tcs_status tcsi_models_list(tcsi_store *store, tcsi_model_each each, void *context, tcs_error *err) TCS_WARN_UNUSED;

/* Whether its bytes have its hash and say what its card says, and who signed it: *ret_signer is the public key, zeroes when nobody did.
 * E_FORMAT names what was changed.  trusted: (TCSI_SECRET_PUBLIC_KEY_SIZE) the only one believed; NULL: any. */
tcs_status tcsi_models_verify(tcsi_store *store, const tcsi_model *model, const unsigned char *trusted,
                              unsigned char ret_signer[TCSI_SECRET_PUBLIC_KEY_SIZE], tcs_error *err) TCS_WARN_UNUSED;

/* ---- who decides ---- */

/* "champion" of the live network's name, "pump/champion" of another. */
void tcsi_model_alias(const char *name, const char *role, char ret_alias[TCSI_MODEL_ALIAS_SIZE]);
/* What an action of that kind is about, as its document and as the audit's detail: to is a hash, "" for a rollback. */
tcs_status tcsi_models_document(const char *alias, const char *to, const char *reason, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* After an entry of the audit log with that detail was put: the alias becomes what all entries come to.  *ret_hash: "" for none. */
tcs_status tcsi_models_settle(tcsi_store *store, const char *detail, char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err) TCS_WARN_UNUSED;
/* Both in one transaction.  to "": back to the one before.  E_INVALID: there is no such model, or none before. */
tcs_status tcsi_models_promote(tcsi_store *store, const char *alias, const char *to, const char *reason, const char *who, int64_t now_ns,
                               char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err) TCS_WARN_UNUSED;

/* Whether the last word about an alias was a rollback: then nobody is promoted without a person's word. */
tcs_status tcsi_models_is_rolled_back(tcsi_store *store, const char *alias, bool *ret_is, tcs_error *err) TCS_WARN_UNUSED;

/* ---- evidence ---- */

typedef struct tcsi_model_evidence {
    const char *data;              /* what the rows are called, and a seal of them */
    double vus_pr, auc_pr, f1_event;   /* NaN: no labels */
    double alarms, alarms_false, alarms_allowed; /* false: NaN without labels; allowed: by the budget, of chance */
    double p_low_share;            /* of rows whose p-value is below 0.01, among normal ones where labels are: honest is 0.01 */
    double ns_per_row;             /* processor time; NaN: not measured */
    uint64_t row_count;
    int64_t measured_ns;
    /* Where people's answers are the labels (deep/trial.h); otherwise NaN.  low, high: nine times in ten it is in between; gain_low: how
     * much better than the champion at least, nineteen times in twenty. */
    double auc_roc, auc_roc_low, auc_roc_high, auc_gain_low;
    double labels_true, labels_other;
} tcsi_model_evidence;

/* What data are called that have no file. */
#define TCSI_MODEL_DATA_ANSWERS "answered episodes, held out"  /* each judged by what answers on other series teach */
#define TCSI_MODEL_DATA_LATER "answered episodes, after it was made"
#define TCSI_MODEL_DATA_SHADOW "shadow scores"                 /* of live rows out of the ordinary */

tcs_status tcsi_models_evidence_put(tcsi_store *store, const char *hash, const tcsi_model_evidence *evidence,
                                    tcs_error *err) TCS_WARN_UNUSED;
/* data NULL: of all.  The texts live during the call. */
typedef bool (*tcsi_model_evidence_each)(void *context, const tcsi_model_evidence *evidence);
tcs_status tcsi_models_evidence_list(tcsi_store *store, const char *hash, tcsi_model_evidence_each each, void *context,
                                     tcs_error *err) TCS_WARN_UNUSED;
void tcsi_models_evidence_write(const tcsi_model_evidence *evidence, tcsi_json_writer *writer);

/* One thing that must hold before a challenger may take over without anybody's word. */
typedef struct tcsi_model_gate {
    const char *name, *data;
    bool is_passed;
    double challenger, champion, bound; /* is_passed: challenger is on the right side of bound */
} tcsi_model_gate;

enum { TCSI_MODEL_GATES_MAX = 5 };

/* The gates that evidence of both on the same rows allows to ask; champion NULL: those that need none.  Returns their number. */
size_t tcsi_models_gates(const tcsi_model_evidence *challenger, const tcsi_model_evidence *champion,
                         tcsi_model_gate ret_gates[TCSI_MODEL_GATES_MAX]);

#endif
