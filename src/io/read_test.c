/* CSV in every shape people send it: what is guessed, what is refused and with which words. */
#include "test.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "io/read.h"
#include "io/rows.h"

#include <fcntl.h>

static const tcsi_read_options none = { 0 };

static tcs_status read_text_sized(const char *text, size_t size, const tcsi_read_options *options, tcsi_frame **ret_frame,
                                  tcsi_read_report *ret_report, tcs_error *err)
{
    return tcsi_read_frame_memory(text, size, "t.csv", options, ret_frame, ret_report, err);
}

/* One line that says everything about what was read: channels with values, then times and labels.  Or the error. */
static void describe(const char *text, size_t size, const tcsi_read_options *options, tcsi_buffer *out)
{
    tcsi_frame *frame = NULL;
    tcsi_read_report report = { 0 };
    tcs_error err = { 0 };
    tcsi_buffer_clear(out);
    tcs_status status = read_text_sized(text, size, options, &frame, &report, &err);
    if (status != TCS_OK) {
        assert_true(err.status == status && strlen(err.text) > 10);
        assert_ok(tcsi_buffer_printf(out, NULL, "%s %s", tcsi_status_name(status), err.text));
        return;
    }
    for (size_t c = 0; c < frame->channel_count; c++) {
        assert_ok(tcsi_buffer_printf(out, NULL, "%s%s=", c ? " " : "", frame->channels[c].name));
        for (size_t r = 0; r < frame->row_count; r++)
            assert_ok(tcsi_buffer_printf(out, NULL, "%s%.10g", r ? "," : "", tcsi_frame_column(frame, c)[r]));
    }
    for (size_t r = 0; frame->times_ns && r < frame->row_count; r++)
        assert_ok(tcsi_buffer_printf(out, NULL, "%s%.9g", r ? "," : " @", (double)frame->times_ns[r] * 1e-9));
    for (size_t r = 0; frame->labels && r < frame->row_count; r++)
        assert_ok(tcsi_buffer_printf(out, NULL, "%s%d", r ? "," : " !", frame->labels[r]));
    tcsi_frame_destroy(frame);
    tcsi_read_report_deinit(&report);
}

typedef struct nasty_case {
    const char *text, *expected; /* as describe writes it; an error case: its beginning */
    tcsi_read_options options;
} nasty_case;

#define LONG_TIMES "2024-01-01T00:00:00Z,1\n2024-01-01T00:01:00Z,2\n"

