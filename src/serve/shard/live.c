/* SPDX-License-Identifier: Apache-2.0 */
/* Records in, and the life of it: what the threads do is in worker.c and teller.c. */
#include "serve/shard/live_inside.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/pool.h"
#include "serve/shard/verdicts.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { WAITING_ROW_MAX = 1000000, UNTOLD_MAX = 1 << 16, PART_SIZE_MAX = 1 << 30 };

static const double RATE_START = 1e-6, LATENCY_STEPS = 4; /* steps: an octave */

tcs_status tcsi_live_grow(void **items, size_t *capacity, size_t count, size_t item_size, tcs_error *err)
{
    return tcsi_grow(items, capacity, count, item_size, 64) ? TCS_OK : tcsi_fail_memory(err, "live rows");
}

void tcsi_live_stop(tcsi_live *live, const tcs_error *failure)
{
    pthread_mutex_lock(&live->mutex);
    if (!atomic_exchange(&live->is_stopped, true)) live->failure = *failure;
    pthread_cond_broadcast(&live->advanced);
    pthread_mutex_unlock(&live->mutex);
}

tcs_status tcsi_live_stopped(tcsi_live *live, tcs_error *err)
{
    pthread_mutex_lock(&live->mutex);
    const tcs_error failure = live->failure;
    pthread_mutex_unlock(&live->mutex);
    return tcsi_fail(err, failure.status, "it has stopped: %s", failure.text);
}

void tcsi_live_advance(tcsi_live *live)
{
    pthread_mutex_lock(&live->mutex);
    live->advance_count++;
    pthread_cond_broadcast(&live->advanced);
    pthread_mutex_unlock(&live->mutex);
}

/* One message for each worker into `staged`; none when there is no memory. */
tcs_status tcsi_live_stage(tcsi_live *live, live_message_kind kind, uint64_t sequence, int64_t time_ns, tcs_error *err)
{
    for (size_t i = 0; i < live->worker_count; i++) {
        live->staged[i] = tcsi_live_worker_take(&live->workers[i], kind, sequence, time_ns, err);
        if (live->staged[i]) continue;
        while (i-- > 0) tcsi_live_message_destroy(live->staged[i]);
        return TCS_E_MEMORY;
    }
    return TCS_OK;
}

void tcsi_live_send_staged(tcsi_live *live)
{
    for (size_t i = 0; i < live->worker_count; i++) tcsi_live_worker_send(&live->workers[i], live->staged[i]);
}

/* ---- records in ---- */

tcs_status tcsi_live_admit(tcsi_live *live, size_t row_count, tcs_error *err)
{
    if (atomic_load(&live->is_stopped)) return tcsi_live_stopped(live, err);
    const size_t untold = atomic_load(&live->untold_count);
    if (row_count > 0 && untold > live->options.untold_max)
        return tcsi_fail(err, TCS_E_LIMIT, "%zu events wait to be kept, at most %zu", untold, live->options.untold_max);
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

static double weight_of(const tcsi_live *live, const tcsi_key *key)
{
    return tcsi_policies_get(&live->policies, tcsi_policies_find(&live->policies, key))->budget_weight;
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
    if (live->policies.has_weights) live->weight_sum += weight_of(live, &key);
    live_message *m = live->staged[entry->cell % live->worker_count];
    status = tcsi_live_grow((void **)&m->added, &m->added_capacity, m->added_count, sizeof *m->added, err);
    if (status == TCS_OK)
        m->added[m->added_count++] = (live_new_series){ *ret_series, entry->place, family_of(&key), entry->cell, entry->kind };
    return status;
}

static tcs_status stage_rows(tcsi_live *live, const tcsi_batch *batch, size_t index, uint32_t series, tcs_error *err)
{
    const tcsi_batch_series *named = &batch->series[index];
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, series);
    live_message *m = live->staged[entry->cell % live->worker_count];
    for (uint32_t i = named->sample_begin; i < named->sample_begin + named->sample_count; i++) {
        const tcs_status status = tcsi_live_grow((void **)&m->rows, &m->row_capacity, m->row_count, sizeof *m->rows, err);
        if (status != TCS_OK) return status;
        m->rows[m->row_count++] = (live_queued_row){ entry->place, entry->cell, batch->times_ns[i], batch->values[i] };
    }
    return TCS_OK;
}

