/* nn/ops/steps.c -- what happens along time without arithmetic: some of the steps, one step many times, the same numbers in another form.
 *
 * Streaming: the last steps of a sequence that ends here are the newest, so a slice up to the end passes on what comes.  Repeating a
 * step and folding steps into channels need the whole window and are refused, but for sequences of one step.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <string.h>

static size_t row_count(const tcsi_net *net, tcsi_node_id id)
{
    tcsi_shape shape = tcsi_net_shape(net, id);
    return shape.length * shape.channels;
}

/* One step, as it came. */
static void pass_step(const tcsi_op_call *call)
{
    memcpy(call->y, call->x[0], call->node->shape.channels * sizeof(float));
}

/* ---- some of the steps ---- */

typedef struct steps_options {
    size_t begin, count;
} steps_options;

static tcs_status steps_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const steps_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    if (options->count > x.length || options->begin > x.length - options->count)
        return tcsi_fail(err, TCS_E_INVALID, "steps: from %zu on, %zu of them, of %zu", options->begin, options->count, x.length);
    node->shape = (tcsi_shape){ options->count, x.channels };
    return TCS_OK;
}

/* y (B,count,C) = x (B,T,C) from step begin on */
static void steps_forward(const tcsi_op_call *call)
{
    const steps_options *options = call->node->options;
    size_t channels = call->node->shape.channels, in = row_count(call->net, call->node->inputs[0]), out = options->count * channels;
    for (size_t b = 0; b < call->batch; b++)
        memcpy(call->y + b * out, call->x[0] + b * in + options->begin * channels, out * sizeof(float));
}

static void steps_backward(const tcsi_op_call *call)
{
    const steps_options *options = call->node->options;
    size_t channels = call->node->shape.channels, in = row_count(call->net, call->node->inputs[0]), out = options->count * channels;
    if (!call->dx[0]) return;
    if (!call->accumulate[0]) memset(call->dx[0], 0, call->batch * in * sizeof(float));
    for (size_t b = 0; b < call->batch; b++)
        tcsi_vector_axpy(call->isa, out, 1, call->dy + b * out, call->dx[0] + b * in + options->begin * channels);
}

static bool steps_can_step(const tcsi_net *net, const tcsi_node *node)
{
    const steps_options *options = node->options;
    return options->begin + options->count == tcsi_net_shape(net, node->inputs[0]).length;
}

const tcsi_op tcsi_op_steps = {
    .name = "steps", .options_size = sizeof(steps_options), .input_min = 1, .input_max = 1, .shape = steps_shape,
    .forward = steps_forward, .backward = steps_backward, .step = pass_step, .can_step = steps_can_step,
};

tcsi_node_id tcsi_nn_steps(tcsi_net *net, tcsi_node_id x, size_t begin, size_t count)
{
    return tcsi_net_add(net, &tcsi_op_steps, &x, 1, &(steps_options){ begin, count });
}

tcsi_node_id tcsi_nn_last(tcsi_net *net, tcsi_node_id x)
{
    if (net->status != TCS_OK) return TCSI_NODE_NONE;
    return tcsi_nn_steps(net, x, tcsi_net_shape(net, x).length - 1, 1);
}

/* ---- one step many times ---- */

static tcs_status repeat_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    if (x.length != 1) return tcsi_fail(err, TCS_E_INVALID, "repeat: needs an input of 1 step, got %zu", x.length);
    node->shape = (tcsi_shape){ *(const size_t *)node->options, x.channels };
    return TCS_OK;
}

/* y (B,T,C) = x (B,1,C) at every step */
static void repeat_forward(const tcsi_op_call *call)
{
    tcsi_shape y = call->node->shape;
    for (size_t r = 0; r < call->batch * y.length; r++)
        memcpy(call->y + r * y.channels, call->x[0] + r / y.length * y.channels, y.channels * sizeof(float));
}

static void repeat_backward(const tcsi_op_call *call)
{
    tcsi_shape y = call->node->shape;
    for (size_t b = 0; b < call->batch && call->dx[0]; b++)
        tcsi_vector_sum_rows(call->isa, y.length, y.channels, call->dy + b * y.length * y.channels, call->accumulate[0],
                             call->dx[0] + b * y.channels);
}

const tcsi_op tcsi_op_repeat = {
    .name = "repeat", .options_size = sizeof(size_t), .input_min = 1, .input_max = 1, .shape = repeat_shape,
    .forward = repeat_forward, .backward = repeat_backward,
};

tcsi_node_id tcsi_nn_repeat(tcsi_net *net, tcsi_node_id x, size_t length)
{
    return tcsi_net_add(net, &tcsi_op_repeat, &x, 1, &length);
}

/* ---- another form of the same numbers ---- */

static tcs_status reshape_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_shape *wanted = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    size_t count;
    if (!tcsi_multiply(wanted->length, wanted->channels, &count) || count != x.length * x.channels)
        return tcsi_fail(err, TCS_E_INVALID, "reshape: %zu steps and %zu channels are not as many numbers as %zu and %zu", wanted->length,
                         wanted->channels, x.length, x.channels);
    node->shape = *wanted;
    return TCS_OK;
}

static void reshape_forward(const tcsi_op_call *call)
{
    memcpy(call->y, call->x[0], call->batch * row_count(call->net, call->node->inputs[0]) * sizeof(float));
}

static void reshape_backward(const tcsi_op_call *call)
{
    tcsi_op_pass(call, 0, call->dy, call->batch * row_count(call->net, call->node->inputs[0]));
}

static bool reshape_can_step(const tcsi_net *net, const tcsi_node *node)
{
    return tcsi_net_shape(net, node->inputs[0]).length == node->shape.length;
}

const tcsi_op tcsi_op_reshape = {
    .name = "reshape", .options_size = sizeof(tcsi_shape), .input_min = 1, .input_max = 1, .shape = reshape_shape,
    .forward = reshape_forward, .backward = reshape_backward, .step = pass_step, .can_step = reshape_can_step,
};

tcsi_node_id tcsi_nn_reshape(tcsi_net *net, tcsi_node_id x, size_t length, size_t channels)
{
    return tcsi_net_add(net, &tcsi_op_reshape, &x, 1, &(tcsi_shape){ length, channels });
}

tcsi_node_id tcsi_nn_flatten(tcsi_net *net, tcsi_node_id x)
{
    return net->status == TCS_OK ? tcsi_nn_reshape(net, x, 1, row_count(net, x)) : TCSI_NODE_NONE;
}

tcsi_node_id tcsi_nn_unflatten(tcsi_net *net, tcsi_node_id x, size_t length)
{
    return net->status == TCS_OK ? tcsi_nn_reshape(net, x, length, length ? row_count(net, x) / length : 0) : TCSI_NODE_NONE;
}
