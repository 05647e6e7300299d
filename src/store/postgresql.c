/* store/postgresql.c -- the store in a PostgreSQL server, shared by several processes; the only file of this room that sees libpq-fe.h.
 *
 * Everything stands in the schema `tocsin` of the database in the URL.  Each connection asks for synchronous_commit = on, whatever the role
 * or the database says, so that commit means the disk.  Values travel in binary: integers as 8 bytes, text and bytes as they are.
 * Rows are fetched one by one (single-row mode), so that memory does not grow with a result.
 *
 * One writer at a time, as with a file: a scope that changes something begins by taking one advisory lock, which the server releases with
 * the transaction.  Numbers that count up and chains then need no thought about who else writes, and who leads cannot change in between.
 * The price is that writers wait for each other, as they do for the disk anyway.
 *
 * Waiting ends.  The connection never blocks (libpq's nonblocking mode and poll); a server that says nothing for ANSWER_MS is cut off;
 * one that lets go of a client which sits in a transaction does so after 10 s (else a process that froze would keep everybody out).
 * A connection that is gone is made anew when a scope begins, at the earliest a delay after the last attempt that doubles from 0.1 to
 * 5 s.  What was prepared went with it.
 * Passwords come from the URL, PGPASSWORD or ~/.pgpass and are never shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/url.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_MS = 30000, UPGRADE_MS = 3600 * 1000, DELAY_MS_MIN = 100, DELAY_MS_MAX = 5000 };
enum { TYPE_BYTES = 17, TYPE_INTEGER = 20, TYPE_TEXT = 25 }; /* src/include/catalog/pg_type.dat, fixed for good */
enum { VALUE_COUNT_MAX = 16 };
static const char make_schema[] = "do $$ begin if not exists (select from pg_namespace where nspname = 'tocsin') then create schema tocsin;"
                                  "end if; end $$;"; /* `create schema if not exists` asks for a right even when it exists */
/* The server would try to compress what is compressed already, or random to it. */
static const char keep_plain[] = "alter table block alter column bytes set storage external;"
                                 "alter table model alter column bytes set storage external;"
                                 "alter table snapshot_part alter column bytes set storage external;"
                                 "alter table journal alter column bytes set storage external;";
#define WRITER_LOCK "7453010123" /* any number that nobody else uses */

typedef struct postgresql_database {
    tcsi_database base;
    char *url;
    PGconn *connection;
    bool is_prepared[TCSI_STATEMENT_COUNT];
    PGresult *row;          /* the current one */
    bool is_open;           /* a result is being read */
    bool has_pending;       /* row came with run and was not given out */
    bool ended;
    int delay_ms;           /* before the next attempt to connect */
    int64_t attempt_ns;     /* the last one, by the monotonic clock */
} postgresql_database;

static void on_notice(void *context, const char *text)
{
    (void)context;
    tcsi_log(TCSI_LOG_DEBUG, "STORE-POSTGRESQL-NOTICE", "%.*s", (int)strcspn(text, "\n"), text);
}

/* ---- failing ---- */

static tcs_status fail_connection(const postgresql_database *self, tcs_error *err)
{
    char text[384];
    tcsi_url_tidy(self->url, self->connection ? PQerrorMessage(self->connection) : "out of memory", text, sizeof text);
    return tcsi_fail(err, TCS_E_IO, "%s: %s", self->base.where, *text ? text : "the connection was lost");
}

/* By SQLSTATE (PostgreSQL manual, appendix A). */
static tcs_status status_of(const char *state)
{
    static const struct {
        const char *begins;
        tcs_status status;
    } classes[] = {
        { "53100", TCS_E_LIMIT }, { "53200", TCS_E_MEMORY }, { "54", TCS_E_LIMIT }, { "XX001", TCS_E_FORMAT }, { "XX002", TCS_E_FORMAT },
        { "22", TCS_E_INVALID },  { "23", TCS_E_INVALID },   { "42", TCS_E_INVALID }, { "0A", TCS_E_INVALID },
    };
    for (size_t i = 0; state && i < TCS_COUNT(classes); i++)
        if (strncmp(state, classes[i].begins, strlen(classes[i].begins)) == 0) return classes[i].status;
    return TCS_E_IO;
}

