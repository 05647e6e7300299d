/* nn/ops.h -- the operations of ops.def, by name and as a list. */
#ifndef TCS_NN_OPS_H
#define TCS_NN_OPS_H

#include "nn/op.h"

#define X(name) extern const tcsi_op tcsi_op_##name;
#include "nn/ops.def"
#undef X

extern const tcsi_op *const tcsi_ops[];
extern const size_t tcsi_op_count;

#endif
