/* base/protobuf_read_test.c -- the guide's examples, what protobuf_write writes read back, each truncation, and all that is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/protobuf_read.h"
#include "base/protobuf_write.h"
#include "base/rng.h"

static tcsi_protobuf_field only_field(const char *bytes, size_t size)
{
    tcsi_protobuf_reader reader = tcsi_protobuf_read(bytes, size);
    tcsi_protobuf_field field, other;
    assert_true(tcsi_protobuf_next(&reader, &field));
    assert_false(tcsi_protobuf_next(&reader, &other));
    assert_ok(tcsi_protobuf_status(&reader, test_err));
    return field;
}

#define ONLY_FIELD(text) only_field(text, sizeof text - 1)

static void test_the_guides_examples(void **state)
{
    (void)state;
    tcsi_protobuf_field field = ONLY_FIELD("\x08\x96\x01");
    assert_int_equal(field.number, 1);
    assert_int_equal(field.wire, TCSI_PROTOBUF_VARINT);
    assert_int_equal(field.value, 150);
    field = ONLY_FIELD("\x12\x07testing");
    assert_int_equal(field.number, 2);
    assert_int_equal(field.size, 7);
    assert_memory_equal(field.bytes, "testing", 7);
    field = ONLY_FIELD("\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    assert_true((int64_t)field.value == -2);
    field = ONLY_FIELD("\x09\0\0\0\0\0\0\xf8\xbf");
    assert_true(tcsi_protobuf_double(&field) == -1.5);
    field = ONLY_FIELD("\x0d\x04\x03\x02\x01");
    assert_int_equal(field.value, 0x01020304);
    assert_true(tcsi_protobuf_zigzag(&(tcsi_protobuf_field){ .value = 3 }) == -2);
    assert_true(tcsi_protobuf_zigzag(&(tcsi_protobuf_field){ .value = UINT64_MAX }) == INT64_MIN);
    assert_true(tcsi_protobuf_zigzag(&(tcsi_protobuf_field){ .value = 4 }) == 2);
    field = ONLY_FIELD("\xf8\xff\xff\xff\x0f\x01");
    assert_int_equal(field.number, TCSI_PROTOBUF_FIELD_MAX);
}

/* A message of random fields, nested: what comes back is what was written, and every truncation of it is either noticed or ends exactly
 * between two fields. */
static void test_what_is_written_is_read(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    for (int round = 0; round < 200; round++) {
        enum { COUNT = 12 };
        int64_t values[COUNT];
        size_t ends[COUNT + 1] = { 0 };
        tcsi_protobuf_writer writer;
        tcsi_buffer_clear(&out);
        tcsi_protobuf_writer_init(&writer, &out);
        for (unsigned i = 0; i < COUNT; i++) {
            values[i] = (int64_t)(tcsi_rng_u64(&rng) >> tcsi_rng_below(&rng, 64));
            if (i % 3 == 0) tcsi_protobuf_integer(&writer, i + 1, values[i]);
            else if (i % 3 == 1) tcsi_protobuf_raw_integers(&writer, i + 100, &values[i], 1);
            else {
                tcsi_protobuf_begin(&writer, i + 5000);
                tcsi_protobuf_integer(&writer, 1, values[i]);
                tcsi_protobuf_end(&writer);
            }
            ends[i + 1] = out.size;
        }
        assert_ok(tcsi_protobuf_finish(&writer, test_err));
        for (size_t size = 0; size <= out.size; size++) {
            char *part = malloc(size ? size : 1);
            memcpy(part, out.data, size);
            tcsi_protobuf_reader reader = tcsi_protobuf_read(part, size);
            tcsi_protobuf_field field, inner;
            size_t count = 0;
            for (; tcsi_protobuf_next(&reader, &field); count++) {
                const unsigned i = (unsigned)count;
                assert_int_equal(field.number, i % 3 == 0 ? i + 1 : i % 3 == 1 ? i + 100 : i + 5000);
                if (i % 3 == 0) assert_true((int64_t)field.value == values[i]);
                if (i % 3 == 1) assert_memory_equal(field.bytes, &values[i], 8);
                if (i % 3 != 2) continue;
                tcsi_protobuf_reader nested = tcsi_protobuf_enter(&reader, &field);
                assert_true(tcsi_protobuf_next(&nested, &inner));
                assert_true((int64_t)inner.value == values[i]);
                assert_false(tcsi_protobuf_next(&nested, &inner));
            }
            assert_int_equal(reader.fault == NULL, ends[count] == size);
            assert_true(reader.fault == NULL ? count == COUNT || ends[count] == size : ends[count] < size);
            free(part);
        }
    }
    tcsi_buffer_deinit(&out);
}

static void expect_fault(const char *bytes, size_t size, const char *text)
{
    tcsi_protobuf_reader reader = tcsi_protobuf_read(bytes, size);
    tcsi_protobuf_field field;
    tcs_error err = { 0 };
    while (tcsi_protobuf_next(&reader, &field)) {}
    assert_int_equal(tcsi_protobuf_status(&reader, &err), TCS_E_FORMAT);
    if (!strstr(err.text, text)) print_error("%s\n", err.text);
    assert_non_null(strstr(err.text, text));
}

#define FAULT(bytes, text) expect_fault(bytes, sizeof bytes - 1, text)

static void test_refused(void **state)
{
    (void)state;
    FAULT("\x0b\x0c", "byte 1: a group");
    FAULT("\x08\x01\x0e", "byte 3: a group or an unknown wire type");
    FAULT("\x00\x01", "number is out of range");
    FAULT("\x80\x80\x80\x80\x80\x01", "number is out of range");
    FAULT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "more than 64 bits");
    FAULT("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "more than 64 bits");
    FAULT("\x12\x05test", "beyond the message");
    FAULT("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01 ", "beyond the message");
    FAULT("\x09\0\0\0\0\0\0\0", "ends inside a number");
}

static void test_depth(void **state)
{
    (void)state;
    unsigned char bytes[100];
    for (int i = 0; i < 100; i += 2) {
        bytes[i] = 0x0a;
        bytes[i + 1] = (unsigned char)(98 - i);
    }
    tcsi_protobuf_reader reader = tcsi_protobuf_read(bytes, sizeof bytes);
    tcsi_protobuf_field field;
    int depth = 0;
    for (; tcsi_protobuf_next(&reader, &field); depth++) reader = tcsi_protobuf_enter(&reader, &field);
    assert_int_equal(depth, TCSI_PROTOBUF_DEPTH_MAX);
    tcs_error err;
    assert_int_equal(tcsi_protobuf_status(&reader, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "too deep"));
}

static void test_packed(void **state)
{
    (void)state;
    tcsi_protobuf_reader reader = tcsi_protobuf_read("\x03\x8e\x02\x9e\xa7\x05\x80", 7);
    uint64_t value;
    assert_true(tcsi_protobuf_next_varint(&reader, &value) && value == 3);
    assert_true(tcsi_protobuf_next_varint(&reader, &value) && value == 270);
    assert_true(tcsi_protobuf_next_varint(&reader, &value) && value == 86942);
    assert_false(tcsi_protobuf_next_varint(&reader, &value));
    assert_non_null(reader.fault);
}

TCS_TEST_MAIN(cmocka_unit_test(test_the_guides_examples), cmocka_unit_test(test_what_is_written_is_read), cmocka_unit_test(test_refused),
              cmocka_unit_test(test_depth), cmocka_unit_test(test_packed))
