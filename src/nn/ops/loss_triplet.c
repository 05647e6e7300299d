/* nn/ops/loss_triplet.c -- a row shall be closer to its positive than to a negative, by a margin.
 *
 *     loss = max(0, margin + distance(anchor, positive) - distance(anchor, negative))
 *
 * With a negative of the caller: Euclidean distances as torch.nn.TripletMarginLoss's (F. Schroff, D. Kalenichenko, J. Philbin, "FaceNet",
 * CVPR 2015), where EPSILON is added to every difference.
 *
 * With a negative from the batch: distance 1 - cosine, and the negative of row i is the anchor of the batch farthest from anchor i (the
 * lowest row among equals).  The farthest is the safest guess of a row that is truly different: windows of one series are mostly
 * alike, and the nearest would punish what should agree.  A row's weight is that of its own loss, and a row of weight 0 is nobody's
 * negative either: as if it were not in the batch.  A row alone has no negative and loss 0.
 * Cost: one product of (B,D) with (D,B), D = T C, in bands of BAND rows, forward only.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"
#include "nn/ops/direction.h"

#include <math.h>
#include <string.h>

enum { ANCHOR, POSITIVE, NEGATIVE, BAND = 64 };

static const double EPSILON = 1e-6; /* PyTorch's */

static size_t row_size(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_shape anchor = tcsi_net_shape(net, node->inputs[ANCHOR]);
    return anchor.length * anchor.channels;
}

static tcs_status triplet_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape anchor = tcsi_net_shape(net, node->inputs[ANCHOR]);
    float margin = *(const float *)node->options;
    if (!(margin >= 0 && margin <= 1e6f))
        return tcsi_fail(err, TCS_E_INVALID, "%s: needs a margin in [0, 1e6], got %g", node->op->name, (double)margin);
    for (size_t i = 1; i < node->input_count; i++) {
        tcsi_shape x = tcsi_net_shape(net, node->inputs[i]);
        if (x.length != anchor.length || x.channels != anchor.channels)
            return tcsi_fail(err, TCS_E_INVALID, "%s: an anchor of %zu steps and %zu channels and input %zu of %zu and %zu", node->op->name,
                             anchor.length, anchor.channels, i, x.length, x.channels);
    }
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = 2; /* the two distances, or which row is the negative */
    return TCS_OK;
}

static double margin_of(const tcsi_op_call *call, double otherwise)
{
    float margin = *(const float *)call->node->options;
    return margin > 0 ? (double)margin : otherwise;
}

/* max(0, value), where NaN stays NaN. */
static double hinge(double value)
{
    return value < 0 ? 0 : value;
}

static void pass(const tcsi_op_call *call, size_t input, size_t at, double gradient)
{
    float *dx = call->dx[input];
    if (dx) dx[at] = call->accumulate[input] ? dx[at] + (float)gradient : (float)gradient;
}

/* ---- a negative of the caller ---- */

static double euclidean(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double d = (double)a[i] - (double)b[i] + EPSILON;
        sum += d * d;
    }
    return sqrt(sum);
}

/* y (B,1,1) from anchor, positive, negative (B,T,C); saved: the two distances */
static void triplet_forward(const tcsi_op_call *call)
{
    size_t count = row_size(call->net, call->node);
    for (size_t b = 0; b < call->batch; b++) {
        const float *anchor = call->x[ANCHOR] + b * count;
        double near = euclidean(anchor, call->x[POSITIVE] + b * count, count);
        double far = euclidean(anchor, call->x[NEGATIVE] + b * count, count);
        call->y[b] = (float)hinge(margin_of(call, 1) + near - far);
        call->saved[2 * b] = (float)near;
        call->saved[2 * b + 1] = (float)far;
    }
}

static double inverse(double distance)
{
    return distance > 0 ? 1 / distance : 0;
}

static void triplet_backward(const tcsi_op_call *call)
{
    size_t count = row_size(call->net, call->node);
    for (size_t b = 0; b < call->batch; b++) {
        double factor = call->y[b] > 0 ? (double)call->dy[b] : 0;
        double by_near = factor * inverse((double)call->saved[2 * b]), by_far = factor * inverse((double)call->saved[2 * b + 1]);
        for (size_t at = b * count; at < (b + 1) * count; at++) {
            double anchor = (double)call->x[ANCHOR][at];
            double near = by_near * (anchor - (double)call->x[POSITIVE][at] + EPSILON);
            double far = by_far * (anchor - (double)call->x[NEGATIVE][at] + EPSILON);
            pass(call, ANCHOR, at, near - far);
            pass(call, POSITIVE, at, -near);
            pass(call, NEGATIVE, at, far);
        }
    }
}

const tcsi_op tcsi_op_loss_triplet = {
    .name = "loss_triplet", .traits = TCSI_OP_LOSS, .options_size = sizeof(float), .input_min = 3, .input_max = 3, .shape = triplet_shape,
    .forward = triplet_forward, .backward = triplet_backward,
};

