/* nn/ops/attention.c -- scaled dot-product attention with several heads (kernels/attention.h), without weights of its own.
 * A. Vaswani et al., "Attention is all you need", 2017, equation 1.
 *
 * Saved of a row: the attention weights (H,T,T), each line the shares of the steps that one step looks at; a plan that keeps the node
 * (plan.h) shows them.
 *
 * Streaming, when causal: keys and values of the last T steps are carried, twice in a ring of twice that length, so that they always
 * stand in a row (ops/conv.c).  The first T answers equal the sequence's bit for bit.  Later ones look at the last T steps, as the last
 * step of a window would; but where layers are stacked, what stands there was itself computed from more than this window.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "kernels/attention.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <string.h>

static tcsi_attention attention_of(const tcsi_node *node)
{
    const tcsi_attention_options *options = node->options;
    return (tcsi_attention){ .length = node->shape.length, .width = node->shape.channels, .head_count = options->head_count,
                             .causal = options->is_causal };
}

static tcs_status attention_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_attention_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[0]);
    size_t width = x.channels / 3, square;
    if (options->head_count == 0 || x.channels % 3 != 0 || width % options->head_count != 0)
        return tcsi_fail(err, TCS_E_INVALID, "attention: %zu channels for %zu heads, expected 3 times a multiple of the heads",
                         x.channels, options->head_count);
    if (!tcsi_multiply(x.length, x.length, &square) || !tcsi_multiply(square, options->head_count, &node->saved_count))
        return tcsi_fail(err, TCS_E_INVALID, "attention: %zu steps are too many", x.length);
    node->shape = (tcsi_shape){ x.length, width };
    return TCS_OK;
}

/* y (B,T,D) from queries, keys and values (B,T,3D) */
static void attention_forward(const tcsi_op_call *call)
{
    tcsi_attention attention = attention_of(call->node);
    tcsi_attention_forward(call->isa, &attention, call->batch, call->x[0], call->y, call->saved, call->scratch);
}

static void attention_backward(const tcsi_op_call *call)
{
    tcsi_attention attention = attention_of(call->node);
    if (!call->dx[0]) return;
    tcsi_attention_backward(call->isa, &attention, call->batch, call->x[0], call->saved, call->dy, call->accumulate[0], call->dx[0],
                            call->scratch);
}

static double attention_cost(const tcsi_net *net, const tcsi_node *node)
{
    (void)net;
    return 2 * (double)node->shape.length * (double)node->shape.length * (double)node->shape.channels;
}

static size_t attention_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)batch;
    tcsi_attention attention = attention_of(node);
    return tcsi_attention_scratch_count(&attention);
}

/* ---- streaming ---- */

static bool attention_can_step(const tcsi_net *net, const tcsi_node *node)
{
    (void)net;
    return attention_of(node).causal;
}

/* The next step's place and how many are known, as integers' bytes; then the ring of 2 T keys and values (2D each). */
static size_t attention_carried(const tcsi_net *net, const tcsi_node *node)
{
    (void)net;
    return TCSI_FLOATS_BORDER + 2 * node->shape.length * 2 * node->shape.channels;
}

/* Puts the newest key and value into the ring; returns the oldest of those to look at, one after another, and how many they are. */
static const float *remember(const tcsi_op_call *call, const tcsi_attention *attention, size_t *ret_count)
{
    size_t length = attention->length, line = 2 * attention->width;
    float *ring = call->carried + TCSI_FLOATS_BORDER;
    uint32_t known[2];
    memcpy(known, call->carried, sizeof known);
    size_t at = known[0] < length ? known[0] : 0, count = known[1] < length ? known[1] : length - 1; /* a damaged state stays inside */
    memcpy(ring + at * line, call->x[0] + attention->width, line * sizeof(float));
    memcpy(ring + (at + length) * line, call->x[0] + attention->width, line * sizeof(float));
    count++;
    known[0] = (uint32_t)((at + 1) % length);
    known[1] = (uint32_t)count;
    memcpy(call->carried, known, sizeof known);
    *ret_count = count;
    return ring + (at + length + 1 - count) * line;
}

static void attention_step(const tcsi_op_call *call)
{
    tcsi_attention attention = attention_of(call->node);
    size_t count;
    const float *known = remember(call, &attention, &count);
    tcsi_attention_step(call->isa, &attention, count, call->x[0], known, call->y, call->scratch);
}

const tcsi_op tcsi_op_attention = {
    .name = "attention", .options_size = sizeof(tcsi_attention_options), .input_min = 1, .input_max = 1, .shape = attention_shape,
    .forward = attention_forward, .backward = attention_backward, .cost = attention_cost, .scratch_count = attention_scratch,
    .step = attention_step, .carried_count = attention_carried, .can_step = attention_can_step,
};

tcsi_node_id tcsi_nn_attention(tcsi_net *net, tcsi_node_id x, const tcsi_attention_options *options)
{
    return tcsi_net_add(net, &tcsi_op_attention, &x, 1, options);
}
