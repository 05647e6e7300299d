/* Answers of queries: SQLite files made here, and Prometheus answers word by word.  Real servers: tests/servers/. */
#include "test.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "io/answer.h"
#include "io/prometheus.h"
#include "io/rows.h"
#include "io/url.h"

#include <sys/wait.h>

static char database[64] = ""; /* "" when the sqlite3 command is not there */

/* A database made by the sqlite3 command, so that this program needs no second door to the library. */
static int make_database(void **state)
{
    (void)state;
    static const char script[] =
        "create table r(time text, flow real, n integer, ok boolean, seen timestamp, note text, tag blob);"
        "with recursive i(k) as (select 0 union all select k + 1 from i where k < 4999)"
        " insert into r select strftime('%Y-%m-%dT%H:%M:%SZ', 1700000000 + 60 * k, 'unixepoch'),"
        "  case when k = 7 then null when k = 9 then 9e999 else 0.1 + k * k % 97 end, k * k, k % 2, 1700000000 + 60 * k,"
        "  case when k % 3 then 'a' else 'b' end, x'00ff' from i;"
        "create table ns(at integer, v real); insert into ns values(1700000000123456789, 1.5),(1700000000123456790, 2.5);"
        "create table empty(time text, v real);"
        "create table words(a text); insert into words values('x'),('y');"
        "create table mixed(v); insert into mixed values(1.5),('2.5'),('oops'),(null),(4);"
        "create table deep(v real); insert into deep values(0.1),(1e308),(5e-324),(-1.7976931348623157e308),(3.141592653589793);";
    char path[] = "/tmp/tocsin-sqlite-test-XXXXXX", command[128];
    int descriptor = mkstemp(path);
    if (descriptor < 0) return 1;
    close(descriptor);
    snprintf(command, sizeof command, "sqlite3 %s 2>/dev/null", path);
    FILE *pipe = popen(command, "w");
    if (!pipe) return 1;
    fputs(script, pipe);
    if (pclose(pipe) == 0) snprintf(database, sizeof database, "sqlite:%s", path);
    else unlink(path);
    return 0;
}

static int remove_database(void **state)
{
    (void)state;
    if (*database) unlink(database + 7);
    return 0;
}

/* As in a build without SQLite: then only the sentence is tested. */
static bool has_sqlite(void)
{
    tcsi_answer *answer = NULL;
    tcs_error err = { 0 };
    tcs_status status = tcsi_sqlite_open("sqlite:/dev/null", "select 1 as a", &answer, &err);
    if (status == TCS_OK) tcsi_answer_destroy(answer);
    else assert_non_null(strstr(err.text, "-Dsqlite=enabled"));
    return status == TCS_OK;
}

#define NEEDS_DATABASE()                                                                      \
    do {                                                                                      \
        if (!*database || !has_sqlite()) {                                                    \
            print_message("# no sqlite3 command, or a build without SQLite\n");               \
            skip();                                                                           \
        }                                                                                     \
    } while (0)

static tcs_status read_query(const char *query, tcsi_read_options options, tcsi_frame **ret_frame, tcsi_read_report *ret_report,
                             tcs_error *err)
{
    options.query = query;
    return tcsi_read_frame(database, &options, ret_frame, ret_report, err);
}

