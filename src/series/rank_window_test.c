/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/rank_window.h"

enum { CAPACITY = 97, PUSHES = 1500 };

/* The same questions answered by counting. */
static double counted(const double *values, const double *weights, size_t begin, size_t end, double value, bool with_equal)
{
    double sum = 0;
    for (size_t i = begin; i < end; i++)
        if (values[i] > value || (with_equal && values[i] == value)) sum += weights[i];
    return sum;
}

static double counted_quantile(const double *values, const double *weights, size_t begin, size_t end, double weight)
{
    double best = INFINITY;
    for (size_t i = begin; i < end; i++) {
        double up_to = 0;
        for (size_t k = begin; k < end; k++) up_to += values[k] <= values[i] ? weights[k] : 0;
        if (up_to >= weight && values[i] < best) best = values[i];
    }
    return best;
}

/* Few distinct values, so that there are many ties; whole weights, so that sums are exact. */
static void test_agrees_with_counting(void **state)
{
    (void)state;
    static double values[PUSHES], weights[PUSHES];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    tcsi_rank_window window;
    assert_ok(tcsi_rank_window_init(&window, CAPACITY, test_err));
    assert_true(isinf(tcsi_rank_window_quantile(&window, 1)));
    for (size_t t = 0; t < PUSHES; t++) {
        values[t] = (double)tcsi_rng_below(&rng, 40);
        weights[t] = (double)tcsi_rng_below(&rng, 4);
        tcsi_rank_window_push(&window, values[t], weights[t]);
        const size_t end = t + 1, begin = end > CAPACITY ? end - CAPACITY : 0;
        const double asked = (double)tcsi_rng_below(&rng, 42) - 1, weight = 1 + (double)tcsi_rng_below(&rng, 160);
        assert_true(tcsi_rank_window_total(&window) == counted(values, weights, begin, end, -1, true));
        assert_true(tcsi_rank_window_above(&window, asked) == counted(values, weights, begin, end, asked, false));
        assert_true(tcsi_rank_window_at_least(&window, asked) == counted(values, weights, begin, end, asked, true));
        assert_true(tcsi_rank_window_quantile(&window, weight) == counted_quantile(values, weights, begin, end, weight));
    }
    tcsi_rank_window_scale(&window, 0.25);
    assert_true(4 * tcsi_rank_window_total(&window) == counted(values, weights, PUSHES - CAPACITY, PUSHES, -1, true));
    tcsi_rank_window_deinit(&window);
}

/* Ascending input makes an unbalanced tree a list of 100,000: this would take minutes. */
static void test_ordered_input_stays_fast(void **state)
{
    (void)state;
    tcsi_rank_window window;
    assert_ok(tcsi_rank_window_init(&window, 100000, test_err));
    for (size_t t = 0; t < 300000; t++) tcsi_rank_window_push(&window, (double)t, 1);
    assert_true(tcsi_rank_window_quantile(&window, 50000) == 249999);
    tcsi_rank_window_deinit(&window);
}

static void test_saved_and_loaded_goes_on_to_the_bit(void **state)
{
    (void)state;
    tcsi_rank_window kept, loaded;
    tcsi_buffer out;
    tcs_error err = { 0 };
    tcsi_rng rng = tcsi_rng_make(2, 0);
    assert_ok(tcsi_rank_window_init(&kept, CAPACITY, test_err));
    assert_ok(tcsi_rank_window_init(&loaded, CAPACITY, test_err));
    for (size_t t = 0; t < 250; t++) tcsi_rank_window_push(&kept, tcsi_rng_normal(&rng), tcsi_rng_uniform(&rng));
    tcsi_buffer_init(&out, 1 << 20);
    tcsi_codec save = tcsi_codec_save(&out, &err);
    tcsi_rank_window_persist(&kept, &save);
    assert_int_equal(tcsi_codec_status(&save), TCS_OK);
    tcsi_codec load = tcsi_codec_load(out.data, out.size, &err);
    tcsi_rank_window_persist(&loaded, &load);
    assert_int_equal(tcsi_codec_status(&load), TCS_OK);
    for (size_t t = 0; t < 250; t++) {
        const double value = tcsi_rng_normal(&rng), weight = tcsi_rng_uniform(&rng);
        tcsi_rank_window_push(&kept, value, weight);
        tcsi_rank_window_push(&loaded, value, weight);
        assert_true(tcsi_rank_window_above(&kept, 0.3) == tcsi_rank_window_above(&loaded, 0.3));
        assert_true(tcsi_rank_window_total(&kept) == tcsi_rank_window_total(&loaded));
    }
    for (size_t size = 0; size < out.size; size++) { /* truncated anywhere: refused */
        load = tcsi_codec_load(out.data, size, &err);
        tcsi_rank_window_persist(&loaded, &load);
        assert_int_equal(tcsi_codec_status(&load), TCS_E_FORMAT);
    }
    tcsi_buffer_deinit(&out);
    tcsi_rank_window_deinit(&kept);
    tcsi_rank_window_deinit(&loaded);
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
    for (size_t t = 0; t < 100; t++) tcsi_rank_window_push(&window, t % 2 ? INFINITY : -INFINITY, 1);
    assert_true(tcsi_rank_window_total(&window) == 1 && tcsi_rank_window_above(&window, 0) == 1);
    assert_int_equal(tcsi_alloc_trace_stats().total_count, allocated);
    tcsi_rank_window_deinit(&window);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

TCS_TEST_MAIN(cmocka_unit_test(test_agrees_with_counting), cmocka_unit_test(test_ordered_input_stays_fast),
              cmocka_unit_test(test_saved_and_loaded_goes_on_to_the_bit), cmocka_unit_test(test_sizes_and_memory))
