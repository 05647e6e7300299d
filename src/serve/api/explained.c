/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/explained.h"

#include "serve/why/grounds_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MERGES_MAX = 8 };

/* ---- the store ---- */

/* A document that outlives its row. */
typedef struct finding {
    tcsi_arena *arena;
    const tcsi_json_value *document;
    int64_t begin_ns, end_ns, state;
} finding;

static bool find_document(void *context, const tcsi_store_record *record)
{
    finding *f = context;
    tcs_error ignored;
    f->begin_ns = record->begin_ns;
    f->end_ns = record->end_ns;
    f->state = record->state;
    if (tcsi_json_parse(record->document, strlen(record->document), f->arena, &f->document, &ignored) != TCS_OK) f->document = NULL;
    return false;
}

static tcs_status find(tcsi_api *api, tcsi_store_record_kind kind, const char *id, finding *f, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = kind, .id = id, .limit = 1 };
    f->document = NULL;
    return tcsi_api_records(api, &query, find_document, f, err);
}

/* A series that is live; TCSI_SERIES_NONE: it is none, or not any more. */
static uint32_t series_of(const tcsi_api *api, const tcsi_json_value *document)
{
    const double number = tcsi_json_number_of(document, "number", NAN);
    const uint32_t count = tcsi_directory_count(tcsi_live_directory(api->live));
    return number >= 0 && number < (double)count ? (uint32_t)number : TCSI_SERIES_NONE;
}

tcs_status tcsi_explained_find(tcsi_api *api, const tcsi_request *request, const char *id, tcsi_explained *ret, tcs_error *err)
{
    finding f = { .arena = request->arena };
    const tcs_status status = find(api, TCSI_STORE_EPISODE, id, &f, err);
    if (status != TCS_OK) return status;
    *ret = (tcsi_explained){ .api = api, .request = request, .id = id, .document = f.document, .begin_ns = f.begin_ns, .end_ns = f.end_ns,
                             .state = f.state, .number = series_of(api, f.document) };
    (void)tcsi_grounds_read(f.document ? tcsi_json_get(f.document, "grounds") : NULL, &ret->grounds);
    return TCS_OK;
}

const char *tcsi_explained_text(const tcsi_explained *explained, const char *key)
{
    return tcsi_json_text_of(explained->document, key);
}

double tcsi_explained_number(const tcsi_explained *explained, const char *key)
{
    return tcsi_json_number_of(explained->document, key, NAN);
}

tcs_status tcsi_explained_incident(const tcsi_explained *explained, const tcsi_json_value **ret_incident, const tcsi_json_value **ret_ids,
                                   tcs_error *err)
{
    finding f = { .arena = explained->request->arena };
    const char *id = tcsi_json_text_of(explained->document, "incident");
    tcs_status status = TCS_OK;
    for (int step = 0; status == TCS_OK && *id && step < MERGES_MAX; step++) {
        status = find(explained->api, TCSI_STORE_INCIDENT, id, &f, err);
        id = tcsi_json_text_of(f.document, "merged_into");
    }
    const tcsi_json_value *ids = f.document ? tcsi_json_get(f.document, "episodes") : NULL;
    *ret_incident = f.document;
    *ret_ids = ids && ids->type == TCSI_JSON_ARRAY ? ids : NULL;
    return status;
}

/* ---- what moved together ---- */

typedef struct mover {
    const char *id;
    const tcsi_json_value *document;
    int64_t begin_ns;
    uint32_t number;
} mover;

static int by_onset(const void *a, const void *b)
{
    const mover *x = a, *y = b;
    return x->begin_ns != y->begin_ns ? (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns) : strcmp(x->id, y->id);
}

static tcs_status find_movers(const tcsi_explained *explained, const tcsi_json_value *ids, mover *movers, size_t *count, tcs_error *err)
{
    tcs_status status = TCS_OK;
    *count = 0;
    for (size_t i = 0; status == TCS_OK && ids && i < ids->item_count; i++) {
        finding f = { .arena = explained->request->arena };
        if (ids->items[i].type != TCSI_JSON_STRING || strcmp(ids->items[i].text, explained->id) == 0) continue;
        status = find(explained->api, TCSI_STORE_EPISODE, ids->items[i].text, &f, err);
        if (status == TCS_OK && f.document)
            movers[(*count)++] = (mover){ ids->items[i].text, f.document, f.begin_ns, series_of(explained->api, f.document) };
    }
    if (*count > 1) qsort(movers, *count, sizeof *movers, by_onset);
    return status;
}

