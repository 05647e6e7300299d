/* NDJSON, NPY and NPZ in; scores and frames out; and back again. */
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/text.h"
#include "io/read.h"
#include "io/rows.h"
#include "io/write.h"

#include <dirent.h>
#include <signal.h>

static tcs_status read_options(const char *text, size_t size, const tcsi_read_options *options, tcsi_frame **ret_frame, tcs_error *err)
{
    return tcsi_read_frame_memory(text, size, "t", options, ret_frame, NULL, err);
}

static tcs_status read_bytes(const char *text, size_t size, tcsi_frame **ret_frame, tcs_error *err)
{
    return read_options(text, size, NULL, ret_frame, err);
}

static void load(const char *relative, tcsi_buffer *ret_bytes)
{
    tcsi_buffer_init(ret_bytes, 1 << 20);
    assert_ok(tcsi_file_read(test_source(relative), ret_bytes, test_err));
}

/* ---- NDJSON ---- */

static void test_ndjson_union_of_keys(void **state)
{
    (void)state;
    static const char text[] = "{\"t\":\"2024-01-01T00:00:00Z\",\"a\":1.5,\"in\":{\"x\":2,\"on\":true},\"note\":\"p\"}\n\n"
                               "{\"t\":\"2024-01-01T00:00:01Z\",\"in\":{\"x\":\"3\"},\"b\":[7,8]}\r\n"
                               "{\"a\":null,\"t\":\"2024-01-01T00:00:02Z\",\"label\":1}";
    tcsi_frame *frame;
    tcsi_read_report report;
    assert_ok(tcsi_read_frame_memory(text, sizeof text - 1, "t", NULL, &frame, &report, test_err));
    static const char *const names[] = { "a", "in.x", "in.on", "b.0", "b.1" };
    static const double values[5][3] = { { 1.5, NAN, NAN }, { 2, 3, NAN }, { 1, NAN, NAN }, { NAN, 7, NAN }, { NAN, 8, NAN } };
    assert_int_equal(frame->channel_count, 5);
    for (size_t c = 0; c < 5; c++) {
        assert_string_equal(frame->channels[c].name, names[c]);
        for (size_t r = 0; r < 3; r++) assert_near(values[c][r], tcsi_frame_column(frame, c)[r], 0);
    }
    assert_true(frame->times_ns[2] - frame->times_ns[0] == 2 * TCSI_NS_PER_S);
    assert_true(frame->labels[0] == 0 && frame->labels[2] == 1 && report.label_missing_count == 2);
    assert_string_equal(report.format, "NDJSON");
    tcsi_frame_destroy(frame);
    tcsi_read_report_deinit(&report);
    assert_ok(read_bytes("[1,2.5]\n[3,4]\n", 14, &frame, test_err));
    assert_true(frame->channel_count == 2 && tcsi_frame_column(frame, 1)[0] == 2.5);
    tcsi_frame_destroy(frame);
}

static void test_ndjson_refusals(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "{\"a\":1}\n{\"a\":}\n", "t:2: JSON line 1 column 6" },
        { "{\"a\":1}\n[1]\n", "t:2: objects and arrays are mixed" },
        { "[1,2]\n[1]\n", "t:2: 1 elements, expected 2" },
        { "[{\"a\":1},{\"a\":2}]", "t:1: an array of objects, expected one object a line" },
        { "[\n {\"a\":1}\n]\n", "t:1: the document spans lines" },
        { "{\"a\":\"x\"}\n{\"a\":\"y\"}\n", "t: no column holds numbers" },
        { "{}\n{}\n", "t: holds no keys" },
        { "{\"a\":1}\n{\"a\":2", "t:2: JSON line 1 column 7: ends where" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_frame *frame;
        tcs_error err = { 0 };
        assert_int_not_equal(read_bytes(cases[i][0], strlen(cases[i][0]), &frame, &err), TCS_OK);
        if (strncmp(err.text, cases[i][1], strlen(cases[i][1])) != 0) print_error("got: %s\n", err.text);
        assert_int_equal(strncmp(err.text, cases[i][1], strlen(cases[i][1])), 0);
    }
}

