/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/score_log.h"

#include "base/alloc.h"
#include "base/json.h"
#include "series/key.h"
#include "series/time.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX = 4000000, LINE_SIZE_MAX = 1 << 17 };

/* Rows of one worker, by record. */
typedef struct list {
    tcsi_live_judged *rows;
    size_t count, capacity;
} list;

struct tcsi_score_log {
    FILE *file;
    char *path;
    uint64_t from;
    pthread_mutex_t mutex; /* of lists and failure */
    list lists[TCSI_CELL_COUNT];
    tcs_error failure;     /* OK: none so far */
    list sorted;           /* of the one who is told; as are the texts */
    tcsi_buffer line, name;
};

/* What a killed process wrote of its last line is a line that nobody can read, and must not spoil the next one. */
static void end_last_line(FILE *file)
{
    if (fseek(file, -1, SEEK_END) == 0 && getc(file) != '\n') (void)putc('\n', file);
    (void)fseek(file, 0, SEEK_END);
}

tcs_status tcsi_score_log_open(const char *path, bool is_added, uint64_t from, tcsi_score_log **ret_scores, tcs_error *err)
{
    tcsi_score_log *scores = TCSI_NEW(tcsi_score_log);
    if (!scores) return tcsi_fail_memory(err, "scores");
    pthread_mutex_init(&scores->mutex, NULL);
    tcsi_buffer_init(&scores->line, LINE_SIZE_MAX);
    tcsi_buffer_init(&scores->name, LINE_SIZE_MAX);
    scores->from = from;
    scores->path = tcsi_strdup(path);
    tcs_status status = scores->path ? TCS_OK : tcsi_fail_memory(err, "scores");
    if (status == TCS_OK && !(scores->file = fopen(path, is_added ? "a+e" : "we")))
        status = tcsi_fail(err, TCS_E_IO, "%s: %s", path, strerror(errno));
    if (status == TCS_OK && is_added) end_last_line(scores->file);
    if (status == TCS_OK) *ret_scores = scores;
    else (void)!tcsi_score_log_close(scores, NULL);
    return status;
}

/* With the mutex. */
static tcs_status add(list *rows, const tcsi_live_judged *more, size_t count, tcs_error *err)
{
    if (rows->count + count > rows->capacity) {
        const size_t capacity = rows->count + count > 2 * rows->capacity ? rows->count + count : 2 * rows->capacity;
        tcsi_live_judged *grown = tcsi_realloc_array(rows->rows, capacity, sizeof *grown);
        if (!grown) return tcsi_fail_memory(err, "scores");
        rows->rows = grown;
        rows->capacity = capacity;
    }
    memcpy(rows->rows + rows->count, more, count * sizeof *more);
    rows->count += count;
    return TCS_OK;
}

void tcsi_score_log_judge(void *self, size_t worker, const tcsi_live_judged *rows, size_t count)
{
    tcsi_score_log *scores = self;
    if (count == 0 || rows->sequence < scores->from) return;
    pthread_mutex_lock(&scores->mutex);
    list *pending = &scores->lists[worker];
    if (scores->failure.status == TCS_OK && pending->count + count > PENDING_MAX)
        (void)tcsi_fail(&scores->failure, TCS_E_LIMIT, "%s: rows are judged faster than their scores can be written; it ends before record "
                        "%llu", scores->path, (unsigned long long)rows->sequence);
    if (scores->failure.status == TCS_OK) (void)!add(pending, rows, count, &scores->failure);
    pthread_mutex_unlock(&scores->mutex);
}

