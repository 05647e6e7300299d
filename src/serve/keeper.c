/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/keeper.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "serve/deep/labelled_set.h"
#include "serve/deliver/notify.h"
#include "serve/deliver/outbox_store.h"
#include "serve/desk.h"
#include "serve/keep_action.h"
#include "serve/keep_answer.h"
#include "serve/keep_incident.h"
#include "serve/why/grounds_json.h"
#include "serve/words.h"
#include "series/time.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SNAPSHOT_COUNT = 3, DOCUMENT_SIZE_MAX = 1 << 16 };
static const int64_t RETRY_NS = INT64_C(200000000);
static const double BAND_DEVIATIONS = 3;

/* An event while it is told. */
typedef struct telling {
    uint64_t serial; /* of its incident */
    size_t document; /* where its document begins in the keeper's documents, once it is kept */
} telling;

/* A message for a receiver, until it is in the outbox. */
typedef struct pending {
    const tcsi_receiver *receiver;
    tcsi_alert alert; /* its texts are in the keeper's arena */
} pending;

struct tcsi_keeper {
    tcsi_keeper_options options;
    const tcsi_directory *directory;
    tcsi_journal *journal;
    tcsi_deliver *deliver;
    tcsi_standby *standby;
    tcsi_notify *notify;   /* NULL: nobody is told */
    tcsi_desk desk;        /* what people decided about telling */
    tcsi_outbox outbox;    /* in the store */
    pending *pending;
    size_t pending_count, pending_capacity;
    tcsi_arena arena;      /* of pending */
    tcsi_incidents incidents;
    telling *told;         /* (told_capacity) of each event that is being told */
    size_t told_capacity;
    tcsi_buffer documents; /* of these, as they were kept, each with its 0; empty: another process keeps them */
    tcsi_buffer saved;     /* notify's state, and that of incidents */
    tcsi_buffer name, document;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t stopping;
    bool is_stopping, has_failed;
    tcs_error failure;
    uint64_t counts[TCSI_LIVE_KIND_COUNT][TCSI_LIVE_STATE_COUNT];
    uint64_t snapshot_count;
    uint64_t kept; /* everything up to this record is in the store */
};

/* ---- life ---- */

static tcs_status keep_message(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcs_error *err);

tcs_status tcsi_keeper_create(const tcsi_keeper_options *options, tcsi_keeper **ret_keeper, tcs_error *err)
{
    tcsi_keeper *keeper = TCSI_NEW(tcsi_keeper);
    if (!keeper) return tcsi_fail_memory(err, "the keeper of episodes");
    keeper->options = *options;
    if (!keeper->options.snapshot_count) keeper->options.snapshot_count = SNAPSHOT_COUNT;
    if (keeper->options.retry_ns <= 0 || keeper->options.retry_ns >= INT64_C(1000000000)) keeper->options.retry_ns = RETRY_NS;
    tcsi_buffer_init(&keeper->name, DOCUMENT_SIZE_MAX);
    tcsi_buffer_init(&keeper->document, DOCUMENT_SIZE_MAX);
    tcsi_buffer_init(&keeper->documents, (size_t)1 << 30);
    tcsi_buffer_init(&keeper->saved, (size_t)1 << 30);
    tcsi_arena_init(&keeper->arena, (size_t)1 << 30);
    keeper->outbox = tcsi_outbox_of_store(options->store);
    tcsi_desk_init(&keeper->desk);
    pthread_mutex_init(&keeper->mutex, NULL);
    pthread_cond_init(&keeper->stopping, NULL);
    const tcsi_coincidence_options coincidence = tcsi_coincidence_options_default(options->alarms_per_s);
    tcsi_incidents_init(&keeper->incidents, &coincidence);
    tcs_status status = TCS_OK;
    if (options->settings) {
        const tcsi_notify_options notify = { .receivers = options->settings->receivers, .receiver_count = options->settings->receiver_count,
                                             .escalate_after_ns = options->settings->escalate_after_ns,
                                             .tells_incidents = !options->settings->tells_episodes, .put = keep_message,
                                             .context = keeper };
        status = tcsi_notify_create(&notify, &keeper->notify, err);
        if (status == TCS_OK) tcsi_notify_silences(keeper->notify, options->settings->silences, options->settings->silence_count);
        if (status == TCS_OK) tcsi_notify_set(keeper->notify, &keeper->desk.silences);
    }
    if (status == TCS_OK) *ret_keeper = keeper;
    else tcsi_keeper_destroy(keeper);
    return status;
}

