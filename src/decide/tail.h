/* decide/tail.h -- from raw scores to p-values and thresholds: a conformal body with a generalized Pareto tail.
 *
 * Body.  Below a high threshold u the p-value of a score s is the conformal one, (1 + #{reference >= s}) / (n + 1):
 *   V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005, chapter 2.
 * Tail.  Beyond u, peaks over threshold: J. Pickands, "Statistical inference using extreme order statistics", Annals of
 *   Statistics 3(1), 1975; the generalized Pareto distribution is fitted by probability-weighted moments:
 *   J. Hosking, J. Wallis, "Parameter and quantile estimation for the generalized Pareto distribution", Technometrics
 *   29(3), 1987, equation (9).
 * Dependence.  Neighbouring scores are not independent, so exceedances are first gathered into clusters (runs
 *   declustering: S. Coles, "An Introduction to Statistical Modeling of Extreme Values", 2001, section 5.3.2) and the tail
 *   is fitted to cluster peaks.  The number of clusters expected above s is what an alarm budget is compared with.
 * Contamination.  The reference may hold anomalies, since nobody labelled it.  Peaks that an exponential tail with the
 *   *median* excess would expect less than a tenth of a time are set aside before fitting; up to a quarter of the peaks.
 * Shape is held within [0, 0.3]: a bounded tail would claim certainty, a heavier one cannot be told from few peaks.
 * Cost: O(n log n) to fit, O(log n) a p-value.  Threads: fit one at a time; a fitted tail may be read by many. */
#ifndef TCS_DECIDE_TAIL_H
#define TCS_DECIDE_TAIL_H

#include "base/codec.h"

typedef struct tcsi_tail {
    double *sorted;          /* (N) reference scores, ascending */
    size_t count;            /* N */
    double threshold;        /* u */
    double threshold_p;      /* share of reference rows above u, set-aside ones left out */
    double scale, shape;     /* of the generalized Pareto distribution of cluster peaks above u; scale > 0 */
    size_t cluster_count;    /* peaks the fit used */
    size_t set_aside_count;  /* peaks left out as anomalies */
    double clusters_per_row; /* cluster_count / N */
    size_t run_length;       /* rows below u that end a cluster */
} tcsi_tail;

/* scores: (N), every one finite, N >= 2.  run_length >= 1: rows after which two exceedances count as unrelated.
 * Fewer than 20 rows or a constant reference give a wide exponential tail: stated by cluster_count < 5. */
tcs_status tcsi_tail_fit(const double *scores, size_t count, size_t run_length, tcsi_tail *ret_tail, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_tail_deinit(tcsi_tail *tail);
/* One that was never fitted is saved, too.  Loading, tail is zeroed; count_max bounds its reference. */
void tcsi_tail_persist(tcsi_tail *tail, size_t count_max, tcsi_codec *codec);

/* Chance of a score this high on a normal row, in (0, 1]; not increasing in score. */
double tcsi_tail_p_value(const tcsi_tail *tail, double score);

/* Normal clusters above score expected in row_count rows: what an episode of this height would cost by chance. */
double tcsi_tail_expected_clusters(const tcsi_tail *tail, double score, double row_count);

/* The lowest score whose expected_clusters is at most cluster_count_max (> 0) in row_count rows. */
double tcsi_tail_threshold(const tcsi_tail *tail, double cluster_count_max, double row_count);

/* An episode opened above threshold lasts while the score is clearly out of the ordinary: halfway between the tail's beginning
 * and the threshold, and never below what one reference row in fifty exceeds.  At most threshold. */
double tcsi_tail_threshold_low(const tcsi_tail *tail, double threshold);

/* Rows after which the autocorrelation of scores has fallen below 0.2; at least 1, at most count / 100. */
size_t tcsi_decorrelation_length(const double *scores, size_t count);

#endif
