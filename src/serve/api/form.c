/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api/form.h"

#include "base/url.h"

#include <string.h>

static tcs_status add(tcsi_form *form, const char *name, const char *value, tcs_error *err)
{
    if (form->count == TCSI_FORM_PAIRS_MAX) return tcsi_fail(err, TCS_E_INVALID, "more than %d parameters", TCSI_FORM_PAIRS_MAX);
    form->pairs[form->count++] = (tcsi_pair){ name, value };
    return TCS_OK;
}

static tcs_status add_piece(tcsi_form *form, char *piece, tcs_error *err)
{
    char *equals = strchr(piece, '=');
    char *value = equals ? equals + 1 : piece + strlen(piece);
    if (equals) *equals = 0;
    if (!tcsi_url_decode(piece, true) || !tcsi_url_decode(value, true))
        return tcsi_fail(err, TCS_E_INVALID, "parameter %zu of the body: a percent code that is none", form->count + 1);
    return add(form, piece, value, err);
}

static tcs_status read_body(const tcsi_request *request, tcsi_form *form, tcs_error *err)
{
    tcs_status status = TCS_OK;
    if (memchr(request->body, 0, request->body_size)) return tcsi_fail(err, TCS_E_INVALID, "the byte 0 in the body");
    char *text = tcsi_arena_strndup(request->arena, request->body, request->body_size);
    if (!text) return tcsi_fail_memory(err, "parameters");
    while (status == TCS_OK && text) {
        char *rest = strchr(text, '&');
        if (rest) *rest++ = 0;
        if (*text) status = add_piece(form, text, err);
        text = rest;
    }
    return status;
}

tcs_status tcsi_form_read(const tcsi_request *request, tcsi_form *ret_form, tcs_error *err)
{
    ret_form->count = 0;
    tcs_status status = request->body && request->body_size > 0 ? read_body(request, ret_form, err) : TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < request->query_count; i++)
        status = add(ret_form, request->query[i].name, request->query[i].value, err);
    return status;
}

const char *tcsi_form_get(const tcsi_form *form, const char *name, size_t index)
{
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(form->pairs[i].name, name) == 0 && index-- == 0) return form->pairs[i].value;
    return NULL;
}
