/* serve/standby/standby.c -- who leads, and what the others do meanwhile; drawn in standby.h.
 *
 * One thread turns ten times a second.  When it follows, it reads all batches behind what it has seen, and looks at the lease.  When it
 * leads, it prolongs the lease, a few times within its length, and marks how far everything is kept.
 * A batch whose fate is unknown (a connection that broke during the insert) is put again, the same bytes under the same token, until the
 * store has answered or the lease is over.  In the latter case this process follows again, under a new name, and what it was about to
 * write either stands in the journal, where it reads it, or never will: the next leader's first record has taken the place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/standby/standby.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCHES_A_READ = 256, RENEWALS_A_LEASE = 4, FORGET_TURNS = 50 };
static const int64_t TURN_NS = INT64_C(100000000), RETRY_NS = INT64_C(50000000);
static const double LEASE_S = 5;

typedef enum role { FOLLOWING, TAKING, LEADING } role;

struct tcsi_standby {
    tcsi_standby_options options;
    int64_t lease_ns;
    tcsi_journal_log log;
    tcsi_intake *intake;
    tcsi_store *writer;         /* of whoever commits, one at a time */
    tcsi_store *store;          /* of the thread */
    pthread_t thread;
    bool is_running;

    _Atomic int role;
    _Atomic int64_t token;      /* of the lease, while TAKING or LEADING */
    _Atomic bool must_yield;    /* somebody else has written, or nobody knows what is written */
    _Atomic uint64_t forget;    /* records before this one need not be kept */
    _Atomic uint64_t takeover_count;

    /* of the thread */
    char address[128], holder[256];
    unsigned name_count;        /* names that this process had */
    uint64_t sequence;          /* of the last record that live has seen, while FOLLOWING or TAKING */
    int64_t time_ns;            /* its time */
    bool is_full;               /* live has seen a batch in part, as too many rows wait */
    int64_t renewed_ns;         /* monotonic */
    uint64_t turn_count;
    bool is_store_away, is_behind; /* behind: of what leaders still keep */

    int64_t fenced_token;       /* of the keeper's thread */

    pthread_mutex_t mutex;      /* of what follows */
    pthread_cond_t ending;
    bool is_ending;
    char leader[128];           /* whoever leads; "": nobody knows */
};

static bool nap(tcsi_standby *s, int64_t ns)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)ns;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&s->mutex);
    while (!s->is_ending && pthread_cond_timedwait(&s->ending, &s->mutex, &until) == 0) continue;
    const bool goes_on = !s->is_ending;
    pthread_mutex_unlock(&s->mutex);
    return goes_on;
}

/* ---- the journal's log ---- */

/* Until the store has answered, while this process may still lead. */
static tcs_status write_log(void *self, uint64_t first, uint64_t last, const void *bytes, size_t size, tcs_error *err)
{
    tcsi_standby *s = self;
    const tcsi_store_batch batch = { .first = first, .last = last, .token = atomic_load(&s->token), .bytes = bytes, .size = size };
    const int64_t end_ns = tcsi_clock_monotonic_ns() + s->lease_ns;
    for (;;) {
        if (atomic_load(&s->must_yield)) return tcsi_fail(err, TCS_E_CANCELLED, "another process may lead; nothing was changed");
        const tcs_status status = tcsi_store_batch_put(s->writer, &batch, err);
        if (status == TCS_OK) return status;
        if (status == TCS_E_CANCELLED || tcsi_clock_monotonic_ns() > end_ns || !nap(s, RETRY_NS)) {
            atomic_store(&s->must_yield, true);
            if (err) err->status = status == TCS_E_CANCELLED ? status : TCS_E_IO; /* a full disk of the server's is no fault of the body */
            return status == TCS_E_CANCELLED ? status : TCS_E_IO;
        }
    }
}

/* From the keeper's thread, which has its own store: done by this one's. */
static void forget_log(void *self, uint64_t sequence)
{
    tcsi_standby *s = self;
    atomic_store(&s->forget, sequence);
}

const tcsi_journal_log *tcsi_standby_log(tcsi_standby *standby)
{
    return &standby->log;
}

/* ---- what others ask ---- */

bool tcsi_standby_leads(const tcsi_standby *standby)
{
    return !standby || atomic_load(&standby->role) == LEADING;
}

