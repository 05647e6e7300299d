/* detect/window/segment_join_test.c -- against numpy, window by window.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/window_test.h"

static void test_equals_numpy(void **state)
{
    (void)state;
    const tcsi_parameter_value centred[] = { { "window", 25 }, { "segments", 20 }, { "rank", 2 } };
    const tcsi_parameter_value raw[] = { { "window", 70 }, { "target_window", 16 }, { "segments", 10 }, { "raw", 1 } };
    window_golden("segment_join", centred, TCS_COUNT(centred), 0, "segment_join", 1e-7);
    window_golden("segment_join", raw, TCS_COUNT(raw), 0, "segment_join_raw", 1e-7);
}

/* Shift and scale of the data change nothing that matters. */
static void test_affine_law(void **state)
{
    (void)state;
    enum { N = 1000 };
    static double x[N];
    static tcs_score plain[N], moved[N];
    for (size_t t = 0; t < N; t++) x[t] = sin((double)t * 0.21) + (t > 700 && t < 720 ? 1.5 : 0);
    window_score("segment_join", NULL, 0, x, N, 0, plain);
    size_t peak = window_peak(plain, 0, N);
    assert_true(peak > 680 && peak < 740);
    for (size_t t = 0; t < N; t++) x[t] = 1e6 - 1e3 * x[t];
    window_score("segment_join", NULL, 0, x, N, 0, moved);
    for (size_t t = 0; t < N; t++) assert_near(plain[t].value, moved[t].value, 1e-6);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_numpy), cmocka_unit_test(test_affine_law))
