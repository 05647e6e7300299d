/* serve/self/metric.c -- cells and their owners.  What they are read as: exposition.c.
 *
 * Memory is slot_count blocks of cell_max cells.  A thread is given the next slot when it counts for the first time; more threads than
 * slots share, which is why an addition is atomic though it is nearly always alone.  A series owns the same run of cells in every slot:
 *     counter, level   1: the sum of all slots
 *     gauge            1: the bits of a double, in the first slot
 *     histogram        a cell for each bucket, the unbounded one included, and one for the sum of what was observed
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/self/metric_inside.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { CELL_DEFAULT = 8192 };

static const tcsi_metric_row own_rows[] = {
    { .name = "tocsin_metrics_refused_total", .kind = TCSI_METRIC_COUNTER, .help = "Series that found no room and are not counted." },
};

/* ---- rows ---- */

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

static bool is_name(const char *name, bool colon)
{
    if (!*name || (*name >= '0' && *name <= '9')) return false;
    for (; *name; name++) {
        bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || *name == '_' || (*name >= '0' && *name <= '9');
        if (!letter && !(colon && *name == ':')) return false;
    }
    return true;
}

/* The naming rules; breaking them is our mistake, not the world's. */
static void check_row(const tcsi_metric_row *row)
{
    char suffix[64];
    TCS_ASSERT(is_name(row->name, true) && row->help && *row->help);
    TCS_ASSERT(ends_with(row->name, "_total") == (row->kind == TCSI_METRIC_COUNTER));
    if (row->unit) {
        size_t length = strlen(row->unit);
        TCS_ASSERT(length + 8 < sizeof suffix);
        suffix[0] = '_';
        memcpy(suffix + 1, row->unit, length + 1);
        if (row->kind == TCSI_METRIC_COUNTER) memcpy(suffix + 1 + length, "_total", 7);
        TCS_ASSERT(ends_with(row->name, suffix));
    }
    for (size_t l = 0; l < TCSI_METRIC_LABELS_MAX && row->labels[l]; l++)
        TCS_ASSERT(is_name(row->labels[l], false) && strcmp(row->labels[l], "le") != 0 && strncmp(row->labels[l], "__", 2) != 0);
    TCS_ASSERT((row->kind == TCSI_METRIC_HISTOGRAM) == (row->bounds[0] != 0));
    for (size_t b = 1; b < TCSI_METRIC_BOUNDS_MAX && row->bounds[b]; b++) TCS_ASSERT(row->bounds[b] > row->bounds[b - 1]);
}

size_t tcsi_metric_label_count(const tcsi_metric_row *row)
{
    size_t count = 0;
    while (count < TCSI_METRIC_LABELS_MAX && row->labels[count]) count++;
    return count;
}

size_t tcsi_metric_bound_count(const tcsi_metric_row *row)
{
    size_t count = 0;
    while (count < TCSI_METRIC_BOUNDS_MAX && row->bounds[count]) count++;
    return count;
}

static size_t cells_of(const tcsi_metric_row *row)
{
    return row->kind == TCSI_METRIC_HISTOGRAM ? tcsi_metric_bound_count(row) + 2 : 1;
}

/* ---- life ---- */

tcs_status tcsi_metrics_create(size_t cell_max, tcsi_metrics **ret_metrics, tcs_error *err)
{
    tcsi_metrics *metrics = TCSI_NEW(tcsi_metrics);
    if (!metrics) return tcsi_fail_memory(err, "metrics");
    metrics->cell_max = cell_max ? cell_max : CELL_DEFAULT;
    pthread_mutex_init(&metrics->lock, NULL);
    size_t total;
    tcs_status status = TCS_OK;
    if (!tcsi_multiply(metrics->cell_max, METRIC_SLOT_COUNT, &total) || metrics->cell_max > UINT32_MAX ||
        !(metrics->cells = tcsi_alloc_zero(total, sizeof *metrics->cells)) ||
        !(metrics->series = TCSI_NEW_ZEROS(metric_series, metrics->cell_max)))
        status = tcsi_fail_memory(err, "metrics");
    size_t first = 0;
    if (status == TCS_OK) status = tcsi_metrics_add(metrics, own_rows, TCS_COUNT(own_rows), &first, err);
    if (status == TCS_OK) metrics->refused = tcsi_metrics_get(metrics, first, NULL);
    if (status == TCS_OK) *ret_metrics = metrics;
    else tcsi_metrics_destroy(metrics);
    return status;
}

