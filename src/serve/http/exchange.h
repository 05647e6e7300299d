/* serve/http/exchange.h -- one request from its header to its response, without a socket: everything that is decided, is decided here.
 *
 *     begin: target ── Host, Origin ── route ── caller ── role ── rates ── parameters ── body's type and length
 *     run:   handler, with the body
 *     end:   figures, log, observers
 *
 * The order is the rule: what costs little and says no comes first, and who is not known is told nothing of what exists beyond the route.
 * A refusal is a response like any other; begin says then that no body is wanted.  The server (server.c) only moves bytes; tests, and a
 * load generator without a network, call the same three functions.
 * Threads: a service is shared and only read, apart from atomics; an exchange belongs to one thread at a time. */
#ifndef TCS_SERVE_HTTP_EXCHANGE_H
#define TCS_SERVE_HTTP_EXCHANGE_H

#include "serve/http/auth.h"
#include "serve/http/limiter.h"
#include "serve/http/route.h"
#include "serve/self/metric.h"

#include <stdatomic.h>

enum { TCSI_RESPONSE_SIZE_MAX = 256 << 20, TCSI_REQUEST_MEMORY_MAX = 64 << 20 };

/* Requests that a token may make a second, and at once, whatever the route, unless stated. */
#define TCSI_CALLER_RATE 2000.0
#define TCSI_CALLER_BURST 4000.0

typedef struct tcsi_service_options {
    const tcsi_router *router;
    tcsi_auth *auth;           /* NULL: everybody is anonymous_role, on loopback only */
    tcsi_role anonymous_role;
    tcsi_metrics *metrics;     /* NULL: none */
    double caller_rate, caller_burst; /* 0: TCSI_CALLER_RATE, TCSI_CALLER_BURST */
    void (*observe)(void *context, const tcsi_request *request, int status, int64_t duration_ns);
    void *observe_context;
} tcsi_service_options;

typedef struct tcsi_service tcsi_service;

tcs_status tcsi_service_create(const tcsi_service_options *options, tcsi_service **ret_service, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_service_destroy(tcsi_service *service); /* accepts NULL */
/* From now on what begins is answered 503. */
void tcsi_service_set_draining(tcsi_service *service);
bool tcsi_service_is_draining(const tcsi_service *service);

/* What the server knows of a request once its header has arrived. */
typedef struct tcsi_head {
    const char *method;
    const char *target;                      /* as sent */
    const char *peer;
    int64_t body_size;                       /* Content-Length; 0: no body; -1: not known before it ends (chunked) */
    const char *(*header)(void *context, const char *name);    /* the first of that name, or NULL */
    size_t (*header_count)(void *context, const char *name);
    void *context;
} tcsi_head;

typedef struct tcsi_exchange {
    tcsi_service *service;
    tcsi_request request;
    tcsi_response response;
    tcsi_arena arena;
    tcsi_target target;
    tcsi_caller caller;
    const tcsi_mounted *mounted; /* NULL: no route */
    const char *refusal;         /* why begin said no; NULL: it did not */
    size_t body_max;             /* that run may be given */
    bool is_head;                /* send no body */
    bool close;                  /* the connection cannot be trusted to be in step */
    int64_t begun_ns;            /* monotonic */
    char path[256];
} tcsi_exchange;

/* true: give run a body of at most body_max bytes (none: 0).  false: the response says why not. */
bool tcsi_exchange_begin(tcsi_service *service, tcsi_exchange *exchange, const tcsi_head *head) TCS_WARN_UNUSED;
/* body must live until end.  A response.finisher that was set before lets handlers answer later: response.deferred says that this one
 * will. */
void tcsi_exchange_run(tcsi_exchange *exchange, const char *body, size_t body_size);
/* In place of run: the server could not take the body.  413: too large, 503: no memory. */
void tcsi_exchange_refuse_body(tcsi_exchange *exchange, int status);
/* After the last byte was sent, or the connection broke (status 0 in figures then).  Releases everything. */
void tcsi_exchange_end(tcsi_exchange *exchange, bool complete);

#endif
