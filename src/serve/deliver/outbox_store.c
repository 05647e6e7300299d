/* serve/deliver/outbox_store.c -- the outbox over src/store.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/outbox_store.h"

static tcs_status put(void *context, const tcsi_outbox_message *m, tcs_error *err)
{
    const tcsi_store_message message = { .receiver = m->receiver, .id = m->id, .payload = m->payload, .payload_size = m->payload_size,
                                         .trace = m->trace ? m->trace : "", .due_ns = m->due_ns, .error = "" };
    return tcsi_store_outbox_put(context, &message, err);
}

typedef struct listing {
    tcsi_outbox_each each;
    void *context;
} listing;

static bool give(void *context, const tcsi_store_message *m)
{
    const listing *list = context;
    const tcsi_outbox_message message = { m->receiver, m->id, m->payload, m->payload_size, m->due_ns, m->attempt_count, m->error,
                                          m->trace };
    return list->each(list->context, &message);
}

static tcs_status due(void *context, const char *receiver, int64_t now_ns, size_t limit, tcsi_outbox_each each, void *each_context,
                      tcs_error *err)
{
    listing list = { each, each_context };
    return tcsi_store_outbox_due(context, receiver, now_ns, limit, give, &list, err);
}

static tcs_status done(void *context, const char *receiver, const char *id, int64_t now_ns, tcs_error *err)
{
    return tcsi_store_outbox_done(context, receiver, id, now_ns, err);
}

static tcs_status replace(void *context, const char *receiver, const char *id, int64_t now_ns, tcs_error *err)
{
    return tcsi_store_outbox_replace(context, receiver, id, now_ns, err);
}

static tcs_status retry(void *context, const char *receiver, const char *id, int64_t now_ns, int64_t due_ns, const char *error,
                        tcs_error *err)
{
    return tcsi_store_outbox_retry(context, receiver, id, now_ns, due_ns, error, err);
}

static tcs_status next(void *context, const char *receiver, int64_t *ret_due_ns, tcs_error *err)
{
    tcsi_store_outbox_stats stats;
    const tcs_status status = tcsi_store_outbox_stat(context, receiver, &stats, err);
    if (status == TCS_OK) *ret_due_ns = stats.due_ns_min;
    return status;
}

static const tcsi_outbox_ops store_ops = { put, due, done, replace, retry, next };

tcsi_outbox tcsi_outbox_of_store(tcsi_store *store)
{
    return (tcsi_outbox){ &store_ops, store };
}
