/* io/npy.c -- NumPy's array files (NPY 1.0 to 3.0) and archives of them (NPZ) -> rows.
 *
 * NPY (numpy.lib.format): magic, version, the length of a header, the header as a Python dictionary with 'descr' (type
 * and byte order), 'fortran_order' and 'shape', then the bytes.  One dimension is one column; of two, the first is rows.
 * Taken: f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 and bool, either byte order.  Everything else (objects above all, which would be
 * pickled code) is refused by name.
 * Rows in C order are streamed; Fortran order needs the whole array first, read as it comes, so that a header that claims
 * more than there is costs nothing.
 * NPZ: the values are the array named by option, else X, data or values, else the first with one or two dimensions.  An
 * array y, label or labels with one 0 or 1 for each row is the label; all other members are reported as not used.
 * Columns have no names; the guesses (time, label, counter) are made as for CSV, on the numbers as text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/arena.h"
#include "io/schema.h"
#include "io/zip.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HEADER_SIZE_MAX = 1 << 16, READ_SIZE = 1 << 18, CELL_COUNT_MAX = 2000000, ELEMENT_TEXT_SIZE = 32 };

typedef struct array_header {
    char kind;         /* f, i, u or b */
    size_t item_size;  /* bytes */
    bool swapped;      /* the file's byte order is not ours */
    bool fortran_order;
    size_t row_count, column_count; /* column_count >= 1 */
} array_header;

typedef struct npy {
    tcsi_table base;
    tcsi_stream *stream;
    array_header header;
    size_t row_index;          /* rows given out */
    unsigned char *buffer;     /* C order: whole rows not yet given out; Fortran order: everything */
    size_t capacity, at, end;
    unsigned char *owned;      /* NPZ: the member that stream reads */
    uint8_t *labels;           /* NPZ: (rows) of the label array, which is then the last column; or NULL */
} npy;

/* ---- header ---- */

typedef struct text_cursor {
    const char *at, *end;
} text_cursor;

static void skip_space(text_cursor *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t')) t->at++;
}

static bool take(text_cursor *t, const char *word)
{
    size_t size = strlen(word);
    skip_space(t);
    if ((size_t)(t->end - t->at) < size || memcmp(t->at, word, size) != 0) return false;
    t->at += size;
    return true;
}

/* A Python string in single or double quotes, without escapes, into text[size]. */
static bool take_string(text_cursor *t, char *text, size_t size)
{
    skip_space(t);
    if (t->at >= t->end || (*t->at != '\'' && *t->at != '"')) return false;
    char quote = *t->at++;
    size_t used = 0;
    while (t->at < t->end && *t->at != quote && used + 1 < size) text[used++] = *t->at++;
    text[used] = 0;
    return take(t, quote == '"' ? "\"" : "'");
}

/* (3, 4), (3,) or (): at most three lengths are kept, all are counted. */
static bool take_shape(text_cursor *t, size_t shape[3], size_t *ret_count)
{
    size_t count = 0;
    if (!take(t, "(")) return false;
    while (!take(t, ")")) {
        uint64_t length = 0;
        const char *begin = t->at;
        while (t->at < t->end && *t->at >= '0' && *t->at <= '9') {
            if (length > (UINT64_MAX - 9) / 10) return false;
            length = length * 10 + (uint64_t)(*t->at++ - '0');
        }
        if (t->at == begin || length > SIZE_MAX) return false;
        (void)take(t, "L"); /* Python 2 wrote long integers so */
        if (count < 3) shape[count] = (size_t)length;
        count++;
        if (!take(t, ",")) {
            if (!take(t, ")")) return false;
            break;
        }
    }
    *ret_count = count;
    return true;
}

