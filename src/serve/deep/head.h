/* serve/deep/head.h -- what answers teach: of rows out of the ordinary, which look like those that people called true.
 *
 * The network says of a window how little it expected it; people say of some of these windows whether they mattered.  With few answers the
 * best that can be learned from both is a correction of the network's own score, not a score of its own.  So: a linear log odds of
 * TCSI_DEEP_FEATURES figures x of the window (how surprising its end was to the network, row by row and on the whole; how high, how rough),
 *
 *     log odds(x) = b + w x,     minimizing   sum_i v_i log(1 + exp(-y_i log odds(x_i))) + ridge / 2 |w - w0|^2,     y = +1 true, -1 not
 *
 * logistic regression with a Gaussian prior (C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.5) whose mean w0 is
 * the network's own score: without answers the order of windows is the network's, and each answer bends it a little.  x is standardized by
 * windows that nobody labelled and cut at 4 deviations, so that where answers are from does not set the scale.  v: the label's weight,
 * divided by the root of how many labels its series has, which know each other's answer.  Newton's method, damped; 20 steps.
 * It was measured against Deep SAD (L. Ruff and others, ICLR 2020, equation 7) on the same figures, which labels of this number teach less:
 * docs/internals/serve-deep.md has the table.
 * How good it is on windows that it has not learned from is told by leaving out series: each fold of TCSI_DEEP_FOLDS is a share of the
 * series, scored by what the others teach.  From these scores the chance of being true is learned (decide/calibrate.h).
 * Threads: fit one at a time; a fitted one may be read by many. */
#ifndef TCS_SERVE_DEEP_HEAD_H
#define TCS_SERVE_DEEP_HEAD_H

#include "decide/calibrate.h"
#include "serve/deep/labelled_set.h"

/* Labels of each kind without which nothing is learned, the series that they must be of, and those without which no chance is told. */
enum { TCSI_DEEP_FEATURES = 15, TCSI_DEEP_FOLDS = 5, TCSI_DEEP_LABELS_MIN = 10, TCSI_DEEP_LABELLED_SERIES_MIN = 10,
       TCSI_DEEP_CHANCE_LABELS_MIN = 30 };

typedef struct tcsi_deep_head {
    bool is_set;
    double means[TCSI_DEEP_FEATURES], scales[TCSI_DEEP_FEATURES], weights[TCSI_DEEP_FEATURES], intercept;
    size_t counts[2];           /* of labels it learned from: normal, true */
    char labels[TCSI_HASH_TEXT_SIZE]; /* tcsi_deep_labelled.hash of these */
    uint64_t *learned;          /* (counts[0] + counts[1]) their episodes, ascending */
    bool has_chance;
    tcsi_calibrator chance;
} tcsi_deep_head;

/* Figures of a window: rows as tcsi_last_rows_read gives them, (TCSI_LAST_ROWS); surprises of all but the first; strangeness as the network
 * has it. */
void tcsi_deep_features(const float *rows, const double *surprises, double strangeness, double ret_features[TCSI_DEEP_FEATURES]);

/* May anything be learned from it? */
bool tcsi_deep_head_is_due(const tcsi_deep_labelled *set);

/* features: (set->count, F) of the labelled windows, references: (reference_count, F) of windows that nobody labelled.
 * ret_held_out: (set->count) log odds of each by what the other series teach, or NULL.  E_INVALID: too little to learn from; E_MEMORY. */
tcs_status tcsi_deep_head_fit(const tcsi_deep_labelled *set, const double *features, const double *references, size_t reference_count,
                              tcsi_deep_head *ret_head, double *ret_held_out, tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_deep_head_copy(const tcsi_deep_head *head, tcsi_deep_head *ret_copy, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_deep_head_deinit(tcsi_deep_head *head); /* accepts a zeroed one */

double tcsi_deep_head_log_odds(const tcsi_deep_head *head, const double features[TCSI_DEEP_FEATURES]);
/* The chance that it is a true event; NaN: too few labels to tell. */
double tcsi_deep_head_chance(const tcsi_deep_head *head, double log_odds);
bool tcsi_deep_head_has_learned(const tcsi_deep_head *head, uint64_t episode);

void tcsi_deep_head_persist(tcsi_deep_head *head, tcsi_codec *codec); /* loading, head is zeroed */

#endif
