/* nn/ops/conv_transposed.c -- a convolution the other way: each step of x (B,T,C) spreads over K steps of y (B,U,O).
 *
 *     y(u,o) = activation( bias(o) + sum over t, k with t * stride + k * dilation - pad_left = u, and c, of x(t,c) w(k,o,c) )
 *
 * Its forward pass is a convolution's gradient by its input and the other way around (kernels/conv.h), with U and T exchanged.  PyTorch's
 * ConvTranspose1d, whose weight is (C,O,K), gives the same before it is cut to U steps.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <string.h>

enum { WEIGHT, BIAS };

static size_t at_least_one(size_t count)
{
    return count > 0 ? count : 1;
}

/* The convolution (B,U,O) -> (B,T,C) whose gradient this node's forward pass is. */
static tcsi_conv conv_of(const tcsi_net *net, const tcsi_node *node)
{
    const tcsi_conv_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    tcsi_conv conv = { .length_in = node->shape.length, .length_out = x.length, .channels_in = node->shape.channels,
                       .channels_out = x.channels, .kernel = options->kernel, .stride = at_least_one(options->stride),
                       .dilation = at_least_one(options->dilation), .is_depthwise = options->is_depthwise };
    size_t span = (options->kernel - 1) * conv.dilation + 1;
    if (options->padding == TCSI_PADDING_SAME && span > conv.stride) conv.pad_left = (span - conv.stride + 1) / 2;
    return conv;
}

static tcs_status conv_transposed_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_conv_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    size_t stride = at_least_one(options->stride), dilation = at_least_one(options->dilation), channels;
    channels = options->is_depthwise ? x.channels : options->channels;
    if (options->kernel == 0 || channels == 0 || (options->is_depthwise && options->channels != 0 && options->channels != x.channels))
        return tcsi_fail(err, TCS_E_INVALID, "conv_transposed: needs a kernel and channels of 1 or more (depthwise: %zu), got %zu and %zu",
                         x.channels, options->kernel, options->channels);
    if (options->kernel - 1 > TCSI_NET_FLOATS_MAX / dilation || stride > TCSI_NET_FLOATS_MAX / x.length)
        return tcsi_fail(err, TCS_E_INVALID, "conv_transposed: kernel %zu, dilation %zu and stride %zu are too large", options->kernel,
                         dilation, stride);
    node->shape = (tcsi_shape){ x.length * stride, channels };
    if (options->padding == TCSI_PADDING_VALID) node->shape.length = (x.length - 1) * stride + (options->kernel - 1) * dilation + 1;
    tcsi_weight weight = { .name = "weight", .dims = { options->kernel, channels, x.channels }, .dim_count = options->is_depthwise ? 2 : 3,
                           .decays = true, .start = TCSI_START_UNIFORM };
    weight.fan_in = options->kernel * (options->is_depthwise ? 1 : channels);
    tcsi_weight bias = { .name = "bias", .dims = { channels }, .dim_count = 1, .start = TCSI_START_UNIFORM, .fan_in = weight.fan_in };
    tcs_status status = tcsi_net_weight(net, node, &weight, err);
    if (status == TCS_OK && !options->without_bias) status = tcsi_net_weight(net, node, &bias, err);
    return status;
}

static void conv_transposed_forward(const tcsi_op_call *call)
{
    const tcsi_conv_options *options = call->node->options;
    tcsi_conv conv = conv_of(call->net, call->node);
    conv.precision = call->precision;
    size_t rows = call->batch * conv.length_in, channels = conv.channels_in;
    for (size_t r = 0; r < rows && !options->without_bias; r++) memcpy(call->y + r * channels, call->w[BIAS], channels * sizeof(float));
    tcsi_conv_backward_input(call->isa, &conv, call->batch, call->x[0], call->w[WEIGHT], !options->without_bias, call->y, call->scratch);
    tcsi_vector_activate(call->isa, options->activation, rows * channels, call->y, call->y);
}

