/* series/key.c -- the three forms of a key.
 *
 * Senders nearly always send tags in order already, so that sorting is one comparison a tag (insertion sort; at most 64 tags, 2,016
 * comparisons when hostile), and equal names are then neighbours.  The text form is that of Prometheus 3, whose parser reads what is
 * printed here.  SPDX-License-Identifier: Apache-2.0 */
#include "series/key.h"

#include "base/text.h"

#include <string.h>

enum { SIZE_BYTES = 2 }; /* in front of each name and value */

const char *tcsi_key_fault_text(tcsi_key_fault fault)
{
    static const char *const texts[] = {
#define X(name, text) text,
        TCSI_KEY_FAULT_LIST(X)
#undef X
    };
    return texts[fault];
}

/* ---- tags ---- */

static tcsi_key_fault fail(tcsi_key *key, tcsi_key_fault fault)
{
    if (key->fault == TCSI_KEY_NONE) key->fault = fault;
    return fault;
}

void tcsi_key_begin(tcsi_key *key)
{
    key->tag_count = 0;
    key->size = 0;
    key->fault = TCSI_KEY_NONE;
}

tcsi_key_fault tcsi_key_add(tcsi_key *key, const char *name, size_t name_size, const char *value, size_t value_size)
{
    if (value_size == 0) return TCSI_KEY_NONE;
    if (key->tag_count == TCSI_KEY_TAG_COUNT_MAX) return fail(key, TCSI_KEY_TOO_MANY_TAGS);
    size_t size = key->size + 2 * SIZE_BYTES + name_size + value_size;
    if (name_size > TCSI_KEY_NAME_SIZE_MAX || value_size > TCSI_KEY_VALUE_SIZE_MAX || size > TCSI_KEY_SIZE_MAX)
        return fail(key, TCSI_KEY_TOO_LONG);
    if (name_size == 0 || !tcsi_utf8_is_text(name, name_size) || !tcsi_utf8_is_text(value, value_size)) return fail(key, TCSI_KEY_NO_TEXT);
    key->tags[key->tag_count++] = (tcsi_tag){ name, value, (uint32_t)name_size, (uint32_t)value_size };
    key->size = size;
    return TCSI_KEY_NONE;
}

/* As bytes: below, equal or above zero. */
static int compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order != 0 ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare_names(const tcsi_tag *a, const tcsi_tag *b)
{
    return compare(a->name, a->name_size, b->name, b->name_size);
}

tcsi_key_fault tcsi_key_finish(tcsi_key *key)
{
    if (key->fault != TCSI_KEY_NONE) return key->fault;
    if (key->tag_count == 0) return fail(key, TCSI_KEY_EMPTY);
    for (size_t i = 1; i < key->tag_count; i++) {
        tcsi_tag tag = key->tags[i];
        size_t at = i;
        int order = 1;
        while (at > 0 && (order = compare_names(&key->tags[at - 1], &tag)) > 0) {
            key->tags[at] = key->tags[at - 1];
            at--;
        }
        key->tags[at] = tag;
        if (at > 0 && order == 0) return fail(key, TCSI_KEY_DUPLICATE);
    }
    return TCSI_KEY_NONE;
}

const tcsi_tag *tcsi_key_get(const tcsi_key *key, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < key->tag_count; i++)
        if (key->tags[i].name_size == size && memcmp(key->tags[i].name, name, size) == 0) return &key->tags[i];
    return NULL;
}

tcsi_key_fault tcsi_key_set(tcsi_key *key, const char *name, const char *value, size_t value_size)
{
    if (key->fault != TCSI_KEY_NONE) return key->fault;
    tcsi_tag *tag = (tcsi_tag *)(uintptr_t)tcsi_key_get(key, name); /* one of key's own, which is not const here */
    TCS_ASSERT(tag && value_size > 0);
    size_t size = key->size - tag->value_size + value_size;
    if (value_size > TCSI_KEY_VALUE_SIZE_MAX || size > TCSI_KEY_SIZE_MAX) return TCSI_KEY_TOO_LONG;
    if (!tcsi_utf8_is_text(value, value_size)) return TCSI_KEY_NO_TEXT;
    tag->value = value;
    tag->value_size = (uint32_t)value_size;
    key->size = size;
    return TCSI_KEY_NONE;
}

/* ---- canonical bytes ---- */

static unsigned char *put(unsigned char *at, const char *text, size_t size)
{
    at[0] = (unsigned char)size;
    at[1] = (unsigned char)(size >> 8);
    memcpy(at + SIZE_BYTES, text, size);
    return at + SIZE_BYTES + size;
}

size_t tcsi_key_encode(const tcsi_key *key, unsigned char *ret_bytes)
{
    unsigned char *at = ret_bytes;
    TCS_ASSERT(key->fault == TCSI_KEY_NONE);
    for (size_t i = 0; i < key->tag_count; i++) {
        at = put(at, key->tags[i].name, key->tags[i].name_size);
        at = put(at, key->tags[i].value, key->tags[i].value_size);
    }
    TCS_ASSERT((size_t)(at - ret_bytes) == key->size);
    return key->size;
}

