/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/events.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "serve/http/field.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { METRIC_PUBLISHED, METRIC_LISTENERS, METRIC_SENT, METRIC_DROPPED, METRIC_RESET };

static const tcsi_metric_row metric_rows[] = {
    [METRIC_PUBLISHED] = { .name = "tocsin_events_published_total", .kind = TCSI_METRIC_COUNTER, .help = "Events that happened." },
    [METRIC_LISTENERS] = { .name = "tocsin_events_listeners", .kind = TCSI_METRIC_LEVEL, .help = "Connections that listen to events." },
    [METRIC_SENT] = { .name = "tocsin_events_sent_total", .kind = TCSI_METRIC_COUNTER, .help = "Events given to connections." },
    [METRIC_DROPPED] = { .name = "tocsin_events_listeners_dropped_total", .kind = TCSI_METRIC_COUNTER,
                         .help = "Connections that were broken because they did not read fast enough." },
    [METRIC_RESET] = { .name = "tocsin_events_resets_total", .kind = TCSI_METRIC_COUNTER,
                       .help = "Connections that came with an id that is no longer kept." },
};

/* The text of an event as it is sent, without its id. */
typedef struct event {
    char *text;
    size_t size;
    char name[32];
} event;

typedef struct listener listener;
struct listener {
    tcsi_events *events;
    listener *next, *previous;
    tcsi_waker waker;
    char *names;            /* NULL: all */
    uint64_t at;            /* the next event */
    size_t offset;          /* bytes of it that were sent already */
    int64_t sent_ns;        /* when something was, last */
    bool waits, lost, reset, greeted;
};

struct tcsi_events {
    pthread_mutex_t lock;
    tcsi_events_options options;
    event *ring;
    uint64_t first, next;   /* of the events kept: first <= number < next */
    size_t size;
    listener *listeners;
    size_t listener_count;
    tcsi_metric published, listening, sent, dropped, resets;
};

/* ---- life ---- */

static tcs_status add_metrics(tcsi_events *events, tcs_error *err)
{
    size_t first = 0;
    tcsi_metrics *metrics = events->options.metrics;
    if (!metrics) return TCS_OK;
    tcs_status status = tcsi_metrics_add(metrics, metric_rows, TCS_COUNT(metric_rows), &first, err);
    if (status != TCS_OK) return status;
    events->published = tcsi_metrics_get(metrics, first + METRIC_PUBLISHED, NULL);
    events->listening = tcsi_metrics_get(metrics, first + METRIC_LISTENERS, NULL);
    events->sent = tcsi_metrics_get(metrics, first + METRIC_SENT, NULL);
    events->dropped = tcsi_metrics_get(metrics, first + METRIC_DROPPED, NULL);
    events->resets = tcsi_metrics_get(metrics, first + METRIC_RESET, NULL);
    return TCS_OK;
}

tcs_status tcsi_events_create(const tcsi_events_options *options, tcsi_events **ret_events, tcs_error *err)
{
    tcsi_events *events = TCSI_NEW(tcsi_events);
    if (!events) return tcsi_fail_memory(err, "events");
    events->options = *options;
    tcsi_events_options *o = &events->options;
    if (o->event_count == 0) o->event_count = TCSI_EVENTS_COUNT;
    if (o->size == 0) o->size = TCSI_EVENTS_SIZE;
    if (o->listener_max == 0) o->listener_max = TCSI_LISTENERS_MAX;
    if (o->heartbeat_ns == 0) o->heartbeat_ns = TCSI_EVENTS_HEARTBEAT_NS;
    if (o->epoch == 0) o->epoch = (uint64_t)tcsi_clock_wall_ns() / 1000;
    events->first = events->next = 1;
    pthread_mutex_init(&events->lock, NULL);
    events->ring = TCSI_NEW_ZEROS(event, o->event_count);
    tcs_status status = events->ring ? add_metrics(events, err) : tcsi_fail_memory(err, "events");
    if (status == TCS_OK) *ret_events = events;
    else tcsi_events_destroy(events);
    return status;
}

void tcsi_events_destroy(tcsi_events *events)
{
    if (!events) return;
    TCS_ASSERT(!events->listeners);
    for (size_t e = 0; events->ring && e < events->options.event_count; e++) tcsi_free(events->ring[e].text);
    tcsi_free(events->ring);
    pthread_mutex_destroy(&events->lock);
    tcsi_free(events);
}

size_t tcsi_events_listener_count(tcsi_events *events)
{
    pthread_mutex_lock(&events->lock);
    size_t count = events->listener_count;
    pthread_mutex_unlock(&events->lock);
    return count;
}

/* ---- publishing ---- */

static event *event_at(tcsi_events *events, uint64_t number)
{
    return &events->ring[number % events->options.event_count];
}

static bool wants(const listener *l, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = l->names; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strncmp(at, name, length) == 0 && (at[length] == '|' || at[length] == 0)) return true;
    return l->names == NULL;
}

