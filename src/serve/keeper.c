/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/keeper.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/deliver/notify.h"
#include "serve/desk.h"
#include "serve/keep_batch.h"
#include "serve/keep_incident.h"
#include "serve/words.h"
#include "tocsin_config.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SNAPSHOT_COUNT = 3, BATCH_MAX = 4096 };
static const int64_t RETRY_NS = INT64_C(200000000);
static const double BAND_DEVIATIONS = 3;

/* An event of the record that is being told. */
typedef struct telling {
    uint64_t serial;          /* of its incident */
    size_t name, sentence;    /* of its series, and of it: in the keeper's texts */
} telling;

struct tcsi_keeper {
    tcsi_keeper_options options;
    const tcsi_directory *directory;
    tcsi_journal *journal;
    tcsi_deliver *deliver;
    tcsi_standby *standby;
    tcsi_notify *notify;   /* NULL: nobody is told */
    tcsi_desk desk;        /* what people decided about telling */
    tcsi_incidents incidents;
    telling *told;         /* (told_capacity) of each event that is being told */
    size_t told_capacity;
    tcsi_buffer texts;     /* of these */
    tcsi_buffer saved;     /* notify's state, and that of incidents */
    tcsi_arena arena;      /* of the record */
    tcsi_keep_batch batch; /* what is to be kept of the records told since it was last put */
    uint64_t told_last;    /* of these records */
    tcsi_fingerprint whose; /* what decides beside the journal: the settings, and this version */
    uint64_t skipped;      /* the store has what follows from records up to this one */
    tcsi_kept_mark record; /* that is being told */
    bool has_given_up;     /* something was not kept, so nothing behind it may be */
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

/* A store that was written under other settings, or by another version, says nothing of what this one would have kept. */
static tcsi_fingerprint whose_words(const tcsi_deliver_settings *settings)
{
    const tcsi_fingerprint none = { 0 };
    char text[sizeof TCSI_VERSION + sizeof none] = TCSI_VERSION;
    memcpy(text + sizeof TCSI_VERSION, settings ? &settings->fingerprint : &none, sizeof none);
    return tcsi_fingerprint_of(text, sizeof text, 0);
}

tcs_status tcsi_keeper_create(const tcsi_keeper_options *options, tcsi_keeper **ret_keeper, tcs_error *err)
{
    tcsi_keeper *keeper = TCSI_NEW(tcsi_keeper);
    if (!keeper) return tcsi_fail_memory(err, "the keeper of episodes");
    keeper->options = *options;
    if (!keeper->options.snapshot_count) keeper->options.snapshot_count = SNAPSHOT_COUNT;
    if (keeper->options.retry_ns <= 0 || keeper->options.retry_ns >= INT64_C(1000000000)) keeper->options.retry_ns = RETRY_NS;
    tcsi_buffer_init(&keeper->texts, (size_t)1 << 30);
    tcsi_buffer_init(&keeper->saved, (size_t)1 << 30);
    tcsi_arena_init(&keeper->arena, (size_t)1 << 30);
    tcsi_keep_batch_init(&keeper->batch);
    keeper->whose = whose_words(options->settings);
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
    tcsi_buffer_deinit(&keeper->texts);
    tcsi_buffer_deinit(&keeper->saved);
    tcsi_keep_batch_deinit(&keeper->batch);
    tcsi_arena_deinit(&keeper->arena);
    tcsi_incidents_deinit(&keeper->incidents);
    tcsi_free(keeper->told);
    tcsi_notify_destroy(keeper->notify);
    tcsi_desk_deinit(&keeper->desk);
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

/* ---- messages to receivers ---- */

/* The store has what follows from this record. */
static bool is_kept(const tcsi_keeper *keeper)
{
    return keeper->record.sequence <= keeper->skipped;
}

/* From within notify: goes into the outbox with everything else of this record. */
static tcs_status keep_message(void *context, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcs_error *err)
{
    tcsi_keeper *keeper = context;
    (void)now_ns;
    return is_kept(keeper) ? TCS_OK : tcsi_keep_batch_message(&keeper->batch, receiver, alert, keeper->record, err);
}

static const char *text_at(const tcsi_keeper *keeper, size_t at)
{
    return keeper->texts.data + at;
}

/* The name of an event's series, and what happened, into texts. */
static tcs_status put_words(tcsi_keeper *keeper, const tcsi_live_event *event, tcsi_key *ret_key, telling *one, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(keeper->directory, event->number);
    char sentence[TCSI_SENTENCE_SIZE];
    tcs_status status = tcsi_key_decode(entry->key, entry->key_size, ret_key, err);
    one->name = keeper->texts.size;
    if (status == TCS_OK) status = tcsi_key_print(ret_key, &keeper->texts, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&keeper->texts, "", 1, err);
    if (status != TCS_OK) return status;
    tcsi_words_event(text_at(keeper, one->name), event, sentence);
    one->sentence = keeper->texts.size;
    return tcsi_buffer_append(&keeper->texts, sentence, strlen(sentence) + 1, err);
}

static tcs_status notify_of(tcsi_keeper *keeper, const tcsi_live_event *event, const tcsi_key *key, const telling *one, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(keeper->directory, event->number);
    const tcsi_live_episode *episode = &event->episode;
    const bool is_anomaly = event->kind == TCSI_LIVE_ANOMALY, is_limit = event->kind == TCSI_LIVE_LIMIT;
    const bool has_lower = is_anomaly || (is_limit && episode->peak_value < episode->expected);
    const bool has_upper = is_anomaly || (is_limit && episode->peak_value > episode->expected);
    const double reach = BAND_DEVIATIONS * episode->deviation;
    char trace[TCSI_TRACEPARENT_SIZE + 1] = "";
    tcsi_alert_tag tags[TCSI_ALERT_TAG_COUNT_MAX];
    char id[TCSI_EPISODE_ID_SIZE];
    tcsi_keep_incident_words words;
    tcsi_words_episode_id(entry, (tcsi_live_kind)event->kind, episode->begin_ns, id);
    snprintf(words.summary, sizeof words.summary, "%s", text_at(keeper, one->sentence));
    tcsi_keep_incident_describe(&keeper->incidents, keeper->directory, one->serial, &words);
    if (!*words.description) tcsi_words_advice(event, words.description, sizeof words.description);
    if (keeper->options.traces) tcsi_traces_find(keeper->options.traces, event->rows_sequence, trace);
    const size_t tag_count = tcsi_words_alert_tags(key, (tcsi_live_kind)event->kind, &keeper->arena, tags);
    const tcsi_alert alert = { .tags = tags, .tag_count = tag_count, .episode_id = id,
                               .incident_id = words.id, .state = (tcsi_alert_state)event->state, .starts_ns = episode->begin_ns,
                               .ends_ns = tcsi_words_is_over(event) ? event->time_ns : 0, .updated_ns = event->received_ns,
                               .severity = event->severity, .value = has_lower || has_upper ? episode->peak_value : NAN,
                               .expected_lower = has_lower ? episode->expected - reach : NAN,
                               .expected_upper = has_upper ? episode->expected + reach : NAN, .summary = words.summary,
                               .description = words.description, .url = "", .trace = trace };
    return tcsi_notify_update(keeper->notify, &alert, event->received_ns, err);
}

/* What answers keep quiet is told to nobody, but its end to those who heard that it began; nor what is only the deep layer's verdict. */
static bool is_news(const tcsi_live_event *event)
{
    return !event->is_update && (!tcsi_keep_episode_is_suppressed(event) || tcsi_words_is_over(event));
}

/* Incidents have changed: in what those read who heard of them. */
static tcs_status notify_of_incidents(tcsi_keeper *keeper, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < keeper->incidents.changed_count; i++) {
        const tcsi_incident *incident = keeper->incidents.changed[i], *now = tcsi_incidents_get(&keeper->incidents, incident->serial);
        tcsi_keep_incident_words words = { .summary = "" };
        if (!now) continue;
        if (now != incident) tcsi_notify_merge(keeper->notify, incident->id, now->id);
        tcsi_keep_incident_describe(&keeper->incidents, keeper->directory, now->serial, &words);
        if (now->series_count > 1) status = tcsi_notify_describe(keeper->notify, now->id, words.summary, words.description, err);
    }
    return status;
}

/* Which incident an event belongs to. */
static tcs_status group_event(tcsi_keeper *keeper, const tcsi_live_event *event, tcsi_key *ret_key, telling *one, tcs_error *err)
{
    const tcs_status status = put_words(keeper, event, ret_key, one, err);
    if (status != TCS_OK) return status;
    return tcsi_incidents_update(&keeper->incidents, keeper->directory, ret_key, event, text_at(keeper, one->sentence), &one->serial, err);
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

/* Event by event, whatever comes with it: how many are told together must not show.  What is to be said goes into the batch.  What cannot
 * be said is logged: an episode is kept whether or not anybody hears of it.  false: the service ends, which had no memory for it. */
static bool find_messages(tcsi_keeper *keeper, const tcsi_live_news *news)
{
    tcs_error failure;
    tcsi_key key;
    size_t acted = 0;
    for (size_t i = 0; i < news->event_count; i++) {
        const tcsi_live_event *event = &news->events[i];
        for (; acted < news->action_count && news->actions[acted].sequence <= event->sequence; acted++)
            act(keeper, &news->actions[acted]);
        while (group_event(keeper, event, &key, &keeper->told[i], &failure) != TCS_OK)
            if (!wait_after(keeper, &failure)) return false;
        if (!keeper->notify) continue;
        if (is_news(event) && notify_of(keeper, event, &key, &keeper->told[i], &failure) != TCS_OK)
            tcsi_log(TCSI_LOG_WARNING, "SERVE-ALERT-LOST", "%s", failure.text);
        if (notify_of_incidents(keeper, &failure) != TCS_OK) tcsi_log(TCSI_LOG_WARNING, "SERVE-ALERT-LOST", "%s", failure.text);
    }
    for (; acted < news->action_count; acted++) act(keeper, &news->actions[acted]);
    if (!news->is_tick) return true; /* time goes on in the journal's places */
    if (keeper->notify && tcsi_notify_tick(keeper->notify, news->time_ns, &failure) != TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-ALERT-LOST", "%s", failure.text);
    tcsi_desk_tick(&keeper->desk, news->time_ns);
    return true;
}

/* ---- what is to be kept ---- */

static tcs_status batch_event(tcsi_keeper *keeper, const tcsi_live_event *event, const telling *one, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(keeper->directory, event->number);
    const tcsi_incident *incident = tcsi_incidents_get(&keeper->incidents, one->serial);
    char id[TCSI_EPISODE_ID_SIZE];
    tcsi_words_episode_id(entry, (tcsi_live_kind)event->kind, event->episode.begin_ns, id);
    const tcsi_keep_episode_words words = { .id = id, .series = text_at(keeper, one->name), .incident = incident ? incident->id : "",
                                            .summary = text_at(keeper, one->sentence) };
    return tcsi_keep_batch_episode(&keeper->batch, event, &words, err);
}

/* What the record left, but for its messages, which are in the batch; false: the service ends, which had no memory for it. */
static bool batch_record(tcsi_keeper *keeper, const tcsi_live_news *news)
{
    tcs_error failure = { 0 };
    for (size_t i = 0; i < news->action_count; i++)
        while (tcsi_keep_batch_action(&keeper->batch, &news->actions[i], &failure) != TCS_OK)
            if (!wait_after(keeper, &failure)) return false;
    for (size_t i = 0; i < news->event_count; i++)
        while (batch_event(keeper, &news->events[i], &keeper->told[i], &failure) != TCS_OK)
            if (!wait_after(keeper, &failure)) return false;
    while (tcsi_keep_batch_incidents(&keeper->batch, &keeper->incidents, keeper->directory, &failure) != TCS_OK)
        if (!wait_after(keeper, &failure)) return false;
    return true;
}

static void note_kept(tcsi_keeper *keeper, uint64_t sequence)
{
    pthread_mutex_lock(&keeper->mutex);
    keeper->kept = sequence;
    pthread_mutex_unlock(&keeper->mutex);
}

/* By us, or by whoever leads; false: the service ends. */
static bool keep_batch(tcsi_keeper *keeper)
{
    for (;;) {
        tcs_error failure = { 0 };
        tcsi_turn turn;
        tcs_status status = tcsi_standby_turn(keeper->standby, keeper->options.store, keeper->told_last, &turn, &failure);
        if (status == TCS_OK && turn == TCSI_TURN_OURS)
            status = tcsi_keep_batch_settle(&keeper->batch, &keeper->incidents, keeper->directory, &failure);
        if (status == TCS_OK && turn == TCSI_TURN_OURS)
            status = tcsi_keep_batch_put(&keeper->batch, keeper->options.store, keeper->directory, keeper->whose, &failure);
        if (status == TCS_OK) note_success(keeper);
        if (status == TCS_OK && turn != TCSI_TURN_WAIT) return true;
        if (!(status == TCS_OK ? wait_a_little(keeper) : wait_after(keeper, &failure))) return false;
    }
}

/* Everything told so far into the store, and to who listens. */
static void put_batch(tcsi_keeper *keeper)
{
    if (keeper->batch.count && !keep_batch(keeper)) {
        keeper->has_given_up = true;
        return;
    }
    note_kept(keeper, keeper->told_last);
    if (keeper->batch.message_count && keeper->deliver) tcsi_deliver_wake(keeper->deliver);
    tcsi_keep_batch_publish(&keeper->batch, keeper->options.store, keeper->options.events, keeper->options.step, keeper->options.step_self);
    tcsi_keep_batch_clear(&keeper->batch);
}

static void count_events(tcsi_keeper *keeper, const tcsi_live_news *news)
{
    pthread_mutex_lock(&keeper->mutex);
    for (size_t i = 0; i < news->event_count; i++)
        keeper->counts[news->events[i].kind][news->events[i].state] += !news->events[i].is_update;
    pthread_mutex_unlock(&keeper->mutex);
}

/* What people decide is put by itself, so that what is in the store before it does not depend on how much was done at once. */
static void tell(tcsi_keeper *keeper, const tcsi_live_news *news)
{
    if (news->action_count) put_batch(keeper);
    if (keeper->has_given_up) return;
    keeper->record = (tcsi_kept_mark){ news->sequence, news->time_ns };
    tcsi_buffer_clear(&keeper->texts);
    tcsi_arena_reset(&keeper->arena);
    keeper->has_given_up = !make_room(keeper, news->event_count) || !find_messages(keeper, news) ||
                           !(is_kept(keeper) || batch_record(keeper, news));
    if (keeper->has_given_up) return;
    keeper->told_last = news->sequence;
    count_events(keeper, news);
    if (!news->is_more || news->action_count || keeper->batch.count >= BATCH_MAX) put_batch(keeper);
}

void tcsi_keeper_tell(void *self, const tcsi_live_news *news)
{
    tcsi_keeper *keeper = self;
    tcs_error failure;
    tell(keeper, news);
    if (tcsi_incidents_settle(&keeper->incidents, keeper->directory, news->sequence, &failure) != TCS_OK)
        tcsi_log(TCSI_LOG_WARNING, "SERVE-INCIDENTS-MEMORY", "%s", failure.text); /* they are counted with the next record */
}

/* ---- what the store has already ---- */

/* Is the record of the mark one of this journal? */
static tcs_status is_of_journal(const char *folder, tcsi_kept_mark mark, bool *ret_is, tcs_error *err)
{
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    bool is_end = false;
    tcs_status status = tcsi_journal_cursor_open(folder, mark.sequence, &cursor, err);
    *ret_is = false;
    if (status != TCS_OK) return status;
    status = tcsi_journal_cursor_next(cursor, &record, &is_end, err);
    *ret_is = status == TCS_OK && !is_end && record.sequence == mark.sequence && record.time_ns == mark.time_ns;
    tcsi_journal_cursor_close(cursor);
    return status;
}

tcs_status tcsi_keeper_recall(tcsi_keeper *keeper, const char *folder, tcs_error *err)
{
    tcsi_kept_mark mark;
    bool is_ours = false;
    tcs_status status = tcsi_kept_mark_read(keeper->options.store, keeper->whose, &mark, err);
    if (status == TCS_OK && mark.sequence) (void)!is_of_journal(folder, mark, &is_ours, err); /* who reads it says what is wrong with it */
    if (is_ours) keeper->skipped = mark.sequence;
    return status;
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
    if (keeper->has_given_up) return;
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
