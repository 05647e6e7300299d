/* serve/deep/network.h -- one small network for all live series: what it did not expect of the last rows of a window is strange.
 *
 * It reads a window of 64 rows (shard/last_rows.h) from left to right and says of each row but the first, from those before it, a location
 * and a scale of a Student distribution of 4 degrees, whose heavy tails let single strange rows teach little (K. L. Lange, R. J. A. Little,
 * J. M. G. Taylor, "Robust statistical modeling using the t distribution", JASA 84, 1989).  Dilated causal convolutions with residuals
 * (S. Bai, J. Z. Kolter, V. Koltun, "An empirical evaluation of generic convolutional and recurrent networks for sequence modeling", 2018),
 * 16 channels, dilations 1, 2, 4, 8, see 61 rows.
 *
 *     surprise(t) = 5/2 log(1 + z^2 / 4),  z = (x(t) - location) / scale
 *     strangeness = max(surprise of the last row, mean surprise of the last 16 rows x 16^(1/2))
 *
 * The first sees a row that does not belong, the second a stretch that does not, of which each row alone would pass.
 * Windows of all series are one lesson: what the last minutes of one look like is what the network knows of it, and how such minutes go on
 * is what it learned from all.
 * Memory: some 30 KB a network, and a plan each for scoring and training.  Cost: 0.4 million multiply-adds a window.
 * Threads: one user of a scorer; any number of scorers of a network that nobody trains. */
#ifndef TCS_SERVE_DEEP_NETWORK_H
#define TCS_SERVE_DEEP_NETWORK_H

#include "nn/plan.h"
#include "serve/deep/head.h"

enum { TCSI_DEEP_BATCH = 64, TCSI_DEEP_STRETCH = 16 /* last rows that a score is about */ };

typedef struct tcsi_deep_network {
    tcsi_net *net;
    tcsi_node_id output, loss;
} tcsi_deep_network;

tcs_status tcsi_deep_network_init(tcsi_deep_network *network, uint64_t seed, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_deep_network_deinit(tcsi_deep_network *network); /* accepts a zeroed one */

typedef struct tcsi_deep_training {
    size_t step_count;       /* of TCSI_DEEP_BATCH windows each */
    double rate;             /* the highest learning rate */
    uint64_t seed;
    /* Asked after each step; false ends the training.  May sleep.  NULL: nobody is asked. */
    bool (*go_on)(void *self, size_t step);
    void *self;
} tcsi_deep_training;

/* Windows (count, TCSI_LAST_ROWS); goes on from the weights there are.  E_CANCELLED: it was ended, and the weights are of no use;
 * E_INVALID: they are not numbers; E_MEMORY. */
tcs_status tcsi_deep_network_train(tcsi_deep_network *network, const int16_t *windows, size_t count, const tcsi_deep_training *training,
                                   tcs_error *err) TCS_WARN_UNUSED;

/* ---- scores ---- */

typedef struct tcsi_deep_scorer {
    const tcsi_deep_network *network; /* borrowed */
    tcsi_plan *plan;
    float *inputs, *targets;          /* (TCSI_DEEP_BATCH, TCSI_LAST_ROWS - 1) */
} tcsi_deep_scorer;

tcs_status tcsi_deep_scorer_init(tcsi_deep_scorer *scorer, const tcsi_deep_network *network, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_deep_scorer_deinit(tcsi_deep_scorer *scorer); /* accepts a zeroed one */
/* What the network says of one row from those before it. */
typedef struct tcsi_deep_expectation {
    int16_t row;      /* as last_rows.h has it: the location */
    double distance;  /* of the row from it, in scales */
} tcsi_deep_expectation;
/* Of one window; of its first row, of which nothing is said: that row, at a distance of 0. */
void tcsi_deep_scorer_expect(tcsi_deep_scorer *scorer, const int16_t *window, tcsi_deep_expectation ret[TCSI_LAST_ROWS]);
/* Windows (count, TCSI_LAST_ROWS) -> how strange their ends are, >= 0, finite; and figures of them (count, TCSI_DEEP_FEATURES), head.h, or
 * NULL.  The same bits in any company. */
void tcsi_deep_scorer_run(tcsi_deep_scorer *scorer, const int16_t *windows, size_t count, double *ret_scores, double *ret_features);

#endif
