/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- writer ---- */

static void put(tcsi_json_writer *writer, const char *bytes, size_t size)
{
    if (writer->status == TCS_OK) writer->status = tcsi_buffer_append(writer->out, bytes, size, NULL);
}

static void put_line(tcsi_json_writer *writer)
{
    if (!writer->pretty) return;
    put(writer, "\n", 1);
    for (int i = 0; i < writer->depth; i++) put(writer, "  ", 2);
}

/* Whatever must stand before a value at this place. */
static void before_value(tcsi_json_writer *writer)
{
    if (writer->depth == 0) {
        TCS_ASSERT(!writer->has_items[0]);
        writer->has_items[0] = true;
        return;
    }
    if (writer->kind[writer->depth - 1] == '{') {
        TCS_ASSERT(writer->after_key);
        writer->after_key = false;
        return;
    }
    bool *has_items = &writer->has_items[writer->depth];
    if (*has_items) put(writer, ",", 1);
    *has_items = true;
    put_line(writer);
}

static void begin(tcsi_json_writer *writer, char kind)
{
    before_value(writer);
    TCS_ASSERT(writer->depth + 1 < TCSI_JSON_DEPTH_MAX);
    put(writer, &kind, 1);
    writer->kind[writer->depth++] = kind;
    writer->has_items[writer->depth] = false;
}

static void end(tcsi_json_writer *writer, char kind, const char *close)
{
    TCS_ASSERT(writer->depth > 0 && writer->kind[writer->depth - 1] == kind && !writer->after_key);
    bool has_items = writer->has_items[writer->depth];
    writer->depth--;
    if (has_items) put_line(writer);
    put(writer, close, 1);
}

/* Printable ASCII that stands for itself. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\' && c != '<';
}

static void put_quoted(tcsi_json_writer *writer, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strlen(text);
    put(writer, "\"", 1);
    while (left > 0) {
        size_t length = 0;
        char escaped[8];
        while (length < left && is_plain(at[length])) length++;
        if (length > 0) {
            put(writer, (const char *)at, length);
            at += length;
            left -= length;
            continue;
        }
        length = tcsi_utf8_length(at, left);
        if (length == 0) {
            put(writer, "\xEF\xBF\xBD", 3);
            length = 1;
        } else if (*at == '"' || *at == '\\') {
            escaped[0] = '\\';
            escaped[1] = (char)*at;
            put(writer, escaped, 2);
        } else if (*at < 0x20 || *at == '<') { /* '<' too, so that a document can stand inside an HTML script element */
            put(writer, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", *at));
        } else {
            put(writer, (const char *)at, length);
        }
        at += length;
        left -= length;
    }
    put(writer, "\"", 1);
}

void tcsi_json_writer_init(tcsi_json_writer *writer, tcsi_buffer *out, bool pretty)
{
    *writer = (tcsi_json_writer){ .out = out, .pretty = pretty };
}

void tcsi_json_begin_object(tcsi_json_writer *writer) { begin(writer, '{'); }
void tcsi_json_end_object(tcsi_json_writer *writer) { end(writer, '{', "}"); }
void tcsi_json_begin_array(tcsi_json_writer *writer) { begin(writer, '['); }
void tcsi_json_end_array(tcsi_json_writer *writer) { end(writer, '[', "]"); }

void tcsi_json_key(tcsi_json_writer *writer, const char *key)
{
    TCS_ASSERT(writer->depth > 0 && writer->kind[writer->depth - 1] == '{' && !writer->after_key);
    if (writer->has_items[writer->depth]) put(writer, ",", 1);
    writer->has_items[writer->depth] = true;
    put_line(writer);
    put_quoted(writer, key);
    put(writer, writer->pretty ? ": " : ":", writer->pretty ? 2 : 1);
    writer->after_key = true;
}

void tcsi_json_string(tcsi_json_writer *writer, const char *text)
{
    before_value(writer);
    if (text) put_quoted(writer, text);
    else put(writer, "null", 4);
}

