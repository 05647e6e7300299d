/* io/prometheus_parse.c -- the JSON of a Prometheus answer -> series of points.
 *
 * Problem: an answer of 256 MiB holds ten million points; as a tree of JSON values it would take gigabytes.
 * Idea: the outer levels are only measured, string by string and bracket by bracket, so that the order of their members does
 * not matter; the points, which are nearly all of the text, are read where they stand; the small rest (labels, messages) is
 * parsed properly by base/json.h.  Members nobody needs are passed over by their brackets alone.
 * Source: Prometheus, HTTP API, "Range queries" and "Range vectors"; native histograms have no single value and are left
 * out with a count.  Times have milliseconds, as in Prometheus itself.
 * Invariant: nothing outside [at, end) is looked at; every loop moves forward; no recursion.  Cost: three passes over the
 * text, 16 bytes a point.  SPDX-License-Identifier: Apache-2.0 */
#include "io/prometheus.h"

#include "base/alloc.h"
#include "base/json.h"
#include "io/cell.h"
#include "io/number.h"
#include "series/frame.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SIZE_MAX = 1 << 20, SMALL_SIZE_MAX = 1 << 22 };
static const double seconds_max = 9.2e9; /* the reach of int64 nanoseconds */

typedef struct slice {
    const char *at, *end;
} slice;

typedef struct parser {
    tcsi_prometheus_matrix *matrix;
    slice body;
    tcsi_arena scratch; /* one small JSON text */
    tcsi_buffer key;
    tcs_error *err;
} parser;

/* ---- scanning ---- */

static tcs_status malformed(const parser *p, const char *at)
{
    return tcsi_fail(p->err, TCS_E_FORMAT, "the answer is malformed or cut off at byte %zu of %zu", (size_t)(at - p->body.at),
                     (size_t)(p->body.end - p->body.at));
}

static void skip_blanks(slice *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r')) s->at++;
}

static bool take(slice *s, char c)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

/* A string with its quotes; what is inside is looked at by whoever needs it. */
static bool take_string(slice *s, slice *ret_string)
{
    const char *begin = s->at, *at = begin + 1;
    if (s->at == s->end || *begin != '"') return false;
    while (at < s->end && *at != '"') at += *at == '\\' ? 2 : 1;
    if (at >= s->end) return false;
    s->at = at + 1;
    *ret_string = (slice){ begin, s->at };
    return true;
}

/* Any value, measured by its brackets. */
static bool take_value(slice *s, slice *ret_value)
{
    size_t depth = 0;
    slice string;
    skip_blanks(s);
    const char *begin = s->at;
    while (s->at < s->end) {
        char c = *s->at;
        if (c == '"') {
            if (!take_string(s, &string)) return false;
            if (depth == 0) break;
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) break;
        s->at++;
        depth += c == '{' || c == '[';
        if ((c == '}' || c == ']') && --depth == 0) break;
    }
    *ret_value = (slice){ begin, s->at };
    return depth == 0 && s->at > begin;
}

typedef enum item { ITEM, ITEM_NONE, ITEM_BAD } item;

/* Behind the opening bracket: whether another item follows, with s at its beginning. */
static item next_item(slice *s, char close, bool *first)
{
    if (take(s, close)) return ITEM_NONE;
    if (!*first && !take(s, ',')) return ITEM_BAD;
    *first = false;
    skip_blanks(s);
    return ITEM;
}

static item next_member(slice *s, bool *first, slice *ret_key, slice *ret_value)
{
    item found = next_item(s, '}', first);
    if (found != ITEM) return found;
    return take_string(s, ret_key) && take(s, ':') && take_value(s, ret_value) ? ITEM : ITEM_BAD;
}

static bool equals(slice string, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(string.end - string.at) == size + 2 && *string.at == '"' && memcmp(string.at + 1, text, size) == 0;
}

/* ---- small texts ---- */

static tcs_status parse_small(parser *p, slice value, const tcsi_json_value **ret_root)
{
    tcsi_arena_reset(&p->scratch);
    tcs_status status = tcsi_json_parse(value.at, (size_t)(value.end - value.at), &p->scratch, ret_root, p->err);
    return status == TCS_E_FORMAT ? malformed(p, value.at) : status;
}

