/* series/resample.h -- from rows as they came to a regular grid, and from gaps to filled values with a mask. */
#ifndef TCS_SERIES_RESAMPLE_H
#define TCS_SERIES_RESAMPLE_H

#include "series/frame.h"

typedef struct tcsi_resample_report {
    size_t empty_count;  /* grid rows that no row of the input fell into: all values NaN */
    size_t merged_count; /* input rows that shared their grid row with another */
} tcsi_resample_report;

/* A grid holds at most this many rows per row of the input (and 1,000,000 more), so that one stray stamp in another century
 * is an error and not an allocation. */
enum { TCSI_RESAMPLE_STRETCH_MAX = 100 };

/* A new frame with one row every step_ns from the first stamp on; each input row goes to the nearest grid row, several on one
 * are averaged per channel over what is present, labels are joined by "or".  Names and units are copied.
 * The frame must have times in strict order (tcsi_frame_order); step_ns > 0.
 * E_INVALID: no times, not in order or a step below 1; E_LIMIT: the grid would be too long; E_MEMORY. */
tcs_status tcsi_frame_resample(const tcsi_frame *frame, int64_t step_ns, tcsi_frame **ret_frame, tcsi_resample_report *ret_report,
                               tcs_error *err) TCS_WARN_UNUSED;

/* Fills runs of at most run_length_max missing values linearly between their neighbours, runs at an end with the nearest value;
 * longer runs stay as they are.  ret_mask: (count) or NULL, 1 = was filled.  Returns how many were filled. */
size_t tcsi_fill_short_gaps(double *values, size_t count, size_t run_length_max, uint8_t *ret_mask);

#endif
