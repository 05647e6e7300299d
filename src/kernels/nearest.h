/* kernels/nearest.h -- which of 64 points lie within reach of another one: the inner loops of the search for nearest rows
 * (detect/tabular/neighbours.h), on three instruction-set tiers.
 *
 * A leaf is TCSI_LEAF points stored channel by channel, (C,TCSI_LEAF) floats, so that a register holds one channel of many
 * points; unused places at its end hold anything finite.  Squared distances are computed in floats in one of two forms,
 *     direct   sum of (r - q)^2
 *     product  |q|^2 + 2 (|r|^2 / 2 - q.r), one multiply-add a value, for four points at once; not below 0
 * and what lies within a limit is appended to a list.  The forms, and tiers with and without fused multiply-add, round
 * differently, within the bounds that neighbours.h states; a caller that wants the same bits everywhere takes the lists for
 * what they are, everything that may be near, and decides in doubles: distance2, box distances of floats, selection and
 * sorting give the same bits on every tier.
 * Threads: all are functions of their arguments. */
#ifndef TCS_KERNELS_NEAREST_H
#define TCS_KERNELS_NEAREST_H

#include "kernels/isa.h"

enum {
    TCSI_LEAF = 64,           /* points of a leaf: 4 registers of 16 floats */
    TCSI_LEAF_SPARE = 16,     /* entries that a list needs beyond what is appended to it */
    TCSI_RANKED_MAX = 128,    /* entries that rank sorts */
};

/* Squared distances and the places they belong to. */
typedef struct tcsi_near_list {
    float *near;
    uint32_t *at;
} tcsi_near_list;

/* The part of a leaf that a point is compared with. */
typedef struct tcsi_leaf {
    const float *points;     /* (C,TCSI_LEAF) */
    const float *halves;     /* (TCSI_LEAF): half the squared norm of each; product form only */
    uint32_t first, count;   /* place of its first point; points in use, 1 to TCSI_LEAF */
} tcsi_leaf;

typedef struct tcsi_nearest_ops {
    /* Direct form: appends to out what is within limit of point, (C); returns how many. */
    size_t (*scan)(const float *point, const tcsi_leaf *leaf, size_t channel_count, float limit, tcsi_near_list out);
    /* Product form: the same for four points, (C) each, of the given squared norms. */
    void (*scan_four)(const float *const *points, const float *squares, const tcsi_leaf *leaf, size_t channel_count,
                      const float *limits, const tcsi_near_list *out, size_t *ret_found);
    /* Squared distances of the TCSI_LEAF points of a leaf, (C,TCSI_LEAF), from a box, (2,C): lowest and highest. */
    void (*box_distances)(const float *points, const float *box, size_t channel_count, float *ret_squares);
    /* Keeps the entries within limit, in their order; returns how many.  The list has TCSI_LEAF_SPARE entries to spare. */
    size_t (*keep_within)(tcsi_near_list list, size_t count, float limit);
    /* A value that k to k + k / 8 of the entries, none negative, do not exceed; where too many are equal, the k-th smallest.
     * 1 <= k <= count. */
    float (*border)(const float *near, size_t count, size_t k);
    /* Squared distance in doubles: eight partial sums, then their sum, in one order that is part of its definition. */
    double (*distance2)(const double *a, const double *b, size_t channel_count);
    /* ret_ranks[i]: how many distances are less than distances[i], count <= TCSI_RANKED_MAX; false when two are equal.
     * distances has room up to the next multiple of 8. */
    bool (*rank)(double *distances, size_t count, uint32_t *ret_ranks);
} tcsi_nearest_ops;

/* isa must be supported. */
const tcsi_nearest_ops *tcsi_nearest_ops_for(tcsi_isa isa);

#endif
