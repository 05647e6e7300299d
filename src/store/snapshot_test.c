/* store/snapshot_test.c -- the contract of snapshots in store.h, each case on SQLite and on a PostgreSQL server of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/snappy.h"
#include "store/store.h"
#include "store_place.h"
#include "store_seen.h"

static tcs_error err;


static bool see_part(void *context, const void *bytes, size_t size)
{
    (void)context;
    see("%.*s;", (int)size, (const char *)bytes);
    return true;
}

static bool see_snapshot(void *context, const tcsi_store_snapshot *snapshot)
{
    (void)context;
    see("%lld %llu %llu%s%s;", (long long)snapshot->number, (unsigned long long)snapshot->position, (unsigned long long)snapshot->size,
        snapshot->is_complete ? "" : " incomplete", snapshot->is_sound ? "" : " unsound");
    return true;
}

static int64_t put_snapshot(tcsi_store *store, uint64_t position, const char *one, const char *two, bool ends)
{
    int64_t number = 0;
    assert_done(tcsi_store_snapshot_begin(store, "state", position, 5, &number, &err));
    assert_done(tcsi_store_snapshot_part(store, "state", number, 0, "draft", 5, &err));
    assert_done(tcsi_store_snapshot_part(store, "state", number, 0, one, strlen(one), &err)); /* again, after E_IO say */
    assert_done(tcsi_store_snapshot_part(store, "state", number, 1, two, strlen(two), &err));
    if (ends) assert_done(tcsi_store_snapshot_end(store, "state", number, 2, 3, &err));
    return number;
}

static uint64_t load(tcsi_store *store)
{
    tcsi_store_snapshot snapshot = { 0 };
    bool found = false;
    clear_seen();
    assert_done(tcsi_store_snapshot_load(store, "state", INT64_MAX, see_part, NULL, &snapshot, &found, &err));
    return found ? snapshot.position : 0;
}

static void test_snapshots(void **state)
{
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    assert_int_equal(load(store), 0);
    for (uint64_t i = 1; i <= 5; i++) (void)put_snapshot(store, i, i % 2 ? "odd" : "even", "", true);
    assert_int_equal(put_snapshot(store, 6, "half", "", false), 6);
    assert_int_equal(tcsi_store_snapshot_end(store, "state", 6, 3, 3, &err), TCS_E_INVALID);
    assert_int_equal(tcsi_store_snapshot_end(store, "state", 99, 0, 3, &err), TCS_E_INVALID);
    clear_seen();
    assert_done(tcsi_store_snapshot_list(store, "state", see_snapshot, NULL, &err));
    assert_string_equal(seen, "6 6 0 incomplete unsound;5 5 3;4 4 4;3 3 3;");
    assert_int_equal(load(store), 5);
    assert_string_equal(seen, "odd;;");
    place_sql(p, "delete from snapshot_part where number = 5 and part = 1"); /* an empty one: only their number tells */
    assert_int_equal(load(store), 4); /* the newest sound one */
    assert_string_equal(seen, "even;;");
    place_sql(p, "update snapshot_part set bytes = (select bytes from snapshot_part where number = 3 and part = 0) "
              "where number = 4 and part = 0");
    assert_int_equal(load(store), 3);
    assert_int_equal(tcsi_store_snapshot_rollback(store, "state", 4, &err), TCS_E_INVALID);
    assert_non_null(strstr(err.text, "is not sound"));
    assert_int_equal(tcsi_store_snapshot_rollback(store, "state", 1, &err), TCS_E_INVALID);
    assert_done(tcsi_store_snapshot_rollback(store, "state", 3, &err));
    clear_seen();
    assert_done(tcsi_store_snapshot_list(store, "state", see_snapshot, NULL, &err));
    assert_string_equal(seen, "3 3 3;");
    assert_int_equal(put_snapshot(store, 8, "new", "", true), 4);
    tcsi_store_close(store);
}

static bool count_zeros(void *context, const void *bytes, size_t size)
{
    size_t *left = context;
    const char *text = bytes;
    if (size != 100000) return true;
    while (size > 0 && text[size - 1] == (size % 1000 ? 0 : (char)(size / 1000))) size--;
    *left = size;
    return true;
}

/* A part that can be made smaller is, and comes back whole; a size that is not its own is damage. */
static void test_snapshots_are_packed(void **state)
{
    static char part[100000], block[200000];
    place *p = place_of(state);
    tcsi_store *store = place_open(p);
    tcsi_store_snapshot snapshot;
    size_t packed, left = 1;
    bool found;
    for (size_t i = 1; i <= sizeof part; i++) part[i - 1] = i % 1000 ? 0 : (char)(i / 1000);
    if (tcsi_snappy_encode(part, sizeof part, block, &packed, &err) == TCS_E_UNSUPPORTED) skip();
    for (uint64_t position = 1; position <= 2; position++) {
        const int64_t number = put_snapshot(store, position, "one", "two", false);
        assert_done(tcsi_store_snapshot_part(store, "state", number, 2, part, sizeof part, &err));
        assert_done(tcsi_store_snapshot_end(store, "state", number, 3, 3, &err));
    }
    place_sql(p, "delete from snapshot_part where length(bytes) > 20000"); /* none is */
    clear_seen();
    assert_done(tcsi_store_snapshot_list(store, "state", see_snapshot, NULL, &err));
    assert_string_equal(seen, "2 2 100006;1 1 100006;"); /* as large as it is unpacked */
    assert_done(tcsi_store_snapshot_load(store, "state", INT64_MAX, count_zeros, &left, &snapshot, &found, &err));
    assert_true(found && snapshot.position == 2 && left == 0);
    place_sql(p, "update snapshot_part set size = size - 1 where number = 2 and part = 2");
    assert_done(tcsi_store_snapshot_load(store, "state", INT64_MAX, count_zeros, &left, &snapshot, &found, &err));
    assert_true(found && snapshot.position == 1);
    tcsi_store_close(store);
}

STORE_TEST_MAIN(ON_BOTH(test_snapshots), ON_BOTH(test_snapshots_are_packed))
