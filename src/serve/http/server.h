/* serve/http/server.h -- the HTTP server: libmicrohttpd behind one door (server.c), and nothing of it in this header.
 *
 *     connection ── header ──> target ── route ── caller ── limits ──> body, bounded ──> handler ──> response, whole or as a stream
 *                     │           400      404      401       403           413
 *                     └ its time is counted from the first moment; so is that of the body: who is slow is cut off
 *
 * Rules:
 *   - Who may not is refused before a byte of his body is kept.  Bodies are bounded one by one (route) and all together
 *     (body_memory_max).
 *   - Beyond the loopback interface nothing is bound without a certificate, its key and at least one token.
 *   - Without tokens, on loopback, every caller is `anonymous_role`; then only requests whose Host is a loopback name are answered, and
 *     no page of another origin may change anything (a browser on this machine is not its user's will).
 *   - thread_count threads accept, read, handle and write; a handler that waits stops the connections of its thread, unless it defers
 *     its response (tcsi_response_defer).
 *   - connection_max connections are open at once; more wait in the kernel's queue (backlog) and then are not accepted, until one ends.
 *   - reload changes tokens and certificates as one pointer: requests and handshakes begun keep what they began with.
 *   - drain answers 503 to what begins now, on connections old and new, and waits for what runs; it says whether all was finished.
 * Errors that the HTTP parser itself finds (a malformed request line, a header larger than header_size_max) are answered by the library,
 * in its words and not as a problem document.
 * Threads: create, reload, drain, destroy from one thread; the rest is inside. */
#ifndef TCS_SERVE_HTTP_SERVER_H
#define TCS_SERVE_HTTP_SERVER_H

#include "serve/http/route.h"
#include "serve/self/health.h"
#include "serve/self/metric.h"

struct tcsi_auth;

typedef struct tcsi_server_options {
    const char *address;            /* "127.0.0.1", "::1", "0.0.0.0"; NULL: 127.0.0.1 */
    uint16_t port;                  /* 0: any that is free */
    unsigned thread_count;          /* 0: 2 a processor, at least 4 */
    unsigned connection_max;        /* 0: 4096; lowered where the process may not open so many files, which is logged */
    unsigned connection_per_address_max; /* 0: no limit of its own */
    size_t header_size_max;         /* 0: 32 KiB; of request line and fields together */
    size_t body_memory_max;         /* 0: 512 MiB; of all bodies that are held at once */
    int64_t idle_timeout_ns;        /* 0: 60 s; between requests of a connection */
    int64_t header_timeout_ns;      /* 0: 10 s; from the opening of a connection, or the request line, to the end of the header */
    int64_t body_timeout_ns;        /* 0: 30 s; from then to the end of the body */
    int64_t response_timeout_ns;    /* 0: 60 s; from then to the last byte of a whole response.  Streams have none */
    const char *certificate_path;   /* PEM, with its chain; NULL: no TLS */
    const char *key_path;           /* PEM */
    struct tcsi_auth *auth;         /* NULL: nobody is asked for a token */
    double caller_rate, caller_burst; /* 0: 2,000 requests a second of one token, 4,000 at once */
    tcsi_role anonymous_role;       /* what may be done without one, where auth is NULL */
    tcsi_metrics *metrics;          /* NULL: none are kept */
    void (*tick)(void *context, int64_t now_ns); /* some five times a second, monotonic clock; NULL: nobody */
    void *tick_context;
    /* After each response, from its thread; NULL: nobody listens.  For the audit of changes. */
    void (*observe)(void *context, const tcsi_request *request, int status, int64_t duration_ns);
    void *observe_context;
} tcsi_server_options;

typedef struct tcsi_server tcsi_server;

/* Whether this build has one. */
bool tcsi_server_is_available(void);
/* router, auth and metrics must outlive the server.  E_INVALID: not without TLS and tokens; E_IO: address in use, file not readable;
 * E_UNSUPPORTED: built without an HTTP server. */
tcs_status tcsi_server_start(const tcsi_server_options *options, const tcsi_router *router, tcsi_server **ret_server,
                             tcs_error *err) TCS_WARN_UNUSED;
uint16_t tcsi_server_port(const tcsi_server *server);
/* Reads certificate and key again.  A failure leaves what was.  (Tokens: tcsi_auth_reload.) */
tcs_status tcsi_server_reload(tcsi_server *server, tcs_error *err) TCS_WARN_UNUSED;
/* Begins no request any more (503, with a time to come again, until destroy) and waits until none runs, at most timeout_ns; streams are
 * ended.  false: some were cut off. */
bool tcsi_server_drain(tcsi_server *server, int64_t timeout_ns);
void tcsi_server_destroy(tcsi_server *server); /* accepts NULL; cuts off what still runs */

#endif
