/* A target means one thing, whatever way it is written, and what could mean two is refused. */
#include "test.h"

#include "serve/http/target.h"

static tcsi_target target;

static tcs_status parse(const char *text)
{
    tcs_error err = { 0 };
    tcs_status status = tcsi_target_parse(text, strlen(text), &target, &err);
    assert_true(status == TCS_OK || (err.status == status && strlen(err.text) > 10));
    return status;
}

static const char *path_of(const char *text)
{
    static char path[512];
    if (parse(text) != TCS_OK) return "refused";
    tcsi_target_path(&target, path, sizeof path);
    return path;
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "/", "/" }, { "/a/b", "/a/b" }, { "/a/b/", "/a/b" }, { "//a///b", "/a/b" }, { "/a/./b", "/a/b" }, { "/a/../b", "/b" },
        { "/a/%2e%2E/b", "/b" }, { "/a/%2e/b", "/a/b" }, { "/..", "refused" }, { "/a/../../b", "refused" }, { "/%2e%2e", "refused" },
        { "/a%2Fb", "/a/b" }, { "/a%20b", "/a b" }, { "/a+b", "/a+b" }, { "/%C3%A4", "/\xc3\xa4" }, { "/a;x=1", "/a;x=1" },
        { "http://h/a", "/a" }, { "HTTPS://h:1/a?b", "/a" }, { "http://h", "/" }, { "http://h?x=/y", "/" }, { "http:///a", "refused" },
        { "ftp://h/a", "refused" }, { "a/b", "refused" }, { "", "refused" }, { "?a", "refused" }, { "*", "*" }, { "*a", "refused" },
        { "/%", "refused" }, { "/%2", "refused" }, { "/%zz", "refused" }, { "/%00", "refused" }, { "/%0a", "refused" },
        { "/%7f", "refused" },
        { "/%80", "refused" }, { "/%c0%80", "refused" }, { "/%ed%a0%80", "refused" }, { "/%f4%90%80%80", "refused" }, { "/a b", "refused" },
        { "/a#b", "refused" }, { "/\xc3\xa4", "refused" }, { "/a\tb", "refused" }, { "/a\r\n", "refused" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) assert_string_equal(path_of(cases[i][0]), cases[i][1]);
}

static void test_segments_are_not_separators(void **state)
{
    (void)state;
    assert_int_equal(parse("/a/b%2Fc/d"), TCS_OK);
    assert_int_equal(target.segment_count, 3);
    assert_string_equal(target.segments[1], "b/c");
}

static void test_query(void **state)
{
    (void)state;
    assert_int_equal(parse("/a?x=1&y=a+b%2B%26c&&flag&z=&x=2?3=4"), TCS_OK);
    static const char *const expected[][2] = { { "x", "1" }, { "y", "a b+&c" }, { "flag", "" }, { "z", "" }, { "x", "2?3=4" } };
    assert_int_equal(target.query_count, TCS_COUNT(expected));
    for (size_t i = 0; i < TCS_COUNT(expected); i++) {
        assert_string_equal(target.query[i].name, expected[i][0]);
        assert_string_equal(target.query[i].value, expected[i][1]);
    }
    assert_int_equal(parse("/a?=1"), TCS_E_INVALID);
    assert_int_equal(parse("/a?x=%0a"), TCS_E_INVALID);
    assert_int_equal(parse("/a?%=1"), TCS_E_INVALID);
}

static void test_limits(void **state)
{
    (void)state;
    char text[TCSI_TARGET_SIZE_MAX + 2];
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[TCSI_TARGET_SIZE_MAX] = 0;
    assert_int_equal(parse(text), TCS_OK);
    text[TCSI_TARGET_SIZE_MAX] = 'a';
    text[TCSI_TARGET_SIZE_MAX + 1] = 0;
    assert_int_equal(parse(text), TCS_E_LIMIT);
    size_t used = 0;
    for (int i = 0; i <= TCSI_TARGET_SEGMENTS_MAX; i++, used += 2) memcpy(text + used, "/a", 3);
    assert_int_equal(parse(text), TCS_E_LIMIT);
    text[used - 2] = 0;
    assert_int_equal(parse(text), TCS_OK);
    used = 2;
    memcpy(text, "/?", 3);
    for (int i = 0; i <= TCSI_TARGET_QUERY_MAX; i++, used += 2) memcpy(text + used, "a&", 3);
    assert_int_equal(parse(text), TCS_E_LIMIT);
}

TCS_TEST_MAIN(cmocka_unit_test(test_paths), cmocka_unit_test(test_segments_are_not_separators), cmocka_unit_test(test_query),
              cmocka_unit_test(test_limits))
