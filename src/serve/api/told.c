/* serve/api/told.c -- who was told of an episode: what the outbox still knows of its messages.
 *
 * A message is named by the alert that it is about (alert.h), which is made of the series and the onset; of an incident the first of its
 * episodes stands for all.  So all episodes of the incident are looked for.  The outbox forgets what is done after some time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/explained.h"

#include "serve/words.h"
#include "series/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct telling {
    tcsi_json_writer *writer;
    const char *episode;
} telling;

static const char *const outcomes[] = { [TCSI_STORE_TOLD_WAITING] = "waiting", [TCSI_STORE_TOLD_SENT] = "sent",
                                        [TCSI_STORE_TOLD_GIVEN_UP] = "given up", [TCSI_STORE_TOLD_REPLACED] = "replaced" };

static bool write_told(void *context, const tcsi_store_told *told)
{
    const telling *t = context;
    const char *revision = strrchr(told->id, '#');
    tcsi_json_begin_object(t->writer);
    tcsi_json_put_string(t->writer, "receiver", told->receiver);
    tcsi_json_put_string(t->writer, "episode", t->episode);
    tcsi_json_put_integer(t->writer, "revision", revision ? strtol(revision + 1, NULL, 10) : 0);
    tcsi_json_put_string(t->writer, "outcome", outcomes[told->outcome]);
    if (told->time_ns) tcsi_api_put_time(t->writer, "time", told->time_ns);
    else tcsi_json_put_string(t->writer, "time", NULL);
    tcsi_json_put_integer(t->writer, "attempts", told->attempt_count);
    tcsi_json_put_string(t->writer, "error", told->error);
    tcsi_json_put_string(t->writer, "trace", told->trace);
    tcsi_json_end_object(t->writer);
    return true;
}

/* "anomaly-HASH-ONSET" -> the kind; false: it is no such id. */
static bool read_id(const char *id, tcsi_live_kind *ret_kind, uint64_t *ret_onset)
{
    const char *dash = strchr(id, '-'), *last = strrchr(id, '-');
    char *end;
    if (!dash || dash == last) return false;
    *ret_onset = strtoull(last + 1, &end, 16);
    for (int i = 0; i < TCSI_LIVE_KIND_COUNT; i++) {
        const size_t size = strlen(tcsi_live_kind_names[i]);
        *ret_kind = (tcsi_live_kind)i;
        if ((size_t)(dash - id) == size && memcmp(id, tcsi_live_kind_names[i], size) == 0) return *end == 0;
    }
    return false;
}

/* The name of its messages; false: its series is not known any more. */
static bool key_of(const tcsi_explained *e, const char *id, uint32_t number, char ret_key[TCSI_ALERT_ID_SIZE])
{
    tcsi_alert_tag tags[TCSI_ALERT_TAG_COUNT_MAX];
    tcsi_live_kind kind;
    uint64_t onset;
    tcs_error ignored;
    tcsi_key key;
    if (number == TCSI_SERIES_NONE || !read_id(id, &kind, &onset)) return false;
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(e->api->live), number);
    if (tcsi_key_decode(entry->key, entry->key_size, &key, &ignored) != TCS_OK) return false;
    const tcsi_alert alert = { .tags = tags, .tag_count = tcsi_words_alert_tags(&key, kind, e->request->arena, tags),
                               .starts_ns = (int64_t)onset };
    tcsi_alert_id(&alert, TCSI_ALERT_STATE_COUNT, ret_key);
    return true;
}

static tcs_status write_of(const tcsi_explained *e, const char *id, uint32_t number, tcsi_json_writer *writer, tcs_error *err)
{
    char key[TCSI_ALERT_ID_SIZE];
    telling t = { writer, id };
    if (!key_of(e, id, number, key)) return TCS_OK;
    pthread_mutex_lock(&e->api->store_mutex);
    const tcs_status status = tcsi_store_outbox_told(e->api->store, key, write_told, &t, err);
    pthread_mutex_unlock(&e->api->store_mutex);
    return status;
}

tcs_status tcsi_explained_write_told(const tcsi_explained *e, tcsi_json_writer *writer, tcs_error *err)
{
    const tcsi_json_value *incident, *ids;
    tcs_status status = tcsi_explained_incident(e, &incident, &ids, err);
    tcsi_json_key(writer, "told");
    tcsi_json_begin_array(writer);
    if (status == TCS_OK) status = write_of(e, e->id, e->number, writer, err);
    for (size_t i = 0; status == TCS_OK && ids && i < ids->item_count; i++) {
        tcsi_explained other;
        if (ids->items[i].type != TCSI_JSON_STRING || strcmp(ids->items[i].text, e->id) == 0) continue;
        status = tcsi_explained_find(e->api, e->request, ids->items[i].text, &other, err);
        if (status == TCS_OK && other.document) status = write_of(e, other.id, other.number, writer, err);
    }
    tcsi_json_end_array(writer);
    return status;
}
