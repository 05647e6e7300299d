/* nn/ops/association.c -- how far a step's attention is from attention to its neighbourhood.
 *
 * J. Xu, H. Wu, J. Wang, M. Long, "Anomaly Transformer: time series anomaly detection with association discrepancy", ICLR 2022, equations 2
 * to 4.  Of each head, step t has two distributions over the steps j of its window: the series association S(t,j), which is attention's
 * softmax of q(t) k(j) / sqrt(D/H), and the prior association P(t,j), a normal density of j about t, of a learned width, scaled to sum 1:
 *
 *     y(t) = mean over heads of sum over j of (P - S) L        L = log((P + e) / (S + e)), e = 1e-4, as the authors' code has it
 *
 * which is the divergence of one from the other, both ways added.  The width is softplus(raw) + 0.1 steps (theirs lies in (0, 2)).  Which
 * of the two a loss moves, and where to, is for the caller to say; detect/deep/anomaly_transformer.c does.
 *
 * Saved of a row: S, P and L, (H,T,T) each.  Cost: T T D multiply-adds and three functions of T T H values; backward T T 2 D and none.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "kernels/gemm.h"
#include "kernels/norm.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/onnx.h"
#include "nn/ops.h"

#include <math.h>
#include <string.h>

enum { PAIRS, WIDTHS, PLANES = 3 };
static const float FLOOR = 1e-4f, WIDTH_MIN = 0.1f;

static tcs_status association_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_shape pairs = tcsi_net_shape(net, node->inputs[PAIRS]), widths = tcsi_net_shape(net, node->inputs[WIDTHS]);
    const size_t copies = *(const size_t *)node->options;
    size_t square;
    if (pairs.length != widths.length || pairs.channels % (2 * widths.channels) != 0 || copies == 0)
        return tcsi_fail(err, TCS_E_INVALID, "association: %zu steps of %zu channels and widths of %zu steps for %zu heads; expected as "
                         "many steps, queries and keys side by side that the heads divide, and a copy at least", pairs.length,
                         pairs.channels, widths.length, widths.channels);
    if (!tcsi_multiply(pairs.length, pairs.length, &square) || !tcsi_multiply(square, PLANES * widths.channels, &node->saved_count))
        return tcsi_fail(err, TCS_E_INVALID, "association: %zu steps are too many", pairs.length);
    node->shape = (tcsi_shape){ pairs.length, copies };
    return TCS_OK;
}

/* One head of one row of the batch. */
typedef struct head {
    tcsi_isa isa;
    size_t length, depth, pitch, head_count; /* T, D / H, 2 D, H */
    const float *queries, *keys, *widths;    /* the head's first value of the first step, as all that follows */
    const float *squares;                    /* (2T - 1): (j - t)^2 stands at j + T - 1 - t */
    float *series, *prior, *logs;            /* (T,T) each */
} head;

static void fill_squares(size_t length, float *ret_squares)
{
    for (size_t i = 0; i + 1 < 2 * length; i++) {
        const float away = (float)i - (float)(length - 1);
        ret_squares[i] = away * away;
    }
}

static head head_of(const tcsi_op_call *call, size_t row, size_t index, const float *squares)
{
    const tcsi_shape pairs = tcsi_net_shape(call->net, call->node->inputs[PAIRS]);
    const size_t length = pairs.length, heads = tcsi_net_shape(call->net, call->node->inputs[WIDTHS]).channels, plane = length * length;
    const float *x = call->x[PAIRS] + row * length * pairs.channels + index * (pairs.channels / 2 / heads);
    float *saved = call->saved + (row * heads + index) * PLANES * plane;
    return (head){ .isa = call->isa, .length = length, .depth = pairs.channels / 2 / heads, .pitch = pairs.channels, .head_count = heads,
                   .queries = x, .keys = x + pairs.channels / 2, .widths = call->x[WIDTHS] + row * length * heads + index,
                   .squares = squares, .series = saved, .prior = saved + plane, .logs = saved + 2 * plane };
}

static const float *squares_from(const head *h, size_t t)
{
    return h->squares + (h->length - 1 - t);
}

static float width_of(const head *h, size_t t)
{
    const float raw = h->widths[t * h->head_count];
    return fmaxf(raw, 0) + log1pf(expf(-fabsf(raw))) + WIDTH_MIN;
}

