/* detect/deep/combined.c -- patches that are far from all others, cannot be given back, or are not what the cycle beside foretells.
 *
 * contrastive.c's encoder, which gives a patch its place z, trained for three things at once:
 *
 *     loss = embedding InfoNCE(x, x') + reconstruction |x - D(z)|^2 + context (|z' - F(z)|^2 + |z - G(z')|^2) / 2
 *
 * where x' is the patch a period later.  D, F and G are two dense layers each; means of squares; no gradient passes to the place that is
 * to be told.  A patch's score is the sum, by the same weights, of its distance to the nearest other patches (whitened, as there), of the
 * root of the second error, and of the root of the third: by the patch before or after, whichever tells it better, as one of them may be
 * the strange one, whitened by the covariance of such errors over the series, so that what nobody foresees counts little.  Each part counts
 * from its median over the series on, in its median absolute deviations.
 * Giving back as the task that keeps a representation from forgetting: D. Gong et al., "Memorizing normality to detect anomaly", ICCV
 * 2019; foretelling places instead of values: A. van den Oord, Y. Li, O. Vinyals, "Representation learning with contrastive predictive
 * coding", 2018.
 *
 * Finds what contrastive finds, and what happens as often as there are neighbours.  Misses shifts of level that last.  Says nothing about
 * channels.  Cost: training on `epochs` x 64 x 2 patches; scoring as contrastive.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/contrastive.h"

static const tcsi_parameter parameters[] = {
    TCSI_CONTRASTIVE_PARAMETERS(100),
    { "embedding", TCSI_PARAMETER_REAL, TCSI_CONTRASTIVE_NET(embedding), 1, 0, 1000,
      "weight, in loss and score, of the distance from other patches" },
    { "reconstruction", TCSI_PARAMETER_REAL, TCSI_CONTRASTIVE_NET(reconstruction), 0.3, 1e-6, 1000,
      "weight, in loss and score, of the error with which a patch is given back" },
    { "context", TCSI_PARAMETER_REAL, TCSI_CONTRASTIVE_NET(context), 0.1, 0, 1000,
      "weight, in loss and score, of the error with which the cycle beside foretells a patch" },
};
static const tcsi_detector_ops ops = TCSI_CONTRASTIVE_OPS(tcsi_contrastive_init);

const tcsi_detector_info tcsi_detector_combined = {
    .name = "combined",
    .title = "patch encoder that compares, gives back and foretells",
    .paper = "A. van den Oord, Y. Li, O. Vinyals: Representation learning with contrastive predictive coding. 2018; D. Gong et al.: "
             "Memorizing normality to detect anomaly. ICCV 2019; K. Roth et al.: Towards total recall in industrial anomaly detection. "
             "CVPR 2022 (the bank)",
    .summary = "Distance of every patch to its nearest ones, error with which it is given back and error with which the cycle beside "
               "foretells its place, of one network trained for all three. Finds unusual shapes and rhythms; misses lasting "
               "shifts of level, and says nothing about channels.",
    TCSI_CONTRASTIVE_INFO,
};
