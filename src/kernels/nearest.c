/* kernels/nearest.c -- the search for near points in plain C: the reference of the fast tiers, and the choice of a tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/nearest_tier.h"

#include "kernels/nearest_common.h"

/* Appends what is within limit.  First a look whether anything is: mostly nothing. */
static size_t append(const float *distances, const tcsi_leaf *leaf, float limit, tcsi_near_list out)
{
    int any = 0;
    size_t found = 0;
    for (size_t j = 0; j < TCSI_LEAF; j++) any |= distances[j] <= limit;
    for (uint32_t j = 0; j < leaf->count && any; j++) { /* no branch: hits are as good as random */
        out.near[found] = distances[j];
        out.at[found] = leaf->first + j;
        found += distances[j] <= limit;
    }
    return found;
}

enum { TOGETHER = 8 }; /* points whose sums compilers keep in registers */

static size_t scan(const float *point, const tcsi_leaf *leaf, size_t channel_count, float limit, tcsi_near_list out)
{
    float distances[TCSI_LEAF];
    for (size_t begin = 0; begin < TCSI_LEAF; begin += TOGETHER) {
        const float *values = leaf->points + begin;
        float sums[TOGETHER] = { 0 };
        for (size_t c = 0; c < channel_count; c++)
            for (size_t j = 0; j < TOGETHER; j++) {
                float difference = values[c * TCSI_LEAF + j] - point[c];
                sums[j] += difference * difference;
            }
        memcpy(distances + begin, sums, sizeof sums);
    }
    return append(distances, leaf, limit, out);
}

static size_t scan_product(const float *point, float square, const tcsi_leaf *leaf, size_t channel_count, float limit, tcsi_near_list out)
{
    float distances[TCSI_LEAF];
    for (size_t begin = 0; begin < TCSI_LEAF; begin += TOGETHER) {
        const float *values = leaf->points + begin;
        float sums[TOGETHER] = { 0 };
        for (size_t c = 0; c < channel_count; c++)
            for (size_t j = 0; j < TOGETHER; j++) sums[j] += values[c * TCSI_LEAF + j] * point[c];
        memcpy(distances + begin, sums, sizeof sums);
    }
    for (size_t j = 0; j < TCSI_LEAF; j++) {
        float distance = square + 2 * (leaf->halves[j] - distances[j]);
        distances[j] = distance > 0 ? distance : 0;
    }
    return append(distances, leaf, limit, out);
}

static void scan_four(const float *const *points, const float *squares, const tcsi_leaf *leaf, size_t channel_count,
                      const float *limits, const tcsi_near_list *out, size_t *ret_found)
{
    for (size_t i = 0; i < 4; i++) ret_found[i] = scan_product(points[i], squares[i], leaf, channel_count, limits[i], out[i]);
}

static size_t keep_within(tcsi_near_list list, size_t count, float limit)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        float near = list.near[i];
        list.near[kept] = near;
        list.at[kept] = list.at[i];
        kept += near <= limit;
    }
    return kept;
}

static const tcsi_nearest_ops reference = {
    .scan = scan, .scan_four = scan_four, .box_distances = box_distances, .keep_within = keep_within, .border = border,
    .distance2 = distance2, .rank = rank,
};

const tcsi_nearest_ops *tcsi_nearest_ops_for(tcsi_isa isa)
{
    TCS_ASSERT(tcsi_isa_supported(isa));
#if defined(__x86_64__)
    if (isa == TCSI_ISA_AVX512) return &tcsi_nearest_ops_avx512;
    if (isa == TCSI_ISA_AVX2) return &tcsi_nearest_ops_avx2;
#endif
    return &reference;
}
