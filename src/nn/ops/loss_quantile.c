/* nn/ops/loss_quantile.c -- pinball loss: makes each of several outputs a quantile of the target.
 *
 * R. Koenker, G. Bassett, "Regression quantiles", Econometrica 1978: for a level q and d = target - y an element costs q d above the
 * prediction and (q - 1) d below it; the expectation is least where y is the q quantile.  Mean over elements and levels.
 * y has channels [first level (C) | second level (C) | ...].  SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <math.h>

enum { Y, TARGET };

static tcs_status quantile_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_quantiles *quantiles = node->options;
    tcsi_shape y = tcsi_net_shape(net, node->inputs[Y]), target = tcsi_net_shape(net, node->inputs[TARGET]);
    if (quantiles->count == 0 || quantiles->count > TCSI_QUANTILE_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "loss_quantile: needs 1 to %d levels, got %zu", TCSI_QUANTILE_MAX, quantiles->count);
    for (size_t q = 0; q < quantiles->count; q++)
        if (!(quantiles->levels[q] > 0 && quantiles->levels[q] < 1))
            return tcsi_fail(err, TCS_E_INVALID, "loss_quantile: needs levels above 0 and below 1, got %g", (double)quantiles->levels[q]);
    if (y.length != target.length || y.channels % quantiles->count != 0 || y.channels / quantiles->count != target.channels)
        return tcsi_fail(err, TCS_E_INVALID, "loss_quantile: %zu steps and %zu channels, %zu for each of a target of %zu and %zu", y.length,
                         y.channels, quantiles->count, target.length, target.channels);
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = 1; /* how many targets counted, times levels */
    return TCS_OK;
}

/* y (B,1,1) from y (B,T,QC) and target (B,T,C) */
static void quantile_forward(const tcsi_op_call *call)
{
    const tcsi_quantiles *quantiles = call->node->options;
    tcsi_shape form = tcsi_net_shape(call->net, call->node->inputs[TARGET]);
    for (size_t b = 0; b < call->batch; b++) {
        const float *y = call->x[Y] + b * form.length * quantiles->count * form.channels;
        double sum = 0, used = 0;
        for (size_t s = b * form.length; s < (b + 1) * form.length; s++)
            for (size_t q = 0; q < quantiles->count; q++, y += form.channels)
                for (size_t c = 0; c < form.channels; c++) {
                    double d = (double)call->x[TARGET][s * form.channels + c] - (double)y[c], level = (double)quantiles->levels[q];
                    if (isnan(call->x[TARGET][s * form.channels + c])) continue;
                    sum += d > 0 ? level * d : (level - 1) * d;
                    used += 1;
                }
        call->y[b] = used > 0 ? (float)(sum / used) : 0;
        call->saved[b] = (float)used;
    }
}

/* By y: -q above, 1 - q below, 0 on the target. */
static void quantile_backward(const tcsi_op_call *call)
{
    const tcsi_quantiles *quantiles = call->node->options;
    tcsi_shape form = tcsi_net_shape(call->net, call->node->inputs[TARGET]);
    const float *y = call->x[Y];
    float *dx = call->dx[Y];
    if (!dx) return;
    for (size_t s = 0; s < call->batch * form.length; s++) {
        size_t b = s / form.length;
        const float *target = call->x[TARGET] + s * form.channels;
        float factor = call->saved[b] > 0 ? call->dy[b] / call->saved[b] : 0;
        for (size_t q = 0; q < quantiles->count; q++, y += form.channels, dx += form.channels)
            for (size_t c = 0; c < form.channels; c++) {
                float level = quantiles->levels[q], slope = target[c] > y[c] ? -level : target[c] < y[c] ? 1 - level : 0;
                dx[c] = call->accumulate[Y] ? dx[c] + factor * slope : factor * slope;
            }
    }
}

/* ---- ONNX ---- */

/* (B,T,C) at every level, (B,T,QC) */
static tcsi_onnx_value at_every_level(tcsi_onnx *onnx, tcsi_onnx_value target, tcsi_shape form, size_t count)
{
    const int64_t levels[] = { 1, 1, (int64_t)count, 1 };
    target = tcsi_onnx_reshape(onnx, target, (size_t[]){ 0, form.length, 1, form.channels }, 4);
    target = tcsi_onnx_of_two(onnx, "Expand", target, tcsi_onnx_integers(onnx, levels, 4));
    return tcsi_onnx_reshape(onnx, target, (size_t[]){ 0, form.length, count * form.channels }, 3);
}

/* d (level - less), each channel with its own level (QC) */
static tcsi_onnx_value tilted_onnx(const tcsi_quantiles *quantiles, size_t channels, tcsi_onnx *onnx, tcsi_onnx_value d, float less)
{
    const size_t count = quantiles->count * channels;
    float *slopes = tcsi_onnx_scratch(onnx, count);
    for (size_t i = 0; i < count && slopes; i++) slopes[i] = quantiles->levels[i / channels] - less;
    return tcsi_onnx_of_two(onnx, "Mul", d, tcsi_onnx_floats(onnx, slopes, &count, 1));
}

/* The larger of level d and (level - 1) d. */
static tcsi_onnx_value quantile_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const tcsi_quantiles *quantiles = node->options;
    tcsi_shape form = tcsi_net_shape(net, node->inputs[TARGET]);
    tcsi_onnx_value target = at_every_level(onnx, tcsi_onnx_input_of(onnx, node, TARGET), form, quantiles->count);
    tcsi_onnx_value d = tcsi_onnx_of_two(onnx, "Sub", target, tcsi_onnx_input_of(onnx, node, Y));
    tcsi_onnx_value above = tilted_onnx(quantiles, form.channels, onnx, d, 0), below = tilted_onnx(quantiles, form.channels, onnx, d, 1);
    return tcsi_onnx_mean_known(onnx, tcsi_onnx_of_two(onnx, "Max", above, below), target);
}

const tcsi_op tcsi_op_loss_quantile = {
    .name = "loss_quantile", .traits = TCSI_OP_LOSS, .options_size = sizeof(tcsi_quantiles), .input_min = 2, .input_max = 2,
    .stops = 1 << TARGET, .shape = quantile_shape, .forward = quantile_forward, .backward = quantile_backward, .onnx = quantile_onnx,
};

tcsi_node_id tcsi_nn_loss_quantile(tcsi_net *net, tcsi_node_id y, tcsi_node_id target, const tcsi_quantiles *quantiles)
{
    return tcsi_net_add(net, &tcsi_op_loss_quantile, (tcsi_node_id[]){ y, target }, 2, quantiles);
}
