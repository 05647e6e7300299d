/* detect/window/stream_join_test.c -- against numpy, window by window.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/window_test.h"

static void test_equals_numpy(void **state)
{
    (void)state;
    const tcsi_parameter_value parameters[] = { { "window", 25 }, { "segments", 3 } };
    window_golden("stream_join", parameters, TCS_COUNT(parameters), WINDOW_TRAIN_ROWS, "stream_join", 1e-7);
}

/* Without a fit the first rows set the scale and are not scored; a gap repeats the last value. */
static void test_warmup_and_gaps(void **state)
{
    (void)state;
    enum { N = 1500 };
    static double x[N];
    static tcs_score scores[N];
    for (size_t t = 0; t < N; t++) x[t] = 1e3 * sin((double)t * 0.3);
    for (size_t t = 700; t < 705; t++) x[t] = NAN;
    for (size_t t = 1200; t < 1210; t++) x[t] += 2000;
    window_score("stream_join", NULL, 0, x, N, 0, scores);
    for (size_t t = 0; t < 50; t++) assert_int_equal(scores[t].state, TCS_SCORE_WARMUP);
    for (size_t t = 700; t < 705; t++) assert_int_equal(scores[t].state, TCS_SCORE_MISSING);
    assert_true(window_peak(scores, 800, N) >= 1200 && scores[1199].value < 0.05);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_numpy), cmocka_unit_test(test_warmup_and_gaps))
