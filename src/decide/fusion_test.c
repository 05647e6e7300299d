/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "decide/agreement.h"
#include "decide/fusion.h"
#include "decide/landau.h"

static tcsi_fusion make(tcsi_fusion_rule rule, size_t count)
{
    tcsi_fusion fusion;
    assert_ok(tcsi_fusion_init(&fusion, rule, count, test_err));
    return fusion;
}

/* mpmath 1.3.0 at 40 digits: the integral of Zolotarev's form; scipy 1.17.1's levy_stable.sf(z, 1, 1) agrees to 1e-10 where it can. */
static void test_landau_against_mpmath(void **state)
{
    (void)state;
    static const double golden[][2] = {
        { -2, 0.999292885943511 },    { -1, 0.903839038959368 },      { 0, 0.634761298487625 },         { 1, 0.422133240358048 },
        { 3, 0.220703326641132 },     { 10, 0.0708967063825625 },     { 50, 0.0133103633188229 },       { 1000, 0.000639256548462073 },
        { 1e6, 6.36625200277215e-7 }, { 1e12, 6.36619772378608e-13 }, { 1e200, 6.36619772367581e-201 }, { -4, 1 },
    };
    for (size_t i = 0; i < TCS_COUNT(golden); i++)
        assert_near(1, tcsi_landau_tail(golden[i][0]) / golden[i][1], 1e-7);
    double last = 1;
    for (double z = -5; z < 200; z += 0.01) {
        const double tail = tcsi_landau_tail(z);
        assert_true(tail > 0 && tail <= last + 1e-9);
        last = tail;
    }
    assert_true(tcsi_landau_tail(INFINITY) >= 0 && tcsi_landau_tail(-INFINITY) == 1);
}

/* Wilson 2019, table 1: the harmonic mean of so many p-values that is significant at 0.05. */
static void test_harmonic_mean_by_the_paper(void **state)
{
    (void)state;
    static const struct { double count, threshold; } rows[] = { { 10, 0.040 }, { 100, 0.036 }, { 1000, 0.034 }, { 10000, 0.031 },
                                                                { 1e5, 0.029 }, { 1e6, 0.027 } };
    for (size_t i = 0; i < TCS_COUNT(rows); i++) {
        const double z = (1 / rows[i].threshold - log(rows[i].count) - 0.874367040387922) / (3.14159265358979323846 / 2);
        assert_near(0.05, tcsi_landau_tail(z), 0.0011); /* thresholds are rounded to 3 digits */
    }
    double p[10];
    for (size_t k = 0; k < 10; k++) p[k] = 0.04;
    const tcsi_fusion ten = make(TCSI_FUSION_HARMONIC, 10);
    assert_near(0.05, tcsi_fusion_of(&ten, p).p_value, 0.0011);
}

static void test_rules_by_hand(void **state)
{
    (void)state;
    static const double p[] = { 0.01, NAN, 0.25 }, silent[] = { NAN, NAN, NAN }, extreme[] = { 0, 1, 1 };
    const double pi = 3.14159265358979323846, third = 1.0 / 3, spoken[] = { 0.01, 0.04, 0.25 };
    tcsi_fusion fusion = make(TCSI_FUSION_AVERAGE, 3);
    assert_near(2 * (0.01 + 0.25) / 2, tcsi_fusion_of(&fusion, p).p_value, 1e-15); /* the silent one is left out */
    assert_near(log10(25) / 2, tcsi_fusion_of(&fusion, p).disagreement, 1e-14);
    fusion.rule = TCSI_FUSION_EVIDENCE;
    assert_near(1 / (third * (5 + 2.5 + 1)), tcsi_fusion_of(&fusion, spoken).p_value, 1e-14);
    assert_near(third * 8.5, tcsi_fusion_evidence(&fusion, spoken), 1e-14);
    fusion.rule = TCSI_FUSION_BONFERRONI;
    assert_near(0.03, tcsi_fusion_of(&fusion, spoken).p_value, 1e-15);
    fusion.rule = TCSI_FUSION_CAUCHY;
    const double t = third * (1 / tan(0.01 * pi) + 1 / tan(0.04 * pi) + 1 / tan(0.25 * pi));
    assert_near(0.5 - atan(t) / pi, tcsi_fusion_of(&fusion, spoken).p_value, 1e-12);
    for (int rule = 0; rule < TCSI_FUSION_RULE_COUNT; rule++) {
        fusion.rule = (tcsi_fusion_rule)rule;
        assert_true(isnan(tcsi_fusion_of(&fusion, silent).p_value));
        const double least = tcsi_fusion_of(&fusion, extreme).p_value;
        assert_true(least > 0 && least <= 1);
        const tcsi_fusion one = make((tcsi_fusion_rule)rule, 1);
        if (rule != TCSI_FUSION_EVIDENCE) assert_near(0.3, tcsi_fusion_of(&one, (double[]){ 0.3 }).p_value, 1e-12);
        assert_int_equal(tcsi_fusion_init(&fusion, (tcsi_fusion_rule)rule, 0, NULL), TCS_E_INVALID);
        fusion = make((tcsi_fusion_rule)rule, 3);
    }
    assert_true(tcsi_fusion_evidence(&fusion, silent) == 1);
}

