/* io/postgresql_stub.c -- stands in for postgresql.c in builds without libpq.  SPDX-License-Identifier: Apache-2.0 */
#include "io/answer.h"

tcs_status tcsi_postgresql_open(const char *url, const char *query, tcsi_answer **ret_answer, tcs_error *err)
{
    (void)url;
    (void)query;
    (void)ret_answer;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "postgresql: inputs cannot be read by this build (configure it with -Dpostgresql=enabled)");
}
