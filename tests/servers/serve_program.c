/* tests/servers/serve_program.c -- a server with a small table of routes, driven by serve_test.py and by bench/http_bench.
 *
 * usage: serve_program [--name value]...      Prints "port N" when it listens, one line of JSON per log message to standard error.
 * Commands on standard input, each answered by a line: publish NAME DATA, burst COUNT SIZE, reload, ready 0|1, drain SECONDS, quit.
 * It ends with standard input, so that a test that dies leaves nothing behind. */
#include "base/alloc.h"
#include "base/json.h"
#include "serve/http/auth.h"
#include "serve/http/builtin.h"
#include "serve/http/openapi.h"
#include "serve/http/server.h"
#include "serve/self/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Atomic bool is_ready = true;
static _Atomic unsigned long echoed;

static tcs_status answer_echo(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    tcsi_json_writer w;
    (void)context;
    atomic_fetch_add(&echoed, 1);
    tcsi_json_writer_init(&w, &response->body, false);
    tcsi_json_begin_object(&w);
    tcsi_json_put_string(&w, "method", tcsi_method_names[request->method]);
    tcsi_json_put_string(&w, "path", request->path);
    tcsi_json_put_string(&w, "id", tcsi_request_text(request, "id"));
    tcsi_json_put_integer(&w, "limit", tcsi_request_integer(request, "limit", -1));
    tcsi_json_put_integer(&w, "body_size", (int64_t)request->body_size);
    tcsi_json_put_string(&w, "who", request->who);
    tcsi_json_put_string(&w, "role", tcsi_role_names[request->role]);
    tcsi_json_put_string(&w, "trace_id", request->trace.trace_id);
    tcsi_json_put_string(&w, "parent_id", request->trace.parent_id);
    tcsi_json_put_string(&w, "peer", request->peer);
    tcsi_json_end_object(&w);
    return tcsi_json_finish(&w, err);
}

/* Sends the body back: whether bytes arrived as they were. */
static tcs_status answer_mirror(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)context;
    response->content_type = "application/octet-stream";
    return request->body_size ? tcsi_buffer_append(&response->body, request->body, request->body_size, err) : TCS_OK;
}

static tcs_status answer_slow(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    int64_t ms = tcsi_request_integer(request, "ms", 100);
    (void)context;
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
    return tcsi_buffer_puts(&response->body, "{\"done\":true}", err);
}

typedef struct later {
    tcsi_response *response;
    tcsi_finisher finisher;
    int64_t ms;
} later;

static void *answer_in_time(void *context)
{
    later l = *(later *)context;
    free(context);
    if (l.ms) nanosleep(&(struct timespec){ l.ms / 1000, l.ms % 1000 * 1000000 }, NULL);
    (void)!tcsi_buffer_puts(&l.response->body, "{\"later\":true}", NULL);
    l.finisher.finish(l.finisher.context);
    return NULL;
}

/* Defers its response to a thread of its own; ms 0: to nobody, it is finished before the handler returns. */
static tcs_status answer_later(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    pthread_t thread;
    later *l = malloc(sizeof *l);
    (void)context, (void)err;
    *l = (later){ response, tcsi_response_defer(response), tcsi_request_integer(request, "ms", 100) };
    if (l->ms == 0 || pthread_create(&thread, NULL, answer_in_time, l) != 0) answer_in_time(l);
    else pthread_detach(thread);
    return TCS_OK;
}

static tcs_status answer_fail(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    static const struct { const char *name; tcs_status status; } kinds[] = {
        { "invalid", TCS_E_INVALID }, { "limit", TCS_E_LIMIT }, { "io", TCS_E_IO }, { "unsupported", TCS_E_UNSUPPORTED },
    };
    const char *kind = tcsi_request_text(request, "kind");
    (void)context;
    (void)!tcsi_buffer_puts(&response->body, "half an answer", err);
    for (size_t i = 0; i < TCS_COUNT(kinds); i++)
        if (strcmp(kind, kinds[i].name) == 0) return tcsi_fail(err, kinds[i].status, "the handler fails with %s", kind);
    return TCS_OK;
}

