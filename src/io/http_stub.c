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

tcs_status tcsi_http_send(const tcsi_http_request *request, const tcsi_http_limits *limits, tcsi_buffer *body, tcsi_http_reply *ret_reply,
                          tcs_error *err)
{
    (void)request;
    (void)limits;
    (void)body;
    (void)ret_reply;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "this build cannot send over http: (configure it with -Dcurl=enabled)");
}

tcs_status tcsi_mail_send(const tcsi_mail *mail, const tcsi_http_limits *limits, int *ret_code, tcs_error *err)
{
    (void)mail;
    (void)limits;
    *ret_code = 0;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "this build cannot send mail (configure it with -Dcurl=enabled)");
}
