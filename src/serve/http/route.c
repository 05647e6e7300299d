/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/route.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUTES_MAX = 512, ROUTER_MEMORY_MAX = 1 << 20 };

/* A node is one segment; its path is that of its parents. */
typedef struct node node;
struct node {
    const char *literal;  /* NULL: a {parameter} */
    size_t length;
    node *children, *next; /* literals before the parameter */
    const tcsi_mounted *by_method[TCSI_METHOD_COUNT];
    unsigned methods;
};

struct tcsi_router {
    tcsi_arena arena;
    node root;
    tcsi_mounted routes[ROUTES_MAX];
    size_t route_count;
};

tcs_status tcsi_router_create(tcsi_router **ret_router, tcs_error *err)
{
    tcsi_router *router = TCSI_NEW(tcsi_router);
    if (!router) return tcsi_fail_memory(err, "a router");
    tcsi_arena_init(&router->arena, ROUTER_MEMORY_MAX);
    *ret_router = router;
    return TCS_OK;
}

void tcsi_router_destroy(tcsi_router *router)
{
    if (!router) return;
    tcsi_arena_deinit(&router->arena);
    tcsi_free(router);
}

size_t tcsi_router_count(const tcsi_router *router)
{
    return router->route_count;
}

const tcsi_mounted *tcsi_router_at(const tcsi_router *router, size_t index)
{
    TCS_ASSERT(index < router->route_count);
    return &router->routes[index];
}

/* ---- mounting ---- */

static bool is_parameter(const char *segment, size_t length)
{
    return length > 2 && segment[0] == '{' && segment[length - 1] == '}';
}

const tcsi_argument *tcsi_route_parameter(const tcsi_route *route, const char *name)
{
    for (size_t i = 0; i < TCSI_ROUTE_PARAMETERS_MAX && route->parameters[i].name; i++)
        if (strcmp(route->parameters[i].name, name) == 0) return &route->parameters[i];
    return NULL;
}

static tcs_status check_schema(const tcsi_route *route, const char *schema, tcs_error *err)
{
    tcsi_arena arena;
    const tcsi_json_value *root;
    if (!schema) return TCS_OK;
    tcsi_arena_init(&arena, ROUTER_MEMORY_MAX);
    tcs_status status = tcsi_json_parse(schema, strlen(schema), &arena, &root, err);
    tcsi_arena_deinit(&arena);
    if (status == TCS_E_FORMAT && err) err->status = status = TCS_E_INVALID; /* our mistake, not that of what we read */
    if (status != TCS_OK) tcsi_fail_prefix(err, "a schema of route %s", route->id);
    return status;
}

static tcs_status check_row(const tcsi_route *route, tcs_error *err)
{
    if (!route->id || !route->summary || !route->group || !route->handle || route->path[0] != '/')
        return tcsi_fail(err, TCS_E_INVALID, "route %s: id, summary, group, handler and a path that begins with / are expected",
                         route->path);
    if (route->method == TCSI_HEAD || route->method == TCSI_OPTIONS || route->method >= TCSI_METHOD_COUNT)
        return tcsi_fail(err, TCS_E_INVALID, "route %s: HEAD and OPTIONS are answered by themselves", route->id);
    for (size_t i = 0; i < TCSI_ROUTE_PARAMETERS_MAX && route->parameters[i].name; i++)
        if (route->parameters[i].type == TCSI_ARGUMENT_CHOICE && !route->parameters[i].choices)
            return tcsi_fail(err, TCS_E_INVALID, "route %s: parameter %s has no choices", route->id, route->parameters[i].name);
    tcs_status status = check_schema(route, route->request_schema, err);
    for (size_t i = 0; status == TCS_OK && i < TCSI_ROUTE_ANSWERS_MAX && route->answers[i].status; i++)
        status = check_schema(route, route->answers[i].schema, err);
    return status;
}

/* The child for a segment, made when it is new.  NULL: out of memory. */
static node *child_for(tcsi_router *router, node *parent, const char *segment, size_t length)
{
    bool parameter = is_parameter(segment, length);
    node **at = &parent->children;
    while (*at && (*at)->literal) {
        if (!parameter && (*at)->length == length && memcmp((*at)->literal, segment, length) == 0) return *at;
        at = &(*at)->next;
    }
    if (parameter && *at) return *at;
    node *made = TCSI_ARENA_NEW(&router->arena, node, 1);
    if (!made) return NULL;
    *made = (node){ .literal = parameter ? NULL : segment, .length = length, .next = *at };
    *at = made;
    return made;
}

