/* serve/ingest/line_protocol.c -- InfluxDB's line protocol (https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/).
 *
 *     measurement[,tag=value]... field=value[,field=value]... [time]
 *
 * Each numeric field is a series: its metric is measurement_field, and the measurement alone when the field is called `value`, which is
 * how Telegraf names the same data for Prometheus.  Tags stay as they are.  Numbers may be 1, 1.5, 1e3, 1i, 1u; booleans are 1 and 0; text
 * is passed over and counted.  In measurements a backslash escapes comma and space, in tags and names of fields = as well, in quoted text
 * quote and backslash; anywhere else it is a backslash.
 *
 * A line is taken whole or not at all, and a bad line takes no other with it: as InfluxDB 1 and 3 do, and unlike 2, which refuses the
 * request.  All fields of a line are added as they are met; the time, which stands at the end, is put in when it is known, and a line that
 * turns out bad is undone.  Cost: one pass over the text, one key a line, one encoding of it a field.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/line_protocol.h"

#include "base/text.h"
#include "io/number.h"

#include <math.h>
#include <string.h>

typedef struct slice {
    const char *text;
    size_t size;
} slice;

typedef struct parser {
    const char *at, *end;
    const char *line_begin;
    size_t line;
    int64_t unit_ns, receive_ns;
    tcsi_batch *batch;
    tcs_error *err;
    const char *expected; /* set when the line is bad */
    bool no_memory;       /* and then this may be why */
} parser;

static bool at_byte(const parser *p, char c)
{
    return p->at < p->end && *p->at == c;
}

static bool at_line_end(const parser *p)
{
    return p->at == p->end || *p->at == '\n' || (*p->at == '\r' && (p->end - p->at == 1 || p->at[1] == '\n'));
}

/* What a byte means: it ends a measurement, ends a word of tags and fields, or needs a closer look in either.  The bytes that end a word
 * are those that a backslash escapes in it. */
enum { ENDS_MEASUREMENT = 1, ENDS_WORD = 2, LOOK = 4 };

static const unsigned char meanings[256] = {
    [','] = ENDS_MEASUREMENT | ENDS_WORD, [' '] = ENDS_MEASUREMENT | ENDS_WORD, ['='] = ENDS_WORD,
    ['\\'] = LOOK, ['\n'] = LOOK, ['\r'] = LOOK,
};

static bool means(char c, int meaning)
{
    return meanings[(unsigned char)c] & meaning;
}

static bool refuse(parser *p, const char *expected)
{
    p->expected = expected;
    return false;
}

/* ---- words ---- */

/* text without the backslashes in front of a byte that would end it. */
static bool unescape(parser *p, slice *word, int ends)
{
    char *out = tcsi_arena_alloc(&p->batch->arena, word->size, 1);
    size_t size = 0;
    if (!out) return false;
    for (size_t i = 0; i < word->size; i++) {
        bool escape = word->text[i] == '\\' && i + 1 < word->size && means(word->text[i + 1], ends);
        if (escape) i++;
        out[size++] = word->text[i];
    }
    *word = (slice){ out, size };
    return true;
}

/* Up to a byte that ends it and that no backslash escapes, or the end of the line. */
static bool take_word(parser *p, int ends, const char *what, slice *ret_word)
{
    const char *begin = p->at;
    bool escaped = false;
    while (p->at < p->end && !means(*p->at, ends)) {
        if (means(*p->at, LOOK) && at_line_end(p)) break;
        bool pair = *p->at == '\\' && p->end - p->at > 1 && means(p->at[1], ends);
        escaped |= pair;
        p->at += pair ? 2 : 1;
    }
    *ret_word = (slice){ begin, (size_t)(p->at - begin) };
    if (ret_word->size == 0) return refuse(p, what);
    if (!escaped || unescape(p, ret_word, ends)) return true;
    p->no_memory = true;
    return refuse(p, "memory");
}

static bool take_tags(parser *p, tcsi_key *key)
{
    slice name, value;
    while (at_byte(p, ',')) {
        p->at++;
        if (!take_word(p, ENDS_WORD, "the name of a tag", &name)) return false;
        if (!at_byte(p, '=')) return refuse(p, "= and the value of the tag");
        p->at++;
        if (!take_word(p, ENDS_WORD, "the value of the tag", &value)) return false;
        if (at_byte(p, '=')) return refuse(p, "a comma or a blank behind the value, = is written \\=");
        (void)tcsi_key_add(key, name.text, name.size, value.text, value.size); /* the key remembers its fault */
    }
    return true;
}

