/* tests/support/store_seen.h -- what a store answered, as text.  Threads: one user.  SPDX-License-Identifier: Apache-2.0 */
#ifndef TCS_TEST_STORE_SEEN_H
#define TCS_TEST_STORE_SEEN_H

#include "test.h"

static char seen[8192];

static void clear_seen(void)
{
    seen[0] = 0;
}

static void see(const char *format, ...) TCS_PRINTF(1, 2);
static void see(const char *format, ...)
{
    va_list arguments;
    size_t size = strlen(seen);
    va_start(arguments, format);
    vsnprintf(seen + size, sizeof seen - size, format, arguments);
    va_end(arguments);
}

#endif
