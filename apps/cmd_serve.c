/* apps/cmd_serve.c -- `tocsin serve`: the live service, until it is told to end.
 *
 * Words for people and the log go to standard error; standard output holds one line, the address, once it answers.
 * SIGTERM and SIGINT end it in good order, SIGHUP reads tokens and certificates again.  SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"

#include "serve/self/log.h"
#include "serve/self/notify_systemd.h"
#include "serve/self/privileges.h"
#include "serve/self/probe.h"
#include "serve/service.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { START_TRIES = 60 }; /* a second between them */

typedef struct serve_options {
    const char *data, *store, *listen, *tokens, *certificate, *key, *budget, *collect, *receivers, *log, *scores, *history, *retention;
    const char *user, *check, *advertise, *deep;
    size_t series_max, threads, plan;
    double snapshot, lease, watch, latency, deep_deadline, deep_share, cost_false, cost_missed, gain_true;
    bool keep_journal, standby;
} serve_options;

#define AT(field) offsetof(serve_options, field)
static const cli_option options[] = {
    { "--data", "FOLDER", CLI_TEXT, AT(data), "where everything is kept: journal, series, episodes; default ./tocsin-data" },
    { "--listen", "ADDRESS:PORT", CLI_TEXT, AT(listen), "default 127.0.0.1:9740; port 0: any that is free.  Beyond this host only with "
                                                          "--tokens, --certificate and --key" },
    { "--collect", "host", CLI_TEXT, AT(collect), "judge this host's own figures, each second" },
    { "--alarm-budget", "N[/day]", CLI_TEXT, AT(budget), "false alarms that are acceptable, of all series together: 2/week, 1/day; "
                                                           "default 1/day" },
    { "--receivers", "FILE.yaml", CLI_TEXT, AT(receivers), "who is told of episodes (Alertmanager, webhooks, Grafana, mail, programs), and "
                                                    "policies of series: what they may raise, and limits that they may not pass" },
    { "--series-max", "N", CLI_COUNT, AT(series_max), "live series at most; default 1000000", .low = 1, .high = 1e8 },
    { "--deep", "on|off", CLI_TEXT, AT(deep), "look a second time, by a network that trains itself, at what is out of the ordinary; "
                                               "default on" },
    { "--deep-deadline", "SECONDS", CLI_REAL, AT(deep_deadline), "after which a row stands unconfirmed, from its receipt; default 1",
      .low = 0.001, .high = 3600 },
    { "--deep-share", "SHARE", CLI_REAL, AT(deep_share), "of one processor that training may take; default 0.1", .low = 0.001, .high = 1 },
    { "--store", "URL", CLI_TEXT, AT(store), "sqlite:PATH or postgresql://...; default tocsin.db in the folder" },
    { "--standby", NULL, CLI_FLAG, AT(standby), "others run on the same --store, a PostgreSQL; one takes rows, another takes over when "
                                                "it ends, hangs or dies" },
    { "--advertise", "URL", CLI_TEXT, AT(advertise), "with --standby: where this one is reached, told by the others while it leads" },
    { "--lease", "SECONDS", CLI_REAL, AT(lease), "with --standby: so long may the leader be silent; default 5", .low = 0.5, .high = 3600 },
    { "--tokens", "FILE", CLI_TEXT, AT(tokens), "tokens and their roles; without it nobody is asked for one" },
    { "--certificate", "FILE", CLI_TEXT, AT(certificate), "PEM, for TLS" },
    { "--key", "FILE", CLI_TEXT, AT(key), "PEM, of the certificate" },
    { "--threads", "N", CLI_COUNT, AT(threads), "that judge rows; default one per processor.  What is judged does not depend on it",
      .low = 1, .high = 1024 },
    { "--snapshot", "SECONDS", CLI_REAL, AT(snapshot), "from one snapshot of the state to the next; default 300", .low = 1, .high = 86400 },
    { "--latency-objective", "SECONDS", CLI_REAL, AT(latency), "99 of 100 rows are to be scored within; default 0.1.  Past it the service "
                                                                "complains of itself", .low = 1e-6, .high = 3600 },
    { "--cost-false-alarm", "AMOUNT", CLI_REAL, AT(cost_false), "what a false alarm costs, in a unit of yours, for the view of quality; "
                                                                "default: not set, and no cost is told", .low = 0, .high = 1e15 },
    { "--cost-missed", "AMOUNT", CLI_REAL, AT(cost_missed), "what an event costs that was missed; default: not set",
      .low = 0, .high = 1e15 },
    { "--gain-true-alarm", "AMOUNT", CLI_REAL, AT(gain_true), "what a true alarm saves; default: not set", .low = 0, .high = 1e15 },
    { "--watch", "SECONDS", CLI_REAL, AT(watch), "from one look of the service at itself to the next; default 60",
      .low = 1, .high = 86400 },
    { "--history", "ROWS", CLI_TEXT, AT(history), "so many rows a second, of all series, are kept singly to be looked at again; what comes "
                                                   "beyond is merged to longer steps; off: nothing is kept; default 10000" },
    { "--retention", "DURATION", CLI_TEXT, AT(retention), "how long they are kept: 12h, 30d, 1w; default 30d" },
    { "--log", "error|warning|info|debug", CLI_TEXT, AT(log), "what is told on standard error, as lines of JSON; default info" },
    { "--user", "NAME", CLI_TEXT, AT(user), "started by root: becomes this user before anything is opened; \"root\" stays what it is" },
    { "--check", "URL", CLI_TEXT, AT(check), "only ask a running service whether it is ready; exit status 0: it is" },

    { "--keep-journal", NULL, CLI_FLAG, AT(keep_journal), "keep everything that was received, for `tocsin backtest`; otherwise what a "
                                                           "restart needs" },
    { "--scores", "FILE", CLI_TEXT, AT(scores), "add a line of JSON for every row that is judged, as `tocsin backtest --scores` does" },
    { "--plan", "SERIES", CLI_COUNT, AT(plan), "only say how much memory so many series will take", .low = 1, .high = 1e9 },
};

