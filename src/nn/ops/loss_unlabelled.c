/* nn/ops/loss_unlabelled.c -- learning from rows called yes and rows that nobody called anything: among those, some are yes, too.
 *
 * R. Kiryo, G. Niu, M. C. du Plessis, M. Sugiyama, "Positive-unlabeled learning with non-negative risk estimator", NeurIPS 2017, equation
 * 6, for classes that are drawn to a balance of one's own (G. Su, W. Chen, M. Xu, "Positive-unlabeled learning from imbalanced data",
 * IJCAI 2021).  With a share pi of yes among the unlabelled rows, what the others would cost as no is what all unlabelled cost as no, less
 * what that share of them costs, which the rows called yes tell.  Over a batch of P rows called yes and U unlabelled:
 *     sum  as_yes(i) [i called yes]  +  max(0, rest),
 *     rest = (sum as_no(i) [i unlabelled] - pi U/P sum as_no(i) [i called yes]) / (1 - pi)
 * Without the maximum a network that can remember every unlabelled row would make rest as negative as it likes.  pi = 0 takes unlabelled
 * rows for no: the mean is then the plain one.
 *
 * What a row costs as yes and as no are losses themselves, (B,1,1) each.  A label t in [0, 1] is t of a row called yes and 1 - t of an
 * unlabelled one; a row labelled NaN is neither and costs 0.  Where one kind is missing there is nothing to take away.  Rows count by their
 * weights, also in P and U.  pi is a state, 0 until it is set: it is estimated from data that come after the net.  Kiryo et al. step uphill
 * when rest is below 0; here rest passes no gradient then, which is that of the formula.  SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"
#include "nn/ops.h"

#include <math.h>

enum { AS_YES, AS_NO, LABEL, INPUT_COUNT };

static tcs_status unlabelled_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_weight share = { .name = "share", .dims = { 1 }, .dim_count = 1, .is_state = true };
    for (size_t i = 0; i < INPUT_COUNT; i++) {
        tcsi_shape shape = tcsi_net_shape(net, node->inputs[i]);
        if (shape.length != 1 || shape.channels != 1)
            return tcsi_fail(err, TCS_E_INVALID, "loss_unlabelled: needs one number a row, got %zu steps and %zu channels in input %zu",
                             shape.length, shape.channels, i);
    }
    node->shape = (tcsi_shape){ 1, 1 };
    return tcsi_net_weight(net, node, &share, err);
}

/* A label as far as it is yes. */
static double yes_of(const tcsi_op_call *call, size_t b)
{
    const double label = (double)call->x[LABEL][b];
    return label < 0 ? 0 : label > 1 ? 1 : label;
}

/* What rows cost as no counts so often. */
typedef struct factors {
    double yes, unlabelled;
} factors;

/* a b, where nothing comes of b when a is 0, whatever it is. */
static double times(double a, double b)
{
    return a == 0 ? 0 : a * b;
}

static factors factors_of(const tcsi_op_call *call)
{
    const double share = (double)call->state[0][0];
    double yes = 0, unlabelled = 0, yes_as_no = 0, unlabelled_as_no = 0;
    for (size_t b = 0; b < call->batch; b++) {
        const double weight = call->row_weights ? (double)call->row_weights[b] : 1, t = yes_of(call, b);
        if (weight == 0 || isnan(t)) continue;
        yes += weight * t;
        unlabelled += weight * (1 - t);
        yes_as_no += times(weight * t, (double)call->x[AS_NO][b]);
        unlabelled_as_no += times(weight * (1 - t), (double)call->x[AS_NO][b]);
    }
    if (yes == 0 || unlabelled == 0) return (factors){ 0, 1 };
    const factors own = { -share * unlabelled / (yes * (1 - share)), 1 / (1 - share) };
    const bool is_overfitted = times(own.yes, yes_as_no) + own.unlabelled * unlabelled_as_no < 0;
    return is_overfitted ? (factors){ 0, 0 } : own;
}

/* y (B,1,1) from as_yes, as_no and label (B,1,1) */
static void unlabelled_forward(const tcsi_op_call *call)
{
    const factors own = factors_of(call);
    for (size_t b = 0; b < call->batch; b++) {
        const double t = yes_of(call, b), as_yes = times(t, (double)call->x[AS_YES][b]);
        call->y[b] = isnan(t) ? 0 : (float)(as_yes + times(t * own.yes + (1 - t) * own.unlabelled, (double)call->x[AS_NO][b]));
    }
}

static void unlabelled_backward(const tcsi_op_call *call)
{
    const factors own = factors_of(call);
    for (size_t b = 0; b < call->batch; b++) {
        const double t = yes_of(call, b), dy = (double)call->dy[b];
        const double slopes[] = { isnan(t) ? 0 : t * dy, isnan(t) ? 0 : (t * own.yes + (1 - t) * own.unlabelled) * dy };
        for (size_t i = AS_YES; i <= AS_NO; i++)
            if (call->dx[i]) call->dx[i][b] = (float)(call->accumulate[i] ? (double)call->dx[i][b] + slopes[i] : slopes[i]);
    }
}

const tcsi_op tcsi_op_loss_unlabelled = {
    .name = "loss_unlabelled", .traits = TCSI_OP_LOSS | TCSI_OP_WHOLE, .input_min = INPUT_COUNT, .input_max = INPUT_COUNT,
    .stops = 1 << LABEL, .shape = unlabelled_shape, .forward = unlabelled_forward, .backward = unlabelled_backward,
};

tcsi_node_id tcsi_nn_loss_unlabelled(tcsi_net *net, tcsi_node_id as_yes, tcsi_node_id as_no, tcsi_node_id label)
{
    return tcsi_net_add(net, &tcsi_op_loss_unlabelled, (tcsi_node_id[]){ as_yes, as_no, label }, INPUT_COUNT, NULL);
}

void tcsi_nn_unlabelled_set_share(tcsi_net *net, tcsi_node_id loss, float share)
{
    const tcsi_node *node = tcsi_net_node(net, loss);
    TCS_ASSERT(node->op == &tcsi_op_loss_unlabelled && share >= 0 && share < 1);
    *tcsi_net_values(net, &net->tensors[node->weights[0]]) = share;
}
