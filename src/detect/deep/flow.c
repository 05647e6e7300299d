/* detect/deep/flow.c -- windows of little density under a normalizing flow.
 *
 * Affine couplings turn windows into a standard normal distribution; the score is the negative logarithm of a window's density
 * (L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, equations 3 to 8; for anomalies M. Rudolph,
 * B. Wandt, B. Rosenhahn, "Same same but DifferNet", WACV 2021).  The window is averaged down to a sixteenth of its steps first: a density
 * of hundreds of neighbouring values would be one of their noise.  one_number.h has the rest.
 * Finds: unusual levels and courses of windows, unusual combinations of channels.  Misses: detail within the averages.  Parts: not known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/one_number.h"

typedef tcsi_window_net_options options;

enum { VALUES_A_WINDOW = 16 };

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    tcsi_node_id log_det;
    (void)target;
    const tcsi_node_id means = tcsi_nn_pool(net, x, &(tcsi_pool_options){ .window = opt->steps / VALUES_A_WINDOW });
    tcsi_net_scope(net, "flow");
    const tcsi_flow_options flow = { .coupling_count = opt->latent, .hidden = opt->hidden };
    const tcsi_node_id z = tcsi_nn_flow(net, tcsi_nn_flatten(net, means), &flow, &log_det);
    const tcsi_node_id loss = tcsi_nn_loss_flow(net, z, log_det);
    return (tcsi_window_net_nodes){ .output = loss, .loss = loss };
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_one_number_init(base, build, NULL, err);
}

static const tcsi_parameter parameters[] = {
    TCSI_COUNT(window, 0, 0, 1e6, "rows that belong together; 0: the period of the first channel"),
    TCSI_COUNT(steps, 64, 16, 512, "steps of a window, a multiple of 4; longer windows are averaged down to about as many"),
    TCSI_COUNT(hidden, 32, 1, 1024, "units of the layer that gives a coupling its parameters"),
    { "couplings", TCSI_PARAMETER_COUNT, offsetof(options, latent), 4, 1, 32, "affine couplings, one after another" },
    TCSI_COUNT(epochs, 120, 1, 100000, "how often each part of the training rows is seen"),
    TCSI_COUNT(smoothing, 0, 0, 1e6, "rows of the mean around a row; 0: the window"),
    TCSI_REAL(rate, 2e-3, 1e-6, 1, "highest learning rate"),
    TCSI_REAL(trim, 0.05, 0, 0.5, "share of the training windows, the worst, that are not learned from"),
    TCSI_WINDOW_NET_EFFORT,
};
static const tcsi_detector_ops ops = TCSI_ONE_NUMBER_OPS(init);

const tcsi_detector_info tcsi_detector_flow = {
    .name = "flow",
    .title = "normalizing flow density of windows",
    .paper = "L. Dinh, J. Sohl-Dickstein, S. Bengio: Density estimation using Real NVP. ICLR 2017, equations 3 to 8; M. Rudolph, B. Wandt, "
             "B. Rosenhahn: Same same but DifferNet. WACV 2021",
    .summary = "Negative log density of a window's averages under affine couplings. Finds unusual levels and courses of windows and "
               "unusual combinations of channels; misses detail, says nothing about channels.",
    TCSI_ONE_NUMBER_INFO,
};
