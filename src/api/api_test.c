/* api/api_test.c -- the public interface as a stranger uses it: well, wrongly, without memory, and from two threads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/buffer.h"
#include "base/file.h"
#include "tocsin/tocsin.h"

#include <pthread.h>

enum { ROWS = 240, SPIKE = 170, SPIKE_ROWS = 4 };

/* A sine with a spike; the channels differ in phase.  One row a second. */
static tcs_frame *make_frame(size_t channel_count, size_t row_count, bool has_times)
{
    tcs_frame *frame = NULL;
    double row[300];
    assert_true(channel_count <= TCS_COUNT(row));
    assert_ok(tcs_frame_create(channel_count, NULL, has_times, true, &frame, test_err));
    for (size_t t = 0; t < row_count; t++) {
        bool spike = t >= SPIKE && t < SPIKE + SPIKE_ROWS;
        for (size_t c = 0; c < channel_count; c++)
            row[c] = sin((double)t * 0.26 + (double)c) + 0.05 * sin((double)(t * t) * 1.7) + (spike && c == 0 ? 8 : 0);
        assert_ok(tcs_frame_append(frame, row, 1700000000000000000 + (int64_t)t * 1000000000, spike, test_err));
    }
    return frame;
}

static char *temporary_path(const char *name)
{
    static char path[4096];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/tocsin-api-%ld-%s", folder ? folder : "/tmp", (long)getpid(), name);
    return path;
}

static char *read_text(const char *path)
{
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    char *text = calloc(1, 1 << 20);
    size_t size = fread(text, 1, (1 << 20) - 1, stream);
    text[size] = 0;
    fclose(stream);
    return text;
}

static void write_text(const char *path, const char *text)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0 && fclose(stream) == 0);
}

/* ---- used well ---- */

static void test_frame_holds_what_was_put_in(void **state)
{
    (void)state;
    const char *const names[] = { "flow", "pressure" };
    tcs_frame *frame;
    assert_ok(tcs_frame_create(2, names, true, true, &frame, test_err));
    assert_ok(tcs_frame_append(frame, (const double[]){ 1, NAN }, 5, 0, test_err));
    assert_ok(tcs_frame_append(frame, (const double[]){ 2, 4 }, 5, 7, test_err)); /* equal times are fine; a label is 0 or 1 */
    assert_int_equal(tcs_frame_row_count(frame), 2);
    assert_int_equal(tcs_frame_channel_count(frame), 2);
    assert_string_equal(tcs_frame_channel_name(frame, 1), "pressure");
    assert_null(tcs_frame_channel_name(frame, 2));
    assert_null(tcs_frame_values(frame, 2));
    assert_true(isnan(tcs_frame_values(frame, 1)[0]) && tcs_frame_values(frame, 1)[1] == 4);
    assert_int_equal(tcs_frame_times_ns(frame)[1], 5);
    assert_int_equal(tcs_frame_labels(frame)[1], 1);
    assert_true(tcs_frame_has_real_times(frame) && !tcs_frame_is_tabular(frame));
    tcs_error err;
    assert_int_equal(TCS_E_INVALID, tcs_frame_append(frame, (const double[]){ 3, 3 }, 4, 0, &err));
    assert_string_equal(err.text, "row 2 is earlier than the row before it: append rows in order of time");
    assert_int_equal(tcs_frame_row_count(frame), 2);
    tcs_frame_destroy(frame);
}

/* An online alarm may need to see more rows first. */
static void check_episodes(const tcs_result *result, bool has_times)
{
    size_t lag = tcs_result_mode(result) == TCS_MODE_ONLINE ? 20 : 0;
    bool found = false;
    size_t count = tcs_result_episode_count(result);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        tcs_episode episode = tcs_result_episode(result, i);
        assert_true(episode.row_begin <= episode.row_peak && episode.row_peak < episode.row_end && episode.row_end <= ROWS);
        assert_true(episode.severity >= 0 && episode.severity <= 100 && episode.p_value > 0 && episode.p_value <= 1);
        assert_true(i == 0 || episode.severity <= tcs_result_episode(result, i - 1).severity);
        assert_true(episode.share_count <= TCS_SHARE_COUNT_MAX);
        assert_int_equal(episode.time_begin_ns, has_times ? 1700000000000000000 + (int64_t)episode.row_begin * 1000000000 : 0);
        for (size_t t = episode.row_begin; t < episode.row_end; t++) assert_int_equal(tcs_result_anomalies(result)[t], 1);
        found |= episode.row_begin < SPIKE + SPIKE_ROWS + lag && episode.row_end > SPIKE;
    }
    if (!found) fail_msg("%s: no episode holds the spike; the worst is [%zu, %zu)", tcs_result_detector(result),
                         tcs_result_episode(result, 0).row_begin, tcs_result_episode(result, 0).row_end);
}