/* Eight members whose p-values are those of equicorrelated normal scores: false alarms at 5 % and 0.5 %, however much they depend. */
static void test_validity_under_dependence(void **state)
{
    (void)state;
    enum { M = 8, ROUNDS = 20000 };
    static const double correlations[] = { 0, 0.5, 0.9, 0.99 }, levels[] = { 0.05, 0.005 };
    for (int rule = 0; rule < TCSI_FUSION_RULE_COUNT; rule++) {
        const tcsi_fusion fusion = make((tcsi_fusion_rule)rule, M);
        for (size_t c = 0; c < TCS_COUNT(correlations); c++) {
            tcsi_rng rng = tcsi_rng_make(5, c);
            size_t below[2] = { 0, 0 };
            for (size_t round = 0; round < ROUNDS; round++) {
                const double shared = tcsi_rng_normal(&rng);
                double p[M];
                for (size_t k = 0; k < M; k++) {
                    const double own = tcsi_rng_normal(&rng);
                    p[k] = 0.5 * erfc((sqrt(correlations[c]) * shared + sqrt(1 - correlations[c]) * own) / sqrt(2));
                }
                const double fused = tcsi_fusion_of(&fusion, p).p_value;
                for (size_t i = 0; i < 2; i++) below[i] += fused <= levels[i];
            }
            for (size_t i = 0; i < 2; i++) {
                const double share = (double)below[i] / ROUNDS, noise = 3.5 * sqrt(levels[i] / ROUNDS);
                const double allowed = tcsi_fusion_table[rule].holds_everywhere ? 1 : 1.2;
                assert_true(share <= allowed * levels[i] + noise);
                if (c == 0 && rule <= TCSI_FUSION_CAUCHY) assert_true(share >= 0.8 * levels[i] - noise); /* exact, not only safe */
            }
        }
    }
}

/* One strong voice among eight, and eight faint ones that agree: which rule hears which. */
static void test_power(void **state)
{
    (void)state;
    double one[8], all[8];
    for (size_t k = 0; k < 8; k++) {
        one[k] = k == 3 ? 1e-6 : 0.3 + 0.05 * (double)k;
        all[k] = 0.004;
    }
    const tcsi_fusion harmonic = make(TCSI_FUSION_HARMONIC, 8), cauchy = make(TCSI_FUSION_CAUCHY, 8);
    const tcsi_fusion average = make(TCSI_FUSION_AVERAGE, 8);
    assert_true(tcsi_fusion_of(&harmonic, one).p_value < 1e-5 && tcsi_fusion_of(&cauchy, one).p_value < 1e-5);
    assert_true(tcsi_fusion_of(&average, one).p_value > 0.5);
    assert_true(tcsi_fusion_of(&average, all).p_value < 0.0081);
    assert_true(tcsi_fusion_of(&cauchy, one).disagreement > 1 && tcsi_fusion_of(&cauchy, all).disagreement < 1e-9);
}

