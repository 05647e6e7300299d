/* kernels/leaky_test.c -- every tier against weighted distances computed window by window in long double.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "kernels/leaky.h"

enum { ROWS = 6000, SEGMENTS = 3, FIRST = 300 };

static const double TOLERANCE = 1e-12; /* of the largest square */

typedef enum series_shape { WALK, SINE, STEPS, FLAT, SPIKE, SHAPES } series_shape;

static double fill_series(series_shape shape, double *x, size_t n)
{
    tcsi_rng rng = tcsi_rng_make(5, (uint64_t)shape);
    double level = 0, largest = 1;
    for (size_t t = 0; t < n; t++) {
        double noise = tcsi_rng_normal(&rng);
        level += 0.1 * noise;
        switch (shape) {
        case WALK: x[t] = level; break;
        case SINE: x[t] = sin((double)t * 0.3) + 0.1 * noise; break;
        case STEPS: x[t] = (double)(t / 40 % 3); break;
        case FLAT: x[t] = 3; break;
        default: x[t] = t == 500 ? 1e3 : noise; break;
        }
        largest = fmax(largest, fabs(x[t]));
    }
    return largest * largest;
}

/* The definition, straight. */
static void distances(const tcsi_leaky_rule *rule, const double *a, const double *b, long double *ret_centred, long double *ret_raw)
{
    long double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0, sum = 0;
    for (size_t k = 0; k < rule->window; k++) sum += rule->weights[k];
    for (size_t k = 0; k < rule->window; k++) {
        ma += rule->weights[k] * a[k] / sum;
        mb += rule->weights[k] * b[k] / sum;
    }
    for (size_t k = 0; k < rule->window; k++) {
        aa += rule->weights[k] * (a[k] - ma) * (a[k] - ma) / sum;
        bb += rule->weights[k] * (b[k] - mb) * (b[k] - mb) / sum;
        ab += rule->weights[k] * (a[k] - ma) * (b[k] - mb) / sum;
    }
    *ret_centred = aa + bb - 2 * ab;
    *ret_raw = *ret_centred + (ma - mb) * (ma - mb);
}

/* Streams the series from window FIRST on past segments stored at its beginning; every 97th row is checked. */
static void check_stream(tcsi_isa isa, const double *x, double square, size_t window, double time_constant)
{
    static tcsi_leaky_segment segments[SEGMENTS];
    const size_t begins[SEGMENTS] = { 0, 71, 150 };
    tcsi_leaky_rule rule = tcsi_leaky_rule_make(window, time_constant);
    for (size_t s = 0; s < SEGMENTS; s++) tcsi_leaky_segment_fill(&rule, &segments[s], x + begins[s], x + FIRST - 1);
    for (size_t i = FIRST; i + TCSI_LEAKY_WINDOW_MAX < ROWS; i++) {
        tcsi_leaky_row row = { .values = x + i, .leaving = x[i - 1] };
        double variance, centred, raw;
        tcsi_leaky_moments(&rule, row.values, &row.mean, &variance);
        tcsi_leaky_push(isa, &rule, &row, segments, SEGMENTS, &centred, &raw);
        if (i % 97 != 0 && i != FIRST) continue;
        long double best_centred = INFINITY, best_raw = INFINITY, c, r;
        for (size_t s = 0; s < SEGMENTS; s++)
            for (size_t o = 0; o < TCSI_LEAKY_STARTS; o++) {
                distances(&rule, x + i, x + begins[s] + o, &c, &r);
                if (c < best_centred) best_centred = c;
                if (r < best_raw) best_raw = r;
            }
        double error = fmax(fabs((double)(best_centred - (centred + variance))), fabs((double)(best_raw - (raw + variance))));
        if (!(error <= TOLERANCE * square + 2.1e-12)) /* two variances of at least 1e-12 */
            fail_msg("%s, window %zu, row %zu: error %g of squares up to %g", tcsi_isa_name(isa), window, i, error, square);
    }
}

static void test_tiers(void **state)
{
    (void)state;
    static double x[ROWS];
    static const size_t windows[] = { 1, 4, 7, 8, 33, TCSI_LEAKY_WINDOW_MAX };
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        for (series_shape shape = 0; shape < SHAPES; shape++) {
            double square = fill_series(shape, x, ROWS);
            for (size_t i = 0; i < TCS_COUNT(windows); i++)
                check_stream((tcsi_isa)isa, x, square, windows[i], fmax(1, (double)windows[i] / 3));
        }
    }
}

static void test_no_segments(void **state)
{
    (void)state;
    double values[TCSI_LEAKY_WINDOW_MAX] = { 1, 2, 3, 4 }, centred, raw;
    tcsi_leaky_rule rule = tcsi_leaky_rule_make(4, 1.5);
    for (int isa = 0; isa < TCSI_ISA_COUNT; isa++) {
        if (!tcsi_isa_supported((tcsi_isa)isa)) continue;
        tcsi_leaky_push((tcsi_isa)isa, &rule, &(tcsi_leaky_row){ .values = values, .mean = 2 }, NULL, 0, &centred, &raw);
        assert_true(isinf(centred) && isinf(raw));
    }
}

static void test_rule(void **state)
{
    (void)state;
    tcsi_leaky_rule rule = tcsi_leaky_rule_make(6, 2);
    double sum = 0, mean, variance;
    for (size_t k = 0; k < TCSI_LEAKY_WINDOW_MAX; k++) sum += rule.weights[k];
    assert_true(rule.weights[5] == 1 && rule.weights[6] == 0);
    assert_near(exp(-0.5), rule.decay, 1e-15);
    assert_near(rule.decay * rule.weights[0], rule.decay_window, 1e-15);
    assert_near(sum, rule.sum, 1e-15);
    tcsi_leaky_moments(&rule, (double[]){ 7, 7, 7, 7, 7, 7 }, &mean, &variance);
    assert_near(7, mean, 1e-15);
    assert_true(variance == 1e-12);
}

TCS_TEST_MAIN(cmocka_unit_test(test_tiers), cmocka_unit_test(test_no_segments), cmocka_unit_test(test_rule))
