/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/ops/direction.h"

#include "kernels/gemm.h"
#include "kernels/vector.h"
#include "nn/layers.h"

#include <math.h>
#include <string.h>

/* 1 / |x|, 0 without a direction. */
static double inverse_length(tcsi_isa isa, const float *x, size_t count)
{
    double length = sqrt(tcsi_vector_dot(isa, count, x, x));
    return length < (double)TCSI_NN_LENGTH_MIN ? 0 : 1 / length;
}

void tcsi_directions(const tcsi_op_call *call, const float *x, size_t count, float *ret_unit)
{
    for (size_t b = 0; b < call->batch; b++, x += count, ret_unit += count) {
        if (!tcsi_row_counts(call, b)) { /* whatever it holds, even NaN */
            memset(ret_unit, 0, count * sizeof *ret_unit);
            continue;
        }
        double inverse = inverse_length(call->isa, x, count);
        for (size_t i = 0; i < count; i++) ret_unit[i] = (float)((double)x[i] * inverse);
    }
}

void tcsi_directions_backward(const tcsi_op_call *call, size_t i, size_t begin, size_t rows, size_t count, const float *unit,
                              const float *gradient)
{
    for (size_t b = begin; b < begin + rows && call->dx[i]; b++, unit += count, gradient += count) {
        bool counts = tcsi_row_counts(call, b);
        double inverse = counts ? inverse_length(call->isa, call->x[i] + b * count, count) : 0;
        double along = tcsi_vector_dot(call->isa, count, unit, gradient);
        float *dx = call->dx[i] + b * count;
        for (size_t k = 0; k < count; k++) {
            float own = (float)(((double)gradient[k] - (double)unit[k] * along) * inverse);
            dx[k] = call->accumulate[i] ? dx[k] + own : own;
        }
    }
}

void tcsi_direction_band(const tcsi_op_call *call, const float *rows_unit, size_t rows, const float *unit, size_t count, float *ret_band)
{
    tcsi_gemm product = { .m = rows, .n = call->batch, .k = count, .a = rows_unit, .a_stride = count, .b = unit, .b_stride = count,
                          .b_transposed = true, .c = ret_band, .c_stride = call->batch };
    tcsi_gemm_run(call->isa, NULL, &product);
}
