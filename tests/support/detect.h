/* tests/support/detect.h -- runs one registered detector over plain columns, for the tests of single detectors. */
#ifndef TCS_TEST_DETECT_H
#define TCS_TEST_DETECT_H

#include "golden.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "detect/registry.h"

/* Parameters as { "name", value } pairs; the detector is not fitted. */
static inline tcsi_detector *detect_create(const char *name, size_t channel_count, const tcsi_parameter_value *parameters, size_t parameter_count)
{
    const tcsi_detector_info *info;
    tcsi_detector *detector;
    tcsi_detector_setup setup = { .channel_count = channel_count, .seed = 1, .parameters = parameters, .parameter_count = parameter_count };
    assert_ok(tcsi_registry_get(name, &info, test_err));
    assert_ok(tcsi_detector_create(info, &setup, &detector, test_err));
    return detector;
}

/* columns: (C) pointers to (T) values. */
static inline void detect_push(tcsi_detector *detector, const double *const *columns, size_t begin, size_t end, tcs_score *ret_scores)
{
    double values[16];
    assert_true(detector->channel_count <= TCS_COUNT(values));
    for (size_t t = begin; t < end; t++) {
        for (size_t c = 0; c < detector->channel_count; c++) values[c] = columns[c][t];
        tcsi_detector_push(detector, &(tcsi_row){ .sequence = t, .time_ns = (int64_t)t * 60000000000, .values = values }, &ret_scores[t]);
    }
}

/* A frame holding columns, to fit on; destroy it. */
static inline tcsi_frame *detect_frame(const double *const *columns, size_t channel_count, size_t row_count)
{
    double row[16];
    tcsi_frame *frame;
    assert_true(channel_count <= TCS_COUNT(row));
    assert_ok(tcsi_frame_create(channel_count, row_count, false, false, &frame, test_err));
    for (size_t t = 0; t < row_count; t++) {
        for (size_t c = 0; c < channel_count; c++) row[c] = columns[c][t];
        assert_ok(tcsi_frame_append(frame, row, 0, 0, test_err));
    }
    return frame;
}

/* Scores equal the golden column; where that is NaN the state must be WARMUP or MISSING. */
static inline void detect_assert_golden(const tcs_score *scores, const double *expected, size_t row_count, double tolerance)
{
    for (size_t t = 0; t < row_count; t++) {
        if (isnan(expected[t]) != (scores[t].state != TCS_SCORE_READY))
            fail_msg("row %zu: state %d, but the golden score is %g", t, scores[t].state, expected[t]);
        if (!isnan(expected[t]) && !(fabs(scores[t].value - expected[t]) <= tolerance * fmax(1, fabs(expected[t]))))
            fail_msg("row %zu: score %.17g, golden %.17g", t, scores[t].value, expected[t]);
    }
}

/* Bit for bit; not by memory, which has gaps between fields. */
static inline void detect_assert_same(const tcs_score *expected, const tcs_score *actual, size_t begin, size_t end)
{
    for (size_t t = begin; t < end; t++) {
        const tcs_score *a = &expected[t], *b = &actual[t];
        if (a->state != b->state || memcmp(&a->value, &b->value, sizeof a->value) != 0 ||
            memcmp(&a->uncertainty, &b->uncertainty, sizeof a->uncertainty) != 0 || memcmp(&a->noise, &b->noise, sizeof a->noise) != 0)
            fail_msg("row %zu: score %.17g (uncertainty %.9g), expected %.17g (%.9g)", t, b->value, (double)b->uncertainty, a->value,
                     (double)a->uncertainty);
    }
}

/* The share of (anomalous, normal) pairs that are ranked rightly: area under the ROC curve. */
static inline double detect_auc(const tcs_score *scores, const double *labels, size_t begin, size_t end)
{
    double right = 0, pairs = 0;
    for (size_t i = begin; i < end; i++)
        for (size_t j = begin; j < end; j++) {
            if (!(labels[i] > 0 && labels[j] == 0)) continue;
            pairs++;
            right += scores[i].value > scores[j].value ? 1 : scores[i].value == scores[j].value ? 0.5 : 0;
        }
    return right / pairs;
}

#endif