static void check_explanation(tcs_explanation *explanation, const tcs_result *result, size_t rank, bool is_brief)
{
    const tcs_episode episode = tcs_result_episode(result, rank);
    const size_t count = tcs_explanation_channel_count(explanation);
    size_t begin, rows;
    const double *shares = tcs_explanation_shares(explanation, &begin, &rows);
    const tcs_counterfactual change = tcs_explanation_counterfactual(explanation);
    const char *text;
    double sum = 0;
    assert_true(strlen(tcs_explanation_sentence(explanation)) > 0);
    for (size_t i = 0; i < count; i++) {
        const tcs_explained_channel c = tcs_explanation_channel(explanation, i);
        assert_true(c.share >= 0 && c.share <= 1 + 1e-9 && strlen(c.kind) > 0);
        assert_true(c.row_worst >= episode.row_begin && c.row_worst < episode.row_end);
        assert_true(c.band_begin <= episode.row_begin && c.band_begin + c.band_count >= episode.row_end);
        for (size_t k = 0; k < c.band_count; k++) assert_true(c.band_low[k] <= c.band_expected[k] && c.band_expected[k] <= c.band_high[k]);
    }
    assert_true(is_brief == !shares && is_brief == !change.asked);
    for (size_t i = 0; shares && i < rows * 2; i++) sum += shares[i];
    if (shares) assert_near(1, sum, 1e-9);
    if (shares) assert_true(begin == episode.row_begin && begin + rows == episode.row_end);
    if (change.found) assert_true(change.score_after <= change.score_before && change.share > 0 && change.share <= 1);
    assert_ok(tcs_explanation_json(explanation, true, &text, test_err));
    assert_non_null(strstr(text, "\"schema\": \"tocsin/explanation/1\""));
}

static void test_explains(void **state)
{
    (void)state;
    static const tcs_explain_options brief = { .brief = true }, whole = { .counterfactual = true };
    for (int keep = 0; keep < 2; keep++) {
        tcs_frame *frame = make_frame(2, ROWS, true);
        const tcs_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = "ewma", .thread_count = 1, .explain = keep };
        tcs_result *result;
        tcs_explanation *explanations[2] = { NULL };
        tcs_explained_value values[2];
        tcs_error err;
        assert_ok(tcs_detect(frame, &options, &result, test_err));
        const size_t count = tcs_result_episode_count(result), ranks[2] = { 0, count - 1 }, wrong = count;
        assert_true(count > 0);
        assert_ok(tcs_result_label(result, 0, ROWS, "a text", test_err));
        assert_ok(tcs_result_label(result, 0, ROWS, "another", test_err));
        assert_int_equal(TCS_E_INVALID, tcs_result_label(result, 0, ROWS + 1, "beyond", &err));
        assert_int_equal(TCS_E_INVALID, tcs_result_label(result, 3, 3, "none", &err));
        assert_int_equal(TCS_E_INVALID, tcs_result_label(result, 0, 1, "", &err));
        assert_ok(tcs_result_explain(result, ranks, 2, &brief, explanations, test_err));
        for (size_t i = 0; i < 2; i++) {
            check_explanation(explanations[i], result, ranks[i], true);
            tcs_explanation_destroy(explanations[i]);
        }
        const tcs_status status = tcs_result_explain(result, ranks, 2, &whole, explanations, &err);
        assert_int_equal(status, keep ? TCS_OK : TCS_E_INVALID);
        for (size_t i = 0; i < 2 && keep; i++) {
            check_explanation(explanations[i], result, ranks[i], false);
            tcs_explanation_destroy(explanations[i]);
        }
        assert_ok(tcs_result_explain_row(result, SPIKE, values, test_err));
        assert_true(values[0].value > values[0].high || values[0].value < values[0].low);
        assert_true(keep == !isnan(values[0].share));
        assert_int_equal(TCS_E_INVALID, tcs_result_explain(result, &wrong, 1, &brief, explanations, &err));
        assert_int_equal(TCS_E_INVALID, tcs_result_explain_row(result, ROWS, values, &err));
        tcs_result_destroy(result);
        tcs_frame_destroy(frame);
    }
    int64_t time_ns = 0;
    assert_ok(tcs_time_parse("2026-05-03T14:02:00Z", &time_ns, test_err));
    assert_true(time_ns == INT64_C(1777816920000000000));
    assert_int_equal(TCS_E_INVALID, tcs_time_parse("noon", &time_ns, NULL));
}

/* ---- reports ---- */

static size_t count_in(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what)) count++;
    return count;
}

