/* tests/servers/hog.c -- threads that want to run, and do nothing but that, until they are ended or their time is over.
 *
 * usage: hog THREADS SECONDS      says "running" when they are
 * They are of the class that hardly runs when somebody else wants to (SCHED_IDLE), and still are counted as wanting to.  Hardly is not never:
 * a thousand of them weigh as much as three others.  So they are a session of their own, which Linux weighs as one process where it groups
 * processes by session (sched_autogroup_enabled); in the session of the test, they would starve whom it measures.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int goes_on = 1;
static pthread_barrier_t all_there; /* so that they want at once, and nobody is slowed down by those before */

static void *run(void *argument)
{
    const struct sched_param none = { 0 };
    (void)argument;
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) _exit(2);
    pthread_barrier_wait(&all_there);
    while (goes_on) continue;
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (argc != 3) return 2;
    (void)setsid();
    if (pthread_barrier_init(&all_there, NULL, (unsigned)atoi(argv[1]) + 1) != 0) return 1;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 16);
    for (int i = 0; i < atoi(argv[1]); i++)
        if (pthread_create(&thread, &attributes, run, NULL) != 0) return 1;
    pthread_barrier_wait(&all_there);
    printf("running\n");
    fflush(stdout);
    sleep((unsigned)atoi(argv[2]));
    return 0; /* and with it all of them */
}
