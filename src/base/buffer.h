/* base/buffer.h -- a byte string that grows up to a stated maximum; text and files are built in it.
 * Every append returns a status; after a failure the buffer still holds what it held.
 * Threads: one user per buffer. */
#ifndef TCS_BASE_BUFFER_H
#define TCS_BASE_BUFFER_H

#include "base/status.h"

typedef struct tcsi_buffer {
    char *data;      /* always followed by a 0 byte once anything was appended; NULL when never used */
    size_t size;     /* bytes in use, without that 0 */
    size_t capacity;
    size_t size_max;
} tcsi_buffer;

void tcsi_buffer_init(tcsi_buffer *buffer, size_t size_max);
void tcsi_buffer_deinit(tcsi_buffer *buffer);
void tcsi_buffer_clear(tcsi_buffer *buffer); /* keeps the memory */
tcs_status tcsi_buffer_reserve(tcsi_buffer *buffer, size_t extra, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_buffer_append(tcsi_buffer *buffer, const void *bytes, size_t size, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_buffer_puts(tcsi_buffer *buffer, const char *text, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_buffer_printf(tcsi_buffer *buffer, tcs_error *err, const char *format, ...) TCS_PRINTF(3, 4) TCS_WARN_UNUSED;

#endif
