/* io/ndjson.c -- one JSON object or array a line -> rows.
 *
 * Keys are columns, in order of first appearance; nested objects and arrays are flattened to a.b and a.0, up to eight
 * levels; a key that a row lacks is a missing value there.  Arrays give columns c0, c1, ... and must all be of one length.
 * Values become cells of text, so that numbers in quotes, true, null and times mean the same as in CSV.
 * Reading a whole frame takes the union of all keys, which needs a first pass over all lines: the text is then held in
 * memory.  Reading row by row takes the keys of the sample; others that come later are passed over.
 * The lines are parsed by base/json.h, one arena reset a line.  Cost: about 100 MB/s a pass.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/arena.h"
#include "io/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { READ_SIZE = 1 << 18, LINE_SIZE_MAX = 1 << 26, DEPTH_MAX = 8, NAME_SIZE_MAX = 4096 };

/* Column names to numbers: open addressing, at most half full. */
typedef struct key_set {
    char **names;
    size_t count, capacity;
    size_t *slots; /* column + 1, or 0 */
    size_t slot_count;
} key_set;

typedef struct ndjson {
    tcsi_table base;
    tcsi_stream *stream;
    char *buffer;          /* at..end unread; lines up to `safe` are complete */
    size_t capacity, at, safe, end;
    bool stream_end;
    uint64_t line;         /* number of the line at `at` */
    bool arrays;           /* rows are arrays, not objects */
    key_set keys;
    tcsi_arena arena;      /* the line being parsed */
    tcsi_buffer name;      /* the flattened key being built */
    tcsi_cell *cells;      /* (columns) of the row being read */
} ndjson;

/* ---- keys ---- */

static size_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32);
}

static size_t find_slot(const key_set *keys, const char *name)
{
    size_t slot = hash_name(name) & (keys->slot_count - 1);
    while (keys->slots[slot] && strcmp(keys->names[keys->slots[slot] - 1], name) != 0) slot = (slot + 1) & (keys->slot_count - 1);
    return slot;
}

static bool grow_keys(key_set *keys)
{
    size_t capacity = keys->capacity ? keys->capacity * 2 : 32;
    char **names = tcsi_realloc_array(keys->names, capacity, sizeof *names);
    if (!names) return false;
    keys->names = names;
    size_t *slots = TCSI_NEW_ZEROS(size_t, capacity * 2);
    if (!slots) return false;
    tcsi_free(keys->slots);
    keys->slots = slots;
    keys->slot_count = capacity * 2;
    keys->capacity = capacity;
    for (size_t c = 0; c < keys->count; c++) slots[find_slot(keys, names[c])] = c + 1;
    return true;
}

static tcs_status add_key(ndjson *self, const char *name, tcs_error *err)
{
    key_set *keys = &self->keys;
    if (keys->slot_count > 0 && keys->slots[find_slot(keys, name)]) return TCS_OK;
    if (keys->count >= TCSI_FRAME_CHANNEL_COUNT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "%s:%llu: more than %zu different keys", self->base.report.source,
                         (unsigned long long)self->line,
                         TCSI_FRAME_CHANNEL_COUNT_MAX);
    if (keys->count == keys->capacity && !grow_keys(keys)) return tcsi_fail_memory(err, "keys");
    char *copy = tcsi_strdup(name);
    if (!copy) return tcsi_fail_memory(err, "keys");
    keys->names[keys->count] = copy;
    keys->slots[find_slot(keys, name)] = ++keys->count;
    return TCS_OK;
}

/* The column of a key; SIZE_MAX: none.  Rows mostly repeat the order of the row before: the expected place comes first. */
static size_t find_key(const key_set *keys, const char *name, size_t expected)
{
    if (expected < keys->count && strcmp(keys->names[expected], name) == 0) return expected;
    if (keys->slot_count == 0) return SIZE_MAX;
    size_t slot = keys->slots[find_slot(keys, name)];
    return slot ? slot - 1 : SIZE_MAX;
}

/* ---- lines ---- */

static tcs_status fill(ndjson *self, tcs_error *err)
{
    if (self->at > 0) {
        memmove(self->buffer, self->buffer + self->at, self->end - self->at);
        self->end -= self->at;
        self->safe -= self->at;
        self->at = 0;
    }
    if (self->end - self->safe >= LINE_SIZE_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "%s:%llu: a line of more than %d MiB", self->base.report.source, (unsigned long long)self->line,
                         LINE_SIZE_MAX >> 20);
    if (self->capacity - self->end < READ_SIZE + 1) {
        size_t capacity = self->capacity ? self->capacity * 2 : 2 * READ_SIZE;
        char *buffer = tcsi_realloc_array(self->buffer, capacity, 1);
        if (!buffer) return tcsi_fail_memory(err, "reading lines");
        self->buffer = buffer;
        self->capacity = capacity;
    }
    size_t size = 0, old_end = self->end;
    tcs_status status = tcsi_stream_read(self->stream, self->buffer + self->end, READ_SIZE, &size, err);
    if (status != TCS_OK) return status;
    self->end += size;
    self->stream_end = size == 0;
    if (self->stream_end && self->end > self->safe) self->buffer[self->end++] = '\n';
    for (size_t i = self->end; i > old_end; i--)
        if (self->buffer[i - 1] == '\n') {
            self->safe = i;
            break;
        }
    return TCS_OK;
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
    return true;
}

