/* io/csv.c -- bytes to rows: RFC 4180 and what people really write.
 *
 * Problem: numbers at memory speed, yet quotes, embedded newlines, ragged rows and live pipes handled with care.
 *
 * Idea: the reader only ever looks at complete rows.  After each read it finds the last newline that is not inside
 * quotes (`safe`); everything before it can be parsed without asking at every byte whether the buffer goes on, as each
 * row ends in a newline that stops every scan.  A plain number is parsed where it stands; whatever is not (quotes,
 * words, blanks) takes the slow path, cell by cell.  A quote opens a quoted cell only at the start of a cell, blanks
 * before it allowed; a quoted cell whose closing quote is followed by more text is taken as it is written.
 *
 * Invariants: see io/csv.h.  Rows come out whole or the read fails with file and line.
 * Cost: one pass with read() into 256 KiB; measured by bench/csv_bench.c.  SPDX-License-Identifier: Apache-2.0 */
#include "io/csv.h"

#include "base/alloc.h"
#include "io/number.h"

#include <math.h>
#include <string.h>

/* ---- filling ---- */

static size_t after_last_newline(const char *buffer, size_t begin, size_t end)
{
    while (end > begin && buffer[end - 1] != '\n') end--;
    return end;
}

/* Whether the byte at position stands at the start of a cell, blanks before it allowed. */
static bool opens_cell(const tcsi_csv *csv, size_t position)
{
    while (position > csv->at && csv->buffer[position - 1] == ' ' && csv->delimiter != ' ') position--;
    if (position == csv->at) return true;
    char before = csv->buffer[position - 1];
    if (before == '\n') return true;
    return csv->delimiter ? before == csv->delimiter : memchr(",;\t| ", before, 5) != NULL;
}

/* Walks from quote to quote; newlines count between quoted cells only. */
void tcsi_csv_find_safe(tcsi_csv *csv)
{
    const char *buffer = csv->buffer;
    size_t begin = csv->safe, safe = csv->safe; /* begin of the current stretch outside quotes */
    size_t look = csv->safe;
    for (;;) {
        const char *quote = memchr(buffer + look, '"', csv->end - look);
        size_t open = quote ? (size_t)(quote - buffer) : csv->end;
        if (quote && !opens_cell(csv, open)) {
            look = open + 1;
            continue;
        }
        size_t newline = after_last_newline(buffer, begin, open);
        if (newline > begin) safe = newline;
        if (!quote) break;
        size_t close = open + 1;
        for (;;) { /* doubled quotes are part of the cell */
            quote = memchr(buffer + close, '"', csv->end - close);
            if (!quote) break;
            close = (size_t)(quote - buffer) + 1;
            if (close >= csv->end || buffer[close] != '"') break;
            close++;
        }
        if (!quote) break; /* still open */
        begin = look = close;
    }
    csv->safe = safe;
}

static tcs_status grow(tcsi_csv *csv, tcs_error *err)
{
    size_t capacity = csv->capacity ? csv->capacity * 2 : 2 * TCSI_CSV_READ_SIZE;
    char *buffer = tcsi_realloc_array(csv->buffer, capacity + TCSI_CSV_PADDING, 1);
    if (!buffer) return tcsi_fail_memory(err, "reading rows");
    csv->buffer = buffer;
    csv->capacity = capacity;
    return TCS_OK;
}

static tcs_status refuse_nul(const tcsi_csv *csv, const char *nul, tcs_error *err)
{
    uint64_t line = csv->line;
    size_t begin = csv->at;
    for (const char *c = csv->buffer + begin; c < nul; c++) line += *c == '\n';
    bool wide = csv->end - begin >= 4 && (!csv->buffer[begin + 1] || !csv->buffer[begin]) &&
        (!csv->buffer[begin + 3] || !csv->buffer[begin + 2]);
    if (wide && line == 1)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: is UTF-16, expected UTF-8; convert it with iconv -f UTF-16 -t UTF-8",
                         csv->base.report.source);
    return tcsi_fail(err, TCS_E_FORMAT, "%s:%llu: a NUL byte; expected text", csv->base.report.source, (unsigned long long)line);
}