/* ---- forward ---- */

static void find_series(const head *h)
{
    const size_t plane = h->length * h->length;
    const tcsi_gemm products = { .m = h->length, .n = h->length, .k = h->depth, .a = h->queries, .a_stride = h->pitch, .b = h->keys,
                                 .b_stride = h->pitch, .b_transposed = true, .c = h->series, .c_stride = h->length };
    tcsi_gemm_run(h->isa, NULL, &products);
    tcsi_vector_scale(h->isa, plane, 1 / sqrtf((float)h->depth), h->series, h->series);
    tcsi_softmax_forward(h->isa, h->length, h->length, h->series, h->series);
}

static void find_prior(const head *h)
{
    for (size_t t = 0; t < h->length; t++) {
        const float width = width_of(h, t);
        tcsi_vector_scale(h->isa, h->length, -0.5f / (width * width), squares_from(h, t), h->prior + t * h->length);
    }
    tcsi_softmax_forward(h->isa, h->length, h->length, h->prior, h->prior);
}

static void find_logs(const head *h)
{
    const size_t plane = h->length * h->length;
    for (size_t i = 0; i < plane; i++) h->logs[i] = (h->prior[i] + FLOOR) / (h->series[i] + FLOOR);
    tcsi_vector_unary(h->isa, TCSI_UNARY_LOG, plane, h->logs, h->logs);
}

/* y (B,T,copies) from queries and keys (B,T,2D) and raw widths (B,T,H) */
static void association_forward(const tcsi_op_call *call)
{
    const size_t length = call->node->shape.length, copies = call->node->shape.channels;
    const size_t heads = tcsi_net_shape(call->net, call->node->inputs[WIDTHS]).channels;
    fill_squares(length, call->scratch);
    memset(call->y, 0, call->batch * length * copies * sizeof(float));
    for (size_t i = 0; i < call->batch * heads; i++) {
        const head h = head_of(call, i / heads, i % heads, call->scratch);
        float *y = call->y + i / heads * length * copies;
        find_series(&h);
        find_prior(&h);
        find_logs(&h);
        for (size_t t = 0; t < length; t++) {
            const double from_prior = tcsi_vector_dot(h.isa, length, h.prior + t * length, h.logs + t * length);
            const double from_series = tcsi_vector_dot(h.isa, length, h.series + t * length, h.logs + t * length);
            const float part = (float)((from_prior - from_series) / (double)heads);
            for (size_t c = 0; c < copies; c++) y[t * copies + c] += part;
        }
    }
}

/* ---- backward: slopes (T,T) are room ---- */

/* dy of a step, all its copies, as it reaches one head. */
static float slope_at(const tcsi_op_call *call, size_t row, size_t t, size_t heads)
{
    const size_t copies = call->node->shape.channels;
    const float *dy = call->dy + (row * call->node->shape.length + t) * copies;
    float sum = 0;
    for (size_t c = 0; c < copies; c++) sum += dy[c];
    return sum / (float)heads;
}

/* sign (L + (P - S) / (x + e)) dy(t), x being S or P, then back through x's softmax. */
static void find_slopes(const tcsi_op_call *call, const head *h, size_t row, const float *x, float sign, float *ret_slopes)
{
    for (size_t t = 0; t < h->length; t++) {
        const float dy = sign * slope_at(call, row, t, h->head_count);
        for (size_t i = t * h->length; i < (t + 1) * h->length; i++)
            ret_slopes[i] = dy * (h->logs[i] + (h->prior[i] - h->series[i]) / (x[i] + FLOOR));
    }
    tcsi_softmax_backward(h->isa, h->length, h->length, x, ret_slopes, false, ret_slopes);
}

