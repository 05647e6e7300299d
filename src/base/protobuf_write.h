/* base/protobuf_write.h -- writes messages of Protocol Buffers (https://protobuf.dev/programming-guides/encoding).
 * A field is its number and wire type, then a varint, four bytes, or a length and that many bytes; a message inside another is such bytes.
 * Its length is known only at its end, so `end` makes room in front of it: every byte moves once per level that it stands in.
 * Nothing here knows a schema: whoever writes chooses numbers and types, and the wire says no more than they do.
 * Out of memory or over the buffer's limit is remembered and returned by finish.
 * Threads: one user per writer. */
#ifndef TCS_BASE_PROTOBUF_WRITE_H
#define TCS_BASE_PROTOBUF_WRITE_H

#include "base/buffer.h"

enum { TCSI_PROTOBUF_DEPTH_MAX = 16, TCSI_PROTOBUF_FIELD_MAX = (1 << 29) - 1 };

typedef struct tcsi_protobuf_writer {
    tcsi_buffer *out;
    size_t begins[TCSI_PROTOBUF_DEPTH_MAX]; /* of the open messages' contents */
    int depth;
    tcs_status status;
} tcsi_protobuf_writer;

void tcsi_protobuf_writer_init(tcsi_protobuf_writer *writer, tcsi_buffer *out); /* appends */
void tcsi_protobuf_integer(tcsi_protobuf_writer *writer, unsigned field, int64_t value); /* int32, int64, bool, enum */
void tcsi_protobuf_float(tcsi_protobuf_writer *writer, unsigned field, float value);
void tcsi_protobuf_bytes(tcsi_protobuf_writer *writer, unsigned field, const void *bytes, size_t size);
void tcsi_protobuf_text(tcsi_protobuf_writer *writer, unsigned field, const char *text);
/* Bytes that hold little-endian numbers one after the other. */
void tcsi_protobuf_raw_floats(tcsi_protobuf_writer *writer, unsigned field, const float *values, size_t count);
void tcsi_protobuf_raw_integers(tcsi_protobuf_writer *writer, unsigned field, const int64_t *values, size_t count);
void tcsi_protobuf_begin(tcsi_protobuf_writer *writer, unsigned field);
void tcsi_protobuf_end(tcsi_protobuf_writer *writer);
tcs_status tcsi_protobuf_finish(tcsi_protobuf_writer *writer, tcs_error *err) TCS_WARN_UNUSED;

#endif
