/* kernels/conv_portable.c -- the depthwise convolution for any processor.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/floats_portable.h"

#include "kernels/conv_lanes.h"

void tcsi_depthwise_portable(const tcsi_depthwise *depthwise)
{
    depthwise_run(depthwise);
}
