/* detect/tabular/ecod.c -- rows whose values lie in the tails of their channels.
 *
 * Source: Z. Li, Y. Zhao, X. Hu, N. Botta, C. Ionescu, G. H. Chen, "ECOD: unsupervised outlier detection using empirical
 * cumulative distribution functions", IEEE TKDE 35(12), 2023, algorithm 1.  As in PyOD, the largest of the left tail, the
 * right tail and the tail that the skewness points to is taken in each channel before the channels are added up; the
 * paper takes it after adding.  See tails.h.
 *
 * Finds: rows extreme in one or several channels; no parameter, and no scale matters.  Misses: values in a gap between
 * two groups, rare combinations of common values.  Cost: O(log R) a value.  Parts: what each channel added.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tails.h"

static tcs_status score(tcsi_detector *base, const tcsi_frame *frame, tcs_score *ret_scores, tcs_error *err)
{
    return tcsi_tails_score(base, TCSI_TAILS_ECOD, frame, ret_scores, err);
}

static const tcsi_detector_ops ops = {
    .init = tcsi_tails_init, .deinit = tcsi_tails_deinit, .fit = tcsi_tails_fit, .score = score,
    .contribute_span = tcsi_tails_contribute_span, .persist = tcsi_tails_persist, .size_max = tcsi_tails_size_max,
};

const tcsi_detector_info tcsi_detector_ecod = {
    .name = "ecod",
    .title = "empirical cumulative distribution tails",
    .paper = "Z. Li, Y. Zhao, X. Hu, N. Botta, C. Ionescu, G. H. Chen: ECOD: unsupervised outlier detection using empirical "
             "cumulative distribution functions. IEEE TKDE 35(12), 2023, algorithm 1",
    .summary = "Adds up, channel by channel, how far out in the empirical tail a value lies. No parameters, no scaling. Finds extreme "
               "values; misses values in gaps and rare combinations of common ones.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_TABULAR | TCSI_TRAIT_MULTIVARIATE,
    .instance_size = sizeof(tcsi_tails),
    .ops = &ops,
};
