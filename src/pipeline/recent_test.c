/* pipeline/recent_test.c -- what a stream says of an episode is what a detection of the rows so far says.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "pipeline/explain.h"
#include "pipeline/recent.h"

enum { ROWS = 2500, TRAIN = 400, LONG = 2 * TCSI_RECENT_ROWS + 3000 };

static const char *const names[] = { "pressure", "flow", "level" };

/* Waves with gaps, spikes, a level that shifts for a while and comes back. */
static tcsi_frame *make_frame(size_t channel_count, size_t row_count)
{
    tcsi_frame *frame;
    tcsi_rng rng = tcsi_rng_make(32, channel_count);
    assert_ok(tcsi_frame_create(channel_count, row_count, true, false, &frame, test_err));
    for (size_t c = 0; c < channel_count; c++) assert_ok(tcsi_frame_channel_rename(frame, c, names[c], test_err));
    for (size_t t = 0; t < row_count; t++) {
        double row[3];
        for (size_t c = 0; c < channel_count; c++) {
            row[c] = 20 + sin((double)t / 9) + 0.2 * tcsi_rng_normal(&rng) + (t % 700 == 650 + c ? 9 : 0);
            if (t % 1000 >= 900 && t % 1000 < 940 && c == 0) row[c] += 5;
            if ((t * 7 + c) % 101 == 0) row[c] = NAN;
        }
        assert_ok(tcsi_frame_append(frame, row, 1767571200000000000 + (int64_t)t * 60000000000, 0, test_err));
    }
    return frame;
}

static tcsi_detect_stream *make_stream(const tcsi_frame *frame, const tcsi_detect_options *options)
{
    tcsi_detect_stream *stream;
    assert_ok(tcsi_detect_stream_create(frame->channel_count, options, &stream, test_err));
    assert_ok(tcsi_detect_stream_remember(stream, names, true, test_err));
    return stream;
}

static void push(tcsi_detect_stream *stream, const tcsi_frame *frame, size_t t)
{
    double values[3];
    const tcsi_row row = { .time_ns = frame->times_ns[t], .values = values };
    tcsi_frame_row(frame, t, values);
    assert_ok(tcsi_detect_stream_push(stream, &row, 0, test_err));
}

static bool next(tcsi_detect_stream *stream, tcsi_outcome *ret_outcome)
{
    bool any;
    assert_ok(tcsi_detect_stream_next(stream, ret_outcome, &any, test_err));
    return any;
}

/* As JSON, but for the time it took. */
static void put_text(const tcsi_subject *subject, tcsi_explanation *e, tcsi_buffer *ret_text)
{
    tcsi_json_writer writer;
    tcsi_buffer_init(ret_text, SIZE_MAX);
    tcsi_json_writer_init(&writer, ret_text, true);
    e->seconds = 0;
    tcsi_explanation_write_json(&writer, subject, e);
    assert_ok(tcsi_json_finish(&writer, test_err));
}

/* What a frame of the rows so far says of its last episode, with the stream's shares. */
static void explain_prefix(const tcsi_frame *frame, size_t row_count, const tcsi_detect_options *options, const tcsi_episode_shares *shares,
                           tcsi_buffer *ret_text)
{
    const tcsi_frame prefix = tcsi_frame_view(frame, 0, row_count);
    tcsi_detection *detection;
    tcsi_explanation e;
    assert_ok(tcsi_detect(&prefix, options, &detection, test_err));
    const size_t last = detection->decision.episode_count - 1;
    if (!detection->shares) detection->shares = TCSI_NEW_ZEROS(tcsi_episode_shares, last + 1);
    detection->shares[last] = *shares;
    assert_ok(tcsi_detection_explain_briefly(detection, last, &e, test_err));
    const tcsi_subject subject = tcsi_detection_subject(detection);
    put_text(&subject, &e, ret_text);
    tcsi_explanation_deinit(&e);
    tcsi_detection_destroy(detection);
}

static void check_same(tcsi_detect_stream *stream, const tcsi_frame *frame, size_t row_count, const tcsi_detect_options *options)
{
    tcsi_subject subject;
    tcsi_explanation e;
    tcsi_stream_episode last;
    tcsi_buffer live, replayed;
    assert_ok(tcsi_detect_stream_explain(stream, &subject, &e, test_err));
    assert_true(tcsi_detect_stream_episode(stream, &last));
    put_text(&subject, &e, &live);
    explain_prefix(frame, row_count, options, &last.shares, &replayed);
    assert_string_equal(live.data, replayed.data);
    tcsi_explanation_deinit(&e);
    tcsi_buffer_deinit(&live);
    tcsi_buffer_deinit(&replayed);
}

