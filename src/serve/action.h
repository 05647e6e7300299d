/* serve/action.h -- what somebody told the service to do: an answer, an acknowledgement, a silence, a setting.
 *
 *     route: check -> tcsi_intake_act -> journal -> every cell and the keeper, in the journal's order -> store, in one transaction
 *
 * An action decides what happens next, so it is a record of the journal like rows are: it survives a kill once it was acknowledged, and a
 * replay does it again at the same place.  Everything that its effect needs must be inside of it, since a replay has nothing else; who
 * takes the request puts it there, and checks it: an action in the journal is one that can be done.
 * Threads: plain data. */
#ifndef TCS_SERVE_ACTION_H
#define TCS_SERVE_ACTION_H

#include "base/arena.h"
#include "base/json.h"

typedef enum tcsi_action_kind {
    TCSI_ACTION_ANSWER,      /* to an episode */
    TCSI_ACTION_UNDO,        /* of an answer */
    TCSI_ACTION_ACKNOWLEDGE, /* somebody looks at an episode */
    TCSI_ACTION_SILENCE,     /* matching alerts are not told for a while */
    TCSI_ACTION_MAINTENANCE, /* and nothing is learned of them as an answer */
    TCSI_ACTION_END,         /* of a silence or a maintenance, before its time */
    TCSI_ACTION_MARK,        /* an event that was missed */
    TCSI_ACTION_MODEL,       /* which model decides */
    TCSI_ACTION_SETTING,
    TCSI_ACTION_COUNT
} tcsi_action_kind;

extern const char *const tcsi_action_names[TCSI_ACTION_COUNT]; /* "answer" */

enum { TCSI_ACTION_ID_SIZE = 33, TCSI_ACTION_SIZE_MAX = 1 << 18 };

typedef struct tcsi_action {
    tcsi_action_kind kind;
    const char *id;       /* unique */
    const char *who;      /* the token's name, "local" without one */
    const char *role;     /* of the token */
    const char *peer;     /* the address it came from; NULL or "": none */
    const char *object;   /* what it is about: id of an episode, of an answer, of a silence; "": nothing in particular */
    const char *document; /* JSON as its kind has it; "{}": nothing more */
    uint64_t sequence;    /* of the journal's record; set where it is applied */
    int64_t time_ns;      /* when it was received; likewise */
} tcsi_action;

/* An id that nobody else has.  E_UNSUPPORTED: built without libsodium. */
tcs_status tcsi_action_id(char ret_id[TCSI_ACTION_ID_SIZE], tcs_error *err) TCS_WARN_UNUSED;

/* One JSON object; without sequence and time, which the journal has. */
void tcsi_action_write(const tcsi_action *action, tcsi_json_writer *writer);
/* All texts live in arena.  E_FORMAT: it is not what tcsi_action_write writes; E_LIMIT; E_MEMORY. */
tcs_status tcsi_action_read(const char *text, size_t size, tcsi_arena *arena, tcsi_action *ret_action, tcs_error *err) TCS_WARN_UNUSED;

#endif
