/* nn/ops/channels.c -- what happens among the channels of a step: side by side, some of them, in reverse, as shares of one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/norm.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <string.h>

/* Columns `count` wide out of rows of from_stride into rows of to_stride. */
static void copy_columns(size_t rows, size_t count, const float *from, size_t from_stride, bool accumulate, float *to, size_t to_stride)
{
    for (size_t r = 0; r < rows; r++, from += from_stride, to += to_stride) {
        if (!accumulate) memcpy(to, from, count * sizeof *to);
        else for (size_t c = 0; c < count; c++) to[c] += from[c];
    }
}

static size_t channels_of(const tcsi_op_call *call, size_t i)
{
    return tcsi_net_shape(call->net, call->node->inputs[i]).channels;
}

/* ---- side by side ---- */

static tcs_status concat_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    for (size_t i = 1; i < node->input_count; i++) {
        tcsi_shape x = tcsi_net_shape(net, node->inputs[i]);
        if (x.length != node->shape.length)
            return tcsi_fail(err, TCS_E_INVALID, "concat: input %zu has %zu steps, expected %zu", i, x.length, node->shape.length);
        node->shape.channels += x.channels;
    }
    return TCS_OK;
}

static void concat_forward(const tcsi_op_call *call)
{
    float *to = call->y;
    for (size_t i = 0; i < call->node->input_count; i++) {
        size_t count = channels_of(call, i);
        copy_columns(call->batch * call->length, count, call->x[i], count, false, to, call->node->shape.channels);
        to += count;
    }
}

static void concat_backward(const tcsi_op_call *call)
{
    const float *from = call->dy;
    for (size_t i = 0; i < call->node->input_count; i++) {
        size_t count = channels_of(call, i);
        if (call->dx[i])
            copy_columns(call->batch * call->length, count, from, call->node->shape.channels, call->accumulate[i], call->dx[i], count);
        from += count;
    }
}

const tcsi_op tcsi_op_concat = {
    .name = "concat", .traits = TCSI_OP_ROWWISE, .input_min = 1, .input_max = TCSI_INPUT_MAX, .shape = concat_shape,
    .forward = concat_forward, .backward = concat_backward,
};

tcsi_node_id tcsi_nn_concat(tcsi_net *net, const tcsi_node_id *inputs, size_t count)
{
    return tcsi_net_add(net, &tcsi_op_concat, inputs, count, NULL);
}

/* ---- some of them ---- */

typedef struct slice_options {
    size_t begin, count;
} slice_options;

static tcs_status slice_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const slice_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    if (options->count > x.channels || options->begin > x.channels - options->count)
        return tcsi_fail(err, TCS_E_INVALID, "slice: channels from %zu on, %zu of them, of %zu", options->begin, options->count,
                         x.channels);
    node->shape = (tcsi_shape){ x.length, options->count };
    return TCS_OK;
}

static void slice_forward(const tcsi_op_call *call)
{
    const slice_options *options = call->node->options;
    size_t rows = call->batch * call->length;
    copy_columns(rows, options->count, call->x[0] + options->begin, channels_of(call, 0), false, call->y, options->count);
}

static void slice_backward(const tcsi_op_call *call)
{
    const slice_options *options = call->node->options;
    size_t rows = call->batch * call->length, channels = channels_of(call, 0);
    if (!call->dx[0]) return;
    if (!call->accumulate[0]) memset(call->dx[0], 0, rows * channels * sizeof(float));
    copy_columns(rows, options->count, call->dy, options->count, true, call->dx[0] + options->begin, channels);
}

const tcsi_op tcsi_op_slice = {
    .name = "slice", .traits = TCSI_OP_ROWWISE, .options_size = sizeof(slice_options), .input_min = 1, .input_max = 1, .shape = slice_shape,
    .forward = slice_forward, .backward = slice_backward,
};

tcsi_node_id tcsi_nn_slice(tcsi_net *net, tcsi_node_id x, size_t begin, size_t count)
{
    return tcsi_net_add(net, &tcsi_op_slice, &x, 1, &(slice_options){ begin, count });
}

/* ---- in reverse ---- */

static tcs_status same_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    (void)err;
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    return TCS_OK;
}

static void reverse_rows(size_t rows, size_t channels, const float *from, bool accumulate, float *to)
{
    for (size_t r = 0; r < rows; r++, from += channels, to += channels)
        for (size_t c = 0; c < channels; c++) to[c] = accumulate ? to[c] + from[channels - 1 - c] : from[channels - 1 - c];
}

static void reverse_forward(const tcsi_op_call *call)
{
    reverse_rows(call->batch * call->length, call->node->shape.channels, call->x[0], false, call->y);
}

static void reverse_backward(const tcsi_op_call *call)
{
    if (call->dx[0]) reverse_rows(call->batch * call->length, call->node->shape.channels, call->dy, call->accumulate[0], call->dx[0]);
}

const tcsi_op tcsi_op_reverse = {
    .name = "reverse", .traits = TCSI_OP_ROWWISE, .input_min = 1, .input_max = 1, .shape = same_shape,
    .forward = reverse_forward, .backward = reverse_backward,
};

tcsi_node_id tcsi_nn_reverse(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_net_add(net, &tcsi_op_reverse, &x, 1, NULL);
}

/* ---- as shares of one ---- */

static void softmax_forward(const tcsi_op_call *call)
{
    tcsi_softmax_forward(call->isa, call->batch * call->length, call->node->shape.channels, call->x[0], call->y);
}

static void softmax_backward(const tcsi_op_call *call)
{
    size_t rows = call->batch * call->length, channels = call->node->shape.channels;
    if (call->dx[0]) tcsi_softmax_backward(call->isa, rows, channels, call->y, call->dy, call->accumulate[0], call->dx[0]);
}

const tcsi_op tcsi_op_softmax = {
    .name = "softmax", .traits = TCSI_OP_ROWWISE, .input_min = 1, .input_max = 1, .shape = same_shape,
    .forward = softmax_forward, .backward = softmax_backward,
};

tcsi_node_id tcsi_nn_softmax(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_net_add(net, &tcsi_op_softmax, &x, 1, NULL);
}
