/* nn/ops/bayes.c -- a dense layer that is unsure of its weights, and what being sure costs.
 *
 * C. Blundell, J. Cornebise, K. Kavukcuoglu, D. Wierstra, "Weight uncertainty in neural networks", ICML 2015: every weight is a normal
 * distribution with mean m and deviation s = softplus(rho).  A run draws W = m + s noise, once for all its rows, shards and threads,
 * and for all nodes that share the weights; a run that is not stochastic takes W = m.  Spread over several stochastic runs (steps)
 * is what the net does not know.
 *
 * The loss is the divergence of these distributions from a normal prior with mean 0 and deviation p, summed over the weights:
 *     log(p / s) + (s^2 + m^2) / (2 p^2) - 1/2          by m  m / p^2          by s  s / p^2 - 1 / s
 * In one row's share of the evidence bound it stands with the coefficient 1 / (rows of the training set), equation 8 there.  The prior is
 * one normal distribution in closed form, not their mixture of two, which needs samples.
 *
 * Cost beside a dense layer: the noise of all weights is drawn by each shard, forward and again backward, instead of being kept; the
 * divergence is likewise computed by each shard, as it needs no more than one pass over the weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"
#include "kernels/random.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <math.h>
#include <string.h>

/* Weights in order, twice: the means, then rho of each.  Without a bias there are WEIGHT and its rho alone. */
enum { WEIGHT, BIAS, PAIR };
enum { X, PIECE = 512 };

static const float DEVIATION_MIN = 1e-38f;

static size_t tensor_pairs(const tcsi_bayes_options *options)
{
    return options->without_bias ? 1 : PAIR;
}

/* rho at the beginning: softplus(rho) is the deviation. */
static float start_rho(const tcsi_bayes_options *options)
{
    double deviation = options->start_deviation > 0 ? (double)options->start_deviation : 0.01;
    return (float)(deviation > 30 ? deviation : log(expm1(deviation)));
}

/* The prior draws weights to 0, so that no weight decay is wanted beside it. */
static tcs_status declare_weights(tcsi_net *net, tcsi_node *node, const tcsi_bayes_options *options, size_t channels, tcs_error *err)
{
    static const char *const names[] = { "weight", "bias", "weight_rho", "bias_rho" };
    tcs_status status = TCS_OK;
    for (size_t i = 0; i < 2 * PAIR && status == TCS_OK; i++) {
        bool is_bias = i % PAIR == BIAS, is_rho = i >= PAIR;
        if (is_bias && options->without_bias) continue;
        tcsi_weight weight = { .dims = { channels, options->units }, .dim_count = 2, .start = TCSI_START_UNIFORM, .fan_in = channels };
        if (is_bias) weight = (tcsi_weight){ .dims = { options->units }, .dim_count = 1, .start = TCSI_START_UNIFORM, .fan_in = channels };
        if (is_rho) weight.start = TCSI_START_CONSTANT;
        weight.start_value = start_rho(options);
        memcpy(weight.name, names[i], strlen(names[i]) + 1);
        status = tcsi_net_weight(net, node, &weight, err);
    }
    return status;
}

/* ---- the layer ---- */

static tcs_status bayes_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_bayes_options *options = node->options;
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]);
    node->shape = (tcsi_shape){ x.length, options->units };
    if (options->units == 0) return tcsi_fail(err, TCS_E_INVALID, "bayes: needs 1 or more units");
    if (!(options->start_deviation >= 0 && options->start_deviation <= 1e3f))
        return tcsi_fail(err, TCS_E_INVALID, "bayes: needs a start_deviation in [0, 1000], got %g", (double)options->start_deviation);
    return declare_weights(net, node, options, x.channels, err);
}

static size_t channels_in(const tcsi_net *net, const tcsi_node *node)
{
    return tcsi_net_shape(net, node->inputs[X]).channels;
}

/* Weight and bias, and two more parts of that size: see `drawing`. */
static size_t bayes_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)batch;
    return 3 * tcsi_floats_round((channels_in(net, node) + 1) * node->shape.channels);
}

/* The weights of one run, and what leads to them; each (C,U), and the bias (U) behind it. */
typedef struct drawing {
    const float *values[PAIR];
    float *noise[PAIR];     /* stochastic only */
    float *work;            /* (C,U), free */
} drawing;

/* values = m + softplus(rho) noise, in scratch; the means themselves when not stochastic. */
static drawing draw(const tcsi_op_call *call)
{
    const tcsi_bayes_options *options = call->node->options;
    size_t pairs = tensor_pairs(options), counts[PAIR] = { channels_in(call->net, call->node) * options->units, options->units };
    size_t part = bayes_scratch(call->net, call->node, 1) / 3;
    float *values = call->scratch, *noise = values + part;
    drawing drawn = { .values = { call->w[WEIGHT], pairs > BIAS ? call->w[BIAS] : NULL }, .work = noise + part };
    if (!call->is_stochastic) return drawn;
    /* The owner's stream: all who share the weights draw alike. */
    tcsi_random_span span = { .seed = call->seed, .stream = tcsi_op_stream(call, call->node->weights_of), .count = counts[0] + counts[1] };
    tcsi_random_normal(call->isa, &span, noise);
    for (size_t i = 0; i < pairs; i++) {
        tcsi_vector_unary(call->isa, TCSI_UNARY_SOFTPLUS, counts[i], call->w[pairs + i], values);
        tcsi_vector_multiply(call->isa, counts[i], values, noise, false, values);
        tcsi_vector_add(call->isa, counts[i], values, call->w[i], values);
        drawn.values[i] = values;
        drawn.noise[i] = noise;
        values += counts[i];
        noise += counts[i];
    }
    return drawn;
}