/* The complete line at *at that is not blank; moves *at behind it and *line to its number.  false: none in the buffer. */
static bool next_line(const ndjson *self, size_t *at, uint64_t *line, const char **ret_text, size_t *ret_size, uint64_t *blank_count)
{
    while (*at < self->safe) {
        const char *text = self->buffer + *at, *newline = memchr(text, '\n', self->safe - *at);
        size_t size = (size_t)(newline - text);
        *at += size + 1;
        (*line)++;
        if (is_blank(text, size)) {
            (*blank_count)++;
            continue;
        }
        *ret_text = text;
        *ret_size = size;
        return true;
    }
    return false;
}

/* ---- rows ---- */

typedef tcs_status (*visitor)(ndjson *self, void *context, const char *name, tcsi_cell cell, tcs_error *err);

static tcsi_cell cell_of(const tcsi_json_value *value)
{
    switch (value->type) {
    case TCSI_JSON_TRUE: return (tcsi_cell){ "true", 4 };
    case TCSI_JSON_FALSE: return (tcsi_cell){ "false", 5 };
    case TCSI_JSON_NUMBER:
    case TCSI_JSON_STRING: return (tcsi_cell){ value->text, value->text_size };
    default: return (tcsi_cell){ "", 0 };
    }
}

/* Calls visit with every leaf of an object or array, its name flattened into self->name from length on. */
static tcs_status walk(ndjson *self, const tcsi_json_value *value, int depth, visitor visit, void *context, tcs_error *err)
{
    size_t length = self->name.size;
    for (size_t i = 0; i < value->item_count; i++) {
        const tcsi_json_value *item = &value->items[i];
        self->name.size = length;
        tcs_status status = depth > 0 ? tcsi_buffer_puts(&self->name, ".", err) : TCS_OK;
        if (status == TCS_OK && item->key) status = tcsi_buffer_puts(&self->name, item->key, err);
        else if (status == TCS_OK) status = tcsi_buffer_printf(&self->name, err, depth > 0 ? "%zu" : "c%zu", i);
        if (status != TCS_OK) return status;
        bool nested = (item->type == TCSI_JSON_OBJECT || item->type == TCSI_JSON_ARRAY) && depth + 1 < DEPTH_MAX;
        status = nested ? walk(self, item, depth + 1, visit, context, err) : visit(self, context, self->name.data, cell_of(item), err);
        if (status != TCS_OK) return status;
    }
    self->name.size = length;
    return TCS_OK;
}

static tcs_status visit_line(ndjson *self, const char *text, size_t size, uint64_t line, visitor visit, void *context, tcs_error *err)
{
    const tcsi_json_value *root;
    tcs_status status = tcsi_json_parse(text, size, &self->arena, &root, err);
    if (status == TCS_OK) {
        bool array = root->type == TCSI_JSON_ARRAY, first = self->keys.count == 0;
        if (first) self->arrays = array;
        if (!array && root->type != TCSI_JSON_OBJECT) status = tcsi_fail(err, TCS_E_FORMAT, "expected an object or an array on each line");
        else if (array != self->arrays) status = tcsi_fail(err, TCS_E_FORMAT, "objects and arrays are mixed");
        else if (array && root->item_count > 0 && root->items[0].type == TCSI_JSON_OBJECT)
            status = tcsi_fail(err, TCS_E_FORMAT, "an array of objects, expected one object a line; convert it with jq -c '.[]'");
    } else if (status == TCS_E_FORMAT && line == 1 && size < 8) {
        status = tcsi_fail(err, TCS_E_FORMAT, "the document spans lines, expected one object a line; convert it with jq -c '.[]'");
    }
    tcsi_buffer_clear(&self->name);
    if (status == TCS_OK) status = walk(self, root, 0, visit, context, err);
    if (status != TCS_OK && status != TCS_E_MEMORY) tcsi_fail_prefix(err, "%s:%llu", self->base.report.source, (unsigned long long)line);
    return status;
}