tcs_status tcsi_live_apply(tcsi_live *live, uint64_t sequence, int64_t receive_ns, tcsi_batch *batch, tcs_error *err)
{
    const size_t admitted = batch->sample_count;
    size_t staged = 0;
    if (atomic_load(&live->is_stopped)) return tcsi_live_stopped(live, err);
    tcs_error failure = { 0 };
    const tcsi_directory_source record = { .time_ns = receive_ns, .sequence = sequence };
    tcs_status status = tcsi_live_stage(live, LIVE_ROWS, sequence, receive_ns, &failure);
    if (status != TCS_OK) {
        tcsi_live_stop(live, &failure);
        return tcsi_live_stopped(live, err);
    }
    for (size_t i = 0; status == TCS_OK && i < batch->series_count; i++) {
        uint32_t series;
        status = find_series(live, batch, i, &record, &series, &failure);
        if (status != TCS_OK || series == TCSI_SERIES_NONE) continue;
        status = stage_rows(live, batch, i, series, &failure);
        staged += batch->series[i].sample_count;
    }
    if (status != TCS_OK) { /* half a record would be another history than the journal's */
        for (size_t i = 0; i < live->worker_count; i++) tcsi_live_message_destroy(live->staged[i]);
        tcsi_live_stop(live, &failure);
        return tcsi_live_stopped(live, err);
    }
    for (size_t i = 0; i < live->worker_count; i++) live->staged[i]->is_backfill = batch->is_backfill;
    live->sequence = sequence;
    tcsi_live_release(live, admitted - staged);
    tcsi_live_send_staged(live);
    return TCS_OK;
}

tcs_status tcsi_live_tick(tcsi_live *live, uint64_t sequence, int64_t time_ns, tcs_error *err)
{
    if (atomic_load(&live->is_stopped)) return tcsi_live_stopped(live, err);
    tcs_error failure = { 0 };
    if (tcsi_live_note_tick(live, sequence, time_ns, &failure) != TCS_OK ||
        tcsi_live_stage(live, LIVE_TICK, sequence, time_ns, &failure) != TCS_OK) {
        tcsi_live_stop(live, &failure);
        return tcsi_live_stopped(live, err);
    }
    const uint32_t series_count = tcsi_directory_count(&live->directory);
    for (size_t i = 0; i < live->worker_count; i++) {
        live->staged[i]->series_count = series_count;
        live->staged[i]->weight_sum = live->weight_sum;
        live->staged[i]->alarms_per_s = live->alarms_per_s;
        live->staged[i]->begin = (uint32_t)(live->tick_count % LIVE_TICK_STRIDE);
    }
    live->tick_count++;
    live->sequence = sequence;
    tcsi_live_send_staged(live);
    return TCS_OK;
}

static bool is_number(const tcsi_json_value *value, double min, double max)
{
    return value && value->type == TCSI_JSON_NUMBER && value->number >= min && value->number <= max;
}

static void take_second_look(tcsi_live *live, live_held_action *held, const tcsi_json_value *root)
{
    const tcsi_json_value *is_on = tcsi_json_get(root, "is_on"), *sampled = tcsi_json_get(root, "sampled_per_s");
    const tcsi_json_value *deadline = tcsi_json_get(root, "deadline_s");
    if (!is_on || is_on->type > TCSI_JSON_TRUE || !is_number(sampled, 0, 1e9) || !is_number(deadline, 1e-3, 1e6)) return;
    held->second_look = (tcsi_second_look_options){ .is_on = is_on->type == TCSI_JSON_TRUE, .sampled_per_s = sampled->number,
                                                    .deadline_ns = (int64_t)rint(1e9 * deadline->number) };
    held->has_second_look = true;
    live->second_look = held->second_look;
}

