/* Cadence, order and regular grids.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "series/cadence.h"
#include "series/order.h"
#include "series/resample.h"

#define S INT64_C(1000000000)

static void test_cadence_with_gaps_and_disorder(void **state)
{
    (void)state;
    const int64_t times[] = { 0, 60 * S, 120 * S, 120 * S, 180 * S, 480 * S, 540 * S, 500 * S, 600 * S, 661 * S };
    tcsi_cadence c;
    tcsi_gap gaps[4];
    assert_ok(tcsi_cadence_of(times, TCS_COUNT(times), &c, gaps, 4, test_err));
    assert_int_equal(c.step_ns, 60 * S);
    assert_int_equal(c.duplicate_count, 1);
    assert_int_equal(c.reversed_count, 1);
    assert_int_equal(c.gap_count, 2);
    assert_int_equal(gaps[0].row, 4);
    assert_int_equal(gaps[0].missing_count, 4);
    assert_int_equal(gaps[0].duration_ns, 300 * S);
    assert_int_equal(gaps[1].row, 7);
    assert_int_equal(c.missing_count, 5);
    assert_int_equal(c.gap_longest_ns, 300 * S);
    assert_near(5.0 / 7, c.regularity, 1e-15);
}

static void test_cadence_at_the_ends_of_time(void **state)
{
    (void)state;
    const int64_t times[] = { INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX, INT64_MAX };
    tcsi_cadence c;
    assert_ok(tcsi_cadence_of(times, 5, &c, NULL, 0, test_err));
    assert_int_equal(c.step_ns, INT64_MAX);
    assert_int_equal(c.reversed_count, 1);
    assert_ok(tcsi_cadence_of(times, 1, &c, NULL, 0, test_err));
    assert_true(c.step_ns == 0 && c.regularity == 1);
    assert_ok(tcsi_cadence_of(NULL, 0, &c, NULL, 0, test_err));
    assert_int_equal(c.step_ns, 0);
    const int64_t exact[] = { 0, 1392388200000000001, 2784776400000000002 }; /* above 2^53: no digit of the step is lost */
    assert_ok(tcsi_cadence_of(exact, 3, &c, NULL, 0, test_err));
    assert_int_equal(c.step_ns, 1392388200000000001);
    const int64_t same[] = { 7, 7, 7 };
    assert_ok(tcsi_cadence_of(same, 3, &c, NULL, 0, test_err));
    assert_true(c.step_ns == 0 && c.duplicate_count == 2);
}

static void test_staleness(void **state)
{
    (void)state;
    enum { N = 5000 };
    double x[N];
    tcsi_rng rng = tcsi_rng_make(1, 1);
    for (int i = 0; i < N; i++) x[i] = round(10 * tcsi_rng_normal(&rng)) / 10;
    size_t length = tcsi_stale_length(x, N);
    assert_true(length == 10);
    assert_int_equal(tcsi_staleness_of(x, N, length).run_count, 0);
    for (int i = 2000; i < 2100; i++) x[i] = 1.25;
    length = tcsi_stale_length(x, N);
    tcsi_staleness s = tcsi_staleness_of(x, N, length);
    assert_true(s.run_count == 1 && s.row_count == 100 && s.longest_begin == 2000 && s.longest_count == 100);
    x[2050] = NAN; /* a missing value ends a run */
    s = tcsi_staleness_of(x, N, length);
    assert_true(s.run_count == 2 && s.row_count == 99);
    for (int i = 0; i < N; i++) x[i] = i / 500 % 2; /* a switch repeats itself by nature */
    assert_true(tcsi_stale_length(x, N) == SIZE_MAX);
    for (int i = 0; i < N; i++) x[i] = NAN;
    assert_true(tcsi_stale_length(x, N) == SIZE_MAX && tcsi_staleness_of(x, N, 10).longest_count == 0);
    assert_int_equal(tcsi_staleness_of(NULL, 0, 1).run_count, 0);
}

static tcsi_frame *make_frame(const int64_t *times, size_t count, bool labels)
{
    tcsi_frame *frame;
    assert_ok(tcsi_frame_create(2, 4, true, labels, &frame, test_err));
    for (size_t i = 0; i < count; i++) {
        double row[2] = { (double)i, (double)i * 10 };
        assert_ok(tcsi_frame_append(frame, row, times[i], i == 2, test_err));
    }
    return frame;
}

