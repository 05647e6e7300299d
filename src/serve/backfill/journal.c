/* serve/backfill/journal.c -- rows out of another service's journal.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/backfill/send.h"

#include "serve/ingest/rate.h"
#include "serve/intake.h"

#include <stdio.h>

enum { NAME_MAX_SIZE = 1 << 17 };

typedef struct past {
    tcsi_past_each each;
    void *context;
    tcsi_batch batch;
    tcsi_buffer name;
    bool without_counters, is_ended;
} past;

/* Series that nobody can name were refused then, and are passed over; so are marks of the end. */
static tcs_status give_series(past *p, size_t index, double share, tcs_error *err)
{
    const tcsi_batch_series *series = &p->batch.series[index];
    tcsi_key key;
    if (tcsi_batch_key(&p->batch, index, &key) != TCSI_OUTCOME_ACCEPTED) return TCS_OK;
    if (p->without_counters && tcsi_rate_kind((tcsi_series_kind)series->kind, &key) == TCSI_SERIES_COUNTER) return TCS_OK;
    tcsi_buffer_clear(&p->name);
    const tcs_status status = tcsi_key_print(&key, &p->name, err);
    for (uint32_t i = series->sample_begin; status == TCS_OK && !p->is_ended && i < series->sample_begin + series->sample_count; i++)
        if (!tcsi_value_is_stale(p->batch.values[i]))
            p->is_ended = !p->each(p->context, p->name.data, p->batch.times_ns[i], p->batch.values[i], share);
    return status;
}

static tcs_status give_record(past *p, const tcsi_journal_record *record, double share, tcs_error *err)
{
    tcs_status status = tcsi_intake_decode(record, &p->batch, err);
    for (size_t i = 0; status == TCS_OK && !p->is_ended && i < p->batch.series_count; i++) status = give_series(p, i, share, err);
    return status;
}

/* How many records there are, for the share that was read. */
static tcs_status count_records(const char *journal, uint64_t *ret_first, uint64_t *ret_last, tcs_error *err)
{
    tcsi_journal_cursor *cursor = NULL;
    tcsi_journal_record record;
    bool is_end = false;
    *ret_first = *ret_last = 0;
    tcs_status status = tcsi_journal_cursor_open(journal, 1, &cursor, err);
    while (status == TCS_OK && (status = tcsi_journal_cursor_next(cursor, &record, &is_end, err)) == TCS_OK && !is_end) {
        if (*ret_first == 0) *ret_first = record.sequence;
        *ret_last = record.sequence;
    }
    tcsi_journal_cursor_close(cursor);
    return status;
}

tcs_status tcsi_past_of_journal(const char *folder, bool without_counters, tcsi_past_each each, void *context, tcs_error *err)
{
    past p = { .each = each, .context = context, .without_counters = without_counters };
    tcsi_journal_cursor *cursor = NULL;
    tcsi_journal_record record;
    char journal[4096];
    uint64_t first, last;
    bool is_end = false;
    snprintf(journal, sizeof journal, "%s/journal", folder);
    tcs_status status = count_records(journal, &first, &last, err);
    tcsi_batch_init(&p.batch, NULL);
    tcsi_buffer_init(&p.name, NAME_MAX_SIZE);
    if (status == TCS_OK) status = tcsi_journal_cursor_open(journal, 1, &cursor, err);
    while (status == TCS_OK && !p.is_ended && (status = tcsi_journal_cursor_next(cursor, &record, &is_end, err)) == TCS_OK && !is_end) {
        if (record.sequence > last) break;
        const double share = last > first ? (double)(record.sequence - first) / (double)(last - first) : 1;
        if (record.kind == TCSI_RECORD_ROWS) status = give_record(&p, &record, share, err);
    }
    tcsi_journal_cursor_close(cursor);
    tcsi_batch_deinit(&p.batch);
    tcsi_buffer_deinit(&p.name);
    return status;
}
