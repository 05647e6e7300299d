/* What people decided, in the store: records, and what is read of them again.  SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "serve/desk.h"
#include "serve/keep_action.h"

#include <unistd.h>

static const int64_t second = 1000000000;
static tcs_error err;
static char path[64];

static tcsi_store *open_store(void)
{
    tcsi_store *store = NULL;
    snprintf(path, sizeof path, "/tmp/tocsin-desk-XXXXXX");
    const int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    assert_ok(tcsi_store_open(path, NULL, &store, &err));
    return store;
}

static void close_store(tcsi_store *store)
{
    char line[200];
    tcsi_store_close(store);
    snprintf(line, sizeof line, "rm -f %s %s-*", path, path);
    assert_int_equal(system(line), 0);
}

static void act(tcsi_store *store, tcsi_desk *desk, tcsi_action_kind kind, const char *id, const char *object, const char *document,
                int64_t time_s)
{
    const tcsi_action action = { .kind = kind, .id = id, .who = "ann", .role = "operator", .peer = "::1", .object = object,
                                 .document = document, .time_ns = time_s * second };
    assert_ok(tcsi_keep_action(store, &action, &err));
    if (desk) tcsi_desk_act(desk, NULL, &action);
}

static void put_episode(tcsi_store *store, const char *id, const char *series, int64_t begin_s, int64_t end_s)
{
    char document[200];
    snprintf(document, sizeof document, "{\"id\":\"%s\",\"kind\":\"anomaly\",\"series\":\"%s\"}", id, series);
    const tcsi_store_record record = { .kind = TCSI_STORE_EPISODE, .id = id, .series_id = 1, .state = 1, .begin_ns = begin_s * second,
                                       .end_ns = end_s * second, .document = document };
    assert_ok(tcsi_store_record_put(store, &record, &err));
}

static bool keep_text(void *context, const tcsi_store_record *record)
{
    snprintf(context, 600, "%s %lld %lld %lld", record->document, (long long)record->series_id, (long long)(record->begin_ns / second),
             (long long)(record->end_ns / second));
    return false;
}

static const char *read_record(tcsi_store *store, tcsi_store_record_kind kind, const char *id)
{
    static char text[600];
    text[0] = 0;
    assert_ok(tcsi_store_record_list(store, &(tcsi_store_record_query){ .kind = kind, .id = id }, keep_text, text, &err));
    return text;
}

static void test_acknowledged(void **state)
{
    tcsi_store *store = open_store();
    tcsi_buffer document;
    (void)state;
    put_episode(store, "e", "load{host=\\\"a\\\"}", 100, 200);
    for (int again = 0; again < 2; again++) /* as after a crash */
        act(store, NULL, TCSI_ACTION_ACKNOWLEDGE, "a1", "e", "{\"note\":\"x,\\\"acknowledged\\\":y\"}", 150);
    act(store, NULL, TCSI_ACTION_ACKNOWLEDGE, "a2", "gone", "{\"note\":\"\"}", 150); /* leaves its entry, and nothing else */
    assert_string_equal(read_record(store, TCSI_STORE_ACKNOWLEDGEMENT, "gone"), "");
    assert_string_equal(read_record(store, TCSI_STORE_ACKNOWLEDGEMENT, "e"),
                        "{\"who\":\"ann\",\"time\":\"1970-01-01T00:02:30Z\",\"note\":\"x,\\\"acknowledged\\\":y\"} 1 150 150");
    const char *episode = "{\"id\":\"e\",\"kind\":\"anomaly\",\"series\":\"load{host=\\\"a\\\"}\",\"acknowledged\":{\"who\":\"ann\","
                          "\"time\":\"1970-01-01T00:02:30Z\",\"note\":\"x,\\\"acknowledged\\\":y\"}} 1 100 200";
    assert_string_equal(read_record(store, TCSI_STORE_EPISODE, "e"), episode);
    tcsi_buffer_init(&document, 1 << 16);
    assert_ok(tcsi_buffer_puts(&document, "before ", &err));
    assert_ok(tcsi_desk_add_acknowledgement(store, "f", "{\"id\":\"f\"}", &document, &err));
    assert_string_equal(document.data, "before {\"id\":\"f\",\"acknowledged\":null}");
    tcsi_buffer_deinit(&document);
    int64_t count;
    unsigned char head[TCSI_HASH_SIZE];
    assert_ok(tcsi_store_audit_verify(store, &count, head, &err));
    assert_int_equal(count, 2);
    close_store(store);
}

