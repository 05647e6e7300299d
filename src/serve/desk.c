/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/desk.h"

#include "base/log.h"
#include "serve/deliver/silence_document.h"
#include "series/key.h"
#include "series/time.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_SIZE_MAX = 1 << 16 };

void tcsi_desk_init(tcsi_desk *desk)
{
    tcsi_silences_init(&desk->silences);
}

void tcsi_desk_deinit(tcsi_desk *desk)
{
    tcsi_silences_deinit(&desk->silences);
}

/* ---- the state ---- */

/* As the action has it, with its id, which is the silence's, and who asked. */
static tcs_status read_silence(const tcsi_action *action, tcsi_silence *ret_silence, tcs_error *err)
{
    tcsi_arena arena;
    tcsi_arena_init(&arena, TCSI_ACTION_SIZE_MAX);
    const tcs_status status = tcsi_silence_read(action->document, strlen(action->document), &arena, ret_silence, err);
    tcsi_arena_deinit(&arena);
    snprintf(ret_silence->id, sizeof ret_silence->id, "%s", action->id);
    snprintf(ret_silence->author, sizeof ret_silence->author, "%s", action->who);
    ret_silence->is_maintenance = action->kind == TCSI_ACTION_MAINTENANCE;
    return status;
}

static void begin_silence(tcsi_desk *desk, const tcsi_action *action)
{
    tcs_error failure;
    tcsi_silence silence;
    tcs_status status = read_silence(action, &silence, &failure);
    if (status == TCS_OK) status = tcsi_silences_add(&desk->silences, &silence, &failure);
    if (status != TCS_OK) tcsi_log(TCSI_LOG_ERROR, "SERVE-SILENCE-LOST", "silence %s does not hold: %s", action->id, failure.text);
    tcsi_silence_deinit(&silence);
}

void tcsi_desk_act(tcsi_desk *desk, tcsi_notify *notify, const tcsi_action *action)
{
    bool is_open;
    if (action->kind == TCSI_ACTION_SILENCE || action->kind == TCSI_ACTION_MAINTENANCE) begin_silence(desk, action);
    else if (action->kind == TCSI_ACTION_END) tcsi_silences_end(&desk->silences, action->object);
    else if (action->kind == TCSI_ACTION_ACKNOWLEDGE && notify) tcsi_notify_acknowledge(notify, action->object, &is_open);
}

void tcsi_desk_tick(tcsi_desk *desk, int64_t time_ns)
{
    tcsi_silences_expire(&desk->silences, time_ns);
}

void tcsi_desk_persist(tcsi_desk *desk, tcsi_codec *codec)
{
    tcsi_silences_persist(&desk->silences, codec);
}

typedef struct loading {
    tcsi_desk *desk;
    bool is_maintenance;
    tcsi_arena arena;
    tcs_status status;
    tcs_error *err;
} loading;

static bool load_record(void *context, const tcsi_store_record *record)
{
    loading *l = context;
    tcsi_silence silence;
    tcsi_arena_reset(&l->arena);
    l->status = tcsi_silence_read(record->document, strlen(record->document), &l->arena, &silence, l->err);
    silence.is_maintenance = l->is_maintenance;
    if (l->status == TCS_OK) l->status = tcsi_silences_add(&l->desk->silences, &silence, l->err);
    tcsi_silence_deinit(&silence);
    return l->status == TCS_OK;
}

tcs_status tcsi_desk_load(tcsi_desk *desk, tcsi_store *store, int64_t now_ns, tcs_error *err)
{
    loading l = { .desk = desk, .err = err };
    tcs_status status = TCS_OK;
    tcsi_arena_init(&l.arena, DOCUMENT_SIZE_MAX);
    for (int k = 0; k < 2 && status == TCS_OK; k++) {
        const tcsi_store_record_query query = { .kind = k == 0 ? TCSI_STORE_SILENCE : TCSI_STORE_MAINTENANCE, .from_ns = now_ns,
                                                .limit = TCSI_SILENCES_MAX };
        l.is_maintenance = k == 1;
        status = tcsi_store_record_list(store, &query, load_record, &l, err);
        if (status == TCS_OK) status = l.status;
    }
    tcsi_arena_deinit(&l.arena);
    return status;
}