/* A message of the server on one line, without what a terminal would obey. */
static void copy_message(const tcsi_json_value *value, char *ret_text, size_t size)
{
    snprintf(ret_text, size, "%s", value && value->type == TCSI_JSON_STRING ? value->text : "no reason given");
    for (char *c = ret_text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F) *c = ' ';
}

typedef struct document { /* members of the top level and of data; at NULL: absent */
    slice status, data, error_type, error, warnings, partial, result_type, result;
} document;

static tcs_status fail_server(parser *p, const document *d)
{
    const tcsi_json_value *value = NULL;
    char type[64] = "", text[320] = "no reason given";
    tcs_status status = d->error_type.at ? parse_small(p, d->error_type, &value) : TCS_OK;
    if (status == TCS_OK && value) copy_message(value, type, sizeof type);
    if (status == TCS_OK && d->error.at) status = parse_small(p, d->error, &value);
    if (status == TCS_OK && d->error.at) copy_message(value, text, sizeof text);
    if (status != TCS_OK) return status;
    bool is_ours = strcmp(type, "bad_data") == 0 || strcmp(type, "execution") == 0 || strcmp(type, "422") == 0;
    return tcsi_fail(p->err, is_ours ? TCS_E_INVALID : TCS_E_IO, "the server refuses the query%s%s: %s", *type ? ", " : "", type, text);
}

static tcs_status note_warning(parser *p, const document *d)
{
    char *text = p->matrix->warning;
    const tcsi_json_value *value;
    if (*text) return TCS_OK;
    if (d->partial.at && d->partial.end - d->partial.at == 4)
        snprintf(text, sizeof p->matrix->warning, "the server gave only a part of the data");
    if (!d->warnings.at) return TCS_OK;
    tcs_status status = parse_small(p, d->warnings, &value);
    if (status == TCS_OK && value->type == TCSI_JSON_ARRAY && value->item_count > 0)
        copy_message(value->items, text, sizeof p->matrix->warning);
    return status;
}

/* ---- series ---- */

static size_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

static size_t find_slot(const tcsi_prometheus_matrix *m, const char *key)
{
    size_t slot = hash_text(key) & (m->slot_count - 1);
    while (m->slots[slot] && strcmp(m->series[m->slots[slot] - 1].key, key) != 0) slot = (slot + 1) & (m->slot_count - 1);
    return slot;
}

static bool grow(tcsi_prometheus_matrix *m)
{
    size_t capacity = m->capacity ? m->capacity * 2 : 16;
    tcsi_prometheus_series *series = tcsi_realloc_array(m->series, capacity, sizeof *series);
    if (!series) return false;
    m->series = series;
    size_t *slots = TCSI_NEW_ZEROS(size_t, capacity * 2);
    if (!slots) return false;
    tcsi_free(m->slots);
    m->slots = slots;
    m->slot_count = capacity * 2;
    m->capacity = capacity;
    for (size_t i = 0; i < m->count; i++) slots[find_slot(m, series[i].key)] = i + 1;
    return true;
}

static tcs_status append_quoted(tcsi_buffer *out, const char *text, tcs_error *err)
{
    tcs_status status = tcsi_buffer_puts(out, "\"", err);
    for (; *text && status == TCS_OK; text++) {
        if (*text == '\n') status = tcsi_buffer_puts(out, "\\n", err);
        else if (*text == '"' || *text == '\\') status = tcsi_buffer_printf(out, err, "\\%c", *text);
        else status = tcsi_buffer_append(out, text, 1, err);
    }
    return status == TCS_OK ? tcsi_buffer_puts(out, "\"", err) : status;
}

/* name{a="b",c="d"}; hidden: (count) labels to leave out, or NULL. */
static tcs_status append_selector(tcsi_buffer *out, const tcsi_prometheus_label *labels, size_t count, const bool *hidden, tcs_error *err)
{
    tcs_status status = TCS_OK;
    size_t shown = 0;
    for (size_t i = 0; i < count && status == TCS_OK; i++)
        if (strcmp(labels[i].name, "__name__") == 0) status = tcsi_buffer_puts(out, labels[i].value, err);
    for (size_t i = 0; i < count && status == TCS_OK; i++) {
        if (strcmp(labels[i].name, "__name__") == 0 || (hidden && hidden[i])) continue;
        status = tcsi_buffer_printf(out, err, "%s%s=", shown++ == 0 ? "{" : ",", labels[i].name);
        if (status == TCS_OK) status = append_quoted(out, labels[i].value, err);
    }
    return status == TCS_OK && shown > 0 ? tcsi_buffer_puts(out, "}", err) : status;
}

