/* detect/deep/vae_tabular.c -- rows of a table that are improbable under a variational autoencoder.
 *
 * vae.c for rows, with its loss and its score (D. P. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR 2014; J. An, S. Cho,
 * "Variational autoencoder based anomaly detection using reconstruction probability", 2015).  reconstruction.h and window_net.h have the
 * rest.  Finds and misses: as autoencoder_tabular, less given to learning anomalies by heart.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

static const float beta = 0.1f;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const size_t channels = tcsi_net_shape(net, x).channels;
    tcsi_node_id h = tcsi_window_net_dense(net, "encoder.0", x, opt->hidden, TCSI_ACTIVATION_RELU);
    tcsi_net_scope(net, "encoder.1");
    const tcsi_node_id code = tcsi_nn_gaussian_head(net, h, &(tcsi_gaussian_head_options){ .units = opt->latent });
    h = tcsi_window_net_dense(net, "decoder.0", tcsi_nn_sample(net, code), opt->hidden, TCSI_ACTIVATION_RELU);
    h = tcsi_window_net_dense(net, "decoder.1", h, channels, TCSI_ACTIVATION_NONE);
    const tcsi_node_id losses[] = { tcsi_nn_loss_squared(net, h, target), tcsi_nn_loss_divergence(net, code) };
    const float coefficients[] = { 1, channels > 0 ? beta / (float)channels : 0 };
    return (tcsi_window_net_nodes){ .output = h, .loss = tcsi_nn_loss_sum(net, losses, coefficients, TCS_COUNT(losses)) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_TABLE_NET_PARAMETERS(64, 8, 60, 3e-3, 0), TCSI_PENALTY_PARAMETER };
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_vae_tabular = {
    .name = "vae_tabular",
    .title = "variational autoencoder of rows",
    .paper = "D. P. Kingma, M. Welling: Auto-encoding variational Bayes. ICLR 2014; J. An, S. Cho: Variational autoencoder based anomaly "
             "detection using reconstruction probability. 2015",
    .summary = "Error with which the rows of a table come back through a narrow layer that is drawn at random and kept near a normal "
               "distribution. Finds rows that break relations between channels, and learns less by heart than a plain autoencoder.",
    TCSI_RECONSTRUCTION_TABLE_INFO,
};
