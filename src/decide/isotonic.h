/* decide/isotonic.h -- the rising function nearest to a cloud of points: isotonic regression by pooling adjacent violators.
 *
 * Minimises sum of w (y - f(x))^2 over all f that never fall (M. Ayer, H. Brunk, G. Ewing, W. Reid, E. Silverman, "An empirical
 * distribution function for sampling with incomplete information", Annals of Mathematical Statistics 26(4), 1955; as calibration: B.
 * Zadrozny, C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002).  Points with one x are
 * first taken together at their weighted mean.  Between knots f is a straight line, beyond them it stays what it was.
 * Cost: O(n log n) to fit, O(log n) a value.  Threads: a fitted one may be read by many. */
#ifndef TCS_DECIDE_ISOTONIC_H
#define TCS_DECIDE_ISOTONIC_H

#include "base/codec.h"

typedef struct tcsi_isotonic {
    double *x, *y; /* (count) ascending; y may repeat */
    size_t count;
} tcsi_isotonic;

/* x, y, weights: (count), finite; weights >= 0, NULL: all 1; their sum > 0.  E_INVALID, E_MEMORY. */
tcs_status tcsi_isotonic_fit(const double *x, const double *y, const double *weights, size_t count, tcsi_isotonic *ret_isotonic,
                             tcs_error *err) TCS_WARN_UNUSED;
void tcsi_isotonic_deinit(tcsi_isotonic *isotonic); /* accepts a zeroed one */
double tcsi_isotonic_at(const tcsi_isotonic *isotonic, double x); /* x not NaN */
void tcsi_isotonic_persist(tcsi_isotonic *isotonic, tcsi_codec *codec); /* loading, isotonic is zeroed */

#endif