static int compare_labels(const void *a, const void *b)
{
    const tcsi_prometheus_label *left = a, *right = b;
    return strcmp(left->name, right->name);
}

static const char *keep_text(parser *p, const char *text)
{
    return tcsi_arena_strndup(&p->matrix->arena, text, strlen(text));
}

/* labels live in the scratch arena; those of a new series are copied. */
static tcs_status add_series(parser *p, const tcsi_prometheus_label *labels, size_t count, size_t *ret_series)
{
    tcsi_prometheus_matrix *m = p->matrix;
    if (m->count >= TCSI_FRAME_CHANNEL_COUNT_MAX)
        return tcsi_fail(p->err, TCS_E_LIMIT, "more than %zu series; sum over some of their labels", TCSI_FRAME_CHANNEL_COUNT_MAX);
    if (m->count == m->capacity && !grow(m)) return tcsi_fail_memory(p->err, "series");
    tcsi_prometheus_label *copies = TCSI_ARENA_NEW(&m->arena, tcsi_prometheus_label, count);
    const char *key = keep_text(p, p->key.data);
    bool complete = copies && key;
    for (size_t i = 0; i < count && complete; i++) {
        copies[i] = (tcsi_prometheus_label){ keep_text(p, labels[i].name), keep_text(p, labels[i].value) };
        complete = copies[i].name && copies[i].value;
    }
    if (!complete) return tcsi_fail_memory(p->err, "labels");
    m->series[m->count] = (tcsi_prometheus_series){ .key = key, .labels = copies, .label_count = count };
    *ret_series = m->count++;
    m->slots[find_slot(m, key)] = m->count;
    return TCS_OK;
}

static tcs_status find_series(parser *p, slice metric, size_t *ret_series)
{
    const tcsi_json_value *root;
    tcs_status status = parse_small(p, metric, &root);
    if (status != TCS_OK) return status;
    if (root->type != TCSI_JSON_OBJECT) return malformed(p, metric.at);
    tcsi_prometheus_label *labels = TCSI_ARENA_NEW(&p->scratch, tcsi_prometheus_label, root->item_count);
    if (!labels) return tcsi_fail_memory(p->err, "labels");
    for (size_t i = 0; i < root->item_count; i++) {
        if (root->items[i].type != TCSI_JSON_STRING) return malformed(p, metric.at);
        labels[i] = (tcsi_prometheus_label){ root->items[i].key, root->items[i].text };
    }
    qsort(labels, root->item_count, sizeof *labels, compare_labels);
    tcsi_buffer_clear(&p->key);
    status = tcsi_buffer_puts(&p->key, "", p->err); /* so that there is a text */
    if (status == TCS_OK) status = append_selector(&p->key, labels, root->item_count, NULL, p->err);
    if (status != TCS_OK) return status;
    size_t known = p->matrix->slot_count > 0 ? p->matrix->slots[find_slot(p->matrix, p->key.data)] : 0;
    if (known == 0) return add_series(p, labels, root->item_count, ret_series);
    *ret_series = known - 1;
    return TCS_OK;
}

/* ---- points ---- */

static tcs_status reserve_point(parser *p, tcsi_prometheus_series *s)
{
    if (s->count < s->capacity) return TCS_OK;
    size_t capacity = s->capacity ? s->capacity * 2 : 64;
    int64_t *times = tcsi_realloc_array(s->times_ms, capacity, sizeof *times);
    if (times) s->times_ms = times;
    double *values = times ? tcsi_realloc_array(s->values, capacity, sizeof *values) : NULL;
    if (!values) return tcsi_fail_memory(p->err, "points");
    s->values = values;
    s->capacity = capacity;
    return TCS_OK;
}

/* The text between the quotes: a number, NaN (also Prometheus' stale marker), +Inf or -Inf. */
static bool read_value(slice string, double *ret_value)
{
    tcsi_cell cell = { string.at + 1, (size_t)(string.end - string.at) - 2 };
    switch (tcsi_cell_read(cell, '.', ret_value)) {
    case TCSI_CELL_NUMBER:
    case TCSI_CELL_MISSING: return true;
    case TCSI_CELL_INFINITE: *ret_value = *cell.text == '-' ? -INFINITY : INFINITY; return true;
    default: return false;
    }
}

