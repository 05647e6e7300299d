/* detect/window/left_matrix_profile_test.c -- against stumpy, and that no score depends on a later row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/window_test.h"

static void test_equals_stumpy(void **state)
{
    (void)state;
    window_golden("left_matrix_profile", (const tcsi_parameter_value[]){ { "window", 25 } }, 1, 0, "left_matrix_profile", 1e-6);
}

/* With a given window the past stays as it was, up to the rounding of the common scale. */
static void test_is_causal(void **state)
{
    (void)state;
    enum { N = 900, CUT = 500 };
    static double x[N];
    static tcs_score whole[N], part[CUT];
    for (size_t t = 0; t < N; t++) x[t] = sin((double)t * 0.2) + 0.3 * cos((double)(t * t) * 0.013) + (t > CUT ? 40 : 0);
    window_score("left_matrix_profile", (const tcsi_parameter_value[]){ { "window", 20 } }, 1, x, N, 0, whole);
    window_score("left_matrix_profile", (const tcsi_parameter_value[]){ { "window", 20 } }, 1, x, CUT, 0, part);
    for (size_t t = 0; t < CUT; t++) {
        assert_int_equal(whole[t].state, part[t].state);
        assert_near(part[t].value, whole[t].value, 1e-6);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_stumpy), cmocka_unit_test(test_is_causal))
