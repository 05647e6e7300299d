/* detect/deep/band_test.c -- bands hold the share of rows they promise: at once for rows like those held out, in the long run for any.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/rng.h"
#include "detect/deep/band.h"

#include <math.h>
#include <string.h>

enum { L = TCSI_FORECAST_LEVEL_COUNT };

static double skewed(tcsi_rng *rng)
{
    return pow(tcsi_rng_exponential(rng), 1.5); /* far from Student's distribution */
}

/* The guarantee of split conformal bands is over both samples: means over many small ones. */
static void test_holds_the_promised_share_of_fresh_rows(void **state)
{
    (void)state;
    enum { TRIALS = 400, HELD = 60, FRESH = 50 };
    double inside[L] = { 0 };
    tcsi_rng rng = tcsi_rng_make(1, 0);
    tcsi_bands bands;
    assert_true(tcsi_bands_init(&bands, 2));
    for (size_t i = 0; i < TRIALS; i++) {
        double held[HELD];
        for (size_t k = 0; k < HELD; k++) held[k] = k % 7 ? skewed(&rng) : NAN;
        tcsi_bands_learn(&bands, 1, held, HELD);
        for (size_t k = 0; k < FRESH; k++) {
            const double error = skewed(&rng);
            for (size_t l = 0; l < L; l++) inside[l] += error <= (double)bands.learned[L + l];
        }
    }
    for (size_t l = 0; l < L; l++) {
        const double share = inside[l] / (TRIALS * FRESH);
        if (!(share > tcsi_forecast_levels[l] - 0.01 && share < tcsi_forecast_levels[l] + 0.025)) /* never less, 1 / (n + 1) more */
            fail_msg("%.3f inside, expected %.2f", share, tcsi_forecast_levels[l]);
    }
    tcsi_bands_deinit(&bands);
}

/* Errors that grow tenfold on the way and shrink again. */
static void test_follows_a_series_that_drifts(void **state)
{
    (void)state;
    enum { ROWS = 6000 };
    double inside[L] = { 0 }, held[100];
    tcsi_rng rng = tcsi_rng_make(2, 0);
    tcsi_bands bands;
    assert_true(tcsi_bands_init(&bands, 1));
    for (size_t k = 0; k < TCS_COUNT(held); k++) held[k] = fabs(tcsi_rng_normal(&rng));
    tcsi_bands_learn(&bands, 0, held, TCS_COUNT(held));
    tcsi_bands_reset(&bands);
    for (size_t t = 0; t < ROWS; t++) {
        const double error = tcsi_rng_normal(&rng) * exp(2.3 * sin(6.283 * (double)t / ROWS));
        for (size_t l = 0; l < L; l++) inside[l] += fabs(error) <= (double)bands.radii[l] ? 1.0 / ROWS : 0;
        tcsi_bands_follow(&bands, 0, error);
        for (size_t l = 1; l < L; l++) assert_true(bands.radii[l] >= bands.radii[l - 1]);
    }
    for (size_t l = 0; l < L; l++)
        if (!(fabs(inside[l] - tcsi_forecast_levels[l]) < 0.02)) fail_msg("%.3f inside, expected %.2f", inside[l], tcsi_forecast_levels[l]);
    assert_memory_not_equal(bands.radii, bands.learned, L * sizeof *bands.radii);
    tcsi_bands_reset(&bands);
    assert_memory_equal(bands.radii, bands.learned, L * sizeof *bands.radii);
    tcsi_bands_deinit(&bands);
}

static void test_stays_within_limits(void **state)
{
    (void)state;
    tcsi_bands bands;
    double none[] = { NAN, INFINITY, NAN }, zeros[] = { 0, 0, 0 };
    assert_true(tcsi_bands_init(&bands, 1));
    const float before = bands.learned[L - 1];
    tcsi_bands_learn(&bands, 0, none, TCS_COUNT(none)); /* nothing known: Student's */
    assert_true(bands.learned[L - 1] == before);
    tcsi_bands_learn(&bands, 0, zeros, TCS_COUNT(zeros));
    tcsi_bands_reset(&bands);
    assert_true(bands.radii[0] > 0);
    for (size_t t = 0; t < 20000; t++) tcsi_bands_follow(&bands, 0, t < 10000 ? 0 : 1e30);
    for (size_t l = 0; l < L; l++) assert_true(isfinite(bands.radii[l]) && bands.radii[l] > 0);
    tcsi_bands_deinit(&bands);
}

TCS_TEST_MAIN(cmocka_unit_test(test_holds_the_promised_share_of_fresh_rows),
              cmocka_unit_test(test_follows_a_series_that_drifts),
              cmocka_unit_test(test_stays_within_limits))