static const nasty_case nasty_cases[] = {
    { "", "E_FORMAT t.csv: is empty" },
    { "\n\n", "E_FORMAT t.csv: holds no rows" },
    { "# only a comment\n", "E_FORMAT t.csv: holds no rows" },
    { "a,b\n", "E_FORMAT t.csv: holds a header and no rows" },
    { "1,2\n", "c0=1 c1=2" },
    { "1,2", "c0=1 c1=2" },
    { "a,b\n1,2\n", "a=1 b=2" },
    { "a,b\r\n1,2\r\n3,4\r\n", "a=1,3 b=2,4" },
    { "a;b\n1,5;2\n3;4\n", "a=1.5,3 b=2,4" },
    { "a\tb\n1.5\t2\n3\t4\n", "a=1.5,3 b=2,4" },
    { "a|b\n1.5|2\n3|4\n", "a=1.5,3 b=2,4" },
    { "  a  b\n  1.5  2  \n  3    4\n", "a=1.5,3 b=2,4" },
    { "1\n2.5\n4\n", "c0=1,2.5,4" },
    { "value\n1\n2.5\n", "value=1,2.5" },
    { "\xEF\xBB\xBF" "a,b\n1.5,2\n", "a=1.5 b=2" },
    { "a,b\n1,\n,2\n3,4\n", "a=1,nan,3 b=nan,2,4" },
    { "a,b\nNA,1\nn/a,2\nNaN,3\nnull,4\nNone,5\n?,6.5\n-,7\n9,8\n", "a=nan,nan,nan,nan,nan,nan,nan,9 b=1,2,3,4,5,6.5,7,8" },
    { "a,b\ninf,1\n-Infinity,2\n1e999,3.5\n7,4\n", "a=nan,nan,nan,7 b=1,2,3.5,4" },
    { "a,b\n5e-324,1e308\n2.2250738585072014e-308,-1.7976931348623157e308\n",
     "a=4.940656458e-324,2.225073859e-308 b=1e+308,-1.797693135e+308" },
    { "a,b\n,1.5\n,2\n,3\n", "b=1.5,2,3" },
    { "a,b\n,\n,\n", "E_FORMAT t.csv: no column holds numbers" },
    { "a,b\n7,1.5\n7,2\n7,3\n", "a=7,7,7 b=1.5,2,3" },
    { "\"a, x\",\"b\"\"q\"\n\"1.5\",2\n\" 3 \",\"4\"\n", "a, x=1.5,3 b\"q=2,4" },
    { "a,note\n1.5,\"two\nlines\"\n2,\"say \"\"hi\"\"\"\n", "a=1.5,2" },
    { "a,b\n1,2\n\n3,4.5\n   \n# five,six\n5,6\n", "a=1,3,5 b=2,4.5,6" },
    { "a,b,c\n1,2,3\n4,5\n", "E_FORMAT t.csv:3: 2 columns, expected 3" },
    { "a,b\n1,2\n4,5,6\n7,8\n", "E_FORMAT t.csv:3: 3 columns, expected 2" },
    { "a,b\n1.5,2\n4,5,6\n3\n7,8\n", "a=1.5,7 b=2,8", { .skip_ragged = true } },
    { "a,b,\n1,2.5,\n3,4,\n", "a=1,3 b=2.5,4" },
    { "a,b\n1,2.5,\n3,4,\n", "a=1,3 b=2.5,4" },
    { "a,b\n1,\"2\n3,4\n", "E_FORMAT t.csv:2: a quote opened in this row is never closed" },
    { "a,b\n\"1,234.5\",2\n\"2,000\",3\n", "E_FORMAT t.csv:2: column 'a': '1,234.5' has thousands separators" },
    { "a;b\n1.234,5;2\n2.000,5;3\n", "E_FORMAT t.csv:2: column 'a': '1.234,5' has thousands separators" },
    { "a,b\nTrue,1.5\nfalse,2\nTRUE,3\n", "a=1,0,1 b=1.5,2,3" },
    { "state,v\nidle,1.5\nrun,2\n", "v=1.5,2" },
    { "a,b\nx,y\nz,w\n", "E_FORMAT t.csv: no column holds numbers; the first of 2, 'a', text" },
    { "a\n1.5\nerror\n2\n", "a=1.5,nan,2" },
    /* time */
    { "timestamp,v\n" LONG_TIMES, "v=1,2 @1.7040672e+09,1.70406726e+09" },
    { LONG_TIMES, "c1=1,2 @1.7040672e+09,1.70406726e+09" },
    { "v,when\n1.5,2024-01-01 00:00\n2,2024-01-01 00:01\n", "v=1.5,2 @1.7040672e+09,1.70406726e+09" },
    { "time,v\n1704067200,1.5\n1704067200,2\n1704067140,3\n", "v=1.5,2,3 @1.7040672e+09,1.7040672e+09,1.70406714e+09" },
    { "time,v\n0,1.5\n0.5,2\n1,3\n", "v=1.5,2,3 @0,0.5,1" },
    { "1704067200000,1.5\n1704067201000,2\n1704067202000,2\n", "c1=1.5,2,2 @1.7040672e+09,1.7040672e+09,1.7040672e+09" },
    { "time,v\n2024-01-01T00:00:00+01:00,1\n2024-01-01T00:00:00Z,2\n2024-01-01T00:00:00-01:00,3.5\n",
      "v=1,2,3.5 @1.7040636e+09,1.7040672e+09,1.7040708e+09" },
    { "time,v\n,1.5\n2024-01-01T00:00:00Z,2\nlater,3\n2024-01-01T00:01:00Z,3\n2024-01-01T00:02:00Z,3\n",
      "v=1.5,2,3,3,3 @1.7040672e+09,1.7040672e+09,1.7040672e+09,1.70406726e+09,1.70406732e+09" },
    { "a,b\n1,1.5\n2,2\n", "a=1,2 b=1.5,2 @0,1", { .as_series = true } },
    { "a,b\n1,1.5\n2,2\n", "b=1.5,2 @1,2", { .time_name = "a" } },
    { "time,b\n2024-01-01,1.5\n2024-01-02,2\n", "b=1.5,2", { .time_name = "" } },
    { "a,b\nx,1.5\ny,2\n", "E_INVALID t.csv:2: column 'a' is no time column: 'x' is no time", { .time_name = "a" } },
    { "timestamp,b\n2024-01-01,1.5\n", "E_INVALID t.csv: no column 'timestmp'; did you mean 'timestamp'?", { .time_name = "timestmp" } },
    /* label */
    { "v,Label\n1.5,0\n2,1\n3,0\n", "v=1.5,2,3 !0,1,0" },
    { "v,is_anomaly,changepoint\n1.5,False,0\n2,True,1\n3,,0\n", "v=1.5,2,3 !0,1,0" },
    { "v,changepoint\n1.5,0\n2,1\n", "v=1.5,2" },
    { "v,label\n1.5,0\n2,7\n", "v=1.5,2" },
    { "v,mark\n1.5,0\n2,1\n", "v=1.5,2 !0,1", { .label_name = "mark" } },
    { "v,mark\n1.5,0\n2,7\n", "E_FORMAT t.csv:3: label column 'mark' holds '7', expected 0, 1, true or false", { .label_name = "mark" } },
    { "v,label\n1.5,0\n2,1\n", "v=1.5,2 label=0,1", { .label_name = "" } },
    { "v,label\n1.5,0\n2,1\n", "E_INVALID t.csv: no column 'lable'; did you mean 'label'?", { .label_name = "lable" } },
    /* which columns */
    { "index,v\n0,1.5\n1,2\n2,3\n", "v=1.5,2,3" },
    { ",v\n1,1.5\n2,2\n3,3\n", "v=1.5,2,3" },
    { "n,v\n1,1.5\n2,2\n4,3\n", "n=1,2,4 v=1.5,2,3" },
    { "n\n1\n2\n3\n", "n=1,2,3" },
    { "a,b,c\n1,2,3.5\n4,5,6\n", "c=3.5,6 a=1,4", { .columns = (const char *const[]){ "c", "a" }, .column_count = 2 } },
    { "a,b,c\n1,2,3.5\n4,5,6\n", "E_INVALID t.csv: no column 'volume' among 3",
     { .columns = (const char *const[]){ "volume" }, .column_count = 1 } },
    { "a,b\n1,x\n4,y\n", "E_INVALID t.csv: column 'b' holds text, expected numbers",
     { .columns = (const char *const[]){ "b" }, .column_count = 1 } },
    { "a,a,a\n1,2,3.5\n", "a=1 a.1=2 a.2=3.5" },
    { "0,1,2\n0.5,1,7\n0.25,1,8\n", "0=0.5,0.25 1=1,1 2=7,8" },
    { "0,1,Label\n0.5,1.5,0\n0.25,1,1\n", "0=0.5,0.25 1=1.5,1 !0,1" },
    { "1,2\n3,4.5\n", "1=3 2=4.5", { .header = TCSI_CHOICE_YES } },
    { "a,b\n3,4.5\n", "c0=nan,3 c1=nan,4.5", { .header = TCSI_CHOICE_NO } },
    { "x y\nr1 1 2.5\nr2 3 4\n", "x=1,3 y=2.5,4" },
    { "a:b\n1\n", "E_INVALID delimiter ':'", { .delimiter = ':' } },
    { "a,b\n1;5,2\n", "E_INVALID decimal mark ','", { .delimiter = ',', .decimal = ',' } },
    { "1,5\n2,25\n", "c0=1.5,2.25", { .decimal = ',' } },
    { "a,b\n1,2\n", "E_INVALID no input format 'cvs'; did you mean csv", { .format = "cvs" } },
    /* encodings */
    { "a,b\r1,2\r3,4\r", "E_UNSUPPORTED t.csv: its lines end in a carriage return alone" },
    { "caf\xe9,b\n1.5,2\n", "caf\xe9=1.5 b=2" },
};

