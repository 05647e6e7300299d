/* serve/standby/outbox.c -- the outbox of a standby looks empty: what is in it is the leader's to send.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/standby/standby.h"

static tcs_status put(void *context, const tcsi_outbox_message *message, tcs_error *err)
{
    const tcsi_standby_outbox *o = context;
    return o->inner.ops->put(o->inner.context, message, err);
}

static tcs_status due(void *context, const char *receiver, int64_t now_ns, size_t limit, tcsi_outbox_each each, void *each_context,
                      tcs_error *err)
{
    const tcsi_standby_outbox *o = context;
    return tcsi_standby_leads(o->standby) ? o->inner.ops->due(o->inner.context, receiver, now_ns, limit, each, each_context, err) : TCS_OK;
}

static tcs_status done(void *context, const char *receiver, const char *id, int64_t now_ns, tcs_error *err)
{
    const tcsi_standby_outbox *o = context;
    return o->inner.ops->done(o->inner.context, receiver, id, now_ns, err); /* it was sent, whoever leads now */
}

static tcs_status replace(void *context, const char *receiver, const char *id, int64_t now_ns, tcs_error *err)
{
    const tcsi_standby_outbox *o = context;
    return o->inner.ops->replace(o->inner.context, receiver, id, now_ns, err);
}

static tcs_status retry(void *context, const char *receiver, const char *id, int64_t now_ns, int64_t due_ns, const char *error,
                        tcs_error *err)
{
    const tcsi_standby_outbox *o = context;
    return o->inner.ops->retry(o->inner.context, receiver, id, now_ns, due_ns, error, err);
}

static tcs_status next(void *context, const char *receiver, int64_t *ret_due_ns, tcs_error *err)
{
    const tcsi_standby_outbox *o = context;
    if (tcsi_standby_leads(o->standby)) return o->inner.ops->next(o->inner.context, receiver, ret_due_ns, err);
    *ret_due_ns = INT64_MAX;
    return TCS_OK;
}

tcsi_outbox tcsi_standby_guard(tcsi_standby_outbox *outbox)
{
    static const tcsi_outbox_ops ops = { put, due, done, replace, retry, next };
    return (tcsi_outbox){ &ops, outbox };
}
