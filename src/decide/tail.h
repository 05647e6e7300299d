/* decide/tail.h -- from raw scores to p-values and thresholds: a conformal body with a generalized Pareto tail.
 *
 * Body.  Below a high threshold u the p-value of a score s is the conformal one, (1 + #{reference >= s}) / (n + 1):
 *   V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005, chapter 2.
 * Tail.  Beyond u, peaks over threshold, with what is not known of the tail's shape averaged over (decide/pareto.h).
 * Dependence.  The tail is fitted to peaks of clusters (decide/peaks.h).  The number of clusters expected above s is what an alarm budget
 *   is compared with.
 * Contamination.  The reference may hold anomalies, since nobody labelled it: peaks that the others cannot explain are set aside.
 * Cost: O(n log n) to fit, O(log n) a p-value of the body, some 40 exponentials one of the tail.
 * Threads: fit one at a time; a fitted tail may be read by many. */
#ifndef TCS_DECIDE_TAIL_H
#define TCS_DECIDE_TAIL_H

#include "decide/pareto.h"

typedef struct tcsi_tail {
    double *sorted;          /* (N) reference scores, ascending */
    size_t count;            /* N */
    double threshold;        /* u */
    double ordinary;         /* >= u: what one reference row in fifty exceeds, set-aside ones left out */
    double threshold_p;      /* share of reference rows above u, set-aside ones left out */
    tcsi_pareto excess;      /* of cluster peaks above u */
    size_t cluster_count;    /* peaks above u that the fit used */
    size_t set_aside_count;  /* peaks left out as anomalies */
    double clusters_per_row; /* of those that were used */
    double cluster_rate;     /* of all clusters, per row */
    size_t run_length;       /* rows without a new highest that end a cluster */
} tcsi_tail;

typedef struct tcsi_reference {
    const double *scores;    /* (count) finite; every stride-th of them makes the body */
    size_t count, stride;    /* count >= 2 * stride; stride 0: 1 */
    const double *peaks;     /* (peak_count) the highest peaks of clusters, descending */
    size_t peak_count;
    double cluster_count;    /* of which they are the highest peaks: as many or more */
    double row_count;        /* rows that they are the peaks of: these and maybe more */
    size_t run_length;
    tcsi_pareto_prior prior;
    double wanted;           /* clusters that may lie above a threshold, in row_count rows: u is low enough for four times as many */
} tcsi_reference;

/* Few peaks and a constant reference give a wide exponential tail: stated by cluster_count < 5.  E_INVALID: fewer than 2 scores;
 * E_MEMORY. */
tcs_status tcsi_tail_fit(const tcsi_reference *reference, tcsi_tail *ret_tail, tcs_error *err) TCS_WARN_UNUSED;
/* What is taken for granted of scores that nobody has looked through: anomalies are among them. */
extern const tcsi_pareto_prior tcsi_prior_of_a_whole;
/* Of scores in order of time, the peaks of which are found here.  run_length >= 1: rows after which two scores count as unrelated. */
tcs_status tcsi_tail_fit_scores(const double *scores, size_t count, size_t run_length, double wanted,
                                const tcsi_pareto_prior *prior, tcsi_tail *ret_tail, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_tail_deinit(tcsi_tail *tail);
/* One that was never fitted is saved, too.  Loading, tail is zeroed; count_max bounds its reference. */
void tcsi_tail_persist(tcsi_tail *tail, size_t count_max, tcsi_codec *codec);

/* Chance of a score this high on a normal row, in (0, 1]; not increasing in score. */
double tcsi_tail_p_value(const tcsi_tail *tail, double score);

/* Normal clusters above score expected in row_count rows: what an episode of this height would cost by chance. */
double tcsi_tail_expected_clusters(const tcsi_tail *tail, double score, double row_count);

/* The lowest score whose expected_clusters is at most cluster_count_max (> 0) in row_count rows. */
double tcsi_tail_threshold(const tcsi_tail *tail, double cluster_count_max, double row_count);

/* An episode opened above threshold lasts while the score is out of the ordinary: above `ordinary`.  At most threshold. */
double tcsi_tail_threshold_low(const tcsi_tail *tail, double threshold);

/* Rows after which the autocorrelation of scores has fallen below 0.2; at least 1, at most count / 4 and TCSI_RUN_LENGTH_MAX: what rises
 * again later than that is another episode, however slowly the scores drift or follow the time of day. */
enum { TCSI_RUN_LENGTH_MAX = 16 };
size_t tcsi_decorrelation_length(const double *scores, size_t count);

#endif
