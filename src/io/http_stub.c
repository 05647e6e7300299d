/* io/http_stub.c -- stands in for http.c in builds without libcurl.  SPDX-License-Identifier: Apache-2.0 */
#include "io/http.h"

tcs_status tcsi_http_get(const char *url, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply, tcs_error *err)
{
    (void)url;
    (void)limits;
    (void)body;
    (void)ret_reply;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "http: inputs cannot be read by this build (configure it with -Dcurl=enabled)");
}
