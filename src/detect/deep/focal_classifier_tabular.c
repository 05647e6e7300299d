/* detect/deep/focal_classifier_tabular.c -- rows of a table that a classifier holds for anomalous.
 *
 * focal_classifier.c for rows: a dense network learns which of them are labelled anomalous (T.-Y. Lin et al., "Focal loss for dense object
 * detection", ICCV 2017, equation 4), and what auto_tabular says of a row is one of its inputs.  labelled.h has the rest.
 * Finds: rows like the labelled ones.  Misses: kinds of anomalies of which none is labelled, but for what auto_tabular says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/labelled.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_node_id label = tcsi_nn_input(net, 1, 1), logit = tcsi_labelled_row_number(net, x, opt);
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
    TCSI_LABELLED_TABLE_PARAMETERS(64, 16, 20, 3e-3),
    { "gamma", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 2, 0, 10, "how much less easy rows count; 0: plain cross entropy" },
};
static const tcsi_detector_ops ops = TCSI_LABELLED_OPS(init);

const tcsi_detector_info tcsi_detector_focal_classifier_tabular = {
    .name = "focal_classifier_tabular",
    .title = "classifier of rows with the focal loss, for a few labels",
    .paper = "T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar: Focal loss for dense object detection. ICCV 2017, equation 4",
    .summary = "How sure a network is that a row is like those that are labelled anomalous among the training rows. Needs labels "
               "there; misses kinds of anomalies of which none is labelled, but for what auto_tabular says.",
    TCSI_LABELLED_TABLE_INFO(TCSI_TRAIT_TRAINED),
};