/* pandas wrote the same table as CSV and as NDJSON (with ten decimals). */
static void test_ndjson_equals_csv(void **state)
{
    (void)state;
    tcsi_frame *a, *b;
    char path[4096];
    snprintf(path, sizeof path, "%s", test_source("tests/golden/io/plain.csv"));
    assert_ok(tcsi_read_frame(path, NULL, &a, NULL, test_err));
    assert_ok(tcsi_read_frame(test_source("tests/golden/io/table.ndjson"), NULL, &b, NULL, test_err));
    assert_true(a->row_count == b->row_count && a->channel_count == b->channel_count);
    assert_memory_equal(a->times_ns, b->times_ns, a->row_count * sizeof *a->times_ns);
    assert_memory_equal(a->labels, b->labels, a->row_count);
    for (size_t c = 0; c < a->channel_count; c++)
        for (size_t r = 0; r < a->row_count; r++) assert_near(tcsi_frame_column(a, c)[r], tcsi_frame_column(b, c)[r], 1e-9);
    tcsi_frame_destroy(a);
    tcsi_frame_destroy(b);
}

/* ---- NPY and NPZ ---- */

static void check_matrix(const char *relative, double tolerance, bool has_labels)
{
    tcsi_frame *frame;
    tcs_error err;
    tcs_status status = tcsi_read_frame(test_source(relative), NULL, &frame, NULL, &err);
    if (status == TCS_E_UNSUPPORTED) return; /* built without zlib */
    assert_int_equal(status, TCS_OK);
    assert_true(frame->row_count == 40 && frame->channel_count == 3 && !frame->times_ns && (frame->labels != NULL) == has_labels);
    FILE *expected = fopen(test_source("tests/golden/io/expected.txt"), "r");
    assert_non_null(expected);
    for (size_t r = 0; r < 40; r++) {
        for (size_t c = 0; c < 3; c++) {
            double value;
            assert_int_equal(fscanf(expected, "%lf", &value), 1);
            assert_near(value, tcsi_frame_column(frame, c)[r], tolerance);
        }
        if (has_labels) assert_int_equal(frame->labels[r], r > 33);
    }
    fclose(expected);
    tcsi_frame_destroy(frame);
}

static void test_numpy_files(void **state)
{
    (void)state;
    check_matrix("tests/golden/io/f8.npy", 0, false);
    check_matrix("tests/golden/io/f8_fortran.npy", 0, false);
    check_matrix("tests/golden/io/version2.npy", 0, false);
    check_matrix("tests/golden/io/f4_big_endian.npy", 1e-7, false);
    check_matrix("tests/golden/io/expected.txt", 0, false); /* numpy.savetxt: blanks, no header */
    check_matrix("tests/golden/io/xy.npz", 0, true);
    check_matrix("tests/golden/io/xy_deflated.npz", 0, true);
    tcsi_frame *frame;
    assert_ok(tcsi_read_frame(test_source("tests/golden/io/i2.npy"), NULL, &frame, NULL, test_err));
    for (size_t r = 0; r < 40; r++) assert_near((double)r - 20, tcsi_frame_column(frame, 0)[r], 0);
    tcsi_frame_destroy(frame);
    assert_ok(tcsi_read_frame(test_source("tests/golden/io/u8_2d.npy"), NULL, &frame, NULL, test_err));
    assert_near(79 * 1099511627776.0, tcsi_frame_column(frame, 1)[39], 0);
    tcsi_frame_destroy(frame);
    assert_ok(tcsi_read_frame(test_source("tests/golden/io/bool.npy"), NULL, &frame, NULL, test_err));
    assert_true(tcsi_frame_column(frame, 0)[0] == 1 && tcsi_frame_column(frame, 1)[0] == 0);
    tcsi_frame_destroy(frame);
    tcs_error err;
    assert_int_equal(tcsi_read_frame(test_source("tests/golden/io/cube.npy"), NULL, &frame, NULL, &err), TCS_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "cube.npy: an array with 3 dimensions"));
    assert_int_equal(tcsi_read_frame(test_source("tests/golden/io/complex.npy"), NULL, &frame, NULL, &err), TCS_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "complex.npy: elements of type '<c16'"));
    tcsi_read_options other = { .npz_key = "Z" };
    assert_int_equal(tcsi_read_frame(test_source("tests/golden/io/xy.npz"), &other, &frame, NULL, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "no array 'Z' among 2"));
}

