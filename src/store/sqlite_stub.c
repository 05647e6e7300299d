/* store/sqlite_stub.c -- stands in for sqlite.c in builds without SQLite.  SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

tcs_status tcsi_database_open_sqlite(const char *path, bool alone, bool must_exist, tcsi_database **ret_database, tcs_error *err)
{
    (void)alone;
    (void)must_exist;
    (void)ret_database;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: this build cannot keep a store in SQLite (configure it with -Dsqlite=enabled)", path);
}
