/* serve/http/limiter.h -- how often: token buckets, one a key, in a table of fixed size.
 *
 * A bucket is kept as what was used and has not flowed back: a zeroed one is full, so that a new caller needs no set-up, and one that
 * nobody used for long is the same as none.  The table holds TCSI_LIMITER_SLOTS keys in sets of eight; when a set is full, the key that
 * was used longest ago gives way.  Whoever comes from more addresses than that is limited by other means.
 * Threads: the limiter is thread-safe; a bucket belongs to whoever holds it. */
#ifndef TCS_SERVE_HTTP_LIMITER_H
#define TCS_SERVE_HTTP_LIMITER_H

#include "base/status.h"

typedef struct tcsi_bucket {
    double used;
    int64_t at_ns;
} tcsi_bucket;

/* Takes cost when it is there and returns 0; otherwise leaves the bucket and returns after how many nanoseconds it would be.
 * rate: a second; burst: what a full bucket holds, at least cost.  A clock that goes back gives nothing. */
int64_t tcsi_bucket_take(tcsi_bucket *bucket, double rate, double burst, double cost, int64_t now_ns);

enum { TCSI_LIMITER_SLOTS = 8192 };

typedef struct tcsi_limiter tcsi_limiter;

tcs_status tcsi_limiter_create(tcsi_limiter **ret_limiter, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_limiter_destroy(tcsi_limiter *limiter); /* accepts NULL */
/* tcsi_bucket_take on the bucket of key; cost 0: only asks whether one could be taken. */
int64_t tcsi_limiter_take(tcsi_limiter *limiter, uint64_t key, double rate, double burst, double cost, int64_t now_ns);
/* A key of a text and a number: who, and what for. */
uint64_t tcsi_limiter_key(const char *text, uint64_t number);

#endif
