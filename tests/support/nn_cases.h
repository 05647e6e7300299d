/* tests/support/nn_cases.h -- a small net around every operation: the cases that gradients, threads, streams and exports are tested on.
 *
 * A case builds inputs, one or two nodes of its operation and what they need, and returns the node that is looked at.  Where that is
 * not a loss, the harness puts a squared loss against one more input behind it.  Nets are smooth, because finite differences across the
 * corner of a ReLU are wrong; ReLU is checked by kernels/vector_test.c and the golden vectors.  Every operation of ops.def must have a
 * case; op_test.c says which has none.
 * Weights are named by their node's number, so no two nodes may be arguments of one call: C does not say which is evaluated first. */
#ifndef TCS_NN_CASES_H
#define TCS_NN_CASES_H

#include "base/rng.h"
#include "nn/layers.h"
#include "nn/ops.h"
#include "nn/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef enum nn_fill { NN_FILL_NORMAL, NN_FILL_POSITIVE, NN_FILL_BIT, NN_FILL_INDEX, NN_FILL_GAPS, NN_FILL_SIGN } nn_fill;

typedef struct nn_case {
    const char *op, *name;
    tcsi_node_id (*build)(tcsi_net *net);
    nn_fill fills[TCSI_RUN_INPUT_MAX]; /* of the inputs, in order; INDEX: whole numbers 0..4, GAPS: every fifth value is NaN,
                                          SIGN: -1, 0, 1 */
    size_t batch;                      /* 0: 5 */
    double tolerance;                  /* of the gradient test; 0: 5e-3 */
} nn_case;

/* ---- the nets ---- */

static tcsi_node_id nn_dense_plain(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4);
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 5 });
}

static tcsi_node_id nn_dense_activated(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4);
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 7, .activation = TCSI_ACTIVATION_TANH });
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 6, .activation = TCSI_ACTIVATION_SIGMOID });
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 2, .activation = TCSI_ACTIVATION_SOFTPLUS, .without_bias = true });
}

static tcsi_node_id nn_dense_residual(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4), h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 4 });
    return tcsi_nn_dense_residual(net, h, h, &(tcsi_dense_options){ .units = 4, .activation = TCSI_ACTIVATION_SOFTPLUS });
}

static tcsi_node_id nn_dense_shared(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 1, 4), h = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 4, .activation = TCSI_ACTIVATION_TANH });
    return tcsi_net_share(net, h, &h, 1);
}

static tcsi_node_id nn_conv_causal(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 11, 3);
    x = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 5, .kernel = 3, .dilation = 2, .activation = TCSI_ACTIVATION_TANH });
    return tcsi_nn_conv_residual(net, x, x, &(tcsi_conv_options){ .channels = 5, .kernel = 2, .dilation = 4 });
}

static tcsi_node_id nn_conv_same(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 9, 3);
    x = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 4, .kernel = 4, .padding = TCSI_PADDING_SAME, .activation = TCSI_ACTIVATION_SIGMOID });
    return tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 2, .kernel = 3, .stride = 2, .padding = TCSI_PADDING_SAME });
}

static tcsi_node_id nn_conv_valid(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 12, 2);
    return tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 3, .kernel = 3, .stride = 2, .dilation = 2, .padding = TCSI_PADDING_VALID });
}

static tcsi_node_id nn_conv_depthwise(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 10, 4);
    return tcsi_nn_conv(net, x, &(tcsi_conv_options){ .kernel = 3, .dilation = 2, .is_depthwise = true, .activation = TCSI_ACTIVATION_TANH });
}

/* ---- layers ---- */

static tcsi_node_id nn_units(tcsi_net *net, tcsi_node_id x, size_t units)
{
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = units });
}

static tcsi_node_id nn_dense_relu(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 2, 4);
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 5, .activation = TCSI_ACTIVATION_RELU });
    return nn_units(net, x, 2);
}

static tcsi_node_id nn_conv_transposed_causal(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    x = tcsi_nn_conv_transposed(net, x, &(tcsi_conv_options){ .channels = 4, .kernel = 3, .dilation = 2, .activation = TCSI_ACTIVATION_TANH });
    return tcsi_nn_conv_transposed(net, x, &(tcsi_conv_options){ .channels = 2, .kernel = 3, .stride = 2, .without_bias = true });
}

static tcsi_node_id nn_conv_transposed_same(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    x = tcsi_nn_conv_transposed(net, x, &(tcsi_conv_options){ .channels = 4, .kernel = 5, .stride = 2, .padding = TCSI_PADDING_SAME });
    return tcsi_nn_conv_transposed(net, x, &(tcsi_conv_options){ .channels = 2, .kernel = 3, .stride = 3, .padding = TCSI_PADDING_SAME });
}

