/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "serve/action.h"

static void round_trip(const tcsi_action *action, tcsi_arena *arena, tcsi_action *ret_action)
{
    tcsi_json_writer writer;
    tcsi_buffer text;
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_action_write(action, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_ok(tcsi_action_read(text.data, text.size, arena, ret_action, test_err));
    tcsi_buffer_deinit(&text);
}

static void test_every_kind_is_read_as_written(void **state)
{
    (void)state;
    tcsi_arena arena;
    tcsi_action seen;
    tcsi_arena_init(&arena, 0);
    for (int kind = 0; kind < TCSI_ACTION_COUNT; kind++) {
        const tcsi_action action = { .kind = (tcsi_action_kind)kind, .id = "0123", .who = "ann \"a\" \xc3\xa9", .role = "analyst",
                                     .peer = "::1", .object = "anomaly-1-2", .document = "{\"verdict\":\"true\",\"until\":null}" };
        round_trip(&action, &arena, &seen);
        assert_int_equal(seen.kind, kind);
        assert_string_equal(seen.id, action.id);
        assert_string_equal(seen.who, action.who);
        assert_string_equal(seen.role, action.role);
        assert_string_equal(seen.object, action.object);
        assert_string_equal(seen.document, action.document);
    }
    tcsi_arena_deinit(&arena);
}

static void test_what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "[]", "{}", "{\"kind\":\"answer\"}",
        "{\"kind\":\"answer\",\"id\":\"\",\"who\":\"a\",\"role\":\"r\",\"peer\":\"\",\"object\":\"\",\"document\":\"{}\"}",
        "{\"kind\":\"dance\",\"id\":\"1\",\"who\":\"a\",\"role\":\"r\",\"peer\":\"\",\"object\":\"\",\"document\":\"{}\"}",
        "{\"kind\":\"answer\",\"id\":1,\"who\":\"a\",\"role\":\"r\",\"peer\":\"\",\"object\":\"\",\"document\":\"{}\"}",
        "{\"kind\":\"answer\",\"id\":\"a\\u0000b\",\"who\":\"a\",\"role\":\"r\",\"peer\":\"\",\"object\":\"\",\"document\":\"{}\"}",
    };
    tcsi_arena arena;
    tcsi_action seen;
    tcs_error failure;
    tcsi_arena_init(&arena, 0);
    for (size_t i = 0; i < TCS_COUNT(texts); i++)
        assert_int_equal(tcsi_action_read(texts[i], strlen(texts[i]), &arena, &seen, &failure), TCS_E_FORMAT);
    assert_int_equal(tcsi_action_read("", TCSI_ACTION_SIZE_MAX + 1, &arena, &seen, &failure), TCS_E_LIMIT);
    tcsi_arena_deinit(&arena);
}

static void test_ids_differ(void **state)
{
    (void)state;
    char a[TCSI_ACTION_ID_SIZE], b[TCSI_ACTION_ID_SIZE];
    tcs_error failure;
    if (tcsi_action_id(a, &failure) == TCS_E_UNSUPPORTED) skip();
    assert_ok(tcsi_action_id(b, test_err));
    assert_int_equal(strlen(a), TCSI_ACTION_ID_SIZE - 1);
    assert_string_not_equal(a, b);
}

TCS_TEST_MAIN(cmocka_unit_test(test_every_kind_is_read_as_written), cmocka_unit_test(test_what_is_none_is_refused),
              cmocka_unit_test(test_ids_differ))
