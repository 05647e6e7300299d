/* Windows of a judge fit together.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/deep/judge.h"
#include "nn/layers.h"

#include <math.h>

enum { CHANNELS = TCSI_BLOCKS_OF_VALUES, LONG = 1400, BATCH = 2 };

typedef struct bench {
    tcsi_net *net;
    tcsi_node_id s;
    tcsi_plan *plan;
    tcsi_blocks blocks;
} bench;

/* A judge that learned nothing, and blocks of noise. */
static bench bench_make(size_t block_count)
{
    bench b = { .blocks = { .row_count = block_count, .factor = 1, .block_count = block_count, .channel_count = CHANNELS } };
    tcsi_rng rng = tcsi_rng_make(3, 0);
    assert_ok(tcsi_net_create(1, &b.net, test_err));
    b.s = tcsi_judge_build(b.net, TCSI_JUDGE_VALUES, tcsi_nn_input(b.net, TCSI_JUDGE_WINDOW, CHANNELS));
    assert_ok(tcsi_net_finish(b.net, test_err));
    const tcsi_plan_options options = { .net = b.net, .batch = BATCH, .outputs = &b.s, .output_count = 1 };
    assert_ok(tcsi_plan_create(&options, &b.plan, test_err));
    assert_true(tcsi_floats_init(&b.blocks.values, block_count * CHANNELS));
    for (size_t i = 0; i < block_count * CHANNELS; i++) b.blocks.values.values[i] = (float)tcsi_rng_normal(&rng);
    return b;
}

static void bench_end(bench *b)
{
    tcsi_plan_destroy(b->plan);
    tcsi_net_destroy(b->net);
    tcsi_blocks_deinit(&b->blocks);
}

static void run(bench *b, double *ret_judged)
{
    assert_ok(tcsi_judge_run(b->plan, BATCH, b->s, &b->blocks, TCSI_JUDGE_VALUES, NULL, ret_judged, test_err));
}

/* A block's number depends on TCSI_JUDGE_REACH blocks to each side, and on no other, wherever windows begin. */
static void test_reach(void **state)
{
    (void)state;
    static double before[LONG], after[LONG];
    bench b = bench_make(LONG);
    run(&b, before);
    for (size_t at = 5; at < LONG; at += 97) {
        b.blocks.values.values[at * CHANNELS + 1] += 50;
        run(&b, after);
        size_t first = LONG, last = 0;
        for (size_t u = 0; u < LONG; u++) {
            if (before[u] == after[u]) continue;
            if (first == LONG) first = u;
            last = u;
        }
        assert_true(first <= at && at <= last && at - first <= TCSI_JUDGE_REACH && last - at <= TCSI_JUDGE_REACH);
        assert_true((at < 64 || at - first > 40) && (at + 64 > LONG || last - at > 40)); /* and really on so many */
        b.blocks.values.values[at * CHANNELS + 1] -= 50;
        run(&b, before);
    }
    bench_end(&b);
}

/* The same stretch says the same in the middle of a longer series, but for what is near its ends. */
static void test_windows_fit_together(void **state)
{
    (void)state;
    enum { BEGIN = 333, LENGTH = 700 };
    static double whole[LONG], part[LENGTH];
    bench b = bench_make(LONG), c = bench_make(LENGTH);
    memcpy(c.blocks.values.values, b.blocks.values.values + BEGIN * CHANNELS, LENGTH * CHANNELS * sizeof(float));
    run(&b, whole);
    run(&c, part);
    for (size_t u = TCSI_JUDGE_REACH; u < LENGTH - TCSI_JUDGE_REACH; u++) assert_float_equal(part[u], whole[BEGIN + u], 1e-5);
    bench_end(&b);
    bench_end(&c);
}

static void test_every_length(void **state)
{
    (void)state;
    static const size_t counts[] = { 1, 2, 511, 512, 513, 897, 898, 899, 1284 };
    for (size_t i = 0; i < TCS_COUNT(counts); i++) {
        static double judged[LONG];
        bench b = bench_make(counts[i]);
        for (size_t u = 0; u < counts[i]; u++) judged[u] = NAN;
        run(&b, judged);
        for (size_t u = 0; u < counts[i]; u++) assert_true(isfinite(judged[u]));
        bench_end(&b);
    }
}

static void test_views(void **state)
{
    (void)state;
    enum { ALL = TCSI_BLOCKS_OF_VALUES + 3 * TCSI_BLOCKS_A_SCORE };
    assert_int_equal(tcsi_judge_channels_of(TCSI_JUDGE_VALUES, ALL).count, TCSI_BLOCKS_OF_VALUES);
    assert_int_equal(tcsi_judge_channels_of(TCSI_JUDGE_ALL, ALL).count, ALL);
    const tcsi_judge_channels scores = tcsi_judge_channels_of(TCSI_JUDGE_SCORES, ALL);
    assert_int_equal(scores.begin + scores.count, ALL);
    assert_int_equal(scores.count, TCSI_BLOCKS_OF_SERIES + 3 * TCSI_BLOCKS_A_SCORE);
}

TCS_TEST_MAIN(cmocka_unit_test(test_reach), cmocka_unit_test(test_windows_fit_together), cmocka_unit_test(test_every_length),
              cmocka_unit_test(test_views))