tcsi_node_id tcsi_nn_loss_triplet(tcsi_net *net, tcsi_node_id anchor, tcsi_node_id positive, tcsi_node_id negative, float margin)
{
    return tcsi_net_add(net, &tcsi_op_loss_triplet, (tcsi_node_id[]){ anchor, positive, negative }, 3, &margin);
}

/* ---- the farthest of the batch ---- */

/* The work space, one part after the other. */
typedef struct space {
    float *anchors, *positives; /* (B,D), directions */
    float *by_anchors;          /* (B,D), gradient by them */
    float *band;                /* (BAND,B), and then (D) */
    size_t count;               /* D */
} space;

static size_t farthest_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    return 3 * batch * row_size(net, node) + BAND * batch + row_size(net, node);
}

static space space_of(const tcsi_op_call *call)
{
    size_t count = row_size(call->net, call->node), rows = call->batch * count;
    return (space){ .anchors = call->scratch, .positives = call->scratch + rows, .by_anchors = call->scratch + 2 * rows,
                    .band = call->scratch + 3 * rows, .count = count };
}

/* The row farthest from row i by its cosines; i itself when there is no other. */
static size_t farthest(const tcsi_op_call *call, size_t i, const float *cosines)
{
    size_t best = i;
    for (size_t j = 0; j < call->batch; j++)
        if (j != i && tcsi_row_counts(call, j) && (best == i || cosines[j] < cosines[best])) best = j;
    return best;
}

/* y (B,1,1) from anchor and positive (B,T,C); saved: which row was the farthest, as an integer's bytes; the row itself: no loss */
static void farthest_forward(const tcsi_op_call *call)
{
    space work = space_of(call);
    tcsi_directions(call, call->x[ANCHOR], work.count, work.anchors);
    tcsi_directions(call, call->x[POSITIVE], work.count, work.positives);
    for (size_t i = 0; i < call->batch; i++) {
        size_t place = i % BAND, rows = call->batch - i < BAND ? call->batch - i : BAND;
        const float *anchor = work.anchors + i * work.count;
        if (place == 0) tcsi_direction_band(call, anchor, rows, work.anchors, work.count, work.band);
        uint32_t negative = (uint32_t)(tcsi_row_counts(call, i) ? farthest(call, i, work.band + place * call->batch) : i);
        double near = tcsi_vector_dot(call->isa, work.count, anchor, work.positives + i * work.count);
        double far = tcsi_vector_dot(call->isa, work.count, anchor, work.anchors + negative * work.count);
        double loss = negative == i ? 0 : hinge(margin_of(call, 0.5) - near + far);
        if (loss == 0) negative = (uint32_t)i;
        call->y[i] = (float)loss;
        memcpy(call->saved + 2 * i, &negative, sizeof negative);
    }
}

/* What forward saved. */
static size_t negative_of(const tcsi_op_call *call, size_t i)
{
    uint32_t negative;
    memcpy(&negative, call->saved + 2 * i, sizeof negative);
    return negative;
}

/* by_anchors (B,D): a row is anchor once and the negative of any number of others. */
static void gradients_by_anchors(const tcsi_op_call *call, const space *work)
{
    size_t count = work->count;
    memset(work->by_anchors, 0, call->batch * count * sizeof(float));
    for (size_t i = 0; i < call->batch; i++) {
        size_t negative = negative_of(call, i);
        float factor = negative == i ? 0 : call->dy[i];
        if (factor == 0) continue;
        tcsi_vector_axpy(call->isa, count, -factor, work->positives + i * count, work->by_anchors + i * count);
        tcsi_vector_axpy(call->isa, count, factor, work->anchors + negative * count, work->by_anchors + i * count);
        tcsi_vector_axpy(call->isa, count, factor, work->anchors + i * count, work->by_anchors + negative * count);
    }
}

static void farthest_backward(const tcsi_op_call *call)
{
    space work = space_of(call);
    float *by_positive = work.band;
    tcsi_directions(call, call->x[ANCHOR], work.count, work.anchors);
    tcsi_directions(call, call->x[POSITIVE], work.count, work.positives);
    gradients_by_anchors(call, &work);
    tcsi_directions_backward(call, ANCHOR, 0, call->batch, work.count, work.anchors, work.by_anchors);
    for (size_t i = 0; i < call->batch; i++) {
        size_t at = i * work.count;
        tcsi_vector_scale(call->isa, work.count, negative_of(call, i) == i ? 0 : -call->dy[i], work.anchors + at, by_positive);
        tcsi_directions_backward(call, POSITIVE, i, 1, work.count, work.positives + at, by_positive);
    }
}

const tcsi_op tcsi_op_loss_farthest = {
    .name = "loss_farthest", .traits = TCSI_OP_LOSS | TCSI_OP_WHOLE, .options_size = sizeof(float), .input_min = 2, .input_max = 2,
    .shape = triplet_shape, .forward = farthest_forward, .backward = farthest_backward, .scratch_count = farthest_scratch,
};

tcsi_node_id tcsi_nn_loss_farthest(tcsi_net *net, tcsi_node_id anchor, tcsi_node_id positive, float margin)
{
    return tcsi_net_add(net, &tcsi_op_loss_farthest, (tcsi_node_id[]){ anchor, positive }, 2, &margin);
}
