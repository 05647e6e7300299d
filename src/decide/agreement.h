/* decide/agreement.h -- do the members of an ensemble say the same of a row?
 *
 * Each member finds a row as rare as its p-value in its own past.  A member agrees that the row is out of the ordinary when that is at most
 * one in a hundred.  Together they say the Cauchy combination (Y. Liu, J. Xie, "Cauchy combination test", JASA 115, 2020),
 *     p = 1/2 - arctan(mean of cot(pi p_k)) / pi,   each p_k held at 0.99, so that one calm member does not outvote all others,
 * which is nearly exact for small p under any dependence, and members depend on each other, because they see the same rows.  How far they
 * are apart is the deviation of log10 p over them, in decades.  Members that are silent (NaN) are left out.
 * It decides nothing: the ensemble's own score does, which was measured to rank better (docs/internals/calibrate.md).
 * Cost: a tangent and a logarithm a member, when somebody asks.  Threads: reentrant. */
#ifndef TCS_DECIDE_AGREEMENT_H
#define TCS_DECIDE_AGREEMENT_H

#include <stddef.h>

typedef struct tcsi_agreement {
    size_t member_count, agreeing_count; /* that spoke; 0: the score has no members, or none of them knows enough */
    double p_value, disagreement;        /* NaN when none spoke */
} tcsi_agreement;

/* p_values: (member_count) in [0, 1], NaN: silent. */
tcsi_agreement tcsi_agreement_of(const float *p_values, size_t member_count);

#endif
