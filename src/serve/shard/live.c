/* SPDX-License-Identifier: Apache-2.0 */
/* One message a record goes to every worker, also to those for whom it holds nothing: so that "done up to here" is one number a worker, and
 * the smallest of them is how far everything is.  Messages are used again; once the largest record was seen nothing is allocated. */
#include "serve/shard/live.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/pool.h"
#include "serve/shard/verdicts.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WAITING_ROW_MAX = 1000000, TICK_STRIDE = 8, PART_SIZE_MAX = 1 << 30 };

static const double RATE_MIN = 1e-12, RATE_MAX = 0.01, RATE_START = 1e-6, RATE_CHANGE_MIN = 0.02;

/* ---- messages ---- */

typedef struct new_series {
    uint32_t number, place, family;
    uint8_t cell, kind;
} new_series;

typedef struct queued_row {
    uint32_t place, cell;
    int64_t time_ns;
    double value;
} queued_row;

/* An action on its way: held by each worker's message, and by the teller's list. */
typedef struct held_action {
    struct held_action *next;    /* of the teller's */
    tcsi_arena arena;            /* its texts */
    tcsi_action action;
    bool has_second_look;        /* it was a setting: */
    tcsi_second_look_options second_look;
    _Atomic size_t holder_count;
} held_action;

typedef struct queued_answer {
    uint32_t cell;
    tcsi_deep_answer answer;
} queued_answer;

typedef enum message_kind { ROWS, TICK, ACT, HEAR, SAVE, ASK, STOP } message_kind;

typedef struct message {
    struct message *next;
    message_kind kind;
    uint64_t sequence;
    int64_t time_ns;         /* ROWS: received; TICK: now */
    new_series *added;
    queued_row *rows;
    size_t added_count, added_capacity, row_count, row_capacity;
    bool is_backfill;        /* ROWS: of the past */
    uint32_t series_count;   /* TICK: of all cells */
    double alarms_per_s;     /* TICK */
    uint32_t begin;          /* TICK */
    held_action *act;        /* ACT */
    queued_answer *answers;  /* HEAR */
    size_t answer_count, answer_capacity;
    uint32_t cell, place;    /* ASK */
    tcsi_live_look look;     /* ASK */
    void *context;           /* ASK */
    bool *done;              /* ASK: set under the worker's mutex */
} message;

typedef struct worker {
    tcsi_live *live;
    size_t index;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t mutex;
    pthread_cond_t filled, emptied; /* there is a message; one was done */
    message *first, *last, *free;
    uint64_t done;                  /* every record up to this one, */
    int64_t done_ns;                /* and its time */
    tcsi_live_event *events;        /* of records done, not told yet */
    size_t event_count, event_capacity;
    uint32_t event_serial;          /* of the next one; 0 when none waits */
    tcsi_live_stats stats;          /* as of the last message */
    uint64_t latencies[TCSI_LIVE_LATENCY_COUNT];
    bool is_saved;                  /* its cells are in the parts */
    tcsi_live_judged *judged;       /* of the record in work, when somebody asks */
    size_t judged_count, judged_capacity;
} worker;

typedef struct waiting_tick {
    uint64_t sequence;
    int64_t time_ns;
} waiting_tick;

struct tcsi_live {
    tcsi_live_options options;
    tcsi_directory directory;
    tcsi_cell cells[TCSI_CELL_COUNT];
    worker *workers;
    size_t worker_count;
    int64_t created_ns;             /* wall clock */
    message **staged;               /* (worker_count) being filled by apply */
    _Atomic size_t waiting_row_count;
    _Atomic bool is_stopped;

    /* of the one that applies */
    uint64_t sequence;
    uint64_t tick_count;
    double alarms_per_s;            /* as the journal has it */
    tcsi_second_look_options second_look; /* likewise */

    /* of the teller */
    pthread_t teller;
    bool is_telling;
    pthread_mutex_t mutex;          /* of what follows */
    pthread_cond_t advanced;        /* a worker has done something, or something was told */
    uint64_t advance_count;
    uint64_t told;
    bool is_ending;
    waiting_tick *ticks;            /* (tick_begin .. tick_end) applied and not told yet */
    size_t tick_begin, tick_end, tick_capacity;
    tcs_error failure;
    bool is_saving;
    uint64_t save_sequence;
    tcsi_buffer parts[1 + TCSI_CELL_COUNT];
    tcsi_live_event *telling;       /* room for events while they are sorted */
    size_t telling_capacity;
    tcsi_action *acting;            /* room for actions that are told */
    size_t acting_capacity;
    held_action *acts, *acts_last;  /* applied and not told yet; under the mutex */
};

static tcs_status grow(void **items, size_t *capacity, size_t count, size_t item_size, tcs_error *err)
{
    if (count < *capacity) return TCS_OK;
    const size_t more = *capacity ? 2 * *capacity : 64;
    void *grown = tcsi_realloc_array(*items, more, item_size);
    if (!grown) return tcsi_fail_memory(err, "live rows");
    *items = grown;
    *capacity = more;
    return TCS_OK;
}

static void stop(tcsi_live *live, const tcs_error *failure)
{
    pthread_mutex_lock(&live->mutex);
    if (!atomic_exchange(&live->is_stopped, true)) live->failure = *failure;
    pthread_cond_broadcast(&live->advanced);
    pthread_mutex_unlock(&live->mutex);
}

static tcs_status stopped(tcsi_live *live, tcs_error *err)
{
    pthread_mutex_lock(&live->mutex);
    const tcs_error failure = live->failure;
    pthread_mutex_unlock(&live->mutex);
    return tcsi_fail(err, failure.status, "it has stopped: %s", failure.text);
}

/* ---- a worker ---- */

static void advance(tcsi_live *live)
{
    pthread_mutex_lock(&live->mutex);
    live->advance_count++;
    pthread_cond_broadcast(&live->advanced);
    pthread_mutex_unlock(&live->mutex);
}

/* From within a cell's push or tick, in the worker's thread.  Only this thread adds; the teller takes under the mutex. */
static void on_event(void *self, const tcsi_live_event *event)
{
    worker *w = self;
    tcs_error failure;
    pthread_mutex_lock(&w->mutex);
    const tcs_status status = grow((void **)&w->events, &w->event_capacity, w->event_count, sizeof *w->events, &failure);
    if (status == TCS_OK) {
        w->events[w->event_count] = *event;
        w->events[w->event_count].order = w->event_serial++;
        w->event_count++;
    }
    pthread_mutex_unlock(&w->mutex);
    if (status != TCS_OK) stop(w->live, &failure);
}