static tcs_status answer_big(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    size_t size = (size_t)tcsi_request_integer(request, "size", 0);
    (void)context;
    tcs_status status = tcsi_buffer_reserve(&response->body, size, err);
    if (status != TCS_OK) return status;
    memset(response->body.data, 'x', size);
    response->body.data[size] = 0;
    response->body.size = size;
    response->content_type = "text/plain";
    return TCS_OK;
}

static const tcsi_route routes[] = {
    { .method = TCSI_GET, .path = "/api/v1/test/none", .role = TCSI_ROLE_NONE, .handle = answer_echo, .id = "test_none", .group = "Test",
      .summary = "For anybody.", .answers = { { 200, "Echo.", "application/json", "{\"type\":\"object\"}" } } },
    { .method = TCSI_GET, .path = "/api/v1/test/items/{id}", .role = TCSI_ROLE_VIEWER, .handle = answer_echo, .id = "test_get", .group =
    "Test",
      .summary = "For viewers.",
      .parameters = { { .name = "id", .help = "of the item" },
                      { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .low = 1, .high = 1000, .fallback = "100", .help =
                      "at most so many" },
                      { .name = "kind", .type = TCSI_ARGUMENT_CHOICE, .choices = "open|closed", .help = "only these" },
                      { .name = "match[]", .help = "selectors", .repeated = true } },
      .answers = { { 200, "Echo.", "application/json", "{\"type\":\"object\"}" } } },
    { .method = TCSI_GET, .path = "/api/v1/test/items/first", .role = TCSI_ROLE_VIEWER, .handle = answer_echo, .id = "test_first",
      .group = "Test", .summary = "A literal before a parameter.", .answers = { { 200, "Echo.", "application/json", NULL } } },
    { .method = TCSI_PATCH, .path = "/api/v1/test/items/{id}", .role = TCSI_ROLE_ANALYST, .handle = answer_echo, .id = "test_patch",
      .group = "Test", .summary = "For analysts.", .body_max = 1000, .request_type = "application/json",
      .request_schema = "{\"type\":\"object\"}", .parameters = { { .name = "id", .help = "of the item" } },
      .answers = { { 200, "Echo.", "application/json", "{\"type\":\"object\"}" } } },
    { .method = TCSI_POST, .path = "/api/v1/test/rows", .role = TCSI_ROLE_OPERATOR, .handle = answer_mirror, .id = "test_rows",
      .group = "Test", .summary = "For operators.", .body_max = 4 << 20,
      .answers = { { 200, "What was sent.", "application/octet-stream", NULL } } },
    { .method = TCSI_POST, .path = "/api/v1/test/must", .role = TCSI_ROLE_OPERATOR, .handle = answer_mirror, .id = "test_must",
      .group = "Test", .summary = "With a body.", .body_max = 1000, .body_required = true,
      .answers = { { 200, "What was sent.", "application/octet-stream", NULL } } },
    { .method = TCSI_DELETE, .path = "/api/v1/test/items/{id}", .role = TCSI_ROLE_ADMIN, .handle = answer_echo, .id = "test_delete",
      .group = "Test", .summary = "For administrators.", .parameters = { { .name = "id", .help = "of the item" } },
      .answers = { { 200, "Echo.", "application/json", "{\"type\":\"object\"}" } } },
    { .method = TCSI_PUT, .path = "/api/v1/test/rare", .role = TCSI_ROLE_VIEWER, .handle = answer_echo, .id = "test_rare", .group = "Test",
      .summary = "Three at once, one a second.", .rate = 1, .burst = 3,
      .answers = { { 200, "Echo.", "application/json", "{\"type\":\"object\"}" } } },
    { .method = TCSI_GET, .path = "/api/v1/test/slow", .role = TCSI_ROLE_NONE, .handle = answer_slow, .id = "test_slow", .group = "Test",
      .summary = "Takes its time.",
      .parameters = { { .name = "ms", .type = TCSI_ARGUMENT_INTEGER, .low = 0, .high = 20000, .help = "how long" } },
      .answers = { { 200, "Done.", "application/json", "{\"type\":\"object\"}" } } },
    { .method = TCSI_GET, .path = "/api/v1/test/later", .role = TCSI_ROLE_NONE, .handle = answer_later, .id = "test_later", .group = "Test",
      .summary = "Answers later than it returns.",
      .parameters = { { .name = "ms", .type = TCSI_ARGUMENT_INTEGER, .low = 0, .high = 20000, .help = "how much" } },
      .answers = { { 200, "Done.", "application/json", "{\"type\":\"object\"}" } } },
    { .method = TCSI_GET, .path = "/api/v1/test/fail", .role = TCSI_ROLE_NONE, .handle = answer_fail, .id = "test_fail", .group = "Test",
      .summary = "Fails.",
      .parameters = { { .name = "kind", .type = TCSI_ARGUMENT_CHOICE, .choices = "invalid|limit|io|unsupported", .required = true,
                        .help = "how" } },
      .answers = { { 200, "Never.", "text/plain", NULL }, { 501, "Unsupported.", NULL, NULL }, { 429, "Limit.", NULL, NULL } } },
    { .method = TCSI_GET, .path = "/api/v1/test/big", .role = TCSI_ROLE_NONE, .handle = answer_big, .id = "test_big", .group = "Test",
      .summary = "A long answer.",
      .parameters = { { .name = "size", .type = TCSI_ARGUMENT_INTEGER, .low = 0, .high = 100000000, .help = "bytes", .fallback = "0" } },
      .answers = { { 200, "x.", "text/plain", NULL } } },
};

