/* decide/effective.h -- as how many independent scores do scores count that move together?
 *
 * n neighbouring scores know as much as n_e = n / tau independent ones, where tau is the integrated autocorrelation time by C. Geyer's
 * initial positive sequence ("Practical Markov chain Monte Carlo", Statistical Science 7(4), 1992, section 3.3: sums of two neighbouring
 * autocorrelations for as long as they are positive, here made monotone).
 * It is told, not used: a p-value that never falls below 1 / (n_e + 1) holds more than it promises and mostly cannot say anything
 * (docs/internals/calibrate.md), and the tail, whose peaks are those of clusters, does not need it.
 * Cost: O(n log n).  Threads: reentrant. */
#ifndef TCS_DECIDE_EFFECTIVE_H
#define TCS_DECIDE_EFFECTIVE_H

#include "base/status.h"

/* Geyer's n_e of finite values: in [1, n] (n where neighbours do not agree more than chance does); of fewer than 4, n.  E_MEMORY. */
tcs_status tcsi_effective_count(const double *values, size_t count, double *ret_effective_count, tcs_error *err) TCS_WARN_UNUSED;

#endif
