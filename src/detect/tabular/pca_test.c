/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tabular_test.h"

/* scikit-learn's components and variances, summed as Shyu does: tests/golden/detect/tabular.py. */
static void test_equals_sklearn(void **state)
{
    (void)state;
    assert_golden("pca", NULL, 0, "pca_all", 1e-10);
}

/* Two channels that are one and the same but for a single row: only the smallest component sees it. */
static void test_small_components_see_broken_relations(void **state)
{
    (void)state;
    enum { ROWS = 200 };
    double rows[ROWS][2];
    tcs_score scores[ROWS];
    tcsi_rng rng = tcsi_rng_make(11, 0);
    const tcsi_parameter_value given[] = { { "n_selected_components", 1 } };
    for (size_t i = 0; i < ROWS; i++) {
        rows[i][0] = tcsi_rng_normal(&rng);
        rows[i][1] = rows[i][0] + 0.01 * tcsi_rng_normal(&rng);
    }
    rows[50][0] = 4;
    rows[50][1] = 4; /* far out, but as related as the others */
    rows[60][0] = 0.5;
    rows[60][1] = 0.2;
    tcsi_frame *frame = frame_of(&rows[0][0], ROWS, 2);
    scores_of("pca", given, 1, NULL, frame, scores);
    for (size_t i = 0; i < ROWS; i++) assert_true(i == 60 || scores[i].value < scores[60].value / 4);
    tcsi_frame_destroy(frame);
}

static void test_too_many_channels_are_refused(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    tcsi_detector *detector = NULL;
    tcsi_detector_setup setup = { .channel_count = 1025 };
    assert_int_equal(TCS_E_LIMIT, tcsi_detector_create(tcsi_registry_find("pca"), &setup, &detector, &err));
    assert_non_null(strstr(err.text, "1025"));
    assert_null(detector);
}

/* A row that is out in one channel is laid to that channel. */
static void test_parts_name_the_channel(void **state)
{
    (void)state;
    const tcsi_parameter_value smallest[] = { { "n_selected_components", 7 } };
    assert_blames_the_planted("pca", NULL, 0, false, 0.75);
    assert_blames_the_planted("pca", smallest, 1, false, 0.75);
}

TCS_TEST_MAIN(cmocka_unit_test(test_equals_sklearn), cmocka_unit_test(test_small_components_see_broken_relations),
              cmocka_unit_test(test_too_many_channels_are_refused),
              cmocka_unit_test(test_parts_name_the_channel))
