/* detect/window/ar_residual_test.c -- against least squares in numpy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/window_test.h"

static void test_equals_numpy(void **state)
{
    (void)state;
    window_golden("ar_residual", (const tcsi_parameter_value[]){ { "period", 25 } }, 1, WINDOW_TRAIN_ROWS, "ar_residual", 1e-7);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_numpy))
