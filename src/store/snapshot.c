/* store/snapshot.c -- states of the service, each in parts so that neither writing nor reading one needs it whole in memory.
 *
 * A snapshot counts from the moment in which `end` says how many parts it has: a crash before leaves parts that nobody reads and the next
 * `end` removes.  A part is kept as a Snappy block where that is smaller: then its bytes are fewer than its size.  It has a seal over its
 * place and the bytes that are kept.  Loading looks at every part of a candidate before it hands out the
 * first, in one moment of the store, so that its reader never has to take back half a state; a candidate that is damaged is passed over for
 * the one before it.  The price is reading twice, the second time from memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/snappy.h"

#include <string.h>

enum { PART_SIZE_MAX = 1 << 30 };

static uint64_t seal_part(int64_t number, int64_t part, const void *bytes, size_t size)
{
    const int64_t place[] = { number, part };
    return tcsi_store_seal(place, TCS_COUNT(place), bytes, size);
}

/* ---- writing ---- */

tcs_status tcsi_store_snapshot_begin(tcsi_store *store, const char *name, uint64_t position, int64_t time_ns, int64_t *ret_number,
                                     tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(name), tcsi_value_integer((int64_t)position), tcsi_value_integer(time_ns) };
    tcsi_scope scope;
    int64_t number = 0;
    bool found = false;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    if (status != TCS_OK) return status;
    status = tcsi_store_ask(store, TCSI_SQL_SNAPSHOT_BEGIN, values, TCS_COUNT(values), &number, &found, err);
    status = tcsi_store_leave(store, scope, status, err);
    if (status == TCS_OK) *ret_number = number;
    return status;
}

/* As what a part is kept.  Where it cannot be made smaller, or this build has no Snappy, as it is. */
static void pack(tcsi_store *store, const void **bytes, size_t *size)
{
    tcs_error ignored;
    size_t packed_size;
    tcsi_buffer_clear(&store->packed);
    store->packed.size_max = PART_SIZE_MAX;
    if (*size == 0 || tcsi_buffer_reserve(&store->packed, tcsi_snappy_size_max(*size), &ignored) != TCS_OK) return;
    if (tcsi_snappy_encode(*bytes, *size, store->packed.data, &packed_size, &ignored) != TCS_OK || packed_size >= *size) return;
    *bytes = store->packed.data;
    *size = packed_size;
}

tcs_status tcsi_store_snapshot_part(tcsi_store *store, const char *name, int64_t number, uint64_t part, const void *bytes, size_t size,
                                    tcs_error *err)
{
    const int64_t whole_size = (int64_t)size;
    pack(store, &bytes, &size);
    const tcsi_value values[] = { tcsi_value_text(name), tcsi_value_integer(number), tcsi_value_integer((int64_t)part),
                                  tcsi_value_integer((int64_t)seal_part(number, (int64_t)part, bytes, size)),
                                  tcsi_value_integer(whole_size), tcsi_value_bytes(bytes, size) };
    return tcsi_store_change(store, TCSI_SQL_SNAPSHOT_PART, values, TCS_COUNT(values), err);
}

typedef struct parts_found {
    int64_t count, end, size;
} parts_found;

static bool keep_parts(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    *(parts_found *)context = (parts_found){ tcsi_rows_integer(rows, 0), tcsi_rows_integer(rows, 1), tcsi_rows_integer(rows, 2) };
    return true;
}

/* Removes snapshots numbered [from, to), whole or not. */
static tcs_status forget(tcsi_store *store, const char *name, int64_t from, int64_t to, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(name), tcsi_value_integer(from), tcsi_value_integer(to) };
    tcs_status status = tcsi_store_run(store, TCSI_SQL_SNAPSHOT_FORGET_PARTS, values, TCS_COUNT(values), NULL, NULL, err);
    return status == TCS_OK ? tcsi_store_run(store, TCSI_SQL_SNAPSHOT_FORGET, values, TCS_COUNT(values), NULL, NULL, err) : status;
}

