/* The report's writer: what it escapes, what it keeps, how it encodes, and that it leaves whole files or none. */
#include "base/alloc.h"
#include "base/file.h"
#include "io/plot.h"
#include "io/report.h"
#include "io/report_data.h"
#include "io/words.h"
#include "series/time.h"
#include "test.h"

#include <sys/stat.h>

typedef struct fixture {
    tcsi_frame *frame;
    tcs_score *scores;
    double *thresholds;
    tcsi_report_episode episodes[3];
    tcsi_report report;
    tcsi_buffer html;
    char path[64];
} fixture;

static void fixture_make(fixture *f, size_t channel_count, size_t row_count, bool has_times)
{
    *f = (fixture){ 0 };
    assert_ok(tcsi_frame_create(channel_count, row_count, has_times, true, &f->frame, test_err));
    f->frame->row_count = row_count;
    f->scores = TCSI_NEW_ZEROS(tcs_score, row_count);
    f->thresholds = TCSI_NEW_ZEROS(double, row_count);
    assert_non_null(f->scores);
    assert_non_null(f->thresholds);
    for (size_t t = 0; t < row_count; t++) {
        for (size_t c = 0; c < channel_count; c++) tcsi_frame_column(f->frame, c)[t] = (double)((t * 7 + c) % 11);
        f->scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = (double)(t % 5), .p_value = 0.5 };
        f->thresholds[t] = 4.5;
        f->frame->labels[t] = 0;
        if (has_times) f->frame->times_ns[t] = (int64_t)t * TCSI_NS_PER_MINUTE;
    }
    f->report = (tcsi_report){ .title = "title", .version = "1", .frame = f->frame, .has_times = has_times, .scores = f->scores,
                               .thresholds = f->thresholds, .episodes = f->episodes };
    snprintf(f->path, sizeof f->path, "report-%ld.html", (long)getpid());
    tcsi_buffer_init(&f->html, (size_t)1 << 28);
}

static void fixture_write(fixture *f)
{
    assert_ok(tcsi_report_write(&f->report, f->path, test_err));
    tcsi_buffer_clear(&f->html);
    assert_ok(tcsi_file_read(f->path, &f->html, test_err));
}

static void fixture_end(fixture *f)
{
    unlink(f->path);
    tcsi_buffer_deinit(&f->html);
    tcsi_frame_destroy(f->frame);
    tcsi_free(f->scores);
    tcsi_free(f->thresholds);
}

static tcsi_report_episode one_row_episode(size_t channel)
{
    return (tcsi_report_episode){ .row_begin = 3, .row_end = 4, .row_peak = 3, .severity = 60, .shares = { { channel, 1 } },
                                  .share_count = 1 };
}

static size_t count_of(const fixture *f, const char *text)
{
    size_t count = 0;
    for (const char *at = f->html.data; (at = strstr(at, text)); at += strlen(text)) count++;
    return count;
}

/* The floats of the track with this id; returns how many. */
static size_t decode_track(const fixture *f, const char *id, float *ret_values, size_t count_max)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char open[64];
    unsigned char bytes[4];
    size_t count = 0, used = 0;
    uint32_t word = 0;
    int bits = 0;
    snprintf(open, sizeof open, "id=\"data-%s\">", id);
    const char *at = strstr(f->html.data, open);
    assert_non_null(at);
    for (at += strlen(open); *at != '<' && *at != '='; at++) {
        word = word << 6 | (uint32_t)(strchr(alphabet, *at) - alphabet);
        if ((bits += 6) < 8) continue;
        bytes[used++] = (unsigned char)(word >> (bits -= 8));
        if (used < 4) continue;
        uint32_t pattern = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
        assert_true(count < count_max);
        memcpy(&ret_values[count++], &pattern, 4);
        used = 0;
    }
    assert_int_equal(used, 0);
    return count;
}

/* ---- text ---- */

