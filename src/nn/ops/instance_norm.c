/* nn/ops/instance_norm.c -- a window by its own mean and deviation, and what came of it back to its scale.
 * T. Kim et al., "Reversible instance normalization for accurate time-series forecasting against distribution shift", ICLR 2022,
 * equations 2 and 3, with the published code's epsilon (1e-5, under the root and, squared, beside the gain).
 *
 *     statistics (B,2,C): mean and sqrt(variance + epsilon) of each channel over the steps; detached: no gradient passes
 *     norm        y = (x - mean) / deviation * gain + shift
 *     denorm      y = (x - shift) / (gain + epsilon^2) * deviation + mean
 *
 * The two are one formula, ((x - centre) * inverse) * factor + offset, with the roles of statistics and weights exchanged; so both run
 * on batch norm's kernels, row by row.  Streaming: refused, as the statistics need the whole window.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/norm.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>
#include <string.h>

enum { GAIN, SHIFT };
enum { X, STATISTICS };


static const double EPSILON = 1e-5;

/* ---- statistics ---- */

static tcs_status statistics_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    (void)err;
    node->shape = (tcsi_shape){ 2, tcsi_net_shape(net, node->inputs[0]).channels };
    return TCS_OK;
}

static size_t statistics_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)batch;
    return 2 * 2 * node->shape.channels; /* doubles (C,2) */
}

/* y (B,2,C) from x (B,T,C) */
static void statistics_forward(const tcsi_op_call *call)
{
    tcsi_shape x = tcsi_net_shape(call->net, call->node->inputs[0]);
    double *sums = (double *)(void *)call->scratch, count = (double)x.length;
    for (size_t b = 0; b < call->batch; b++) {
        const float *row = call->x[0] + b * x.length * x.channels;
        float *mean = call->y + b * 2 * x.channels, *deviation = mean + x.channels;
        tcsi_batch_norm_sums(call->isa, x.length, x.channels, row, row, sums); /* around the first step */
        for (size_t c = 0; c < x.channels; c++) {
            double first = sums[2 * c] / count, variance = (sums[2 * c + 1] - first * sums[2 * c]) / count;
            mean[c] = (float)((double)row[c] + first);
            deviation[c] = (float)sqrt((variance < 0 ? 0 : variance) + EPSILON);
        }
    }
}

static double statistics_cost(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    return 2 * (double)x.length * (double)x.channels;
}

const tcsi_op tcsi_op_instance_statistics = {
    .name = "instance_statistics", .input_min = 1, .input_max = 1, .shape = statistics_shape, .forward = statistics_forward,
    .cost = statistics_cost, .scratch_count = statistics_scratch,
};

/* ---- there and back ---- */

static tcs_status norm_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]), statistics = tcsi_net_shape(net, node->inputs[STATISTICS]);
    if (statistics.length != 2 || statistics.channels != x.channels)
        return tcsi_fail(err, TCS_E_INVALID, "%s: statistics of %zu steps and %zu channels, expected 2 and %zu", node->op->name,
                         statistics.length, statistics.channels, x.channels);
    node->shape = x;
    tcsi_weight gain = { .name = "gain", .dims = { x.channels }, .dim_count = 1, .start = TCSI_START_ONE };
    tcsi_weight shift = { .name = "shift", .dims = { x.channels }, .dim_count = 1, .start = TCSI_START_ZERO };
    tcs_status status = tcsi_net_weight(net, node, &gain, err);
    return status == TCS_OK ? tcsi_net_weight(net, node, &shift, err) : status;
}

/* doubles (C,2), zeros (C,2), an inverse (C) */
static size_t norm_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)batch;
    return (2 * 2 + 2 * 2 + 1) * node->shape.channels;
}

/* The formula's terms for row b; inverse is worked out in place. */
typedef struct terms {
    const float *centre, *factor, *offset;
    float *inverse;
} terms;

