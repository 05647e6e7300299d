/* bench/serve_bench.c -- how much `tocsin serve` takes in: remote-write over loopback, durable before it is acknowledged.
 *
 * usage: serve_bench OUTPUT.json [SERIES [SECONDS [HISTORY]]]      defaults 100000 series, 10 seconds, 10000
 * A service of its own is started in a new folder beside OUTPUT.json, on a real disk.  Bodies are encoded before the clock starts: 2,000
 * series of one sample, ten labels, Snappy; series are dealt out to four connections, each of which sends its next request when the
 * last one was answered.  First as fast as it goes, by a service that knows none of them, which then is killed and started again; then half
 * a million samples a second, from one connection after the other at even intervals, by one that has learned from what came before them.
 * Every sample must have been accepted, or the program fails; slow figures never do.
 * The sender shares the machine with the service: its share of the processor is told, too.  SPDX-License-Identifier: Apache-2.0 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/protobuf_write.h"
#include "base/snappy.h"
#include "figure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LEARN_STEPS = 100, LEARN_S = 120 };
enum { IN_A_BODY = 2000, CONNECTIONS = 4, PATH_SIZE = 512, REPLY_SIZE = 1 << 16 };

/* ---- bodies ---- */

typedef struct request {
    char *bytes; /* header and body */
    size_t size;
} request;

typedef struct load {
    request *requests; /* (step_count, body_count) */
    size_t step_count, body_count, series_count;
} load;

