/* store/schema.c -- one list of steps; step n leads from version n to n + 1, and an empty database is version 0.
 *
 * A new database takes every step, as an old one takes those it lacks: what a new installation has is what an upgraded one has, because
 * it was made the same way.  A step is never edited once released.  All steps that are needed and the new number are one scope: a crash
 * in between leaves the old version.  meta is there in every version, as the place where the number stands.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const steps[TCSI_SCHEMA_VERSION] = {
    /* 1: everything but who leads.  digest: the first 16 bytes of SHA-256, as tags may be longer than an index takes. */
    "create table setting(name {text} primary key, value {text} not null);"
    "create table series(id {key}, digest {bytes} not null unique, tags {bytes} not null, text {text} not null,"
    "  first_seen_ns bigint not null);"
    "create table block(series_id bigint not null, kind bigint not null, first_ns bigint not null, last_ns bigint not null,"
    "  row_count bigint not null, seal bigint not null, bytes {bytes} not null, primary key (series_id, kind, first_ns));"
    "create table record(kind bigint not null, id {text} not null, series_id bigint not null, state bigint not null,"
    "  begin_ns bigint not null, end_ns bigint not null, updated_ns bigint not null, document {text} not null, primary key (kind, id));"
    "create index record_time on record(kind, begin_ns, id);"
    "create index record_series on record(kind, series_id, begin_ns, id);"
    "create table label(sequence {key}, id {text} not null unique, episode_id {text} not null, verdict {text} not null,"
    "  author {text} not null, time_ns bigint not null, undoes {text} unique, document {text} not null);"
    "create index label_episode on label(episode_id, sequence);"
    "create table model(hash {text} primary key, size bigint not null, created_ns bigint not null, document {text} not null,"
    "  bytes {bytes} not null);"
    "create table alias(name {text} primary key, hash {text} not null);"
    "create table outbox(receiver {text} not null, id {text} not null, payload {bytes} not null, due_ns bigint not null,"
    "  attempt_count bigint not null, state bigint not null, ended_ns bigint not null, error {text} not null, primary key (receiver, id));"
    "create table audit(sequence {key}, id {text} not null unique, time_ns bigint not null, actor {text} not null, action {text} not null,"
    "  object {text} not null, detail {text} not null, hash {bytes} not null);"
    "create table snapshot(name {text} not null, number bigint not null, position bigint not null, time_ns bigint not null,"
    "  part_count bigint not null, size bigint not null, is_complete bigint not null, primary key (name, number));"
    "create table snapshot_part(name {text} not null, number bigint not null, part bigint not null, seal bigint not null,"
    "  size bigint not null, bytes {bytes} not null, primary key (name, number, part));",
    /* 2: the trace of a request goes with what it causes to be sent; what is due, and what is old, is found without reading everything;
     * of two processes one leads. */
    "alter table outbox add column trace {text} not null default '';"
    "create index outbox_due on outbox(receiver, due_ns, id) where state = 0;"
    "create index outbox_ended on outbox(ended_ns) where state <> 0;"
    "create index block_end on block(kind, last_ns);"
    "create table lease(name {text} primary key, holder {text} not null, token bigint not null, until_ns bigint not null);",
    /* 3: what people answered is sealed like what machines wrote; what an earlier version took has no seal. */
    "alter table label add column seal bigint;",
    /* 4: the journal of processes that stand by for each other; how far whoever leads has kept what follows from it. */
    "create table journal(first bigint primary key, last bigint not null, token bigint not null, seal bigint not null,"
    "  bytes {bytes} not null);"
    "alter table lease add column mark bigint not null default 0;",
    /* 5: who decides follows from a few entries of a log that may be long. */
    "create index audit_action on audit(action, sequence);",
};

/* text with the words in braces as this database spells them. */
static tcs_status spell(const tcsi_database_ops *ops, const char *text, tcsi_buffer *out, tcs_error *err)
{
    tcs_status status = TCS_OK;
    while (*text && status == TCS_OK) {
        size_t plain = strcspn(text, "{");
        status = tcsi_buffer_append(out, text, plain, err);
        text += plain;
        if (status != TCS_OK || !*text) break;
        size_t word = strcspn(text, "}") + 1;
        const char *spelt = strncmp(text, "{bytes}", word) == 0 ? ops->type_bytes : strncmp(text, "{text}", word) == 0 ? ops->type_text
                          : strncmp(text, "{key}", word) == 0 ? ops->type_key : NULL;
        TCS_ASSERT(spelt);
        status = tcsi_buffer_puts(out, spelt, err);
        text += word;
    }
    return status;
}

