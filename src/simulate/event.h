/* simulate/event.h -- what really happened in a simulated series. */
#ifndef TCS_SIMULATE_EVENT_H
#define TCS_SIMULATE_EVENT_H

#include <stddef.h>
#include <stdint.h>

/* Rows [onset, end) of the frame.  name is static text. */
typedef struct tcsi_event {
    const char *name;
    size_t onset, end;
    uint64_t channels; /* bit c: channel c shows it */
} tcsi_event;

#endif
