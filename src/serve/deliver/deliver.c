/* serve/deliver/deliver.c -- see deliver.h.
 *
 * Order within an episode is kept by `holds`.  When its message NNNN has to wait until T, the episode is held: a later message MMMM is
 * put off to T + 1 + MMMM nanoseconds, whenever it comes to light, so that due times stand in the order of the numbers.  The hold stays
 * until the highest number that was put off is through, since a message put meanwhile is due at once and would overtake.  A new life reads
 * from the outbox which messages wait because they failed, or because an earlier one did.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/deliver.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "serve/deliver/backoff.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH_MAX = 32, HOLD_MAX = 256, RUNS_MAX = 1024, REVISION_MAX = 999999, STALE_MAX = 64 };

static const int64_t SECOND_NS = 1000000000, HOUR_NS = INT64_C(3600000000000), WAIT_NS_MAX = INT64_C(10000000000);

typedef struct hold {
    char key[TCSI_OUTBOX_ID_SIZE];
    int64_t until_ns;
    uint32_t number, number_last; /* of the message that waits, and of the last one that waits for it */
    uint32_t failures;
    uint64_t batch;               /* in which one was put off: those behind it in that batch must not overtake */
} hold;

typedef struct message {
    char id[TCSI_OUTBOX_ID_SIZE];
    uint32_t number;
    int64_t due_ns;
    char *payload; /* (payload_size), in the batch's arena */
    size_t payload_size;
} message;

typedef struct post { /* one receiver's part; `stats` under the lock, the rest its thread's own */
    tcsi_deliver *deliver;
    const tcsi_receiver *receiver;
    tcsi_outbox outbox;
    size_t index;
    bool is_begun;
    hold holds[HOLD_MAX];
    size_t hold_count;
    uint32_t failures;
    int64_t paused_until_ns;
    int64_t runs_ns[RUNS_MAX]; /* command: when it ran, a ring */
    size_t run_count;
    tcsi_arena arena;
    message batch[BATCH_MAX];
    size_t batch_count;
    uint64_t batch_number;
    bool batch_failed;         /* out of memory while it was read */
    tcsi_deliver_stats stats;
    pthread_t thread;
    bool is_running;
} post;

struct tcsi_deliver {
    tcsi_deliver_options options;
    post *posts;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t wake_count;
    bool is_stopping;
};

size_t tcsi_outbox_key_size(const char *id)
{
    const char *sign = strrchr(id, '#');
    return sign ? (size_t)(sign - id) : strlen(id);
}

static uint32_t number_of(const char *id)
{
    const char *sign = strrchr(id, '#');
    const unsigned long number = sign ? strtoul(sign + 1, NULL, 10) : 0;
    return number < REVISION_MAX ? (uint32_t)number : REVISION_MAX;
}

/* ---- holds ---- */

/* From when on a message that waits for an earlier one is due. */
static int64_t release_of(const hold *h, uint32_t number)
{
    return h->until_ns + (number > h->number ? 1 + (int64_t)number : 0);
}

static hold *find_hold(post *p, const char *id)
{
    const size_t size = tcsi_outbox_key_size(id);
    for (size_t i = 0; i < p->hold_count; i++)
        if (strncmp(p->holds[i].key, id, size) == 0 && p->holds[i].key[size] == 0) return &p->holds[i];
    return NULL;
}

static void drop_hold(post *p, hold *h)
{
    if (h) *h = p->holds[--p->hold_count];
}

/* NULL: all are taken.  One whose time is over by a second has let go of all it held. */
static hold *add_hold(post *p, const char *id, int64_t now_ns)
{
    const size_t size = tcsi_outbox_key_size(id);
    for (size_t i = 0; p->hold_count == HOLD_MAX && i < p->hold_count;) {
        if (p->holds[i].until_ns < now_ns - SECOND_NS) drop_hold(p, &p->holds[i]);
        else i++;
    }
    if (p->hold_count == HOLD_MAX || size >= TCSI_OUTBOX_ID_SIZE) return NULL;
    hold *h = &p->holds[p->hold_count++];
    *h = (hold){ .number = number_of(id), .number_last = number_of(id) };
    memcpy(h->key, id, size);
    return h;
}

static int64_t first_release(const post *p)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < p->hold_count; i++)
        if (p->holds[i].until_ns < first) first = p->holds[i].until_ns;
    return first;
}

/* ---- the outbox ---- */

