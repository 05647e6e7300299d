/* serve/self/metric.h -- figures about ourselves: declared in tables, counted without locks, read as Prometheus reads.
 *
 * A module declares rows (name, kind, unit, help, labels) beside its use and adds them at start; a series (a row with label values) is
 * looked up once and kept as a handle.  Counting adds to a cell of the calling thread's slot: a relaxed atomic addition to a line that
 * hardly anybody else writes, some nanoseconds.  Reading sums the slots; nobody is stopped, so the sum may lag behind by what happens
 * meanwhile, never go back.
 * Everything counted is a whole number of steps; `scale` is what one step is worth (nanoseconds in seconds: 1e-9), so that sums are
 * exact and the same in any order.  Names follow Prometheus: base units, the unit as suffix, `_total` on counters; adding a row that
 * does not asserts. What grows is bounded: cells in all, series a row.  Beyond it a handle counts nothing, and
 * `tocsin_metrics_refused_total` says so. Threads: everything is thread-safe, except that rows are added before others count. */
#ifndef TCS_SERVE_SELF_METRIC_H
#define TCS_SERVE_SELF_METRIC_H

#include "base/buffer.h"

typedef enum tcsi_metric_kind {
    TCSI_METRIC_COUNTER,   /* add */
    TCSI_METRIC_LEVEL,     /* a gauge that goes up and down by move: connections open */
    TCSI_METRIC_GAUGE,     /* set, or read when asked */
    TCSI_METRIC_HISTOGRAM, /* observe */
} tcsi_metric_kind;

enum { TCSI_METRIC_LABELS_MAX = 4, TCSI_METRIC_BOUNDS_MAX = 24, TCSI_METRIC_SERIES_MAX = 1024 };

typedef struct tcsi_metric_row {
    const char *name;                            /* "tocsin_http_requests_total" */
    tcsi_metric_kind kind;
    const char *unit;                            /* "seconds", "bytes"; NULL: a count of things */
    const char *help;
    const char *labels[TCSI_METRIC_LABELS_MAX];  /* as far as not NULL */
    double scale;                                /* of one step; 0: 1 */
    uint64_t bounds[TCSI_METRIC_BOUNDS_MAX];     /* HISTOGRAM: in steps, ascending, ends with 0; the last bucket is unbounded */
} tcsi_metric_row;

typedef struct tcsi_metrics tcsi_metrics;

/* A handle; that of a NULL registry counts nothing. */
typedef struct tcsi_metric {
    tcsi_metrics *metrics;
    uint32_t cell;     /* its first */
    uint32_t series;
} tcsi_metric;

/* cell_max: 0: 8192, 1 MiB. */
tcs_status tcsi_metrics_create(size_t cell_max, tcsi_metrics **ret_metrics, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_metrics_destroy(tcsi_metrics *metrics); /* accepts NULL */

/* rows must outlive metrics.  *ret_first: number of the first; the others follow it.  A table that was added before keeps its numbers. */
tcs_status tcsi_metrics_add(tcsi_metrics *metrics, const tcsi_metric_row *rows, size_t row_count, size_t *ret_first,
                            tcs_error *err) TCS_WARN_UNUSED;
/* The series of row with these label values (as many as the row has labels; NULL where it has none), made when it is new. */
tcsi_metric tcsi_metrics_get(tcsi_metrics *metrics, size_t row, const char *const *values);

void tcsi_metric_add(tcsi_metric metric, uint64_t steps);
void tcsi_metric_move(tcsi_metric metric, int64_t steps);
void tcsi_metric_set(tcsi_metric metric, double value);
void tcsi_metric_observe(tcsi_metric metric, uint64_t steps);
/* A GAUGE or COUNTER that is asked when somebody reads. */
void tcsi_metric_bind(tcsi_metric metric, double (*read)(void *context), void *context);
/* Scaled; of a HISTOGRAM: how often it observed. */
double tcsi_metric_value(tcsi_metric metric);

/* ---- reading ---- */
typedef enum tcsi_exposition { TCSI_EXPOSITION_TEXT, TCSI_EXPOSITION_OPENMETRICS, TCSI_EXPOSITION_COUNT } tcsi_exposition;
extern const char *const tcsi_exposition_types[TCSI_EXPOSITION_COUNT]; /* media types with their parameters */

/* Appends every series, rows in the order in which they were added. */
tcs_status tcsi_metrics_write(tcsi_metrics *metrics, tcsi_exposition exposition, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
