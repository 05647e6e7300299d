/* detect/deep/focal_classifier.c -- windows that a classifier holds for anomalous.
 *
 * A network is trained to tell labelled windows from the others by the focal loss, (1 - p)^gamma times the cross entropy, so that the many
 * easy windows do not drown the few hard ones (T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal loss for dense object detection",
 * ICCV 2017, equation 4).  labelled.h has the rest, and draws as many windows of events as makes class weights needless.
 * Finds: what is like the labelled events.  Misses: kinds of events of which none is labelled.  Parts: not known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/labelled.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_node_id label = tcsi_nn_input(net, 1, 1), logit = tcsi_labelled_number(net, x, opt);
    const tcsi_focal_options focal = { .gamma = (float)opt->emphasis };
    (void)target;
    return (tcsi_window_net_nodes){ .output = logit, .loss = tcsi_nn_loss_focal(net, logit, label, &focal) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    static const tcsi_labelled_form form = { .build = build, .anomalous = 1, .needs_labels = true };
    return tcsi_labelled_init(base, &form, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_LABELLED_PARAMETERS(32, 32, 100, 3e-3),
    { "gamma", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 2, 0, 10, "how much less easy windows count; 0: plain cross entropy" },
};
static const tcsi_detector_ops ops = TCSI_LABELLED_OPS(init);

const tcsi_detector_info tcsi_detector_focal_classifier = {
    .name = "focal_classifier",
    .title = "classifier of windows with the focal loss, for a few labels",
    .paper = "T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar: Focal loss for dense object detection. ICCV 2017, equation 4",
    .summary = "How sure a network is that a window is like the labelled events of the training rows. Needs labels there; misses kinds of "
               "events of which none is labelled.",
    TCSI_LABELLED_INFO(TCSI_TRAIT_TRAINED),
};
