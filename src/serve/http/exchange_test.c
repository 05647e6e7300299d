/* Requests without a socket: what is decided, in which order, and what is left when memory runs out. */
#include "test.h"

#include "base/alloc.h"
#include "base/json.h"
#include "serve/http/builtin.h"
#include "serve/http/exchange.h"

static tcs_status answer(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    int *calls = context;
    ++*calls;
    if (request->body_size == 4) return tcsi_fail(err, TCS_E_FORMAT, "line 1: four bytes");
    return tcsi_buffer_printf(&response->body, err, "{\"size\":%zu}", request->body_size);
}

static const tcsi_route routes[] = {
    { .method = TCSI_POST, .path = "/rows", .role = TCSI_ROLE_OPERATOR, .handle = answer, .id = "rows", .summary = "s", .group = "g",
      .body_max = 10, .request_type = "application/json|text/csv", .rate = 1, .burst = 50 },
    { .method = TCSI_GET, .path = "/open", .role = TCSI_ROLE_NONE, .handle = answer, .id = "open", .summary = "s", .group = "g" },
};

typedef struct field {
    const char *name, *value;
} field;

static const char *find_header(void *context, const char *name)
{
    for (const field *f = context; f->name; f++)
        if (strcmp(f->name, name) == 0) return f->value;
    return NULL;
}

static size_t count_headers(void *context, const char *name)
{
    size_t count = 0;
    for (const field *f = context; f->name; f++) count += strcmp(f->name, name) == 0;
    return count;
}

typedef struct fixture {
    tcsi_router *router;
    tcsi_metrics *metrics;
    tcsi_service *service;
    int calls;
} fixture;

static void begin(fixture *f, tcsi_role anonymous_role)
{
    *f = (fixture){ 0 };
    assert_ok(tcsi_router_create(&f->router, test_err));
    assert_ok(tcsi_router_mount(f->router, routes, TCS_COUNT(routes), &f->calls, test_err));
    assert_ok(tcsi_metrics_create(0, &f->metrics, test_err));
    tcsi_service_options options = { .router = f->router, .anonymous_role = anonymous_role, .metrics = f->metrics };
    assert_ok(tcsi_service_create(&options, &f->service, test_err));
}

static void end(fixture *f)
{
    tcsi_service_destroy(f->service);
    tcsi_router_destroy(f->router);
    tcsi_metrics_destroy(f->metrics);
}

/* The status of one request; code: of its problem, or "". */
static int ask(fixture *f, const char *method, const char *target, int64_t body_size, const field *fields, char code[64])
{
    tcsi_exchange *exchange = malloc(sizeof *exchange);
    const field none[] = { { NULL, NULL } };
    tcsi_head head = { method, target, "127.0.0.1", body_size, find_header, count_headers, (void *)(fields ? fields : none) };
    memset(exchange, 0xa5, sizeof *exchange);
    if (tcsi_exchange_begin(f->service, exchange, &head)) tcsi_exchange_run(exchange, "abcdefghij", body_size > 0 ? (size_t)body_size : 0);
    int status = exchange->response.status;
    code[0] = 0;
    const char *type = exchange->response.body.data ? strstr(exchange->response.body.data, "urn:tocsin:problem:") : NULL;
    if (type) sscanf(type, "urn:tocsin:problem:%63[^\"]", code);
    tcsi_exchange_end(exchange, true);
    free(exchange);
    return status;
}