static tcs_status end(tcsi_store *store, const char *name, int64_t number, uint64_t part_count, size_t keep_count, tcs_error *err)
{
    tcsi_value values[] = { tcsi_value_text(name), tcsi_value_integer(number), tcsi_value_integer((int64_t)part_count),
                            tcsi_value_integer(0) /* its size, once known */ };
    const tcsi_value kept[] = { tcsi_value_text(name), tcsi_value_integer(keep_count > 0 ? (int64_t)keep_count - 1 : 0) };
    parts_found parts = { 0 };
    int64_t oldest = 0;
    bool found = false;
    tcs_status status = tcsi_store_ask(store, TCSI_SQL_SNAPSHOT_FIND, values, 2, &oldest, &found, err);
    if (status == TCS_OK && !found)
        status = tcsi_fail(err, TCS_E_INVALID, "snapshot %lld of '%s' was never begun", (long long)number, name);
    if (status == TCS_OK) status = tcsi_store_run(store, TCSI_SQL_SNAPSHOT_COUNT, values, 2, keep_parts, &parts, err);
    if (status == TCS_OK && ((uint64_t)parts.count != part_count || parts.end != parts.count))
        status = tcsi_fail(err, TCS_E_INVALID, "snapshot %lld of '%s' has %lld parts up to number %lld; expected %llu", (long long)number,
                           name, (long long)parts.count, (long long)parts.end - 1, (unsigned long long)part_count);
    values[3] = tcsi_value_integer(parts.size);
    if (status == TCS_OK) status = tcsi_store_run(store, TCSI_SQL_SNAPSHOT_END, values, TCS_COUNT(values), NULL, NULL, err);
    if (status == TCS_OK) status = tcsi_store_ask(store, TCSI_SQL_SNAPSHOT_KEPT, kept, TCS_COUNT(kept), &oldest, &found, err);
    return status == TCS_OK && found ? forget(store, name, 0, oldest < number ? oldest : number, err) : status;
}

tcs_status tcsi_store_snapshot_end(tcsi_store *store, const char *name, int64_t number, uint64_t part_count, size_t keep_count,
                                   tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    return status == TCS_OK ? tcsi_store_leave(store, scope, end(store, name, number, part_count, keep_count, err), err) : status;
}

/* ---- reading ---- */

static bool keep_snapshot(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    *(tcsi_store_snapshot *)context = (tcsi_store_snapshot){
        tcsi_rows_integer(rows, 0), (uint64_t)tcsi_rows_integer(rows, 1), tcsi_rows_integer(rows, 2), (uint64_t)tcsi_rows_integer(rows, 3),
        (uint64_t)tcsi_rows_integer(rows, 4), tcsi_rows_integer(rows, 5) != 0, false,
    };
    return true;
}

/* The newest before number; its number is 0 when there is none.  Whether it is sound is not known yet. */
static tcs_status find_before(tcsi_store *store, const char *name, int64_t number, tcsi_store_snapshot *ret_snapshot, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(name), tcsi_value_integer(number) };
    *ret_snapshot = (tcsi_store_snapshot){ 0 };
    return tcsi_store_run(store, TCSI_SQL_SNAPSHOT_NEXT, values, TCS_COUNT(values), keep_snapshot, ret_snapshot, err);
}

typedef struct snapshot_reading {
    int64_t number;
    uint64_t part_count, size; /* so far */
    bool holds;
    tcsi_store_snapshot_each each; /* NULL: only looks */
    void *context;
} snapshot_reading;

/* The part to who reads it. */
static bool give_part(const snapshot_reading *reading, const void *bytes, size_t size, size_t whole_size, tcs_status *ret_status,
                      tcs_error *err)
{
    size_t stated = 0;
    bool goes_on = false;
    if (size == whole_size) return reading->each(reading->context, bytes, size);
    *ret_status = tcsi_snappy_size(bytes, size, PART_SIZE_MAX, &stated, err);
    if (*ret_status == TCS_OK && stated != whole_size) *ret_status = tcsi_fail(err, TCS_E_FORMAT, "a snapshot whose part is not whole");
    if (*ret_status != TCS_OK) return false;
    void *whole = tcsi_alloc(whole_size);
    if (whole) *ret_status = tcsi_snappy_decode(bytes, size, whole, whole_size, err);
    else *ret_status = tcsi_fail_memory(err, "a part of a snapshot");
    if (*ret_status == TCS_OK) goes_on = reading->each(reading->context, whole, whole_size);
    tcsi_free(whole);
    return goes_on;
}

static bool read_part(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    snapshot_reading *reading = context;
    size_t size;
    const void *bytes = tcsi_rows_bytes(rows, 3, &size);
    const int64_t part = tcsi_rows_integer(rows, 0), whole_size = tcsi_rows_integer(rows, 2);
    if (rows->status != TCS_OK) return false;
    const uint64_t seal = (uint64_t)tcsi_rows_integer(rows, 1);
    reading->holds = (uint64_t)part == reading->part_count && seal == seal_part(reading->number, part, bytes, size);
    reading->part_count++;
    reading->size += (uint64_t)whole_size;
    if (!reading->holds && reading->each) *ret_status = tcsi_fail(err, TCS_E_FORMAT, "a snapshot changed while it was read");
    return reading->holds && (!reading->each || give_part(reading, bytes, size, (size_t)whole_size, ret_status, err));
}

