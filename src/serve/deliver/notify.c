/* serve/deliver/notify.c -- see notify.h.
 *
 * Each open episode is an `entry`: its last alert as JSON, and who was told.  A receiver is a bit.  `told` have heard of it; `behind`
 * should hear what they did not, for a silence or because they hear of escalated incidents only.  Everything that fails leaves the entry
 * so that the same call, made again, puts the same messages under the same ids.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/notify.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double WORSE = 10; /* of severity: ten times rarer */
static const int64_t DESCRIBE_NS = INT64_C(10000000000);

enum { EPISODE_SIZE = 128 };

typedef struct entry {
    char episode[EPISODE_SIZE], incident[TCSI_ALERT_ID_SIZE];
    char *alert;               /* JSON, (alert_size) */
    size_t alert_size;
    int64_t told_ns, said_ns;  /* when somebody first heard that it is confirmed, and last heard anything; 0: nobody did */
    uint32_t revision;         /* the last one that was told; 0: none */
    uint32_t state_told;
    double severity_told;
    uint64_t told, behind;
    int64_t quiet_until_ns;    /* a silence of this generation holds until then; not kept: it is found again */
    uint64_t quiet_generation;
    bool is_acknowledged, is_escalated;
    bool is_over;              /* it is held until its incident is */
    bool is_reworded;          /* since it was told */
} entry;

struct tcsi_notify {
    tcsi_notify_options options;
    const tcsi_silence *silences;
    size_t silence_count;
    const tcsi_silences *set; /* NULL: none */
    entry *entries;
    size_t count, capacity;
};

tcs_status tcsi_notify_create(const tcsi_notify_options *options, tcsi_notify **ret_notify, tcs_error *err)
{
    TCS_ASSERT(options->receiver_count <= TCSI_RECEIVER_COUNT_MAX);
    tcsi_notify *self = TCSI_NEW(tcsi_notify);
    if (!self) return tcsi_fail_memory(err, "alerts");
    self->options = *options;
    *ret_notify = self;
    return TCS_OK;
}

void tcsi_notify_destroy(tcsi_notify *notify)
{
    if (!notify) return;
    for (size_t i = 0; i < notify->count; i++) tcsi_free(notify->entries[i].alert);
    tcsi_free(notify->entries);
    tcsi_free(notify);
}

void tcsi_notify_silences(tcsi_notify *notify, const tcsi_silence *silences, size_t silence_count)
{
    notify->silences = silences;
    notify->silence_count = silence_count;
}

void tcsi_notify_set(tcsi_notify *notify, const tcsi_silences *set)
{
    notify->set = set;
}

size_t tcsi_notify_open_count(const tcsi_notify *notify)
{
    return notify->count;
}

/* Notes until when, so that nobody asks again before: a silence can only end earlier by what makes a new generation. */
static bool is_silenced(const tcsi_notify *n, entry *e, const tcsi_alert *alert, int64_t now_ns)
{
    int64_t until_ns = INT64_MIN;
    for (size_t i = 0; i < n->silence_count; i++)
        if (tcsi_silence_holds(&n->silences[i], alert, now_ns)) until_ns = n->silences[i].ends_ns;
    if (until_ns == INT64_MIN && n->set && !tcsi_silences_hold(n->set, alert, now_ns, &until_ns)) until_ns = INT64_MIN;
    e->quiet_until_ns = until_ns;
    e->quiet_generation = n->set ? n->set->generation : 0;
    return until_ns != INT64_MIN;
}

static bool is_quiet(const tcsi_notify *n, const entry *e, int64_t now_ns)
{
    return now_ns < e->quiet_until_ns && e->quiet_generation == (n->set ? n->set->generation : 0);
}

/* ---- entries ---- */

static entry *find(const tcsi_notify *n, const char *episode)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->entries[i].episode, episode) == 0) return &n->entries[i];
    return NULL;
}

const char *tcsi_notify_incident(const tcsi_notify *notify, const char *episode_id)
{
    const entry *e = find(notify, episode_id);
    return e ? e->incident : NULL;
}

static void forget(tcsi_notify *n, entry *e)
{
    tcsi_free(e->alert);
    memmove(e, e + 1, (size_t)(n->entries + n->count - (e + 1)) * sizeof *e); /* the order of their coming is kept: results depend on it */
    n->count--;
}

