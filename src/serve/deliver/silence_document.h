/* serve/deliver/silence_document.h -- a silence or a maintenance window as JSON: as somebody asks for it, as the journal's action and the
 * store's record have it, and as the API answers.
 *
 *     {"id":"..","matchers":[{"name":"host","op":"=","value":"db1"}],"from":"2026-12-01T22:00:00Z","to":"..","who":"ann","comment":"disks"}
 *
 * Threads: reentrant. */
#ifndef TCS_SERVE_DELIVER_SILENCE_DOCUMENT_H
#define TCS_SERVE_DELIVER_SILENCE_DOCUMENT_H

#include "serve/deliver/match.h"

/* id and who are left out where they are "". */
void tcsi_silence_write(const tcsi_silence *silence, tcsi_json_writer *writer);
/* What was asked for at now_ns: `from` is now where it is not said or has passed, as nobody can be silent yesterday; id and who are not
 * the asker's to say.  E_INVALID: which key is not as it should be, and what was expected.  ret_silence is the caller's to deinit. */
tcs_status tcsi_silence_ask(const char *text, size_t size, int64_t now_ns, tcsi_arena *arena, tcsi_silence *ret_silence,
                            tcs_error *err) TCS_WARN_UNUSED;
/* What write wrote.  E_FORMAT: it is not. */
tcs_status tcsi_silence_read(const char *text, size_t size, tcsi_arena *arena, tcsi_silence *ret_silence, tcs_error *err) TCS_WARN_UNUSED;

#endif
