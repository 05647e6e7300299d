/* nn/ops/loss_sum.c -- several losses as one: coefficient times loss, added up.  A loss with coefficient 0 is left out, whatever its value.
 * SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <math.h>
#include <string.h>

typedef struct sum_options {
    float coefficients[TCSI_INPUT_MAX];
} sum_options;

static tcs_status sum_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const sum_options *options = node->options;
    for (size_t i = 0; i < node->input_count; i++) {
        tcsi_shape loss = tcsi_net_shape(net, node->inputs[i]);
        if (loss.length != 1 || loss.channels != 1)
            return tcsi_fail(err, TCS_E_INVALID, "loss_sum: input %zu has %zu steps and %zu channels, expected one value a row", i,
                             loss.length, loss.channels);
        if (!isfinite(options->coefficients[i]))
            return tcsi_fail(err, TCS_E_INVALID, "loss_sum: coefficient %zu is not finite", i);
    }
    node->shape = (tcsi_shape){ 1, 1 };
    return TCS_OK;
}

/* y (B,1,1) from losses (B,1,1) */
static void sum_forward(const tcsi_op_call *call)
{
    const sum_options *options = call->node->options;
    for (size_t b = 0; b < call->batch; b++) {
        double sum = 0;
        for (size_t i = 0; i < call->node->input_count; i++)
            if (options->coefficients[i] != 0) sum += (double)options->coefficients[i] * (double)call->x[i][b];
        call->y[b] = (float)sum;
    }
}

static void sum_backward(const tcsi_op_call *call)
{
    const sum_options *options = call->node->options;
    for (size_t i = 0; i < call->node->input_count; i++)
        for (size_t b = 0; b < call->batch && call->dx[i]; b++) {
            float gradient = options->coefficients[i] * call->dy[b];
            call->dx[i][b] = call->accumulate[i] ? call->dx[i][b] + gradient : gradient;
        }
}

static tcsi_onnx_value sum_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const sum_options *options = node->options;
    tcsi_onnx_value sum = { 0 };
    (void)net;
    for (size_t i = 0; i < node->input_count; i++) {
        if (options->coefficients[i] == 0) continue;
        tcsi_onnx_value part = tcsi_onnx_input_of(onnx, node, i);
        part = tcsi_onnx_of_two(onnx, "Mul", part, tcsi_onnx_number(onnx, options->coefficients[i]));
        sum = sum.id ? tcsi_onnx_of_two(onnx, "Add", sum, part) : part;
    }
    return sum.id ? sum : tcsi_onnx_refuse(onnx, node, "all its coefficients are 0");
}

const tcsi_op tcsi_op_loss_sum = {
    .name = "loss_sum", .traits = TCSI_OP_LOSS, .options_size = sizeof(sum_options), .input_min = 1, .input_max = TCSI_INPUT_MAX,
    .shape = sum_shape, .forward = sum_forward, .backward = sum_backward, .onnx = sum_onnx,
};

tcsi_node_id tcsi_nn_loss_sum(tcsi_net *net, const tcsi_node_id *losses, const float *coefficients, size_t count)
{
    sum_options options = { { 0 } };
    if (count > 0 && count <= TCSI_INPUT_MAX) memcpy(options.coefficients, coefficients, count * sizeof *coefficients);
    return tcsi_net_add(net, &tcsi_op_loss_sum, losses, count, &options);
}
