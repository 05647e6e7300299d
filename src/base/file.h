/* base/file.h -- whole files in, whole files out.
 * Output is written beside its destination and renamed over it at commit, so that nobody ever sees half a file and a
 * failed run leaves the old one as it was.  Standard output ("-") cannot be renamed: it is written through.
 * Threads: one user per writer. */
#ifndef TCS_BASE_FILE_H
#define TCS_BASE_FILE_H

#include "base/buffer.h"

#include <stdio.h>

/* Appends the whole file to buffer (whose size_max bounds it). */
tcs_status tcsi_file_read(const char *path, tcsi_buffer *buffer, tcs_error *err) TCS_WARN_UNUSED;

typedef struct tcsi_file_writer {
    FILE *stream;        /* write here; errors are collected and reported by commit */
    char *path;           /* in messages */
    char *path_temporary; /* renamed to path at commit; NULL: written through */
} tcsi_file_writer;

tcs_status tcsi_file_writer_open(const char *path, tcsi_file_writer *ret_writer, tcs_error *err) TCS_WARN_UNUSED;
/* Flushes, syncs and renames.  On failure the destination is untouched.  The writer is closed either way. */
tcs_status tcsi_file_writer_commit(tcsi_file_writer *writer, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_file_writer_abort(tcsi_file_writer *writer); /* removes the temporary file; accepts a zeroed or closed writer */

tcs_status tcsi_file_write(const char *path, const void *bytes, size_t size, tcs_error *err) TCS_WARN_UNUSED;

#endif
