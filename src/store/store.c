/* store/store.c -- opening, and the scopes in which operations run.
 *
 * A scope is closed (nothing begun), open, or broken:
 *
 *     closed --begin--> open --commit--> closed          what was put is durable
 *                       open --a call fails--> broken    everything is undone at once: a server would refuse the rest, a file would not,
 *                                                        and callers must not be able to tell them apart
 *                       broken --any call, commit--> the same failure again; commit and rollback lead to closed
 *
 * An operation outside of a scope opens one of its own, except reading by one statement, which is one moment anyway.
 * The fence is looked at when a scope that changes something begins: no other writer can be between that and its commit, on either
 * implementation (database.h, begin).
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"
#include "store/schema.h"

#include "base/alloc.h"

#include <string.h>

tcsi_value tcsi_value_text(const char *text)
{
    return (tcsi_value){ .kind = TCSI_VALUE_TEXT, .is_null = !text, .bytes = text ? text : "", .size = text ? strlen(text) : 0 };
}

tcsi_value tcsi_value_limit(size_t limit)
{
    return tcsi_value_integer(limit == 0 || limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
}

/* ---- opening ---- */

static tcs_status open_database(const char *where, const tcsi_store_options *options, tcsi_database **ret_database, tcs_error *err)
{
    if (strncmp(where, "postgresql://", 13) == 0 || strncmp(where, "postgres://", 11) == 0)
        return tcsi_database_open_postgresql(where, ret_database, err);
    if (options->scratch) return tcsi_database_open_sqlite(NULL, false, false, ret_database, err);
    const char *path = strncmp(where, "sqlite:", 7) == 0 ? where + 7 : where;
    if (path != where && strncmp(path, "//", 2) == 0) path += 2; /* sqlite:///PATH, as others write it */
    return tcsi_database_open_sqlite(path, options->alone, options->must_exist, ret_database, err);
}

tcs_status tcsi_store_open(const char *where, const tcsi_store_options *options, tcsi_store **ret_store, tcs_error *err)
{
    static const tcsi_store_options none = { 0 };
    if (!options) options = &none;
    tcsi_store *store = TCSI_NEW(tcsi_store);
    if (!store) return tcsi_fail_memory(err, "a store");
    tcs_status status = open_database(where, options, &store->database, err);
    if (status == TCS_OK) status = tcsi_schema_open(store->database, TCSI_SCHEMA_VERSION, !options->as_is, err);
    if (status == TCS_OK) *ret_store = store;
    else tcsi_store_close(store);
    return status;
}

void tcsi_store_close(tcsi_store *store)
{
    if (!store) return;
    tcsi_store_rollback(store);
    if (store->database) store->database->ops->close(store->database);
    tcsi_free(store->fence_lease);
    tcsi_buffer_deinit(&store->packed);
    tcsi_free(store);
}

const char *tcsi_store_name(const tcsi_store *store)
{
    return store->database->where;
}

/* ---- scopes ---- */

static tcs_status check_fence(tcsi_store *store, tcs_error *err)
{
    if (!store->fence_lease) return TCS_OK;
    const tcsi_value lease = tcsi_value_text(store->fence_lease);
    int64_t token = 0;
    bool found = false;
    tcs_status status = tcsi_store_ask(store, TCSI_SQL_LEASE_TOKEN, &lease, 1, &token, &found, err);
    if (status != TCS_OK || (found && token == store->fence_token)) return status;
    return tcsi_fail(err, TCS_E_CANCELLED, "%s: another process has taken the lease '%s'; nothing was changed", tcsi_store_name(store),
                     store->fence_lease);
}

static tcs_status begin(tcsi_store *store, bool for_reading, tcs_error *err)
{
    tcs_status status = store->database->ops->ready(store->database, err);
    if (status == TCS_OK) status = store->database->ops->begin(store->database, for_reading, err);
    if (status != TCS_OK || for_reading) return status;
    status = check_fence(store, err);
    if (status != TCS_OK) store->database->ops->rollback(store->database);
    return status;
}

static tcs_status fail_again(const tcsi_store *store, tcs_error *err)
{
    if (err) *err = store->broken;
    return store->broken.status;
}

tcs_status tcsi_store_begin(tcsi_store *store, tcs_error *err)
{
    TCS_ASSERT(!store->begun && !store->inside);
    tcs_status status = begin(store, false, err);
    store->begun = status == TCS_OK;
    store->broken = (tcs_error){ .status = TCS_OK };
    return status;
}

tcs_status tcsi_store_commit(tcsi_store *store, tcs_error *err)
{
    TCS_ASSERT(store->begun && !store->inside);
    store->begun = false;
    if (store->broken.status != TCS_OK) return fail_again(store, err);
    return store->database->ops->commit(store->database, err);
}

