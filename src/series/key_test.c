/* series/key_test.c -- order, limits, the three forms there and back, and texts that are no key.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "series/key.h"

static tcsi_key_fault add(tcsi_key *key, const char *name, const char *value)
{
    return tcsi_key_add(key, name, strlen(name), value, strlen(value));
}

static void expect_text(const tcsi_key *key, const char *expected)
{
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    assert_ok(tcsi_key_print(key, &out, test_err));
    assert_string_equal(out.data, expected);
    tcsi_buffer_deinit(&out);
}

static void test_order_and_bytes(void **state)
{
    (void)state;
    tcsi_key key;
    unsigned char bytes[TCSI_KEY_SIZE_MAX];
    tcsi_key_begin(&key);
    add(&key, "job", "a");
    add(&key, "__name__", "up");
    add(&key, "Zone", "z");
    add(&key, "jo", "b");
    add(&key, "none", "");
    assert_int_equal(tcsi_key_finish(&key), TCSI_KEY_NONE);
    assert_int_equal(key.tag_count, 4);
    static const char expected[] = "\4\0Zone\1\0z\10\0__name__\2\0up\2\0jo\1\0b\3\0job\1\0a";
    assert_int_equal(tcsi_key_encode(&key, bytes), sizeof expected - 1);
    assert_memory_equal(bytes, expected, sizeof expected - 1);
    expect_text(&key, "up{Zone=\"z\",jo=\"b\",job=\"a\"}");
    assert_memory_equal(tcsi_key_get(&key, "job")->value, "a", 1);
    assert_null(tcsi_key_get(&key, "none"));
    assert_true(tcsi_fingerprint_equal(tcsi_key_fingerprint(&key), tcsi_fingerprint_of(expected, sizeof expected - 1, 0)));
}

static tcsi_key_fault fault_of(const char *const (*tags)[2], size_t count)
{
    tcsi_key key;
    tcsi_key_begin(&key);
    for (size_t i = 0; i < count; i++) add(&key, tags[i][0], tags[i][1]);
    return tcsi_key_finish(&key);
}

static void test_faults(void **state)
{
    (void)state;
    static const char *const twice[][2] = { { "a", "1" }, { "b", "1" }, { "a", "1" } }, *const bad[][2] = { { "a", "\xff" } },
                            *const nameless[][2] = { { "", "x" } }, *const empty[][2] = { { "a", "" } };
    assert_int_equal(fault_of(twice, 3), TCSI_KEY_DUPLICATE);
    assert_int_equal(fault_of(bad, 1), TCSI_KEY_NO_TEXT);
    assert_int_equal(fault_of(nameless, 1), TCSI_KEY_NO_TEXT);
    assert_int_equal(fault_of(empty, 1), TCSI_KEY_EMPTY);
    assert_int_equal(fault_of(NULL, 0), TCSI_KEY_EMPTY);
    tcsi_key key;
    tcsi_key_begin(&key);
    assert_int_equal(tcsi_key_add(&key, "a", 1, "x\0y", 3), TCSI_KEY_NO_TEXT);
    char text[TCSI_KEY_VALUE_SIZE_MAX + 2];
    memset(text, 'x', sizeof text);
    tcsi_key_begin(&key);
    assert_int_equal(tcsi_key_add(&key, text, TCSI_KEY_NAME_SIZE_MAX, text, TCSI_KEY_VALUE_SIZE_MAX), TCSI_KEY_NONE);
    assert_int_equal(tcsi_key_add(&key, text, TCSI_KEY_NAME_SIZE_MAX + 1, "a", 1), TCSI_KEY_TOO_LONG);
    assert_int_equal(tcsi_key_add(&key, "a", 1, text, TCSI_KEY_VALUE_SIZE_MAX + 1), TCSI_KEY_TOO_LONG);
    assert_int_equal(tcsi_key_add(&key, "b", 1, text, TCSI_KEY_VALUE_SIZE_MAX), TCSI_KEY_NONE);
    assert_int_equal(tcsi_key_add(&key, "c", 1, text, TCSI_KEY_VALUE_SIZE_MAX), TCSI_KEY_NONE);
    assert_int_equal(tcsi_key_add(&key, "d", 1, text, TCSI_KEY_VALUE_SIZE_MAX), TCSI_KEY_TOO_LONG); /* 8192 in all */
    assert_int_equal(tcsi_key_finish(&key), TCSI_KEY_TOO_LONG);
    char names[TCSI_KEY_TAG_COUNT_MAX + 1][4];
    tcsi_key_begin(&key);
    for (size_t i = 0; i <= TCSI_KEY_TAG_COUNT_MAX; i++) {
        snprintf(names[i], sizeof names[i], "t%zu", i);
        assert_int_equal(add(&key, names[i], "v"), i < TCSI_KEY_TAG_COUNT_MAX ? TCSI_KEY_NONE : TCSI_KEY_TOO_MANY_TAGS);
    }
}

