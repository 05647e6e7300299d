/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/erase.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "series/key.h"
#include "serve/action.h"
#include "serve/deliver/match.h"
#include "serve/erase_incident.h"
#include "serve/keeper.h"
#include "store/journal.h"

#include <string.h>

typedef struct search {
    tcsi_matcher matchers[TCSI_MATCHER_COUNT_MAX];
    size_t matcher_count;
    tcsi_buffer found; /* int64_t ids */
    tcsi_erased_words words; /* names in the order of found */
    tcsi_arena arena;
    tcs_status status;
    tcs_error *err;
} search;

/* ---- which series ---- */

static tcs_status read_matchers(search *s, const tcsi_erase_order *order, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (order->matcher_count == 0 || order->matcher_count > TCSI_MATCHER_COUNT_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "%zu matchers; expected 1 to %d", order->matcher_count, TCSI_MATCHER_COUNT_MAX);
    while (status == TCS_OK && s->matcher_count < order->matcher_count) {
        status = tcsi_matcher_parse(order->matchers[s->matcher_count], &s->matchers[s->matcher_count], err);
        s->matcher_count += status == TCS_OK;
    }
    return status;
}

static bool match_series(void *context, const tcsi_store_series *series)
{
    search *s = context;
    tcsi_alert_tag tags[TCSI_KEY_TAG_COUNT_MAX];
    tcsi_key key;
    tcsi_arena_reset(&s->arena);
    s->status = tcsi_key_decode(series->tags, series->tags_size, &key, s->err);
    for (size_t i = 0; s->status == TCS_OK && i < key.tag_count; i++) {
        tags[i].name = tcsi_arena_strndup(&s->arena, key.tags[i].name, key.tags[i].name_size);
        tags[i].value = tcsi_arena_strndup(&s->arena, key.tags[i].value, key.tags[i].value_size);
        if (!tags[i].name || !tags[i].value) s->status = tcsi_fail_memory(s->err, "a series' tags");
    }
    if (s->status != TCS_OK || !tcsi_matchers_hold(s->matchers, s->matcher_count, tags, key.tag_count)) return s->status == TCS_OK;
    s->status = tcsi_buffer_append(&s->found, &series->id, sizeof series->id, s->err);
    if (s->status == TCS_OK) s->status = tcsi_erased_words_name(&s->words, series->tags, series->tags_size, s->err);
    return s->status == TCS_OK;
}

/* ---- the record of it ---- */

/* What was asked for, without saying it. */
static void hash_order(const tcsi_erase_order *order, char ret_text[TCSI_HASH_TEXT_SIZE])
{
    unsigned char digest[TCSI_HASH_SIZE];
    tcsi_hash hash;
    tcsi_hash_init(&hash);
    for (size_t i = 0; i < order->matcher_count; i++) tcsi_hash_update(&hash, order->matchers[i], strlen(order->matchers[i]) + 1);
    tcsi_hash_end(&hash, digest);
    tcsi_hash_text(digest, ret_text);
}

static tcs_status audit(tcsi_store *store, const tcsi_erase_order *order, const tcsi_erase_report *report, tcs_error *err)
{
    char id[TCSI_ACTION_ID_SIZE], matchers[TCSI_HASH_TEXT_SIZE];
    tcsi_json_writer writer;
    tcsi_buffer detail;
    hash_order(order, matchers);
    tcsi_buffer_init(&detail, 4096);
    tcsi_json_writer_init(&writer, &detail, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "matchers_sha256", matchers);
    tcsi_json_put_integer(&writer, "series", (int64_t)report->series_count);
    tcsi_json_put_integer(&writer, "blocks", (int64_t)report->erased.block_count);
    tcsi_json_put_integer(&writer, "records", (int64_t)report->erased.record_count);
    tcsi_json_put_integer(&writer, "incidents", (int64_t)report->incident_count);
    tcsi_json_put_integer(&writer, "labels", (int64_t)report->erased.label_count);
    tcsi_json_put_integer(&writer, "messages", (int64_t)report->erased.message_count);
    tcsi_json_put_bool(&writer, "also_state", order->also_state);
    tcsi_json_end_object(&writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) status = tcsi_action_id(id, err);
    if (status == TCS_OK) {
        const tcsi_store_audit_entry entry = { .id = id, .time_ns = tcsi_clock_wall_ns(), .actor = order->who, .action = "erase",
                                               .object = "series", .detail = detail.data };
        status = tcsi_store_audit_put(store, &entry, err);
    }
    tcsi_buffer_deinit(&detail);
    return status;
}

