/* nn/ops/loss_logits.c -- cross entropy of a yes or no, on its logit x: plain, focal, weighted by class, adjusted to how rare yes is,
 * tolerant of wrong labels.
 *
 * With p = sigmoid(x) and a target t in [0, 1] (torch.nn.BCEWithLogitsLoss and torchvision.ops.sigmoid_focal_loss):
 *     entropy = t log(1 + exp(-x)) + (1 - t) log(1 + exp(x))              its slope  p - t
 *     miss    = p (1 - t) + (1 - p) t, the probability on the wrong side    its slope  p (1 - p) (1 - 2 t)
 *     loss    = weight(t) miss^gamma entropy,  weight(t) = alpha t + (1 - alpha) (1 - t)
 * T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017: gamma takes away what is already right, so that many easy
 * rows do not drown few hard ones.  A. Menon et al., "Long-tail learning via logit adjustment", ICLR 2021: training on
 * x + tau log(pi / (1 - pi)), pi the share of yes among the rows, makes x itself right for balanced classes; score with x.
 * Z. Zhang, M. Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy labels", NeurIPS 2018, equation 6:
 * with a tolerance q every -log p of the entropy becomes (1 - p^q) / q, at most 1 / q, so that a wrong label cannot shout; q -> 0 is the
 * entropy, 1 the mean absolute error.
 *
 * Targets beyond 0 and 1 count as 0 and 1.  p and 1 - p are sigmoids of x and of -x, so that neither loses its digits, and no logit is
 * too large: on the right side the loss of an infinite one is 0, on the wrong side infinite.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>

enum { X, TARGET };

static const double LOGIT_MAX = 1e300; /* for infinite ones: 0 times this is 0, and as a float it is infinite */

/* options, and what zeros in it mean; targets of the caller, or all the same. */
typedef struct logit_options {
    tcsi_focal_options focal;
    float target;
} logit_options;