static bool take_message(void *context, const tcsi_outbox_message *given)
{
    post *p = context;
    message *m = &p->batch[p->batch_count];
    if (p->batch_count == BATCH_MAX || strlen(given->id) >= sizeof m->id) return p->batch_count < BATCH_MAX;
    m->payload = tcsi_arena_strndup(&p->arena, given->payload, given->payload_size);
    p->batch_failed = !m->payload;
    if (!m->payload) return false;
    m->payload_size = given->payload_size;
    m->number = number_of(given->id);
    m->due_ns = given->due_ns;
    memcpy(m->id, given->id, strlen(given->id) + 1);
    p->batch_count++;
    return true;
}

static bool settle(post *p, tcs_status status)
{
    if (status == TCS_OK) return true;
    pthread_mutex_lock(&p->deliver->lock);
    p->stats.outbox_error_count++;
    pthread_mutex_unlock(&p->deliver->lock);
    return false;
}

static bool read_batch(post *p, int64_t now_ns)
{
    p->batch_count = 0;
    p->batch_number++;
    p->batch_failed = false;
    tcsi_arena_reset(&p->arena);
    const tcs_status status = p->outbox.ops->due(p->outbox.context, p->receiver->name, now_ns, BATCH_MAX, take_message, p, NULL);
    return settle(p, status) && !p->batch_failed;
}

static bool put_off(post *p, const message *m, int64_t now_ns, int64_t due_ns, const char *error)
{
    return settle(p, p->outbox.ops->retry(p->outbox.context, p->receiver->name, m->id, now_ns, due_ns, error, NULL));
}

static bool set_done(post *p, const message *m, int64_t now_ns)
{
    return settle(p, p->outbox.ops->done(p->outbox.context, p->receiver->name, m->id, now_ns, NULL));
}

/* ---- a new life ---- */

typedef struct waiting {
    post *p;
    int64_t now_ns, longest_ns;
} waiting;

/* Which episodes are held because their message failed; those put absurdly far ahead, by a clock that was wrong, are taken in. */
static bool note_waiting(void *context, const tcsi_outbox_message *given)
{
    waiting *w = context;
    if (given->due_ns > w->now_ns + w->longest_ns) return take_message(w->p, given);
    if (!*given->error) return true;
    hold *h = find_hold(w->p, given->id);
    const uint32_t number = number_of(given->id);
    if (!h) h = add_hold(w->p, given->id, w->now_ns);
    if (h && number > h->number_last) h->number_last = number;
    if (h && number <= h->number) { /* the first of them is the one that failed, whatever the order in which they are due */
        h->number = number;
        h->until_ns = given->due_ns;
    }
    return true;
}

/* All are looked at, however many wait: those that failed are due later than those that were never tried. */
static bool begin(post *p, int64_t now_ns)
{
    const tcsi_receiver *r = p->receiver;
    waiting w = { p, now_ns, HOUR_NS + r->retry_ns_max + r->resend_ns };
    bool sound = true;
    do {
        p->batch_count = 0;
        p->hold_count = 0;
        p->batch_failed = false;
        tcsi_arena_reset(&p->arena);
        const tcs_status status = p->outbox.ops->due(p->outbox.context, r->name, INT64_MAX - 1, SIZE_MAX, note_waiting, &w, NULL);
        sound = settle(p, status) && !p->batch_failed;
        for (size_t i = 0; sound && i < p->batch_count; i++) sound = put_off(p, &p->batch[i], now_ns, now_ns, "");
    } while (sound && p->batch_count == BATCH_MAX);
    return sound;
}

/* ---- one message ---- */

/* May a program run once more within the hour? */
static bool may_run(post *p, int64_t now_ns)
{
    const size_t limit = p->receiver->runs_per_hour < RUNS_MAX ? p->receiver->runs_per_hour : RUNS_MAX;
    if (limit == 0) return false;
    if (p->run_count >= limit && p->runs_ns[(p->run_count - limit) % RUNS_MAX] > now_ns - HOUR_NS) return false;
    p->runs_ns[p->run_count++ % RUNS_MAX] = now_ns;
    return true;
}

