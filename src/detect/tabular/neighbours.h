/* detect/tabular/neighbours.h -- the exact k nearest rows (Euclidean), for few channels and for many.
 *
 * One index for all dimensions: a balanced kd-tree along principal axes, whose leaves hold 64 rows.  Queries are taken 64 at a
 * time too, near ones together, so that a whole group walks the tree and every comparison with a leaf is a vector loop.
 *   1. A subtree is skipped when its box is farther from the group's box than the worst k-th distance in the group.
 *   2. A leaf is skipped for one query when the leaf's box is farther than its k-th distance; 64 queries are compared with
 *      a box at once.
 *   3. Otherwise the query is compared with all 64 rows in single precision, on the leading axes only, which hold most of
 *      every distance.  A row whose distance cannot be below the k-th one, rounding errors included, is done with; the others
 *      join a list and are looked at along the other axes.  Now and then the list is cut to those that can still be among the k
 *      nearest, which lowers the limit.  Double precision is spent at the end, on little more than k rows; where floats
 *      cannot tell more than that apart, as they come.
 * In few dimensions the boxes do the work (a kd-tree); in many the float pass does (a blocked scan).  Up to 64 rows are one
 * leaf and are compared in doubles at once (neighbours_few.h).  The result is the
 * same bits whatever the order of visits and the instruction set: distances are doubles of the values as given, summed in one
 * order, and ties go to the lower row number.  Who can do with less says LOOSE, and is spared the doubles and the sorting
 * (half the time where k is a twentieth of the rows); then the bits are those of one instruction set.
 * Sources: J. L. Bentley, "Multidimensional binary search trees used for associative searching", CACM 18(9), 1975;
 * J. H. Friedman, J. L. Bentley, R. A. Finkel, "An algorithm for finding best matches", ACM TOMS 3(3), 1977.
 * Memory: 18.5 bytes a value and 32 a row, and 4 bytes a value more while an index is made; 8 bytes a value of up to 64 rows.
 * Values must be finite and within TCS_VALUE_MAX.  Differences below 1e-160 count as 0.
 * Threads: after create any number of readers. */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_H

#include "base/codec.h"
#include "base/pool.h"

#define TCSI_NEIGHBOURS_ROW_COUNT_MAX ((size_t)1 << 31)

typedef struct tcsi_neighbours tcsi_neighbours;

/* values: (R,C), copied.  row_count, channel_count >= 1.  k: how many neighbours will be sought, roughly: only speed depends on
 * it.  E_MEMORY, E_LIMIT. */
tcs_status tcsi_neighbours_create(const double *values, size_t row_count, size_t channel_count, size_t k, tcsi_neighbours **ret_index,
                                  tcs_error *err) TCS_WARN_UNUSED;
void tcsi_neighbours_destroy(tcsi_neighbours *index); /* accepts NULL */
size_t tcsi_neighbours_row_count(const tcsi_neighbours *index);
/* One indexed row, (C), by its number in the matrix given to create. */
const double *tcsi_neighbours_row(const tcsi_neighbours *index, size_t row);

typedef enum tcsi_nearness {
    TCSI_NEAREST_EXACT, /* nearest first; what the essay above promises */
    TCSI_NEAREST_LOOSE, /* in any order; distances are floats', off by LOOSE_ERROR of the k-th at most, and so is who is among the k */
} tcsi_nearness;
#define TCSI_NEAREST_LOOSE_ERROR 2e-4

/* The k nearest indexed rows of every query row, (Q,k) each; distances are Euclidean.  queries: (Q,C), finite and within
 * TCS_VALUE_MAX; k <= row_count.  E_MEMORY, E_LIMIT. */
tcs_status tcsi_neighbours_search(const tcsi_neighbours *index, const double *queries, size_t query_count, size_t k,
                                  tcsi_nearness nearness, tcsi_pool *pool, double *ret_distances, uint32_t *ret_rows,
                                  tcs_error *err) TCS_WARN_UNUSED;
/* The same for every indexed row among the others: k < row_count. */
tcs_status tcsi_neighbours_search_own(const tcsi_neighbours *index, size_t k, tcsi_nearness nearness, tcsi_pool *pool,
                                      double *ret_distances, uint32_t *ret_rows, tcs_error *err) TCS_WARN_UNUSED;

/* Adds to parts, (C), what the channels have to do with the distance d of row, (C), from an indexed one: factor times the larger
 * of d and floor, shared out by squared differences.  Nothing where d is 0. */
void tcsi_neighbours_share(const tcsi_neighbours *index, const double *row, size_t neighbour, double floor, double factor, double *parts);

/* The local reachability density of one row and the local outlier factor (see lof.c): distances and rows are the row's k
 * neighbours, k_distances and densities those of the indexed rows.  TCSI_REACH_MIN bounds densities, as in scikit-learn. */
#define TCSI_REACH_MIN 1e-10
double tcsi_reach_density(const double *distances, const uint32_t *rows, size_t k, const double *k_distances);
double tcsi_density_ratio(double own_density, const uint32_t *rows, size_t k, const double *densities);

/* Saves the rows in their own order; loading makes the index anew, for k. */
void tcsi_neighbours_persist(tcsi_neighbours **index, size_t channel_count, size_t k, tcsi_codec *codec);

/* Bytes that an index of this size holds, creating included; and what a search adds. */
size_t tcsi_neighbours_size_max(size_t row_count, size_t channel_count);
size_t tcsi_neighbours_search_size(size_t query_count, size_t channel_count, size_t k, size_t thread_count);

#endif
