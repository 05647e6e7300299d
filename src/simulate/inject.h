/* simulate/inject.h -- kinds of rare events, one function each in inject.c, laid over a normal series. */
#ifndef TCS_SIMULATE_INJECT_H
#define TCS_SIMULATE_INJECT_H

#include "base/rng.h"
#include "base/status.h"
#include "simulate/event.h"

/* One row per kind: name in the code, its function in inject.c, name for people. */
#define TCSI_EVENT_KIND_LIST(X)                                                               \
    X(SPIKE, spike, "spike")       /* one to three rows far away */                           \
    X(LEVEL, level, "level")       /* shifted */                                              \
    X(VARIANCE, variance, "var")   /* the same course, larger deviations */                   \
    X(NOISE, noise, "noise")       /* noise added, fading in and out */                       \
    X(STUCK, stuck, "stuck")       /* a constant */                                           \
    X(FREQUENCY, frequency, "freq") /* faster or slower */                                    \
    X(SHAPE, shape, "shape")       /* another shape of the same size */                       \
    X(REVERSE, reverse, "reverse") /* backwards in time */                                    \
    X(AMPLITUDE, amplitude, "amp") /* larger or smaller cycles */                             \
    X(MISSING, missing, "missing") /* a cycle that does not happen */                         \
    X(TREND, trend, "trend")       /* a ramp or a hump on top */                              \
    X(WARP, warp, "warp")          /* early or late within the stretch */                     \
    X(SWAP, swap, "swap")          /* the phase jumps */                                      \
    X(SMOOTH, smooth, "smooth")    /* details are lost */                                     \
    X(CLIP, clip, "clip")          /* cut off above or below */                               \
    X(FLIP, flip, "flip")          /* upside down */                                          \
    X(FOREIGN, foreign, "foreign") /* a stretch of another series altogether */               \
    X(BURST, burst, "burst")       /* scattered spikes */

typedef enum tcsi_event_kind {
#define X(kind, function, name) TCSI_EVENT_##kind,
    TCSI_EVENT_KIND_LIST(X)
#undef X
    TCSI_EVENT_KIND_COUNT,
    TCSI_EVENT_ANY = TCSI_EVENT_KIND_COUNT,
} tcsi_event_kind;

const char *tcsi_event_kind_name(tcsi_event_kind kind); /* "any" for ANY */
bool tcsi_event_kind_by_name(const char *name, tcsi_event_kind *ret_kind);

/* Values of work space that tcsi_inject needs for count rows. */
size_t tcsi_inject_work_count(size_t count);

/* Tries to lay an event over rows [onset, onset + length) (length at least 3; cut so that it ends before the series does).
 * values: (count >= 64), all finite; period 4..600 sizes what is relative to a cycle.  False, and nothing changed, when the result
 * would hardly differ from what was there: an event nobody could see is not labelled.  On success *ret_event holds the rows that
 * visibly differ. */
bool tcsi_inject(tcsi_rng *rng, tcsi_event_kind kind, double *values, size_t count, size_t period, size_t onset, size_t length,
                 double *work, tcsi_event *ret_event);

#endif
