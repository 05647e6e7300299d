/* io/postgresql.c -- one query against a PostgreSQL server; the only file that sees libpq-fe.h.
 *
 * The query runs inside a transaction that the server holds read-only, by the extended protocol, which takes exactly one
 * statement: nothing in it can end the transaction and then write.  Dates are asked for in ISO form and UTC, so that the
 * server's settings change nothing.  Rows are fetched one by one (single-row mode): memory does not grow with the result.
 * A server that cannot be reached is given up after 10 seconds, one that vanished by the system's keep-alive after about a
 * minute; a query that works for hours is let (limit it with ?options=-cstatement_timeout%3D60s in the URL).
 * All of these yield to what the URL says.  Passwords come from the URL, PGPASSWORD or ~/.pgpass and are never shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/answer.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/url.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

/* Of the types that mean something here; src/include/catalog/pg_type.dat, fixed for good. */
enum { TYPE_BOOL = 16, TYPE_DATE = 1082, TYPE_TIMESTAMP = 1114, TYPE_TIMESTAMPTZ = 1184 };

typedef struct postgresql_answer {
    tcsi_answer base;
    PGconn *connection;
    PGresult *row;    /* the current one */
    bool has_pending; /* row came while opening and was not given out */
    bool ended;
    bool *is_bool;    /* (columns) */
} postgresql_answer;

static void on_notice(void *context, const char *text)
{
    (void)context;
    tcsi_log(TCSI_LOG_INFO, "IO-POSTGRESQL-NOTICE", "%.*s", (int)strcspn(text, "\n"), text);
}

/* ---- failing ---- */

static tcs_status fail_connection(const postgresql_answer *self, const char *url, tcs_error *err)
{
    char text[384];
    tcsi_url_tidy(url, self->connection ? PQerrorMessage(self->connection) : "out of memory", text, sizeof text);
    return tcsi_fail(err, TCS_E_IO, "%s: %s", self->base.source, text);
}

/* By the class of the SQLSTATE (PostgreSQL manual, appendix A): what the network or the operator did, what ran out, and
 * what the query got wrong. */
static tcs_status status_of(const char *state)
{
    if (!state || strncmp(state, "08", 2) == 0 || strncmp(state, "57", 2) == 0 || strncmp(state, "58", 2) == 0) return TCS_E_IO;
    return strncmp(state, "53", 2) == 0 || strncmp(state, "54", 2) == 0 ? TCS_E_LIMIT : TCS_E_INVALID;
}

static tcs_status fail_result(const postgresql_answer *self, const PGresult *result, tcs_error *err)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    char raw[384], text[384];
    if (state && strcmp(state, "08P01") == 0) /* "bind message supplies 0 parameters" */
        return tcsi_fail(err, TCS_E_INVALID, "%s: the query has parameters, such as $1, that nothing is given for", self->base.source);
    snprintf(raw, sizeof raw, "%s%s%s%s%s", primary ? primary : PQresultErrorMessage(result), detail ? "; " : "", detail ? detail : "",
             hint ? "; " : "", hint ? hint : "");
    tcsi_url_tidy("", raw, text, sizeof text);
    return tcsi_fail(err, status_of(state), "%s: %s", self->base.source,
                     *text ? text : "the connection was lost");
}

/* ---- rows ---- */

/* Fetches one result; *ret_end when it holds no row. */
static tcs_status fetch(postgresql_answer *self, bool *ret_end, tcs_error *err)
{
    PQclear(self->row);
    self->row = PQgetResult(self->connection);
    *ret_end = true;
    switch (self->row ? PQresultStatus(self->row) : PGRES_TUPLES_OK) {
    case PGRES_SINGLE_TUPLE: *ret_end = false; return TCS_OK;
    case PGRES_TUPLES_OK: return TCS_OK;
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE: return fail_result(self, self->row, err);
    case PGRES_EMPTY_QUERY: return tcsi_fail(err, TCS_E_INVALID, "%s: the query is empty", self->base.source);
    default:
        return tcsi_fail(err, TCS_E_INVALID, "%s: the query gives no rows but '%s'; expected a select", self->base.source,
                         PQcmdStatus(self->row));
    }
}

static tcs_status next(tcsi_answer *base, bool *ret_end, tcs_error *err)
{
    postgresql_answer *self = (postgresql_answer *)base;
    tcs_status status = TCS_OK;
    if (!self->has_pending && !self->ended) status = fetch(self, &self->ended, err);
    self->has_pending = false;
    *ret_end = self->ended;
    return status;
}

static tcs_status text(tcsi_answer *base, size_t column, tcsi_cell *ret_cell, tcs_error *err)
{
    postgresql_answer *self = (postgresql_answer *)base;
    int c = (int)column;
    (void)err;
    *ret_cell = (tcsi_cell){ "", 0 };
    if (PQgetisnull(self->row, 0, c)) return TCS_OK;
    *ret_cell = (tcsi_cell){ PQgetvalue(self->row, 0, c), (size_t)PQgetlength(self->row, 0, c) };
    if (!self->is_bool[column]) return TCS_OK;
    *ret_cell = *ret_cell->text == 't' ? (tcsi_cell){ "true", 4 } : (tcsi_cell){ "false", 5 };
    return TCS_OK;
}

