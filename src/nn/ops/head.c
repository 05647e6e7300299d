/* nn/ops/head.c -- last layers that predict a distribution: a dense layer, and behind it whatever makes its outputs valid parameters.
 *
 * Channels come in blocks of C, the number of what is predicted; the first block passes as it is:
 *     Gaussian   [mean | log variance]: the raw value kept in range (ops/range.h), or log(softplus(raw) + the least variance)
 *     Student    [location | scale = softplus(raw) + the least scale | degrees of freedom = 2 + softplus(raw)]: above 2 the variance exists
 *     quantiles  [first | first + softplus(raw) | that + softplus(raw) | ...]: quantiles that cannot cross
 * Each step by itself: streams.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"
#include "nn/ops/range.h"

#include <math.h>
#include <string.h>

typedef enum head_kind { GAUSSIAN_CLAMPED, GAUSSIAN_SOFTPLUS, STUDENT, QUANTILES } head_kind;

typedef struct head_options {
    head_kind kind;
    size_t units; /* C */
} head_options;

static const tcsi_range LOG_VARIANCES = { TCSI_NN_LOG_VARIANCE_MIN, TCSI_NN_LOG_VARIANCE_MAX };
static const float DEGREES_FROM = 2;

static tcs_status head_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    (void)err;
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    return TCS_OK;
}

/* Channels behind the first block. */
static size_t rest_of(const tcsi_node *node)
{
    const head_options *options = node->options;
    return node->shape.channels - options->units;
}

/* (B,T,rest), twice */
static size_t head_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    return 2 * batch * node->shape.length * rest_of(node);
}

/* out (B,T,rest) = f(factor * what stands behind the first block of values (B,T,channels)) */
static void gather(const tcsi_op_call *call, const float *values, float factor, tcsi_unary f, float *out)
{
    const head_options *options = call->node->options;
    size_t steps = call->batch * call->length, rest = rest_of(call->node);
    for (size_t s = 0; s < steps; s++)
        tcsi_vector_scale(call->isa, rest, factor, values + s * (options->units + rest) + options->units, out + s * rest);
    tcsi_vector_unary(call->isa, f, steps * rest, out, out);
}

/* y = parameters from x, both (B,T,channels) */
static void head_forward(const tcsi_op_call *call)
{
    const head_options *options = call->node->options;
    size_t units = options->units, rest = rest_of(call->node), channels = units + rest, steps = call->batch * call->length;
    float *soft = call->scratch;
    if (options->kind != GAUSSIAN_CLAMPED) gather(call, call->x[0], 1, TCSI_UNARY_SOFTPLUS, soft);
    if (options->kind == GAUSSIAN_SOFTPLUS) {
        for (size_t i = 0; i < steps * rest; i++) soft[i] += TCSI_NN_SCALE_MIN * TCSI_NN_SCALE_MIN;
        tcsi_vector_unary(call->isa, TCSI_UNARY_LOG, steps * rest, soft, soft);
    }
    for (size_t s = 0; s < steps; s++, soft += rest) {
        const float *x = call->x[0] + s * channels;
        float *y = call->y + s * channels;
        memcpy(y, x, units * sizeof *y);
        for (size_t i = 0; i < rest; i++) switch (options->kind) {
            case GAUSSIAN_CLAMPED: y[units + i] = tcsi_range_clamp(LOG_VARIANCES, x[units + i]); break;
            case GAUSSIAN_SOFTPLUS: y[units + i] = soft[i]; break;
            case STUDENT: y[units + i] = soft[i] + (i < units ? TCSI_NN_SCALE_MIN : DEGREES_FROM); break;
            case QUANTILES: y[units + i] = y[i] + soft[i]; break;
            }
    }
}

static void head_backward(const tcsi_op_call *call)
{
    const head_options *options = call->node->options;
    size_t units = options->units, rest = rest_of(call->node), channels = units + rest, steps = call->batch * call->length;
    float *slope = call->scratch, *precision = slope + steps * rest;
    if (!call->dx[0]) return;
    if (options->kind != GAUSSIAN_CLAMPED) gather(call, call->x[0], 1, TCSI_UNARY_SIGMOID, slope);
    if (options->kind == GAUSSIAN_SOFTPLUS) { /* slope of log(v) is 1 / v = exp(-y) */
        gather(call, call->y, -1, TCSI_UNARY_EXP, precision);
        tcsi_vector_multiply(call->isa, steps * rest, slope, precision, false, slope);
    }
    for (size_t s = 0; s < steps; s++, slope += rest) {
        const float *x = call->x[0] + s * channels;
        float *dy = call->dy + s * channels;
        for (size_t i = rest; i-- > 0 && options->kind == QUANTILES;) dy[i] += dy[units + i]; /* a step lifts all above it */
        for (size_t i = 0; i < rest; i++) {
            float *own = &dy[units + i], raw = x[units + i];
            *own = options->kind == GAUSSIAN_CLAMPED ? (float)tcsi_range_gradient(LOG_VARIANCES, raw, (double)*own) : *own * slope[i];
        }
    }
    tcsi_op_pass(call, 0, call->dy, steps * channels);
}

