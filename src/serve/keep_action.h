/* serve/keep_action.h -- what an action leaves in the store: an entry of the audit log, and what its kind adds to that.
 *
 * Called within the keeper's transaction, and again after a crash with the same action, which then changes nothing.
 * An action that cannot be done as it is (an answer undone twice at once, say) leaves its entry, with why, and nothing else.
 * Threads: as the store. */
#ifndef TCS_SERVE_KEEP_ACTION_H
#define TCS_SERVE_KEEP_ACTION_H

#include "serve/action.h"
#include "store/store.h"

/* Before the object of a SETTING, it is the name of the store's setting that has its document. */
#define TCSI_SETTING_KEPT "said."

/* Fails as the store does, and then the scope is broken. */
tcs_status tcsi_keep_action(tcsi_store *store, const tcsi_action *action, tcs_error *err) TCS_WARN_UNUSED;

#endif
