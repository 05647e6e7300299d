/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/exchange.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/http/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STATUS_COUNT = 32 };

enum { METRIC_REQUESTS, METRIC_DURATION, METRIC_REFUSED, METRIC_REQUEST_BYTES, METRIC_RESPONSE_BYTES };

static const tcsi_metric_row metric_rows[] = {
    [METRIC_REQUESTS] = { .name = "tocsin_http_requests_total", .kind = TCSI_METRIC_COUNTER, .labels = { "route", "code" },
                          .help = "Requests answered; code 0: the connection ended before the response did." },
    [METRIC_DURATION] = { .name = "tocsin_http_request_duration_seconds", .kind = TCSI_METRIC_HISTOGRAM, .unit = "seconds",
                          .labels = { "route" }, .scale = 1e-9,
                          .bounds = { 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 25000000, 50000000, 100000000,
                                      250000000, 500000000, 1000000000, 2500000000, 10000000000 },
                          .help = "From the end of a request's header to the end of its response; streams are not among them." },
    [METRIC_REFUSED] = { .name = "tocsin_http_refused_total", .kind = TCSI_METRIC_COUNTER, .labels = { "reason" },
                         .help = "Requests that no handler saw, by the code of their problem." },
    [METRIC_REQUEST_BYTES] = { .name = "tocsin_http_request_body_bytes_total", .kind = TCSI_METRIC_COUNTER, .unit = "bytes",
                               .labels = { "route" }, .help = "Bytes of bodies that handlers were given." },
    [METRIC_RESPONSE_BYTES] = { .name = "tocsin_http_response_body_bytes_total", .kind = TCSI_METRIC_COUNTER, .unit = "bytes",
                                .labels = { "route" }, .help = "Bytes of whole responses; those of streams are counted by their source." },
};

/* What is counted of a route.  Series of a code are looked up when it first occurs: STATUS_COUNT of them, the rest as they come. */
typedef struct figures {
    const char *route;
    tcsi_metric duration, request_bytes, response_bytes;
    _Atomic uint64_t codes[STATUS_COUNT]; /* status << 48 | series << 24 | cell, 0: free */
} figures;

struct tcsi_service {
    tcsi_service_options options;
    tcsi_limiter *limiter;
    size_t first_metric;
    figures *figures; /* one a route, and one for requests without */
    _Atomic bool draining;
};

/* ---- life ---- */

tcs_status tcsi_service_create(const tcsi_service_options *options, tcsi_service **ret_service, tcs_error *err)
{
    tcsi_service *service = TCSI_NEW(tcsi_service);
    size_t route_count = tcsi_router_count(options->router);
    if (!service) return tcsi_fail_memory(err, "the HTTP service");
    service->options = *options;
    if (options->caller_rate == 0) service->options.caller_rate = TCSI_CALLER_RATE;
    if (options->caller_burst == 0) service->options.caller_burst = TCSI_CALLER_BURST;
    tcs_status status = tcsi_limiter_create(&service->limiter, err);
    if (status == TCS_OK && !(service->figures = TCSI_NEW_ZEROS(figures, route_count + 1)))
        status = tcsi_fail_memory(err, "the HTTP service");
    if (status == TCS_OK && options->metrics)
        status = tcsi_metrics_add(options->metrics, metric_rows, TCS_COUNT(metric_rows), &service->first_metric, err);
    for (size_t r = 0; status == TCS_OK && r <= route_count; r++) {
        figures *f = &service->figures[r];
        f->route = r < route_count ? tcsi_router_at(options->router, r)->route->id : "none";
        f->duration = tcsi_metrics_get(options->metrics, service->first_metric + METRIC_DURATION, &f->route);
        f->request_bytes = tcsi_metrics_get(options->metrics, service->first_metric + METRIC_REQUEST_BYTES, &f->route);
        f->response_bytes = tcsi_metrics_get(options->metrics, service->first_metric + METRIC_RESPONSE_BYTES, &f->route);
    }
    if (status == TCS_OK) *ret_service = service;
    else tcsi_service_destroy(service);
    return status;
}

