/* detect/deep/tcn_forecaster.c -- what dilated causal convolutions did not expect (S. Bai, J. Z. Kolter, V. Koltun, "An empirical
 * evaluation of generic convolutional and recurrent networks for sequence modeling", 2018; for anomalies M. Munir et al., "DeepAnT", IEEE
 * Access 2019). Four blocks of two convolutions of 3 with dilations 1, 2, 4, 8 and a residual see 61 rows. forecaster.h has the rest.
 * Finds: whatever breaks the course of things, from spikes to changes that build up over a dozen rows.  Misses: events that go on as they
 * began, which a forecast soon follows.  Cost: one step of the network a row; see docs/internals/deep.md for training.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/forecaster.h"

typedef tcsi_forecaster_options options;

enum { BLOCK_COUNT = 4, KERNEL = 3 };

static tcsi_node_id convolve(tcsi_net *net, size_t number, const char *part, tcsi_node_id x, tcsi_node_id residual, size_t channels)
{
    const tcsi_conv_options conv = { .channels = channels, .kernel = KERNEL, .dilation = (size_t)1 << number,
                                     .padding = TCSI_PADDING_CAUSAL, .activation = TCSI_ACTIVATION_RELU };
    tcsi_net_scope(net, "block.%zu.%s", number, part);
    return residual == TCSI_NODE_NONE ? tcsi_nn_conv(net, x, &conv) : tcsi_nn_conv_residual(net, x, residual, &conv);
}

static tcsi_node_id build(tcsi_net *net, tcsi_node_id x, const tcsi_forecaster_options *opt)
{
    tcsi_net_scope(net, "in");
    tcsi_node_id h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = opt->hidden });
    for (size_t i = 0; i < BLOCK_COUNT; i++)
        h = convolve(net, i, "second", convolve(net, i, "first", h, TCSI_NODE_NONE, opt->hidden), h, opt->hidden);
    return h;
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_forecaster_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_FORECASTER_PARAMETERS(16, 60, 5e-3) };
static const tcsi_detector_ops ops = TCSI_FORECASTER_OPS(init);

const tcsi_detector_info tcsi_detector_tcn_forecaster = {
    .name = "tcn_forecaster",
    .title = "temporal convolution forecaster",
    .paper = "S. Bai, J. Z. Kolter, V. Koltun: An empirical evaluation of generic convolutional and recurrent networks for sequence "
             "modeling. arXiv 1803.01271, 2018; M. Munir et al.: DeepAnT. IEEE Access 7, 2019",
    TCSI_FORECASTER_INFO,
};