static void test_escapes_everything(void **state)
{
    (void)state;
    fixture f;
    const char *notes[] = { "note </li><script>1</script>", "bad \xc0\x80 \xed\xa0\x80 \xff bytes, control \x01" };
    tcsi_report_fact facts[] = { { "na<me", "te\"xt'" } };
    fixture_make(&f, 1, 20, false);
    size_t scripts_before;
    f.report.title = "plain";
    fixture_write(&f);
    scripts_before = count_of(&f, "<script") + count_of(&f, "</script");
    assert_ok(tcsi_frame_channel_rename(f.frame, 0, "</script><!-- & <b>", test_err));
    f.episodes[0] = one_row_episode(0);
    f.report.episode_count = 1;
    f.report.title = "</title><script>alert(1)</script>\"'&";
    f.report.notes = notes;
    f.report.note_count = 2;
    f.report.facts = f.report.method = facts;
    f.report.fact_count = f.report.method_count = 1;
    fixture_write(&f);
    assert_int_equal(count_of(&f, "<script") + count_of(&f, "</script"), scripts_before);
    assert_int_equal(count_of(&f, "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;"), 2);
    assert_int_equal(count_of(&f, "note &lt;/li&gt;"), 1);
    assert_int_equal(count_of(&f, "na&lt;me"), 2);
    assert_int_equal(count_of(&f, "<!--"), 0);
    assert_int_equal(count_of(&f, "\\u003c/script>\\u003c!-- & \\u003cb>"), 2); /* in the JSON: the channel, the share */
#define UNKNOWN "\xef\xbf\xbd"
    assert_non_null(strstr(f.html.data, "bad " UNKNOWN UNKNOWN " " UNKNOWN UNKNOWN UNKNOWN " " UNKNOWN " bytes, control " UNKNOWN "<"));
    assert_null(strstr(f.html.data, "{{"));
    fixture_end(&f);
}

static void test_asks_nothing_of_the_network(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 1, 20, true);
    fixture_write(&f);
    assert_int_equal(count_of(&f, "default-src 'none'"), 1);
    assert_int_equal(count_of(&f, " src="), 0);
    assert_int_equal(count_of(&f, "<link"), 0);
    assert_int_equal(count_of(&f, "@import"), 0);
    fixture_end(&f);
}

static void test_words(void **state)
{
    (void)state;
    char text[TCSI_WORDS_SIZE];
    const struct { int64_t ns; const char *text; } durations[] = {
        { 0, "0 ns" }, { 1500, "1.5 µs" }, { 2500000, "2.5 ms" }, { 1500000000, "1.5 s" }, { 60 * TCSI_NS_PER_S, "1 min" },
        { 8040 * TCSI_NS_PER_S, "2 h 14 min" }, { 86400 * TCSI_NS_PER_S, "1 d" }, { INT64_MAX, "106751 d" } };
    const struct { double count; const char *text; } chances[] = {
        { 3, "3" }, { 0.05, "0.05" }, { 0.0005, "1 in 2,000" }, { 1e-12, "under 1 in a billion" }, { 0, "under 1 in a billion" },
        { NAN, "unknown" }, { 0.0000301, "1 in 33,000" } };
    for (size_t i = 0; i < TCS_COUNT(durations); i++) {
        tcsi_words_duration(durations[i].ns, text, sizeof text);
        assert_string_equal(text, durations[i].text);
    }
    for (size_t i = 0; i < TCS_COUNT(chances); i++) {
        tcsi_words_chance(chances[i].count, text, sizeof text);
        assert_string_equal(text, chances[i].text);
    }
    tcsi_words_count(1234567, text, sizeof text);
    assert_string_equal(text, "1,234,567");
    tcsi_words_time(90 * TCSI_NS_PER_MINUTE, text, sizeof text);
    assert_string_equal(text, "1970-01-01 01:30:00");
}

/* ---- tables ---- */

static void test_lists_episodes(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 2, 200, true);
    f.episodes[0] = (tcsi_report_episode){ .row_begin = 100, .row_end = 161, .row_peak = 120, .severity = 91.4, .score = 9, .p_value = 1e-6,
                                           .expected_count = 0.0005, .shares = { { 1, 0.75 }, { 0, 0.25 } }, .share_count = 2 };
    f.episodes[1] = (tcsi_report_episode){ .row_begin = 10, .row_end = 11, .row_peak = 10, .severity = 55, .expected_count = 0.5 };
    f.report.episode_count = 2;
    fixture_write(&f);
    assert_int_equal(count_of(&f, "<tr role=\"row\" id=\"episode-"), 2);
    assert_non_null(strstr(f.html.data, "2 episodes, most severe first"));
    assert_non_null(strstr(f.html.data, "<a href=\"#episode-1\">1970-01-01 01:40:00</a>"));
    assert_non_null(strstr(f.html.data, "<td role=\"cell\" class=\"length\">1 h</td>"));
    assert_non_null(strstr(f.html.data, "<td role=\"cell\" class=\"length\">1 row</td>"));
    assert_non_null(strstr(f.html.data, "</span>1 in 2,000</td>"));
    assert_non_null(strstr(f.html.data, "<a class=\"share\" href=\"#channel-0\">c1 <b>75 %</b></a>")); /* the carrier is plotted first */
    assert_non_null(strstr(f.html.data, "the detector cannot say"));
    fixture_end(&f);
}