static tcs_status set_type(array_header *header, const char *descr, const char *name, tcs_error *err)
{
    static const char *const types[] = { "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1" };
    bool ordered = *descr == '<' || *descr == '>' || *descr == '|' || *descr == '=';
    const char *type = descr + ordered;
    bool big = *descr == '>', ours_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    for (size_t i = 0; i < TCS_COUNT(types); i++) {
        if (strcmp(type, types[i]) != 0) continue;
        header->kind = type[0];
        header->item_size = (size_t)(type[1] - '0');
        header->swapped = (*descr == '<' || *descr == '>') && big != ours_big;
        return TCS_OK;
    }
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: elements of type '%s', expected f4, f8, i1 to i8, u1 to u8 or bool", name, descr);
}

static tcs_status parse_dictionary(array_header *header, const char *text, size_t size, const char *name, tcs_error *err)
{
    text_cursor t = { text, text + size };
    char key[32], descr[64] = "";
    size_t shape[3] = { 0 }, dimension_count = 0;
    bool has_shape = false, has_order = false, ok = take(&t, "{");
    while (ok && !take(&t, "}")) {
        ok = take_string(&t, key, sizeof key) && take(&t, ":");
        if (!ok) break;
        if (strcmp(key, "descr") == 0) {
            skip_space(&t);
            if (t.at < t.end && *t.at == '[') return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: a structured array, expected plain numbers",
                                                               name);
            ok = take_string(&t, descr, sizeof descr);
        } else if (strcmp(key, "fortran_order") == 0) {
            header->fortran_order = take(&t, "True");
            ok = has_order = header->fortran_order || take(&t, "False");
        } else if (strcmp(key, "shape") == 0) {
            ok = has_shape = take_shape(&t, shape, &dimension_count);
        } else {
            ok = false;
        }
        if (ok && !take(&t, ",")) {
            ok = take(&t, "}");
            break;
        }
    }
    if (!ok || !has_shape || !has_order || !*descr) return tcsi_fail(err, TCS_E_FORMAT, "%s: the NPY header is corrupt", name);
    if (dimension_count < 1 || dimension_count > 2)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: an array with %zu dimensions, expected 1 or 2 (rows, columns)", name,
                         dimension_count);
    header->row_count = shape[0];
    header->column_count = dimension_count == 2 ? shape[1] : 1;
    if (dimension_count == 1) header->fortran_order = false;
    if (header->column_count >= TCSI_FRAME_CHANNEL_COUNT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "%s: %zu columns: at most %zu are supported", name, header->column_count,
                         TCSI_FRAME_CHANNEL_COUNT_MAX - 1);
    return set_type(header, descr, name, err);
}

static tcs_status refuse_empty(const array_header *header, const char *name, tcs_error *err)
{
    if (header->column_count > 0 && header->row_count > 0) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "%s: an empty array, %zu x %zu", name, header->row_count, header->column_count);
}

static tcs_status short_read(const char *name, tcs_error *err)
{
    return tcsi_fail(err, TCS_E_FORMAT, "%s: truncated: ends inside the NPY header", name);
}

static tcs_status read_header(tcsi_stream *stream, array_header *header, tcs_error *err)
{
    const char *name = tcsi_stream_name(stream);
    unsigned char start[12];
    size_t size = 0;
    tcs_status status = tcsi_stream_read_all(stream, start, 10, &size, err);
    if (status != TCS_OK) return status;
    if (size < 6 || memcmp(start, "\x93NUMPY", 6) != 0) return tcsi_fail(err, TCS_E_FORMAT, "%s: is not NPY: its magic bytes are missing",
                                                                         name);
    if (size < 10) return short_read(name, err);
    if (start[6] < 1 || start[6] > 3) return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: NPY version %u, expected 1, 2 or 3", name, start[6]);
    size_t text_size = (size_t)start[8] | (size_t)start[9] << 8;
    if (start[6] >= 2) {
        status = tcsi_stream_read_all(stream, start + 10, 2, &size, err);
        if (status != TCS_OK) return status;
        if (size < 2) return short_read(name, err);
        text_size |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (text_size > HEADER_SIZE_MAX) return tcsi_fail(err, TCS_E_LIMIT, "%s: an NPY header of %zu bytes, expected at most %d", name,
                                                      text_size, HEADER_SIZE_MAX);
    char *text = tcsi_alloc(text_size);
    if (!text) return tcsi_fail_memory(err, "a header");
    size = 0;
    if (text_size > 0) status = tcsi_stream_read_all(stream, text, text_size, &size, err);
    if (status == TCS_OK && size < text_size) status = short_read(name, err);
    if (status == TCS_OK) status = parse_dictionary(header, text, text_size, name, err);
    tcsi_free(text);
    return status;
}

/* ---- elements ---- */

static uint64_t load(const unsigned char *p, size_t size, bool swapped)
{
    unsigned char bytes[8] = { 0 };
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++) bytes[i] = p[swapped ? size - 1 - i : i];
    switch (size) {
    case 1: return bytes[0];
    case 2: { uint16_t w; memcpy(&w, bytes, 2); return w; }
    case 4: { uint32_t w; memcpy(&w, bytes, 4); return w; }
    default: memcpy(&word, bytes, 8); return word;
    }
}