void tcsi_service_destroy(tcsi_service *service)
{
    if (!service) return;
    tcsi_limiter_destroy(service->limiter);
    tcsi_free(service->figures);
    tcsi_free(service);
}

void tcsi_service_set_draining(tcsi_service *service)
{
    atomic_store(&service->draining, true);
}

bool tcsi_service_is_draining(const tcsi_service *service)
{
    return atomic_load(&service->draining);
}

/* ---- figures ---- */

static tcsi_metric series_of(const tcsi_service *service, const char *route, int status)
{
    char code[12];
    snprintf(code, sizeof code, "%d", status);
    return tcsi_metrics_get(service->options.metrics, service->first_metric + METRIC_REQUESTS, (const char *const[]){ route, code });
}

static void count_request(tcsi_service *service, figures *f, int status)
{
    if (!service->options.metrics) return;
    size_t at = 0;
    uint64_t kept = 0;
    while (at < STATUS_COUNT && (kept = atomic_load_explicit(&f->codes[at], memory_order_relaxed)) && kept >> 48 != (uint64_t)status) at++;
    if (at < STATUS_COUNT && kept) {
        tcsi_metric_add((tcsi_metric){ service->options.metrics, (uint32_t)(kept & 0xffffff), (uint32_t)(kept >> 24 & 0xffffff) }, 1);
        return;
    }
    tcsi_metric found = series_of(service, f->route, status);
    tcsi_metric_add(found, 1);
    if (at == STATUS_COUNT || !found.metrics || found.cell > 0xffffff || found.series > 0xffffff) return;
    uint64_t none = 0; /* somebody else may have taken the place: then this one is looked up again next time */
    atomic_compare_exchange_strong(&f->codes[at], &none, (uint64_t)status << 48 | (uint64_t)found.series << 24 | found.cell);
}

/* ---- refusals ---- */

static bool refuse(tcsi_exchange *exchange, int status, const char *code, const char *text)
{
    exchange->refusal = code;
    tcsi_response_problem(&exchange->response, &exchange->request, status, code, "%s", text);
    return false;
}

static bool refuse_for_now(tcsi_exchange *exchange, int status, const char *code, const char *text, int64_t wait_ns)
{
    tcsi_response_retry_after(&exchange->response, &exchange->request, wait_ns);
    return refuse(exchange, status, code, text);
}

/* ---- steps of begin; each says whether to go on ---- */

static bool take_target(tcsi_exchange *exchange, const tcsi_head *head)
{
    static const char *const once[] = { "Host", "Authorization", "Content-Length", "Content-Type", "Transfer-Encoding", "traceparent" };
    tcs_error err = { 0 };
    char text[128];
    if (tcsi_target_parse(head->target, strlen(head->target), &exchange->target, &err) != TCS_OK) {
        exchange->target.segment_count = exchange->target.query_count = 0;
        exchange->close = true;
        return refuse(exchange, err.status == TCS_E_LIMIT ? 414 : 400, "target", err.text);
    }
    tcsi_target_path(&exchange->target, exchange->path, sizeof exchange->path);
    exchange->request.path = exchange->path;
    exchange->request.query = exchange->target.query;
    exchange->request.query_count = exchange->target.query_count;
    for (size_t i = 0; i < TCS_COUNT(once); i++) {
        if (head->header_count(head->context, once[i]) < 2) continue;
        exchange->close = true;
        snprintf(text, sizeof text, "the field %s is there more than once", once[i]);
        return refuse(exchange, 400, "header-repeated", text);
    }
    if (head->header(head->context, "Content-Length") && head->header(head->context, "Transfer-Encoding")) {
        exchange->close = true; /* where the body ends is then a matter of opinion (RFC 9112, 6.1) */
        return refuse(exchange, 400, "length-ambiguous", "Content-Length and Transfer-Encoding exclude each other");
    }
    return true;
}

/* Without tokens every program on this host may do everything, but a page in its browser is not one of them: it may neither reach us
 * under a name that somebody else resolves to 127.0.0.1, nor change anything from another origin. */
