/* SPDX-License-Identifier: Apache-2.0 */
#include "detect.h"

/* Theorems 3 and 4 of the paper: trees that rows were inserted into and deleted from are distributed as trees built from
 * scratch.  Means over 1,500 trees on either side, compared by their standard errors, row by row and in sum. */
static void test_same_distribution_as_from_scratch(void **state)
{
    (void)state;
    static golden_table golden;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/rrcf.csv", &golden);
    const double *columns[] = { golden_column(&golden, "a"), golden_column(&golden, "b") };
    const double *mean = golden_column(&golden, "mean"), *error = golden_column(&golden, "error");
    tcsi_parameter_value given[] = { { "tree_count", 1500 }, { "window", 24 }, { "warmup_count", 2 }, { "standardize", 0 } };
    tcsi_detector *detector = detect_create("rrcf", 2, given, TCS_COUNT(given));
    double chi_squared = 0, count = 0;
    detect_push(detector, columns, 0, golden.row_count, scores);
    for (size_t t = 30; t < golden.row_count; t++, count++) {
        double deviation = (scores[t].value - mean[t]) / (1.4142 * error[t]);
        if (fabs(deviation) > 4.5) fail_msg("row %zu: CoDisp %g, from scratch %g +- %g", t, scores[t].value, mean[t], error[t]);
        chi_squared += deviation * deviation;
    }
    print_message("# mean squared deviation %.2f of %.0f rows, 1 expected\n", chi_squared / count, count);
    assert_true(chi_squared / count < 1.8);
    tcsi_detector_destroy(detector);
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
    tcsi_parameter_value given[] = { { "tree_count", 8 }, { "window", 32 }, { "shingle", 2 }, { "warmup_count", 8 } };
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

/* An outlier stands out; the third of three equals still moves 253 others up by three; with a shingle so does a missing beat. */
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
    assert_true(scores[400].value > 2 * normal && scores[700].value > 1.5 * normal && scores[702].value > 60);
    assert_true(missing > regular);
    tcsi_detector_destroy(a);
    tcsi_detector_destroy(b);
}

TCS_TEST_MAIN(cmocka_unit_test(test_same_distribution_as_from_scratch), cmocka_unit_test(test_trees_stay_sound),
              cmocka_unit_test(test_finds))
