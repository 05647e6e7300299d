/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tcs_status tcsi_fail(tcs_error *err, tcs_status status, const char *format, ...)
{
    TCS_ASSERT(status != TCS_OK);
    if (!err) return status;
    err->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    return status;
}

void tcsi_fail_prefix(tcs_error *err, const char *format, ...)
{
    if (!err) return;
    char prefix[TCS_ERROR_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    size_t used = strlen(prefix), room = sizeof err->text - 1, kept = strlen(err->text);
    if (used + 2 > room) return; /* a prefix that leaves no room for the message is dropped */
    if (kept > room - used - 2) kept = room - used - 2;
    memmove(err->text + used + 2, err->text, kept);
    memcpy(err->text, prefix, used);
    memcpy(err->text + used, ": ", 2);
    err->text[used + 2 + kept] = 0;
}

tcs_status tcsi_fail_memory(tcs_error *err, const char *what)
{
    return tcsi_fail(err, TCS_E_MEMORY, "out of memory for %s", what);
}

const char *tcsi_status_name(tcs_status status)
{
    switch (status) {
#define X(name, number, text) \
    case TCS_##name: return #name;
        TCS_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

const char *tcsi_status_text(tcs_status status)
{
    switch (status) {
#define X(name, number, text) \
    case TCS_##name: return text;
        TCS_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

_Noreturn void tcsi_assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "tocsin: internal error: %s:%d: %s does not hold\n", file, line, expression);
    abort();
}