static tcs_status script(tcsi_database *database, const char *text, tcs_error *err)
{
    tcsi_buffer spelt;
    if (!*text) return TCS_OK;
    tcsi_buffer_init(&spelt, 1 << 16);
    tcs_status status = spell(database->ops, text, &spelt, err);
    if (status == TCS_OK) status = database->ops->script(database, spelt.data, err);
    tcsi_buffer_deinit(&spelt);
    return status;
}

/* What meta says; 0: nothing. */
static tcs_status read_version(tcsi_database *database, int64_t *ret_version, tcs_error *err)
{
    const tcsi_value name = tcsi_value_text("schema_version");
    bool end = true;
    tcs_status status = database->ops->run(database, TCSI_SQL_META_GET, &name, 1, err);
    if (status == TCS_E_INVALID) status = tcsi_fail(err, TCS_E_FORMAT, "%s: is no store of tocsin", database->where); /* no such table */
    if (status == TCS_OK) status = database->ops->next(database, &end, err);
    int64_t version = 0;
    if (status == TCS_OK && !end) {
        tcsi_value value = database->ops->value(database, 0, TCSI_VALUE_TEXT);
        char text[24];
        if (value.bytes) snprintf(text, sizeof text, "%.*s", (int)(value.size < 20 ? value.size : 20), (const char *)value.bytes);
        version = value.bytes ? strtoll(text, NULL, 10) : 0;
        if (!value.bytes) status = tcsi_fail_memory(err, "the schema's version");
        else if (version < 1)
            status = tcsi_fail(err, TCS_E_FORMAT, "%s: the store is damaged: '%s' is no version of its schema", database->where, text);
    }
    database->ops->finish(database);
    if (status == TCS_OK) *ret_version = version;
    return status;
}

static tcs_status upgrade(tcsi_database *database, int64_t from, int64_t to, tcs_error *err)
{
    char text[24];
    tcs_status status = TCS_OK;
    for (int64_t version = from; version < to && status == TCS_OK; version++) status = script(database, steps[version], err);
    if (status == TCS_OK && to == TCSI_SCHEMA_VERSION) status = script(database, database->ops->after, err);
    snprintf(text, sizeof text, "%lld", (long long)to);
    const tcsi_value values[] = { tcsi_value_text("schema_version"), tcsi_value_text(text) };
    if (status == TCS_OK) status = database->ops->run(database, TCSI_SQL_META_SET, values, TCS_COUNT(values), err);
    return status;
}

static tcs_status judge(const tcsi_database *database, int64_t found, int64_t version, bool may_change, tcs_error *err)
{
    if (found > version)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: was written by a newer version of tocsin (schema %lld; this one knows up to %lld)",
                         database->where, (long long)found, (long long)version);
    if (found < version && !may_change)
        return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s: has schema %lld; expected %lld (a service that opens it upgrades it)",
                         database->where, (long long)found, (long long)version);
    return TCS_OK;
}

tcs_status tcsi_schema_open(tcsi_database *database, int64_t version, bool may_change, tcs_error *err)
{
    static const char meta[] = "create table if not exists meta(name {text} primary key, value {text} not null);";
    int64_t found = 0;
    tcs_status status = database->ops->begin(database, !may_change, err);
    if (status != TCS_OK) return status;
    if (may_change) status = script(database, database->ops->before, err);
    if (may_change && status == TCS_OK) status = script(database, meta, err);
    if (status == TCS_OK) status = read_version(database, &found, err);
    if (status == TCS_OK) status = judge(database, found, version, may_change, err);
    if (status == TCS_OK && found < version) status = upgrade(database, found, version, err);
    if (status == TCS_OK) return database->ops->commit(database, err);
    database->ops->rollback(database);
    return status;
}
