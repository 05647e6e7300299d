/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/intake.h"

#include "base/alloc.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { HEAD_SIZE = 16, SETTLE_ROWS = 200000 };
static const int64_t KEPT_WAIT_NS = INT64_C(5000000000);

/* What one request needs while it is on its way; used again. */
typedef struct request {
    struct request *next;
    tcsi_batch batch;
    tcsi_buffer record; /* head and body, as the journal has them */
} request;

struct tcsi_intake {
    tcsi_intake_options options;
    tcsi_journal *journal;
    uint64_t ticks, rows;  /* since the last snapshot; of the one who applies */
    tcsi_batch followed;   /* likewise */
    pthread_mutex_t mutex; /* of what follows */
    request *free;
    tcsi_intake_stats stats;
};

/* ---- the record of a request ---- */

static void put_head(unsigned char head[HEAD_SIZE], tcsi_ingest_format format, int64_t receive_ns)
{
    memset(head, 0, HEAD_SIZE);
    head[0] = format.decoder;
    head[1] = format.compression;
    head[2] = format.precision;
    head[3] = format.is_backfill;
    for (size_t i = 0; i < 8; i++) head[8 + i] = (unsigned char)((uint64_t)receive_ns >> 8 * i);
}

/* Behind the head stands the trace that the request carried, if it carried one; head[4] says how long it is. */
static const unsigned char *find_body(const tcsi_journal_record *record, size_t *ret_size)
{
    const unsigned char *bytes = record->bytes;
    const size_t before = record->size < HEAD_SIZE ? 0 : HEAD_SIZE + (size_t)bytes[4];
    if (before == 0 || before > record->size || (bytes[4] != 0 && bytes[4] != TCSI_TRACEPARENT_SIZE)) return NULL;
    *ret_size = record->size - before;
    return bytes + before;
}

static void note_trace(tcsi_traces *traces, const tcsi_journal_record *record)
{
    const unsigned char *bytes = record->bytes;
    if (traces && record->kind == TCSI_RECORD_ROWS && record->size >= HEAD_SIZE + TCSI_TRACEPARENT_SIZE && bytes[4])
        tcsi_traces_put(traces, record->sequence, (const char *)bytes + HEAD_SIZE);
}

static void get_head(const unsigned char head[HEAD_SIZE], tcsi_ingest_format *ret_format, int64_t *ret_receive_ns)
{
    uint64_t time = 0;
    for (size_t i = 0; i < 8; i++) time |= (uint64_t)head[8 + i] << 8 * i;
    *ret_format = (tcsi_ingest_format){ .decoder = head[0], .compression = head[1], .precision = head[2], .is_backfill = head[3] };
    *ret_receive_ns = (int64_t)time;
}

/* ---- in the journal's order ---- */

static void apply_tick(tcsi_intake *intake, const tcsi_journal_record *record, tcs_error *err)
{
    if (tcsi_live_tick(intake->options.live, record->sequence, record->time_ns, err) != TCS_OK) return;
    intake->ticks++;
    const bool is_due = intake->ticks >= intake->options.ticks_a_snapshot || intake->rows >= TCSI_SNAPSHOT_ROWS;
    if (!intake->options.ticks_a_snapshot || !is_due || tcsi_live_is_saving(intake->options.live)) return;
    intake->ticks = intake->rows = 0;
    (void)!tcsi_live_save(intake->options.live, err); /* without it the journal is read from the one before */
}

/* From the thread that wrote; whatever fails here has stopped live, which says so to whoever comes next. */
static void on_written(void *self, const tcsi_journal_record *record, void *context)
{
    tcsi_intake *intake = self;
    request *r = context;
    tcs_error failure;
    if (record->kind == TCSI_RECORD_TICK) {
        apply_tick(intake, record, &failure);
        return;
    }
    if (record->kind == TCSI_RECORD_ACTION) {
        (void)!tcsi_live_act(intake->options.live, record->sequence, record->time_ns, record->bytes, record->size, &failure);
        return;
    }
    if (record->kind == TCSI_RECORD_VERDICTS) {
        (void)!tcsi_live_hear(intake->options.live, record->sequence, record->time_ns, record->bytes, record->size, &failure);
        return;
    }
    note_trace(intake->options.traces, record);
    intake->rows += r->batch.sample_count;
    (void)!tcsi_live_apply(intake->options.live, record->sequence, record->time_ns, &r->batch, &failure);
}

static void on_durable(void *self, uint64_t sequence, int64_t time_ns)
{
    tcsi_live_secure(((tcsi_intake *)self)->options.live, sequence, time_ns);
}

