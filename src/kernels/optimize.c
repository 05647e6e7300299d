/* kernels/optimize.c -- hands updates to the tier they are asked for.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"

void tcsi_adamw_step(tcsi_isa isa, const tcsi_adamw *rule, size_t count, const float *gradient, float *weights, float *moment1,
                     float *moment2)
{
    TCS_ASSERT(rule->step >= 1);
    tcsi_cells_ops_for(isa)->adamw_step(rule, count, gradient, weights, moment1, moment2);
}

void tcsi_sgd_step(tcsi_isa isa, const tcsi_sgd *rule, size_t count, const float *gradient, float *weights, float *velocity)
{
    tcsi_cells_ops_for(isa)->sgd_step(rule, count, gradient, weights, velocity);
}
