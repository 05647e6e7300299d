/* base/log.h -- the library never writes to standard output or error; it tells a hook.
 * Every message has a stable id ("IO-CSV-GUESS") so that it can be looked up and counted after being reworded.
 * Threads: set the hook before threads start; it may then be called from any of them. */
#ifndef TCS_BASE_LOG_H
#define TCS_BASE_LOG_H

#include "base/status.h"

typedef enum tcsi_log_level { TCSI_LOG_ERROR, TCSI_LOG_WARNING, TCSI_LOG_INFO, TCSI_LOG_DEBUG } tcsi_log_level;

typedef void (*tcsi_log_hook)(void *context, tcsi_log_level level, const char *id, const char *text);

void tcsi_log_set(tcsi_log_hook hook, void *context, tcsi_log_level level_max); /* NULL: silent, the default */
void tcsi_log(tcsi_log_level level, const char *id, const char *format, ...) TCS_PRINTF(3, 4);

#endif