/* Likewise. */
static void on_question(void *self, const tcsi_deep_question *question)
{
    const tcsi_live *live = ((worker *)self)->live;
    if (live->options.ask) live->options.ask(live->options.asked, question);
}

static bool is_mine(const worker *w, size_t cell)
{
    return cell % w->live->worker_count == w->index;
}

static tcs_status note_judged(worker *w, const message *m, const queued_row *row, const tcsi_live_outcome *outcome, tcs_error *err)
{
    const tcs_status status = grow((void **)&w->judged, &w->judged_capacity, w->judged_count, sizeof *w->judged, err);
    if (status != TCS_OK) return status;
    w->judged[w->judged_count] = (tcsi_live_judged){ .sequence = m->sequence, .order = (uint32_t)w->judged_count, .time_ns = row->time_ns,
                                                     .number = tcsi_cell_series(&w->live->cells[row->cell], row->place)->number,
                                                     .outcome = *outcome };
    w->judged_count++;
    return TCS_OK;
}

/* The directory has every series that a worker was told of. */
static void choose_policy(tcsi_live *live, tcsi_cell *cell, uint32_t place)
{
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, tcsi_cell_series(cell, place)->number);
    tcsi_key key;
    tcs_error ignored;
    if (cell->policies.count == 0) tcsi_cell_series(cell, place)->policy = 0;
    else if (tcsi_key_decode(entry->key, entry->key_size, &key, &ignored) == TCS_OK) tcsi_cell_choose_policy(cell, place, &key);
}

static tcs_status do_rows(worker *w, const message *m, tcs_error *err)
{
    const tcsi_live_options *options = &w->live->options;
    tcsi_live_outcome outcome;
    uint32_t place;
    tcs_status status = TCS_OK;
    w->judged_count = 0;
    for (size_t i = 0; status == TCS_OK && i < m->added_count; i++) {
        const new_series *added = &m->added[i];
        status = tcsi_cell_add(&w->live->cells[added->cell], added->number, (tcsi_series_kind)added->kind, &place, err);
        TCS_ASSERT(status != TCS_OK || place == added->place);
        if (status == TCS_OK) choose_policy(w->live, &w->live->cells[added->cell], added->place);
        if (status == TCS_OK) tcsi_cell_series(&w->live->cells[added->cell], place)->answered.family = added->family;
    }
    for (size_t i = 0; status == TCS_OK && i < m->row_count; i++) {
        const queued_row *row = &m->rows[i];
        if (i + 8 < m->row_count) { /* a million series are not in the cache */
            const queued_row *later = &m->rows[i + 8];
            const char *series = (const char *)tcsi_cell_series(&w->live->cells[later->cell], later->place);
            for (size_t line = 0; line < sizeof(tcsi_live_series); line += 64) __builtin_prefetch(series + line, 1);
            tcsi_reel_prefetch(&w->live->cells[later->cell].reel, later->place);
        }
        status = tcsi_cell_push(&w->live->cells[row->cell], &(tcsi_live_row){ row->place, row->time_ns, row->value, m->is_backfill },
                                m->sequence, m->time_ns, &outcome, err);
        if (status == TCS_OK && options->judge) status = note_judged(w, m, row, &outcome, err);
    }
    if (status == TCS_OK && w->judged_count) options->judge(options->judge_self, w->index, w->judged, w->judged_count);
    return status;
}

/* Each series has the same part of the budget; what a cell's series may raise together is spread over the rows that they give, by their
 * stamps: a backlog that comes at once is no busier than it was. */
static void share_budget(tcsi_cell *cell, const message *m)
{
    if (cell->series_count == 0 || !(cell->rows_per_s > 0)) return;
    const double alarms_per_s = m->alarms_per_s * (double)cell->series_count / (double)m->series_count;
    const double rate = fmin(fmax(alarms_per_s / cell->rows_per_s, RATE_MIN), RATE_MAX), change = rate / cell->options.rate;
    tcsi_second_look_set_share(&cell->second_look, (double)cell->series_count / (double)m->series_count, cell->rows_per_s);
    if (change < 1 - RATE_CHANGE_MIN || change > 1 + RATE_CHANGE_MIN) tcsi_cell_set_rate(cell, rate);
}

static void do_tick(worker *w, const message *m)
{
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++) {
        if (!is_mine(w, c)) continue;
        share_budget(&w->live->cells[c], m);
        tcsi_cell_tick(&w->live->cells[c], m->sequence, m->time_ns, m->begin, TICK_STRIDE);
    }
}

static tcs_status do_save(worker *w, tcs_error *err)
{
    tcs_status status = TCS_OK;
    for (size_t c = 0; status == TCS_OK && c < TCSI_CELL_COUNT; c++) {
        if (!is_mine(w, c)) continue;
        tcsi_codec codec = tcsi_codec_save(&w->live->parts[1 + c], err);
        tcsi_cell_persist(&w->live->cells[c], &codec);
        status = tcsi_codec_status(&codec);
    }
    return status;
}

static void release_action(held_action *held)
{
    if (atomic_fetch_sub(&held->holder_count, 1) != 1) return;
    tcsi_arena_deinit(&held->arena);
    tcsi_free(held);
}

/* Rules that are none were never taken; those of another version change nothing. */
static tcs_status set_rules(worker *w, tcsi_cell *cell, const char *text, tcs_error *err)
{
    const tcs_status status = tcsi_cell_set_rules(cell, text, err);
    for (uint32_t i = 0; status == TCS_OK && i < cell->series_count; i++) choose_policy(w->live, cell, i);
    return status == TCS_E_MEMORY ? status : TCS_OK;
}

static tcs_status do_act(worker *w, const message *m, tcs_error *err)
{
    const tcsi_action *action = &m->act->action;
    const bool is_rules = action->kind == TCSI_ACTION_SETTING && strcmp(action->object, TCSI_SETTING_RULES) == 0;
    tcs_status status = TCS_OK;
    for (size_t c = 0; status == TCS_OK && c < TCSI_CELL_COUNT; c++) {
        if (!is_mine(w, c)) continue;
        tcsi_cell_act(&w->live->cells[c], action);
        if (m->act->has_second_look) tcsi_cell_set_second_look(&w->live->cells[c], &m->act->second_look);
        if (is_rules) status = set_rules(w, &w->live->cells[c], action->document, err);
    }
    return status;
}

static void do_hear(worker *w, const message *m)
{
    for (size_t i = 0; i < m->answer_count; i++) {
        tcsi_cell *cell = &w->live->cells[m->answers[i].cell];
        cell->now_ns = m->time_ns;
        tcsi_second_look_hear(cell, &m->answers[i].answer, m->sequence);
    }
}

