/* store/backup.c -- counting, checking and copying everything.
 *
 * A backup is a store: a SQLite file, whatever the source is, filled table by table from one moment of the source (a read transaction,
 * which holds up no writer).  So the same path also moves a store from a file to a server and back, reads every row on the way, and what a
 * restore reads is what every service reads.  It is written beside its name and renamed when it is complete and synced.
 * Copying row by row is slower than copying pages; it also leaves free pages and damaged indexes behind.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PORTION_SIZE = 32 << 20 }; /* bytes between two commits of a backup */

/* ---- copying ---- */

typedef struct copying {
    tcsi_store *target;
    const tcsi_table *table;
    bool in_portions; /* commit now and then: what comes of it appears only when complete anyway */
    size_t size;      /* since the last commit */
} copying;

static tcs_status commit_portion(copying *copy, tcs_error *err)
{
    if (!copy->in_portions || copy->size < PORTION_SIZE) return TCS_OK;
    copy->size = 0;
    tcs_status status = tcsi_store_commit(copy->target, err);
    return status == TCS_OK ? tcsi_store_begin(copy->target, err) : status;
}

static bool copy_row(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    copying *copy = context;
    tcsi_value values[TCSI_COLUMN_COUNT_MAX];
    size_t count = strlen(copy->table->kinds);
    TCS_ASSERT(count <= TCSI_COLUMN_COUNT_MAX);
    for (size_t c = 0; c < count; c++) {
        const char kind = copy->table->kinds[c];
        values[c] = rows->database->ops->value(rows->database, c, kind == 'i'   ? TCSI_VALUE_INTEGER
                                                                  : kind == 't' ? TCSI_VALUE_TEXT : TCSI_VALUE_BYTES);
        if (!values[c].bytes) rows->status = TCS_E_MEMORY;
        copy->size += values[c].size + 16;
    }
    if (rows->status != TCS_OK) return false;
    *ret_status = tcsi_store_change(copy->target, copy->table->copy_in, values, count, err);
    if (*ret_status == TCS_OK) *ret_status = commit_portion(copy, err);
    return *ret_status == TCS_OK;
}

static tcs_status copy_tables(tcsi_store *source, tcsi_store *target, bool in_portions, tcs_error *err)
{
    tcsi_scope scope;
    copying copy = { .target = target, .in_portions = in_portions };
    tcs_status status = tcsi_store_enter(source, TCSI_TO_READ_MUCH, &scope, err);
    if (status != TCS_OK) return status;
    for (size_t t = 0; t < TCSI_TABLE_COUNT && status == TCS_OK; t++) {
        copy.table = &tcsi_tables[t];
        status = tcsi_store_run(source, copy.table->copy_out, NULL, 0, copy_row, &copy, err);
    }
    return tcsi_store_leave(source, scope, status, err);
}

/* ---- backup ---- */

/* A file and the name of it are on the disk. */
static tcs_status settle(const char *partial, const char *path, tcs_error *err)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder ? 1 : 0] = 0;
    if (link(partial, path) != 0) /* unlike rename, this never replaces a file */
        return tcsi_fail(err, TCS_E_IO, "%s: cannot be written: %s", path, strerror(errno));
    const int file = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = file >= 0 && fsync(file) == 0;
    const int cause = errno;
    if (file >= 0) (void)close(file);
    return synced ? TCS_OK : tcsi_fail(err, TCS_E_IO, "%s: cannot be synced: %s", path, strerror(cause));
}

static void remove_partial(const char *partial)
{
    static const char *const tails[] = { "", "-wal", "-shm" };
    char name[4200];
    for (size_t i = 0; i < TCS_COUNT(tails); i++) {
        snprintf(name, sizeof name, "%s%s", partial, tails[i]);
        (void)unlink(name);
    }
}

static tcs_status write_backup(tcsi_store *store, const char *partial, tcs_error *err)
{
    tcsi_store *target = NULL;
    tcs_status status = tcsi_store_open(partial, NULL, &target, err);
    if (status != TCS_OK) return status;
    status = tcsi_store_begin(target, err);
    if (status == TCS_OK) status = copy_tables(store, target, true, err);
    if (status == TCS_OK) status = tcsi_store_commit(target, err);
    if (status == TCS_OK) status = target->database->ops->complete(target->database, err);
    tcsi_store_close(target);
    return status;
}

