/* decide/evidence.h -- evidence that adds up: many rows, none of which is rare enough alone.
 *
 * A p-value p of a normal row becomes an e-value e = k p^(k - 1), whose mean over normal rows is 1, here with k = 1/2 (V. Vovk, R. Wang,
 * "E-values: calibration, combination and applications", Annals of Statistics 49(3), 2021, section 2).  What is followed is the
 * logarithm of the e-detector of cumulative-sum kind,
 *     S(t) = max(S(t-1), 0) + ln e(t)
 * (J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England Journal of
 * Statistics in Data Science 2(2), 2024; E. Page, "Continuous inspection schemes", Biometrika 41, 1954).  Were rows independent, S would
 * stay below ln(1/r) for 1/r rows on average.  Neighbouring rows are not, so nobody relies on that: S is a score like any other, and
 * what normal rows do with it is learned from its own history (decide/history.h).
 * One row adds at most LOG_MAX, so that a single spike is not taken for something that lasts.
 * Cost: O(1) a row.  Threads: one user. */
#ifndef TCS_DECIDE_EVIDENCE_H
#define TCS_DECIDE_EVIDENCE_H

#include "base/codec.h"

typedef struct tcsi_evidence {
    double sum; /* S */
} tcsi_evidence;

/* p in (0, 1], of one more row.  Returns max(S, 0), in [0, infinity). */
double tcsi_evidence_push(tcsi_evidence *evidence, double p);
void tcsi_evidence_persist(tcsi_evidence *evidence, tcsi_codec *codec);

#endif
