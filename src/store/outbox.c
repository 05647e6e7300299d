/* store/outbox.c -- messages that must reach somebody, at least once (C. Richardson, Microservices Patterns, 2018: the transactional
 * outbox).  A message is put in the same scope as what it tells of, so that neither is there without the other.  One that was sent stays
 * as an id without payload until it is forgotten: when a journal is replayed, the same message is put again, and must not be sent again.
 * Each receiver has a queue of its own: what is due is asked per receiver, by an index over those that wait.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include <stdio.h>
#include <string.h>

enum { WAITING = 0, DONE = 1, GIVEN_UP = 2, REPLACED = 3 };
enum { NAME_SIZE = 512 };

tcs_status tcsi_store_outbox_put(tcsi_store *store, const tcsi_store_message *message, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(message->receiver), tcsi_value_text(message->id),
                                  tcsi_value_bytes(message->payload, message->payload_size),
                                  tcsi_value_text(message->trace ? message->trace : ""), tcsi_value_integer(message->due_ns) };
    return tcsi_store_change(store, TCSI_SQL_OUTBOX_PUT, values, TCS_COUNT(values), err);
}

typedef struct listing {
    const char *receiver;
    tcsi_store_message_each each;
    void *context;
} listing;

static bool give_message(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    const listing *list = context;
    size_t size;
    const void *payload = tcsi_rows_bytes(rows, 1, &size);
    const tcsi_store_message message = {
        list->receiver, tcsi_rows_text(rows, 0), payload, size, tcsi_rows_text(rows, 2), tcsi_rows_integer(rows, 3),
        (uint32_t)tcsi_rows_integer(rows, 4), tcsi_rows_text(rows, 5),
    };
    return rows->status == TCS_OK && list->each(list->context, &message);
}

tcs_status tcsi_store_outbox_due(tcsi_store *store, const char *receiver, int64_t now_ns, size_t limit, tcsi_store_message_each each,
                                 void *context, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(receiver), tcsi_value_integer(now_ns), tcsi_value_limit(limit) };
    listing list = { receiver, each, context };
    return tcsi_store_read(store, TCSI_SQL_OUTBOX_DUE, values, TCS_COUNT(values), give_message, &list, err);
}

tcs_status tcsi_store_outbox_done(tcsi_store *store, const char *receiver, const char *id, int64_t now_ns, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(receiver), tcsi_value_text(id), tcsi_value_integer(now_ns), tcsi_value_bytes("", 0) };
    return tcsi_store_change(store, TCSI_SQL_OUTBOX_DONE, values, TCS_COUNT(values), err);
}

tcs_status tcsi_store_outbox_replace(tcsi_store *store, const char *receiver, const char *id, int64_t now_ns, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(receiver), tcsi_value_text(id), tcsi_value_integer(now_ns), tcsi_value_bytes("", 0) };
    return tcsi_store_change(store, TCSI_SQL_OUTBOX_REPLACE, values, TCS_COUNT(values), err);
}

tcs_status tcsi_store_outbox_retry(tcsi_store *store, const char *receiver, const char *id, int64_t now_ns, int64_t due_ns,
                                   const char *error, tcs_error *err)
{
    const bool gives_up = due_ns == INT64_MAX, is_sent = !*error && !gives_up;
    const tcsi_value values[] = { tcsi_value_text(receiver), tcsi_value_text(id), tcsi_value_integer(gives_up ? GIVEN_UP : WAITING),
                                  tcsi_value_integer(due_ns), tcsi_value_integer(gives_up || is_sent ? now_ns : 0),
                                  tcsi_value_text(error) };
    return tcsi_store_change(store, TCSI_SQL_OUTBOX_RETRY, values, TCS_COUNT(values), err);
}

static bool keep_stats(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    tcsi_store_outbox_stats *stats = context;
    stats->waiting_count = (uint64_t)tcsi_rows_integer(rows, 0);
    stats->given_up_count = (uint64_t)tcsi_rows_integer(rows, 1);
    stats->due_ns_min = tcsi_rows_integer(rows, 2);
    return true;
}

tcs_status tcsi_store_outbox_stat(tcsi_store *store, const char *receiver, tcsi_store_outbox_stats *ret_stats, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(receiver) };
    tcsi_store_outbox_stats stats = { 0 };
    tcs_status status = tcsi_store_read(store, TCSI_SQL_OUTBOX_STAT, values, 1, keep_stats, &stats, err);
    if (status == TCS_OK) *ret_stats = stats;
    return status;
}

/* ---- who was told ---- */

