/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static tcsi_log_hook current_hook;
static void *current_context;
static tcsi_log_level current_level_max;

void tcsi_log_set(tcsi_log_hook hook, void *context, tcsi_log_level level_max)
{
    current_hook = hook;
    current_context = context;
    current_level_max = level_max;
}

void tcsi_log(tcsi_log_level level, const char *id, const char *format, ...)
{
    if (!current_hook || level > current_level_max) return;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    current_hook(current_context, level, id, text);
}
