/* metrics/span.h -- runs of rows: labelled events and alarms alike are half-open spans [begin, end).
 * A list of spans is sorted, and no two of them touch.  Everything that compares events with alarms walks two such lists
 * at once, so that it costs as much as there are spans, not as there are rows.
 * Threads: plain functions. */
#ifndef TCS_METRICS_SPAN_H
#define TCS_METRICS_SPAN_H

#include "base/status.h"

typedef struct tcsi_span {
    size_t begin, end; /* rows; begin < end */
} tcsi_span;

/* Filled by the functions below; the caller starts with a zeroed struct and calls deinit once. */
typedef struct tcsi_span_list {
    tcsi_span *spans;
    size_t count, capacity;
} tcsi_span_list;

void tcsi_span_list_deinit(tcsi_span_list *list); /* accepts a zeroed struct */
tcs_status tcsi_span_list_append(tcsi_span_list *list, tcsi_span span, tcs_error *err) TCS_WARN_UNUSED;

/* The runs of nonzero flags; flags: (T), what list held before is dropped.  E_MEMORY. */
tcs_status tcsi_span_list_from_flags(const uint8_t *flags, size_t row_count, tcsi_span_list *list, tcs_error *err) TCS_WARN_UNUSED;

size_t tcsi_span_row_count(const tcsi_span *spans, size_t count); /* rows in all spans */

static inline size_t tcsi_span_length(tcsi_span span)
{
    return span.end - span.begin;
}

/* Rows that a and b share. */
static inline size_t tcsi_span_overlap(tcsi_span a, tcsi_span b)
{
    size_t begin = a.begin > b.begin ? a.begin : b.begin, end = a.end < b.end ? a.end : b.end;
    return begin < end ? end - begin : 0;
}

#endif