uint64_t tcsi_standby_takeover_count(const tcsi_standby *standby)
{
    return standby ? atomic_load(&standby->takeover_count) : 0;
}

static void say_who(tcsi_standby *s, char *text, size_t size)
{
    pthread_mutex_lock(&s->mutex);
    if (s->leader[0]) snprintf(text, size, "standby: %s leads and takes rows", s->leader);
    else snprintf(text, size, "standby: nobody leads yet");
    pthread_mutex_unlock(&s->mutex);
}

bool tcsi_standby_check(void *standby, char ret_reason[TCSI_HEALTH_REASON_SIZE])
{
    tcsi_standby *s = standby;
    const int now = atomic_load(&s->role);
    if (now == TAKING) snprintf(ret_reason, TCSI_HEALTH_REASON_SIZE, "taking over: reading the journal to its end");
    else if (now == FOLLOWING) say_who(s, ret_reason, TCSI_HEALTH_REASON_SIZE);
    return now == LEADING;
}

tcs_status tcsi_standby_turn(tcsi_standby *standby, tcsi_store *store, uint64_t sequence, tcsi_turn *ret_turn, tcs_error *err)
{
    tcsi_standby *s = standby;
    *ret_turn = TCSI_TURN_OURS;
    if (!s) return TCS_OK;
    const int64_t token = atomic_load(&s->token);
    if (token) {
        if (token == s->fenced_token) return TCS_OK;
        const tcs_status status = tcsi_store_fence(store, TCSI_STANDBY_LEASE, token, err);
        if (status == TCS_OK) s->fenced_token = token;
        return status;
    }
    tcsi_store_lease lease;
    const tcs_status status = tcsi_store_lease_read(store, TCSI_STANDBY_LEASE, &lease, err);
    if (status == TCS_OK) *ret_turn = lease.mark >= sequence ? TCSI_TURN_KEPT : TCSI_TURN_WAIT;
    return status;
}

/* ---- changes of role ---- */

static void hold(tcsi_standby *s)
{
    tcs_error why;
    char text[200];
    say_who(s, text, sizeof text);
    (void)tcsi_fail(&why, TCS_E_CANCELLED, "%s", text);
    tcsi_journal_hold(tcsi_intake_journal(s->intake), &why);
}

/* Rows that are refused, and /readyz, say who leads. */
static void note_leader(tcsi_standby *s, const char *holder)
{
    const int length = (int)strcspn(holder, "#");
    pthread_mutex_lock(&s->mutex);
    const bool is_new = strncmp(s->leader, holder, (size_t)length) != 0 || s->leader[length] != 0;
    if (is_new) snprintf(s->leader, sizeof s->leader, "%.*s", length, holder);
    pthread_mutex_unlock(&s->mutex);
    if (is_new && atomic_load(&s->role) == FOLLOWING) hold(s);
}

/* Different for every process that ever lived, and for every time that it led. */
static void take_name(tcsi_standby *s)
{
    snprintf(s->holder, sizeof s->holder, "%s#%ld-%llx-%u", s->address, (long)getpid(), (unsigned long long)tcsi_clock_wall_ns(),
             ++s->name_count);
}

/* Leads no more, if it did: nothing is written, and everything that was is in live. */
static void yield(tcsi_standby *s, const char *why)
{
    tcs_error ignored;
    const bool has_led = atomic_load(&s->role) == LEADING;
    atomic_store(&s->must_yield, true);
    atomic_store(&s->role, FOLLOWING);
    pthread_mutex_lock(&s->mutex);
    s->leader[0] = 0;
    pthread_mutex_unlock(&s->mutex);
    hold(s);
    atomic_store(&s->token, 0);
    const uint64_t written = tcsi_journal_stat(tcsi_intake_journal(s->intake)).sequence_next - 1;
    if (written > s->sequence) s->sequence = written;
    s->is_full = false;
    (void)!tcsi_store_lease_release(s->store, TCSI_STANDBY_LEASE, s->holder, &ignored);
    take_name(s);
    if (has_led) tcsi_log(TCSI_LOG_WARNING, "SERVE-LEADS-NO-MORE", "%s", why);
}

typedef struct following {
    tcsi_standby *standby;
    tcs_status status;
    tcs_error err;
    size_t count;
} following;

