/* bench/http_bench.c -- what a request costs: decided without a socket, and served over loopback.
 *
 *   in process    exchange begin, run, end of GET /api/v1/version: without tokens, and with one that is known
 *   over loopback a server with four threads, connections kept alive, each sending one request after the other
 * Every answer is checked. The variants take turns within one run, and the median of their processor times is reported: what they have in
 * common is the same machine at the same moment.  Wall-clock figures depend on what else runs.
 *
 * usage: http_bench [http.json]       A table, and the same as JSON. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "serve/http/builtin.h"
#include "serve/http/exchange.h"
#include "serve/http/server.h"

#include "figure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9, IN_PROCESS = 20000, CONNECTIONS = 8, OVER_LOOPBACK = 2000 };

typedef struct setup {
    tcsi_router *router;
    tcsi_metrics *metrics;
    tcsi_auth *auth;
    tcsi_service *service;
    tcsi_server *server;
    tcsi_builtin builtin;
    char authorization[TCSI_TOKEN_TEXT_SIZE + 16];
} setup;

static void must(tcs_status status, const tcs_error *err)
{
    if (status == TCS_OK) return;
    fprintf(stderr, "http_bench: %s\n", err->text);
    exit(1);
}

static setup *begin(bool tokens)
{
    tcs_error err = { 0 };
    char text[TCSI_TOKEN_TEXT_SIZE + 1];
    tcsi_token token;
    setup *s = calloc(1, sizeof *s);
    must(tcsi_router_create(&s->router, &err), &err);
    must(tcsi_metrics_create(0, &s->metrics, &err), &err);
    if (tokens) {
        must(tcsi_token_create("bench", TCSI_ROLE_VIEWER, 0, &token, text, &err), &err);
        must(tcsi_auth_create(&s->auth, &err), &err);
        must(tcsi_auth_set(s->auth, &token, 1, &err), &err);
        snprintf(s->authorization, sizeof s->authorization, "Bearer %s", text);
    }
    s->builtin = (tcsi_builtin){ .router = s->router, .metrics = s->metrics, .secured = tokens };
    must(tcsi_builtin_mount(s->router, &s->builtin, &err), &err);
    tcsi_service_options service = { .router = s->router, .auth = s->auth, .anonymous_role = TCSI_ROLE_VIEWER, .metrics = s->metrics,
                                     .caller_rate = 1e9, .caller_burst = 1e9 };
    must(tcsi_service_create(&service, &s->service, &err), &err);
    if (!tcsi_server_is_available()) return s;
    tcsi_server_options server = { .auth = s->auth, .anonymous_role = TCSI_ROLE_VIEWER, .metrics = s->metrics, .thread_count = 4,
                                   .caller_rate = 1e9, .caller_burst = 1e9 };
    must(tcsi_server_start(&server, s->router, &s->server, &err), &err);
    return s;
}

static void end(setup *s)
{
    tcsi_server_destroy(s->server);
    tcsi_service_destroy(s->service);
    tcsi_router_destroy(s->router);
    tcsi_auth_destroy(s->auth);
    tcsi_metrics_destroy(s->metrics);
    free(s);
}

/* ---- in process ---- */

static const char *find_header(void *context, const char *name)
{
    const setup *s = context;
    if (strcmp(name, "Authorization") == 0 && s->auth) return s->authorization;
    return strcmp(name, "Host") == 0 ? "localhost" : NULL;
}

static size_t count_headers(void *context, const char *name)
{
    return find_header(context, name) != NULL;
}

static double thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Microseconds of one request. */
static double in_process(setup *s, size_t *wrong)
{
    static tcsi_exchange exchange;
    tcsi_head head = { "GET", "/api/v1/version", "127.0.0.1", 0, find_header, count_headers, s };
    double begun = thread_seconds();
    for (int i = 0; i < IN_PROCESS; i++) {
        if (tcsi_exchange_begin(s->service, &exchange, &head)) tcsi_exchange_run(&exchange, NULL, 0);
        *wrong += exchange.response.status != 200;
        tcsi_exchange_end(&exchange, true);
    }
    return (thread_seconds() - begun) / IN_PROCESS * 1e6;
}

/* ---- over loopback ---- */

typedef struct client {
    const setup *s;
    pthread_t thread;
    size_t wrong;
    double cpu_seconds;
} client;