static void do_ask(worker *w, const message *m)
{
    const tcsi_cell *cell = &w->live->cells[m->cell];
    m->look(m->context, cell, tcsi_cell_series(cell, m->place));
    pthread_mutex_lock(&w->mutex);
    *m->done = true;
    pthread_cond_broadcast(&w->emptied);
    pthread_mutex_unlock(&w->mutex);
}

static tcsi_live_stats count_cells(const worker *w)
{
    tcsi_live_stats stats = { 0 };
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++) {
        const tcsi_cell *cell = &w->live->cells[c];
        if (!is_mine(w, c)) continue;
        stats.row_count += cell->row_count;
        stats.unusual_count += cell->unusual_count;
        tcsi_pulse_add(&stats.pulse, &cell->pulse);
        stats.suppressed_count += cell->answers.suppressed_count;
        stats.guarded_count += cell->answers.guarded_count;
        stats.reeled_count += cell->reel.row_count;
        stats.merged_count += cell->reel.merged_count;
        stats.unreeled_count += cell->reel.lost_count;
        if (cell->reel.step_ns > stats.step_ns) stats.step_ns = cell->reel.step_ns;
        tcsi_second_look_add(&cell->second_look, &stats.second_look);
        for (size_t i = 0; i < TCSI_OUTCOME_COUNT; i++) stats.outcomes[i] += cell->outcomes[i];
    }
    return stats;
}

static void do_message(worker *w, const message *m)
{
    tcs_error failure = { 0 };
    tcs_status status = TCS_OK;
    if (atomic_load(&w->live->is_stopped)) return; /* its state is not what the journal says any more */
    if (m->kind == ROWS) status = do_rows(w, m, &failure);
    else if (m->kind == TICK) do_tick(w, m);
    else if (m->kind == ACT) status = do_act(w, m, &failure);
    else if (m->kind == HEAR) do_hear(w, m);
    else if (m->kind == SAVE) status = do_save(w, &failure);
    if (status != TCS_OK) stop(w->live, &failure);
}

/* From receipt, as the record has it, to now, when its rows are judged. */
static void note_latency(worker *w, const message *m)
{
    if (m->time_ns < w->live->created_ns) return; /* of the journal, from before this process */
    const double elapsed_us = (double)(tcsi_clock_wall_ns() - m->time_ns) / 1000;
    const double place = elapsed_us > 1 ? ceil(2 * log2(elapsed_us)) : 0;
    w->latencies[place < TCSI_LIVE_LATENCY_COUNT ? (size_t)place : TCSI_LIVE_LATENCY_COUNT - 1] += m->row_count;
}

double tcsi_live_latency(const tcsi_live_stats *stats, double share)
{
    uint64_t count = 0, so_far = 0;
    for (size_t i = 0; i < TCSI_LIVE_LATENCY_COUNT; i++) count += stats->latencies[i];
    for (size_t i = 0; count && i < TCSI_LIVE_LATENCY_COUNT; i++) {
        so_far += stats->latencies[i];
        if ((double)so_far >= share * (double)count) return exp2(0.5 * (double)i) * 1e-6;
    }
    return 0;
}

static void finish(worker *w, message *m)
{
    if (m->kind == ROWS) note_latency(w, m);
    if (m->kind == ACT) release_action(m->act);
    tcsi_live_stats stats = count_cells(w);
    memcpy(stats.latencies, w->latencies, sizeof stats.latencies);
    pthread_mutex_lock(&w->mutex);
    if (m->kind != ASK) w->done = m->sequence;
    if (m->kind == ROWS || m->kind == TICK || m->kind == ACT || m->kind == HEAR) w->done_ns = m->time_ns;
    if (m->kind == SAVE) w->is_saved = true;
    w->stats = stats;
    atomic_fetch_sub(&w->live->waiting_row_count, m->row_count);
    m->next = w->free;
    w->free = m;
    pthread_cond_broadcast(&w->emptied);
    pthread_mutex_unlock(&w->mutex);
    advance(w->live);
}

static void *work(void *argument)
{
    worker *w = argument;
    for (bool is_over = false; !is_over;) {
        pthread_mutex_lock(&w->mutex);
        while (!w->first) pthread_cond_wait(&w->filled, &w->mutex);
        message *m = w->first;
        w->first = m->next;
        if (!w->first) w->last = NULL;
        pthread_mutex_unlock(&w->mutex);
        is_over = m->kind == STOP;
        if (m->kind == ASK) do_ask(w, m);
        else do_message(w, m);
        finish(w, m);
    }
    return NULL;
}

/* ---- messages to workers ---- */

static message *take_message(worker *w, message_kind kind, uint64_t sequence, int64_t time_ns, tcs_error *err)
{
    pthread_mutex_lock(&w->mutex);
    message *m = w->free;
    if (m) w->free = m->next;
    pthread_mutex_unlock(&w->mutex);
    if (!m) m = TCSI_NEW(message);
    if (!m) {
        (void)tcsi_fail_memory(err, "live rows");
        return NULL;
    }
    m->next = NULL;
    m->kind = kind;
    m->sequence = sequence;
    m->time_ns = time_ns;
    m->added_count = m->row_count = m->answer_count = 0;
    return m;
}

static void send(worker *w, message *m)
{
    pthread_mutex_lock(&w->mutex);
    if (w->last) w->last->next = m;
    else w->first = m;
    w->last = m;
    pthread_cond_signal(&w->filled);
    pthread_mutex_unlock(&w->mutex);
}

static void message_destroy(message *m)
{
    if (!m) return;
    tcsi_free(m->added);
    tcsi_free(m->rows);
    tcsi_free(m->answers);
    tcsi_free(m);
}

/* One message for each worker into `staged`; none when there is no memory. */
static tcs_status stage(tcsi_live *live, message_kind kind, uint64_t sequence, int64_t time_ns, tcs_error *err)
{
    for (size_t i = 0; i < live->worker_count; i++) {
        live->staged[i] = take_message(&live->workers[i], kind, sequence, time_ns, err);
        if (live->staged[i]) continue;
        while (i-- > 0) message_destroy(live->staged[i]);
        return TCS_E_MEMORY;
    }
    return TCS_OK;
}

static void send_staged(tcsi_live *live)
{
    for (size_t i = 0; i < live->worker_count; i++) send(&live->workers[i], live->staged[i]);
}

/* ---- records in ---- */

