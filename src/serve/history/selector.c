/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history/selector.h"

#include <string.h>

typedef struct reader {
    const char *text;
    size_t size, at;
    tcsi_arena *arena;
    tcsi_selector *selector;
    size_t pattern_count;
    bool has_name;
    tcs_status status;
    tcs_error *err;
} reader;

static void refuse(reader *r, const char *what)
{
    if (r->status == TCS_OK) r->status = tcsi_fail(r->err, TCS_E_INVALID, "query, byte %zu: %s", r->at + 1, what);
}

static void skip_blanks(reader *r)
{
    while (r->at < r->size && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at]) r->at++;
}

static bool has(const reader *r)
{
    return r->status == TCS_OK && r->at < r->size;
}

static bool take(reader *r, const char *token)
{
    const size_t length = strlen(token);
    if (r->status != TCS_OK || r->size - r->at < length || memcmp(r->text + r->at, token, length) != 0) return false;
    r->at += length;
    return true;
}

static bool is_word(char byte, bool is_first, bool with_colon)
{
    const bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' || (with_colon && byte == ':');
    return is_letter || (!is_first && byte >= '0' && byte <= '9');
}

/* NULL: no word is here, or there is no memory. */
static const char *read_word(reader *r, bool with_colon)
{
    const size_t begin = r->at;
    while (has(r) && is_word(r->text[r->at], r->at == begin, with_colon)) r->at++;
    if (r->at == begin) return NULL;
    const char *word = tcsi_arena_strndup(r->arena, r->text + begin, r->at - begin);
    if (!word) r->status = tcsi_fail_memory(r->err, "a query");
    return word;
}

/* ---- texts in quotes ---- */

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static size_t put_utf8(uint32_t code, char *out)
{
    if (code < 0x80) return out[0] = (char)code, 1;
    if (code < 0x800) return out[0] = (char)(0xc0 | code >> 6), out[1] = (char)(0x80 | (code & 63)), 2;
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 63));
    out[2] = (char)(0x80 | (code & 63));
    return 3;
}

/* \n, \", \\, \x41, \u00e9; bytes written. */
static size_t read_escape(reader *r, char *out)
{
    static const char names[] = "abfnrtv\\\"'", bytes[] = "\a\b\f\n\r\t\v\\\"'";
    const char name = has(r) ? r->text[r->at++] : 0;
    const char *known = name ? strchr(names, name) : NULL;
    const size_t digits = name == 'x' ? 2 : name == 'u' ? 4 : 0;
    uint32_t code = 0;
    if (known) return out[0] = bytes[known - names], 1;
    for (size_t i = 0; i < digits; i++) {
        const int digit = has(r) ? hex_digit(r->text[r->at++]) : -1;
        if (digit < 0) refuse(r, "expected a hexadecimal digit");
        code = 16 * code + (uint32_t)(digit < 0 ? 0 : digit);
    }
    const bool is_surrogate = code >= 0xd800 && code < 0xe000, is_half = name == 'x' && code >= 0x80;
    if (digits == 0 || code == 0 || is_surrogate || is_half) refuse(r, "an escape that is not known here");
    return r->status == TCS_OK ? put_utf8(code, out) : 0;
}

static const char *read_text(reader *r, size_t *ret_size)
{
    const char quote = r->text[r->at++];
    char *text = tcsi_arena_alloc(r->arena, r->size - r->at + 4, 1);
    size_t size = 0;
    if (!text) r->status = tcsi_fail_memory(r->err, "a query");
    while (has(r) && r->text[r->at] != quote) {
        const char byte = r->text[r->at++];
        if (byte == 0) refuse(r, "the byte 0");
        else if (byte == '\\' && quote != '`') size += read_escape(r, text + size);
        else text[size++] = byte;
    }
    if (r->status == TCS_OK && r->at == r->size) refuse(r, "a text that is not closed");
    if (r->status != TCS_OK) return NULL;
    r->at++;
    text[size] = 0;
    *ret_size = size;
    return text;
}

static bool is_quote(const reader *r)
{
    return has(r) && (r->text[r->at] == '"' || r->text[r->at] == '\'' || r->text[r->at] == '`');
}

/* ---- matchers ---- */

static void compile(reader *r, tcsi_label_matcher *matcher)
{
    if (++r->pattern_count > TCSI_SELECTOR_PATTERNS_MAX) {
        r->status = tcsi_fail(r->err, TCS_E_LIMIT, "query: more than %d patterns", TCSI_SELECTOR_PATTERNS_MAX);
        return;
    }
    matcher->pattern = tcsi_arena_alloc(r->arena, sizeof *matcher->pattern, _Alignof(tcsi_regex));
    if (!matcher->pattern) r->status = tcsi_fail_memory(r->err, "a query");
    else r->status = tcsi_regex_compile(matcher->pattern, matcher->value, matcher->value_size, r->err);
}

