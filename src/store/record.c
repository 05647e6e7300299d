/* store/record.c -- records (episodes, alerts, silences, ...), labels and settings.
 *
 * A record is one row whose document others give meaning to; its columns are what it is found by.  Labels are only ever appended: one that
 * was wrong is taken back by another that names it, so that what was believed when can be told later.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include "base/codec.h"

#include <stdio.h>
#include <string.h>

/* ---- records ---- */

tcs_status tcsi_store_record_put(tcsi_store *store, const tcsi_store_record *record, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_integer(record->kind), tcsi_value_text(record->id), tcsi_value_integer(record->series_id),
                                  tcsi_value_integer(record->state), tcsi_value_integer(record->begin_ns),
                                  tcsi_value_integer(record->end_ns), tcsi_value_integer(record->updated_ns),
                                  tcsi_value_text(record->document) };
    return tcsi_store_change(store, TCSI_SQL_RECORD_PUT, values, TCS_COUNT(values), err);
}

tcs_status tcsi_store_record_remove(tcsi_store *store, tcsi_store_record_kind kind, const char *id, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_integer(kind), tcsi_value_text(id) };
    return tcsi_store_change(store, TCSI_SQL_RECORD_REMOVE, values, TCS_COUNT(values), err);
}

typedef struct record_listing {
    tcsi_store_record_each each;
    void *context;
    const tcsi_store_record_query *query;
} record_listing;

static bool give_record(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    const record_listing *list = context;
    const tcsi_store_record record = {
        (tcsi_store_record_kind)tcsi_rows_integer(rows, 0), tcsi_rows_text(rows, 1), tcsi_rows_integer(rows, 2), tcsi_rows_integer(rows, 3),
        tcsi_rows_integer(rows, 4), tcsi_rows_integer(rows, 5), tcsi_rows_integer(rows, 6), tcsi_rows_text(rows, 7),
    };
    const bool other_series = list->query->series_id != 0 && record.series_id != list->query->series_id; /* of one looked for by its id */
    return rows->status == TCS_OK && (other_series || list->each(list->context, &record));
}

tcs_status tcsi_store_record_list(tcsi_store *store, const tcsi_store_record_query *query, tcsi_store_record_each each, void *context,
                                  tcs_error *err)
{
    const bool any_state = query->state_min == 0 && query->state_max == 0;
    const tcsi_value values[] = {
        tcsi_value_integer(query->kind), tcsi_value_integer(any_state ? INT64_MIN : query->state_min),
        tcsi_value_integer(any_state ? INT64_MAX : query->state_max), tcsi_value_integer(query->from_ns ? query->from_ns : INT64_MIN),
        tcsi_value_integer(query->to_ns ? query->to_ns : INT64_MAX), tcsi_value_integer(query->before_id ? query->before_ns : INT64_MAX),
        tcsi_value_text(query->before_id ? query->before_id : ""), tcsi_value_limit(query->limit),
        query->id ? tcsi_value_text(query->id) : tcsi_value_integer(query->series_id),
    };
    const tcsi_statement statement = query->id          ? TCSI_SQL_RECORD_GET
                                   : query->series_id ? TCSI_SQL_RECORD_LIST_SERIES : TCSI_SQL_RECORD_LIST;
    record_listing list = { each, context, query };
    return tcsi_store_read(store, statement, values, statement == TCSI_SQL_RECORD_LIST ? 8 : 9, give_record, &list, err);
}

/* ---- labels ---- */

/* Over every field, each with its final 0. */
uint64_t tcsi_store_label_seal(const tcsi_store_label *label)
{
    const char *const texts[] = { label->id, label->episode_id, label->verdict, label->author, label->undoes, label->document };
    const int64_t place[] = { label->sequence, label->time_ns };
    uint64_t seal = tcsi_store_seal(place, TCS_COUNT(place), "", 0);
    for (size_t i = 0; i < TCS_COUNT(texts); i++) seal = tcsi_seal(seal, texts[i] ? texts[i] : "", texts[i] ? strlen(texts[i]) + 1 : 1);
    return seal;
}

typedef struct text_found {
    char text[256]; /* cut: for comparing with short ids and for messages only */
    bool found, is_null;
} text_found;

static bool keep_text(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    text_found *found = context;
    const char *text = tcsi_rows_text(rows, 0);
    found->found = true;
    found->is_null = *text == 0;
    (void)snprintf(found->text, sizeof found->text, "%s", text);
    return true;
}