static void test_nasty_cases(void **state)
{
    (void)state;
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    size_t failed = 0;
    for (size_t i = 0; i < TCS_COUNT(nasty_cases); i++) {
        const nasty_case *c = &nasty_cases[i];
        describe(c->text, strlen(c->text), &c->options, &out);
        bool error = strncmp(c->expected, "E_", 2) == 0;
        if (error ? strncmp(out.data, c->expected, strlen(c->expected)) == 0 : strcmp(out.data, c->expected) == 0) continue;
        print_error("case %zu: %s\n     got: %s\nexpected: %s\n", i, c->text, out.data, c->expected);
        failed++;
    }
    assert_int_equal(failed, 0);
    tcsi_buffer_deinit(&out);
}

static void test_nul_and_utf16(void **state)
{
    (void)state;
    static const char nul[] = "a,b\n1,2\n3,\0004\n", wide[] = "a\0,\0b\0\n\0001\0,\0002\0\n\0", marked[] = "\xFF\xFE" "a\0\n\0";
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    describe(nul, sizeof nul - 1, &none, &out);
    assert_string_equal(out.data, "E_FORMAT t.csv:3: a NUL byte; expected text");
    describe(wide, sizeof wide - 1, &none, &out);
    assert_non_null(strstr(out.data, "E_UNSUPPORTED t.csv: is UTF-16"));
    describe(marked, sizeof marked - 1, &none, &out);
    assert_non_null(strstr(out.data, "E_UNSUPPORTED t.csv: is UTF-16"));
    tcsi_buffer_deinit(&out);
}

