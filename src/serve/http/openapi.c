/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/openapi.h"

#include "base/json.h"
#include "tocsin_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char problem_schema[] =
    "{\"type\":\"object\",\"description\":\"RFC 9457\",\"required\":[\"type\",\"title\",\"status\",\"detail\"],\"properties\":{"
    "\"type\":{\"type\":\"string\",\"description\":\"urn:tocsin:problem:CODE, stable\"},\"title\":{\"type\":\"string\"},"
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\",\"description\":\"what, where, and what was expected\"},"
    "\"instance\":{\"type\":\"string\",\"description\":\"the path\"},\"trace_id\":{\"type\":\"string\"}}}";

/* ---- what a row can answer ---- */

static bool states(const tcsi_answer *answers, size_t count, int status)
{
    for (size_t i = 0; i < count; i++)
        if (answers[i].status == status) return true;
    return false;
}

static int by_status(const void *a, const void *b)
{
    return ((const tcsi_answer *)a)->status - ((const tcsi_answer *)b)->status;
}

size_t tcsi_openapi_answers(const tcsi_route *route, tcsi_answer ret_answers[TCSI_OPENAPI_ANSWERS_MAX])
{
    const bool takes_body = route->body_max > 0, guarded = route->role > TCSI_ROLE_NONE;
    const struct { int status; bool occurs; const char *help; } own[] = {
        { 400, true, "The request is malformed, or a parameter is not as stated." },
        { 401, guarded, "No valid token." },
        { 403, guarded, "The token's role may not do this." },
        { 406, false, NULL },
        { 413, true, takes_body ? "The body is larger than it may be." : "A body where none is expected." },
        { 415, takes_body && route->request_type, "The body is of another type." },
        { 429, guarded || route->rate > 0, "Too many requests; Retry-After says when to come again." },
        { 503, true, "Going down, or out of memory; Retry-After says when to come again." },
    };
    size_t count = 0;
    while (count < TCSI_ROUTE_ANSWERS_MAX && route->answers[count].status) {
        ret_answers[count] = route->answers[count];
        count++;
    }
    for (size_t i = 0; i < TCS_COUNT(own); i++)
        if (own[i].occurs && !states(ret_answers, count, own[i].status))
            ret_answers[count++] = (tcsi_answer){ .status = own[i].status, .help = own[i].help };
    qsort(ret_answers, count, sizeof *ret_answers, by_status);
    return count;
}

/* ---- the document ---- */

static void put_choices(tcsi_json_writer *w, const char *choices)
{
    tcsi_json_key(w, "enum");
    tcsi_json_begin_array(w);
    while (choices) {
        char choice[64];
        size_t length = strcspn(choices, "|");
        snprintf(choice, sizeof choice, "%.*s", (int)length, choices);
        tcsi_json_string(w, choice);
        choices = choices[length] ? choices + length + 1 : NULL;
    }
    tcsi_json_end_array(w);
}

static const char *const type_names[] = { "string", "integer", "number", "boolean", "string" };

static void put_schema(tcsi_json_writer *w, const tcsi_argument *p)
{
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "type", type_names[p->type]);
    if (p->type == TCSI_ARGUMENT_CHOICE) put_choices(w, p->choices);
    if (p->low != 0 || p->high != 0) {
        tcsi_json_put_number(w, "minimum", p->low);
        tcsi_json_put_number(w, "maximum", p->high);
    }
    const bool is_text = p->type == TCSI_ARGUMENT_TEXT || p->type == TCSI_ARGUMENT_CHOICE;
    if (p->fallback && is_text) tcsi_json_put_string(w, "default", p->fallback);
    else if (p->fallback) {
        tcsi_json_key(w, "default");
        tcsi_json_raw(w, p->fallback);
    }
    tcsi_json_end_object(w);
}

static bool is_in_path(const tcsi_route *route, const char *name)
{
    char mark[80];
    snprintf(mark, sizeof mark, "{%s}", name);
    return strstr(route->path, mark) != NULL;
}

static void put_parameters(tcsi_json_writer *w, const tcsi_route *route)
{
    if (!route->parameters[0].name) return;
    tcsi_json_key(w, "parameters");
    tcsi_json_begin_array(w);
    for (size_t i = 0; i < TCSI_ROUTE_PARAMETERS_MAX && route->parameters[i].name; i++) {
        const tcsi_argument *p = &route->parameters[i];
        const bool in_path = is_in_path(route, p->name);
        tcsi_json_begin_object(w);
        tcsi_json_put_string(w, "name", p->name);
        tcsi_json_put_string(w, "in", in_path ? "path" : "query");
        tcsi_json_put_bool(w, "required", in_path || p->required);
        tcsi_json_put_string(w, "description", p->help);
        tcsi_json_key(w, "schema");
        if (p->repeated) {
            tcsi_json_begin_object(w);
            tcsi_json_put_string(w, "type", "array");
            tcsi_json_key(w, "items");
        }
        put_schema(w, p);
        if (p->repeated) tcsi_json_end_object(w);
        tcsi_json_end_object(w);
    }
    tcsi_json_end_array(w);
}

