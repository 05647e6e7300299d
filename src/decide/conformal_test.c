/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "decide/adaptive.h"

static tcsi_conformal make(size_t capacity, double memory, double share)
{
    tcsi_conformal conformal;
    const tcsi_conformal_options options = { .capacity = capacity, .memory = memory, .effective_share = share };
    assert_ok(tcsi_conformal_init(&conformal, &options, test_err));
    return conformal;
}

static void test_p_values_by_hand(void **state)
{
    (void)state;
    tcsi_conformal plain = make(10, 1, 1), drifting = make(10, 0.5, 1), dependent = make(10, 1, 0.5);
    static const double scores[] = { 1, 2, 2, 4 };
    assert_true(tcsi_conformal_p_value(&plain, 7, 1) == 1 && tcsi_conformal_p_value(&plain, 7, 0.25) == 0.25);
    assert_true(isinf(tcsi_conformal_quantile(&plain, 0.5)));
    for (size_t i = 0; i < 4; i++) {
        tcsi_conformal_push(&plain, scores[i]);
        tcsi_conformal_push(&drifting, scores[i]);
        tcsi_conformal_push(&dependent, scores[i]);
    }
    assert_near(1.0 / 5, tcsi_conformal_p_value(&plain, 5, 1), 1e-15);
    assert_near(4.0 / 5, tcsi_conformal_p_value(&plain, 2, 1), 1e-15);
    assert_near((1 + 0.5 * 3) / 5, tcsi_conformal_p_value(&plain, 2, 0.5), 1e-15);
    assert_true(tcsi_conformal_p_value(&plain, 0, 1) == 1);
    /* of the weights 1/16, 1/8, 1/4 and 1/2, and 1 of the judged row */
    assert_near((0.5 + 1) / 1.9375, tcsi_conformal_p_value(&drifting, 3, 1), 1e-15);
    assert_near((0.0625 + 0.375 + 0.5 + 1) / 1.9375, tcsi_conformal_p_value(&drifting, 1, 1), 1e-15);
    /* two independent rows' worth: never below 1/3 */
    assert_near(1.0 / 3, tcsi_conformal_p_value(&dependent, 5, 1), 1e-15);
    assert_near((2 * 0.25 + 1) / 3, tcsi_conformal_p_value(&dependent, 3, 1), 1e-15);
    assert_true(tcsi_conformal_quantile(&plain, 0.8) == 4 && tcsi_conformal_quantile(&plain, 0.6) == 2);
    assert_true(tcsi_conformal_quantile(&plain, 0.2) == 1 && isinf(tcsi_conformal_quantile(&plain, 0.81)));
    tcsi_conformal_deinit(&plain);
    tcsi_conformal_deinit(&drifting);
    tcsi_conformal_deinit(&dependent);
}

/* The smoothed p-value is uniform even of scores with ties; the other one is never too small. */
static void test_validity_on_exchangeable_scores(void **state)
{
    (void)state;
    enum { ROUNDS = 40000 };
    tcsi_rng rng = tcsi_rng_make(4, 0);
    size_t smooth[3] = { 0 }, plain[3] = { 0 };
    static const double levels[3] = { 0.05, 0.2, 0.5 };
    for (size_t round = 0; round < ROUNDS; round++) {
        tcsi_conformal conformal = make(19, 1, 1);
        for (size_t i = 0; i < 19; i++) tcsi_conformal_push(&conformal, floor(3 * tcsi_rng_exponential(&rng)));
        const double score = floor(3 * tcsi_rng_exponential(&rng));
        const double p = tcsi_conformal_p_value(&conformal, score, 1 - tcsi_rng_uniform(&rng));
        for (size_t k = 0; k < 3; k++) {
            smooth[k] += p <= levels[k];
            plain[k] += tcsi_conformal_p_value(&conformal, score, 1) <= levels[k];
        }
        tcsi_conformal_deinit(&conformal);
    }
    for (size_t k = 0; k < 3; k++) {
        const double deviation = sqrt(levels[k] * (1 - levels[k]) / ROUNDS);
        assert_near(levels[k], (double)smooth[k] / ROUNDS, 4 * deviation);
        assert_true((double)plain[k] / ROUNDS <= levels[k] + 4 * deviation);
    }
}

