/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t system_wall_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic_ns(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

static const tcsi_clock system_clock = { system_wall_ns, system_monotonic_ns, NULL };
static tcsi_clock current = { system_wall_ns, system_monotonic_ns, NULL };

void tcsi_clock_set(const tcsi_clock *clock)
{
    current = clock ? *clock : system_clock;
}

int64_t tcsi_clock_wall_ns(void)
{
    return current.wall_ns(current.context);
}

int64_t tcsi_clock_monotonic_ns(void)
{
    return current.monotonic_ns(current.context);
}

int64_t tcsi_clock_thread_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
