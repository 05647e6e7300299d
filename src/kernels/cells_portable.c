/* kernels/cells_portable.c -- element-wise functions, norms, cells and updates for any processor.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_portable.h"

#include "kernels/vector_lanes.h"
#include "kernels/norm_lanes.h"
#include "kernels/attention_lanes.h"
#include "kernels/optimize_lanes.h"
#include "kernels/pooling_lanes.h"
#include "kernels/random_lanes.h"
#include "kernels/recurrent_lanes.h"

const tcsi_cells_ops tcsi_cells_ops_portable = CELLS_OPS;
