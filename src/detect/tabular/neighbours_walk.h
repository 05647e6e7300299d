/* detect/tabular/neighbours_walk.h -- takes the queries of one block through the tree of the index together.
 *
 * Depth first, nearer child first.  A subtree is skipped when its box is farther from the queries' box than the worst k-th
 * distance among them, a leaf is skipped for a query when the leaf's box is farther than its own. */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_WALK_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_WALK_H

#include "detect/tabular/neighbours_query.h"

/* A task of tcsi_pool_run: context is the tcsi_search, number a block of its queries. */
void tcsi_walk_block(void *context, size_t number, size_t worker);

#endif