/* Scores that grow: what is forgotten no longer makes the present look strange. */
static void test_weights_follow_a_drift(void **state)
{
    (void)state;
    tcsi_conformal all = make(2000, 1, 1), recent = make(2000, 0.99, 1);
    tcsi_rng rng = tcsi_rng_make(5, 0);
    size_t all_below = 0, recent_below = 0, asked = 0;
    for (size_t t = 0; t < 20000; t++) {
        const double score = tcsi_rng_exponential(&rng) * (1 + (double)t / 500);
        if (t >= 2000) {
            asked++;
            all_below += tcsi_conformal_p_value(&all, score, 1) <= 0.1;
            recent_below += tcsi_conformal_p_value(&recent, score, 1) <= 0.1;
        }
        tcsi_conformal_push(&all, score);
        tcsi_conformal_push(&recent, score);
    }
    assert_near(0.1, (double)recent_below / (double)asked, 0.015);
    assert_true(all_below > asked / 9);
    tcsi_conformal_deinit(&all);
    tcsi_conformal_deinit(&recent);
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

static void test_blocks_by_hand(void **state)
{
    (void)state;
    static const double scores[] = { 1, 5, 2, 0, 3, 4 };
    double p;
    /* rings of two: 1+5, 5+2, 2+0, 0+3, 3+4, 4+1 */
    assert_ok(tcsi_conformal_block_p_value(scores, 6, 2, TCSI_BLOCK_MEAN, &p, test_err));
    assert_near(2.0 / 6, p, 1e-15);
    assert_ok(tcsi_conformal_block_p_value(scores, 6, 2, TCSI_BLOCK_MAX, &p, test_err)); /* maxima 5 5 2 3 4 4 */
    assert_near(4.0 / 6, p, 1e-15);
    assert_ok(tcsi_conformal_block_p_value(scores, 6, 6, TCSI_BLOCK_MEAN, &p, test_err));
    assert_near(1, p, 1e-15);
    assert_ok(tcsi_conformal_block_p_value(scores, 6, 1, TCSI_BLOCK_MAX, &p, test_err));
    assert_near(2.0 / 6, p, 1e-15);
    assert_int_equal(tcsi_conformal_block_p_value(scores, 6, 7, TCSI_BLOCK_MEAN, &p, NULL), TCS_E_INVALID);
    assert_int_equal(tcsi_conformal_block_p_value(scores, 6, 0, TCSI_BLOCK_MEAN, &p, NULL), TCS_E_INVALID);
}

/* Slow scores: of single rows' p-values, three in a row are small together; of a block's, as many as promised. */
static void test_blocks_are_valid_under_dependence(void **state)
{
    (void)state;
    enum { ROUNDS = 4000, N = 400, BLOCK = 20 };
    static double scores[N];
    for (int statistic = 0; statistic < 2; statistic++) {
        tcsi_rng rng = tcsi_rng_make(7, (uint64_t)statistic);
        size_t below = 0;
        for (size_t round = 0; round < ROUNDS; round++) {
            double level = tcsi_rng_normal(&rng) / sqrt(1 - 0.81), p;
            for (size_t t = 0; t < N; t++) scores[t] = level = 0.9 * level + tcsi_rng_normal(&rng);
            assert_ok(tcsi_conformal_block_p_value(scores, N, BLOCK, (tcsi_block_statistic)statistic, &p, test_err));
            below += p <= 0.1;
        }
        assert_near(0.1, (double)below / ROUNDS, 0.02);
    }
}

/* ---- bands ---- */

static tcsi_adaptive make_adaptive(double coverage, double step, size_t capacity)
{
    tcsi_adaptive adaptive;
    const tcsi_adaptive_options options = { .coverage = coverage, .step = step, .capacity = capacity };
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
    static const double coverages[] = { 0.8, 0.9, 0.95 }, kinds[] = { 0.02, 0 };
    for (size_t c = 0; c < 3; c++)
        for (size_t k = 0; k < 2; k++) {
            tcsi_rng rng = tcsi_rng_make(8, c);
            tcsi_adaptive adaptive = make_adaptive(coverages[c], kinds[k], 500);
            size_t held = 0;
            for (size_t t = 0; t < 20000; t++) {
                const double error = error_at(&rng, t);
                held += error <= tcsi_adaptive_radius(&adaptive);
                tcsi_adaptive_push(&adaptive, error);
            }
            assert_near(coverages[c], (double)held / 20000, 0.02);
            assert_int_equal(adaptive.miss_count, 20000 - held);
            tcsi_adaptive_deinit(&adaptive);
        }
}

/* The proposition, for a series made to hurt: a band that has just narrowed is missed.  (1 + step) / (step T) on either side. */
static void test_coverage_bound_holds_against_an_adversary(void **state)
{
    (void)state;
    enum { T = 5000 };
    tcsi_adaptive adaptive = make_adaptive(0.9, 0.05, 100);
    for (size_t t = 0; t < T; t++) {
        const double radius = tcsi_adaptive_radius(&adaptive);
        tcsi_adaptive_push(&adaptive, isfinite(radius) ? 2 * radius + 1 : 0.5);
        tcsi_adaptive_push(&adaptive, NAN);
    }
    assert_int_equal(adaptive.row_count, T);
    assert_true(fabs((double)adaptive.miss_count / T - 0.1) <= 1.05 / (0.05 * T) + 1e-3);
    tcsi_adaptive_deinit(&adaptive);
}

static void test_bands_saved_and_loaded_go_on_to_the_bit(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(9, 0);
    tcsi_adaptive kept = make_adaptive(0.9, 0, 50), loaded = make_adaptive(0.9, 0, 50);
    tcs_error err = { 0 };
    tcsi_buffer out;
    for (size_t t = 0; t < 333; t++) tcsi_adaptive_push(&kept, fabs(tcsi_rng_normal(&rng)));
    tcsi_buffer_init(&out, 1 << 20);
    tcsi_codec save = tcsi_codec_save(&out, &err), load;
    tcsi_adaptive_persist(&kept, &save);
    assert_int_equal(tcsi_codec_status(&save), TCS_OK);
    for (size_t size = 0; size < out.size; size += 7) {
        load = tcsi_codec_load(out.data, size, &err);
        tcsi_adaptive_persist(&loaded, &load);
        assert_int_equal(tcsi_codec_status(&load), TCS_E_FORMAT);
    }
    load = tcsi_codec_load(out.data, out.size, &err);
    tcsi_adaptive_persist(&loaded, &load);
    assert_int_equal(tcsi_codec_status(&load), TCS_OK);
    for (size_t t = 0; t < 333; t++) {
        const double error = fabs(tcsi_rng_normal(&rng));
        tcsi_adaptive_push(&kept, error);
        tcsi_adaptive_push(&loaded, error);
        assert_true(tcsi_adaptive_radius(&kept) == tcsi_adaptive_radius(&loaded));
    }
    tcsi_buffer_deinit(&out);
    tcsi_adaptive_deinit(&kept);
    tcsi_adaptive_deinit(&loaded);
}

static void test_options_out_of_range(void **state)
{
    (void)state;
    tcsi_conformal conformal;
    tcsi_adaptive adaptive;
    static const tcsi_conformal_options wrong[] = { { 10, 0, 1 }, { 10, 1.1, 1 }, { 10, NAN, 1 }, { 10, 1, 0 }, { 0, 1, 1 } };
    static const tcsi_adaptive_options refused[] = { { 0, 0, 10 }, { 1, 0, 10 }, { NAN, 0, 10 }, { 0.9, -1, 10 }, { 0.9, 0, 0 } };
    for (size_t i = 0; i < TCS_COUNT(wrong); i++) {
        assert_int_equal(tcsi_conformal_init(&conformal, &wrong[i], NULL), TCS_E_INVALID);
        assert_int_equal(tcsi_adaptive_init(&adaptive, &refused[i], NULL), TCS_E_INVALID);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_p_values_by_hand), cmocka_unit_test(test_validity_on_exchangeable_scores),
              cmocka_unit_test(test_weights_follow_a_drift), cmocka_unit_test(test_effective_count_of_known_series),
              cmocka_unit_test(test_blocks_by_hand), cmocka_unit_test(test_blocks_are_valid_under_dependence),
              cmocka_unit_test(test_coverage_is_kept_under_drift), cmocka_unit_test(test_coverage_bound_holds_against_an_adversary),
              cmocka_unit_test(test_bands_saved_and_loaded_go_on_to_the_bit), cmocka_unit_test(test_options_out_of_range))
