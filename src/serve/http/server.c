/* serve/http/server.c -- libmicrohttpd: sockets, threads, TLS and time.  What is answered is decided in exchange.c.
 *
 * The library's threads call us, always for one connection at a time: a connection opened (opened), a request line (line_arrived), a
 * header, pieces of a body, its end (serve), the response gone or broken (completed), the connection closed (closed).
 *
 * Time.  The library knows a limit for silence only, under which one byte every now and then keeps a connection for ever.  So each
 * connection knows what it is doing and since when, and one thread of ours looks at all of them five times a second and shuts the
 * sockets of those that take too long; the library then sees an end of file.  A connection is in the list exactly from opened to closed,
 * between which its descriptor is open, and both take the list's lock: a descriptor that was given to somebody else meanwhile cannot be
 * hit.
 *
 * Streams.  A stream that has nothing to send is suspended, and resumed by whoever has something (tcsi_waker).  It may be woken between
 * saying that it waits and being suspended: `woken` remembers that, so that no wake is lost.  A response that is given later is the same
 * with other words: `waiting`, `finished`.  Order of locks: list, then connection.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/http/server.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/text.h"
#include "serve/http/exchange.h"
#include "serve/http/field.h"
#include "serve/http/tls.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_DEFAULT = 4096, HEADER_SIZE_DEFAULT = 32 << 10, BODY_FIRST = 64 << 10, STREAM_BLOCK = 16 << 10, BACKLOG = 4096,
    FILES_RESERVED = 128, TICK_MS = 200, SILENCE_S = 120,
};

typedef enum phase { PHASE_IDLE, PHASE_HEADER, PHASE_BODY, PHASE_RESPONSE, PHASE_STREAM, PHASE_COUNT } phase;

enum { METRIC_OPEN, METRIC_OPENED, METRIC_CUT, METRIC_BODY_MEMORY, METRIC_BROKEN, METRIC_CERTIFICATE };

static const tcsi_metric_row metric_rows[] = {
    [METRIC_OPEN] = { .name = "tocsin_http_connections", .kind = TCSI_METRIC_LEVEL, .help = "Connections that are open." },
    [METRIC_OPENED] = { .name = "tocsin_http_connections_total", .kind = TCSI_METRIC_COUNTER, .help = "Connections that were opened." },
    [METRIC_CUT] = { .name = "tocsin_http_cut_off_total", .kind = TCSI_METRIC_COUNTER, .labels = { "while" },
                     .help = "Connections that were closed because their client took too long." },
    [METRIC_BODY_MEMORY] = { .name = "tocsin_http_body_memory_bytes", .kind = TCSI_METRIC_LEVEL, .unit = "bytes",
                             .help = "Memory of request bodies that are held now." },
    [METRIC_BROKEN] = { .name = "tocsin_http_responses_broken_total", .kind = TCSI_METRIC_COUNTER,
                        .help = "Responses that could not be sent whole: the client left, was too slow, or the service stopped." },
    [METRIC_CERTIFICATE] = { .name = "tocsin_http_certificate_expiry_timestamp_seconds", .kind = TCSI_METRIC_GAUGE, .unit = "seconds",
                             .help = "When the server's certificate ends, since 1970." },
};

typedef struct connection connection;
struct connection {
    tcsi_server *server;
    connection *next, *previous;
    struct MHD_Connection *vendor;
    int socket;
    char peer[INET6_ADDRSTRLEN];
    char *target;               /* of the request that is being read */
    size_t target_capacity;
    _Atomic int phase;
    _Atomic int64_t since_ns;
    bool cut;                   /* its socket was shut; under the list's lock */
    pthread_mutex_t lock;       /* of what is below */
    bool suspended, woken;      /* a stream */
    bool waiting, finished;     /* a response that is given later */
};