tcs_status tcsi_live_admit(tcsi_live *live, size_t row_count, tcs_error *err)
{
    if (atomic_load(&live->is_stopped)) return stopped(live, err);
    const size_t before = atomic_fetch_add(&live->waiting_row_count, row_count);
    if (before == 0 || before + row_count <= live->options.waiting_row_max) return TCS_OK; /* one alone is let through, however large */
    atomic_fetch_sub(&live->waiting_row_count, row_count);
    return tcsi_fail(err, TCS_E_LIMIT, "%zu rows wait to be judged, at most %zu", before, live->options.waiting_row_max);
}

void tcsi_live_release(tcsi_live *live, size_t row_count)
{
    atomic_fetch_sub(&live->waiting_row_count, row_count);
}

/* Series of one metric measure alike; those without a name are a family, too. */
static uint32_t family_of(const tcsi_key *key)
{
    const tcsi_tag *metric = tcsi_key_get(key, TCSI_KEY_METRIC);
    return metric ? (uint32_t)tcsi_fingerprint_of(metric->value, metric->value_size, 0).low : 0;
}

/* Which series is it?  TCSI_SERIES_NONE with OK: it was refused. */
static tcs_status find_series(tcsi_live *live, tcsi_batch *batch, size_t index, const tcsi_directory_source *record, uint32_t *ret_series,
                              tcs_error *err)
{
    const tcsi_batch_series *named = &batch->series[index];
    tcsi_key key;
    bool is_new = false;
    *ret_series = tcsi_directory_find(&live->directory, named->fingerprint);
    if (*ret_series != TCSI_SERIES_NONE) return TCS_OK;
    const tcsi_outcome outcome = tcsi_batch_key(batch, index, &key);
    if (outcome != TCSI_OUTCOME_ACCEPTED) {
        tcsi_batch_refuse(batch, index, outcome);
        return TCS_OK;
    }
    const tcsi_directory_source source = { (tcsi_series_kind)named->kind, record->time_ns, record->sequence };
    tcs_status status = tcsi_directory_resolve(&live->directory, named->fingerprint, &key, &source, ret_series, &is_new, err);
    if (status == TCS_E_LIMIT) {
        *ret_series = TCSI_SERIES_NONE;
        tcsi_batch_refuse(batch, index, TCSI_OUTCOME_TOO_MANY_SERIES);
        return TCS_OK;
    }
    if (status != TCS_OK || !is_new) return status;
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, *ret_series);
    message *m = live->staged[entry->cell % live->worker_count];
    status = grow((void **)&m->added, &m->added_capacity, m->added_count, sizeof *m->added, err);
    if (status == TCS_OK) m->added[m->added_count++] = (new_series){ *ret_series, entry->place, family_of(&key), entry->cell, entry->kind };
    return status;
}

static tcs_status stage_rows(tcsi_live *live, const tcsi_batch *batch, size_t index, uint32_t series, tcs_error *err)
{
    const tcsi_batch_series *named = &batch->series[index];
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, series);
    message *m = live->staged[entry->cell % live->worker_count];
    for (uint32_t i = named->sample_begin; i < named->sample_begin + named->sample_count; i++) {
        const tcs_status status = grow((void **)&m->rows, &m->row_capacity, m->row_count, sizeof *m->rows, err);
        if (status != TCS_OK) return status;
        m->rows[m->row_count++] = (queued_row){ entry->place, entry->cell, batch->times_ns[i], batch->values[i] };
    }
    return TCS_OK;
}

tcs_status tcsi_live_apply(tcsi_live *live, uint64_t sequence, int64_t receive_ns, tcsi_batch *batch, tcs_error *err)
{
    const size_t admitted = batch->sample_count;
    size_t staged = 0;
    if (atomic_load(&live->is_stopped)) return stopped(live, err);
    tcs_error failure = { 0 };
    const tcsi_directory_source record = { .time_ns = receive_ns, .sequence = sequence };
    tcs_status status = stage(live, ROWS, sequence, receive_ns, &failure);
    if (status != TCS_OK) {
        stop(live, &failure);
        return stopped(live, err);
    }
    for (size_t i = 0; status == TCS_OK && i < batch->series_count; i++) {
        uint32_t series;
        status = find_series(live, batch, i, &record, &series, &failure);
        if (status != TCS_OK || series == TCSI_SERIES_NONE) continue;
        status = stage_rows(live, batch, i, series, &failure);
        staged += batch->series[i].sample_count;
    }
    if (status != TCS_OK) { /* half a record would be another history than the journal's */
        for (size_t i = 0; i < live->worker_count; i++) message_destroy(live->staged[i]);
        stop(live, &failure);
        return stopped(live, err);
    }
    for (size_t i = 0; i < live->worker_count; i++) live->staged[i]->is_backfill = batch->is_backfill;
    live->sequence = sequence;
    tcsi_live_release(live, admitted - staged);
    send_staged(live);
    return TCS_OK;
}

/* For the teller. */
static tcs_status note_tick(tcsi_live *live, uint64_t sequence, int64_t time_ns, tcs_error *err)
{
    pthread_mutex_lock(&live->mutex);
    const tcs_status status = grow((void **)&live->ticks, &live->tick_capacity, live->tick_end, sizeof *live->ticks, err);
    if (status == TCS_OK) live->ticks[live->tick_end++] = (waiting_tick){ sequence, time_ns };
    pthread_mutex_unlock(&live->mutex);
    return status;
}

tcs_status tcsi_live_tick(tcsi_live *live, uint64_t sequence, int64_t time_ns, tcs_error *err)
{
    if (atomic_load(&live->is_stopped)) return stopped(live, err);
    tcs_error failure = { 0 };
    if (note_tick(live, sequence, time_ns, &failure) != TCS_OK || stage(live, TICK, sequence, time_ns, &failure) != TCS_OK) {
        stop(live, &failure);
        return stopped(live, err);
    }
    const uint32_t series_count = tcsi_directory_count(&live->directory);
    for (size_t i = 0; i < live->worker_count; i++) {
        live->staged[i]->series_count = series_count;
        live->staged[i]->alarms_per_s = live->alarms_per_s;
        live->staged[i]->begin = (uint32_t)(live->tick_count % TICK_STRIDE);
    }
    live->tick_count++;
    live->sequence = sequence;
    send_staged(live);
    return TCS_OK;
}

static tcs_status hold_action(tcsi_live *live, uint64_t sequence, int64_t time_ns, const void *bytes, size_t size, held_action **ret_held,
                              tcs_error *err)
{
    held_action *held = TCSI_NEW(held_action);
    if (!held) return tcsi_fail_memory(err, "an action");
    tcsi_arena_init(&held->arena, 0);
    atomic_init(&held->holder_count, live->worker_count + 1);
    const tcs_status status = tcsi_action_read(bytes, size, &held->arena, &held->action, err);
    if (status == TCS_OK) {
        held->action.sequence = sequence;
        held->action.time_ns = time_ns;
        *ret_held = held;
        return TCS_OK;
    }
    tcsi_arena_deinit(&held->arena);
    tcsi_free(held);
    return status;
}

