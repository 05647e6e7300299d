/* metrics/overlap.h -- events against alarms: every measure that compares one decision with the labels.
 * All take two lists of spans (metrics/span.h) of the same T rows and walk both at once: O(events + alarms).
 *
 * Rows.  Precision, recall and F1 over rows; the false-alarm rate (alarmed normal rows / normal rows) and missed-alarm rate
 * (unalarmed anomalous rows / anomalous rows) that the SKAB bench reports, there in percent, here as fractions.
 *
 * Point-adjusted F1 (H. Xu et al., "Unsupervised anomaly detection via variational auto-encoder for seasonal KPIs in web
 * applications", WWW 2018): one alarmed row in an event counts all its rows as found.  It flatters: random scores do well on
 * long events (S. Kim et al., AAAI 2022); it is here because it is published.  TSB-AD's quirk is kept: the adjustment never
 * reaches row 0, so an event that begins there lacks its first row unless that row is alarmed itself.
 *
 * Event F1 (A. Garg et al., "An evaluation of anomaly detection and diagnosis in multivariate time series", TNNLS 2021, there
 * "composite F"): recall over events, precision over rows, 2 r p / (r + p + 1e-15).
 *
 * Range F1 (N. Tatbul et al., "Precision and recall for time series", NeurIPS 2018, equations 3 to 9), flat bias, cardinality
 * factor 1/x, as TSB-AD sets it: recall of an event = 0.2 [found] + 0.8 overlap / x, precision of an alarm = overlap / x, where
 * overlap is the share of its rows that the other side covers and x the number of spans of the other side that touch it.
 *
 * Affiliation: metrics/affiliation.h. */
#ifndef TCS_METRICS_OVERLAP_H
#define TCS_METRICS_OVERLAP_H

#include "metrics/span.h"

/* One decision and the labels it is held against. */
typedef struct tcsi_decision {
    size_t row_count;
    const tcsi_span *events;
    size_t event_count;
    const tcsi_span *alarms;
    size_t alarm_count;
} tcsi_decision;

typedef struct tcsi_overlap {
    size_t row_count;
    size_t positive_count; /* rows in events */
    size_t alarmed_count;  /* rows in alarms */
    size_t hit_count;      /* rows in both */
    size_t adjusted_count; /* rows of events that count as found after point adjustment */
    size_t event_count, events_found;
    size_t alarm_count, alarms_false; /* false: touches no event */
    double range_recall, range_precision; /* NaN without events; precision is 0 without alarms */
} tcsi_overlap;

tcsi_overlap tcsi_overlap_compute(const tcsi_decision *decision);

/* Each in [0, 1]; NaN where nothing could be found (no event; for far: no normal row); 0 where nothing was found. */
double tcsi_overlap_precision(const tcsi_overlap *overlap);
double tcsi_overlap_recall(const tcsi_overlap *overlap);
double tcsi_overlap_event_recall(const tcsi_overlap *overlap);
double tcsi_overlap_far(const tcsi_overlap *overlap);
double tcsi_overlap_mar(const tcsi_overlap *overlap);
double tcsi_overlap_f1(const tcsi_overlap *overlap);
double tcsi_overlap_f1_point_adjusted(const tcsi_overlap *overlap);
double tcsi_overlap_f1_event(const tcsi_overlap *overlap);
double tcsi_overlap_f1_range(const tcsi_overlap *overlap);

#endif
