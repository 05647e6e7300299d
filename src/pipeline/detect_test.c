/* SPDX-License-Identifier: Apache-2.0 */
#include <detect.h> /* of tests/support, not the one beside this file */

#include "pipeline/detect.h"

enum { CHANNELS = 4, PLANT_ROWS = 600, PLANT_TRAIN = 240 };

static tcsi_frame *plant_frame(size_t channel_count, size_t row_count)
{
    static golden_table plant;
    golden_read("tests/golden/detect/channel_break.csv", &plant);
    const double *columns[CHANNELS] = { golden_column(&plant, "a"), golden_column(&plant, "b"), golden_column(&plant, "c"),
                                        golden_column(&plant, "d") };
    return detect_frame(columns, channel_count, row_count);
}

static tcsi_detect_options online(void)
{
    return (tcsi_detect_options){ .mode = TCS_MODE_ONLINE, .train_row_count = PLANT_TRAIN, .seed = 1, .thread_count = 1 };
}

/* Several channels: the joint member's evidence decides, unless a budget is stated; episodes name the channel that broke. */
static void test_evidence_decides(void **state)
{
    (void)state;
    tcsi_frame *frame = plant_frame(CHANNELS, PLANT_ROWS);
    tcsi_detect_options options = online();
    tcsi_detection *detection;
    bool named = false;
    assert_ok(tcsi_detect(frame, &options, &detection, test_err));
    assert_string_equal("auto_online", detection->info->name);
    assert_true(detection->decision.by_evidence && detection->decision.own_threshold_used);
    for (size_t t = 0; t < PLANT_ROWS; t++) {
        const tcs_score *score = &detection->scores[t];
        assert_int_equal(detection->decision.anomaly[t], score->state == TCS_SCORE_READY && score->evidence > 0);
    }
    for (size_t i = 0; i < detection->decision.episode_count; i++) {
        const tcsi_episode *episode = &detection->decision.episodes[i];
        if (episode->row_begin < 320 || episode->row_begin >= 350) continue;
        named = detection->shares[i].count > 0 && detection->shares[i].shares[0].channel == 1;
    }
    assert_true(named);
    tcsi_detection_destroy(detection);
    options.budget.count = 1;
    assert_ok(tcsi_detect(frame, &options, &detection, test_err));
    assert_false(detection->decision.by_evidence || detection->decision.own_threshold_used);
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
}

/* Rows that look exchangeable are a stream all the same when they are to be judged one by one. */
static void test_online_is_never_tabular(void **state)
{
    (void)state;
    tcsi_frame *frame = plant_frame(1, PLANT_ROWS);
    tcsi_detect_options options = online();
    tcsi_detection *detection;
    options.is_tabular = true;
    options.train_row_count = 0;
    assert_ok(tcsi_detect(frame, &options, &detection, test_err));
    assert_string_equal("auto_online", detection->info->name);
    assert_int_equal(100, detection->train_row_count);
    assert_false(detection->decision.by_evidence);
    tcsi_detection_destroy(detection);
    tcsi_frame_destroy(frame);
}

/* Labels count where the user named the rows, and for a detector that learns from them; then these rows are no reference of what is
 * normal. */
static void test_labels_of_named_rows(void **state)
{
    (void)state;
    enum { BEGIN = 60, END = 80 };
    static uint8_t labels[PLANT_ROWS];
    static const tcsi_parameter_value brief = { "epochs", 2 };
    tcsi_frame *frame = plant_frame(1, PLANT_ROWS);
    tcsi_detection *detection;
    tcs_error err = { 0 };
    memset(labels + BEGIN, 1, END - BEGIN);
    for (size_t i = 0; i < 8; i++) {
        const bool is_named = i & 1, is_labelled = i & 2, learns = i & 4;
        tcsi_frame shown = *frame;
        const tcsi_detect_options options = { .detector = learns ? "deep_sad" : "deep_svdd", .parameters = &brief, .parameter_count = 1,
                                              .mode = TCS_MODE_OFFLINE, .thread_count = 1, .train_row_count = is_named ? PLANT_TRAIN : 0 };
        if (is_labelled) shown.labels = labels;
        assert_ok(tcsi_detect(&shown, &options, &detection, test_err));
        assert_int_equal(is_named && is_labelled && learns, detection->is_told);
        tcsi_detection_destroy(detection);
    }
    const tcsi_detect_options needy = { .detector = "devnet", .mode = TCS_MODE_OFFLINE, .train_row_count = PLANT_TRAIN };
    assert_int_equal(TCS_E_INVALID, tcsi_detect(frame, &needy, &detection, &err));
    assert_non_null(strstr(err.text, "devnet learns from labelled rows"));
    tcsi_frame_destroy(frame);
}

