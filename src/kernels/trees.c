/* kernels/trees.c -- trees of cuts in plain C, the reference of the fast tier, and the choice of a tier.
 * AVX2 has no tier: its gathered loads are no faster than these loads one by one.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/trees_tier.h"

/* Eight rows at a time: the steps of one row wait for each other, those of eight do not. */
static void walk(const tcsi_tree *tree, const float *values, size_t channel_count, double *sums)
{
    enum { TOGETHER = 8 };
    const size_t depth = tree->depth, bottom = ((size_t)1 << depth) - 1;
    const uint32_t *channels = tree->channels;
    const float *thresholds = tree->thresholds;
    (void)channel_count;
    for (size_t begin = 0; begin < TCSI_TREE_ROWS; begin += TOGETHER) {
        size_t places[TOGETHER] = { 0 };
        for (size_t level = 0; level < depth; level++)
#if defined(__GNUC__)
#pragma GCC unroll 8
#endif
            for (size_t i = 0; i < TOGETHER; i++) {
                size_t place = places[i];
                places[i] = 2 * place + 1 + (values[(size_t)channels[place] * TCSI_TREE_ROWS + begin + i] > thresholds[place]);
            }
        for (size_t i = 0; i < TOGETHER; i++) sums[begin + i] += (double)tree->lengths[places[i] - bottom];
    }
}

tcsi_tree_walker tcsi_tree_walker_for(tcsi_isa isa, size_t channel_count)
{
    TCS_ASSERT(tcsi_isa_supported(isa));
#if defined(__x86_64__)
    if (isa == TCSI_ISA_AVX512 && channel_count < ((size_t)1 << 24)) return tcsi_tree_walk_avx512; /* its offsets are 32 bits */
#else
    (void)channel_count;
#endif
    return walk;
}
