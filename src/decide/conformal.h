/* decide/conformal.h -- p-values that need no model: how a score ranks among scores of normal rows.
 *
 * Split conformal, with the finite-sample correction: the row that is judged is one of the rows,
 *     p = (#{reference > s} + u (#{reference = s} + 1)) / (n + 1).
 * With u = 1 the chance that a normal row has p <= t is at most t whatever the distribution; with u uniform in (0, 1] it is exactly t,
 * ties or not (V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005, equations 2.19 and 2.20).
 *
 * Drift.  Row i of age a counts memory^a, and the judged row 1 (R. Barber, E. Candes, A. Ramdas, R. Tibshirani, "Conformal prediction
 * beyond exchangeability", Annals of Statistics 51(2), 2023, equation 10): what is lost of the promise is at most the weighted distance
 * between old rows and the present one.  memory = 1 is the classic p-value of the last capacity rows.
 *
 * Dependence.  n neighbouring scores that move together know as much as n_e = n / tau independent ones, where tau is the integrated
 * autocorrelation time by C. Geyer's initial positive sequence ("Practical Markov chain Monte Carlo", Statistical Science 7(4), 1992,
 * section 3.3: sums of two neighbouring autocorrelations for as long as they are positive, here made monotone).  With effective_share =
 * n_e / n the judged row weighs as much as the rows that stand for one independent row, so that no p-value falls below 1 / (n_e + 1).
 * A whole block of rows is judged against the other blocks of its own series by permuting blocks cyclically (V. Chernozhukov,
 * K. Wuthrich, Y. Zhu, "Exact and robust conformal inference methods for predictive machine learning with dependent data", COLT 2018,
 * section 2: moving block permutations): exact when shifts do not change the distribution, nearly so for a stationary, mixing series.
 *
 * Cost: O(log n) a push and a p-value; O(n log n) an effective count; O(n) a block.  Threads: one user per struct. */
#ifndef TCS_DECIDE_CONFORMAL_H
#define TCS_DECIDE_CONFORMAL_H

#include "series/rank_window.h"

typedef struct tcsi_conformal_options {
    size_t capacity;        /* scores kept, >= 1 */
    double memory;          /* what a score's weight is multiplied by with each later one, in [0.001, 1]; 1: none is forgotten */
    double effective_share; /* independent rows per row, in (0, 1]; 1: rows are independent */
} tcsi_conformal_options;

typedef struct tcsi_conformal {
    tcsi_conformal_options options;
    tcsi_rank_window window;
    double weight_next;     /* of the next score; grows, so that weights in the window need not shrink one by one */
} tcsi_conformal;

tcs_status tcsi_conformal_init(tcsi_conformal *conformal, const tcsi_conformal_options *options, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_conformal_deinit(tcsi_conformal *conformal); /* accepts a zeroed one */
void tcsi_conformal_push(tcsi_conformal *conformal, double score); /* of a normal row; not NaN */
/* u in (0, 1]: 1 is the unsmoothed one.  In (0, 1]; u without any reference. */
double tcsi_conformal_p_value(const tcsi_conformal *conformal, double score, double u);
/* The lowest score that covers a share level in (0, 1) of normal rows: a row above it has an unsmoothed p-value of at most 1 - level.
 * Infinite when the reference is too small to say. */
double tcsi_conformal_quantile(const tcsi_conformal *conformal, double level);
void tcsi_conformal_persist(tcsi_conformal *conformal, tcsi_codec *codec); /* loading: initialised with the same options */

/* Geyer's n_e of finite values: in [1, n] (n where neighbours do not agree more than chance does); of fewer than 4, n.  E_MEMORY. */
tcs_status tcsi_effective_count(const double *values, size_t count, double *ret_effective_count, tcs_error *err) TCS_WARN_UNUSED;

typedef enum tcsi_block_statistic {
    TCSI_BLOCK_MEAN, /* finds a shift that lasts */
    TCSI_BLOCK_MAX,  /* finds a spike */
} tcsi_block_statistic;

/* How the last block_count of count finite scores rank among all blocks of as many neighbouring ones, the series taken as a ring.
 * 1 <= block_count <= count.  In [1/count, 1].  E_INVALID, E_MEMORY. */
tcs_status tcsi_conformal_block_p_value(const double *scores, size_t count, size_t block_count, tcsi_block_statistic statistic,
                                        double *ret_p_value, tcs_error *err) TCS_WARN_UNUSED;

#endif
