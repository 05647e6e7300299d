/* Silences that come and go, and how they are asked for.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "serve/deliver/silence_document.h"
#include "serve/deliver/silences.h"

#include <time.h>

static const int64_t second = 1000000000;

/* Asked for at second 100. */
static tcs_status ask(const char *text, tcsi_silence *ret_silence, tcs_error *err)
{
    tcsi_arena arena;
    tcsi_arena_init(&arena, 1 << 20);
    const tcs_status status = tcsi_silence_ask(text, strlen(text), 100 * second, &arena, ret_silence, err);
    tcsi_arena_deinit(&arena);
    return status;
}

#define HOST "{\"name\":\"host\",\"op\":\"=\",\"value\":\"a\"}"
#define TO ",\"to\":\"1970-01-01T00:10:00Z\"}"

static void test_what_is_asked(void **state)
{
    static const struct { const char *text, *words; } bad[] = {
        { "{}", "matchers: expected a list of 1 to 16" },
        { "[]", "expected an object" },
        { "{\"matchers\":[]" TO, "matchers: expected a list" },
        { "{\"matchers\":[" HOST "]}", "to: expected a time: a silence has an end" },
        { "{\"matchers\":[" HOST "],\"until\":1" TO, "'until' is not known" },
        { "{\"matchers\":[" HOST "],\"to\":7}", "to: expected a time such as" },
        { "{\"matchers\":[" HOST "],\"to\":\"tomorrow\"}", "to: expected a time such as" },
        { "{\"matchers\":[" HOST "],\"to\":\"1970-01-01T00:00:59Z\"}", "to: has passed" },
        { "{\"matchers\":[" HOST "],\"from\":\"1970-01-01T00:10:00Z\"" TO, "to: expected a time after `from`" },
        { "{\"matchers\":[" HOST "],\"from\":\"1970-01-01T00:10:01Z\"" TO, "to: expected a time after `from`" },
        { "{\"matchers\":[" HOST ",{\"name\":\"x\",\"op\":\"==\",\"value\":\"a\"}]" TO, "matchers[1]: op: expected one of = != =~ !~" },
        { "{\"matchers\":[{\"name\":\"x\",\"value\":\"a\"}]" TO, "matchers[0]: op: expected" },
        { "{\"matchers\":[{\"name\":\"\",\"op\":\"=\",\"value\":\"a\"}]" TO, "matchers[0]: a matcher's name has 1 to 255 bytes" },
        { "{\"matchers\":[{\"name\":\"x\",\"op\":\"=\",\"value\":3}]" TO, "matchers[0]: value: expected a text" },
        { "{\"matchers\":[{\"name\":\"x\",\"op\":\"=\"}]" TO, "matchers[0]: expected {\"name\"" },
        { "{\"matchers\":[{\"name\":\"x\",\"op\":\"=~\",\"value\":\"(\"}]" TO, "matchers[0]: '(' is no regular expression" },
        { "{\"matchers\":[{\"name\":\"x\",\"op\":\"=~\",\"value\":\"a{2,99}\"}]" TO, "counted repetition is not read" },
        { "{\"matchers\":[{\"name\":\"x\",\"op\":\"=~\",\"value\":\".*\"},{\"name\":\"y\",\"op\":\"!=\",\"value\":\"b\"}]" TO,
          "together they would silence everything" },
        { "{\"matchers\":[" HOST "],\"comment\":3" TO, "comment: expected a text" },
        { "{\"matchers\":", "" },
    };
    tcsi_silence silence;
    (void)state;
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        tcs_error err = { 0 };
        const tcs_status status = ask(bad[i].text, &silence, &err);
        assert_true(status == TCS_E_INVALID || status == TCS_E_FORMAT);
        if (!strstr(err.text, bad[i].words)) fail_msg("%s: '%s' instead of '%s'", bad[i].text, err.text, bad[i].words);
        tcsi_silence_deinit(&silence);
    }
    assert_ok(ask("{\"matchers\":[" HOST "],\"from\":\"1970-01-01T00:00:10Z\",\"comment\":\"disks\"" TO, &silence, test_err));
    assert_int_equal(silence.starts_ns, 100 * second); /* not yesterday */
    assert_int_equal(silence.ends_ns, 600 * second);
    assert_string_equal(silence.comment, "disks");
    tcsi_silence_deinit(&silence);
}

