/* nn/ops/binary.c -- the sum and the product of two inputs of one shape, element by element.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

static tcs_status pair_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape a = tcsi_net_shape(net, node->inputs[0]), b = tcsi_net_shape(net, node->inputs[1]);
    if (a.length != b.length || a.channels != b.channels)
        return tcsi_fail(err, TCS_E_INVALID, "%s: %zu steps and %zu channels with %zu and %zu, expected the same", node->op->name, a.length,
                         a.channels, b.length, b.channels);
    node->shape = a;
    return TCS_OK;
}

static size_t value_count(const tcsi_op_call *call)
{
    return call->batch * call->length * call->node->shape.channels;
}

static void add_forward(const tcsi_op_call *call)
{
    tcsi_vector_add(call->isa, value_count(call), call->x[0], call->x[1], call->y);
}

static void add_backward(const tcsi_op_call *call)
{
    for (size_t i = 0; i < 2; i++) tcsi_op_pass(call, i, call->dy, value_count(call));
}

static void multiply_forward(const tcsi_op_call *call)
{
    tcsi_vector_multiply(call->isa, value_count(call), call->x[0], call->x[1], false, call->y);
}

static void multiply_backward(const tcsi_op_call *call)
{
    for (size_t i = 0; i < 2; i++)
        if (call->dx[i]) tcsi_vector_multiply(call->isa, value_count(call), call->dy, call->x[1 - i], call->accumulate[i], call->dx[i]);
}

const tcsi_op tcsi_op_add = {
    .name = "add", .traits = TCSI_OP_ROWWISE, .input_min = 2, .input_max = 2, .shape = pair_shape,
    .forward = add_forward, .backward = add_backward,
};

const tcsi_op tcsi_op_multiply = {
    .name = "multiply", .traits = TCSI_OP_ROWWISE, .input_min = 2, .input_max = 2, .shape = pair_shape,
    .forward = multiply_forward, .backward = multiply_backward,
};

tcsi_node_id tcsi_nn_add(tcsi_net *net, tcsi_node_id a, tcsi_node_id b)
{
    return tcsi_net_add(net, &tcsi_op_add, (tcsi_node_id[]){ a, b }, 2, NULL);
}

tcsi_node_id tcsi_nn_multiply(tcsi_net *net, tcsi_node_id a, tcsi_node_id b)
{
    return tcsi_net_add(net, &tcsi_op_multiply, (tcsi_node_id[]){ a, b }, 2, NULL);
}
