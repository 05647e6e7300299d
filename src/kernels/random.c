/* kernels/random.c -- hands spans of random numbers to the tier they are asked for.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"

void tcsi_random_uniform(tcsi_isa isa, const tcsi_random_span *span, float *ret_values)
{
    TCS_ASSERT(span->first % 4 == 0);
    tcsi_cells_ops_for(isa)->random_uniform(span, ret_values);
}

void tcsi_random_normal(tcsi_isa isa, const tcsi_random_span *span, float *ret_values)
{
    TCS_ASSERT(span->first % 4 == 0);
    tcsi_cells_ops_for(isa)->random_normal(span, ret_values);
}

void tcsi_random_dropout(tcsi_isa isa, const tcsi_random_span *span, float rate, float *ret_mask)
{
    TCS_ASSERT(span->first % 4 == 0 && rate >= 0 && rate <= 1);
    tcsi_cells_ops_for(isa)->random_dropout(span, rate, ret_mask);
}