static tcs_status refuse_long(const tcsi_csv *csv, tcs_error *err)
{
    return tcsi_fail(err, TCS_E_LIMIT, "%s:%llu: a row of more than %d MiB begins here; is a closing quote missing?",
                     csv->base.report.source, (unsigned long long)csv->line, TCSI_CSV_ROW_SIZE_MAX >> 20);
}

tcs_status tcsi_csv_fill(tcsi_csv *csv, tcs_error *err)
{
    size_t before = csv->safe - csv->at; /* complete rows that the caller has not taken */
    while (!csv->stream_end) {
        if (csv->at > TCSI_CSV_MARGIN) {
            size_t shift = csv->at - TCSI_CSV_MARGIN;
            memmove(csv->buffer + TCSI_CSV_MARGIN, csv->buffer + csv->at, csv->end - csv->at);
            csv->at -= shift;
            csv->safe -= shift;
            csv->end -= shift;
        }
        size_t row_size = csv->end - csv->safe;
        if (row_size >= TCSI_CSV_ROW_SIZE_MAX) return refuse_long(csv, err);
        if (csv->capacity < csv->end + 1 + TCSI_CSV_READ_SIZE || csv->capacity < 2 * row_size) {
            tcs_status status = grow(csv, err);
            if (status != TCS_OK) return status;
        }
        /* A row that did not fit asks for as much again, so that finding its end stays linear. */
        size_t wanted = row_size > TCSI_CSV_READ_SIZE ? row_size : TCSI_CSV_READ_SIZE, size = 0;
        if (wanted > csv->capacity - csv->end - 1) wanted = csv->capacity - csv->end - 1;
        tcs_status status = row_size > TCSI_CSV_READ_SIZE ? tcsi_stream_read_all(csv->stream, csv->buffer + csv->end, wanted, &size, err)
                                                          : tcsi_stream_read(csv->stream, csv->buffer + csv->end, wanted, &size, err);
        if (status != TCS_OK) return status;
        const char *nul = size > 0 ? memchr(csv->buffer + csv->end, 0, size) : NULL;
        csv->end += size;
        csv->received_size += size;
        csv->stream_end = size == 0;
        if (nul) return refuse_nul(csv, nul, err);
        if (csv->stream_end && csv->end > csv->at && csv->buffer[csv->end - 1] != '\n') csv->buffer[csv->end++] = '\n';
        memset(csv->buffer + csv->end, 0, TCSI_CSV_PADDING);
        tcsi_csv_find_safe(csv);
        if (csv->safe - csv->at > before) return TCS_OK;
    }
    if (csv->safe == csv->end) return TCS_OK;
    uint64_t line = csv->line;
    for (size_t i = csv->at; i < csv->safe; i++) line += csv->buffer[i] == '\n';
    return tcsi_fail(err, TCS_E_FORMAT, "%s:%llu: a quote opened in this row is never closed", csv->base.report.source,
                     (unsigned long long)line);
}

/* ---- cells ---- */

tcsi_csv_line tcsi_csv_line_kind(const tcsi_csv *csv, size_t at)
{
    const char *text = csv->buffer + at;
    if (*text == '#') return TCSI_CSV_COMMENT;
    while (*text == ' ' || (*text == '\t' && csv->delimiter != '\t')) text++;
    return *text == '\n' || (*text == '\r' && text[1] == '\n') ? TCSI_CSV_BLANK : TCSI_CSV_ROW;
}

size_t tcsi_csv_line_end(const tcsi_csv *csv, size_t at)
{
    const char *newline = memchr(csv->buffer + at, '\n', csv->safe - at);
    TCS_ASSERT(newline);
    return (size_t)(newline - csv->buffer) + 1;
}

