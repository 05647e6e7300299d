/* nn/ops/recurrent.c -- LSTM and GRU over the steps of a sequence, all hidden states out (kernels/recurrent.h).
 * S. Hochreiter, J. Schmidhuber, "Long short-term memory", 1997; K. Cho et al., "Learning phrase representations using RNN
 * encoder-decoder", 2014; both in PyTorch's form, with its two biases and first values.  Every sequence begins from zeros.
 *
 * Saved of a row: kernels/recurrent.h's gates.  Streaming: hidden state and cell are carried.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "kernels/recurrent.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <string.h>

enum { WEIGHT_INPUT, WEIGHT_HIDDEN, BIAS_INPUT, BIAS_HIDDEN };

static tcsi_recurrent recurrent_of(const tcsi_net *net, const tcsi_node *node, size_t length)
{
    bool is_gru = node->op == &tcsi_op_gru;
    return (tcsi_recurrent){ .kind = is_gru ? TCSI_RECURRENT_GRU : TCSI_RECURRENT_LSTM, .length = length,
                             .channels_in = tcsi_net_shape(net, node->inputs[0]).channels, .hidden = *(const size_t *)node->options };
}

static size_t gate_count(const tcsi_node *node)
{
    return node->op == &tcsi_op_gru ? 3 : 4;
}

static tcs_status recurrent_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    size_t hidden = *(const size_t *)node->options, gates, saved;
    if (hidden == 0 || hidden > TCSI_NET_FLOATS_MAX || !tcsi_multiply(x.length, 8 * hidden, &saved) || saved > TCSI_NET_FLOATS_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "%s: %zu hidden units over %zu steps, expected 1 or more and %zu numbers at most",
                         node->op->name, hidden, x.length, TCSI_NET_FLOATS_MAX);
    gates = gate_count(node) * hidden;
    node->shape = (tcsi_shape){ x.length, hidden };
    tcsi_recurrent recurrent = recurrent_of(net, node, x.length);
    node->saved_count = tcsi_recurrent_saved_count(&recurrent);
    tcsi_weight weights[] = {
        { .name = "weight_input", .dims = { x.channels, gates }, .dim_count = 2, .decays = true },
        { .name = "weight_hidden", .dims = { hidden, gates }, .dim_count = 2, .decays = true },
        { .name = "bias_input", .dims = { gates }, .dim_count = 1 },
        { .name = "bias_hidden", .dims = { gates }, .dim_count = 1 },
    };
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < TCS_COUNT(weights) && status == TCS_OK; i++) {
        weights[i].start = TCSI_START_UNIFORM;
        weights[i].fan_in = hidden;
        status = tcsi_net_weight(net, node, &weights[i], err);
    }
    return status;
}

static tcsi_recurrent_weights weights_of(const tcsi_op_call *call)
{
    return (tcsi_recurrent_weights){ call->w[WEIGHT_INPUT], call->w[WEIGHT_HIDDEN], call->w[BIAS_INPUT], call->w[BIAS_HIDDEN] };
}

/* y (B,T,H) from x (B,T,C) */
static void recurrent_forward(const tcsi_op_call *call)
{
    tcsi_recurrent recurrent = recurrent_of(call->net, call->node, call->length);
    tcsi_recurrent_weights weights = weights_of(call);
    tcsi_recurrent_forward(call->isa, &recurrent, call->batch, call->x[0], &weights, NULL, NULL, call->y, call->saved, call->scratch);
}

/* The kernel's own work space, and room for gradients of weights that nobody wants: all four are wanted or none is. */
static size_t recurrent_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    tcsi_recurrent recurrent = recurrent_of(net, node, node->shape.length);
    size_t gates = gate_count(node) * recurrent.hidden;
    return tcsi_recurrent_scratch_count(&recurrent, batch) + gates * (recurrent.channels_in + recurrent.hidden + 2);
}

static void recurrent_backward(const tcsi_op_call *call)
{
    tcsi_recurrent recurrent = recurrent_of(call->net, call->node, call->length);
    recurrent.precision = call->precision;
    tcsi_recurrent_weights weights = weights_of(call);
    size_t gates = gate_count(call->node) * recurrent.hidden;
    float *unwanted = call->scratch + tcsi_recurrent_scratch_count(&recurrent, call->batch);
    tcsi_recurrent_gradients gradients = { call->dw[WEIGHT_INPUT], call->dw[WEIGHT_HIDDEN], call->dw[BIAS_INPUT], call->dw[BIAS_HIDDEN] };
    if (!call->dw[WEIGHT_INPUT]) {
        gradients.w_input = unwanted;
        gradients.w_hidden = gradients.w_input + recurrent.channels_in * gates;
        gradients.bias_input = gradients.w_hidden + recurrent.hidden * gates;
        gradients.bias_hidden = gradients.bias_input + gates;
    }
    tcsi_recurrent_backward(call->isa, &recurrent, call->batch, call->x[0], &weights, call->y, call->saved, call->dy, call->accumulate[0],
                            call->dx[0], &gradients, call->scratch);
}

static double recurrent_cost(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_recurrent recurrent = recurrent_of(net, node, node->shape.length);
    return (double)recurrent.length * (double)(gate_count(node) * recurrent.hidden) * (double)(recurrent.channels_in + recurrent.hidden);
}

