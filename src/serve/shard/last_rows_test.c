/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "serve/shard/last_rows.h"

static tcs_error failure;

static void test_a_window_is_the_last_rows_oldest_first(void **state)
{
    (void)state;
    tcsi_last_rows rows = { 0 };
    int16_t window[TCSI_LAST_ROWS];
    float values[TCSI_LAST_ROWS];
    for (int i = 0; i < 100; i++) {
        assert_int_equal(tcsi_last_rows_window(&rows, window), i >= TCSI_LAST_ROWS);
        tcsi_last_rows_push(&rows, (double)(i % 2 ? -i : i));
    }
    assert_true(tcsi_last_rows_window(&rows, window));
    tcsi_last_rows_read(window, TCSI_LAST_ROWS, values);
    for (int i = 0; i < TCSI_LAST_ROWS; i++) {
        const int row = 100 - TCSI_LAST_ROWS + i;
        assert_true(fabs((double)values[i] - asinh(row % 2 ? -row : row)) < 1e-3);
    }
}

/* What is kept is the nearest step to the true inverse hyperbolic sine, but for what lies between two, and grows with the row. */
static void test_the_nearest_step(void **state)
{
    (void)state;
    int16_t before = -1;
    for (double deviations = 1e-5; deviations < 6e6; deviations *= 1.00005) {
        tcsi_last_rows rows = { 0 };
        tcsi_last_rows_push(&rows, deviations);
        tcsi_last_rows_push(&rows, -deviations);
        const double exact = fmin(2048 * asinh(deviations), 32767), off = fabs(rows.ring[0] - exact);
        assert_true(off <= 0.5 + 1e-4 && rows.ring[1] == -rows.ring[0]);
        assert_true(rows.ring[0] >= before);
        before = rows.ring[0];
    }
    assert_int_equal(before, 32767);
}

/* In the ordinary a row is kept to a thousandth of a deviation; far out it is kept to a thousandth of itself; beyond, it is far. */
static void test_precision_and_range(void **state)
{
    (void)state;
    static const double deviations[] = { 0, 1e-3, -0.1, 0.5, -1, 3, -30, 1e3, -1e6, 4e6 };
    int16_t window[TCSI_LAST_ROWS];
    float value;
    for (size_t i = 0; i < TCS_COUNT(deviations); i++) {
        tcsi_last_rows rows = { .count = TCSI_LAST_ROWS - 1, .at = TCSI_LAST_ROWS - 1 };
        tcsi_last_rows_push(&rows, deviations[i]);
        assert_true(tcsi_last_rows_window(&rows, window));
        tcsi_last_rows_read(&window[TCSI_LAST_ROWS - 1], 1, &value);
        assert_true(fabs(sinh((double)value) - deviations[i]) <= 1e-3 * fmax(1, fabs(deviations[i])));
    }
    static const struct { double deviations; int16_t row; } limits[] = { { INFINITY, 32767 }, { -INFINITY, -32767 }, { NAN, 0 },
                                                                         { 1e300, 32767 }, { -1e9, -32767 }, { 5e-324, 0 } };
    for (size_t i = 0; i < TCS_COUNT(limits); i++) {
        tcsi_last_rows rows = { 0 };
        tcsi_last_rows_push(&rows, limits[i].deviations);
        assert_int_equal(rows.ring[0], limits[i].row);
    }
}

static void test_saved_and_damaged(void **state)
{
    (void)state;
    for (int count = 0; count < 150; count += 7) {
        tcsi_last_rows rows = { 0 }, again = { 0 };
        tcsi_buffer out;
        tcsi_buffer_init(&out, 1 << 12);
        for (int i = 0; i < count; i++) tcsi_last_rows_push(&rows, sin((double)i) * 50);
        tcsi_codec codec = tcsi_codec_save(&out, &failure);
        tcsi_last_rows_persist(&rows, &codec);
        assert_ok(tcsi_codec_status(&codec));
        codec = tcsi_codec_load(out.data, out.size, &failure);
        tcsi_last_rows_persist(&again, &codec);
        assert_ok(tcsi_codec_status(&codec));
        assert_memory_equal(&rows, &again, sizeof rows);
        out.data[out.size - 1] = TCSI_LAST_ROWS + 1; /* the count */
        codec = tcsi_codec_load(out.data, out.size, &failure);
        tcsi_last_rows_persist(&again, &codec);
        assert_int_equal(tcsi_codec_status(&codec), TCS_E_FORMAT);
        tcsi_buffer_deinit(&out);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_a_window_is_the_last_rows_oldest_first), cmocka_unit_test(test_precision_and_range),
              cmocka_unit_test(test_the_nearest_step), cmocka_unit_test(test_saved_and_damaged))