/* ---- fields ---- */

typedef enum field_kind { FIELD_NUMBER, FIELD_TEXT } field_kind;

/* Quoted text may go on over several lines. */
static bool skip_text(parser *p)
{
    for (p->at++; p->at < p->end && *p->at != '"'; p->at++) {
        if (*p->at == '\\' && p->end - p->at > 1) p->at++;
        p->line += *p->at == '\n';
    }
    if (p->at == p->end) return refuse(p, "a closing quote");
    p->at++;
    return true;
}

static bool is_word(slice word, const char *const *words, size_t word_count)
{
    for (size_t i = 0; i < word_count; i++)
        if (strlen(words[i]) == word.size && memcmp(words[i], word.text, word.size) == 0) return true;
    return false;
}

/* 12i, 12u: digits only, within 64 bits. */
static bool read_integer(slice word, double *ret_value)
{
    int64_t value;
    bool is_unsigned = word.text[word.size - 1] == 'u';
    if (tcsi_int64_parse(word.text, word.size - 1, &value)) {
        *ret_value = (double)value;
        return !is_unsigned || word.text[0] != '-';
    }
    for (size_t i = 0; i + 1 < word.size; i++)
        if (word.text[i] < '0' || word.text[i] > '9') return false;
    static const char largest[] = "18446744073709551615";
    size_t size = word.size - 1;
    bool fits = size < sizeof largest - 1 || (size == sizeof largest - 1 && memcmp(word.text, largest, size) <= 0);
    return is_unsigned && fits && tcsi_number_parse(word.text, size, '.', ret_value);
}

static bool read_value(slice word, double *ret_value)
{
    static const char *const yes[] = { "t", "T", "true", "True", "TRUE" }, *const no[] = { "f", "F", "false", "False", "FALSE" };
    char last = word.text[word.size - 1];
    if (last == 'i' || last == 'u') return word.size > 1 && read_integer(word, ret_value);
    if (tcsi_number_parse(word.text, word.size, '.', ret_value)) return isfinite(*ret_value);
    *ret_value = is_word(word, yes, TCS_COUNT(yes));
    return *ret_value == 1 || is_word(word, no, TCS_COUNT(no));
}

static bool take_value(parser *p, field_kind *ret_kind, double *ret_value)
{
    *ret_kind = FIELD_TEXT;
    if (at_byte(p, '"')) return skip_text(p);
    *ret_kind = FIELD_NUMBER;
    const char *begin = p->at;
    while (!at_line_end(p) && *p->at != ',' && *p->at != ' ') p->at++;
    slice word = { begin, (size_t)(p->at - begin) };
    if (word.size > 0 && read_value(word, ret_value)) return true;
    p->at = begin;
    return refuse(p, "a number, a boolean, or text in double quotes");
}

/* measurement_field; measurement when the field is called value. */
static bool name_of(parser *p, slice measurement, slice field, slice *ret_name)
{
    *ret_name = measurement;
    if (field.size == 5 && memcmp(field.text, "value", 5) == 0) return true;
    char *name = tcsi_arena_alloc(&p->batch->arena, measurement.size + 1 + field.size, 1);
    if (!name) return false;
    memcpy(name, measurement.text, measurement.size);
    name[measurement.size] = '_';
    memcpy(name + measurement.size + 1, field.text, field.size);
    *ret_name = (slice){ name, measurement.size + 1 + field.size };
    return true;
}

/* One more field of the line; its time is not known yet. */
static tcs_status take_field(parser *p, tcsi_key *key, slice measurement)
{
    slice field, name;
    field_kind kind;
    double value = 0;
    if (!take_word(p, ENDS_WORD, "the name of a field", &field)) return TCS_OK;
    if (!at_byte(p, '=')) {
        (void)refuse(p, "= and the value of the field");
        return TCS_OK;
    }
    p->at++;
    if (!take_value(p, &kind, &value)) return TCS_OK;
    if (kind == FIELD_TEXT) {
        p->batch->outcomes[TCSI_OUTCOME_TEXT]++;
        return TCS_OK;
    }
    if (!name_of(p, measurement, field, &name)) return tcsi_batch_full(&p->batch->arena, "names of series", p->err);
    if (tcsi_batch_refuses(p->batch, tcsi_key_set(key, TCSI_KEY_METRIC, name.text, name.size))) return TCS_OK;
    return tcsi_batch_point(p->batch, key, TCSI_SERIES_UNSTATED, 0, value, p->err);
}

