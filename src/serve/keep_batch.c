/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/keep_batch.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/deep/labelled_set.h"
#include "serve/deliver/outbox_store.h"
#include "serve/desk.h"
#include "serve/keep_action.h"
#include "serve/keep_answer.h"
#include "serve/keep_incident.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DOCUMENTS_SIZE_MAX = 1 << 30, MARK_SIZE = 128 };
static const char mark_name[] = "keeper.mark";
static const size_t NOT_YET = SIZE_MAX;

typedef enum kept_kind { ACTION, EPISODE, INCIDENT, MESSAGE } kept_kind;

typedef struct kept_episode {
    const tcsi_live_event *event;
    size_t series, draft, document; /* in drafts, drafts and finished */
    bool is_superseded;             /* the batch has a later one of the same episode */
    char id[TCSI_EPISODE_ID_SIZE];
} kept_episode;

typedef struct kept_incident {
    uint64_t serial;
    size_t document;                /* in drafts; NOT_YET */
    tcsi_store_record record;       /* but for id and document */
    char id[TCSI_INCIDENT_ID_SIZE];
} kept_incident;

typedef struct kept_message {
    const tcsi_receiver *receiver;
    tcsi_alert alert;               /* its texts are in the arena */
    uint64_t sequence;
} kept_message;

typedef struct tcsi_kept {
    kept_kind kind;
    union {
        const tcsi_action *action;
        kept_episode episode;
        kept_incident incident;
        kept_message message;
    };
} kept;

/* ---- life ---- */

void tcsi_keep_batch_init(tcsi_keep_batch *batch)
{
    *batch = (tcsi_keep_batch){ .count = 0 };
    tcsi_buffer_init(&batch->drafts, DOCUMENTS_SIZE_MAX);
    tcsi_buffer_init(&batch->finished, DOCUMENTS_SIZE_MAX);
    tcsi_buffer_init(&batch->window, DOCUMENTS_SIZE_MAX);
    tcsi_arena_init(&batch->arena, DOCUMENTS_SIZE_MAX);
}

void tcsi_keep_batch_deinit(tcsi_keep_batch *batch)
{
    tcsi_buffer_deinit(&batch->drafts);
    tcsi_buffer_deinit(&batch->finished);
    tcsi_buffer_deinit(&batch->window);
    tcsi_arena_deinit(&batch->arena);
    tcsi_free(batch->items);
    tcsi_free(batch->latest);
    batch->items = NULL;
    batch->latest = NULL;
}

void tcsi_keep_batch_clear(tcsi_keep_batch *batch)
{
    tcsi_buffer_clear(&batch->drafts);
    tcsi_buffer_clear(&batch->finished);
    tcsi_arena_reset(&batch->arena);
    if (batch->count && batch->latest) memset(batch->latest, 0, batch->latest_size * sizeof *batch->latest);
    batch->count = batch->message_count = 0;
    batch->has_action = false;
    batch->mark = (tcsi_kept_mark){ 0 };
}

/* ---- one more ---- */

/* Room for one, which counts once it is filled; NULL: no memory. */
static kept *reserve(tcsi_keep_batch *batch, kept_kind kind, tcs_error *err)
{
    if (!tcsi_grow((void **)&batch->items, &batch->capacity, batch->count, sizeof *batch->items, 64)) {
        (void)tcsi_fail_memory(err, "what is to be kept");
        return NULL;
    }
    batch->items[batch->count].kind = kind;
    return &batch->items[batch->count];
}

static void note_record(tcsi_keep_batch *batch, tcsi_kept_mark record)
{
    batch->count++;
    batch->mark = record;
}

tcs_status tcsi_keep_batch_action(tcsi_keep_batch *batch, const tcsi_action *action, tcs_error *err)
{
    kept *item = reserve(batch, ACTION, err);
    if (!item) return TCS_E_MEMORY;
    item->action = action;
    batch->has_action = true;
    note_record(batch, (tcsi_kept_mark){ action->sequence, action->time_ns });
    return TCS_OK;
}

static bool is_same_episode(const tcsi_live_event *a, const tcsi_live_event *b)
{
    return a->number == b->number && a->kind == b->kind && a->episode.begin_ns == b->episode.begin_ns;
}

/* Where the last event of this episode is noted, or would be. */
static uint32_t *latest_of(tcsi_keep_batch *batch, const tcsi_live_event *event)
{
    const uint64_t hash = (event->number * UINT64_C(8) + event->kind + (uint64_t)event->episode.begin_ns) * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(hash >> 32) & (batch->latest_size - 1);
    while (batch->latest[at] && !is_same_episode(batch->items[batch->latest[at] - 1].episode.event, event))
        at = (at + 1) & (batch->latest_size - 1);
    return &batch->latest[at];
}