/* At the row that confirms an episode, and at the one that closes it. */
static void test_live_is_replay(void **state)
{
    (void)state;
    static const struct { const char *detector; size_t channels; tcsi_budget budget; } cases[] = {
        { "ewma", 3, { 0 } }, { "welford", 1, { .count = 20 } }, { "ewma", 3, { .count = 20, .kind = TCSI_POLICY_EVIDENCE } },
        { "auto_online", 3, { 0 } }, { "channel_break", 3, { .count = 20 } },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = cases[i].detector, .thread_count = 1,
                                              .train_row_count = TRAIN, .budget = cases[i].budget };
        tcsi_frame *frame = make_frame(cases[i].channels, ROWS);
        tcsi_detect_stream *stream = make_stream(frame, &options);
        tcsi_outcome outcome;
        size_t told = 0;
        for (size_t t = 0; t < ROWS; t++) {
            push(stream, frame, t);
            while (next(stream, &outcome)) {
                tcsi_stream_episode last;
                if (outcome.verdict.event == TCSI_EPISODE_NONE || !tcsi_detect_stream_episode(stream, &last)) continue;
                const bool confirms = last.episode.state == TCSI_EPISODE_CONFIRMED && last.episode.row_confirmed == outcome.row.sequence;
                if (!confirms && outcome.verdict.event != TCSI_EPISODE_CLOSED) continue;
                told++;
                check_same(stream, frame, (size_t)outcome.row.sequence + 1, &options);
            }
        }
        print_message("# %s, %zu channels: %zu explanations are the same\n", cases[i].detector, cases[i].channels, told);
        assert_true(told >= 3);
        tcsi_detect_stream_destroy(stream);
        tcsi_frame_destroy(frame);
    }
}

/* The last rows, whatever came before: as they are in a detection of all of them. */
static void check_kept(const tcsi_subject *kept, const tcsi_detection *whole, size_t row_count)
{
    const size_t first = kept->row_base, count = kept->frame->row_count, end = first + count;
    const tcsi_policy_result *a = kept->decision, *b = &whole->decision;
    assert_int_equal(end, row_count);
    assert_int_equal(count, row_count < TCSI_RECENT_ROWS ? row_count : TCSI_RECENT_ROWS);
    for (size_t c = 0; c < kept->frame->channel_count; c++)
        assert_memory_equal(tcsi_frame_column(kept->frame, c), tcsi_frame_column(whole->frame, c) + first, count * sizeof(double));
    assert_memory_equal(kept->frame->times_ns, whole->frame->times_ns + first, count * sizeof(int64_t));
    assert_memory_equal(a->thresholds, b->thresholds + first, count * sizeof(double));
    assert_memory_equal(a->anomaly, b->anomaly + first, count);
    for (size_t t = 0; t < count; t++)
        assert_true(kept->scores[t].value == whole->scores[first + t].value && kept->scores[t].p_value == whole->scores[first + t].p_value);
    size_t from = 0;
    while (b->episodes[from].row_begin < first) from++;
    for (size_t i = 0; i + 1 < a->episode_count; i++) {
        assert_int_equal(a->episodes[i].row_begin + first, b->episodes[from + i].row_begin);
        assert_int_equal(a->episodes[i].row_end + first, b->episodes[from + i].row_end);
    }
    assert_int_equal(a->episodes[a->episode_count - 1].row_begin + first, b->episodes[from + a->episode_count - 1].row_begin);
}

static void test_the_last_rows_are_kept(void **state)
{
    (void)state;
    const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = "welford", .thread_count = 1, .train_row_count = TRAIN,
                                          .budget = { .count = 20 } };
    tcsi_frame *frame = make_frame(2, LONG);
    tcsi_detect_stream *stream = make_stream(frame, &options);
    tcsi_detection *whole;
    tcsi_outcome outcome;
    size_t checked = 0;
    assert_ok(tcsi_detect(frame, &options, &whole, test_err));
    for (size_t t = 0; t < LONG; t++) {
        tcsi_subject subject;
        tcsi_explanation e;
        push(stream, frame, t);
        while (next(stream, &outcome))
            if (outcome.verdict.event == TCSI_EPISODE_CLOSED) {
                assert_ok(tcsi_detect_stream_explain(stream, &subject, &e, test_err));
                check_kept(&subject, whole, t + 1);
                assert_int_equal(e.rows.end + subject.row_base, whole->decision.episodes[checked++].row_end);
                tcsi_explanation_deinit(&e);
            }
    }
    assert_true(checked > 10 && checked >= whole->decision.episode_count - 1);
    tcsi_detection_destroy(whole);
    tcsi_detect_stream_destroy(stream);
    tcsi_frame_destroy(frame);
}

