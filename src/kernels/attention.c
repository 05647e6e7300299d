/* kernels/attention.c -- attention head by head: two products of kernels/gemm.h with a softmax between them.
 *
 * A block of rows at a time, so that its scores are still in the first cache level when the softmax and the second product read them;
 * causal blocks are short, and stop at what their last row sees.  Keys are transposed once per head (values, in backward), because the
 * product would otherwise do it once per block.
 * Backward, with S the scaled scores and W their softmax:  dV = W' dY, dW = dY V', dS from W and dW, dQ = dS K, dK = dS' Q.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"
#include "kernels/gemm.h"

#include <math.h>
#include <string.h>

enum { BLOCK_ROWS = 32, CAUSAL_BLOCK_ROWS = 16 };

/* One head of one row of the batch. */
typedef struct head {
    tcsi_isa isa;
    size_t length, part, stride; /* T; D / H; 3 D, from one time step to the next */
    bool causal;
    float factor;                /* 1 / sqrt(part) */
    const float *q, *k, *v;
    float *transposed;           /* (part,T) */
} head;

size_t tcsi_attention_scratch_count(const tcsi_attention *attention)
{
    return attention->length * attention->length + attention->length * attention->width;
}

static head head_of(tcsi_isa isa, const tcsi_attention *attention, const float *qkv, size_t row, size_t index, float *transposed)
{
    const size_t width = attention->width, part = width / attention->head_count;
    const float *q = qkv + row * attention->length * 3 * width + index * part;
    return (head){ .isa = isa, .length = attention->length, .part = part, .stride = 3 * width, .causal = attention->causal,
                   .factor = (float)(1 / sqrt((double)part)), .q = q, .k = q + width, .v = q + 2 * width, .transposed = transposed };
}

/* ---- forward ---- */

/* Rows [begin, end), which see no columns beyond `seen`. */
static void forward_block(const head *h, size_t begin, size_t end, float *weights, float *y, size_t y_stride)
{
    const tcsi_cells_ops *ops = tcsi_cells_ops_for(h->isa);
    const size_t seen = h->causal ? end : h->length, before = h->causal ? begin : h->length;
    float *w = weights + begin * h->length, *out = y + begin * y_stride;
    tcsi_gemm scores = { .m = end - begin, .n = seen, .k = h->part, .a = h->q + begin * h->stride, .a_stride = h->stride,
                         .b = h->transposed, .b_stride = h->length, .c = w, .c_stride = h->length };
    tcsi_gemm values = { .m = end - begin, .n = h->part, .k = before, .a = w, .a_stride = h->length, .b = h->v, .b_stride = h->stride,
                         .c = out, .c_stride = y_stride };
    tcsi_gemm_run(h->isa, NULL, &scores);
    ops->attention_softmax(&(tcsi_attention_rows){ end - begin, h->length, h->causal ? begin + 1 : h->length, h->causal }, h->factor, w);
    tcsi_gemm_run(h->isa, NULL, &values);
    if (h->causal) ops->attention_triangle(end - begin, h->part, w + begin, h->length, h->v + begin * h->stride, h->stride, out, y_stride);
}

void tcsi_attention_forward(tcsi_isa isa, const tcsi_attention *attention, size_t batch, const float *qkv, float *y, float *weights,
                            float *scratch)
{
    const size_t length = attention->length, width = attention->width, heads = attention->head_count;
    const size_t block = attention->causal ? CAUSAL_BLOCK_ROWS : BLOCK_ROWS;
    TCS_ASSERT(heads >= 1 && width % heads == 0);
    if (length == 0 || width == 0) return;
    for (size_t b = 0; b < batch; b++)
        for (size_t i = 0; i < heads; i++) {
            const head h = head_of(isa, attention, qkv, b, i, scratch);
            tcsi_cells_ops_for(isa)->transpose(length, h.part, h.k, h.stride, h.transposed);
            for (size_t begin = 0; begin < length; begin += block)
                forward_block(&h, begin, length - begin < block ? length : begin + block, weights + (b * heads + i) * length * length,
                              y + b * length * width + i * h.part, width);
        }
}