/* The byte behind an unquoted cell: the delimiter or the newline. */
static const char *cell_end(const char *text, char delimiter)
{
    while (*text != delimiter && *text != '\n') text++;
    return text;
}

static tcsi_cell plain_cell(const char *begin, const char *end)
{
    if (*end == '\n' && end > begin && end[-1] == '\r') end--;
    return (tcsi_cell){ begin, (size_t)(end - begin) };
}

static bool ends_cell(const char *text, char delimiter)
{
    return *text == delimiter || *text == '\n' || (*text == '\r' && text[1] == '\n');
}

static void undouble(const char *from, const char *end, char *to, size_t *ret_size)
{
    size_t size = 0;
    for (; from < end; from++) {
        to[size++] = *from;
        from += *from == '"';
    }
    *ret_size = size;
}

typedef struct cursor { /* where in the row, and how many lines it has crossed */
    const char *at;
    uint64_t lines;
} cursor;

static void step_over(cursor *c, const char *end)
{
    for (const char *p = c->at; p < end; p++) c->lines += *p == '\n';
    c->at = end;
}

/* One cell in quotes; c->at is its opening quote. */
static tcs_status quoted_cell(tcsi_csv *csv, cursor *c, uint64_t line, tcsi_arena *copies, tcsi_cell *ret_cell, tcs_error *err)
{
    const char *safe = csv->buffer + csv->safe, *begin = c->at + 1, *close = begin;
    bool doubled = false;
    for (;;) {
        close = memchr(close, '"', (size_t)(safe - close));
        if (!close) return tcsi_fail(err, TCS_E_FORMAT, "%s:%llu: a quote opened in this row is never closed", csv->base.report.source,
                                     (unsigned long long)line);
        if (close[1] != '"') break; /* at worst the newline before safe */
        close += 2;
        doubled = true;
    }
    const char *behind = close + 1;
    while (*behind == ' ' && csv->delimiter != ' ') behind++;
    if (!ends_cell(behind, csv->delimiter)) { /* text behind the closing quote: the cell is what is written */
        behind = cell_end(behind, csv->delimiter);
        *ret_cell = plain_cell(c->at, behind);
        step_over(c, behind);
        return TCS_OK;
    }
    *ret_cell = (tcsi_cell){ begin, (size_t)(close - begin) };
    step_over(c, behind);
    if (!doubled) return TCS_OK;
    char *copy;
    if (copies) {
        copy = tcsi_arena_alloc(copies, ret_cell->size, 1);
        if (!copy) return tcsi_fail_memory(err, "a cell");
    } else {
        tcsi_buffer_clear(&csv->unquoted);
        tcs_status status = tcsi_buffer_reserve(&csv->unquoted, ret_cell->size, err);
        if (status != TCS_OK) return status;
        copy = csv->unquoted.data;
    }
    undouble(begin, close, copy, &ret_cell->size);
    ret_cell->text = copy;
    return TCS_OK;
}

/* The cell at c->at, quoted or not; c->at then stands behind it, at a delimiter, \n or \r\n. */
static tcs_status next_cell(tcsi_csv *csv, cursor *c, uint64_t line, tcsi_arena *copies, tcsi_cell *ret_cell, tcs_error *err)
{
    const char *text = c->at;
    while (*text == ' ') text++;
    if (*text == '"') {
        c->at = text;
        return quoted_cell(csv, c, line, copies, ret_cell, err);
    }
    text = cell_end(c->at, csv->delimiter);
    *ret_cell = plain_cell(c->at, text);
    c->at = text;
    return TCS_OK;
}

static void skip_blanks(const char **at)
{
    while (**at == ' ') (*at)++;
}

/* Behind a cell: true when another follows, with *at at its first byte.  Runs of blanks are one delimiter, and those at
 * the end of a row are none. */
