/* nn/ops/coupling.c -- a map that can be undone and whose change of volume is known: what a normalizing flow is made of.
 *
 * L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017: the first A = C / 2 channels of a step pass, the
 * others are scaled and shifted by what a net of any kind makes of the first, h (T, 2 (C - A)) = [raw scale | shift]:
 *     y = [x1 | x2 exp(s) + shift]        s = bound tanh(raw / bound)        undone by  x2 = (y2 - shift) exp(-s)
 *     log |dy / dx| = the sum of s
 * s is bounded, so that no layer can stretch by more than exp(bound) and an unusual row cannot overflow.
 *
 * The negative log likelihood of x, when y of the last layer is standard normal, is the sum of y^2 / 2 + log(2 pi) / 2 less that of all
 * log determinants (equations 2 and 3 there), in nats a row.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { X, PARAMETERS };

static const double LOG_2_PI = 1.8378770664093453;

/* How a node is built; the log determinant's has no use for is_inverse. */
typedef struct coupling_options {
    float bound;
    bool is_inverse;
} coupling_options;

static tcs_status check_bound(const tcsi_node *node, tcs_error *err)
{
    const coupling_options *options = node->options;
    if (options->bound > 0 && options->bound <= 20) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "%s: needs a bound above 0 and at most 20, got %g", node->op->name, (double)options->bound);
}

/* ---- the layer ---- */

static tcs_status coupling_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape x = tcsi_net_shape(net, node->inputs[X]), h = tcsi_net_shape(net, node->inputs[PARAMETERS]);
    size_t moved = x.channels - x.channels / 2;
    tcs_status status = check_bound(node, err);
    if (status != TCS_OK) return status;
    if (x.channels < 2 || h.length != x.length || h.channels / 2 != moved || h.channels % 2 != 0)
        return tcsi_fail(err, TCS_E_INVALID, "coupling: %zu steps and %zu channels (2 or more) with scales and shifts of %zu and %zu, "
                         "expected %zu and %zu", x.length, x.channels, h.length, h.channels, x.length, 2 * moved);
    node->shape = x;
    return TCS_OK;
}

/* Channels that are moved. */
static size_t moved_of(const tcsi_net *net, const tcsi_node *node, size_t input)
{
    return tcsi_net_shape(net, node->inputs[input]).channels / 2;
}

static size_t coupling_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    return 2 * batch * node->shape.length * moved_of(net, node, PARAMETERS);
}

/* curve (R,M) = tanh(raw / bound) and, when wanted, scale (R,M) = exp(+- bound tanh(raw / bound)), for R steps. */
static void scales(const tcsi_op_call *call, const float *h, size_t steps, size_t moved, float *curve, float *scale)
{
    const coupling_options *options = call->node->options;
    for (size_t s = 0; s < steps; s++) tcsi_vector_scale(call->isa, moved, 1 / options->bound, h + 2 * s * moved, curve + s * moved);
    tcsi_vector_unary(call->isa, TCSI_UNARY_TANH, steps * moved, curve, curve);
    if (!scale) return;
    tcsi_vector_scale(call->isa, steps * moved, options->is_inverse ? -options->bound : options->bound, curve, scale);
    tcsi_vector_unary(call->isa, TCSI_UNARY_EXP, steps * moved, scale, scale);
}

/* y (B,T,C) from x (B,T,C) and h (B,T,2(C-A)) */
static void coupling_forward(const tcsi_op_call *call)
{
    const coupling_options *options = call->node->options;
    size_t moved = moved_of(call->net, call->node, PARAMETERS), channels = call->node->shape.channels, kept = channels - moved;
    size_t steps = call->batch * call->length;
    float *curve = call->scratch, *scale = curve + steps * moved;
    scales(call, call->x[PARAMETERS], steps, moved, curve, scale);
    for (size_t s = 0; s < steps; s++, scale += moved) {
        const float *x = call->x[X] + s * channels, *shift = call->x[PARAMETERS] + (2 * s + 1) * moved;
        float *y = call->y + s * channels;
        memcpy(y, x, kept * sizeof *y);
        for (size_t c = 0; c < moved; c++)
            y[kept + c] = options->is_inverse ? (x[kept + c] - shift[c]) * scale[c] : x[kept + c] * scale[c] + shift[c];
    }
}