static void make_attempt(post *p, const tcsi_alert *alert, const message *m, int64_t now_ns, tcsi_attempt *attempt)
{
    const tcsi_deliver_options *o = &p->deliver->options;
    if (p->receiver->kind == TCSI_RECEIVER_COMMAND && !may_run(p, now_ns)) {
        *attempt = (tcsi_attempt){ .outcome = TCSI_ATTEMPT_REFUSED };
        snprintf(attempt->reason, sizeof attempt->reason, "not run: more than %u an hour", (unsigned)p->receiver->runs_per_hour);
    } else if (o->attempt) {
        o->attempt(o->context, p->receiver, alert, now_ns, attempt);
    } else {
        tcsi_attempt_make(p->receiver, alert, now_ns, attempt);
    }
    pthread_mutex_lock(&p->deliver->lock);
    p->stats.counts[attempt->outcome]++;
    if (attempt->outcome == TCSI_ATTEMPT_SENT) p->stats.sent_ns = now_ns;
    p->stats.failures = attempt->outcome == TCSI_ATTEMPT_RETRY ? p->failures + 1 : 0;
    pthread_mutex_unlock(&p->deliver->lock);
    if (o->observe) o->observe(o->context, p->receiver, alert, m->id, attempt);
}

static uint64_t seed_of(const post *p, const char *id)
{
    uint64_t seed = p->deliver->options.seed ^ p->index * UINT64_C(0x9E3779B97F4A7C15);
    for (; *id; id++) seed = (seed ^ (unsigned char)*id) * UINT64_C(1099511628211);
    return seed;
}

/* It failed: this episode is held, and the receiver pauses. */
static bool pause_after(post *p, const message *m, int64_t now_ns, const tcsi_attempt *attempt)
{
    hold *h = find_hold(p, m->id);
    if (!h) h = add_hold(p, m->id, now_ns);
    p->failures++;
    if (h) h->failures++;
    const uint32_t failures = h && h->failures > p->failures ? h->failures : p->failures;
    const uint64_t seed = seed_of(p, m->id);
    const int64_t until_ns = now_ns + tcsi_backoff(seed, failures, p->receiver->retry_ns_max, attempt->asked_ns);
    p->paused_until_ns = now_ns + tcsi_backoff(~seed, p->failures, p->receiver->retry_ns_max, attempt->asked_ns);
    if (h) h->until_ns = until_ns;
    if (h) h->number = m->number;
    return put_off(p, m, now_ns, until_ns, *attempt->reason ? attempt->reason : "failed");
}

static bool deliver_one(post *p, const message *m, int64_t now_ns)
{
    tcsi_arena arena;
    tcsi_alert alert;
    tcsi_attempt attempt;
    tcs_error err = { 0 };
    tcsi_arena_init(&arena, 1 << 23);
    const tcs_status status = tcsi_alert_read(m->payload, m->payload_size, &arena, &alert, &err);
    bool sound = true;
    if (status == TCS_E_MEMORY) {
        sound = false;
    } else if (status != TCS_OK) {
        pthread_mutex_lock(&p->deliver->lock);
        p->stats.malformed_count++;
        pthread_mutex_unlock(&p->deliver->lock);
        sound = put_off(p, m, now_ns, INT64_MAX, err.text);
    } else {
        make_attempt(p, &alert, m, now_ns, &attempt);
        if (attempt.outcome == TCSI_ATTEMPT_RETRY) {
            sound = pause_after(p, m, now_ns, &attempt);
        } else {
            const bool again = attempt.outcome == TCSI_ATTEMPT_SENT && p->receiver->kind == TCSI_RECEIVER_ALERTMANAGER &&
                               p->receiver->resend_ns > 0 && !tcsi_alert_is_over(&alert);
            p->failures = 0;
            p->paused_until_ns = 0;
            if (again) sound = put_off(p, m, now_ns, now_ns + p->receiver->resend_ns, "");
            else if (attempt.outcome == TCSI_ATTEMPT_SENT) sound = set_done(p, m, now_ns);
            else sound = put_off(p, m, now_ns, INT64_MAX, attempt.reason);
            hold *h = find_hold(p, m->id);
            if (h && m->number >= h->number_last) drop_hold(p, h);
        }
    }
    tcsi_arena_deinit(&arena);
    return sound;
}

/* ---- one step ---- */

static bool must_stop(post *p)
{
    pthread_mutex_lock(&p->deliver->lock);
    const bool stop = p->deliver->is_stopping;
    pthread_mutex_unlock(&p->deliver->lock);
    return stop;
}

/* true: it has to wait for its own time, or for an earlier message's. */
static bool is_held(hold *h, const message *m, uint64_t batch, int64_t now_ns)
{
    if (!h) return false;
    const int64_t release_ns = release_of(h, m->number);
    if (m->number <= h->number) return now_ns < release_ns;
    if (h->batch != batch && m->due_ns >= release_ns && now_ns >= release_ns) return false;
    if (m->number > h->number_last) h->number_last = m->number;
    h->batch = batch;
    return true;
}