static void die(const char *what)
{
    fprintf(stderr, "serve_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void must(tcs_status status)
{
    if (status != TCS_OK) die("out of memory");
}

static void put_label(tcsi_protobuf_writer *writer, const char *name, const char *format, unsigned long number)
{
    char value[64];
    snprintf(value, sizeof value, format, number);
    tcsi_protobuf_begin(writer, 1);
    tcsi_protobuf_text(writer, 1, name);
    tcsi_protobuf_text(writer, 2, value);
    tcsi_protobuf_end(writer);
}

/* Ten labels, some 200 bytes, as a cluster's node exporters have them. */
static void put_labels(tcsi_protobuf_writer *writer, size_t series)
{
    static const char *const modes[] = { "idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user" };
    put_label(writer, "__name__", "node_cpu_seconds", 0);
    put_label(writer, "cluster", "eu-central-1-production", 0);
    put_label(writer, "container", "node-exporter", 0);
    put_label(writer, "cpu", "%lu", series / 8 % 32);
    put_label(writer, "instance", "10.0.%lu.17:9100", series / 256);
    put_label(writer, "job", "node-exporter", 0);
    put_label(writer, "mode", modes[series % 8], 0);
    put_label(writer, "namespace", "monitoring", 0);
    put_label(writer, "node", "worker-%05lu.eu-central-1", series / 256);
    put_label(writer, "pod", "node-exporter-%08lu", series / 256 * 7919);
}

static void put_sample(tcsi_protobuf_writer *writer, double value, int64_t time_ms)
{
    unsigned char bytes[9] = { 1 << 3 | 1 };
    memcpy(bytes + 1, &value, sizeof value);
    tcsi_protobuf_begin(writer, 2);
    must(tcsi_buffer_append(writer->out, bytes, sizeof bytes, NULL));
    tcsi_protobuf_integer(writer, 2, time_ms);
    tcsi_protobuf_end(writer);
}

static request make_request(size_t body, size_t step, size_t series_count, int64_t begin_ms, tcsi_buffer *plain)
{
    tcsi_protobuf_writer writer;
    char header[256];
    tcsi_buffer_clear(plain);
    tcsi_protobuf_writer_init(&writer, plain);
    for (size_t series = body * IN_A_BODY; series < (body + 1) * IN_A_BODY && series < series_count; series++) {
        tcsi_protobuf_begin(&writer, 1);
        put_labels(&writer, series);
        put_sample(&writer, (double)(series % 97) + sin((double)(step * 31 + series * 17)), begin_ms + 1000 * (int64_t)step);
        tcsi_protobuf_end(&writer);
    }
    must(tcsi_protobuf_finish(&writer, NULL));
    char *block = malloc(tcsi_snappy_size_max(plain->size));
    size_t size;
    if (!block) die("bodies");
    must(tcsi_snappy_encode(plain->data, plain->size, block, &size, NULL));
    const int header_size = snprintf(header, sizeof header, "POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                                     "application/x-protobuf\r\nContent-Encoding: snappy\r\nContent-Length: %zu\r\n\r\n", size);
    request made = { .bytes = malloc((size_t)header_size + size), .size = (size_t)header_size + size };
    if (!made.bytes) die("bodies");
    memcpy(made.bytes, header, (size_t)header_size);
    memcpy(made.bytes + header_size, block, size);
    free(block);
    return made;
}

/* Steps [first, first + step_count) of a course whose step 0 is at begin_ms. */
static void make_load(load *l, size_t series_count, size_t first, size_t step_count, int64_t begin_ms)
{
    tcsi_buffer plain;
    tcsi_buffer_init(&plain, 1 << 24);
    *l = (load){ .series_count = series_count, .step_count = step_count, .body_count = (series_count + IN_A_BODY - 1) / IN_A_BODY };
    l->requests = calloc(step_count * l->body_count, sizeof *l->requests);
    if (!l->requests) die("bodies");
    for (size_t step = 0; step < step_count; step++)
        for (size_t body = 0; body < l->body_count; body++)
            l->requests[step * l->body_count + body] = make_request(body, first + step, series_count, begin_ms, &plain);
    tcsi_buffer_deinit(&plain);
}

static void free_load(load *l)
{
    for (size_t i = 0; i < l->step_count * l->body_count; i++) free(l->requests[i].bytes);
    free(l->requests);
}

/* ---- the service ---- */

typedef struct service {
    pid_t process;
    int port;
    double start_s; /* until it answered */
} service;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static service start_service(const char *folder, const char *history, const char *deep)
{
    int ends[2];
    char line[256] = "";
    const double begin = now_s();
    if (pipe(ends) != 0) die("pipe");
    const pid_t process = fork();
    if (process == 0) {
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execl(TOCSIN_COMMAND, "tocsin", "serve", "--data", folder, "--listen", "127.0.0.1:0", "--log", "warning", "--series-max", "2000000",
              "--history", history, "--deep", deep, (char *)NULL);
        die(TOCSIN_COMMAND);
    }
    close(ends[1]);
    FILE *words = fdopen(ends[0], "r");
    if (!words || !fgets(line, sizeof line, words)) die("the service did not start");
    fclose(words);
    return (service){ .process = process, .port = atoi(strrchr(line, ':') + 1), .start_s = now_s() - begin };
}

static void kill_service(const service *s)
{
    kill(s->process, SIGKILL);
    waitpid(s->process, NULL, 0);
}

static double processor_s(pid_t process)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file)) die(path);
    fclose(file);
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) die(path);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double memory_mib(pid_t process)
{
    char path[64], line[256];
    double kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0) kib = strtod(line + 6, NULL);
    fclose(file);
    return kib / 1024;
}

static int open_connection(int port)
{
    const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int one = 1, file = socket(AF_INET, SOCK_STREAM, 0);
    if (file < 0 || connect(file, (const struct sockaddr *)&address, sizeof address) != 0) die("connect");
    setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return file;
}

/* One request, and its status; the header says how long the body is. */
static int exchange(int file, const char *bytes, size_t size, char *reply)
{
    while (size > 0) {
        const ssize_t sent = send(file, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) die("send");
        bytes += sent;
        size -= (size_t)sent;
    }
    size_t have = 0;
    for (;;) {
        const ssize_t got = recv(file, reply + have, REPLY_SIZE - 1 - have, 0);
        if (got <= 0) die("the service closed the connection");
        have += (size_t)got;
        reply[have] = 0;
        const char *end = strstr(reply, "\r\n\r\n"), *length = strstr(reply, "Content-Length: ");
        if (end && have >= (size_t)(end + 4 - reply) + (length && length < end ? strtoul(length + 16, NULL, 10) : 0)) return atoi(reply + 9);
    }
}

