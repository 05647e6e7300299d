/* nn/ops/loss_logits.c -- cross entropy of a yes or no, on its logit x: plain, focal, weighted by class, adjusted to how rare yes is.
 *
 * With p = sigmoid(x) and a target t in [0, 1] (torch.nn.BCEWithLogitsLoss and torchvision.ops.sigmoid_focal_loss):
 *     entropy = t log(1 + exp(-x)) + (1 - t) log(1 + exp(x))              its slope  p - t
 *     miss    = p (1 - t) + (1 - p) t, the probability on the wrong side    its slope  p (1 - p) (1 - 2 t)
 *     loss    = weight(t) miss^gamma entropy,  weight(t) = alpha t + (1 - alpha) (1 - t)
 * T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017: gamma takes away what is already right, so that many easy
 * rows do not drown few hard ones.  A. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021: training on
 * x + tau log(pi / (1 - pi)), pi the share of yes among the rows, makes x itself right for balanced classes; score with x.
 *
 * Targets beyond 0 and 1 count as 0 and 1.  p and 1 - p are each computed by an exponential that is at most 1, so no logit is too
 * large: on the right side the loss of an infinite one is 0, on the wrong side infinite.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>

enum { X, TARGET };

/* What all elements share. */
typedef struct rule {
    double gamma, weight_no, weight_yes, shift;
} rule;

/* options, and what zeros in it mean; targets of the caller, or all the same. */
typedef struct logit_options {
    tcsi_focal_options focal;
    float target;
} logit_options;

static rule rule_of(const tcsi_focal_options *options)
{
    double alpha = (double)options->class_weight, rate = (double)options->base_rate, tau = (double)options->adjustment;
    return (rule){
        .gamma = (double)options->gamma,
        .weight_yes = alpha > 0 ? alpha : 1,
        .weight_no = alpha > 0 ? 1 - alpha : 1,
        .shift = rate > 0 ? (tau > 0 ? tau : 1) * log(rate / (1 - rate)) : 0,
    };
}

static tcs_status check_options(const logit_options *options, tcs_error *err)
{
    const tcsi_focal_options *focal = &options->focal;
    if (!(focal->gamma >= 0 && focal->gamma <= 100) || !(focal->class_weight >= 0 && focal->class_weight < 1))
        return tcsi_fail(err, TCS_E_INVALID, "loss_logits: needs gamma in [0, 100] and class_weight in [0, 1), got %g and %g",
                         (double)focal->gamma, (double)focal->class_weight);
    if (!(focal->base_rate >= 0 && focal->base_rate < 1) || !(focal->adjustment >= 0 && focal->adjustment <= 100))
        return tcsi_fail(err, TCS_E_INVALID, "loss_logits: needs base_rate in [0, 1) and adjustment in [0, 100], got %g and %g",
                         (double)focal->base_rate, (double)focal->adjustment);
    if (!(options->target >= 0 && options->target <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "loss_logits: needs a target in [0, 1], got %g", (double)options->target);
    return TCS_OK;
}

static tcs_status logits_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]);
    tcs_status status = check_options(node->options, err);
    if (status != TCS_OK) return status;
    if (node->input_count > TARGET) {
        tcsi_shape target = tcsi_net_shape(net, node->inputs[TARGET]);
        if (x.length != target.length || x.channels != target.channels)
            return tcsi_fail(err, TCS_E_INVALID, "loss_logits: logits of %zu steps and %zu channels against a target of %zu and %zu",
                             x.length, x.channels, target.length, target.channels);
    }
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = 1; /* how many elements counted */
    return TCS_OK;
}

static size_t element_count(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]);
    return x.length * x.channels;
}

/* exp(-|x|), and log(1 + exp(-|x|)), of a shard's adjusted logits, (B,T,C) each. */
static size_t logits_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    return 2 * batch * element_count(net, node);
}

static void exponentials(const tcsi_op_call *call, const rule *own)
{
    size_t count = call->batch * element_count(call->net, call->node);
    float *e = call->scratch, *rest = e + count;
    for (size_t i = 0; i < count; i++) e[i] = -fabsf((float)((double)call->x[X][i] + own->shift));
    tcsi_vector_unary(call->isa, TCSI_UNARY_SOFTPLUS, count, e, rest);
    tcsi_vector_unary(call->isa, TCSI_UNARY_EXP, count, e, e);
}

