/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "pipeline/stream.h"

enum { ROWS = 2500, TRAIN = 400 };

/* Waves with gaps, a break of the relation between channels and spikes. */
static tcsi_frame *make_frame(size_t channel_count, size_t row_count)
{
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(31, channel_count);
    assert_ok(tcsi_frame_create(channel_count, row_count, true, true, &frame, NULL));
    for (size_t t = 0; t < row_count; t++) {
        double row[8];
        double common = 0.2 * tcsi_rng_normal(&rng) + sin((double)t / 9);
        for (size_t c = 0; c < channel_count; c++) {
            row[c] = common * (double)(c + 1) + 0.1 * tcsi_rng_normal(&rng) + (t % 700 == 650 + c ? 9 : 0);
            if ((t * 7 + c) % 101 == 0) row[c] = NAN;
            if (t >= 1900 && t < 1960 && c == 0) row[c] = -row[c] + 3;
        }
        assert_ok(tcsi_frame_append(frame, row, 1700000000000000000 + (int64_t)t * 60000000000, t >= 1900 && t < 1960, NULL));
    }
    return frame;
}

typedef struct collected {
    tcs_score scores[ROWS];
    double thresholds[ROWS];
    uint8_t anomaly[ROWS];
    size_t count, opened, closed;
} collected;

static tcs_status take(tcsi_detect_stream *stream, collected *out, tcs_error *err)
{
    for (bool any = true; any;) {
        tcsi_outcome outcome;
        tcs_status status = tcsi_detect_stream_next(stream, &outcome, &any, err);
        if (status != TCS_OK) return status;
        if (!any) break;
        assert_int_equal(outcome.row.sequence, out->count);
        out->scores[out->count] = outcome.score;
        out->thresholds[out->count] = outcome.verdict.threshold;
        out->anomaly[out->count++] = outcome.verdict.anomaly;
        out->opened += outcome.verdict.event == TCSI_EPISODE_OPENED;
        out->closed += outcome.verdict.event == TCSI_EPISODE_CLOSED;
    }
    return TCS_OK;
}

static tcs_status run_stream(const tcsi_frame *frame, const tcsi_detect_options *options, collected *out, tcsi_detect_stream **ret_stream,
                             tcs_error *err)
{
    double values[8];
    tcs_status status = tcsi_detect_stream_create(frame->channel_count, options, ret_stream, err);
    memset(out, 0, sizeof *out);
    for (size_t t = 0; status == TCS_OK && t < frame->row_count; t++) {
        tcsi_row row = { .time_ns = frame->times_ns[t], .values = values };
        tcsi_frame_row(frame, t, values);
        status = tcsi_detect_stream_push(*ret_stream, &row, frame->labels[t], err);
        if (status == TCS_OK) status = take(*ret_stream, out, err);
    }
    if (status == TCS_OK) status = tcsi_detect_stream_end(*ret_stream, err);
    return status == TCS_OK ? take(*ret_stream, out, err) : status;
}

static void check_same(const tcsi_frame *frame, const tcsi_detect_options *options)
{
    static collected streamed;
    tcsi_detect_stream *stream;
    tcsi_detection *whole;
    tcsi_stream_episode last;
    assert_ok(run_stream(frame, options, &streamed, &stream, NULL));
    assert_ok(tcsi_detect(frame, options, &whole, NULL));
    const tcsi_policy_result *decision = &whole->decision;
    assert_int_equal(streamed.count, frame->row_count);
    assert_memory_equal(streamed.thresholds, decision->thresholds, frame->row_count * sizeof(double));
    assert_memory_equal(streamed.anomaly, decision->anomaly, frame->row_count);
    for (size_t t = 0; t < frame->row_count; t++) {
        const tcs_score *a = &streamed.scores[t], *b = &whole->scores[t];
        assert_true(a->state == b->state && a->value == b->value && a->p_value == b->p_value && a->evidence == b->evidence);
    }
    bool open = tcsi_detect_stream_episode_is_open(stream);
    assert_int_equal(streamed.opened, decision->episode_count);
    assert_int_equal(streamed.closed + open, streamed.opened);
    assert_int_equal(tcsi_detect_stream_episode_count(stream), decision->episode_count);
    assert_int_equal(tcsi_detect_stream_train_row_count(stream), whole->train_row_count);
    assert_true(tcsi_detect_stream_budget(stream) == decision->budget_count);
    if (tcsi_detect_stream_episode(stream, &last)) {
        const tcsi_episode *episode = &decision->episodes[decision->episode_count - 1];
        assert_memory_equal(&last.episode, episode, sizeof *episode);
        assert_true(last.time_begin_ns == frame->times_ns[episode->row_begin] && last.time_peak_ns == frame->times_ns[episode->row_peak]);
        assert_true(last.time_end_ns == frame->times_ns[episode->row_end - 1]);
    }
    tcsi_detection_destroy(whole);
    tcsi_detect_stream_destroy(stream);
}