/* Tags that both have with the same value. */
static void write_shared(const tcsi_explained *explained, uint32_t other, tcsi_json_writer *writer)
{
    const tcsi_directory *directory = tcsi_live_directory(explained->api->live);
    tcsi_key a, b;
    tcs_error ignored;
    tcsi_json_key(writer, "shared");
    tcsi_json_begin_object(writer);
    const bool is_live = explained->number != TCSI_SERIES_NONE && other != TCSI_SERIES_NONE;
    const tcsi_directory_entry *x = is_live ? tcsi_directory_entry_of(directory, explained->number) : NULL;
    const tcsi_directory_entry *y = is_live ? tcsi_directory_entry_of(directory, other) : NULL;
    if (is_live && tcsi_key_decode(x->key, x->key_size, &a, &ignored) == TCS_OK &&
        tcsi_key_decode(y->key, y->key_size, &b, &ignored) == TCS_OK) {
        for (size_t i = 0; i < a.tag_count; i++) {
            char name[TCSI_KEY_NAME_SIZE_MAX + 1], value[TCSI_KEY_VALUE_SIZE_MAX + 1];
            snprintf(name, sizeof name, "%.*s", (int)a.tags[i].name_size, a.tags[i].name);
            const tcsi_tag *same = tcsi_key_get(&b, name);
            if (!same || same->value_size != a.tags[i].value_size || memcmp(same->value, a.tags[i].value, same->value_size) != 0) continue;
            snprintf(value, sizeof value, "%.*s", (int)same->value_size, same->value);
            tcsi_json_put_string(writer, name, value);
        }
    }
    tcsi_json_end_object(writer);
}

static void write_mover(const tcsi_explained *explained, const mover *m, tcsi_json_writer *writer)
{
    static const char *const keys[] = { "series", "kind", "state", "begin" };
    const double off = tcsi_json_number_of(m->document, "value", NAN) - tcsi_json_number_of(m->document, "expected", NAN);
    const double deviation = tcsi_json_number_of(m->document, "deviation", NAN);
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "id", m->id);
    for (size_t i = 0; i < TCS_COUNT(keys); i++) tcsi_json_put_string(writer, keys[i], tcsi_json_text_of(m->document, keys[i]));
    if (m->number != TCSI_SERIES_NONE) tcsi_json_put_integer(writer, "number", m->number);
    tcsi_json_put_number(writer, "lag_seconds", ((double)m->begin_ns - (double)explained->begin_ns) * 1e-9);
    tcsi_json_put_number(writer, "deviations", deviation > 0 ? off / deviation : NAN);
    tcsi_json_put_number(writer, "severity", tcsi_json_number_of(m->document, "severity", NAN));
    write_shared(explained, m->number, writer);
    tcsi_json_end_object(writer);
}

tcs_status tcsi_explained_write_moved(const tcsi_explained *explained, tcsi_json_writer *writer, tcs_error *err)
{
    const tcsi_json_value *incident, *ids;
    size_t count = 0;
    tcs_status status = tcsi_explained_incident(explained, &incident, &ids, err);
    if (status != TCS_OK) return status;
    mover *movers = TCSI_ARENA_NEW(explained->request->arena, mover, (ids ? ids->item_count : 0) + 1);
    if (!movers) return tcsi_fail_memory(err, "what moved together");
    status = find_movers(explained, ids, movers, &count, err);
    const tcsi_json_value *shared = incident ? tcsi_json_get(incident, "shared") : NULL;
    tcsi_json_key(writer, "moved_together");
    tcsi_json_begin_object(writer);
    tcsi_json_put_string(writer, "incident", tcsi_json_text_of(incident, "id"));
    tcsi_json_put_number(writer, "series_count", incident ? tcsi_json_number_of(incident, "series_count", NAN) : 1);
    tcsi_json_key(writer, "shared");
    tcsi_json_begin_object(writer);
    for (size_t i = 0; shared && shared->type == TCSI_JSON_OBJECT && i < shared->item_count; i++)
        if (shared->items[i].type == TCSI_JSON_STRING) tcsi_json_put_string(writer, shared->items[i].key, shared->items[i].text);
    tcsi_json_end_object(writer);
    tcsi_json_key(writer, "episodes");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < count; i++) write_mover(explained, &movers[i], writer);
    tcsi_json_end_array(writer);
    tcsi_json_end_object(writer);
    return status;
}
