/* kernels/pooling.c -- pooling along time, row by row of the output.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"

#include <string.h>

size_t tcsi_pooling_length_out(const tcsi_pooling *pooling)
{
    TCS_ASSERT(pooling->window >= 1 && pooling->stride >= 1 && pooling->length >= pooling->window);
    return (pooling->length - pooling->window) / pooling->stride + 1;
}

void tcsi_pooling_forward(tcsi_isa isa, const tcsi_pooling *pooling, size_t batch, const float *x, float *y, uint32_t *ret_where)
{
    const tcsi_cells_ops *ops = tcsi_cells_ops_for(isa);
    const size_t channels = pooling->channels, length_out = tcsi_pooling_length_out(pooling);
    for (size_t b = 0; b < batch; b++)
        for (size_t u = 0; u < length_out; u++) {
            const size_t first = u * pooling->stride, to = (b * length_out + u) * channels;
            const float *from = x + (b * pooling->length + first) * channels;
            if (pooling->is_max) ops->pool_max(pooling->window, channels, first, from, y + to, ret_where + to);
            else ops->pool_mean(pooling->window, channels, from, y + to);
        }
}

/* dx (T,C) += of one row of the batch. */
static void backward_row(const tcsi_cells_ops *ops, const tcsi_pooling *pooling, const float *dy, const uint32_t *where, float *dx)
{
    const size_t channels = pooling->channels, length_out = tcsi_pooling_length_out(pooling);
    for (size_t u = 0; u < length_out; u++, dy += channels) {
        if (pooling->is_max) {
            for (size_t c = 0; c < channels; c++) dx[where[u * channels + c] * channels + c] += dy[c];
            continue;
        }
        for (size_t k = 0; k < pooling->window; k++)
            ops->axpy(channels, 1 / (float)pooling->window, dy, dx + (u * pooling->stride + k) * channels);
    }
}

void tcsi_pooling_backward(tcsi_isa isa, const tcsi_pooling *pooling, size_t batch, const float *dy, const uint32_t *where, bool accumulate,
                           float *dx)
{
    const tcsi_cells_ops *ops = tcsi_cells_ops_for(isa);
    const size_t row_in = pooling->length * pooling->channels, row_out = tcsi_pooling_length_out(pooling) * pooling->channels;
    if (!accumulate && batch * row_in > 0) memset(dx, 0, batch * row_in * sizeof *dx);
    for (size_t b = 0; b < batch; b++)
        backward_row(ops, pooling, dy + b * row_out, pooling->is_max ? where + b * row_out : NULL, dx + b * row_in);
}
