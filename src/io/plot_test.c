/* The PNG writer: pictures of ordinary and of hostile detections, whole files or none. */
#include "base/alloc.h"
#include "base/file.h"
#include "io/plot.h"
#include "series/time.h"
#include "test.h"
#include "tocsin_config.h"

/* For builds with the leak sanitizer: the same as tests/support/valgrind.supp, where the reason stands. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libfontconfig\n"; }

typedef struct fixture {
    tcsi_frame *frame;
    tcs_score scores[100];
    double thresholds[100];
    tcsi_report_episode episode;
    tcsi_report report;
    char path[64];
} fixture;

static void fixture_make(fixture *f, size_t channel_count, size_t row_count, bool has_times)
{
    *f = (fixture){ 0 };
    assert_ok(tcsi_frame_create(channel_count, row_count, has_times, true, &f->frame, test_err));
    f->frame->row_count = row_count;
    for (size_t t = 0; t < row_count; t++) {
        for (size_t c = 0; c < channel_count; c++) tcsi_frame_column(f->frame, c)[t] = (double)((t * 7 + c) % 11);
        f->scores[t] = (tcs_score){ .state = TCS_SCORE_READY, .value = (double)(t % 5), .p_value = 0.5 };
        f->thresholds[t] = 4.5;
        f->frame->labels[t] = t == 7;
        if (has_times) f->frame->times_ns[t] = (int64_t)t * TCSI_NS_PER_MINUTE;
    }
    f->episode = (tcsi_report_episode){ .row_end = 1, .severity = 60 };
    f->report = (tcsi_report){ .title = "title", .version = "1", .frame = f->frame, .has_times = has_times, .scores = f->scores,
                               .thresholds = f->thresholds, .episodes = &f->episode, .episode_count = 1 };
    snprintf(f->path, sizeof f->path, "plot-%ld.png", (long)getpid());
}

static void fixture_end(fixture *f)
{
    unlink(f->path);
    tcsi_frame_destroy(f->frame);
}

/* Width and height of the picture that was written, checked to be a PNG from its first to its last chunk. */
static void check_png(const fixture *f, uint32_t *ret_width, uint32_t *ret_height)
{
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1 << 24);
    assert_ok(tcsi_file_read(f->path, &bytes, test_err));
    assert_true(bytes.size > 1000);
    assert_memory_equal(bytes.data, "\x89PNG\r\n\x1a\n", 8);
    assert_memory_equal(bytes.data + bytes.size - 8, "IEND", 4);
    const unsigned char *at = (const unsigned char *)bytes.data + 16;
    *ret_width = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    *ret_height = (uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 | (uint32_t)at[6] << 8 | at[7];
    tcsi_buffer_deinit(&bytes);
}

static void test_pictures(void **state)
{
    (void)state;
    static const struct { size_t channels, rows; bool times; uint32_t panels; } cases[] = {
        { 1, 1, true, 2 }, { 1, 1, false, 2 }, { 3, 100, true, 4 }, { 200, 50, false, 7 } };
    if (!TCSI_HAVE_CAIRO) skip();
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        fixture f;
        uint32_t width, height;
        fixture_make(&f, cases[i].channels, cases[i].rows, cases[i].times);
        assert_ok(tcsi_plot_write(&f.report, f.path, test_err));
        check_png(&f, &width, &height);
        assert_int_equal(width, 1600);
        assert_int_equal(height, 84 + cases[i].panels * 194 - 44 + 64);
        fixture_end(&f);
    }
}