/* Every truncation is an error; every flipped byte an error or a frame, never anything else. */
static void check_damaged(const char *relative)
{
    tcsi_buffer bytes;
    tcsi_frame *frame;
    tcs_error err;
    load(relative, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_int_not_equal(read_options(bytes.data, size, &(tcsi_read_options){ .as_series = true }, &frame, &err), TCS_OK);
        assert_true(strlen(err.text) > 10);
    }
    for (size_t at = 0; at < bytes.size; at++) {
        for (int flip = 1; flip < 256; flip *= 5) {
            bytes.data[at] = (char)(bytes.data[at] ^ flip);
            if (read_bytes(bytes.data, bytes.size, &frame, &err) == TCS_OK) tcsi_frame_destroy(frame);
            bytes.data[at] = (char)(bytes.data[at] ^ flip);
        }
    }
    tcsi_buffer_deinit(&bytes);
}

static void test_damaged_numpy_files(void **state)
{
    (void)state;
    check_damaged("tests/golden/io/f8.npy");
    check_damaged("tests/golden/io/f8_fortran.npy");
    check_damaged("tests/golden/io/xy.npz");
    check_damaged("tests/golden/io/xy_deflated.npz");
}

/* A header of 200 bytes that claims terabytes must not get them. */
static void test_npy_that_claims_too_much(void **state)
{
    (void)state;
    char bytes[256];
    for (int fortran = 0; fortran < 2; fortran++) {
        memset(bytes, ' ', sizeof bytes);
        memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
        int length = snprintf(bytes + 10, 100, "{'descr': '<f8', 'fortran_order': %s, 'shape': (1000000000000, 4), }", fortran ? "True"
                              : "False");
        bytes[10 + length] = ' ';
        tcsi_frame *frame;
        tcs_error err;
        tcsi_alloc_trace_begin();
        assert_int_equal(read_bytes(bytes, sizeof bytes, &frame, &err), TCS_E_FORMAT);
        assert_non_null(strstr(err.text, "truncated"));
        assert_true(tcsi_alloc_trace_stats().peak_size < 4 << 20);
        tcsi_alloc_trace_end();
    }
}

static void test_failing_allocations(void **state)
{
    (void)state;
    static const char *const names[] = { "tests/golden/io/table.ndjson", "tests/golden/io/f8.npy", "tests/golden/io/f8_fortran.npy",
                                         "tests/golden/io/xy.npz", "tests/golden/io/xy_deflated.npz" };
    for (size_t i = 0; i < TCS_COUNT(names); i++)
        for (size_t fail_at = 1;; fail_at++) {
            tcsi_frame *frame = NULL;
            tcsi_read_report report;
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(fail_at);
            tcs_status status = tcsi_read_frame(test_source(names[i]), NULL, &frame, &report, NULL);
            if (status == TCS_OK) {
                tcsi_frame_destroy(frame);
                tcsi_read_report_deinit(&report);
            }
            size_t live_count = tcsi_alloc_trace_stats().live_count;
            tcsi_alloc_trace_end();
            assert_int_equal(live_count, 0);
            if (status == TCS_OK || status == TCS_E_UNSUPPORTED) break;
            assert_int_equal(status, TCS_E_MEMORY);
        }
}

/* ---- public benchmark files, where they are ---- */

