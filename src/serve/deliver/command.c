/* serve/deliver/command.c -- a program as automated response: run with fixed arguments, bounded in time, never through a shell.
 *
 * What an alert says comes from whoever sends rows.  So it never becomes part of a command line: the program and its arguments stand in
 * the settings, the environment is a fixed one with TOCSIN_STATE, TOCSIN_EPISODE, TOCSIN_SERIES, TOCSIN_SEVERITY and TOCSIN_SUMMARY added,
 * and standard input is the alert as JSON.  Unless the settings say live: yes, it only says what it would have run.
 * The program leads a process group of its own, which is ended when time is up, first politely (SIGTERM), a second later for good.
 * It is never run again for the same message: a program that failed may have done half of its work, and a person should look.
 * What it writes is kept up to 200 bytes for the audit.  How often a receiver may run is counted in deliver.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/attempt.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_SIZE = 201, VARIABLE_SIZE = 2048, POLL_MS = 20 };

typedef struct run {
    pid_t child;
    int input, output;        /* our ends; -1: closed */
    const tcsi_buffer *alert; /* for its standard input */
    size_t written;
    char said[SAID_SIZE];
    size_t said_size;
    bool is_over;
    int status;
} run;

/* ---- the beginning ---- */

/* Both ends closed on exec: the child's are put in place by spawn. */
static bool make_pipe(int ends[2])
{
    if (pipe(ends) != 0) return false;
    for (int i = 0; i < 2; i++) (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    return true;
}

static void close_end(int *end)
{
    if (*end >= 0) close(*end);
    *end = -1;
}

static tcs_status prepare(const tcsi_alert *alert, tcsi_buffer *series, tcsi_buffer *json, tcs_error *err)
{
    tcsi_json_writer writer;
    tcs_status status = tcsi_alert_write_series(alert, series, err);
    if (status != TCS_OK) return status;
    tcsi_json_writer_init(&writer, json, false);
    tcsi_alert_write(alert, &writer);
    return tcsi_json_finish(&writer, err);
}

static int spawn(const tcsi_receiver *receiver, const tcsi_alert *alert, const char *series, const int in[2], const int out[2],
                 pid_t *ret_child)
{
    char state[64], episode[VARIABLE_SIZE], tags[VARIABLE_SIZE], severity[64], summary[VARIABLE_SIZE];
    char *environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", state, episode, tags, severity, summary, NULL };
    char *arguments[TCSI_RECEIVER_LIST_MAX + 1] = { NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, broken_pipe;
    snprintf(state, sizeof state, "TOCSIN_STATE=%s", tcsi_alert_state_names[alert->state]);
    snprintf(episode, sizeof episode, "TOCSIN_EPISODE=%s", alert->episode_id);
    snprintf(tags, sizeof tags, "TOCSIN_SERIES=%s", series);
    snprintf(severity, sizeof severity, "TOCSIN_SEVERITY=%.0f", isfinite(alert->severity) ? alert->severity : 0);
    snprintf(summary, sizeof summary, "TOCSIN_SUMMARY=%s", alert->summary);
    for (size_t i = 0; i < receiver->program_count; i++) arguments[i] = (char *)(uintptr_t)receiver->program[i];
    sigemptyset(&none);
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    if (posix_spawn_file_actions_init(&files) != 0) return ENOMEM;
    int code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &broken_pipe);
        code = posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
        if (code == 0) code = posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
        if (code == 0) code = posix_spawn_file_actions_adddup2(&files, out[1], STDERR_FILENO);
        if (code == 0) code = posix_spawn(ret_child, receiver->program[0], &files, &attributes, arguments, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return code;
}

/* ---- while it runs ---- */

static void feed(run *r)
{
    const ssize_t part = write(r->input, r->alert->data + r->written, r->alert->size - r->written);
    if (part > 0) r->written += (size_t)part;
    else if (part < 0 && (errno == EAGAIN || errno == EINTR)) return;
    else r->written = r->alert->size; /* it does not read: its right */
    if (r->written == r->alert->size) close_end(&r->input);
}

static void listen_to(run *r)
{
    char text[512];
    const ssize_t size = read(r->output, text, sizeof text);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) {
        close_end(&r->output);
        return;
    }
    for (ssize_t i = 0; i < size && r->said_size + 1 < sizeof r->said; i++)
        r->said[r->said_size++] = (unsigned char)text[i] < ' ' || text[i] == 127 ? ' ' : text[i];
}

/* Until it ends or deadline_ns.  Its own children may hold the pipe open: they are not waited for. */
static void attend(run *r, int64_t deadline_ns)
{
    while (!r->is_over && tcsi_clock_monotonic_ns() < deadline_ns) {
        struct pollfd ends[2] = { { .fd = r->input, .events = POLLOUT }, { .fd = r->output, .events = POLLIN } };
        (void)poll(ends, 2, POLL_MS); /* a closed one is passed over */
        if (ends[0].revents) feed(r);
        if (ends[1].revents) listen_to(r);
        r->is_over = waitpid(r->child, &r->status, WNOHANG) == r->child;
    }
    for (int i = 0; i < 8 && r->is_over && r->output >= 0; i++) { /* what it said last */
        struct pollfd end = { .fd = r->output, .events = POLLIN };
        if (poll(&end, 1, 0) <= 0) break;
        listen_to(r);
    }
}

static bool finish_in_time(run *r, int64_t timeout_ns)
{
    attend(r, tcsi_clock_monotonic_ns() + timeout_ns);
    const bool in_time = r->is_over;
    if (!in_time) {
        (void)kill(-r->child, SIGTERM);
        attend(r, tcsi_clock_monotonic_ns() + 1000000000);
    }
    if (!r->is_over) {
        (void)kill(-r->child, SIGKILL);
        while (waitpid(r->child, &r->status, 0) < 0 && errno == EINTR) continue;
    }
    return in_time;
}

static void tell(const run *r, bool in_time, int64_t timeout_ns, tcsi_attempt *attempt)
{
    char how[80];
    const bool done = in_time && WIFEXITED(r->status) && WEXITSTATUS(r->status) == 0;
    if (!in_time) snprintf(how, sizeof how, "ended after %lld ms", (long long)(timeout_ns / 1000000));
    else if (WIFEXITED(r->status)) snprintf(how, sizeof how, "exit status %d", WEXITSTATUS(r->status));
    else snprintf(how, sizeof how, "killed by signal %d", WTERMSIG(r->status));
    attempt->outcome = done ? TCSI_ATTEMPT_SENT : TCSI_ATTEMPT_REFUSED;
    snprintf(attempt->reason, sizeof attempt->reason, "%s%s%.*s", how, r->said_size ? ": " : "", (int)r->said_size, r->said);
}

static void run_it(const tcsi_receiver *receiver, const tcsi_alert *alert, const char *series, const tcsi_buffer *json,
                   tcsi_attempt *attempt)
{
    int in[2] = { -1, -1 }, out[2] = { -1, -1 };
    sigset_t broken_pipe;
    run r = { .alert = json };
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL); /* of this thread, for good: a program need not read its input */
    int code = make_pipe(in) && make_pipe(out) ? 0 : errno;
    if (code == 0) code = spawn(receiver, alert, series, in, out, &r.child);
    close_end(&in[0]);
    close_end(&out[1]);
    r.input = in[1];
    r.output = out[0];
    if (code == 0) {
        (void)fcntl(r.input, F_SETFL, O_NONBLOCK);
        (void)fcntl(r.output, F_SETFL, O_NONBLOCK);
        tell(&r, finish_in_time(&r, receiver->timeout_ns), receiver->timeout_ns, attempt);
    } else {
        attempt->outcome = TCSI_ATTEMPT_REFUSED;
        snprintf(attempt->reason, sizeof attempt->reason, "%.160s cannot be run: %s", receiver->program[0], strerror(code));
    }
    close_end(&r.input);
    close_end(&r.output);
}

