/* detect/deep/deep_svdd.c -- windows that a network cannot pull together.
 *
 * A network without biases maps windows into a space where those of the training rows lie close to a fixed centre; the score is the squared
 * distance from it (Deep SVDD: L. Ruff et al., "Deep one-class classification", ICML 2018, equation 4).  The centre is the mean of what the
 * untrained network makes of the training windows, no coordinate near 0; without biases, and with activations that are not bounded, it
 * cannot be reached by weights of 0.  Two strided convolutions and a dense layer.  one_number.h has the rest.
 * Finds: windows unlike the rest as a whole.  Misses: what the random first weights hardly see.  Parts: not known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "detect/deep/one_number.h"

typedef tcsi_window_net_options options;

enum { KERNEL = 7, CENTER_WINDOWS = 64 };

static tcsi_conv_options layer(size_t channels)
{
    return (tcsi_conv_options){ .channels = channels, .kernel = KERNEL, .stride = 2, .padding = TCSI_PADDING_SAME,
                                .activation = TCSI_ACTIVATION_RELU, .without_bias = true };
}

static tcsi_window_net_nodes build(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_window_net_options *opt)
{
    const tcsi_conv_options wide = layer(opt->hidden), narrow = layer(opt->latent);
    (void)target;
    tcsi_net_scope(net, "conv.0");
    tcsi_node_id h = tcsi_nn_conv(net, x, &wide);
    tcsi_net_scope(net, "conv.1");
    h = tcsi_nn_flatten(net, tcsi_nn_conv(net, h, &narrow));
    tcsi_net_scope(net, "dense");
    h = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 2 * opt->latent, .without_bias = true });
    tcsi_net_scope(net, "sphere");
    h = tcsi_nn_sphere(net, h);
    return (tcsi_window_net_nodes){ .output = h, .loss = h };
}

/* The node in front of the sphere, run on windows spread evenly over the training part. */
static tcs_status set_center(tcsi_window_net *self, const tcsi_lesson *lesson, tcs_error *err)
{
    const tcsi_node_id sphere = self->nodes.output, z = tcsi_net_node(self->net, sphere)->inputs[0];
    const tcsi_plan_options planned = { .net = self->net, .batch = CENTER_WINDOWS, .outputs = &z, .output_count = 1 };
    size_t starts[CENTER_WINDOWS], last = tcsi_lesson_window_count(lesson) - 1;
    tcsi_floats inputs = { 0 };
    tcsi_plan *plan = NULL;
    for (size_t b = 0; b < CENTER_WINDOWS; b++) starts[b] = b * last / (CENTER_WINDOWS - 1);
    tcs_status status = tcsi_floats_init(&inputs, CENTER_WINDOWS * lesson->window * lesson->input_channels)
                          ? TCS_OK : tcsi_fail_memory(err, "windows");
    if (status == TCS_OK) status = tcsi_plan_create(&planned, &plan, err);
    if (status == TCS_OK) {
        tcsi_lesson_gather(lesson, starts, CENTER_WINDOWS, inputs.values, NULL);
        const tcsi_run run = { .inputs = { inputs.values, inputs.values }, .batch = CENTER_WINDOWS, .seed = self->base.seed };
        tcsi_plan_forward(plan, self->base.pool, &run);
        tcsi_nn_sphere_set_center(self->net, sphere, CENTER_WINDOWS, tcsi_plan_values(plan, z));
    }
    tcsi_plan_destroy(plan);
    tcsi_floats_deinit(&inputs);
    return status;
}

static tcs_status init(tcsi_detector *base, tcs_error *err)
{
    return tcsi_one_number_init(base, build, set_center, err);
}

static const tcsi_parameter parameters[] = { TCSI_WINDOW_NET_PARAMETERS(16, 8, 60, 1e-3) };
static const tcsi_detector_ops ops = TCSI_ONE_NUMBER_OPS(init);

const tcsi_detector_info tcsi_detector_deep_svdd = {
    .name = "deep_svdd",
    .title = "deep one-class classification of windows",
    .paper = "L. Ruff, R. Vandermeulen, N. Goernitz, L. Deecke, S. A. Siddiqui, A. Binder, E. Mueller, M. Kloft: Deep one-class "
             "classification. ICML 2018, equation 4",
    .summary = "Squared distance of a window from the centre around which a network without biases pulls the training windows. Finds "
               "windows unlike the rest as a whole; says nothing about channels.",
    TCSI_ONE_NUMBER_INFO,
};