static void test_sqlite_frame(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    tcsi_frame *frame;
    tcsi_read_report report;
    assert_ok(read_query("select * from r order by time; -- all", (tcsi_read_options){ 0 }, &frame, &report, test_err));
    assert_string_equal(report.format, "SQLite");
    assert_string_equal(report.source, database);
    assert_true(report.row_count == 5000 && frame->row_count == 5000 && frame->channel_count == 3);
    assert_string_equal(frame->channels[0].name, "flow");
    assert_string_equal(frame->channels[1].name, "n");
    assert_string_equal(frame->channels[2].name, "ok");
    assert_string_equal(report.columns[4].reason, "another time column"); /* epochs in a column declared timestamp */
    assert_string_equal(report.columns[5].reason, "text");
    assert_true(report.missing_count == 1 && report.infinite_count == 1 && report.malformed_count == 0);
    for (size_t k = 0; k < 5000; k++) {
        double flow = tcsi_frame_column(frame, 0)[k];
        assert_true(k == 7 || k == 9 ? isnan(flow) : flow == 0.1 + (double)(k * k % 97));
        assert_true(tcsi_frame_column(frame, 1)[k] == (double)(k * k) && tcsi_frame_column(frame, 2)[k] == (double)(k % 2));
        assert_true(frame->times_ns[k] == (INT64_C(1700000000) + 60 * (int64_t)k) * TCSI_NS_PER_S);
    }
    tcsi_frame_destroy(frame);
    tcsi_read_report_deinit(&report);
}

static void test_sqlite_rows_equal_frame(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    tcsi_read_options options = { .query = "select time, flow, ok as label from r order by time" };
    tcsi_frame *frame;
    tcsi_row_reader *reader;
    tcsi_row row;
    uint8_t label;
    bool end;
    assert_ok(tcsi_read_frame(database, &options, &frame, NULL, test_err));
    assert_ok(tcsi_row_reader_open(database, &options, &reader, test_err));
    for (size_t r = 0; r < frame->row_count; r++) {
        assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, test_err));
        double expected = tcsi_frame_column(frame, 0)[r];
        assert_true(!end && row.sequence == r && row.time_ns == frame->times_ns[r] && label == frame->labels[r]);
        assert_true(row.values[0] == expected || (isnan(row.values[0]) && isnan(expected)));
    }
    assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, test_err));
    assert_true(end && frame->row_count == 5000);
    tcsi_row_reader_close(reader);
    tcsi_frame_destroy(frame);
}

/* 200,000 rows through the row reader must not take more memory than 200. */
static void test_sqlite_memory_is_bounded(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    size_t peaks[2];
    for (size_t i = 0; i < 2; i++) {
        tcsi_read_options options = { .as_series = true, .query = i == 0
            ? "with recursive i(k) as (select 0 union all select k + 1 from i where k < 199) select k * 0.5 as v from i"
            : "with recursive i(k) as (select 0 union all select k + 1 from i where k < 199999) select k * 0.5 as v from i" };
        tcsi_row_reader *reader;
        tcsi_row row;
        uint8_t label;
        bool end = false;
        size_t count = 0;
        tcsi_alloc_trace_begin();
        assert_ok(tcsi_row_reader_open(database, &options, &reader, test_err));
        while (!end) {
            assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, test_err));
            count += !end;
        }
        tcsi_row_reader_close(reader);
        tcsi_alloc_stats stats = tcsi_alloc_trace_stats();
        tcsi_alloc_trace_end();
        assert_true(stats.live_count == 0 && count == (i == 0 ? 200 : 200000));
        peaks[i] = stats.peak_size;
    }
    assert_int_equal(peaks[0], peaks[1]);
}

static void test_sqlite_exact_numbers(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    tcsi_frame *frame;
    assert_ok(read_query("select v from deep", (tcsi_read_options){ 0 }, &frame, NULL, test_err));
    static const double expected[] = { 0.1, 1e308, 5e-324, -1.7976931348623157e308, 3.141592653589793 };
    for (size_t r = 0; r < TCS_COUNT(expected); r++) assert_true(tcsi_frame_column(frame, 0)[r] == expected[r]);
    tcsi_frame_destroy(frame);
    assert_ok(read_query("select at, v from ns", (tcsi_read_options){ .time_name = "at" }, &frame, NULL, test_err));
    assert_true(frame->times_ns[0] == INT64_C(1700000000123456789) && frame->times_ns[1] == frame->times_ns[0] + 1);
    tcsi_frame_destroy(frame);
    assert_ok(read_query("select seen as s, flow from r", (tcsi_read_options){ 0 }, &frame, NULL,
        test_err)); /* found by its declared type */
    assert_true(frame->times_ns && frame->times_ns[1] == INT64_C(1700000060) * TCSI_NS_PER_S && frame->channel_count == 1);
    tcsi_frame_destroy(frame);
    tcsi_read_report report;
    assert_ok(read_query("select v from mixed", (tcsi_read_options){ 0 }, &frame, &report, test_err));
    assert_true(tcsi_frame_column(frame, 0)[1] == 2.5 && report.malformed_count == 1 && report.missing_count == 1);
    assert_true(report.columns[0].malformed_line == 3 && frame->row_count == 5);
    tcsi_frame_destroy(frame);
    tcsi_read_report_deinit(&report);
}