static tcs_status fail_result(const postgresql_database *self, const PGresult *result, tcs_error *err)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const tcs_status status = status_of(state);
    char raw[384], text[384];
    snprintf(raw, sizeof raw, "%s%s%s", primary ? primary : PQresultErrorMessage(result), detail ? "; " : "", detail ? detail : "");
    tcsi_url_tidy(self->url, raw, text, sizeof text);
    return tcsi_fail(err, status, "%s: %s%s", self->base.where, status == TCS_E_FORMAT ? "the store is damaged: " : "",
                     *text ? text : "the connection was lost");
}

/* ---- waiting ---- */

static void disconnect(postgresql_database *self)
{
    PQclear(self->row);
    self->row = NULL;
    self->is_open = false;
    PQfinish(self->connection);
    self->connection = NULL;
    memset(self->is_prepared, 0, sizeof self->is_prepared);
}

/* Until the next result can be had without waiting. */
static tcs_status await(postgresql_database *self, int wait_ms, tcs_error *err)
{
    const int64_t end_ns = tcsi_clock_monotonic_ns() + (int64_t)wait_ms * 1000000;
    for (int unsent = 1; unsent > 0 || PQisBusy(self->connection);) {
        unsent = PQflush(self->connection);
        if (unsent < 0) return fail_connection(self, err);
        if (unsent == 0 && !PQisBusy(self->connection)) break;
        struct pollfd wanted = { .fd = PQsocket(self->connection), .events = (short)(POLLIN | (unsent ? POLLOUT : 0)) };
        const int64_t left_ns = end_ns - tcsi_clock_monotonic_ns();
        const int ready = left_ns <= 0 ? 0 : poll(&wanted, 1, (int)(left_ns / 1000000) + 1);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) {
            disconnect(self); /* whatever it still does is undone when it notices */
            return tcsi_fail(err, TCS_E_IO, "%s: the server has not answered for %d s", self->base.where, wait_ms / 1000);
        }
        if ((wanted.revents & (POLLIN | POLLHUP | POLLERR)) && !PQconsumeInput(self->connection)) return fail_connection(self, err);
    }
    return TCS_OK;
}

/* The rest of an answer that nobody wants, up to the point where the connection is free again. */
static void drain(postgresql_database *self)
{
    PQclear(self->row);
    self->row = NULL;
    while (self->connection && await(self, ANSWER_MS, NULL) == TCS_OK) {
        PGresult *result = PQgetResult(self->connection);
        if (!result) break;
        PQclear(result);
    }
}

/* Statements without values; all their results must be good. */
static tcs_status exec(postgresql_database *self, const char *text, int wait_ms, tcs_error *err)
{
    tcs_status status = PQsendQuery(self->connection, text) ? TCS_OK : fail_connection(self, err);
    while (status == TCS_OK) {
        status = await(self, wait_ms, err);
        PGresult *result = status == TCS_OK ? PQgetResult(self->connection) : NULL;
        if (!result) break;
        const ExecStatusType kind = PQresultStatus(result);
        if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK) status = fail_result(self, result, err);
        PQclear(result);
    }
    if (status != TCS_OK) drain(self);
    return status;
}

/* ---- connecting ---- */