static void test_weights_are_learned(void **state)
{
    (void)state;
    enum { ROWS = 500 };
    static double p[ROWS][3];
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t t = 0; t < ROWS; t++) {
        p[t][0] = pow(1 - tcsi_rng_uniform(&rng), 8); /* sees every event */
        p[t][1] = 1 - tcsi_rng_uniform(&rng);         /* sees none */
        p[t][2] = t % 5 ? 1 - tcsi_rng_uniform(&rng) : 1e-8; /* sees every fifth, clearly */
    }
    tcsi_fusion fusion = make(TCSI_FUSION_EVIDENCE, 3), untouched = fusion;
    double before = 0, after = 0;
    for (size_t t = 0; t < ROWS; t++) before += log(tcsi_fusion_evidence(&fusion, p[t]));
    tcsi_fusion_learn(&fusion, &p[0][0], ROWS);
    for (size_t t = 0; t < ROWS; t++) after += log(tcsi_fusion_evidence(&fusion, p[t]));
    assert_true(after > before);
    assert_true(fusion.weights[0] > fusion.weights[2] && fusion.weights[2] > 0.05 && fusion.weights[1] < 0.02);
    assert_near(1, fusion.weights[0] + fusion.weights[1] + fusion.weights[2], 1e-12);
    tcsi_fusion_learn(&untouched, NULL, 0);
    assert_near(1.0 / 3, untouched.weights[1], 1e-15);
}

static void test_saved_and_loaded(void **state)
{
    (void)state;
    static const double rows[] = { 0.1, 0.001, 0.5, 0.2, 0.0001, 0.7 };
    tcsi_fusion kept = make(TCSI_FUSION_CAUCHY, 3), loaded = { 0 };
    tcs_error err = { 0 };
    tcsi_buffer out;
    tcsi_fusion_learn(&kept, rows, 2);
    tcsi_buffer_init(&out, 1 << 16);
    tcsi_codec save = tcsi_codec_save(&out, &err);
    tcsi_fusion_persist(&kept, &save);
    for (size_t size = 0; size <= out.size; size++) {
        tcsi_codec load = tcsi_codec_load(out.data, size, &err);
        tcsi_fusion_persist(&loaded, &load);
        assert_int_equal(tcsi_codec_status(&load), size < out.size ? TCS_E_FORMAT : TCS_OK);
    }
    assert_true(tcsi_fusion_of(&kept, rows).p_value == tcsi_fusion_of(&loaded, rows).p_value);
    out.data[4] = 77; /* a rule that there is not */
    tcsi_codec load = tcsi_codec_load(out.data, out.size, &err);
    tcsi_fusion_persist(&loaded, &load);
    assert_int_equal(tcsi_codec_status(&load), TCS_E_FORMAT);
    tcsi_buffer_deinit(&out);
}

static void test_agreement(void **state)
{
    (void)state;
    const float said[5] = { 0.001f, NAN, 0.01f, 0.5f, 0.002f };
    const tcsi_agreement some = tcsi_agreement_of(said, 5), none = tcsi_agreement_of(said + 1, 1), nobody = tcsi_agreement_of(NULL, 0);
    assert_int_equal(some.member_count, 4);
    assert_int_equal(some.agreeing_count, 3);
    assert_true(some.p_value > 0.001 && some.p_value < 0.005);
    const double logs[4] = { log10(0.001), -2, log10(0.5), log10(0.002) }, mean = (logs[0] + logs[1] + logs[2] + logs[3]) / 4;
    double square = 0;
    for (int i = 0; i < 4; i++) square += (logs[i] - mean) * (logs[i] - mean) / 4;
    assert_near(sqrt(square), some.disagreement, 1e-6);
    assert_true(none.member_count == 0 && isnan(none.p_value) && isnan(none.disagreement));
    assert_true(nobody.member_count == 0 && nobody.agreeing_count == 0 && isnan(nobody.p_value));
}

TCS_TEST_MAIN(cmocka_unit_test(test_agreement), cmocka_unit_test(test_landau_against_mpmath),
              cmocka_unit_test(test_harmonic_mean_by_the_paper),
              cmocka_unit_test(test_rules_by_hand), cmocka_unit_test(test_validity_under_dependence), cmocka_unit_test(test_power),
              cmocka_unit_test(test_weights_are_learned), cmocka_unit_test(test_saved_and_loaded))
