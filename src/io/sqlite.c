/* io/sqlite.c -- one query against a SQLite file; the only file that sees sqlite3.h.
 *
 * Reading only, three times over: the file is opened without the right to write, the statement must be one that SQLite
 * itself calls read-only, and there may be only one.  The path is prefixed when it is relative, so that no name
 * (":memory:", "file:...") means anything but a file.  A writer that holds the file is waited for five seconds.
 * Numbers come out as doubles, as SQLite's text form has only 15 digits; whole numbers keep all theirs as text, for times.
 * SQLite allocates with malloc: its allocator is one for the whole process, and that is not ours to change.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/answer.h"

#include "base/alloc.h"
#include "base/text.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { BUSY_MS = 5000 };

typedef struct sqlite_answer {
    tcsi_answer base;
    sqlite3 *db;
    sqlite3_stmt *statement;
    char number[TCSI_NUMBER_TEXT_SIZE];
} sqlite_answer;

static tcs_status fail(const sqlite_answer *self, int code, tcs_error *err)
{
    const char *text = self->db ? sqlite3_errmsg(self->db) : sqlite3_errstr(code);
    switch (code & 0xFF) {
    case SQLITE_NOMEM: return tcsi_fail_memory(err, "SQLite");
    case SQLITE_ERROR:
    case SQLITE_AUTH:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_READONLY: return tcsi_fail(err, TCS_E_INVALID, "%s: %s", self->base.source, text);
    case SQLITE_CORRUPT: return tcsi_fail(err, TCS_E_FORMAT, "%s: the database is damaged (%s)", self->base.source, text);
    case SQLITE_NOTADB: return tcsi_fail(err, TCS_E_FORMAT, "%s: is no SQLite database", self->base.source);
    case SQLITE_TOOBIG: return tcsi_fail(err, TCS_E_LIMIT, "%s: %s", self->base.source, text);
    case SQLITE_CANTOPEN:
        return tcsi_fail(err, TCS_E_IO, "%s: cannot be opened for reading; expected sqlite:PATH of a database file", self->base.source);
    case SQLITE_IOERR: return tcsi_fail(err, TCS_E_IO, "%s: cannot be read as a database (%s)", self->base.source, text);
    default: return tcsi_fail(err, TCS_E_IO, "%s: %s", self->base.source, text);
    }
}

/* ---- rows ---- */