static tcs_status connect_now(postgresql_database *self, tcs_error *err)
{
    static const char settings[] = "set synchronous_commit = on; set search_path = tocsin; set lock_timeout = '5s';"
                                   "set idle_in_transaction_session_timeout = '10s'; set default_transaction_read_only = off;"
                                   "set default_transaction_isolation = 'read committed'";
    /* What stands in the URL (dbname) comes last and wins. */
    static const char *const keys[] = { "connect_timeout", "client_encoding", "application_name", "keepalives_idle", "keepalives_interval",
                                        "keepalives_count", "tcp_user_timeout", "dbname", NULL };
    const char *const values[] = { "5", "UTF8", "tocsin", "10", "5", "3", "20000", self->url, NULL };
    disconnect(self);
    self->attempt_ns = tcsi_clock_monotonic_ns();
    self->connection = PQconnectdbParams(keys, values, 1);
    tcs_status status = self->connection && PQstatus(self->connection) == CONNECTION_OK ? TCS_OK : fail_connection(self, err);
    if (status == TCS_OK) {
        (void)PQsetNoticeProcessor(self->connection, on_notice, NULL);
        if (PQsetnonblocking(self->connection, 1) != 0) status = fail_connection(self, err);
    }
    if (status == TCS_OK)
        status = exec(self, settings, ANSWER_MS, err);
    self->delay_ms = status == TCS_OK ? 0 : self->delay_ms == 0 ? DELAY_MS_MIN : self->delay_ms * 2 > DELAY_MS_MAX ? DELAY_MS_MAX
                                                                                                    : self->delay_ms * 2;
    if (status != TCS_OK) disconnect(self);
    return status;
}

/* A server that has ended since the last use has said so, and closed the connection: known without asking it. */
static bool is_alive(postgresql_database *self)
{
    while (self->connection && PQstatus(self->connection) == CONNECTION_OK) {
        struct pollfd wanted = { .fd = PQsocket(self->connection), .events = POLLIN };
        if (poll(&wanted, 1, 0) <= 0) return true;
        if (!PQconsumeInput(self->connection)) break; /* otherwise a notice: there may be more behind it */
        (void)PQisBusy(self->connection);
    }
    return false;
}

static tcs_status ready(tcsi_database *base, tcs_error *err)
{
    postgresql_database *self = (postgresql_database *)base;
    if (is_alive(self)) return TCS_OK;
    const int64_t wait_ns = self->attempt_ns + (int64_t)self->delay_ms * 1000000 - tcsi_clock_monotonic_ns();
    if (self->delay_ms > 0 && wait_ns > 0)
        return tcsi_fail(err, TCS_E_IO, "%s: the server cannot be reached; it is tried again in %lld ms", base->where,
                         (long long)(wait_ns / 1000000 + 1));
    return connect_now(self, err);
}

/* libpq quotes what it does not understand, which may be the password: only what precedes the quotation is shown. */
static tcs_status check_url(const postgresql_database *self, tcs_error *err)
{
    char *reason = NULL;
    PQconninfoOption *parts = PQconninfoParse(self->url, &reason);
    tcs_status status = TCS_OK;
    if (!parts)
        status = tcsi_fail(err, TCS_E_INVALID, "%s: %.*s; expected postgresql://USER@HOST:PORT/DATABASE", self->base.where,
                           (int)(reason ? strcspn(reason, "\":\n") : 12), reason ? reason : "cannot be read");
    PQconninfoFree(parts);
    PQfreemem(reason);
    return status;
}

/* ---- statements ---- */

/* Takes the next result; ended when there is no more row in it. */
static tcs_status fetch(postgresql_database *self, tcs_error *err)
{
    PQclear(self->row);
    self->row = NULL;
    tcs_status status = await(self, ANSWER_MS, err);
    if (status != TCS_OK) return status;
    self->row = PQgetResult(self->connection);
    const ExecStatusType kind = self->row ? PQresultStatus(self->row) : PGRES_TUPLES_OK;
    self->ended = kind != PGRES_SINGLE_TUPLE;
    return kind == PGRES_SINGLE_TUPLE || kind == PGRES_TUPLES_OK || kind == PGRES_COMMAND_OK ? TCS_OK : fail_result(self, self->row, err);
}

static void finish(tcsi_database *base)
{
    postgresql_database *self = (postgresql_database *)base;
    if (!self->is_open) return;
    self->is_open = false;
    drain(self); /* not cancelled: that would undo the scope it is in, and what is asked for has limits */
}

