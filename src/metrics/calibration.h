/* metrics/calibration.h -- do the stated probabilities mean what they say?
 *
 * Brier score: mean of (probability - label)^2 (G. Brier: "Verification of forecasts expressed in terms of probability",
 * Monthly Weather Review 78, 1950); 0 is perfect, always saying the base rate b gives b (1 - b).
 *
 * Expected calibration error: rows in 15 bins of equal width by their probability; the gap between a bin's mean probability
 * and its share of anomalous rows, averaged with the bins' row counts as weights (M. Naeini et al., AAAI 2015; C. Guo et al.,
 * "On calibration of modern neural networks", ICML 2017, equation 3).
 *
 * P-values are not probabilities of an anomaly: their promise is that on NORMAL rows a share t of them is at most t.  Their
 * error is the largest gap between that share and t over all t, the Kolmogorov-Smirnov distance to the uniform distribution
 * over the rows labelled normal.
 *
 * Rows without a value (NaN) are left out; no row left: NaN.  Values outside [0, 1] are an error that names the row. */
#ifndef TCS_METRICS_CALIBRATION_H
#define TCS_METRICS_CALIBRATION_H

#include "base/status.h"

typedef struct tcsi_calibration {
    double brier, ece; /* both in [0, 1], lower is better */
} tcsi_calibration;

/* probabilities: (T), that the row is anomalous; labels: (T).  E_INVALID. */
tcs_status tcsi_calibration_compute(const double *probabilities, const uint8_t *labels, size_t row_count,
                                    tcsi_calibration *ret_calibration, tcs_error *err) TCS_WARN_UNUSED;

/* p_values: (T).  *ret_error in [0, 1].  E_INVALID, E_MEMORY. */
tcs_status tcsi_p_value_error(const double *p_values, const uint8_t *labels, size_t row_count, double *ret_error,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
