/* nn/ops/sample.c -- a draw from a predicted normal distribution through which gradients pass: z = mean + exp(v / 2) noise.
 *
 * D. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR 2014, section 2.4.  x has channels [mean (C) | log variance (C)], v kept
 * in range (ops/range.h).  A run that is not stochastic gives the mean.  The noise of row b is that of elements (row) pitch .. of the
 * node's stream (op.h): whatever the threads and shards.
 * saved (B,pitch): exp(v / 2) noise, which is what the gradient needs: dv = dz saved / 2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/random.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"
#include "nn/ops/range.h"

#include <string.h>

static const tcsi_range LOG_VARIANCES = { TCSI_NN_LOG_VARIANCE_MIN, TCSI_NN_LOG_VARIANCE_MAX };

static tcs_status sample_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    if (x.channels % 2 != 0)
        return tcsi_fail(err, TCS_E_INVALID, "sample: needs channels [mean | log variance], an even number, got %zu", x.channels);
    node->shape = (tcsi_shape){ x.length, x.channels / 2 };
    node->saved_count = (x.length * x.channels / 2 + 3) / 4 * 4;
    return TCS_OK;
}

static size_t sample_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)batch;
    return node->shape.length * node->shape.channels;
}

/* Noise times deviation into saved, row by row. */
static void draw(const tcsi_op_call *call)
{
    size_t channels = call->node->shape.channels, count = call->length * channels, pitch = call->node->saved_count;
    tcsi_random_span span = { .seed = call->seed, .stream = tcsi_op_stream(call, tcsi_op_node_id(call)),
                              .first = (uint64_t)call->row_begin * pitch, .count = call->batch * pitch };
    tcsi_random_normal(call->isa, &span, call->saved);
    for (size_t b = 0; b < call->batch; b++) {
        float *deviation = call->scratch;
        for (size_t i = 0; i < count; i += channels) {
            const float *v = call->x[0] + 2 * (b * count + i) + channels;
            for (size_t c = 0; c < channels; c++) deviation[i + c] = tcsi_range_clamp(LOG_VARIANCES, v[c]) / 2;
        }
        tcsi_vector_unary(call->isa, TCSI_UNARY_EXP, count, deviation, deviation);
        tcsi_vector_multiply(call->isa, count, deviation, call->saved + b * pitch, false, call->saved + b * pitch);
    }
}

/* y (B,T,C) from x (B,T,2C) */
static void sample_forward(const tcsi_op_call *call)
{
    size_t channels = call->node->shape.channels, pitch = call->node->saved_count;
    if (call->is_stochastic) draw(call);
    for (size_t s = 0; s < call->batch * call->length; s++) {
        const float *mean = call->x[0] + 2 * s * channels, *own = call->saved + s / call->length * pitch + s % call->length * channels;
        if (call->is_stochastic) tcsi_vector_add(call->isa, channels, mean, own, call->y + s * channels);
        else memcpy(call->y + s * channels, mean, channels * sizeof(float));
    }
}

static void sample_backward(const tcsi_op_call *call)
{
    size_t channels = call->node->shape.channels, pitch = call->node->saved_count;
    if (!call->dx[0]) return;
    for (size_t s = 0; s < call->batch * call->length; s++) {
        const float *dz = call->dy + s * channels, *v = call->x[0] + (2 * s + 1) * channels;
        const float *own = call->saved + s / call->length * pitch + s % call->length * channels;
        float *dmean = call->dx[0] + 2 * s * channels, *dv = dmean + channels;
        for (size_t c = 0; c < channels; c++) {
            double by_v = call->is_stochastic ? tcsi_range_gradient(LOG_VARIANCES, v[c], (double)dz[c] * (double)own[c] / 2) : 0;
            dmean[c] = call->accumulate[0] ? dmean[c] + dz[c] : dz[c];
            dv[c] = call->accumulate[0] ? dv[c] + (float)by_v : (float)by_v;
        }
    }
}

/* In scoring it is the mean. */
static tcsi_onnx_value sample_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    (void)net;
    return tcsi_onnx_slice(onnx, tcsi_onnx_input_of(onnx, node, 0), 2, 0, node->shape.channels);
}

const tcsi_op tcsi_op_sample = {
    .name = "sample", .traits = TCSI_OP_ROWWISE | TCSI_OP_RANDOM, .input_min = 1, .input_max = 1, .shape = sample_shape,
    .forward = sample_forward, .backward = sample_backward, .scratch_count = sample_scratch, .onnx = sample_onnx,
};

tcsi_node_id tcsi_nn_sample(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_net_add(net, &tcsi_op_sample, &x, 1, NULL);
}