static tcsi_node_id nn_conv_transposed_valid(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    x = tcsi_nn_conv_transposed(net, x, &(tcsi_conv_options){ .channels = 4, .kernel = 3, .stride = 2, .dilation = 2,
                                                              .padding = TCSI_PADDING_VALID });
    return tcsi_nn_conv_transposed(net, x, &(tcsi_conv_options){ .kernel = 2, .padding = TCSI_PADDING_VALID, .is_depthwise = true });
}

/* All functions, one after another, each in its domain and none larger than some tens; the corners of the last two are far. */
static tcsi_node_id nn_unary_all(tcsi_net *net)
{
    tcsi_node_id x = nn_units(net, tcsi_nn_input(net, 3, 4), 5);
    x = tcsi_nn_unary(net, tcsi_nn_unary(net, x, TCSI_UNARY_TANH), TCSI_UNARY_EXP);
    x = tcsi_nn_unary(net, tcsi_nn_unary(net, x, TCSI_UNARY_LOG), TCSI_UNARY_SIGMOID);
    x = tcsi_nn_unary(net, tcsi_nn_unary(net, x, TCSI_UNARY_SQRT), TCSI_UNARY_SQUARE);
    x = nn_units(net, x, 5);
    return tcsi_nn_unary(net, tcsi_nn_unary(net, x, TCSI_UNARY_GELU), TCSI_UNARY_SOFTPLUS);
}

static tcsi_node_id nn_unary_corners(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 2, 3);
    tcsi_node_id relu = tcsi_nn_unary(net, x, TCSI_UNARY_RELU), absolute = tcsi_nn_unary(net, x, TCSI_UNARY_ABS);
    return nn_units(net, tcsi_nn_concat(net, (tcsi_node_id[]){ relu, absolute }, 2), 2);
}

static tcsi_node_id nn_add(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4), h = nn_units(net, x, 4);
    return tcsi_nn_add(net, tcsi_nn_add(net, h, x), h);
}

static tcsi_node_id nn_multiply(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4), h = nn_units(net, x, 4);
    return tcsi_nn_multiply(net, tcsi_nn_multiply(net, h, x), h);
}

static tcsi_node_id nn_scale(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4), h = tcsi_nn_scale(net, nn_units(net, x, 4), -1.5f);
    return tcsi_nn_add(net, tcsi_nn_scale(net, h, 0.25f), h);
}

/* What stands behind the detached branch is an input that nobody asks the gradient of. */
static tcsi_node_id nn_detach(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4), other = tcsi_nn_input(net, 3, 2), h = nn_units(net, x, 2);
    return tcsi_nn_multiply(net, h, tcsi_nn_detach(net, other));
}

static tcsi_node_id nn_dropout(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4);
    return nn_units(net, tcsi_nn_dropout(net, nn_units(net, x, 7), 0.4f), 2);
}

static tcsi_node_id nn_concat(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4), h = nn_units(net, x, 2);
    return nn_units(net, tcsi_nn_concat(net, (tcsi_node_id[]){ h, x, h }, 3), 2);
}

static tcsi_node_id nn_slice(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 7), low = tcsi_nn_slice(net, x, 0, 4), high = tcsi_nn_slice(net, x, 3, 4);
    return nn_units(net, tcsi_nn_multiply(net, low, high), 2);
}

static tcsi_node_id nn_reverse(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 5), h = nn_units(net, x, 5);
    return tcsi_nn_multiply(net, h, tcsi_nn_reverse(net, h));
}

static tcsi_node_id nn_softmax(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4);
    return tcsi_nn_softmax(net, nn_units(net, x, 5));
}

static tcsi_node_id nn_steps(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 6, 3), h = nn_units(net, x, 2);
    tcsi_node_id early = tcsi_nn_steps(net, h, 1, 3), late = tcsi_nn_steps(net, h, 2, 3);
    return tcsi_nn_multiply(net, early, late);
}

static tcsi_node_id nn_last(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 6, 3);
    x = tcsi_nn_conv(net, x, &(tcsi_conv_options){ .channels = 4, .kernel = 3 });
    return nn_units(net, tcsi_nn_last(net, x), 2);
}

static tcsi_node_id nn_repeat(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 1, 4), h = nn_units(net, x, 3);
    return nn_units(net, tcsi_nn_repeat(net, h, 5), 2);
}

static tcsi_node_id nn_reshape(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3), h = tcsi_nn_flatten(net, x);
    h = tcsi_nn_reshape(net, tcsi_nn_unflatten(net, nn_units(net, h, 8), 4), 2, 4);
    return tcsi_nn_add(net, h, tcsi_nn_steps(net, tcsi_nn_reshape(net, x, 3, 4), 1, 2));
}

static tcsi_node_id nn_pool_mean(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 9, 3), h = nn_units(net, x, 4);
    h = tcsi_nn_pool(net, h, &(tcsi_pool_options){ .window = 3, .stride = 2 });
    return nn_units(net, h, 2);
}