/* Another episode of the same incident; NULL: there is none. */
static const entry *find_incident(const tcsi_notify *n, const char *incident)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->entries[i].incident, incident) == 0) return &n->entries[i];
    return NULL;
}

/* For one more. */
static bool make_room(tcsi_notify *n)
{
    return tcsi_grow((void **)&n->entries, &n->capacity, n->count, sizeof *n->entries, 16);
}

static tcs_status add(tcsi_notify *n, const tcsi_alert *alert, entry **ret_entry, tcs_error *err)
{
    if (n->count == TCSI_NOTIFY_OPEN_MAX) return tcsi_fail(err, TCS_E_LIMIT, "more than %d open episodes", TCSI_NOTIFY_OPEN_MAX);
    if (strlen(alert->episode_id) >= EPISODE_SIZE) return tcsi_fail(err, TCS_E_INVALID, "an episode's id of more than %d bytes",
                                                                    EPISODE_SIZE - 1);
    if (!make_room(n)) return tcsi_fail_memory(err, "alerts");
    entry new = { .quiet_until_ns = INT64_MIN, .state_told = TCSI_ALERT_STATE_COUNT };
    snprintf(new.episode, sizeof new.episode, "%s", alert->episode_id);
    if (*alert->incident_id) snprintf(new.incident, sizeof new.incident, "%s", alert->incident_id);
    else tcsi_alert_id(alert, TCSI_ALERT_STATE_COUNT, new.incident);
    const entry *first = find_incident(n, new.incident);
    if (first) {
        new.is_acknowledged = first->is_acknowledged;
        new.is_escalated = first->is_escalated;
    }
    n->entries[n->count] = new;
    *ret_entry = &n->entries[n->count++];
    return TCS_OK;
}

static tcs_status keep_alert(entry *e, const tcsi_alert *alert, tcs_error *err)
{
    tcsi_buffer text;
    tcsi_json_writer writer;
    tcsi_buffer_init(&text, TCSI_ALERT_SIZE_MAX);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_alert_write(alert, &writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    char *copy = status == TCS_OK ? tcsi_strndup(text.data, text.size) : NULL;
    if (status == TCS_OK && !copy) status = tcsi_fail_memory(err, "alerts");
    if (status == TCS_OK) {
        tcsi_free(e->alert);
        e->alert = copy;
        e->alert_size = text.size;
    }
    tcsi_buffer_deinit(&text);
    return status;
}

/* ---- telling ---- */

static uint64_t who_wants(const tcsi_notify *n, const entry *e, const tcsi_alert *alert)
{
    uint64_t wanting = 0;
    for (size_t i = 0; i < n->options.receiver_count; i++)
        if (tcsi_receiver_wants(&n->options.receivers[i], alert, e->is_escalated)) wanting |= UINT64_C(1) << i;
    return wanting;
}

/* To each of them, in order. */
static tcs_status tell(tcsi_notify *n, entry *e, const tcsi_alert *alert, uint64_t whom, uint32_t revision, int64_t now_ns, tcs_error *err)
{
    tcs_status status = TCS_OK;
    tcsi_alert told = *alert;
    told.revision = revision;
    told.incident_id = e->incident;
    for (size_t i = 0; i < n->options.receiver_count && status == TCS_OK; i++)
        if (whom >> i & 1) status = n->options.put(n->options.context, &n->options.receivers[i], &told, now_ns, err);
    return status;
}

static void note_told(entry *e, uint64_t whom, int64_t now_ns)
{
    if (whom && e->told_ns == 0 && e->state_told == TCSI_ALERT_CONFIRMED) e->told_ns = now_ns; /* a suspicion is nobody's to take */
    if (whom) e->said_ns = now_ns;
    e->told |= whom;
    e->behind &= ~whom;
}

/* Those who heard of the incident by another of its episodes, which stands for this one, too. */
static uint64_t who_heard(const tcsi_notify *n, const entry *e, tcsi_alert_state state)
{
    uint64_t heard = 0;
    for (size_t i = 0; n->options.tells_incidents && i < n->count; i++) {
        const entry *other = &n->entries[i];
        const bool is_enough = state == TCSI_ALERT_SUSPECTED || other->state_told == TCSI_ALERT_CONFIRMED;
        if (other != e && is_enough && strcmp(other->incident, e->incident) == 0) heard |= other->told;
    }
    return heard;
}

/* Those who heard that it began hear that it is over; a program has nothing to respond to any more. */
static tcs_status end(tcsi_notify *n, entry *e, const tcsi_alert *alert, int64_t now_ns, tcs_error *err)
{
    uint64_t whom = e->told;
    for (size_t i = 0; i < n->options.receiver_count; i++)
        if (n->options.receivers[i].kind == TCSI_RECEIVER_COMMAND) whom &= ~(UINT64_C(1) << i);
    const tcs_status status = tell(n, e, alert, whom, e->revision + 1, now_ns, err);
    if (status == TCS_OK) forget(n, e);
    return status;
}

/* The incident is over with `last`: so are those of its episodes that were held. */
static tcs_status end_held(tcsi_notify *n, const char *incident, const tcsi_alert *last, int64_t now_ns, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < n->count;) {
        entry *e = &n->entries[i];
        tcsi_arena arena;
        tcsi_alert alert;
        if (strcmp(e->incident, incident) != 0) {
            i++;
            continue;
        }
        tcsi_arena_init(&arena, 0);
        status = tcsi_alert_read(e->alert, e->alert_size, &arena, &alert, err);
        if (status == TCS_OK) {
            alert.ends_ns = last->ends_ns;
            alert.updated_ns = last->updated_ns;
            status = end(n, e, &alert, now_ns, err);
        }
        tcsi_arena_deinit(&arena);
    }
    return status;
}

