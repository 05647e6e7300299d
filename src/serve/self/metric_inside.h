/* serve/self/metric_inside.h -- what metric.c keeps, for exposition.c; nobody else includes it. */
#ifndef TCS_SERVE_SELF_METRIC_INSIDE_H
#define TCS_SERVE_SELF_METRIC_INSIDE_H

#include "serve/self/metric.h"

#include <pthread.h>
#include <stdatomic.h>

enum { METRIC_SLOT_COUNT = 16, METRIC_ROWS_MAX = 512 };
#define METRIC_NO_SERIES UINT32_MAX

typedef struct metric_series {
    const tcsi_metric_row *row;
    char *values[TCSI_METRIC_LABELS_MAX];
    uint32_t cell, next;
    double (*read)(void *context); /* NULL: the cells */
    void *context;
} metric_series;

typedef struct metric_family {
    const tcsi_metric_row *row;
    uint32_t first, last; /* series, in the order in which they came */
    size_t series_count;
} metric_family;

struct tcsi_metrics {
    pthread_mutex_t lock; /* of rows and series, never of cells */
    metric_family rows[METRIC_ROWS_MAX];
    size_t row_count;
    metric_series *series; /* cell_max of them: none ever moves */
    size_t series_count;
    _Atomic uint64_t *cells;
    size_t cell_max, cell_count;
    tcsi_metric refused;
};

size_t tcsi_metric_label_count(const tcsi_metric_row *row);
size_t tcsi_metric_bound_count(const tcsi_metric_row *row);
uint64_t tcsi_metric_cell(const tcsi_metrics *metrics, size_t cell);
double tcsi_metric_scaled(const tcsi_metric_row *row, double steps);
double tcsi_metric_series_value(const tcsi_metrics *metrics, const metric_series *series);

#endif