static bool check_ready(void *context, char ret_reason[TCSI_HEALTH_REASON_SIZE])
{
    (void)context;
    if (!atomic_load(&is_ready)) snprintf(ret_reason, TCSI_HEALTH_REASON_SIZE, "told so");
    return atomic_load(&is_ready);
}

static void die(const tcs_error *err)
{
    printf("error %s\n", err->text);
    exit(1);
}

/* Value of --name, or fallback. */
static const char *option(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i += 2)
        if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0) return argv[i + 1];
    return fallback;
}

static int64_t number(int argc, char **argv, const char *name)
{
    return strtoll(option(argc, argv, name, "0"), NULL, 10);
}

typedef struct program {
    tcsi_router *router;
    tcsi_metrics *metrics;
    tcsi_events *events;
    tcsi_auth *auth;
    tcsi_server *server;
    tcsi_health health;
    tcsi_builtin builtin;
    const char *tokens;
} program;

static void tick(void *context, int64_t now_ns)
{
    tcsi_events_tick(context, now_ns);
}

static void create_token(const char *path, const char *role)
{
    tcs_error err = { 0 };
    tcsi_token token;
    char text[TCSI_TOKEN_TEXT_SIZE + 1];
    if (tcsi_token_create(role, tcsi_role_find(role), 0, &token, text, &err) != TCS_OK) die(&err);
    if (tcsi_token_append(path, &token, &err) != TCS_OK) die(&err);
    printf("%s\n", text);
}

static void burst(program *p, size_t count, size_t size)
{
    tcs_error err = { 0 };
    char *data = calloc(size + 3, 1);
    memset(data, 'y', size + 2);
    data[0] = data[size + 1] = '"';
    for (size_t i = 0; i < count; i++)
        if (tcsi_events_publish(p->events, "burst", data, &err) != TCS_OK) printf("error %s\n", err.text);
    free(data);
}