void tcsi_json_number(tcsi_json_writer *writer, double value)
{
    char text[TCSI_NUMBER_TEXT_SIZE];
    if (!isfinite(value)) {
        tcsi_json_null(writer);
        return;
    }
    before_value(writer);
    put(writer, text, tcsi_number_format(value, text));
}

void tcsi_json_integer(tcsi_json_writer *writer, int64_t value)
{
    char text[TCSI_NUMBER_TEXT_SIZE];
    before_value(writer);
    put(writer, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)value));
}

void tcsi_json_bool(tcsi_json_writer *writer, bool value)
{
    before_value(writer);
    put(writer, value ? "true" : "false", value ? 4 : 5);
}

void tcsi_json_raw(tcsi_json_writer *writer, const char *text)
{
    before_value(writer);
    put(writer, text, strlen(text));
}

void tcsi_json_null(tcsi_json_writer *writer)
{
    before_value(writer);
    put(writer, "null", 4);
}

void tcsi_json_put_string(tcsi_json_writer *writer, const char *key, const char *text)
{
    tcsi_json_key(writer, key);
    tcsi_json_string(writer, text);
}

void tcsi_json_put_number(tcsi_json_writer *writer, const char *key, double value)
{
    tcsi_json_key(writer, key);
    tcsi_json_number(writer, value);
}

void tcsi_json_put_integer(tcsi_json_writer *writer, const char *key, int64_t value)
{
    tcsi_json_key(writer, key);
    tcsi_json_integer(writer, value);
}

void tcsi_json_put_bool(tcsi_json_writer *writer, const char *key, bool value)
{
    tcsi_json_key(writer, key);
    tcsi_json_bool(writer, value);
}

tcs_status tcsi_json_finish(tcsi_json_writer *writer, tcs_error *err)
{
    TCS_ASSERT(writer->depth == 0 && !writer->after_key);
    if (writer->status == TCS_OK) return TCS_OK;
    return tcsi_fail(err, writer->status, "the JSON document could not be built: %s", tcsi_status_text(writer->status));
}

/* ---- reader ---- */

typedef struct parser {
    const char *start, *at, *end;
    tcsi_arena *arena;
    tcs_error *err;
} parser;

static tcs_status refuse(const parser *p, const char *expected)
{
    size_t line = 1, column = 1;
    for (const char *c = p->start; c < p->at; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    if (p->at >= p->end)
        return tcsi_fail(p->err, TCS_E_FORMAT, "JSON line %zu column %zu: ends where %s was expected", line, column, expected);
    return tcsi_fail(p->err, TCS_E_FORMAT, "JSON line %zu column %zu: expected %s", line, column, expected);
}

static void skip_space(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')) p->at++;
}

static bool parse_hex4(parser *p, unsigned *ret)
{
    if (p->end - p->at < 4) return false;
    *ret = 0;
    for (int i = 0; i < 4; i++) {
        char c = p->at[i];
        unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) : 16u;
        if (digit > 15) return false;
        *ret = *ret * 16 + digit;
    }
    p->at += 4;
    return true;
}

