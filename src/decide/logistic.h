/* decide/logistic.h -- logistic regression on one or two features, as calibrators need it: small, exact, and never at infinity.
 *
 *     ln(P / (1 - P)) = intercept + sum of slope_k feature_k,       slope_k >= 0
 *
 * Targets are J. Platt's ("Probabilistic outputs for support vector machines", 1999): (N+ + 1) / (N+ + 2) for anomalous rows and
 * 1 / (N- + 2) for normal ones, so that classes that can be told apart, or a single class, still give finite coefficients.  Newton's
 * method with backtracking on a convex function (H.-T. Lin, C.-J. Lin, R. Weng, "A note on Platt's probabilistic outputs for support
 * vector machines", Machine Learning 68, 2007), on standardised features.  A slope that comes out negative is set to 0 and the rest is
 * fitted again (M. Kull, T. Silva Filho, P. Flach, "Beta calibration", AISTATS 2017, section 4): a higher score never means less.
 * Cost: O(n) a step, about ten steps. */
#ifndef TCS_DECIDE_LOGISTIC_H
#define TCS_DECIDE_LOGISTIC_H

#include "base/status.h"

enum { TCSI_LOGISTIC_FEATURE_MAX = 2 };

typedef struct tcsi_logistic {
    double intercept;
    double slopes[TCSI_LOGISTIC_FEATURE_MAX]; /* >= 0; 0 beyond the features it was fitted to */
} tcsi_logistic;

/* features: (feature_count,count), finite; labels: (count); weights: (count), finite, >= 0, NULL: all 1.  E_MEMORY. */
tcs_status tcsi_logistic_fit(const double *features, size_t feature_count, const uint8_t *labels, const double *weights, size_t count,
                             tcsi_logistic *ret_logistic, tcs_error *err) TCS_WARN_UNUSED;
double tcsi_logistic_at(const tcsi_logistic *logistic, const double *features, size_t feature_count);

#endif
