/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "decide/agreement.h"

static const double PI = 3.14159265358979323846;

static void test_by_hand(void **state)
{
    (void)state;
    const float said[5] = { 0.001f, NAN, 0.01f, 0.5f, 0.002f }, floor[2] = { 0, 0 };
    const tcsi_agreement some = tcsi_agreement_of(said, 5), none = tcsi_agreement_of(said + 1, 1), nobody = tcsi_agreement_of(NULL, 0);
    const tcsi_agreement one = tcsi_agreement_of(said + 3, 1), least = tcsi_agreement_of(floor, 2);
    double logs = 0, squares = 0, cauchy = 0;
    for (size_t k = 0; k < 5; k++) {
        if (k == 1) continue;
        const double p = (double)said[k];
        cauchy += 1 / tan(PI * p) / 4;
        logs += log10(p) / 4;
        squares += log10(p) * log10(p) / 4;
    }
    assert_true(some.member_count == 4 && some.agreeing_count == 3);
    assert_near(0.5 - atan(cauchy) / PI, some.p_value, 1e-12);
    assert_near(sqrt(squares - logs * logs), some.disagreement, 1e-9);
    assert_true(none.member_count == 0 && isnan(none.p_value) && isnan(none.disagreement));
    assert_true(nobody.member_count == 0 && nobody.agreeing_count == 0 && isnan(nobody.p_value));
    assert_true(one.member_count == 1 && one.p_value == 0.5 && one.disagreement == 0);
    assert_true(least.p_value > 0 && least.p_value < 1e-290 && least.disagreement == 0);
}

/* Eight members whose p-values are those of equicorrelated normal scores: false alarms at 5 % and 0.5 %, however much they depend. */
static void test_validity_under_dependence(void **state)
{
    (void)state;
    enum { M = 8, ROUNDS = 20000 };
    static const double correlations[] = { 0, 0.5, 0.9, 0.99 }, levels[] = { 0.05, 0.005 };
    for (size_t c = 0; c < TCS_COUNT(correlations); c++) {
        tcsi_rng rng = tcsi_rng_make(5, c);
        size_t below[2] = { 0, 0 };
        for (size_t round = 0; round < ROUNDS; round++) {
            const double shared = tcsi_rng_normal(&rng);
            float p[M];
            for (size_t k = 0; k < M; k++) {
                const double own = tcsi_rng_normal(&rng);
                p[k] = (float)(0.5 * erfc((sqrt(correlations[c]) * shared + sqrt(1 - correlations[c]) * own) / sqrt(2)));
            }
            const double together = tcsi_agreement_of(p, M).p_value;
            for (size_t i = 0; i < 2; i++) below[i] += together <= levels[i];
        }
        for (size_t i = 0; i < 2; i++) {
            const double share = (double)below[i] / ROUNDS, noise = 3.5 * sqrt(levels[i] / ROUNDS);
            assert_true(share <= 1.2 * levels[i] + noise);
            if (c == 0) assert_true(share >= 0.8 * levels[i] - noise); /* exact, not only safe */
        }
    }
}

/* One strong voice among eight is heard; members that agree are not apart. */
static void test_one_voice(void **state)
{
    (void)state;
    float one[8], all[8];
    for (size_t k = 0; k < 8; k++) {
        one[k] = k == 3 ? 1e-6f : 0.3f + 0.05f * (float)k;
        all[k] = 0.004f;
    }
    const tcsi_agreement alone = tcsi_agreement_of(one, 8), together = tcsi_agreement_of(all, 8);
    assert_true(alone.p_value < 1e-5 && alone.agreeing_count == 1 && alone.disagreement > 1);
    assert_true(together.agreeing_count == 8 && together.disagreement < 1e-6);
    assert_near(0.004, together.p_value, 1e-6);
}

TCS_TEST_MAIN(cmocka_unit_test(test_by_hand), cmocka_unit_test(test_validity_under_dependence), cmocka_unit_test(test_one_voice))