/* ---- the store ---- */

static tcs_status put_document(tcsi_store *store, tcsi_store_record *record, tcsi_json_writer *writer, tcs_error *err)
{
    const tcs_status status = tcsi_json_finish(writer, err);
    record->document = writer->out->data;
    return status == TCS_OK ? tcsi_store_record_put(store, record, err) : status;
}

static tcs_status put_silence(tcsi_store *store, const tcsi_silence *silence, int64_t time_ns, tcs_error *err)
{
    tcsi_store_record record = { .kind = silence->is_maintenance ? TCSI_STORE_MAINTENANCE : TCSI_STORE_SILENCE, .id = silence->id,
                                 .begin_ns = silence->starts_ns, .end_ns = silence->ends_ns, .updated_ns = time_ns };
    tcsi_json_writer writer;
    tcsi_buffer text;
    tcsi_buffer_init(&text, DOCUMENT_SIZE_MAX);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_silence_write(silence, &writer);
    const tcs_status status = put_document(store, &record, &writer, err);
    tcsi_buffer_deinit(&text);
    return status;
}

static tcs_status keep_silence(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    tcsi_silence silence;
    tcs_status status = read_silence(action, &silence, err);
    if (status == TCS_OK) status = put_silence(store, &silence, action->time_ns, err);
    tcsi_silence_deinit(&silence);
    return status;
}

/* What a record is, kept until the store may be used again. */
typedef struct found {
    tcsi_buffer document;
    tcsi_store_record record; /* without texts */
    bool is_there;
    tcs_status status;
    tcs_error *err;
} found;

static bool keep_found(void *context, const tcsi_store_record *record)
{
    found *f = context;
    f->is_there = true;
    f->record = *record;
    f->record.id = f->record.document = NULL;
    f->status = tcsi_buffer_puts(&f->document, record->document, f->err);
    return false;
}

static tcs_status find_record(tcsi_store *store, tcsi_store_record_kind kind, const char *id, found *ret_found, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = kind, .id = id, .limit = 1 };
    ret_found->err = err;
    ret_found->is_there = false;
    const tcs_status status = tcsi_store_record_list(store, &query, keep_found, ret_found, err);
    return status == TCS_OK ? ret_found->status : status;
}

/* One that had not begun yet never does. */
static tcs_status end_found(tcsi_store *store, const found *f, const tcsi_action *action, bool is_maintenance, tcs_error *err)
{
    tcsi_arena arena;
    tcsi_silence silence;
    tcsi_arena_init(&arena, DOCUMENT_SIZE_MAX);
    tcs_status status = tcsi_silence_read(f->document.data, f->document.size, &arena, &silence, err);
    tcsi_arena_deinit(&arena);
    silence.is_maintenance = is_maintenance;
    if (status == TCS_OK && silence.ends_ns > action->time_ns) {
        silence.ends_ns = action->time_ns;
        if (silence.starts_ns > silence.ends_ns) silence.starts_ns = silence.ends_ns;
        status = put_silence(store, &silence, action->time_ns, err);
    }
    tcsi_silence_deinit(&silence);
    return status;
}

static tcs_status keep_end(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    found f = { .status = TCS_OK };
    tcsi_buffer_init(&f.document, DOCUMENT_SIZE_MAX);
    tcs_status status = find_record(store, TCSI_STORE_SILENCE, action->object, &f, err);
    const bool is_maintenance = status == TCS_OK && !f.is_there;
    if (is_maintenance) status = find_record(store, TCSI_STORE_MAINTENANCE, action->object, &f, err);
    if (status == TCS_OK && f.is_there) status = end_found(store, &f, action, is_maintenance, err);
    tcsi_buffer_deinit(&f.document);
    return status;
}

