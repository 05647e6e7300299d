/* detect/tabular/neighbours_query.h -- one query of a search for nearest rows, on its way through the tree.
 *
 * Candidates gather in any order as floats; now and then only those are kept that can still be among the k nearest, which
 * lowers the limit.  Doubles are computed at the end, of little more than k rows.  Where floats cannot tell rows apart (more
 * than room of them look equally near) the query goes on in doubles.
 *
 * Bounds.  With u = 2^-24, and |q|, |r| norms along the axes after centring and scaling, the float distance f of n channels in
 * the direct form and the true one d satisfy  sqrt(f) <= (d (1 + u) + u (|q| + |r|)) (1 + (n + 4) u),  so that a row within reach
 * has no larger f; nor has the distance over some of the axes, or from a box around the row.  Turning the axes, in
 * doubles, adds 1e-10 d.  Because |r| <= |q| + d, limits depend on the query alone: rows far away need no room for their
 * rounding.  Solved for d the same inequality says how far a row of a given f can be.  In grains, g to a unit, both points of
 * n leading axes are off by 0.505 sqrt(n) at most, so that a row within d has no larger distance than g d + 1.01 sqrt(n). */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_QUERY_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_QUERY_H

#include "detect/tabular/neighbours_tree.h"

typedef struct tcsi_candidate {
    double distance; /* squared */
    uint32_t row;
} tcsi_candidate;

/* What all queries of one search share. */
typedef struct tcsi_search {
    const tcsi_neighbours *index;
    const tcsi_points *queries; /* the index's own points: each row's neighbours but itself */
    const double *values;       /* (Q,C) of the queries by row number; unused when they are the index's own */
    const tcsi_nearest_ops *ops;
    size_t k, room;
    bool is_loose;
    double grain, rounding; /* of the points; what rounding to them adds to a distance between two, in grains */
    double *distances; /* (Q,k) */
    uint32_t *rows;
    float *boxes;      /* (threads,2,lead_count) */
    float *near;       /* (threads,TCSI_BLOCK,room), and the next two */
    uint32_t *at;
    tcsi_candidate *found;
} tcsi_search;

typedef struct tcsi_query {
    const double *values;
    tcsi_candidate *found; /* room; in use when exact */
    size_t found_count;
    bool exact;            /* in doubles from the beginning, where values are clipped, or once floats cannot go on */
    uint32_t self;         /* own row number, or UINT32_MAX */
    uint32_t row;
    double norm;
    double worst;          /* squared distance that the k-th cannot exceed, infinite until k were found */
} tcsi_query;

/* The queries of one block. */
typedef struct tcsi_group {
    tcsi_seekers seekers;
    tcsi_query queries[TCSI_BLOCK];
} tcsi_group;

/* Entries of a query's list: k, those that floats cannot tell from them, those since the last look, a block and a register. */
size_t tcsi_query_room(size_t k);

/* The k nearest of what was found, in order; k <= count. */
void tcsi_candidates_nearest(const tcsi_nearest_ops *ops, tcsi_candidate *found, size_t count, size_t k, double *ret_distances,
                             uint32_t *ret_rows);

/* Block `number` of the queries, in the worker's lists. */
void tcsi_group_begin(const tcsi_search *search, size_t number, size_t worker, tcsi_group *ret_group);
/* Limits every query by the first leaf that the group comes to, where that is quickly done; false otherwise. */
bool tcsi_group_seed(const tcsi_search *search, tcsi_group *group, const tcsi_block *leaf);
/* After rows were appended to a query's list beyond its mark. */
void tcsi_query_settle(const tcsi_search *search, tcsi_group *group, uint32_t number);
/* What comes before finish, with other queries between the two while memory is on its way. */
void tcsi_query_ready(const tcsi_search *search, tcsi_group *group, uint32_t number);
/* Writes the k nearest of what was found, in order. */
void tcsi_query_finish(const tcsi_search *search, tcsi_group *group, uint32_t number);

#endif
