/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "metrics/calibration.h"

static void test_calibration_by_hand(void **state)
{
    (void)state;
    /* bins of 1/15: 0.05 and 0.06 share one (means 0.055 and 1/2), 0.5 and 1 have their own, NaN is left out */
    double probabilities[] = { 0.05, 0.06, 0.5, 1.0, NAN };
    uint8_t labels[] = { 0, 1, 0, 9, 1 };
    tcsi_calibration calibration;
    assert_ok(tcsi_calibration_compute(probabilities, labels, 5, &calibration, test_err));
    assert_near((0.05 * 0.05 + 0.94 * 0.94 + 0.25) / 4.0, calibration.brier, 1e-15);
    assert_near((2.0 * (0.5 - 0.055) + 0.5) / 4.0, calibration.ece, 1e-15);
    double apart[] = { 0.03, 0.09 }; /* two bins of 1/15, one of 1/10: the gaps must not cancel */
    uint8_t mixed[] = { 0, 1 };
    assert_ok(tcsi_calibration_compute(apart, mixed, 2, &calibration, test_err));
    assert_near((0.03 + 0.91) / 2.0, calibration.ece, 1e-15);
    double none[] = { NAN };
    assert_ok(tcsi_calibration_compute(none, labels, 1, &calibration, test_err));
    assert_true(isnan(calibration.brier) && isnan(calibration.ece));
}

static void test_honest_probabilities(void **state)
{
    (void)state;
    enum { N = 200000 };
    static double stated[N], p_values[N];
    static uint8_t labels[N];
    tcsi_rng rng = tcsi_rng_make(1, 0);
    for (size_t i = 0; i < N; i++) {
        stated[i] = tcsi_rng_uniform(&rng);
        labels[i] = tcsi_rng_uniform(&rng) < stated[i];
        p_values[i] = labels[i] ? 0.0 : tcsi_rng_uniform(&rng);
    }
    tcsi_calibration calibration;
    double error;
    assert_ok(tcsi_calibration_compute(stated, labels, N, &calibration, test_err));
    assert_true(calibration.ece < 0.01);
    assert_near(1.0 / 6.0, calibration.brier, 0.005); /* the mean of p (1 - p) */
    assert_ok(tcsi_p_value_error(p_values, labels, N, &error, test_err));
    assert_true(error < 0.01);
}

static void test_parts_of_the_score_by_hand(void **state)
{
    (void)state;
    /* 0.2 twice (bin 3), 0.9 twice (bin 13): means equal the values, so that the parts add up exactly */
    static const double probabilities[] = { 0.2, 0.9, 0.2, 0.9, NAN };
    static const uint8_t labels[] = { 0, 1, 1, 1, 0 };
    tcsi_calibration c;
    assert_ok(tcsi_calibration_compute(probabilities, labels, 5, &c, test_err));
    assert_near((0.04 + 0.64 + 0.01 + 0.01) / 4, c.brier, 1e-15);
    assert_near((0.3 * 0.3 + 0.1 * 0.1) / 2, c.reliability, 1e-15);
    assert_near((0.25 * 0.25 + 0.25 * 0.25) / 2, c.resolution, 1e-15);
    assert_near(0.75 * 0.25, c.uncertainty, 1e-15);
    assert_near(c.brier, c.reliability - c.resolution + c.uncertainty, 1e-15);
    assert_near(-(log(0.8) + log(0.2) + 2 * log(0.9)) / 4, c.log_loss, 1e-15);
    assert_int_equal(c.bins[3].count, 2);
    assert_near(0.5, c.bins[3].share, 1e-15);
    assert_near(0.9, c.bins[13].probability, 1e-15);
    assert_true(c.bins[0].count == 0 && isnan(c.bins[0].share) && isnan(c.bins[0].probability));
    /* bin 3: gap 0.3, deviation sqrt(1/8); a folded normal by scipy 1.17.1: foldnorm(0.3 / s, scale=s).mean() = 0.3779677 */
    assert_near((2 * (0.3 - (0.3779677 - 0.3)) + 2 * 0.1) / 4, c.ece_debiased, 1e-6);
    static const double sure[] = { 0, 1, 1 };
    assert_ok(tcsi_calibration_compute(sure, labels, 3, &c, test_err));
    assert_near(0, c.log_loss, 1e-14);
    static const double wrong[] = { 1 };
    assert_ok(tcsi_calibration_compute(wrong, labels, 1, &c, test_err));
    assert_near(-log(1e-15), c.log_loss, 1e-9); /* certain, wrong, and finite */
}

