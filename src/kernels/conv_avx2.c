/* kernels/conv_avx2.c -- the depthwise convolution on AVX2 with FMA.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_avx2.h"

#include "kernels/conv_lanes.h"

void tcsi_depthwise_avx2(const tcsi_depthwise *depthwise)
{
    depthwise_run(depthwise);
}
