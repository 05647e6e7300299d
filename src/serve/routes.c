/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/routes.h"

#include "base/clock.h"
#include "base/json.h"
#include "series/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_MAX = 1000, PAGE = 100 };
static const int64_t RETRY_NS = INT64_C(1000000000);

/* ---- rows in ---- */

static char *number_text(const tcsi_request *request, uint64_t number)
{
    char *text = tcsi_arena_alloc(request->arena, 24, 1);
    if (text) snprintf(text, 24, "%llu", (unsigned long long)number);
    return text;
}

static void put_header(const tcsi_request *request, tcsi_response *response, const char *name, uint64_t number)
{
    const char *text = number_text(request, number);
    if (text) tcsi_response_header(response, name, text);
}

static tcs_status take(void *context, const tcsi_request *request, tcsi_response *response, tcsi_ingest_route route)
{
    const tcsi_routes *routes = context;
    tcsi_intake_reply reply;
    const bool has_precision = tcsi_route_parameter(request->route, "precision") != NULL;
    const tcsi_ingest_facts facts = { .route = route, .content_type = tcsi_request_header(request, "Content-Type"),
                                      .content_encoding = tcsi_request_header(request, "Content-Encoding"),
                                      .precision = has_precision ? tcsi_request_text(request, "precision") : NULL };
    tcsi_intake_take(routes->intake, &facts, request->body ? request->body : "", request->body_size, request->received_ns,
                     &response->body, &reply);
    response->status = reply.http.code;
    if (reply.http.content_type) response->content_type = reply.http.content_type;
    if (reply.http.has_written) {
        put_header(request, response, "X-Prometheus-Remote-Write-Samples-Written", reply.http.samples_written);
        put_header(request, response, "X-Prometheus-Remote-Write-Histograms-Written", reply.http.histograms_written);
        put_header(request, response, "X-Prometheus-Remote-Write-Exemplars-Written", reply.http.exemplars_written);
    }
    if (reply.is_retry) tcsi_response_retry_after(response, request, RETRY_NS);
    return TCS_OK;
}

static tcs_status take_remote_write(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)err;
    return take(context, request, response, TCSI_ROUTE_REMOTE_WRITE);
}

static tcs_status take_otlp(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)err;
    return take(context, request, response, TCSI_ROUTE_OTLP);
}

static tcs_status take_line_protocol(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)err;
    return take(context, request, response, TCSI_ROUTE_LINE_PROTOCOL);
}

static tcs_status take_ndjson(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)err;
    return take(context, request, response, TCSI_ROUTE_NDJSON);
}

/* ---- series ---- */

typedef struct seen_series {
    tcsi_live_series series;
} seen_series;

static void look(void *context, const tcsi_cell *cell, const tcsi_live_series *series)
{
    (void)cell;
    ((seen_series *)context)->series = *series;
}

static void put_time(tcsi_json_writer *writer, const char *key, int64_t time_ns)
{
    char text[TCSI_TIME_TEXT_SIZE];
    if (tcsi_time_format_iso(time_ns, text, sizeof text) > 0) tcsi_json_put_string(writer, key, text);
}

static tcs_status write_series(const tcsi_routes *routes, uint32_t number, tcsi_json_writer *writer, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(tcsi_live_directory(routes->live), number);
    seen_series seen;
    tcsi_buffer name;
    tcsi_key key;
    double expected, deviation;
    tcsi_buffer_init(&name, 4 * TCSI_KEY_SIZE_MAX);
    tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &key, err);
    if (status == TCS_OK) status = tcsi_key_print(&key, &name, err);
    if (status == TCS_OK && !tcsi_live_ask(routes->live, number, look, &seen)) status = tcsi_fail_memory(err, "a question");
    if (status == TCS_OK) {
        tcsi_residual_chart_expect(&seen.series.chart, &expected, &deviation);
        tcsi_json_begin_object(writer);
        tcsi_json_put_integer(writer, "number", number);
        tcsi_json_put_string(writer, "series", name.data);
        tcsi_json_put_string(writer, "readiness", tcsi_live_readiness_names[tcsi_live_series_readiness(&seen.series)]);
        put_time(writer, "first_seen", entry->first_seen_ns);
        if (seen.series.arrival.newest_ns[0] != INT64_MIN) put_time(writer, "last_row", seen.series.arrival.newest_ns[0]);
        if (seen.series.cadence_s > 0) tcsi_json_put_number(writer, "cadence_seconds", (double)seen.series.cadence_s);
        if (seen.series.chart.count > 0) {
            tcsi_json_put_number(writer, "value", seen.series.chart.last);
            tcsi_json_put_number(writer, "expected", expected);
            tcsi_json_put_number(writer, "deviation", deviation);
        }
        tcsi_json_put_bool(writer, "is_rate", seen.series.kind != TCSI_SERIES_GAUGE);
        tcsi_json_put_bool(writer, "is_anomalous", seen.series.anomaly.begin_sequence != 0);
        tcsi_json_put_bool(writer, "is_absent", seen.series.absence_sequence != 0);
        tcsi_json_put_bool(writer, "is_stuck", seen.series.stuck_sequence != 0);
        tcsi_json_end_object(writer);
    }
    tcsi_buffer_deinit(&name);
    return status;
}

