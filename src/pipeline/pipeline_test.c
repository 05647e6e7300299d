/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "pipeline/pipeline.h"

enum { ROWS = 2000, CUT = 1200 };

/* A rhythm with noise, the channels of one machine; at row 1700 the first goes its own way for forty rows. */
static tcsi_frame *make_frame(size_t channel_count, size_t row_count)
{
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(8, channel_count);
    assert_ok(tcsi_frame_create(channel_count, row_count, true, true, &frame, NULL));
    for (size_t t = 0; t < row_count; t++) {
        double row[8], common = sin((double)t / 9) + 0.2 * tcsi_rng_normal(&rng);
        const bool strange = t >= 1700 && t < 1740;
        for (size_t c = 0; c < channel_count; c++) row[c] = common * (double)(c + 1) + 0.1 * tcsi_rng_normal(&rng);
        if (strange) row[0] = 4 - row[0];
        assert_ok(tcsi_frame_append(frame, row, 1700000000000000000 + (int64_t)t * 60000000000, strange, NULL));
    }
    return frame;
}

static tcsi_pipeline *fit(const tcsi_frame *frame, size_t row_count, const tcsi_detect_options *options)
{
    tcsi_pipeline *pipeline;
    tcsi_frame view = tcsi_frame_view(frame, 0, row_count);
    tcs_error err;
    const tcs_status status = tcsi_pipeline_fit(&view, options, &pipeline, &err);
    if (status != TCS_OK) fail_msg("%s", err.text);
    return pipeline;
}

static tcsi_pipeline *through_a_file(tcsi_pipeline *pipeline)
{
    tcsi_pipeline *loaded;
    tcsi_buffer bytes, again;
    tcs_error err;
    tcsi_buffer_init(&bytes, SIZE_MAX);
    tcsi_buffer_init(&again, SIZE_MAX);
    assert_ok(tcsi_pipeline_save(pipeline, &bytes, NULL));
    if (tcsi_pipeline_load(bytes.data, bytes.size, "x.tocsin", &loaded, &err) != TCS_OK) fail_msg("%s", err.text);
    assert_ok(tcsi_pipeline_save(loaded, &again, NULL));
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.data, again.data, bytes.size);
    tcsi_buffer_deinit(&bytes);
    tcsi_buffer_deinit(&again);
    tcsi_pipeline_destroy(pipeline);
    return loaded;
}

/* What a fitted pipeline says of later rows is what one detection of all rows says of them. */
static void check_agrees(const tcsi_frame *frame, const char *detector)
{
    const tcsi_parameter_value epochs = { "epochs", 2 };
    tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = detector, .train_row_count = 1000, .thread_count = 1,
                                    .budget = { .count = 20 }, .parameters = &epochs,
                                    .parameter_count = strcmp(detector, "gru_forecaster") == 0 };
    tcsi_detection *whole, *later;
    tcsi_frame rest = tcsi_frame_view(frame, CUT, ROWS - CUT);
    tcsi_pipeline *pipeline = through_a_file(fit(frame, CUT, &options));
    assert_ok(tcsi_detect(frame, &options, &whole, NULL));
    assert_ok(tcsi_pipeline_score(pipeline, &rest, &(tcsi_pipeline_run){ .thread_count = 1 }, &later, NULL));
    for (size_t t = 0; t < rest.row_count; t++) {
        const tcs_score *a = &later->scores[t], *b = &whole->scores[CUT + t];
        assert_true(a->state == b->state && a->value == b->value && a->p_value == b->p_value && a->evidence == b->evidence);
    }
    assert_memory_equal(later->decision.thresholds, whole->decision.thresholds + CUT, rest.row_count * sizeof(double));
    assert_memory_equal(later->decision.anomaly, whole->decision.anomaly + CUT, rest.row_count);
    assert_true(later->decision.episode_count > 0 && later->fitted_row_count == 1000 && later->train_row_count == 0);
    for (size_t i = 0; i < later->decision.episode_count; i++) {
        const tcsi_episode *a = &later->decision.episodes[later->decision.episode_count - 1 - i];
        const tcsi_episode *b = &whole->decision.episodes[whole->decision.episode_count - 1 - i];
        assert_true(a->row_end + CUT == b->row_end && a->severity == b->severity);
    }
    assert_int_equal(later->forecast_count, whole->forecast_count);
    for (size_t i = 0; i < later->forecast_count; i++)
        assert_true(later->forecasts[i].forecast.median == whole->forecasts[i].forecast.median);
    tcsi_detection_destroy(whole);
    tcsi_detection_destroy(later);
    tcsi_pipeline_destroy(pipeline);
}