static double element_value(const array_header *header, const unsigned char *p)
{
    uint64_t word = load(p, header->item_size, header->swapped);
    if (header->kind == 'f') {
        double value;
        float single;
        uint32_t low = (uint32_t)word;
        if (header->item_size == 8) {
            memcpy(&value, &word, sizeof value);
            return value;
        }
        memcpy(&single, &low, sizeof single);
        return (double)single;
    }
    if (header->kind == 'b') return word != 0;
    if (header->kind == 'u') return (double)word;
    unsigned shift = 64 - 8 * (unsigned)header->item_size;
    return (double)((int64_t)(word << shift) >> shift);
}

/* For the guesses, and for times, whose nanoseconds a double cannot hold. */
static size_t element_text(const array_header *header, const unsigned char *p, char *text)
{
    if (header->kind == 'u')
        return (size_t)snprintf(text, ELEMENT_TEXT_SIZE, "%llu", (unsigned long long)load(p, header->item_size, header->swapped));
    if (header->kind == 'i' && header->item_size == 8)
        return (size_t)snprintf(text, ELEMENT_TEXT_SIZE, "%lld", (long long)load(p, 8, header->swapped));
    double value = element_value(header, p);
    if (isnan(value)) return 0;
    if (isinf(value)) return (size_t)snprintf(text, ELEMENT_TEXT_SIZE, value > 0 ? "inf" : "-inf");
    return tcsi_number_format(value, text);
}

/* ---- rows ---- */

/* Reads until buffer holds `wanted` unread bytes, as far as the stream goes. */
static tcs_status fill(npy *self, size_t wanted, tcs_error *err)
{
    if (self->end - self->at >= wanted) return TCS_OK;
    if (self->at > 0) memmove(self->buffer, self->buffer + self->at, self->end - self->at);
    self->end -= self->at;
    self->at = 0;
    while (self->end < wanted) {
        size_t step = wanted - self->end > READ_SIZE ? READ_SIZE : wanted - self->end, size = 0;
        if (self->capacity - self->end < step) { /* grows with what really comes, whatever the header claims */
            size_t capacity = self->capacity * 2 > self->end + step ? self->capacity * 2 : self->end + step;
            unsigned char *buffer = tcsi_realloc_array(self->buffer, capacity, 1);
            if (!buffer) return tcsi_fail_memory(err, "an array");
            self->buffer = buffer;
            self->capacity = capacity;
        }
        tcs_status status = tcsi_stream_read_all(self->stream, self->buffer + self->end, step, &size, err);
        if (status != TCS_OK) return status;
        self->end += size;
        if (size == 0)
            return tcsi_fail(err, TCS_E_FORMAT, "%s: truncated: the NPY header promises %zu x %zu elements of %zu bytes",
                             self->base.report.source,
                             self->header.row_count, self->header.column_count, self->header.item_size);
    }
    return TCS_OK;
}

static const unsigned char *element(const npy *self, size_t row, size_t column)
{
    const array_header *h = &self->header;
    size_t index = h->fortran_order ? column * h->row_count + self->row_index + row : row * h->column_count + column;
    return self->buffer + self->at + index * h->item_size;
}

