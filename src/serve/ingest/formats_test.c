/* serve/ingest/formats_test.c -- OTLP, line protocol and NDJSON: golden bodies of independent encoders, each truncation, what is refused
 * and how it is said; and that one series is one key whatever format it came by.
 * SPDX-License-Identifier: Apache-2.0 */
#include "batches.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "tocsin_config.h"

static const tcsi_ingest_format otlp_protobuf = { .decoder = TCSI_INGEST_OTLP_PROTOBUF }, otlp_json = { .decoder = TCSI_INGEST_OTLP_JSON },
                                otlp_gzip = { .decoder = TCSI_INGEST_OTLP_PROTOBUF, .compression = TCSI_INGEST_GZIP },
                                line_protocol = { .decoder = TCSI_INGEST_LINE_PROTOCOL }, ndjson = { .decoder = TCSI_INGEST_NDJSON },
                                remote_write_1 = { .decoder = TCSI_INGEST_REMOTE_WRITE_1 };

enum { RECEIVE_NS = 77 };

static const struct golden {
    const char *name;
    const tcsi_ingest_format *format;
} goldens[] = {
    { "otlp_protobuf", &otlp_protobuf }, { "otlp_protobuf_gzip", &otlp_gzip }, { "otlp_json", &otlp_json },
    { "line_protocol", &line_protocol }, { "ndjson", &ndjson },
};

