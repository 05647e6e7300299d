/* nn/ops/loss_sphere.c -- one class: what is normal is mapped close to a point, and the distance from it is the score.
 *
 * L. Ruff et al., "Deep one-class classification", ICML 2018: d = |z - centre|^2.
 *     one class       d
 *     soft boundary   radius^2 + max(0, d - radius^2) / nu       a share nu of the rows may stay outside
 * L. Ruff et al., "Deep semi-supervised anomaly detection", ICLR 2020, with few labels (and the authors' EPSILON = 1e-6):
 *     unlabelled (0) d        normal (+1) eta (d + EPSILON)        anomalous (-1) eta / (d + EPSILON)
 *
 * Centre and radius are states, not weights: a trained centre ends with a net that maps everything to one point.  For the same reason
 * the net must have no biases and no bounded activations (propositions 2 and 3 there).  The centre is the mean of the untrained net's
 * outputs, set once by tcsi_nn_sphere_set_center; the radius is set between epochs, to the 1 - nu quantile of sqrt(d).
 * SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <math.h>

static const float CENTER_MIN = 0.1f; /* no coordinate closer to 0, where zero weights would reach it */
static const double EPSILON = 1e-6;

/* ---- distance ---- */

static size_t point_size(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_shape z = tcsi_net_shape(net, node->inputs[0]);
    return z.length * z.channels;
}

static tcs_status sphere_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_weight center = { .name = "center", .dims = { point_size(net, node) }, .dim_count = 1, .is_state = true };
    node->shape = (tcsi_shape){ 1, 1 };
    return tcsi_net_weight(net, node, &center, err);
}

/* y (B,1,1) from z (B,T,C) and centre (T C) */
static void sphere_forward(const tcsi_op_call *call)
{
    size_t count = point_size(call->net, call->node);
    const float *z = call->x[0], *center = call->state[0];
    for (size_t b = 0; b < call->batch; b++, z += count) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) {
            double d = (double)z[i] - (double)center[i];
            sum += d * d;
        }
        call->y[b] = (float)sum;
    }
}

static void sphere_backward(const tcsi_op_call *call)
{
    size_t count = point_size(call->net, call->node);
    const float *z = call->x[0], *center = call->state[0];
    float *dx = call->dx[0];
    for (size_t b = 0; b < call->batch && dx; b++, z += count, dx += count)
        for (size_t i = 0; i < count; i++) {
            float gradient = 2 * call->dy[b] * (z[i] - center[i]);
            dx[i] = call->accumulate[0] ? dx[i] + gradient : gradient;
        }
}

static tcsi_onnx_value sphere_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_onnx_value z = tcsi_onnx_reshape(onnx, tcsi_onnx_input_of(onnx, node, 0), (size_t[]){ 0, 1, point_size(net, node) }, 3);
    z = tcsi_onnx_of_two(onnx, "Sub", z, tcsi_onnx_weight_of(onnx, node, 0));
    return tcsi_onnx_row_sum(onnx, tcsi_onnx_of_two(onnx, "Mul", z, z));
}

const tcsi_op tcsi_op_sphere = {
    .name = "sphere", .traits = TCSI_OP_LOSS, .input_min = 1, .input_max = 1, .shape = sphere_shape,
    .forward = sphere_forward, .backward = sphere_backward, .onnx = sphere_onnx,
};

tcsi_node_id tcsi_nn_sphere(tcsi_net *net, tcsi_node_id z)
{
    return tcsi_net_add(net, &tcsi_op_sphere, &z, 1, NULL);
}

/* The values of a node's first state. */
static float *state_of(tcsi_net *net, tcsi_node_id node, const tcsi_op *op)
{
    TCS_ASSERT(tcsi_net_node(net, node)->op == op);
    return tcsi_net_values(net, &net->tensors[tcsi_net_node(net, node)->weights[0]]);
}

void tcsi_nn_sphere_set_center(tcsi_net *net, tcsi_node_id sphere, size_t row_count, const float *z)
{
    float *center = state_of(net, sphere, &tcsi_op_sphere);
    size_t count = point_size(net, tcsi_net_node(net, sphere));
    TCS_ASSERT(row_count > 0);
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t b = 0; b < row_count; b++) sum += (double)z[b * count + i];
        float mean = (float)(sum / (double)row_count);
        center[i] = fabsf(mean) < CENTER_MIN ? copysignf(CENTER_MIN, mean) : mean;
    }
}

/* ---- soft boundary ---- */

static tcs_status check_distance(const tcsi_net *net, const tcsi_node *node, tcs_error *err)
{
    tcsi_shape d = tcsi_net_shape(net, node->inputs[0]);
    if (d.length == 1 && d.channels == 1) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%s: needs one distance a row, got %zu steps and %zu channels", node->op->name, d.length,
                     d.channels);
}

