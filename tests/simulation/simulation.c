/* tests/simulation/simulation.c -- histories of the whole service, each from one seed: what may go wrong in days, in milliseconds.
 *
 * Producers send rows, twice, out of order, and again when an answer was lost; the clock jumps; the power goes at any operation of the
 * disk; the disk fills up and the store fails, and both come back; receivers hang, refuse the connection, take a message and never say so; people
 * change settings.  Then everything heals, and this must hold:
 *
 *     1. A request that was acknowledged is in the journal, each time that it was; one that was refused is not.
 *     2. No row is taken twice; each row has the outcome that the rows before it in the journal give it.
 *     3. The state, every episode and every entry of the audit log are those of a service that was never stopped and reads the same
 *        journal: byte for byte.
 *     4. Every message that this service would have sent was delivered, those of an episode in their order, and none of an episode that was
 *        not in the store at that moment.
 *     5. The service takes rows and ticks again, by itself, within one life.
 *
 * One thread decides everything, and waits for those of the service after each step, but while the store is away for long.  So a seed gives
 * the same history each time.
 *
 * usage: simulation [--seed N] [--count N] [--steps N] [--jobs N] [--seconds S] [--first] [--verbose]
 * Prints TAP.  --first: no more than the first that fails, and that as it is.  SPDX-License-Identifier: Apache-2.0 */
#include "disk.h"
#include "life.h"

#include "base/clock.h"
#include "series/key.h"
#include "series/time.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PRODUCERS = 3, SERIES = 8, ROWS = 16, BODIES = 300, PASTS = 12, PATH_SIZE = 256, UNSURE_MAX = 64, DELIVERIES_MAX = 20000, STEPS_MAX = 300 };
enum { HOOK, ALERTMANAGER };
static const int64_t SECOND_NS = INT64_C(1000000000), START_NS = INT64_C(1700000000000000000);

/* ---- the world ---- */

typedef struct fate {
    uint16_t kept, unsure; /* times that it was acknowledged, and that nobody can know whether it was kept */
} fate;

typedef enum receiver_mood { WELL, FAILING, HANGING, FORGETFUL, MOOD_COUNT } receiver_mood;

typedef struct delivery {
    char episode[TCSI_EPISODE_ID_SIZE];
    uint32_t revision;
    uint8_t receiver;
} delivery;

typedef struct world {
    uint64_t seed;
    size_t step_count;
    tcsi_rng rng;
    sim_plan plan;
    sim_life life;
    bool is_alive, is_store_away, is_healed;
    char folder[PATH_SIZE], journal[PATH_SIZE], archive[PATH_SIZE], store[PATH_SIZE], whole[PATH_SIZE];
    fate fates[PRODUCERS][BODIES + PASTS], actions[BODIES]; /* behind the others: of rows of the past */
    size_t next[PRODUCERS], next_past[PRODUCERS], action_count;
    fate *shaky[UNSURE_MAX]; /* refused by a disk that failed: not kept, unless the power goes before the next success */
    size_t shaky_count;
    receiver_mood moods[SIM_RECEIVERS];
    int64_t mood_until_ns[SIM_RECEIVERS];
    int64_t deliver_ns;      /* the clock of those who deliver never goes back */
    delivery deliveries[DELIVERIES_MAX];
    size_t delivery_count;
    size_t kill_count, life_count, outage_count;
    char failure[600];
} world;

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

static void fail(world *w, const char *format, ...) TCS_PRINTF(2, 3);
static void fail(world *w, const char *format, ...)
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

static void make_body(const world *w, size_t producer, size_t n, tcsi_buffer *out)
{
    tcs_error err;
    const int64_t begin_ns = n < BODIES ? START_NS : START_NS - (int64_t)(BODIES + PASTS) * ROWS * SECOND_NS - 3600 * SECOND_NS;
    tcsi_buffer_clear(out);
    for (size_t row = n * ROWS; row < (n + 1) * ROWS; row++)
        for (size_t i = 0; i < SERIES; i++) {
            char time[TCSI_TIME_TEXT_SIZE];
            double value;
            if (!row_of(w, producer, i, row, &value)) continue;
            (void)tcsi_time_format_iso(begin_ns + (int64_t)row * SECOND_NS, time, sizeof time);
            const tcs_status status = tcsi_buffer_printf(out, &err, "{\"series\":\"m%zu{p=\\\"%zu\\\"}\",\"time\":\"%s\",\"value\":%.6f}\n", i,
                                                         producer, time, value);
            TCS_ASSERT(status == TCS_OK);
        }
}

