/* tests/simulation/history.c -- what happens: senders, people, receivers, and everything that goes wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "series/time.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int64_t true_ns, offset_ns; /* of the fake clock */

static int64_t fake_wall(void *context)
{
    (void)context;
    return atomic_load(&true_ns) + atomic_load(&offset_ns);
}

static int64_t fake_monotonic(void *context)
{
    (void)context;
    return atomic_load(&true_ns);
}

const tcsi_clock sim_clock = { fake_wall, fake_monotonic, NULL };

void sim_fail(world *w, const char *format, ...)
{
    va_list values;
    if (w->failure[0]) return;
    va_start(values, format);
    vsnprintf(w->failure, sizeof w->failure, format, values);
    va_end(values);
}

static bool happens(world *w, double chance)
{
    return tcsi_rng_uniform(&w->rng) < chance;
}

static tcsi_keeper *_Atomic keeper_of_life;

/* A keeper that waits for a store without power would wait for ever. */
static void on_kill(void *self)
{
    (void)self;
    tcsi_keeper *keeper = atomic_load(&keeper_of_life);
    if (keeper) tcsi_keeper_stop(keeper);
}

/* ---- producers ---- */

/* A function of series and row alone: noise, jumps, silence, values that are stuck. */
static bool row_of(const world *w, size_t producer, size_t series, size_t row, double *ret_value)
{
    const size_t id = producer * SERIES + series;
    tcsi_rng rng = tcsi_rng_make(w->seed * 1000 + id, row);
    *ret_value = 10.0 * (double)id + tcsi_rng_normal(&rng);
    if ((row + 17 * id) % 150 < 3) *ret_value += 25;
    if (id % 5 == 1 && (row + 7 * id) % 120 > 75) *ret_value = 7;
    return !(id % 4 == 2 && (row + 13 * id) % 90 < 12);
}

void sim_make_body(const world *w, size_t producer, size_t n, tcsi_buffer *out)
{
    tcs_error err;
    const int64_t all_s = (int64_t)(BODIES + PASTS) * ROWS + 3600, begin_ns = SIM_START_NS - (n < BODIES ? 0 : all_s * SIM_SECOND_NS);
    tcsi_buffer_clear(out);
    for (size_t row = n * ROWS; row < (n + 1) * ROWS; row++)
        for (size_t i = 0; i < SERIES; i++) {
            char time[TCSI_TIME_TEXT_SIZE];
            double value;
            if (!row_of(w, producer, i, row, &value)) continue;
            (void)tcsi_time_format_iso(begin_ns + (int64_t)row * SIM_SECOND_NS, time, sizeof time);
            const tcs_status status = tcsi_buffer_printf(out, &err, "{\"series\":\"m%zu{p=\\\"%zu\\\"}\",\"time\":\"%s\","
                                                         "\"value\":%.6f}\n", i, producer, time, value);
            TCS_ASSERT(status == TCS_OK);
        }
}

/* What a disk that failed to write has refused is not kept from here on: the next record has taken its place. */
static void succeed(world *w)
{
    w->shaky_count = 0;
}

/* What was written, and refused because its sync failed, may become durable with what comes behind it. */
static void doubt(world *w, fate *f, size_t syncs_failed_before)
{
    if (sim_disk_is_dead() || sim_disk_faults()->sync_failures != syncs_failed_before) f->unsure++;
    else if (w->shaky_count < UNSURE_MAX) w->shaky[w->shaky_count++] = f;
    else f->unsure++;
}

static void doubt_all(world *w)
{
    for (size_t i = 0; i < w->shaky_count; i++) w->shaky[i]->unsure++;
    w->shaky_count = 0;
}

static const tcsi_ingest_facts past = { .route = TCSI_ROUTE_NDJSON, .content_type = "application/x-ndjson", .is_backfill = true };
static const tcsi_ingest_facts facts = { .route = TCSI_ROUTE_NDJSON, .content_type = "application/x-ndjson" };

