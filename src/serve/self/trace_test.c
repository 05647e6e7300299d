/* W3C trace context, with the examples of its standard, and lines of the log. */
#include "test.h"

#include "base/alloc.h"
#include "base/json.h"
#include "serve/self/log.h"
#include "serve/self/trace.h"

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void test_parse(void **state)
{
    (void)state;
    tcsi_trace trace;
    assert_true(tcsi_trace_parse(PARENT, &trace));
    assert_string_equal(trace.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(trace.parent_id, "00f067aa0ba902b7");
    assert_true(trace.sampled);
    assert_true(tcsi_trace_parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what-the-future-will-be", &trace));
    assert_false(trace.sampled);
    assert_true(tcsi_trace_parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", &trace) && trace.sampled);
    static const char *const bad[] = {
        "", "00", PARENT "-", PARENT "x", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.x",
        "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-001", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
    };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_false(tcsi_trace_parse(bad[i], &trace));
}

static void test_begin(void **state)
{
    (void)state;
    char text[TCSI_TRACEPARENT_SIZE + 1];
    tcsi_trace one = tcsi_trace_begin(PARENT), two = tcsi_trace_begin(PARENT), three = tcsi_trace_begin("nonsense"), four =
        tcsi_trace_begin(NULL);
    assert_string_equal(one.trace_id, two.trace_id);
    assert_string_not_equal(one.span_id, two.span_id);
    assert_string_not_equal(three.trace_id, four.trace_id);
    assert_string_equal(three.parent_id, "");
    tcsi_trace_format(&one, text);
    assert_true(tcsi_trace_parse(text, &two));
    assert_string_equal(two.trace_id, one.trace_id);
    assert_string_equal(two.parent_id, one.span_id);
    assert_int_equal(strlen(text), TCSI_TRACEPARENT_SIZE);
}

/* Whatever a message holds, a line is one line, and JSON. */
static void test_log(void **state)
{
    (void)state;
    tcsi_buffer out;
    tcsi_arena arena;
    const tcsi_json_value *root;
    tcsi_trace trace = tcsi_trace_begin(PARENT);
    tcsi_buffer_init(&out, 1 << 16);
    tcsi_arena_init(&arena, 1 << 16);
    tcsi_trace_set_current(&trace);
    assert_ok(tcsi_log_line(1767571200123456789, TCSI_LOG_WARNING, "HTTP-X", "a\n{\"level\":\"error\"}\x01\xff\"", &out, test_err));
    tcsi_trace_set_current(NULL);
    assert_ptr_equal(strchr(out.data, '\n'), out.data + out.size - 1);
    assert_ok(tcsi_json_parse(out.data, out.size, &arena, &root, test_err));
    assert_string_equal(tcsi_json_get(root, "time")->text, "2026-01-05T00:00:00.123Z");
    assert_string_equal(tcsi_json_get(root, "level")->text, "warning");
    assert_string_equal(tcsi_json_get(root, "message")->text, "a\n{\"level\":\"error\"}\x01\xef\xbf\xbd\"");
    assert_string_equal(tcsi_json_get(root, "trace_id")->text, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(tcsi_json_get(root, "span_id")->text, trace.span_id);
    tcsi_arena_deinit(&arena);
    tcsi_buffer_deinit(&out);
}

TCS_TEST_MAIN(cmocka_unit_test(test_parse), cmocka_unit_test(test_begin), cmocka_unit_test(test_log))