static bool follow_batch(void *context, const tcsi_store_batch *batch)
{
    following *f = context;
    tcsi_standby *s = f->standby;
    s->is_behind = batch->first > s->sequence + 1;
    if (s->is_behind)
        f->status = tcsi_fail(&f->err, TCS_E_FORMAT, "the journal goes on at record %llu, after %llu", (unsigned long long)batch->first,
                              (unsigned long long)s->sequence);
    else f->status = tcsi_intake_follow(s->intake, batch->bytes, batch->size, &s->sequence, &s->time_ns, &f->err);
    s->is_full = f->status == TCS_E_LIMIT;
    f->count++;
    return f->status == TCS_OK;
}

/* Some batches behind what live has seen, which may end in the middle of one, as a snapshot may.  *ret_end: there were no more. */
static tcs_status follow(tcsi_standby *s, bool *ret_end, tcs_error *err)
{
    following f = { .standby = s };
    uint64_t first, last;
    tcs_status status = tcsi_store_batch_ends(s->store, &first, &last, err);
    s->is_behind = status == TCS_OK && last > s->sequence && first > s->sequence + 1;
    if (s->is_behind)
        return tcsi_fail(err, TCS_E_FORMAT, "the journal begins at record %llu, after %llu", (unsigned long long)first,
                         (unsigned long long)s->sequence);
    if (status == TCS_OK) status = tcsi_store_batch_list(s->store, s->sequence + 1, BATCHES_A_READ, follow_batch, &f, err);
    if (status == TCS_OK && f.status != TCS_OK && f.status != TCS_E_LIMIT) {
        if (err) *err = f.err;
        return f.status;
    }
    *ret_end = f.count == 0;
    return status;
}

/* ---- taking over ---- */

/* E_CANCELLED: somebody else has the lease, or had it in between. */
static tcs_status prolong(tcsi_standby *s, tcs_error *err)
{
    const int64_t begin_ns = tcsi_clock_monotonic_ns();
    int64_t token = 0;
    tcs_status status = tcsi_store_lease_take(s->store, TCSI_STANDBY_LEASE, s->holder, s->lease_ns, &token, err);
    if (status == TCS_OK && token != atomic_load(&s->token)) return tcsi_fail(err, TCS_E_CANCELLED, "the lease has passed to another");
    if (status == TCS_OK) s->renewed_ns = begin_ns;
    if (status == TCS_OK) status = tcsi_store_lease_mark(s->store, TCSI_STANDBY_LEASE, token, s->options.kept(s->options.self), err);
    return status;
}

/* A tick behind everything: its place cannot be written by anybody else any more. */
static tcs_status claim(tcsi_standby *s, tcs_error *err)
{
    atomic_store(&s->must_yield, false);
    tcsi_journal_lead(tcsi_intake_journal(s->intake), s->sequence, s->time_ns);
    const tcs_status status = tcsi_intake_tick(s->intake, tcsi_clock_wall_ns(), err);
    if (status != TCS_OK) hold(s);
    return status;
}

static tcs_status read_to_the_end(tcsi_standby *s, tcs_error *err)
{
    bool is_end = false;
    tcs_status status = TCS_OK;
    while (status == TCS_OK && !is_end) {
        status = follow(s, &is_end, err);
        if (status == TCS_OK && s->is_full && !nap(s, RETRY_NS)) return tcsi_fail(err, TCS_E_CANCELLED, "it ends");
        if (status == TCS_OK && tcsi_clock_monotonic_ns() - s->renewed_ns > s->lease_ns / RENEWALS_A_LEASE) status = prolong(s, err);
    }
    return status;
}

