/* nn/ops/unary.c -- y = f(x), element by element, and what passes on its input: a detached one lets no gradient back.
 * The functions and their slopes are kernels/vector.h's.  SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <string.h>

static tcs_status same_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    (void)err;
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    return TCS_OK;
}

static size_t value_count(const tcsi_op_call *call)
{
    return call->batch * call->length * call->node->shape.channels;
}

/* ---- f ---- */

static void unary_forward(const tcsi_op_call *call)
{
    tcsi_vector_unary(call->isa, *(const tcsi_unary *)call->node->options, value_count(call), call->x[0], call->y);
}

static void unary_backward(const tcsi_op_call *call)
{
    if (!call->dx[0]) return;
    tcsi_vector_unary_backward(call->isa, *(const tcsi_unary *)call->node->options, value_count(call), call->x[0], call->y, call->dy,
                               call->accumulate[0], call->dx[0]);
}

/* x (1 + erf(x / sqrt 2)) / 2: GELU has an operator of its own from opset 20 on. */
static tcsi_onnx_value gelu_onnx(tcsi_onnx *onnx, tcsi_onnx_value x)
{
    tcsi_onnx_value normal = tcsi_onnx_of(onnx, "Erf", tcsi_onnx_of_two(onnx, "Mul", x, tcsi_onnx_number(onnx, 0.70710678f)));
    normal = tcsi_onnx_of_two(onnx, "Add", normal, tcsi_onnx_number(onnx, 1));
    normal = tcsi_onnx_of_two(onnx, "Mul", normal, tcsi_onnx_number(onnx, 0.5f));
    return tcsi_onnx_of_two(onnx, "Mul", x, normal);
}

static tcsi_onnx_value unary_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    static const char *const ops[] = {
        [TCSI_UNARY_EXP] = "Exp", [TCSI_UNARY_LOG] = "Log", [TCSI_UNARY_TANH] = "Tanh", [TCSI_UNARY_SIGMOID] = "Sigmoid",
        [TCSI_UNARY_SOFTPLUS] = "Softplus", [TCSI_UNARY_RELU] = "Relu", [TCSI_UNARY_SQRT] = "Sqrt", [TCSI_UNARY_ABS] = "Abs",
    };
    tcsi_onnx_value x = tcsi_onnx_input_of(onnx, node, 0);
    tcsi_unary f = *(const tcsi_unary *)node->options;
    (void)net;
    if (f == TCSI_UNARY_GELU) return gelu_onnx(onnx, x);
    if (f == TCSI_UNARY_SQUARE) return tcsi_onnx_of_two(onnx, "Mul", x, x);
    TCS_ASSERT((size_t)f < TCS_COUNT(ops) && ops[f]);
    return tcsi_onnx_of(onnx, ops[f], x);
}

const tcsi_op tcsi_op_unary = {
    .name = "unary", .traits = TCSI_OP_ROWWISE, .options_size = sizeof(tcsi_unary), .input_min = 1, .input_max = 1, .shape = same_shape,
    .forward = unary_forward, .backward = unary_backward, .onnx = unary_onnx,
};

tcsi_node_id tcsi_nn_unary(tcsi_net *net, tcsi_node_id x, tcsi_unary f)
{
    return tcsi_net_add(net, &tcsi_op_unary, &x, 1, &f);
}

/* ---- factor x ---- */

static void scale_forward(const tcsi_op_call *call)
{
    tcsi_vector_scale(call->isa, value_count(call), *(const float *)call->node->options, call->x[0], call->y);
}

static void scale_backward(const tcsi_op_call *call)
{
    float factor = *(const float *)call->node->options;
    if (!call->dx[0]) return;
    if (call->accumulate[0]) tcsi_vector_axpy(call->isa, value_count(call), factor, call->dy, call->dx[0]);
    else tcsi_vector_scale(call->isa, value_count(call), factor, call->dy, call->dx[0]);
}

static tcsi_onnx_value scale_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    (void)net;
    return tcsi_onnx_of_two(onnx, "Mul", tcsi_onnx_input_of(onnx, node, 0), tcsi_onnx_number(onnx, *(const float *)node->options));
}

const tcsi_op tcsi_op_scale = {
    .name = "scale", .traits = TCSI_OP_ROWWISE, .options_size = sizeof(float), .input_min = 1, .input_max = 1, .shape = same_shape,
    .forward = scale_forward, .backward = scale_backward, .onnx = scale_onnx,
};

tcsi_node_id tcsi_nn_scale(tcsi_net *net, tcsi_node_id x, float factor)
{
    return tcsi_net_add(net, &tcsi_op_scale, &x, 1, &factor);
}

/* ---- x, without a way back ---- */

static void detach_forward(const tcsi_op_call *call)
{
    memcpy(call->y, call->x[0], value_count(call) * sizeof(float));
}

static tcsi_onnx_value detach_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    (void)net;
    return tcsi_onnx_input_of(onnx, node, 0);
}

const tcsi_op tcsi_op_detach = {
    .name = "detach", .traits = TCSI_OP_ROWWISE, .input_min = 1, .input_max = 1, .shape = same_shape, .forward = detach_forward,
    .onnx = detach_onnx,
};

tcsi_node_id tcsi_nn_detach(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_net_add(net, &tcsi_op_detach, &x, 1, NULL);
}

/* 2 x - x, the first without a way back: what is made of it can be trained against what is before it (Y. Ganin, V. Lempitsky, "Unsupervised
 * domain adaptation by backpropagation", ICML 2015, gradient reversal). */
tcsi_node_id tcsi_nn_oppose(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_nn_add(net, tcsi_nn_scale(net, tcsi_nn_detach(net, x), 2), tcsi_nn_scale(net, x, -1));
}
