/* serve/keep_answer.h -- what answers leave in the store, and what listeners hear of them.
 *
 * An answer is a label of its episode, whose document is the action's; an undo is a label that takes it back.  A mark of a missed event is
 * an episode of its own (`missed-ID`, resolved, from and to as marked) and an answer *true* to it, so that it is listed, drawn and counted
 * like one that was raised.
 * What cannot be done as it is (a second undo that crossed the first) is left out: the audit entry stays.
 * Threads: as the store. */
#ifndef TCS_SERVE_KEEP_ANSWER_H
#define TCS_SERVE_KEEP_ANSWER_H

#include "serve/action.h"
#include "serve/http/events.h"
#include "store/store.h"

#define TCSI_MISSED_PREFIX "missed-"

/* As tcsi_keep_action has it. */
tcs_status tcsi_keep_answer(tcsi_store *store, const tcsi_action *action, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_keep_undo(tcsi_store *store, const tcsi_action *action, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_keep_mark(tcsi_store *store, const tcsi_action *action, tcs_error *err) TCS_WARN_UNUSED;

/* Tells listeners of the answers, undos and marks among them: events `answer`. */
void tcsi_publish_answers(tcsi_events *events, const tcsi_action *actions, size_t action_count);

#endif
