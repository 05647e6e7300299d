/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/erase_incident.h"

#include "base/json.h"
#include "series/key.h"

#include <string.h>

static const size_t TEXTS_SIZE_MAX = (size_t)1 << 30;
static const char SUMMARY[] = "an incident whose series were erased, some or all";

void tcsi_erased_words_init(tcsi_erased_words *words)
{
    tcsi_buffer_init(&words->names, TEXTS_SIZE_MAX);
    tcsi_buffer_init(&words->episodes, TEXTS_SIZE_MAX);
}

void tcsi_erased_words_deinit(tcsi_erased_words *words)
{
    tcsi_buffer_deinit(&words->names);
    tcsi_buffer_deinit(&words->episodes);
}

tcs_status tcsi_erased_words_name(tcsi_erased_words *words, const void *key, size_t size, tcs_error *err)
{
    tcsi_buffer name, quoted;
    tcsi_json_writer writer;
    tcsi_key decoded;
    tcsi_buffer_init(&name, 4 * TCSI_KEY_SIZE_MAX);
    tcsi_buffer_init(&quoted, 32 * TCSI_KEY_SIZE_MAX);
    tcs_status status = tcsi_key_decode(key, size, &decoded, err);
    if (status == TCS_OK) status = tcsi_key_print(&decoded, &name, err);
    if (status == TCS_OK) {
        tcsi_json_writer_init(&writer, &quoted, false);
        tcsi_json_string(&writer, name.data);
        status = tcsi_json_finish(&writer, err);
    }
    if (status == TCS_OK) status = tcsi_buffer_append(&words->names, quoted.data + 1, strrchr(quoted.data, '"') - quoted.data - 1, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&words->names, "", 1, err);
    tcsi_buffer_deinit(&quoted);
    tcsi_buffer_deinit(&name);
    return status;
}

typedef struct listing {
    tcsi_buffer *out;
    const tcsi_erased_words *words;
    tcs_status status;
    tcs_error *err;
} listing;

static bool keep_id(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    l->status = tcsi_buffer_append(l->out, record->id, strlen(record->id) + 1, l->err);
    return l->status == TCS_OK;
}

tcs_status tcsi_erased_words_episodes(tcsi_erased_words *words, tcsi_store *store, int64_t series_id, tcs_error *err)
{
    listing l = { .out = &words->episodes, .err = err };
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .series_id = series_id };
    const tcs_status status = tcsi_store_record_list(store, &query, keep_id, &l, err);
    return status == TCS_OK ? l.status : status;
}

/* ---- which ones ---- */

static bool says_any(const char *document, const tcsi_buffer *texts)
{
    bool is_said = false;
    for (size_t at = 0; at < texts->size && !is_said; at += strlen(texts->data + at) + 1) is_said = strstr(document, texts->data + at);
    return is_said;
}

/* While they are listed nothing can be changed: their ids are kept. */
static bool keep_touched(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    if (says_any(record->document, &l->words->names) || says_any(record->document, &l->words->episodes)) return keep_id(context, record);
    return true;
}

/* ---- what is left of one ---- */

static bool is_erased(const tcsi_erased_words *words, const char *id)
{
    const tcsi_buffer *ids = &words->episodes;
    size_t at = 0;
    while (at < ids->size && strcmp(ids->data + at, id) != 0) at += strlen(ids->data + at) + 1;
    return at < ids->size;
}

static size_t write_episodes(const tcsi_json_value *list, const tcsi_erased_words *words, tcsi_json_writer *writer)
{
    size_t kept = 0;
    tcsi_json_begin_array(writer);
    for (uint32_t i = 0; i < list->item_count; i++) {
        if (list->items[i].type != TCSI_JSON_STRING || is_erased(words, list->items[i].text)) continue;
        tcsi_json_string(writer, list->items[i].text);
        kept++;
    }
    tcsi_json_end_array(writer);
    return kept;
}

/* Numbers, times, state and ids stay as they are. */
static size_t write_rest(const tcsi_json_value *root, const tcsi_erased_words *words, tcsi_json_writer *writer)
{
    size_t kept = 0;
    tcsi_json_begin_object(writer);
    for (uint32_t i = 0; i < root->item_count; i++) {
        const tcsi_json_value *member = &root->items[i];
        if (strcmp(member->key, "summary") == 0 || (member->type != TCSI_JSON_ARRAY && member->type != TCSI_JSON_STRING &&
                                                    member->type != TCSI_JSON_NUMBER)) continue;
        tcsi_json_key(writer, member->key);
        if (member->type == TCSI_JSON_ARRAY) kept = write_episodes(member, words, writer);
        else if (member->type == TCSI_JSON_STRING) tcsi_json_string(writer, member->text);
        else tcsi_json_raw(writer, member->text);
    }
    tcsi_json_key(writer, "shared");
    tcsi_json_begin_object(writer);
    tcsi_json_end_object(writer);
    tcsi_json_put_string(writer, "summary", SUMMARY);
    tcsi_json_end_object(writer);
    return kept;
}

typedef struct change {
    const tcsi_erased_words *words;
    tcsi_store_record record; /* but its texts */
    tcsi_buffer document;
    size_t kept_count;
    tcs_status status;
    tcs_error *err;
} change;

static bool write_changed(void *context, const tcsi_store_record *record)
{
    change *c = context;
    const tcsi_json_value *root;
    tcsi_json_writer writer;
    tcsi_arena arena;
    c->record = *record;
    tcsi_buffer_clear(&c->document);
    tcsi_arena_init(&arena, 0);
    c->status = tcsi_json_parse(record->document, strlen(record->document), &arena, &root, c->err);
    if (c->status == TCS_OK) {
        tcsi_json_writer_init(&writer, &c->document, false);
        c->kept_count = write_rest(root, c->words, &writer);
        c->status = tcsi_json_finish(&writer, c->err);
    }
    tcsi_arena_deinit(&arena);
    return false;
}

static tcs_status change_one(tcsi_store *store, const char *id, change *c, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = TCSI_STORE_INCIDENT, .id = id, .limit = 1 };
    c->kept_count = 0;
    tcs_status status = tcsi_store_record_list(store, &query, write_changed, c, err);
    if (status == TCS_OK) status = c->status;
    if (status != TCS_OK) return status;
    if (c->kept_count == 0) return tcsi_store_record_remove(store, TCSI_STORE_INCIDENT, id, err);
    c->record.id = id;
    c->record.document = c->document.data;
    return tcsi_store_record_put(store, &c->record, err);
}

tcs_status tcsi_erase_incidents(tcsi_store *store, const tcsi_erased_words *words, size_t *ret_count, tcs_error *err)
{
    tcsi_buffer ids;
    change c = { .words = words, .err = err };
    listing l = { .out = &ids, .words = words, .err = err };
    const tcsi_store_record_query all = { .kind = TCSI_STORE_INCIDENT };
    *ret_count = 0;
    tcsi_buffer_init(&ids, TEXTS_SIZE_MAX);
    tcsi_buffer_init(&c.document, TEXTS_SIZE_MAX);
    tcs_status status = tcsi_store_record_list(store, &all, keep_touched, &l, err);
    if (status == TCS_OK) status = l.status;
    for (size_t at = 0; status == TCS_OK && at < ids.size; at += strlen(ids.data + at) + 1) {
        status = change_one(store, ids.data + at, &c, err);
        *ret_count += status == TCS_OK;
    }
    tcsi_buffer_deinit(&c.document);
    tcsi_buffer_deinit(&ids);
    return status;
}
