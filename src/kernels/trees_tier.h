/* kernels/trees_tier.h -- the fast tier of kernels/trees.h; used by kernels/trees*.c only. */
#ifndef TCS_KERNELS_TREES_TIER_H
#define TCS_KERNELS_TREES_TIER_H

#include "kernels/trees.h"

void tcsi_tree_walk_avx512(const tcsi_tree *tree, const float *values, size_t channel_count, double *sums);

#endif
