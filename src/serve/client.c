/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/client.h"

#include "base/file.h"
#include "base/json.h"
#include "io/http.h"

#include <stdio.h>
#include <string.h>

tcs_status tcsi_client_authorize(const char *token_file, char ret_header[TCSI_CLIENT_TEXT_SIZE], tcs_error *err)
{
    tcsi_buffer text;
    *ret_header = 0;
    if (!token_file) return TCS_OK;
    tcsi_buffer_init(&text, TCSI_CLIENT_TEXT_SIZE / 2);
    const tcs_status status = tcsi_file_read(token_file, &text, err);
    if (status == TCS_OK && text.size)
        snprintf(ret_header, TCSI_CLIENT_TEXT_SIZE, "Authorization: Bearer %.*s", (int)strcspn(text.data, "\r\n"), text.data);
    tcsi_buffer_deinit(&text);
    return status;
}

/* A problem document's words, or what there is. */
static tcs_status refuse(const char *url, int code, const tcsi_buffer *answer, tcs_error *err)
{
    const tcsi_json_value *root = NULL, *detail;
    tcsi_arena arena;
    tcs_error ignored;
    tcsi_arena_init(&arena, 1 << 20);
    const bool is_json = answer->size && tcsi_json_parse(answer->data, answer->size, &arena, &root, &ignored) == TCS_OK;
    detail = is_json ? tcsi_json_get(root, "detail") : NULL;
    const char *words = detail && detail->type == TCSI_JSON_STRING ? detail->text : answer->size ? answer->data : "nothing";
    const tcs_status status = tcsi_fail(err, TCS_E_INVALID, "%s: answers %d: %.200s", url, code, words);
    tcsi_arena_deinit(&arena);
    return status;
}

tcs_status tcsi_client_get(const char *service, const char *token_file, const char *path, tcsi_buffer *answer, tcs_error *err)
{
    const tcsi_http_limits limits = { .connect_ms = 10000, .stall_s = 60, .total_ms = 120000 };
    char url[TCSI_CLIENT_TEXT_SIZE], authorization[TCSI_CLIENT_TEXT_SIZE];
    const size_t length = strlen(service), slash = length > 0 && service[length - 1] == '/';
    tcsi_http_reply reply;
    if (snprintf(url, sizeof url, "%.*s%s", (int)(length - slash), service, path) >= (int)sizeof url)
        return tcsi_fail(err, TCS_E_INVALID, "an address of more than %zu bytes", sizeof url - 1);
    tcs_status status = tcsi_client_authorize(token_file, authorization, err);
    const tcsi_http_request request = { .method = "GET", .url = url, .headers = { *authorization ? authorization : NULL } };
    if (status == TCS_OK) status = tcsi_http_send(&request, &limits, answer, &reply, err);
    if (status != TCS_OK) return status;
    return reply.code == 200 ? TCS_OK : refuse(url, reply.code, answer, err);
}
