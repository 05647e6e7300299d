/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/target.h"

#include "base/url.h"

#include <stdio.h>
#include <string.h>

/* ---- bytes ---- */

/* Length of the character at text, 0: none that is well-formed (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF). */
static size_t utf8_length(const unsigned char *text, size_t size)
{
    static const unsigned low[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t length = 0;
    if (*text < 0x80) length = 1;
    else if (*text >= 0xc2 && *text < 0xe0) length = 2;
    else if (*text >= 0xe0 && *text < 0xf0) length = 3;
    else if (*text >= 0xf0 && *text <= 0xf4) length = 4;
    if (length < 2 || length > size) return length > size ? 0 : length;
    unsigned code = *text & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    return code < low[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : length;
}

bool tcsi_text_is_printable(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = 0; at < size;) {
        size_t length = utf8_length(bytes + at, size - at);
        if (length == 0 || bytes[at] < 0x20 || bytes[at] == 0x7f) return false;
        at += length;
    }
    return true;
}

/* ---- pieces; each is decoded where it stands, in storage ---- */

/* what: "segment 3 of the path". */
static tcs_status decode(char *piece, bool plus_is_blank, const char *what, size_t number, tcs_error *err)
{
    if (!tcsi_url_decode(piece, plus_is_blank))
        return tcsi_fail(err, TCS_E_INVALID, "%s %zu holds a percent code that is none, or that of NUL; expected %%XX", what, number);
    if (!tcsi_text_is_printable(piece, strlen(piece)))
        return tcsi_fail(err, TCS_E_INVALID, "%s %zu decodes to control codes or to what is not UTF-8", what, number);
    return TCS_OK;
}

static tcs_status add_segment(tcsi_target *target, char *piece, tcs_error *err)
{
    tcs_status status = decode(piece, false, "path segment", target->segment_count + 1, err);
    if (status != TCS_OK || !*piece || strcmp(piece, ".") == 0) return status;
    if (strcmp(piece, "..") == 0) {
        if (target->segment_count == 0) return tcsi_fail(err, TCS_E_INVALID, "the path leads above the root");
        target->segment_count--;
    } else if (target->segment_count == TCSI_TARGET_SEGMENTS_MAX) {
        return tcsi_fail(err, TCS_E_LIMIT, "a path of more than %d segments", TCSI_TARGET_SEGMENTS_MAX);
    } else {
        target->segments[target->segment_count++] = piece;
    }
    return TCS_OK;
}

static tcs_status parse_path(tcsi_target *target, char *path, tcs_error *err)
{
    tcs_status status = TCS_OK;
    while (path && status == TCS_OK) {
        char *slash = strchr(path, '/');
        if (slash) *slash = 0;
        status = add_segment(target, path, err);
        path = slash ? slash + 1 : NULL;
    }
    return status;
}

static tcs_status add_query(tcsi_target *target, char *piece, tcs_error *err)
{
    if (!*piece) return TCS_OK; /* "a&&b" */
    if (target->query_count == TCSI_TARGET_QUERY_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "a query of more than %d parameters", TCSI_TARGET_QUERY_MAX);
    size_t number = target->query_count + 1;
    char *value = strchr(piece, '=');
    if (value) *value++ = 0;
    tcs_status status = decode(piece, true, "query parameter", number, err);
    if (status == TCS_OK && !*piece) status = tcsi_fail(err, TCS_E_INVALID, "query parameter %zu has no name", number);
    if (status == TCS_OK && value) status = decode(value, true, "query parameter", number, err);
    if (status == TCS_OK) target->query[target->query_count++] = (tcsi_pair){ piece, value ? value : piece + strlen(piece) };
    return status;
}

static tcs_status parse_query(tcsi_target *target, char *query, tcs_error *err)
{
    tcs_status status = TCS_OK;
    while (query && status == TCS_OK) {
        char *next = strchr(query, '&');
        if (next) *next++ = 0;
        status = add_query(target, query, err);
        query = next;
    }
    return status;
}

/* The path of "http://host/path", and of "/path"; NULL: neither. */
static char *find_path(char *text)
{
    if (*text == '/') return text + 1;
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; i < TCS_COUNT(schemes); i++) {
        size_t length = strlen(schemes[i]), at = 0;
        while (at < length && (text[at] == schemes[i][at] || (text[at] >= 'A' && text[at] <= 'Z' && text[at] + 32 == schemes[i][at]))) at++;
        if (at < length) continue;
        size_t host = strcspn(text + at, "/?");
        if (host == 0) return NULL;
        text += at + host;
        return *text == '/' ? text + 1 : text;
    }
    return NULL;
}

tcs_status tcsi_target_parse(const char *text, size_t size, tcsi_target *ret_target, tcs_error *err)
{
    tcsi_target *target = ret_target; /* filled piece by piece: 8 KiB are not copied once more */
    target->segment_count = target->query_count = 0;
    target->is_asterisk = false;
    if (size > TCSI_TARGET_SIZE_MAX) return tcsi_fail(err, TCS_E_LIMIT, "a target of %zu bytes, at most %d", size, TCSI_TARGET_SIZE_MAX);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f || text[i] == '#')
            return tcsi_fail(err, TCS_E_INVALID, "byte %zu of the target must be a percent code (RFC 3986)", i + 1);
    memcpy(target->storage, text, size);
    target->storage[size] = 0;
    if (strcmp(target->storage, "*") == 0) {
        target->is_asterisk = true;
        return TCS_OK;
    }
    char *query = strchr(target->storage, '?'), *path = find_path(target->storage);
    if (!path) return tcsi_fail(err, TCS_E_INVALID, "the target is no path; expected /PATH?QUERY");
    if (query) *query++ = 0;
    tcs_status status = parse_path(target, path, err);
    return status == TCS_OK ? parse_query(target, query, err) : status;
}

void tcsi_target_path(const tcsi_target *target, char *ret_text, size_t size)
{
    size_t used = 0;
    ret_text[0] = 0;
    if (target->is_asterisk || target->segment_count == 0) snprintf(ret_text, size, "%s", target->is_asterisk ? "*" : "/");
    for (size_t s = 0; s < target->segment_count && used < size - 1; s++) {
        int length = snprintf(ret_text + used, size - used, "/%s", target->segments[s]);
        used += length > 0 ? (size_t)length : 0;
    }
}