static void on_lost(void *self, void *context)
{
    tcsi_intake *intake = self;
    const request *r = context;
    if (r) tcsi_live_release(intake->options.live, r->batch.sample_count);
}

/* ---- reading it again ---- */

tcs_status tcsi_intake_decode(const tcsi_journal_record *record, tcsi_batch *batch, tcs_error *err)
{
    tcsi_ingest_format format;
    int64_t receive_ns;
    size_t size;
    const unsigned char *body = find_body(record, &size);
    if (!body) return tcsi_fail(err, TCS_E_FORMAT, "rows of %zu bytes", record->size);
    get_head(record->bytes, &format, &receive_ns);
    return tcsi_ingest_decode(format, body, size, receive_ns, batch, err);
}

/* Whoever is patient waits where too many rows do; otherwise E_LIMIT. */
static tcs_status replay_rows(tcsi_live *live, const tcsi_journal_record *record, tcsi_batch *batch, bool is_patient, tcs_error *err)
{
    tcs_status status = tcsi_intake_decode(record, batch, err);
    while (status == TCS_OK && (status = tcsi_live_admit(live, batch->sample_count, err)) == TCS_E_LIMIT && is_patient) {
        tcsi_live_settle(live); /* nobody else is in a hurry */
        status = TCS_OK;
    }
    return status == TCS_OK ? tcsi_live_apply(live, record->sequence, record->time_ns, batch, err) : status;
}

static tcs_status replay_record(tcsi_live *live, const tcsi_journal_record *record, tcsi_batch *batch, bool is_patient, tcs_error *err)
{
    tcs_status status;
    if (record->kind == TCSI_RECORD_ROWS) status = replay_rows(live, record, batch, is_patient, err);
    else if (record->kind == TCSI_RECORD_TICK) status = tcsi_live_tick(live, record->sequence, record->time_ns, err);
    else if (record->kind == TCSI_RECORD_ACTION)
        status = tcsi_live_act(live, record->sequence, record->time_ns, record->bytes, record->size, err);
    else if (record->kind == TCSI_RECORD_VERDICTS)
        status = tcsi_live_hear(live, record->sequence, record->time_ns, record->bytes, record->size, err);
    else status = tcsi_fail(err, TCS_E_UNSUPPORTED, "kind %u, which this version does not know", (unsigned)record->kind);
    if (status != TCS_OK) tcsi_fail_prefix(err, "record %llu of the journal", (unsigned long long)record->sequence);
    return status;
}

static tcs_status replay(const tcsi_intake_options *options, uint64_t until, uint64_t *ret_count, uint64_t *ret_rows, tcs_error *err)
{
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    tcsi_batch batch;
    bool is_end = false;
    uint64_t count = 0, rows = 0;
    *ret_rows = 0;
    tcs_status status = tcsi_journal_cursor_open(options->folder, options->sequence + 1, &cursor, err);
    if (status != TCS_OK) return status;
    tcsi_batch_init(&batch, options->limits);
    while (status == TCS_OK && (until == 0 || options->sequence + count < until)) {
        status = tcsi_journal_cursor_next(cursor, &record, &is_end, err);
        if (status != TCS_OK || is_end) break;
        note_trace(options->traces, &record);
        if (record.sequence != options->sequence + count + 1)
            status = tcsi_fail(err, TCS_E_FORMAT, "%s: records %llu to %llu are missing", options->folder,
                               (unsigned long long)(options->sequence + count + 1), (unsigned long long)record.sequence - 1);
        else if (options->watch && !options->watch(options->watch_self, &record)) break;
        else status = replay_record(options->live, &record, &batch, true, err);
        count += status == TCS_OK;
        rows += record.kind == TCSI_RECORD_ROWS ? batch.sample_count : 0;
        if (rows < SETTLE_ROWS) continue;
        tcsi_live_settle(options->live); /* who is told may be slower than who judges, and what waits for him has no other bound */
        *ret_rows += rows;
        rows = 0;
    }
    tcsi_batch_deinit(&batch);
    tcsi_journal_cursor_close(cursor);
    tcsi_live_settle(options->live);
    *ret_count = count;
    *ret_rows += rows;
    return status;
}

tcs_status tcsi_intake_replay(const tcsi_intake_options *options, uint64_t until, uint64_t *ret_count, tcs_error *err)
{
    uint64_t rows;
    return replay(options, until, ret_count, &rows, err);
}