/* dx2 = dy2 exp(s);  by s  dy2 x2 exp(s);  by shift  dy2;  the inverse: dx2 = dy2 exp(-s), -dy2 y2, -dy2 exp(-s) */
static void coupling_backward(const tcsi_op_call *call)
{
    const coupling_options *options = call->node->options;
    size_t moved = moved_of(call->net, call->node, PARAMETERS), channels = call->node->shape.channels, kept = channels - moved;
    size_t steps = call->batch * call->length;
    float *curve = call->scratch, *scale = curve + steps * moved, *dh = call->dx[PARAMETERS];
    scales(call, call->x[PARAMETERS], steps, moved, curve, scale);
    for (size_t s = 0; s < steps; s++, curve += moved, scale += moved) {
        const float *x = call->x[X] + s * channels + kept, *y = call->y + s * channels + kept;
        float *dy = call->dy + s * channels + kept;
        for (size_t c = 0; c < moved; c++) {
            float through = dy[c] * scale[c], by_shift = options->is_inverse ? -through : dy[c];
            float by_raw = (options->is_inverse ? -dy[c] * y[c] : through * x[c]) * (1 - curve[c] * curve[c]);
            float *own = dh ? dh + 2 * s * moved + c : NULL;
            if (own) own[0] = call->accumulate[PARAMETERS] ? own[0] + by_raw : by_raw;
            if (own) own[moved] = call->accumulate[PARAMETERS] ? own[moved] + by_shift : by_shift;
            dy[c] = through;
        }
    }
    tcsi_op_pass(call, X, call->dy, steps * channels);
}

/* s (B,T,M) of h (B,T,2M) */
static tcsi_onnx_value scales_onnx(const tcsi_node *node, tcsi_onnx *onnx, tcsi_onnx_value h, size_t moved)
{
    const coupling_options *options = node->options;
    tcsi_onnx_value s = tcsi_onnx_slice(onnx, h, 2, 0, moved);
    s = tcsi_onnx_of_two(onnx, "Mul", s, tcsi_onnx_number(onnx, 1 / options->bound));
    s = tcsi_onnx_of(onnx, "Tanh", s);
    return tcsi_onnx_of_two(onnx, "Mul", s, tcsi_onnx_number(onnx, options->bound));
}

static tcsi_onnx_value coupling_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const coupling_options *options = node->options;
    size_t moved = moved_of(net, node, PARAMETERS), channels = node->shape.channels, kept = channels - moved;
    tcsi_onnx_value x = tcsi_onnx_input_of(onnx, node, X), h = tcsi_onnx_input_of(onnx, node, PARAMETERS);
    tcsi_onnx_value s = scales_onnx(node, onnx, h, moved), shift = tcsi_onnx_slice(onnx, h, 2, moved, 2 * moved);
    tcsi_onnx_value first = tcsi_onnx_slice(onnx, x, 2, 0, kept), second = tcsi_onnx_slice(onnx, x, 2, kept, channels);
    if (options->is_inverse) {
        second = tcsi_onnx_of_two(onnx, "Sub", second, shift);
        second = tcsi_onnx_of_two(onnx, "Mul", second, tcsi_onnx_of(onnx, "Exp", tcsi_onnx_of(onnx, "Neg", s)));
    } else {
        second = tcsi_onnx_of_two(onnx, "Mul", second, tcsi_onnx_of(onnx, "Exp", s));
        second = tcsi_onnx_of_two(onnx, "Add", second, shift);
    }
    return tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Concat", { first, second }, { TCSI_ONNX_INTEGER("axis", 2) } });
}

