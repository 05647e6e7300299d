/* kernels/cells.c -- which table of operations a tier has.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"

const tcsi_cells_ops *tcsi_cells_ops_for(tcsi_isa isa)
{
    TCS_ASSERT(tcsi_isa_supported(isa));
    return &tcsi_cells_ops_portable;
}
