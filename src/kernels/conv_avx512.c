/* kernels/conv_avx512.c -- the depthwise convolution on AVX-512.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_avx512.h"

#include "kernels/conv_lanes.h"

void tcsi_depthwise_avx512(const tcsi_depthwise *depthwise)
{
    depthwise_run(depthwise);
}
