/* decide/adaptive.h -- forecast bands that keep their coverage while the series changes.
 *
 * A band is location +- radius x scale; this file finds the radius.  The radius is a conformal quantile (decide/conformal.h) of the last
 * errors in scales, at a level that follows its own misses.  With target share of misses A and each row's miss m in {0, 1},
 *     a <- a + step (A - m)                                                                    (ACI)
 * and whatever the series does, after T rows the share of misses is within (1 + step) / (step T) of A:
 *   I. Gibbs, E. Candes, "Adaptive conformal inference under distribution shift", NeurIPS 2021, proposition 4.1.
 * Without a step (options.step = 0) seven levels with steps 0.001 to 0.128 run side by side, are weighted by how well they would have done
 * (pinball loss, exponential weights with a share that moves on), and their weighted mean is the level:
 *   I. Gibbs, E. Candes, "Conformal inference for online prediction with arbitrary distribution shifts", JMLR 25, 2024 (arXiv 2022),
 *   algorithm 1 (DtACI), in its deterministic form; eta and sigma as in their section 3 for a horizon of TCSI_ADAPTIVE_HORIZON rows.
 *
 * detect/deep/band.h follows the radius itself at one fixed step, in 4 bytes a level: it has a band for each horizon of each channel and no
 * room for a window of errors.  Both take their first radius at tcsi_rank_covering (series/stats.h).
 *
 * Cost: O(log n) a row and memory of one window.  Threads: one user per struct. */
#ifndef TCS_DECIDE_ADAPTIVE_H
#define TCS_DECIDE_ADAPTIVE_H

#include "decide/conformal.h"

enum { TCSI_ADAPTIVE_EXPERT_COUNT = 8, TCSI_ADAPTIVE_HORIZON = 500 };

typedef struct tcsi_adaptive_options {
    double coverage; /* in (0, 1) */
    double step;     /* of ACI, in (0, 1]; 0: found by itself (DtACI) */
    size_t capacity; /* errors remembered, >= 1; some hundreds follow a drift, some thousands are steadier */
} tcsi_adaptive_options;

typedef struct tcsi_adaptive {
    tcsi_adaptive_options options;
    tcsi_conformal errors;
    size_t expert_count;
    double levels[TCSI_ADAPTIVE_EXPERT_COUNT];  /* share of misses that each aims at now; may leave [0, 1] */
    double weights[TCSI_ADAPTIVE_EXPERT_COUNT]; /* sum to 1 */
    uint64_t row_count, miss_count;             /* realised beside promised */
} tcsi_adaptive;

tcs_status tcsi_adaptive_init(tcsi_adaptive *adaptive, const tcsi_adaptive_options *options, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_adaptive_deinit(tcsi_adaptive *adaptive); /* accepts a zeroed one */
/* Of the next row, >= 0; infinite while too little is known, and when even the largest error is not enough. */
double tcsi_adaptive_radius(const tcsi_adaptive *adaptive);
/* What the row was: |value - location| / scale, >= 0; infinite: a miss of any finite band; NaN: nothing was seen, nothing changes. */
void tcsi_adaptive_push(tcsi_adaptive *adaptive, double error);
void tcsi_adaptive_persist(tcsi_adaptive *adaptive, tcsi_codec *codec); /* loading: initialised with the same options */

#endif