/* a b, and 0 when one of them is, whatever the other. */
static double product(double a, double b)
{
    return a == 0 || b == 0 ? 0 : a * b;
}

/* The loss of element i, and its slope. */
static double logit_loss(const tcsi_op_call *call, const rule *own, size_t i, double target, double *ret_slope)
{
    const float *exponential = call->scratch, *rests = exponential + call->batch * element_count(call->net, call->node);
    double x = (double)call->x[X][i] + own->shift, t = target < 0 ? 0 : target > 1 ? 1 : target;
    double e = (double)exponential[i], rest = (double)rests[i];
    double large = 1 / (1 + e), small = e * large, yes = x < 0 ? small : large, no = x < 0 ? large : small;
    double entropy = product(t, rest + (x < 0 ? -x : 0)) + product(1 - t, rest + (x > 0 ? x : 0));
    double slope = yes * (1 - t) - no * t, weight = own->weight_yes * t + own->weight_no * (1 - t);
    if (own->gamma == 0) {
        *ret_slope = weight * slope;
        return weight * entropy;
    }
    /* p (1 - p) / miss is p or 1 - p when t is 1 or 0: the general form would be 0 / 0 there for large logits. */
    double miss = yes * (1 - t) + no * t, share = t == 1 ? yes : t == 0 ? no : yes * no / miss;
    double power = own->gamma == 2 ? miss * miss : pow(miss, own->gamma);
    *ret_slope = weight * power * (slope + product(own->gamma * share, (1 - 2 * t) * entropy));
    return weight * product(power, entropy);
}

static float target_at(const tcsi_op_call *call, size_t i)
{
    const logit_options *options = call->node->options;
    return call->node->input_count > TARGET ? call->x[TARGET][i] : options->target;
}

/* y (B,1,1) from x and target (B,T,C) */
static void logits_forward(const tcsi_op_call *call)
{
    const logit_options *options = call->node->options;
    rule own = rule_of(&options->focal);
    size_t count = element_count(call->net, call->node);
    exponentials(call, &own);
    for (size_t b = 0; b < call->batch; b++) {
        double sum = 0, used = 0, slope;
        for (size_t i = b * count; i < (b + 1) * count; i++) {
            float target = target_at(call, i);
            if (isnan(target)) continue;
            sum += logit_loss(call, &own, i, (double)target, &slope);
            used += 1;
        }
        call->y[b] = used > 0 ? (float)(sum / used) : 0;
        call->saved[b] = (float)used;
    }
}

static void logits_backward(const tcsi_op_call *call)
{
    const logit_options *options = call->node->options;
    rule own = rule_of(&options->focal);
    size_t count = element_count(call->net, call->node);
    float *dx = call->dx[X];
    if (!dx) return;
    exponentials(call, &own);
    for (size_t i = 0; i < call->batch * count; i++) {
        size_t b = i / count;
        float target = target_at(call, i);
        double factor = call->saved[b] > 0 ? (double)call->dy[b] / (double)call->saved[b] : 0, slope = 0;
        if (!isnan(target)) (void)logit_loss(call, &own, i, (double)target, &slope);
        dx[i] = call->accumulate[X] ? dx[i] + (float)(factor * slope) : (float)(factor * slope);
    }
}

const tcsi_op tcsi_op_loss_logits = {
    .name = "loss_logits", .traits = TCSI_OP_LOSS, .options_size = sizeof(logit_options), .input_min = 1, .input_max = 2,
    .stops = 1 << TARGET, .shape = logits_shape, .forward = logits_forward, .backward = logits_backward, .scratch_count = logits_scratch,
};

tcsi_node_id tcsi_nn_loss_logits(tcsi_net *net, tcsi_node_id x, tcsi_node_id target)
{
    return tcsi_net_add(net, &tcsi_op_loss_logits, (tcsi_node_id[]){ x, target }, 2, &(logit_options){ 0 });
}

tcsi_node_id tcsi_nn_loss_logits_all(tcsi_net *net, tcsi_node_id x, float target)
{
    return tcsi_net_add(net, &tcsi_op_loss_logits, &x, 1, &(logit_options){ .target = target });
}

tcsi_node_id tcsi_nn_loss_focal(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, const tcsi_focal_options *options)
{
    return tcsi_net_add(net, &tcsi_op_loss_logits, (tcsi_node_id[]){ x, target }, 2, &(logit_options){ .focal = *options });
}
