/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/text.h"

static void test_status_text(void **state)
{
    (void)state;
    tcs_error err;
    assert_int_equal(tcsi_fail(&err, TCS_E_FORMAT, "%d columns, expected %d", 7, 6), TCS_E_FORMAT);
    tcsi_fail_prefix(&err, "line %d", 812);
    assert_string_equal(err.text, "line 812: 7 columns, expected 6");
    assert_string_equal(tcsi_status_name(err.status), "E_FORMAT");
    assert_int_equal(tcsi_fail(NULL, TCS_E_IO, "nobody listens"), TCS_E_IO);
}

static void test_alloc_trace_counts_and_fails(void **state)
{
    (void)state;
    tcsi_alloc_trace_begin();
    void *block = tcsi_alloc(100);
    assert_non_null(block);
    assert_int_equal(tcsi_alloc_trace_stats().live_size, 100);
    tcsi_alloc_trace_fail_at(1);
    assert_null(tcsi_alloc(1));
    tcsi_alloc_trace_fail_at(0);
    tcsi_free(block);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
    assert_null(tcsi_alloc_array(SIZE_MAX / 2, 4));
}

static void test_arena_limit_and_reset(void **state)
{
    (void)state;
    tcsi_arena arena;
    tcsi_arena_init(&arena, 100000);
    for (int turn = 0; turn < 3; turn++) {
        tcsi_arena_reset(&arena);
        for (int i = 0; i < 100; i++) {
            char *block = tcsi_arena_alloc(&arena, 37, 3);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % 16, 0);
            memset(block, i, 111);
        }
    }
    assert_null(tcsi_arena_alloc(&arena, 100001, 1));
    tcsi_arena_deinit(&arena);
}

/* Known answers of Philox4x32-10 from the authors' Random123 distribution (kat_vectors). */
static void test_rng_known_answers(void **state)
{
    (void)state;
    tcsi_rng zero = tcsi_rng_make(0, 0);
    assert_int_equal(tcsi_rng_u32(&zero), 0x6627e8d5u);
    assert_int_equal(tcsi_rng_u32(&zero), 0xe169c58du);
    assert_int_equal(tcsi_rng_u32(&zero), 0xbc57ac4cu);
    assert_int_equal(tcsi_rng_u32(&zero), 0x9b00dbd8u);
    tcsi_rng ones = tcsi_rng_make(UINT64_MAX, UINT64_MAX);
    ones.counter = UINT64_MAX;
    assert_int_equal(tcsi_rng_u32(&ones), 0x408f276du);
}

static void test_rng_moments(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(7, 1);
    double sum = 0, square_sum = 0;
    enum { N = 100000 };
    for (int i = 0; i < N; i++) {
        double value = tcsi_rng_normal(&rng);
        sum += value;
        square_sum += value * value;
    }
    assert_near(0.0, sum / N, 0.02);
    assert_near(1.0, square_sum / N, 0.02);
    size_t items[20];
    tcsi_rng_sample(&rng, 20, 20, items);
    unsigned seen = 0;
    for (int i = 0; i < 20; i++) seen |= 1u << items[i];
    assert_int_equal(seen, (1u << 20) - 1);
}

static void add_index(void *context, size_t task_index, size_t worker_index)
{
    (void)worker_index;
    ((size_t *)context)[task_index] += task_index + 1;
}

static void test_pool_runs_each_task_once(void **state)
{
    (void)state;
    tcsi_pool *pool;
    size_t counts[1000] = { 0 };
    assert_ok(tcsi_pool_create(4, &pool, NULL));
    for (int turn = 0; turn < 50; turn++) tcsi_pool_run(pool, 1000, add_index, counts);
    for (size_t i = 0; i < 1000; i++) assert_int_equal(counts[i], 50 * (i + 1));
    tcsi_pool_destroy(pool);
}

