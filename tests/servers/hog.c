/* tests/servers/hog.c -- threads that want to run, and do nothing but that, until they are ended or their time is over.
 *
 * usage: hog THREADS SECONDS      says "running" when they are
 * They are of the class that runs only when nobody else wants to (SCHED_IDLE), and still are counted as wanting to.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int goes_on = 1;

static void *run(void *argument)
{
    const struct sched_param none = { 0 };
    (void)argument;
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) _exit(2);
    while (goes_on) continue;
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (argc != 3) return 2;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 16);
    for (int i = 0; i < atoi(argv[1]); i++)
        if (pthread_create(&thread, &attributes, run, NULL) != 0) return 1;
    printf("running\n");
    fflush(stdout);
    sleep((unsigned)atoi(argv[2]));
    return 0; /* and with it all of them */
}