tcs_status tcsi_intake_follow(tcsi_intake *intake, const void *bytes, size_t size, uint64_t *sequence, int64_t *ret_time_ns, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t offset = 0; status == TCS_OK && offset < size;) {
        tcsi_journal_record record;
        status = tcsi_journal_batch_next(bytes, size, &offset, &record, err);
        if (status != TCS_OK || record.sequence <= *sequence) continue;
        if (record.sequence != *sequence + 1)
            return tcsi_fail(err, TCS_E_FORMAT, "records %llu to %llu of the journal are missing", (unsigned long long)*sequence + 1,
                             (unsigned long long)record.sequence - 1);
        status = replay_record(intake->options.live, &record, &intake->followed, false, err);
        if (status != TCS_OK) continue;
        *sequence = record.sequence;
        *ret_time_ns = record.time_ns;
        intake->ticks += record.kind == TCSI_RECORD_TICK;
        intake->rows += record.kind == TCSI_RECORD_ROWS ? intake->followed.sample_count : 0;
    }
    return status;
}

/* ---- life ---- */

tcs_status tcsi_intake_open(const tcsi_intake_options *options, tcsi_intake **ret_intake, uint64_t *ret_count, tcs_error *err)
{
    tcsi_intake *intake = TCSI_NEW(tcsi_intake);
    if (!intake) return tcsi_fail_memory(err, "the way in");
    intake->options = *options;
    pthread_mutex_init(&intake->mutex, NULL);
    tcsi_batch_init(&intake->followed, options->limits);
    const tcsi_journal_options journal = { .deliver = on_written, .secure = on_durable, .lose = on_lost, .self = intake,
                                           .disk = options->disk, .log = options->log };
    tcs_status status = tcsi_journal_open(options->folder, &journal, &intake->journal, err); /* and with it nobody else writes */
    *ret_count = 0;
    if (status == TCS_OK && !options->log) status = replay(options, 0, ret_count, &intake->rows, err); /* the next start reads them, too */
    if (status == TCS_OK && !options->log && tcsi_journal_stat(intake->journal).sequence_next != options->sequence + *ret_count + 1)
        status = tcsi_fail(err, TCS_E_FORMAT, "%s: ends before record %llu, which the state has seen already", options->folder,
                           (unsigned long long)options->sequence);
    if (status == TCS_OK && !options->log) tcsi_live_secure(options->live, tcsi_journal_stat(intake->journal).sequence_next - 1, 0);
    if (status == TCS_OK) *ret_intake = intake;
    else tcsi_intake_close(intake);
    return status;
}

void tcsi_intake_close(tcsi_intake *intake)
{
    if (!intake) return;
    tcsi_journal_close(intake->journal);
    tcsi_batch_deinit(&intake->followed);
    while (intake->free) {
        request *r = intake->free;
        intake->free = r->next;
        tcsi_batch_deinit(&r->batch);
        tcsi_buffer_deinit(&r->record);
        tcsi_free(r);
    }
    pthread_mutex_destroy(&intake->mutex);
    tcsi_free(intake);
}

tcsi_journal *tcsi_intake_journal(tcsi_intake *intake)
{
    return intake->journal;
}

/* ---- a request ---- */

static request *begin_request(tcsi_intake *intake)
{
    pthread_mutex_lock(&intake->mutex);
    request *r = intake->free;
    if (r) intake->free = r->next;
    pthread_mutex_unlock(&intake->mutex);
    if (r) return r;
    r = TCSI_NEW(request);
    if (!r) return NULL;
    tcsi_batch_init(&r->batch, intake->options.limits);
    tcsi_buffer_init(&r->record, TCSI_JOURNAL_RECORD_MAX);
    return r;
}

static void end_request(tcsi_intake *intake, request *r, bool is_refused)
{
    pthread_mutex_lock(&intake->mutex);
    intake->stats.request_count++;
    intake->stats.refused_count += is_refused;
    for (size_t i = 0; r && !is_refused && i < TCSI_OUTCOME_COUNT; i++)
        if (i != TCSI_OUTCOME_ACCEPTED && i != TCSI_OUTCOME_STALE) intake->stats.outcomes[i] += r->batch.outcomes[i];
    if (r) {
        r->next = intake->free;
        intake->free = r;
    }
    pthread_mutex_unlock(&intake->mutex);
}