/* What is known of an episode stands in the list without any script, and as text. */
static void test_lists_words(void **state)
{
    (void)state;
    fixture f;
    const tcsi_report_expected expected[] = { { 5, 10, "<i>deploy" } };
    const tcsi_report_fact assumption[] = { { "Policy", "a < b" } }, promise[] = { { "Promised", "1 & no more" } };
    fixture_make(&f, 1, 50, false);
    f.episodes[0] = one_row_episode(0);
    f.report.episode_count = 1;
    fixture_write(&f);
    assert_int_equal(count_of(&f, "<span class=\"state\">"), 0);
    assert_int_equal(count_of(&f, "<details class=\"expected\""), 0); /* nobody stated any */
    f.episodes[0].state = "confirmed";
    f.episodes[0].kind = "level shift";
    f.episodes[0].sentence = "c0 </td><script>rose";
    f.episodes[0].limit = "c0 > 4";
    f.report.expected = expected;
    f.report.assumption = assumption;
    f.report.promise = promise;
    f.report.assumption_count = f.report.promise_count = 1;
    fixture_write(&f);
    assert_non_null(strstr(f.html.data, "<span class=\"state\">confirmed</span>\n<span class=\"kind\">level shift</span>\n"
                                        "<span class=\"limit\">c0 &gt; 4</span>\n</td>"));
    assert_non_null(strstr(f.html.data, "class=\"sentence\">c0 &lt;/td&gt;&lt;script&gt;rose</td>"));
    assert_non_null(strstr(f.html.data, "Expected: 0, part of known events"));
    assert_non_null(strstr(f.html.data, "<dt>Policy</dt><dd>a &lt; b</dd>"));
    assert_non_null(strstr(f.html.data, "<dt>Promised</dt><dd>1 &amp; no more</dd>"));
    assert_non_null(strstr(f.html.data, "{\"schema\":\"tocsin/report/1\","));
    f.report.expected_count = 1;
    fixture_write(&f);
    assert_non_null(strstr(f.html.data, "<li><b>&lt;i&gt;deploy</b> row 5, 5 rows</li>"));
    fixture_end(&f);
}

static void test_empty_one_row_and_nothing_usable(void **state)
{
    (void)state;
    fixture f;
    float values[64];
    fixture_make(&f, 1, 1, true);
    fixture_write(&f);
    assert_non_null(strstr(f.html.data, "Nothing stands out at this alarm budget"));
    assert_int_equal(decode_track(&f, "channel-0", values, 64), 1);
    assert_true(values[0] == 0);
    fixture_end(&f);

    fixture_make(&f, 2, 50, false);
    for (size_t t = 0; t < 50; t++) {
        tcsi_frame_column(f.frame, 0)[t] = t % 2 ? NAN : INFINITY;
        tcsi_frame_column(f.frame, 1)[t] = t % 2 ? 1e308 : 1e149;
        f.scores[t].state = TCS_SCORE_MISSING;
    }
    fixture_write(&f);
    assert_non_null(strstr(f.html.data, "no usable value"));
    assert_int_equal(decode_track(&f, "channel-0", values, 64), 50);
    for (size_t t = 0; t < 50; t++) assert_true(isnan(values[t]));
    assert_int_equal(decode_track(&f, "channel-1", values, 64), 50);
    for (size_t t = 0; t < 50; t++) assert_true(t % 2 ? isnan(values[t]) : values[t] == 0);
    assert_int_equal(decode_track(&f, "score-0", values, 64), 50);
    assert_true(isnan(values[7]));
    fixture_end(&f);
}

static void test_many_channels(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 200, 30, false);
    f.episodes[0] = one_row_episode(177);
    f.report.episode_count = 1;
    fixture_write(&f);
    assert_int_equal(count_of(&f, "id=\"data-channel-"), TCSI_REPORT_CHANNEL_COUNT_MAX);
    assert_non_null(strstr(f.html.data, "136 further channels are not plotted here"));
    assert_non_null(strstr(f.html.data, "href=\"#channel-0\">c177 <b>"));
    fixture_end(&f);
}

