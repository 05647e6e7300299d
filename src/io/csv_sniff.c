/* io/csv_sniff.c -- what the CSV reader must know before its first row: encoding, delimiter, decimal mark, header.
 *
 * All is decided on a sample of the first rows (at most sample_row_count, 4 MiB or 2,000,000 cells, at least two rows):
 *   delimiter  the one that cuts most rows into the same number of cells, at least two; on a tie the rarer character in
 *              prose and numbers wins: tab ; | , blank.  One column when none does.
 *   decimal    a comma when it is not the delimiter and makes more cells numbers than the point does.
 *   header     the first row, when some cell of it is text over a column of numbers or times, and none of it looks like
 *              measured data; or when it is exactly 0, 1, 2, ... n-1, n >= 3, as pandas writes nameless columns.
 * UTF-16, UTF-32 and old Macintosh line ends are refused by name.  SPDX-License-Identifier: Apache-2.0 */
#include "io/csv.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { SNIFF_ROW_COUNT = 200, CELL_COUNT_MAX = 2000000 };

static const char candidates[] = "\t;|, ";

/* ---- encoding ---- */

static bool is_utf8(const unsigned char *text, size_t size)
{
    size_t i = 0;
    while (i < size) {
        unsigned char lead = text[i++];
        size_t more = lead < 0x80 ? 0 : lead < 0xC2 ? 4 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : 4;
        if (more == 4 || more > size - i) return false;
        for (; more > 0; more--)
            if ((text[i++] & 0xC0) != 0x80) return false;
    }
    return true;
}

static tcs_status check_encoding(tcsi_csv *csv, tcs_error *err)
{
    unsigned char mark[4];
    size_t size;
    tcs_status status = tcsi_stream_peek(csv->stream, "\xFF\xFE", mark, sizeof mark, &size, err);
    if (status != TCS_OK) return status;
    if (size < 2 || !((mark[0] == 0xFF && mark[1] == 0xFE) || (mark[0] == 0xFE && mark[1] == 0xFF))) return TCS_OK;
    return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: is UTF-16, expected UTF-8; convert it with iconv -f UTF-16 -t UTF-8",
                     csv->base.report.source);
}

/* ---- sample ---- */

static size_t count_lines(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) count += text[i] == '\n';
    return count;
}

/* Reads until the sample is there. */
static tcs_status gather(tcsi_csv *csv, size_t row_count, tcs_error *err)
{
    size_t rows = 0, counted_size = 0;
    do {
        tcs_status status = tcsi_csv_fill(csv, err);
        if (status != TCS_OK) return status;
        size_t available = csv->safe - csv->at - counted_size;
        rows += count_lines(csv->buffer + csv->at + counted_size, available);
        counted_size += available;
    } while (!csv->stream_end && (rows < 3 || (rows <= row_count && csv->safe - csv->at < TCSI_CSV_SAMPLE_SIZE_MAX)));
    if (csv->at == csv->safe) return tcsi_fail(err, TCS_E_FORMAT, "%s: is empty, expected rows of numbers", csv->base.report.source);
    const char *text = csv->buffer + csv->at;
    size_t size = csv->safe - csv->at;
    const char *carriage = memchr(text, '\r', size), *newline = memchr(text, '\n', size);
    if (carriage && newline == text + size - 1 && carriage < newline - 2)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: its lines end in a carriage return alone; convert it with tr '\\r' '\\n'",
                         csv->base.report.source);
    return TCS_OK;
}

/* The next row at or behind *at that is neither blank nor comment; false when there is none in the sample. */
static bool find_row(const tcsi_csv *csv, size_t *at, uint64_t *line)
{
    while (*at < csv->safe && tcsi_csv_line_kind(csv, *at) != TCSI_CSV_ROW) {
        *at = tcsi_csv_line_end(csv, *at);
        (*line)++;
    }
    return *at < csv->safe;
}

/* ---- delimiter ---- */

typedef struct verdict {
    size_t column_count; /* of most rows */
    double share;        /* of rows that have it */
} verdict;

