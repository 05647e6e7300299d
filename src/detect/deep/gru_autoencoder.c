/* detect/deep/gru_autoencoder.c -- windows that one hidden state cannot hold.
 *
 * A GRU reads the window, another writes it from the last hidden state (K. Cho et al., "Learning phrase representations using RNN
 * encoder-decoder for statistical machine translation", EMNLP 2014, with windows in place of sentences).
 * reconstruction.h has the rest.  The decoder is fed the state in every step, not its own last output: nothing is fed back, so that
 * training and scoring are the same network.
 * Finds: unusual courses of a window, also in several channels.  Misses: detail, which a state of `hidden` numbers does not hold.
 * Parts are smeared: a state that one channel confuses gives all channels back badly.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/reconstruction.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    return tcsi_reconstruction_recurrent(net, x, target, opt, tcsi_nn_gru);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_reconstruction_init(base, build, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_WINDOW_NET_PARAMETERS(32, 8, 120, 1e-2), TCSI_WINDOW_NET_BAYES, TCSI_FLEET_PARAMETERS, TCSI_PENALTY_PARAMETER,
};
static const tcsi_detector_ops ops = TCSI_RECONSTRUCTION_OPS(init);

const tcsi_detector_info tcsi_detector_gru_autoencoder = {
    .name = "gru_autoencoder",
    .title = "GRU autoencoder of windows",
    .paper = "K. Cho, B. van Merrienboer, C. Gulcehre, D. Bahdanau, F. Bougares, H. Schwenk, Y. Bengio: Learning phrase representations "
             "using RNN encoder-decoder for statistical machine translation. EMNLP 2014, section 2.3 (the unit)",
    .summary = "Error with which a window is told again from the last hidden state of a GRU. Finds unusual courses of windows, also over "
               "several channels; misses fine detail.",
    TCSI_RECONSTRUCTION_INFO(TCSI_TRAIT_FLEET),
};
