/* serve/models/canary.h -- a challenger that answers for a share of the series, before it is let decide for all.
 *
 * Which series is a hash of their number: the same ones as long as it lasts, and, with a larger share, those and more.  Who said what is
 * in the audit log (an action SETTING with this object, by the API and the journal, or an entry of `tocsin model canary`); the last word
 * counts.
 * Answers are input (shard/second_look.h), so that a replay needs to know nothing of this.
 * Threads: as the store's handle. */
#ifndef TCS_SERVE_MODELS_CANARY_H
#define TCS_SERVE_MODELS_CANARY_H

#include "base/json.h"
#include "store/store.h"

/* Object of the action: {"model": hash, "share": 0.5, "reason": "..."}; model "": it is stopped. */
#define TCSI_SETTING_CANARY "canary"

typedef struct tcsi_canary {
    char model[TCSI_HASH_TEXT_SIZE]; /* "": none */
    double share;                    /* of series, (0, 1]; 0: none */
    int64_t begin_ns;                /* when it was said */
    int64_t sequence;                /* of the last entry of the audit log that was read */
} tcsi_canary;

/* Reads what was said since the last time; zeroes: everything. */
tcs_status tcsi_canary_read(tcsi_store *store, tcsi_canary *canary, tcs_error *err) TCS_WARN_UNUSED;
bool tcsi_canary_holds(const tcsi_canary *canary, uint32_t series);

/* model "": stop. */
tcs_status tcsi_canary_document(const char *model, double share, const char *reason, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* Without a service: an entry of the audit log.  E_INVALID: a share out of (0, 1]. */
tcs_status tcsi_canary_say(tcsi_store *store, const char *model, double share, const char *reason, const char *who, int64_t now_ns,
                           tcs_error *err) TCS_WARN_UNUSED;

/* What became of each side since it began: index 0 the canary's series, 1 all others. */
typedef struct tcsi_canary_group {
    uint64_t series_count, opened, confirmed, said_true, said_false; /* said: of the confirmed, by people; not mine is neither */
} tcsi_canary_group;
/* series_count: of all live series, which are numbered from 0 on. */
tcs_status tcsi_canary_measure(tcsi_store *store, const tcsi_canary *canary, uint32_t series_count, tcsi_canary_group ret_groups[2],
                               tcs_error *err) TCS_WARN_UNUSED;
/* The object, and its groups where there are any (NULL: none). */
void tcsi_canary_write(const tcsi_canary *canary, const tcsi_canary_group *groups, tcsi_json_writer *writer);

#endif
