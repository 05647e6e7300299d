/* serve/ingest/arrival.h -- is this sample new, and is its time believable?
 *
 * Each sample has one outcome.  The state of a series is the newest few of its stamps, so that a duplicate is known among them; what is
 * older than all of them could be one, and is therefore too old: nothing is ever taken twice.
 *
 *     newer than the newest ............................. ACCEPTED
 *     equal to one of the remembered .................... DUPLICATE (the first one stays, whatever the values)
 *     within window_ns of the newest, not yet seen ...... REORDERED
 *     older, or older than the oldest remembered ........ TOO_OLD
 *     more than ahead_ns after it was received .......... TOO_FAR_AHEAD; the state stays as it is, or one wrong clock would make all
 *                                                         that comes after it too old
 *
 * Times are arguments, so that the same journal gives the same outcomes.  State: 32 bytes a series.  Threads: one user per struct. */
#ifndef TCS_SERVE_INGEST_ARRIVAL_H
#define TCS_SERVE_INGEST_ARRIVAL_H

#include "serve/ingest/outcome.h"

enum { TCSI_ARRIVAL_DEPTH = 4 };

/* One row per limit: name, default, smallest, largest (ns), help. */
#define TCSI_ARRIVAL_LIMIT_LIST(X)                                                                                             \
    X(window_ns, INT64_C(60000000000), 0, INT64_C(86400000000000), "how much older than the newest a sample may be")         \
    X(ahead_ns, INT64_C(300000000000), 0, INT64_C(86400000000000), "how much later than its receipt a sample may be stamped")

typedef struct tcsi_arrival_limits {
#define X(name, fallback, smallest, largest, help) int64_t name;
    TCSI_ARRIVAL_LIMIT_LIST(X)
#undef X
} tcsi_arrival_limits;

typedef struct tcsi_arrival {
    int64_t newest_ns[TCSI_ARRIVAL_DEPTH]; /* newest first; INT64_MIN: none */
} tcsi_arrival;

tcsi_arrival_limits tcsi_arrival_limits_default(void);
void tcsi_arrival_begin(tcsi_arrival *arrival);
tcsi_outcome tcsi_arrival_push(tcsi_arrival *arrival, const tcsi_arrival_limits *limits, int64_t time_ns,
                               int64_t receive_ns) TCS_WARN_UNUSED;

#endif