static bool next_follows(const char **at, char delimiter)
{
    if (**at != delimiter) return false;
    (*at)++;
    if (delimiter != ' ') return true;
    skip_blanks(at);
    return **at != '\n' && !(**at == '\r' && (*at)[1] == '\n');
}

static const char *behind_row(const char *at)
{
    while (*at != '\n') at++; /* at most a \r, and blanks behind the last delimiter */
    return at + 1;
}

tcs_status tcsi_csv_split(tcsi_csv *csv, size_t at, uint64_t line, tcsi_cell *cells, size_t cell_capacity, tcsi_arena *copies,
                          size_t *ret_count, size_t *ret_next, uint64_t *ret_lines, tcs_error *err)
{
    cursor c = { csv->buffer + at, 1 };
    size_t count = 0;
    bool empty;
    if (csv->delimiter == ' ') skip_blanks(&c.at);
    do {
        tcsi_cell cell;
        bool quoted = *c.at == '"';
        tcs_status status = next_cell(csv, &c, line, copies, &cell, err);
        if (status != TCS_OK) return status;
        empty = cell.size == 0 && !quoted;
        if (cells && count < cell_capacity) cells[count] = cell;
        count++;
    } while (next_follows(&c.at, csv->delimiter));
    if (csv->column_count > 0 && count == csv->column_count + 1 && empty) count--;
    *ret_count = count;
    *ret_next = (size_t)(behind_row(c.at) - csv->buffer);
    *ret_lines = c.lines;
    return TCS_OK;
}

/* ---- rows ---- */

static tcs_status refuse_ragged(tcsi_csv *csv, tcs_error *err)
{
    size_t count, next;
    uint64_t lines;
    tcs_status status = tcsi_csv_split(csv, csv->at, csv->line, NULL, 0, NULL, &count, &next, &lines, err);
    if (status != TCS_OK) return status;
    return tcsi_fail(err, TCS_E_FORMAT, "%s:%llu: %zu columns, expected %zu; `detect --skip-ragged` passes over such rows",
                     csv->base.report.source,
                     (unsigned long long)csv->line, count, csv->column_count);
}

/* A cell that is no plain number. */
static tcs_status take_words(tcsi_csv *csv, cursor *c, size_t column, double *values, int64_t *time_ns, uint8_t *label, tcs_error *err)
{
    const tcsi_csv_plan *plan = &csv->plans[column];
    tcsi_cell cell;
    tcs_status status = next_cell(csv, c, csv->line, NULL, &cell, err);
    if (status != TCS_OK) return status;
    switch (plan->role) {
    case TCSI_COLUMN_VALUE: return tcsi_table_value(&csv->base, column, cell, csv->decimal, csv->line, &values[plan->channel], err);
    case TCSI_COLUMN_TIME: *time_ns = tcsi_table_time(&csv->base, cell, csv->line); return TCS_OK;
    case TCSI_COLUMN_LABEL: return tcsi_table_label(&csv->base, cell, csv->decimal, csv->line, label, err);
    case TCSI_COLUMN_SKIPPED: break;
    }
    return TCS_OK;
}

/* One cell of any kind; moves c behind it and behind what ends it, which must be right for the column. */
static tcs_status take_cell(tcsi_csv *csv, cursor *c, size_t column, tcsi_rows *rows, double *values, tcs_error *err)
{
    const tcsi_csv_plan *plan = &csv->plans[column];
    const char delimiter = csv->delimiter, *end;
    double value;
    while (*c->at == ' ' && delimiter != ' ') c->at++;
    if (plan->role == TCSI_COLUMN_VALUE && (end = tcsi_number_scan(c->at, csv->decimal, &value)) != NULL && ends_cell(end, delimiter) &&
        fabs(value) <= TCS_VALUE_MAX) {
        values[plan->channel] = value;
        c->at = end;
    } else if (plan->role == TCSI_COLUMN_LABEL && (*c->at == '0' || *c->at == '1') && ends_cell(c->at + 1, delimiter)) {
        rows->labels[rows->count] = *c->at++ == '1';
    } else {
        tcs_status status = take_words(csv, c, column, values, rows->times_ns + rows->count, rows->labels + rows->count, err);
        if (status != TCS_OK) return status;
    }
    bool follows = next_follows(&c->at, delimiter);
    if (column + 1 < csv->column_count) return follows ? TCS_OK : refuse_ragged(csv, err);
    if (follows && (delimiter == ' ' || !(*c->at == '\n' || (*c->at == '\r' && c->at[1] == '\n')))) return refuse_ragged(csv, err);
    c->at = behind_row(c->at);
    return TCS_OK;
}

