/* serve/deliver/backoff.h -- how long to wait before the next attempt: exponential, with full jitter.
 *
 * The pause is drawn evenly between a tenth of a second and base * 2^failures, at most max (M. Brooker, "Exponential backoff and jitter",
 * 2015): drawn from the whole range, so that many senders that failed at the same moment do not come back at the same moment.
 * A pure function: the same seed and failures give the same pause.  What the receiver asks for (Retry-After) is a lower bound. */
#ifndef TCS_SERVE_DELIVER_BACKOFF_H
#define TCS_SERVE_DELIVER_BACKOFF_H

#include <stdint.h>

enum { TCSI_BACKOFF_ASKED_S_MAX = 3600 };

/* failures: 1 after the first.  asked_ns: 0 when nothing was asked for; more than an hour counts as one. */
int64_t tcsi_backoff(uint64_t seed, uint32_t failures, int64_t max_ns, int64_t asked_ns);

#endif