static tcs_status take_element(npy *self, size_t row, size_t column, tcsi_rows *rows, tcs_error *err)
{
    const tcsi_read_report *report = &self->base.report;
    tcsi_read_column *c = &self->base.report.columns[column];
    uint64_t number = self->row_index + row + 1;
    char text[ELEMENT_TEXT_SIZE];
    if (c->role == TCSI_COLUMN_SKIPPED) return TCS_OK;
    if (c->role == TCSI_COLUMN_VALUE) {
        double value = element_value(&self->header, element(self, row, column));
        bool finite = fabs(value) <= DBL_MAX;
        c->missing_count += isnan(value);
        c->infinite_count += isinf(value) != 0;
        c->beyond_count += finite && fabs(value) > TCS_VALUE_MAX;
        rows->values[row * report->value_count + c->channel] = finite ? value : NAN;
        return TCS_OK;
    }
    tcsi_cell cell = { text, element_text(&self->header, element(self, row, column), text) };
    if (c->role == TCSI_COLUMN_LABEL) return tcsi_table_label(&self->base, cell, '.', number, &rows->labels[row], err);
    rows->times_ns[row] = tcsi_table_time(&self->base, cell, number);
    return TCS_OK;
}

static tcs_status read_rows(tcsi_table *base, tcsi_rows *rows, tcs_error *err)
{
    npy *self = (npy *)base;
    const array_header *h = &self->header;
    size_t row_size = h->column_count * h->item_size, count = h->row_count - self->row_index; /* checked at opening */
    if (count > rows->capacity) count = rows->capacity;
    if (count == 0) return TCS_OK;
    tcs_status status = TCS_OK;
    if (!h->fortran_order) {
        if (count > 1 + READ_SIZE / row_size) count = 1 + READ_SIZE / row_size;
        status = fill(self, count * row_size, err);
    }
    for (size_t r = 0; r < count && status == TCS_OK; r++) {
        for (size_t c = 0; c < h->column_count && status == TCS_OK; c++) status = take_element(self, r, c, rows, err);
        if (self->labels) rows->labels[r] = self->labels[self->row_index + r];
    }
    if (status != TCS_OK) return status;
    if (!h->fortran_order) self->at += count * row_size;
    self->row_index += count;
    rows->count = count;
    return TCS_OK;
}

static double progress(const tcsi_table *base)
{
    const npy *self = (const npy *)base;
    return (double)self->row_index / (double)self->header.row_count;
}

static void destroy(tcsi_table *base)
{
    npy *self = (npy *)base;
    tcsi_stream_close(self->stream);
    tcsi_free(self->buffer);
    tcsi_free(self->owned);
    tcsi_free(self->labels);
    tcsi_free(self);
}

/* ---- opening ---- */