void tcsi_metrics_destroy(tcsi_metrics *metrics)
{
    if (!metrics) return;
    for (size_t s = 0; s < metrics->series_count; s++)
        for (size_t l = 0; l < TCSI_METRIC_LABELS_MAX; l++) tcsi_free(metrics->series[s].values[l]);
    tcsi_free(metrics->series);
    tcsi_free(metrics->cells);
    pthread_mutex_destroy(&metrics->lock);
    tcsi_free(metrics);
}

tcs_status tcsi_metrics_add(tcsi_metrics *metrics, const tcsi_metric_row *rows, size_t row_count, size_t *ret_first, tcs_error *err)
{
    tcs_status status = TCS_OK;
    size_t known = 0;
    pthread_mutex_lock(&metrics->lock);
    while (known < metrics->row_count && metrics->rows[known].row != rows) known++;
    if (known < metrics->row_count) {
        *ret_first = known;
    } else if (row_count > METRIC_ROWS_MAX - metrics->row_count) {
        status = tcsi_fail(err, TCS_E_LIMIT, "more than %d metrics", METRIC_ROWS_MAX);
    } else {
        *ret_first = metrics->row_count;
        for (size_t r = 0; r < row_count; r++) {
            check_row(&rows[r]);
            metrics->rows[metrics->row_count++] = (metric_family){ .row = &rows[r], .first = METRIC_NO_SERIES };
        }
    }
    pthread_mutex_unlock(&metrics->lock);
    return status;
}

/* ---- series; called with the lock held ---- */

static bool same_values(const metric_series *series, const char *const *values, size_t count)
{
    for (size_t l = 0; l < count; l++)
        if (strcmp(series->values[l], values[l]) != 0) return false;
    return true;
}

static uint32_t find_series(const tcsi_metrics *metrics, const metric_family *family, const char *const *values, size_t count)
{
    uint32_t at = family->first;
    while (at != METRIC_NO_SERIES && !same_values(&metrics->series[at], values, count)) at = metrics->series[at].next;
    return at;
}

/* METRIC_NO_SERIES: no room, no memory. */
static uint32_t make_series(tcsi_metrics *metrics, size_t row, const char *const *values, size_t count)
{
    metric_family *family = &metrics->rows[row];
    size_t cells = cells_of(family->row);
    if (family->series_count >= TCSI_METRIC_SERIES_MAX || cells > metrics->cell_max - metrics->cell_count) return METRIC_NO_SERIES;
    metric_series made = { .row = family->row, .cell = (uint32_t)metrics->cell_count, .next = METRIC_NO_SERIES };
    for (size_t l = 0; l < count; l++) {
        if ((made.values[l] = tcsi_strdup(values[l]))) continue;
        for (size_t k = 0; k < l; k++) tcsi_free(made.values[k]);
        return METRIC_NO_SERIES;
    }
    uint32_t index = (uint32_t)metrics->series_count++;
    metrics->cell_count += cells;
    metrics->series[index] = made;
    if (family->first == METRIC_NO_SERIES) family->first = index;
    else metrics->series[family->last].next = index;
    family->last = index;
    family->series_count++;
    return index;
}

tcsi_metric tcsi_metrics_get(tcsi_metrics *metrics, size_t row, const char *const *values)
{
    if (!metrics) return (tcsi_metric){ 0 };
    TCS_ASSERT(row < metrics->row_count);
    pthread_mutex_lock(&metrics->lock);
    size_t count = tcsi_metric_label_count(metrics->rows[row].row);
    uint32_t at = find_series(metrics, &metrics->rows[row], values, count);
    if (at == METRIC_NO_SERIES) at = make_series(metrics, row, values, count);
    tcsi_metric metric = { 0 };
    if (at != METRIC_NO_SERIES) metric = (tcsi_metric){ metrics, metrics->series[at].cell, at };
    pthread_mutex_unlock(&metrics->lock);
    if (!metric.metrics) tcsi_metric_add(metrics->refused, 1);
    return metric;
}