/* Of the episode's series, so that it goes when that is erased. */
static tcs_status put_acknowledgement(tcsi_store *store, const tcsi_action *action, int64_t series_id, tcs_error *err)
{
    tcsi_store_record record = { .kind = TCSI_STORE_ACKNOWLEDGEMENT, .id = action->object, .series_id = series_id,
                                 .begin_ns = action->time_ns, .end_ns = action->time_ns, .updated_ns = action->time_ns };
    char time[TCSI_TIME_TEXT_SIZE];
    const tcsi_json_value *root = NULL, *note = NULL;
    tcsi_json_writer writer;
    tcsi_arena arena;
    tcsi_buffer text;
    tcsi_arena_init(&arena, TCSI_ACTION_SIZE_MAX);
    tcsi_buffer_init(&text, DOCUMENT_SIZE_MAX);
    tcs_status status = tcsi_json_parse(action->document, strlen(action->document), &arena, &root, err);
    if (status == TCS_OK) note = tcsi_json_get(root, "note");
    (void)tcsi_time_format_iso(action->time_ns, time, sizeof time);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "who", action->who);
    tcsi_json_put_string(&writer, "time", time);
    tcsi_json_put_string(&writer, "note", note && note->type == TCSI_JSON_STRING ? note->text : "");
    tcsi_json_end_object(&writer);
    if (status == TCS_OK) status = put_document(store, &record, &writer, err);
    tcsi_buffer_deinit(&text);
    tcsi_arena_deinit(&arena);
    return status;
}

static const char acknowledged_key[] = ",\"acknowledged\":";

tcs_status tcsi_desk_add_acknowledgement(tcsi_store *store, const char *episode_id, const char *document, tcsi_buffer *out, tcs_error *err)
{
    found f = { .status = TCS_OK };
    tcsi_buffer_init(&f.document, DOCUMENT_SIZE_MAX);
    tcs_status status = store ? find_record(store, TCSI_STORE_ACKNOWLEDGEMENT, episode_id, &f, err) : TCS_OK;
    if (status == TCS_OK) status = tcsi_buffer_append(out, document, strlen(document) - 1, err); /* but for its last brace */
    if (status == TCS_OK) status = tcsi_buffer_printf(out, err, "%s%s}", acknowledged_key, f.is_there ? f.document.data : "null");
    tcsi_buffer_deinit(&f.document);
    return status;
}

static bool note_any(void *context, const tcsi_store_record *record)
{
    (void)record;
    *(bool *)context = true;
    return false;
}

tcs_status tcsi_desk_has_acknowledgements(tcsi_store *store, bool *ret_has, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = TCSI_STORE_ACKNOWLEDGEMENT, .limit = 1 };
    *ret_has = false;
    return tcsi_store_record_list(store, &query, note_any, ret_has, err);
}

/* Without what it says of that, which it has last. */
static void drop_acknowledgement(tcsi_buffer *document)
{
    for (size_t at = document->size; at-- > 0;) {
        if (strncmp(document->data + at, acknowledged_key, sizeof acknowledged_key - 1) != 0) continue;
        document->data[at] = '}';
        document->data[at + 1] = 0;
        document->size = at + 1;
        return;
    }
}

static tcs_status keep_acknowledgement(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    found f = { .status = TCS_OK };
    tcsi_buffer document;
    tcsi_buffer_init(&f.document, 1 << 20);
    tcsi_buffer_init(&document, 1 << 20);
    tcs_status status = find_record(store, TCSI_STORE_EPISODE, action->object, &f, err);
    if (status == TCS_OK && f.is_there) {
        drop_acknowledgement(&f.document);
        status = put_acknowledgement(store, action, f.record.series_id, err);
        if (status == TCS_OK) status = tcsi_desk_add_acknowledgement(store, action->object, f.document.data, &document, err);
        f.record.id = action->object;
        f.record.document = document.data;
        if (status == TCS_OK) status = tcsi_store_record_put(store, &f.record, err);
    }
    tcsi_buffer_deinit(&document);
    tcsi_buffer_deinit(&f.document);
    return status;
}

