/* store/model.c -- bundles, each kept once under the hash of its bytes, and the names that point at them.
 * A name changes hands in one row: who reads "champion" sees the old bundle or the new one, never none.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include <stdio.h>
#include <string.h>

tcs_status tcsi_store_model_put(tcsi_store *store, const void *bytes, size_t size, int64_t created_ns, const char *document,
                                char ret_hash[TCSI_HASH_TEXT_SIZE], tcs_error *err)
{
    unsigned char digest[TCSI_HASH_SIZE];
    char hash[TCSI_HASH_TEXT_SIZE];
    tcsi_hash_bytes(bytes, size, digest);
    tcsi_hash_text(digest, hash);
    const tcsi_value values[] = { tcsi_value_text(hash), tcsi_value_integer((int64_t)size), tcsi_value_integer(created_ns),
                                  tcsi_value_text(document), tcsi_value_bytes(bytes, size) };
    tcs_status status = tcsi_store_change(store, TCSI_SQL_MODEL_PUT, values, TCS_COUNT(values), err);
    if (status == TCS_OK) memcpy(ret_hash, hash, sizeof hash);
    return status;
}

typedef struct model_found {
    const tcsi_store *store;
    tcsi_buffer *bytes;
    bool found;
} model_found;

static bool keep_model(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    model_found *found = context;
    unsigned char digest[TCSI_HASH_SIZE];
    char hash[TCSI_HASH_TEXT_SIZE];
    size_t size;
    const void *bytes = tcsi_rows_bytes(rows, 1, &size);
    if (rows->status != TCS_OK) return false;
    tcsi_hash_bytes(bytes, size, digest);
    tcsi_hash_text(digest, hash);
    found->found = true;
    if (strcmp(hash, tcsi_rows_text(rows, 0)) != 0)
        *ret_status = tcsi_fail(err, TCS_E_FORMAT, "%s: the store is damaged: model %s holds something else (%s)",
                                tcsi_store_name(found->store), tcsi_rows_text(rows, 0), hash);
    else *ret_status = tcsi_buffer_append(found->bytes, bytes, size, err);
    return false;
}

tcs_status tcsi_store_model_get(tcsi_store *store, const char *name, tcsi_buffer *bytes, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(name) };
    model_found found = { .store = store, .bytes = bytes };
    tcs_status status = tcsi_store_read(store, TCSI_SQL_MODEL_GET, values, 1, keep_model, &found, err);
    if (status == TCS_OK && !found.found) return tcsi_fail(err, TCS_E_INVALID, "there is no model '%s'", name);
    return status;
}

typedef struct listing {
    tcsi_store_model_each each;
    void *context;
} listing;

static bool give_model(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    const listing *list = context;
    const tcsi_store_model model = { tcsi_rows_text(rows, 0), (size_t)tcsi_rows_integer(rows, 1), tcsi_rows_integer(rows, 2),
                                     tcsi_rows_text(rows, 3) };
    return rows->status == TCS_OK && list->each(list->context, &model);
}

tcs_status tcsi_store_model_list(tcsi_store *store, tcsi_store_model_each each, void *context, tcs_error *err)
{
    return tcsi_store_read(store, TCSI_SQL_MODEL_LIST, NULL, 0, give_model, &(listing){ each, context }, err);
}

/* ---- names ---- */

typedef struct name_found {
    char text[128]; /* a hash whole; a name for messages, perhaps cut */
    bool found;
} name_found;

static bool keep_name(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    name_found *found = context;
    found->found = true;
    (void)snprintf(found->text, sizeof found->text, "%s", tcsi_rows_text(rows, 0));
    return false;
}

static tcs_status check_exists(tcsi_store *store, const char *hash, tcs_error *err)
{
    const tcsi_value value = tcsi_value_text(hash);
    int64_t size;
    bool found = false;
    tcs_status status = tcsi_store_ask(store, TCSI_SQL_MODEL_FIND, &value, 1, &size, &found, err);
    return status == TCS_OK && !found ? tcsi_fail(err, TCS_E_INVALID, "there is no model '%s'", hash) : status;
}

static tcs_status remove_model(tcsi_store *store, const char *hash, tcs_error *err)
{
    const tcsi_value value = tcsi_value_text(hash);
    name_found alias = { 0 };
    tcs_status status = check_exists(store, hash, err);
    if (status == TCS_OK) status = tcsi_store_run(store, TCSI_SQL_ALIAS_OF, &value, 1, keep_name, &alias, err);
    if (status == TCS_OK && alias.found) status = tcsi_fail(err, TCS_E_INVALID, "model %s is the %s", hash, alias.text);
    return status == TCS_OK ? tcsi_store_run(store, TCSI_SQL_MODEL_REMOVE, &value, 1, NULL, NULL, err) : status;
}

tcs_status tcsi_store_model_remove(tcsi_store *store, const char *hash, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    return status == TCS_OK ? tcsi_store_leave(store, scope, remove_model(store, hash, err), err) : status;
}

static tcs_status set_alias(tcsi_store *store, const char *alias, const char *hash, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(alias), tcsi_value_text(hash) };
    tcs_status status = hash ? check_exists(store, hash, err) : TCS_OK;
    if (status != TCS_OK) return status;
    return tcsi_store_run(store, hash ? TCSI_SQL_ALIAS_SET : TCSI_SQL_ALIAS_UNSET, values, hash ? 2 : 1, NULL, NULL, err);
}

tcs_status tcsi_store_alias_set(tcsi_store *store, const char *alias, const char *hash, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    return status == TCS_OK ? tcsi_store_leave(store, scope, set_alias(store, alias, hash, err), err) : status;
}

tcs_status tcsi_store_alias_get(tcsi_store *store, const char *alias, char ret_hash[TCSI_HASH_TEXT_SIZE], bool *ret_found, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(alias) };
    name_found found = { 0 };
    tcs_status status = tcsi_store_read(store, TCSI_SQL_ALIAS_GET, values, 1, keep_name, &found, err);
    if (status != TCS_OK) return status;
    *ret_found = found.found;
    if (found.found) (void)snprintf(ret_hash, TCSI_HASH_TEXT_SIZE, "%.*s", TCSI_HASH_TEXT_SIZE - 1, found.text);
    return TCS_OK;
}