tcs_status tcsi_store_hurry(tcsi_store *store, bool is_hasty, tcs_error *err)
{
    const tcsi_database_ops *ops = store->database->ops;
    TCS_ASSERT(!store->begun && !store->inside);
    return ops->script(store->database, is_hasty ? ops->hasty : ops->careful, err);
}

void tcsi_store_rollback(tcsi_store *store)
{
    TCS_ASSERT(!store->inside);
    if (store->begun && store->broken.status == TCS_OK) store->database->ops->rollback(store->database);
    store->begun = false;
}

tcs_status tcsi_store_enter(tcsi_store *store, tcsi_purpose purpose, tcsi_scope *ret_scope, tcs_error *err)
{
    TCS_ASSERT(!store->inside);
    tcs_status status = TCS_OK;
    *ret_scope = store->begun ? TCSI_SCOPE_JOINED : purpose == TCSI_TO_READ ? TCSI_SCOPE_NONE : TCSI_SCOPE_OWN;
    if (store->begun && store->broken.status != TCS_OK) return fail_again(store, err);
    if (*ret_scope == TCSI_SCOPE_OWN) status = begin(store, purpose == TCSI_TO_READ_MUCH, err);
    if (*ret_scope == TCSI_SCOPE_NONE) status = store->database->ops->ready(store->database, err);
    store->inside = status == TCS_OK;
    return status;
}

tcs_status tcsi_store_leave(tcsi_store *store, tcsi_scope scope, tcs_status status, tcs_error *err)
{
    store->inside = false;
    if (scope == TCSI_SCOPE_OWN && status == TCS_OK) return store->database->ops->commit(store->database, err);
    if (status == TCS_OK || scope == TCSI_SCOPE_NONE) return status;
    store->database->ops->rollback(store->database);
    if (scope == TCSI_SCOPE_JOINED) {
        if (err) store->broken = *err;
        else (void)tcsi_fail(&store->broken, status, "%s: something in this scope failed before", tcsi_store_name(store));
        store->broken.status = status;
    }
    return status;
}

/* ---- statements ---- */

int64_t tcsi_rows_integer(tcsi_rows *rows, size_t column)
{
    return rows->database->ops->value(rows->database, column, TCSI_VALUE_INTEGER).integer;
}

const char *tcsi_rows_text(tcsi_rows *rows, size_t column)
{
    const tcsi_value value = rows->database->ops->value(rows->database, column, TCSI_VALUE_TEXT);
    if (!value.bytes) rows->status = TCS_E_MEMORY;
    return value.bytes ? value.bytes : "";
}

const void *tcsi_rows_bytes(tcsi_rows *rows, size_t column, size_t *ret_size)
{
    const tcsi_value value = rows->database->ops->value(rows->database, column, TCSI_VALUE_BYTES);
    if (!value.bytes) rows->status = TCS_E_MEMORY;
    *ret_size = value.bytes ? value.size : 0;
    return value.bytes ? value.bytes : "";
}

tcs_status tcsi_store_run(tcsi_store *store, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcsi_rows_each each,
                          void *context, tcs_error *err)
{
    tcsi_database *database = store->database;
    tcs_status status = database->ops->run(database, statement, values, value_count, err);
    bool end = !each, go_on = true;
    while (status == TCS_OK && !end && go_on) {
        tcsi_rows rows = { .database = database };
        status = database->ops->next(database, &end, err);
        if (status == TCS_OK && !end) go_on = each(context, &rows, &status, err);
        if (status == TCS_OK && rows.status != TCS_OK) status = tcsi_fail_memory(err, "a row of the store");
    }
    database->ops->finish(database);
    return status;
}

tcs_status tcsi_store_change(tcsi_store *store, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    if (status != TCS_OK) return status;
    return tcsi_store_leave(store, scope, tcsi_store_run(store, statement, values, value_count, NULL, NULL, err), err);
}

tcs_status tcsi_store_read(tcsi_store *store, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcsi_rows_each each,
                           void *context, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_READ, &scope, err);
    if (status != TCS_OK) return status;
    return tcsi_store_leave(store, scope, tcsi_store_run(store, statement, values, value_count, each, context, err), err);
}

typedef struct number_found {
    int64_t number;
    bool found;
} number_found;

static bool keep_number(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    *(number_found *)context = (number_found){ tcsi_rows_integer(rows, 0), true };
    return true;
}

tcs_status tcsi_store_ask(tcsi_store *store, tcsi_statement statement, const tcsi_value *values, size_t value_count, int64_t *ret_number,
                          bool *ret_found, tcs_error *err)
{
    number_found answer = { 0 };
    tcs_status status = tcsi_store_run(store, statement, values, value_count, keep_number, &answer, err);
    if (status != TCS_OK) return status;
    *ret_number = answer.number;
    *ret_found = answer.found;
    return TCS_OK;
}

tcs_status tcsi_store_tend(tcsi_store *store, tcs_error *err)
{
    TCS_ASSERT(!store->begun && !store->inside);
    return store->database->ops->tend(store->database, err);
}
