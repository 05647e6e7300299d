/* serve/http/events.h -- server-sent events: what happens, told to everybody who listens, and to nobody at the expense of others.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 *
 *     publish ──> one ring of the last events, numbered 1, 2, ... ──> each listener reads on from its own place
 *
 * The ring is the only memory: listeners hold a number, not copies, so that a thousand of them cost what one does.  A listener whose
 * next event has left the ring was too slow: it is told nothing half, its connection is broken and that is counted; it comes back with
 * Last-Event-ID. Whoever comes with an id that has left the ring, or from before a restart, first gets an event `reset`: what it shows
 * must be fetched anew. Ids are "EPOCH-NUMBER": the epoch differs from run to run, so that numbers of two runs are not taken for each
 * other. A listener to whom nothing was sent for TCSI_EVENTS_HEARTBEAT_NS gets a comment, which finds out dead connections.
 * Cost: publishing copies the event once and wakes who waits; one lock.
 * Threads: all functions are thread-safe. */
#ifndef TCS_SERVE_HTTP_EVENTS_H
#define TCS_SERVE_HTTP_EVENTS_H

#include "serve/http/message.h"
#include "serve/self/metric.h"

#define TCSI_EVENTS_HEARTBEAT_NS (INT64_C(15) * 1000000000)

enum { TCSI_EVENTS_COUNT = 4096, TCSI_EVENTS_SIZE = 4 << 20, TCSI_EVENT_SIZE_MAX = 64 << 10, TCSI_EVENT_ID_SIZE = 48,
       TCSI_LISTENERS_MAX = 1024 };

typedef struct tcsi_events_options {
    size_t event_count;        /* 0: TCSI_EVENTS_COUNT; of the last events that are kept */
    size_t size;               /* 0: TCSI_EVENTS_SIZE; of them together */
    size_t listener_max;       /* 0: TCSI_LISTENERS_MAX */
    int64_t heartbeat_ns;      /* 0: TCSI_EVENTS_HEARTBEAT_NS */
    uint64_t epoch;            /* 0: of the wall clock */
    tcsi_metrics *metrics;     /* NULL: none */
} tcsi_events_options;

typedef struct tcsi_events tcsi_events;

tcs_status tcsi_events_create(const tcsi_events_options *options, tcsi_events **ret_events, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_events_destroy(tcsi_events *events); /* accepts NULL; nobody may listen any more */

/* name: "episode"; data: one line of JSON.  Drops who is too slow, never waits.  E_LIMIT: larger than TCSI_EVENT_SIZE_MAX. */
tcs_status tcsi_events_publish(tcsi_events *events, const char *name, const char *data, tcs_error *err) TCS_WARN_UNUSED;
/* Heartbeats; called now and then. */
void tcsi_events_tick(tcsi_events *events, int64_t now_ns);

/* A response that is a stream of the events whose name is among names ("episode|alert"; NULL: all), from after the request's
 * Last-Event-ID. E_LIMIT: too many listen. */
tcs_status tcsi_events_listen(tcsi_events *events, const char *names, const tcsi_request *request, tcsi_response *response,
                              tcs_error *err) TCS_WARN_UNUSED;
size_t tcsi_events_listener_count(tcsi_events *events);

#endif
