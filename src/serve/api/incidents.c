/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/explained.h"

#include <string.h>

enum { RELATED_MAX = 200 };

typedef struct listing {
    tcsi_json_writer writer;
    size_t count;
} listing;

static bool list_record(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    tcsi_json_raw(&l->writer, record->document);
    l->count++;
    return true;
}

static tcs_status list_incidents(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const char *state = tcsi_request_text(request, "state");
    tcsi_store_record_query asked = { .kind = TCSI_STORE_INCIDENT, .limit = (size_t)tcsi_request_integer(request, "limit", TCSI_API_PAGE) };
    listing l = { .count = 0 };
    if (state && strcmp(state, "open") == 0) {
        asked.state_min = TCSI_LIVE_SUSPECTED;
        asked.state_max = TCSI_LIVE_CONFIRMED;
    } else if (state && strcmp(state, "confirmed") == 0) {
        asked.state_min = asked.state_max = TCSI_LIVE_CONFIRMED;
    } else if (state) {
        asked.state_min = TCSI_LIVE_RESOLVED;
        asked.state_max = TCSI_LIVE_DISMISSED;
    }
    tcsi_json_writer_init(&l.writer, &response->body, false);
    tcsi_json_begin_object(&l.writer);
    tcsi_json_key(&l.writer, "incidents");
    tcsi_json_begin_array(&l.writer);
    const tcs_status status = tcsi_api_records(context, &asked, list_record, &l, err);
    tcsi_json_end_array(&l.writer);
    tcsi_json_end_object(&l.writer);
    return status == TCS_OK ? tcsi_json_finish(&l.writer, err) : status;
}

static tcs_status get_incident(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_store_record_query asked = { .kind = TCSI_STORE_INCIDENT, .id = tcsi_request_text(request, "id"), .limit = 1 };
    listing l = { .count = 0 };
    tcsi_json_writer_init(&l.writer, &response->body, false);
    const tcs_status status = tcsi_api_records(context, &asked, list_record, &l, err);
    if (status != TCS_OK) return status;
    if (l.count > 0) return tcsi_json_finish(&l.writer, err);
    tcsi_response_problem(response, request, 404, "incident-unknown", "there is no incident '%s'", asked.id);
    return TCS_OK;
}

/* ---- what an episode may have to do with ---- */

typedef struct relating {
    tcsi_json_writer writer;
    tcsi_arena *arena;
    const char *id;             /* of the episode that is asked about */
    const tcsi_json_value *ids; /* of its incident's episodes, told already; NULL: none are */
} relating;

static void relate(relating *r, const tcsi_json_value *document)
{
    static const char *const keys[] = { "id", "series", "begin", "kind", "state" };
    const tcsi_json_value *number = tcsi_json_get(document, "number");
    tcsi_json_begin_object(&r->writer);
    for (size_t i = 0; i < TCS_COUNT(keys); i++) tcsi_json_put_string(&r->writer, keys[i], tcsi_json_text_of(document, keys[i]));
    if (number && number->type == TCSI_JSON_NUMBER) tcsi_json_put_integer(&r->writer, "number", (int64_t)number->number);
    tcsi_json_end_object(&r->writer);
}

static bool is_told(const relating *r, const char *id)
{
    for (size_t i = 0; r->ids && i < r->ids->item_count; i++)
        if (r->ids->items[i].type == TCSI_JSON_STRING && strcmp(r->ids->items[i].text, id) == 0) return true;
    return false;
}

/* An episode at the same time. */
static bool relate_record(void *context, const tcsi_store_record *record)
{
    relating *r = context;
    const tcsi_json_value *document;
    tcs_error failure;
    if (strcmp(record->id, r->id) == 0 || is_told(r, record->id)) return true;
    if (tcsi_json_parse(record->document, strlen(record->document), r->arena, &document, &failure) == TCS_OK) relate(r, document);
    return true;
}

