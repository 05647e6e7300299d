/* decide/conformal.h -- p-values that need no model: how a score ranks among the last scores of normal rows.
 *
 * Split conformal, with the finite-sample correction: the row that is judged is one of the rows,
 *     p = (#{reference >= s} + 1) / (n + 1).
 * The chance that a normal row has p <= t is at most t whatever the distribution (V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning
 * in a Random World", 2005, equation 2.19).
 * Cost: O(log n).  Threads: one user per window. */
#ifndef TCS_DECIDE_CONFORMAL_H
#define TCS_DECIDE_CONFORMAL_H

#include "series/rank_window.h"

double tcsi_conformal_p_value(const tcsi_rank_window *reference, double score); /* in (0, 1] */
/* The lowest score that covers a share level in (0, 1) of normal rows: a row above it has a p-value of at most 1 - level.  Infinite when
 * the reference is too small to say. */
double tcsi_conformal_quantile(const tcsi_rank_window *reference, double level);

#endif