static void test_sqlite_refusals(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    static const struct { const char *query; tcs_status status; const char *text; tcsi_read_options options; } cases[] = {
        { NULL, TCS_E_INVALID, "needs a query, for example --query 'select" },
        { " ;\n", TCS_E_INVALID, "needs a query" },
        { "-- nothing", TCS_E_INVALID, "the query is empty" },
        { "select * from nowhere", TCS_E_INVALID, "no such table: nowhere" },
        { "selec 1", TCS_E_INVALID, "syntax error" },
        { "select 1; select 2", TCS_E_INVALID, "more than one statement" },
        { "select 1; garbage", TCS_E_INVALID, "more than one statement" },
        { "delete from r", TCS_E_INVALID, "would change the database" },
        { "create table t(a)", TCS_E_INVALID, "would change the database" },
        { "attach '/tmp/tocsin-must-not-exist.db' as x", TCS_E_INVALID, "no columns" },
        { "select flow from r where n > ?", TCS_E_INVALID, "has a parameter, '?'" },
        { "select flow from r where n > :least", TCS_E_INVALID, "has a parameter, ':least'" },
        { "select * from empty", TCS_E_FORMAT, "the query gives no rows" },
        { "select * from words", TCS_E_FORMAT, "no column holds numbers" },
        { "select abs(-9223372036854775808)", TCS_E_INVALID, "integer overflow" },
        { "select time, flow from r", TCS_E_INVALID, "no column 'tme'; did you mean 'time'?", { .time_name = "tme" } },
        { "select time, flow from r", TCS_E_INVALID, "start, end and step are for Prometheus", { .start = "now-1h" } },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_frame *frame = NULL;
        tcs_error err = { 0 };
        tcs_status status = read_query(cases[i].query, cases[i].options, &frame, NULL, &err);
        if (status != cases[i].status || !strstr(err.text, cases[i].text) || strncmp(err.text, database, strlen(database)) != 0)
            fail_msg("%s: %s '%s', expected '%s'", cases[i].query, tcsi_status_name(status), err.text, cases[i].text);
    }
    assert_int_not_equal(access("/tmp/tocsin-must-not-exist.db", F_OK), 0);
}

