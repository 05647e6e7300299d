/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/incident.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NONE = UINT32_MAX };

typedef struct tcsi_incident_episode {
    uint64_t serial;      /* of its incident */
    uint32_t number, next; /* next of the same series, plus one; of a free one the next free one */
    uint8_t kind, is_used;
} episode;

/* ---- life ---- */

void tcsi_incidents_init(tcsi_incidents *incidents, const tcsi_coincidence_options *options)
{
    *incidents = (tcsi_incidents){ .count = 0 };
    tcsi_coincidence_init(&incidents->coincidence, options);
}

void tcsi_incidents_set(tcsi_incidents *incidents, const tcsi_coincidence_options *options)
{
    tcsi_coincidence_set(&incidents->coincidence, options);
    if (incidents->coincidence.series_count > 0) return; /* the same places */
    for (size_t i = 0; i < incidents->count; i++)
        for (size_t k = 0; k < TCSI_PLACE_COUNT_MAX; k++) {
            tcsi_free(incidents->items[i]->shared[k]);
            incidents->items[i]->shared[k] = NULL;
        }
}

static void destroy(tcsi_incident *incident)
{
    for (size_t i = 0; i < TCSI_PLACE_COUNT_MAX; i++) tcsi_free(incident->shared[i]);
    tcsi_free(incident->members);
    tcsi_free(incident);
}

void tcsi_incidents_deinit(tcsi_incidents *incidents)
{
    for (size_t i = 0; i < incidents->count; i++) destroy(incidents->items[i]);
    tcsi_coincidence_deinit(&incidents->coincidence);
    tcsi_free(incidents->items);
    tcsi_free(incidents->changed);
    tcsi_free(incidents->episodes);
    tcsi_free(incidents->first);
    *incidents = (tcsi_incidents){ .count = 0 };
}

/* ---- open episodes ---- */

static uint32_t find_episode(const tcsi_incidents *self, uint32_t number, uint8_t kind)
{
    uint32_t at = number < self->first_count ? self->first[number] : 0;
    while (at && self->episodes[at - 1].kind != kind) at = self->episodes[at - 1].next;
    return at ? at - 1 : NONE;
}

static tcs_status reserve_number(tcsi_incidents *self, uint32_t number, tcs_error *err)
{
    if (number < self->first_count) return TCS_OK;
    const size_t count = number + (size_t)number / 2 + 64;
    uint32_t *first = tcsi_realloc_array(self->first, count, sizeof *first);
    if (!first) return tcsi_fail_memory(err, "incidents");
    memset(first + self->first_count, 0, (count - self->first_count) * sizeof *first);
    self->first = first;
    self->first_count = (uint32_t)(count < NONE ? count : NONE);
    return TCS_OK;
}

static tcs_status add_episode(tcsi_incidents *self, uint32_t number, uint8_t kind, uint64_t serial, tcs_error *err)
{
    tcs_status status = reserve_number(self, number, err);
    if (status != TCS_OK) return status;
    uint32_t at = self->episode_free;
    if (at) self->episode_free = self->episodes[at - 1].next;
    else if (self->episode_count < self->episode_capacity) at = ++self->episode_count;
    else {
        const size_t capacity = self->episode_capacity ? 2 * (size_t)self->episode_capacity : 64;
        episode *episodes = tcsi_realloc_array(self->episodes, capacity, sizeof *episodes);
        if (!episodes) return tcsi_fail_memory(err, "incidents");
        self->episodes = episodes;
        self->episode_capacity = (uint32_t)capacity;
        at = ++self->episode_count;
    }
    self->episodes[at - 1] = (episode){ .serial = serial, .number = number, .next = self->first[number], .kind = kind, .is_used = 1 };
    self->first[number] = at;
    return TCS_OK;
}

static void remove_episode(tcsi_incidents *self, uint32_t at)
{
    episode *gone = &self->episodes[at];
    uint32_t *link = &self->first[gone->number];
    while (*link != at + 1) link = &self->episodes[*link - 1].next;
    *link = gone->next;
    *gone = (episode){ .next = self->episode_free };
    self->episode_free = at + 1;
}