/* A request while it is handled. */
typedef struct work {
    connection *owner;
    tcsi_exchange exchange;
    int64_t body_size_said;     /* Content-Length, -1 */
    char *body;
    size_t body_size, body_capacity;
    size_t body_dropped;        /* bytes that came after it had become too large */
    bool wants_body, refused_body, ran, answered, stream_ended, is_running;
} work;

struct tcsi_server {
    tcsi_service *service;
    tcsi_server_options options;
    struct MHD_Daemon *daemon;
    tcsi_tls *tls;
    int listener;               /* -1: there is none, or the library's, which closes it */
    uint16_t port;
    int64_t limits_ns[PHASE_COUNT]; /* 0: none */
    pthread_mutex_t lock;       /* of the list */
    connection *connections;
    pthread_t watcher;
    bool has_watcher;
    _Atomic bool stopping;      /* streams end */
    _Atomic bool watcher_stop;
    _Atomic size_t running;     /* requests between their header and their end, without those refused because it drains */
    _Atomic size_t deferred;    /* of them, those that wait for somebody else */
    _Atomic size_t body_memory;
    tcsi_metric open, opened, body_memory_metric, broken, cut[PHASE_COUNT];
};

bool tcsi_server_is_available(void)
{
    return true;
}

/* ---- connections ---- */

static void set_phase(connection *c, phase p)
{
    atomic_store_explicit(&c->since_ns, tcsi_clock_monotonic_ns(), memory_order_relaxed);
    atomic_store_explicit(&c->phase, p, memory_order_release);
}

static connection *connection_of(struct MHD_Connection *vendor)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(vendor, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void name_peer(connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->vendor, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    snprintf(c->peer, sizeof c->peer, "?");
    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, c->peer, sizeof c->peer);
    if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, c->peer, sizeof c->peer);
    if (strncmp(c->peer, "::ffff:", 7) == 0 && strchr(c->peer, '.')) memmove(c->peer, c->peer + 7, strlen(c->peer + 7) + 1);
}

static connection *open_connection(tcsi_server *server, struct MHD_Connection *vendor)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(vendor, MHD_CONNECTION_INFO_CONNECTION_FD);
    connection *c = TCSI_NEW(connection);
    if (!c || !info) {
        tcsi_free(c);
        return NULL;
    }
    c->server = server;
    c->vendor = vendor;
    c->socket = info->connect_fd;
    pthread_mutex_init(&c->lock, NULL);
    name_peer(c);
    set_phase(c, PHASE_HEADER); /* whoever opens a connection has something to say */
    pthread_mutex_lock(&server->lock);
    c->next = server->connections;
    if (c->next) c->next->previous = c;
    server->connections = c;
    pthread_mutex_unlock(&server->lock);
    tcsi_metric_move(server->open, 1);
    tcsi_metric_add(server->opened, 1);
    return c;
}

static void close_connection(connection *c)
{
    tcsi_server *server = c->server;
    pthread_mutex_lock(&server->lock);
    if (c->previous) c->previous->next = c->next;
    else server->connections = c->next;
    if (c->next) c->next->previous = c->previous;
    pthread_mutex_unlock(&server->lock);
    tcsi_metric_move(server->open, -1);
    pthread_mutex_lock(&c->lock); /* whoever woke it last may still be leaving */
    pthread_mutex_unlock(&c->lock);
    pthread_mutex_destroy(&c->lock);
    tcsi_free(c->target);
    tcsi_free(c);
}

static void opened_or_closed(void *context, struct MHD_Connection *vendor, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = open_connection(context, vendor);
    } else if (*socket_context) {
        close_connection(*socket_context);
        *socket_context = NULL;
    }
}

/* The request line as it was sent, before the library decodes anything.  It is kept with the connection: the library forgets what is
 * returned here when the rest of the header never comes. */
