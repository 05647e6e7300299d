/* kernels/gemm_tier.h -- what each tier of the matrix product implements; used by kernels/gemm*.c and their test only. */
#ifndef TCS_KERNELS_GEMM_TIER_H
#define TCS_KERNELS_GEMM_TIER_H

#include "kernels/gemm.h"

/* The specification: is_fused rounds once a multiply-add (avx2, avx512), else twice (portable). */
void tcsi_gemm_ref(const tcsi_gemm *gemm, bool is_fused);
float tcsi_activation_ref(tcsi_activation activation, float x); /* through double: right to half a unit in the last place or so */

#endif