/* Damaged, empty, foreign and absent files. */
static void test_sqlite_files(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    char path[] = "/tmp/tocsin-sqlite-damaged-XXXXXX", url[64];
    int descriptor = mkstemp(path);
    FILE *from = fopen(database + 7, "rb"), *to = fdopen(descriptor, "wb");
    assert_true(from && to);
    static char bytes[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, from);
    fclose(from);
    memset(bytes + 4096, 0x5A, size - 4096 - 512);
    assert_int_equal(fwrite(bytes, 1, size, to), size);
    fclose(to);
    snprintf(url, sizeof url, "sqlite:%s", path);
    const struct { const char *url; tcs_status status; const char *text; } cases[] = {
        { url, TCS_E_FORMAT, "damaged" },
        { "sqlite:/nowhere/at.db", TCS_E_IO, "cannot be opened" },
        { "sqlite:///nowhere/at.db", TCS_E_IO, "cannot be opened" },
        { "sqlite::memory:", TCS_E_IO, "cannot be opened" },
        { "sqlite:file:x?mode=memory", TCS_E_IO, "cannot be opened" },
        { "sqlite:/tmp", TCS_E_IO, "cannot be read as a database" },
        { "sqlite:", TCS_E_INVALID, "names no file" },
        { "mysql://u:secret@h/d", TCS_E_UNSUPPORTED, "mysql://u:***@h/d: cannot be read; expected a path" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_read_options options = { .query = "select * from r" };
        tcsi_frame *frame = NULL;
        tcs_error err = { 0 };
        tcs_status status = tcsi_read_frame(cases[i].url, &options, &frame, NULL, &err);
        if (status != cases[i].status || !strstr(err.text, cases[i].text))
            fail_msg("%s: %s '%s', expected '%s'", cases[i].url, tcsi_status_name(status), err.text, cases[i].text);
    }
    unlink(path);
    tcsi_read_options options = { .query = "select * from r" };
    tcsi_frame *frame = NULL;
    tcs_error err = { 0 };
    assert_int_equal(tcsi_read_frame(test_source("tests/golden/io/plain.csv"), &options, &frame, NULL, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "is a file; a query and a range are for"));
    snprintf(url, sizeof url, "sqlite:%s", "/dev/null"); /* an empty database */
    assert_int_equal(tcsi_read_frame(url, &options, &frame, NULL, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "no such table"));
}

static void test_sqlite_failing_allocations(void **state)
{
    (void)state;
    NEEDS_DATABASE();
    size_t fail_at = 0;
    tcs_status status = TCS_E_MEMORY;
    while (status != TCS_OK) {
        tcsi_frame *frame = NULL;
        tcsi_read_report report;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(++fail_at);
        status = read_query("select seen as s, flow, note from r limit 20", (tcsi_read_options){ .sample_row_count = 10 }, &frame,
            &report, &err);
        if (status == TCS_OK) {
            tcsi_frame_destroy(frame);
            tcsi_read_report_deinit(&report);
        }
        tcsi_alloc_stats stats = tcsi_alloc_trace_stats();
        tcsi_alloc_trace_end();
        assert_int_equal(stats.live_count, 0);
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
    }
    assert_true(fail_at > 20);
}

/* ---- Prometheus, without a server ---- */

#define MATRIX(result) "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":" result "}}"
#define SERIES_A                                                                                     \
    "{\"metric\":{\"__name__\":\"up\",\"job\":\"a\",\"instance\":\"h:1\"}," \
    "\"values\":[[1700000000,\"1\"],[1700000015.5,\"NaN\"]]}"
#define SERIES_B                                                                                     \
    "{\"values\":[[1700000015.5,\"-Inf\"],[1700000030,\"2.5e3\"]]," \
    "\"metric\":{\"job\":\"b\\\"\\\\\",\"instance\":\"h:1\",\"__name__\":\"up\"}}"

static tcs_status parse_text(tcsi_prometheus_matrix *matrix, const char *text, tcs_error *err)
{
    size_t size = strlen(text);
    char *exact = malloc(size ? size : 1); /* so that a sanitizer sees a step beyond the end */
    memcpy(exact, text, size);
    tcs_status status = tcsi_prometheus_parse(matrix, exact, size, err);
    free(exact);
    return status;
}

static void assert_name(const tcsi_prometheus_matrix *matrix, size_t series, const char *expected)
{
    tcsi_buffer name;
    tcsi_buffer_init(&name, 1000);
    assert_ok(tcsi_prometheus_name(matrix, series, &name, test_err));
    assert_string_equal(name.data, expected);
    tcsi_buffer_deinit(&name);
}

static void test_prometheus_parse(void **state)
{
    (void)state;
    tcsi_prometheus_matrix m;
    tcsi_prometheus_matrix_init(&m);
    assert_ok(parse_text(&m, MATRIX("[" SERIES_A " , " SERIES_B "]"), test_err));
    assert_int_equal(m.count, 2);
    assert_string_equal(m.series[1].key, "up{instance=\"h:1\",job=\"b\\\"\\\\\"}");
    assert_true(m.series[0].count == 2 && m.series[0].times_ms[1] == 1700000015500 && m.series[0].values[0] == 1);
    assert_true(isnan(m.series[0].values[1]) && isinf(m.series[1].values[0]) && m.series[1].values[1] == 2500);
    /* The next part of the range: one series goes on, another begins. */
    static const char part[] = "{\"data\":{\"result\":[{\"metric\":{\"instance\":\"h:1\",\"job\":\"a\",\"__name__\":\"up\"},"
        "\"values\":[[1700000045,\"4\"]]},{\"metric\":{\"__name__\":\"up\",\"instance\":\"h:1\"},\"values\":[]}],"
        "\"resultType\":\"matrix\"},\"stats\":[{\"x\":[1,\"]}\"]}],\"warnings\":[\"half\\nof it\"],\"status\":\"success\"}";
    assert_ok(parse_text(&m, part, test_err));
    assert_true(m.count == 3 && m.series[0].count == 3 && m.series[0].values[2] == 4 && m.series[2].count == 0);
    assert_string_equal(m.warning, "half of it");
    assert_ok(tcsi_prometheus_compare(&m, test_err));
    assert_name(&m, 0, "up{job=\"a\"}");
    assert_name(&m, 1, "up{job=\"b\\\"\\\\\"}");
    assert_name(&m, 2, "up");
    tcsi_prometheus_matrix_deinit(&m);
}

static void test_prometheus_refusals(void **state)
{
    (void)state;
    static const struct { const char *text; tcs_status status; const char *expected; } cases[] = {
        { "", TCS_E_FORMAT, "malformed or cut off at byte 0 of 0" },
        { "[]", TCS_E_FORMAT, "malformed" },
        { "null", TCS_E_FORMAT, "malformed" },
        { "{}", TCS_E_FORMAT, "not that of a Prometheus query" },
        { "{\"status\":\"success\"}", TCS_E_FORMAT, "not that of a Prometheus query" },
        { "{\"status\":1,\"data\":{}}", TCS_E_FORMAT, "not that of a Prometheus query" },
        { "{\"status\":\"success\",\"data\":[]}", TCS_E_FORMAT, "malformed" },
        { "{\"status\":\"success\",\"data\":{}}", TCS_E_FORMAT, "malformed" },
        { "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error: \\u001b[2J no\"}", TCS_E_INVALID,
          "the server refuses the query, bad_data: parse error:  [2J no" },
        { "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"query timed out\"}", TCS_E_IO, "timeout: query timed out" },
        { "{\"status\":\"error\"}", TCS_E_IO, "no reason given" },
        { "{\"status\":\"error\",\"error\":7}", TCS_E_IO, "no reason given" },
        { "{\"status\":\"error\",\"error\":\"\\x\"}", TCS_E_FORMAT, "malformed" },
        { "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}", TCS_E_INVALID,
            "the result is a \"vector\", expected a matrix" },
        { "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"2\"]}}", TCS_E_INVALID, "is a \"scalar\"" },
        { "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1,\"2\"]}}", TCS_E_INVALID, "is a \"string\"" },
        { MATRIX("7"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[7]"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[{}]"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[{\"metric\":[],\"values\":[]}]"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[{\"metric\":{\"a\":1},\"values\":[]}]"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[{\"metric\":{},\"values\":{}}]"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[{\"metric\":{},\"values\":[[1]]}]"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[{\"metric\":{},\"values\":[[1,\"2\"]"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[{\"metric\":{},\"values\":[[1,\"2\",3]]}]"), TCS_E_FORMAT, "malformed" },
        { MATRIX("[{\"metric\":{},\"values\":[[1,2]]}]"), TCS_E_FORMAT, "'[1,2]' is no point" },
        { MATRIX("[{\"metric\":{},\"values\":[[\"1\",\"2\"]]}]"), TCS_E_FORMAT, "is no point" },
        { MATRIX("[{\"metric\":{},\"values\":[[1e300,\"2\"]]}]"), TCS_E_FORMAT, "is no point" },
        { MATRIX("[{\"metric\":{},\"values\":[[1,\"two\"]]}]"), TCS_E_FORMAT, "'[1,\"two\"]' is no point" },
        { MATRIX("[{\"metric\":{},\"values\":[[1,\"2\"],[1,\"3\"]]}]"), TCS_E_FORMAT, "do not ascend" },
        { MATRIX("[{\"metric\":{},\"values\":[[2,\"2\"],[1,\"3\"]]}]"), TCS_E_FORMAT, "do not ascend" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_prometheus_matrix m;
        tcs_error err = { 0 };
        tcsi_prometheus_matrix_init(&m);
        tcs_status status = parse_text(&m, cases[i].text, &err);
        if (status != cases[i].status || !strstr(err.text, cases[i].expected))
            fail_msg("%s: %s '%s', expected '%s'", cases[i].text, tcsi_status_name(status), err.text, cases[i].expected);
        tcsi_prometheus_matrix_deinit(&m);
    }
}

/* Every prefix of an answer is refused, and every byte may be any other without harm. */
static void test_prometheus_cut_and_flipped(void **state)
{
    (void)state;
    static const char whole[] = MATRIX("[" SERIES_A "," SERIES_B "]");
    char text[sizeof whole];
    tcs_error err;
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        tcsi_prometheus_matrix m;
        tcsi_prometheus_matrix_init(&m);
        memcpy(text, whole, cut);
        text[cut] = 0;
        assert_int_equal(parse_text(&m, text, &err), TCS_E_FORMAT);
        tcsi_prometheus_matrix_deinit(&m);
    }
    static const char swaps[] = "\"\\[]{},:09-.eN \n\x01\xFF";
    for (size_t at = 0; at < sizeof whole - 1; at++)
        for (size_t i = 0; i < sizeof swaps - 1; i++) {
            tcsi_prometheus_matrix m;
            tcsi_prometheus_matrix_init(&m);
            memcpy(text, whole, sizeof whole);
            text[at] = swaps[i];
            tcs_status status = parse_text(&m, text, &err);
            assert_true(status == TCS_OK || status == TCS_E_FORMAT || status == TCS_E_INVALID || status == TCS_E_IO);
            tcsi_prometheus_matrix_deinit(&m);
        }
}

static void test_prometheus_failing_allocations(void **state)
{
    (void)state;
    size_t fail_at = 0;
    tcs_status status = TCS_E_MEMORY;
    while (status != TCS_OK) {
        tcsi_prometheus_matrix m;
        tcsi_buffer name;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(++fail_at);
        tcsi_prometheus_matrix_init(&m);
        tcsi_buffer_init(&name, 1000);
        status = tcsi_prometheus_parse(&m, MATRIX("[" SERIES_A "," SERIES_B "]"), strlen(MATRIX("[" SERIES_A "," SERIES_B "]")), &err);
        if (status == TCS_OK) status = tcsi_prometheus_compare(&m, &err);
        if (status == TCS_OK) status = tcsi_prometheus_name(&m, 1, &name, &err);
        tcsi_prometheus_matrix_deinit(&m);
        tcsi_buffer_deinit(&name);
        tcsi_alloc_stats stats = tcsi_alloc_trace_stats();
        tcsi_alloc_trace_end();
        assert_int_equal(stats.live_count, 0);
        assert_true(status == TCS_OK || status == TCS_E_MEMORY);
    }
    assert_true(fail_at > 8);
}

/* What can be said wrongly before any server is asked. */
static void test_prometheus_requests(void **state)
{
    (void)state;
    static const struct { const char *url; tcsi_read_options options; const char *text; } cases[] = {
        { "http://127.0.0.1:1", { 0 }, "http://127.0.0.1:1: needs a PromQL query" },
        { "http://u:secret@127.0.0.1:1/data.csv?x=1", { 0 }, "http://u:***@127.0.0.1:1/data.csv: needs a PromQL query" },
        { "http://127.0.0.1:1?query=up&start=yesterday", { 0 }, "start 'yesterday': expected" },
        { "http://127.0.0.1:1?query=up", { .end = "now+1h" }, "end 'now+1h': expected" },
        { "http://127.0.0.1:1?query=up", { .end = "1000", .start = "2000" }, "the range ends before it starts" },
        { "http://127.0.0.1:1?query=up&step=0", { 0 }, "step '0': expected a duration" },
        { "http://127.0.0.1:1?query=up&step=-5s", { 0 }, "step '-5s': expected a duration" },
        { "http://127.0.0.1:1?query=up&step=5x", { 0 }, "step '5x': expected a duration" },
        { "http://127.0.0.1:1?query=up&timeout=1d", { 0 }, "timeout '1d': expected a duration up to 1h" },
        { "http://127.0.0.1:1?query=100%", { 0 }, "the parameter 'query' has a percent sign that begins no code" },
        { "http://127.0.0.1:1?query=up&start=0&end=9000000000&step=1ms", { 0 }, "more than 110000000 steps" },
        { "http://127.0.0.1:1?query=up&start=now-9000y", { 0 }, "begins too long ago" },
        { "http://127.0.0.1:1/api/v1/query?query=up&start=0", { 0 }, "query takes time" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        tcsi_frame *frame = NULL;
        tcs_error err = { 0 };
        tcs_status status = tcsi_read_frame(cases[i].url, &cases[i].options, &frame, NULL, &err);
        if (status == TCS_OK || !strstr(err.text, cases[i].text))
            fail_msg("%s: %s '%s', expected '%s'", cases[i].url, tcsi_status_name(status), err.text, cases[i].text);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct { const char *input; tcsi_url_kind kind; } cases[] = {
        { "a.csv", TCSI_URL_NONE }, { "-", TCSI_URL_NONE }, { "", TCSI_URL_NONE }, { "./sqlite:x", TCSI_URL_NONE }, { "c:\\x",
            TCSI_URL_NONE },
        { "weird:name.csv", TCSI_URL_NONE }, { "sqlite:x", TCSI_URL_SQLITE }, { "SQLite:x", TCSI_URL_SQLITE },
        { "postgres://h", TCSI_URL_POSTGRESQL }, { "postgresql://h", TCSI_URL_POSTGRESQL }, { "https://h", TCSI_URL_HTTP },
        { "s3://b/k", TCSI_URL_OTHER }, { "averyveryverylongscheme://x", TCSI_URL_OTHER },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) assert_int_equal(tcsi_url_kind_of(cases[i].input), cases[i].kind);
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sqlite_frame), cmocka_unit_test(test_sqlite_rows_equal_frame),
        cmocka_unit_test(test_sqlite_memory_is_bounded), cmocka_unit_test(test_sqlite_exact_numbers),
        cmocka_unit_test(test_sqlite_refusals), cmocka_unit_test(test_sqlite_files), cmocka_unit_test(test_sqlite_failing_allocations),
        cmocka_unit_test(test_prometheus_parse), cmocka_unit_test(test_prometheus_refusals),
        cmocka_unit_test(test_prometheus_cut_and_flipped), cmocka_unit_test(test_prometheus_failing_allocations),
        cmocka_unit_test(test_prometheus_requests), cmocka_unit_test(test_kinds),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    test_choose_cases();
    return cmocka_run_group_tests(tests, make_database, remove_database);
}

int main(void)
{
    return test_relay(run_all);
}
