/* kernels/attention.c -- scaled dot-product attention, head by head.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/attention.h"

#include "kernels/gemm.h"
#include "kernels/norm.h"
#include "kernels/vector.h"

#include <math.h>
#include <string.h>

size_t tcsi_attention_scratch_count(const tcsi_attention *attention)
{
    return attention->length * attention->length;
}

/* Row t sees columns 0..t when causal. */
static size_t seen(const tcsi_attention *attention, size_t t)
{
    return attention->causal ? t + 1 : attention->length;
}

void tcsi_attention_forward(tcsi_isa isa, const tcsi_attention *attention, size_t batch, const float *qkv, float *y, float *weights,
                            float *scratch)
{
    const size_t length = attention->length, width = attention->width, heads = attention->head_count;
    (void)scratch;
    if (length == 0 || width == 0) return;
    TCS_ASSERT(heads >= 1 && width % heads == 0);
    const size_t part = width / heads;
    const float scale = (float)(1 / sqrt((double)part));
    for (size_t b = 0; b < batch; b++)
        for (size_t head = 0; head < heads; head++) {
            const float *q = qkv + b * length * 3 * width + head * part;
            float *w = weights + (b * heads + head) * length * length;
            tcsi_gemm scores = { .m = length, .n = length, .k = part, .a = q, .a_stride = 3 * width, .b = q + width,
                                 .b_stride = 3 * width, .b_transposed = true, .c = w, .c_stride = length };
            tcsi_gemm_run(isa, NULL, &scores);
            tcsi_vector_scale(isa, length * length, scale, w, w);
            for (size_t t = 0; t < length; t++) {
                tcsi_softmax_forward(isa, 1, seen(attention, t), w + t * length, w + t * length);
                memset(w + t * length + seen(attention, t), 0, (length - seen(attention, t)) * sizeof *w);
            }
            tcsi_gemm values = { .m = length, .n = part, .k = length, .a = w, .a_stride = length, .b = q + 2 * width,
                                 .b_stride = 3 * width, .c = y + b * length * width + head * part, .c_stride = width };
            tcsi_gemm_run(isa, NULL, &values);
        }
}

/* One head: with S the scaled scores and W their softmax,  dV = W' dY, dW = dY V', dS = softmax backward, dQ = dS K, dK = dS' Q. */
static void backward_head(tcsi_isa isa, const tcsi_attention *attention, const float *q, const float *w, const float *dy, bool accumulate,
                          float *dq, float *ds)
{
    const size_t length = attention->length, width = attention->width, part = width / attention->head_count;
    const float *k = q + width, *v = k + width;
    tcsi_gemm to_v = { .m = length, .n = part, .k = length, .a = w, .a_stride = length, .a_transposed = true, .b = dy, .b_stride = width,
                       .c = dq + 2 * width, .c_stride = 3 * width, .accumulate = accumulate };
    tcsi_gemm to_w = { .m = length, .n = length, .k = part, .a = dy, .a_stride = width, .b = v, .b_stride = 3 * width,
                       .b_transposed = true, .c = ds, .c_stride = length };
    tcsi_gemm to_q = { .m = length, .n = part, .k = length, .a = ds, .a_stride = length, .b = k, .b_stride = 3 * width, .c = dq,
                       .c_stride = 3 * width, .accumulate = accumulate };
    tcsi_gemm to_k = { .m = length, .n = part, .k = length, .a = ds, .a_stride = length, .a_transposed = true, .b = q,
                       .b_stride = 3 * width, .c = dq + width, .c_stride = 3 * width, .accumulate = accumulate };
    tcsi_gemm_run(isa, NULL, &to_v);
    tcsi_gemm_run(isa, NULL, &to_w);
    tcsi_softmax_backward(isa, length, length, w, ds, false, ds);
    tcsi_vector_scale(isa, length * length, (float)(1 / sqrt((double)part)), ds, ds);
    tcsi_gemm_run(isa, NULL, &to_q);
    tcsi_gemm_run(isa, NULL, &to_k);
}

void tcsi_attention_backward(tcsi_isa isa, const tcsi_attention *attention, size_t batch, const float *qkv, const float *weights,
                             const float *dy, bool accumulate, float *dqkv, float *scratch)
{
    const size_t length = attention->length, width = attention->width, heads = attention->head_count;
    if (length == 0 || width == 0) return;
    for (size_t b = 0; b < batch; b++)
        for (size_t head = 0; head < heads; head++) {
            const size_t at = b * length * 3 * width + head * (width / heads);
            backward_head(isa, attention, qkv + at, weights + (b * heads + head) * length * length,
                          dy + b * length * width + head * (width / heads), accumulate, dqkv + at, scratch);
        }
}
