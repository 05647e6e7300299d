/* kernels/nearest_tier.h -- the fast tiers of kernels/nearest.h; used by kernels/nearest*.c only. */
#ifndef TCS_KERNELS_NEAREST_TIER_H
#define TCS_KERNELS_NEAREST_TIER_H

#include "kernels/nearest.h"

extern const tcsi_nearest_ops tcsi_nearest_ops_avx2, tcsi_nearest_ops_avx512, tcsi_nearest_ops_vnni_avx512;

#endif
