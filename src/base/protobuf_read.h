/* base/protobuf_read.h -- walks messages of Protocol Buffers (https://protobuf.dev/programming-guides/encoding); twin of protobuf_write.
 * Nothing here knows a schema and nothing is copied: a field is a number, a wire type, and a value or a slice of the message.
 * What is refused: bytes that end inside a field, varints of more than ten bytes or 64 bits, field 0, groups and the two unused wire
 * types, and messages nested deeper than the writer would write them.  The first fault ends the walk and is kept.
 *
 *     tcsi_protobuf_reader reader = tcsi_protobuf_read(bytes, size);
 *     while (tcsi_protobuf_next(&reader, &field)) ...
 *     status = tcsi_protobuf_status(&reader, err);
 *
 * Threads: one user per reader. */
#ifndef TCS_BASE_PROTOBUF_READ_H
#define TCS_BASE_PROTOBUF_READ_H

#include "base/status.h"

typedef enum tcsi_protobuf_wire {
    TCSI_PROTOBUF_VARINT = 0,
    TCSI_PROTOBUF_8_BYTES = 1,
    TCSI_PROTOBUF_SIZED = 2,
    TCSI_PROTOBUF_4_BYTES = 5,
} tcsi_protobuf_wire;

typedef struct tcsi_protobuf_reader {
    const unsigned char *at, *end;
    const unsigned char *begin; /* of the outermost message: places in messages are counted from here */
    const char *fault;          /* NULL: none so far */
    int depth;
} tcsi_protobuf_reader;

typedef struct tcsi_protobuf_field {
    uint32_t number;
    tcsi_protobuf_wire wire;
    uint64_t value;             /* VARINT, 8_BYTES and 4_BYTES: the bits, lowest first on the wire */
    const unsigned char *bytes; /* SIZED: the content */
    size_t size;
} tcsi_protobuf_field;

tcsi_protobuf_reader tcsi_protobuf_read(const void *bytes, size_t size);
/* The next field; false at the end and after a fault. */
bool tcsi_protobuf_next(tcsi_protobuf_reader *reader, tcsi_protobuf_field *ret_field);
/* A reader of a SIZED field's content as a message; where the nesting is too deep, of nothing and with a fault. */
tcsi_protobuf_reader tcsi_protobuf_enter(const tcsi_protobuf_reader *reader, const tcsi_protobuf_field *field);
/* The next number of packed varints; false at the end and after a fault. */
bool tcsi_protobuf_next_varint(tcsi_protobuf_reader *reader, uint64_t *ret_value);
/* E_FORMAT with the place of the fault, if there was one. */
tcs_status tcsi_protobuf_status(const tcsi_protobuf_reader *reader, tcs_error *err) TCS_WARN_UNUSED;

double tcsi_protobuf_double(const tcsi_protobuf_field *field);  /* 8_BYTES */
int64_t tcsi_protobuf_zigzag(const tcsi_protobuf_field *field); /* VARINT of sint32 and sint64 */

#endif
