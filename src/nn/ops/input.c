/* nn/ops/input.c -- what the caller brings with each run.  SPDX-License-Identifier: Apache-2.0 */
#include "nn/layers.h"
#include "nn/ops.h"

static tcs_status input_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    (void)net;
    (void)err;
    node->shape = *(const tcsi_shape *)node->options;
    return TCS_OK;
}

const tcsi_op tcsi_op_input = {
    .name = "input",
    .traits = TCSI_OP_INPUT | TCSI_OP_ROWWISE,
    .options_size = sizeof(tcsi_shape),
    .shape = input_shape,
};

tcsi_node_id tcsi_nn_input(tcsi_net *net, size_t length, size_t channels)
{
    return tcsi_net_add(net, &tcsi_op_input, NULL, 0, &(tcsi_shape){ length, channels });
}
