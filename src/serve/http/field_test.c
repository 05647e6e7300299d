/* Values of header fields: what is meant, and what is refused. */
#include "test.h"

#include "serve/http/field.h"

static void test_authorization(void **state)
{
    (void)state;
    const char *token = NULL;
    size_t size = 0;
    assert_int_equal(tcsi_field_authorization(NULL, &token, &size), TCSI_CREDENTIAL_NONE);
    static const char *const good[] = { "Bearer abc_D-9.~+/==", "bearer   abc_D-9.~+/==", "TOKEN abc_D-9.~+/== ",
        " Bearer\tabc_D-9.~+/==" };
    for (size_t i = 0; i < TCS_COUNT(good); i++) {
        assert_int_equal(tcsi_field_authorization(good[i], &token, &size), TCSI_CREDENTIAL_TOKEN);
        assert_int_equal(size, 13);
        assert_memory_equal(token, "abc_D-9.~+/==", 13);
    }
    static const char *const bad[] = { "", " ", "Bearer", "Bearer ", "Bearer a b", "Bearer \x01", "Bearer a,b", "Bearer a\"",
        "(Bearer) a" };
    for (size_t i = 0; i < TCS_COUNT(bad); i++)
        assert_int_equal(tcsi_field_authorization(bad[i], &token, &size), TCSI_CREDENTIAL_MALFORMED);
    assert_int_equal(tcsi_field_authorization("Basic dTpw", &token, &size), TCSI_CREDENTIAL_OTHER);
    assert_int_equal(tcsi_field_authorization("Digest a=\"b\"", &token, &size), TCSI_CREDENTIAL_OTHER);
}

static void test_content_type(void **state)
{
    (void)state;
    assert_true(tcsi_field_media_is("application/json", "application/json"));
    assert_true(tcsi_field_media_is(" Application/JSON ; charset=\"utf-8\" ;; a=b", "application/json"));
    assert_true(tcsi_field_media_is_one("text/csv", "application/json|text/csv"));
    static const char *const bad[] = { "", "application", "application/", "/json", "application/jso", "application/json2",
        "application/json x",
                                       "application/json;=", "application/json;a", "application/json;a=", "application/json;a=\"b",
                                       "application/json, text/csv" };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_false(tcsi_field_media_is(bad[i], "application/json"));
    char text[16];
    const char *proto = "application/x-protobuf; proto=io.prometheus; Q=\"a b\"";
    assert_true(tcsi_field_media_parameter(proto, "PROTO", text, sizeof text));
    assert_string_equal(text, "io.prometheus");
    assert_true(tcsi_field_media_parameter(proto, "q", text, sizeof text));
    assert_string_equal(text, "a b");
    assert_false(tcsi_field_media_parameter(proto, "x", text, sizeof text));
    assert_false(tcsi_field_media_parameter(proto, "proto", text, 13));
}

static void test_accept(void **state)
{
    (void)state;
    static const char *const offers[] = { "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text; version=1.0.0; charset=utf-8" };
    static const struct { const char *accept; int chosen; } cases[] = {
        { NULL, 0 }, { "", 0 }, { "  ", 0 }, { "*/*", 0 }, { "text/*", 0 }, { "application/*", 1 }, { "application/openmetrics-text", 1 },
        { "text/plain;q=0.5,application/openmetrics-text", 1 }, { "text/plain;q=0,*/*", 1 }, { "text/plain;q=0", -1 }, { "image/png", -1 },
        { "*/*;q=0", -1 }, { "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", 1 },
        { "application/openmetrics-text;version=0.0.1,text/plain;q=0.1", 0 }, { "application/openmetrics-text;version=2", -1 },
        { "text/plain;q=1.5", -1 }, { "text/plain;q=", -1 }, { "text/plain;q=0.1234", -1 }, { "nonsense", -1 }, { ",,,", -1 },
        { "nonsense, text/plain", 0 }, { "*/plain", -1 }, { "text/plain;q=0.001, application/openmetrics-text;q=0.002", 1 },
        { "TEXT/PLAIN", 0 }, { "text/plain;charset=latin1", 0 },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        int chosen = tcsi_field_accept(cases[i].accept, offers, 2);
        if (chosen != cases[i].chosen) print_error("%s: %d\n", cases[i].accept, chosen);
        assert_int_equal(chosen, cases[i].chosen);
    }
}

static void test_hosts(void **state)
{
    (void)state;
    static const char *const good[] = { "localhost", "LocalHost:80", "127.0.0.1", "127.9.8.7:65535", "[::1]", "[::1]:1" };
    static const char *const bad[] = { "", "localhost.", "localhost:", "localhost:x", "localhost:123456", "evil", "127.0.0.1.evil",
        "127.evil.0.1",
                                       "127.0.0", "1127.0.0.1", "[::1", "[::1]x", "[::2]", "::1", "127.0.0.", "localhost:80:80" };
    for (size_t i = 0; i < TCS_COUNT(good); i++) assert_true(tcsi_field_host_is_loopback(good[i]));
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_false(tcsi_field_host_is_loopback(bad[i]));
    assert_true(tcsi_field_origin_is_host("http://localhost:80", "LOCALHOST:80"));
    assert_false(tcsi_field_origin_is_host("http://localhost:80", "localhost:81"));
    assert_false(tcsi_field_origin_is_host("http://localhost:80.evil", "localhost:80"));
    assert_false(tcsi_field_origin_is_host("null", "null"));
    assert_false(tcsi_field_origin_is_host("://", ""));
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t number = 7;
    assert_true(tcsi_field_number("18446744073709551615", &number) && number == UINT64_MAX);
    static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1a", "18446744073709551616", "0x1" };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_false(tcsi_field_number(bad[i], &number));
}

TCS_TEST_MAIN(cmocka_unit_test(test_authorization), cmocka_unit_test(test_content_type), cmocka_unit_test(test_accept),
              cmocka_unit_test(test_hosts), cmocka_unit_test(test_numbers))
