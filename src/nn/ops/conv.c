/* nn/ops/conv.c -- a convolution along time, dilated, strided, causal or centred, full or depthwise (kernels/conv.h).
 *
 * Streaming: the last (K-1) dilation + 1 inputs are carried.  They stand twice in a ring of twice that length, so that the newest of
 * them are always in a row and one product reads them as the window's would: the same bits.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <string.h>

enum { WEIGHT, BIAS };
enum { X, RESIDUAL };

static size_t at_least_one(size_t count)
{
    return count > 0 ? count : 1;
}

/* The kernel's own description of this node. */
static tcsi_conv conv_of(const tcsi_net *net, const tcsi_node *node)
{
    const tcsi_conv_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]);
    tcsi_conv conv = { .length_in = x.length, .length_out = node->shape.length, .channels_in = x.channels,
                       .channels_out = node->shape.channels, .kernel = options->kernel, .stride = at_least_one(options->stride),
                       .dilation = at_least_one(options->dilation), .is_depthwise = options->is_depthwise };
    size_t reach = (options->kernel - 1) * conv.dilation;
    if (options->padding == TCSI_PADDING_CAUSAL) conv.pad_left = reach;
    if (options->padding == TCSI_PADDING_SAME) conv.pad_left = (reach + 1) / 2;
    return conv;
}

static tcs_status check_options(const tcsi_conv_options *options, tcsi_shape x, tcs_error *err)
{
    size_t reach, dilation = at_least_one(options->dilation);
    if (options->kernel == 0 || (options->channels == 0 && !options->is_depthwise))
        return tcsi_fail(err, TCS_E_INVALID, "conv: needs a kernel and channels of 1 or more, got %zu and %zu", options->kernel,
                        options->channels);
    if (options->is_depthwise && options->channels != 0 && options->channels != x.channels)
        return tcsi_fail(err, TCS_E_INVALID, "conv: depthwise keeps its %zu channels, got %zu", x.channels, options->channels);
    if (options->kernel - 1 > TCSI_NET_FLOATS_MAX / dilation)
        return tcsi_fail(err, TCS_E_INVALID, "conv: kernel %zu with dilation %zu is too large", options->kernel, dilation);
    reach = (options->kernel - 1) * dilation;
    if (options->padding == TCSI_PADDING_VALID && x.length <= reach)
        return tcsi_fail(err, TCS_E_INVALID, "conv: %zu steps are too few for a window of %zu", x.length, reach + 1);
    return TCS_OK;
}

static tcs_status conv_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_conv_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]);
    tcs_status status = check_options(options, x, err);
    if (status != TCS_OK) return status;
    size_t stride = at_least_one(options->stride), reach = (options->kernel - 1) * at_least_one(options->dilation);
    size_t out = options->is_depthwise ? x.channels : options->channels;
    node->shape.channels = out;
    node->shape.length = options->padding == TCSI_PADDING_VALID ? (x.length - reach - 1) / stride + 1 : (x.length - 1) / stride + 1;
    if (node->input_count > RESIDUAL) {
        tcsi_shape residual = tcsi_net_shape(net, node->inputs[RESIDUAL]);
        if (residual.length != node->shape.length || residual.channels != out)
            return tcsi_fail(err, TCS_E_INVALID, "conv: a residual of %zu steps and %zu channels, expected %zu and %zu", residual.length,
                             residual.channels, node->shape.length, out);
    }
    tcsi_weight weight = { .name = "weight", .dims = { options->kernel, x.channels, out }, .dim_count = options->is_depthwise ? 2 : 3,
                           .decays = true, .start = TCSI_START_UNIFORM,
                           .fan_in = options->kernel * (options->is_depthwise ? 1 : x.channels) };
    tcsi_weight bias = { .name = "bias", .dims = { out }, .dim_count = 1, .start = TCSI_START_UNIFORM, .fan_in = weight.fan_in };
    status = tcsi_net_weight(net, node, &weight, err);
    if (status == TCS_OK && !options->without_bias) status = tcsi_net_weight(net, node, &bias, err);
    return status;
}

/* y (B,U,O) from x (B,T,C) */
static void conv_forward(const tcsi_op_call *call)
{
    const tcsi_conv_options *options = call->node->options;
    tcsi_conv conv = conv_of(call->net, call->node);
    conv.precision = call->precision;
    tcsi_conv_forward(call->isa, &conv, call->batch, call->x[X], call->w[WEIGHT], options->without_bias ? NULL : call->w[BIAS],
                      call->x[RESIDUAL], options->activation, call->y, call->scratch);
}

static void conv_backward(const tcsi_op_call *call)
{
    const tcsi_conv_options *options = call->node->options;
    tcsi_conv conv = conv_of(call->net, call->node);
    conv.precision = call->precision;
    size_t count = call->batch * conv.length_out * conv.channels_out;
    tcsi_vector_activate_backward(call->isa, options->activation, count, call->y, call->dy, call->dy);
    if (call->dx[X])
        tcsi_conv_backward_input(call->isa, &conv, call->batch, call->dy, call->w[WEIGHT], call->accumulate[X], call->dx[X], call->scratch);
    if (call->dw[WEIGHT])
        tcsi_conv_backward_weight(call->isa, &conv, call->batch, call->x[X], call->dy, call->dw[WEIGHT],
                                  options->without_bias ? NULL : call->dw[BIAS], call->scratch);
    tcsi_op_pass(call, RESIDUAL, call->dy, count);
}