/* ---- incidents ---- */

/* Where it stands, or would. */
static size_t place_of(const tcsi_incidents *self, uint64_t serial)
{
    size_t low = 0, high = self->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (self->items[middle]->serial < serial) low = middle + 1;
        else high = middle;
    }
    return low;
}

tcsi_incident *tcsi_incidents_find(const tcsi_incidents *incidents, uint64_t serial)
{
    const size_t at = place_of(incidents, serial);
    return at < incidents->count && incidents->items[at]->serial == serial ? incidents->items[at] : NULL;
}

const tcsi_incident *tcsi_incidents_get(const tcsi_incidents *incidents, uint64_t serial)
{
    const tcsi_incident *found = tcsi_incidents_find(incidents, serial);
    while (found && found->merged_into) found = tcsi_incidents_find(incidents, found->merged_into);
    return found;
}

static tcs_status append(tcsi_incidents *self, tcsi_incident *incident, tcs_error *err)
{
    if (self->count == self->capacity) {
        const size_t capacity = self->capacity ? 2 * self->capacity : 16;
        tcsi_incident **items = tcsi_realloc_array(self->items, capacity, sizeof *items);
        if (!items) return tcsi_fail_memory(err, "incidents");
        self->items = items;
        tcsi_incident **changed = tcsi_realloc_array(self->changed, capacity, sizeof *changed);
        if (!changed) return tcsi_fail_memory(err, "incidents");
        self->changed = changed;
        self->capacity = capacity;
    }
    self->items[self->count++] = incident;
    return TCS_OK;
}

/* There is room: all of them may have changed. */
static void note_change(tcsi_incidents *self, tcsi_incident *incident)
{
    if (incident->is_changed) return;
    incident->is_changed = true;
    size_t at = self->changed_count++;
    for (; at > 0 && self->changed[at - 1]->serial > incident->serial; at--) self->changed[at] = self->changed[at - 1];
    self->changed[at] = incident;
}

/* The first episode gives the id: the same for every process that reads the same journal. */
static void write_id(const tcsi_key *key, const tcsi_live_event *event, char *id)
{
    const tcsi_fingerprint hash = tcsi_key_fingerprint(key);
    snprintf(id, TCSI_INCIDENT_ID_SIZE, "%016" PRIx64 "%016" PRIx64, hash.low + event->kind, (uint64_t)event->episode.begin_ns);
}

static tcs_status open_incident(tcsi_incidents *self, const tcsi_key *key, const tcsi_live_event *event, tcsi_incident **ret_incident,
                                tcs_error *err)
{
    const tcsi_coincidence_options *options = &self->coincidence.options;
    tcsi_incident *incident = TCSI_NEW(tcsi_incident);
    if (!incident) return tcsi_fail_memory(err, "incidents");
    *incident = (tcsi_incident){ .serial = self->serial + 1, .begin_ns = event->episode.begin_ns };
    write_id(key, event, incident->id);
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < options->place_count; i++) {
        const tcsi_tag *tag = tcsi_key_get(key, options->places[i]);
        if (tag && !(incident->shared[i] = tcsi_strndup(tag->value, tag->value_size))) status = tcsi_fail_memory(err, "incidents");
    }
    if (status == TCS_OK) status = append(self, incident, err);
    if (status != TCS_OK) {
        destroy(incident);
        return status;
    }
    self->serial++;
    *ret_incident = incident;
    return TCS_OK;
}

static void keep_shared(tcsi_incidents *self, tcsi_incident *incident, const tcsi_key *key)
{
    for (size_t i = 0; i < self->coincidence.options.place_count; i++) {
        const tcsi_tag *tag = incident->shared[i] ? tcsi_key_get(key, self->coincidence.options.places[i]) : NULL;
        const bool is_shared = tag && tag->value_size == strlen(incident->shared[i]) &&
                               memcmp(tag->value, incident->shared[i], tag->value_size) == 0;
        if (is_shared) continue;
        tcsi_free(incident->shared[i]);
        incident->shared[i] = NULL;
    }
}

