/* serve/self/log.h -- messages as JSON lines, each with the trace that it belongs to:
 *     {"time":"2026-01-05T00:00:00.000Z","level":"info","id":"HTTP-REQUEST","message":"...","trace_id":"4bf9...","span_id":"00f0..."}
 * One write a line, so that lines of several threads do not mix; a line that cannot be written is lost and counted, never waited for
 * twice. Secrets are kept out by whoever composes messages; what is written here is only made into valid JSON: control codes and bytes
 * that are no UTF-8 cannot forge a line.
 * Threads: begin and end from one thread; messages come from any. */
#ifndef TCS_SERVE_SELF_LOG_H
#define TCS_SERVE_SELF_LOG_H

#include "base/buffer.h"
#include "base/log.h"

/* Messages up to level go to file descriptor file from now on. */
void tcsi_log_lines_begin(int file, tcsi_log_level level_max);
void tcsi_log_lines_end(void);
uint64_t tcsi_log_lines_lost(void);

/* One line, its line end included; for tests and for other destinations. */
tcs_status tcsi_log_line(int64_t wall_ns, tcsi_log_level level, const char *id, const char *text, tcsi_buffer *out,
                         tcs_error *err) TCS_WARN_UNUSED;

#endif
