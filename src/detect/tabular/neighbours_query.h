/* detect/tabular/neighbours_query.h -- one query of a search for nearest rows, on its way through the tree.
 *
 * Candidates gather in any order as floats; now and then only those are kept that can still be among the k nearest, which
 * lowers the limit.  Doubles are computed at the end, of little more than k rows.  Where floats cannot tell rows apart (more
 * than room of them look equally near) the query goes on in doubles.  The bounds are those of neighbours.h. */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_QUERY_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_QUERY_H

#include "detect/tabular/neighbours_tree.h"

typedef struct tcsi_candidate {
    double distance; /* squared */
    uint32_t row;
} tcsi_candidate;

/* What all queries of one search share. */
typedef struct tcsi_search {
    const tcsi_neighbours *index, *queries;
    const tcsi_nearest_ops *ops;
    size_t k, room;
    double *distances; /* (Q,k) */
    uint32_t *rows;
    float *points;     /* (threads,TCSI_LEAF,C): the group's points as floats of the index */
    float *near;       /* (threads,TCSI_LEAF,room), and the next two */
    uint32_t *at;
    tcsi_candidate *found;
} tcsi_search;

/* What a row's float result must not exceed, in either form. */
typedef struct tcsi_limits {
    bool product, sharp; /* the product form is sharp enough; the direct one is */
    float direct, square;
} tcsi_limits;

typedef struct tcsi_query {
    const double *values;
    tcsi_near_list list; /* room */
    size_t count, kept;  /* in list; of them looked at by narrow */
    tcsi_candidate *found; /* room; in use when exact */
    size_t found_count;
    bool exact, used_product;
    uint32_t self; /* own row number, or UINT32_MAX */
    uint32_t row;
    double norm, square; /* of the floats: a bound, and the sum itself */
    double norm_seen;    /* largest leaf_norm scanned */
    double worst;        /* squared distance that the k-th cannot exceed, infinite until k were found */
    double worst_scaled; /* its root in the floats' units */
    double box_limit;    /* squared float distance of a box beyond which none of its rows is within worst */
    tcsi_limits usual;   /* of any leaf, while worst stays; used when sharp enough */
} tcsi_query;

/* Entries of a query's list: k, those that floats cannot tell from them, those since the last look, a leaf and a vector. */
size_t tcsi_query_room(size_t k);

/* Query number `number` of the worker's group: row `at` of the tree of queries. */
void tcsi_query_begin(const tcsi_search *search, size_t worker, size_t number, size_t at, tcsi_query *ret_query);
/* The limits for one leaf. */
tcsi_limits tcsi_query_limits(const tcsi_search *search, const tcsi_query *query, uint32_t leaf);
/* Where hits are to be appended. */
tcsi_near_list tcsi_query_end(const tcsi_query *query);
/* After hit_count > 0 rows of a leaf were appended, in the product form or in the direct one. */
void tcsi_query_take(const tcsi_search *search, tcsi_query *query, uint32_t leaf, size_t hit_count, bool product);
/* Writes the k nearest of what was found, in order. */
void tcsi_query_finish(const tcsi_search *search, tcsi_query *query);

#endif
