/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tcsi_buffer_init(tcsi_buffer *buffer, size_t size_max)
{
    *buffer = (tcsi_buffer){ .size_max = size_max };
}

void tcsi_buffer_deinit(tcsi_buffer *buffer)
{
    tcsi_free(buffer->data);
    *buffer = (tcsi_buffer){ 0 };
}

void tcsi_buffer_clear(tcsi_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data) buffer->data[0] = 0;
}

tcs_status tcsi_buffer_reserve(tcsi_buffer *buffer, size_t extra, tcs_error *err)
{
    if (extra > buffer->size_max || buffer->size > buffer->size_max - extra)
        return tcsi_fail(err, TCS_E_LIMIT, "text of %zu bytes and more exceeds its limit of %zu", buffer->size, buffer->size_max);
    size_t need = buffer->size + extra + 1;
    if (need <= buffer->capacity) return TCS_OK;
    size_t capacity = buffer->capacity < 64 ? 64 : buffer->capacity;
    while (capacity < need) capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    char *data = tcsi_realloc_array(buffer->data, capacity, 1);
    if (!data) return tcsi_fail_memory(err, "text");
    buffer->data = data;
    buffer->capacity = capacity;
    return TCS_OK;
}

tcs_status tcsi_buffer_append(tcsi_buffer *buffer, const void *bytes, size_t size, tcs_error *err)
{
    tcs_status status = tcsi_buffer_reserve(buffer, size, err);
    if (status != TCS_OK) return status;
    if (size) memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
    return TCS_OK;
}

tcs_status tcsi_buffer_puts(tcsi_buffer *buffer, const char *text, tcs_error *err)
{
    return tcsi_buffer_append(buffer, text, strlen(text), err);
}

tcs_status tcsi_buffer_printf(tcsi_buffer *buffer, tcs_error *err, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    TCS_ASSERT(length >= 0);
    tcs_status status = tcsi_buffer_reserve(buffer, (size_t)length, err);
    if (status == TCS_OK) {
        vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, again);
        buffer->size += (size_t)length;
    }
    va_end(again);
    return status;
}
