/* serve/deliver/backoff.c -- see backoff.h.  SPDX-License-Identifier: Apache-2.0 */
#include "serve/deliver/backoff.h"

#include "base/rng.h"

static const int64_t BASE_NS = 1000000000, LEAST_NS = 100000000;

int64_t tcsi_backoff(uint64_t seed, uint32_t failures, int64_t max_ns, int64_t asked_ns)
{
    tcsi_rng rng = tcsi_rng_make(seed, failures);
    int64_t range_ns = BASE_NS;
    for (uint32_t i = 1; i < failures && range_ns < max_ns; i++) range_ns *= 2; /* stops in time: at most twice max_ns */
    if (range_ns > max_ns) range_ns = max_ns;
    const int64_t asked_max_ns = TCSI_BACKOFF_ASKED_S_MAX * INT64_C(1000000000);
    if (asked_ns > asked_max_ns) asked_ns = asked_max_ns;
    int64_t pause_ns = LEAST_NS + (int64_t)(tcsi_rng_uniform(&rng) * (double)range_ns);
    return pause_ns > asked_ns ? pause_ns : asked_ns + pause_ns / 8; /* not all at the very moment that was asked for */
}