static void read_report(const tcs_result *result, tcsi_buffer *html)
{
    char path[64];
    snprintf(path, sizeof path, "api-report-%ld.html", (long)getpid());
    assert_ok(tcs_result_report_write(result, "title", path, test_err));
    tcsi_buffer_clear(html);
    assert_ok(tcsi_file_read(path, html, test_err));
    unlink(path);
}

/* Each episode in words and with a page; what scores rows again only where the detector was kept. */
/* Rows are those of the stream, also when the first are no longer remembered. */
static void test_streams_explain(void **state)
{
    (void)state;
    enum { LONG = 40000 };
    tcs_stream *stream;
    tcs_explanation *explanation;
    tcs_outcome outcome;
    tcs_error err;
    const char *text;
    bool any;
    size_t told = 0;
    assert_ok(tcs_stream_create(1, NULL, true, &(tcs_detect_options){ .detector = "welford", .thread_count = 1 }, &stream, test_err));
    assert_int_equal(TCS_E_UNSUPPORTED, tcs_stream_explain(stream, &explanation, &err));
    assert_ok(tcs_stream_remember(stream, test_err));
    assert_int_equal(TCS_E_INVALID, tcs_stream_explain(stream, &explanation, &err));
    for (size_t t = 0; t < LONG; t++) {
        const double value = (double)(t * 2654435761u % 1000) / 1000 + (t == LONG - 100 ? 50 : 0);
        assert_ok(tcs_stream_push(stream, &value, (int64_t)t * 1000000000, 0, test_err));
        assert_ok(tcs_stream_next(stream, &outcome, &any, test_err));
        if (outcome.event != TCS_EPISODE_OPENED || t < LONG / 2) continue;
        assert_ok(tcs_stream_explain(stream, &explanation, test_err));
        const tcs_explained_channel c = tcs_explanation_channel(explanation, 0);
        assert_int_equal(c.row_worst, LONG - 100);
        assert_true(c.row_begin == t && c.row_end == t + 1 && c.value > c.high && c.band_begin <= t && c.band_begin + c.band_count > t);
        assert_ok(tcs_explanation_json(explanation, false, &text, test_err));
        assert_non_null(strstr(text, "\"row_onset\":39900"));
        tcs_explanation_destroy(explanation);
        told++;
    }
    assert_int_equal(told, 1);
    assert_int_equal(TCS_E_INVALID, tcs_stream_remember(stream, &err));
    tcs_stream_destroy(stream);
}

static void test_reports_explain(void **state)
{
    (void)state;
    tcsi_buffer html;
    tcsi_buffer_init(&html, (size_t)1 << 26);
    for (int keep = 0; keep < 2; keep++) {
        tcs_frame *frame = make_frame(2, ROWS, true);
        const tcs_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = "ewma", .thread_count = 1, .explain = keep };
        tcs_result *result;
        assert_ok(tcs_detect(frame, &options, &result, test_err));
        const size_t count = tcs_result_episode_count(result);
        tcs_explanation *explanation;
        assert_ok(tcs_result_explain(result, (const size_t[]){ 0 }, 1, &(tcs_explain_options){ .brief = true }, &explanation, test_err));
        read_report(result, &html);
        assert_int_equal(count_in(html.data, "id=\"data-episode-"), count);
        if (!keep) assert_non_null(strstr(html.data, tcs_explanation_sentence(explanation)));
        assert_true(keep == (count_in(html.data, "\"found\":true") > 0));
        assert_true(keep == (count_in(html.data, "\"heat\":{") > 0));
        assert_true(count_in(html.data, "<span class=\"state\">") == count && count_in(html.data, "\"expecteds\":[") > 0);
        assert_non_null(strstr(html.data, tcs_result_assumed(result)));
        assert_non_null(strstr(html.data, "<dt>Promised</dt><dd>at most "));
        assert_true(count_in(html.data, "\"reliability\":null") == (tcs_frame_labels(frame) ? 0 : 1));
        tcs_explanation_destroy(explanation);
        tcs_result_destroy(result);
        tcs_frame_destroy(frame);
    }
    tcsi_buffer_deinit(&html);
}

/* With labels: false alarms are counted, and probabilities held against what came. */
static void test_reports_what_came(void **state)
{
    (void)state;
    tcsi_buffer html;
    tcs_frame *frame;
    tcs_result *result;
    tcsi_buffer_init(&html, (size_t)1 << 26);
    assert_ok(tcs_simulate("pump", 8000, 3, &frame, test_err));
    const tcs_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = "ewma", .thread_count = 1 };
    assert_ok(tcs_detect(frame, &options, &result, test_err));
    const uint8_t *labels = tcs_frame_labels(frame);
    size_t beside = 0, count = tcs_result_episode_count(result);
    char expected[96];
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        const tcs_episode episode = tcs_result_episode(result, i);
        bool touches = false;
        for (size_t t = episode.row_begin; t < episode.row_end; t++) touches |= labels[t];
        beside += !touches;
    }
    read_report(result, &html);
    snprintf(expected, sizeof expected, "<dt>False ones among them</dt><dd>%zu of %zu, which touch no labelled row", beside, count);
    assert_non_null(strstr(html.data, expected));
    assert_non_null(strstr(html.data, "\"reliability\":{\"ece\":0."));
    assert_non_null(strstr(html.data, "<dt>p-values of rows not labelled</dt><dd>off by at most 0."));
    assert_non_null(strstr(html.data, "<dt>Share of anomalous rows</dt><dd>1 %: no label was learned from"));
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
    tcsi_buffer_deinit(&html);
}

