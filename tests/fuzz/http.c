/* tests/fuzz/http.c -- everything of an HTTP request that we read ourselves.  The first byte chooses what: a target, a field's value,
    the line
 * of a token file, or a whole request, "METHOD TARGET\nName: value\n...\n\nbody", through the table of routes. */
#include "fuzz.h"

#include "base/url.h"
#include "serve/http/auth.h"
#include "serve/http/builtin.h"
#include "serve/http/exchange.h"
#include "serve/http/field.h"

/* ---- a target ---- */

static void fuzz_target(const char *text, size_t size)
{
    static tcsi_target target, again;
    char path[TCSI_TARGET_SIZE_MAX + 64];
    tcs_error err = { 0 };
    tcs_status status = tcsi_target_parse(text, size, &target, &err);
    FUZZ_REQUIRE(status == TCS_OK || (err.status == status && strlen(err.text) > 5));
    if (status != TCS_OK || target.is_asterisk) return;
    FUZZ_REQUIRE(target.segment_count <= TCSI_TARGET_SEGMENTS_MAX && target.query_count <= TCSI_TARGET_QUERY_MAX);
    tcsi_buffer encoded;
    tcsi_buffer_init(&encoded, 1 << 20);
    for (size_t s = 0; s < target.segment_count; s++) {
        FUZZ_REQUIRE(*target.segments[s] && strcmp(target.segments[s], ".") != 0 && strcmp(target.segments[s], "..") != 0);
        FUZZ_REQUIRE(tcsi_text_is_printable(target.segments[s], strlen(target.segments[s])));
        FUZZ_REQUIRE(tcsi_buffer_puts(&encoded, "/", &err) == TCS_OK && tcsi_url_encode(&encoded, target.segments[s], &err) == TCS_OK);
    }
    for (size_t q = 0; q < target.query_count; q++)
        FUZZ_REQUIRE(*target.query[q].name && tcsi_text_is_printable(target.query[q].value, strlen(target.query[q].value)));
    if (target.segment_count && encoded.size <= TCSI_TARGET_SIZE_MAX) { /* what was understood, written again, is understood the same */
        FUZZ_REQUIRE(tcsi_target_parse(encoded.data, encoded.size, &again, &err) == TCS_OK);
        FUZZ_REQUIRE(again.segment_count == target.segment_count);
        for (size_t s = 0; s < target.segment_count; s++) FUZZ_REQUIRE(strcmp(again.segments[s], target.segments[s]) == 0);
    }
    tcsi_target_path(&target, path, sizeof path);
    FUZZ_REQUIRE(path[0] == '/' && strlen(path) < sizeof path);
    tcsi_buffer_deinit(&encoded);
}

/* ---- values of fields ---- */

static void fuzz_fields(const char *text)
{
    const char *token = NULL;
    char parameter[32];
    size_t size = 0;
    uint64_t number;
    tcsi_trace trace, again;
    char header[TCSI_TRACEPARENT_SIZE + 1];
    if (tcsi_field_authorization(text, &token, &size) == TCSI_CREDENTIAL_TOKEN)
        FUZZ_REQUIRE(token > text && size > 0 && token + size <= text + strlen(text));
    if (tcsi_field_media_is_one(text, "application/json|text/csv")) FUZZ_REQUIRE(strchr(text, '/'));
    if (tcsi_field_media_parameter(text, "charset", parameter, sizeof parameter)) FUZZ_REQUIRE(strlen(parameter) < sizeof parameter);
    int chosen = tcsi_field_accept(text, tcsi_exposition_types, TCSI_EXPOSITION_COUNT);
    FUZZ_REQUIRE(chosen >= -1 && chosen < TCSI_EXPOSITION_COUNT);
    if (tcsi_field_host_is_loopback(text)) FUZZ_REQUIRE(!tcsi_field_origin_is_host("http://evil.example", text));
    if (tcsi_field_number(text, &number)) FUZZ_REQUIRE(strspn(text, "0123456789") == strlen(text));
    if (tcsi_trace_parse(text, &trace)) {
        memcpy(trace.span_id, trace.parent_id, sizeof trace.span_id);
        tcsi_trace_format(&trace, header);
        FUZZ_REQUIRE(tcsi_trace_parse(header, &again) && strcmp(again.trace_id, trace.trace_id) == 0);
    }
}

/* ---- tokens ---- */

