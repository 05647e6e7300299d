/* serve/ingest/ndjson.c -- rows as JSON, in two forms that may be mixed line by line.
 *
 *     {"series": {"name": "cpu", "host": "a"}, "time": "2026-01-05T00:00:00Z", "value": 0.5}       one sample
 *     {"series": "cpu{host=\"a\"}", "time": 1767571200, "value": 0.5}                              the same, in the text form of keys
 *     {"time": 1767571200, "host": "a", "cpu": 0.5, "memory": {"used": 3}, "ok": true}             a row: a series for each number
 *
 * In a row text is a tag, numbers are values, and nested objects and arrays are flattened to a.b and a.0 as in files (src/io/ndjson.c), up
 * to eight levels; the metric is the flattened key.  `name` in a series' object is the metric.  true is 1, false is 0; null is no value.
 * A value in quotes is read as a number where only a value can stand; in a row it is a tag.  The time is the member `time`, `timestamp` or
 * `ts`: text in any form that files may have, or a number of seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude.
 * Without one, or with null, it is the time of receipt.
 *
 * A line is parsed by base/json.h in the batch's scratch arena, one reset a line.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/ndjson.h"

#include "base/json.h"
#include "io/cell.h"
#include "series/time.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 8, NAME_SIZE_MAX = TCSI_KEY_VALUE_SIZE_MAX };

typedef struct line {
    tcsi_batch *batch;
    tcs_error *err;
    int64_t time_ns;
    const char *expected;       /* set when the line is bad */
    tcsi_key key;               /* of a row: its tags and the metric of the moment */
    char name[NAME_SIZE_MAX];   /* the flattened key being built */
} line;

static bool refuse(line *l, const char *expected)
{
    l->expected = expected;
    return false;
}

/* ---- time ---- */

static const char *const time_names[] = { "time", "timestamp", "ts" };

static bool is_time_name(const char *key)
{
    for (size_t i = 0; i < TCS_COUNT(time_names); i++)
        if (strcmp(key, time_names[i]) == 0) return true;
    return false;
}

static bool read_time(line *l, const tcsi_json_value *root, int64_t receive_ns)
{
    const tcsi_json_value *value = NULL;
    for (size_t i = 0; i < TCS_COUNT(time_names) && !value; i++) value = tcsi_json_get(root, time_names[i]);
    l->time_ns = receive_ns;
    if (!value || value->type == TCSI_JSON_NULL) return true;
    tcsi_time_format format;
    size_t size = value->text_size;
    if (value->type != TCSI_JSON_STRING && value->type != TCSI_JSON_NUMBER) return refuse(l, "a time as text or number");
    if (tcsi_time_guess(&value->text, &size, 1, &format) && tcsi_time_parse(&format, value->text, size, &l->time_ns)) return true;
    return refuse(l, "a time between 1677 and 2262 in a usual form");
}

/* ---- values ---- */

/* false: no value, which has been counted, or a bad line. */
static bool read_value(line *l, const tcsi_json_value *value, double *ret_value)
{
    switch (value->type) {
    case TCSI_JSON_NULL: l->batch->outcomes[TCSI_OUTCOME_NO_VALUE]++; return false;
    case TCSI_JSON_TRUE: *ret_value = 1; return true;
    case TCSI_JSON_FALSE: *ret_value = 0; return true;
    case TCSI_JSON_NUMBER: *ret_value = value->number; return true;
    case TCSI_JSON_STRING: break;
    default: return refuse(l, "a value that is a number, true, false or null");
    }
    switch (tcsi_cell_read((tcsi_cell){ value->text, value->text_size }, '.', ret_value)) {
    case TCSI_CELL_NUMBER:
    case TCSI_CELL_BOOLEAN: return true;
    case TCSI_CELL_INFINITE: *ret_value = INFINITY; return true; /* the batch counts it as not finite */
    case TCSI_CELL_MISSING: l->batch->outcomes[TCSI_OUTCOME_NO_VALUE]++; return false;
    default: return refuse(l, "a value that is a number, true, false or null");
    }
}

/* The sample of the line's key, if value is one. */
static tcs_status add_point(line *l, const tcsi_json_value *value)
{
    double number;
    if (!read_value(l, value, &number)) return TCS_OK;
    return tcsi_batch_point(l->batch, &l->key, TCSI_SERIES_UNSTATED, l->time_ns, number, l->err);
}

/* ---- one sample ---- */

static void add_member(line *l, const tcsi_json_value *member)
{
    const char *name = strcmp(member->key, "name") == 0 ? TCSI_KEY_METRIC : member->key;
    size_t name_size = name == member->key ? member->key_size : strlen(name);
    switch (member->type) {
    case TCSI_JSON_NULL: break;
    case TCSI_JSON_TRUE: (void)tcsi_key_add(&l->key, name, name_size, "true", 4); break; /* the key remembers its fault */
    case TCSI_JSON_FALSE: (void)tcsi_key_add(&l->key, name, name_size, "false", 5); break;
    case TCSI_JSON_NUMBER:
    case TCSI_JSON_STRING: (void)tcsi_key_add(&l->key, name, name_size, member->text, member->text_size); break;
    default: (void)refuse(l, "tags of the series that are texts, numbers or booleans"); break;
    }
}

static tcs_status take_sample(line *l, const tcsi_json_value *root, const tcsi_json_value *series)
{
    const tcsi_json_value *value = tcsi_json_get(root, "value");
    tcs_error why;
    if (!value) (void)refuse(l, "a member 'value'");
    if (series->type == TCSI_JSON_STRING) {
        if (tcsi_key_parse(series->text, series->text_size, &l->batch->scratch, &l->key, &why) != TCS_OK)
            (void)refuse(l, "series in the form name{tag=\"value\"}");
    } else {
        tcsi_key_begin(&l->key);
        for (size_t i = 0; i < series->item_count; i++) add_member(l, &series->items[i]);
        (void)tcsi_key_finish(&l->key);
    }
    return l->expected ? TCS_OK : add_point(l, value);
}

