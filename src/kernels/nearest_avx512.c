/* kernels/nearest_avx512.c -- near points on AVX-512: sixteen sums of 16.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_floats_avx512.h"
#include "kernels/lanes_avx512.h"

enum { WIDE = 4 };

#include "kernels/nearest_lanes.h"

const tcsi_nearest_ops tcsi_nearest_ops_avx512 = NEAREST_OPS;
