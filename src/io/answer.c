/* io/answer.c -- any answer as a table: a sample is kept as text, the roles are guessed from it, it is given out first,
 * and then rows follow straight from the source.  Rows are numbered from 1 where files have lines.
 * Memory: the sample (at most 2,000,000 cells) until it is given out; then nothing but what the source holds.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/answer.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "io/schema.h"

#include <math.h>
#include <string.h>

enum { SAMPLE_CELL_COUNT_MAX = 2000000 };

typedef struct answer_table {
    tcsi_table base;
    tcsi_answer *answer;
    tcsi_arena arena;   /* texts of the sample */
    tcsi_cell *sample;  /* (rows, columns) */
    uint64_t *rows;     /* their numbers, for messages */
    size_t sample_count, sample_next;
    uint64_t row;       /* number of the row to be read next */
    bool ended;
} answer_table;

tcs_status tcsi_answer_columns(tcsi_answer *answer, size_t column_count, tcs_error *err)
{
    answer->names = TCSI_NEW_ZEROS(char *, column_count);
    answer->is_time = TCSI_NEW_ZEROS(bool, column_count);
    answer->column_count = answer->names ? column_count : 0;
    return answer->names && answer->is_time ? TCS_OK : tcsi_fail_memory(err, "columns");
}

void tcsi_answer_destroy(tcsi_answer *answer)
{
    if (!answer) return;
    for (size_t c = 0; c < answer->column_count; c++) tcsi_free(answer->names[c]);
    tcsi_free(answer->names);
    tcsi_free(answer->is_time);
    tcsi_free(answer->source);
    tcsi_free(answer->warning);
    answer->ops->destroy(answer);
}

/* ---- opening ---- */

static tcs_status copy_row(answer_table *self, tcsi_cell *ret_cells, tcs_error *err)
{
    for (size_t c = 0; c < self->answer->column_count; c++) {
        tcsi_cell cell;
        tcs_status status = self->answer->ops->text(self->answer, c, &cell, err);
        if (status != TCS_OK) return status;
        char *text = tcsi_arena_strndup(&self->arena, cell.text, cell.size);
        if (!text) return tcsi_fail_memory(err, "a sample");
        ret_cells[c] = (tcsi_cell){ text, cell.size };
    }
    return TCS_OK;
}

static tcs_status take_sample(answer_table *self, size_t row_count, tcs_error *err)
{
    size_t column_count = self->answer->column_count, cell_count;
    if (row_count > SAMPLE_CELL_COUNT_MAX / column_count) row_count = SAMPLE_CELL_COUNT_MAX / column_count;
    if (row_count < 2) row_count = 2;
    if (!tcsi_multiply(row_count, column_count, &cell_count)) return tcsi_fail_memory(err, "a sample");
    self->sample = TCSI_NEW_ARRAY(tcsi_cell, cell_count);
    self->rows = TCSI_NEW_ARRAY(uint64_t, row_count);
    if (!self->sample || !self->rows) return tcsi_fail_memory(err, "a sample");
    while (self->sample_count < row_count) {
        tcs_status status = self->answer->ops->next(self->answer, &self->ended, err);
        if (status == TCS_OK && self->ended) break;
        if (status == TCS_OK) status = copy_row(self, self->sample + self->sample_count * column_count, err);
        if (status != TCS_OK) return status;
        self->rows[self->sample_count++] = self->row++;
    }
    return self->sample_count > 0 ? TCS_OK : tcsi_fail(err, TCS_E_FORMAT, "%s: the query gives no rows", self->answer->source);
}

static tcs_status name_columns(answer_table *self, tcs_error *err)
{
    size_t column_count = self->answer->column_count;
    tcsi_cell *names = TCSI_NEW_ARRAY(tcsi_cell, column_count);
    if (!names) return tcsi_fail_memory(err, "column names");
    for (size_t c = 0; c < column_count; c++) names[c] = (tcsi_cell){ self->answer->names[c], strlen(self->answer->names[c]) };
    tcs_status status = tcsi_schema_name(&self->base.report, names, column_count, err);
    tcsi_free(names);
    return status;
}