static size_t utf8_encode(unsigned code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static tcs_status parse_escape(parser *p, char *out, size_t *out_size)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (p->at >= p->end) return refuse(p, "an escape");
    const char *found = *p->at ? strchr(letters, *p->at) : NULL;
    if (found) {
        out[(*out_size)++] = meanings[found - letters];
        p->at++;
        return TCS_OK;
    }
    if (*p->at != 'u') return refuse(p, "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u");
    p->at++;
    unsigned code, low;
    if (!parse_hex4(p, &code)) return refuse(p, "four hexadecimal digits");
    if (code >= 0xDC00 && code < 0xE000) return refuse(p, "a high surrogate before a low one");
    if (code >= 0xD800 && code < 0xDC00) {
        if (p->end - p->at < 2 || p->at[0] != '\\' || p->at[1] != 'u') return refuse(p, "a low surrogate");
        p->at += 2;
        if (!parse_hex4(p, &low) || low < 0xDC00 || low >= 0xE000) return refuse(p, "a low surrogate");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *out_size += utf8_encode(code, out + *out_size);
    return TCS_OK;
}

/* Is any of eight bytes no plain character: above ASCII, a control character, quote or backslash?  Each subtraction borrows from the
 * highest bit of the byte that it looks for; what is borrowed further on only follows a hit. */
static bool needs_look(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quotes = (eight ^ ones * '"') - ones, backslashes = (eight ^ ones * '\\') - ones;
    return ((eight | (eight - ones * 0x20) | quotes | backslashes) & ones * 0x80) != 0;
}

/* Plain characters at text, copied as they are. */
static size_t plain_size(const char *text, const char *end)
{
    const char *at = text;
    uint64_t eight;
    while (end - at >= 8 && (memcpy(&eight, at, 8), !needs_look(eight))) at += 8;
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\') at++;
    return (size_t)(at - text);
}

static tcs_status parse_string(parser *p, const char **ret_text, uint32_t *ret_size)
{
    const char *close = p->at + 1 + plain_size(p->at + 1, p->end);
    while (close < p->end && *close != '"') close += *close == '\\' && close + 1 < p->end ? 2 : 1;
    if (close >= p->end) {
        p->at = p->end;
        return refuse(p, "a closing quote");
    }
    char *out = tcsi_arena_alloc(p->arena, (size_t)(close - p->at), 1); /* decoding never grows the text */
    if (!out) return tcsi_fail_memory(p->err, "a JSON string");
    size_t size = 0;
    p->at++;
    while (*p->at != '"') {
        if (*p->at == '\\') {
            p->at++;
            tcs_status status = parse_escape(p, out, &size);
            if (status != TCS_OK) return status;
            continue;
        }
        size_t length = plain_size(p->at, close);
        if (length == 0) length = tcsi_utf8_length((const unsigned char *)p->at, (size_t)(p->end - p->at));
        if (length == 0 || (unsigned char)*p->at < 0x20) return refuse(p, "a UTF-8 character that is no control character");
        memcpy(out + size, p->at, length);
        size += length;
        p->at += length;
    }
    p->at++;
    out[size] = 0;
    *ret_text = out;
    *ret_size = (uint32_t)size;
    return TCS_OK;
}

static size_t count_digits(const parser *p, const char *at)
{
    size_t count = 0;
    while (at + count < p->end && at[count] >= '0' && at[count] <= '9') count++;
    return count;
}

static tcs_status parse_number(parser *p, tcsi_json_value *value)
{
    const char *begin = p->at, *at = p->at;
    if (at < p->end && *at == '-') at++;
    size_t digits = count_digits(p, at);
    if (digits == 0 || (digits > 1 && *at == '0')) return refuse(p, "a value");
    at += digits;
    if (at < p->end && *at == '.') {
        at++;
        digits = count_digits(p, at);
        p->at = at;
        if (digits == 0) return refuse(p, "a digit after the decimal point");
        at += digits;
    }
    if (at < p->end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < p->end && (*at == '+' || *at == '-')) at++;
        digits = count_digits(p, at);
        p->at = at;
        if (digits == 0) return refuse(p, "a digit in the exponent");
        at += digits;
    }
    p->at = at;
    value->type = TCSI_JSON_NUMBER;
    value->text_size = (uint32_t)(at - begin);
    value->text = tcsi_arena_strndup(p->arena, begin, value->text_size);
    if (!value->text) return tcsi_fail_memory(p->err, "a JSON number");
    value->number = strtod(value->text, NULL);
    return TCS_OK;
}

static tcs_status parse_value(parser *p, int depth, tcsi_json_value *value);

/* Items are collected in doubling blocks of the arena: at most twice the memory of the final array. */
static tcs_status add_item(parser *p, tcsi_json_value **items, size_t count, size_t *capacity)
{
    if (count < *capacity) return TCS_OK;
    size_t larger = *capacity ? *capacity * 2 : 4;
    tcsi_json_value *moved = TCSI_ARENA_NEW(p->arena, tcsi_json_value, larger);
    if (!moved) return tcsi_fail_memory(p->err, "a JSON document");
    if (count) memcpy(moved, *items, count * sizeof *moved);
    *items = moved;
    *capacity = larger;
    return TCS_OK;
}

