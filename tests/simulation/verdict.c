/* tests/simulation/verdict.c -- what must hold, whatever happened: against what was acknowledged, and against a service that was never
 * stopped and reads the same journal.  SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "series/key.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every segment there ever was, in one folder. */
static void link_segments(const world *w, const char *from)
{
    char old[2 * FOLDER_SIZE], new[2 * FOLDER_SIZE];
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
            sim_make_body(w, p, n, &body);
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
    sim_fail(w, "record %llu of the journal is none that was acknowledged", (unsigned long long)record->sequence);
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
        sim_fail(w, "%s %zu/%zu was acknowledged %u times, and is %zu times in the journal", what, producer, n, f->kept, count);
    if (count > (size_t)f->kept + f->unsure)
        sim_fail(w, "%s %zu/%zu is %zu times in the journal; acknowledged were %u, unknown %u", what, producer, n, count, f->kept,
                 f->unsure);
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
        sim_fail(w, "the journal cannot be read: %s", err.text);
        return;
    }
    tcs_status status = TCS_OK;
    for (uint64_t sequence = 1; (status = tcsi_journal_cursor_next(cursor, &record, &is_end, &err)) == TCS_OK && !is_end; sequence++) {
        if (record.sequence != sequence) sim_fail(w, "record %llu of the journal is missing", (unsigned long long)sequence);
        if (record.kind == TCSI_RECORD_ROWS) count_rows(w, &record, &c);
        if (record.kind == TCSI_RECORD_ACTION) count_action(&record, &c);
    }
    if (status != TCS_OK) sim_fail(w, "the journal cannot be read: %s", err.text);
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
        const bool is_past = time_ns < SIM_START_NS;
        const bool is_taken = outcome == TCSI_OUTCOME_ACCEPTED || outcome == TCSI_OUTCOME_REORDERED || outcome == TCSI_OUTCOME_BACKFILLED;
        if (is_past && (outcome == TCSI_OUTCOME_ACCEPTED || outcome == TCSI_OUTCOME_REORDERED))
            sim_fail(v->world, "the past was taken for now");
        if (!is_past && outcome == TCSI_OUTCOME_BACKFILLED) sim_fail(v->world, "a row of now was taken for one of the past");
        if (is_taken && is_known) sim_fail(v->world, "a row of record %llu was taken twice", (unsigned long long)rows[i].sequence);
        if (outcome == TCSI_OUTCOME_ACCEPTED && time_ns <= newest_ns) sim_fail(v->world, "an old row was taken for the newest");
        if (outcome != TCSI_OUTCOME_ACCEPTED && outcome != TCSI_OUTCOME_TOO_FAR_AHEAD && time_ns > newest_ns && !is_past)
            sim_fail(v->world, "a new row of record %llu was not taken: %d", (unsigned long long)rows[i].sequence, (int)outcome);
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
    const tcsi_store_record_query query = { .kind = record->kind, .id = record->id, .limit = 1 };
    l->count = 0;
    if (tcsi_store_record_list(l->other, &query, copy_record, l, &err) != TCS_OK)
        sim_fail(l->world, "episodes cannot be read: %s", err.text);
    else if (l->count == 0) sim_fail(l->world, "%s is only in the store of %s", record->id, l->whose);
    else if (strcmp(l->document, record->document) != 0 || l->record.state != record->state || l->record.end_ns != record->end_ns)
        sim_fail(l->world, "%s differs: %.200s, never stopped: %.200s", record->id, l->document, record->document);
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
    static const tcsi_store_record_kind kinds[] = { TCSI_STORE_EPISODE, TCSI_STORE_INCIDENT };
    static listing l;
    tcsi_buffer here, there;
    tcs_error err = { 0 };
    tcs_status status = TCS_OK;
    for (size_t i = 0; status == TCS_OK && i < TCS_COUNT(kinds); i++) {
        const tcsi_store_record_query all = { .kind = kinds[i] };
        l = (listing){ .world = w, .other = w->life.store, .whose = "the one that was never stopped" };
        status = tcsi_store_record_list(never_stopped, &all, compare_record, &l, &err);
        l = (listing){ .world = w, .other = never_stopped, .whose = "the one that was stopped" };
        if (status == TCS_OK) status = tcsi_store_record_list(w->life.store, &all, compare_record, &l, &err);
    }
    tcsi_buffer_init(&here, 1 << 24);
    tcsi_buffer_init(&there, 1 << 24);
    if (status == TCS_OK) status = tcsi_store_audit_list(w->life.store, 0, 0, sum_entry, &here, &err);
    if (status == TCS_OK) status = tcsi_store_audit_list(never_stopped, 0, 0, sum_entry, &there, &err);
    if (status != TCS_OK) sim_fail(w, "stores cannot be compared: %s", err.text);
    else if (here.size != there.size || memcmp(here.size ? here.data : "", there.size ? there.data : "", here.size) != 0)
        sim_fail(w, "the audit log differs: %.200s, never stopped: %.200s", here.size ? here.data : "", there.size ? there.data : "");
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
        sim_fail(e->world, "a message that nobody can read: %s", err.text);
    else if (!was_delivered(e->world, e->receiver, alert.episode_id, alert.revision))
        sim_fail(e->world, "receiver %zu was never told %u of %s", e->receiver, alert.revision, alert.episode_id);
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
            sim_fail(w, "the outbox cannot be read: %s", err.text);
        if (e.receiver == HOOK) expected = e.count;
    }
    tcsi_arena_deinit(&e.arena);
    for (size_t i = 0; i < w->delivery_count; i++) arrived += w->deliveries[i].receiver == HOOK;
    if (arrived > expected) sim_fail(w, "%zu messages arrived, and there were %zu to send", arrived, expected);
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
        sim_fail(w, "the state cannot be saved: %s", err.text);
    if (counts[0] != counts[1]) sim_fail(w, "states of %zu and %zu parts", counts[0], counts[1]);
    for (size_t i = 0; i < counts[0] && !w->failure[0]; i++)
        if (here[i].size != there[i].size || memcmp(here[i].data, there[i].data, here[i].size) != 0)
            sim_fail(w, "part %zu of the state differs from that of the one that was never stopped", i);
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
    if (sim_life_begin(&plan, &never_stopped, &err) != TCS_OK) sim_fail(w, "the journal cannot be read again: %s", err.text);
    if (!w->failure[0]) compare_stores(w, never_stopped.store);
    if (!w->failure[0]) check_deliveries(w, never_stopped.store);
    if (!w->failure[0]) compare_states(w, &never_stopped);
    sim_life_end(&never_stopped, false);
}

void sim_judge(world *w)
{
    link_segments(w, w->archive);
    link_segments(w, w->journal);
    check_journal(w);
    if (!w->failure[0]) compare(w);
}
