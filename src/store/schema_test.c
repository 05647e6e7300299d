/* store/schema_test.c -- opening: earlier versions are upgraded, later ones refused, what is damaged or somebody else's is called so.
 * tests/golden/store/ holds a store of version 1, written by a script that knows nothing of schema.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include "base/alloc.h"
#include "sqlite_faults.h"
#include "store/store.h"
#include "store_place.h"

static tcs_error err;

/* ---- upgrades ---- */

static void make_v1(place *p)
{
    char command[700];
    if (p->is_server) {
        tcsi_buffer text;
        tcsi_buffer_init(&text, 1 << 20);
        const char *path = test_source("tests/golden/store/v1-postgresql.sql");
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        char bytes[4096];
        for (size_t size; (size = fread(bytes, 1, sizeof bytes, file)) > 0;) assert_ok(tcsi_buffer_append(&text, bytes, size, NULL));
        fclose(file);
        assert_true(pg_sql(&p->server, text.data));
        tcsi_buffer_deinit(&text);
        return;
    }
    snprintf(command, sizeof command, "sqlite3 -bail '%s' < '%s' > /dev/null", p->where + 7,
             test_source("tests/golden/store/v1-sqlite.sql"));
    assert_int_equal(system(command), 0);
}

static bool keep_message(void *context, const tcsi_store_message *message)
{
    return snprintf(context, 100, "%s %.*s %u '%s' %s", message->id, (int)message->payload_size, (const char *)message->payload,
                    message->attempt_count, message->trace, message->error) > 0;
}

static bool keep_record(void *context, const tcsi_store_record *record)
{
    return snprintf(context, 100, "%s %s", record->id, record->document) > 0;
}

static bool keep_part(void *context, const void *bytes, size_t size)
{
    return snprintf(context, 100, "%.*s", (int)size, (const char *)bytes) > 0;
}

static void check_is_whole(tcsi_store *store)
{
    char text[100] = "";
    int64_t id = 0, token = 0;
    tcsi_store_snapshot snapshot;
    bool found = false;
    assert_done(tcsi_store_check(store, NULL, NULL, &err));
    const tcsi_store_series up = { .tags = "\x01__name__\0up", .tags_size = 13, .text = "up" };
    assert_done(tcsi_store_series_put(store, &up, &id, &err));
    assert_int_equal(id, 1);
    assert_done(tcsi_store_outbox_due(store, "hook", 300, 0, keep_message, text, &err));
    assert_string_equal(text, "m1 payload 2 '' refused");
    assert_done(tcsi_store_record_list(store, &(tcsi_store_record_query){ .kind = TCSI_STORE_EPISODE }, keep_record, text, &err));
    assert_string_equal(text, "e1 {\"why\":\"it is old\"}");
    assert_done(tcsi_store_snapshot_load(store, "state", INT64_MAX, keep_part, text, &snapshot, &found, &err));
    assert_string_equal(text, "state");
    assert_int_equal(snapshot.position, 42);
    /* what is new works */
    const tcsi_store_message message = { .receiver = "new", .id = "m", .payload = "p", .payload_size = 1, .trace = "00-1", .due_ns = 1 };
    assert_done(tcsi_store_outbox_put(store, &message, &err));
    assert_done(tcsi_store_outbox_due(store, "new", 300, 0, keep_message, text, &err));
    assert_string_equal(text, "m p 0 '00-1' ");
    assert_done(tcsi_store_lease_take(store, "lead", "me", 1000000, &token, &err));
    assert_int_equal(token, 1);
}

static void test_version_1_is_upgraded_and_whole(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = NULL;
    make_v1(p);
    assert_int_equal(tcsi_store_open(p->where, &(tcsi_store_options){ .as_is = true }, &store, &err), TCS_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "has schema 1; expected 5"));
    store = place_open(p);
    check_is_whole(store);
    tcsi_store_close(store);
    assert_done(tcsi_store_open(p->where, &(tcsi_store_options){ .as_is = true, .must_exist = true }, &store, &err));
    tcsi_store_close(store);
}