static size_t read_folder(const char *relative, const char *suffix, bool labelled, bool has_times)
{
    char folder[4096], path[8192];
    const char *shared = test_shared(relative);
    if (!shared) skip();
    snprintf(folder, sizeof folder, "%s", shared);
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(listing));) {
        tcsi_frame *frame = NULL;
        tcsi_read_report report;
        tcs_error err = { 0 };
        if (!tcsi_text_ends_with(entry->d_name, suffix)) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        tcs_status status = tcsi_read_frame(path, NULL, &frame, &report, &err);
        if (status == TCS_E_UNSUPPORTED) skip(); /* built without zlib */
        if (status != TCS_OK) print_error("%s\n", err.text);
        assert_int_equal(status, TCS_OK);
        assert_true((frame->labels != NULL) == labelled && (frame->times_ns != NULL) == has_times);
        assert_true(report.malformed_count == 0 && report.time_malformed_count == 0);
        tcsi_frame_destroy(frame);
        tcsi_read_report_deinit(&report);
        count++;
    }
    closedir(listing);
    return count;
}

static void test_public_files(void **state)
{
    (void)state;
    assert_true(read_folder("data/tsb-ad-u", ".csv", true, false) > 50);
    assert_true(read_folder("data/tsb-ad-m", ".csv", true, false) > 10);
    assert_true(read_folder("data/skab", ".csv", true, true) > 10);
    assert_true(read_folder("data/nab/data/realTweets", ".csv", false, true) > 5);
    assert_true(read_folder("data/nab/data/realKnownCause", ".csv", false, true) > 5);
    assert_true(read_folder("data/adbench", ".npz", true, false) > 20);
}

/* ---- writing ---- */

static void make_path(char *path)
{
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    close(descriptor);
}

static void test_scores_file(void **state)
{
    (void)state;
    char path[] = "/tmp/tocsin-scores-test-XXXXXX";
    make_path(path);
    static const char *const expected[] = {
        "row,time,score,p_value,state,anomaly,probability,label\n0,1970-01-01T00:00:01Z,,,warmup,0,,0\n"
        "1,1970-01-01T00:00:01.5Z,0.1,0.25,ready,1,0.75,1\n",
        "{\"row\":0,\"time\":\"1970-01-01T00:00:01Z\",\"score\":null,\"p_value\":null,\"state\":\"warmup\",\"anomaly\":0,"
        "\"probability\":null,\"label\":0}\n"
        "{\"row\":1,\"time\":\"1970-01-01T00:00:01.5Z\",\"score\":0.1,\"p_value\":0.25,\"state\":\"ready\",\"anomaly\":1,"
        "\"probability\":0.75,\"label\":1}\n",
        "row,time,score,p_value,state,anomaly,probability,uncertainty,noise,sure,label\n0,1970-01-01T00:00:01Z,,,warmup,0,,,,0,0\n"
        "1,1970-01-01T00:00:01.5Z,0.1,0.25,ready,1,0.75,0.5,0.25,0,1\n",
        "{\"row\":0,\"time\":\"1970-01-01T00:00:01Z\",\"score\":null,\"p_value\":null,\"state\":\"warmup\",\"anomaly\":0,"
        "\"probability\":null,\"uncertainty\":null,\"noise\":null,\"sure\":0,\"label\":0}\n"
        "{\"row\":1,\"time\":\"1970-01-01T00:00:01.5Z\",\"score\":0.1,\"p_value\":0.25,\"state\":\"ready\",\"anomaly\":1,"
        "\"probability\":0.75,\"uncertainty\":0.5,\"noise\":0.25,\"sure\":0,\"label\":1}\n",
    };
    for (int form = 0; form < 4; form++) {
        tcsi_scores_writer *writer;
        tcsi_scores_options options = { .ndjson = form % 2, .has_times = true, .has_uncertainty = form / 2, .has_labels = true };
        assert_ok(tcsi_scores_open(path, &options, &writer, test_err));
        tcsi_scores_row row = { .row = 0, .time_ns = TCSI_NS_PER_S };
        assert_ok(tcsi_scores_put(writer, &row, test_err));
        row = (tcsi_scores_row){ 1, TCSI_NS_PER_S * 3 / 2, { .value = 0.1, .p_value = 0.25, .uncertainty = 0.5f, .noise = 0.25f,
                                                             .state = TCS_SCORE_READY }, true, false, 1, 0.75 };
        assert_ok(tcsi_scores_put(writer, &row, test_err));
        assert_ok(tcsi_scores_commit(writer, test_err));
        tcsi_buffer bytes;
        tcsi_buffer_init(&bytes, 1 << 16);
        assert_ok(tcsi_file_read(path, &bytes, test_err));
        assert_string_equal(bytes.data, expected[form]);
        tcsi_buffer_deinit(&bytes);
    }
    unlink(path);
    assert_true(tcsi_scores_is_ndjson("a/b.jsonl") && !tcsi_scores_is_ndjson("a/b.csv"));
}