/* A field of a million characters, quoted and not, in a column that is skipped and in one that is read. */
static void test_a_million_characters(void **state)
{
    (void)state;
    enum { SIZE = 1000000 };
    tcsi_buffer text;
    tcsi_buffer_init(&text, 10 * SIZE);
    for (int quoted = 0; quoted < 2; quoted++) {
        tcsi_buffer_clear(&text);
        assert_ok(tcsi_buffer_puts(&text, "v,note\n1.5,short\n2,", test_err));
        if (quoted) assert_ok(tcsi_buffer_puts(&text, "\"\n\"\"", test_err));
        size_t begin = text.size;
        assert_ok(tcsi_buffer_reserve(&text, SIZE, test_err));
        memset(text.data + begin, 'x', SIZE);
        text.size += SIZE;
        assert_ok(tcsi_buffer_puts(&text, quoted ? "\"\n3,end\n" : "\n3,end\n", test_err));
        tcsi_frame *frame;
        assert_ok(read_text_sized(text.data, text.size, &none, &frame, NULL, test_err));
        assert_true(frame->row_count == 3 && frame->channel_count == 1 && tcsi_frame_column(frame, 0)[2] == 3);
        tcsi_frame_destroy(frame);
    }
    tcsi_buffer_clear(&text); /* a number of a million digits is still a number */
    assert_ok(tcsi_buffer_puts(&text, "v\n0.", test_err));
    size_t begin = text.size;
    assert_ok(tcsi_buffer_reserve(&text, SIZE, test_err));
    memset(text.data + begin, '3', SIZE);
    text.size += SIZE;
    assert_ok(tcsi_buffer_puts(&text, "\n0.5\n", test_err));
    tcsi_frame *frame;
    assert_ok(read_text_sized(text.data, text.size, &none, &frame, NULL, test_err));
    assert_true(tcsi_frame_column(frame, 0)[0] == 1.0 / 3);
    tcsi_frame_destroy(frame);
    tcsi_buffer_deinit(&text);
}

static void test_five_thousand_columns(void **state)
{
    (void)state;
    enum { COLUMNS = 5000, ROWS = 50 };
    tcsi_buffer text;
    tcsi_buffer_init(&text, 1 << 26);
    for (int r = -1; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++)
            if (r < 0) assert_ok(tcsi_buffer_printf(&text, NULL, "s%d%c", c, c + 1 < COLUMNS ? ',' : '\n'));
            else assert_ok(tcsi_buffer_printf(&text, NULL, "%d.%d%c", r + 7, c, c + 1 < COLUMNS ? ',' : '\n'));
    tcsi_frame *frame;
    assert_ok(read_text_sized(text.data, text.size, &none, &frame, NULL, test_err));
    assert_true(frame->row_count == ROWS && frame->channel_count == COLUMNS);
    assert_near(56.4999, tcsi_frame_column(frame, 4999)[49], 0);
    assert_string_equal(frame->channels[4999].name, "s4999");
    tcsi_frame_destroy(frame);
    tcsi_buffer_deinit(&text);
}