/* The first rows as cells of text, with the label array as one column more, for the same guesses as CSV. */
static tcs_status guess(npy *self, const tcsi_table_open_options *options, const char *label_name, tcs_error *err)
{
    const array_header *h = &self->header;
    size_t row_count = options->sample_row_count, column_count = h->column_count + (self->labels != NULL), cell_count;
    if (row_count > CELL_COUNT_MAX / column_count) row_count = CELL_COUNT_MAX / column_count;
    if (row_count < 2) row_count = 2;
    if (row_count > h->row_count) row_count = h->row_count;
    tcs_status status = h->fortran_order ? TCS_OK : fill(self, row_count * h->column_count * h->item_size, err);
    if (status != TCS_OK) return status;
    tcsi_cell *cells = NULL;
    uint64_t *lines = TCSI_NEW_ARRAY(uint64_t, row_count);
    char(*texts)[ELEMENT_TEXT_SIZE] = NULL;
    if (tcsi_multiply(row_count, column_count, &cell_count)) {
        cells = TCSI_NEW_ARRAY(tcsi_cell, cell_count);
        texts = tcsi_alloc_array(cell_count, sizeof *texts);
    }
    if (!cells || !lines || !texts) status = tcsi_fail_memory(err, "a sample");
    for (size_t r = 0; r < row_count && status == TCS_OK; r++) {
        lines[r] = r + 1;
        for (size_t c = 0; c < h->column_count; c++) {
            size_t i = r * column_count + c;
            cells[i] = (tcsi_cell){ texts[i], element_text(h, element(self, r, c), texts[i]) };
        }
        if (self->labels) cells[(r + 1) * column_count - 1] = (tcsi_cell){ self->labels[r] ? "1" : "0", 1 };
    }
    if (status == TCS_OK) status = tcsi_schema_name(&self->base.report, NULL, column_count, err);
    tcsi_read_options read = *options->read;
    if (status == TCS_OK && self->labels) {
        char *name = tcsi_strdup(label_name), **last = &self->base.report.columns[column_count - 1].name;
        if (!name) status = tcsi_fail_memory(err, "a column name");
        if (name) tcsi_free(*last);
        if (name) *last = name;
        read.label_name = label_name;
    }
    tcsi_table_open_options adjusted = { &read, options->sample_row_count, options->sample_is_all };
    tcsi_sample sample = { row_count, column_count, cells, lines, '.' };
    if (status == TCS_OK) status = tcsi_schema_guess(&sample, &adjusted, &self->base.report, err);
    tcsi_free(cells);
    tcsi_free(lines);
    tcsi_free(texts);
    return status;
}

static tcs_status create(tcsi_stream *stream, const char *format, npy **ret_npy, tcs_error *err)
{
    static const tcsi_table_ops ops = { read_rows, progress, destroy };
    npy *self = TCSI_NEW(npy);
    if (!self) return tcsi_fail_memory(err, "a reader");
    self->base.ops = &ops;
    self->base.report = (tcsi_read_report){ .format = format, .compression = tcsi_stream_compression(stream), .encoding = "binary",
                                            .source = tcsi_strdup(tcsi_stream_name(stream)), .time_column = SIZE_MAX,
                                                .label_column = SIZE_MAX };
    if (!self->base.report.source) {
        tcsi_table_destroy(&self->base);
        return tcsi_fail_memory(err, "a reader");
    }
    *ret_npy = self;
    return TCS_OK;
}

/* Header, whole array when in Fortran order; sizes are checked here once for all. */
static tcs_status begin(npy *self, tcsi_stream *stream, tcs_error *err)
{
    size_t count, size;
    tcs_status status = read_header(stream, &self->header, err);
    if (status != TCS_OK) return status;
    if (!tcsi_multiply(self->header.row_count, self->header.column_count, &count) || !tcsi_multiply(count, self->header.item_size, &size))
        return tcsi_fail(err, TCS_E_LIMIT, "%s: %zu x %zu elements do not fit in memory", self->base.report.source, self->header.row_count,
                         self->header.column_count);
    self->stream = stream;
    status = self->header.fortran_order ? fill(self, size, err) : TCS_OK;
    self->stream = NULL; /* until nothing can fail any more */
    return status;
}

tcs_status tcsi_npy_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table, tcs_error *err)
{
    npy *self = NULL;
    tcs_status status = create(stream, "NPY", &self, err);
    if (status != TCS_OK) return status;
    status = begin(self, stream, err);
    self->stream = stream;
    if (status == TCS_OK) status = refuse_empty(&self->header, tcsi_stream_name(stream), err);
    if (status == TCS_OK) status = guess(self, options, NULL, err);
    if (status == TCS_OK) {
        *ret_table = &self->base;
        return TCS_OK;
    }
    self->stream = NULL; /* stays the caller's */
    tcsi_table_destroy(&self->base);
    return status;
}

/* ---- NPZ ---- */

typedef struct archive {
    const char *source;
    unsigned char *bytes;
    size_t size;
    tcsi_zip_member *members;
    size_t count;
} archive;