/* Half of it at most is in use. */
static tcs_status reserve_latest(tcsi_keep_batch *batch, tcs_error *err)
{
    if (2 * (batch->count + 1) <= batch->latest_size) return TCS_OK;
    const size_t size = batch->latest_size ? 2 * batch->latest_size : 256;
    uint32_t *latest = tcsi_realloc_array(batch->latest, size, sizeof *latest);
    if (!latest) return tcsi_fail_memory(err, "what is to be kept");
    memset(latest, 0, size * sizeof *latest);
    batch->latest = latest;
    batch->latest_size = size;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].kind == EPISODE) *latest_of(batch, batch->items[i].episode.event) = (uint32_t)(i + 1);
    return TCS_OK;
}

static void supersede(tcsi_keep_batch *batch, const tcsi_live_event *event)
{
    uint32_t *latest = latest_of(batch, event);
    if (*latest) batch->items[*latest - 1].episode.is_superseded = true;
    *latest = (uint32_t)(batch->count + 1);
}

tcs_status tcsi_keep_batch_episode(tcsi_keep_batch *batch, const tcsi_live_event *event, const tcsi_keep_episode_words *words,
                                   tcs_error *err)
{
    const size_t before = batch->drafts.size;
    kept *item = reserve(batch, EPISODE, err);
    if (!item || reserve_latest(batch, err) != TCS_OK) return TCS_E_MEMORY;
    item->episode = (kept_episode){ .event = event, .series = before, .document = NOT_YET };
    snprintf(item->episode.id, sizeof item->episode.id, "%s", words->id);
    tcs_status status = tcsi_buffer_append(&batch->drafts, words->series, strlen(words->series) + 1, err);
    item->episode.draft = batch->drafts.size;
    if (status == TCS_OK) status = tcsi_keep_episode_write(event, words, &batch->drafts, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&batch->drafts, "", 1, err);
    if (status != TCS_OK) {
        batch->drafts.size = before;
        return status;
    }
    supersede(batch, event);
    note_record(batch, (tcsi_kept_mark){ event->sequence, event->received_ns });
    return TCS_OK;
}

tcs_status tcsi_keep_batch_message(tcsi_keep_batch *batch, const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_kept_mark record,
                                   tcs_error *err)
{
    tcsi_buffer text;
    tcsi_json_writer writer;
    kept *item = reserve(batch, MESSAGE, err);
    if (!item) return TCS_E_MEMORY;
    tcsi_buffer_init(&text, TCSI_ALERT_SIZE_MAX); /* written and read again: a copy whose texts are ours */
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_alert_write(alert, &writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    item->message = (kept_message){ .receiver = receiver, .sequence = record.sequence };
    if (status == TCS_OK) status = tcsi_alert_read(text.data, text.size, &batch->arena, &item->message.alert, err);
    tcsi_buffer_deinit(&text);
    if (status != TCS_OK) return status;
    note_record(batch, record);
    batch->message_count++;
    return TCS_OK;
}

/* ---- incidents ---- */

static tcs_status write_incident(tcsi_keep_batch *batch, const tcsi_incidents *incidents, const tcsi_incident *incident,
                                 const tcsi_directory *directory, kept_incident *kept_one, tcs_error *err)
{
    const size_t before = batch->drafts.size;
    tcs_status status = tcsi_keep_incident_write(incidents, incident, directory, &batch->drafts, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&batch->drafts, "", 1, err);
    if (status != TCS_OK) {
        batch->drafts.size = before;
        return status;
    }
    memcpy(kept_one->id, incident->id, sizeof kept_one->id);
    kept_one->record = (tcsi_store_record){ .kind = TCSI_STORE_INCIDENT, .state = incident->state, .begin_ns = incident->begin_ns,
                                            .end_ns = incident->end_ns ? incident->end_ns : INT64_MAX,
                                            .updated_ns = incident->updated_ns };
    kept_one->document = before;
    return TCS_OK;
}

/* One that has ended is gone after this record; one that lasts may change again in the next one. */
static tcs_status add_incident(tcsi_keep_batch *batch, tcsi_incidents *incidents, tcsi_incident *incident, const tcsi_directory *directory,
                               tcs_error *err)
{
    const bool lasts = incident->open_count > 0;
    if (lasts && incident->is_awaited) return TCS_OK;
    kept *item = reserve(batch, INCIDENT, err);
    if (!item) return TCS_E_MEMORY;
    item->incident = (kept_incident){ .serial = incident->serial, .document = NOT_YET };
    const tcs_status status = lasts ? TCS_OK : write_incident(batch, incidents, incident, directory, &item->incident, err);
    if (status != TCS_OK) return status;
    incident->is_awaited = lasts;
    batch->count++;
    return TCS_OK;
}

tcs_status tcsi_keep_batch_incidents(tcsi_keep_batch *batch, tcsi_incidents *incidents, const tcsi_directory *directory, tcs_error *err)
{
    const size_t before = batch->count;
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < incidents->changed_count; i++)
        status = add_incident(batch, incidents, incidents->changed[i], directory, err);
    if (status == TCS_OK) return status;
    for (size_t i = before; i < batch->count; i++) {
        tcsi_incident *incident = tcsi_incidents_find(incidents, batch->items[i].incident.serial);
        if (batch->items[i].incident.document == NOT_YET && incident) incident->is_awaited = false;
    }
    batch->count = before; /* documents of others stay where nobody looks */
    return status;
}