static void test_report_counts(void **state)
{
    (void)state;
    static const char text[] = "time,v,note,w,label\n2024-01-01,1,x,oops,0\n2024-01-01,inf,y,2,1\n2023-12-31,NA,z,3,0\n\n"
                               "soon,4,q,4,0\n2024-01-03,5,q,4,0\n";
    tcsi_frame *frame;
    tcsi_read_report report;
    tcsi_buffer out;
    assert_ok(read_text_sized(text, sizeof text - 1, &none, &frame, &report, test_err));
    assert_int_equal(report.row_count, 5);
    assert_int_equal(report.time_duplicate_count, 2); /* one is the row that kept the time before */
    assert_int_equal(report.time_reversed_count, 1);
    assert_int_equal(report.time_malformed_count, 1);
    assert_int_equal(report.time_malformed_line, 6);
    assert_true(report.missing_count == 1 && report.infinite_count == 1 && report.malformed_count == 1 && report.blank_count == 1);
    assert_true(report.columns[3].malformed_line == 2 && strcmp(report.columns[3].malformed_text, "oops") == 0);
    assert_int_equal(report.label_one_count, 1);
    tcsi_buffer_init(&out, 1 << 16);
    assert_ok(tcsi_read_report_print(&report, &out, test_err));
    assert_string_equal(out.data,
                        "t.csv: CSV, delimiter comma, with header; 5 rows, 2 value columns\n"
                        "time: time (ISO 8601), 2024-01-01T00:00:00Z to 2024-01-03T00:00:00Z\n"
                        "time: 2 rows repeat the time before, 1 goes back\n"
                        "time: 1 cell is no time, first in line 6; taken as the time before\n"
                        "label: label, 1 row marked\n"
                        "not used: note: text\n"
                        "w: 1 cell is no number, first in line 2: 'oops'; taken as missing\n"
                        "1 value is missing\n"
                        "1 value is infinite, taken as missing\n"
                        "1 blank line and 0 comments passed over\n");
    tcsi_buffer_clear(&out);
    tcsi_json_writer writer;
    tcsi_json_writer_init(&writer, &out, false);
    tcsi_read_report_json(&report, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_non_null(strstr(out.data, "\"time_reversed\":1"));
    assert_non_null(strstr(out.data, "{\"name\":\"note\",\"role\":\"skipped\",\"reason\":\"text\"}"));
    tcsi_buffer_deinit(&out);
    tcsi_read_report_deinit(&report);
    tcsi_frame_destroy(frame);
}

/* Rows that begin, end and carry quotes at every place of a read: the text is fed to a pipe in pieces of 1..40 bytes. */
static void test_any_cut_gives_the_same_rows(void **state)
{
    (void)state;
    static const char text[] = "t,\"a\nb\",note\n1,\"2.5\",\"x\"\"y\n\"\r\n2,3,plain\n\n3,-4e-3,\"z\"\n4,,\"\"\n";
    for (size_t step = 1; step <= 40; step++) {
        int ends[2], kept = dup(STDIN_FILENO);
        assert_int_equal(pipe(ends), 0);
        if (fork() == 0) {
            for (size_t at = 0; at < sizeof text - 1; at += step)
                if (write(ends[1], text + at, step < sizeof text - 1 - at ? step : sizeof text - 1 - at) < 0) _exit(1);
            _exit(0);
        }
        close(ends[1]);
        assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
        close(ends[0]);
        tcsi_frame *frame;
        assert_ok(tcsi_read_frame("-", NULL, &frame, NULL, test_err));
        assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
        close(kept);
        assert_true(frame->row_count == 4 && frame->channel_count == 1);
        assert_string_equal(frame->channels[0].name, "a\nb");
        const double *v = tcsi_frame_column(frame, 0);
        assert_true(v[0] == 2.5 && v[1] == 3 && v[2] == -4e-3 && isnan(v[3]));
        assert_true(frame->times_ns[3] == 4 * TCSI_NS_PER_S);
        tcsi_frame_destroy(frame);
    }
}

/* Longer than all buffers: the frame and the rows one by one must agree, and with what was written. */
static void test_rows_equal_frame(void **state)
{
    (void)state;
    char path[] = "/tmp/tocsin-rows-test-XXXXXX";
    int descriptor = mkstemp(path);
    FILE *file = fdopen(descriptor, "w");
    assert_non_null(file);
    tcsi_rng rng = tcsi_rng_make(5, 0);
    enum { ROWS = 60000 };
    fprintf(file, "time,a,b,label\n");
    for (int r = 0; r < ROWS; r++) {
        double a = tcsi_rng_normal(&rng), b = tcsi_rng_normal(&rng) * 1e5;
        fprintf(file, "%d,%.17g,%.6g,%d\n", r * 10, a, b, r % 100 == 0);
    }
    assert_int_equal(fclose(file), 0);
    tcsi_frame *frame;
    tcsi_row_reader *reader;
    assert_ok(tcsi_read_frame(path, NULL, &frame, NULL, test_err));
    assert_true(frame->row_count == ROWS && frame->channel_count == 2);
    assert_ok(tcsi_row_reader_open(path, NULL, &reader, test_err));
    rng = tcsi_rng_make(5, 0);
    tcsi_row row;
    uint8_t label;
    bool end;
    for (size_t r = 0; r < ROWS; r++) {
        assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, test_err));
        assert_true(!end && row.sequence == r && row.time_ns == (int64_t)r * 10 * TCSI_NS_PER_S && label == (r % 100 == 0));
        assert_true(row.values[0] == tcsi_rng_normal(&rng));
        assert_true(row.values[0] == tcsi_frame_column(frame, 0)[r] && row.values[1] == tcsi_frame_column(frame, 1)[r]);
        assert_true(frame->times_ns[r] == row.time_ns && frame->labels[r] == label);
        (void)tcsi_rng_normal(&rng);
    }
    assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, test_err));
    assert_true(end && tcsi_row_reader_report(reader)->row_count == ROWS);
    tcsi_row_reader_close(reader);
    tcsi_frame_destroy(frame);
    unlink(path);
}

