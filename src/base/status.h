/* base/status.h -- how functions fail.  Three kinds of error, three answers (see docs/internals/base.md):
 *   the world failed      -> return a tcs_status and describe it in a caller-owned tcs_error (tcsi_fail)
 *   we are wrong          -> TCS_ASSERT, kept in release builds
 *   the user asked for nonsense -> only apps/ prints and exits
 * Threads: everything here is reentrant. */
#ifndef TCS_BASE_STATUS_H
#define TCS_BASE_STATUS_H

#include "tocsin/types.h"

#if defined(__GNUC__)
#define TCS_PRINTF(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define TCS_WARN_UNUSED __attribute__((warn_unused_result))
#else
#define TCS_PRINTF(format_index, first_index)
#define TCS_WARN_UNUSED
#endif

/* Describes a failure in *err (may be NULL) and returns status, so that `return tcsi_fail(...)` reads well. */
tcs_status tcsi_fail(tcs_error *err, tcs_status status, const char *format, ...) TCS_PRINTF(3, 4);

/* Puts "prefix: " before the text already in *err: a caller adds where, the callee said what. */
void tcsi_fail_prefix(tcs_error *err, const char *format, ...) TCS_PRINTF(2, 3);

/* "out of memory" in one word, for the commonest failure. */
tcs_status tcsi_fail_memory(tcs_error *err, const char *what);

const char *tcsi_status_name(tcs_status status); /* "E_FORMAT"; never NULL */
const char *tcsi_status_text(tcs_status status); /* "the input is not in the expected format"; never NULL */

_Noreturn void tcsi_assert_failed(const char *expression, const char *file, int line);

/* An invariant of ours.  Stopping beats scoring with corrupt state, so it stays on in release builds. */
#define TCS_ASSERT(expression) ((expression) ? (void)0 : tcsi_assert_failed(#expression, __FILE__, __LINE__))

#define TCS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
