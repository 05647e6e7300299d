/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

static void test_golden_river(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/page_hinkley.csv", &golden);
    const double *x = golden_column(&golden, "x");
    tcsi_parameter_value as_river[] = { { "standardize", 0 }, { "delta", 0.1 }, { "threshold", 60 }, { "alpha", 0.999 } };
    tcsi_detector *detector = detect_create("page_hinkley", 1, as_river, TCS_COUNT(as_river));
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-9);
    tcsi_detector_destroy(detector);
}

/* In deviations: the unit of the data does not matter. */
static void test_units(void **state)
{
    (void)state;
    static double x[400], y[400];
    static tcs_score small[400], large[400];
    tcsi_rng rng = tcsi_rng_make(4, 0);
    for (size_t t = 0; t < 400; t++) {
        x[t] = tcsi_rng_normal(&rng) + (t > 300 ? 3 : 0);
        y[t] = 1048576.0 * x[t];
    }
    const double *columns[] = { x, y };
    tcsi_detector *a = detect_create("page_hinkley", 1, NULL, 0), *b = detect_create("page_hinkley", 1, NULL, 0);
    detect_push(a, &columns[0], 0, 400, small);
    detect_push(b, &columns[1], 0, 400, large);
    double before = 0, after = 0;
    for (size_t t = 0; t < 400; t++) {
        assert_near(small[t].value, large[t].value, 1e-9);
        if (t <= 300) before = fmax(before, small[t].value);
        else after = fmax(after, small[t].value);
    }
    assert_true(before < 50 && after > 50); /* the default threshold */
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden_river), cmocka_unit_test(test_units))
