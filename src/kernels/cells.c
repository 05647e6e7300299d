/* kernels/cells.c -- which table of operations a tier has.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cells_tier.h"

const tcsi_cells_ops *tcsi_cells_ops_for(tcsi_isa isa)
{
    TCS_ASSERT(tcsi_isa_supported(isa));
#if defined(__x86_64__)
    if (isa == TCSI_ISA_AVX512) return &tcsi_cells_ops_avx512;
    if (isa == TCSI_ISA_AVX2) return &tcsi_cells_ops_avx2;
#endif
    return &tcsi_cells_ops_portable;
}