static void *line_arrived(void *context, const char *uri, struct MHD_Connection *vendor)
{
    connection *c = connection_of(vendor);
    size_t size = strlen(uri) + 1;
    (void)context;
    if (!c) return NULL;
    set_phase(c, PHASE_HEADER);
    if (size > c->target_capacity) {
        char *grown = tcsi_realloc_array(c->target, size, 1);
        if (!grown) {
            tcsi_free(c->target); /* serve finds none and ends the connection */
            c->target = NULL;
            c->target_capacity = 0;
            return NULL;
        }
        c->target = grown;
        c->target_capacity = size;
    }
    memcpy(c->target, uri, size);
    return NULL;
}

/* The library decodes nothing for us: target.c does. */
static size_t leave_escaped(void *context, struct MHD_Connection *vendor, char *text)
{
    (void)context, (void)vendor;
    return strlen(text);
}

/* ---- header fields ---- */

static const char *find_header(void *context, const char *name)
{
    return MHD_lookup_connection_value(context, MHD_HEADER_KIND, name);
}

typedef struct counting {
    const char *name;
    size_t count;
} counting;

static enum MHD_Result count_one(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    counting *c = context;
    (void)kind, (void)value;
    c->count += tcsi_text_equal_nocase(name, c->name);
    return MHD_YES;
}

static size_t count_headers(void *context, const char *name)
{
    counting c = { name, 0 };
    MHD_get_connection_values(context, MHD_HEADER_KIND, count_one, &c);
    return c.count;
}

/* ---- bodies ---- */

static void release_body(work *w)
{
    if (!w->body) return;
    atomic_fetch_sub(&w->owner->server->body_memory, w->body_capacity);
    tcsi_metric_move(w->owner->server->body_memory_metric, -(int64_t)w->body_capacity);
    tcsi_free(w->body);
    w->body = NULL;
    w->body_size = w->body_capacity = 0;
}

/* Room for size more bytes: twice as much each time, so that what a header merely promises is not set aside. */
static bool reserve_body(work *w, size_t size)
{
    tcsi_server *server = w->owner->server;
    size_t need = w->body_size + size, capacity = w->body_capacity ? w->body_capacity : BODY_FIRST;
    if (need <= w->body_capacity) return true;
    while (capacity < need) capacity *= 2;
    size_t said = w->body_size_said > 0 ? (size_t)w->body_size_said : 0;
    if (said >= need && said < capacity) capacity = said;
    size_t more = capacity - w->body_capacity;
    if (atomic_fetch_add(&server->body_memory, more) + more > server->options.body_memory_max) {
        atomic_fetch_sub(&server->body_memory, more);
        return false;
    }
    char *grown = tcsi_realloc_array(w->body, capacity, 1);
    if (!grown) {
        atomic_fetch_sub(&server->body_memory, more);
        return false;
    }
    tcsi_metric_move(server->body_memory_metric, (int64_t)more);
    w->body = grown;
    w->body_capacity = capacity;
    return true;
}

/* false: the connection must end. */
static bool take_body(work *w, const char *bytes, size_t size)
{
    if (!w->refused_body && size > w->exchange.body_max - w->body_size) {
        tcsi_exchange_refuse_body(&w->exchange, 413);
        w->refused_body = true;
    }
    if (!w->refused_body && !reserve_body(w, size)) {
        tcsi_exchange_refuse_body(&w->exchange, 503);
        w->refused_body = true;
    }
    if (w->refused_body) { /* an answer must wait for the end of the body; who goes on and on does not get one */
        release_body(w);
        w->body_dropped += size;
        return w->body_dropped <= w->exchange.body_max;
    }
    memcpy(w->body + w->body_size, bytes, size);
    w->body_size += size;
    return true;
}

/* ---- streams ---- */

static void wake_stream(void *context)
{
    connection *c = context;
    pthread_mutex_lock(&c->lock);
    if (c->suspended) {
        c->suspended = false;
        MHD_resume_connection(c->vendor);
    } else {
        c->woken = true;
    }
    pthread_mutex_unlock(&c->lock);
}

