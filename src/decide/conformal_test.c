/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "decide/adaptive.h"
#include "decide/conformal.h"
#include "decide/effective.h"

static tcsi_rank_window make(size_t capacity)
{
    tcsi_rank_window window;
    assert_ok(tcsi_rank_window_init(&window, capacity, test_err));
    return window;
}

static void test_p_values_by_hand(void **state)
{
    (void)state;
    tcsi_rank_window window = make(10);
    static const double scores[] = { 1, 2, 2, 4 };
    assert_true(tcsi_conformal_p_value(&window, 7) == 1 && isinf(tcsi_conformal_quantile(&window, 0.5)));
    for (size_t i = 0; i < 4; i++) tcsi_rank_window_push(&window, scores[i]);
    assert_near(1.0 / 5, tcsi_conformal_p_value(&window, 5), 1e-15);
    assert_near(4.0 / 5, tcsi_conformal_p_value(&window, 2), 1e-15);
    assert_true(tcsi_conformal_p_value(&window, 0) == 1);
    assert_true(tcsi_conformal_quantile(&window, 0.8) == 4 && tcsi_conformal_quantile(&window, 0.6) == 2);
    assert_true(tcsi_conformal_quantile(&window, 0.2) == 1 && isinf(tcsi_conformal_quantile(&window, 0.81)));
    tcsi_rank_window_deinit(&window);
}

/* Ties or not, no more than t of fresh scores get p <= t. */
static void test_validity_on_exchangeable_scores(void **state)
{
    (void)state;
    enum { ROUNDS = 40000 };
    tcsi_rng rng = tcsi_rng_make(4, 0);
    size_t below[3] = { 0 };
    static const double levels[3] = { 0.05, 0.2, 0.5 };
    for (size_t round = 0; round < ROUNDS; round++) {
        tcsi_rank_window window = make(19);
        for (size_t i = 0; i < 19; i++) tcsi_rank_window_push(&window, floor(3 * tcsi_rng_exponential(&rng)));
        const double score = floor(3 * tcsi_rng_exponential(&rng));
        for (size_t k = 0; k < 3; k++) below[k] += tcsi_conformal_p_value(&window, score) <= levels[k];
        tcsi_rank_window_deinit(&window);
    }
    for (size_t k = 0; k < 3; k++)
        assert_true((double)below[k] / ROUNDS <= levels[k] + 4 * sqrt(levels[k] * (1 - levels[k]) / ROUNDS));
}

/* AR(1) with coefficient a: the autocorrelation time is (1 + a) / (1 - a). */
static void test_effective_count_of_known_series(void **state)
{
    (void)state;
    enum { N = 60000 };
    static double values[N];
    static const double memories[] = { 0, 0.5, 0.9, -0.5 };
    for (size_t k = 0; k < 4; k++) {
        tcsi_rng rng = tcsi_rng_make(6, k);
        double level = 0, effective;
        for (size_t t = 0; t < N; t++) values[t] = level = memories[k] * level + tcsi_rng_normal(&rng);
        assert_ok(tcsi_effective_count(values, N, &effective, test_err));
        const double expected = memories[k] < 0 ? 1 : (1 - memories[k]) / (1 + memories[k]);
        assert_true(effective / N > 0.85 * expected && effective / N < 1.15 * expected);
    }
    double constant[5] = { 3, 3, 3, 3, 3 }, effective;
    assert_ok(tcsi_effective_count(constant, 5, &effective, test_err));
    assert_true(effective == 5);
}

/* ---- bands ---- */

static tcsi_adaptive make_adaptive(double coverage, size_t capacity)
{
    tcsi_adaptive adaptive;
    const tcsi_adaptive_options options = { .coverage = coverage, .capacity = capacity };
    assert_ok(tcsi_adaptive_init(&adaptive, &options, test_err));
    return adaptive;
}

/* Errors drift, then jump to ten times their size, then back. */
static double error_at(tcsi_rng *rng, size_t t)
{
    const double scale = (t / 1500) % 3 == 1 ? 10 : 1 + (double)(t % 1500) / 500;
    return fabs(tcsi_rng_normal(rng)) * scale;
}

static void test_coverage_is_kept_under_drift(void **state)
{
    (void)state;
    static const double coverages[] = { 0.8, 0.9, 0.95, 0.99 };
    for (size_t c = 0; c < TCS_COUNT(coverages); c++) {
        tcsi_rng rng = tcsi_rng_make(8, c);
        tcsi_adaptive adaptive = make_adaptive(coverages[c], 500);
        size_t held = 0;
        for (size_t t = 0; t < 20000; t++) {
            const double error = error_at(&rng, t), radius = tcsi_adaptive_radius(&adaptive);
            assert_true(t == 0 ? isinf(radius) : isfinite(radius) && radius >= 0);
            held += error <= radius;
            tcsi_adaptive_push(&adaptive, error);
        }
        assert_near(coverages[c], (double)held / 20000, 0.01);
        assert_int_equal(adaptive.miss_count, 20000 - held);
        tcsi_adaptive_deinit(&adaptive);
    }
}

/* A band that is missed again and again goes on beyond the largest error; what is not finite counts, and is not remembered. */
static void test_a_band_that_is_missed_grows(void **state)
{
    (void)state;
    tcsi_adaptive adaptive = make_adaptive(0.9, 100);
    for (size_t t = 0; t < 200; t++) tcsi_adaptive_push(&adaptive, (double)(t % 10));
    const double before = tcsi_adaptive_radius(&adaptive);
    tcsi_adaptive_push(&adaptive, NAN);
    assert_true(adaptive.row_count == 200 && tcsi_adaptive_radius(&adaptive) == before && before <= 9);
    for (size_t t = 0; t < 100; t++) tcsi_adaptive_push(&adaptive, INFINITY);
    assert_int_equal(adaptive.row_count, 300);
    assert_true(isfinite(tcsi_adaptive_radius(&adaptive)) && tcsi_adaptive_radius(&adaptive) > 9);
    for (size_t t = 0; t < 1000; t++) tcsi_adaptive_push(&adaptive, (double)(t % 10));
    assert_true(tcsi_adaptive_radius(&adaptive) <= 9);
    tcsi_adaptive_deinit(&adaptive);
}

static void test_options_out_of_range(void **state)
{
    (void)state;
    tcsi_adaptive adaptive;
    static const tcsi_adaptive_options refused[] = { { 0, 10 }, { 1, 10 }, { NAN, 10 }, { 0.9, 0 } };
    for (size_t i = 0; i < TCS_COUNT(refused); i++) assert_int_equal(tcsi_adaptive_init(&adaptive, &refused[i], NULL), TCS_E_INVALID);
}

TCS_TEST_MAIN(cmocka_unit_test(test_p_values_by_hand), cmocka_unit_test(test_validity_on_exchangeable_scores),
              cmocka_unit_test(test_effective_count_of_known_series), cmocka_unit_test(test_coverage_is_kept_under_drift),
              cmocka_unit_test(test_a_band_that_is_missed_grows), cmocka_unit_test(test_options_out_of_range))
