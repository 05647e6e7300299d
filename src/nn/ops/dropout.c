/* nn/ops/dropout.c -- leaves out values at random in runs that draw, and scales the others so that the mean stays.
 * N. Srivastava et al., "Dropout", JMLR 2014, in PyTorch's form: with probability rate 0, otherwise x / (1 - rate).  Scoring may draw
 * as well (Y. Gal, Z. Ghahramani, "Dropout as a Bayesian approximation", ICML 2016): the run's is_stochastic decides, not is_training.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/random.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <string.h>

static tcs_status dropout_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    float rate = *(const float *)node->options;
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    node->saved_count = node->shape.length * node->shape.channels; /* the mask */
    if (rate >= 0 && rate < 1) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "dropout: needs a rate in [0, 1), got %g", (double)rate);
}

static void dropout_forward(const tcsi_op_call *call)
{
    size_t row = call->length * call->node->shape.channels, count = call->batch * row, drawn = (row + 3) / 4 * 4;
    if (!call->is_stochastic) {
        memcpy(call->y, call->x[0], count * sizeof(float));
        return;
    }
    for (size_t b = 0; b < call->batch; b++) {
        tcsi_random_span span = { call->seed, tcsi_op_stream(call, tcsi_op_node_id(call)), (call->row_begin + b) * drawn, row };
        tcsi_random_dropout(call->isa, &span, *(const float *)call->node->options, call->saved + b * row);
    }
    tcsi_vector_multiply(call->isa, count, call->x[0], call->saved, false, call->y);
}

static void dropout_backward(const tcsi_op_call *call)
{
    size_t count = call->batch * call->length * call->node->shape.channels;
    if (!call->is_stochastic) tcsi_op_pass(call, 0, call->dy, count);
    else if (call->dx[0]) tcsi_vector_multiply(call->isa, count, call->dy, call->saved, call->accumulate[0], call->dx[0]);
}

static double dropout_cost(const tcsi_net *net, const tcsi_node *node)
{
    (void)net;
    return 10 * (double)node->shape.length * (double)node->shape.channels; /* a random number is ten rounds */
}

const tcsi_op tcsi_op_dropout = {
    .name = "dropout", .traits = TCSI_OP_ROWWISE | TCSI_OP_RANDOM, .options_size = sizeof(float), .input_min = 1, .input_max = 1,
    .shape = dropout_shape, .forward = dropout_forward, .backward = dropout_backward, .cost = dropout_cost,
};

tcsi_node_id tcsi_nn_dropout(tcsi_net *net, tcsi_node_id x, float rate)
{
    return tcsi_net_add(net, &tcsi_op_dropout, &x, 1, &rate);
}
