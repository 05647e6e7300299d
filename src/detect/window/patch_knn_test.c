/* detect/window/patch_knn_test.c -- against the nearest neighbours of scikit-learn.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/window_test.h"

static void test_equals_scikit_learn(void **state)
{
    (void)state;
    const tcsi_parameter_value own[] = { { "window", 25 }, { "bank_size", 100 } }, fitted[] = { { "window", 25 }, { "n_neighbors", 5 } };
    window_golden("patch_knn", own, TCS_COUNT(own), 0, "patch_knn", 1e-7);
    window_golden("patch_knn", fitted, TCS_COUNT(fitted), WINDOW_TRAIN_ROWS, "patch_knn_fitted", 1e-7);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_scikit_learn))
