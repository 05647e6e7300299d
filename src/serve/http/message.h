/* serve/http/message.h -- one request and its response, as handlers see them; nothing here knows who speaks HTTP for us.
 *
 * What a handler gets has been checked against its route's row: path and query are decoded and valid UTF-8, every parameter is known and
 * of its type, the body is within its limit, the caller may do this.  All texts live as long as the request.
 * A handler fills the response, or returns a failure, which becomes a problem document (RFC 9457): what, where, what was expected.
 * Threads: a request and its response belong to the thread that handles them; a stream is read by one thread at a time. */
#ifndef TCS_SERVE_HTTP_MESSAGE_H
#define TCS_SERVE_HTTP_MESSAGE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "serve/self/trace.h"

typedef enum tcsi_method {
    TCSI_GET, TCSI_HEAD, TCSI_POST, TCSI_PUT, TCSI_PATCH, TCSI_DELETE, TCSI_OPTIONS, TCSI_METHOD_COUNT
} tcsi_method;
extern const char *const tcsi_method_names[TCSI_METHOD_COUNT];
tcsi_method tcsi_method_find(const char *name); /* TCSI_METHOD_COUNT: not one of them */

/* Each may do what the one before it may. */
typedef enum tcsi_role {
    TCSI_ROLE_NONE,     /* anybody, without a token */
    TCSI_ROLE_VIEWER,   /* sees */
    TCSI_ROLE_ANALYST,  /* and labels, acknowledges, explains */
    TCSI_ROLE_OPERATOR, /* and sends rows, silences, changes settings */
    TCSI_ROLE_ADMIN,    /* and everything else */
    TCSI_ROLE_COUNT
} tcsi_role;
extern const char *const tcsi_role_names[TCSI_ROLE_COUNT];
tcsi_role tcsi_role_find(const char *name); /* TCSI_ROLE_COUNT: not one of them */

typedef struct tcsi_pair {
    const char *name, *value;
} tcsi_pair;

struct tcsi_route;

typedef struct tcsi_request {
    tcsi_method method;             /* never HEAD or OPTIONS in a handler: HEAD is GET without the body */
    const struct tcsi_route *route;
    const char *path;               /* decoded, for messages */
    const tcsi_pair *parameters;    /* {names} of the path, in their order */
    size_t parameter_count;
    const tcsi_pair *query;         /* in the order given */
    size_t query_count;
    const char *body;               /* NULL: none */
    size_t body_size;
    const char *(*header)(void *context, const char *name); /* NULL: absent */
    void *header_context;
    const char *peer;               /* "127.0.0.1", "::1" */
    const char *who;                /* name of the token; "" : none was needed */
    tcsi_role role;
    tcsi_trace trace;
    int64_t received_ns;            /* wall clock, when all of it had arrived */
    tcsi_arena *arena;              /* for the handler: released with the request */
} tcsi_request;

const char *tcsi_request_header(const tcsi_request *request, const char *name);
/* Of the path or the query; the default that the route states; NULL: neither.  Several of one name: the first. */
const char *tcsi_request_text(const tcsi_request *request, const char *name);
/* Of a parameter that the route declares as such; fallback where it is absent and has no default. */
double tcsi_request_number(const tcsi_request *request, const char *name, double fallback);
int64_t tcsi_request_integer(const tcsi_request *request, const char *name, int64_t fallback);
bool tcsi_request_flag(const tcsi_request *request, const char *name, bool fallback);

/* ---- response ---- */

/* How a stream speaks to whoever sends it; both may be called from any thread, also needlessly, until close. */
typedef struct tcsi_waker {
    void (*wake)(void *context);  /* there is more, after it had to wait */
    void (*drop)(void *context);  /* break the connection: its reader is too slow */
    void *context;
} tcsi_waker;

enum { TCSI_STREAM_WAIT = 0, TCSI_STREAM_END = -1, TCSI_STREAM_FAIL = -2 };

/* A response in pieces, whose length nobody knows yet. */
typedef struct tcsi_stream {
    void (*start)(void *context, tcsi_waker waker);              /* once, before the first read; NULL: never waits */
    ptrdiff_t (*read)(void *context, char *bytes, size_t size);  /* bytes written, > 0, or one of the above */
    void (*close)(void *context, bool complete);                 /* once; complete: everything was sent up to TCSI_STREAM_END */
    void *context;
} tcsi_stream;

/* How a response that is given later is given: see tcsi_response_defer. */
typedef struct tcsi_finisher {
    void (*finish)(void *context);
    void *context;
} tcsi_finisher;

enum { TCSI_RESPONSE_HEADERS_MAX = 12 };

typedef struct tcsi_response {
    int status;                 /* 200 unless changed */
    const char *content_type;   /* application/json unless changed; lives as long as the request */
    tcsi_buffer body;
    tcsi_stream stream;         /* read is set: instead of body */
    tcsi_pair headers[TCSI_RESPONSE_HEADERS_MAX]; /* live as long as the request */
    size_t header_count;
    tcsi_finisher finisher;     /* of the server; finish NULL: answers must be given at once */
    bool deferred;
} tcsi_response;

/* For a handler that waits for somebody else, such as a disk: it hands request, response and what is returned here to them and returns
 * TCS_OK, and its thread serves others.  They fill the response and call finish, once, from any thread and perhaps before the handler has
 * returned; request and response live until then and no longer.  A server does not end before all of these are finished.
 * Asserts that there is a finisher. */
tcsi_finisher tcsi_response_defer(tcsi_response *response);

/* Asserts that there is room; value must be free of line ends. */
void tcsi_response_header(tcsi_response *response, const char *name, const char *value);
/* Retry-After in whole seconds, rounded up, at least 1. */
void tcsi_response_retry_after(tcsi_response *response, const tcsi_request *request, int64_t wait_ns);
/* Replaces whatever was there by a problem document.  code is stable ("parameter-unknown"), its address is
 * urn:tocsin:problem:CODE; the detail is a sentence for people. */
void tcsi_response_problem(tcsi_response *response, const tcsi_request *request, int status, const char *code, const char *format, ...)
    TCS_PRINTF(5, 6);
/* The failure of a handler: E_INVALID and E_FORMAT 400, E_LIMIT 429, E_UNSUPPORTED 501, others 503. */
void tcsi_response_failure(tcsi_response *response, const tcsi_request *request, const tcs_error *err);
const char *tcsi_status_phrase(int status); /* "Not Found" */

#endif