static void test_online_agrees_with_one_detection(void **state)
{
    (void)state;
    static const char *const detectors[] = { "welford", "value_gap", "pca_stream", "auto_online", "gru_forecaster" };
    for (size_t channel_count = 1; channel_count <= 3; channel_count += 2) {
        tcsi_frame *frame = make_frame(channel_count, ROWS);
        for (size_t i = 0; i < TCS_COUNT(detectors); i++) check_agrees(frame, detectors[i]);
        tcsi_frame_destroy(frame);
    }
}

/* Advanced over one input, a pipeline says of the next what it would have said had it come in one piece. */
static void test_advance(void **state)
{
    (void)state;
    tcsi_frame *frame = make_frame(2, ROWS);
    tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .thread_count = 1 };
    tcsi_detection *one, *other, *all;
    tcsi_frame middle = tcsi_frame_view(frame, CUT, 300), end = tcsi_frame_view(frame, CUT + 300, ROWS - CUT - 300);
    tcsi_frame rest = tcsi_frame_view(frame, CUT, ROWS - CUT);
    tcsi_pipeline *pipeline = fit(frame, CUT, &options);
    assert_ok(tcsi_pipeline_score(pipeline, &rest, &(tcsi_pipeline_run){ .thread_count = 1 }, &all, NULL));
    assert_int_equal(pipeline->row_count, CUT);
    assert_ok(tcsi_pipeline_score(pipeline, &middle, &(tcsi_pipeline_run){ .thread_count = 1, .advance = true }, &one, NULL));
    assert_int_equal(pipeline->row_count, CUT + 300);
    pipeline = through_a_file(pipeline);
    assert_ok(tcsi_pipeline_score(pipeline, &end, &(tcsi_pipeline_run){ .thread_count = 2 }, &other, NULL));
    for (size_t t = 0; t < end.row_count; t++)
        assert_true(other->scores[t].value == all->scores[300 + t].value && other->scores[t].p_value == all->scores[300 + t].p_value);
    tcsi_detection_destroy(one);
    tcsi_detection_destroy(other);
    tcsi_detection_destroy(all);
    tcsi_pipeline_destroy(pipeline);
    tcsi_frame_destroy(frame);
}

/* Scores of later normal rows are compared with those of rows that were not learned from either: p-values are what they say. */
static void test_offline_is_calibrated(void **state)
{
    (void)state;
    static const char *const detectors[] = { "sub_pca", "vae", "ar_residual" };
    tcsi_frame *frame = make_frame(1, ROWS);
    tcsi_frame rest = tcsi_frame_view(frame, CUT, ROWS - CUT);
    for (size_t i = 0; i < TCS_COUNT(detectors); i++) {
        tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = detectors[i], .thread_count = 1 };
        tcsi_pipeline *pipeline = through_a_file(fit(frame, CUT, &options));
        tcsi_detection *later;
        assert_ok(tcsi_pipeline_score(pipeline, &rest, &(tcsi_pipeline_run){ .thread_count = 1 }, &later, NULL));
        size_t low = 0, normal = 0, found = 0;
        for (size_t t = 0; t < rest.row_count; t++) {
            const bool near = t + CUT >= 1600 && t + CUT < 1840;
            normal += !near;
            low += !near && later->scores[t].p_value < 0.1;
            found += t + CUT >= 1700 && t + CUT < 1740 && later->decision.anomaly[t];
        }
        const double share = (double)low / (double)normal;
        if (share > 0.35 || found < 10)
            fail_msg("%s: %.3f of the normal rows below 0.1, %zu of 40 strange rows found", detectors[i], share, found);
        tcsi_detection_destroy(later);
        tcsi_pipeline_destroy(pipeline);
    }
    tcsi_frame_destroy(frame);
}

