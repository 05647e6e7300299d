/* Messages held against what is published: Alertmanager's OpenAPI document, CloudEvents 1.0.2, Grafana's annotations, RFC 5322.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "serve/deliver/backoff.h"
#include "serve/deliver/message.h"
#include "series/time.h"

static const tcsi_alert_tag tags[] = { { "__name__", "node_load1" }, { "host", "db\"1\"" }, { "data-center", "a" }, { "data_center",
                                                                                                                      "b" } };

static tcsi_alert make_alert(tcsi_alert_state state)
{
    return (tcsi_alert){ .tags = tags, .tag_count = TCS_COUNT(tags), .episode_id = "e-1", .incident_id = "i-9", .state = state,
                         .revision = 1,
                         .starts_ns = INT64_C(1700000000500000000),
                             .ends_ns = state >= TCSI_ALERT_RESOLVED ? INT64_C(1700000060000000000) : 0,
                         .updated_ns = INT64_C(1700000030000000000), .severity = 72.5, .value = 17, .expected_lower = 1,
                             .expected_upper = 3,
                         .summary = "load rose", .description = "", .url = "http://t/e-1", .trace = "" };
}

typedef tcs_status (*maker)(const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_buffer *out, tcs_error *err);

static const tcsi_json_value *made(maker make, const tcsi_receiver *receiver, const tcsi_alert *alert, tcsi_arena *arena)
{
    const tcsi_json_value *root = NULL;
    tcsi_buffer text;
    tcsi_buffer_init(&text, 1 << 20);
    assert_ok(make(receiver, alert, &text, test_err));
    assert_ok(tcsi_json_parse(text.data, text.size, arena, &root, test_err));
    tcsi_buffer_deinit(&text);
    return root;
}

static const char *text_of(const tcsi_json_value *object, const char *key)
{
    const tcsi_json_value *value = tcsi_json_get(object, key);
    if (!value) print_error("no %s\n", key);
    assert_non_null(value);
    assert_int_equal(value->type, TCSI_JSON_STRING);
    return value->text;
}

static bool is_label_name(const char *name)
{
    if (*name >= '0' && *name <= '9') return false;
    for (; *name; name++)
        if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9') ||
              *name == '_')) return false;
    return true;
}

static void test_alertmanager(void **state)
{
    const tcsi_receiver receiver = { .labels = { { "team", "db" } }, .label_count = 1 };
    tcsi_alert alert = make_alert(TCSI_ALERT_CONFIRMED);
    tcsi_arena arena;
    (void)state;
    tcsi_arena_init(&arena, 1 << 20);
    const tcsi_json_value *root = made(tcsi_message_alertmanager, &receiver, &alert, &arena);
    assert_int_equal(root->type, TCSI_JSON_ARRAY);
    const tcsi_json_value *one = &root->items[0], *labels = tcsi_json_get(one, "labels");
    assert_string_equal(text_of(labels, "alertname"), "TocsinAnomaly");
    assert_string_equal(text_of(labels, "metric"), "node_load1");
    assert_string_equal(text_of(labels, "host"), "db\"1\"");
    assert_string_equal(text_of(labels, "team"), "db");
    assert_string_equal(text_of(labels, "data_center"), "a");
    assert_string_equal(text_of(labels, "data_center_2"), "b"); /* two tags never become one label */
    assert_int_equal(labels->item_count, 6);
    for (size_t i = 0; i < labels->item_count; i++) assert_true(is_label_name(labels->items[i].key));
    for (size_t i = 0; i < one->item_count; i++) { /* the document knows no other members */
        static const char *const known[] = { "labels", "annotations", "startsAt", "endsAt", "generatorURL" };
        bool found = false;
        for (size_t k = 0; k < TCS_COUNT(known); k++) found |= strcmp(one->items[i].key, known[k]) == 0;
        assert_true(found);
    }
    assert_string_equal(text_of(one, "startsAt"), "2023-11-14T22:13:20.5Z");
    assert_null(tcsi_json_get(one, "endsAt"));
    assert_string_equal(text_of(tcsi_json_get(one, "annotations"), "severity"), "72.5");

    /* Worse, later, over: the labels stay what they were. */
    tcsi_alert over = make_alert(TCSI_ALERT_RESOLVED);
    over.severity = 99;
    over.revision = 3;
    over.value = NAN;
    const tcsi_json_value *end = &made(tcsi_message_alertmanager, &receiver, &over, &arena)->items[0];
    const tcsi_json_value *labels_end = tcsi_json_get(end, "labels");
    assert_int_equal(labels_end->item_count, labels->item_count);
    for (size_t i = 0; i < labels->item_count; i++) {
        assert_string_equal(labels->items[i].key, labels_end->items[i].key);
        assert_string_equal(labels->items[i].text, labels_end->items[i].text);
    }
    assert_string_equal(text_of(end, "endsAt"), "2023-11-14T22:14:20Z");
    tcsi_arena_deinit(&arena);
}

