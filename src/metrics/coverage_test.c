/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "metrics/coverage.h"

static void test_by_hand(void **state)
{
    (void)state;
    static const double values[] = { 1, 2, 3, 9, NAN, 5 }, lows[] = { 0, 2, 4, 0, 0, NAN }, highs[] = { 2, 3, 8, 1, 1, 6 };
    static const uint8_t labels[] = { 0, 0, 0, 1, 0, 0 }, none[] = { 1, 1, 1, 1, 1, 1 };
    tcsi_coverage coverage;
    const tcsi_bands_stated bands = { values, lows, highs };
    assert_ok(tcsi_coverage_compute(&bands, labels, 6, &coverage, test_err));
    assert_int_equal(coverage.count, 3); /* the fourth is anomalous, the others hold nothing */
    assert_near(2.0 / 3, coverage.share, 1e-15);
    assert_near((2 + 1 + 4) / 3.0, coverage.width_mean, 1e-15);
    assert_ok(tcsi_coverage_compute(&bands, none, 6, &coverage, test_err));
    assert_true(isnan(coverage.share) && isnan(coverage.width_mean) && coverage.count == 0);
}

static void test_bands_without_end_and_upside_down(void **state)
{
    (void)state;
    static const double values[] = { 1, -1e300, 5 }, lows[] = { -INFINITY, -INFINITY, 6 }, highs[] = { INFINITY, 0, 4 };
    static const uint8_t labels[3] = { 0 };
    tcsi_coverage coverage;
    tcs_error err = { 0 };
    const tcsi_bands_stated bands = { values, lows, highs };
    assert_ok(tcsi_coverage_compute(&bands, labels, 1, &coverage, test_err));
    assert_true(coverage.share == 1 && isinf(coverage.width_mean));
    assert_int_equal(tcsi_coverage_compute(&bands, labels, 3, &coverage, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "row 2"));
}

TCS_TEST_MAIN(cmocka_unit_test(test_by_hand), cmocka_unit_test(test_bands_without_end_and_upside_down))