/* [1435781430.781,"1.5"] */
static tcs_status take_point(parser *p, slice *s, size_t series_index)
{
    tcsi_prometheus_series *series = &p->matrix->series[series_index];
    slice time, value;
    double seconds, number;
    const char *begin = s->at;
    if (!take(s, '[') || !take_value(s, &time) || !take(s, ',') || !take_value(s, &value) || !take(s, ']')) return malformed(p, begin);
    if (!tcsi_number_parse(time.at, (size_t)(time.end - time.at), '.', &seconds) || !(fabs(seconds) <= seconds_max) ||
        *value.at != '"' || !read_value(value, &number))
        return tcsi_fail(p->err, TCS_E_FORMAT, "byte %zu of the answer: '%.*s' is no point; expected [seconds,\"number\"]",
                         (size_t)(begin - p->body.at), (int)(s->at - begin < 60 ? s->at - begin : 60), begin);
    int64_t time_ms = (int64_t)llround(seconds * 1000);
    if (series->count > 0 && time_ms <= series->times_ms[series->count - 1])
        return tcsi_fail(p->err, TCS_E_FORMAT, "byte %zu of the answer: the times of series %.100s do not ascend",
                         (size_t)(begin - p->body.at), series->key);
    tcs_status status = reserve_point(p, series);
    if (status != TCS_OK) return status;
    series->times_ms[series->count] = time_ms;
    series->values[series->count++] = number;
    return TCS_OK;
}

static tcs_status take_points(parser *p, slice values, size_t series)
{
    bool first = true;
    if (!take(&values, '[')) return malformed(p, values.at);
    for (;;) {
        item found = next_item(&values, ']', &first);
        tcs_status status = found == ITEM ? take_point(p, &values, series) : found == ITEM_NONE ? TCS_OK : malformed(p, values.at);
        if (status != TCS_OK || found != ITEM) return status;
    }
}

static tcs_status take_series(parser *p, slice object)
{
    slice key, value, metric = { 0 }, values = { 0 };
    bool first = true, histograms = false;
    item found;
    if (!take(&object, '{')) return malformed(p, object.at);
    while ((found = next_member(&object, &first, &key, &value)) == ITEM) {
        if (equals(key, "metric")) metric = value;
        else if (equals(key, "values")) values = value;
        else histograms |= equals(key, "histograms");
    }
    if (found == ITEM_BAD || !metric.at || !(values.at || histograms)) return malformed(p, object.at);
    p->matrix->histogram_count += !values.at;
    if (!values.at) return TCS_OK;
    size_t series = 0;
    tcs_status status = find_series(p, metric, &series);
    return status == TCS_OK ? take_points(p, values, series) : status;
}

static tcs_status take_matrix(parser *p, slice result)
{
    bool first = true;
    slice object;
    if (!take(&result, '[')) return malformed(p, result.at);
    for (;;) {
        item found = next_item(&result, ']', &first);
        if (found == ITEM && !take_value(&result, &object)) found = ITEM_BAD;
        tcs_status status = found == ITEM ? take_series(p, object) : found == ITEM_NONE ? TCS_OK : malformed(p, result.at);
        if (status != TCS_OK || found != ITEM) return status;
    }
}

/* ---- the document ---- */

typedef struct member_name {
    const char *name;
    size_t offset; /* of a slice in document */
} member_name;

/* Measures one object into d; unknown members are passed over. */
static tcs_status measure(const parser *p, slice object, const member_name *names, size_t name_count, document *d)
{
    slice key, value;
    bool first = true;
    item found;
    if (!take(&object, '{')) return malformed(p, object.at);
    while ((found = next_member(&object, &first, &key, &value)) == ITEM)
        for (size_t i = 0; i < name_count; i++)
            if (equals(key, names[i].name)) *(slice *)(void *)((char *)d + names[i].offset) = value;
    skip_blanks(&object);
    return found == ITEM_BAD || object.at != object.end ? malformed(p, object.at) : TCS_OK;
}

