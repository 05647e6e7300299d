/* io/schema.c -- roles of columns.
 *
 * The guesses, in order; each only where the caller said nothing:
 *   time    a column with a usual name (time, timestamp, date, ...) whose cells read as times; else the first text
 *           column whose cells do; else, without a header, a first column of ascending numbers of the size of epochs.
 *           Numbers alone never make a time column: too many measurements look like epochs.
 *   label   a column with a usual name (label, is_anomaly, ...) that holds only 0, 1, true and false.
 *   values  every other column in which numbers are the majority of what is not missing.
 * Never a value, as it would give the answer away or mean nothing: a second time or label column, change-point marks,
 * row counters, text.  Everything left out is in the report with its reason.  SPDX-License-Identifier: Apache-2.0 */
#include "io/schema.h"

#include "base/alloc.h"
#include "base/text.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char tcsi_reason_counter[] = "a row counter";
const char tcsi_reason_empty[] = "holds no values";
const char tcsi_reason_text[] = "text";
static const char reason_time[] = "another time column", reason_label[] = "another label column", reason_unchosen[] = "not chosen",
                  reason_not_label[] = "named like a label, but holds more than 0 and 1",
                  reason_change_point[] = "marks change points; neither a measurement nor the label";

/* Best first. */
static const char *const time_names[] = { "timestamp", "datetime", "time", "date", "ds", "date_time", "time_stamp", "ts", "epoch",
                                          "unix_time", "unixtime", "unix", "date/time", "date time", "utc", "t", "created_at",
                                          "event_time", "recorded_at" };
static const char *const label_names[] = { "label", "labels", "is_anomaly", "isanomaly", "anomaly", "anomaly_label", "anomalies",
                                           "is_outlier", "outlier", "outliers", "ground_truth", "class", "attack", "y_true" };
static const char *const change_point_names[] = { "changepoint", "change_point", "changepoints", "is_changepoint" };
static const char *const counter_names[] = { "index", "row", "rows", "row_id", "rownum", "row_number", "unnamed: 0" };

typedef struct facts { /* of one column in the sample */
    size_t number_count;  /* numbers, booleans and infinities */
    size_t binary_count;  /* those that are 0 or 1 */
    size_t missing_count, text_count, grouped_count;
    size_t grouped_row;
    bool ascending;       /* numbers never fall, and rise at least once */
    bool integers;
    bool counter;
    double first, last;
    uint8_t time_rank, label_rank; /* of its name; the number of names when it has none of them */
} facts;

/* Its place among names, which are in lower case, or name_count.  Most columns have none: the first letter tells. */
static size_t rank_among(const char *name, const char *const *names, size_t name_count)
{
    char first = *name >= 'A' && *name <= 'Z' ? (char)(*name - 'A' + 'a') : *name;
    for (size_t i = 0; i < name_count; i++)
        if (first == *names[i] && tcsi_text_equal_nocase(name, names[i])) return i;
    return name_count;
}

static bool is_any(const char *name, const char *const *names, size_t name_count)
{
    return rank_among(name, names, name_count) < name_count;
}

/* ---- names ---- */

typedef struct named {
    const char *name;
    size_t column;
} named;

static int compare_names(const void *a, const void *b)
{
    const named *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    if (order != 0) return order;
    return left->column < right->column ? -1 : 1;
}

/* a, a, a becomes a, a.1, a.2; one pass, so a column already called a.1 keeps a twin: lookup takes the first. */
static tcs_status make_unique(tcsi_read_report *report, tcs_error *err)
{
    tcs_status status = TCS_OK;
    named *order = TCSI_NEW_ARRAY(named, report->column_count);
    if (!order) return tcsi_fail_memory(err, "column names");
    for (size_t c = 0; c < report->column_count; c++) order[c] = (named){ report->columns[c].name, c };
    qsort(order, report->column_count, sizeof *order, compare_names);
    size_t copies = 0;
    for (size_t i = 1; i < report->column_count && status == TCS_OK; i++) {
        size_t first = i - 1 - copies;
        copies = strcmp(order[i].name, order[first].name) == 0 ? copies + 1 : 0;
        if (copies == 0) continue;
        size_t size = strlen(order[i].name) + 24;
        char *name = tcsi_alloc(size);
        if (!name) {
            status = tcsi_fail_memory(err, "column names");
            break;
        }
        snprintf(name, size, "%s.%zu", order[i].name, copies);
        tcsi_free(report->columns[order[i].column].name);
        report->columns[order[i].column].name = name;
        order[i].name = order[first].name; /* the old text is gone */
    }
    tcsi_free(order);
    return status;
}