static tcs_status read_whole(tcsi_stream *stream, archive *a, tcs_error *err)
{
    size_t capacity = 0, size = 1;
    while (size > 0) {
        if (capacity - a->size < READ_SIZE) {
            capacity = capacity ? capacity * 2 : 2 * READ_SIZE;
            unsigned char *bytes = tcsi_realloc_array(a->bytes, capacity, 1);
            if (!bytes) return tcsi_fail_memory(err, "an archive");
            a->bytes = bytes;
        }
        tcs_status status = tcsi_stream_read(stream, a->bytes + a->size, capacity - a->size, &size, err);
        if (status != TCS_OK) return status;
        a->size += size;
    }
    return TCS_OK;
}

/* The member NAME.npy; NULL when there is none. */
static const tcsi_zip_member *find_member(const archive *a, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < a->count; i++) {
        const tcsi_zip_member *m = &a->members[i];
        if (m->name_size >= size && memcmp(m->name, name, size) == 0 &&
            (m->name_size == size || (m->name_size == size + 4 && memcmp(m->name + size, ".npy", 4) == 0)))
            return m;
    }
    return NULL;
}

static tcs_status open_member(const archive *a, const tcsi_zip_member *member, unsigned char **ret_content, tcsi_stream **ret_stream,
                              tcs_error *err)
{
    char name[256];
    snprintf(name, sizeof name, "%s[%.*s]", a->source, (int)(member->name_size < 64 ? member->name_size : 64), member->name);
    unsigned char *content = NULL;
    tcs_status status = tcsi_zip_extract(member, &content, err);
    if (status != TCS_OK) {
        if (status != TCS_E_MEMORY) tcsi_fail_prefix(err, "%s", name);
        return status;
    }
    status = tcsi_stream_open_memory(content, member->size, name, ret_stream, err);
    if (status == TCS_OK) *ret_content = content;
    else tcsi_free(content);
    return status;
}

static tcs_status choose_member(const archive *a, const char *key, const tcsi_zip_member **ret_member, tcs_error *err)
{
    static const char *const usual[] = { "X", "data", "values", "x" };
    *ret_member = NULL;
    if (key) {
        *ret_member = find_member(a, key);
        if (*ret_member) return TCS_OK;
        const tcsi_zip_member *first = a->members;
        return tcsi_fail(err, TCS_E_INVALID, "%s: no array '%s' among %zu%s%.*s%s", a->source, key, a->count, a->count
                         ? ", the first of which is '" : "",
                         a->count ? (int)(first->name_size < 64 ? first->name_size : 64) : 0, a->count ? first->name : "", a->count ? "'"
                             : "");
    }
    for (size_t i = 0; i < TCS_COUNT(usual) && !*ret_member; i++) *ret_member = find_member(a, usual[i]);
    if (!*ret_member && a->count > 0) *ret_member = a->members;
    return *ret_member ? TCS_OK : tcsi_fail(err, TCS_E_FORMAT, "%s: the archive is empty", a->source);
}

/* Fills self->labels from a member with one 0 or 1 for each row; leaves it NULL when it is anything else. */
static tcs_status read_labels(npy *self, const archive *a, const tcsi_zip_member *member, tcs_error *err)
{
    unsigned char *content = NULL;
    tcsi_stream *stream = NULL;
    npy *array = NULL;
    tcs_status status = open_member(a, member, &content, &stream, err);
    if (status != TCS_OK) return status;
    status = create(stream, "NPY", &array, err);
    if (status == TCS_OK) status = begin(array, stream, err);
    bool fits = status == TCS_OK && array->header.row_count == self->header.row_count && array->header.column_count == 1;
    uint8_t *labels = NULL;
    if (fits) {
        array->stream = stream;
        status = fill(array, array->header.row_count * array->header.item_size, err);
        array->stream = NULL;
        labels = status == TCS_OK ? TCSI_NEW_ARRAY(uint8_t, self->header.row_count) : NULL;
        if (status == TCS_OK && !labels) status = tcsi_fail_memory(err, "labels");
    }
    for (size_t r = 0; labels && r < self->header.row_count; r++) {
        double value = element_value(&array->header, element(array, r, 0));
        labels[r] = value == 1;
        if (value == 0 || value == 1) continue;
        tcsi_free(labels);
        labels = NULL;
    }
    self->labels = labels;
    if (array) tcsi_table_destroy(&array->base);
    tcsi_stream_close(stream);
    tcsi_free(content);
    /* An array of another type or shape is no label, and no error; a corrupt one is. */
    return status == TCS_E_UNSUPPORTED ? TCS_OK : status;
}

