/* decide/adaptive.h -- forecast bands that keep their coverage while the series changes.
 *
 * A band is location +- radius x scale; this file finds the radius.  The radius is a conformal quantile (decide/conformal.h) of the last
 * errors in scales, at a level that follows its own misses.  With target share of misses A and each row's miss m in {0, 1},
 *     a <- a + step (A - m)                                                                    (ACI)
 * and whatever the series does, after T rows the share of misses is within (1 + step) / (step T) of A (I. Gibbs, E. Candes, "Adaptive
 * conformal inference under distribution shift", NeurIPS 2021, proposition 4.1).  Eight levels with steps 0.001 to 0.128 run side by side,
 * are weighted by how well they would have done (pinball loss, exponential weights with a share that moves on), and their weighted mean is
 * the level:
 *   I. Gibbs, E. Candes, "Conformal inference for online prediction with arbitrary distribution shifts", JMLR 25, 2024 (arXiv 2022),
 *   algorithm 1 (DtACI), in its deterministic form; eta and sigma as in their section 3 for a horizon of TCSI_ADAPTIVE_HORIZON rows.
 * There the band has no end where more is asked for than the largest error of the window.  Here it has one, beyond that error by as much as
 * the level is below 0: such a band can be shown, and coverage comes nearer to what was promised, which bands without an end exceed
 * (docs/internals/calibrate.md, where aggregating the radii instead, AgACI, is measured beside it).
 *
 * detect/deep/band.h follows the radius itself at one fixed step, in 4 bytes a level: it has a band for each horizon of each channel and no
 * room for a window of errors.  Both take their first radius at tcsi_rank_covering (series/stats.h).
 *
 * Cost: O(log n) a row and memory of one window.  Threads: one user per struct. */
#ifndef TCS_DECIDE_ADAPTIVE_H
#define TCS_DECIDE_ADAPTIVE_H

#include "series/rank_window.h"

enum { TCSI_ADAPTIVE_EXPERT_COUNT = 8, TCSI_ADAPTIVE_HORIZON = 500 };

typedef struct tcsi_adaptive_options {
    double coverage; /* in (0, 1) */
    size_t capacity; /* errors remembered, >= 1; some hundreds follow a drift, some thousands are steadier */
} tcsi_adaptive_options;

typedef struct tcsi_adaptive {
    tcsi_adaptive_options options;
    tcsi_rank_window errors;
    double levels[TCSI_ADAPTIVE_EXPERT_COUNT];  /* share of misses that each aims at now; may leave [0, 1] */
    double weights[TCSI_ADAPTIVE_EXPERT_COUNT]; /* sum to 1 */
    double rate;                                /* at which weights learn */
    uint64_t row_count, miss_count;             /* realised beside promised */
} tcsi_adaptive;

tcs_status tcsi_adaptive_init(tcsi_adaptive *adaptive, const tcsi_adaptive_options *options, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_adaptive_deinit(tcsi_adaptive *adaptive); /* accepts a zeroed one */
/* Of the next row, >= 0; infinite before the first error. */
double tcsi_adaptive_radius(const tcsi_adaptive *adaptive);
/* What the row was: |value - location| / scale, >= 0; infinite: a miss, and not remembered; NaN: nothing was seen, nothing changes. */
void tcsi_adaptive_push(tcsi_adaptive *adaptive, double error);

#endif
