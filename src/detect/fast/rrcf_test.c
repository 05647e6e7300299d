/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

extern const tcsi_detector_info tcsi_detector_rrcf;

/* Means of CoDisp against those of trees built from scratch, by their standard errors, row by row and in sum. */
static void compare_means(const golden_table *golden, size_t begin, const char *mean_name, const char *error_name, const double *means,
                          const double *errors)
{
    const double *expected = golden_column(golden, mean_name), *expected_errors = golden_column(golden, error_name);
    double chi_squared = 0, count = 0;
    for (size_t t = begin; t < golden->row_count; t++, count++) {
        double deviation = (means[t] - expected[t]) / hypot(expected_errors[t], errors[t]);
        if (fabs(deviation) > 4.5) fail_msg("row %zu: CoDisp %g, from scratch %g +- %g", t, means[t], expected[t], expected_errors[t]);
        chi_squared += deviation * deviation;
    }
    print_message("# %s: mean squared deviation %.2f of %.0f rows, 1 expected\n", mean_name, chi_squared / count, count);
    assert_true(chi_squared / count < 1.6);
}

/* Mean and standard error of each row's score over seed_count forests. */
static void score_with_seeds(const golden_table *golden, const tcsi_parameter_value *given, size_t given_count, size_t seed_count,
                             double *ret_means, double *ret_errors)
{
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    static double sums[GOLDEN_ROW_COUNT_MAX], square_sums[GOLDEN_ROW_COUNT_MAX];
    const double *columns[] = { golden_column(golden, "a"), golden_column(golden, "b") }, n = (double)seed_count;
    memset(sums, 0, sizeof sums);
    memset(square_sums, 0, sizeof square_sums);
    for (size_t seed = 0; seed < seed_count; seed++) {
        tcsi_detector_setup setup = { .channel_count = 2, .seed = seed, .parameters = given, .parameter_count = given_count };
        tcsi_detector *detector;
        assert_ok(tcsi_detector_create(&tcsi_detector_rrcf, &setup, &detector, test_err));
        detect_push(detector, columns, 0, golden->row_count, scores);
        for (size_t t = 0; t < golden->row_count; t++) {
            sums[t] += scores[t].value;
            square_sums[t] += scores[t].value * scores[t].value;
        }
        tcsi_detector_destroy(detector);
    }
    for (size_t t = 0; t < golden->row_count; t++) {
        ret_means[t] = sums[t] / n;
        ret_errors[t] = sqrt(fmax(0, square_sums[t] / n - ret_means[t] * ret_means[t]) / n);
    }
}

/* Theorems 3 and 4 of the paper: trees that rows were inserted into and deleted from are distributed as trees built from
 * scratch, and the mean over where the row would go in is the mean over trees that hold it. */
static void test_same_distribution_as_from_scratch(void **state)
{
    (void)state;
    static golden_table golden;
    static double means[GOLDEN_ROW_COUNT_MAX], errors[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/rrcf.csv", &golden);
    const tcsi_parameter_value all[] = { { "tree_count", 8 }, { "window", 23 }, { "thinning", 1 }, { "warmup_count", 2 },
                                         { "standardize", 0 } };
    score_with_seeds(&golden, all, TCS_COUNT(all), 300, means, errors);
    compare_means(&golden, 30, "mean", "error", means, errors);
}

/* Each tree takes each row with the same chance, whatever the row is. */
static void test_thinned_trees_too(void **state)
{
    (void)state;
    static golden_table golden;
    static double means[GOLDEN_ROW_COUNT_MAX], errors[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/rrcf.csv", &golden);
    const tcsi_parameter_value few[] = { { "tree_count", 4 }, { "window", 12 }, { "thinning", 4 }, { "warmup_count", 2 },
                                         { "standardize", 0 } };
    score_with_seeds(&golden, few, TCS_COUNT(few), 1000, means, errors);
    compare_means(&golden, 50, "thinned", "thinned_error", means, errors);
}

/* Loading checks parents, children, counts and reach of every tree, and makes boxes anew: a state that was kept up to date
 * wrongly either fails to load or goes on differently.  Duplicates, constants and gaps among the rows. */
static void test_trees_stay_sound(void **state)
{
    (void)state;
    enum { ROWS = 400 };
    static double a[ROWS], b[ROWS];
    static tcs_score expected[ROWS], actual[ROWS];
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t t = 0; t < ROWS; t++) {
        a[t] = t > 150 && t < 220 ? 1 : floor(3 * tcsi_rng_normal(&rng));
        b[t] = t > 180 && t < 260 ? 2 : floor(2 * tcsi_rng_uniform(&rng));
        if (t % 17 == 3) b[t] = NAN;
    }
    const double *columns[] = { a, b };
    tcsi_parameter_value given[] = { { "tree_count", 8 }, { "window", 32 }, { "thinning", 2 }, { "shingle", 2 }, { "warmup_count", 8 } };
    tcsi_detector *detector = detect_create("rrcf", 2, given, TCS_COUNT(given)), *other = NULL;
    detect_push(detector, columns, 0, ROWS, expected);
    tcsi_detector_reset(detector);
    for (size_t t = 0; t < ROWS; t++) {
        tcsi_buffer saved;
        tcsi_buffer_init(&saved, 1 << 24);
        detect_push(detector, columns, t, t + 1, actual);
        assert_ok(tcsi_detector_save(detector, &saved, test_err));
        assert_ok(tcsi_detector_load(saved.data, saved.size, NULL, &other, test_err));
        tcsi_detector_destroy(detector);
        tcsi_buffer_deinit(&saved);
        detector = other;
        assert_int_equal(expected[t].state, actual[t].state);
        assert_true(expected[t].value == actual[t].value);
    }
    tcsi_detector_destroy(detector);
}

/* An outlier stands out, and the third of three equals no less; with a shingle so does a missing beat. */
static void test_finds(void **state)
{
    (void)state;
    enum { ROWS = 900 };
    static double x[ROWS], beat[ROWS];
    static tcs_score scores[ROWS], shapes[ROWS];
    tcsi_rng rng = tcsi_rng_make(6, 0);
    for (size_t t = 0; t < ROWS; t++) {
        x[t] = tcsi_rng_normal(&rng) + (t == 400 || (t >= 700 && t < 703) ? 12 : 0);
        beat[t] = (t % 20 < 3 && !(t >= 600 && t < 620) ? 5 : 0) + 0.1 * tcsi_rng_normal(&rng);
    }
    const double *columns[] = { x, beat };
    tcsi_detector *a = detect_create("rrcf", 1, NULL, 0), *b = detect_create("rrcf", 1, &(tcsi_parameter_value){ "shingle", 20 }, 1);
    detect_push(a, &columns[0], 0, ROWS, scores);
    detect_push(b, &columns[1], 0, ROWS, shapes);
    double normal = 0, missing = 0, regular = 0;
    for (size_t t = 320; t < 400; t++) normal = fmax(normal, scores[t].value);
    for (size_t t = 320; t < 600; t++) regular = fmax(regular, shapes[t].value);
    for (size_t t = 600; t < 625; t++) missing = fmax(missing, shapes[t].value);
    assert_true(scores[400].value > 2 * normal && scores[700].value > 2 * normal && scores[702].value > 2 * normal);
    assert_true(missing > regular);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

TCS_TEST_MAIN(cmocka_unit_test(test_same_distribution_as_from_scratch), cmocka_unit_test(test_thinned_trees_too),
              cmocka_unit_test(test_trees_stay_sound), cmocka_unit_test(test_finds))
