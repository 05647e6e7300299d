/* detect/deep/lstm_forecaster.c -- what an LSTM did not expect (P. Malhotra, L. Vig, G. Shroff, P. Agarwal, "Long short term memory
 * networks for anomaly detection in time series", ESANN 2015: several horizons, one error model). forecaster.h has the rest. Finds:
 * whatever breaks the course of things, from spikes to changes that build up over a dozen rows.  Misses: events that go on as they began,
 * which a forecast soon follows.  Cost: one step of the network a row; see docs/internals/deep.md for training.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/forecaster.h"

typedef tcsi_forecaster_options options;

static tcsi_node_id build(tcsi_net *net, tcsi_node_id x, const tcsi_forecaster_options *opt)
{
    tcsi_net_scope(net, "body");
    return tcsi_nn_lstm(net, x, opt->hidden);
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_forecaster_init(base, build, err);
}

static const tcsi_parameter parameters[] = { TCSI_FORECASTER_PARAMETERS(32, 60, 1e-2) };
static const tcsi_detector_ops ops = TCSI_FORECASTER_OPS(init);

const tcsi_detector_info tcsi_detector_lstm_forecaster = {
    .name = "lstm_forecaster",
    .title = "LSTM forecaster",
    .paper = "P. Malhotra, L. Vig, G. Shroff, P. Agarwal: Long short term memory networks for anomaly detection in time series. ESANN 2015",
    TCSI_FORECASTER_INFO,
};
