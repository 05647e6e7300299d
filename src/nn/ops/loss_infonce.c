/* nn/ops/loss_infonce.c -- contrastive loss: each row must tell its own other view from those of all rows of the batch.
 *
 * A. van den Oord, Y. Li, O. Vinyals, "Representation learning with contrastive predictive coding", 2018, equation 4, where a score is
 * the cosine of two views over a temperature:
 *     s(i,j) = cos(a_i, b_j) / temperature          loss of row i = log(sum over j of exp(s(i,j))) - s(i,i)
 *
 * A row's weight is that of its own loss, and a row of weight 0 is nobody's negative either: as if it were not in the batch.  A row
 * alone has no negatives and loss 0.
 *
 * Cost: one product of (B,D) with (D,B) forward and three backward, D = T C.  The matrix of scores is walked in bands of BAND rows,
 * computed again for the backward pass, so that memory grows with B only.  Sums over a row are in double.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm.h"
#include "kernels/vector.h"
#include "nn/layers.h"
#include "nn/ops.h"
#include "nn/ops/direction.h"

#include <math.h>
#include <string.h>

enum { A, B, BAND = 64 };

/* The work space, one part after the other. */
typedef struct space {
    float *unit_a, *unit_b; /* (B,D) */
    float *by_b;            /* (B,D): gradient by b's directions */
    float *by_a;            /* (BAND,D) */
    float *band;            /* (BAND,B) */
    size_t count;           /* D */
} space;

static size_t view_size(const tcsi_net *net, const tcsi_node *node)
{
    tcsi_shape a = tcsi_net_shape(net, node->inputs[A]);
    return a.length * a.channels;
}

static size_t infonce_scratch(const tcsi_net *net, const tcsi_node *node, size_t batch)
{
    return 3 * batch * view_size(net, node) + BAND * (view_size(net, node) + batch);
}

static space space_of(const tcsi_op_call *call)
{
    size_t count = view_size(call->net, call->node), views = call->batch * count;
    return (space){ .unit_a = call->scratch, .unit_b = call->scratch + views, .by_b = call->scratch + 2 * views,
                    .by_a = call->scratch + 3 * views, .band = call->scratch + 3 * views + BAND * count, .count = count };
}

static float temperature_of(const tcsi_node *node)
{
    float temperature = *(const float *)node->options;
    return temperature > 0 ? temperature : 0.1f;
}

static tcs_status infonce_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    tcsi_shape a = tcsi_net_shape(net, node->inputs[A]), b = tcsi_net_shape(net, node->inputs[B]);
    float temperature = *(const float *)node->options;
    if (!(temperature >= 0 && temperature <= 1e6f) || (temperature > 0 && temperature < 1e-3f))
        return tcsi_fail(err, TCS_E_INVALID, "loss_infonce: needs a temperature in [0.001, 1e6], or 0, got %g", (double)temperature);
    if (a.length != b.length || a.channels != b.channels)
        return tcsi_fail(err, TCS_E_INVALID, "loss_infonce: a view of %zu steps and %zu channels and one of %zu and %zu", a.length,
                         a.channels, b.length, b.channels);
    node->shape = (tcsi_shape){ 1, 1 };
    return TCS_OK;
}

/* The scores of row i less their maximum, as exponentials; their sum.  ret_own: score of the row itself, likewise less the maximum. */
static double row_exponentials(const tcsi_op_call *call, size_t i, float *scores, double *ret_own)
{
    float factor = 1 / temperature_of(call->node);
    for (size_t j = 0; j < call->batch; j++) scores[j] = tcsi_row_counts(call, j) ? scores[j] * factor : -INFINITY;
    float most = tcsi_vector_max(call->isa, call->batch, scores);
    for (size_t j = 0; j < call->batch; j++) scores[j] -= most;
    *ret_own = (double)scores[i];
    tcsi_vector_unary(call->isa, TCSI_UNARY_EXP, call->batch, scores, scores);
    return tcsi_vector_sum(call->isa, call->batch, scores);
}