static tcs_status parse(parser *p)
{
    static const member_name outer[] = { { "status", offsetof(document, status) }, { "data", offsetof(document, data) },
                                         { "errorType", offsetof(document, error_type) }, { "error", offsetof(document, error) },
                                         { "warnings", offsetof(document, warnings) }, { "isPartial", offsetof(document, partial) } };
    static const member_name inner[] = { { "resultType", offsetof(document, result_type) }, { "result", offsetof(document, result) } };
    document d = { 0 };
    tcs_status status = measure(p, p->body, outer, TCS_COUNT(outer), &d);
    if (status != TCS_OK) return status;
    if (d.status.at && equals(d.status, "error")) return fail_server(p, &d);
    if (!d.status.at || !equals(d.status, "success") || !d.data.at)
        return tcsi_fail(p->err, TCS_E_FORMAT, "the answer is JSON, but not that of a Prometheus query");
    status = measure(p, d.data, inner, TCS_COUNT(inner), &d);
    if (status == TCS_OK && (!d.result_type.at || !d.result.at)) status = malformed(p, d.data.at);
    if (status == TCS_OK && !equals(d.result_type, "matrix"))
        status = tcsi_fail(p->err, TCS_E_INVALID, "the result is a %.*s, expected a matrix: a query over a range of time (query_range)",
                           (int)(d.result_type.end - d.result_type.at < 20 ? d.result_type.end - d.result_type.at : 20), d.result_type.at);
    if (status == TCS_OK) status = note_warning(p, &d);
    return status == TCS_OK ? take_matrix(p, d.result) : status;
}

tcs_status tcsi_prometheus_parse(tcsi_prometheus_matrix *matrix, const char *body, size_t size, tcs_error *err)
{
    parser p = { .matrix = matrix, .body = { body, body + size }, .err = err };
    tcsi_arena_init(&p.scratch, SMALL_SIZE_MAX);
    tcsi_buffer_init(&p.key, KEY_SIZE_MAX);
    tcs_status status = parse(&p);
    tcsi_arena_deinit(&p.scratch);
    tcsi_buffer_deinit(&p.key);
    return status;
}

/* ---- the matrix ---- */

void tcsi_prometheus_matrix_init(tcsi_prometheus_matrix *matrix)
{
    *matrix = (tcsi_prometheus_matrix){ 0 };
    tcsi_arena_init(&matrix->arena, 0);
}

void tcsi_prometheus_matrix_deinit(tcsi_prometheus_matrix *matrix)
{
    for (size_t i = 0; i < matrix->count; i++) {
        tcsi_free(matrix->series[i].times_ms);
        tcsi_free(matrix->series[i].values);
    }
    tcsi_free(matrix->series);
    tcsi_free(matrix->slots);
    tcsi_arena_deinit(&matrix->arena);
    *matrix = (tcsi_prometheus_matrix){ 0 };
}

static bool has_label(const tcsi_prometheus_series *series, const tcsi_prometheus_label *label)
{
    for (size_t i = 0; i < series->label_count; i++)
        if (strcmp(series->labels[i].name, label->name) == 0) return strcmp(series->labels[i].value, label->value) == 0;
    return false;
}

tcs_status tcsi_prometheus_compare(tcsi_prometheus_matrix *matrix, tcs_error *err)
{
    if (matrix->count == 0) return TCS_OK;
    const tcsi_prometheus_series *first = matrix->series;
    matrix->common = TCSI_ARENA_NEW(&matrix->arena, bool, first->label_count);
    if (!matrix->common) return tcsi_fail_memory(err, "labels");
    for (size_t i = 0; i < first->label_count; i++) {
        size_t other = 1;
        while (other < matrix->count && has_label(&matrix->series[other], &first->labels[i])) other++;
        matrix->common[i] = other == matrix->count;
    }
    return TCS_OK;
}

tcs_status tcsi_prometheus_name(const tcsi_prometheus_matrix *matrix, size_t series, tcsi_buffer *out, tcs_error *err)
{
    const tcsi_prometheus_series *s = &matrix->series[series], *first = matrix->series;
    TCS_ASSERT(matrix->common);
    bool *hidden = TCSI_NEW_ZEROS(bool, s->label_count);
    if (!hidden) return tcsi_fail_memory(err, "labels");
    for (size_t i = 0; i < s->label_count; i++)
        for (size_t k = 0; k < first->label_count; k++)
            hidden[i] |= matrix->common[k] && strcmp(first->labels[k].name, s->labels[i].name) == 0;
    tcs_status status = tcsi_buffer_puts(out, "", err); /* so that there is a text */
    if (status == TCS_OK) status = append_selector(out, s->labels, s->label_count, hidden, err);
    tcsi_free(hidden);
    return status;
}