static bool lasts(const tcsi_notify *n, const char *incident, const entry *but)
{
    for (size_t i = 0; i < n->count; i++)
        if (&n->entries[i] != but && !n->entries[i].is_over && strcmp(n->entries[i].incident, incident) == 0) return true;
    return false;
}

/* One that stands for others lasts as long as they do. */
static tcs_status finish(tcsi_notify *n, entry *e, const tcsi_alert *alert, int64_t now_ns, tcs_error *err)
{
    char incident[TCSI_ALERT_ID_SIZE];
    if (!n->options.tells_incidents) return end(n, e, alert, now_ns, err);
    memcpy(incident, e->incident, sizeof incident);
    if (!lasts(n, incident, e)) {
        const tcs_status status = end(n, e, alert, now_ns, err);
        return status == TCS_OK ? end_held(n, incident, alert, now_ns, err) : status;
    }
    if (e->told) {
        const tcs_status status = keep_alert(e, alert, err);
        e->is_over = status == TCS_OK;
        return status;
    }
    forget(n, e);
    return TCS_OK;
}

tcs_status tcsi_notify_update(tcsi_notify *notify, const tcsi_alert *alert, int64_t now_ns, tcs_error *err)
{
    entry *e = find(notify, alert->episode_id);
    tcs_status status = TCS_OK;
    if (!e && tcsi_alert_is_over(alert)) return TCS_OK; /* nobody heard that it began */
    if (e && tcsi_alert_is_over(alert)) return finish(notify, e, alert, now_ns, err);
    if (!e) status = add(notify, alert, &e, err);
    if (status == TCS_OK) status = keep_alert(e, alert, err);
    if (status != TCS_OK) {
        if (e && !e->alert) forget(notify, e);
        return status;
    }
    const bool is_news = e->state_told != alert->state || !(alert->severity < e->severity_told + WORSE);
    if (!is_news) return TCS_OK;
    const uint64_t wanting = who_wants(notify, e, alert) & ~who_heard(notify, e, alert->state);
    const uint64_t hearing = is_silenced(notify, e, alert, now_ns) ? 0 : wanting;
    status = tell(notify, e, alert, hearing, e->revision + 1, now_ns, err);
    if (status != TCS_OK) return status;
    e->revision++;
    e->state_told = alert->state;
    e->severity_told = alert->severity;
    e->behind = wanting;
    note_told(e, hearing, now_ns);
    return TCS_OK;
}

/* ---- the words of an incident ---- */

tcs_status tcsi_notify_describe(tcsi_notify *notify, const char *incident_id, const char *summary, const char *description, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < notify->count; i++) {
        entry *e = &notify->entries[i];
        tcsi_arena arena;
        tcsi_alert alert;
        if (!e->told || strcmp(e->incident, incident_id) != 0) continue;
        tcsi_arena_init(&arena, 0);
        status = tcsi_alert_read(e->alert, e->alert_size, &arena, &alert, err);
        if (status == TCS_OK && (strcmp(alert.summary, summary) != 0 || strcmp(alert.description, description) != 0)) {
            alert.summary = summary;
            alert.description = description;
            status = keep_alert(e, &alert, err);
            e->is_reworded = true;
        }
        tcsi_arena_deinit(&arena);
    }
    return status;
}

