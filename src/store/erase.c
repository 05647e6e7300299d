/* store/erase.c -- what is kept of one series goes, and with it what was said about it.
 *
 * Blocks, episodes and messages are removed.  Labels are numbered without gaps, so that one that somebody takes out shows; an erased one
 * stays as a tombstone with its number, its id and its time, sealed anew.  The audit log is a chain and stays whole: whoever writes into it
 * writes no more of a person than its time to live allows.
 * What was removed still stands in free pages, until `compact` has written the file anew; in backups it stands as long as they do.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/inside.h"

#include <stdio.h>
#include <string.h>

static const char TOMBSTONE[] = "{\"erased\":true}";

/* ---- what is found before it is changed: one result is open at a time ---- */

static tcs_status append_text(tcsi_buffer *out, const char *text, tcs_error *err)
{
    return tcsi_buffer_append(out, text, strlen(text) + 1, err);
}

static bool keep_id(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    *ret_status = append_text(context, tcsi_rows_text(rows, 0), err);
    return *ret_status == TCS_OK;
}

static bool keep_label(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    const int64_t numbers[] = { tcsi_rows_integer(rows, 0), tcsi_rows_integer(rows, 2) };
    *ret_status = tcsi_buffer_append(context, numbers, sizeof numbers, err);
    if (*ret_status == TCS_OK) *ret_status = append_text(context, tcsi_rows_text(rows, 1), err);
    if (*ret_status == TCS_OK) *ret_status = append_text(context, tcsi_rows_text(rows, 3), err);
    return *ret_status == TCS_OK;
}

typedef struct message_search {
    const char *name;            /* of the series; "": nobody looks for it */
    const tcsi_buffer *episodes; /* ids, each with its 0 */
    tcsi_buffer *found;          /* receiver and id, each with its 0 */
    size_t count;
} message_search;

static bool holds_text(const char *bytes, size_t size, const char *text)
{
    const size_t length = strlen(text);
    for (size_t i = 0; length > 0 && i + length <= size; i++)
        if (bytes[i] == *text && memcmp(bytes + i, text, length) == 0) return true;
    return false;
}

/* A message tells of the series when its name or an episode's id stands in it. */
static bool search_message(void *context, tcsi_rows *rows, tcs_status *ret_status, tcs_error *err)
{
    message_search *search = context;
    size_t size;
    const char *payload = tcsi_rows_bytes(rows, 2, &size);
    bool is_about = holds_text(payload, size, search->name);
    for (size_t at = 0; at < search->episodes->size && !is_about; at += strlen(search->episodes->data + at) + 1)
        is_about = holds_text(payload, size, search->episodes->data + at);
    if (!is_about) return true;
    search->count++;
    *ret_status = append_text(search->found, tcsi_rows_text(rows, 0), err);
    if (*ret_status == TCS_OK) *ret_status = append_text(search->found, tcsi_rows_text(rows, 1), err);
    return *ret_status == TCS_OK;
}

/* ---- erasing ---- */

static tcs_status erase_messages(tcsi_store *store, const char *name, const tcsi_buffer *episodes, tcsi_buffer *found, size_t *ret_count,
                                 tcs_error *err)
{
    message_search search = { name, episodes, found, 0 };
    tcs_status status = tcsi_store_run(store, TCSI_SQL_COPY_OUT_OUTBOX, NULL, 0, search_message, &search, err);
    for (size_t at = 0; at < found->size && status == TCS_OK;) {
        const char *receiver = found->data + at, *id = receiver + strlen(receiver) + 1;
        const tcsi_value values[] = { tcsi_value_text(receiver), tcsi_value_text(id) };
        at += strlen(receiver) + strlen(id) + 2;
        status = tcsi_store_run(store, TCSI_SQL_OUTBOX_ERASE, values, TCS_COUNT(values), NULL, NULL, err);
    }
    *ret_count = search.count;
    return status;
}

static tcs_status erase_labels(tcsi_store *store, const tcsi_buffer *found, size_t *ret_count, tcs_error *err)
{
    tcs_status status = TCS_OK;
    *ret_count = 0;
    for (size_t at = 0; at < found->size && status == TCS_OK; ++*ret_count) {
        int64_t numbers[2];
        memcpy(numbers, found->data + at, sizeof numbers);
        const char *id = found->data + at + sizeof numbers, *undoes = id + strlen(id) + 1;
        const tcsi_store_label label = { .sequence = numbers[0], .id = id, .episode_id = "", .verdict = "", .author = "",
                                         .time_ns = numbers[1], .undoes = undoes, .document = TOMBSTONE };
        const tcsi_value values[] = { tcsi_value_integer(label.sequence), tcsi_value_text(TOMBSTONE),
                                      tcsi_value_integer((int64_t)tcsi_store_label_seal(&label)) };
        at += sizeof numbers + strlen(id) + strlen(undoes) + 2;
        status = tcsi_store_run(store, TCSI_SQL_LABEL_ERASE, values, TCS_COUNT(values), NULL, NULL, err);
    }
    return status;
}

static tcs_status erase(tcsi_store *store, int64_t series_id, const char *name, tcsi_buffer *episodes, tcsi_buffer *found,
                        tcsi_store_erased *ret_erased, tcs_error *err)
{
    const tcsi_value series = tcsi_value_integer(series_id);
    tcs_status status = tcsi_store_run(store, TCSI_SQL_LABEL_ERASABLE, &series, 1, keep_label, found, err);
    if (status == TCS_OK) status = erase_labels(store, found, &ret_erased->label_count, err);
    if (status == TCS_OK) status = tcsi_store_run(store, TCSI_SQL_RECORD_ERASABLE, &series, 1, keep_id, episodes, err);
    tcsi_buffer_clear(found);
    if (status == TCS_OK) status = erase_messages(store, name, episodes, found, &ret_erased->message_count, err);
    if (status == TCS_OK)
        status = tcsi_store_run(store, TCSI_SQL_RECORD_ERASE, &series, 1, tcsi_store_count_row, &ret_erased->record_count, err);
    if (status == TCS_OK)
        status = tcsi_store_run(store, TCSI_SQL_BLOCK_ERASE, &series, 1, tcsi_store_count_row, &ret_erased->block_count, err);
    return status == TCS_OK ? tcsi_store_run(store, TCSI_SQL_SERIES_ERASE, &series, 1, NULL, NULL, err) : status;
}

tcs_status tcsi_store_erase(tcsi_store *store, int64_t series_id, const char *name, tcsi_store_erased *ret_erased, tcs_error *err)
{
    tcsi_scope scope;
    tcsi_buffer episodes, found;
    tcsi_store_erased erased = { 0 };
    tcs_status status = tcsi_store_enter(store, TCSI_TO_CHANGE, &scope, err);
    if (status != TCS_OK) return status;
    tcsi_buffer_init(&episodes, (size_t)1 << 30);
    tcsi_buffer_init(&found, (size_t)1 << 30);
    status = erase(store, series_id, name, &episodes, &found, &erased, err);
    tcsi_buffer_deinit(&episodes);
    tcsi_buffer_deinit(&found);
    status = tcsi_store_leave(store, scope, status, err);
    if (status == TCS_OK) *ret_erased = erased;
    return status;
}

tcs_status tcsi_store_compact(tcsi_store *store, tcs_error *err)
{
    TCS_ASSERT(!store->begun && !store->inside);
    tcs_status status = store->database->ops->ready(store->database, err);
    if (status == TCS_OK) status = store->database->ops->script(store->database, "vacuum", err);
    return status == TCS_OK ? store->database->ops->complete(store->database, err) : status; /* what the log still says goes too */
}
