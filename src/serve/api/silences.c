/* SPDX-License-Identifier: Apache-2.0 */
/* Silences, maintenance windows and acknowledgements.  A handler checks what is asked against the store, so that what goes into the journal
 * can be done; what it then does is told by serve/desk.h. */
#include "serve/api/api.h"

#include "base/clock.h"
#include "serve/deliver/silence_document.h"

#include <stdio.h>
#include <string.h>

enum { SILENCES_MAX = 10000, BODY_MAX = 1 << 15, NOTE_MAX = 1000 };

/* ---- listing ---- */

typedef struct listing {
    tcsi_json_writer writer;
    const tcsi_request *request;
    int64_t now_ns;
    size_t count;
    tcs_status status;
    tcs_error *err;
} listing;

/* The record's document with one key more. */
static bool list_silence(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    const char *state = record->end_ns <= l->now_ns ? "over" : record->begin_ns > l->now_ns ? "pending" : "active";
    const size_t size = strlen(record->document), room = size + 32;
    char *text = tcsi_arena_alloc(l->request->arena, room, 1);
    l->count++;
    if (!text || size < 2) {
        l->status = tcsi_fail_memory(l->err, "a list of silences");
        return false;
    }
    snprintf(text, room, "%.*s,\"state\":\"%s\"}", (int)(size - 1), record->document, state);
    tcsi_json_raw(&l->writer, text);
    return true;
}

static tcs_status list(tcsi_api *api, const tcsi_request *request, tcsi_response *response, tcsi_store_record_kind kind, tcs_error *err)
{
    listing l = { .request = request, .now_ns = tcsi_clock_wall_ns(), .err = err };
    const tcsi_store_record_query asked = { .kind = kind, .from_ns = tcsi_request_flag(request, "over", false) ? 0 : l.now_ns,
                                            .limit = (size_t)tcsi_request_integer(request, "limit", TCSI_API_PAGE) };
    tcsi_json_writer_init(&l.writer, &response->body, false);
    tcsi_json_begin_array(&l.writer);
    tcs_status status = tcsi_api_records(api, &asked, list_silence, &l, err);
    if (status == TCS_OK) status = l.status;
    tcsi_json_end_array(&l.writer);
    return status == TCS_OK ? tcsi_json_finish(&l.writer, err) : status;
}

static tcs_status list_silences(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    return list(context, request, response, TCSI_STORE_SILENCE, err);
}

static tcs_status list_maintenance(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    return list(context, request, response, TCSI_STORE_MAINTENANCE, err);
}

/* ---- beginning one ---- */

static bool count_record(void *context, const tcsi_store_record *record)
{
    (void)record;
    ++*(size_t *)context;
    return true;
}

static tcs_status write_asked(const tcsi_request *request, tcsi_buffer *out, tcs_error *err)
{
    tcsi_silence silence;
    tcsi_json_writer writer;
    tcs_status status = tcsi_silence_ask(request->body, request->body_size, request->received_ns, request->arena, &silence, err);
    tcsi_json_writer_init(&writer, out, false);
    if (status == TCS_OK) tcsi_silence_write(&silence, &writer);
    if (status == TCS_OK) status = tcsi_json_finish(&writer, err);
    tcsi_silence_deinit(&silence);
    return status;
}

static tcs_status begin(tcsi_api *api, const tcsi_request *request, tcsi_response *response, tcsi_action_kind kind, tcs_error *err)
{
    const tcsi_store_record_query those = { .kind = kind == TCSI_ACTION_SILENCE ? TCSI_STORE_SILENCE : TCSI_STORE_MAINTENANCE,
                                            .from_ns = request->received_ns, .limit = SILENCES_MAX };
    char id[TCSI_ACTION_ID_SIZE];
    bool is_kept = false;
    size_t count = 0;
    tcsi_buffer document;
    tcsi_buffer_init(&document, TCSI_ACTION_SIZE_MAX);
    tcs_status status = write_asked(request, &document, err);
    if (status == TCS_OK) status = tcsi_api_records(api, &those, count_record, &count, err);
    const bool is_too_many = status == TCS_OK && count >= SILENCES_MAX;
    if (status == TCS_OK && !is_too_many) status = tcsi_api_act(api, request, kind, "", document.data, id, &is_kept, err);
    tcsi_buffer_deinit(&document);
    if (status != TCS_OK) return status;
    if (!is_too_many) return tcsi_api_reply_id(response, id, is_kept, err);
    tcsi_response_problem(response, request, 409, "silences-too-many", "there are %d already; expected some to be ended first",
                          SILENCES_MAX);
    return TCS_OK;
}