/* Rows of a table are learned from evenly: sorted or shuffled, it says of other rows that most are usual. */
static void test_sorted_tables(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    tcsi_rng rng = tcsi_rng_make(4, 4);
    tcsi_frame *sorted, *other;
    assert_ok(tcsi_frame_create(2, COUNT, false, false, &sorted, NULL));
    assert_ok(tcsi_frame_create(2, COUNT, false, false, &other, NULL));
    for (size_t t = 0; t < COUNT; t++) {
        const double rising[] = { (double)t / COUNT, tcsi_rng_normal(&rng) }, drawn[] = { tcsi_rng_uniform(&rng), tcsi_rng_normal(&rng) };
        assert_ok(tcsi_frame_append(sorted, rising, 0, 0, NULL));
        assert_ok(tcsi_frame_append(other, drawn, 0, 0, NULL));
    }
    const tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .is_tabular = true, .detector = "knn", .thread_count = 1 };
    tcsi_pipeline *pipeline = through_a_file(fit(sorted, COUNT, &options));
    tcsi_detection *detection;
    size_t low = 0;
    assert_int_equal(pipeline->train_row_count, COUNT - COUNT / 5);
    assert_ok(tcsi_pipeline_score(pipeline, other, &(tcsi_pipeline_run){ .thread_count = 1 }, &detection, NULL));
    for (size_t t = 0; t < COUNT; t++) low += detection->scores[t].p_value < 0.1;
    if (low < COUNT / 20 || low > COUNT * 3 / 20) fail_msg("%zu of %d rows below 0.1", low, COUNT);
    tcsi_detection_destroy(detection);
    tcsi_pipeline_destroy(pipeline);
    tcsi_frame_destroy(sorted);
    tcsi_frame_destroy(other);
}

/* A detector that compares a frame with itself learned nothing that it could keep: it judges later rows as if asked for the first time. */
static void test_relative_detectors_judge_each_frame(void **state)
{
    (void)state;
    static const char *const detectors[] = { "auto_offline", "segment_join" };
    tcsi_frame *frame = make_frame(1, ROWS);
    tcsi_frame rest = tcsi_frame_view(frame, CUT, ROWS - CUT);
    for (size_t i = 0; i < TCS_COUNT(detectors); i++) {
        tcsi_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = detectors[i], .thread_count = 1 };
        tcsi_pipeline *pipeline = through_a_file(fit(frame, CUT, &options));
        tcsi_detection *later, *alone;
        assert_ok(tcsi_pipeline_score(pipeline, &rest, &(tcsi_pipeline_run){ .thread_count = 1 }, &later, NULL));
        assert_ok(tcsi_detect(&rest, &options, &alone, NULL));
        for (size_t t = 0; t < rest.row_count; t++)
            assert_true(later->scores[t].value == alone->scores[t].value && later->scores[t].p_value == alone->scores[t].p_value);
        assert_memory_equal(later->decision.anomaly, alone->decision.anomaly, rest.row_count);
        tcsi_detection_destroy(later);
        tcsi_detection_destroy(alone);
        tcsi_pipeline_destroy(pipeline);
    }
    tcsi_frame_destroy(frame);
}

