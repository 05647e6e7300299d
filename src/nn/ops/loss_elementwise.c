/* nn/ops/loss_elementwise.c -- losses that compare a prediction with its target element by element: squared, absolute, Huber.
 *
 * Loss of row b: mean over the elements i whose target is a number of f(y_i - target_i).  A missing target (NaN) is left out, a row of
 * nothing else has loss 0.  Sums are in double, in order.
 * Huber: P. Huber, "Robust estimation of a location parameter", 1964: d^2 / 2 up to delta, delta (|d| - delta / 2) beyond.
 * SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <math.h>

enum { Y, TARGET };

/* f(difference), and its slope. */
typedef double (*error_function)(double difference, double parameter, double *ret_slope);

static tcs_status loss_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape y = tcsi_net_shape(net, node->inputs[Y]), target = tcsi_net_shape(net, node->inputs[TARGET]);
    if (y.length != target.length || y.channels != target.channels)
        return tcsi_fail(err, TCS_E_INVALID, "%s: a prediction of %zu steps and %zu channels against a target of %zu and %zu",
                         node->op->name, y.length, y.channels, target.length, target.channels);
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = 1; /* how many elements counted */
    return TCS_OK;
}

static size_t element_count(const tcsi_op_call *call)
{
    tcsi_shape y = tcsi_net_shape(call->net, call->node->inputs[Y]);
    return y.length * y.channels;
}

static void forward(const tcsi_op_call *call, error_function error, double parameter)
{
    size_t count = element_count(call);
    for (size_t b = 0; b < call->batch; b++) {
        const float *y = call->x[Y] + b * count, *target = call->x[TARGET] + b * count;
        double sum = 0, used = 0, slope;
        for (size_t i = 0; i < count; i++) {
            if (isnan(target[i])) continue;
            sum += error((double)y[i] - (double)target[i], parameter, &slope);
            used += 1;
        }
        call->y[b] = used > 0 ? (float)(sum / used) : 0;
        call->saved[b] = (float)used;
    }
}

static void backward(const tcsi_op_call *call, error_function error, double parameter)
{
    size_t count = element_count(call);
    for (size_t b = 0; b < call->batch && call->dx[Y]; b++) {
        const float *y = call->x[Y] + b * count, *target = call->x[TARGET] + b * count;
        float *dx = call->dx[Y] + b * count;
        double factor = call->saved[b] > 0 ? (double)call->dy[b] / (double)call->saved[b] : 0, slope;
        for (size_t i = 0; i < count; i++) {
            float gradient = 0;
            if (!isnan(target[i])) {
                (void)error((double)y[i] - (double)target[i], parameter, &slope);
                gradient = (float)(factor * slope);
            }
            dx[i] = call->accumulate[Y] ? dx[i] + gradient : gradient;
        }
    }
}

static double squared(double d, double parameter, double *ret_slope)
{
    (void)parameter;
    *ret_slope = 2 * d;
    return d * d;
}

static double absolute(double d, double parameter, double *ret_slope)
{
    (void)parameter;
    *ret_slope = (d > 0) - (d < 0);
    return fabs(d);
}

static double huber(double d, double delta, double *ret_slope)
{
    bool is_near = fabs(d) <= delta;
    *ret_slope = is_near ? d : d > 0 ? delta : -delta;
    return is_near ? d * d / 2 : delta * (fabs(d) - delta / 2);
}

/* ---- the rows; each names its function so that the compiler can put it into the loops ---- */

static void squared_forward(const tcsi_op_call *call)
{
    forward(call, squared, 0);
}

static void squared_backward(const tcsi_op_call *call)
{
    backward(call, squared, 0);
}

static void absolute_forward(const tcsi_op_call *call)
{
    forward(call, absolute, 0);
}

static void absolute_backward(const tcsi_op_call *call)
{
    backward(call, absolute, 0);
}

static double delta_of(const tcsi_op_call *call)
{
    return (double)*(const float *)call->node->options;
}

static void huber_forward(const tcsi_op_call *call)
{
    forward(call, huber, delta_of(call));
}

static void huber_backward(const tcsi_op_call *call)
{
    backward(call, huber, delta_of(call));
}

static tcs_status huber_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    float delta = *(const float *)node->options;
    if (!(delta > 0 && delta <= 3e38f)) return tcsi_fail(err, TCS_E_INVALID, "loss_huber: needs delta > 0, got %g", (double)delta);
    return loss_shape(net, node, err);
}

/* ---- ONNX: a loss is a score, the error of a reconstruction ---- */

