/* kernels/trees.h -- how deep do 64 rows fall in a tree of cuts: the inner loop of the isolation forest
 * (detect/tabular/forest.h), on two tiers.
 *
 * A tree is complete, in heap order: inner place i has children 2i+1 and 2i+2, a value <= threshold goes left, and all rows
 * take depth steps.  Rows come as a block, channel by channel, so that a register holds one channel of many rows.
 * Every tier gives the same bits: steps are comparisons, and each row's sum has one addition a tree.
 * Threads: functions of their arguments. */
#ifndef TCS_KERNELS_TREES_H
#define TCS_KERNELS_TREES_H

#include "kernels/isa.h"

enum { TCSI_TREE_ROWS = 64 }; /* rows that walk together: their values stay in the first cache level */

typedef struct tcsi_tree {
    const uint32_t *channels; /* (2^depth - 1) */
    const float *thresholds;  /* (2^depth - 1) */
    const float *lengths;     /* (2^depth): what is found at the bottom */
    size_t depth;
} tcsi_tree;

/* Adds to sums, (TCSI_TREE_ROWS), what each row finds.  values: (C,TCSI_TREE_ROWS). */
typedef void (*tcsi_tree_walker)(const tcsi_tree *tree, const float *values, size_t channel_count, double *sums);

/* isa must be supported. */
tcsi_tree_walker tcsi_tree_walker_for(tcsi_isa isa, size_t channel_count);

#endif
