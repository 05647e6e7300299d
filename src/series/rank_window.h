/* series/rank_window.h -- the last N values of a stream, kept in order: ranks and quantiles by weight in O(log N).
 *
 * Each value carries a weight >= 0.  A push that finds the window full drops the oldest value.  Weights above a value, and the value
 * below which a given weight lies, are one walk down a treap (R. Seidel, C. Aragon, "Randomized search trees", Algorithmica 16, 1996)
 * whose priorities are a hash of the place in the window, so that a tree depends on what the window holds and on nothing else: the same
 * pushes give the same bits, also when the window was saved and loaded in between.  Sums of weights are added up from below after every
 * change, never subtracted, so that nothing drifts.
 * Memory: 40 bytes a place, allocated once.  Threads: one user per window. */
#ifndef TCS_SERIES_RANK_WINDOW_H
#define TCS_SERIES_RANK_WINDOW_H

#include "base/codec.h"

typedef struct tcsi_rank_node {
    double value, weight, sum; /* sum: of the weights of its subtree */
    uint32_t left, right;
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
/* value: not NaN; weight: finite, >= 0. */
void tcsi_rank_window_push(tcsi_rank_window *window, double value, double weight);
/* Multiplies every weight.  O(N).  A power of two keeps every ratio to the bit. */
void tcsi_rank_window_scale(tcsi_rank_window *window, double factor);

double tcsi_rank_window_total(const tcsi_rank_window *window);
double tcsi_rank_window_above(const tcsi_rank_window *window, double value);    /* weight of values > value */
double tcsi_rank_window_at_least(const tcsi_rank_window *window, double value); /* weight of values >= value */
/* The smallest value such that values up to it weigh at least weight; infinite when all together weigh less. */
double tcsi_rank_window_quantile(const tcsi_rank_window *window, double weight);

/* Loading, window was initialised with the same capacity. */
void tcsi_rank_window_persist(tcsi_rank_window *window, tcsi_codec *codec);

#endif