static int fail(tcs_status status, tcs_error *err, const char *what)
{
    (void)status;
    if (what) {
        char text[sizeof err->text];
        snprintf(text, sizeof text, "%s", err->text);
        snprintf(err->text, sizeof err->text, "%s: %s", what, text);
    }
    return cli_fail("serve", err);
}

/* "127.0.0.1:9740", "[::1]:9740", ":9740", "9740" */
static tcs_status parse_listen(const char *text, char *ret_address, size_t size, uint16_t *ret_port, tcs_error *err)
{
    const char *colon = strrchr(text, ':'), *port_text = colon ? colon + 1 : text;
    char *end;
    size_t length = colon ? (size_t)(colon - text) : 0;
    errno = 0;
    const unsigned long port = strtoul(port_text, &end, 10);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (*port_text < '0' || *port_text > '9' || *end || errno || port > 65535 || length >= size) {
        err->status = TCS_E_INVALID;
        snprintf(err->text, sizeof err->text, "--listen '%s': expected ADDRESS:PORT, as 127.0.0.1:9740", text);
        return TCS_E_INVALID;
    }
    snprintf(ret_address, size, "%.*s", (int)(length ? length : strlen("127.0.0.1")), length ? text : "127.0.0.1");
    *ret_port = (uint16_t)port;
    return TCS_OK;
}

/* Rows a second; "off": below 0. */
static tcs_status parse_history(const char *text, double *ret_rows_per_s, tcs_error *err)
{
    char *end;
    const double rate = strtod(text, &end);
    const bool is_off = strcmp(text, "off") == 0, is_rate = end != text && !*end && rate > 0 && isfinite(rate);
    *ret_rows_per_s = is_off ? -1 : rate;
    if (is_off || is_rate) return TCS_OK;
    err->status = TCS_E_INVALID;
    snprintf(err->text, sizeof err->text, "--history '%s': expected rows a second, above 0, or off", text);
    return TCS_E_INVALID;
}

static int print_plan(size_t series_count)
{
    tcsi_buffer text;
    tcs_error err = { 0 };
    tcsi_buffer_init(&text, 1 << 16);
    const tcs_status status = tcsi_service_plan(series_count, &text, &err);
    if (status == TCS_OK) fputs(text.data, stdout);
    tcsi_buffer_deinit(&text);
    return status == TCS_OK ? EXIT_DONE : fail(status, &err, NULL);
}

