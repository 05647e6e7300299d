/* The dashboard's files as the service gives them: plain or packed by what the client takes, kept by tags, under a strict policy. */
#include "test.h"

#include "serve/http/exchange.h"
#include "serve/web/web.h"

typedef struct asked {
    const char *accept, *known; /* Accept-Encoding, If-None-Match; NULL: absent */
} asked;

static const char *find_header(void *context, const char *name)
{
    const asked *a = context;
    if (strcmp(name, "Accept-Encoding") == 0) return a->accept;
    return strcmp(name, "If-None-Match") == 0 ? a->known : NULL;
}

static size_t count_headers(void *context, const char *name) { return find_header(context, name) != NULL; }

typedef struct answer {
    int status;
    size_t size;
    char head[4], tag[64], coding[16], policy[512], cache[64];
} answer;

static void copy_header(const tcsi_response *response, const char *name, char *text, size_t size)
{
    text[0] = 0;
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0) snprintf(text, size, "%s", response->headers[i].value);
}

static answer ask(const char *target, const char *accept, const char *known)
{
    asked a = { accept, known };
    const tcsi_head head = { "GET", target, "127.0.0.1", 0, find_header, count_headers, &a };
    tcsi_exchange *exchange = calloc(1, sizeof *exchange);
    tcsi_service_options options = { .anonymous_role = TCSI_ROLE_NONE };
    tcsi_router *router;
    tcsi_service *service;
    assert_ok(tcsi_router_create(&router, test_err));
    assert_ok(tcsi_web_mount(router, test_err));
    options.router = router;
    assert_ok(tcsi_service_create(&options, &service, test_err));
    if (tcsi_exchange_begin(service, exchange, &head)) tcsi_exchange_run(exchange, NULL, 0);
    const tcsi_response *response = &exchange->response;
    answer found = { .status = response->status, .size = response->body.size };
    if (found.size >= sizeof found.head) memcpy(found.head, response->body.data, sizeof found.head);
    copy_header(response, "ETag", found.tag, sizeof found.tag);
    copy_header(response, "Content-Encoding", found.coding, sizeof found.coding);
    copy_header(response, "Content-Security-Policy", found.policy, sizeof found.policy);
    copy_header(response, "Cache-Control", found.cache, sizeof found.cache);
    tcsi_exchange_end(exchange, true);
    tcsi_service_destroy(service);
    tcsi_router_destroy(router);
    free(exchange);
    return found;
}

static void test_codings(void **state)
{
    (void)state;
    static const struct { const char *accept; bool is_packed; } cases[] = {
        { NULL, false }, { "", false }, { "gzip", true }, { "br, gzip;q=0.5", true }, { "gzip;q=0", false }, { "gzip; q=0.000, br", false },
        { "br;q=1.0, *;q=0.1", true }, { "*;q=0", false }, { "gzipped", false }, { "deflate", false }, { "gzip;q=0.001", true },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        const answer a = ask("/", cases[i].accept, NULL);
        assert_int_equal(a.status, 200);
        assert_string_equal(a.coding, cases[i].is_packed ? "gzip" : "");
        assert_int_equal(a.size, cases[i].is_packed ? tcsi_web_files[0].packed_size : tcsi_web_files[0].plain_size);
        assert_memory_equal(a.head, cases[i].is_packed ? "\x1f\x8b" : "<!", 2);
    }
}

static void test_page_is_strict(void **state)
{
    (void)state;
    const answer a = ask("/", NULL, NULL);
    assert_non_null(strstr(a.policy, "default-src 'none'"));
    assert_null(strstr(a.policy, "unsafe"));
    assert_string_equal(a.cache, "no-cache");
    const char *page = (const char *)tcsi_web_files[0].plain; /* nothing from elsewhere, nothing inline that the policy would refuse */
    assert_null(strstr(page, "https://"));
    assert_null(strstr(page, "<style"));
    assert_null(strstr(page, " style="));
    assert_null(strstr(page, "<script>"));
}

static void test_tags(void **state)
{
    (void)state;
    const answer plain = ask("/", NULL, NULL), packed = ask("/", "gzip", NULL);
    assert_string_not_equal(plain.tag, packed.tag);
    char several[192];
    snprintf(several, sizeof several, "\"other\", W/%s", packed.tag);
    const answer again = ask("/", "gzip", several);
    assert_int_equal(again.status, 304);
    assert_int_equal(again.size, 0);
    assert_string_equal(again.tag, packed.tag);
    assert_int_equal(ask("/", "gzip", plain.tag).status, 200);
    assert_int_equal(ask("/", "gzip", "*").status, 304);
}

/* Every asset that the page names is there, and nothing else is. */
static void test_assets(void **state)
{
    (void)state;
    char target[256];
    const char *page = (const char *)tcsi_web_files[0].plain;
    size_t named = 0;
    for (const char *at = page; (at = strstr(at, "/assets/")); named++) {
        const size_t length = strcspn(at, "\"");
        snprintf(target, sizeof target, "%.*s", (int)length, at);
        const answer a = ask(target, NULL, NULL);
        assert_int_equal(a.status, 200);
        assert_non_null(strstr(a.cache, "immutable"));
        at += length;
    }
    for (size_t i = 1; i < tcsi_web_file_count; i++) assert_non_null(strstr(page, tcsi_web_files[i].name));
    assert_int_equal(named, tcsi_web_file_count - 1);
    assert_int_equal(ask("/assets/app.js", NULL, NULL).status, 404);
    assert_int_equal(ask("/assets/..%2fetc", NULL, NULL).status, 404);
    assert_int_equal(ask("/assets/", NULL, NULL).status, 404);
}

/* What a first visit costs: a phone on a bad line must not wait. */
static void test_size(void **state)
{
    (void)state;
    size_t size = 0;
    for (size_t i = 0; i < tcsi_web_file_count; i++) size += tcsi_web_files[i].packed_size;
    assert_in_range(size, 100, 300 << 10);
}

/* A build with -Ddashboard=disabled has one page, which says how to have more; any other build has a dashboard. */
static void test_a_build_without_it_says_so(void **state)
{
    (void)state;
    const bool is_said = strstr((const char *)tcsi_web_files[0].plain, "-Ddashboard=disabled") != NULL;
    assert_true(is_said == (tcsi_web_file_count == 1));
    assert_int_equal(ask("/", NULL, NULL).status, 200);
    assert_int_equal(ask("/assets/app.js", NULL, NULL).status, 404); /* its name has its hash */
}

TCS_TEST_MAIN(cmocka_unit_test(test_codings), cmocka_unit_test(test_page_is_strict), cmocka_unit_test(test_tags),
              cmocka_unit_test(test_assets), cmocka_unit_test(test_size), cmocka_unit_test(test_a_build_without_it_says_so))