static tcs_status mount(tcsi_router *router, const tcsi_route *route, void *context, tcs_error *err)
{
    tcs_status status = check_row(route, err);
    if (status != TCS_OK) return status;
    if (router->route_count == ROUTES_MAX) return tcsi_fail(err, TCS_E_LIMIT, "more than %d routes", ROUTES_MAX);
    node *at = &router->root;
    for (const char *segment = route->path + 1; *segment;) {
        size_t length = strcspn(segment, "/");
        char name[64];
        snprintf(name, sizeof name, "%.*s", length > 2 ? (int)length - 2 : 0, segment + 1);
        if (is_parameter(segment, length) && !tcsi_route_parameter(route, name))
            return tcsi_fail(err, TCS_E_INVALID, "route %s: {%s} of its path is not among its parameters", route->id, name);
        at = child_for(router, at, segment, length);
        if (!at) return tcsi_fail_memory(err, "a route");
        segment += length + (segment[length] == '/');
    }
    if (at->by_method[route->method])
        return tcsi_fail(err, TCS_E_INVALID, "routes %s and %s answer the same requests", at->by_method[route->method]->route->id,
                         route->id);
    tcsi_mounted *mounted = &router->routes[router->route_count];
    *mounted = (tcsi_mounted){ route, context, router->route_count };
    router->route_count++;
    at->by_method[route->method] = mounted;
    at->methods |= 1u << route->method | 1u << TCSI_OPTIONS;
    if (route->method == TCSI_GET) {
        at->by_method[TCSI_HEAD] = mounted;
        at->methods |= 1u << TCSI_HEAD;
    }
    return TCS_OK;
}

tcs_status tcsi_router_mount(tcsi_router *router, const tcsi_route *routes, size_t route_count, void *context, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t r = 0; r < route_count && status == TCS_OK; r++) {
        for (size_t k = 0; k < router->route_count && status == TCS_OK; k++)
            if (strcmp(router->routes[k].route->id, routes[r].id) == 0)
                status = tcsi_fail(err, TCS_E_INVALID, "two routes are named %s", routes[r].id);
        if (status == TCS_OK) status = mount(router, &routes[r], context, err);
    }
    return status;
}

/* ---- matching ---- */

typedef struct search {
    const tcsi_target *target;
    tcsi_method method;
    tcsi_matched *matched;
} search;

/* Every node is tried at most once: its depth is the segment that it stands for. */
static void descend(search *s, const node *at, size_t depth, size_t value_count)
{
    if (depth == s->target->segment_count) {
        s->matched->methods |= at->methods;
        if (!s->matched->mounted && at->by_method[s->method]) {
            s->matched->mounted = at->by_method[s->method];
            s->matched->value_count = value_count;
        }
        return;
    }
    const char *segment = s->target->segments[depth];
    for (const node *child = at->children; child && !s->matched->mounted; child = child->next) {
        if (child->literal && (strncmp(child->literal, segment, child->length) != 0 || segment[child->length])) continue;
        if (!child->literal) s->matched->values[value_count] = segment;
        descend(s, child, depth + 1, value_count + !child->literal);
    }
}

tcsi_match tcsi_router_match(const tcsi_router *router, tcsi_method method, const tcsi_target *target, tcsi_matched *ret_matched)
{
    tcsi_matched *matched = ret_matched;
    matched->mounted = NULL;
    matched->methods = 0;
    matched->value_count = 0;
    search s = { target, method, matched };
    if (target->is_asterisk) return TCSI_MATCH_NO_PATH;
    descend(&s, &router->root, 0, 0);
    return matched->mounted ? TCSI_MATCH_FOUND : matched->methods ? TCSI_MATCH_NO_METHOD : TCSI_MATCH_NO_PATH;
}

void tcsi_allow_format(unsigned methods, char ret_text[TCSI_ALLOW_SIZE])
{
    size_t used = 0;
    ret_text[0] = 0;
    for (int m = 0; m < TCSI_METHOD_COUNT; m++) {
        if (!(methods >> m & 1)) continue;
        int length = snprintf(ret_text + used, TCSI_ALLOW_SIZE - used, "%s%s", used ? ", " : "", tcsi_method_names[m]);
        used += (size_t)length;
    }
}

const tcsi_pair *tcsi_route_path_parameters(const tcsi_route *route, const tcsi_matched *matched, tcsi_arena *arena)
{
    tcsi_pair *pairs = TCSI_ARENA_NEW(arena, tcsi_pair, matched->value_count);
    size_t count = 0;
    for (const char *segment = route->path + 1; pairs && *segment && count < matched->value_count;) {
        size_t length = strcspn(segment, "/");
        if (is_parameter(segment, length)) {
            char *name = tcsi_arena_strndup(arena, segment + 1, length - 2);
            if (!name) return NULL;
            pairs[count] = (tcsi_pair){ name, matched->values[count] };
            count++;
        }
        segment += length + (segment[length] == '/');
    }
    return pairs;
}

