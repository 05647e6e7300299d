/* SPDX-License-Identifier: Apache-2.0 */
#include "nn/ops.h"

const tcsi_op *const tcsi_ops[] = {
#define X(name) &tcsi_op_##name,
#include "nn/ops.def"
#undef X
};

const size_t tcsi_op_count = TCS_COUNT(tcsi_ops);