/* All members but the two that were used, at the end of the report's columns. */
static tcs_status report_others(npy *self, const archive *a, const tcsi_zip_member *values, const tcsi_zip_member *labels, tcs_error *err)
{
    static const char reason[] = "another array of the archive";
    tcsi_read_report *report = &self->base.report;
    if (a->count > TCSI_FRAME_CHANNEL_COUNT_MAX) return tcsi_fail(err, TCS_E_LIMIT, "%s: %zu arrays", a->source, a->count);
    tcsi_read_column *columns = tcsi_realloc_array(report->columns, report->column_count + a->count, sizeof *columns);
    if (!columns) return tcsi_fail_memory(err, "columns");
    report->columns = columns;
    for (size_t i = 0; i < a->count; i++) {
        const tcsi_zip_member *m = &a->members[i];
        if (m == values || m == labels) continue;
        char *name = tcsi_strndup(m->name, m->name_size);
        if (!name) return tcsi_fail_memory(err, "columns");
        columns[report->column_count++] = (tcsi_read_column){ .name = name, .role = TCSI_COLUMN_SKIPPED, .reason = reason };
    }
    return TCS_OK;
}

static tcs_status open_values(npy *self, const archive *a, const tcsi_table_open_options *options, tcs_error *err)
{
    static const char *const label_names[] = { "y", "label", "labels", "Y", "Label" };
    const char *wanted = options->read->label_name, *label_name = NULL;
    const tcsi_zip_member *values = NULL, *labels = NULL;
    tcsi_stream *stream = NULL;
    tcs_status status = choose_member(a, options->read->npz_key, &values, err);
    if (status == TCS_OK) status = open_member(a, values, &self->owned, &stream, err);
    if (status != TCS_OK) return status;
    status = begin(self, stream, err);
    self->stream = stream;
    if (status == TCS_OK) status = refuse_empty(&self->header, tcsi_stream_name(stream), err);
    if (status != TCS_OK) return status;
    if (wanted && *wanted && find_member(a, wanted)) label_name = wanted;
    for (size_t i = 0; !wanted && i < TCS_COUNT(label_names) && !label_name; i++)
        if (find_member(a, label_names[i])) label_name = label_names[i];
    if (label_name && find_member(a, label_name) != values) {
        labels = find_member(a, label_name);
        status = read_labels(self, a, labels, err);
        if (status == TCS_OK && !self->labels && wanted)
            status = tcsi_fail(err, TCS_E_INVALID, "%s: array '%s' does not hold one 0 or 1 for each of %zu rows", a->source, wanted,
                               self->header.row_count);
        if (!self->labels) labels = NULL;
    }
    if (status == TCS_OK) status = guess(self, options, label_name, err);
    if (status == TCS_OK) status = report_others(self, a, values, labels, err);
    return status;
}

tcs_status tcsi_npz_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table, tcs_error *err)
{
    npy *self = NULL;
    archive a = { .source = tcsi_stream_name(stream) };
    tcs_status status = create(stream, "NPZ", &self, err);
    if (status != TCS_OK) return status;
    status = read_whole(stream, &a, err);
    if (status == TCS_OK) {
        status = tcsi_zip_open(a.bytes, a.size, &a.members, &a.count, err);
        if (status != TCS_OK && status != TCS_E_MEMORY) tcsi_fail_prefix(err, "%s", a.source);
    }
    if (status == TCS_OK) status = open_values(self, &a, options, err);
    tcsi_free(a.members);
    tcsi_free(a.bytes);
    if (status != TCS_OK) {
        tcsi_table_destroy(&self->base);
        return status;
    }
    tcsi_stream_close(stream); /* taken; the table reads the member */
    *ret_table = &self->base;
    return TCS_OK;
}
