/* store/store_test.c -- the contract of store.h, each case on SQLite and on a PostgreSQL server of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "base/clock.h"
#include "store_place.h"
#include "store_seen.h"

#include <pthread.h>

static tcs_error err;

/* ---- series and blocks ---- */

static int64_t put_series(tcsi_store *store, const char *text)
{
    int64_t id = 0;
    const tcsi_store_series series = { .tags = text, .tags_size = strlen(text) + 1, .text = text, .first_seen_ns = 7 };
    assert_done(tcsi_store_series_put(store, &series, &id, &err));
    return id;
}

static bool see_series(void *context, const tcsi_store_series *series)
{
    see("%lld %s %zu %lld;", (long long)series->id, series->text, series->tags_size, (long long)series->first_seen_ns);
    return context == NULL;
}

static void test_series_have_one_id_for_good(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    char wide[8000];
    memset(wide, 'w', sizeof wide);
    wide[sizeof wide - 1] = 0;
    assert_int_equal(put_series(store, "a"), 1);
    assert_int_equal(put_series(store, "b"), 2);
    assert_int_equal(put_series(store, "a"), 1);
    assert_int_equal(put_series(store, wide), 3); /* longer than an index takes */
    tcsi_store_close(store);
    store = place_open(p);
    assert_int_equal(put_series(store, "b"), 2);
    assert_int_equal(put_series(store, wide), 3);
    int64_t found = -1;
    assert_done(tcsi_store_series_find(store, "b", 2, &found, &err)); /* looking makes none */
    assert_int_equal(found, 2);
    assert_done(tcsi_store_series_find(store, "c", 2, &found, &err));
    assert_int_equal(found, 0);
    clear_seen();
    assert_done(tcsi_store_series_list(store, 0, 2, see_series, NULL, &err));
    assert_string_equal(seen, "1 a 2 7;2 b 2 7;");
    clear_seen();
    assert_done(tcsi_store_series_list(store, 1, 0, see_series, &seen, &err)); /* ended by the callback */
    assert_string_equal(seen, "2 b 2 7;");
    assert_done(tcsi_store_series_list(store, 3, 0, see_series, NULL, &err)); /* and the connection is free again */
    tcsi_store_close(store);
}

static bool see_block(void *context, const tcsi_store_block *block)
{
    (void)context;
    see("%lld-%lld %u %.*s;", (long long)block->first_ns, (long long)block->last_ns, block->row_count, (int)block->size,
        (const char *)block->bytes);
    return true;
}

static void put_block(tcsi_store *store, int64_t series_id, uint32_t kind, int64_t first, int64_t last, const char *bytes)
{
    assert_done(tcsi_store_block_put(store, &(tcsi_store_block){ series_id, kind, first, last, 5, bytes, strlen(bytes) }, &err));
}

static void test_blocks(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    size_t count = 0;
    put_block(store, 1, 1, 100, 199, "one");
    put_block(store, 1, 1, 200, 299, "two");
    put_block(store, 1, 2, 100, 199, "scores");
    put_block(store, 2, 1, -50, 199, "other");
    put_block(store, 1, 1, 200, 280, ""); /* in place of two */
    clear_seen();
    assert_done(tcsi_store_block_list(store, 1, 1, INT64_MIN, INT64_MAX, see_block, NULL, &err));
    assert_string_equal(seen, "100-199 5 one;200-280 5 ;");
    clear_seen();
    assert_done(tcsi_store_block_list(store, 1, 1, 199, 199, see_block, NULL, &err));
    assert_done(tcsi_store_block_list(store, 1, 1, 281, 900, see_block, NULL, &err));
    assert_done(tcsi_store_block_list(store, 2, 1, -60, -50, see_block, NULL, &err));
    assert_string_equal(seen, "100-199 5 one;-50-199 5 other;");
    assert_done(tcsi_store_block_forget(store, 1, 200, 1, &count, &err));
    assert_int_equal(count, 1);
    assert_done(tcsi_store_block_forget(store, 1, 200, 10, &count, &err));
    assert_int_equal(count, 1);
    clear_seen();
    assert_done(tcsi_store_block_list(store, 1, 1, INT64_MIN, INT64_MAX, see_block, NULL, &err));
    assert_done(tcsi_store_block_list(store, 1, 2, INT64_MIN, INT64_MAX, see_block, NULL, &err));
    assert_done(tcsi_store_block_list(store, 2, 1, INT64_MIN, INT64_MAX, see_block, NULL, &err));
    assert_string_equal(seen, "200-280 5 ;100-199 5 scores;");
    place_sql(p, "update block set last_ns = 198 where kind = 2"); /* bytes whole, but in another place */
    assert_int_equal(tcsi_store_block_list(store, 1, 2, INT64_MIN, INT64_MAX, see_block, NULL, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "the seal of a block is wrong (series 1, kind 2, from 100)"));
    tcsi_store_close(store);
}

/* ---- records ---- */

static bool see_record(void *context, const tcsi_store_record *record)
{
    (void)context;
    see("%s/%lld/%lld %s;", record->id, (long long)record->state, (long long)record->begin_ns, record->document);
    return true;
}

static void put_record(tcsi_store *store, tcsi_store_record_kind kind, const char *id, int64_t series, int64_t status, int64_t begin,
                       int64_t end, const char *document)
{
    const tcsi_store_record record = { kind, id, series, status, begin, end, begin, document };
    assert_done(tcsi_store_record_put(store, &record, &err));
}

static const char *records(tcsi_store *store, tcsi_store_record_query query)
{
    clear_seen();
    assert_done(tcsi_store_record_list(store, &query, see_record, NULL, &err));
    return seen;
}

