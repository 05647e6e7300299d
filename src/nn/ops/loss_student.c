/* nn/ops/loss_student.c -- negative log likelihood under a predicted Student distribution: a forecast whose spread single outliers do not
 * blow up.
 *
 * Channels [location (C) | scale (C)], and [degrees of freedom (C)] behind them when these are learned.  With n degrees of freedom,
 * z = (target - location) / scale and u = z^2 / n an element has
 *     L = log(scale) + log(pi n) / 2 - R(n / 2) + (n + 1) / 2 log(1 + u),      R(a) = log Gamma(a + 1/2) - log Gamma(a)
 *     by location  -(n + 1) z / (n scale (1 + u))          by scale  (1 - (n + 1) u / (1 + u)) / scale
 *     by n         (1 / n - R'(n / 2) + log(1 + u) - (n + 1) / n  u / (1 + u)) / 2
 * K. Lange, R. Little, J. Taylor, "Robust statistical modeling using the t distribution", JASA 1989.
 *
 * R is computed itself, not as a difference of two logarithms of Gamma functions, which loses every digit at large n: its recurrence
 * lifts a to 4 or more, where five terms of the series in 1/a (Tricomi and Erdelyi 1951) are exact to 1e-9.
 * Scale and n are kept within ranges (ops/range.h, limits in layers.h); at the upper end of n this is the normal distribution.
 *
 * Cost: logarithms are taken for a whole shard at once, in single precision.  log(1 + u) times n must keep its digits for small u: the
 * logarithm of w = 1 + u as a float is corrected by (u - (w - 1)) / w, what the rounding of w took away (D. Goldberg 1991, theorem 4).
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"
#include "nn/ops/range.h"

#include <math.h>

enum { X, TARGET };

static const tcsi_range SCALES = { TCSI_NN_SCALE_MIN, INFINITY }, DEGREES = { TCSI_NN_DEGREES_MIN, TCSI_NN_DEGREES_MAX };
static const double PI = 3.14159265358979323846, SERIES_FROM = 4;

/* log(pi n) / 2 - R(n / 2), and R'(n / 2). */
static double gamma_part(double degrees, double *ret_slope)
{
    double a = degrees / 2, product = 1, slope = 0;
    for (; a < SERIES_FROM; a += 1) {
        product *= a / (a + 0.5);
        slope += 0.5 / (a * (a + 0.5));
    }
    double r = 1 / a, q = r * r;
    double series = -r * (1.0 / 8 - q * (1.0 / 192 - q * (1.0 / 640 - q * (17.0 / 14336 - q * 31.0 / 18432))));
    double series_slope = q * (1.0 / 8 - q * (3.0 / 192 - q * (5.0 / 640 - q * (119.0 / 14336 - q * 279.0 / 18432))));
    *ret_slope = slope + r / 2 + series_slope;
    return log(PI * degrees) / 2 - log(product * sqrt(a)) - series;
}

/* ---- shapes ---- */

static float fixed_degrees(const tcsi_node *node)
{
    return *(const float *)node->options;
}

/* Parameters of an element: two, or three when the degrees of freedom are learned. */
static size_t parameter_count(const tcsi_node *node)
{
    return fixed_degrees(node) > 0 ? 2 : 3;
}

static tcs_status student_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]), target = tcsi_net_shape(net, node->inputs[TARGET]);
    float degrees = fixed_degrees(node);
    if (degrees != 0 && !(degrees >= TCSI_NN_DEGREES_MIN && degrees <= TCSI_NN_DEGREES_MAX))
        return tcsi_fail(err, TCS_E_INVALID, "loss_student: needs degrees of freedom in %g .. %g, or 0 to learn them, got %g",
                         (double)TCSI_NN_DEGREES_MIN, (double)TCSI_NN_DEGREES_MAX, (double)degrees);
    size_t count = parameter_count(node);
    if (x.length != target.length || x.channels % count != 0 || x.channels / count != target.channels)
        return tcsi_fail(err, TCS_E_INVALID, "loss_student: %zu steps and %zu channels, %zu for each of a target of %zu and %zu", x.length,
                         x.channels, count, target.length, target.channels);
    node->shape = (tcsi_shape){ 1, 1 };
    node->saved_count = 1; /* how many elements counted */
    return TCS_OK;
}