static void conv_transposed_backward(const tcsi_op_call *call)
{
    const tcsi_conv_options *options = call->node->options;
    tcsi_conv conv = conv_of(call->net, call->node);
    conv.precision = call->precision;
    size_t rows = call->batch * conv.length_in, channels = conv.channels_in;
    tcsi_vector_activate_backward(call->isa, options->activation, rows * channels, call->y, call->dy, call->dy);
    if (call->dx[0])
        tcsi_conv_forward(call->isa, &conv, call->batch, call->dy, call->w[WEIGHT], NULL, call->accumulate[0] ? call->dx[0] : NULL,
                          TCSI_ACTIVATION_NONE, call->dx[0], call->scratch);
    if (call->dw[WEIGHT])
        tcsi_conv_backward_weight(call->isa, &conv, call->batch, call->dy, call->x[0], call->dw[WEIGHT], NULL, call->scratch);
    if (!options->without_bias && call->dw[BIAS]) tcsi_vector_sum_rows(call->isa, rows, channels, call->dy, true, call->dw[BIAS]);
}

static double conv_transposed_cost(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_conv conv = conv_of(net, node);
    return (double)conv.length_out * (double)conv.kernel * (double)conv.channels_out * (conv.is_depthwise ? 1 : (double)conv.channels_in);
}

static size_t conv_transposed_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)batch;
    tcsi_conv conv = conv_of(net, node);
    conv.precision = TCSI_PRECISION_BFLOAT16; /* which needs what single needs, or more */
    return tcsi_conv_scratch_count(&conv);
}

/* ---- ONNX: channels first, weight (C,O,K), depthwise (C,1,K) ---- */

static tcsi_onnx_value weight_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_conv conv = conv_of(net, node);
    size_t out = conv.is_depthwise ? 1 : conv.channels_in, in = conv.channels_out;
    const size_t dims[] = { in, out, conv.kernel };
    const float *w = tcsi_net_values(net, &net->tensors[node->weights[WEIGHT]]); /* (K,O,C) or (K,C) */
    float *moved = tcsi_onnx_scratch(onnx, conv.kernel * in * out);
    for (size_t k = 0; k < conv.kernel && moved; k++)
        for (size_t o = 0; o < out; o++)
            for (size_t c = 0; c < in; c++) moved[(c * out + o) * conv.kernel + k] = w[(k * out + o) * in + c];
    return tcsi_onnx_weight_as(onnx, node, WEIGHT, moved, dims, 3);
}

/* All that the steps reach is cut to U, or lengthened where the kernel is shorter than the stride. */
static tcsi_onnx_value conv_transposed_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const tcsi_conv_options *options = node->options;
    tcsi_conv conv = conv_of(net, node);
    size_t reached = (conv.length_out - 1) * conv.stride + (conv.kernel - 1) * conv.dilation + 1, wanted = conv.length_in + conv.pad_left;
    tcsi_onnx_call call = { "ConvTranspose",
                            { tcsi_onnx_swap(onnx, tcsi_onnx_input_of(onnx, node, 0)), weight_onnx(net, node, onnx) },
                            { TCSI_ONNX_INTEGERS("kernel_shape", conv.kernel), TCSI_ONNX_INTEGERS("strides", conv.stride),
                              TCSI_ONNX_INTEGERS("dilations", conv.dilation),
                              TCSI_ONNX_INTEGERS("pads", conv.pad_left, reached > wanted ? reached - wanted : 0),
                              TCSI_ONNX_INTEGERS("output_padding", wanted > reached ? wanted - reached : 0),
                              TCSI_ONNX_INTEGER("group", conv.is_depthwise ? conv.channels_in : 1) } };
    if (!options->without_bias) call.inputs[2] = tcsi_onnx_weight_of(onnx, node, BIAS);
    return tcsi_onnx_swap(onnx, tcsi_onnx_activate(onnx, options->activation, tcsi_onnx_add(onnx, &call)));
}

const tcsi_op tcsi_op_conv_transposed = {
    .name = "conv_transposed", .options_size = sizeof(tcsi_conv_options), .input_min = 1, .input_max = 1, .shape = conv_transposed_shape,
    .forward = conv_transposed_forward, .backward = conv_transposed_backward, .cost = conv_transposed_cost,
    .scratch_count = conv_transposed_scratch, .onnx = conv_transposed_onnx,
};

tcsi_node_id tcsi_nn_conv_transposed(tcsi_net *net, tcsi_node_id x, const tcsi_conv_options *options)
{
    return tcsi_net_add(net, &tcsi_op_conv_transposed, &x, 1, options);
}
