/* store/audit.c -- a log that shows when it was changed (B. Schneier, J. Kelsey: Secure Audit Logs to Support Computer Forensics, TISSEC
 * 1999, without its keys): each entry's hash covers the entry and the hash before it, so that to change one is to change all that
 * follow, and the last hash, noted anywhere else, stands for all of them.
 *
 *     hash(n) = SHA-256( hash(n-1)  u64 n  i64 time_ns  and id, actor, action, object, detail each as u64 length and bytes )
 *
 * All little-endian; hash(0) is zeros.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include <string.h>

static void hash_number(tcsi_hash *hash, uint64_t number)
{
    unsigned char bytes[8];
    for (int b = 0; b < 8; b++) bytes[b] = (unsigned char)(number >> (8 * b));
    tcsi_hash_update(hash, bytes, sizeof bytes);
}

static void hash_entry(const unsigned char *before, const tcsi_store_audit_entry *entry, unsigned char ret_hash[TCSI_HASH_SIZE])
{
    const char *const texts[] = { entry->id, entry->actor, entry->action, entry->object, entry->detail };
    tcsi_hash hash;
    tcsi_hash_init(&hash);
    tcsi_hash_update(&hash, before, TCSI_HASH_SIZE);
    hash_number(&hash, (uint64_t)entry->sequence);
    hash_number(&hash, (uint64_t)entry->time_ns);
    for (size_t i = 0; i < TCS_COUNT(texts); i++) {
        hash_number(&hash, strlen(texts[i]));
        tcsi_hash_update(&hash, texts[i], strlen(texts[i]));
    }
    tcsi_hash_end(&hash, ret_hash);
}

static bool keep_last(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    tcsi_audit_chain *last = context;
    size_t size;
    const void *hash = tcsi_rows_bytes(rows, 1, &size);
    last->count = tcsi_rows_integer(rows, 0);
    memcpy(last->head, hash, size < sizeof last->head ? size : sizeof last->head);
    return true;
}

static tcs_status put(tcsi_store *store, tcsi_store_audit_entry entry, tcs_error *err)
{
    tcsi_audit_chain last = { 0 };
    int64_t sequence;
    bool found = false;
    const tcsi_value id = tcsi_value_text(entry.id);
    tcs_status status = tcsi_store_ask(store, TCSI_SQL_AUDIT_FIND, &id, 1, &sequence, &found, err);
    if (status != TCS_OK || found) return status;
    status = tcsi_store_run(store, TCSI_SQL_AUDIT_LAST, NULL, 0, keep_last, &last, err);
    if (status != TCS_OK) return status;
    entry.sequence = last.count + 1;
    hash_entry(last.head, &entry, entry.hash);
    const tcsi_value values[] = { tcsi_value_integer(entry.sequence), id, tcsi_value_integer(entry.time_ns), tcsi_value_text(entry.actor),
                                  tcsi_value_text(entry.action), tcsi_value_text(entry.object), tcsi_value_text(entry.detail),
                                  tcsi_value_bytes(entry.hash, sizeof entry.hash) };
    return tcsi_store_run(store, TCSI_SQL_AUDIT_PUT, values, TCS_COUNT(values), NULL, NULL, err);
}

tcs_status tcsi_store_audit_put(tcsi_store *store, const tcsi_store_audit_entry *entry, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    return status == TCS_OK ? tcsi_store_leave(store, scope, put(store, *entry, err), err) : status;
}

typedef struct listing {
    tcsi_store_audit_each each;
    void *context;
} listing;

static bool give_entry(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    const listing *list = context;
    size_t size;
    tcsi_store_audit_entry entry = {
        .sequence = tcsi_rows_integer(rows, 0), .id = tcsi_rows_text(rows, 1), .time_ns = tcsi_rows_integer(rows, 2),
        .actor = tcsi_rows_text(rows, 3), .action = tcsi_rows_text(rows, 4), .object = tcsi_rows_text(rows, 5),
        .detail = tcsi_rows_text(rows, 6),
    };
    const void *hash = tcsi_rows_bytes(rows, 7, &size);
    memcpy(entry.hash, hash, size < sizeof entry.hash ? size : sizeof entry.hash);
    return rows->status == TCS_OK && list->each(list->context, &entry);
}

tcs_status tcsi_store_audit_list(tcsi_store *store, int64_t after, size_t limit, tcsi_store_audit_each each, void *context, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_integer(after), tcsi_value_limit(limit) };
    return tcsi_store_read(store, TCSI_SQL_AUDIT_LIST, values, TCS_COUNT(values), give_entry, &(listing){ each, context }, err);
}

tcs_status tcsi_store_audit_of(tcsi_store *store, const tcsi_store_audit_query *query, tcsi_store_audit_each each, void *context,
                               tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(query->action), tcsi_value_text(query->object ? query->object : "") };
    return tcsi_store_read(store, TCSI_SQL_AUDIT_OF, values, TCS_COUNT(values), give_entry, &(listing){ each, context }, err);
}

tcs_status tcsi_audit_chain_follow(tcsi_audit_chain *chain, const tcsi_store_audit_entry *entry, tcs_error *err)
{
    unsigned char hash[TCSI_HASH_SIZE];
    const int64_t expected = chain->count + 1;
    if (entry->sequence != expected)
        return tcsi_fail(err, TCS_E_FORMAT, "the audit log is broken: expected entry %lld, found entry %lld", (long long)expected,
                         (long long)entry->sequence);
    hash_entry(chain->head, entry, hash);
    if (!tcsi_hash_equal(hash, entry->hash, sizeof hash))
        return tcsi_fail(err, TCS_E_FORMAT, "the audit log is broken: entry %lld, or what stood before it, was changed",
                         (long long)expected);
    chain->count = expected;
    memcpy(chain->head, hash, sizeof hash);
    return TCS_OK;
}

typedef struct audit_proof {
    tcsi_audit_chain chain;
    tcs_status status;
    tcs_error err;
} audit_proof;

static bool follow(void *context, const tcsi_store_audit_entry *entry)
{
    audit_proof *proof = context;
    proof->status = tcsi_audit_chain_follow(&proof->chain, entry, &proof->err);
    return proof->status == TCS_OK;
}

tcs_status tcsi_store_audit_verify(tcsi_store *store, int64_t *ret_count, unsigned char ret_head[TCSI_HASH_SIZE], tcs_error *err)
{
    audit_proof proof = { 0 };
    tcs_status status = tcsi_store_audit_list(store, INT64_MIN, 0, follow, &proof, err);
    if (status != TCS_OK) return status;
    if (proof.status != TCS_OK) return tcsi_fail(err, proof.status, "%s: %s", tcsi_store_name(store), proof.err.text);
    *ret_count = proof.chain.count;
    memcpy(ret_head, proof.chain.head, TCSI_HASH_SIZE);
    return TCS_OK;
}