/* Standard input from a pipe; the writing end comes back. */
static int feed_standard_input(int *ret_kept)
{
    int ends[2];
    *ret_kept = dup(STDIN_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    return ends[1];
}

/* A row that was written is given out although the pipe stays open and nothing follows. */
static void test_live_rows_arrive_at_once(void **state)
{
    (void)state;
    int kept, pipe_end = feed_standard_input(&kept);
    char text[64];
    for (int i = 0; i < 5; i++) assert_true(write(pipe_end, text, (size_t)snprintf(text, sizeof text, "%d,%d.5\n", i * i, i)) > 0);
    tcsi_row_reader *reader;
    tcsi_read_options options = { .sample_row_count = 4 };
    assert_ok(tcsi_row_reader_open("-", &options, &reader, test_err));
    tcsi_row row;
    uint8_t label;
    bool end;
    for (int i = 0; i < 200; i++) {
        if (i >= 5) assert_true(write(pipe_end, text, (size_t)snprintf(text, sizeof text, "%d,%d.5\n", i * i, i)) > 0);
        assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, test_err));
        assert_true(!end && row.values[0] == (double)i * i && row.values[1] == i + 0.5);
    }
    assert_true(write(pipe_end, "1,2,3\n", 6) == 6);
    tcs_error err;
    assert_int_equal(tcsi_row_reader_next(reader, &row, &label, &end, &err), TCS_E_FORMAT);
    assert_string_equal(err.text, "standard input:201: 3 columns, expected 2; `detect --skip-ragged` passes over such rows");
    close(pipe_end);
    tcsi_row_reader_close(reader);
    assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    close(kept);
}

