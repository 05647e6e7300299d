/* detect/deep/deep_svdd.c -- windows that a network cannot pull together.
 *
 * A network without biases maps windows into a space where those of the training rows lie close to a fixed centre; the score is the squared
 * distance from it (Deep SVDD: L. Ruff et al., "Deep one-class classification", ICML 2018, equation 4).  The centre is the mean of what the
 * untrained network makes of the training windows, no coordinate near 0; without biases, and with activations that are not bounded, it
 * cannot be reached by weights of 0.  Two strided convolutions and a dense layer.  one_number.h has the rest.
 * Finds: windows unlike the rest as a whole.  Misses: what the random first weights hardly see.  Parts: not known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/one_number.h"
#include "detect/deep/sphere.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_node_id distance = tcsi_sphere_distance(net, x, opt);
    (void)target;
    return (tcsi_window_net_nodes){ .output = distance, .loss = distance };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_one_number_init(base, build, tcsi_sphere_set_center, err);
}

static const tcsi_parameter parameters[] = { TCSI_WINDOW_NET_PARAMETERS(16, 8, 60, 1e-3) };
static const tcsi_detector_ops ops = TCSI_ONE_NUMBER_OPS(init);

const tcsi_detector_info tcsi_detector_deep_svdd = {
    .name = "deep_svdd",
    .title = "deep one-class classification of windows",
    .paper = "L. Ruff, R. Vandermeulen, N. Goernitz, L. Deecke, S. A. Siddiqui, A. Binder, E. Mueller, M. Kloft: Deep one-class "
             "classification. ICML 2018, equation 4",
    .summary = "Squared distance of a window from the centre around which a network without biases pulls the training windows. Finds "
               "windows unlike the rest as a whole; says nothing about channels.",
    TCSI_ONE_NUMBER_INFO,
};