/* y (B,1,1) from a and b (B,T,C) */
static void infonce_forward(const tcsi_op_call *call)
{
    space work = space_of(call);
    tcsi_directions(call, call->x[A], work.count, work.unit_a);
    tcsi_directions(call, call->x[B], work.count, work.unit_b);
    for (size_t i = 0; i < call->batch; i++) {
        size_t place = i % BAND, rows = call->batch - i < BAND ? call->batch - i : BAND;
        double own, sum;
        if (place == 0) tcsi_direction_band(call, work.unit_a + i * work.count, rows, work.unit_b, work.count, work.band);
        call->y[i] = 0;
        if (!tcsi_row_counts(call, i)) continue;
        sum = row_exponentials(call, i, work.band + place * call->batch, &own);
        call->y[i] = (float)(log(sum) - own);
    }
}

/* The rows of a band, from cosines to the gradient by them: (share of j in the sum - [i = j]) dy / temperature. */
static void band_gradients(const tcsi_op_call *call, size_t begin, size_t rows, float *band)
{
    for (size_t i = begin; i < begin + rows; i++, band += call->batch) {
        double own, sum, factor = (double)call->dy[i] / (double)temperature_of(call->node);
        if (factor == 0 || !tcsi_row_counts(call, i)) {
            memset(band, 0, call->batch * sizeof *band);
            continue;
        }
        sum = row_exponentials(call, i, band, &own);
        for (size_t j = 0; j < call->batch; j++) band[j] = (float)((double)band[j] / sum * factor);
        band[i] -= (float)factor;
    }
}

static void infonce_backward(const tcsi_op_call *call)
{
    space work = space_of(call);
    size_t count = work.count, batch = call->batch;
    tcsi_directions(call, call->x[A], count, work.unit_a);
    tcsi_directions(call, call->x[B], count, work.unit_b);
    memset(work.by_b, 0, batch * count * sizeof(float));
    for (size_t begin = 0; begin < batch; begin += BAND) {
        size_t rows = batch - begin < BAND ? batch - begin : BAND;
        const float *unit = work.unit_a + begin * count;
        tcsi_direction_band(call, unit, rows, work.unit_b, count, work.band);
        band_gradients(call, begin, rows, work.band);
        tcsi_gemm by_a = { .m = rows, .n = count, .k = batch, .a = work.band, .a_stride = batch, .b = work.unit_b, .b_stride = count,
                           .c = work.by_a, .c_stride = count };
        tcsi_gemm by_b = { .m = batch, .n = count, .k = rows, .a = work.band, .a_stride = batch, .a_transposed = true, .b = unit,
                           .b_stride = count, .c = work.by_b, .c_stride = count, .accumulate = true };
        if (call->dx[A]) tcsi_gemm_run(call->isa, NULL, &by_a);
        if (call->dx[B]) tcsi_gemm_run(call->isa, NULL, &by_b);
        tcsi_directions_backward(call, A, begin, rows, count, unit, work.by_a);
    }
    tcsi_directions_backward(call, B, 0, batch, count, work.unit_b, work.by_b);
}

const tcsi_op tcsi_op_loss_infonce = {
    .name = "loss_infonce", .traits = TCSI_OP_LOSS | TCSI_OP_WHOLE, .options_size = sizeof(float), .input_min = 2, .input_max = 2,
    .shape = infonce_shape, .forward = infonce_forward, .backward = infonce_backward, .scratch_count = infonce_scratch,
};

tcsi_node_id tcsi_nn_loss_infonce(tcsi_net *net, tcsi_node_id a, tcsi_node_id b, float temperature)
{
    return tcsi_net_add(net, &tcsi_op_loss_infonce, (tcsi_node_id[]){ a, b }, 2, &temperature);
}
