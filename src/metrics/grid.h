/* metrics/grid.h -- best F1s over a grid of 100 thresholds: point-adjusted, event, range and affiliation.
 *
 * The TSB-AD suite takes these four at the best of 100 thresholds spaced evenly from the lowest to the highest score, a row
 * being alarmed when its score is ABOVE the threshold.  Two consequences: the highest threshold alarms nobody, the lowest
 * all but the lowest rows; and, unlike every measure in curve.h and vus.h, these depend on the scale of the scores, so a
 * monotone transform that is not linear changes them.  They are best-case figures: the threshold is chosen with the labels.
 *
 * Each row is mapped once to its LEVEL, the number of thresholds below its score; it is alarmed at threshold t when its level
 * exceeds t.  Alarms only shrink as the threshold rises, so those at t are looked for inside those at t - 1.
 * NaN and -infinity are never alarmed, +infinity always; the grid spans the finite scores.
 * Cost: O(T) + the rows and alarms summed over the thresholds: 100,000 rows of noise in 30 ms, peaked scores in far less. */
#ifndef TCS_METRICS_GRID_H
#define TCS_METRICS_GRID_H

#include "metrics/span.h"

enum { TCSI_GRID_THRESHOLD_COUNT = 100 };

typedef struct tcsi_grid_best {
    double f1_point_adjusted, f1_event, f1_range, f1_affiliation; /* [0, 1]; NaN without events */
} tcsi_grid_best;

tcs_status tcsi_grid_compute(const double *scores, size_t row_count, const tcsi_span *events, size_t event_count,
                             tcsi_grid_best *ret_best, tcs_error *err) TCS_WARN_UNUSED;

#endif
