/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/server.h"

bool tcsi_server_is_available(void)
{
    return false;
}

tcs_status tcsi_server_start(const tcsi_server_options *options, const tcsi_router *router, tcsi_server **ret_server, tcs_error *err)
{
    (void)options, (void)router, (void)ret_server;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "built without an HTTP server: libmicrohttpd and GnuTLS were not there");
}

uint16_t tcsi_server_port(const tcsi_server *server)
{
    (void)server;
    return 0;
}

tcs_status tcsi_server_reload(tcsi_server *server, tcs_error *err)
{
    (void)server;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "built without an HTTP server");
}

bool tcsi_server_drain(tcsi_server *server, int64_t timeout_ns)
{
    (void)server, (void)timeout_ns;
    return true;
}

void tcsi_server_destroy(tcsi_server *server)
{
    (void)server;
}