static void test_webhook(void **state)
{
    const tcsi_receiver receiver = { .source = "/plant/a" };
    tcsi_alert alert = make_alert(TCSI_ALERT_CONFIRMED), same = alert;
    tcsi_arena arena;
    (void)state;
    tcsi_arena_init(&arena, 1 << 20);
    same.episode_id = "e-of-another-life"; /* neither names nor words are part of the id */
    same.summary = "other words";
    same.severity = 1;
    const tcsi_json_value *event = made(tcsi_message_webhook, &receiver, &alert, &arena);
    const char *id = text_of(event, "id");
    assert_string_equal(text_of(event, "specversion"), "1.0");
    assert_string_equal(text_of(event, "source"), "/plant/a");
    assert_string_equal(text_of(event, "type"), "dev.tocsin.alert.confirmed");
    assert_string_equal(text_of(event, "subject"), "node_load1{host=\"db\\\"1\\\"\",data-center=\"a\",data_center=\"b\"}");
    assert_string_equal(text_of(event, "time"), "2023-11-14T22:13:50Z");
    assert_string_equal(text_of(event, "datacontenttype"), "application/json");
    assert_string_equal(text_of(tcsi_json_get(tcsi_json_get(event, "data"), "tags"), "__name__"), "node_load1");
    assert_string_equal(id, text_of(made(tcsi_message_webhook, &receiver, &same, &arena), "id"));
    same = make_alert(TCSI_ALERT_RESOLVED);
    assert_string_not_equal(id, text_of(made(tcsi_message_webhook, &receiver, &same, &arena), "id"));
    same = alert;
    same.starts_ns++;
    assert_string_not_equal(id, text_of(made(tcsi_message_webhook, &receiver, &same, &arena), "id"));
    same = alert;
    same.tag_count--;
    assert_string_not_equal(id, text_of(made(tcsi_message_webhook, &receiver, &same, &arena), "id"));
    tcsi_arena_deinit(&arena);
}

static void test_signature(void **state)
{
    /* python3: hmac.new(b"whisper", b"1700000000." + b'{"a":1}', "sha256").hexdigest() */
    static const char body[] = "{\"a\":1}", expected[] = "v1=11051b911625f8ea9085d1614da246e5b497c1beeb1f1db469d87945d86444a5";
    char signature[TCSI_SIGNATURE_SIZE];
    (void)state;
    assert_ok(tcsi_message_sign("whisper", 7, 1700000000, body, 7, signature, test_err));
    assert_string_equal(signature, expected);
    assert_true(tcsi_message_verify("whisper", 7, "1700000000", signature, body, 7, 1700000200, 300));
    assert_false(tcsi_message_verify("whisper", 7, "1700000000", signature, body, 7, 1700000400, 300)); /* yesterday's */
    assert_false(tcsi_message_verify("whisper", 7, "1700000001", signature, body, 7, 1700000200, 300)); /* another time */
    assert_false(tcsi_message_verify("Whisper", 7, "1700000000", signature, body, 7, 1700000200, 300));
    assert_false(tcsi_message_verify("whisper", 7, "1700000000", signature, "{\"a\":2}", 7, 1700000200, 300));
    assert_false(tcsi_message_verify("whisper", 7, "1700000000", "v1=", body, 7, 1700000200, 300));
    assert_false(tcsi_message_verify("whisper", 7, "-1", signature, body, 7, 1700000200, 300));
}