static tcs_status judge(tcsi_csv *csv, verdict *ret_verdict, tcs_error *err)
{
    size_t counts[SNIFF_ROW_COUNT], count = 0, at = csv->at, best = 0;
    uint64_t line = csv->line, lines;
    csv->safe = csv->at;
    tcsi_csv_find_safe(csv);
    while (count < SNIFF_ROW_COUNT && find_row(csv, &at, &line)) {
        tcs_status status = tcsi_csv_split(csv, at, line, NULL, 0, NULL, &counts[count], &at, &lines, err);
        if (status != TCS_OK) return status;
        line += lines;
        count++;
    }
    *ret_verdict = (verdict){ 0 };
    size_t begin = count > 2; /* the header may lack a name, or be a title */
    for (size_t i = begin; i < count; i++) {
        size_t same = 0;
        for (size_t j = begin; j < count; j++) same += counts[j] == counts[i];
        if (same > best) *ret_verdict = (verdict){ counts[i], (double)same / (double)(count - begin) };
        best = same > best ? same : best;
    }
    return TCS_OK;
}

static tcs_status sniff_delimiter(tcsi_csv *csv, const tcsi_read_options *options, tcs_error *err)
{
    verdict best = { 1, 0 };
    char chosen = options->delimiter;
    for (const char *candidate = candidates; *candidate && !options->delimiter; candidate++) {
        verdict v;
        if (options->decimal && *candidate == options->decimal) continue;
        csv->delimiter = *candidate;
        tcs_status status = judge(csv, &v, err);
        if (status == TCS_E_MEMORY) return status;
        if (status != TCS_OK || v.column_count < 2 || v.share < 0.7 ||
            v.share <= best.share) continue; /* E_FORMAT: quotes do not match under this one */
        best = v;
        chosen = *candidate;
    }
    csv->delimiter = chosen ? chosen : options->decimal == ',' ? ';' : ',';
    tcs_status status = judge(csv, &best, err);
    csv->base.report.delimiter = csv->delimiter;
    return status;
}

/* ---- cells of the sample ---- */

typedef struct sample_rows {
    tcsi_cell *cells; /* (R,C), header row first */
    uint64_t *lines;  /* (R) */
    size_t *starts;   /* (R) where each row begins */
    size_t row_count, column_count;
} sample_rows;

static void sample_rows_deinit(sample_rows *rows)
{
    tcsi_free(rows->cells);
    tcsi_free(rows->lines);
    tcsi_free(rows->starts);
}

/* The number of columns: that of the second row when it has one more than the first (R writes no name over the row
 * names), otherwise of the first. */
static tcs_status count_columns(tcsi_csv *csv, bool *ret_shift, tcs_error *err)
{
    size_t at = csv->at, first, second, third;
    uint64_t line = csv->line, lines;
    *ret_shift = false;
    if (!find_row(csv, &at, &line)) return tcsi_fail(err, TCS_E_FORMAT, "%s: holds no rows", csv->base.report.source);
    tcs_status status = tcsi_csv_split(csv, at, line, NULL, 0, NULL, &first, &at, &lines, err);
    line += lines;
    csv->column_count = 0;
    if (status == TCS_OK && find_row(csv, &at, &line)) {
        csv->column_count = first; /* one empty cell more is none */
        status = tcsi_csv_split(csv, at, line, NULL, 0, NULL, &second, &at, &lines, err);
        line += lines;
        if (status == TCS_OK && second == first + 1 && find_row(csv, &at, &line)) {
            status = tcsi_csv_split(csv, at, line, NULL, 0, NULL, &third, &at, &lines, err);
            *ret_shift = third == second;
        }
    }
    csv->column_count = first + *ret_shift;
    return status;
}

