/* store/sqlite.c -- the store in one SQLite file; the only file of this room that sees sqlite3.h.
 *
 * Write-ahead log, with each commit synced (synchronous=FULL): what is acknowledged is on the disk, and readers never wait for the writer.
 * The log is moved into the file by whoever calls tend, every second; a writer does it only when the log has grown to LOG_PAGES
 * because nobody did.  A log that is free again is cut to LOG_SIZE.
 * A sync that fails is fair (Rebello et al., Can Applications Recover from fsync Failures?, ATC 2020): a commit whose sync failed is
 * undone, the next one writes those places of the log anew; a checkpoint that failed leaves the log as it was.
 * Writers take the lock at begin, never in the middle, so that none can deadlock; one waits for another up to BUSY_MS.
 *
 * `alone` is a lock on a file of its own beside the database ("PATH-lock", which holds the number of its process): flock belongs to the
 * open file, so that other handles of this process neither share it nor lose it, and the system releases it however a process ends.
 * Damage: SQLite notices pages that make no sense; what stands in them has seals of ours (tcsi_store_check).  A last page that is cut off
 * would read as zeros, so a file that is shorter than it says is refused.
 * SQLite allocates with malloc: its allocator is one for the whole process, and that is not ours to change.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { BUSY_MS = 5000, LOG_PAGES = 4000, LOG_SIZE = 64 << 20, APPLICATION_ID = 0x746f6373 /* "tocs" */ };
enum { SMALL_CACHE_KIB = 2000, CACHE_KIB = 16000 }; /* who is alone writes episodes all over the file */

typedef struct sqlite_database {
    tcsi_database base;
    sqlite3 *db;
    sqlite3_stmt *prepared[TCSI_STATEMENT_COUNT];
    sqlite3_stmt *open;  /* the one whose rows are being read, or NULL */
    bool has_pending;    /* its current row was found by run and not given out */
    bool ended;
    int lock_file;       /* -1: none */
} sqlite_database;

static tcs_status fail(const sqlite_database *self, int code, tcs_error *err)
{
    const char *where = self->base.where, *text = self->db ? sqlite3_errmsg(self->db) : sqlite3_errstr(code);
    switch (code & 0xFF) {
    case SQLITE_NOMEM: return tcsi_fail_memory(err, "SQLite");
    case SQLITE_FULL: return tcsi_fail(err, TCS_E_LIMIT, "%s: the disk is full", where);
    case SQLITE_TOOBIG: return tcsi_fail(err, TCS_E_LIMIT, "%s: %s", where, text);
    case SQLITE_CORRUPT: return tcsi_fail(err, TCS_E_FORMAT, "%s: the store is damaged (%s)", where, text);
    case SQLITE_NOTADB: return tcsi_fail(err, TCS_E_FORMAT, "%s: is no SQLite database, or a damaged one", where);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return tcsi_fail(err, TCS_E_IO, "%s: another writer has kept it locked for %d s", where, BUSY_MS / 1000);
    case SQLITE_CANTOPEN: return tcsi_fail(err, TCS_E_IO, "%s: cannot be opened (%s)", where, strerror(sqlite3_system_errno(self->db)));
    case SQLITE_READONLY: return tcsi_fail(err, TCS_E_IO, "%s: cannot be written: it is read-only", where);
    case SQLITE_IOERR: return tcsi_fail(err, TCS_E_IO, "%s: the disk failed (%s, code %d)", where, text, code);
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT: return tcsi_fail(err, TCS_E_INVALID, "%s: %s", where, text);
    default: return tcsi_fail(err, TCS_E_IO, "%s: %s", where, text);
    }
}

/* ---- statements ---- */

static void finish(tcsi_database *base)
{
    sqlite_database *self = (sqlite_database *)base;
    if (self->open) {
        (void)sqlite3_reset(self->open); /* repeats the error of the last step */
        (void)sqlite3_clear_bindings(self->open);
    }
    self->open = NULL;
}

static tcs_status prepare(sqlite_database *self, tcsi_statement statement, tcs_error *err)
{
    if (self->prepared[statement]) return TCS_OK;
    const char *text = tcsi_statement_texts[statement];
    int code = sqlite3_prepare_v3(self->db, text, -1, SQLITE_PREPARE_PERSISTENT, &self->prepared[statement], NULL);
    return code == SQLITE_OK ? TCS_OK : fail(self, code, err);
}