static void test_stream_equals_frame(void **state)
{
    (void)state;
    static const char *const detectors[] = { "welford", "ewma", "value_gap", "spot", "pca_stream", "channel_break", "auto_online" };
    static const tcsi_budget budgets[] = { { 0 }, { .count = 20 }, { .count = 5, .per_ns = 86400000000000 } };
    for (size_t channel_count = 1; channel_count <= 3; channel_count += 2) {
        tcsi_frame *frame = make_frame(channel_count, ROWS);
        for (size_t i = 0; i < TCS_COUNT(detectors) * TCS_COUNT(budgets); i++) {
            tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = detectors[i / TCS_COUNT(budgets)], .thread_count = 1,
                                            .train_row_count = TRAIN, .budget = budgets[i % TCS_COUNT(budgets)] };
            check_same(frame, &options);
        }
        tcsi_frame_destroy(frame);
    }
}

/* Inputs that end before the training rows are there are trained like frames of their length. */
static void test_short_inputs(void **state)
{
    (void)state;
    static const size_t counts[] = { 1, 2, 60, 300, 749 };
    for (size_t i = 0; i < TCS_COUNT(counts); i++) {
        tcsi_frame *frame = make_frame(2, counts[i]);
        tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .thread_count = 1 };
        check_same(frame, &options);
        options.detector = "value_gap";
        check_same(frame, &options);
        tcsi_frame_destroy(frame);
    }
}

/* As rows from `first` on, of the frame that starts there. */
static tcs_status push_rows(tcsi_detect_stream *stream, const tcsi_frame *frame, size_t first, size_t end, collected *out, tcs_error *err)
{
    double values[8];
    tcs_status status = TCS_OK;
    memset(out, 0, sizeof *out);
    for (size_t t = first; status == TCS_OK && t < end; t++) {
        tcsi_row row = { .time_ns = frame->times_ns[t], .values = values };
        tcsi_frame_row(frame, t, values);
        status = tcsi_detect_stream_push(stream, &row, frame->labels[t], err);
        if (status == TCS_OK) status = take(stream, out, err);
    }
    return status;
}

/* Saved after `cut` rows and loaded elsewhere, a stream says of all later rows what it would have said.  Was there an episode? */
static bool check_continues(const tcsi_frame *frame, const tcsi_detect_options *options, size_t cut)
{
    static collected before, after, whole;
    tcsi_detect_stream *stream, *loaded, *unbroken;
    tcsi_buffer bytes, again;
    tcsi_buffer_init(&bytes, SIZE_MAX);
    tcsi_buffer_init(&again, SIZE_MAX);
    assert_ok(run_stream(frame, options, &whole, &unbroken, NULL));
    assert_ok(tcsi_detect_stream_create(frame->channel_count, options, &stream, NULL));
    assert_ok(push_rows(stream, frame, 0, cut, &before, NULL));
    assert_ok(tcsi_detect_stream_save(stream, &bytes, NULL));
    assert_ok(tcsi_detect_stream_load(bytes.data, bytes.size, 1, NULL, &loaded, NULL));
    assert_ok(tcsi_detect_stream_save(loaded, &again, NULL));
    assert_int_equal(bytes.size, again.size);
    assert_memory_equal(bytes.data, again.data, bytes.size);
    assert_ok(push_rows(loaded, frame, cut, frame->row_count, &after, NULL));
    assert_int_equal(before.count + after.count, whole.count);
    for (size_t t = 0; t < after.count; t++) {
        const tcs_score *a = &after.scores[t], *b = &whole.scores[cut + t];
        assert_true(a->state == b->state && a->value == b->value && a->p_value == b->p_value && a->evidence == b->evidence);
    }
    assert_memory_equal(after.thresholds, whole.thresholds + cut, after.count * sizeof(double));
    assert_memory_equal(after.anomaly, whole.anomaly + cut, after.count);
    tcsi_stream_episode a, b;
    const bool has_episode = tcsi_detect_stream_episode(loaded, &a);
    assert_true(tcsi_detect_stream_episode(unbroken, &b) || !has_episode);
    if (!has_episode) a = b = (tcsi_stream_episode){ 0 };
    assert_int_equal(a.episode.row_peak, b.episode.row_peak < cut ? 0 : b.episode.row_peak - cut);
    assert_true(a.episode.severity == b.episode.severity && a.time_begin_ns == b.time_begin_ns);
    assert_memory_equal(&a.shares, &b.shares, sizeof a.shares);
    tcsi_buffer_deinit(&bytes);
    tcsi_buffer_deinit(&again);
    tcsi_detect_stream_destroy(stream);
    tcsi_detect_stream_destroy(loaded);
    tcsi_detect_stream_destroy(unbroken);
    return has_episode;
}

