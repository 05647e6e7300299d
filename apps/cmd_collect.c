/* apps/cmd_collect.c -- `tocsin collect`: this host's own figures, row by row.
 *
 * Rows are written one by one and each is flushed, so that whoever reads the pipe has it at once.  The first tick gives no row:
 * rates need two.  SIGINT and SIGTERM end it as done.  SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "base/clock.h"
#include "serve/collect/collect.h"

#include <signal.h>

enum { ROW_SIZE_MAX = 1 << 26 };

typedef struct collect_options {
    const char *every, *proc, *only;
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
    if (status == TCS_OK && o->exposition) status = write_exposition(collector, &text, &err);
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
                "  tocsin collect --exposition > /var/lib/node_exporter/host.prom\n",
    .options = options,
    .option_count = TCS_COUNT(options),
    .options_size = sizeof(collect_options),
    .run = run,
};
