/* detect/tabular/forest.h -- isolation trees as flat arrays, built from and walked over dense rows.
 *
 * Source: F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation forest", ICDM 2008, algorithms 1-3 and equations (1), (2).
 * A tree is a complete binary tree of `depth` levels in heap order: inner place i has children 2i+1 and 2i+2.  Where the
 * real tree ends earlier, the places below repeat "threshold = +infinity", so that every row takes exactly `depth` steps
 * to the left-most bottom place under its leaf and no step has a branch.  The bottom places hold path lengths: the leaf's
 * real depth plus c(size), the mean depth of the subtree that was not grown; the inner places remember the same of the rows
 * that were cut there, for shares.
 * Values are floats, as in scikit-learn; the caller centres and scales first, so that 24 bits are enough.
 * Memory: tree_count * 2^depth * 16 bytes.  Threads: after build any number of readers. */
#ifndef TCS_DETECT_TABULAR_FOREST_H
#define TCS_DETECT_TABULAR_FOREST_H

#include "base/codec.h"
#include "base/pool.h"

enum { TCSI_FOREST_TREE_COUNT_MAX = 1000, TCSI_FOREST_SAMPLE_COUNT_MAX = 4096 };

typedef struct tcsi_forest {
    size_t tree_count, sample_count, channel_count;
    size_t depth;       /* ceil(log2(sample_count)), at least 1 */
    uint32_t *channels; /* (tree_count, 2^depth - 1), each < channel_count */
    float *thresholds;  /* the same shape; a value <= threshold goes left */
    float *expected;    /* the same shape: level + c(rows here); at fillers the leaf's */
    float *lengths;     /* (tree_count, 2^depth) path lengths at the bottom */
} tcsi_forest;

/* Grows tree_count trees on sample_count rows each, drawn without replacement; fewer rows than that: all of them.
 * values: (R,C) finite.  Tree i draws from stream i of seed, whatever the pool.  row_count >= 1.  E_MEMORY. */
tcs_status tcsi_forest_build(const double *values, size_t row_count, size_t channel_count, size_t tree_count, size_t sample_count,
                             uint64_t seed, tcsi_pool *pool, tcsi_forest *ret_forest, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_forest_deinit(tcsi_forest *forest); /* accepts a zeroed struct */

/* ret_scores[i] = 2^(-mean path length of row i / c(sample_count)), in (0, 1]: equation (2).  E_MEMORY. */
tcs_status tcsi_forest_score(const tcsi_forest *forest, const double *values, size_t row_count, tcsi_pool *pool, double *ret_scores,
                             tcs_error *err) TCS_WARN_UNUSED;

/* Which channels isolate a row, (C).  A cut changes the path length that is expected of the row; what the cuts in a channel take
 * off it, in the mean over trees, is added to parts, (C), and nothing where they lengthen it.  All changes together are the
 * difference between c(sample_count) and the row's mean path length.  scratch: (C).
 * Source: A. Palczewska, J. Palczewski, R. Marchese Robinson, D. Neagu, "Interpreting random forest models using a feature
 * contribution method", IRI 2013, with path lengths for classes. */
void tcsi_forest_share(const tcsi_forest *forest, const double *row, double *scratch, double *parts);

void tcsi_forest_persist(tcsi_forest *forest, size_t channel_count, tcsi_codec *codec);

/* Bytes that a forest and its building hold; the second: what scoring adds, of a forest at most as large. */
size_t tcsi_forest_size_max(size_t tree_count, size_t sample_count, size_t channel_count, size_t thread_count);
size_t tcsi_forest_score_size(size_t tree_count, size_t sample_count, size_t channel_count, size_t thread_count);

/* c(n): mean path length of an unsuccessful search in a binary search tree of n items, equation (1); 0 for n < 2. */
double tcsi_forest_mean_length(size_t count);

#endif
