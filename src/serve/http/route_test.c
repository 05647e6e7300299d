/* The table of routes: what matches, what is refused at mounting, which parameters pass. */
#include "test.h"

#include "base/alloc.h"
#include "base/json.h"
#include "serve/http/builtin.h"
#include "serve/http/openapi.h"
#include "serve/http/route.h"

static tcs_status answer(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    (void)context, (void)request, (void)response, (void)err;
    return TCS_OK;
}

#define ROW(m, p, i, ...) { .method = m, .path = p, .handle = answer, .id = i, .summary = "s", .group = "g", __VA_ARGS__ }
#define ID { .name = "id", .help = "h" }

static const tcsi_route routes[] = {
    ROW(TCSI_GET, "/", "root"),
    ROW(TCSI_GET, "/a", "a"),
    ROW(TCSI_POST, "/a", "a_post"),
    ROW(TCSI_GET, "/a/{id}", "one", .parameters = { ID }),
    ROW(TCSI_DELETE, "/a/{id}", "one_delete", .parameters = { ID }),
    ROW(TCSI_GET, "/a/first", "first"),
    ROW(TCSI_GET, "/a/{id}/b/{other}", "two", .parameters = { ID, { .name = "other", .help = "h" } }),
    ROW(TCSI_PUT, "/a/first/b/c", "deep"),
};

static const char *match(tcsi_router *router, tcsi_method method, const char *path, tcsi_matched *matched)
{
    static tcsi_target target;
    assert_ok(tcsi_target_parse(path, strlen(path), &target, test_err));
    switch (tcsi_router_match(router, method, &target, matched)) {
    case TCSI_MATCH_FOUND: return matched->mounted->route->id;
    case TCSI_MATCH_NO_PATH: return "404";
    case TCSI_MATCH_NO_METHOD: return "405";
    }
    return "?";
}

static void test_match(void **state)
{
    (void)state;
    tcsi_router *router;
    tcsi_matched m;
    char allow[TCSI_ALLOW_SIZE];
    int context;
    assert_ok(tcsi_router_create(&router, test_err));
    assert_ok(tcsi_router_mount(router, routes, TCS_COUNT(routes), &context, test_err));
    static const struct { tcsi_method method; const char *path, *expected; } cases[] = {
        { TCSI_GET, "/", "root" }, { TCSI_GET, "/a", "a" }, { TCSI_HEAD, "/a", "a" }, { TCSI_POST, "/a/", "a_post" },
        { TCSI_PUT, "/a", "405" },
        { TCSI_GET, "/a/x", "one" }, { TCSI_GET, "/a/first", "first" }, { TCSI_DELETE, "/a/first", "one_delete" },
        { TCSI_GET, "/a/firs", "one" },
        { TCSI_GET, "/a/firsts", "one" }, { TCSI_GET, "/a/x/b/y", "two" }, { TCSI_GET, "/a/first/b/c", "two" },
        { TCSI_PUT, "/a/first/b/c", "deep" }, { TCSI_PUT, "/a/first/b/d", "405" }, { TCSI_GET, "/a/x/b", "404" }, { TCSI_GET, "/b", "404" },
        { TCSI_GET, "/a/x/c/y", "404" }, { TCSI_HEAD, "/a/first/b/d", "two" }, { TCSI_OPTIONS, "/a", "405" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) assert_string_equal(match(router, cases[i].method, cases[i].path, &m), cases[i].expected);
    match(router, TCSI_GET, "/a/x%2Fy/b/z", &m);
    assert_int_equal(m.value_count, 2);
    assert_string_equal(m.values[0], "x/y");
    assert_string_equal(m.values[1], "z");
    assert_ptr_equal(m.mounted->context, &context);
    match(router, TCSI_PATCH, "/a/first", &m); /* of both nodes that the path fits */
    tcsi_allow_format(m.methods, allow);
    assert_string_equal(allow, "GET, HEAD, DELETE, OPTIONS");
    tcsi_allow_format(~0u, allow);
    assert_string_equal(allow, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    tcsi_router_destroy(router);
    tcsi_router_destroy(NULL);
}

static void test_mounting_refuses(void **state)
{
    (void)state;
    const struct { tcsi_route row; const char *words; } bad[] = {
        { ROW(TCSI_GET, "/a/{other}", "x", .parameters = { { .name = "other", .help = "h" } }), "answer the same requests" },
        { ROW(TCSI_GET, "/z/{id}", "x"), "not among its parameters" },
        { ROW(TCSI_GET, "/z", "one"), "two routes are named" },
        { ROW(TCSI_HEAD, "/z", "x"), "answered by themselves" },
        { ROW(TCSI_GET, "z", "x"), "begins with /" },
        { ROW(TCSI_POST, "/z", "x", .request_schema = "{"), "schema of route x" },
        { ROW(TCSI_GET, "/z", "x", .answers = { { 200, "h", "application/json", "{]" } }), "schema of route x" },
        { ROW(TCSI_GET, "/z", "x", .parameters = { { .name = "k", .type = TCSI_ARGUMENT_CHOICE, .help = "h" } }), "no choices" },
    };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        tcsi_router *router;
        tcs_error err = { 0 };
        assert_ok(tcsi_router_create(&router, test_err));
        assert_ok(tcsi_router_mount(router, routes, TCS_COUNT(routes), NULL, test_err));
        assert_int_equal(tcsi_router_mount(router, &bad[i].row, 1, NULL, &err), TCS_E_INVALID);
        assert_non_null(strstr(err.text, bad[i].words));
        tcsi_router_destroy(router);
    }
}

static const tcsi_route asked = ROW(TCSI_GET, "/s/{id}", "s", .parameters = {
    { .name = "id", .type = TCSI_ARGUMENT_INTEGER, .low = 1, .high = 10, .help = "h" },
    { .name = "share", .type = TCSI_ARGUMENT_NUMBER, .low = -1, .high = 1, .help = "h", .fallback = "0.5" },
    { .name = "all", .type = TCSI_ARGUMENT_FLAG, .help = "h" },
    { .name = "state", .type = TCSI_ARGUMENT_CHOICE, .choices = "open|closed", .help = "h", .required = true },
    { .name = "match[]", .help = "h", .repeated = true } });

static tcs_status check(const char *id, const char *query, tcsi_request *request, tcs_error *err)
{
    static tcsi_target target;
    static tcsi_pair pair;
    char text[256];
    snprintf(text, sizeof text, "/s?%s", query);
    assert_ok(tcsi_target_parse(text, strlen(text), &target, test_err));
    pair = (tcsi_pair){ "id", id };
    *request = (tcsi_request){ .route = &asked, .parameters = &pair, .parameter_count = 1, .query = target.query,
                               .query_count = target.query_count };
    return tcsi_route_check(request, err);
}

static void test_parameters(void **state)
{
    (void)state;
    tcsi_request request;
    tcs_error err = { 0 };
    assert_int_equal(check("7", "state=open&share=-1e-1&all&match[]=a&match[]=b", &request, &err), TCS_OK);
    assert_int_equal(tcsi_request_integer(&request, "id", 0), 7);
    assert_near(-0.1, tcsi_request_number(&request, "share", 0), 1e-15);
    assert_true(tcsi_request_flag(&request, "all", false));
    assert_string_equal(tcsi_request_text(&request, "match[]"), "a");
    assert_int_equal(check("7", "state=closed&all=false", &request, &err), TCS_OK);
    assert_false(tcsi_request_flag(&request, "all", true));
    assert_near(0.5, tcsi_request_number(&request, "share", 0), 0);
    assert_null(tcsi_request_text(&request, "match[]"));
    static const char *const bad[][3] = {
        { "0", "state=open", "expected 1 to 10" }, { "x", "state=open", "expected a whole number" },
        { "1.0", "state=open", "a whole number" },
        { "7", "", "state is missing" }, { "7", "state=", "expected open|closed" }, { "7", "state=open|closed", "expected open|closed" },
        { "7", "state=ope", "expected open|closed" }, { "7", "state=open&state=open", "given twice" },
        { "7", "state=open&id=3", "unknown" },
        { "7", "state=open&share=nan", "expected a number" }, { "7", "state=open&share=1e999", "expected a number" },
        { "7", "state=open&share=0x1", "expected a number" }, { "7", "state=open&share=2", "expected -1 to 1" },
        { "7", "state=open&share=", "expected a number" }, { "7", "state=open&all=maybe", "expected true or false" },
        { "7", "stat=open", "did you mean state?" }, { "7", "zzzzzz=1&state=open", "known are id, share, all, state, match[]" },
        { "99999999999999999999", "state=open", "expected a whole number" }, { "--1", "state=open", "expected a whole number" },
    };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        assert_int_equal(check(bad[i][0], bad[i][1], &request, &err), TCS_E_INVALID);
        if (!strstr(err.text, bad[i][2])) print_error("%s?%s: %s\n", bad[i][0], bad[i][1], err.text);
        assert_non_null(strstr(err.text, bad[i][2]));
    }
}