/* true: it was acknowledged. */
static bool take(world *w, const tcsi_ingest_facts *said, const tcsi_buffer *body, fate *f)
{
    tcsi_intake_reply reply;
    tcsi_buffer out;
    const size_t syncs_failed = sim_disk_faults()->sync_failures;
    tcsi_buffer_init(&out, 1 << 16);
    tcsi_intake_take(w->life.intake, said, body->data, body->size, fake_wall(NULL), &out, &reply);
    tcsi_buffer_deinit(&out);
    const bool is_kept = reply.http.code / 100 == 2;
    if (is_kept) {
        f->kept++;
        succeed(w);
    } else if (reply.http.code == 503) {
        doubt(w, f, syncs_failed);
    } else if (reply.http.code != 429) {
        sim_fail(w, "a sound request was answered %d", reply.http.code);
    }
    return is_kept;
}

/* Sends request n of a producer; an answer may be lost on its way, and then nobody knows. */
static bool send(world *w, size_t producer, size_t n)
{
    tcsi_buffer body;
    tcsi_buffer_init(&body, 1 << 18);
    sim_make_body(w, producer, n, &body);
    const bool is_kept = take(w, n < BODIES ? &facts : &past, &body, &w->fates[producer][n]);
    tcsi_buffer_deinit(&body);
    return is_kept && !sim_disk_is_dead() && !happens(w, 0.05);
}

static void send_garbage(world *w)
{
    tcsi_intake_reply reply;
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 16);
    tcsi_intake_take(w->life.intake, &facts, "{\"series\":\"x\",", 14, fake_wall(NULL), &out, &reply);
    if (reply.http.code != 400) sim_fail(w, "half a line was answered %d", reply.http.code);
    tcsi_buffer_deinit(&out);
}

static void produce(world *w)
{
    const size_t producer = tcsi_rng_below(&w->rng, PRODUCERS), n = w->next[producer];
    if (n + 1 >= BODIES) return;
    if (n > 0 && happens(w, 0.1)) (void)send(w, producer, n - 1 - tcsi_rng_below(&w->rng, n < 5 ? n : 5)); /* once more, old news */
    if (w->life.intake && !sim_disk_is_dead() && happens(w, 0.05)) (void)send(w, producer, n + 1);      /* overtakes */
    if (!sim_disk_is_dead() && send(w, producer, n)) w->next[producer]++;
    if (!sim_disk_is_dead() && happens(w, 0.15) && w->next_past[producer] < PASTS) /* somebody brings the past, in its order */
        w->next_past[producer] += send(w, producer, BODIES + w->next_past[producer]);
    if (!sim_disk_is_dead() && happens(w, 0.02)) send_garbage(w);
}

/* ---- people ---- */

/* What some series may raise: its parts of the budget, what becomes of those that end, and limits. */
static void write_rules(world *w, char *document, size_t size)
{
    static const char *const stale[] = { "\"off\"", "\"confirm\"", "4" };
    const double weight = tcsi_rng_range(&w->rng, 0.01, 100), low = tcsi_rng_range(&w->rng, -5, 20);
    snprintf(document, size, "{\"policies\":[{\"match\":[\"__name__=~\\\".*[0-4]\\\"\"],\"budget_weight\":%.17g,\"stale\":%s,\"low\":%.17g,"
             "\"high\":%.17g}]}", weight, stale[tcsi_rng_below(&w->rng, 3)], low, low + tcsi_rng_range(&w->rng, 1, 60));
}

static void act(world *w, const char *setting)
{
    char id[32], document[256];
    bool is_kept;
    tcs_error err;
    fate *f = &w->actions[w->action_count];
    if (w->action_count + 1 >= BODIES) return;
    snprintf(id, sizeof id, "act-%zu", w->action_count);
    if (strcmp(setting, TCSI_SETTING_BUDGET) == 0)
        snprintf(document, sizeof document, "{\"value\":%.17g}", 0.001 * tcsi_rng_range(&w->rng, 1, 100));
    else if (strcmp(setting, TCSI_SETTING_RULES) == 0) write_rules(w, document, sizeof document);
    else
        snprintf(document, sizeof document, "{\"is_on\":%s,\"sampled_per_s\":%.17g,\"deadline_s\":%.17g}",
                 happens(w, 0.9) ? "true" : "false", tcsi_rng_range(&w->rng, 0, 5), tcsi_rng_range(&w->rng, 1, 30));
    const tcsi_action action = { .kind = TCSI_ACTION_SETTING, .id = id, .who = "ann", .role = "operator", .object = setting,
                                 .document = document, .time_ns = fake_wall(NULL) };
    const size_t syncs_failed = sim_disk_faults()->sync_failures;
    w->action_count++;
    if (tcsi_intake_act(w->life.intake, &action, &is_kept, &err) != TCS_OK) {
        doubt(w, f, syncs_failed);
        return;
    }
    f->kept++;
    succeed(w);
    if (!is_kept && !sim_disk_is_dead()) sim_fail(w, "an action was not kept though the store answers");
}

