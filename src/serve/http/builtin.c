/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/builtin.h"

#include "base/json.h"
#include "serve/http/field.h"
#include "serve/http/openapi.h"
#include "tocsin_config.h"

static tcs_status answer_health(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)context, (void)request;
    return tcsi_buffer_puts(&response->body, "{\"alive\":true}", err);
}

static tcs_status answer_ready(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_builtin *builtin = context;
    const tcsi_health none = { 0 };
    tcsi_json_writer writer;
    (void)request;
    tcsi_json_writer_init(&writer, &response->body, false);
    response->status = tcsi_health_run(builtin->health ? builtin->health : &none, &writer) ? 200 : 503;
    return tcsi_json_finish(&writer, err);
}

static tcs_status answer_metrics(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_builtin *builtin = context;
    int chosen = tcsi_field_accept(tcsi_request_header(request, "Accept"), tcsi_exposition_types, TCSI_EXPOSITION_COUNT);
    if (chosen < 0) {
        tcsi_response_problem(response, request, 406, "not-acceptable", "metrics are %s or %s", tcsi_exposition_types[0],
                              tcsi_exposition_types[1]);
        return TCS_OK;
    }
    response->content_type = tcsi_exposition_types[chosen];
    return builtin->metrics ? tcsi_metrics_write(builtin->metrics, (tcsi_exposition)chosen, &response->body, err) : TCS_OK;
}

static tcs_status answer_openapi(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_builtin *builtin = context;
    (void)request;
    return tcsi_openapi_write(builtin->router, builtin->secured, &response->body, err);
}

static tcs_status answer_version(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_json_writer writer;
    (void)context, (void)request;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "name", "tocsin");
    tcsi_json_put_string(&writer, "version", TCSI_VERSION);
    tcsi_json_put_string(&writer, "api", "v1");
    tcsi_json_end_object(&writer);
    return tcsi_json_finish(&writer, err);
}

static tcs_status answer_events(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    const tcsi_builtin *builtin = context;
    if (!builtin->events) return tcsi_fail(err, TCS_E_UNSUPPORTED, "this service tells no events");
    return tcsi_events_listen(builtin->events, tcsi_request_text(request, "names"), request, response, err);
}

static const char ready_schema[] =
    "{\"type\":\"object\",\"required\":[\"ready\",\"checks\"],\"properties\":{\"ready\":{\"type\":\"boolean\"},"
    "\"checks\":{\"type\":\"array\","
    "\"items\":{\"type\":\"object\",\"required\":[\"name\",\"ok\"],\"properties\":{\"name\":{\"type\":\"string\"},"
    "\"ok\":{\"type\":\"boolean\"},\"reason\":{\"type\":\"string\"}}}}}}";

static const tcsi_route routes[] = {
    { .method = TCSI_GET, .path = "/healthz", .role = TCSI_ROLE_NONE, .handle = answer_health, .id = "health", .group = "This service",
      .summary = "Whether the process answers at all.",
      .answers = { { 200, "It does.", "application/json",
                     "{\"type\":\"object\",\"required\":[\"alive\"],\"properties\":{\"alive\":{\"const\":true}}}" } } },
    { .method = TCSI_GET, .path = "/readyz", .role = TCSI_ROLE_NONE, .handle = answer_ready, .id = "ready", .group = "This service",
      .summary = "Whether every part can do its work, and why not.",
      .answers = { { 200, "All can.", "application/json", ready_schema },
                   { 503, "One or more cannot, each with its reason; or the service is going down.",
                     "application/json|application/problem+json", NULL } } },
    { .method = TCSI_GET, .path = "/metrics", .role = TCSI_ROLE_VIEWER, .handle = answer_metrics, .id = "metrics", .group = "This service",
      .summary = "Figures about the service for Prometheus: text 0.0.4, or OpenMetrics 1.0 where Accept asks for it.",
      .answers = { { 200, "All series.", "text/plain|application/openmetrics-text", "{\"type\":\"string\"}" },
                   { 406, "Neither format is acceptable.", NULL, NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/openapi.json", .role = TCSI_ROLE_VIEWER, .handle = answer_openapi, .id = "openapi",
      .group = "This service", .summary = "This description, as OpenAPI 3.1.",
      .answers = { { 200, "The document.", "application/json", "{\"type\":\"object\"}" } } },
    { .method = TCSI_GET, .path = "/api/v1/version", .role = TCSI_ROLE_VIEWER, .handle = answer_version, .id = "version",
      .group = "This service", .summary = "Which version of what answers.",
      .answers = { { 200, "Name and versions.", "application/json",
                     "{\"type\":\"object\",\"required\":[\"name\",\"version\",\"api\"],\"properties\":{\"name\":{\"type\":\"string\"},"
                     "\"version\":{\"type\":\"string\"},\"api\":{\"type\":\"string\"}}}" } } },
    { .method = TCSI_GET, .path = "/api/v1/events", .role = TCSI_ROLE_VIEWER, .handle = answer_events, .id = "events",
      .group = "This service",
      .summary = "What happens from now on, or after the event that the field Last-Event-ID names, as server-sent events.",
      .parameters = { { .name = "names", .help = "only events of these names, separated by |" } },
      .answers = { { 200, "A stream that does not end. Event `reset`: what came before is no longer kept, fetch it anew.",
                     "text/event-stream", "{\"type\":\"string\"}" },
                   { 429, "Too many listen already.", NULL, NULL }, { 501, "The service tells no events.", NULL, NULL } } },
};

tcs_status tcsi_builtin_mount(tcsi_router *router, tcsi_builtin *builtin, tcs_error *err)
{
    return tcsi_router_mount(router, routes, TCS_COUNT(routes), builtin, err);
}
