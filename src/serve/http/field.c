/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/field.h"

#include <string.h>

/* ---- pieces ---- */

typedef struct span {
    const char *begin;
    size_t size;
} span;

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110: token. */
static bool is_token_char(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || (c != 0 && strchr("!#$%&'*+-.^_`|~", c));
}

static bool span_is(span s, const char *text)
{
    size_t at = 0;
    while (at < s.size && text[at] && lower(s.begin[at]) == lower(text[at])) at++;
    return at == s.size && text[at] == 0;
}

static bool spans_equal(span a, span b)
{
    size_t at = 0;
    while (at < a.size && at < b.size && lower(a.begin[at]) == lower(b.begin[at])) at++;
    return at == a.size && at == b.size;
}

static const char *skip_blanks(const char *at)
{
    while (is_blank(*at)) at++;
    return at;
}

static span take_token(const char **at)
{
    span s = { *at, 0 };
    while (is_token_char(s.begin[s.size])) s.size++;
    *at += s.size;
    return s;
}

/* A token or a quoted string without its quotes; false: neither.  Escapes are kept as they are: no value of ours has any. */
static bool take_value(const char **at, span *ret)
{
    if (**at != '"') {
        *ret = take_token(at);
        return ret->size > 0;
    }
    const char *end = *at + 1;
    while (*end && *end != '"') end += *end == '\\' && end[1] ? 2 : 1;
    if (*end != '"') return false;
    *ret = (span){ *at + 1, (size_t)(end - *at - 1) };
    *at = end + 1;
    return true;
}

/* "; name=value" at *at.  1: taken; 0: there is none; -1: malformed. */
static int take_parameter(const char **at, span *ret_name, span *ret_value)
{
    const char *to = skip_blanks(*at);
    if (*to != ';') return 0;
    to = skip_blanks(to + 1);
    if (*to == 0 || *to == ',' || *to == ';') { /* an empty one is allowed */
        *at = to;
        *ret_name = *ret_value = (span){ to, 0 };
        return 1;
    }
    *ret_name = take_token(&to);
    if (ret_name->size == 0 || *to != '=') return -1;
    to++;
    if (!take_value(&to, ret_value)) return -1;
    *at = to;
    return 1;
}

/* "type/subtype". */
static bool take_media(const char **at, span *ret_type, span *ret_subtype)
{
    *at = skip_blanks(*at);
    *ret_type = take_token(at);
    if (ret_type->size == 0 || **at != '/') return false;
    (*at)++;
    *ret_subtype = take_token(at);
    return ret_subtype->size > 0;
}

/* ---- Authorization ---- */

tcsi_credential tcsi_field_authorization(const char *value, const char **ret_token, size_t *ret_size)
{
    if (!value) return TCSI_CREDENTIAL_NONE;
    const char *at = skip_blanks(value);
    span scheme = take_token(&at);
    if (scheme.size == 0) return TCSI_CREDENTIAL_MALFORMED;
    if (!span_is(scheme, "Bearer") && !span_is(scheme, "Token")) return TCSI_CREDENTIAL_OTHER;
    if (!is_blank(*at)) return TCSI_CREDENTIAL_MALFORMED;
    at = skip_blanks(at);
    size_t size = 0;
    while (is_token_char(at[size]) || at[size] == '/' || at[size] == '=') size++;
    if (size == 0 || *skip_blanks(at + size)) return TCSI_CREDENTIAL_MALFORMED;
    *ret_token = at;
    *ret_size = size;
    return TCSI_CREDENTIAL_TOKEN;
}

/* ---- Content-Type ---- */

static bool media_is(const char *value, span type, span subtype)
{
    span given_type, given_subtype, name, parameter;
    const char *at = value;
    if (!take_media(&at, &given_type, &given_subtype)) return false;
    int more;
    while ((more = take_parameter(&at, &name, &parameter)) > 0) continue;
    return more == 0 && *skip_blanks(at) == 0 && spans_equal(given_type, type) && spans_equal(given_subtype, subtype);
}

bool tcsi_field_media_is_one(const char *value, const char *media_types)
{
    for (const char *at = media_types; *at; at += *at == '|') {
        span type = { at, strcspn(at, "/|") };
        if (at[type.size] != '/') return false;
        at += type.size + 1;
        span subtype = { at, strcspn(at, "|") };
        at += subtype.size;
        if (media_is(value, type, subtype)) return true;
    }
    return false;
}

bool tcsi_field_media_is(const char *value, const char *media_type)
{
    return tcsi_field_media_is_one(value, media_type);
}

bool tcsi_field_media_parameter(const char *value, const char *name, char *ret_text, size_t size)
{
    span type, subtype, given, text;
    if (!take_media(&value, &type, &subtype)) return false;
    while (take_parameter(&value, &given, &text) > 0) {
        if (!span_is(given, name) || given.size == 0) continue;
        if (text.size >= size) return false;
        memcpy(ret_text, text.begin, text.size);
        ret_text[text.size] = 0;
        return true;
    }
    return false;
}

/* ---- Accept ---- */