/* {"application/json":{"schema":...}}, one member a type. */
static void put_content(tcsi_json_writer *w, const char *types, const char *schema)
{
    tcsi_json_key(w, "content");
    tcsi_json_begin_object(w);
    while (types) {
        char type[96];
        size_t length = strcspn(types, "|");
        snprintf(type, sizeof type, "%.*s", (int)length, types);
        tcsi_json_key(w, type);
        tcsi_json_begin_object(w);
        if (schema) {
            tcsi_json_key(w, "schema");
            tcsi_json_raw(w, schema);
        }
        tcsi_json_end_object(w);
        types = types[length] ? types + length + 1 : NULL;
    }
    tcsi_json_end_object(w);
}

static void put_answers(tcsi_json_writer *w, const tcsi_route *route)
{
    tcsi_answer answers[TCSI_OPENAPI_ANSWERS_MAX];
    size_t count = tcsi_openapi_answers(route, answers);
    tcsi_json_key(w, "responses");
    tcsi_json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        char code[12];
        snprintf(code, sizeof code, "%d", answers[i].status);
        tcsi_json_key(w, code);
        tcsi_json_begin_object(w);
        tcsi_json_put_string(w, "description", answers[i].help ? answers[i].help : tcsi_status_phrase(answers[i].status));
        if (answers[i].content_type) put_content(w, answers[i].content_type, answers[i].schema);
        else if (answers[i].status >= 400) put_content(w, "application/problem+json", "{\"$ref\":\"#/components/schemas/Problem\"}");
        tcsi_json_end_object(w);
    }
    tcsi_json_end_object(w);
}

static void put_operation(tcsi_json_writer *w, const tcsi_route *route, bool secured)
{
    tcsi_json_begin_object(w);
    tcsi_json_put_string(w, "operationId", route->id);
    tcsi_json_put_string(w, "summary", route->summary);
    tcsi_json_key(w, "tags");
    tcsi_json_begin_array(w);
    tcsi_json_string(w, route->group);
    tcsi_json_end_array(w);
    tcsi_json_put_string(w, "x-role", tcsi_role_names[route->role]);
    put_parameters(w, route);
    if (route->body_max) {
        tcsi_json_key(w, "requestBody");
        tcsi_json_begin_object(w);
        tcsi_json_put_bool(w, "required", route->body_required);
        put_content(w, route->request_type ? route->request_type : "*/*", route->request_schema);
        tcsi_json_end_object(w);
        tcsi_json_put_integer(w, "x-body-bytes-max", (int64_t)route->body_max);
    }
    if (secured) {
        tcsi_json_key(w, "security");
        tcsi_json_begin_array(w);
        if (route->role > TCSI_ROLE_NONE) {
            tcsi_json_begin_object(w);
            tcsi_json_key(w, "token");
            tcsi_json_begin_array(w);
            tcsi_json_end_array(w);
            tcsi_json_end_object(w);
        }
        tcsi_json_end_array(w);
    }
    put_answers(w, route);
    tcsi_json_end_object(w);
}

/* Rows with one path are one member: the first of them writes them all. */
static void put_path(tcsi_json_writer *w, const tcsi_router *router, size_t index, bool secured)
{
    static const char *const methods[TCSI_METHOD_COUNT] = { "get", "head", "post", "put", "patch", "delete", "options" };
    const char *path = tcsi_router_at(router, index)->route->path;
    for (size_t r = 0; r < index; r++)
        if (strcmp(tcsi_router_at(router, r)->route->path, path) == 0) return;
    tcsi_json_key(w, path);
    tcsi_json_begin_object(w);
    for (size_t r = index; r < tcsi_router_count(router); r++) {
        const tcsi_route *route = tcsi_router_at(router, r)->route;
        if (strcmp(route->path, path) != 0) continue;
        tcsi_json_key(w, methods[route->method]);
        put_operation(w, route, secured);
    }
    tcsi_json_end_object(w);
}

static void put_components(tcsi_json_writer *w, bool secured)
{
    tcsi_json_key(w, "components");
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "schemas");
    tcsi_json_begin_object(w);
    tcsi_json_key(w, "Problem");
    tcsi_json_raw(w, problem_schema);
    tcsi_json_end_object(w);
    if (secured) {
        tcsi_json_key(w, "securitySchemes");
        tcsi_json_raw(w, "{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}}");
    }
    tcsi_json_end_object(w);
}

tcs_status tcsi_openapi_write(const tcsi_router *router, bool secured, tcsi_buffer *out, tcs_error *err)
{
    tcsi_json_writer w;
    tcsi_json_writer_init(&w, out, false);
    tcsi_json_begin_object(&w);
    tcsi_json_put_string(&w, "openapi", "3.1.0");
    tcsi_json_key(&w, "info");
    tcsi_json_begin_object(&w);
    tcsi_json_put_string(&w, "title", "tocsin");
    tcsi_json_put_string(&w, "summary", "finds rare events in metrics, sensor readings and event streams");
    tcsi_json_put_string(&w, "version", TCSI_VERSION);
    tcsi_json_end_object(&w);
    tcsi_json_key(&w, "paths");
    tcsi_json_begin_object(&w);
    for (size_t r = 0; r < tcsi_router_count(router); r++) put_path(&w, router, r, secured);
    tcsi_json_end_object(&w);
    put_components(&w, secured);
    tcsi_json_end_object(&w);
    return tcsi_json_finish(&w, err);
}