/* Nothing was taken for time by name or look, but the source declares a column to be one and its cells agree. */
static const char *declared_time(const answer_table *self, const tcsi_sample *sample)
{
    tcsi_time_format format;
    for (size_t c = 0; c < sample->column_count; c++)
        if (self->answer->is_time[c] && self->base.report.columns[c].role == TCSI_COLUMN_VALUE && tcsi_schema_is_time(sample, c, &format))
            return self->base.report.columns[c].name;
    return NULL;
}

static void forget_roles(tcsi_read_report *report)
{
    for (size_t c = 0; c < report->column_count; c++) report->columns[c] = (tcsi_read_column){ .name = report->columns[c].name };
    report->value_count = 0;
    report->time_column = report->label_column = SIZE_MAX;
}

/* Declared times that are not the time column are no measurements, also when they are stored as numbers. */
static void skip_other_times(const answer_table *self, tcsi_read_report *report)
{
    size_t kept = 0;
    for (size_t c = 0; c < report->column_count; c++) kept += report->columns[c].role == TCSI_COLUMN_VALUE && !self->answer->is_time[c];
    if (kept == 0) return;
    report->value_count = 0;
    for (size_t c = 0; c < report->column_count; c++) {
        tcsi_read_column *column = &report->columns[c];
        if (column->role != TCSI_COLUMN_VALUE) continue;
        if (!self->answer->is_time[c]) column->channel = report->value_count++;
        else *column = (tcsi_read_column){ .name = column->name, .role = TCSI_COLUMN_SKIPPED, .reason = "another time column" };
    }
}

static tcs_status decide_free(answer_table *self, const tcsi_sample *sample, const tcsi_table_open_options *options, tcs_error *err)
{
    tcsi_read_report *report = &self->base.report;
    tcs_status status = tcsi_schema_guess(sample, options, report, err);
    const char *time_name = status == TCS_OK && report->time_column == SIZE_MAX && !options->read->time_name
        ? declared_time(self, sample) : NULL;
    if (status == TCS_OK && report->time_column != SIZE_MAX && options->read->column_count == 0) skip_other_times(self, report);
    if (!time_name) return status;
    tcsi_read_options read = *options->read;
    read.time_name = time_name;
    tcsi_table_open_options with_time = *options;
    with_time.read = &read;
    forget_roles(report);
    status = tcsi_schema_guess(sample, &with_time, report, err);
    if (status == TCS_OK && read.column_count == 0) skip_other_times(self, report);
    return status;
}

/* Time and values are known; only which of the values, and a label, can be chosen. */
static tcs_status decide_series(answer_table *self, const tcsi_sample *sample, const tcsi_table_open_options *options, tcs_error *err)
{
    tcsi_read_report *report = &self->base.report;
    tcsi_read_options read = *options->read;
    const char **names = TCSI_NEW_ARRAY(const char *, report->column_count);
    if (!names) return tcsi_fail_memory(err, "column names");
    size_t name_count = 0;
    for (size_t c = 1; c < report->column_count; c++) names[name_count++] = report->columns[c].name;
    read.time_name = report->columns[0].name;
    if (!read.label_name) read.label_name = "";
    if (read.column_count == 0 && !*read.label_name) {
        read.columns = names;
        read.column_count = name_count;
    }
    tcsi_table_open_options fixed = *options;
    fixed.read = &read;
    tcs_status status = tcsi_schema_guess(sample, &fixed, report, err);
    tcsi_free(names);
    return status;
}

/* ---- reading ---- */

/* ret_cell->text NULL: *ret_number is the value. */
static tcs_status fetch(answer_table *self, size_t column, bool as_number, tcsi_cell *ret_cell, double *ret_number, tcs_error *err)
{
    const tcsi_answer_ops *ops = self->answer->ops;
    if (self->sample_next < self->sample_count) {
        *ret_cell = self->sample[self->sample_next * self->answer->column_count + column];
        return TCS_OK;
    }
    *ret_cell = (tcsi_cell){ NULL, 0 };
    if (as_number && ops->number && ops->number(self->answer, column, ret_number)) return TCS_OK;
    return ops->text(self->answer, column, ret_cell, err);
}