/* Messages of the batch in order, until one fails; false: the outbox failed. */
static bool deliver_batch(post *p, int64_t now_ns, bool *ret_all)
{
    *ret_all = false;
    for (size_t i = 0; i < p->batch_count; i++) {
        const message *m = &p->batch[i];
        hold *h = find_hold(p, m->id);
        if (must_stop(p)) return true;
        if (is_held(h, m, p->batch_number, now_ns)) {
            const char *why = m->number > h->number ? "an earlier message waits" : "failed";
            if (!put_off(p, m, now_ns, release_of(h, m->number), why)) return false;
            continue;
        }
        if (!h && p->hold_count == HOLD_MAX && first_release(p) > now_ns - SECOND_NS) { /* who fails now could not be held */
            p->paused_until_ns = first_release(p) + SECOND_NS + 1;
            return true;
        }
        if (!deliver_one(p, m, now_ns)) return false;
        if (p->paused_until_ns > now_ns) return true;
    }
    *ret_all = true;
    return true;
}

int64_t tcsi_deliver_step(tcsi_deliver *deliver, size_t index, int64_t now_ns)
{
    post *p = &deliver->posts[index];
    int64_t next_ns = INT64_MAX;
    bool all = false;
    if (!p->is_begun && !begin(p, now_ns)) return now_ns + SECOND_NS;
    p->is_begun = true;
    if (p->paused_until_ns > now_ns) return p->paused_until_ns;
    if (!read_batch(p, now_ns) || !deliver_batch(p, now_ns, &all)) return now_ns + SECOND_NS;
    if (p->paused_until_ns > now_ns) return p->paused_until_ns;
    if (!all || p->batch_count == BATCH_MAX) return now_ns;
    if (!settle(p, p->outbox.ops->next(p->outbox.context, p->receiver->name, &next_ns, NULL))) return now_ns + SECOND_NS;
    return next_ns > now_ns ? next_ns : now_ns;
}

/* ---- threads ---- */

/* The wall clock, but never going back: when it does, time goes on by the other clock. */
typedef struct steady {
    int64_t wall_ns, monotonic_ns;
} steady;

static int64_t steady_now(steady *s)
{
    const int64_t monotonic_ns = tcsi_clock_monotonic_ns(), wall_ns = tcsi_clock_wall_ns();
    const int64_t counted_ns = s->wall_ns + (monotonic_ns - s->monotonic_ns);
    s->wall_ns = wall_ns > counted_ns || s->wall_ns == 0 ? wall_ns : counted_ns;
    s->monotonic_ns = monotonic_ns;
    return s->wall_ns;
}

/* At most wait_ns, unless something was put since `seen`. */
static void wait_for_work(tcsi_deliver *deliver, int64_t wait_ns, uint64_t *seen)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    if (wait_ns > WAIT_NS_MAX) wait_ns = WAIT_NS_MAX; /* another process may put too */
    const int64_t ns = until.tv_nsec + (wait_ns > 0 ? wait_ns : 0);
    until.tv_sec += (time_t)(ns / SECOND_NS);
    until.tv_nsec = (long)(ns % SECOND_NS);
    pthread_mutex_lock(&deliver->lock);
    while (!deliver->is_stopping && deliver->wake_count == *seen)
        if (pthread_cond_timedwait(&deliver->changed, &deliver->lock, &until) != 0) break;
    *seen = deliver->wake_count;
    pthread_mutex_unlock(&deliver->lock);
}

static void *work(void *context)
{
    post *p = context;
    steady clock = { 0 };
    uint64_t seen = 0;
    sigset_t all;
    sigfillset(&all); /* signals are for the main thread */
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!must_stop(p)) {
        const int64_t now_ns = steady_now(&clock), next_ns = tcsi_deliver_step(p->deliver, p->index, now_ns);
        const int64_t later_ns = steady_now(&clock);
        if (next_ns > later_ns) wait_for_work(p->deliver, next_ns - later_ns, &seen);
    }
    return NULL;
}

