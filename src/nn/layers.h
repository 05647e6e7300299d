/* nn/layers.h -- the functions that build a net: one per operation.
 *
 * Each appends a node and returns its id, or TCSI_NODE_NONE once something was wrong (tcsi_net_finish says what).  Shapes are
 * (B,T,C): rows, steps, channels.  Weights are named by the current scope ("scope.weight"); layouts are given in row-major order.
 * Options are copied; a zeroed options struct means the defaults that are stated. */
#ifndef TCS_NN_LAYERS_H
#define TCS_NN_LAYERS_H

#include "kernels/activation.h"
#include "kernels/vector.h"
#include "nn/net.h"

/* What the caller brings with each run, (B,T,C). */
tcsi_node_id tcsi_nn_input(tcsi_net *net, size_t length, size_t channels);

/* y (B,T,U) = activation(x (B,T,C) weight (C,U) + bias (U) + residual (B,T,U)).  Initial values: PyTorch's. */
typedef struct tcsi_dense_options {
    size_t units;                /* U */
    tcsi_activation activation;
    bool without_bias;
} tcsi_dense_options;
tcsi_node_id tcsi_nn_dense(tcsi_net *net, tcsi_node_id x, const tcsi_dense_options *options);
tcsi_node_id tcsi_nn_dense_residual(tcsi_net *net, tcsi_node_id x, tcsi_node_id residual, const tcsi_dense_options *options);

/* y (B,U,O) = activation(convolution of x (B,T,C) with weight (K,C,O) + bias (O) + residual (B,U,O)); depthwise: weight (K,C).
 * Causal: step t sees t and before; same: centred (the longer half before); valid: only whole windows.  U = ceil(T / stride) with padding,
 * floor((T - (K-1) dilation - 1) / stride) + 1 without. */
typedef enum tcsi_padding { TCSI_PADDING_CAUSAL, TCSI_PADDING_SAME, TCSI_PADDING_VALID } tcsi_padding;
typedef struct tcsi_conv_options {
    size_t channels;             /* O; depthwise: 0 or C */
    size_t kernel;               /* K >= 1 */
    size_t dilation, stride;     /* 0: 1 */
    tcsi_padding padding;
    tcsi_activation activation;
    bool is_depthwise, without_bias;
} tcsi_conv_options;
tcsi_node_id tcsi_nn_conv(tcsi_net *net, tcsi_node_id x, const tcsi_conv_options *options);
tcsi_node_id tcsi_nn_conv_residual(tcsi_net *net, tcsi_node_id x, tcsi_node_id residual, const tcsi_conv_options *options);

/* y (B,U,O) = the convolution (B,U,O) -> (B,T,C) the other way, activated; weight (K,O,C), depthwise (K,C), bias (O).  Options as there;
 * causal: U = T stride, step u sees t <= u / stride; same: U = T stride, centred; valid: U = (T-1) stride + (K-1) dilation + 1, all of
 * it.  PyTorch's ConvTranspose1d with weight (C,O,K), cut to U. */
tcsi_node_id tcsi_nn_conv_transposed(tcsi_net *net, tcsi_node_id x, const tcsi_conv_options *options);

/* ---- element by element ---- */

tcsi_node_id tcsi_nn_unary(tcsi_net *net, tcsi_node_id x, tcsi_unary f);    /* f(x) */
tcsi_node_id tcsi_nn_scale(tcsi_net *net, tcsi_node_id x, float factor);    /* factor x */
tcsi_node_id tcsi_nn_add(tcsi_net *net, tcsi_node_id a, tcsi_node_id b);    /* a + b, of one shape */
tcsi_node_id tcsi_nn_multiply(tcsi_net *net, tcsi_node_id a, tcsi_node_id b);
tcsi_node_id tcsi_nn_detach(tcsi_net *net, tcsi_node_id x);                 /* x; no gradient passes */
/* In runs that draw (is_stochastic): 0 with probability rate in [0, 1), else x / (1 - rate).  Otherwise x. */
tcsi_node_id tcsi_nn_dropout(tcsi_net *net, tcsi_node_id x, float rate);

