/* base/url.c -- a password may stand in an address in two places: between the first colon behind :// and the last @ of the
 * authority, and in a parameter.  People forget to encode the / or ? of a password, so the authority is taken to reach as
 * far as an @ could belong to it; hiding a port by mistake does no harm, showing half a password does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/url.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

size_t tcsi_url_scheme_length(const char *url)
{
    size_t length = 0;
    if (!is_letter(*url)) return 0;
    while (is_letter(url[length]) || is_digit(url[length]) || url[length] == '+' || url[length] == '.' || url[length] == '-') length++;
    return url[length] == ':' && length > 1 ? length : 0;
}

/* ---- percent codes ---- */

tcs_status tcsi_url_encode(tcsi_buffer *out, const char *text, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (; *text && status == TCS_OK; text++) {
        if (is_letter(*text) || is_digit(*text) || strchr("-._~", *text)) status = tcsi_buffer_append(out, text, 1, err);
        else status = tcsi_buffer_printf(out, err, "%%%02X", (unsigned)(unsigned char)*text);
    }
    return status;
}

static int hex_digit(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool tcsi_url_decode(char *text, bool plus_is_blank)
{
    char *to = text;
    for (; *text; text++, to++) {
        *to = *text == '+' && plus_is_blank ? ' ' : *text;
        if (*text != '%') continue;
        int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);
        if (low < 0 || high + low == 0) return false;
        *to = (char)(high * 16 + low);
        text += 2;
    }
    *to = 0;
    return true;
}

/* ---- passwords ---- */

typedef struct span {
    const char *begin, *end;
} span;

/* The password between the first colon and the @; begin NULL: there is none. */
static span find_password(const char *url)
{
    size_t scheme = tcsi_url_scheme_length(url);
    if (scheme == 0 || strncmp(url + scheme, "://", 3) != 0) return (span){ NULL, NULL };
    const char *begin = url + scheme + 3, *slash = begin + strcspn(begin, "/"), *question = begin + strcspn(begin, "?");
    const char *at = slash > question ? slash : question;
    if (strncmp(url, "http", 4) != 0) at = begin + strlen(begin); /* in a PromQL query an @ is usual, elsewhere it is not */
    const char *colon = memchr(begin, ':', (size_t)(at - begin));
    while (at > begin && *at != '@') at--;
    return colon && colon < at ? (span){ colon + 1, at } : (span){ NULL, NULL };
}

/* Whether the parameter name=... at text names a secret. */
static bool names_secret(const char *text)
{
    static const char *const names[] = { "password", "passwd", "pwd", "sslpassword", "token", "access_token", "auth", "api_key",
                                         "apikey", "key", "secret" };
    char name[16];
    size_t length = strcspn(text, "=&#");
    if (text[length] != '=' || length >= sizeof name) return false;
    memcpy(name, text, length);
    name[length] = 0;
    for (size_t i = 0; i < TCS_COUNT(names); i++)
        if (tcsi_text_equal_nocase(name, names[i])) return true;
    return false;
}

/* Writes url piece by piece as far as there is room. */
typedef struct sink {
    char *text;
    size_t used, size;
} sink;

static void put(sink *to, const char *begin, const char *end)
{
    size_t length = (size_t)(end - begin), room = to->size - 1 - to->used;
    if (length > room) length = room;
    memcpy(to->text + to->used, begin, length);
    to->used += length;
}

char *tcsi_url_redact(const char *url, char *ret_text, size_t size)
{
    static const char stars[] = "***";
    sink to = { ret_text, 0, size };
    span password = find_password(url);
    const char *at = url;
    TCS_ASSERT(size > 0);
    if (password.begin) {
        put(&to, at, password.begin);
        put(&to, stars, stars + 3);
        at = password.end;
    }
    const char *question = tcsi_url_scheme_length(url) > 0 ? strchr(at, '?') : NULL;
    for (const char *parameter = question; parameter;) {
        parameter++;
        if (names_secret(parameter)) {
            put(&to, at, parameter + strcspn(parameter, "=") + 1);
            put(&to, stars, stars + 3);
            at = parameter + strcspn(parameter, "&#");
        }
        parameter = strchr(parameter, '&');
    }
    put(&to, at, at + strlen(at));
    ret_text[to.used] = 0;
    return ret_text;
}

static void overwrite(char *message, const char *word)
{
    size_t length = strlen(word);
    for (char *found = message; length > 0 && (found = strstr(found, word)); found += length) memset(found, '*', length);
}

static void scrub_span(const char *begin, const char *end, char *message)
{
    static const char marks[] = "/?#@:"; /* where a reader may have split a password that was not encoded */
    char word[256];
    size_t length = (size_t)(end - begin) < sizeof word - 1 ? (size_t)(end - begin) : sizeof word - 1;
    memcpy(word, begin, length);
    word[length] = 0;
    overwrite(message, word);
    for (char *piece = word; *piece; piece += strcspn(piece, marks), piece += strspn(piece, marks)) {
        char last = piece[strcspn(piece, marks)];
        if (last == 0 && piece == word) break; /* nothing to split at */
        piece[strcspn(piece, marks)] = 0;
        overwrite(message, piece);
        piece[strlen(piece)] = last;
    }
    if (tcsi_url_decode(word, false)) overwrite(message, word);
}

void tcsi_url_scrub(const char *url, char *message)
{
    span password = find_password(url);
    if (password.begin) scrub_span(password.begin, password.end, message);
    for (const char *parameter = tcsi_url_scheme_length(url) > 0 ? strchr(url, '?') : NULL; parameter; parameter = strchr(parameter, '&')) {
        parameter++;
        if (!names_secret(parameter)) continue;
        const char *value = parameter + strcspn(parameter, "=") + 1;
        scrub_span(value, value + strcspn(value, "&#"), message);
    }
}

void tcsi_url_tidy(const char *url, const char *message, char *ret_text, size_t size)
{
    size_t used = 0;
    for (; *message && used + 1 < size; message++) {
        const char c = *message == '\n' || *message == '\r' || *message == '\t' ? ' ' : *message;
        if (c == ' ' && (used == 0 || ret_text[used - 1] == ' ')) continue;
        ret_text[used++] = c;
    }
    while (used > 0 && ret_text[used - 1] == ' ') used--;
    ret_text[used] = 0;
    tcsi_url_scrub(url, ret_text);
}