tcs_status tcsi_schema_name(tcsi_read_report *report, const tcsi_cell *names, size_t column_count, tcs_error *err)
{
    if (column_count > TCSI_FRAME_CHANNEL_COUNT_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "%s: %zu columns: at most %zu are supported", report->source, column_count,
                         TCSI_FRAME_CHANNEL_COUNT_MAX);
    report->columns = TCSI_NEW_ZEROS(tcsi_read_column, column_count);
    if (!report->columns) return tcsi_fail_memory(err, "columns");
    report->column_count = column_count;
    for (size_t c = 0; c < column_count; c++) {
        char number[32];
        snprintf(number, sizeof number, "c%zu", c);
        tcsi_cell name = names ? tcsi_cell_trim(names[c]) : (tcsi_cell){ number, strlen(number) };
        report->columns[c].name = tcsi_strndup(name.text, name.size);
        if (!report->columns[c].name) return tcsi_fail_memory(err, "column names");
    }
    return names ? make_unique(report, err) : TCS_OK;
}

static tcs_status find_column(const tcsi_read_report *report, const char *name, size_t *ret_column, tcs_error *err)
{
    for (size_t c = 0; c < report->column_count; c++)
        if (strcmp(report->columns[c].name, name) == 0) {
            *ret_column = c;
            return TCS_OK;
        }
    for (size_t c = 0; c < report->column_count; c++)
        if (tcsi_text_equal_nocase(report->columns[c].name, name)) {
            *ret_column = c;
            return TCS_OK;
        }
    const char **names = TCSI_NEW_ARRAY(const char *, report->column_count);
    if (!names) return tcsi_fail_memory(err, "column names");
    for (size_t c = 0; c < report->column_count; c++) names[c] = report->columns[c].name;
    const char *nearest = tcsi_text_nearest(name, names, report->column_count);
    tcsi_free(names);
    if (nearest) return tcsi_fail(err, TCS_E_INVALID, "%s: no column '%s'; did you mean '%s'?", report->source, name, nearest);
    return tcsi_fail(err, TCS_E_INVALID, "%s: no column '%s' among %zu, the first of which is '%s'", report->source, name,
                     report->column_count, report->column_count > 0 ? report->columns[0].name : "");
}

/* ---- facts ---- */

bool tcsi_schema_is_counter(const double *values, size_t stride, size_t count)
{
    if (count < 3 || (values[0] != 0 && values[0] != 1)) return false;
    for (size_t i = 1; i < count; i++)
        if (values[i * stride] != values[0] + (double)i) return false;
    return true;
}

static facts look(const tcsi_sample *sample, size_t column)
{
    facts f = { .integers = true, .counter = sample->row_count >= 3, .ascending = true };
    for (size_t r = 0; r < sample->row_count; r++) {
        double value;
        tcsi_cell_kind kind = tcsi_cell_read(sample->cells[r * sample->column_count + column], sample->decimal, &value);
        f.counter = f.counter && kind == TCSI_CELL_NUMBER && value == (r == 0 ? value : f.first + (double)r);
        if (kind == TCSI_CELL_NUMBER || kind == TCSI_CELL_BOOLEAN) {
            if (f.number_count == 0) f.first = f.last = value;
            f.ascending = f.ascending && value >= f.last && kind == TCSI_CELL_NUMBER;
            f.integers = f.integers && value == floor(value);
            f.binary_count += value == 0 || value == 1;
            f.last = value;
            f.number_count++;
        } else if (kind == TCSI_CELL_INFINITE) {
            f.number_count++;
            f.integers = false;
        } else if (kind == TCSI_CELL_GROUPED) {
            if (f.grouped_count == 0) f.grouped_row = r;
            f.grouped_count++;
        } else {
            f.missing_count += kind == TCSI_CELL_MISSING;
            f.text_count += kind == TCSI_CELL_TEXT;
        }
    }
    f.ascending = f.ascending && f.last > f.first;
    f.counter = f.counter && (f.first == 0 || f.first == 1);
    return f;
}

