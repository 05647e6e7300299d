/* kernels/nearest_vnni_avx512.c -- the same as nearest_avx512.c for processors with VNNI, which multiply and add grains in one
 * instruction.  Same bits.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_floats_avx512.h"
#include "kernels/lanes_avx512.h"

enum { WIDE = 4 };

#include "kernels/nearest_lanes.h"

const tcsi_nearest_ops tcsi_nearest_ops_vnni_avx512 = NEAREST_OPS;