/* ---- parameters ---- */

static bool is_choice(const char *choices, const char *value)
{
    size_t length = strlen(value);
    if (length == 0 || strchr(value, '|')) return false;
    for (const char *at = choices; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strncmp(at, value, length) == 0 && (at[length] == '|' || at[length] == 0)) return true;
    return false;
}

/* Digits, one point, an exponent: what strtod reads, without its hexadecimal, infinite and blank-led forms. */
static bool is_number(const char *text, bool whole)
{
    char *end;
    size_t length = strlen(text);
    if (length == 0 || length > 64 || strspn(text, whole ? "-0123456789" : "+-.0123456789eE") < length) return false;
    errno = 0;
    if (whole) (void)!strtoll(text, &end, 10);
    else if (!isfinite(strtod(text, &end))) return false;
    return *end == 0 && end > text && !(whole && errno == ERANGE);
}

static tcs_status check_value(const tcsi_argument *parameter, const char *value, tcs_error *err)
{
    static const char *const kinds[] = { "text", "a whole number", "a number", "true or false", "" };
    bool fine = true, numeric = parameter->type == TCSI_ARGUMENT_INTEGER || parameter->type == TCSI_ARGUMENT_NUMBER;
    if (numeric) fine = is_number(value, parameter->type == TCSI_ARGUMENT_INTEGER);
    else if (parameter->type == TCSI_ARGUMENT_FLAG) fine = is_choice("true|false|1|0", value) || !*value;
    else if (parameter->type == TCSI_ARGUMENT_CHOICE) fine = is_choice(parameter->choices, value);
    if (!fine)
        return tcsi_fail(err, TCS_E_INVALID, "parameter %s is '%.64s', expected %s%s", parameter->name, value, kinds[parameter->type],
                         parameter->type == TCSI_ARGUMENT_CHOICE ? parameter->choices : "");
    if (!numeric || (parameter->low == 0 && parameter->high == 0)) return TCS_OK;
    double number = strtod(value, NULL);
    if (number >= parameter->low && number <= parameter->high) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "parameter %s is %.64s, expected %.17g to %.17g", parameter->name, value, parameter->low,
                     parameter->high);
}

static tcs_status refuse_unknown(const tcsi_route *route, const char *name, tcs_error *err)
{
    const char *names[TCSI_ROUTE_PARAMETERS_MAX], *nearest;
    size_t count = 0;
    while (count < TCSI_ROUTE_PARAMETERS_MAX && route->parameters[count].name) {
        names[count] = route->parameters[count].name;
        count++;
    }
    if (count == 0) return tcsi_fail(err, TCS_E_INVALID, "parameter '%.64s' is unknown: %s takes none", name, route->path);
    nearest = tcsi_text_nearest(name, names, count);
    if (nearest) return tcsi_fail(err, TCS_E_INVALID, "parameter '%.64s' is unknown; did you mean %s?", name, nearest);
    tcs_status status = tcsi_fail(err, TCS_E_INVALID, "parameter '%.64s' is unknown; known are", name);
    for (size_t i = 0; err && i < count; i++) {
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, "%s %s", i ? "," : "", names[i]);
    }
    return status;
}

static bool is_in_path(const tcsi_request *request, const char *name)
{
    for (size_t i = 0; i < request->parameter_count; i++)
        if (strcmp(request->parameters[i].name, name) == 0) return true;
    return false;
}

tcs_status tcsi_route_check(const tcsi_request *request, tcs_error *err)
{
    const tcsi_route *route = request->route;
    unsigned seen = 0;
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < request->parameter_count && status == TCS_OK; i++)
        status = check_value(tcsi_route_parameter(route, request->parameters[i].name), request->parameters[i].value, err);
    for (size_t i = 0; i < request->query_count && status == TCS_OK; i++) {
        const tcsi_pair *given = &request->query[i];
        const tcsi_argument *parameter = tcsi_route_parameter(route, given->name);
        if (!parameter || is_in_path(request, given->name)) return refuse_unknown(route, given->name, err);
        unsigned bit = 1u << (parameter - route->parameters);
        if ((seen & bit) && !parameter->repeated) return tcsi_fail(err, TCS_E_INVALID, "parameter %s is given twice", given->name);
        seen |= bit;
        status = check_value(parameter, given->value, err);
    }
    for (size_t i = 0; status == TCS_OK && i < TCSI_ROUTE_PARAMETERS_MAX && route->parameters[i].name; i++)
        if (route->parameters[i].required && !(seen >> i & 1) && !is_in_path(request, route->parameters[i].name))
            return tcsi_fail(err, TCS_E_INVALID, "parameter %s is missing: %s", route->parameters[i].name, route->parameters[i].help);
    return status;
}
