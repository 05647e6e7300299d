/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/deep/sphere.h"

enum { KERNEL = 7, CENTER_WINDOWS = 64 };

static tcsi_conv_options layer(size_t channels)
{
    return (tcsi_conv_options){ .channels = channels, .kernel = KERNEL, .stride = 2, .padding = TCSI_PADDING_SAME,
                                .activation = TCSI_ACTIVATION_RELU, .without_bias = true };
}

tcsi_node_id tcsi_sphere_distance(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options)
{
    const tcsi_conv_options wide = layer(options->hidden), narrow = layer(options->latent);
    tcsi_net_scope(net, "conv.0");
    tcsi_node_id h = tcsi_nn_conv(net, x, &wide);
    tcsi_net_scope(net, "conv.1");
    h = tcsi_nn_flatten(net, tcsi_nn_conv(net, h, &narrow));
    tcsi_net_scope(net, "dense");
    h = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 2 * options->latent, .without_bias = true });
    tcsi_net_scope(net, "sphere");
    return tcsi_nn_sphere(net, h);
}

tcsi_node_id tcsi_sphere_row_distance(tcsi_net *net, tcsi_node_id x, const tcsi_window_net_options *options)
{
    tcsi_net_scope(net, "dense.0");
    tcsi_node_id h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = options->hidden, .activation = TCSI_ACTIVATION_RELU,
                                                                  .without_bias = true });
    tcsi_net_scope(net, "dense.1");
    h = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = options->latent, .without_bias = true });
    tcsi_net_scope(net, "sphere");
    return tcsi_nn_sphere(net, h);
}

/* Runs the node in front of the sphere. */
tcs_status tcsi_sphere_set_center(tcsi_window_net *self, const tcsi_sequence *sequence, tcsi_lesson *lesson, tcs_error *err)
{
    const tcsi_node_id sphere = self->nodes.output, z = tcsi_net_node(self->net, sphere)->inputs[0];
    const tcsi_plan_options planned = { .net = self->net, .batch = CENTER_WINDOWS, .outputs = &z, .output_count = 1 };
    size_t starts[CENTER_WINDOWS], last = tcsi_lesson_window_count(lesson) - 1;
    tcsi_floats inputs = { 0 };
    tcsi_plan *plan = NULL;
    (void)sequence;
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