typedef struct telling {
    const char *receiver;
    tcsi_store_told_each each;
    void *context;
    bool is_over;
} telling;

static bool give_told(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    telling *t = context;
    const int64_t state = tcsi_rows_integer(rows, 4), ended_ns = tcsi_rows_integer(rows, 5);
    const char *error = tcsi_rows_text(rows, 6);
    const bool is_sent = state == DONE || (state == WAITING && ended_ns > 0);
    const tcsi_store_told told = { .receiver = t->receiver, .id = tcsi_rows_text(rows, 0), .trace = tcsi_rows_text(rows, 1),
                                   .outcome = is_sent ? TCSI_STORE_TOLD_SENT : state == GIVEN_UP ? TCSI_STORE_TOLD_GIVEN_UP
                                              : state == REPLACED ? TCSI_STORE_TOLD_REPLACED : TCSI_STORE_TOLD_WAITING,
                                   .time_ns = ended_ns, .attempt_count = (uint32_t)tcsi_rows_integer(rows, 3), .error = error };
    t->is_over = rows->status != TCS_OK || !t->each(t->context, &told);
    return !t->is_over;
}

typedef struct naming {
    char name[NAME_SIZE];
    bool is_found;
} naming;

static bool take_name(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    naming *n = context;
    const int length = snprintf(n->name, sizeof n->name, "%s", tcsi_rows_text(rows, 0));
    n->is_found = true;
    if (length >= (int)sizeof n->name) *ret_status = tcsi_fail(err, TCS_E_FORMAT, "a receiver's name of %d bytes", length);
    return false;
}

tcs_status tcsi_store_outbox_told(tcsi_store *store, const char *key, tcsi_store_told_each each, void *context, tcs_error *err)
{
    char from[NAME_SIZE], to[NAME_SIZE];
    naming n = { .name = "" };
    telling t = { .each = each, .context = context };
    if (snprintf(from, sizeof from, "%s#", key) >= (int)sizeof from)
        return tcsi_fail(err, TCS_E_INVALID, "a key of %zu bytes", strlen(key));
    snprintf(to, sizeof to, "%s$", key); /* what comes behind # */
    for (tcs_status status = TCS_OK; !t.is_over;) {
        const tcsi_value after = tcsi_value_text(n.name);
        naming next = { .name = "" };
        status = tcsi_store_read(store, TCSI_SQL_OUTBOX_RECEIVER, &after, 1, take_name, &next, err);
        if (status != TCS_OK || !next.is_found) return status;
        n = next;
        t.receiver = n.name;
        const tcsi_value values[] = { tcsi_value_text(n.name), tcsi_value_text(from), tcsi_value_text(to) };
        status = tcsi_store_read(store, TCSI_SQL_OUTBOX_TOLD, values, TCS_COUNT(values), give_told, &t, err);
        if (status != TCS_OK) return status;
    }
    return TCS_OK;
}

tcs_status tcsi_store_outbox_forget(tcsi_store *store, int64_t before_ns, size_t *ret_count, tcs_error *err)
{
    tcsi_scope scope;
    size_t count = 0;
    const tcsi_value values[] = { tcsi_value_integer(before_ns) };
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    if (status != TCS_OK) return status;
    status = tcsi_store_run(store, TCSI_SQL_OUTBOX_FORGET, values, 1, tcsi_store_count_row, &count, err);
    status = tcsi_store_leave(store, scope, status, err);
    if (status == TCS_OK) *ret_count = count;
    return status;
}
