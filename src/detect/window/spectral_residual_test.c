/* detect/window/spectral_residual_test.c -- against numpy, and on a spike.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/window/window_test.h"

#include "base/rng.h"

static void test_equals_numpy(void **state)
{
    (void)state;
    window_golden("spectral_residual", NULL, 0, 0, "spectral_residual", 1e-6);
}

static void test_finds_a_spike(void **state)
{
    (void)state;
    enum { N = 997 }; /* a prime: no transform is too awkward */
    static double x[N];
    static tcs_score scores[N];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    for (size_t t = 0; t < N; t++) x[t] = sin((double)t * 0.1) + 0.1 * tcsi_rng_normal(&rng);
    x[600] += 3;
    window_score("spectral_residual", NULL, 0, x, N, 0, scores);
    assert_int_equal(window_peak(scores, 0, N), 600);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_numpy), cmocka_unit_test(test_finds_a_spike))
