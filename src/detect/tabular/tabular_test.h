/* detect/tabular/tabular_test.h -- what the tests of the tabular detectors share: the golden vectors of
 * tests/golden/detect/tabular.txt, frames made from matrices, and one call from matrix to scores.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TCS_DETECT_TABULAR_TEST_H
#define TCS_DETECT_TABULAR_TEST_H

#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/registry.h"

enum { GOLDEN_ROWS = 90, GOLDEN_COLUMNS = 4, GOLDEN_TRAIN = 60, GOLDEN_REST = GOLDEN_ROWS - GOLDEN_TRAIN };

/* The block called name, which must hold count numbers.  The caller releases it with tcsi_free. */
static inline double *golden_block(const char *name, size_t count)
{
    FILE *file = fopen(test_source("tests/golden/detect/tabular.txt"), "r");
    assert_non_null(file);
    char word[64];
    size_t held;
    double *values = NULL;
    while (!values && fscanf(file, "%63s %zu", word, &held) == 2) {
        bool wanted = strcmp(word, name) == 0;
        if (wanted) assert_int_equal(count, held);
        if (wanted) values = TCSI_NEW_ARRAY(double, count);
        for (size_t i = 0; i < held; i++) {
            double value;
            assert_int_equal(1, fscanf(file, "%lf", &value));
            if (wanted) values[i] = value;
        }
    }
    fclose(file);
    assert_non_null(values);
    return values;
}

static inline tcsi_frame *frame_of(const double *values, size_t row_count, size_t channel_count)
{
    tcsi_frame *frame;
    assert_ok(tcsi_frame_create(channel_count, row_count, false, false, &frame, test_err));
    for (size_t t = 0; t < row_count; t++) assert_ok(tcsi_frame_append(frame, values + t * channel_count, 0, 0, test_err));
    return frame;
}

static inline tcsi_frame *golden_frame(void)
{
    double *values = golden_block("x", GOLDEN_ROWS * GOLDEN_COLUMNS);
    tcsi_frame *frame = frame_of(values, GOLDEN_ROWS, GOLDEN_COLUMNS);
    tcsi_free(values);
    return frame;
}

static inline tcsi_detector *detector_of(const char *name, size_t channel_count, const tcsi_parameter_value *given, size_t given_count)
{
    const tcsi_detector_info *info = tcsi_registry_find(name);
    tcsi_detector *detector;
    tcsi_detector_setup setup = { .channel_count = channel_count, .seed = 1, .parameters = given, .parameter_count = given_count };
    assert_non_null(info);
    assert_ok(tcsi_detector_create(info, &setup, &detector, test_err));
    return detector;
}

/* Scores of frame, after fitting on train unless that is NULL. */
static inline void scores_of(const char *name, const tcsi_parameter_value *given, size_t given_count, const tcsi_frame *train,
                             const tcsi_frame *frame, tcs_score *ret_scores)
{
    tcsi_detector *detector = detector_of(name, frame->channel_count, given, given_count);
    if (train) assert_ok(tcsi_detector_fit(detector, train, test_err));
    assert_ok(tcsi_detector_score(detector, frame, ret_scores, test_err));
    tcsi_detector_destroy(detector);
}

/* The detector's scores of the golden rows against the block called golden. */
static inline void assert_golden(const char *name, const tcsi_parameter_value *given, size_t given_count, const char *golden,
                                 double tolerance)
{
    tcs_score scores[GOLDEN_ROWS];
    tcsi_frame *frame = golden_frame();
    double *expected = golden_block(golden, GOLDEN_ROWS);
    scores_of(name, given, given_count, NULL, frame, scores);
    for (size_t t = 0; t < GOLDEN_ROWS; t++) {
        assert_int_equal(TCS_SCORE_READY, scores[t].state);
        assert_near(expected[t], scores[t].value, tolerance);
    }
    tcsi_free(expected);
    tcsi_frame_destroy(frame);
}

/* The same after fitting on the first rows; the block holds the scores of the others. */
static inline void assert_golden_fitted(const char *name, const tcsi_parameter_value *given, size_t given_count, const char *golden,
                                        double tolerance)
{
    tcs_score scores[GOLDEN_REST];
    tcsi_frame *frame = golden_frame();
    tcsi_frame train = tcsi_frame_view(frame, 0, GOLDEN_TRAIN), rest = tcsi_frame_view(frame, GOLDEN_TRAIN, GOLDEN_REST);
    double *expected = golden_block(golden, GOLDEN_REST);
    scores_of(name, given, given_count, &train, &rest, scores);
    for (size_t t = 0; t < GOLDEN_REST; t++) assert_near(expected[t], scores[t].value, tolerance);
    tcsi_free(expected);
    tcsi_frame_destroy(frame);
}

/* Chance that an anomalous row (label 1) scores higher than a normal one; pairs are counted one by one. */
static inline double auc_of(const tcs_score *scores, const uint8_t *labels, size_t count)
{
    double wins = 0, pairs = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            if (!labels[i] || labels[j]) continue;
            pairs += 1;
            wins += scores[i].value > scores[j].value ? 1 : scores[i].value == scores[j].value ? 0.5 : 0;
        }
    return wins / pairs;
}

#endif