/* The socket only: the library finds it ended, also while it waits for room to write. */
static void drop_stream(void *context)
{
    connection *c = context;
    shutdown(c->socket, SHUT_RDWR);
    wake_stream(context);
}

static bool suspend_stream(connection *c)
{
    bool suspended = false;
    pthread_mutex_lock(&c->lock);
    if (!c->woken && !atomic_load(&c->server->stopping)) {
        c->suspended = suspended = true;
        MHD_suspend_connection(c->vendor);
    }
    c->woken = false;
    pthread_mutex_unlock(&c->lock);
    return suspended;
}

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t size)
{
    work *w = context;
    const tcsi_stream *stream = &w->exchange.response.stream;
    (void)position;
    for (;;) {
        if (atomic_load(&w->owner->server->stopping)) {
            w->stream_ended = true;
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        ptrdiff_t got = stream->read(stream->context, bytes, size);
        TCS_ASSERT(got <= (ptrdiff_t)size);
        if (got > 0) return got;
        if (got == TCSI_STREAM_END) {
            w->stream_ended = true;
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        if (got == TCSI_STREAM_FAIL) return MHD_CONTENT_READER_END_WITH_ERROR;
        if (suspend_stream(w->owner)) return 0;
    }
}

/* ---- responses that are given later ---- */

/* From any thread; afterwards the request may be gone. */
static void finish_later(void *context)
{
    connection *c = context;
    tcsi_server *server = c->server;
    pthread_mutex_lock(&c->lock);
    c->finished = true;
    if (c->waiting) MHD_resume_connection(c->vendor);
    c->waiting = false;
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_sub(&server->deferred, 1);
}

/* Whether the response has been given meanwhile; otherwise the connection waits for it. */
static bool is_finished(connection *c)
{
    pthread_mutex_lock(&c->lock);
    if (!c->finished && !c->waiting) {
        c->waiting = true;
        MHD_suspend_connection(c->vendor);
    }
    bool finished = c->finished;
    pthread_mutex_unlock(&c->lock);
    return finished;
}

/* Counted before the handler runs: it may be finished before it has returned. */
static void run(work *w)
{
    connection *c = w->owner;
    set_phase(c, PHASE_RESPONSE);
    c->finished = false;
    w->exchange.response.finisher = (tcsi_finisher){ finish_later, c };
    atomic_fetch_add(&c->server->deferred, 1);
    tcsi_exchange_run(&w->exchange, w->body, w->body_size);
    if (!w->exchange.response.deferred) atomic_fetch_sub(&c->server->deferred, 1);
}

/* ---- requests ---- */

static struct MHD_Response *make_response(work *w)
{
    tcsi_response *response = &w->exchange.response;
    if (!response->stream.read)
        return MHD_create_response_from_buffer(response->body.size, response->body.size ? response->body.data : "", MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, w, NULL);
}

static bool has_header(const tcsi_response *response, const char *name)
{
    size_t at = 0;
    while (at < response->header_count && !tcsi_text_equal_nocase(response->headers[at].name, name)) at++;
    return at < response->header_count;
}

static enum MHD_Result send_response(work *w)
{
    tcsi_response *response = &w->exchange.response;
    struct MHD_Response *vendor = make_response(w);
    if (!vendor) return MHD_NO;
    bool has_body = response->stream.read || response->body.size;
    if (has_body) MHD_add_response_header(vendor, "Content-Type", response->content_type);
    MHD_add_response_header(vendor, "X-Content-Type-Options", "nosniff");
    if (!has_header(response, "Cache-Control")) MHD_add_response_header(vendor, "Cache-Control", "no-store");
    for (size_t h = 0; h < response->header_count; h++)
        MHD_add_response_header(vendor, response->headers[h].name, response->headers[h].value);
    if (w->exchange.close) MHD_add_response_header(vendor, "Connection", "close");
    w->answered = true;
    set_phase(w->owner, response->stream.read ? PHASE_STREAM : PHASE_RESPONSE);
    if (response->stream.read && response->stream.start)
        response->stream.start(response->stream.context, (tcsi_waker){ wake_stream, drop_stream, w->owner });
    enum MHD_Result queued = MHD_queue_response(w->owner->vendor, (unsigned)response->status, vendor);
    MHD_destroy_response(vendor);
    return queued;
}

static int64_t body_size_of(struct MHD_Connection *vendor)
{
    uint64_t size = 0;
    const char *text = find_header(vendor, "Content-Length");
    if (find_header(vendor, "Transfer-Encoding")) return -1;
    if (!text) return 0;
    return tcsi_field_number(text, &size) && size < INT64_MAX ? (int64_t)size : INT64_MAX;
}

static enum MHD_Result begin(connection *c, const char *method, void **ret_work)
{
    if (!c || !c->target) return MHD_NO;
    work *w = TCSI_NEW_ARRAY(work, 1);
    if (!w) return MHD_NO;
    memset(w, 0, offsetof(work, exchange)); /* begin clears what it needs of the exchange */
    memset((char *)w + offsetof(work, body_size_said), 0, sizeof *w - offsetof(work, body_size_said));
    w->owner = c;
    w->body_size_said = body_size_of(c->vendor);
    *ret_work = w;
    atomic_fetch_add(&c->server->running, 1); /* before it is looked whether it drains: whoever waits for none sees this one */
    tcsi_head head = { method, c->target, c->peer, w->body_size_said, find_header, count_headers, c->vendor };
    w->wants_body = tcsi_exchange_begin(c->server->service, &w->exchange, &head);
    w->is_running = w->wants_body || !tcsi_service_is_draining(c->server->service);
    if (!w->is_running) atomic_fetch_sub(&c->server->running, 1);
    set_phase(c, PHASE_BODY);
    /* A refusal need not wait for a body, and must not invite it; without one the library wants to be asked once more. */
    return !w->wants_body && w->body_size_said != 0 ? send_response(w) : MHD_YES;
}

static enum MHD_Result serve(void *context, struct MHD_Connection *vendor, const char *url, const char *method, const char *version,
                             const char *bytes, size_t *size, void **con_cls)
{
    work *w = *con_cls;
    (void)context, (void)url, (void)version;
    if (!w) return begin(connection_of(vendor), method, con_cls);
    if (*size) {
        bool goes_on = !w->wants_body || take_body(w, bytes, *size);
        *size = 0;
        return goes_on ? MHD_YES : MHD_NO;
    }
    if (w->answered) return MHD_YES;
    if (w->wants_body && !w->refused_body && !w->ran) run(w);
    w->ran = true;
    return w->exchange.response.deferred && !is_finished(w->owner) ? MHD_YES : send_response(w);
}

static void completed(void *context, struct MHD_Connection *vendor, void **con_cls, enum MHD_RequestTerminationCode code)
{
    tcsi_server *server = context;
    work *w = *con_cls;
    (void)vendor;
    if (!w) return;
    *con_cls = NULL;
    const tcsi_stream *stream = &w->exchange.response.stream;
    bool complete = w->answered && code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (stream->read && stream->close) stream->close(stream->context, complete && w->stream_ended);
    if (!complete) tcsi_metric_add(server->broken, 1);
    tcsi_exchange_end(&w->exchange, complete);
    release_body(w);
    set_phase(w->owner, PHASE_IDLE);
    if (w->is_running) atomic_fetch_sub(&server->running, 1);
    tcsi_free(w);
}

static void library_says(void *context, const char *format, va_list arguments)
{
    char text[512];
    (void)context;
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\r\n")] = 0;
    tcsi_log(TCSI_LOG_DEBUG, "HTTP-LIBRARY", "%s", text);
}

/* ---- time ---- */

static void cut_slow(tcsi_server *server, int64_t now_ns)
{
    pthread_mutex_lock(&server->lock);
    for (connection *c = server->connections; c; c = c->next) {
        int p = atomic_load_explicit(&c->phase, memory_order_acquire);
        int64_t since_ns = atomic_load_explicit(&c->since_ns, memory_order_relaxed);
        if (c->cut || server->limits_ns[p] == 0 || now_ns - since_ns <= server->limits_ns[p]) continue;
        c->cut = true;
        shutdown(c->socket, SHUT_RDWR);
        tcsi_metric_add(server->cut[p], 1);
    }
    pthread_mutex_unlock(&server->lock);
}

static void *watch(void *context)
{
    tcsi_server *server = context;
    while (!atomic_load(&server->watcher_stop)) {
        nanosleep(&(struct timespec){ .tv_nsec = TICK_MS * 1000000L }, NULL);
        int64_t now_ns = tcsi_clock_monotonic_ns();
        cut_slow(server, now_ns);
        if (server->options.tick) server->options.tick(server->options.tick_context, now_ns);
    }
    return NULL;
}

/* ---- start ---- */

/* Loopback addresses, and nothing that could be reached from elsewhere. */
static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static tcs_status parse_address(const tcsi_server_options *options, struct sockaddr_storage *ret_address, socklen_t *ret_size,
                                tcs_error *err)
{
    struct sockaddr_storage address = { 0 };
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)&address;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)&address;
    const char *text = options->address ? options->address : "127.0.0.1";
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(options->port);
        *ret_size = sizeof *four;
    } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(options->port);
        *ret_size = sizeof *six;
    } else {
        return tcsi_fail(err, TCS_E_INVALID, "'%s' is no address to listen on, expected one such as 127.0.0.1, ::1 or 0.0.0.0", text);
    }
    *ret_address = address;
    return TCS_OK;
}