static void test_hostile(void **state)
{
    (void)state;
    static const double patterns[][2] = { { NAN, NAN },   { INFINITY, 1e308 }, { -1e149, 1e149 },
                                          { 1e-310, 0 }, { 1e15, 1e15 + 1 },  { 7, 7 } };
    if (!TCSI_HAVE_CAIRO) skip();
    for (size_t i = 0; i < TCS_COUNT(patterns); i++)
        for (int span = 0; span < 3; span++) { /* all times equal; ordinary; as far apart as times can be */
            fixture f;
            uint32_t width, height;
            fixture_make(&f, 1, 60, true);
            for (size_t t = 0; t < 60; t++) {
                tcsi_frame_column(f.frame, 0)[t] = patterns[i][t % 2];
                f.scores[t].value = fabs(patterns[i][t % 2]) <= 1e150 ? patterns[i][t % 2] : 0;
                f.frame->times_ns[t] = span == 0 ? 5 : span == 1 ? (int64_t)t * 1000000 : t < 30 ? INT64_MIN : INT64_MAX;
            }
            assert_ok(tcsi_frame_channel_rename(f.frame, 0, "bad \xff\xc0 \x01 name", test_err));
            f.report.title = "\xed\xa0\x80 <title>";
            assert_ok(tcsi_plot_write(&f.report, f.path, test_err));
            check_png(&f, &width, &height);
            fixture_end(&f);
        }
}

static tcs_status band(void *context, size_t channel, double *ret_expected, double *ret_low, double *ret_high, tcs_error *err)
{
    (void)channel, (void)err;
    for (size_t t = 0; t < *(const size_t *)context; t++) ret_expected[t] = 5, ret_low[t] = t % 9 ? 1 : NAN, ret_high[t] = 1e300;
    return TCS_OK;
}

static void test_failures_leave_no_file(void **state)
{
    (void)state;
    fixture f;
    tcs_error err = { 0 };
    size_t row_count = 50;
    tcs_status status = TCS_E_MEMORY;
    fixture_make(&f, 2, row_count, true);
    if (!TCSI_HAVE_CAIRO) {
        assert_int_equal(tcsi_plot_write(&f.report, f.path, &err), TCS_E_UNSUPPORTED);
        fixture_end(&f);
        return;
    }
    assert_int_equal(tcsi_plot_write(&f.report, "/nowhere/at/all.png", &err), TCS_E_IO);
    assert_int_equal(tcsi_plot_write(&f.report, "/dev/full", &err), TCS_E_IO);
    f.report.band = band;
    f.report.context = &row_count;
    for (size_t n = 1; status != TCS_OK; n++) {
        assert_true(n < 100);
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(n);
        status = tcsi_plot_write(&f.report, f.path, &err);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        assert_int_not_equal(access(f.path, F_OK), 0);
    }
    fixture_end(&f);
}

static void test_promises(void **state)
{
    (void)state;
    static const tcsi_plot_promise promises[] = { { 0, 0, 5 },   { .5, .7, 100 },    { NAN, .5, 3 },          { .9, INFINITY, 1 },
                                                  { -1, .5, 1 }, { 1, 1, INFINITY }, { .3, .2, -1 } };
    tcsi_plot_curve curves[TCSI_PLOT_CURVE_COUNT_MAX];
    fixture f = { 0 };
    tcs_error err = { 0 };
    uint32_t width, height;
    snprintf(f.path, sizeof f.path, "promises-%ld.png", (long)getpid());
    for (size_t k = 0; k < TCSI_PLOT_CURVE_COUNT_MAX; k++)
        curves[k] = (tcsi_plot_curve){ "\xff name", k ? promises : NULL, k ? TCS_COUNT(promises) : 0 };
    if (!TCSI_HAVE_CAIRO) {
        assert_int_equal(tcsi_plot_promises(curves, 2, "title", f.path, &err), TCS_E_UNSUPPORTED);
        return;
    }
    for (size_t count = 0; count <= TCSI_PLOT_CURVE_COUNT_MAX; count += 4) {
        assert_ok(tcsi_plot_promises(curves, count, "title", f.path, test_err));
        check_png(&f, &width, &height);
        assert_true(width == 640 && height == 640);
    }
    unlink(f.path);
    assert_int_equal(tcsi_plot_promises(curves, 2, "title", "/nowhere/at/all.png", &err), TCS_E_IO);
}

TCS_TEST_MAIN(cmocka_unit_test(test_promises), cmocka_unit_test(test_pictures), cmocka_unit_test(test_hostile),
              cmocka_unit_test(test_failures_leave_no_file))
