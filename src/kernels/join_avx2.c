/* kernels/join_avx2.c -- the join on AVX2 with FMA: 4 registers of 4 rows each.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_avx2.h"

enum { BLOCKS = 4 };

#include "kernels/join_lanes.h"

const tcsi_join_ops tcsi_join_ops_avx2 = { strip_run, row_start, row_push };