/* ---- counting ---- */

static _Atomic unsigned thread_count;
static _Thread_local unsigned thread_slot; /* from 1; 0: none yet */

static _Atomic uint64_t *cell_here(tcsi_metric metric, size_t offset)
{
    if (!thread_slot) thread_slot = atomic_fetch_add_explicit(&thread_count, 1, memory_order_relaxed) % METRIC_SLOT_COUNT + 1;
    return &metric.metrics->cells[(thread_slot - 1) * metric.metrics->cell_max + metric.cell + offset];
}

void tcsi_metric_add(tcsi_metric metric, uint64_t steps)
{
    if (metric.metrics) atomic_fetch_add_explicit(cell_here(metric, 0), steps, memory_order_relaxed);
}

void tcsi_metric_move(tcsi_metric metric, int64_t steps)
{
    tcsi_metric_add(metric, (uint64_t)steps); /* modulo 2^64, as the sum is */
}

void tcsi_metric_set(tcsi_metric metric, double value)
{
    uint64_t bits;
    if (!metric.metrics) return;
    memcpy(&bits, &value, sizeof bits);
    atomic_store_explicit(&metric.metrics->cells[metric.cell], bits, memory_order_relaxed);
}

void tcsi_metric_observe(tcsi_metric metric, uint64_t steps)
{
    if (!metric.metrics) return;
    const tcsi_metric_row *row = metric.metrics->series[metric.series].row;
    size_t bucket = 0;
    while (bucket < TCSI_METRIC_BOUNDS_MAX && row->bounds[bucket] && steps > row->bounds[bucket]) bucket++;
    atomic_fetch_add_explicit(cell_here(metric, bucket), 1, memory_order_relaxed);
    atomic_fetch_add_explicit(cell_here(metric, tcsi_metric_bound_count(row) + 1), steps, memory_order_relaxed);
}

void tcsi_metric_bind(tcsi_metric metric, double (*read)(void *context), void *context)
{
    if (!metric.metrics) return;
    pthread_mutex_lock(&metric.metrics->lock);
    metric.metrics->series[metric.series].read = read;
    metric.metrics->series[metric.series].context = context;
    pthread_mutex_unlock(&metric.metrics->lock);
}

/* ---- reading ---- */

uint64_t tcsi_metric_cell(const tcsi_metrics *metrics, size_t cell)
{
    uint64_t sum = 0;
    for (size_t slot = 0; slot < METRIC_SLOT_COUNT; slot++)
        sum += atomic_load_explicit(&metrics->cells[slot * metrics->cell_max + cell], memory_order_relaxed);
    return sum;
}

double tcsi_metric_scaled(const tcsi_metric_row *row, double steps)
{
    if (row->scale == 0) return steps;
    return row->scale < 1 ? steps / nearbyint(1 / row->scale) : steps * row->scale; /* 2500000 of 1e-9 are 0.0025, the nearest double */
}

double tcsi_metric_series_value(const tcsi_metrics *metrics, const metric_series *series)
{
    if (series->read) return series->read(series->context);
    if (series->row->kind == TCSI_METRIC_GAUGE) {
        uint64_t bits = atomic_load_explicit(&metrics->cells[series->cell], memory_order_relaxed);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    if (series->row->kind == TCSI_METRIC_LEVEL)
        return tcsi_metric_scaled(series->row, (double)(int64_t)tcsi_metric_cell(metrics, series->cell));
    if (series->row->kind == TCSI_METRIC_COUNTER) return tcsi_metric_scaled(series->row, (double)tcsi_metric_cell(metrics, series->cell));
    uint64_t count = 0;
    for (size_t b = 0; b <= tcsi_metric_bound_count(series->row); b++) count += tcsi_metric_cell(metrics, series->cell + b);
    return (double)count;
}

double tcsi_metric_value(tcsi_metric metric)
{
    if (!metric.metrics) return 0;
    pthread_mutex_lock(&metric.metrics->lock);
    metric_series series = metric.metrics->series[metric.series];
    pthread_mutex_unlock(&metric.metrics->lock);
    return tcsi_metric_series_value(metric.metrics, &series);
}
