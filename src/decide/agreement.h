/* decide/agreement.h -- do the members of an ensemble say the same of a row?
 *
 * Each member finds a row as rare as its p-value in its own past.  A member agrees that the row is out of the ordinary when that is at most
 * one in a hundred; together they say what Cauchy's combination says (decide/fusion.h), which holds for members that see the same rows; how
 * far they are apart, in decades, is what no number of rows of this kind would settle.  It decides nothing: the ensemble's own score does,
 * which was measured to rank better (docs/internals/calibrate.md).  Costs about 0.5 us, when somebody asks.  Threads: reentrant. */
#ifndef TCS_DECIDE_AGREEMENT_H
#define TCS_DECIDE_AGREEMENT_H

#include "decide/fusion.h"

typedef struct tcsi_agreement {
    size_t member_count, agreeing_count; /* that spoke; 0: the score has no members, or none of them knows enough */
    double p_value, disagreement;        /* NaN when none spoke */
} tcsi_agreement;

/* p_values: (member_count), at most TCSI_FUSION_MEMBER_MAX, NaN: silent. */
tcsi_agreement tcsi_agreement_of(const float *p_values, size_t member_count);

#endif
