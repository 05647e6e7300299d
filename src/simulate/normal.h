/* simulate/normal.h -- families of normal behaviour, one function each in normal.c. */
#ifndef TCS_SIMULATE_NORMAL_H
#define TCS_SIMULATE_NORMAL_H

#include "base/rng.h"
#include "base/status.h"

/* One row per family: name in the code, its function tcsi_family_... in normal.c or machines.c, name for people, share among drawn
 * families. */
#define TCSI_FAMILY_LIST(X)                                                                                                             \
    X(SEASONAL, seasonal, "seasonal", 0.20)                         /* one exact cycle, often modulated by or added to a longer one */  \
    X(BUMPS, bumps, "bumps", 0.17)                                  /* bells on a flat line, cycles of changing length and height */    \
    X(QUASI_PERIODIC, quasi_periodic, "quasi-periodic", 0.15)       /* any shape, changing length, slowly changing amplitude */         \
    X(AUTOREGRESSIVE, autoregressive, "autoregressive", 0.08)       /* stationary noise with memory */                                  \
    X(REGIMES, regimes, "regimes", 0.10)                            /* levels switched by commands, cyclic or at random */              \
    X(TRAFFIC, traffic, "traffic", 0.12)                            /* positive, multiplicative noise, bursts */                        \
    X(WALK, walk, "walk", 0.06)                                     /* smooth random walk, mostly held near zero */                     \
    X(CHAOS, chaos, "chaos", 0.07)                                  /* Lorenz' or Roessler's attractor */                               \
    X(MOTIFS, motifs, "motifs", 0.05)                               /* several shapes in a fixed order, like the days of a week */      \
    X(SERVICE, service, "service", 0)                               /* days of a service: few long cycles, jobs, heavy noise */          \
    X(WORK, work, "work", 0)                                        /* a machine that works and rests */                                \
    X(COUNTS, counts, "counts", 0)                                  /* whole numbers of events, often 0 */                              \
    X(SAWTOOTH, sawtooth, "sawtooth", 0)                            /* fills slowly, empties at once */                                 \
    X(CONTROL, control, "control", 0)                               /* held between two limits while the load wanders */                \
    X(PULSES, pulses, "pulses", 0)                                  /* flat, with pulses that belong there */                           \
    X(STEPS, steps, "steps", 0)                                     /* jumps to ever new levels */                                      \
    X(MIXTURE, mixture, "mixture", 0)                               /* two families added, multiplied or in turns, often distorted */

typedef enum tcsi_family {
#define X(family, function, name, share) TCSI_FAMILY_##family,
    TCSI_FAMILY_LIST(X)
#undef X
    TCSI_FAMILY_COUNT,
    TCSI_FAMILY_ANY = TCSI_FAMILY_COUNT, /* drawn by share */
} tcsi_family;

tcsi_family tcsi_family_draw(tcsi_rng *rng); /* by share */
const char *tcsi_family_name(tcsi_family family); /* "any" for ANY */
bool tcsi_family_by_name(const char *name, tcsi_family *ret_family);

/* Values of work space that tcsi_normal_simulate needs for count rows. */
size_t tcsi_normal_work_count(size_t count);

/* ret: (count), about mean 0 and deviation 1, with trend and noise as real series have them.  period: rows, 4..600, and count >= 64.
 * Returns the family used. */
tcsi_family tcsi_normal_simulate(tcsi_rng *rng, tcsi_family family, size_t period, double *ret, size_t count, double *work);

#endif