/* Beyond loopback: everything or nothing. */
static tcs_status check_open(const tcsi_server_options *options, const struct sockaddr_storage *address, tcs_error *err)
{
    if (!options->certificate_path != !options->key_path)
        return tcsi_fail(err, TCS_E_INVALID, "a certificate and its key go together; only the %s is named",
                         options->key_path ? "key" : "certificate");
    if (is_loopback(address)) return TCS_OK;
    if (!options->certificate_path)
        return tcsi_fail(err, TCS_E_INVALID, "%s is beyond this host: a certificate and its key are expected first", options->address);
    if (!options->auth || tcsi_auth_count(options->auth) == 0)
        return tcsi_fail(err, TCS_E_INVALID, "%s is beyond this host: at least one token is expected first", options->address);
    return TCS_OK;
}

static tcs_status listen_on(tcsi_server *server, const struct sockaddr_storage *address, socklen_t size, tcs_error *err)
{
    struct sockaddr_storage bound;
    socklen_t bound_size = sizeof bound;
    const int yes = 1;
    server->listener = socket(address->ss_family, SOCK_STREAM, 0);
    if (server->listener >= 0) setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (server->listener < 0 || bind(server->listener, (const struct sockaddr *)address, size) != 0 ||
        listen(server->listener, BACKLOG) != 0 || getsockname(server->listener, (struct sockaddr *)&bound, &bound_size) != 0)
        return tcsi_fail(err, TCS_E_IO, "%s port %u: cannot listen: %s", server->options.address, (unsigned)server->options.port,
                         strerror(errno));
    server->port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&bound)->sin_port
                                                    : ((struct sockaddr_in6 *)(void *)&bound)->sin6_port);
    return TCS_OK;
}

