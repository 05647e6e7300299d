/* serve/ingest/rate.h -- counters and deltas become values per second.
 *
 * A counter grows from a start that is forgotten when its process restarts; its level says nothing, its growth does.  The rate of a
 * sample is what was added since the sample before it, by the time between them.  A value below the last one is a restart from zero, as
 * in Prometheus: all of it was added since.  The first sample gives nothing, nor does the first after a stale mark: what lies between is
 * unknown.
 * State: 16 bytes a series, O(1) a sample.  Samples come in order of time (arrival.h); one that does not gives nothing and changes nothing.
 * Threads: one user per struct. */
#ifndef TCS_SERVE_INGEST_RATE_H
#define TCS_SERVE_INGEST_RATE_H

#include "serve/ingest/batch.h"

typedef struct tcsi_rate {
    int64_t time_ns;
    double value; /* NaN: no sample to start from */
} tcsi_rate;

/* GAUGE, COUNTER or RATE: what is stated, or what the name says.  By Prometheus' conventions counters end in _total, and the parts of a
 * histogram or summary that count in _count, _sum and _bucket. */
tcsi_series_kind tcsi_rate_kind(tcsi_series_kind stated, const tcsi_key *key);

void tcsi_rate_begin(tcsi_rate *rate);
/* A sample of a counter, or a stale mark; true when *ret_per_s is its rate. */
bool tcsi_rate_push(tcsi_rate *rate, int64_t time_ns, double value, double *ret_per_s);

/* What was added in (begin_ns, end_ns], per second; false when the interval is empty or the result no number. */
bool tcsi_rate_of_delta(double value, int64_t begin_ns, int64_t end_ns, double *ret_per_s);

#endif