static void test_order(void **state)
{
    (void)state;
    static const field json[] = { { "Content-Type", "application/json" }, { NULL, NULL } };
    static const field evil[] = { { "Host", "evil" }, { NULL, NULL } };
    static const field other[] = { { "Host", "localhost" }, { "Origin", "http://evil" }, { "Content-Type", "text/csv" }, { NULL, NULL } };
    static const field two[] = { { "Host", "a" }, { "Host", "b" }, { NULL, NULL } };
    static const field both[] = { { "Content-Length", "1" }, { "Transfer-Encoding", "chunked" }, { NULL, NULL } };
    const struct { const char *method, *target; int64_t size; const field *fields; int status; const char *code; } cases[] = {
        { "POST", "/rows", 3, json, 200, "" }, { "POST", "/rows", 4, json, 400, "format" }, { "POST", "/rows", 11, json, 413, "body-size" },
        { "POST", "/rows", 10, json, 200, "" }, { "POST", "/rows", INT64_MAX, json, 413, "body-size" },
        { "POST", "/rows", 3, NULL, 415, "body-type" },
        { "POST", "/rows", -1, json, 200, "" }, { "POST", "/rows?x=1", 3, json, 400, "parameter" },
        { "GET", "/rows", 0, NULL, 405, "no-method" },
        { "BREW", "/rows", 0, NULL, 405, "no-method" }, { "OPTIONS", "/rows", 0, NULL, 204, "" }, { "OPTIONS", "*", 0, NULL, 204, "" },
        { "GET", "*", 0, NULL, 400, "target" }, { "GET", "/nothing", 0, NULL, 404, "no-route" }, { "GET", "/%", 0, NULL, 400, "target" },
        { "GET", "/open", 0, NULL, 200, "" }, { "HEAD", "/open", 0, NULL, 200, "" }, { "GET", "/open", 1, NULL, 413, "body-size" },
        { "GET", "/open", 0, evil, 421, "host" }, { "POST", "/rows", 3, other, 403, "origin" }, { "GET", "/open", 0, other, 200, "" },
        { "GET", "/open", 0, two, 400, "header-repeated" }, { "POST", "/rows", -1, both, 400, "length-ambiguous" },
    };
    fixture f;
    char code[64];
    begin(&f, TCSI_ROLE_ADMIN);
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        int status = ask(&f, cases[i].method, cases[i].target, cases[i].size, cases[i].fields, code);
        if (status != cases[i].status || strcmp(code, cases[i].code) != 0) print_error("%s %s: %d %s\n", cases[i].method,
            cases[i].target, status, code);
        assert_int_equal(status, cases[i].status);
        assert_string_equal(code, cases[i].code);
    }
    tcsi_service_set_draining(f.service);
    assert_int_equal(ask(&f, "GET", "/open", 0, NULL, code), 503);
    assert_string_equal(code, "draining");
    end(&f);
}

static void test_roles_and_rates(void **state)
{
    (void)state;
    static const field json[] = { { "Content-Type", "application/json" }, { NULL, NULL } };
    fixture f;
    char code[64];
    begin(&f, TCSI_ROLE_ANALYST);
    assert_int_equal(ask(&f, "POST", "/rows", 3, json, code), 403);
    assert_string_equal(code, "role");
    assert_int_equal(f.calls, 0);
    end(&f);
    begin(&f, TCSI_ROLE_OPERATOR);
    int limited = 0;
    for (int i = 0; i < 60; i++) limited += ask(&f, "POST", "/rows", 3, json, code) == 429;
    assert_true(limited >= 5 && limited <= 10);
    assert_int_equal(f.calls, 60 - limited);
    tcsi_buffer out;
    char line[96];
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(tcsi_metrics_write(f.metrics, TCSI_EXPOSITION_TEXT, &out, test_err));
    snprintf(line, sizeof line, "tocsin_http_requests_total{route=\"rows\",code=\"429\"} %d\n", limited);
    assert_non_null(strstr(out.data, line));
    snprintf(line, sizeof line, "tocsin_http_refused_total{reason=\"rate\"} %d\n", limited);
    assert_non_null(strstr(out.data, line));
    snprintf(line, sizeof line, "tocsin_http_request_body_bytes_total{route=\"rows\"} %d\n", 3 * (60 - limited));
    assert_non_null(strstr(out.data, line));
    tcsi_buffer_deinit(&out);
    end(&f);
}

/* Each allocation of a request fails once: some answer, whatever it is, and nothing left. */
static void test_failing_allocations(void **state)
{
    (void)state;
    static const field json[] = { { "Content-Type", "application/json" }, { NULL, NULL } };
    tcsi_alloc_trace_begin();
    fixture f;
    char code[64];
    begin(&f, TCSI_ROLE_ADMIN);
    (void)ask(&f, "POST", "/rows", 3, json, code); /* series of metrics are made */
    (void)ask(&f, "GET", "/nothing", 0, NULL, code);
    size_t live = tcsi_alloc_trace_stats().live_count;
    int fine = 0;
    for (size_t fail_at = 1; fail_at < 12; fail_at++) {
        tcsi_alloc_trace_fail_at(fail_at);
        int status = ask(&f, "POST", "/rows", 3, json, code);
        assert_true(status == 200 || status == 503);
        fine += status == 200;
        tcsi_alloc_trace_fail_at(fail_at);
        assert_int_equal(ask(&f, "GET", "/nothing", 0, NULL, code), 404);
        tcsi_alloc_trace_fail_at(0);
        (void)ask(&f, "POST", "/rows", 4, json, code); /* and the next is as if nothing had been */
        assert_true(tcsi_alloc_trace_stats().live_count <= live + 12); /* series of new codes, made late */
    }
    assert_true(fine > 0 && fine < 12);
    end(&f);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

TCS_TEST_MAIN(cmocka_unit_test(test_order), cmocka_unit_test(test_roles_and_rates), cmocka_unit_test(test_failing_allocations))
