/* detect/deep/vae.c -- windows that are improbable under a variational autoencoder.
 *
 * Like autoencoder.c, but what passes the narrow layer is drawn from a normal distribution that is kept near the standard one
 * (D. P. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR 2014; for windows of series: H. Xu et al., "Unsupervised anomaly
 * detection via variational auto-encoder for seasonal KPIs in web applications", WWW 2018, known as Donut):
 *
 *     loss = mean (x - x')^2 + beta / (W C) KL(N(mean, variance) || N(0, 1))
 *
 * Missing values count neither in the loss nor in the score (Donut's modified ELBO).  The score runs the mean through the decoder; with a
 * variance of the output that is the same everywhere, the reconstruction probability is a function of that error (J. An, S. Cho,
 * "Variational autoencoder based anomaly detection using reconstruction probability", 2015).  reconstruction.h has the rest.
 * Finds and misses: as autoencoder, less given to learning anomalies by heart.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

static const float beta = 0.1f;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const size_t channels = tcsi_net_shape(net, target).channels;
    const tcsi_node_id flat = tcsi_nn_flatten(net, tcsi_window_net_merge(net, tcsi_fleet_values(net, x, opt->facts)));
    const size_t values = tcsi_net_shape(net, flat).channels;
    tcsi_node_id h = tcsi_window_net_dense(net, "encoder.0", flat, opt->hidden, TCSI_ACTIVATION_RELU);
    tcsi_net_scope(net, "encoder.1");
    const tcsi_node_id code = tcsi_nn_gaussian_head(net, h, &(tcsi_gaussian_head_options){ .units = opt->latent });
    h = tcsi_fleet_join(net, tcsi_nn_sample(net, code), x, opt->facts);
    h = tcsi_window_net_dense(net, "decoder.0", h, opt->hidden, TCSI_ACTIVATION_RELU);
    tcsi_net_group(net, TCSI_HEAD_GROUP);
    h = tcsi_window_net_dense(net, "decoder.1", h, values, TCSI_ACTIVATION_NONE);
    h = tcsi_window_net_part(net, tcsi_nn_unflatten(net, h, opt->steps), channels);
    const tcsi_node_id losses[] = { tcsi_nn_loss_squared(net, h, target), tcsi_nn_loss_divergence(net, code) };
    const float coefficients[] = { 1, values > 0 ? beta / (float)values : 0 };
    return (tcsi_window_net_nodes){ .output = h, .loss = tcsi_nn_loss_sum(net, losses, coefficients, TCS_COUNT(losses)) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_WINDOW_NET_PARAMETERS(64, 8, 360, 3e-3), TCSI_FLEET_PARAMETERS, TCSI_PENALTY_PARAMETER };
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_vae = {
    .name = "vae",
    .title = "variational autoencoder of windows",
    .paper = "D. P. Kingma, M. Welling: Auto-encoding variational Bayes. ICLR 2014; H. Xu et al.: Unsupervised anomaly detection via "
             "variational auto-encoder for seasonal KPIs in web applications. WWW 2018 (Donut)",
    .summary = "Error with which windows come back through a narrow layer that is drawn at random and kept near a normal distribution. "
               "Finds unusual shapes and broken relations between channels, and learns less by heart than a plain autoencoder.",
    TCSI_RECONSTRUCTION_INFO(TCSI_TRAIT_FLEET),
};