void tcsi_attempt_command(const tcsi_receiver *receiver, const tcsi_alert *alert, int64_t now_ns, tcsi_attempt *ret_attempt)
{
    tcsi_buffer series, json;
    tcs_error err = { 0 };
    (void)now_ns;
    tcsi_buffer_init(&series, TCSI_ALERT_SIZE_MAX);
    tcsi_buffer_init(&json, TCSI_ALERT_SIZE_MAX);
    *ret_attempt = (tcsi_attempt){ .outcome = TCSI_ATTEMPT_REFUSED };
    if (receiver->program_count == 0 || receiver->program[0][0] != '/') {
        snprintf(ret_attempt->reason, sizeof ret_attempt->reason, "no absolute path of a program");
    } else if (prepare(alert, &series, &json, &err) != TCS_OK) {
        ret_attempt->outcome = TCSI_ATTEMPT_RETRY;
        snprintf(ret_attempt->reason, sizeof ret_attempt->reason, "%.200s", err.text);
    } else if (!receiver->is_live) {
        ret_attempt->outcome = TCSI_ATTEMPT_SENT;
        snprintf(ret_attempt->reason, sizeof ret_attempt->reason, "would run %.200s", receiver->program[0]);
    } else {
        run_it(receiver, alert, series.data ? series.data : "", &json, ret_attempt);
    }
    tcsi_buffer_deinit(&series);
    tcsi_buffer_deinit(&json);
}
