/* base/protobuf_write_test.c -- the examples of the encoding guide byte by byte, lengths of every size, limits and failing allocations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/protobuf_write.h"

#include <float.h>

static void expect(tcsi_protobuf_writer *writer, const char *bytes, size_t size)
{
    assert_ok(tcsi_protobuf_finish(writer, test_err));
    assert_int_equal(writer->out->size, size);
    assert_memory_equal(writer->out->data, bytes, size);
    tcsi_buffer_deinit(writer->out);
}

#define EXPECT(writer, text) expect(writer, text, sizeof text - 1)

static tcsi_protobuf_writer begin(tcsi_buffer *out)
{
    tcsi_protobuf_writer writer;
    tcsi_buffer_init(out, 1 << 24);
    tcsi_protobuf_writer_init(&writer, out);
    return writer;
}

static void test_the_guides_examples(void **state)
{
    (void)state;
    tcsi_buffer out;
    tcsi_protobuf_writer writer = begin(&out);
    tcsi_protobuf_integer(&writer, 1, 150);
    EXPECT(&writer, "\x08\x96\x01");
    writer = begin(&out);
    tcsi_protobuf_text(&writer, 2, "testing");
    EXPECT(&writer, "\x12\x07testing");
    writer = begin(&out);
    tcsi_protobuf_begin(&writer, 3);
    tcsi_protobuf_integer(&writer, 1, 150);
    tcsi_protobuf_end(&writer);
    EXPECT(&writer, "\x1a\x03\x08\x96\x01");
    writer = begin(&out);
    tcsi_protobuf_integer(&writer, 1, -2);
    EXPECT(&writer, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

static void test_numbers(void **state)
{
    (void)state;
    const float floats[] = { 1, -0.0f, FLT_MAX };
    const int64_t integers[] = { 1, -1, INT64_MIN };
    tcsi_buffer out;
    tcsi_protobuf_writer writer = begin(&out);
    tcsi_protobuf_integer(&writer, 15, 0);
    tcsi_protobuf_integer(&writer, 16, INT64_MAX);
    tcsi_protobuf_integer(&writer, TCSI_PROTOBUF_FIELD_MAX, INT64_MIN);
    tcsi_protobuf_float(&writer, 2, -1.5f);
    EXPECT(&writer, "\x78\0"
                    "\x80\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
                    "\xf8\xff\xff\xff\x0f\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"
                    "\x15\0\0\xc0\xbf");
    writer = begin(&out);
    tcsi_protobuf_raw_floats(&writer, 9, floats, 3);
    tcsi_protobuf_raw_floats(&writer, 9, NULL, 0);
    tcsi_protobuf_raw_integers(&writer, 9, integers, 3);
    EXPECT(&writer, "\x4a\x0c\0\0\x80?\0\0\0\x80\xff\xff\x7f\x7f"
                    "\x4a\0"
                    "\x4a\x18\1\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\x80");
}

/* Messages inside messages, whose lengths take one, two and three bytes, one after the other and empty ones. */
static void test_lengths(void **state)
{
    (void)state;
    tcsi_buffer out;
    for (size_t size = 0; size < 70000; size = size < 200 ? size + 1 : size * 2 + 1) {
        tcsi_protobuf_writer writer = begin(&out);
        char *text = calloc(size + 1, 1);
        memset(text, 'x', size);
        tcsi_protobuf_begin(&writer, 1);
        tcsi_protobuf_begin(&writer, 2);
        tcsi_protobuf_end(&writer);
        tcsi_protobuf_begin(&writer, 3);
        tcsi_protobuf_bytes(&writer, 4, text, size);
        tcsi_protobuf_end(&writer);
        tcsi_protobuf_end(&writer);
        tcsi_protobuf_integer(&writer, 5, 7);
        assert_ok(tcsi_protobuf_finish(&writer, test_err));
        unsigned char expected[32];
        size_t at = 0, inner = size < 128 ? size + 2 : size < 16384 ? size + 3 : size + 4;
        size_t outer = inner + 2 + (inner < 128 ? 2 : inner < 16384 ? 3 : 4);
        const size_t lengths[] = { outer, 0, inner, size }, keys[] = { 0x0a, 0x12, 0x1a, 0x22 };
        for (size_t i = 0; i < 4; i++) {
            expected[at++] = (unsigned char)keys[i];
            size_t left = lengths[i];
            for (; left >= 128; left /= 128) expected[at++] = (unsigned char)(128 + left % 128);
            expected[at++] = (unsigned char)left;
        }
        assert_int_equal(out.size, at + size + 2);
        assert_memory_equal(out.data, expected, at);
        assert_memory_equal(out.data + at, text, size);
        assert_memory_equal(out.data + at + size, "\x28\x07", 2);
        free(text);
        tcsi_buffer_deinit(&out);
    }
}

static void test_limits_and_failing_allocations(void **state)
{
    (void)state;
    tcsi_buffer out;
    tcs_error err;
    float values[100] = { 0 };
    for (size_t size_max = 0; size_max <= 413; size_max++) {
        tcsi_buffer_init(&out, size_max);
        tcsi_protobuf_writer writer;
        tcsi_protobuf_writer_init(&writer, &out);
        tcsi_protobuf_begin(&writer, 1);
        tcsi_protobuf_integer(&writer, 2, 300);
        tcsi_protobuf_raw_floats(&writer, 3, values, 100);
        tcsi_protobuf_text(&writer, 1, "ab");
        tcsi_protobuf_end(&writer);
        tcs_status status = tcsi_protobuf_finish(&writer, &err);
        assert_int_equal(status, size_max < 413 ? TCS_E_LIMIT : TCS_OK);
        tcsi_buffer_deinit(&out);
    }
    tcs_status status = TCS_E_MEMORY;
    for (size_t at = 1; status == TCS_E_MEMORY; at++) {
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcsi_protobuf_writer writer = begin(&out);
        tcsi_protobuf_begin(&writer, 1);
        tcsi_protobuf_raw_floats(&writer, 3, values, 100);
        tcsi_protobuf_end(&writer);
        status = tcsi_protobuf_finish(&writer, &err);
        tcsi_buffer_deinit(&out);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        assert_true(at < 10 && (status == TCS_OK || status == TCS_E_MEMORY));
    }
    tcsi_protobuf_writer writer = begin(&out);
    tcsi_protobuf_raw_floats(&writer, 3, values, SIZE_MAX / 2);
    assert_int_equal(tcsi_protobuf_finish(&writer, &err), TCS_E_LIMIT);
    tcsi_buffer_deinit(&out);
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_guides_examples), cmocka_unit_test(test_numbers), cmocka_unit_test(test_lengths),
              cmocka_unit_test(test_limits_and_failing_allocations))