static tcsi_node_id nn_pool_max(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 9, 3);
    x = tcsi_nn_pool(net, x, &(tcsi_pool_options){ .window = 3, .stride = 2, .is_max = true });
    return nn_units(net, x, 2);
}

static tcsi_node_id nn_pool_global(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 3), h = nn_units(net, x, 4);
    tcsi_node_id mean = tcsi_nn_global_mean(net, h), max = tcsi_nn_global_max(net, x);
    return tcsi_nn_concat(net, (tcsi_node_id[]){ mean, max }, 2);
}

static tcsi_node_id nn_mean(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 3);
    return tcsi_nn_mean(net, tcsi_nn_unary(net, nn_units(net, x, 4), TCSI_UNARY_TANH));
}

static tcsi_node_id nn_layer_norm(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4), h = nn_units(net, x, 6);
    return nn_units(net, tcsi_nn_layer_norm(net, h, &(tcsi_layer_norm_options){ 0 }), 2);
}

/* No biases in front: batch norm takes them away again, and a gradient of nothing but rounding cannot be compared. */
static tcsi_node_id nn_batch_norm(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4);
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 6, .without_bias = true });
    x = tcsi_nn_unary(net, tcsi_nn_batch_norm(net, x, &(tcsi_batch_norm_options){ 0 }), TCSI_UNARY_TANH);
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 2, .without_bias = true });
    return tcsi_nn_batch_norm(net, x, &(tcsi_batch_norm_options){ .epsilon = 1e-3f, .momentum = 0.3 });
}

static tcsi_node_id nn_instance_statistics(tcsi_net *net)
{
    tcsi_node_id statistics, x = tcsi_nn_input(net, 6, 3);
    (void)tcsi_nn_instance_norm(net, x, &statistics);
    return nn_units(net, statistics, 2);
}

static tcsi_node_id nn_instance_norm(tcsi_net *net)
{
    tcsi_node_id statistics, x = tcsi_nn_input(net, 6, 3);
    return nn_units(net, tcsi_nn_instance_norm(net, x, &statistics), 2);
}

static tcsi_node_id nn_instance_denorm(tcsi_net *net)
{
    tcsi_node_id statistics, x = tcsi_nn_input(net, 6, 3), norm = tcsi_nn_instance_norm(net, x, &statistics);
    tcsi_node_id h = tcsi_nn_dense(net, norm, &(tcsi_dense_options){ .units = 3, .activation = TCSI_ACTIVATION_TANH });
    return tcsi_nn_instance_denorm(net, tcsi_nn_steps(net, h, 2, 4), norm);
}

static tcsi_node_id nn_lstm(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 3);
    return nn_units(net, tcsi_nn_lstm(net, tcsi_nn_lstm(net, x, 4), 3), 2);
}

static tcsi_node_id nn_lstm_last(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 3);
    return nn_units(net, tcsi_nn_last(net, tcsi_nn_lstm(net, x, 5)), 2);
}

static tcsi_node_id nn_gru(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 3);
    return nn_units(net, tcsi_nn_gru(net, tcsi_nn_gru(net, x, 4), 3), 2);
}

static tcsi_node_id nn_attention_plain(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 4);
    return tcsi_nn_self_attention(net, x, &(tcsi_attention_options){ .head_count = 2 }, NULL);
}

static tcsi_node_id nn_attention_causal(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 6, 6);
    return tcsi_nn_self_attention(net, x, &(tcsi_attention_options){ .head_count = 3, .is_causal = true }, NULL);
}

static tcsi_node_id nn_association(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 4), pairs = nn_units(net, x, 8), widths = nn_units(net, x, 2);
    return nn_units(net, tcsi_nn_association(net, pairs, widths, 2), 2);
}

static tcsi_node_id nn_transformer_after(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 4);
    return tcsi_nn_transformer(net, x, &(tcsi_transformer_options){ .head_count = 2, .hidden = 6, .is_gelu = true }, NULL);
}

static tcsi_node_id nn_transformer_before(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 4);
    return tcsi_nn_transformer(net, x, &(tcsi_transformer_options){ .head_count = 1, .hidden = 5, .is_causal = true, .norm_first = true,
                                                                    .is_gelu = true, .dropout = 0.2f }, NULL);
}

static tcsi_node_id nn_position_sinusoidal(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 3), h = nn_units(net, x, 5);
    return nn_units(net, tcsi_nn_position_sinusoidal(net, h), 2);
}

static tcsi_node_id nn_position_learned(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 3), h = nn_units(net, x, 4);
    return nn_units(net, tcsi_nn_position_learned(net, h), 2);
}

static tcsi_node_id nn_time2vec(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 5, 2);
    return nn_units(net, tcsi_nn_time2vec(net, x, 3), 2);
}