/* The answer to GET /api/v1/status. */
static const char *get_status(int port)
{
    static const char request_text[] = "GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    static char reply[REPLY_SIZE];
    const int file = open_connection(port);
    if (exchange(file, request_text, sizeof request_text - 1, reply) != 200) die("/api/v1/status");
    close(file);
    return reply;
}

static bool is_status(int port, const char *text)
{
    return strstr(get_status(port), text) != NULL;
}

/* A number in it. */
static double ask_status(int port, const char *key)
{
    char name[64];
    snprintf(name, sizeof name, "\"%s\":", key);
    const char *at = strstr(get_status(port), name);
    if (!at) die(key);
    return strtod(at + strlen(name), NULL);
}

/* ---- sending ---- */

typedef struct sender {
    pthread_t thread;
    const load *load;
    int port;
    size_t index, refused, retried;
    double per_s;  /* samples a second of this connection; 0: as fast as it goes */
    double begin_s;
} sender;

static void *send_all(void *argument)
{
    sender *s = argument;
    char *reply = malloc(REPLY_SIZE);
    const int file = open_connection(s->port);
    size_t sent = 0;
    if (!reply) die("replies");
    for (size_t step = 0; step < s->load->step_count; step++)
        for (size_t body = s->index; body < s->load->body_count; body += CONNECTIONS) {
            const request *r = &s->load->requests[step * s->load->body_count + body];
            if (s->per_s > 0) {
                const double wait_s = s->begin_s + (double)sent / s->per_s - now_s();
                if (wait_s > 0) nanosleep(&(struct timespec){ (time_t)wait_s, (long)(1e9 * (wait_s - floor(wait_s))) }, NULL);
            }
            int code;
            while ((code = exchange(file, r->bytes, r->size, reply)) == 429) {
                s->retried++;
                nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
            }
            s->refused += code != 204 && code != 200;
            sent += IN_A_BODY;
        }
    close(file);
    free(reply);
    return NULL;
}

typedef struct outcome {
    double samples_per_s, service_processors, sender_processors, p50_s, p99_s, memory_mib;
    double escalated, sampled, unconfirmed; /* of scored rows; of rows that deserved a second look */
    double verdict_p50_s, verdict_p99_s;
    size_t retried;
} outcome;

/* Counts that a restart does not begin anew. */
typedef struct counts {
    double accepted, scored, escalated, sampled, unconfirmed;
} counts;

static counts ask_counts(int port)
{
    return (counts){ ask_status(port, "accepted"), ask_status(port, "rows_scored"), ask_status(port, "escalated"),
                     ask_status(port, "sampled"), ask_status(port, "unconfirmed") };
}

