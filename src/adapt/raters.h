/* adapt/raters.h -- several people's answers as one, with how far to believe each of them, though nobody knows who is right.
 *
 * A person says *true* of real events with one probability (sensitivity) and *expected* of others with another (specificity), independently
 * of the other people given what the episode was; both, what each episode was, and how many are real are found by expectation maximization
 * (A. Dawid, A. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm", Applied Statistics 28, 1979).
 * RATER_PRIOR imagined answers of each person to either kind, RATER_RIGHT of them right, stand beside what was really said, so that one
 * answer makes nobody infallible; and it begins with everybody's word counting alike.  An answer given with confidence c counts as one of
 * a person who is right with probability 1/2 + c (accuracy - 1/2), and c times in what is learned of that person.
 * People who never answer the same episodes as others keep what was imagined of them: agreement is all that there is to go by.
 * Of knowledge/votes.h, which does this for rules that either speak or do not, it differs in that both answers are said aloud.
 * Cost: votes times at most ITERATIONS_MAX; the same bits for the same votes in the same order.  Threads: reentrant. */
#ifndef TCS_ADAPT_RATERS_H
#define TCS_ADAPT_RATERS_H

#include "base/status.h"

typedef struct tcsi_vote {
    uint32_t rater, item;
    bool is_true;
    double confidence;      /* [0, 1] */
} tcsi_vote;

typedef struct tcsi_rater {
    double sensitivity, specificity;
    double vote_count;      /* by confidence */
} tcsi_rater;

typedef struct tcsi_raters {
    tcsi_rater *raters;     /* (rater_count) */
    double *probabilities;  /* (item_count) that it is real; of one without votes: share */
    double *disagreements;  /* (item_count) 0: all say the same, 1: half say the other */
    size_t rater_count, item_count;
    double share;           /* of real ones among the items */
    double noise;           /* of all votes, the share that is wrong, as estimated */
} tcsi_raters;

/* E_MEMORY; then there is nothing to release. */
tcs_status tcsi_raters_estimate(const tcsi_vote *votes, size_t vote_count, size_t rater_count, size_t item_count, tcsi_raters *ret_raters,
                                tcs_error *err) TCS_WARN_UNUSED;
void tcsi_raters_deinit(tcsi_raters *raters); /* accepts a zeroed one */

/* What an answer of this person counts: 1 for whoever is as good as was imagined or better, 0 for who might as well throw a coin. */
double tcsi_rater_reliability(const tcsi_rater *rater);
extern const tcsi_rater tcsi_rater_unknown; /* before anything was said */

#endif
