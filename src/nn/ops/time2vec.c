/* nn/ops/time2vec.c -- a time as a vector of learned waves: one straight line and units - 1 sines.
 * S. Kazemi et al., "Time2Vec: learning a vector representation of time", 2019, equation 1 with F = sin, for each channel of the input:
 *
 *     y(t, c U + i) = f(c,i) x(t,c) + p(c,i)         for i = 0,     sin(f(c,i) x(t,c) + p(c,i))     for i > 0
 *
 * Angles and sines are in double: times can be large numbers.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>
#include <string.h>

enum { FREQUENCY, PHASE };

static size_t units_of(const tcsi_node *node)
{
    return *(const size_t *)node->options;
}

static tcs_status time2vec_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    size_t units = units_of(node);
    if (units == 0 || !tcsi_multiply(x.channels, units, &node->shape.channels))
        return tcsi_fail(err, TCS_E_INVALID, "time2vec: needs 1 or more units, and fewer than %zu", units);
    node->shape.length = x.length;
    tcsi_weight weight = { .name = "frequency", .dims = { x.channels, units }, .dim_count = 2, .start = TCSI_START_UNIFORM, .fan_in = 1 };
    tcs_status status = tcsi_net_weight(net, node, &weight, err);
    if (status != TCS_OK) return status;
    memcpy(weight.name, "phase", sizeof "phase");
    return tcsi_net_weight(net, node, &weight, err);
}

/* The angle of unit k = c U + i at step r. */
static double angle_at(const tcsi_op_call *call, size_t r, size_t k)
{
    size_t units = units_of(call->node), channels = call->node->shape.channels / units;
    return (double)call->w[FREQUENCY][k] * (double)call->x[0][r * channels + k / units] + (double)call->w[PHASE][k];
}

static void time2vec_forward(const tcsi_op_call *call)
{
    size_t wide = call->node->shape.channels, units = units_of(call->node), rows = call->batch * call->length;
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < wide; k++) {
            double angle = angle_at(call, r, k);
            call->y[r * wide + k] = (float)(k % units == 0 ? angle : sin(angle));
        }
}

/* Unit by unit, so that the sums over rows are in double. */
static void time2vec_backward(const tcsi_op_call *call)
{
    size_t wide = call->node->shape.channels, units = units_of(call->node), channels = wide / units, rows = call->batch * call->length;
    if (call->dx[0] && !call->accumulate[0]) memset(call->dx[0], 0, rows * channels * sizeof(float));
    for (size_t k = 0; k < wide; k++) {
        double frequency_sum = 0, phase_sum = 0, frequency = (double)call->w[FREQUENCY][k];
        for (size_t r = 0; r < rows; r++) {
            size_t at = r * channels + k / units;
            double slope = (double)call->dy[r * wide + k] * (k % units == 0 ? 1 : cos(angle_at(call, r, k)));
            frequency_sum += slope * (double)call->x[0][at];
            phase_sum += slope;
            if (call->dx[0]) call->dx[0][at] += (float)(slope * frequency);
        }
        if (call->dw[FREQUENCY]) call->dw[FREQUENCY][k] += (float)frequency_sum;
        if (call->dw[PHASE]) call->dw[PHASE][k] += (float)phase_sum;
    }
}

static double time2vec_cost(const tcsi_net *net, const tcsi_node *node)
{
    (void)net;
    return 20 * (double)node->shape.length * (double)node->shape.channels; /* a sine is some twenty operations */
}

const tcsi_op tcsi_op_time2vec = {
    .name = "time2vec", .traits = TCSI_OP_ROWWISE, .options_size = sizeof(size_t), .input_min = 1, .input_max = 1, .shape = time2vec_shape,
    .forward = time2vec_forward, .backward = time2vec_backward, .cost = time2vec_cost,
};

tcsi_node_id tcsi_nn_time2vec(tcsi_net *net, tcsi_node_id x, size_t units)
{
    return tcsi_net_add(net, &tcsi_op_time2vec, &x, 1, &units);
}