tcs_status tcsi_store_backup(tcsi_store *store, const char *path, tcs_error *err)
{
    char partial[4096];
    TCS_ASSERT(!store->begun);
    if ((size_t)snprintf(partial, sizeof partial, "%s%s.%ld.partial", *path == '/' ? "" : "./", path, (long)getpid()) >= sizeof partial)
        return tcsi_fail(err, TCS_E_INVALID, "%s: the path is too long", path);
    if (access(path, F_OK) == 0) return tcsi_fail(err, TCS_E_INVALID, "%s: is there already; a backup replaces nothing", path);
    remove_partial(partial);
    tcs_status status = write_backup(store, partial, err);
    if (status == TCS_OK) status = settle(partial, path, err);
    remove_partial(partial);
    return status;
}

/* ---- restore ---- */

tcs_status tcsi_store_count(tcsi_store *store, tcsi_store_table each, void *context, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_READ_MUCH, &scope, err);
    if (status != TCS_OK) return status;
    for (size_t t = 0; t < TCSI_TABLE_COUNT && status == TCS_OK; t++) {
        int64_t count = 0;
        bool found;
        status = tcsi_store_ask(store, tcsi_tables[t].count, NULL, 0, &count, &found, err);
        if (status == TCS_OK) each(context, tcsi_tables[t].name, count);
    }
    return tcsi_store_leave(store, scope, status, err);
}

static void find_full(void *context, const char *name, int64_t row_count)
{
    const char **full = context;
    if (row_count > 0 && !*full) *full = name;
}

static tcs_status check_empty(tcsi_store *store, tcs_error *err)
{
    const char *full = NULL;
    const tcs_status status = tcsi_store_count(store, find_full, &full, err);
    if (status != TCS_OK || !full) return status;
    return tcsi_fail(err, TCS_E_INVALID, "%s: is not empty (there is something in '%s'); a restore replaces nothing",
                     tcsi_store_name(store), full);
}

tcs_status tcsi_store_restore(tcsi_store *store, const char *path, tcs_error *err)
{
    tcsi_store *source = NULL;
    TCS_ASSERT(!store->begun);
    tcs_status status = check_empty(store, err);
    if (status == TCS_OK) status = tcsi_store_open(path, &(tcsi_store_options){ .must_exist = true }, &source, err);
    if (status == TCS_OK) status = tcsi_store_begin(store, err);
    if (status == TCS_OK) status = copy_tables(source, store, false, err);
    if (status == TCS_OK) status = tcsi_store_commit(store, err);
    else tcsi_store_rollback(store);
    tcsi_store_close(source);
    return status;
}

/* ---- check ---- */

typedef struct checking {
    tcsi_store *store;
    tcsi_store_problem each;
    void *context;
    tcs_error first; /* status TCS_OK: none so far */
    const char *name; /* of the snapshot looked at */
    int64_t label_count; /* labels are numbered without gaps */
} checking;

static void tell(void *context, const char *line)
{
    checking *check = context;
    if (check->first.status == TCS_OK)
        (void)tcsi_fail(&check->first, TCS_E_FORMAT, "%s: the store is damaged: %s", tcsi_store_name(check->store), line);
    if (check->each) check->each(check->context, line);
}

/* Damage that made a reading end is a problem like others; anything else ends the check. */
static tcs_status take_damage(checking *check, tcs_status status, const tcs_error *err)
{
    if (status != TCS_E_FORMAT) return status;
    tell(check, err->text);
    return TCS_OK;
}

static bool check_block(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    char line[160];
    int64_t place[5];
    size_t size;
    const void *bytes = tcsi_rows_bytes(rows, 6, &size);
    for (size_t i = 0; i < TCS_COUNT(place); i++) place[i] = tcsi_rows_integer(rows, i);
    const uint64_t seal = tcsi_store_seal(place, TCS_COUNT(place), bytes, size);
    if (rows->status != TCS_OK || (uint64_t)tcsi_rows_integer(rows, 5) == seal) return true;
    snprintf(line, sizeof line, "the seal of a block is wrong (series %lld, kind %lld, from %lld)", (long long)place[0],
             (long long)place[1], (long long)place[2]);
    tell(context, line);
    return true;
}