/* Whatever the order in which tags are added, the key is one; bytes and text lead back to it. */
static void test_there_and_back(void **state)
{
    (void)state;
    static const char letters[] = "ab_:9\"\\\n {}=,\xc3\xa9";
    tcsi_rng rng = tcsi_rng_make(5, 0);
    tcsi_arena arena;
    tcsi_buffer out;
    tcsi_arena_init(&arena, 0);
    tcsi_buffer_init(&out, 1 << 20);
    for (int round = 0; round < 3000; round++) {
        char texts[20][12];
        size_t order[10], count = 1 + tcsi_rng_below(&rng, 10);
        for (size_t i = 0; i < 2 * count; i++) {
            size_t size = 1 + tcsi_rng_below(&rng, 3), at = 0;
            if (i < count) at = (size_t)snprintf(texts[i], 4, i == 0 && round % 2 ? "x" : "%c", (int)('a' + i)); /* names differ */
            for (size_t j = 0; j < size; j++) texts[i][at++] = letters[tcsi_rng_below(&rng, 13)];
            if (tcsi_rng_below(&rng, 4) == 0) at += (size_t)snprintf(texts[i] + at, 4, "\xc3\xa9");
            texts[i][at] = 0;
            if (i == 0 && round % 2) snprintf(texts[i], sizeof texts[i], "__name__");
        }
        tcsi_key key, shuffled, decoded, parsed;
        tcsi_key_begin(&key);
        tcsi_key_begin(&shuffled);
        for (size_t i = 0; i < count; i++) order[i] = i;
        tcsi_rng_shuffle(&rng, order, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(add(&key, texts[i], texts[count + i]), TCSI_KEY_NONE);
            assert_int_equal(add(&shuffled, texts[order[i]], texts[count + order[i]]), TCSI_KEY_NONE);
        }
        assert_int_equal(tcsi_key_finish(&key), TCSI_KEY_NONE);
        assert_int_equal(tcsi_key_finish(&shuffled), TCSI_KEY_NONE);
        assert_true(tcsi_fingerprint_equal(tcsi_key_fingerprint(&key), tcsi_key_fingerprint(&shuffled)));
        unsigned char bytes[TCSI_KEY_SIZE_MAX];
        size_t size = tcsi_key_encode(&key, bytes);
        assert_ok(tcsi_key_decode(bytes, size, &decoded, test_err));
        assert_true(tcsi_fingerprint_equal(tcsi_key_fingerprint(&key), tcsi_key_fingerprint(&decoded)));
        for (size_t cut = 0; cut < size; cut++) { /* shorter: no key, or a key of fewer tags */
            tcs_status status = tcsi_key_decode(bytes, cut, &decoded, NULL);
            assert_true(status == TCS_E_FORMAT || (status == TCS_OK && decoded.tag_count < count));
        }
        tcsi_buffer_clear(&out);
        tcsi_arena_reset(&arena);
        assert_ok(tcsi_key_print(&key, &out, test_err));
        tcs_error err = { 0 };
        if (tcsi_key_parse(out.data, out.size, &arena, &parsed, &err) != TCS_OK) fail_msg("%s: %s", out.data, err.text);
        assert_true(tcsi_fingerprint_equal(tcsi_key_fingerprint(&key), tcsi_key_fingerprint(&parsed)));
    }
    tcsi_buffer_deinit(&out);
    tcsi_arena_deinit(&arena);
}