/* The row at csv->at, of which the cells before c and column are taken; moves `at` and line behind it. */
static tcs_status take_row(tcsi_csv *csv, cursor c, size_t column, tcsi_rows *rows, tcs_error *err)
{
    double *values = rows->values + rows->count * csv->base.report.value_count;
    if (csv->delimiter == ' ') skip_blanks(&c.at);
    while (column < csv->column_count) {
        size_t run = csv->plans[column].run;
        if (run > 0) {
            tcsi_csv_place place = { c.at, column };
            size_t taken = tcsi_csv_take_plain(csv, &place, run, values + csv->plans[column].channel);
            c.at = place.at;
            column += taken;
            if (taken == run) continue;
        }
        tcs_status status = take_cell(csv, &c, column, rows, values, err);
        if (status != TCS_OK) return status;
        column++;
    }
    csv->at = (size_t)(c.at - csv->buffer);
    csv->line += c.lines;
    rows->count++;
    return TCS_OK;
}

/* Rows of nothing but plain numbers as long as there are, then the one that is not. */
static tcs_status take_rows(tcsi_csv *csv, tcsi_rows *rows, tcs_error *err)
{
    const size_t column_count = csv->column_count;
    tcsi_csv_place place = { csv->buffer + csv->at, 0 };
    if (csv->plans[0].run < column_count || csv->skip_ragged) return take_row(csv, (cursor){ place.at, 1 }, 0, rows, err);
    size_t cell_count_max = (rows->capacity - rows->count) * column_count;
    size_t row_count = tcsi_csv_take_plain(csv, &place, cell_count_max, rows->values + rows->count * column_count) / column_count;
    if (row_count > 0) csv->at = after_last_newline(csv->buffer, csv->at, (size_t)(place.at - csv->buffer));
    csv->line += row_count;
    rows->count += row_count;
    return row_count > 0 && place.column == 0 ? TCS_OK : take_row(csv, (cursor){ place.at, 1 }, place.column, rows, err);
}

/* With skip_ragged: true when the row at `at` has another number of columns and was passed over. */
static tcs_status skip_if_ragged(tcsi_csv *csv, bool *ret_skipped, tcs_error *err)
{
    size_t count, next;
    uint64_t lines;
    tcs_status status = tcsi_csv_split(csv, csv->at, csv->line, NULL, 0, NULL, &count, &next, &lines, err);
    if (status != TCS_OK) return status;
    *ret_skipped = count != csv->column_count;
    if (!*ret_skipped) return TCS_OK;
    if (csv->base.report.ragged_count++ == 0) csv->base.report.ragged_line = csv->line;
    csv->at = next;
    csv->line += lines;
    return TCS_OK;
}

static tcs_status read_rows(tcsi_table *base, tcsi_rows *rows, tcs_error *err)
{
    tcsi_csv *csv = (tcsi_csv *)base;
    while (rows->count < rows->capacity) {
        if (csv->at == csv->safe) {
            if (rows->count > 0) break;
            tcs_status status = tcsi_csv_fill(csv, err);
            if (status != TCS_OK) return status;
            if (csv->at == csv->safe) break;
        }
        tcsi_csv_line kind = csv->buffer[csv->at] > '#' ? TCSI_CSV_ROW : tcsi_csv_line_kind(csv, csv->at);
        if (kind != TCSI_CSV_ROW) {
            base->report.blank_count += kind == TCSI_CSV_BLANK;
            base->report.comment_count += kind == TCSI_CSV_COMMENT;
            csv->at = tcsi_csv_line_end(csv, csv->at);
            csv->line++;
            continue;
        }
        bool skipped = false;
        tcs_status status = csv->skip_ragged ? skip_if_ragged(csv, &skipped, err) : TCS_OK;
        if (status == TCS_OK && !skipped) status = take_rows(csv, rows, err);
        if (status != TCS_OK) return status;
    }
    return TCS_OK;
}