/* Most histories have a deep layer from early on. */
static void decide(world *w)
{
    const bool begins = !w->has_deep && w->seed % 4 != 0 && happens(w, 0.3);
    w->has_deep |= begins;
    if (begins || happens(w, 0.01)) act(w, TCSI_SETTING_DEEP);
    else if (happens(w, 0.05)) act(w, TCSI_SETTING_BUDGET);
    else if (happens(w, 0.02)) act(w, TCSI_SETTING_RULES);
}

/* ---- receivers ---- */

static bool see(void *context, const tcsi_store_record *record)
{
    (void)record;
    *(bool *)context = true;
    return false;
}

static bool is_kept_episode(tcsi_store *store, const char *id, tcs_error *err)
{
    bool is_there = false;
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .id = id, .limit = 1 };
    return tcsi_store_record_list(store, &query, see, &is_there, err) == TCS_OK && is_there;
}

/* It arrives: must be of a kept episode, and not before what was said earlier of it. */
static void arrive(world *w, size_t receiver, const tcsi_alert *alert)
{
    tcs_error err = { 0 };
    uint32_t latest = 0;
    bool is_repeated = false;
    if (!is_kept_episode(w->life.reader, alert->episode_id, &err) && !sim_disk_is_dead())
        sim_fail(w, "receiver %zu was told of %s, which is not in the store %s", receiver, alert->episode_id, err.text);
    for (size_t i = 0; i < w->delivery_count; i++) {
        const delivery *d = &w->deliveries[i];
        if (d->receiver != receiver || strcmp(d->episode, alert->episode_id) != 0) continue;
        if (d->revision > latest) latest = d->revision;
        is_repeated |= d->revision == alert->revision;
    }
    if (!is_repeated && alert->revision < latest)
        sim_fail(w, "receiver %zu was told %u of %s for the first time after %u", receiver, alert->revision, alert->episode_id, latest);
    if (is_repeated || w->delivery_count == DELIVERIES_MAX) return;
    delivery *d = &w->deliveries[w->delivery_count++];
    snprintf(d->episode, sizeof d->episode, "%s", alert->episode_id);
    d->revision = alert->revision;
    d->receiver = (uint8_t)receiver;
}

static void attempt(void *self, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *ret_attempt)
{
    world *w = self;
    const size_t index = (size_t)(receiver - w->plan.settings->receivers);
    receiver_mood mood = w->moods[index];
    (void)now_ns;
    if (w->mood_until_ns[index] < atomic_load(&true_ns)) mood = WELL;
    *ret_attempt = (tcsi_attempt){ .outcome = mood == WELL ? TCSI_ATTEMPT_SENT : TCSI_ATTEMPT_RETRY };
    snprintf(ret_attempt->reason, sizeof ret_attempt->reason, "mood %d", (int)mood);
    if (mood == HANGING) atomic_fetch_add(&true_ns, receiver->timeout_ns);
    if (mood == WELL || (mood == FORGETFUL && happens(w, 0.5))) arrive(w, index, alert);
    if (!w->is_healed && happens(w, 0.02)) sim_disk_faults()->kill_in = 1 + (long)tcsi_rng_below(&w->rng, 3);
}

static void deliver(world *w)
{
    const int64_t wall_ns = fake_wall(NULL);
    for (size_t i = 0; i < SIM_RECEIVERS && !sim_disk_is_dead(); i++) {
        if (wall_ns > w->deliver_ns) w->deliver_ns = wall_ns;
        (void)tcsi_deliver_step(w->life.deliver, i, w->deliver_ns);
    }
}

/* ---- what goes wrong ---- */

