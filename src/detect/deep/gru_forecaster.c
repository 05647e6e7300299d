/* detect/deep/gru_forecaster.c -- what a GRU did not expect (K. Hundman et al., "Detecting spacecraft anomalies using LSTMs and
 * nonparametric dynamic thresholding", KDD 2018, with the unit of K. Cho et al., EMNLP 2014). forecaster.h has the rest. Finds: whatever
 * breaks the course of things, from spikes to changes that build up over a dozen rows.  Misses: events that go on as they began, which a
 * forecast soon follows.  Cost: one step of the network a row; see docs/internals/deep.md for training.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/forecaster.h"

typedef tcsi_forecaster_options options;

static tcsi_node_id build(tcsi_net *net, tcsi_node_id x, const tcsi_forecaster_options *opt)
{
    tcsi_net_scope(net, "body");
    return tcsi_nn_gru(net, x, opt->hidden);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_forecaster_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_FORECASTER_PARAMETERS(32, 60, 1e-2) };
static const tcsi_detector_ops ops = TCSI_FORECASTER_OPS(init);

const tcsi_detector_info tcsi_detector_gru_forecaster = {
    .name = "gru_forecaster",
    .title = "GRU forecaster",
    .paper = "K. Hundman, V. Constantinou, C. Laporte, I. Colwell, T. Soderstrom: Detecting spacecraft anomalies using LSTMs and "
             "nonparametric dynamic thresholding. KDD 2018, with a GRU",
    TCSI_FORECASTER_INFO,
};
