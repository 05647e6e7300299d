/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a decision: everything that is known of one episode, in one document that can be filed: what was decided and why, by which
 * model and budget, what people said and did about it with the hashes of the audit log, and whether it can be judged again. */
#include "serve/api/api.h"

#include "serve/api/explained.h"
#include "serve/api/labelled.h"
#include "serve/audit_entry.h"
#include "serve/why/grounds_json.h"

#include <string.h>

typedef struct recording {
    const tcsi_api *api;
    tcsi_json_writer writer;
    const char *episode;
    const char *const *answers; /* ids of what was said about it */
    size_t answer_count;
    uint64_t sequence;          /* of the record that told it last; 0: not known */
    bool is_found;
    tcsi_arena *arena;
} recording;

static bool write_episode(void *context, const tcsi_store_record *record)
{
    recording *r = context;
    const tcsi_json_value *root;
    tcs_error ignored;
    r->is_found = true;
    tcsi_labelled_write_episode(r->api, record, &r->writer);
    if (tcsi_json_parse(record->document, strlen(record->document), r->arena, &root, &ignored) != TCS_OK) return true;
    const tcsi_json_value *sequence = tcsi_json_get(root, "sequence");
    if (sequence && sequence->type == TCSI_JSON_NUMBER && sequence->number > 0) r->sequence = (uint64_t)sequence->number;
    return true;
}

typedef struct labels {
    const char **ids;
    size_t count, capacity;
    tcsi_arena *arena;
} labels;

static bool keep_label(void *context, const tcsi_store_label *label)
{
    labels *l = context;
    if (l->count == l->capacity) return false;
    const char *id = tcsi_arena_strndup(l->arena, label->id, strlen(label->id));
    if (id) l->ids[l->count++] = id;
    return id != NULL;
}

static bool is_about(const recording *r, const tcsi_store_audit_entry *entry)
{
    bool is_answer = false;
    for (size_t i = 0; i < r->answer_count; i++)
        is_answer |= strcmp(entry->object, r->answers[i]) == 0 || strcmp(entry->id, r->answers[i]) == 0;
    return is_answer || strcmp(entry->object, r->episode) == 0;
}

static bool write_entry(void *context, const tcsi_store_audit_entry *entry)
{
    recording *r = context;
    if (is_about(r, entry)) tcsi_audit_entry_write(entry, &r->writer);
    return true;
}

/* Whether the journal still has what it was judged from. */
static void write_journal(recording *r)
{
    const tcsi_journal_stats journal = tcsi_journal_stat(tcsi_intake_journal(r->api->intake));
    tcsi_json_key(&r->writer, "journal");
    tcsi_json_begin_object(&r->writer);
    tcsi_json_put_integer(&r->writer, "sequence", (int64_t)r->sequence);
    tcsi_json_put_integer(&r->writer, "kept_from", (int64_t)journal.sequence_first);
    tcsi_json_put_bool(&r->writer, "can_be_judged_again", r->sequence && journal.sequence_first <= 1);
    tcsi_json_end_object(&r->writer);
}

static tcs_status write_parts(tcsi_api *api, recording *r, tcs_error *err)
{
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .id = r->episode, .limit = 1 };
    enum { ANSWERS_MAX = 1000 };
    labels l = { .ids = TCSI_ARENA_NEW(r->arena, const char *, ANSWERS_MAX), .capacity = ANSWERS_MAX, .arena = r->arena };
    if (!l.ids) return tcsi_fail_memory(err, "a record");
    tcsi_json_key(&r->writer, "episode");
    pthread_mutex_lock(&api->store_mutex);
    tcs_status status = tcsi_store_record_list(api->store, &query, write_episode, r, err);
    if (status == TCS_OK && r->is_found) status = tcsi_store_label_list(api->store, r->episode, 0, 0, keep_label, &l, err);
    r->answers = l.ids;
    r->answer_count = l.count;
    if (!r->is_found) tcsi_json_null(&r->writer);
    tcsi_json_key(&r->writer, "audit");
    tcsi_json_begin_array(&r->writer);
    if (status == TCS_OK && r->is_found) status = tcsi_store_audit_list(api->store, 0, 0, write_entry, r, err);
    pthread_mutex_unlock(&api->store_mutex);
    tcsi_json_end_array(&r->writer);
    return status;
}

/* What it was judged by, and who was told what. */
static tcs_status write_told(tcsi_api *api, const tcsi_request *request, recording *r, tcs_error *err)
{
    tcsi_explained explained;
    tcs_status status = tcsi_explained_find(api, request, r->episode, &explained, err);
    if (status != TCS_OK) return status;
    tcsi_json_key(&r->writer, "grounds");
    if (explained.grounds.sequence) tcsi_grounds_write(&explained.grounds, &r->writer);
    else tcsi_json_null(&r->writer);
    return tcsi_explained_write_told(&explained, &r->writer, err);
}

static tcs_status get_record(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    recording r = { .api = api, .episode = tcsi_request_text(request, "id"), .arena = request->arena };
    tcs_status status = tcsi_labelled_begin(api, err);
    if (status != TCS_OK) return status;
    tcsi_json_writer_init(&r.writer, &response->body, false);
    tcsi_json_begin_object(&r.writer);
    status = write_parts(api, &r, err);
    tcsi_labelled_end(api);
    tcsi_json_put_number(&r.writer, "alarms_per_day_allowed", 86400 * tcsi_live_budget(api->live));
    write_journal(&r);
    if (status == TCS_OK && r.is_found) status = write_told(api, request, &r, err);
    tcsi_json_end_object(&r.writer);
    if (status == TCS_OK && r.is_found) return tcsi_json_finish(&r.writer, err);
    tcsi_buffer_clear(&response->body);
    if (status == TCS_OK) tcsi_response_problem(response, request, 404, "episode-unknown", "there is no episode '%s'", r.episode);
    return status;
}

/* ---- the table ---- */

static const char record_schema[] =
    "{\"type\":\"object\",\"required\":[\"episode\",\"audit\",\"journal\",\"grounds\",\"told\"],\"properties\":{"
    "\"episode\":{\"type\":\"object\"},"
    "\"audit\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"journal\":{\"type\":\"object\"}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/episodes/{id}/record", .role = TCSI_ROLE_VIEWER, .handle = get_record, .id = "episode_record",
      .group = TCSI_API_ASK, .summary = "The record of a decision: everything that is known of one episode, to be filed.",
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "as the list has it" } },
      .answers = { { 200, "The record.", "application/json", record_schema }, { 404, "There is no such episode.", NULL, NULL } } },
};

tcs_status tcsi_api_mount_record(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