/* A detector that looks at some channels only says so. */
static void test_names_what_it_leaves_out(void **state)
{
    (void)state;
    static const size_t channels[] = { 256, 257 };
    for (size_t i = 0; i < TCS_COUNT(channels); i++) {
        tcs_frame *frame = make_frame(channels[i], 40, false);
        tcs_detect_options options = { .mode = TCS_MODE_ONLINE, .thread_count = 1 };
        tcs_result *result;
        assert_ok(tcs_detect(frame, &options, &result, test_err));
        bool says = strstr(tcs_result_assumed(result), "; at most 256 of 257 channels are looked at");
        assert_true(says == (channels[i] > 256));
        tcs_result_destroy(result);
        tcs_frame_destroy(frame);
    }
}

static void test_detects(void **state)
{
    (void)state;
    for (int which = 0; which < 4; which++) {
        bool has_times = which & 1, online = which & 2;
        tcs_frame *frame = make_frame(2, ROWS, has_times);
        tcs_detect_options options = { .mode = online ? TCS_MODE_ONLINE : TCS_MODE_OFFLINE, .thread_count = 1 };
        tcs_result *result;
        assert_ok(tcs_detect(frame, &options, &result, test_err));
        assert_int_equal(tcs_result_mode(result), options.mode);
        assert_true(strncmp(tcs_result_detector(result), "auto_", 5) == 0);
        assert_true(tcs_result_train_row_count(result) < ROWS && tcs_result_budget(result) > 0 && tcs_result_seconds(result) >= 0);
        const char *assumed = tcs_result_assumed(result);
        bool names_budget = strstr(assumed, "false alarm"), names_own = strstr(assumed, "own threshold");
        assert_true(names_own == tcs_result_own_threshold(result) && names_budget == !names_own);
        for (size_t t = 0; t < ROWS; t++) {
            tcs_score score = tcs_result_scores(result)[t];
            if (score.state == TCS_SCORE_READY) assert_true(isfinite(score.value) && score.p_value > 0 && score.p_value <= 1);
            assert_false(isnan(tcs_result_thresholds(result)[t]));
        }
        check_episodes(result, has_times);
        tcs_result_destroy(result);
        tcs_frame_destroy(frame);
    }
}

/* The labelled spike is among the training rows, for those that need it. */
static void test_every_detector_by_name_with_a_parameter(void **state)
{
    (void)state;
    enum { TRAIN_ROWS = SPIKE + 40 };
    size_t told = 0;
    tcs_frame *frame = make_frame(2, ROWS, true);
    for (size_t i = 0; i < tcs_detector_count(); i++) {
        tcs_detector_description d = tcs_detector_describe(i);
        char text[128] = "";
        const char *parameters[] = { text };
        tcs_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = d.name, .train_row_count = TRAIN_ROWS,
                                       .parameters = parameters, .thread_count = 1 };
        if (d.parameter_count > 0) {
            tcs_detector_parameter p = tcs_detector_parameter_describe(i, 0);
            snprintf(text, sizeof text, "%s=%.17g", p.name, p.value_default);
            options.parameter_count = 1;
            assert_true(p.value_min <= p.value_default && p.value_default <= p.value_max && *p.help);
        }
        tcs_result *result = NULL;
        tcs_error err;
        tcs_status status = tcs_detect(frame, &options, &result, &err);
        if (status != TCS_OK) fail_msg("%s: %s", d.name, err.text);
        assert_string_equal(tcs_result_detector(result), d.name);
        told += tcs_result_told_row_count(result) == TRAIN_ROWS;
        tcs_result_destroy(result);
    }
    assert_true(told > 0 && told < tcs_detector_count());
    tcs_frame_destroy(frame);
}