static int bind(sqlite3_stmt *statement, int index, const tcsi_value *value)
{
    if (value->is_null) return sqlite3_bind_null(statement, index);
    switch (value->kind) {
    case TCSI_VALUE_INTEGER: return sqlite3_bind_int64(statement, index, value->integer);
    case TCSI_VALUE_TEXT: return sqlite3_bind_text64(statement, index, value->bytes, value->size, SQLITE_STATIC, SQLITE_UTF8);
    default: return sqlite3_bind_blob64(statement, index, value->bytes, value->size, SQLITE_STATIC);
    }
}

static tcs_status run(tcsi_database *base, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcs_error *err)
{
    sqlite_database *self = (sqlite_database *)base;
    TCS_ASSERT(!self->open);
    tcs_status status = prepare(self, statement, err);
    if (status != TCS_OK) return status;
    self->open = self->prepared[statement];
    int code = SQLITE_OK;
    for (size_t i = 0; i < value_count && code == SQLITE_OK; i++) { /* $1 is a name to SQLite: whichever index it has */
        char name[8];
        snprintf(name, sizeof name, "$%zu", i + 1);
        int index = sqlite3_bind_parameter_index(self->open, name);
        TCS_ASSERT(index > 0);
        code = bind(self->open, index, &values[i]);
    }
    if (code == SQLITE_OK) code = sqlite3_step(self->open);
    self->has_pending = code == SQLITE_ROW;
    self->ended = code == SQLITE_DONE;
    if (code == SQLITE_ROW) return TCS_OK;
    status = code == SQLITE_DONE ? TCS_OK : fail(self, code, err);
    if (status != TCS_OK || sqlite3_column_count(self->open) == 0) finish(base);
    return status;
}

static tcs_status next(tcsi_database *base, bool *ret_end, tcs_error *err)
{
    sqlite_database *self = (sqlite_database *)base;
    TCS_ASSERT(self->open);
    if (!self->has_pending && !self->ended) {
        int code = sqlite3_step(self->open);
        if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(self, code, err);
        self->ended = code == SQLITE_DONE;
    }
    self->has_pending = false;
    *ret_end = self->ended;
    return TCS_OK;
}

static tcsi_value value(tcsi_database *base, size_t column, tcsi_value_kind kind)
{
    sqlite3_stmt *open = ((sqlite_database *)base)->open;
    const int c = (int)column;
    if (sqlite3_column_type(open, c) == SQLITE_NULL) return (tcsi_value){ .kind = kind, .is_null = true, .bytes = "" };
    if (kind == TCSI_VALUE_INTEGER) return tcsi_value_integer(sqlite3_column_int64(open, c));
    const void *bytes = kind == TCSI_VALUE_TEXT ? (const void *)sqlite3_column_text(open, c) : sqlite3_column_blob(open, c);
    const size_t size = (size_t)sqlite3_column_bytes(open, c);
    return (tcsi_value){ .kind = kind, .bytes = size || bytes ? bytes : "", .size = size };
}