static int by_record_and_series(const void *a, const void *b)
{
    const tcsi_live_judged *x = a, *y = b;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void put_number(tcsi_json_writer *writer, const char *key, double value)
{
    if (isfinite(value)) tcsi_json_put_number(writer, key, value);
    else {
        tcsi_json_key(writer, key);
        tcsi_json_null(writer);
    }
}

static const char *state_of(const tcsi_live_outcome *outcome)
{
    if (outcome->outcome != TCSI_OUTCOME_ACCEPTED) return tcsi_outcome_name(outcome->outcome);
    if (!outcome->is_scored) return "warmup";
    return outcome->verdict.is_above ? "alarm" : outcome->verdict.is_unusual ? "unusual" : "ordinary";
}

static tcs_status write_line(tcsi_score_log *scores, const tcsi_directory *directory, const tcsi_live_judged *row, tcs_error *err)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(directory, row->number);
    const tcsi_live_outcome *outcome = &row->outcome;
    char time[TCSI_TIME_TEXT_SIZE];
    tcsi_json_writer writer;
    tcsi_key key;
    tcs_status status = tcsi_key_decode(entry->key, entry->key_size, &key, err);
    tcsi_buffer_clear(&scores->name);
    tcsi_buffer_clear(&scores->line);
    if (status == TCS_OK) status = tcsi_key_print(&key, &scores->name, err);
    if (status != TCS_OK) return status;
    (void)tcsi_time_format_iso(row->time_ns, time, sizeof time);
    tcsi_json_writer_init(&writer, &scores->line, false);
    tcsi_json_begin_object(&writer);
    tcsi_json_put_integer(&writer, "record", (int64_t)row->sequence);
    tcsi_json_put_string(&writer, "series", scores->name.data);
    tcsi_json_put_string(&writer, "time", time);
    put_number(&writer, "value", outcome->value);
    put_number(&writer, "score", outcome->is_scored ? outcome->score : NAN);
    put_number(&writer, "expected", outcome->is_scored ? outcome->expected : NAN);
    put_number(&writer, "deviation", outcome->is_scored ? outcome->deviation : NAN);
    tcsi_json_put_string(&writer, "state", state_of(outcome));
    tcsi_json_end_object(&writer);
    status = tcsi_json_finish(&writer, err);
    if (status == TCS_OK) status = tcsi_buffer_append(&scores->line, "\n", 1, err);
    if (status == TCS_OK && fwrite(scores->line.data, 1, scores->line.size, scores->file) != scores->line.size)
        status = tcsi_fail(err, TCS_E_IO, "%s: %s", scores->path, strerror(errno));
    return status;
}

/* Rows of records up to `sequence` out of every worker's list, into `sorted`. */
static tcs_status take(tcsi_score_log *scores, uint64_t sequence, tcs_error *err)
{
    tcs_status status = scores->failure.status;
    scores->sorted.count = 0;
    for (size_t i = 0; status == TCS_OK && i < TCSI_CELL_COUNT; i++) {
        list *pending = &scores->lists[i];
        size_t taken = 0;
        while (taken < pending->count && pending->rows[taken].sequence <= sequence) taken++;
        if (!taken) continue;
        status = add(&scores->sorted, pending->rows, taken, err);
        memmove(pending->rows, pending->rows + taken, (pending->count - taken) * sizeof *pending->rows);
        pending->count -= taken;
    }
    return status;
}

void tcsi_score_log_told(tcsi_score_log *scores, const tcsi_directory *directory, uint64_t sequence)
{
    tcs_error failure = { 0 };
    pthread_mutex_lock(&scores->mutex);
    tcs_status status = take(scores, sequence, &scores->failure);
    pthread_mutex_unlock(&scores->mutex);
    if (status != TCS_OK || scores->sorted.count == 0) return;
    qsort(scores->sorted.rows, scores->sorted.count, sizeof *scores->sorted.rows, by_record_and_series);
    for (size_t i = 0; status == TCS_OK && i < scores->sorted.count; i++)
        status = write_line(scores, directory, &scores->sorted.rows[i], &failure);
    if (status == TCS_OK && fflush(scores->file) != 0) status = tcsi_fail(&failure, TCS_E_IO, "%s: %s", scores->path, strerror(errno));
    if (status == TCS_OK) return;
    pthread_mutex_lock(&scores->mutex);
    scores->failure = failure;
    pthread_mutex_unlock(&scores->mutex);
}

tcs_status tcsi_score_log_close(tcsi_score_log *scores, tcs_error *err)
{
    if (!scores) return TCS_OK;
    tcs_status status = scores->failure.status;
    if (status != TCS_OK && err) *err = scores->failure;
    if (scores->file && fclose(scores->file) != 0 && status == TCS_OK)
        status = tcsi_fail(err, TCS_E_IO, "%s: %s", scores->path, strerror(errno));
    for (size_t i = 0; i < TCSI_CELL_COUNT; i++) tcsi_free(scores->lists[i].rows);
    tcsi_free(scores->sorted.rows);
    tcsi_buffer_deinit(&scores->line);
    tcsi_buffer_deinit(&scores->name);
    pthread_mutex_destroy(&scores->mutex);
    tcsi_free(scores->path);
    tcsi_free(scores);
    return status;
}
