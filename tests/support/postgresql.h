/* tests/support/postgresql.h -- a PostgreSQL server of the test's own: a cluster in a temporary folder, reached by a unix socket in that
 * folder only, run by an unprivileged user, ended by its own process id.  NULL where none is installed; cases then skip.
 * Threads: one user. */
#ifndef TCS_TEST_POSTGRESQL_H
#define TCS_TEST_POSTGRESQL_H

#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct pg_server {
    char folder[64], bin[200], url[200];
    pid_t pid;
    bool is_durable; /* fsync as in earnest; otherwise nothing waits for the disk, which no killed process can tell */
    uid_t uid; /* 0: as we are */
    gid_t gid;
} pg_server;

static inline void test_sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* program ARGUMENT... of the server's binaries, as its user; its output goes to the log.  Returns its process id. */
static inline pid_t pg_spawn(const pg_server *server, const char *program, const char *const *arguments)
{
    char path[300], log[100];
    const char *argv[24] = { path };
    snprintf(path, sizeof path, "%s/%s", server->bin, program);
    snprintf(log, sizeof log, "%s/log", server->folder);
    for (size_t i = 0; arguments[i]; i++) argv[i + 1] = arguments[i];
    pid_t child = fork();
    if (child != 0) return child;
    if (server->uid != 0 && (setgid(server->gid) != 0 || setuid(server->uid) != 0)) _exit(98);
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT); /* a test that crashes leaves no server behind */
    (void)setpgid(0, 0);                    /* and Ctrl-C is ours, not the server's */
    int file = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644), none = open("/dev/null", O_RDONLY);
    dup2(none, 0);
    dup2(file, 1);
    dup2(file, 2);
    if (chdir(server->folder) != 0) _exit(97);
    execv(path, (char *const *)argv);
    _exit(99);
}

static inline bool pg_run(const pg_server *server, const char *program, const char *const *arguments)
{
    int status = 0;
    pid_t child = pg_spawn(server, program, arguments);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline bool pg_sql(const pg_server *server, const char *text)
{
    const char *const arguments[] = { "-h", server->folder, "-U", "postgres", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", text, NULL };
    return pg_run(server, "psql", arguments);
}

static inline bool pg_up(pg_server *server)
{
    char data[100];
    snprintf(data, sizeof data, "%s/data", server->folder);
    const char *const arguments[] = { "-D", data, "-k", server->folder, "-c", "listen_addresses=", "-c",
                                      server->is_durable ? "fsync=on" : "fsync=off", "-c", "shared_buffers=16MB", NULL };
    server->pid = pg_spawn(server, "postgres", arguments);
    for (int i = 0; i < 600; i++, test_sleep_ms(50)) {
        if (pg_sql(server, "select")) return true;
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) break;
    }
    return false;
}

/* SIGQUIT: as if it had crashed; SIGINT: orderly, cutting everybody off. */
static inline void pg_down(pg_server *server, int signal_number)
{
    if (server->pid <= 0) return;
    kill(server->pid, signal_number);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static inline bool pg_create(pg_server *server)
{
    glob_t found = { 0 };
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc > 0) {
        const char *newest = found.gl_pathv[found.gl_pathc - 1];
        snprintf(server->bin, sizeof server->bin, "%.*s", (int)(strrchr(newest, '/') - newest), newest);
    }
    globfree(&found);
    struct passwd *user = getuid() == 0 ? getpwnam("postgres") : NULL;
    if (!*server->bin || (getuid() == 0 && !user)) return false;
    if (user) server->uid = user->pw_uid, server->gid = user->pw_gid;
    snprintf(server->folder, sizeof server->folder, "/tmp/tocsin-pg-XXXXXX");
    if (!mkdtemp(server->folder) || (user && chown(server->folder, server->uid, server->gid) != 0)) return false;
    char data[100];
    snprintf(data, sizeof data, "%s/data", server->folder);
    snprintf(server->url, sizeof server->url, "postgresql://postgres@/postgres?host=%s", server->folder);
    const char *const arguments[] = { "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8", NULL };
    return pg_run(server, "initdb", arguments) && pg_up(server);
}

static inline void pg_destroy(pg_server *server)
{
    char command[128];
    pg_down(server, SIGINT);
    snprintf(command, sizeof command, "rm -rf '%s'", server->folder);
    if (*server->folder && system(command) != 0) fprintf(stderr, "%s: is left behind\n", server->folder);
}

#endif