static void test_writes_files(void **state)
{
    (void)state;
    tcs_frame *frame = make_frame(2, ROWS, true);
    tcs_result *result;
    assert_ok(tcs_detect(frame, NULL, &result, test_err));
    char *path = temporary_path("scores.csv");
    assert_ok(tcs_result_scores_write(result, path, test_err));
    char *text = read_text(path);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++) lines++;
    assert_int_equal(lines, ROWS + 1);
    assert_int_equal(strncmp(text, "row,time,score,p_value,state,anomaly", 36), 0);
    free(text);
    unlink(path);
    path = temporary_path("episodes.ndjson");
    assert_ok(tcs_result_episodes_write(result, path, test_err));
    text = read_text(path);
    assert_int_equal(strncmp(text, "{\"rank\":1,", 10), 0);
    free(text);
    unlink(path);
    tcs_error err;
    assert_int_equal(TCS_E_IO, tcs_result_scores_write(result, "/nowhere/at/all.csv", &err));
    assert_non_null(strstr(err.text, "/nowhere/at/all.csv"));
    assert_int_equal(TCS_E_IO, tcs_result_episodes_write(result, "/nowhere/at/all.csv", &err));
    assert_int_equal(TCS_E_IO, tcs_frame_write(frame, "/nowhere/at/all.csv", &err));
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
}

/* Detection runs in order of time; the scores file keeps the input's rows and order, and drops none. */
static void test_rows_out_of_order(void **state)
{
    (void)state;
    static const int order[] = { 4, 0, 2, 2, 1, 3, 5, 6, 7, 8, 9, 10 }; /* two rows with one stamp */
    char *path = temporary_path("order.csv"), text[1024] = "time,v\n";
    for (size_t i = 0; i < TCS_COUNT(order); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "2024-01-01T00:00:%02dZ,%d\n", order[i], (int)(100 * order[i] + (int)i));
    write_text(path, text);
    tcs_frame *frame, *kept;
    assert_ok(tcs_frame_read(path, NULL, &frame, test_err));
    assert_ok(tcs_frame_read(path, &(tcs_read_options){ .keep_order = true }, &kept, test_err));
    unlink(path);
    assert_int_equal(tcs_frame_row_count(frame), TCS_COUNT(order));
    static const double sorted[] = { 1, 104, 202, 203, 305, 400, 506, 607, 708, 809, 910, 1011 };
    bool noted = false;
    for (size_t i = 0; i < tcs_frame_note_count(frame); i++)
        noted |= strstr(tcs_frame_note(frame, i), "times went backward: 5 rows") != NULL;
    assert_true(noted);
    for (size_t i = 0; i < TCS_COUNT(order); i++) {
        assert_true(tcs_frame_values(frame, 0)[i] == sorted[i]);
        assert_true(tcs_frame_values(kept, 0)[i] == 100 * order[i] + (int)i);
        assert_true(i == 0 || tcs_frame_times_ns(frame)[i] >= tcs_frame_times_ns(frame)[i - 1]);
    }
    tcs_result *result;
    tcs_detect_options options = { .mode = TCS_MODE_ONLINE, .detector = "welford", .thread_count = 1 };
    assert_ok(tcs_detect(frame, &options, &result, test_err));
    path = temporary_path("order-scores.csv");
    assert_ok(tcs_result_scores_write(result, path, test_err));
    char *written = read_text(path), line[64];
    unlink(path);
    const char *at = strchr(written, '\n');
    for (size_t i = 0; i < TCS_COUNT(order); i++, at = strchr(at + 1, '\n')) {
        int length = snprintf(line, sizeof line, "\n%zu,2024-01-01T00:00:%02dZ,", i, order[i]);
        assert_int_equal(strncmp(at, line, (size_t)length), 0);
    }
    assert_string_equal(at, "\n");
    free(written);
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
    tcs_frame_destroy(kept);
}

static void test_simulates_and_evaluates(void **state)
{
    (void)state;
    tcs_frame *frame;
    assert_ok(tcs_simulate("pump", 500, 3, &frame, test_err));
    assert_int_equal(tcs_frame_row_count(frame), 500);
    assert_non_null(tcs_frame_labels(frame));
    tcs_frame_destroy(frame);
    double scores[100], values[256];
    uint8_t labels[100] = { 0 };
    for (int i = 0; i < 100; i++) scores[i] = labels[i] = i >= 60 && i < 70;
    assert_true(tcs_measure_count() <= TCS_COUNT(values));
    assert_ok(tcs_evaluate(scores, labels, 100, NULL, values, test_err));
    for (size_t i = 0; i < tcs_measure_count(); i++)
        if (strcmp(tcs_measure_describe(i).key, "auc_roc") == 0) assert_near(1, values[i], 0);
}

/* ---- used wrongly ---- */