/* What a disk that failed has refused is not kept from here on: the next record has taken its place. */
static void succeed(world *w)
{
    w->shaky_count = 0;
}

static void doubt(world *w, fate *f)
{
    if (sim_disk_is_dead()) f->unsure++;
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
    tcsi_buffer_init(&out, 1 << 16);
    tcsi_intake_take(w->life.intake, said, body->data, body->size, fake_wall(NULL), &out, &reply);
    tcsi_buffer_deinit(&out);
    const bool is_kept = reply.http.code / 100 == 2;
    if (is_kept) {
        f->kept++;
        succeed(w);
    } else if (reply.http.code == 503) {
        doubt(w, f);
    } else if (reply.http.code != 429) {
        fail(w, "a sound request was answered %d", reply.http.code);
    }
    return is_kept;
}

/* Sends request n of a producer; an answer may be lost on its way, and then nobody knows. */
static bool send(world *w, size_t producer, size_t n)
{
    tcsi_buffer body;
    tcsi_buffer_init(&body, 1 << 18);
    make_body(w, producer, n, &body);
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
    if (reply.http.code != 400) fail(w, "half a line was answered %d", reply.http.code);
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

static void act(world *w)
{
    char id[32], document[64];
    bool is_kept;
    tcs_error err;
    fate *f = &w->actions[w->action_count];
    if (w->action_count + 1 >= BODIES) return;
    snprintf(id, sizeof id, "act-%zu", w->action_count);
    snprintf(document, sizeof document, "{\"value\":%.17g}", 0.001 * tcsi_rng_range(&w->rng, 1, 100));
    const tcsi_action action = { .kind = TCSI_ACTION_SETTING, .id = id, .who = "ann", .role = "operator", .object = TCSI_SETTING_BUDGET,
                                 .document = document, .time_ns = fake_wall(NULL) };
    w->action_count++;
    if (tcsi_intake_act(w->life.intake, &action, &is_kept, &err) != TCS_OK) {
        doubt(w, f);
        return;
    }
    f->kept++;
    succeed(w);
    if (!is_kept && !sim_disk_is_dead()) fail(w, "an action was not kept though the store answers");
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
        fail(w, "receiver %zu was told of %s, which is not in the store %s", receiver, alert->episode_id, err.text);
    for (size_t i = 0; i < w->delivery_count; i++) {
        const delivery *d = &w->deliveries[i];
        if (d->receiver != receiver || strcmp(d->episode, alert->episode_id) != 0) continue;
        if (d->revision > latest) latest = d->revision;
        is_repeated |= d->revision == alert->revision;
    }
    if (!is_repeated && alert->revision < latest)
        fail(w, "receiver %zu was told %u of %s for the first time after %u", receiver, alert->revision, alert->episode_id, latest);
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
        if (!happens(w, 0.3)) break;
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
    w->mood_until_ns[i] = atomic_load(&true_ns) + (int64_t)(tcsi_rng_exponential(&w->rng) * 600) * SECOND_NS;
    if (happens(w, 0.1)) w->mood_until_ns[i] += 3600 * SECOND_NS;
}

/* An hour back or ahead, as by a wrong zone; a second twice; set right again. */
static void spoil_clock(world *w)
{
    static const int64_t jumps_s[] = { -3600, 3600, -1, 0, 0 };
    const size_t i = tcsi_rng_below(&w->rng, 5);
    atomic_store(&offset_ns, i < 3 ? atomic_load(&offset_ns) + jumps_s[i] * SECOND_NS : 0);
}

/* ---- lives ---- */

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
    if (!w->is_alive && !sim_disk_is_dead() && !is_excused) fail(w, "life %zu does not begin: %s", w->life_count, err.text);
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

static void settle(world *w)
{
    if (!w->is_store_away) tcsi_live_settle(w->life.live);
}

static void tick(world *w)
{
    tcs_error err;
    if (tcsi_intake_tick(w->life.intake, fake_wall(NULL), &err) == TCS_OK) succeed(w);
}

static void step(world *w)
{
    if (!w->is_alive) begin_life(w);
    atomic_fetch_add(&true_ns, 5 * SECOND_NS + (int64_t)tcsi_rng_below(&w->rng, 700000000));
    if (happens(w, 0.02)) atomic_fetch_add(&true_ns, 120 * SECOND_NS); /* nobody sends for a while */
    if (happens(w, 0.07)) spoil_disk(w);
    if (happens(w, 0.03)) spoil_receivers(w);
    if (happens(w, 0.02)) spoil_clock(w);
    if (w->is_alive && !sim_disk_is_dead()) produce(w);
    if (w->is_alive && !sim_disk_is_dead()) settle(w);
    if (w->is_alive && !sim_disk_is_dead() && happens(w, 0.8)) tick(w);
    if (w->is_alive && !sim_disk_is_dead()) settle(w);
    if (w->is_alive && !sim_disk_is_dead() && !w->is_store_away && happens(w, 0.05)) act(w);
    if (w->is_alive && !sim_disk_is_dead()) settle(w);
    if (w->is_alive && !sim_disk_is_dead() && !w->is_store_away && sim_disk_faults()->store_failures == 0) deliver(w);
    if (w->is_store_away && happens(w, 0.2)) {
        sim_disk_faults()->store_failures = 0;
        w->is_store_away = false;
    }
    if (w->is_alive && happens(w, 0.01)) sim_disk_kill();
    if (sim_disk_is_dead() || (w->is_alive && happens(w, 0.01))) end_life(w);
}

/* ---- what must hold ---- */

/* Everything has healed; the service is ready, and says what it has to say. */
static void heal(world *w)
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
        make_body(w, p, w->next[p], &body);
        if (!take(w, &facts, &body, &w->fates[p][w->next[p]])) fail(w, "nothing is wrong, and rows are refused");
        tcsi_buffer_deinit(&body);
    }
    if (tcsi_intake_tick(w->life.intake, fake_wall(NULL), &err) != TCS_OK) fail(w, "nothing is wrong, and ticks fail: %s", err.text);
    else succeed(w);
    tcsi_live_settle(w->life.live);
    if (!tcsi_keeper_is_fine(w->life.keeper, reason)) fail(w, "nothing is wrong, and the store is not ready: %s", reason);
    for (int i = 0; i < 60 && !w->failure[0]; i++) {
        *sim_disk_faults() = (sim_faults){ 0 };
        atomic_fetch_add(&true_ns, 300 * SECOND_NS);
        w->deliver_ns += 300 * SECOND_NS;
        deliver(w);
    }
}

