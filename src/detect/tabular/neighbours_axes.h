/* detect/tabular/neighbours_axes.h -- the axes along which nearest rows are sought: centred, scaled, turned, the widest first.
 *
 * Euclidean distances do not change when rows are turned, but how soon they are known does: on the principal axes the first
 * few hold most of every distance, so that most rows are ruled out by those alone, and boxes around rows are tighter
 * (R. F. Sproull, "Refinements to nearest-neighbor searching in k-dimensional trees", Algorithmica 6, 1991; D. Bailey's and many
 * others' partial distances).  Where finding principal axes would cost too much beside the search, in many channels, the
 * channels themselves are the axes, ordered by variance.
 * Centre, variance and axes come from at most SAMPLE_MAX rows, evenly spread; far rows are drawn in first, so that outliers
 * do not choose the axes.  Nothing here decides a result: any orthogonal matrix would do, and this one is checked to be so
 * within 1e-10.
 * Memory: 8 bytes a channel and leading axis. */
#ifndef TCS_DETECT_TABULAR_NEIGHBOURS_AXES_H
#define TCS_DETECT_TABULAR_NEIGHBOURS_AXES_H

#include "base/status.h"
#include "kernels/nearest.h"

/* Values this far out, in units of the index's largest, are clipped so that their squares are floats.  Only queries have any. */
#define TCSI_AXES_CLIP 1e15

typedef struct tcsi_axes {
    size_t channel_count; /* C */
    size_t lead_count;    /* 1 to C: so many axes hold most of the variance; C when leaving out the others saves little */
    bool is_whole;        /* all axes lead, and are all that rows are compared by */
    double *centres;      /* (C) */
    double scale;         /* a power of two: no value is above 1, and no square overflows */
    double ball;          /* norm of a row that is far out; farther ones are drawn in to there where that is safe */
    double *matrix;       /* (C,lead_count) element (c,a): channel c's part in axis a; or NULL */
    uint32_t *channels;   /* (C): without a matrix, the leading axes' channels come first */
} tcsi_axes;

/* values: (R,C), R and C >= 1; k: how many neighbours will be sought, roughly.  E_MEMORY. */
tcs_status tcsi_axes_learn(const double *values, size_t row_count, size_t channel_count, size_t k, tcsi_axes *ret_axes,
                           tcs_error *err) TCS_WARN_UNUSED;
void tcsi_axes_deinit(tcsi_axes *axes); /* accepts a zeroed struct */

/* One row, (C), as floats along the leading axes, (lead_count).  scratch: (C + lead_count). */
void tcsi_axes_lead(const tcsi_axes *axes, const tcsi_nearest_ops *ops, const double *row, double *scratch, float *ret_floats);
/* The same row centred and scaled, but not turned, (C): distances along all axes are the same. */
void tcsi_axes_centre(const tcsi_axes *axes, const double *row, float *ret_floats);

/* Bytes held, learning included. */
size_t tcsi_axes_size_max(size_t row_count, size_t channel_count);

#endif
