/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

static void test_golden(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/cusum.csv", &golden);
    const double *x = golden_column(&golden, "x");
    tcsi_detector *detector = detect_create("cusum", 1, &(tcsi_parameter_value){ "patience_count", 40 }, 1);
    detect_push(detector, &x, 0, golden.row_count, scores);
    detect_assert_golden(scores, golden_column(&golden, "score"), golden.row_count, 1e-9);
    tcsi_detector_destroy(detector);
}

/* A shift of one deviation, invisible row by row, passes every score seen before it within 60 rows, on either side. */
static void test_small_shift(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        static double x[700];
        static tcs_score scores[700];
        double before = 0, after = 0;
        tcsi_rng rng = tcsi_rng_make(9, 0);
        for (size_t t = 0; t < 700; t++) x[t] = tcsi_rng_normal(&rng) + (t >= 600 ? 1.2 * sign : 0);
        const double *column = x;
        tcsi_frame *train = detect_frame(&column, 1, 300);
        tcsi_detector *detector = detect_create("cusum", 1, NULL, 0);
        assert_ok(tcsi_detector_fit(detector, train, test_err));
        detect_push(detector, &column, 300, 700, scores);
        for (size_t t = 300; t < 600; t++) before = fmax(before, scores[t].value);
        for (size_t t = 600; t < 660; t++) after = fmax(after, scores[t].value);
        assert_true(after > 1.5 * before);
        tcsi_detector_destroy(detector);
        tcsi_frame_destroy(train);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden), cmocka_unit_test(test_small_shift))
