/* detect/deep/table_net_test.c -- detectors whose network looks at the rows of a table: what they find, that the order of the rows does not
 * matter, and what becomes of constants, holes and very wide tables.  SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tabular_test.h"

static const char *const names[] = { "autoencoder_tabular", "vae_tabular", "flow_tabular", "deep_svdd_tabular" };
enum { NAMING_COUNT = 2, NAME_COUNT = TCS_COUNT(names), ROWS = 1200, CHANNELS = 4 };

static size_t name_count(void)
{
    return test_is_small() ? 1 : NAME_COUNT;
}

/* Values far out in one channel of eight, whose units differ by 10^8. */
static void test_finds_planted_rows(void **state)
{
    (void)state;
    static tcs_score scores[PLANTED_ROWS];
    static uint8_t labels[PLANTED_ROWS];
    tcsi_frame *frame = planted_frame(9);
    for (size_t t = 0; t < PLANTED_ROWS; t++) labels[t] = t % (PLANTED_ROWS / PLANTED) == 0;
    for (size_t i = 0; i < name_count(); i++) {
        scores_of(names[i], NULL, 0, NULL, frame, scores);
        const double auc = auc_of(scores, labels, PLANTED_ROWS);
        if (!(auc > 0.98)) fail_msg("%s: area under the ROC curve %.3f", names[i], auc);
    }
    tcsi_frame_destroy(frame);
}

static void test_blames_the_planted_channel(void **state)
{
    (void)state;
    for (size_t i = 0; i < (test_is_small() ? 1 : NAMING_COUNT); i++) assert_blames_the_planted(names[i], NULL, 0, false, 0.6);
}

/* Two bent relations and a constant; of two groups the second is the last sixth. */
static void make_groups(double (*rows)[CHANNELS])
{
    tcsi_rng rng = tcsi_rng_make(5, 0);
    for (size_t t = 0; t < ROWS; t++) {
        const double a = tcsi_rng_normal(&rng), sign = t < ROWS * 5 / 6 ? 1 : -1;
        rows[t][0] = a + 3 * sign;
        rows[t][1] = sign * a * a + 0.1 * tcsi_rng_normal(&rng);
        rows[t][2] = 1e6 * (sign + 0.5 * a + 0.1 * tcsi_rng_normal(&rng));
        rows[t][3] = 7;
    }
}

static double mean_score(const tcs_score *scores, size_t begin, size_t end)
{
    double sum = 0;
    for (size_t t = begin; t < end; t++) sum += scores[t].value;
    return sum / (double)(end - begin);
}

/* Rows held out are drawn from all of them: of a table that is sorted the last group is learned, too. */
static void test_sorted_rows_are_learned_alike(void **state)
{
    (void)state;
    static double rows[ROWS][CHANNELS];
    static tcs_score scores[ROWS];
    make_groups(rows);
    tcsi_frame *frame = frame_of(&rows[0][0], ROWS, CHANNELS);
    const tcsi_parameter_value all = { "trim", 0 };
    scores_of("autoencoder_tabular", &all, 1, NULL, frame, scores);
    const double first = mean_score(scores, 0, ROWS * 5 / 6), last = mean_score(scores, ROWS * 5 / 6, ROWS);
    if (!(last < 2 * first)) fail_msg("mean scores %g of the first group, %g of the last", first, last);
    tcsi_frame_destroy(frame);
}

/* Fitted: values that break the relations, a constant that moves and a value out of range stand out; a hole does not. */
static void test_outcomes_of_later_rows(void **state)
{
    (void)state;
    static double rows[ROWS][CHANNELS];
    static tcs_score known[ROWS], scores[5];
    const double later[5][CHANNELS] = { { 3, 0, 1e6, 7 }, { 3, NAN, 1e6, 7 }, { 3, 0, -1e6, 7 }, { 3, 0, 1e6, 28 },
                                        { 1e30, 0, 1e6, 7 } };
    make_groups(rows);
    tcsi_frame *train = frame_of(&rows[0][0], ROWS, CHANNELS), *frame = frame_of(&later[0][0], 5, CHANNELS);
    for (size_t i = 0; i < name_count(); i++) {
        scores_of(names[i], NULL, 0, train, frame, scores);
        scores_of(names[i], NULL, 0, train, train, known);
        const double usual = mean_score(known, 0, ROWS);
        for (size_t t = 0; t < 5; t++) assert_int_equal(TCS_SCORE_READY, scores[t].state);
        if (!(scores[0].value < 2 * usual && scores[1].value < 3 * usual))
            fail_msg("%s: usual rows score %g, a usual one %g, with a hole %g", names[i], usual, scores[0].value, scores[1].value);
        if (!(scores[3].value > 2 * usual && scores[4].value > 2 * usual))
            fail_msg("%s: usual rows score %g, a moved constant %g, a value out of range %g", names[i], usual, scores[3].value,
                     scores[4].value);
        if (i < NAMING_COUNT && !(scores[2].value > 2 * usual))
            fail_msg("%s: usual rows score %g, a broken relation %g", names[i], usual, scores[2].value);
    }
    tcsi_frame_destroy(frame);
    tcsi_frame_destroy(train);
}

