/* SPDX-License-Identifier: Apache-2.0 */
#include "base/protobuf_read.h"

#include "base/protobuf_write.h" /* what it writes at most is what is read at most */

#include <string.h>

enum { WIRE_BITS = 3, VARINT_SIZE_MAX = 10 };

static bool fail(tcsi_protobuf_reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

static bool take_long_varint(tcsi_protobuf_reader *reader, uint64_t *ret_value)
{
    const unsigned char *at = reader->at;
    uint64_t value = 0;
    for (int i = 0; i < VARINT_SIZE_MAX; i++) {
        if (at == reader->end) return fail(reader, "the message ends inside a number");
        unsigned char byte = *at++;
        if (i == VARINT_SIZE_MAX - 1 && byte > 1) break; /* the tenth byte holds bit 63 alone */
        value |= (uint64_t)(byte & 0x7F) << 7 * i;
        if (byte < 0x80) {
            reader->at = at;
            *ret_value = value;
            return true;
        }
    }
    return fail(reader, "a number of more than 64 bits");
}

/* Keys, lengths and references are nearly all of one byte or two. */
static inline bool take_varint(tcsi_protobuf_reader *reader, uint64_t *ret_value)
{
    const unsigned char *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    if (left > 0 && at[0] < 0x80) {
        *ret_value = at[0];
        reader->at = at + 1;
        return true;
    }
    if (left > 1 && at[1] < 0x80) {
        *ret_value = (uint64_t)(at[0] & 0x7F) | (uint64_t)at[1] << 7;
        reader->at = at + 2;
        return true;
    }
    return take_long_varint(reader, ret_value);
}

static bool take_little_endian(tcsi_protobuf_reader *reader, size_t size, uint64_t *ret_value)
{
    uint64_t value = 0;
    if ((size_t)(reader->end - reader->at) < size) return fail(reader, "the message ends inside a number");
    for (size_t i = 0; i < size; i++) value |= (uint64_t)reader->at[i] << 8 * i;
    reader->at += size;
    *ret_value = value;
    return true;
}

static bool take_sized(tcsi_protobuf_reader *reader, tcsi_protobuf_field *field)
{
    uint64_t size;
    if (!take_varint(reader, &size)) return false;
    if (size > (size_t)(reader->end - reader->at)) return fail(reader, "a length that goes beyond the message");
    field->bytes = reader->at;
    field->size = (size_t)size;
    reader->at += size;
    return true;
}

tcsi_protobuf_reader tcsi_protobuf_read(const void *bytes, size_t size)
{
    const unsigned char *begin = bytes;
    return (tcsi_protobuf_reader){ .at = begin, .end = size > 0 ? begin + size : begin, .begin = begin };
}

bool tcsi_protobuf_next(tcsi_protobuf_reader *reader, tcsi_protobuf_field *ret_field)
{
    uint64_t key;
    if (reader->fault || reader->at == reader->end) return false;
    if (!take_varint(reader, &key)) return false;
    if (key >> WIRE_BITS == 0 || key >> WIRE_BITS > TCSI_PROTOBUF_FIELD_MAX) return fail(reader, "a field whose number is out of range");
    tcsi_protobuf_field field = { .number = (uint32_t)(key >> WIRE_BITS), .wire = (tcsi_protobuf_wire)(key & 7) };
    bool taken;
    switch (field.wire) {
    case TCSI_PROTOBUF_VARINT: taken = take_varint(reader, &field.value); break;
    case TCSI_PROTOBUF_8_BYTES: taken = take_little_endian(reader, 8, &field.value); break;
    case TCSI_PROTOBUF_SIZED: taken = take_sized(reader, &field); break;
    case TCSI_PROTOBUF_4_BYTES: taken = take_little_endian(reader, 4, &field.value); break;
    default: return fail(reader, "a group or an unknown wire type");
    }
    if (taken) *ret_field = field;
    return taken;
}

tcsi_protobuf_reader tcsi_protobuf_enter(const tcsi_protobuf_reader *reader, const tcsi_protobuf_field *field)
{
    TCS_ASSERT(field->wire == TCSI_PROTOBUF_SIZED);
    tcsi_protobuf_reader inner = { .at = field->bytes, .end = field->bytes + field->size, .begin = reader->begin,
                                   .depth = reader->depth + 1 };
    if (inner.depth >= TCSI_PROTOBUF_DEPTH_MAX) {
        inner.end = inner.at;
        inner.fault = "messages nested too deep";
    }
    return inner;
}

bool tcsi_protobuf_next_varint(tcsi_protobuf_reader *reader, uint64_t *ret_value)
{
    return !reader->fault && reader->at < reader->end && take_varint(reader, ret_value);
}

tcs_status tcsi_protobuf_status(const tcsi_protobuf_reader *reader, tcs_error *err)
{
    if (!reader->fault) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "Protocol Buffers: byte %zu: %s", (size_t)(reader->at - reader->begin), reader->fault);
}

double tcsi_protobuf_double(const tcsi_protobuf_field *field)
{
    double value;
    memcpy(&value, &field->value, sizeof value);
    return value;
}

int64_t tcsi_protobuf_zigzag(const tcsi_protobuf_field *field)
{
    return (int64_t)(field->value >> 1 ^ -(field->value & 1));
}
