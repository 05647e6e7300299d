/* kernels/gemm_ref.c -- the matrix product as it is defined, element by element: the specification of every fast tier, and nothing
 * that runs in production.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm_tier.h"

#include <math.h>

/* Where inner index p of A, (tap, c), stands. */
static size_t tap_offset(const tcsi_gemm *gemm, size_t index, size_t inner_count)
{
    size_t taps = gemm->tap_count > 1 ? gemm->tap_count : 1, channels = inner_count / taps;
    return channels > 0 ? index / channels * gemm->tap_stride + index % channels : 0;
}

static float a_at(const tcsi_gemm *gemm, size_t row, size_t p)
{
    if (gemm->a_transposed) return gemm->a[p * gemm->a_stride + tap_offset(gemm, row, gemm->m)];
    return gemm->a[row * gemm->a_stride + tap_offset(gemm, p, gemm->k)];
}

static float b_at(const tcsi_gemm *gemm, size_t p, size_t column)
{
    return gemm->b_transposed ? gemm->b[column * gemm->b_stride + p] : gemm->b[p * gemm->b_stride + column];
}

float tcsi_activation_ref(tcsi_activation activation, float x)
{
    switch (activation) {
    case TCSI_ACTIVATION_NONE: return x;
    case TCSI_ACTIVATION_RELU: return x < 0 ? 0 : x;
    case TCSI_ACTIVATION_SIGMOID: return (float)(1 / (1 + exp(-(double)x)));
    case TCSI_ACTIVATION_TANH: return (float)tanh((double)x);
    case TCSI_ACTIVATION_SOFTPLUS: return isnan(x) ? x : (float)(fmax((double)x, 0) + log1p(exp(-fabs((double)x))));
    }
    return x;
}

void tcsi_gemm_ref(const tcsi_gemm *gemm, bool is_fused)
{
    for (size_t i = 0; i < gemm->m; i++)
        for (size_t j = 0; j < gemm->n; j++) {
            float *c = &gemm->c[i * gemm->c_stride + j], sum = gemm->bias ? gemm->bias[j] : 0;
            if (gemm->accumulate) sum = *c;
            for (size_t p = 0; p < gemm->k; p++) {
                float a = a_at(gemm, i, p), b = b_at(gemm, p, j);
                sum = is_fused ? fmaf(a, b, sum) : sum + a * b;
            }
            if (gemm->residual) sum += gemm->residual[i * gemm->residual_stride + j];
            *c = tcsi_activation_ref(gemm->activation, sum);
        }
}