static void test_records(void **state)
{
    tcsi_store *store = place_open(place_of(state));
    put_record(store, TCSI_STORE_EPISODE, "a", 1, 0, 100, INT64_MAX, "{}");
    put_record(store, TCSI_STORE_EPISODE, "b", 2, 1, 200, 250, "{\"x\":\"\xc3\xa9\"}");
    put_record(store, TCSI_STORE_EPISODE, "c", 1, 2, 300, 350, "{}");
    put_record(store, TCSI_STORE_ALERT, "a", 0, 0, 150, 160, "alert");
    put_record(store, TCSI_STORE_EPISODE, "a", 1, 1, 100, 400, "{\"v\":2}"); /* again */
    put_record(store, TCSI_STORE_EPISODE, "d", 3, 3, 200, 210, "d");         /* as early as b */
    const tcsi_store_record_kind kind = TCSI_STORE_EPISODE;
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind }),
                        "c/2/300 {};d/3/200 d;b/1/200 {\"x\":\"\xc3\xa9\"};a/1/100 {\"v\":2};");
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind, .id = "a" }), "a/1/100 {\"v\":2};");
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind, .id = "a", .series_id = 2 }), "");
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = TCSI_STORE_ALERT }), "a/0/150 alert;");
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind, .series_id = 1 }), "c/2/300 {};a/1/100 {\"v\":2};");
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind, .state_min = 2, .state_max = 3 }), "c/2/300 {};d/3/200 d;");
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind, .from_ns = 260, .to_ns = 290 }), "a/1/100 {\"v\":2};");
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind, .limit = 2 }), "c/2/300 {};d/3/200 d;");
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind, .limit = 2, .before_ns = 200, .before_id = "d" }),
                        "b/1/200 {\"x\":\"\xc3\xa9\"};a/1/100 {\"v\":2};");
    assert_done(tcsi_store_record_remove(store, kind, "a", &err));
    assert_done(tcsi_store_record_remove(store, kind, "nobody", &err));
    assert_string_equal(records(store, (tcsi_store_record_query){ .kind = kind, .id = "a" }), "");
    tcsi_store_close(store);
}

/* ---- labels ---- */

static tcs_status put_label(tcsi_store *store, const char *id, const char *episode, const char *undoes)
{
    const tcsi_store_label label = { .id = id, .episode_id = episode, .verdict = *undoes ? "" : "true", .author = "ann", .time_ns = 9,
                                     .undoes = undoes, .document = "{}" };
    return tcsi_store_label_put(store, &label, &err);
}

static bool see_label(void *context, const tcsi_store_label *label)
{
    (void)context;
    see("%lld %s %s%s%s%s;", (long long)label->sequence, label->id, label->episode_id, *label->undoes ? " undoes " : "", label->undoes,
        label->is_undone ? " undone" : "");
    return true;
}

static void test_labels_are_appended_and_taken_back(void **state)
{
    tcsi_store *store = place_open(place_of(state));
    assert_done(put_label(store, "l1", "e1", ""));
    assert_done(put_label(store, "l2", "e2", ""));
    assert_done(put_label(store, "l1", "e1", ""));
    assert_int_equal(put_label(store, "u", "e1", "l9"), TCS_E_INVALID);
    assert_string_equal(err.text, "there is no label 'l9' that could be taken back");
    assert_done(put_label(store, "u1", "e1", "l1"));
    assert_done(put_label(store, "u1", "e1", "l1"));
    assert_int_equal(put_label(store, "u2", "e1", "l1"), TCS_E_INVALID);
    assert_string_equal(err.text, "label 'l1' was taken back already, by 'u1'");
    assert_int_equal(put_label(store, "u3", "e1", "u1"), TCS_E_INVALID);
    assert_done(put_label(store, "l3", "e1", ""));
    clear_seen();
    assert_done(tcsi_store_label_list(store, NULL, 0, 0, see_label, NULL, &err));
    assert_string_equal(seen, "1 l1 e1 undone;2 l2 e2;3 u1 e1 undoes l1;4 l3 e1;");
    clear_seen();
    assert_done(tcsi_store_label_list(store, "e1", 1, 1, see_label, NULL, &err));
    assert_string_equal(seen, "3 u1 e1 undoes l1;");
    tcsi_store_close(store);
}

/* ---- models ---- */

static bool see_model(void *context, const tcsi_store_model *model)
{
    (void)context;
    see("%.8s %zu %lld %s;", model->hash, model->size, (long long)model->created_ns, model->document);
    return true;
}