static int check(const char *url)
{
    tcsi_buffer text;
    tcs_error err = { 0 };
    bool is_ready = false;
    tcsi_buffer_init(&text, 1 << 16);
    const tcs_status status = tcsi_probe_ready(url, &text, &is_ready, &err);
    if (status == TCS_OK) puts(text.data);
    tcsi_buffer_deinit(&text);
    return status != TCS_OK ? fail(status, &err, NULL) : is_ready ? EXIT_DONE : EXIT_FAILED;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* What root may do is for nobody who is reached from elsewhere, unless it was said so. */
static tcs_status give_up_rights(const serve_options *o, const tcsi_service_options *asked, tcs_error *err)
{
    tcsi_privileges_harden(o->tokens || o->key);
    if (o->user) return tcsi_privileges_drop(o->user, asked->folder, err);
    const bool is_reached = !is_loopback(asked->address) && o->tokens && o->certificate && o->key; /* otherwise the server refuses */
    if (!tcsi_privileges_are_all() || !is_reached) return TCS_OK;
    err->status = TCS_E_INVALID;
    snprintf(err->text, sizeof err->text, "as root it does not listen at %s; expected --user NAME, or --user root if it must be so",
             asked->address);
    return TCS_E_INVALID;
}

/* Of a standby that was away for too long: a new start loads what is kept now. */
static void ask_for_a_new_start(void)
{
    kill(getpid(), SIGUSR1);
}

/* Until SIGTERM or SIGINT; all are blocked in every thread, and waited for here.  true: it is to start again. */
static bool wait_for_the_end(tcsi_service *service, const sigset_t *signals)
{
    for (int number = 0; sigwait(signals, &number) == 0 && (number == SIGHUP || number == SIGUSR1);) {
        if (number == SIGUSR1) return true;
        tcs_error err = { 0 };
        if (tcsi_service_reload(service, &err) == TCS_OK)
            tcsi_log(TCSI_LOG_INFO, "SERVE-RELOADED", "tokens and certificates were read again");
        else tcsi_log(TCSI_LOG_ERROR, "SERVE-RELOAD-FAILED", "as before: %s", err.text);
    }
    return false;
}

/* false: it was asked to end meanwhile. */
static bool may_try_again(const sigset_t *signals)
{
    const struct timespec pause = { .tv_sec = 1 };
    const int number = sigtimedwait(signals, NULL, &pause);
    return number != SIGTERM && number != SIGINT;
}

/* The first life fails at once, for the one who waits for it. A later one began by itself: that the store is away just then, or somebody
 * has the port for a moment, must not be the end of it. */
static tcs_status start(const tcsi_service_options *asked, bool is_first, const sigset_t *signals, tcsi_service **ret_service,
                        tcs_error *err)
{
    tcs_status status = tcsi_service_start(asked, ret_service, err);
    for (int i = 0; !is_first && status != TCS_OK && i < START_TRIES && may_try_again(signals); i++) {
        tcsi_log(TCSI_LOG_WARNING, "SERVE-START-FAILED", "%s; trying again", err->text);
        *err = (tcs_error){ 0 };
        status = tcsi_service_start(asked, ret_service, err);
    }
    return status;
}

/* One life of the service; *again: it is not the first, and another is asked for. */
static int live_once(const tcsi_service_options *asked, const char *address, const sigset_t *signals, uint16_t *ret_port, bool *again)
{
    tcsi_service *service;
    tcs_error err = { 0 };
    const tcs_status status = start(asked, !*again, signals, &service, &err);
    *again = false;
    if (status != TCS_OK) return fail(status, &err, NULL);
    *ret_port = tcsi_service_port(service);
    tcsi_log(TCSI_LOG_INFO, "SERVE-STARTED", "%zu series; %llu records of the journal were read", tcsi_service_series_count(service),
             (unsigned long long)tcsi_service_replayed(service));
    printf(strchr(address, ':') ? "listening on %s://[%s]:%u\n" : "listening on %s://%s:%u\n", asked->certificate ? "https" : "http",
           address, *ret_port);
    fflush(stdout);
    (void)tcsi_systemd_notify("READY=1");
    *again = wait_for_the_end(service, signals);
    if (!*again) (void)tcsi_systemd_notify("STOPPING=1");
    tcsi_log(TCSI_LOG_INFO, "SERVE-STOPPING", "finishing what has come");
    const bool is_drained = tcsi_service_stop(service);
    tcsi_log(is_drained ? TCSI_LOG_INFO : TCSI_LOG_WARNING, "SERVE-STOPPED", is_drained ? "done" : "requests were cut off");
    return EXIT_DONE;
}

static int serve(const tcsi_service_options *asked, const char *address)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
    tcsi_service_options next = *asked;
    sigset_t signals;
    int result = EXIT_DONE;
    bool again = false;
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sigaddset(&signals, numbers[i]);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a write that fails, not the end */
    do {
        result = live_once(&next, address, &signals, &next.port, &again);
    } while (again && result == EXIT_DONE);
    return result;
}

