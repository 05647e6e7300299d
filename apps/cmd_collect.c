/* apps/cmd_collect.c -- `tocsin collect`: this host's own figures, row by row.
 *
 * Rows are written one by one and each is flushed, so that whoever reads the pipe has it at once.  The first tick gives no row:
 * rates need two.  With --listen nothing is written: each request reads the kernel anew, so that nothing is older than the question.
 * SIGINT and SIGTERM end it as done.  SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "base/clock.h"
#include "serve/collect/collect.h"
#include "serve/http/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_SIZE_MAX = 1 << 26 };

typedef struct collect_options {
    const char *every, *proc, *only, *listen;
    size_t count;
    bool per_core, totals, exposition;
} collect_options;

#define AT(field) offsetof(collect_options, field)
static const cli_option options[] = {
    { "--every", "TIME", CLI_TEXT, AT(every), "from one row to the next, 100ms to 1h; default 1s, at whole seconds" },
    { "--count", "N", CLI_COUNT, AT(count), "rows to write, then end; 0, the default: until interrupted" },
    { "--only", "NAME,...", CLI_TEXT, AT(only),
      "some of stat, loadavg, meminfo, vmstat, diskstats, filesystem, netdev, pressure_cpu, pressure_io, pressure_memory, filefd; "
      "default all" },
    { "--per-core", NULL, CLI_FLAG, AT(per_core), "processor time of each core instead of all together" },
    { "--totals", NULL, CLI_FLAG, AT(totals), "counters as the kernel keeps them, instead of their rates per second" },
    { "--exposition", NULL, CLI_FLAG, AT(exposition), "the figures as they are now in the text format of Prometheus, once" },
    { "--listen", "ADDRESS:PORT", CLI_TEXT, AT(listen),
      "answer GET /metrics with the figures of that moment, for Prometheus; addresses of this machine only, such as 127.0.0.1:9109" },
    { "--proc", "FOLDER", CLI_TEXT, AT(proc), "where the kernel's files are; default /proc.  In a container: the host's, mounted" },
};

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

static tcs_status write_text(const tcsi_buffer *text, tcs_error *err)
{
    if (fwrite(text->data, 1, text->size, stdout) == text->size && fflush(stdout) == 0) return TCS_OK;
    return tcsi_fail(err, TCS_E_IO, "standard output cannot be written");
}

static void tell_absent(const tcsi_collector *collector)
{
    char names[256];
    if (tcsi_collector_absent(collector, names, sizeof names) > 0)
        fprintf(stderr, "tocsin collect: this host gives no figures of %s\n", names);
}

static tcs_status write_rows(tcsi_collector *collector, const collect_options *o, int64_t every_ns, tcsi_buffer *text, tcs_error *err)
{
    tcs_status status = TCS_OK;
    (void)tcsi_collector_tick(collector);
    tell_absent(collector);
    tcsi_collector_wait(every_ns); /* a first row over less than a whole interval would be a rougher one */
    (void)tcsi_collector_tick(collector);
    for (size_t row = 0; status == TCS_OK && (o->count == 0 || row < o->count); row++) {
        tcsi_collector_wait(every_ns);
        if (is_interrupted) break;
        const int64_t now_ns = tcsi_clock_wall_ns();
        const tcsi_figures *figures = tcsi_collector_tick(collector);
        tcsi_buffer_clear(text);
        status = tcsi_figures_write_row(figures, now_ns - now_ns % 1000000, o->totals, text, err);
        if (status == TCS_OK) status = write_text(text, err);
    }
    return status;
}

static tcs_status write_exposition(tcsi_collector *collector, tcsi_buffer *text, tcs_error *err)
{
    tcs_status status = tcsi_figures_write_exposition(tcsi_collector_tick(collector), text, err);
    return status == TCS_OK ? write_text(text, err) : status;
}

/* ---- for Prometheus ---- */

typedef struct exporter {
    tcsi_collector *collector;
    pthread_mutex_t lock;
} exporter;

static tcs_status answer_metrics(void *context, const tcsi_request *request, tcsi_response *response, tcs_error *err)
{
    exporter *self = context;
    (void)request;
    response->content_type = tcsi_exposition_types[TCSI_EXPOSITION_TEXT];
    pthread_mutex_lock(&self->lock);
    const tcs_status status = tcsi_figures_write_exposition(tcsi_collector_tick(self->collector), &response->body, err);
    pthread_mutex_unlock(&self->lock);
    return status;
}

static const tcsi_route routes[] = {
    { .method = TCSI_GET, .path = "/metrics", .role = TCSI_ROLE_VIEWER, .handle = answer_metrics, .id = "metrics", .group = "This host",
      .summary = "This host's figures, for Prometheus",
      .answers = { { .status = 200, .help = "The text format 0.0.4 of Prometheus", .content_type = "text/plain" } } },
};