static void test_models_are_named_by_what_they_hold(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    char first[TCSI_HASH_TEXT_SIZE], second[TCSI_HASH_TEXT_SIZE], hash[TCSI_HASH_TEXT_SIZE];
    static char big[3 << 20];
    bool found = true;
    tcsi_buffer bytes;
    tcsi_buffer_init(&bytes, 1 << 26);
    memset(big, 'm', sizeof big);
    assert_done(tcsi_store_model_put(store, "abc", 3, 5, "{}", first, &err));
    assert_done(tcsi_store_model_put(store, "abc", 3, 6, "other", second, &err)); /* it is there already */
    assert_string_equal(first, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(first, second);
    assert_done(tcsi_store_model_put(store, big, sizeof big, 4, "big", second, &err));
    clear_seen();
    assert_done(tcsi_store_model_list(store, see_model, NULL, &err));
    assert_non_null(strstr(seen, "3145728 4 big;ba7816bf 3 5 {};"));
    assert_done(tcsi_store_alias_get(store, "champion", hash, &found, &err));
    assert_false(found);
    assert_int_equal(tcsi_store_alias_set(store, "champion", "none", &err), TCS_E_INVALID);
    assert_done(tcsi_store_alias_set(store, "champion", first, &err));
    assert_done(tcsi_store_alias_set(store, "champion", second, &err));
    assert_done(tcsi_store_alias_get(store, "champion", hash, &found, &err));
    assert_true(found);
    assert_string_equal(hash, second);
    assert_done(tcsi_store_model_get(store, "champion", &bytes, &err));
    assert_int_equal(bytes.size, sizeof big);
    assert_memory_equal(bytes.data, big, sizeof big);
    tcsi_buffer_clear(&bytes);
    assert_done(tcsi_store_model_get(store, first, &bytes, &err));
    assert_string_equal(bytes.data, "abc");
    assert_int_equal(tcsi_store_model_get(store, "challenger", &bytes, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_store_model_remove(store, second, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "is the champion"));
    place_sql(p, "update model set bytes = (select bytes from model where size = 3)");
    tcsi_buffer_clear(&bytes);
    assert_int_equal(tcsi_store_model_get(store, "champion", &bytes, &err), TCS_E_FORMAT);
    assert_int_equal(bytes.size, 0);
    assert_done(tcsi_store_alias_set(store, "champion", NULL, &err));
    assert_done(tcsi_store_model_remove(store, second, &err));
    assert_int_equal(tcsi_store_model_remove(store, second, &err), TCS_E_INVALID);
    tcsi_buffer_deinit(&bytes);
    tcsi_store_close(store);
}

/* ---- outbox ---- */

static void put_message(tcsi_store *store, const char *receiver, const char *id, int64_t due)
{
    const tcsi_store_message message = { .receiver = receiver, .id = id, .payload = id, .payload_size = strlen(id), .trace = "00-t",
                                         .due_ns = due };
    assert_done(tcsi_store_outbox_put(store, &message, &err));
}

static bool see_message(void *context, const tcsi_store_message *message)
{
    (void)context;
    see("%s=%.*s@%lld #%u %s%s;", message->id, (int)message->payload_size, (const char *)message->payload, (long long)message->due_ns,
        message->attempt_count, message->trace, message->error);
    return true;
}

static const char *due(tcsi_store *store, const char *receiver, int64_t now, size_t limit)
{
    clear_seen();
    assert_done(tcsi_store_outbox_due(store, receiver, now, limit, see_message, NULL, &err));
    return seen;
}

static void test_outbox_keeps_until_done(void **state)
{
    tcsi_store *store = place_open(place_of(state));
    tcsi_store_outbox_stats stats;
    size_t count = 0;
    put_message(store, "r", "m2", 20);
    put_message(store, "r", "m1", 10);
    put_message(store, "s", "m1", 10); /* another receiver's */
    put_message(store, "r", "m1", 99); /* nothing new */
    assert_string_equal(due(store, "r", 9, 0), "");
    assert_string_equal(due(store, "r", 15, 0), "m1=m1@10 #0 00-t;");
    assert_string_equal(due(store, "r", 15, 0), "m1=m1@10 #0 00-t;"); /* a crash between sending and done: again */
    assert_string_equal(due(store, "r", 20, 1), "m1=m1@10 #0 00-t;");
    assert_done(tcsi_store_outbox_done(store, "r", "m1", 16, &err));
    put_message(store, "r", "m1", 10); /* a replay puts it again: it was sent */
    assert_string_equal(due(store, "r", 25, 0), "m2=m2@20 #0 00-t;");
    assert_done(tcsi_store_outbox_retry(store, "r", "m2", 25, 50, " refused", &err));
    assert_string_equal(due(store, "r", 49, 0), "");
    assert_string_equal(due(store, "r", 50, 0), "m2=m2@50 #1 00-t refused;");
    assert_done(tcsi_store_outbox_stat(store, "r", &stats, &err));
    assert_true(stats.waiting_count == 1 && stats.given_up_count == 0 && stats.due_ns_min == 50);
    assert_done(tcsi_store_outbox_retry(store, "r", "m2", 60, INT64_MAX, "gone", &err));
    assert_string_equal(due(store, "r", INT64_MAX, 0), "");
    assert_done(tcsi_store_outbox_stat(store, "r", &stats, &err));
    assert_true(stats.waiting_count == 0 && stats.given_up_count == 1 && stats.due_ns_min == INT64_MAX);
    assert_done(tcsi_store_outbox_forget(store, 17, &count, &err));
    assert_int_equal(count, 1);
    assert_done(tcsi_store_outbox_forget(store, 1000, &count, &err));
    assert_int_equal(count, 1);
    assert_string_equal(due(store, "s", 10, 0), "m1=m1@10 #0 00-t;");
    tcsi_store_close(store);
}

static bool join_told(void *context, const tcsi_store_told *told)
{
    static const char *const outcomes[] = { "waiting", "sent", "given up", "replaced" };
    char *text = context;
    const size_t used = strlen(text);
    snprintf(text + used, 1024 - used, "%s %s %s@%lld #%u%s%s;", told->receiver, told->id, outcomes[told->outcome],
             (long long)told->time_ns, (unsigned)told->attempt_count, *told->error ? " " : "", told->error);
    return true;
}

/* Whether it was sent, and when; what a newer one came before; and of no other alert. */
static void test_outbox_knows_who_was_told(void **state)
{
    tcsi_store *store = place_open(place_of(state));
    char text[1024] = "";
    for (int i = 1; i <= 4; i++) {
        char id[16];
        snprintf(id, sizeof id, "ab#%06d", i);
        put_message(store, "ops", id, 10);
    }
    put_message(store, "boss", "ab#000001", 10);
    put_message(store, "ops", "abc#000001", 10); /* other alerts */
    put_message(store, "ops", "a#000001", 10);
    put_message(store, "zoo", "b#000001", 10);
    assert_done(tcsi_store_outbox_done(store, "ops", "ab#000001", 20, &err));
    assert_done(tcsi_store_outbox_replace(store, "ops", "ab#000002", 30, &err)); /* never sent */
    assert_done(tcsi_store_outbox_retry(store, "ops", "ab#000003", 35, 90, "", &err)); /* sent, and to be sent again */
    assert_done(tcsi_store_outbox_retry(store, "ops", "ab#000003", 90, 95, "refused", &err));
    assert_done(tcsi_store_outbox_told(store, "ab", join_told, text, &err));
    assert_string_equal(text, "boss ab#000001 waiting@0 #0;ops ab#000001 sent@20 #1;ops ab#000002 replaced@30 #0;"
                              "ops ab#000003 sent@35 #2 refused;ops ab#000004 waiting@0 #0;");
    assert_done(tcsi_store_outbox_replace(store, "ops", "ab#000003", 99, &err));
    assert_done(tcsi_store_outbox_retry(store, "ops", "ab#000004", 96, INT64_MAX, "gone", &err));
    assert_done(tcsi_store_outbox_done(store, "boss", "ab#000001", 97, &err));
    *text = 0;
    assert_done(tcsi_store_outbox_told(store, "ab", join_told, text, &err));
    assert_string_equal(text, "boss ab#000001 sent@97 #1;ops ab#000001 sent@20 #1;ops ab#000002 replaced@30 #0;"
                              "ops ab#000003 sent@35 #2 refused;ops ab#000004 given up@96 #1 gone;");
    assert_string_equal(due(store, "ops", 100, 0), "a#000001=a#000001@10 #0 00-t;abc#000001=abc#000001@10 #0 00-t;");
    tcsi_store_close(store);
}

/* ---- audit ---- */

static void put_entry(tcsi_store *store, const char *id)
{
    const tcsi_store_audit_entry entry = { .id = id, .time_ns = 3, .actor = "ann", .action = "login", .object = "", .detail = id };
    assert_done(tcsi_store_audit_put(store, &entry, &err));
}

static bool count_entry(void *context, const tcsi_store_audit_entry *entry)
{
    (void)entry;
    (*(int *)context)++;
    return true;
}

static void test_audit_shows_what_was_changed(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    unsigned char head[TCSI_HASH_SIZE], longer[TCSI_HASH_SIZE];
    char id[8];
    int64_t count = -1;
    int entries = 0;
    assert_done(tcsi_store_audit_verify(store, &count, head, &err));
    assert_int_equal(count, 0);
    for (int i = 1; i <= 6; i++) snprintf(id, sizeof id, "e%d", i), put_entry(store, id);
    put_entry(store, "e3"); /* again */
    assert_done(tcsi_store_audit_verify(store, &count, head, &err));
    assert_int_equal(count, 6);
    put_entry(store, "e7");
    assert_done(tcsi_store_audit_verify(store, &count, longer, &err));
    assert_memory_not_equal(head, longer, sizeof head);
    assert_done(tcsi_store_audit_list(store, 2, 3, count_entry, &entries, &err));
    assert_int_equal(entries, 3);
    place_sql(p, "delete from audit where sequence = 7"); /* what is cut off at the end shows by the head noted before */
    assert_done(tcsi_store_audit_verify(store, &count, longer, &err));
    assert_memory_equal(head, longer, sizeof head);
    place_sql(p, "update audit set actor = 'bob' where sequence = 4");
    assert_int_equal(tcsi_store_audit_verify(store, &count, head, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "entry 4, or what stood before it, was changed"));
    place_sql(p, "update audit set actor = 'ann' where sequence = 4; delete from audit where sequence = 2");
    assert_int_equal(tcsi_store_audit_verify(store, &count, head, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "expected entry 2, found entry 3"));
    tcsi_store_close(store);
}

static bool see_entry(void *context, const tcsi_store_audit_entry *entry)
{
    (void)context;
    see("%lld %s %s;", (long long)entry->sequence, entry->action, entry->object);
    return true;
}

static void test_audit_gives_the_entries_of_an_action(void **state)
{
    tcsi_store *store = place_open(place_of(state));
    static const char *const done[][2] = { { "promote", "a" }, { "label", "a" }, { "promote", "b" }, { "promot", "a" },
                                           { "promote", "a" } };
    char id[8];
    for (size_t i = 0; i < TCS_COUNT(done); i++) {
        snprintf(id, sizeof id, "e%zu", i);
        const tcsi_store_audit_entry entry = { .id = id, .time_ns = 5, .actor = "ann", .action = done[i][0], .object = done[i][1],
                                               .detail = "" };
        assert_done(tcsi_store_audit_put(store, &entry, &err));
    }
    clear_seen();
    assert_done(tcsi_store_audit_of(store, &(tcsi_store_audit_query){ .action = "promote" }, see_entry, NULL, &err));
    assert_string_equal(seen, "1 promote a;3 promote b;5 promote a;");
    clear_seen();
    assert_done(tcsi_store_audit_of(store, &(tcsi_store_audit_query){ .action = "promote", .object = "b" }, see_entry, NULL, &err));
    assert_done(tcsi_store_audit_of(store, &(tcsi_store_audit_query){ .action = "nothing" }, see_entry, NULL, &err));
    assert_string_equal(seen, "3 promote b;");
    tcsi_store_close(store);
}

/* The first hash is what Python's hashlib makes of the bytes that audit.c draws. */
static bool keep_hash(void *context, const tcsi_store_audit_entry *entry)
{
    tcsi_hash_text(entry->hash, context);
    return true;
}

static void test_audit_hash_is_as_documented(void **state)
{
    tcsi_store *store = place_open(place_of(state));
    char hash[TCSI_HASH_TEXT_SIZE] = "";
    put_entry(store, "e1");
    assert_done(tcsi_store_audit_list(store, 0, 1, keep_hash, hash, &err));
    assert_string_equal(hash, "a38a73b0933cbec1ae4b24cb521741549a6a5693e1195dfd9cfe4bdc1221a446");
    tcsi_store_close(store);
}

/* ---- settings ---- */

static void test_settings(void **state)
{
    tcsi_store *store = place_open(place_of(state));
    tcsi_buffer value;
    bool found = true;
    tcsi_buffer_init(&value, 100);
    assert_done(tcsi_store_setting_get(store, "a", &value, &found, &err));
    assert_false(found);
    assert_done(tcsi_store_setting_set(store, "a", "1", &err));
    assert_done(tcsi_store_setting_set(store, "a", "2", &err));
    assert_done(tcsi_store_setting_get(store, "a", &value, &found, &err));
    assert_true(found);
    assert_string_equal(value.data, "2");
    assert_done(tcsi_store_setting_set(store, "a", NULL, &err));
    assert_done(tcsi_store_setting_get(store, "a", &value, &found, &err));
    assert_false(found);
    tcsi_buffer_deinit(&value);
    tcsi_store_close(store);
}

/* ---- scopes ---- */

static size_t episode_count(tcsi_store *store)
{
    const char *text = records(store, (tcsi_store_record_query){ .kind = TCSI_STORE_EPISODE });
    size_t count = 0;
    for (; *text; text++) count += *text == ';';
    return count;
}

static void put_all(tcsi_store *store, const char *id)
{
    put_record(store, TCSI_STORE_EPISODE, id, 1, 0, 1, INT64_MAX, "{}");
    put_record(store, TCSI_STORE_ALERT, id, 1, 0, 1, INT64_MAX, "{}");
    put_message(store, "r", id, 1);
}

static void test_a_scope_happens_whole_or_not_at_all(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p), *other = place_open(p);
    assert_done(tcsi_store_begin(store, &err));
    put_all(store, "a");
    assert_int_equal(episode_count(store), 1);
    assert_int_equal(episode_count(other), 0);
    tcsi_store_rollback(store);
    assert_int_equal(episode_count(store), 0);
    assert_done(tcsi_store_begin(store, &err));
    put_all(store, "b");
    assert_done(tcsi_store_commit(store, &err));
    assert_int_equal(episode_count(other), 1);
    assert_string_equal(due(other, "r", 1, 0), "b=b@1 #0 00-t;");
    assert_done(tcsi_store_begin(store, &err));
    put_all(store, "c");
    tcsi_store_close(store); /* as if the process had ended */
    assert_int_equal(episode_count(other), 1);
    tcsi_store_close(other);
}

static void test_a_failure_breaks_its_scope(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p), *other = place_open(p);
    tcs_error again;
    assert_done(tcsi_store_begin(store, &err));
    put_all(store, "a");
    assert_int_equal(put_label(store, "u", "e", "none"), TCS_E_INVALID);
    put_record(other, TCSI_STORE_EPISODE, "other", 1, 0, 1, 2, "{}"); /* others need not wait for the rollback */
    const tcsi_store_record late = { TCSI_STORE_EPISODE, "late", 1, 0, 1, 2, 1, "{}" };
    assert_int_equal(tcsi_store_record_put(store, &late, &again), TCS_E_INVALID);
    assert_string_equal(again.text, err.text);
    assert_int_equal(tcsi_store_commit(store, &again), TCS_E_INVALID);
    assert_string_equal(again.text, "there is no label 'none' that could be taken back");
    assert_int_equal(episode_count(store), 1);
    assert_done(tcsi_store_begin(store, &err)); /* and it is usable */
    put_all(store, "b");
    assert_done(tcsi_store_commit(store, &err));
    assert_int_equal(episode_count(other), 2);
    tcsi_store_close(store);
    tcsi_store_close(other);
}

