/* detect/window/joins.h -- how unlike everything else is each stretch of a series?  Joins at a coarse scale.
 *
 * All functions take one channel z of row_count finite values, standardized over the whole series (any affine scale
 * works but for the floor of tcsi_join_self_znorm), and give one distance per row: the nearest neighbour of the window
 * centred there, square root of the mean squared difference, in units of z.  window is in rows; it is averaged down to
 * about target_window values (detect/window/coarse.h).  A series shorter than 8 windows has no neighbours worth the name:
 * all zeros, and TCS_OK.  Constant and linear pieces are valid input.
 * Errors: E_INVALID when a value is not finite or an option is out of range; E_MEMORY.
 * The same bits for any pool.  Threads: reentrant. */
#ifndef TCS_DETECT_WINDOW_JOINS_H
#define TCS_DETECT_WINDOW_JOINS_H

#include "base/pool.h"

typedef struct tcsi_join_options {
    size_t window;        /* rows, >= 1 */
    size_t target_window; /* coarse values, >= 4; 0: 32 */
    size_t segment_count; /* tcsi_join_segments: J, >= 1; 0: 160 */
    size_t cover;         /* segments overlap at most so many times: short series need fewer than J; 0: no such limit */
    size_t rank;          /* tcsi_join_segments: of the per-segment minima take the rank-th smallest, 1..4 (fewer segments:
                             the largest); 1 or 0: the minimum.  2 keeps an anomaly visible that happened twice */
    tcsi_pool *pool;
} tcsi_join_options;

/* Against J segments of 2 w' consecutive windows, spread evenly; a window's own segment, give or take w', is left out.
 * ret_centred: distance after removing each window's mean (shape); ret_raw: of the values as they are (shape and level).
 * Either may be NULL, which saves time.  rows / factor * J * 2 w' cells. */
tcs_status tcsi_join_segments(const double *z, size_t row_count, const tcsi_join_options *options, double *ret_centred, double *ret_raw,
                              tcs_error *err) TCS_WARN_UNUSED;

/* The same segments, z-normalized: of the shape alone, whatever its amplitude.  Deviations are floored at a tenth of their
 * root mean square, as in tcsi_join_self_znorm. */
tcs_status tcsi_join_segments_znorm(const double *z, size_t row_count, const tcsi_join_options *options, double *ret_rows,
                                    tcs_error *err) TCS_WARN_UNUSED;

/* Against windows of the first train_row_count rows, at most 4,000 in blocks of 400 (then the blocks are spread evenly): raw. */
tcs_status tcsi_join_prefix(const double *z, size_t row_count, size_t train_row_count, const tcsi_join_options *options, double *ret_raw,
                            tcs_error *err) TCS_WARN_UNUSED;

/* Against all windows at least w' apart, z-normalized with deviations floored at a tenth of their root mean square (else
 * flat pieces, whose noise is all they have, would stand out); decimated further to at most 20,000 windows where windows
 * then still have 12 values.  All zeros beyond 40,000 coarse values. */
tcs_status tcsi_join_self_znorm(const double *z, size_t row_count, const tcsi_join_options *options, double *ret_rows,
                                tcs_error *err) TCS_WARN_UNUSED;

/* Most bytes any of them allocates for a series of row_count rows. */
size_t tcsi_join_size_max(size_t row_count, const tcsi_join_options *options);

#endif