void tcsi_notify_merge(tcsi_notify *notify, const char *incident_id, const char *into)
{
    for (size_t i = 0; i < notify->count; i++)
        if (strcmp(notify->entries[i].incident, incident_id) == 0)
            snprintf(notify->entries[i].incident, sizeof notify->entries[i].incident, "%s", into);
}

/* To those for whom it is no new message. */
static tcs_status reword(tcsi_notify *n, entry *e, int64_t now_ns, tcs_error *err)
{
    uint64_t whom = 0;
    tcsi_arena arena;
    tcsi_alert alert;
    for (size_t i = 0; i < n->options.receiver_count; i++)
        if (n->options.receivers[i].kind == TCSI_RECEIVER_ALERTMANAGER) whom |= e->told & UINT64_C(1) << i;
    e->is_reworded = whom != 0;
    if (!whom) return TCS_OK;
    tcsi_arena_init(&arena, 0);
    tcs_status status = tcsi_alert_read(e->alert, e->alert_size, &arena, &alert, err);
    if (status == TCS_OK) {
        if (tcsi_alert_is_over(&alert)) alert.state = (tcsi_alert_state)e->state_told; /* it stands for those that last */
        alert.ends_ns = 0;
        status = tell(n, e, &alert, whom, e->revision + 1, now_ns, err);
    }
    tcsi_arena_deinit(&arena);
    if (status != TCS_OK) return status;
    e->revision++;
    e->is_reworded = false;
    e->said_ns = now_ns;
    return TCS_OK;
}

/* ---- time ---- */

/* Nobody acknowledged: the whole incident. */
static void escalate(tcsi_notify *n, const entry *late)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->entries[i].incident, late->incident) == 0) n->entries[i].is_escalated = true;
}

static tcs_status catch_up(tcsi_notify *n, entry *e, bool is_newly_escalated, int64_t now_ns, tcs_error *err)
{
    tcsi_arena arena;
    tcsi_alert alert;
    if (e->is_over || is_quiet(n, e, now_ns) || (!e->behind && !is_newly_escalated)) return TCS_OK;
    tcsi_arena_init(&arena, 0);
    tcs_status status = tcsi_alert_read(e->alert, e->alert_size, &arena, &alert, err);
    if (status == TCS_OK) {
        const uint64_t wanting = who_wants(n, e, &alert) & ~who_heard(n, e, alert.state);
        if (is_newly_escalated) e->behind |= wanting & ~e->told;
        const uint64_t whom = is_silenced(n, e, &alert, now_ns) ? 0 : e->behind & wanting;
        status = tell(n, e, &alert, whom, e->revision, now_ns, err);
        if (status == TCS_OK) note_told(e, whom, now_ns);
    }
    tcsi_arena_deinit(&arena);
    return status;
}

tcs_status tcsi_notify_tick(tcsi_notify *notify, int64_t now_ns, tcs_error *err)
{
    tcs_status status = TCS_OK;
    const int64_t after_ns = notify->options.escalate_after_ns;
    for (size_t i = 0; i < notify->count && after_ns > 0; i++) {
        const entry *e = &notify->entries[i];
        const bool is_late = e->told_ns && !e->is_acknowledged && now_ns - e->told_ns >= after_ns;
        if (is_late && !e->is_escalated) escalate(notify, e);
    }
    for (size_t i = 0; i < notify->count && status == TCS_OK; i++)
        status = catch_up(notify, &notify->entries[i], notify->entries[i].is_escalated, now_ns, err);
    for (size_t i = 0; i < notify->count && status == TCS_OK; i++)
        if (notify->entries[i].is_reworded && now_ns - notify->entries[i].said_ns >= DESCRIBE_NS)
            status = reword(notify, &notify->entries[i], now_ns, err);
    return status;
}

void tcsi_notify_acknowledge(tcsi_notify *notify, const char *id, bool *ret_found)
{
    const entry *e = find(notify, id);
    char incident[TCSI_ALERT_ID_SIZE];
    *ret_found = false;
    snprintf(incident, sizeof incident, "%s", e ? e->incident : id);
    for (size_t i = 0; i < notify->count; i++) {
        if (strcmp(notify->entries[i].incident, incident) != 0) continue;
        notify->entries[i].is_acknowledged = true;
        *ret_found = true;
    }
}

