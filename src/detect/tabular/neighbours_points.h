/* detect/tabular/neighbours_points.h -- rows as floats along the axes, in blocks of TCSI_BLOCK that lie near each other.
 *
 * The leading axes stand block by block and axis by axis, for comparing many rows at once.  Where axes are many they do so
 * in grains too, whole numbers of 16 bits, and all channels stand row by row, for the pairs that those did not rule out
 * (kernels/nearest.h).  Rows of an index and queries look alike, so that an index may be compared with itself.
 *
 * A grain is so small that the axes' ball holds TCSI_GRAIN_MAX of them.  Rows beyond the ball are first drawn in to it, towards the
 * centre: a projection onto a convex set brings no two points farther apart, so that what is far in grains is far, and no outlier
 * coarsens them.
 * Memory: up to 10 bytes a value and 12 a row, with up to 15 unused floats a row. */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_POINTS_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_POINTS_H

#include "detect/tabular/neighbours_axes.h"

typedef struct tcsi_points {
    size_t count, lead_count, row_size; /* row_size 0: no rows */
    uint32_t *order; /* (count): place -> row number */
    float *leads;    /* (blocks,lead_count,TCSI_BLOCK) */
    float *rows;     /* (count,row_size): centred and scaled channels; 0 beyond the last */
    int16_t *grains; /* (blocks,pairs of leads,TCSI_BLOCK,2): leads in grains; unused without rows, as are halves */
    int32_t *halves; /* (blocks,TCSI_BLOCK): half the squared norm of those */
    float *norms;    /* (count): bounds of the norms of all channels */
    float *leads_memory, *rows_memory, *grains_memory; /* those begin in them on a 64-byte border */
} tcsi_points;

static inline size_t tcsi_block_count(size_t row_count)
{
    return row_count / TCSI_BLOCK + (row_count % TCSI_BLOCK != 0);
}

/* values: (count,C) and leads: (count,lead_count), as tcsi_axes_lead made them, both by row number.  order is the points' from
 * here on, failing or not.  ret_copies: NULL, or (count,C) for the values in the points' order. */
tcs_status tcsi_points_init(const tcsi_axes *axes, const double *values, const float *leads, size_t count, uint32_t *order,
                            double *ret_copies, tcsi_points *ret_points, tcs_error *err) TCS_WARN_UNUSED;
void tcsi_points_deinit(tcsi_points *points); /* accepts a zeroed struct */

/* Grains per unit along the axes; each number of them is off by 0.505 at most. */
double tcsi_points_grain(const tcsi_axes *axes);
tcsi_block tcsi_points_block(const tcsi_points *points, size_t number);
/* The lowest and highest values of a block's points: (2,axis_count). */
void tcsi_points_box(const tcsi_block *block, size_t axis_count, float *ret_box);

/* Bytes held. */
size_t tcsi_points_size_max(size_t row_count, size_t channel_count);

#endif