static tcsi_node_id nn_embedding(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 2, 3);
    tcsi_node_id first = tcsi_nn_embedding(net, x, &(tcsi_embedding_options){ .count = 5, .units = 4, .channel = 1 });
    tcsi_node_id second = tcsi_nn_embedding(net, x, &(tcsi_embedding_options){ .count = 6, .units = 3, .channel = 2 });
    return nn_units(net, tcsi_nn_concat(net, (tcsi_node_id[]){ first, second }, 2), 2);
}

/* ---- losses ---- */

static tcsi_node_id nn_loss_pair(tcsi_net *net, tcsi_node_id *ret_target)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    *ret_target = tcsi_nn_input(net, 4, 2);
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 2 });
}

static tcsi_node_id nn_loss_squared(tcsi_net *net)
{
    tcsi_node_id target, y = nn_loss_pair(net, &target);
    return tcsi_nn_loss_squared(net, y, target);
}

static tcsi_node_id nn_loss_absolute(tcsi_net *net)
{
    tcsi_node_id target, y = nn_loss_pair(net, &target);
    return tcsi_nn_loss_absolute(net, y, target);
}

static tcsi_node_id nn_loss_huber(tcsi_net *net)
{
    tcsi_node_id target, y = nn_loss_pair(net, &target);
    return tcsi_nn_loss_huber(net, y, target, 0.7f);
}

/* ---- the nets of probabilistic layers and their losses ---- */

/* A dense layer of `units` on an input (4,3), and a target (4,2). */
static tcsi_node_id nn_dense_with_target(tcsi_net *net, size_t units, tcsi_node_id *ret_target)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    *ret_target = tcsi_nn_input(net, 4, 2);
    return tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = units });
}

static tcsi_node_id nn_loss_gaussian(tcsi_net *net)
{
    tcsi_node_id target, y = nn_dense_with_target(net, 4, &target);
    return tcsi_nn_loss_gaussian(net, y, target);
}

static tcsi_node_id nn_gaussian_head(tcsi_net *net)
{
    return tcsi_nn_gaussian_head(net, tcsi_nn_input(net, 4, 3), &(tcsi_gaussian_head_options){ .units = 2 });
}

static tcsi_node_id nn_gaussian_head_softplus(tcsi_net *net)
{
    return tcsi_nn_gaussian_head(net, tcsi_nn_input(net, 4, 3), &(tcsi_gaussian_head_options){ .units = 2, .is_softplus = true });
}

static tcsi_node_id nn_student_head(tcsi_net *net)
{
    return tcsi_nn_student_head(net, tcsi_nn_input(net, 4, 3), &(tcsi_student_head_options){ .units = 2, .learns_degrees = true });
}

static tcsi_node_id nn_loss_student_fixed(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3), target = tcsi_nn_input(net, 4, 2);
    return tcsi_nn_loss_student(net, tcsi_nn_student_head(net, x, &(tcsi_student_head_options){ .units = 2 }), target, 4);
}

static tcsi_node_id nn_loss_student_learned(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3), target = tcsi_nn_input(net, 4, 2);
    x = tcsi_nn_student_head(net, x, &(tcsi_student_head_options){ .units = 2, .learns_degrees = true });
    return tcsi_nn_loss_student(net, x, target, 0);
}

static tcsi_node_id nn_quantile_head(tcsi_net *net)
{
    return tcsi_nn_quantile_head(net, tcsi_nn_input(net, 4, 3), &(tcsi_quantile_head_options){ .units = 2, .quantile_count = 3 });
}

static tcsi_node_id nn_loss_quantile(tcsi_net *net)
{
    tcsi_node_id target, y = nn_dense_with_target(net, 6, &target);
    return tcsi_nn_loss_quantile(net, y, target, &(tcsi_quantiles){ 3, { 0.1f, 0.5f, 0.9f } });
}

static tcsi_node_id nn_sample(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4);
    return tcsi_nn_sample(net, tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 6 })); /* 9 numbers a row: not a multiple of 4 */
}

static tcsi_node_id nn_loss_divergence(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4);
    return tcsi_nn_loss_divergence(net, tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 6 }));
}

static tcsi_node_id nn_loss_logits(tcsi_net *net)
{
    tcsi_node_id target, y = nn_dense_with_target(net, 2, &target);
    return tcsi_nn_loss_logits(net, y, target);
}

static tcsi_node_id nn_loss_logits_all(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 4, 3);
    return tcsi_nn_loss_logits_all(net, tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 2 }), 0.9f);
}

static tcsi_node_id nn_loss_focal(tcsi_net *net)
{
    tcsi_node_id target, y = nn_dense_with_target(net, 2, &target);
    return tcsi_nn_loss_focal(net, y, target, &(tcsi_focal_options){ .gamma = 2, .class_weight = 0.25f });
}

