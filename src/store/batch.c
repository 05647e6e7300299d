/* store/batch.c -- a journal in the store: batches of records, each a row whose key is the number of its first record.
 *
 * Of several processes each knows where the last batch ended that it has seen, and would go on from there.  The key decides: whoever
 * inserts first at that number has written, and everybody else is told so and reads on.  That is a compare-and-set, as shared logs use
 * it to agree on an order (M. Balakrishnan et al.: CORFU, NSDI 2012, whose storage is written once at each place): a process that slept
 * through its lease cannot write behind its successor, whatever its clock says.  One statement that commits by itself: one round trip,
 * and no lock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

static uint64_t seal_of(uint64_t first, uint64_t last, int64_t token, const void *bytes, size_t size)
{
    const int64_t place[] = { (int64_t)first, (int64_t)last, token };
    return tcsi_store_seal(place, TCS_COUNT(place), bytes, size);
}

typedef struct batch_found {
    int64_t token;
    uint64_t seal;
    bool is_found;
} batch_found;

static bool keep_found(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    *(batch_found *)context = (batch_found){ tcsi_rows_integer(rows, 0), (uint64_t)tcsi_rows_integer(rows, 1), true };
    return true;
}

/* Nothing was inserted: it may be there already, if the answer to an earlier attempt was lost. */
static tcs_status find(tcsi_store *store, const tcsi_store_batch *batch, uint64_t seal, tcs_error *err)
{
    const tcsi_value first = tcsi_value_integer((int64_t)batch->first);
    batch_found found = { 0 };
    const tcs_status status = tcsi_store_run(store, TCSI_SQL_BATCH_FIND, &first, 1, keep_found, &found, err);
    if (status != TCS_OK || (found.is_found && found.token == batch->token && found.seal == seal)) return status;
    return tcsi_fail(err, TCS_E_CANCELLED, "%s: another process has written record %llu of the journal; nothing was changed",
                     tcsi_store_name(store), (unsigned long long)batch->first);
}

tcs_status tcsi_store_batch_put(tcsi_store *store, const tcsi_store_batch *batch, tcs_error *err)
{
    const uint64_t seal = seal_of(batch->first, batch->last, batch->token, batch->bytes, batch->size);
    const tcsi_value values[] = { tcsi_value_integer((int64_t)batch->first), tcsi_value_integer((int64_t)batch->last),
                                  tcsi_value_integer(batch->token), tcsi_value_integer((int64_t)seal),
                                  tcsi_value_bytes(batch->bytes, batch->size) };
    tcsi_scope scope;
    int64_t number = 0;
    bool is_put = false;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_READ, &scope, err); /* the statement is its own scope */
    if (status != TCS_OK) return status;
    status = tcsi_store_ask(store, TCSI_SQL_BATCH_PUT, values, TCS_COUNT(values), &number, &is_put, err);
    if (status == TCS_OK && !is_put) status = find(store, batch, seal, err);
    return tcsi_store_leave(store, scope, status, err);
}

/* ---- reading ---- */

typedef struct listing {
    tcsi_store *store;
    tcsi_store_batch_each each;
    void *context;
} listing;

static bool give(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    const listing *list = context;
    tcsi_store_batch batch = { .first = (uint64_t)tcsi_rows_integer(rows, 0), .last = (uint64_t)tcsi_rows_integer(rows, 1),
                               .token = tcsi_rows_integer(rows, 2) };
    const uint64_t seal = (uint64_t)tcsi_rows_integer(rows, 3);
    batch.bytes = tcsi_rows_bytes(rows, 4, &batch.size);
    if (rows->status != TCS_OK) return false;
    if (seal == seal_of(batch.first, batch.last, batch.token, batch.bytes, batch.size)) return list->each(list->context, &batch);
    *ret_status = tcsi_fail(err, TCS_E_FORMAT, "%s: the store is damaged: records %llu to %llu of the journal",
                            tcsi_store_name(list->store), (unsigned long long)batch.first, (unsigned long long)batch.last);
    return false;
}

tcs_status tcsi_store_batch_list(tcsi_store *store, uint64_t first, size_t limit, tcsi_store_batch_each each, void *context, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_integer((int64_t)first), tcsi_value_limit(limit) };
    listing list = { store, each, context };
    return tcsi_store_read(store, TCSI_SQL_BATCH_LIST, values, TCS_COUNT(values), give, &list, err);
}

static bool keep_ends(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    uint64_t *ends = context;
    (void)ret_status;
    (void)err;
    ends[0] = (uint64_t)tcsi_rows_integer(rows, 0);
    ends[1] = (uint64_t)tcsi_rows_integer(rows, 1);
    return true;
}

tcs_status tcsi_store_batch_ends(tcsi_store *store, uint64_t *ret_first, uint64_t *ret_last, tcs_error *err)
{
    uint64_t ends[2] = { 0 };
    const tcs_status status = tcsi_store_read(store, TCSI_SQL_BATCH_ENDS, NULL, 0, keep_ends, ends, err);
    *ret_first = ends[0];
    *ret_last = ends[1];
    return status;
}

tcs_status tcsi_store_batch_forget(tcsi_store *store, uint64_t sequence, tcs_error *err)
{
    const tcsi_value value = tcsi_value_integer((int64_t)sequence);
    return tcsi_store_read(store, TCSI_SQL_BATCH_FORGET, &value, 1, NULL, NULL, err);
}

tcs_status tcsi_store_batch_remove(tcsi_store *store, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    if (status != TCS_OK) return status;
    status = tcsi_store_run(store, TCSI_SQL_BATCH_REMOVE, NULL, 0, NULL, NULL, err);
    if (status == TCS_OK) status = tcsi_store_run(store, TCSI_SQL_LEASE_FORGET_MARKS, NULL, 0, NULL, NULL, err);
    return tcsi_store_leave(store, scope, status, err);
}
