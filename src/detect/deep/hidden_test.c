/* detect/deep/hidden_test.c -- the estimated share of hidden events is about the true one, and no more than it can be.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "detect/deep/hidden.h"

#include <math.h>

enum { LABELLED = 400, OTHERS = 8000 };

/* Scores of events about `apart`, of anything else about 0, with deviation 1. */
static double estimate(double share, double apart)
{
    static double labelled[LABELLED], others[OTHERS];
    tcsi_rng rng = tcsi_rng_make(4, 0);
    for (size_t i = 0; i < LABELLED; i++) labelled[i] = apart + tcsi_rng_normal(&rng);
    for (size_t i = 0; i < OTHERS; i++) others[i] = (i < (size_t)(share * OTHERS) ? apart : 0) + tcsi_rng_normal(&rng);
    return tcsi_hidden_share(labelled, LABELLED, others, OTHERS);
}

static void test_finds_the_share(void **state)
{
    (void)state;
    static const double shares[] = { 0, 0.02, 0.1, 0.3 };
    for (size_t i = 0; i < TCS_COUNT(shares); i++) {
        const double found = estimate(shares[i], 6);
        if (!(fabs(found - shares[i]) < 0.01 + 0.05 * shares[i])) fail_msg("a share of %g is estimated as %g", shares[i], found);
    }
}

/* Where the score tells little, the share is an upper bound; where it tells nothing, the highest one that is ever said. */
static void test_is_an_upper_bound(void **state)
{
    (void)state;
    const double little = estimate(0.1, 2), nothing = estimate(0.1, 0);
    assert_true(little > 0.08 && little < 0.3);
    assert_true(nothing == 0.5);
}

static void test_edges(void **state)
{
    (void)state;
    double one = 1, other = 1, low = 0;
    assert_true(tcsi_hidden_share(&one, 0, &other, 1) == 0);
    assert_true(tcsi_hidden_share(&one, 1, &other, 0) == 0);
    assert_true(tcsi_hidden_share(&one, 1, &other, 1) == 0.5);
    assert_true(tcsi_hidden_share(&one, 1, &low, 1) == 0);
}

TCS_TEST_MAIN(cmocka_unit_test(test_finds_the_share), cmocka_unit_test(test_is_an_upper_bound), cmocka_unit_test(test_edges))