static terms terms_of(const tcsi_op_call *call, size_t b)
{
    size_t channels = call->node->shape.channels;
    const float *mean = call->x[STATISTICS] + b * 2 * channels, *deviation = mean + channels;
    const float *gain = call->w[GAIN], *shift = call->w[SHIFT];
    float *inverse = call->scratch + 8 * channels;
    bool is_back = call->node->op == &tcsi_op_instance_denorm;
    for (size_t c = 0; c < channels; c++) inverse[c] = (float)(1 / (is_back ? (double)gain[c] + EPSILON * EPSILON : (double)deviation[c]));
    return is_back ? (terms){ shift, deviation, mean, inverse } : (terms){ mean, gain, shift, inverse };
}

static void norm_forward(const tcsi_op_call *call)
{
    tcsi_shape shape = call->node->shape;
    for (size_t b = 0; b < call->batch; b++) {
        terms at = terms_of(call, b);
        size_t row = b * shape.length * shape.channels;
        tcsi_batch_norm_apply(call->isa, shape.length, shape.channels, call->x[X] + row, at.centre, at.inverse, at.factor, at.offset,
                              call->y + row);
    }
}

/* With s0 = sum of dy and s1 = sum of dy (x - centre) inverse over the steps:
 *     norm     dshift += s0;                             dgain += s1
 *     denorm   dshift -= s0 deviation / (gain + e^2);    dgain -= s1 deviation / (gain + e^2) */
static void backward_weights(const tcsi_op_call *call, const terms *at, const double *sums)
{
    bool is_back = call->node->op == &tcsi_op_instance_denorm;
    for (size_t c = 0; c < call->node->shape.channels && call->dw[GAIN]; c++) {
        double share = is_back ? -(double)at->factor[c] * (double)at->inverse[c] : 1;
        call->dw[SHIFT][c] += (float)(share * sums[2 * c]);
        call->dw[GAIN][c] += (float)(share * sums[2 * c + 1]);
    }
}

/* dx = dy inverse factor: batch norm's gradient without the part of its statistics. */
static void norm_backward(const tcsi_op_call *call)
{
    tcsi_shape shape = call->node->shape;
    double *sums = (double *)(void *)call->scratch, *zeros = sums + 2 * shape.channels;
    memset(zeros, 0, 2 * shape.channels * sizeof *zeros);
    for (size_t b = 0; b < call->batch; b++) {
        terms at = terms_of(call, b);
        size_t row = b * shape.length * shape.channels;
        const float *x = call->x[X] + row, *dy = call->dy + row;
        tcsi_batch_norm_backward_sums(call->isa, shape.length, shape.channels, x, at.centre, at.inverse, dy, sums);
        backward_weights(call, &at, sums);
        if (call->dx[X])
            tcsi_batch_norm_backward_apply(call->isa, shape.length, shape.channels, x, at.centre, at.inverse, at.factor, zeros, 1, dy,
                                           call->accumulate[X], call->dx[X] + row);
    }
}

const tcsi_op tcsi_op_instance_norm = {
    .name = "instance_norm", .input_min = 2, .input_max = 2, .shape = norm_shape, .forward = norm_forward, .backward = norm_backward,
    .scratch_count = norm_scratch,
};

const tcsi_op tcsi_op_instance_denorm = {
    .name = "instance_denorm", .input_min = 2, .input_max = 2, .shape = norm_shape, .forward = norm_forward, .backward = norm_backward,
    .scratch_count = norm_scratch,
};

tcsi_node_id tcsi_nn_instance_norm(tcsi_net *net, tcsi_node_id x, tcsi_node_id *ret_statistics)
{
    tcsi_node_id statistics = tcsi_net_add(net, &tcsi_op_instance_statistics, &x, 1, NULL);
    *ret_statistics = statistics;
    return tcsi_net_add(net, &tcsi_op_instance_norm, (tcsi_node_id[]){ x, statistics }, 2, NULL);
}

tcsi_node_id tcsi_nn_instance_denorm(tcsi_net *net, tcsi_node_id x, tcsi_node_id norm)
{
    if (net->status != TCS_OK) return TCSI_NODE_NONE;
    tcsi_node_id inputs[] = { x, tcsi_net_node(net, norm)->inputs[STATISTICS] };
    return tcsi_net_add_tied(net, norm, &tcsi_op_instance_denorm, inputs, 2, NULL);
}