/* "127.0.0.1:9109", "[::1]:9109" */
static tcs_status parse_listen(const char *text, char *ret_address, size_t size, uint16_t *ret_port, tcs_error *err)
{
    const char *colon = strrchr(text, ':');
    const bool has_brackets = *text == '[' && colon > text && colon[-1] == ']';
    const size_t length = colon ? (size_t)(colon - text) - 2 * has_brackets : 0;
    char *end = NULL;
    const unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (length == 0 || length >= size || colon[1] < '0' || colon[1] > '9' || *end || port > UINT16_MAX)
        return tcsi_fail(err, TCS_E_INVALID, "--listen %s: expected an address and a port, such as 127.0.0.1:9109", text);
    memcpy(ret_address, text + has_brackets, length);
    ret_address[length] = 0;
    *ret_port = (uint16_t)port;
    return TCS_OK;
}

/* SIGINT and SIGTERM are blocked before any thread is there, and waited for here. */
static tcs_status export_figures(tcsi_collector *collector, const char *listen, tcs_error *err)
{
    char address[64];
    tcsi_server_options asked = { .address = address, .thread_count = 2, .connection_max = 64, .anonymous_role = TCSI_ROLE_VIEWER };
    exporter self = { .collector = collector, .lock = PTHREAD_MUTEX_INITIALIZER };
    tcsi_router *router = NULL;
    tcsi_server *server = NULL;
    sigset_t ends;
    int signal_number;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL);
    tcs_status status = parse_listen(listen, address, sizeof address, &asked.port, err);
    if (status == TCS_OK) status = tcsi_router_create(&router, err);
    if (status == TCS_OK) status = tcsi_router_mount(router, routes, TCS_COUNT(routes), &self, err);
    if (status == TCS_OK) status = tcsi_server_start(&asked, router, &server, err);
    if (status == TCS_OK) {
        (void)tcsi_collector_tick(collector);
        tell_absent(collector);
        fprintf(stderr, "tocsin collect: http://%s%s%s:%u/metrics\n", strchr(address, ':') ? "[" : "", address,
                strchr(address, ':') ? "]" : "", (unsigned)tcsi_server_port(server));
        (void)sigwait(&ends, &signal_number);
    }
    tcsi_server_destroy(server);
    tcsi_router_destroy(router);
    return status;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    const collect_options *o = raw;
    const tcsi_collector_options asked = { .proc = o->proc, .per_core = o->per_core, .only = o->only };
    const struct sigaction action = { .sa_handler = interrupt };
    tcsi_collector *collector = NULL;
    tcs_error err = { 0 };
    tcsi_buffer text;
    int64_t every_ns = 0;
    (void)inputs;
    (void)input_count;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    tcsi_buffer_init(&text, ROW_SIZE_MAX);
    tcs_status status = tcsi_collector_interval(o->every ? o->every : "1s", &every_ns, &err);
    if (status != TCS_OK) tcsi_fail_prefix(&err, "--every");
    if (status == TCS_OK) status = tcsi_collector_create(&asked, &collector, &err);
    if (status == TCS_OK && o->listen) status = export_figures(collector, o->listen, &err);
    else if (status == TCS_OK && o->exposition) status = write_exposition(collector, &text, &err);
    else if (status == TCS_OK) status = write_rows(collector, o, every_ns, &text, &err);
    tcsi_collector_destroy(collector);
    tcsi_buffer_deinit(&text);
    return status == TCS_OK ? EXIT_DONE : cli_fail("collect", &err);
}

const cli_command cli_collect = {
    .name = "collect",
    .positional = "",
    .summary = "this host's own figures, row by row",
    .description = "Reads what the kernel knows of this host once a second and writes a line of JSON each time: processor time by mode, "
                   "load, memory, swap, disks, file systems, network, pressure, processes, context switches and file descriptors.\n\n"
                   "Names and units are those of the Prometheus node exporter. Counters stand as their growth per second, "
                   "under rate(NAME), so that the rows can be judged as they are: `tocsin collect | tocsin detect - --mode online "
                   "--stream`. What the kernel does not tell (pressure in many containers) is absent, and said once on standard error.",
    .examples = "  tocsin collect | tocsin detect - --mode online --stream\n"
                "  tocsin collect --every 5s --count 720 > hour.ndjson\n"
                "  tocsin collect --only stat,meminfo --per-core\n"
                "  tocsin collect --listen 127.0.0.1:9109\n"
                "  tocsin collect --exposition > /var/lib/node_exporter/host.prom\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(collect_options),
    .run = run,
};