static tcs_status list_series(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_routes *routes = context;
    const uint32_t count = tcsi_directory_count(tcsi_live_directory(routes->live));
    const int64_t after = tcsi_request_integer(request, "after", -1), limit = tcsi_request_integer(request, "limit", PAGE);
    tcsi_json_writer writer;
    tcs_status status = TCS_OK;
    uint32_t number = (uint32_t)(after + 1 < (int64_t)count ? after + 1 : (int64_t)count);
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_integer(&writer, "count", count);
    tcsi_json_key(&writer, "series");
    tcsi_json_begin_array(&writer);
    for (int64_t i = 0; status == TCS_OK && i < limit && number < count; i++, number++) status = write_series(routes, number, &writer, err);
    tcsi_json_end_array(&writer);
    if (number < count) tcsi_json_put_integer(&writer, "next_after", (int64_t)number - 1);
    tcsi_json_end_object(&writer);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

static tcs_status get_series(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_routes *routes = context;
    const int64_t number = tcsi_request_integer(request, "number", -1);
    tcsi_json_writer writer;
    if (number < 0 || number >= (int64_t)tcsi_directory_count(tcsi_live_directory(routes->live))) {
        tcsi_response_problem(response, request, 404, "series-unknown", "there is no series %lld", (long long)number);
        return TCS_OK;
    }
    tcsi_json_writer_init(&writer, &response->body, false);
    const tcs_status status = write_series(routes, (uint32_t)number, &writer, err);
    return status == TCS_OK ? tcsi_json_finish(&writer, err) : status;
}

/* ---- episodes ---- */

typedef struct listing {
    tcsi_json_writer writer;
    const char *kind;           /* only these; NULL: all */
    size_t count;
} listing;

/* Ids begin with the kind. */
static bool list_record(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    if (l->kind && strncmp(record->id, l->kind, strlen(l->kind)) != 0) return true;
    tcsi_json_raw(&l->writer, record->document);
    l->count++;
    return true;
}

static tcs_status query_episodes(tcsi_routes *routes, const tcsi_store_record_query *query, listing *l, tcs_error *err)
{
    pthread_mutex_lock(&routes->store_mutex);
    const tcs_status status = tcsi_store_record_list(routes->store, query, list_record, l, err);
    pthread_mutex_unlock(&routes->store_mutex);
    return status;
}

static bool time_parameter(const tcsi_request *request, const char *name, int64_t *ret_ns, tcs_error *err)
{
    const tcsi_time_format iso = { .kind = TCSI_TIME_ISO };
    const char *text = tcsi_request_text(request, name);
    if (!text || tcsi_time_parse(&iso, text, strlen(text), ret_ns)) return true;
    (void)!tcsi_fail(err, TCS_E_INVALID, "%s is '%s', expected a time like 2026-01-05T00:00:00Z or seconds since 1970", name, text);
    return false;
}

static tcs_status list_episodes(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_routes *routes = context;
    const char *state = tcsi_request_text(request, "state");
    tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .limit = (size_t)tcsi_request_integer(request, "limit", PAGE) };
    listing l = { .kind = tcsi_request_text(request, "kind") };
    if (!time_parameter(request, "from", &query.from_ns, err) || !time_parameter(request, "to", &query.to_ns, err)) return TCS_E_INVALID;
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
    const tcs_status status = query_episodes(routes, &query, &l, err);
    tcsi_json_end_array(&l.writer);
    tcsi_json_end_object(&l.writer);
    return status == TCS_OK ? tcsi_json_finish(&l.writer, err) : status;
}

static tcs_status get_episode(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_routes *routes = context;
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .id = tcsi_request_text(request, "id"), .limit = 1 };
    listing l = { 0 };
    tcsi_json_writer_init(&l.writer, &response->body, false);
    const tcs_status status = query_episodes(routes, &query, &l, err);
    if (status != TCS_OK) return status;
    if (l.count > 0) return tcsi_json_finish(&l.writer, err);
    tcsi_response_problem(response, request, 404, "episode-unknown", "there is no episode '%s'", query.id);
    return TCS_OK;
}

