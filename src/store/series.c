/* store/series.c -- series, and the blocks of their rows.
 *
 * Series are found by the first 16 bytes of SHA-256 of their tags, which are also compared: a digest that two share is refused, never
 * mixed up.
 * A block is sealed over its place and its bytes, so that bytes that belong elsewhere are damage as well.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include "base/codec.h"

#include <string.h>

enum { DIGEST_SIZE = 16 };

/* ---- series ---- */

typedef struct found_series {
    const tcsi_store_series *wanted;
    int64_t id; /* 0: none */
} found_series;

static bool compare_tags(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    found_series *found = context;
    size_t size;
    const void *tags = tcsi_rows_bytes(rows, 1, &size);
    if (size != found->wanted->tags_size || memcmp(tags, found->wanted->tags, size) != 0)
        *ret_status = tcsi_fail(err, TCS_E_INVALID, "%s: its tags have the digest of other tags", found->wanted->text);
    found->id = tcsi_rows_integer(rows, 0);
    return true;
}

static tcs_status put_series(tcsi_store *store, const tcsi_store_series *series, int64_t *ret_id, tcs_error *err)
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_hash_bytes(series->tags, series->tags_size, digest);
    const tcsi_value values[] = { tcsi_value_bytes(digest, DIGEST_SIZE), tcsi_value_bytes(series->tags, series->tags_size),
                                  tcsi_value_text(series->text), tcsi_value_integer(series->first_seen_ns) };
    found_series found = { .wanted = series };
    bool made = true;
    tcs_status status = tcsi_store_run(store, TCSI_SQL_SERIES_FIND, values, 1, compare_tags, &found, err);
    if (status == TCS_OK && found.id == 0)
        status = tcsi_store_ask(store, TCSI_SQL_SERIES_PUT, values, TCS_COUNT(values), &found.id, &made, err);
    TCS_ASSERT(status != TCS_OK || made);
    if (status == TCS_OK) *ret_id = found.id;
    return status;
}

tcs_status tcsi_store_series_put(tcsi_store *store, const tcsi_store_series *series, int64_t *ret_id, tcs_error *err)
{
    tcsi_scope scope;
    int64_t id = 0;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    if (status != TCS_OK) return status;
    status = tcsi_store_leave(store, scope, put_series(store, series, &id, err), err);
    if (status == TCS_OK) *ret_id = id;
    return status;
}

tcs_status tcsi_store_series_find(tcsi_store *store, const void *tags, size_t tags_size, int64_t *ret_id, tcs_error *err)
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_hash_bytes(tags, tags_size, digest);
    const tcsi_value value = tcsi_value_bytes(digest, DIGEST_SIZE);
    const tcsi_store_series wanted = { .tags = tags, .tags_size = tags_size, .text = "a series" };
    found_series found = { .wanted = &wanted };
    const tcs_status status = tcsi_store_read(store, TCSI_SQL_SERIES_FIND, &value, 1, compare_tags, &found, err);
    if (status == TCS_OK) *ret_id = found.id;
    return status;
}

typedef struct listing {
    tcsi_store_series_each each;
    void *context;
} listing;

static bool give_series(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    const listing *list = context;
    size_t size;
    const void *tags = tcsi_rows_bytes(rows, 1, &size);
    tcsi_store_series series = { tcsi_rows_integer(rows, 0), tags, size, tcsi_rows_text(rows, 2), tcsi_rows_integer(rows, 3) };
    return rows->status == TCS_OK && list->each(list->context, &series);
}

tcs_status tcsi_store_series_list(tcsi_store *store, int64_t after, size_t limit, tcsi_store_series_each each, void *context,
                                  tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_integer(after), tcsi_value_limit(limit) };
    return tcsi_store_read(store, TCSI_SQL_SERIES_LIST, values, TCS_COUNT(values), give_series, &(listing){ each, context }, err);
}

/* ---- blocks ---- */

