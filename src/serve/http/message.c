/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/message.h"

#include "base/json.h"
#include "serve/http/route.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

const char *const tcsi_method_names[TCSI_METHOD_COUNT] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
const char *const tcsi_role_names[TCSI_ROLE_COUNT] = { "none", "viewer", "analyst", "operator", "admin" };

static int find_name(const char *const *names, int count, const char *name)
{
    int at = 0;
    while (at < count && strcmp(names[at], name) != 0) at++;
    return at;
}

tcsi_method tcsi_method_find(const char *name)
{
    return (tcsi_method)find_name(tcsi_method_names, TCSI_METHOD_COUNT, name);
}

tcsi_role tcsi_role_find(const char *name)
{
    return (tcsi_role)find_name(tcsi_role_names, TCSI_ROLE_COUNT, name);
}

const char *tcsi_status_phrase(int status)
{
    static const struct { int status; const char *phrase; } phrases[] = {
        { 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" }, { 304, "Not Modified" }, { 400, "Bad Request" },
        { 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" }, { 405, "Method Not Allowed" }, { 406, "Not Acceptable" },
        { 408, "Request Timeout" }, { 409, "Conflict" }, { 411, "Length Required" }, { 412, "Precondition Failed" },
        { 413, "Content Too Large" }, { 414, "URI Too Long" }, { 415, "Unsupported Media Type" }, { 421, "Misdirected Request" },
        { 422, "Unprocessable Content" }, { 428, "Precondition Required" }, { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
        { 503, "Service Unavailable" }, { 504, "Gateway Timeout" }, { 507, "Insufficient Storage" },
    };
    for (size_t i = 0; i < TCS_COUNT(phrases); i++)
        if (phrases[i].status == status) return phrases[i].phrase;
    return "Unknown";
}

/* ---- request ---- */

const char *tcsi_request_header(const tcsi_request *request, const char *name)
{
    return request->header ? request->header(request->header_context, name) : NULL;
}

static const char *find_pair(const tcsi_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(pairs[i].name, name) == 0) return pairs[i].value;
    return NULL;
}

const char *tcsi_request_text(const tcsi_request *request, const char *name)
{
    const char *value = find_pair(request->parameters, request->parameter_count, name);
    if (!value) value = find_pair(request->query, request->query_count, name);
    if (value) return value;
    const tcsi_argument *declared = request->route ? tcsi_route_parameter(request->route, name) : NULL;
    return declared ? declared->fallback : NULL;
}

double tcsi_request_number(const tcsi_request *request, const char *name, double fallback)
{
    const char *text = tcsi_request_text(request, name);
    return text ? strtod(text, NULL) : fallback; /* the form was checked, and the locale is C */
}

int64_t tcsi_request_integer(const tcsi_request *request, const char *name, int64_t fallback)
{
    const char *text = tcsi_request_text(request, name);
    return text ? strtoll(text, NULL, 10) : fallback;
}

bool tcsi_request_flag(const tcsi_request *request, const char *name, bool fallback)
{
    const char *text = tcsi_request_text(request, name);
    return text ? strcmp(text, "false") != 0 && strcmp(text, "0") != 0 : fallback; /* "?all" means yes */
}

/* ---- response ---- */

tcsi_finisher tcsi_response_defer(tcsi_response *response)
{
    TCS_ASSERT(response->finisher.finish && !response->deferred);
    response->deferred = true;
    return response->finisher;
}

void tcsi_response_header(tcsi_response *response, const char *name, const char *value)
{
    TCS_ASSERT(response->header_count < TCSI_RESPONSE_HEADERS_MAX && !strpbrk(value, "\r\n"));
    response->headers[response->header_count++] = (tcsi_pair){ name, value };
}

void tcsi_response_retry_after(tcsi_response *response, const tcsi_request *request, int64_t wait_ns)
{
    int64_t seconds = wait_ns <= 0 ? 1 : (wait_ns - 1) / 1000000000 + 1;
    char text[24];
    int length = snprintf(text, sizeof text, "%lld", (long long)seconds);
    const char *kept = tcsi_arena_strndup(request->arena, text, (size_t)length);
    if (kept) tcsi_response_header(response, "Retry-After", kept);
}

void tcsi_response_problem(tcsi_response *response, const tcsi_request *request, int status, const char *code, const char *format, ...)
{
    char detail[1024], type[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    snprintf(type, sizeof type, "urn:tocsin:problem:%s", code);
    response->status = status;
    response->content_type = "application/problem+json";
    tcsi_buffer_clear(&response->body);
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, &response->body, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_string(&writer, "type", type);
    tcsi_json_put_string(&writer, "title", tcsi_status_phrase(status));
    tcsi_json_put_integer(&writer, "status", status);
    tcsi_json_put_string(&writer, "detail", detail);
    if (request->path) tcsi_json_put_string(&writer, "instance", request->path);
    tcsi_json_put_string(&writer, "trace_id", request->trace.trace_id);
    tcsi_json_end_object(&writer);
    tcs_error err;
    if (tcsi_json_finish(&writer, &err) != TCS_OK) tcsi_buffer_clear(&response->body); /* no memory for words: the status must do */
}

void tcsi_response_failure(tcsi_response *response, const tcsi_request *request, const tcs_error *err)
{
    static const struct { tcs_status status; int http; const char *code; } answers[] = {
        { TCS_E_INVALID, 400, "invalid" }, { TCS_E_FORMAT, 400, "format" }, { TCS_E_LIMIT, 429, "limit" },
        { TCS_E_UNSUPPORTED, 501, "unsupported" }, { TCS_E_MEMORY, 503, "memory" }, { TCS_E_IO, 503, "io" },
        { TCS_E_CANCELLED, 503, "cancelled" },
    };
    size_t i = 0;
    while (i + 1 < TCS_COUNT(answers) && answers[i].status != err->status) i++;
    response->header_count = 0;
    tcsi_response_problem(response, request, answers[i].http, answers[i].code, "%s", err->text);
    if (answers[i].http == 429 || answers[i].http == 503) tcsi_response_retry_after(response, request, 1000000000);
}