/* The lease is free, or was a moment ago. */
static tcs_status take_over(tcsi_standby *s, tcs_error *err)
{
    const int64_t begin_ns = tcsi_clock_monotonic_ns();
    int64_t token = 0;
    tcs_status status = tcsi_store_lease_take(s->store, TCSI_STANDBY_LEASE, s->holder, s->lease_ns, &token, err);
    if (status != TCS_OK || token == 0) return status;
    s->renewed_ns = begin_ns;
    atomic_store(&s->token, token); /* from now on the keeper keeps, so that what waits for it can go on */
    atomic_store(&s->role, TAKING);
    note_leader(s, s->holder);
    status = read_to_the_end(s, err);
    if (status == TCS_OK) status = claim(s, err);
    if (status != TCS_OK) {
        yield(s, "it could not take over");
        return status;
    }
    atomic_store(&s->role, LEADING);
    atomic_fetch_add(&s->takeover_count, 1);
    tcsi_log(TCSI_LOG_INFO, "SERVE-LEADS", "this process leads from record %llu on, %.2f s after it took the lease",
             (unsigned long long)s->sequence + 1, (double)(tcsi_clock_monotonic_ns() - begin_ns) * 1e-9);
    if (s->options.on_lead) s->options.on_lead(s->options.self);
    return TCS_OK;
}

/* ---- the thread ---- */

static tcs_status turn_following(tcsi_standby *s, tcs_error *err)
{
    bool is_end = false;
    tcsi_store_lease lease;
    tcs_error stopped;
    tcs_status status = TCS_OK;
    const int64_t until_ns = tcsi_clock_monotonic_ns() + s->lease_ns / RENEWALS_A_LEASE; /* the lease is looked at, however much there is */
    while (status == TCS_OK && !is_end && tcsi_clock_monotonic_ns() < until_ns) {
        status = follow(s, &is_end, err);
        if (s->is_full) break;
    }
    if (status == TCS_OK) status = tcsi_store_lease_read(s->store, TCSI_STANDBY_LEASE, &lease, err);
    if (status != TCS_OK) return status;
    note_leader(s, lease.is_over ? "" : lease.holder);
    const tcs_status fine = tcsi_live_admit(s->options.live, 0, &stopped); /* one that has stopped, for lack of memory, must not lead */
    return lease.is_over && (fine == TCS_OK || fine == TCS_E_LIMIT) ? take_over(s, err) : TCS_OK;
}

static tcs_status turn_leading(tcsi_standby *s, tcs_error *err)
{
    tcs_error stopped;
    const int64_t now_ns = tcsi_clock_monotonic_ns();
    const tcs_status fine = tcsi_live_admit(s->options.live, 0, &stopped);
    if (fine != TCS_OK && fine != TCS_E_LIMIT) {
        yield(s, stopped.text);
        return TCS_OK;
    }
    if (atomic_load(&s->must_yield)) {
        yield(s, "another process has written the journal, or the store did not say whether this one has");
        return TCS_OK;
    }
    if (now_ns - s->renewed_ns < s->lease_ns / RENEWALS_A_LEASE) return TCS_OK;
    const tcs_status status = prolong(s, err);
    const bool is_over = tcsi_clock_monotonic_ns() - s->renewed_ns > s->lease_ns;
    if (status == TCS_E_CANCELLED) yield(s, "another process has taken the lease");
    else if (status != TCS_OK && is_over) yield(s, "the store was away for longer than the lease");
    return status == TCS_E_CANCELLED ? TCS_OK : status;
}

/* Records that no snapshot needs any more. */
static tcs_status forget(tcsi_standby *s, tcs_error *err)
{
    const uint64_t before = atomic_exchange(&s->forget, 0);
    if (!before) return TCS_OK;
    const tcs_status status = tcsi_store_batch_forget(s->store, before, err);
    if (status != TCS_OK) atomic_store(&s->forget, before);
    return status;
}

static void note_store(tcsi_standby *s, tcs_status status, const tcs_error *failure)
{
    if (status != TCS_OK && !s->is_store_away) tcsi_log(TCSI_LOG_ERROR, "SERVE-STANDBY-FAILED", "%s", failure->text);
    if (status == TCS_OK && s->is_store_away) tcsi_log(TCSI_LOG_INFO, "SERVE-STANDBY-WORKS", "the store answers again");
    s->is_store_away = status != TCS_OK;
}

static void *run(void *argument)
{
    tcsi_standby *s = argument;
    do {
        tcs_error failure = { 0 };
        const bool leads = atomic_load(&s->role) == LEADING;
        tcs_status status = leads ? turn_leading(s, &failure) : turn_following(s, &failure);
        if (status == TCS_OK && atomic_load(&s->role) == LEADING && s->turn_count++ % FORGET_TURNS == 0) status = forget(s, &failure);
        note_store(s, status, &failure);
        if (s->is_behind) {
            s->options.on_lost(s->options.self);
            break;
        }
    } while (nap(s, TURN_NS));
    return NULL;
}

