/* explain/kind.h -- what happened to a channel, in one word.
 *
 * The rows of the episode are held against what the rows before it would have led to (their median; one to three periods back where the
 * channel repeats itself), in deviations of what is normal there.  Of the episode, the stretch counts in which distances are large, if
 * there is one: scores that look at windows make episodes longer than what happened.  Asked in this order, the first yes counts:
 *   DROP_OUT     most rows are missing, or stand at zero or the lowest value ever seen, where that is rare
 *   STUCK        the value hardly moves, where it always did
 *   SPIKE        at most three rows, or a tenth of them, stand far out; the rest is as ever
 *   TREND        a straight line explains most of the distance, and it grows
 *   LEVEL_SHIFT  the median is off by more than the rest varies
 *   VARIANCE     distances from that median are much larger, or much smaller, than usual, and so are the values' own spread or roughness
 *   CORRELATION  the channel keeps its own ways, but no longer moves with one that it always moved with
 *   PATTERN      none of these: another course within the usual range
 * `persistent`: the rows behind the episode are still where it led to, for as long as it lasted at least (at most 200 rows are asked).
 * Thresholds are constants in kind.c; how often they are right on simulated events stands in docs/internals/explain.md. */
#ifndef TCS_EXPLAIN_KIND_H
#define TCS_EXPLAIN_KIND_H

#include "explain/subject.h"

/* One row per kind: name in the code, name for people. */
#define TCSI_KIND_LIST(X)                        \
    X(UNKNOWN, "unknown")                        \
    X(SPIKE, "spike")                            \
    X(LEVEL_SHIFT, "level shift")                \
    X(TREND, "trend change")                     \
    X(VARIANCE, "variance change")               \
    X(DROP_OUT, "drop-out")                      \
    X(STUCK, "stuck")                            \
    X(PATTERN, "pattern change")                 \
    X(CORRELATION, "correlation break")

typedef enum tcsi_kind_name {
#define X(kind, name) TCSI_KIND_##kind,
    TCSI_KIND_LIST(X)
#undef X
    TCSI_KIND_COUNT,
} tcsi_kind_name;

const char *tcsi_kind_text(tcsi_kind_name kind); /* "level shift" */

typedef struct tcsi_kind {
    tcsi_kind_name kind;
    bool persistent;
    double shift, slope, variance; /* medians apart, change along the line, deviations apart as a ratio: in normal deviations */
    size_t partner;                /* CORRELATION: the channel it no longer moves with */
} tcsi_kind;

/* period: rows, 0: none.  others: (other_count) channels that it may move with.  E_MEMORY. */
tcs_status tcsi_kind_find(const tcsi_subject *subject, tcsi_extent rows, size_t channel, size_t period, const size_t *others,
                          size_t other_count, tcsi_kind *ret_kind, tcs_error *err) TCS_WARN_UNUSED;

#endif