static tcs_status write_many(const char *path, tcs_error *err)
{
    tcsi_scores_writer *writer;
    tcs_status status = tcsi_scores_open(path, &(tcsi_scores_options){ .has_times = true }, &writer, err);
    if (status != TCS_OK) return status;
    tcsi_scores_row row = { .score = { .value = 0.3, .p_value = 0.5, .state = TCS_SCORE_READY } };
    for (; row.row < 100000 && status == TCS_OK; row.row++) status = tcsi_scores_put(writer, &row, err);
    if (status == TCS_OK) return tcsi_scores_commit(writer, err);
    tcsi_scores_abort(writer);
    return status;
}

static void test_full_disk_and_closed_pipe(void **state)
{
    (void)state;
    tcs_error err;
    assert_int_equal(write_many("/dev/full", &err), TCS_E_IO);
    assert_non_null(strstr(err.text, "/dev/full: cannot be written: No space left"));
    assert_int_equal(write_many("/nowhere/at/all", &err), TCS_E_IO);
    int ends[2];
    char path[64];
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    signal(SIGPIPE, SIG_IGN);
    close(ends[0]);
    /* Depending on the system the pipe's end cannot even be opened any more; both ways it is an I/O error. */
    assert_int_equal(write_many(path, &err), TCS_E_IO);
    close(ends[1]);
}