/* Of an episode longer than what is kept the last rows are looked at; of one that is long over nothing is said. */
static void test_long_and_old_episodes(void **state)
{
    (void)state;
    static const char *const one[] = { "level" };
    const tcsi_recent_options options = { .channel_count = 1, .names = one, .has_times = true };
    const tcsi_episode endless = { .row_begin = 100, .row_end = LONG, .row_peak = 200 }, old = { .row_begin = 100, .row_end = 200 };
    tcsi_recent *recent;
    tcsi_subject subject;
    assert_ok(tcsi_recent_create(&options, &recent, test_err));
    for (size_t t = 0; t < LONG; t++) {
        const double value = (double)t;
        const tcsi_row row = { .sequence = t, .time_ns = (int64_t)t, .values = &value };
        tcsi_recent_push(recent, &row, &(tcs_score){ .state = TCS_SCORE_READY }, &(tcsi_verdict){ .anomaly = t >= 100 });
    }
    assert_true(tcsi_recent_subject(recent, &endless, false, &subject));
    assert_int_equal(subject.decision->episodes[0].row_begin, 0);
    assert_int_equal(subject.decision->episodes[0].row_end, TCSI_RECENT_ROWS);
    assert_false(tcsi_recent_subject(recent, &old, false, &subject));
    for (size_t i = 0; i < 2 * TCSI_RECENT_EPISODES; i++) {
        const tcsi_episode passed = { .row_begin = LONG - 1000 + i, .row_end = LONG - 999 + i };
        tcsi_recent_close(recent, &passed);
    }
    const tcsi_episode last = { .row_begin = LONG - 2, .row_end = LONG };
    assert_true(tcsi_recent_subject(recent, &last, false, &subject));
    assert_int_equal(subject.decision->episode_count, TCSI_RECENT_EPISODES + 1);
    assert_int_equal(subject.decision->episodes[0].row_begin + subject.row_base, LONG - 1000 + TCSI_RECENT_EPISODES);
    tcsi_recent_destroy(recent);
}

static void test_misuse(void **state)
{
    (void)state;
    const tcsi_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = "welford", .thread_count = 1 };
    tcsi_frame *frame = make_frame(1, 10);
    tcsi_detect_stream *stream;
    tcsi_subject subject;
    tcsi_explanation e;
    tcsi_outcome outcome;
    assert_ok(tcsi_detect_stream_create(1, &options, &stream, test_err));
    assert_int_equal(tcsi_detect_stream_explain(stream, &subject, &e, NULL), TCS_E_UNSUPPORTED);
    push(stream, frame, 0);
    while (next(stream, &outcome)) continue;
    assert_int_equal(tcsi_detect_stream_remember(stream, names, true, NULL), TCS_E_INVALID);
    tcsi_detect_stream_destroy(stream);
    stream = make_stream(frame, &options);
    assert_int_equal(tcsi_detect_stream_explain(stream, &subject, &e, NULL), TCS_E_INVALID); /* no episode yet */
    assert_int_equal(tcsi_detect_stream_remember(stream, names, true, NULL), TCS_E_INVALID);
    tcsi_detect_stream_destroy(stream);
    assert_int_equal(tcsi_recent_row_count((size_t)1 << 20), 0);
    assert_int_equal(tcsi_recent_row_count(1), TCSI_RECENT_ROWS);
    tcsi_frame_destroy(frame);
}

/* Rows are remembered without allocating, in what was stated, and a failing allocation leaves nothing behind. */
static void test_memory(void **state)
{
    (void)state;
    const tcsi_recent_options options = { .channel_count = 3, .names = names, .has_times = true, .adds_up = true };
    tcsi_recent *recent = NULL;
    tcsi_alloc_trace_begin();
    for (size_t at = 1; !recent; at++) {
        tcsi_alloc_trace_fail_at(at);
        if (tcsi_recent_create(&options, &recent, NULL) != TCS_OK) assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_fail_at(0);
    }
    const tcsi_alloc_stats before = tcsi_alloc_trace_stats();
    assert_true(before.live_size <= tcsi_recent_size_max(3, 0) + 256);
    for (size_t t = 0; t < LONG; t++) {
        const double values[3] = { 1, 2, 3 };
        tcsi_recent_push(recent, &(tcsi_row){ .values = values }, &(tcs_score){ .value = 1 }, &(tcsi_verdict){ .sum = 2 });
    }
    assert_int_equal(tcsi_alloc_trace_stats().total_count, before.total_count);
    tcsi_recent_destroy(recent);
    assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
    tcsi_alloc_trace_end();
}

TCS_TEST_MAIN(cmocka_unit_test(test_live_is_replay), cmocka_unit_test(test_the_last_rows_are_kept),
              cmocka_unit_test(test_long_and_old_episodes), cmocka_unit_test(test_misuse), cmocka_unit_test(test_memory))
