/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/op.h"

#include "kernels/vector.h"

#include <string.h>

void tcsi_op_pass(const tcsi_op_call *call, size_t i, const float *gradient, size_t count)
{
    if (!call->dx[i]) return;
    if (call->accumulate[i]) tcsi_vector_axpy(call->isa, count, 1, gradient, call->dx[i]);
    else memcpy(call->dx[i], gradient, count * sizeof *gradient);
}

uint64_t tcsi_op_random_stream(const tcsi_op_call *call)
{
    uint64_t node = (uint64_t)(call->node - call->net->nodes);
    return (uint64_t)1 << 63 | (call->step * TCSI_NODE_MAX + node);
}
