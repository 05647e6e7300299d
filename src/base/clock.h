/* base/clock.h -- the only place that asks what time it is, so that tests and replays can answer instead.
 * Threads: set the source before threads start; reading is thread-safe. */
#ifndef TCS_BASE_CLOCK_H
#define TCS_BASE_CLOCK_H

#include <stdint.h>

typedef struct tcsi_clock {
    int64_t (*wall_ns)(void *context);      /* since 1970-01-01 UTC */
    int64_t (*monotonic_ns)(void *context); /* since some fixed point, never backward */
    void *context;
} tcsi_clock;

void tcsi_clock_set(const tcsi_clock *clock); /* NULL: the system's clocks */
int64_t tcsi_clock_wall_ns(void);
int64_t tcsi_clock_monotonic_ns(void);
int64_t tcsi_clock_thread_ns(void); /* processor time of the calling thread: for figures, never for decisions */

#endif