/* (B,T,C) twice: log(scale), and log(1 + u). */
static size_t student_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    tcsi_shape form = tcsi_net_shape(net, node->inputs[TARGET]);
    return 2 * batch * form.length * form.channels;
}

/* ---- one element ---- */

typedef struct element {
    double scale, degrees, z, u;
} element;

/* The element whose location stands at x; its other parameters follow at a distance of C each. */
static element element_at(const float *x, size_t channels, float degrees, float target)
{
    element e = { .scale = (double)tcsi_range_clamp(SCALES, x[channels]), .degrees = (double)degrees };
    if (!(degrees > 0)) e.degrees = (double)tcsi_range_clamp(DEGREES, x[2 * channels]);
    e.z = ((double)target - (double)x[0]) / e.scale;
    e.u = e.z / e.degrees * e.z;
    return e;
}

/* log(1 + u), from the logarithm of what 1 + u is as a float. */
static double log_rise(double u, float logarithm)
{
    double w = (double)(float)(1 + u);
    return w < INFINITY ? (double)logarithm + (u - (w - 1)) / w : log1p(u);
}

/* ---- the loss ---- */

static void take_logarithms(const tcsi_op_call *call, tcsi_shape form)
{
    float degrees = fixed_degrees(call->node), *scales = call->scratch, *rises = scales + call->batch * form.length * form.channels;
    size_t stride = parameter_count(call->node) * form.channels, count = call->batch * form.length * form.channels;
    for (size_t s = 0, i = 0; s < call->batch * form.length; s++)
        for (size_t c = 0; c < form.channels; c++, i++) {
            element e = element_at(call->x[X] + s * stride + c, form.channels, degrees, call->x[TARGET][i]);
            scales[i] = (float)e.scale;
            rises[i] = (float)(1 + e.u);
        }
    tcsi_vector_unary(call->isa, TCSI_UNARY_LOG, 2 * count, scales, scales);
}

/* y (B,1,1) from x (B,T,2C or 3C) and target (B,T,C) */
static void student_forward(const tcsi_op_call *call)
{
    tcsi_shape form = tcsi_net_shape(call->net, call->node->inputs[TARGET]);
    float degrees = fixed_degrees(call->node), *scales = call->scratch, *rises = scales + call->batch * form.length * form.channels;
    size_t stride = parameter_count(call->node) * form.channels, i = 0;
    double slope, constant = degrees > 0 ? gamma_part((double)degrees, &slope) : 0;
    take_logarithms(call, form);
    for (size_t b = 0; b < call->batch; b++) {
        double sum = 0, used = 0;
        for (size_t s = b * form.length; s < (b + 1) * form.length; s++)
            for (size_t c = 0; c < form.channels; c++, i++) {
                if (isnan(call->x[TARGET][i])) continue;
                element e = element_at(call->x[X] + s * stride + c, form.channels, degrees, call->x[TARGET][i]);
                if (!(degrees > 0)) constant = gamma_part(e.degrees, &slope);
                sum += (double)scales[i] + constant + (e.degrees + 1) / 2 * log_rise(e.u, rises[i]);
                used += 1;
            }
        call->y[b] = used > 0 ? (float)(sum / used) : 0;
        call->saved[b] = (float)used;
    }
}

static void pass(const tcsi_op_call *call, size_t at, double gradient)
{
    float *dx = call->dx[X];
    dx[at] = call->accumulate[X] ? dx[at] + (float)gradient : (float)gradient;
}

