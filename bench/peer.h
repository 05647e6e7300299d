/* bench/peer.h -- a peer that runs beside us: a python that answers each line of its standard input with one line. */
#ifndef TCS_BENCH_PEER_H
#define TCS_BENCH_PEER_H

#include "base/status.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct peer_process {
    pid_t process;
    FILE *to, *from; /* NULL: there is none */
} peer_process;

/* `python script argument`, whose first line, a version, goes to ret_version without its end. */
static inline tcs_status peer_open(const char *python, const char *script, const char *argument, peer_process *ret_peer,
                                   char ret_version[120], tcs_error *err)
{
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) return tcsi_fail(err, TCS_E_IO, "no pipes");
    const pid_t process = fork();
    if (process == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[1]);
        close(from[0]);
        execlp(python, python, script, argument, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    *ret_peer = (peer_process){ process, fdopen(to[1], "w"), fdopen(from[0], "r") };
    if (!fgets(ret_version, 120, ret_peer->from)) return tcsi_fail(err, TCS_E_UNSUPPORTED, "%s cannot run %s", python, script);
    ret_version[strcspn(ret_version, "\n")] = 0;
    return TCS_OK;
}

/* What it answers to a line. */
static inline tcs_status peer_ask(peer_process *peer, const char *question, char *answer, int size, tcs_error *err)
{
    fprintf(peer->to, "%s\n", question);
    fflush(peer->to);
    if (!fgets(answer, size, peer->from)) return tcsi_fail(err, TCS_E_FORMAT, "the peer gave up at '%s'", question);
    return TCS_OK;
}

static inline void peer_close(peer_process *peer)
{
    if (!peer->to) return;
    fclose(peer->to);
    fclose(peer->from);
    (void)waitpid(peer->process, NULL, 0);
}

#endif