/* y - target, 0 where the target is missing; ret_is_known: 1 where it is not, else 0. */
static tcsi_onnx_value difference_onnx(const tcsi_node *node, tcsi_onnx *onnx, tcsi_onnx_value *ret_is_known)
{
    tcsi_onnx_value target = tcsi_onnx_input_of(onnx, node, TARGET);
    tcsi_onnx_value is_known = tcsi_onnx_of(onnx, "Not", tcsi_onnx_of(onnx, "IsNaN", target));
    tcsi_onnx_value difference = tcsi_onnx_of_two(onnx, "Sub", tcsi_onnx_input_of(onnx, node, Y), target);
    *ret_is_known = tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Cast", { is_known }, { TCSI_ONNX_INTEGER("to", TCSI_ONNX_FLOAT) } });
    return tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Where", { is_known, difference, tcsi_onnx_number(onnx, 0) } });
}

/* The mean over the known elements of a row, (B,1,1); 0 where there are none. */
static tcsi_onnx_value mean_onnx(tcsi_onnx *onnx, tcsi_onnx_value error, tcsi_onnx_value is_known)
{
    tcsi_onnx_value axes = tcsi_onnx_integers(onnx, (const int64_t[]){ 1, 2 }, 2), sum = tcsi_onnx_of_two(onnx, "ReduceSum", error, axes);
    tcsi_onnx_value count = tcsi_onnx_of_two(onnx, "ReduceSum", is_known, axes);
    return tcsi_onnx_of_two(onnx, "Div", sum, tcsi_onnx_of_two(onnx, "Max", count, tcsi_onnx_number(onnx, 1)));
}

static tcsi_onnx_value squared_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_onnx_value is_known, d = difference_onnx(node, onnx, &is_known);
    (void)net;
    return mean_onnx(onnx, tcsi_onnx_of_two(onnx, "Mul", d, d), is_known);
}

static tcsi_onnx_value absolute_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_onnx_value is_known, d = difference_onnx(node, onnx, &is_known);
    (void)net;
    return mean_onnx(onnx, tcsi_onnx_of(onnx, "Abs", d), is_known);
}

/* With m = min(|d|, delta) both branches are m (|d| - m / 2). */
static tcsi_onnx_value huber_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_onnx_value is_known, d = tcsi_onnx_of(onnx, "Abs", difference_onnx(node, onnx, &is_known));
    (void)net;
    tcsi_onnx_value m = tcsi_onnx_of_two(onnx, "Min", d, tcsi_onnx_number(onnx, *(const float *)node->options));
    tcsi_onnx_value rest = tcsi_onnx_of_two(onnx, "Sub", d, tcsi_onnx_of_two(onnx, "Mul", m, tcsi_onnx_number(onnx, 0.5f)));
    return mean_onnx(onnx, tcsi_onnx_of_two(onnx, "Mul", m, rest), is_known);
}

const tcsi_op tcsi_op_loss_squared = {
    .name = "loss_squared", .traits = TCSI_OP_LOSS, .input_min = 2, .input_max = 2, .stops = 1 << TARGET,
    .shape = loss_shape, .forward = squared_forward, .backward = squared_backward, .onnx = squared_onnx,
};

const tcsi_op tcsi_op_loss_absolute = {
    .name = "loss_absolute", .traits = TCSI_OP_LOSS, .input_min = 2, .input_max = 2, .stops = 1 << TARGET,
    .shape = loss_shape, .forward = absolute_forward, .backward = absolute_backward, .onnx = absolute_onnx,
};

const tcsi_op tcsi_op_loss_huber = {
    .name = "loss_huber", .traits = TCSI_OP_LOSS, .options_size = sizeof(float), .input_min = 2, .input_max = 2, .stops = 1 << TARGET,
    .shape = huber_shape, .forward = huber_forward, .backward = huber_backward, .onnx = huber_onnx,
};

tcsi_node_id tcsi_nn_loss_squared(tcsi_net *net, tcsi_node_id y, tcsi_node_id target)
{
    return tcsi_net_add(net, &tcsi_op_loss_squared, (tcsi_node_id[]){ y, target }, 2, NULL);
}

tcsi_node_id tcsi_nn_loss_absolute(tcsi_net *net, tcsi_node_id y, tcsi_node_id target)
{
    return tcsi_net_add(net, &tcsi_op_loss_absolute, (tcsi_node_id[]){ y, target }, 2, NULL);
}

tcsi_node_id tcsi_nn_loss_huber(tcsi_net *net, tcsi_node_id y, tcsi_node_id target, float delta)
{
    return tcsi_net_add(net, &tcsi_op_loss_huber, (tcsi_node_id[]){ y, target }, 2, &delta);
}
