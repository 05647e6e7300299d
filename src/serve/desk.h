/* serve/desk.h -- what people decided about telling: silences, maintenance windows, acknowledgements.
 *
 * An action takes effect twice, both times in the journal's order: on the state from which receivers are told (act), and on the store, from
 * which people read (keep, in the keeper's transaction).  The state is saved with a snapshot and never read back from the store, so that a
 * replay decides what was decided; only where there is no snapshot is it begun with what the store has.
 * Threads: act, tick, persist, load from the keeper's; keep as the store. */
#ifndef TCS_SERVE_DESK_H
#define TCS_SERVE_DESK_H

#include "serve/action.h"
#include "serve/deliver/notify.h"
#include "serve/http/events.h"
#include "store/store.h"

typedef struct tcsi_desk {
    tcsi_silences silences;
} tcsi_desk;

void tcsi_desk_init(tcsi_desk *desk);
void tcsi_desk_deinit(tcsi_desk *desk);
/* notify NULL: nobody is told anything.  An action of another kind changes nothing. */
void tcsi_desk_act(tcsi_desk *desk, tcsi_notify *notify, const tcsi_action *action);
void tcsi_desk_tick(tcsi_desk *desk, int64_t time_ns);
void tcsi_desk_persist(tcsi_desk *desk, tcsi_codec *codec);
/* Silences that the store has and that are not over by now_ns. */
tcs_status tcsi_desk_load(tcsi_desk *desk, tcsi_store *store, int64_t now_ns, tcs_error *err) TCS_WARN_UNUSED;

/* Of SILENCE, MAINTENANCE, END and ACKNOWLEDGE: the record.  One that cannot be done (an end of what is over, an episode that is gone)
 * leaves none. */
tcs_status tcsi_desk_keep(tcsi_store *store, const tcsi_action *action, tcs_error *err) TCS_WARN_UNUSED;
/* Whether a window of maintenance held of an episode while it lasted: then an answer to it is kept, and nothing is learned from it.  An
 * episode that is not there was in none. */
tcs_status tcsi_desk_was_maintained(tcsi_store *store, const char *episode_id, bool *ret_was, tcs_error *err) TCS_WARN_UNUSED;
/* Is there any? */
tcs_status tcsi_desk_has_acknowledgements(tcsi_store *store, bool *ret_has, tcs_error *err) TCS_WARN_UNUSED;
/* An episode's document with, as its last key, who acknowledged it, or null: behind what is in out.  store NULL: nobody did. */
tcs_status tcsi_desk_add_acknowledgement(tcsi_store *store, const char *episode_id, const char *document, tcsi_buffer *out,
                                         tcs_error *err) TCS_WARN_UNUSED;
/* Those who listen hear of an episode that was acknowledged. */
void tcsi_desk_publish(tcsi_store *store, tcsi_events *events, const tcsi_action *action);

#endif