static tcs_status convert(answer_table *self, uint64_t line, tcsi_rows *rows, tcs_error *err)
{
    tcsi_read_report *report = &self->base.report;
    double *values = rows->values + rows->count * report->value_count;
    for (size_t c = 0; c < report->column_count; c++) {
        tcsi_read_column *column = &report->columns[c];
        tcsi_cell cell;
        double number = 0;
        if (column->role == TCSI_COLUMN_SKIPPED) continue;
        tcs_status status = fetch(self, c, column->role == TCSI_COLUMN_VALUE, &cell, &number, err);
        if (status == TCS_OK && column->role == TCSI_COLUMN_TIME) rows->times_ns[rows->count] = tcsi_table_time(&self->base, cell, line);
        else if (status == TCS_OK && column->role == TCSI_COLUMN_LABEL)
            status = tcsi_table_label(&self->base, cell, '.', line, &rows->labels[rows->count], err);
        else if (status == TCS_OK && !cell.text) {
            values[column->channel] = number;
            column->beyond_count += fabs(number) > TCS_VALUE_MAX;
        } else if (status == TCS_OK) status = tcsi_table_value(&self->base, c, cell, '.', line, &values[column->channel], err);
        if (status != TCS_OK) return status;
    }
    rows->count++;
    return TCS_OK;
}

static void release_sample(answer_table *self)
{
    tcsi_arena_deinit(&self->arena);
    tcsi_free(self->sample);
    tcsi_free(self->rows);
    self->sample = NULL;
    self->rows = NULL;
    self->sample_count = self->sample_next = 0;
}

static tcs_status read_rows(tcsi_table *base, tcsi_rows *rows, tcs_error *err)
{
    answer_table *self = (answer_table *)base;
    tcs_status status = TCS_OK;
    while (status == TCS_OK && rows->count < rows->capacity) {
        if (self->sample_next < self->sample_count) {
            status = convert(self, self->rows[self->sample_next], rows, err);
            if (status == TCS_OK && ++self->sample_next == self->sample_count) release_sample(self);
            continue;
        }
        if (!self->ended) status = self->answer->ops->next(self->answer, &self->ended, err);
        if (status != TCS_OK || self->ended) break;
        status = convert(self, self->row++, rows, err);
    }
    return status;
}

static double progress(const tcsi_table *base)
{
    const answer_table *self = (const answer_table *)base;
    return self->answer->ops->progress ? self->answer->ops->progress(self->answer) : 0;
}

static void destroy(tcsi_table *base)
{
    answer_table *self = (answer_table *)base;
    release_sample(self);
    tcsi_answer_destroy(self->answer);
    tcsi_free(self);
}

tcs_status tcsi_answer_table(tcsi_answer *answer, const tcsi_table_open_options *options, tcsi_table **ret_table, tcs_error *err)
{
    static const tcsi_table_ops ops = { read_rows, progress, destroy };
    answer_table *self = TCSI_NEW(answer_table);
    if (!self) {
        tcsi_answer_destroy(answer);
        return tcsi_fail_memory(err, "a reader");
    }
    self->base = (tcsi_table){ .ops = &ops, .keeps_counters = answer->is_series };
    self->answer = answer;
    self->row = 1;
    tcsi_arena_init(&self->arena, 0);
    self->base.report = (tcsi_read_report){ .source = tcsi_strdup(answer->source), .format = answer->format, .compression = "none",
                                            .encoding = "UTF-8", .has_header = true, .time_column = SIZE_MAX, .label_column = SIZE_MAX };
    self->base.report.warning = answer->warning;
    answer->warning = NULL;
    tcs_status status = self->base.report.source ? TCS_OK : tcsi_fail_memory(err, "a reader");
    if (status == TCS_OK) status = name_columns(self, err);
    if (status == TCS_OK) status = take_sample(self, options->sample_row_count, err);
    if (status == TCS_OK) {
        tcsi_sample sample = { self->sample_count, answer->column_count, self->sample, self->rows, '.' };
        status = answer->is_series ? decide_series(self, &sample, options, err) : decide_free(self, &sample, options, err);
    }
    if (status == TCS_OK) *ret_table = &self->base;
    else tcsi_table_destroy(&self->base);
    return status;
}