static void test_grafana(void **state)
{
    const tcsi_receiver receiver = { .dashboard = "abc", .panel = 4 }, everywhere = { .dashboard = NULL };
    tcsi_alert alert = make_alert(TCSI_ALERT_CONFIRMED), over = make_alert(TCSI_ALERT_RESOLVED);
    tcsi_arena arena;
    (void)state;
    tcsi_arena_init(&arena, 1 << 20);
    const tcsi_json_value *note = made(tcsi_message_grafana, &receiver, &alert, &arena);
    assert_string_equal(text_of(note, "dashboardUID"), "abc");
    assert_near(4, tcsi_json_get(note, "panelId")->number, 0);
    assert_near(1700000000500.0, tcsi_json_get(note, "time")->number, 0);
    assert_null(tcsi_json_get(note, "timeEnd"));
    assert_string_equal(tcsi_json_get(note, "tags")->items[1].text, "tocsin:e-1");
    assert_string_equal(text_of(note, "text"), "load rose\nExpected 1 to 3, was 17.\n\nhttp://t/e-1");
    note = made(tcsi_message_grafana, &everywhere, &over, &arena);
    assert_near(1700000060000.0, tcsi_json_get(note, "timeEnd")->number, 0);
    assert_null(tcsi_json_get(note, "dashboardUID"));
    tcsi_arena_deinit(&arena);
}

/* Every line of the header is ours, whatever the alert says. */
static void check_header(const tcsi_alert *alert)
{
    static const char *const known[] = { "From: ", "To: ", "Date: ", "Message-ID: <", "References: <", "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64", "Subject: =?UTF-8?B?", " " };
    const tcsi_receiver receiver = { .from = "t@x", .to = { "a@x", "b@x" }, .to_count = 2 };
    tcsi_buffer text;
    tcsi_buffer_init(&text, 1 << 20);
    assert_ok(tcsi_message_mail(&receiver, alert, &text, test_err));
    char *end = strstr(text.data, "\r\n\r\n");
    assert_non_null(end);
    for (char *line = text.data; line < end;) {
        char *next = strstr(line, "\r\n");
        bool found = false;
        for (size_t i = 0; i < TCS_COUNT(known); i++) found |= strncmp(line, known[i], strlen(known[i])) == 0;
        assert_true(found);
        assert_true(next - line <= 78);
        assert_null(memchr(line, '\n', (size_t)(next - line)));
        line = next + 2;
    }
    for (char *c = text.data; c < text.data + text.size; c++) assert_true((*c >= ' ' && *c < 127) || *c == '\r' || *c == '\n');
    tcsi_buffer_deinit(&text);
}

static void test_mail(void **state)
{
    const tcsi_receiver receiver = { .from = "t@x", .to = { "a@x" }, .to_count = 1 };
    tcsi_alert alert = make_alert(TCSI_ALERT_CONFIRMED);
    tcsi_buffer text;
    (void)state;
    check_header(&alert);
    alert.summary = "x\r\nBcc: everybody@x\r\n\r\nbody";
    alert.episode_id = "e\r\nX: y";
    check_header(&alert);
    alert.summary = "überläuft \xff\xfe und so weiter, viel länger als eine einzige Zeile einer Kopfzeile sein darf, und noch länger";
    check_header(&alert);
    tcsi_buffer_init(&text, 1 << 20);
    alert.summary = "load rose";
    assert_ok(tcsi_message_mail(&receiver, &alert, &text, test_err));
    assert_non_null(strstr(text.data, "Date: Tue, 14 Nov 2023 22:13:50 +0000\r\n"));
    assert_non_null(strstr(text.data, "Subject: =?UTF-8?B?W2NvbmZpcm1lZF0gbG9hZCByb3Nl?=\r\n")); /* [confirmed] load rose */
    assert_non_null(strstr(text.data, "\r\n\r\nbG9hZCByb3NlCgpTZXJpZXM6")); /* load rose, Series: */
    tcsi_buffer_deinit(&text);
}