/* ---- channels of a step ---- */

tcsi_node_id tcsi_nn_concat(tcsi_net *net, const tcsi_node_id *inputs, size_t count); /* side by side; at most TCSI_INPUT_MAX */
tcsi_node_id tcsi_nn_slice(tcsi_net *net, tcsi_node_id x, size_t begin, size_t count); /* channels [begin, begin + count) */
tcsi_node_id tcsi_nn_reverse(tcsi_net *net, tcsi_node_id x);                           /* channel C - 1 - c at c */
tcsi_node_id tcsi_nn_softmax(tcsi_net *net, tcsi_node_id x);                           /* positive, sum 1 over channels */

/* ---- steps of a window ---- */

tcsi_node_id tcsi_nn_steps(tcsi_net *net, tcsi_node_id x, size_t begin, size_t count); /* steps [begin, begin + count) */
tcsi_node_id tcsi_nn_last(tcsi_net *net, tcsi_node_id x);                              /* (B,1,C): the last step */
tcsi_node_id tcsi_nn_repeat(tcsi_net *net, tcsi_node_id x, size_t length);             /* (B,1,C) at every one of length steps */
tcsi_node_id tcsi_nn_reshape(tcsi_net *net, tcsi_node_id x, size_t length, size_t channels); /* the same numbers in the same order */
tcsi_node_id tcsi_nn_flatten(tcsi_net *net, tcsi_node_id x);                           /* (B,1,T C) */
tcsi_node_id tcsi_nn_unflatten(tcsi_net *net, tcsi_node_id x, size_t length);          /* (B,1,T C) -> (B,length,T C / length) */

/* The mean or maximum of each window of steps: U = floor((T - window) / stride) + 1.  Not for streams. */
typedef struct tcsi_pool_options {
    size_t window;               /* 0: all T steps */
    size_t stride;               /* 0: window */
    bool is_max;
} tcsi_pool_options;
tcsi_node_id tcsi_nn_pool(tcsi_net *net, tcsi_node_id x, const tcsi_pool_options *options);
tcsi_node_id tcsi_nn_global_mean(tcsi_net *net, tcsi_node_id x); /* (B,1,C) */
tcsi_node_id tcsi_nn_global_max(tcsi_net *net, tcsi_node_id x);  /* (B,1,C) */
tcsi_node_id tcsi_nn_mean(tcsi_net *net, tcsi_node_id x);        /* (B,1,1): over steps and channels */

/* ---- normalization ---- */

/* y = (x - mean) / sqrt(variance + epsilon) * gain (C) + shift (C), over the channels of each step. */
typedef struct tcsi_layer_norm_options {
    float epsilon;               /* 0: 1e-5 */
} tcsi_layer_norm_options;
tcsi_node_id tcsi_nn_layer_norm(tcsi_net *net, tcsi_node_id x, const tcsi_layer_norm_options *options);

/* The same over all rows and steps, per channel; training runs move the running mean (C) and variance (C), other runs use them. */
typedef struct tcsi_batch_norm_options {
    float epsilon;               /* 0: 1e-5 */
    double momentum;             /* 0: 0.1; running += momentum (batch - running) */
} tcsi_batch_norm_options;
tcsi_node_id tcsi_nn_batch_norm(tcsi_net *net, tcsi_node_id x, const tcsi_batch_norm_options *options);

/* The same over the steps of each window, per channel (RevIN: Kim et al. 2022), epsilon 1e-5; the statistics (B,2,C), mean and
 * deviation, let no gradient pass.  denorm takes (B,U,C) back to the scale of norm's input, with norm's statistics and weights. */
tcsi_node_id tcsi_nn_instance_norm(tcsi_net *net, tcsi_node_id x, tcsi_node_id *ret_statistics);
tcsi_node_id tcsi_nn_instance_denorm(tcsi_net *net, tcsi_node_id x, tcsi_node_id norm);