static void fill_defaults(tcsi_server_options *o)
{
    const int64_t second = 1000000000;
    if (!o->address) o->address = "127.0.0.1";
    if (o->thread_count == 0) o->thread_count = 2 * (unsigned)tcsi_processor_count();
    if (o->thread_count < 4) o->thread_count = 4;
    if (o->connection_max == 0) o->connection_max = CONNECTIONS_DEFAULT;
    if (o->header_size_max == 0) o->header_size_max = HEADER_SIZE_DEFAULT;
    if (o->body_memory_max == 0) o->body_memory_max = (size_t)512 << 20;
    if (o->idle_timeout_ns == 0) o->idle_timeout_ns = 60 * second;
    if (o->header_timeout_ns == 0) o->header_timeout_ns = 10 * second;
    if (o->body_timeout_ns == 0) o->body_timeout_ns = 30 * second;
    if (o->response_timeout_ns == 0) o->response_timeout_ns = 60 * second;
}

/* As many files as connections may need; fewer connections where the system says no. */
static void fit_to_files(tcsi_server_options *o)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    rlim_t wanted = (rlim_t)o->connection_max + FILES_RESERVED;
    if (files.rlim_cur < wanted && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        (void)getrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur >= wanted) return;
    unsigned possible = files.rlim_cur > 2 * FILES_RESERVED ? (unsigned)files.rlim_cur - FILES_RESERVED : FILES_RESERVED;
    tcsi_log(TCSI_LOG_WARNING, "HTTP-FILES", "%u connections instead of %u: this process may open %llu files", possible, o->connection_max,
             (unsigned long long)files.rlim_cur);
    o->connection_max = possible;
}