/* Six series of noise, one of which holds an event. */
static void test_judges_series_together(void **state)
{
    (void)state;
    const tcs_detect_options options = { .mode = TCS_MODE_OFFLINE, .detector = "ewma", .thread_count = 1 };
    static const char *const methods[] = { NULL, "by", "lord", "e-bh" };
    tcs_error err;
    tcs_joint *joint;
    tcs_joint_summary summary;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        assert_ok(tcs_joint_create(methods[m], 0.1, &joint, test_err));
        for (uint64_t s = 0; s < 6; s++) {
            tcs_frame *frame;
            tcs_result *result;
            uint64_t noise = 88172645463325252u + s;
            assert_ok(tcs_frame_create(1, NULL, false, false, &frame, test_err));
            for (size_t t = 0; t < 3000; t++) {
                double value = s == 4 && t >= 2000 && t < 2010 ? 80 : 0;
                for (int i = 0; i < 12; i++) { /* a sum of twelve: nearly normal */
                    noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
                    value += (double)(noise >> 11) * 0x1p-53 - 0.5;
                }
                assert_ok(tcs_frame_append(frame, &value, 0, 0, test_err));
            }
            assert_ok(tcs_detect(frame, &options, &result, test_err));
            assert_ok(tcs_joint_add(joint, result, test_err));
            tcs_result_destroy(result);
            tcs_frame_destroy(frame);
        }
        assert_ok(tcs_joint_judge(joint, &summary, test_err));
        assert_true(summary.series_count == 6 && summary.test_count == 6); /* 3,000 rows without times are one block */
        assert_true(summary.kept_series_count == 1 && summary.kept_episode_count >= 1);
        const tcs_joint_episode kept = tcs_joint_kept(joint, 0);
        assert_true(kept.series == 4 && kept.episode.row_begin >= 1990 && kept.episode.row_begin <= 2010 && kept.p_value < 0.01);
        assert_false(kept.has_real_times);
        tcs_joint_destroy(joint);
    }
    assert_int_equal(TCS_E_INVALID, tcs_joint_create("fisher", 0.1, &joint, &err));
    assert_int_equal(TCS_E_INVALID, tcs_joint_create(NULL, 0, &joint, &err));
    tcs_joint_destroy(NULL);
}

static void test_wrong_arguments_are_errors(void **state)
{
    (void)state;
    tcs_error err = { 0 };
    tcs_frame *frame = NULL;
    tcs_result *result = NULL;
    double values[256];
    assert_int_equal(TCS_E_INVALID, tcs_frame_create(0, NULL, true, false, &frame, &err));
    assert_int_equal(TCS_E_INVALID, tcs_frame_create(1, NULL, true, false, NULL, &err));
    assert_int_equal(TCS_E_LIMIT, tcs_frame_create(SIZE_MAX, NULL, true, false, &frame, &err));
    assert_int_equal(TCS_E_INVALID, tcs_frame_append(NULL, values, 0, 0, &err));
    assert_int_equal(TCS_E_INVALID, tcs_frame_read(NULL, NULL, &frame, &err));
    assert_int_equal(TCS_E_INVALID, tcs_frame_read("x", NULL, NULL, &err));
    assert_int_equal(TCS_E_IO, tcs_frame_read("/nowhere.csv", NULL, &frame, &err));
    assert_non_null(strstr(err.text, "/nowhere.csv"));
    assert_int_equal(TCS_E_IO, tcs_frame_read("/nowhere.csv", NULL, &frame, NULL)); /* err is optional */
    assert_int_equal(TCS_E_INVALID, tcs_simulate("plague", 10, 1, &frame, &err));
    assert_int_equal(TCS_E_INVALID, tcs_simulate(NULL, 10, 1, &frame, &err));
    assert_int_equal(TCS_E_INVALID, tcs_evaluate(NULL, NULL, 0, NULL, values, &err));
    static const double stated[] = { 0.1, 0.1, 0.95, NAN }, beyond[] = { 0.1, 2, 0, 0 };
    static const uint8_t came[] = { 0, 1, 1, 1 };
    tcs_reliability_bin bins[TCS_RELIABILITY_BIN_COUNT];
    assert_ok(tcs_reliability(stated, came, 4, bins, test_err));
    assert_true(bins[1].row_count == 2 && bins[1].share == 0.5 && bins[14].probability == 0.95 && isnan(bins[0].share));
    assert_int_equal(TCS_E_INVALID, tcs_reliability(beyond, came, 4, bins, &err));
    assert_int_equal(TCS_E_INVALID, tcs_reliability(NULL, came, 4, bins, &err));
    assert_int_equal(TCS_E_INVALID, tcs_evaluate(stated, came, 4, &(tcs_evaluate_options){ .lows = stated }, values, &err));
    assert_int_equal(TCS_E_INVALID, tcs_detect(NULL, NULL, &result, &err));
    assert_null(frame);
    assert_ok(tcs_frame_create(1, NULL, true, false, &frame, test_err));
    assert_int_equal(TCS_E_INVALID, tcs_frame_append(frame, NULL, 0, 0, &err));
    assert_int_equal(TCS_E_INVALID, tcs_detect(frame, NULL, &result, &err));
    assert_string_equal(err.text, "no rows to look at");
    assert_int_equal(TCS_E_INVALID, tcs_detect(frame, NULL, NULL, &err));
    assert_null(result);
    tcs_frame_destroy(frame);
    tcs_frame_destroy(NULL);
    tcs_result_destroy(NULL);
    assert_string_equal(tcs_status_name(TCS_E_IO), "E_IO");
    assert_non_null(tcs_version());
}