static tcs_status check_options(const logit_options *options, tcs_error *err)
{
    const tcsi_focal_options *focal = &options->focal;
    if (!(focal->gamma >= 0 && focal->gamma <= 100) || !(focal->class_weight >= 0 && focal->class_weight < 1))
        return tcsi_fail(err, TCS_E_INVALID, "loss_logits: needs gamma in [0, 100] and class_weight in [0, 1), got %g and %g",
                         (double)focal->gamma, (double)focal->class_weight);
    if (!(focal->tolerance >= 0 && focal->tolerance <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "loss_logits: needs a tolerance in [0, 1], got %g", (double)focal->tolerance);
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

/* What all elements of a call share. */
typedef struct rule {
    double gamma, tolerance, weight_no, weight_yes, shift;
    const float *x, *targets; /* NULL: all have `target` */
    double target;
    float *yes, *no, *rest;   /* p, 1 - p and log(1 + exp(-|x|)) of the adjusted logits, (B,T,C) each */
} rule;

static size_t logits_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    return 3 * batch * element_count(net, node);
}

static rule rule_of(const tcsi_op_call *call)
{
    const logit_options *options = call->node->options;
    double alpha = (double)options->focal.class_weight, rate = (double)options->focal.base_rate, tau = (double)options->focal.adjustment;
    size_t count = call->batch * element_count(call->net, call->node);
    rule own = { .gamma = (double)options->focal.gamma, .tolerance = (double)options->focal.tolerance,
                 .weight_yes = alpha > 0 ? alpha : 1, .weight_no = alpha > 0 ? 1 - alpha : 1,
                 .shift = rate > 0 ? (tau > 0 ? tau : 1) * log(rate / (1 - rate)) : 0,
                 .x = call->x[X], .targets = call->x[TARGET], .target = (double)options->target,
                 .yes = call->scratch, .no = call->scratch + count, .rest = call->scratch + 2 * count };
    for (size_t i = 0; i < count; i++) {
        own.yes[i] = (float)((double)own.x[i] + own.shift);
        own.no[i] = -own.yes[i];
        own.rest[i] = -fabsf(own.yes[i]);
    }
    tcsi_vector_unary(call->isa, TCSI_UNARY_SIGMOID, 2 * count, own.yes, own.yes);
    tcsi_vector_unary(call->isa, TCSI_UNARY_SOFTPLUS, count, own.rest, own.rest);
    return own;
}

/* An element: its adjusted logit and its target in [0, 1]. */
typedef struct element {
    double x, t, yes, no, rest;
} element;

static element element_at(const rule *own, size_t i)
{
    double x = (double)own->x[i] + own->shift, t = own->targets ? (double)own->targets[i] : own->target;
    return (element){ .x = x > LOGIT_MAX ? LOGIT_MAX : x < -LOGIT_MAX ? -LOGIT_MAX : x, .t = t < 0 ? 0 : t > 1 ? 1 : t,
                      .yes = (double)own->yes[i], .no = (double)own->no[i], .rest = (double)own->rest[i] };
}

static double weight_of(const rule *own, double t)
{
    return own->weight_yes * t + own->weight_no * (1 - t);
}

/* The sign of a logit cannot be predicted, so this does not branch on it. */
static double entropy_of(const rule *own, const element *one)
{
    double size = fabs(one->x), above = (size + one->x) / 2, below = (size - one->x) / 2, q = own->tolerance;
    if (q == 0) return one->rest + above * (1 - one->t) + below * one->t;
    return -((1 - one->t) * expm1(-q * (one->rest + above)) + one->t * expm1(-q * (one->rest + below))) / q;
}

/* Of the entropy: p - t without its cancellation. */
static double entropy_slope(const rule *own, const element *one)
{
    double q = own->tolerance, no = 1 - one->t, yes = one->t;
    if (q > 0) no *= pow(one->no, q);
    if (q > 0) yes *= pow(one->yes, q);
    return one->yes * no - one->no * yes;
}

static double miss_of(const element *one)
{
    return one->yes * (1 - one->t) + one->no * one->t;
}

static double power_of(double miss, double gamma)
{
    return gamma == 2 ? miss * miss : pow(miss, gamma);
}

static double loss_of(const rule *own, const element *one)
{
    double loss = weight_of(own, one->t) * entropy_of(own, one);
    return own->gamma == 0 ? loss : loss * power_of(miss_of(one), own->gamma);
}

static double slope_of(const rule *own, const element *one)
{
    double t = one->t, weight = weight_of(own, t), slope = entropy_slope(own, one);
    if (own->gamma == 0) return weight * slope;
    /* p (1 - p) / miss is p or 1 - p when t is 1 or 0: the general form would be 0 / 0 there for large logits. */
    double miss = miss_of(one), share = t == 1 ? one->yes : t == 0 ? one->no : one->yes * one->no / miss;
    return weight * power_of(miss, own->gamma) * (slope + own->gamma * share * (1 - 2 * t) * entropy_of(own, one));
}

/* y (B,1,1) from x and target (B,T,C) */
static void logits_forward(const tcsi_op_call *call)
{
    size_t count = element_count(call->net, call->node);
    rule own = rule_of(call);
    for (size_t b = 0; b < call->batch; b++) {
        double sum = 0, used = 0;
        for (size_t i = b * count; i < (b + 1) * count; i++) {
            element one = element_at(&own, i);
            if (isnan(one.t)) continue;
            sum += loss_of(&own, &one);
            used += 1;
        }
        call->y[b] = used > 0 ? (float)(sum / used) : 0;
        call->saved[b] = (float)used;
    }
}

static void logits_backward(const tcsi_op_call *call)
{
    size_t count = element_count(call->net, call->node);
    float *dx = call->dx[X];
    if (!dx) return;
    rule own = rule_of(call);
    for (size_t b = 0; b < call->batch; b++) {
        double factor = call->saved[b] > 0 ? (double)call->dy[b] / (double)call->saved[b] : 0;
        for (size_t i = b * count; i < (b + 1) * count; i++) {
            element one = element_at(&own, i);
            float gradient = isnan(one.t) ? 0 : (float)(factor * slope_of(&own, &one));
            dx[i] = call->accumulate[X] ? dx[i] + gradient : gradient;
        }
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

tcsi_node_id tcsi_nn_loss_focal_all(tcsi_net *net, tcsi_node_id x, float target, const tcsi_focal_options *options)
{
    return tcsi_net_add(net, &tcsi_op_loss_logits, &x, 1, &(logit_options){ .focal = *options, .target = target });
}
