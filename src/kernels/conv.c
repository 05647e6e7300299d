/* kernels/conv.c -- convolution by the definition, output by output.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv.h"
#include "kernels/gemm_tier.h"

#include <math.h>

static float multiply_add(tcsi_isa isa, float a, float b, float sum)
{
    return isa == TCSI_ISA_PORTABLE ? sum + a * b : fmaf(a, b, sum);
}

/* The input step that tap k of output step u reads; false when it falls outside. */
static bool input_step(const tcsi_conv *conv, size_t u, size_t k, size_t *ret_t)
{
    size_t at = u * conv->stride + k * conv->dilation;
    if (at < conv->pad_left || at - conv->pad_left >= conv->length_in) return false;
    *ret_t = at - conv->pad_left;
    return true;
}

size_t tcsi_conv_scratch_count(const tcsi_conv *conv)
{
    return conv->kernel * conv->channels_in * (conv->is_depthwise ? 1 : conv->channels_out);
}

void tcsi_conv_forward(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *x, const float *w, const float *bias,
                       const float *residual, tcsi_activation activation, float *y, float *scratch)
{
    (void)scratch;
    const size_t channels = conv->channels_in, outputs = conv->channels_out;
    for (size_t b = 0; b < batch; b++, x += conv->length_in * channels)
        for (size_t u = 0; u < conv->length_out; u++)
            for (size_t o = 0; o < outputs; o++) {
                size_t t, at = (b * conv->length_out + u) * outputs + o;
                float sum = bias ? bias[o] : 0;
                for (size_t k = 0; k < conv->kernel; k++) {
                    if (!input_step(conv, u, k, &t)) continue;
                    if (conv->is_depthwise) sum = multiply_add(isa, x[t * channels + o], w[k * channels + o], sum);
                    else
                        for (size_t c = 0; c < channels; c++)
                            sum = multiply_add(isa, x[t * channels + c], w[(k * channels + c) * outputs + o], sum);
                }
                if (residual) sum += residual[at];
                y[at] = tcsi_activation_ref(activation, sum);
            }
}

void tcsi_conv_backward_input(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *dy, const float *w, bool accumulate,
                              float *dx, float *scratch)
{
    (void)scratch;
    const size_t channels = conv->channels_in, outputs = conv->channels_out;
    if (!accumulate)
        for (size_t i = 0; i < batch * conv->length_in * channels; i++) dx[i] = 0;
    for (size_t b = 0; b < batch; b++, dx += conv->length_in * channels, dy += conv->length_out * outputs)
        for (size_t u = 0; u < conv->length_out; u++)
            for (size_t k = 0; k < conv->kernel; k++) {
                size_t t;
                if (!input_step(conv, u, k, &t)) continue;
                for (size_t c = 0; c < channels; c++) {
                    float *sum = &dx[t * channels + c];
                    if (conv->is_depthwise) *sum = multiply_add(isa, dy[u * outputs + c], w[k * channels + c], *sum);
                    else
                        for (size_t o = 0; o < outputs; o++)
                            *sum = multiply_add(isa, dy[u * outputs + o], w[(k * channels + c) * outputs + o], *sum);
                }
            }
}

void tcsi_conv_backward_weight(tcsi_isa isa, const tcsi_conv *conv, size_t batch, const float *x, const float *dy, float *dw,
                               float *dbias, float *scratch)
{
    (void)scratch;
    const size_t channels = conv->channels_in, outputs = conv->channels_out;
    for (size_t b = 0; b < batch; b++, x += conv->length_in * channels, dy += conv->length_out * outputs)
        for (size_t u = 0; u < conv->length_out; u++) {
            for (size_t o = 0; dbias && o < outputs; o++) dbias[o] += dy[u * outputs + o];
            for (size_t k = 0; k < conv->kernel; k++) {
                size_t t;
                if (!input_step(conv, u, k, &t)) continue;
                for (size_t c = 0; c < channels; c++) {
                    float value = x[t * channels + c];
                    if (conv->is_depthwise) {
                        float *sum = &dw[k * channels + c];
                        *sum = multiply_add(isa, value, dy[u * outputs + c], *sum);
                    } else
                        for (size_t o = 0; o < outputs; o++) {
                            float *sum = &dw[(k * channels + c) * outputs + o];
                            *sum = multiply_add(isa, value, dy[u * outputs + o], *sum);
                        }
                }
            }
        }
}