/* "event: NAME\ndata: TEXT\n\n"; NULL: no memory. */
static char *compose(const char *name, const char *data, size_t *ret_size)
{
    static const char event_word[] = "event: ", data_word[] = "\ndata: ";
    size_t size = strlen(name) + strlen(data) + sizeof event_word + sizeof data_word + 2;
    char *text = tcsi_alloc(size);
    if (text) *ret_size = (size_t)snprintf(text, size, "%s%s%s%s\n\n", event_word, name, data_word, data);
    return text;
}

static void forget_first(tcsi_events *events)
{
    event *oldest = event_at(events, events->first++);
    events->size -= oldest->size;
    tcsi_free(oldest->text);
    *oldest = (event){ 0 };
}

static bool has_room(const tcsi_events *events, size_t size)
{
    return events->next - events->first < events->options.event_count && events->size + size <= events->options.size;
}

/* Who waits is woken, when it is for him; whose next event is gone, is dropped. */
static void tell(tcsi_events *events, const char *name)
{
    for (listener *l = events->listeners; l; l = l->next) {
        if (l->at < events->first && !l->lost) {
            l->lost = true;
            tcsi_metric_add(events->dropped, 1);
            l->waker.drop(l->waker.context);
        } else if (l->waits && wants(l, name)) {
            l->waits = false;
            l->waker.wake(l->waker.context);
        }
    }
}

/* A listener that waits has passed over everything, so that events which are not for it do not make it lose its place. */
static void advance_waiting(tcsi_events *events, const char *name)
{
    for (listener *l = events->listeners; l; l = l->next)
        if (l->waits && l->at + 1 == events->next && !wants(l, name)) l->at = events->next;
}

tcs_status tcsi_events_publish(tcsi_events *events, const char *name, const char *data, tcs_error *err)
{
    size_t size = 0;
    event e = { 0 };
    TCS_ASSERT(strlen(name) < sizeof e.name && !strpbrk(name, "\r\n|") && !strpbrk(data, "\r\n"));
    if (strlen(data) > TCSI_EVENT_SIZE_MAX)
        return tcsi_fail(err, TCS_E_LIMIT, "an event of %zu bytes, at most %d", strlen(data), TCSI_EVENT_SIZE_MAX);
    e.text = compose(name, data, &size);
    if (!e.text) return tcsi_fail_memory(err, "an event");
    e.size = size;
    memcpy(e.name, name, strlen(name) + 1);
    pthread_mutex_lock(&events->lock);
    while (events->first < events->next && !has_room(events, size)) forget_first(events);
    *event_at(events, events->next) = e;
    events->next++;
    events->size += size;
    advance_waiting(events, name);
    tell(events, name);
    pthread_mutex_unlock(&events->lock);
    tcsi_metric_add(events->published, 1);
    return TCS_OK;
}

void tcsi_events_tick(tcsi_events *events, int64_t now_ns)
{
    pthread_mutex_lock(&events->lock);
    for (listener *l = events->listeners; l; l = l->next) {
        if (!l->waits || now_ns - l->sent_ns < events->options.heartbeat_ns) continue;
        l->waits = false;
        l->waker.wake(l->waker.context);
    }
    pthread_mutex_unlock(&events->lock);
}

/* ---- listening ---- */

static void start(void *context, tcsi_waker waker)
{
    listener *l = context;
    tcsi_events *events = l->events;
    pthread_mutex_lock(&events->lock);
    l->waker = waker;
    l->sent_ns = tcsi_clock_monotonic_ns();
    l->next = events->listeners;
    if (l->next) l->next->previous = l;
    events->listeners = l;
    pthread_mutex_unlock(&events->lock);
}

/* As much of text as fits, from where it was left off; true: all of it was sent. */
static bool put(listener *l, const char *text, size_t text_size, char *bytes, size_t size, size_t *used)
{
    size_t rest = text_size - l->offset, room = size - *used, piece = rest < room ? rest : room;
    memcpy(bytes + *used, text + l->offset, piece);
    *used += piece;
    l->offset = piece == rest ? 0 : l->offset + piece;
    return piece == rest;
}

/* An event is its id line, then its text.  `offset` runs over both. */
static bool put_event(listener *l, char *bytes, size_t size, size_t *used)
{
    char id[TCSI_EVENT_ID_SIZE + 8];
    const event *e = event_at(l->events, l->at);
    size_t id_size = (size_t)snprintf(id, sizeof id, "id: %" PRIu64 "-%" PRIu64 "\n", l->events->options.epoch, l->at);
    if (l->offset < id_size) {
        if (!put(l, id, id_size, bytes, size, used)) return false;
        l->offset = id_size;
    }
    l->offset -= id_size;
    bool whole = put(l, e->text, e->size, bytes, size, used);
    if (!whole) l->offset += id_size;
    return whole;
}