static double certificate_expiry(void *context)
{
    return (double)tcsi_tls_expires_s(context);
}

static tcs_status add_metrics(tcsi_server *server, tcs_error *err)
{
    static const char *const phases[PHASE_COUNT] = { "idle", "header", "body", "response", "stream" };
    tcsi_metrics *metrics = server->options.metrics;
    size_t first = 0;
    if (!metrics) return TCS_OK;
    tcs_status status = tcsi_metrics_add(metrics, metric_rows, TCS_COUNT(metric_rows), &first, err);
    if (status != TCS_OK) return status;
    server->open = tcsi_metrics_get(metrics, first + METRIC_OPEN, NULL);
    server->opened = tcsi_metrics_get(metrics, first + METRIC_OPENED, NULL);
    server->body_memory_metric = tcsi_metrics_get(metrics, first + METRIC_BODY_MEMORY, NULL);
    server->broken = tcsi_metrics_get(metrics, first + METRIC_BROKEN, NULL);
    for (int p = 0; p < PHASE_STREAM; p++) server->cut[p] = tcsi_metrics_get(metrics, first + METRIC_CUT, &phases[p]);
    if (server->tls) tcsi_metric_bind(tcsi_metrics_get(metrics, first + METRIC_CERTIFICATE, NULL), certificate_expiry, server->tls);
    return TCS_OK;
}

static tcs_status start_daemon(tcsi_server *server, tcs_error *err)
{
    const tcsi_server_options *o = &server->options;
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tcsi_tls_callback() },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TCSI_TLS_PRIORITIES },
        { MHD_OPTION_END, 0, NULL },
    };
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (server->tls) flags |= MHD_USE_TLS;
    server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, serve, server, MHD_OPTION_EXTERNAL_LOGGER, library_says, NULL,
        MHD_OPTION_LISTEN_SOCKET, server->listener, MHD_OPTION_THREAD_POOL_SIZE, o->thread_count,
        MHD_OPTION_CONNECTION_LIMIT, o->connection_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connection_per_address_max,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->header_size_max,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, opened_or_closed, server,
        MHD_OPTION_URI_LOG_CALLBACK, line_arrived, server, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_ARRAY, server->tls ? tls : &tls[2], MHD_OPTION_END);
    if (server->daemon) {
        server->listener = -1;
        return TCS_OK;
    }
    return tcsi_fail(err, TCS_E_IO, "the HTTP server cannot start: %s", errno ? strerror(errno) : "libmicrohttpd says no");
}

