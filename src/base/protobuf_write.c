/* SPDX-License-Identifier: Apache-2.0 */
#include "base/protobuf_write.h"

#include "base/alloc.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_SIZED = 2, WIRE_4_BYTES = 5, VARINT_SIZE_MAX = 10 };

static size_t format_varint(uint64_t value, unsigned char *ret_bytes)
{
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) ret_bytes[size++] = (unsigned char)(value | 0x80);
    ret_bytes[size++] = (unsigned char)value;
    return size;
}

static void put(tcsi_protobuf_writer *writer, const void *bytes, size_t size)
{
    if (writer->status == TCS_OK) writer->status = tcsi_buffer_append(writer->out, bytes, size, NULL);
}

static void put_varint(tcsi_protobuf_writer *writer, uint64_t value)
{
    unsigned char bytes[VARINT_SIZE_MAX];
    put(writer, bytes, format_varint(value, bytes));
}

static void put_key(tcsi_protobuf_writer *writer, unsigned field, unsigned wire)
{
    TCS_ASSERT(field >= 1 && field <= TCSI_PROTOBUF_FIELD_MAX);
    put_varint(writer, (uint64_t)field << 3 | wire);
}

/* The low `size` bytes of bits, lowest first. */
static void put_little_endian(tcsi_protobuf_writer *writer, uint64_t bits, size_t size)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(bits >> 8 * i);
    put(writer, bytes, size);
}

static void put_float(tcsi_protobuf_writer *writer, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_little_endian(writer, bits, sizeof bits);
}

void tcsi_protobuf_writer_init(tcsi_protobuf_writer *writer, tcsi_buffer *out)
{
    *writer = (tcsi_protobuf_writer){ .out = out };
}

void tcsi_protobuf_integer(tcsi_protobuf_writer *writer, unsigned field, int64_t value)
{
    put_key(writer, field, WIRE_VARINT);
    put_varint(writer, (uint64_t)value);
}

void tcsi_protobuf_float(tcsi_protobuf_writer *writer, unsigned field, float value)
{
    put_key(writer, field, WIRE_4_BYTES);
    put_float(writer, value);
}

void tcsi_protobuf_bytes(tcsi_protobuf_writer *writer, unsigned field, const void *bytes, size_t size)
{
    put_key(writer, field, WIRE_SIZED);
    put_varint(writer, size);
    put(writer, bytes, size);
}

void tcsi_protobuf_text(tcsi_protobuf_writer *writer, unsigned field, const char *text)
{
    tcsi_protobuf_bytes(writer, field, text, strlen(text));
}

/* Key and length, and room for all of it at once. */
static void begin_raw(tcsi_protobuf_writer *writer, unsigned field, size_t count, size_t number_size)
{
    size_t size;
    put_key(writer, field, WIRE_SIZED);
    if (!tcsi_multiply(count, number_size, &size)) size = SIZE_MAX; /* over any limit */
    put_varint(writer, size);
    if (writer->status == TCS_OK) writer->status = tcsi_buffer_reserve(writer->out, size, NULL);
}

void tcsi_protobuf_raw_floats(tcsi_protobuf_writer *writer, unsigned field, const float *values, size_t count)
{
    begin_raw(writer, field, count, sizeof *values);
    for (size_t i = 0; i < count && writer->status == TCS_OK; i++) put_float(writer, values[i]);
}

void tcsi_protobuf_raw_integers(tcsi_protobuf_writer *writer, unsigned field, const int64_t *values, size_t count)
{
    begin_raw(writer, field, count, sizeof *values);
    for (size_t i = 0; i < count && writer->status == TCS_OK; i++) put_little_endian(writer, (uint64_t)values[i], sizeof *values);
}

void tcsi_protobuf_begin(tcsi_protobuf_writer *writer, unsigned field)
{
    TCS_ASSERT(writer->depth < TCSI_PROTOBUF_DEPTH_MAX);
    put_key(writer, field, WIRE_SIZED);
    writer->begins[writer->depth++] = writer->out->size;
}

void tcsi_protobuf_end(tcsi_protobuf_writer *writer)
{
    unsigned char length[VARINT_SIZE_MAX];
    TCS_ASSERT(writer->depth > 0);
    size_t begin = writer->begins[--writer->depth], size = writer->out->size - begin, length_size = format_varint(size, length);
    put(writer, length, length_size); /* only to make room */
    if (writer->status != TCS_OK) return;
    char *at = writer->out->data + begin;
    memmove(at + length_size, at, size);
    memcpy(at, length, length_size);
}

tcs_status tcsi_protobuf_finish(tcsi_protobuf_writer *writer, tcs_error *err)
{
    TCS_ASSERT(writer->depth == 0);
    if (writer->status == TCS_OK) return TCS_OK;
    return tcsi_fail(err, writer->status, "the Protocol Buffers message could not be built: %s", tcsi_status_text(writer->status));
}