static void pass_to_pairs(const tcsi_op_call *call, const head *h, size_t row, size_t index, float *slopes)
{
    const size_t plane = h->length * h->length;
    float *dx = call->dx[PAIRS] + row * h->length * h->pitch + index * h->depth;
    const tcsi_gemm to_queries = { .m = h->length, .n = h->depth, .k = h->length, .a = slopes, .a_stride = h->length, .b = h->keys,
                                   .b_stride = h->pitch, .c = dx, .c_stride = h->pitch, .accumulate = true };
    const tcsi_gemm to_keys = { .m = h->length, .n = h->depth, .k = h->length, .a = slopes, .a_stride = h->length, .a_transposed = true,
                                .b = h->queries, .b_stride = h->pitch, .c = dx + h->pitch / 2, .c_stride = h->pitch, .accumulate = true };
    find_slopes(call, h, row, h->series, -1, slopes);
    tcsi_vector_scale(h->isa, plane, 1 / sqrtf((float)h->depth), slopes, slopes);
    tcsi_gemm_run(h->isa, NULL, &to_queries);
    tcsi_gemm_run(h->isa, NULL, &to_keys);
}

static void pass_to_widths(const tcsi_op_call *call, const head *h, size_t row, size_t index, float *slopes)
{
    float *dx = call->dx[WIDTHS] + row * h->length * h->head_count + index;
    find_slopes(call, h, row, h->prior, 1, slopes);
    for (size_t t = 0; t < h->length; t++) {
        const float width = width_of(h, t), by_raw = 1 / (1 + expf(-h->widths[t * h->head_count]));
        const float sum = (float)tcsi_vector_dot(h->isa, h->length, slopes + t * h->length, squares_from(h, t));
        dx[t * h->head_count] += sum / (width * width * width) * by_raw;
    }
}

static void clear_unless_added(const tcsi_op_call *call, size_t i)
{
    const tcsi_shape shape = tcsi_net_shape(call->net, call->node->inputs[i]);
    if (call->dx[i] && !call->accumulate[i]) memset(call->dx[i], 0, call->batch * shape.length * shape.channels * sizeof(float));
}

static void association_backward(const tcsi_op_call *call)
{
    const size_t length = call->node->shape.length, heads = tcsi_net_shape(call->net, call->node->inputs[WIDTHS]).channels;
    float *squares = call->scratch, *slopes = squares + 2 * length;
    fill_squares(length, squares);
    clear_unless_added(call, PAIRS);
    clear_unless_added(call, WIDTHS);
    for (size_t i = 0; i < call->batch * heads; i++) {
        const head h = head_of(call, i / heads, i % heads, squares);
        if (call->dx[PAIRS]) pass_to_pairs(call, &h, i / heads, i % heads, slopes);
        if (call->dx[WIDTHS]) pass_to_widths(call, &h, i / heads, i % heads, slopes);
    }
}

static double association_cost(const tcsi_net *net, const tcsi_node *node)
{
    const double length = (double)node->shape.length, channels = (double)tcsi_net_shape(net, node->inputs[PAIRS]).channels;
    return length * length * (channels / 2 + 20 * (double)tcsi_net_shape(net, node->inputs[WIDTHS]).channels);
}

static size_t association_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    (void)net;
    (void)batch;
    return node->shape.length * (node->shape.length + 2);
}

/* ---- as ONNX ---- */

/* Channels [begin, begin + D) of the pairs, head by head: (B,H,T,D/H), turned (B,H,D/H,T). */
static tcsi_onnx_value heads_onnx(tcsi_onnx *onnx, const tcsi_node *node, tcsi_shape pairs, size_t heads, bool is_turned)
{
    const size_t width = pairs.channels / 2, begin = is_turned ? width : 0;
    const tcsi_onnx_value x = tcsi_onnx_slice(onnx, tcsi_onnx_input_of(onnx, node, PAIRS), 2, begin, begin + width);
    const tcsi_onnx_value parted = tcsi_onnx_reshape(onnx, x, (size_t[]){ 0, pairs.length, heads, width / heads }, 4);
    const tcsi_onnx_call call = { "Transpose", { parted }, { TCSI_ONNX_INTEGERS("perm", 0, 2, is_turned ? 3 : 1, is_turned ? 1 : 3) } };
    return tcsi_onnx_add(onnx, &call);
}

static tcsi_onnx_value softmax_onnx(tcsi_onnx *onnx, tcsi_onnx_value x)
{
    return tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Softmax", { x }, { TCSI_ONNX_INTEGER("axis", 3) } });
}

