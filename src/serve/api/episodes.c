/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/labelled.h"

#include <string.h>

/* ---- episodes ---- */

typedef struct listing {
    tcsi_json_writer writer;
    const tcsi_api *api;
    const char *kind;           /* only these; NULL: all */
    size_t count;
} listing;

/* Ids begin with the kind. */
static bool list_record(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    if (l->kind && strncmp(record->id, l->kind, strlen(l->kind)) != 0) return true;
    tcsi_labelled_write_episode(l->api, record, &l->writer);
    l->count++;
    return true;
}

static tcs_status query_episodes(tcsi_api *api, const tcsi_store_record_query *query, listing *l, tcs_error *err)
{
    tcs_status status = tcsi_labelled_begin(api, err);
    if (status != TCS_OK) return status;
    status = tcsi_api_records(api, query, list_record, l, err);
    tcsi_labelled_end(api);
    return status;
}

static tcs_status list_episodes(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const char *state = tcsi_request_text(request, "state");
    tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .limit = (size_t)tcsi_request_integer(request, "limit", TCSI_API_PAGE) };
    listing l = { .api = api, .kind = tcsi_request_text(request, "kind") };
    const bool is_span = tcsi_api_time_parameter(request, "from", &query.from_ns, err) &&
                         tcsi_api_time_parameter(request, "to", &query.to_ns, err);
    if (!is_span) return TCS_E_INVALID;
    if (state && strcmp(state, "open") == 0) {
        query.state_min = TCSI_LIVE_SUSPECTED;
        query.state_max = TCSI_LIVE_CONFIRMED;
    } else if (state && strcmp(state, "confirmed") == 0) {
        query.state_min = query.state_max = TCSI_LIVE_CONFIRMED;
    } else if (state) {
        query.state_min = TCSI_LIVE_RESOLVED;
        query.state_max = TCSI_LIVE_DISMISSED;
    }
    tcsi_json_writer_init(&l.writer, &response->body, false);
    tcsi_json_begin_object(&l.writer);
    tcsi_json_key(&l.writer, "episodes");
    tcsi_json_begin_array(&l.writer);
    const tcs_status status = query_episodes(api, &query, &l, err);
    tcsi_json_end_array(&l.writer);
    tcsi_json_end_object(&l.writer);
    return status == TCS_OK ? tcsi_json_finish(&l.writer, err) : status;
}

static tcs_status get_episode(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_api *api = context;
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .id = tcsi_request_text(request, "id"), .limit = 1 };
    listing l = { .api = api };
    tcsi_json_writer_init(&l.writer, &response->body, false);
    const tcs_status status = query_episodes(api, &query, &l, err);
    if (status != TCS_OK) return status;
    if (l.count > 0) return tcsi_json_finish(&l.writer, err);
    tcsi_response_problem(response, request, 404, "episode-unknown", "there is no episode '%s'", query.id);
    return TCS_OK;
}

/* ---- the table ---- */

static const char episode_schema[] =
    "{\"type\":\"object\",\"required\":[\"id\",\"kind\",\"state\",\"series\",\"begin\",\"updated\",\"severity\",\"summary\"],"
    "\"properties\":{\"id\":{\"type\":\"string\"},\"kind\":{\"enum\":[\"anomaly\",\"absence\",\"stuck\",\"stale\",\"late\",\"cadence\","
    "\"limit\",\"missed\"]},\"value\":{\"type\":\"number\"},\"limit\":{\"type\":\"number\"},"
    "\"state\":{\"enum\":[\"suspected\",\"confirmed\",\"resolved\",\"dismissed\"]},\"severity\":{\"type\":\"number\"}}}";
static const char episodes_schema[] =
    "{\"type\":\"object\",\"required\":[\"episodes\"],\"properties\":{\"episodes\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}";

static const tcsi_route table[] = {
    { .method = TCSI_GET, .path = "/api/v1/episodes", .role = TCSI_ROLE_VIEWER, .handle = list_episodes, .id = "episode_list",
      .group = TCSI_API_ASK, .summary = "Episodes, the newest first.",
      .parameters = { { .name = "state", .type = TCSI_ARGUMENT_CHOICE, .help = "only those", .choices = "open|confirmed|over" },
                      { .name = "kind", .type = TCSI_ARGUMENT_CHOICE, .help = "only those", .choices = TCSI_LIVE_KIND_CHOICES "|missed" },
                      { .name = "from", .type = TCSI_ARGUMENT_TEXT, .help = "that last into the time from here" },
                      { .name = "to", .type = TCSI_ARGUMENT_TEXT, .help = "to here" },
                      { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many", .fallback = "100", .low = 1,
                        .high = TCSI_API_PAGE_MAX } },
      .answers = { { 200, "The episodes.", "application/json", episodes_schema } } },
    { .method = TCSI_GET, .path = "/api/v1/episodes/{id}", .role = TCSI_ROLE_VIEWER, .handle = get_episode, .id = "episode_get",
      .group = TCSI_API_ASK, .summary = "One episode.",
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "as the list has it" } },
      .answers = { { 200, "The episode.", "application/json", episode_schema }, { 404, "There is none.", NULL, NULL } } },
};

tcs_status tcsi_api_mount_episodes(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
