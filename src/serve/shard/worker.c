/* SPDX-License-Identifier: Apache-2.0 */
/* Each record is a message; what is done with it is a function each. */
#include "serve/shard/live_inside.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <math.h>
#include <string.h>

enum { SAVED_AT_ONCE = 256 }; /* series or rows of history: a tenth of a millisecond */

static const double RATE_MIN = 1e-12, RATE_MAX = 0.01, RATE_CHANGE_MIN = 0.02;

/* ---- its queue ---- */

live_message *tcsi_live_worker_take(live_worker *w, live_message_kind kind, uint64_t sequence, int64_t time_ns, tcs_error *err)
{
    pthread_mutex_lock(&w->mutex);
    live_message *m = w->free;
    if (m) w->free = m->next;
    pthread_mutex_unlock(&w->mutex);
    if (!m) m = TCSI_NEW(live_message);
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

void tcsi_live_worker_send(live_worker *w, live_message *m)
{
    pthread_mutex_lock(&w->mutex);
    if (w->last) w->last->next = m;
    else w->first = m;
    w->last = m;
    pthread_cond_signal(&w->filled);
    pthread_mutex_unlock(&w->mutex);
}

void tcsi_live_message_destroy(live_message *m)
{
    if (!m) return;
    tcsi_free(m->added);
    tcsi_free(m->rows);
    tcsi_free(m->answers);
    tcsi_free(m);
}

/* ---- what its cells tell and ask ---- */

/* From within a cell's push or tick, in the worker's thread.  Only this thread adds; the teller takes under the mutex. */
void tcsi_live_worker_event(void *self, const tcsi_live_event *event)
{
    live_worker *w = self;
    tcs_error failure;
    pthread_mutex_lock(&w->mutex);
    const tcs_status status = tcsi_live_grow((void **)&w->events, &w->event_capacity, w->event_count, sizeof *w->events, &failure);
    if (status == TCS_OK) {
        w->events[w->event_count] = *event;
        w->events[w->event_count].order = w->event_serial++;
        w->event_count++;
        atomic_fetch_add(&w->live->untold_count, 1);
    }
    pthread_mutex_unlock(&w->mutex);
    if (status != TCS_OK) tcsi_live_stop(w->live, &failure);
}

/* Likewise. */
void tcsi_live_worker_question(void *self, const tcsi_deep_question *question)
{
    const tcsi_live *live = ((live_worker *)self)->live;
    if (live->options.ask) live->options.ask(live->options.asked, question);
}

/* ---- its thread ---- */

static bool is_mine(const live_worker *w, size_t cell)
{
    return cell % w->live->worker_count == w->index;
}

static tcs_status note_judged(live_worker *w, const live_message *m, const live_queued_row *row, const tcsi_live_outcome *outcome,
                              tcs_error *err)
{
    const tcs_status status = tcsi_live_grow((void **)&w->judged, &w->judged_capacity, w->judged_count, sizeof *w->judged, err);
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
    if (cell->policies.count == 0) tcsi_cell_touch(cell, place)->policy = 0;
    else if (tcsi_key_decode(entry->key, entry->key_size, &key, &ignored) == TCS_OK) tcsi_cell_choose_policy(cell, place, &key);
}

static tcs_status do_rows(live_worker *w, const live_message *m, tcs_error *err)
{
    const tcsi_live_options *options = &w->live->options;
    tcsi_live_outcome outcome;
    uint32_t place;
    tcs_status status = TCS_OK;
    w->judged_count = 0;
    for (size_t i = 0; status == TCS_OK && i < m->added_count; i++) {
        const live_new_series *added = &m->added[i];
        status = tcsi_cell_add(&w->live->cells[added->cell], added->number, (tcsi_series_kind)added->kind, &place, err);
        TCS_ASSERT(status != TCS_OK || place == added->place);
        if (status == TCS_OK) choose_policy(w->live, &w->live->cells[added->cell], added->place);
        if (status == TCS_OK) tcsi_cell_touch(&w->live->cells[added->cell], place)->answered.family = added->family;
    }
    for (size_t i = 0; status == TCS_OK && i < m->row_count; i++) {
        const live_queued_row *row = &m->rows[i];
        if (i + 8 < m->row_count) { /* a million series are not in the cache */
            const live_queued_row *later = &m->rows[i + 8];
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

/* Each series has the same part of the budget, or what its policy gives it; what a cell's series may raise together is spread over the rows
 * that they give, by their stamps: a backlog that comes at once is no busier than it was. */
static void share_budget(tcsi_cell *cell, const live_message *m)
{
    if (cell->series_count == 0 || !(cell->rows_per_s > 0)) return;
    const double part = (double)cell->series_count / (double)m->series_count;
    const double alarms_per_s = m->alarms_per_s * (cell->policies.has_weights ? cell->weight_sum / m->weight_sum : part);
    const double rate = fmin(fmax(alarms_per_s / cell->rows_per_s, RATE_MIN), RATE_MAX), change = rate / cell->options.rate;
    tcsi_second_look_set_share(&cell->second_look, part, cell->rows_per_s);
    if (change < 1 - RATE_CHANGE_MIN || change > 1 + RATE_CHANGE_MIN) tcsi_cell_set_rate(cell, rate);
}

static void do_tick(live_worker *w, const live_message *m)
{
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++) {
        if (!is_mine(w, c)) continue;
        share_budget(&w->live->cells[c], m);
        tcsi_cell_tick(&w->live->cells[c], m->sequence, m->time_ns, m->begin, LIVE_TICK_STRIDE);
    }
}

/* From now on its cells are being saved. */
static void do_save(live_worker *w)
{
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++)
        if (is_mine(w, c)) tcsi_cell_save(&w->live->cells[c], &w->live->parts[1 + c], &w->save_failure);
    w->saving = w->index;
}

/* A little of what is left, between two messages; the last of it is told to the teller. */
static void save_some(live_worker *w)
{
    bool is_more = false;
    const tcs_status status = tcsi_cell_save_some(&w->live->cells[w->saving], SAVED_AT_ONCE, &is_more);
    if (status != TCS_OK) tcsi_live_stop(w->live, &w->save_failure);
    if (!is_more) w->saving += w->live->worker_count;
    if (w->saving < TCSI_CELL_COUNT) return;
    pthread_mutex_lock(&w->mutex);
    w->is_saved = true;
    pthread_mutex_unlock(&w->mutex);
    tcsi_live_advance(w->live);
}

/* Rules that are none were never taken; those of another version change nothing. */
static tcs_status set_rules(live_worker *w, tcsi_cell *cell, const char *text, tcs_error *err)
{
    const tcs_status status = tcsi_cell_set_rules(cell, text, err);
    for (uint32_t i = 0; status == TCS_OK && i < cell->series_count; i++) choose_policy(w->live, cell, i);
    if (status == TCS_OK) tcsi_cell_weigh(cell);
    return status == TCS_E_MEMORY ? status : TCS_OK;
}

static tcs_status do_act(live_worker *w, const live_message *m, tcs_error *err)
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

static void do_hear(live_worker *w, const live_message *m)
{
    for (size_t i = 0; i < m->answer_count; i++) {
        tcsi_cell *cell = &w->live->cells[m->answers[i].cell];
        cell->now_ns = m->time_ns;
        tcsi_second_look_hear(cell, &m->answers[i].answer, m->sequence);
    }
}

static void do_ask(live_worker *w, const live_message *m)
{
    const tcsi_cell *cell = &w->live->cells[m->cell];
    m->look(m->context, cell, tcsi_cell_series(cell, m->place));
    pthread_mutex_lock(&w->mutex);
    *m->done = true;
    pthread_cond_broadcast(&w->emptied);
    pthread_mutex_unlock(&w->mutex);
}

tcsi_live_stats tcsi_live_worker_count(const live_worker *w)
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

static void do_message(live_worker *w, const live_message *m)
{
    tcs_error failure = { 0 };
    tcs_status status = TCS_OK;
    if (atomic_load(&w->live->is_stopped)) return; /* its state is not what the journal says any more */
    if (m->kind == LIVE_ROWS) status = do_rows(w, m, &failure);
    else if (m->kind == LIVE_TICK) do_tick(w, m);
    else if (m->kind == LIVE_ACT) status = do_act(w, m, &failure);
    else if (m->kind == LIVE_HEAR) do_hear(w, m);
    else if (m->kind == LIVE_SAVE) do_save(w);
    if (status != TCS_OK) tcsi_live_stop(w->live, &failure);
}

/* From receipt, as the record has it, to now, when its rows are judged. */
static void note_latency(live_worker *w, const live_message *m)
{
    if (m->time_ns < w->live->created_ns) return; /* of the journal, from before this process */
    w->latencies[tcsi_live_latency_place(tcsi_clock_wall_ns() - m->time_ns)] += m->row_count;
}

static void finish(live_worker *w, live_message *m)
{
    if (m->kind == LIVE_ROWS) note_latency(w, m);
    if (m->kind == LIVE_ACT) tcsi_live_unhold(m->act);
    tcsi_live_stats stats = tcsi_live_worker_count(w);
    memcpy(stats.latencies, w->latencies, sizeof stats.latencies);
    pthread_mutex_lock(&w->mutex);
    if (m->kind != LIVE_ASK) w->done = m->sequence;
    if (m->kind == LIVE_ROWS || m->kind == LIVE_TICK || m->kind == LIVE_ACT || m->kind == LIVE_HEAR) w->done_ns = m->time_ns;
    w->stats = stats;
    atomic_fetch_sub(&w->live->waiting_row_count, m->row_count);
    m->next = w->free;
    w->free = m;
    pthread_cond_broadcast(&w->emptied);
    pthread_mutex_unlock(&w->mutex);
    tcsi_live_advance(w->live);
}

/* The next message; NULL: there is none, and something to save. */
static live_message *next_message(live_worker *w)
{
    pthread_mutex_lock(&w->mutex);
    while (!w->first && w->saving >= TCSI_CELL_COUNT) pthread_cond_wait(&w->filled, &w->mutex);
    live_message *m = w->first;
    if (m) w->first = m->next;
    if (!w->first) w->last = NULL;
    if (m && m->kind != LIVE_ASK) w->begun = m->sequence;
    pthread_mutex_unlock(&w->mutex);
    return m;
}

void *tcsi_live_worker_run(void *argument)
{
    live_worker *w = argument;
    for (bool is_over = false; !is_over || w->saving < TCSI_CELL_COUNT;) {
        live_message *m = next_message(w);
        if (m) {
            is_over = m->kind == LIVE_STOP;
            if (m->kind == LIVE_ASK) do_ask(w, m);
            else do_message(w, m);
            finish(w, m);
        }
        if (w->saving < TCSI_CELL_COUNT) save_some(w);
    }
    return NULL;
}

/* The message that says so lives here. */
void tcsi_live_worker_end(live_worker *w)
{
    live_message last = { .kind = LIVE_STOP, .sequence = w->live->sequence };
    tcsi_live_worker_send(w, &last);
    pthread_join(w->thread, NULL);
    w->is_running = false;
    while (w->free) {
        live_message *m = w->free;
        w->free = m->next;
        if (m != &last) tcsi_live_message_destroy(m);
    }
}