/* Every segment there ever was, in one folder. */
static void link_segments(const world *w, const char *from)
{
    char old[2 * PATH_SIZE], new[2 * PATH_SIZE];
    DIR *names = opendir(from);
    for (struct dirent *entry; names && (entry = readdir(names));) {
        if (!strstr(entry->d_name, ".journal")) continue;
        snprintf(old, sizeof old, "%s/%s", from, entry->d_name);
        snprintf(new, sizeof new, "%s/%s", w->whole, entry->d_name);
        if (link(old, new) != 0 && errno != EEXIST) abort();
    }
    if (names) closedir(names);
}

typedef struct copies {
    uint64_t hashes[PRODUCERS][BODIES + PASTS]; /* of requests that may be there */
    uint16_t rows[PRODUCERS][BODIES + PASTS], actions[BODIES];
} copies;

static void hash_bodies(const world *w, copies *c)
{
    tcsi_buffer body;
    tcsi_buffer_init(&body, 1 << 18);
    for (size_t p = 0; p < PRODUCERS; p++)
        for (size_t n = 0; n < BODIES + PASTS; n++) {
            if (!w->fates[p][n].kept && !w->fates[p][n].unsure) continue;
            make_body(w, p, n, &body);
            c->hashes[p][n] = tcsi_fingerprint_of(body.data, body.size, 0).low;
        }
    tcsi_buffer_deinit(&body);
}