static double progress(const tcsi_table *base)
{
    const tcsi_csv *csv = (const tcsi_csv *)base;
    uint64_t waiting = csv->end - csv->at; /* in the buffer, one newline at the end perhaps not from the stream */
    if (csv->received_size <= waiting) return 0;
    return tcsi_stream_progress(csv->stream) * (double)(csv->received_size - waiting) / (double)csv->received_size;
}

static void destroy(tcsi_table *base)
{
    tcsi_csv *csv = (tcsi_csv *)base;
    tcsi_stream_close(csv->stream);
    tcsi_free(csv->buffer);
    tcsi_free(csv->plans);
    tcsi_buffer_deinit(&csv->unquoted);
    tcsi_arena_deinit(&csv->sample_arena);
    tcsi_free(csv);
}

static tcs_status plan(tcsi_csv *csv, tcs_error *err)
{
    csv->plans = TCSI_NEW_ARRAY(tcsi_csv_plan, csv->column_count);
    if (!csv->plans) return tcsi_fail_memory(err, "columns");
    for (size_t c = csv->column_count; c-- > 0;) {
        const tcsi_read_column *column = &csv->base.report.columns[c];
        csv->plans[c] = (tcsi_csv_plan){ column->role, column->channel, 0 };
        if (column->role != TCSI_COLUMN_VALUE || csv->delimiter == ' ') continue;
        const tcsi_csv_plan *next = c + 1 < csv->column_count ? &csv->plans[c + 1] : NULL;
        csv->plans[c].run = next && next->run > 0 && next->channel == column->channel + 1 ? next->run + 1 : 1;
    }
    return TCS_OK;
}

tcs_status tcsi_csv_open(tcsi_stream *stream, const tcsi_table_open_options *options, tcsi_table **ret_table, tcs_error *err)
{
    static const tcsi_table_ops ops = { read_rows, progress, destroy };
    tcsi_csv *csv = TCSI_NEW(tcsi_csv);
    if (!csv) return tcsi_fail_memory(err, "a reader");
    csv->base.ops = &ops;
    csv->at = csv->safe = csv->end = TCSI_CSV_MARGIN;
    csv->line = 1;
    csv->skip_ragged = options->read->skip_ragged;
    tcsi_buffer_init(&csv->unquoted, TCSI_CSV_ROW_SIZE_MAX * (size_t)4);
    tcsi_arena_init(&csv->sample_arena, 0);
    tcsi_read_report *report = &csv->base.report;
    *report = (tcsi_read_report){ .format = "CSV", .compression = tcsi_stream_compression(stream), .encoding = "UTF-8",
                                  .source = tcsi_strdup(tcsi_stream_name(stream)), .time_column = SIZE_MAX, .label_column = SIZE_MAX };
    csv->stream = stream;
    tcs_status status = report->source ? tcsi_csv_sniff(csv, options, err) : tcsi_fail_memory(err, "a reader");
    if (status == TCS_OK) status = plan(csv, err);
    if (status == TCS_OK) {
        tcsi_arena_deinit(&csv->sample_arena);
        tcsi_arena_init(&csv->sample_arena, 0);
        *ret_table = &csv->base;
        return TCS_OK;
    }
    csv->stream = NULL; /* stays the caller's */
    tcsi_table_destroy(&csv->base);
    return status;
}
