/* nn/ops/position.c -- says where in the window a step stands: y = x + p, the same (T,C) for every row.
 *
 *     sinusoidal  p(t, 2i) = sin(t / 10000^(2i/C)), p(t, 2i+1) = cos(the same): A. Vaswani et al., "Attention is all you need", 2017
 *     learned     p is a weight
 *
 * Streaming: the steps since the reset count.  Beyond T sinusoids go on; what was learned stays at its last step.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>
#include <string.h>

/* y (B,T,C) = x (B,T,C) + positions (T,C) */
static void add_positions(const tcsi_op_call *call, const float *positions)
{
    size_t count = call->node->shape.length * call->node->shape.channels;
    for (size_t b = 0; b < call->batch; b++) tcsi_vector_add(call->isa, count, call->x[0] + b * count, positions, call->y + b * count);
}

/* The number of this step since the reset; what is carried is its successor, as an integer's bytes, and stays at the largest. */
static uint32_t count_step(float *carried)
{
    uint32_t at, next;
    memcpy(&at, carried, sizeof at);
    next = at < UINT32_MAX ? at + 1 : at;
    memcpy(carried, &next, sizeof next);
    return at;
}

static size_t carried_count(const tcsi_net *net, const tcsi_node *node)
{
    (void)net;
    (void)node;
    return 1;
}

/* ---- sinusoidal ---- */

static void sinusoids(size_t t, size_t channels, float *ret_position)
{
    for (size_t c = 0; c < channels; c++) {
        double angle = (double)t / pow(10000, (double)(c / 2 * 2) / (double)channels);
        ret_position[c] = (float)(c % 2 ? cos(angle) : sin(angle));
    }
}

/* The table (T,C) is worked out once and lives beside the net, as the node's options. */
static tcs_status sinusoidal_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    float *table = tcsi_arena_alloc(&net->arena, node->shape.length * node->shape.channels, sizeof *table);
    if (!table) return tcsi_fail_memory(err, "the positions of a network");
    for (size_t t = 0; t < node->shape.length; t++) sinusoids(t, node->shape.channels, table + t * node->shape.channels);
    node->options = table;
    return TCS_OK;
}

static void sinusoidal_forward(const tcsi_op_call *call)
{
    add_positions(call, call->node->options);
}

static void sinusoidal_backward(const tcsi_op_call *call)
{
    tcsi_op_pass(call, 0, call->dy, call->batch * call->node->shape.length * call->node->shape.channels);
}

static void sinusoidal_step(const tcsi_op_call *call)
{
    size_t channels = call->node->shape.channels, at = count_step(call->carried);
    const float *table = call->node->options, *position = call->y;
    if (at < call->node->shape.length) position = table + at * channels;
    else sinusoids(at, channels, call->y);
    tcsi_vector_add(call->isa, channels, call->x[0], position, call->y);
}

const tcsi_op tcsi_op_position_sinusoidal = {
    .name = "position_sinusoidal", .input_min = 1, .input_max = 1, .shape = sinusoidal_shape, .forward = sinusoidal_forward,
    .backward = sinusoidal_backward, .step = sinusoidal_step, .carried_count = carried_count,
};

tcsi_node_id tcsi_nn_position_sinusoidal(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_net_add(net, &tcsi_op_position_sinusoidal, &x, 1, NULL);
}

/* ---- learned ---- */

static tcs_status learned_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    node->shape = tcsi_net_shape(net, node->inputs[0]);
    tcsi_weight position = { .name = "position", .dims = { node->shape.length, node->shape.channels }, .dim_count = 2,
                             .start = TCSI_START_UNIFORM, .fan_in = 2500 }; /* within +- 0.02 */
    return tcsi_net_weight(net, node, &position, err);
}

static void learned_forward(const tcsi_op_call *call)
{
    add_positions(call, call->w[0]);
}

static void learned_backward(const tcsi_op_call *call)
{
    size_t count = call->node->shape.length * call->node->shape.channels;
    if (call->dw[0]) tcsi_vector_sum_rows(call->isa, call->batch, count, call->dy, true, call->dw[0]);
    tcsi_op_pass(call, 0, call->dy, call->batch * count);
}

static void learned_step(const tcsi_op_call *call)
{
    size_t channels = call->node->shape.channels, at = count_step(call->carried), last = call->node->shape.length - 1;
    tcsi_vector_add(call->isa, channels, call->x[0], call->w[0] + (at < last ? at : last) * channels, call->y);
}

const tcsi_op tcsi_op_position_learned = {
    .name = "position_learned", .input_min = 1, .input_max = 1, .shape = learned_shape, .forward = learned_forward,
    .backward = learned_backward, .step = learned_step, .carried_count = carried_count,
};

tcsi_node_id tcsi_nn_position_learned(tcsi_net *net, tcsi_node_id x)
{
    return tcsi_net_add(net, &tcsi_op_position_learned, &x, 1, NULL);
}