static int run(const void *raw, const char *const *inputs, size_t input_count)
{
    static const char *const levels[] = { "error", "warning", "info", "debug" };
    const serve_options *o = raw;
    char address[64];
    tcs_error err = { 0 };
    tcsi_service_options asked = { .folder = o->data ? o->data : "tocsin-data", .store = o->store, .token_file = o->tokens,
                                   .certificate = o->certificate, .key = o->key, .series_count_max = o->series_max,
                                   .thread_count = o->threads, .snapshot_s = o->snapshot, .watch_s = o->watch, .latency_s = o->latency,
                                   .keeps_journal = o->keep_journal, .scores = o->scores };
    (void)inputs;
    (void)input_count;
    if (o->plan) return print_plan(o->plan);
    if (o->check) return check(o->check);
    tcs_status status = parse_listen(o->listen ? o->listen : "127.0.0.1:9740", address, sizeof address, &asked.port, &err);
    if (status == TCS_OK) status = cli_budget_parse(o->budget ? o->budget : "1/day", &asked.alarms_per_s, &err);
    if (status == TCS_OK) status = parse_history(o->history ? o->history : "10000", &asked.history_rows_per_s, &err);
    if (status != TCS_OK) return fail(status, &err, NULL);
    asked.cost_false_alarm = o->cost_false;
    asked.cost_missed = o->cost_missed;
    asked.gain_true_alarm = o->gain_true;
    asked.has_deep = !o->deep || strcmp(o->deep, "on") == 0;
    asked.deep_deadline_s = o->deep_deadline;
    asked.deep_share = o->deep_share;
    asked.retention = o->retention;
    asked.address = address;
    status = give_up_rights(o, &asked, &err);
    if (status != TCS_OK) return fail(status, &err, NULL);
    asked.collects = o->collect != NULL;
    asked.receivers = o->receivers;
    asked.has_standby = o->standby;
    asked.advertise = o->advertise;
    asked.lease_s = o->lease;
    asked.on_lost = ask_for_a_new_start;
    int level = TCSI_LOG_INFO;
    for (int i = 0; o->log && i < (int)(sizeof levels / sizeof *levels); i++)
        if (strcmp(o->log, levels[i]) == 0) level = i;
    tcsi_log_lines_begin(2, (tcsi_log_level)level);
    const int result = serve(&asked, address);
    tcsi_log_lines_end();
    return result;
}

const cli_command cli_serve = {
    .name = "serve",
    .positional = "",
    .summary = "judge rows as they come, and tell what happens",
    .description = "Takes rows over HTTP (Prometheus remote-write, OpenTelemetry, InfluxDB line protocol, JSON), judges each as it comes, "
                   "and tells of what is out of the ordinary: anomalies, silence, rows that come late or in another step, values that are "
                   "stuck.\n\n"
                   "What was acknowledged is on disk. Ended or killed, the service goes on where it was; the same rows always give the "
                   "same episodes. GET /api/v1/openapi.json describes what can be asked; /metrics and /readyz say how it goes.",
    .examples = "  tocsin serve --collect host\n"
                "  tocsin serve --data /var/lib/tocsin --alarm-budget 2/week\n"
                "  curl -d '{\"series\":\"load{host=\\\"a\\\"}\",\"value\":0.5}' 127.0.0.1:9740/api/v1/rows\n"
                "  curl 127.0.0.1:9740/api/v1/episodes?state=open\n"
                "  tocsin serve --receivers receivers.yaml\n"
                "  tocsin serve --store postgresql://tocsin@db.example.org/tocsin --standby\n"
                "  tocsin serve --plan 100000\n",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .options_size = sizeof(serve_options),
    .run = run,
};
