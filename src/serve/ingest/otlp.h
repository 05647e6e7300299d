/* serve/ingest/otlp.h -- OpenTelemetry metrics (OTLP/HTTP 1.x), as Protocol Buffers and as JSON, into a batch.
 *
 * Both encodings say the same; a front for each walks its own and tells otlp.c, in this order: resource, metric, point.  otlp.c knows what
 * they mean: names, which points are counters, what is not taken.
 * Threads: one user per batch. */
#ifndef TCS_SERVE_INGEST_OTLP_H
#define TCS_SERVE_INGEST_OTLP_H

#include "serve/ingest/batch.h"

/* ExportMetricsServiceRequest.  E_FORMAT: it is none; E_LIMIT, E_MEMORY. */
tcs_status tcsi_otlp_protobuf(const void *body, size_t size, tcsi_batch *batch, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_otlp_json(const char *body, size_t size, tcsi_batch *batch, tcs_error *err) TCS_WARN_UNUSED;

/* ---- for the two fronts ---- */

typedef struct tcsi_otlp_text {
    const char *text;
    size_t size;
} tcsi_otlp_text;

typedef enum tcsi_otlp_type {
    TCSI_OTLP_GAUGE,
    TCSI_OTLP_SUM,
    TCSI_OTLP_HISTOGRAM, /* of fixed or exponential buckets */
    TCSI_OTLP_SUMMARY,
} tcsi_otlp_type;

enum { TCSI_OTLP_DELTA = 1, TCSI_OTLP_CUMULATIVE = 2, TCSI_OTLP_NO_RECORDED_VALUE = 1 /* a bit of flags */ };

typedef struct tcsi_otlp_metric {
    tcsi_otlp_text name, unit;
    tcsi_otlp_type type;
    uint64_t temporality;
    bool monotonic;
} tcsi_otlp_metric;

typedef struct tcsi_otlp_point {
    uint64_t begin_ns, time_ns, flags; /* begin_ns 0: not stated */
    double value;                      /* of gauges and sums */
    bool has_value, has_sum;
    double count, sum;                 /* of histograms and summaries */
    size_t bucket_count, exemplar_count;
} tcsi_otlp_point;

typedef struct tcsi_otlp {
    tcsi_batch *batch;
    tcs_error *err;
    tcs_status status;   /* the first failure; everything after it does nothing */
    tcsi_key resource;   /* tags of the resource, unsorted: a fault of theirs is one of every point */
    tcsi_key key;        /* of the point being built */
    tcsi_otlp_metric metric;
    tcsi_otlp_text base; /* the metric's name in Prometheus' alphabet, with its unit */
} tcsi_otlp;

tcsi_otlp tcsi_otlp_begin(tcsi_batch *batch, tcs_error *err);
void tcsi_otlp_resource(tcsi_otlp *otlp); /* a new one, without attributes */
void tcsi_otlp_resource_attribute(tcsi_otlp *otlp, tcsi_otlp_text name, tcsi_otlp_text value);
void tcsi_otlp_metric_begin(tcsi_otlp *otlp, const tcsi_otlp_metric *metric);
void tcsi_otlp_point_begin(tcsi_otlp *otlp);
void tcsi_otlp_point_attribute(tcsi_otlp *otlp, tcsi_otlp_text name, tcsi_otlp_text value);
void tcsi_otlp_point_end(tcsi_otlp *otlp, const tcsi_otlp_point *point);
/* Attributes that are numbers or booleans, as text in the batch's arena. */
tcsi_otlp_text tcsi_otlp_format_integer(tcsi_otlp *otlp, int64_t value);
tcsi_otlp_text tcsi_otlp_format_double(tcsi_otlp *otlp, double value);

#endif
