/* serve/shard/passed.h -- limits that somebody has set for a series: is one passed, since when, and how far?
 *
 *     policy {"high": 10}:   9   11   14    9    9    9    9
 *                                 ^ told                   ^ over: so many values on end are within
 *
 * A limit is a stated will, not an estimate: it holds from the first row on, nothing is learned for it, and neither the alarm budget, nor
 * that anomalies are off, nor what people answered moves it (adapt/memory.h, is_hard).  The value is the one that is judged, of a counter
 * its rate.  A value on the limit is within.
 *
 * Each limit that is passed is an episode of its own, LIMIT, confirmed with its first value.  It ends with the fourth value on end that is
 * within, as an anomaly does, so that a value that swings about its limit is told once.  A value beyond the other limit ends it, and opens
 * another.  When rules change so that no value of it would have passed (the limit is gone, or lies farther out), it ends with the next row
 * that is not beyond what is set now, or at the next tick that looks at the series.  Rows that are not newer than those before them, or of
 * the past (backfill.h), are not compared.
 * Cost: two comparisons a row, where nothing is passed.  Memory: 32 bytes a series.  Threads: one user per struct. */
#ifndef TCS_SERVE_SHARD_PASSED_H
#define TCS_SERVE_SHARD_PASSED_H

#include "base/codec.h"

enum { TCSI_PASSED_RUN = 4 }; /* values within, on end: it is over */

typedef enum tcsi_passed_side { TCSI_PASSED_NONE, TCSI_PASSED_LOW, TCSI_PASSED_HIGH } tcsi_passed_side;

/* What a policy sets, in the unit of the value that is judged; NaN: nothing. */
typedef struct tcsi_limits {
    double low, high; /* low < high, where both are set */
} tcsi_limits;

/* Zeros: none is passed. */
typedef struct tcsi_passed {
    int64_t begin_ns;     /* stamp of the first value beyond it */
    double limit;         /* as it was set for the newest value beyond it */
    double farthest;      /* value */
    uint8_t side;         /* tcsi_passed_side */
    uint8_t within_count; /* values on end, since */
} tcsi_passed;

/* Is there anything to do for this value? */
static inline bool tcsi_passed_concerns(const tcsi_passed *passed, const tcsi_limits *limits, double value)
{
    return value > limits->high || value < limits->low || passed->side != TCSI_PASSED_NONE;
}

/* A value, finite; first this: with it, what is passed is over, and is to be put back to zeros once that was told. */
bool tcsi_passed_ends(tcsi_passed *passed, const tcsi_limits *limits, double value);
/* And then this: it is the first one beyond a limit. */
bool tcsi_passed_begins(tcsi_passed *passed, const tcsi_limits *limits, int64_t time_ns, double value);
/* Something is passed, but not of what is set now. */
bool tcsi_passed_is_void(const tcsi_passed *passed, const tcsi_limits *limits);
void tcsi_passed_persist(tcsi_passed *passed, tcsi_codec *codec);

#endif