/* That label->undoes can be taken back. */
static tcs_status check_undo(tcsi_store *store, const tcsi_store_label *label, tcs_error *err)
{
    const tcsi_value id = tcsi_value_text(label->undoes);
    text_found target = { 0 }, undo = { 0 };
    tcs_status status = tcsi_store_run(store, TCSI_SQL_LABEL_FIND, &id, 1, keep_text, &target, err);
    if (status == TCS_OK) status = tcsi_store_run(store, TCSI_SQL_LABEL_FIND_UNDO, &id, 1, keep_text, &undo, err);
    if (status != TCS_OK) return status;
    if (!target.found) return tcsi_fail(err, TCS_E_INVALID, "there is no label '%s' that could be taken back", label->undoes);
    if (!target.is_null) return tcsi_fail(err, TCS_E_INVALID, "'%s' takes back another label; expected a label", label->undoes);
    if (undo.found) return tcsi_fail(err, TCS_E_INVALID, "label '%s' was taken back already, by '%s'", label->undoes, undo.text);
    return TCS_OK;
}

static tcs_status put_label(tcsi_store *store, const tcsi_store_label *label, tcs_error *err)
{
    const bool is_undo = label->undoes && *label->undoes;
    const tcsi_value id = tcsi_value_text(label->id);
    tcsi_store_label numbered = *label;
    text_found same = { 0 };
    bool found;
    tcs_status status = tcsi_store_run(store, TCSI_SQL_LABEL_FIND, &id, 1, keep_text, &same, err);
    if (status != TCS_OK || same.found) return status;
    if (is_undo) status = check_undo(store, label, err);
    if (status == TCS_OK) status = tcsi_store_ask(store, TCSI_SQL_LABEL_NEXT, NULL, 0, &numbered.sequence, &found, err);
    const tcsi_value values[] = { tcsi_value_integer(numbered.sequence), id, tcsi_value_text(label->episode_id),
                                  tcsi_value_text(label->verdict), tcsi_value_text(label->author), tcsi_value_integer(label->time_ns),
                                  tcsi_value_text(is_undo ? label->undoes : NULL), tcsi_value_text(label->document),
                                  tcsi_value_integer((int64_t)tcsi_store_label_seal(&numbered)) };
    return status == TCS_OK ? tcsi_store_run(store, TCSI_SQL_LABEL_PUT, values, TCS_COUNT(values), NULL, NULL, err) : status;
}

tcs_status tcsi_store_label_put(tcsi_store *store, const tcsi_store_label *label, tcs_error *err)
{
    tcsi_scope scope;
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    return status == TCS_OK ? tcsi_store_leave(store, scope, put_label(store, label, err), err) : status;
}

typedef struct label_listing {
    tcsi_store_label_each each;
    void *context;
} label_listing;

static bool give_label(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    (void)ret_status;
    (void)err;
    const label_listing *list = context;
    const tcsi_store_label label = {
        tcsi_rows_integer(rows, 0), tcsi_rows_text(rows, 1), tcsi_rows_text(rows, 2), tcsi_rows_text(rows, 3), tcsi_rows_text(rows, 4),
        tcsi_rows_integer(rows, 5), tcsi_rows_text(rows, 6), tcsi_rows_text(rows, 7), tcsi_rows_integer(rows, 8) > 0,
    };
    return rows->status == TCS_OK && list->each(list->context, &label);
}

tcs_status tcsi_store_label_list(tcsi_store *store, const char *episode_id, int64_t after, size_t limit, tcsi_store_label_each each,
                                 void *context, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_integer(after), tcsi_value_limit(limit), tcsi_value_text(episode_id) };
    const tcsi_statement statement = episode_id ? TCSI_SQL_LABEL_LIST_EPISODE : TCSI_SQL_LABEL_LIST;
    return tcsi_store_read(store, statement, values, episode_id ? 3 : 2, give_label, &(label_listing){ each, context }, err);
}

/* ---- settings ---- */

tcs_status tcsi_store_setting_set(tcsi_store *store, const char *name, const char *value, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(name), tcsi_value_text(value) };
    return tcsi_store_change(store, value ? TCSI_SQL_SETTING_SET : TCSI_SQL_SETTING_UNSET, values, value ? 2 : 1, err);
}

typedef struct setting_found {
    tcsi_buffer *value;
    bool found;
} setting_found;

static bool keep_setting(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    setting_found *found = context;
    found->found = true;
    *ret_status = tcsi_buffer_puts(found->value, tcsi_rows_text(rows, 0), err);
    return false;
}

tcs_status tcsi_store_setting_get(tcsi_store *store, const char *name, tcsi_buffer *value, bool *ret_found, tcs_error *err)
{
    const tcsi_value values[] = { tcsi_value_text(name) };
    setting_found found = { .value = value };
    tcs_status status = tcsi_store_read(store, TCSI_SQL_SETTING_GET, values, 1, keep_setting, &found, err);
    if (status == TCS_OK) *ret_found = found.found;
    return status;
}