const tcsi_op tcsi_op_coupling = {
    .name = "coupling", .traits = TCSI_OP_ROWWISE, .options_size = sizeof(coupling_options), .input_min = 2, .input_max = 2,
    .shape = coupling_shape, .forward = coupling_forward, .backward = coupling_backward, .scratch_count = coupling_scratch,
    .onnx = coupling_onnx,
};

tcsi_node_id tcsi_nn_coupling(tcsi_net *net, tcsi_node_id x, tcsi_node_id parameters, float bound)
{
    return tcsi_net_add(net, &tcsi_op_coupling, (tcsi_node_id[]){ x, parameters }, 2, &(coupling_options){ bound, false });
}

tcsi_node_id tcsi_nn_coupling_inverse(tcsi_net *net, tcsi_node_id y, tcsi_node_id parameters, float bound)
{
    return tcsi_net_add(net, &tcsi_op_coupling, (tcsi_node_id[]){ y, parameters }, 2, &(coupling_options){ bound, true });
}

/* ---- the log determinant ---- */

enum { H, BEFORE };

static tcs_status log_det_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape h = tcsi_net_shape(net, node->inputs[H]);
    node->shape = (tcsi_shape){ 1, 1 };
    if (h.channels % 2 != 0)
        return tcsi_fail(err, TCS_E_INVALID, "log_det: needs channels [raw scale | shift], an even number, got %zu", h.channels);
    if (node->input_count > BEFORE) {
        tcsi_shape before = tcsi_net_shape(net, node->inputs[BEFORE]);
        if (before.length != 1 || before.channels != 1)
            return tcsi_fail(err, TCS_E_INVALID, "log_det: needs one value a row to add to, got %zu steps and %zu channels", before.length,
                             before.channels);
    }
    return check_bound(node, err);
}

static size_t log_det_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    return batch * tcsi_net_shape(net, node->inputs[H]).length * moved_of(net, node, H);
}

/* y (B,1,1) = sum of s of h (B,T,2M), + before (B,1,1) */
static void log_det_forward(const tcsi_op_call *call)
{
    const coupling_options *options = call->node->options;
    size_t moved = moved_of(call->net, call->node, H), length = tcsi_net_shape(call->net, call->node->inputs[H]).length;
    scales(call, call->x[H], call->batch * length, moved, call->scratch, NULL);
    for (size_t b = 0; b < call->batch; b++) {
        double sum = (double)options->bound * tcsi_vector_sum(call->isa, length * moved, call->scratch + b * length * moved);
        call->y[b] = (float)(sum + (call->x[BEFORE] ? (double)call->x[BEFORE][b] : 0));
    }
}

static void log_det_backward(const tcsi_op_call *call)
{
    size_t moved = moved_of(call->net, call->node, H), length = tcsi_net_shape(call->net, call->node->inputs[H]).length;
    const float *curve = call->scratch;
    tcsi_op_pass(call, BEFORE, call->dy, call->batch);
    if (!call->dx[H]) return;
    scales(call, call->x[H], call->batch * length, moved, call->scratch, NULL);
    for (size_t s = 0; s < call->batch * length; s++, curve += moved) {
        float *dh = call->dx[H] + 2 * s * moved, dy = call->dy[s / length];
        for (size_t c = 0; c < moved; c++) {
            float by_raw = dy * (1 - curve[c] * curve[c]);
            dh[c] = call->accumulate[H] ? dh[c] + by_raw : by_raw;
            if (!call->accumulate[H]) dh[moved + c] = 0;
        }
    }
}

static tcsi_onnx_value log_det_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_onnx_value s = scales_onnx(node, onnx, tcsi_onnx_input_of(onnx, node, H), moved_of(net, node, H));
    tcsi_onnx_value sum = tcsi_onnx_row_sum(onnx, s);
    return node->input_count > BEFORE ? tcsi_onnx_of_two(onnx, "Add", sum, tcsi_onnx_input_of(onnx, node, BEFORE)) : sum;
}