static void count_rows(world *w, const tcsi_journal_record *record, copies *c)
{
    const uint64_t hash = tcsi_fingerprint_of((const char *)record->bytes + 16, record->size - 16, 0).low;
    for (size_t p = 0; p < PRODUCERS; p++)
        for (size_t n = 0; n < BODIES + PASTS; n++) {
            if (c->hashes[p][n] != hash) continue;
            c->rows[p][n]++;
            return;
        }
    fail(w, "record %llu of the journal is none that was acknowledged", (unsigned long long)record->sequence);
}

static void count_action(const tcsi_journal_record *record, copies *c)
{
    const char *found = NULL;
    for (size_t i = 0; i + 4 < record->size && !found; i++)
        if (memcmp((const char *)record->bytes + i, "act-", 4) == 0) found = (const char *)record->bytes + i + 4;
    if (found) c->actions[strtoul(found, NULL, 10)]++;
}

static void check_fate(world *w, const fate *f, size_t count, const char *what, size_t producer, size_t n)
{
    if (count < f->kept)
        fail(w, "%s %zu/%zu was acknowledged %u times, and is %zu times in the journal", what, producer, n, f->kept, count);
    if (count > (size_t)f->kept + f->unsure)
        fail(w, "%s %zu/%zu is %zu times in the journal; acknowledged were %u, unknown %u", what, producer, n, count, f->kept, f->unsure);
}

static void check_journal(world *w)
{
    static copies c;
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    tcs_error err = { 0 };
    bool is_end = false;
    memset(&c, 0, sizeof c);
    hash_bodies(w, &c);
    if (tcsi_journal_cursor_open(w->whole, 1, &cursor, &err) != TCS_OK) {
        fail(w, "the journal cannot be read: %s", err.text);
        return;
    }
    tcs_status status = TCS_OK;
    for (uint64_t sequence = 1; (status = tcsi_journal_cursor_next(cursor, &record, &is_end, &err)) == TCS_OK && !is_end; sequence++) {
        if (record.sequence != sequence) fail(w, "record %llu of the journal is missing", (unsigned long long)sequence);
        if (record.kind == TCSI_RECORD_ROWS) count_rows(w, &record, &c);
        if (record.kind == TCSI_RECORD_ACTION) count_action(&record, &c);
    }
    if (status != TCS_OK) fail(w, "the journal cannot be read: %s", err.text);
    tcsi_journal_cursor_close(cursor);
    for (size_t p = 0; p < PRODUCERS; p++)
        for (size_t n = 0; n < BODIES + PASTS; n++) check_fate(w, &w->fates[p][n], c.rows[p][n], "request", p, n);
    for (size_t n = 0; n < w->action_count; n++) check_fate(w, &w->actions[n], c.actions[n], "action", 0, n);
}

/* ---- and beside one that was never stopped ---- */

typedef struct seen {
    int64_t times[ROWS * (BODIES + PASTS)];
    size_t count;
} seen;

typedef struct witness {
    world *world;
    seen series[PRODUCERS * SERIES];
} witness;

/* Its outcome by what came before it, from another angle than ingest/arrival.c. */
static void on_judge(void *self, size_t worker, const tcsi_live_judged *rows, size_t count)
{
    witness *v = self;
    (void)worker;
    for (size_t i = 0; i < count; i++) {
        seen *s = &v->series[rows[i].number % (PRODUCERS * SERIES)];
        const int64_t time_ns = rows[i].time_ns;
        const tcsi_outcome outcome = rows[i].outcome.outcome;
        bool is_known = false;
        int64_t newest_ns = INT64_MIN;
        for (size_t k = 0; k < s->count; k++) {
            is_known |= s->times[k] == time_ns;
            if (s->times[k] > newest_ns) newest_ns = s->times[k];
        }
        const bool is_past = time_ns < START_NS;
        const bool is_taken = outcome == TCSI_OUTCOME_ACCEPTED || outcome == TCSI_OUTCOME_REORDERED || outcome == TCSI_OUTCOME_BACKFILLED;
        if (is_past && (outcome == TCSI_OUTCOME_ACCEPTED || outcome == TCSI_OUTCOME_REORDERED)) fail(v->world, "the past was taken for now");
        if (!is_past && outcome == TCSI_OUTCOME_BACKFILLED) fail(v->world, "a row of now was taken for one of the past");
        if (is_taken && is_known) fail(v->world, "a row of record %llu was taken twice", (unsigned long long)rows[i].sequence);
        if (outcome == TCSI_OUTCOME_ACCEPTED && time_ns <= newest_ns) fail(v->world, "an old row was taken for the newest");
        if (outcome != TCSI_OUTCOME_ACCEPTED && outcome != TCSI_OUTCOME_TOO_FAR_AHEAD && time_ns > newest_ns && !is_past)
            fail(v->world, "a new row of record %llu was not taken: %d", (unsigned long long)rows[i].sequence, (int)outcome);
        if (is_taken && s->count < TCS_COUNT(s->times)) s->times[s->count++] = time_ns;
    }
}

