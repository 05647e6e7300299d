/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/tabular/tabular_test.h"

enum { ROWS = 1200, CHANNELS = 6, RARE = 24 };

typedef enum anomaly { ANOMALY_EXTREME, ANOMALY_BESIDE, ANOMALY_GROUP, ANOMALY_RELATION, ANOMALY_COUNT } anomaly;

/* Two groups of different density with correlated channels; the first RARE rows are anomalous, each kind in its own way. */
static void draw_row(anomaly kind, size_t t, tcsi_rng *rng, double *ret_row)
{
    bool rare = t < RARE, dense = t % 3 == 0;
    double common = tcsi_rng_normal(rng);
    for (size_t c = 0; c < CHANNELS; c++) {
        double value = 0.9 * common + 0.45 * tcsi_rng_normal(rng);
        ret_row[c] = dense ? 0.1 * value - 6 : value;
    }
    if (!rare) return;
    for (size_t c = 0; c < CHANNELS; c++) {
        if (kind == ANOMALY_EXTREME && c == t % CHANNELS) ret_row[c] = 9 + tcsi_rng_normal(rng);
        if (kind == ANOMALY_BESIDE) ret_row[c] = -6 + (tcsi_rng_uniform(rng) < 0.5 ? 0.9 : -0.9) + 0.1 * tcsi_rng_normal(rng);
        if (kind == ANOMALY_GROUP) ret_row[c] = (c % 2 ? 5 : -2) + 0.1 * tcsi_rng_normal(rng);
        if (kind == ANOMALY_RELATION) ret_row[c] = (c % 2 ? 1.5 : -1.5) + 0.3 * tcsi_rng_normal(rng);
    }
}

static tcsi_frame *draw_frame(anomaly kind, uint8_t *ret_labels)
{
    tcsi_frame *frame;
    double row[CHANNELS];
    tcsi_rng rng = tcsi_rng_make(99, kind);
    assert_ok(tcsi_frame_create(CHANNELS, ROWS, false, false, &frame, test_err));
    for (size_t t = 0; t < ROWS; t++) {
        draw_row(kind, t, &rng, row);
        assert_ok(tcsi_frame_append(frame, row, 0, 0, test_err));
        ret_labels[t] = t < RARE;
    }
    return frame;
}

/* Every kind is found without labels or settings; a group of 24 equal-looking rows included, which defeats knn with k = 5. */
static void test_finds_every_kind(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    uint8_t labels[ROWS];
    for (anomaly kind = 0; kind < ANOMALY_COUNT; kind++) {
        tcsi_frame *frame = draw_frame(kind, labels);
        scores_of("auto_tabular", NULL, 0, NULL, frame, scores);
        double auc = auc_of(scores, labels, ROWS);
        if (auc < 0.97) fail_msg("anomalies of kind %d: AUC %.4f", kind, auc);
        if (kind == ANOMALY_GROUP) {
            scores_of("knn", NULL, 0, NULL, frame, scores);
            assert_true(auc_of(scores, labels, ROWS) < 0.5);
        }
        tcsi_frame_destroy(frame);
    }
}

/* Fitted on normal rows only, it judges new rows by them; the scale is that of the training rows: about 0 is ordinary. */
static void test_fitted(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    uint8_t labels[ROWS];
    double ordinary = 0;
    tcsi_frame *frame = draw_frame(ANOMALY_GROUP, labels);
    tcsi_frame train = tcsi_frame_view(frame, RARE, ROWS - RARE);
    scores_of("auto_tabular", NULL, 0, &train, frame, scores);
    assert_true(auc_of(scores, labels, ROWS) > 0.99);
    for (size_t t = RARE; t < ROWS; t++) ordinary += scores[t].value / (ROWS - RARE);
    assert_true(fabs(ordinary) < 1);
    for (size_t t = 0; t < RARE; t++) assert_true(scores[t].value > 2);
    tcsi_frame_destroy(frame);
}