/* ---- how it goes ---- */

static tcs_status get_status(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_routes *routes = context;
    const tcsi_live_stats live = tcsi_live_stat(routes->live);
    const tcsi_journal_stats journal = tcsi_journal_stat(tcsi_intake_journal(routes->intake));
    const tcsi_intake_stats intake = tcsi_intake_stat(routes->intake);
    tcsi_json_writer writer;
    (void)request;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    put_time(&writer, "started", routes->started_ns);
    put_time(&writer, "now", tcsi_clock_wall_ns());
    tcsi_json_put_integer(&writer, "series", (int64_t)live.series_count);
    tcsi_json_put_integer(&writer, "rows_scored", (int64_t)live.row_count);
    tcsi_json_put_integer(&writer, "rows_unusual", (int64_t)live.unusual_count);
    tcsi_json_put_integer(&writer, "rows_waiting", (int64_t)live.waiting_row_count);
    tcsi_json_put_number(&writer, "latency_p50_seconds", tcsi_live_latency(&live, 0.5));
    tcsi_json_put_number(&writer, "latency_p99_seconds", tcsi_live_latency(&live, 0.99));
    tcsi_json_put_integer(&writer, "requests", (int64_t)intake.request_count);
    tcsi_json_put_integer(&writer, "requests_refused", (int64_t)intake.refused_count);
    tcsi_json_put_integer(&writer, "journal_first", (int64_t)journal.sequence_first);
    tcsi_json_put_integer(&writer, "journal_next", (int64_t)journal.sequence_next);
    tcsi_json_put_integer(&writer, "journal_failures", (int64_t)journal.failure_count);
    tcsi_json_key(&writer, "samples");
    tcsi_json_begin_object(&writer);
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++)
        tcsi_json_put_integer(&writer, tcsi_outcome_name((tcsi_outcome)i), (int64_t)(live.outcomes[i] + intake.outcomes[i]));
    tcsi_json_end_object(&writer);
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

/* ---- the table ---- */

#define ROWS "Rows in"
#define ASK "What is known"
#define BODY_MAX ((size_t)16 << 20)

static const char series_schema[] =
    "{\"type\":\"object\",\"required\":[\"number\",\"series\",\"readiness\"],\"properties\":{\"number\":{\"type\":\"integer\"},"
    "\"series\":{\"type\":\"string\"},\"readiness\":{\"enum\":[\"new\",\"learning\",\"ready\",\"ended\"]}}}";
static const char list_schema[] =
    "{\"type\":\"object\",\"required\":[\"count\",\"series\"],\"properties\":{\"count\":{\"type\":\"integer\"},"
    "\"series\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},\"next_after\":{\"type\":\"integer\"}}}";
static const char episode_schema[] =
    "{\"type\":\"object\",\"required\":[\"id\",\"kind\",\"state\",\"series\",\"begin\",\"updated\",\"severity\",\"summary\"],"
    "\"properties\":{\"id\":{\"type\":\"string\"},\"kind\":{\"enum\":[\"anomaly\",\"absence\",\"stuck\"]},"
    "\"state\":{\"enum\":[\"suspected\",\"confirmed\",\"resolved\",\"dismissed\"]},\"severity\":{\"type\":\"number\"}}}";
static const char episodes_schema[] =
    "{\"type\":\"object\",\"required\":[\"episodes\"],\"properties\":{\"episodes\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}";

#define TAKEN                                                                       \
    { 204, "Every sample was taken, and is durable.", NULL, NULL },                  \
    { 400, "The body cannot be read, or samples were refused.", NULL, NULL },        \
    { 413, "Larger than a request may be.", NULL, NULL },                            \
    { 415, "Another type or compression.", NULL, NULL },                             \
    { 429, "Too many rows wait: come again after Retry-After.", NULL, NULL },        \
    { 503, "The disk or the service failed; nothing was taken.", NULL, NULL }

