/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/arrival.h"

tcsi_arrival_limits tcsi_arrival_limits_default(void)
{
    return (tcsi_arrival_limits){
#define X(name, fallback, smallest, largest, help) .name = fallback,
        TCSI_ARRIVAL_LIMIT_LIST(X)
#undef X
    };
}

void tcsi_arrival_begin(tcsi_arrival *arrival)
{
    for (size_t i = 0; i < TCSI_ARRIVAL_DEPTH; i++) arrival->newest_ns[i] = INT64_MIN;
}

/* late - early, which may be more than an int64 holds. */
static uint64_t between(int64_t early, int64_t late)
{
    return (uint64_t)late - (uint64_t)early;
}

static void remember(tcsi_arrival *arrival, int64_t time_ns)
{
    size_t at = TCSI_ARRIVAL_DEPTH - 1;
    for (; at > 0 && arrival->newest_ns[at - 1] < time_ns; at--) arrival->newest_ns[at] = arrival->newest_ns[at - 1];
    arrival->newest_ns[at] = time_ns;
}

tcsi_outcome tcsi_arrival_push(tcsi_arrival *arrival, const tcsi_arrival_limits *limits, int64_t time_ns, int64_t receive_ns)
{
    const int64_t newest_ns = arrival->newest_ns[0], oldest_ns = arrival->newest_ns[TCSI_ARRIVAL_DEPTH - 1];
    if (time_ns == INT64_MIN) return TCSI_OUTCOME_TIME_INVALID; /* stands for none here */
    if (time_ns > receive_ns && between(receive_ns, time_ns) > (uint64_t)limits->ahead_ns) return TCSI_OUTCOME_TOO_FAR_AHEAD;
    if (time_ns > newest_ns) {
        remember(arrival, time_ns);
        return TCSI_OUTCOME_ACCEPTED;
    }
    for (size_t i = 0; i < TCSI_ARRIVAL_DEPTH; i++)
        if (time_ns == arrival->newest_ns[i]) return TCSI_OUTCOME_DUPLICATE;
    if (time_ns < oldest_ns || between(time_ns, newest_ns) > (uint64_t)limits->window_ns) return TCSI_OUTCOME_TOO_OLD;
    remember(arrival, time_ns);
    return TCSI_OUTCOME_REORDERED;
}