static tcs_status begin_silence(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    return begin(context, request, response, TCSI_ACTION_SILENCE, err);
}

static tcs_status begin_maintenance(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    return begin(context, request, response, TCSI_ACTION_MAINTENANCE, err);
}

/* ---- ending one ---- */

static bool keep_end(void *context, const tcsi_store_record *record)
{
    *(int64_t *)context = record->end_ns;
    return false;
}

static tcs_status end(tcsi_api *api, const tcsi_request *request, tcsi_response *response, tcsi_store_record_kind kind, tcs_error *err)
{
    const tcsi_store_record_query that = { .kind = kind, .id = tcsi_request_text(request, "id"), .limit = 1 };
    char id[TCSI_ACTION_ID_SIZE];
    int64_t end_ns = INT64_MIN;
    bool is_kept;
    tcs_status status = tcsi_api_records(api, &that, keep_end, &end_ns, err);
    if (status != TCS_OK) return status;
    if (end_ns == INT64_MIN)
        tcsi_response_problem(response, request, 404, "silence-unknown", "there is none '%s'", that.id);
    else if (end_ns <= request->received_ns)
        tcsi_response_problem(response, request, 409, "silence-over", "'%s' is over already", that.id);
    else status = tcsi_api_act(api, request, TCSI_ACTION_END, that.id, "", id, &is_kept, err);
    if (status == TCS_OK && response->status == 200) response->status = is_kept ? 204 : 202;
    return status;
}

static tcs_status end_silence(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    return end(context, request, response, TCSI_STORE_SILENCE, err);
}

static tcs_status end_maintenance(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    return end(context, request, response, TCSI_STORE_MAINTENANCE, err);
}

/* ---- acknowledging ---- */

/* {"note": TEXT}, or nothing. */
static tcs_status write_note(const tcsi_request *request, tcsi_buffer *out, tcs_error *err)
{
    const tcsi_json_value *root = NULL, *note = NULL;
    tcsi_json_writer writer;
    tcs_status status = request->body_size == 0 ? TCS_OK : tcsi_json_parse(request->body, request->body_size, request->arena, &root, err);
    if (status != TCS_OK) return status;
    if (root) note = tcsi_json_get(root, "note");
    const bool has_other = root && (root->type != TCSI_JSON_OBJECT || root->item_count > (note ? 1 : 0));
    if (has_other || (note && (note->type != TCSI_JSON_STRING || note->text_size > NOTE_MAX || strlen(note->text) != note->text_size)))
        return tcsi_fail(err, TCS_E_INVALID, "expected {\"note\": a text of at most %d bytes}", NOTE_MAX);
    tcsi_json_writer_init(&writer, out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "note", note ? note->text : "");
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static tcs_status acknowledge(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const tcsi_store_record_query that = { .kind = TCSI_STORE_EPISODE, .id = tcsi_request_text(request, "id"), .limit = 1 };
    char id[TCSI_ACTION_ID_SIZE];
    bool is_kept;
    size_t count = 0;
    tcsi_buffer document;
    tcsi_buffer_init(&document, BODY_MAX);
    tcs_status status = write_note(request, &document, err);
    if (status == TCS_OK) status = tcsi_api_records(api, &that, count_record, &count, err);
    if (status == TCS_OK && count == 0)
        tcsi_response_problem(response, request, 404, "episode-unknown", "there is no episode '%s'", that.id);
    else if (status == TCS_OK)
        status = tcsi_api_act(api, request, TCSI_ACTION_ACKNOWLEDGE, that.id, document.data, id, &is_kept, err);
    if (status == TCS_OK && count > 0) response->status = is_kept ? 204 : 202;
    tcsi_buffer_deinit(&document);
    return status;
}

/* ---- the table ---- */

static const char silence_schema[] =
    "{\"type\":\"object\",\"required\":[\"matchers\",\"to\"],\"additionalProperties\":false,\"properties\":{"
    "\"matchers\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":16,\"items\":{\"type\":\"object\","
    "\"required\":[\"name\",\"op\",\"value\"],\"properties\":{\"name\":{\"type\":\"string\"},"
    "\"op\":{\"enum\":[\"=\",\"!=\",\"=~\",\"!~\"]},\"value\":{\"type\":\"string\"}}}},"
    "\"from\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"},\"to\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"comment\":{\"type\":\"string\",\"maxLength\":255}}}";
