/* nn/ops/loss_gaussian.c -- losses of a predicted normal distribution, given as channels [mean (C) | log variance (C)]: how unlikely the
 * target is under it, and how far it is from the standard normal.
 *
 * Negative log likelihood of an element (torch.nn.GaussianNLLLoss without its constant log(2 pi) / 2), d = target - mean, v = log variance:
 *     (v + d^2 exp(-v)) / 2                     by the mean  -d exp(-v)              by v  (1 - d^2 exp(-v)) / 2
 * Divergence from the standard normal (D. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR 2014, appendix B):
 *     (mean^2 + exp(v) - 1 - v) / 2             by the mean  mean                    by v  (exp(v) - 1) / 2
 * v is kept within TCSI_NN_LOG_VARIANCE_MIN and _MAX (ops/range.h).  Exponentials are taken for a whole shard at once; sums are in double.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"
#include "nn/ops/range.h"

#include <math.h>

enum { X, TARGET };

static const tcsi_range LOG_VARIANCES = { TCSI_NN_LOG_VARIANCE_MIN, TCSI_NN_LOG_VARIANCE_MAX };

/* (T, C) of the distribution. */
static tcsi_shape form_of(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]);
    return (tcsi_shape){ x.length, x.channels / 2 };
}

static size_t gaussian_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    tcsi_shape form = form_of(net, node);
    return batch * form.length * form.channels;
}

/* scratch (B,T,C) = exp(sign v) */
static void exponentials(const tcsi_op_call *call, tcsi_shape form, float sign)
{
    size_t steps = call->batch * form.length;
    for (size_t s = 0; s < steps; s++) {
        const float *v = call->x[X] + (2 * s + 1) * form.channels;
        for (size_t c = 0; c < form.channels; c++) call->scratch[s * form.channels + c] = sign * tcsi_range_clamp(LOG_VARIANCES, v[c]);
    }
    tcsi_vector_unary(call->isa, TCSI_UNARY_EXP, steps * form.channels, call->scratch, call->scratch);
}

/* The gradient of one element into dx, which stands at its mean. */
static void pass(const tcsi_op_call *call, size_t at, size_t channels, double by_mean, double by_v)
{
    float *dx = call->dx[X] + at;
    float dmean = (float)by_mean, dv = (float)tcsi_range_gradient(LOG_VARIANCES, call->x[X][at + channels], by_v);
    dx[0] = call->accumulate[X] ? dx[0] + dmean : dmean;
    dx[channels] = call->accumulate[X] ? dx[channels] + dv : dv;
}

/* ---- negative log likelihood ---- */

static tcs_status nll_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]), target = tcsi_net_shape(net, node->inputs[TARGET]);
    if (x.length != target.length || x.channels % 2 != 0 || x.channels / 2 != target.channels)
        return tcsi_fail(err, TCS_E_INVALID, "loss_gaussian: %zu steps and %zu channels (mean, log variance), a target of %zu and %zu",
                         x.length, x.channels, target.length, target.channels);
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = 1; /* how many elements counted */
    return TCS_OK;
}

/* y (B,1,1) from x (B,T,2C) and target (B,T,C) */
static void nll_forward(const tcsi_op_call *call)
{
    tcsi_shape form = form_of(call->net, call->node);
    exponentials(call, form, -1);
    for (size_t b = 0; b < call->batch; b++) {
        double sum = 0, used = 0;
        for (size_t s = b * form.length; s < (b + 1) * form.length; s++) {
            const float *mean = call->x[X] + 2 * s * form.channels, *v = mean + form.channels;
            const float *target = call->x[TARGET] + s * form.channels, *precision = call->scratch + s * form.channels;
            for (size_t c = 0; c < form.channels; c++) {
                if (isnan(target[c])) continue;
                double d = (double)target[c] - (double)mean[c];
                sum += ((double)tcsi_range_clamp(LOG_VARIANCES, v[c]) + d * d * (double)precision[c]) / 2;
                used += 1;
            }
        }
        call->y[b] = used > 0 ? (float)(sum / used) : 0;
        call->saved[b] = (float)used;
    }
}

static void nll_backward(const tcsi_op_call *call)
{
    tcsi_shape form = form_of(call->net, call->node);
    if (!call->dx[X]) return;
    exponentials(call, form, -1);
    for (size_t s = 0; s < call->batch * form.length; s++) {
        size_t b = s / form.length;
        const float *target = call->x[TARGET] + s * form.channels, *precision = call->scratch + s * form.channels;
        double factor = call->saved[b] > 0 ? (double)call->dy[b] / (double)call->saved[b] : 0;
        for (size_t c = 0; c < form.channels; c++) {
            size_t at = 2 * s * form.channels + c;
            bool is_known = !isnan(target[c]);
            double d = is_known ? (double)target[c] - (double)call->x[X][at] : 0, p = (double)precision[c];
            pass(call, at, form.channels, -factor * d * p, is_known ? factor * (1 - d * d * p) / 2 : 0);
        }
    }
}

