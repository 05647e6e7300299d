/* detect/deep/autoencoder_tabular.c -- rows of a table that do not pass through a narrow layer.
 *
 * autoencoder.c for rows: a dense network C -> hidden -> latent -> hidden -> C learns to give rows back (M. Sakurada, T. Yairi, "Anomaly
 * detection using autoencoders with nonlinear dimensionality reduction", MLSDA 2014).  A row's score is the root of its mean squared error,
 * each channel in units of its own mean error.  reconstruction.h and window_net.h have the rest.
 * Finds: rows that break relations between channels, and values far from all others.  Misses: rare combinations of what the narrow layer
 * passes.  Cost: docs/internals/deep.md.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    tcsi_node_id h = tcsi_window_net_dense(net, "encoder.0", x, opt->hidden, TCSI_ACTIVATION_RELU);
    h = tcsi_window_net_dense(net, "encoder.1", h, opt->latent, TCSI_ACTIVATION_RELU);
    h = tcsi_window_net_dense(net, "decoder.0", h, opt->hidden, TCSI_ACTIVATION_RELU);
    h = tcsi_window_net_dense(net, "decoder.1", h, tcsi_net_shape(net, x).channels, TCSI_ACTIVATION_NONE);
    return (tcsi_window_net_nodes){ .output = h, .loss = tcsi_nn_loss_squared(net, h, target) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_TABLE_NET_PARAMETERS(64, 8, 60, 3e-3, 0), TCSI_PENALTY_PARAMETER };
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_autoencoder_tabular = {
    .name = "autoencoder_tabular",
    .title = "dense autoencoder of rows",
    .paper = "M. Sakurada, T. Yairi: Anomaly detection using autoencoders with nonlinear dimensionality reduction. MLSDA 2014",
    .summary = "Error with which a narrow dense network gives the rows of a table back. Finds rows that break relations between channels; "
               "misses rare combinations of what passes the narrow layer.",
    TCSI_RECONSTRUCTION_TABLE_INFO,
};
