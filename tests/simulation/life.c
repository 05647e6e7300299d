/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include "disk.h"
#include "serve/deliver/outbox_store.h"

#include <string.h>

enum { SERIES_MAX = 200 };
static const int64_t RETRY_NS = 100000;

static tcs_status open_stores(const sim_plan *plan, sim_life *life, tcs_error *err)
{
    const tcsi_store_options alone = { .alone = true }, reader = { .must_exist = true }, scratch = { .scratch = true };
    if (!plan->store) return tcsi_store_open("", &scratch, &life->store, err);
    tcs_status status = tcsi_store_open(plan->store, &alone, &life->store, err);
    if (status == TCS_OK) status = tcsi_store_open(plan->store, &reader, &life->reader, err);
    for (size_t i = 0; status == TCS_OK && i < plan->settings->receiver_count; i++) {
        status = tcsi_store_open(plan->store, &reader, &life->outbox_stores[i], err);
        if (status == TCS_OK) life->outboxes[i] = tcsi_outbox_of_store(life->outbox_stores[i]);
    }
    return status;
}

static tcs_status start_deliver(const sim_plan *plan, sim_life *life, tcs_error *err)
{
    const tcsi_deliver_options deliver = { .receivers = plan->settings->receivers, .receiver_count = plan->settings->receiver_count,
                                           .outboxes = life->outboxes, .seed = 1, .attempt = plan->attempt, .context = plan->self };
    const tcs_status status = tcsi_deliver_create(&deliver, &life->deliver, err);
    if (status == TCS_OK) tcsi_keeper_set_deliver(life->keeper, life->deliver);
    return status;
}

tcs_status sim_life_begin(const sim_plan *plan, sim_life *ret_life, tcs_error *err)
{
    sim_life *life = ret_life;
    *life = (sim_life){ 0 };
    tcs_status status = open_stores(plan, life, err);
    const tcsi_keeper_options keeper = { .store = life->store, .settings = plan->settings, .retry_ns = RETRY_NS,
                                           .alarms_per_s = plan->alarms_per_s };
    if (status == TCS_OK) status = tcsi_keeper_create(&keeper, &life->keeper, err);
    const tcsi_live_options live = { .thread_count = plan->thread_count, .series_count_max = SERIES_MAX,
                                     .alarms_per_s = plan->alarms_per_s, .arrival = tcsi_arrival_limits_default(),
                                     .ask = plan->ask, .tell = tcsi_keeper_tell, .keep = tcsi_keeper_keep, .self = life->keeper, .judge = plan->judge,
                                     .judge_self = plan->judge_self };
    if (status == TCS_OK) status = tcsi_live_create(&live, &life->live, err);
    if (status != TCS_OK) return status;
    tcsi_keeper_set_directory(life->keeper, tcsi_live_directory(life->live));
    tcsi_intake_options intake = { .folder = plan->journal, .live = life->live, .disk = &sim_disk_journal,
                                   .ticks_a_snapshot = plan->ticks_a_snapshot };
    if (!plan->store) return tcsi_intake_replay(&intake, 0, &life->replayed, err);
    status = tcsi_keeper_load(life->keeper, life->live, &intake.sequence, err);
    if (status == TCS_OK) status = tcsi_keeper_recall(life->keeper, plan->journal, err);
    if (status == TCS_OK) status = tcsi_intake_open(&intake, &life->intake, &life->replayed, err);
    if (status != TCS_OK) return status;
    tcsi_keeper_set_journal(life->keeper, tcsi_intake_journal(life->intake));
    return start_deliver(plan, life, err);
}

void sim_life_end(sim_life *life, bool is_killed)
{
    tcs_error ignored;
    if (life->keeper && is_killed) tcsi_keeper_stop(life->keeper);
    else if (life->intake) (void)!tcsi_live_save(life->live, &ignored);
    if (life->live) tcsi_live_settle(life->live);
    if (life->keeper) tcsi_keeper_stop(life->keeper);
    if (life->keeper) tcsi_keeper_set_journal(life->keeper, NULL);
    tcsi_intake_close(life->intake);
    tcsi_live_destroy(life->live);
    tcsi_deliver_destroy(life->deliver);
    for (size_t i = 0; i < SIM_RECEIVERS; i++) tcsi_store_close(life->outbox_stores[i]);
    tcsi_store_close(life->reader);
    tcsi_store_close(life->store);
    tcsi_keeper_destroy(life->keeper); /* who dies while a store is closed stops it */
    *life = (sim_life){ 0 };
}

typedef struct loading {
    tcsi_buffer *parts;
    size_t count;
    tcs_status status;
    tcs_error err;
} loading;

static bool load_part(void *context, const void *bytes, size_t size)
{
    loading *l = context;
    if (l->count == SIM_PARTS) l->status = tcsi_fail(&l->err, TCS_E_FORMAT, "more than %d parts", SIM_PARTS);
    else l->status = tcsi_buffer_append(&l->parts[l->count++], bytes, size, &l->err);
    return l->status == TCS_OK;
}

tcs_status sim_life_state(sim_life *life, tcsi_buffer parts[SIM_PARTS], size_t *ret_count, tcs_error *err)
{
    tcsi_store_snapshot snapshot;
    bool is_found;
    loading l = { .parts = parts };
    for (size_t i = 0; i < SIM_PARTS; i++) tcsi_buffer_clear(&parts[i]);
    tcsi_live_settle(life->live);
    tcs_status status = tcsi_live_save(life->live, err);
    tcsi_live_settle(life->live);
    if (status == TCS_OK)
        status = tcsi_store_snapshot_load(life->store, TCSI_KEEPER_SNAPSHOT, INT64_MAX, load_part, &l, &snapshot, &is_found, err);
    if (status == TCS_OK && l.status != TCS_OK) status = tcsi_fail(err, l.status, "%s", l.err.text);
    if (status == TCS_OK && !is_found) status = tcsi_fail(err, TCS_E_FORMAT, "no snapshot was kept");
    *ret_count = l.count;
    return status;
}
