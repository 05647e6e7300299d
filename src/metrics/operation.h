/* metrics/operation.h -- what living with the alarms is like: how soon, how many for nothing, at what cost.
 *
 * Time to detect: rows (and seconds) from an event's first row to the first alarmed row inside it; 0 when an alarm was up
 * already.  Events that were not found have no delay: read the mean together with the event recall.
 *
 * False alarms per day: alarms (runs of alarmed rows) that touch no event, per day of data.  A day of data is counted from
 * the time stamps as T / (T - 1) times the span from the earliest to the latest, so that duplicated and backward stamps do
 * no harm, or from a given cadence; unknown without either.  Flickering alarms count each time: merging is the policy's work.
 *
 * Cost: missed events times their price plus false alarms times theirs, in the user's unit (C. Elkan: "The foundations of
 * cost-sensitive learning", IJCAI 2001, taken over events instead of rows).
 *
 * Located: the row with the highest score (the first of several) lies in an event or within 100 rows of one: the UCR archive's
 * question, one event per file, one answer per file (R. Wu, E. Keogh: "Current time series anomaly detection benchmarks are
 * flawed and are creating the illusion of progress", TKDE 2021). */
#ifndef TCS_METRICS_OPERATION_H
#define TCS_METRICS_OPERATION_H

#include "metrics/overlap.h"

typedef struct tcsi_time_axis {
    const int64_t *times_ns; /* (T) or NULL */
    double row_seconds;      /* without times: seconds from row to row; 0 = unknown */
} tcsi_time_axis;

/* Days that T rows cover, > 0; NaN when unknown or when all rows have one time. */
double tcsi_time_axis_days(const tcsi_time_axis *axis, size_t row_count);

typedef struct tcsi_delay {
    double rows_mean, rows_median; /* over the events that were found, >= 0; NaN when none was */
    double seconds_mean;           /* NaN also when times are unknown; a backward stamp counts as no delay */
} tcsi_delay;

tcs_status tcsi_delay_compute(const tcsi_decision *decision, const tcsi_time_axis *axis, tcsi_delay *ret_delay,
                              tcs_error *err) TCS_WARN_UNUSED;

/* 1 or 0; NaN without events.  tolerance: rows before and after an event.  A highest score of NaN or -infinity locates nothing. */
double tcsi_located(const double *scores, size_t row_count, const tcsi_span *events, size_t event_count, size_t tolerance);

#endif
