/* kernels/trees_avx512.c -- trees of cuts on AVX-512: sixteen rows a register, four registers.
 *
 * Gathered loads are what this avoids, for they take a load a lane.  A level of up to 128 nodes lies in up to eight registers, where
 * looking a node up is a permutation or a few.  The values that rows are cut by are gathered only where neither of two
 * cheaper ways serves: on the first levels every node's channel is loaded for all rows, and the steps taken so far say which
 * load counts; of few channels all are.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/trees_tier.h"
#include "kernels/unroll.h"

#include <immintrin.h>

enum {
    LANES = 16,
    PARTS = TCSI_TREE_ROWS / LANES,
    TOP = 4,          /* levels whose channels are all loaded */
    FEW = 8,          /* channels that are all loaded */
    TABLE_MAX = 128,  /* nodes of a level in registers */
};

#define UNROLL TCSI_UNROLL(8)
#define INLINE static inline __attribute__((always_inline))

/* A level's numbers, or its thresholds' bits, in registers.  width: a power of two, at most TABLE_MAX. */
typedef struct table {
    __m512i parts[TABLE_MAX / LANES];
    size_t width;
} table;

INLINE void table_load(const void *memory, size_t width, table *ret_table)
{
    const int32_t *words = memory;
    __mmask16 there = (__mmask16)(width >= LANES ? 0xffff : (1u << width) - 1);
    ret_table->width = width;
    UNROLL for (size_t p = 0; p < TABLE_MAX / LANES; p++)
        if (p * LANES < width) ret_table->parts[p] = _mm512_maskz_loadu_epi32(there, words + p * LANES);
}

/* Two registers are one permutation; the higher bits of the places choose among pairs of registers. */
INLINE __m512i table_look(const table *t, __m512i at)
{
    if (t->width <= LANES) return _mm512_permutexvar_epi32(at, t->parts[0]);
    __m512i first = _mm512_permutex2var_epi32(t->parts[0], at, t->parts[1]);
    if (t->width == 2 * LANES) return first;
    __mmask16 bit5 = _mm512_test_epi32_mask(at, _mm512_set1_epi32(2 * LANES));
    first = _mm512_mask_blend_epi32(bit5, first, _mm512_permutex2var_epi32(t->parts[2], at, t->parts[3]));
    if (t->width == 4 * LANES) return first;
    __m512i second = _mm512_mask_blend_epi32(bit5, _mm512_permutex2var_epi32(t->parts[4], at, t->parts[5]),
                                             _mm512_permutex2var_epi32(t->parts[6], at, t->parts[7]));
    return _mm512_mask_blend_epi32(_mm512_test_epi32_mask(at, _mm512_set1_epi32(4 * LANES)), first, second);
}

INLINE __m512i step(__m512i at, __mmask16 right)
{
    at = _mm512_add_epi32(at, at);
    return _mm512_mask_add_epi32(at, right, at, _mm512_set1_epi32(1));
}

/* Levels 0 to TOP - 1 of a tree that has them, for one register of rows. */
INLINE __m512i walk_top(const tcsi_tree *tree, const float *values)
{
    __m512i at = _mm512_setzero_si512();
    __mmask16 taken[TOP];
    UNROLL for (size_t level = 0; level < TOP; level++) {
        const size_t width = (size_t)1 << level, first = width - 1;
        const uint32_t *channels = tree->channels + first;
        __m512 found[1 << (TOP - 1)];
        if (level == 0) found[0] = _mm512_loadu_ps(values + channels[0] * TCSI_TREE_ROWS);
        else /* siblings: the last step says which */
            UNROLL for (size_t i = 0; i < width / 2; i++) {
                found[i] = _mm512_loadu_ps(values + channels[2 * i] * TCSI_TREE_ROWS);
                found[i] = _mm512_mask_loadu_ps(found[i], taken[level - 1], values + channels[2 * i + 1] * TCSI_TREE_ROWS);
            }
        UNROLL for (size_t back = 2; back < TOP; back++) /* then the one before it, and so on */
            UNROLL for (size_t i = 0; i < 1 << TOP >> 3; i++)
                if (back <= level && i < width >> back)
                    found[i] = _mm512_mask_blend_ps(taken[level - back], found[2 * i], found[2 * i + 1]);
        __m512 thresholds = _mm512_maskz_loadu_ps((__mmask16)((1u << width) - 1), tree->thresholds + first);
        taken[level] = _mm512_cmp_ps_mask(found[0], _mm512_permutexvar_ps(at, thresholds), _CMP_GT_OQ);
        at = step(at, taken[level]);
    }
    return at;
}

