/* kernels/nearest_avx2.c -- near points on AVX2 with FMA: eight sums of 8.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_floats_avx2.h"
#include "kernels/lanes_avx2.h"

enum { WIDE = 2 };

#include "kernels/nearest_lanes.h"

const tcsi_nearest_ops tcsi_nearest_ops_avx2 = NEAREST_OPS;