static void test_written_and_read_again(void **state)
{
    tcsi_silence silence, again;
    tcsi_arena arena;
    tcsi_buffer text;
    tcsi_json_writer writer;
    (void)state;
    assert_ok(ask("{\"matchers\":[" HOST ",{\"name\":\"job\",\"op\":\"!~\",\"value\":\"a|b\"}],"
                  "\"from\":\"1970-01-01T00:05:00.123456789Z\"" TO, &silence, test_err));
    snprintf(silence.id, sizeof silence.id, "one");
    snprintf(silence.author, sizeof silence.author, "ann");
    tcsi_arena_init(&arena, 1 << 20);
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_silence_write(&silence, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_ok(tcsi_silence_read(text.data, text.size, &arena, &again, test_err));
    assert_string_equal(again.id, "one");
    assert_string_equal(again.author, "ann");
    assert_int_equal(again.match_count, 2);
    assert_int_equal(again.match[1].kind, TCSI_MATCH_UNLIKE);
    assert_string_equal(again.match[1].value, "a|b");
    assert_int_equal(again.starts_ns, 300 * second + 123456789);
    tcsi_silence_deinit(&silence);
    tcsi_silence_deinit(&again);
    tcsi_buffer_deinit(&text);
    tcsi_arena_deinit(&arena);
}

static void add(tcsi_silences *all, const char *id, const char *matcher, int64_t from_s, int64_t to_s)
{
    tcsi_silence silence = { .match_count = 1, .starts_ns = from_s * second, .ends_ns = to_s * second };
    snprintf(silence.id, sizeof silence.id, "%s", id);
    assert_ok(tcsi_matcher_parse(matcher, &silence.match[0], test_err));
    assert_ok(tcsi_silences_add(all, &silence, test_err));
    tcsi_silence_deinit(&silence);
}

static bool holds(const tcsi_silences *all, const char *host, int64_t now_s)
{
    const tcsi_alert_tag tags[] = { { "host", host } };
    const tcsi_alert alert = { .tags = tags, .tag_count = 1 };
    int64_t until_ns;
    return tcsi_silences_hold(all, &alert, now_s * second, &until_ns);
}

static void test_they_hold_from_and_to(void **state)
{
    tcsi_silences all;
    (void)state;
    tcsi_silences_init(&all);
    add(&all, "one", "host=a", 10, 20);
    add(&all, "two", "host=~a|b", 15, 30); /* they overlap */
    assert_true(!holds(&all, "a", 9) && holds(&all, "a", 10) && !holds(&all, "b", 10) && holds(&all, "b", 15));
    tcsi_silences_end(&all, "two");
    assert_true(holds(&all, "a", 15) && !holds(&all, "b", 15)); /* ending one leaves the other */
    tcsi_silences_end(&all, "two");
    tcsi_silences_expire(&all, 19 * second);
    assert_true(holds(&all, "a", 19));
    assert_false(holds(&all, "a", 20));
    tcsi_silences_expire(&all, 20 * second);
    assert_int_equal(all.count, 0);
    add(&all, "one", "host=a", 10, 20);
    add(&all, "one", "host=b", 10, 20); /* the same one again takes its place */
    assert_int_equal(all.count, 1);
    assert_true(!holds(&all, "a", 15) && holds(&all, "b", 15));
    tcsi_silences_deinit(&all);
}

static void test_saved_and_loaded(void **state)
{
    tcsi_silences all, again;
    tcsi_buffer bytes;
    tcs_error err;
    (void)state;
    tcsi_silences_init(&all);
    tcsi_silences_init(&again);
    add(&all, "one", "host=~a.*", 10, 20);
    add(&all, "two", "host!=b", 10, 20);
    add(&again, "old", "host=old", 10, 20);
    tcsi_buffer_init(&bytes, 1 << 20);
    tcsi_codec save = tcsi_codec_save(&bytes, &err);
    tcsi_silences_persist(&all, &save);
    assert_int_equal(tcsi_codec_status(&save), TCS_OK);
    for (size_t size = 0; size <= bytes.size; size++) {
        tcsi_codec load = tcsi_codec_load(bytes.data, size, &err);
        tcsi_silences_persist(&again, &load);
        assert_int_equal(tcsi_codec_status(&load), size < bytes.size ? TCS_E_FORMAT : TCS_OK);
    }
    assert_int_equal(again.count, 2);
    assert_true(holds(&again, "ab", 10) && !holds(&again, "b", 10) && !holds(&again, "old", 20));
    tcsi_buffer_deinit(&bytes);
    tcsi_silences_deinit(&all);
    tcsi_silences_deinit(&again);
}

static void test_ten_thousand(void **state)
{
    tcsi_silences all;
    struct timespec begin, end;
    char matcher[32], id[16];
    (void)state;
    tcsi_silences_init(&all);
    for (int i = 0; i < 10000; i++) {
        snprintf(matcher, sizeof matcher, i % 10 ? "host=h%d" : "host=~h%d|x", i);
        snprintf(id, sizeof id, "%d", i);
        add(&all, id, matcher, 0, 100);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    assert_true(holds(&all, "h9999", 5));
    assert_false(holds(&all, "none", 5));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    print_message("# 10,000 silences asked twice: %.2f ms\n",
                  (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) * 1e-6);
    tcsi_silences_deinit(&all);
}

static void test_failing_memory(void **state)
{
    (void)state;
    for (size_t fail = 1;; fail++) {
        tcsi_silences all;
        tcsi_silence silence = { .match_count = 1, .ends_ns = 1 };
        tcs_error err;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail);
        tcsi_silences_init(&all);
        tcs_status status = tcsi_matcher_parse("host=~a", &silence.match[0], &err);
        if (status != TCS_OK) silence.match_count = 0;
        if (status == TCS_OK) status = tcsi_silences_add(&all, &silence, &err);
        tcsi_silence_deinit(&silence);
        tcsi_silences_deinit(&all);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_what_is_asked), cmocka_unit_test(test_written_and_read_again),
              cmocka_unit_test(test_they_hold_from_and_to), cmocka_unit_test(test_saved_and_loaded), cmocka_unit_test(test_ten_thousand),
              cmocka_unit_test(test_failing_memory))
