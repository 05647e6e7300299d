/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/api.h"

#include <stdio.h>

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
    const tcsi_api *api = context;
    tcsi_intake_reply reply;
    const bool has_backfill = tcsi_route_parameter(request->route, "backfill") != NULL;
    const bool has_precision = tcsi_route_parameter(request->route, "precision") != NULL;
    const tcsi_ingest_facts facts = { .route = route, .content_type = tcsi_request_header(request, "Content-Type"),
                                      .content_encoding = tcsi_request_header(request, "Content-Encoding"),
                                      .is_backfill = has_backfill && tcsi_request_flag(request, "backfill", false),
                                      .precision = has_precision ? tcsi_request_text(request, "precision") : NULL };
    tcsi_intake_take(api->intake, &facts, request->body ? request->body : "", request->body_size, request->received_ns,
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

/* ---- the table ---- */

#define BODY_MAX ((size_t)16 << 20)

#define TAKEN                                                                       \
    { 204, "Every sample was taken, and is durable.", NULL, NULL },                  \
    { 400, "The body cannot be read, or samples were refused.", NULL, NULL },        \
    { 413, "Larger than a request may be.", NULL, NULL },                            \
    { 415, "Another type or compression.", NULL, NULL },                             \
    { 429, "Too many rows wait: come again after Retry-After.", NULL, NULL },        \
    { 503, "The disk or the service failed; nothing was taken.", NULL, NULL }

#define BACKFILL \
    { .name = "backfill", .type = TCSI_ARGUMENT_FLAG, .help = "the rows are of the past and come to teach: nobody is told of them" }

static const tcsi_route table[] = {
    { .method = TCSI_POST, .path = "/api/v1/write", .role = TCSI_ROLE_OPERATOR, .handle = take_remote_write, .id = "write",
      .group = TCSI_API_ROWS, .summary = "Prometheus remote-write 1.0 and 2.0, by content type.",
      .parameters = { BACKFILL },
      .body_max = BODY_MAX, .body_required = true,
      .answers = { TAKEN } },
    { .method = TCSI_POST, .path = "/v1/metrics", .role = TCSI_ROLE_OPERATOR, .handle = take_otlp, .id = "otlp", .group = TCSI_API_ROWS,
      .summary = "OpenTelemetry metrics over HTTP, protobuf or JSON.", .body_max = BODY_MAX, .body_required = true,
      .answers = { { 200, "Taken; partial_success says what was not.", NULL, NULL }, TAKEN } },
    { .method = TCSI_POST, .path = "/api/v2/write", .role = TCSI_ROLE_OPERATOR, .handle = take_line_protocol, .id = "influx_v2",
      .group = TCSI_API_ROWS, .summary = "InfluxDB line protocol.", .body_max = BODY_MAX, .body_required = true,
      .parameters = { { .name = "precision", .type = TCSI_ARGUMENT_TEXT, .help = "of the times: ns, us, ms or s; default ns" },
                      { .name = "bucket", .type = TCSI_ARGUMENT_TEXT, .help = "taken, and not looked at" },
                      { .name = "org", .type = TCSI_ARGUMENT_TEXT, .help = "taken, and not looked at" } },
      .answers = { TAKEN } },
    { .method = TCSI_POST, .path = "/write", .role = TCSI_ROLE_OPERATOR, .handle = take_line_protocol, .id = "influx_v1",
      .group = TCSI_API_ROWS, .summary = "InfluxDB line protocol, as version 1 has it.", .body_max = BODY_MAX, .body_required = true,
      .parameters = { { .name = "precision", .type = TCSI_ARGUMENT_TEXT, .help = "of the times: n, u, ms or s; default n" },
                      { .name = "db", .type = TCSI_ARGUMENT_TEXT, .help = "taken, and not looked at" } },
      .answers = { TAKEN } },
    { .method = TCSI_POST, .path = "/api/v1/rows", .role = TCSI_ROLE_OPERATOR, .handle = take_ndjson, .id = "rows", .group = TCSI_API_ROWS,
      .summary = "Rows as JSON, one object a line.", .parameters = { BACKFILL }, .body_max = BODY_MAX, .body_required = true,
      .answers = { { 200, "Taken; the body says what was not.", NULL, NULL }, TAKEN } },
};

tcs_status tcsi_api_mount_rows(tcsi_router *router, tcsi_api *api, tcs_error *err)
{
    return tcsi_router_mount(router, table, TCS_COUNT(table), api, err);
}
