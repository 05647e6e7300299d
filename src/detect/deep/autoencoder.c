/* detect/deep/autoencoder.c -- windows that do not pass through a narrow layer.
 *
 * A dense network W C -> hidden -> latent -> hidden -> W C learns to give windows back (M. Sakurada, T. Yairi, "Anomaly detection using
 * autoencoders with nonlinear dimensionality reduction", MLSDA 2014); what it cannot give back is strange.  reconstruction.h has the rest.
 * Finds: unusual shapes, breaks of the relation between channels.  Misses: what happens often enough to be learned, single values inside
 * a long averaged step.  Cost: see docs/internals/deep.md.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const size_t channels = tcsi_net_shape(net, target).channels;
    const tcsi_node_id flat = tcsi_nn_flatten(net, tcsi_window_net_merge(net, tcsi_fleet_values(net, x, opt->facts)));
    const size_t values = tcsi_net_shape(net, flat).channels;
    tcsi_node_id h = tcsi_window_net_dense(net, "encoder.0", flat, opt->hidden, TCSI_ACTIVATION_RELU);
    h = tcsi_window_net_dense(net, "encoder.1", h, opt->latent, TCSI_ACTIVATION_RELU);
    h = tcsi_window_net_dense(net, "decoder.0", tcsi_fleet_join(net, h, x, opt->facts), opt->hidden, TCSI_ACTIVATION_RELU);
    const tcsi_node_id head = tcsi_window_net_head(net, "decoder.1", h, values, opt);
    h = tcsi_window_net_part(net, tcsi_nn_unflatten(net, head, opt->steps), channels);
    return (tcsi_window_net_nodes){ .output = h, .loss = tcsi_window_net_head_loss(net, tcsi_nn_loss_squared(net, h, target), head, opt) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_WINDOW_NET_PARAMETERS(64, 8, 360, 3e-3), TCSI_WINDOW_NET_BAYES, TCSI_FLEET_PARAMETERS, TCSI_PENALTY_PARAMETER,
};
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_autoencoder = {
    .name = "autoencoder",
    .title = "dense autoencoder of windows",
    .paper = "M. Sakurada, T. Yairi: Anomaly detection using autoencoders with nonlinear dimensionality reduction. MLSDA 2014",
    .summary = "Error with which a narrow dense network gives windows back. Finds unusual shapes and broken relations between channels; "
               "misses what happens often enough to be learned.",
    TCSI_RECONSTRUCTION_INFO(TCSI_TRAIT_FLEET),
};