/* ---- ONNX ---- */

/* What is added to softplus(raw) of scales, and of degrees of freedom behind them. */
static tcsi_onnx_value least_onnx(const tcsi_node *node, tcsi_onnx *onnx)
{
    const head_options *options = node->options;
    size_t rest = rest_of(node);
    float *least = tcsi_onnx_scratch(onnx, rest);
    for (size_t i = 0; i < rest && least; i++) least[i] = i < options->units ? TCSI_NN_SCALE_MIN : DEGREES_FROM;
    return tcsi_onnx_floats(onnx, least, &rest, 1);
}

/* first + running sums of steps (B,T,rest) over the blocks of C */
static tcsi_onnx_value stairs_onnx(const tcsi_node *node, tcsi_onnx *onnx, tcsi_onnx_value first, tcsi_onnx_value steps)
{
    const head_options *options = node->options;
    const size_t length = node->shape.length, blocks = rest_of(node) / options->units;
    steps = tcsi_onnx_reshape(onnx, steps, (size_t[]){ 0, length, blocks, options->units }, 4);
    steps = tcsi_onnx_of_two(onnx, "CumSum", steps, tcsi_onnx_integers(onnx, (const int64_t[]){ 2 }, 1));
    first = tcsi_onnx_reshape(onnx, first, (size_t[]){ 0, length, 1, options->units }, 4);
    return tcsi_onnx_reshape(onnx, tcsi_onnx_of_two(onnx, "Add", steps, first), (size_t[]){ 0, length, rest_of(node) }, 3);
}

static tcsi_onnx_value head_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const head_options *options = node->options;
    tcsi_onnx_value x = tcsi_onnx_input_of(onnx, node, 0), first, rest;
    (void)net;
    if (rest_of(node) == 0) return x;
    first = tcsi_onnx_slice(onnx, x, 2, 0, options->units);
    rest = tcsi_onnx_slice(onnx, x, 2, options->units, node->shape.channels);
    if (options->kind != GAUSSIAN_CLAMPED) rest = tcsi_onnx_of(onnx, "Softplus", rest);
    switch (options->kind) {
    case GAUSSIAN_CLAMPED: rest = tcsi_onnx_clip(onnx, rest, LOG_VARIANCES.low, LOG_VARIANCES.high); break;
    case GAUSSIAN_SOFTPLUS:
        rest = tcsi_onnx_of_two(onnx, "Add", rest, tcsi_onnx_number(onnx, TCSI_NN_SCALE_MIN * TCSI_NN_SCALE_MIN));
        rest = tcsi_onnx_of(onnx, "Log", rest);
        break;
    case STUDENT: rest = tcsi_onnx_of_two(onnx, "Add", rest, least_onnx(node, onnx)); break;
    case QUANTILES: rest = stairs_onnx(node, onnx, first, rest); break;
    }
    return tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Concat", { first, rest }, { TCSI_ONNX_INTEGER("axis", 2) } });
}

const tcsi_op tcsi_op_head = {
    .name = "head", .traits = TCSI_OP_ROWWISE, .options_size = sizeof(head_options), .input_min = 1, .input_max = 1, .shape = head_shape,
    .forward = head_forward, .backward = head_backward, .scratch_count = head_scratch, .onnx = head_onnx,
};

/* A dense layer of `blocks` blocks of units, and a head behind it. */
static tcsi_node_id add_head(tcsi_net *net, tcsi_node_id x, head_kind kind, size_t units, size_t blocks)
{
    size_t total;
    if (!tcsi_multiply(units, blocks, &total)) total = 0; /* refused by the dense layer, as 0 units are */
    tcsi_node_id raw = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = total });
    return tcsi_net_add(net, &tcsi_op_head, &raw, 1, &(head_options){ kind, units });
}

tcsi_node_id tcsi_nn_gaussian_head(tcsi_net *net, tcsi_node_id x, const tcsi_gaussian_head_options *options)
{
    return add_head(net, x, options->is_softplus ? GAUSSIAN_SOFTPLUS : GAUSSIAN_CLAMPED, options->units, 2);
}

tcsi_node_id tcsi_nn_student_head(tcsi_net *net, tcsi_node_id x, const tcsi_student_head_options *options)
{
    return add_head(net, x, STUDENT, options->units, options->learns_degrees ? 3 : 2);
}

tcsi_node_id tcsi_nn_quantile_head(tcsi_net *net, tcsi_node_id x, const tcsi_quantile_head_options *options)
{
    return add_head(net, x, QUANTILES, options->units, options->quantile_count);
}