static void spoil_disk(world *w)
{
    static const int journal_errors[] = { ENOSPC, EIO };
    static const int store_codes[] = { SQLITE_FULL, SQLITE_IOERR_WRITE };
    sim_faults *faults = sim_disk_faults();
    switch (tcsi_rng_below(&w->rng, 5)) {
    case 0: faults->kill_in = 1 + (long)tcsi_rng_below(&w->rng, 30); break;
    case 1: faults->kill_in = 1 + (long)tcsi_rng_below(&w->rng, 300); break;
    case 2:
        faults->journal_failures = 1 + (long)tcsi_rng_below(&w->rng, 8);
        faults->journal_errno = journal_errors[tcsi_rng_below(&w->rng, 2)];
        break;
    case 3:
        faults->store_failures = 1 + (long)tcsi_rng_below(&w->rng, 20);
        faults->store_code = store_codes[tcsi_rng_below(&w->rng, 2)];
        break;
    default:
        if (!w->is_alive || !happens(w, 0.3)) break; /* a life that begins without a store waits for it, and nobody would bring it back */
        faults->store_failures = LONG_MAX;
        faults->store_code = store_codes[tcsi_rng_below(&w->rng, 2)];
        w->is_store_away = true;
        w->outage_count++;
    }
}

static void spoil_receivers(world *w)
{
    const size_t i = tcsi_rng_below(&w->rng, SIM_RECEIVERS);
    w->moods[i] = (receiver_mood)tcsi_rng_below(&w->rng, MOOD_COUNT);
    w->mood_until_ns[i] = atomic_load(&true_ns) + (int64_t)(tcsi_rng_exponential(&w->rng) * 600) * SIM_SECOND_NS;
}

/* An hour back or ahead, as by a wrong zone; a second twice; set right again. */
static void spoil_clock(world *w)
{
    static const int64_t jumps_s[] = { -3600, 3600, -1, 0, 0 };
    const size_t i = tcsi_rng_below(&w->rng, 5);
    atomic_store(&offset_ns, i < 3 ? atomic_load(&offset_ns) + jumps_s[i] * SIM_SECOND_NS : 0);
}

/* ---- lives ---- */

static void settle(world *w)
{
    if (!w->is_store_away) tcsi_live_settle(w->life.live);
}

static void begin_life(world *w)
{
    tcs_error err = { 0 };
    w->plan.thread_count = 1 + tcsi_rng_below(&w->rng, 3);
    const tcs_status status = sim_life_begin(&w->plan, &w->life, &err);
    w->is_alive = status == TCS_OK;
    w->is_store_away = false;
    w->life_count++;
    if (!w->is_alive) sim_life_end(&w->life, true);
    atomic_store(&keeper_of_life, w->life.keeper);
    const bool is_excused = !w->is_healed && (status == TCS_E_IO || status == TCS_E_LIMIT); /* the disk fails: it is started again */
    if (w->is_alive) settle(w);
    sim_worker_forget(); /* what the reading of the journal asked, it answers itself; what is asked of a life dies with it */
    if (!w->is_alive && !sim_disk_is_dead() && !is_excused) sim_fail(w, "life %zu does not begin: %s", w->life_count, err.text);
}

static void end_life(world *w)
{
    const bool is_killed = sim_disk_is_dead();
    if (!is_killed && w->is_store_away) { /* it is back, or else the end of the service would wait for it */
        sim_disk_faults()->store_failures = 0;
        w->is_store_away = false;
    }
    sim_life_end(&w->life, is_killed);
    atomic_store(&keeper_of_life, NULL);
    w->is_alive = false;
    if (is_killed || sim_disk_is_dead()) {
        w->kill_count++;
        sim_disk_restart();
    }
    doubt_all(w);
}

static void tick(world *w)
{
    tcs_error err;
    if (tcsi_intake_tick(w->life.intake, fake_wall(NULL), &err) == TCS_OK) succeed(w);
}

static bool is_up(const world *w)
{
    return w->is_alive && !sim_disk_is_dead();
}

static bool has_store(const world *w)
{
    return is_up(w) && !w->is_store_away;
}

/* Each thing that a service does, and then whatever follows from it. */
static void serve(world *w, bool has_rows, double tick_chance)
{
    if (has_rows && is_up(w)) produce(w);
    if (is_up(w)) settle(w);
    if (is_up(w) && happens(w, tick_chance)) tick(w);
    if (is_up(w)) settle(w);
    if (has_store(w)) decide(w);
    if (is_up(w)) settle(w);
    if (has_store(w) && happens(w, 0.7) && sim_worker_answer(w, fake_wall(NULL))) succeed(w);
    if (is_up(w)) settle(w);
    if (has_store(w) && sim_disk_faults()->store_failures == 0) deliver(w);
}

