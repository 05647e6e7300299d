/* simulate/fleet.h -- machines of a few kinds: series that have a shape in common and differ in size, level, rhythm and details.
 *
 * A kind has a length of its cycle and one or several programs: what every channel does in a cycle.  A machine runs through one program
 * after another, the same again most of the time, at its own pace with a little jitter; its programs are mixed with something of its own,
 * and gain, offset and noise are its own.  A few hundred rows of one machine may hold few of its programs; those of others hold all.
 * Events are those of inject.h in one channel; or, where kinds are what matters, the machine behaves like one of another kind for a cycle
 * or two: ordinary in itself, but not for this machine.
 * A pure function of options and number: the same bits on any number of threads.  Threads: reentrant. */
#ifndef TCS_SIMULATE_FLEET_H
#define TCS_SIMULATE_FLEET_H

#include "series/frame.h"

enum { TCSI_MACHINE_CHANNEL_COUNT_MAX = 8, TCSI_MACHINE_KIND_COUNT_MAX = 64, TCSI_MACHINE_PROGRAM_COUNT_MAX = 8 };

typedef struct tcsi_machine_options {
    uint64_t seed;                /* of the fleet */
    size_t kind_count;            /* 1 .. TCSI_MACHINE_KIND_COUNT_MAX; machine i is of kind i % kind_count */
    size_t program_count;         /* of a kind, 1 .. TCSI_MACHINE_PROGRAM_COUNT_MAX */
    size_t channel_count;         /* 1 .. TCSI_MACHINE_CHANNEL_COUNT_MAX */
    size_t row_count;             /* 200 .. 10^7 */
    size_t calm_row_count;        /* rows before the first event; at most row_count */
    size_t event_count;
    bool has_foreign_events;      /* needs two kinds */
} tcsi_machine_options;

/* Machine number `number`, a row a minute, labelled; the caller destroys the frame.  *ret_period: rows of a cycle.  E_INVALID: options out
 * of range; E_MEMORY. */
tcs_status tcsi_machine_simulate(const tcsi_machine_options *options, size_t number, tcsi_frame **ret_frame, size_t *ret_period,
                                 tcs_error *err) TCS_WARN_UNUSED;

#endif