/* The gradients of an element whose location stands at place `at`; factor 0: it does not count. */
static void pass_element(const tcsi_op_call *call, size_t at, size_t channels, float target, double factor)
{
    const float *x = call->x[X] + at;
    float degrees = fixed_degrees(call->node);
    element e = factor != 0 ? element_at(x, channels, degrees, target) : (element){ .scale = 1, .degrees = 1 };
    double pull = (e.degrees + 1) * e.u / (1 + e.u);
    pass(call, at, -factor * (e.degrees + 1) * e.z / (e.degrees * e.scale * (1 + e.u)));
    pass(call, at + channels, tcsi_range_gradient(SCALES, x[channels], factor * (1 - pull) / e.scale));
    if (degrees > 0) return;
    double slope, by_degrees;
    (void)gamma_part(e.degrees, &slope);
    by_degrees = (1 / e.degrees - slope + log1p(e.u) - pull / e.degrees) / 2;
    pass(call, at + 2 * channels, tcsi_range_gradient(DEGREES, x[2 * channels], factor * by_degrees));
}

static void student_backward(const tcsi_op_call *call)
{
    tcsi_shape form = tcsi_net_shape(call->net, call->node->inputs[TARGET]);
    size_t stride = parameter_count(call->node) * form.channels;
    if (!call->dx[X]) return;
    for (size_t s = 0, i = 0; s < call->batch * form.length; s++) {
        size_t b = s / form.length;
        double factor = call->saved[b] > 0 ? (double)call->dy[b] / (double)call->saved[b] : 0;
        for (size_t c = 0; c < form.channels; c++, i++) {
            float target = call->x[TARGET][i];
            pass_element(call, s * stride + c, form.channels, target, isnan(target) ? 0 : factor);
        }
    }
}

/* ---- ONNX ---- */