static bool is_number(const tcsi_json_value *value, double min, double max)
{
    return value && value->type == TCSI_JSON_NUMBER && value->number >= min && value->number <= max;
}

static void take_second_look(tcsi_live *live, held_action *held, const tcsi_json_value *root)
{
    const tcsi_json_value *is_on = tcsi_json_get(root, "is_on"), *sampled = tcsi_json_get(root, "sampled_per_s");
    const tcsi_json_value *deadline = tcsi_json_get(root, "deadline_s");
    if (!is_on || is_on->type > TCSI_JSON_TRUE || !is_number(sampled, 0, 1e9) || !is_number(deadline, 1e-3, 1e6)) return;
    held->second_look = (tcsi_second_look_options){ .is_on = is_on->type == TCSI_JSON_TRUE, .sampled_per_s = sampled->number,
                                                    .deadline_ns = (int64_t)rint(1e9 * deadline->number) };
    held->has_second_look = true;
    live->second_look = held->second_look;
}

/* The settings that live here. */
static void take_setting(tcsi_live *live, held_action *held)
{
    const tcsi_action *action = &held->action;
    const tcsi_json_value *root, *value;
    tcs_error ignored;
    const bool is_budget = strcmp(action->object, TCSI_SETTING_BUDGET) == 0, is_deep = strcmp(action->object, TCSI_SETTING_DEEP) == 0;
    if (action->kind != TCSI_ACTION_SETTING || !(is_deep || (is_budget && !live->options.is_budget_fixed))) return;
    if (tcsi_json_parse(action->document, strlen(action->document), &held->arena, &root, &ignored) != TCS_OK) return;
    if (is_deep) {
        take_second_look(live, held, root);
        return;
    }
    value = tcsi_json_get(root, "value");
    if (value && value->type == TCSI_JSON_NUMBER && value->number > 0 && isfinite(value->number)) live->alarms_per_s = value->number;
}

tcs_status tcsi_live_act(tcsi_live *live, uint64_t sequence, int64_t time_ns, const void *bytes, size_t size, tcs_error *err)
{
    held_action *held = NULL;
    if (atomic_load(&live->is_stopped)) return stopped(live, err);
    tcs_error failure = { 0 };
    tcs_status status = stage(live, ACT, sequence, time_ns, &failure);
    if (status == TCS_OK && (status = hold_action(live, sequence, time_ns, bytes, size, &held, &failure)) != TCS_OK)
        for (size_t i = 0; i < live->worker_count; i++) message_destroy(live->staged[i]);
    if (status != TCS_OK) {
        stop(live, &failure);
        return stopped(live, err);
    }
    take_setting(live, held);
    for (size_t i = 0; i < live->worker_count; i++) live->staged[i]->act = held;
    pthread_mutex_lock(&live->mutex);
    if (live->acts_last) live->acts_last->next = held;
    else live->acts = held;
    live->acts_last = held;
    pthread_mutex_unlock(&live->mutex);
    live->sequence = sequence;
    send_staged(live);
    return TCS_OK;
}

/* Each answer to the worker of its series. */
static tcs_status stage_answers(tcsi_live *live, const void *bytes, size_t size, tcs_error *err)
{
    size_t count;
    tcs_status status = tcsi_verdicts_check(bytes, size, &count, err);
    for (size_t i = 0; status == TCS_OK && i < count; i++) {
        const tcsi_deep_answer answer = tcsi_verdicts_at(bytes, i);
        if (answer.number >= tcsi_directory_count(&live->directory))
            return tcsi_fail(err, TCS_E_FORMAT, "a verdict on series %lu, of which there are %lu", (unsigned long)answer.number,
                             (unsigned long)tcsi_directory_count(&live->directory));
        const uint8_t cell = tcsi_directory_entry_of(&live->directory, answer.number)->cell;
        message *m = live->staged[cell % live->worker_count];
        status = grow((void **)&m->answers, &m->answer_capacity, m->answer_count, sizeof *m->answers, err);
        if (status == TCS_OK) m->answers[m->answer_count++] = (queued_answer){ cell, answer };
    }
    return status;
}

tcs_status tcsi_live_hear(tcsi_live *live, uint64_t sequence, int64_t time_ns, const void *bytes, size_t size, tcs_error *err)
{
    if (atomic_load(&live->is_stopped)) return stopped(live, err);
    tcs_error failure = { 0 };
    tcs_status status = stage(live, HEAR, sequence, time_ns, &failure);
    if (status == TCS_OK && (status = stage_answers(live, bytes, size, &failure)) != TCS_OK)
        for (size_t i = 0; i < live->worker_count; i++) message_destroy(live->staged[i]);
    if (status != TCS_OK) {
        stop(live, &failure);
        return stopped(live, err);
    }
    live->sequence = sequence;
    send_staged(live);
    return TCS_OK;
}

/* ---- saved form: part 0 is what the one that applies knows, each cell is a part of its own ---- */

static void persist_head(tcsi_live *live, tcsi_codec *codec)
{
    double alarms_per_s = live->alarms_per_s;
    tcsi_codec_tag(codec, "LIV2");
    tcsi_codec_u64(codec, &live->sequence);
    tcsi_codec_u64(codec, &live->tick_count);
    tcsi_codec_f64(codec, &alarms_per_s);
    if (tcsi_codec_loading(codec) && !(alarms_per_s > 0 && isfinite(alarms_per_s))) tcsi_codec_refuse(codec, "a budget out of range");
    if (!live->options.is_budget_fixed) live->alarms_per_s = alarms_per_s;
    tcsi_directory_persist(&live->directory, codec);
}

tcs_status tcsi_live_save(tcsi_live *live, tcs_error *err)
{
    if (atomic_load(&live->is_stopped)) return stopped(live, err);
    pthread_mutex_lock(&live->mutex);
    const bool is_saving = live->is_saving;
    pthread_mutex_unlock(&live->mutex);
    if (is_saving) return TCS_OK; /* the last one is still on its way */
    for (size_t i = 0; i <= TCSI_CELL_COUNT; i++) tcsi_buffer_clear(&live->parts[i]);
    tcsi_codec codec = tcsi_codec_save(&live->parts[0], err);
    persist_head(live, &codec);
    tcs_status status = tcsi_codec_status(&codec);
    if (status == TCS_OK) status = stage(live, SAVE, live->sequence, 0, err);
    if (status != TCS_OK) return status;
    for (size_t i = 0; i < live->worker_count; i++) {
        pthread_mutex_lock(&live->workers[i].mutex);
        live->workers[i].is_saved = false;
        pthread_mutex_unlock(&live->workers[i].mutex);
    }
    pthread_mutex_lock(&live->mutex);
    live->is_saving = true;
    live->save_sequence = live->sequence;
    pthread_mutex_unlock(&live->mutex);
    send_staged(live);
    return TCS_OK;
}

