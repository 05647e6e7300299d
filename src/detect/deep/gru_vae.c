/* detect/deep/gru_vae.c -- windows that are improbable under a recurrent variational autoencoder.
 *
 * A GRU reads the window; its last state gives the mean and variance of a code, kept near a standard normal distribution; another GRU
 * writes the window from a draw of it (the LSTM-VAE of D. Park, Y. Hoshi, C. C. Kemp, "A multimodal anomaly detector for robot-assisted
 * feeding using an LSTM-based variational autoencoder", IEEE RA-L 3(3), 2018, equation 2, with GRUs and one code a window instead of one
 * a step; the line that leads to OmniAnomaly, Y. Su et al., KDD 2019).  Their prior that moves with the progress of a task, which a
 * series has none of, is left out.  The loss is that of vae.c with a smaller beta, the layers those of gru_autoencoder.c;
 * reconstruction.h has the rest.
 * Finds and misses: as gru_autoencoder; parts are smeared likewise.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

static const float beta = 0.01f;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const size_t channels = tcsi_net_shape(net, target).channels;
    const tcsi_node_id state = tcsi_reconstruction_read(net, x, opt, tcsi_nn_gru);
    tcsi_net_scope(net, "code");
    const tcsi_node_id code = tcsi_nn_gaussian_head(net, state, &(tcsi_gaussian_head_options){ .units = opt->latent });
    const tcsi_node_id drawn = tcsi_fleet_join(net, tcsi_nn_sample(net, code), x, opt->facts);
    const tcsi_node_id h = tcsi_reconstruction_write(net, drawn, channels, opt, tcsi_nn_gru);
    const tcsi_node_id losses[] = { tcsi_nn_loss_squared(net, h, target), tcsi_nn_loss_divergence(net, code) };
    const float coefficients[] = { 1, beta / (float)(opt->steps * (channels ? channels : 1)) };
    return (tcsi_window_net_nodes){ .output = h, .loss = tcsi_nn_loss_sum(net, losses, coefficients, TCS_COUNT(losses)) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_WINDOW_NET_PARAMETERS(32, 8, 120, 1e-2), TCSI_FLEET_PARAMETERS, TCSI_PENALTY_PARAMETER };
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_gru_vae = {
    .name = "gru_vae",
    .title = "GRU variational autoencoder of windows",
    .paper = "D. Park, Y. Hoshi, C. C. Kemp: A multimodal anomaly detector for robot-assisted feeding using an LSTM-based variational "
             "autoencoder. IEEE Robotics and Automation Letters 3(3), 2018, equation 2, with GRUs and one code a window",
    .summary = "Error with which a window is told again from a code that is drawn at random and kept near a normal distribution. Finds "
               "unusual courses of windows, also over several channels; misses fine detail.",
    TCSI_RECONSTRUCTION_INFO(TCSI_TRAIT_FLEET),
};
