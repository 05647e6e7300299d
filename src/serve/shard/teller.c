/* SPDX-License-Identifier: Apache-2.0 */
/* Events are taken from the workers up to the record that all have done and that is durable, sorted, and told record by record. */
#include "serve/shard/live_inside.h"

#include "base/alloc.h"
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

/* ---- for the teller ---- */

tcs_status tcsi_live_hold(tcsi_live *live, uint64_t sequence, int64_t time_ns, const void *bytes, size_t size, live_held_action **ret_held,
                          tcs_error *err)
{
    live_held_action *held = TCSI_NEW(live_held_action);
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

void tcsi_live_unhold(live_held_action *held)
{
    if (atomic_fetch_sub(&held->holder_count, 1) != 1) return;
    tcsi_arena_deinit(&held->arena);
    tcsi_free(held);
}

void tcsi_live_note_action(tcsi_live *live, live_held_action *held)
{
    pthread_mutex_lock(&live->mutex);
    if (live->acts_last) live->acts_last->next = held;
    else live->acts = held;
    live->acts_last = held;
    pthread_mutex_unlock(&live->mutex);
}

/* For the teller. */
tcs_status tcsi_live_note_tick(tcsi_live *live, uint64_t sequence, int64_t time_ns, tcs_error *err)
{
    pthread_mutex_lock(&live->mutex);
    const tcs_status status = tcsi_live_grow((void **)&live->ticks, &live->tick_capacity, live->tick_end, sizeof *live->ticks, err);
    if (status == TCS_OK) live->ticks[live->tick_end++] = (live_waiting_tick){ sequence, time_ns };
    pthread_mutex_unlock(&live->mutex);
    return status;
}

uint64_t tcsi_live_done(tcsi_live *live, int64_t *ret_time_ns)
{
    uint64_t done = UINT64_MAX;
    *ret_time_ns = 0;
    for (size_t i = 0; i < live->worker_count; i++) {
        live_worker *w = &live->workers[i];
        pthread_mutex_lock(&w->mutex);
        if (w->done < done) {
            done = w->done;
            *ret_time_ns = w->done_ns;
        }
        pthread_mutex_unlock(&w->mutex);
    }
    return done;
}

/* Of that, what a loss of power would not take back: nobody is told of more. */
static uint64_t done_for_good(tcsi_live *live, int64_t *ret_time_ns)
{
    uint64_t done = tcsi_live_done(live, ret_time_ns);
    pthread_mutex_lock(&live->mutex);
    if (live->durable < done) {
        done = live->durable;
        *ret_time_ns = live->durable_ns;
    }
    pthread_mutex_unlock(&live->mutex);
    return done;
}

typedef enum live_save_state { LIVE_SAVES_NOT, LIVE_SAVES, LIVE_HAS_SAVED } live_save_state;

/* Is a snapshot on its way into the parts, or there, and of which record?  Asked after done_for_good: what is done beyond it was not done
 * before it. */
static live_save_state look_at_save(tcsi_live *live, uint64_t *ret_sequence)
{
    pthread_mutex_lock(&live->mutex);
    live_save_state state = live->is_saving ? LIVE_HAS_SAVED : LIVE_SAVES_NOT;
    *ret_sequence = live->saved.sequence;
    pthread_mutex_unlock(&live->mutex);
    for (size_t i = 0; state == LIVE_HAS_SAVED && i < live->worker_count; i++) {
        pthread_mutex_lock(&live->workers[i].mutex);
        if (!live->workers[i].is_saved) state = LIVE_SAVES;
        pthread_mutex_unlock(&live->workers[i].mutex);
    }
    return state;
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
        live_worker *w = &live->workers[i];
        size_t taken = 0;
        pthread_mutex_lock(&w->mutex);
        for (; status == TCS_OK && taken < w->event_count && w->events[taken].sequence <= sequence; taken++) {
            status = tcsi_live_grow((void **)&live->telling, &live->telling_capacity, count, sizeof *live->telling, err);
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
static live_held_action *first_action(tcsi_live *live, uint64_t sequence)
{
    pthread_mutex_lock(&live->mutex);
    live_held_action *held = live->acts;
    pthread_mutex_unlock(&live->mutex);
    return held && held->action.sequence <= sequence ? held : NULL;
}

/* Actions of records up to `sequence`, which stay held until they were told. */
static tcs_status list_actions(tcsi_live *live, uint64_t sequence, size_t *ret_count, tcs_error *err)
{
    size_t count = 0;
    tcs_status status = TCS_OK;
    pthread_mutex_lock(&live->mutex);
    for (const live_held_action *held = live->acts; status == TCS_OK && held && held->action.sequence <= sequence; held = held->next) {
        status = tcsi_live_grow((void **)&live->acting, &live->acting_capacity, count, sizeof *live->acting, err);
        if (status == TCS_OK) live->acting[count++] = held->action;
    }
    pthread_mutex_unlock(&live->mutex);
    *ret_count = count;
    return status;
}

void tcsi_live_forget_actions(tcsi_live *live, uint64_t sequence)
{
    for (live_held_action *held = first_action(live, sequence); held; held = first_action(live, sequence)) {
        pthread_mutex_lock(&live->mutex);
        live->acts = held->next;
        if (!live->acts) live->acts_last = NULL;
        pthread_mutex_unlock(&live->mutex);
        tcsi_live_unhold(held);
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
        one.is_more = one.sequence < all.sequence;
        if (told + 1 < one.sequence)
            tell(live->options.self, &(tcsi_live_news){ .sequence = one.sequence - 1, .time_ns = one.time_ns, .is_more = true });
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
        tcsi_live_stop(live, &failure);
        return;
    }
    const tcsi_live_news news = { .events = live->telling, .event_count = event_count, .actions = live->acting,
                                  .action_count = action_count, .sequence = sequence, .time_ns = time_ns, .is_tick = is_tick };
    if (live->options.tell) tell_records(live, told, news);
    atomic_fetch_sub(&live->untold_count, event_count);
    tcsi_live_forget_actions(live, sequence);
}

static void keep_snapshot(tcsi_live *live)
{
    const tcsi_live_snapshot snapshot = { .sequence = live->saved.sequence, .parts = live->parts, .part_count = 1 + TCSI_CELL_COUNT };
    tcs_error failure;
    if (tcsi_live_save_head(live, &failure) != TCS_OK) tcsi_live_stop(live, &failure);
    else if (live->options.keep) live->options.keep(live->options.self, &snapshot);
}

static void *keep_snapshot_run(void *live)
{
    tcsi_thread_lower(TCSI_URGENCY_LOW);
    keep_snapshot(live);
    return NULL;
}

/* It takes a processor for a good part of a second, which would be some series' rows': in a thread of its own, as a thread that has made
 * room for others may not take it back.  Nothing is told meanwhile. */
static void keep_snapshot_gently(tcsi_live *live)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, keep_snapshot_run, live) == 0) pthread_join(thread, NULL);
    else keep_snapshot(live);
}

