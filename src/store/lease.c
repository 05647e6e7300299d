/* store/lease.c -- which of several processes leads.
 *
 * A lease is a row: its holder, until when, and a token that grows with each change of hands (C. Gray, D. Cheriton: Leases, SOSP 1989; the
 * token fences off a holder that slept through its time: M. Kleppmann, Designing Data-Intensive Applications, 2017, chapter 8).  One
 * statement takes or prolongs it.  Time is the store's: with PostgreSQL that of the server, so that clocks of the processes do not matter.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include "base/alloc.h"

static tcs_status take(tcsi_store *store, const char *lease, const char *holder, int64_t duration_ns, int64_t *ret_token, tcs_error *err)
{
    int64_t now_ns = 0, token = 0;
    bool found = false;
    tcs_status status = store->database->ops->clock(store->database, &now_ns, err);
    if (status != TCS_OK) return status;
    const tcsi_value values[] = { tcsi_value_text(lease), tcsi_value_text(holder), tcsi_value_integer(now_ns + duration_ns),
                                  tcsi_value_integer(now_ns) };
    status = tcsi_store_ask(store, TCSI_SQL_LEASE_TAKE, values, TCS_COUNT(values), &token, &found, err);
    if (status == TCS_OK) *ret_token = found ? token : 0;
    return status;
}

/* The fence is for what a leader changes, not for who leads: it is put down meanwhile. */
tcs_status tcsi_store_lease_take(tcsi_store *store, const char *lease, const char *holder, int64_t duration_ns, int64_t *ret_token,
                                 tcs_error *err)
{
    TCS_ASSERT(!store->begun && duration_ns > 0);
    char *fence = store->fence_lease;
    tcsi_scope scope;
    int64_t token = 0;
    store->fence_lease = NULL;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    store->fence_lease = fence;
    if (status != TCS_OK) return status;
    status = tcsi_store_leave(store, scope, take(store, lease, holder, duration_ns, &token, err), err);
    if (status == TCS_OK) *ret_token = token;
    return status;
}

tcs_status tcsi_store_lease_release(tcsi_store *store, const char *lease, const char *holder, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(lease), tcsi_value_text(holder) };
    return tcsi_store_change(store, TCSI_SQL_LEASE_RELEASE, values, TCS_COUNT(values), err);
}

tcs_status tcsi_store_fence(tcsi_store *store, const char *lease, int64_t token, tcs_error *err)
{
    char *copy = lease ? tcsi_strdup(lease) : NULL;
    if (lease && !copy) return tcsi_fail_memory(err, "a lease");
    tcsi_free(store->fence_lease);
    store->fence_lease = copy;
    store->fence_token = token;
    return TCS_OK;
}
