/* serve/shard/pulse.h -- what the scores of live rows look like: counts for those who watch whether the service can still be believed.
 *
 * Every TCSI_PULSE_EVERY-th scored row of a cell is looked at: is its p-value below 0.01, which one of a hundred normal rows should be;
 * and into which bin do its score, and its signed distance from what was expected, fall?  Counts only grow; who watches compares two
 * moments.  Bins are narrow where rows are many: the edges are quantiles of a normal variable.
 * Cost: a p-value and two searches every 64 rows.  Threads: the cell's. */
#ifndef TCS_SERVE_SHARD_PULSE_H
#define TCS_SERVE_SHARD_PULSE_H

#include "base/codec.h"

enum { TCSI_PULSE_EVERY = 64, TCSI_PULSE_BINS = 10 };

typedef struct tcsi_pulse {
    uint64_t sample_count, low_count;      /* rows looked at, and those with a p-value below 0.01 */
    uint64_t heights[TCSI_PULSE_BINS];     /* of scores, in deviations from 0 */
    uint64_t distances[TCSI_PULSE_BINS];   /* (value - expected) / deviation */
} tcsi_pulse;

void tcsi_pulse_take(tcsi_pulse *pulse, double p_value, double score, double distance);
void tcsi_pulse_add(tcsi_pulse *pulse, const tcsi_pulse *other);
void tcsi_pulse_persist(tcsi_pulse *pulse, tcsi_codec *codec);

/* How far two distributions are apart: the population stability index, sum (p - q) ln(p / q), each bin counted with half a row more
 * (S. Lewis: An Introduction to Credit Scoring, 1994).  Usual reading: below 0.1 nothing, above 0.25 another population. */
double tcsi_pulse_distance(const uint64_t *bins, const uint64_t *reference);

#endif