/* Each version that there was, made by the steps up to it: version 1 here is what the golden one is. */
static void test_every_step_leads_on_from_every_version(void **state)
{
    place *p = place_of(state);
    for (int64_t version = 0; version <= TCSI_SCHEMA_VERSION; version++) {
        tcsi_database *database = NULL;
        char line[64];
        place_clear(p);
        if (version > 0) {
            if (p->is_server) assert_done(tcsi_database_open_postgresql(p->where, &database, &err));
            else assert_done(tcsi_database_open_sqlite(p->where + 7, false, false, &database, &err));
            assert_done(tcsi_schema_open(database, version, true, &err));
            database->ops->close(database);
            snprintf(line, sizeof line, "insert into setting values ('version', '%d')", (int)version);
            place_sql(p, line);
        }
        tcsi_store *store = place_open(p);
        tcsi_buffer value;
        bool found = false;
        tcsi_buffer_init(&value, 100);
        assert_done(tcsi_store_check(store, NULL, NULL, &err));
        assert_done(tcsi_store_setting_get(store, "version", &value, &found, &err));
        assert_int_equal(found, version > 0);
        tcsi_buffer_deinit(&value);
        tcsi_store_close(store);
    }
}

static void test_power_goes_during_an_upgrade(void **state)
{
    place *p = place_of(state);
    long operations = 1;
    disk_install();
    for (long at = 0; at <= operations; at++) { /* 0: counts */
        int ends[2], status;
        disk_remove();
        place_clear(p);
        make_v1(p);
        disk_install();
        assert_int_equal(pipe(ends), 0);
        fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            tcsi_store *store = NULL;
            disk = (disk_plan){ .fault = at ? DISK_CRASHES : DISK_GOOD, .at = at, .rng = tcsi_rng_make((uint64_t)at, 0) };
            if (tcsi_store_open(p->where, NULL, &store, &err) != TCS_OK) _exit(1);
            if (at == 0 && write(ends[1], &disk.count, sizeof disk.count) != sizeof disk.count) _exit(2);
            _exit(0);
        }
        if (at == 0) assert_int_equal(read(ends[0], &operations, sizeof operations), sizeof operations);
        close(ends[0]);
        close(ends[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        tcsi_store *store = place_open(p);
        check_is_whole(store);
        tcsi_store_close(store);
    }
    disk_remove();
    assert_true(operations > 5);
    printf("# an upgrade was cut at each of %ld operations\n", operations);
}

static void test_a_newer_version_is_refused(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = NULL;
    tcsi_store_close(place_open(p));
    place_sql(p, "update meta set value = '6' where name = 'schema_version'");
    assert_int_equal(tcsi_store_open(p->where, NULL, &store, &err), TCS_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "was written by a newer version of tocsin (schema 6; this one knows up to 5)"));
    place_sql(p, "update meta set value = 'x' where name = 'schema_version'");
    assert_int_equal(tcsi_store_open(p->where, NULL, &store, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "the store is damaged: 'x' is no version of its schema"));
    assert_null(store);
}