/* The first tick that was not told, if it is of a record up to `sequence`: it is taken. */
static bool take_tick(tcsi_live *live, uint64_t sequence, live_waiting_tick *ret_tick)
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
    live_waiting_tick tick;
    while (take_tick(live, sequence, &tick)) {
        tell_until(live, *told, tick.sequence, tick.time_ns, true);
        *told = tick.sequence;
    }
    if (*told < sequence) tell_until(live, *told, sequence, time_ns, false);
    *told = sequence;
}

/* What is done and not told, and the snapshot once everything before it was told and nothing behind it: who is told has a part in it that
 * is of the same record.  What happens while its workers write theirs waits for that. */
static uint64_t tell_and_keep(tcsi_live *live, uint64_t told, bool *ret_is_kept)
{
    int64_t time_ns;
    uint64_t save_sequence;
    const uint64_t done = done_for_good(live, &time_ns);
    const live_save_state state = look_at_save(live, &save_sequence);
    const bool is_reached = state != LIVE_SAVES_NOT && done >= save_sequence;
    if (is_reached && told < save_sequence) tell_ticks(live, &told, save_sequence, time_ns);
    *ret_is_kept = is_reached && state == LIVE_HAS_SAVED;
    if (is_reached && state == LIVE_SAVES) return told;
    if (*ret_is_kept) keep_snapshot_gently(live);
    if (told < done) tell_ticks(live, &told, done, time_ns);
    return told;
}

void *tcsi_live_teller_run(void *argument)
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
        else told = tcsi_live_done(live, &ignored_ns); /* nobody is told any more, but who waits goes on */
        pthread_mutex_lock(&live->mutex);
        if (told > live->told) live->told = told;
        if (is_kept || atomic_load(&live->is_stopped)) live->is_saving = false;
        pthread_cond_broadcast(&live->advanced);
    }
    pthread_mutex_unlock(&live->mutex);
    return NULL;
}