static tcs_status visit_key(ndjson *self, void *context, const char *name, tcsi_cell cell, tcs_error *err)
{
    (void)context;
    (void)cell;
    return add_key(self, name, err);
}

typedef struct row_context {
    tcsi_cell *cells; /* (columns) */
    size_t next;      /* the column expected to come */
    size_t count;
} row_context;

static tcs_status visit_cell(ndjson *self, void *context, const char *name, tcsi_cell cell, tcs_error *err)
{
    (void)err;
    row_context *row = context;
    size_t column = find_key(&self->keys, name, row->next);
    row->count++;
    if (column == SIZE_MAX) return TCS_OK; /* a key that the sample did not have */
    row->cells[column] = cell;
    row->next = column + 1;
    return TCS_OK;
}

static tcs_status take_line(ndjson *self, const char *text, size_t size, uint64_t line, tcsi_cell *cells, tcs_error *err)
{
    row_context row = { cells, 0, 0 };
    for (size_t c = 0; c < self->keys.count; c++) cells[c] = (tcsi_cell){ "", 0 };
    tcs_status status = visit_line(self, text, size, line, visit_cell, &row, err);
    if (status != TCS_OK || !self->arrays || row.count == self->keys.count) return status;
    return tcsi_fail(err, TCS_E_FORMAT, "%s:%llu: %zu elements, expected %zu", self->base.report.source, (unsigned long long)line,
                     row.count,
                     self->keys.count);
}

static tcs_status convert(ndjson *self, uint64_t line, tcsi_rows *rows, tcs_error *err)
{
    tcsi_read_report *report = &self->base.report;
    double *values = rows->values + rows->count * report->value_count;
    tcs_status status = TCS_OK;
    for (size_t c = 0; c < report->column_count && status == TCS_OK; c++) {
        const tcsi_read_column *column = &report->columns[c];
        if (column->role == TCSI_COLUMN_VALUE)
            status = tcsi_table_value(&self->base, c, self->cells[c], '.', line, &values[column->channel], err);
        else if (column->role == TCSI_COLUMN_TIME) rows->times_ns[rows->count] = tcsi_table_time(&self->base, self->cells[c], line);
        else if (column->role == TCSI_COLUMN_LABEL)
            status = tcsi_table_label(&self->base, self->cells[c], '.', line, &rows->labels[rows->count], err);
    }
    if (status == TCS_OK) rows->count++;
    return status;
}

static tcs_status read_rows(tcsi_table *base, tcsi_rows *rows, tcs_error *err)
{
    ndjson *self = (ndjson *)base;
    tcs_status status = TCS_OK;
    while (rows->count < rows->capacity && status == TCS_OK) {
        const char *text;
        size_t size;
        if (next_line(self, &self->at, &self->line, &text, &size, &base->report.blank_count)) {
            tcsi_arena_reset(&self->arena);
            status = take_line(self, text, size, self->line - 1, self->cells, err);
            if (status == TCS_OK) status = convert(self, self->line - 1, rows, err);
            continue;
        }
        if (rows->count > 0 || self->stream_end) break;
        status = fill(self, err);
    }
    return status;
}

/* ---- opening ---- */

/* Reads the sample (all lines, unless the sample is all) and collects its keys. */
static tcs_status gather(ndjson *self, const tcsi_table_open_options *options, tcs_error *err)
{
    size_t at = 0, size, row_count = 0;
    uint64_t line = 1, blank_count = 0;
    const char *text;
    while (!(self->stream_end && at == self->safe) && !(options->sample_is_all && row_count >= options->sample_row_count)) {
        tcs_status status = TCS_OK;
        if (at == self->safe) status = fill(self, err);
        if (at == 0 && self->end >= 3 && memcmp(self->buffer, "\xEF\xBB\xBF", 3) == 0) {
            memcpy(self->buffer, "   ", 3);
            self->base.report.encoding = "UTF-8 with byte order mark";
        }
        if (status == TCS_OK && next_line(self, &at, &line, &text, &size, &blank_count)) {
            tcsi_arena_reset(&self->arena);
            self->line = line - 1;
            status = visit_line(self, text, size, line - 1, visit_key, NULL, err);
            row_count++;
        }
        if (status != TCS_OK) return status;
    }
    self->line = 1;
    if (row_count == 0) return tcsi_fail(err, TCS_E_FORMAT, "%s: holds no rows", self->base.report.source);
    if (self->keys.count == 0) return tcsi_fail(err, TCS_E_FORMAT, "%s: holds no keys", self->base.report.source);
    return TCS_OK;
}

