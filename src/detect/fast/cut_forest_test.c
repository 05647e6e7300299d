/* detect/fast/cut_forest_test.c -- displacements that can be worked out on paper, whatever cuts are drawn.  That trees have the right
 * distribution is tested through the detector, see rrcf_test.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "detect/fast/cut_forest.h"

enum { TREES = 50 };

static void take_all(tcsi_cut_forest *forest, const float *points, size_t count)
{
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < TREES; i++) {
            tcsi_rng rng = tcsi_rng_make(k, i);
            tcsi_cut_forest_take(forest, i, &points[k * forest->options.dimension_count], &rng);
        }
}

static double displacement(tcsi_cut_forest *forest, float x)
{
    return tcsi_cut_forest_displacement(forest, &x);
}

static void test_one_dimension(void **state)
{
    (void)state;
    tcsi_cut_forest forest;
    const float points[] = { 0, 1, 0, 0, 8, 8, 8, 8 };
    assert_ok(tcsi_cut_forest_init(&forest, &(tcsi_cut_options){ TREES, 4, 1 }, test_err));
    assert_near(0, displacement(&forest, 5), 0); /* nothing to displace */
    take_all(&forest, points, 1);
    assert_near(0, displacement(&forest, 0), 0);
    assert_near(1, displacement(&forest, 5), 0);
    take_all(&forest, points + 1, 1);
    /* 0.5 ends beside one of the two.  2 parts from both with chance 1/2, else from 1. */
    assert_near(1, displacement(&forest, 0.5f), 1e-6);
    assert_near(0.5 * 2 + 0.5 * 1, displacement(&forest, 2), 1e-6);
    take_all(&forest, points + 2, 2); /* 0 three times, and 1 */
    assert_near(1.0 / 4, displacement(&forest, 0), 1e-6);
    assert_near(3.0 / 2, displacement(&forest, 1), 1e-6);
    assert_near(0.5 * 4 + 0.5 * 3, displacement(&forest, -1), 1e-6);
    take_all(&forest, points + 4, 4); /* everything else has left */
    assert_near(0, displacement(&forest, 8), 0);
    assert_near(4, displacement(&forest, 1), 0);
    tcsi_cut_forest_clear(&forest);
    assert_near(0, displacement(&forest, 8), 0);
    tcsi_cut_forest_deinit(&forest);
}

/* In two dimensions what is added to either side counts, by its length. */
static void test_two_dimensions(void **state)
{
    (void)state;
    tcsi_cut_forest forest;
    const float points[] = { 0, 0, 3, 1 }, beyond[] = { 5, 3 }, beside[] = { 3, 3 };
    assert_ok(tcsi_cut_forest_init(&forest, &(tcsi_cut_options){ TREES, 2, 2 }, test_err));
    take_all(&forest, points, 2);
    assert_near(0.5 * 2 + 0.5 * 1, tcsi_cut_forest_displacement(&forest, beyond), 1e-6); /* adds 2 + 2 to 3 + 1 */
    assert_near(2.0 / 6 * 2 + 4.0 / 6 * 1, tcsi_cut_forest_displacement(&forest, beside), 1e-6);
    tcsi_cut_forest_deinit(&forest);
}

/* Neighbouring floats, and the smallest: a cut must part them all the same. */
static void test_close_points(void **state)
{
    (void)state;
    tcsi_cut_forest forest;
    const float points[] = { 1, nextafterf(1, 2), -1e-45f, 0, 1e-45f, 1e6f, nextafterf(1e6f, 0), 1 };
    assert_ok(tcsi_cut_forest_init(&forest, &(tcsi_cut_options){ TREES, 8, 1 }, test_err));
    for (size_t round = 0; round < 4; round++) {
        take_all(&forest, points, TCS_COUNT(points));
        for (size_t k = 0; k < TCS_COUNT(points); k++) {
            double value = displacement(&forest, points[k]);
            assert_true(value > 0 && value <= 8);
        }
    }
    tcsi_cut_forest_deinit(&forest);
}

TCS_TEST_MAIN(cmocka_unit_test(test_one_dimension), cmocka_unit_test(test_two_dimensions), cmocka_unit_test(test_close_points))
