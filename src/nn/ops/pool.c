/* nn/ops/pool.c -- means and maxima: over windows of steps (kernels/pooling.h), over all steps, over everything.
 *
 * Streaming: none of them.  A window's value is known at its last step, so pooled steps no longer stand beside the rows they came from;
 * and what is global belongs to a window of rows, while a stream has no first row but its reset.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/pooling.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

/* ---- windows ---- */

static tcsi_pooling pooling_of(const tcsi_net *net, const tcsi_node *node)
{
    const tcsi_pool_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    size_t window = options->window ? options->window : x.length;
    return (tcsi_pooling){ .length = x.length, .channels = x.channels, .window = window,
                           .stride = options->stride ? options->stride : window, .is_max = options->is_max };
}

static tcs_status pool_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_pooling pooling = pooling_of(net, node);
    if (pooling.window > pooling.length)
        return tcsi_fail(err, TCS_E_INVALID, "pool: %zu steps are too few for a window of %zu", pooling.length, pooling.window);
    node->shape = (tcsi_shape){ tcsi_pooling_length_out(&pooling), pooling.channels };
    node->saved_count = pooling.is_max ? node->shape.length * node->shape.channels : 0; /* where each maximum came from */
    return TCS_OK;
}

static void pool_forward(const tcsi_op_call *call)
{
    tcsi_pooling pooling = pooling_of(call->net, call->node);
    tcsi_pooling_forward(call->isa, &pooling, call->batch, call->x[0], call->y, (uint32_t *)(void *)call->saved);
}

static void pool_backward(const tcsi_op_call *call)
{
    tcsi_pooling pooling = pooling_of(call->net, call->node);
    if (!call->dx[0]) return;
    tcsi_pooling_backward(call->isa, &pooling, call->batch, call->dy, (const uint32_t *)(const void *)call->saved, call->accumulate[0],
                          call->dx[0]);
}

static double pool_cost(const tcsi_net *net, const tcsi_node *node)
{
    return (double)node->shape.length * (double)node->shape.channels * (double)pooling_of(net, node).window;
}

const tcsi_op tcsi_op_pool = {
    .name = "pool", .options_size = sizeof(tcsi_pool_options), .input_min = 1, .input_max = 1, .shape = pool_shape,
    .forward = pool_forward, .backward = pool_backward, .cost = pool_cost,
};

tcsi_node_id tcsi_nn_pool(tcsi_net *net, tcsi_node_id x, const tcsi_pool_options *options)
{
    return tcsi_net_add(net, &tcsi_op_pool, &x, 1, options);
}

tcsi_node_id tcsi_nn_global_mean(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_nn_pool(net, x, &(tcsi_pool_options){ 0 });
}

tcsi_node_id tcsi_nn_global_max(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_nn_pool(net, x, &(tcsi_pool_options){ .is_max = true });
}

/* ---- everything ---- */

static tcs_status mean_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    (void)net;
    (void)err;
    node->shape = (tcsi_shape){ 1, 1 };
    return TCS_OK;
}

static size_t mean_count(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    return x.length * x.channels;
}

/* y (B,1,1) = mean of x (B,T,C) */
static void mean_forward(const tcsi_op_call *call)
{
    size_t count = mean_count(call->net, call->node);
    for (size_t b = 0; b < call->batch; b++)
        call->y[b] = (float)(tcsi_vector_sum(call->isa, count, call->x[0] + b * count) / (double)count);
}

static void mean_backward(const tcsi_op_call *call)
{
    size_t count = mean_count(call->net, call->node);
    for (size_t b = 0; b < call->batch && call->dx[0]; b++) {
        float share = (float)((double)call->dy[b] / (double)count), *dx = call->dx[0] + b * count;
        for (size_t i = 0; i < count; i++) dx[i] = call->accumulate[0] ? dx[i] + share : share;
    }
}

static double mean_cost(const tcsi_net *net, const tcsi_node *node)
{
    return (double)mean_count(net, node);
}

const tcsi_op tcsi_op_mean = {
    .name = "mean", .input_min = 1, .input_max = 1, .shape = mean_shape, .forward = mean_forward, .backward = mean_backward,
    .cost = mean_cost,
};

tcsi_node_id tcsi_nn_mean(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_net_add(net, &tcsi_op_mean, &x, 1, NULL);
}
