/* metrics/vus.h -- volume under the surface: AUC-PR and AUC-ROC averaged over how generous the edges of events are.
 *
 * J. Paparrizos, P. Boniol, T. Palpanas, R. Tsay, A. Elmore, M. Franklin: "Volume under the surface: a new accuracy evaluation
 * measure for time-series anomaly detection", PVLDB 15(11), 2022, sections 4.2 and 4.3; in the form of the TSB-AD suite's
 * own evaluation (Q. Liu, J. Paparrizos, NeurIPS 2024), which differs from the paper in details that change values.
 *
 * A label is extended on both sides of each event: at distance d <= w/2 (integer half) it is sqrt(1 - d/w).  For each
 * window w = 0..L a precision-recall and a ROC curve are taken at 250 thresholds, and the two results are the means of the
 * areas over w.  At threshold j, with sums over the alarmed rows:
 *
 *     tp = sum of the extended label          extra = that sum over the rows outside events        P = labelled rows
 *     recall = min(tp / ((2 P + extra) / 2), 1)                precision = tp / alarmed rows
 *     tpr = recall * (event groups with an alarmed row) / (event groups)       a group: events whose margins touch
 *     fpr = (alarmed rows - tp) / (T - (2 P + extra) / 2)
 *     AP = sum_j (tpr_j - tpr_(j-1)) precision_j           AUC by trapezoids from (0,0), closed by (1,1)
 *
 * Thresholds: the scores at positions int(i (T-1)/249), i = 0..249, of the descending order (numpy's linspace, bit for bit).
 *
 * Why it is fast.  A row's BUCKET is the first threshold that it reaches, so every sum above is a running sum over 250
 * buckets.  Inside events the extended label is 1 for every w: summed once.  In a margin with w/2 >= d each event adds
 * sqrt(1 - d/w) >= sqrt(1/2), so two events add up to more than 1 and are clipped: all that matters of a row is the distance
 * d1 to its nearest event and d2 to the second, and its label is 0, sqrt(1 - d1/w) or 1 as w/2 passes d1 and d2.  Hence rows
 * are counted into a table (distance d1, bucket), and one window costs w/2 additions of table rows: nothing in it depends on
 * T or on the number of events.  A row that reaches its d2 moves from the table to the column of ones.
 * Cost: O(T) to fill, then 250 L^2/4 multiply-adds: L = 125: 1 M, L = 300: 6 M (a millisecond or two); memory T + 1000 L bytes
 * and 16 bytes for each row between two events.
 * Checked against a plain sweep of thresholds over full arrays to 1e-9, and against published values to 1e-6. */
#ifndef TCS_METRICS_VUS_H
#define TCS_METRICS_VUS_H

#include "metrics/ranking.h"
#include "metrics/span.h"

enum { TCSI_VUS_THRESHOLD_COUNT = 250 };
#define TCSI_VUS_WINDOW_MAX ((size_t)10000) /* rows; the work grows with its square: 2.4 s there */

typedef struct tcsi_vus {
    double pr, roc; /* [0, 1]; pr is NaN without an event, roc is NaN unless rows of both kinds are there */
} tcsi_vus;

/* events: sorted and apart, within the ranked rows.  window: L, in rows, <= TCSI_VUS_WINDOW_MAX.  E_LIMIT, E_MEMORY. */
tcs_status tcsi_vus_compute(const tcsi_ranking *ranking, const tcsi_span *events, size_t event_count, size_t window,
                            tcsi_vus *ret_vus, tcs_error *err) TCS_WARN_UNUSED;

/* The same from scores (T) and labels (T), for callers that want nothing else. */
tcs_status tcsi_vus_of_scores(const double *scores, const uint8_t *labels, size_t row_count, size_t window, tcsi_vus *ret_vus,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