/* ---- several at once ---- */

enum { THREADS = 4, EACH = 25 };

typedef struct job {
    const place *place;
    int number;
} job;

static void *append_many(void *context)
{
    const job *mine = context;
    tcs_error own;
    tcsi_store *store = NULL;
    intptr_t failures = tcsi_store_open(mine->place->where, NULL, &store, &own) != TCS_OK;
    for (int i = 0; i < EACH && store; i++) {
        char id[32];
        int64_t series = 0;
        snprintf(id, sizeof id, "t%d-%d", mine->number, i);
        const tcsi_store_audit_entry entry = { .id = id, .actor = "", .action = "", .object = "", .detail = "" };
        const tcsi_store_label label = { .id = id, .episode_id = "e", .verdict = "true", .author = "", .document = "" };
        const tcsi_store_series tags = { .tags = &i, .tags_size = sizeof i, .text = "" };
        tcs_status status = tcsi_store_begin(store, &own);
        if (status == TCS_OK) status = tcsi_store_audit_put(store, &entry, &own);
        if (status == TCS_OK) status = tcsi_store_label_put(store, &label, &own);
        if (status == TCS_OK) status = tcsi_store_series_put(store, &tags, &series, &own);
        if (status == TCS_OK) status = tcsi_store_commit(store, &own);
        else tcsi_store_rollback(store);
        if (status != TCS_OK) failures++, fprintf(stderr, "%s\n", own.text);
    }
    tcsi_store_close(store);
    return (void *)failures;
}