static void test_saved_streams_continue(void **state)
{
    (void)state;
    static const char *const detectors[] = { "welford", "value_gap", "pca_stream", "channel_break", "auto_online", "gru_forecaster" };
    static const size_t cuts[] = { TRAIN, 1351, 1930 }; /* 1351: after the first of three spikes; 1930: inside the break */
    size_t with_episode = 0;
    for (size_t channel_count = 1; channel_count <= 3; channel_count += 2) {
        tcsi_frame *frame = make_frame(channel_count, ROWS);
        for (size_t i = 0; i < TCS_COUNT(detectors) * TCS_COUNT(cuts); i++) {
            const tcsi_parameter_value epochs = { "epochs", 2 };
            const char *name = detectors[i / TCS_COUNT(cuts)];
            tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = name, .thread_count = 1, .train_row_count = TRAIN,
                                            .budget = { .count = 20 }, .parameters = &epochs,
                                            .parameter_count = strcmp(name, "gru_forecaster") == 0 };
            with_episode += check_continues(frame, &options, cuts[i % TCS_COUNT(cuts)]);
        }
        tcsi_frame_destroy(frame);
    }
    assert_true(with_episode >= 2 * TCS_COUNT(detectors) * TCS_COUNT(cuts) / 2);
}

/* Whatever is cut off or written over is refused, or is another stream that works. */
static void test_damaged_streams(void **state)
{
    (void)state;
    static collected ignored;
    tcsi_frame *frame = make_frame(3, 700);
    tcsi_detect_options options = { .detector = "pca_stream", .train_row_count = TRAIN, .thread_count = 1 };
    tcsi_detect_stream *stream, *loaded;
    tcsi_buffer bytes;
    tcs_error err;
    tcsi_rng rng = tcsi_rng_make(3, 3);
    tcsi_buffer_init(&bytes, SIZE_MAX);
    assert_ok(tcsi_detect_stream_create(3, &options, &stream, NULL));
    assert_ok(push_rows(stream, frame, 0, TRAIN - 1, &ignored, NULL));
    assert_int_equal(tcsi_detect_stream_save(stream, &bytes, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "training rows"));
    assert_ok(push_rows(stream, frame, TRAIN - 1, 700, &ignored, NULL));
    assert_ok(tcsi_detect_stream_save(stream, &bytes, NULL));
    tcsi_detect_stream_destroy(stream);
    for (size_t size = 0; size < bytes.size; size += 1 + size / 97)
        assert_int_equal(tcsi_detect_stream_load(bytes.data, size, 1, NULL, &loaded, &err), TCS_E_FORMAT);
    for (int i = 0; i < 3000; i++) {
        const size_t at = tcsi_rng_u64(&rng) % bytes.size;
        const char was = bytes.data[at];
        bytes.data[at] = (char)(was ^ (1 << i % 8));
        tcs_status status = tcsi_detect_stream_load(bytes.data, bytes.size, 1, NULL, &loaded, &err);
        bytes.data[at] = was;
        if (status != TCS_OK) continue;
        assert_ok(push_rows(loaded, frame, 0, 200, &ignored, NULL));
        tcsi_detect_stream_destroy(loaded);
    }
    tcsi_buffer_deinit(&bytes);
    tcsi_frame_destroy(frame);
}

