/* io/sqlite_stub.c -- stands in for sqlite.c in builds without SQLite.  SPDX-License-Identifier: Apache-2.0 */
#include "io/answer.h"

tcs_status tcsi_sqlite_open(const char *url, const char *query, tcsi_answer **ret_answer, tcs_error *err)
{
    (void)query;
    (void)ret_answer;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: this build cannot read SQLite (configure it with -Dsqlite=enabled)", url);
}
