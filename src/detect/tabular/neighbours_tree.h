/* detect/tabular/neighbours_tree.h -- the index behind neighbours.h: a balanced kd-tree over rows, and their floats leaf by leaf.
 *
 * Leaves hold TCSI_LEAF rows each but for the last; left halves are whole leaves, so that a leaf's number is that of its first
 * row over TCSI_LEAF.  Splits are at the median of the channel whose values spread most.  Rows stand in the tree's order
 * twice: as doubles, which decide, and as floats, centred and scaled, which rule out (kernels/nearest.h). */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_TREE_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_TREE_H

#include "detect/tabular/neighbours.h"
#include "kernels/nearest.h"

typedef struct tcsi_tree_node {
    uint32_t begin, end;  /* rows, in the tree's order */
    uint32_t left, right; /* 0: a leaf (the root is nobody's child) */
} tcsi_tree_node;

struct tcsi_neighbours {
    size_t row_count, channel_count, node_count;
    uint32_t *order;   /* (R): tree order -> row number */
    uint32_t *place;   /* (R): row number -> tree order */
    double *values;    /* (R,C) in tree order */
    float *floats_block;
    float *floats;     /* (leaves,C,TCSI_LEAF) in floats_block, on a 64-byte border; centred and scaled; 0 in unused lanes */
    float *halves;     /* (leaves,TCSI_LEAF): half the squared norm of the floats */
    float *leaf_norms; /* (leaves): a bound of the norms of their floats */
    float norm_max;    /* the largest of them */
    double *boxes;     /* (nodes,2,C): lowest and highest */
    double *centres;   /* (C) */
    double scale;      /* a power of two */
    tcsi_tree_node *nodes;
    uint32_t *leaf_nodes; /* (leaves): each leaf's node */
};

static inline size_t tcsi_tree_leaf_count(const tcsi_neighbours *index)
{
    return (index->row_count + TCSI_LEAF - 1) / TCSI_LEAF;
}

/* One row as floats in the frame of reference of index, step apart; returns the sum of the floats' squares. */
double tcsi_tree_floats(const tcsi_neighbours *index, const double *row, float *ret_floats, size_t step);
/* From that sum: no smaller than the norm before rounding to floats. */
double tcsi_tree_norm(double squares);

#endif
