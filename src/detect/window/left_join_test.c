/* detect/window/left_join_test.c -- the causal join against its definition, saved and restored.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/window/left_join.h"

enum { N = 3000 };

static double *make_series(void)
{
    double *x = malloc(N * sizeof *x);
    tcsi_rng rng = tcsi_rng_make(11, 0);
    for (size_t t = 0; t < N; t++) x[t] = sin((double)t * 0.21) + (t > 1800) * 0.5 + 0.2 * tcsi_rng_normal(&rng) + (t == 2000 ? 50 : 0);
    return x;
}

/* Mean squared difference of two windows of coarse values, centred or not. */
static double distance(const double *a, const double *b, size_t w, bool centred)
{
    double mean = 0, square = 0;
    for (size_t k = 0; centred && k < w; k++) mean += (a[k] - b[k]) / (double)w;
    for (size_t k = 0; k < w; k++) square += (a[k] - b[k] - mean) * (a[k] - b[k] - mean) / (double)w;
    return square;
}

/* Coarse window i against every segment g that is alive and over: see left_join.h. */
static tcsi_left_distance expect(const double *coarse, size_t i, size_t w, size_t width, size_t segment_count)
{
    double best[2] = { INFINITY, INFINITY };
    for (size_t g = 0; (g + 1) * width - 1 + w <= i; g++) {
        size_t power = 1;
        while (g > 0 && g % (2 * power) == 0) power *= 2;
        if (g > 0 && (i - w) / width >= segment_count * power) continue;
        for (size_t j = g * width; j < (g + 1) * width; j++)
            for (int centred = 0; centred < 2; centred++)
                best[centred] = fmin(best[centred], distance(coarse + i, coarse + j, w, centred == 1));
    }
    if (isinf(best[0])) return (tcsi_left_distance){ 0 };
    return (tcsi_left_distance){ true, sqrt(best[1]), sqrt(best[0]) };
}

static void check(const tcsi_left_join_options *options, size_t factor, size_t w, size_t width, size_t segment_count)
{
    double *x = make_series(), *coarse = malloc(N * sizeof *coarse);
    tcsi_left_join *join;
    assert_ok(tcsi_left_join_create(options, &join, test_err));
    size_t ready_count = 0;
    for (size_t t = 0; t < N; t++) {
        tcsi_left_distance actual = tcsi_left_join_push(join, x[t]), expected = { 0 };
        if ((t + 1) % factor == 0) {
            double sum = 0;
            for (size_t k = 0; k < factor; k++) sum += x[t - k] / (double)factor;
            coarse[t / factor] = sum;
        }
        size_t value_count = (t + 1) / factor;
        if (value_count >= w) expected = expect(coarse, value_count - w, w, width, segment_count);
        assert_int_equal(expected.is_ready, actual.is_ready);
        assert_near(expected.centred, actual.centred, 1e-7);
        assert_near(expected.raw, actual.raw, 1e-7);
        ready_count += actual.is_ready;
    }
    assert_true(ready_count > N / 2);
    tcsi_left_join_destroy(join);
    free(x);
    free(coarse);
}

static void test_equals_the_definition(void **state)
{
    (void)state;
    check(&(tcsi_left_join_options){ .window = 10, .segment_count = 5 }, 1, 10, 20, 5);
    check(&(tcsi_left_join_options){ .window = 13, .target_window = 16, .segment_count = 7, .width_min = 37 }, 1, 13, 37, 7);
    check(&(tcsi_left_join_options){ .window = 100, .segment_count = 2 }, 3, 33, 66, 2);
    check(&(tcsi_left_join_options){ .window = 1, .segment_count = 1 }, 1, 4, 8, 1);
    check(&(tcsi_left_join_options){ .window = 30 }, 1, 30, 60, 160);
}

/* Saved after any row and loaded into another one, it goes on to the bit; what is broken is refused. */
static void test_saved_state_continues(void **state)
{
    (void)state;
    double *x = make_series();
    const tcsi_left_join_options options = { .window = 20, .target_window = 8, .segment_count = 6 };
    static const size_t cuts[] = { 0, 1, 30, 77, 199, 1000, 1001, 1002, 2001 };
    for (size_t c = 0; c < TCS_COUNT(cuts); c++) {
        tcsi_left_join *one, *two;
        tcsi_buffer bytes;
        tcs_error err;
        tcsi_buffer_init(&bytes, 1 << 24);
        assert_ok(tcsi_left_join_create(&options, &one, NULL));
        assert_ok(tcsi_left_join_create(&options, &two, NULL));
        for (size_t t = 0; t < cuts[c]; t++) (void)tcsi_left_join_push(one, x[t]);
        tcsi_codec save = tcsi_codec_save(&bytes, &err);
        tcsi_left_join_persist(one, &save);
        assert_int_equal(tcsi_codec_status(&save), TCS_OK);
        tcsi_codec load = tcsi_codec_load(bytes.data, bytes.size, &err);
        tcsi_left_join_persist(two, &load);
        assert_int_equal(tcsi_codec_status(&load), TCS_OK);
        assert_int_equal(load.in_size, 0);
        for (size_t t = cuts[c]; t < N; t++) {
            tcsi_left_distance a = tcsi_left_join_push(one, x[t]), b = tcsi_left_join_push(two, x[t]);
            assert_true(a.is_ready == b.is_ready && a.centred == b.centred && a.raw == b.raw);
        }
        load = tcsi_codec_load(bytes.data, bytes.size - 3, &err);
        tcsi_left_join_persist(two, &load);
        assert_int_not_equal(tcsi_codec_status(&load), TCS_OK);
        bytes.data[4 + 8] = 100; /* more segments alive than there can be */
        load = tcsi_codec_load(bytes.data, bytes.size, &err);
        tcsi_left_join_persist(two, &load);
        assert_int_equal(tcsi_codec_status(&load), TCS_E_FORMAT);
        tcsi_left_join_reset(two);
        assert_false(tcsi_left_join_push(two, 1).is_ready);
        tcsi_left_join_destroy(one);
        tcsi_left_join_destroy(two);
        tcsi_buffer_deinit(&bytes);
    }
    free(x);
}

static void test_limits(void **state)
{
    (void)state;
    tcsi_left_join *join;
    tcs_error err;
    tcsi_left_join_options bad = { .window = 0 }, plain = { .window = 10, .segment_count = 3 };
    assert_int_equal(tcsi_left_join_create(&bad, &join, &err), TCS_E_INVALID);
    assert_true(tcsi_left_join_size(&bad) == SIZE_MAX);
    for (size_t at = 1; at <= 5; at++) {
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        assert_int_equal(tcsi_left_join_create(&plain, &join, &err), TCS_E_MEMORY);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
    tcsi_alloc_trace_begin();
    assert_ok(tcsi_left_join_create(&plain, &join, NULL));
    size_t count = tcsi_alloc_trace_stats().total_count;
    for (size_t t = 0; t < 2000; t++) {
        tcsi_left_distance d = tcsi_left_join_push(join, t % 3 ? 1e300 : -1e300);
        assert_true(isfinite(d.centred) && isfinite(d.raw));
    }
    assert_int_equal(tcsi_alloc_trace_stats().total_count, count);
    assert_true(tcsi_alloc_trace_stats().live_size <= tcsi_left_join_size(&plain));
    tcsi_left_join_destroy(join);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_the_definition), cmocka_unit_test(test_saved_state_continues), cmocka_unit_test(test_limits))
