/* nn/ops/loss_rank.c -- scores of a sequence whose few rare steps should stand above all the others.
 *
 *     usual  = log of the mean of exp(s_j) over the steps j that are normal      (a soft maximum of their scores)
 *     loss   = mean over the rare steps i of log(1 + exp(usual + margin - s_i))
 * What is high among the normal steps weighs most, because that is where false alarms come from: C. Rudin, "The P-norm push", JMLR 10,
 * 2009, equation 5, with an exponential for the power and a logistic loss outside.  How many rare steps there are does not matter.
 *
 * A target of at least 1/2 is rare, below normal, NaN neither.  Without a step of both kinds the loss is 0.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>

enum { S, TARGET };

static tcs_status rank_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape s = tcsi_net_shape(net, node->inputs[S]), target = tcsi_net_shape(net, node->inputs[TARGET]);
    float margin = *(const float *)node->options;
    if (!(margin >= 0 && margin <= 1e6f))
        return tcsi_fail(err, TCS_E_INVALID, "loss_rank: needs a margin in [0, 1e6], got %g", (double)margin);
    if (s.channels != 1 || target.channels != 1 || s.length != target.length)
        return tcsi_fail(err, TCS_E_INVALID, "loss_rank: needs one score and one target a step, got %zu steps of %zu and %zu of %zu",
                         s.length, s.channels, target.length, target.channels);
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = 1; /* usual; NaN: a kind is missing */
    return TCS_OK;
}

static size_t rank_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)batch;
    return tcsi_net_shape(net, node->inputs[S]).length;
}

static bool is_rare(float target)
{
    return target >= 0.5f;
}

/* exp(s - their maximum) of the normal steps, 0 of others; their sum.  NaN: there is no normal step. */
static double normal_exponentials(const tcsi_op_call *call, const float *s, const float *targets, size_t length, float *ret_exponentials,
                                  double *ret_usual)
{
    size_t count = 0;
    for (size_t t = 0; t < length; t++) {
        const bool is_normal = targets[t] < 0.5f;
        ret_exponentials[t] = is_normal ? s[t] : -INFINITY;
        count += is_normal;
    }
    if (count == 0) return *ret_usual = NAN;
    const float most = tcsi_vector_max(call->isa, length, ret_exponentials);
    for (size_t t = 0; t < length; t++) ret_exponentials[t] -= most;
    tcsi_vector_unary(call->isa, TCSI_UNARY_EXP, length, ret_exponentials, ret_exponentials);
    const double sum = tcsi_vector_sum(call->isa, length, ret_exponentials);
    *ret_usual = (double)most + log(sum / (double)count);
    return sum;
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* y (B,1,1) from s and target (B,T,1) */
static void rank_forward(const tcsi_op_call *call)
{
    const size_t length = tcsi_net_shape(call->net, call->node->inputs[S]).length;
    const double margin = (double)*(const float *)call->node->options;
    for (size_t b = 0; b < call->batch; b++) {
        const float *s = call->x[S] + b * length, *targets = call->x[TARGET] + b * length;
        double usual, sum = 0;
        size_t rare = 0;
        normal_exponentials(call, s, targets, length, call->scratch, &usual);
        for (size_t t = 0; t < length; t++) {
            if (!is_rare(targets[t])) continue;
            sum += softplus(usual + margin - (double)s[t]);
            rare++;
        }
        call->saved[b] = rare > 0 ? (float)usual : NAN;
        call->y[b] = isnan(call->saved[b]) ? 0 : (float)(sum / (double)rare);
    }
}

static void rank_row_backward(const tcsi_op_call *call, size_t b, size_t length, float *exponentials)
{
    const float *s = call->x[S] + b * length, *targets = call->x[TARGET] + b * length;
    const double margin = (double)*(const float *)call->node->options;
    double usual, pull = 0;
    size_t rare = 0;
    const double sum = normal_exponentials(call, s, targets, length, exponentials, &usual);
    for (size_t t = 0; t < length; t++) rare += is_rare(targets[t]);
    const double factor = (double)call->dy[b] / (double)rare;
    for (size_t t = 0; t < length; t++) {
        if (!is_rare(targets[t])) continue;
        const double slope = factor / (1 + exp((double)s[t] - usual - margin));
        exponentials[t] = (float)-slope;
        pull += slope;
    }
    for (size_t t = 0; t < length; t++)
        if (!is_rare(targets[t])) exponentials[t] = (float)((double)exponentials[t] / sum * pull);
}

static void rank_backward(const tcsi_op_call *call)
{
    const size_t length = tcsi_net_shape(call->net, call->node->inputs[S]).length;
    float *dx = call->dx[S];
    if (!dx) return;
    for (size_t b = 0; b < call->batch; b++, dx += length) {
        const bool counts = !isnan(call->saved[b]);
        if (counts) rank_row_backward(call, b, length, call->scratch);
        for (size_t t = 0; t < length; t++) {
            const float gradient = counts ? call->scratch[t] : 0;
            dx[t] = call->accumulate[S] ? dx[t] + gradient : gradient;
        }
    }
}

const tcsi_op tcsi_op_loss_rank = {
    .name = "loss_rank", .traits = TCSI_OP_LOSS, .options_size = sizeof(float), .input_min = 2, .input_max = 2, .stops = 1 << TARGET,
    .shape = rank_shape, .forward = rank_forward, .backward = rank_backward, .scratch_count = rank_scratch,
};

tcsi_node_id tcsi_nn_loss_rank(tcsi_net *net, tcsi_node_id s, tcsi_node_id target, float margin)
{
    return tcsi_net_add(net, &tcsi_op_loss_rank, (tcsi_node_id[]){ s, target }, 2, &margin);
}