static outcome run_load(const service *s, const load *l, double per_s)
{
    sender senders[CONNECTIONS];
    struct rusage before, after;
    const size_t sample_count = l->series_count * l->step_count;
    outcome result = { 0 };
    const counts first = ask_counts(s->port);
    getrusage(RUSAGE_SELF, &before);
    const double begin = now_s(), processor = processor_s(s->process);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        senders[i] = (sender){ .load = l, .port = s->port, .index = i, .per_s = per_s / CONNECTIONS,
                               .begin_s = begin + (per_s > 0 ? (double)i * IN_A_BODY / per_s : 0) };
        if (pthread_create(&senders[i].thread, NULL, send_all, &senders[i]) != 0) die("thread");
    }
    size_t refused = 0;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        pthread_join(senders[i].thread, NULL);
        refused += senders[i].refused;
        result.retried += senders[i].retried;
    }
    while (ask_status(s->port, "rows_waiting") > 0) nanosleep(&(struct timespec){ 0, 1000000 }, NULL); /* sustained: judged, not only kept */
    const double elapsed = now_s() - begin;
    getrusage(RUSAGE_SELF, &after);
    const double used = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) +
                        1e-6 * (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    if (refused || (size_t)(ask_status(s->port, "accepted") - first.accepted) != sample_count) {
        fprintf(stderr, "serve_bench: %zu requests refused, %.0f of %zu samples accepted\n", refused,
                ask_status(s->port, "accepted") - first.accepted, sample_count);
        exit(1);
    }
    result.samples_per_s = (double)sample_count / elapsed;
    result.service_processors = (processor_s(s->process) - processor) / elapsed;
    result.sender_processors = used / elapsed;
    result.p50_s = ask_status(s->port, "latency_p50_seconds");
    result.p99_s = ask_status(s->port, "latency_p99_seconds");
    result.memory_mib = memory_mib(s->process);
    const counts last = ask_counts(s->port);
    const double scored = last.scored - first.scored;
    result.escalated = (last.escalated - first.escalated) / scored;
    result.sampled = (last.sampled - first.sampled) / scored;
    result.unconfirmed = (last.unconfirmed - first.unconfirmed) / scored;
    result.verdict_p50_s = ask_status(s->port, "verdict_p50_seconds");
    result.verdict_p99_s = ask_status(s->port, "verdict_p99_seconds");
    return result;
}

static void remove_folder(const char *folder)
{
    char command[PATH_SIZE + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) die(folder);
}

static void print_outcome(const char *name, const outcome *o)
{
    printf("%-34s %12.0f %10.2f %10.2f %8.2f %8.2f %8.0f %8zu", name, o->samples_per_s, o->service_processors, o->sender_processors,
           1e3 * o->p50_s, 1e3 * o->p99_s, o->memory_mib, o->retried);
    if (o->escalated + o->sampled + o->unconfirmed > 0)
        printf("   asked %.3f %% + %.3f %%, unconfirmed %.3f %%, verdict p50 %.0f, p99 %.0f ms", 100 * o->escalated, 100 * o->sampled,
               100 * o->unconfirmed, 1e3 * o->verdict_p50_s, 1e3 * o->verdict_p99_s);
    printf("\n");
    fflush(stdout);
}

/* What all runs have in common.  `before` is sent first to a service that is to have learned something. */
typedef struct trials {
    char folder[PATH_SIZE];
    const char *history;
    load load, before;
} trials;

/* A folder in which a service has learned from `before`, and was killed. */
static void teach(const trials *t, const char *deep)
{
    const bool is_deep = strcmp(deep, "on") == 0;
    service s = start_service(t->folder, t->history, deep);
    (void)run_load(&s, &t->before, 0);
    for (double begin = now_s(); is_deep && !is_status(s.port, "\"deep\":{\"state\":\"on\"");)
        if (now_s() - begin > LEARN_S) die("the deep layer learns nothing");
        else nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
    kill_service(&s);
}