static void test_times_out_of_order_become_rows(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 1, 30, true);
    f.frame->times_ns[12] = -1;
    fixture_write(&f);
    assert_non_null(strstr(f.html.data, "The times are not in order"));
    assert_int_equal(count_of(&f, "id=\"data-times\""), 0);
    f.frame->times_ns[12] = 12 * TCSI_NS_PER_MINUTE;
    f.frame->times_ns[0] = INT64_MIN; /* as far apart as times can be */
    f.frame->times_ns[29] = INT64_MAX;
    fixture_write(&f);
    assert_int_equal(count_of(&f, "id=\"data-times\""), 1);
    fixture_end(&f);
}

/* ---- numbers ---- */

static void test_values_come_back(void **state)
{
    (void)state;
    fixture f;
    float values[128];
    fixture_make(&f, 1, 100, false);
    double *x = tcsi_frame_column(f.frame, 0);
    for (size_t t = 0; t < 100; t++) x[t] = 1e9 + (double)(t % 10) * 1e-3; /* an offset that float32 alone would drown in */
    x[50] = NAN;
    fixture_write(&f);
    assert_int_equal(decode_track(&f, "channel-0", values, 128), 100);
    const char *meta = strstr(f.html.data, "\"channels\":[{");
    assert_non_null(meta);
    double centre = strtod(strstr(meta, "\"centre\":") + 9, NULL), scale = strtod(strstr(meta, "\"scale\":") + 8, NULL);
    for (size_t t = 0; t < 100; t++) {
        if (t == 50) assert_true(isnan(values[t]));
        else assert_near(0, centre + scale * (double)values[t] - x[t], 3e-7);
    }
    fixture_end(&f);
}

/* 3,000,000 rows do not fit row by row: spikes survive, episodes are kept in full, the file stays small. */
static void test_long_series(void **state)
{
    (void)state;
    fixture f;
    tcsi_report_plan plan;
    struct stat info;
    fixture_make(&f, 1, 3000000, true);
    tcsi_frame_column(f.frame, 0)[2345677] = 1000;
    f.episodes[0] = (tcsi_report_episode){ .row_begin = 2000000, .row_end = 2000010, .row_peak = 2000001, .severity = 60 };
    f.report.episode_count = 1;
    assert_ok(tcsi_report_plan_make(&f.report, &plan, test_err));
    assert_true(plan.levels[0].stride > 1);
    assert_int_equal(plan.level_count, 2);
    assert_int_equal(plan.levels[1].stride, 1);
    assert_true(plan.levels[1].row_begin < 2000000 && plan.levels[1].row_begin + plan.levels[1].row_count > 2000010);
    fixture_write(&f);
    assert_int_equal(stat(f.path, &info), 0);
    assert_true(info.st_size < 20000000);
    size_t stride = plan.levels[0].stride, count_max = 4 * 3000000 / stride;
    float *values = TCSI_NEW_ARRAY(float, count_max);
    size_t count = decode_track(&f, "channel-0", values, count_max);
    assert_int_equal(count, 2 * ((3000000 + stride - 1) / stride) + plan.levels[1].row_count);
    assert_true(values[2 * (2345677 / stride) + 1] == 1.0f);
    tcsi_free(values);
    fixture_end(&f);
}

static void test_labels_become_few_runs(void **state)
{
    (void)state;
    fixture f;
    fixture_make(&f, 1, 40, false);
    f.frame->labels[0] = f.frame->labels[1] = f.frame->labels[20] = f.frame->labels[39] = 1;
    fixture_write(&f);
    assert_non_null(strstr(f.html.data, "\"labels\":[0,2,20,21,39,40]"));
    fixture_end(&f);
    fixture_make(&f, 1, 30000, false);
    for (size_t t = 0; t < 30000; t += 3) f.frame->labels[t] = 1;
    fixture_write(&f);
    assert_non_null(strstr(f.html.data, "\"labels\":[0,29998]"));
    fixture_end(&f);
}

/* ---- failures ---- */

static tcs_status band_fails(void *context, size_t channel, double *ret_expected, double *ret_low, double *ret_high, tcs_error *err)
{
    (void)context, (void)ret_expected, (void)ret_low, (void)ret_high;
    return tcsi_fail(err, TCS_E_LIMIT, "no band for %zu", channel);
}

static tcs_status band_flat(void *context, size_t channel, double *ret_expected, double *ret_low, double *ret_high, tcs_error *err)
{
    (void)channel, (void)err;
    for (size_t t = 0; t < *(const size_t *)context; t++) ret_expected[t] = 5, ret_low[t] = 0, ret_high[t] = t == 3 ? NAN : 10;
    return TCS_OK;
}

