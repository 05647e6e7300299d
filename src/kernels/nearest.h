/* kernels/nearest.h -- which of 64 points lie within reach of another one: the inner loops of the search for nearest rows
 * (detect/tabular/neighbours.h), on three instruction-set tiers.
 *
 * A block is TCSI_BLOCK points stored axis by axis, (A,TCSI_BLOCK) floats, so that a register holds one axis of many points;
 * unused places at its end hold anything finite.  Queries come as blocks too, and are named by their number in theirs.
 * Points of few axes are compared in the direct form, the sum of (r - q)^2.  Where axes are many, a block holds the leading
 * ones only, which rule out nearly everything, and grains, whole numbers of 16 bits, are mostly fine enough for that: the
 * product form, |r|^2 / 2 - q.r, exact in 32 bits, two axes an instruction, for four queries at once.  What is left is
 * compared in the direct form along all channels, with points stored row by row; pairs are listed first, so that no branch
 * depends on what was found.
 * The forms, and tiers with and without fused multiply-add, round differently, within the bounds that neighbours_query.h
 * states; a caller that wants the same bits everywhere takes the lists for what they are, everything that may be near, and
 * decides in doubles: distances2 and rank give the same bits on every tier.
 * Threads: all are functions of their arguments. */
#ifndef TCS_KERNELS_NEAREST_H
#define TCS_KERNELS_NEAREST_H

#include "kernels/isa.h"

enum {
    TCSI_BLOCK = 64,      /* points of a block: 4 registers of 16 floats */
    TCSI_ROW_STEP = 16,   /* rows are padded with zeros to a multiple of this */
    TCSI_GRAIN_MAX = 32700, /* norm in grains: products of two stay below 2^31 */
    TCSI_SEED_MAX = 24,   /* places that nearest finds */
    TCSI_LIST_SPARE = 16, /* entries that a list needs beyond what is appended to it */
    TCSI_RANKED_MAX = 128, /* entries that rank sorts */
};

/* Squared distances and the places they belong to. */
typedef struct tcsi_near_list {
    float *near;
    uint32_t *at;
} tcsi_near_list;

/* What queries are compared with. */
typedef struct tcsi_block {
    const float *points;   /* (A,TCSI_BLOCK) */
    const int16_t *grains; /* (A/2,TCSI_BLOCK,2), rounded up to pairs of axes: the same in grains */
    const int32_t *halves; /* (TCSI_BLOCK): half the squared norm of each in grains */
    const float *rows;     /* (TCSI_BLOCK,row_size): all channels */
    uint32_t first, count; /* place of its first point; points in use, 1 to TCSI_BLOCK */
} tcsi_block;

/* The queries of a block and what they found.  Bits of a mask are numbers of queries. */
typedef struct tcsi_seekers {
    tcsi_block block;
    size_t lead_count, row_size;  /* axes of every block; of a row, a multiple of TCSI_ROW_STEP, 0 where the leading axes are all */
    float limits[TCSI_BLOCK];     /* largest squared distance, direct form */
    int32_t reaches[TCSI_BLOCK];  /* largest value of the product form */
    uint64_t product;             /* those for whom grains are fine enough; none without rows */
    float *near;                  /* (TCSI_BLOCK,room), the lists; each needs room for TCSI_BLOCK + TCSI_LIST_SPARE entries more */
    uint32_t *at;                 /* (TCSI_BLOCK,room) */
    size_t room;
    uint32_t counts[TCSI_BLOCK];  /* entries */
    uint32_t marks[TCSI_BLOCK];   /* entries from which on a query wants to be told */
} tcsi_seekers;

typedef struct tcsi_nearest_ops {
    /* Those whose squared distance from a box, lowest and highest (A), is within their limits, direct form. */
    uint64_t (*near_box)(const tcsi_seekers *seekers, const float *low, const float *high, size_t axis_count);
    /* Appends to the lists of those in chosen what is within their limits; returns those who reached their mark. */
    uint64_t (*scan)(tcsi_seekers *seekers, uint64_t chosen, const tcsi_block *block);
    /* The k-th smallest squared distance along the leading axes, direct form, of each seeker from the points of a block:
     * ret_squares (TCSI_BLOCK).  1 <= k <= TCSI_SEED_MAX and the points in use. */
    void (*nearest)(const tcsi_seekers *seekers, const tcsi_block *block, size_t k, float *ret_squares);
    /* Keeps the entries within limit, in their order; returns how many.  The list has TCSI_LIST_SPARE entries to spare. */
    size_t (*keep_within)(tcsi_near_list list, size_t count, float limit);
    /* A value that k to k + slack of the entries, none negative, do not exceed; where too many are equal, the k-th smallest.
     * 1 <= k <= count. */
    float (*border)(const float *near, size_t count, size_t k, size_t slack);
    /* Squared distances in doubles of a row, (C), from rows at[0], at[1], ... of values, (R,C): eight partial sums each, then
     * their sum, in one order that is part of the definition. */
    void (*distances2)(const double *row, const double *values, size_t channel_count, const uint32_t *at, size_t count,
                       double *ret_distances);
    /* ret_ranks[i]: how many distances are less than distances[i], count <= TCSI_RANKED_MAX; false when two are equal.
     * distances has room up to the next multiple of 8. */
    bool (*rank)(double *distances, size_t count, uint32_t *ret_ranks);
    /* The sums over c of matrix[c * axis_count + a] * vector[c], c < channel_count: ret_products (axis_count). */
    void (*rotate)(const double *matrix, const double *vector, size_t channel_count, size_t axis_count, double *ret_products);
} tcsi_nearest_ops;

/* bits != 0 */
static inline uint32_t tcsi_lowest_bit(uint64_t bits)
{
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzll(bits);
#else
    uint32_t place = 0;
    for (; !(bits & 1); bits >>= 1) place++;
    return place;
#endif
}

/* Asks for memory that will be read soon: rows lie far apart, and asked for early several are on their way at once.  At most
 * 16 lines of 64 bytes, after which the processor goes on by itself. */
static inline void tcsi_fetch(const void *memory, size_t size)
{
#if defined(__GNUC__)
    for (size_t i = 0; i < size && i < 16 * 64; i += 64) __builtin_prefetch((const char *)memory + i);
#else
    (void)memory;
    (void)size;
#endif
}

/* isa must be supported. */
const tcsi_nearest_ops *tcsi_nearest_ops_for(tcsi_isa isa);

#endif