bool tcsi_schema_is_time(const tcsi_sample *sample, size_t column, tcsi_time_format *ret_format)
{
    enum { CELL_COUNT_MAX = 512 }; /* spread over the sample, so that day and month can tell each other apart */
    const char *texts[CELL_COUNT_MAX];
    size_t sizes[CELL_COUNT_MAX], count = 0, step = sample->row_count / CELL_COUNT_MAX + 1;
    for (size_t r = 0; r < sample->row_count && count < CELL_COUNT_MAX; r += step) {
        tcsi_cell cell = sample->cells[r * sample->column_count + column];
        texts[count] = cell.text;
        sizes[count++] = cell.size;
    }
    return tcsi_time_guess(texts, sizes, count, ret_format);
}

/* ---- roles ---- */

typedef struct guess {
    const tcsi_sample *sample;
    const tcsi_table_open_options *options;
    tcsi_read_report *report;
    facts *facts;   /* (C) */
    bool *decided;  /* (C) */
    uint32_t time_ranks, label_ranks; /* bit i: some column has rank i; a million columns without are not gone through for it */
    tcs_error *err;
} guess;

static void skip(guess *g, size_t column, const char *reason)
{
    g->report->columns[column].role = TCSI_COLUMN_SKIPPED;
    g->report->columns[column].reason = reason;
    g->decided[column] = true;
}

static void take_time(guess *g, size_t column, tcsi_time_format format)
{
    g->report->columns[column].role = TCSI_COLUMN_TIME;
    g->report->time_column = column;
    g->report->time_format = format;
    g->decided[column] = true;
}

/* A column that is meant to be time: in a form of time, or else ascending numbers taken as seconds since some start. */
static bool usable_as_time(const guess *g, size_t column, tcsi_time_format *ret_format)
{
    if (tcsi_schema_is_time(g->sample, column, ret_format)) return true;
    const facts *f = &g->facts[column];
    if (f->text_count + f->grouped_count > 0 || f->number_count == 0 || !(f->ascending || f->number_count == 1) || fabs(f->last) > 9e9)
        return false;
    return tcsi_time_format_by_name("s", ret_format);
}

static tcs_status decide_time(guess *g)
{
    const char *name = g->options->read->time_name;
    tcsi_time_format format;
    size_t column;
    if (name && !*name) return TCS_OK;
    if (name) {
        tcs_status status = find_column(g->report, name, &column, g->err);
        if (status != TCS_OK) return status;
        if (g->sample->row_count > 0 && !usable_as_time(g, column, &format)) {
            tcsi_cell cell = g->sample->cells[column];
            return tcsi_fail(g->err, TCS_E_INVALID, "%s:%llu: column '%s' is no time column: '%.*s' is no time", g->report->source,
                             (unsigned long long)g->sample->lines[0], g->report->columns[column].name,
                             (int)(cell.size < 40 ? cell.size : 40), cell.text);
        }
        if (g->decided[column]) return tcsi_fail(g->err, TCS_E_INVALID, "%s: column '%s' cannot be time and value", g->report->source,
                                                 name);
        if (g->sample->row_count == 0 && !tcsi_time_format_by_name("iso", &format)) return TCS_OK;
        take_time(g, column, format);
        return TCS_OK;
    }
    for (size_t i = 0; i < TCS_COUNT(time_names); i++)
        for (column = 0; column < g->report->column_count && (g->time_ranks >> i & 1); column++)
            if (!g->decided[column] && g->facts[column].time_rank == i && usable_as_time(g, column, &format)) {
                take_time(g, column, format);
                return TCS_OK;
            }
    for (column = 0; column < g->report->column_count; column++) {
        if (g->decided[column] || g->facts[column].text_count <= g->facts[column].number_count) continue;
        if (!tcsi_schema_is_time(g->sample, column, &format)) continue;
        take_time(g, column, format);
        return TCS_OK;
    }
    const facts *first = g->facts;
    if (g->report->has_header || g->report->column_count < 2 || g->decided[0] || !first->ascending || !first->integers ||
        first->first < 9e8)
        return TCS_OK;
    if (tcsi_schema_is_time(g->sample, 0, &format)) take_time(g, 0, format);
    return TCS_OK;
}

