/* series/rank_window.h -- the last N values of a stream, kept in order: ranks and quantiles in O(log N).
 *
 * A push that finds the window full drops the oldest value.  How many values are at least as high as one, and the value of a rank, are
 * one walk down a treap (R. Seidel, C. Aragon, "Randomized search trees", Algorithmica 16, 1996) whose priorities are a hash of the place
 * in the window, so that a tree depends on what the window holds and on nothing else.
 * Memory: 24 bytes a place, allocated once.  Threads: one user per window. */
#ifndef TCS_SERIES_RANK_WINDOW_H
#define TCS_SERIES_RANK_WINDOW_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct tcsi_rank_node {
    double value;
    uint32_t count, left, right; /* count: of its subtree */
} tcsi_rank_node;

typedef struct tcsi_rank_window {
    tcsi_rank_node *nodes; /* (capacity), a ring by age */
    size_t capacity, count;
    size_t next;           /* place of the next value */
    uint32_t root;
} tcsi_rank_window;

/* 1 <= capacity <= 2^31.  E_INVALID, E_MEMORY. */
tcs_status tcsi_rank_window_init(tcsi_rank_window *window, size_t capacity, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_rank_window_deinit(tcsi_rank_window *window); /* accepts a zeroed one */
void tcsi_rank_window_push(tcsi_rank_window *window, double value); /* not NaN */

size_t tcsi_rank_window_at_least(const tcsi_rank_window *window, double value); /* how many values are >= value */
/* The smallest value such that at least `rank` values are not above it; infinite when there are fewer than rank. */
double tcsi_rank_window_quantile(const tcsi_rank_window *window, double rank);

#endif