static void destroy(tcsi_answer *base)
{
    postgresql_answer *self = (postgresql_answer *)base;
    PQclear(self->row);
    if (self->connection && !self->ended && PQtransactionStatus(self->connection) == PQTRANS_ACTIVE) {
        PGcancel *cancel = PQgetCancel(self->connection); /* or the server would go on computing rows for nobody */
        char reason[256];
        if (cancel) (void)PQcancel(cancel, reason, sizeof reason);
        PQfreeCancel(cancel);
    }
    PQfinish(self->connection);
    tcsi_free(self->is_bool);
    tcsi_free(self);
}

/* ---- opening ---- */

/* libpq quotes what it does not understand, which may be the password: only what precedes the quotation is shown. */
static tcs_status check_url(const postgresql_answer *self, const char *url, tcs_error *err)
{
    char *reason = NULL;
    PQconninfoOption *parts = PQconninfoParse(url, &reason);
    bool is_address = strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0;
    tcs_status status = TCS_OK;
    if (!is_address || !parts)
        status = tcsi_fail(err, TCS_E_INVALID, "%s: %.*s; expected postgresql://USER@HOST:PORT/DATABASE", self->base.source,
                           (int)(is_address && reason ? strcspn(reason, "\":\n") : 14), is_address && reason ? reason : "is not a URL  ");
    PQconninfoFree(parts);
    PQfreemem(reason);
    return status;
}

static tcs_status open_connection(postgresql_answer *self, const char *url, tcs_error *err)
{
    /* What stands in the URL (dbname) comes last and wins. */
    static const char *const keys[] = { "connect_timeout", "client_encoding", "application_name", "keepalives_idle", "keepalives_interval",
                                        "keepalives_count", "dbname", NULL };
    const char *const values[] = { "10", "UTF8", "tocsin", "30", "10", "3", url, NULL };
    self->connection = PQconnectdbParams(keys, values, 1);
    if (!self->connection || PQstatus(self->connection) != CONNECTION_OK) return fail_connection(self, url, err);
    (void)PQsetNoticeProcessor(self->connection, on_notice, NULL);
    PGresult *begun = PQexec(self->connection, "BEGIN TRANSACTION READ ONLY; SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL timezone = 'UTC';"
                                               "SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'");
    tcs_status status = PQresultStatus(begun) == PGRES_COMMAND_OK ? TCS_OK : fail_connection(self, url, err);
    PQclear(begun);
    return status;
}

static tcs_status describe(postgresql_answer *self, tcs_error *err)
{
    int count = PQnfields(self->row);
    if (count == 0) return tcsi_fail(err, TCS_E_INVALID, "%s: the query gives no columns; expected a select", self->base.source);
    tcs_status status = tcsi_answer_columns(&self->base, (size_t)count, err);
    if (status == TCS_OK && !(self->is_bool = TCSI_NEW_ZEROS(bool, (size_t)count))) status = tcsi_fail_memory(err, "columns");
    for (int c = 0; c < count && status == TCS_OK; c++) {
        Oid type = PQftype(self->row, c);
        self->is_bool[c] = type == TYPE_BOOL;
        self->base.is_time[c] = type == TYPE_DATE || type == TYPE_TIMESTAMP || type == TYPE_TIMESTAMPTZ;
        self->base.names[c] = tcsi_strdup(PQfname(self->row, c));
        if (!self->base.names[c]) status = tcsi_fail_memory(err, "column names");
    }
    return status;
}

static tcs_status submit(postgresql_answer *self, const char *url, const char *query, tcs_error *err)
{
    if (!PQsendQueryParams(self->connection, query, 0, NULL, NULL, NULL, NULL, 0) || !PQsetSingleRowMode(self->connection))
        return fail_connection(self, url, err);
    tcs_status status = fetch(self, &self->ended, err);
    self->has_pending = status == TCS_OK && !self->ended;
    return status == TCS_OK ? describe(self, err) : status;
}

tcs_status tcsi_postgresql_open(const char *url, const char *query, tcsi_answer **ret_answer, tcs_error *err)
{
    static const tcsi_answer_ops ops = { next, text, NULL, NULL, destroy };
    char shown[256];
    postgresql_answer *self = TCSI_NEW(postgresql_answer);
    if (!self) return tcsi_fail_memory(err, "a reader");
    self->base = (tcsi_answer){ .ops = &ops, .format = "PostgreSQL", .source = tcsi_strdup(tcsi_url_redact(url, shown, sizeof shown)) };
    tcs_status status = self->base.source ? check_url(self, url, err) : tcsi_fail_memory(err, "a reader");
    if (status == TCS_OK) status = open_connection(self, url, err);
    if (status == TCS_OK) status = submit(self, url, query, err);
    if (status == TCS_OK) *ret_answer = &self->base;
    else tcsi_answer_destroy(&self->base);
    return status;
}
