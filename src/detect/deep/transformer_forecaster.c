/* detect/deep/transformer_forecaster.c -- what a causal Transformer did not expect (A. Vaswani et al., "Attention is all you need",
 * NeurIPS 2017; for anomalies S. Tuli, G. Casale, N. R. Jennings, "TranAD", VLDB 2022).  A causal convolution gives each row its
 * surroundings, in place of positions, so that rows can come forever; one block attends to the last `steps` rows. forecaster.h has the
 * rest. Finds: whatever breaks the course of things, from spikes to changes that build up over a dozen rows.  Misses: events that go on
 * as they began, which a forecast soon follows.  Cost: one step of the network a row; see docs/internals/deep.md for training.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/forecaster.h"

typedef tcsi_forecaster_options options;

enum { KERNEL = 7 };

static tcsi_node_id build(tcsi_net *net, tcsi_node_id x, const tcsi_forecaster_options *opt)
{
    tcsi_net_scope(net, "in");
    const tcsi_conv_options around = { .channels = opt->hidden, .kernel = KERNEL, .padding = TCSI_PADDING_CAUSAL };
    const tcsi_node_id h = tcsi_nn_conv(net, x, &around);
    tcsi_net_scope(net, "block");
    return tcsi_nn_transformer(net, h, &(tcsi_transformer_options){ .head_count = 4, .hidden = 2 * opt->hidden, .is_causal = true,
                                                                    .norm_first = true }, NULL);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_forecaster_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_FORECASTER_PARAMETERS(32, 60, 3e-3) };
static const tcsi_detector_ops ops = TCSI_FORECASTER_OPS(init);

const tcsi_detector_info tcsi_detector_transformer_forecaster = {
    .name = "transformer_forecaster",
    .title = "Transformer forecaster",
    .paper = "A. Vaswani et al.: Attention is all you need. NeurIPS 2017; S. Tuli, G. Casale, N. R. Jennings: TranAD. PVLDB 15(6), 2022",
    TCSI_FORECASTER_INFO,
};