/* A receiver hangs, resets or answers 500 for an hour, in which hardly anybody sends. */
static void live_through_an_hour(world *w)
{
    const size_t i = tcsi_rng_below(&w->rng, SIM_RECEIVERS);
    const int64_t end_ns = atomic_load(&true_ns) + 3600 * SIM_SECOND_NS;
    w->moods[i] = (receiver_mood)(FAILING + (int)tcsi_rng_below(&w->rng, MOOD_COUNT - FAILING));
    w->mood_until_ns[i] = end_ns;
    w->hour_count++;
    while (is_up(w) && atomic_load(&true_ns) < end_ns) {
        atomic_fetch_add(&true_ns, 120 * SIM_SECOND_NS);
        serve(w, happens(w, 0.2), 1);
    }
}

void sim_step(world *w)
{
    if (!w->is_alive) begin_life(w);
    atomic_fetch_add(&true_ns, 5 * SIM_SECOND_NS + (int64_t)tcsi_rng_below(&w->rng, 700000000));
    if (happens(w, 0.02)) atomic_fetch_add(&true_ns, 120 * SIM_SECOND_NS); /* nobody sends for a while */
    if (happens(w, 0.07)) spoil_disk(w);
    if (happens(w, 0.03)) spoil_receivers(w);
    if (happens(w, 0.02)) spoil_clock(w);
    serve(w, true, 0.8);
    if (is_up(w) && happens(w, 0.004)) live_through_an_hour(w);
    if (w->is_store_away && happens(w, 0.2)) {
        sim_disk_faults()->store_failures = 0;
        w->is_store_away = false;
    }
    if (w->is_alive && happens(w, 0.01)) sim_disk_kill();
    if (sim_disk_is_dead() || (w->is_alive && happens(w, 0.01))) end_life(w);
}

/* ---- the end ---- */

void sim_heal(world *w)
{
    char reason[TCSI_KEEPER_REASON_SIZE];
    tcs_error err = { 0 };
    if (sim_disk_is_dead()) end_life(w);
    *sim_disk_faults() = (sim_faults){ 0 };
    w->is_store_away = false;
    atomic_store(&offset_ns, 0);
    for (size_t i = 0; i < SIM_RECEIVERS; i++) w->moods[i] = WELL;
    w->is_healed = true;
    if (!w->is_alive) begin_life(w);
    if (!w->is_alive) return;
    for (size_t p = 0; p < PRODUCERS; p++) {
        tcsi_buffer body;
        tcsi_buffer_init(&body, 1 << 18);
        sim_make_body(w, p, w->next[p], &body);
        if (!take(w, &facts, &body, &w->fates[p][w->next[p]])) sim_fail(w, "nothing is wrong, and rows are refused");
        tcsi_buffer_deinit(&body);
    }
    if (tcsi_intake_tick(w->life.intake, fake_wall(NULL), &err) != TCS_OK) sim_fail(w, "nothing is wrong, and ticks fail: %s", err.text);
    else succeed(w);
    tcsi_live_settle(w->life.live);
    if (!tcsi_keeper_is_fine(w->life.keeper, reason)) sim_fail(w, "nothing is wrong, and the store is not ready: %s", reason);
    for (int i = 0; i < 60 && !w->failure[0]; i++) {
        *sim_disk_faults() = (sim_faults){ 0 };
        atomic_fetch_add(&true_ns, 300 * SIM_SECOND_NS);
        w->deliver_ns += 300 * SIM_SECOND_NS;
        deliver(w);
    }
}

void sim_begin(world *w)
{
    w->plan.attempt = attempt;
    w->plan.self = w;
    w->plan.ask = sim_worker_ask;
    atomic_store(&true_ns, SIM_START_NS);
    atomic_store(&offset_ns, 0);
    sim_disk_begin(w->archive, w->seed, on_kill, w);
}

void sim_end(world *w)
{
    if (w->is_alive || w->life.store) sim_life_end(&w->life, sim_disk_is_dead());
    atomic_store(&keeper_of_life, NULL);
    sim_disk_end();
}