/* Directory and cells must speak of the same series. */
static bool is_consistent(const tcsi_live *live)
{
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++)
        if (live->cells[c].series_count != live->directory.cell_counts[c]) return false;
    for (uint32_t i = 0; i < tcsi_directory_count(&live->directory); i++) {
        const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, i);
        if (tcsi_cell_series(&live->cells[entry->cell], entry->place)->number != i) return false;
    }
    return true;
}

tcs_status tcsi_live_load(tcsi_live *live, const tcsi_buffer *parts, size_t part_count, tcs_error *err)
{
    if (part_count != 1 + TCSI_CELL_COUNT)
        return tcsi_fail(err, TCS_E_FORMAT, "a snapshot of %zu parts, expected %d", part_count, 1 + TCSI_CELL_COUNT);
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < part_count; i++) {
        tcsi_codec codec = tcsi_codec_load(parts[i].data, parts[i].size, err);
        if (i == 0) persist_head(live, &codec);
        else tcsi_cell_persist(&live->cells[i - 1], &codec);
        if (tcsi_codec_status(&codec) == TCS_OK && codec.in_size) tcsi_codec_refuse(&codec, "bytes behind its end");
        status = tcsi_codec_status(&codec);
    }
    if (status == TCS_OK && !is_consistent(live)) status = tcsi_fail(err, TCS_E_FORMAT, "a snapshot whose parts do not belong together");
    live->second_look = live->cells[0].second_look.options;
    pthread_mutex_lock(&live->mutex);
    live->told = live->sequence;
    pthread_mutex_unlock(&live->mutex);
    for (size_t i = 0; i < live->worker_count; i++) {
        pthread_mutex_lock(&live->workers[i].mutex);
        live->workers[i].done = live->sequence;
        live->workers[i].stats = count_cells(&live->workers[i]);
        pthread_mutex_unlock(&live->workers[i].mutex);
    }
    return status;
}

/* ---- events out ---- */

/* How far everything is. */
static uint64_t done_by_all(tcsi_live *live, int64_t *ret_time_ns)
{
    uint64_t done = UINT64_MAX;
    *ret_time_ns = 0;
    for (size_t i = 0; i < live->worker_count; i++) {
        worker *w = &live->workers[i];
        pthread_mutex_lock(&w->mutex);
        if (w->done < done) {
            done = w->done;
            *ret_time_ns = w->done_ns;
        }
        pthread_mutex_unlock(&w->mutex);
    }
    return done;
}

/* Is there a snapshot in the parts, and of which record?  Asked after done_by_all: what is done beyond it was not done before it. */
static bool is_saved_by_all(tcsi_live *live, uint64_t *ret_sequence)
{
    pthread_mutex_lock(&live->mutex);
    bool is_saved = live->is_saving;
    *ret_sequence = live->save_sequence;
    pthread_mutex_unlock(&live->mutex);
    for (size_t i = 0; is_saved && i < live->worker_count; i++) {
        pthread_mutex_lock(&live->workers[i].mutex);
        is_saved = live->workers[i].is_saved;
        pthread_mutex_unlock(&live->workers[i].mutex);
    }
    return is_saved;
}

/* What one series tells at once comes from one worker, in its order. */
static int by_sequence_and_series(const void *a, const void *b)
{
    const tcsi_live_event *x = a, *y = b;
    if (x->sequence != y->sequence) return x->sequence < y->sequence ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Takes the events of records up to `sequence` from every worker; each worker has them in order. */
static tcs_status take_events(tcsi_live *live, uint64_t sequence, size_t *ret_count, tcs_error *err)
{
    size_t count = 0;
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < live->worker_count; i++) {
        worker *w = &live->workers[i];
        size_t taken = 0;
        pthread_mutex_lock(&w->mutex);
        for (; status == TCS_OK && taken < w->event_count && w->events[taken].sequence <= sequence; taken++) {
            status = grow((void **)&live->telling, &live->telling_capacity, count, sizeof *live->telling, err);
            if (status == TCS_OK) live->telling[count++] = w->events[taken];
        }
        if (taken) memmove(w->events, w->events + taken, (w->event_count - taken) * sizeof *w->events);
        w->event_count -= taken;
        if (!w->event_count) w->event_serial = 0;
        pthread_mutex_unlock(&w->mutex);
    }
    if (count) qsort(live->telling, count, sizeof *live->telling, by_sequence_and_series);
    for (size_t i = 0; i < count; i++) live->telling[i].order = (uint32_t)i;
    *ret_count = count;
    return status;
}

/* The first held of the teller's list, if it is of a record up to `sequence`. */
static held_action *first_action(tcsi_live *live, uint64_t sequence)
{
    pthread_mutex_lock(&live->mutex);
    held_action *held = live->acts;
    pthread_mutex_unlock(&live->mutex);
    return held && held->action.sequence <= sequence ? held : NULL;
}

/* Actions of records up to `sequence`, which stay held until they were told. */
static tcs_status list_actions(tcsi_live *live, uint64_t sequence, size_t *ret_count, tcs_error *err)
{
    size_t count = 0;
    tcs_status status = TCS_OK;
    pthread_mutex_lock(&live->mutex);
    for (const held_action *held = live->acts; status == TCS_OK && held && held->action.sequence <= sequence; held = held->next) {
        status = grow((void **)&live->acting, &live->acting_capacity, count, sizeof *live->acting, err);
        if (status == TCS_OK) live->acting[count++] = held->action;
    }
    pthread_mutex_unlock(&live->mutex);
    *ret_count = count;
    return status;
}

static void release_actions(tcsi_live *live, uint64_t sequence)
{
    for (held_action *held = first_action(live, sequence); held; held = first_action(live, sequence)) {
        pthread_mutex_lock(&live->mutex);
        live->acts = held->next;
        if (!live->acts) live->acts_last = NULL;
        pthread_mutex_unlock(&live->mutex);
        release_action(held);
    }
}