static tcs_status keep(tcsi_intake *intake, request *r, tcsi_ingest_format format, const void *body, size_t size, int64_t receive_ns,
                       tcs_error *err)
{
    unsigned char head[HEAD_SIZE];
    tcsi_journal_ticket ticket;
    char trace[TCSI_TRACEPARENT_SIZE + 1];
    const tcsi_trace *current = tcsi_trace_current();
    const bool is_traced = current && *current->parent_id; /* by its sender, not only by us */
    put_head(head, format, receive_ns);
    if (is_traced) head[4] = TCSI_TRACEPARENT_SIZE;
    tcsi_buffer_clear(&r->record);
    tcs_status status = tcsi_buffer_append(&r->record, head, sizeof head, err);
    if (is_traced) tcsi_trace_format(current, trace);
    if (status == TCS_OK && is_traced) status = tcsi_buffer_append(&r->record, trace, TCSI_TRACEPARENT_SIZE, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&r->record, body, size, err);
    if (status != TCS_OK) return status;
    status = tcsi_live_admit(intake->options.live, r->batch.sample_count, err);
    if (status != TCS_OK) return status;
    status = tcsi_journal_append(intake->journal, TCSI_RECORD_ROWS, receive_ns, r->record.data, r->record.size, r, &ticket, err);
    if (status != TCS_OK) {
        tcsi_live_release(intake->options.live, r->batch.sample_count);
        return status;
    }
    return tcsi_journal_sync(intake->journal, ticket, err);
}

void tcsi_intake_take(tcsi_intake *intake, const tcsi_ingest_facts *facts, const void *body, size_t size, int64_t receive_ns,
                      tcsi_buffer *out, tcsi_intake_reply *ret_reply)
{
    tcsi_ingest_format format = { 0 };
    tcs_error failure = { 0 }, unanswered;
    tcsi_batch none = { 0 };
    bool is_full = false;
    request *r = begin_request(intake);
    tcs_status status = r ? tcsi_ingest_choose(facts, &format, &failure) : tcsi_fail_memory(&failure, "a request");
    if (status == TCS_OK) status = tcsi_ingest_decode(format, body, size, receive_ns, &r->batch, &failure);
    if (status == TCS_OK && r->batch.sample_count > 0) {
        status = keep(intake, r, format, body, size, receive_ns, &failure);
        is_full = status == TCS_E_LIMIT;
    }
    tcsi_intake_reply reply = { 0 };
    if (tcsi_ingest_reply_to(format, status, &failure, r ? &r->batch : &none, out, &reply.http, &unanswered) != TCS_OK)
        reply.http = (tcsi_ingest_reply){ .code = status == TCS_OK ? 204 : 503 };
    if (is_full) reply.http.code = 429;
    reply.is_retry = reply.http.code == 429 || reply.http.code == 503;
    *ret_reply = reply;
    end_request(intake, r, status != TCS_OK);
}

tcs_status tcsi_intake_act(tcsi_intake *intake, const tcsi_action *action, bool *ret_is_kept, tcs_error *err)
{
    tcsi_journal_ticket ticket;
    tcsi_json_writer writer;
    tcsi_buffer text;
    tcsi_buffer_init(&text, TCSI_ACTION_SIZE_MAX);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_action_write(action, &writer);
    tcs_status status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) status = tcsi_live_admit(intake->options.live, 0, err);
    if (status == TCS_OK)
        status = tcsi_journal_append(intake->journal, TCSI_RECORD_ACTION, action->time_ns, text.data, text.size, NULL, &ticket, err);
    if (status == TCS_OK) status = tcsi_journal_sync(intake->journal, ticket, err);
    tcsi_buffer_deinit(&text);
    *ret_is_kept = status == TCS_OK && tcsi_live_wait(intake->options.live, ticket.sequence, KEPT_WAIT_NS);
    return status;
}

tcs_status tcsi_intake_tick(tcsi_intake *intake, int64_t time_ns, tcs_error *err)
{
    tcsi_journal_ticket ticket;
    const tcs_status status = tcsi_journal_append(intake->journal, TCSI_RECORD_TICK, time_ns, "", 0, NULL, &ticket, err);
    return status == TCS_OK ? tcsi_journal_sync(intake->journal, ticket, err) : status;
}

tcs_status tcsi_intake_hear(tcsi_intake *intake, const void *verdicts, size_t size, int64_t time_ns, tcs_error *err)
{
    tcsi_journal_ticket ticket;
    const tcs_status status = tcsi_journal_append(intake->journal, TCSI_RECORD_VERDICTS, time_ns, verdicts, size, NULL, &ticket, err);
    return status == TCS_OK ? tcsi_journal_sync(intake->journal, ticket, err) : status;
}

tcsi_intake_stats tcsi_intake_stat(tcsi_intake *intake)
{
    pthread_mutex_lock(&intake->mutex);
    const tcsi_intake_stats stats = intake->stats;
    pthread_mutex_unlock(&intake->mutex);
    return stats;
}
