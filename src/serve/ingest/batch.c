/* serve/ingest/batch.c -- columns that grow to their limits and stay.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/batch.h"

#include "base/alloc.h"
#include "base/protobuf_read.h"
#include "series/time.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { COUNT_FIRST = 256, LABEL_NAME = 1, LABEL_VALUE = 2 };

/* A body of few bytes can name many long series (line protocol repeats a line's tags for each of its fields) and hold many values (a value
 * of JSON takes fifty bytes): so both have limits of their own, in bodies of the largest size. */
enum { NAMES_PER_BODY = 2, JSON_PER_BODY = 4, NAMES_SIZE_MIN = 1 << 20 };

tcsi_ingest_limits tcsi_ingest_limits_default(void)
{
    return (tcsi_ingest_limits){
#define X(name, fallback, smallest, largest, help) .name = fallback,
        TCSI_INGEST_LIMIT_LIST(X)
#undef X
    };
}

bool tcsi_value_is_stale(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits == TCSI_STALE_BITS;
}

bool tcsi_ms_to_ns(int64_t ms, int64_t *ret_ns)
{
    const int64_t ns_per_ms = TCSI_NS_PER_S / 1000;
    if (ms > INT64_MAX / ns_per_ms || ms < INT64_MIN / ns_per_ms) return false;
    *ret_ns = ms * ns_per_ms;
    return true;
}

/* ---- life ---- */

void tcsi_batch_init(tcsi_batch *batch, const tcsi_ingest_limits *limits)
{
    *batch = (tcsi_batch){ .limits = limits ? *limits : tcsi_ingest_limits_default() };
    tcsi_arena_init(&batch->arena, tcsi_size_sum(tcsi_size_product(batch->limits.decoded_size_max, NAMES_PER_BODY), NAMES_SIZE_MIN));
    tcsi_arena_init(&batch->scratch, tcsi_size_product(batch->limits.decoded_size_max, JSON_PER_BODY));
}

void tcsi_batch_deinit(tcsi_batch *batch)
{
    tcsi_free(batch->series);
    tcsi_free(batch->times_ns);
    tcsi_free(batch->values);
    tcsi_free(batch->symbols);
    tcsi_free(batch->body);
    tcsi_arena_deinit(&batch->arena);
    tcsi_arena_deinit(&batch->scratch);
    *batch = (tcsi_batch){ 0 };
}

void tcsi_batch_clear(tcsi_batch *batch)
{
    batch->series_count = batch->sample_count = batch->symbol_count = batch->body_size = 0;
    batch->histogram_count = batch->exemplar_count = 0;
    batch->complaint.text[0] = 0;
    memset(batch->outcomes, 0, sizeof batch->outcomes);
    tcsi_arena_reset(&batch->arena);
    tcsi_arena_reset(&batch->scratch);
}

/* ---- reading ---- */

static tcsi_outcome outcome_of(tcsi_key_fault fault)
{
    switch (fault) {
    case TCSI_KEY_NONE: return TCSI_OUTCOME_ACCEPTED;
    case TCSI_KEY_EMPTY: return TCSI_OUTCOME_NO_LABELS;
    case TCSI_KEY_TOO_MANY_TAGS: return TCSI_OUTCOME_TOO_MANY_LABELS;
    case TCSI_KEY_TOO_LONG: return TCSI_OUTCOME_LABEL_TOO_LONG;
    case TCSI_KEY_DUPLICATE: return TCSI_OUTCOME_DUPLICATE_LABEL;
    default: return TCSI_OUTCOME_LABEL_INVALID;
    }
}

/* Fields of the message Label, whatever stands around them in the name's bytes. */
static void add_label(const tcsi_protobuf_reader *labels, const tcsi_protobuf_field *label, tcsi_key *key)
{
    tcsi_protobuf_reader reader = tcsi_protobuf_enter(labels, label);
    tcsi_protobuf_field field, name = { 0 }, value = { 0 };
    while (tcsi_protobuf_next(&reader, &field)) {
        if (field.wire != TCSI_PROTOBUF_SIZED) continue;
        if (field.number == LABEL_NAME) name = field;
        if (field.number == LABEL_VALUE) value = field;
    }
    if (reader.fault) key->fault = TCSI_KEY_NO_TEXT;
    else (void)tcsi_key_add(key, (const char *)name.bytes, name.size, (const char *)value.bytes, value.size); /* kept in the key */
}