static void test_band_is_kept(void **state)
{
    (void)state;
    fixture f;
    float values[128];
    size_t row_count = 10;
    fixture_make(&f, 1, row_count, false);
    f.report.band = band_flat;
    f.report.context = &row_count;
    fixture_write(&f);
    assert_int_equal(decode_track(&f, "channel-0", values, 128), 40);
    assert_true(values[10] < values[12] && values[11] < values[10] && isnan(values[10 + 3 * 3 + 2]));
    fixture_end(&f);
}

/* Two members, whose held-out loss is known for the first only; and a loss that is no number. */
static void test_losses_are_drawn(void **state)
{
    (void)state;
    static const tcsi_report_loss losses[] = { { 0, 10, 4, 5 }, { 0, 20, 2, NAN }, { 0, 30, 1, 2 }, { 1, 10, INFINITY, NAN },
                                               { 1, 30, 3, NAN } };
    fixture f;
    fixture_make(&f, 1, 10, false);
    fixture_write(&f);
    assert_int_equal(0, count_of(&f, "<svg"));
    f.report.losses = losses;
    f.report.loss_count = TCS_COUNT(losses);
    fixture_write(&f);
    assert_int_equal(1, count_of(&f, "<svg class=\"losses\""));
    assert_int_equal(2, count_of(&f, "<polyline class=\"train\" points=\""));
    assert_int_equal(1, count_of(&f, "<polyline class=\"held\" points=\""));
    assert_int_equal(1, count_of(&f, "points=\"216.0,49.0 424.0,131.0 632.0,172.0 \"")); /* 4, 2, 1 between 5 above and 1 below */
    assert_int_equal(0, count_of(&f, "nan"));
    f.report.losses = &(tcsi_report_loss){ 0, 10, NAN, NAN }; /* nothing to draw */
    f.report.loss_count = 1;
    fixture_write(&f);
    assert_int_equal(0, count_of(&f, "<svg"));
    fixture_end(&f);
}

static void test_failures_leave_no_file(void **state)
{
    (void)state;
    fixture f;
    tcs_error err = { 0 };
    char partial[128];
    fixture_make(&f, 1, 20, false);
    f.report.band = band_fails;
    assert_int_equal(tcsi_report_write(&f.report, f.path, &err), TCS_E_LIMIT);
    assert_string_equal(err.text, "no band for 0");
    assert_int_not_equal(access(f.path, F_OK), 0);
    snprintf(partial, sizeof partial, "%s.%ld.partial", f.path, (long)getpid());
    assert_int_not_equal(access(partial, F_OK), 0);
    f.report.band = NULL;
    assert_int_equal(tcsi_report_write(&f.report, "/nowhere/at/all.html", &err), TCS_E_IO);
    assert_int_equal(tcsi_report_write(&f.report, "/dev/full", &err), TCS_E_IO);
    fixture_end(&f);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    fixture f;
    size_t row_count = 50;
    fixture_make(&f, 3, row_count, true);
    f.episodes[0] = one_row_episode(2);
    f.report.episode_count = 1;
    f.report.band = band_flat;
    f.report.context = &row_count;
    tcs_status status = TCS_E_MEMORY;
    for (size_t n = 1; status != TCS_OK; n++) {
        tcs_error err = { 0 };
        assert_true(n < 200);
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(n);
        status = tcsi_report_write(&f.report, f.path, &err);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_int_not_equal(access(f.path, F_OK), 0);
    }
    fixture_end(&f);
}

TCS_TEST_MAIN(cmocka_unit_test(test_escapes_everything),
              cmocka_unit_test(test_asks_nothing_of_the_network),
              cmocka_unit_test(test_words),
              cmocka_unit_test(test_lists_episodes),
              cmocka_unit_test(test_lists_words),
              cmocka_unit_test(test_empty_one_row_and_nothing_usable),
              cmocka_unit_test(test_many_channels),
              cmocka_unit_test(test_times_out_of_order_become_rows),
              cmocka_unit_test(test_values_come_back),
              cmocka_unit_test(test_long_series),
              cmocka_unit_test(test_labels_become_few_runs),
              cmocka_unit_test(test_band_is_kept),
              cmocka_unit_test(test_losses_are_drawn),
              cmocka_unit_test(test_failures_leave_no_file),
              cmocka_unit_test(test_failing_allocations))