static const char silences_schema[] =
    "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"id\",\"matchers\",\"from\",\"to\",\"who\",\"comment\",\"state\"],"
    "\"properties\":{\"id\":{\"type\":\"string\"},\"state\":{\"enum\":[\"pending\",\"active\",\"over\"]}}}}";
static const char id_schema[] = "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"string\"}}}";
static const char note_schema[] = "{\"type\":\"object\",\"properties\":{\"note\":{\"type\":\"string\",\"maxLength\":1000}}}";

#define LIST_PARAMETERS \
    .parameters = { { .name = "over", .type = TCSI_ARGUMENT_FLAG, .help = "also those that are over", .fallback = "false" }, \
                    { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many, the latest to begin first", \
                      .fallback = "100", .low = 1, .high = SILENCES_MAX } }, \
    .answers = { { 200, "They.", "application/json", silences_schema } }
#define BEGIN_BODY \
    .body_max = BODY_MAX, .body_required = true, .request_type = "application/json", .request_schema = silence_schema, \
    .answers = { { 201, "It holds; its id.", "application/json", id_schema }, \
                 { 202, "It holds; the store, which fails, will have it as soon as it works.", "application/json", id_schema }, \
                 { 409, "There are 10,000 already.", NULL, NULL } }
#define END_ANSWERS \
    .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "as the list has it" } }, \
    .answers = { { 204, "It is over.", NULL, NULL }, { 202, "It is over; the store, which fails, will have it as soon as it works.", NULL, \
                                                       NULL }, \
                 { 404, "There is none.", NULL, NULL }, { 409, "It was over already.", NULL, NULL } }

static const tcsi_route table[] = {
    { .method = TCSI_POST, .path = "/api/v1/episodes/{id}/acknowledgement", .role = TCSI_ROLE_ANALYST, .handle = acknowledge,
      .id = "episode_acknowledge", .group = TCSI_API_ACT, .body_max = BODY_MAX, .request_type = "application/json",
      .request_schema = note_schema,
      .summary = "Somebody looks after this episode: those who hear of what nobody acknowledged do not hear of its incident.",
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "as the list of episodes has it" } },
      .answers = { { 204, "It is acknowledged.", NULL, NULL },
                   { 202, "It is; the store, which fails, will have it as soon as it works.", NULL, NULL },
                   { 404, "There is no such episode.", NULL, NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/silences", .role = TCSI_ROLE_VIEWER, .handle = list_silences, .id = "silence_list",
      .group = TCSI_API_ACT, .summary = "Silences: what they match is not told while they hold.", LIST_PARAMETERS },
    { .method = TCSI_POST, .path = "/api/v1/silences", .role = TCSI_ROLE_OPERATOR, .handle = begin_silence, .id = "silence_begin",
      .group = TCSI_API_ACT, .summary = "Be silent of what matches, from a time (now, unless said) to a time.", BEGIN_BODY },
    { .method = TCSI_DELETE, .path = "/api/v1/silences/{id}", .role = TCSI_ROLE_OPERATOR, .handle = end_silence, .id = "silence_end",
      .group = TCSI_API_ACT, .summary = "End a silence: what lasts is told.", END_ANSWERS },
    { .method = TCSI_GET, .path = "/api/v1/maintenance", .role = TCSI_ROLE_VIEWER, .handle = list_maintenance, .id = "maintenance_list",
      .group = TCSI_API_ACT, .summary = "Windows of maintenance: nothing is told, and nothing is learned as an answer.", LIST_PARAMETERS },
    { .method = TCSI_POST, .path = "/api/v1/maintenance", .role = TCSI_ROLE_OPERATOR, .handle = begin_maintenance,
      .id = "maintenance_begin", .group = TCSI_API_ACT, .summary = "Plan a window of maintenance.", BEGIN_BODY },
    { .method = TCSI_DELETE, .path = "/api/v1/maintenance/{id}", .role = TCSI_ROLE_OPERATOR, .handle = end_maintenance,
      .id = "maintenance_end", .group = TCSI_API_ACT, .summary = "End a window of maintenance.", END_ANSWERS },
};

tcs_status tcsi_api_mount_silences(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