/* The arena's line gives way to the next one of the sample: what its cells say is kept. */
static tcs_status keep_cells(tcsi_arena *texts, tcsi_cell *cells, size_t count, tcs_error *err)
{
    size_t size = 0;
    for (size_t c = 0; c < count; c++) size += cells[c].size;
    char *text = tcsi_arena_alloc(texts, size, 1);
    if (!text) return tcsi_fail_memory(err, "a sample");
    for (size_t c = 0; c < count; c++) {
        memcpy(text, cells[c].text, cells[c].size);
        cells[c].text = text;
        text += cells[c].size;
    }
    return TCS_OK;
}

static tcs_status guess(ndjson *self, const tcsi_table_open_options *options, tcs_error *err)
{
    enum { CELL_COUNT_MAX = 2000000 };
    size_t column_count = self->keys.count, capacity = options->sample_row_count, at = 0, size, cell_count;
    uint64_t line = 1, blank_count = 0;
    const char *text;
    tcsi_arena texts;
    if (capacity > CELL_COUNT_MAX / column_count) capacity = CELL_COUNT_MAX / column_count;
    if (capacity < 2) capacity = 2;
    tcsi_arena_init(&texts, 0);
    tcsi_cell *names = TCSI_NEW_ARRAY(tcsi_cell, column_count), *cells = NULL;
    uint64_t *lines = TCSI_NEW_ARRAY(uint64_t, capacity);
    if (tcsi_multiply(capacity, column_count, &cell_count)) cells = TCSI_NEW_ARRAY(tcsi_cell, cell_count);
    tcs_status status = names && lines && cells ? TCS_OK : tcsi_fail_memory(err, "a sample");
    for (size_t c = 0; c < column_count && status == TCS_OK; c++) names[c] = (tcsi_cell){ self->keys.names[c],
                                                                                         strlen(self->keys.names[c]) };
    if (status == TCS_OK) status = tcsi_schema_name(&self->base.report, names, column_count, err);
    tcsi_sample sample = { 0, column_count, cells, lines, '.' };
    while (status == TCS_OK && sample.row_count < capacity && next_line(self, &at, &line, &text, &size, &blank_count)) {
        tcsi_cell *row = cells + sample.row_count * column_count;
        lines[sample.row_count] = line - 1;
        tcsi_arena_reset(&self->arena);
        status = take_line(self, text, size, line - 1, row, err);
        if (status == TCS_OK) status = keep_cells(&texts, row, column_count, err);
        sample.row_count++;
    }
    if (status == TCS_OK) status = tcsi_schema_guess(&sample, options, &self->base.report, err);
    tcsi_free(names);
    tcsi_free(lines);
    tcsi_free(cells);
    tcsi_arena_deinit(&texts);
    return status;
}

static double progress(const tcsi_table *base)
{
    const ndjson *self = (const ndjson *)base;
    double share = tcsi_stream_progress(self->stream);
    return self->stream_end && self->end > 0 ? share * (double)self->at / (double)self->end : share;
}

static void destroy(tcsi_table *base)
{
    ndjson *self = (ndjson *)base;
    tcsi_stream_close(self->stream);
    for (size_t c = 0; c < self->keys.count; c++) tcsi_free(self->keys.names[c]);
    tcsi_free(self->keys.names);
    tcsi_free(self->keys.slots);
    tcsi_free(self->buffer);
    tcsi_free(self->cells);
    tcsi_buffer_deinit(&self->name);
    tcsi_arena_deinit(&self->arena);
    tcsi_free(self);
}

tcs_status tcsi_ndjson_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table, tcs_error *err)
{
    static const tcsi_table_ops ops = { read_rows, progress, destroy };
    ndjson *self = TCSI_NEW(ndjson);
    if (!self) return tcsi_fail_memory(err, "a reader");
    self->base.ops = &ops;
    self->line = 1;
    tcsi_arena_init(&self->arena, 0);
    tcsi_buffer_init(&self->name, NAME_SIZE_MAX);
    tcsi_read_report *report = &self->base.report;
    *report = (tcsi_read_report){ .format = "NDJSON", .compression = tcsi_stream_compression(stream), .encoding = "UTF-8",
                                  .source = tcsi_strdup(tcsi_stream_name(stream)), .time_column = SIZE_MAX, .label_column = SIZE_MAX };
    report->has_header = true; /* names are given, as by a header */
    self->stream = stream;
    tcs_status status = report->source ? gather(self, options, err) : tcsi_fail_memory(err, "a reader");
    if (status == TCS_OK) status = guess(self, options, err);
    if (status == TCS_OK && !(self->cells = TCSI_NEW_ARRAY(tcsi_cell, self->keys.count))) status = tcsi_fail_memory(err, "a row");
    if (status == TCS_OK) {
        *ret_table = &self->base;
        return TCS_OK;
    }
    self->stream = NULL; /* stays the caller's */
    tcsi_table_destroy(&self->base);
    return status;
}