static tcs_status collect(tcsi_csv *csv, size_t row_count_max, bool shift, sample_rows *rows, tcs_error *err)
{
    size_t at = csv->at, count, cell_count;
    uint64_t line = csv->line, lines;
    rows->column_count = csv->column_count;
    if (row_count_max > CELL_COUNT_MAX / rows->column_count) row_count_max = CELL_COUNT_MAX / rows->column_count;
    if (row_count_max < 2) row_count_max = 2;
    size_t available = count_lines(csv->buffer + csv->at, csv->safe - csv->at);
    if (row_count_max > available) row_count_max = available;
    if (!tcsi_multiply(row_count_max, rows->column_count, &cell_count)) return tcsi_fail_memory(err, "a sample");
    rows->cells = TCSI_NEW_ZEROS(tcsi_cell, cell_count);
    rows->lines = TCSI_NEW_ARRAY(uint64_t, row_count_max);
    rows->starts = TCSI_NEW_ARRAY(size_t, row_count_max);
    if (!rows->cells || !rows->lines || !rows->starts) return tcsi_fail_memory(err, "a sample");
    while (rows->row_count < row_count_max && find_row(csv, &at, &line)) {
        size_t skipped = shift && rows->row_count == 0, start = at;
        tcsi_cell *cells = rows->cells + rows->row_count * rows->column_count;
        if (skipped) cells[0] = (tcsi_cell){ "", 0 };
        tcs_status status = tcsi_csv_split(csv, at, line, cells + skipped, rows->column_count - skipped, &csv->sample_arena, &count, &at,
                                           &lines, err);
        if (status != TCS_OK) return status;
        rows->lines[rows->row_count] = line;
        rows->starts[rows->row_count] = start;
        line += lines;
        if (count + skipped == rows->column_count) rows->row_count++; /* a ragged one is met again when it is read */
    }
    if (rows->row_count > 0) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "%s: holds no rows", csv->base.report.source);
}

/* ---- decimal mark and header ---- */

static char sniff_decimal(const tcsi_csv *csv, const sample_rows *rows)
{
    size_t comma = 0, point = 0, cell_count = rows->row_count * rows->column_count;
    double value;
    if (csv->delimiter == ',') return '.';
    for (size_t i = 0; i < cell_count; i++) {
        tcsi_cell cell = rows->cells[i];
        if (cell.size == 0 || cell.size > 64) continue;
        if (memchr(cell.text, ',', cell.size)) comma += tcsi_cell_read(cell, ',', &value) == TCSI_CELL_NUMBER;
        else if (memchr(cell.text, '.', cell.size)) point += tcsi_cell_read(cell, '.', &value) == TCSI_CELL_NUMBER;
    }
    return comma > point ? ',' : '.';
}

/* 0, 1, 2, ... n - 1 over anything else. */
static bool is_numbered_header(const tcsi_csv *csv, const sample_rows *rows)
{
    if (rows->column_count < 3 || rows->row_count < 2) return false;
    bool same = true;
    for (size_t c = 0; c < rows->column_count; c++) {
        double value, below;
        if (tcsi_cell_read(rows->cells[c], csv->decimal, &value) != TCSI_CELL_NUMBER || value != (double)c) return false;
        tcsi_cell_kind kind = tcsi_cell_read(rows->cells[rows->column_count + c], csv->decimal, &below);
        same = same && kind == TCSI_CELL_NUMBER && below == value;
    }
    return !same;
}

/* A number that stands in a header only by accident: with a fraction or an exponent. */
static bool looks_measured(tcsi_cell cell)
{
    for (size_t i = 0; i < cell.size; i++)
        if (cell.text[i] == '.' || cell.text[i] == ',' || cell.text[i] == 'e' || cell.text[i] == 'E') return true;
    return false;
}

/* Whether the cells below the first row of a column are numbers, or times that the first row is not. */
static bool differs_from_first(const tcsi_csv *csv, const sample_rows *rows, size_t column)
{
    size_t numbers = 0, texts = 0;
    double value;
    int64_t time_ns;
    for (size_t r = 1; r < rows->row_count; r++) {
        tcsi_cell_kind kind = tcsi_cell_read(rows->cells[r * rows->column_count + column], csv->decimal, &value);
        numbers += kind == TCSI_CELL_NUMBER || kind == TCSI_CELL_BOOLEAN || kind == TCSI_CELL_GROUPED;
        texts += kind == TCSI_CELL_TEXT;
    }
    if (numbers > texts) return true;
    tcsi_sample below = { rows->row_count - 1, rows->column_count, rows->cells + rows->column_count, rows->lines + 1, csv->decimal };
    tcsi_time_format format;
    tcsi_cell first = rows->cells[column];
    return texts > 0 && tcsi_schema_is_time(&below, column, &format) && !tcsi_time_parse(&format, first.text, first.size, &time_ns);
}

