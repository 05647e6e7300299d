/* detect/ensemble/auto_classic.c -- the offline ensemble without networks: what it was before them, and what they are measured against.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/ensemble/auto_offline.h"

static const tcsi_parameter parameters[] = { TCSI_AUTO_OFFLINE_PERIOD };

const tcsi_detector_info tcsi_detector_auto_classic = {
    .name = "auto_classic",
    .title = "the offline ensemble without networks",
    .paper = "joins: C.-C. M. Yeh et al.: Matrix profile I. ICDM 2016, on sampled segments; combination: C. C. Aggarwal, S. Sathe: "
             "Outlier Ensembles, 2017, section 5",
    .summary = "`auto_offline` without its networks: nothing is trained and nothing drawn. A third of the cost, and a little weaker on "
               "series of one channel; with several the two are the same.",
    .traits = TCSI_TRAIT_OFFLINE | TCSI_TRAIT_MULTIVARIATE | TCSI_TRAIT_RELATIVE | TCSI_TRAIT_UNCERTAINTY,
    .instance_size = sizeof(tcsi_auto_offline),
    .options_offset = offsetof(tcsi_auto_offline, options),
    .parameters = parameters,
    .parameter_count = TCS_COUNT(parameters),
    .ops = &tcsi_auto_offline_ops,
};
