/* kernels/leaky_avx2.c -- the leaky join on AVX2 with FMA.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_avx2.h"

#include "kernels/leaky_lanes.h"

void tcsi_leaky_tier_avx2(const tcsi_leaky_step *step, tcsi_leaky_segment *segments, size_t segment_count, double *ret_centred,
                          double *ret_raw)
{
    run(step, segments, segment_count, ret_centred, ret_raw);
}