static void test_threads_append_one_after_the_other(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    pthread_t threads[THREADS];
    job jobs[THREADS];
    int64_t count;
    unsigned char head[TCSI_HASH_SIZE];
    for (int t = 0; t < THREADS; t++) {
        jobs[t] = (job){ p, t };
        assert_int_equal(pthread_create(&threads[t], NULL, append_many, &jobs[t]), 0);
    }
    for (int t = 0; t < THREADS; t++) {
        void *failures;
        assert_int_equal(pthread_join(threads[t], &failures), 0);
        assert_null(failures);
    }
    assert_done(tcsi_store_audit_verify(store, &count, head, &err));
    assert_int_equal(count, THREADS * EACH);
    clear_seen();
    assert_done(tcsi_store_series_list(store, EACH - 1, 0, see_series, NULL, &err)); /* the same tags from all threads: EACH series */
    assert_string_equal(seen, "25  4 0;");
    tcsi_store_close(store);
}

/* ---- who leads ---- */

static int64_t fake_now = 1000000;

static int64_t fake_wall(void *context)
{
    (void)context;
    return fake_now;
}

static void pass_time(const place *p, int64_t ns)
{
    if (p->is_server) test_sleep_ms((long)(ns / 1000000));
    else fake_now += ns;
}

static void test_leases_change_hands(void **state)
{
    place *p = place_of(state);
    const tcsi_clock fake = { fake_wall, fake_wall, NULL };
    const int64_t second = 1000000000;
    tcsi_store *a = place_open(p), *b = place_open(p);
    if (!p->is_server) tcsi_clock_set(&fake);
    int64_t token = -1, first;
    assert_done(tcsi_store_lease_take(a, "lead", "a", second, &first, &err));
    assert_int_equal(first, 1);
    assert_done(tcsi_store_fence(a, "lead", first, &err));
    assert_done(tcsi_store_lease_take(b, "lead", "b", second, &token, &err));
    assert_int_equal(token, 0);
    assert_done(tcsi_store_lease_take(a, "lead", "a", second / 5, &token, &err)); /* prolonged: the same token */
    assert_int_equal(token, first);
    put_all(a, "by a");
    pass_time(p, second * 2 / 5);
    assert_done(tcsi_store_lease_take(b, "lead", "b", 60 * second, &token, &err));
    assert_int_equal(token, first + 1);
    /* a wakes up: it may read, and change nothing, neither at once nor in a scope. */
    const tcsi_store_record late = { TCSI_STORE_EPISODE, "late", 1, 0, 1, 2, 1, "{}" };
    assert_int_equal(episode_count(a), 1);
    assert_int_equal(tcsi_store_record_put(a, &late, &err), TCS_E_CANCELLED);
    assert_non_null(strstr(err.text, "another process has taken the lease 'lead'"));
    assert_int_equal(tcsi_store_begin(a, &err), TCS_E_CANCELLED);
    assert_done(tcsi_store_lease_take(a, "lead", "a", second, &token, &err));
    assert_int_equal(token, 0);
    assert_done(tcsi_store_lease_release(b, "lead", "b", &err));
    assert_done(tcsi_store_lease_take(a, "lead", "a", second, &token, &err));
    assert_int_equal(token, first + 2);
    assert_int_equal(tcsi_store_record_put(a, &late, &err), TCS_E_CANCELLED); /* its old token stays old */
    assert_done(tcsi_store_fence(a, "lead", token, &err));
    assert_done(tcsi_store_record_put(a, &late, &err));
    tcsi_clock_set(NULL);
    tcsi_store_close(a);
    tcsi_store_close(b);
}

