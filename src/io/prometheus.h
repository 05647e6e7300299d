/* io/prometheus.h -- inside the Prometheus reader: what its two halves, prometheus.c (requests, rows) and
 * prometheus_parse.c (the JSON of an answer), share.  The door is tcsi_prometheus_open in io/answer.h.
 * Threads: one user per struct. */
#ifndef TCS_IO_PROMETHEUS_H
#define TCS_IO_PROMETHEUS_H

#include "base/arena.h"
#include "base/buffer.h"

typedef struct tcsi_prometheus_label {
    const char *name, *value;
} tcsi_prometheus_label;

typedef struct tcsi_prometheus_series {
    const char *key;                     /* the whole selector, up{instance="a",job="b"} */
    const tcsi_prometheus_label *labels; /* sorted by name; __name__ is the metric's */
    size_t label_count;
    int64_t *times_ms;                   /* (count) strictly ascending */
    double *values;                      /* (count) NaN = missing */
    size_t count, capacity;
    size_t next;                         /* for whoever walks through all series in time */
} tcsi_prometheus_series;

/* Series by their labels; answers to the parts of a range are joined in it. */
typedef struct tcsi_prometheus_matrix {
    tcsi_arena arena; /* labels and keys */
    tcsi_prometheus_series *series;
    size_t count, capacity;
    size_t *slots;    /* hash of the key to series + 1, open addressing, at most half full */
    size_t slot_count;
    bool *common;     /* (labels of the first series) every series has this one; set by tcsi_prometheus_compare */
    uint64_t histogram_count; /* series left out because they hold native histograms */
    char warning[256];        /* the first one that the server sent, or that it sent a part only; "" */
} tcsi_prometheus_matrix;

void tcsi_prometheus_matrix_init(tcsi_prometheus_matrix *matrix);
void tcsi_prometheus_matrix_deinit(tcsi_prometheus_matrix *matrix); /* accepts a zeroed one */

/* Appends what an answer of query_range (or of query with a range selector) holds.  body is not referred to afterwards.
 * E_FORMAT: malformed, cut off, or times that do not ascend; E_INVALID: the server refuses the query, or its result is no
 * matrix; E_IO: the server failed. */
tcs_status tcsi_prometheus_parse(tcsi_prometheus_matrix *matrix, const char *body, size_t size, tcs_error *err) TCS_WARN_UNUSED;

/* Finds the labels that all series have in common; before the names are asked for. */
tcs_status tcsi_prometheus_compare(tcsi_prometheus_matrix *matrix, tcs_error *err) TCS_WARN_UNUSED;
/* Appends the name of a series with those labels that not all series have in common; "" when nothing is left. */
tcs_status tcsi_prometheus_name(const tcsi_prometheus_matrix *matrix, size_t series, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;

#endif
