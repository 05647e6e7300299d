/* nn/ops/layer_norm.c -- every step by its own mean and deviation over channels, then a gain and a shift per channel.
 * J. Ba, J. Kiros, G. Hinton, "Layer normalization", 2016, equation 4; PyTorch's LayerNorm over the last dimension.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/norm.h"
#include "nn/layers.h"
#include "nn/ops.h"

enum { GAIN, SHIFT };

static tcs_status layer_norm_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_layer_norm_options *options = node->options;
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    node->saved_count = 2 * node->shape.length; /* of a shard: all means, then all inverse deviations */
    if (!(options->epsilon >= 0 && options->epsilon <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "layer_norm: needs epsilon in [0, 1], got %g", (double)options->epsilon);
    tcsi_weight gain = { .name = "gain", .dims = { node->shape.channels }, .dim_count = 1, .start = TCSI_START_ONE };
    tcsi_weight shift = { .name = "shift", .dims = { node->shape.channels }, .dim_count = 1, .start = TCSI_START_ZERO };
    tcs_status status = tcsi_net_weight(net, node, &gain, err);
    return status == TCS_OK ? tcsi_net_weight(net, node, &shift, err) : status;
}

static void layer_norm_forward(const tcsi_op_call *call)
{
    const tcsi_layer_norm_options *options = call->node->options;
    size_t rows = call->batch * call->length;
    float epsilon = options->epsilon > 0 ? options->epsilon : 1e-5f;
    tcsi_layer_norm_forward(call->isa, rows, call->node->shape.channels, epsilon, call->x[0], call->w[GAIN], call->w[SHIFT], call->y,
                            call->saved, call->saved + rows);
}

/* The kernel gives all three gradients; those that nobody wants go to work space. */
static size_t layer_norm_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    return (2 + batch * node->shape.length) * node->shape.channels;
}

static void layer_norm_backward(const tcsi_op_call *call)
{
    size_t rows = call->batch * call->length, channels = call->node->shape.channels;
    float *dgain = call->dw[GAIN] ? call->dw[GAIN] : call->scratch, *dshift = call->dw[SHIFT] ? call->dw[SHIFT] : call->scratch + channels;
    float *dx = call->dx[0] ? call->dx[0] : call->scratch + 2 * channels;
    tcsi_layer_norm_backward(call->isa, rows, channels, call->x[0], call->w[GAIN], call->saved, call->saved + rows, call->dy,
                             call->dx[0] && call->accumulate[0], dx, dgain, dshift);
}

const tcsi_op tcsi_op_layer_norm = {
    .name = "layer_norm", .traits = TCSI_OP_ROWWISE, .options_size = sizeof(tcsi_layer_norm_options), .input_min = 1, .input_max = 1,
    .shape = layer_norm_shape, .forward = layer_norm_forward, .backward = layer_norm_backward, .scratch_count = layer_norm_scratch,
};

tcsi_node_id tcsi_nn_layer_norm(tcsi_net *net, tcsi_node_id x, const tcsi_layer_norm_options *options)
{
    return tcsi_net_add(net, &tcsi_op_layer_norm, &x, 1, options);
}
