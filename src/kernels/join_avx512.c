/* kernels/join_avx512.c -- the join on AVX-512: 4 registers of 8 rows each.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_avx512.h"

enum { BLOCKS = 4 };

#include "kernels/join_lanes.h"

const tcsi_join_ops tcsi_join_ops_avx512 = { strip_run, row_start, row_push };