static void add_labels(const tcsi_batch_series *series, tcsi_key *key)
{
    tcsi_protobuf_reader reader = tcsi_protobuf_read(series->name, series->name_size);
    tcsi_protobuf_field field;
    while (tcsi_protobuf_next(&reader, &field)) add_label(&reader, &field, key);
}

static void add_symbols(const tcsi_batch *batch, const tcsi_batch_series *series, tcsi_key *key)
{
    tcsi_protobuf_reader reader = tcsi_protobuf_read(series->name, series->name_size);
    uint64_t name, value;
    while (tcsi_protobuf_next_varint(&reader, &name) && tcsi_protobuf_next_varint(&reader, &value)) {
        const tcsi_symbol *n = &batch->symbols[name], *v = &batch->symbols[value]; /* in range: checked by the decoder */
        (void)tcsi_key_add(key, n->text, n->size, v->text, v->size);
    }
}

tcsi_outcome tcsi_batch_key(const tcsi_batch *batch, size_t index, tcsi_key *ret_key)
{
    const tcsi_batch_series *series = &batch->series[index];
    tcsi_key_begin(ret_key);
    switch ((tcsi_name_form)series->form) {
    case TCSI_NAME_KEY: /* cannot fail: it was encoded from a key */
        if (tcsi_key_decode(series->name, series->name_size, ret_key, NULL) != TCS_OK) return TCSI_OUTCOME_LABEL_INVALID;
        break;
    case TCSI_NAME_LABELS: add_labels(series, ret_key); break;
    case TCSI_NAME_SYMBOLS: add_symbols(batch, series, ret_key); break;
    }
    return outcome_of(series->form == TCSI_NAME_KEY ? TCSI_KEY_NONE : tcsi_key_finish(ret_key));
}

void tcsi_batch_complain(tcsi_batch *batch, const char *format, ...)
{
    va_list arguments;
    if (batch->complaint.text[0]) return;
    va_start(arguments, format);
    vsnprintf(batch->complaint.text, sizeof batch->complaint.text, format, arguments);
    va_end(arguments);
}

void tcsi_batch_refuse(tcsi_batch *batch, size_t index, tcsi_outcome outcome)
{
    tcsi_batch_series *series = &batch->series[index];
    tcsi_batch_complain(batch, "series %zu of the request: %s", index + 1, tcsi_outcome_help(outcome));
    for (uint32_t i = 0; i < series->sample_count; i++) {
        bool stale = tcsi_value_is_stale(batch->values[series->sample_begin + i]);
        batch->outcomes[stale ? TCSI_OUTCOME_STALE : TCSI_OUTCOME_ACCEPTED]--;
    }
    batch->outcomes[outcome] += series->sample_count;
    series->sample_count = 0;
}

uint64_t tcsi_batch_count(const tcsi_batch *batch, tcsi_outcome_class class)
{
    uint64_t count = 0;
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++)
        if (tcsi_outcome_class_of((tcsi_outcome)i) == class) count += batch->outcomes[i];
    return count;
}

/* ---- filling ---- */

tcs_status tcsi_batch_body(tcsi_batch *batch, size_t size, tcs_error *err)
{
    if (size > batch->limits.decoded_size_max)
        return tcsi_fail(err, TCS_E_LIMIT, "the body holds %zu bytes after decompression, expected at most %zu", size,
                         batch->limits.decoded_size_max);
    if (size > batch->body_capacity || !batch->body) {
        unsigned char *body = tcsi_alloc(size); /* not realloc: nothing in it is worth copying */
        if (!body) return tcsi_fail_memory(err, "a request's body");
        tcsi_free(batch->body);
        batch->body = body;
        batch->body_capacity = size;
    }
    batch->body_size = size;
    return TCS_OK;
}