static tcs_status prepare(postgresql_database *self, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcs_error *err)
{
    char name[16];
    Oid types[VALUE_COUNT_MAX];
    if (self->is_prepared[statement]) return TCS_OK;
    snprintf(name, sizeof name, "s%d", (int)statement);
    for (size_t i = 0; i < value_count; i++)
        types[i] = values[i].kind == TCSI_VALUE_INTEGER ? TYPE_INTEGER : values[i].kind == TCSI_VALUE_TEXT ? TYPE_TEXT : TYPE_BYTES;
    tcs_status status = PQsendPrepare(self->connection, name, tcsi_statement_texts[statement], (int)value_count, types)
                            ? TCS_OK : fail_connection(self, err);
    if (status == TCS_OK) status = fetch(self, err);
    drain(self);
    self->is_prepared[statement] = status == TCS_OK;
    return status;
}

static tcs_status send(postgresql_database *self, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcs_error *err)
{
    unsigned char numbers[VALUE_COUNT_MAX][8];
    const char *pointers[VALUE_COUNT_MAX];
    int lengths[VALUE_COUNT_MAX], formats[VALUE_COUNT_MAX];
    char name[16];
    for (size_t i = 0; i < value_count; i++) {
        const tcsi_value *value = &values[i];
        const bool is_number = value->kind == TCSI_VALUE_INTEGER;
        if (value->size > INT32_MAX)
            return tcsi_fail(err, TCS_E_LIMIT, "%s: a value of %zu bytes is too long", self->base.where, value->size);
        for (int b = 0; b < 8; b++) numbers[i][b] = (unsigned char)((uint64_t)value->integer >> (56 - 8 * b));
        pointers[i] = value->is_null ? NULL : is_number ? (const char *)numbers[i] : value->bytes;
        lengths[i] = is_number ? 8 : (int)value->size;
        formats[i] = 1;
    }
    snprintf(name, sizeof name, "s%d", (int)statement);
    const bool sent = PQsendQueryPrepared(self->connection, name, (int)value_count, pointers, lengths, formats, 1) &&
                      PQsetSingleRowMode(self->connection);
    return sent ? TCS_OK : fail_connection(self, err);
}

static tcs_status run(tcsi_database *base, tcsi_statement statement, const tcsi_value *values, size_t value_count, tcs_error *err)
{
    postgresql_database *self = (postgresql_database *)base;
    TCS_ASSERT(!self->is_open && value_count <= VALUE_COUNT_MAX);
    if (!self->connection) return tcsi_fail(err, TCS_E_IO, "%s: the connection was lost", base->where);
    tcs_status status = prepare(self, statement, values, value_count, err);
    if (status == TCS_OK) status = send(self, statement, values, value_count, err);
    if (status == TCS_OK) status = fetch(self, err);
    self->is_open = status == TCS_OK && self->row && PQresultStatus(self->row) != PGRES_COMMAND_OK;
    self->has_pending = self->is_open && !self->ended;
    if (!self->is_open) drain(self);
    return status;
}

static tcs_status next(tcsi_database *base, bool *ret_end, tcs_error *err)
{
    postgresql_database *self = (postgresql_database *)base;
    tcs_status status = TCS_OK;
    TCS_ASSERT(self->is_open);
    if (!self->has_pending && !self->ended) status = fetch(self, err);
    self->has_pending = false;
    *ret_end = self->ended;
    return status;
}

static tcsi_value value(tcsi_database *base, size_t column, tcsi_value_kind kind)
{
    const postgresql_database *self = (const postgresql_database *)base;
    const int c = (int)column;
    if (PQgetisnull(self->row, 0, c)) return (tcsi_value){ .kind = kind, .is_null = true, .bytes = "" };
    const char *bytes = PQgetvalue(self->row, 0, c);
    const size_t size = (size_t)PQgetlength(self->row, 0, c);
    if (kind != TCSI_VALUE_INTEGER) return (tcsi_value){ .kind = kind, .bytes = bytes, .size = size };
    uint64_t number = 0;
    TCS_ASSERT(size == 8);
    for (size_t b = 0; b < 8; b++) number = number << 8 | (unsigned char)bytes[b];
    return tcsi_value_integer((int64_t)number);
}

static tcs_status script(tcsi_database *base, const char *text, tcs_error *err)
{
    return exec((postgresql_database *)base, text, UPGRADE_MS, err);
}

/* ---- scopes ---- */