static void test_quality_summary(void **state)
{
    (void)state;
    const int64_t times[] = { 0, S, 2 * S, 3 * S };
    tcsi_frame *frame = make_frame(times, 4, false);
    tcsi_frame_column(frame, 0)[1] = NAN;
    tcsi_frame_column(frame, 1)[1] = INFINITY;
    for (int i = 2; i < 4; i++) tcsi_frame_column(frame, 1)[i] = 0;
    tcsi_quality q;
    assert_ok(tcsi_quality_of(frame, &q, test_err));
    assert_true(q.missing_count == 1 && q.infinite_count == 1 && q.row_missing_count == 1 && q.constant_channel_count == 1);
    assert_int_equal(q.channels[0].distinct_count_or_limit, 3);
    assert_int_equal(q.channels[0].missing_run_longest, 1);
    assert_true(q.channels[1].constant && q.channels[1].maximum == 0);
    assert_int_equal(q.cadence.step_ns, S);
    tcsi_quality_deinit(&q);
    frame->row_count = 0;
    assert_ok(tcsi_quality_of(frame, &q, test_err));
    assert_true(q.channels[0].constant && isnan(q.channels[0].minimum));
    tcsi_quality_deinit(&q);
    tcsi_frame_destroy(frame);
}

static void test_order_is_stable_and_keeps_the_last(void **state)
{
    (void)state;
    const int64_t times[] = { 30, 10, 20, 10, 40, 30, 5 };
    tcsi_frame *frame = make_frame(times, TCS_COUNT(times), true);
    tcsi_order_report report;
    assert_ok(tcsi_frame_order(frame, &report, test_err));
    static const int64_t expected_times[] = { 5, 10, 20, 30, 40 };
    static const double expected[] = { 6, 3, 2, 5, 4 };
    assert_int_equal(frame->row_count, 5);
    assert_int_equal(report.duplicate_count, 2);
    assert_int_equal(report.moved_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(frame->times_ns[i], expected_times[i]);
        assert_true(tcsi_frame_column(frame, 0)[i] == expected[i] && tcsi_frame_column(frame, 1)[i] == 10 * expected[i]);
        assert_int_equal(frame->labels[i], expected[i] == 2);
    }
    assert_ok(tcsi_frame_order(frame, &report, test_err));
    assert_true(report.duplicate_count == 0 && report.moved_count == 0);
    tcsi_frame_destroy(frame);
}

static void test_order_of_many_random_rows(void **state)
{
    (void)state;
    enum { N = 3000 };
    int64_t *times = test_malloc(N * sizeof *times);
    tcsi_rng rng = tcsi_rng_make(2, 1);
    for (int i = 0; i < N; i++) times[i] = (int64_t)tcsi_rng_below(&rng, 2000) - 1000;
    tcsi_frame *frame = make_frame(times, N, false);
    tcsi_order_report report;
    assert_ok(tcsi_frame_order(frame, &report, test_err));
    assert_int_equal(frame->row_count + report.duplicate_count, N);
    for (size_t i = 0; i < frame->row_count; i++) {
        assert_true(i == 0 || frame->times_ns[i] > frame->times_ns[i - 1]);
        size_t row = (size_t)tcsi_frame_column(frame, 0)[i];
        assert_int_equal(times[row], frame->times_ns[i]);
        for (size_t later = row + 1; later < N; later++) assert_true(times[later] != times[row]);
    }
    tcsi_frame_destroy(frame);
    test_free(times);
}

static void test_sort_keeps_every_row(void **state)
{
    (void)state;
    const int64_t times[] = { 30, 10, 20, 10, 40, 30, 5 };
    static const double expected[] = { 6, 1, 3, 2, 0, 5, 4 }; /* equal stamps in the order of the input */
    tcsi_frame *frame = make_frame(times, TCS_COUNT(times), true);
    size_t *places, moved_count;
    assert_ok(tcsi_frame_sort(frame, &places, &moved_count, test_err));
    assert_non_null(places);
    assert_int_equal(moved_count, 5);
    assert_int_equal(frame->row_count, TCS_COUNT(times));
    for (size_t i = 0; i < TCS_COUNT(times); i++) {
        size_t row = (size_t)expected[i];
        assert_int_equal(places[row], i);
        assert_int_equal(frame->times_ns[i], times[row]);
        assert_true(tcsi_frame_column(frame, 0)[i] == expected[i] && tcsi_frame_column(frame, 1)[i] == 10 * expected[i]);
        assert_int_equal(frame->labels[i], row == 2);
    }
    tcsi_free(places);
    assert_ok(tcsi_frame_sort(frame, &places, &moved_count, test_err)); /* equal stamps are in order */
    assert_null(places);
    assert_int_equal(moved_count, 0);
    tcsi_frame_destroy(frame);
}

