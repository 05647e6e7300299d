/* explain/counterfactual.h -- the smallest change that would not have alarmed, found by trying and checked by scoring it.
 *
 * A trial takes the channels that carry most of an episode and moves their values along the line from what was observed to what is normal;
 * the rows are then scored again, and are quiet when none of them is above the threshold that was in force for it, nor any row behind
 * them that was not above it before.  Four questions, one after the other, each answered by trials:
 *   1. Towards what?   the expected values (expected.h); if that is not quiet, the expected values with the texture of the rows before
 *                      the episode, because a line without noise is itself strange to many detectors; then the rows of one and another
 *                      normal stretch whose surroundings were most alike; then those just before, whole periods earlier.  Each first in
 *                      the rows of the episode, then also in those on both sides that the detector looks at, and those in which it may
 *                      have begun unnoticed.
 *   2. How many?       channels, by bisection over their order by attribution
 *   3. How far?        the share of the way, by bisection
 *   4. Is it so?       the answer is scored once more, from the beginning
 * All episodes that are explained go through them in step, so that detectors that must score the whole frame do so a few times whatever
 * the number of episodes; then the answer to one is on the condition that the others were changed too.
 *
 * What is said is what was tried: "quiet" holds for these values, and "smallest" along this line and in this order of channels.  Scores
 * need not fall steadily on the way; a smaller change elsewhere may exist. */
#ifndef TCS_EXPLAIN_COUNTERFACTUAL_H
#define TCS_EXPLAIN_COUNTERFACTUAL_H

#include "explain/attribution.h"

typedef struct tcsi_range {
    double low, high; /* NaN: no limit */
} tcsi_range;

typedef enum tcsi_counterfactual_outcome {
    TCSI_COUNTERFACTUAL_NOT_ASKED, /* or cannot be tried: the detector is gone, or the episode too large */
    TCSI_COUNTERFACTUAL_FOUND,     /* checked */
    TCSI_COUNTERFACTUAL_NONE,      /* no change that was tried would have kept it quiet */
    TCSI_COUNTERFACTUAL_LIMIT,     /* a hard limit was passed, which alarms whatever the score: nothing was tried */
    TCSI_COUNTERFACTUAL_EVIDENCE,  /* it alarmed by evidence that added up, too: nothing was tried */
} tcsi_counterfactual_outcome;

typedef struct tcsi_counterfactual {
    tcsi_counterfactual_outcome outcome;
    tcsi_extent rows;          /* that are changed */
    size_t *channels;        /* (channel_count) that are changed, first by attribution */
    size_t channel_count;
    double *values;          /* (channel_count,rows) */
    bool is_late;            /* behind the episode a row alarms that did not: what came to stay would have been noticed later */
    double share;            /* of the way to what is normal, (0, 1] */
    double change;           /* root mean square of the changes, in deviations of their channels */
    double score_before, score_after; /* highest of the episode's rows, of what thresholds are compared with */
    double threshold;        /* lowest in force there */
    size_t trial_count;
} tcsi_counterfactual;

typedef struct tcsi_counterfactual_task {
    tcsi_extent episode;
    bool is_asked;           /* else its rows are left alone */
    const tcsi_attribution *attribution; /* channels in the order of their shares */
    const tcsi_expectations *expectations; /* of tcsi_counterfactual_rows, and of all channels that may be changed */
} tcsi_counterfactual_task;

/* Rows that are judged: the episode, those whose change its scores may have come from, and those that a change may disturb.  since: where
 * it may really have begun, at most TCSI_COUNTERFACTUAL_BACK_MAX rows before it was noticed. */
enum { TCSI_COUNTERFACTUAL_BACK_MAX = 256 };
tcsi_extent tcsi_counterfactual_judged(const tcsi_subject *subject, tcsi_extent episode, size_t since);
/* Rows of which it must be known what was expected: those, whatever since is, and as many before them. */
tcsi_extent tcsi_counterfactual_rows(const tcsi_subject *subject, tcsi_extent episode);

typedef struct tcsi_counterfactual_options {
    const tcsi_range *ranges; /* (C) that changed values stay in; NULL: none */
    size_t step_count;        /* of bisection; 0: 6 */
} tcsi_counterfactual_options;

enum { TCSI_COUNTERFACTUAL_CHANNELS_MAX = 64 }; /* that are tried to be changed */

/* replays, of tcsi_counterfactual_judged rows of each task, in their order.  ret: (replays->count), zeroed; each is the caller's to deinit,
 * also in failure.  E_MEMORY, and as scoring. */
tcs_status tcsi_counterfactuals_find(tcsi_replays *replays, const tcsi_counterfactual_task *tasks,
                                     const tcsi_counterfactual_options *options, tcsi_counterfactual *ret,
                                     tcs_error *err) TCS_WARN_UNUSED;
void tcsi_counterfactual_deinit(tcsi_counterfactual *counterfactual); /* accepts a zeroed one */

#endif
