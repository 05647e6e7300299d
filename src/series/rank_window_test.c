/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/rank_window.h"

enum { CAPACITY = 97, PUSHES = 1500 };

/* The same questions answered by counting. */
static size_t counted(const double *values, size_t begin, size_t end, double value)
{
    size_t count = 0;
    for (size_t i = begin; i < end; i++) count += values[i] >= value;
    return count;
}

static double counted_quantile(const double *values, size_t begin, size_t end, double rank)
{
    double best = INFINITY;
    for (size_t i = begin; i < end; i++) {
        size_t up_to = 0;
        for (size_t k = begin; k < end; k++) up_to += values[k] <= values[i];
        if ((double)up_to >= rank && values[i] < best) best = values[i];
    }
    return best;
}

/* Few distinct values, so that there are many ties. */
static void test_agrees_with_counting(void **state)
{
    (void)state;
    static double values[PUSHES];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    tcsi_rank_window window;
    assert_ok(tcsi_rank_window_init(&window, CAPACITY, test_err));
    assert_true(isinf(tcsi_rank_window_quantile(&window, 1)) && tcsi_rank_window_at_least(&window, 0) == 0);
    for (size_t t = 0; t < PUSHES; t++) {
        values[t] = (double)tcsi_rng_below(&rng, 40);
        tcsi_rank_window_push(&window, values[t]);
        const size_t end = t + 1, begin = end > CAPACITY ? end - CAPACITY : 0;
        const double asked = (double)tcsi_rng_below(&rng, 42) - 1, rank = 0.5 * (1 + (double)tcsi_rng_below(&rng, 210));
        assert_int_equal(window.count, end - begin);
        assert_true(tcsi_rank_window_at_least(&window, asked) == counted(values, begin, end, asked));
        assert_true(tcsi_rank_window_quantile(&window, rank) == counted_quantile(values, begin, end, rank));
    }
    tcsi_rank_window_deinit(&window);
}

/* Ascending input makes an unbalanced tree a list of 100,000: this would take minutes. */
static void test_ordered_input_stays_fast(void **state)
{
    (void)state;
    tcsi_rank_window window;
    assert_ok(tcsi_rank_window_init(&window, 100000, test_err));
    for (size_t t = 0; t < 300000; t++) tcsi_rank_window_push(&window, (double)t);
    assert_true(tcsi_rank_window_quantile(&window, 50000) == 249999);
    tcsi_rank_window_deinit(&window);
}

static void test_sizes_and_memory(void **state)
{
    (void)state;
    tcsi_rank_window window;
    assert_int_equal(tcsi_rank_window_init(&window, 0, NULL), TCS_E_INVALID);
    tcsi_alloc_trace_begin();
    tcsi_alloc_trace_fail_at(1);
    assert_int_equal(tcsi_rank_window_init(&window, 5, NULL), TCS_E_MEMORY);
    tcsi_alloc_trace_fail_at(0);
    assert_ok(tcsi_rank_window_init(&window, 1, test_err)); /* a window of one */
    const size_t allocated = tcsi_alloc_trace_stats().total_count;
    for (size_t t = 0; t < 100; t++) tcsi_rank_window_push(&window, t % 2 ? INFINITY : -INFINITY);
    assert_true(window.count == 1 && tcsi_rank_window_at_least(&window, 0) == 1);
    assert_int_equal(tcsi_alloc_trace_stats().total_count, allocated);
    tcsi_rank_window_deinit(&window);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

TCS_TEST_MAIN(cmocka_unit_test(test_agrees_with_counting), cmocka_unit_test(test_ordered_input_stays_fast),
              cmocka_unit_test(test_sizes_and_memory))