static void test_resample_to_a_grid(void **state)
{
    (void)state;
    const int64_t times[] = { 100 * S, 160 * S + 1000, 219 * S, 221 * S, 460 * S };
    tcsi_frame *frame = make_frame(times, TCS_COUNT(times), true), *grid;
    tcsi_resample_report report;
    assert_ok(tcsi_frame_resample(frame, 60 * S, &grid, &report, test_err));
    assert_int_equal(grid->row_count, 7);
    assert_int_equal(report.empty_count, 3);
    assert_int_equal(report.merged_count, 1);
    static const double expected[] = { 0, 1, 2.5, NAN, NAN, NAN, 4 };
    for (size_t i = 0; i < 7; i++) {
        assert_near(expected[i], tcsi_frame_column(grid, 0)[i], 0);
        assert_int_equal(grid->times_ns[i], (100 + 60 * (int64_t)i) * S);
        assert_int_equal(grid->labels[i], i == 2);
    }
    tcsi_frame_destroy(grid);
    tcs_error err;
    assert_int_equal(tcsi_frame_resample(frame, 0, &grid, &report, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_frame_resample(frame, 1, &grid, &report, &err), TCS_E_LIMIT);
    frame->times_ns[1] = 100 * S;
    assert_int_equal(tcsi_frame_resample(frame, 60 * S, &grid, &report, &err), TCS_E_INVALID);
    assert_string_equal(err.text, "row 1 is not later than the row before it; put the frame into time order first");
    frame->row_count = 2;
    frame->times_ns[0] = INT64_MIN;
    frame->times_ns[1] = INT64_MAX;
    assert_int_equal(tcsi_frame_resample(frame, S, &grid, &report, &err), TCS_E_LIMIT);
    assert_ok(tcsi_frame_resample(frame, INT64_MAX, &grid, &report, test_err)); /* the last row lies past the end: cut */
    assert_int_equal(grid->times_ns[grid->row_count - 1], grid->row_count == 4 ? INT64_MAX : INT64_MAX - 1);
    tcsi_frame_destroy(grid);
    frame->row_count = 0;
    assert_ok(tcsi_frame_resample(frame, S, &grid, &report, test_err));
    assert_int_equal(grid->row_count, 0);
    tcsi_frame_destroy(grid);
    tcsi_frame_destroy(frame);
}

static void test_fill_short_gaps(void **state)
{
    (void)state;
    double x[] = { NAN, 1, NAN, NAN, 4, NAN, NAN, NAN, 8, INFINITY };
    uint8_t mask[10];
    assert_int_equal(tcsi_fill_short_gaps(x, 10, 2, mask), 4);
    static const double expected[] = { 1, 1, 2, 3, 4, NAN, NAN, NAN, 8, 8 };
    static const uint8_t expected_mask[] = { 1, 0, 1, 1, 0, 0, 0, 0, 0, 1 };
    for (int i = 0; i < 10; i++) assert_near(expected[i], x[i], 1e-15);
    assert_memory_equal(mask, expected_mask, 10);
    double nothing[] = { NAN, NAN };
    assert_int_equal(tcsi_fill_short_gaps(nothing, 2, SIZE_MAX, NULL), 0);
    assert_int_equal(tcsi_fill_short_gaps(NULL, 0, 1, NULL), 0);
}

static void test_without_memory(void **state)
{
    (void)state;
    const int64_t times[] = { 30 * S, 10 * S, 20 * S, 10 * S };
    for (int which = 0; which < 4; which++)
        for (size_t at = 1;; at++) {
            tcsi_alloc_trace_begin();
            tcsi_frame *frame = make_frame(times, 4, true), *grid = NULL;
            if (which == 2) frame->times_ns[0] = 0;
            if (which == 2) frame->row_count = 3;
            size_t live = tcsi_alloc_trace_stats().live_count, *places = NULL, moved_count;
            tcsi_quality q = { 0 };
            tcsi_order_report order;
            tcsi_resample_report resample;
            tcs_error err = { 0 };
            tcsi_alloc_trace_fail_at(at);
            tcs_status status = which == 0 ? tcsi_quality_of(frame, &q, &err) : which == 1 ? tcsi_frame_order(frame, &order, &err)
                                : which == 3 ? tcsi_frame_sort(frame, &places, &moved_count, &err)
                                           : tcsi_frame_resample(frame, S, &grid, &resample, &err);
            tcsi_alloc_trace_fail_at(0);
            if (status != TCS_OK) assert_int_equal(tcsi_alloc_trace_stats().live_count, live);
            tcsi_quality_deinit(&q);
            tcsi_free(places);
            tcsi_frame_destroy(grid);
            tcsi_frame_destroy(frame);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
            if (status == TCS_OK) break;
            assert_int_equal(status, TCS_E_MEMORY);
            assert_true(at < 20);
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_cadence_with_gaps_and_disorder), cmocka_unit_test(test_cadence_at_the_ends_of_time),
              cmocka_unit_test(test_staleness), cmocka_unit_test(test_quality_summary),
              cmocka_unit_test(test_order_is_stable_and_keeps_the_last), cmocka_unit_test(test_order_of_many_random_rows),
              cmocka_unit_test(test_sort_keeps_every_row),
              cmocka_unit_test(test_resample_to_a_grid), cmocka_unit_test(test_fill_short_gaps), cmocka_unit_test(test_without_memory))