static bool check_browser(tcsi_exchange *exchange, const tcsi_head *head)
{
    if (exchange->service->options.auth) return true;
    const char *host = head->header(head->context, "Host"), *origin = head->header(head->context, "Origin");
    if (host && !tcsi_field_host_is_loopback(host))
        return refuse(exchange, 421, "host", "without tokens only localhost, 127.0.0.1 and [::1] are answered to");
    bool reads = strcmp(head->method, "GET") == 0 || strcmp(head->method, "HEAD") == 0; /* no route is known yet */
    if (!reads && origin && !(host && tcsi_field_origin_is_host(origin, host)))
        return refuse(exchange, 403, "origin", "without tokens a page of another origin may not change anything");
    return true;
}

static bool find_route(tcsi_exchange *exchange, const tcsi_head *head)
{
    tcsi_matched matched;
    char allow[TCSI_ALLOW_SIZE], text[256];
    tcsi_method method = tcsi_method_find(head->method);
    bool known = method < TCSI_METHOD_COUNT;
    exchange->request.method = known ? method : TCSI_GET;
    exchange->is_head = method == TCSI_HEAD;
    if (exchange->target.is_asterisk) {
        if (method != TCSI_OPTIONS) return refuse(exchange, 400, "target", "the target * goes with OPTIONS only");
        exchange->response.status = 204;
        tcsi_response_header(&exchange->response, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        exchange->refusal = "options";
        return false;
    }
    tcsi_match match = tcsi_router_match(exchange->service->options.router, known ? method : TCSI_OPTIONS, &exchange->target, &matched);
    if (match == TCSI_MATCH_NO_PATH) {
        snprintf(text, sizeof text, "there is nothing at %.200s; /api/v1/openapi.json lists what there is", exchange->path);
        return refuse(exchange, 404, "no-route", text);
    }
    if (match == TCSI_MATCH_NO_METHOD) {
        tcsi_allow_format(matched.methods, allow);
        const char *kept = tcsi_arena_strndup(&exchange->arena, allow, strlen(allow));
        if (kept) tcsi_response_header(&exchange->response, "Allow", kept);
        if (method == TCSI_OPTIONS) {
            exchange->response.status = 204;
            exchange->refusal = "options";
            return false;
        }
        snprintf(text, sizeof text, "%.32s is not for %.100s, expected one of %s", head->method, exchange->path, allow);
        return refuse(exchange, 405, "no-method", text);
    }
    exchange->mounted = matched.mounted;
    exchange->request.route = matched.mounted->route;
    exchange->request.parameters = tcsi_route_path_parameters(matched.mounted->route, &matched, &exchange->arena);
    exchange->request.parameter_count = matched.value_count;
    if (method == TCSI_HEAD) exchange->request.method = TCSI_GET;
    return exchange->request.parameters ? true : refuse_for_now(exchange, 503, "memory", "out of memory for the request", 1000000000);
}

static bool challenge(tcsi_exchange *exchange, bool invalid, const char *text)
{
    tcsi_response_header(&exchange->response, "WWW-Authenticate",
                         invalid ? "Bearer realm=\"tocsin\", error=\"invalid_token\"" : "Bearer realm=\"tocsin\"");
    return refuse(exchange, 401, invalid ? "token" : "token-missing", text);
}

static bool find_caller(tcsi_exchange *exchange, const tcsi_head *head)
{
    tcsi_auth *auth = exchange->service->options.auth;
    const tcsi_role least = exchange->request.route->role;
    exchange->request.role = TCSI_ROLE_NONE;
    if (!auth) {
        exchange->request.role = exchange->service->options.anonymous_role;
    } else if (least > TCSI_ROLE_NONE) {
        const char *token = NULL;
        size_t size = 0;
        int64_t wait_ns = 0;
        tcsi_credential credential = tcsi_field_authorization(head->header(head->context, "Authorization"), &token, &size);
        if (credential == TCSI_CREDENTIAL_NONE) return challenge(exchange, false, "a token is expected: Authorization: Bearer TOKEN");
        if (credential != TCSI_CREDENTIAL_TOKEN) return challenge(exchange, true, "Authorization: Bearer TOKEN is expected");
        switch (tcsi_auth_check(auth, head->peer, token, size, &exchange->caller, &wait_ns)) {
        case TCSI_AUTH_OK: break;
        case TCSI_AUTH_REFUSED: return challenge(exchange, true, "the token is not valid");
        case TCSI_AUTH_LIMITED:
            return refuse_for_now(exchange, 429, "token-attempts", "too many attempts without a valid token from this address", wait_ns);
        case TCSI_AUTH_FAILED: return refuse_for_now(exchange, 503, "memory", "out of memory to check the token", 1000000000);
        }
        exchange->request.role = exchange->caller.role;
        exchange->request.who = exchange->caller.name;
    }
    if (exchange->request.role >= least) return true;
    char text[128];
    snprintf(text, sizeof text, "role %s may not do this, expected %s or more", tcsi_role_names[exchange->request.role],
             tcsi_role_names[least]);
    return refuse(exchange, 403, "role", text);
}

static bool check_rates(tcsi_exchange *exchange, const tcsi_head *head)
{
    const tcsi_route *route = exchange->request.route;
    const tcsi_service_options *options = &exchange->service->options;
    tcsi_limiter *limiter = exchange->service->limiter;
    const char *who = exchange->caller.id[0] ? exchange->caller.id : head->peer;
    int64_t wait_ns = 0;
    if (exchange->caller.id[0])
        wait_ns = tcsi_limiter_take(limiter, tcsi_limiter_key(who, 0), options->caller_rate, options->caller_burst, 1,
                                    exchange->begun_ns);
    if (wait_ns == 0 && route->rate > 0)
        wait_ns = tcsi_limiter_take(limiter, tcsi_limiter_key(who, exchange->mounted->index + 1), route->rate,
                                    route->burst > 1 ? route->burst : 1, 1, exchange->begun_ns);
    return wait_ns == 0 ? true : refuse_for_now(exchange, 429, "rate", "too many requests", wait_ns);
}

static bool check_body(tcsi_exchange *exchange, const tcsi_head *head)
{
    const tcsi_route *route = exchange->request.route;
    const char *type = head->header(head->context, "Content-Type");
    char text[256];
    exchange->body_max = route->body_max;
    if (head->body_size == 0) return route->body_required ? refuse(exchange, 400, "body-missing", "a body is expected") : true;
    if (route->body_max == 0) {
        exchange->close = true;
        return refuse(exchange, 413, "body-size", "no body is expected here");
    }
    if (head->body_size > 0 && (uint64_t)head->body_size > route->body_max) {
        exchange->close = true;
        snprintf(text, sizeof text, "a body of %" PRId64 " bytes, expected at most %zu", head->body_size, route->body_max);
        return refuse(exchange, 413, "body-size", text);
    }
    if (route->request_type && !(type && tcsi_field_media_is_one(type, route->request_type))) {
        snprintf(text, sizeof text, "the body is %.64s, expected %.128s", type ? type : "of no stated type", route->request_type);
        return refuse(exchange, 415, "body-type", text);
    }
    return true;
}

static bool check_parameters(tcsi_exchange *exchange)
{
    tcs_error err = { 0 };
    return tcsi_route_check(&exchange->request, &err) == TCS_OK ? true : refuse(exchange, 400, "parameter", err.text);
}

static bool check_draining(tcsi_exchange *exchange)
{
    if (!tcsi_service_is_draining(exchange->service)) return true;
    exchange->close = true;
    return refuse_for_now(exchange, 503, "draining", "the service is going down", 5000000000);
}

bool tcsi_exchange_begin(tcsi_service *service, tcsi_exchange *exchange, const tcsi_head *head)
{
    memset(exchange, 0, offsetof(tcsi_exchange, target)); /* the target, 8 KiB, is written as far as it is read */
    memset(&exchange->caller, 0, sizeof *exchange - offsetof(tcsi_exchange, caller));
    exchange->target.segment_count = exchange->target.query_count = 0;
    exchange->service = service;
    exchange->begun_ns = tcsi_clock_monotonic_ns();
    tcsi_arena_init(&exchange->arena, TCSI_REQUEST_MEMORY_MAX);
    tcsi_buffer_init(&exchange->response.body, TCSI_RESPONSE_SIZE_MAX);
    exchange->response.status = 200;
    exchange->response.content_type = "application/json";
    exchange->request = (tcsi_request){ .header = head->header, .header_context = head->context, .peer = head->peer, .who = "",
                                        .arena = &exchange->arena,
                                        .trace = tcsi_trace_begin(head->header(head->context, "traceparent")) };
    return take_target(exchange, head) && check_browser(exchange, head) && check_draining(exchange) && find_route(exchange, head) &&
           find_caller(exchange, head) && check_rates(exchange, head) && check_parameters(exchange) && check_body(exchange, head);
}

void tcsi_exchange_refuse_body(tcsi_exchange *exchange, int status)
{
    char text[96];
    snprintf(text, sizeof text, "a body of more than %zu bytes", exchange->body_max);
    if (status == 413) (void)refuse(exchange, 413, "body-size", text);
    else (void)refuse_for_now(exchange, 503, "body-memory", "too many bytes of bodies are held already", 1000000000);
}

void tcsi_exchange_run(tcsi_exchange *exchange, const char *body, size_t body_size)
{
    tcs_error err = { 0 };
    exchange->request.received_ns = tcsi_clock_wall_ns();
    exchange->request.body = body_size ? body : NULL;
    exchange->request.body_size = body_size;
    if (body_size == 0 && exchange->request.route->body_required) {
        (void)refuse(exchange, 400, "body-missing", "a body is expected");
        return;
    }
    tcsi_trace_set_current(&exchange->request.trace);
    tcs_status status = exchange->request.route->handle(exchange->mounted->context, &exchange->request, &exchange->response, &err);
    tcsi_trace_set_current(NULL);
    if (status == TCS_OK) return; /* the response may belong to somebody else by now */
    TCS_ASSERT(!exchange->response.deferred);
    const tcsi_stream *stream = &exchange->response.stream;
    if (stream->read && stream->close) stream->close(stream->context, false);
    exchange->response.stream = (tcsi_stream){ 0 };
    tcsi_response_failure(&exchange->response, &exchange->request, &err);
}

static void log_request(const tcsi_exchange *exchange, int status, int64_t duration_ns)
{
    const tcsi_request *request = &exchange->request;
    const bool changes = request->method != TCSI_GET;
    const tcsi_log_level level = status >= 500 ? TCSI_LOG_WARNING : status >= 400 || changes ? TCSI_LOG_INFO : TCSI_LOG_DEBUG;
    tcsi_log(level, "HTTP-REQUEST", "%s %s from %s as %s: %d%s%s, %" PRId64 " us", tcsi_method_names[request->method],
             request->path ? request->path : "?", request->peer, *request->who ? request->who : "-", status,
             exchange->refusal ? " " : "", exchange->refusal ? exchange->refusal : "", duration_ns / 1000);
}

void tcsi_exchange_end(tcsi_exchange *exchange, bool complete)
{
    tcsi_service *service = exchange->service;
    const int64_t duration_ns = tcsi_clock_monotonic_ns() - exchange->begun_ns;
    const int status = complete ? exchange->response.status : 0;
    figures *f = &service->figures[exchange->mounted ? exchange->mounted->index : tcsi_router_count(service->options.router)];
    tcsi_trace_set_current(&exchange->request.trace);
    count_request(service, f, status);
    if (exchange->refusal && service->options.metrics && strcmp(exchange->refusal, "options") != 0)
        tcsi_metric_add(tcsi_metrics_get(service->options.metrics, service->first_metric + METRIC_REFUSED, &exchange->refusal), 1);
    if (exchange->request.body_size) tcsi_metric_add(f->request_bytes, exchange->request.body_size);
    if (!exchange->response.stream.read) {
        tcsi_metric_observe(f->duration, duration_ns > 0 ? (uint64_t)duration_ns : 0);
        tcsi_metric_add(f->response_bytes, exchange->response.body.size);
    }
    log_request(exchange, status, duration_ns);
    if (service->options.observe) service->options.observe(service->options.observe_context, &exchange->request, status, duration_ns);
    tcsi_trace_set_current(NULL);
    tcsi_buffer_deinit(&exchange->response.body);
    tcsi_arena_deinit(&exchange->arena);
}
