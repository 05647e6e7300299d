/* serve/erase.h -- everything that is kept of the series that matchers name goes, on purpose and on the record.
 *
 * Removed from the store: names, blocks, episodes, messages; labels become tombstones (store/erase.c), and incidents say no more of them
 * (erase_incident.h).  The file is then written anew, so that nothing is left in free pages.  The audit log gets one entry with counts and
 * with a SHA-256 of the matchers, not with the matchers: what somebody wants to have forgotten is not written down for good where it cannot
 * be removed.
 * What else holds something of a series:
 *   - snapshots and the journal: names and states of all series, and rows as they were sent.  They cannot be had without these series
 *     short of learning anew, which also_state does by removing them all.  Without it a service that starts again knows the series again.
 *   - the audit log: ids of episodes, and what people wrote in comments.
 *   - backups, exports, and what receivers were sent: elsewhere.
 * Threads: one user; nobody else may have the store open for writing. */
#ifndef TCS_SERVE_ERASE_H
#define TCS_SERVE_ERASE_H

#include "store/store.h"

typedef struct tcsi_erase_order {
    const char *const *matchers; /* as text; all must hold; at least one */
    size_t matcher_count;
    const char *journal;         /* folder; NULL: there is none here */
    bool also_state;             /* snapshots and journal */
    const char *who;             /* for the audit */
} tcsi_erase_order;

typedef struct tcsi_erase_report {
    size_t series_count;
    tcsi_store_erased erased;
    size_t incident_count; /* that say less, or are gone */
    bool has_state; /* snapshots or a journal remain, and may hold something */
} tcsi_erase_report;

/* E_INVALID: no matchers, or one is none. */
tcs_status tcsi_erase(tcsi_store *store, const tcsi_erase_order *order, tcsi_erase_report *ret_report, tcs_error *err) TCS_WARN_UNUSED;

#endif
