/* detect/deep/deep_sad.c -- windows that cannot be pulled together, or are like those that were pushed away.
 *
 * Deep SVDD (deep_svdd.c) that uses what labels there are: an unlabelled window costs its squared distance d from the centre, one labelled
 * anomalous eta / d (Deep SAD: L. Ruff, R. A. Vandermeulen, N. Goernitz, A. Binder, E. Mueller, K.-R. Mueller, M. Kloft, "Deep
 * semi-supervised anomaly detection", ICLR 2020, equation 7).  Without a labelled row it is Deep SVDD.  labelled.h has the rest.
 * Finds: what is like the labelled events, and windows unlike the rest as a whole.  Parts: not known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/labelled.h"
#include "detect/deep/sphere.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_node_id label = tcsi_nn_input(net, 1, 1), look = tcsi_labelled_look(net, x, opt, true);
    (void)target;
    tcsi_net_scope(net, "dense");
    const tcsi_node_id z = tcsi_nn_dense(net, look, &(tcsi_dense_options){ .units = opt->latent, .without_bias = true });
    tcsi_net_scope(net, "sphere");
    const tcsi_node_id distance = tcsi_nn_sphere(net, z);
    return (tcsi_window_net_nodes){ .output = distance,
                                    .loss = tcsi_nn_loss_sphere_labels(net, distance, label, (float)opt->emphasis) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    static const tcsi_labelled_form form = { .build = build, .prepare = tcsi_sphere_set_center, .anomalous = -1 };
    return tcsi_labelled_init(base, &form, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_LABELLED_PARAMETERS(32, 32, 100, 1e-3),
    { "eta", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 1, 1e-3, 1e6, "weight of labelled windows" },
};
static const tcsi_detector_ops ops = TCSI_LABELLED_OPS(init);

const tcsi_detector_info tcsi_detector_deep_sad = {
    .name = "deep_sad",
    .title = "deep one-class classification of windows, with a few labels",
    .paper = "L. Ruff, R. A. Vandermeulen, N. Goernitz, A. Binder, E. Mueller, K.-R. Mueller, M. Kloft: Deep semi-supervised anomaly "
             "detection. ICLR 2020, equation 7",
    .summary = "Squared distance of a window from the centre around which a network pulls the training windows, and from which it pushes "
               "those labelled anomalous. Finds what is like the labelled events and what is unlike everything; without labels it is "
               "deep_svdd.",
    TCSI_LABELLED_INFO(0),
};