/* ---- erasing ---- */

static void find_snapshots(void *context, const char *name, int64_t row_count)
{
    if (strcmp(name, "snapshot") == 0) *(bool *)context = row_count > 0;
}

static tcs_status erase_found(search *s, tcsi_store *store, const tcsi_erase_order *order, tcsi_erase_report *report, tcs_error *err)
{
    const int64_t *ids = (const int64_t *)(const void *)s->found.data;
    const char *name = s->words.names.data;
    tcs_status status = TCS_OK;
    report->series_count = s->found.size / sizeof *ids;
    for (size_t i = 0; i < report->series_count && status == TCS_OK; i++) {
        tcsi_store_erased one = { 0 };
        status = tcsi_erased_words_episodes(&s->words, store, ids[i], err);
        if (status == TCS_OK) status = tcsi_store_erase(store, ids[i], name, &one, err);
        name += strlen(name) + 1;
        report->erased.block_count += one.block_count;
        report->erased.record_count += one.record_count;
        report->erased.label_count += one.label_count;
        report->erased.message_count += one.message_count;
    }
    if (status == TCS_OK) status = tcsi_erase_incidents(store, &s->words, &report->incident_count, err);
    if (status == TCS_OK && order->also_state) status = tcsi_store_snapshot_remove(store, TCSI_KEEPER_SNAPSHOT, err);
    if (status == TCS_OK && order->also_state) status = tcsi_store_batch_remove(store, err);
    return status == TCS_OK ? audit(store, order, report, err) : status;
}

static tcs_status erase(search *s, tcsi_store *store, const tcsi_erase_order *order, tcsi_erase_report *report, tcs_error *err)
{
    tcs_status status = read_matchers(s, order, err);
    if (status == TCS_OK) status = tcsi_store_series_list(store, 0, 0, match_series, s, err);
    if (status == TCS_OK) status = s->status;
    if (status == TCS_OK) status = tcsi_store_begin(store, err);
    if (status != TCS_OK) return status;
    status = erase_found(s, store, order, report, err);
    if (status == TCS_OK) status = tcsi_store_commit(store, err);
    else tcsi_store_rollback(store);
    if (status == TCS_OK && order->also_state && order->journal) status = tcsi_journal_remove(order->journal, err);
    if (status == TCS_OK) status = tcsi_store_compact(store, err);
    return status == TCS_OK ? tcsi_store_count(store, find_snapshots, &report->has_state, err) : status;
}

tcs_status tcsi_erase(tcsi_store *store, const tcsi_erase_order *order, tcsi_erase_report *ret_report, tcs_error *err)
{
    tcsi_erase_report report = { .series_count = 0 };
    search *s = TCSI_NEW(search);
    if (!s) return tcsi_fail_memory(err, "a search for series");
    s->err = err;
    tcsi_buffer_init(&s->found, (size_t)1 << 30);
    tcsi_erased_words_init(&s->words);
    tcsi_arena_init(&s->arena, 1 << 20);
    const tcs_status status = erase(s, store, order, &report, err);
    for (size_t i = 0; i < s->matcher_count; i++) tcsi_matcher_deinit(&s->matchers[i]);
    tcsi_buffer_deinit(&s->found);
    tcsi_erased_words_deinit(&s->words);
    tcsi_arena_deinit(&s->arena);
    tcsi_free(s);
    report.has_state |= order->journal && !order->also_state;
    if (status == TCS_OK) *ret_report = report;
    return status;
}