/* Those of the same incident. */
static tcs_status relate_incident(const tcsi_explained *episode, relating *r, tcs_error *err)
{
    const tcsi_json_value *incident;
    tcs_status status = tcsi_explained_incident(episode, &incident, &r->ids, err);
    for (size_t i = 0; status == TCS_OK && r->ids && i < r->ids->item_count; i++) {
        const tcsi_json_value *id = &r->ids->items[i];
        tcsi_explained other;
        if (id->type != TCSI_JSON_STRING || strcmp(id->text, r->id) == 0) continue;
        status = tcsi_explained_find(episode->api, episode->request, id->text, &other, err);
        if (status == TCS_OK && other.document) relate(r, other.document);
    }
    return status;
}

static tcs_status list_related(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    relating r = { .arena = request->arena, .id = tcsi_request_text(request, "id") };
    tcsi_explained e;
    tcs_status status = tcsi_explained_find(api, request, r.id, &e, err);
    if (status != TCS_OK) return status;
    if (!e.document) {
        tcsi_response_problem(response, request, 404, "episode-unknown", "there is no episode '%s'", r.id);
        return TCS_OK;
    }
    tcsi_json_writer_init(&r.writer, &response->body, false);
    tcsi_json_begin_object(&r.writer);
    tcsi_json_key(&r.writer, "related");
    tcsi_json_begin_array(&r.writer);
    status = relate_incident(&e, &r, err);
    const tcsi_store_record_query around = { .kind = TCSI_STORE_EPISODE, .from_ns = e.begin_ns, .to_ns = e.end_ns, .limit = RELATED_MAX };
    if (status == TCS_OK) status = tcsi_api_records(api, &around, relate_record, &r, err);
    tcsi_json_end_array(&r.writer);
    tcsi_json_end_object(&r.writer);
    return status == TCS_OK ? tcsi_json_finish(&r.writer, err) : status;
}

/* ---- the table ---- */

static const char incident_schema[] =
    "{\"type\":\"object\",\"required\":[\"id\",\"state\",\"begin\",\"severity\",\"series_count\",\"episodes\",\"summary\"],\"properties\":{"
    "\"id\":{\"type\":\"string\"},\"state\":{\"enum\":[\"suspected\",\"confirmed\",\"resolved\",\"dismissed\"]},"
    "\"severity\":{\"type\":\"number\"},\"series_count\":{\"type\":\"integer\"},\"episode_count\":{\"type\":\"integer\"},"
    "\"shared\":{\"type\":\"object\"},\"episodes\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}}}";
static const char incidents_schema[] =
    "{\"type\":\"object\",\"required\":[\"incidents\"],"
    "\"properties\":{\"incidents\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}";
static const char related_schema[] =
    "{\"type\":\"object\",\"required\":[\"related\"],\"properties\":{\"related\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/incidents", .role = TCSI_ROLE_VIEWER, .handle = list_incidents, .id = "incident_list",
      .group = TCSI_API_ASK, .summary = "Episodes that belong together, the newest first.",
      .parameters = { { .name = "state", .type = TCSI_ARGUMENT_CHOICE, .help = "only those", .choices = "open|confirmed|over" },
                      { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many", .fallback = "100", .low = 1,
                        .high = TCSI_API_PAGE_MAX } },
      .answers = { { 200, "The incidents.", "application/json", incidents_schema } } },
    { .method = TCSI_GET, .path = "/api/v1/incidents/{id}", .role = TCSI_ROLE_VIEWER, .handle = get_incident, .id = "incident_get",
      .group = TCSI_API_ASK, .summary = "One incident.",
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "as the list has it" } },
      .answers = { { 200, "The incident.", "application/json", incident_schema }, { 404, "There is none.", NULL, NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/episodes/{id}/related", .role = TCSI_ROLE_VIEWER, .handle = list_related,
      .id = "episode_related", .group = TCSI_API_ASK, .summary = "Episodes of the same incident, and then those at the same time.",
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "of the episode" } },
      .answers = { { 200, "The episodes.", "application/json", related_schema }, { 404, "There is none.", NULL, NULL } } },
};

tcs_status tcsi_api_mount_incidents(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
