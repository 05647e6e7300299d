/* detect/deep/devnet.c -- windows that score like the labelled ones: far above what a score would be by chance.
 *
 * A network gives a window one number; unlabelled windows are held about the mean of a standard normal reference, labelled anomalies at
 * least `margin` deviations above it (DevNet: G. Pang, C. Shen, A. van den Hengel, "Deep anomaly detection with deviation networks", KDD
 * 2019, equations 6 and 7).  labelled.h has the rest.
 * Finds: what is like the labelled events.  Misses: kinds of events of which none is labelled.  Parts: not known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/labelled.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    (void)target;
    return tcsi_labelled_deviation(net, x, opt, tcsi_labelled_number);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    static const tcsi_labelled_form form = { .build = build, .anomalous = 1, .needs_labels = true };
    return tcsi_labelled_init(base, &form, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_LABELLED_PARAMETERS(32, 32, 100, 3e-3),
    { "margin", TCSI_PARAMETER_REAL, offsetof(options, emphasis), 5, 0.1, 1000, "deviations that a labelled window should score" },
};
static const tcsi_detector_ops ops = TCSI_LABELLED_OPS(init);

const tcsi_detector_info tcsi_detector_devnet = {
    .name = "devnet",
    .title = "deviation network of windows, for a few labels",
    .paper = "G. Pang, C. Shen, A. van den Hengel: Deep anomaly detection with deviation networks. KDD 2019, equations 6 and 7",
    .summary = "A number that a network gives a window, far above chance where it is like the labelled events of the training rows. "
               "Needs labels there; misses kinds of events of which none is labelled.",
    TCSI_LABELLED_INFO(TCSI_TRAIT_TRAINED),
};