static void rollback(tcsi_database *base)
{
    postgresql_database *self = (postgresql_database *)base;
    finish(base);
    if (self->connection && PQtransactionStatus(self->connection) != PQTRANS_IDLE && exec(self, "rollback", ANSWER_MS, NULL) != TCS_OK)
        disconnect(self); /* the server undoes what a lost connection had begun */
}

static tcs_status begin(tcsi_database *base, bool for_reading, tcs_error *err)
{
    postgresql_database *self = (postgresql_database *)base;
    if (!self->connection) return tcsi_fail(err, TCS_E_IO, "%s: the connection was lost", base->where);
    tcs_status status = exec(self, for_reading ? "begin isolation level repeatable read, read only"
                                               : "begin; select pg_advisory_xact_lock(" WRITER_LOCK ")", ANSWER_MS, err);
    if (status != TCS_OK) rollback(base);
    return status;
}

static tcs_status commit(tcsi_database *base, tcs_error *err)
{
    postgresql_database *self = (postgresql_database *)base;
    if (!self->connection) return tcsi_fail(err, TCS_E_IO, "%s: the connection was lost", base->where);
    /* A server that had to undo the transaction answers commit with a plain "ROLLBACK". */
    if (PQtransactionStatus(self->connection) != PQTRANS_INTRANS) {
        rollback(base);
        return tcsi_fail(err, TCS_E_IO, "%s: the transaction was lost", base->where);
    }
    tcs_status status = exec(self, "commit", ANSWER_MS, err);
    if (status != TCS_OK) rollback(base);
    return status;
}

/* ---- upkeep ---- */

static tcs_status clock_now(tcsi_database *base, int64_t *ret_now_ns, tcs_error *err)
{
    postgresql_database *self = (postgresql_database *)base;
    const char *text = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint * 1000";
    if (!PQsendQueryParams(self->connection, text, 0, NULL, NULL, NULL, NULL, 1)) return fail_connection(self, err);
    tcs_status status = fetch(self, err);
    if (status == TCS_OK && self->row && PQntuples(self->row) == 1) *ret_now_ns = value(base, 0, TCSI_VALUE_INTEGER).integer;
    else if (status == TCS_OK) status = fail_connection(self, err);
    drain(self);
    return status;
}

static tcs_status tend(tcsi_database *base, tcs_error *err)
{
    (void)base; /* the server looks after itself */
    (void)err;
    return TCS_OK;
}

static tcs_status check(tcsi_database *base, void (*each)(void *context, const char *line), void *context, tcs_error *err)
{
    (void)base; /* and pg_amcheck after its pages: reading every row, as the caller does, finds what would matter here */
    (void)each;
    (void)context;
    (void)err;
    return TCS_OK;
}

static void close_database(tcsi_database *base)
{
    postgresql_database *self = (postgresql_database *)base;
    disconnect(self);
    tcsi_free(self->url);
    tcsi_free(base->where);
    tcsi_free(self);
}

tcs_status tcsi_database_open_postgresql(const char *url, tcsi_database **ret_database, tcs_error *err)
{
    static const tcsi_database_ops ops = {
        .name = "PostgreSQL", .before = make_schema, .after = keep_plain, .hasty = "set synchronous_commit = off;",
        .careful = "set synchronous_commit = on;", .type_bytes = "bytea", .type_text = "text collate \"C\"",
        .type_key = "bigint primary key", .ready = ready, .begin = begin, .commit = commit, .rollback = rollback, .run = run, .next = next,
        .value = value, .finish = finish, .script = script, .clock = clock_now, .tend = tend, .check = check,
        .complete = tend, .close = close_database,
    };
    char shown[256];
    postgresql_database *self = TCSI_NEW(postgresql_database);
    if (!self) return tcsi_fail_memory(err, "a store");
    self->base = (tcsi_database){ &ops, tcsi_strdup(tcsi_url_redact(url, shown, sizeof shown)) };
    self->url = tcsi_strdup(url);
    tcs_status status = self->base.where && self->url ? check_url(self, err) : tcsi_fail_memory(err, "a store");
    if (status == TCS_OK) status = connect_now(self, err);
    if (status == TCS_OK) *ret_database = &self->base;
    else close_database(&self->base);
    return status;
}
