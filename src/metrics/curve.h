/* metrics/curve.h -- how many rows are alarmed, and how many of them rightly, at every distinct threshold.
 *
 * The confusion counts at each distinct score, from the highest down, are all that the row-wise measures need: area under
 * the precision-recall curve as average precision, sum over thresholds of (recall_k - recall_(k-1)) precision_k, without
 * interpolation (J. Davis, M. Goadrich: "The relationship between precision-recall and ROC curves", ICML 2006, who show that
 * linear interpolation there is wrong; scikit-learn computes the same); area under the ROC curve by trapezoids, which is the
 * Mann-Whitney statistic with ties counted half (J. Hanley, B. McNeil, Radiology 143, 1982); best point F1; precision among
 * the k highest.  Rows that tie enter together, so their order in the file changes nothing.
 * Cost: O(T) after the ranking; 16 bytes a distinct score. */
#ifndef TCS_METRICS_CURVE_H
#define TCS_METRICS_CURVE_H

#include "metrics/ranking.h"

typedef struct tcsi_curve_point {
    double threshold;       /* rows with a score >= threshold are alarmed */
    uint32_t alarmed, hits; /* rows alarmed, and those of them that are labelled; both grow from point to point */
} tcsi_curve_point;

typedef struct tcsi_curve {
    size_t row_count, positive_count; /* rows, labelled rows */
    size_t point_count;
    tcsi_curve_point *points; /* thresholds descending; the last alarms every row */
} tcsi_curve;

tcs_status tcsi_curve_init(const tcsi_ranking *ranking, const uint8_t *labels, tcsi_curve *ret_curve, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_curve_deinit(tcsi_curve *curve); /* accepts a zeroed struct */

double tcsi_curve_auc_pr(const tcsi_curve *curve);  /* NaN without a labelled row */
double tcsi_curve_auc_roc(const tcsi_curve *curve); /* NaN unless both kinds of rows are there */

typedef struct tcsi_curve_best {
    double f1, threshold;
} tcsi_curve_best;

/* The highest F1 over all thresholds, as the TSB-AD suite defines it: 2 p r / (p + r + 1e-5), which is never above
 * 0.999995.  The lowest of several equally good thresholds.  {NaN, NaN} without a labelled row. */
tcsi_curve_best tcsi_curve_best_f1(const tcsi_curve *curve);

/* The share of labelled rows among the k highest scores; rows that tie at the k-th place count with their mean.
 * NaN when k is 0; a k beyond the rows means all rows. */
double tcsi_curve_precision_at(const tcsi_curve *curve, size_t k);

#endif