/* Series of one kind are learned from together; for one of them, or a new one, a few rows are then enough, as a whole and as a stream. */
static void test_fleet(void **state)
{
    (void)state;
    enum { SERIES = 3, FEW = 200 };
    const tcsi_parameter_value epochs = { "epochs", 3 };
    tcsi_frame *frame = make_frame(2, ROWS);
    const tcsi_frame views[SERIES] = { tcsi_frame_view(frame, 0, 500), tcsi_frame_view(frame, 500, 400), tcsi_frame_view(frame, 900, 500) };
    const tcsi_frame *series[SERIES] = { &views[0], &views[1], &views[2] };
    const tcsi_fleet fleet = { .series = series, .series_count = SERIES };
    static const char *const detectors[] = { "gru_forecaster", "autoencoder" };
    for (size_t i = 0; i < TCS_COUNT(detectors); i++) {
        const tcs_mode mode = i == 0 ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE;
        const tcsi_detect_options options = { .mode = mode, .detector = detectors[i], .thread_count = 1, .parameters = &epochs,
                                              .parameter_count = 1, .seed = 5 };
        tcsi_pipeline *known, *one;
        tcsi_detection *direct, *later;
        tcs_error err;
        assert_ok(tcsi_pipeline_fit_fleet(&fleet, &options, &known, NULL));
        known = through_a_file(known);
        assert_true(known->is_fleet && known->row_count == 1400);
        const tcsi_pipeline_run run = { .thread_count = 1 };
        assert_int_equal(tcsi_pipeline_score(known, frame, &run, &later, &err), TCS_E_INVALID);
        assert_non_null(strstr(err.text, "knows a fleet, and no series yet"));
        tcsi_frame own = tcsi_frame_view(frame, 1200, 800), first = tcsi_frame_view(frame, 1200, FEW);
        tcsi_frame rest = tcsi_frame_view(frame, 1400, 600);
        tcsi_detect_options begun = { .mode = mode, .fleet = known, .train_row_count = FEW, .thread_count = 1 };
        assert_ok(tcsi_detect(&own, &begun, &direct, NULL));
        assert_int_equal(direct->seed, 5);
        assert_ok(tcsi_pipeline_fit(&first, &begun, &one, NULL));
        one = through_a_file(one);
        assert_ok(tcsi_pipeline_score(one, &rest, &run, &later, NULL));
        for (size_t t = 0; mode == TCS_MODE_ONLINE && t < rest.row_count; t++)
            assert_true(later->scores[t].value == direct->scores[FEW + t].value);
        begun.detector = "tcn_forecaster";
        assert_int_equal(tcsi_pipeline_fit(&first, &begun, &one, &err), TCS_E_INVALID);
        begun.detector = NULL;
        begun.parameters = &epochs;
        begun.parameter_count = 1;
        assert_int_equal(tcsi_detect(&own, &begun, &direct, &err), TCS_E_INVALID);
        tcsi_detection_destroy(direct);
        tcsi_detection_destroy(later);
        tcsi_pipeline_destroy(one);
        tcsi_pipeline_destroy(known);
    }
    const tcsi_detect_options alone = { .mode = TCS_MODE_ONLINE, .detector = "welford", .thread_count = 1 };
    tcsi_pipeline *ignored;
    tcs_error err;
    assert_int_equal(tcsi_pipeline_fit_fleet(&fleet, &alone, &ignored, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "welford learns from one series"));
    tcsi_frame_destroy(frame);
}

static void test_misuse(void **state)
{
    (void)state;
    tcsi_frame *frame = make_frame(2, ROWS), *other = make_frame(3, 100), empty = tcsi_frame_view(frame, 0, 0);
    tcsi_detect_options online = { .mode = TCS_MODE_ONLINE, .thread_count = 1 }, offline = { .mode = TCS_MODE_OFFLINE, .thread_count = 1 };
    tcsi_pipeline *pipeline;
    tcsi_detection *ignored;
    tcsi_detect_stream *stream;
    tcs_error err;
    assert_int_equal(tcsi_pipeline_fit(&empty, &online, &pipeline, &err), TCS_E_INVALID);
    online.train_row_count = ROWS + 1;
    assert_int_equal(tcsi_pipeline_fit(frame, &online, &pipeline, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "2001 training rows asked for"));
    online = (tcsi_detect_options){ .mode = TCS_MODE_ONLINE, .detector = "matrix_profile", .thread_count = 1 };
    assert_int_equal(tcsi_pipeline_fit(frame, &online, &pipeline, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "cannot run online"));
    online.detector = "welford";
    pipeline = fit(frame, ROWS, &online);
    const tcsi_pipeline_run run = { .thread_count = 1 };
    assert_int_equal(tcsi_pipeline_score(pipeline, other, &run, &ignored, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "3 channels, but the pipeline was fitted on 2"));
    assert_ok(tcsi_frame_channel_rename(frame, 1, "flow", NULL));
    assert_int_equal(tcsi_pipeline_score(pipeline, frame, &run, &ignored, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "channel 2 is 'flow', but the pipeline was fitted on 'c1' there"));
    assert_int_equal(tcsi_pipeline_score(pipeline, &empty, &run, &ignored, &err), TCS_E_INVALID);
    tcsi_pipeline_destroy(pipeline);
    offline.detector = "sub_pca";
    pipeline = fit(frame, ROWS, &offline);
    assert_int_equal(tcsi_pipeline_stream(pipeline, 1, &stream, &err), TCS_E_INVALID);
    const tcsi_pipeline_run on = { .thread_count = 1, .advance = true };
    assert_int_equal(tcsi_pipeline_score(pipeline, frame, &on, &ignored, &err), TCS_E_INVALID);
    tcsi_pipeline_destroy(pipeline);
    tcsi_frame_destroy(frame);
    tcsi_frame_destroy(other);
}

