/* serve/deliver/attempt.h -- one attempt to tell a receiver of an alert, and what became of it.
 * Blocks at most for the receiver's timeout, whatever the other side does.  Threads: reentrant. */
#ifndef TCS_SERVE_DELIVER_ATTEMPT_H
#define TCS_SERVE_DELIVER_ATTEMPT_H

#include "serve/deliver/receiver.h"

typedef enum tcsi_attempt_outcome {
    TCSI_ATTEMPT_SENT,    /* the receiver has it */
    TCSI_ATTEMPT_RETRY,   /* not now: no connection, too slow, 408, 429, 5xx */
    TCSI_ATTEMPT_REFUSED, /* never: other 4xx, a redirect, an alert that it cannot take */
    TCSI_ATTEMPT_OUTCOME_COUNT
} tcsi_attempt_outcome;

extern const char *const tcsi_attempt_outcome_names[TCSI_ATTEMPT_OUTCOME_COUNT]; /* "sent" */

typedef struct tcsi_attempt {
    tcsi_attempt_outcome outcome;
    int64_t asked_ns;    /* RETRY: the receiver wants this much time; 0: it did not say */
    char reason[300];    /* why not sent; of commands also what they said.  No secrets, no control characters */
} tcsi_attempt;

/* now_ns: the wall clock, for the time in signatures. */
void tcsi_attempt_make(const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *ret_attempt);

/* What an HTTP status means. */
tcsi_attempt_outcome tcsi_attempt_http(int code);

/* ---- the same by kind; for tests ---- */
void tcsi_attempt_command(const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *ret_attempt);

#endif