/* ---- streaming ---- */

static size_t recurrent_carried(const tcsi_net *net, const tcsi_node *node)
{
    (void)net;
    return 2 * node->shape.channels; /* hidden state and cell */
}

static void recurrent_step(const tcsi_op_call *call)
{
    tcsi_recurrent recurrent = recurrent_of(call->net, call->node, 1);
    tcsi_recurrent_weights weights = weights_of(call);
    tcsi_recurrent_forward(call->isa, &recurrent, 1, call->x[0], &weights, call->carried, call->carried + recurrent.hidden, call->y, NULL,
                           call->scratch);
}

/* ---- ONNX: (T,B,C), weights (1,G H,C) and (1,G H,H), both biases in one (1,2 G H), gates i, o, f, g or z, r, n ---- */

static size_t our_gate(const tcsi_node *node, size_t gate)
{
    static const size_t of_lstm[] = { 0, 3, 1, 2 }, of_gru[] = { 1, 0, 2 };
    return node->op == &tcsi_op_gru ? of_gru[gate] : of_lstm[gate];
}

static tcsi_onnx_value matrix_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx, size_t i)
{
    const tcsi_weight *weight = &net->tensors[node->weights[i]];
    size_t rows = weight->dims[0], columns = weight->dims[1], hidden = node->shape.channels;
    const float *w = tcsi_net_values(net, weight);
    float *moved = tcsi_onnx_scratch(onnx, weight->count);
    for (size_t g = 0; g < gate_count(node) && moved; g++)
        for (size_t h = 0; h < hidden; h++)
            for (size_t r = 0; r < rows; r++) moved[(g * hidden + h) * rows + r] = w[r * columns + our_gate(node, g) * hidden + h];
    return tcsi_onnx_weight_as(onnx, node, i, moved, (size_t[]){ 1, columns, rows }, 3);
}

static tcsi_onnx_value biases_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    size_t hidden = node->shape.channels, columns = gate_count(node) * hidden;
    float *moved = tcsi_onnx_scratch(onnx, 2 * columns);
    for (size_t i = 0; i < 2 && moved; i++) {
        const float *bias = tcsi_net_values(net, &net->tensors[node->weights[BIAS_INPUT + i]]);
        for (size_t g = 0; g < gate_count(node); g++)
            memcpy(moved + i * columns + g * hidden, bias + our_gate(node, g) * hidden, hidden * sizeof *moved);
    }
    return tcsi_onnx_weight_as(onnx, node, BIAS_INPUT, moved, (size_t[]){ 1, 2 * columns }, 2);
}

/* (B,T,C) to (T,B,C) and back. */
static tcsi_onnx_value turn_onnx(tcsi_onnx *onnx, tcsi_onnx_value x)
{
    return tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Transpose", { x }, { TCSI_ONNX_INTEGERS("perm", 1, 0, 2) } });
}

static tcsi_onnx_value recurrent_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    bool is_gru = node->op == &tcsi_op_gru;
    tcsi_onnx_call call = { is_gru ? "GRU" : "LSTM", .attributes = { TCSI_ONNX_INTEGER("hidden_size", node->shape.channels) } };
    if (is_gru) call.attributes[1] = (tcsi_onnx_attribute)TCSI_ONNX_INTEGER("linear_before_reset", 1); /* bias_hidden inside the product */
    call.inputs[0] = turn_onnx(onnx, tcsi_onnx_input_of(onnx, node, 0));
    call.inputs[1] = matrix_onnx(net, node, onnx, WEIGHT_INPUT);
    call.inputs[2] = matrix_onnx(net, node, onnx, WEIGHT_HIDDEN);
    call.inputs[3] = biases_onnx(net, node, onnx);
    tcsi_onnx_value y = tcsi_onnx_add(onnx, &call); /* (T,1,B,H): one direction */
    return turn_onnx(onnx, tcsi_onnx_of_two(onnx, "Squeeze", y, tcsi_onnx_integers(onnx, (const int64_t[]){ 1 }, 1)));
}

const tcsi_op tcsi_op_lstm = {
    .name = "lstm", .options_size = sizeof(size_t), .input_min = 1, .input_max = 1, .shape = recurrent_shape, .forward = recurrent_forward,
    .backward = recurrent_backward, .cost = recurrent_cost, .scratch_count = recurrent_scratch, .step = recurrent_step,
    .carried_count = recurrent_carried, .onnx = recurrent_onnx,
};

const tcsi_op tcsi_op_gru = {
    .name = "gru", .options_size = sizeof(size_t), .input_min = 1, .input_max = 1, .shape = recurrent_shape, .forward = recurrent_forward,
    .backward = recurrent_backward, .cost = recurrent_cost, .scratch_count = recurrent_scratch, .step = recurrent_step,
    .carried_count = recurrent_carried, .onnx = recurrent_onnx,
};

tcsi_node_id tcsi_nn_lstm(tcsi_net *net, tcsi_node_id x, size_t hidden)
{
    return tcsi_net_add(net, &tcsi_op_lstm, &x, 1, &hidden);
}

tcsi_node_id tcsi_nn_gru(tcsi_net *net, tcsi_node_id x, size_t hidden)
{
    return tcsi_net_add(net, &tcsi_op_gru, &x, 1, &hidden);
}