void tcsi_desk_publish(tcsi_store *store, tcsi_events *events, const tcsi_action *action)
{
    found f = { .status = TCS_OK };
    tcs_error failure;
    if (action->kind != TCSI_ACTION_ACKNOWLEDGE) return;
    tcsi_buffer_init(&f.document, 1 << 20);
    tcs_status status = find_record(store, TCSI_STORE_EPISODE, action->object, &f, &failure);
    if (status == TCS_OK && f.is_there) status = tcsi_events_publish(events, "episode", f.document.data, &failure);
    if (status != TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-EVENT-LOST", "listeners were not told of %s: %s", action->object, failure.text);
    tcsi_buffer_deinit(&f.document);
}

tcs_status tcsi_desk_keep(tcsi_store *store, const tcsi_action *action, tcs_error *err)
{
    if (action->kind == TCSI_ACTION_ACKNOWLEDGE) return keep_acknowledgement(store, action, err);
    return action->kind == TCSI_ACTION_END ? keep_end(store, action, err) : keep_silence(store, action, err);
}

/* ---- maintenance, looked up ---- */

typedef struct window_search {
    const tcsi_alert_tag *tags;
    size_t tag_count;
    tcsi_arena arena;
    bool is_held;
} window_search;

static bool search_window(void *context, const tcsi_store_record *record)
{
    window_search *search = context;
    tcsi_silence window;
    tcs_error failure;
    tcsi_arena_reset(&search->arena);
    if (tcsi_silence_read(record->document, strlen(record->document), &search->arena, &window, &failure) == TCS_OK)
        search->is_held = tcsi_matchers_hold(window.match, window.match_count, search->tags, search->tag_count);
    tcsi_silence_deinit(&window);
    return !search->is_held;
}

/* The tags that an alert of this episode has; in arena.  0: its document does not name a series. */
static size_t episode_tags(const found *f, tcsi_arena *arena, tcsi_alert_tag *ret_tags)
{
    const tcsi_json_value *root = NULL;
    tcs_error failure;
    tcsi_key key;
    if (tcsi_json_parse(f->document.data, f->document.size, arena, &root, &failure) != TCS_OK) return 0;
    const char *series = tcsi_json_text_of(root, "series");
    if (tcsi_key_parse(series, strlen(series), arena, &key, &failure) != TCS_OK) return 0;
    size_t count = 0;
    ret_tags[count++] = (tcsi_alert_tag){ "tocsin_kind", tcsi_json_text_of(root, "kind") };
    for (size_t i = 0; i < key.tag_count && count < TCSI_ALERT_TAG_COUNT_MAX; i++) {
        const char *name = tcsi_arena_strndup(arena, key.tags[i].name, key.tags[i].name_size);
        const char *value = tcsi_arena_strndup(arena, key.tags[i].value, key.tags[i].value_size);
        if (name && value) ret_tags[count++] = (tcsi_alert_tag){ name, value };
    }
    return count;
}

tcs_status tcsi_desk_was_maintained(tcsi_store *store, const char *episode_id, bool *ret_was, tcs_error *err)
{
    found f = { .status = TCS_OK };
    tcsi_arena arena;
    tcsi_alert_tag tags[TCSI_ALERT_TAG_COUNT_MAX];
    window_search search = { .tags = tags };
    tcsi_buffer_init(&f.document, 1 << 20);
    tcsi_arena_init(&arena, 1 << 20);
    tcsi_arena_init(&search.arena, DOCUMENT_SIZE_MAX);
    tcs_status status = find_record(store, TCSI_STORE_EPISODE, episode_id, &f, err);
    if (status == TCS_OK && f.is_there) search.tag_count = episode_tags(&f, &arena, tags);
    if (status == TCS_OK && search.tag_count > 0) {
        const tcsi_store_record_query query = { .kind = TCSI_STORE_MAINTENANCE, .from_ns = f.record.begin_ns, .to_ns = f.record.end_ns };
        status = tcsi_store_record_list(store, &query, search_window, &search, err);
    }
    tcsi_buffer_deinit(&f.document);
    tcsi_arena_deinit(&arena);
    tcsi_arena_deinit(&search.arena);
    if (status == TCS_OK) *ret_was = search.is_held;
    return status;
}