uint64_t tcsi_store_seal(const int64_t *place, size_t place_count, const void *bytes, size_t size)
{
    uint64_t hash = TCSI_SEAL_BEGIN;
    for (size_t i = 0; i < place_count; i++) {
        unsigned char number[8];
        for (int b = 0; b < 8; b++) number[b] = (unsigned char)((uint64_t)place[i] >> (8 * b));
        hash = tcsi_seal(hash, number, sizeof number);
    }
    return tcsi_seal(hash, bytes, size);
}

static uint64_t seal_block(const tcsi_store_block *block)
{
    const int64_t place[] = { block->series_id, block->kind, block->first_ns, block->last_ns, block->row_count };
    return tcsi_store_seal(place, TCS_COUNT(place), block->bytes, block->size);
}

tcs_status tcsi_store_block_put(tcsi_store *store, const tcsi_store_block *block, tcs_error *err)
{
    TCS_ASSERT(block->first_ns <= block->last_ns);
    const tcsi_value values[] = {
        tcsi_value_integer(block->series_id), tcsi_value_integer(block->kind), tcsi_value_integer(block->first_ns),
        tcsi_value_integer(block->last_ns), tcsi_value_integer(block->row_count), tcsi_value_integer((int64_t)seal_block(block)),
        tcsi_value_bytes(block->bytes, block->size),
    };
    return tcsi_store_change(store, TCSI_SQL_BLOCK_PUT, values, TCS_COUNT(values), err);
}

typedef struct block_listing {
    const tcsi_store *store;
    int64_t series_id;
    uint32_t kind;
    tcsi_store_block_each each;
    void *context;
} block_listing;

static bool give_block(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    const block_listing *list = context;
    size_t size;
    const void *bytes = tcsi_rows_bytes(rows, 4, &size);
    tcsi_store_block block = { list->series_id, list->kind, tcsi_rows_integer(rows, 0), tcsi_rows_integer(rows, 1),
                               (uint32_t)tcsi_rows_integer(rows, 2), bytes, size };
    if (rows->status != TCS_OK) return false;
    if ((uint64_t)tcsi_rows_integer(rows, 3) == seal_block(&block)) return list->each(list->context, &block);
    *ret_status = tcsi_fail(err, TCS_E_FORMAT, "%s: the store is damaged: the seal of a block is wrong (series %lld, kind %u, from %lld)",
                            tcsi_store_name(list->store), (long long)block.series_id, block.kind, (long long)block.first_ns);
    return false;
}

tcs_status tcsi_store_block_list(tcsi_store *store, int64_t series_id, uint32_t kind, int64_t from_ns, int64_t to_ns,
                                 tcsi_store_block_each each, void *context, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_integer(series_id), tcsi_value_integer(kind), tcsi_value_integer(from_ns),
                                  tcsi_value_integer(to_ns) };
    block_listing list = { store, series_id, kind, each, context };
    return tcsi_store_read(store, TCSI_SQL_BLOCK_LIST, values, TCS_COUNT(values), give_block, &list, err);
}

bool tcsi_store_count_row(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)rows;
    (void)ret_status;
    (void)err;
    (*(size_t *)context)++;
    return true;
}

tcs_status tcsi_store_block_forget(tcsi_store *store, uint32_t kind, int64_t before_ns, size_t limit, size_t *ret_count, tcs_error *err)
{
    tcsi_scope scope;
    size_t count = 0;
    const tcsi_value values[] = { tcsi_value_integer(kind), tcsi_value_integer(before_ns), tcsi_value_limit(limit) };
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    if (status != TCS_OK) return status;
    status = tcsi_store_run(store, TCSI_SQL_BLOCK_FORGET, values, TCS_COUNT(values), tcsi_store_count_row, &count, err);
    status = tcsi_store_leave(store, scope, status, err);
    if (status == TCS_OK) *ret_count = count;
    return status;
}