static tcsi_node_id nn_loss_focal_adjusted(tcsi_net *net)
{
    tcsi_node_id target, y = nn_dense_with_target(net, 2, &target);
    return tcsi_nn_loss_focal(net, y, target, &(tcsi_focal_options){ .gamma = 1.5f, .base_rate = 0.2f, .adjustment = 0.8f });
}

static tcsi_node_id nn_loss_tolerant(tcsi_net *net)
{
    tcsi_node_id target, y = nn_dense_with_target(net, 2, &target);
    return tcsi_nn_loss_focal(net, y, target, &(tcsi_focal_options){ .gamma = 0.5f, .tolerance = 0.7f });
}

static tcsi_node_id nn_loss_unlabelled(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 1, 3), label = tcsi_nn_input(net, 1, 1);
    tcsi_node_id y = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 1 });
    const tcsi_focal_options focal = { .gamma = 1 };
    return tcsi_nn_loss_unlabelled(net, tcsi_nn_loss_focal_all(net, y, 1, &focal), tcsi_nn_loss_focal_all(net, y, 0, &focal), label);
}

static tcsi_node_id nn_loss_rank(tcsi_net *net)
{
    tcsi_node_id s = tcsi_nn_input(net, 5, 3), target = tcsi_nn_input(net, 5, 1);
    return tcsi_nn_loss_rank(net, tcsi_nn_dense(net, s, &(tcsi_dense_options){ .units = 1, .without_bias = true }), target, 1.5f);
}

static tcsi_node_id nn_loss_deviation(tcsi_net *net)
{
    tcsi_node_id target, y = nn_dense_with_target(net, 2, &target);
    return tcsi_nn_loss_deviation(net, y, target, &(tcsi_deviation_options){ 0 });
}

static tcsi_node_id nn_sphere(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 2, 4);
    return tcsi_nn_sphere(net, tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 3, .without_bias = true }));
}

static tcsi_node_id nn_loss_soft_boundary(tcsi_net *net)
{
    return tcsi_nn_loss_soft_boundary(net, nn_sphere(net), 0.1f);
}

static tcsi_node_id nn_loss_sphere_labels(tcsi_net *net)
{
    tcsi_node_id sphere = nn_sphere(net);
    return tcsi_nn_loss_sphere_labels(net, sphere, tcsi_nn_input(net, 1, 1), 2);
}

static tcsi_node_id nn_loss_infonce(tcsi_net *net)
{
    tcsi_node_id a = tcsi_nn_input(net, 2, 4), b = tcsi_nn_input(net, 2, 4);
    a = tcsi_nn_dense(net, a, &(tcsi_dense_options){ .units = 3 });
    b = tcsi_nn_dense(net, b, &(tcsi_dense_options){ .units = 3 });
    return tcsi_nn_loss_infonce(net, a, b, 0.5f);
}

static tcsi_node_id nn_loss_farthest(tcsi_net *net)
{
    tcsi_node_id a = tcsi_nn_input(net, 2, 4), b = tcsi_nn_input(net, 2, 4);
    a = tcsi_nn_dense(net, a, &(tcsi_dense_options){ .units = 3 });
    b = tcsi_nn_dense(net, b, &(tcsi_dense_options){ .units = 3 });
    return tcsi_nn_loss_farthest(net, a, b, 2);
}

static tcsi_node_id nn_loss_triplet(tcsi_net *net)
{
    tcsi_node_id anchor = tcsi_nn_input(net, 2, 4), positive = tcsi_nn_input(net, 2, 4), negative = tcsi_nn_input(net, 2, 4);
    anchor = tcsi_nn_dense(net, anchor, &(tcsi_dense_options){ .units = 3 });
    positive = tcsi_nn_dense(net, positive, &(tcsi_dense_options){ .units = 3 });
    negative = tcsi_nn_dense(net, negative, &(tcsi_dense_options){ .units = 3 });
    return tcsi_nn_loss_triplet(net, anchor, positive, negative, 4);
}

static tcsi_node_id nn_loss_sum(tcsi_net *net)
{
    tcsi_node_id target, y = nn_dense_with_target(net, 2, &target);
    tcsi_node_id losses[] = { tcsi_nn_loss_squared(net, y, target), tcsi_nn_loss_huber(net, y, target, 0.5f) };
    return tcsi_nn_loss_sum(net, losses, (float[]){ 0.5f, 3 }, 2);
}

static tcsi_node_id nn_bayes(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4);
    x = tcsi_nn_bayes(net, x, &(tcsi_bayes_options){ .units = 5, .activation = TCSI_ACTIVATION_TANH, .start_deviation = 0.5f });
    return tcsi_nn_bayes(net, x, &(tcsi_bayes_options){ .units = 2, .without_bias = true, .start_deviation = 0.5f });
}