static void take_label(guess *g, size_t column)
{
    g->report->columns[column].role = TCSI_COLUMN_LABEL;
    g->report->label_column = column;
    g->decided[column] = true;
}

static tcs_status decide_label(guess *g)
{
    const char *name = g->options->read->label_name;
    size_t column;
    if (name && *name) {
        tcs_status status = find_column(g->report, name, &column, g->err);
        if (status != TCS_OK) return status;
        if (g->decided[column]) return tcsi_fail(g->err, TCS_E_INVALID, "%s: column '%s' cannot be the label and time or value",
                                                 g->report->source, name);
        take_label(g, column); /* its cells are checked as they are read */
    }
    for (size_t i = 0; i < TCS_COUNT(label_names); i++)
        for (column = 0; column < g->report->column_count && (g->label_ranks >> i & 1); column++) {
            const facts *f = &g->facts[column];
            if (g->decided[column] || f->label_rank != i) continue;
            bool binary = f->number_count > 0 && f->binary_count == f->number_count && f->text_count + f->grouped_count == 0;
            if (name && !*name) continue; /* the caller says that there is no label: then it is like any other column */
            if (!binary) skip(g, column, reason_not_label);
            else if (g->report->label_column != SIZE_MAX) skip(g, column, reason_label);
            else take_label(g, column);
        }
    for (column = 0; column < g->report->column_count; column++)
        if (!g->decided[column] && is_any(g->report->columns[column].name, change_point_names, TCS_COUNT(change_point_names)))
            skip(g, column, reason_change_point);
    return TCS_OK;
}

static tcs_status refuse_grouped(const guess *g, size_t column)
{
    const facts *f = &g->facts[column];
    tcsi_cell cell = g->sample->cells[f->grouped_row * g->sample->column_count + column];
    return tcsi_fail(g->err, TCS_E_FORMAT, "%s:%llu: column '%s': '%.*s' has thousands separators, which have two readings; "
                     "write the number without them, or choose other columns", g->report->source,
                     (unsigned long long)g->sample->lines[f->grouped_row], g->report->columns[column].name,
                     (int)(cell.size < 40 ? cell.size : 40), cell.text);
}

/* The value columns that the caller chose. */
static tcs_status choose_values(guess *g)
{
    const tcsi_read_options *options = g->options->read;
    for (size_t i = 0; i < options->column_count; i++) {
        size_t column;
        tcs_status status = find_column(g->report, options->columns[i], &column, g->err);
        if (status != TCS_OK) return status;
        const facts *f = &g->facts[column];
        if (g->decided[column]) return tcsi_fail(g->err, TCS_E_INVALID, "%s: column '%s' is chosen twice", g->report->source,
                                                 options->columns[i]);
        if (f->grouped_count > 0) return refuse_grouped(g, column);
        if (f->number_count == 0 && f->text_count > 0)
            return tcsi_fail(g->err, TCS_E_INVALID, "%s: column '%s' holds text, expected numbers", g->report->source, options->columns[i]);
        g->report->columns[column].role = TCSI_COLUMN_VALUE;
        g->report->columns[column].channel = i;
        g->decided[column] = true;
    }
    g->report->value_count = options->column_count;
    return TCS_OK;
}