static tcs_status read_parts(tcsi_store *store, const char *name, snapshot_reading *reading, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(name), tcsi_value_integer(reading->number) };
    return tcsi_store_run(store, TCSI_SQL_SNAPSHOT_PARTS, values, TCS_COUNT(values), read_part, reading, err);
}

/* Pages that make no sense are damage of this snapshot like a seal that is wrong. */
static tcs_status judge(tcsi_store *store, const char *name, tcsi_store_snapshot *snapshot, tcs_error *err)
{
    if (!snapshot->is_complete) return TCS_OK;
    snapshot_reading reading = { .number = snapshot->number, .holds = true };
    tcs_status status = read_parts(store, name, &reading, err);
    snapshot->is_sound = status == TCS_OK && reading.holds && reading.part_count == snapshot->part_count && reading.size == snapshot->size;
    if (!snapshot->is_sound && (status == TCS_OK || status == TCS_E_FORMAT))
        tcsi_log(TCSI_LOG_ERROR, "STORE-SNAPSHOT-DAMAGED", "%s: snapshot %lld of '%s' is damaged", tcsi_store_name(store),
                 (long long)snapshot->number, name);
    return status == TCS_E_FORMAT ? TCS_OK : status;
}

static tcs_status load(tcsi_store *store, const char *name, int64_t before, snapshot_reading *reading, tcsi_store_snapshot *snapshot,
                       tcs_error *err)
{
    tcs_status status = find_before(store, name, before, snapshot, err);
    while (status == TCS_OK && snapshot->number != 0) {
        status = judge(store, name, snapshot, err);
        if (status != TCS_OK || snapshot->is_sound) break;
        status = find_before(store, name, snapshot->number, snapshot, err);
    }
    reading->number = snapshot->number;
    return status == TCS_OK && snapshot->number != 0 ? read_parts(store, name, reading, err) : status;
}

tcs_status tcsi_store_snapshot_load(tcsi_store *store, const char *name, int64_t before, tcsi_store_snapshot_each each, void *context,
                                    tcsi_store_snapshot *ret_snapshot, bool *ret_found, tcs_error *err)
{
    tcsi_scope scope;
    tcsi_store_snapshot snapshot;
    snapshot_reading reading = { .each = each, .context = context, .holds = true };
    tcs_status status = tcsi_store_enter(store, TCSI_TO_READ_MUCH, &scope, err);
    if (status != TCS_OK) return status;
    status = tcsi_store_leave(store, scope, load(store, name, before, &reading, &snapshot, err), err);
    if (status != TCS_OK) return status;
    *ret_snapshot = snapshot;
    *ret_found = snapshot.number != 0;
    return TCS_OK;
}

static tcs_status list(tcsi_store *store, const char *name, tcsi_store_snapshot_list_each each, void *context, tcs_error *err)
{
    tcsi_store_snapshot snapshot;
    tcs_status status = find_before(store, name, INT64_MAX, &snapshot, err);
    while (status == TCS_OK && snapshot.number != 0) {
        status = judge(store, name, &snapshot, err);
        if (status != TCS_OK || !each(context, &snapshot)) break;
        status = find_before(store, name, snapshot.number, &snapshot, err);
    }
    return status;
}

tcs_status tcsi_store_snapshot_list(tcsi_store *store, const char *name, tcsi_store_snapshot_list_each each, void *context, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_READ_MUCH, &scope, err);
    return status == TCS_OK ? tcsi_store_leave(store, scope, list(store, name, each, context, err), err) : status;
}

static tcs_status roll_back(tcsi_store *store, const char *name, int64_t number, tcs_error *err)
{
    tcsi_store_snapshot snapshot;
    tcs_status status = find_before(store, name, number + 1, &snapshot, err);
    if (status == TCS_OK && snapshot.number == number) status = judge(store, name, &snapshot, err);
    if (status == TCS_OK && (snapshot.number != number || !snapshot.is_sound))
        return tcsi_fail(err, TCS_E_INVALID, "snapshot %lld of '%s' %s", (long long)number, name,
                         snapshot.number == number ? "is not sound" : "is not there");
    return status == TCS_OK ? forget(store, name, number + 1, INT64_MAX, err) : status;
}

tcs_status tcsi_store_snapshot_rollback(tcsi_store *store, const char *name, int64_t number, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    return status == TCS_OK ? tcsi_store_leave(store, scope, roll_back(store, name, number, err), err) : status;
}

tcs_status tcsi_store_snapshot_remove(tcsi_store *store, const char *name, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    return status == TCS_OK ? tcsi_store_leave(store, scope, forget(store, name, 0, INT64_MAX, err), err) : status;
}