static void test_tiny_frames(void **state)
{
    (void)state;
    for (size_t row_count = 1; row_count <= 5; row_count++)
        for (size_t channel_count = 1; channel_count <= CHANNELS; channel_count += 3) {
            tcsi_frame *frame = plant_frame(channel_count, row_count);
            tcsi_detect_options options = online();
            tcsi_detection *detection;
            options.train_row_count = 0;
            assert_ok(tcsi_detect(frame, &options, &detection, test_err));
            for (size_t t = 0; t < row_count; t++) assert_int_equal(TCS_SCORE_WARMUP, detection->scores[t].state);
            assert_int_equal(0, detection->decision.episode_count);
            tcsi_detection_destroy(detection);
            tcsi_frame_destroy(frame);
        }
}

static void test_refusals(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    tcsi_detection *detection = NULL;
    tcsi_frame *frame = plant_frame(1, 50);
    tcsi_detect_options options = online();
    assert_int_equal(TCS_E_INVALID, tcsi_detect(frame, &options, &detection, &err)); /* more training rows than rows */
    assert_non_null(strstr(err.text, "240"));
    options.train_row_count = 20;
    options.detector = "auto_delayed";
    assert_int_equal(TCS_E_INVALID, tcsi_detect(frame, &options, &detection, &err)); /* needs later rows */
    assert_non_null(strstr(err.text, "offline"));
    options.detector = "no_such_thing";
    assert_int_equal(TCS_E_INVALID, tcsi_detect(frame, &options, &detection, &err));
    options = (tcsi_detect_options){ .mode = TCS_MODE_OFFLINE, .detector = "channel_break", .is_tabular = true };
    assert_int_equal(TCS_E_INVALID, tcsi_detect(frame, &options, &detection, &err)); /* a table has no training rows */
    assert_non_null(strstr(err.text, "--train-rows"));
    options = (tcsi_detect_options){ .mode = TCS_MODE_OFFLINE, .detector = "pca", .train_row_count = 10 };
    for (size_t t = 0; t < 10; t++) tcsi_frame_column(frame, 0)[t] = NAN;
    assert_int_equal(TCS_E_FORMAT, tcsi_detect(frame, &options, &detection, &err)); /* the rows, not the options, are at fault */
    assert_int_equal(TCS_E_FORMAT, err.status);
    assert_non_null(strstr(err.text, "no training row"));
    tcsi_frame empty = tcsi_frame_view(frame, 0, 0);
    options = online();
    assert_int_equal(TCS_E_INVALID, tcsi_detect(&empty, &options, &detection, &err));
    assert_null(detection);
    tcsi_frame_destroy(frame);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    tcsi_frame *frame = plant_frame(CHANNELS, 300);
    tcsi_detect_options options = online();
    tcs_status status = TCS_E_MEMORY;
    options.train_row_count = 120;
    for (size_t at = 1; status != TCS_OK; at += 1 + at / 16) {
        tcsi_detection *detection;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        status = tcsi_detect(frame, &options, &detection, &err);
        tcsi_alloc_trace_fail_at(0);
        if (status == TCS_OK) tcsi_detection_destroy(detection);
        else assert_true(status == TCS_E_MEMORY && strlen(err.text) >= 10);
        assert_int_equal(0, tcsi_alloc_trace_stats().live_count);
        tcsi_alloc_trace_end();
    }
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_evidence_decides), cmocka_unit_test(test_online_is_never_tabular),
              cmocka_unit_test(test_labels_of_named_rows),
              cmocka_unit_test(test_tiny_frames),
              cmocka_unit_test(test_refusals), cmocka_unit_test(test_failing_allocations))