void tcsi_attention_step(tcsi_isa isa, const tcsi_attention *attention, size_t count, const float *query, const float *keys_values,
                         float *y, float *scratch)
{
    const size_t width = attention->width, part = width / attention->head_count;
    const tcsi_attention_rows row = { 1, count, count, 0 };
    for (size_t i = 0; i < attention->head_count; i++) {
        tcsi_gemm scores = { .m = 1, .n = count, .k = part, .a = query + i * part, .a_stride = width, .b = keys_values + i * part,
                             .b_stride = 2 * width, .b_transposed = true, .c = scratch, .c_stride = count };
        tcsi_gemm values = { .m = 1, .n = part, .k = count, .a = scratch, .a_stride = count, .b = keys_values + width + i * part,
                             .b_stride = 2 * width, .c = y + i * part, .c_stride = width };
        tcsi_gemm_run(isa, NULL, &scores);
        tcsi_cells_ops_for(isa)->attention_softmax(&row, (float)(1 / sqrt((double)part)), scratch);
        tcsi_gemm_run(isa, NULL, &values);
    }
}

/* ---- backward ---- */

static void backward_head(const head *h, const float *weights, const float *dy, size_t dy_stride, bool accumulate, float *dq, float *slopes)
{
    const tcsi_cells_ops *ops = tcsi_cells_ops_for(h->isa);
    const size_t length = h->length, part = h->part, width = h->stride / 3;
    const tcsi_attention_rows rows = { length, length, h->causal ? 1 : length, h->causal };
    tcsi_gemm to_v = { .m = length, .n = part, .k = length, .a = weights, .a_stride = length, .a_transposed = true, .b = dy,
                       .b_stride = dy_stride, .c = dq + 2 * width, .c_stride = h->stride, .accumulate = accumulate };
    tcsi_gemm to_w = { .m = length, .n = length, .k = part, .a = dy, .a_stride = dy_stride, .b = h->transposed, .b_stride = length,
                       .c = slopes, .c_stride = length };
    tcsi_gemm to_q = { .m = length, .n = part, .k = length, .a = slopes, .a_stride = length, .b = h->k, .b_stride = h->stride, .c = dq,
                       .c_stride = h->stride, .accumulate = accumulate };
    tcsi_gemm to_k = { .m = length, .n = part, .k = length, .a = slopes, .a_stride = length, .a_transposed = true, .b = h->q,
                       .b_stride = h->stride, .c = dq + width, .c_stride = h->stride, .accumulate = accumulate };
    ops->transpose(length, part, h->v, h->stride, h->transposed);
    tcsi_gemm_run(h->isa, NULL, &to_v);
    tcsi_gemm_run(h->isa, NULL, &to_w);
    ops->attention_softmax_backward(&rows, h->factor, weights, slopes);
    tcsi_gemm_run(h->isa, NULL, &to_q);
    tcsi_gemm_run(h->isa, NULL, &to_k);
}

void tcsi_attention_backward(tcsi_isa isa, const tcsi_attention *attention, size_t batch, const float *qkv, const float *weights,
                             const float *dy, bool accumulate, float *dqkv, float *scratch)
{
    const size_t length = attention->length, width = attention->width, heads = attention->head_count;
    if (length == 0 || width == 0) return;
    for (size_t b = 0; b < batch; b++)
        for (size_t i = 0; i < heads; i++) {
            const head h = head_of(isa, attention, qkv, b, i, scratch + length * length);
            backward_head(&h, weights + (b * heads + i) * length * length, dy + b * length * width + i * h.part, width, accumulate,
                          dqkv + b * length * 3 * width + i * h.part, scratch);
        }
}
