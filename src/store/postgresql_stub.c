/* store/postgresql_stub.c -- stands in for postgresql.c in builds without libpq.  SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

tcs_status tcsi_database_open_postgresql(const char *url, tcsi_database **ret_database, tcs_error *err)
{
    (void)url;
    (void)ret_database;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "this build cannot keep a store in PostgreSQL (configure it with -Dpostgresql=enabled)");
}
