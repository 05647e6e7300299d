/* io/stream.h -- a source of bytes: a file, standard input, or memory; gzip and zstd are taken off on the way.
 * The compression is recognised by its magic bytes, never by the name.  Several members or frames in a row are one
 * stream.  A truncated or corrupt archive is an error that names the file and the offset in it; what was already given
 * out is then worth nothing, and callers drop it.
 * Files are read, not mapped: a mapped file that somebody truncates kills the process, and read() into a buffer that
 * stays in the cache measured no slower (docs/internals/io.md).
 * Threads: one user per stream. */
#ifndef TCS_IO_STREAM_H
#define TCS_IO_STREAM_H

#include "base/status.h"

typedef struct tcsi_stream tcsi_stream;

/* path: a file, or "-" for standard input.  E_IO: cannot be opened or read; E_UNSUPPORTED: compressed in a way that
 * this build or tocsin cannot read; E_FORMAT: corrupt. */
tcs_status tcsi_stream_open(const char *path, tcsi_stream **ret_stream, tcs_error *err) TCS_WARN_UNUSED;
/* Reads bytes[0, size), which must outlive the stream; name appears in messages. */
tcs_status tcsi_stream_open_memory(const void *bytes, size_t size, const char *name, tcsi_stream **ret_stream,
                                   tcs_error *err) TCS_WARN_UNUSED;
void tcsi_stream_close(tcsi_stream *stream); /* accepts NULL */

/* Fills bytes with 1..size bytes as soon as any are there; *ret_size = 0 means the end.  size > 0. */
tcs_status tcsi_stream_read(tcsi_stream *stream, void *bytes, size_t size, size_t *ret_size, tcs_error *err) TCS_WARN_UNUSED;
/* As read, but waits until all size bytes or the end are there. */
tcs_status tcsi_stream_read_all(tcsi_stream *stream, void *bytes, size_t size, size_t *ret_size, tcs_error *err) TCS_WARN_UNUSED;

/* Copies up to size <= TCSI_STREAM_PEEK_SIZE bytes that the next read will give out; fewer at the end, and as few as one
 * when the first byte alone is not begin[0] or begin[1]: a live source must not be waited for without need. */
enum { TCSI_STREAM_PEEK_SIZE = 16 };
tcs_status tcsi_stream_peek(tcsi_stream *stream, const char begin[2], void *bytes, size_t size, size_t *ret_size,
                            tcs_error *err) TCS_WARN_UNUSED;

const char *tcsi_stream_name(const tcsi_stream *stream);        /* the path; "standard input" for "-" */
const char *tcsi_stream_compression(const tcsi_stream *stream); /* "none", "gzip" or "zstd" */
/* The share of the source already consumed, 0..1; 0 when its size is not known. */
double tcsi_stream_progress(const tcsi_stream *stream);

#endif