static tcs_status boundary_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_weight radius = { .name = "radius", .dims = { 1 }, .dim_count = 1, .is_state = true };
    float nu = *(const float *)node->options;
    tcs_status status = check_distance(net, node, err);
    if (status != TCS_OK) return status;
    if (!(nu > 0 && nu <= 1))
        return tcsi_fail(err, TCS_E_INVALID, "loss_soft_boundary: needs nu above 0 and at most 1, got %g", (double)nu);
    node->shape = (tcsi_shape){ 1, 1 };
    return tcsi_net_weight(net, node, &radius, err);
}

/* y (B,1,1) from distances (B,1,1) */
static void boundary_forward(const tcsi_op_call *call)
{
    double nu = (double)*(const float *)call->node->options, inside = (double)call->state[0][0] * (double)call->state[0][0];
    for (size_t b = 0; b < call->batch; b++) {
        double past = (double)call->x[0][b] - inside;
        call->y[b] = (float)(inside + (past < 0 ? 0 : past / nu));
    }
}

static void boundary_backward(const tcsi_op_call *call)
{
    float nu = *(const float *)call->node->options;
    double inside = (double)call->state[0][0] * (double)call->state[0][0];
    for (size_t b = 0; b < call->batch; b++) call->dy[b] = (double)call->x[0][b] > inside ? call->dy[b] / nu : 0;
    tcsi_op_pass(call, 0, call->dy, call->batch);
}

const tcsi_op tcsi_op_loss_soft_boundary = {
    .name = "loss_soft_boundary", .traits = TCSI_OP_LOSS, .options_size = sizeof(float), .input_min = 1, .input_max = 1,
    .shape = boundary_shape, .forward = boundary_forward, .backward = boundary_backward,
};

tcsi_node_id tcsi_nn_loss_soft_boundary(tcsi_net *net, tcsi_node_id sphere, float nu)
{
    return tcsi_net_add(net, &tcsi_op_loss_soft_boundary, &sphere, 1, &nu);
}

void tcsi_nn_sphere_set_radius(tcsi_net *net, tcsi_node_id boundary, float radius)
{
    *state_of(net, boundary, &tcsi_op_loss_soft_boundary) = radius;
}

/* ---- few labels ---- */

enum { DISTANCE, LABEL };

static tcs_status labelled_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape label = tcsi_net_shape(net, node->inputs[LABEL]);
    float eta = *(const float *)node->options;
    tcs_status status = check_distance(net, node, err);
    if (status != TCS_OK) return status;
    if (label.length != 1 || label.channels != 1)
        return tcsi_fail(err, TCS_E_INVALID, "loss_sphere_labels: needs one label a row, got %zu steps and %zu channels", label.length,
                         label.channels);
    if (!(eta >= 0 && eta <= 1e6f))
        return tcsi_fail(err, TCS_E_INVALID, "loss_sphere_labels: needs eta in [0, 1e6], got %g", (double)eta);
    node->shape = (tcsi_shape){ 1, 1 };
    return TCS_OK;
}

/* The loss of a row, and its slope; a label that is missing: 0 and 0. */
static double labelled(const tcsi_op_call *call, size_t b, double *ret_slope)
{
    float eta = *(const float *)call->node->options, label = call->x[LABEL][b];
    double weight = eta > 0 ? (double)eta : 1, d = (double)call->x[DISTANCE][b];
    *ret_slope = isnan(label) ? 0 : label > 0 ? weight : label < 0 ? -weight / ((d + EPSILON) * (d + EPSILON)) : 1;
    return isnan(label) ? 0 : label > 0 ? weight * (d + EPSILON) : label < 0 ? weight / (d + EPSILON) : d;
}

/* y (B,1,1) from distances and labels (B,1,1) */
static void labelled_forward(const tcsi_op_call *call)
{
    double slope;
    for (size_t b = 0; b < call->batch; b++) call->y[b] = (float)labelled(call, b, &slope);
}

static void labelled_backward(const tcsi_op_call *call)
{
    for (size_t b = 0; b < call->batch; b++) {
        double slope;
        (void)labelled(call, b, &slope);
        call->dy[b] = (float)((double)call->dy[b] * slope);
    }
    tcsi_op_pass(call, DISTANCE, call->dy, call->batch);
}

const tcsi_op tcsi_op_loss_sphere_labels = {
    .name = "loss_sphere_labels", .traits = TCSI_OP_LOSS, .options_size = sizeof(float), .input_min = 2, .input_max = 2,
    .stops = 1 << LABEL, .shape = labelled_shape, .forward = labelled_forward, .backward = labelled_backward,
};

tcsi_node_id tcsi_nn_loss_sphere_labels(tcsi_net *net, tcsi_node_id sphere, tcsi_node_id label, float eta)
{
    return tcsi_net_add(net, &tcsi_op_loss_sphere_labels, (tcsi_node_id[]){ sphere, label }, 2, &eta);
}