static const char greeting[] = "retry: 2000\n\n", heartbeat[] = ": still here\n\n";

/* What comes before the first event: perhaps a reset, with the id to come back with, then how long to wait before coming back. */
static void greet(listener *l, char *bytes, size_t size, size_t *used)
{
    char text[TCSI_EVENT_ID_SIZE + 64];
    if (l->reset) {
        int length = snprintf(text, sizeof text, "event: reset\nid: %" PRIu64 "-%" PRIu64 "\ndata: {}\n\n", l->events->options.epoch,
                              l->at - 1);
        l->reset = !put(l, text, (size_t)length, bytes, size, used);
    }
    if (!l->reset) l->greeted = put(l, greeting, sizeof greeting - 1, bytes, size, used);
}

/* With the lock held. */
static ptrdiff_t fill(listener *l, char *bytes, size_t size)
{
    tcsi_events *events = l->events;
    size_t used = 0;
    if (l->lost || l->at < events->first) return TCSI_STREAM_FAIL;
    if (!l->greeted) greet(l, bytes, size, &used);
    while (l->greeted && l->at < events->next && used < size) {
        if (l->offset == 0 && !wants(l, event_at(events, l->at)->name)) {
            l->at++;
        } else if (put_event(l, bytes, size, &used)) {
            l->at++;
            tcsi_metric_add(events->sent, 1);
        }
    }
    if (used == 0 && tcsi_clock_monotonic_ns() - l->sent_ns >= events->options.heartbeat_ns && size >= sizeof heartbeat) {
        used = sizeof heartbeat - 1;
        memcpy(bytes, heartbeat, used);
    }
    return (ptrdiff_t)used;
}

static ptrdiff_t read_events(void *context, char *bytes, size_t size)
{
    listener *l = context;
    pthread_mutex_lock(&l->events->lock);
    ptrdiff_t got = fill(l, bytes, size);
    l->waits = got == TCSI_STREAM_WAIT;
    if (got > 0) l->sent_ns = tcsi_clock_monotonic_ns();
    if (got == TCSI_STREAM_FAIL && !l->lost) {
        l->lost = true;
        tcsi_metric_add(l->events->dropped, 1);
    }
    pthread_mutex_unlock(&l->events->lock);
    return got;
}

/* Also of one that was never started, because its handler failed afterwards. */
static void stop(void *context, bool complete)
{
    listener *l = context;
    tcsi_events *events = l->events;
    (void)complete;
    pthread_mutex_lock(&events->lock);
    if (l->waker.wake) {
        if (l->previous) l->previous->next = l->next;
        else events->listeners = l->next;
        if (l->next) l->next->previous = l->previous;
    }
    events->listener_count--;
    pthread_mutex_unlock(&events->lock);
    tcsi_metric_move(events->listening, -1);
    tcsi_free(l->names);
    tcsi_free(l);
}

/* "EPOCH-NUMBER" of this run, of an event that was: *ret_number. */
static bool parse_id(const tcsi_events *events, const char *text, uint64_t *ret_number)
{
    char epoch[TCSI_EVENT_ID_SIZE];
    uint64_t value, number;
    size_t length = strcspn(text, "-");
    if (length >= sizeof epoch || text[length] != '-') return false;
    memcpy(epoch, text, length);
    epoch[length] = 0;
    if (!tcsi_field_number(epoch, &value) || !tcsi_field_number(text + length + 1, &number)) return false;
    if (value != events->options.epoch || number >= events->next) return false;
    *ret_number = number;
    return true;
}

/* Where a listener begins: after the id that it had, or with what comes next. */
static void place(tcsi_events *events, listener *l, const char *last_id)
{
    uint64_t number = 0;
    l->at = events->next;
    if (!last_id || !*last_id) return;
    if (parse_id(events, last_id, &number) && number + 1 >= events->first) {
        l->at = number + 1;
        return;
    }
    l->reset = true;
    tcsi_metric_add(events->resets, 1);
}

tcs_status tcsi_events_listen(tcsi_events *events, const char *names, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    listener *l = TCSI_NEW(listener);
    if (!l || (names && !(l->names = tcsi_strdup(names)))) {
        tcsi_free(l);
        return tcsi_fail_memory(err, "a listener");
    }
    l->events = events;
    pthread_mutex_lock(&events->lock);
    bool room = events->listener_count < events->options.listener_max;
    if (room) {
        events->listener_count++;
        place(events, l, tcsi_request_header(request, "Last-Event-ID"));
    }
    pthread_mutex_unlock(&events->lock);
    if (!room) {
        tcsi_free(l->names);
        tcsi_free(l);
        return tcsi_fail(err, TCS_E_LIMIT, "%zu connections listen to events already", events->options.listener_max);
    }
    tcsi_metric_move(events->listening, 1);
    response->content_type = "text/event-stream";
    response->stream = (tcsi_stream){ start, read_events, stop, l };
    return TCS_OK;
}
