/* detect/deep/focal_classifier.c -- windows that a classifier holds for anomalous.
 *
 * A network is trained to tell labelled windows from the others by the focal loss, (1 - p)^gamma times the cross entropy, so that the many
 * easy windows do not drown the few hard ones (T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal loss for dense object detection",
 * ICCV 2017, equation 4).  labelled.h has the rest, and draws as many windows of events as makes class weights needless.  What it holds a
 * window for is made a probability by undoing both: the bias of the loss, and that of drawing (A. K. Menon et al., "Long-tail learning via
 * logit adjustment", ICLR 2021, equation 9, with the rate of labelled rows as prior).
 * Finds: what is like the labelled events.  Misses: kinds of events of which none is labelled.  Parts: not known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/labelled.h"

#include <math.h>

typedef tcsi_window_net_options options;

static const double logit_max = 500; /* beyond, probabilities are 0 and 1 */

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_node_id label = tcsi_nn_input(net, 1, 1), logit = tcsi_labelled_number(net, x, opt);
    const tcsi_focal_options focal = { .gamma = (float)opt->emphasis, .tolerance = (float)opt->tolerance };
    (void)target;
    if (!opt->by_risk)
        return (tcsi_window_net_nodes){ .output = logit, .loss = tcsi_nn_loss_focal(net, logit, label, &focal) };
    const tcsi_node_id yes = tcsi_nn_loss_focal_all(net, logit, 1, &focal), no = tcsi_nn_loss_focal_all(net, logit, 0, &focal);
    return (tcsi_window_net_nodes){ .output = logit, .loss = tcsi_nn_loss_unlabelled(net, yes, no, label) };
}

/* log(1 + exp(x)) */
static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* The focal loss makes a network say less than it knows: of log odds l it makes a logit x with
 *     l = (1 + gamma) x + log(1 + gamma exp(-x) log(1 + exp(x))) - log(1 + gamma exp(x) log(1 + exp(-x))),
 * where its slope is 0 (N. Charoenphakdee et al., "On focal loss for class-posterior probability estimation", CVPR 2021, theorem 11). */
static double log_odds(const tcsi_window_net_options *opt, double logit)
{
    const double gamma = opt->emphasis, x = fmax(-logit_max, fmin(logit_max, logit));
    return (1 + gamma) * x + log1p(gamma * exp(-x) * softplus(x)) - log1p(gamma * exp(x) * softplus(-x));
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    static const tcsi_labelled_form form = { .build = build, .anomalous = 1, .needs_labels = true, .has_risk = true,
                                             .probability = log_odds };
    return tcsi_labelled_init(base, &form, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_LABELLED_PARAMETERS(32, 32, 100, 3e-3),
    { "gamma", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 2, 0, 10, "how much less easy windows count; 0: plain cross entropy" },
    TCSI_BOOL(by_risk, 0, "instead of leaving out the share `missed`, take away what it would cost as normal"),
    TCSI_REAL(tolerance, 0, 0, 1, "how little a label counts that the network is sure is wrong; 0: as much as it can"),
    TCSI_BOOL(probabilities, 1, "scores are probabilities, and alarm from 1/2 on; 0: distances of logits from their median"),
    TCSI_REAL(adjustment, 1, 0, 2, "of probabilities: 1: as rare as labels say, 0: as often as events are drawn in training"),
};
static const tcsi_detector_ops ops = TCSI_LABELLED_OPS(init);

const tcsi_detector_info tcsi_detector_focal_classifier = {
    .name = "focal_classifier",
    .title = "classifier of windows with the focal loss, for a few labels",
    .paper = "T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar: Focal loss for dense object detection. ICCV 2017, equation 4",
    .summary = "How probable a network holds it that a row is like the labelled events of the training rows, at the rate at which rows "
               "are labelled there. Needs labels; misses kinds of events of which none is labelled.",
    TCSI_LABELLED_INFO(TCSI_TRAIT_TRAINED),
};
