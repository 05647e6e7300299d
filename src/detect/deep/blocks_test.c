/* What pre-trained networks see: free of units, whatever the length.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/deep/blocks.h"

#include <math.h>

enum { ROWS = 1000, PERIOD = 80 };

static double *make_values(size_t count, double scale, double offset)
{
    double *x = TCSI_NEW_ARRAY(double, count);
    tcsi_rng rng = tcsi_rng_make(7, 0);
    assert_non_null(x);
    for (size_t t = 0; t < count; t++) x[t] = offset + scale * (sin(0.1 * (double)t) + 0.1 * tcsi_rng_normal(&rng) + (t == 500 ? 9 : 0));
    return x;
}

static tcsi_blocks make_blocks(const double *x, size_t count, size_t period, const double *scores, size_t score_count)
{
    tcsi_blocks blocks;
    assert_ok(tcsi_blocks_init(x, count, period, scores, score_count, &blocks, test_err));
    return blocks;
}

static void test_shape(void **state)
{
    (void)state;
    double *x = make_values(ROWS, 1, 0);
    tcsi_blocks blocks = make_blocks(x, ROWS, PERIOD, NULL, 0);
    assert_int_equal(blocks.factor, 5);
    assert_int_equal(blocks.block_count, 200);
    assert_int_equal(blocks.channel_count, TCSI_BLOCKS_OF_VALUES);
    tcsi_blocks_deinit(&blocks);
    tcsi_free(x);
}

static void test_units_do_not_matter(void **state)
{
    (void)state;
    double *x = make_values(ROWS, 1, 0), *y = make_values(ROWS, 1e-3, 1e3);
    tcsi_blocks a = make_blocks(x, ROWS, PERIOD, x, 1), b = make_blocks(y, ROWS, PERIOD, y, 1);
    for (size_t i = 0; i < a.block_count * a.channel_count; i++) assert_float_equal(a.values.values[i], b.values.values[i], 1e-5);
    tcsi_blocks_deinit(&a);
    tcsi_blocks_deinit(&b);
    tcsi_free(x);
    tcsi_free(y);
}

/* A spike is the highest block, the one with the largest step, and the one with most of the score. */
static void test_a_spike_shows(void **state)
{
    (void)state;
    enum { HIGHEST = 1, STEP = 5, SCORE = TCSI_BLOCKS_OF_VALUES, SHARE };
    static const size_t channels[] = { HIGHEST, STEP, SCORE, SHARE };
    double *x = make_values(ROWS, 1, 0), *score = TCSI_NEW_ZEROS(double, ROWS);
    score[500] = 1;
    tcsi_blocks blocks = make_blocks(x, ROWS, PERIOD, score, 1);
    for (size_t k = 0; k < TCS_COUNT(channels); k++) {
        const float *channel = blocks.values.values + channels[k];
        size_t best = 0;
        for (size_t u = 1; u < blocks.block_count; u++)
            if (channel[u * blocks.channel_count] > channel[best * blocks.channel_count]) best = u;
        assert_int_equal(best, 100);
    }
    tcsi_blocks_deinit(&blocks);
    tcsi_free(x);
    tcsi_free(score);
}

static void test_odd_series(void **state)
{
    (void)state;
    static const size_t counts[] = { 1, 2, 3, 17, 64 }, periods[] = { 1, 2, 16, 24, 300, 100000 };
    double *noise = make_values(64, 1, 0), *constant = TCSI_NEW_ZEROS(double, 64), huge[64], back[64];
    for (size_t t = 0; t < 64; t++) huge[t] = t % 2 ? 1e150 : -1e150;
    const double *kinds[] = { noise, constant, huge };
    for (size_t k = 0; k < TCS_COUNT(kinds); k++)
        for (size_t i = 0; i < TCS_COUNT(counts); i++)
            for (size_t j = 0; j < TCS_COUNT(periods); j++) {
                tcsi_blocks blocks = make_blocks(kinds[k], counts[i], periods[j], kinds[k], 1);
                assert_true(blocks.block_count >= 1 && blocks.block_count <= counts[i]);
                for (size_t n = 0; n < blocks.block_count * blocks.channel_count; n++) assert_true(isfinite(blocks.values.values[n]));
                tcsi_blocks_expand(&blocks, noise, back);
                for (size_t t = 0; t < counts[i]; t++) assert_true(isfinite(back[t]));
                tcsi_blocks_deinit(&blocks);
            }
    tcsi_free(noise);
    tcsi_free(constant);
}

/* What was constant within blocks comes back at their middles, and lies in between elsewhere. */
static void test_expanding(void **state)
{
    (void)state;
    double *x = make_values(ROWS, 1, 0), values[ROWS], rows[ROWS];
    tcsi_blocks blocks = make_blocks(x, ROWS, PERIOD, NULL, 0);
    for (size_t u = 0; u < blocks.block_count; u++) values[u] = (double)u;
    tcsi_blocks_expand(&blocks, values, rows);
    for (size_t u = 0; u < blocks.block_count; u++) assert_float_equal(rows[u * 5 + 2], (double)u, 1e-9);
    for (size_t t = 1; t < ROWS; t++) assert_true(rows[t] >= rows[t - 1] && rows[t] <= rows[t - 1] + 0.2 + 1e-9);
    tcsi_blocks_deinit(&blocks);
    tcsi_free(x);
}

static void test_without_memory(void **state)
{
    (void)state;
    double *x = make_values(ROWS, 1, 0);
    for (size_t at = 1;; at++) {
        tcsi_blocks blocks = { 0 };
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcsi_blocks_init(x, ROWS, PERIOD, x, 1, &blocks, &err);
        tcsi_alloc_trace_fail_at(0);
        tcsi_blocks_deinit(&blocks);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_true(at < 20);
    }
    tcsi_free(x);
}

TCS_TEST_MAIN(cmocka_unit_test(test_shape), cmocka_unit_test(test_units_do_not_matter), cmocka_unit_test(test_a_spike_shows),
              cmocka_unit_test(test_odd_series), cmocka_unit_test(test_expanding), cmocka_unit_test(test_without_memory))