static void test_codec_round_trip_and_refusal(void **state)
{
    (void)state;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1000);
    double value = -0.1, read = 0;
    size_t count = 7, read_count = 0;
    bool flag = true, read_flag = false;
    tcsi_codec codec = tcsi_codec_save(&bytes, NULL);
    tcsi_codec_tag(&codec, "TEST");
    tcsi_codec_f64(&codec, &value);
    tcsi_codec_size(&codec, &count, 10);
    tcsi_codec_bool(&codec, &flag);
    assert_ok(tcsi_codec_status(&codec));
    for (size_t size = 0; size <= bytes.size; size++) {
        codec = tcsi_codec_load(bytes.data, size, NULL);
        tcsi_codec_tag(&codec, "TEST");
        tcsi_codec_f64(&codec, &read);
        tcsi_codec_size(&codec, &read_count, 10);
        tcsi_codec_bool(&codec, &read_flag);
        assert_int_equal(tcsi_codec_status(&codec), size == bytes.size ? TCS_OK : TCS_E_FORMAT);
    }
    assert_true(read == value && read_count == 7 && read_flag);
    tcsi_buffer_deinit(&bytes);
}

static void test_json_writes_what_it_reads(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,-0.5,1e+300,null,true],\"b\\u0022\":{\"c\":\"\\u00e9\\ud83d\\ude00\\n\"},\"d\":{}}";
    tcsi_arena arena;
    tcsi_arena_init(&arena, 0);
    const tcsi_json_value *root;
    assert_ok(tcsi_json_parse(text, strlen(text), &arena, &root, NULL));
    assert_int_equal(tcsi_json_get(root, "a")->item_count, 5);
    assert_near(-0.5, tcsi_json_get(root, "a")->items[1].number, 0);
    assert_string_equal(tcsi_json_get(tcsi_json_get(root, "b\""), "c")->text, "é😀\n");

    tcsi_buffer out;
    tcsi_json_writer writer;
    tcsi_buffer_init(&out, 1000);
    tcsi_json_writer_init(&writer, &out, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_key(&writer, "x");
    tcsi_json_begin_array(&writer);
    tcsi_json_number(&writer, 0.1);
    tcsi_json_number(&writer, NAN);
    tcsi_json_string(&writer, "</script>\xff");
    tcsi_json_end_array(&writer);
    tcsi_json_end_object(&writer);
    assert_ok(tcsi_json_finish(&writer, NULL));
    assert_string_equal(out.data, "{\"x\":[0.1,null,\"\\u003c/script>\xEF\xBF\xBD\"]}");
    tcsi_buffer_deinit(&out);
    tcsi_arena_deinit(&arena);
}

static void test_json_refuses_with_a_place(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "{", "[1,]", "{\"a\" 1}", "[01]", "nul", "\"\\x\"", "[1] 2", "\"\xc0\x80\"", "\"a", "[1e]",
                                       "{\"a\":1,}", "\"\\ud800\"" };
    tcsi_arena arena;
    tcsi_arena_init(&arena, 0);
    const tcsi_json_value *root;
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        tcs_error err;
        assert_int_equal(tcsi_json_parse(bad[i], strlen(bad[i]), &arena, &root, &err), TCS_E_FORMAT);
        assert_non_null(strstr(err.text, "JSON line 1 column "));
    }
    char deep[200];
    memset(deep, '[', sizeof deep);
    assert_int_equal(tcsi_json_parse(deep, sizeof deep, &arena, &root, NULL), TCS_E_FORMAT);
    tcsi_arena_deinit(&arena);
}

static void test_text_nearest(void **state)
{
    (void)state;
    static const char *const names[] = { "welford", "cusum", "isolation_forest" };
    assert_string_equal(tcsi_text_nearest("welfrod", names, 3), "welford");
    assert_string_equal(tcsi_text_nearest("isolation", names, 3), "isolation_forest");
    assert_null(tcsi_text_nearest("transformer", names, 3));
}

static void test_file_is_replaced_whole_or_not(void **state)
{
    (void)state;
    char path[] = "/tmp/tocsin-file-test-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_ok(tcsi_file_write(path, "old", 3, NULL));
    tcsi_file_writer writer;
    assert_ok(tcsi_file_writer_open(path, &writer, NULL));
    fputs("half of the n", writer.stream);
    tcsi_file_writer_abort(&writer);
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 100);
    assert_ok(tcsi_file_read(path, &bytes, NULL));
    assert_string_equal(bytes.data, "old");
    tcsi_buffer_deinit(&bytes);
    unlink(path);
    tcs_error err;
    assert_int_equal(tcsi_file_write("/nowhere/at/all", "x", 1, &err), TCS_E_IO);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    assert_int_equal(tcsi_file_write("/dev/full", "x", 1, &err), TCS_E_IO);
}

