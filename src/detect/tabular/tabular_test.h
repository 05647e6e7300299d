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

/* ---- planted outliers ---- */

enum { PLANTED_ROWS = 600, PLANTED_CHANNELS = 8, PLANTED = 24 };

/* Row t * PLANTED_ROWS / PLANTED is out in channel t % PLANTED_CHANNELS, by `by` deviations; the channels are related, more so among
 * the first half, and have units of their own. */
static inline tcsi_frame *planted_frame(double by)
{
    static double rows[PLANTED_ROWS][PLANTED_CHANNELS];
    tcsi_rng rng = tcsi_rng_make(21, 0);
    for (size_t t = 0; t < PLANTED_ROWS; t++) {
        double common = tcsi_rng_normal(&rng);
        for (size_t c = 0; c < PLANTED_CHANNELS; c++)
            rows[t][c] = (c < PLANTED_CHANNELS / 2 ? 0.8 : 0.3) * common + 0.6 * tcsi_rng_normal(&rng);
        size_t number = t * PLANTED / PLANTED_ROWS;
        if (t % (PLANTED_ROWS / PLANTED) == 0) rows[t][number % PLANTED_CHANNELS] += number % 2 ? by : -by;
        for (size_t c = 0; c < PLANTED_CHANNELS; c++) rows[t][c] = rows[t][c] * pow(10, (double)c - 4) + (double)c * 100;
    }
    return frame_of(&rows[0][0], PLANTED_ROWS, PLANTED_CHANNELS);
}

static inline double sum_of(const double *parts)
{
    double sum = 0;
    for (size_t c = 0; c < PLANTED_CHANNELS; c++) sum += parts[c];
    return sum;
}

/* The parts of rows [begin, end). */
static inline void parts_of(const tcsi_detector *detector, size_t begin, size_t end, double *ret_parts)
{
    assert_true(tcsi_detector_contribute_span(detector, begin, end, ret_parts));
}

/* Every planted row is laid to its channel, with share_least of the whole in the mean; parts of spans are sums of rows' parts, and
 * where add_up is set those are sums of the score. */
static inline void check_planted(tcsi_detector *detector, const tcsi_frame *frame, bool add_up, double share_least)
{
    static tcs_score scores[PLANTED_ROWS];
    double parts[PLANTED_CHANNELS], all[PLANTED_CHANNELS], sum = 0, whole = 0;
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    for (size_t t = 0; t < PLANTED_ROWS; t++) {
        parts_of(detector, t, t + 1, parts);
        whole += sum_of(parts);
        if (add_up) assert_near(scores[t].value, sum_of(parts), 1e-9 * scores[t].value);
        if (t % (PLANTED_ROWS / PLANTED) != 0) continue;
        size_t right = t * PLANTED / PLANTED_ROWS % PLANTED_CHANNELS;
        for (size_t c = 0; c < PLANTED_CHANNELS; c++)
            if (c != right && parts[c] >= parts[right])
                fail_msg("row %zu: channel %zu has %g, the right one, %zu, %g", t, c, parts[c], right, parts[right]);
        sum += parts[right] / sum_of(parts) / PLANTED;
    }
    if (sum < share_least) fail_msg("the right channel's share is %g in the mean, expected %g", sum, share_least);
    parts_of(detector, 0, PLANTED_ROWS + 5, all);
    assert_near(whole, sum_of(all), 1e-9 * whole);
}

/* Unfitted and fitted; and nothing is known before a score, of a row without values, and after a fit. */
static inline void assert_blames_the_planted(const char *name, const tcsi_parameter_value *given, size_t given_count, bool add_up,
                                             double share_least)
{
    tcs_score scores[20];
    double parts[PLANTED_CHANNELS];
    tcsi_frame *frame = planted_frame(9), part = tcsi_frame_view(frame, 0, 20);
    tcsi_detector *detector = detector_of(name, PLANTED_CHANNELS, given, given_count);
    parts_of(detector, 0, 20, parts);
    assert_near(0, sum_of(parts), 0);
    check_planted(detector, frame, add_up, share_least);
    assert_ok(tcsi_detector_fit(detector, frame, test_err));
    parts_of(detector, 0, 20, parts);
    assert_near(0, sum_of(parts), 0);
    check_planted(detector, frame, false, 0);
    for (size_t c = 0; c < PLANTED_CHANNELS; c++) tcsi_frame_column(frame, c)[15] = NAN;
    assert_ok(tcsi_detector_score(detector, &part, scores, test_err));
    parts_of(detector, 15, 16, parts);
    assert_near(0, sum_of(parts), 0);
    parts_of(detector, 0, 15, parts);
    assert_true(sum_of(parts) > 0);
    tcsi_detector_destroy(detector);
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