/* y (R,U) from x (R,C), R = B T */
static void bayes_forward(const tcsi_op_call *call)
{
    const tcsi_bayes_options *options = call->node->options;
    size_t c = channels_in(call->net, call->node), u = options->units;
    drawing drawn = draw(call);
    tcsi_gemm product = { .m = call->batch * call->length, .n = u, .k = c, .a = call->x[X], .a_stride = c, .b = drawn.values[WEIGHT],
                          .b_stride = u, .c = call->y, .c_stride = u, .bias = drawn.values[BIAS], .activation = options->activation,
                          .precision = call->precision };
    tcsi_gemm_run(call->isa, NULL, &product);
}

/* The gradient of a drawn tensor for its mean and rho: dm += g, drho += g noise sigmoid(rho); g is used up. */
static void pass_drawn(const tcsi_op_call *call, const drawing *drawn, size_t i, size_t count, float *gradient, float *slope)
{
    size_t rho = tensor_pairs(call->node->options) + i;
    if (call->dw[i]) tcsi_vector_axpy(call->isa, count, 1, gradient, call->dw[i]);
    if (!call->dw[rho] || !call->is_stochastic) return;
    tcsi_vector_multiply(call->isa, count, gradient, drawn->noise[i], false, gradient);
    tcsi_vector_unary(call->isa, TCSI_UNARY_SIGMOID, count, call->w[rho], slope);
    tcsi_vector_multiply(call->isa, count, gradient, slope, true, call->dw[rho]);
}

static void bayes_backward(const tcsi_op_call *call)
{
    const tcsi_bayes_options *options = call->node->options;
    size_t c = channels_in(call->net, call->node), u = options->units, rows = call->batch * call->length;
    drawing drawn = draw(call);
    tcsi_vector_activate_backward(call->isa, options->activation, rows * u, call->y, call->dy, call->dy);
    if (call->dx[X]) {
        tcsi_gemm product = { .m = rows, .n = c, .k = u, .a = call->dy, .a_stride = u, .b = drawn.values[WEIGHT], .b_stride = u,
                              .b_transposed = true, .c = call->dx[X], .c_stride = c, .accumulate = call->accumulate[X],
                              .precision = call->precision };
        tcsi_gemm_run(call->isa, NULL, &product);
    }
    float *slope = call->scratch; /* the drawn values are not needed any more */
    if (call->dw[WEIGHT]) {
        tcsi_gemm product = { .m = c, .n = u, .k = rows, .a = call->x[X], .a_stride = c, .a_transposed = true, .b = call->dy, .b_stride = u,
                              .c = drawn.work, .c_stride = u, .precision = call->precision };
        tcsi_gemm_run(call->isa, NULL, &product);
        pass_drawn(call, &drawn, WEIGHT, c * u, drawn.work, slope);
    }
    if (drawn.values[BIAS] && call->dw[BIAS]) {
        tcsi_vector_sum_rows(call->isa, rows, u, call->dy, false, drawn.work);
        pass_drawn(call, &drawn, BIAS, u, drawn.work, slope);
    }
}

static double bayes_cost(const tcsi_net *net, const tcsi_node *node)
{
    return (double)node->shape.length * (double)node->shape.channels * (double)channels_in(net, node);
}

/* In scoring weights are their means. */
static tcsi_onnx_value bayes_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const tcsi_bayes_options *options = node->options;
    (void)net;
    tcsi_onnx_value y = tcsi_onnx_of_two(onnx, "MatMul", tcsi_onnx_input_of(onnx, node, X), tcsi_onnx_weight_of(onnx, node, WEIGHT));
    if (!options->without_bias) y = tcsi_onnx_of_two(onnx, "Add", y, tcsi_onnx_weight_of(onnx, node, BIAS));
    return tcsi_onnx_activate(onnx, options->activation, y);
}

const tcsi_op tcsi_op_bayes = {
    .name = "bayes", .traits = TCSI_OP_ROWWISE | TCSI_OP_RANDOM, .options_size = sizeof(tcsi_bayes_options), .input_min = 1, .input_max = 1,
    .shape = bayes_shape, .forward = bayes_forward, .backward = bayes_backward, .cost = bayes_cost, .scratch_count = bayes_scratch,
    .onnx = bayes_onnx,
};