/* ---- keeping ---- */

/* Bits of the receivers as they were to bits as they are; one that is gone is forgotten. */
static uint64_t translate(uint64_t bits, const uint8_t *places, size_t count)
{
    uint64_t translated = 0;
    for (size_t i = 0; i < count; i++)
        if ((bits >> i & 1) && places[i] < TCSI_RECEIVER_COUNT_MAX) translated |= UINT64_C(1) << places[i];
    return translated;
}

static void persist_entry(tcsi_codec *codec, entry *e)
{
    tcsi_codec_text(codec, e->episode, sizeof e->episode);
    tcsi_codec_text(codec, e->incident, sizeof e->incident);
    tcsi_codec_size(codec, &e->alert_size, TCSI_ALERT_SIZE_MAX);
    if (tcsi_codec_loading(codec) && tcsi_codec_status(codec) == TCS_OK) {
        e->alert = tcsi_alloc_zero(e->alert_size + 1, 1);
        if (!e->alert) codec->status = tcsi_fail_memory(codec->err, "alerts");
    }
    if (e->alert) tcsi_codec_bytes(codec, e->alert, e->alert_size);
    tcsi_codec_i64(codec, &e->told_ns);
    tcsi_codec_i64(codec, &e->said_ns);
    tcsi_codec_u32(codec, &e->revision);
    tcsi_codec_u32(codec, &e->state_told);
    tcsi_codec_f64(codec, &e->severity_told);
    tcsi_codec_u64(codec, &e->told);
    tcsi_codec_u64(codec, &e->behind);
    tcsi_codec_bool(codec, &e->is_acknowledged);
    tcsi_codec_bool(codec, &e->is_escalated);
    tcsi_codec_bool(codec, &e->is_over);
    tcsi_codec_bool(codec, &e->is_reworded);
}

static void persist_receivers(tcsi_notify *n, tcsi_codec *codec, uint8_t *ret_places, size_t *ret_count)
{
    *ret_count = n->options.receiver_count;
    tcsi_codec_size(codec, ret_count, TCSI_RECEIVER_COUNT_MAX);
    for (size_t i = 0; i < *ret_count && tcsi_codec_status(codec) == TCS_OK; i++) {
        char name[TCSI_RECEIVER_NAME_SIZE_MAX + 1] = "";
        if (!tcsi_codec_loading(codec)) snprintf(name, sizeof name, "%s", n->options.receivers[i].name);
        tcsi_codec_text(codec, name, sizeof name);
        size_t place = 0;
        while (place < n->options.receiver_count && strcmp(n->options.receivers[place].name, name) != 0) place++;
        ret_places[i] = (uint8_t)(place < n->options.receiver_count ? place : TCSI_RECEIVER_COUNT_MAX);
    }
}

static bool load_entry(tcsi_notify *n, tcsi_codec *codec, const uint8_t *places, size_t place_count)
{
    entry e = { .alert = NULL, .quiet_until_ns = INT64_MIN };
    persist_entry(codec, &e);
    e.told = translate(e.told, places, place_count);
    e.behind = translate(e.behind, places, place_count);
    if (tcsi_codec_status(codec) == TCS_OK && !make_room(n)) codec->status = tcsi_fail_memory(codec->err, "alerts");
    if (tcsi_codec_status(codec) == TCS_OK) n->entries[n->count++] = e;
    else tcsi_free(e.alert);
    return tcsi_codec_status(codec) == TCS_OK;
}

void tcsi_notify_persist(tcsi_notify *notify, tcsi_codec *codec)
{
    uint8_t places[TCSI_RECEIVER_COUNT_MAX] = { 0 };
    size_t place_count = 0, count = notify->count;
    tcsi_codec_tag(codec, "ntf2");
    persist_receivers(notify, codec, places, &place_count);
    tcsi_codec_size(codec, &count, TCSI_NOTIFY_OPEN_MAX);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    if (!tcsi_codec_loading(codec)) {
        for (size_t i = 0; i < count; i++) persist_entry(codec, &notify->entries[i]);
        return;
    }
    while (notify->count > 0) forget(notify, &notify->entries[notify->count - 1]);
    for (size_t i = 0; i < count && load_entry(notify, codec, places, place_count); i++) continue;
}