/* Twice as many as before, up to limit; 0: the limit is reached. */
static size_t larger(size_t capacity, size_t limit)
{
    if (capacity >= limit) return 0;
    if (capacity == 0) return limit < COUNT_FIRST ? limit : COUNT_FIRST;
    return capacity > limit / 2 ? limit : capacity * 2;
}

tcs_status tcsi_batch_body_grow(tcsi_batch *batch, size_t size_first, tcs_error *err)
{
    size_t capacity = larger(batch->body_capacity, batch->limits.decoded_size_max);
    if (capacity == 0) return TCS_OK; /* as large as it may be */
    if (capacity < size_first && size_first <= batch->limits.decoded_size_max) capacity = size_first;
    unsigned char *body = tcsi_realloc_array(batch->body, capacity, 1);
    if (!body) return tcsi_fail_memory(err, "a request's body");
    batch->body = body;
    batch->body_capacity = capacity;
    return TCS_OK;
}

static tcs_status refuse_limit(const char *what, size_t limit, tcs_error *err)
{
    return tcsi_fail(err, TCS_E_LIMIT, "more than %zu %s in one request: send smaller requests", limit, what);
}

static tcs_status grow_samples(tcsi_batch *batch, tcs_error *err)
{
    size_t capacity = larger(batch->sample_capacity, batch->limits.sample_count_max);
    if (capacity == 0) return refuse_limit("samples", batch->limits.sample_count_max, err);
    int64_t *times_ns = tcsi_realloc_array(batch->times_ns, capacity, sizeof *times_ns);
    if (times_ns) batch->times_ns = times_ns;
    double *values = times_ns ? tcsi_realloc_array(batch->values, capacity, sizeof *values) : NULL;
    if (!values) return tcsi_fail_memory(err, "samples");
    batch->values = values;
    batch->sample_capacity = capacity;
    return TCS_OK;
}

static tcs_status grow_series(tcsi_batch *batch, tcs_error *err)
{
    size_t capacity = larger(batch->series_capacity, batch->limits.series_count_max);
    if (capacity == 0) return refuse_limit("series", batch->limits.series_count_max, err);
    tcsi_batch_series *series = tcsi_realloc_array(batch->series, capacity, sizeof *series);
    if (!series) return tcsi_fail_memory(err, "series");
    batch->series = series;
    batch->series_capacity = capacity;
    return TCS_OK;
}

tcs_status tcsi_batch_symbol(tcsi_batch *batch, const void *text, size_t size, tcs_error *err)
{
    if (batch->symbol_count == batch->symbol_capacity) {
        size_t capacity = larger(batch->symbol_capacity, batch->limits.symbol_count_max);
        if (capacity == 0) return refuse_limit("symbols", batch->limits.symbol_count_max, err);
        tcsi_symbol *symbols = tcsi_realloc_array(batch->symbols, capacity, sizeof *symbols);
        if (!symbols) return tcsi_fail_memory(err, "symbols");
        batch->symbols = symbols;
        batch->symbol_capacity = capacity;
    }
    batch->symbols[batch->symbol_count++] = (tcsi_symbol){ text, size, tcsi_fingerprint_of(text, size, TCSI_NAME_SYMBOLS) };
    return TCS_OK;
}

tcs_status tcsi_batch_begin(tcsi_batch *batch, tcs_error *err)
{
    if (batch->series_count == batch->series_capacity) {
        tcs_status status = grow_series(batch, err);
        if (status != TCS_OK) return status;
    }
    batch->series[batch->series_count].sample_begin = (uint32_t)batch->sample_count;
    return TCS_OK;
}

