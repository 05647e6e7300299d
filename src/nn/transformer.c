/* nn/transformer.c -- layers that are put together from operations: multi-head self-attention and the Transformer's encoder block.
 *
 * A. Vaswani et al., "Attention is all you need", 2017, section 3.1, normalizes after each sum; R. Xiong et al., "On layer
 * normalization in the Transformer architecture", ICML 2020, before each part, which trains without a warm-up:
 *
 *     after    h = norm(x + attend(x))      y = norm(h + feed(h))
 *     before   h = x + attend(norm(x))      y = h + feed(norm(h))
 *
 * PyTorch's TransformerEncoderLayer, except that attention weights are never dropped.  Weights of a scope "s" are named "s.attention.in",
 * "s.attention.out", "s.norm1", "s.feed1", "s.feed2", "s.norm2"; without a scope, as those of single layers are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"

#include <string.h>

/* What a block needs while it is put together: the caller's scope, given back at the end. */
typedef struct block {
    tcsi_net *net;
    char scope[TCSI_WEIGHT_NAME_SIZE];
} block;

static block begin_block(tcsi_net *net)
{
    block self = { .net = net };
    memcpy(self.scope, net->scope, sizeof self.scope);
    return self;
}

static void end_block(const block *self)
{
    memcpy(self->net->scope, self->scope, sizeof self->scope);
}

static void name_part(const block *self, const char *part)
{
    if (self->scope[0]) tcsi_net_scope(self->net, "%s.%s", self->scope, part);
}

/* A dense layer whose result is dropped out and added to residual: one operation when nothing is dropped. */
static tcsi_node_id add_dense(tcsi_net *net, tcsi_node_id x, tcsi_node_id residual, size_t units, float dropout)
{
    const tcsi_dense_options options = { .units = units };
    if (residual == TCSI_NODE_NONE) return tcsi_nn_dense(net, x, &options);
    if (dropout == 0) return tcsi_nn_dense_residual(net, x, residual, &options);
    return tcsi_nn_add(net, tcsi_nn_dropout(net, tcsi_nn_dense(net, x, &options), dropout), residual);
}

/* ---- attention ---- */

static tcsi_node_id attend(const block *self, tcsi_node_id x, tcsi_node_id residual, const tcsi_attention_options *options, float dropout,
                           tcsi_node_id *ret_attention)
{
    size_t width = tcsi_net_shape(self->net, x).channels;
    name_part(self, "attention.in");
    tcsi_node_id triple = tcsi_nn_dense(self->net, x, &(tcsi_dense_options){ .units = 3 * width });
    *ret_attention = tcsi_nn_attention(self->net, triple, options);
    name_part(self, "attention.out");
    return add_dense(self->net, *ret_attention, residual, width, dropout);
}

tcsi_node_id tcsi_nn_self_attention(tcsi_net *net, tcsi_node_id x, const tcsi_attention_options *options, tcsi_node_id *ret_attention)
{
    block self = begin_block(net);
    tcsi_node_id attention, y = attend(&self, x, TCSI_NODE_NONE, options, 0, &attention);
    end_block(&self);
    if (ret_attention) *ret_attention = attention;
    return y;
}

/* ---- the encoder block ---- */

static tcsi_node_id normalize(const block *self, tcsi_node_id x, const char *part)
{
    name_part(self, part);
    return tcsi_nn_layer_norm(self->net, x, &(tcsi_layer_norm_options){ 0 });
}

static tcsi_node_id feed(const block *self, tcsi_node_id x, tcsi_node_id residual, const tcsi_transformer_options *options)
{
    size_t width = tcsi_net_shape(self->net, residual).channels, hidden = options->hidden ? options->hidden : 4 * width;
    name_part(self, "feed1");
    tcsi_node_id h = tcsi_nn_dense(self->net, x, &(tcsi_dense_options){
        .units = hidden, .activation = options->is_gelu ? TCSI_ACTIVATION_NONE : TCSI_ACTIVATION_RELU });
    if (options->is_gelu) h = tcsi_nn_unary(self->net, h, TCSI_UNARY_GELU);
    if (options->dropout != 0) h = tcsi_nn_dropout(self->net, h, options->dropout);
    name_part(self, "feed2");
    return add_dense(self->net, h, residual, width, options->dropout);
}

tcsi_node_id tcsi_nn_transformer(tcsi_net *net, tcsi_node_id x, const tcsi_transformer_options *options, tcsi_node_id *ret_attention)
{
    block self = begin_block(net);
    const tcsi_attention_options heads = { .head_count = options->head_count, .is_causal = options->is_causal };
    tcsi_node_id attention, h, y;
    if (options->norm_first) {
        h = attend(&self, normalize(&self, x, "norm1"), x, &heads, options->dropout, &attention);
        y = feed(&self, normalize(&self, h, "norm2"), h, options);
    } else {
        h = normalize(&self, attend(&self, x, x, &heads, options->dropout, &attention), "norm1");
        y = normalize(&self, feed(&self, h, h, options), "norm2");
    }
    end_block(&self);
    if (ret_attention) *ret_attention = attention;
    return y;
}
