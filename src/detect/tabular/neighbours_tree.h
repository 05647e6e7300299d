/* detect/tabular/neighbours_tree.h -- the index behind neighbours.h: a balanced kd-tree over rows along their axes.
 *
 * Leaves are the blocks of the points, TCSI_BLOCK rows each but for the last; left halves are whole blocks, so that a leaf's
 * number is that of its first row over TCSI_BLOCK.  Splits are at the median of the leading axis with the largest variance,
 * estimated from a few rows of the node: splitting by range instead would let single far rows choose.  Rows stand in the tree's
 * order twice: as doubles, which decide, and as points, which rule out. */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_TREE_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_TREE_H

#include "detect/tabular/neighbours.h"
#include "detect/tabular/neighbours_points.h"

typedef struct tcsi_tree_node {
    uint32_t begin, end;  /* rows, in the tree's order */
    uint32_t left, right; /* 0: a leaf (the root is nobody's child) */
    uint32_t axis;        /* rows to the left have border or less on it */
    float border;
} tcsi_tree_node;

struct tcsi_neighbours {
    size_t row_count, channel_count, node_count;
    tcsi_axes axes;        /* this, points, nodes and boxes are empty where rows are few (neighbours_few.h) */
    tcsi_points points;
    double *values;        /* (R,C) in the tree's order */
    uint32_t *place;       /* (R): row number -> tree's order */
    tcsi_tree_node *nodes; /* children after their parent */
    float *boxes;          /* (nodes,2,lead_count): lowest and highest of its points */
};

/* (2,lead_count) */
static inline const float *tcsi_tree_box(const tcsi_neighbours *index, size_t node)
{
    return index->boxes + node * 2 * index->axes.lead_count;
}

/* The leaf on whose side of every border a point lies: (lead_count) floats along the axes. */
size_t tcsi_tree_leaf_of(const tcsi_neighbours *index, const float *point);

#endif