static double conv_cost(const tcsi_net *net, const tcsi_node *node)
{
    const tcsi_conv_options *options = node->options;
    double inner = options->is_depthwise ? 1 : (double)tcsi_net_shape(net, node->inputs[X]).channels;
    return (double)node->shape.length * (double)node->shape.channels * (double)options->kernel * inner;
}

static size_t conv_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)batch;
    tcsi_conv conv = conv_of(net, node);
    conv.precision = TCSI_PRECISION_BFLOAT16; /* which needs what single needs, or more */
    return tcsi_conv_scratch_count(&conv);
}

/* ---- streaming ---- */

static size_t span_of(const tcsi_conv *conv)
{
    return (conv->kernel - 1) * conv->dilation + 1;
}

/* In front of the ring of 2 spans stands the place of the next row, as an integer's bytes. */
static size_t conv_carried(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_conv conv = conv_of(net, node);
    return TCSI_FLOATS_BORDER + 2 * span_of(&conv) * conv.channels_in;
}

static bool conv_can_step(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_conv conv = conv_of(net, node);
    return conv.stride == 1 && conv.pad_left == (conv.kernel - 1) * conv.dilation && conv.length_out == conv.length_in;
}

static void conv_step(const tcsi_op_call *call)
{
    const tcsi_conv_options *options = call->node->options;
    tcsi_conv conv = conv_of(call->net, call->node);
    size_t span = span_of(&conv), channels = conv.channels_in;
    float *ring = call->carried + TCSI_FLOATS_BORDER;
    uint32_t at;
    memcpy(&at, call->carried, sizeof at);
    if (at >= span) at = 0; /* a damaged state must not write elsewhere */
    memcpy(ring + at * channels, call->x[X], channels * sizeof(float));
    memcpy(ring + (at + span) * channels, call->x[X], channels * sizeof(float));
    at = (uint32_t)((at + 1) % span);
    memcpy(call->carried, &at, sizeof at);
    conv.length_in = span; /* the last span rows, oldest first: one window without padding */
    conv.length_out = 1;
    conv.stride = 1;
    conv.pad_left = 0;
    tcsi_conv_forward(call->isa, &conv, 1, ring + at * channels, call->w[WEIGHT], options->without_bias ? NULL : call->w[BIAS],
                      call->x[RESIDUAL], options->activation, call->y, call->scratch);
}

/* ---- ONNX: channels first, weight (O,C,K), depthwise (C,1,K) ---- */

static tcsi_onnx_value weight_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_conv conv = conv_of(net, node);
    size_t inner = conv.is_depthwise ? 1 : conv.channels_in, outer = conv.channels_out;
    const size_t dims[] = { outer, inner, conv.kernel };
    const float *w = tcsi_net_values(net, &net->tensors[node->weights[WEIGHT]]); /* (K,C,O) or (K,C) */
    float *moved = tcsi_onnx_scratch(onnx, conv.kernel * inner * outer);
    for (size_t k = 0; k < conv.kernel && moved; k++)
        for (size_t c = 0; c < inner; c++)
            for (size_t o = 0; o < outer; o++) moved[(o * inner + c) * conv.kernel + k] = w[(k * inner + c) * outer + o];
    return tcsi_onnx_weight_as(onnx, node, WEIGHT, moved, dims, 3);
}

static tcsi_onnx_value conv_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const tcsi_conv_options *options = node->options;
    tcsi_conv conv = conv_of(net, node);
    size_t reached = (conv.length_out - 1) * conv.stride + (conv.kernel - 1) * conv.dilation + 1, there = conv.length_in + conv.pad_left;
    tcsi_onnx_call call = { "Conv", { tcsi_onnx_swap(onnx, tcsi_onnx_input_of(onnx, node, X)), weight_onnx(net, node, onnx) },
                            { TCSI_ONNX_INTEGERS("kernel_shape", conv.kernel), TCSI_ONNX_INTEGERS("strides", conv.stride),
                              TCSI_ONNX_INTEGERS("dilations", conv.dilation),
                              TCSI_ONNX_INTEGERS("pads", conv.pad_left, reached > there ? reached - there : 0),
                              TCSI_ONNX_INTEGER("group", conv.is_depthwise ? conv.channels_in : 1) } };
    if (!options->without_bias) call.inputs[2] = tcsi_onnx_weight_of(onnx, node, BIAS);
    tcsi_onnx_value y = tcsi_onnx_add(onnx, &call);
    if (node->input_count > RESIDUAL) y = tcsi_onnx_of_two(onnx, "Add", y, tcsi_onnx_swap(onnx, tcsi_onnx_input_of(onnx, node, RESIDUAL)));
    return tcsi_onnx_swap(onnx, tcsi_onnx_activate(onnx, options->activation, y));
}

const tcsi_op tcsi_op_conv = {
    .name = "conv",
    .options_size = sizeof(tcsi_conv_options),
    .input_min = 1,
    .input_max = 2,
    .shape = conv_shape,
    .forward = conv_forward,
    .backward = conv_backward,
    .cost = conv_cost,
    .scratch_count = conv_scratch,
    .step = conv_step,
    .carried_count = conv_carried,
    .can_step = conv_can_step,
    .onnx = conv_onnx,
};

tcsi_node_id tcsi_nn_conv(tcsi_net *net, tcsi_node_id x, const tcsi_conv_options *options)
{
    return tcsi_net_add(net, &tcsi_op_conv, &x, 1, options);
}

tcsi_node_id tcsi_nn_conv_residual(tcsi_net *net, tcsi_node_id x, tcsi_node_id residual, const tcsi_conv_options *options)
{
    return tcsi_net_add(net, &tcsi_op_conv, (tcsi_node_id[]){ x, residual }, 2, options);
}