/* Honest probabilities of few rows: the plain error is far from 0, the debiased one near it; dishonest ones keep theirs. */
static void test_debiasing(void **state)
{
    (void)state;
    enum { ROUNDS = 400, N = 120 };
    double plain = 0, debiased = 0, plain_off = 0, debiased_off = 0;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t round = 0; round < ROUNDS; round++) {
        double probabilities[N], off[N];
        uint8_t labels[N];
        tcsi_calibration c;
        for (size_t i = 0; i < N; i++) {
            probabilities[i] = tcsi_rng_uniform(&rng);
            off[i] = 0.3 * probabilities[i];
            labels[i] = tcsi_rng_uniform(&rng) < probabilities[i];
        }
        assert_ok(tcsi_calibration_compute(probabilities, labels, N, &c, test_err));
        plain += c.ece / ROUNDS;
        debiased += c.ece_debiased / ROUNDS;
        assert_ok(tcsi_calibration_compute(off, labels, N, &c, test_err));
        plain_off += c.ece / ROUNDS;
        debiased_off += c.ece_debiased / ROUNDS;
    }
    assert_true(plain > 0.1 && debiased < 0.75 * plain);
    assert_near(0.35, debiased_off, 0.02); /* the mean of 0.7 p */
    assert_true(plain_off >= debiased_off);
}

static void test_p_values_by_hand(void **state)
{
    (void)state;
    uint8_t normal[4] = { 0, 0, 0, 0 }, anomalous[4] = { 1, 1, 1, 1 };
    double error, large[] = { 0.9, 0.95, 0.97, 1.0 }, small[] = { 0.0, 0.1, 0.1, 0.2 }, tied[] = { 0.5, 0.5, 0.5, 0.5 };
    assert_ok(tcsi_p_value_error(large, normal, 4, &error, test_err));
    assert_near(0.9, error, 1e-15); /* just below 0.9 nobody stands where 90 % should */
    assert_ok(tcsi_p_value_error(small, normal, 4, &error, test_err));
    assert_near(0.8, error, 1e-15);
    assert_ok(tcsi_p_value_error(tied, normal, 4, &error, test_err));
    assert_near(0.5, error, 1e-15);
    assert_ok(tcsi_p_value_error(tied, anomalous, 4, &error, test_err));
    assert_true(isnan(error)); /* the promise is about normal rows only */
}

static void test_values_out_of_range(void **state)
{
    (void)state;
    double values[] = { 0.5, 1.0 + 0x1p-52, -0.0 };
    uint8_t labels[] = { 0, 1, 0 };
    tcsi_calibration calibration;
    double error;
    tcs_error err = { 0 };
    assert_int_equal(tcsi_calibration_compute(values, labels, 3, &calibration, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "row 1"));
    values[1] = -INFINITY;
    assert_int_equal(tcsi_p_value_error(values, labels, 3, &error, &err), TCS_E_INVALID);
    values[1] = 1.0;
    assert_ok(tcsi_calibration_compute(values, labels, 3, &calibration, test_err));
}

TCS_TEST_MAIN(cmocka_unit_test(test_calibration_by_hand), cmocka_unit_test(test_parts_of_the_score_by_hand),
              cmocka_unit_test(test_debiasing), cmocka_unit_test(test_honest_probabilities),
              cmocka_unit_test(test_p_values_by_hand), cmocka_unit_test(test_values_out_of_range))