/* ---- backup, restore, check ---- */

static void put_everything(tcsi_store *store)
{
    char hash[TCSI_HASH_TEXT_SIZE];
    (void)put_series(store, "a");
    put_block(store, 1, 1, 100, 199, "bytes");
    put_all(store, "e");
    assert_done(put_label(store, "l", "e", ""));
    assert_done(put_label(store, "u", "e", "l"));
    assert_done(tcsi_store_model_put(store, "abc", 3, 5, "{}", hash, &err));
    assert_done(tcsi_store_alias_set(store, "champion", hash, &err));
    put_entry(store, "e1");
    put_entry(store, "e2");
    int64_t number;
    assert_done(tcsi_store_snapshot_begin(store, "state", 1, 5, &number, &err));
    assert_done(tcsi_store_snapshot_part(store, "state", number, 0, "one", 3, &err));
    assert_done(tcsi_store_snapshot_part(store, "state", number, 1, "two", 3, &err));
    assert_done(tcsi_store_snapshot_end(store, "state", number, 2, 3, &err));
    assert_done(tcsi_store_setting_set(store, "a", "1", &err));
}

/* ---- a journal that several may write ---- */

static tcs_status put_batch(tcsi_store *store, uint64_t first, uint64_t last, int64_t token, const char *bytes)
{
    return tcsi_store_batch_put(store, &(tcsi_store_batch){ first, last, token, bytes, strlen(bytes) }, &err);
}

static bool see_batch(void *context, const tcsi_store_batch *batch)
{
    see("%llu-%llu %lld %.*s;", (unsigned long long)batch->first, (unsigned long long)batch->last, (long long)batch->token,
        (int)batch->size, (const char *)batch->bytes);
    return context == NULL;
}