tcs_status tcsi_server_start(const tcsi_server_options *options, const tcsi_router *router, tcsi_server **ret_server, tcs_error *err)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    tcs_status status = parse_address(options, &address, &size, err);
    if (status == TCS_OK) status = check_open(options, &address, err);
    if (status != TCS_OK) return status;
    tcsi_server *server = TCSI_NEW(tcsi_server);
    if (!server) return tcsi_fail_memory(err, "the HTTP server");
    server->options = *options;
    server->listener = -1;
    pthread_mutex_init(&server->lock, NULL);
    fill_defaults(&server->options);
    fit_to_files(&server->options);
    const tcsi_server_options *o = &server->options;
    server->limits_ns[PHASE_IDLE] = o->idle_timeout_ns;
    server->limits_ns[PHASE_HEADER] = o->header_timeout_ns;
    server->limits_ns[PHASE_BODY] = o->body_timeout_ns;
    server->limits_ns[PHASE_RESPONSE] = o->response_timeout_ns;
    tcsi_service_options service = {
        .router = router, .auth = o->auth, .anonymous_role = o->anonymous_role, .metrics = o->metrics, .caller_rate = o->caller_rate,
        .caller_burst = o->caller_burst, .observe = o->observe, .observe_context = o->observe_context,
    };
    status = tcsi_service_create(&service, &server->service, err);
    if (status == TCS_OK && o->certificate_path) status = tcsi_tls_create(o->certificate_path, o->key_path, &server->tls, err);
    if (status == TCS_OK) status = add_metrics(server, err);
    if (status == TCS_OK) status = listen_on(server, &address, size, err);
    if (status == TCS_OK) status = start_daemon(server, err);
    if (status == TCS_OK) {
        server->has_watcher = pthread_create(&server->watcher, NULL, watch, server) == 0;
        if (!server->has_watcher) status = tcsi_fail(err, TCS_E_IO, "the HTTP server cannot start a thread");
    }
    if (status == TCS_OK) *ret_server = server;
    else tcsi_server_destroy(server);
    return status;
}

uint16_t tcsi_server_port(const tcsi_server *server)
{
    return server->port;
}

tcs_status tcsi_server_reload(tcsi_server *server, tcs_error *err)
{
    return server->tls ? tcsi_tls_reload(server->tls, err) : TCS_OK;
}

/* ---- end ----
 *
 * Connections are accepted to the last: who comes while it drains is answered 503, and told when to come again.  (The library's way to stop
 * accepting before, MHD_quiesce_daemon, races with its own threads where connections are at their limit, and then ends the process.) */

static void end_streams(tcsi_server *server)
{
    atomic_store(&server->stopping, true);
    pthread_mutex_lock(&server->lock);
    for (connection *c = server->connections; c; c = c->next) wake_stream(c);
    pthread_mutex_unlock(&server->lock);
}

bool tcsi_server_drain(tcsi_server *server, int64_t timeout_ns)
{
    const int64_t until_ns = tcsi_clock_monotonic_ns() + timeout_ns;
    tcsi_service_set_draining(server->service);
    end_streams(server);
    while (atomic_load(&server->running) > 0 && tcsi_clock_monotonic_ns() < until_ns)
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    return atomic_load(&server->running) == 0;
}

void tcsi_server_destroy(tcsi_server *server)
{
    if (!server) return;
    tcsi_service *service = server->service;
    if (service) tcsi_service_set_draining(service);
    end_streams(server); /* the library does not stop with a connection suspended */
    while (atomic_load(&server->deferred) > 0) nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    atomic_store(&server->watcher_stop, true);
    if (server->has_watcher) pthread_join(server->watcher, NULL);
    if (server->daemon) MHD_stop_daemon(server->daemon);
    if (server->listener >= 0) close(server->listener);
    tcsi_tls_destroy(server->tls);
    tcsi_service_destroy(service);
    pthread_mutex_destroy(&server->lock);
    tcsi_free(server);
}