static tcs_status script(tcsi_database *base, const char *text, tcs_error *err)
{
    sqlite_database *self = (sqlite_database *)base;
    int code = sqlite3_exec(self->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? TCS_OK : fail(self, code, err);
}

/* ---- scopes ---- */

static tcs_status ready(tcsi_database *base, tcs_error *err)
{
    (void)base;
    (void)err;
    return TCS_OK;
}

static void rollback(tcsi_database *base)
{
    sqlite_database *self = (sqlite_database *)base;
    finish(base);
    if (!sqlite3_get_autocommit(self->db)) (void)sqlite3_exec(self->db, "rollback", NULL, NULL, NULL);
}

/* The moment that a reader sees is fixed by its first read, so begin reads something. */
static tcs_status begin(tcsi_database *base, bool for_reading, tcs_error *err)
{
    tcs_status status = script(base, for_reading ? "begin; select 1 from sqlite_schema limit 1" : "begin immediate", err);
    if (status != TCS_OK) rollback(base);
    return status;
}

static tcs_status commit(tcsi_database *base, tcs_error *err)
{
    tcs_status status = script(base, "commit", err);
    if (status != TCS_OK) rollback(base);
    return status;
}

/* ---- upkeep ---- */

static tcs_status clock_now(tcsi_database *base, int64_t *ret_now_ns, tcs_error *err)
{
    (void)base;
    (void)err;
    *ret_now_ns = tcsi_clock_wall_ns();
    return TCS_OK;
}

static tcs_status tend(tcsi_database *base, tcs_error *err)
{
    sqlite_database *self = (sqlite_database *)base;
    int code = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK || (code & 0xFF) == SQLITE_BUSY ? TCS_OK : fail(self, code, err);
}

static tcs_status complete(tcsi_database *base, tcs_error *err)
{
    sqlite_database *self = (sqlite_database *)base;
    int code = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return code == SQLITE_OK ? TCS_OK : fail(self, code, err);
}

/* The one number that a pragma answers. */
static tcs_status ask(sqlite_database *self, const char *pragma, int64_t *ret_number, tcs_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(self->db, pragma, -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *ret_number = sqlite3_column_int64(statement, 0);
    tcs_status status = code == SQLITE_ROW || code == SQLITE_DONE ? TCS_OK : fail(self, code, err);
    (void)sqlite3_finalize(statement);
    return status;
}

static tcs_status check(tcsi_database *base, void (*each)(void *context, const char *line), void *context, tcs_error *err)
{
    sqlite_database *self = (sqlite_database *)base;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(self->db, "pragma integrity_check", -1, &statement, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(statement);
        const char *line = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        if (line && strcmp(line, "ok") != 0) each(context, line);
    }
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) each(context, sqlite3_errmsg(self->db));
    else if (code != SQLITE_DONE) return (void)sqlite3_finalize(statement), fail(self, code, err);
    (void)sqlite3_finalize(statement);
    return TCS_OK;
}

/* ---- opening ---- */

static void close_database(tcsi_database *base)
{
    sqlite_database *self = (sqlite_database *)base;
    for (size_t i = 0; i < TCSI_STATEMENT_COUNT; i++) (void)sqlite3_finalize(self->prepared[i]);
    (void)sqlite3_close(self->db); /* the last one to close moves the log into the file */
    if (self->lock_file >= 0) (void)close(self->lock_file); /* and lets go of the lock */
    tcsi_free(base->where);
    tcsi_free(self);
}

/* The lock file is never removed: a process that waits for it would then hold a lock on nothing. */
static tcs_status lock(sqlite_database *self, const char *path, tcs_error *err)
{
    char name[4096], text[32] = "";
    if ((size_t)snprintf(name, sizeof name, "%s-lock", path) >= sizeof name)
        return tcsi_fail(err, TCS_E_INVALID, "%s: the path is too long", self->base.where);
    self->lock_file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (self->lock_file < 0) return tcsi_fail(err, TCS_E_IO, "%s: cannot be opened: %s", name, strerror(errno));
    if (flock(self->lock_file, LOCK_EX | LOCK_NB) != 0) {
        ssize_t size = pread(self->lock_file, text, sizeof text - 1, 0);
        text[size > 0 ? size : 0] = 0;
        text[strcspn(text, "\n")] = 0;
        return tcsi_fail(err, TCS_E_IO, "%s: already in use by process %s", self->base.where, *text ? text : "?");
    }
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(self->lock_file, 0) != 0 || pwrite(self->lock_file, text, (size_t)size, 0) != size)
        return tcsi_fail(err, errno == ENOSPC ? TCS_E_LIMIT : TCS_E_IO, "%s: cannot be written: %s", name, strerror(errno));
    return TCS_OK;
}

static tcs_status open_file(sqlite_database *self, const char *path, bool alone, bool must_exist, tcs_error *err)
{
    char plain[4096] = ":memory:"; /* a path is prefixed when relative, so that no name (":memory:", "file:...") means but a file */
    if (path && !*path) return tcsi_fail(err, TCS_E_INVALID, "%s: names no file; expected sqlite:PATH", self->base.where);
    if (path && (size_t)snprintf(plain, sizeof plain, "%s%s", *path == '/' ? "" : "./", path) >= sizeof plain)
        return tcsi_fail(err, TCS_E_INVALID, "%s: the path is too long", self->base.where);
    if (must_exist && access(plain, F_OK) != 0) return tcsi_fail(err, TCS_E_IO, "%s: there is no such file", self->base.where);
    tcs_status status = alone ? lock(self, plain, err) : TCS_OK;
    if (status != TCS_OK) return status;
    const int flags = SQLITE_OPEN_READWRITE | (must_exist ? 0 : SQLITE_OPEN_CREATE) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(plain, &self->db, flags, NULL);
    if (code != SQLITE_OK) return fail(self, code, err);
    (void)sqlite3_busy_timeout(self->db, BUSY_MS);
    return TCS_OK;
}

