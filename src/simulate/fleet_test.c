/* simulate/fleet_test.c -- machines of one kind are alike but for size and level, those of another are not, and events are where the labels
 * are.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "simulate/fleet.h"

enum { ROWS = 3000 };

static tcsi_frame *machine_of(const tcsi_machine_options *options, size_t number, size_t *ret_period)
{
    tcsi_frame *frame;
    assert_ok(tcsi_machine_simulate(options, number, &frame, ret_period, test_err));
    return frame;
}

/* The highest correlation of two windows of one cycle's length, over all ways to lay one beside the other. */
static double likeness(const double *a, const double *b, size_t period)
{
    double best = -1;
    for (size_t lag = 0; lag < 2 * period; lag++) {
        double sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0, n = (double)period;
        for (size_t t = 0; t < period; t++) {
            const double x = a[t], y = b[t + lag];
            sa += x;
            sb += y;
            saa += x * x;
            sbb += y * y;
            sab += x * y;
        }
        best = fmax(best, (sab - sa * sb / n) / sqrt((saa - sa * sa / n) * (sbb - sb * sb / n)));
    }
    return best;
}

static void test_kinds_are_alike(void **state)
{
    (void)state;
    double same = 0, other = 0;
    for (size_t i = 0; i < 10; i++) {
        const tcsi_machine_options options = { .seed = 100 + i, .kind_count = 2, .program_count = 1, .channel_count = 1, .row_count = ROWS,
                                               .calm_row_count = ROWS };
        size_t period, ignored;
        tcsi_frame *a = machine_of(&options, 0, &period), *b = machine_of(&options, 2, &ignored), *c = machine_of(&options, 1, &ignored);
        same += likeness(tcsi_frame_column(a, 0), tcsi_frame_column(b, 0), period) / 10;
        other += likeness(tcsi_frame_column(a, 0), tcsi_frame_column(c, 0), period) / 10;
        tcsi_frame_destroy(a);
        tcsi_frame_destroy(b);
        tcsi_frame_destroy(c);
    }
    print_message("# likeness %.3f within kinds, %.3f between\n", same, other);
    assert_true(same > 0.85 && same > other + 0.1);
}

static void test_events_begin_after_the_calm_rows(void **state)
{
    (void)state;
    for (size_t foreign = 0; foreign < 2; foreign++) {
        const tcsi_machine_options options = { .seed = 3, .kind_count = 2, .program_count = 1, .channel_count = 2, .row_count = ROWS,
                                               .calm_row_count = 1000, .event_count = 4, .has_foreign_events = foreign };
        size_t period, labelled = 0, first = ROWS;
        tcsi_frame *a = machine_of(&options, 5, &period), *again = machine_of(&options, 5, &period);
        for (size_t t = 0; t < ROWS; t++) {
            labelled += a->labels[t];
            if (a->labels[t] && t < first) first = t;
        }
        assert_true(first >= 1000 && labelled > 2 * period && labelled < ROWS / 4);
        assert_memory_equal(tcsi_frame_column(a, 1), tcsi_frame_column(again, 1), ROWS * sizeof(double));
        tcsi_frame_destroy(a);
        tcsi_frame_destroy(again);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    const tcsi_machine_options fine = { .seed = 3, .kind_count = 1, .program_count = 1, .channel_count = 1, .row_count = ROWS };
    tcsi_machine_options bad[] = { fine, fine, fine, fine };
    bad[0].kind_count = 0;
    bad[1].row_count = 10;
    bad[2].calm_row_count = ROWS + 1;
    bad[3].has_foreign_events = true;
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        tcsi_frame *frame;
        size_t period;
        tcs_error err = { 0 };
        assert_int_equal(TCS_E_INVALID, tcsi_machine_simulate(&bad[i], 0, &frame, &period, &err));
        assert_true(strlen(err.text) > 10);
    }
}

/* Every allocation fails once. */
static void test_survives_failing_memory(void **state)
{
    (void)state;
    const tcsi_machine_options options = { .seed = 3, .kind_count = 1, .program_count = 1, .channel_count = 2, .row_count = 400,
                                           .event_count = 1 };
    bool done = false;
    for (size_t fail_at = 1; !done; fail_at++) {
        tcsi_frame *frame = NULL;
        size_t period;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail_at);
        const tcs_status status = tcsi_machine_simulate(&options, 0, &frame, &period, &err);
        done = tcsi_alloc_trace_stats().total_count < fail_at;
        assert_int_equal(done ? TCS_OK : TCS_E_MEMORY, status);
        if (status == TCS_OK) tcsi_frame_destroy(frame);
        assert_int_equal(0, tcsi_alloc_trace_stats().live_count);
        tcsi_alloc_trace_end();
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_kinds_are_alike),
              cmocka_unit_test(test_events_begin_after_the_calm_rows),
              cmocka_unit_test(test_refuses),
              cmocka_unit_test(test_survives_failing_memory))