tcsi_node_id tcsi_nn_bayes(tcsi_net *net, tcsi_node_id x, const tcsi_bayes_options *options)
{
    return tcsi_net_add(net, &tcsi_op_bayes, &x, 1, options);
}

/* ---- the divergence ---- */

/* What the layer was built with: its weights are declared again, as shared. */
static const tcsi_bayes_options *layer_options(const tcsi_net *net, const tcsi_node *node)
{
    return tcsi_net_node(net, node->weights_of)->options;
}

static tcs_status divergence_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    float prior = *(const float *)node->options;
    node->shape = (tcsi_shape){ 1, 1 };
    if (!(prior >= 0 && prior <= 1e6f) || (prior > 0 && prior < 1e-6f))
        return tcsi_fail(err, TCS_E_INVALID, "loss_bayes: needs a prior deviation in [1e-6, 1e6], or 0, got %g", (double)prior);
    return declare_weights(net, node, layer_options(net, node), channels_in(net, node), err);
}

static double prior_of(const tcsi_op_call *call)
{
    float prior = *(const float *)call->node->options;
    return prior > 0 ? (double)prior : 1;
}

static size_t divergence_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)node;
    (void)batch;
    return 2 * PIECE;
}

/* A piece of one of the pairs: its means and rhos, and softplus(rho), which is kept above 0 for its logarithm. */
typedef struct piece {
    const float *mean, *rho;
    float *deviation, *work;
    size_t count;
} piece;

static piece piece_at(const tcsi_op_call *call, size_t pair, size_t begin)
{
    size_t pairs = call->node->weight_count / 2, count = call->net->tensors[call->node->weights[pair]].count;
    piece part = { .mean = call->w[pair] + begin, .rho = call->w[pairs + pair] + begin, .deviation = call->scratch,
                   .work = call->scratch + PIECE, .count = count - begin < PIECE ? count - begin : PIECE };
    tcsi_vector_unary(call->isa, TCSI_UNARY_SOFTPLUS, part.count, part.rho, part.deviation);
    for (size_t k = 0; k < part.count; k++)
        if (part.deviation[k] < DEVIATION_MIN) part.deviation[k] = DEVIATION_MIN;
    return part;
}

/* y (B,1,1): the same for every row */
static void divergence_forward(const tcsi_op_call *call)
{
    double sum = 0, prior = prior_of(call), log_prior = log(prior);
    for (size_t i = 0; i < call->node->weight_count / 2; i++)
        for (size_t begin = 0; begin < call->net->tensors[call->node->weights[i]].count; begin += PIECE) {
            piece part = piece_at(call, i, begin);
            tcsi_vector_unary(call->isa, TCSI_UNARY_LOG, part.count, part.deviation, part.work);
            for (size_t k = 0; k < part.count; k++) {
                double m = (double)part.mean[k], s = (double)part.deviation[k];
                sum += (s * s + m * m) / (2 * prior * prior) + log_prior - (double)part.work[k] - 0.5;
            }
        }
    for (size_t b = 0; b < call->batch; b++) call->y[b] = (float)sum;
}

static void divergence_backward(const tcsi_op_call *call)
{
    size_t pairs = call->node->weight_count / 2;
    double factor = 0, shrink = 1 / (prior_of(call) * prior_of(call));
    for (size_t b = 0; b < call->batch; b++) factor += (double)call->dy[b];
    for (size_t i = 0; i < pairs; i++)
        for (size_t begin = 0; begin < call->net->tensors[call->node->weights[i]].count; begin += PIECE) {
            piece part = piece_at(call, i, begin);
            float *dm = call->dw[i] ? call->dw[i] + begin : NULL, *drho = call->dw[pairs + i] ? call->dw[pairs + i] + begin : NULL;
            tcsi_vector_unary(call->isa, TCSI_UNARY_SIGMOID, part.count, part.rho, part.work);
            for (size_t k = 0; k < part.count; k++) {
                double s = (double)part.deviation[k];
                if (dm) dm[k] += (float)(factor * (double)part.mean[k] * shrink);
                if (drho) drho[k] += (float)(factor * (s * shrink - 1 / s) * (double)part.work[k]);
            }
        }
}

const tcsi_op tcsi_op_loss_bayes = {
    .name = "loss_bayes", .traits = TCSI_OP_LOSS, .options_size = sizeof(float), .input_min = 1, .input_max = 1, .stops = 1 << X,
    .shape = divergence_shape, .forward = divergence_forward, .backward = divergence_backward, .scratch_count = divergence_scratch,
};

/* Its input is that of the layer: read by nobody, it only says how many rows there are. */
tcsi_node_id tcsi_nn_loss_bayes(tcsi_net *net, tcsi_node_id layer, float prior_deviation)
{
    if (net->status != TCS_OK) return TCSI_NODE_NONE;
    TCS_ASSERT(tcsi_net_node(net, layer)->op == &tcsi_op_bayes);
    tcsi_node_id x = tcsi_net_node(net, layer)->inputs[X];
    return tcsi_net_add_tied(net, layer, &tcsi_op_loss_bayes, &x, 1, &prior_deviation);
}