/* ---- memory and attention ---- */

/* All hidden states (B,T,H).  weight_input (C,G H), weight_hidden (H,G H), bias_input (G H), bias_hidden (G H), gates in PyTorch's order:
 * i, f, g, o (LSTM, G = 4) or r, z, n (GRU, G = 3). */
tcsi_node_id tcsi_nn_lstm(tcsi_net *net, tcsi_node_id x, size_t hidden);
tcsi_node_id tcsi_nn_gru(tcsi_net *net, tcsi_node_id x, size_t hidden);

/* softmax(q k' / sqrt(D/H)) v of H heads, (B,T,D) from queries, keys and values side by side (B,T,3D).  Saves the softmax, (B,H,T,T):
 * name the node among a plan's kept ones and tcsi_plan_saved shows it. */
typedef struct tcsi_attention_options {
    size_t head_count;           /* H, divides D */
    bool is_causal;              /* a step sees itself and earlier ones */
} tcsi_attention_options;
tcsi_node_id tcsi_nn_attention(tcsi_net *net, tcsi_node_id x, const tcsi_attention_options *options);
/* The layer: dense to (B,T,3C), attention, dense to (B,T,C), with first values as dense layers have them.  ret_attention: the node that
 * saves the softmax, or NULL. */
tcsi_node_id tcsi_nn_self_attention(tcsi_net *net, tcsi_node_id x, const tcsi_attention_options *options, tcsi_node_id *ret_attention);

/* The Transformer's encoder block, (B,T,C) -> (B,T,C); nn/transformer.c has its formulas. */
typedef struct tcsi_transformer_options {
    size_t head_count;           /* divides C */
    size_t hidden;               /* of the feed-forward part; 0: 4 C */
    bool is_causal, norm_first, is_gelu; /* is_gelu: GELU instead of ReLU */
    float dropout;               /* after attention, inside and after the feed-forward part */
} tcsi_transformer_options;
tcsi_node_id tcsi_nn_transformer(tcsi_net *net, tcsi_node_id x, const tcsi_transformer_options *options, tcsi_node_id *ret_attention);

/* ---- time and kinds ---- */

tcsi_node_id tcsi_nn_position_sinusoidal(tcsi_net *net, tcsi_node_id x); /* x + sines and cosines of the step's number */
tcsi_node_id tcsi_nn_position_learned(tcsi_net *net, tcsi_node_id x);    /* x + position (T,C), first values within +- 0.02 */
/* Time2Vec (Kazemi et al. 2019), (B,T,C units): frequency (C,units), phase (C,units), first values within +- 1. */
tcsi_node_id tcsi_nn_time2vec(tcsi_net *net, tcsi_node_id x, size_t units);

/* y (B,T,units) = weight (count,units) at the whole number 0 .. count - 1 in a channel of x, an input of the net.  tcsi_plan_check says
 * when it is none; an unchecked run gives NaN there. */
typedef struct tcsi_embedding_options {
    size_t count, units, channel;
} tcsi_embedding_options;
tcsi_node_id tcsi_nn_embedding(tcsi_net *net, tcsi_node_id x, const tcsi_embedding_options *options);

/* ---- losses: (B,1,1), the mean over those elements of a row whose target is a number.  A target of NaN is missing and left out; a row
 *      with nothing but missing targets has loss 0.  No gradient flows to the target. ---- */

/* mean (y - target)^2 */
tcsi_node_id tcsi_nn_loss_squared(tcsi_net *net, tcsi_node_id y, tcsi_node_id target);
/* mean |y - target| */
tcsi_node_id tcsi_nn_loss_absolute(tcsi_net *net, tcsi_node_id y, tcsi_node_id target);
/* mean of d^2 / 2 up to delta > 0, delta (|d| - delta / 2) beyond: PyTorch's HuberLoss */
tcsi_node_id tcsi_nn_loss_huber(tcsi_net *net, tcsi_node_id y, tcsi_node_id target, float delta);

#endif