tcs_status tcsi_keep_batch_settle(tcsi_keep_batch *batch, tcsi_incidents *incidents, const tcsi_directory *directory, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < batch->count; i++) {
        kept *item = &batch->items[i];
        if (item->kind != INCIDENT || item->incident.document != NOT_YET) continue;
        tcsi_incident *incident = tcsi_incidents_find(incidents, item->incident.serial);
        if (!incident || !incident->is_awaited) continue; /* it has ended since, and stands behind */
        status = write_incident(batch, incidents, incident, directory, &item->incident, err);
        if (status == TCS_OK) incident->is_awaited = false;
    }
    return status;
}

/* ---- into the store ---- */

/* store NULL: nobody acknowledged anything. */
static tcs_status finish_episode(tcsi_keep_batch *batch, kept_episode *e, tcsi_store *store, tcs_error *err)
{
    const size_t before = batch->finished.size;
    tcs_status status = tcsi_desk_add_acknowledgement(store, e->id, batch->drafts.data + e->draft, &batch->finished, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&batch->finished, "", 1, err);
    if (status == TCS_OK) e->document = before;
    else batch->finished.size = before;
    return status;
}

/* What a batch is put into. */
typedef struct place {
    tcsi_store *store, *acknowledged; /* the second NULL: nobody acknowledged anything */
    const tcsi_directory *directory;
} place;

/* What an answer to the episode will teach of. */
static tcs_status put_window(tcsi_keep_batch *batch, const tcsi_live_event *event, tcsi_store_record record, tcsi_store *store,
                             tcs_error *err)
{
    tcsi_json_writer writer;
    tcsi_buffer_clear(&batch->window);
    tcsi_json_writer_init(&writer, &batch->window, false);
    const tcs_status status = tcsi_deep_window_write(event->window, &writer, err);
    record.kind = TCSI_STORE_WINDOW;
    record.end_ns = record.begin_ns;
    record.document = batch->window.data;
    return status == TCS_OK ? tcsi_store_record_put(store, &record, err) : status;
}

static tcs_status put_episode(tcsi_keep_batch *batch, kept_episode *e, const place *to, tcs_error *err)
{
    const tcsi_live_event *event = e->event;
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(to->directory, event->number);
    const tcsi_store_series series = { .tags = entry->key, .tags_size = entry->key_size, .text = batch->drafts.data + e->series,
                                       .first_seen_ns = entry->first_seen_ns };
    int64_t series_id;
    tcs_status status = finish_episode(batch, e, to->acknowledged, err);
    if (e->is_superseded && !event->has_window) return status;
    if (status == TCS_OK) status = tcsi_store_series_put(to->store, &series, &series_id, err);
    if (status != TCS_OK) return status;
    const tcsi_store_record record = { .kind = TCSI_STORE_EPISODE, .id = e->id, .series_id = series_id, .state = event->state,
                                       .begin_ns = event->episode.begin_ns,
                                       .end_ns = tcsi_words_is_over(event) ? event->time_ns : INT64_MAX,
                                       .updated_ns = event->time_ns, .document = batch->finished.data + e->document };
    if (!e->is_superseded) status = tcsi_store_record_put(to->store, &record, err);
    return status == TCS_OK && event->has_window ? put_window(batch, event, record, to->store, err) : status;
}

static tcs_status put_item(tcsi_keep_batch *batch, kept *item, const place *to, tcs_error *err)
{
    const tcsi_outbox outbox = tcsi_outbox_of_store(to->store);
    tcsi_store_record record;
    switch (item->kind) {
    case ACTION: return tcsi_keep_action(to->store, item->action, err);
    case EPISODE: return put_episode(batch, &item->episode, to, err);
    case MESSAGE:
        return tcsi_deliver_put(&outbox, item->message.receiver, &item->message.alert, (int64_t)item->message.sequence,
                                tcsi_clock_wall_ns(), err);
    default:
        if (item->incident.document == NOT_YET) return TCS_OK;
        record = item->incident.record;
        record.id = item->incident.id;
        record.document = batch->drafts.data + item->incident.document;
        return tcsi_store_record_put(to->store, &record, err);
    }
}

