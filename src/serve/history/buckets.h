/* serve/history/buckets.h -- rows of any number as a picture of some hundred points: equal steps of time, each with what was in it.
 *
 * Mean of the value, its least and greatest; mean of what was expected and of the band around it; the greatest score, so that no peak is
 * lost however far one looks from.  Merged rows weigh as many as they are made of.
 * Memory: 80 bytes a bucket.  Threads: one user per struct. */
#ifndef TCS_SERVE_HISTORY_BUCKETS_H
#define TCS_SERVE_HISTORY_BUCKETS_H

#include "serve/history/pack.h"

/* A band is so many deviations wide on each side: serve/keeper.c tells receivers the same. */
#define TCSI_BAND_DEVIATIONS 3.0

typedef struct tcsi_bucket {
    double sum, low, high;
    double expected, deviation;   /* sums over the rows that were scored */
    double score;
    uint64_t count, scored_count; /* count 0: nothing is in it */
} tcsi_bucket;

typedef struct tcsi_buckets {
    int64_t begin_ns, step_ns;    /* of the first one; a multiple of step_ns, where that is one that people like to read */
    size_t count;
    tcsi_bucket *items;           /* (count) */
} tcsi_buckets;

/* Buckets that hold [from_ns, to_ns], from_ns <= to_ns: at most count_max of a step that people like to read, at least step_min_ns. */
tcs_status tcsi_buckets_init(tcsi_buckets *buckets, int64_t from_ns, int64_t to_ns, size_t count_max, int64_t step_min_ns,
                             tcs_error *err) TCS_WARN_UNUSED;
void tcsi_buckets_deinit(tcsi_buckets *buckets); /* accepts a zeroed one */
void tcsi_buckets_push(tcsi_buckets *buckets, const tcsi_chronicle_row *row); /* outside of all: not looked at */

/* What a bucket shows; NaN: nothing. */
typedef struct tcsi_bucket_shown {
    double value, low, high, expected, lower, upper, score;
} tcsi_bucket_shown;
tcsi_bucket_shown tcsi_bucket_show(const tcsi_bucket *bucket);

#endif