/* Record by record, as far as something happened, and what lies between as one: who is told must not see how much was done at once. */
static void tell_records(tcsi_live *live, uint64_t told, tcsi_live_news all)
{
    void (*const tell)(void *, const tcsi_live_news *) = live->options.tell;
    size_t e = 0, a = 0;
    while (e < all.event_count || a < all.action_count) {
        const bool is_event = e < all.event_count && (a == all.action_count || all.events[e].sequence < all.actions[a].sequence);
        tcsi_live_news one = { .events = all.events + e, .actions = all.actions + a };
        one.sequence = is_event ? all.events[e].sequence : all.actions[a].sequence;
        one.time_ns = is_event ? all.events[e].received_ns : all.actions[a].time_ns;
        one.is_tick = all.is_tick && one.sequence == all.sequence;
        for (; e < all.event_count && all.events[e].sequence == one.sequence; e++) one.event_count++;
        for (; a < all.action_count && all.actions[a].sequence == one.sequence; a++) one.action_count++;
        if (told + 1 < one.sequence) tell(live->options.self, &(tcsi_live_news){ .sequence = one.sequence - 1, .time_ns = one.time_ns });
        tell(live->options.self, &one);
        told = one.sequence;
    }
    all.event_count = all.action_count = 0;
    if (told < all.sequence) tell(live->options.self, &all);
}

static void tell_until(tcsi_live *live, uint64_t told, uint64_t sequence, int64_t time_ns, bool is_tick)
{
    tcs_error failure;
    size_t event_count, action_count;
    tcs_status status = take_events(live, sequence, &event_count, &failure);
    if (status == TCS_OK) status = list_actions(live, sequence, &action_count, &failure);
    if (status != TCS_OK) {
        stop(live, &failure);
        return;
    }
    const tcsi_live_news news = { .events = live->telling, .event_count = event_count, .actions = live->acting,
                                  .action_count = action_count, .sequence = sequence, .time_ns = time_ns, .is_tick = is_tick };
    if (live->options.tell) tell_records(live, told, news);
    release_actions(live, sequence);
}

static void keep_snapshot(tcsi_live *live)
{
    const tcsi_live_snapshot snapshot = { .sequence = live->save_sequence, .parts = live->parts, .part_count = 1 + TCSI_CELL_COUNT };
    if (live->options.keep) live->options.keep(live->options.self, &snapshot);
}

/* The first tick that was not told, if it is of a record up to `sequence`: it is taken. */
static bool take_tick(tcsi_live *live, uint64_t sequence, waiting_tick *ret_tick)
{
    pthread_mutex_lock(&live->mutex);
    const bool is_there = live->tick_begin < live->tick_end && live->ticks[live->tick_begin].sequence <= sequence;
    if (is_there) *ret_tick = live->ticks[live->tick_begin++];
    if (live->tick_begin == live->tick_end) live->tick_begin = live->tick_end = 0;
    pthread_mutex_unlock(&live->mutex);
    return is_there;
}

/* Up to `sequence`, one tick after the other: who is told must not see how much was done at once. */
static void tell_ticks(tcsi_live *live, uint64_t *told, uint64_t sequence, int64_t time_ns)
{
    waiting_tick tick;
    while (take_tick(live, sequence, &tick)) {
        tell_until(live, *told, tick.sequence, tick.time_ns, true);
        *told = tick.sequence;
    }
    if (*told < sequence) tell_until(live, *told, sequence, time_ns, false);
    *told = sequence;
}

/* What is done and not told, and the snapshot once everything before it was told and nothing behind it. */
static uint64_t tell_and_keep(tcsi_live *live, uint64_t told, bool *ret_is_kept)
{
    int64_t time_ns;
    uint64_t save_sequence;
    const uint64_t done = done_by_all(live, &time_ns);
    const bool is_saved = is_saved_by_all(live, &save_sequence);
    *ret_is_kept = is_saved && done >= save_sequence;
    if (*ret_is_kept) {
        if (told < save_sequence) tell_ticks(live, &told, save_sequence, time_ns);
        keep_snapshot(live);
    }
    if (told < done) tell_ticks(live, &told, done, time_ns);
    return told;
}

static void *tell_all(void *argument)
{
    tcsi_live *live = argument;
    uint64_t seen = 0;
    pthread_mutex_lock(&live->mutex);
    for (;;) {
        while (live->advance_count == seen && !live->is_ending) pthread_cond_wait(&live->advanced, &live->mutex);
        const bool is_ending = live->is_ending && live->advance_count == seen;
        if (is_ending) break;
        seen = live->advance_count;
        uint64_t told = live->told;
        pthread_mutex_unlock(&live->mutex);
        bool is_kept = false;
        int64_t ignored_ns;
        if (!atomic_load(&live->is_stopped)) told = tell_and_keep(live, told, &is_kept);
        else told = done_by_all(live, &ignored_ns); /* nobody is told any more, but who waits goes on */
        pthread_mutex_lock(&live->mutex);
        if (told > live->told) live->told = told;
        if (is_kept || atomic_load(&live->is_stopped)) live->is_saving = false;
        pthread_cond_broadcast(&live->advanced);
    }
    pthread_mutex_unlock(&live->mutex);
    return NULL;
}

void tcsi_live_settle(tcsi_live *live)
{
    pthread_mutex_lock(&live->mutex);
    while (live->told < live->sequence || live->is_saving) pthread_cond_wait(&live->advanced, &live->mutex);
    pthread_mutex_unlock(&live->mutex);
}

bool tcsi_live_wait(tcsi_live *live, uint64_t sequence, int64_t wait_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(wait_ns / 1000000000);
    until.tv_nsec += (long)(wait_ns % 1000000000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&live->mutex);
    while (live->told < sequence && !atomic_load(&live->is_stopped))
        if (pthread_cond_timedwait(&live->advanced, &live->mutex, &until) != 0) break;
    const bool is_told = live->told >= sequence;
    pthread_mutex_unlock(&live->mutex);
    return is_told;
}

/* ---- questions ---- */

bool tcsi_live_ask(tcsi_live *live, uint32_t number, tcsi_live_look look, void *context)
{
    tcs_error err;
    if (number >= tcsi_directory_count(&live->directory)) return false;
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, number);
    worker *w = &live->workers[entry->cell % live->worker_count];
    message *m = take_message(w, ASK, 0, 0, &err);
    bool is_done = false;
    if (!m) return false;
    m->cell = entry->cell;
    m->place = entry->place;
    m->look = look;
    m->context = context;
    m->done = &is_done;
    send(w, m);
    pthread_mutex_lock(&w->mutex);
    while (!is_done) pthread_cond_wait(&w->emptied, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
    return true;
}

tcsi_second_look_options tcsi_live_second_look(const tcsi_live *live)
{
    return live->second_look;
}

double tcsi_live_budget(const tcsi_live *live)
{
    return live->alarms_per_s;
}