static tcs_status parse_container(parser *p, int depth, tcsi_json_value *value)
{
    bool object = *p->at == '{';
    char close = object ? '}' : ']';
    if (depth >= TCSI_JSON_DEPTH_MAX) return refuse(p, "at most 64 levels of nesting");
    tcsi_json_value *items = NULL;
    size_t count = 0, capacity = 0;
    p->at++;
    skip_space(p);
    while (p->at < p->end && (count > 0 || *p->at != close)) {
        tcs_status status = add_item(p, &items, count, &capacity);
        if (status != TCS_OK) return status;
        tcsi_json_value item = { 0 };
        const char *key = NULL;
        uint32_t key_size = 0;
        if (object) {
            if (p->at >= p->end || *p->at != '"') return refuse(p, "a key in quotes");
            status = parse_string(p, &key, &key_size);
            if (status != TCS_OK) return status;
            skip_space(p);
            if (p->at >= p->end || *p->at != ':') return refuse(p, "a colon");
            p->at++;
        }
        status = parse_value(p, depth + 1, &item);
        if (status != TCS_OK) return status;
        item.key = key;
        item.key_size = key_size;
        items[count++] = item;
        skip_space(p);
        if (p->at >= p->end || *p->at != ',') break;
        p->at++;
        skip_space(p);
    }
    if (p->at >= p->end || *p->at != close) return refuse(p, object ? "a comma or }" : "a comma or ]");
    p->at++;
    *value = (tcsi_json_value){ .type = object ? TCSI_JSON_OBJECT : TCSI_JSON_ARRAY, .item_count = (uint32_t)count, .items = items };
    return TCS_OK;
}

static bool take_word(parser *p, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(p->end - p->at) < size || memcmp(p->at, word, size) != 0) return false;
    p->at += size;
    return true;
}

static tcs_status parse_value(parser *p, int depth, tcsi_json_value *value)
{
    skip_space(p);
    if (p->at >= p->end) return refuse(p, "a value");
    switch (*p->at) {
    case '{':
    case '[': return parse_container(p, depth, value);
    case '"': value->type = TCSI_JSON_STRING; return parse_string(p, &value->text, &value->text_size);
    case 'n': value->type = TCSI_JSON_NULL; return take_word(p, "null") ? TCS_OK : refuse(p, "a value");
    case 't': value->type = TCSI_JSON_TRUE; return take_word(p, "true") ? TCS_OK : refuse(p, "a value");
    case 'f': value->type = TCSI_JSON_FALSE; return take_word(p, "false") ? TCS_OK : refuse(p, "a value");
    default: return parse_number(p, value);
    }
}

tcs_status tcsi_json_parse(const char *text, size_t size, tcsi_arena *arena, const tcsi_json_value **ret_root, tcs_error *err)
{
    if (size > UINT32_MAX) return tcsi_fail(err, TCS_E_LIMIT, "a JSON document of %zu bytes, expected less than 4 GiB", size);
    parser p = { text, text, text + size, arena, err };
    tcsi_json_value *root = TCSI_ARENA_NEW(arena, tcsi_json_value, 1);
    if (!root) return tcsi_fail_memory(err, "a JSON document");
    *root = (tcsi_json_value){ 0 };
    tcs_status status = parse_value(&p, 0, root);
    if (status != TCS_OK) return status;
    skip_space(&p);
    if (p.at < p.end) return refuse(&p, "nothing after the document");
    *ret_root = root;
    return TCS_OK;
}

const tcsi_json_value *tcsi_json_get(const tcsi_json_value *object, const char *key)
{
    if (!object || object->type != TCSI_JSON_OBJECT) return NULL;
    for (size_t i = 0; i < object->item_count; i++)
        if (strcmp(object->items[i].key, key) == 0) return &object->items[i];
    return NULL;
}

const char *tcsi_json_text_of(const tcsi_json_value *object, const char *key)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && value->type == TCSI_JSON_STRING ? value->text : "";
}

double tcsi_json_number_of(const tcsi_json_value *object, const char *key, double fallback)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    return value && value->type == TCSI_JSON_NUMBER ? value->number : fallback;
}