static tcsi_node_id nn_loss_bayes(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 3, 4), target = tcsi_nn_input(net, 3, 2);
    tcsi_node_id y = tcsi_nn_bayes(net, x, &(tcsi_bayes_options){ .units = 2, .start_deviation = 0.5f });
    tcsi_node_id losses[] = { tcsi_nn_loss_squared(net, y, target), tcsi_nn_loss_bayes(net, y, 0.7f) };
    return tcsi_nn_loss_sum(net, losses, (float[]){ 1, 0.2f }, 2);
}

static tcsi_node_id nn_coupling(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 2, 5), h = tcsi_nn_input(net, 2, 3);
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 5 });
    return tcsi_nn_coupling(net, x, tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 6 }), 1.5f);
}

static tcsi_node_id nn_coupling_inverse(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 2, 4), h = tcsi_nn_input(net, 2, 3);
    x = tcsi_nn_dense(net, x, &(tcsi_dense_options){ .units = 4 });
    return tcsi_nn_coupling_inverse(net, x, tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 4 }), 1.5f);
}

static tcsi_node_id nn_loss_flow(tcsi_net *net)
{
    tcsi_node_id x = tcsi_nn_input(net, 2, 4), h = tcsi_nn_input(net, 2, 3);
    tcsi_node_id first = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 4 });
    x = tcsi_nn_coupling(net, x, first, 1.5f);
    tcsi_node_id second = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 4 });
    x = tcsi_nn_coupling(net, x, second, 1.5f);
    return tcsi_nn_loss_flow(net, x, tcsi_nn_log_det(net, second, tcsi_nn_log_det(net, first, TCSI_NODE_NONE, 1.5f), 1.5f));
}

static tcsi_node_id nn_log_det(tcsi_net *net)
{
    tcsi_node_id h = tcsi_nn_input(net, 2, 3), first = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 4 });
    tcsi_node_id second = tcsi_nn_dense(net, h, &(tcsi_dense_options){ .units = 4 });
    return tcsi_nn_log_det(net, second, tcsi_nn_log_det(net, first, TCSI_NODE_NONE, 1.5f), 1.5f);
}