typedef struct listing {
    world *world;
    tcsi_store *other;
    const char *whose;
    tcsi_store_record record;
    char document[1 << 14];
    size_t count;
} listing;

static bool copy_record(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    l->record = *record;
    snprintf(l->document, sizeof l->document, "%s", record->document);
    l->count++;
    return false;
}

static bool compare_record(void *context, const tcsi_store_record *record)
{
    listing *l = context;
    tcs_error err = { 0 };
    const tcsi_store_record_query query = { .kind = TCSI_STORE_EPISODE, .id = record->id, .limit = 1 };
    l->count = 0;
    if (tcsi_store_record_list(l->other, &query, copy_record, l, &err) != TCS_OK) fail(l->world, "episodes cannot be read: %s", err.text);
    else if (l->count == 0) fail(l->world, "%s is only in the store of %s", record->id, l->whose);
    else if (strcmp(l->document, record->document) != 0 || l->record.state != record->state || l->record.end_ns != record->end_ns)
        fail(l->world, "%s differs: %.200s, never stopped: %.200s", record->id, l->document, record->document);
    return !l->world->failure[0];
}

static bool sum_entry(void *context, const tcsi_store_audit_entry *entry)
{
    tcsi_buffer *text = context;
    tcs_error err;
    (void)!tcsi_buffer_printf(text, &err, "%s %" PRId64 " %s %s %s\n", entry->id, entry->time_ns, entry->actor, entry->action,
                              entry->detail);
    return true;
}

static void compare_stores(world *w, tcsi_store *never_stopped)
{
    static listing l;
    const tcsi_store_record_query all = { .kind = TCSI_STORE_EPISODE };
    tcsi_buffer here, there;
    tcs_error err = { 0 };
    l = (listing){ .world = w, .other = w->life.store, .whose = "the one that was never stopped" };
    tcs_status status = tcsi_store_record_list(never_stopped, &all, compare_record, &l, &err);
    l = (listing){ .world = w, .other = never_stopped, .whose = "the one that was stopped" };
    if (status == TCS_OK) status = tcsi_store_record_list(w->life.store, &all, compare_record, &l, &err);
    tcsi_buffer_init(&here, 1 << 24);
    tcsi_buffer_init(&there, 1 << 24);
    if (status == TCS_OK) status = tcsi_store_audit_list(w->life.store, 0, 0, sum_entry, &here, &err);
    if (status == TCS_OK) status = tcsi_store_audit_list(never_stopped, 0, 0, sum_entry, &there, &err);
    if (status != TCS_OK) fail(w, "stores cannot be compared: %s", err.text);
    else if (here.size != there.size || memcmp(here.size ? here.data : "", there.size ? there.data : "", here.size) != 0)
        fail(w, "the audit log differs: %.200s, never stopped: %.200s", here.size ? here.data : "", there.size ? there.data : "");
    tcsi_buffer_deinit(&here);
    tcsi_buffer_deinit(&there);
}

typedef struct expectation {
    world *world;
    size_t receiver, count;
    tcsi_arena arena;
} expectation;

static bool was_delivered(const world *w, size_t receiver, const char *episode, uint32_t revision)
{
    for (size_t i = 0; i < w->delivery_count; i++) {
        const delivery *d = &w->deliveries[i];
        if (d->receiver == receiver && d->revision == revision && strcmp(d->episode, episode) == 0) return true;
    }
    return false;
}

