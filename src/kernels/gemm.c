/* kernels/gemm.c -- hands a product to the tier it is asked for.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/gemm_tier.h"

void tcsi_gemm_run(tcsi_isa isa, tcsi_pool *pool, const tcsi_gemm *gemm)
{
    (void)pool;
    tcsi_gemm_ref(gemm, isa != TCSI_ISA_PORTABLE);
}