static void test_misuse(void **state)
{
    (void)state;
    tcsi_detect_stream *stream;
    tcsi_outcome outcome;
    tcs_error err;
    bool any;
    double value = 1;
    tcsi_row row = { .values = &value };
    tcsi_detect_options options = { .detector = "matrix_profile", .thread_count = 1 };
    assert_int_equal(tcsi_detect_stream_create(1, &options, &stream, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "cannot run online"));
    options.detector = "welford";
    assert_int_equal(tcsi_detect_stream_create(0, &options, &stream, &err), TCS_E_INVALID);
    assert_ok(tcsi_detect_stream_create(1, &options, &stream, NULL));
    assert_ok(tcsi_detect_stream_next(stream, &outcome, &any, NULL));
    assert_false(any);
    assert_ok(tcsi_detect_stream_push(stream, &row, 0, NULL));
    assert_int_equal(tcsi_detect_stream_push(stream, &row, 0, &err), TCS_E_INVALID);
    assert_ok(tcsi_detect_stream_next(stream, &outcome, &any, NULL));
    assert_true(any);
    assert_ok(tcsi_detect_stream_end(stream, NULL));
    assert_int_equal(tcsi_detect_stream_push(stream, &row, 0, &err), TCS_E_INVALID);
    tcsi_detect_stream_destroy(stream);
    options = (tcsi_detect_options){ .detector = "auto", .train_row_count = 5, .thread_count = 1 };
    assert_ok(tcsi_detect_stream_create(1, &options, &stream, NULL));
    assert_ok(tcsi_detect_stream_push(stream, &row, 0, NULL));
    assert_int_equal(tcsi_detect_stream_end(stream, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "5 training rows asked for"));
    tcsi_detect_stream_destroy(stream);
    assert_ok(tcsi_detect_stream_create(1, &options, &stream, NULL));
    assert_int_equal(tcsi_detect_stream_end(stream, &err), TCS_E_INVALID);
    tcsi_detect_stream_destroy(stream);
}

/* A hundred thousand rows hold no more than was stated. */
static void test_memory_is_what_was_stated(void **state)
{
    (void)state;
    tcsi_detect_options options = { .detector = "value_gap", .thread_count = 1 };
    tcsi_detect_stream *stream;
    tcsi_rng rng = tcsi_rng_make(5, 0);
    bool any;
    tcsi_alloc_trace_begin();
    assert_ok(tcsi_detect_stream_create(2, &options, &stream, NULL));
    for (size_t t = 0; t < 100000; t++) {
        double values[2] = { tcsi_rng_normal(&rng), tcsi_rng_normal(&rng) };
        tcsi_row row = { .time_ns = (int64_t)t, .values = values };
        tcsi_outcome outcome;
        assert_ok(tcsi_detect_stream_push(stream, &row, 0, NULL));
        assert_ok(tcsi_detect_stream_next(stream, &outcome, &any, NULL));
        assert_true(any);
        assert_true(tcsi_alloc_trace_stats().live_size <= tcsi_detect_stream_size_max(stream));
    }
    tcsi_detect_stream_destroy(stream);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

static void test_failing_allocations(void **state)
{
    (void)state;
    static collected streamed;
    tcsi_frame *frame = make_frame(3, 300);
    tcsi_detect_options options = { .detector = "channel_break", .train_row_count = 150, .thread_count = 1 };
    tcs_status status = TCS_E_MEMORY;
    for (size_t at = 1; status != TCS_OK; at++) {
        tcsi_detect_stream *stream = NULL;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        status = run_stream(frame, &options, &streamed, &stream, NULL);
        tcsi_alloc_trace_fail_at(0);
        if (status != TCS_OK) assert_int_equal(status, TCS_E_MEMORY);
        tcsi_detect_stream_destroy(stream);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
    }
    tcsi_frame_destroy(frame);
}

/* The first rows of a wide stream are kept to be trained on: no room is taken for those that may never come. */
static void test_wide_rows(void **state)
{
    (void)state;
    enum { CHANNEL_COUNT = 100000 };
    tcsi_detect_options options = { .detector = "auto_online", .thread_count = 1 };
    tcsi_detect_stream *stream;
    double *values = TCSI_NEW_ZEROS(double, CHANNEL_COUNT);
    assert_non_null(values);
    tcsi_alloc_trace_begin();
    assert_ok(tcsi_detect_stream_create(CHANNEL_COUNT, &options, &stream, NULL));
    for (size_t t = 0; t < 2; t++) {
        tcsi_row row = { .time_ns = (int64_t)t, .values = values };
        assert_ok(tcsi_detect_stream_push(stream, &row, 0, NULL));
    }
    size_t bytes = tcsi_alloc_trace_stats().peak_size / CHANNEL_COUNT;
    tcsi_detect_stream_destroy(stream);
    tcsi_alloc_trace_end();
    tcsi_free(values);
    if (bytes > 128) fail_msg("%zu bytes a channel after two rows", bytes);
}

TCS_TEST_MAIN(cmocka_unit_test(test_stream_equals_frame), cmocka_unit_test(test_short_inputs),
              cmocka_unit_test(test_saved_streams_continue),
              cmocka_unit_test(test_damaged_streams), cmocka_unit_test(test_misuse),
              cmocka_unit_test(test_memory_is_what_was_stated), cmocka_unit_test(test_failing_allocations),
              cmocka_unit_test(test_wide_rows))