static void test_wrong_detect_options_are_errors(void **state)
{
    (void)state;
    const struct { tcs_detect_options options; const char *text; } cases[] = {
        { { .detector = "welfrod" }, "did you mean 'welford'?" },
        { { .detector = "auto_offline", .mode = TCS_MODE_ONLINE }, "cannot run online" },
        { { .train_row_count = ROWS + 1 }, "241 training rows asked for" },
        { { .alarm_budget = "2/fortnight" }, "2/fortnight" },
        { { .alarm_budget = "-1" }, "-1" },
        { { .team = "pumps", .team_series_count = 3 }, "which must be stated" },
        { { .team = "pumps", .team_series_count = 3, .policy = "cost=5:1" }, "which must be stated" },
        { { .alarm_budget = "2", .team = "pumps" }, "team 'pumps' of 0 series" },
        { { .detector = "welford", .parameters = (const char *const[]){ "zzz=1" }, .parameter_count = 1 }, "zzz" },
        { { .detector = "welford", .parameters = (const char *const[]){ "zzz" }, .parameter_count = 1 }, "expected name=number" },
        { { .detector = "welford", .parameters = (const char *const[]){ "=1" }, .parameter_count = 1 }, "expected name=number" },
        { { .detector = "welford", .parameters = (const char *const[]){ "a=1x" }, .parameter_count = 1 }, "expected name=number" },
        { { .detector = "welford", .parameters = (const char *const[]){ NULL }, .parameter_count = 33 }, "at most 32" },
    };
    tcs_frame *frame = make_frame(1, ROWS, true);
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcs_error err = { 0 };
        tcs_result *result = NULL;
        assert_int_equal(TCS_E_INVALID, tcs_detect(frame, &cases[i].options, &result, &err));
        if (!strstr(err.text, cases[i].text)) fail_msg("'%s' does not say '%s'", err.text, cases[i].text);
        assert_null(result);
    }
    tcs_frame_destroy(frame);
}

/* ---- without memory ---- */

static void fail_detect_at_every_allocation(const char *detector, tcs_mode mode, size_t row_count)
{
    tcs_frame *frame = make_frame(2, row_count, true);
    tcs_detect_options options = { .mode = mode, .detector = detector, .thread_count = 1 };
    size_t at = 0, step = 1;
    for (tcs_status status = TCS_E_MEMORY; status != TCS_OK; at += step) {
        tcs_result *result = NULL;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at + 1);
        status = tcs_detect(frame, &options, &result, &err);
        tcsi_alloc_trace_fail_at(0);
        if (status == TCS_OK) assert_non_null(result);
        else assert_null(result);
        tcs_result_destroy(result);
        size_t live = tcsi_alloc_trace_stats().live_count;
        tcsi_alloc_trace_end();
        if (live) fail_msg("%s: %zu blocks leaked when allocation %zu failed", detector, live, at + 1);
        if (status != TCS_OK) assert_int_equal(status, TCS_E_MEMORY);
        assert_true(status == TCS_OK || strlen(err.text) >= 10);
        if (at > 400) step = 7; /* the first ones singly; of the many alike a part */
        assert_true(at < 20000);
    }
    tcs_frame_destroy(frame);
}

static void test_detect_without_memory(void **state)
{
    (void)state;
    fail_detect_at_every_allocation("welford", TCS_MODE_ONLINE, ROWS);
    fail_detect_at_every_allocation("isolation_forest", TCS_MODE_OFFLINE, ROWS);
    fail_detect_at_every_allocation("sub_pca", TCS_MODE_OFFLINE, ROWS);
    fail_detect_at_every_allocation("auto_online", TCS_MODE_ONLINE, 120);
    fail_detect_at_every_allocation("auto_offline", TCS_MODE_OFFLINE, 120);
}

