/* detect/window/profile.h -- what matrix_profile and left_matrix_profile share: the z-normalized (or plain) distance of every
 * window to its nearest (or nearest earlier) neighbour, at full rate. */
#ifndef TCS_DETECT_WINDOW_PROFILE_H
#define TCS_DETECT_WINDOW_PROFILE_H

#include "base/pool.h"

typedef struct tcsi_profile_options {
    size_t window;      /* rows, >= 3 */
    bool normalize;     /* z-normalized Euclidean distance; otherwise plain */
    bool left;          /* only earlier windows */
    tcsi_pool *pool;
} tcsi_profile_options;

/* Distances (row_count - window + 1) of windows of values: Euclidean, over all rows of the window.  A constant window is at distance
 * 0 from constant ones and sqrt(window) from others (normalize).  Neighbours must be more than ceil(window / 4) apart;
 * a window without one has INFINITY.  Errors: E_INVALID (window out of range, values not finite), E_MEMORY. */
tcs_status tcsi_profile(const double *values, size_t row_count, const tcsi_profile_options *options, double *ret_distances,
                        tcs_error *err) TCS_WARN_UNUSED;

size_t tcsi_profile_size_max(size_t row_count, size_t window, const tcsi_pool *pool);

#endif
