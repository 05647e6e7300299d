/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/self/probe.h"

#include "io/http.h"

#include <string.h>

tcs_status tcsi_probe_ready(const char *url, tcsi_buffer *text, bool *ret_is_ready, tcs_error *err)
{
    static const char path[] = "/readyz";
    static const tcsi_http_limits limits = { .connect_ms = 2000, .stall_s = 5, .total_ms = 5000 };
    const size_t length = strlen(url), end = length && url[length - 1] == '/' ? length - 1 : length;
    const bool has_path = length >= sizeof path - 1 && strcmp(url + length - (sizeof path - 1), path) == 0;
    tcsi_http_reply reply;
    tcsi_buffer whole;
    tcsi_buffer_init(&whole, 4096);
    tcs_status status = tcsi_buffer_append(&whole, url, has_path ? length : end, err);
    if (status == TCS_OK) status = tcsi_buffer_puts(&whole, has_path ? "" : path, err);
    if (status == TCS_OK) status = tcsi_http_get(whole.data, &limits, text, &reply, err);
    if (status == TCS_OK) *ret_is_ready = reply.code == 200;
    tcsi_buffer_deinit(&whole);
    return status;
}
