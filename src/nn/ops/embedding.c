/* nn/ops/embedding.c -- a learned vector for each of a few kinds: row `index` of a table, as PyTorch's Embedding.
 *
 * The index is a whole number in a channel of an input of the net, so that it can be checked where data enter (tcsi_plan_check).  A run
 * that was not checked is safe: what is no index of the table leads to NaN and to no gradient.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>
#include <string.h>

enum { KINDS_MAX = 1 << 24 }; /* whole numbers up to here are exact in a float */

static tcs_status embedding_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_embedding_options *options = node->options;
    const tcsi_node *input = tcsi_net_node(net, node->inputs[0]);
    if (!(input->op->traits & TCSI_OP_INPUT))
        return tcsi_fail(err, TCS_E_INVALID, "embedding: needs an input of the net, got a %s", input->op->name);
    if (options->count == 0 || options->count > KINDS_MAX || options->units == 0)
        return tcsi_fail(err, TCS_E_INVALID, "embedding: needs 1 to %d kinds and 1 or more units, got %zu and %zu", KINDS_MAX,
                         options->count, options->units);
    if (options->channel >= input->shape.channels)
        return tcsi_fail(err, TCS_E_INVALID, "embedding: channel %zu of %zu", options->channel, input->shape.channels);
    node->shape = (tcsi_shape){ input->shape.length, options->units };
    tcsi_weight weight = { .name = "weight", .dims = { options->count, options->units }, .dim_count = 2, .decays = true,
                           .start = TCSI_START_NORMAL };
    return tcsi_net_weight(net, node, &weight, err);
}

/* false: value is none of 0 .. count - 1 */
static bool is_index(float value, size_t count, size_t *ret_index)
{
    if (!(value >= 0 && value < (float)count) || value != floorf(value)) return false;
    *ret_index = (size_t)value;
    return true;
}

static size_t channels_in(const tcsi_net *net, const tcsi_node *node)
{
    return tcsi_net_shape(net, node->inputs[0]).channels;
}

static tcs_status embedding_check(const tcsi_net *net, const tcsi_node *node, size_t batch, const float *const *x, tcs_error *err)
{
    const tcsi_embedding_options *options = node->options;
    size_t channels = channels_in(net, node), length = node->shape.length, index;
    for (size_t r = 0; r < batch * length; r++) {
        float value = x[0][r * channels + options->channel];
        if (!is_index(value, options->count, &index))
            return tcsi_fail(err, TCS_E_INVALID, "embedding: row %zu, step %zu, channel %zu is %g, expected a whole number of 0 to %zu",
                             r / length, r % length, options->channel, (double)value, options->count - 1);
    }
    return TCS_OK;
}

/* y (R,U) = table (count,U) at x (R,C) */
static void embedding_forward(const tcsi_op_call *call)
{
    const tcsi_embedding_options *options = call->node->options;
    size_t channels = channels_in(call->net, call->node), units = options->units, index;
    for (size_t r = 0; r < call->batch * call->length; r++) {
        float *y = call->y + r * units;
        if (is_index(call->x[0][r * channels + options->channel], options->count, &index))
            memcpy(y, call->w[0] + index * units, units * sizeof(float));
        else for (size_t i = 0; i < units; i++) y[i] = (float)NAN;
    }
}

static void embedding_backward(const tcsi_op_call *call)
{
    const tcsi_embedding_options *options = call->node->options;
    size_t channels = channels_in(call->net, call->node), units = options->units, index;
    if (call->dx[0] && !call->accumulate[0]) memset(call->dx[0], 0, call->batch * call->length * channels * sizeof(float));
    for (size_t r = 0; r < call->batch * call->length && call->dw[0]; r++)
        if (is_index(call->x[0][r * channels + options->channel], options->count, &index))
            tcsi_vector_add(call->isa, units, call->dw[0] + index * units, call->dy + r * units, call->dw[0] + index * units);
}

const tcsi_op tcsi_op_embedding = {
    .name = "embedding", .traits = TCSI_OP_ROWWISE, .options_size = sizeof(tcsi_embedding_options), .input_min = 1, .input_max = 1,
    .shape = embedding_shape, .forward = embedding_forward, .backward = embedding_backward, .check = embedding_check,
};

tcsi_node_id tcsi_nn_embedding(tcsi_net *net, tcsi_node_id x, const tcsi_embedding_options *options)
{
    return tcsi_net_add(net, &tcsi_op_embedding, &x, 1, options);
}
