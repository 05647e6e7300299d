/* detect/ensemble/leaky_join.h -- how unlike its own past is the present, at one memory span tau?  Causal, in bounded memory.
 *
 * Rows are averaged over blocks of f rows so that a window of 3 tau rows has about 36 values; the newest window is compared,
 * under weights that fade with time constant tau, with stored windows of the past that ended before it began (kernels/leaky.h).
 * The past is cut into segments of 64 windows.  Segment g is used from the moment its last window is W windows old, and kept
 * until J 2^k segments are complete, where 2^k is the largest power of two that divides g: the whole past stays represented,
 * ever more thinly, by at most J segments; the first one is never dropped.
 * Output per row: distances of the last complete block's window to the nearest stored one, root mean square, in units of the
 * values: with each mean removed (shape) and raw (shape and level); 0 while nothing is stored.
 * Cost: 64 J / f cells a row.  Memory: one block of J segments, allocated at init.  Threads: one user per struct. */
#ifndef TCS_DETECT_LEAKY_JOIN_H
#define TCS_DETECT_LEAKY_JOIN_H

#include "base/codec.h"
#include "kernels/leaky.h"

enum {
    TCSI_LEAKY_SEGMENT_LIMIT_MAX = 1024, /* J at most */
    TCSI_LEAKY_KEPT = TCSI_LEAKY_VALUES + TCSI_LEAKY_WINDOW_MAX, /* values that a new segment and the newest window reach back */
    TCSI_LEAKY_RECENT = 2 * TCSI_LEAKY_KEPT,
};

typedef struct tcsi_leaky_join {
    tcsi_isa isa;
    size_t factor, segment_limit;  /* f; J */
    tcsi_leaky_rule rule;
    tcsi_leaky_segment *segments;  /* (J), aligned, inside memory */
    uint64_t *numbers;             /* (J) which segment each of them is */
    size_t segment_count;
    void *memory;
    double block_sum;
    size_t block_count;            /* rows in the block being filled */
    double recent[TCSI_LEAKY_RECENT + TCSI_LEAKY_WINDOW_MAX]; /* last block means, the newest at recent[recent_count - 1] */
    size_t recent_count;
    uint64_t value_count;          /* block means so far */
    double centred, raw;           /* of the newest window */
} tcsi_leaky_join;

/* time_constant: tau in rows, 1 to 100,000; segment_limit: J, 1..TCSI_LEAKY_SEGMENT_LIMIT_MAX.  E_MEMORY. */
tcs_status tcsi_leaky_join_init(tcsi_leaky_join *join, double time_constant, size_t segment_limit, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_leaky_join_deinit(tcsi_leaky_join *join); /* accepts a zeroed struct */
void tcsi_leaky_join_reset(tcsi_leaky_join *join);

/* One row in; afterwards join->centred and join->raw are the row's.  value: finite, at most 1e6 in magnitude, of order 1. */
void tcsi_leaky_join_push(tcsi_leaky_join *join, double value);

void tcsi_leaky_join_persist(tcsi_leaky_join *join, tcsi_codec *codec); /* loading: into a join made with the same arguments */

/* Bytes that init allocates. */
size_t tcsi_leaky_join_size(size_t segment_limit);

#endif