static void test_parts_name_the_channel(void **state)
{
    (void)state;
    static tcs_score scores[ROWS];
    uint8_t labels[ROWS];
    double parts[CHANNELS];
    tcsi_frame *frame = draw_frame(ANOMALY_EXTREME, labels);
    tcsi_detector *detector = detector_of("auto_tabular", CHANNELS, NULL, 0);
    assert_ok(tcsi_detector_score(detector, frame, scores, test_err));
    for (size_t t = 1; t < RARE; t++) {
        if (t % 3 == 0) continue;
        assert_true(tcsi_detector_contribute_span(detector, t, t + 1, parts));
        for (size_t c = 0; c < CHANNELS; c++) assert_true(c == t % CHANNELS || parts[c] < parts[t % CHANNELS]);
    }
    tcsi_detector_destroy(detector);
    tcsi_frame_destroy(frame);
}

/* Constant channels, equal rows and one row: stated outcomes, no NaN. */
static void test_degenerate(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    tcs_score scores[COUNT];
    double rows[COUNT][3];
    for (size_t t = 0; t < COUNT; t++) {
        rows[t][0] = 5;
        rows[t][1] = 1e-320;
        rows[t][2] = t == 17 ? 1e150 : 0;
    }
    tcsi_frame *frame = frame_of(&rows[0][0], COUNT, 3);
    scores_of("auto_tabular", NULL, 0, NULL, frame, scores);
    for (size_t t = 0; t < COUNT; t++) {
        assert_int_equal(TCS_SCORE_READY, scores[t].state);
        assert_true(isfinite(scores[t].value) && (t == 17 || scores[t].value < scores[17].value));
    }
    tcsi_frame_destroy(frame);
    frame = frame_of(&rows[0][0], 1, 3);
    scores_of("auto_tabular", NULL, 0, NULL, frame, scores);
    assert_int_equal(TCS_SCORE_WARMUP, scores[0].state);
    tcsi_frame_destroy(frame);
}

/* Bytes at once that scoring a frame of few rows and many channels takes, over the number of its values. */
static double bytes_a_value(const char *detector, size_t row_count, size_t channel_count)
{
    tcs_score scores[128];
    tcsi_rng rng = tcsi_rng_make(5, row_count);
    tcsi_frame *frame;
    assert_ok(tcsi_frame_create(channel_count, row_count, false, false, &frame, test_err));
    frame->row_count = row_count;
    for (size_t c = 0; c < channel_count; c++)
        for (size_t t = 0; t < row_count; t++) tcsi_frame_column(frame, c)[t] = tcsi_rng_normal(&rng);
    tcsi_alloc_trace_begin();
    scores_of(detector, NULL, 0, NULL, frame, scores);
    double bytes = (double)tcsi_alloc_trace_stats().peak_size / (double)(row_count * channel_count);
    tcsi_alloc_trace_end();
    tcsi_frame_destroy(frame);
    return bytes;
}

/* A table of two rows must not pay for blocks of 64, nor a wide one for more than its own copies. */
static void test_wide(void **state)
{
    (void)state;
    static const char *const detectors[] = { "auto_tabular", "isolation_forest", "knn", "lof", "hbos", "ecod", "copod" };
    for (size_t i = 0; i < TCS_COUNT(detectors); i++) {
        double two = bytes_a_value(detectors[i], 2, 100000), many = bytes_a_value(detectors[i], 100, 4000);
        if (two > 80) fail_msg("%s: %.0f bytes a value of a table with two rows", detectors[i], two);
        if (many > 64) fail_msg("%s: %.0f bytes a value of a table with 100 rows", detectors[i], many);
    }
}

/* What the reference holds, and with it the cost of a row, stops growing with the channels. */
static void test_reference_is_bounded(void **state)
{
    (void)state;
    enum { ROW_COUNT = 2000, CHANNEL_COUNT = 100000 };
    tcsi_detector *detector = detector_of("auto_tabular", CHANNEL_COUNT, NULL, 0);
    double bytes = (double)tcsi_detector_size_max(detector, ROW_COUNT) / ((double)ROW_COUNT * CHANNEL_COUNT);
    tcsi_detector_destroy(detector);
    if (bytes > 48) fail_msg("%.0f bytes a value declared for a table of %d channels", bytes, CHANNEL_COUNT);
}

TCS_TEST_MAIN(cmocka_unit_test(test_finds_every_kind), cmocka_unit_test(test_fitted), cmocka_unit_test(test_parts_name_the_channel),
              cmocka_unit_test(test_degenerate), cmocka_unit_test(test_wide), cmocka_unit_test(test_reference_is_bounded))