static void test_bytes_that_are_no_key(void **state)
{
    (void)state;
    tcsi_key key;
#define REFUSED(bytes) assert_int_equal(tcsi_key_decode(bytes, sizeof bytes - 1, &key, NULL), TCS_E_FORMAT)
    REFUSED("");
    REFUSED("\1\0b\1\0x\1\0a\1\0x"); /* order */
    REFUSED("\1\0a\1\0x\1\0a\1\0x"); /* twice */
    REFUSED("\1\0a\0\0");            /* empty value */
    REFUSED("\0\0\1\0a");            /* empty name */
    REFUSED("\1\0a\1\0x\1");
    REFUSED("\377\377a\1\0x");
    assert_int_equal(tcsi_key_decode("\1\0a\1\0x", 6, &key, NULL), TCS_OK);
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        { "up", "up" },
        { " up { b = \"1\" , a=\"2\", } ", "up{a=\"2\",b=\"1\"}" },
        { "{__name__=\"up\"}", "up" },
        { "up{}", "up" },
        { "a:b_9{x=\"\"}", "a:b_9" },
        { "{\"http.server\",\"a b\"=\"c\"}", "{\"http.server\",\"a b\"=\"c\"}" },
        { "{a=\"q\\\"\\\\\\n\\t\\'\"}", "{a=\"q\\\"\\\\\\n\t'\"}" },
    };
    static const char *const bad[][2] = {
        { "", "byte 0: expected a name" },          { "{}", "no tag with a value" },
        { "9up", "byte 0: expected a name or {" },  { "up{a=b}", "byte 5: expected a value in double quotes" },
        { "up{a=\"b\"", "expected a comma or }" },  { "up{a=\"b", "byte 7: expected a closing quote" },
        { "up{a=\"b\"} x", "the end of the key" },  { "up{a=\"\\x\"}", "byte 7: expected one of" },
        { "up{a=\"1\",a=\"2\"}", "twice" },         { "up{__name__=\"x\"}", "twice" },
        { "up{a\"b\"}", "byte 4: expected =" },     { "up{a=\"\xff\"}", "not UTF-8" },
        { "up{,}", "byte 3: expected a tag's name" }, { "\"a b\"", "byte 0: expected a name or {" },
        { "up{a=\"\\", "closing quote" },
    };
    tcsi_arena arena;
    tcsi_key key;
    tcs_error err;
    tcsi_arena_init(&arena, 0);
    for (size_t i = 0; i < TCS_COUNT(good); i++) {
        assert_ok(tcsi_key_parse(good[i][0], strlen(good[i][0]), &arena, &key, test_err));
        expect_text(&key, good[i][1]);
    }
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        char *exact = malloc(strlen(bad[i][0]) + 1);
        memcpy(exact, bad[i][0], strlen(bad[i][0]));
        assert_int_equal(tcsi_key_parse(exact, strlen(bad[i][0]), &arena, &key, &err), TCS_E_FORMAT);
        if (!strstr(err.text, bad[i][1])) fail_msg("%s: %s", bad[i][0], err.text);
        free(exact);
    }
    tcsi_arena_deinit(&arena);
}

TCS_TEST_MAIN(cmocka_unit_test(test_order_and_bytes), cmocka_unit_test(test_faults), cmocka_unit_test(test_there_and_back),
              cmocka_unit_test(test_bytes_that_are_no_key), cmocka_unit_test(test_texts))
