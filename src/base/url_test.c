/* Passwords never come back, and percent codes do. */
#include "test.h"

#include "base/alloc.h"
#include "base/url.h"

static void test_redact(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "plant.csv", "plant.csv" },
        { "C:\\a.csv", "C:\\a.csv" },
        { "", "" },
        { "sqlite:a.db", "sqlite:a.db" },
        { "postgresql://u:secret@h:5432/d", "postgresql://u:***@h:5432/d" },
        { "postgresql://u@h:5432/d", "postgresql://u@h:5432/d" },
        { "postgresql://u:@h/d", "postgresql://u:***@h/d" },
        { "postgresql://u:se/cr@et?x@h/d", "postgresql://u:***@h/d" },
        { "postgresql://u:sec?ret@h/d", "postgresql://u:***@h/d" },
        { "postgresql://h/d?user=u&password=secret&x=1", "postgresql://h/d?user=u&password=***&x=1" },
        { "postgresql:///d?Password=secret", "postgresql:///d?Password=***" },
        { "http://u:secret@h:9090/api?query=up&token=secret", "http://u:***@h:9090/api?query=up&token=***" },
        { "http://h:9090/api?query=up", "http://h:9090/api?query=up" },
        { "http://h:9090/api/v1/query_range?query=up@123", "http://h:9090/api/v1/query_range?query=up@123" },
    };
    char text[256], small[8];
    for (size_t i = 0; i < TCS_COUNT(cases); i++) assert_string_equal(tcsi_url_redact(cases[i][0], text, sizeof text), cases[i][1]);
    assert_string_equal(tcsi_url_redact("postgresql://u:secret@h", small, sizeof small), "postgre");
}

static void test_scrub(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        { "postgresql://u:s%40cret@h", "no s@cret and no s%40cret", "no ****** and no ********" },
        { "postgresql://u:pa/ss@h", "invalid integer value \"pa\" or ss", "invalid integer value \"**\" or **" },
        { "postgresql://h/d?password=hush", "hush, hush", "****, ****" },
        { "postgresql://u@h", "no password", "no password" },
        { "a.csv", "a.csv", "a.csv" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        char text[128];
        snprintf(text, sizeof text, "%s", cases[i][1]);
        tcsi_url_scrub(cases[i][0], text);
        assert_string_equal(text, cases[i][2]);
    }
}

static void test_codes(void **state)
{
    (void)state;
    tcsi_buffer out;
    char every[256], text[1024];
    for (int c = 1; c < 256; c++) every[c - 1] = (char)c;
    every[255] = 0;
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(tcsi_url_encode(&out, every, test_err));
    assert_true(out.size < sizeof text);
    assert_true(strspn(out.data, "%0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~") == out.size);
    memcpy(text, out.data, out.size + 1);
    assert_true(tcsi_url_decode(text, false));
    assert_string_equal(text, every);
    static const char *const bad[] = { "%", "a%2", "%zz", "a%00b" };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        snprintf(text, sizeof text, "%s", bad[i]);
        assert_false(tcsi_url_decode(text, false));
    }
    snprintf(text, sizeof text, "a+b%%20c");
    assert_true(tcsi_url_decode(text, true));
    assert_string_equal(text, "a b c");
    tcsi_buffer_deinit(&out);
}

TCS_TEST_MAIN(cmocka_unit_test(test_redact), cmocka_unit_test(test_scrub), cmocka_unit_test(test_codes))
