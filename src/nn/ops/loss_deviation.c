/* nn/ops/loss_deviation.c -- scores that stand out: labelled anomalies far above what a standard normal score would be.
 *
 * G. Pang, C. Shen, A. van den Hengel, "Deep anomaly detection with deviation networks", KDD 2019 (DevNet): with m and s the mean and
 * deviation of reference scores drawn from the standard normal, dev = (score - m) / s, and a label t (1: anomaly, 0: not known as one)
 *     loss = (1 - t) |dev| + t max(0, margin - dev)
 *
 * Every run draws its reference anew, the same for all rows, shards and threads; a run that is not stochastic takes m = 0, s = 1.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/random.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>

enum { X, LABEL, DRAWN_AT_ONCE = 512, REFERENCE_COUNT = 5000 };
enum { USED, MEAN, DEVIATION, SAVED_COUNT };

static tcs_status deviation_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_deviation_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]), label = tcsi_net_shape(net, node->inputs[LABEL]);
    if (!(options->margin >= 0 && options->margin <= 1e6f) || options->reference_count == 1 || options->reference_count > 1000000)
        return tcsi_fail(err, TCS_E_INVALID, "loss_deviation: needs a margin in [0, 1e6] and 2 to 1000000 reference scores, got %g and %zu",
                         (double)options->margin, options->reference_count);
    if (x.length != label.length || x.channels != label.channels)
        return tcsi_fail(err, TCS_E_INVALID, "loss_deviation: scores of %zu steps and %zu channels against labels of %zu and %zu", x.length,
                         x.channels, label.length, label.channels);
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = SAVED_COUNT;
    return TCS_OK;
}

static size_t deviation_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)node;
    (void)batch;
    return DRAWN_AT_ONCE;
}

/* Mean and deviation of the reference, piece by piece; sums about 0 lose nothing, as the mean is about 0. */
static void draw_reference(const tcsi_op_call *call, double *ret_mean, double *ret_deviation)
{
    const tcsi_deviation_options *options = call->node->options;
    size_t count = options->reference_count > 0 ? options->reference_count : REFERENCE_COUNT;
    tcsi_random_span span = { .seed = call->seed, .stream = tcsi_op_stream(call, tcsi_op_node_id(call)) };
    double sum = 0, squares = 0;
    for (; span.first < count; span.first += span.count) {
        span.count = count - span.first < DRAWN_AT_ONCE ? (size_t)(count - span.first) : DRAWN_AT_ONCE;
        tcsi_random_normal(call->isa, &span, call->scratch);
        for (size_t i = 0; i < span.count; i++) {
            sum += (double)call->scratch[i];
            squares += (double)call->scratch[i] * (double)call->scratch[i];
        }
    }
    *ret_mean = sum / (double)count;
    *ret_deviation = sqrt(fmax(squares / (double)count - *ret_mean * *ret_mean, 1e-12));
}

static double margin_of(const tcsi_op_call *call)
{
    const tcsi_deviation_options *options = call->node->options;
    return options->margin > 0 ? (double)options->margin : 5;
}

static size_t element_count(const tcsi_op_call *call)
{
    tcsi_shape x = tcsi_net_shape(call->net, call->node->inputs[X]);
    return x.length * x.channels;
}

/* y (B,1,1) from scores and labels (B,T,C) */
static void deviation_forward(const tcsi_op_call *call)
{
    size_t count = element_count(call);
    double mean = 0, deviation = 1, margin = margin_of(call);
    if (call->is_stochastic) draw_reference(call, &mean, &deviation);
    for (size_t b = 0; b < call->batch; b++) {
        float *saved = call->saved + b * SAVED_COUNT;
        double sum = 0, used = 0;
        for (size_t at = b * count; at < (b + 1) * count; at++) {
            double t = (double)call->x[LABEL][at], dev = ((double)call->x[X][at] - mean) / deviation;
            if (isnan(t)) continue;
            sum += (1 - t) * fabs(dev) + t * (dev > margin ? 0 : margin - dev);
            used += 1;
        }
        call->y[b] = used > 0 ? (float)(sum / used) : 0;
        saved[USED] = (float)used;
        saved[MEAN] = (float)mean;
        saved[DEVIATION] = (float)deviation;
    }
}

static void deviation_backward(const tcsi_op_call *call)
{
    size_t count = element_count(call);
    double margin = margin_of(call);
    float *dx = call->dx[X];
    for (size_t b = 0; b < call->batch && dx; b++) {
        const float *saved = call->saved + b * SAVED_COUNT;
        double mean = (double)saved[MEAN], deviation = (double)saved[DEVIATION];
        double factor = saved[USED] > 0 ? (double)call->dy[b] / ((double)saved[USED] * deviation) : 0;
        for (size_t at = b * count; at < (b + 1) * count; at++) {
            double t = (double)call->x[LABEL][at], dev = ((double)call->x[X][at] - mean) / deviation;
            double slope = (1 - t) * ((dev > 0) - (dev < 0)) - (dev > margin ? 0 : t);
            float gradient = isnan(t) ? 0 : (float)(factor * slope);
            dx[at] = call->accumulate[X] ? dx[at] + gradient : gradient;
        }
    }
}

const tcsi_op tcsi_op_loss_deviation = {
    .name = "loss_deviation", .traits = TCSI_OP_LOSS | TCSI_OP_RANDOM, .options_size = sizeof(tcsi_deviation_options), .input_min = 2,
    .input_max = 2, .stops = 1 << LABEL, .shape = deviation_shape, .forward = deviation_forward, .backward = deviation_backward,
    .scratch_count = deviation_scratch,
};

tcsi_node_id tcsi_nn_loss_deviation(tcsi_net *net, tcsi_node_id x, tcsi_node_id label, const tcsi_deviation_options *options)
{
    return tcsi_net_add(net, &tcsi_op_loss_deviation, (tcsi_node_id[]){ x, label }, 2, options);
}