tcs_status tcsi_batch_sample(tcsi_batch *batch, int64_t time_ns, double value, tcs_error *err)
{
    bool stale = tcsi_value_is_stale(value);
    if (!isfinite(value) && !stale) {
        batch->outcomes[TCSI_OUTCOME_NOT_FINITE]++;
        return TCS_OK;
    }
    if (batch->sample_count == batch->sample_capacity) {
        tcs_status status = grow_samples(batch, err);
        if (status != TCS_OK) return status;
    }
    batch->times_ns[batch->sample_count] = time_ns;
    batch->values[batch->sample_count++] = value;
    batch->outcomes[stale ? TCSI_OUTCOME_STALE : TCSI_OUTCOME_ACCEPTED]++;
    return TCS_OK;
}

void tcsi_batch_end(tcsi_batch *batch, const tcsi_batch_series *named)
{
    tcsi_batch_series *series = &batch->series[batch->series_count];
    uint32_t begin = series->sample_begin, count = (uint32_t)batch->sample_count - begin;
    if (count == 0) return;
    *series = *named;
    series->sample_begin = begin;
    series->sample_count = count;
    batch->series_count++;
}

void tcsi_batch_drop(tcsi_batch *batch, tcsi_outcome outcome, uint64_t count)
{
    tcsi_batch_series *series = &batch->series[batch->series_count];
    series->sample_count = (uint32_t)batch->sample_count - series->sample_begin;
    tcsi_batch_refuse(batch, batch->series_count, outcome);
    batch->sample_count = series->sample_begin;
    batch->outcomes[outcome] += count;
}

tcsi_batch_mark tcsi_batch_mark_of(const tcsi_batch *batch)
{
    tcsi_batch_mark mark = { batch->series_count, batch->sample_count, batch->complaint.text[0] != 0, { 0 } };
    memcpy(mark.outcomes, batch->outcomes, sizeof mark.outcomes);
    return mark;
}

void tcsi_batch_undo(tcsi_batch *batch, const tcsi_batch_mark *mark)
{
    batch->series_count = mark->series_count;
    batch->sample_count = mark->sample_count;
    memcpy(batch->outcomes, mark->outcomes, sizeof mark->outcomes);
    if (!mark->has_complaint) batch->complaint.text[0] = 0;
}

bool tcsi_batch_refuses(tcsi_batch *batch, tcsi_key_fault fault)
{
    if (fault == TCSI_KEY_NONE) return false;
    batch->outcomes[outcome_of(fault)]++;
    tcsi_batch_complain(batch, "a series: %s", tcsi_key_fault_text(fault));
    return true;
}

tcs_status tcsi_batch_full(const tcsi_arena *arena, const char *what, tcs_error *err)
{
    if (arena->size < arena->size_max / 2) return tcsi_fail_memory(err, what);
    return tcsi_fail(err, TCS_E_LIMIT, "the request's %s need more than %zu bytes: send smaller requests", what, arena->size_max);
}

tcs_status tcsi_batch_json(tcsi_batch *batch, const char *text, size_t size, const tcsi_json_value **ret_root, tcs_error *err)
{
    tcs_status status = tcsi_json_parse(text, size, &batch->scratch, ret_root, err);
    return status == TCS_E_MEMORY ? tcsi_batch_full(&batch->scratch, "values of JSON", err) : status;
}

tcs_status tcsi_batch_point(tcsi_batch *batch, const tcsi_key *key, tcsi_series_kind kind, int64_t time_ns, double value,
                            tcs_error *err)
{
    if (tcsi_batch_refuses(batch, key->fault)) return TCS_OK;
    tcs_status status = tcsi_batch_begin(batch, err);
    if (status == TCS_OK) status = tcsi_batch_sample(batch, time_ns, value, err);
    if (status != TCS_OK || batch->sample_count == batch->series[batch->series_count].sample_begin) return status;
    unsigned char *name = tcsi_arena_alloc(&batch->arena, key->size, 1);
    if (!name) return tcsi_batch_full(&batch->arena, "names of series", err);
    tcsi_key_encode(key, name);
    tcsi_batch_end(batch, &(tcsi_batch_series){ .fingerprint = tcsi_fingerprint_of(name, key->size, TCSI_NAME_KEY), .name = name,
                                                .name_size = (uint32_t)key->size, .kind = (uint8_t)kind, .form = TCSI_NAME_KEY });
    return TCS_OK;
}
