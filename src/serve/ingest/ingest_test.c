/* serve/ingest/ingest_test.c -- which headers choose which decoder, limits of bodies, and what each failure becomes in a reply.
 * SPDX-License-Identifier: Apache-2.0 */
#include "batches.h"

#include "serve/ingest/arrival.h"
#include "tocsin_config.h"

static const tcsi_ingest_format remote_write_1 = { .decoder = TCSI_INGEST_REMOTE_WRITE_1, .compression = TCSI_INGEST_SNAPPY },
                                remote_write_2 = { .decoder = TCSI_INGEST_REMOTE_WRITE_2, .compression = TCSI_INGEST_SNAPPY };

static void test_choosing(void **state)
{
    (void)state;
    static const struct {
        tcsi_ingest_facts facts;
        tcsi_ingest_format format;
    } good[] = {
        { { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf", "snappy" }, { 1, 1 } },
        { { TCSI_ROUTE_REMOTE_WRITE, "Application/X-Protobuf ; Proto=\"prometheus.WriteRequest\"", "Snappy" }, { 1, 1 } },
        { { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf;proto=io.prometheus.write.v2.Request", "snappy" }, { 2, 1 } },
        { { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf; charset=x; proto=io.prometheus.write.v2.Request", "snappy" }, { 2, 1 } },
        { { TCSI_ROUTE_OTLP, "application/x-protobuf", NULL }, { 3, 0 } },
        { { TCSI_ROUTE_OTLP, "application/json; charset=utf-8", "gzip" }, { 4, 2 } },
        { { TCSI_ROUTE_LINE_PROTOCOL, NULL, "identity", NULL }, { 5, 0, 0 } },
        { { TCSI_ROUTE_LINE_PROTOCOL, "text/plain; charset=utf-8", "gzip", "us" }, { 5, 2, 1 } },
        { { TCSI_ROUTE_LINE_PROTOCOL, "application/x-www-form-urlencoded", "", "ms" }, { 5, 0, 2 } },
        { { TCSI_ROUTE_LINE_PROTOCOL, NULL, NULL, "s" }, { 5, 0, 3 } },
        { { TCSI_ROUTE_NDJSON, "application/x-ndjson", "zstd", "ignored" }, { 6, 3, 0 } },
    };
    static const struct {
        tcsi_ingest_facts facts;
        const char *text;
    } bad[] = {
        { { TCSI_ROUTE_REMOTE_WRITE, NULL, "snappy" },
          "Content-Type: '', expected application/x-protobuf or application/x-protobuf;proto=" },
        { { TCSI_ROUTE_REMOTE_WRITE, "application/json", "snappy" }, "Content-Type: 'application/json'" },
        { { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf;proto=io.prometheus.write.v3.Request", "snappy" }, "Content-Type" },
        { { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf;proto", "gzip" }, "Content-Encoding: 'gzip', expected snappy" },
        { { TCSI_ROUTE_REMOTE_WRITE, "application/x-protobuf", NULL }, "Content-Encoding: ''" },
        { { TCSI_ROUTE_OTLP, "application/x-protobuf", "snappy" }, "Content-Encoding: 'snappy', expected none, gzip or zstd" },
        { { TCSI_ROUTE_OTLP, "application/grpc", NULL }, "expected application/x-protobuf or application/json" },
        { { TCSI_ROUTE_NDJSON, "text/csv", NULL }, "Content-Type: 'text/csv'" },
    };
    tcsi_ingest_format format;
    tcs_error err;
    for (size_t i = 0; i < TCS_COUNT(good); i++) {
        assert_ok(tcsi_ingest_choose(&good[i].facts, &format, test_err));
        assert_memory_equal(&format, &good[i].format, sizeof format);
    }
    const tcsi_ingest_facts precision = { TCSI_ROUTE_LINE_PROTOCOL, NULL, NULL, "fortnight" };
    assert_int_equal(tcsi_ingest_choose(&precision, &format, &err), TCS_E_INVALID);
    assert_string_equal(err.text, "precision 'fortnight', expected ns, us, ms or s");
    for (size_t i = 0; i < TCS_COUNT(bad); i++) {
        assert_int_equal(tcsi_ingest_choose(&bad[i].facts, &format, &err), TCS_E_UNSUPPORTED);
        if (!strstr(err.text, bad[i].text)) fail_msg("%s", err.text);
    }
}

static void expect_reply(tcsi_ingest_format format, tcs_status status, const char *failure, tcsi_batch *batch, int code, const char *body)
{
    tcsi_buffer out;
    tcsi_ingest_reply reply;
    tcs_error err = { .status = status };
    snprintf(err.text, sizeof err.text, "%s", failure);
    tcsi_buffer_init(&out, 4096);
    assert_ok(tcsi_ingest_reply_to(format, status, &err, batch, &out, &reply, test_err));
    assert_int_equal(reply.code, code);
    assert_int_equal(reply.has_written, format.decoder == TCSI_INGEST_REMOTE_WRITE_2);
    assert_int_equal(reply.content_type != NULL, body[0] != 0);
    assert_string_equal(out.size ? out.data : "", body);
    tcsi_buffer_deinit(&out);
}

static void test_replies(void **state)
{
    (void)state;
    tcsi_batch batch;
    tcsi_batch_init(&batch, NULL);
    tcsi_batch_clear(&batch);
    batch.outcomes[TCSI_OUTCOME_ACCEPTED] = 7;
    batch.outcomes[TCSI_OUTCOME_STALE] = 1;
    batch.outcomes[TCSI_OUTCOME_NOT_FINITE] = 2;
    batch.outcomes[TCSI_OUTCOME_EXEMPLAR] = 4;
    expect_reply(remote_write_1, TCS_OK, "", &batch, 204, "");
    expect_reply(remote_write_2, TCS_OK, "", &batch, 204, "");
    batch.outcomes[TCSI_OUTCOME_LABEL_TOO_LONG] = 3;
    tcsi_batch_complain(&batch, "series 5 is %s", "long");
    tcsi_batch_complain(&batch, "series 6 as well");
    expect_reply(remote_write_2, TCS_OK, "", &batch, 400, "3 of 11 refused, 3 label_too_long; first: series 5 is long\n");
    tcsi_buffer out;
    tcsi_ingest_reply reply;
    tcsi_buffer_init(&out, 4096);
    assert_ok(tcsi_ingest_reply_to(remote_write_2, TCS_OK, NULL, &batch, &out, &reply, test_err));
    assert_int_equal(reply.samples_written, 10);
    assert_int_equal(reply.histograms_written + reply.exemplars_written, 0);
    tcsi_buffer_deinit(&out);
    expect_reply(remote_write_1, TCS_E_FORMAT, "broken", &batch, 400, "broken\n");
    expect_reply(remote_write_1, TCS_E_LIMIT, "large", &batch, 413, "large\n");
    expect_reply((tcsi_ingest_format){ 0 }, TCS_E_UNSUPPORTED, "type", &batch, 415, "type\n");
    expect_reply(remote_write_1, TCS_E_MEMORY, "memory", &batch, 503, "memory\n");
    expect_reply(remote_write_1, TCS_E_IO, "disk", &batch, 503, "disk\n");
    tcsi_batch_deinit(&batch);
}

/* A sender of native histograms alone is told so by version 2.0, which can say it, and not by 1.0, whose sender cannot act on it. */
static void test_histograms_are_told_to_those_who_understand(void **state)
{
    (void)state;
    tcsi_batch batch;
    tcsi_batch_init(&batch, NULL);
    tcsi_batch_clear(&batch);
    batch.outcomes[TCSI_OUTCOME_ACCEPTED] = 7;
    batch.outcomes[TCSI_OUTCOME_HISTOGRAM] = batch.histogram_count = 2;
    expect_reply(remote_write_1, TCS_OK, "", &batch, 204, "");
    expect_reply(remote_write_2, TCS_OK, "", &batch, 400, "2 of 9 refused, 2 histogram\n");
    tcsi_batch_deinit(&batch);
}

/* A reply's body of a batch of 7 samples with 2 points refused, and of a failure. */
static void expect_bodies(tcsi_ingest_decoder decoder, int codes[2], const char *partial, size_t partial_size,
                          const char *failed, size_t failed_size)
{
    const tcsi_ingest_format format = { .decoder = (uint8_t)decoder };
    tcsi_batch batch;
    tcsi_buffer out;
    tcsi_ingest_reply reply;
    tcsi_batch_init(&batch, NULL);
    tcsi_batch_clear(&batch);
    tcsi_buffer_init(&out, 8192);
    batch.outcomes[TCSI_OUTCOME_ACCEPTED] = 7;
    batch.outcomes[TCSI_OUTCOME_TIME_INVALID] = 2;
    tcsi_batch_complain(&batch, "x");
    assert_ok(tcsi_ingest_reply_to(format, TCS_OK, NULL, &batch, &out, &reply, test_err));
    assert_int_equal(reply.code, codes[0]);
    assert_int_equal(out.size, partial_size);
    assert_memory_equal(out.data, partial, partial_size);
    tcsi_buffer_clear(&out);
    assert_ok(tcsi_ingest_reply_to(format, TCS_E_FORMAT, &(tcs_error){ .text = "no" }, &batch, &out, &reply, test_err));
    assert_int_equal(reply.code, codes[1]);
    assert_int_equal(out.size, failed_size);
    assert_memory_equal(out.data, failed, failed_size);
    assert_non_null(reply.content_type);
    tcsi_buffer_deinit(&out);
    tcsi_batch_deinit(&batch);
}

#define EXPECT_BODIES(decoder, code, partial, failed) \
    expect_bodies(decoder, (int[]){ code, 400 }, partial, sizeof partial - 1, failed, sizeof failed - 1)
#define SUMMARY "2 of 9 refused, 2 time_invalid; first: x"

static void test_bodies_of_replies(void **state)
{
    (void)state;
    EXPECT_BODIES(TCSI_INGEST_LINE_PROTOCOL, 400, "{\"code\":\"invalid\",\"message\":\"" SUMMARY "\"}",
                  "{\"code\":\"invalid\",\"message\":\"no\"}");
    EXPECT_BODIES(TCSI_INGEST_NDJSON, 400, "{\"code\":\"invalid\",\"message\":\"" SUMMARY "\"}",
                  "{\"code\":\"invalid\",\"message\":\"no\"}");
    EXPECT_BODIES(TCSI_INGEST_OTLP_JSON, 200, "{\"partialSuccess\":{\"rejectedDataPoints\":\"2\",\"errorMessage\":\"" SUMMARY "\"}}",
                  "{\"code\":3,\"message\":\"no\"}");
    EXPECT_BODIES(TCSI_INGEST_OTLP_PROTOBUF, 200, "\x0a\x2c\x08\x02\x12\x28" SUMMARY, "\x08\x03\x12\x02no");
}

/* What went well is an empty message to OTLP, whose senders want one, and nothing at all to the others. */
static void test_replies_when_all_is_well(void **state)
{
    (void)state;
    tcsi_batch batch;
    tcsi_buffer out;
    tcsi_ingest_reply reply;
    tcsi_batch_init(&batch, NULL);
    tcsi_batch_clear(&batch);
    tcsi_buffer_init(&out, 8192);
    batch.outcomes[TCSI_OUTCOME_ACCEPTED] = 7;
    batch.outcomes[TCSI_OUTCOME_TEXT] = 7;
    for (int decoder = TCSI_INGEST_REMOTE_WRITE_1; decoder <= TCSI_INGEST_NDJSON; decoder++) {
        bool json = decoder == TCSI_INGEST_OTLP_JSON, protobuf = decoder == TCSI_INGEST_OTLP_PROTOBUF;
        tcsi_buffer_clear(&out);
        assert_ok(tcsi_ingest_reply_to((tcsi_ingest_format){ .decoder = (uint8_t)decoder }, TCS_OK, NULL, &batch, &out, &reply, test_err));
        assert_int_equal(reply.code, json || protobuf ? 200 : 204);
        assert_int_equal(out.size, json ? 2 : 0);
        assert_int_equal(reply.content_type != NULL, json || protobuf);
    }
    tcsi_buffer_deinit(&out);
    tcsi_batch_deinit(&batch);
}

/* The reference has the line of every outcome and limit, word for word. */
static void test_the_reference_is_true(void **state)
{
    (void)state;
    static const char *const classes[] = { "taken", "passed", "refused" };
    char line[300];
    tcsi_buffer page;
    tcsi_buffer_init(&page, 1 << 20);
    assert_ok(tcsi_file_read(test_source("docs/reference/ingest.md"), &page, test_err));
    for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++) {
        tcsi_outcome outcome = (tcsi_outcome)i;
        snprintf(line, sizeof line, "\n| `%s` | %s | %s |\n", tcsi_outcome_name(outcome), classes[tcsi_outcome_class_of(outcome)],
                 tcsi_outcome_help(outcome));
        if (!strstr(page.data, line)) fail_msg("docs/reference/ingest.md lacks:%s", line);
    }
#define X(name, fallback, smallest, largest, help)                                              \
    assert_true(fallback >= smallest && fallback <= largest);                                   \
    snprintf(line, sizeof line, "\n| `%s` | %lld | %s |\n", #name, (long long)(fallback), help); \
    if (!strstr(page.data, line)) fail_msg("docs/reference/ingest.md lacks:%s", line);
    TCSI_INGEST_LIMIT_LIST(X)
    TCSI_ARRIVAL_LIMIT_LIST(X)
#undef X
    tcsi_buffer_deinit(&page);
}

static void test_limits_of_bodies(void **state)
{
    (void)state;
    tcsi_batch batch;
    tcs_error err;
    tcsi_ingest_limits limits = tcsi_ingest_limits_default();
    limits.body_size_max = 1000;
    limits.decoded_size_max = 2000;
    tcsi_batch_init(&batch, &limits);
    char body[1001] = { (char)0xd1, 0x0f }; /* claims 2001 bytes */
    assert_int_equal(tcsi_ingest_decode(remote_write_1, body, sizeof body, 0, &batch, &err), TCS_E_LIMIT);
    assert_string_equal(err.text, "a body of 1001 bytes, expected at most 1000");
    if (TCSI_HAVE_SNAPPY) {
        assert_int_equal(tcsi_ingest_decode(remote_write_1, body, 100, 0, &batch, &err), TCS_E_LIMIT);
        assert_non_null(strstr(err.text, "2001 bytes, expected at most 2000"));
        assert_null(batch.body);
        assert_int_equal(tcsi_ingest_decode(remote_write_1, "", 0, 0, &batch, &err), TCS_E_FORMAT);
        assert_int_equal(tcsi_ingest_decode(remote_write_1, "\0", 1, 0, &batch, &err), TCS_OK); /* an empty request says nothing */
        assert_int_equal(batch.series_count, 0);
    } else {
        assert_int_equal(tcsi_ingest_decode(remote_write_1, body, 100, 0, &batch, &err), TCS_E_UNSUPPORTED);
    }
    assert_int_equal(tcsi_ingest_decode((tcsi_ingest_format){ .decoder = 99 }, "", 0, 0, &batch, &err), TCS_E_UNSUPPORTED);
    tcsi_batch_deinit(&batch);
}

TCS_TEST_MAIN(cmocka_unit_test(test_choosing), cmocka_unit_test(test_replies),
              cmocka_unit_test(test_histograms_are_told_to_those_who_understand), cmocka_unit_test(test_bodies_of_replies),
              cmocka_unit_test(test_replies_when_all_is_well), cmocka_unit_test(test_the_reference_is_true),
              cmocka_unit_test(test_limits_of_bodies))
