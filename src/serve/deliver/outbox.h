/* serve/deliver/outbox.h -- what is to be sent, until it was: a table of operations that somebody durable implements (outbox_store.c, over
 * src/store) and tests fake.
 *
 * A message is acknowledged by put; from then on it is listed by due whenever its time has come, until done or given up, whatever happens
 * in between: at least once.  Its id is KEY#NNNN: KEY is the episode's, NNNN ascends; messages of one key are sent in that order.
 * Threads: each outbox is used by one thread at a time; several may stand for the same storage. */
#ifndef TCS_SERVE_DELIVER_OUTBOX_H
#define TCS_SERVE_DELIVER_OUTBOX_H

#include "base/status.h"

enum { TCSI_OUTBOX_ID_SIZE = 96 };

typedef struct tcsi_outbox_message {
    const char *receiver, *id;
    const char *payload;      /* JSON of an alert */
    size_t payload_size;
    int64_t due_ns;
    uint32_t attempt_count;
    const char *error;        /* of the last attempt; "": there was none, or it did not fail */
    const char *trace;        /* W3C traceparent, which the payload has too; NULL or "": none */
} tcsi_outbox_message;

typedef bool (*tcsi_outbox_each)(void *context, const tcsi_outbox_message *message);

typedef struct tcsi_outbox_ops {
    /* Durable when it returns TCS_OK.  A second one for the same receiver with the same id changes nothing. */
    tcs_status (*put)(void *context, const tcsi_outbox_message *message, tcs_error *err);
    /* Those due at now_ns, by due_ns and id; each must not use the outbox. */
    tcs_status (*due)(void *context, const char *receiver, int64_t now_ns, size_t limit, tcsi_outbox_each each, void *each_context,
                      tcs_error *err);
    /* Sent; one that is not there is done. */
    tcs_status (*done)(void *context, const char *receiver, const char *id, int64_t now_ns, tcs_error *err);
    /* Not needed any more, sent or not: a newer one says more. */
    tcs_status (*replace)(void *context, const char *receiver, const char *id, int64_t now_ns, tcs_error *err);
    /* Again at due_ns; INT64_MAX: never, it is given up and kept with its error.  One that is done stays done. */
    tcs_status (*retry)(void *context, const char *receiver, const char *id, int64_t now_ns, int64_t due_ns, const char *error,
                        tcs_error *err);
    /* When the next one is due; INT64_MAX: none waits. */
    tcs_status (*next)(void *context, const char *receiver, int64_t *ret_due_ns, tcs_error *err);
} tcsi_outbox_ops;

typedef struct tcsi_outbox {
    const tcsi_outbox_ops *ops;
    void *context;
} tcsi_outbox;

/* Bytes of the key in an id: up to the last #, or all. */
size_t tcsi_outbox_key_size(const char *id);

#endif