/* log(pi n) / 2 - R(n / 2) of learned degrees: the recurrence lifts by 8, and the series goes as far as a float holds. */
static tcsi_onnx_value gamma_onnx(tcsi_onnx *onnx, tcsi_onnx_value degrees, tcsi_shape form)
{
    static const float lifts[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    const size_t count = TCS_COUNT(lifts), dims[] = { 0, form.length, form.channels, 1 };
    tcsi_onnx_value a = tcsi_onnx_of_two(onnx, "Mul", degrees, tcsi_onnx_number(onnx, 0.5f));
    tcsi_onnx_value lifted = tcsi_onnx_of_two(onnx, "Add", a, tcsi_onnx_number(onnx, 8)), r = tcsi_onnx_of(onnx, "Reciprocal", lifted);
    tcsi_onnx_value factors = tcsi_onnx_reshape(onnx, a, dims, 4);
    factors = tcsi_onnx_of_two(onnx, "Add", factors, tcsi_onnx_floats(onnx, lifts, &count, 1));
    tcsi_onnx_value below = tcsi_onnx_of_two(onnx, "Add", factors, tcsi_onnx_number(onnx, 0.5f));
    factors = tcsi_onnx_of_two(onnx, "Div", factors, below);
    tcsi_onnx_call product = { "ReduceProd", { factors }, { TCSI_ONNX_INTEGERS("axes", 3), TCSI_ONNX_INTEGER("keepdims", 0) } };
    tcsi_onnx_value root = tcsi_onnx_of(onnx, "Sqrt", tcsi_onnx_of_two(onnx, "Div", lifted, a));
    tcsi_onnx_value lift = tcsi_onnx_of(onnx, "Log", tcsi_onnx_of_two(onnx, "Mul", root, tcsi_onnx_add(onnx, &product)));
    tcsi_onnx_value series = tcsi_onnx_of_two(onnx, "Mul", r, r); /* r (q / 192 - 1 / 8), q = r^2 */
    series = tcsi_onnx_of_two(onnx, "Mul", series, tcsi_onnx_number(onnx, 1.0f / 192));
    series = tcsi_onnx_of_two(onnx, "Sub", series, tcsi_onnx_number(onnx, 0.125f));
    tcsi_onnx_value ratio = tcsi_onnx_of_two(onnx, "Add", lift, tcsi_onnx_of_two(onnx, "Mul", r, series)); /* R(a) - log(a) / 2 */
    return tcsi_onnx_of_two(onnx, "Sub", tcsi_onnx_number(onnx, (float)(log(2 * PI) / 2)), ratio);
}

/* log(1 + u), which is 2 atanh(u / (2 + u)): one form for small u, one for large. */
static tcsi_onnx_value log1p_onnx(tcsi_onnx *onnx, tcsi_onnx_value u)
{
    tcsi_onnx_value one = tcsi_onnx_number(onnx, 1), two = tcsi_onnx_number(onnx, 2);
    tcsi_onnx_value large = tcsi_onnx_of(onnx, "Log", tcsi_onnx_of_two(onnx, "Add", u, one));
    tcsi_onnx_value small = tcsi_onnx_of_two(onnx, "Div", u, tcsi_onnx_of_two(onnx, "Add", u, two));
    small = tcsi_onnx_of_two(onnx, "Mul", tcsi_onnx_of(onnx, "Atanh", small), two);
    return tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Where", { tcsi_onnx_of_two(onnx, "Less", u, one), small, large } });
}

static tcsi_onnx_value student_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_shape form = tcsi_net_shape(net, node->inputs[TARGET]);
    size_t channels = form.channels;
    tcsi_onnx_value x = tcsi_onnx_input_of(onnx, node, X), target = tcsi_onnx_input_of(onnx, node, TARGET), degrees, gamma;
    tcsi_onnx_value location = tcsi_onnx_slice(onnx, x, 2, 0, channels), scale = tcsi_onnx_slice(onnx, x, 2, channels, 2 * channels);
    if (fixed_degrees(node) > 0) {
        double slope;
        degrees = tcsi_onnx_number(onnx, fixed_degrees(node));
        gamma = tcsi_onnx_number(onnx, (float)gamma_part((double)fixed_degrees(node), &slope));
    } else {
        degrees = tcsi_onnx_slice(onnx, x, 2, 2 * channels, 3 * channels);
        degrees = tcsi_onnx_clip(onnx, degrees, DEGREES.low, DEGREES.high);
        gamma = gamma_onnx(onnx, degrees, form);
    }
    scale = tcsi_onnx_of_two(onnx, "Max", scale, tcsi_onnx_number(onnx, SCALES.low));
    tcsi_onnx_value z = tcsi_onnx_of_two(onnx, "Div", tcsi_onnx_of_two(onnx, "Sub", target, location), scale);
    tcsi_onnx_value u = tcsi_onnx_of_two(onnx, "Mul", tcsi_onnx_of_two(onnx, "Div", z, degrees), z), tail = log1p_onnx(onnx, u);
    tcsi_onnx_value weight = tcsi_onnx_of_two(onnx, "Add", degrees, tcsi_onnx_number(onnx, 1));
    weight = tcsi_onnx_of_two(onnx, "Mul", weight, tcsi_onnx_number(onnx, 0.5f));
    tcsi_onnx_value loss = tcsi_onnx_of_two(onnx, "Mul", weight, tail);
    loss = tcsi_onnx_of_two(onnx, "Add", loss, gamma);
    loss = tcsi_onnx_of_two(onnx, "Add", loss, tcsi_onnx_of(onnx, "Log", scale));
    return tcsi_onnx_mean_known(onnx, loss, target);
}

const tcsi_op tcsi_op_loss_student = {
    .name = "loss_student", .traits = TCSI_OP_LOSS, .options_size = sizeof(float), .input_min = 2, .input_max = 2, .stops = 1 << TARGET,
    .shape = student_shape, .forward = student_forward, .backward = student_backward, .scratch_count = student_scratch,
    .onnx = student_onnx,
};

tcsi_node_id tcsi_nn_loss_student(tcsi_net *net, tcsi_node_id x, tcsi_node_id target, float degrees)
{
    return tcsi_net_add(net, &tcsi_op_loss_student, (tcsi_node_id[]){ x, target }, 2, &degrees);
}