/* A range as it stands in the field; parameters: from after the subtype to the weight. */
typedef struct range {
    span type, subtype;
    span names[4], values[4];
    size_t parameter_count;
    int weight; /* thousandths */
} range;

/* "1", "0.5", "0.123"; -1: none of these. */
static int weight_of(span s)
{
    if (s.size == 0 || s.size > 5 || (s.begin[0] != '0' && s.begin[0] != '1') || (s.size > 1 && s.begin[1] != '.')) return -1;
    int weight = (s.begin[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < s.size; i++, unit /= 10) {
        if (s.begin[i] < '0' || s.begin[i] > '9') return -1;
        weight += (s.begin[i] - '0') * unit;
    }
    return weight > 1000 ? -1 : weight;
}

static bool take_range(const char **at, range *ret)
{
    *ret = (range){ .weight = 1000 };
    if (!take_media(at, &ret->type, &ret->subtype)) return false;
    if (span_is(ret->type, "*") && !span_is(ret->subtype, "*")) return false;
    span name, value;
    int more;
    while ((more = take_parameter(at, &name, &value)) > 0) {
        if (span_is(name, "q")) {
            ret->weight = weight_of(value);
            if (ret->weight < 0) return false;
        } else if (name.size > 0 && !span_is(name, "charset")) { /* everything is UTF-8 */
            if (ret->parameter_count == TCS_COUNT(ret->names)) return false;
            ret->names[ret->parameter_count] = name;
            ret->values[ret->parameter_count++] = value;
        }
    }
    *at = skip_blanks(*at);
    return more == 0 && (**at == ',' || **at == 0);
}

static bool offer_has(const char *offer, span name, span value)
{
    span type, subtype, given, text;
    if (!take_media(&offer, &type, &subtype)) return false;
    while (take_parameter(&offer, &given, &text) > 0)
        if (spans_equal(given, name)) return spans_equal(text, value);
    return false;
}

/* How precisely the range names the offer: 0 not at all, 1 by "*" twice, 2 by its type, 3 by both, more by parameters. */
static int precision_of(const range *r, const char *offer)
{
    span type, subtype;
    if (!take_media(&offer, &type, &subtype)) return 0;
    const char *whole = type.begin;
    if (span_is(r->type, "*")) return 1;
    if (!spans_equal(r->type, type)) return 0;
    if (span_is(r->subtype, "*")) return 2;
    if (!spans_equal(r->subtype, subtype)) return 0;
    for (size_t p = 0; p < r->parameter_count; p++)
        if (!offer_has(whole, r->names[p], r->values[p])) return 0;
    return 3 + (int)r->parameter_count;
}

int tcsi_field_accept(const char *value, const char *const *offers, size_t offer_count)
{
    range ranges[TCSI_ACCEPT_RANGES_MAX];
    size_t count = 0;
    for (const char *at = value ? value : ""; *at && count < TCSI_ACCEPT_RANGES_MAX;) {
        at = skip_blanks(at);
        if (*at == ',') {
            at++;
            continue;
        }
        if (*at && take_range(&at, &ranges[count])) count++;
        else at += strcspn(at, ","); /* what cannot be understood accepts nothing */
    }
    if (count == 0) return value && *skip_blanks(value) ? -1 : 0;
    int best = -1, best_weight = 0;
    for (size_t o = 0; o < offer_count; o++) {
        int precision = 0, weight = 0;
        for (size_t r = 0; r < count; r++) {
            int p = precision_of(&ranges[r], offers[o]);
            if (p > precision) {
                precision = p;
                weight = ranges[r].weight;
            }
        }
        if (weight > best_weight) {
            best_weight = weight;
            best = (int)o;
        }
    }
    return best;
}

/* ---- Host, Origin ---- */

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 5 && text[digits] == 0;
}

bool tcsi_field_host_is_loopback(const char *host)
{
    size_t length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (length > strlen(host)) return false;
    span name = { host, length };
    const char *rest = host + length;
    if (*rest && !(*rest == ':' && is_port(rest + 1))) return false;
    if (span_is(name, "localhost") || span_is(name, "[::1]")) return true;
    if (length < 9 || strncmp(host, "127.", 4) != 0) return false; /* 127.0.0.0/8, and no name that begins so */
    int dots = 0;
    for (size_t i = 0; i < length; i++) {
        if (host[i] != '.' && (host[i] < '0' || host[i] > '9')) return false;
        dots += host[i] == '.';
    }
    return dots == 3 && host[length - 1] != '.';
}

bool tcsi_field_origin_is_host(const char *origin, const char *host)
{
    const char *colon = strstr(origin, "://");
    if (!colon || colon == origin) return false; /* "null" too */
    span name = { colon + 3, strlen(colon + 3) };
    return name.size > 0 && span_is(name, host);
}

/* ---- numbers ---- */

bool tcsi_field_number(const char *value, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (!*value) return false;
    for (; *value; value++) {
        if (*value < '0' || *value > '9') return false;
        uint64_t digit = (uint64_t)(*value - '0');
        if (number > (UINT64_MAX - digit) / 10) return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}