/* A service under the load; then it is killed, and where ret_again is not NULL started again. */
static outcome run_trial(const char *name, const trials *t, const char *deep, double per_s, double *ret_again_s)
{
    remove_folder(t->folder);
    if (strcmp(deep, "on") == 0 || per_s > 0) teach(t, deep);
    service s = start_service(t->folder, t->history, deep);
    const outcome o = run_load(&s, &t->load, per_s);
    print_outcome(name, &o);
    kill_service(&s);
    if (ret_again_s) {
        service again = start_service(t->folder, t->history, deep);
        if ((size_t)ask_status(again.port, "series") != t->load.series_count) die("series after a kill");
        *ret_again_s = again.start_s;
        kill_service(&again);
    }
    remove_folder(t->folder);
    return o;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: serve_bench OUTPUT.json [SERIES [SECONDS [HISTORY]]]\n");
        return 2;
    }
    const size_t series_count = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
    const double seconds = argc > 3 ? strtod(argv[3], NULL) : 10;
    static trials t;
    t.history = argc > 4 ? argv[4] : "10000"; /* as --history takes it */
    snprintf(t.folder, sizeof t.folder, "%s.data", argv[1]);
    const size_t step_count = (size_t)fmax(3, ceil(seconds * 1e6 / (double)series_count));
    const int64_t begin_ms = (int64_t)time(NULL) * 1000 - 1000 * (int64_t)(LEARN_STEPS + step_count);
    make_load(&t.before, series_count, 0, LEARN_STEPS, begin_ms);
    make_load(&t.load, series_count, LEARN_STEPS, step_count, begin_ms);
    printf("%zu series, %zu samples, 2,000 a request, %d connections\n%-34s %12s %10s %10s %8s %8s %8s %8s\n", series_count,
           series_count * step_count, CONNECTIONS, "", "samples/s", "service", "sender", "p50", "p99", "memory", "retried");
    printf("%-34s %12s %10s %10s %8s %8s %8s\n", "", "", "processors", "processors", "ms", "ms", "MiB");
    double again_s[2];
    const outcome full = run_trial("as fast as it goes", &t, "off", 0, &again_s[0]);
    const outcome deep = run_trial("the same with the deep layer", &t, "on", 0, &again_s[1]);
    const outcome half = run_trial("half a million a second", &t, "off", 500000, NULL);
    const outcome deep_half = run_trial("the same with the deep layer", &t, "on", 500000, NULL);
    const outcome deep_200 = run_trial("200,000 a second with it", &t, "on", 200000, NULL);
    printf("killed, started again with %zu series in %.2f s, with the deep layer in %.2f s\n", series_count, again_s[0], again_s[1]);
    free_load(&t.load);
    free_load(&t.before);
    const figure figures[] = {
        { "remote-write into the fast layer", "samples/s", full.samples_per_s, NAN, NULL, NAN, 1e6, full.samples_per_s >= 1e6 },
        { "p99 from receipt to score at 500,000 samples/s", "s", half.p99_s, NAN, NULL, NAN, 0.005, half.p99_s <= 0.005 },
        { "memory", "MiB", full.memory_mib, NAN, NULL, NAN, NAN, true },
        { "killed, until it answers again", "s", again_s[0], NAN, NULL, NAN, 5, again_s[0] <= 5 },
        { "the same with the deep layer", "s", again_s[1], NAN, NULL, NAN, 5, again_s[1] <= 5 },
        { "remote-write with the deep layer", "samples/s", deep.samples_per_s, NAN, NULL, NAN, 200000, deep.samples_per_s >= 200000 },
        { "p99 from receipt to score at 500,000 samples/s, with the deep layer", "s", deep_half.p99_s, NAN, NULL, NAN, NAN, true },
        { "p99 from receipt to a verdict at 200,000 samples/s", "s", deep_200.verdict_p99_s, NAN, NULL, NAN, 1, deep_200.verdict_p99_s <= 1 },
        { "unconfirmed at 200,000 samples/s, of all rows", "share", deep_200.unconfirmed, NAN, NULL, NAN, NAN, true },
        { "the sender's share", "processors", full.sender_processors, NAN, NULL, NAN, NAN, true },
    };
    tcsi_buffer text;
    tcsi_json_writer writer;
    tcs_error err = { 0 };
    tcsi_buffer_init(&text, 1 << 20);
    tcsi_json_writer_init(&writer, &text, true);
    tcsi_json_begin_array(&writer);
    for (size_t i = 0; i < TCS_COUNT(figures); i++) figure_write(&writer, &figures[i]);
    tcsi_json_end_array(&writer);
    if (tcsi_json_finish(&writer, &err) != TCS_OK || tcsi_file_write(argv[1], text.data, text.size, &err) != TCS_OK) {
        fprintf(stderr, "serve_bench: %s\n", err.text);
        return 1;
    }
    tcsi_buffer_deinit(&text);
    return 0;
}