const tcsi_directory *tcsi_live_directory(const tcsi_live *live)
{
    return &live->directory;
}

tcsi_live_stats tcsi_live_stat(tcsi_live *live)
{
    tcsi_live_stats sum = { .series_count = tcsi_directory_count(&live->directory),
                            .waiting_row_count = atomic_load(&live->waiting_row_count) };
    for (size_t i = 0; i < live->worker_count; i++) {
        worker *w = &live->workers[i];
        pthread_mutex_lock(&w->mutex);
        sum.row_count += w->stats.row_count;
        sum.unusual_count += w->stats.unusual_count;
        tcsi_pulse_add(&sum.pulse, &w->stats.pulse);
        sum.suppressed_count += w->stats.suppressed_count;
        sum.guarded_count += w->stats.guarded_count;
        sum.reeled_count += w->stats.reeled_count;
        sum.merged_count += w->stats.merged_count;
        sum.unreeled_count += w->stats.unreeled_count;
        if (w->stats.step_ns > sum.step_ns) sum.step_ns = w->stats.step_ns;
        tcsi_second_look_sum(&w->stats.second_look, &sum.second_look);
        for (size_t k = 0; k < TCSI_OUTCOME_COUNT; k++) sum.outcomes[k] += w->stats.outcomes[k];
        for (size_t k = 0; k < TCSI_LIVE_LATENCY_COUNT; k++) sum.latencies[k] += w->stats.latencies[k];
        pthread_mutex_unlock(&w->mutex);
    }
    return sum;
}

/* ---- life ---- */

static tcs_status start_workers(tcsi_live *live, tcs_error *err)
{
    for (size_t i = 0; i < live->worker_count; i++) {
        worker *w = &live->workers[i];
        if (pthread_create(&w->thread, NULL, work, w) != 0) return tcsi_fail(err, TCS_E_IO, "no thread for live rows");
        w->is_running = true;
    }
    if (pthread_create(&live->teller, NULL, tell_all, live) != 0) return tcsi_fail(err, TCS_E_IO, "no thread for events");
    live->is_telling = true;
    return TCS_OK;
}

static tcs_status init_cells(tcsi_live *live, tcs_error *err)
{
    tcsi_reel_options reel = live->options.reel;
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++) {
        reel.index = c;
        const tcsi_cell_options options = { .reel = reel, .rate = RATE_START, .arrival = live->options.arrival,
                                            .series_count_max = live->options.series_count_max, .tell = on_event, .ask = on_question,
                                            .second_look = live->options.second_look,
                                            .self = &live->workers[c % live->worker_count] };
        const tcs_status status = tcsi_cell_init(&live->cells[c], &options, err);
        if (status != TCS_OK) return status;
    }
    return TCS_OK;
}

tcs_status tcsi_live_create(const tcsi_live_options *options, tcsi_live **ret_live, tcs_error *err)
{
    tcsi_live *live = TCSI_NEW(tcsi_live);
    if (!live) return tcsi_fail_memory(err, "live series");
    live->options = *options;
    live->created_ns = tcsi_clock_wall_ns();
    live->alarms_per_s = options->alarms_per_s;
    live->second_look = options->second_look;
    if (!live->options.waiting_row_max) live->options.waiting_row_max = WAITING_ROW_MAX;
    live->worker_count = options->thread_count ? options->thread_count : tcsi_processor_count();
    if (live->worker_count > TCSI_CELL_COUNT) live->worker_count = TCSI_CELL_COUNT;
    pthread_mutex_init(&live->mutex, NULL);
    pthread_cond_init(&live->advanced, NULL);
    for (size_t i = 0; i <= TCSI_CELL_COUNT; i++) tcsi_buffer_init(&live->parts[i], PART_SIZE_MAX);
    live->workers = TCSI_NEW_ZEROS(worker, live->worker_count);
    live->staged = TCSI_NEW_ZEROS(message *, live->worker_count);
    tcs_status status = live->workers && live->staged ? TCS_OK : tcsi_fail_memory(err, "live series");
    for (size_t i = 0; live->workers && i < live->worker_count; i++) {
        worker *w = &live->workers[i];
        w->live = live;
        w->index = i;
        pthread_mutex_init(&w->mutex, NULL);
        pthread_cond_init(&w->filled, NULL);
        pthread_cond_init(&w->emptied, NULL);
    }
    if (status == TCS_OK) status = tcsi_directory_init(&live->directory, options->series_count_max, err);
    if (status == TCS_OK) status = init_cells(live, err);
    if (status == TCS_OK) status = start_workers(live, err);
    if (status == TCS_OK) *ret_live = live;
    else tcsi_live_destroy(live);
    return status;
}

/* A worker ends behind everything that it was sent; the message that says so lives here. */
static void end_worker(worker *w, message *last)
{
    *last = (message){ .kind = STOP, .sequence = w->live->sequence };
    send(w, last);
    pthread_join(w->thread, NULL);
    w->is_running = false;
}

static void destroy_messages(worker *w, const message *last)
{
    while (w->free) {
        message *m = w->free;
        w->free = m->next;
        if (m != last) message_destroy(m);
    }
}

void tcsi_live_destroy(tcsi_live *live)
{
    if (!live) return;
    message last;
    for (size_t i = 0; live->workers && i < live->worker_count; i++) {
        worker *w = &live->workers[i];
        if (w->is_running) end_worker(w, &last);
        destroy_messages(w, &last);
    }
    if (live->is_telling) {
        pthread_mutex_lock(&live->mutex);
        live->is_ending = true;
        pthread_cond_broadcast(&live->advanced);
        pthread_mutex_unlock(&live->mutex);
        pthread_join(live->teller, NULL);
    }
    for (size_t i = 0; live->workers && i < live->worker_count; i++) {
        worker *w = &live->workers[i];
        tcsi_free(w->events);
        tcsi_free(w->judged);
        pthread_cond_destroy(&w->emptied);
        pthread_cond_destroy(&w->filled);
        pthread_mutex_destroy(&w->mutex);
    }
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++) tcsi_cell_deinit(&live->cells[c]);
    for (size_t i = 0; i <= TCSI_CELL_COUNT; i++) tcsi_buffer_deinit(&live->parts[i]);
    if (live->directory.pieces) tcsi_directory_deinit(&live->directory);
    release_actions(live, UINT64_MAX);
    tcsi_free(live->acting);
    tcsi_free(live->ticks);
    tcsi_free(live->telling);
    tcsi_free(live->staged);
    tcsi_free(live->workers);
    pthread_cond_destroy(&live->advanced);
    pthread_mutex_destroy(&live->mutex);
    tcsi_free(live);
}