static bool has_series(const tcsi_incident *incident, uint32_t number)
{
    for (size_t i = 0; i < incident->member_count; i++)
        if (incident->members[i].number == number) return true;
    return false;
}

static tcs_status add_member(tcsi_incident *incident, const tcsi_incident_member *member, tcs_error *err)
{
    incident->series_count += !has_series(incident, member->number);
    incident->episode_count++;
    if (member->begin_ns < incident->begin_ns) incident->begin_ns = member->begin_ns;
    if (incident->member_count == TCSI_INCIDENT_MEMBERS) return TCS_OK;
    if (incident->member_count == incident->member_capacity) {
        const uint32_t capacity = incident->member_capacity ? 2 * incident->member_capacity : 2;
        tcsi_incident_member *members = tcsi_realloc_array(incident->members, capacity, sizeof *members);
        if (!members) return tcsi_fail_memory(err, "incidents");
        incident->members = members;
        incident->member_capacity = capacity;
    }
    incident->members[incident->member_count++] = *member;
    return TCS_OK;
}

/* What the event says of its incident. */
static void follow(tcsi_incidents *self, tcsi_incident *incident, const tcsi_live_event *event, const char *sentence)
{
    incident->updated_ns = event->received_ns;
    note_change(self, incident);
    if (event->state == TCSI_LIVE_CONFIRMED) incident->state = TCSI_LIVE_CONFIRMED;
    if (event->severity > incident->severity || (!tcsi_words_is_over(event) && !*incident->telling)) {
        incident->severity = event->severity;
        snprintf(incident->telling, sizeof incident->telling, "%s", sentence);
    }
}

static void close_incident(tcsi_incidents *self, tcsi_incident *incident, int64_t end_ns)
{
    incident->state = incident->state == TCSI_LIVE_CONFIRMED ? TCSI_LIVE_RESOLVED : TCSI_LIVE_DISMISSED;
    incident->end_ns = end_ns > incident->begin_ns ? end_ns : incident->begin_ns;
    tcsi_coincidence_regroup(&self->coincidence, incident->serial, 0);
    note_change(self, incident);
}

static void forget(tcsi_incidents *self, tcsi_incident *incident)
{
    const size_t at = place_of(self, incident->serial);
    TCS_ASSERT(at < self->count && self->items[at] == incident);
    memmove(self->items + at, self->items + at + 1, (self->count - at - 1) * sizeof(tcsi_incident *));
    self->count--;
    destroy(incident);
}

/* Everything of `gone` is of `into` from now on. */
static tcs_status merge(tcsi_incidents *self, tcsi_incident *into, tcsi_incident *gone, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < gone->member_count; i++) status = add_member(into, &gone->members[i], err);
    if (status != TCS_OK) return status;
    into->episode_count += gone->episode_count - gone->member_count; /* those that are not listed */
    into->series_count += gone->episode_count - gone->member_count;
    into->open_count += gone->open_count;
    if (gone->severity > into->severity) {
        into->severity = gone->severity;
        memcpy(into->telling, gone->telling, sizeof into->telling);
    }
    if (gone->state == TCSI_LIVE_CONFIRMED) into->state = TCSI_LIVE_CONFIRMED;
    for (size_t i = 0; i < TCSI_PLACE_COUNT_MAX; i++) {
        if (into->shared[i] && gone->shared[i] && strcmp(into->shared[i], gone->shared[i]) == 0) continue;
        tcsi_free(into->shared[i]);
        into->shared[i] = NULL;
    }
    for (uint32_t i = 0; i < self->episode_count; i++)
        if (self->episodes[i].is_used && self->episodes[i].serial == gone->serial) self->episodes[i].serial = into->serial;
    tcsi_coincidence_regroup(&self->coincidence, gone->serial, into->serial);
    gone->merged_into = into->serial;
    gone->open_count = 0;
    note_change(self, into);
    close_incident(self, gone, into->updated_ns);
    return TCS_OK;
}

