/* metrics/calibration.h -- do the stated probabilities mean what they say?
 *
 * Brier score: mean of (probability - label)^2 (G. Brier: "Verification of forecasts expressed in terms of probability",
 * Monthly Weather Review 78, 1950); 0 is perfect, always saying the base rate b gives b (1 - b).
 *
 * Expected calibration error: rows in 15 bins of equal width by their probability; the gap between a bin's mean probability
 * and its share of anomalous rows, averaged with the bins' row counts as weights (M. Naeini et al., AAAI 2015; C. Guo et al.,
 * "On calibration of modern neural networks", ICML 2017, equation 3).
 *
 * Of few rows that error is too large: every bin's share of anomalous rows misses its probability by chance alone, and nothing evens that
 * out.  The debiased one subtracts from each bin's gap what a share that varies normally, with the variance p (1 - p) / n of the bin, adds
 * to it on average, and is held at 0 (A. Kumar, P. Liang, T. Ma: "Verified uncertainty calibration", NeurIPS 2019, section 5; the mean
 * of a folded normal in closed form instead of draws).
 *
 * Brier's score has three parts over the same bins (A. Murphy: "A new vector partition of the probability score", Journal of Applied
 * Meteorology 12, 1973): brier = reliability - resolution + uncertainty, up to how probabilities differ within a bin.  Reliability is what
 * calibration could mend, resolution what the score can tell apart, uncertainty how rare anomalies are.
 *
 * Log loss: mean of -ln of the probability that was given to what came, probabilities held within [1e-15, 1 - 1e-15].
 *
 * P-values are not probabilities of an anomaly: their promise is that on NORMAL rows a share t of them is at most t.  Their
 * error is the largest gap between that share and t over all t, the Kolmogorov-Smirnov distance to the uniform distribution
 * over the rows labelled normal.
 *
 * Rows without a value (NaN) are left out; no row left: NaN.  Values outside [0, 1] are an error that names the row. */
#ifndef TCS_METRICS_CALIBRATION_H
#define TCS_METRICS_CALIBRATION_H

#include "base/status.h"

enum { TCSI_RELIABILITY_BIN_COUNT = 15 };

/* Rows whose probability lies in [index / 15, (index + 1) / 15), the last one with its end. */
typedef struct tcsi_reliability_bin {
    size_t count;
    double probability; /* mean of what was stated; NaN when empty */
    double share;       /* of anomalous rows; NaN when empty */
} tcsi_reliability_bin;

typedef struct tcsi_calibration {
    double brier, ece; /* both in [0, 1], lower is better */
    double ece_debiased, log_loss;
    double reliability, resolution, uncertainty;
    tcsi_reliability_bin bins[TCSI_RELIABILITY_BIN_COUNT];
} tcsi_calibration;

/* probabilities: (T), that the row is anomalous; labels: (T).  E_INVALID. */
tcs_status tcsi_calibration_compute(const double *probabilities, const uint8_t *labels, size_t row_count,
                                    tcsi_calibration *ret_calibration, tcs_error *err) TCS_WARN_UNUSED;

/* p_values: (T).  *ret_error in [0, 1].  E_INVALID, E_MEMORY. */
tcs_status tcsi_p_value_error(const double *p_values, const uint8_t *labels, size_t row_count, double *ret_error,
                              tcs_error *err) TCS_WARN_UNUSED;

#endif