static bool sniff_header(const tcsi_csv *csv, const sample_rows *rows)
{
    size_t texts = 0, numbers = 0, times = 0, votes = 0;
    for (size_t c = 0; c < rows->column_count; c++) {
        double value;
        tcsi_cell cell = rows->cells[c];
        tcsi_time_format format;
        tcsi_sample first = { 1, rows->column_count, rows->cells, rows->lines, csv->decimal };
        tcsi_cell_kind kind = tcsi_cell_read(cell, csv->decimal, &value);
        if (kind == TCSI_CELL_NUMBER && looks_measured(tcsi_cell_trim(cell))) return false;
        numbers += kind == TCSI_CELL_NUMBER || kind == TCSI_CELL_INFINITE || kind == TCSI_CELL_BOOLEAN;
        if (kind != TCSI_CELL_TEXT) continue;
        texts++;
        times += tcsi_schema_is_time(&first, c, &format);
        votes += votes == 0 && rows->row_count > 1 && differs_from_first(csv, rows, c); /* one is enough: a thousand columns stay cheap */
    }
    if (votes > 0) return true;
    if (rows->row_count > 1 && texts == 0) return is_numbered_header(csv, rows);
    return texts > times && numbers == 0; /* only words: names, of columns that hold text or nothing */
}

/* ---- all together ---- */

static tcs_status apply(tcsi_csv *csv, const tcsi_table_open_options *options, const sample_rows *rows, bool shift, tcs_error *err)
{
    tcsi_read_report *report = &csv->base.report;
    csv->decimal = options->read->decimal ? options->read->decimal : sniff_decimal(csv, rows);
    report->decimal = csv->decimal;
    report->has_header = options->read->header == TCSI_CHOICE_YES;
    if (options->read->header == TCSI_CHOICE_GUESS) report->has_header = shift || sniff_header(csv, rows);
    size_t header = report->has_header;
    tcs_status status = tcsi_schema_name(report, header ? rows->cells : NULL, rows->column_count, err);
    if (status != TCS_OK) return status;
    if (rows->row_count == header && csv->stream_end)
        return tcsi_fail(err, TCS_E_FORMAT, "%s: holds a header and no rows", report->source);
    tcsi_sample sample = { rows->row_count - header, rows->column_count, rows->cells + header * rows->column_count, rows->lines + header,
                          csv->decimal };
    status = tcsi_schema_guess(&sample, options, report, err);
    if (status != TCS_OK || !header) return status;
    /* Step over the header; comments and blank lines before it are passed over for good. */
    size_t count;
    uint64_t lines;
    csv->at = rows->starts[0];
    csv->line = rows->lines[0];
    status = tcsi_csv_split(csv, csv->at, csv->line, NULL, 0, NULL, &count, &csv->at, &lines, err);
    csv->line += lines;
    return status;
}

tcs_status tcsi_csv_sniff(tcsi_csv *csv, const tcsi_table_open_options *options, tcs_error *err)
{
    const tcsi_read_options *read = options->read;
    if (read->delimiter && !strchr(candidates, read->delimiter))
        return tcsi_fail(err, TCS_E_INVALID, "delimiter '%c': expected a comma, semicolon, bar, tab or blank", read->delimiter);
    if (read->decimal && ((read->decimal != '.' && read->decimal != ',') || read->decimal == read->delimiter))
        return tcsi_fail(err, TCS_E_INVALID, "decimal mark '%c': expected a point, or a comma that is not the delimiter", read->decimal);
    csv->delimiter = read->delimiter;
    tcs_status status = check_encoding(csv, err);
    if (status == TCS_OK) status = gather(csv, options->sample_row_count, err);
    if (status != TCS_OK) return status;
    if (csv->safe - csv->at >= 3 && memcmp(csv->buffer + csv->at, "\xEF\xBB\xBF", 3) == 0) {
        csv->at += 3;
        csv->base.report.encoding = "UTF-8 with byte order mark";
    }
    if (!is_utf8((const unsigned char *)csv->buffer + csv->at, csv->safe - csv->at)) csv->base.report.encoding = "not UTF-8";
    status = sniff_delimiter(csv, read, err);
    if (status == TCS_OK && csv->safe == csv->at) status = tcsi_csv_fill(csv, err); /* the delimiter changed what is inside quotes */
    sample_rows rows = { 0 };
    bool shift = false;
    if (status == TCS_OK) status = count_columns(csv, &shift, err);
    if (status == TCS_OK) status = collect(csv, options->sample_row_count + 1, shift, &rows, err);
    if (status == TCS_OK) status = apply(csv, options, &rows, shift, err);
    sample_rows_deinit(&rows);
    return status;
}
