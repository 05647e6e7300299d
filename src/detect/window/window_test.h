/* detect/window/window_test.h -- what the tests of sub-sequence detectors share: the golden series of
 * tests/golden/detect/window.py, and running a detector on it. */
#ifndef TCS_DETECT_WINDOW_TEST_H
#define TCS_DETECT_WINDOW_TEST_H

#include "golden.h"

#include "detect/registry.h"

enum { WINDOW_TRAIN_ROWS = 300 };

/* A frame of one channel. */
static inline tcsi_frame *window_frame(const double *values, size_t count)
{
    tcsi_frame *frame;
    assert_ok(tcsi_frame_create(1, count, false, false, &frame, test_err));
    for (size_t t = 0; t < count; t++) assert_ok(tcsi_frame_append(frame, &values[t], 0, 0, test_err));
    return frame;
}

/* Scores of values by the named detector, fitted on the first train_count rows unless that is 0. */
static inline void window_score(const char *name, const tcsi_parameter_value *parameters, size_t parameter_count, const double *values,
                                size_t count, size_t train_count, tcs_score *ret_scores)
{
    const tcsi_detector_info *info = tcsi_registry_find(name);
    tcsi_detector_setup setup = { .channel_count = 1, .parameters = parameters, .parameter_count = parameter_count };
    tcsi_frame *frame = window_frame(values, count), train = tcsi_frame_view(frame, 0, train_count);
    tcsi_detector *detector;
    assert_non_null(info);
    assert_ok(tcsi_detector_create(info, &setup, &detector, test_err));
    if (train_count) assert_ok(tcsi_detector_fit(detector, &train, test_err));
    assert_ok(tcsi_detector_score(detector, frame, ret_scores, test_err));
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

/* Every row of the golden column: nan means not scored. */
static inline void window_golden(const char *name, const tcsi_parameter_value *parameters, size_t parameter_count, size_t train_count,
                                 const char *column, double tolerance)
{
    static golden_table table;
    static tcs_score scores[GOLDEN_ROW_COUNT_MAX];
    golden_read("tests/golden/detect/window.csv", &table);
    const double *expected = golden_column(&table, column);
    window_score(name, parameters, parameter_count, golden_column(&table, "x"), table.row_count, train_count, scores);
    for (size_t t = 0; t < table.row_count; t++) {
        const tcs_score *score = &scores[t];
        bool equal = isnan(expected[t]) ? score->state == TCS_SCORE_WARMUP
                                        : score->state == TCS_SCORE_READY && fabs(score->value - expected[t]) <= tolerance;
        if (!equal)
            fail_msg("%s, %s: row %zu is state %d value %.17g, expected %.17g", name, column, t, score->state, score->value, expected[t]);
    }
}

/* The row in [begin, end) with the highest score. */
static inline size_t window_peak(const tcs_score *scores, size_t begin, size_t end)
{
    size_t peak = begin;
    for (size_t t = begin; t < end; t++)
        if (scores[t].value > scores[peak].value) peak = t;
    return peak;
}

#endif
