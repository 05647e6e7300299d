/* detect/window/sub_pca_test.c -- against the PCA of scikit-learn.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/window_test.h"

static void test_equals_scikit_learn(void **state)
{
    (void)state;
    const tcsi_parameter_value own[] = { { "window", 25 } }, fitted[] = { { "window", 25 }, { "ridge", 0.05 }, { "skip_variance", 0.5 } };
    window_golden("sub_pca", own, TCS_COUNT(own), 0, "sub_pca", 1e-7);
    window_golden("sub_pca", fitted, TCS_COUNT(fitted), WINDOW_TRAIN_ROWS, "sub_pca_fitted", 1e-7);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_scikit_learn))