static const nn_case nn_cases[] = {
    { "dense", "dense", nn_dense_plain, { 0 }, 0, 0 },
    { "dense", "dense, three activations", nn_dense_activated, { 0 }, 0, 0 },
    { "dense", "dense with residual", nn_dense_residual, { 0 }, 0, 0 },
    { "dense", "dense, weights used twice", nn_dense_shared, { 0 }, 0, 0 },
    { "conv", "conv, causal and dilated", nn_conv_causal, { 0 }, 0, 0 },
    { "conv", "conv, centred and strided", nn_conv_same, { 0 }, 0, 0 },
    { "conv", "conv, whole windows only", nn_conv_valid, { 0 }, 0, 0 },
    { "conv", "conv, depthwise", nn_conv_depthwise, { 0 }, 0, 0 },
    { "dense", "dense, ReLU", nn_dense_relu, { 0 }, 3, 0 },
    { "conv_transposed", "transposed conv, causal", nn_conv_transposed_causal, { 0 }, 0, 0 },
    { "conv_transposed", "transposed conv, centred", nn_conv_transposed_same, { 0 }, 0, 0 },
    { "conv_transposed", "transposed conv, all of it", nn_conv_transposed_valid, { 0 }, 0, 0 },
    { "unary", "smooth functions", nn_unary_all, { 0 }, 0, 0 },
    { "unary", "functions with corners", nn_unary_corners, { 0 }, 0, 0 },
    { "add", "add", nn_add, { 0 }, 0, 0 },
    { "multiply", "multiply", nn_multiply, { 0 }, 0, 0 },
    { "scale", "scale", nn_scale, { 0 }, 0, 0 },
    { "detach", "detach", nn_detach, { 0 }, 0, 0 },
    { "dropout", "dropout", nn_dropout, { 0 }, 0, 0 },
    { "concat", "concat", nn_concat, { 0 }, 0, 0 },
    { "slice", "slice", nn_slice, { 0 }, 0, 0 },
    { "reverse", "reverse", nn_reverse, { 0 }, 0, 0 },
    { "softmax", "softmax", nn_softmax, { 0 }, 0, 0 },
    { "steps", "steps", nn_steps, { 0 }, 0, 0 },
    { "steps", "last step", nn_last, { 0 }, 0, 0 },
    { "repeat", "repeat", nn_repeat, { 0 }, 0, 0 },
    { "reshape", "reshape", nn_reshape, { 0 }, 0, 0 },
    { "pool", "mean pooling", nn_pool_mean, { 0 }, 0, 0 },
    { "pool", "max pooling", nn_pool_max, { 0 }, 0, 0 },
    { "pool", "global pooling", nn_pool_global, { 0 }, 0, 0 },
    { "mean", "mean", nn_mean, { 0 }, 0, 0 },
    { "layer_norm", "layer norm", nn_layer_norm, { 0 }, 0, 0 },
    { "batch_norm", "batch norm", nn_batch_norm, { 0 }, 0, 0 },
    /* by its input the gradient leaves the statistics out, which finite differences do not: the golden vector looks at that */
    { "instance_statistics", "instance statistics", nn_instance_statistics, { NN_FILL_POSITIVE }, 0, 0 },
    { "instance_norm", "instance norm", nn_instance_norm, { NN_FILL_POSITIVE }, 0, 0 },
    { "instance_denorm", "instance denorm", nn_instance_denorm, { NN_FILL_POSITIVE }, 0, 0 },
    /* the hidden weights' gradient is small beside the loss's rounding; the golden vector is the sharper test here */
    { "lstm", "LSTM", nn_lstm, { 0 }, 0, 2e-2 },
    { "lstm", "LSTM, last state", nn_lstm_last, { 0 }, 0, 0 },
    { "gru", "GRU", nn_gru, { 0 }, 0, 0 },
    { "attention", "attention", nn_attention_plain, { 0 }, 0, 0 },
    { "attention", "attention, causal", nn_attention_causal, { 0 }, 0, 0 },
    { "association", "association", nn_association, { 0 }, 0, 0 },
    { "attention", "transformer, norm after", nn_transformer_after, { 0 }, 0, 0 },
    { "attention", "transformer, norm before, causal", nn_transformer_before, { 0 }, 0, 0 },
    { "position_sinusoidal", "sinusoidal positions", nn_position_sinusoidal, { 0 }, 0, 0 },
    { "position_learned", "learned positions", nn_position_learned, { 0 }, 0, 0 },
    { "time2vec", "time2vec", nn_time2vec, { 0 }, 0, 0 },
    { "embedding", "embedding", nn_embedding, { NN_FILL_INDEX }, 0, 0 },
    { "loss_squared", "squared loss", nn_loss_squared, { 0, NN_FILL_GAPS }, 0, 0 },
    { "loss_absolute", "absolute loss", nn_loss_absolute, { 0, NN_FILL_GAPS }, 0, 0 },
    { "loss_huber", "Huber loss", nn_loss_huber, { 0, NN_FILL_GAPS }, 0, 0 },

    { "loss_gaussian", "Gaussian loss", nn_loss_gaussian, { 0, NN_FILL_GAPS }, 0, 0 },
    { "head", "Gaussian head", nn_gaussian_head, { 0 }, 0, 0 },
    { "head", "Gaussian head, softplus", nn_gaussian_head_softplus, { 0 }, 0, 0 },
    { "head", "Student head", nn_student_head, { 0 }, 0, 0 },
    { "loss_student", "Student loss, 4 degrees", nn_loss_student_fixed, { 0, NN_FILL_GAPS }, 0, 0 },
    { "loss_student", "Student loss, degrees learned", nn_loss_student_learned, { 0, NN_FILL_GAPS }, 0, 0 },
    { "head", "quantile head", nn_quantile_head, { 0 }, 0, 0 },
    { "loss_quantile", "quantile loss", nn_loss_quantile, { 0, NN_FILL_GAPS }, 0, 0 },
    { "sample", "sample", nn_sample, { 0 }, 0, 0 },
    { "loss_divergence", "divergence loss", nn_loss_divergence, { 0 }, 0, 0 },
    { "loss_logits", "logits loss", nn_loss_logits, { 0, NN_FILL_BIT }, 0, 0 },
    { "loss_logits", "logits loss, one target", nn_loss_logits_all, { 0 }, 0, 0 },
    { "loss_logits", "focal loss", nn_loss_focal, { 0, NN_FILL_BIT }, 0, 0 },
    { "loss_logits", "focal loss, adjusted", nn_loss_focal_adjusted, { 0, NN_FILL_GAPS }, 0, 0 },
    { "loss_logits", "tolerant focal loss", nn_loss_tolerant, { 0, NN_FILL_GAPS }, 0, 0 },
    { "loss_unlabelled", "unlabelled loss", nn_loss_unlabelled, { 0, NN_FILL_BIT }, 0, 0 },
    { "loss_unlabelled", "unlabelled loss, overfitted", nn_loss_unlabelled, { 0, NN_FILL_BIT }, 0, 0 },
    { "loss_rank", "rank loss", nn_loss_rank, { 0, NN_FILL_BIT }, 0, 0 },
    { "loss_rank", "rank loss, gaps", nn_loss_rank, { 0, NN_FILL_GAPS }, 0, 0 },
    { "loss_deviation", "deviation loss", nn_loss_deviation, { 0, NN_FILL_BIT }, 0, 0 },
    { "sphere", "sphere", nn_sphere, { 0 }, 0, 0 },
    { "loss_soft_boundary", "soft boundary loss", nn_loss_soft_boundary, { 0 }, 0, 0 },
    { "loss_sphere_labels", "sphere loss with labels", nn_loss_sphere_labels, { 0, NN_FILL_SIGN }, 0, 0 },
    { "loss_infonce", "InfoNCE loss", nn_loss_infonce, { 0 }, 0, 0 },
    { "loss_farthest", "farthest in batch loss", nn_loss_farthest, { 0 }, 0, 0 },
    { "loss_triplet", "triplet loss", nn_loss_triplet, { 0 }, 0, 0 },
    { "loss_sum", "sum of losses", nn_loss_sum, { 0, NN_FILL_GAPS }, 0, 0 },
    { "bayes", "Bayes by backprop", nn_bayes, { 0 }, 0, 0 },
    { "loss_bayes", "Bayes by backprop with its loss", nn_loss_bayes, { 0 }, 0, 0 },
    { "coupling", "coupling", nn_coupling, { 0 }, 0, 0 },
    { "coupling", "coupling, undone", nn_coupling_inverse, { 0 }, 0, 0 },
    { "loss_flow", "flow likelihood loss", nn_loss_flow, { 0 }, 0, 0 },
    { "log_det", "log determinant", nn_log_det, { 0 }, 0, 0 },
};

