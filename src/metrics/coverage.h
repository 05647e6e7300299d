/* metrics/coverage.h -- does a band hold the share of values that it promised?
 *
 * Counted over rows labelled normal, which is what a band is promised for: an anomaly is meant to lie outside.  A band that is right is
 * as narrow as it can be, so the mean width stands beside the share.  Rows without a value or a band (NaN) are left out; no row left: NaN.
 * A band whose low end is above its high end is an error that names the row. */
#ifndef TCS_METRICS_COVERAGE_H
#define TCS_METRICS_COVERAGE_H

#include "base/status.h"

typedef struct tcsi_bands_stated {
    const double *values, *lows, *highs; /* (T) */
} tcsi_bands_stated;

typedef struct tcsi_coverage {
    size_t count;      /* rows that were looked at */
    double share;      /* of them with low <= value <= high */
    double width_mean; /* infinite when one is */
} tcsi_coverage;

/* labels: (T), nonzero = anomalous.  E_INVALID. */
tcs_status tcsi_coverage_compute(const tcsi_bands_stated *bands, const uint8_t *labels, size_t row_count, tcsi_coverage *ret_coverage,
                                 tcs_error *err) TCS_WARN_UNUSED;

#endif
