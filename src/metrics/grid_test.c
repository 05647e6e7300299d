/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "metrics/affiliation.h"
#include "metrics/grid.h"
#include "metrics/overlap.h"

enum { ROWS_MAX = 400 };

/* Each of the 100 thresholds applied to every row, and each measure taken alone. */
static tcsi_grid_best slow_grid(const double *scores, size_t n, const tcsi_span_list *events)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (isfinite(scores[i])) low = fmin(low, scores[i]), high = fmax(high, scores[i]);
    if (low > high) low = high = 0.0;
    tcsi_grid_best best = { 0 };
    tcsi_span_list alarms = { 0 };
    for (size_t t = 0; t < 100; t++) {
        double threshold = t == 99 ? high : (double)t * ((high - low) / 99.0) + low;
        uint8_t flags[ROWS_MAX];
        for (size_t i = 0; i < n; i++) flags[i] = scores[i] > threshold;
        assert_ok(tcsi_span_list_from_flags(flags, n, &alarms, test_err));
        tcsi_decision decision = { n, events->spans, events->count, alarms.spans, alarms.count };
        tcsi_overlap overlap = tcsi_overlap_compute(&decision);
        tcsi_affiliation affiliation = tcsi_affiliation_compute(&decision);
        best.f1_point_adjusted = fmax(best.f1_point_adjusted, tcsi_overlap_f1_point_adjusted(&overlap));
        best.f1_event = fmax(best.f1_event, tcsi_overlap_f1_event(&overlap));
        best.f1_range = fmax(best.f1_range, tcsi_overlap_f1_range(&overlap));
        best.f1_affiliation = fmax(best.f1_affiliation, tcsi_affiliation_f1(&affiliation));
    }
    tcsi_span_list_deinit(&alarms);
    return best;
}

static void assert_equal_to_slow(const double *scores, const uint8_t *labels, size_t n)
{
    tcsi_span_list events = { 0 };
    tcsi_grid_best fast;
    assert_ok(tcsi_span_list_from_flags(labels, n, &events, test_err));
    assert_ok(tcsi_grid_compute(scores, n, events.spans, events.count, &fast, test_err));
    tcsi_grid_best slow = slow_grid(scores, n, &events);
    assert_true(slow.f1_point_adjusted == fast.f1_point_adjusted);
    assert_true(slow.f1_event == fast.f1_event);
    assert_true(slow.f1_range == fast.f1_range);
    assert_true(slow.f1_affiliation == fast.f1_affiliation);
    tcsi_span_list_deinit(&events);
}

/* Many scores fall exactly on a threshold or one rounding step beside it: that decides on which side they are. */
static void test_scores_at_the_thresholds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 0);
        size_t n = 2 + tcsi_rng_below(&rng, ROWS_MAX - 2);
        double scores[ROWS_MAX], low = tcsi_rng_range(&rng, -1e3, 1e3), high = low + exp(tcsi_rng_range(&rng, -34, 20));
        uint8_t labels[ROWS_MAX];
        for (size_t i = 0; i < n; i++) {
            double exact = (double)tcsi_rng_below(&rng, 100) * ((high - low) / 99.0) + low;
            scores[i] = fmin(high, fmax(low, tcsi_rng_below(&rng, 2) ? exact : nextafter(exact, tcsi_rng_below(&rng, 2) ? high : low)));
            labels[i] = tcsi_rng_uniform(&rng) < 0.2;
        }
        scores[0] = low;
        scores[1] = high;
        labels[n / 2] = 1;
        assert_equal_to_slow(scores, labels, n);
    }
}

static void test_infinities_and_gaps(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        tcsi_rng rng = tcsi_rng_make(seed, 1);
        double scores[ROWS_MAX];
        uint8_t labels[ROWS_MAX];
        size_t kinds = 1 + tcsi_rng_below(&rng, 6);
        for (size_t i = 0; i < ROWS_MAX; i++) {
            const double values[] = { INFINITY, NAN, 1.0, 0.0, -INFINITY, 0.5 };
            scores[i] = values[tcsi_rng_below(&rng, kinds)];
            labels[i] = tcsi_rng_uniform(&rng) < 0.1;
        }
        labels[7] = 1;
        assert_equal_to_slow(scores, labels, ROWS_MAX);
    }
    double scores[] = { 1.0, 0.0, INFINITY, INFINITY, 0.0 }; /* only above the highest finite score are the two alone */
    tcsi_span event = { 2, 4 };
    tcsi_grid_best best;
    assert_ok(tcsi_grid_compute(scores, 5, &event, 1, &best, test_err));
    assert_near(1.0, best.f1_event, 1e-14);
    assert_near(1.0, best.f1_range, 0.0);
}

static void test_extreme_ranges(void **state)
{
    (void)state;
    const double ranges[][2] = { { -1.7e308, 1.7e308 }, { 0.0, 5e-324 }, { 0.0, 40 * 5e-324 }, { 1e308, 1.1e308 }, { 1.0, 1.0 + 0x1p-52 } };
    for (size_t r = 0; r < TCS_COUNT(ranges); r++) {
        double low = ranges[r][0], high = ranges[r][1], scores[] = { low, low, high, high, low, low / 2 + high / 2 };
        scores[5] = fmin(high, fmax(low, scores[5]));
        tcsi_span event = { 2, 4 };
        tcsi_grid_best best;
        assert_ok(tcsi_grid_compute(scores, 6, &event, 1, &best, test_err));
        assert_near(1.0, best.f1_point_adjusted, 0.0);
        assert_near(1.0, best.f1_affiliation, 1e-14);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_scores_at_the_thresholds), cmocka_unit_test(test_infinities_and_gaps),
              cmocka_unit_test(test_extreme_ranges))