static bool can_read(const tcsi_ingest_format *format)
{
    static const unsigned char empty[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    tcsi_batch batch;
    tcsi_batch_init(&batch, NULL);
    tcs_status status = format->compression == TCSI_INGEST_GZIP
                            ? tcsi_ingest_decode(*format, empty, sizeof empty, 0, &batch, NULL)
                            : TCS_OK;
    tcsi_batch_deinit(&batch);
    return status != TCS_E_UNSUPPORTED;
}

static void test_golden_bodies(void **state)
{
    (void)state;
    tcsi_batch batch;
    tcsi_batch_init(&batch, NULL);
    for (int round = 0; round < 2; round++) /* the second time in a batch that has been used */
        for (size_t i = 0; i < TCS_COUNT(goldens); i++) {
            char file[128];
            if (!can_read(goldens[i].format)) continue;
            snprintf(file, sizeof file, "%s.body", goldens[i].name);
            tcsi_buffer body = batch_file(file);
            assert_ok(tcsi_ingest_decode(*goldens[i].format, body.data, body.size, RECEIVE_NS, &batch, test_err));
            assert_true(batch_is_sound(&batch));
            batch_expect(&batch, goldens[i].name);
            tcsi_buffer_deinit(&body);
        }
    tcsi_batch_deinit(&batch);
}

static void check_any(tcsi_batch *batch, const tcsi_ingest_format *format, const void *bytes, size_t size)
{
    tcs_error err = { 0 };
    tcs_status status = tcsi_ingest_decode(*format, bytes, size, RECEIVE_NS, batch, &err);
    if (status != TCS_OK) {
        assert_true(status == TCS_E_FORMAT || status == TCS_E_LIMIT);
        assert_true(strlen(err.text) > 10);
        return;
    }
    assert_true(batch_is_sound(batch));
    for (size_t s = 0; s < batch->series_count; s++) {
        tcsi_key key;
        assert_int_equal(tcsi_batch_key(batch, s, &key), TCSI_OUTCOME_ACCEPTED); /* these formats make keys of what is one */
    }
    assert_int_equal(tcsi_batch_count(batch, TCSI_OUTCOME_REFUSED) > 0, batch->complaint.text[0] != 0);
}

static void test_each_truncation_and_damaged_bodies(void **state)
{
    (void)state;
    tcsi_rng rng = tcsi_rng_make(13, 0);
    tcsi_batch batch;
    tcsi_batch_init(&batch, NULL);
    for (size_t i = 0; i < TCS_COUNT(goldens); i++) {
        char file[128];
        if (!can_read(goldens[i].format)) continue;
        snprintf(file, sizeof file, "%s.body", goldens[i].name);
        tcsi_buffer body = batch_file(file);
        for (size_t size = 0; size < body.size; size++) {
            unsigned char *part = malloc(size ? size : 1);
            memcpy(part, body.data, size);
            check_any(&batch, goldens[i].format, part, size);
            free(part);
        }
        for (int round = 0; round < (test_is_small() ? 300 : 5000); round++) {
            size_t at = tcsi_rng_below(&rng, body.size);
            char was = body.data[at];
            body.data[at] = (char)tcsi_rng_u32(&rng);
            check_any(&batch, goldens[i].format, body.data, body.size);
            body.data[at] = was;
        }
        tcsi_buffer_deinit(&body);
    }
    tcsi_batch_deinit(&batch);
}

/* ---- texts ---- */

static void expect_text(const tcsi_ingest_format *format, const char *body, const char *expected, const char *complaint)
{
    tcsi_batch batch;
    tcsi_buffer out;
    tcs_error err = { 0 };
    char *exact = malloc(strlen(body) + 1);
    memcpy(exact, body, strlen(body));
    tcsi_batch_init(&batch, NULL);
    tcsi_buffer_init(&out, 1 << 20);
    if (tcsi_ingest_decode(*format, exact, strlen(body), RECEIVE_NS, &batch, &err) != TCS_OK)
        assert_ok(tcsi_buffer_printf(&out, test_err, "! %s\n", err.text));
    else batch_print(&batch, &out);
    if (strcmp(out.size ? out.data : "", expected) != 0)
        fail_msg("%s\ngave:\n%s\nexpected:\n%s\n", body, out.size ? out.data : "", expected);
    if (strcmp(batch.complaint.text, complaint) != 0) fail_msg("%s\ncomplains: %s\nexpected: %s\n", body, batch.complaint.text, complaint);
    free(exact);
    tcsi_buffer_deinit(&out);
    tcsi_batch_deinit(&batch);
}

#define ONE "3ff0000000000000"

static void test_lines(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        { "a v=1", "a_v\tunstated\t77\t" ONE "\n# accepted 1\n", "" },
        { "a value=1 5", "a\tunstated\t5\t" ONE "\n# accepted 1\n", "" },
        { "a value=1 5\r\n\r\n# a comment\r\n\n  b value=1i 6",
         "a\tunstated\t5\t" ONE "\nb\tunstated\t6\t" ONE "\n# accepted 2\n", "" },
        { "a,t=x value=1u,s=\"x,\\\" y\\\\\",b=t -7",
         "a{t=\"x\"}\tunstated\t-7\t" ONE "\na_b{t=\"x\"}\tunstated\t-7\t" ONE "\n# accepted 2\n# text 1\n", "" },
        { "a s=\"two\nlines\" 1\nb value", "# text 1\n# malformed 1\n",
         "line 3, byte 7: expected = and the value of the field" },
        { "a\\ b\\,c,d\\=e=f\\ g value=1 1", "{\"a b,c\",\"d=e\"=\"f g\"}\tunstated\t1\t" ONE "\n# accepted 1\n", "" },
        { "a\\b value=1 1", "{\"a\\\\b\"}\tunstated\t1\t" ONE "\n# accepted 1\n", "" },
        { "a value=1 5 6\nb value=1 x\nc value=1 1", "c\tunstated\t1\t" ONE "\n# accepted 1\n# malformed 2\n",
         "line 1, byte 12: expected the end of the line" },
        { "a value=1,v=x 5", "# malformed 1\n",
         "line 1, byte 12: expected a number, a boolean, or text in double quotes" },
        { "a,=x value=1", "# malformed 1\n", "line 1, byte 2: expected the name of a tag" },
        { "a,t= value=1", "# malformed 1\n", "line 1, byte 4: expected the value of the tag" },
        { "a,t value=1", "# malformed 1\n", "line 1, byte 3: expected = and the value of the tag" },
        { "a,t=b=c value=1", "# malformed 1\n",
         "line 1, byte 5: expected a comma or a blank behind the value, = is written \\=" },
        { ",t=b value=1", "# malformed 1\n", "line 1, byte 0: expected a measurement" },
        { "a", "# malformed 1\n", "line 1, byte 1: expected a blank and fields" },
        { "a value=\"x", "# malformed 1\n", "line 1, byte 10: expected a closing quote" },
        { "a value=", "# malformed 1\n", "line 1, byte 8: expected a number, a boolean, or text in double quotes" },
        { "a value=NaN", "# malformed 1\n", "line 1, byte 8: expected a number, a boolean, or text in double quotes" },
        { "a value=-1u", "# malformed 1\n", "line 1, byte 8: expected a number, a boolean, or text in double quotes" },
        { "a value=9223372036854775808i", "# malformed 1\n",
         "line 1, byte 8: expected a number, a boolean, or text in double quotes" },
        { "a value=18446744073709551615u 1", "a\tunstated\t1\t43f0000000000000\n# accepted 1\n", "" },
        { "a value=18446744073709551616u", "# malformed 1\n",
         "line 1, byte 8: expected a number, a boolean, or text in double quotes" },
        { "a value=1 9223372036854775807", "a\tunstated\t9223372036854775807\t" ONE "\n# accepted 1\n", "" },
        { "a value=1 9223372036854775808", "# malformed 1\n", "line 1, byte 10: expected a time in whole numbers" },
        { "a,t=x,t=y value=1,w=2", "# duplicate_label 2\n", "a series: the same tag twice" },
        { "a,t=\xff value=1", "# label_invalid 1\n",
         "a series: a tag without a name, or one that is not UTF-8 or holds the byte 0" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) expect_text(&line_protocol, cases[i][0], cases[i][1], cases[i][2]);
    tcsi_ingest_format seconds = line_protocol;
    seconds.precision = TCSI_INGEST_S;
    /* What became of a line's fields before its time is known stays; what became of them before the line turns out bad does not. */
    expect_text(&seconds, "a,t=\xff value=1,s=\"\" 1700000000000", "# text 1\n# label_invalid 1\n",
                "a series: a tag without a name, or one that is not UTF-8 or holds the byte 0");
    expect_text(&seconds, "a,t=\xff value=1,s=\"\" x", "# malformed 1\n", "line 1, byte 19: expected a time in whole numbers");
    expect_text(&seconds, "a value=1 1700000000", "a\tunstated\t1700000000000000000\t" ONE "\n# accepted 1\n", "");
    expect_text(&seconds, "a value=1,w=2 1700000000000\nb value=1 1", "b\tunstated\t1000000000\t" ONE "\n# accepted 1\n# time_invalid 2\n",
                "line 1: the time is outside 1677 .. 2262; is the precision right?");
}

static void test_rows_of_json(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        { "{\"v\":1}", "v\tunstated\t77\t" ONE "\n# accepted 1\n", "" },
        { "{\"v\":true,\"t\":\"x\",\"time\":null}\n\n{\"v\":null}",
         "v{t=\"x\"}\tunstated\t77\t" ONE "\n# accepted 1\n# no_value 1\n", "" },
        { "{\"series\":{\"name\":\"a\"},\"value\":\"1\",\"ts\":1e9}",
         "a\tunstated\t1000000000000000000\t" ONE "\n# accepted 1\n", "" },
        { "{\"series\":{\"name\":\"a\"},\"value\":\"inf\"}\n{\"series\":{\"name\":\"a\"},\"value\":\"n/a\"}",
         "# not_finite 1\n# no_value 1\n", "" },
        { "{\"series\":\"x\",\"v\":1}", "v{series=\"x\"}\tunstated\t77\t" ONE "\n# accepted 1\n", "" },
        { "[1]\n{\"v\":1}", "v\tunstated\t77\t" ONE "\n# accepted 1\n# malformed 1\n",
         "line 1: expected an object on each line" },
        { "{\"v\":1}\n{\"v\":1", "v\tunstated\t77\t" ONE "\n# accepted 1\n# malformed 1\n",
         "line 2: JSON line 1 column 7: ends where a comma or } was expected" },
        { "{\"v\":1,\"time\":\"noon\"}", "# malformed 1\n",
         "line 1: expected a time between 1677 and 2262 in a usual form" },
        { "{\"v\":1,\"time\":[]}", "# malformed 1\n", "line 1: expected a time as text or number" },
        { "{\"series\":{\"name\":\"a\"}}", "# malformed 1\n", "line 1: expected a member 'value'" },
        { "{\"series\":{\"name\":\"a\"},\"value\":\"x\"}", "# malformed 1\n",
         "line 1: expected a value that is a number, true, false or null" },
        { "{\"series\":{\"name\":[]},\"value\":1}", "# malformed 1\n",
         "line 1: expected tags of the series that are texts, numbers or booleans" },
        { "{\"series\":\"a{\",\"value\":1}", "# malformed 1\n",
         "line 1: expected series in the form name{tag=\"value\"}" },
        { "{\"series\":{},\"value\":1}", "# no_labels 1\n", "a series: no tag with a value, expected at least one" },
        { "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}", "a.a.a.a.a.a.a.a", "" },
        { "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}", "# malformed 1\n",
         "line 1: expected at most 8 levels of nesting" },
        { "{\"a\":{\"time\":1},\"time\":5e9}", "{\"a.time\"}\tunstated\t5000000000000000000\t" ONE "\n# accepted 1\n", "" },
        { "{\"\":1}", "# label_invalid 1\n",
         "a series: a tag without a name, or one that is not UTF-8 or holds the byte 0" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) {
        char expected[200];
        const char *text = cases[i][1];
        if (strchr(text, '.') && text[0] == 'a' && text[1] == '.')
            text = (snprintf(expected, sizeof expected, "{\"%s\"}\tunstated\t77\t%s\n# accepted 1\n", text, ONE), expected);
        expect_text(&ndjson, cases[i][0], text, cases[i][2]);
    }
}

static void test_otlp_that_is_wrong(void **state)
{
    (void)state;
#define METRIC(text) "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\"," text "}]}]}]}"
    static const char *const cases[][3] = {
        { "{}", "", "" },
        { "[]", "! OTLP JSON: expected an object\n", "" },
        { "{\"resourceMetrics\":3}", "! OTLP JSON: member 'resourceMetrics': expected an array\n", "" },
        { METRIC("\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"5\",\"asInt\":\"1\"}]}"),
         "m\tgauge\t5\t" ONE "\n# accepted 1\n", "" },
        { METRIC("\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":5,\"asDouble\":\"NaN\"}]}"), "# not_finite 1\n", "" },
        { METRIC("\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":\"x\",\"asInt\":1}]}"),
         "! OTLP JSON: member 'timeUnixNano': expected a whole number of 64 bits\n", "" },
        { METRIC("\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":-5,\"asInt\":1}]}"),
         "! OTLP JSON: member 'timeUnixNano': expected a number that is not below zero\n", "" },
        { METRIC("\"sum\":{\"aggregationTemporality\":\"DELTA\",\"dataPoints\":[]}"),
         "! OTLP JSON: member 'aggregationTemporality': expected a whole number of 64 bits\n", "" },
        { METRIC("\"sum\":{\"dataPoints\":[{\"timeUnixNano\":5,\"asInt\":1}]}"), "# temporality 1\n",
         "metric 'm': a sum or histogram that states neither delta nor cumulative" },
        { "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":5,"
         "\"asInt\":1}]}}]}]}]}",
         "# no_labels 1\n", "a series: no tag with a value, expected at least one" },
        { METRIC("\"gauge\":{\"dataPoints\":[{\"timeUnixNano\":5,\"asInt\":1,\"attributes\":[{\"key\":\"a.b\",\"value\":"
                "{\"stringValue\":\"1\"}},"
                "{\"key\":\"a_b\",\"value\":{\"intValue\":2}}]}]}"),
         "# duplicate_label 1\n", "a series: the same tag twice" },
    };
    for (size_t i = 0; i < TCS_COUNT(cases); i++) expect_text(&otlp_json, cases[i][0], cases[i][1], cases[i][2]);
}

/* ---- one series, one key ---- */

static tcsi_fingerprint only_key(const tcsi_ingest_format *format, const void *body, size_t size)
{
    tcsi_batch batch;
    tcsi_key key;
    tcsi_batch_init(&batch, NULL);
    assert_ok(tcsi_ingest_decode(*format, body, size, RECEIVE_NS, &batch, test_err));
    assert_int_equal(batch.series_count, 1);
    assert_int_equal(tcsi_batch_key(&batch, 0, &key), TCSI_OUTCOME_ACCEPTED);
    tcsi_fingerprint hash = tcsi_key_fingerprint(&key);
    tcsi_batch_deinit(&batch);
    return hash;
}

static void test_one_series_is_one_key(void **state)
{
    (void)state;
    static const char remote[] = "\x0a\x3f"
                                 "\x0a\x15\x0a\x08__name__\x12\x09room_temp"
                                 "\x0a\x0d\x0a\x04host\x12\x05h one"
                                 "\x0a\x0a\x0a\x04zone\x12\x02z1"
                                 "\x12\x0b\x09\0\0\0\0\0\0\xf0\x3f\x10\x05";
    static const char line[] = "room_temp,zone=z1,host=h\\ one value=1",
                      line_of_field[] = "room,host=h\\ one,zone=z1 temp=1",
                      sample[] = "{\"series\":{\"zone\":\"z1\",\"host\":\"h one\",\"name\":\"room_temp\"},\"value\":1}",
                      text[] = "{\"series\":\"room_temp{zone=\\\"z1\\\",host=\\\"h one\\\"}\",\"value\":1}",
                      row[] = "{\"room_temp\":1,\"host\":\"h one\",\"zone\":\"z1\"}",
                      otlp[] = "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[{\"key\":\"host\",\"value\":{"
                               "\"stringValue\":\"h one\"}}]},"
                               "\"scopeMetrics\":[{\"metrics\":[{\"name\":\"room.temp\",\"gauge\":{\"dataPoints\":[{"
                               "\"timeUnixNano\":5,\"asInt\":1,"
                               "\"attributes\":[{\"key\":\"zone\",\"value\":{\"stringValue\":\"z1\"}}]}]}}]}]}]}";
    tcsi_fingerprint first = only_key(&remote_write_1, remote, sizeof remote - 1);
    assert_true(tcsi_fingerprint_equal(first, only_key(&line_protocol, line, sizeof line - 1)));
    assert_true(tcsi_fingerprint_equal(first, only_key(&line_protocol, line_of_field, sizeof line_of_field - 1)));
    assert_true(tcsi_fingerprint_equal(first, only_key(&ndjson, sample, sizeof sample - 1)));
    assert_true(tcsi_fingerprint_equal(first, only_key(&ndjson, text, sizeof text - 1)));
    assert_true(tcsi_fingerprint_equal(first, only_key(&ndjson, row, sizeof row - 1)));
    assert_true(tcsi_fingerprint_equal(first, only_key(&otlp_json, otlp, sizeof otlp - 1)));
    assert_false(tcsi_fingerprint_equal(first, only_key(&line_protocol, "room_temp value=1", 17)));
}

/* ---- compressed, large, without memory ---- */

static void test_compressed_bodies(void **state)
{
    (void)state;
    tcsi_batch batch;
    tcs_error err;
    tcsi_ingest_limits limits = tcsi_ingest_limits_default();
    if (!can_read(&otlp_gzip)) skip();
    tcsi_buffer body = batch_file("otlp_protobuf_gzip.body"), plain = batch_file("otlp_protobuf.body");
    limits.decoded_size_max = plain.size;
    tcsi_batch_init(&batch, &limits);
    assert_ok(tcsi_ingest_decode(otlp_gzip, body.data, body.size, 0, &batch, test_err));
    assert_int_equal(batch.body_size, plain.size);
    tcsi_batch_deinit(&batch);
    limits.decoded_size_max = plain.size - 1;
    tcsi_batch_init(&batch, &limits);
    assert_int_equal(tcsi_ingest_decode(otlp_gzip, body.data, body.size, 0, &batch, &err), TCS_E_LIMIT);
    assert_non_null(strstr(err.text, "after decompression"));
    tcsi_batch_deinit(&batch);
    tcsi_batch_init(&batch, NULL);
    assert_int_equal(tcsi_ingest_decode(otlp_gzip, plain.data, plain.size, 0, &batch, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "Content-Encoding: gzip"));
    assert_int_equal(tcsi_ingest_decode(otlp_gzip, body.data, body.size / 2, 0, &batch, &err), TCS_E_FORMAT);
    assert_int_equal(batch.series_count, 0);
    tcsi_batch_deinit(&batch);
    tcsi_buffer_deinit(&body);
    tcsi_buffer_deinit(&plain);
}

/* A document of nothing but values: its tree would be fifty times as large. */
static void test_json_bombs(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    tcsi_ingest_limits limits = tcsi_ingest_limits_default();
    tcsi_batch batch;
    tcs_error err;
    char *text = malloc(SIZE);
    memset(text, '[', SIZE);
    for (size_t i = 0; i < SIZE; i++) text[i] = i == 0 ? '[' : i == SIZE - 1 ? ']' : i % 2 ? '1' : ',';
    limits.decoded_size_max = SIZE;
    tcsi_batch_init(&batch, &limits);
    assert_int_equal(tcsi_ingest_decode(otlp_json, text, SIZE - 1, 0, &batch, &err), TCS_E_LIMIT);
    assert_non_null(strstr(err.text, "send smaller requests"));
    tcsi_batch_deinit(&batch);
    free(text);
}

/* A line whose long tags are part of the name of each of its many fields. */
static void test_names_longer_than_their_body(void **state)
{
    (void)state;
    enum { SIZE = 40000, TAG_SIZE = 2000 };
    tcsi_ingest_limits limits = tcsi_ingest_limits_default();
    tcsi_batch batch;
    tcs_error err;
    char *text = malloc(SIZE);
    size_t size = (size_t)snprintf(text, SIZE, "m,t=");
    memset(text + size, 'x', TAG_SIZE);
    size += TAG_SIZE;
    text[size++] = ' ';
    for (int i = 0; size < SIZE - 20; i++) size += (size_t)snprintf(text + size, SIZE - size, "%sf%d=1", i ? "," : "", i);
    limits.decoded_size_max = SIZE;
    tcsi_batch_init(&batch, &limits);
    assert_int_equal(tcsi_ingest_decode(line_protocol, text, size, 0, &batch, &err), TCS_E_LIMIT);
    assert_string_equal(err.text, "the request's names of series need more than 1128576 bytes: send smaller requests");
    assert_int_equal(batch.series_count, 0);
    tcsi_batch_deinit(&batch);
    free(text);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    for (size_t i = 0; i < TCS_COUNT(goldens); i++) {
        char file[128];
        tcs_error err;
        if (!can_read(goldens[i].format)) continue;
        snprintf(file, sizeof file, "%s.body", goldens[i].name);
        tcsi_buffer body = batch_file(file);
        tcs_status status = TCS_E_MEMORY;
        for (size_t at = 1; status == TCS_E_MEMORY; at++) {
            tcsi_batch batch;
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(at);
            tcsi_batch_init(&batch, NULL);
            status = tcsi_ingest_decode(*goldens[i].format, body.data, body.size, 0, &batch, &err);
            assert_true(status == TCS_OK || status == TCS_E_MEMORY);
            tcsi_batch_deinit(&batch);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
        }
        tcsi_buffer_deinit(&body);
    }
}

TCS_TEST_MAIN(cmocka_unit_test(test_golden_bodies), cmocka_unit_test(test_each_truncation_and_damaged_bodies), cmocka_unit_test(test_lines),
              cmocka_unit_test(test_rows_of_json), cmocka_unit_test(test_otlp_that_is_wrong), cmocka_unit_test(test_one_series_is_one_key),
              cmocka_unit_test(test_compressed_bodies), cmocka_unit_test(test_json_bombs),
              cmocka_unit_test(test_names_longer_than_their_body), cmocka_unit_test(test_failing_allocations))