/* ---- a row ---- */

typedef tcs_status (*visitor)(line *l, const tcsi_json_value *leaf, const char *name, size_t name_size);

/* Calls visit with every leaf below value and its flattened name, size bytes of which are there already. */
static tcs_status walk(line *l, const tcsi_json_value *value, size_t size, int depth, visitor visit)
{
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < value->item_count && status == TCS_OK && !l->expected; i++) {
        const tcsi_json_value *item = &value->items[i];
        char number[24];
        const char *key = item->key ? item->key : number;
        size_t key_size = item->key ? item->key_size : (size_t)snprintf(number, sizeof number, "%zu", i), at = size;
        if (depth == 0 && is_time_name(key)) continue;
        if (key_size + 1 > NAME_SIZE_MAX - at) {
            (void)refuse(l, "keys of at most 2048 bytes when flattened");
            break;
        }
        if (depth > 0) l->name[at++] = '.';
        memcpy(l->name + at, key, key_size);
        at += key_size;
        bool nested = item->type == TCSI_JSON_OBJECT || item->type == TCSI_JSON_ARRAY;
        if (!nested) status = visit(l, item, l->name, at);
        else if (depth + 1 < DEPTH_MAX) status = walk(l, item, at, depth + 1, visit);
        else (void)refuse(l, "at most 8 levels of nesting");
    }
    return status;
}

static tcs_status visit_tag(line *l, const tcsi_json_value *leaf, const char *name, size_t name_size)
{
    if (leaf->type != TCSI_JSON_STRING) return TCS_OK;
    const char *kept = tcsi_arena_strndup(&l->batch->scratch, name, name_size);
    if (!kept) return tcsi_batch_full(&l->batch->scratch, "values of JSON", l->err);
    (void)tcsi_key_add(&l->key, kept, name_size, leaf->text, leaf->text_size);
    return TCS_OK;
}

static tcs_status visit_value(line *l, const tcsi_json_value *leaf, const char *name, size_t name_size)
{
    if (leaf->type == TCSI_JSON_STRING) return TCS_OK;
    if (tcsi_batch_refuses(l->batch,
                           name_size > 0 ? tcsi_key_set(&l->key, TCSI_KEY_METRIC, name, name_size) : TCSI_KEY_NO_TEXT))
        return TCS_OK;
    return add_point(l, leaf);
}

static tcs_status take_row(line *l, const tcsi_json_value *root)
{
    tcsi_key_begin(&l->key);
    (void)tcsi_key_add(&l->key, TCSI_KEY_METRIC, strlen(TCSI_KEY_METRIC), "?", 1); /* a place for each value's own */
    tcs_status status = walk(l, root, 0, 0, visit_tag);
    (void)tcsi_key_finish(&l->key);
    return status == TCS_OK && !l->expected ? walk(l, root, 0, 0, visit_value) : status;
}

/* ---- lines ---- */

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
    return true;
}

/* why: what the parser of JSON said, when it is not JSON at all. */
static tcs_status take_object(line *l, const char *text, size_t size, int64_t receive_ns, tcs_error *why)
{
    const tcsi_json_value *root;
    why->text[0] = 0;
    tcs_status status = tcsi_batch_json(l->batch, text, size, &root, why);
    if (status == TCS_E_MEMORY || status == TCS_E_LIMIT) return tcsi_batch_full(&l->batch->scratch, "values of JSON", l->err);
    if (status != TCS_OK) {
        (void)refuse(l, "JSON");
        return TCS_OK;
    }
    if (root->type != TCSI_JSON_OBJECT) (void)refuse(l, "an object on each line");
    else (void)read_time(l, root, receive_ns);
    if (l->expected) return TCS_OK;
    const tcsi_json_value *series = tcsi_json_get(root, "series");
    bool sample = series && (series->type == TCSI_JSON_OBJECT || (series->type == TCSI_JSON_STRING && tcsi_json_get(root, "value")));
    return sample ? take_sample(l, root, series) : take_row(l, root);
}

static tcs_status take_line(line *l, const char *text, size_t size, size_t number, int64_t receive_ns)
{
    const tcsi_batch_mark mark = tcsi_batch_mark_of(l->batch);
    tcs_error why;
    l->expected = NULL;
    tcsi_arena_reset(&l->batch->scratch);
    tcs_status status = take_object(l, text, size, receive_ns, &why);
    if (status != TCS_OK || !l->expected) return status;
    tcsi_batch_undo(l->batch, &mark);
    l->batch->outcomes[TCSI_OUTCOME_MALFORMED]++;
    if (why.text[0]) tcsi_batch_complain(l->batch, "line %zu: %s", number, why.text);
    else tcsi_batch_complain(l->batch, "line %zu: expected %s", number, l->expected);
    return TCS_OK;
}

tcs_status tcsi_ingest_ndjson(const char *text, size_t size, int64_t receive_ns, tcsi_batch *batch, tcs_error *err)
{
    const char *at = text, *end = text + size;
    line l = { .batch = batch, .err = err };
    tcs_status status = TCS_OK;
    for (size_t number = 1; status == TCS_OK && at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *line_end = newline ? newline : end;
        if (!is_blank(at, (size_t)(line_end - at))) status = take_line(&l, at, (size_t)(line_end - at), number, receive_ns);
        at = newline ? newline + 1 : end;
    }
    return status;
}