/* ---- a case, ready to run ---- */

typedef struct nn_bench {
    tcsi_net *net;
    tcsi_node_id looked_at, loss;
    tcsi_run run;
    float *values[TCSI_RUN_INPUT_MAX];
    size_t counts[TCSI_RUN_INPUT_MAX]; /* floats a row */
    size_t input_count;
    tcsi_precision precision; /* of its plans; single unless set */
} nn_bench;

static inline void nn_fill_values(nn_fill fill, uint64_t seed, size_t count, float *values)
{
    tcsi_rng rng = tcsi_rng_make(seed, 77);
    for (size_t i = 0; i < count; i++) {
        double normal = tcsi_rng_normal(&rng);
        switch (fill) {
        case NN_FILL_NORMAL: values[i] = (float)normal; break;
        case NN_FILL_POSITIVE: values[i] = (float)(normal * normal + 0.1); break;
        case NN_FILL_BIT: values[i] = normal > 0; break;
        case NN_FILL_INDEX: values[i] = (float)tcsi_rng_below(&rng, 5); break;
        case NN_FILL_SIGN: values[i] = (float)((normal > 0.4) - (normal < -0.4)); break;
        case NN_FILL_GAPS: values[i] = i % 5 == 3 ? (float)NAN : (float)normal; break;
        }
    }
}

/* Builds the case's net with a loss behind it and fills `batch` rows of every input. */
static inline tcs_status nn_bench_init(nn_bench *bench, const nn_case *one, size_t batch, tcs_error *err)
{
    *bench = (nn_bench){ 0 };
    tcs_status status = tcsi_net_create(11, &bench->net, err);
    if (status != TCS_OK) return status;
    bench->loss = bench->looked_at = one->build(bench->net);
    if (bench->net->status == TCS_OK && !(tcsi_net_node(bench->net, bench->looked_at)->op->traits & TCSI_OP_LOSS)) {
        tcsi_shape shape = tcsi_net_shape(bench->net, bench->looked_at);
        tcsi_node_id target = tcsi_nn_input(bench->net, shape.length, shape.channels);
        bench->loss = tcsi_nn_loss_squared(bench->net, bench->looked_at, target);
    }
    status = tcsi_net_finish(bench->net, err);
    if (status != TCS_OK) return status;
    bench->run = (tcsi_run){ .batch = batch, .is_training = true, .is_stochastic = true, .seed = 5, .step = 3 };
    for (size_t n = 0; n < bench->net->node_count; n++) {
        const tcsi_node *node = tcsi_net_node(bench->net, (tcsi_node_id)n);
        if (!(node->op->traits & TCSI_OP_INPUT)) continue;
        size_t k = bench->input_count++;
        bench->counts[k] = node->shape.length * node->shape.channels;
        bench->values[k] = calloc(batch * bench->counts[k] + 1, sizeof(float));
        nn_fill_values(one->fills[k], 100 + k, batch * bench->counts[k], bench->values[k]);
        bench->run.inputs[k] = bench->values[k];
    }
    return TCS_OK;
}

static inline void nn_bench_deinit(nn_bench *bench)
{
    for (size_t k = 0; k < bench->input_count; k++) free(bench->values[k]);
    tcsi_net_destroy(bench->net);
}

static inline tcs_status nn_bench_plan(const nn_bench *bench, tcsi_isa isa, tcsi_plan **ret_plan, tcs_error *err)
{
    bool is_loss = bench->looked_at == bench->loss;
    return tcsi_plan_create(&(tcsi_plan_options){ .net = bench->net, .batch = bench->run.batch, .has_loss = true, .loss = bench->loss,
                                                  .outputs = &bench->looked_at, .output_count = !is_loss, .input_gradients = true,
                                                  .has_isa = true, .isa = isa, .precision = bench->precision },
                            ret_plan, err);
}

#endif
