/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "decide/pareto_interval.h"

enum { COUNT_MAX = 1000, ROWS = 2000, ROUNDS_MAX = 200 };

static const double SCALE = 3, LEVEL = 0.9;

static int rounds(void) { return test_is_small() ? 40 : ROUNDS_MAX; }

/* What a share of so many that should be LEVEL may be away from it: four deviations. */
static double slack(double count) { return 4 * sqrt(LEVEL * (1 - LEVEL) / count); }

static double quantile(double p, double shape)
{
    return fabs(shape) < 1e-9 ? -SCALE * log(p) : SCALE * expm1(-shape * log(p)) / shape;
}

static void draw(tcsi_rng *rng, double shape, double *ret_excesses, size_t count)
{
    for (size_t i = 0; i < count; i++) ret_excesses[i] = quantile(1 - tcsi_rng_uniform(rng), shape);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool holds(tcsi_interval interval, double value)
{
    assert_true(interval.low <= interval.high);
    return interval.low <= value && value <= interval.high;
}

/* How often intervals of `count` excesses hold the true shape and the excess that one in `rare` exceeds. */
static void count_held(double shape, size_t count, double rare, uint64_t stream, double ret_shares[2])
{
    static double excesses[COUNT_MAX];
    static const tcsi_pareto_prior prior = { .mean = 0, .deviation = 0.1 };
    tcsi_rng rng = tcsi_rng_make(41, stream);
    double held[2] = { 0, 0 };
    for (int round = 0; round < rounds(); round++) {
        tcsi_pareto pareto;
        tcsi_interval bounds[2];
        draw(&rng, shape, excesses, count);
        qsort(excesses, count, sizeof *excesses, compare);
        (void)tcsi_pareto_fit(excesses, count, &prior, 1, 1e-9, &pareto);
        tcsi_pareto_intervals(&pareto, 1 / rare, 0, LEVEL, &bounds[0], &bounds[1]);
        held[0] += holds(bounds[0], shape);
        held[1] += holds(bounds[1], quantile(1 / rare, shape));
    }
    for (int i = 0; i < 2; i++) ret_shares[i] = held[i] / rounds();
}

static void test_intervals_hold_what_they_promise(void **state)
{
    (void)state;
    static const double shapes[] = { -0.2, 0, 0.25, 0.5 };
    static const size_t counts[] = { 30, 200, COUNT_MAX };
    double sums[2] = { 0, 0 };
    for (size_t s = 0; s < TCS_COUNT(shapes); s++)
        for (size_t k = 0; k < TCS_COUNT(counts); k++) {
            double shares[2];
            count_held(shapes[s], counts[k], k == 0 ? 20 : 1000, 10 * s + k, shares);
            print_message("# shape %g, %zu excesses: held %.3f of shapes, %.3f of quantiles\n", shapes[s], counts[k], shares[0], shares[1]);
            for (int i = 0; i < 2; i++) {
                assert_true(fabs(shares[i] - LEVEL) < slack(rounds()));
                sums[i] += shares[i] / (TCS_COUNT(shapes) * TCS_COUNT(counts));
            }
        }
    for (int i = 0; i < 2; i++) assert_true(fabs(sums[i] - LEVEL) < slack(rounds() * 12));
}

/* The whole way from scores: where the tail begins is chosen, and how many clusters lie above it is counted. */
static void test_bounds_of_a_threshold(void **state)
{
    (void)state;
    static double scores[ROWS];
    static const double allowed[] = { 1, 40 };
    for (size_t k = 0; k < TCS_COUNT(allowed); k++) {
        tcsi_rng rng = tcsi_rng_make(43, k);
        double held = 0, inside = 0;
        for (int round = 0; round < rounds(); round++) {
            tcsi_tail tail;
            draw(&rng, 0.1, scores, ROWS);
            assert_ok(tcsi_tail_fit_scores(scores, ROWS, 1, allowed[k], &tcsi_prior_of_a_whole, &tail, NULL));
            const tcsi_tail_doubt doubt = tcsi_tail_doubt_of(&tail, tcsi_tail_threshold(&tail, allowed[k], ROWS), LEVEL);
            held += holds(doubt.threshold_bounds, quantile(allowed[k] / ROWS, 0.1));
            inside += holds(doubt.threshold_bounds, tcsi_tail_threshold(&tail, allowed[k], ROWS));
            assert_true(holds(doubt.shape_bounds, 0.1) || fabs(doubt.shape - 0.1) < 0.5);
            tcsi_tail_deinit(&tail);
        }
        print_message("# %g allowed: held %.3f of thresholds\n", allowed[k], held / rounds());
        assert_true(fabs(held / rounds() - LEVEL) < slack(rounds()));
        assert_true(inside == rounds()); /* the estimate itself lies within, although a prior made it */
    }
}

static void test_what_cannot_be_told(void **state)
{
    (void)state;
    const double scores[4] = { 1, 1, 1, 1 };
    tcsi_tail tail;
    assert_ok(tcsi_tail_fit_scores(scores, 4, 1, 1, &tcsi_prior_of_a_whole, &tail, NULL));
    const tcsi_tail_doubt doubt = tcsi_tail_doubt_of(&tail, 2, LEVEL);
    assert_true(isnan(doubt.shape) && isnan(doubt.shape_bounds.low) && isnan(doubt.threshold_bounds.high));
    tcsi_tail_deinit(&tail);
}

static void test_bounds_follow_the_unit(void **state)
{
    (void)state;
    static double excesses[100], scaled[100];
    static const tcsi_pareto_prior prior = { .mean = 0, .deviation = 0.1 };
    tcsi_rng rng = tcsi_rng_make(44, 0);
    tcsi_pareto pareto;
    tcsi_interval one[2], other[2];
    draw(&rng, 0.2, excesses, 100);
    qsort(excesses, 100, sizeof *excesses, compare);
    for (size_t i = 0; i < 100; i++) scaled[i] = 1e100 * excesses[i];
    (void)tcsi_pareto_fit(excesses, 100, &prior, 1, 1e-9, &pareto);
    tcsi_pareto_intervals(&pareto, 0.01, 0.1, LEVEL, &one[0], &one[1]);
    (void)tcsi_pareto_fit(scaled, 100, &prior, 1, 1e91, &pareto);
    tcsi_pareto_intervals(&pareto, 0.01, 0.1, LEVEL, &other[0], &other[1]);
    assert_near(one[0].low, other[0].low, 1e-9);
    assert_near(one[0].high, other[0].high, 1e-9);
    assert_near(1, other[1].low / one[1].low / 1e100, 1e-9);
    assert_near(1, other[1].high / one[1].high / 1e100, 1e-9);
}

static void test_saved_tails_are_as_sure(void **state)
{
    (void)state;
    static double scores[ROWS];
    tcsi_rng rng = tcsi_rng_make(45, 0);
    tcsi_tail tail, loaded = { 0 };
    tcsi_buffer buffer;
    draw(&rng, 0.2, scores, ROWS);
    assert_ok(tcsi_tail_fit_scores(scores, ROWS, 1, 1, &tcsi_prior_of_a_whole, &tail, NULL));
    tcsi_buffer_init(&buffer, SIZE_MAX);
    tcsi_codec save = tcsi_codec_save(&buffer, NULL);
    tcsi_tail_persist(&tail, ROWS, &save);
    assert_ok(tcsi_codec_status(&save));
    tcsi_codec load = tcsi_codec_load(buffer.data, buffer.size, NULL);
    tcsi_tail_persist(&loaded, ROWS, &load);
    assert_ok(tcsi_codec_status(&load));
    const tcsi_tail_doubt before = tcsi_tail_doubt_of(&tail, 30, LEVEL), after = tcsi_tail_doubt_of(&loaded, 30, LEVEL);
    assert_memory_equal(&before, &after, sizeof before);
    tcsi_tail_deinit(&tail);
    tcsi_tail_deinit(&loaded);
    tcsi_buffer_deinit(&buffer);
}

/* Hundreds of equal excesses, as of series that all do the same: their mean, rounded, is not below the one before it. */
static void test_equal_excesses_can_be_saved(void **state)
{
    (void)state;
    static double excesses[COUNT_MAX];
    const tcsi_pareto_prior prior = { .mean = 0, .deviation = 1 };
    for (int round = 0; round < 50; round++) {
        tcsi_pareto pareto, loaded;
        tcsi_buffer buffer;
        for (size_t i = 0; i < COUNT_MAX; i++) excesses[i] = 0.1 * (1 + round) / 7;
        (void)tcsi_pareto_fit(excesses, COUNT_MAX, &prior, 1, 1e-9, &pareto);
        tcsi_buffer_init(&buffer, SIZE_MAX);
        tcsi_codec save = tcsi_codec_save(&buffer, NULL);
        tcsi_pareto_persist(&pareto, &save);
        assert_ok(tcsi_codec_status(&save));
        tcsi_codec load = tcsi_codec_load(buffer.data, buffer.size, NULL);
        tcsi_pareto_persist(&loaded, &load);
        assert_ok(tcsi_codec_status(&load));
        tcsi_buffer_deinit(&buffer);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_intervals_hold_what_they_promise), cmocka_unit_test(test_bounds_of_a_threshold),
              cmocka_unit_test(test_what_cannot_be_told), cmocka_unit_test(test_bounds_follow_the_unit),
              cmocka_unit_test(test_saved_tails_are_as_sure), cmocka_unit_test(test_equal_excesses_can_be_saved))