static const tcsi_route table[] = {
    { .method = TCSI_POST, .path = "/api/v1/write", .role = TCSI_ROLE_OPERATOR, .handle = take_remote_write, .id = "write", .group = ROWS,
      .summary = "Prometheus remote-write 1.0 and 2.0, by content type.", .body_max = BODY_MAX, .body_required = true,
      .answers = { TAKEN } },
    { .method = TCSI_POST, .path = "/v1/metrics", .role = TCSI_ROLE_OPERATOR, .handle = take_otlp, .id = "otlp", .group = ROWS,
      .summary = "OpenTelemetry metrics over HTTP, protobuf or JSON.", .body_max = BODY_MAX, .body_required = true,
      .answers = { { 200, "Taken; partial_success says what was not.", NULL, NULL }, TAKEN } },
    { .method = TCSI_POST, .path = "/api/v2/write", .role = TCSI_ROLE_OPERATOR, .handle = take_line_protocol, .id = "influx_v2",
      .group = ROWS, .summary = "InfluxDB line protocol.", .body_max = BODY_MAX, .body_required = true,
      .parameters = { { .name = "precision", .type = TCSI_ARGUMENT_TEXT, .help = "of the times: ns, us, ms or s; default ns" },
                      { .name = "bucket", .type = TCSI_ARGUMENT_TEXT, .help = "taken, and not looked at" },
                      { .name = "org", .type = TCSI_ARGUMENT_TEXT, .help = "taken, and not looked at" } },
      .answers = { TAKEN } },
    { .method = TCSI_POST, .path = "/write", .role = TCSI_ROLE_OPERATOR, .handle = take_line_protocol, .id = "influx_v1", .group = ROWS,
      .summary = "InfluxDB line protocol, as version 1 has it.", .body_max = BODY_MAX, .body_required = true,
      .parameters = { { .name = "precision", .type = TCSI_ARGUMENT_TEXT, .help = "of the times: n, u, ms or s; default n" },
                      { .name = "db", .type = TCSI_ARGUMENT_TEXT, .help = "taken, and not looked at" } },
      .answers = { TAKEN } },
    { .method = TCSI_POST, .path = "/api/v1/rows", .role = TCSI_ROLE_OPERATOR, .handle = take_ndjson, .id = "rows", .group = ROWS,
      .summary = "Rows as JSON, one object a line.", .body_max = BODY_MAX, .body_required = true,
      .answers = { { 200, "Taken; the body says what was not.", NULL, NULL }, TAKEN } },
    { .method = TCSI_GET, .path = "/api/v1/status", .role = TCSI_ROLE_VIEWER, .handle = get_status, .id = "status", .group = ASK,
      .summary = "Counts of what came, waits and was kept.", .answers = { { 200, "The counts.", "application/json", NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/series", .role = TCSI_ROLE_VIEWER, .handle = list_series, .id = "series_list", .group = ASK,
      .summary = "Live series in the order in which they came.",
      .parameters = { { .name = "after", .type = TCSI_ARGUMENT_INTEGER, .help = "behind this number", .low = 0, .high = 4294967295.0 },
                      { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many", .fallback = "100", .low = 1,
                        .high = PAGE_MAX } },
      .answers = { { 200, "A page of them.", "application/json", list_schema } } },
    { .method = TCSI_GET, .path = "/api/v1/series/{number}", .role = TCSI_ROLE_VIEWER, .handle = get_series, .id = "series_get",
      .group = ASK, .summary = "One live series: what came last, and what is expected next.",
      .parameters = { { .name = "number", .type = TCSI_ARGUMENT_INTEGER, .help = "as the list has it", .low = 0, .high = 4294967295.0 } },
      .answers = { { 200, "The series.", "application/json", series_schema }, { 404, "There is none.", NULL, NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/episodes", .role = TCSI_ROLE_VIEWER, .handle = list_episodes, .id = "episode_list", .group = ASK,
      .summary = "Episodes, the newest first.",
      .parameters = { { .name = "state", .type = TCSI_ARGUMENT_CHOICE, .help = "only those", .choices = "open|confirmed|over" },
                      { .name = "kind", .type = TCSI_ARGUMENT_CHOICE, .help = "only those", .choices = "anomaly|absence|stuck" },
                      { .name = "from", .type = TCSI_ARGUMENT_TEXT, .help = "that last into the time from here" },
                      { .name = "to", .type = TCSI_ARGUMENT_TEXT, .help = "to here" },
                      { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .help = "at most so many", .fallback = "100", .low = 1,
                        .high = PAGE_MAX } },
      .answers = { { 200, "The episodes.", "application/json", episodes_schema } } },
    { .method = TCSI_GET, .path = "/api/v1/episodes/{id}", .role = TCSI_ROLE_VIEWER, .handle = get_episode, .id = "episode_get",
      .group = ASK, .summary = "One episode.",
      .parameters = { { .name = "id", .type = TCSI_ARGUMENT_TEXT, .help = "as the list has it" } },
      .answers = { { 200, "The episode.", "application/json", episode_schema }, { 404, "There is none.", NULL, NULL } } },
};

tcs_status tcsi_routes_mount(tcsi_router *router, tcsi_routes *routes, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), routes, err);
}