/* ---- the page ---- */

static tcs_status page_parameters(const tcsi_route *route, tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (route->parameters[0].name) status = tcsi_buffer_puts(out, "\n| parameter | type | default | meaning |\n|---|---|---|---|\n", err);
    for (size_t i = 0; status == TCS_OK && i < TCSI_ROUTE_PARAMETERS_MAX && route->parameters[i].name; i++) {
        const tcsi_argument *p = &route->parameters[i];
        const bool must = p->required || is_in_path(route, p->name);
        const char *type = p->type == TCSI_ARGUMENT_CHOICE ? "one of" : type_names[p->type];
        status = tcsi_buffer_printf(out, err, "| `%s` | %s | %s | ", p->name, type, p->fallback ? p->fallback : must ? "required" : "–");
        for (const char *at = p->choices; at && status == TCS_OK; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
            status = tcsi_buffer_printf(out, err, "`%.*s` ", (int)strcspn(at, "|"), at);
        if (status == TCS_OK && (p->low != 0 || p->high != 0)) status = tcsi_buffer_printf(out, err, "%g to %g; ", p->low, p->high);
        if (status == TCS_OK) status = tcsi_buffer_printf(out, err, "%s |\n", p->help);
    }
    return status;
}

static tcs_status page_route(const tcsi_route *route, tcsi_buffer *out, tcs_error *err)
{
    tcsi_answer answers[TCSI_OPENAPI_ANSWERS_MAX];
    size_t count = tcsi_openapi_answers(route, answers);
    tcs_status status = tcsi_buffer_printf(out, err, "\n### `%s %s`\n\n%s\n\nRole: %s.", tcsi_method_names[route->method], route->path,
                                           route->summary, route->role ? tcsi_role_names[route->role] : "none needed");
    if (status == TCS_OK && route->body_max)
        status = tcsi_buffer_printf(out, err, " Body: %s, at most %zu bytes.", route->request_type ? route->request_type : "any type",
                                    route->body_max);
    if (status == TCS_OK && route->rate > 0) status = tcsi_buffer_printf(out, err, " At most %g a second of one caller.", route->rate);
    if (status == TCS_OK) status = tcsi_buffer_puts(out, "\n", err);
    if (status == TCS_OK) status = page_parameters(route, out, err);
    if (status == TCS_OK) status = tcsi_buffer_puts(out, "\n| status | |\n|---|---|\n", err);
    for (size_t i = 0; status == TCS_OK && i < count; i++)
        status = tcsi_buffer_printf(out, err, "| %d | %s |\n", answers[i].status,
                                    answers[i].help ? answers[i].help : tcsi_status_phrase(answers[i].status));
    return status;
}

tcs_status tcsi_openapi_page(const tcsi_router *router, tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t r = 0; status == TCS_OK && r < tcsi_router_count(router); r++) {
        const tcsi_route *first = tcsi_router_at(router, r)->route;
        bool seen = false;
        for (size_t k = 0; k < r; k++) seen |= strcmp(tcsi_router_at(router, k)->route->group, first->group) == 0;
        if (!seen) status = tcsi_buffer_printf(out, err, "\n## %s\n", first->group);
        for (size_t k = r; status == TCS_OK && !seen && k < tcsi_router_count(router); k++)
            if (strcmp(tcsi_router_at(router, k)->route->group, first->group) == 0)
                status = page_route(tcsi_router_at(router, k)->route, out, err);
    }
    return status;
}

/* ---- roles ---- */

static tcs_status role_row(const tcsi_route *route, tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = tcsi_buffer_printf(out, err, "| `%s %s` |", tcsi_method_names[route->method], route->path);
    for (int role = 0; status == TCS_OK && role < TCSI_ROLE_COUNT; role++)
        status = tcsi_buffer_puts(out, role >= (int)route->role ? " yes |" : " |", err);
    return status == TCS_OK ? tcsi_buffer_printf(out, err, " %s |\n", route->summary) : status;
}

tcs_status tcsi_openapi_roles(const tcsi_router *router, tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = tcsi_buffer_puts(out, "| | no token |", err);
    for (int role = TCSI_ROLE_NONE + 1; status == TCS_OK && role < TCSI_ROLE_COUNT; role++)
        status = tcsi_buffer_printf(out, err, " %s |", tcsi_role_names[role]);
    if (status == TCS_OK) status = tcsi_buffer_puts(out, " |\n|---|---|---|---|---|---|---|\n", err);
    for (int role = 0; role < TCSI_ROLE_COUNT; role++)
        for (size_t r = 0; status == TCS_OK && r < tcsi_router_count(router); r++)
            if ((int)tcsi_router_at(router, r)->route->role == role) status = role_row(tcsi_router_at(router, r)->route, out, err);
    return status;
}
