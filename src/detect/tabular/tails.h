/* detect/tabular/tails.h -- how far out in its channel's tails each value lies: the common part of ecod and copod.
 *
 * For each channel the empirical distribution F(x) = share of rows <= x and its mirror image G(x) = share of rows >= x give
 * L = -log F and R = -log G.  S is the tail that the channel leans to: L when its skewness is negative, R when it is
 * positive, both added when it is zero.  The two detectors differ in how they join L, R and S; rows add up channels.
 * Own rows are part of the distribution.  After fit, a row is judged as if it alone had been added to the training rows.
 * Cost: a sort a channel, then a binary search a value.  Memory: the sorted values. */
#ifndef TCS_DETECT_TABULAR_TAILS_H
#define TCS_DETECT_TABULAR_TAILS_H

#include "detect/detector.h"
#include "detect/tabular/parts.h"
#include "detect/tabular/table.h"

typedef struct tcsi_tails_model {
    tcsi_scaler scaler;
    size_t row_count;
    double *sorted; /* (C,R) rising */
    double *skews;  /* (C): -1, 0, 1 */
} tcsi_tails_model;

typedef enum tcsi_tails_rule {
    TCSI_TAILS_ECOD,  /* max(L, R, S) */
    TCSI_TAILS_COPOD, /* max(S, (L + R) / 2) */
} tcsi_tails_rule;

typedef struct tcsi_tails {
    tcsi_detector base;
    tcsi_tails_model fitted;
    tcsi_parts parts;
} tcsi_tails;

/* The operations of both detectors, as detector.h describes them; rule and tag tell them apart. */
tcs_status tcsi_tails_init(tcsi_detector *base, tcs_error *err);
void tcsi_tails_deinit(tcsi_detector *base);
tcs_status tcsi_tails_fit(tcsi_detector *base, const tcsi_frame *train, tcs_error *err);
tcs_status tcsi_tails_score(tcsi_detector *base, tcsi_tails_rule rule, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err);
void tcsi_tails_contribute_span(const tcsi_detector *base, size_t row_begin, size_t row_end, double *ret_parts);
void tcsi_tails_persist(tcsi_detector *base, tcsi_codec *codec);
size_t tcsi_tails_size_max(const tcsi_detector *base, size_t row_count);

#endif
