/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

enum { HEIGHT = 3, WINDOW = 40, ROWS = 200 };

/* One channel leaves nothing to chance but the work space: its cells at depth k are 2^k equal parts, and a score can be had
 * by counting the rows of the window before that lie in the same part. */
static double expected_score(const double *x, size_t t, double low, double high)
{
    size_t begin = t / WINDOW * WINDOW - WINDOW;
    for (int depth = 0;; depth++) {
        double parts = ldexp(1, depth), width = (high - low) / parts, mass = 0;
        double part = fmin(fmax(floor((x[t] - low) / width), 0), parts - 1);
        for (size_t i = begin; i < begin + WINDOW; i++)
            mass += fmin(fmax(floor((x[i] - low) / width), 0), parts - 1) == part;
        if (depth == HEIGHT || mass <= 0.1 * WINDOW) return log2((WINDOW * ldexp(1, HEIGHT) + 1) / (mass * parts + 1));
    }
}

static void test_one_tree_by_hand(void **state)
{
    (void)state;
    double x[ROWS], low = INFINITY, high = -INFINITY;
    tcs_score scores[ROWS];
    tcsi_rng rng = tcsi_rng_make(3, 0), tree_rng = tcsi_rng_make(1, 0);
    for (size_t t = 0; t < ROWS; t++) {
        x[t] = 5 * tcsi_rng_normal(&rng) + (t == 130 ? 90 : 0);
        if (t < WINDOW) low = fmin(low, x[t]), high = fmax(high, x[t]);
    }
    double s = tcsi_rng_uniform(&tree_rng), reach = 2 * fmax(s, 1 - s), width = high - low;
    tcsi_parameter_value small[] = { { "tree_count", 1 }, { "height", HEIGHT }, { "window", WINDOW } };
    tcsi_detector *detector = detect_create("half_space_trees", 1, small, TCS_COUNT(small));
    const double *column = x;
    detect_push(detector, &column, 0, ROWS, scores);
    for (size_t t = 0; t < WINDOW; t++) assert_int_equal(TCS_SCORE_WARMUP, scores[t].state);
    for (size_t t = WINDOW; t < ROWS; t++) {
        assert_int_equal(TCS_SCORE_READY, scores[t].state);
        assert_near(expected_score(x, t, low + (s - reach) * width, low + (s + reach) * width), scores[t].value, 1e-12);
    }
    tcsi_detector_destroy(detector);
}

/* Three channels with labelled events: at least as good a ranking as River's HalfSpaceTrees, averaged over its seeds. */
static void test_as_good_as_river(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX], river[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/half_space_trees.csv", &golden);
    const double *columns[] = { golden_column(&golden, "a"), golden_column(&golden, "b"), golden_column(&golden, "c") };
    const double *label = golden_column(&golden, "label"), *river_scores = golden_column(&golden, "river");
    tcsi_detector *detector = detect_create("half_space_trees", 3, NULL, 0);
    detect_push(detector, columns, 0, golden.row_count, scores);
    for (size_t t = 0; t < golden.row_count; t++) river[t].value = river_scores[t];
    double ours = detect_auc(scores, label, 250, golden.row_count), theirs = detect_auc(river, label, 250, golden.row_count);
    print_message("# area under ROC: ours %.4f, River %.4f\n", ours, theirs);
    assert_true(ours > 0.9 && ours > theirs - 0.02);
    tcsi_detector_destroy(detector);
}

/* A missing channel counts as its last value. */
static void test_missing_channel(void **state)
{
    (void)state;
    double a[120], b[120], b_gaps[120];
    tcs_score full[120], gaps[120];
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t t = 0; t < 120; t++) {
        a[t] = tcsi_rng_normal(&rng);
        b[t] = t > 60 && t < 100 ? b[t - 1] : tcsi_rng_normal(&rng);
        b_gaps[t] = t > 60 && t < 100 ? NAN : b[t];
    }
    const double *whole[] = { a, b }, *holes[] = { a, b_gaps };
    tcsi_parameter_value window = { "window", 50 };
    tcsi_detector *x = detect_create("half_space_trees", 2, &window, 1), *y = detect_create("half_space_trees", 2, &window, 1);
    detect_push(x, whole, 0, 120, full);
    detect_push(y, holes, 0, 120, gaps);
    for (size_t t = 50; t < 120; t++) assert_true(full[t].value == gaps[t].value);
    tcsi_detector_destroy(x);
    tcsi_detector_destroy(y);
}

TCS_TEST_MAIN(cmocka_unit_test(test_one_tree_by_hand), cmocka_unit_test(test_as_good_as_river), cmocka_unit_test(test_missing_channel))