/* Documents of every allocation failing: a clean status, nothing left. */
static void test_documents(void **state)
{
    (void)state;
    bool done = false;
    for (size_t fail_at = 1; !done; fail_at++) {
        tcs_error err = { 0 };
        tcsi_router *router = NULL;
        tcsi_builtin builtin = { 0 };
        tcsi_buffer out;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail_at);
        tcsi_buffer_init(&out, 1 << 20);
        tcs_status status = tcsi_router_create(&router, &err);
        if (status == TCS_OK) status = tcsi_router_mount(router, routes, TCS_COUNT(routes), NULL, &err);
        if (status == TCS_OK) status = tcsi_router_mount(router, &asked, 1, NULL, &err);
        if (status == TCS_OK) status = tcsi_builtin_mount(router, &builtin, &err);
        if (status == TCS_OK) status = tcsi_openapi_write(router, true, &out, &err);
        size_t document_size = out.size;
        if (status == TCS_OK) status = tcsi_openapi_page(router, &out, &err);
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
        done = status == TCS_OK;
        if (done) {
            tcsi_arena arena;
            const tcsi_json_value *root;
            tcsi_alloc_trace_fail_at(0);
            tcsi_arena_init(&arena, 1 << 20);
            assert_ok(tcsi_json_parse(out.data, document_size, &arena, &root, test_err));
            const tcsi_json_value *paths = tcsi_json_get(root, "paths");
            assert_int_equal(paths->item_count, 13);
            assert_int_equal(tcsi_json_get(paths, "/a")->item_count, 2);
            assert_non_null(strstr(out.data + document_size, "### `DELETE /a/{id}`"));
            assert_non_null(strstr(out.data + document_size, "| `state` | one of | required | `open` `closed` h |"));
            tcsi_arena_deinit(&arena);
        }
        tcsi_buffer_deinit(&out);
        tcsi_router_destroy(router);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_match), cmocka_unit_test(test_mounting_refuses), cmocka_unit_test(test_parameters),
              cmocka_unit_test(test_documents))