static void test_report_without_memory(void **state)
{
    (void)state;
    tcs_frame *frame = make_frame(2, ROWS, true);
    tcs_result *result;
    char path[64];
    snprintf(path, sizeof path, "api-report-%ld.html", (long)getpid());
    assert_ok(tcs_detect(frame, &(tcs_detect_options){ .detector = "ewma", .thread_count = 1, .explain = true }, &result, test_err));
    size_t step = 1, at = 0;
    for (tcs_status status = TCS_E_MEMORY; status != TCS_OK; at += step) {
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at + 1);
        status = tcs_result_report_write(result, "title", path, &err);
        tcsi_alloc_trace_fail_at(0);
        const size_t live = tcsi_alloc_trace_stats().live_count;
        tcsi_alloc_trace_end();
        if (live) fail_msg("%zu blocks leaked when allocation %zu failed", live, at + 1);
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
        assert_true((status == TCS_OK) == (access(path, F_OK) == 0));
        if (at > 200) step = 7;
        assert_true(at < 20000);
    }
    assert_true(at > 20);
    unlink(path);
    tcs_result_destroy(result);
    tcs_frame_destroy(frame);
}

static void test_frame_without_memory(void **state)
{
    (void)state;
    char *path = temporary_path("memory.csv");
    write_text(path, "time,a,b\n2024-01-01T00:00:02Z,1,2\n2024-01-01T00:00:01Z,3,4\n2024-01-01T00:00:03Z,5,6\n");
    for (size_t at = 1;; at++) {
        tcs_frame *read = NULL, *made = NULL;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(at);
        tcs_status status = tcs_frame_read(path, NULL, &read, &err);
        if (status == TCS_OK) status = tcs_frame_create(2, (const char *const[]){ "x", "y" }, true, true, &made, &err);
        for (int t = 0; t < 300 && status == TCS_OK; t++) status = tcs_frame_append(made, (const double[]){ 1, 2 }, t, 0, &err);
        tcsi_alloc_trace_fail_at(0);
        tcs_frame_destroy(read);
        tcs_frame_destroy(made);
        size_t live = tcsi_alloc_trace_stats().live_count;
        tcsi_alloc_trace_end();
        if (live) fail_msg("%zu blocks leaked when allocation %zu failed", live, at);
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_true(at < 1000);
    }
    unlink(path);
}

/* ---- two threads, two objects ---- */

typedef struct thread_work {
    const tcs_frame *frame;
    double highest;
    size_t episode_count;
    tcs_status status;
} thread_work;

static void *thread_main(void *argument)
{
    thread_work *work = argument;
    for (int round = 0; round < 3 && work->status == TCS_OK; round++) {
        tcs_result *result = NULL;
        work->status = tcs_detect(work->frame, &(tcs_detect_options){ .mode = TCS_MODE_OFFLINE, .thread_count = 2 }, &result, NULL);
        if (work->status != TCS_OK) break;
        work->highest = tcs_result_episode_count(result) ? tcs_result_episode(result, 0).score : 0;
        work->episode_count = tcs_result_episode_count(result);
        tcs_result_destroy(result);
    }
    return NULL;
}

static void test_two_threads_on_two_objects(void **state)
{
    (void)state;
    tcs_frame *frames[2] = { make_frame(1, ROWS, true), make_frame(3, ROWS, false) };
    thread_work alone[2] = { { .frame = frames[0] }, { .frame = frames[1] } }, together[4];
    pthread_t threads[4];
    for (size_t i = 0; i < 2; i++) {
        thread_main(&alone[i]);
        assert_int_equal(alone[i].status, TCS_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        together[i] = (thread_work){ .frame = frames[i % 2] }; /* reading one frame from two threads is allowed */
        assert_int_equal(pthread_create(&threads[i], NULL, thread_main, &together[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(together[i].status, TCS_OK);
        assert_true(together[i].highest == alone[i % 2].highest && together[i].episode_count == alone[i % 2].episode_count);
    }
    tcs_frame_destroy(frames[0]);
    tcs_frame_destroy(frames[1]);
}

TCS_TEST_MAIN(cmocka_unit_test(test_judges_series_together), cmocka_unit_test(test_frame_holds_what_was_put_in),
              cmocka_unit_test(test_detects), cmocka_unit_test(test_explains), cmocka_unit_test(test_streams_explain),
              cmocka_unit_test(test_reports_explain), cmocka_unit_test(test_reports_what_came),
              cmocka_unit_test(test_report_without_memory),
              cmocka_unit_test(test_names_what_it_leaves_out),
              cmocka_unit_test(test_every_detector_by_name_with_a_parameter), cmocka_unit_test(test_writes_files),
              cmocka_unit_test(test_rows_out_of_order), cmocka_unit_test(test_simulates_and_evaluates),
              cmocka_unit_test(test_wrong_arguments_are_errors), cmocka_unit_test(test_wrong_detect_options_are_errors),
              cmocka_unit_test(test_detect_without_memory), cmocka_unit_test(test_frame_without_memory),
              cmocka_unit_test(test_two_threads_on_two_objects))