tcs_status tcsi_deliver_create(const tcsi_deliver_options *options, tcsi_deliver **ret_deliver, tcs_error *err)
{
    pthread_condattr_t monotonic;
    tcsi_deliver *self = TCSI_NEW(tcsi_deliver);
    if (self) self->posts = TCSI_NEW_ZEROS(post, options->receiver_count);
    if (!self || !self->posts) {
        tcsi_free(self);
        return tcsi_fail_memory(err, "receivers");
    }
    self->options = *options;
    (void)pthread_mutex_init(&self->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&self->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < options->receiver_count; i++) {
        post *p = &self->posts[i];
        p->deliver = self;
        p->receiver = &options->receivers[i];
        p->outbox = options->outboxes[i];
        p->index = i;
        tcsi_arena_init(&p->arena, (size_t)2 * BATCH_MAX * TCSI_ALERT_SIZE_MAX);
    }
    *ret_deliver = self;
    return TCS_OK;
}

tcs_status tcsi_deliver_start(tcsi_deliver *deliver, tcs_error *err)
{
    for (size_t i = 0; i < deliver->options.receiver_count; i++) {
        post *p = &deliver->posts[i];
        if (pthread_create(&p->thread, NULL, work, p) != 0) return tcsi_fail(err, TCS_E_MEMORY, "no thread for receiver %s",
                                                                             p->receiver->name);
        p->is_running = true;
    }
    return TCS_OK;
}

void tcsi_deliver_wake(tcsi_deliver *deliver)
{
    pthread_mutex_lock(&deliver->lock);
    deliver->wake_count++;
    pthread_cond_broadcast(&deliver->changed);
    pthread_mutex_unlock(&deliver->lock);
}

void tcsi_deliver_destroy(tcsi_deliver *deliver)
{
    if (!deliver) return;
    pthread_mutex_lock(&deliver->lock);
    deliver->is_stopping = true;
    pthread_cond_broadcast(&deliver->changed);
    pthread_mutex_unlock(&deliver->lock);
    for (size_t i = 0; i < deliver->options.receiver_count; i++) {
        if (deliver->posts[i].is_running) pthread_join(deliver->posts[i].thread, NULL);
        tcsi_arena_deinit(&deliver->posts[i].arena);
    }
    pthread_cond_destroy(&deliver->changed);
    pthread_mutex_destroy(&deliver->lock);
    tcsi_free(deliver->posts);
    tcsi_free(deliver);
}

tcsi_deliver_stats tcsi_deliver_stat(tcsi_deliver *deliver, size_t index)
{
    pthread_mutex_lock(&deliver->lock);
    const tcsi_deliver_stats stats = deliver->posts[index].stats;
    pthread_mutex_unlock(&deliver->lock);
    return stats;
}

/* ---- putting ---- */

static void make_id(const char *key, uint32_t revision, char ret_id[TCSI_OUTBOX_ID_SIZE])
{
    snprintf(ret_id, TCSI_OUTBOX_ID_SIZE, "%s#%06u", key, (unsigned)(revision < REVISION_MAX ? revision : REVISION_MAX));
}

tcs_status tcsi_deliver_put(const tcsi_outbox *outbox, const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t due_ns,
                            int64_t now_ns, tcs_error *err)
{
    char key[TCSI_ALERT_ID_SIZE], id[TCSI_OUTBOX_ID_SIZE];
    tcsi_json_writer writer;
    tcsi_buffer text;
    tcs_status status = TCS_OK;
    tcsi_buffer_init(&text, TCSI_ALERT_SIZE_MAX);
    tcsi_alert_id(alert, TCSI_ALERT_STATE_COUNT, key);
    tcsi_json_writer_init(&writer, &text, false);
    tcsi_alert_write(alert, &writer);
    status = tcsi_json_finish(&writer, err);
    /* First done, then put: cut off in between, the caller puts again.  The other way round an old "it burns" could outlive its end. */
    const uint32_t first = alert->revision > STALE_MAX ? alert->revision - STALE_MAX : 1;
    for (uint32_t old = first; status == TCS_OK && tcsi_receiver_keeps_state(receiver) && old < alert->revision; old++) {
        make_id(key, old, id);
        status = outbox->ops->replace(outbox->context, receiver->name, id, now_ns, err);
    }
    if (status == TCS_OK) {
        make_id(key, alert->revision, id);
        const tcsi_outbox_message given = { .receiver = receiver->name, .id = id, .payload = text.data, .payload_size = text.size,
                                              .due_ns = due_ns, .error = "", .trace = alert->trace };
        status = outbox->ops->put(outbox->context, &given, err);
    }
    tcsi_buffer_deinit(&text);
    return status;
}
