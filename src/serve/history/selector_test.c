/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "serve/history/selector.h"

static const char *const series[] = {
    "up{instance=\"10.0.0.1:9100\",job=\"node\"}", "up{instance=\"10.0.0.2:9100\",job=\"node\"}", "up{job=\"app\"}", "load{job=\"node\"}",
    "{\"http.requests\",path=\"/a \\\"b\\\"\"}", "{job=\"bare\"}",
};

/* Which of the series it selects: "0 2 ". */
static const char *selected(const char *query)
{
    static char text[64];
    tcsi_arena arena;
    tcsi_selector selector;
    tcsi_key key;
    text[0] = 0;
    tcsi_arena_init(&arena, 1 << 22);
    assert_ok(tcsi_selector_parse(query, strlen(query), &arena, &selector, test_err));
    for (size_t i = 0; i < TCS_COUNT(series); i++) {
        assert_ok(tcsi_key_parse(series[i], strlen(series[i]), &arena, &key, test_err));
        if (tcsi_selector_match(&selector, &key)) snprintf(text + strlen(text), sizeof text - strlen(text), "%zu ", i);
    }
    tcsi_arena_deinit(&arena);
    return text;
}

static void test_selects(void **state)
{
    (void)state;
    static const struct { const char *query, *expected; } cases[] = {
        { "up", "0 1 2 " },
        { " up { } ", "0 1 2 " },
        { "up{job=\"node\"}", "0 1 " },
        { "up{job='node',}", "0 1 " },
        { "up{job!=\"node\"}", "2 " },
        { "up{instance=\"\"}", "2 " },
        { "up{instance!=\"\"}", "0 1 " },
        { "up{instance=~\"10.0.0.[12]:.*\", job=~`node|app`}", "0 1 " },
        { "up{instance!~\".+2:9100\"}", "0 2 " },
        { "{job=\"node\"}", "0 1 3 " },
        { "{__name__=~\"up|load\",job=\"node\"}", "0 1 3 " },
        { "{__name__=\"up\", job=\"app\"}", "2 " },
        { "{\"http.requests\"}", "4 " },
        { "{\"http.requests\",path=\"/a \\\"b\\x22\"}", "4 " },
        { "{__name__=\"\", job=~\".+\"}", "5 " },
        { "{\"job\"=\"bare\"}", "5 " },
        { "up{job=~\"nod\"}", "" }, /* anchored */
        { "down", "" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        const char *got = selected(cases[i].query);
        if (strcmp(got, cases[i].expected) != 0) fail_msg("%s selects %s, expected %s", cases[i].query, got, cases[i].expected);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *query, *words; tcs_status status; } cases[] = {
        { "", "expected a name or {", TCS_E_INVALID },
        { "{}", "at least one non-empty matcher", TCS_E_INVALID },
        { "{a=~\".*\"}", "at least one non-empty matcher", TCS_E_INVALID },
        { "{a!=\"b\"}", "at least one non-empty matcher", TCS_E_INVALID },
        { "rate(up[5m])", "byte 5: expected the end: a query is one selector", TCS_E_INVALID },
        { "up[5m]", "one selector", TCS_E_INVALID },
        { "up offset 5m", "one selector", TCS_E_INVALID },
        { "up + 1", "one selector", TCS_E_INVALID },
        { "sum(up)", "one selector", TCS_E_INVALID },
        { "up{job=node}", "expected a text in quotes", TCS_E_INVALID },
        { "up{job\"node\"}", "expected =, !=, =~ or !~", TCS_E_INVALID },
        { "up{job=\"node\"", "expected , or }", TCS_E_INVALID },
        { "up{job=\"node", "a text that is not closed", TCS_E_INVALID },
        { "up{job=\"a\" x=\"b\"}", "expected , or }", TCS_E_INVALID },
        { "up{,}", "expected a label", TCS_E_INVALID },
        { "up{\"down\"}", "a second name", TCS_E_INVALID },
        { "up{a=\"\\q\"}", "an escape", TCS_E_INVALID },
        { "up{a=\"\\x0\"}", "hexadecimal", TCS_E_INVALID },
        { "up{a=\"\\x00\"}", "an escape", TCS_E_INVALID },
        { "up{a=~\"(\"}", "pattern, byte 2", TCS_E_INVALID },
        { "a{b=\"1\",b=\"1\",b=\"1\",b=\"1\",b=\"1\",b=\"1\",b=\"1\",b=\"1\","
          "b=\"1\",b=\"1\",b=\"1\",b=\"1\",b=\"1\",b=\"1\",b=\"1\",b=\"1\"}", "more than 16 matchers", TCS_E_LIMIT },
        { "a{b=~\"1\",b=~\"1\",b=~\"1\",b=~\"1\",b=~\"1\",b=~\"1\",b=~\"1\",b=~\"1\",b=~\"1\"}", "more than 8 patterns", TCS_E_LIMIT },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcs_error failure = { 0 };
        tcsi_selector selector;
        tcsi_arena arena;
        tcsi_arena_init(&arena, 1 << 22);
        const tcs_status status = tcsi_selector_parse(cases[i].query, strlen(cases[i].query), &arena, &selector, &failure);
        if (status != cases[i].status || !strstr(failure.text, cases[i].words)) fail_msg("%s: %s", cases[i].query, failure.text);
        tcsi_arena_deinit(&arena);
    }
    static char text[TCSI_SELECTOR_SIZE_MAX + 1];
    tcs_error failure;
    tcsi_selector selector;
    memset(text, 'a', sizeof text);
    assert_int_equal(tcsi_selector_parse(text, sizeof text, NULL, &selector, &failure), TCS_E_LIMIT);
}

TCS_TEST_MAIN(cmocka_unit_test(test_selects), cmocka_unit_test(test_refused))
