/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/keep_incident.h"

#include "base/json.h"
#include "series/time.h"
#include "serve/shard/live.h"

#include <stdio.h>
#include <string.h>

enum { DESCRIBED_MAX = 10 };

static void read_places(const tcsi_json_value *list, tcsi_coincidence_options *options)
{
    if (!list || list->type != TCSI_JSON_ARRAY || list->item_count == 0) return;
    options->place_count = 0;
    for (size_t i = 0; i < list->item_count && i < TCSI_PLACE_COUNT_MAX; i++) {
        char *place = options->places[options->place_count];
        memset(place, 0, TCSI_PLACE_NAME_SIZE);
        if (list->items[i].type == TCSI_JSON_STRING) snprintf(place, TCSI_PLACE_NAME_SIZE, "%s", list->items[i].text);
        options->place_count += *place != 0;
    }
}

void tcsi_keep_incidents_act(tcsi_incidents *incidents, const tcsi_action *action)
{
    const double alarms_per_s = incidents->coincidence.options.alarms_per_s;
    const bool is_rules = strcmp(action->object, TCSI_SETTING_RULES) == 0;
    tcsi_coincidence_options options = is_rules ? tcsi_coincidence_options_default(alarms_per_s) : incidents->coincidence.options;
    const tcsi_json_value *root, *value;
    tcsi_arena arena;
    tcs_error ignored;
    if (action->kind != TCSI_ACTION_SETTING || (!is_rules && strcmp(action->object, TCSI_SETTING_BUDGET) != 0)) return;
    tcsi_arena_init(&arena, 0);
    if (tcsi_json_parse(action->document, strlen(action->document), &arena, &root, &ignored) == TCS_OK) {
        value = tcsi_json_get(root, is_rules ? "within_s" : "value");
        const bool is_number = value && value->type == TCSI_JSON_NUMBER && value->number >= 0 && value->number < 1e9;
        if (is_number && is_rules) options.within_ns = (int64_t)(value->number * 1e9);
        else if (is_number) options.alarms_per_s = value->number;
        if (is_rules) read_places(tcsi_json_get(root, "places"), &options);
        tcsi_incidents_set(incidents, &options);
    }
    tcsi_arena_deinit(&arena);
}

/* ---- words ---- */

/* A line for each of the first ones: "absence of up{instance="db1"}". */
static void list_members(const tcsi_incident *incident, const tcsi_directory *directory, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < incident->member_count && i < DESCRIBED_MAX; i++) {
        const tcsi_incident_member *member = &incident->members[i];
        const tcsi_directory_entry *entry = tcsi_directory_entry_of(directory, member->number);
        tcsi_buffer name;
        tcsi_key key;
        tcs_error err;
        tcsi_buffer_init(&name, 4 * TCSI_KEY_SIZE_MAX);
        if (tcsi_key_decode(entry->key, entry->key_size, &key, &err) == TCS_OK && tcsi_key_print(&key, &name, &err) == TCS_OK) {
            const int length = snprintf(text + used, size - used, "%s%s of %s", used ? "\n" : "", tcsi_live_kind_names[member->kind],
                                        name.data);
            if (length > 0 && (size_t)length < size - used) used += (size_t)length;
            else text[used] = 0; /* whole lines only */
        }
        tcsi_buffer_deinit(&name);
    }
    if (incident->episode_count > DESCRIBED_MAX && used < size)
        snprintf(text + used, size - used, "\nand %u more", (unsigned)(incident->episode_count - DESCRIBED_MAX));
}

void tcsi_keep_incident_describe(const tcsi_incidents *incidents, const tcsi_directory *directory, uint64_t serial,
                                 tcsi_keep_incident_words *words)
{
    const tcsi_incident *incident = tcsi_incidents_get(incidents, serial);
    words->id[0] = words->description[0] = 0;
    if (!incident) return;
    memcpy(words->id, incident->id, sizeof words->id);
    if (incident->series_count < 2) return;
    tcsi_incident_summary(incidents, incident, words->summary);
    list_members(incident, directory, words->description, sizeof words->description);
}

/* ---- documents ---- */

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    (void)tcsi_time_format_iso(time_ns, text, sizeof text);
    tcsi_json_put_string(writer, key, text);
}

static void put_episodes(const tcsi_incident *incident, const tcsi_directory *directory, tcsi_json_writer *writer)
{
    tcsi_json_key(writer, "episodes");
    tcsi_json_begin_array(writer);
    for (size_t i = 0; i < incident->member_count; i++) {
        const tcsi_incident_member *member = &incident->members[i];
        char id[TCSI_EPISODE_ID_SIZE];
        tcsi_words_episode_id(tcsi_directory_entry_of(directory, member->number), (tcsi_live_kind)member->kind, member->begin_ns, id);
        tcsi_json_string(writer, id);
    }
    tcsi_json_end_array(writer);
}

tcs_status tcsi_keep_incident_write(const tcsi_incidents *incidents, const tcsi_incident *incident, const tcsi_directory *directory,
                                    tcsi_buffer *out, tcs_error *err)
{
    const tcsi_coincidence_options *options = &incidents->coincidence.options;
    const tcsi_incident *into = incident->merged_into ? tcsi_incidents_get(incidents, incident->merged_into) : NULL;
    char summary[TCSI_SENTENCE_SIZE];
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "id", incident->id);
    tcsi_json_put_string(&writer, "state", tcsi_live_state_names[incident->state]);
    put_time(&writer, "begin", incident->begin_ns);
    put_time(&writer, "updated", incident->updated_ns);
    if (incident->end_ns) put_time(&writer, "end", incident->end_ns);
    tcsi_json_put_number(&writer, "severity", incident->severity);
    tcsi_json_put_integer(&writer, "series_count", incident->series_count);
    tcsi_json_put_integer(&writer, "episode_count", incident->episode_count);
    tcsi_json_put_integer(&writer, "open_count", incident->open_count);
    if (into) tcsi_json_put_string(&writer, "merged_into", into->id);
    tcsi_json_key(&writer, "shared");
    tcsi_json_begin_object(&writer);
    for (size_t i = 0; i < options->place_count; i++)
        if (incident->shared[i]) tcsi_json_put_string(&writer, options->places[i], incident->shared[i]);
    tcsi_json_end_object(&writer);
    put_episodes(incident, directory, &writer);
    tcsi_incident_summary(incidents, incident, summary);
    tcsi_json_put_string(&writer, "summary", summary);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}