static bool take(const unsigned char **at, const unsigned char *end, const char **ret_text, size_t *ret_size)
{
    if (end - *at < SIZE_BYTES) return false;
    size_t size = (size_t)((*at)[0] | (*at)[1] << 8);
    *at += SIZE_BYTES;
    if ((size_t)(end - *at) < size) return false;
    *ret_text = (const char *)*at;
    *ret_size = size;
    *at += size;
    return true;
}

tcs_status tcsi_key_decode(const void *bytes, size_t size, tcsi_key *ret_key, tcs_error *err)
{
    const unsigned char *at = bytes, *end = at + size;
    const char *name, *value;
    size_t name_size, value_size;
    tcsi_key_begin(ret_key);
    while (at < end) {
        if (!take(&at, end, &name, &name_size) || !take(&at, end, &value, &value_size))
            return tcsi_fail(err, TCS_E_FORMAT, "series key: %zu bytes, the last tag is cut off", size);
        const tcsi_tag *last = ret_key->tag_count > 0 ? &ret_key->tags[ret_key->tag_count - 1] : NULL;
        if (value_size == 0 || (last && compare(last->name, last->name_size, name, name_size) >= 0))
            return tcsi_fail(err, TCS_E_FORMAT, "series key: tag %zu is empty or out of order", ret_key->tag_count);
        if (tcsi_key_add(ret_key, name, name_size, value, value_size) != TCSI_KEY_NONE) break;
    }
    if (tcsi_key_finish(ret_key) == TCSI_KEY_NONE) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "series key: %s", tcsi_key_fault_text(ret_key->fault));
}

tcsi_fingerprint tcsi_key_fingerprint(const tcsi_key *key)
{
    unsigned char bytes[TCSI_KEY_SIZE_MAX];
    return tcsi_fingerprint_of(bytes, tcsi_key_encode(key, bytes), 0);
}

/* ---- text: printing ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Letters, digits and _, in a metric's name also :, not beginning with a digit: how many bytes of text are one. */
static size_t word_size(const char *text, size_t size, bool metric)
{
    size_t at = 0;
    while (at < size && (is_letter(text[at]) || (metric && text[at] == ':') || (at > 0 && text[at] >= '0' && text[at] <= '9'))) at++;
    return at;
}

static tcs_status print_quoted(const char *text, size_t size, tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = tcsi_buffer_append(out, "\"", 1, err);
    size_t begin = 0;
    for (size_t i = 0; i < size && status == TCS_OK; i++) {
        const char *escape = text[i] == '"' ? "\\\"" : text[i] == '\\' ? "\\\\" : text[i] == '\n' ? "\\n" : NULL;
        if (!escape) continue;
        status = tcsi_buffer_append(out, text + begin, i - begin, err);
        if (status == TCS_OK) status = tcsi_buffer_append(out, escape, 2, err);
        begin = i + 1;
    }
    if (status == TCS_OK) status = tcsi_buffer_append(out, text + begin, size - begin, err);
    return status == TCS_OK ? tcsi_buffer_append(out, "\"", 1, err) : status;
}

static tcs_status print_name(const char *text, size_t size, bool metric, tcsi_buffer *out, tcs_error *err)
{
    return word_size(text, size, metric) == size ? tcsi_buffer_append(out, text, size, err) : print_quoted(text, size, out, err);
}

tcs_status tcsi_key_print(const tcsi_key *key, tcsi_buffer *out, tcs_error *err)
{
    const tcsi_tag *metric = tcsi_key_get(key, TCSI_KEY_METRIC);
    bool outside = metric && word_size(metric->value, metric->value_size, true) == metric->value_size;
    bool any = false; /* something stands between the braces */
    tcs_status status = outside ? tcsi_buffer_append(out, metric->value, metric->value_size, err) : TCS_OK;
    if (metric && !outside) {
        status = tcsi_buffer_append(out, "{", 1, err);
        if (status == TCS_OK) status = print_quoted(metric->value, metric->value_size, out, err);
        any = true;
    }
    for (size_t i = 0; i < key->tag_count && status == TCS_OK; i++) {
        const tcsi_tag *tag = &key->tags[i];
        if (tag == metric) continue;
        status = tcsi_buffer_append(out, any ? "," : "{", 1, err);
        if (status == TCS_OK) status = print_name(tag->name, tag->name_size, false, out, err);
        if (status == TCS_OK) status = tcsi_buffer_append(out, "=", 1, err);
        if (status == TCS_OK) status = print_quoted(tag->value, tag->value_size, out, err);
        any = true;
    }
    return any && status == TCS_OK ? tcsi_buffer_append(out, "}", 1, err) : status;
}

/* ---- text: parsing ---- */

typedef struct parser {
    const char *begin, *at, *end;
    tcsi_arena *arena;
    tcs_error *err;
} parser;

static tcs_status refuse(const parser *p, const char *expected)
{
    return tcsi_fail(p->err, TCS_E_FORMAT, "series key: byte %zu: expected %s", (size_t)(p->at - p->begin), expected);
}

static void skip_blanks(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t')) p->at++;
}