void tcsi_keeper_destroy(tcsi_keeper *keeper)
{
    if (!keeper) return;
    tcsi_buffer_deinit(&keeper->name);
    tcsi_buffer_deinit(&keeper->document);
    tcsi_buffer_deinit(&keeper->documents);
    tcsi_buffer_deinit(&keeper->saved);
    tcsi_arena_deinit(&keeper->arena);
    tcsi_incidents_deinit(&keeper->incidents);
    tcsi_free(keeper->told);
    tcsi_notify_destroy(keeper->notify);
    tcsi_desk_deinit(&keeper->desk);
    tcsi_free(keeper->pending);
    pthread_cond_destroy(&keeper->stopping);
    pthread_mutex_destroy(&keeper->mutex);
    tcsi_free(keeper);
}

void tcsi_keeper_set_directory(tcsi_keeper *keeper, const tcsi_directory *directory) { keeper->directory = directory; }
void tcsi_keeper_set_journal(tcsi_keeper *keeper, tcsi_journal *journal) { keeper->journal = journal; }
void tcsi_keeper_set_standby(tcsi_keeper *keeper, tcsi_standby *standby) { keeper->standby = standby; }
void tcsi_keeper_set_deliver(tcsi_keeper *keeper, tcsi_deliver *deliver) { keeper->deliver = deliver; }

void tcsi_keeper_stop(tcsi_keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    keeper->is_stopping = true;
    pthread_cond_broadcast(&keeper->stopping);
    pthread_mutex_unlock(&keeper->mutex);
}

bool tcsi_keeper_is_fine(tcsi_keeper *keeper, char ret_reason[TCSI_KEEPER_REASON_SIZE])
{
    pthread_mutex_lock(&keeper->mutex);
    const bool is_fine = !keeper->has_failed;
    if (!is_fine) snprintf(ret_reason, TCSI_KEEPER_REASON_SIZE, "%s", keeper->failure.text);
    pthread_mutex_unlock(&keeper->mutex);
    return is_fine;
}

uint64_t tcsi_keeper_count(tcsi_keeper *keeper, tcsi_live_kind kind, tcsi_live_state state)
{
    pthread_mutex_lock(&keeper->mutex);
    const uint64_t count = keeper->counts[kind][state];
    pthread_mutex_unlock(&keeper->mutex);
    return count;
}

uint64_t tcsi_keeper_kept(tcsi_keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    const uint64_t kept = keeper->kept;
    pthread_mutex_unlock(&keeper->mutex);
    return kept;
}

uint64_t tcsi_keeper_snapshot_count(tcsi_keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    const uint64_t count = keeper->snapshot_count;
    pthread_mutex_unlock(&keeper->mutex);
    return count;
}

/* Waits a little; false: the service ends. */
static bool wait_a_little(tcsi_keeper *keeper)
{
    struct timespec until;
    pthread_mutex_lock(&keeper->mutex);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)keeper->options.retry_ns; /* less than a second */
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (!keeper->is_stopping) pthread_cond_timedwait(&keeper->stopping, &keeper->mutex, &until);
    const bool goes_on = !keeper->is_stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return goes_on;
}

/* The store failed: remembers why, and waits. */
static bool wait_after(tcsi_keeper *keeper, const tcs_error *failure)
{
    pthread_mutex_lock(&keeper->mutex);
    if (!keeper->has_failed) tcsi_log(TCSI_LOG_ERROR, "SERVE-STORE-FAILED", "the store fails, and rows wait: %s", failure->text);
    keeper->has_failed = true;
    keeper->failure = *failure;
    pthread_mutex_unlock(&keeper->mutex);
    return wait_a_little(keeper);
}

static void note_success(tcsi_keeper *keeper)
{
    pthread_mutex_lock(&keeper->mutex);
    if (keeper->has_failed) tcsi_log(TCSI_LOG_INFO, "SERVE-STORE-WORKS", "the store works again");
    keeper->has_failed = false;
    pthread_mutex_unlock(&keeper->mutex);
}