/* In the outbox of the one that was never stopped, which delivered nothing: all that was ever to be said. */
static bool expect_message(void *context, const tcsi_store_message *message)
{
    expectation *e = context;
    tcsi_alert alert;
    tcs_error err = { 0 };
    tcsi_arena_reset(&e->arena);
    e->count++;
    if (tcsi_alert_read(message->payload, message->payload_size, &e->arena, &alert, &err) != TCS_OK)
        fail(e->world, "a message that nobody can read: %s", err.text);
    else if (!was_delivered(e->world, e->receiver, alert.episode_id, alert.revision))
        fail(e->world, "receiver %zu was never told %u of %s", e->receiver, alert.revision, alert.episode_id);
    return !e->world->failure[0];
}

static void check_deliveries(world *w, tcsi_store *never_stopped)
{
    tcs_error err = { 0 };
    expectation e = { .world = w };
    size_t expected = 0, arrived = 0;
    tcsi_arena_init(&e.arena, 1 << 24);
    for (e.receiver = 0; e.receiver < SIM_RECEIVERS && !w->failure[0]; e.receiver++) {
        const char *name = w->plan.settings->receivers[e.receiver].name;
        e.count = 0;
        if (tcsi_store_outbox_due(never_stopped, name, INT64_MAX - 1, 0, expect_message, &e, &err) != TCS_OK)
            fail(w, "the outbox cannot be read: %s", err.text);
        if (e.receiver == HOOK) expected = e.count;
    }
    tcsi_arena_deinit(&e.arena);
    for (size_t i = 0; i < w->delivery_count; i++) arrived += w->deliveries[i].receiver == HOOK;
    if (arrived > expected) fail(w, "%zu messages arrived, and there were %zu to send", arrived, expected);
}

static void compare_states(world *w, sim_life *never_stopped)
{
    tcsi_buffer here[SIM_PARTS], there[SIM_PARTS];
    size_t counts[2] = { 0 };
    tcs_error err = { 0 };
    for (size_t i = 0; i < SIM_PARTS; i++) {
        tcsi_buffer_init(&here[i], 1 << 26);
        tcsi_buffer_init(&there[i], 1 << 26);
    }
    if (sim_life_state(&w->life, here, &counts[0], &err) != TCS_OK || sim_life_state(never_stopped, there, &counts[1], &err) != TCS_OK)
        fail(w, "the state cannot be saved: %s", err.text);
    if (counts[0] != counts[1]) fail(w, "states of %zu and %zu parts", counts[0], counts[1]);
    for (size_t i = 0; i < counts[0] && !w->failure[0]; i++)
        if (here[i].size != there[i].size || memcmp(here[i].data, there[i].data, here[i].size) != 0)
            fail(w, "part %zu of the state differs from that of the one that was never stopped", i);
    for (size_t i = 0; i < SIM_PARTS; i++) {
        tcsi_buffer_deinit(&here[i]);
        tcsi_buffer_deinit(&there[i]);
    }
}

static void compare(world *w)
{
    static witness v;
    sim_life never_stopped = { 0 };
    tcs_error err = { 0 };
    sim_plan plan = w->plan;
    memset(&v, 0, sizeof v);
    v.world = w;
    plan.store = NULL;
    plan.journal = w->whole;
    plan.thread_count = 1; /* the witness is one */
    plan.judge = on_judge;
    plan.judge_self = &v;
    if (sim_life_begin(&plan, &never_stopped, &err) != TCS_OK) fail(w, "the journal cannot be read again: %s", err.text);
    if (!w->failure[0]) compare_stores(w, never_stopped.store);
    if (!w->failure[0]) check_deliveries(w, never_stopped.store);
    if (!w->failure[0]) compare_states(w, &never_stopped);
    sim_life_end(&never_stopped, false);
}

/* ---- a history ---- */

static void remove_files(const char *folder)
{
    char path[2 * PATH_SIZE];
    DIR *names = opendir(folder);
    for (struct dirent *entry; names && (entry = readdir(names));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.') unlink(path);
    }
    if (names) closedir(names);
    rmdir(folder);
}