static bool at_byte(const parser *p, char c)
{
    return p->at < p->end && *p->at == c;
}

static tcs_status parse_escapes(parser *p, const char *close, const char **ret_text, size_t *ret_size)
{
    static const char escapes[] = "\\\\\"\"''n\nt\tr\r"; /* pairs: as written, what it means */
    char *out = tcsi_arena_alloc(p->arena, (size_t)(close - p->at), 1);
    size_t size = 0;
    if (!out) return tcsi_fail_memory(p->err, "a series key");
    while (p->at < close) {
        if (*p->at != '\\') {
            out[size++] = *p->at++;
            continue;
        }
        p->at++;
        size_t i = 0;
        while (escapes[i] && escapes[i] != *p->at) i += 2;
        if (!escapes[i]) return refuse(p, "one of \\\\ \\\" \\' \\n \\t \\r");
        out[size++] = escapes[i + 1];
        p->at++;
    }
    *ret_text = out;
    *ret_size = size;
    return TCS_OK;
}

/* At the opening quote. */
static tcs_status parse_quoted(parser *p, const char **ret_text, size_t *ret_size)
{
    const char *close = ++p->at;
    bool escaped = false;
    while (close < p->end && *close != '"') {
        bool pair = *close == '\\' && close + 1 < p->end;
        escaped |= *close == '\\';
        close += pair ? 2 : 1;
    }
    if (close >= p->end) {
        p->at = p->end;
        return refuse(p, "a closing quote");
    }
    tcs_status status = TCS_OK;
    *ret_text = p->at;
    *ret_size = (size_t)(close - p->at);
    if (escaped) status = parse_escapes(p, close, ret_text, ret_size);
    if (status == TCS_OK) p->at = close + 1;
    return status;
}

/* A word, or anything in quotes. */
static tcs_status parse_name(parser *p, bool metric, const char **ret_text, size_t *ret_size)
{
    if (at_byte(p, '"')) return parse_quoted(p, ret_text, ret_size);
    *ret_text = p->at;
    *ret_size = word_size(p->at, (size_t)(p->end - p->at), metric);
    if (*ret_size == 0) return refuse(p, metric ? "a name or {" : "a tag's name, in quotes when it is no plain word, or }");
    p->at += *ret_size;
    return TCS_OK;
}

static tcs_status add(parser *p, tcsi_key *key, const char *name, size_t name_size, const char *value, size_t value_size)
{
    tcsi_key_fault fault = tcsi_key_add(key, name, name_size, value, value_size);
    if (fault == TCSI_KEY_NONE) return TCS_OK;
    return tcsi_fail(p->err, TCS_E_FORMAT, "series key: before byte %zu: %s", (size_t)(p->at - p->begin), tcsi_key_fault_text(fault));
}

/* name="value", or the metric's name in quotes. */
static tcs_status parse_tag(parser *p, tcsi_key *key)
{
    const char *name, *value;
    size_t name_size, value_size;
    bool quoted = at_byte(p, '"');
    tcs_status status = parse_name(p, false, &name, &name_size);
    if (status != TCS_OK) return status;
    skip_blanks(p);
    if (quoted && !at_byte(p, '=')) return add(p, key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), name, name_size);
    if (!at_byte(p, '=')) return refuse(p, "=");
    p->at++;
    skip_blanks(p);
    if (!at_byte(p, '"')) return refuse(p, "a value in double quotes");
    status = parse_quoted(p, &value, &value_size);
    return status == TCS_OK ? add(p, key, name, name_size, value, value_size) : status;
}

/* After the opening brace. */
static tcs_status parse_tags(parser *p, tcsi_key *key)
{
    skip_blanks(p);
    while (!at_byte(p, '}')) {
        tcs_status status = parse_tag(p, key);
        if (status != TCS_OK) return status;
        skip_blanks(p);
        if (at_byte(p, '}')) break;
        if (!at_byte(p, ',')) return refuse(p, "a comma or }");
        p->at++;
        skip_blanks(p);
    }
    p->at++;
    return TCS_OK;
}

tcs_status tcsi_key_parse(const char *text, size_t size, tcsi_arena *arena, tcsi_key *ret_key, tcs_error *err)
{
    parser p = { text, text, text + size, arena, err };
    const char *name;
    size_t name_size;
    tcs_status status = TCS_OK;
    tcsi_key_begin(ret_key);
    skip_blanks(&p);
    if (!at_byte(&p, '{')) {
        if (at_byte(&p, '"')) return refuse(&p, "a name or {");
        status = parse_name(&p, true, &name, &name_size);
        if (status == TCS_OK) status = add(&p, ret_key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), name, name_size);
        skip_blanks(&p);
    }
    if (status == TCS_OK && at_byte(&p, '{')) {
        p.at++;
        status = parse_tags(&p, ret_key);
    }
    if (status != TCS_OK) return status;
    skip_blanks(&p);
    if (p.at < p.end) return refuse(&p, "the end of the key");
    if (tcsi_key_finish(ret_key) == TCSI_KEY_NONE) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "series key: %s", tcsi_key_fault_text(ret_key->fault));
}
