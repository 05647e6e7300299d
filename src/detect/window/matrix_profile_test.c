/* detect/window/matrix_profile_test.c -- against stumpy, and on what it must and cannot see.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/window_test.h"

static void test_equals_stumpy(void **state)
{
    (void)state;
    window_golden("matrix_profile", (const tcsi_parameter_value[]){ { "window", 25 } }, 1, 0, "matrix_profile", 1e-6);
}

/* A foreign beat stands out; the same beat twice does not; a window that does not fit is not judged. */
static void test_discord_and_twin(void **state)
{
    (void)state;
    enum { N = 1200, W = 30 };
    static double x[N];
    static tcs_score scores[N];
    for (size_t t = 0; t < N; t++) x[t] = sin((double)t * 6.283185307179586 / W);
    for (size_t t = 600; t < 615; t++) x[t] = 0.3;
    window_score("matrix_profile", (const tcsi_parameter_value[]){ { "window", W } }, 1, x, N, 0, scores);
    size_t peak = window_peak(scores, 0, N);
    assert_true(peak > 580 && peak < 635 && scores[peak].value > 1);
    for (size_t t = 900; t < 915; t++) x[t] = 0.3;
    window_score("matrix_profile", (const tcsi_parameter_value[]){ { "window", W } }, 1, x, N, 0, scores);
    assert_true(scores[607].value < 1e-6);
    window_score("matrix_profile", (const tcsi_parameter_value[]){ { "window", 601 } }, 1, x, N, 0, scores);
    assert_int_equal(scores[0].state, TCS_SCORE_WARMUP);
}

/* Constant windows are at distance 0 from each other and sqrt(w) from all others. */
static void test_constant_windows(void **state)
{
    (void)state;
    enum { N = 400, W = 16 };
    double x[N];
    tcs_score scores[N];
    for (size_t t = 0; t < N; t++) x[t] = t < 200 ? 1 : cos((double)(t * t) * 0.37);
    window_score("matrix_profile", (const tcsi_parameter_value[]){ { "window", W } }, 1, x, N, 0, scores);
    assert_near(0, scores[50].value, 0);
    for (size_t t = 200; t < 220; t++) x[t] = 1;
    for (size_t t = 0; t < 200; t++) x[t] = cos((double)(t * t) * 0.61);
    for (size_t t = 204; t < N; t++) x[t] = cos((double)(t * t) * 0.37);
    x[200] = x[201] = x[202] = x[203] = 0;
    window_score("matrix_profile", (const tcsi_parameter_value[]){ { "window", 4 } }, 1, x, N, 0, scores);
    assert_near(2, scores[202].value, 1e-9);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_stumpy), cmocka_unit_test(test_discord_and_twin), cmocka_unit_test(test_constant_windows))