static tcs_status guess_values(guess *g)
{
    tcsi_time_format format;
    for (size_t c = 0; c < g->report->column_count; c++) {
        const facts *f = &g->facts[c];
        tcsi_read_column *column = &g->report->columns[c];
        if (g->decided[c]) continue;
        const bool may_skip = !g->options->read->keep_counters;
        bool named_counter = f->counter || (f->integers && f->ascending &&
                                            (!*column->name || is_any(column->name, counter_names, TCS_COUNT(counter_names))));
        if (g->options->read->column_count > 0) skip(g, c, reason_unchosen);
        else if (f->grouped_count > 0 && f->number_count + f->grouped_count > f->text_count) return refuse_grouped(g, c);
        else if (f->text_count > f->number_count) skip(g, c, tcsi_schema_is_time(g->sample, c, &format) ? reason_time : tcsi_reason_text);
        else if (f->number_count == 0 && g->options->sample_is_all) skip(g, c, tcsi_reason_empty);
        else if (may_skip && named_counter && (g->options->sample_is_all || !f->counter)) skip(g, c, tcsi_reason_counter);
        else {
            column->role = TCSI_COLUMN_VALUE;
            column->channel = g->report->value_count++;
        }
    }
    return TCS_OK;
}

/* A counter that is the only column left is data after all. */
static void keep_one(guess *g)
{
    for (size_t c = 0; g->report->value_count == 0 && c < g->report->column_count; c++) {
        tcsi_read_column *column = &g->report->columns[c];
        if (column->role != TCSI_COLUMN_SKIPPED || column->reason != tcsi_reason_counter) continue;
        *column = (tcsi_read_column){ .name = column->name };
        g->report->value_count = 1;
    }
}

static tcs_status decide(guess *g)
{
    _Static_assert(TCS_COUNT(time_names) < 32 && TCS_COUNT(label_names) < 32, "ranks are bits");
    for (size_t c = 0; c < g->report->column_count; c++) {
        facts f = look(g->sample, c);
        f.time_rank = (uint8_t)rank_among(g->report->columns[c].name, time_names, TCS_COUNT(time_names));
        f.label_rank = (uint8_t)rank_among(g->report->columns[c].name, label_names, TCS_COUNT(label_names));
        g->time_ranks |= UINT32_C(1) << f.time_rank;
        g->label_ranks |= UINT32_C(1) << f.label_rank;
        g->facts[c] = f;
    }
    tcs_status status = choose_values(g);
    if (status == TCS_OK) status = decide_time(g);
    if (status == TCS_OK) status = decide_label(g);
    if (status == TCS_OK) status = guess_values(g);
    if (status != TCS_OK) return status;
    keep_one(g);
    g->report->is_tabular = g->report->time_column == SIZE_MAX && !g->options->read->as_series;
    if (g->report->value_count > 0) return TCS_OK;
    const tcsi_read_column *first = g->report->columns;
    return tcsi_fail(g->err, TCS_E_FORMAT, "%s: no column holds numbers; the first of %zu, '%s', %s", g->report->source,
                     g->report->column_count,
                     g->report->column_count > 0 ? first->name : "",
                     g->report->column_count == 0 ? "is missing" : first->role == TCSI_COLUMN_TIME ? "is time"
                     : first->role == TCSI_COLUMN_LABEL ? "is the label" : first->reason);
}

tcs_status tcsi_schema_guess(const tcsi_sample *sample, const tcsi_table_open_options *options, tcsi_read_report *report, tcs_error *err)
{
    TCS_ASSERT(sample->column_count == report->column_count);
    guess g = { sample, options, report, TCSI_NEW_ARRAY(facts, sample->column_count), TCSI_NEW_ZEROS(bool, sample->column_count),
                0, 0, err };
    tcs_status status = g.facts && g.decided ? decide(&g) : tcsi_fail_memory(err, "columns");
    tcsi_free(g.facts);
    tcsi_free(g.decided);
    return status;
}