/* 50 MB through a pipe, in less memory than a fiftieth of that. */
static void test_rows_in_bounded_memory(void **state)
{
    (void)state;
    enum { ROWS = 1000000 };
    int kept, pipe_end = feed_standard_input(&kept);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        FILE *out = fdopen(pipe_end, "w");
        fputs("time,value,note\n", out);
        for (int i = 0; i < ROWS; i++) fprintf(out, "%d,%d.25,\"text in the way, %d\"\n", 1700000000 + i, i % 977, i);
        _exit(fclose(out) == 0 ? 0 : 1);
    }
    close(pipe_end);
    tcsi_alloc_trace_begin();
    tcsi_row_reader *reader;
    assert_ok(tcsi_row_reader_open("-", NULL, &reader, test_err));
    tcsi_row row;
    uint8_t label;
    bool end = false;
    for (int i = 0; i < ROWS; i++) {
        assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, test_err));
        assert_true(!end && row.values[0] == i % 977 + 0.25 && row.time_ns == (INT64_C(1700000000) + i) * TCSI_NS_PER_S);
    }
    size_t count_before = tcsi_alloc_trace_stats().total_count;
    assert_ok(tcsi_row_reader_next(reader, &row, &label, &end, test_err));
    assert_true(end && tcsi_alloc_trace_stats().total_count == count_before);
    tcsi_row_reader_close(reader);
    tcsi_alloc_stats stats = tcsi_alloc_trace_stats();
    tcsi_alloc_trace_end();
    assert_true(stats.live_count == 0 && stats.peak_size < 1 << 20);
    assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    close(kept);
}

/* Allocation 1, 2, 3, ... fails until the read succeeds: each time a clean error and nothing left behind. */
static void check_failing_allocations(const char *path, const tcsi_read_options *options)
{
    for (size_t fail_at = 1;; fail_at++) {
        tcsi_frame *frame = NULL;
        tcsi_read_report report;
        tcs_error err = { 0 };
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail_at);
        tcs_status status = tcsi_read_frame(path, options, &frame, &report, &err);
        if (status == TCS_OK) {
            tcsi_frame_destroy(frame);
            tcsi_read_report_deinit(&report);
        }
        tcsi_alloc_stats stats = tcsi_alloc_trace_stats();
        tcsi_alloc_trace_end();
        assert_int_equal(stats.live_count, 0);
        if (status == TCS_OK) {
            assert_true(fail_at > 10);
            return;
        }
        assert_int_equal(status, TCS_E_MEMORY);
    }
}

static void test_failing_allocations(void **state)
{
    (void)state;
    check_failing_allocations(test_source("tests/golden/io/plain.csv"), &none);
    check_failing_allocations(test_source("tests/golden/io/semicolon.csv"), &(tcsi_read_options){ .skip_ragged = true, .as_series = true });
}

/* Written by pandas; see tests/golden/io/generate.py. */
static void test_pandas_files(void **state)
{
    (void)state;
    static const char *const names[] = { "tests/golden/io/plain.csv", "tests/golden/io/semicolon.csv", "tests/golden/io/plain.csv.gz",
                                        "tests/golden/io/plain.csv.zst" };
    for (size_t i = 0; i < TCS_COUNT(names); i++) {
        tcsi_frame *frame;
        tcsi_read_report report;
        tcs_error err;
        tcs_status status = tcsi_read_frame(test_source(names[i]), NULL, &frame, &report, &err);
        if (status == TCS_E_UNSUPPORTED) continue; /* built without zlib or zstd */
        assert_int_equal(status, TCS_OK);
        assert_true(frame->row_count == 200 && frame->channel_count == 3);
        assert_string_equal(frame->channels[1].name, "Pressure, bar");
        assert_near(1001.0532998716942, tcsi_frame_column(frame, 0)[0], i == 1 ? 1e-8 : 0);
        assert_near(-1.5856325386354404e-09, tcsi_frame_column(frame, 1)[0], i == 1 ? 1e-15 : 0);
        assert_true(isnan(tcsi_frame_column(frame, 0)[5]) && report.missing_count == 5 && report.infinite_count == 1);
        assert_true(frame->times_ns[0] == INT64_C(1709161200) * TCSI_NS_PER_S && report.label_one_count == 49);
        assert_true(frame->times_ns[199] == (INT64_C(1709161200) + 199 * 900) * TCSI_NS_PER_S);
        tcsi_frame_destroy(frame);
        tcsi_read_report_deinit(&report);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_nasty_cases), cmocka_unit_test(test_nul_and_utf16), cmocka_unit_test(test_a_million_characters),
              cmocka_unit_test(test_five_thousand_columns), cmocka_unit_test(test_report_counts),
              cmocka_unit_test(test_any_cut_gives_the_same_rows), cmocka_unit_test(test_rows_equal_frame),
              cmocka_unit_test(test_live_rows_arrive_at_once), cmocka_unit_test(test_rows_in_bounded_memory),
              cmocka_unit_test(test_failing_allocations), cmocka_unit_test(test_pandas_files))