const tcsi_op tcsi_op_log_det = {
    .name = "log_det", .options_size = sizeof(coupling_options), .input_min = 1, .input_max = 2, .shape = log_det_shape,
    .forward = log_det_forward, .backward = log_det_backward, .scratch_count = log_det_scratch, .onnx = log_det_onnx,
};

tcsi_node_id tcsi_nn_log_det(tcsi_net *net, tcsi_node_id parameters, tcsi_node_id before, float bound)
{
    return tcsi_net_add(net, &tcsi_op_log_det, (tcsi_node_id[]){ parameters, before }, before == TCSI_NODE_NONE ? 1 : 2,
                        &(coupling_options){ .bound = bound });
}

/* ---- the negative log likelihood ---- */

enum { Z, LOG_DET };

static tcs_status flow_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape log_det = tcsi_net_shape(net, node->inputs[LOG_DET]);
    node->shape = (tcsi_shape){ 1, 1 };
    if (log_det.length == 1 && log_det.channels == 1) return TCS_OK;
    return tcsi_fail(err, TCS_E_INVALID, "loss_flow: needs one log determinant a row, got %zu steps and %zu channels", log_det.length,
                     log_det.channels);
}

static size_t point_size(const tcsi_op_call *call)
{
    tcsi_shape z = tcsi_net_shape(call->net, call->node->inputs[Z]);
    return z.length * z.channels;
}

/* y (B,1,1) from z (B,T,C) and log determinants (B,1,1) */
static void flow_forward(const tcsi_op_call *call)
{
    size_t count = point_size(call);
    for (size_t b = 0; b < call->batch; b++) {
        const float *z = call->x[Z] + b * count;
        double squares = tcsi_vector_dot(call->isa, count, z, z);
        call->y[b] = (float)((squares + LOG_2_PI * (double)count) / 2 - (double)call->x[LOG_DET][b]);
    }
}

static void flow_backward(const tcsi_op_call *call)
{
    size_t count = point_size(call);
    for (size_t at = 0; at < call->batch * count && call->dx[Z]; at++) {
        float gradient = call->dy[at / count] * call->x[Z][at];
        call->dx[Z][at] = call->accumulate[Z] ? call->dx[Z][at] + gradient : gradient;
    }
    tcsi_vector_scale(call->isa, call->batch, -1, call->dy, call->dy);
    tcsi_op_pass(call, LOG_DET, call->dy, call->batch);
}

static tcsi_onnx_value flow_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    tcsi_shape form = tcsi_net_shape(net, node->inputs[Z]);
    float constant = (float)(LOG_2_PI * (double)(form.length * form.channels) / 2);
    tcsi_onnx_value z = tcsi_onnx_input_of(onnx, node, Z), loss = tcsi_onnx_row_sum(onnx, tcsi_onnx_of_two(onnx, "Mul", z, z));
    loss = tcsi_onnx_of_two(onnx, "Mul", loss, tcsi_onnx_number(onnx, 0.5f));
    loss = tcsi_onnx_of_two(onnx, "Add", loss, tcsi_onnx_number(onnx, constant));
    return tcsi_onnx_of_two(onnx, "Sub", loss, tcsi_onnx_input_of(onnx, node, LOG_DET));
}

const tcsi_op tcsi_op_loss_flow = {
    .name = "loss_flow", .traits = TCSI_OP_LOSS, .input_min = 2, .input_max = 2, .shape = flow_shape,
    .forward = flow_forward, .backward = flow_backward, .onnx = flow_onnx,
};

tcsi_node_id tcsi_nn_loss_flow(tcsi_net *net, tcsi_node_id z, tcsi_node_id log_det)
{
    return tcsi_net_add(net, &tcsi_op_loss_flow, (tcsi_node_id[]){ z, log_det }, 2, NULL);
}