static void test_alert_round_trip(void **state)
{
    tcsi_alert alert = make_alert(TCSI_ALERT_RESOLVED), back;
    tcsi_arena arena;
    tcsi_buffer text, again;
    tcsi_json_writer writer;
    tcs_error err;
    (void)state;
    tcsi_arena_init(&arena, 1 << 20);
    tcsi_buffer_init(&text, 1 << 16);
    tcsi_buffer_init(&again, 1 << 16);
    alert.summary = "\n\"\\ \xc3\xa4 </script>";
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_alert_write(&alert, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_ok(tcsi_alert_read(text.data, text.size, &arena, &back, test_err));
    tcsi_json_writer_init(&writer, &again, false);
    tcsi_alert_write(&back, &writer);
    assert_ok(tcsi_json_finish(&writer, test_err));
    assert_string_equal(text.data, again.data);
    assert_int_equal(back.ends_ns, alert.ends_ns);
    static const char *const wrong[] = { "", "{}", "[]", "{\"tags\":{},\"state\":\"open\",\"episode\":\"x\",\"revision\":1}",
        "{\"tags\":{\"a\":1},\"state\":\"resolved\",\"episode\":\"x\",\"revision\":1}",
            "{\"tags\":{},\"state\":\"resolved\",\"revision\":1}",
        "{\"tags\":{},\"state\":\"resolved\",\"episode\":\"x\",\"revision\":-1}",
        "{\"tags\":{},\"state\":\"resolved\",\"episode\":\"x\",\"revision\":1,\"starts\":\"soon\"}",
        "{\"tags\":{},\"state\":\"resolved\",\"episode\":\"a\\u0000b\",\"revision\":1}" };
    for (size_t i = 0; i < TCS_COUNT(wrong); i++)
        assert_int_equal(tcsi_alert_read(wrong[i], strlen(wrong[i]), &arena, &back, &err), TCS_E_FORMAT);
    tcsi_buffer_deinit(&text);
    tcsi_buffer_deinit(&again);
    tcsi_arena_deinit(&arena);
}

static void test_failing_memory(void **state)
{
    static const maker makers[] = { tcsi_message_alertmanager, tcsi_message_webhook, tcsi_message_grafana, tcsi_message_mail };
    const tcsi_receiver receiver = { .from = "t@x", .to = { "a@x" }, .to_count = 1 };
    const tcsi_alert alert = make_alert(TCSI_ALERT_RESOLVED);
    (void)state;
    for (size_t i = 0; i < TCS_COUNT(makers); i++)
        for (size_t fail = 1;; fail++) {
            tcsi_buffer text;
            tcs_error err;
            tcsi_alloc_trace_begin();
            tcsi_alloc_trace_fail_at(fail);
            tcsi_buffer_init(&text, 1 << 20);
            const tcs_status status = makers[i](&receiver, &alert, &text, &err);
            tcsi_buffer_deinit(&text);
            assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
            tcsi_alloc_trace_end();
            if (status == TCS_OK) break;
            assert_int_equal(status, TCS_E_MEMORY);
        }
}

static void test_backoff(void **state)
{
    const int64_t second = 1000000000;
    double sum = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        for (uint32_t failures = 1; failures < 40; failures++) {
            const int64_t pause = tcsi_backoff(seed, failures, 60 * second, 0),
                range = failures < 7 ? second << (failures - 1) : 60 * second;
            assert_true(pause >= second / 10 && pause <= range + second / 10);
            assert_int_equal(pause, tcsi_backoff(seed, failures, 60 * second, 0));
        }
        sum += (double)tcsi_backoff(seed, 4, 60 * second, 0) / (double)second;
    }
    assert_near(4.1, sum / 2000, 0.05); /* drawn from the whole range of 8 s */
    assert_true(tcsi_backoff(1, 1, 60 * second, 30 * second) >= 30 * second);
    assert_true(tcsi_backoff(1, 1, 60 * second, INT64_MAX) <= 3661 * second);
    assert_true(tcsi_backoff(1, UINT32_MAX, 60 * second, 0) <= 61 * second);
}

TCS_TEST_MAIN(cmocka_unit_test(test_alertmanager), cmocka_unit_test(test_webhook), cmocka_unit_test(test_signature),
              cmocka_unit_test(test_grafana), cmocka_unit_test(test_mail), cmocka_unit_test(test_alert_round_trip),
              cmocka_unit_test(test_failing_memory), cmocka_unit_test(test_backoff))