static tcs_status put_mark(tcsi_store *store, tcsi_kept_mark mark, tcsi_fingerprint whose, tcs_error *err)
{
    char text[MARK_SIZE];
    snprintf(text, sizeof text, "%" PRIu64 " %" PRId64 " %016" PRIx64 "%016" PRIx64, mark.sequence, mark.time_ns, whose.high, whose.low);
    return tcsi_store_setting_set(store, mark_name, text, err);
}

tcs_status tcsi_keep_batch_put(tcsi_keep_batch *batch, tcsi_store *store, const tcsi_directory *directory, tcsi_fingerprint whose,
                               tcs_error *err)
{
    place to = { store, store, directory };
    bool is_any = true;
    tcs_status status = tcsi_store_begin(store, err);
    tcsi_buffer_clear(&batch->finished);
    if (status == TCS_OK && !batch->has_action) status = tcsi_desk_has_acknowledgements(store, &is_any, err);
    if (!is_any) to.acknowledged = NULL;
    for (size_t i = 0; status == TCS_OK && i < batch->count; i++) status = put_item(batch, &batch->items[i], &to, err);
    if (status == TCS_OK && batch->mark.sequence) status = put_mark(store, batch->mark, whose, err);
    if (status == TCS_OK) return tcsi_store_commit(store, err);
    tcsi_store_rollback(store);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].kind == EPISODE) batch->items[i].episode.document = NOT_YET;
    return status;
}

tcs_status tcsi_kept_mark_read(tcsi_store *store, tcsi_fingerprint whose, tcsi_kept_mark *ret_mark, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_kept_mark mark;
    tcsi_fingerprint found;
    bool is_found = false;
    *ret_mark = (tcsi_kept_mark){ 0 };
    tcsi_buffer_init(&text, MARK_SIZE);
    const tcs_status status = tcsi_store_setting_get(store, mark_name, &text, &is_found, err);
    if (status == TCS_OK && is_found &&
        sscanf(text.data, "%" SCNu64 " %" SCNd64 " %16" SCNx64 "%16" SCNx64, &mark.sequence, &mark.time_ns, &found.high, &found.low) == 4 &&
        tcsi_fingerprint_equal(found, whose)) *ret_mark = mark;
    tcsi_buffer_deinit(&text);
    return status;
}

/* ---- to who listens ---- */

typedef struct audience {
    tcsi_store *store;
    tcsi_events *events;
    void (*step)(void *step_self, const tcsi_live_event *event, const char *document);
    void *step_self;
} audience;

static void publish_episode(tcsi_keep_batch *batch, kept_episode *e, const audience *to)
{
    tcs_error failure;
    tcs_status status = e->document == NOT_YET ? finish_episode(batch, e, to->store, &failure) : TCS_OK; /* another process keeps it */
    const char *document = batch->finished.data + (status == TCS_OK ? e->document : 0);
    if (status == TCS_OK && to->events) status = tcsi_events_publish(to->events, "episode", document, &failure);
    if (status != TCS_OK) tcsi_log(TCSI_LOG_WARNING, "SERVE-EVENT-LOST", "listeners were not told of %s: %s", e->id, failure.text);
    else if (to->step) to->step(to->step_self, e->event, document);
}

static void publish_action(const tcsi_action *action, const audience *to)
{
    tcsi_desk_publish(to->store, to->events, action);
    tcsi_publish_answers(to->events, action, 1);
}

static void publish_incident(const tcsi_keep_batch *batch, const kept_incident *incident, const audience *to)
{
    tcs_error failure;
    if (incident->document == NOT_YET) return;
    if (tcsi_events_publish(to->events, "incident", batch->drafts.data + incident->document, &failure) != TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-EVENT-LOST", "listeners were not told of incident %s: %s", incident->id, failure.text);
}

void tcsi_keep_batch_publish(tcsi_keep_batch *batch, tcsi_store *store, tcsi_events *events,
                             void (*step)(void *step_self, const tcsi_live_event *event, const char *document), void *step_self)
{
    const audience to = { store, events, step, step_self };
    if (!events && !step) return;
    for (size_t i = 0; i < batch->count; i++) {
        kept *item = &batch->items[i];
        if (item->kind == EPISODE) publish_episode(batch, &item->episode, &to);
        else if (item->kind == ACTION && events) publish_action(item->action, &to);
        else if (item->kind == INCIDENT && events) publish_incident(batch, &item->incident, &to);
    }
}