static void test_frame_round_trip(void **state)
{
    (void)state;
    char path[] = "/tmp/tocsin-frame-test-XXXXXX";
    make_path(path);
    tcsi_rng rng = tcsi_rng_make(11, 0);
    for (int shape = 0; shape < 4; shape++) {
        tcsi_frame *frame, *back;
        size_t channel_count = shape == 0 ? 1 : 3;
        assert_ok(tcsi_frame_create(channel_count, 0, shape & 1, shape & 2, &frame, test_err));
        assert_ok(tcsi_frame_channel_rename(frame, 0, "a \"quoted\", name", test_err));
        for (int r = 0; r < 3000; r++) {
            double row[3];
            for (size_t c = 0; c < 3; c++) {
                uint64_t bits = tcsi_rng_u64(&rng);
                memcpy(&row[c], &bits, sizeof bits);
                if (!isfinite(row[c])) row[c] = NAN;
                if (r < 10) row[c] = tcsi_rng_normal(&rng);
            }
            if (r == 20) row[0] = NAN;
            assert_ok(tcsi_frame_append(frame, row, (int64_t)r * 123456789, r % 7 == 0, test_err));
        }
        assert_ok(tcsi_write_frame(path, frame, test_err));
        assert_ok(tcsi_read_frame(path, NULL, &back, NULL, test_err));
        assert_true(back->row_count == frame->row_count && back->channel_count == channel_count);
        assert_string_equal(back->channels[0].name, "a \"quoted\", name");
        for (size_t c = 0; c < channel_count; c++)
            for (size_t r = 0; r < frame->row_count; r++) {
                double a = tcsi_frame_column(frame, c)[r], b = tcsi_frame_column(back, c)[r];
                assert_true((isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0);
            }
        if (frame->times_ns) assert_memory_equal(frame->times_ns, back->times_ns, frame->row_count * sizeof(int64_t));
        if (frame->labels) assert_memory_equal(frame->labels, back->labels, frame->row_count);
        tcsi_frame_destroy(frame);
        tcsi_frame_destroy(back);
    }
    unlink(path);
}

/* ---- wide tables ---- */

typedef enum wide_format { WIDE_CSV, WIDE_NDJSON, WIDE_NPY, WIDE_FORMAT_COUNT } wide_format;

static tcs_status put_wide(wide_format format, size_t column_count, tcsi_buffer *out, tcs_error *err)
{
    enum { ROW_COUNT = 2 };
    char header[128];
    tcs_status status = TCS_OK;
    tcsi_buffer_init(out, 1 << 26);
    if (format == WIDE_NPY) {
        int size = snprintf(header, sizeof header, "\x93NUMPY\x01%c\x76%c{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %zu), }", 0,
                            0, ROW_COUNT, column_count);
        memset(header + size, ' ', sizeof header - (size_t)size);
        status = tcsi_buffer_append(out, header, sizeof header, err);
    }
    for (size_t c = 0; format == WIDE_CSV && c < column_count && status == TCS_OK; c++)
        status = tcsi_buffer_printf(out, err, "column%zu%c", c, c + 1 < column_count ? ',' : '\n');
    for (size_t r = 0; r < ROW_COUNT; r++)
        for (size_t c = 0; c < column_count && status == TCS_OK; c++) {
            double value = (double)((c * 7919 + r * 104729) % 1000) / 8;
            bool last = c + 1 == column_count;
            if (format == WIDE_NPY) status = tcsi_buffer_append(out, &value, sizeof value, err);
            else if (format == WIDE_CSV) status = tcsi_buffer_printf(out, err, "%g%c", value, last ? '\n' : ',');
            else status = tcsi_buffer_printf(out, err, "%s\"column%zu\":%g%s", c == 0 ? "{" : ",", c, value, last ? "}\n" : "");
        }
    return status;
}

/* Bytes at once, and allocations in all, over the number of columns. */
static void measure_wide(wide_format format, size_t column_count, double *ret_bytes, double *ret_allocations)
{
    tcsi_buffer text;
    tcsi_frame *frame;
    assert_ok(put_wide(format, column_count, &text, test_err));
    tcsi_alloc_trace_begin();
    assert_ok(read_bytes(text.data, text.size, &frame, test_err));
    assert_int_equal(frame->channel_count, column_count);
    tcsi_frame_destroy(frame);
    tcsi_alloc_stats stats = tcsi_alloc_trace_stats();
    tcsi_alloc_trace_end();
    assert_int_equal(stats.live_size, 0);
    *ret_bytes = (double)stats.peak_size / (double)column_count;
    *ret_allocations = (double)stats.total_count / (double)column_count;
    tcsi_buffer_deinit(&text);
}

/* A column costs its name, its line in the report and a few cells of the sample, however many others there are. */
static void test_wide_tables(void **state)
{
    (void)state;
    enum { COLUMN_COUNT = 65536 };
    static const double bytes_max[WIDE_FORMAT_COUNT] = { 400, 1000, 400 };
    for (wide_format format = 0; format < WIDE_FORMAT_COUNT; format++) {
        double bytes, allocations;
        measure_wide(format, COLUMN_COUNT, &bytes, &allocations);
        if (bytes > bytes_max[format]) fail_msg("format %d: %.0f bytes a column", format, bytes);
        if (allocations > 4.1) fail_msg("format %d: %.1f allocations a column", format, allocations);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_ndjson_union_of_keys), cmocka_unit_test(test_ndjson_refusals), cmocka_unit_test(test_ndjson_equals_csv),
              cmocka_unit_test(test_numpy_files), cmocka_unit_test(test_damaged_numpy_files),
                  cmocka_unit_test(test_npy_that_claims_too_much),
              cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_public_files), cmocka_unit_test(test_scores_file),
                  cmocka_unit_test(test_full_disk_and_closed_pipe),
              cmocka_unit_test(test_frame_round_trip), cmocka_unit_test(test_wide_tables))
