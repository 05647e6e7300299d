/* nn/ops/dense.c -- a matrix product on every step: y = activation(x W + b + residual).  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

enum { WEIGHT, BIAS };
enum { X, RESIDUAL };

static tcs_status dense_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_dense_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]);
    node->shape = (tcsi_shape){ x.length, options->units };
    if (options->units == 0) return tcsi_fail(err, TCS_E_INVALID, "dense: needs 1 or more units");
    if (node->input_count > RESIDUAL) {
        tcsi_shape residual = tcsi_net_shape(net, node->inputs[RESIDUAL]);
        if (residual.length != x.length || residual.channels != options->units)
            return tcsi_fail(err, TCS_E_INVALID, "dense: a residual of %zu steps and %zu channels, expected %zu and %zu", residual.length,
                             residual.channels, x.length, options->units);
    }
    tcsi_weight weight = { .name = "weight", .dims = { x.channels, options->units }, .dim_count = 2, .decays = true,
                           .start = TCSI_START_UNIFORM, .fan_in = x.channels };
    tcsi_weight bias = { .name = "bias", .dims = { options->units }, .dim_count = 1, .start = TCSI_START_UNIFORM, .fan_in = x.channels };
    tcs_status status = tcsi_net_weight(net, node, &weight, err);
    if (status == TCS_OK && !options->without_bias) status = tcsi_net_weight(net, node, &bias, err);
    return status;
}

static size_t channels_in(const tcsi_op_call *call)
{
    return tcsi_net_shape(call->net, call->node->inputs[X]).channels;
}

/* y (R,U) from x (R,C), R = B T */
static void dense_forward(const tcsi_op_call *call)
{
    const tcsi_dense_options *options = call->node->options;
    size_t c = channels_in(call), u = options->units;
    tcsi_gemm product = { .m = call->batch * call->length, .n = u, .k = c, .a = call->x[X], .a_stride = c, .b = call->w[WEIGHT],
                          .b_stride = u, .c = call->y, .c_stride = u, .bias = options->without_bias ? NULL : call->w[BIAS],
                          .residual = call->x[RESIDUAL], .residual_stride = u, .activation = options->activation,
                          .precision = call->precision };
    tcsi_gemm_run(call->isa, NULL, &product);
}

/* dx (R,C) (+)= dy W';  dW (C,U) += x' dy;  db (U) += column sums of dy;  dresidual (+)= dy; dy by then before the activation */
static void dense_backward(const tcsi_op_call *call)
{
    const tcsi_dense_options *options = call->node->options;
    size_t c = channels_in(call), u = options->units, rows = call->batch * call->length;
    tcsi_vector_activate_backward(call->isa, options->activation, rows * u, call->y, call->dy, call->dy);
    if (call->dx[X]) {
        tcsi_gemm product = { .m = rows, .n = c, .k = u, .a = call->dy, .a_stride = u, .b = call->w[WEIGHT], .b_stride = u,
                              .b_transposed = true, .c = call->dx[X], .c_stride = c, .accumulate = call->accumulate[X],
                              .precision = call->precision };
        tcsi_gemm_run(call->isa, NULL, &product);
    }
    if (call->dw[WEIGHT]) {
        tcsi_gemm product = { .m = c, .n = u, .k = rows, .a = call->x[X], .a_stride = c, .a_transposed = true, .b = call->dy, .b_stride = u,
                              .c = call->dw[WEIGHT], .c_stride = u, .accumulate = true, .precision = call->precision };
        tcsi_gemm_run(call->isa, NULL, &product);
    }
    if (!options->without_bias && call->dw[BIAS]) tcsi_vector_sum_rows(call->isa, rows, u, call->dy, true, call->dw[BIAS]);
    tcsi_op_pass(call, RESIDUAL, call->dy, rows * u);
}

static double dense_cost(const tcsi_net *net, const tcsi_node *node)
{
    return (double)node->shape.length * (double)node->shape.channels * (double)tcsi_net_shape(net, node->inputs[X]).channels;
}

static tcsi_onnx_value dense_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const tcsi_dense_options *options = node->options;
    (void)net;
    tcsi_onnx_value y = tcsi_onnx_of_two(onnx, "MatMul", tcsi_onnx_input_of(onnx, node, X), tcsi_onnx_weight_of(onnx, node, WEIGHT));
    if (!options->without_bias) y = tcsi_onnx_of_two(onnx, "Add", y, tcsi_onnx_weight_of(onnx, node, BIAS));
    if (node->input_count > RESIDUAL) y = tcsi_onnx_of_two(onnx, "Add", y, tcsi_onnx_input_of(onnx, node, RESIDUAL));
    return tcsi_onnx_activate(onnx, options->activation, y);
}

const tcsi_op tcsi_op_dense = {
    .name = "dense",
    .traits = TCSI_OP_ROWWISE,
    .options_size = sizeof(tcsi_dense_options),
    .input_min = 1,
    .input_max = 2,
    .shape = dense_shape,
    .forward = dense_forward,
    .backward = dense_backward,
    .cost = dense_cost,
    .onnx = dense_onnx,
};

tcsi_node_id tcsi_nn_dense(tcsi_net *net, tcsi_node_id x, const tcsi_dense_options *options)
{
    return tcsi_net_add(net, &tcsi_op_dense, &x, 1, options);
}

tcsi_node_id tcsi_nn_dense_residual(tcsi_net *net, tcsi_node_id x, tcsi_node_id residual, const tcsi_dense_options *options)
{
    return tcsi_net_add(net, &tcsi_op_dense, (tcsi_node_id[]){ x, residual }, 2, options);
}