/* ---- an event ---- */

/* The oldest incident among those groups that is still open, with the others merged into it; NULL: there is none. */
static tcs_status join(tcsi_incidents *self, const uint64_t *groups, size_t group_count, tcsi_incident **ret_incident, tcs_error *err)
{
    tcsi_incident *oldest = NULL;
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < group_count; i++) {
        tcsi_incident *found = tcsi_incidents_find(self, groups[i]);
        if (found && found->open_count > 0 && (!oldest || found->serial < oldest->serial)) oldest = found;
    }
    for (size_t i = 0; status == TCS_OK && i < group_count; i++) {
        tcsi_incident *found = tcsi_incidents_find(self, groups[i]);
        if (found && found->open_count > 0 && found != oldest) status = merge(self, oldest, found, err);
    }
    *ret_incident = oldest;
    return status;
}

static tcs_status begin_episode(tcsi_incidents *self, const tcsi_key *key, const tcsi_live_event *event, tcsi_incident **ret_incident,
                                tcs_error *err)
{
    const tcsi_incident_member member = { event->episode.begin_ns, event->number, event->kind };
    tcsi_beginning onset = tcsi_coincidence_onset(&self->coincidence, key, event->number, event->episode.begin_ns);
    uint64_t groups[TCSI_ONSET_COUNT_MAX];
    tcsi_incident *incident = NULL;
    const size_t group_count = tcsi_coincidence_find(&self->coincidence, &onset, (double)event->cadence_s, groups);
    tcs_status status = join(self, groups, group_count, &incident, err);
    if (status == TCS_OK && !incident && self->count < TCSI_INCIDENT_COUNT_MAX) status = open_incident(self, key, event, &incident, err);
    *ret_incident = incident;
    if (status != TCS_OK || !incident) return status;
    keep_shared(self, incident, key);
    status = add_member(incident, &member, err);
    if (status == TCS_OK) status = add_episode(self, event->number, event->kind, incident->serial, err);
    if (status != TCS_OK) {
        if (incident->open_count == 0) forget(self, incident); /* it was opened for this one */
        return status;
    }
    incident->open_count++;
    onset.group = incident->serial;
    tcsi_coincidence_add(&self->coincidence, &onset);
    return TCS_OK;
}

tcs_status tcsi_incidents_update(tcsi_incidents *incidents, const tcsi_directory *directory, const tcsi_key *key,
                                 const tcsi_live_event *event, const char *sentence, uint64_t *ret_serial, tcs_error *err)
{
    const uint32_t at = find_episode(incidents, event->number, event->kind);
    tcsi_incident *incident = at == NONE ? NULL : tcsi_incidents_find(incidents, incidents->episodes[at].serial);
    *ret_serial = 0;
    tcs_status status = tcsi_coincidence_count(&incidents->coincidence, directory, event->sequence, err);
    if (status == TCS_OK && at == NONE && !tcsi_words_is_over(event)) status = begin_episode(incidents, key, event, &incident, err);
    if (status != TCS_OK || !incident) return status;
    follow(incidents, incident, event, sentence);
    *ret_serial = incident->serial;
    if (!tcsi_words_is_over(event)) return TCS_OK;
    remove_episode(incidents, at);
    if (--incident->open_count == 0) close_incident(incidents, incident, event->time_ns);
    return TCS_OK;
}

tcs_status tcsi_incidents_settle(tcsi_incidents *incidents, const tcsi_directory *directory, uint64_t sequence, tcs_error *err)
{
    for (size_t i = 0; i < incidents->changed_count; i++) {
        tcsi_incident *incident = incidents->changed[i];
        incident->is_changed = false;
        if (incident->open_count == 0) forget(incidents, incident);
    }
    incidents->changed_count = 0;
    return tcsi_coincidence_count(&incidents->coincidence, directory, sequence, err);
}

