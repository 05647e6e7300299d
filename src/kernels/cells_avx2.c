/* kernels/cells_avx2.c -- element-wise functions, norms, cells and updates on AVX2 with FMA.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_avx2.h"

#include "kernels/vector_lanes.h"
#include "kernels/norm_lanes.h"
#include "kernels/attention_lanes.h"
#include "kernels/optimize_lanes.h"
#include "kernels/pooling_lanes.h"
#include "kernels/random_lanes.h"
#include "kernels/recurrent_lanes.h"

const tcsi_cells_ops tcsi_cells_ops_avx2 = CELLS_OPS;
