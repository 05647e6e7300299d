/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/op.h"

#include "kernels/vector.h"

#include <string.h>

_Static_assert(TCSI_NODE_MAX <= 1 << 12, "a node's number has the upper 12 bits of a stream");

void tcsi_op_pass(const tcsi_op_call *call, size_t i, const float *gradient, size_t count)
{
    if (!call->dx[i]) return;
    if (call->accumulate[i]) tcsi_vector_axpy(call->isa, count, 1, gradient, call->dx[i]);
    else memcpy(call->dx[i], gradient, count * sizeof *gradient);
}

tcsi_node_id tcsi_op_node_id(const tcsi_op_call *call)
{
    return (tcsi_node_id)(call->node - call->net->nodes);
}

/* Nobody runs 2^52 steps. */
uint64_t tcsi_op_stream(const tcsi_op_call *call, tcsi_node_id node)
{
    return (uint64_t)node << 52 ^ call->step;
}