/* Not one byte of a bundle can be changed, cut off or added without being noticed. */
static void test_damaged_bundles(void **state)
{
    (void)state;
    static const tcsi_detect_options all[] = { { .mode = TCS_MODE_ONLINE, .detector = "welford", .thread_count = 1 },
                                               { .mode = TCS_MODE_OFFLINE, .detector = "sub_pca", .thread_count = 1 } };
    tcsi_frame *frame = make_frame(2, 200);
    for (size_t i = 0; i < TCS_COUNT(all); i++) {
        tcsi_pipeline *pipeline = fit(frame, 200, &all[i]), *loaded;
        tcsi_buffer bytes;
        tcs_error err;
        tcsi_buffer_init(&bytes, SIZE_MAX);
        assert_ok(tcsi_pipeline_save(pipeline, &bytes, NULL));
        for (size_t at = 0; at < bytes.size; at++) {
            bytes.data[at] ^= (char)(1 << at % 8);
            const tcs_status status = tcsi_pipeline_load(bytes.data, bytes.size, "x.tocsin", &loaded, &err);
            assert_true(status == TCS_E_FORMAT || status == TCS_E_UNSUPPORTED);
            assert_non_null(strstr(err.text, "x.tocsin: "));
            bytes.data[at] ^= (char)(1 << at % 8);
        }
        for (size_t size = 0; size < bytes.size; size += 1 + size / 50)
            assert_int_equal(tcsi_pipeline_load(bytes.data, size, "x.tocsin", &loaded, &err), TCS_E_FORMAT);
        assert_ok(tcsi_buffer_append(&bytes, "", 1, NULL));
        assert_int_equal(tcsi_pipeline_load(bytes.data, bytes.size, "x.tocsin", &loaded, &err), TCS_E_FORMAT);
        tcsi_buffer_deinit(&bytes);
        tcsi_pipeline_destroy(pipeline);
    }
    tcsi_frame_destroy(frame);
}

static tcs_status whole_life(const tcsi_frame *frame, const tcsi_detect_options *options)
{
    tcsi_pipeline *pipeline = NULL, *loaded = NULL;
    tcsi_detection *detection = NULL;
    tcsi_buffer bytes;
    tcs_error err;
    tcsi_buffer_init(&bytes, SIZE_MAX);
    tcs_status status = tcsi_pipeline_fit(frame, options, &pipeline, &err);
    if (status == TCS_OK) status = tcsi_pipeline_save(pipeline, &bytes, &err);
    if (status == TCS_OK) status = tcsi_pipeline_load(bytes.data, bytes.size, "x.tocsin", &loaded, &err);
    const tcsi_pipeline_run run = { .thread_count = 1, .advance = options->mode == TCS_MODE_ONLINE };
    if (status == TCS_OK) status = tcsi_pipeline_score(loaded, frame, &run, &detection, &err);
    tcsi_detection_destroy(detection);
    tcsi_pipeline_destroy(pipeline);
    tcsi_pipeline_destroy(loaded);
    tcsi_buffer_deinit(&bytes);
    return status;
}

static void test_failing_allocations(void **state)
{
    (void)state;
    static const tcsi_detect_options all[] = { { .mode = TCS_MODE_ONLINE, .detector = "pca_stream", .thread_count = 1 },
                                               { .mode = TCS_MODE_OFFLINE, .detector = "sub_pca", .thread_count = 1 } };
    tcsi_frame *frame = make_frame(2, 400);
    for (size_t i = 0; i < TCS_COUNT(all); i++) {
        tcs_status status = TCS_E_MEMORY;
        for (size_t at = 1; status != TCS_OK; at++) {
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(at);
            status = whole_life(frame, &all[i]);
            tcsi_alloc_trace_fail_at(0);
            if (status != TCS_OK && status != TCS_E_MEMORY) fail_msg("allocation %zu: status %d", at, status);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
        }
    }
    tcsi_frame_destroy(frame);
}

TCS_TEST_MAIN(cmocka_unit_test(test_online_agrees_with_one_detection), cmocka_unit_test(test_advance),
              cmocka_unit_test(test_offline_is_calibrated), cmocka_unit_test(test_relative_detectors_judge_each_frame),
              cmocka_unit_test(test_sorted_tables), cmocka_unit_test(test_fleet), cmocka_unit_test(test_misuse),
              cmocka_unit_test(test_damaged_bundles), cmocka_unit_test(test_failing_allocations))