static tcs_status next(tcsi_answer *base, bool *ret_end, tcs_error *err)
{
    sqlite_answer *self = (sqlite_answer *)base;
    int code = sqlite3_step(self->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(self, code, err);
    *ret_end = code == SQLITE_DONE;
    return TCS_OK;
}

static tcs_status text(tcsi_answer *base, size_t column, tcsi_cell *ret_cell, tcs_error *err)
{
    sqlite_answer *self = (sqlite_answer *)base;
    int c = (int)column, type = sqlite3_column_type(self->statement, c);
    *ret_cell = (tcsi_cell){ "", 0 };
    if (type == SQLITE_NULL) return TCS_OK;
    if (type == SQLITE_FLOAT) {
        double value = sqlite3_column_double(self->statement, c);
        if (isinf(value)) *ret_cell = value > 0 ? (tcsi_cell){ "inf", 3 } : (tcsi_cell){ "-inf", 4 };
        else *ret_cell = (tcsi_cell){ self->number, tcsi_number_format(value, self->number) };
        return TCS_OK;
    }
    const char *bytes = (const char *)sqlite3_column_text(self->statement, c);
    int size = sqlite3_column_bytes(self->statement, c);
    if (size > 0 && !bytes) return tcsi_fail_memory(err, "SQLite");
    if (bytes) *ret_cell = (tcsi_cell){ bytes, (size_t)size };
    return TCS_OK;
}

static bool number(tcsi_answer *base, size_t column, double *ret_value)
{
    sqlite_answer *self = (sqlite_answer *)base;
    int type = sqlite3_column_type(self->statement, (int)column);
    if (type != SQLITE_FLOAT && type != SQLITE_INTEGER) return false;
    *ret_value = sqlite3_column_double(self->statement, (int)column);
    return isfinite(*ret_value);
}

static void destroy(tcsi_answer *base)
{
    sqlite_answer *self = (sqlite_answer *)base;
    (void)sqlite3_finalize(self->statement); /* repeats the error of the last step */
    (void)sqlite3_close(self->db);
    tcsi_free(self);
}

/* ---- opening ---- */

/* sqlite:PATH; sqlite:///PATH, as others write it, is /PATH. */
static const char *path_of(const char *url)
{
    const char *path = strchr(url, ':') + 1;
    return strncmp(path, "//", 2) == 0 ? path + 2 : path;
}

static tcs_status open_file(sqlite_answer *self, const char *path, tcs_error *err)
{
    if (!*path) return tcsi_fail(err, TCS_E_INVALID, "%s: names no file; expected sqlite:PATH", self->base.source);
    size_t size = strlen(path) + 3;
    char *plain = tcsi_alloc(size);
    if (!plain) return tcsi_fail_memory(err, "a path");
    snprintf(plain, size, "%s%s", *path == '/' ? "" : "./", path);
    int code = sqlite3_open_v2(plain, &self->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    tcsi_free(plain);
    if (code != SQLITE_OK) return fail(self, code, err);
    sqlite3_busy_timeout(self->db, BUSY_MS);
    return TCS_OK;
}

/* SQLite fills a last page that is cut off with zeros, which read as NULL: such a file is refused here.  The size comes from
 * SQLite's own descriptor, as closing another one would let go of every lock that this process holds on the file. */
static tcs_status refuse_cut(sqlite_answer *self, tcs_error *err)
{
    sqlite3_file *file = NULL;
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 size = 0, page_size = 0;
    int code = sqlite3_prepare_v2(self->db, "pragma page_size", -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code == SQLITE_ROW) page_size = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    if (code != SQLITE_ROW) return fail(self, code, err);
    code = sqlite3_file_control(self->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (code != SQLITE_OK || !file || !file->pMethods || file->pMethods->xFileSize(file, &size) != SQLITE_OK) return TCS_OK;
    if (page_size < 1 || size % page_size == 0) return TCS_OK;
    return tcsi_fail(err, TCS_E_FORMAT, "%s: truncated: its %lld bytes are no whole number of its pages of %lld", self->base.source,
                     (long long)size, (long long)page_size);
}

static tcs_status prepare(sqlite_answer *self, const char *query, tcs_error *err)
{
    const char *rest = NULL;
    const char *source = self->base.source;
    int code = sqlite3_prepare_v2(self->db, query, -1, &self->statement, &rest);
    if (code != SQLITE_OK) return fail(self, code, err);
    if (!self->statement) return tcsi_fail(err, TCS_E_INVALID, "%s: the query is empty", source);
    sqlite3_stmt *second = NULL;
    code = sqlite3_prepare_v2(self->db, rest, -1, &second, NULL); /* blanks and comments give none */
    (void)sqlite3_finalize(second);
    if (code != SQLITE_OK || second) return tcsi_fail(err, TCS_E_INVALID, "%s: the query has more than one statement", source);
    if (!sqlite3_stmt_readonly(self->statement))
        return tcsi_fail(err, TCS_E_INVALID, "%s: the query would change the database; expected one that only reads, such as a select",
                         source);
    if (sqlite3_bind_parameter_count(self->statement) > 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: the query has a parameter, '%s', that nothing is given for", source,
                         sqlite3_bind_parameter_name(self->statement, 1) ? sqlite3_bind_parameter_name(self->statement, 1) : "?");
    if (sqlite3_column_count(self->statement) == 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s: the query gives no columns; expected a select", source);
    return TCS_OK;
}

static tcs_status describe(sqlite_answer *self, tcs_error *err)
{
    static const char *const times[] = { "date", "time", "datetime", "timestamp", "timestamptz" };
    int count = sqlite3_column_count(self->statement);
    tcs_status status = tcsi_answer_columns(&self->base, (size_t)count, err);
    for (int c = 0; c < count && status == TCS_OK; c++) {
        const char *name = sqlite3_column_name(self->statement, c), *type = sqlite3_column_decltype(self->statement, c);
        self->base.names[c] = name ? tcsi_strdup(name) : NULL;
        if (!self->base.names[c]) status = tcsi_fail_memory(err, "column names");
        for (size_t i = 0; type && i < TCS_COUNT(times); i++) self->base.is_time[c] |= tcsi_text_equal_nocase(type, times[i]);
    }
    return status;
}

tcs_status tcsi_sqlite_open(const char *url, const char *query, tcsi_answer **ret_answer, tcs_error *err)
{
    static const tcsi_answer_ops ops = { next, text, number, NULL, destroy };
    sqlite_answer *self = TCSI_NEW(sqlite_answer);
    if (!self) return tcsi_fail_memory(err, "a reader");
    self->base = (tcsi_answer){ .ops = &ops, .format = "SQLite", .source = tcsi_strdup(url) };
    tcs_status status = self->base.source ? open_file(self, path_of(url), err) : tcsi_fail_memory(err, "a reader");
    if (status == TCS_OK) status = prepare(self, query, err);
    if (status == TCS_OK) status = refuse_cut(self, err);
    if (status == TCS_OK) status = describe(self, err);
    if (status == TCS_OK) *ret_answer = &self->base;
    else tcsi_answer_destroy(&self->base);
    return status;
}
