/* detect/tabular/copod.c -- rows whose values lie in the tails of the empirical copula.
 *
 * Source: Z. Li, Y. Zhao, N. Botta, C. Ionescu, X. Hu, "COPOD: copula-based outlier detection", ICDM 2020, algorithm 1.  As
 * in PyOD, the larger of the tail that the skewness points to and the mean of both tails is taken in each channel before
 * the channels are added up.  See tails.h.
 *
 * Finds: rows extreme in several channels; no parameter, and no scale matters.  Misses: values in a gap between two
 * groups, rare combinations of common values.  Cost: O(log R) a value.  Parts: what each channel added.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tails.h"

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    return tcsi_tails_score(base, TCSI_TAILS_COPOD, frame, ret_scores, err);
}

static const tcsi_detector_ops ops = {
    .init = tcsi_tails_init, .deinit = tcsi_tails_deinit, .fit = tcsi_tails_fit, .score = score,
    .contribute_span = tcsi_tails_contribute_span, .persist = tcsi_tails_persist, .size_max = tcsi_tails_size_max,
};

const tcsi_detector_info tcsi_detector_copod = {
    .name = "copod",
    .title = "copula-based outlier detection",
    .paper = "Z. Li, Y. Zhao, N. Botta, C. Ionescu, X. Hu: COPOD: copula-based outlier detection. ICDM 2020, algorithm 1",
    .summary = "Adds up the logarithms of the empirical copula's tail probabilities. No parameters, no scaling. Finds values that are "
               "extreme in several channels; misses values in gaps and rare combinations of common ones.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_TABULAR | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(tcsi_tails),
    .ops = &ops,
};