static void test_whole_numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "-", "+1", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "-9223372036854775809", "99999999999999999999"};
    int64_t value = 5;
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_false(tcsi_int64_parse(bad[i], strlen(bad[i]), &value));
    assert_int_equal(value, 5);
    assert_true(tcsi_int64_parse("-9223372036854775808", 20, &value) && value == INT64_MIN);
    assert_true(tcsi_int64_parse("9223372036854775807", 19, &value) && value == INT64_MAX);
    assert_true(tcsi_int64_parse("-0007", 5, &value) && value == -7);
    assert_true(tcsi_int64_parse("0", 1, &value) && value == 0);
}

/* A string is read eight bytes at a time where all are plain: so whatever is not, at every place in and around eight. */
static void test_json_strings_at_every_place(void **state)
{
    (void)state;
    static const struct {
        const char *written, *read; /* read NULL: refused */
    } pieces[] = {
        { "\\\"", "\"" }, { "\\\\", "\\" }, { "\\u00e9", "\xc3\xa9" }, { "\xc3\xa9", "\xc3\xa9" }, { "\x7f", "\x7f" },
        { "!", "!" }, { "]", "]" },
        { "\x1f", NULL }, { "\n", NULL }, { "\xff", NULL }, { "\xc3", NULL }, { "\\x", NULL },
    };
    tcsi_arena arena;
    tcsi_arena_init(&arena, 0);
    for (size_t i = 0; i < TCS_COUNT(pieces); i++)
        for (size_t before = 0; before < 20; before++)
            for (size_t after = 0; after < 12; after++) {
                static const char plain[] = "abcdefghijklmnopqrstuvwxyz";
                char text[80], expected[80];
                const tcsi_json_value *root;
                int size = snprintf(text, sizeof text, "\"%.*s%s%.*s\"", (int)before, plain, pieces[i].written, (int)after, plain);
                tcsi_arena_reset(&arena);
                tcs_status status = tcsi_json_parse(text, (size_t)size, &arena, &root, NULL);
                assert_int_equal(status, pieces[i].read ? TCS_OK : TCS_E_FORMAT);
                if (!pieces[i].read) continue;
                int length = snprintf(expected, sizeof expected, "%.*s%s%.*s", (int)before, plain, pieces[i].read, (int)after, plain);
                assert_int_equal(root->text_size, length);
                assert_string_equal(root->text, expected);
            }
    tcsi_arena_deinit(&arena);
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(tcsi_utf8_is_text("", 0));
    for (size_t size = 1; size < 30; size++) /* a 0 is found wherever it stands, and \x01 is none */
        for (size_t at = 0; at < size; at++) {
            char text[30];
            memset(text, at % 3 ? 1 : 'x', sizeof text);
            assert_true(tcsi_utf8_is_text(text, size));
            text[at] = 0;
            assert_false(tcsi_utf8_is_text(text, size));
        }
    static const char mixed[] = "eight ASCII, then \xc3\xa9 and \xf0\x9f\x98\x80 between ASCII again";
    assert_true(tcsi_utf8_is_text(mixed, sizeof mixed - 1));
    assert_false(tcsi_utf8_is_text(mixed, sizeof mixed));
    static const char *const bad[] = { "12345678\xff", "1234567\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82" };
    for (size_t i = 0; i < TCS_COUNT(bad); i++) assert_false(tcsi_utf8_is_text(bad[i], strlen(bad[i])));
}

TCS_TEST_MAIN(cmocka_unit_test(test_json_strings_at_every_place), cmocka_unit_test(test_whole_numbers), cmocka_unit_test(test_utf8),
              cmocka_unit_test(test_status_text),
              cmocka_unit_test(test_alloc_trace_counts_and_fails), cmocka_unit_test(test_arena_limit_and_reset),
              cmocka_unit_test(test_rng_known_answers), cmocka_unit_test(test_rng_moments),
              cmocka_unit_test(test_pool_runs_each_task_once), cmocka_unit_test(test_codec_round_trip_and_refusal),
              cmocka_unit_test(test_json_writes_what_it_reads), cmocka_unit_test(test_json_refuses_with_a_place),
              cmocka_unit_test(test_text_nearest), cmocka_unit_test(test_file_is_replaced_whole_or_not))