static tcs_status take_fields(parser *p, tcsi_key *key, slice measurement)
{
    if (!at_byte(p, ' ')) (void)refuse(p, "a blank and fields");
    while (at_byte(p, ' ')) p->at++;
    tcs_status status = p->expected ? TCS_OK : take_field(p, key, measurement);
    while (status == TCS_OK && !p->expected && at_byte(p, ',')) {
        p->at++;
        status = take_field(p, key, measurement);
    }
    return status;
}

/* ---- lines ---- */

/* The time of all samples since mark; what is no possible time is an outcome of each. */
static bool take_time(parser *p, const tcsi_batch_mark *mark)
{
    int64_t stamp, time_ns = p->receive_ns;
    bool possible = true;
    while (at_byte(p, ' ')) p->at++;
    const char *begin = p->at;
    while (!at_line_end(p) && *p->at != ' ') p->at++;
    if (p->at > begin) {
        if (!tcsi_int64_parse(begin, (size_t)(p->at - begin), &stamp)) {
            p->at = begin;
            return refuse(p, "a time in whole numbers");
        }
        possible = stamp <= INT64_MAX / p->unit_ns && stamp >= -(INT64_MAX / p->unit_ns);
        time_ns = possible ? stamp * p->unit_ns : 0;
    }
    while (at_byte(p, ' ')) p->at++;
    if (!at_line_end(p)) return refuse(p, "the end of the line");
    for (size_t i = mark->sample_count; i < p->batch->sample_count; i++) p->batch->times_ns[i] = time_ns;
    if (possible) return true;
    size_t count = p->batch->sample_count - mark->sample_count;
    p->batch->series_count = mark->series_count; /* what else became of the line's fields stays counted */
    p->batch->sample_count = mark->sample_count;
    p->batch->outcomes[TCSI_OUTCOME_ACCEPTED] -= count;
    p->batch->outcomes[TCSI_OUTCOME_TIME_INVALID] += count;
    if (count > 0)
        tcsi_batch_complain(p->batch, "line %zu: the time is outside 1677 .. 2262; is the precision right?", p->line);
    return true;
}

static tcs_status take_line(parser *p)
{
    const tcsi_batch_mark mark = tcsi_batch_mark_of(p->batch);
    const size_t line = p->line;
    tcsi_key key;
    slice measurement;
    tcs_status status = TCS_OK;
    p->expected = NULL;
    p->line_begin = p->at;
    tcsi_key_begin(&key);
    bool good = take_word(p, ENDS_MEASUREMENT, "a measurement", &measurement);
    if (good) (void)tcsi_key_add(&key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), measurement.text, measurement.size);
    good = good && take_tags(p, &key);
    (void)tcsi_key_finish(&key);
    if (good) status = take_fields(p, &key, measurement);
    if (status == TCS_OK && good && !p->expected) (void)take_time(p, &mark);
    if (p->no_memory) return tcsi_batch_full(&p->batch->arena, "names of series", p->err);
    if (status != TCS_OK || !p->expected) return status;
    tcsi_batch_undo(p->batch, &mark);
    p->batch->outcomes[TCSI_OUTCOME_MALFORMED]++;
    tcsi_batch_complain(p->batch, "line %zu, byte %zu: expected %s", line, (size_t)(p->at - p->line_begin), p->expected);
    return TCS_OK;
}

static void skip_line(parser *p)
{
    const char *newline = memchr(p->at, '\n', (size_t)(p->end - p->at));
    p->at = newline ? newline + 1 : p->end;
    p->line++;
}

tcs_status tcsi_line_protocol(const char *text, size_t size, int64_t unit_ns, int64_t receive_ns, tcsi_batch *batch, tcs_error *err)
{
    parser p = { .at = text, .end = text + size, .line = 1, .unit_ns = unit_ns, .receive_ns = receive_ns, .batch = batch, .err = err };
    tcs_status status = TCS_OK;
    while (status == TCS_OK && p.at < p.end) {
        while (at_byte(&p, ' ') || at_byte(&p, '\t')) p.at++;
        if (!at_line_end(&p) && *p.at != '#') status = take_line(&p);
        if (status == TCS_OK && p.at < p.end) skip_line(&p);
    }
    return status;
}
