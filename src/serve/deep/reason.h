/* serve/deep/reason.h -- which rows of a window carried what a model said of it, and what would have made it ordinary.
 *
 * Shares are Shapley values (explain/shapley.h) of the window's rows, for the score itself: a player is a row, absent it has the value that
 * the network would have believed there.  So they sum to score - score_expected, exactly, whatever the orders that were drawn; and a row
 * that is as expected has none.  What is expected is said by the network, from left to right, each row from those before it as they then
 * are: of the rows that the score is about (the last TCSI_DEEP_STRETCH) always, of those before them where they are outside the band that
 * holds 99 % of what it expects.  The others are what it judges by, and stay.
 *
 * The counterfactual moves the fewest rows, in the order of their shares, towards those values, as little of the way as it takes; then the
 * window is scored once more as the deep layer scores, in the 2048ths that it reads.  "Smallest" holds along this line and in this order.
 * Seeded by the window: the same window, the same answer.  Cost: some 1,000 to 2,000 windows, 20 to 100 ms.  Threads: reentrant. */
#ifndef TCS_SERVE_DEEP_REASON_H
#define TCS_SERVE_DEEP_REASON_H

#include "serve/deep/model.h"

typedef struct tcsi_deep_verdict_options {
    tcsi_question_sort sort; /* what its score was compared with */
    double mean;             /* its chance p counts as p^(1 / mean) */
    double limit;            /* chances up to it, so counted, decide */
} tcsi_deep_verdict_options;

typedef struct tcsi_deep_reason {
    double score, p_value;               /* of the window; p_value as it counts */
    double chance;                       /* that it is of a true event, by what people answered (head.h); NaN: too few answers to tell */
    double score_expected;               /* with the rows that are expected in its place */
    int16_t expected[TCSI_LAST_ROWS];    /* the same value as in the window: it is what the network judges by */
    double shares[TCSI_LAST_ROWS];       /* Shapley values; sum to score - score_expected */
    double error;                        /* the largest of their standard errors */
    bool is_found;                       /* a change that makes it ordinary */
    int16_t instead[TCSI_LAST_ROWS];     /* the window with it */
    size_t changed_count;                /* rows */
    double way;                          /* how far they went to what was expected, (0, 1] */
    double score_after, p_value_after;
    size_t trial_count;                  /* windows scored */
} tcsi_deep_reason;

/* rows: (TCSI_LAST_ROWS).  E_MEMORY. */
tcs_status tcsi_deep_reason_find(const tcsi_deep_model *model, const int16_t *rows, const tcsi_deep_verdict_options *options,
                                 tcsi_deep_reason *ret, tcs_error *err) TCS_WARN_UNUSED;

#endif
