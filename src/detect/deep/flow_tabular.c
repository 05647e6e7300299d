/* detect/deep/flow_tabular.c -- rows of a table that have little density under a normalizing flow.
 *
 * flow.c for rows: affine couplings turn them into a standard normal distribution; the score is the negative logarithm of a row's
 * density (L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, equations 3 to 8).  A single channel,
 * which leaves nothing to couple, stands beside a channel of zeros.  one_number.h and window_net.h have the rest.
 * Finds: rare combinations of values.  Misses: little of that kind, but a density of hundreds of channels is mostly one of their noise.
 * Parts: not known.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/one_number.h"

typedef tcsi_window_net_options options;

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    tcsi_node_id log_det;
    (void)target;
    if (tcsi_net_shape(net, x).channels == 1) x = tcsi_nn_concat(net, (tcsi_node_id[]){ x, tcsi_nn_scale(net, x, 0) }, 2);
    tcsi_net_scope(net, "flow");
    const tcsi_flow_options flow = { .coupling_count = opt->latent, .hidden = opt->hidden };
    const tcsi_node_id z = tcsi_nn_flow(net, x, &flow, &log_det);
    const tcsi_node_id loss = tcsi_nn_loss_flow(net, z, log_det);
    return (tcsi_window_net_nodes){ .output = loss, .loss = loss };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_one_number_init(base, build, NULL, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(hidden, 32, 1, 1024, "units of the layer that gives a coupling its parameters"),
    { "couplings", TCSI_PARAMETER_COUNT, offsetof(options, latent), 4, 1, 32, "affine couplings, one after another" },
    TCSI_TABLE_NET_TRAINING(60, 2e-3, 0),
};
static const tcsi_detector_ops ops = TCSI_ONE_NUMBER_OPS(init);

const tcsi_detector_info tcsi_detector_flow_tabular = {
    .name = "flow_tabular",
    .title = "normalizing flow density of rows",
    .paper = "L. Dinh, J. Sohl-Dickstein, S. Bengio: Density estimation using Real NVP. ICLR 2017, equations 3 to 8",
    .summary = "Negative log density of the rows of a table under affine couplings. Finds rare combinations of values; in tables of many "
               "channels it is mostly their noise that it measures. Says nothing about channels.",
    TCSI_ONE_NUMBER_TABLE_INFO,
};