static void test_a_place_without_a_store(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = NULL;
    const tcsi_store_options as_is = { .as_is = true, .must_exist = true };
    assert_int_equal(tcsi_store_open(p->where, &as_is, &store, &err), p->is_server ? TCS_E_FORMAT : TCS_E_IO);
    assert_non_null(strstr(err.text, p->is_server ? "is no store of tocsin" : "there is no such file"));
    if (p->is_server) {
        assert_int_equal(tcsi_store_open("postgresql://u:hush@/d?host=/nonexistent", NULL, &store, &err), TCS_E_IO);
        assert_non_null(strstr(err.text, "u:***@"));
        assert_null(strstr(err.text, "hush"));
        assert_int_equal(tcsi_store_open("postgresql://u:hush@/d?sslmood=off", NULL, &store, &err), TCS_E_INVALID);
        assert_null(strstr(err.text, "hush"));
        return;
    }
    assert_int_equal(tcsi_store_open("sqlite:", NULL, &store, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_store_open("/nonexistent/store.db", NULL, &store, &err), TCS_E_IO);
    assert_null(store);
}

/* ---- files ---- */

static void write_file(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void test_files_that_are_something_else(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = NULL;
    char page[8192], command[400];
    memset(page, 'x', sizeof page);
    write_file(p->where + 7, page, sizeof page);
    assert_int_equal(tcsi_store_open(p->where, NULL, &store, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "is no SQLite database, or a damaged one"));
    place_clear(p);
    snprintf(command, sizeof command, "sqlite3 '%s' 'create table precious(x)'; cp '%s' '%s.before'", p->where + 7, p->where + 7,
             p->where + 7);
    assert_int_equal(system(command), 0);
    assert_int_equal(tcsi_store_open(p->where, NULL, &store, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "is a SQLite database, but no store of tocsin"));
    snprintf(command, sizeof command, "cmp '%s' '%s.before'", p->where + 7, p->where + 7);
    assert_int_equal(system(command), 0); /* and was left as it was */
}

static void count_problem(void *context, const char *line)
{
    (void)line;
    (*(int *)context)++;
}

static void test_damaged_pages_are_named(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    static char bytes[200000];
    tcsi_rng rng = tcsi_rng_make(4, 0);
    int64_t number = 0;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)tcsi_rng_u32(&rng);
    assert_done(tcsi_store_snapshot_begin(store, "state", 1, 1, &number, &err));
    assert_done(tcsi_store_snapshot_part(store, "state", number, 0, bytes, sizeof bytes, &err));
    assert_done(tcsi_store_snapshot_end(store, "state", number, 1, 2, &err));
    tcsi_store_close(store);
    FILE *file = fopen(p->where + 7, "rb");
    assert_non_null(file);
    static char whole[1 << 20];
    const size_t size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    assert_true(size > sizeof bytes && size < sizeof whole);
    int named = 0, silent = 0;
    for (size_t at = 0; at + 4096 <= size; at += 4096) { /* 64 bytes in the middle of each page */
        int told = 0;
        place_clear(p);
        static char damaged[1 << 20];
        memcpy(damaged, whole, size);
        for (size_t i = 0; i < 64; i++) damaged[at + 2000 + i] ^= 0x5a;
        write_file(p->where + 7, damaged, size);
        store = NULL;
        tcs_status status = tcsi_store_open(p->where, NULL, &store, &err);
        if (status == TCS_OK) status = tcsi_store_check(store, count_problem, &told, &err);
        assert_true(status == TCS_OK || status == TCS_E_FORMAT);
        if (status == TCS_OK) silent++;
        else named++, assert_non_null(strstr(err.text, "damaged"));
        tcsi_store_close(store);
    }
    printf("# damage in each of %d pages: named in %d, in room that nothing uses in %d\n", named + silent, named, silent);
    assert_true(named >= (int)(sizeof bytes / 4096)); /* the snapshot's own pages, all of them */
    place_clear(p);
    write_file(p->where + 7, whole, size - 2000); /* cut */
    assert_int_equal(tcsi_store_open(p->where, NULL, &store, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "the store is damaged: it has"));
    place_clear(p);
    write_file(p->where + 7, whole, size - 8192);
    assert_int_equal(tcsi_store_open(p->where, NULL, &store, &err), TCS_E_FORMAT);
    assert_non_null(strstr(err.text, "damaged"));
}

static void test_alone_means_alone(void **state)
{
    place *p = place_of(state);
    const tcsi_store_options alone = { .alone = true };
    tcsi_store *store = NULL, *other = NULL;
    char expected[64];
    int ends[2], status;
    char byte = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (tcsi_store_open(p->where, &alone, &store, &err) != TCS_OK || write(ends[1], &byte, 1) != 1) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    snprintf(expected, sizeof expected, "already in use by process %ld", (long)child);
    assert_int_equal(tcsi_store_open(p->where, &alone, &store, &err), TCS_E_IO);
    assert_non_null(strstr(err.text, expected));
    assert_done(tcsi_store_open(p->where, NULL, &other, &err)); /* a backup, say, is let in */
    tcsi_store_close(other);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_done(tcsi_store_open(p->where, &alone, &store, &err)); /* however it ended */
    assert_int_equal(tcsi_store_open(p->where, &alone, &other, &err), TCS_E_IO);
    tcsi_store_close(store);
    assert_done(tcsi_store_open(p->where, &alone, &store, &err));
    tcsi_store_close(store);
    close(ends[0]);
    close(ends[1]);
}

static void test_memory_runs_out(void **state)
{
    place *p = place_of(state);
    size_t count = 0;
    for (size_t fail_at = 1;; fail_at++) {
        tcsi_store *store = NULL;
        tcsi_alloc_trace_begin();
        tcsi_alloc_trace_fail_at(fail_at);
        tcs_status status = tcsi_store_open(p->where, NULL, &store, &err);
        if (status == TCS_OK) status = tcsi_store_fence(store, "lead", 1, &err);
        tcsi_store_close(store);
        assert_int_equal(tcsi_alloc_trace_stats().live_count, 0);
        tcsi_alloc_trace_end();
        if (status == TCS_OK) break;
        assert_int_equal(status, TCS_E_MEMORY);
        count++;
    }
    assert_true(count >= 3);
}

STORE_TEST_MAIN(ON_BOTH(test_version_1_is_upgraded_and_whole), ON_BOTH(test_every_step_leads_on_from_every_version),
                ON_SQLITE(test_power_goes_during_an_upgrade), ON_BOTH(test_a_newer_version_is_refused),
                ON_BOTH(test_a_place_without_a_store), ON_SQLITE(test_files_that_are_something_else),
                ON_SQLITE(test_damaged_pages_are_named), ON_SQLITE(test_alone_means_alone), ON_BOTH(test_memory_runs_out))
