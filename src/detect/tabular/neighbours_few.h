/* detect/tabular/neighbours_few.h -- nearest rows among so few that looking for a shortcut costs more than it saves.
 *
 * Up to TCSI_FEW_MAX rows are kept as given, without axes, tree or floats, and every query is compared with all of them in doubles.  A
 * block of the points holds TCSI_BLOCK rows whether they are there or not, six bytes a value: a table of two rows and a
 * million channels would take 400 MB a search and spend it on places that nobody fills.
 * The results are those of the search in the tree, to the bit: the same doubles, the same order.
 * Cost: queries x rows x channels.  Memory: 8 bytes a value; a search allocates nothing. */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_FEW_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_FEW_H

#include "detect/tabular/neighbours_tree.h"

enum { TCSI_FEW_MAX = TCSI_BLOCK }; /* one leaf: nothing to skip */

static inline bool tcsi_is_few(size_t row_count)
{
    return row_count <= TCSI_FEW_MAX;
}

/* As tcsi_neighbours_search; queries NULL: as tcsi_neighbours_search_own. */
void tcsi_few_search(const tcsi_neighbours *index, const double *queries, size_t query_count, size_t k, tcsi_pool *pool,
                     double *ret_distances, uint32_t *ret_rows);

#endif