void tcsi_incident_summary(const tcsi_incidents *incidents, const tcsi_incident *incident, char ret_text[TCSI_SENTENCE_SIZE])
{
    const tcsi_coincidence_options *options = &incidents->coincidence.options;
    const char *before = " of ";
    if (incident->series_count < 2) {
        memcpy(ret_text, incident->telling, TCSI_SENTENCE_SIZE);
        return;
    }
    size_t used = (size_t)snprintf(ret_text, TCSI_SENTENCE_SIZE, "%" PRIu32 " series", incident->series_count);
    for (size_t i = 0; i < options->place_count; i++) {
        if (!incident->shared[i] || used + strlen(options->places[i]) + strlen(incident->shared[i]) > TCSI_SENTENCE_SIZE / 2) continue;
        used += (size_t)snprintf(ret_text + used, TCSI_SENTENCE_SIZE - used, "%s%s=\"%s\"", before, options->places[i],
                                 incident->shared[i]);
        before = ", ";
    }
    snprintf(ret_text + used, TCSI_SENTENCE_SIZE - used, " at once; most of all: %s", incident->telling);
}

/* ---- saved form ---- */

static void persist_shared(tcsi_incidents *self, tcsi_incident *incident, tcsi_codec *codec)
{
    for (size_t i = 0; i < self->coincidence.options.place_count && tcsi_codec_status(codec) == TCS_OK; i++) {
        char value[TCSI_KEY_VALUE_SIZE_MAX + 1] = "";
        if (incident->shared[i]) snprintf(value, sizeof value, "%s", incident->shared[i]);
        tcsi_codec_text(codec, value, sizeof value);
        if (!tcsi_codec_loading(codec) || !*value) continue;
        incident->shared[i] = tcsi_strdup(value);
        if (!incident->shared[i]) codec->status = tcsi_fail_memory(codec->err, "incidents");
    }
}

static void persist_member(tcsi_incident_member *member, uint32_t series_count, tcsi_codec *codec)
{
    uint32_t kind = member->kind;
    tcsi_codec_i64(codec, &member->begin_ns);
    tcsi_codec_u32(codec, &member->number);
    tcsi_codec_u32(codec, &kind);
    if (tcsi_codec_loading(codec) && (kind >= TCSI_LIVE_KIND_COUNT || member->number >= series_count))
        tcsi_codec_refuse(codec, "an episode that is none");
    member->kind = (uint8_t)kind;
}

static void persist_incident(tcsi_incidents *self, tcsi_incident *incident, uint32_t series_count, tcsi_codec *codec)
{
    uint32_t state = incident->state, member_count = incident->member_count;
    tcsi_codec_u64(codec, &incident->serial);
    tcsi_codec_text(codec, incident->id, sizeof incident->id);
    tcsi_codec_u32(codec, &state);
    tcsi_codec_i64(codec, &incident->begin_ns);
    tcsi_codec_i64(codec, &incident->updated_ns);
    tcsi_codec_f64(codec, &incident->severity);
    tcsi_codec_u32(codec, &incident->series_count);
    tcsi_codec_u32(codec, &incident->episode_count);
    tcsi_codec_text(codec, incident->telling, sizeof incident->telling);
    persist_shared(self, incident, codec);
    tcsi_codec_u32(codec, &member_count);
    const bool is_sound = state <= TCSI_LIVE_CONFIRMED && member_count <= TCSI_INCIDENT_MEMBERS && isfinite(incident->severity);
    if (tcsi_codec_loading(codec) && !is_sound) tcsi_codec_refuse(codec, "an incident out of range");
    incident->state = (tcsi_live_state)state;
    for (uint32_t i = 0; i < member_count && tcsi_codec_status(codec) == TCS_OK; i++) {
        tcsi_incident_member member = { 0 };
        if (!tcsi_codec_loading(codec)) member = incident->members[i];
        persist_member(&member, series_count, codec);
        if (!tcsi_codec_loading(codec) || tcsi_codec_status(codec) != TCS_OK) continue;
        const uint32_t series = incident->series_count, episodes = incident->episode_count;
        codec->status = add_member(incident, &member, codec->err);
        incident->series_count = series; /* as they were counted */
        incident->episode_count = episodes;
    }
}

