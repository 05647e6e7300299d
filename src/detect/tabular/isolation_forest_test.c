/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/forest.h"
#include "detect/tabular/tabular_test.h"

/* Two levels:  c0 <= 1 ? (c1 <= 5 ? leaf of 1 row : leaf of 2) : leaf of 4 rows at depth 1. */
static void test_hand_made_tree(void **state)
{
    (void)state;
    uint32_t channels[] = { 0, 1, 0 };
    float thresholds[] = { 1, 5, INFINITY }, expected_here[] = { 3, 2.5f, 4.5f }, lengths[] = { 2, 3, 4.5f, 4.5f };
    tcsi_forest forest = { .tree_count = 1, .sample_count = 7, .channel_count = 2, .depth = 2, .channels = channels,
                           .thresholds = thresholds, .expected = expected_here, .lengths = lengths };
    const double rows[] = { 0, 0, 1, 5, 1, 5.5, 1.5, 0, 9, 9 };
    const double expected[] = { 2, 2, 3, 4.5, 4.5 };
    double scores[5];
    /* c(7) = 2 H(6) - 2 * 6 / 7 with H(i) = ln i + Euler's constant, as the paper approximates it. */
    double unit = 2 * (log(6.0) + 0.57721566490153286) - 12.0 / 7;
    assert_near(unit, tcsi_forest_mean_length(7), 1e-15);
    assert_near(0, tcsi_forest_mean_length(1), 0);
    assert_near(1, tcsi_forest_mean_length(2), 0);
    assert_ok(tcsi_forest_score(&forest, rows, 5, NULL, scores, test_err));
    for (size_t i = 0; i < 5; i++) assert_near(pow(2, -expected[i] / unit), scores[i], 1e-15);
    double scratch[2], parts[2] = { 10, 20 };
    tcsi_forest_share(&forest, rows, scratch, parts); /* 3 to 2.5 by a cut in channel 0, to 2 by one in channel 1 */
    assert_near(10.5, parts[0], 1e-15);
    assert_near(20.5, parts[1], 1e-15);
    tcsi_forest_share(&forest, rows + 4, scratch, parts); /* to 3 by channel 1: longer */
    tcsi_forest_share(&forest, rows + 6, scratch, parts); /* to 4.5 by channel 0: longer */
    assert_near(11, parts[0], 1e-15);
    assert_near(20.5, parts[1], 1e-15);
}

/* Of more channels than the trees have cuts, those of one tree are copied at a time; what rows find is the same. */
static void test_more_channels_than_cuts(void **state)
{
    (void)state;
    enum { ROWS = 70, CHANNELS = 9 };
    uint32_t channels[] = { 7, 4, 0, 2, 7, 0 };
    float thresholds[] = { 1, 5, INFINITY, 1, 5, INFINITY }, lengths[] = { 2, 3, 4.5f, 4.5f, 1, 2, 4, 4 };
    tcsi_forest forest = { .tree_count = 2, .sample_count = 7, .channel_count = CHANNELS, .depth = 2, .channels = channels,
                           .thresholds = thresholds, .lengths = lengths };
    double rows[ROWS * CHANNELS], scores[ROWS];
    tcsi_rng rng = tcsi_rng_make(8, 0);
    for (size_t i = 0; i < ROWS * CHANNELS; i++) rows[i] = 10 * tcsi_rng_uniform(&rng);
    for (size_t i = 0; i < ROWS; i++) rows[i * CHANNELS + (i % 2 ? 7 : 2)] /= 10; /* half the rows go left, in one tree each */
    assert_ok(tcsi_forest_score(&forest, rows, ROWS, NULL, scores, test_err));
    for (size_t i = 0; i < ROWS; i++) {
        const double *row = rows + i * CHANNELS;
        double first = row[7] > 1 ? 4.5 : row[4] > 5 ? 3 : 2, second = row[2] > 1 ? 4 : row[7] > 5 ? 2 : 1;
        assert_near(exp2(-(first + second) / 2 / tcsi_forest_mean_length(7)), scores[i], 1e-15);
    }
}

/* Every sampled row ends in exactly one leaf; grown on all rows, mean depths by walking node by node must agree. */
static void test_grown_trees_separate_all_rows(void **state)
{
    (void)state;
    enum { ROWS = 16, TREES = 20 };
    double rows[ROWS];
    tcsi_forest forest;
    for (size_t i = 0; i < ROWS; i++) rows[i] = (double)(i * i);
    assert_ok(tcsi_forest_build(rows, ROWS, 1, TREES, 256, 5, NULL, &forest, test_err));
    assert_int_equal(ROWS, forest.sample_count);
    assert_int_equal(4, forest.depth);
    for (size_t tree = 0; tree < TREES; tree++) {
        size_t counts[16] = { 0 };
        for (size_t i = 0; i < ROWS; i++) {
            size_t place = 0;
            for (size_t level = 0; level < forest.depth; level++)
                place = 2 * place + 1 + ((float)rows[i] > forest.thresholds[tree * 15 + place]);
            counts[place - 15]++;
        }
        double sum = 0;
        for (size_t i = 0; i < 16; i++) {
            if (counts[i] == 0) continue;
            /* length = leaf depth + c(rows in the leaf): the depth left over is a whole number of 1 to 4 levels. */
            double depth = (double)forest.lengths[tree * 16 + i] - tcsi_forest_mean_length(counts[i]);
            assert_near(floor(depth + 0.5), depth, 1e-5);
            assert_true(depth > 0.5 && depth < 4.5);
            sum += pow(0.5, floor(depth + 0.5));
        }
        assert_near(1, sum, 1e-12); /* Kraft: the leaves of a binary tree fill it */
    }
    tcsi_forest_deinit(&forest);
}

/* scikit-learn 1.9.1's IsolationForest on the golden rows, rows 0, 9, ... labelled (tests/golden/detect/isolation_forest.py):
 * over 200 seeds its AUC has the mean and deviation below.  Ours over 40 seeds must have the same mean within 4 standard errors. */
static void test_as_accurate_as_sklearn(void **state)
{
    (void)state;
    enum { SEEDS = 40 };
    const double sklearn_mean = 0.9763, sklearn_deviation = 0.0031;
    uint8_t labels[GOLDEN_ROWS] = { 0 };
    tcsi_frame *frame = golden_frame();
    double sum = 0;
    for (size_t t = 0; t < GOLDEN_ROWS; t += 9) labels[t] = 1;
    for (size_t seed = 0; seed < SEEDS; seed++) {
        tcs_score scores[GOLDEN_ROWS];
        tcsi_detector *detector;
        tcsi_detector_setup setup = { .channel_count = GOLDEN_COLUMNS, .seed = seed };
        assert_ok(tcsi_detector_create(tcsi_registry_find("isolation_forest"), &setup, &detector, test_err));
        assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
        sum += auc_of(scores, labels, GOLDEN_ROWS);
        tcsi_detector_destroy(detector);
    }
    assert_true(fabs(sum / SEEDS - sklearn_mean) < 4 * sklearn_deviation / sqrt(SEEDS));
    tcsi_frame_destroy(frame);
}

/* A row that is out in one channel is laid to that channel. */
static void test_parts_name_the_channel(void **state)
{
    (void)state;
    assert_blames_the_planted("isolation_forest", NULL, 0, false, 0.85);
}

TCS_TEST_MAIN(cmocka_unit_test(test_hand_made_tree), cmocka_unit_test(test_more_channels_than_cuts),
              cmocka_unit_test(test_grown_trees_separate_all_rows), cmocka_unit_test(test_as_accurate_as_sklearn),
              cmocka_unit_test(test_parts_name_the_channel))