static tcsi_onnx_value constant_onnx(tcsi_onnx *onnx, float value, size_t rows, size_t columns)
{
    float *values = tcsi_onnx_scratch(onnx, rows * columns);
    for (size_t i = 0; values && i < rows * columns; i++) values[i] = value;
    return tcsi_onnx_floats(onnx, values, (size_t[]){ rows, columns }, 2);
}

/* (B,H,T,T) */
static tcsi_onnx_value prior_onnx(tcsi_onnx *onnx, const tcsi_node *node, size_t length, size_t heads)
{
    float *halves = tcsi_onnx_scratch(onnx, length * length);
    for (size_t t = 0; halves && t < length; t++)
        for (size_t j = 0; j < length; j++) halves[t * length + j] = -0.5f * ((float)j - (float)t) * ((float)j - (float)t);
    const tcsi_onnx_value raw = tcsi_onnx_input_of(onnx, node, WIDTHS);
    tcsi_onnx_value width = tcsi_onnx_of_two(onnx, "Add", tcsi_onnx_of(onnx, "Softplus", raw), tcsi_onnx_number(onnx, WIDTH_MIN));
    width = tcsi_onnx_reshape(onnx, tcsi_onnx_swap(onnx, width), (size_t[]){ 0, heads, length, 1 }, 4);
    const tcsi_onnx_value away = tcsi_onnx_floats(onnx, halves, (size_t[]){ length, length }, 2);
    return softmax_onnx(onnx, tcsi_onnx_of_two(onnx, "Div", away, tcsi_onnx_of_two(onnx, "Mul", width, width)));
}

static tcsi_onnx_value association_onnx(const tcsi_net *net, const tcsi_node *node, tcsi_onnx *onnx)
{
    const tcsi_shape pairs = tcsi_net_shape(net, node->inputs[PAIRS]);
    const size_t heads = tcsi_net_shape(net, node->inputs[WIDTHS]).channels, length = pairs.length, copies = node->shape.channels;
    const tcsi_onnx_value scale = tcsi_onnx_number(onnx, 1 / sqrtf((float)(pairs.channels / 2 / heads)));
    const tcsi_onnx_value least = tcsi_onnx_number(onnx, FLOOR);
    const tcsi_onnx_value queries = heads_onnx(onnx, node, pairs, heads, false), keys = heads_onnx(onnx, node, pairs, heads, true);
    const tcsi_onnx_value products = tcsi_onnx_of_two(onnx, "MatMul", queries, keys);
    const tcsi_onnx_value series = softmax_onnx(onnx, tcsi_onnx_of_two(onnx, "Mul", products, scale));
    const tcsi_onnx_value prior = prior_onnx(onnx, node, length, heads);
    const tcsi_onnx_value above = tcsi_onnx_of_two(onnx, "Add", prior, least), below = tcsi_onnx_of_two(onnx, "Add", series, least);
    const tcsi_onnx_value logs = tcsi_onnx_of(onnx, "Log", tcsi_onnx_of_two(onnx, "Div", above, below));
    tcsi_onnx_value y = tcsi_onnx_of_two(onnx, "Mul", tcsi_onnx_of_two(onnx, "Sub", prior, series), logs);
    y = tcsi_onnx_of_two(onnx, "MatMul", y, constant_onnx(onnx, 1 / (float)heads, length, copies)); /* (B,H,T,copies) */
    y = tcsi_onnx_add(onnx, &(tcsi_onnx_call){ "Transpose", { y }, { TCSI_ONNX_INTEGERS("perm", 0, 2, 3, 1) } });
    y = tcsi_onnx_of_two(onnx, "MatMul", y, constant_onnx(onnx, 1, heads, 1));
    return tcsi_onnx_reshape(onnx, y, (size_t[]){ 0, length, copies }, 3);
}

const tcsi_op tcsi_op_association = {
    .name = "association", .options_size = sizeof(size_t), .input_min = 2, .input_max = 2, .shape = association_shape,
    .forward = association_forward, .backward = association_backward, .cost = association_cost, .scratch_count = association_scratch,
    .onnx = association_onnx,
};

tcsi_node_id tcsi_nn_association(tcsi_net *net, tcsi_node_id pairs, tcsi_node_id widths, size_t copies)
{
    return tcsi_net_add(net, &tcsi_op_association, (tcsi_node_id[]){ pairs, widths }, 2, &copies);
}