/* Of all columns, in the order of the table; what an earlier version wrote has no seal, and reads as 0. */
static bool check_label(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    checking *check = context;
    char line[160];
    const tcsi_store_label label = { .sequence = tcsi_rows_integer(rows, 0), .id = tcsi_rows_text(rows, 1),
                                     .episode_id = tcsi_rows_text(rows, 2), .verdict = tcsi_rows_text(rows, 3),
                                     .author = tcsi_rows_text(rows, 4), .time_ns = tcsi_rows_integer(rows, 5),
                                     .undoes = tcsi_rows_text(rows, 6), .document = tcsi_rows_text(rows, 7) };
    const int64_t seal = tcsi_rows_integer(rows, 8);
    if (rows->status != TCS_OK) return true;
    for (check->label_count++; check->label_count < label.sequence; check->label_count++) {
        snprintf(line, sizeof line, "label %lld is missing", (long long)check->label_count);
        tell(check, line);
    }
    if (seal == 0 || (uint64_t)seal == tcsi_store_label_seal(&label)) return true;
    snprintf(line, sizeof line, "label %lld ('%.64s') was changed", (long long)label.sequence, label.id);
    tell(check, line);
    return true;
}

static bool check_model(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    unsigned char digest[TCSI_HASH_SIZE];
    char hash[TCSI_HASH_TEXT_SIZE], line[160];
    size_t size;
    const void *bytes = tcsi_rows_bytes(rows, 1, &size);
    tcsi_hash_bytes(bytes, size, digest);
    tcsi_hash_text(digest, hash);
    if (rows->status != TCS_OK || strcmp(hash, tcsi_rows_text(rows, 0)) == 0) return true;
    snprintf(line, sizeof line, "model %.64s holds something else", tcsi_rows_text(rows, 0));
    tell(context, line);
    return true;
}

static bool check_snapshot(void *context, const tcsi_store_snapshot *snapshot)
{
    checking *check = context;
    char line[160];
    if (snapshot->is_sound || !snapshot->is_complete) return true;
    snprintf(line, sizeof line, "snapshot %lld of '%.64s' is damaged", (long long)snapshot->number, check->name);
    tell(check, line);
    return true;
}

static bool keep_names(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    const char *name = tcsi_rows_text(rows, 0);
    *ret_status = tcsi_buffer_append(context, name, strlen(name) + 1, err);
    return *ret_status == TCS_OK;
}

static tcs_status check_snapshots(checking *check, tcs_error *err)
{
    tcsi_buffer names; /* each with its 0 */
    tcsi_buffer_init(&names, 1 << 20);
    tcs_status status = tcsi_store_read(check->store, TCSI_SQL_SNAPSHOT_NAMES, NULL, 0, keep_names, &names, err);
    for (size_t at = 0; at < names.size && status == TCS_OK; at += strlen(names.data + at) + 1) {
        check->name = names.data + at;
        status = take_damage(check, tcsi_store_snapshot_list(check->store, check->name, check_snapshot, check, err), err);
    }
    tcsi_buffer_deinit(&names);
    return take_damage(check, status, err);
}

/* What is looked into: some of it has seals, and all of it must at least be readable. */
static tcs_status check_tables(checking *check, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t t = 0; t < TCSI_TABLE_COUNT && status == TCS_OK; t++) {
        size_t count = 0;
        status = tcsi_store_read(check->store, tcsi_tables[t].copy_out, NULL, 0, tcsi_store_count_row, &count, err);
        status = take_damage(check, status, err);
    }
    if (status == TCS_OK)
        status = take_damage(check, tcsi_store_read(check->store, TCSI_SQL_BLOCK_SCAN, NULL, 0, check_block, check, err), err);
    if (status == TCS_OK)
        status = take_damage(check, tcsi_store_read(check->store, TCSI_SQL_COPY_OUT_LABEL, NULL, 0, check_label, check, err), err);
    if (status == TCS_OK)
        status = take_damage(check, tcsi_store_read(check->store, TCSI_SQL_MODEL_SCAN, NULL, 0, check_model, check, err), err);
    return status == TCS_OK ? check_snapshots(check, err) : status;
}

tcs_status tcsi_store_check(tcsi_store *store, tcsi_store_problem each, void *context, tcs_error *err)
{
    TCS_ASSERT(!store->begun);
    tcs_error own;
    int64_t count;
    unsigned char head[TCSI_HASH_SIZE];
    checking check = { .store = store, .each = each, .context = context };
    if (!err) err = &own;
    tcs_status status = store->database->ops->ready(store->database, err);
    if (status == TCS_OK) status = store->database->ops->check(store->database, tell, &check, err);
    if (status == TCS_OK) status = check_tables(&check, err);
    if (status == TCS_OK) status = take_damage(&check, tcsi_store_audit_verify(store, &count, head, err), err);
    if (status != TCS_OK || check.first.status == TCS_OK) return status;
    *err = check.first;
    return check.first.status;
}
