/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/ingest/order.h"

tcsi_order_limits tcsi_order_limits_default(void)
{
    return (tcsi_order_limits){
#define X(name, fallback, smallest, largest, help) .name = fallback,
        TCSI_ORDER_LIMIT_LIST(X)
#undef X
    };
}

void tcsi_order_begin(tcsi_order *order)
{
    for (size_t i = 0; i < TCSI_ORDER_DEPTH; i++) order->newest_ns[i] = INT64_MIN;
}

/* late - early, which may be more than an int64 holds. */
static uint64_t between(int64_t early, int64_t late)
{
    return (uint64_t)late - (uint64_t)early;
}

static void remember(tcsi_order *order, int64_t time_ns)
{
    size_t at = TCSI_ORDER_DEPTH - 1;
    for (; at > 0 && order->newest_ns[at - 1] < time_ns; at--) order->newest_ns[at] = order->newest_ns[at - 1];
    order->newest_ns[at] = time_ns;
}

tcsi_outcome tcsi_order_push(tcsi_order *order, const tcsi_order_limits *limits, int64_t time_ns, int64_t receive_ns)
{
    const int64_t newest_ns = order->newest_ns[0], oldest_ns = order->newest_ns[TCSI_ORDER_DEPTH - 1];
    if (time_ns == INT64_MIN) return TCSI_OUTCOME_TIME_INVALID; /* stands for none here */
    if (time_ns > receive_ns && between(receive_ns, time_ns) > (uint64_t)limits->ahead_ns) return TCSI_OUTCOME_TOO_FAR_AHEAD;
    if (time_ns > newest_ns) {
        remember(order, time_ns);
        return TCSI_OUTCOME_ACCEPTED;
    }
    for (size_t i = 0; i < TCSI_ORDER_DEPTH; i++)
        if (time_ns == order->newest_ns[i]) return TCSI_OUTCOME_DUPLICATE;
    if (time_ns < oldest_ns || between(time_ns, newest_ns) > (uint64_t)limits->window_ns) return TCSI_OUTCOME_TOO_OLD;
    remember(order, time_ns);
    return TCSI_OUTCOME_REORDERED;
}