tcs_status tcsi_live_take_rules(tcsi_live *live, const char *text, tcs_error *err)
{
    tcsi_policies policies;
    const tcs_status status = tcsi_policies_init(&policies, text, strlen(text), err);
    if (status != TCS_OK) return status == TCS_E_MEMORY ? status : TCS_OK;
    tcsi_policies_deinit(&live->policies);
    live->policies = policies;
    live->weight_sum = 0;
    for (uint32_t i = 0; policies.has_weights && i < tcsi_directory_count(&live->directory); i++) {
        const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, i);
        tcsi_key key;
        tcs_error ignored;
        if (tcsi_key_decode(entry->key, entry->key_size, &key, &ignored) == TCS_OK) live->weight_sum += weight_of(live, &key);
    }
    return TCS_OK;
}

/* The settings that live here. */
static void take_setting(tcsi_live *live, live_held_action *held)
{
    const tcsi_action *action = &held->action;
    const tcsi_json_value *root, *value;
    tcs_error ignored, failure;
    if (action->kind == TCSI_ACTION_SETTING && strcmp(action->object, TCSI_SETTING_RULES) == 0 &&
        tcsi_live_take_rules(live, action->document, &failure) != TCS_OK) tcsi_live_stop(live, &failure);
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
    live_held_action *held = NULL;
    if (atomic_load(&live->is_stopped)) return tcsi_live_stopped(live, err);
    tcs_error failure = { 0 };
    tcs_status status = tcsi_live_stage(live, LIVE_ACT, sequence, time_ns, &failure);
    if (status == TCS_OK && (status = tcsi_live_hold(live, sequence, time_ns, bytes, size, &held, &failure)) != TCS_OK)
        for (size_t i = 0; i < live->worker_count; i++) tcsi_live_message_destroy(live->staged[i]);
    if (status != TCS_OK) {
        tcsi_live_stop(live, &failure);
        return tcsi_live_stopped(live, err);
    }
    take_setting(live, held);
    for (size_t i = 0; i < live->worker_count; i++) live->staged[i]->act = held;
    tcsi_live_note_action(live, held);
    live->sequence = sequence;
    tcsi_live_send_staged(live);
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
        live_message *m = live->staged[cell % live->worker_count];
        status = tcsi_live_grow((void **)&m->answers, &m->answer_capacity, m->answer_count, sizeof *m->answers, err);
        if (status == TCS_OK) m->answers[m->answer_count++] = (live_queued_answer){ cell, answer };
    }
    return status;
}

tcs_status tcsi_live_hear(tcsi_live *live, uint64_t sequence, int64_t time_ns, const void *bytes, size_t size, tcs_error *err)
{
    if (atomic_load(&live->is_stopped)) return tcsi_live_stopped(live, err);
    tcs_error failure = { 0 };
    tcs_status status = tcsi_live_stage(live, LIVE_HEAR, sequence, time_ns, &failure);
    if (status == TCS_OK && (status = stage_answers(live, bytes, size, &failure)) != TCS_OK)
        for (size_t i = 0; i < live->worker_count; i++) tcsi_live_message_destroy(live->staged[i]);
    if (status != TCS_OK) {
        tcsi_live_stop(live, &failure);
        return tcsi_live_stopped(live, err);
    }
    live->sequence = sequence;
    tcsi_live_send_staged(live);
    return TCS_OK;
}

/* ---- questions ---- */

