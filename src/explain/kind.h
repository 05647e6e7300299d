/* explain/kind.h -- what happened to a channel, in one word, and how sure that is.
 *
 *   SPIKE        few rows stand far out, alone or scattered; the rest is as ever
 *   LEVEL_SHIFT  all is as ever, but higher or lower
 *   TREND        distances from what was due grow, or rise and fall again
 *   VARIANCE     the same course with larger or smaller deviations: noise, or cycles of another size
 *   DROP_OUT     rows are missing, or stand at zero or a lowest value that was never seen
 *   STUCK        the value hardly moves, where it always did
 *   PATTERN      another course, within the usual range or not
 *   CORRELATION  the channel keeps its own ways, but no longer moves with one that it always moved with
 *   UNCLEAR      none of these is likelier than TCSI_KIND_CONFIDENCE
 *   UNKNOWN      there is nothing to compare with: a table, or no row before
 *
 * Features (kind_measure.h) go through a small network whose weights (kind_weights.inc) were learned from simulated episodes only, by
 * bench/kind_train.c, which says how; no threshold is set by hand but the confidence.  Only rows of the episode and before it are
 * looked at, so one that is not over has a kind, too.
 * `persistent`: the rows behind the episode are still where it led to, for as long as it lasted at least (at most 200 rows are asked).
 * How often kinds are right, and how far their probabilities can be trusted, stands in docs/internals/explain.md. */
#ifndef TCS_EXPLAIN_KIND_H
#define TCS_EXPLAIN_KIND_H

#include "explain/kind_measure.h"

/* One row per kind: name in the code, name for people.  From SPIKE to CORRELATION the network tells them apart. */
#define TCSI_KIND_LIST(X)                        \
    X(UNKNOWN, "unknown")                        \
    X(SPIKE, "spike")                            \
    X(LEVEL_SHIFT, "level shift")                \
    X(TREND, "trend change")                     \
    X(VARIANCE, "variance change")               \
    X(DROP_OUT, "drop-out")                      \
    X(STUCK, "stuck")                            \
    X(PATTERN, "pattern change")                 \
    X(CORRELATION, "correlation break")          \
    X(UNCLEAR, "unclear")

typedef enum tcsi_kind_name {
#define X(kind, name) TCSI_KIND_##kind,
    TCSI_KIND_LIST(X)
#undef X
    TCSI_KIND_COUNT,
    TCSI_KIND_FIRST = TCSI_KIND_SPIKE,
    TCSI_KIND_TOLD_COUNT = TCSI_KIND_UNCLEAR - TCSI_KIND_FIRST,
} tcsi_kind_name;

#define TCSI_KIND_CONFIDENCE 0.5

const char *tcsi_kind_text(tcsi_kind_name kind); /* "level shift" */

typedef struct tcsi_kind {
    tcsi_kind_name kind;
    tcsi_kind_name likeliest;      /* kind, or of UNCLEAR the one that is likelier than the others */
    double probability;            /* of the likeliest; 0: UNKNOWN */
    bool is_over, persistent;      /* there are rows behind it; and they are still where it led to */
    double shift, slope, variance; /* medians apart, change along the line, deviations apart as a ratio: in normal deviations */
    size_t partner;                /* CORRELATION: the channel it no longer moves with */
} tcsi_kind;

/* period: rows, 0: none.  others: (other_count) channels that it may move with.  E_MEMORY. */
tcs_status tcsi_kind_find(const tcsi_subject *subject, tcsi_extent rows, size_t channel, size_t period, const size_t *others,
                          size_t other_count, tcsi_kind *ret_kind, tcs_error *err) TCS_WARN_UNUSED;

#endif