/* Of two kinds of rows that stand out, one is labelled, in ten rows of the first half: the later ones are found before the other kind,
 * which nobody called anomalous; and without any label a detector that needs some says so. */
static void test_learns_from_labelled_rows(void **state)
{
    (void)state;
    static const char *const labelled[] = { "focal_classifier_tabular", "devnet_tabular", "deep_sad_tabular" };
    static double rows[ROWS][CHANNELS];
    static tcs_score scores[ROWS];
    static uint8_t is_meant[ROWS];
    tcsi_rng rng = tcsi_rng_make(9, 0);
    for (size_t t = 0; t < ROWS; t++) {
        is_meant[t] = t % 60 == 5;
        for (size_t c = 0; c < CHANNELS; c++) rows[t][c] = tcsi_rng_normal(&rng);
        rows[t][0] += is_meant[t] ? 4 : t % 60 == 35 ? -4 : 0;
    }
    tcsi_frame *frame, train;
    assert_ok(tcsi_frame_create(CHANNELS, ROWS, false, true, &frame, test_err));
    for (size_t t = 0; t < ROWS; t++) assert_ok(tcsi_frame_append(frame, rows[t], 0, is_meant[t], test_err));
    train = tcsi_frame_view(frame, 0, ROWS / 2);
    for (size_t i = 0; i < (test_is_small() ? 1 : TCS_COUNT(labelled)); i++) {
        scores_of(labelled[i], NULL, 0, &train, frame, scores);
        const double auc = auc_of(scores + ROWS / 2, is_meant + ROWS / 2, ROWS / 2);
        if (!(auc > 0.95)) fail_msg("%s: area under the ROC curve %.3f", labelled[i], auc);
    }
    memset(frame->labels, 0, ROWS);
    tcs_error err = { 0 };
    tcsi_detector *detector = detector_of(labelled[0], CHANNELS, NULL, 0);
    assert_int_equal(TCS_E_INVALID, tcsi_detector_fit(detector, &train, &err));
    assert_non_null(strstr(err.text, "labelled"));
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

/* A thousand columns are learned within the budget; more than 65,536 are refused in words. */
static void test_wide_tables(void **state)
{
    (void)state;
    enum { WIDE = 1000, WIDE_ROWS = 60 };
    static double rows[WIDE_ROWS][WIDE];
    static tcs_score scores[WIDE_ROWS];
    static uint8_t labels[WIDE_ROWS];
    tcsi_rng rng = tcsi_rng_make(3, 0);
    for (size_t t = 0; t < WIDE_ROWS; t++) {
        const double common = tcsi_rng_normal(&rng);
        labels[t] = t % 20 == 7;
        for (size_t c = 0; c < WIDE; c++) rows[t][c] = common * (double)(c % 7) + (labels[t] ? 4 : 1) * tcsi_rng_normal(&rng);
    }
    tcsi_frame *frame = frame_of(&rows[0][0], WIDE_ROWS, WIDE);
    for (size_t i = 0; i < name_count(); i++) {
        tcs_error err = { 0 };
        tcsi_detector *detector = NULL;
        const tcsi_detector_setup setup = { .channel_count = 70000, .seed = 1 };
        scores_of(names[i], NULL, 0, NULL, frame, scores);
        assert_true(auc_of(scores, labels, WIDE_ROWS) > 0.9);
        assert_int_equal(TCS_E_LIMIT, tcsi_detector_create(tcsi_registry_find(names[i]), &setup, &detector, &err));
        assert_non_null(strstr(err.text, "columns"));
    }
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_finds_planted_rows), cmocka_unit_test(test_blames_the_planted_channel),
              cmocka_unit_test(test_sorted_rows_are_learned_alike), cmocka_unit_test(test_outcomes_of_later_rows),
              cmocka_unit_test(test_learns_from_labelled_rows), cmocka_unit_test(test_wide_tables))