static void add(reader *r, tcsi_label_matcher matcher)
{
    tcsi_selector *selector = r->selector;
    if (r->status != TCS_OK) return;
    if (selector->matcher_count == TCSI_SELECTOR_MATCHERS_MAX) {
        r->status = tcsi_fail(r->err, TCS_E_LIMIT, "query: more than %d matchers", TCSI_SELECTOR_MATCHERS_MAX);
        return;
    }
    if (matcher.kind >= TCSI_MATCH_LABEL_LIKE) compile(r, &matcher);
    if (r->status == TCS_OK) selector->matchers[selector->matcher_count++] = matcher;
}

static void add_name(reader *r, const char *name, size_t size)
{
    if (r->status != TCS_OK) return;
    if (r->has_name) refuse(r, "a second name");
    r->has_name = true;
    add(r, (tcsi_label_matcher){ .kind = TCSI_MATCH_LABEL_IS, .name = TCSI_KEY_METRIC, .value = name, .value_size = size });
}

static bool read_kind(reader *r, tcsi_label_matcher_kind *ret_kind)
{
    static const struct { const char *text; tcsi_label_matcher_kind kind; } kinds[] = {
        { "=~", TCSI_MATCH_LABEL_LIKE }, { "!~", TCSI_MATCH_LABEL_UNLIKE }, { "!=", TCSI_MATCH_LABEL_IS_NOT }, { "=", TCSI_MATCH_LABEL_IS },
    };
    for (size_t i = 0; i < TCS_COUNT(kinds); i++) {
        if (!take(r, kinds[i].text)) continue;
        *ret_kind = kinds[i].kind;
        return true;
    }
    return false;
}

/* label="value", or a name in quotes alone. */
static void read_matcher(reader *r)
{
    tcsi_label_matcher matcher = { 0 };
    size_t name_size = 0;
    const bool is_quoted = is_quote(r);
    matcher.name = is_quoted ? read_text(r, &name_size) : read_word(r, false);
    if (!matcher.name) {
        refuse(r, "expected a label");
        return;
    }
    skip_blanks(r);
    if (!read_kind(r, &matcher.kind)) {
        if (is_quoted) add_name(r, matcher.name, name_size);
        else refuse(r, "expected =, !=, =~ or !~");
        return;
    }
    skip_blanks(r);
    if (!is_quote(r)) {
        refuse(r, "expected a text in quotes");
        return;
    }
    matcher.value = read_text(r, &matcher.value_size);
    add(r, matcher);
}

static void read_matchers(reader *r)
{
    skip_blanks(r);
    while (has(r) && r->text[r->at] != '}') {
        read_matcher(r);
        skip_blanks(r);
        if (!take(r, ",")) break;
        skip_blanks(r);
    }
    if (!take(r, "}")) refuse(r, "expected , or }");
}

static bool allows(const tcsi_label_matcher *matcher, const char *value, size_t size)
{
    if (matcher->pattern) return tcsi_regex_match(matcher->pattern, value, size) == (matcher->kind == TCSI_MATCH_LABEL_LIKE);
    const bool is_same = size == matcher->value_size && (size == 0 || memcmp(value, matcher->value, size) == 0);
    return is_same == (matcher->kind == TCSI_MATCH_LABEL_IS);
}

static void refuse_everything(reader *r)
{
    const tcsi_selector *selector = r->selector;
    for (size_t i = 0; i < selector->matcher_count; i++)
        if (!allows(&selector->matchers[i], "", 0)) return;
    if (r->status == TCS_OK)
        r->status = tcsi_fail(r->err, TCS_E_INVALID, "query: vector selector must contain at least one non-empty matcher");
}

tcs_status tcsi_selector_parse(const char *text, size_t size, tcsi_arena *arena, tcsi_selector *ret_selector, tcs_error *err)
{
    reader r = { .text = text, .size = size, .arena = arena, .selector = ret_selector, .err = err };
    *ret_selector = (tcsi_selector){ .matcher_count = 0 };
    if (size > TCSI_SELECTOR_SIZE_MAX) return tcsi_fail(err, TCS_E_LIMIT, "query: %zu bytes, at most %d", size, TCSI_SELECTOR_SIZE_MAX);
    skip_blanks(&r);
    const char *name = read_word(&r, true);
    if (name) add_name(&r, name, strlen(name));
    skip_blanks(&r);
    if (take(&r, "{")) read_matchers(&r);
    else if (!name) refuse(&r, "expected a name or {");
    skip_blanks(&r);
    if (r.at < r.size) refuse(&r, "expected the end: a query is one selector, NAME{label=\"value\"}; no functions, operators or ranges");
    refuse_everything(&r);
    return r.status;
}

bool tcsi_selector_match(const tcsi_selector *selector, const tcsi_key *key)
{
    for (size_t i = 0; i < selector->matcher_count; i++) {
        const tcsi_label_matcher *matcher = &selector->matchers[i];
        const tcsi_tag *tag = tcsi_key_get(key, matcher->name);
        if (!allows(matcher, tag ? tag->value : "", tag ? tag->value_size : 0)) return false;
    }
    return true;
}

const char *tcsi_selector_metric(const tcsi_selector *selector)
{
    for (size_t i = 0; i < selector->matcher_count; i++)
        if (selector->matchers[i].kind == TCSI_MATCH_LABEL_IS && strcmp(selector->matchers[i].name, TCSI_KEY_METRIC) == 0)
            return selector->matchers[i].value;
    return NULL;
}