static void test_a_place_in_the_journal_is_written_once(void **state)
{
    place *p = place_of(state);
    tcsi_store *a = place_open(p), *b = place_open(p);
    uint64_t first, last;
    assert_done(tcsi_store_batch_ends(a, &first, &last, &err));
    assert_true(first == 0 && last == 0);
    assert_done(put_batch(a, 1, 3, 1, "abc"));
    assert_done(put_batch(a, 1, 3, 1, "abc")); /* again, as after an answer that was lost */
    assert_done(put_batch(b, 4, 4, 2, "d"));
    assert_int_equal(put_batch(a, 4, 9, 1, "efghij"), TCS_E_CANCELLED);
    assert_non_null(strstr(err.text, "another process has written record 4"));
    assert_int_equal(put_batch(a, 4, 4, 1, "d"), TCS_E_CANCELLED); /* the same bytes, but not by this one */
    assert_int_equal(put_batch(b, 4, 4, 2, "D"), TCS_E_CANCELLED);
    assert_done(put_batch(a, 5, 6, 3, "ef"));
    clear_seen();
    assert_done(tcsi_store_batch_list(b, 4, 0, see_batch, NULL, &err));
    assert_done(tcsi_store_batch_list(b, 1, 1, see_batch, NULL, &err));
    assert_done(tcsi_store_batch_list(b, 1, 0, see_batch, &seen, &err)); /* ended by the callback */
    assert_string_equal(seen, "4-4 2 d;5-6 3 ef;1-3 1 abc;1-3 1 abc;");
    clear_seen();
    for (uint64_t i = 2; i <= 7; i++) assert_done(tcsi_store_batch_list(b, i, 1, see_batch, NULL, &err)); /* from within one */
    assert_string_equal(seen, "1-3 1 abc;1-3 1 abc;4-4 2 d;5-6 3 ef;5-6 3 ef;");
    assert_done(tcsi_store_batch_forget(a, 4, &err)); /* all of whose records are before it */
    assert_done(tcsi_store_batch_ends(b, &first, &last, &err));
    assert_true(first == 4 && last == 6);
    place_sql(p, "update journal set seal = seal + 1 where first = 5");
    clear_seen();
    assert_int_equal(tcsi_store_batch_list(b, 1, 0, see_batch, NULL, &err), TCS_E_FORMAT);
    assert_string_equal(seen, "4-4 2 d;");
    assert_non_null(strstr(err.text, "damaged: records 5 to 6 of the journal"));
    assert_done(tcsi_store_batch_remove(a, &err));
    assert_done(put_batch(b, 1, 1, 9, "x"));
    tcsi_store_close(a);
    tcsi_store_close(b);
}

/* One of two that append as fast as they can, each behind what it knows of. */
typedef struct appender {
    tcsi_store *store;
    int64_t token;
    size_t written, refused;
} appender;

enum { APPENDS = 60 };

static void *append_all(void *argument)
{
    appender *me = argument;
    tcs_error mine;
    uint64_t first, last = 0;
    while (me->written < APPENDS) {
        const tcsi_store_batch batch = { last + 1, last + 1, me->token, &me->token, sizeof me->token };
        const tcs_status status = tcsi_store_batch_put(me->store, &batch, &mine);
        if (status == TCS_OK) me->written++;
        else me->refused += status == TCS_E_CANCELLED;
        if (status == TCS_OK) last++;
        else if (tcsi_store_batch_ends(me->store, &first, &last, &mine) != TCS_OK) break;
    }
    return NULL;
}