/* A file of somebody else's is left alone. */
static tcs_status recognize(sqlite_database *self, tcs_error *err)
{
    int64_t id = 0, table_count = 0;
    tcs_status status = ask(self, "pragma application_id", &id, err);
    if (status == TCS_OK) status = ask(self, "select count(*) from sqlite_schema", &table_count, err);
    if (status == TCS_OK && id != APPLICATION_ID && (id != 0 || table_count > 0))
        status = tcsi_fail(err, TCS_E_FORMAT, "%s: is a SQLite database, but no store of tocsin", self->base.where);
    return status;
}

/* A crash may leave part of a page at the end, which the log puts right; without a log it is a file that was cut.  The size is asked of
 * SQLite's own descriptor, as closing another one would let go of every lock that this process holds on the file. */
static tcs_status refuse_cut(sqlite_database *self, tcs_error *err)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int64_t page_count = 0, page_size = 0;
    int in_log = 0, moved = 0;
    tcs_status status = ask(self, "pragma page_size", &page_size, err);
    if (status == TCS_OK) status = ask(self, "pragma page_count", &page_count, err); /* before: others may add pages to the log after */
    if (status != TCS_OK) return status;
    const int code = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    if (code != SQLITE_OK || in_log != moved) return TCS_OK;
    if (sqlite3_file_control(self->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file || !file->pMethods) return TCS_OK;
    if (file->pMethods->xFileSize(file, &size) != SQLITE_OK || size >= page_count * page_size) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "%s: the store is damaged: it has %lld bytes, and %lld pages of %lld", self->base.where,
                     (long long)size, (long long)page_count, (long long)page_size);
}

static tcs_status settle(sqlite_database *self, bool alone, tcs_error *err)
{
    char text[256];
    int64_t ignored = 0;
    tcs_status status = recognize(self, err);
    if (status == TCS_OK) status = ask(self, "pragma journal_mode = wal", &ignored, err);
    if (status == TCS_OK) status = refuse_cut(self, err);
    snprintf(text, sizeof text, "pragma synchronous = full; pragma cell_size_check = on; pragma trusted_schema = off;"
             "pragma wal_autocheckpoint = %d; pragma journal_size_limit = %d; pragma cache_size = %d", LOG_PAGES, LOG_SIZE,
             alone ? -CACHE_KIB : -SMALL_CACHE_KIB);
    if (status == TCS_OK) status = script(&self->base, text, err);
    snprintf(text, sizeof text, "pragma application_id = %d", APPLICATION_ID);
    int64_t id = 0;
    if (status == TCS_OK) status = ask(self, "pragma application_id", &id, err);
    if (status == TCS_OK && id != APPLICATION_ID) status = script(&self->base, text, err);
    return status;
}

tcs_status tcsi_database_open_sqlite(const char *path, bool alone, bool must_exist, tcsi_database **ret_database, tcs_error *err)
{
    static const tcsi_database_ops ops = {
        .name = "SQLite", .before = "", .after = "", .hasty = "pragma synchronous = normal;", .careful = "pragma synchronous = full;",
        .type_bytes = "blob", .type_text = "text", .type_key = "integer primary key",
        .ready = ready, .begin = begin, .commit = commit, .rollback = rollback, .run = run, .next = next, .value = value, .finish = finish,
        .script = script, .clock = clock_now, .tend = tend, .check = check, .complete = complete, .close = close_database,
    };
    sqlite_database *self = TCSI_NEW(sqlite_database);
    if (!self) return tcsi_fail_memory(err, "a store");
    self->base = (tcsi_database){ &ops, tcsi_strdup(path ? path : "a store in memory") };
    self->lock_file = -1;
    tcs_status status = self->base.where ? open_file(self, path, alone, must_exist, err) : tcsi_fail_memory(err, "a store");
    if (status == TCS_OK) status = settle(self, alone, err);
    if (status == TCS_OK) *ret_database = &self->base;
    else close_database(&self->base);
    return status;
}
