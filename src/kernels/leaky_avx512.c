/* kernels/leaky_avx512.c -- the leaky join on AVX-512.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/lanes_avx512.h"

#include "kernels/leaky_lanes.h"

void tcsi_leaky_tier_avx512(const tcsi_leaky_step *step, tcsi_leaky_segment *segments, size_t segment_count, double *ret_centred,
                            double *ret_raw)
{
    run(step, segments, segment_count, ret_centred, ret_raw);
}
