/* store/lease.c -- which of several processes leads.
 *
 * A lease is a row: its holder, until when, and a token that grows with each change of hands (C. Gray, D. Cheriton: Leases, SOSP 1989; the
 * token fences off a holder that slept through its time: M. Kleppmann, Designing Data-Intensive Applications, 2017, chapter 8).  One
 * statement takes or prolongs it.  Time is the store's: with PostgreSQL that of the server, so that clocks of the processes do not matter.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include "base/alloc.h"

#include <stdio.h>

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

/* ---- what others see of it ---- */

typedef struct lease_found {
    tcsi_store_lease *lease;
    int64_t until_ns;
} lease_found;

static bool keep_lease(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    lease_found *found = context;
    (void)ret_status;
    (void)err;
    snprintf(found->lease->holder, sizeof found->lease->holder, "%s", tcsi_rows_text(rows, 0));
    found->lease->token = tcsi_rows_integer(rows, 1);
    found->until_ns = tcsi_rows_integer(rows, 2);
    found->lease->mark = (uint64_t)tcsi_rows_integer(rows, 3);
    return true;
}

tcs_status tcsi_store_lease_read(tcsi_store *store, const char *lease, tcsi_store_lease *ret_lease, tcs_error *err)
{
    const tcsi_value name = tcsi_value_text(lease);
    lease_found found = { .lease = ret_lease };
    tcsi_scope scope;
    int64_t now_ns = 0;
    *ret_lease = (tcsi_store_lease){ 0 };
    tcs_status status = tcsi_store_enter(store, TCSI_TO_READ, &scope, err);
    if (status != TCS_OK) return status;
    status = store->database->ops->clock(store->database, &now_ns, err);
    if (status == TCS_OK) status = tcsi_store_run(store, TCSI_SQL_LEASE_READ, &name, 1, keep_lease, &found, err);
    ret_lease->is_over = found.until_ns <= now_ns;
    return tcsi_store_leave(store, scope, status, err);
}

/* One statement that looks at the token itself: it needs neither a scope nor the fence. */
tcs_status tcsi_store_lease_mark(tcsi_store *store, const char *lease, int64_t token, uint64_t mark, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(lease), tcsi_value_integer(token), tcsi_value_integer((int64_t)mark) };
    return tcsi_store_read(store, TCSI_SQL_LEASE_MARK, values, TCS_COUNT(values), NULL, NULL, err);
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
