/* detect/deep/conv_autoencoder.c -- windows that convolutions with a stride cannot give back.
 *
 * Two convolutions halve a window twice, two transposed ones restore it: W C -> W/2 hidden -> W/4 latent -> W/2 hidden -> W C, kernels 7
 * (the convolutional autoencoder of J. Masci, U. Meier, D. Ciresan, J. Schmidhuber, "Stacked convolutional auto-encoders for hierarchical
 * feature extraction", ICANN 2011, in one dimension; Conv-AE in SKAB's leaderboard).  Weights are shared along time: far fewer of them than
 * a dense network has, and an event may stand anywhere in the window.  reconstruction.h has the rest.
 * Finds: unusual local shapes, breaks of the relation between channels.  Misses: long shapes made of ordinary parts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

enum { KERNEL = 7 };

static tcsi_conv_options layer(size_t channels, tcsi_activation activation)
{
    return (tcsi_conv_options){ .channels = channels, .kernel = KERNEL, .stride = 2, .padding = TCSI_PADDING_SAME,
                                .activation = activation };
}

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const size_t channels = tcsi_net_shape(net, target).channels;
    tcsi_conv_options wide = layer(opt->hidden, TCSI_ACTIVATION_RELU), narrow = layer(opt->latent, TCSI_ACTIVATION_RELU);
    tcsi_conv_options last = layer(channels, TCSI_ACTIVATION_NONE);
    tcsi_net_scope(net, "encoder.0");
    tcsi_node_id h = tcsi_nn_conv(net, x, &wide);
    tcsi_net_scope(net, "encoder.1");
    h = tcsi_nn_conv(net, h, &narrow);
    tcsi_net_scope(net, "decoder.0");
    h = tcsi_nn_conv_transposed(net, h, &wide);
    tcsi_net_scope(net, "decoder.1");
    tcsi_net_group(net, TCSI_HEAD_GROUP);
    h = tcsi_nn_conv_transposed(net, h, &last);
    return (tcsi_window_net_nodes){ .output = h, .loss = tcsi_nn_loss_squared(net, h, target) };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_WINDOW_NET_PARAMETERS(32, 2, 200, 5e-3), TCSI_FLEET_PARAMETERS, TCSI_PENALTY_PARAMETER };
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_conv_autoencoder = {
    .name = "conv_autoencoder",
    .title = "convolutional autoencoder of windows",
    .paper = "J. Masci, U. Meier, D. Ciresan, J. Schmidhuber: Stacked convolutional auto-encoders for hierarchical feature extraction. "
             "ICANN 2011, in one dimension",
    .summary = "Error with which strided convolutions give windows back. Finds unusual local shapes and broken relations between channels; "
               "misses long shapes made of ordinary parts.",
    TCSI_RECONSTRUCTION_INFO(TCSI_TRAIT_FLEET),
};