/* The mean, and v within its limits, of x (B,T,2C). */
static tcsi_onnx_value parameters_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx, tcsi_onnx_value *ret_v)
{
    size_t channels = form_of(net, node).channels;
    tcsi_onnx_value x = tcsi_onnx_input_of(onnx, node, X), v = tcsi_onnx_slice(onnx, x, 2, channels, 2 * channels);
    *ret_v = tcsi_onnx_clip(onnx, v, LOG_VARIANCES.low, LOG_VARIANCES.high);
    return tcsi_onnx_slice(onnx, x, 2, 0, channels);
}

static tcsi_onnx_value nll_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_onnx_value target = tcsi_onnx_input_of(onnx, node, TARGET), v, mean = parameters_onnx(net, node, onnx, &v);
    tcsi_onnx_value d = tcsi_onnx_of_two(onnx, "Sub", target, mean), loss = tcsi_onnx_of_two(onnx, "Mul", d, d);
    loss = tcsi_onnx_of_two(onnx, "Mul", loss, tcsi_onnx_of(onnx, "Exp", tcsi_onnx_of(onnx, "Neg", v)));
    loss = tcsi_onnx_of_two(onnx, "Add", v, loss);
    loss = tcsi_onnx_of_two(onnx, "Mul", loss, tcsi_onnx_number(onnx, 0.5f));
    return tcsi_onnx_mean_known(onnx, loss, target);
}

const tcsi_op tcsi_op_loss_gaussian = {
    .name = "loss_gaussian", .traits = TCSI_OP_LOSS, .input_min = 2, .input_max = 2, .stops = 1 << TARGET, .shape = nll_shape,
    .forward = nll_forward, .backward = nll_backward, .scratch_count = gaussian_scratch, .onnx = nll_onnx,
};

tcsi_node_id tcsi_nn_loss_gaussian(tcsi_net *net, tcsi_node_id x, tcsi_node_id target)
{
    return tcsi_net_add(net, &tcsi_op_loss_gaussian, (tcsi_node_id[]){ x, target }, 2, NULL);
}

/* ---- divergence from the standard normal ---- */

static tcs_status divergence_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]);
    node->shape = (tcsi_shape){ 1, 1 };
    if (x.channels % 2 == 0) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "loss_divergence: needs channels [mean | log variance], an even number, got %zu", x.channels);
}

/* y (B,1,1) from x (B,T,2C) */
static void divergence_forward(const tcsi_op_call *call)
{
    tcsi_shape form = form_of(call->net, call->node);
    exponentials(call, form, 1);
    for (size_t b = 0; b < call->batch; b++) {
        double sum = 0;
        for (size_t s = b * form.length; s < (b + 1) * form.length; s++) {
            const float *mean = call->x[X] + 2 * s * form.channels, *variance = call->scratch + s * form.channels;
            for (size_t c = 0; c < form.channels; c++) {
                double m = (double)mean[c], v = (double)tcsi_range_clamp(LOG_VARIANCES, mean[form.channels + c]);
                sum += (m * m + (double)variance[c] - 1 - v) / 2;
            }
        }
        call->y[b] = (float)sum;
    }
}

static void divergence_backward(const tcsi_op_call *call)
{
    tcsi_shape form = form_of(call->net, call->node);
    if (!call->dx[X]) return;
    exponentials(call, form, 1);
    for (size_t s = 0; s < call->batch * form.length; s++) {
        double factor = (double)call->dy[s / form.length];
        for (size_t c = 0; c < form.channels; c++) {
            size_t at = 2 * s * form.channels + c;
            double variance = (double)call->scratch[s * form.channels + c];
            pass(call, at, form.channels, factor * (double)call->x[X][at], factor * (variance - 1) / 2);
        }
    }
}

static tcsi_onnx_value divergence_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_onnx_value v, mean = parameters_onnx(net, node, onnx, &v), loss = tcsi_onnx_of_two(onnx, "Mul", mean, mean);
    loss = tcsi_onnx_of_two(onnx, "Add", loss, tcsi_onnx_of(onnx, "Exp", v));
    loss = tcsi_onnx_of_two(onnx, "Sub", loss, v);
    loss = tcsi_onnx_of_two(onnx, "Sub", loss, tcsi_onnx_number(onnx, 1));
    loss = tcsi_onnx_of_two(onnx, "Mul", loss, tcsi_onnx_number(onnx, 0.5f));
    return tcsi_onnx_row_sum(onnx, loss);
}

const tcsi_op tcsi_op_loss_divergence = {
    .name = "loss_divergence", .traits = TCSI_OP_LOSS, .input_min = 1, .input_max = 1, .shape = divergence_shape,
    .forward = divergence_forward, .backward = divergence_backward, .scratch_count = gaussian_scratch, .onnx = divergence_onnx,
};

tcsi_node_id tcsi_nn_loss_divergence(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_net_add(net, &tcsi_op_loss_divergence, &x, 1, NULL);
}