/* The values of one register of rows, each in its channel. */
INLINE __m512 values_in(const float *values, size_t channel_count, __m512i channels)
{
    const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    if (channel_count > FEW) return _mm512_i32gather_ps(_mm512_add_epi32(_mm512_slli_epi32(channels, 6), lane), values, 4);
    __m512 found = _mm512_loadu_ps(values);
    for (size_t c = 1; c < channel_count; c++)
        found = _mm512_mask_loadu_ps(found, _mm512_cmpeq_epi32_mask(channels, _mm512_set1_epi32((int)c)), values + c * TCSI_TREE_ROWS);
    return found;
}
_Static_assert(TCSI_TREE_ROWS == 1 << 6, "the shift above is by log2(TCSI_TREE_ROWS)");

/* One level whose nodes are in registers, for all rows. */
INLINE void walk_level(const tcsi_tree *tree, size_t width, const float *values, size_t channel_count, __m512i *at)
{
    table channels, thresholds;
    table_load(tree->channels + width - 1, width, &channels);
    table_load(tree->thresholds + width - 1, width, &thresholds);
    UNROLL for (size_t p = 0; p < PARTS; p++) {
        __m512 found = values_in(values + p * LANES, channel_count, table_look(&channels, at[p]));
        at[p] = step(at[p], _mm512_cmp_ps_mask(found, _mm512_castsi512_ps(table_look(&thresholds, at[p])), _CMP_GT_OQ));
    }
}

/* One level with more nodes than that. */
INLINE void walk_deep(const tcsi_tree *tree, size_t width, const float *values, size_t channel_count, __m512i *at)
{
    for (size_t p = 0; p < PARTS; p++) {
        __m512 found = values_in(values + p * LANES, channel_count, _mm512_i32gather_epi32(at[p], tree->channels + width - 1, 4));
        at[p] = step(at[p], _mm512_cmp_ps_mask(found, _mm512_i32gather_ps(at[p], tree->thresholds + width - 1, 4), _CMP_GT_OQ));
    }
}

/* What stands at 2 TABLE_MAX bottom places, in the trees of the usual 256 rows. */
INLINE void look_bottom(const float *lengths, const __m512i *at, __m512 *ret_found)
{
    table low, high;
    table_load(lengths, TABLE_MAX, &low);
    table_load(lengths + TABLE_MAX, TABLE_MAX, &high);
    UNROLL for (size_t p = 0; p < PARTS; p++) {
        __mmask16 upper = _mm512_test_epi32_mask(at[p], _mm512_set1_epi32(TABLE_MAX));
        ret_found[p] = _mm512_castsi512_ps(_mm512_mask_blend_epi32(upper, table_look(&low, at[p]), table_look(&high, at[p])));
    }
}

static void add_lengths(const tcsi_tree *tree, const __m512i *at, double *sums)
{
    __m512 found[PARTS];
    if ((size_t)1 << tree->depth == 2 * TABLE_MAX) look_bottom(tree->lengths, at, found);
    else
        for (size_t p = 0; p < PARTS; p++) found[p] = _mm512_i32gather_ps(at[p], tree->lengths, 4);
    UNROLL for (size_t p = 0; p < PARTS; p++) {
        double *out = sums + p * LANES;
        __m512d first = _mm512_cvtps_pd(_mm512_castps512_ps256(found[p])), second = _mm512_cvtps_pd(_mm512_extractf32x8_ps(found[p], 1));
        _mm512_storeu_pd(out, _mm512_add_pd(_mm512_loadu_pd(out), first));
        _mm512_storeu_pd(out + LANES / 2, _mm512_add_pd(_mm512_loadu_pd(out + LANES / 2), second));
    }
}

void tcsi_tree_walk_avx512(const tcsi_tree *tree, const float *values, size_t channel_count, double *sums)
{
    __m512i at[PARTS]; /* within the level */
    size_t level = 0;
    for (size_t p = 0; p < PARTS; p++) at[p] = tree->depth >= TOP ? walk_top(tree, values + p * LANES) : _mm512_setzero_si512();
    if (tree->depth >= TOP) level = TOP;
    for (; level < tree->depth; level++) {
        switch (level) {
        case 0: case 1: case 2: case 3: walk_level(tree, (size_t)1 << level, values, channel_count, at); break;
        case 4: walk_level(tree, 16, values, channel_count, at); break;
        case 5: walk_level(tree, 32, values, channel_count, at); break;
        case 6: walk_level(tree, 64, values, channel_count, at); break;
        case 7: walk_level(tree, 128, values, channel_count, at); break;
        default: walk_deep(tree, (size_t)1 << level, values, channel_count, at); break;
        }
    }
    add_lengths(tree, at, sums);
}
