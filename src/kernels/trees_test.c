/* kernels/trees_test.c -- every tier walks like the definition: the same bits.  SPDX-License-Identifier: Apache-2.0 */
#include "kernels/trees.h"

#include "base/rng.h"
#include "test.h"

enum { DEPTH_MAX = 12, NODES_MAX = 1 << DEPTH_MAX, CHANNELS_MAX = 40 };

/* Thresholds among the values, so that equality occurs; some places end early, with a threshold of infinity. */
static void make_tree(size_t depth, size_t channel_count, uint32_t *channels, float *thresholds, float *lengths, float *values)
{
    tcsi_rng rng = tcsi_rng_make(depth, channel_count);
    for (size_t i = 0; i < channel_count * TCSI_TREE_ROWS; i++) values[i] = (float)tcsi_rng_below(&rng, 200) - 100;
    for (size_t i = 0; i + 1 < (size_t)1 << depth; i++) {
        bool ends = tcsi_rng_below(&rng, 10) == 0;
        channels[i] = ends ? 0 : (uint32_t)tcsi_rng_below(&rng, channel_count);
        thresholds[i] = ends ? INFINITY : (float)tcsi_rng_below(&rng, 200) - 100;
    }
    for (size_t i = 0; i < (size_t)1 << depth; i++) lengths[i] = (float)tcsi_rng_uniform(&rng);
}

static void check_walk(tcsi_isa isa, size_t depth, size_t channel_count)
{
    static uint32_t channels[NODES_MAX];
    static float thresholds[NODES_MAX], lengths[NODES_MAX], values[CHANNELS_MAX * TCSI_TREE_ROWS];
    double sums[TCSI_TREE_ROWS];
    make_tree(depth, channel_count, channels, thresholds, lengths, values);
    for (size_t i = 0; i < TCSI_TREE_ROWS; i++) sums[i] = (double)i / 3;
    tcsi_tree tree = { channels, thresholds, lengths, depth };
    tcsi_tree_walker_for(isa, channel_count)(&tree, values, channel_count, sums);
    for (size_t i = 0; i < TCSI_TREE_ROWS; i++) {
        size_t place = 0;
        for (size_t level = 0; level < depth; level++)
            place = 2 * place + (values[channels[place] * TCSI_TREE_ROWS + i] > thresholds[place] ? 2 : 1);
        double expected = (double)i / 3 + (double)lengths[place + 1 - ((size_t)1 << depth)];
        if (sums[i] != expected)
            fail_msg("%s, depth %zu, %zu channels, row %zu: %.17g, expected %.17g", tcsi_isa_name(isa), depth, channel_count, i, sums[i],
                     expected);
    }
}

static void test_every_tier_walks_like_the_definition(void **state)
{
    (void)state;
    static const size_t channels[] = { 1, 2, 3, 8, 9, CHANNELS_MAX };
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++)
        for (size_t depth = 1; depth <= DEPTH_MAX && tcsi_isa_supported((tcsi_isa)isa); depth++)
            for (size_t i = 0; i < TCS_COUNT(channels); i++) check_walk((tcsi_isa)isa, depth, channels[i]);
}

TCS_TEST_MAIN(cmocka_unit_test(test_every_tier_walks_like_the_definition))