static bool receive_answer(int sock)
{
    char bytes[4096];
    size_t used = 0;
    while (used < sizeof bytes - 1) {
        ssize_t got = recv(sock, bytes + used, sizeof bytes - 1 - used, 0);
        if (got <= 0) return false;
        used += (size_t)got;
        bytes[used] = 0;
        if (strstr(bytes, "\"api\":\"v1\"}")) return strncmp(bytes, "HTTP/1.1 200", 12) == 0;
        if (strstr(bytes, "\"trace_id\"")) return false;
    }
    return false;
}

static void *run_client(void *context)
{
    client *c = context;
    char request[256];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(tcsi_server_port(c->s->server)) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    int size = snprintf(request, sizeof request, "GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
                        c->s->auth ? "Authorization: " : "", c->s->authorization, c->s->auth ? "\r\n" : "");
    if (connect(sock, (struct sockaddr *)&address, sizeof address) != 0) exit(1);
    for (int i = 0; i < OVER_LOOPBACK; i++)
        c->wrong += send(sock, request, (size_t)size, 0) != size || !receive_answer(sock);
    close(sock);
    c->cpu_seconds = thread_seconds();
    return NULL;
}

static double process_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

typedef struct served {
    double server_us;     /* processor time of the server's threads, a request */
    double rate;          /* requests a second of the wall clock */
} served;

static served over_loopback(setup *s, size_t *wrong)
{
    client clients[CONNECTIONS] = { 0 };
    double begun = process_seconds(), clients_cpu = 0;
    int64_t wall = tcsi_clock_monotonic_ns();
    for (int c = 0; c < CONNECTIONS; c++) {
        clients[c].s = s;
        pthread_create(&clients[c].thread, NULL, run_client, &clients[c]);
    }
    for (int c = 0; c < CONNECTIONS; c++) {
        pthread_join(clients[c].thread, NULL);
        clients_cpu += clients[c].cpu_seconds;
        *wrong += clients[c].wrong;
    }
    const double count = CONNECTIONS * (double)OVER_LOOPBACK, seconds = (double)(tcsi_clock_monotonic_ns() - wall) * 1e-9;
    return (served){ (process_seconds() - begun - clients_cpu) / count * 1e6, count / seconds };
}

/* ---- figures ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, ascending);
    return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    enum { VARIANTS = 2 };
    double inside[VARIANTS][ROUNDS], outside[VARIANTS][ROUNDS], rate[VARIANTS][ROUNDS];
    size_t wrong = 0;
    setup *s[VARIANTS] = { begin(false), begin(true) };
    for (int r = 0; r < ROUNDS; r++)
        for (int v = 0; v < VARIANTS; v++) {
            inside[v][r] = in_process(s[v], &wrong);
            served found = s[v]->server ? over_loopback(s[v], &wrong) : (served){ 0 };
            outside[v][r] = found.server_us;
            rate[v][r] = found.rate;
        }
    printf("%-34s %12s\n", "", "us a request");
    figure figures[5];
    size_t count = 0;
    double plain = median(inside[0]), known = median(inside[1]);
    figures[count++] = figure_of_cost("in process, no token", "us a request", plain, 0, NULL, 0);
    figures[count++] = figure_of_cost("in process, a known token", "us a request", known, plain, "no token", 0);
    if (s[0]->server) {
        double plain_served = median(outside[0]), known_served = median(outside[1]);
        figures[count++] = figure_of_cost("over loopback, no token", "us a request", plain_served, 0, NULL, 0);
        figures[count++] = figure_of_cost("over loopback, a known token", "us a request", known_served, plain_served, "no token", 0);
    }
    for (size_t i = 0; i < count; i++) printf("%-34s %12.2f\n", figures[i].name, figures[i].ours);
    if (s[0]->server)
        printf("%.0f requests/s without a token, %.0f with one, over %d connections; clients and server share the processors\n",
               median(rate[0]), median(rate[1]), CONNECTIONS);
    printf("wrong answers: %zu\n", wrong);
    if (argc > 1) {
        tcsi_buffer out;
        tcsi_json_writer writer;
        tcs_error err = { 0 };
        tcsi_buffer_init(&out, 1 << 20);
        tcsi_json_writer_init(&writer, &out, true);
        tcsi_json_begin_array(&writer);
        for (size_t i = 0; i < count; i++) figure_write(&writer, &figures[i]);
        tcsi_json_end_array(&writer);
        must(tcsi_json_finish(&writer, &err), &err);
        must(tcsi_file_write(argv[1], out.data, out.size, &err), &err);
        tcsi_buffer_deinit(&out);
    }
    for (int v = 0; v < VARIANTS; v++) end(s[v]);
    return wrong ? 1 : 0;
}