static bool obey(program *p, char *line)
{
    tcs_error err = { 0 };
    char word[32], name[32];
    int at = 0;
    size_t count, size;
    double seconds;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%31s%n", word, &at) != 1) return true;
    tcs_status status = TCS_OK;
    if (strcmp(word, "quit") == 0) return false;
    if (strcmp(word, "publish") == 0 && sscanf(line, "%*s %31s%n", name, &at) == 1)
        status = tcsi_events_publish(p->events, name, line[at] ? line + at + 1 : "", &err);
    else if (strcmp(word, "burst") == 0 && sscanf(line, "%*s %zu %zu", &count, &size) == 2) burst(p, count, size);
    else if (strcmp(word, "ready") == 0) atomic_store(&is_ready, strstr(line, "1") != NULL);
    else if (strcmp(word, "reload") == 0) {
        status = tcsi_server_reload(p->server, &err);
        if (status == TCS_OK && p->auth) status = tcsi_auth_load(p->auth, p->tokens, &err);
    } else if (strcmp(word, "drain") == 0 && sscanf(line, "%*s %lf", &seconds) == 1) {
        printf("%s\n", tcsi_server_drain(p->server, (int64_t)(seconds * 1e9)) ? "drained" : "cut off");
        return true;
    }
    printf("%s\n", status == TCS_OK ? "ok" : err.text);
    return true;
}

int main(int argc, char **argv)
{
    program p = { .tokens = option(argc, argv, "tokens", NULL) };
    tcs_error err = { 0 };
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!tcsi_server_is_available()) {
        printf("skip built without an HTTP server\n");
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--create-tokens") == 0) {
        for (int role = TCSI_ROLE_VIEWER; role < TCSI_ROLE_COUNT; role++) create_token(argv[2], tcsi_role_names[role]);
        return 0;
    }
    tcsi_log_lines_begin(2, (tcsi_log_level)number(argc, argv, "log"));
    if (tcsi_router_create(&p.router, &err) != TCS_OK || tcsi_metrics_create(0, &p.metrics, &err) != TCS_OK) die(&err);
    tcsi_events_options events = { .metrics = p.metrics, .heartbeat_ns = number(argc, argv, "heartbeat-ms") * 1000000,
                                   .event_count = (size_t)number(argc, argv, "events") };
    if (tcsi_events_create(&events, &p.events, &err) != TCS_OK) die(&err);
    if (p.tokens && (tcsi_auth_create(&p.auth, &err) != TCS_OK || tcsi_auth_load(p.auth, p.tokens, &err) != TCS_OK)) die(&err);
    tcsi_health_add(&p.health, "test", check_ready, NULL);
    p.builtin = (tcsi_builtin){ p.router, &p.health, p.metrics, p.events, p.auth != NULL };
    if (tcsi_builtin_mount(p.router, &p.builtin, &err) != TCS_OK) die(&err);
    if (tcsi_router_mount(p.router, routes, TCS_COUNT(routes), NULL, &err) != TCS_OK) die(&err);
    tcsi_server_options options = {
        .address = option(argc, argv, "address", NULL), .auth = p.auth, .anonymous_role = TCSI_ROLE_ADMIN, .metrics = p.metrics,
        .certificate_path = option(argc, argv, "certificate", NULL), .key_path = option(argc, argv, "key", NULL),
        .thread_count = (unsigned)number(argc, argv, "threads"), .connection_max = (unsigned)number(argc, argv, "connections"),
        .body_memory_max = (size_t)number(argc, argv, "body-memory"), .header_timeout_ns = number(argc, argv, "header-ms") * 1000000,
        .body_timeout_ns = number(argc, argv, "body-ms") * 1000000, .idle_timeout_ns = number(argc, argv, "idle-ms") * 1000000,
        .response_timeout_ns = number(argc, argv, "response-ms") * 1000000, .tick = tick, .tick_context = p.events,
    };
    if (tcsi_server_start(&options, p.router, &p.server, &err) != TCS_OK) die(&err);
    printf("port %u\n", tcsi_server_port(p.server));
    char *line = malloc(1 << 20);
    while (fgets(line, 1 << 20, stdin) && obey(&p, line)) continue;
    free(line);
    tcsi_server_destroy(p.server);
    tcsi_router_destroy(p.router);
    tcsi_events_destroy(p.events);
    tcsi_auth_destroy(p.auth);
    tcsi_metrics_destroy(p.metrics);
    tcsi_log_lines_end();
    printf("echoed %lu\n", atomic_load(&echoed));
    return 0;
}
