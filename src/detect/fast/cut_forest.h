/* detect/fast/cut_forest.h -- random cut trees over the last points they were given, and how far a point would displace them.
 * What a random cut tree is, how it changes and what it costs: cut_forest.c.
 * Memory: allocated by init.  Threads: one user per struct. */
#ifndef TCS_DETECT_FAST_CUT_FOREST_H
#define TCS_DETECT_FAST_CUT_FOREST_H

#include "base/codec.h"
#include "base/rng.h"

enum { TCSI_CUT_WINDOW_MAX = 32768, TCSI_CUT_DIMENSION_COUNT_MAX = 4096 };

typedef struct tcsi_cut_options {
    size_t tree_count;
    size_t window;          /* S: points in a tree, 2 .. TCSI_CUT_WINDOW_MAX */
    size_t dimension_count; /* D: 1 .. TCSI_CUT_DIMENSION_COUNT_MAX */
} tcsi_cut_options;

typedef struct tcsi_cut_forest {
    tcsi_cut_options options;
    struct tcsi_cut_tree *trees;     /* (trees) */
    struct tcsi_cut_walker *walkers; /* (trees) work space of displacement */
    unsigned char *nodes;            /* (trees, 2S-1) of the size a node has with D dimensions */
    uint16_t *leaves;                /* (trees, S) */
} tcsi_cut_forest;

tcs_status tcsi_cut_forest_init(tcsi_cut_forest *forest, const tcsi_cut_options *options, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_cut_forest_deinit(tcsi_cut_forest *forest); /* accepts a zeroed struct */
void tcsi_cut_forest_clear(tcsi_cut_forest *forest);
size_t tcsi_cut_forest_size(const tcsi_cut_options *options); /* bytes allocated */

/* point (D, finite, below 1e30) joins one tree; when the tree is full its oldest point leaves first. */
void tcsi_cut_forest_take(tcsi_cut_forest *forest, size_t tree, const float *point, tcsi_rng *rng);

/* The mean over trees of the collusive displacement that point would have if it joined them; 0 where there is no other point. */
double tcsi_cut_forest_displacement(tcsi_cut_forest *forest, const float *point);

void tcsi_cut_forest_persist(tcsi_cut_forest *forest, tcsi_codec *codec);

#endif