bool tcsi_live_ask(tcsi_live *live, uint32_t number, tcsi_live_look look, void *context)
{
    tcs_error err;
    if (number >= tcsi_directory_count(&live->directory)) return false;
    const tcsi_directory_entry *entry = tcsi_directory_entry_of(&live->directory, number);
    live_worker *w = &live->workers[entry->cell % live->worker_count];
    live_message *m = tcsi_live_worker_take(w, LIVE_ASK, 0, 0, &err);
    bool is_done = false;
    if (!m) return false;
    m->cell = entry->cell;
    m->place = entry->place;
    m->look = look;
    m->context = context;
    m->done = &is_done;
    tcsi_live_worker_send(w, m);
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
        live_worker *w = &live->workers[i];
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

size_t tcsi_live_latency_place(int64_t elapsed_ns)
{
    const double elapsed_us = (double)elapsed_ns / 1000, place = elapsed_us > 1 ? ceil(LATENCY_STEPS * log2(elapsed_us)) : 0;
    return place < TCSI_LIVE_LATENCY_COUNT ? (size_t)place : TCSI_LIVE_LATENCY_COUNT - 1;
}

double tcsi_live_latency(const tcsi_live_stats *stats, double share)
{
    uint64_t count = 0, so_far = 0;
    for (size_t i = 0; i < TCSI_LIVE_LATENCY_COUNT; i++) count += stats->latencies[i];
    for (size_t i = 0; count && i < TCSI_LIVE_LATENCY_COUNT; i++) {
        so_far += stats->latencies[i];
        if ((double)so_far >= share * (double)count) return exp2((double)i / LATENCY_STEPS) * 1e-6;
    }
    return 0;
}

void tcsi_live_secure(tcsi_live *live, uint64_t sequence, int64_t time_ns)
{
    pthread_mutex_lock(&live->mutex);
    live->durable = sequence;
    live->durable_ns = time_ns;
    live->advance_count++;
    pthread_cond_broadcast(&live->advanced);
    pthread_mutex_unlock(&live->mutex);
}

/* With the mutex: is there anything that will still be told or kept? */
static bool is_settled(tcsi_live *live)
{
    int64_t ignored_ns;
    const uint64_t until = live->sequence < live->durable ? live->sequence : live->durable;
    return tcsi_live_done(live, &ignored_ns) >= live->sequence && live->told >= until &&
           !(live->is_saving && live->saved.sequence <= live->durable);
}

void tcsi_live_settle(tcsi_live *live)
{
    pthread_mutex_lock(&live->mutex);
    while (!is_settled(live)) pthread_cond_wait(&live->advanced, &live->mutex);
    pthread_mutex_unlock(&live->mutex);
}

static struct timespec after(int64_t wait_ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(wait_ns / 1000000000);
    until.tv_nsec += (long)(wait_ns % 1000000000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

bool tcsi_live_wait_secure(tcsi_live *live, int64_t wait_ns)
{
    const struct timespec until = after(wait_ns);
    uint64_t begun = 0;
    for (size_t i = 0; i < live->worker_count; i++) {
        live_worker *w = &live->workers[i];
        pthread_mutex_lock(&w->mutex);
        if (w->begun > begun) begun = w->begun;
        pthread_mutex_unlock(&w->mutex);
    }
    pthread_mutex_lock(&live->mutex);
    while (live->durable < begun && !atomic_load(&live->is_stopped))
        if (pthread_cond_timedwait(&live->advanced, &live->mutex, &until) != 0) break;
    const bool is_secure = live->durable >= begun;
    pthread_mutex_unlock(&live->mutex);
    return is_secure;
}

bool tcsi_live_wait(tcsi_live *live, uint64_t sequence, int64_t wait_ns)
{
    const struct timespec until = after(wait_ns);
    pthread_mutex_lock(&live->mutex);
    while (live->told < sequence && !atomic_load(&live->is_stopped))
        if (pthread_cond_timedwait(&live->advanced, &live->mutex, &until) != 0) break;
    const bool is_told = live->told >= sequence;
    pthread_mutex_unlock(&live->mutex);
    return is_told;
}

/* ---- life ---- */

static tcs_status start_workers(tcsi_live *live, tcs_error *err)
{
    for (size_t i = 0; i < live->worker_count; i++) {
        live_worker *w = &live->workers[i];
        if (pthread_create(&w->thread, NULL, tcsi_live_worker_run, w) != 0) return tcsi_fail(err, TCS_E_IO, "no thread for live rows");
        w->is_running = true;
    }
    if (pthread_create(&live->teller, NULL, tcsi_live_teller_run, live) != 0) return tcsi_fail(err, TCS_E_IO, "no thread for events");
    live->is_telling = true;
    return TCS_OK;
}

static tcs_status init_cells(tcsi_live *live, tcs_error *err)
{
    tcsi_reel_options reel = live->options.reel;
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++) {
        reel.index = c;
        const tcsi_cell_options options = { .reel = reel, .rate = RATE_START, .arrival = live->options.arrival,
                                            .series_count_max = live->options.series_count_max, .tell = tcsi_live_worker_event,
                                            .ask = tcsi_live_worker_question, .second_look = live->options.second_look,
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
    live->durable = UINT64_MAX;
    live->alarms_per_s = options->alarms_per_s;
    live->second_look = options->second_look;
    if (!live->options.waiting_row_max) live->options.waiting_row_max = WAITING_ROW_MAX;
    if (!live->options.untold_max) live->options.untold_max = UNTOLD_MAX;
    live->worker_count = options->thread_count ? options->thread_count : tcsi_processor_count();
    if (live->worker_count > TCSI_CELL_COUNT) live->worker_count = TCSI_CELL_COUNT;
    pthread_mutex_init(&live->mutex, NULL);
    pthread_cond_init(&live->advanced, NULL);
    for (size_t i = 0; i <= TCSI_CELL_COUNT; i++) tcsi_buffer_init(&live->parts[i], PART_SIZE_MAX);
    live->workers = TCSI_NEW_ZEROS(live_worker, live->worker_count);
    live->staged = TCSI_NEW_ZEROS(live_message *, live->worker_count);
    tcs_status status = live->workers && live->staged ? TCS_OK : tcsi_fail_memory(err, "live series");
    for (size_t i = 0; live->workers && i < live->worker_count; i++) {
        live_worker *w = &live->workers[i];
        w->live = live;
        w->index = i;
        w->saving = TCSI_CELL_COUNT;
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

void tcsi_live_destroy(tcsi_live *live)
{
    if (!live) return;
    for (size_t i = 0; live->workers && i < live->worker_count; i++)
        if (live->workers[i].is_running) tcsi_live_worker_end(&live->workers[i]);
    if (live->is_telling) {
        pthread_mutex_lock(&live->mutex);
        live->is_ending = true;
        pthread_cond_broadcast(&live->advanced);
        pthread_mutex_unlock(&live->mutex);
        pthread_join(live->teller, NULL);
    }
    for (size_t i = 0; live->workers && i < live->worker_count; i++) {
        live_worker *w = &live->workers[i];
        tcsi_free(w->events);
        tcsi_free(w->judged);
        pthread_cond_destroy(&w->emptied);
        pthread_cond_destroy(&w->filled);
        pthread_mutex_destroy(&w->mutex);
    }
    for (size_t c = 0; c < TCSI_CELL_COUNT; c++) tcsi_cell_deinit(&live->cells[c]);
    for (size_t i = 0; i <= TCSI_CELL_COUNT; i++) tcsi_buffer_deinit(&live->parts[i]);
    tcsi_policies_deinit(&live->policies);
    if (live->directory.pieces) tcsi_directory_deinit(&live->directory);
    tcsi_live_forget_actions(live, UINT64_MAX);
    tcsi_free(live->acting);
    tcsi_free(live->ticks);
    tcsi_free(live->telling);
    tcsi_free(live->staged);
    tcsi_free(live->workers);
    pthread_cond_destroy(&live->advanced);
    pthread_mutex_destroy(&live->mutex);
    tcsi_free(live);
}