static void test_two_that_write_agree_on_one_order(void **state)
{
    place *p = place_of(state);
    appender both[2] = { { .token = 1 }, { .token = 2 } };
    pthread_t threads[2];
    uint64_t first, last;
    for (int i = 0; i < 2; i++) both[i].store = place_open(p);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, append_all, &both[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    assert_done(tcsi_store_batch_ends(both[0].store, &first, &last, &err));
    assert_true(both[0].written == APPENDS && both[1].written == APPENDS && first == 1 && last == 2 * APPENDS);
    assert_true(both[0].refused + both[1].refused > 0);
    for (int i = 0; i < 2; i++) tcsi_store_close(both[i].store);
}

static void test_others_see_who_leads(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    tcsi_store_lease lease;
    int64_t token;
    assert_done(tcsi_store_lease_read(store, "lead", &lease, &err));
    assert_true(!lease.holder[0] && lease.is_over && lease.token == 0 && lease.mark == 0);
    assert_done(tcsi_store_lease_take(store, "lead", "a", INT64_C(60000000000), &token, &err));
    assert_done(tcsi_store_lease_mark(store, "lead", token, 7, &err));
    assert_done(tcsi_store_lease_mark(store, "lead", token, 5, &err)); /* it only grows */
    assert_done(tcsi_store_lease_mark(store, "lead", token + 1, 9, &err)); /* nobody's */
    assert_done(tcsi_store_lease_read(store, "lead", &lease, &err));
    assert_string_equal(lease.holder, "a");
    assert_true(!lease.is_over && lease.token == token && lease.mark == 7);
    assert_done(tcsi_store_lease_release(store, "lead", "a", &err));
    assert_done(tcsi_store_lease_take(store, "lead", "b", INT64_C(60000000000), &token, &err));
    assert_done(tcsi_store_lease_read(store, "lead", &lease, &err));
    assert_true(lease.token == token && lease.mark == 7); /* kept by whoever led before */
    tcsi_store_close(store);
}

static char problems[4096];

static void see_problem(void *context, const char *line)
{
    (void)context;
    snprintf(problems + strlen(problems), sizeof problems - strlen(problems), "%s\n", line);
}

static bool see_part(void *context, const void *bytes, size_t size)
{
    (void)context;
    see("%.*s;", (int)size, (const char *)bytes);
    return true;
}

static void test_a_backup_holds_everything(void **state)
{
    place *p = place_of(state);
    tcsi_store_snapshot snapshot;
    bool found;
    tcsi_store *store = place_open(p), *copy = NULL;
    char first[160], second[160];
    snprintf(first, sizeof first, "%s", place_file(p, "first.db"));
    snprintf(second, sizeof second, "%s", place_file(p, "second.db"));
    put_everything(store);
    assert_done(tcsi_store_check(store, NULL, NULL, &err));
    assert_done(tcsi_store_backup(store, first, &err));
    assert_int_equal(tcsi_store_backup(store, first, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "a backup replaces nothing"));
    assert_int_equal(tcsi_store_restore(store, first, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "is not empty"));
    tcsi_store_close(store);
    /* Into an empty one of the same kind, and out of it again: the same bytes. */
    if (p->is_server) place_sql(p, "drop schema tocsin cascade");
    else unlink(p->where + 7);
    copy = place_open(p);
    assert_done(tcsi_store_restore(copy, first, &err));
    assert_done(tcsi_store_check(copy, NULL, NULL, &err));
    clear_seen();
    assert_done(tcsi_store_snapshot_load(copy, "state", INT64_MAX, see_part, NULL, &snapshot, &found, &err));
    assert_true(found && snapshot.position == 1);
    assert_string_equal(seen, "one;two;");
    assert_int_equal(put_label(copy, "u2", "e", "l"), TCS_E_INVALID); /* what was taken back stays so */
    assert_done(tcsi_store_backup(copy, second, &err));
    tcsi_store_close(copy);
    char command[800];
    snprintf(command, sizeof command, "for f in '%s' '%s'; do sqlite3 $f .dump | grep INSERT > $f.sql; done;"
             "cmp '%s.sql' '%s.sql' && [ $(wc -l < '%s.sql') -gt 15 ]", first, second, first, second, first);
    assert_int_equal(system(command), 0);
}

static void test_check_tells_every_damage(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    put_everything(store);
    assert_done(put_label(store, "l3", "e", ""));
    place_sql(p, "update block set seal = seal + 1; update audit set detail = 'x' where sequence = 2; update snapshot_part set seal = 0;"
              "update model set bytes = (select bytes from block); update label set verdict = 'tru3' where sequence = 1;"
              "delete from label where sequence = 2");
    problems[0] = 0;
    assert_int_equal(tcsi_store_check(store, see_problem, NULL, &err), TCS_E_FORMAT);
    assert_non_null(strstr(problems, "the seal of a block is wrong (series 1, kind 1, from 100)\n"));
    assert_non_null(strstr(problems, "model ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad holds something else\n"));
    assert_non_null(strstr(problems, "label 1 ('l') was changed\nlabel 2 is missing\n"));
    assert_null(strstr(problems, "label 3"));
    assert_non_null(strstr(problems, "snapshot 1 of 'state' is damaged\n"));
    assert_non_null(strstr(problems, "entry 2, or what stood before it, was changed\n"));
    assert_non_null(strstr(err.text, "the store is damaged: the seal of a block"));
    tcsi_store_close(store);
}

/* ---- erasing ---- */

static void see_table(void *context, const char *name, int64_t row_count)
{
    if (strstr(context, name)) see("%s %lld;", name, (long long)row_count);
}

static void put_episode(tcsi_store *store, const char *id, int64_t series_id)
{
    const tcsi_store_record record = { .kind = TCSI_STORE_EPISODE, .id = id, .series_id = series_id, .begin_ns = 1, .end_ns = 2,
                                       .document = "{}" };
    char payload[64];
    snprintf(payload, sizeof payload, "{\"episode\":\"%s\"}", id);
    const tcsi_store_message message = { .receiver = "hook", .id = id, .payload = payload, .payload_size = strlen(payload), .trace = "" };
    assert_done(tcsi_store_record_put(store, &record, &err));
    assert_done(tcsi_store_outbox_put(store, &message, &err));
}

static void test_a_series_is_erased_and_nothing_else(void **state)
{
    static char tables[] = "series block record label outbox audit";
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    tcsi_store_erased erased;
    const int64_t gone = put_series(store, "user-ann"), kept = put_series(store, "user-bob");
    put_block(store, gone, 1, 100, 199, "hers");
    put_block(store, gone, 2, 100, 199, "hers");
    put_block(store, kept, 1, 100, 199, "his");
    put_episode(store, "one", gone);
    put_episode(store, "two", kept);
    assert_done(put_label(store, "l1", "one", ""));
    assert_done(put_label(store, "l2", "two", ""));
    assert_done(put_label(store, "l3", "one", "l1"));
    put_entry(store, "e1");
    assert_done(tcsi_store_erase(store, gone, "", &erased, &err));
    assert_true(erased.block_count == 2 && erased.record_count == 1 && erased.label_count == 2 && erased.message_count == 1);
    assert_done(tcsi_store_compact(store, &err));
    assert_done(tcsi_store_check(store, NULL, NULL, &err)); /* the numbers of labels have no gap, and seals hold */
    clear_seen();
    assert_done(tcsi_store_count(store, see_table, tables, &err));
    assert_string_equal(seen, "series 1;block 1;record 1;label 3;outbox 1;audit 1;");
    clear_seen();
    assert_done(tcsi_store_label_list(store, NULL, 0, 0, see_label, NULL, &err));
    assert_string_equal(seen, "1 l1  undone;2 l2 two;3 l3  undoes l1;");
    assert_int_equal(put_series(store, "user-bob"), kept);
    assert_done(tcsi_store_erase(store, gone, "", &erased, &err)); /* again: there is nothing */
    assert_true(erased.block_count + erased.record_count + erased.label_count + erased.message_count == 0);
    tcsi_store_close(store);
}

STORE_TEST_MAIN(ON_BOTH(test_series_have_one_id_for_good), ON_BOTH(test_blocks), ON_BOTH(test_records),
                ON_BOTH(test_labels_are_appended_and_taken_back), ON_BOTH(test_models_are_named_by_what_they_hold),
                ON_BOTH(test_outbox_keeps_until_done), ON_BOTH(test_outbox_knows_who_was_told),
                ON_BOTH(test_audit_shows_what_was_changed), ON_BOTH(test_audit_gives_the_entries_of_an_action),
                ON_BOTH(test_audit_hash_is_as_documented), ON_BOTH(test_settings),
                ON_BOTH(test_a_scope_happens_whole_or_not_at_all), ON_BOTH(test_a_failure_breaks_its_scope),
                ON_BOTH(test_threads_append_one_after_the_other), ON_BOTH(test_leases_change_hands),
                ON_BOTH(test_a_place_in_the_journal_is_written_once), ON_BOTH(test_two_that_write_agree_on_one_order),
                ON_BOTH(test_others_see_who_leads), ON_BOTH(test_a_backup_holds_everything), ON_BOTH(test_check_tells_every_damage),
                ON_BOTH(test_a_series_is_erased_and_nothing_else))