static void load_incident(tcsi_incidents *self, uint32_t series_count, tcsi_codec *codec)
{
    tcsi_incident *incident = TCSI_NEW(tcsi_incident);
    if (!incident) {
        codec->status = tcsi_fail_memory(codec->err, "incidents");
        return;
    }
    const uint64_t last = self->count ? self->items[self->count - 1]->serial : 0;
    persist_incident(self, incident, series_count, codec);
    if (tcsi_codec_status(codec) == TCS_OK && (incident->serial <= last || incident->serial > self->serial))
        tcsi_codec_refuse(codec, "incidents out of order");
    if (tcsi_codec_status(codec) == TCS_OK) codec->status = append(self, incident, codec->err);
    if (tcsi_codec_status(codec) != TCS_OK) destroy(incident);
}

static void save_episode(const tcsi_incidents *self, uint32_t number, uint8_t kind, tcsi_codec *codec)
{
    const uint32_t at = find_episode(self, number, kind);
    uint32_t wide = kind;
    if (at == NONE) return;
    uint64_t serial = self->episodes[at].serial;
    tcsi_codec_u32(codec, &number);
    tcsi_codec_u32(codec, &wide);
    tcsi_codec_u64(codec, &serial);
}

static void load_episode(tcsi_incidents *self, uint32_t series_count, tcsi_codec *codec)
{
    uint32_t number = 0, kind = 0;
    uint64_t serial = 0;
    tcsi_codec_u32(codec, &number);
    tcsi_codec_u32(codec, &kind);
    tcsi_codec_u64(codec, &serial);
    if (tcsi_codec_status(codec) != TCS_OK) return;
    tcsi_incident *incident = tcsi_incidents_find(self, serial);
    const bool is_sound = number < series_count && kind < TCSI_LIVE_KIND_COUNT && incident;
    if (!is_sound || find_episode(self, number, (uint8_t)kind) != NONE) tcsi_codec_refuse(codec, "an episode that is none");
    else codec->status = add_episode(self, number, (uint8_t)kind, serial, codec->err);
    if (tcsi_codec_status(codec) == TCS_OK) incident->open_count++;
}

void tcsi_incidents_persist(tcsi_incidents *incidents, const tcsi_directory *directory, tcsi_codec *codec)
{
    const uint32_t series_count = tcsi_directory_count(directory);
    size_t count = incidents->count, open_count = 0;
    tcsi_codec_tag(codec, "INC1");
    tcsi_coincidence_persist(&incidents->coincidence, directory, codec);
    tcsi_codec_u64(codec, &incidents->serial);
    tcsi_codec_size(codec, &count, TCSI_INCIDENT_COUNT_MAX);
    for (size_t i = 0; i < count && tcsi_codec_status(codec) == TCS_OK; i++) {
        if (tcsi_codec_loading(codec)) load_incident(incidents, series_count, codec);
        else persist_incident(incidents, incidents->items[i], series_count, codec);
    }
    for (uint32_t i = 0; i < incidents->episode_count; i++) open_count += incidents->episodes[i].is_used;
    tcsi_codec_size(codec, &open_count, NONE);
    /* By series and kind, so that the same state has the same bytes whatever was open in between. */
    for (uint32_t i = 0; !tcsi_codec_loading(codec) && i < incidents->first_count; i++)
        for (uint8_t k = 0; incidents->first[i] && k < TCSI_LIVE_KIND_COUNT; k++) save_episode(incidents, i, k, codec);
    for (size_t i = 0; tcsi_codec_loading(codec) && i < open_count && tcsi_codec_status(codec) == TCS_OK; i++)
        load_episode(incidents, series_count, codec);
    for (size_t i = 0; i < incidents->count; i++)
        if (tcsi_codec_loading(codec) && incidents->items[i]->open_count == 0) tcsi_codec_refuse(codec, "an incident without episodes");
}