static void make_folders(world *w)
{
    snprintf(w->folder, sizeof w->folder, "%s/tocsin-simulation-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(w->folder)) abort();
    snprintf(w->journal, sizeof w->journal, "%.200s/journal", w->folder);
    snprintf(w->archive, sizeof w->archive, "%.200s/archive", w->folder);
    snprintf(w->whole, sizeof w->whole, "%.200s/whole", w->folder);
    snprintf(w->store, sizeof w->store, "%.200s/tocsin.db", w->folder);
    if (mkdir(w->journal, 0700) != 0 || mkdir(w->archive, 0700) != 0 || mkdir(w->whole, 0700) != 0) abort();
}

static void remove_folders(const world *w)
{
    remove_files(w->journal);
    remove_files(w->archive);
    remove_files(w->whole);
    remove_files(w->folder);
}

static void begin_world(world *w, uint64_t seed, size_t step_max)
{
    static tcsi_deliver_settings settings;
    static const tcsi_receiver receivers[SIM_RECEIVERS] = {
        [HOOK] = { .name = "hook", .kind = TCSI_RECEIVER_WEBHOOK, .suspected = true, .timeout_ns = INT64_C(10000000000),
                   .retry_ns_max = INT64_C(300000000000), .resend_ns = INT64_C(60000000000) },
        [ALERTMANAGER] = { .name = "am", .kind = TCSI_RECEIVER_ALERTMANAGER, .timeout_ns = INT64_C(10000000000),
                           .retry_ns_max = INT64_C(300000000000), .resend_ns = INT64_C(60000000000) },
    };
    memset(w, 0, sizeof *w);
    memcpy(settings.receivers, receivers, sizeof receivers);
    settings.receiver_count = SIM_RECEIVERS;
    settings.escalate_after_ns = seed % 2 ? 60 * SECOND_NS : 0;
    settings.group_within_ns = seed % 3 ? 20 * SECOND_NS : 0;
    settings.group_by = "p";
    w->seed = seed;
    w->rng = tcsi_rng_make(seed, 1);
    w->step_count = 10 + tcsi_rng_below(&w->rng, happens(w, 0.1) ? STEPS_MAX : 40);
    if (step_max && step_max < w->step_count) w->step_count = step_max;
    make_folders(w);
    w->plan = (sim_plan){ .journal = w->journal, .store = w->store, .settings = &settings, .alarms_per_s = 0.05,
                          .ticks_a_snapshot = 3 + tcsi_rng_below(&w->rng, 20), .attempt = attempt, .self = w };
    atomic_store(&true_ns, START_NS);
    atomic_store(&offset_ns, 0);
    sim_disk_begin(w->archive, seed, on_kill, w);
}

static void live_through(world *w, uint64_t seed, size_t step_max)
{
    begin_world(w, seed, step_max);
    for (size_t i = 0; i < w->step_count && !w->failure[0]; i++) step(w);
    if (!w->failure[0]) heal(w);
    if (!w->failure[0]) {
        link_segments(w, w->archive);
        link_segments(w, w->journal);
        check_journal(w);
    }
    if (!w->failure[0]) compare(w);
    if (w->is_alive || w->life.store) sim_life_end(&w->life, sim_disk_is_dead());
    atomic_store(&keeper_of_life, NULL);
    sim_disk_end();
    remove_folders(w);
}

/* ---- many ---- */

typedef struct totals {
    size_t history_count, failed_count, life_count, kill_count, outage_count, delivery_count, action_count;
    long operations;
} totals;

static uint64_t seed_now;

static void on_abort(int number)
{
    char text[128];
    const int size = snprintf(text, sizeof text, "# stopped by itself; again: simulation --seed %llu --count 1\n",
                              (unsigned long long)seed_now);
    if (write(1, text, (size_t)size) != size) _exit(3);
    signal(number, SIG_DFL);
    raise(number);
}

/* The fewest steps after which it fails: what fails after many mostly failed long before. */
static size_t shorten(world *w, uint64_t seed, size_t step_count)
{
    size_t works = 0, fails = step_count;
    while (fails - works > 1) {
        const size_t middle = works + (fails - works) / 2;
        live_through(w, seed, middle);
        if (w->failure[0]) fails = middle;
        else works = middle;
    }
    return fails;
}

static void report(world *w, uint64_t seed, bool is_shortened)
{
    char failure[sizeof w->failure];
    snprintf(failure, sizeof failure, "%s", w->failure);
    printf("# seed %llu: %s\n", (unsigned long long)seed, failure);
    if (is_shortened)
        printf("# again: simulation --seed %llu --count 1 --steps %zu\n", (unsigned long long)seed, shorten(w, seed, STEPS_MAX + 20));
    fflush(stdout);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct order {
    uint64_t seed;
    size_t count, step_max, jobs;
    double seconds;
    bool is_verbose, ends_at_first;
} order;

/* Every jobs-th seed from the job-th on. */
static void run(totals *t, const order *o, size_t job)
{
    world *w = malloc(sizeof *w);
    const double begin_s = seconds_now();
    if (!w) abort();
    for (uint64_t s = o->seed + job; s < o->seed + o->count && seconds_now() - begin_s < o->seconds && t->failed_count < (o->ends_at_first ? 1 : 2); s += o->jobs) {
        seed_now = s;
        live_through(w, s, o->step_max);
        t->history_count++;
        t->life_count += w->life_count;
        t->kill_count += w->kill_count;
        t->outage_count += w->outage_count;
        t->delivery_count += w->delivery_count;
        t->action_count += w->action_count;
        t->operations += sim_disk_operations();
        if (o->is_verbose)
            printf("# seed %llu: %zu lives, %zu kills, %zu deliveries, %ld operations %s\n", (unsigned long long)s, w->life_count,
                   w->kill_count, w->delivery_count, sim_disk_operations(), w->failure);
        if (!w->failure[0]) continue;
        t->failed_count++;
        report(w, s, !o->ends_at_first);
    }
    free(w);
}

/* Each job in a process of its own: a history has the process's clock and SQLite's disk for itself. */
static bool run_jobs(totals *t, const order *o)
{
    int ends[2];
    bool is_whole = pipe(ends) == 0;
    fflush(stdout);
    for (size_t job = 0; is_whole && job < o->jobs; job++) {
        const pid_t child = fork();
        if (child < 0) is_whole = false;
        if (child != 0) continue;
        totals own = { 0 };
        run(&own, o, job);
        fflush(stdout);
        _exit(write(ends[1], &own, sizeof own) == sizeof own ? 0 : 3);
    }
    close(ends[1]);
    for (int status; wait(&status) > 0;) is_whole &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
    for (totals own; read(ends[0], &own, sizeof own) == sizeof own;) {
        t->history_count += own.history_count;
        t->failed_count += own.failed_count;
        t->life_count += own.life_count;
        t->kill_count += own.kill_count;
        t->outage_count += own.outage_count;
        t->delivery_count += own.delivery_count;
        t->action_count += own.action_count;
        t->operations += own.operations;
    }
    return is_whole;
}

static bool parse(int argc, char **argv, order *o)
{
    for (int i = 1; i < argc; i++) {
        const bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--verbose") == 0) o->is_verbose = true;
        else if (strcmp(argv[i], "--first") == 0) o->ends_at_first = true;
        else if (strcmp(argv[i], "--seed") == 0 && has_value) o->seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--count") == 0 && has_value) o->count = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--steps") == 0 && has_value) o->step_max = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--jobs") == 0 && has_value) o->jobs = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && has_value) o->seconds = strtod(argv[++i], NULL);
        else return false;
    }
    return o->jobs > 0 && o->jobs <= 1024;
}

int main(int argc, char **argv)
{
    static const tcsi_clock clock = { fake_wall, fake_monotonic, NULL };
    order o = { .seed = 1, .count = 1000, .jobs = 1, .seconds = 1e9 };
    totals t = { 0 };
    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: %s [--seed N] [--count N] [--steps N] [--jobs N] [--seconds S] [--first] [--verbose]\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    tcsi_clock_set(&clock);
    sim_disk_install();
    const bool is_whole = run_jobs(&t, &o);
    printf("# %zu histories from seed %llu: %zu lives, %zu times the power went, %zu times the store was away for long, %zu messages "
           "delivered, %zu actions, %ld operations of the disk\n", t.history_count, (unsigned long long)o.seed, t.life_count, t.kill_count,
           t.outage_count, t.delivery_count, t.action_count, t.operations);
    const bool is_fine = is_whole && t.failed_count == 0 && t.history_count > 0;
    printf("%s 1 - whatever happens, nothing acknowledged is lost, and everything follows from the journal\n1..1\n",
           is_fine ? "ok" : "not ok");
    return is_fine ? 0 : 1;
}
