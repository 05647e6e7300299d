/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/spot.csv", &golden);
    const double *x = golden_column(&golden, "drift");
    tcsi_parameter_value given[] = { { "warmup_count", 150 }, { "level", 0.9 }, { "risk", 1e-3 }, { "peak_count_max", 1000 },
                                     { "depth", 12 } };
    tcsi_detector *detector = detect_create("dspot", 1, given, TCS_COUNT(given));
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "dspot"), golden.row_count, 1e-3);
    tcsi_detector_destroy(detector);
}

/* A trend that would carry spot out of its range leaves dspot calm; a jump on top of it does not. */
static void test_drift(void **state)
{
    (void)state;
    enum { ROWS = 3000 };
    static double x[ROWS];
    static tcs_score with_drift[ROWS], without[ROWS];
    size_t calm = 0, excited = 0;
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t t = 0; t < ROWS; t++) x[t] = 0.05 * (double)t + tcsi_rng_normal(&rng) + (t == 2500 ? 12 : 0);
    const double *column = x;
    tcsi_detector *a = detect_create("dspot", 1, NULL, 0), *b = detect_create("spot", 1, NULL, 0);
    detect_push(a, &column, 0, ROWS, with_drift);
    detect_push(b, &column, 0, ROWS, without);
    for (size_t t = 250; t < 2500; t++) {
        calm += with_drift[t].value > 4;
        excited += without[t].value > 4;
    }
    print_message("# rows beyond the risk: dspot %zu, spot %zu; the jump scores %.1f\n", calm, excited, with_drift[2500].value);
    assert_true(calm <= 4 && excited > 30);
    assert_true(with_drift[2500].value > 4);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_drift))