/* ---- an event in words ---- */

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

static bool is_suppressed(const tcsi_live_event *event)
{
    return (event->suppressed_by.low | event->suppressed_by.high) != 0;
}

/* By whose answer it is quiet, and what an answer to it would speak of. */
static void write_answered(const tcsi_live_event *event, tcsi_json_writer *writer)
{
    char id[TCSI_ANSWER_ID_SIZE] = "";
    if (is_suppressed(event)) tcsi_answer_id_write(event->suppressed_by, id);
    tcsi_json_put_string(writer, "suppressed_by", id);
    tcsi_json_key(writer, "pattern");
    tcsi_pattern_write(&event->pattern, writer);
}

/* serial: of its incident. */
static tcs_status write_document(tcsi_keeper *keeper, const tcsi_live_event *event, uint64_t serial, const char *id, tcs_error *err)
{
    const tcsi_incident *incident = tcsi_incidents_get(&keeper->incidents, serial);
    const tcsi_live_episode *episode = &event->episode;
    char sentence[TCSI_SENTENCE_SIZE];
    tcsi_json_writer writer;
    tcsi_buffer_clear(&keeper->document);
    tcsi_json_writer_init(&writer, &keeper->document, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "id", id);
    tcsi_json_put_string(&writer, "kind", tcsi_live_kind_names[event->kind]);
    tcsi_json_put_string(&writer, "state", tcsi_live_state_names[event->state]);
    tcsi_json_put_string(&writer, "series", keeper->name.data);
    tcsi_json_put_integer(&writer, "number", event->number);
    put_time(&writer, "begin", episode->begin_ns);
    put_time(&writer, "updated", event->time_ns);
    if (tcsi_words_is_over(event)) put_time(&writer, "end", event->time_ns);
    tcsi_json_put_number(&writer, "severity", event->severity);
    tcsi_json_put_string(&writer, "incident", incident ? incident->id : "");
    if (event->kind == TCSI_LIVE_ANOMALY) {
        put_time(&writer, "peak", episode->peak_ns);
        tcsi_json_put_number(&writer, "p_value", event->p_value);
        tcsi_json_put_number(&writer, "value", episode->peak_value);
        tcsi_json_put_number(&writer, "expected", episode->expected);
        tcsi_json_put_number(&writer, "deviation", episode->deviation);
        tcsi_json_put_string(&writer, "verdict", tcsi_verdict_names[episode->verdict]);
        tcsi_json_put_number(&writer, "deep_p_value", (double)episode->deep_p_value);
    }
    if (event->kind == TCSI_LIVE_LATE || event->kind == TCSI_LIVE_CADENCE) {
        const bool is_late = event->kind == TCSI_LIVE_LATE;
        tcsi_json_put_number(&writer, is_late ? "lag_seconds" : "step_seconds", episode->peak_value);
        tcsi_json_put_number(&writer, is_late ? "usual_lag_seconds" : "usual_step_seconds", episode->expected);
    }
    write_answered(event, &writer);
    tcsi_json_put_integer(&writer, "sequence", (int64_t)event->sequence);
    tcsi_words_event(keeper->name.data, event, sentence);
    tcsi_json_put_string(&writer, "summary", sentence);
    if (event->grounds.sequence) {
        tcsi_json_key(&writer, "grounds");
        tcsi_grounds_write(&event->grounds, &writer);
    }
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

/* ---- messages to receivers ---- */

/* From within notify: what is to be said is remembered, and goes into the outbox with everything else of this call. */
static tcs_status keep_message(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcs_error *err)
{
    tcsi_keeper *keeper = context;
    tcsi_buffer text;
    tcsi_json_writer writer;
    (void)now_ns;
    if (keeper->pending_count == keeper->pending_capacity) {
        const size_t capacity = keeper->pending_capacity ? 2 * keeper->pending_capacity : 16;
        pending *more = tcsi_realloc_array(keeper->pending, capacity, sizeof *more);
        if (!more) return tcsi_fail_memory(err, "alerts");
        keeper->pending = more;
        keeper->pending_capacity = capacity;
    }
    tcsi_buffer_init(&text, TCSI_ALERT_SIZE_MAX); /* written and read again: a copy whose texts are ours */
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_alert_write(alert, &writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    pending *added = &keeper->pending[keeper->pending_count];
    added->receiver = receiver;
    if (status == TCS_OK) status = tcsi_alert_read(text.data, text.size, &keeper->arena, &added->alert, err);
    if (status == TCS_OK) keeper->pending_count++;
    tcsi_buffer_deinit(&text);
    return status;
}

/* The name of an event's series, as text too. */
static tcs_status name_of(tcsi_keeper *keeper, const tcsi_live_event *event, tcsi_key *ret_key, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(keeper->directory, event->number);
    const tcs_status status = tcsi_key_decode(entry->key, entry->key_size, ret_key, err);
    tcsi_buffer_clear(&keeper->name);
    return status == TCS_OK ? tcsi_key_print(ret_key, &keeper->name, err) : status;
}

static tcs_status notify_of(tcsi_keeper *keeper, const tcsi_live_event *event, uint64_t serial, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(keeper->directory, event->number);
    const tcsi_live_episode *episode = &event->episode;
    const bool is_anomaly = event->kind == TCSI_LIVE_ANOMALY;
    const double reach = BAND_DEVIATIONS * episode->deviation;
    char trace[TCSI_TRACEPARENT_SIZE + 1] = "";
    tcsi_alert_tag tags[TCSI_ALERT_TAG_COUNT_MAX];
    char id[TCSI_EPISODE_ID_SIZE];
    tcsi_keep_incident_words words;
    tcsi_key key;
    tcs_status status = name_of(keeper, event, &key, err);
    if (status != TCS_OK) return status;
    tcsi_words_episode_id(entry, (tcsi_live_kind)event->kind, episode->begin_ns, id);
    tcsi_words_event(keeper->name.data, event, words.summary);
    tcsi_keep_incident_describe(&keeper->incidents, keeper->directory, serial, &words);
    if (!*words.description) tcsi_words_advice(event, words.description, sizeof words.description);
    if (keeper->options.traces) tcsi_traces_find(keeper->options.traces, event->sequence, trace);
    const size_t tag_count = tcsi_words_alert_tags(&key, (tcsi_live_kind)event->kind, &keeper->arena, tags);
    const tcsi_alert alert = { .tags = tags, .tag_count = tag_count, .episode_id = id,
                               .incident_id = words.id, .state = (tcsi_alert_state)event->state, .starts_ns = episode->begin_ns,
                               .ends_ns = tcsi_words_is_over(event) ? event->time_ns : 0, .updated_ns = event->received_ns,
                               .severity = event->severity, .value = is_anomaly ? episode->peak_value : NAN,
                               .expected_lower = is_anomaly ? episode->expected - reach : NAN,
                               .expected_upper = is_anomaly ? episode->expected + reach : NAN, .summary = words.summary,
                               .description = words.description, .url = "", .trace = trace };
    return tcsi_notify_update(keeper->notify, &alert, event->received_ns, err);
}

/* What answers keep quiet is told to nobody, but its end to those who heard that it began; nor what is only the deep layer's verdict. */
static bool is_news(const tcsi_live_event *event)
{
    return !event->is_update && (!is_suppressed(event) || tcsi_words_is_over(event));
}

/* Incidents have changed: in what those read who heard of them. */
static tcs_status notify_of_incidents(tcsi_keeper *keeper, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < keeper->incidents.count; i++) {
        const tcsi_incident *incident = keeper->incidents.items[i], *now = tcsi_incidents_get(&keeper->incidents, incident->serial);
        tcsi_keep_incident_words words = { .summary = "" };
        if (!incident->is_changed || !now) continue;
        if (now != incident) tcsi_notify_merge(keeper->notify, incident->id, now->id);
        tcsi_keep_incident_describe(&keeper->incidents, keeper->directory, now->serial, &words);
        if (now->series_count > 1) status = tcsi_notify_describe(keeper->notify, now->id, words.summary, words.description, err);
    }
    return status;
}

static tcs_status group_event(tcsi_keeper *keeper, const tcsi_live_event *event, uint64_t *ret_serial, tcs_error *err)
{
    char sentence[TCSI_SENTENCE_SIZE];
    tcsi_key key;
    const tcs_status status = name_of(keeper, event, &key, err);
    if (status != TCS_OK) return status;
    tcsi_words_event(keeper->name.data, event, sentence);
    return tcsi_incidents_update(&keeper->incidents, keeper->directory, &key, event, sentence, ret_serial, err);
}

/* Room for so many events; false: the service ends, which had no memory for it. */
static bool make_room(tcsi_keeper *keeper, size_t count)
{
    tcs_error failure = { 0 };
    while (count > keeper->told_capacity) {
        telling *more = tcsi_realloc_array(keeper->told, count, sizeof *more);
        if (more) {
            keeper->told = more;
            keeper->told_capacity = count;
        } else if (tcsi_fail_memory(&failure, "incidents"), !wait_after(keeper, &failure)) return false;
    }
    return true;
}

static void act(tcsi_keeper *keeper, const tcsi_action *action)
{
    tcsi_keep_incidents_act(&keeper->incidents, action);
    tcsi_desk_act(&keeper->desk, keeper->notify, action);
}

/* Event by event, whatever comes with it: how many are told together must not show.  What is to be said, into `pending`.  What cannot be
 * said is logged: an episode is kept whether or not anybody hears of it. */
static void find_messages(tcsi_keeper *keeper, const tcsi_live_news *news)
{
    tcs_error failure;
    size_t acted = 0;
    keeper->pending_count = 0;
    tcsi_arena_reset(&keeper->arena);
    for (size_t i = 0; i < news->event_count; i++) {
        const tcsi_live_event *event = &news->events[i];
        for (; acted < news->action_count && news->actions[acted].sequence <= event->sequence; acted++)
            act(keeper, &news->actions[acted]);
        while (group_event(keeper, event, &keeper->told[i].serial, &failure) != TCS_OK)
            if (!wait_after(keeper, &failure)) return;
        if (!keeper->notify) continue;
        if (is_news(event) && notify_of(keeper, event, keeper->told[i].serial, &failure) != TCS_OK)
            tcsi_log(TCSI_LOG_WARNING, "SERVE-ALERT-LOST", "%s", failure.text);
        if (notify_of_incidents(keeper, &failure) != TCS_OK) tcsi_log(TCSI_LOG_WARNING, "SERVE-ALERT-LOST", "%s", failure.text);
    }
    for (; acted < news->action_count; acted++) act(keeper, &news->actions[acted]);
    if (!news->is_tick) return; /* time goes on in the journal's places */
    if (keeper->notify && tcsi_notify_tick(keeper->notify, news->time_ns, &failure) != TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-ALERT-LOST", "%s", failure.text);
    tcsi_desk_tick(&keeper->desk, news->time_ns);
}

/* ---- events ---- */

/* What an answer to the episode will teach of. */
static tcs_status put_window(tcsi_keeper *keeper, const tcsi_live_event *event, const tcsi_store_record *episode, tcs_error *err)
{
    tcsi_store_record record = *episode;
    tcsi_json_writer writer;
    tcsi_buffer_clear(&keeper->document);
    tcsi_json_writer_init(&writer, &keeper->document, false);
    const tcs_status status = tcsi_deep_window_write(event->window, &writer, err);
    record.kind = TCSI_STORE_WINDOW;
    record.end_ns = record.begin_ns;
    record.document = keeper->document.data;
    return status == TCS_OK ? tcsi_store_record_put(keeper->options.store, &record, err) : status;
}

static tcs_status put_event(tcsi_keeper *keeper, const tcsi_live_event *event, telling *one, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(keeper->directory, event->number);
    char id[TCSI_EPISODE_ID_SIZE];
    tcsi_key key;
    int64_t series_id;
    tcs_status status = name_of(keeper, event, &key, err);
    if (status != TCS_OK) return status;
    tcsi_words_episode_id(entry, (tcsi_live_kind)event->kind, event->episode.begin_ns, id);
    status = write_document(keeper, event, one->serial, id, err);
    if (status == TCS_OK) status = tcsi_desk_add_acknowledgement(keeper->options.store, id, &keeper->document, err);
    one->document = keeper->documents.size;
    if (status == TCS_OK) status = tcsi_buffer_append(&keeper->documents, keeper->document.data, keeper->document.size + 1, err);
    const tcsi_store_series series = { .tags = entry->key, .tags_size = entry->key_size, .text = keeper->name.data,
                                       .first_seen_ns = entry->first_seen_ns };
    if (status == TCS_OK) status = tcsi_store_series_put(keeper->options.store, &series, &series_id, err);
    if (status != TCS_OK) return status;
    const tcsi_store_record record = { .kind = TCSI_STORE_EPISODE, .id = id, .series_id = series_id, .state = event->state,
                                       .begin_ns = event->episode.begin_ns,
                                       .end_ns = tcsi_words_is_over(event) ? event->time_ns : INT64_MAX,
                                       .updated_ns = event->time_ns, .document = keeper->document.data };
    status = tcsi_store_record_put(keeper->options.store, &record, err);
    return status == TCS_OK && event->has_window ? put_window(keeper, event, &record, err) : status;
}

static tcs_status put_news(tcsi_keeper *keeper, const tcsi_live_news *news, tcs_error *err)
{
    tcs_status status = tcsi_store_begin(keeper->options.store, err);
    tcsi_buffer_clear(&keeper->documents);
    for (size_t i = 0; status == TCS_OK && i < news->action_count; i++)
        status = tcsi_keep_action(keeper->options.store, &news->actions[i], err);
    for (size_t i = 0; status == TCS_OK && i < news->event_count; i++)
        status = put_event(keeper, &news->events[i], &keeper->told[i], err);
    if (status == TCS_OK)
        status = tcsi_keep_incidents(keeper->options.store, &keeper->incidents, keeper->directory, &keeper->document, err);
    for (size_t i = 0; status == TCS_OK && i < keeper->pending_count; i++)
        status = tcsi_deliver_put(&keeper->outbox, keeper->pending[i].receiver, &keeper->pending[i].alert,
                                  (int64_t)news->sequence, tcsi_clock_wall_ns(), err);
    if (status == TCS_OK) return tcsi_store_commit(keeper->options.store, err);
    tcsi_store_rollback(keeper->options.store);
    tcsi_buffer_clear(&keeper->documents);
    return status;
}

/* The document of an event that another process keeps. */
static tcs_status write_for_listeners(tcsi_keeper *keeper, const tcsi_live_event *event, uint64_t serial, const char *id, tcs_error *err)
{
    tcsi_key key;
    tcs_status status = name_of(keeper, event, &key, err);
    if (status == TCS_OK) status = write_document(keeper, event, serial, id, err);
    if (status == TCS_OK) status = tcsi_desk_add_acknowledgement(keeper->options.store, id, &keeper->document, err);
    return status;
}

/* To those who listen, once it is kept. */
static void publish(tcsi_keeper *keeper, const tcsi_live_event *event, const telling *one)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(keeper->directory, event->number);
    char id[TCSI_EPISODE_ID_SIZE];
    tcs_error failure;
    tcs_status status = TCS_OK;
    tcsi_words_episode_id(entry, (tcsi_live_kind)event->kind, event->episode.begin_ns, id);
    const bool is_kept_here = keeper->documents.size > 0;
    if (!is_kept_here) status = write_for_listeners(keeper, event, one->serial, id, &failure);
    const char *document = is_kept_here ? keeper->documents.data + one->document : keeper->document.data;
    if (status == TCS_OK && keeper->options.events) status = tcsi_events_publish(keeper->options.events, "episode", document, &failure);
    if (status != TCS_OK) tcsi_log(TCSI_LOG_WARNING, "SERVE-EVENT-LOST", "listeners were not told of %s: %s", id, failure.text);
    else if (keeper->options.step) keeper->options.step(keeper->options.step_self, event, document);
}

static void note_kept(tcsi_keeper *keeper, uint64_t sequence)
{
    pthread_mutex_lock(&keeper->mutex);
    keeper->kept = sequence;
    pthread_mutex_unlock(&keeper->mutex);
}

/* By us, or by whoever leads; false: the service ends. */
static bool keep_news(tcsi_keeper *keeper, const tcsi_live_news *news)
{
    for (;;) {
        tcs_error failure = { 0 };
        tcsi_turn turn;
        tcs_status status = tcsi_standby_turn(keeper->standby, keeper->options.store, news->sequence, &turn, &failure);
        if (status == TCS_OK && turn == TCSI_TURN_OURS) status = put_news(keeper, news, &failure);
        if (status == TCS_OK) note_success(keeper);
        if (status == TCS_OK && turn != TCSI_TURN_WAIT) return true;
        if (!(status == TCS_OK ? wait_a_little(keeper) : wait_after(keeper, &failure))) return false;
    }
}

static void tell(tcsi_keeper *keeper, const tcsi_live_news *news)
{
    if (!make_room(keeper, news->event_count)) return;
    tcsi_buffer_clear(&keeper->documents);
    find_messages(keeper, news);
    const bool has_news = news->event_count || news->action_count || keeper->pending_count;
    if (has_news && !keep_news(keeper, news)) return;
    note_kept(keeper, news->sequence);
    if (!has_news) return;
    if (keeper->pending_count && keeper->deliver) tcsi_deliver_wake(keeper->deliver);
    for (size_t i = 0; keeper->options.events && i < news->action_count; i++)
        tcsi_desk_publish(keeper->options.store, keeper->options.events, &news->actions[i]);
    if (keeper->options.events) tcsi_publish_answers(keeper->options.events, news->actions, news->action_count);
    for (size_t i = 0; i < news->event_count; i++) {
        if (keeper->options.events || keeper->options.step) publish(keeper, &news->events[i], &keeper->told[i]);
        pthread_mutex_lock(&keeper->mutex);
        keeper->counts[news->events[i].kind][news->events[i].state] += !news->events[i].is_update;
        pthread_mutex_unlock(&keeper->mutex);
    }
    if (keeper->options.events)
        tcsi_keep_incidents_publish(keeper->options.events, &keeper->incidents, keeper->directory, &keeper->document);
}

void tcsi_keeper_tell(void *self, const tcsi_live_news *news)
{
    tcsi_keeper *keeper = self;
    tcs_error failure;
    tell(keeper, news);
    if (tcsi_incidents_settle(&keeper->incidents, keeper->directory, news->sequence, &failure) != TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-INCIDENTS-MEMORY", "%s", failure.text); /* they are counted with the next record */
}

/* ---- snapshots ---- */

static bool find_oldest(void *context, const tcsi_store_snapshot *snapshot)
{
    uint64_t *oldest = context;
    if (snapshot->is_sound && snapshot->position < *oldest) *oldest = snapshot->position;
    return true;
}

/* Live's parts, and one more: who was told what. */
static tcs_status put_snapshot(tcsi_keeper *keeper, const tcsi_live_snapshot *snapshot, tcs_error *err)
{
    int64_t number;
    uint64_t oldest = UINT64_MAX;
    tcsi_buffer_clear(&keeper->saved);
    tcsi_codec codec = tcsi_codec_save(&keeper->saved, err);
    tcsi_codec_tag(&codec, "KEE2");
    tcsi_incidents_persist(&keeper->incidents, keeper->directory, &codec);
    tcsi_desk_persist(&keeper->desk, &codec);
    if (keeper->notify) tcsi_notify_persist(keeper->notify, &codec);
    tcs_status status = tcsi_codec_status(&codec);
    if (status == TCS_OK && keeper->options.history) status = tcsi_chronicle_settle(keeper->options.history, err);
    if (status == TCS_OK)
        status = tcsi_store_snapshot_begin(keeper->options.store, TCSI_KEEPER_SNAPSHOT, snapshot->sequence, tcsi_clock_wall_ns(),
                                             &number, err);
    for (size_t i = 0; status == TCS_OK && i < snapshot->part_count; i++)
        status = tcsi_store_snapshot_part(keeper->options.store, TCSI_KEEPER_SNAPSHOT, number, i, snapshot->parts[i].data,
                                          snapshot->parts[i].size, err);
    if (status == TCS_OK)
        status = tcsi_store_snapshot_part(keeper->options.store, TCSI_KEEPER_SNAPSHOT, number, snapshot->part_count, keeper->saved.data,
                                          keeper->saved.size, err);
    if (status == TCS_OK)
        status = tcsi_store_snapshot_end(keeper->options.store, TCSI_KEEPER_SNAPSHOT, number, snapshot->part_count + 1,
                                         keeper->options.snapshot_count, err);
    if (status == TCS_OK && keeper->journal)
        status = tcsi_store_snapshot_list(keeper->options.store, TCSI_KEEPER_SNAPSHOT, find_oldest, &oldest, err);
    if (status == TCS_OK && keeper->journal && oldest != UINT64_MAX) status = tcsi_journal_forget(keeper->journal, oldest + 1, err);
    return status;
}

void tcsi_keeper_keep(void *self, const tcsi_live_snapshot *snapshot)
{
    tcsi_keeper *keeper = self;
    tcs_error failure = { 0 };
    tcsi_turn turn;
    tcs_status status = tcsi_standby_turn(keeper->standby, keeper->options.store, snapshot->sequence, &turn, &failure);
    if (status == TCS_OK && turn != TCSI_TURN_OURS) return;
    if (status == TCS_OK) status = put_snapshot(keeper, snapshot, &failure);
    if (status != TCS_OK) { /* the one before it serves, and the journal is read for longer */
        tcsi_log(TCSI_LOG_WARNING, "SERVE-SNAPSHOT-FAILED", "no snapshot of record %llu: %s", (unsigned long long)snapshot->sequence,
                 failure.text);
        return;
    }
    pthread_mutex_lock(&keeper->mutex);
    keeper->snapshot_count++;
    pthread_mutex_unlock(&keeper->mutex);
}

typedef struct loading {
    tcsi_buffer parts[2 + TCSI_CELL_COUNT];
    size_t count;
    tcs_status status;
    tcs_error err;
} loading;

static bool load_part(void *context, const void *bytes, size_t size)
{
    loading *l = context;
    if (l->count == TCS_COUNT(l->parts)) l->status = tcsi_fail(&l->err, TCS_E_FORMAT, "a snapshot of more than %zu parts", l->count);
    else l->status = tcsi_buffer_append(&l->parts[l->count++], bytes, size, &l->err);
    return l->status == TCS_OK;
}

/* The part that is the keeper's own. */
static tcs_status load_own(tcsi_keeper *keeper, const tcsi_buffer *part, tcs_error *err)
{
    tcsi_codec codec = tcsi_codec_load(part->data, part->size, err);
    tcsi_codec_tag(&codec, "KEE2");
    tcsi_incidents_persist(&keeper->incidents, keeper->directory, &codec);
    tcsi_desk_persist(&keeper->desk, &codec);
    if (keeper->notify && codec.in_size > 0) tcsi_notify_persist(keeper->notify, &codec);
    return tcsi_codec_status(&codec);
}

tcs_status tcsi_keeper_load_from(tcsi_keeper *keeper, tcsi_store *store, int64_t before, tcsi_live *live, uint64_t *ret_sequence,
                                 tcs_error *err)
{
    tcsi_store_snapshot snapshot;
    bool is_found;
    loading *l = TCSI_NEW(loading);
    if (!l) return tcsi_fail_memory(err, "a snapshot");
    for (size_t i = 0; i < TCS_COUNT(l->parts); i++) tcsi_buffer_init(&l->parts[i], (size_t)1 << 30);
    tcs_status status = tcsi_store_snapshot_load(store, TCSI_KEEPER_SNAPSHOT, before, load_part, l, &snapshot, &is_found, err);
    if (status == TCS_OK && l->status != TCS_OK) status = tcsi_fail(err, l->status, "%s", l->err.text);
    *ret_sequence = 0;
    if (status == TCS_OK && is_found) {
        status = tcsi_live_load(live, l->parts, l->count - 1, err);
        if (status == TCS_OK) status = load_own(keeper, &l->parts[l->count - 1], err);
        *ret_sequence = snapshot.position;
    } else if (status == TCS_OK) {
        status = tcsi_desk_load(&keeper->desk, keeper->options.store, tcsi_clock_wall_ns(), err);
    }
    for (size_t i = 0; i < TCS_COUNT(l->parts); i++) tcsi_buffer_deinit(&l->parts[i]);
    tcsi_free(l);
    return status;
}

tcs_status tcsi_keeper_load(tcsi_keeper *keeper, tcsi_live *live, uint64_t *ret_sequence, tcs_error *err)
{
    return tcsi_keeper_load_from(keeper, keeper->options.store, INT64_MAX, live, ret_sequence, err);
}
