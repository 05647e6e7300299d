/* serve/erase_incident.h -- incidents outlive the series that they tell of: what they say of an erased one goes, and they stay.
 *
 * An incident names series in its summary, and by the ids of its episodes; the tags that they share may be a person's.  One that names an
 * erased series or an episode of it is left with its times, counts and severity, and with the episodes of others; one of which no listed
 * episode is left is removed.
 * Threads: one user. */
#ifndef TCS_SERVE_ERASE_INCIDENT_H
#define TCS_SERVE_ERASE_INCIDENT_H

#include "store/store.h"

/* What must not be said any more. */
typedef struct tcsi_erased_words {
    tcsi_buffer names;    /* of series, as they stand inside a string of JSON, each with its 0 */
    tcsi_buffer episodes; /* ids, each with its 0 */
} tcsi_erased_words;

void tcsi_erased_words_init(tcsi_erased_words *words);
void tcsi_erased_words_deinit(tcsi_erased_words *words);
/* key: (size) the series' tags as the store has them.  E_FORMAT: they are none. */
tcs_status tcsi_erased_words_name(tcsi_erased_words *words, const void *key, size_t size, tcs_error *err) TCS_WARN_UNUSED;
/* The ids of the series' episodes, while they are there. */
tcs_status tcsi_erased_words_episodes(tcsi_erased_words *words, tcsi_store *store, int64_t series_id, tcs_error *err) TCS_WARN_UNUSED;

/* *ret_count: incidents that were changed or removed. */
tcs_status tcsi_erase_incidents(tcsi_store *store, const tcsi_erased_words *words, size_t *ret_count, tcs_error *err) TCS_WARN_UNUSED;

#endif