/* ---- life ---- */

tcs_status tcsi_standby_check_folder(const char *folder, uint64_t sequence, tcs_error *err)
{
    tcsi_journal_cursor *cursor;
    tcsi_journal_record record;
    bool is_end = true;
    if (access(folder, F_OK) != 0) return TCS_OK;
    tcs_status status = tcsi_journal_cursor_open(folder, sequence + 1, &cursor, err);
    if (status != TCS_OK) return status;
    status = tcsi_journal_cursor_next(cursor, &record, &is_end, err);
    tcsi_journal_cursor_close(cursor);
    if (status != TCS_OK || is_end) return status;
    return tcsi_fail(err, TCS_E_INVALID, "%s holds record %llu, and the snapshot in the store only those before: start and end the service "
                     "once without a standby", folder, (unsigned long long)record.sequence);
}

tcs_status tcsi_standby_create(const tcsi_standby_options *options, tcsi_standby **ret_standby, tcs_error *err)
{
    const tcsi_store_options reader = { .must_exist = true };
    uint64_t first, last;
    tcsi_standby *s = TCSI_NEW(tcsi_standby);
    if (!s) return tcsi_fail_memory(err, "a standby");
    s->options = *options;
    s->sequence = options->sequence;
    s->time_ns = INT64_MIN;
    s->lease_ns = (int64_t)((options->lease_s > 0 ? options->lease_s : LEASE_S) * 1e9);
    s->log = (tcsi_journal_log){ .write = write_log, .forget = forget_log, .self = s };
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->ending, NULL);
    tcs_status status = tcsi_store_open(options->store, &reader, &s->writer, err);
    if (status == TCS_OK) status = tcsi_store_open(options->store, &reader, &s->store, err);
    if (status == TCS_OK) status = tcsi_store_batch_ends(s->store, &first, &last, err);
    if (status == TCS_OK && last && (first > s->sequence + 1 || last < s->sequence))
        status = tcsi_fail(err, TCS_E_FORMAT, "%s: its journal has records %llu to %llu; the snapshot contains %llu",
                           tcsi_store_name(s->store), (unsigned long long)first, (unsigned long long)last, (unsigned long long)s->sequence);
    if (status == TCS_OK) *ret_standby = s;
    else tcsi_standby_destroy(s);
    return status;
}

tcs_status tcsi_standby_start(tcsi_standby *standby, tcsi_intake *intake, const char *address, tcs_error *err)
{
    tcsi_standby *s = standby;
    s->intake = intake;
    snprintf(s->address, sizeof s->address, "%s", address);
    take_name(s);
    hold(s);
    if (pthread_create(&s->thread, NULL, run, s) != 0) return tcsi_fail(err, TCS_E_IO, "no thread for the standby");
    s->is_running = true;
    return TCS_OK;
}

void tcsi_standby_stop(tcsi_standby *standby)
{
    tcsi_standby *s = standby;
    tcs_error failure;
    if (!s) return;
    pthread_mutex_lock(&s->mutex);
    s->is_ending = true;
    pthread_cond_broadcast(&s->ending);
    pthread_mutex_unlock(&s->mutex);
    if (s->is_running) pthread_join(s->thread, NULL);
    s->is_running = false;
    if (!atomic_load(&s->token)) return;
    const uint64_t kept = s->options.kept(s->options.self);
    tcs_status status = tcsi_store_lease_mark(s->store, TCSI_STANDBY_LEASE, atomic_load(&s->token), kept, &failure);
    if (status == TCS_OK) status = tcsi_store_lease_release(s->store, TCSI_STANDBY_LEASE, s->holder, &failure);
    if (status != TCS_OK) tcsi_log(TCSI_LOG_WARNING, "SERVE-STANDBY-FAILED", "others wait until the lease passes: %s", failure.text);
}

void tcsi_standby_destroy(tcsi_standby *standby)
{
    if (!standby) return;
    tcsi_store_close(standby->writer);
    tcsi_store_close(standby->store);
    pthread_cond_destroy(&standby->ending);
    pthread_mutex_destroy(&standby->mutex);
    tcsi_free(standby);
}