static void fuzz_tokens(const char *text, size_t size)
{
    tcsi_token *tokens = NULL;
    size_t count = 0;
    tcs_error err = { 0 };
    tcs_status status = tcsi_tokens_parse(text, size, &tokens, &count, &err);
    FUZZ_REQUIRE(status == TCS_OK || (err.status == status && strlen(err.text) > 5));
    for (size_t t = 0; status == TCS_OK && t < count; t++)
        FUZZ_REQUIRE(tokens[t].role > TCSI_ROLE_NONE && tokens[t].role < TCSI_ROLE_COUNT && strlen(tokens[t].id) == TCSI_TOKEN_ID_SIZE);
    if (status == TCS_OK) tcsi_free(tokens);
}

/* ---- whole requests ---- */

enum { FIELDS_MAX = 32 };

typedef struct fields {
    const char *names[FIELDS_MAX], *values[FIELDS_MAX];
    size_t count;
} fields;

static const char *find_header(void *context, const char *name)
{
    const fields *f = context;
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->names[i], name) == 0) return f->values[i];
    return NULL;
}

static size_t count_headers(void *context, const char *name)
{
    const fields *f = context;
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++) count += strcmp(f->names[i], name) == 0;
    return count;
}

static tcs_status answer(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)context;
    FUZZ_REQUIRE(tcsi_request_text(request, "id") && *tcsi_request_text(request, "id"));
    FUZZ_REQUIRE(tcsi_request_integer(request, "limit", 0) >= 1 && tcsi_request_integer(request, "limit", 0) <= 9);
    FUZZ_REQUIRE(request->body_size <= 100);
    return tcsi_buffer_puts(&response->body, "{}", err);
}

static const tcsi_route routes[] = {
    { .method = TCSI_POST, .path = "/a/{id}/b", .role = TCSI_ROLE_OPERATOR, .handle = answer, .id = "a", .summary = "s", .group = "g",
      .body_max = 100, .request_type = "application/json",
      .parameters = { { .name = "id", .help = "h" }, { .name = "limit", .type = TCSI_ARGUMENT_INTEGER, .low = 1, .high = 9, .fallback =
          "5", .help = "h" },
                      { .name = "k", .type = TCSI_ARGUMENT_CHOICE, .choices = "x|y", .help = "h", .repeated = true } } },
};

static tcsi_service *service_of_process(void)
{
    static tcsi_service *service;
    static tcsi_router *router;
    static tcsi_metrics *metrics;
    static tcsi_builtin builtin;
    if (service) return service;
    FUZZ_REQUIRE(tcsi_router_create(&router, NULL) == TCS_OK && tcsi_metrics_create(0, &metrics, NULL) == TCS_OK);
    builtin = (tcsi_builtin){ .router = router, .metrics = metrics };
    FUZZ_REQUIRE(tcsi_builtin_mount(router, &builtin, NULL) == TCS_OK && tcsi_router_mount(router, routes, 1, NULL, NULL) == TCS_OK);
    tcsi_service_options options = { .router = router, .anonymous_role = TCSI_ROLE_ADMIN, .metrics = metrics };
    FUZZ_REQUIRE(tcsi_service_create(&options, &service, NULL) == TCS_OK);
    return service;
}

static void fuzz_request(char *text, size_t size)
{
    tcsi_exchange *exchange = malloc(sizeof *exchange);
    fields f = { 0 };
    char *body = strstr(text, "\n\n"), *line = text, *end = body ? body : text + size;
    size_t body_size = body ? size - (size_t)(body + 2 - text) : 0;
    *end = 0;
    char *next = strchr(line, '\n');
    if (next) *next++ = 0;
    char *target = strchr(line, ' ');
    if (target) *target++ = 0;
    for (line = next; line && f.count < FIELDS_MAX; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        char *colon = strstr(line, ": ");
        if (!colon) continue;
        *colon = 0;
        f.names[f.count] = line;
        f.values[f.count++] = colon + 2;
    }
    tcsi_head head = { text, target ? target : "", "127.0.0.1", body_size ? (int64_t)body_size : 0, find_header, count_headers, &f };
    if (tcsi_exchange_begin(service_of_process(), exchange, &head)) tcsi_exchange_run(exchange, body ? body + 2 : NULL, body_size);
    FUZZ_REQUIRE(exchange->response.status >= 200 && exchange->response.status < 600);
    FUZZ_REQUIRE(exchange->response.status < 400 || exchange->response.body.size > 0);
    if (exchange->response.stream.read) exchange->response.stream.close(exchange->response.stream.context, false);
    tcsi_exchange_end(exchange, true);
    free(exchange);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0) return 0;
    char *text = malloc(size);
    memcpy(text, bytes + 1, size - 1);
    text[size - 1] = 0;
    switch (bytes[0] % 4) {
    case 0: fuzz_target(text, size - 1); break;
    case 1: fuzz_fields(text); break;
    case 2: fuzz_tokens(text, size - 1); break;
    default: fuzz_request(text, size - 1); break;
    }
    free(text);
    return 0;
}