#define WINDOW(from, to) "{\"matchers\":[{\"name\":\"host\",\"op\":\"=\",\"value\":\"a\"}],\"from\":\"1970-01-01T00:" from \
                         "Z\",\"to\":\"1970-01-01T00:" to "Z\",\"comment\":\"\"}"

static void test_begun_and_ended(void **state)
{
    tcsi_store *store = open_store();
    tcsi_desk desk, again;
    (void)state;
    tcsi_desk_init(&desk);
    tcsi_desk_init(&again);
    act(store, &desk, TCSI_ACTION_SILENCE, "s1", "", WINDOW("01:00", "10:00"), 60);
    act(store, &desk, TCSI_ACTION_MAINTENANCE, "m1", "", WINDOW("05:00", "10:00"), 60);
    act(store, &desk, TCSI_ACTION_END, "x1", "s1", "{}", 120);
    act(store, &desk, TCSI_ACTION_END, "x2", "s1", "{}", 180); /* over already */
    act(store, &desk, TCSI_ACTION_END, "x3", "m1", "{}", 200); /* before it began: it never does */
    act(store, &desk, TCSI_ACTION_END, "x4", "none", "{}", 200);
    assert_int_equal(desk.silences.count, 0);
    assert_non_null(strstr(read_record(store, TCSI_STORE_SILENCE, "s1"),
                           "\"to\":\"1970-01-01T00:02:00Z\",\"who\":\"ann\",\"comment\":\"\"} 0 60 120"));
    assert_non_null(strstr(read_record(store, TCSI_STORE_MAINTENANCE, "m1"), " 0 200 200"));
    act(store, &desk, TCSI_ACTION_SILENCE, "s2", "", WINDOW("01:00", "10:00"), 60);
    act(store, &desk, TCSI_ACTION_MAINTENANCE, "m2", "", WINDOW("01:00", "08:00"), 60);
    assert_ok(tcsi_desk_load(&again, store, 500 * second, &err)); /* where no snapshot has them */
    assert_int_equal(again.silences.count, 1);
    tcsi_desk_tick(&desk, 480 * second);
    assert_int_equal(desk.silences.count, 1);
    tcsi_desk_deinit(&desk);
    tcsi_desk_deinit(&again);
    close_store(store);
}

static bool was_maintained(tcsi_store *store, const char *id)
{
    bool was = false;
    assert_ok(tcsi_desk_was_maintained(store, id, &was, &err));
    return was;
}

static void test_maintained(void **state)
{
    tcsi_store *store = open_store();
    (void)state;
    act(store, NULL, TCSI_ACTION_MAINTENANCE, "m1", "", WINDOW("05:00", "06:00"), 60);
    act(store, NULL, TCSI_ACTION_SILENCE, "s1", "", WINDOW("01:00", "20:00"), 60); /* which says nothing of answers */
    put_episode(store, "before", "load{host=\\\"a\\\"}", 100, 200);
    put_episode(store, "into", "load{host=\\\"a\\\"}", 100, 301);
    put_episode(store, "within", "load{host=\\\"a\\\"}", 310, 320);
    put_episode(store, "other", "load{host=\\\"b\\\"}", 310, 320);
    put_episode(store, "after", "load{host=\\\"a\\\"}", 361, 400);
    assert_true(was_maintained(store, "into") && was_maintained(store, "within"));
    assert_false(was_maintained(store, "before") || was_maintained(store, "other") || was_maintained(store, "after"));
    assert_false(was_maintained(store, "none"));
    close_store(store);
}

TCS_TEST_MAIN(cmocka_unit_test(test_acknowledged), cmocka_unit_test(test_begun_and_ended), cmocka_unit_test(test_maintained))
